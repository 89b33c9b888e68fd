"""Rules that rows must obey, such as `start <= end` or `total == price * count`, and how many rows break them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.comparisons import EXPECTED, SIGNS, Comparison
from azogue.privacy.intervals import wilson
from azogue.synthetic.tables import Numbers, Tables


@dataclass(frozen=True)
class Broken:
    """How often a rule is broken.

    Parameters
    ----------
    rule : str
    value, low, high : float
        Part of the synthetic rows that break it, with Wilson's interval.
    real : float
        Part of the training rows that do.

    Examples
    --------
    >>> Broken("start <= end", 0.0, 0.0, 0.004, 0.0).to_dict()["value"]
    0.0
    """

    rule: str
    value: float
    low: float
    high: float
    real: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dict(vars(self))


def broken(tables: Tables, constraints: Any) -> tuple[Broken, ...]:
    """How often each rule is broken, by synthetic and by training rows.

    Raises
    ------
    ValueError
        For what is no rule, or names no column of numbers or dates.
    """
    one = isinstance(constraints, str) or (isinstance(constraints, tuple) and _is_triple(constraints))
    found = []
    for given in [constraints] if one else list(constraints or ()):
        rule = Rule.read(given, tables)
        parts = [wilson(int((~rule.holds(rows)).sum()), len(rows)) for rows in (tables.synthetic, tables.train)]
        found.append(Broken(rule.text, *parts[0], parts[1].value))
    return tuple(found)


def _is_triple(given: Any) -> bool:
    return isinstance(given, (tuple, list)) and len(given) == 3 and isinstance(given[1], str) and given[1] in SIGNS


@dataclass(frozen=True, eq=False)
class Rule:
    """A comparison, and the columns of the tables that it is about.

    Parameters
    ----------
    text : str
    comparison : Comparison
    columns : dict
        Name in the comparison → (place of the column, its unit in the comparison's: seconds of dates).
    """

    text: str
    comparison: Comparison
    columns: dict[str, tuple[int, float]]

    @classmethod
    def read(cls, given: Any, tables: Tables) -> Rule:
        """A rule from text, or from three parts: a column, a sign, and a column or number."""
        if _is_triple(given):
            left, sign, right = given
            number = right not in tables.names and isinstance(right, (int, float)) and not isinstance(right, bool)
            sides = ast.Name("left"), ast.Constant(right) if number else ast.Name("right")
            labels = {"left": left} if number else {"left": left, "right": right}
            text = f"{left} {sign} {right}"
            found = Comparison(sides, (SIGNS[sign],), labels, partial(_wrong, text))
            return cls(text, found, _columns(text, labels, tables))
        if not isinstance(given, str):
            raise _wrong(given, "it is no text")
        found = Comparison.read(given, partial(_wrong, given))
        return cls(given, found, _columns(given, dict(sorted(found.labels.items())), tables))

    def holds(self, rows: Numbers) -> NDArray[np.bool_]:
        """Where it holds, (n,); cells that are missing break nothing."""
        values = {name: rows[:, at] * unit for name, (at, unit) in self.columns.items()}
        return self.comparison.holds(values, len(rows))


def _columns(text: str, names: dict[str, Any], tables: Tables) -> dict[str, tuple[int, float]]:
    found = {}
    for name, label in names.items():
        if label not in tables.names or isinstance(label, bool):
            raise _wrong(text, f"there is no column {label!r}")
        at = tables.names.index(label)
        if tables.classes[at] is not None:
            raise _wrong(text, f"column {label!r} holds no numbers or dates")
        found[name] = at, 1e-6 if tables.kinds[at] == "date" else 1.0
    return found


def _wrong(text: Any, why: str) -> ValueError:
    return ValueError(f"evaluate_synthetic: constraint {text!r}: {why}; {EXPECTED}")
