"""Leaves ↔ bytes: each in the way that is shortest, learned or the standard library's.

A part codes one or several leaves. Ways: `pictures` (bytes of three or four dimensions), `network` (the same, with what
an autoencoder's code says of them), `columns` (numbers of equally many rows), and `stored`, `zlib`, `lzma`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.compression import coding, columns, library, numbers, pictures
from azogue.compression.leaves import Array, Leaves
from azogue.compression.network import IntegerDecoder

#: What a value may take in memory when it is read, in bytes, unless the reader says more.
MAX_BYTES = 1 << 30
#: Learned coding takes seconds for each million symbols; beyond this only the standard library is used.
SYMBOLS = 1 << 26
_STEPS = 60_000
_COLUMNS = 8192
_TILE = 32
_ROWS = 64
_LEARNED = 512


@dataclass
class Learned:
    """A decoder, and the codes that it reads, for the pictures of one leaf."""

    decoder: IntegerDecoder
    code: NDArray[np.int8]


@dataclass
class Part:
    """Some leaves, coded.

    Parameters
    ----------
    way : str
    leaves : list of int
    facts : dict
        JSON that decoding needs.
    data : list of bytes
    raw : int
        Bytes of the leaves.
    beaten : dict of str to int
        Bytes that other ways took.
    """

    way: str
    leaves: list[int]
    facts: dict[str, Any]
    data: list[bytes]
    raw: int
    beaten: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.data))


# -- packing ---------------------------------------------------------------------------------------------------------


def pack(leaves: Leaves, learned: Learned | None = None, model_bytes: int = 0) -> list[Part]:
    """Code all leaves.

    Parameters
    ----------
    leaves : Leaves
    learned : Learned, optional
        Of the value, where it is pictures.
    model_bytes : int
        What the decoder's bytes cost, if they travel with the data.
    """
    groups: dict[int, list[int]] = {}
    parts, rest = [], []
    for number, item in enumerate(leaves.items):
        if isinstance(item, np.ndarray) and as_pictures(item) is not None:
            parts.append(_picture_part(item, number, learned, model_bytes))
        elif isinstance(item, np.ndarray) and _as_columns(item):
            groups.setdefault(len(item), []).append(number)
        else:
            rest.append(number)
    parts += [_column_part(leaves, numbered) for numbered in groups.values()]
    if rest:
        parts.append(_library_part(leaves, rest))
    return parts


def _raw(item: Array | bytes) -> bytes:
    return item if isinstance(item, bytes) else item.tobytes()


def _library_part(leaves: Leaves, numbered: list[int]) -> Part:
    raw = b"".join(_raw(leaves.items[number]) for number in numbered)
    way, data = library.compress(raw)
    return Part(way, numbered, {}, [data], len(raw))


def _better(part: Part, other: Part) -> Part:
    first, second = (part, other) if part.size < other.size else (other, part)
    first.beaten = {**part.beaten, **other.beaten, second.way: second.size}
    return first


# -- columns ---------------------------------------------------------------------------------------------------------


def _as_columns(item: Array) -> bool:
    """Whether an array is a table of numbers that can be coded by columns."""
    width = math.prod(item.shape[1:])
    fits = item.dtype.kind in "biufmM" and item.dtype.itemsize in (1, 2, 4, 8) and item.ndim >= 1
    return fits and len(item) >= _ROWS and 0 < width <= 4096


def columns_are_few(n: int, width: int) -> bool:
    """Whether coding takes seconds rather than hours; asked by encoder and decoder alike."""
    return n * width <= SYMBOLS and width <= _COLUMNS and columns.stretch(n) * width <= _STEPS


def _column_part(leaves: Leaves, numbered: list[int]) -> Part:
    plain = _library_part(leaves, numbered)
    if plain.raw < _LEARNED:
        return plain
    ways, extras, tables = [], [], []
    for number in numbered:
        item: Any = leaves.items[number]
        flat = item.reshape(len(item), -1)
        for at in range(flat.shape[1]):
            way, extra, symbols = numbers.to_symbols(flat[:, at])
            ways.append([way, len(extra)])
            extras.append(extra)
            tables.append(symbols)
    table = np.concatenate(tables, axis=1)
    if not columns_are_few(*table.shape):
        return plain
    parents = columns.choose_parents(table)
    coded = coding.encode(columns.Columns(table, parents))
    side = columns.parents_to_bytes(parents) + b"".join(extras)
    how, packed = library.compress(side)
    facts = {"columns": ways, "side": [how, len(side)]}
    return _better(Part("columns", numbered, facts, [packed, coded], plain.raw), plain)


# -- pictures --------------------------------------------------------------------------------------------------------


def as_pictures(item: Array) -> tuple[int, int, int, int] | None:
    """Bytes (n, h, w) or (n, h, w, c), or rows of h² bytes → the shape of pictures; None for other arrays."""
    if item.dtype not in (np.uint8, bool) or item.ndim not in (2, 3, 4) or not item.size:
        return None
    if item.ndim == 2:
        side = math.isqrt(item.shape[1])
        return (
            (len(item), side, side, 1)
            if side * side == item.shape[1] and side >= 12 and item.size >= _LEARNED
            else None
        )
    n, h, w = item.shape[:3]
    c = item.shape[3] if item.ndim == 4 else 1
    if item.ndim == 3 and w in (3, 4) and h > 4:  # one picture in colours
        n, h, w, c = 1, n, h, w
    elif c > 4:  # channels first
        return None
    if item.size < _LEARNED or min(h, w) < 4:
        return None
    return n, h, w, c


def tiled(shape: tuple[int, int, int, int]) -> tuple[int, int]:
    """The side of tiles that large pictures are cut into, by rows and columns."""
    _, h, w, _ = shape
    return (_TILE, _TILE) if h * w > 64 * 64 else (h, w)


def _cut(pixels: NDArray[np.uint8], tile: tuple[int, int]) -> NDArray[np.uint8]:
    n, h, w, c = pixels.shape
    (a, b), rows, across = tile, -(-h // tile[0]), -(-w // tile[1])
    whole = np.pad(pixels, ((0, 0), (0, rows * a - h), (0, across * b - w), (0, 0)), "edge")
    return whole.reshape(n, rows, a, across, b, c).swapaxes(2, 3).reshape(-1, a, b, c).copy()


def pictures_are_few(n: int, size: int) -> bool:
    """The same for pictures of so many bytes each."""
    steps = len(list(coding.growing(n, pictures.lanes_of(n)))) * size if n * size <= SYMBOLS else 0
    return n * size <= SYMBOLS and steps <= max(_STEPS, n * size // 500)


def _picture_part(item: Array, number: int, learned: Learned | None, model_bytes: int) -> Part:
    raw = item.tobytes()
    way, data = library.compress(raw)
    plain = Part(way, [number], {}, [data], len(raw))
    shape = as_pictures(item) or (0, 0, 0, 0)
    pixels = np.ascontiguousarray(item).view(np.uint8).reshape(shape)
    tiles = _cut(pixels, tiled(shape))
    if not pictures_are_few(len(tiles), tiles[0].size):
        return plain
    if learned is None or len(learned.code) != len(pixels) or math.prod(shape[1:3]) > 64 * 64:
        return _better(Part("pictures", [number], {}, _coded(tiles, None), len(raw)), plain)
    alone, joined = compared(pixels, learned)
    if joined + model_bytes < alone:
        plain.beaten = {"pictures": alone}
        return _better(_with_network(pixels, number, learned), plain)
    plain.beaten = {"network": joined + model_bytes}
    return _better(Part("pictures", [number], {}, _coded(tiles, None), len(raw)), plain)


def _coded(pixels: NDArray[np.uint8], expected: NDArray[np.uint8] | None) -> list[bytes]:
    settings = pictures.Settings.fitted(pixels, expected)
    side = settings.to_bytes()
    return [side, coding.encode(pictures.Pictures(pixels, settings, expected))]


def compared(pixels: NDArray[np.uint8], learned: Learned) -> tuple[int, int]:
    """Bytes without and with codes, but for the model, as a sample of up to 1,024 pictures tells them."""
    some = slice(0, 1024)
    part, code = pixels[some], learned.code[some]
    alone = sum(map(len, _coded(part, None)))
    joined = sum(map(len, _coded(part, learned.decoder(code).reshape(part.shape)))) + len(_code_bytes(code)[1])
    return alone * len(pixels) // len(part), joined * len(pixels) // len(part)


def _code_bytes(code: NDArray[np.int8]) -> tuple[bytes, bytes]:
    table = code.view(np.uint8)
    parents = columns.choose_parents(table)
    return columns.parents_to_bytes(parents), coding.encode(columns.Columns(table, parents))


def _with_network(pixels: NDArray[np.uint8], number: int, learned: Learned) -> Part:
    expected = learned.decoder(learned.code).reshape(pixels.shape)
    data = [*_code_bytes(learned.code), *_coded(pixels, expected)]
    return Part("network", [number], {"code": learned.code.shape[1]}, data, pixels.size)


def lossy_part(shape: tuple[int, ...], number: int, learned: Learned) -> Part:
    """The codes alone: what comes back is what the decoder makes of them."""
    data = [*_code_bytes(learned.code)]
    return Part("code", [number], {"code": learned.code.shape[1]}, data, math.prod(shape))


def spec_of(item: Array | bytes) -> Any:
    """A leaf's type and shape, as JSON."""
    return len(item) if isinstance(item, bytes) else [item.dtype.str, list(item.shape)]
