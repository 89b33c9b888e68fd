"""What searches: numpy alone, or faiss; their answers are the same."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from azogue.hamming.scan import Found, arranged, gathered, ordered, scan, within
from azogue.hamming.tables import LEAST_ROWS, MOST_BITS, PART, Tables
from azogue.hamming.words import Codes, as_words

ENGINES = ("core", "faiss")
#: Answers beyond k that faiss is asked for at first, so that equal distances can be put in order.
SPARE = 64


class Engine(Protocol):
    """Exact search among codes that it was made of."""

    def query(self, queries: Codes, k: int) -> Found:
        """The k nearest codes of each query, equals by position, k ≤ n: distances and positions, (m, k)."""

    def within(self, queries: Codes, radius: int) -> list[Found]:
        """All codes of at most that distance, for each query, in the same order."""


class Core:
    """numpy's count of set bits; above 100,000 codes of up to 128 bits by multi-index hashing.

    Codes that are added later are compared one by one until they are a quarter of the others; then tables are made
    anew.
    """

    def __init__(self, codes: Codes) -> None:
        tabled = len(codes) >= LEAST_ROWS and 8 * codes.shape[1] <= MOST_BITS
        self._tables = Tables(codes) if tabled else None
        self.stale = 1.25 * len(codes) if tabled else LEAST_ROWS
        self.codes, self._words = codes, None if tabled else as_words(codes)
        self._start = len(codes) if tabled else 0

    def grown(self, codes: Codes) -> Core:
        """The engine for the same codes and others behind them."""
        if len(codes) >= self.stale:
            return Core(codes)
        self.codes, self._words = codes, as_words(codes[self._start :])
        return self

    def query(self, queries: Codes, k: int) -> Found:
        if self._tables is None or self._words is not None:
            return self._merged(queries, k)
        return self._tables.query(queries, k)

    def _merged(self, queries: Codes, k: int) -> Found:
        assert self._words is not None
        parts = [(self._words, as_words(queries))]
        if self._tables is None:
            return scan(*parts[0], k)
        first = self._tables.query(queries, min(k, len(self._tables)))
        rest = scan(*parts[0], min(k, len(self._words)))
        far = np.hstack([first[0], rest[0]])
        where = np.hstack([first[1], rest[1] + self._start])
        told = [ordered(row, places, k) for row, places in zip(far, where, strict=True)]
        return np.stack([row for row, _ in told]), np.stack([places for _, places in told])

    def within(self, queries: Codes, radius: int) -> list[Found]:
        parts = [] if self._tables is None else [self._tables.within(queries, radius)]
        if self._words is not None:
            found = within(self._words, as_words(queries), radius)
            parts.append([(far, where + self._start) for far, where in found])
        return [gathered(list(each)) for each in zip(*parts, strict=True)]


class Faiss:
    """faiss's `IndexBinaryFlat`; for small radii among many short codes `IndexBinaryMultiHash`, made when first needed.

    Raises
    ------
    ImportError
        If faiss is not installed.
    """

    def __init__(self, codes: Codes) -> None:
        self._faiss = imported()
        self._bits = 8 * codes.shape[1]
        self._flat = self._faiss.IndexBinaryFlat(self._bits)
        self._flat.use_heap = False
        self._hash: Any = None
        self.codes = codes[:0]
        self.grown(codes)

    def grown(self, codes: Codes) -> Faiss:
        """The engine for the same codes and others behind them."""
        more = np.ascontiguousarray(codes[len(self.codes) :])
        if len(more):
            self._flat.add(more)
            if self._hash is not None:
                self._hash.add(more)
        self.codes = codes
        return self

    def query(self, queries: Codes, k: int) -> Found:
        count = min(k + SPARE, len(self.codes))
        far, where = arranged(*self._flat.search(queries, count))
        if count < len(self.codes):  # where as far as the last one, equals of the k-th may be missing
            open_ = np.flatnonzero(far[:, -1] == far[:, k - 1])
            for bound in np.unique(far[open_, -1]):
                chosen = open_[far[open_, -1] == bound]
                found = self._ranged(self._flat, queries[chosen], int(bound))
                for number, (row, places) in zip(chosen, found, strict=True):
                    far[number, :k], where[number, :k] = row[:k], places[:k]
        return far[:, :k], where[:, :k]

    def within(self, queries: Codes, radius: int) -> list[Found]:
        parts = self._bits // PART
        if self._bits % PART or self._bits > MOST_BITS or len(self.codes) < LEAST_ROWS or radius // parts > 1:
            return self._ranged(self._flat, queries, radius)  # two bits of a part are too many patterns
        if self._hash is None:
            self._hash = self._faiss.IndexBinaryMultiHash(self._bits, parts, PART)
            self._hash.add(self.codes)
        self._hash.nflip = radius // parts
        return self._ranged(self._hash, queries, radius)

    def _ranged(self, index: Any, queries: Codes, radius: int) -> list[Found]:
        limits, far, where = index.range_search(np.ascontiguousarray(queries), radius + 1)
        starts = limits.astype(np.int64)
        return [ordered(far[a:b].astype(np.uint16), where[a:b].astype(np.int64)) for a, b in pairwise(starts.tolist())]


def imported() -> Any:
    """The module faiss.

    Raises
    ------
    ImportError
        Naming what to install.
    """
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "engine='faiss' needs faiss, which is not installed: pip install \"azogue[faiss]\""
        ) from error
    return faiss


def engine_for(name: str, codes: Codes) -> Core | Faiss:
    """The engine of a name, made of codes."""
    return Faiss(codes) if name == "faiss" else Core(codes)
