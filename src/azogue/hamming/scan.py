"""Exact search by comparing with all codes: blocks that stay near the processor, and a bound that falls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.hamming.words import Words, counted

Found = tuple[NDArray[np.uint16], NDArray[np.int64]]
#: Codes that are compared at once, at most.
BLOCK = 1 << 15
#: The bound of who has fewer than k so far.
UNKNOWN = np.iinfo(np.uint16).max
#: Bits of a position where it shares a number with a distance.
PLACE = 40


def ordered(far: NDArray[np.uint16], where: NDArray[np.int64], k: int | None = None) -> Found:
    """Distances and positions, the nearest first, equals by position; the first k of them."""
    if k is not None and len(far) > k:
        bound = np.partition(far, k - 1)[k - 1]
        near = np.flatnonzero(far <= bound)
        far, where = far[near], where[near]
    return arranged(far, where, k)


def arranged(far: NDArray[Any], where: NDArray[np.int64], k: int | None = None) -> Found:
    """The same along the last axis, without looking for a bound first."""
    keys = far.astype(np.int64)
    keys <<= PLACE
    keys |= where
    keys.sort(axis=-1)
    keys = keys[..., :k]
    return (keys >> PLACE).astype(np.uint16), keys & ((1 << PLACE) - 1)


def kth(far: NDArray[Any], k: int, guess: int) -> int:
    """The k-th smallest of distances, k ≤ n: by counting who is as near as a guess, a lower or a higher one."""
    low, high = -1, int(np.iinfo(far.dtype).max)  # fewer than k are as near as `low`, k or more as `high`
    at, stride = guess, 1
    met = [False, False]
    while high - low > 1:
        at = min(max(at, low + 1), high - 1)
        enough = int(np.count_nonzero(far <= at)) >= k
        low, high = (low, at) if enough else (at, high)
        met[enough] = True
        at = (low + high) // 2 if all(met) else at - stride if enough else at + stride
        stride *= 2
    return high


class Nearest:
    """The k nearest so far of each query; whoever brings more codes asks for the bound first.

    Parameters
    ----------
    k : int
    queries : int
    """

    def __init__(self, k: int, queries: int) -> None:
        self.k = k
        self.bound = np.full(queries, UNKNOWN, np.uint16)
        self._guess = 0
        self._far: list[list[NDArray[np.uint16]]] = [[] for _ in range(queries)]
        self._where: list[list[NDArray[np.int64]]] = [[] for _ in range(queries)]
        self._held = np.zeros(queries, np.int64)

    def add(self, query: int, far: NDArray[Any], start: int) -> None:
        """Take in the distances to the codes from `start` on: those below the bound, of equals the earlier ones."""
        bound = int(self.bound[query])
        near = far < bound
        count = int(np.count_nonzero(near))
        if not count:
            return
        if count > self.k:  # of one block no more than k matter, and those as far as the last of them
            self._guess = kth(far, self.k, self._guess)
            near = far <= self._guess
        places = np.flatnonzero(near)
        self._far[query].append(far[places].astype(np.uint16))
        self._where[query].append(places + start)
        self._held[query] += len(places)
        if self._held[query] >= 2 * self.k or bound == UNKNOWN:
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
    for start in range(0, len(words), BLOCK):
        far = _counter(words[start : start + BLOCK])
        for number, query in enumerate(queries):
            nearest.add(number, far(query), start)
    return nearest.told()


def _counter(words: Words) -> Callable[[Words], NDArray[Any]]:
    """Query → bits in which some words (n, k) differ from it, (n,), in a place that the next query overwrites."""
    block = np.ascontiguousarray(words)
    if block.shape[1] > 1:
        return lambda query: counted(block, query)
    flat = block[:, 0]
    differing, bits = np.empty_like(flat), np.empty(len(flat), np.uint8)

    def far(query: Words) -> NDArray[np.uint8]:
        np.bitwise_count(np.bitwise_xor(flat, query[0], out=differing), out=bits)
        return bits

    return far


def within(words: Words, queries: Words, radius: int) -> list[Found]:
    """All codes of at most that distance, for each query."""
    found: list[list[Found]] = [[] for _ in queries]
    for start in range(0, len(words), BLOCK):
        counter = _counter(words[start : start + BLOCK])
        for number, query in enumerate(queries):
            far = counter(query)
            near = np.flatnonzero(far <= radius)
            if len(near):
                found[number].append((far[near].astype(np.uint16), near + start))
    return [gathered(parts) for parts in found]


def gathered(parts: list[Found]) -> Found:
    """One table of distances and positions, ordered."""
    if not parts:
        return np.empty(0, np.uint16), np.empty(0, np.int64)
    return ordered(np.concatenate([far for far, _ in parts]), np.concatenate([where for _, where in parts]))
