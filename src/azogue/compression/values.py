"""What users encrypt, taken apart into a description in JSON and leaves, and put together again with every bit.

Arrays keep dtype and shape; frames of pandas, polars and pyarrow keep their library, columns, dtypes, index, names and
missing cells. Nothing of a description is ever executed: kinds are looked up in a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from azogue.compression import arrow_frames, pandas_frames
from azogue.compression.ans import DamagedError
from azogue.compression.leaves import Leaves, dtype_of


def take_apart(value: Any, leaves: Leaves) -> dict[str, Any]:
    """A value → its description; its arrays and bytes go to `leaves`.

    Raises
    ------
    TypeError
        For values of other types, naming what could be given instead.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"kind": "bytes", "leaf": leaves.add(bytes(value))}
    if isinstance(value, str):
        return {"kind": "text", "leaf": leaves.add(value.encode("utf-8", "surrogatepass"))}
    if isinstance(value, (np.ndarray, np.generic)) and not isinstance(value, np.ma.MaskedArray):
        if value.dtype.kind == "O":
            return _objects(np.asarray(value), leaves)
        return {"kind": "array", "leaf": leaves.add(np.array(value, subok=False, order="C", copy=None))}
    if isinstance(value, list) and all(text is None or isinstance(text, str) for text in value):
        return {"kind": "texts", **leaves.add_texts(value)}
    for module in (pandas_frames, arrow_frames):
        told: dict[str, Any] | None = module.take_apart(value, leaves)
        if told is not None:
            return told
    raise TypeError(
        f"Cipher: {type(value).__name__} is not encrypted; give an array, a frame of pandas, polars or pyarrow, a list "
        "of texts, bytes or str"
    )


def _objects(value: Any, leaves: Leaves) -> dict[str, Any]:
    return {"kind": "objects", "shape": list(value.shape), **pandas_frames.objects_to_leaves(value.reshape(-1), leaves)}


def put_together(told: Any, leaves: Leaves) -> Any:
    """The inverse of `take_apart`.

    Raises
    ------
    DamagedError
        For a description that `take_apart` does not write.
    """
    match told:
        case {"kind": "bytes", "leaf": leaf}:
            return leaves.blob(leaf)
        case {"kind": "text", "leaf": leaf}:
            try:
                return leaves.blob(leaf).decode("utf-8", "surrogatepass")
            except UnicodeDecodeError as error:
                raise DamagedError("a text is damaged") from error
        case {"kind": "array", "leaf": leaf}:
            return leaves.array(leaf, ndim=None).copy()
        case {"kind": "texts", **rest}:
            return leaves.texts(rest)
        case {"kind": "objects", "shape": list(shape), **rest}:
            cells = pandas_frames.objects_from_leaves(rest, leaves)
            if not all(type(size) is int and size >= 0 for size in shape) or int(np.prod(shape)) != len(cells):
                raise DamagedError("an array has the wrong shape")
            return cells.reshape(shape)
        case {"kind": "lossy", "leaf": leaf, "dtype": str(name), "low": list(low), "high": list(high)}:
            return _scaled(leaves.array(leaf, "u", ndim=None), dtype_of(name), low, high)
        case {"kind": "pandas" | "series"}:
            return pandas_frames.put_together(told, leaves)
        case {"kind": "polars" | "arrow"}:
            return arrow_frames.put_together(told, leaves)
    raise DamagedError("the value is of an unknown kind")


def _scaled(levels: Any, dtype: np.dtype, low: list[Any], high: list[Any]) -> Any:
    """Levels 0 … 255 of each column → values between its bounds."""
    flat = levels.reshape(len(levels), -1)
    try:
        bounds = [np.array([float.fromhex(one) for one in side]) for side in (low, high)]
    except (TypeError, ValueError, OverflowError) as error:
        raise DamagedError("a column's bounds are damaged") from error
    if dtype.kind not in "biuf" or any(len(side) != flat.shape[1] or not np.isfinite(side).all() for side in bounds):
        raise DamagedError("a column's bounds are damaged")
    values = bounds[0] + flat / 255 * (bounds[1] - bounds[0])
    if dtype.kind in "biu":
        info = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
        values = np.clip(np.rint(values), float(info.min), float(info.max))
    return values.astype(dtype).reshape(levels.shape)
