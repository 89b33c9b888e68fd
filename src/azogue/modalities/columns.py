"""The kinds of columns, and the choice among them by type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from azogue.modalities.dtypes import family, value_family
from azogue.modalities.kinds import Absent, Kind, Missing, plain_values, value_array
from azogue.modalities.numeric import Numeric, infinity
from azogue.modalities.reading import Column, Label
from azogue.modalities.scaling import Affine, Floats, Knots, Policy

#: Types in which values of different types are compared.
_COMPARED: dict[str | None, pa.DataType] = {"categorical": pa.large_string(), "numeric": pa.float64()}
#: Distinct values that a categorical column may have.
MAX_CATEGORIES = 10_000


@dataclass(frozen=True)
class Boolean(Kind):
    """True and false in one slot of probabilities."""

    kind = "boolean"
    slots = 1
    map = Affine(0.0, 1.0)
    storage = np.dtype(bool)

    def check(self, column: Column) -> None:
        """Refuse numbers other than 0 and 1."""
        super().check(column)
        if family(column.type) == "numeric":
            u = column.floats()
            if not np.all((u == 0) | (u == 1) | np.isnan(u)):
                raise ValueError(
                    f"column {column.label!r} was boolean when fitted and now holds numbers besides 0 and 1"
                )

    def cells(self, u: Floats) -> NDArray[np.bool_]:
        """Probabilities → booleans."""
        return u >= 0.5

    def array(self, cells: NDArray[Any], missing: Missing) -> pa.Array:
        """Booleans → values."""
        return pa.array(cells, mask=missing)

    @classmethod
    def fit(cls, column: Column) -> Kind:
        """A boolean column has nothing to learn."""
        missing = column.stored[1]
        return Absent.of(column) if missing is not None and missing.all() else cls(str(column.type), column.native)


@dataclass(frozen=True)
class Categorical(Kind):
    """One of several values: a slot for each, and a last one for values never seen before.

    Parameters
    ----------
    categories : tuple of str, int, float or bool
        In sorted order, or in the dtype's own; times as whole numbers of their unit.
    """

    categories: tuple[Any, ...]

    kind = "categorical"

    @property
    def value_type(self) -> pa.DataType:
        """The Arrow type of the categories."""
        return self.arrow.value_type if pa.types.is_dictionary(self.arrow) else self.arrow

    @cached_property
    def values(self) -> pa.Array:
        """The categories."""
        return value_array(self.categories, self.value_type)

    def check(self, column: Column) -> None:
        """Refuse values of another family than the categories, in a dictionary or not."""
        if value_family(column.type) not in (value_family(self.arrow), "absent"):
            raise self.mismatch(column)

    @property
    def slots(self) -> int:
        """One for each category and one for others."""
        return len(self.categories) + 1

    def codes(self, column: Column) -> NDArray[np.int64]:
        """The category's number in each row, the number of categories where it is unknown, −1 where it is missing."""
        array = column.array
        if not pa.types.is_dictionary(array.type):
            return self._lookup(array)
        missing = len(array.dictionary)
        indices = array.indices.cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False)
        codes: NDArray[np.int64] = np.append(self._lookup(array.dictionary), -1)[indices]
        return codes

    def _lookup(self, values: pa.Array) -> NDArray[np.int64]:
        exact = values.type == self.value_type and pa.types.is_integer(values.type)
        kind = self.value_type if exact else _COMPARED.get(family(self.value_type), self.value_type)
        pair = (part.cast(kind, safe=False) for part in (values, self.values))
        codes = pc.index_in(*pair).fill_null(len(self.categories))
        known: NDArray[np.int64] = codes.to_numpy(zero_copy_only=False).astype(np.int64)
        known[values.is_null().to_numpy(zero_copy_only=False)] = -1
        return known

    def array(self, codes: NDArray[np.int64], missing: Missing) -> pa.Array:
        """Numbers of categories → values."""
        indices = pa.array(codes, mask=missing)
        if not pa.types.is_dictionary(self.arrow):
            return self.values.cast(pa.large_string()).take(indices).cast(self.arrow)
        indices = indices.cast(self.arrow.index_type)
        return pa.DictionaryArray.from_arrays(indices, self.values, ordered=self.arrow.ordered)

    @classmethod
    def fit(cls, column: Column) -> Kind:
        """Learn the categories."""
        array = column.array
        if array.null_count == len(array):
            return Absent.of(column)
        own = pa.types.is_dictionary(column.type)
        values = array.dictionary if own else array.unique().drop_null()
        if len(values) > MAX_CATEGORIES:
            raise too_many(column.label, f"{len(values):,}")
        plain = plain_values(values)
        return cls(str(column.type), column.native, plain if own else tuple(sorted(plain)))


def too_many(label: Label, count: str) -> ValueError:
    """The error for a column of more categories than there may be."""
    return ValueError(
        f"column {label!r} has {count} distinct values, more than the {MAX_CATEGORIES:,} that a categorical column may "
        "have; drop it if it only names the rows, or group its values"
    )


_KINDS: dict[str, type[Kind]] = {kind.kind: kind for kind in (Absent, Numeric, Boolean, Categorical)}
_MAPS: tuple[type[Affine | Knots], ...] = (Affine, Knots)
#: Families besides numbers and times.
_FITTED: dict[str, Callable[[Column], Kind]] = {
    "absent": Absent.of,
    "boolean": Boolean.fit,
    "categorical": Categorical.fit,
}


def fit_kind(column: Column, policy: Policy, smooth: bool) -> Kind:
    """What the column is, by its type."""
    fit = _FITTED.get(str(family(column.type)))
    return Numeric.fit(column, policy, smooth) if fit is None else fit(column)


def values(kind: Kind, column: Column) -> Floats:
    """What a column holds as numbers: `u` of numeric ones, 0 and 1, numbers of categories; NaN where missing."""
    if isinstance(kind, Categorical):
        found = kind.codes(column).astype(np.float64)
        found[found < 0] = np.nan
        return found
    if isinstance(kind, Numeric):
        u = kind.floats(kind.align(column), slice(None))
        if np.isinf(u).any():
            raise infinity(column.label)
        return u
    return column.floats()


def kind_from_dict(data: dict[str, Any]) -> Kind:
    """The kind that `to_dict` wrote.

    Raises
    ------
    ValueError
        For kinds, types and keys that do not exist.
    """
    content = dict(data)
    name = content.pop("kind", None)
    if name not in _KINDS:
        raise ValueError(f"no column of a table is of the kind {name!r}; there are {', '.join(_KINDS)}")
    if "map" in content:
        keys = set(content["map"])
        content["map"] = _from_keys(next((cls for cls in _MAPS if _keys(cls) == keys), Affine), content["map"])
    kind: Kind = _from_keys(_KINDS[name], content)
    family(kind.arrow)
    return kind


def _from_keys(cls: type[Any], data: dict[str, Any]) -> Any:
    """A frozen value from its fields, no more and no fewer."""
    if set(data) != _keys(cls):
        raise ValueError(f"{cls.__name__}: expected the keys {sorted(_keys(cls))}, got {sorted(data)}")
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in data.items()})


def _keys(cls: type[Any]) -> set[str]:
    return {item.name for item in fields(cls)}
