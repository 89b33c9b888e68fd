"""Symbols of a model ↔ bytes. A model says what contexts a step has; here is how its steps are walked, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from azogue.compression import ans
from azogue.compression.ans import DamagedError, Ints
from azogue.compression.mixing import Mixture

#: Most lanes, and so symbols of a step.
LANES = 1024
#: No coded byte holds more symbols than this: what is expected most has 2²⁰ − 255 of 2²⁰ slots.
DENSITY = 1 << 15


class Step(Protocol):
    """One step of a model: n symbols at a time."""

    mixture: Mixture

    def look(self) -> int:
        """Set the contexts in the mixture; the number of symbols."""
        ...

    def take(self) -> Ints:
        """The symbols, where they are known: when encoding."""
        ...

    def put(self, symbols: Ints) -> None:
        """Accept symbols: when decoding."""
        ...


class Model(Protocol):
    """Steps in an order that decoding can follow."""

    @property
    def symbols(self) -> int:
        """How many symbols there are in all."""
        ...

    @property
    def lanes(self) -> int:
        """Most symbols of a step."""
        ...

    def steps(self) -> Iterator[Step]:
        """The steps."""
        ...


def encode(model: Model) -> bytes:
    """The symbols that a model holds, as bytes."""
    found: list[tuple[Ints, Ints]] = []
    for step in model.steps():
        step.look()
        symbol = step.take()
        low, freq = step.mixture.span(symbol)
        found.append((low.astype(np.int32), freq.astype(np.int32)))
        step.mixture.learn(symbol)
    return ans.encode(found, model.lanes)


def decode(model: Model, data: bytes) -> None:
    """Fill a model with the symbols that bytes stand for.

    Raises
    ------
    DamagedError
        If the bytes are none that `encode` writes for such a model.
    """
    if model.symbols > DENSITY * (len(data) + 64):
        raise DamagedError(f"{len(data)} bytes cannot stand for {model.symbols} symbols")
    source = ans.Decoder(data, model.lanes)
    for step in model.steps():
        slot = source.slots(step.look())
        symbol = step.mixture.find(slot)
        source.advance(*step.mixture.span(symbol))
        step.put(symbol)
        step.mixture.learn(symbol)
    source.close()


def growing(n: int, most: int) -> Iterator[slice]:
    """Few rows first, then more: what the first ones teach serves the next."""
    start, size = 0, min(32, most)
    while start < n:
        yield slice(start, min(start + size, n))
        start, size = start + size, min(2 * size, most)
