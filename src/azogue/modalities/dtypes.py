"""Column types: their families, and their names as text that a model file can hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pyarrow as pa

_UNITS = ("s", "ms", "us", "ns")
_PLAIN: dict[str, pa.DataType] = {
    str(kind): kind
    for kind in (
        *(pa.null(), pa.bool_(), pa.string(), pa.large_string(), pa.string_view()),
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64()),
        *(pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")),
        *(pa.duration(unit) for unit in _UNITS),
    )
}
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(u?int(?:8|16|32|64)), ordered=([01])>")

_FAMILIES: dict[str, tuple[Callable[[Any], bool], ...]] = {
    "absent": (pa.types.is_null,),
    "boolean": (pa.types.is_boolean,),
    "numeric": (pa.types.is_integer, pa.types.is_floating),
    "datetime": (pa.types.is_timestamp, pa.types.is_date),
    "duration": (pa.types.is_duration,),
    "time": (pa.types.is_time,),
    "categorical": (
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
        lambda kind: pa.types.is_dictionary(kind) and _is_known(kind.value_type),
    ),
}


def _is_known(kind: Any) -> bool:
    return family(kind) is not None


#: Families whose values are whole numbers of a unit of time.
TEMPORAL = frozenset({"datetime", "duration", "time"})


def arrow_type(token: str) -> pa.DataType:
    """The Arrow type with this name: the inverse of `str`, for the types that a table holds.

    Examples
    --------
    >>> arrow_type("timestamp[us, tz=Europe/Madrid]")
    TimestampType(timestamp[us, tz=Europe/Madrid])
    """
    if token in _PLAIN:
        return _PLAIN[token]
    if match := _TIMESTAMP.fullmatch(token):
        return pa.timestamp(match[1], match[2])
    if match := _DICTIONARY.fullmatch(token):
        return pa.dictionary(_PLAIN[match[2]], arrow_type(match[1]), match[3] == "1")
    raise ValueError(f"no column can have the type {token!r}")


@cache
def family(kind: Any) -> str | None:
    """What the values of a type are to a table, None for types that it cannot hold."""
    return next((name for name, tests in _FAMILIES.items() if any(test(kind) for test in tests)), None)


def value_family(kind: Any) -> str | None:
    """The family of a type, or of the entries of a dictionary."""
    return family(kind.value_type if pa.types.is_dictionary(kind) else kind)


@cache
def storage(kind: pa.DataType) -> pa.DataType:
    """The plain type that the values of a type are stored as: whole numbers for dates and times."""
    if family(kind) not in TEMPORAL:
        return kind
    return pa.int32() if kind.bit_width == 32 else pa.int64()


_PANDAS: dict[str, Callable[[Any], str]] = {
    "CategoricalDtype": lambda dtype: f"category/{pandas_token(dtype.categories.dtype)}",
    "StringDtype": lambda dtype: f"{'str' if repr(dtype.na_value) == 'nan' else 'string'}[{dtype.storage}]",
    "ArrowDtype": lambda _: "arrow",
}


def pandas_token(dtype: Any) -> str:
    """The name of a pandas dtype, precise where `str(dtype)` is not."""
    return _PANDAS.get(type(dtype).__name__, str)(dtype)


def pandas_dtype(token: str) -> Any:
    """The pandas dtype of a token other than `category/...`, `object/...` and `arrow`."""
    import pandas as pd

    if match := re.fullmatch(r"(str|string)\[(python|pyarrow)\]", token):
        return pd.StringDtype(match[2]) if match[1] == "string" else pd.StringDtype(match[2], na_value=float("nan"))
    return pd.api.types.pandas_dtype(token)
