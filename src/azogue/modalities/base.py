"""What a modality is: `fit`, then `pack` and `unpack`, and the heads that bind the output to the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from azogue.heads import Head
    from azogue.recipe import Batch, Rows


@dataclass(frozen=True, eq=False)
class Pieces:
    """A table that is packed a piece at a time, in the order of its rows, while it is being read: once.

    Parameters
    ----------
    count : int
        Rows of the table.
    rows : Rows or None
        The container and the row labels of the whole table.
    batches : iterator of Batch
        One after the other; together they hold what `pack` gives.
    """

    count: int
    rows: Rows | None
    batches: Iterator[Batch]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        return self.batches


@dataclass(frozen=True)
class Demand:
    """What the rest of the model asks of the preparation.

    Parameters
    ----------
    head : str or None
        The head that the objective wants for numeric columns: `"bernoulli"` for values in [0, 1], `"poisson"` for
        counts, `"gaussian"`; None leaves the choice to the modality.
    activation : str
        The output activation that the user asked for, `"auto"` if none.
    reach : tuple of float
        The open interval that this activation can produce, (-inf, inf) if none was asked for.

    Examples
    --------
    >>> from azogue.modalities import Table
    >>> counts = [[0, 3], [2, 1], [5, 0]]
    >>> [head.kind for head in Table().fit(counts, Demand(head="poisson")).heads]
    ['poisson']
    """

    head: str | None = None
    activation: str = "auto"
    reach: tuple[float, float] = (float("-inf"), float("inf"))


class Schema(Protocol):
    """A modality that has seen data: frozen, printable, and all JSON.

    Examples
    --------
    >>> from azogue.modalities import Table
    >>> X = [[1.0, 10.0], [3.0, 30.0]]
    >>> schema = Table("minmax").fit(X)
    >>> schema.pack(X).x
    tensor([[0., 0.],
            [1., 1.]])
    >>> schema.unpack(schema.pack(X))
    array([[ 1., 10.],
           [ 3., 30.]])
    """

    @property
    def width(self) -> int:
        """Slots of a packed row."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a packed row: `(width,)`, or positions and channels, `(t, c)` or `(h, w, c)`; x is flat all the same."""

    @property
    def heads(self) -> tuple[Head, ...]:
        """The heads, in the order of their slots, covering all of them."""

    @property
    def n_columns(self) -> int:
        """Columns of the user's table."""

    def pack(self, X: Any) -> Batch:
        """The user's rows → tensors and mask."""

    def unpack(self, out: Batch | Tensor) -> Any:
        """Tensors → the user's kind of object, units, columns, dtypes and row labels."""

    def arrange(self, cells: Any, rows: Rows | None) -> Any:
        """Numbers about cells, (n, n_columns), in the layout of the user's data."""

    def describe(self) -> list[dict[str, Any]]:
        """For each column: its `name`, `kind`, `scaling`, `head` and `slots`."""

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values."""


class Modality(Protocol):
    """A modality before it has seen data: a frozen value.

    Examples
    --------
    >>> import numpy as np
    >>> from azogue.modalities import Image, Table
    >>> Table().fit([[1.0, 2.0], [3.0, 4.0]]).shape, Image().fit(np.zeros((5, 8, 8), np.uint8)).shape
    ((2,), (8, 8, 1))
    """

    def fit(self, X: Any, demand: Demand = ...) -> Schema:
        """Learn how to pack `X` and how to undo it."""
