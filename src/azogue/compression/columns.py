"""Tables of symbols, column by column: each is expected by columns before it in the same row, and by the row before.

The encoder chooses for each column the two columns before it that say most of it (mutual information on a sample, less
what chance gives: Chow & Liu 1968), and sends their numbers. Rows go in parallel stretches, so that the row before is
known in each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from azogue.compression.ans import DamagedError, Ints
from azogue.compression.coding import LANES, Step
from azogue.compression.mixing import Mixture

Symbols = NDArray[np.uint8]
_PAIRS = 4096
_SAMPLE = 4096
#: Columns that are looked at for one that says much.
_REACH = 64
_NONE = 0xFFFF


def choose_parents(table: Symbols) -> NDArray[np.int64]:
    """For each column the two that say most of it, −1 for none, shape (columns, 2)."""
    n, width = table.shape
    sample = table[:: max(1, n // _SAMPLE)].astype(np.int64)
    parents = np.full((width, 2), -1)
    reach = _REACH if width <= _REACH else 16
    for column in range(1, width):
        first = max(0, column - reach)
        told = [_information(sample[:, other], sample[:, column]) for other in range(first, column)]
        best = [first + int(at) for at in np.argsort(told)[::-1][:2] if told[at] > 0]
        parents[column, : len(best)] = best
    return parents


def _information(a: Ints, b: Ints) -> float:
    """Mutual information in nats, less its mean under independence."""
    n = len(a)
    wide = int(b.max()) + 1
    joint = np.bincount(a * wide + b, minlength=(int(a.max()) + 1) * wide).reshape(-1, wide) / n
    of_a, of_b = joint.sum(axis=1), joint.sum(axis=0)
    i, j = np.nonzero(joint)
    together = joint[i, j]
    chance = ((of_a > 0).sum() - 1) * ((of_b > 0).sum() - 1) / (2 * n)
    return float((together * np.log(together / (of_a[i] * of_b[j]))).sum() - chance)


def parents_to_bytes(parents: NDArray[np.int64]) -> bytes:
    """Two numbers of 2 bytes for each column."""
    return np.where(parents < 0, _NONE, parents).astype("<u2").tobytes()


def parents_from_bytes(data: bytes, width: int) -> NDArray[np.int64]:
    """The inverse of `parents_to_bytes`.

    Raises
    ------
    DamagedError
        If a column is said to depend on one that comes later.
    """
    if len(data) != 4 * width:
        raise DamagedError("the columns' parents have the wrong size")
    found = np.frombuffer(data, "<u2").astype(np.int64).reshape(width, 2)
    found = np.where(found == _NONE, -1, found)
    if (found >= np.arange(width)[:, None]).any():
        raise DamagedError("a column is told by a later one")
    return found


def _lanes(n: int) -> int:
    return int(np.clip(n // 128, 1, LANES))


def stretch(n: int) -> int:
    """Rows of each of the stretches that n rows are cut into."""
    return -(-n // _lanes(n))


class Columns:
    """A model of a table of symbols (rows, columns); encoding reads it, decoding writes it."""

    def __init__(self, table: Symbols, parents: NDArray[np.int64]) -> None:
        self.table, self.parents = table, parents

    @property
    def symbols(self) -> int:
        """All cells."""
        return self.table.size

    @property
    def lanes(self) -> int:
        """Stretches of rows side by side."""
        return _lanes(len(self.table))

    def steps(self) -> Iterator[Step]:
        """Column by column; in each, the first row of all stretches, then the second one, and so on."""
        n, length = len(self.table), stretch(len(self.table))
        for column in range(self.table.shape[1]):
            mixture = Mixture([1, 256, 1, 256, _PAIRS, 256])
            walk = _Walk(self, column, mixture)
            for row in range(length):
                walk.rows = np.arange(row, n, length)
                walk.first = row == 0
                yield walk


class _Walk:
    """A column, at one row of each stretch."""

    def __init__(self, model: Columns, column: int, mixture: Mixture) -> None:
        self.mixture, self.table, self.column = mixture, model.table, column
        self.parents = model.parents[column]
        self.rows, self.first = np.zeros(0, np.int64), True

    def take(self) -> Ints:
        symbols: Ints = self.table[self.rows, self.column].astype(np.int64)
        return symbols

    def put(self, symbols: Ints) -> None:
        self.table[self.rows, self.column] = symbols

    def look(self) -> int:
        zero = np.zeros(len(self.rows), np.int64)
        before = zero if self.first else self.table[self.rows - 1, self.column].astype(np.int64)
        one, two = (zero if p < 0 else self.table[self.rows, p].astype(np.int64) for p in self.parents)
        pair = (one * 251 + two) % _PAIRS
        context = np.stack([zero, one, zero, two, pair, before])
        self.mixture.look(context, np.stack([zero, zero, before, zero, zero, zero]), 0)
        return len(zero)
