"""Numeric columns, dates and times among them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from azogue.modalities.dtypes import TEMPORAL, family, storage
from azogue.modalities.integers import coarsest_unit, from_offset, unit_of
from azogue.modalities.kinds import Absent, Kind, Missing
from azogue.modalities.reading import Column, Label
from azogue.modalities.scaling import LEVELS, Affine, Floats, Knots, Map, Policy, is_exact, lossless, standard

#: Decimals that are looked for.
DECIMALS = 12
#: Beyond this, float64 does not hold every whole number.
_WHOLE = 2**53
_ORDINARY = (2.0**-500, 2.0**500)
#: Nanoseconds of a tick of the temporal types.
_TICKS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
_DAY = 86_400 * 10**9


@dataclass(frozen=True)
class Numeric(Kind):
    """Numbers and times in one slot: `s = map(u)` of `u = (value − base) / unit`.

    Parameters
    ----------
    scaling : str
        The scaling that was chosen.
    map : Affine or Knots
    low, high : float
        The range of `u` that was seen.
    base : int
        Subtracted from whole numbers exactly: 0 where float64 holds the values anyhow.
    unit : float
        The coarsest unit of time that divides all differences; for floats, a power of two that tames extreme values.
    decimals : int or None
        All values were multiples of 10^−decimals, and values that come back are rounded to that.
    smooth : bool
        Only round what lies at a rounding error's distance: reconstructions of plain arrays stay smooth.
    """

    scaling: str
    map: Map
    low: float
    high: float
    base: int = 0
    unit: float = 1.0
    decimals: int | None = None
    smooth: bool = False

    kind = "numeric"
    slots = 1

    @property
    def describe(self) -> str:
        """The kind in a plan; times go by their own names."""
        return self.family

    def check(self, column: Column) -> None:
        """Refuse a column of another kind, and of naive times where there were time zones or the reverse."""
        super().check(column)
        zones = [getattr(kind, "tz", None) for kind in (self.arrow, column.type)]
        if self.family == family(column.type) == "datetime" and (zones[0] is None) != (zones[1] is None):
            raise TypeError(f"column {column.label!r} had the time zone {zones[0]} when fitted and now has {zones[1]}")

    def floats(self, column: Column, rows: slice) -> Floats:
        """`u` of some rows, NaN where missing."""
        return column.floats(rows, self.base, self.unit)

    def align(self, column: Column) -> Column:
        """The column in the unit of time that was fitted."""
        if column.type == self.arrow or self.family not in TEMPORAL:
            return column
        options = pc.CastOptions(self.arrow, allow_time_truncate=True, allow_time_overflow=False)
        return Column(column.label, self.arrow, column.array.cast(options=options), column.native)

    @property
    def is_plain(self) -> bool:
        """Whether `u` is the value itself, in any dtype that may come."""
        return self.base == 0 and self.unit == 1.0 and self.family not in TEMPORAL

    @cached_property
    def storage(self) -> np.dtype[Any]:
        """The dtype of the numbers that stand for the values."""
        dtype: np.dtype[Any] = np.dtype(storage(self.arrow).to_pandas_dtype())
        return dtype

    def cells(self, u: Floats) -> NDArray[Any]:
        """`u` → numbers of the column's dtype: rounded where it has a resolution, clipped to what it can hold."""
        if self.storage.kind in "iu":
            return from_offset(u, self.base, int(self.unit), whole_limits(self.arrow, self.storage), self.storage)
        most = float(np.finfo(self.storage).max) / self.unit
        values = np.clip(u, -most, most) * self.unit
        if self.decimals is not None:
            near = np.rint(values * 10.0**self.decimals) / 10.0**self.decimals
            tolerance = (self.high - self.low) * 2.0**-22 if self.smooth else np.inf
            values = np.where(np.abs(near - values) <= tolerance, near, values)
        return values.astype(self.storage)

    def array(self, cells: NDArray[Any], missing: Missing) -> pa.Array:
        """Numbers → values."""
        return pa.array(cells, mask=missing).view(self.arrow)

    @classmethod
    def fit(cls, column: Column, policy: Policy, smooth: bool) -> Kind:
        """Learn range, resolution and scaling from a column."""
        dtype = column.stored[0].dtype
        whole = dtype.kind in "iu"
        base, unit = (_whole_grid if whole else _float_grid)(column, policy.scaling == "none")
        u = column.floats(base=base, unit=unit)
        u = np.sort(u[~np.isnan(u)])
        if len(u) == 0:
            return Absent.of(column)
        decimals = None if whole or unit != 1.0 else _decimals(u, dtype)
        return cls.of(column, policy, smooth, Seen(u, base, unit, whole, decimals))

    @classmethod
    def of(cls, column: Column, policy: Policy, smooth: bool, seen: Seen) -> Kind:
        """What follows from what was seen of a column."""
        u, low, high = seen.u, float(seen.u[0]), float(seen.u[-1])
        scaling, scale = policy.fit(u, seen.standard)
        if seen.whole:
            scaling, scale = _kept_whole(u, scaling, scale, seen.standard)
        if scaling == "none":
            _check_closed(column.label, low, high, policy)
        levels = None if seen.decimals is None else (high - low) * 10.0**seen.decimals
        decimals = seen.decimals if levels is not None and levels < LEVELS else None
        kind = str(column.type), column.native
        return cls(*kind, scaling, scale, low, high, seen.base, seen.unit, decimals, smooth)


@dataclass(frozen=True, eq=False)
class Seen:
    """What was seen of a column of numbers.

    Parameters
    ----------
    u : ndarray, shape (n,)
        Its values `(value − base) / unit`, sorted: all of them, or a sample with the least and the greatest.
    base, unit : int, float
    whole : bool
        Whether they are whole numbers.
    decimals : int or None
        The fewest that all values have.
    standard : Affine or None
        Mean and standard deviation of all values, where `u` is a sample.
    """

    u: Floats
    base: int
    unit: float
    whole: bool
    decimals: int | None
    standard: Affine | None = None


def _kept_whole(u: Floats, scaling: str, scale: Map, known: Affine | None) -> tuple[str, Map]:
    """The scaling, or one near it that keeps whole numbers of fewer than 2²⁴ levels exactly."""
    low, high = float(u[0]), float(u[-1])
    if scaling in ("none", "constant") or high - low >= LEVELS or is_exact(scale, low, high):
        return scaling, scale
    if isinstance(scale, Knots):
        return "standard", lossless(known or standard(u))
    return scaling, lossless(scale)


def _whole_grid(column: Column, plain: bool) -> tuple[int, float]:
    """The base and unit of whole numbers and times."""
    values, missing = column.stored
    seen = values if missing is None else values[~missing]
    temporal = family(column.type) in TEMPORAL
    if len(seen) == 0 or (plain and not temporal):
        return 0, 1.0
    low, high = int(seen.min()), int(seen.max())
    if temporal:
        return low, float(coarsest_unit(seen, low, tick(column.type)))
    return whole_base(low, high, 0, column.type, plain)


def whole_base(low: int, high: int, step: int, kind: pa.DataType, plain: bool) -> tuple[int, float]:
    """The base and unit of whole numbers in a range, and of times whose differences are multiples of a step."""
    if family(kind) in TEMPORAL:
        return low, float(unit_of(step, tick(kind)))
    return (low if not plain and max(-low, high) > _WHOLE else 0), 1.0


def _float_grid(column: Column, plain: bool) -> tuple[int, float]:
    """The base and unit of floats."""
    values, missing = column.stored
    largest = float(np.fmax.reduce(np.abs(values if missing is None else values[~missing]), initial=0.0))
    return 0, float_unit(column.label, largest, plain)


def float_unit(label: Label, largest: float, plain: bool) -> float:
    """A unit that keeps squares of extreme floats finite and normal."""
    if math.isinf(largest):
        raise infinity(label)
    if plain and largest > float(np.finfo(np.float32).max):
        raise ValueError(f"column {label!r} holds {largest:g}, too large for float32; scaling='none' cannot be used")
    ordinary = plain or largest == 0 or _ORDINARY[0] <= largest <= _ORDINARY[1]
    return 1.0 if ordinary else math.ldexp(1.0, math.frexp(largest)[1] - 1)


def infinity(label: Label) -> ValueError:
    """The error for infinite values."""
    return ValueError(
        f"Input X contains infinity in column {label!r}; replace it by a number, or by NaN if it is unknown"
    )


def _decimals(u: Floats, dtype: np.dtype[Any]) -> int | None:
    """The fewest decimals that all values have, if that makes fewer than 2²⁴ levels."""
    powers = 10.0 ** np.arange(DECIMALS + 1)
    powers = powers[(u[-1] - u[0]) * powers < LEVELS]
    return next((at for at in range(len(powers)) if has_decimals(u.astype(dtype), at)), None)


def has_decimals(values: NDArray[Any], decimals: int) -> bool:
    """Whether all values are what is nearest, in their dtype, to a number of so many decimals."""
    power = 10.0**decimals
    few = values[:: max(1, len(values) // 64)]
    for part in (few, values):
        with np.errstate(over="ignore", invalid="ignore"):
            near = (np.rint(part.astype(np.float64) * power) / power).astype(values.dtype)
        if not np.array_equal(near, part):
            return False
    return True


def _check_closed(label: Label, low: float, high: float, policy: Policy) -> None:
    """Refuse data outside the values that head and activation can take."""
    if low < policy.closed[0] or high > policy.closed[1]:
        raise ValueError(
            f"column {label!r} has values from {low:g} to {high:g}, outside the range {list(policy.closed)} of "
            f"{policy.reason}; scale the column first or choose another objective or output activation"
        )


def tick(kind: pa.DataType) -> int:
    """Nanoseconds of one tick of a temporal type."""
    if pa.types.is_date(kind):
        return _DAY if pa.types.is_date32(kind) else 10**6
    return _TICKS[kind.unit]


def whole_limits(kind: pa.DataType, dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least and the largest whole number of a type; dates stay within the years 1 to 9999."""
    word = np.iinfo(dtype)
    if pa.types.is_date(kind):
        return -719_162 * (_DAY // tick(kind)), 2_932_896 * (_DAY // tick(kind))
    if pa.types.is_time(kind):
        return 0, _DAY // tick(kind) - 1
    return int(word.min) + (family(kind) in TEMPORAL), int(word.max)
