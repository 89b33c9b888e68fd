"""Coded tables: every column as a number of codes, so that a network says how probable each is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.heads import Head, SpreadCategorical
from azogue.modalities import hats
from azogue.modalities.base import Demand, Pieces
from azogue.modalities.codebooks import UNKNOWN, Codebook, Codes, Within, learn
from azogue.modalities.columns import Boolean, Categorical, fit_kind, values
from azogue.modalities.kinds import Absent, Kind
from azogue.modalities.labels import SHOWN, Unseen, warn_unseen
from azogue.modalities.numeric import Numeric
from azogue.modalities.reading import Column, Source, TableRows, read, torch_array
from azogue.modalities.scaling import Floats, Policy
from azogue.modalities.schema import TableSchema
from azogue.modalities.writing import Cells, Sheet, write
from azogue.recipe import Batch, Lazy, Spec

if TYPE_CHECKING:
    from torch import Tensor

_NO_DEMAND = Demand()
#: Codes of a column of numbers from which the encoder also reads where a number lies.
MANY = 8


@dataclass(frozen=True, repr=False)
class Coded(Spec):
    """A table whose columns are codes: a softmax head each, so that numbers have many modes and gaps are values.

    Numbers, dates and categories become at most `bins` codes: frequent values by themselves, the others in bins (see
    `codebooks.learn`). A missing cell is a code of its own; a cell of which nothing is known takes no slot. In the
    reconstruction columns count by 1/log(1 + codes), so that a network does not spend itself on those of many codes.

    Parameters
    ----------
    bins : int
        Codes of a column, at most, besides that of missing cells.
    knots : int
        Columns of numbers with 8 codes or more take so many slots besides, from which the encoder alone reads where
        among the rows a number lies (`modalities.hats`), so that codes near one another look alike.

    Examples
    --------
    >>> schema = Coded().fit(np.array([[1.0, 20.0], [2.0, np.nan], [1.0, 40.0]]))
    >>> [row["slots"] for row in schema.describe()]
    [2, 3]
    >>> schema.unpack(schema.pack([[2.0, np.nan]]))
    array([[ 2., nan]])
    """

    bins: int = 100
    knots: int = 16

    rows_are: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        if isinstance(self.knots, bool) or not isinstance(self.knots, int) or self.knots < 0 or self.knots == 1:
            raise ValueError(f"Coded: knots must be 0 or a whole number of at least 2, got {self.knots!r}")
        if isinstance(self.bins, bool) or not isinstance(self.bins, int) or self.bins < 2:
            raise ValueError(f"Coded: bins must be a whole number of at least 2, got {self.bins!r}")

    def fit(self, X: Any, demand: Demand = _NO_DEMAND) -> CodedSchema:
        """Learn the codes of tables like `X`.

        Raises
        ------
        TypeError, ValueError
            For what no table is, and objectives for numbers.
        """
        if demand.head is not None or demand.activation != "auto":
            raise ValueError("Coded: every column is a softmax over codes; leave objective and output activation out")
        source = read(X)
        policy = Policy.of("auto", demand)
        kinds = tuple(fit_kind(column, policy, smooth=False) for column in source.each())
        if all(isinstance(kind, Absent) for kind in kinds):
            raise ValueError(
                f"Coded: every cell of X (shape={source.shape}) is missing; there is nothing to learn from"
            )
        weights = (1.0,) * len(kinds)
        table = TableSchema(source.rows.container, source.dtype, source.names, kinds, weights)
        books = tuple(
            Codebook((), (), (), ())
            if isinstance(kind, Absent)
            else learn(values(kind, column), self.bins, not isinstance(kind, Numeric))
            for kind, column in zip(kinds, source.each(), strict=True)
        )
        return CodedSchema(table, books, self.knots)


@dataclass(frozen=True)
class CodedSchema:
    """A table that has been seen, as codes.

    Parameters
    ----------
    table : TableSchema
        What the columns are, and the container that they came in.
    books : tuple of Codebook
        Of each column; one of an all-missing column has no codes.
    knots : int
        As in `Coded`.

    Examples
    --------
    >>> import pyarrow as pa
    >>> schema = Coded().fit(pa.table({"city": ["Jaén", "Cádiz", "Jaén", None], "year": [1990, 2000, 2010, 2000]}))
    >>> schema.codes(pa.table({"city": ["Cádiz", None], "year": [2010, None]})).tolist()
    [[0, 2], [2, -1]]
    >>> schema.width
    6
    """

    table: TableSchema
    books: tuple[Codebook, ...]
    knots: int = 0

    rows_are: ClassVar[str] = "table"

    @property
    def n_columns(self) -> int:
        """Columns of the user's table."""
        return len(self.books)

    @property
    def names(self) -> Any:
        """The columns' names, None where they have none."""
        return self.table.names

    @property
    def labels(self) -> list[Any]:
        """The columns' names, or their positions where they have none."""
        return list(range(self.n_columns) if self.names is None else self.names)

    @cached_property
    def coded(self) -> list[int]:
        """The columns that have codes."""
        return [at for at, book in enumerate(self.books) if book.size]

    @property
    def width(self) -> int:
        """Slots of a packed row."""
        return sum(self.sizes)

    @cached_property
    def read(self) -> list[int]:
        """For each column the slots from which the encoder alone reads where a number lies."""
        numeric = [isinstance(kind, Numeric) for kind in self.table.columns]
        return [self.knots if own and book.values >= MANY else 0 for own, book in zip(numeric, self.books, strict=True)]

    @property
    def sizes(self) -> list[int]:
        """Slots of each column."""
        return [book.size + more for book, more in zip(self.books, self.read, strict=True)]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a packed row."""
        return (self.width,)

    @cached_property
    def weights(self) -> list[float]:
        """Of each column in the reconstruction: 1/log(1 + codes), on average 1 over the columns with codes."""
        found = [1.0 / math.log(1.0 + book.size) if book.size else 0.0 for book in self.books]
        return [weight * len(self.coded) / sum(found) for weight in found]

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """A categorical head for each column with codes."""
        stops = np.cumsum([self.sizes[at] for at in self.coded]).tolist()
        return tuple(
            SpreadCategorical(start, stop, (at,), (self.weights[at],), read=self.read[at])
            for at, start, stop in zip(self.coded, [0, *stops], stops, strict=False)
        )

    @cached_property
    def slot_columns(self) -> NDArray[np.intp]:
        """The user's column of each slot, shape (width,)."""
        return np.repeat(np.arange(self.n_columns), self.sizes)

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """The first slot of each column."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.intp)

    def describe(self) -> list[dict[str, Any]]:
        """A plan of the columns: `name`, `kind`, `scaling`, `head` (None where there is none) and `slots` of each."""
        return [
            {
                "name": name,
                "kind": kind.describe,
                "scaling": None,
                "head": "categorical" if book.size else None,
                "slots": size,
            }
            for name, kind, book, size in zip(self.labels, self.table.columns, self.books, self.sizes, strict=True)
        ]

    # -- the user's rows → codes → slots ----------------------------------------------------------------------------

    def codes(self, X: Any) -> Codes:
        """The user's rows, or what `reading.read` made of them → codes (n, columns), −1 where nothing is known.

        Raises
        ------
        TypeError, ValueError
            For other columns than were fitted, and for infinity.

        Warns
        -----
        UserWarning
            If categories appear that were not there when fitted: their cells count as not known.
        """
        source = X if isinstance(X, Source) else read(X)
        self.table.check(source)
        found = np.full((source.shape[0], self.n_columns), UNKNOWN, np.int64)
        unseen: Unseen = {}
        for at, (kind, book, column) in enumerate(zip(self.table.columns, self.books, source.each(), strict=True)):
            if not book.size:
                continue
            u = values(kind, column)
            found[:, at] = book.codes(u)
            if isinstance(kind, Categorical):
                strangers = np.flatnonzero(u == len(kind.categories))
                if len(strangers):
                    shown = column.array.take(pa.array(strangers)).unique()[: SHOWN + 1].to_pylist()
                    unseen[at] = (column.label, dict.fromkeys(shown))
        warn_unseen(unseen)
        return found

    def packed(self, codes: Codes) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Codes → slots (n, width), and which of them are known."""
        x = np.zeros((len(codes), self.width), np.float32)
        for at in self.coded:
            rows = np.flatnonzero(codes[:, at] >= 0)
            x[rows, self.starts[at] : self.starts[at] + self.sizes[at]] = self.slots(at)[codes[rows, at]]
        return x, (codes >= 0)[:, self.slot_columns]

    def slots(self, at: int) -> NDArray[np.float32]:
        """What each code of a column is packed as, (codes, slots)."""
        if at not in self._slots:
            book, more = self.books[at], self.read[at]
            made = np.zeros((book.size, book.size + more), np.float32)
            made[:, : book.size] = np.eye(book.size)
            if more:
                hats.fill(book.centres, tuple(np.linspace(0.0, 1.0, more)), made[: book.values, book.size :])
            self._slots[at] = made
        return self._slots[at]

    @cached_property
    def _slots(self) -> dict[int, NDArray[np.float32]]:
        return {}

    def _batch(self, codes: Codes, rows: TableRows | None = None) -> Batch:
        import torch

        x, known = self.packed(codes)
        return Batch(torch.from_numpy(x), None if known.all() else torch.from_numpy(known), rows)

    def pack(self, X: Any) -> Batch:
        """The user's rows → slots and mask."""
        source = read(X)
        return self._batch(self.codes(source), source.rows)

    def store(self, X: Any) -> Batch | Lazy:
        """The same, where many rows are kept as codes until a step takes them."""
        source = read(X)
        codes = self.codes(source)
        if codes.shape[0] * self.width <= 2**25:
            return self._batch(codes, source.rows)
        small = codes.astype(np.int32)
        return Lazy(len(small), self.width, lambda index: self._batch(small[index].astype(np.int64)), source.rows)

    def pieces(self, X: Any, size: int) -> Pieces:
        """The same, `size` rows at a time."""
        source = read(X)
        codes = self.codes(source)
        return Pieces(len(codes), source.rows, self._pieces(codes, size))

    def _pieces(self, codes: Codes, size: int) -> Iterator[Batch]:
        return (self._batch(codes[start : start + size]) for start in range(0, len(codes), size))

    # -- slots → codes → the user's rows ----------------------------------------------------------------------------

    def unpack(self, out: Batch | Tensor | NDArray[Any]) -> Any:
        """Slots → the user's kind of object: the most probable code of each cell, its middle.

        Cells where a batch's mask is False come back missing.
        """
        batch = out if isinstance(out, Batch) else Batch(out)  # type: ignore[arg-type]
        s = torch_array(batch.x) if hasattr(batch.x, "detach") else np.asarray(batch.x)
        if s.ndim != 2 or s.shape[1] != self.width:
            raise ValueError(f"CodedSchema.unpack: expected the shape (n, {self.width}), got {s.shape}")
        codes = np.full((len(s), self.n_columns), UNKNOWN, np.int64)
        for head in self.heads:
            at = head.columns[0]
            codes[:, at] = s[:, head.start : head.start + self.books[at].size].argmax(1)
        if batch.mask is not None:
            mask = torch_array(batch.mask).astype(bool)
            for head in self.heads:
                codes[~mask[:, head.start], head.columns[0]] = UNKNOWN
        cells = [
            book.middle(np.where(own < 0, book.values, own)) for book, own in zip(self.books, codes.T, strict=True)
        ]
        return self.write(cells, batch.rows)

    def drawn(self, codes: Codes, rng: np.random.Generator, within: dict[int, Within] | None = None) -> list[Floats]:
        """Codes (n, columns) → values of each column, drawn from what its codes stand for."""
        n = len(codes)
        return [
            book.draw(np.where(own < 0, book.values, own), rng.random(n), rng.random(n), (within or {}).get(at))
            for at, (book, own) in enumerate(zip(self.books, codes.T, strict=True))
        ]

    def settled(self, at: int, u: Floats) -> Floats:
        """Values of a column as they come back from its dtype: rounded to its resolution."""
        kind = self.table.columns[at]
        if not isinstance(kind, Numeric):
            return u
        gone = np.isnan(u)
        cells = kind.cells(np.where(gone, kind.low, u))
        back = kind.floats(Column(at, kind.arrow, kind.array(cells, None)), slice(None))
        return np.where(gone, np.nan, back)

    def arrays(self, cells: list[Floats]) -> list[pa.Array]:
        """Values of each column as they are stored; NaN comes back missing."""
        return [self._array(kind, u) for kind, u in zip(self.table.columns, cells, strict=True)]

    def _array(self, kind: Kind, u: Floats) -> pa.Array:
        if isinstance(kind, Absent):
            return kind.nulls(len(u))
        gone = np.isnan(u)
        missing = gone if gone.any() else None
        if isinstance(kind, Numeric):
            return kind.array(kind.cells(np.where(gone, kind.low, u)), missing)
        if isinstance(kind, Boolean):
            return kind.array(kind.cells(np.where(gone, 0.0, u)), missing)
        assert isinstance(kind, Categorical)
        return kind.array(np.where(gone, 0, u).astype(np.int64), missing)

    def write(self, cells: list[Floats], rows: Any = None) -> Any:
        """Values of each column → the user's kind of object, with the row labels of `rows` where they are given."""
        table, n = self.table, len(cells[0])
        rows = TableRows(table.container) if rows is None else rows
        home = rows.container == table.container
        sheet = [
            Cells(label, array, kind.native if home else None)
            for label, array, kind in zip(self.labels, self.arrays(cells), table.columns, strict=True)
        ]
        axis = getattr(rows, "axis", None)
        axis = table.names if axis is None else axis
        return write(rows.container, Sheet(sheet, rows.index, axis, table.dtype if home else None, n))

    def arrange(self, cells: NDArray[Any], rows: Any = None) -> NDArray[Any]:
        """Numbers about cells, (n, columns), in the layout of the table: as they are."""
        return cells

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values."""
        return {
            "modality": "coded",
            "table": self.table.to_dict(),
            "books": [book.to_dict() for book in self.books],
        } | {"knots": self.knots}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CodedSchema:
        """The schema that `to_dict` wrote.

        Raises
        ------
        ValueError
            For what is none.
        """
        if set(data) != {"modality", *(item.name for item in fields(cls))} or data["modality"] != "coded":
            raise ValueError(f"not the schema of a coded table: the keys are {sorted(data)}")
        schema = cls(
            TableSchema.from_dict(data["table"]), tuple(map(Codebook.from_dict, data["books"])), int(data["knots"])
        )
        if len(schema.books) != schema.table.n_columns:
            raise ValueError("not the schema of a coded table: a codebook for each column is expected")
        return schema
