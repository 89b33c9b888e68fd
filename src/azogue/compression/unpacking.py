"""Bytes → leaves: the inverse of `packing`. Every size is checked before memory is taken for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.compression import coding, columns, library, numbers, pictures
from azogue.compression.ans import DamagedError
from azogue.compression.leaves import Array, Leaves, dtype_of
from azogue.compression.network import IntegerDecoder
from azogue.compression.packing import MAX_BYTES, SYMBOLS, as_pictures, columns_are_few, pictures_are_few, tiled


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
        found.append(np.frombuffer(one, dtype).reshape(shape) if size else np.zeros(shape, dtype))
    return found


def _unpack_columns(part: dict[str, Any], specs: list[Any], data: list[bytes]) -> list[Array]:
    match part["facts"]:
        case {"columns": list(ways), "side": [str(how), int(size)]}:
            pass
        case _:
            raise DamagedError("columns are described in an unknown way")
    n = specs[0][1][0] if specs and specs[0][1] else 0
    width = sum(numbers.width_of(way) for way, _ in ways)
    own = sum(math.prod(shape) * dtype.itemsize + 16 * math.prod(shape[1:]) for dtype, shape in specs)
    if len(data) != 2 or not columns_are_few(n, width) or not 4 * width <= size <= 4 * width + own:
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


def _joined(tiles: NDArray[np.uint8], shape: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    n, h, w, c = shape
    a, b = tiles.shape[1:3]
    rows, across = -(-h // a), -(-w // b)
    whole = tiles.reshape(n, rows, across, a, b, c).swapaxes(2, 3).reshape(n, rows * a, across * b, c)
    return whole[:, :h, :w].copy()


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
    four = as_pictures(outline)
    network = part["way"] == "network"
    if four is None or len(data) != (4 if network else 2):
        raise DamagedError("pictures are described in an unknown way")
    tile = four[1:3] if network else tiled(four)
    count = four[0] * -(-four[1] // tile[0]) * -(-four[2] // tile[1])
    if not pictures_are_few(count, tile[0] * tile[1] * four[3]):
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
    return _joined(tiles, four).reshape(shape).view(dtype)
