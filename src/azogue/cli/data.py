"""What a path holds, as `fit` and `encode` take it: a table, pictures, sequences or texts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue.cli import sets, tables
from azogue.cli.options import parse_size
from azogue.cli.tables import DataFileError
from azogue.modalities import Image, Sequence, Text, kind_of, rows_are
from azogue.modalities.pictures import SUFFIXES, picture_files
from azogue.modalities.waves import as_dtype, wave_files
from azogue.modalities.waves import read as read_sequences
from azogue.modalities.windows import Cut

if TYPE_CHECKING:
    from azogue.cli.options import Cells, Reading, Training

#: What a path is, and the kinds of data that it can hold; the first one is meant where nothing is said.
_KINDS = {
    "folder": ("image", "sequence"),
    "sound": ("sequence",),
    "picture": ("image",),
    "array": ("table", "image", "sequence", "text"),
    "lines": ("table", "text", "sequence"),
    "set": ("table", "text", "sequence"),
    "table": ("table", "text", "sequence"),
}
_ARE = {
    "folder": "a directory",
    "sound": "a WAV file",
    "picture": "a picture",
    "array": "an array",
    "lines": "text",
    "set": "a set of tables",
    "table": "a table",
}
#: What each kind of data can be given as.
WANTED = {
    "table": "tables are .csv, .tsv, .parquet, .npy or .npz files, or folders and globs of .parquet or .csv files",
    "image": "pictures are a folder of picture files, or an array (n, h, w) or (n, h, w, c) in a .npy or .npz file",
    "sequence": "sequences are .wav files, a folder of them, an array (n, t, c) in a .npy or .npz file, or the columns "
    "of a table with --window",
    "text": "texts are the lines of a .txt file, or a --column of a table",
}
#: What a row of each kind is called.
ROWS = {"table": "rows", "image": "pictures", "sequence": "sequences", "text": "texts"}
#: `--modality` → the kind of data, and the unit of texts.
_NAMED = {"auto": None, "words": "text", "characters": "text"}


@dataclass(frozen=True)
class Given:
    """What a path holds.

    Parameters
    ----------
    path : str
        As the user wrote it.
    form : str
        What the path is: a key of `_KINDS`.
    kind : {"table", "image", "sequence", "text"}
    X : Any
        As `fit` takes it.
    files : tuple of str or None
        The names of a folder's files, relative to it, or the name of the one file, for pictures and sound.
    columns : tuple of str or None
        The names of the channels of a series, or of the column of texts, that came from a table.
    others : tuple of str
        The columns of that table that are no numbers, and no channels therefore.
    """

    path: str
    form: str
    kind: str
    X: Any
    files: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    others: tuple[str, ...] = ()

    def having(self, X: Any) -> Given:
        """The same with other rows."""
        return replace(self, X=X)


def for_fit(path: str, reading: Reading, training: Training, streaming: bool = False) -> Given:
    """What to train on.

    Parameters
    ----------
    path : str
    reading, training : options of the command line
    streaming : bool
        Whether rows may stay in their files, so that `X` is a `Dataset`.

    Raises
    ------
    DataFileError
        For what cannot be read, or not as that; the message names the path.
    """
    kind = _NAMED.get(training.modality, training.modality)
    given = read(path, reading, kind, windowed=training.window is not None, streaming=streaming)
    for option, value, needed in (("--window", training.window, "sequence"), ("--size", training.size, "image")):
        if value is not None and given.kind != needed:
            remedy = f"add --modality {needed}, or leave it out" if training.modality == "auto" else "leave it out"
            raise DataFileError(f"{path}: {option} is for {ROWS[needed]}, but these data are {_held(given)}; {remedy}")
    return given


def _held(given: Given) -> str:
    return "a table" if given.kind == "table" else ROWS[given.kind]


def for_model(path: str, reading: Reading, schema: Any, streaming: bool = False) -> Given:
    """What a fitted model is to look at: read as its data were."""
    kind = rows_are(schema)
    columns = schema.describe()
    texts = [column["name"] for column in columns if column["kind"].startswith("categorical")]
    texts = [name for name in texts if isinstance(name, str)]
    given = read(path, reading, kind, True, texts, streaming)
    if kind == "sequence" and schema.step is None and getattr(given.X, "ndim", 3) < 3:
        shape = " × ".join(map(str, schema.shape))
        raise DataFileError(
            f"{path}: is one long series, but the model takes sequences of at most {shape} (samples × channels); give "
            "an array (n, t, c) in a .npy or .npz file, or fit with --window"
        )
    if kind == "sequence" and given.columns and len(given.columns) != schema.channels:
        raise DataFileError(
            f"{path}: has {len(given.columns)} columns of numbers ({', '.join(given.columns[:20])}), but the model was "
            f"fitted on {schema.channels} channel{'s' * (schema.channels > 1)}; --drop leaves a column out"
        )
    return given


def modality(given: Given, training: Training) -> Any:
    """What to pass as `modality=`."""
    try:
        if given.kind == "image":
            return Image(training.scaling, None if training.size is None else parse_size(training.size))
        if given.kind == "sequence":
            return Sequence(training.window, scaling=training.scaling)
    except ValueError as error:
        raise ValueError(f"{given.path}: {error}") from error
    if given.kind == "text":
        if training.scaling != "auto":
            raise ValueError(f"{given.path}: --scaling {training.scaling}: texts have no scale; leave it out")
        return Text("character" if training.modality == "characters" else "word")
    return training.modality


# -- reading -----------------------------------------------------------------------------------------------------------


def read(
    path: str,
    reading: Reading,
    kind: str | None,
    windowed: bool = False,
    texts: list[str] | None = None,
    streaming: bool = False,
) -> Given:
    """What a path holds.

    Parameters
    ----------
    path : str
    reading : Reading
    kind : str or None
        What it must be; None goes by the path and by what is there.
    windowed : bool
        Whether sequences are cut, so that one long series may come.
    texts : list of str, optional
        Columns of a table that are text, whatever they look like.
    streaming : bool
        Whether the rows of a set of tables may stay in their files.
    """
    form = form_of(path)
    if kind is not None and form in _KINDS and kind not in _KINDS[form]:
        raise DataFileError(f"{path}: is {_ARE[form]} and cannot be read as {_as(kind)}; {WANTED[kind]}")
    if form == "set" and streaming and kind in (None, "table"):
        given = Given(path, form, "table", sets.opened(path, reading, texts))
    elif form == "folder":
        given = _folder(path, kind)
    elif form in ("sound", "picture"):
        X = path if form == "sound" else [Path(path)]
        given = Given(path, form, _KINDS[form][0], X, (Path(path).name,))
    elif form == "array":
        given = _array(path, kind, windowed)
    elif form == "lines" and kind == "text" and reading.column is None:
        given = Given(path, form, kind, tables.read_lines(path))
    else:
        given = _from_table(path, form, kind or "table", reading, texts or [], windowed)
    if reading.column is not None and given.kind != "text":
        raise DataFileError(f"{path}: --column is for texts; add --modality words or characters, or leave it out")
    if reading.drop and form not in ("lines", "table", "set"):
        raise DataFileError(f"{path}: {_ARE[form]} has no column names to drop")
    return given


def _as(kind: str) -> str:
    return "a table" if kind == "table" else ROWS[kind]


def form_of(path: str) -> str:
    """What a path is: a key of `_KINDS`, or nothing for an unknown ending."""
    if path == "-":
        return "lines"
    place = Path(path)
    if sets.is_set(path):
        return "set"
    if place.is_dir():
        return "folder"
    ending = place.with_suffix("").suffix.lower() if place.suffix.lower() == ".gz" else place.suffix.lower()
    known = {".wav": "sound", ".npy": "array", ".npz": "array", ".txt": "lines", ".parquet": "table"}
    known |= {".csv": "table", ".tsv": "table"} | dict.fromkeys(SUFFIXES, "picture")
    return known.get(ending, "")


def _folder(path: str, kind: str | None) -> Given:
    """The files of a folder, listed once, so that their names stay those of the rows."""
    root = Path(path)
    found = [] if kind == "image" else wave_files(root)
    if kind == "sequence" and not found:
        raise DataFileError(f"{path}: is a directory without a WAV file (.wav); give one that holds some")
    if not found:
        try:
            found = picture_files(root)
        except ValueError as error:
            if kind is not None or "holds no picture" not in str(error):
                raise
            raise DataFileError(
                f"{path}: is a directory that holds neither pictures nor WAV files; give one that does, or a file"
            ) from error
        kind = "image"
    names = tuple(file.relative_to(root).as_posix() for file in found)
    return Given(path, "folder", kind or "sequence", found, names)


def _array(path: str, kind: str | None, windowed: bool) -> Given:
    array = tables.read_table(path)
    kind = kind or kind_of(array)
    if kind == "sequence" and array.ndim < 3 and not windowed:
        raise DataFileError(f"{path}: has the shape {array.shape}, which is {_NEEDS_WINDOW}")
    if kind == "table" and array.ndim != 2:
        remedy = "; if it is one long series, add --modality sequence and --window" if array.ndim == 1 else ""
        raise DataFileError(f"{path}: has the shape {array.shape}, but a table has rows and columns{remedy}")
    return Given(path, "array", kind, array)


_NEEDS_WINDOW = "one long series; say by --window how many samples a row has, such as --window 256"


def _from_table(path: str, form: str, kind: str, reading: Reading, texts: list[str], windowed: bool) -> Given:
    """A table, one of its columns as texts, or its numbers as one long series."""
    if kind == "sequence" and not windowed:
        raise DataFileError(f"{path}: a table's columns are the channels of {_NEEDS_WINDOW}")
    if kind == "text" and reading.column is not None:
        texts = [reading.column]
    table = cells(path, reading, texts, kind == "sequence")
    if kind == "text":
        return _column(path, form, table, reading.column)
    if kind == "sequence":
        return _series(path, form, table)
    return Given(path, form, kind, table)


def cells(path: str, reading: Cells, texts: list[str] | None = None, series: bool = False) -> Any:
    """The table of a file, without the dropped columns; of a series, empty lines count."""
    table = tables.read_table(path, header=reading.header, missing=reading.missing, texts=texts or [], series=series)
    return tables.drop_columns(table, reading.drop or [], path)


def _column(path: str, form: str, table: pa.Table, column: str | None) -> Given:
    """The texts of a column."""
    names = table.column_names
    if column is None and len(names) == 1:
        column = names[0]
    shown = ", ".join(names[:20]) + ", …" * (len(names) > 20)
    if column is None:
        raise DataFileError(f"{path}: is a table; name by --column the one that holds the texts: {shown}")
    if names.count(column) != 1:
        fault = f"several columns {column!r}" if column in names else f"no column {column!r}"
        raise DataFileError(f"{path}: has {fault}; it has {shown}")
    return Given(path, form, "text", table.column(column), None, (column,))


def _series(path: str, form: str, table: pa.Table) -> Given:
    """The columns of numbers as the channels of one long series."""
    channels, others = [], []
    for at, field in enumerate(table.schema):
        number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type)
        if number:
            channels.append(at)
        else:
            others.append(field.name)
    if not channels:
        raise DataFileError(f"{path}: has no column of numbers, which a series needs; {WANTED['sequence']}")
    chosen = table.select(channels)
    names = tuple(chosen.column_names)
    return Given(path, form, "sequence", tables.as_array(chosen), None, names, tuple(others))


# -- where rows came from ----------------------------------------------------------------------------------------------


def count(given: Given, schema: Any) -> int:
    """How many packed rows the data give."""
    return len(given.X) if given.kind == "table" else int(schema.count(given.X))


def noun(given: Given, schema: Any) -> str:
    """What packed rows are called."""
    return "windows" if given.kind == "sequence" and schema.step is not None else ROWS[given.kind]


def places(given: Given, schema: Any) -> dict[str, Any]:
    """Columns that say where each packed row came from: `file`, and `start` and `stop` of windows, in samples."""
    names = None if given.files is None or given.form != "folder" else np.array(given.files, object)
    if given.kind != "sequence":
        return {} if names is None else {"file": names}
    step = schema.step
    lengths = np.array(read_sequences(given.X, step is not None).rows.lengths, np.int64)
    cut = Cut(schema.size, step or schema.size, lengths)
    which, start = cut.places(np.arange(cut.count))
    found: dict[str, Any] = {} if names is None else {"file": names[which]}
    if step is not None:
        if names is None and len(lengths) > 1:
            found["sequence"] = which
        found |= {"start": start, "stop": np.minimum(start + schema.size, lengths[which])}
    return found


def joined(windows: Any, schema: Any) -> Any:
    """Windows of one series, each a step behind the one before, as the series that they were cut from."""
    if not isinstance(windows, list):
        return windows
    if schema.step is None:
        return windows[0]
    values = np.stack(windows).astype(np.float64).reshape(len(windows), *schema.shape)
    cut = Cut(schema.size, schema.step, np.array([(len(windows) - 1) * schema.step + schema.size]))
    whole = next(iter(cut.join(lambda rows: values[rows], schema.channels)))
    return as_dtype(whole[:, 0] if windows[0].ndim == 1 else whole, windows[0].dtype, "X")
