"""What a use asks for: fields of a form, and the values that came back for them, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Field:
    """A question of a form.

    Parameters
    ----------
    name, label : str
    kind : {"whole", "number", "choice", "columns", "text", "yes"}
    default : Any
        None where a number may be left out.
    least, most : float
        Of a number.
    choices : tuple of str
    help : str
    tables : bool
        Whether it is asked of tables only.
    pictures : bool
        Whether it is asked of pictures only.
    """

    name: str
    label: str
    kind: str
    default: Any = None
    least: float = 0
    most: float = 1e9
    choices: tuple[str, ...] = ()
    help: str = ""
    tables: bool = False
    pictures: bool = False

    def to_dict(self) -> dict[str, Any]:
        """For the page."""
        return asdict(self)

    def asked_of(self, kind: str) -> bool:
        """Whether it is asked of data of a kind."""
        return not (self.tables and kind != "table") and not (self.pictures and kind != "image")

    def checked(self, value: Any, columns: Sequence[str]) -> Any:
        """A value of the form as the use takes it.

        Raises
        ------
        ValueError
            Naming the field and what it takes.
        """
        if self.kind in ("whole", "number"):
            return self._number(value)
        if self.kind == "choice" and value not in self.choices:
            raise ValueError(f"{self.label}: expected one of {', '.join(self.choices)}")
        if self.kind == "yes" and not isinstance(value, bool):
            raise ValueError(f"{self.label}: expected yes or no")
        if self.kind == "text" and not (isinstance(value, str) and len(value) <= 200):
            raise ValueError(f"{self.label}: expected a text of at most 200 letters")
        if self.kind == "columns":
            if not isinstance(value, list) or any(name not in columns for name in value):
                raise ValueError(f"{self.label}: expected columns of the data")
            return list(dict.fromkeys(value))
        return value.strip() if self.kind == "text" else value

    def _number(self, value: Any) -> int | float | None:
        if value in (None, "") and self.default is None:
            return None
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        whole = self.kind == "whole"
        if isinstance(value, bool) or not self.least <= number <= self.most or (whole and number != int(number)):
            what = "a whole number" if whole else "a number"
            raise ValueError(f"{self.label}: expected {what} from {self.least:g} to {self.most:g}")
        return int(number) if whole else number


def checked(fields: Sequence[Field], given: Mapping[str, Any], kind: str, columns: Sequence[str]) -> dict[str, Any]:
    """The values of a form; defaults for what is not said.

    Raises
    ------
    ValueError
        For values that make no sense, and names that nobody asked for.

    Examples
    --------
    >>> checked([Field("seed", "Seed", "whole", 0)], {"seed": "7"}, "table", ())
    {'seed': 7}
    """
    asked = [field for field in fields if field.asked_of(kind)]
    if strange := set(given) - {field.name for field in asked}:
        raise ValueError(f"{', '.join(sorted(map(str, strange)))[:80]}: nothing of this name is asked for")
    values = {field.name: field.checked(given[field.name], columns) for field in asked if field.name in given}
    return {field.name: field.default for field in fields} | values


SEED = Field("seed", "Seed", "whole", 0, most=2**31 - 1, help="Same seed, same result.")
SIZE = Field("size", "Size", "text", "", pictures=True, help="Height x width to bring pictures to, such as 32x32.")
