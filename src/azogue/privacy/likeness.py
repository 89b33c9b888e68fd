"""What makes released rows still data: they resemble their originals, and the table as a whole keeps its shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from azogue.privacy.rows import Values, as_rows, columns_of, is_table, names_of, select
from azogue.privacy.space import Numbers, View, nearest, view

#: Below these a release is no longer made of rows: median correlation, distinct rows, part of the variance within
#: groups, and distance to the nearest other released row, each but the first relative to the originals'.
RESEMBLES, DISTINCT, WITHIN, APART = 0.7, 0.5, 0.3, 0.1
#: Bins of numbers where they meet categories, and columns whose pairs are looked at.
BINS, MOST_COLUMNS = 10, 40


@dataclass(frozen=True)
class Fidelity:
    """How much of the data is left; None where it cannot be asked.

    Parameters
    ----------
    correlation : float or None
        Median over the rows of Pearson's correlation with the original row: for windows the mean over channels.
    column_shapes, pair_trends : float or None
        In [0, 1], see the functions of these names.
    distinct : float
        Released rows that differ from one another, relative to the originals.
    within : float or None
        Part of the variance that lies within groups, relative to the originals.
    apart : float or None
        Median distance to the nearest other released row, relative to the originals, in standardised units.
    flags : tuple of str
        What is wrong, a sentence each.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> told = fidelity(X, X)
    >>> told.correlation > 0.999, told.column_shapes, told.class_means
    (True, 1.0, False)
    """

    correlation: float | None
    column_shapes: float | None
    pair_trends: float | None
    distinct: float
    within: float | None
    apart: float | None
    flags: tuple[str, ...] = ()

    @property
    def class_means(self) -> bool:
        """Whether rows seem to be replaced by one of few prototypes."""
        few = self.distinct < DISTINCT or (self.apart is not None and self.apart < APART)
        return few or (self.within is not None and self.within < WITHIN)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        names = ("correlation", "column_shapes", "pair_trends", "distinct", "within", "apart")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        return told | {"class_means": self.class_means, "flags": list(self.flags)}


def fidelity(original: Any, released: Any, *, groups: Any = None) -> Fidelity:
    """How much of the data a release keeps, and whether rows were replaced by prototypes.

    Parameters
    ----------
    original, released : table, windows or pictures
        Rows are compared one by one where there are as many of both.
    groups : array, shape (n,), optional
        Classes or persons of the rows; of a release of group means no variance within groups is left.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> label = np.arange(300) % 3
    >>> X = rng.normal(size=(300, 6)) + 4 * label[:, None]
    >>> fidelity(X, X + 0.1 * rng.normal(size=X.shape), groups=label).class_means
    False
    >>> means = np.stack([X[label == at].mean(axis=0) for at in range(3)])
    >>> fidelity(X, means[label], groups=label).class_means
    True
    """
    seen = view(original, released)
    shapes = trends = None
    if not isinstance(original, View):
        shapes, trends = shapes_and_trends(original, released)
    return measured(seen, shapes, trends, groups)


def measured(seen: View, shapes: float | None, trends: float | None, groups: Any = None) -> Fidelity:
    """The same from packed rows."""
    correlation = within = apart = None
    if seen.common is not None:
        if seen.paired:
            channels = 1 if seen.z_windows is None else seen.z_windows.shape[2]
            correlation = row_correlation(seen.common, seen.z, channels)
        ours, theirs = _gap(seen.common), _gap(seen.z)
        apart = theirs / ours if ours > 0 else None
    if groups is not None and seen.paired:
        member = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
        ours, theirs = _within(seen.x, member), _within(seen.z, member)
        within = theirs / ours if ours > 0 else None
    distinct = _distinct(seen.z) / _distinct(seen.x)
    flags = []
    if correlation is not None and correlation < RESEMBLES:
        flags.append(f"released rows have a median correlation of {correlation:.2f} with their originals")
    if distinct < DISTINCT:
        flags.append(f"of the rows' variety {distinct:.1%} is left: many released rows are equal")
    if apart is not None and apart < APART and distinct >= DISTINCT:
        flags.append(f"released rows lie {apart:.1%} as far from one another as their originals: few prototypes")
    if within is not None and within < WITHIN:
        flags.append(f"of the share of variance within groups {within:.0%} is left: rows stand for their group's mean")
    return Fidelity(correlation, shapes, trends, distinct, within, apart, tuple(flags))


def row_correlation(original: Numbers, released: Numbers, channels: int = 1) -> float | None:
    """Median over rows of Pearson's correlation between original and released numbers.

    Parameters
    ----------
    original, released : ndarray, shape (n, t · channels)
        Channels vary fastest; a row's correlation is the mean over them, constant ones left out.
    channels : int

    Returns
    -------
    float or None
        None if every row is constant. A released row that is constant has 0.

    Examples
    --------
    >>> round(row_correlation(np.array([[1.0, 2, 3], [3, 1, 2]]), np.array([[2.0, 4, 6], [3, 1, 2]])), 9)
    1.0
    """
    a, b = (rows.reshape(len(rows), -1, channels) for rows in (original, released))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    left, right = (np.sqrt(np.square(part).sum(axis=1)) for part in (a, b))
    there = left > 1e-9
    product = (a * b).sum(axis=1)
    values = np.divide(product, left * right, out=np.zeros_like(product), where=there & (right > 1e-9))
    rows = there.any(axis=1)
    if not rows.any():
        return None
    means = values[rows].sum(axis=1) / there[rows].sum(axis=1)
    return float(np.clip(np.median(means), -1.0, 1.0))


def _gap(rows: Numbers) -> float:
    """Median distance to the nearest other row."""
    return float(np.median(nearest(rows, rows, 2)[0][:, 1]))


def _distinct(rows: Numbers) -> int:
    return len(np.unique(np.round(rows, 6), axis=0))


def _within(rows: Numbers, member: NDArray[np.intp]) -> float:
    """The part of the variance that lies within groups."""
    sizes = np.bincount(member).astype(float)
    means = np.zeros((len(sizes), rows.shape[1]))
    np.add.at(means, member, rows)
    means /= sizes[:, None]
    total = float(np.square(rows - rows.mean(axis=0)).sum())
    return float(np.square(rows - means[member]).sum()) / total if total > 0 else 0.0


def shapes_and_trends(original: Any, released: Any) -> tuple[float | None, float | None]:
    """`column_shapes` and `pair_trends` of tables with the same columns; (None, None) of others."""
    try:
        columns = _same_columns(original, released)
    except (TypeError, ValueError):
        return None, None
    return _shapes(columns), _trends(columns)


def column_shapes(original: Any, released: Any) -> float:
    """How alike the columns' distributions are: the mean of 1 − KS of numbers and 1 − TV of categories.

    KS is the greatest distance between distribution functions, TV the total variation, `½ Σ |p − q|`. Missing values
    are a category, and are left out of numbers.

    Raises
    ------
    ValueError
        For what is no table, or other columns.

    Examples
    --------
    >>> column_shapes(np.arange(20.0).reshape(-1, 1), np.arange(10.0, 30.0).reshape(-1, 1))
    0.5
    """
    return _shapes(_same_columns(original, released))


def pair_trends(original: Any, released: Any) -> float | None:
    """How alike the columns' dependence is, the mean over pairs.

    Of two columns of numbers `1 − |r − s| / 2` with Pearson's correlations r and s; otherwise 1 − TV of their
    contingency tables, numbers cut into 10 bins of one width. Of more than 40 columns the first 40 are looked at.

    Returns
    -------
    float or None
        None of a single column.

    Examples
    --------
    >>> x = np.arange(20.0)
    >>> pair_trends(np.stack([x, x], axis=1), np.stack([x, -x], axis=1))
    0.0
    """
    return _trends(_same_columns(original, released))


def _same_columns(original: Any, released: Any) -> list[tuple[Any, list[Values]]]:
    a, b = as_rows(original, "original"), as_rows(released, "released")
    ours, theirs = names_of(a), names_of(b)
    if not is_table(a) or not is_table(b):
        raise ValueError("expected tables; windows, pictures and texts have no columns")
    if ours is not None and theirs is not None:
        if not set(theirs) <= set(ours):
            raise ValueError("the released table has columns that the original lacks")
        a = select(a, theirs)
    elif a.shape[1] != b.shape[1]:
        raise ValueError(f"expected tables of as many columns, got {a.shape[1]} and {b.shape[1]}")
    return columns_of(a, b)


def _shapes(columns: list[tuple[Any, list[Values]]]) -> float:
    return float(np.mean([_shape(*parts) for _, parts in columns]))


def _shape(a: Values, b: Values) -> float:
    if a.classes is not None:
        return 1.0 - _variation(_codes(a, 0.0, 0.0), _codes(b, 0.0, 0.0))
    x, y = (part.values[~np.isnan(part.values)] for part in (a, b))
    if not len(x) or not len(y):
        return float(len(x) == len(y))
    return 1.0 - float(ks_2samp(x, y, method="asymp").statistic)


def _trends(columns: list[tuple[Any, list[Values]]]) -> float | None:
    found = [_trend(*one, *other) for (_, one), (_, other) in combinations(columns[:MOST_COLUMNS], 2)]
    return float(np.mean(found)) if found else None


def _trend(a: Values, a2: Values, b: Values, b2: Values) -> float:
    if a.classes is None and b.classes is None:
        r, s = _pearson(a.values, b.values), _pearson(a2.values, b2.values)
        return 1.0 - abs(r - s) / 2
    pairs = []
    for one, other in ((a, b), (a2, b2)):
        left, right = (_codes(part, *_range(whole)) for part, whole in ((one, a), (other, b)))
        pairs.append(left * 100_003 + right)
    return 1.0 - _variation(*pairs)


def _pearson(x: Numbers, y: Numbers) -> float:
    there = ~np.isnan(x) & ~np.isnan(y)
    if there.sum() < 2:
        return 0.0
    a, b = x[there] - x[there].mean(), y[there] - y[there].mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0 else 0.0


def _range(column: Values) -> tuple[float, float]:
    there = column.values[~np.isnan(column.values)]
    return (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)


def _codes(column: Values, low: float, high: float) -> NDArray[np.int64]:
    """Classes, or bins of one width between the ends of the original's range; −1 where missing."""
    gone = np.isnan(column.values)
    values = np.where(gone, 0.0, column.values)
    if column.classes is None:
        values = np.clip(np.floor((values - low) / ((high - low) or 1.0) * BINS), 0, BINS - 1)
    return np.where(gone, -1, values).astype(np.int64)


def _variation(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Total variation between two samples of categories."""
    codes = np.unique(np.concatenate([a, b]), return_inverse=True)[1].ravel()
    p, q = (np.bincount(part, minlength=codes.max() + 1) / len(part) for part in np.split(codes, [len(a)]))
    return float(0.5 * np.abs(p - q).sum())
