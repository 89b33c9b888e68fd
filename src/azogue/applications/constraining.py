"""Functional constraints between columns, such as `a <= b` or `total == price * count`: read, checked and kept."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.applications.conditioning import grain, position
from azogue.modalities.coded import CodedSchema
from azogue.modalities.dtypes import TEMPORAL
from azogue.modalities.numeric import Numeric, tick

Floats = NDArray[np.float64]
Cells = list[Floats]

_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.NotEq: operator.ne,
}
_DONE: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
#: Relative error within which two sides are equal.
CLOSE = 1e-9


@dataclass(frozen=True)
class Constraint:
    """A comparison of columns, numbers and dates, joined by + − × ÷; chains such as `0 <= a < b` are allowed.

    Parameters
    ----------
    text : str
        As it was written. Names that are no Python names stand between backquotes: `` `capital-gain` >= 0 ``.
    """

    text: str

    def _tree(self, schema: CodedSchema) -> tuple[ast.Compare, dict[str, int]]:
        """The comparison, and the columns that its names stand for.

        Raises
        ------
        ValueError
            For what cannot be read, naming it.
        """
        plain, names = _named(self.text, schema)
        try:
            tree = ast.parse(plain.strip(), mode="eval").body
        except SyntaxError:
            raise self.wrong("it cannot be read") from None
        if not isinstance(tree, ast.Compare):
            raise self.wrong("it compares nothing")
        columns = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                columns[node.id] = position(schema, names.get(node.id, node.id), f"constraint {self.text!r}")
        for at in columns.values():
            if not isinstance(schema.table.columns[at], Numeric):
                raise self.wrong(f"column {schema.labels[at]!r} has no numbers or dates")
        if not columns:
            raise self.wrong("it names no column")
        return tree, columns

    def wrong(self, why: str) -> ValueError:
        """What is wrong with it."""
        return ValueError(
            f"constraint {self.text!r}: {why}; expected a comparison of columns of numbers or dates such as 'a <= b', "
            "'end - start >= 5' or 'total == a + b'; names that are no Python names stand in backquotes"
        )

    def holds(self, schema: CodedSchema, cells: Cells) -> NDArray[np.bool_]:
        """Where it holds, (n,); cells that are missing break nothing."""
        tree, columns = self._tree(schema)
        read = {name: real(schema, at, cells[at]) for name, at in columns.items()}
        sides = [self._value(node, read) for node in (tree.left, *tree.comparators)]
        found = np.ones(len(cells[0]), bool)
        for sign, left, right in zip(tree.ops, sides[:-1], sides[1:], strict=True):
            gone = np.isnan(left) | np.isnan(right)
            with np.errstate(invalid="ignore"):
                found &= gone | (_equal(left, right) if isinstance(sign, ast.Eq) else self._compared(sign, left, right))
        return found

    def _compared(self, sign: ast.cmpop, left: Floats, right: Floats) -> NDArray[np.bool_]:
        if type(sign) not in _COMPARED:
            raise self.wrong("it compares in a way that numbers have none of")
        return np.asarray(_COMPARED[type(sign)](left, right))

    def _value(self, node: ast.expr, read: dict[str, Floats]) -> Floats:
        match node:
            case ast.Name(id=name):
                return read[name]
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as number):
                return np.asarray(float(number))
            case ast.Constant(value=str(text)):
                try:
                    return np.asarray(np.datetime64(text, "ns").astype(np.int64) / 1e9)
                except ValueError:
                    raise self.wrong(f"{text!r} is no date") from None
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._value(inner, read)
            case ast.BinOp(left=left, op=how, right=right) if type(how) in _DONE:
                with np.errstate(divide="ignore", invalid="ignore"):
                    made = _DONE[type(how)](self._value(left, read), self._value(right, read))
                return np.where(np.isfinite(made), made, np.nan)
        raise self.wrong(f"{ast.unparse(node)!r} is neither a column, a number nor a sum, product or quotient of them")

    def settle(self, schema: CodedSchema, cells: Cells) -> None:
        """Where it says what a column is (`total == a + b`), make it so, in place; gaps stay gaps."""
        tree, columns = self._tree(schema)
        if len(tree.ops) != 1 or not isinstance(tree.ops[0], ast.Eq) or not isinstance(tree.left, ast.Name):
            return
        at = columns[tree.left.id]
        read = {name: real(schema, own, cells[own]) for name, own in columns.items()}
        value = np.broadcast_to(self._value(tree.comparators[0], read), cells[at].shape)
        made = schema.settled(at, unreal(schema, at, value))
        cells[at] = np.where(np.isnan(cells[at]) | np.isnan(made), cells[at], made)


def _equal(left: Floats, right: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.abs(left - right) <= CLOSE * np.maximum(1.0, np.maximum(np.abs(left), np.abs(right))))


def _named(text: str, schema: CodedSchema) -> tuple[str, dict[str, str]]:
    """A constraint with Python names alone, and what they stand for."""
    parts = text.split("`")
    names: dict[str, str] = {}
    for at in range(1, len(parts), 2):
        names[f"column_{at}_"] = parts[at]
        parts[at] = f" column_{at}_ "
    return "".join(parts), names


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
