"""What the columns of a table are: learned from rows in memory, or block by block while they go by once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from azogue.modalities.columns import fit_kind
from azogue.modalities.dataset import Dataset, block_rows
from azogue.modalities.kinds import Kind
from azogue.modalities.numeric import Numeric
from azogue.modalities.reading import Column, Label, Source, TableRows, read
from azogue.modalities.scaling import Floats, Policy
from azogue.modalities.sketches import Numbers, Sketch, capacity, ranks, sketch


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned of a table.

    Parameters
    ----------
    container, dtype, names : see `TableSchema`
    shape : tuple of int
    kinds : tuple of Kind
        Of each column.
    samples : tuple of ndarray or None
        Of each column of numbers its sorted values in its own unit, or a sample of them; None: they are in `source`.
    source : Source or None
    """

    container: str
    dtype: str | None
    names: tuple[Label, ...] | None
    shape: tuple[int, int]
    kinds: tuple[Kind, ...]
    samples: tuple[Floats | None, ...]
    source: Source | None = None

    def u(self) -> Iterator[Floats]:
        """The values of each column of numbers in its own unit, or a sample of them; of others none."""
        columns = (None,) * len(self.kinds) if self.source is None else self.source.each()
        for kind, sample, column in zip(self.kinds, self.samples, columns, strict=True):
            if sample is None and column is not None and isinstance(kind, Numeric):
                u = kind.floats(kind.align(column), slice(None))
                yield u[~np.isnan(u)]
            else:
                yield np.empty(0) if sample is None else sample


def learn(X: Any, policy: Policy, keep: bool = False) -> Learned:
    """What the columns of any container of rows are; with `keep`, samples of their values too."""
    return _from_files(X, policy, keep) if isinstance(X, Dataset) else _from_memory(read(X), policy, keep)


def _from_memory(source: Source, policy: Policy, keep: bool) -> Learned:
    """All at once where a sample would be all there is; else as if the rows came from files."""
    rows, columns = source.shape
    size, smooth = capacity(columns), source.matrix is not None
    where = ranks(0, rows) if rows > size else None
    step = block_rows(columns)
    found: list[tuple[Kind, Floats | None]] = []
    for column in source.each():
        made = None if where is None else sketch(column, size)
        if where is None or not isinstance(made, Numbers):
            found.append((fit_kind(column, policy, smooth), None))
            continue
        for start in range(0, rows, step):
            part = slice(start, start + step)
            made.add(Column(column.label, column.type, column.cells[part], column.native), where[part])
        kind, u = made.fitted(policy, smooth)
        found.append((kind, u if keep else None))
    kinds, samples = zip(*found, strict=True)
    return Learned(source.rows.container, source.dtype, source.names, source.shape, kinds, samples, source)


def _from_files(data: Dataset, policy: Policy, keep: bool) -> Learned:
    """Block by block, in one pass."""
    sketches: list[Sketch] = []
    start = 0
    for block in data.blocks():
        source = read(block)
        sketches = sketches or [sketch(column, capacity(len(source.columns))) for column in source.columns]
        where = ranks(start, len(block))
        for one, column in zip(sketches, source.columns, strict=True):
            one.add(column, where)
        start += len(block)
    found: list[tuple[Kind, Floats | None]] = []
    while sketches:
        kind, u = sketches.pop().fitted(policy, smooth=False)
        found.append((kind, u if keep else None))
    kinds, samples = zip(*found[::-1], strict=True)
    rows: TableRows = source.rows
    return Learned(rows.container, None, source.names, data.shape, kinds, samples)
