"""What a network leaves out, taken from the errors that it made in other rows: a column's correction.

The errors are honest: of networks that saw neither the row nor the column. They are regressed on the other columns and
on the expectation itself (ridge), so that one which tells nothing is taken back. What remains is averaged over rows
that are alike, under a normal kernel: first over rows that are alike where both were observed, then over those that are
alike as filled. How wide the kernels are, how much is held back, and whether any of this pays is told by errors of rows
that took no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch

#: What a cell counts that was not observed, in the first average and in the second.
COUNTED = (0.03, 1.0)
#: Widths of a kernel, in distances to a row's tenth neighbour, and pseudo-rows of error 0.
WIDTHS, HELD_BACK = (0.05, 0.1, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0), (1e-3, 0.3, 1.0, 4.0)
#: Penalties of the ridge, in rows.
PENALTIES = 10.0 ** np.arange(-1.0, 4.5, 0.5)
#: Of the scatter between networks, the part that their mean is taken to be spared.
SPARED = 0.75
#: Rows that choose a width, and rows that are remembered, at most.
JUDGES, REMEMBERED = 1000, 4000
FOLDS, NEIGHBOR, FEWEST = 5, 10, 10
#: Distances that are held at once.
CELLS = 2**20


class Told(NamedTuple):
    """Rows in which a column is to be corrected.

    Parameters
    ----------
    filled : ndarray, shape (n, width)
        What was observed, and expectations elsewhere.
    seen : ndarray of bool, shape (n, width)
        What was observed.
    expected : ndarray, shape (n, slots)
        What the networks say of the column.
    """

    filled: np.ndarray
    seen: np.ndarray
    expected: np.ndarray

    def take(self, rows: Any) -> Told:
        """Some of the rows."""
        return Told(self.filled[rows], self.seen[rows], self.expected[rows])


@dataclass(frozen=True)
class Correction:
    """What to add to a column's expectation.

    Parameters
    ----------
    used : ndarray of int, shape (p,)
        The slots of filled rows that it reads, beside the k slots of the expectation.
    center, scale : ndarray, shape (p + k,)
    linear : ndarray, shape (p + k + 1, slots)
        Of the ridge, the last row for the constant.
    features : ndarray, shape (n, p + k)
        Rows that are remembered.
    seen : ndarray of bool, shape (n, p)
        Which of their cells were observed.
    errors : ndarray, shape (averages, n, slots)
        What the ridge leaves, and what the first average leaves besides.
    left : ndarray, shape (n, slots)
        What all of them leave.
    rows : ndarray of int, shape (n,)
        Which rows they were.
    widths, backs : ndarray, shape (averages,)
        Of the kernels, and pseudo-rows of error 0; a width of 0 takes no average.
    wide : float
        Width of the kernel of spreads.
    """

    used: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    linear: np.ndarray
    features: np.ndarray
    seen: np.ndarray
    errors: np.ndarray
    left: np.ndarray
    rows: np.ndarray
    widths: np.ndarray
    backs: np.ndarray
    wide: Any = 1.0

    def state(self) -> dict[str, np.ndarray]:
        """Arrays for a model file."""
        return {item.name: np.array(getattr(self, item.name), order="C") for item in fields(self)}

    def read(self, told: Told) -> np.ndarray:
        """What the correction reads of rows, (n, p + k)."""
        return _read(told, self.used, self.center, self.scale)

    def means(self, told: Told, *, rough: bool = False) -> np.ndarray:
        """What to add to the expectations, (n, slots); roughly: what the ridge says."""
        x = self.read(told)
        found = x @ self.linear[:-1] + self.linear[-1]
        for at, counted in enumerate(COUNTED):
            if self.widths[at] and not rough:
                for rows, weights in self._weights(x, told, float(self.widths[at]), counted):
                    found[rows] += _average(weights, torch.from_numpy(self.errors[at]), float(self.backs[at])).numpy()
        return np.asarray(found)

    def spreads(self, told: Told) -> np.ndarray:
        """The standard deviation of what is left, (n, slots)."""
        found = np.empty((len(told.filled), self.left.shape[1]))
        square = np.square(self.left)
        usual = square.mean(0)
        off = torch.from_numpy((square - usual).astype(np.float32))
        for rows, weights in self._weights(self.read(told), told, float(self.wide)):
            found[rows] = usual + _average(weights, off, 4.0).numpy()
        return np.sqrt(np.maximum(found, 0.0))

    def _weights(
        self, x: np.ndarray, told: Told, width: float, counted: float = 1.0
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """Some rows at a time, and the weights of the remembered ones for them."""
        held = Alike(self.features, self.seen, counted)
        size = max(1, CELLS // max(len(self.features), 1))
        for start in range(0, len(x), size):
            rows = slice(start, start + size)
            square = held.apart(x[rows], told.seen[rows][:, self.used])
            yield rows, _normal(square, width)


class Alike:
    """How far rows are from those that are remembered, where a cell counts less that was not observed in either.

    Parameters
    ----------
    features : ndarray, shape (n, p + k)
        The last k are expectations, which count as cells that were not observed.
    seen : ndarray of bool, shape (n, p)
    counted : float
        In (0, 1]: what a cell counts that was not observed.

    Notes
    -----
    With weights `v` of 1 or `counted`, the squared distance is `p Σ v_i w_i (x_i − y_i)² / Σ v_i w_i`, p the number of
    features: a product of three blocks of columns, and one of the weights.
    """

    def __init__(self, features: np.ndarray, seen: np.ndarray, counted: float) -> None:
        self.counted, self.held = counted, torch.from_numpy(features)
        if counted < 1.0:
            self.weights = self._weighed(seen)
            weighed = self.weights * self.held
            self.parts = torch.cat([weighed * self.held, weighed, self.weights], 1).T.contiguous()
            self.total = (self.weights / self.held.shape[1]).T.contiguous()

    def _weighed(self, seen: np.ndarray) -> torch.Tensor:
        weights = torch.full((len(seen), self.held.shape[1]), self.counted)
        weights[:, : seen.shape[1]].masked_fill_(torch.from_numpy(seen), 1.0)
        return weights

    def apart(self, x: np.ndarray, seen: np.ndarray) -> torch.Tensor:
        """Squared distances, (rows, n)."""
        own = torch.from_numpy(x)
        if self.counted == 1.0:
            return torch.cdist(own, self.held, compute_mode="use_mm_for_euclid_dist").square_()
        weights = self._weighed(seen)
        weighed = weights * own
        square = torch.cat([weights, -2.0 * weighed, weighed * own], 1) @ self.parts
        return square.div_(weights @ self.total)  # rounding may leave it a little below 0


def _read(told: Told, used: np.ndarray, center: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.asarray((np.hstack([told.filled[:, used], told.expected]) - center) / scale, np.float32)


def _normal(square: torch.Tensor, width: float) -> torch.Tensor:
    """The normal kernel, in place. Powers below −80 would be denormal numbers, which take ten times as long."""
    return square.mul_(-0.5 / width**2).clamp_(-80.0, 0.0).exp_()


def _average(weights: torch.Tensor, values: torch.Tensor, back: float) -> torch.Tensor:
    sums = weights @ torch.cat([values, torch.ones(len(values), 1)], 1)
    return sums[:, :-1] / (sums[:, -1:] + back)


def learned(
    told: Told, errors: np.ndarray, used: np.ndarray, rng: np.random.Generator, *, scatter: Any = 0.0, mean: bool = True
) -> Correction:
    """The correction of a column.

    Parameters
    ----------
    told : Told
        n rows in which the column is known, filled and expected without it.
    errors : ndarray, shape (n, slots)
        What is there less what was expected.
    used : ndarray of int
        Slots of the other columns.
    rng : numpy generator
    scatter : ndarray, shape (slots,)
        By how much the variance of one network's expectation is above that of the mean over all.
    mean : bool
        Whether anything is to be added; else the errors are remembered alone.
    """
    chosen = np.sort(rng.permutation(len(errors))[:REMEMBERED])
    told, errors = told.take(chosen), np.asarray(errors[chosen], np.float32)
    used = used[told.filled[:, used].std(axis=0) > 1e-6]
    plain = np.hstack([told.filled[:, used], told.expected])
    center, scale = plain.mean(axis=0), plain.std(axis=0)
    scale = np.where(scale > 1e-6, scale, 1.0)
    x, seen = _read(told, used, center, scale), told.seen[:, used]
    none = np.zeros((x.shape[1] + 1, errors.shape[1]), np.float32)
    spare = SPARED * np.broadcast_to(np.asarray(scatter, float), errors.shape[1:])
    line, left = _ridge(x, errors, scale[len(used) :], spare) if mean else (none, errors)
    kept, found = [], []
    for counted in COUNTED:
        kept.append(left)
        width, back, usual, left = _kernel(x, seen, left, rng, counted, mean)
        found.append((width, back))
    widths, backs = np.array(found).T
    wide = max(float(widths[-1]), usual)
    return Correction(used, center, scale, line, x, seen, np.stack(kept), left, chosen, widths, backs, wide)


def _ridge(x: np.ndarray, errors: np.ndarray, units: np.ndarray, scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and what they leave in rows that took no part; none where the gain may be chance.

    The last slots of x are the expectation of one network, in these `units`; the variance of the mean over networks is
    lower by `scatter`. A correction that keeps the part 1 + b of the expectation leaves (1 + b)² `scatter` less there,
    and the choice goes by that.
    """
    n, slots = errors.shape
    none = np.zeros((x.shape[1] + 1, slots), np.float32)
    if n < FEWEST or x.shape[1] == 0:
        return none, errors
    before = np.square(errors).sum(1)
    bar, best = float(before.mean() - scatter.sum()), (none, errors)
    for reads in (x.shape[1] - slots, x.shape[1]):  # without the expectation, and with it
        lines, left = _crossed(x[:, :reads], errors)
        own = np.einsum("pss->ps", lines[:, reads - slots : -1]) / units if reads == x.shape[1] else np.zeros((1, 1))
        costs = np.square(left).sum(2).mean(1) - (np.square(1.0 + own) * scatter).sum(1)
        at = int(costs.argmin())
        gains = before - np.square(left[at]).sum(1)
        if costs[at] < min(bar, float(before.mean() - scatter.sum() - gains.std() / np.sqrt(n))):
            line = none.copy()
            line[:reads], line[-1] = lines[at, :-1], lines[at, -1]
            bar, best = float(costs[at]), (line, left[at].astype(np.float32))
    return best


def _crossed(x: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients for each penalty, and what they leave in rows that took no part, (penalties, n, slots)."""
    left, folds = np.zeros((len(PENALTIES), *errors.shape)), np.arange(len(x)) % FOLDS
    for fold in range(FOLDS):
        out = folds == fold
        lines = _solve(x[~out], errors[~out], PENALTIES)
        left[:, out] = errors[out] - (x[out] @ lines[:, :-1] + lines[:, -1:])
    return _solve(x, errors, PENALTIES), left


def _solve(x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Ridge coefficients for each penalty, (penalties, p + 1, slots), the constant last."""
    middle, mean = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
    centred = x - middle
    values, vectors = np.linalg.eigh(centred.T @ centred)
    turned = vectors.T @ (centred.T @ (y - mean))
    lines = vectors @ (turned / (np.maximum(values, 0.0) + penalties[:, None])[:, :, None])
    return np.concatenate([lines, (mean - middle @ lines)[:, None]], axis=1).astype(np.float32)


def _kernel(
    x: np.ndarray, seen: np.ndarray, errors: np.ndarray, rng: np.random.Generator, counted: float, mean: bool
) -> tuple[float, float, float, np.ndarray]:
    """Width, pseudo-rows, the usual distance, and what is left of each row when it takes no part in its average."""
    n = len(x)
    if n < FEWEST or x.shape[1] == 0:
        return 0.0, 0.0, 1.0, errors
    held, values = Alike(x, seen, counted), torch.from_numpy(errors)
    judges = rng.permutation(n)[:JUDGES]
    square = _apart(held, x, seen, judges)
    usual = float(square.kthvalue(min(NEIGHBOR, n - 1), 1).values.median().clamp_min(0.0).sqrt()) or 1.0
    if not mean:
        return 0.0, 0.0, usual, errors
    before = values[judges].square().sum(1)
    best, gain = (0.0, 0.0), torch.zeros_like(before)
    for width in WIDTHS:
        weights = _normal(square.clone(), width * usual)
        for back in HELD_BACK:
            now = before - (values[judges] - _average(weights, values, back)).square().sum(1)
            if now.sum() > gain.sum():
                best, gain = (width * usual, back), now
    if not best[0] or float(gain.mean()) <= float(gain.std()) / np.sqrt(len(judges)):  # it may be chance
        return 0.0, 0.0, usual, errors
    kept: list[torch.Tensor] = []
    for rows in np.array_split(np.arange(n), -(-n * n // CELLS)):
        weights = _normal(_apart(held, x, seen, rows), best[0])
        kept.append(values[rows] - _average(weights, values, best[1]))
    return *best, usual, torch.cat(kept).numpy()


def _apart(held: Alike, x: np.ndarray, seen: np.ndarray, rows: np.ndarray) -> torch.Tensor:
    """Squared distances from some of the rows to all, infinite to themselves."""
    square = held.apart(x[rows], seen[rows])
    square[torch.arange(len(rows)), torch.from_numpy(rows)] = torch.inf
    return square
