"""Multi-index hashing: exact search that looks only where a part of the code is nearly the query's."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
from numpy.typing import NDArray

from azogue.hamming.scan import Found, ordered, scan, within
from azogue.hamming.words import Codes, Words, as_words, counted

#: Bits of a part; rows and bits from and to which tables pay.
PART, LEAST_ROWS, MOST_BITS = 16, 100_000, 128
#: Part of all codes beyond which comparing with all of them is faster.
FALL_BACK = 0.1


@cache
def flips(size: int, count: int) -> NDArray[np.uint16]:
    """All patterns of `size` bits of which `count` are set."""
    if count > size:
        return np.empty(0, np.uint16)
    return np.array([sum(1 << at for at in chosen) for chosen in itertools.combinations(range(size), count)], np.uint16)


class Tables:
    """Codes by their parts of 16 bits, each part in a table of its own.

    Two codes of m parts that differ in at most `m (s + 1) − 1` bits differ in at most s bits in one of the parts. So
    all of them are found by looking up each part and its neighbours of s bits: first s = 0, then 1, …

    Parameters
    ----------
    codes : ndarray of uint8, shape (n, bytes)

    References
    ----------
    Norouzi, Punjani & Fleet (2012), Fast search in Hamming space with multi-index hashing, CVPR.
    """

    def __init__(self, codes: Codes) -> None:
        self.words = as_words(codes)
        self.parts = _parts(codes)
        self.sizes = [min(PART, 8 * codes.shape[1] - PART * at) for at in range(self.parts.shape[1])]
        self.order, self.starts = [], []
        for part in self.parts.T:
            keys = np.ascontiguousarray(part)
            self.order.append(np.argsort(keys, kind="stable").astype(np.uint32))
            self.starts.append(np.concatenate([[0], np.bincount(keys, minlength=1 << PART).cumsum()]))

    def __len__(self) -> int:
        return len(self.words)

    def _looked_up(self, query: NDArray[np.uint16], flipped: int) -> NDArray[np.uint32] | None:
        """The codes of which a part differs from the query's in exactly so many bits; None: too many to be worth it."""
        found, limit = [], FALL_BACK * len(self)
        for at, size in enumerate(self.sizes):
            keys = (query[at] ^ flips(size, flipped)).astype(np.int64)
            first, last = self.starts[at][keys], self.starts[at][keys + 1]
            counts = last - first
            total = int(counts.sum())
            limit -= total
            if limit < 0:
                return None
            if total:
                places = np.arange(total) + np.repeat(first - np.concatenate([[0], counts.cumsum()[:-1]]), counts)
                found.append(self.order[at][places])
        return np.concatenate(found) if found else np.empty(0, np.uint32)

    def query(self, queries: Codes, k: int) -> Found:
        """The k nearest codes of each query, k ≤ n: distances and positions, (m, k)."""
        told = [self._nearest(part, word, k) for part, word in zip(_parts(queries), as_words(queries), strict=True)]
        return np.stack([far for far, _ in told]), np.stack([where for _, where in told])

    def _nearest(self, parts: NDArray[np.uint16], word: Words, k: int) -> Found:
        far, where = np.empty(0, np.uint16), np.empty(0, np.int64)
        for flipped in range(max(self.sizes) + 1):
            rows = self._looked_up(parts, flipped)
            if rows is None:
                break
            more = counted(self.words[rows], word)
            near = more <= (far[k - 1] if len(far) >= k else np.iinfo(np.uint16).max)
            far, where = _joined(far, where, more[near], rows[near], k)
            if len(far) >= k and far[k - 1] < len(self.sizes) * (flipped + 1):
                return far, where
        nearest, places = scan(self.words, word[None], k)
        return nearest[0], places[0]

    def within(self, queries: Codes, radius: int) -> list[Found]:
        """All codes of at most that distance, for each query."""
        found = []
        for parts, word in zip(_parts(queries), as_words(queries), strict=True):
            far, where = np.empty(0, np.uint16), np.empty(0, np.int64)
            for flipped in range(radius // len(self.sizes) + 1):
                rows = self._looked_up(parts, flipped)
                if rows is None:
                    far, where = within(self.words, word[None], radius)[0]
                    break
                more = counted(self.words[rows], word)
                near = more <= radius
                far, where = _joined(far, where, more[near], rows[near], None)
            found.append((far, where))
        return found


def _parts(codes: Codes) -> NDArray[np.uint16]:
    """Codes (n, bytes) → their parts of 16 bits, (n, ⌈bytes/2⌉); the last may be of 8."""
    filled = np.pad(codes, ((0, 0), (0, 1))) if codes.shape[1] % 2 else codes
    return np.ascontiguousarray(filled).view("<u2").astype(np.uint16, copy=False)


def _joined(
    far: NDArray[np.uint16], where: NDArray[np.int64], more: NDArray[np.uint16], rows: NDArray[np.uint32], k: int | None
) -> Found:
    """What was found and what is found now, each once."""
    places, first = np.unique(np.concatenate([where, rows.astype(np.int64)]), return_index=True)
    return ordered(np.concatenate([far, more])[first], places, k)
