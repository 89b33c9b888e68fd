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
from azogue.compression.ans import DamagedError
from azogue.compression.leaves import Array, Leaves, dtype_of
from azogue.compression.network import IntegerDecoder

#: What a value may take in memory when it is read, in bytes, unless the reader says more.
MAX_BYTES = 1 << 30
#: Learned coding takes seconds for each million symbols; beyond this only the standard library is used.
SYMBOLS = 1 << 26
_STEPS = 60_000
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
        if isinstance(item, np.ndarray) and _as_pictures(item) is not None:
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
    length = -(-len(table) // int(np.clip(len(table) // 64, 1, coding.LANES)))
    if table.size > SYMBOLS or length * table.shape[1] > _STEPS:
        return plain
    parents = columns.choose_parents(table)
    coded = coding.encode(columns.Columns(table, parents))
    side = columns.parents_to_bytes(parents) + b"".join(extras)
    how, packed = library.compress(side)
    facts = {"columns": ways, "side": [how, len(side)]}
    return _better(Part("columns", numbered, facts, [packed, coded], plain.raw), plain)


def _unpack_columns(part: dict[str, Any], specs: list[Any], data: list[bytes]) -> list[Array]:
    match part["facts"]:
        case {"columns": list(ways), "side": [str(how), int(size)]}:
            pass
        case _:
            raise DamagedError("columns are described in an unknown way")
    n = specs[0][1][0] if specs and specs[0][1] else 0
    width = sum(numbers.width_of(way) for way, _ in ways)
    if len(data) != 2 or n * width > SYMBOLS or not 0 <= size <= MAX_BYTES:
        raise DamagedError("columns have the wrong size")
    side = library.decompress(how, data[0], size)
    table = np.zeros((n, width), np.uint8)
    parents = columns.parents_from_bytes(side[: 4 * width], width)
    coding.decode(columns.Columns(table, parents), data[1])
    at, place, told, found = 4 * width, 0, iter(ways), []
    for dtype, shape in specs:
        made = np.empty((n, math.prod(shape[1:])), dtype)
        if shape[0] != n or dtype.itemsize not in (1, 2, 4, 8):
            raise DamagedError("columns have different lengths")
        for k in range(made.shape[1]):
            way, extra = next(told, (0, 0))
            w = numbers.width_of(way)
            made[:, k] = numbers.from_symbols(way, side[at : at + extra], table[:, place : place + w], dtype)
            at, place = at + extra, place + w
        found.append(made.reshape(shape))
    if next(told, None) is not None or at != len(side):
        raise DamagedError("columns do not add up")
    return found


# -- pictures --------------------------------------------------------------------------------------------------------


def _as_pictures(item: Array) -> tuple[int, int, int, int] | None:
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


def _tiled(shape: tuple[int, int, int, int]) -> tuple[int, int]:
    """The side of tiles that large pictures are cut into, by rows and columns."""
    _, h, w, _ = shape
    return (_TILE, _TILE) if h * w > 64 * 64 else (h, w)


def _cut(pixels: NDArray[np.uint8], tile: tuple[int, int]) -> NDArray[np.uint8]:
    n, h, w, c = pixels.shape
    (a, b), rows, across = tile, -(-h // tile[0]), -(-w // tile[1])
    whole = np.pad(pixels, ((0, 0), (0, rows * a - h), (0, across * b - w), (0, 0)), "edge")
    return whole.reshape(n, rows, a, across, b, c).swapaxes(2, 3).reshape(-1, a, b, c).copy()


def _joined(tiles: NDArray[np.uint8], shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    n, h, w, c = shape
    a, b = tiles.shape[1:3]
    rows, across = -(-h // a), -(-w // b)
    whole = tiles.reshape(n, rows, across, a, b, c).swapaxes(2, 3).reshape(n, rows * a, across * b, c)
    return whole[:, :h, :w].copy()


def _picture_part(item: Array, number: int, learned: Learned | None, model_bytes: int) -> Part:
    raw = item.tobytes()
    way, data = library.compress(raw)
    plain = Part(way, [number], {}, [data], len(raw))
    shape = _as_pictures(item) or (0, 0, 0, 0)
    pixels = np.ascontiguousarray(item).view(np.uint8).reshape(shape)
    tiles = _cut(pixels, _tiled(shape))
    lanes = pictures.lanes_of(len(tiles))
    groups = len(list(coding.growing(len(tiles), lanes)))
    steps = groups * tiles[0].size
    if tiles.size > SYMBOLS or steps > max(_STEPS, tiles.size // 500):
        return plain
    if learned is None or len(learned.code) != len(pixels) or math.prod(shape[1:3]) > 64 * 64:
        return _better(Part("pictures", [number], {}, _coded(tiles, None), len(raw)), plain)
    alone, joined = _compared(pixels, learned)
    if joined + model_bytes < alone:
        plain.beaten = {"pictures": alone}
        return _better(_with_network(pixels, number, learned), plain)
    plain.beaten = {"network": joined + model_bytes}
    return _better(Part("pictures", [number], {}, _coded(tiles, None), len(raw)), plain)


def _coded(pixels: NDArray[np.uint8], expected: NDArray[np.uint8] | None) -> list[bytes]:
    settings = pictures.Settings.fitted(pixels, expected)
    side = settings.to_bytes()
    return [side, coding.encode(pictures.Pictures(pixels, settings, expected))]


def _compared(pixels: NDArray[np.uint8], learned: Learned) -> tuple[int, int]:
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


def _unpack_code(facts: Any, n: int, data: list[bytes], model: IntegerDecoder) -> NDArray[np.uint8]:
    size = facts.get("code") if isinstance(facts, dict) else None
    if type(size) is not int or size != model.w1.shape[1]:
        raise DamagedError("codes have another size than the model's")
    if n * len(model.w2) > MAX_BYTES or n * size > SYMBOLS:
        raise DamagedError("there are too many codes")
    table = np.zeros((n, size), np.uint8)
    coding.decode(columns.Columns(table, columns.parents_from_bytes(data[0], size)), data[1])
    return model(table.view(np.int8))


def _unpack_pictures(part: dict[str, Any], spec: Any, data: list[bytes], model: IntegerDecoder | None) -> Array:
    dtype, shape = spec
    outline = np.broadcast_to(np.zeros((), dtype), shape)
    four = _as_pictures(outline)
    network = part["way"] == "network"
    if four is None or len(data) != (4 if network else 2):
        raise DamagedError("pictures are described in an unknown way")
    tile = four[1:3] if network else _tiled(four)
    count = four[0] * -(-four[1] // tile[0]) * -(-four[2] // tile[1])
    if count * tile[0] * tile[1] * four[3] > SYMBOLS:
        raise DamagedError("there are too many pictures")
    settings, rest = pictures.Settings.from_bytes(data[-2], four[3])
    if rest or settings.expected != network:
        raise DamagedError("the settings of pictures have the wrong size")
    tiles = np.zeros((count, *tile, four[3]), np.uint8)
    if tiles.size > coding.DENSITY * (len(data[-1]) + 64):
        raise DamagedError(f"{len(data[-1])} bytes cannot stand for {tiles.size} symbols")
    expected = None
    if network:
        if model is None or len(model.w2) != tiles[0].size:
            raise DamagedError("the model is for pictures of another size")
        expected = _unpack_code(part["facts"], count, data[:2], model).reshape(tiles.shape)
    coding.decode(pictures.Pictures(tiles, settings, expected), data[-1])
    if dtype.kind == "b" and tiles.max(initial=0) > 1:
        raise DamagedError("a boolean is neither true nor false")
    return _joined(tiles, four).reshape(shape).view(dtype)


# -- unpacking -------------------------------------------------------------------------------------------------------


def spec_of(item: Array | bytes) -> Any:
    """A leaf's type and shape, as JSON."""
    return len(item) if isinstance(item, bytes) else [item.dtype.str, list(item.shape)]


def check_specs(told: Any, limit: int) -> list[Any]:
    """Leaves as a header states them → (dtype, shape) or a number of bytes, once they are known to fit in memory.

    Raises
    ------
    DamagedError
    """
    found: list[Any] = []
    total = 0
    for one in told:
        match one:
            case int() if type(one) is int and one >= 0:
                found.append(one)
                total += one
            case [str(name), list(shape)] if len(shape) <= 32 and all(type(k) is int and k >= 0 for k in shape):
                dtype = dtype_of(name)
                found.append((dtype, tuple(shape)))
                total += math.prod(max(k, 1) for k in shape) * max(dtype.itemsize, 1)
            case _:
                raise DamagedError("a leaf is described in an unknown way")
        if total > limit:
            raise DamagedError(f"it asks for more than the {limit:,} bytes allowed; raise max_bytes if you trust it")
    return found


def unpack(parts: list[dict[str, Any]], specs: list[Any], data: list[list[bytes]], model: Any = None) -> Leaves:
    """The inverse of `pack`.

    Parameters
    ----------
    parts : list of dict
        `way`, `leaves`, `facts` of each.
    specs : list
        As `check_specs` gives them.
    data : list of list of bytes
    model : IntegerDecoder, optional

    Raises
    ------
    DamagedError
    """
    items: list[Any] = [None] * len(specs)
    for part, own in zip(parts, data, strict=True):
        numbered = part["leaves"]
        if not numbered or any(type(k) is not int or not 0 <= k < len(items) or items[k] is not None for k in numbered):
            raise DamagedError("leaves are missing or come twice")
        for number, item in zip(numbered, _unpacked(part, [specs[k] for k in numbered], own, model), strict=True):
            items[number] = item
    if any(item is None for item in items):
        raise DamagedError("leaves are missing")
    return Leaves(items)


def _unpacked(part: dict[str, Any], specs: list[Any], data: list[bytes], model: Any) -> list[Any]:
    if part["way"] in library.WAYS:
        return _unpack_library(part["way"], specs, data)
    if any(isinstance(spec, int) for spec in specs):
        raise DamagedError("bytes are coded as numbers")
    if part["way"] == "columns":
        return _unpack_columns(part, specs, data)
    if part["way"] in ("pictures", "network") and len(specs) == 1:
        return [_unpack_pictures(part, specs[0], data, model)]
    if part["way"] == "code" and len(specs) == 1 and model is not None and len(data) == 2:
        dtype, shape = specs[0]
        if dtype != np.uint8 or not shape or math.prod(shape[1:]) != len(model.w2):
            raise DamagedError("the model is for records of another size")
        return [_unpack_code(part["facts"], shape[0], data, model).reshape(shape)]
    raise DamagedError(f"nothing is coded in the way {str(part['way'])[:20]!r}")


def _unpack_library(way: str, specs: list[Any], data: list[bytes]) -> list[Any]:
    sizes = [spec if isinstance(spec, int) else math.prod(spec[1]) * spec[0].itemsize for spec in specs]
    if len(data) != 1:
        raise DamagedError("compressed data are described in an unknown way")
    raw, at = library.decompress(way, data[0], sum(sizes)), 0
    found: list[Any] = []
    for spec, size in zip(specs, sizes, strict=True):
        one = raw[at : at + size]
        at += size
        if isinstance(spec, int):
            found.append(one)
            continue
        dtype, shape = spec
        if dtype.kind == "b" and size and max(one) > 1:
            raise DamagedError("a boolean is neither true nor false")
        found.append(np.frombuffer(one, dtype).reshape(shape) if size else np.zeros(shape, dtype))
    return found
