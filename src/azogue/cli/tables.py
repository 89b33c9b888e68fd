"""Tables in and out by file ending: CSV (also gzipped), Parquet, NPY, NPZ; `-` is CSV on a standard stream."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from azogue.disk import check_place
from azogue.files import atomic_write

#: What an empty cell looks like in a CSV.
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"]
#: What may stand between the cells of a line.
MARKS = ",;\t|"

_RECODE = "convert the file, for example with iconv -f latin1 -t utf-8"


class DataFileError(ValueError):
    """A data file cannot be read or written; the message names the file, the reason and the remedy."""


def read_table(
    path: str, *, header: bool = True, missing: str | None = None, texts: Sequence[str] = (), series: bool = False
) -> Any:
    """Read a table.

    Parameters
    ----------
    path : str
        `*.csv`, `*.tsv`, `*.txt` (also `.gz`), `*.parquet`, `*.npy`, `*.npz`, or `-`.
    header : bool
        Whether the first line of a CSV holds the columns' names.
    missing : str or None
        A further text that marks a missing cell, such as `?`.
    texts : sequence of str
        Columns of a CSV that are text, whatever they look like.
    series : bool
        Whether rows follow one another in time: an empty line of a single column is a missing sample then, but for
        those at the end.

    Returns
    -------
    pyarrow.Table, or ndarray for NPY and NPZ

    Raises
    ------
    DataFileError
    """
    try:
        if path == "-":
            return _read_csv(sys.stdin.buffer.read(), "standard input", header, missing, texts, series)
        ending = "".join(Path(path).suffixes[-2:]).lower()
        if ending.endswith(".parquet"):
            return parquet.read_table(path)
        if ending.endswith((".npy", ".npz")):
            return _read_numpy(path)
        if ending.endswith((".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")):
            with pa.input_stream(path, compression="detect") as stream:
                return _read_csv(stream.read(), path, header, missing, texts, series)
    except FileNotFoundError as error:
        raise DataFileError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise DataFileError(f"{path}: is a directory; give a file") from error
    except PermissionError as error:
        raise DataFileError(f"{path}: no permission to read it") from error
    except (pa.ArrowException, OSError, EOFError) as error:
        if Path(path).is_dir():
            raise DataFileError(f"{path}: is a directory; give a file") from error
        raise DataFileError(f"{path}: cannot be read: {_first_line(error)}") from error
    if not Path(path).exists():
        raise DataFileError(f"{path}: there is no such file")
    if Path(path).is_dir():
        raise DataFileError(f"{path}: is a directory; give a file")
    raise DataFileError(
        f"{path}: unknown kind of file; use .csv, .tsv, .txt, .parquet, .npy, .npz, .wav, or a folder of pictures or "
        "WAV files"
    )


def read_lines(path: str) -> list[str]:
    """The lines of a text file (also `.gz`), or of standard input for `-`, without their ends.

    Raises
    ------
    DataFileError
        For a file that cannot be read, holds nothing or is not UTF-8.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read()
        else:
            with pa.input_stream(path, compression="detect") as stream:
                data = stream.read()
    except FileNotFoundError as error:
        raise DataFileError(f"{path}: there is no such file") from error
    except (pa.ArrowException, OSError, EOFError) as error:
        raise DataFileError(f"{path}: cannot be read: {_first_line(error)}") from error
    if not data:
        raise DataFileError(f"{path}: is empty; give one text a line")
    lines = data.removeprefix(b"\xef\xbb\xbf").removesuffix(b"\n").split(b"\n")
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(line.removesuffix(b"\r").decode())
        except UnicodeDecodeError as error:
            raise DataFileError(f"{path}: line {number} is not UTF-8 text; {_RECODE}") from error
    return found


def _read_csv(
    data: bytes, name: str, header: bool, missing: str | None, texts: Sequence[str] = (), series: bool = False
) -> pa.Table:
    if not data.strip():
        raise DataFileError(f"{name}: is empty; a table needs a line of column names and at least one row")
    try:
        first = data.lstrip(b"\r\n").split(b"\n", 1)[0].decode("utf-8-sig")
        if b"\0" in data[:4096]:
            raise DataFileError(f"{name}: holds binary data, not CSV text; is the file's ending right?")
        lines = series and not any(mark in first for mark in MARKS)  # each line is a sample
        if lines:
            data = data.rstrip(b"\r\n") if not header else data.strip(b"\r\n")
        table = csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(autogenerate_column_names=not header, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter=delimiter(first), newlines_in_values=True, ignore_empty_lines=not lines
            ),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in texts},
                null_values=[*MISSING, *([missing] if missing else [])],
                strings_can_be_null=True,
            ),
        )
    except UnicodeDecodeError as error:
        raise DataFileError(f"{name}: is not UTF-8 text; {_RECODE}") from error
    except pa.ArrowException as error:
        raise DataFileError(f"{name}: broken CSV: {_first_line(error)}; mend that line") from error
    for column in table.schema:
        if pa.types.is_binary(column.type):  # what the reader makes of text that is not UTF-8
            raise DataFileError(f"{name}: column {column.name!r} is not UTF-8 text; {_RECODE}")
    return table


def delimiter(line: str) -> str:
    """The separator that the first line uses most; a comma where it uses none."""
    return max(MARKS, key=lambda mark: (line.count(mark), mark == ","))


def _read_numpy(path: str) -> np.ndarray:
    try:
        with Path(path).open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return found
            names = [name for name in found.files if name == "X"] or found.files
            if len(names) != 1:
                raise DataFileError(f"{path}: holds {', '.join(names)}; keep one array, or name the one to read X")
            array: np.ndarray = found[names[0]]
            return array
    except (ValueError, KeyError, zipfile.BadZipFile) as error:
        if isinstance(error, DataFileError):
            raise
        raise DataFileError(f"{path}: is no array of numbers: {_first_line(error)}") from error


def write_table(table: Any, path: str) -> None:
    """Write a table by file ending; `-` is CSV on standard output.

    Parameters
    ----------
    table : pyarrow.Table or ndarray
    path : str
    """
    ending = Path(path).suffix.lower()
    if ending in (".npy", ".npz"):
        array = table if isinstance(table, np.ndarray) else as_array(table)
        if array.dtype == object:
            raise DataFileError(f"{path}: holds numbers only, and the result has texts; write .csv or .parquet")
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False) if ending == ".npy" else np.savez_compressed(buffer, X=array)
        atomic_write(path, buffer.getvalue())
        return
    table = as_arrow(table)
    buffer = io.BytesIO()
    if ending == ".parquet":
        parquet.write_table(table, buffer)
    elif path == "-" or ending in (".csv", ".tsv", ".txt"):
        mark = "\t" if ending == ".tsv" else ","
        csv.write_csv(_plain(table), buffer, csv.WriteOptions(delimiter=mark, quoting_style="needed"))
    else:
        raise DataFileError(f"{path}: unknown kind of file; use .csv, .tsv, .parquet, .npy or .npz")
    if path == "-":
        sys.stdout.buffer.write(buffer.getvalue())
        sys.stdout.buffer.flush()
    else:
        atomic_write(path, buffer.getvalue())


def check_output(path: str | None, *inputs: str | None, stream: bool = True) -> None:
    """Refuse an output that could not be written, before the work is done."""
    if path is None or (path == "-" and stream):
        return
    if path == "-":
        raise DataFileError("-: this needs a file to write; give a name behind -o")
    target = Path(str(path))
    if any(name not in (None, "-") and Path(str(name)).resolve() == target.resolve() for name in inputs):
        raise DataFileError(f"{path}: is also what is read; name another file behind -o")
    if target.is_dir():
        raise DataFileError(f"{path}: is a directory; name the file to write")
    if not target.absolute().parent.is_dir():
        raise DataFileError(f"{path}: the folder {target.absolute().parent} does not exist")
    check_place(target)


def as_arrow(table: Any, names: list[str] | None = None) -> pa.Table:
    """An array as an Arrow table, with names for its columns."""
    if isinstance(table, pa.Table):
        return table
    if hasattr(table, "__arrow_c_stream__"):  # a frame of pandas or polars, as a model that saw one decodes to
        return pa.table(table)
    array = np.asarray(table)
    names = names or [f"column_{at + 1}" for at in range(array.shape[1])]
    return pa.table({name: pa.array(array[:, at]) for at, name in enumerate(names)})


def as_array(table: pa.Table) -> np.ndarray:
    """An Arrow table of numbers as a matrix."""
    return np.column_stack([column.to_numpy(zero_copy_only=False) for column in table.columns])


def _plain(table: pa.Table) -> pa.Table:
    """Dictionary columns as their values: CSV knows no categories."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def drop_columns(table: Any, names: list[str], path: str) -> Any:
    """The table without some columns.

    Raises
    ------
    DataFileError
        Naming the column that is not there.
    """
    if not names:
        return table
    if isinstance(table, np.ndarray):
        raise DataFileError(f"{path}: an array has no column names to drop")
    for name in names:
        if name not in table.column_names:
            raise DataFileError(f"{path}: has no column {name!r} to drop; it has {', '.join(table.column_names[:20])}")
    return table.drop_columns(names)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
