"""Tables in and out by file ending: CSV (also gzipped), Parquet, NPY, NPZ; `-` is CSV on a standard stream."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from azogue import screening
from azogue.cli.formulas import for_spreadsheets
from azogue.disk import check_place
from azogue.files import atomic_write
from azogue.limits import DataFileError, current

__all__ = [
    "DataFileError",
    "as_array",
    "as_arrow",
    "check_output",
    "drop_columns",
    "read_lines",
    "read_table",
    "write_table",
]

#: What an empty cell looks like in a CSV.
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"]
#: What may stand between the cells of a line.
MARKS = ",;\t|"

_RECODE = "convert the file, for example with iconv -f latin1 -t utf-8"


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
    from azogue.cli import sets
    from azogue.cli.options import Cells

    try:
        if path == "-":
            data = screening.text(sys.stdin.buffer, "standard input")
            return _read_csv(data, "standard input", header, missing, texts, series)
        if sets.is_set(path):
            return sets.in_memory(sets.opened(path, Cells(None, header, missing), list(texts)), path)
        ending = "".join(Path(path).suffixes[-2:]).lower()
        if ending.endswith(".parquet"):
            return screening.parquet(path)
        if ending.endswith((".npy", ".npz")):
            return screening.array(path)
        if ending.endswith((".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")):
            return _read_csv(_text(path), path, header, missing, texts, series)
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
        data = screening.text(sys.stdin.buffer, "standard input") if path == "-" else _text(path)
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


def _text(path: str) -> bytes:
    """The text of a file, unpacked if its name ends as those of packed files do."""
    size = screening.ordinary(path)
    with pa.input_stream(path, compression="detect") as stream:
        packed = Path(path).suffix.lower() in (".gz", ".bz2", ".zst", ".lz4", ".br")
        return screening.text(stream, path, size if packed else None)


def _read_csv(
    data: bytes, name: str, header: bool, missing: str | None, texts: Sequence[str] = (), series: bool = False
) -> pa.Table:
    if not data.strip():
        raise DataFileError(f"{name}: is empty; a table needs a line of column names and at least one row")
    try:
        first = screening.first_line(data).decode("utf-8-sig")
        screening.check_columns(name, first.count(delimiter(first)) + 1)
        lines = series and not any(mark in first for mark in MARKS)  # each line is a sample
        if lines:
            data = data.rstrip(b"\r\n") if not header else data.strip(b"\r\n")
        table = csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(
                autogenerate_column_names=not header, use_threads=False, block_size=_block(len(data))
            ),
            parse_options=csv.ParseOptions(
                delimiter=delimiter(first), newlines_in_values=True, ignore_empty_lines=not lines
            ),
            convert_options=csv.ConvertOptions(
                column_types={name: pa.string() for name in texts},
                null_values=[*MISSING, *([missing] if missing else [])],
                strings_can_be_null=True,
                decimal_point=screening.decimal_point(data, delimiter(first)),
            ),
        )
    except UnicodeDecodeError as error:
        raise DataFileError(f"{name}: is not UTF-8 text; {_RECODE}") from error
    except pa.ArrowException as error:
        raise DataFileError(f"{name}: broken CSV: {_first_line(error)}; mend that line") from error
    if len(set(table.column_names)) < len(table.column_names) and not lines:
        repeated = next(column for column in table.column_names if table.column_names.count(column) > 1)
        raise DataFileError(
            f"{name}: several columns are named {repeated!r}; name each differently, or say --no-header where the "
            "first line is a row"
        )
    for column in table.schema:
        if pa.types.is_binary(column.type):  # what the reader makes of text that is not UTF-8
            raise DataFileError(f"{name}: column {column.name!r} is not UTF-8 text; {_RECODE}")
    return table


def _block(size: int) -> int:
    """Bytes that are parsed at once: the longest row must fit, and small blocks of wide tables make many pieces."""
    return max(1 << 20, min(size + 1, current().line_bytes))


def delimiter(line: str) -> str:
    """The separator that the first line uses most; a comma where it uses none."""
    return max(MARKS, key=lambda mark: (line.count(mark), mark == ","))


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
        csv.write_csv(
            for_spreadsheets(_plain(table), path), buffer, csv.WriteOptions(delimiter=mark, quoting_style="needed")
        )
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
