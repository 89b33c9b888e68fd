"""Arrays of any dtype as symbols: values by their rank among those that occur, or byte by byte.

A column of up to 2⁸ (2¹⁶) different values becomes one (two) columns of symbols and a list of its values; any other one
its bytes, most significant first, less its minimum where these are whole numbers. Decimal fractions (1.25 is 125 / 10²)
are whole numbers too, if dividing gives every bit back. Values are bit patterns: −0.0 and the bits of NaN are kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from azogue.compression.ans import DamagedError

Bits = NDArray[np.uint64]


def bits_of(column: NDArray[np.generic]) -> Bits:
    """The bit patterns of numbers of up to 8 bytes, ordered like them where they are unsigned."""
    size = column.dtype.itemsize
    return np.ascontiguousarray(column).view(f"<u{size}").astype(np.uint64)


def to_symbols(column: NDArray[np.generic]) -> tuple[int, bytes, NDArray[np.uint8]]:
    """A column of numbers of 1, 2, 4 or 8 bytes → the way it went, what that needs besides, and symbols (n, k).

    Ways: 1 or 2, ranks of one or two bytes, with the values; 16 + k, k bytes above the minimum; 32 + k, k bytes as they
    are; 48 + k, decimal fractions: 0 for NaN, 1 for −0.0, else k bytes above the minimum less 2.
    """
    bits = bits_of(column)
    values, ranks = np.unique(bits, return_inverse=True)
    size = column.dtype.itemsize
    if len(values) <= 256 or (len(values) <= 1 << 16 and len(values) * 4 < len(bits) and size > 1):
        width = 1 if len(values) <= 256 else 2
        return width, values.astype(f"<u{size}").tobytes(), _split(ranks.reshape(-1).astype(np.uint64), width)
    if column.dtype.kind in "iumMb":
        if column.dtype.kind != "u":  # two's complement: the order of the numbers is that of the patterns moved by half
            bits = bits ^ np.uint64(1 << (8 * size - 1))
        low = bits.min()
        width = max(1, -(-int((bits - low).max()).bit_length() // 8))
        return 16 + width, int(low).to_bytes(8, "little"), _split(bits - low, width)
    found = _decimal(column) if column.dtype.kind == "f" and size >= 4 else None
    return (32 + size, b"", _split(bits, size)) if found is None else found


def _decimal(column: NDArray[np.generic]) -> tuple[int, bytes, NDArray[np.uint8]] | None:
    """A column of decimal fractions with up to nine places, as whole numbers; None where some bit would be lost."""
    kind = column.dtype.newbyteorder("<")
    absent = np.isnan(column)
    plain = np.where(absent, 0, column).astype(np.float64)
    if not np.isfinite(plain).all() or bool(absent.all()) or float(abs(plain).max()) > 1 << 50:
        return None
    for places in range(10):
        scaled = np.rint(plain * float(10**places))
        if abs(scaled).max() > 1 << 52:
            return None
        low = scaled[~absent].min()
        bits = np.where(absent, 0, np.where((plain == 0) & np.signbit(plain), 1, scaled - low + 2)).astype(np.uint64)
        extra = bytes([places]) + int(low).to_bytes(8, "little", signed=True)
        if np.array_equal(bits_of(_from_decimal(extra, bits, kind)), bits_of(column.astype(kind))):
            width = max(1, -(-int(bits.max()).bit_length() // 8))
            return (48 + width, extra, _split(bits, width)) if width < column.dtype.itemsize else None
    return None


def _from_decimal(extra: bytes, bits: Bits, dtype: np.dtype) -> NDArray[np.generic]:
    if len(extra) != 9 or extra[0] > 9 or dtype.kind != "f" or dtype.itemsize < 4:
        raise DamagedError("a column of decimal fractions is described in an unknown way")
    low = int.from_bytes(extra[1:], "little", signed=True)
    scaled = bits.astype(np.float64) + float(low - 2)
    plain = np.where(bits == 0, np.nan, np.where(bits == 1, -0.0, scaled / float(10 ** extra[0])))
    with np.errstate(over="ignore"):
        return plain.astype(dtype)


def _split(bits: Bits, width: int) -> NDArray[np.uint8]:
    shifts = np.arange(8 * (width - 1), -1, -8, dtype=np.uint64)
    return (bits[:, None] >> shifts & np.uint64(255)).astype(np.uint8)


def width_of(way: int) -> int:
    """Columns of symbols that a way makes.

    Raises
    ------
    DamagedError
        If there is no such way.
    """
    if way not in (1, 2, *range(17, 25), 33, 34, 36, 40, *range(49, 56)):
        raise DamagedError(f"no column is stored in the way {way}")
    return way % 16


def from_symbols(way: int, extra: bytes, symbols: NDArray[np.uint8], dtype: np.dtype) -> NDArray[np.generic]:
    """The inverse of `to_symbols`."""
    size = dtype.itemsize
    bits = np.zeros(len(symbols), np.uint64)
    for part in symbols.T:
        bits = bits << np.uint64(8) | part.astype(np.uint64)
    if way > 48:
        return _from_decimal(extra, bits, dtype)
    if way < 16:
        if len(extra) % size:
            raise DamagedError("a column's values have the wrong size")
        values = np.frombuffer(extra, f"<u{size}").astype(np.uint64)
        if len(bits) and int(bits.max()) >= len(values):
            raise DamagedError("a column has a value that its list does not hold")
        bits = values[bits.astype(np.int64)]
    elif way < 32:
        if len(extra) != 8:
            raise DamagedError("a column's minimum has the wrong size")
        bits = bits + np.uint64(int.from_bytes(extra, "little"))
        if dtype.kind != "u":
            bits = bits ^ np.uint64(1 << (8 * size - 1))
    elif len(extra) or way != 32 + size:
        raise DamagedError("a column of plain bytes has the wrong size")
    return bits.astype(f"<u{size}").view(dtype)
