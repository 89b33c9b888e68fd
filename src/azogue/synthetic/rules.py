"""Rules that rows must obey, such as `start <= end` or `total == price * count`, and how many rows break them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.intervals import wilson
from azogue.synthetic.tables import Numbers, Tables

_SIGNS: dict[str, type[ast.cmpop]] = {
    "<=": ast.LtE,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    ">": ast.Gt,
}
_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_DONE: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
#: Relative difference within which two sides are equal.
CLOSE = 1e-9


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
    return isinstance(given, (tuple, list)) and len(given) == 3 and isinstance(given[1], str) and given[1] in _SIGNS


@dataclass(frozen=True, eq=False)
class Rule:
    """A comparison, or a chain of them, between columns and numbers joined by + − × ÷.

    Parameters
    ----------
    text : str
    sides : tuple
        What is compared: trees of names and numbers.
    signs : tuple of type
    columns : dict
        Name in a tree → (place of the column, its unit in the rule's: seconds of dates).
    """

    text: str
    sides: tuple[ast.expr, ...]
    signs: tuple[type[ast.cmpop], ...]
    columns: dict[str, tuple[int, float]]

    @classmethod
    def read(cls, given: Any, tables: Tables) -> Rule:
        """A rule from text, or from three parts: a column, a sign, and a column or number."""
        if _is_triple(given):
            left, sign, right = given
            number = right not in tables.names and isinstance(right, (int, float)) and not isinstance(right, bool)
            sides = ast.Name("left"), ast.Constant(right) if number else ast.Name("right")
            names = {"left": left} if number else {"left": left, "right": right}
            text = f"{left} {sign} {right}"
            return cls(text, sides, (_SIGNS[sign],), _columns(text, names, tables))
        if not isinstance(given, str):
            raise _wrong(given, "it is no text")
        plain, quoted = _named(given)
        try:
            tree = ast.parse(plain.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            raise _wrong(given, "it cannot be read") from None
        if not isinstance(tree, ast.Compare) or not {type(sign) for sign in tree.ops} <= set(_SIGNS.values()):
            raise _wrong(given, "it compares nothing")
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        if not used:
            raise _wrong(given, "it names no column")
        columns = _columns(given, {name: quoted.get(name, name) for name in sorted(used)}, tables)
        return cls(given, (tree.left, *tree.comparators), tuple(map(type, tree.ops)), columns)

    def holds(self, rows: Numbers) -> NDArray[np.bool_]:
        """Where it holds, (n,); cells that are missing break nothing."""
        found = np.ones(len(rows), bool)
        values = [self._value(side, rows) for side in self.sides]
        for sign, left, right in zip(self.signs, values[:-1], values[1:], strict=True):
            gone = np.isnan(left) | np.isnan(right)
            near = np.abs(left - right) <= CLOSE * np.maximum(1.0, np.maximum(np.abs(left), np.abs(right)))
            if sign in (ast.Eq, ast.NotEq):
                found &= gone | (near if sign is ast.Eq else ~near)
            else:
                found &= gone | _COMPARED[sign](left, right)
        return found

    def _value(self, node: ast.expr, rows: Numbers) -> Numbers:
        match node:
            case ast.Name(id=name):
                at, unit = self.columns[name]
                return rows[:, at] * unit
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return np.asarray(float(number))
            case ast.Constant(value=str(text)):
                try:
                    return np.asarray(np.datetime64(text, "us").astype(np.int64) / 1e6)
                except ValueError:
                    raise _wrong(self.text, f"{text!r} is no date") from None
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._value(inner, rows)
            case ast.BinOp(left=left, op=how, right=right) if type(how) in _DONE:
                with np.errstate(all="ignore"):
                    made = _DONE[type(how)](self._value(left, rows), self._value(right, rows))
                return np.where(np.isfinite(made), made, np.nan)
        raise _wrong(self.text, f"{ast.unparse(node)!r} is neither a column, a number nor a sum or product of them")


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


def _named(text: str) -> tuple[str, dict[str, str]]:
    """A rule with Python names alone, and the columns that stood between backquotes."""
    parts = text.split("`")
    names: dict[str, str] = {}
    for at in range(1, len(parts), 2):
        names[f"column_{at}_"] = parts[at]
        parts[at] = f" column_{at}_ "
    return "".join(parts), names


def _wrong(text: Any, why: str) -> ValueError:
    return ValueError(
        f"evaluate_synthetic: constraint {text!r}: {why}; expected a comparison of columns of numbers or dates such as "
        "'a <= b', 'end - start >= 5' or 'total == a + b'; names that are no Python names stand in backquotes"
    )
