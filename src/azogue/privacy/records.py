"""What an attack found: a success with its interval, beside what the same attack reaches where it cannot know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azogue.privacy.intervals import Interval


@dataclass(frozen=True)
class Attack:
    """One attack, measured.

    Parameters
    ----------
    name : str
        `"re-identification"`, `"attribute: sex"`, `"reconstruction"`, `"membership"` and so on.
    question : str
        What the attacker wants to know.
    measure : str
        The unit of all six numbers: `"rank-1 rate"`, `"balanced accuracy"`, `"AUC"`, `"R²"`, `"rate"`.
    value, low, high : float
        The success, and the ends of its 95 % interval.
    control, control_low, control_high : float
        The same attack where it cannot know: shuffled pairs, permuted labels, held-out rows, the mean.
    finding : str
        A sentence.
    details : tuple of (str, float)
        Further numbers, such as the success of each attacker; `.detail(name)` looks one up.

    Examples
    --------
    >>> found = Attack("membership", "was it there?", "AUC", 0.8, 0.7, 0.9, 0.5, 0.4, 0.6, "told apart")
    >>> found.leaks, found
    (True, Attack(membership: AUC 0.800 [0.700, 0.900], control 0.500 [0.400, 0.600], leaks))
    """

    name: str
    question: str
    measure: str
    value: float
    low: float
    high: float
    control: float
    control_low: float
    control_high: float
    finding: str = ""
    details: tuple[tuple[str, float], ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether the interval lies above the control's."""
        return bool(self.low > self.control_high)

    def detail(self, name: str) -> float:
        """A further number.

        Raises
        ------
        KeyError
            If there is none of that name; it lists those that there are.
        """
        found = dict(self.details)
        if name not in found:
            raise KeyError(f"{self.name}: no detail {name!r}; there are {', '.join(found)}")
        return found[name]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        names = ("name", "question", "measure", "value", "low", "high", "control", "control_low", "control_high")
        told: dict[str, Any] = {name: getattr(self, name) for name in names}
        return told | {"leaks": self.leaks, "finding": self.finding, "details": dict(self.details)}

    def __repr__(self) -> str:
        own, other = (
            f"{value:.3f} [{low:.3f}, {high:.3f}]"
            for value, low, high in (
                (self.value, self.low, self.high),
                (self.control, self.control_low, self.control_high),
            )
        )
        return f"Attack({self.name}: {self.measure} {own}, control {other}{', leaks' if self.leaks else ''})"


def attack(
    name: str, question: str, measure: str, success: Interval, control: Interval, finding: str = "", **details: float
) -> Attack:
    """An `Attack` of two intervals; `finding` may name value and control in braces."""
    told = finding.format(value=success.value, control=control.value)
    numbers = tuple((key.replace("_", " "), float(value)) for key, value in details.items())
    own, other = (Interval(*map(float, part)) for part in (success, control))
    return Attack(name, question, measure, *own, *other, told, numbers)
