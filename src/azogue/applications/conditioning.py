"""What rows are asked for: conditions on columns, as spans of their values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.modalities.codebooks import Within
from azogue.modalities.coded import CodedSchema
from azogue.modalities.columns import Boolean, Categorical
from azogue.modalities.dtypes import TEMPORAL
from azogue.modalities.kinds import Absent, Kind
from azogue.modalities.numeric import Numeric
from azogue.modalities.reading import Column, is_missing

Span = tuple[float, float]
_ALL: Span = (-math.inf, math.inf)
_BOUND = re.compile(r"\s*(>=|<=|!=|==|=|>|<)\s*(.+?)\s*")
#: Values that an error shows.
SHOWN = 10


@dataclass(frozen=True)
class Condition:
    """What a column must be.

    Parameters
    ----------
    column : int
    text : str
        As it was asked for, for messages.
    spans : tuple of (low, high)
        In the units of the column's codebook, ends included; apart from one another and in order.
    missing : bool
        Whether cells may be missing.
    """

    column: int
    text: str
    spans: tuple[Span, ...]
    missing: bool

    def holds(self, u: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Where values (n,) satisfy it."""
        found = np.isnan(u) if self.missing else np.zeros(len(u), bool)
        for low, high in self.spans:
            found |= (low <= u) & (u <= high)
        return found

    def within(self, schema: CodedSchema) -> Within:
        """What of the column's codebook is left.

        Raises
        ------
        ValueError
            If nothing is: no row can satisfy it.
        """
        kind, book = schema.table.columns[self.column], schema.books[self.column]
        left = book.cut(self.spans, self.missing, grain(kind) or 0.0)
        if not left.weights(book).any():
            raise ValueError(f"where: no row can satisfy {self.text}: {_seen(schema, self.column)}")
        return left


def grain(kind: Kind) -> float | None:
    """How far apart a column's values are, in the units of its codebook; None where they lie anywhere."""
    if not isinstance(kind, Numeric) or kind.storage.kind in "iu":
        return 1.0
    return None if kind.decimals is None else 10.0**-kind.decimals


def conditions(where: Any, schema: CodedSchema) -> list[Condition]:
    """What `where={...}` says.

    Parameters
    ----------
    where : mapping of column to condition, or None
        A value; a list of values; (low, high) with both ends, None for none; a slice, without its stop; a text of
        bounds such as `">=40"` or `">=40, <50"` for numbers and dates, `"!=x"` for all; None or NaN for missing.
    schema : CodedSchema

    Raises
    ------
    ValueError, TypeError
        For columns that are not there, and conditions that nothing can satisfy; naming them.
    """
    if where is None:
        return []
    if not isinstance(where, Mapping):
        raise TypeError(f"where: expected a mapping of column to condition, such as {{'age': '>=40'}}, got {where!r}")
    found = []
    for label, asked in where.items():
        at = position(schema, label, "where")
        spans, missing = _spans(schema, at, asked)
        condition = Condition(at, f"{label!r}: {asked!r}", tuple(spans), missing)
        condition.within(schema)
        found.append(condition)
    return found


def position(schema: CodedSchema, label: Any, owner: str) -> int:
    """The position of a column, by its name, or by its number where it has none.

    Raises
    ------
    ValueError
    """
    labels = schema.labels
    if label in labels:
        return int(labels.index(label))
    shown = ", ".join(map(repr, labels[:20])) + ", …" * (len(labels) > 20)
    raise ValueError(f"{owner}: there is no column {label!r}; there are {shown}")


def _spans(schema: CodedSchema, at: int, asked: Any) -> tuple[list[Span], bool]:
    kind = schema.table.columns[at]
    if isinstance(kind, Absent):
        if not isinstance(asked, (list, tuple, set, slice)) and is_missing(asked):
            return [], True
        raise ValueError(f"where: column {schema.labels[at]!r} held no value when fitted, so that none can be drawn")
    if isinstance(asked, tuple):
        if len(asked) != 2:
            raise ValueError(f"where: expected (low, high) for {schema.labels[at]!r}, got {asked!r}; a list for values")
        return [_range(schema, at, *asked)], False
    if isinstance(asked, slice):
        low, high = _range(schema, at, asked.start, asked.stop)
        return [(low, _below(kind, high)) if asked.stop is not None else (low, high)], False
    many = list(asked) if isinstance(asked, (list, set, frozenset, np.ndarray)) else None
    if many is None:
        return _one(schema, at, asked)
    found = [_one(schema, at, one) for one in many]
    return _joined([span for spans, _ in found for span in spans]), any(missing for _, missing in found)


def _one(schema: CodedSchema, at: int, asked: Any) -> tuple[list[Span], bool]:
    """One value, or a text of bounds."""
    kind = schema.table.columns[at]
    if is_missing(asked):
        return [], True
    if isinstance(asked, str):
        own = kind.categories if isinstance(kind, Categorical) else ()
        if asked not in own and (bounds := _bounds(asked)):
            spans = [_ALL]
            for sign, text in bounds:
                spans = _both(spans, _of_bound(schema, at, sign, text))
            return spans, False
    return _exactly(kind, _value(schema, at, asked)), False


def _bounds(text: str) -> list[tuple[str, str]]:
    """`">=40, <50"` → its signs and numbers; nothing where it is no such text."""
    parts = [_BOUND.fullmatch(part) for part in text.split(",")]
    if text.lstrip()[:1] not in "<>!=" or not all(parts):
        whole = _BOUND.fullmatch(text)
        return [] if whole is None else [(whole[1], whole[2])]
    return [(part[1], part[2]) for part in parts if part is not None]


def _of_bound(schema: CodedSchema, at: int, sign: str, text: str) -> list[Span]:
    kind = schema.table.columns[at]
    if sign[0] in "<>" and not isinstance(kind, Numeric):
        raise ValueError(
            f"where: {schema.labels[at]!r} has {kind.kind} values, which have no order; give the values, "
            f"not {sign + text!r}: {_seen(schema, at)}"
        )
    value = _value(schema, at, text)
    match sign:
        case ">=":
            return [(_lifted(kind, value), math.inf)]
        case "<=":
            return [(-math.inf, -_lifted(kind, -value))]
        case ">":
            return [(_above(kind, value), math.inf)]
        case "<":
            return [(-math.inf, _below(kind, value))]
        case "!=":
            return [(-math.inf, _below(kind, value)), (_above(kind, value), math.inf)]
    return _exactly(kind, value)


def _exactly(kind: Kind, value: float) -> list[Span]:
    """The span of one value; none where the column's resolution has no such value."""
    lifted = _lifted(kind, value)
    step = grain(kind)
    return [(lifted, lifted)] if step is None or abs(lifted - value) <= 1e-6 * step else []


def _lifted(kind: Kind, value: float) -> float:
    """The least value of the column's resolution that is no less."""
    step = grain(kind)
    return value if step is None else _up(value, step)


def _range(schema: CodedSchema, at: int, low: Any, high: Any) -> Span:
    kind = schema.table.columns[at]
    if not isinstance(kind, Numeric):
        raise ValueError(f"where: {schema.labels[at]!r} has {kind.kind} values, which have no range; give a list")
    ends = (
        -math.inf if low is None else _value(schema, at, low),
        math.inf if high is None else _value(schema, at, high),
    )
    if ends[0] > ends[1]:
        raise ValueError(f"where: the range of {schema.labels[at]!r} begins at {low!r}, behind its end {high!r}")
    return _lifted(kind, ends[0]), -_lifted(kind, -ends[1])


def _up(value: float, step: float) -> float:
    """The least multiple of a step that is no less."""
    if math.isinf(value):
        return value
    count = math.ceil(value / step - 1e-6)
    return count * step if step == 1.0 else round(count * step, 12)


def _above(kind: Kind, value: float) -> float:
    step = grain(kind)
    if step is None:
        return float(np.nextafter(value, np.inf, dtype=np.float32 if _single(kind) else np.float64))
    return -_up(-value, step) + step


def _below(kind: Kind, value: float) -> float:
    step = grain(kind)
    if step is None:
        return float(np.nextafter(value, -np.inf, dtype=np.float32 if _single(kind) else np.float64))
    return _up(value, step) - step


def _single(kind: Kind) -> bool:
    return isinstance(kind, Numeric) and kind.storage == np.float32


def _value(schema: CodedSchema, at: int, value: Any) -> float:
    """A value of the user's in the units of the column's codebook."""
    kind = schema.table.columns[at]
    if isinstance(kind, Boolean):
        known = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
        if (text := str(value).strip().lower()) in known:
            return known[text]
        raise ValueError(f"where: column {schema.labels[at]!r} is true or false, got {value!r}")
    if isinstance(kind, Categorical):
        held = kind.values.to_pylist()
        places = [place for place, own in enumerate(held) if own == value or str(own) == str(value)]
        if places:
            return float(places[0])
        raise ValueError(f"where: column {schema.labels[at]!r} has no value {value!r}: {_seen(schema, at)}")
    try:
        return _number(kind, value)
    except (ValueError, TypeError, pa.ArrowException) as error:
        what = "a date or time" if kind.family in TEMPORAL else "a number"
        raise ValueError(f"where: column {schema.labels[at]!r} needs {what}, got {value!r}") from error


def _number(kind: Any, value: Any) -> float:
    if kind.family not in TEMPORAL:
        if isinstance(value, (bool, np.bool_)):
            raise ValueError
        number = float(value)
        if math.isnan(number):
            raise ValueError
        return float((number - kind.base) / kind.unit)
    one = pa.array([value.item() if isinstance(value, np.generic) else value])
    if pa.types.is_string(one.type) and pa.types.is_timestamp(kind.arrow):
        one = one.cast(pa.timestamp("ns") if kind.arrow.tz is None else pa.timestamp("ns", kind.arrow.tz))
    if pa.types.is_timestamp(one.type) and getattr(kind.arrow, "tz", None) and one.type.tz is None:
        one = one.cast(pa.timestamp(one.type.unit, kind.arrow.tz))
    return float(kind.floats(kind.align(Column("value", one.type, one)), slice(None))[0])


def _joined(spans: list[Span]) -> list[Span]:
    """Spans in order and apart from one another."""
    found: list[Span] = []
    for low, high in sorted(spans):
        if found and low <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _both(one: list[Span], other: list[Span]) -> list[Span]:
    """What lies in a span of both."""
    pairs = [(max(a[0], b[0]), min(a[1], b[1])) for a in one for b in other]
    return _joined([pair for pair in pairs if pair[0] <= pair[1]])


def _seen(schema: CodedSchema, at: int) -> str:
    """What a column held when it was fitted."""
    kind, book = schema.table.columns[at], schema.books[at]
    gaps = "" if book.missing else ", and lacked none"
    if isinstance(kind, Absent):
        return "it held no value when fitted"
    if isinstance(kind, Categorical):
        held = kind.values.to_pylist()
        shown = ", ".join(repr(own) for own in held[:SHOWN]) + ", …" * (len(held) > SHOWN)
        return f"it has {shown}{gaps}"
    if isinstance(kind, Boolean):
        return f"it is true or false{gaps}"
    ends = schema.arrays(
        [
            np.array([min(own.low, default=np.nan), max(own.high, default=np.nan)])
            if place == at
            else np.full(2, np.nan)
            for place, own in enumerate(schema.books)
        ]
    )[at].to_pylist()
    return f"it was seen from {ends[0]} to {ends[1]}{gaps}"
