"""Hats: a number as shares of the two knots around it, so that a network sees where it lies, and whether it is there.

Between knots `t_k < s < t_{k+1}` the hats are `1 − a` and `a` with `a = (s − t_k) / (t_{k+1} − t_k)`; beyond the ends
the outer one is 1. They add up to 1, so that all zeros say that the number is missing: a scaled value of 0 does not.

References
----------
Gorishniy, Rubachev & Babenko (2022), On embeddings for numerical features in tabular deep learning, NeurIPS.
NOTE[DIFF] their piecewise-linear encoding is cumulative, 1 for each knot passed; hats are its differences from one knot
to the next, so that only the two around a number are not 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from azogue.modalities.scaling import Floats


def place(s: Floats, count: int) -> tuple[float, ...]:
    """At most `count` knots for scaled values: all levels where these are few, else their quantiles.

    Examples
    --------
    >>> place(np.array([0.0, 1.0, 1.0, 3.0]), 4)
    (0.0, 1.0, 3.0)
    """
    levels = np.unique(s)
    if len(levels) > count:
        levels = np.unique(np.quantile(s, np.linspace(0.0, 1.0, count)))
    return tuple(map(float, levels))


def fill(s: Floats, knots: tuple[float, ...], out: NDArray[np.float32]) -> None:
    """Write the hats of scaled values (n,) into `out` (n, at least len(knots)), which holds zeros; NaN stays zero."""
    at = np.asarray(knots)
    rows = np.flatnonzero(~np.isnan(s))
    inside = np.clip(s[rows], at[0], at[-1])
    left = np.clip(np.searchsorted(at, inside, side="right") - 1, 0, max(len(at) - 2, 0))
    right = np.minimum(left + 1, len(at) - 1)
    width = np.where(right > left, at[right] - at[left], 1.0)
    share = (inside - at[left]) / width
    out[rows, left] = 1.0 - share
    out[rows[right > left], right[right > left]] = share[right > left]


def spread(
    values: Floats,
    gaps: NDArray[np.bool_],
    knots: Sequence[tuple[float, ...]],
    slots: NDArray[np.intp],
    x: NDArray[np.float32],
) -> None:
    """Write what tells the encoder where each number lies, and that a cell is there, behind the slots of the values.

    Parameters
    ----------
    values, gaps : ndarray, shape (n, columns)
        Scaled values, and where they are missing; numbers come first, then booleans.
    knots : sequence of tuple of float
        Of each number.
    slots : ndarray, shape (columns,)
    x : ndarray, shape (n, width)
        Holds zeros there.
    """
    for column, places in enumerate(knots):
        fill(values[:, column], places, x[:, slots[column] + 1 :])
    for column in range(len(knots), values.shape[1]):
        x[:, slots[column] + 1] = ~gaps[:, column]
