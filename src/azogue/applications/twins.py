"""Twins: the rows of other groups that a row is most like, and their mean, which is nobody's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Distances held at once.
HELD = 4_000_000
#: Groups that a mean is taken over at most; nearest rows where there are no groups.
GROUPS, NEAREST = 16, 10

Rows = NDArray[np.float32]


def nearest(x: Rows, pool: Rows) -> NDArray[np.intp]:
    """For each row of x (n, width) the position of the nearest row of `pool` (m, width)."""
    lengths = np.einsum("ij,ij->i", pool, pool)
    found = np.empty(len(x), dtype=np.intp)
    for start in range(0, len(x), step := max(1, HELD // len(pool))):
        part = x[start : start + step]
        found[start : start + step] = (lengths - 2.0 * part @ pool.T).argmin(1)
    return found


def of_groups(x: Rows, groups: NDArray[np.int64], apart: NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """The mean over groups of the row that is nearest in each, the row's own group (where it finds itself) included.

    Rows are compared less the mean of their group, so that what all rows of a group have in common does not choose
    their twins. Only rows of the same class of `apart` are twins.

    Parameters
    ----------
    x : ndarray, shape (n, width)
    groups : ndarray of int, shape (n,)
        Whom a row is from.
    apart : ndarray of int, shape (n,)
        What it is to stay, such as an activity.
    rng : numpy generator
        Chooses the groups where there are more than 16.
    """
    out = x.copy()
    for kind in np.unique(apart):
        rows = np.flatnonzero(apart == kind)
        names = np.unique(groups[rows])
        if len(names) > GROUPS:
            names = rng.choice(names, GROUPS, replace=False)
        centred = x[rows].copy()
        for name in np.unique(groups[rows]):
            own = groups[rows] == name
            centred[own] -= centred[own].mean(0)
        total = np.zeros_like(centred, dtype=np.float64)
        for name in names:
            pool = np.flatnonzero(groups[rows] == name)
            total += x[rows[pool]][nearest(centred, centred[pool])]
        out[rows] = total / len(names)
    return out


def of_rows(x: Rows, apart: NDArray[np.int64], count: int = NEAREST) -> Rows:
    """The mean of each row and the rows that it is nearest to, `count` in all, of its class of `apart`.

    References
    ----------
    Newton, Sweeney & Malin (2005), Preserving privacy by de-identifying face images, for means of k rows as what is
    released. NOTE[DIFF] groups overlap here, and a network learns the means.
    """
    out = x.copy()
    for kind in np.unique(apart):
        rows = np.flatnonzero(apart == kind)
        pool = x[rows]
        near = min(count, len(pool))
        lengths = np.einsum("ij,ij->i", pool, pool)
        for start in range(0, len(pool), step := max(1, HELD // len(pool))):
            distances = lengths - 2.0 * pool[start : start + step] @ pool.T
            chosen = np.argpartition(distances, near - 1, axis=1)[:, :near]
            out[rows[start : start + step]] = pool[chosen].mean(1)
    return out
