"""Intervals of what an attack reaches: Wilson's for rates, the bootstrap's for AUC, R² and balanced accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

Numbers: TypeAlias = NDArray[np.float64]

#: Of all intervals, unless told otherwise.
CONFIDENCE = 0.95
#: Samples of the bootstrap, and draws of what chance reaches.
REPEATS = 1000
#: Weights of the bootstrap that are held at once.
_HELD = 2**22


class Interval(NamedTuple):
    """A measured value with the ends of its interval.

    Examples
    --------
    >>> value, low, high = wilson(5, 10)
    >>> value, round(low, 3), round(high, 3)
    (0.5, 0.237, 0.763)
    """

    value: float
    low: float
    high: float


def wilson(hits: float, n: int, *, confidence: float = CONFIDENCE, corrected: bool = False) -> Interval:
    """Wilson's score interval of a rate.

    With p = hits/n and the normal quantile z,

        (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)

    Of rates near 1/n, such as that of hits by chance, it holds the true one in only about 92 % of cases; corrected for
    continuity (p ∓ 1/2n instead of p in the lower and upper end) in 95 % or more. Attacks use the corrected one.

    Parameters
    ----------
    hits : float
        Between 0 and n; a part of one where a draw between equals decides.
    n : int
    confidence : float
        In (0, 1).
    corrected : bool
        For continuity.

    Returns
    -------
    Interval
        `value` is hits/n.

    Raises
    ------
    ValueError
        If n is 0, hits lie outside of 0 … n, or the confidence outside of (0, 1).

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22. Newcombe (1998), Statistics in Medicine 17.

    Examples
    --------
    >>> [round(value, 4) for value in wilson(8, 10)]
    [0.8, 0.4902, 0.9433]
    """
    if n < 1 or not 0.0 <= hits <= n:
        raise ValueError(f"wilson: expected 0 to n hits in n ≥ 1 trials, got {hits} in {n}")
    z = quantile(confidence)
    ends = []
    for sign in (-1, 1):
        p = min(max(hits / n + sign * corrected / (2 * n), 0.0), 1.0)
        half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        ends.append((p + z**2 / (2 * n) + sign * half) / (1 + z**2 / n))
    return Interval(hits / n, 0.0 if hits == 0 else max(ends[0], 0.0), 1.0 if hits == n else min(ends[1], 1.0))


def quantile(confidence: float) -> float:
    """How many standard deviations to each side hold this part of a normal."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence: expected a part in (0, 1), got {confidence!r}")
    return float(norm.ppf(0.5 + confidence / 2))


def bootstrap(
    statistic: Callable[[Numbers], Numbers],
    n: int,
    *,
    groups: ArrayLike | None = None,
    confidence: float = CONFIDENCE,
    repeats: int = REPEATS,
    random_state: Any = 0,
) -> tuple[float, float]:
    """Percentile interval of the bootstrap: rows, or whole groups of them, are drawn again with replacement.

    Parameters
    ----------
    statistic : callable
        How often each row was drawn, (b, n) → the statistic of each sample, (b,); NaN where it is not defined.
    n : int
        Rows.
    groups : array, shape (n,), optional
        Rows of one group are drawn together, for they are not independent: windows of one recording, say.
    confidence : float
    repeats : int
        Samples.
    random_state : int or numpy generator

    Returns
    -------
    (low, high) : tuple of float

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.

    Examples
    --------
    >>> x = np.arange(100.0)
    >>> low, high = bootstrap(lambda counts: counts @ x / 100, 100)
    >>> 43 < low < 45, 54 < high < 56
    (True, True)
    """
    quantile(confidence)
    rng = np.random.default_rng(random_state)
    member = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    count = int(member.max()) + 1
    size = max(1, _HELD // max(n, 1))
    found = []
    for start in range(0, repeats, size):
        drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=min(size, repeats - start))
        found.append(statistic(drawn[:, member].astype(np.float64)))
    values = np.concatenate(found)
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan, math.nan
    tail = (1.0 - confidence) / 2
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return float(low), float(high)


def balanced_accuracy(y: ArrayLike, told: ArrayLike, **options: Any) -> Interval:
    """Balanced accuracy, the mean of the classes' recalls, with its bootstrap interval.

    Parameters
    ----------
    y, told : array, shape (n,)
        True and predicted labels.
    **options
        Of `bootstrap`. Where each row is right, or each is wrong, no sample differs: Wilson's interval stands in.

    Examples
    --------
    >>> balanced_accuracy(["a", "a", "b", "b"], ["a", "b", "b", "b"]).value
    0.75
    """
    truth, guess = np.asarray(y), np.asarray(told)
    if truth.shape != guess.shape or truth.ndim != 1 or not len(truth):
        raise ValueError(f"balanced_accuracy: expected labels and as many guesses, got {truth.shape} and {guess.shape}")
    right = (truth == guess).astype(np.float64)
    classes = np.unique(truth, return_inverse=True)[1].ravel()
    one_hot = np.eye(classes.max() + 1)[classes]

    def recalls(counts: Numbers) -> Numbers:
        hits, all_of = (counts * right) @ one_hot, counts @ one_hot
        there = all_of > 0
        rates = np.divide(hits, all_of, out=np.zeros_like(hits), where=there)
        return np.asarray(rates.sum(axis=1) / there.sum(axis=1))

    value = float(recalls(np.ones((1, len(truth))))[0])
    low, high = bootstrap(recalls, len(truth), **options)
    return _widened(Interval(value, low, high), len(truth), options)


def auc(y: ArrayLike, scores: ArrayLike, **options: Any) -> Interval:
    """Area under the ROC curve with its bootstrap interval.

    The chance that a row of class 1 has a higher score than one of class 0, ties counting half.

    Parameters
    ----------
    y : array of bool, shape (n,)
    scores : array of float, shape (n,)
    **options
        Of `bootstrap`.

    Raises
    ------
    ValueError
        If one of the classes has no row.

    Examples
    --------
    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).value
    0.75
    """
    truth = np.asarray(y).astype(bool)
    area = areas(truth, scores)
    value = float(area(np.ones((1, len(truth))))[0])
    low, high = bootstrap(area, len(truth), **options)
    return _widened(Interval(value, low, high), int(min(truth.sum(), (~truth).sum())), options)


def areas(y: ArrayLike, scores: ArrayLike) -> Callable[[Numbers], Numbers]:
    """How often each row counts, (b, n) → the area under the ROC curve, (b,): a statistic for `bootstrap`.

    Raises
    ------
    ValueError
        If one of the classes has no row.
    """
    truth, values = np.asarray(y).astype(bool), np.asarray(scores, dtype=np.float64)
    if truth.shape != values.shape or not truth.any() or truth.all():
        raise ValueError("auc: expected a score for each row, and rows of both classes")
    level = rankdata(values, method="dense").astype(np.intp) - 1
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))

    def area(counts: Numbers) -> Numbers:
        inside = counts[:, order]
        ones = np.add.reduceat(inside * truth[order], starts, axis=1)
        zeros = np.add.reduceat(inside * ~truth[order], starts, axis=1)
        below = np.cumsum(zeros, axis=1) - zeros / 2
        with np.errstate(invalid="ignore"):
            return np.asarray((ones * below).sum(axis=1) / (ones.sum(axis=1) * zeros.sum(axis=1)))

    return area


def r2(y: ArrayLike, told: ArrayLike, center: ArrayLike | None = None, **options: Any) -> Interval:
    """Variance explained, 1 − Σ(y − ŷ)² / Σ(y − c)², over all columns together, with its bootstrap interval.

    Parameters
    ----------
    y, told : array, shape (n,) or (n, d)
    center : array, shape (d,), optional
        What somebody says who knows the training rows' mean alone: such a guess has an R² of 0. None: the mean of y.
    **options
        Of `bootstrap`.

    Examples
    --------
    >>> r2([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]).value
    0.5
    """
    truth, guess = np.asarray(y, dtype=np.float64), np.asarray(told, dtype=np.float64)
    if truth.shape != guess.shape or not truth.size:
        raise ValueError(f"r2: expected values and as many guesses, got {truth.shape} and {guess.shape}")
    truth, guess = truth.reshape(len(truth), -1), guess.reshape(len(truth), -1)
    middle = truth.mean(axis=0) if center is None else np.asarray(center, dtype=np.float64)
    errors, spreads = np.square(truth - guess).sum(axis=1), np.square(truth - middle).sum(axis=1)

    def explained(counts: Numbers) -> Numbers:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1.0 - (counts @ errors) / (counts @ spreads))

    value = float(explained(np.ones((1, len(truth))))[0])
    return Interval(value, *bootstrap(explained, len(truth), **options))


def _widened(found: Interval, n: int, options: dict[str, Any]) -> Interval:
    """Where no sample of the bootstrap differs, what Wilson's interval says of n rows that agree."""
    if found.low < found.high or found.value not in (0.0, 1.0):
        return found
    groups = options.get("groups")
    n = n if groups is None else min(n, len(np.unique(np.asarray(groups))))
    return wilson(found.value * n, n, confidence=options.get("confidence", CONFIDENCE))
