"""Rules that rows must obey, such as `start <= end`, and how many rows break them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.intervals import Interval, wilson
from azogue.synthetic.tables import Numbers, Tables

_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
}
_RULE = re.compile(r"(.+?)\s*(<=|>=|==|!=|<|>)\s*(.+)")


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
        For what is no rule, or names no column.
    """
    found = []
    given = [constraints] if isinstance(constraints, str) or callable(constraints) else list(constraints or ())
    for rule in given:
        left, sign, right = _parsed(rule)
        told = f"{left} {sign} {right}"
        parts: list[Interval] = []
        for rows in (tables.synthetic, tables.train):
            a, b = _side(tables, rows, left, told, True), _side(tables, rows, right, told, False)
            bad: NDArray[np.bool_] = ~np.isnan(a) & ~np.isnan(b) & ~_SIGNS[sign](a, b)
            parts.append(wilson(int(bad.sum()), len(bad)))
        found.append(Broken(told, *parts[0], parts[1].value))
    return tuple(found)


def _parsed(rule: Any) -> tuple[Any, str, Any]:
    """(column, sign, column or number), written as text or given as three parts."""
    if isinstance(rule, str) and (match := _RULE.fullmatch(rule.strip())):
        return match[1], match[2], match[3]
    if isinstance(rule, (tuple, list)) and len(rule) == 3 and rule[1] in _SIGNS:
        return rule[0], rule[1], rule[2]
    raise ValueError(
        f"evaluate_synthetic: constraints: expected rules such as 'start <= end' or ('start', '<=', 10), got {rule!r}"
    )


def _side(tables: Tables, rows: Numbers, side: Any, rule: str, first: bool) -> Numbers:
    """A column's values, or a number as often as there are rows."""
    if side in tables.names and not isinstance(side, bool):
        at = tables.names.index(side)
        if tables.classes[at] is not None:
            raise ValueError(f"evaluate_synthetic: constraints: {rule!r}: column {side!r} holds no numbers or dates")
        return rows[:, at]
    try:
        if not first:
            return np.full(len(rows), float(side))
    except (TypeError, ValueError):
        pass
    what = "column" if first else "column, and no number"
    raise ValueError(f"evaluate_synthetic: constraints: {rule!r}: {side!r} is no {what}")
