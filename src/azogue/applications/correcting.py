"""What a network leaves out, taken from the errors that it made in other rows: a column's correction.

The errors are honest: of networks that saw neither the row nor the column. They are regressed on the other columns
(ridge), and what remains is averaged over rows that are alike, under a normal kernel. How wide the kernel is, how much
is held back, and whether either pays at all is told by errors of rows that took no part.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

#: Widths of the kernel, in distances to a row's tenth neighbour, and pseudo-rows of error 0.
WIDTHS, HELD_BACK = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0), (1e-3, 1.0, 4.0)
#: Penalties of the ridge, in rows.
PENALTIES = 10.0 ** np.arange(-1.0, 4.5, 0.5)
#: Rows that choose a width, and rows that are remembered, at most.
JUDGES, REMEMBERED = 1000, 4000
FOLDS, NEIGHBOR, FEWEST = 5, 10, 10
#: Distances that are held at once.
CELLS = 2**23


@dataclass(frozen=True)
class Correction:
    """What to add to a column's expectation.

    Parameters
    ----------
    used : ndarray of int, shape (p,)
        The slots of filled rows that it reads.
    center, scale : ndarray, shape (p,)
    linear : ndarray, shape (p + 1, slots)
        Of the ridge, the last row for the constant.
    features, errors : ndarray, shape (n, p) and (n, slots)
        Rows that are remembered, and what the ridge leaves.
    left : ndarray, shape (n, slots)
        What the average leaves besides.
    raw : ndarray, shape (n, slots)
        The errors as they were.
    rows : ndarray of int, shape (n,)
        Which rows they were.
    penalty : float
        Of the ridge.
    width, wide, back : float
        Of the kernel of means, of the kernel of spreads, and pseudo-rows of error 0; a width of 0 takes no average.
    """

    used: np.ndarray
    center: np.ndarray
    scale: np.ndarray
    linear: np.ndarray
    features: np.ndarray
    errors: np.ndarray
    left: np.ndarray
    raw: np.ndarray
    rows: np.ndarray
    penalty: Any = 1.0
    width: Any = 0.0
    wide: Any = 1.0
    back: Any = 0.0

    def state(self) -> dict[str, np.ndarray]:
        """Arrays for a model file."""
        return {item.name: np.array(getattr(self, item.name), order="C") for item in fields(self)}

    def read(self, filled: np.ndarray) -> np.ndarray:
        """Filled rows (n, width) → what the correction reads, (n, p)."""
        return np.asarray((filled[:, self.used] - self.center) / self.scale, np.float32)

    def means(self, filled: np.ndarray) -> np.ndarray:
        """What to add to the expectations of filled rows, (n, slots)."""
        x = self.read(filled)
        found = x @ self.linear[:-1] + self.linear[-1]
        if float(self.width):
            for rows, weights in self._weights(x, float(self.width)):
                found[rows] += _average(weights, self.errors, float(self.back))
        return np.asarray(found)

    def spreads(self, filled: np.ndarray) -> np.ndarray:
        """The standard deviation of what is left, (n, slots)."""
        found = np.empty((len(filled), self.left.shape[1]))
        square = np.square(self.left)
        usual = square.mean(0)
        for rows, weights in self._weights(self.read(filled), float(self.wide)):
            found[rows] = usual + _average(weights, square - usual, 4.0)
        return np.sqrt(np.maximum(found, 0.0))

    def drawn(self, filled: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """For each filled row what is left in a row like it, (n, slots)."""
        found = np.empty((len(filled), self.left.shape[1]), np.float32)
        for rows, weights in self._weights(self.read(filled), float(self.wide)):
            reach = np.cumsum(weights.numpy() + 4.0 / len(self.left), axis=1)
            at = (reach < rng.random((len(reach), 1)) * reach[:, -1:]).sum(axis=1)
            found[rows] = self.left[np.minimum(at, len(self.left) - 1)]
        return found

    def _weights(self, x: np.ndarray, width: float) -> Any:
        """Some rows at a time, and the weights of the remembered ones for them."""
        held = torch.from_numpy(self.features)
        size = max(1, CELLS // max(len(held), 1))
        for start in range(0, len(x), size):
            part = torch.from_numpy(x[start : start + size])
            square = torch.cdist(part, held, compute_mode="use_mm_for_euclid_dist").square_()
            yield slice(start, start + size), square.mul_(-0.5 / width**2).exp_()

    def redrawn(self, rng: np.random.Generator) -> Correction:
        """The correction that another sample of rows might have given (bootstrap)."""
        n = len(self.features)
        if not n:
            return self
        rows = rng.integers(n, size=n)
        penalty = np.atleast_1d(self.penalty)
        moved = _solve(self.features[rows], self.raw[rows], penalty)[0] - _solve(self.features, self.raw, penalty)[0]
        return replace(
            self,
            linear=self.linear + moved,
            features=self.features[rows],
            errors=self.errors[rows],
            left=self.left[rows],
            raw=self.raw[rows],
        )


def _average(weights: torch.Tensor, values: np.ndarray, back: float) -> np.ndarray:
    total = weights.sum(1, keepdim=True) + back
    return np.asarray((weights @ torch.from_numpy(values.astype(np.float32))) / total)


def learned(
    filled: np.ndarray, errors: np.ndarray, used: np.ndarray, rng: np.random.Generator, *, mean: bool = True
) -> Correction:
    """The correction of a column.

    Parameters
    ----------
    filled : ndarray, shape (n, width)
        Rows in which the column is known, the others filled without it.
    errors : ndarray, shape (n, slots)
        What is there less what was expected.
    used : ndarray of int
        Slots of the other columns.
    rng : numpy generator
    mean : bool
        Whether anything is to be added; else the errors are remembered alone.
    """
    chosen = np.sort(rng.permutation(len(filled))[:REMEMBERED])
    filled, errors = filled[chosen], errors[chosen]
    errors = np.asarray(errors, np.float32)
    scale = filled[:, used].std(axis=0)
    used, scale = used[scale > 1e-6], scale[scale > 1e-6]
    center = filled[:, used].mean(axis=0)
    x = np.asarray((filled[:, used] - center) / scale, np.float32)
    linear, left, penalty = _ridge(x, errors) if mean else (np.zeros((x.shape[1] + 1, errors.shape[1])), errors, 1.0)
    width, back, wide, rest = _kernel(x, left, rng, mean)
    return Correction(used, center, scale, linear, x, left, rest, errors, chosen, penalty, width, wide, back)


def _ridge(x: np.ndarray, errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Coefficients and what they leave in rows that took no part; none where that is no gain."""
    n, p = x.shape
    none = np.zeros((p + 1, errors.shape[1]), np.float32)
    if n < FEWEST or p == 0:
        return none, errors, 1.0
    folds = np.arange(n) % FOLDS
    left = np.stack([_left(x, errors, folds == fold) for fold in range(FOLDS)]).sum(0)  # (penalties, n, slots)
    costs = np.square(left).sum((1, 2))
    best = int(costs.argmin())
    if costs[best] >= np.square(errors).sum():
        return none, errors, float(PENALTIES[best])
    return _solve(x, errors, PENALTIES[best : best + 1])[0], left[best].astype(np.float32), float(PENALTIES[best])


def _left(x: np.ndarray, errors: np.ndarray, out: np.ndarray) -> np.ndarray:
    found = np.zeros((len(PENALTIES), *errors.shape))
    lines = _solve(x[~out], errors[~out], PENALTIES)
    found[:, out] = errors[out] - (x[out] @ lines[:, :-1] + lines[:, -1:])
    return found


def _solve(x: np.ndarray, y: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Ridge coefficients for each penalty, (penalties, p + 1, slots), the constant last."""
    middle, mean = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
    centred = x - middle
    values, vectors = np.linalg.eigh(centred.T @ centred)
    turned = vectors.T @ (centred.T @ (y - mean))
    lines = vectors @ (turned / (np.maximum(values, 0.0) + penalties[:, None])[:, :, None])
    return np.concatenate([lines, (mean - middle @ lines)[:, None]], axis=1).astype(np.float32)


def _kernel(
    x: np.ndarray, errors: np.ndarray, rng: np.random.Generator, mean: bool
) -> tuple[float, float, float, np.ndarray]:
    """Width, pseudo-rows, width of spreads, and what is left of each row when it takes no part in its average."""
    n = len(x)
    if n < FEWEST or x.shape[1] == 0:
        return 0.0, 0.0, 1.0, errors
    judges = rng.permutation(n)[:JUDGES]
    held, values = torch.from_numpy(x), torch.from_numpy(errors)
    square = _apart(held, torch.from_numpy(judges))
    usual = float(square.kthvalue(min(NEIGHBOR, n - 1), 1).values.median().sqrt()) or 1.0
    best = (float(values[judges].square().sum()), 0.0, 0.0)
    for width in WIDTHS if mean else ():
        weights = (square * (-0.5 / (width * usual) ** 2)).exp()
        for back in HELD_BACK:
            left = values[judges] - (weights @ values) / (weights.sum(1, keepdim=True) + back)
            best = min(best, (float(left.square().sum()), width * usual, back))
    _, width, back = best
    if not width:
        return 0.0, 0.0, usual, errors
    kept: list[torch.Tensor] = []
    for rows in torch.split(torch.arange(n), max(1, CELLS // n)):
        weights = (_apart(held, rows) * (-0.5 / width**2)).exp()
        kept.append(values[rows] - (weights @ values) / (weights.sum(1, keepdim=True) + back))
    return width, back, max(width, usual), torch.cat(kept).numpy()


def _apart(held: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Squared distances from some of the rows to all, infinite to themselves."""
    square = torch.cdist(held[rows], held).square()
    square[torch.arange(len(rows)), rows] = torch.inf
    return square
