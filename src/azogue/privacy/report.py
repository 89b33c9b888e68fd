"""What an audit says: attacks beside their controls, what can still be told, what is left of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from azogue.privacy.findings import Attacked, listed, table
from azogue.privacy.likeness import Fidelity
from azogue.privacy.metrics import Quasi
from azogue.privacy.records import Attack

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
class PrivacyReport(Attacked):
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

    FIRST: ClassVar[tuple[str, ...]] = "reconstruction", "re-identification", "membership"
    attacks: tuple[Attack, ...]
    utility: tuple[Utility, ...]
    fidelity: Fidelity
    quasi: Quasi | None = None
    notes: tuple[str, ...] = ()
    kind: str = "pseudonymised"

    @property
    def headline(self) -> str:
        """The worst finding in a sentence."""
        return f"{self.kind}; {self._worst()}"

    def text(self) -> str:
        """All of it in plain text, the worst first."""
        lines = [self.headline, f"{len(self.leaks)} of {len(self.attacks)} attacks beat their controls.", ""]
        rows = [("attack", "measure", "success", "control", ""), *self._attack_rows()]
        return "\n".join([*lines, *table(rows), *listed(self._sections())])

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
