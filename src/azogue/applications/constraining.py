"""Functional constraints between columns, such as `a <= b` or `total == price * count`: read, checked and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.applications.conditioning import grain, position
from azogue.comparisons import EXPECTED, Comparison, Floats
from azogue.modalities.coded import CodedSchema
from azogue.modalities.dtypes import TEMPORAL
from azogue.modalities.numeric import Numeric, tick

Cells = list[Floats]


@dataclass(frozen=True)
class Constraint:
    """A comparison of columns, numbers and dates, joined by + − × ÷; chains such as `0 <= a < b` are allowed.

    Parameters
    ----------
    text : str
        As it was written. Names that are no Python names stand between backquotes: `` `capital-gain` >= 0 ``.
    """

    text: str

    def _read(self, schema: CodedSchema) -> tuple[Comparison, dict[str, int]]:
        """The comparison, and the columns that its names stand for.

        Raises
        ------
        ValueError
            For what cannot be read, naming it.
        """
        found = Comparison.read(self.text, self.wrong)
        owner = f"constraint {self.text!r}"
        columns = {name: position(schema, label, owner) for name, label in found.labels.items()}
        for at in columns.values():
            if not isinstance(schema.table.columns[at], Numeric):
                raise self.wrong(f"column {schema.labels[at]!r} has no numbers or dates")
        return found, columns

    def wrong(self, why: str) -> ValueError:
        """What is wrong with it."""
        return ValueError(f"constraint {self.text!r}: {why}; {EXPECTED}")

    def holds(self, schema: CodedSchema, cells: Cells) -> NDArray[np.bool_]:
        """Where it holds, (n,); cells that are missing break nothing."""
        found, columns = self._read(schema)
        return found.holds(_values(schema, columns, cells), len(cells[0]), exact=True)

    def settle(self, schema: CodedSchema, cells: Cells) -> None:
        """Where it says what a column is (`total == a + b`), make it so, in place; gaps stay gaps."""
        found, columns = self._read(schema)
        if found.defined is None:
            return
        at = columns[found.defined]
        value = np.broadcast_to(found.side(1, _values(schema, columns, cells)), cells[at].shape)
        made = schema.settled(at, unreal(schema, at, value))
        cells[at] = np.where(np.isnan(cells[at]) | np.isnan(made), cells[at], made)


def _values(schema: CodedSchema, columns: dict[str, int], cells: Cells) -> dict[str, Floats]:
    return {name: real(schema, at, cells[at]) for name, at in columns.items()}


def real(schema: CodedSchema, at: int, u: Floats) -> Floats:
    """A column's values in the user's units; dates and times in seconds."""
    kind = schema.table.columns[at]
    assert isinstance(kind, Numeric)
    values = u * kind.unit + kind.base
    return values * _seconds(kind) if kind.family in TEMPORAL else values


def unreal(schema: CodedSchema, at: int, values: Floats) -> Floats:
    """The inverse of `real`."""
    kind = schema.table.columns[at]
    assert isinstance(kind, Numeric)
    values = values / _seconds(kind) if kind.family in TEMPORAL else values
    u = (values - kind.base) / kind.unit
    return np.asarray(np.rint(u) if grain(kind) == 1.0 else u)


def _seconds(kind: Any) -> float:
    return float(tick(kind.arrow)) / 1e9


def constraints_of(given: Any) -> tuple[Constraint, ...]:
    """What `constraints=` says.

    Raises
    ------
    TypeError
    """
    texts = (given,) if isinstance(given, str) else tuple(given or ())
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(f"constraints: expected texts such as 'a <= b', got {text!r}")
    return tuple(map(Constraint, texts))


def check(given: tuple[Constraint, ...], schema: CodedSchema, cells: Cells) -> None:
    """Refuse constraints that real rows break: what no row keeps cannot be kept in drawn ones.

    Raises
    ------
    ValueError
        Naming the constraint, and in how many rows it is broken.
    """
    for constraint in given:
        broken = int((~constraint.holds(schema, cells)).sum())
        if broken:
            raise ValueError(
                f"constraint {constraint.text!r}: {broken:,} of the {len(cells[0]):,} rows break it; correct them, or "
                "leave the constraint out"
            )
