"""The picture of an audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azogue.drawing import FAINT, new_axes
from azogue.shades import COLORS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Lower ends that are drawn: an R² has none.
LEAST = -0.1


def plot_report(report: Any, ax: Axes | None = None) -> Axes:
    """Each attack's success beside its control, with their intervals; below, what is still told.

    Parameters
    ----------
    report : PrivacyReport
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        If the report holds neither an attack nor a use.
    """
    lines = [
        (
            f"{one.name} ({one.measure})",
            (one.control, one.control_low, one.control_high),
            (one.value, one.low, one.high),
        )
        for one in report.attacks
    ]
    uses = [
        (
            f"{one.name} ({one.measure})",
            (one.original, one.original_low, one.original_high),
            (one.released, one.low, one.high),
        )
        for one in report.utility
    ]
    if not lines and not uses:
        raise ValueError("plot: the report holds neither an attack nor a use; there is nothing to draw")
    count = len(lines) + len(uses)
    ax = new_axes(7.2, 1.2 + 0.42 * (count + bool(uses))) if ax is None else ax
    red = [COLORS[5] if one.leaks else COLORS[0] for one in report.attacks]
    draw_lines(ax, lines, 0, GREY, red)
    draw_lines(ax, uses, len(lines) + 1, GREY, [COLORS[2]] * len(uses))
    where = [*range(len(lines)), *range(len(lines) + 1, len(lines) + 1 + len(uses))]
    ax.set_yticks(where, [name for name, _, _ in lines + uses])
    ax.set_ylim(max(where) + 0.6, -0.6)
    ax.set_xlim(LEAST, 1.02)
    ax.set_xlabel("success, with 95 % intervals")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#eceff2", zorder=0)
    keys = [("attack that beats its control", COLORS[5]), ("attack that does not", COLORS[0]), ("control", GREY)]
    keys += [("use (grey: of original rows)", COLORS[2])] * bool(uses)
    for label, color in keys:
        ax.plot([], [], "o", color=color, label=label)
    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.3, 1.0), "ncols": 2}
    ax.legend(frameon=False, fontsize=8, labelcolor=FAINT, columnspacing=1.0, **place)
    return ax


def draw_lines(ax: Axes, lines: list[Any], start: int, under: str, colors: list[str]) -> None:
    """A line for each (name, what it is compared with, itself), the last two a value and the ends of its interval."""
    for at, ((_, below, own), color) in enumerate(zip(lines, colors, strict=True), start):
        for (value, low, high), shift, shade in ((below, 0.14, under), (own, -0.14, color)):
            ends = [min(max(end, LEAST), 1.0) for end in (low, high)]
            ax.plot(ends, [at + shift] * 2, color=shade, linewidth=2.2, solid_capstyle="butt", zorder=2)
            ax.plot(min(max(value, LEAST), 1.0), at + shift, "o", color=shade, markersize=5, zorder=3)
