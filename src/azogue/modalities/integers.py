"""Whole numbers of 64 bits as float64 offsets and back, without loss where they are near one another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = 2**64
_NEAR = 2.0**62
#: Day, hour, minute, second and its parts.
_NANOSECONDS = (86_400 * 10**9, 3_600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3, 1)


def to_offset(values: NDArray[Any], base: int) -> NDArray[np.float64]:
    """`values − base` as a fresh float64 array; the difference of integers is taken exactly.

    Examples
    --------
    >>> to_offset(np.array([2**63 - 3, 2**63 - 1]), 2**63 - 3)
    array([0., 2.])
    """
    far = values.astype(np.float64)
    if base == 0:
        return far
    far -= float(base)
    if values.dtype.kind not in "iu":
        return far
    near = (_words(values) - np.uint64(base % _WORD)).view(np.int64)
    return np.where(np.abs(far) < _NEAR, near, far)


def from_offset(
    offset: NDArray[np.float64], base: int, unit: int, limits: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """`base + unit · round(offset)` as integers, clipped to `limits`: the inverse of `to_offset(...) / unit`.

    Examples
    --------
    >>> from_offset(np.array([0.1, 9e99]), 2**63 - 3, 1, (-(2**63), 2**63 - 1), np.dtype("int64")) - (2**63 - 3)
    array([0, 2])
    """
    lowest, highest = (_inward(bound) for bound in limits)
    least, most = _inward(-((base - limits[0]) // unit)), _inward((limits[1] - base) // unit)
    whole = np.clip(np.rint(offset), least, most)
    near = np.abs(whole) * unit < _NEAR
    words = np.where(near, whole, 0.0).astype(np.int64).view(np.uint64) * np.uint64(unit) + np.uint64(base % _WORD)
    exact = words.view(np.uint64 if dtype == np.uint64 else np.int64).astype(dtype)
    return exact if near.all() else np.where(near, exact, np.clip(base + whole * unit, lowest, highest).astype(dtype))


def coarsest_unit(values: NDArray[np.int64], base: int, tick: int) -> int:
    """The coarsest of day, hour, minute, ... that divides all differences to `base`.

    Parameters
    ----------
    values : ndarray of int
        Times, counted in ticks.
    base : int
        One of them.
    tick : int
        A tick in nanoseconds.

    Examples
    --------
    >>> coarsest_unit(np.array([0, 7_200, 10_800]), 0, tick=10**9)
    3600
    """
    return unit_of(int(np.gcd.reduce(_words(values) - np.uint64(base % _WORD))), tick)


def unit_of(common: int, tick: int) -> int:
    """The coarsest of day, hour, minute, ... that divides so many ticks of so many nanoseconds."""
    units = (nanoseconds // tick for nanoseconds in _NANOSECONDS if nanoseconds % tick == 0)
    return next(unit for unit in units if common % unit == 0)


def _words(values: NDArray[Any]) -> NDArray[np.uint64]:
    return values if values.dtype == np.uint64 else values.astype(np.int64).view(np.uint64)


def _inward(bound: int) -> float:
    """The float64 nearest to an integer that is no farther from zero."""
    value = float(bound)
    return value if abs(int(value)) <= abs(bound) else float(np.nextafter(value, 0.0))
