"""Packed bits, and the machine words in which they are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Words = NDArray[np.uint64]
#: Bits that a code may have: whole bytes, and how many of them a radius in `uint16` reaches.
FEWEST, MOST = 8, 512
WORD = 8


def check_bits(n_bits: Any, what: str = "n_bits") -> int:
    """A number of bits, as a plain int.

    Raises
    ------
    ValueError
        For anything but a multiple of 8 from 8 to 512.
    """
    whole = isinstance(n_bits, (int, np.integer)) and not isinstance(n_bits, bool)
    if not whole or n_bits % 8 or not FEWEST <= n_bits <= MOST:
        raise ValueError(f"{what}: expected a multiple of 8 from {FEWEST} to {MOST}, got {n_bits!r}")
    return int(n_bits)


def pack(bits: Any) -> Codes:
    """Bits (n, size), true where above ½ → packed codes, (n, size/8), the first bit of each byte the highest one.

    Examples
    --------
    >>> pack([[1, 0, 0, 0, 0, 0, 0, 1]])
    array([[129]], dtype=uint8)
    """
    values = np.asarray(bits)
    if values.ndim != 2 or not values.shape[1] or values.shape[1] % 8:
        raise ValueError(f"pack: expected bits of shape (n, multiple of 8), got {values.shape}")
    return np.packbits(values > 0.5, axis=1)


def unpack(codes: Any) -> Codes:
    """Packed codes (n, bytes) → bits 0 and 1, (n, 8 · bytes).

    Examples
    --------
    >>> unpack(np.array([[129]], np.uint8))
    array([[1, 0, 0, 0, 0, 0, 0, 1]], dtype=uint8)
    """
    return np.unpackbits(as_codes(codes, None, "unpack"), axis=1)


def as_codes(codes: Any, n_bits: int | None, what: str) -> Codes:
    """Packed codes as an array (n, bytes), in rows of their own.

    Raises
    ------
    TypeError, ValueError
        For other dtypes than `uint8`, other than two dimensions, and other widths than `n_bits`.
    """
    found = np.asarray(codes)
    if found.dtype != np.uint8:
        raise TypeError(f"{what}: expected packed codes of dtype uint8, got {found.dtype}; pack() makes them of bits")
    if found.ndim == 1:
        raise ValueError(f"{what}: expected codes of shape (n, bytes), got {found.shape}; one code is codes[None]")
    if found.ndim != 2:
        raise ValueError(f"{what}: expected codes of shape (n, bytes), got {found.shape}")
    if n_bits is not None and found.shape[1] * 8 != n_bits:
        raise ValueError(f"{what}: codes of {8 * found.shape[1]} bits, but the index has {n_bits}; use one model")
    check_bits(8 * found.shape[1], f"{what}: bits of a code")
    return np.ascontiguousarray(found)


def as_words(codes: Codes) -> Words:
    """Codes (n, bytes) → machine words (n, ⌈bytes/8⌉), filled up with zeros."""
    spare = -codes.shape[1] % WORD
    filled = np.pad(codes, ((0, 0), (0, spare))) if spare else codes
    return np.ascontiguousarray(filled).view(np.uint64)


def counted(a: Words, b: Words) -> NDArray[np.uint16]:
    """Bits in which words (n, k) differ from b (k,) or (n, k): (n,)."""
    differing = np.bitwise_count(a ^ b)
    if differing.shape[1] == 1:
        return np.asarray(differing[:, 0], np.uint16)
    return np.asarray(differing.sum(1, dtype=np.uint16))


def distances(a: Any, b: Any) -> NDArray[np.uint16]:
    """How many bits differ: codes (n, bytes) and (m, bytes) → (n, m).

    Examples
    --------
    >>> distances(np.array([[0], [255]], np.uint8), np.array([[1]], np.uint8))
    array([[1],
           [7]], dtype=uint16)
    """
    first = as_codes(a, None, "distances")
    rows, others = as_words(first), as_words(as_codes(b, 8 * first.shape[1], "distances"))
    return np.stack([counted(others, row) for row in rows]) if len(rows) else np.empty((0, len(others)), np.uint16)
