"""What a table that has been seen is: how to pack its rows, and how to undo it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.heads import Bernoulli, Gaussian, Head, Poisson, SpreadBernoulli, SpreadGaussian
from azogue.heads import Categorical as CategoricalHead
from azogue.modalities import hats
from azogue.modalities.base import Pieces
from azogue.modalities.columns import Boolean, Categorical, kind_from_dict
from azogue.modalities.dataset import Dataset
from azogue.modalities.kinds import Absent, Kind
from azogue.modalities.labels import SHOWN, Unseen, label_from, names_differ, plain_label, warn_unseen
from azogue.modalities.numeric import Numeric
from azogue.modalities.packing import Dense, as_batch, cut
from azogue.modalities.reading import Label, Source, TableRows, read, torch_array
from azogue.modalities.spill import Spill, streamed
from azogue.modalities.writing import CONTAINERS, Cells, Sheet, write
from azogue.recipe import Batch, Lazy, Rows

if TYPE_CHECKING:
    from torch import Tensor

_HEADS: dict[str, type[Head]] = {"gaussian": Gaussian, "bernoulli": Bernoulli, "poisson": Poisson}
#: Cells that are packed at once, about.
_CELLS = 2**18


@dataclass(frozen=True)
class TableSchema:
    """A table that has been seen: what each column is, and how to pack and unpack it.

    Slots are laid out as numeric columns first, then booleans, then each categorical column's block. With knots, a
    numeric column takes its value's slot and one for each of the most knots that a column has, a boolean two.

    Parameters
    ----------
    container : str
        The kind of object it was fitted on, and that bare tensors are unpacked to.
    dtype : str or None
        The dtype of an array.
    names : tuple or None
        The columns' names.
    columns : tuple of Kind
    weights : tuple of float
        Of each column.
    head, activation : str
        The head of numeric columns and the output activation that was asked for.
    knots : tuple of tuple of float, or None
        For each numeric column the knots of its hats, in scaled units. None: the encoder reads the values alone.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from azogue.modalities.table import Table
    >>> schema = Table("minmax").fit(pa.table({"city": ["Jaén", "Cádiz", "Jaén"], "year": [1990, 2000, 2010]}))
    >>> for row in schema.describe():
    ...     print(*row.values())
    city categorical None categorical 3
    year numeric minmax gaussian 1
    >>> schema.slot_columns
    array([1, 0, 0, 0])
    >>> import torch
    >>> schema.unpack(torch.tensor([[0.52, 0.1, 0.8, 0.1]])).to_pylist()
    [{'city': 'Jaén', 'year': 2000}]
    """

    container: str
    dtype: str | None
    names: tuple[Label, ...] | None
    columns: tuple[Kind, ...]
    weights: tuple[float, ...]
    head: str = "gaussian"
    activation: str = "auto"
    knots: tuple[tuple[float, ...], ...] | None = None

    @property
    def n_columns(self) -> int:
        """Columns of the user's table."""
        return len(self.columns)

    @property
    def width(self) -> int:
        """Slots of a packed row."""
        return self.heads[-1].stop

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a packed row."""
        return (self.width,)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """The heads, in the order of their slots, covering all of them."""
        heads: list[Head] = []
        for head, columns, activation in self._layout():
            start = heads[-1].stop if heads else 0
            stop = start + sum(column.slots for _, column in columns) * self._spread.get(head, 1)
            positions = tuple(position for position, _ in columns)
            weights = tuple(self.weights[position] for position in positions)
            heads.append(head(start, stop, positions, weights, activation))
        return tuple(heads)

    def _layout(self) -> Iterator[tuple[type[Head], Sequence[tuple[int, Kind]], str]]:
        """Each head, its columns with their positions, and its activation."""
        if self._numeric:
            yield SpreadGaussian if self.marked else _HEADS[self.head], self._numeric, self.activation
        if self._boolean:
            yield SpreadBernoulli if self.marked else Bernoulli, self._boolean, "auto"
        for pair in self._categorical:
            yield CategoricalHead, [pair], "auto"

    @property
    def marked(self) -> bool:
        """Whether the encoder sees which cells are missing: in every column, all slots are 0 only then."""
        return self.knots is not None

    @cached_property
    def _spread(self) -> dict[type[Head], int]:
        """Slots of a column of the heads that take several."""
        return {SpreadGaussian: 1 + max(map(len, self.knots or ()), default=0), SpreadBernoulli: 2}

    @cached_property
    def value_slots(self) -> NDArray[np.intp]:
        """The slots that hold the values of numeric and boolean columns."""
        dense = [head for head in self.heads if not isinstance(head, CategoricalHead)]
        parts = [np.arange(head.start, head.stop, head.cells[0]) for head in dense]
        return np.concatenate([*parts, np.empty(0)]).astype(np.intp)

    @cached_property
    def _dense_cells(self) -> list[int]:
        """Slots of each numeric and boolean column."""
        return [cell for head in self.heads if not isinstance(head, CategoricalHead) for cell in head.cells]

    @property
    def dense_stop(self) -> int:
        """Slots of numbers and booleans."""
        return sum(self._dense_cells)

    @cached_property
    def _numeric(self) -> list[tuple[int, Numeric]]:
        return [(at, column) for at, column in enumerate(self.columns) if isinstance(column, Numeric)]

    @cached_property
    def _boolean(self) -> list[tuple[int, Boolean]]:
        return [(at, column) for at, column in enumerate(self.columns) if isinstance(column, Boolean)]

    @cached_property
    def _categorical(self) -> list[tuple[int, Categorical]]:
        return [(at, column) for at, column in enumerate(self.columns) if isinstance(column, Categorical)]

    @cached_property
    def blocks(self) -> list[slice]:
        """The slots of each categorical column."""
        return [head.slots for head in self.heads if isinstance(head, CategoricalHead)]

    @cached_property
    def _dense(self) -> Dense:
        return Dense([*self._numeric, *self._boolean])

    @cached_property
    def slot_columns(self) -> NDArray[np.intp]:
        """The user's column of each slot, shape (width,)."""
        parts = [np.repeat(head.columns, (head.stop - head.start) // len(head.columns)) for head in self.heads]
        return np.concatenate(parts).astype(np.intp)

    def describe(self) -> list[dict[str, Any]]:
        """A plan of the columns: `name`, `kind`, `scaling`, `head` (None where there is none) and `slots` of each."""
        slots = np.bincount(self.slot_columns, minlength=self.n_columns).tolist()
        names = range(self.n_columns) if self.names is None else self.names
        kinds = {column: head.kind for head in self.heads for column in head.columns}
        return [
            {
                "name": name,
                "kind": column.describe,
                "scaling": getattr(column, "scaling", None),
                "head": kinds.get(at),
                "slots": count,
            }
            for at, (name, column, count) in enumerate(zip(names, self.columns, slots, strict=True))
        ]

    def pack(self, X: Any) -> Batch:
        """The user's rows → tensors and mask.

        Parameters
        ----------
        X : array, frame or nested lists, shape (n, columns)
            The container need not be the fitted one: columns without names are taken by position.

        Returns
        -------
        Batch
            `x` of shape (n, width), float32, and `mask`, None if nothing is missing.

        Raises
        ------
        TypeError, ValueError
            For columns that are missing, surplus, in another order or of another type than fitted, and for infinity.

        Warns
        -----
        UserWarning
            Once, if categories appear that were not there when fitted; they go to the block's last slot.
        """
        source = read(X)
        self.check(source)
        x = np.zeros((source.shape[0], self.width), np.float32)
        hidden = np.zeros(x.shape, bool)
        unseen: Unseen = {}
        for rows in cut(source, max(256, _CELLS // self.width)):
            self.fill(source.part(rows), x[rows], hidden[rows], unseen)
        warn_unseen(unseen)
        return as_batch(x, hidden, source.rows)

    def pieces(self, X: Any, size: int) -> Pieces:
        """The same, `size` rows at a time, for whoever reads them once: only one piece is ever there.

        Columns are refused at once, infinity and negative counts where they are met, and unseen categories are told
        behind the last piece.
        """
        if isinstance(X, Dataset):
            return streamed(self, X, size)
        source = read(X)
        self.check(source)
        return Pieces(source.shape[0], source.rows, self._pieces(source, size))

    def store(self, X: Any) -> Batch | Lazy:
        """The rows of a table packed for training; those of a data set in a temporary file."""
        return Spill(self, X).lazy() if isinstance(X, Dataset) else self.pack(X)

    def _pieces(self, source: Source, size: int) -> Iterator[Batch]:
        unseen: Unseen = {}
        for rows in cut(source, size):
            part = source.part(rows)
            x = np.zeros((part.shape[0], self.width), np.float32)
            hidden = np.zeros(x.shape, bool)
            self.fill(part, x, hidden, unseen)
            yield as_batch(x, hidden)
        warn_unseen(unseen)

    def fill(self, source: Source, x: NDArray[np.float32], hidden: NDArray[np.bool_], unseen: Unseen) -> None:
        """Pack some rows into slots x (n, width) that hold zeros, and say which are `hidden`."""
        self.pack_numbers(source, x, hidden)
        for block, codes in self.categories(source, unseen):
            known = np.flatnonzero(codes >= 0)
            x[known, block.start + codes[known]] = 1.0
            hidden[codes < 0, block] = True

    def check(self, source: Source) -> None:
        """Refuse other columns than were fitted."""
        if source.names is not None and self.names is not None and source.names != self.names:
            raise ValueError(names_differ(self.names, source.names))
        if source.shape[1] != self.n_columns:
            raise ValueError(
                f"X has {source.shape[1]} features, but {type(self).__name__} is expecting {self.n_columns} features "
                "as input; pass the columns that it was fitted on"
            )
        for position, (column, kind) in enumerate(zip(self.columns, source.types, strict=True)):
            if kind != column.arrow or isinstance(column, Absent):
                column.check(source.column(position))

    def pack_numbers(self, source: Source, x: NDArray[np.float32], hidden: NDArray[np.bool_]) -> None:
        """The slots of numbers and booleans, the first ones of a row."""
        for rows, values in self._dense.pack(source):
            if self.head == "poisson":
                self._refuse_negative(source, values)
            gaps = np.isnan(values)
            if self.knots is not None:
                hats.spread(values, gaps, self.knots, self.value_slots, x[rows])
            if gaps.any():
                values[gaps] = 0.0
                hidden[rows, : self.dense_stop] = np.repeat(gaps, self._dense_cells, axis=1)
            x[rows, self.value_slots] = values

    def _refuse_negative(self, source: Source, values: NDArray[np.float64]) -> None:
        for slot in np.flatnonzero((values < 0).any(axis=0)):
            label = source.column(self._numeric[slot][0]).label
            raise ValueError(f"column {label!r} has negative values, but the objective is for counts")

    def categories(self, source: Source, unseen: Unseen) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """For each categorical column its slots and each row's category; −1 where it is missing."""
        for (position, kind), block in zip(self._categorical, self.blocks, strict=True):
            column = source.column(position)
            codes = kind.codes(column)
            strangers = np.flatnonzero(codes == len(kind.categories))
            if len(strangers):
                values = column.array.take(pa.array(strangers)).unique()[: SHOWN + 1].to_pylist()
                unseen.setdefault(position, (column.label, {}))[1].update(dict.fromkeys(values))
            yield block, codes

    def unpack(self, out: Batch | Tensor | NDArray[Any]) -> Any:
        """Tensors → the user's kind of object, units, columns, dtypes and row labels.

        Parameters
        ----------
        out : Batch, or tensor or array of shape (n, width)
            A batch gives back the container and labels that were packed, and cells where its mask is False come back
            missing. A bare tensor gives the fitted container, every cell filled.

        Raises
        ------
        ValueError
            For another width, and where the mask asks for missing cells that a column's dtype cannot hold.
        """
        batch = out if isinstance(out, Batch) else Batch(out)  # type: ignore[arg-type]
        s = _as_array(batch.x)
        if s.ndim != 2 or s.shape[1] != self.width:
            raise ValueError(f"TableSchema.unpack: expected the shape (n, {self.width}), got {s.shape}")
        hidden = None if batch.mask is None else ~_as_array(batch.mask).astype(bool)
        rows = TableRows(self.container) if batch.rows is None else batch.rows
        home = rows.container == self.container
        labels = self.names or range(self.n_columns)
        cells = [
            Cells(label, array, column.native if home else None)
            for label, array, column in zip(labels, self._arrays(s, hidden), self.columns, strict=True)
        ]
        axis = getattr(rows, "axis", None)
        axis = self.names if axis is None else axis
        return write(rows.container, Sheet(cells, rows.index, axis, self.dtype if home else None, len(s)))

    def _arrays(self, s: NDArray[Any], hidden: NDArray[np.bool_] | None) -> list[pa.Array]:
        """The values of each column."""

        def missing(slot: int) -> NDArray[np.bool_] | None:
            return None if hidden is None or not hidden[:, slot].any() else hidden[:, slot]

        arrays = {at: column.nulls(len(s)) for at, column in enumerate(self.columns) if isinstance(column, Absent)}
        dense: list[tuple[int, Numeric | Boolean]] = [*self._numeric, *self._boolean]
        cells = self._dense.unpack(s[:, self.value_slots])
        for slot, (at, kind), values in zip(self.value_slots, dense, cells, strict=True):
            arrays[at] = kind.array(values, missing(slot))
        for (at, category), block in zip(self._categorical, self.blocks, strict=True):
            arrays[at] = category.array(s[:, block.start : block.stop - 1].argmax(1), missing(block.start))
        return [arrays[at] for at in range(self.n_columns)]

    def arrange(self, cells: NDArray[Any], rows: Rows | None = None) -> NDArray[Any]:
        """Numbers about cells, (n, columns), in the layout of the table: as they are."""
        return cells

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values, floats exact."""
        content: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        content["names"] = plain_label(self.names)
        content["columns"] = [column.to_dict() for column in self.columns]
        return {"modality": "table"} | content | {"weights": list(self.weights)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TableSchema:
        """The schema that `to_dict` wrote.

        Raises
        ------
        ValueError
            For keys, kinds, containers, heads or types that do not exist.
        """
        try:
            return cls._from_dict(data)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not the schema of a table: {error!r}") from error

    @classmethod
    def _from_dict(cls, data: dict[str, Any]) -> TableSchema:
        content = dict(data)
        if content.pop("modality") != "table" or {*content, "knots"} != {item.name for item in fields(cls)}:
            raise ValueError(f"not the schema of a table: the keys are {sorted(data)}")
        if content["container"] not in CONTAINERS or content["head"] not in _HEADS:
            raise ValueError(f"not the schema of a table: container {content['container']!r}, head {content['head']!r}")
        content["columns"] = tuple(kind_from_dict(column) for column in content["columns"])
        content["weights"] = tuple(map(float, content["weights"]))
        if content.setdefault("knots", None) is not None:
            content["knots"] = tuple(tuple(map(float, knots)) for knots in content["knots"])
        content["names"] = label_from(content["names"])
        schema = cls(**content)
        if schema.knots is not None and len(schema.knots) != len(schema._numeric):
            raise ValueError("not the schema of a table: the knots are not those of the numeric columns")
        lengths = {schema.n_columns, len(schema.weights), len(schema.names or schema.columns)}
        if len(lengths) > 1 or np.dtype(schema.dtype).kind not in "biufUOmM":
            raise ValueError("not the schema of a table: columns, names, weights and dtype contradict one another")
        return schema


def _as_array(values: Any) -> NDArray[Any]:
    return torch_array(values) if hasattr(values, "detach") else np.asarray(values)
