"""One column and two columns at a time: shapes, pair trends, missing cells, rare categories."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.intervals import CONFIDENCE, Interval, quantile, wilson
from azogue.synthetic.tables import Numbers, Tables

#: Bins of quantities where they meet categories.
BINS = 10
#: Columns and pairs with a category that are looked at, and samples of the bootstrap.
MOST_COLUMNS, MOST_PAIRS, SAMPLES = 100, 2000, 100
#: Part of the training rows below which a category is rare.
RARE = 0.05

#: How often each row of two tables was drawn, (b, n) and (b, m); the first draw is the rows themselves.
Draws = tuple[Numbers, Numbers]


def draws(n: int, m: int, samples: int, seed: int) -> Draws:
    """How often each row of two tables is drawn with replacement."""
    rng = np.random.default_rng(seed)
    found = []
    for count in (n, m):
        own = [np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(samples)]
        found.append(np.stack([np.ones(count), *own]).astype(np.float64))
    return found[0], found[1]


def interval(values: Numbers) -> Interval:
    """A value and the samples of the bootstrap behind it → the value ± z standard errors, within [0, 1].

    Samples of samples are further apart than samples: their quantiles would lie below the value. Their spread is right.
    """
    half = quantile(CONFIDENCE) * float(values[1:].std(ddof=1))
    value = float(values[0])
    return Interval(value, max(value - half, 0.0), min(value + half, 1.0))


def variations(a: NDArray[Any], b: NDArray[Any], drawn: Draws) -> Numbers:
    """Total variation between two samples of categories, in each draw."""
    codes = np.unique(np.concatenate([a, b]), return_inverse=True)[1].ravel()
    found = _frequencies(codes[: len(a)], drawn[0], codes.max() + 1)
    return np.asarray(0.5 * np.abs(found - _frequencies(codes[len(a) :], drawn[1], codes.max() + 1)).sum(axis=1))


def _frequencies(codes: NDArray[Any], weights: Numbers, size: int) -> Numbers:
    counts = np.stack([np.bincount(codes, own, minlength=size) for own in weights])
    total = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(counts, total, out=np.zeros_like(counts), where=total > 0))


def distances(a: Numbers, b: Numbers, drawn: Draws) -> Numbers:
    """The Kolmogorov-Smirnov distance between two samples of a quantity, in each draw; missing ones do not count."""
    here, there = ~np.isnan(a), ~np.isnan(b)
    if not here.any() or not there.any():
        return np.full(len(drawn[0]), float(here.any() != there.any()))
    codes = np.unique(np.concatenate([a[here], b[there]]), return_inverse=True)[1].ravel()
    parts = (codes[: here.sum()], drawn[0][:, here]), (codes[here.sum() :], drawn[1][:, there])
    steps = [np.cumsum(_frequencies(part, weights, codes.max() + 1), axis=1) for part, weights in parts]
    return np.asarray(np.abs(steps[0] - steps[1]).max(axis=1))


def shapes(tables: Tables, reference: Numbers, rows: Numbers, drawn: Draws) -> Numbers:
    """1 − KS of each quantity and 1 − TV of each category, (draws, columns)."""
    found = []
    for at, numeric in enumerate(tables.numeric):
        a, b = reference[:, at], rows[:, at]
        found.append(distances(a, b, drawn) if numeric else variations(_whole(a), _whole(b), drawn))
    return 1.0 - np.stack(found, axis=1)


def _whole(values: Numbers) -> NDArray[np.int64]:
    """Categories as whole numbers, −1 where missing."""
    return np.where(np.isnan(values), -1.0, values).astype(np.int64)


def chosen_pairs(tables: Tables, seed: int) -> list[tuple[int, int]]:
    """All pairs of columns, or as many as can be looked at, by chance."""
    rng = np.random.default_rng(seed)
    width = len(tables.names)
    kept = np.arange(width) if width <= MOST_COLUMNS else np.sort(rng.permutation(width)[:MOST_COLUMNS])
    pairs = list(combinations(kept.tolist(), 2))
    both = [tables.numeric[a] and tables.numeric[b] for a, b in pairs]
    tabled = np.flatnonzero(~np.array(both, bool))
    dropped = set(rng.permutation(tabled)[MOST_PAIRS:].tolist())
    return [pair for at, pair in enumerate(pairs) if at not in dropped]


def trends(tables: Tables, reference: Numbers, rows: Numbers, drawn: Draws, pairs: list[tuple[int, int]]) -> Numbers:
    """1 − |r − s| / 2 of quantities with Pearson's r and s, else 1 − TV of contingency tables; (draws, pairs)."""
    numeric = tables.numeric
    used = sorted({at for pair in pairs for at in pair if numeric[at]})
    place = {at: number for number, at in enumerate(used)}
    gaps = _correlation_gaps(reference[:, used], rows[:, used], drawn) if used else None
    codes = {at: _codes(reference[:, at], rows[:, at], numeric[at]) for at in {at for pair in pairs for at in pair}}
    found = []
    for a, b in pairs:
        if numeric[a] and numeric[b] and gaps is not None:
            found.append(1.0 - gaps[:, place[a], place[b]] / 2.0)
            continue
        size = int(max(part.max() for part in codes[b])) + 2
        joint = [(one + 1) * size + other + 1 for one, other in zip(codes[a], codes[b], strict=True)]
        found.append(1.0 - variations(joint[0], joint[1], drawn))
    return np.stack(found, axis=1)


def _codes(a: Numbers, b: Numbers, numeric: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Categories, or bins of one width between the ends of the reference; −1 where missing."""
    if not numeric:
        return _whole(a), _whole(b)
    there = a[~np.isnan(a)]
    edges = np.histogram_bin_edges(there, BINS)[1:-1] if len(there) and np.ptp(there) > 0 else np.empty(0)
    found = [np.where(np.isnan(part), -1, np.digitize(part, edges)).astype(np.int64) for part in (a, b)]
    return found[0], found[1]


def _correlation_gaps(a: Numbers, b: Numbers, drawn: Draws) -> Numbers:
    """|r − s| of each pair of quantities, (draws, columns, columns); a constant column has no correlation."""
    with np.errstate(all="ignore"):
        here = ~np.isnan(a)
        count = np.maximum(here.sum(axis=0), 1)
        center = np.where(here, a, 0.0).sum(axis=0) / count
        scale = np.sqrt(np.where(here, np.square(a - center), 0.0).sum(axis=0) / count)
    scale = np.where(scale > 1e-12 * np.maximum(np.abs(center), 1e-300), scale, 1.0)
    parts = [_correlations((part - center) / scale, weights) for part, weights in zip((a, b), drawn, strict=True)]
    return np.abs(parts[0] - parts[1])


def _correlations(x: Numbers, weights: Numbers) -> Numbers:
    """Pearson's correlations of the rows that both columns have, by weight."""
    there = (~np.isnan(x)).astype(np.float64)
    filled = np.nan_to_num(x)
    found = []
    for own in weights:
        w = own[:, None]
        count = (w * there).T @ there
        sums, squares = (w * filled).T @ there, (w * np.square(filled)).T @ there
        count = np.maximum(count, 1.0)
        cross = (w * filled).T @ filled / count - sums * sums.T / count**2
        spread = squares / count - np.square(sums / count)
        size = np.sqrt(np.maximum(spread, 0.0) * np.maximum(spread.T, 0.0))
        found.append(np.divide(cross, size, out=np.zeros_like(cross), where=size > 1e-10))
    return np.stack(found)


def patterns(reference: Numbers, rows: Numbers, drawn: Draws) -> Numbers:
    """1 − TV between how often each pattern of missing cells occurs, in each draw."""
    holes = np.isnan(np.concatenate([reference, rows]))
    codes = np.unique(holes, axis=0, return_inverse=True)[1].ravel()
    return 1.0 - variations(codes[: len(reference)], codes[len(reference) :], drawn)


def rare_categories(tables: Tables) -> dict[int, NDArray[np.intp]]:
    """Of each column, the categories that less than 5 % of the training rows have, and some have."""
    found = {}
    for at, known in enumerate(tables.classes):
        if known is None:
            continue
        counts = _counts(tables.train[:, at], len(known))
        rare = np.flatnonzero((counts > 0) & (counts < RARE * len(tables.train)))
        if len(rare):
            found[at] = rare
    return found


def _counts(values: Numbers, size: int) -> NDArray[np.intp]:
    return np.bincount(values[~np.isnan(values)].astype(np.intp), minlength=size)


def coverage(tables: Tables, rare: dict[int, NDArray[np.intp]], seed: int) -> tuple[Interval, Interval]:
    """The part of the rare categories that occur among synthetic rows, and among as many held-out rows."""
    size = min(len(tables.test), len(tables.synthetic))
    same = tables.sampled(max(size, 1), seed)
    found = []
    for rows in (same.synthetic, same.test):
        hits = sum(
            int((_counts(rows[:, at], len(tables.classes[at] or ())) > 0)[places].sum()) for at, places in rare.items()
        )
        found.append(wilson(hits, sum(map(len, rare.values()))))
    return found[0], found[1]


def outside(tables: Tables, rows: Numbers) -> NDArray[np.bool_]:
    """Which cells have a category, or lie beyond the range, that no training row has."""
    found = np.zeros(rows.shape, bool)
    for at, known in enumerate(tables.classes):
        own, there = rows[:, at], tables.train[:, at]
        there = there[~np.isnan(there)]
        if not len(there):
            found[:, at] = ~np.isnan(own)
        elif known is None:
            found[:, at] = (own < there.min()) | (own > there.max())
        else:
            found[:, at] = ~np.isnan(own) & ~np.isin(own, there)
    return found


def distinct(rows: Numbers) -> int:
    """How many different rows there are."""
    return len(np.unique(row_numbers(rows)))


def row_numbers(*parts: Numbers) -> NDArray[np.intp]:
    """The rows of tables, one behind the other, numbered so that equal rows have equal numbers."""
    rows = np.concatenate(parts)
    numbers = np.zeros(len(rows), np.intp)
    for column in rows.T:
        codes = np.unique(column, return_inverse=True)[1].ravel()
        numbers = np.unique(numbers * (codes.max() + 1) + codes, return_inverse=True)[1].ravel()
    return numbers
