"""Tables of pyarrow and frames of polars ↔ descriptions and leaves."""

from __future__ import annotations

import base64
import sys
from typing import Any

import numpy as np

from azogue.compression.ans import DamagedError
from azogue.compression.leaves import Leaves
from azogue.modalities.dtypes import arrow_type, family

#: Plain numbers of Arrow, as numpy calls them.
_NUMBERS = {
    **{f"{sign}int{bits}": f"<{sign[:1] or 'i'}{bits // 8}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{"halffloat": "<f2", "float": "<f4", "double": "<f8"},
}


def take_apart(value: Any, leaves: Leaves) -> dict[str, Any] | None:
    """A table or frame → its description, None for anything else."""
    pa: Any = sys.modules.get("pyarrow")
    if pa is not None and isinstance(value, pa.Table):
        fields = []
        for field, column in zip(value.schema, value.columns, strict=True):
            told = {"name": field.name, "nullable": field.nullable, "metadata": _metadata(field.metadata)}
            fields.append(told | _column(column.combine_chunks(), leaves, field.name))
        return {"kind": "arrow", "n": len(value), "columns": fields, "metadata": _metadata(value.schema.metadata)}
    pl: Any = sys.modules.get("polars")
    if pl is not None and isinstance(value, pl.DataFrame):
        columns = [{"name": one.name, **_polars_column(one, leaves)} for one in value.get_columns()]
        return {"kind": "polars", "n": value.height, "columns": columns}
    return None


def put_together(told: dict[str, Any], leaves: Leaves) -> Any:
    """The inverse.

    Raises
    ------
    ImportError
        If the frame's library is not installed.
    DamagedError
    """
    try:
        return _arrow_table(told, leaves) if told["kind"] == "arrow" else _polars_frame(told, leaves)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        if isinstance(error, DamagedError):
            raise
        raise DamagedError(f"a frame is damaged ({str(error)[:80]})") from error


# -- pyarrow ---------------------------------------------------------------------------------------------------------


def _metadata(found: Any) -> Any:
    if not found:
        return None
    return [[base64.b64encode(part).decode() for part in pair] for pair in found.items()]


def _unmetadata(told: Any) -> Any:
    return None if told is None else {base64.b64decode(key): base64.b64decode(value) for key, value in told}


def _column(array: Any, leaves: Leaves, name: str) -> dict[str, Any]:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    kind = array.type
    if not (family(kind) or (pa.types.is_dictionary(kind) and family(kind.value_type))):
        raise TypeError(f"Cipher: column {name!r} has the type {kind}, which is not encrypted; convert it")
    told: dict[str, Any] = {"type": str(kind)}
    if pa.types.is_dictionary(kind):
        return told | {
            "entries": _column(array.dictionary, leaves, name),
            "size": len(array.dictionary),
            "places": _column(array.indices, leaves, name),
        }
    if pa.types.is_null(kind):
        return told
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return told | {"texts": leaves.add_texts(array.to_pylist())}
    missing = array.is_null().to_numpy(zero_copy_only=False)
    told |= {"missing": leaves.add(missing)} if missing.any() else {}
    return told | {"leaf": leaves.add(_plain_numbers(array))}


def _plain_numbers(array: Any) -> Any:
    """Numbers, booleans and times as numpy, zeros where they are missing."""
    import pyarrow as pa

    if pa.types.is_boolean(array.type):
        return array.fill_null(False).to_numpy(zero_copy_only=False)
    size = array.type.bit_width // 8
    whole = pa.int32() if size == 4 else pa.int64()
    kind = array.type if str(array.type) in _NUMBERS else whole
    seen = array.view(kind)
    data = np.frombuffer(seen.buffers()[1] or b"", _NUMBERS[str(kind)], len(seen), seen.offset * size).copy()
    data[array.is_null().to_numpy(zero_copy_only=False)] = 0
    return data


def _put_column(told: Any, leaves: Leaves, n: int, depth: int = 3) -> Any:
    import pyarrow as pa

    if not depth:
        raise DamagedError("a column is nested too deep")
    kind = arrow_type(told["type"])
    if pa.types.is_dictionary(kind):
        entries = _put_column(told["entries"], leaves, int(told["size"]), depth - 1)
        places = _put_column(told["places"], leaves, n, depth - 1)
        made = pa.DictionaryArray.from_arrays(places, entries, ordered=kind.ordered)
        return _as_typed(made, kind)
    if pa.types.is_null(kind):
        return pa.nulls(n)
    if "texts" in told:
        return _as_typed(pa.array(leaves.texts(told["texts"], n), kind), kind)
    values = leaves.array(told["leaf"], "biuf", n=n)
    missing = leaves.array(told["missing"], "b", n=n) if "missing" in told else None
    plain = str(kind) in _NUMBERS or pa.types.is_boolean(kind)
    if (values.dtype != _NUMBERS.get(str(kind), values.dtype)) or (values.dtype.kind == "b") != pa.types.is_boolean(
        kind
    ):
        raise DamagedError("a column's numbers are of the wrong kind")
    made = pa.array(values, mask=missing, from_pandas=False)
    return made if plain else made.view(kind)


def _as_typed(made: Any, kind: Any) -> Any:
    if made.type != kind:
        raise DamagedError(f"a column is {made.type}, not {kind}")
    return made


def _arrow_table(told: dict[str, Any], leaves: Leaves) -> Any:
    import pyarrow as pa

    n, fields, arrays = told["n"], [], []
    if type(n) is not int or not 0 <= n < 1 << 40 or (n > 1 << 32 and told["columns"]):
        raise DamagedError("a table has an impossible length")
    for one in told["columns"]:
        arrays.append(_put_column(one, leaves, n))
        metadata = _unmetadata(one["metadata"])
        fields.append(pa.field(str(one["name"]), arrays[-1].type, bool(one["nullable"]), metadata))
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, _unmetadata(told["metadata"])))
    table.validate(full=True)
    return table


# -- polars ----------------------------------------------------------------------------------------------------------

_POLARS = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Boolean")


def _polars_column(series: Any, leaves: Leaves) -> dict[str, Any]:
    import polars as pl

    dtype, name = series.dtype, type(series.dtype).__name__
    if isinstance(dtype, pl.String):
        return {"dtype": "String", "texts": leaves.add_texts(series.to_list())}
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        own = dtype.categories.to_list() if isinstance(dtype, pl.Enum) else None
        return {"dtype": name, "texts": leaves.add_texts(series.cast(pl.String).to_list())} | (
            {} if own is None else {"entries": leaves.add_texts(own)}
        )
    if isinstance(dtype, pl.Null):
        return {"dtype": "Null"}
    told: dict[str, Any] = {"dtype": name}
    if isinstance(dtype, (pl.Datetime, pl.Duration)):
        told["unit"] = dtype.time_unit
        if isinstance(dtype, pl.Datetime):
            told["zone"] = dtype.time_zone
    elif not isinstance(dtype, (pl.Date, pl.Time)) and name not in _POLARS:
        raise TypeError(f"Cipher: column {series.name!r} has the dtype {dtype}, which is not encrypted; convert it")
    missing = series.is_null().to_numpy()
    told |= {"missing": leaves.add(np.array(missing))} if missing.any() else {}
    plain = series.to_physical()
    zero: Any = False if name == "Boolean" else 0
    return told | {"leaf": leaves.add(np.array(plain.fill_null(zero).to_numpy()))}


def _polars_dtype(told: dict[str, Any]) -> Any:
    import polars as pl

    match told:
        case {"dtype": "Datetime", "unit": "ms" | "us" | "ns" as unit, "zone": None | str() as zone}:
            return pl.Datetime(unit, zone)
        case {"dtype": "Duration", "unit": "ms" | "us" | "ns" as unit}:
            return pl.Duration(unit)
        case {"dtype": str(name)} if name in ("Date", "Time", *_POLARS):
            return getattr(pl, name)
    raise DamagedError("a column is described in an unknown way")


def _polars_series(told: Any, leaves: Leaves, n: int) -> Any:
    import polars as pl

    match told:
        case {"dtype": "Null", "name": str(name)}:
            return pl.Series(name, [None] * n, pl.Null)
        case {"dtype": "String" | "Categorical" as kind, "texts": texts, "name": str(name)}:
            return pl.Series(name, leaves.texts(texts, n), getattr(pl, kind))
        case {"dtype": "Enum", "texts": texts, "entries": entries, "name": str(name)}:
            return pl.Series(name, leaves.texts(texts, n), pl.Enum(leaves.texts(entries)))
    dtype = _polars_dtype(told)
    plain = pl.Series(told["name"], leaves.array(told["leaf"], "biuf", n=n))
    made = plain if plain.dtype == dtype else plain.cast(dtype)
    if "missing" in told:
        hidden = pl.Series(leaves.array(told["missing"], "b", n=n))
        made = pl.select(pl.when(~hidden).then(made)).to_series().alias(told["name"])
    return made


def _polars_frame(told: dict[str, Any], leaves: Leaves) -> Any:
    try:
        import polars as pl
    except ImportError as error:
        raise ImportError("decrypt: it holds a frame of polars; pip install polars") from error
    n = told["n"]
    if type(n) is not int or not 0 <= n < 1 << 32:
        raise DamagedError("a frame has an impossible length")
    try:
        return pl.DataFrame([_polars_series(one, leaves, n) for one in told["columns"]])
    except pl.exceptions.PolarsError as error:
        raise DamagedError(f"a frame of polars is damaged ({str(error)[:80]})") from error
