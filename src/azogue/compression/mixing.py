"""What symbol comes next: adaptive histograms under several contexts, mixed by weights that are learned on the way.

Expert k looks at context `c_k` and expects `F_k(x)`, the part of its histogram below x. They are mixed linearly,
`F(x) = Σ w_k F_k(x)`, which needs no table of F, only its values at the ends of a symbol; a decoder finds the symbol by
bisection. `w_k` is proportional to a number for each expert and size of histogram, moved so that
`E[w_k p_k/p] = E[w_k]` (the fixed point of expectation-maximisation). An expert may be shifted: then its histogram is
that of x − shift.

All is done in whole numbers, so that every machine, whatever its threads, gets the same probabilities.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from azogue.compression.ans import BITS, Ints

#: Symbols are 0 … 255.
SYMBOLS = 256
#: What experts share out; the rest of 2²⁰ gives every symbol one slot.
TOTAL = (1 << BITS) - SYMBOLS
_WIDTH = 2 * SYMBOLS + 1
_SIZES = 18
_TERM = 8 << 16  # an expert's weight moves once it has told eight symbols
_COUNT = 96  # a symbol seen once weighs as much as 96 never seen


class Mixture:
    """Experts and their weights.

    Parameters
    ----------
    contexts : sequence of int
        How many contexts each expert tells apart.
    groups : int
        Kinds of symbols that have weights of their own.

    Notes
    -----
    Shapes: K experts, n symbols at a time; contexts and shifts are (K, n).
    """

    def __init__(self, contexts: list[int], groups: int = 1) -> None:
        self._first = np.cumsum([0, *contexts[:-1]], dtype=np.int64)[:, None]
        rows, self._experts = sum(contexts), np.arange(len(contexts), dtype=np.int64)[:, None]
        self._counts = np.zeros((rows, SYMBOLS), np.int32)
        self._seen, self._stale = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._below = np.tile((np.arange(_WIDTH) * TOTAL // SYMBOLS).astype(np.int32), (rows, 1))
        self._size = np.zeros(rows, np.int64)
        shape = (groups, len(contexts), _SIZES)
        self._liking = np.broadcast_to((2 + np.arange(_SIZES, dtype=np.int64)) << 11, shape).copy()
        self._got, self._due = np.zeros(shape, np.int64), np.zeros(shape, np.int64)

    def look(self, context: Ints, shift: Ints, group: int) -> None:
        """Set the contexts of the next symbols."""
        self._rows = context + self._first
        self._shift = shift
        self._base = self._rows * _WIDTH + (SYMBOLS - shift)
        self._flat = self._below.reshape(-1)
        self._zero = self._flat[self._base]
        self._place = (group * len(self._first) + self._experts) * _SIZES + self._size[self._rows]
        liking = self._liking.reshape(-1)[self._place]
        self._weight = (liking << 16) // liking.sum(axis=0)
        self._weight[0] += (1 << 16) - self._weight.sum(axis=0)

    def below(self, symbol: Ints) -> Ints:
        """The slots of smaller symbols, shape (n,)."""
        parts = self._flat[self._base + symbol] - self._zero
        mixed: Ints = ((self._weight * parts).sum(axis=0) >> 16) + symbol
        return mixed

    def span(self, symbol: Ints) -> tuple[Ints, Ints]:
        """The first slot of symbols and how many slots they own; asked before `learn`."""
        at = self._base + symbol
        start, stop = self._flat[at], self._flat[at + 1]
        low = ((self._weight * (start - self._zero)).sum(axis=0) >> 16) + symbol
        high = ((self._weight * (stop - self._zero)).sum(axis=0) >> 16) + symbol + 1
        self._own, self._mixed = (stop - start).astype(np.int64), high - low
        return low, self._mixed

    def find(self, slot: Ints) -> Ints:
        """The symbols that own slots."""
        symbol = np.zeros(len(slot), np.int64)
        for step in (128, 64, 32, 16, 8, 4, 2, 1):
            further = symbol + step
            symbol = np.where(self.below(further) <= slot, further, symbol)
        return symbol

    def learn(self, symbol: Ints) -> None:
        """Take note of the symbols that came, whose `span` was asked."""
        self._weigh(np.minimum((self._own << 10) // self._mixed, 1 << 16))
        rows = self._rows.reshape(-1)
        np.add.at(self._counts.reshape(-1), (self._rows * SYMBOLS + ((symbol - self._shift) & 255)).reshape(-1), 1)
        self._seen += np.bincount(rows, minlength=len(self._seen))
        stale = rows[self._seen[rows] > self._stale[rows]]
        if len(stale):
            self._refresh(np.unique(stale))

    def _weigh(self, ratio: Ints) -> None:
        """Move the weights towards experts that had expected what came. Sums below 2⁵³ are exact in floating point."""
        place, n = self._place.reshape(-1), self._liking.size
        got = np.bincount(place, (self._weight * ratio).reshape(-1), n).astype(np.int64) >> 10
        self._got += got.reshape(self._got.shape)
        self._due += np.bincount(place, self._weight.reshape(-1), n).astype(np.int64).reshape(self._due.shape)
        full = self._due >= _TERM
        if full.any():
            moved = self._liking[full] * ((self._got[full] << 10) // self._due[full]) >> 10
            self._liking[full] = np.clip(moved, 1 << 6, 1 << 22)
            self._got[full] = self._due[full] = 0

    def _refresh(self, rows: NDArray[np.int64]) -> None:
        sums: Ints = np.cumsum(self._counts[rows].astype(np.int64) * _COUNT + 1, axis=1)
        below = sums * TOTAL // sums[:, -1:]
        self._below[rows, 1 : SYMBOLS + 1] = below
        self._below[rows, SYMBOLS + 1 :] = below + TOTAL
        seen = self._seen[rows]
        self._stale[rows] = seen + (seen >> 4)
        self._size[rows] = np.minimum(_LOG2[np.minimum(seen, len(_LOG2) - 1)], _SIZES - 1)


#: Whole part of log₂(n + 1), by comparing: a logarithm may differ from machine to machine.
_LOG2 = np.searchsorted(1 << np.arange(1, 18), np.arange(1 << 17) + 1, side="right")
