"""Comparisons such as `start <= end` or `total == price * count`: read from text and evaluated, never run."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIGNS: dict[str, type[ast.cmpop]] = {
    "<=": ast.LtE,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
    "<": ast.Lt,
    ">": ast.Gt,
}
#: Relative difference within which two sides are equal; of dates, seconds since 1970, it is 2 ms.
CLOSE = 1e-12
#: How messages end that say what is wrong with a comparison.
EXPECTED = (
    "expected a comparison of columns of numbers or dates such as 'a <= b', 'end - start >= 5' or 'total == a + b'; "
    "names that are no Python names stand in backquotes"
)


def _near(left: Floats, right: Floats) -> NDArray[np.bool_]:
    return np.asarray(np.abs(left - right) <= CLOSE * np.maximum(1.0, np.maximum(np.abs(left), np.abs(right))))


_COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: _near,
}
_DONE: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """A comparison of columns, numbers and dates, joined by + − × ÷; chains such as `0 <= a < b` are allowed.

    Parameters
    ----------
    sides : tuple of ast.expr
        What is compared: trees of names, numbers and dates (texts, which count in seconds since 1970).
    signs : tuple of type
        What stands between the sides.
    labels : dict
        Name in a tree → the column's label, in the order in which they occur.
    wrong : callable
        (what is wrong) → the error to raise.

    Examples
    --------
    >>> found = Comparison.read("`the sum` == a + b", ValueError)
    >>> list(found.labels.values()), found.defined
    (['the sum', 'a', 'b'], 'column_1_')
    >>> values = dict(zip(found.labels, np.array([[3.0, 4.0, np.nan], [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])))
    >>> found.holds(values, 3).tolist()
    [True, False, True]
    """

    sides: tuple[ast.expr, ...]
    signs: tuple[type[ast.cmpop], ...]
    labels: dict[str, Any]
    wrong: Callable[[str], ValueError]

    @classmethod
    def read(cls, text: str, wrong: Callable[[str], ValueError]) -> Comparison:
        """A comparison from text, in which labels that are no Python names stand between backquotes.

        Raises
        ------
        ValueError
            For what cannot be read.
        """
        plain, quoted = _named(text)
        try:
            tree = ast.parse(plain.strip(), mode="eval").body
        except (SyntaxError, ValueError):
            raise wrong("it cannot be read") from None
        if not isinstance(tree, ast.Compare):
            raise wrong("it compares nothing")
        labels = {node.id: quoted.get(node.id, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)}
        if not labels:
            raise wrong("it names no column")
        return cls((tree.left, *tree.comparators), tuple(map(type, tree.ops)), labels, wrong)

    @property
    def defined(self) -> str | None:
        """The name that stands alone before a single `==`: the column that the rest says all of."""
        first = self.sides[0]
        return first.id if self.signs == (ast.Eq,) and isinstance(first, ast.Name) else None

    def holds(self, values: Mapping[str, Floats], n: int, exact: bool = False) -> NDArray[np.bool_]:
        """Where it holds, (n,); cells that are missing break nothing.

        Parameters
        ----------
        values : mapping of str to ndarray, shape (n,)
            Of each name; dates in seconds since 1970.
        n : int
        exact : bool
            Whether sides that differ at all satisfy `!=`; else those do that differ by more than `CLOSE`.

        Raises
        ------
        ValueError
            For signs and sides that numbers have none of.
        """
        found = np.ones(n, bool)
        sides = [self.side(at, values) for at in range(len(self.sides))]
        for sign, left, right in zip(self.signs, sides[:-1], sides[1:], strict=True):
            gone = np.isnan(left) | np.isnan(right)
            with np.errstate(all="ignore"):
                found &= gone | self._compared(sign, left, right, exact)
        return found

    def _compared(self, sign: type[ast.cmpop], left: Floats, right: Floats, exact: bool) -> NDArray[np.bool_]:
        if sign is ast.NotEq:
            return np.asarray(left != right if exact else ~_near(left, right))
        if sign not in _COMPARED:
            raise self.wrong("it compares in a way that numbers have none of")
        return np.asarray(_COMPARED[sign](left, right))

    def side(self, at: int, values: Mapping[str, Floats]) -> Floats:
        """The value of a side, (n,), or () where it names no column; NaN where it is not finite."""
        return self._value(self.sides[at], values)

    def _value(self, node: ast.expr, values: Mapping[str, Floats]) -> Floats:
        match node:
            case ast.Name(id=name):
                return values[name]
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return np.asarray(float(number))
            case ast.Constant(value=str(text)):
                try:
                    return np.asarray(np.datetime64(text, "us").astype(np.int64) / 1e6)
                except ValueError:
                    raise self.wrong(f"{text!r} is no date") from None
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._value(inner, values)
            case ast.BinOp(left=left, op=how, right=right) if type(how) in _DONE:
                with np.errstate(all="ignore"):
                    made = _DONE[type(how)](self._value(left, values), self._value(right, values))
                return np.where(np.isfinite(made), made, np.nan)
        raise self.wrong(f"{ast.unparse(node)!r} is neither a column, a number nor a sum, product or quotient of them")


def _named(text: str) -> tuple[str, dict[str, str]]:
    """A comparison with Python names alone, and the labels that stood between backquotes."""
    parts = text.split("`")
    names: dict[str, str] = {}
    for at in range(1, len(parts), 2):
        names[f"column_{at}_"] = parts[at]
        parts[at] = f" column_{at}_ "
    return "".join(parts), names
