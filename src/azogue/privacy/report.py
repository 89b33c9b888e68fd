"""What an audit says: attacks beside their controls, what can still be told, what is left of the data."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azogue.privacy.likeness import Fidelity
from azogue.privacy.metrics import Quasi
from azogue.privacy.records import Attack

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Attacks in the order in which the first that leaks is told.
FIRST = "reconstruction", "re-identification", "membership"


@dataclass(frozen=True)
class Utility:
    """What is still told from released rows.

    Parameters
    ----------
    name, measure : str
    original, original_low, original_high : float
        Learned from original rows and asked of held-out original ones.
    released, low, high : float
        Learned from released rows and asked of held-out released ones; of synthetic rows, of original ones.
    control : float
        The same guesses against permuted labels; of a quantity the mean.

    Examples
    --------
    >>> Utility("income", "AUC", 0.92, 0.91, 0.93, 0.89, 0.88, 0.90, 0.5).to_dict()["released"]
    0.89
    """

    name: str
    measure: str
    original: float
    original_low: float
    original_high: float
    released: float
    low: float
    high: float
    control: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dict(vars(self))

    def sentence(self) -> str:
        """In words."""
        return (
            f"{self.name}: {self.measure} {self.original:.3f} [{self.original_low:.3f}, {self.original_high:.3f}] from "
            f"original rows, {self.released:.3f} [{self.low:.3f}, {self.high:.3f}] from released ones, "
            f"{self.control:.3f} by chance"
        )


@dataclass(frozen=True, repr=False)
class PrivacyReport:
    """What released data give away, and what they are still good for.

    Parameters
    ----------
    attacks : tuple of Attack
    utility : tuple of Utility
    fidelity : Fidelity
    quasi : Quasi or None
        Where quasi-identifiers were named.
    notes : tuple of str
        What was left out and why, and how rows were chosen.
    kind : {"pseudonymised", "synthetic"}
        Whether released rows belong to one original row each.

    Examples
    --------
    >>> import numpy as np
    >>> from azogue.privacy import audit
    >>> X = np.random.default_rng(0).normal(size=(60, 3))
    >>> report = audit(X, X)
    >>> report.attack("re-identification").value
    1.0
    """

    attacks: tuple[Attack, ...]
    utility: tuple[Utility, ...]
    fidelity: Fidelity
    quasi: Quasi | None = None
    notes: tuple[str, ...] = ()
    kind: str = "pseudonymised"

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
        for one in self.attacks:
            if one.name == name:
                return one
        raise KeyError(f"no attack {name!r}; there are {', '.join(dict.fromkeys(one.name for one in self.attacks))}")

    @property
    def headline(self) -> str:
        """The worst finding in a sentence."""
        if not self.attacks:
            return f"{self.kind}; no attack could be made, which says nothing"
        leaks = self.leaks
        if not leaks:
            return (
                f"{self.kind}; none of {len(self.attacks)} attacks beat its control, which does not prove that none can"
            )
        first = min(leaks, key=lambda one: FIRST.index(one.name) if one.name in FIRST else len(FIRST))
        return f"{self.kind}; {first.finding}"

    def text(self) -> str:
        """All of it in plain text, the worst first."""
        lines = [self.headline, f"{len(self.leaks)} of {len(self.attacks)} attacks beat their controls.", ""]
        rows = [
            ("attack", "measure", "success", "control", ""),
            *(
                (
                    one.name,
                    one.measure,
                    f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]",
                    f"{one.control:.3f} [{one.control_low:.3f}, {one.control_high:.3f}]",
                    "leaks" if one.leaks else "",
                )
                for one in self.attacks
            ),
        ]
        widths = [max(len(row[at]) for row in rows) for at in range(5)]
        lines += [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        ]
        for title, told in self._sections():
            if told:
                lines += ["", f"{title}:", *(f"- {line}" for line in told)]
        return "\n".join(lines)

    def _sections(self) -> list[tuple[str, list[str]]]:
        """What stands below the attacks, by title."""
        kept = self.fidelity
        numbers = {
            "correlation with the original rows": kept.correlation,
            "column shapes": kept.column_shapes,
            "pair trends": kept.pair_trends,
            "distinct rows, relative to the originals": kept.distinct,
        }
        told = [f"{name}: {value:.2f}" for name, value in numbers.items() if value is not None]
        return [
            ("findings", [one.finding for one in self.leaks if one.finding]),
            ("still told", [one.sentence() for one in self.utility]),
            ("kept", [*told, *kept.flags]),
            ("quasi-identifiers", [] if self.quasi is None else self.quasi.sentences()),
            ("notes", list(self.notes)),
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {
            "kind": self.kind,
            "headline": self.headline,
            "leaks": [one.name for one in self.leaks],
            "attacks": [one.to_dict() for one in self.attacks],
            "utility": [one.to_dict() for one in self.utility],
            "fidelity": self.fidelity.to_dict(),
            "quasi": None if self.quasi is None else self.quasi.to_dict(),
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each attack's success beside its control, with their intervals; below, what is still told.

        Parameters
        ----------
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from azogue.privacy.picture import plot_report

        return plot_report(self, ax)

    def __repr__(self) -> str:
        return f"PrivacyReport({len(self.leaks)} of {len(self.attacks)} attacks beat their controls: {self.headline})"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.text())}</pre>"
