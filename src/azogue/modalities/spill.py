"""Rows of a data set, packed once into a temporary file, from which training takes them: a few at a time, or a buffer.

A row is kept as float32: the slots of numbers and booleans (NaN where a cell is missing), then a number for each
categorical column (−1 where it is missing), which becomes its one-hot block when the row is taken. So a row takes four
bytes a number, however many categories there are. The file has no name: it goes with the process, whatever ends it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from azogue.modalities.base import Pieces
from azogue.modalities.dataset import Dataset, block_rows
from azogue.modalities.labels import Unseen, warn_unseen
from azogue.modalities.packing import as_batch
from azogue.modalities.parts import DatasetError
from azogue.modalities.reading import TableRows, read
from azogue.recipe import Batch, Lazy

if TYPE_CHECKING:
    from azogue.modalities.schema import TableSchema

#: Numbers of a page, the most that is read at once, and the part of a page's rows from which it is read whole.
PAGE, DENSE = 2**17, 1 / 16

Floats32 = NDArray[np.float32]


class Spill:
    """Packed rows in a temporary file.

    Parameters
    ----------
    schema : TableSchema
    data : Dataset

    Raises
    ------
    DatasetError
        If there is no room for the file.
    """

    def __init__(self, schema: TableSchema, data: Dataset) -> None:
        self._schema, self._count = schema, len(data)
        self._numbers, self._blocks = schema.dense_stop, schema.blocks
        self._width = max(self._numbers + len(self._blocks), 1)
        self._gaps = False
        self._lock = threading.Lock()
        needed = 4 * self._width * self._count
        try:
            free = shutil.disk_usage(data.folder).free
            if needed > free:
                raise _full(data.folder, needed, free)
            self._file: Any = tempfile.TemporaryFile(dir=data.folder, buffering=0)  # noqa: SIM115
            weakref.finalize(self, self._file.close)
            self._fill(data)
        except OSError as error:
            raise DatasetError(
                f"{data.folder}: packed rows cannot be kept there: {error.strerror or error}; they take "
                f"{needed / 2**30:.1f} GiB, name another place by Dataset(folder=...)"
            ) from error

    def _fill(self, data: Dataset) -> None:
        """Pack all rows."""
        unseen: Unseen = {}
        written = 0
        for block in data.blocks():
            rows = self._packed(block, unseen)
            view = memoryview(rows).cast("B")  # type: ignore[arg-type]
            while len(view):
                view = view[self._file.write(view) :]
            written += len(rows)
        if written != self._count:
            raise DatasetError(f"{data.paths[0]}: the files were changed while they were being read; start again")
        warn_unseen(unseen)

    def _packed(self, table: Any, unseen: Unseen) -> Floats32:
        source = read(table)
        self._schema.check(source)
        count = source.shape[0]
        x, hidden = np.zeros((count, self._numbers), np.float32), np.zeros((count, self._numbers), bool)
        self._schema.pack_numbers(source, x, hidden)
        rows = np.empty((count, self._width), np.float32)
        rows[:, : self._numbers] = x
        if hidden.any():
            rows[:, : self._numbers][hidden] = np.nan
            self._gaps = True
        for at, (_, codes) in enumerate(self._schema.categories(source, unseen), self._numbers):
            rows[:, at] = codes
            self._gaps = self._gaps or bool((codes < 0).any())
        return rows

    def lazy(self) -> Lazy:
        """The rows for training."""
        return Lazy(self._count, self._schema.width, self.make, buffered=True)

    def make(self, index: Any) -> Batch:
        """The rows at a slice or an array of positions."""
        where = np.arange(self._count, dtype=np.int64)[index] if isinstance(index, slice) else index
        rows = np.empty((len(where), self._width), np.float32)
        ordered = len(where) < 2 or bool((np.diff(where) > 0).all())
        order = slice(None) if ordered else np.argsort(where, kind="stable")
        self._read(where[order], rows)
        if not ordered:
            back = np.empty(len(where), np.int64)
            back[order] = np.arange(len(where))
            rows = rows[back]
        return self._expanded(rows)

    def _read(self, where: NDArray[np.int64], rows: Floats32) -> None:
        """Rows at increasing positions: pages of which many rows are wanted are read whole."""
        size = max(1, PAGE // self._width)
        cuts = np.flatnonzero(np.diff(where // size)) + 1
        bounds = [0, *cuts.tolist(), len(where)]
        for start, stop in pairwise(bounds):
            if start == stop:
                continue
            first, last = int(where[start]), int(where[stop - 1])
            if last - first == stop - start - 1:
                self._load(first, rows[start:stop])
            elif (stop - start) / (last - first + 1) >= DENSE:
                page = np.empty((last - first + 1, self._width), np.float32)
                self._load(first, page)
                np.take(page, where[start:stop] - first, axis=0, out=rows[start:stop])
            else:
                for at in range(start, stop):
                    self._load(int(where[at]), rows[at : at + 1])

    def _load(self, first: int, rows: Floats32) -> None:
        view = memoryview(rows).cast("B")  # type: ignore[arg-type]
        with self._lock:
            self._file.seek(4 * self._width * first)
            while len(view):
                got = self._file.readinto(view)
                if not got:
                    raise DatasetError("the temporary file of packed rows ends early; start again")
                view = view[got:]

    def _expanded(self, rows: Floats32) -> Batch:
        """Rows as the network sees them."""
        import torch

        known = None
        if self._gaps:
            known = np.ones((len(rows), self._schema.width), bool)
            numbers = rows[:, : self._numbers]
            np.logical_not(np.isnan(numbers), out=known[:, : self._numbers])
            numbers[~known[:, : self._numbers]] = 0.0
        x = rows
        if self._blocks:
            x = np.zeros((len(rows), self._schema.width), np.float32)
            x[:, : self._numbers] = rows[:, : self._numbers]
        for at, block in enumerate(self._blocks, self._numbers):
            codes = rows[:, at].astype(np.int64)
            there = np.flatnonzero(codes >= 0)
            x[there, block.start + codes[there]] = 1.0
            if known is not None:
                known[codes < 0, block] = False
        return Batch(torch.from_numpy(x), None if known is None else torch.from_numpy(known))


def _full(folder: str, needed: int, free: int) -> OSError:
    return OSError(28, f"there are {free / 2**30:.1f} GiB free", os.fspath(folder))


def streamed(schema: TableSchema, data: Dataset, size: int) -> Pieces:
    """The rows packed `size` at a time while they are read, once."""

    def batches() -> Iterator[Batch]:
        unseen: Unseen = {}
        for block in data.blocks(max(block_rows(data.shape[1]) // size, 1) * size):
            source = read(block)
            schema.check(source)
            for start in range(0, source.shape[0], size):
                part = source.part(slice(start, start + size))
                x = np.zeros((part.shape[0], schema.width), np.float32)
                hidden = np.zeros(x.shape, bool)
                schema.fill(part, x, hidden, unseen)
                yield as_batch(x, hidden)
        warn_unseen(unseen)

    return Pieces(len(data), TableRows(schema.container, None, schema.names), batches())
