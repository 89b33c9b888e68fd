"""The drawing of a network: its layers as columns of units, or as a stack of boxes with shapes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from azogue.stages import Stage, resolve, stages_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

INK, FAINT, WIRE = "#22272e", "#5f6b7a", "#8a96a3"
#: Fill and edge of each part, told apart in every kind of colour vision (Okabe & Ito 2008).
PARTS = {
    "input": ("#ffffff", "#5f6b7a"),
    "encoder": ("#a9d3ee", "#0072b2"),
    "code": ("#f7c873", "#b35c00"),
    "decoder": ("#a6dccb", "#007a5a"),
    "output": ("#ffffff", "#5f6b7a"),
}
#: Circles that the widest layer is drawn with.
MOST_UNITS = 10
#: Inches a unit of length on a figure of our own, the size of text in units, and the smallest text in points.
UNIT, EM, SMALLEST = 0.31, 0.44, 7.0


def new_axes(width: float = 5.0, height: float = 4.0, **kwargs: Any) -> Axes:
    """Axes on a figure of their own, without pyplot: no window, no global state.

    Examples
    --------
    >>> new_axes(3.0, 2.0).figure.get_size_inches()
    array([3., 2.])
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axes: Axes = figure.add_subplot(**kwargs)
    return axes


def plot_network(network: Any, ax: Axes | None = None, *, shapes: bool = False) -> Axes:
    """The network of an autoencoder: encoder, code, decoder.

    Each layer is a column of circles, a circle a unit; a wide layer is drawn with up to ten and an ellipsis. Below
    stand its width, its kind, its activation, and dropout or normalisation. An (encoder, decoder) pair of modules,
    whose layers are not known, is drawn as two blocks and the code between them.

    Parameters
    ----------
    network : estimator, NetworkSpec, layers, tuple of int, or pair of modules
        A fitted autoencoder, or whatever owns one; an unfitted one, a stack of layers or widths where the network
        does not depend on the data. Widths that only the data tell are drawn as `?`.
    ax : Axes, optional
    shapes : bool
        Draw a box a layer instead, with the shapes of its input and output and its number of parameters.

    Returns
    -------
    Axes

    Raises
    ------
    TypeError
        If `network` is none of these.
    ValueError
        If the network depends on data that the estimator has not seen.

    Examples
    --------
    >>> import azogue as az
    >>> ax = plot_network(az.Input(784) + az.Dense(256, "relu") + az.Dense(32) + az.Output("sigmoid"))
    >>> [text.get_text() for text in ax.texts if text.get_text().isdigit()]
    ['784', '256', '32', '256', '784']
    """
    known = resolve(network)
    stages = list(stages_of(known))
    if shapes:
        return _draw_shapes(stages, ax)
    return _draw_blocks(stages, ax) if known.spec is None else _draw_units(stages, ax)


def _columns(stages: Sequence[Stage]) -> list[tuple[Stage, list[str]]]:
    """Columns of units, each with the notes on it; what follows a column settles how many units leave it."""
    columns: list[tuple[Stage, list[str]]] = []
    for stage in stages:
        if stage.column:
            columns.append((stage, [stage.note] if stage.note else []))
        else:
            before, notes = columns[-1]
            columns[-1] = (replace(before, outputs=stage.outputs), [*notes, stage.note])
    return columns


def _circles(width: int | None, widest: int) -> int:
    """How many circles stand for `width` units: all of a few, otherwise by the logarithm, so that order stays."""
    if width is None:
        return MOST_UNITS
    if widest <= MOST_UNITS or width <= 4:
        return width
    drawn = 2 * round((4 + (MOST_UNITS - 4) * math.log(width / 4) / math.log(widest / 4)) / 2)
    return width if drawn >= width - 1 else drawn


def _places(width: int | None, drawn: int) -> tuple[list[float], bool]:
    """Heights of a column's circles around 0, and whether an ellipsis takes the place in the middle."""
    short = width is None or drawn < width
    heights = [drawn / 2 - at if short else (drawn - 1) / 2 - at for at in range(drawn + short)]
    if short:
        del heights[drawn // 2]
    return heights, short


def _draw_units(stages: Sequence[Stage], ax: Axes | None) -> Axes:
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Circle, FancyBboxPatch

    columns = _columns(stages)
    widest = max((stage.outputs or 0 for stage, _ in columns), default=0)
    placed = [_places(stage.outputs, _circles(stage.outputs, widest)) for stage, _ in columns]
    top = max(heights[0] for heights, _ in placed) + 0.5
    lines = [_lines(stage, notes) for stage, notes in columns]
    letters = max(len(line) for column in lines for line in column)
    pitch = min(max((3.2 * top + 6) / max(len(columns) - 1, 1), 0.27 * letters + 0.5, 2.0), 6.0)
    xs = [pitch * at for at in range(len(columns))]
    sides = (-pitch / 2 - 0.4, xs[-1] + pitch / 2 + 0.4)
    em, rows = EM, max(map(len, lines))
    if ax is not None:  # on a small part of a figure the text takes what room there is
        em = min(max(EM, SMALLEST / 72 / _inches(ax, sides, (-top - 3.5, top + 1.7))), (pitch - 0.3) / (0.6 * letters))
    line = 1.4 * em
    ax, size = _canvas(ax, sides, (-top - 0.75 - line * rows, top + 0.5 + 2.8 * em), em)
    for (x, (left, _)), (x_next, (right, _)) in pairwise(zip(xs, placed, strict=True)):
        wires = [((x, a), (x_next, b)) for a in left for b in right]
        ax.add_collection(LineCollection(wires, colors=WIRE, linewidths=0.07 * size, alpha=0.45, zorder=1))
    for x, (stage, _), (heights, short), texts in zip(xs, columns, placed, lines, strict=True):
        fill, edge = PARTS[stage.part]
        if stage.part == "code":
            frame = FancyBboxPatch((x - 0.75, heights[-1] - 0.75), 1.5, heights[0] - heights[-1] + 1.5, zorder=0.5)
            frame.set(facecolor="#fdf1dc", edgecolor=edge, linewidth=0.1 * size, linestyle="--")
            frame.set_boxstyle("round", pad=0, rounding_size=0.5)
            ax.add_patch(frame)
        for y in heights:
            ax.add_patch(Circle((x, y), 0.36, facecolor=fill, edgecolor=edge, linewidth=0.12 * size, zorder=2))
        if short:
            ax.text(x, 0, "⋮", ha="center", va="center", size=1.6 * size, color=edge, zorder=2)
        for at, text in enumerate(texts):
            style: dict[str, Any] = {"weight": "bold", "color": INK} if at == 0 else {"color": FAINT}
            ax.text(x, -top - 0.3 - line * (at + 0.5), text, ha="center", va="center", size=size, **style)
    _brackets(ax, [stage.part for stage, _ in columns], xs, top + 0.45, em, size)
    return ax


def _lines(stage: Stage, notes: Sequence[str]) -> list[str]:
    """What stands below a column: width, kind, activation, notes."""
    kind = "code" if stage.part == "code" else stage.kind.lower()
    return [line for line in (_count(stage.outputs), kind, *stage.activation.split(", "), *notes) if line]


def _inches(ax: Axes, x: tuple[float, float], y: tuple[float, float]) -> float:
    """The length of a unit on Axes of these limits."""
    box = ax.get_window_extent()
    return float(min(box.width / (x[1] - x[0]), box.height / (y[1] - y[0])) / ax.figure.dpi)


def _canvas(ax: Axes | None, x: tuple[float, float], y: tuple[float, float], em: float = EM) -> tuple[Axes, float]:
    """Bare Axes of these limits, one unit as long as the other, and the size in points of text `em` units high."""
    size = 72 * em * (UNIT if ax is None else _inches(ax, x, y))
    ax = new_axes(UNIT * (x[1] - x[0]), UNIT * (y[1] - y[0])) if ax is None else ax
    ax.set(xlim=x, ylim=y, aspect="equal")
    ax.set_axis_off()
    return ax, size


def _spans(parts: Sequence[str]) -> list[tuple[str, int, int]]:
    """Encoder, code and decoder, with the first and the last place of each."""
    code = [at for at, part in enumerate(parts) if part == "code"]
    ends = {"encoder": (0, code[0] - 1), "code": (code[0], code[-1]), "decoder": (code[-1] + 1, len(parts) - 1)}
    return [(name, first, last) for name, (first, last) in ends.items()]


def _brackets(ax: Axes, parts: Sequence[str], xs: Sequence[float], y: float, em: float, size: float) -> None:
    """Encoder, code and decoder above the columns that they consist of."""
    for name, first, last in _spans(parts):
        left, right, color = xs[first] - 0.4, xs[last] + 0.4, PARTS[name][1]
        ax.plot([left, left, right, right], [y - 0.2, y, y, y - 0.2], color=color, linewidth=0.13 * size)
        ax.text((left + right) / 2, y + 1.2 * em, name, ha="center", va="center", size=1.1 * size, color=color)


def _draw_blocks(stages: Sequence[Stage], ax: Axes | None) -> Axes:
    """Two trapezia and the code between them."""
    from matplotlib.patches import Polygon

    ax, size = _canvas(ax, (-0.6, 13.6), (-4.0, 3.9))
    ends = (((0.0, 2.8), (5.2, 1.2)), ((5.7, 1.0), (7.3, 1.0)), ((7.8, 1.2), (13.0, 2.8)))
    for stage, ((left, a), (right, b)) in zip(stages, ends, strict=True):
        fill, edge = PARTS[stage.part]
        corners = [(left, -a), (left, a), (right, b), (right, -b)]
        ax.add_patch(Polygon(corners, facecolor=fill, edgecolor=edge, linewidth=0.12 * size))
        code, middle = stage.part == "code", (left + right) / 2
        inside = _count(stage.outputs) if code else stage.kind
        fitting = size * min(1.0, 14 / len(inside))
        below = "" if code or stage.inputs is None else f"{stage.inputs} → {stage.outputs}"
        ax.text(middle, 3.4, stage.part, ha="center", va="center", size=1.1 * size, color=edge)
        ax.text(middle, 0, inside, ha="center", va="center", size=fitting, color=INK, weight="bold")
        ax.text(middle, -3.4, below, ha="center", va="center", size=size, color=FAINT)
    return ax


def _draw_shapes(stages: Sequence[Stage], ax: Axes | None) -> Axes:
    from matplotlib.patches import Rectangle

    wide, high, gap = 16.5, 0.95, 0.7
    step = 2 * high + gap
    ax, size = _canvas(ax, (-1.3, wide + 0.3), (gap - step * len(stages) - 0.3, 0.3))
    for at, stage in enumerate(stages):
        fill, edge = PARTS[stage.part]
        y, line = -step * at, 0.09 * size
        for low, color in ((y - high, fill), (y - 2 * high, "#ffffff")):
            ax.add_patch(Rectangle((0, low), wide, high, facecolor=color, edgecolor=edge, linewidth=line))
        count = "?" if stage.parameters is None else f"{stage.parameters:,}"
        details = ", ".join(text for text in (stage.activation, stage.note) if text and stage.column)
        ax.text(0.35, y - high / 2, stage.kind, ha="left", va="center", size=size, color=INK, weight="bold")
        ax.text(3.9, y - high / 2, details, ha="left", va="center", size=size, color=INK)
        ax.text(wide - 0.35, y - high / 2, f"{count} parameters", ha="right", va="center", size=size, color=INK)
        for x, text, units in ((wide / 4, "input", stage.inputs), (3 * wide / 4, "output", stage.outputs)):
            shape = f"{text} (n, {_count(units)})"
            ax.text(x, y - 1.5 * high, shape, ha="center", va="center", size=size, color=FAINT)
        ax.plot([wide / 2, wide / 2], [y - 2 * high, y - high], color=edge, linewidth=line, alpha=0.4)
        if at:
            arrow = {"arrowstyle": "-|>", "color": FAINT, "linewidth": 0.12 * size, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (wide / 2, y), (wide / 2, y + gap), arrowprops=arrow)
    for name, first, last in _spans([stage.part for stage in stages]):
        low, up, color = gap - step * (last + 1), -step * first, PARTS[name][1]
        ax.plot([-0.2, -0.4, -0.4, -0.2], [up, up, low, low], color=color, linewidth=0.13 * size)
        ax.text(-0.85, (low + up) / 2, name, ha="center", va="center", size=size, color=color, rotation=90)
    return ax


def _count(units: int | None) -> str:
    return "?" if units is None else str(units)
