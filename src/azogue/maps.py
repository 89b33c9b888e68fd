"""The codes as a map: two or three units, coloured by a column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.drawing import FAINT, new_axes
from azogue.shades import COLORS, GREY, PALE, as_shades, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from numpy.typing import NDArray

    from azogue.shades import Shades

#: A second sign beside the colour.
MARKERS = "o", "^", "s", "D"
#: Categories that a legend names, and letters that it shows of each.
MOST_NAMED, MOST_LETTERS = 20, 32
#: Points beyond which SVG and PDF hold a picture of them, and beyond which they have no white edge.
MOST_VECTORS, MOST_EDGES = 20_000, 3_000


def plot_codes(
    codes: Any,
    color: Any = None,
    ax: Axes | None = None,
    *,
    names: Sequence[str] | None = None,
    label: str | None = None,
) -> Axes:
    """The codes as a map.

    Two units are the axes of a plane and three those of a space. One unit is drawn against the row number. Of more
    than three, the first two are drawn.

    Parameters
    ----------
    codes : array or frame, shape (n, size)
    color : list, array or column of a frame, shape (n,), optional
        Floats, dates, and whole numbers of more than 20 values are shown on a scale with a colour bar. Anything else
        is categories with a legend; of more than 20, the legend names the most frequent, and the others share a
        colour. Missing values are grey.
    ax : Axes, optional
        Of three units, one without a third axis shows the first two.
    names : sequence of str, optional
        Names of the units; otherwise `code 1`, `code 2`, …
    label : str, optional
        Title of the legend or the colour bar; otherwise the column's own name, if it has one.

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If there is not one color for each row, or not one name for each unit that is drawn.

    Examples
    --------
    >>> ax = plot_codes([[0.0, 1.0], [2.0, 3.0]], ["a", "b"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['a', 'b']
    """
    codes = np.asarray(codes)
    if codes.ndim != 2 or not codes.shape[1]:
        raise ValueError(f"plot_codes: expected codes of shape (n, size), got {codes.shape}")
    shades = None if color is None else as_shades(color, "plot_codes: color")
    if shades is not None and len(shades) != len(codes):
        raise ValueError(f"plot_codes: the codes have {len(codes)} rows, but color has {len(shades)} values")
    size = codes.shape[1]
    if ax is None:
        ax = new_axes(6.0, 4.5, projection="3d") if size == 3 else new_axes(6.0, 4.5)
    drawn = min(size, 3 if ax.name == "3d" else 2)
    _name_axes(ax, [f"code {at + 1}" for at in range(drawn)] if names is None else list(names)[:drawn], drawn, size)
    points = list(codes.T[:drawn]) if size > 1 else [np.arange(len(codes)), codes[:, 0]]
    if shades is None:
        _dots(ax, points, slice(None), color=COLORS[0])
    elif shades.categories is None:
        _draw_scale(ax, points, shades, label or shades.name)
    else:
        _draw_categories(ax, points, shades, label or shades.name)
    return ax


def _name_axes(ax: Axes, names: list[str], drawn: int, size: int) -> None:
    if len(names) < drawn:
        raise ValueError(f"plot_codes: {drawn} units are drawn, but names has {len(names)}")
    labels = ["row", *names] if size == 1 else names
    ax.set(**dict(zip(("xlabel", "ylabel", "zlabel"), labels, strict=False)))
    if size > max(drawn, 1) and ax.name != "3d":
        ax.set_title(f"the first {drawn} of {size} units", fontsize="small", color=FAINT)
    if ax.name != "3d":
        ax.spines[["top", "right"]].set_visible(False)


def _dots(ax: Axes, points: Sequence[NDArray[Any]], chosen: Any, **style: Any) -> PathCollection:
    """Some of the points, smaller the more there are in all."""
    count = len(points[0])
    area = float(np.clip(450 / math.sqrt(max(count, 1)), 3, 30))
    style |= {"edgecolors": "white", "linewidths": 0.3} if count < MOST_EDGES else {"linewidths": 0.0}
    style |= {"alpha": 0.85, "rasterized": count > MOST_VECTORS}
    if ax.name == "3d":
        style["depthshade"] = False
    return ax.scatter(*(values[chosen] for values in points), **{"s": area, **style})


def _draw_scale(ax: Axes, points: Sequence[NDArray[Any]], shades: Shades, label: str | None) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    known = ~np.isnan(shades.values)
    if not known.all():
        _dots(ax, points, ~known, color=GREY, label="missing")
        ax.legend(fontsize="small", frameon=False, loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    if not known.any():
        return
    finite = shades.values[np.isfinite(shades.values)]
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    style: dict[str, Any] = {"shrink": 0.75, "pad": 0.12} if ax.name == "3d" else {}
    if shades.dates:
        style["ticks"] = AutoDateLocator()  # type: ignore[no-untyped-call]
        style["format"] = ConciseDateFormatter(style["ticks"])  # type: ignore[no-untyped-call]
    shown = _dots(ax, points, known, c=shades.values[known], cmap="viridis", vmin=low, vmax=high)
    ax.figure.colorbar(shown, ax=ax, label=label or "", **style)


def _draw_categories(ax: Axes, points: Sequence[NDArray[Any]], shades: Shades, label: str | None) -> None:
    categories = shades.categories or ()
    missing = np.isnan(shades.values)
    numbers = np.where(missing, -1, shades.values).astype(int)
    counts = np.bincount(numbers[~missing], minlength=len(categories))
    named = sorted(np.argsort(-counts, kind="stable")[:MOST_NAMED].tolist())
    others = ~missing & ~np.isin(numbers, named)
    unnamed = {}
    if others.any():
        unnamed[f"… and {len(categories) - len(named)} more"] = _dots(ax, points, others, color=PALE)
    if missing.any():
        unnamed["missing"] = _dots(ax, points, missing, color=GREY)
    shown = [
        _dots(ax, points, numbers == number, color=COLORS[at % len(COLORS)], marker=MARKERS[at % len(MARKERS)])
        for at, number in enumerate(named)
    ]
    handles = [*shown, *unnamed.values()]
    _legend(ax, handles, [*(short(categories[at], MOST_LETTERS) for at in named), *unnamed], label)


def _legend(ax: Axes, handles: list[PathCollection], texts: list[str], title: str | None) -> None:
    """Beside the Axes where the figure makes room for it, otherwise inside."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    host: Any = ax
    place: dict[str, Any] = {"loc": "upper right"}
    if isinstance(ax.figure.get_layout_engine(), ConstrainedLayoutEngine):
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0, "frameon": False}
        if ax.name == "3d":  # whose labels reach beyond it
            host, place = ax.figure, {"loc": "outside right upper", "frameon": False}
    legend = host.legend(handles, texts, title=title, fontsize="small", alignment="left", **place)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set(sizes=[30.0], alpha=1.0)
