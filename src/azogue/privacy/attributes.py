"""Attribute inference: what released rows say of a label that is not in them; and, the same way, what is still told."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.intervals import CONFIDENCE, Interval, auc, balanced_accuracy, r2
from azogue.privacy.learners import Told, learners, summaries
from azogue.privacy.records import Attack, attack
from azogue.privacy.rows import Target, targets
from azogue.privacy.space import Numbers, View, view

#: Draws of permuted labels.
PERMUTED = 400
#: Numbers that an attacker learns from, at most, where that leaves 1,000 rows.
MOST_NUMBERS = 2_500_000


class NothingToInferError(ValueError):
    """One target cannot be inferred here; the others can."""


@dataclass(frozen=True, eq=False)
class Trial:
    """What the attackers said of one target on the rows that were held out.

    Parameters
    ----------
    truth : ndarray, shape (k,)
        Of the rows that were held out.
    told : dict of (labels, scores)
        By attacker.
    quantity : bool
    groups : ndarray or None
    center : float
        The training rows' mean of a quantity.
    """

    truth: NDArray[Any]
    told: dict[str, Told]
    quantity: bool
    groups: NDArray[Any] | None
    center: float = 0.0

    @property
    def binary(self) -> bool:
        """Whether there are scores of a second class."""
        return all(scores is not None for _, scores in self.told.values())

    def best(self, measure: str) -> tuple[str, Interval, dict[str, float]]:
        """The strongest attacker, its interval for the best of so many, and the success of each."""
        strict = 1.0 - (1.0 - CONFIDENCE) / len(self.told)
        found = {name: self.measured(measure, told, confidence=strict) for name, told in self.told.items()}
        name = max(found, key=lambda name: found[name].value)
        return name, found[name], {name: one.value for name, one in found.items()}

    def only(self, way: str) -> Trial:
        """The attackers of one way."""
        return replace(self, told={name: told for name, told in self.told.items() if name.endswith(way)})

    @property
    def measures(self) -> list[str]:
        """What they can be measured by."""
        return ["R²"] if self.quantity else ["balanced accuracy", "AUC"][: 1 + self.binary]

    def measured(self, measure: str, told: Told, **options: Any) -> Interval:
        """One attacker's success."""
        if measure == "AUC":
            return auc(self.truth == self.truth.max(), told[1], groups=self.groups, **options)  # type: ignore[arg-type]
        if measure == "R²":
            return r2(self.truth, told[0], [self.center], groups=self.groups, **options)
        return balanced_accuracy(self.truth, told[0], groups=self.groups, **options)

    def chance(self, measure: str, name: str, seed: int) -> Interval:
        """The same guesses against permuted labels: their mean, and where 95 % of them end."""
        if measure == "R²":
            return Interval(0.0, 0.0, 0.0)
        rng = np.random.default_rng(seed)
        draws = [_permuted(self.truth, self.groups, rng) for _ in range(PERMUTED)]
        values = [self._against(measure, labels, self.told[name]) for labels in draws]
        low, high = np.quantile(values, [0.025, 0.975])
        return Interval(float(np.mean(values)), float(low), float(high))

    def _against(self, measure: str, truth: NDArray[Any], told: Told) -> float:
        if measure == "AUC":
            return auc(truth == truth.max(), told[1], repeats=1).value  # type: ignore[arg-type]
        return balanced_accuracy(truth, told[0], repeats=1).value


def _permuted(truth: NDArray[Any], groups: NDArray[Any] | None, rng: np.random.Generator) -> NDArray[Any]:
    """Labels in another order; of groups that have one label each, the groups' labels."""
    if groups is None:
        return rng.permutation(truth)
    _, first, member = np.unique(groups, return_index=True, return_inverse=True)
    member = member.ravel()
    if np.array_equal(truth[first][member], truth):
        return rng.permutation(truth[first])[member]
    return rng.permutation(truth)


def split(
    values: NDArray[Any], quantity: bool, *, test: Any = None, test_size: float = 0.3, groups: Any = None, seed: int = 0
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to learn from and rows held out: by `test`, else by whole groups, else at random, each class in both."""
    there = ~np.isnan(values)
    if len(np.unique(values[there])) < 2:
        raise NothingToInferError("it has one value in all rows; there is nothing to infer")
    if test is not None:
        held = np.asarray(test).astype(bool)
        return np.flatnonzero(there & ~held), np.flatnonzero(there & held)
    rows = np.flatnonzero(there)
    rng = np.random.default_rng(seed)
    if groups is None:
        held = np.zeros(len(values), bool)
        strata = [rows] if quantity else [rows[values[rows] == label] for label in np.unique(values[rows])]
        for own in strata:
            count = min(max(round(test_size * len(own)), 1), len(own) - 1)
            held[rng.permutation(own)[:count]] = True
        return rows[~held[rows]], rows[held[rows]]
    return _by_groups(values, rows, np.asarray(groups), quantity, test_size, seed)


def _by_groups(
    values: NDArray[Any], rows: NDArray[np.intp], groups: NDArray[Any], quantity: bool, test_size: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    folds = min(max(2, round(1 / test_size)), len(np.unique(groups[rows])))
    if folds < 2:
        raise NothingToInferError("groups: expected at least two groups, got one; no rows can be held out")
    kind = GroupKFold if quantity else StratifiedGroupKFold
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        splits = kind(folds, shuffle=True, random_state=seed).split(rows[:, None], values[rows], groups[rows])
        train, held = next(iter(splits))
    return rows[train], rows[held]


def tried(
    seen: View,
    target: Target,
    rows: tuple[NDArray[np.intp], NDArray[np.intp]],
    *,
    groups: Any = None,
    seed: int = 0,
    ways: tuple[str, ...] = ("fixed", "retrained"),
) -> Trial:
    """Let each attacker learn from some rows and speak of the others.

    Ways: `"fixed"` learns from original rows, `"retrained"` from released ones, and both speak of released rows;
    `"original"` learns from original rows and speaks of them, `"transfer"` from all released rows, and speaks of
    original ones.

    Raises
    ------
    NothingToInferError
        If the held-out rows have no two classes that the training rows have too.
    """
    train, held = rows
    values, quantity = target.values.values, target.values.classes is None
    if not quantity:
        held = held[np.isin(values[held], values[train])]
    if len(train) < 2 or len(held) < 2 or len(np.unique(values[held])) < 2 or len(np.unique(values[train])) < 2:
        raise NothingToInferError("training and held-out rows do not share two of its values: it may be one per group")
    inputs = _inputs(seen, target)
    told: dict[str, Told] = {}
    for way in ways:
        source, asked = _WAYS[way]
        if source in inputs and asked in inputs:
            known = _labelled(target, train) if way != "transfer" else _labelled(target)
            known = _fewer(*known, seen.x.shape[1], seed)
            told |= _taught(inputs[source], *known, {way: (inputs[asked], held)}, seen, quantity, seed)
    if not told:
        raise NothingToInferError("released rows do not share the originals' columns")
    own = None if groups is None else np.asarray(groups)[held]
    return Trial(values[held], told, quantity, own, float(values[train].mean()))


_A = {"balanced accuracy": "a", "AUC": "an", "R²": "an"}
#: What attackers learn from, and what they are asked about.
_WAYS = {
    "fixed": ("common", "released"),
    "retrained": ("released", "released"),
    "original": ("original", "original"),
    "transfer": ("released", "common"),
}


def _labelled(target: Target, rows: NDArray[np.intp] | None = None) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Original rows and their labels; or the released rows that have one."""
    if rows is not None:
        return rows, target.values.values[rows]
    if target.released is None:
        raise NothingToInferError("of rows that are not paired it must be a column of the released table")
    values = target.released.values
    there = np.flatnonzero(~np.isnan(values))
    if len(np.unique(values[there])) < 2:
        raise NothingToInferError("it has one value in all released rows")
    return there, values[there]


def _fewer(
    rows: NDArray[np.intp], labels: NDArray[Any], width: int, seed: int
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Of wide rows, as many as can be learned from in seconds."""
    most = max(MOST_NUMBERS // width, 1000)
    if len(rows) <= most:
        return rows, labels
    kept = np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])
    return rows[kept], labels[kept]


def _taught(
    source: Any, rows: Any, labels: Any, asked: dict[str, tuple[Any, Any]], seen: View, quantity: bool, seed: int
) -> dict[str, Told]:
    """What each learner says, once taught, of (inputs, which rows) that it is asked about, by learner and who asks."""
    told: dict[str, Told] = {}
    windows = seen.x_windows is not None and seen.z_windows is not None
    for name, learn in learners(windows, None if quantity else len(np.unique(labels))).items():
        summed = name != "linear" and windows
        learned = learn(source(rows, summed), labels, seed)
        told |= {f"{name}, {way}": learned(of(held, summed)) for way, (of, held) in asked.items()}
    return told


def inferred_from_synthetic(seen: View, target: Target, *, seed: int = 0) -> list[Attack]:
    """Attackers who learned from released rows speak of original rows, and of control rows: one beside the other."""
    inputs = _inputs(seen, target)
    if "common" not in inputs or "controls" not in inputs or target.controls is None:
        raise NothingToInferError(
            "of rows that are not paired it must be a column of original and released rows and of controls="
        )
    rows, labels = _fewer(*_labelled(target), seen.z.shape[1], seed)
    quantity, center = target.values.classes is None, float(labels.mean())
    asked = {}
    for name, values in (("common", target.values.values), ("controls", target.controls.values)):
        held = np.flatnonzero(~np.isnan(values))
        if len(np.unique(values[held])) < 2:
            raise NothingToInferError("it has one value in all rows; there is nothing to infer")
        asked[name] = inputs[name], held
    told = _taught(inputs["released"], rows, labels, asked, seen, quantity, seed)
    trials = []
    for (name, (_, held)), truth in zip(asked.items(), (target.values, target.controls), strict=True):
        own = {
            key.replace(f", {name}", ", released rows"): said for key, said in told.items() if key.endswith(f", {name}")
        }
        trials.append(Trial(truth.values[held], own, quantity, None, center))
    found = []
    for measure in trials[0].measures:
        name, success, each = trials[0].best(measure)
        control = trials[1].measured(measure, trials[1].told[name])
        found.append(
            attack(
                f"attribute: {target.name}",
                f"what is the {target.name!r} of an original row, to somebody who has its other columns?",
                measure,
                success,
                control,
                f"{target.name} of original rows is inferred from their other columns with {_A[measure]} {measure} of "
                f"{{value:.2f}} (of control rows: {{control:.2f}}), by {name}",
                **each,
            )
        )
    return found


def _inputs(seen: View, target: Target) -> dict[str, Any]:
    """Functions of rows that give an attacker's inputs, without the column that it infers."""

    def part(x: Numbers, columns: NDArray[Any], windows: NDArray[Any] | None) -> Any:
        kept = np.ones(x.shape[1], bool) if target.column is None else np.array([at != target.column for at in columns])
        if not kept.any():
            raise NothingToInferError("there is no other column to infer it from")

        def of(rows: NDArray[np.intp], summed: bool) -> Numbers:
            own = x[rows][:, kept]
            return own if windows is None or not summed else np.concatenate([own, summaries(windows[rows])], axis=1)

        return of

    found = {
        "original": part(seen.x, seen.x_columns, seen.x_windows),
        "released": part(seen.z, seen.z_columns, seen.z_windows),
    }
    if seen.common is not None:
        found["common"] = part(seen.common, seen.z_columns, seen.x_windows)
    if seen.controls is not None:
        found["controls"] = part(seen.controls, seen.z_columns, None)
    return found


def attribute_inference(
    original: Any,
    released: Any,
    sensitive: Any,
    *,
    groups: Any = None,
    test: Any = None,
    test_size: float = 0.3,
    random_state: int = 0,
) -> tuple[Attack, ...]:
    """Can a label be inferred from released rows?

    Attackers learn from a part of the rows and speak of the released rows of the others: gradient boosting and a
    linear classifier (ridge regression for a quantity), and of windows a random forest. Of windows, boosting and the
    forest read means, deviations, extremes and Fourier magnitudes beside the values. Each comes fixed, trained on
    original rows, and retrained, on released ones. The strongest counts, with an interval for the best of so many
    (Bonferroni).

    Parameters
    ----------
    original, released : table, windows, pictures or codes, n rows each
    sensitive : label, list of labels, dict of name to labels, or array of labels, shape (n,)
        Labels name columns, which are then no input of whoever infers them.
    groups : array, shape (n,), optional
        Rows of one group are held out together, and resampled together.
    test : array of bool, shape (n,), optional
        Rows to hold out, instead of a random part of `test_size`.
    test_size : float
    random_state : int

    Returns
    -------
    tuple of Attack
        For each label its balanced accuracy, and the AUC where it has two classes; for a quantity its R². Bootstrap
        intervals; the control is the same guesses against permuted labels.

    Raises
    ------
    ValueError
        For labels that do not fit the rows, of one value, or that no other row could teach.

    References
    ----------
    Yeom, Giacomelli, Fredrikson & Jha (2018), Privacy risk in machine learning, CSF.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> sex, X = rng.integers(0, 2, 300), rng.normal(size=(300, 4))
    >>> X[:, 0] += 3 * sex
    >>> found, area = attribute_inference(X, X + rng.normal(size=X.shape), {"sex": sex})
    >>> found.name, found.value > 0.75, found.leaks, area.measure
    ('attribute: sex', True, True, 'AUC')
    """
    seen = view(original, released)
    if not seen.paired:
        raise ValueError(
            f"attribute_inference: expected a released row for each of {len(seen.x)} original ones, got {len(seen.z)}"
        )
    found: list[Attack] = []
    for target in targets(sensitive, original, released, "attribute_inference: sensitive"):
        found += inferred(seen, target, groups=groups, test=test, test_size=test_size, seed=random_state)
    return tuple(found)


def inferred(
    seen: View, target: Target, *, groups: Any = None, test: Any = None, test_size: float = 0.3, seed: int = 0
) -> list[Attack]:
    """The attacks on one target."""
    quantity = target.values.classes is None
    rows = split(target.values.values, quantity, test=test, test_size=test_size, groups=groups, seed=seed)
    trial = tried(seen, target, rows, groups=groups, seed=seed)
    found = []
    for measure in trial.measures:
        name, success, each = trial.best(measure)
        control = trial.chance(measure, name, seed)
        found.append(
            attack(
                f"attribute: {target.name}",
                f"what is the {target.name!r} of a released row?",
                measure,
                success,
                control,
                f"{target.name} is inferred from held-out released rows with {_A[measure]} {measure} of {{value:.2f}} "
                f"({'the mean' if quantity else 'permuted labels'}: {{control:.2f}}), by {name}",
                **each,
            )
        )
    return found
