"""Exact search by comparing with all codes: blocks that stay near the processor, and a bound that falls."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from azogue.hamming.words import Words, counted

Found = tuple[NDArray[np.uint16], NDArray[np.int64]]
#: Codes that are compared at once, at most, and first: few, so that a bound is there when many come.
BLOCK, START = 1 << 16, 1 << 12


def ordered(far: NDArray[np.uint16], where: NDArray[np.int64], k: int | None = None) -> Found:
    """Distances and positions, the nearest first, equals by position; the first k of them."""
    if k is not None and len(far) > k:
        bound = np.partition(far, k - 1)[k - 1]
        near = far <= bound
        far, where = far[near], where[near]
    order = np.lexsort((where, far))[:k]
    return far[order], where[order]


class Nearest:
    """The k nearest so far of each query; whoever brings more codes asks for the bound first.

    Parameters
    ----------
    k : int
    queries : int
    """

    def __init__(self, k: int, queries: int) -> None:
        self.k = k
        self.bound = np.full(queries, np.iinfo(np.uint16).max, np.uint16)
        self._far: list[list[NDArray[np.uint16]]] = [[] for _ in range(queries)]
        self._where: list[list[NDArray[np.int64]]] = [[] for _ in range(queries)]
        self._held = np.zeros(queries, np.int64)

    def add(self, query: int, far: NDArray[np.uint16], start: int) -> None:
        """Take in the distances to the codes from `start` on: those below the bound, of equals the earlier ones."""
        near = np.flatnonzero(far < self.bound[query])
        if not len(near):
            return
        self._far[query].append(far[near])
        self._where[query].append(near + start)
        self._held[query] += len(near)
        if self._held[query] >= 2 * self.k or self.bound[query] == np.iinfo(np.uint16).max:
            self._settle(query)

    def _settle(self, query: int) -> None:
        if not self._far[query]:
            return
        far, where = ordered(np.concatenate(self._far[query]), np.concatenate(self._where[query]), self.k)
        self._far[query], self._where[query], self._held[query] = [far], [where], len(far)
        if len(far) == self.k:
            self.bound[query] = far[-1]

    def told(self) -> Found:
        """Distances and positions, (queries, k)."""
        for query in range(len(self.bound)):
            self._settle(query)
        far = [parts[0] for parts in self._far]
        return np.stack(far), np.stack([parts[0] for parts in self._where])


def scan(words: Words, queries: Words, k: int) -> Found:
    """The k nearest codes of each query (m, words), k ≤ n: distances and positions, (m, k)."""
    nearest = Nearest(k, len(queries))
    start, size = 0, min(START, BLOCK)
    while start < len(words):
        block = np.ascontiguousarray(words[start : start + size])
        for number, query in enumerate(queries):
            nearest.add(number, counted(block, query), start)
        start, size = start + size, BLOCK
    return nearest.told()


def within(words: Words, queries: Words, radius: int) -> list[Found]:
    """All codes of at most that distance, for each query."""
    found: list[list[Found]] = [[] for _ in queries]
    for start in range(0, len(words), BLOCK):
        block = np.ascontiguousarray(words[start : start + BLOCK])
        for number, query in enumerate(queries):
            far = counted(block, query)
            near = np.flatnonzero(far <= radius)
            if len(near):
                found[number].append((far[near], near + start))
    return [gathered(parts) for parts in found]


def gathered(parts: list[Found]) -> Found:
    """One table of distances and positions, ordered."""
    if not parts:
        return np.empty(0, np.uint16), np.empty(0, np.int64)
    return ordered(np.concatenate([far for far, _ in parts]), np.concatenate([where for _, where in parts]))
