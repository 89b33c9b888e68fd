"""Genes: what a number of a vector stands for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np

Gene: TypeAlias = "Choice | Range"


@dataclass(frozen=True)
class Choice:
    """One of several plain values, as a whole number from 0.

    Examples
    --------
    >>> gene = Choice(("basic", "sparse", "robust"))
    >>> gene.bounds, gene.value(1.2), gene.place("robust")
    ((0.0, 2.0), 'sparse', 2.0)
    """

    values: tuple[Any, ...]

    whole = True

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the greatest number that stands for something."""
        return 0.0, float(len(self.values) - 1)

    def value(self, number: float) -> Any:
        """What a number stands for; beyond the bounds, what the nearest one does."""
        return self.values[min(max(math.floor(number + 0.5), 0), len(self.values) - 1)]

    def place(self, value: Any) -> float:
        """The number of a value; of one that is not there, that of the nearest number, else of the first.

        Of positive numbers the nearest is that with the least ratio.
        """
        if value in self.values:
            return float(self.values.index(value))
        if not all(_is_number(item) for item in (value, *self.values)):
            return 0.0
        numbers = np.array([value, *self.values], dtype=float)
        places = np.log(numbers) if (numbers > 0).all() else numbers
        return float(np.argmin(np.abs(places[1:] - places[0])))

    def grid(self, levels: int) -> list[float]:
        """At most so many numbers, evenly apart."""
        return _even(0.0, float(len(self.values) - 1), min(levels, len(self.values)), True)


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`: whole, or on a logarithmic scale where that is told.

    Examples
    --------
    >>> rate = Range(1e-4, 1e-2, log=True)
    >>> rate.bounds, rate.value(0.5), rate.place(1e-3)
    ((0.0, 1.0), 0.001, 0.5)
    >>> Range(2, 8, whole=True).value(3.4)
    3
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """A whole number stands for itself; others lie in [0, 1]."""
        return (float(self.low), float(self.high)) if self.whole else (0.0, 1.0)

    def value(self, number: float) -> int | float:
        """What a number stands for, to three digits where it is not whole."""
        if self.whole:
            return int(min(max(math.floor(number + 0.5), self.low), self.high))
        at = min(max(number, 0.0), 1.0)
        found = self.low * (self.high / self.low) ** at if self.log else self.low + at * (self.high - self.low)
        return min(max(float(f"{found:.3g}"), self.low), self.high)

    def place(self, value: Any) -> float:
        """The number of a value, of the nearest one that there is."""
        inside = min(max(value, self.low), self.high)
        if self.whole or self.low == self.high:
            return float(inside) if self.whole else 0.0
        if self.log:
            return math.log(inside / self.low) / math.log(self.high / self.low)
        return float((inside - self.low) / (self.high - self.low))

    def grid(self, levels: int) -> list[float]:
        """At most so many numbers, evenly apart."""
        low, high = self.bounds
        return _even(low, high, min(levels, int(high - low) + 1) if self.whole else levels, self.whole)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _even(low: float, high: float, levels: int, whole: bool) -> list[float]:
    """`levels` numbers from low to high; of one level alone, the first of choices is the usual one."""
    if levels == 1 or low == high:
        return [low if low == 0.0 and whole else (low + high) / 2 if not whole else float(round((low + high) / 2))]
    found = [low + step * (high - low) / (levels - 1) for step in range(levels)]
    return [float(math.floor(number + 0.5)) for number in found] if whole else found


def narrowed(name: str, usual: Gene, given: Any) -> Gene:
    """A gene as the user wants it.

    A pair of numbers is the range of a gene of numbers; any other sequence, and a list in any case, names its values;
    a single value fixes it.

    Raises
    ------
    ValueError, TypeError
        For nothing to choose from, or what is no value of such a gene.

    Examples
    --------
    >>> narrowed("code", Range(1, 30, whole=True), (2, 8))
    Range(low=2, high=8, whole=True, log=False)
    >>> narrowed("code", Range(1, 30, whole=True), [2, 8])
    Choice(values=(2, 8))
    >>> narrowed("kind", Choice(("basic", "sparse")), "basic")
    Choice(values=('basic',))
    """
    values = tuple(given) if isinstance(given, Sequence) and not isinstance(given, (str, bytes)) else (given,)
    if not values:
        raise ValueError(f"space: {name!r} has nothing to choose from; give at least one value, or leave it out")
    if len(set(map(repr, values))) < len(values):
        values = tuple(dict.fromkeys(values))
    if not isinstance(usual, Range):
        return Choice(values)
    for value in values:
        kind: Any = Integral if usual.whole else Real
        if isinstance(value, bool) or not isinstance(value, kind) or not math.isfinite(value):
            wanted = "whole numbers" if usual.whole else "numbers"
            raise TypeError(f"space: {name!r} takes {wanted}, got {value!r} in {given!r}")
        if value < (0 if name == "layers" else 1 if usual.whole else 0) or (usual.log and value <= 0):
            raise ValueError(f"space: {name!r} has no value {value!r}; give larger ones")
    values = tuple(int(value) if usual.whole else float(value) for value in values)
    if len(values) == 2 and not isinstance(given, list):
        if values[0] > values[1]:
            raise ValueError(f"space: {name!r} from {values[0]} to {values[1]} is empty; give the lower end first")
        return Range(values[0], values[1], usual.whole, usual.log) if values[0] < values[1] else Choice(values[:1])
    return Choice(values)
