"""The picture of what is said of synthetic rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azogue.drawing import FAINT, new_axes
from azogue.privacy.picture import LEAST, draw_lines
from azogue.shades import COLORS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_synthetic(report: Any, ax: Axes | None = None) -> Axes:
    """Each measure beside that of real rows, and each attack beside its control, with their intervals.

    Parameters
    ----------
    report : SyntheticReport
    ax : Axes, optional

    Returns
    -------
    Axes
    """
    groups: list[list[Any]] = [
        [
            (one.name, (one.real, one.real_low, one.real_high), (one.value, one.low, one.high), one.worse)
            for one in report.scores
        ],
        [
            (
                f"tells {one.name}",
                (one.original, one.original_low, one.original_high),
                (one.released, one.low, one.high),
                one.high < one.original_low,
            )
            for one in report.utility
        ],
        [
            (one.name, (one.control, one.control_low, one.control_high), (one.value, one.low, one.high), one.leaks)
            for one in report.attacks
        ],
    ]
    units = [[one.measure for one in part] for part in (report.scores, report.utility, report.attacks)]
    groups, units = ([part for part in parts if part] for parts in (groups, units))
    count = sum(map(len, groups)) + len(groups)
    ax = new_axes(7.2, 1.4 + 0.42 * count) if ax is None else ax
    where: list[int] = []
    names: list[str] = []
    for lines, own in zip(groups, units, strict=True):
        start = where[-1] + 2 if where else 0
        draw_lines(ax, [line[:3] for line in lines], start, GREY, [COLORS[5 * bool(line[3])] for line in lines])
        where += range(start, start + len(lines))
        names += [f"{line[0]} ({unit})" for line, unit in zip(lines, own, strict=True)]
    ax.set_yticks(where, names)
    ax.set_ylim(max(where) + 0.6, -0.6)
    ax.set_xlim(LEAST, 1.02)
    ax.set_xlabel("with 95 % intervals")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="#eceff2", zorder=0)
    keys = [
        ("synthetic rows, attacks on them", COLORS[0]),
        ("the same: clearly worse, or a leak", COLORS[5]),
        ("real rows, controls", GREY),
    ]
    for label, color in keys:
        ax.plot([], [], "o", color=color, label=label)
    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.3, 1.0), "ncols": 2}
    ax.legend(frameon=False, fontsize=8, labelcolor=FAINT, columnspacing=1.0, **place)
    return ax
