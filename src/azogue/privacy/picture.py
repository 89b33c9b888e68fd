"""The pictures of an audit, and of several at growing strengths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.drawing import FAINT, new_axes
from azogue.shades import COLORS, GREY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from azogue.privacy.report import PrivacyReport

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
    _draw(ax, lines, 0, GREY, red)
    _draw(ax, uses, len(lines) + 1, GREY, [COLORS[2]] * len(uses))
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


def _draw(ax: Axes, lines: list[Any], start: int, under: str, colors: list[str]) -> None:
    for at, ((_, below, own), color) in enumerate(zip(lines, colors, strict=True), start):
        for (value, low, high), shift, shade in ((below, 0.14, under), (own, -0.14, color)):
            ends = [min(max(end, LEAST), 1.0) for end in (low, high)]
            ax.plot(ends, [at + shift] * 2, color=shade, linewidth=2.2, solid_capstyle="butt", zorder=2)
            ax.plot(min(max(value, LEAST), 1.0), at + shift, "o", color=shade, markersize=5, zorder=3)


def plot_tradeoff(found: Iterable[tuple[float, PrivacyReport]], ax: Axes | None = None) -> Axes:
    """What attackers find and what is still told, as more is given up.

    Parameters
    ----------
    found : iterable of (strength, PrivacyReport)
        As `Anonymizer.tradeoff` gives it: the same attacks and uses at each strength.
    ax : Axes, optional

    Returns
    -------
    Axes
        A line for each attack and, dashed, for each use, with bands of 95 %; dotted, the attacks' controls.

    Raises
    ------
    ValueError
        If there is no report, or if none holds an attack or a use.

    Examples
    --------
    >>> import azogue as az
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(120, 4))
    >>> found = az.Anonymizer(method="average", random_state=0).tradeoff(X, (0.0, 1.0))
    >>> az.privacy.plot_tradeoff(found).get_xlabel()
    'strength'
    """
    reports = sorted(found, key=lambda pair: pair[0])
    attacks = _by_name([one.attacks for _, one in reports])
    uses = _by_name([one.utility for _, one in reports])
    if not attacks and not uses:
        raise ValueError("plot_tradeoff: the reports hold neither an attack nor a use; there is nothing to draw")
    ax = new_axes(7.2, 4.2) if ax is None else ax
    strengths = [strength for strength, _ in reports]
    for at, (name, per) in enumerate(attacks.items()):
        color = COLORS[at % len(COLORS)]
        _line(ax, strengths, [(a.value, a.low, a.high) for a in per], color, name, "-")
        ax.plot(strengths, [max(one.control, LEAST) for one in per], ":", color=color, linewidth=1.0)
    for at, (name, per) in enumerate(uses.items()):
        color = COLORS[(len(attacks) + at) % len(COLORS)]
        _line(ax, strengths, [(u.released, u.low, u.high) for u in per], color, f"use: {name}", "--")
    ax.set_xlabel("strength")
    ax.set_ylabel("success, with 95 % intervals")
    ax.set_ylim(LEAST, 1.02)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#eceff2", zorder=0)
    place: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}
    ax.legend(frameon=False, fontsize=8, labelcolor=FAINT, **place)
    return ax


def _by_name(lists: list[Any]) -> dict[str, list[Any]]:
    """The records of each name, one of each list; names that a list lacks are left out."""
    every = [{one.name: one for one in records} for records in lists]
    shared = [name for name in (every[0] if every else {}) if all(name in one for one in every)]
    return {name: [one[name] for one in every] for name in shared}


def _line(ax: Axes, at: list[float], ends: list[Any], color: str, label: str, dashes: str) -> None:
    value, low, high = (np.clip(column, LEAST, 1.0) for column in np.array(ends, dtype=float).T)
    ax.plot(at, value, dashes, color=color, marker="o", markersize=4, label=label, zorder=3)
    ax.fill_between(at, low, high, color=color, alpha=0.12, linewidth=0)
