"""What is said of synthetic rows: how like real ones they are, what they are good for, what they give away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from azogue.privacy.findings import Attacked, listed, named, table, told
from azogue.privacy.intervals import Interval
from azogue.privacy.records import Attack
from azogue.privacy.report import Utility
from azogue.synthetic.rules import Broken

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Columns and pairs that a text lists.
SHOWN = 5


@dataclass(frozen=True)
class Score:
    """A measure of synthetic rows, beside the same measure of real rows.

    Parameters
    ----------
    name, measure : str
        `"column shapes"` and what the six numbers are: `"similarity"`, `"AUC"`, `"rate"`.
    value, low, high : float
        Of synthetic rows against held-out real ones, and the ends of its 95 % interval.
    real, real_low, real_high : float
        Of training rows in the place of the synthetic ones: what real rows reach.
    higher : bool
        Whether more is better.

    Examples
    --------
    >>> found = Score("detection", "AUC", 0.99, 0.98, 1.0, 0.5, 0.49, 0.51, False)
    >>> found.worse, found
    (True, Score(detection: AUC 0.990 [0.980, 1.000], real rows 0.500 [0.490, 0.510]))
    """

    name: str
    measure: str
    value: float
    low: float
    high: float
    real: float
    real_low: float
    real_high: float
    higher: bool = True

    @property
    def worse(self) -> bool:
        """Whether the interval lies on the worse side of that of real rows."""
        return bool(self.high < self.real_low if self.higher else self.low > self.real_high)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return {**vars(self), "worse": self.worse}

    def __repr__(self) -> str:
        own, real = told(self.value, self.low, self.high), told(self.real, self.real_low, self.real_high)
        return f"Score({self.name}: {self.measure} {own}, real rows {real})"


def score(name: str, measure: str, both: Sequence[Interval], higher: bool = True) -> Score:
    """A `Score` of two intervals: of synthetic rows, and of real ones."""
    own, real = (Interval(*map(float, one)) for one in both)
    return Score(name, measure, *own, *real, higher)


@dataclass(frozen=True)
class ColumnScore:
    """One column of a synthetic table.

    Parameters
    ----------
    name : str
    kind : {"number", "date", "category", "empty"}
    shape, real_shape : float
        1 − KS or 1 − TV against held-out rows, of synthetic and of training rows.
    missing, real_missing : float
        Part of the cells that is missing, of synthetic and of training rows.
    outside : float
        Part of the synthetic cells that no training row's range or categories hold.
    categories : int or None
        Different ones among training rows.
    rare, covered : int
        Categories of less than 5 % of the training rows, and how many of them synthetic rows have.

    Examples
    --------
    >>> ColumnScore("age", "number", 0.98, 0.99, 0.0, 0.0, 0.0).to_dict()["shape"]
    0.98
    """

    name: str
    kind: str
    shape: float
    real_shape: float
    missing: float
    real_missing: float
    outside: float
    categories: int | None = None
    rare: int = 0
    covered: int = 0

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class PairScore:
    """The dependence of two columns.

    Parameters
    ----------
    first, second : str
    trend, real_trend : float
        Similarity to held-out rows, of synthetic and of training rows.

    Examples
    --------
    >>> PairScore("age", "income", 0.9, 0.98).to_dict()["trend"]
    0.9
    """

    first: str
    second: str
    trend: float
    real_trend: float

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True, repr=False)
class SyntheticReport(Attacked):
    """How like real rows synthetic ones are, what they are good for, and what they give away.

    Parameters
    ----------
    scores : tuple of Score
        Column shapes, pair trends, detection, rare categories, distinct rows, rows outside, missing cells.
    utility : tuple of Utility
        Of the target: learned from training rows, and from synthetic ones, asked of held-out rows.
    attacks : tuple of Attack
        Copies, membership, singling out, linkability and attribute inference, each beside a control.
    columns : tuple of ColumnScore
    pairs : tuple of PairScore
        In the order of the columns.
    constraints : tuple of Broken
    rows : tuple of int
        Of the training, held-out and synthetic table.
    notes : tuple of str
        What was left out and why, and how rows were chosen.

    Examples
    --------
    >>> import numpy as np
    >>> from azogue import evaluate_synthetic
    >>> train, test = np.random.default_rng(0).normal(size=(2, 60, 3))
    >>> report = evaluate_synthetic(train, test, train)
    >>> report.attack("exact copies").value, report.attack("membership").leaks
    (1.0, True)
    """

    FIRST: ClassVar[tuple[str, ...]] = "membership", "exact copies", "training rows met"
    scores: tuple[Score, ...]
    utility: tuple[Utility, ...]
    attacks: tuple[Attack, ...]
    columns: tuple[ColumnScore, ...]
    pairs: tuple[PairScore, ...]
    constraints: tuple[Broken, ...] = ()
    rows: tuple[int, int, int] = (0, 0, 0)
    notes: tuple[str, ...] = ()

    @property
    def worse(self) -> list[Score]:
        """The measures in which synthetic rows are clearly worse than real ones."""
        return [one for one in self.scores if one.worse]

    def score(self, name: str) -> Score:
        """The measure of this name.

        Raises
        ------
        KeyError
            If there is none; it lists the names.
        """
        found: Score = named(self.scores, name, "score")
        return found

    @property
    def headline(self) -> str:
        """What they give away, and how like real rows they are, in a sentence."""
        parts = [self._worst()]
        parts += [
            f"told from real rows with an AUC of {one.value:.2f} (real from real: {one.real:.2f})"
            for one in self.scores
            if one.name == "detection"
        ]
        parts += [
            f"{one.name} is told with {_AN[one.measure]} {one.measure} of {one.released:.2f} by what is learned from "
            f"them (from real rows: {one.original:.2f})"
            for one in self.utility[:1]
        ]
        return f"synthetic; {'; '.join(parts)}"

    def text(self) -> str:
        """All of it in plain text."""
        own, test, made = self.rows
        lines = [
            self.headline,
            f"{made:,} synthetic rows beside {own:,} training and {test:,} held-out rows; {len(self.leaks)} of "
            f"{len(self.attacks)} attacks beat their controls; in {len(self.worse)} of {len(self.scores)} measures "
            "clearly worse than real rows.",
            "",
        ]
        rows = [
            ("measure", "", "synthetic rows", "real rows", ""),
            *(
                (
                    one.name,
                    one.measure,
                    told(one.value, one.low, one.high),
                    told(one.real, one.real_low, one.real_high),
                    "worse" if one.worse else "",
                )
                for one in self.scores
            ),
            *(
                (
                    f"tells {one.name}",
                    one.measure,
                    told(one.released, one.low, one.high),
                    told(one.original, one.original_low, one.original_high),
                    "worse" if one.high < one.original_low else "",
                )
                for one in self.utility
            ),
        ]
        lines += [*table(rows), ""]
        if self.attacks:
            lines += table([("attack", "", "success", "control", ""), *self._attack_rows()])
        lines += listed(self._sections())
        return "\n".join(lines).replace("\n\n\n", "\n\n")

    def worst_columns(self, count: int = SHOWN) -> list[ColumnScore]:
        """The columns whose distribution falls furthest short of that of real rows."""
        found = sorted(self.columns, key=lambda one: one.shape - one.real_shape)
        return [one for one in found[:count] if one.shape < one.real_shape]

    def worst_pairs(self, count: int = SHOWN) -> list[PairScore]:
        """The pairs of columns whose dependence falls furthest short of that of real rows."""
        found = sorted(self.pairs, key=lambda one: one.trend - one.real_trend)
        return [one for one in found[:count] if one.trend < one.real_trend]

    def _sections(self) -> list[tuple[str, list[str]]]:
        """What stands below the tables, by title."""
        return [
            ("findings", [one.finding for one in self.leaks if one.finding]),
            (
                "columns furthest from real rows",
                [f"{one.name}: {one.shape:.3f}, real rows {one.real_shape:.3f}" for one in self.worst_columns()],
            ),
            (
                "pairs furthest from real rows",
                [
                    f"{one.first} and {one.second}: {one.trend:.3f}, real rows {one.real_trend:.3f}"
                    for one in self.worst_pairs()
                ],
            ),
            (
                "constraints",
                [
                    f"{one.rule}: broken by {one.value:.2%} of the synthetic rows [{one.low:.2%}, {one.high:.2%}], by "
                    f"{one.real:.2%} of the training rows"
                    for one in self.constraints
                ],
            ),
            ("notes", list(self.notes)),
        ]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        parts = ("scores", "utility", "attacks", "columns", "pairs", "constraints")
        return {
            "headline": self.headline,
            "leaks": [one.name for one in self.leaks],
            "worse": [one.name for one in self.worse],
            "rows": dict(zip(("real_train", "real_test", "synthetic"), self.rows, strict=True)),
            **{name: [one.to_dict() for one in getattr(self, name)] for name in parts},
            "notes": list(self.notes),
        }

    def plot(self, ax: Axes | None = None) -> Axes:
        """Each measure beside that of real rows, and each attack beside its control, with their intervals.

        Parameters
        ----------
        ax : Axes, optional

        Returns
        -------
        Axes
        """
        from azogue.synthetic.picture import plot_synthetic

        return plot_synthetic(self, ax)


_AN = {"AUC": "an", "accuracy": "an", "R²": "an"}
