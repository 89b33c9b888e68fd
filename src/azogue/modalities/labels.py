"""Labels of columns, and what is said of columns and categories that are new."""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

from azogue.modalities.reading import Label

#: The first values of each column, by position and with its label, that were not there when fitted.
Unseen: TypeAlias = "dict[int, tuple[Label, dict[Any, None]]]"
#: Unseen values that a warning shows.
SHOWN = 3


def warn_unseen(unseen: Unseen) -> None:
    """Say, once, which categories are new."""
    if unseen:
        columns = [
            f"{label!r} ({', '.join(map(repr, list(values)[:SHOWN]))}{', ...' * (len(values) > SHOWN)})"
            for _, (label, values) in sorted(unseen.items())
        ]
        warnings.warn(
            f"categories that were not there when fitted count as 'other': column {'; column '.join(columns)}",
            UserWarning,
            stacklevel=3,
        )


def names_differ(fitted: tuple[Label, ...], now: tuple[Label, ...]) -> str:
    """What is wrong with the columns' names, in scikit-learn's words, and the remedy."""
    lines = ["The feature names should match those that were passed during fit."]
    unseen, missing = [n for n in now if n not in set(fitted)], [n for n in fitted if n not in set(now)]
    if unseen:
        lines += ["Feature names unseen at fit time:", *(f"- {name}" for name in unseen)]
    if missing:
        lines += ["Feature names seen at fit time, yet now missing:", *(f"- {name}" for name in missing)]
    if not unseen and not missing:
        lines += ["Feature names must be in the same order as they were in fit."]
    remedy = "" if missing else "; take them in the fitted order with X[names]"
    return "\n".join(lines) + f"\nThe fitted names are {list(fitted)}{remedy}\n"


def plain_label(label: Label | None) -> Any:
    """A label as JSON values."""
    return [plain_label(part) for part in label] if isinstance(label, tuple) else label


def label_from(plain: Any) -> Any:
    """The inverse of `plain_label`."""
    return tuple(label_from(part) for part in plain) if isinstance(plain, list) else plain
