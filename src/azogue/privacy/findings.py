"""What judgements of released and of synthetic rows share: attempts that may be impossible, and attacks in words."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from azogue.privacy.records import Attack

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Attempts:
    """Measures of which some may be impossible.

    Parameters
    ----------
    notes : list of str
        What was left out and why.

    Examples
    --------
    >>> case = Attempts()
    >>> case.attempt("a number", lambda: [int("one")]), case.notes
    ([], ["left out: a number: invalid literal for int() with base 10: 'one'"])
    """

    notes: list[str] = field(default_factory=list, kw_only=True)

    def attempt(self, what: str, measure: Callable[[], list[T]]) -> list[T]:
        """What a measure finds; nothing, and a note, where it is impossible."""
        try:
            return measure()
        except ValueError as error:
            self.notes.append(f"left out: {what}: {re.sub(r'^[a-z_]+: ', '', str(error))}")
            return []


class Attacked:
    """A report of attacks; those that inherit it have `attacks`, a `headline` and a `text`."""

    #: Attacks in the order in which the first that leaks is told; all others come behind.
    FIRST: ClassVar[tuple[str, ...]] = ()
    attacks: tuple[Attack, ...]

    @property
    def leaks(self) -> list[Attack]:
        """The attacks whose interval lies above their control's."""
        return [one for one in self.attacks if one.leaks]

    def attack(self, name: str) -> Attack:
        """The first attack of this name.

        Raises
        ------
        KeyError
            If there is none; it lists the names.
        """
        found: Attack = named(self.attacks, name, "attack")
        return found

    @property
    def headline(self) -> str:
        """The worst finding in a sentence."""
        raise NotImplementedError

    def text(self) -> str:
        """All of it in plain text."""
        raise NotImplementedError

    def _worst(self) -> str:
        """What the first attack that leaks found; else that none did."""
        if not self.attacks:
            return "no attack could be made, which says nothing"
        if not self.leaks:
            return f"none of {len(self.attacks)} attacks beat its control, which does not prove that none can"
        return min(self.leaks, key=lambda one: (*self.FIRST, one.name).index(one.name)).finding

    def _attack_rows(self) -> list[tuple[str, ...]]:
        """Cells of each attack: name, measure, success, control, and whether it leaks."""
        return [
            (
                one.name,
                one.measure,
                told(one.value, one.low, one.high),
                told(one.control, one.control_low, one.control_high),
                "leaks" if one.leaks else "",
            )
            for one in self.attacks
        ]

    def __repr__(self) -> str:
        beaten = f"{len(self.leaks)} of {len(self.attacks)} attacks beat their controls"
        return f"{type(self).__name__}({beaten}: {self.headline})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text())}</pre>"


def told(value: float, low: float, high: float) -> str:
    """A value with its interval."""
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"


def named(found: Sequence[Any], name: str, what: str) -> Any:
    """The first thing of this name.

    Raises
    ------
    KeyError
        If there is none; it lists the names.
    """
    for one in found:
        if one.name == name:
            return one
    raise KeyError(f"no {what} {name!r}; there are {', '.join(dict.fromkeys(one.name for one in found)) or 'none'}")


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Lines of cells under one another."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def listed(sections: Iterable[tuple[str, list[str]]]) -> list[str]:
    """Lines of titles, each above its points; nothing of those without."""
    return [line for title, points in sections if points for line in ("", f"{title}:", *(f"- {one}" for one in points))]
