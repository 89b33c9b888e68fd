"""Regressions of a column on the others, and draws from what they leave open: of coefficients, and of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.special import softmax

Numbers = NDArray[Any]

#: Features of a regression at most.
MOST = 150
#: The penalty of a regression and the least variance of a direction that counts, in parts of its rows.
PENALTY, FLAT = 1e-5, 1e-8
#: Rows for each feature from which there is no more than that penalty, and penalties to choose from with fewer.
PLENTY, PENALTIES = 10, 10.0 ** np.arange(-5.0, 2.5, 0.5)
#: Columns of so few values get those of a row that is alike.
LEVELS = 20
#: Rows that are alike, rows among which the near ones are sought, and distances that are held at once.
DONORS, SOUGHT, HELD = 10, 1000, 2**22
#: Steps of a logistic regression, and its penalty in rows.
STEPS, PRIOR = 15, 0.1


def scaled(given: Numbers, wanted: Numbers, truth: Numbers) -> tuple[Numbers, Numbers]:
    """Features with mean 0 and variance 1 in the first rows: not constant ones, and of many those that tell most."""
    given, wanted = given.astype(np.float64), wanted.astype(np.float64)
    middle, spread = given.mean(axis=0), given.std(axis=0)
    used = np.flatnonzero(spread > 1e-6)
    given, wanted = ((part[:, used] - middle[used]) / spread[used] for part in (given, wanted))
    if len(used) > MOST:
        told = np.square(given.T @ (truth - truth.mean(axis=0))).sum(axis=1)
        used = np.sort(np.argsort(-told, kind="stable")[:MOST])
        given, wanted = given[:, used], wanted[:, used]
    return given, wanted


@dataclass(frozen=True)
class Line:
    """A Bayesian linear regression, and one draw from its posterior.

    Parameters
    ----------
    given : ndarray, shape (n, p)
    fitted : ndarray, shape (n,)
        By the coefficients' mean, in rows that were learned from.
    truth, errors : ndarray, shape (n,)
        Errors are made as wide as in rows that take no part, and by the draw of the standard deviation.
    first, others : ndarray
        The draw: coefficients of the constant and the networks' expectation, and of the other features.
    """

    given: Numbers
    fitted: Numbers
    truth: Numbers
    errors: Numbers
    first: Numbers
    others: Numbers

    @classmethod
    def of(cls, truth: Numbers, given: Numbers, told: Numbers | None, rng: np.random.Generator) -> Line:
        """Regress and draw.

        Parameters
        ----------
        truth : ndarray, shape (n,)
        given : ndarray, shape (n, p)
            Other features, scaled.
        told : ndarray, shape (n, 1), or None
            What networks expect: it takes no penalty.
        rng : numpy generator
        """
        n = len(truth)
        q, r = np.linalg.qr(_first(n, told))
        if abs(r[-1, -1]) < 1e-6 * np.sqrt(n):  # networks expect the same everywhere
            q, r = q[:, :1], r[:1, :1]
        part, goal = given - q @ (q.T @ given), truth - q @ (q.T @ truth)
        values, vectors = np.linalg.eigh(part.T @ part)
        vectors, values = vectors[:, values > FLAT * n], values[values > FLAT * n]
        turned = part @ vectors
        back = _penalty(values, turned.T @ goal, float(goal @ goal), n)
        inverse = 1.0 / (values + back)
        mean = inverse * (turned.T @ goal)
        errors = goal - turned @ mean
        left = max(n - q.shape[1] - float((values * inverse).sum()), 2.0)
        usual = np.sqrt(errors @ errors / left)
        spread = usual * np.sqrt(left / rng.chisquare(left))
        others = vectors @ (mean + spread * np.sqrt(inverse) * rng.standard_normal(len(mean)))
        first = q.T @ (truth - given @ others) + spread * rng.standard_normal(q.shape[1])
        lever = np.square(q).sum(axis=1) + (np.square(turned) * inverse).sum(axis=1)
        errors = errors / np.sqrt(np.maximum(1.0 - lever, 0.1)) * (spread / usual if usual > 0 else 1.0)
        first = solve_triangular(r, first)
        return cls(given, truth - goal + turned @ mean, truth, errors, first, others)

    def drawn(self, wanted: Numbers, told: Numbers | None, rng: np.random.Generator, *, near: bool) -> Numbers:
        """Values for other rows: by the line and a donor's error, or the donor's value where there are few."""
        expected = _first(len(wanted), told)[:, : len(self.first)] @ self.first + wanted @ self.others
        few = len(np.unique(self.truth)) <= LEVELS
        if near and not few and self.given.shape[1]:
            donors = _neighbors(self.given, wanted, rng)
        else:
            n = len(self.truth)
            count = min(n, DONORS if few else max(DONORS, round(np.sqrt(n))))
            order = np.argsort(self.fitted, kind="stable")
            place = np.searchsorted(self.fitted[order], expected)
            begin = np.clip(place - count // 2, 0, n - count)
            donors = order[begin + rng.integers(count, size=len(begin))]
        return np.asarray(self.truth[donors] if few else expected + self.errors[donors])


def _neighbors(given: Numbers, wanted: Numbers, rng: np.random.Generator) -> NDArray[np.intp]:
    """For each row one of the rows that are nearest in a bootstrap sample."""
    sample = rng.integers(len(given), size=min(len(given), SOUGHT))
    held, wanted = given[sample].astype(np.float32), wanted.astype(np.float32)
    count, half = min(DONORS, len(sample)), 0.5 * np.square(held).sum(axis=1)
    found, size = np.empty(len(wanted), np.intp), max(1, HELD // len(sample))
    for start in range(0, len(wanted), size):
        far = half - wanted[start : start + size] @ held.T  # half the squared distance, but for the row's own part
        nearest = np.argpartition(far, count - 1, axis=1)[:, :count]
        found[start : start + size] = nearest[np.arange(len(far)), rng.integers(count, size=len(far))]
    return sample[found]


def _first(n: int, told: Numbers | None) -> Numbers:
    return np.ones((n, 1)) if told is None else np.column_stack([np.ones(n), told.astype(np.float64)])


def _penalty(values: Numbers, turned: Numbers, total: float, n: int) -> float:
    """Next to nothing with many rows for each feature; else what makes the data most probable."""
    if len(values) * PLENTY <= n or total <= 0:
        return PENALTY * n
    tried = n * PENALTIES[:, None]
    left = np.maximum(total - (np.square(turned) / (values + tried)).sum(axis=1), 1e-12 * total)
    cost = np.log1p(values / tried).sum(axis=1) + n * np.log(left)
    cost[(values / (values + tried)).sum(axis=1) > n / 2] = np.inf
    return float(tried[int(cost.argmin()), 0])


def classes(
    truth: Numbers,
    features: tuple[Numbers, Numbers],
    told: tuple[Numbers | None, Numbers | None],
    before: Any,
    rng: np.random.Generator,
) -> tuple[Numbers, Any]:
    """Categories (one-hot rows) or booleans drawn from a logistic regression of a bootstrap sample.

    Parameters
    ----------
    truth : ndarray, shape (n, slots)
    features, told : pair of ndarray
        Of the rows that are learned from, and of those that are wanted: other features, and probabilities of networks.
    before : weights of rows and coefficients, or None
        Of the pass before: it goes on from there.
    rng : numpy generator

    Returns
    -------
    values, (weights, coefficients)
    """
    two = truth.shape[1] == 1
    onehot = np.column_stack([1.0 - truth, truth]) if two else truth.astype(np.float64)
    present = np.flatnonzero(onehot.sum(axis=0) > 0)
    onehot = onehot[:, present]
    given, wanted = (
        np.column_stack([np.ones(len(part)), part, *_logits(probability, two, present)])
        for part, probability in zip(features, told, strict=True)
    )
    begin = np.zeros((given.shape[1], len(present)))
    if told[0] is not None:
        begin[-len(present) :] = np.eye(len(present))
    if before is None or before[1].shape != begin.shape:
        weights = rng.standard_exponential(len(truth))
        before = weights * (len(truth) / weights.sum()), begin
    weights, lines = before
    lines = _logistic(given, onehot, weights, begin, lines)
    chances = np.zeros((len(wanted), 2 if two else truth.shape[1]))
    chances[:, present] = softmax(wanted @ lines, axis=1)
    return sampled(chances[:, 1:] if two else chances, rng), (weights, lines)


def _logits(probability: Numbers | None, two: bool, present: Numbers) -> list[Numbers]:
    if probability is None:
        return []
    if two:
        probability = np.column_stack([1.0 - probability, probability])
    logs = np.log(np.clip(probability[:, present].astype(np.float64), 1e-4, 1.0))
    return [logs - logs.mean(axis=1, keepdims=True)]


def _logistic(x: Numbers, onehot: Numbers, weights: Numbers, begin: Numbers, lines: Numbers) -> Numbers:
    """Coefficients by some quasi-Newton steps in features without correlations, with a prior around `begin`."""
    n, p = x.shape
    back = max(PRIOR, PLENTY * p / n)
    root = np.linalg.cholesky(0.25 * (x.T * weights) @ x + back * np.eye(p))
    turn = solve_triangular(root, np.eye(p), lower=True).T  # lines = begin + turn @ moved
    inner, offset = x @ turn, x @ begin

    def cost(flat: Numbers) -> tuple[float, Numbers]:
        moved = flat.reshape(begin.shape)
        score = offset + inner @ moved
        score -= score.max(axis=1, keepdims=True)
        total = np.exp(score).sum(axis=1, keepdims=True)
        far = turn @ moved
        value = weights @ (np.log(total[:, 0]) - (score * onehot).sum(axis=1)) + 0.5 * back * np.square(far).sum()
        slope = inner.T @ (weights[:, None] * (np.exp(score) / total - onehot)) + back * (turn.T @ far)
        return float(value), slope.ravel()

    moved = root.T @ (lines - begin)
    found = minimize(cost, moved.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    return np.asarray(begin + turn @ found.x.reshape(begin.shape))


def sampled(probabilities: Numbers, rng: np.random.Generator) -> Numbers:
    """Categories by their probabilities, as one-hot rows; booleans as 0 or 1."""
    if probabilities.shape[1] == 1:
        return (rng.random(probabilities.shape) < probabilities).astype(np.float32)
    reach = np.cumsum(probabilities[:, :-1], axis=1)  # the last slot is that of values never seen
    chosen = (reach <= rng.random((len(reach), 1)) * reach[:, -1:]).sum(axis=1)
    return np.asarray(np.eye(probabilities.shape[1], dtype=np.float32)[np.minimum(chosen, reach.shape[1] - 1)])
