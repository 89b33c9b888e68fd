"""Results that come in parts, written as they come: to a Parquet or CSV file that appears once it is complete."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from azogue.disk import atomic_write
from azogue.modalities.parts import DatasetError, first_line

#: Endings that are written in parts.
ENDINGS = (".parquet", ".csv", ".tsv")


class _Sink(io.RawIOBase):
    """What a writer has written and nobody has taken yet."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting.append(bytes(data))
        self._at += len(self._waiting[-1])
        return len(self._waiting[-1])

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        """All of it, once."""
        found, self._waiting = b"".join(self._waiting), []
        return found


def write_parts(path: str | os.PathLike[str], parts: Iterable[Any]) -> int:
    """Write tables or arrays that come one after the other; returns the number of rows.

    Raises
    ------
    DatasetError, ModelFileError
        For another ending, parts of other columns than the first one's, and places that cannot be written.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise DatasetError(f"{os.fspath(path)}: results are written in parts to {', '.join(ENDINGS)}; name such a file")
    counted = [0]
    atomic_write(path, _bytes(parts, ending, counted))
    return counted[0]


def csv_parts(parts: Iterable[Any]) -> Iterator[bytes]:
    """The bytes of a CSV, as they come."""
    return _bytes(parts, ".csv", [0])


def _bytes(parts: Iterable[Any], ending: str, counted: list[int]) -> Iterator[bytes]:
    sink, writer, schema = _Sink(), None, None
    for part in parts:
        table = as_table(part)
        if ending != ".parquet":
            table = _plain(table)
        if schema is None:
            schema = table.schema
            writer = _writer(sink, schema, ending)
        elif table.schema != schema:
            table = _like(table, schema)
        writer.write_table(table)  # type: ignore[union-attr]
        counted[0] += len(table)
        yield sink.taken()
    if writer is not None:
        writer.close()
    yield sink.taken()


def _writer(sink: Any, schema: pa.Schema, ending: str) -> Any:
    if ending == ".parquet":
        return parquet.ParquetWriter(sink, schema)
    options = csv.WriteOptions(delimiter="\t" if ending == ".tsv" else ",", quoting_style="needed")
    return csv.CSVWriter(sink, schema, write_options=options)


def _like(table: pa.Table, schema: pa.Schema) -> pa.Table:
    try:
        return table.select(schema.names).cast(schema)
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise DatasetError(f"write: a part has other columns than the first one: {first_line(error)}") from error


def as_table(part: Any) -> pa.Table:
    """A part of a result as an Arrow table; columns of an array are `column_1` and so on, of one dimension `value`."""
    if isinstance(part, pa.Table):
        return part
    if hasattr(part, "__arrow_c_stream__"):
        return pa.table(part)
    array = np.asarray(part)
    if array.ndim == 1:
        return pa.table({"value": pa.array(array)})
    if array.ndim != 2:
        raise DatasetError(f"write: expected tables or arrays of rows, got an array of shape {array.shape}")
    return pa.table({f"column_{at + 1}": pa.array(array[:, at]) for at in range(array.shape[1])})


def _plain(table: pa.Table) -> pa.Table:
    """Dictionary columns as their values: CSV knows no categories."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)
