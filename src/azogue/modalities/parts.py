"""The files of a data set: found once, read some rows at a time, and refused where they do not belong together."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import csv, fs, parquet

#: What an empty cell looks like in a CSV, and what may stand between the cells of a line.
MISSING = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A")
MARKS = ",;\t|"
#: Bytes of a CSV that are turned into rows at once, and of a buffer that a Parquet column is read through.
CSV_BYTES, PARQUET_BYTES = 2**23, 2**18
#: Endings of files that hold tables.
PARQUET = (".parquet", ".pq")
CSV = tuple(ending + packed for ending in (".csv", ".tsv", ".txt") for packed in ("", ".gz", ".bz2"))

_GLOB = re.compile(r"[*?\[]")


class DatasetError(ValueError):
    """A data set cannot be read or written: names the file, where in it, what is wrong, and the remedy.

    Examples
    --------
    >>> import azogue as az
    >>> az.Dataset("no/such/*.parquet")
    Traceback (most recent call last):
        ...
    azogue.modalities.parts.DatasetError: no/such/*.parquet: there are no such files; check the path
    """


@dataclass(frozen=True)
class Form:
    """How CSV files are to be read.

    Parameters
    ----------
    header : bool
        Whether the first line holds the columns' names.
    missing : str or None
        A further text that marks a missing cell.
    texts : tuple of str
        Columns that are text, whatever they look like.
    """

    header: bool = True
    missing: str | None = None
    texts: tuple[str, ...] = ()


class Part(Protocol):
    """A file of a data set."""

    path: str
    schema: pa.Schema

    @property
    def rows(self) -> int:
        """How many there are."""

    def read(self, schema: pa.Schema, size: int) -> Iterator[pa.Table]:
        """The rows in order, at most about `size` at a time, with the columns of a schema."""


def first_line(error: BaseException) -> str:
    """What an error says, without its tail."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


# -- finding -----------------------------------------------------------------------------------------------------------


def find(source: Any) -> list[tuple[Any, str]]:
    """The files of a path, folder, glob or URI, or a list of them, each with its file system; sorted by name.

    Raises
    ------
    DatasetError
        If there are none.
    """
    found: list[tuple[Any, str]] = []
    for place in source if isinstance(source, (list, tuple)) else [source]:
        found += _found(str(place))
    if not found:
        raise DatasetError("Dataset: an empty list of files; name some")
    return found


def _found(place: str) -> list[tuple[Any, str]]:
    try:
        system, path = _system(place)
        if not _GLOB.search(path):
            info = system.get_file_info(path)
            if info.type == fs.FileType.NotFound:
                raise DatasetError(f"{place}: there is no such file or folder; check the path")
            if info.type != fs.FileType.Directory:
                return [(system, path)]
            names = _listed(system, path, len(path.rstrip("/")) + 1, True)
            known = [name for name in names if name.lower().endswith((*PARQUET, *CSV))]
            tables = [name for name in known if name.lower().endswith(PARQUET)] or known
            if not tables:
                raise DatasetError(f"{place}: is a folder without Parquet or CSV files; give one that holds some")
            return [(system, name) for name in tables]
        base = path[: _GLOB.search(path).start()].rpartition("/")[0]  # type: ignore[union-attr]
        if base and system.get_file_info(base).type != fs.FileType.Directory:
            raise DatasetError(f"{place}: there are no such files; check the path")
        matching = _matcher(path)
        deep = "/" in path[len(base) + 1 :]
        names = _listed(system, base or ".", len(base) + 1, deep)
        chosen = [name for name in names if matching(name.removeprefix("./"))]
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(f"{place}: cannot be read: {first_line(error)}; check the path") from error
    if not chosen:
        raise DatasetError(f"{place}: there are no such files; check the path")
    return [(system, name) for name in chosen]


def _matcher(pattern: str) -> Callable[[str], bool]:
    """A glob of which a star stays within a folder, and two stars do not."""
    wanted = pattern.split("/")

    def fits(parts: Sequence[str], at: int = 0) -> bool:
        if at == len(wanted):
            return not parts
        if wanted[at] == "**":
            return fits(parts, at + 1) or (bool(parts) and fits(parts[1:], at))
        return bool(parts) and fnmatchcase(parts[0], wanted[at]) and fits(parts[1:], at + 1)

    return lambda name: fits(name.split("/"))


def _system(place: str) -> tuple[Any, str]:
    if "://" in place:
        system, path = fs.FileSystem.from_uri(place)
        return system, path
    return fs.LocalFileSystem(), place


def _listed(system: Any, base: str, start: int, deep: bool) -> list[str]:
    """The files of a folder, and of those below it, without those that begin with a dot or underscore there."""
    infos = system.get_file_info(fs.FileSelector(base, recursive=deep))
    files = (info.path for info in infos if info.type == fs.FileType.File)
    return sorted(path for path in files if not any(part[:1] in "._" and part[1:] for part in path[start:].split("/")))


# -- Parquet -----------------------------------------------------------------------------------------------------------


@dataclass
class ParquetPart:
    """A Parquet file, read row group by row group.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    path : str
    constants : dict of str to value
        Columns that the names of its folders state, such as `year=2024`.
    """

    system: Any
    path: str
    constants: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self._open() as file:
            self._footer, self.schema = _mark(file), file.schema_arrow.remove_metadata()
            self._rows = file.metadata.num_rows
        for name, value in self.constants.items():
            if name not in self.schema.names:
                self.schema = self.schema.append(pa.field(name, pa.scalar(value).type))

    @property
    def rows(self) -> int:
        """How many there are, by the footer."""
        return int(self._rows)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with parquet.ParquetFile(
                self.system.open_input_file(self.path), buffer_size=PARQUET_BYTES, pre_buffer=False
            ) as file:
                yield file
        except FileNotFoundError as error:
            raise DatasetError(f"{self.path}: there is no such file; it was there before, or check the path") from error
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{self.path}: is no sound Parquet file: {first_line(error)}; write it anew") from error

    def read(self, schema: pa.Schema, size: int) -> Iterator[pa.Table]:
        """The rows of each row group."""
        names = [name for name in schema.names if name not in self.constants]
        with self._open() as file:
            if _mark(file) != self._footer:
                raise DatasetError(
                    f"{self.path}: was changed while it was being read; keep it as it is, and start again"
                )
            groups = file.metadata.num_row_groups
            for group in range(groups):
                batches = file.iter_batches(size, row_groups=[group], columns=names)
                for batch in _guarded(batches, f"{self.path}: row group {group + 1} of {groups}"):
                    yield self._completed(batch, schema)

    def _completed(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
        there = dict(zip(batch.schema.names, batch.columns, strict=True))
        for name, value in self.constants.items():
            if name in schema.names:
                there.setdefault(name, pa.repeat(pa.scalar(value), batch.num_rows))
        return pa.table([there[name] for name in schema.names], names=schema.names)


def _mark(file: Any) -> tuple[Any, ...]:
    """What tells one state of a file from another, by its footer."""
    meta = file.metadata
    groups = [meta.row_group(at) for at in range(meta.num_row_groups)]
    places = tuple(
        (one.num_rows, one.total_byte_size, one.column(0).data_page_offset if one.num_columns else 0) for one in groups
    )
    return meta.num_rows, meta.serialized_size, places


def _guarded(batches: Iterator[Any], where: str) -> Iterator[Any]:
    """What comes, until the file breaks."""
    source = iter(batches)
    while True:
        try:
            batch = next(source)
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            raise DatasetError(f"{where} cannot be read: {first_line(error)}; write the file anew") from error
        yield batch


def constants_of(path: str) -> dict[str, Any]:
    """What the folders of a path state of its rows: `year=2024/` → {"year": 2024}."""
    found: dict[str, Any] = {}
    for folder in path.split("/")[:-1]:
        name, sign, value = folder.partition("=")
        if sign and name:
            found[name] = int(value) if re.fullmatch(r"-?[0-9]{1,18}", value) else value
    return found


# -- CSV ---------------------------------------------------------------------------------------------------------------

#: The wider of two types that columns have in different places, where it is not text.
_WIDER = {
    frozenset((pa.int64(), pa.float64())): pa.float64(),
    frozenset((pa.date32(), pa.timestamp("s"))): pa.timestamp("s"),
    frozenset((pa.timestamp("s"), pa.timestamp("ns"))): pa.timestamp("ns"),
    frozenset((pa.date32(), pa.timestamp("ns"))): pa.timestamp("ns"),
}


@dataclass
class CsvPart:
    """A CSV file, read a few megabytes at a time; what its columns are is told by all of its lines.

    Parameters
    ----------
    system : pyarrow.fs.FileSystem
    path : str
    form : Form
    """

    system: Any
    path: str
    form: Form = Form()

    def __post_init__(self) -> None:
        types: dict[str, pa.DataType] = {}
        self._rows, self._size = 0, self._bytes()
        for table in self._tables(dict.fromkeys(self.form.texts, pa.string())):
            for name, kind in zip(table.schema.names, table.schema.types, strict=True):
                types[name] = kind if name not in types else _joined(types[name], kind)
            self._rows += table.num_rows
        if not types:
            raise DatasetError(f"{self.path}: is empty; a table needs a line of column names and at least one row")
        self.schema = pa.schema(types)

    @property
    def rows(self) -> int:
        """How many there are."""
        return self._rows

    def _bytes(self) -> int:
        return int(self.system.get_file_info(self.path).size or 0)

    def read(self, schema: pa.Schema, size: int) -> Iterator[pa.Table]:
        """The rows, as the types that all lines allow."""
        if self._bytes() != self._size:
            raise DatasetError(f"{self.path}: was changed while it was being read; keep it as it is, and start again")
        types = {name: schema.field(name).type for name in schema.names}
        rows = 0
        for table in self._tables({name: _readable(kind) for name, kind in types.items()}):
            rows += table.num_rows
            yield table.select(schema.names)
        if rows != self._rows:
            raise DatasetError(f"{self.path}: was changed while it was being read; keep it as it is, and start again")

    def _tables(self, types: dict[str, pa.DataType]) -> Iterator[pa.Table]:
        """Some lines at a time."""
        head, line = b"", 1
        for number, data in enumerate(self._blocks()):
            if not number:
                if b"\0" in data[:4096]:
                    raise DatasetError(f"{self.path}: holds binary data, not CSV text; is the file's ending right?")
                data = data.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")  # noqa: PLW2901
                head = data[: data.find(b"\n") + 1]
            body = data if not number or not self.form.header else head + data
            if data.strip():
                yield self._parsed(body, head, types, line)
            line += data.count(b"\n")

    def _parsed(self, data: bytes, head: bytes, types: dict[str, pa.DataType], line: int) -> pa.Table:
        text = head.decode("utf-8", "replace")
        mark = max(MARKS, key=lambda mark: (text.count(mark), mark == ","))
        extra = [self.form.missing] if self.form.missing else []
        try:
            table = csv.read_csv(
                io.BytesIO(data),
                csv.ReadOptions(autogenerate_column_names=not self.form.header, use_threads=False, block_size=2**25),
                csv.ParseOptions(delimiter=mark, newlines_in_values=True),
                csv.ConvertOptions(
                    column_types=types, null_values=[*MISSING, *extra], strings_can_be_null=True, check_utf8=True
                ),
            )
        except pa.ArrowException as error:
            raise DatasetError(f"{self.path}: broken CSV behind line {line:,}: {first_line(error)}; mend it") from error
        if len(set(table.schema.names)) < len(table.schema):
            raise DatasetError(f"{self.path}: has columns of the same name; name each differently")
        if any(pa.types.is_binary(kind) for kind in table.schema.types):
            raise DatasetError(f"{self.path}: is not UTF-8 text behind line {line:,}; convert it with iconv -t utf-8")
        return table

    def _blocks(self) -> Iterator[bytes]:
        """The bytes of the file, cut where a row ends: at a line's end that no quotes are around."""
        rest = b""
        try:
            with self.system.open_input_stream(self.path, compression="detect") as stream:
                while data := stream.read(CSV_BYTES):
                    rest += data
                    if cut := _row_end(rest):
                        yield rest[:cut]
                        rest = rest[cut:]
                    elif len(rest) > 16 * CSV_BYTES:
                        raise DatasetError(
                            f"{self.path}: a row has more than {16 * CSV_BYTES:,} bytes; is a quote open?"
                        )
        except FileNotFoundError as error:
            raise DatasetError(f"{self.path}: there is no such file; check the path") from error
        except (pa.ArrowException, OSError, EOFError) as error:
            raise DatasetError(f"{self.path}: cannot be read: {first_line(error)}; check the file") from error
        if rest:
            yield rest


def _row_end(data: bytes) -> int:
    """Behind the last line end with an even number of quotes before it; 0 where there is none."""
    end, quotes = len(data), data.count(b'"')
    while (at := data.rfind(b"\n", 0, end)) >= 0:
        quotes -= data.count(b'"', at, end)
        if quotes % 2 == 0:
            return at + 1
        end = at
    return 0


def _joined(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    """The type of a column that is `a` in some lines and `b` in others."""
    if a == b or pa.types.is_null(b):
        return a
    return b if pa.types.is_null(a) else _WIDER.get(frozenset((a, b)), pa.string())


def _readable(kind: pa.DataType) -> pa.DataType:
    """A type that the reader of CSV makes."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind
