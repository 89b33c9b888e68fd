"""The picture of overimputation: observed cells against what was drawn for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.drawing import INK, new_axes
from azogue.shades import COLORS, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Letters of a category, and categories that are drawn, at most.
LETTERS, MOST = 16, 20


def plot_overimpute(found: Any, column: str | None = None, ax: Axes | None = None) -> Axes:
    """Observed cells against imputed ones, with their intervals.

    Of numbers, each cell is a dot at its observed value and the mean of its draws, with the interval as a line; on the
    diagonal both agree, and a line that misses it is drawn in another colour. Of categories, a square for each pair of
    observed and imputed category, the darker the more cells.

    Parameters
    ----------
    found : Overimputed
        What `overimpute` gave.
    column : str, optional
        One column. None: all columns of numbers, each in standard deviations from its observed mean; or the one
        column that there is.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        For a column that is not there, or where no column holds numbers.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> found = az.Imputer(random_state=0).fit(load_iris().data).overimpute(load_iris().data, cells=5, m=10)
    >>> plot_overimpute(found, "column 3").get_xlabel()
    'observed column 3'
    """
    column = found.names[0] if column is None and len(found.names) == 1 else column
    if column is not None and column not in found.names:
        raise ValueError(f"plot_overimpute: no cells of {column!r}; there are some of {', '.join(found.names)}")
    at = found.numeric if column is None else found.name == column
    if not at.any():
        raise ValueError(f"plot_overimpute: no column of numbers; name one of {', '.join(found.names)}")
    ax = new_axes(4.8, 4.4) if ax is None else ax
    if column is not None and not found.numeric[at][0]:
        return _categories(found, at, column, ax)
    observed, imputed, low, high = (
        np.asarray(values[at], float) for values in (found.observed, found.imputed, found.low, found.high)
    )
    if column is None:
        names = found.name[at]
        for name in set(names):
            own = names == name
            middle = observed[own].mean()
            spread = observed[own].std() or (high[own] - low[own]).mean() / 4 or 1.0  # of one cell, that of its draws
            for values in (observed, imputed, low, high):
                values[own] = (values[own] - middle) / spread
    covered = found.covered[at]
    for which, color, label in ((covered, COLORS[0], "covered"), (~covered, COLORS[5], "missed")):
        ax.vlines(observed[which], low[which], high[which], color=color, alpha=0.45, linewidth=1.2)
        told = f"{label}: {which.sum():,}"
        ax.scatter(observed[which], imputed[which], color=color, s=14, zorder=3, label=told)
    ends = min(observed.min(), imputed.min()), max(observed.max(), imputed.max())
    ax.plot(ends, ends, color=INK, linewidth=1.0, linestyle=":")
    what = "numbers, in standard deviations" if column is None else column
    ax.set(xlabel=f"observed {what}", ylabel=f"imputed, {100 * found.confidence:g} % intervals")
    ax.set_title(f"{covered.mean():.0%} of {len(covered):,} cells covered", fontsize="medium")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False)
    return ax


def _categories(found: Any, at: Any, column: str, ax: Axes) -> Axes:
    """How often which category was imputed for which."""
    from matplotlib.ticker import FixedLocator

    observed, imputed = ([str(value) for value in values[at]] for values in (found.observed, found.imputed))
    names = sorted({*observed, *imputed}, key=lambda name: (-observed.count(name), name))
    kept = names[: MOST - 1] if len(names) > MOST else names
    place = {name: kept.index(name) if name in kept else len(kept) for name in names}
    shown = [short(name, LETTERS) for name in kept] + ["others"] * (len(names) > len(kept))
    counts = np.zeros((len(shown), len(shown)))
    for truth, made in zip(observed, imputed, strict=True):
        counts[place[made], place[truth]] += 1
    ax.imshow(counts, cmap="Blues", vmin=0, vmax=1.4 * counts.max())
    for row, column_ in zip(*np.nonzero(counts), strict=True):
        ax.text(column_, row, f"{counts[row, column_]:g}", ha="center", va="center", color=INK, fontsize="small")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(FixedLocator(range(len(shown))))
    ax.set_xticklabels(shown, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticklabels(shown)
    right = np.mean([a == b for a, b in zip(observed, imputed, strict=True)])
    ax.set(xlabel=f"observed {column}", ylabel="imputed")
    told = f"{right:.0%} of {len(observed):,} cells right, {found.covered[at].mean():.0%} covered"
    ax.set_title(told, fontsize="medium")
    return ax
