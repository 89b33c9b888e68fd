"""Linear predictions of a pixel from its neighbours: fitted in floating point, sent and used as whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from azogue.compression.ans import DamagedError, Ints

#: Weights are whole numbers of 2⁻¹¹.
SHIFT = 11
#: Neighbours (row, column) in the same channel, and in channels that are known at this very pixel.
OWN = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-1, -2), (-1, 2), (-2, -1), (-2, 1), (-2, -2), (-2, 2)]
OTHER = [(0, 0), (0, -1), (-1, 0), (-1, -1), (-1, 1)]
#: Neighbours of what a network expects.
EXPECTED = [(0, 0), (0, -1), (-1, 0), (-1, -1), (-1, 1)]
LEVELS = 16
_SAMPLE = 150_000


def activity(near: list[Ints], channel: int) -> Ints:
    """How much neighbouring pixels differ."""
    w, n, nw, ne, ww, nn = near[:6]
    found: Ints = abs(w - nw) + abs(n - nw) + abs(n - ne) + abs(w - ww) + abs(n - nn)
    if channel:
        here, left, above = near[len(OWN) : len(OWN) + 3]
        found = found + 2 * abs(here - left) + 2 * abs(here - above)
    return found


class Predictor:
    """For one channel: thresholds of activity, and weights for each class of it.

    Parameters
    ----------
    levels : ndarray of int, shape (15,)
    weights : ndarray of int, shape (1 + classes, neighbours)
        The first row is for all pixels, the others for the classes.
    """

    def __init__(self, levels: Ints, weights: Ints) -> None:
        self.levels, self.weights = levels, weights

    def level(self, near: list[Ints], channel: int) -> Ints:
        """The class of activity, 0 … 15."""
        level: Ints = np.searchsorted(self.levels, activity(near, channel), side="right").astype(np.int64)
        return level

    def predict(self, near: list[Ints], level: Ints) -> tuple[Ints, Ints]:
        """What is expected here, by the weights of all and by those of the class."""
        classes = len(self.weights) - 1
        own = self.weights[1 + level * classes // LEVELS]
        common, special = np.full(len(level), 1 << SHIFT - 1), np.full(len(level), 1 << SHIFT - 1)
        for at, values in enumerate(near):
            common += values * self.weights[0, at]
            special += values * own[:, at]
        return np.clip(common >> SHIFT, 0, 255), np.clip(special >> SHIFT, 0, 255)

    def to_bytes(self) -> bytes:
        """Thresholds and weights, 2 bytes each."""
        return self.levels.astype("<u2").tobytes() + self.weights.astype("<i2").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes, classes: int, neighbours: int) -> Predictor:
        """The inverse of `to_bytes`."""
        if len(data) != cls.size(classes, neighbours):
            raise DamagedError("a predictor has the wrong size")
        levels = np.frombuffer(data, "<u2", LEVELS - 1).astype(np.int64)
        weights = np.frombuffer(data, "<i2", offset=2 * len(levels)).astype(np.int64)
        if (np.diff(levels) < 0).any():
            raise DamagedError("a predictor's thresholds are in disorder")
        return cls(levels, weights.reshape(classes + 1, neighbours))

    @staticmethod
    def size(classes: int, neighbours: int) -> int:
        """Bytes of one."""
        return 2 * (LEVELS - 1 + (classes + 1) * neighbours)

    @classmethod
    def fitted(cls, near: list[Ints], target: Ints, channel: int, classes: int) -> Predictor:
        """Least absolute errors, nearly: three rounds of weighted least squares."""
        step = max(1, len(target) // _SAMPLE)
        X, y = np.stack([part[::step] for part in near], axis=1), target[::step]
        active = activity([part[::step] for part in near], channel)
        levels = np.quantile(active, np.arange(1, LEVELS) / LEVELS).astype(np.int64)
        kind = np.searchsorted(levels, active, side="right") * classes // LEVELS
        rows = [_fit(X, y)] + [_fit(X[kind == k], y[kind == k]) for k in range(classes)]
        return cls(levels, np.stack(rows))


def _fit(X: Ints, y: Ints) -> Ints:
    if not len(y):
        return np.zeros(X.shape[1], np.int64)
    A, b, weight = X.astype(float), y.astype(float), np.ones(len(y))
    solved: NDArray[np.float64] = np.zeros(X.shape[1])
    for _ in range(3):
        weighted = A * weight[:, None]
        solved = np.linalg.solve(weighted.T @ A + np.eye(X.shape[1]), weighted.T @ b)
        weight = 1.0 / np.sqrt(np.square(b - A @ solved) + 16.0)
    return np.clip(np.rint(solved * (1 << SHIFT)), -(1 << 15), (1 << 15) - 1).astype(np.int64)
