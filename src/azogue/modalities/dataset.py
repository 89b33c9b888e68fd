"""A table that is larger than memory: Parquet and CSV files, read some rows at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa

from azogue.modalities.parts import (
    CSV,
    PARQUET,
    CsvPart,
    DatasetError,
    Form,
    ParquetPart,
    Part,
    constants_of,
    find,
    first_line,
)
from azogue.modalities.written import write_parts

F = TypeVar("F", bound=Callable[..., Any])

#: Cells of the rows that are read at once, about, and the bounds of these rows: powers of two.
CELLS, FEWEST, MOST = 2**23, 2**8, 2**16
#: Bytes of a result that methods put together in memory.
RESULT = 2**30


def block_rows(columns: int) -> int:
    """Rows that are read, and learned from, at once: a function of the number of columns alone.

    Examples
    --------
    >>> block_rows(30), block_rows(1000)
    (65536, 8192)
    """
    return int(np.clip(2 ** int(np.log2(max(CELLS // max(columns, 1), 1))), FEWEST, MOST))


class Dataset:
    """Rows of Parquet or CSV files, larger than memory: taken wherever a table `X` is.

    Training reads them twice (once to learn the columns, once to pack them into a temporary file) and then goes through
    that file each epoch; models are the same bits as those of `fit(dataset.read())`. Scores are made some rows at a
    time. What is as wide as the rows is written in parts by `write`.

    Parameters
    ----------
    source : path, glob, folder, URI, list of them, or pyarrow.dataset.Dataset
        Such as `"rows/*.parquet"`, `"rows/**/*.csv"` or `"s3://bucket/rows/"`. Files come in the order of their names.
        Folders named `year=2024` state a column. Files that begin with `.` or `_` are left out.
    columns : sequence of str, optional
        The columns to read, in this order; None: all.
    header, missing, texts : bool, str or None, sequence of str
        Of CSV files: whether the first line holds names, a further text that marks a missing cell, and the columns that
        are text, whatever they look like.
    folder : path, optional
        Where packed rows are kept while training, four bytes a number; None: the system's folder for temporary files.
        The file has no name there, so that it goes with the process, whatever ends it.

    Raises
    ------
    DatasetError
        If there are no such files, one is broken, or they do not belong together.

    Examples
    --------
    >>> import azogue as az, pyarrow as pa, tempfile
    >>> from pyarrow import parquet
    >>> place = tempfile.TemporaryDirectory()
    >>> folder = place.name
    >>> for part in range(2):
    ...     parquet.write_table(pa.table({"a": [1.0, 2.0, 4.0], "b": [part] * 3}), f"{folder}/{part}.parquet")
    >>> rows = az.Dataset(f"{folder}/*.parquet")
    >>> rows
    Dataset(6 rows, 2 columns, 2 files)
    >>> ae = az.Autoencoder(1, epochs=2, random_state=0).fit(rows)
    >>> ae.errors(rows).shape
    (6,)
    >>> rows.write(f"{folder}/codes.csv", ae.encode)
    6
    >>> place.cleanup()
    """

    def __init__(
        self,
        source: Any,
        *,
        columns: Sequence[str] | None = None,
        header: bool = True,
        missing: str | None = None,
        texts: Sequence[str] = (),
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self._parts = _parts(source, Form(header, missing, tuple(texts)))
        self._folder = None if folder is None else os.fspath(folder)
        self.schema = _together(self._parts, columns)
        self._rows = sum(part.rows for part in self._parts)
        if not self._rows:
            raise DatasetError(f"{self._parts[0].path}: holds no rows; a table needs at least one")

    def __len__(self) -> int:
        return self._rows

    def __repr__(self) -> str:
        count = len(self._parts)
        return f"Dataset({self._rows:,} rows, {len(self.schema)} columns, {count:,} file{'s' * (count > 1)})"

    @property
    def paths(self) -> list[str]:
        """The files, in the order of the rows."""
        return [part.path for part in self._parts]

    @property
    def folder(self) -> str:
        """Where packed rows are kept while training."""
        return tempfile.gettempdir() if self._folder is None else self._folder

    @property
    def columns(self) -> list[str]:
        """The columns' names."""
        return list(self.schema.names)

    @property
    def column_names(self) -> list[str]:
        """The columns' names, as a `pyarrow.Table` says them."""
        return self.columns

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._rows, len(self.schema)

    @cached_property
    def template(self) -> pa.Table:
        """The table without its rows."""
        return self.schema.empty_table()

    def select(self, columns: Sequence[str]) -> Dataset:
        """The same rows with some of the columns, in this order."""
        found = copy(self)
        found.__dict__.pop("template", None)
        found.schema = pa.schema([self.schema.field(name) for name in _chosen(self.schema, columns)])
        return found

    def blocks(self, size: int | None = None) -> Iterator[pa.Table]:
        """The rows in order, `size` at a time, the last ones as few as there are.

        Parameters
        ----------
        size : int, optional
            None: by the number of columns, up to 65,536.
        """
        size = block_rows(len(self.schema)) if size is None else size
        waiting: list[pa.Table] = []
        count = 0
        for part in self._parts:
            for piece in part.read(self.schema, size):
                table = _cast(piece, self.schema, part.path)
                while count + len(table) >= size:
                    waiting.append(table.slice(0, size - count))
                    table = table.slice(size - count)
                    yield pa.concat_tables(waiting)
                    waiting, count = [], 0
                if len(table):
                    waiting.append(table)
                    count += len(table)
        if waiting:
            yield pa.concat_tables(waiting)

    def read(self) -> pa.Table:
        """All rows, in memory."""
        return pa.concat_tables(self.blocks()).combine_chunks()

    def take(self, rows: Any) -> pa.Table:
        """Some rows, in memory, by their positions."""
        wanted = np.asarray(rows, np.int64)
        order = np.argsort(wanted, kind="stable")
        places, found, start = wanted[order], [self.template], 0
        if len(places) and not 0 <= places[0] <= places[-1] < self._rows:
            raise DatasetError(f"take: there are {self._rows:,} rows, got positions {places[0]:,} to {places[-1]:,}")
        for block in self.blocks() if len(places) else ():
            first, last = np.searchsorted(places, [start, start + len(block)])
            if last > first:
                found.append(block.take(pa.array(places[first:last] - start)))
            start += len(block)
        return pa.concat_tables(found).take(pa.array(np.argsort(order, kind="stable"))).combine_chunks()

    def sample(self, n: int, random_state: int = 0) -> pa.Table:
        """`n` random rows in their order, or all where there are fewer: for estimators that learn in memory."""
        if n >= self._rows:
            return self.read()
        rng = np.random.default_rng(random_state)
        return self.take(np.sort(rng.choice(self._rows, n, replace=False, shuffle=False)))

    def map(self, function: Callable[[Any], Any], size: int | None = None) -> Iterator[Any]:
        """What a function makes of some rows at a time: of a `pyarrow.Table` of at most `size` rows."""
        return map(function, self.blocks(size))

    def write(self, path: str | os.PathLike[str], function: Callable[[Any], Any]) -> int:
        """Write what a function makes of the rows, in parts as they come, to a Parquet or CSV file.

        Parameters
        ----------
        path : path
            Ends in `.parquet`, `.csv` or `.tsv`. It appears once it is complete.
        function : callable
            A table → a table or an array of as many rows: `imputer.transform`, `ae.reconstruct`, `ae.encode`.

        Returns
        -------
        int
            Rows written.
        """
        return write_parts(path, self.map(function))


def in_parts(method: F) -> F:
    """A method that treats each row on its own: of a data set it is asked for some rows at a time.

    The result is put together in memory, and refused where it would take more than 1 GiB.
    """

    @wraps(method)
    def asked(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(X, Dataset):
            return method(self, X, *args, **kwargs)
        found: list[Any] = []
        for part in X.map(lambda rows: method(self, rows, *args, **kwargs)):
            check_result(X, part.nbytes / max(len(part), 1), method.__name__)
            found.append(part)
        return pa.concat_tables(found) if isinstance(found[0], pa.Table) else np.concatenate(found)

    return asked  # type: ignore[return-value]


def needs_rows(X: Any) -> None:
    """Refuse a data set where rows in memory are needed.

    Raises
    ------
    TypeError
    """
    if isinstance(X, Dataset):
        raise TypeError(
            f"{X!r} was passed where rows in memory are needed; take some of them: dataset.sample(100_000), or all: "
            "dataset.read()"
        )


def check_result(X: Any, size: float, name: str) -> None:
    """Refuse results for the rows of a data set, of so many bytes each, that would take too much memory.

    Raises
    ------
    DatasetError
        Naming `write`, which makes them in parts.
    """
    if isinstance(X, Dataset) and size * len(X) > RESULT:
        raise DatasetError(
            f"{name}: the result for {len(X):,} rows takes {size * len(X) / 2**30:.1f} GiB of memory; write it in "
            f"parts: dataset.write('out.parquet', estimator.{name})"
        )


def _parts(source: Any, form: Form) -> list[Part]:
    if type(source).__module__.startswith("pyarrow."):  # importing its module takes pandas along
        if not hasattr(source, "files"):
            raise DatasetError("Dataset: expected a pyarrow data set of files; a table in memory is taken as it is")
        places: list[tuple[Any, str]] = [(source.filesystem, path) for path in source.files]
    else:
        places = find(source)
    found: list[Part] = []
    for system, path in places:
        ending = path.lower()
        if ending.endswith(PARQUET):
            found.append(ParquetPart(system, path, constants_of(path)))
        elif ending.endswith(CSV):
            found.append(CsvPart(system, path, form))
        else:
            raise DatasetError(f"{path}: unknown kind of file; a data set has .parquet, .csv or .tsv files")
    if not found:
        raise DatasetError("Dataset: no files; name some")
    return found


def _together(parts: Sequence[Part], columns: Sequence[str] | None) -> pa.Schema:
    """The columns of all files: those of the first one, with types that hold what all of them hold."""
    first = parts[0]
    if len(set(first.schema.names)) < len(first.schema):
        raise DatasetError(f"{first.path}: has columns of the same name; name each differently")
    names = _chosen(first.schema, columns)
    types = {name: first.schema.field(name).type for name in names}
    owner = dict.fromkeys(types, first.path)
    for part in parts[1:]:
        surplus = part.schema.names if columns is None else names
        for lacking, there, other in ((types, part, first), (surplus, first, part)):
            if missing := [name for name in lacking if name not in there.schema.names]:
                raise DatasetError(
                    f"{there.path}: lacks the column{'s' * (len(missing) > 1)} {', '.join(missing[:10])} that "
                    f"{other.path} has; name the columns that all files have, or leave the file out"
                )
        for name, known in list(types.items()):
            kind = part.schema.field(name).type
            joined = _common(known, kind)
            if joined is None:
                raise DatasetError(
                    f"{part.path}: column {name!r} holds {kind}, but {known} in {owner[name]}; convert one of them"
                )
            if joined != known:
                types[name], owner[name] = joined, part.path
    return pa.schema(types)


def _common(a: pa.DataType, b: pa.DataType) -> pa.DataType | None:
    """A type that holds the values of both, None where one is text and the other is not."""
    if a == b:
        return a
    try:
        fields = [pa.schema([pa.field("x", kind)]) for kind in (a, b)]
        kind: pa.DataType = pa.unify_schemas(fields, promote_options="permissive").field(0).type
        return kind
    except (pa.ArrowException, TypeError, ValueError):
        return None


def _chosen(schema: pa.Schema, columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return list(schema.names)
    names = [columns] if isinstance(columns, str) else list(columns)
    if absent := [name for name in names if name not in schema.names]:
        raise DatasetError(f"columns: there is no {absent[0]!r}; the files have {', '.join(schema.names[:20])}")
    if not names or len(set(names)) < len(names):
        raise DatasetError(f"columns: expected different names, at least one, got {names}")
    return names


def _cast(table: pa.Table, schema: pa.Schema, path: str) -> pa.Table:
    """The rows of a file in the types of all files."""
    if table.schema.equals(schema):
        return table
    columns = []
    for name, kind, column in zip(schema.names, schema.types, table.columns, strict=True):
        try:
            columns.append(column if column.type == kind else column.cast(kind))
        except pa.ArrowException as error:
            raise DatasetError(f"{path}: column {name!r} is no {kind}: {first_line(error)}; convert it") from error
    return pa.table(columns, schema=schema)
