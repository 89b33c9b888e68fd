"""Frames and series of pandas ↔ descriptions and leaves. pandas is imported only where a frame of it is at hand."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from azogue.compression.ans import DamagedError
from azogue.compression.leaves import Leaves, scalar_from_json, scalar_to_json
from azogue.modalities.dtypes import pandas_dtype, pandas_token

_MASKED = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "boolean")


def take_apart(value: Any, leaves: Leaves) -> dict[str, Any] | None:
    """A frame or series → its description, None for anything else."""
    pd: Any = sys.modules.get("pandas")
    if pd is None or not isinstance(value, (pd.DataFrame, pd.Series)):
        return None
    if isinstance(value, pd.Series):
        told: dict[str, Any] = {"kind": "series", "name": scalar_to_json(value.name)}
        return told | {"column": _column(value, leaves), "index": _index(value.index, leaves)}
    columns = [_column(value.iloc[:, at], leaves, at) for at in range(value.shape[1])]
    head = _index(value.columns, leaves)
    return {"kind": "pandas", "columns": columns, "head": head, "index": _index(value.index, leaves)}


def put_together(told: dict[str, Any], leaves: Leaves) -> Any:
    """The inverse.

    Raises
    ------
    ImportError
        If pandas is not installed.
    DamagedError
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("decrypt: it holds a frame of pandas; pip install pandas") from error
    try:
        index = _put_index(told["index"], leaves)
        if told["kind"] == "series":
            return pd.Series(_put_column(told["column"], leaves, len(index)), index=index, name=_scalar(told["name"]))
        head = _put_index(told["head"], leaves)
        parts = [_put_column(one, leaves, len(index)) for one in told["columns"]]
        if len(parts) != len(head):
            raise DamagedError("a frame has the wrong number of columns")
        columns = {at: pd.Series(part, index=index, dtype=part.dtype) for at, part in enumerate(parts)}
        frame = pd.DataFrame(columns, index=index)
        frame.columns = head
        return frame
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        if isinstance(error, DamagedError):
            raise
        raise DamagedError(f"a frame of pandas is damaged ({str(error)[:80]})") from error


def _scalar(value: Any) -> Any:
    return scalar_from_json(value)


# -- columns ---------------------------------------------------------------------------------------------------------


def _column(column: Any, leaves: Leaves, at: int | None = None) -> dict[str, Any]:
    """One column (or index) → its description."""
    import pandas as pd

    dtype = column.dtype
    token = pandas_token(dtype)
    array = column.array
    if isinstance(dtype, np.dtype) and dtype.kind == "O":
        return {"as": "objects", **objects_to_leaves(np.asarray(array, dtype=object), leaves)}
    if isinstance(dtype, np.dtype):
        return {"as": "numbers", "leaf": leaves.add(np.ascontiguousarray(column.to_numpy()))}
    if isinstance(dtype, pd.CategoricalDtype):
        values = _column(dtype.categories, leaves)
        codes = leaves.add(np.ascontiguousarray(array.codes))
        told = {"as": "category", "codes": codes, "ordered": bool(dtype.ordered)}
        return told | {"n": len(dtype.categories), "values": values}
    if isinstance(dtype, pd.StringDtype):
        missing = array.isna()
        texts = [None if gone else one for one, gone in zip(array, missing, strict=True)]
        return {"as": "texts", "dtype": token, **leaves.add_texts(texts)}
    if isinstance(dtype, pd.DatetimeTZDtype):
        zone = str(dtype.tz)
        return {"as": "zoned", "unit": dtype.unit, "zone": zone, "leaf": leaves.add(array.asi8.copy())}
    if str(dtype) in _MASKED:
        missing = array.isna()
        kind = np.dtype(bool) if str(dtype) == "boolean" else dtype.numpy_dtype
        values = array.to_numpy(dtype=kind, na_value=kind.type(0))
        return {"as": "masked", "dtype": str(dtype), "leaf": leaves.add(values), "missing": leaves.add(missing)}
    raise TypeError(
        f"Cipher: {'a column' if at is None else f'column {at + 1} ({column.name!r})'} has the dtype {dtype}, which is "
        "not encrypted; convert it to numbers, dates, texts or categories"
    )


def _put_column(told: Any, leaves: Leaves, n: int | None = None) -> Any:
    import pandas as pd

    match told:
        case {"as": "objects", **rest}:
            return pd.array(objects_from_leaves(rest, leaves, n), dtype=object)
        case {"as": "numbers", "leaf": leaf}:
            return leaves.array(leaf, n=n).copy()
        case {"as": "category", "codes": codes, "ordered": bool(ordered), "n": int(count), "values": values}:
            categories = pd.Index(_put_column(values, leaves, count))
            return pd.Categorical.from_codes(leaves.array(codes, "i", n=n), categories, ordered=ordered)
        case {"as": "texts", "dtype": str(token), **rest} if token.startswith(("str[", "string[")):
            return pd.array(leaves.texts(rest, n), dtype=pandas_dtype(token))
        case {"as": "zoned", "unit": str(unit), "zone": str(zone), "leaf": leaf}:
            kind = pd.DatetimeTZDtype(unit, zone)
            moments = leaves.array(leaf, "i", n=n).view(f"M8[{kind.unit}]")
            return pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(kind.tz).array
        case {"as": "masked", "dtype": str(name), "leaf": leaf, "missing": missing} if name in _MASKED:
            values, hidden = leaves.array(leaf, n=n).copy(), leaves.array(missing, "b", n=n).copy()
            made = pd.array(values, dtype=name)
            made[hidden] = pd.NA
            return made
    raise DamagedError("a column is described in an unknown way")


# -- labels ----------------------------------------------------------------------------------------------------------


def _index(index: Any, leaves: Leaves) -> dict[str, Any]:
    import pandas as pd

    names = [scalar_to_json(name) for name in index.names]
    if isinstance(index, pd.RangeIndex):
        return {"as": "range", "range": [index.start, index.stop, index.step], "names": names}
    if isinstance(index, pd.MultiIndex):
        levels = [_column(level, leaves) for level in index.levels]
        codes = [leaves.add(np.ascontiguousarray(part)) for part in index.codes]
        return {"as": "several", "levels": levels, "codes": codes, "names": names, "sizes": [*map(len, index.levels)]}
    told = {"as": "one", "labels": _column(index, leaves), "n": len(index), "names": names}
    frequency = getattr(index, "freqstr", None)
    return told | {"freq": frequency} if frequency else told


def _put_index(told: Any, leaves: Leaves) -> Any:
    import pandas as pd

    match told:
        case {"as": "range", "range": [int(start), int(stop), int(step)], "names": [name]} if step:
            if len(range(start, stop, step)) > 1 << 31:
                raise DamagedError("an index is too long")
            return pd.RangeIndex(start, stop, step, name=_scalar(name))
        case {
            "as": "several",
            "levels": list(levels),
            "codes": list(codes),
            "names": list(names),
            "sizes": list(sizes),
        }:
            values = [pd.Index(_put_column(one, leaves, n)) for one, n in zip(levels, sizes, strict=True)]
            places = [leaves.array(one, "i") for one in codes]
            return pd.MultiIndex(values, places, names=[_scalar(name) for name in names])
        case {"as": "one", "labels": labels, "n": int(n), "names": [name], **rest}:
            found = _put_column(labels, leaves, n)
            index = pd.Index(found, dtype=getattr(found, "dtype", None), name=_scalar(name))
            if isinstance(freq := rest.get("freq"), str) and len(freq) < 40 and isinstance(index, pd.DatetimeIndex):
                index.freq = freq
            return index
    raise DamagedError("labels are described in an unknown way")


# -- cells of mixed kinds --------------------------------------------------------------------------------------------


def objects_to_leaves(cells: Any, leaves: Leaves) -> dict[str, Any]:
    """Cells that are Python objects: texts as texts; others as JSON, each different one once."""
    if all(cell is None or type(cell) is str for cell in cells):
        return leaves.add_texts(list(cells))
    return {"json": leaves.add_texts([json.dumps(scalar_to_json(cell)) for cell in cells])}


def objects_from_leaves(told: Any, leaves: Leaves, n: int | None = None) -> Any:
    """The inverse of `objects_to_leaves`."""
    texts = leaves.texts(told.get("json", told), n)
    if "json" in told:
        known: dict[Any, Any] = {}
        for text in texts:
            if text not in known:
                known[text] = _parsed(text)
        texts = [known[text] for text in texts]
    cells = np.empty(len(texts), dtype=object)
    cells[:] = texts
    return cells


def _parsed(text: Any) -> Any:
    try:
        return scalar_from_json(json.loads(text))
    except (ValueError, TypeError, RecursionError) as error:
        raise DamagedError("a cell is damaged") from error
