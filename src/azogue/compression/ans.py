"""An entropy coder for many symbols at a time: asymmetric numeral systems over parallel lanes, in whole numbers alone.

Each lane holds a state x in [2³¹, 2⁶³). A symbol that owns `[low, low + freq)` of 2²⁰ slots takes it to
`(x // freq) 2²⁰ + x mod freq + low`, which costs log₂(2²⁰/freq) bits; 32-bit words leave when the state grows full.
What is written last is read first, so that encoding runs backwards (Duda 2013; Giesen 2014, Interleaved entropy
coders).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Probabilities are whole numbers of this many slots: 2²⁰.
BITS = 20
_LOWEST = 1 << 31
Ints = NDArray[np.int64]


class DamagedError(ValueError):
    """Coded bytes that no encoder wrote; the message says what is wrong with them."""


def encode(steps: list[tuple[Ints, Ints]], lanes: int) -> bytes:
    """Symbols → bytes.

    Parameters
    ----------
    steps : list of (low, freq), arrays of equal length, at most `lanes`
        What each lane codes in each step; lane i codes the i-th symbol.
    lanes : int

    Returns
    -------
    bytes
        The lanes' states, then words, little-endian.

    Examples
    --------
    >>> data = encode([(np.array([0]), np.array([1 << 19]))] * 64, 1)
    >>> len(data)  # 64 bits in two words, and the lane's state
    16
    """
    state = np.full(lanes, _LOWEST, np.uint64)
    words: list[NDArray[np.uint32]] = []
    for low, freq in reversed(steps):
        f = freq.astype(np.uint64)
        x = state[: len(f)]
        full = x >= f << np.uint64(63 - BITS)
        if full.any():
            words.append(x[full].astype(np.uint32))
            x = np.where(full, x >> np.uint64(32), x)
        whole, rest = np.divmod(x, f)
        state[: len(f)] = (whole << np.uint64(BITS)) + rest + low.astype(np.uint64)
    tail = [part.astype("<u4").tobytes() for part in reversed(words)]
    return state.astype("<u8").tobytes() + b"".join(tail)


class Decoder:
    """Bytes → symbols: `slots(n)` says where the next n lanes stand, `advance` takes the symbols found there.

    Parameters
    ----------
    data : bytes
        What `encode` gave.
    lanes : int

    Raises
    ------
    DamagedError
        If the bytes are too few, or not all of them are used (`close`).
    """

    def __init__(self, data: bytes, lanes: int) -> None:
        if len(data) < 8 * lanes or len(data) % 4:
            raise DamagedError(f"coded data of {len(data)} bytes cannot hold {lanes} lanes")
        self._state = np.frombuffer(data, "<u8", lanes).astype(np.uint64)
        self._words = np.frombuffer(data, "<u4", offset=8 * lanes)
        self._at = 0

    def slots(self, n: int) -> Ints:
        """The slot, 0 … 2²⁰ − 1, that each of the first n lanes stands in."""
        return (self._state[:n] & np.uint64((1 << BITS) - 1)).astype(np.int64)

    def advance(self, low: Ints, freq: Ints) -> None:
        """Take one symbol off each of the first lanes."""
        n = len(low)
        x = self._state[:n]
        x = freq.astype(np.uint64) * (x >> np.uint64(BITS)) + (x & np.uint64((1 << BITS) - 1)) - low.astype(np.uint64)
        hungry = np.flatnonzero(x < _LOWEST)
        if len(hungry):
            words = self._words[self._at : self._at + len(hungry)]
            if len(words) < len(hungry):
                raise DamagedError("coded data end too early")
            x[hungry] = (x[hungry] << np.uint64(32)) | words.astype(np.uint64)
            self._at += len(hungry)
        self._state[:n] = x

    def close(self) -> None:
        """Check that all was read and the states are those that encoding began with."""
        if self._at != len(self._words) or (self._state != _LOWEST).any():
            raise DamagedError("coded data do not end where they should")
