"""Where sequences of events come from and go to: lists of records, and long tables with a line for each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa

from azogue.recipe import Rows

CONTAINERS = ("list", "pandas", "polars", "pyarrow")
#: A record: its visits, each a list of events.
History: TypeAlias = list[list[str]]


@dataclass(frozen=True, eq=False)
class Records(Rows):
    """The form to give back: the container, the ids of records (None: they are numbered), whether visits are lists."""

    nested: bool = False


@dataclass(frozen=True, eq=False)
class Found:
    """Records as they were read.

    Parameters
    ----------
    rows : Records
    visits : list of History
    """

    rows: Records
    visits: list[History]


def read(X: Any, columns: tuple[str, ...]) -> Found:
    """A list of records or a long table → the visits of each record.

    Raises
    ------
    TypeError
        For anything else, and names of events that are no text; naming the place.
    ValueError
        For no records, columns that are not there, and missing ids and orders.
    """
    if isinstance(X, (list, tuple)):
        found = _listed(X)
    else:
        frame = nw.from_native(X, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame):
            raise TypeError(
                f"Events: expected a list of records, or a table of {', '.join(columns)}, got {type(X).__name__}"
            )
        found = _long(frame, columns)
    if not found.visits:
        raise ValueError("Events: X has no records; give at least one")
    return found


def _listed(X: Sequence[Any]) -> Found:
    nested = False
    visits: list[History] = []
    for at, record in enumerate(X):
        if not isinstance(record, (list, tuple)):
            raise TypeError(
                f"Events: expected a list of visits for each record, but record {at} is {type(record).__name__}; a "
                "visit is the name of an event, or a list or set of names"
            )
        own = []
        for visit in record:
            if isinstance(visit, str):
                own.append([visit])
                continue
            if not isinstance(visit, (list, tuple, set, frozenset)) or any(not isinstance(one, str) for one in visit):
                raise TypeError(
                    f"Events: expected the name of an event, or a list or set of names, but record {at} holds "
                    f"{visit!r:.60}; convert events to str"
                )
            nested = True
            own.append(sorted(set(visit)))
        visits.append(own)
    return Found(Records("list", None, nested), visits)


def _long(frame: nw.DataFrame[Any], columns: tuple[str, ...]) -> Found:
    """A line for each event."""
    if absent := [name for name in columns if name not in frame.columns]:
        raise ValueError(
            f"Events: the table has no column {', '.join(map(repr, absent))}, it has "
            f"{', '.join(map(repr, frame.columns[:20]))}; name them: modalities.Events(id=, order=, event=)"
        )
    whose, when, what = (_arrow(frame[name]) for name in columns)
    for name, column in zip(columns[:2], (whose, when), strict=True):
        if column.null_count:
            raise ValueError(f"Events: {column.null_count:,} cells of {name!r} are missing; drop these lines")
    if not _texts(what.type) and not pa.types.is_integer(what.type):
        raise TypeError(f"Events: {columns[2]!r} holds {what.type}, not names of events; convert it to text")
    codes, ids = _numbered(whose)
    order = np.unique(np.asarray(when.to_numpy(zero_copy_only=False)), return_inverse=True)[1]
    events = what.cast(pa.string()).to_pylist()
    visits: list[History] = [[] for _ in ids]
    last: list[int] = [-1] * len(ids)
    for at in np.lexsort((order, codes)).tolist():
        own = visits[codes[at]]
        if last[codes[at]] != order[at]:
            own.append([])
            last[codes[at]] = order[at]
        if events[at] is not None and events[at] not in own[-1]:
            own[-1].append(events[at])
    container = frame.implementation.value
    return Found(Records(container if container in CONTAINERS else "pyarrow", ids, True), visits)


def _arrow(series: nw.Series[Any]) -> pa.Array:
    """A column as one array, categories as their values."""
    try:
        array = series.to_arrow()
    except (pa.ArrowException, TypeError) as error:
        raise TypeError(f"Events: column {series.name!r} mixes kinds of values; convert it to text") from error
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _numbered(column: pa.Array) -> tuple[np.ndarray, list[Any]]:
    """Each value's number, and the values in the order of their first appearance."""
    coded = column.dictionary_encode()
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False)), coded.dictionary.to_pylist()


def _texts(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def write(visits: list[History], rows: Records, columns: tuple[str, ...]) -> Any:
    """Records in the user's form; a visit without events is a line without one."""
    if rows.container == "list":
        return visits if rows.nested else [[event for visit in record for event in visit] for record in visits]
    ids = range(1, len(visits) + 1) if rows.index is None else rows.index
    nothing: list[Any] = [None]
    lines = [
        (own, at, event)
        for own, record in zip(ids, visits, strict=True)
        for at, visit in enumerate(record, 1)
        for event in (visit or nothing)
    ]
    whose, when, what = zip(*lines, strict=True) if lines else ((), (), ())
    kinds = (None if lines else pa.int64(), pa.int64(), pa.string())
    arrays = [pa.array(part, kind) for part, kind in zip((whose, when, what), kinds, strict=True)]
    table = pa.table(dict(zip(columns, arrays, strict=True)))
    if rows.container == "pandas":
        return table.to_pandas()
    if rows.container == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table
