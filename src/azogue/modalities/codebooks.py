"""Codebooks: the values of a column as a number of codes, and values drawn back from codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.modalities.scaling import Floats

Codes = NDArray[np.int64]

#: What is not known: the cell is hidden.
UNKNOWN = -1
#: Rows of a column for each of its values, from which the values themselves are drawn and nothing between them.
REPEATED = 3.0


@dataclass(frozen=True)
class Codebook:
    """A partition of a column's values `u` into codes.

    A code stands for pieces: points (low = high) and intervals, each with the rows that it was seen in. A value is
    drawn from a code by drawing a piece in proportion to its rows, and a number evenly from the piece. The last code is
    that of missing cells, where the column had any.

    Parameters
    ----------
    code : tuple of int
        The code of each piece, in ascending order.
    low, high : tuple of float
        Each piece's ends, in the units of `u`.
    rows : tuple of float
        In how many rows a piece was seen.
    missing : bool
        Whether the column had missing cells.
    discrete : bool
        Whether values that no piece holds are unknown, as categories are; else the nearest piece counts.

    Examples
    --------
    >>> book = learn(np.array([0.0, 0.0, 0.0, 1.0, 2.5, 4.0, np.nan]), bins=3)
    >>> book.size, book.missing
    (4, True)
    >>> book.codes(np.array([0.0, 1.0, 3.9, np.nan])).tolist()
    [0, 1, 2, 3]
    """

    code: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    rows: tuple[float, ...]
    missing: bool = False
    discrete: bool = False

    @property
    def size(self) -> int:
        """Codes, that of missing cells included."""
        return self.values + self.missing

    @cached_property
    def values(self) -> int:
        """Codes of values."""
        return 1 + max(self.code, default=-1)

    @cached_property
    def _pieces(self) -> tuple[Codes, Floats, Floats, Floats]:
        return np.array(self.code, np.int64), np.array(self.low), np.array(self.high), np.array(self.rows)

    @cached_property
    def _finder(self) -> tuple[Floats, Codes, Floats, Floats, Codes]:
        """Points in order with their codes; intervals in order with theirs."""
        code, low, high, _ = self._pieces
        point = low == high
        at, wide = np.argsort(low[point], kind="stable"), np.argsort(low[~point], kind="stable")
        return low[point][at], code[point][at], low[~point][wide], high[~point][wide], code[~point][wide]

    def codes(self, u: Floats) -> Codes:
        """Values (n,), NaN where missing → codes (n,), `UNKNOWN` where nothing is known of them."""
        points, of_points, _, _, _ = self._finder
        gone = np.isnan(u)
        found = np.full(len(u), UNKNOWN, np.int64)
        at, exact = _nearest(points, u)
        if len(points):
            found[exact] = of_points[at[exact]]
        rest = ~gone & ~exact
        if not self.discrete and rest.any():
            found[rest] = self._around(u[rest], at[rest] if len(points) else None)
        found[gone] = self.values if self.missing else UNKNOWN
        return found

    def _around(self, u: Floats, near: Codes | None) -> Codes:
        """The code of the interval around a number, or of the nearest piece."""
        points, of_points, low, high, of_intervals = self._finder
        if not len(low):
            return np.full(len(u), UNKNOWN, np.int64) if near is None else of_points[near]
        bin_ = np.clip(np.searchsorted(low, u, "right") - 1, 0, len(low) - 1)
        after = np.minimum(bin_ + 1, len(low) - 1)
        outside = np.maximum(np.maximum(low[bin_] - u, u - high[bin_]), 0.0)
        beyond = np.maximum(np.maximum(low[after] - u, u - high[after]), 0.0)
        bin_ = np.where(beyond < outside, after, bin_)
        outside = np.minimum(beyond, outside)
        found = of_intervals[bin_]
        if near is not None:
            closer = np.abs(points[near] - u) < outside
            found = np.where(closer, of_points[near], found)
        return np.asarray(found, np.int64)

    def draw(self, codes: Codes, uniform: Floats, inside: Floats, within: Within | None = None) -> Floats:
        """Codes (n,) → values (n,), NaN for the code of missing cells.

        Parameters
        ----------
        codes : ndarray of int, shape (n,)
        uniform, inside : ndarray, shape (n,)
            Evenly drawn from [0, 1): which piece, and where in it.
        within : Within, optional
            What values may be drawn.
        """
        gone = codes >= self.values
        if not self.code:
            return np.full(len(codes), np.nan)
        code, low, high, rows = self._pieces if within is None else within.pieces
        total = np.concatenate([[0.0], np.cumsum(rows)])
        first = np.searchsorted(code, np.arange(self.values + 1))
        own = np.where(gone, 0, codes)
        if within is not None:
            own = np.where(first[own] < first[own + 1], own, code[0] if len(code) else 0)
        start, stop = total[first[own]], total[first[own + 1]]
        piece = np.searchsorted(total, start + uniform * (stop - start), "right") - 1
        piece = np.clip(piece, first[own], np.maximum(first[own + 1] - 1, first[own]))
        if not len(code):
            return np.full(len(codes), np.nan)
        drawn = low[piece] + inside * (high[piece] - low[piece])
        return np.where(gone, np.nan, drawn)

    def cut(self, spans: Sequence[tuple[float, float]], missing: bool, grain: float = 0.0) -> Within:
        """What of the pieces lies in one of several spans.

        Parameters
        ----------
        spans : sequence of (low, high)
            Ends included, apart from one another.
        missing : bool
            Whether cells may be missing.
        grain : float
            How far apart values are: what a single value has of an interval. 0: a millionth of it.
        """
        code, low, high, rows = self._pieces
        found = []
        for begin, end in spans:
            left, right = np.maximum(low, begin), np.minimum(high, end)
            width = high - low
            least = np.where(width > 0, np.maximum(grain, 1e-6 * width), 1.0)
            part = np.minimum(np.maximum(right - left, least) / np.maximum(width, least), 1.0)
            kept = right >= left
            found.append(np.stack([code, left, right, rows * part])[:, kept])
        pieces = np.concatenate(found, 1) if found else np.empty((4, 0))
        pieces = pieces[:, np.argsort(pieces[0], kind="stable")]
        return Within((pieces[0].astype(np.int64), *pieces[1:]), missing and self.missing)

    def middle(self, codes: Codes) -> Floats:
        """Codes → the value in the middle of each, NaN for the code of missing cells."""
        half = np.full(len(codes), 0.5)
        return self.draw(codes, half, half)

    @property
    def centres(self) -> Floats:
        """The middle of each code of a value, as a share of the rows below it, (values,)."""
        code, low, high, rows = self._pieces
        order = np.argsort(low + high, kind="stable")
        below = np.empty(len(order))
        below[order] = np.cumsum(rows[order]) - rows[order] / 2
        weight = np.bincount(code, rows, minlength=self.values)
        means = np.bincount(code, below * rows, minlength=self.values) / np.maximum(weight, 1e-12)
        return np.asarray(means / max(rows.sum(), 1.0))

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Codebook:
        """The inverse of `to_dict`.

        Raises
        ------
        ValueError
            For pieces that are none.
        """
        if set(data) != {item.name for item in fields(cls)}:
            raise ValueError(f"Codebook: the keys are {sorted(data)}")
        code = tuple(map(int, data["code"]))
        low, high, rows = (tuple(map(float, data[key])) for key in ("low", "high", "rows"))
        book = cls(code, low, high, rows, bool(data["missing"]), bool(data["discrete"]))
        lengths = {len(code), len(low), len(high), len(rows)}
        if len(lengths) > 1 or list(code) != sorted(code) or set(code) != set(range(book.values)):
            raise ValueError("Codebook: codes and pieces contradict one another")
        return book


@dataclass(frozen=True, eq=False)
class Within:
    """What of a codebook's pieces may be drawn.

    Parameters
    ----------
    pieces : code, low, high, rows; ndarray of shape (pieces,) each
        In the order of their codes.
    missing : bool
        Whether cells may be missing.
    """

    pieces: tuple[Codes, Floats, Floats, Floats]
    missing: bool

    def weights(self, book: Codebook) -> Floats:
        """The part of each code that is left, (codes,): what a code's probability is multiplied with."""
        whole = np.bincount(book._pieces[0], book._pieces[3], minlength=book.values)
        left = np.bincount(self.pieces[0], self.pieces[3], minlength=book.values)
        parts = left / np.maximum(whole, 1e-300)
        return np.append(parts, float(self.missing)) if book.missing else parts


def _nearest(points: Floats, u: Floats) -> tuple[Codes, NDArray[np.bool_]]:
    """The nearest point's place for each value, and whether it is the value itself."""
    if not len(points):
        return np.zeros(len(u), np.int64), np.zeros(len(u), bool)
    right = np.clip(np.searchsorted(points, u), 0, len(points) - 1)
    left = np.maximum(right - 1, 0)
    with np.errstate(invalid="ignore"):
        at = np.where(np.abs(points[left] - u) < np.abs(points[right] - u), left, right)
        return at, points[at] == u


def learn(u: Floats, bins: int, discrete: bool = False) -> Codebook:
    """The codebook of a column.

    With at most `bins` different values each has a code. Else values that are frequent have one (of numbers those seen
    in at least half of the rows of a bin); the others share codes: numbers as neighbours of about equally many rows,
    categories from the most frequent to the rarest. Where a column's values were seen in three rows each on average,
    bins consist of the values that were seen, else of all between their ends.

    Parameters
    ----------
    u : ndarray, shape (n,)
        NaN where missing.
    bins : int
        Codes, at most.
    discrete : bool
        Whether values are categories.
    """
    missing = bool(np.isnan(u).any())
    values, counts = np.unique(u[~np.isnan(u)], return_counts=True)
    if len(values) <= bins:
        pieces = [(code, v, v, c) for code, (v, c) in enumerate(zip(values, counts, strict=True))]
    elif discrete:
        pieces = _categories(values, counts, bins)
    else:
        pieces = _numbers(values, counts, bins)
    code, low, high, rows = zip(*pieces, strict=True) if pieces else ((), (), (), ())
    ends = tuple(map(float, low)), tuple(map(float, high))
    return Codebook(tuple(map(int, code)), *ends, tuple(map(float, rows)), missing, discrete)


Piece = tuple[int, float, float, float]


def _categories(values: Floats, counts: Codes, bins: int) -> list[Piece]:
    """The most frequent categories by themselves, the others in a quarter of the codes, of about equally many rows."""
    order = np.argsort(-counts, kind="stable")
    alone = bins - bins // 4
    pieces = [(code, values[at], values[at], float(counts[at])) for code, at in enumerate(order[:alone])]
    rest = order[alone:]
    for own in _shared(counts[rest], bins - alone):
        code = pieces[-1][0] + 1
        pieces += [(code, values[at], values[at], float(counts[at])) for at in rest[own]]
    return pieces


def _shared(counts: Codes, bins: int) -> list[Codes]:
    """Neighbours in groups of about equally many rows: their places."""
    place = np.minimum((np.cumsum(counts) - counts / 2) * bins / counts.sum(), bins - 1).astype(np.int64)
    return np.split(np.arange(len(counts)), np.flatnonzero(np.diff(place)) + 1)


def _numbers(values: Floats, counts: Codes, bins: int) -> list[Piece]:
    """Frequent numbers by themselves, the others in bins."""
    frequent = counts >= max(2.0, counts.sum() / bins / 2)
    if frequent.sum() > bins // 2:
        chosen = np.argsort(-counts, kind="stable")[: bins // 2]
        frequent = np.zeros(len(values), bool)
        frequent[chosen] = True
    pieces: list[Piece] = [
        (code, v, v, float(c)) for code, (v, c) in enumerate(zip(values[frequent], counts[frequent], strict=True))
    ]
    rest, rows = values[~frequent], counts[~frequent]
    if not len(rest):
        return pieces
    groups = _shared(rows, max(1, bins - len(pieces)))
    alone = counts.sum() >= REPEATED * len(values)
    code = len(pieces)
    for number, own in enumerate(groups):
        if alone or len(own) == 1:
            pieces += [(code + number, v, v, float(c)) for v, c in zip(rest[own], rows[own], strict=True)]
            continue
        stop = rest[groups[number + 1][0]] if number + 1 < len(groups) else rest[own[-1]]
        pieces.append((code + number, float(rest[own[0]]), float(stop), float(rows[own].sum())))
    return pieces
