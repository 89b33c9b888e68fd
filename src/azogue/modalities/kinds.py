"""What a schema knows of one column: the base of all kinds, and the kind of columns without values."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.modalities.dtypes import arrow_type, family, storage
from azogue.modalities.reading import Column
from azogue.modalities.scaling import Affine, Knots

Missing: TypeAlias = "NDArray[np.bool_] | None"

#: Other families that may be packed as a family.
_WELCOME = {"numeric": "boolean", "boolean": "numeric"}


@dataclass(frozen=True)
class Kind:
    """A column.

    Parameters
    ----------
    type : str
        The Arrow type of its values.
    native : str or None
        The container's own dtype, where the Arrow type does not determine it.
    """

    type: str
    native: str | None

    kind: ClassVar[str] = ""

    @property
    def slots(self) -> int:
        """Slots of the packed row."""
        return 0

    @cached_property
    def arrow(self) -> pa.DataType:
        """The Arrow type of the values."""
        return arrow_type(self.type)

    @property
    def family(self) -> str:
        """What the values are, such as `"numeric"` or `"datetime"`."""
        return str(family(self.arrow))

    @property
    def describe(self) -> str:
        """The kind in a plan."""
        return self.kind

    def check(self, column: Column) -> None:
        """Refuse a column of another kind than was fitted."""
        if family(column.type) not in (self.family, "absent", _WELCOME.get(self.family)):
            raise self.mismatch(column)

    def mismatch(self, column: Column) -> TypeError:
        """The error for a column of another kind."""
        return TypeError(
            f"column {column.label!r} was {self.family} ({self.type}) when fitted and is now {family(column.type)} "
            f"({column.type}); convert it to what it was"
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"kind": self.kind} | {key: _plain(value) for key, value in content.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (Affine, Knots)):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Absent(Kind):
    """A column that had no value when fitted: no slots, and all missing on the way back."""

    categories: tuple[Any, ...] = ()

    kind = "absent"

    @classmethod
    def of(cls, column: Column) -> Absent:
        """The kind of an all-missing column."""
        categories = plain_values(column.array.dictionary) if pa.types.is_dictionary(column.type) else ()
        return cls(str(column.type), column.native, categories)

    def check(self, column: Column) -> None:
        """Say that values are lost, should some come."""
        if column.array.null_count < len(column.array):
            warnings.warn(f"column {column.label!r} held no value when fitted; its values are ignored", stacklevel=4)

    def nulls(self, n: int) -> pa.Array:
        """`n` missing values."""
        if not pa.types.is_dictionary(self.arrow):
            return pa.nulls(n, self.arrow)
        values = value_array(self.categories, self.arrow.value_type)
        return pa.DictionaryArray.from_arrays(pa.nulls(n, self.arrow.index_type), values, ordered=self.arrow.ordered)


def plain_values(values: pa.Array) -> tuple[Any, ...]:
    """Categories as JSON values."""
    return tuple(values.view(storage(values.type)).to_pylist())


def value_array(categories: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    """The inverse of `plain_values`."""
    return pa.array(categories, storage(kind)).view(kind)
