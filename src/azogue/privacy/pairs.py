"""Attacks on released rows that belong to one original row each: re-identification and reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from azogue.privacy import maps
from azogue.privacy.intervals import Interval, r2, wilson
from azogue.privacy.records import Attack, attack
from azogue.privacy.space import Numbers, View, pieces, view

#: Distances that differ by less, in parts of the mean distance, are equal.
EQUAL = 1e-9
#: A way to measure distances: (queries, released rows) → both in one space.
Way = Callable[[NDArray[Any]], tuple[Numbers, Numbers]]


def reidentification(
    original: Any, released: Any, *, known: int = 200, k: int = 10, random_state: Any = 0
) -> tuple[Attack, Attack]:
    """Which released row belongs to a known original row?

    The attacker ranks the released rows by their distance to the original. Where both live in one space, distances
    are Euclidean between standardised rows. From `known` pairs it learns two ridge maps besides, from originals to
    released rows and back, and measures distances behind them, in units of the errors that each number had on
    left-out pairs. Which of the three it uses, the known pairs decide. The rate counts the other rows, each sought
    among all of them; between equals the draw decides.

    Parameters
    ----------
    original, released : table, windows, pictures or codes, n rows each
        The i-th released row belongs to the i-th original one.
    known : int
        Pairs that the attacker has; at most half of the rows. 0: distances in one space only.
    k : int
        Of the second rate.
    random_state : int or numpy generator
        Which pairs are known.

    Returns
    -------
    (rank-1, rank-k) : tuple of Attack
        Rates with Wilson's intervals. The control is a shuffled pairing: k of m rows, with the middle 95 % of a
        binomial.

    Raises
    ------
    ValueError
        If there are not as many released rows as original ones, or neither one space nor a known pair.

    References
    ----------
    Narayanan & Shmatikov (2008), Robust de-anonymization of large sparse datasets, IEEE S&P.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> secret = np.random.default_rng(1).normal(size=(5, 4))
    >>> first, _ = reidentification(X, np.tanh(X @ secret / 4), known=100)
    >>> first.value > 0.7, round(first.control, 4), first.leaks
    (True, 0.005, True)
    """
    seen = view(original, released)
    _check_pairs(seen, "reidentification")
    learn, rest = _split(len(seen.x), known, random_state)
    name, rank = _ranks(seen, learn, rest)
    found: list[Attack] = []
    m = len(rest)
    for depth in (1, min(k, m)):
        hits = float(np.clip((depth - rank[0]) / rank[1], 0.0, 1.0).sum())
        chance = depth / m
        low, high = binom.ppf([0.025, 0.975], m, chance) / m
        found.append(
            attack(
                "re-identification" if not found else f"re-identification, rank {depth}",
                "which released row belongs to a known original row?",
                f"rank-{depth} rate",
                wilson(hits, m, corrected=True),
                Interval(chance, float(low), float(high)),
                f"of {m} original rows {{value:.1%}} find their released row "
                f"{'first' if depth == 1 else f'among the first {depth}'} (a shuffled pairing: {{control:.1%}}), "
                f"by {name}",
                known=len(learn),
                candidates=m,
            )
        )
    return found[0], found[1]


def _split(n: int, known: int, random_state: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = np.random.default_rng(random_state).permutation(n)
    known = min(known, n // 2)
    return order[:known], order[known:]


def _check_pairs(seen: View, name: str) -> None:
    if not seen.paired:
        raise ValueError(
            f"{name}: expected a released row for each of {len(seen.x)} original ones, got {len(seen.z)}; rows are "
            "paired by their order"
        )


def _ranks(
    seen: View, learn: NDArray[np.intp], rest: NDArray[np.intp]
) -> tuple[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """How the attacker measures distances, and for each row the number of nearer rows and of equals."""
    ways: dict[str, tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]] = {}
    if seen.common is not None:
        ways["distances"] = (seen.common[learn], seen.z[learn]), (seen.common[rest], seen.z[rest])
    if len(learn) >= 3:
        x, z = seen.x[learn], seen.z[learn]
        forth, back = maps.ridge(x, z), maps.ridge(z, x)
        ways["a map to released rows"] = _behind(forth, z, seen.x[rest], seen.z[rest], False)
        ways["a map to original rows"] = _behind(back, x, seen.z[rest], seen.x[rest], True)
    if not ways:
        raise ValueError(
            "reidentification: original and released rows do not share their columns, and no pair is known; "
            "give known= at least 3"
        )
    best = next(iter(ways))
    if len(ways) > 1:
        best = max(ways, key=lambda name: _middle_rank(*_places(*ways[name][0])))
    return best, _places(*ways[best][1])


def _middle_rank(nearer: Numbers, equal: Numbers) -> float:
    """The mean reciprocal rank."""
    return float((1.0 / (1.0 + nearer + (equal - 1.0) / 2)).mean())


def _behind(learned: maps.Learned, known: Numbers, new: Numbers, others: Numbers, back: bool) -> Any:
    """Queries and rows behind a map, in units of its errors on left-out pairs: of the known pairs and of others."""
    units = np.sqrt(np.square(known - learned.left_out).mean(axis=0))
    units = np.maximum(units, 1e-3 * max(float(known.std()), 1e-9))
    pairs = [(learned.left_out / units, known / units), (learned.predict(new) / units, others / units)]
    return tuple((b, a) if back else (a, b) for a, b in pairs)


def _places(queries: Numbers, rows: Numbers) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each query the rows that are nearer than its own, and those as near (its own included)."""
    nearer, equal = np.empty(len(queries)), np.empty(len(queries))
    for part, found in pieces(queries, rows):
        at = np.arange(len(queries))[part]
        own = found[np.arange(len(found)), at][:, None]
        slack = EQUAL * (found.mean() + np.square(queries[part]).sum(axis=1).mean())
        nearer[part] = (found < own - slack).sum(axis=1)
        equal[part] = (np.abs(found - own) <= slack).sum(axis=1)
    return nearer, equal


def reconstruction(
    original: Any,
    released: Any,
    *,
    known: int = 200,
    groups: Any = None,
    random_state: Any = 0,
) -> Attack:
    """What does a released row say of its original, to somebody who has a few pairs?

    From `known` pairs the attacker learns a ridge regression, plain and with a kernel (of at most 1,000), a network of
    one hidden layer and the mean of nearest neighbours from released rows to original ones; where both have the same
    columns it may also take a released row as it is. It uses the one with the least error on left-out pairs, or the
    known rows' mean if none is clearly better than that.

    Parameters
    ----------
    original, released : table, windows, pictures or codes, n rows each
        The i-th released row belongs to the i-th original one.
    known : int
        Pairs that the attacker has; at most half of the rows, at least 3.
    groups : array, shape (n,), optional
        Rows of one group are not independent: the interval resamples groups.
    random_state : int or numpy generator

    Returns
    -------
    Attack
        R² over all standardised numbers of the other rows, `1 − Σ‖x − x̂‖² / Σ‖x − c‖²` with c the mean of the known
        rows, and a bootstrap interval. The control is c itself, 0. Details: each attacker's R².

    Raises
    ------
    ValueError
        If there are not as many released rows as original ones, or fewer than 3 known pairs.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(300, 3))
    >>> found = reconstruction(X, X @ np.random.default_rng(1).normal(size=(3, 3)), known=50)
    >>> round(found.value, 2), found.control, found.leaks
    (1.0, 0.0, True)
    """
    seen = view(original, released)
    _check_pairs(seen, "reconstruction")
    learn, rest = _split(len(seen.x), known, random_state)
    if len(learn) < 3:
        raise ValueError(f"reconstruction: expected at least 3 known pairs, got known={known}")
    x, z = seen.x[learn], seen.z[learn]
    tries = {
        "mean": maps.mean(z, x),
        "ridge": maps.ridge(z, x),
        "network": maps.perceptron(z, x),
        "neighbours": maps.neighbors(z, x),
    }
    if len(learn) <= maps.MOST:
        tries["kernel"] = maps.kernel(z, x)
    if seen.common is not None and seen.common.shape == seen.x.shape and np.array_equal(seen.common, seen.x):
        tries["as released"] = maps.Learned(lambda new: new, z)
    best = maps.chosen(tries, x)
    own = None if groups is None else np.asarray(groups)[rest]
    center = x.mean(axis=0)
    reached = {
        name: r2(seen.x[rest], one.predict(seen.z[rest]), center, repeats=1).value for name, one in tries.items()
    }
    success = r2(seen.x[rest], tries[best].predict(seen.z[rest]), center, groups=own)
    return attack(
        "reconstruction",
        "what does a released row say of its original?",
        "R²",
        success,
        Interval(0.0, 0.0, 0.0),
        f"an attacker who knows {len(learn)} pairs recovers held-out rows with R² {{value:.2f}} "
        f"(their mean: {{control:.2f}}), by {_BY[best]}",
        known=len(learn),
        **{name.replace(" ", "_"): value for name, value in reached.items()},
    )


_BY = {
    "mean": "the mean, for nothing else is better",
    "ridge": "ridge regression",
    "kernel": "ridge regression with a kernel",
    "network": "a network",
    "neighbours": "nearest neighbours",
    "as released": "taking them as they are",
}
