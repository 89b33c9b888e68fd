"""What the two schemas of texts share: where texts come from and go to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from azogue.heads import Head
from azogue.modalities.base import Pieces
from azogue.modalities.reading import torch_array
from azogue.modalities.text import Maybe, Source, TextRows, is_home, read, write
from azogue.recipe import Batch, Lazy

if TYPE_CHECKING:
    from torch import Tensor

#: Slots that a packed row may have.
SLOTS = 2**28
#: Texts that are read at once.
PART = 4096


class Held(Protocol):
    """Texts as numbers that take little room."""

    @property
    def lengths(self) -> NDArray[np.int64] | None:
        """Symbols of each text that count, (n,), where texts have symbols."""

    def take(self, index: Any) -> Batch:
        """The rows of a slice or an array of int64 as tensors."""


@dataclass(frozen=True)
class TextSchema:
    """What the schemas of both units share: where texts come from and go to.

    Parameters
    ----------
    container : str
        The kind of object it was fitted on, and that bare tensors are unpacked to.
    native : str or None
        The container's own dtype, where it has several for text.
    """

    container: str
    native: str | None

    unit: ClassVar[str] = ""
    names: ClassVar[None] = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Positions and channels of a packed row."""
        raise NotImplementedError

    @property
    def heads(self) -> tuple[Head, ...]:
        """The one head over all slots."""
        raise NotImplementedError

    @property
    def width(self) -> int:
        """Slots of a packed row."""
        return math.prod(self.shape)

    @property
    def n_columns(self) -> int:
        """Cells of a row whose error is told."""
        return self.shape[0]

    def _hold(self, parts: Iterable[list[Maybe]], lost: Counter[str]) -> Held:
        """Texts as numbers; what is lost is counted: unknown characters, and under "" the texts that were cut."""
        raise NotImplementedError

    def _lengths(self, source: Source) -> NDArray[np.int64] | None:
        return None

    def _tell(self, lost: Counter[str]) -> None:
        """Warn of what was lost."""

    def _texts(self, x: NDArray[Any]) -> list[str]:
        raise NotImplementedError

    def arrange(self, cells: Any, rows: Any) -> Any:
        """Numbers about cells, (n, n_columns), in the layout of the texts."""
        raise NotImplementedError

    def describe(self) -> list[dict[str, Any]]:
        """What the slots are."""
        raise NotImplementedError

    def count(self, X: Any) -> int:
        """How many rows X gives."""
        return read(X).count

    def pack(self, X: Any) -> Batch:
        """The user's texts → tensors and mask, x of shape (n, width).

        Raises
        ------
        TypeError, ValueError
            As in `fit`.

        Warns
        -----
        UserWarning
            Of rows of characters: once for texts that were cut, once for characters outside of the alphabet.
        """
        lazy = self.store(X)
        whole = lazy.take(slice(None))
        return Batch(whole.x, whole.mask, lazy.rows)

    def store(self, X: Any) -> Lazy:
        """The same, held as small numbers until rows are taken."""
        source = read(X)
        lost: Counter[str] = Counter()
        held = self._hold(source.parts(PART), lost)
        self._tell(lost)
        return Lazy(source.count, self.width, held.take, replace(source.rows, lengths=held.lengths))

    def pieces(self, X: Any, size: int) -> Pieces:
        """The same, `size` rows at a time, for whoever reads them once; losses are told behind the last piece."""
        source = read(X)
        return Pieces(source.count, replace(source.rows, lengths=self._lengths(source)), self._pieces(source, size))

    def _pieces(self, source: Source, size: int) -> Iterator[Batch]:
        lost: Counter[str] = Counter()
        for part in source.parts(size):
            yield self._hold([part], lost).take(slice(None))
        self._tell(lost)

    def unpack(self, out: Batch | Tensor | NDArray[Any]) -> Any:
        """Tensors → texts in the user's kind of object.

        Parameters
        ----------
        out : Batch, or tensor or array of shape (n, width)
            A batch gives back the container and labels that were packed, and None where its mask hides a whole row. A
            bare tensor gives the fitted container.

        Raises
        ------
        ValueError
            For another width.
        """
        batch, x = packed_rows(out, self)
        texts: list[Maybe] = list(self._texts(x))
        if batch.mask is not None:
            for at in np.flatnonzero(~as_array(batch.mask).astype(bool).any(1)):
                texts[at] = None
        home = TextRows(self.container, native=self.native)
        return write(batch.rows if isinstance(batch.rows, TextRows) else home, texts)

    def _numbers(self, cells: Any) -> NDArray[np.float64]:
        """Numbers about cells, (n, n_columns)."""
        numbers = np.asarray(cells, dtype=np.float64)
        if numbers.ndim != 2 or numbers.shape[1] != self.n_columns:
            raise ValueError(f"arrange: expected numbers of shape (n, {self.n_columns}), got {numbers.shape}")
        return numbers

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values, floats exact."""
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in content.items()}
        return {"modality": "text", "unit": self.unit} | plain

    @classmethod
    def _content(cls, data: dict[str, Any]) -> dict[str, Any]:
        """The fields of a stored schema, those checked that both units have."""
        keys = {"modality", "unit", *(item.name for item in fields(cls))}
        if not isinstance(data, dict) or set(data) != keys or (data["modality"], data["unit"]) != ("text", cls.unit):
            raise ValueError(
                f"not the schema of texts by {cls.unit}: expected the keys {sorted(keys)}, got {data!r:.200}"
            )
        if not is_home(data["container"], data["native"]):
            raise ValueError(f"not the schema of texts: container {data['container']!r}, dtype {data['native']!r}")
        own = {item.name: data[item.name] for item in fields(cls)}
        return {key: tuple(value) if isinstance(value, list) else value for key, value in own.items()}


def packed_rows(out: Batch | Tensor | NDArray[Any], schema: Any) -> tuple[Batch, NDArray[Any]]:
    """What `unpack` was given as a batch, and its rows (n, width).

    Raises
    ------
    ValueError
        For another width.
    """
    batch = out if isinstance(out, Batch) else Batch(out)  # type: ignore[arg-type]
    x = as_array(batch.x)
    if x.ndim != 2 or x.shape[1] != schema.width:
        raise ValueError(f"{type(schema).__name__}.unpack: expected the shape (n, {schema.width}), got {x.shape}")
    return batch, x


def check_slots(what: str, schema: Any, most: int, remedy: str) -> None:
    """Refuse rows of places and symbols that are too wide to be packed.

    Raises
    ------
    ValueError
        Naming how wide, and the remedy.
    """
    if schema.width > most:
        raise ValueError(
            f"{what}: {schema.length:,} places of {schema.shape[1]:,} symbols are more than the {most:,} values that a "
            f"row may have; {remedy}"
        )


def as_array(values: Any) -> NDArray[Any]:
    """A tensor or array as an array."""
    return torch_array(values) if hasattr(values, "detach") else np.asarray(values)
