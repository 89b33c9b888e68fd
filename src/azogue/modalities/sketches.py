"""What is remembered of a column that goes by once: its range, its moments, and a sample that is all of it if it fits.

Each block of rows is added in turn; the blocks are those of `dataset.block_rows`, in memory as from files, so that the
same rows in the same order are remembered to the same bit, wherever they came from.

- Least, greatest, resolution, unit of time and categories are exact.
- Mean and standard deviation are those of all values: of a block about the first value, joined block by block.
- Quantiles are those of all values where the column has at most `capacity` of them, else of a random sample of that
  size, which is a function of positions alone. Their ranks are then wrong by more than `ε` in one case out of 100 at
  most, for all quantiles at once, with `ε = √(ln 200 / (2 · capacity))` (0.22 % for 524,288 values, the most; 0.40 %
  for 100 columns). The least and the greatest are exact.

References
----------
Massart (1990), The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality, for ε.
Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, for how blocks are joined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from azogue.modalities.columns import MAX_CATEGORIES, fit_kind, too_many
from azogue.modalities.dtypes import TEMPORAL, family
from azogue.modalities.integers import to_offset
from azogue.modalities.kinds import Absent, Kind
from azogue.modalities.numeric import DECIMALS, Numeric, Seen, float_unit, has_decimals, infinity, whole_base
from azogue.modalities.reading import Column
from azogue.modalities.scaling import Affine, Floats, Policy

#: Values that are remembered of all columns together, about, and the bounds for one column.
CELLS, FEWEST, MOST = 2**24, 2**11, 2**19


def capacity(columns: int) -> int:
    """Values of each column that are remembered."""
    return int(np.clip(CELLS // max(columns, 1), FEWEST, MOST))


def ranks(start: int, count: int) -> NDArray[np.uint32]:
    """A random number for each position: those with the least ones are the sample."""
    z = np.arange(start, start + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((z ^ (z >> np.uint64(31))) >> np.uint64(32)).astype(np.uint32)


class Sample:
    """The values with the least ranks; of equal ranks those that came first.

    Parameters
    ----------
    capacity : int
        How many are kept.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity, self._held, self._limit = capacity, 0, 2**32
        self._ranks, self._values = np.empty(0, np.uint32), np.empty(0)

    def add(self, values: NDArray[Any], where: NDArray[np.uint32]) -> None:
        """Values that are not missing, with the ranks of their positions."""
        if self._limit < 2**32:
            few = np.flatnonzero(where <= np.uint32(self._limit))
            values, where = values[few], where[few]
        room = self.capacity + (self.capacity >> 2)
        while len(values):
            if self._held == room:
                self._cut()
            count = min(len(values), room - self._held)
            self._grow(self._held + count, room, values.dtype)
            self._ranks[self._held : self._held + count] = where[:count]
            self._values[self._held : self._held + count] = values[:count]
            self._held += count
            values, where = values[count:], where[count:]

    def _grow(self, count: int, room: int, dtype: np.dtype[Any]) -> None:
        if count <= len(self._ranks) and self._values.dtype == dtype:
            return
        size = min(room, max(count, 2 * len(self._ranks)))
        ranks, values = np.empty(size, np.uint32), np.empty(size, dtype)
        ranks[: self._held], values[: self._held] = self._ranks[: self._held], self._values[: self._held]
        self._ranks, self._values = ranks, values

    def _cut(self) -> None:
        where = self._ranks[: self._held]
        if self._held <= self.capacity:
            return
        self._limit = int(np.partition(where, self.capacity - 1)[self.capacity - 1])
        below = where < self._limit
        below[np.flatnonzero(where == self._limit)[: self.capacity - int(below.sum())]] = True
        kept, self._held = np.flatnonzero(below), self.capacity
        self._ranks[: self._held] = where[kept]
        self._values[: self._held] = self._values[kept]

    def all(self) -> NDArray[Any]:
        """The values, in the order of their positions."""
        self._cut()
        return self._values[: self._held]


@dataclass
class Moments:
    """Count, mean and sum of squared deviations of values about the first of them."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, d: Floats) -> None:
        """A block of values."""
        count = len(d)
        if not count:
            return
        mean = float(d.mean())
        total, apart = self.count + count, mean - self.mean
        self.squares += float(np.square(d - mean).sum()) + apart * apart * (self.count * count / total)
        self.mean += apart * (count / total)
        self.count = total

    @property
    def deviation(self) -> float:
        """The population standard deviation."""
        return math.sqrt(self.squares / self.count)


class Numbers:
    """A column of numbers or times.

    Parameters
    ----------
    column : Column
        Any part of it: its label and type.
    capacity : int
    """

    def __init__(self, column: Column, capacity: int) -> None:
        self._column, self._sample, self._moments = column, Sample(capacity), Moments()
        self._low: Any = None
        self._high: Any = None
        self._first: Any = None
        self._step = 0  # the greatest whole number that divides all differences
        self._largest = 0.0
        self._decimals = 0
        self._temporal = family(column.type) in TEMPORAL

    def add(self, column: Column, where: NDArray[np.uint32]) -> None:
        """The column's part in a block of rows, and the ranks of their positions."""
        values, missing = column.stored
        gone = (
            missing
            if values.dtype.kind in "iu"
            else np.isnan(values)
            if missing is None
            else missing | np.isnan(values)
        )
        if gone is not None and gone.any():
            values, where = values[~gone], where[~gone]
        if not len(values):
            return
        self._range(values)
        first = self._first
        with np.errstate(over="ignore", invalid="ignore"):
            self._moments.add(to_offset(values, first) if isinstance(first, int) else values.astype(np.float64) - first)
        if self._temporal:
            words = values.astype(np.int64).view(np.uint64) - np.uint64(int(values.min()) % 2**64)
            self._step = math.gcd(self._step, int(np.gcd.reduce(words)), abs(int(values.min()) - int(self._first)))
        elif values.dtype.kind == "f":
            while self._decimals <= DECIMALS and not has_decimals(values, self._decimals):
                self._decimals += 1
        self._sample.add(values, where)

    def _range(self, values: NDArray[Any]) -> None:
        low, high = values.min().item(), values.max().item()
        self._largest = max(self._largest, abs(float(low)), abs(float(high)))
        if math.isinf(self._largest):
            raise infinity(self._column.label)
        if self._first is None:
            self._first, self._low, self._high = values[0].item(), low, high
        self._low, self._high = min(self._low, low), max(self._high, high)

    def fitted(self, policy: Policy, smooth: bool) -> tuple[Kind, Floats]:
        """What the column is, and its sorted values (a sample of them) in its own unit."""
        column, plain = self._column, policy.scaling == "none"
        if self._first is None:
            return Absent.of(column), np.empty(0)
        values = self._sample.all()
        whole = values.dtype.kind in "iu"
        if whole:
            base, unit = whole_base(self._low, self._high, self._step, column.type, plain)
        else:
            base, unit = 0, float_unit(column.label, self._largest, plain)
        ends = np.array([self._low, self._high], values.dtype)
        u = np.sort(to_offset(np.concatenate([values, ends]), base) / unit)
        u = u[1:-1] if len(values) == self._moments.count else u  # they are among them
        standard = None
        if len(values) < self._moments.count:
            standard = self._standard(base, unit, float(u[0]), float(u[-1]))
        decimals = None if whole or unit != 1.0 or self._decimals > DECIMALS else self._decimals
        if decimals is not None and not has_decimals(values, decimals):
            decimals = None
        return Numeric.of(column, policy, smooth, Seen(u, base, unit, whole, decimals, standard)), u

    def _standard(self, base: int, unit: float, low: float, high: float) -> Affine | None:
        """Mean and standard deviation; None where their squares overflowed."""
        mean = float(self._first - base) / unit + self._moments.mean / unit
        scale = self._moments.deviation / unit if math.isfinite(self._moments.squares) else math.nan
        return Affine(min(max(mean, low), high), scale) if math.isfinite(mean) and 0 < scale < math.inf else None


class Others:
    """A column of booleans or categories, or without any value.

    Parameters
    ----------
    column : Column
    """

    def __init__(self, column: Column) -> None:
        self._column, self._known = column, pa.array([], _value_type(column.type))
        self._seen = False

    def add(self, column: Column, where: NDArray[np.uint32]) -> None:
        """The column's part in a block of rows."""
        array = column.array
        self._seen = self._seen or array.null_count < len(array)
        if family(column.type) != "categorical":
            return
        own = pa.types.is_dictionary(column.type)
        found = array.dictionary if own else array.unique().drop_null()
        fresh = found.filter(pc.invert(pc.is_in(found, value_set=self._known)))
        if len(fresh):
            self._known = pa.concat_arrays([self._known, fresh.cast(self._known.type)])
        if len(self._known) > MAX_CATEGORIES:
            raise too_many(column.label, f"more than {MAX_CATEGORIES:,}")

    def fitted(self, policy: Policy, smooth: bool) -> tuple[Kind, Floats]:
        """What the column is, and no numbers."""
        column, kind = self._column, self._column.type
        if pa.types.is_dictionary(kind):
            indices = pa.array([0 if self._seen else None], kind.index_type)
            array = pa.DictionaryArray.from_arrays(indices, self._known, ordered=kind.ordered)
        elif family(kind) == "categorical":
            array = self._known.cast(kind) if self._seen else pa.nulls(1, kind)
        else:
            array = pa.array([True] if self._seen else [None], kind)
        return fit_kind(Column(column.label, kind, array, column.native), policy, smooth), np.empty(0)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


Sketch = Numbers | Others


def sketch(column: Column, size: int) -> Sketch:
    """What will remember a column, by its type."""
    return Others(column) if family(column.type) in ("absent", "boolean", "categorical") else Numbers(column, size)
