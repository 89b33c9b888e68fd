"""`audit`: every attack that the data allow, beside its control, and what is left of the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.attributes import inferred, inferred_from_synthetic, split, tried
from azogue.privacy.findings import Attempts
from azogue.privacy.likeness import measured, shapes_and_trends
from azogue.privacy.members import membership
from azogue.privacy.metrics import Quasi
from azogue.privacy.pairs import reconstruction, reidentification
from azogue.privacy.records import Attack
from azogue.privacy.report import PrivacyReport, Utility
from azogue.privacy.rows import Target, as_rows, is_table, take, targets
from azogue.privacy.singling import linkability, singling_out
from azogue.privacy.space import View, view
from azogue.session import as_seed

#: Part of a released column that equals the original's from which it counts as released as it was.
SAME = 0.95


@dataclass(frozen=True, eq=False)
class Case(Attempts):
    """What an audit is about: some of the rows, and what goes with them."""

    original: Any
    released: Any
    controls: Any
    members: Any
    scores: Any
    groups: NDArray[Any] | None
    test: NDArray[np.bool_] | None
    test_size: float
    known: int
    seed: int
    seen: View


def audit(
    original: Any,
    released: Any,
    *,
    sensitive: Any = None,
    utility: Any = None,
    groups: Any = None,
    test: Any = None,
    test_size: float = 0.3,
    paired: bool | None = None,
    members: Any = None,
    controls: Any = None,
    scores: Any = None,
    quasi_identifiers: Any = None,
    known: int = 200,
    max_rows: int = 5000,
    random_state: Any = 0,
) -> PrivacyReport:
    """Attack released data, and measure what they are still good for.

    Where each released row belongs to one original row (pseudonymised rows, codes): `reidentification`,
    `reconstruction`, `attribute_inference`. Where rows that nothing was learned from are given as `controls`:
    `membership`, and of tables `singling_out` and `linkability`; without controls, half of the paired rows are withheld
    from the release and take their place. What cannot be asked is left out, and a note says why.

    Parameters
    ----------
    original, released : table, windows (n, t, c), pictures, texts or codes
        Released rows may have other columns than the originals.
    sensitive, utility : label, list of labels, dict of name to labels, or array of labels, shape (n,)
        What must not, and what must still be told. Labels name columns, which are then no input of whoever infers
        them.
    groups : array, shape (n,), optional
        Rows of one group (a recording, a household) are held out together, and resampled together.
    test : array of bool, shape (n,), optional
        Rows to hold out from who infers labels, such as the latest; instead of a random part of `test_size`.
    test_size : float
        In (0, 1).
    paired : bool, optional
        Whether the i-th released row belongs to the i-th original one. None: where there are as many. Say False for
        synthetic rows.
    members : rows, optional
        Of the originals, those that the release was made from. None: all.
    controls : rows, optional
        Of the population of the originals, but not among them.
    scores : (array, array), optional
        A model's losses of members and controls.
    quasi_identifiers : label or list of labels, optional
        Columns of the released table that somebody may know otherwise: gives k-anonymity, and the l-diversity and
        t-closeness of the sensitive columns.
    known : int
        Pairs of original and released rows that the attacker has.
    max_rows : int
        More rows than this are sampled, so that attacks take seconds.
    random_state : int, numpy generator or None

    Returns
    -------
    PrivacyReport

    Raises
    ------
    TypeError, ValueError
        For fewer than 10 rows, infinity, columns that are not there, labels or masks of another length, and rows that
        should be paired and are not as many.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.decomposition import PCA
    >>> X, digit = (part[:700] for part in load_digits(return_X_y=True))
    >>> report = audit(X, PCA(32).fit_transform(X), utility={"digit": digit})
    >>> report.attack("re-identification").value > 0.95, report.attack("reconstruction").value > 0.9
    (True, True)
    >>> report.text().splitlines()[0][:53]
    'pseudonymised; an attacker who knows 200 pairs recove'
    """
    original, released = as_rows(original, "original"), as_rows(released, "released")
    controls, members = (
        None if rows is None else as_rows(rows, what) for rows, what in ((controls, "controls"), (members, "members"))
    )
    pairs = _checked(len(original), len(released), paired, test_size, max_rows, known)
    seed = as_seed(random_state)
    hidden = targets(sensitive, original, released, "audit: sensitive", controls)
    used = targets(utility, original, released, "audit: utility", controls)
    quasi = None if quasi_identifiers is None else _quasi(released, quasi_identifiers, hidden)
    groups, test = _of_rows(groups, len(original), "groups"), _of_rows(test, len(original), "test")
    rng, counts = np.random.default_rng(seed), [len(original), len(released)]
    rows = _sample(len(original), max_rows, rng)
    theirs = rows if pairs else _sample(len(released), max_rows, rng)
    beside, own = (None if X is None else _sample(len(X), max_rows, rng) for X in (controls, members))
    original, released = take(original, rows), take(released, theirs)
    controls, members = (None if at is None else take(X, at) for X, at in ((controls, beside), (members, own)))
    case = Case(
        original,
        released,
        controls,
        members,
        scores,
        None if groups is None else groups[rows],
        None if test is None else test[rows].astype(bool),
        test_size,
        known,
        seed,
        view(original, released, controls, pairs),
    )
    _say(case, counts, paired)
    hidden, used = ([one.take(rows, theirs, beside) for one in found] for found in (hidden, used))
    return _report(case, hidden, used, quasi)


def _checked(n: int, m: int, paired: bool | None, test_size: float, max_rows: int, known: int) -> bool:
    """Whether rows are paired."""
    if paired and n != m:
        raise ValueError(f"audit: paired=True asks for a released row for each of {n} original ones, got {m}")
    if not 0.0 < test_size < 1.0:
        raise ValueError(f"audit: test_size: expected a part in (0, 1), got {test_size!r}")
    for name, value, least in (("max_rows", max_rows, 10), ("known", known, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"audit: {name}: expected a whole number of at least {least}, got {value!r}")
    return n == m if paired is None else bool(paired)


def _of_rows(values: Any, n: int, what: str) -> NDArray[Any] | None:
    """A value for each original row."""
    if values is None:
        return None
    found = np.asarray(values)
    if found.shape != (n,) or (what == "test" and found.dtype.kind != "b"):
        kind = "a mask of True and False" if what == "test" else "a value"
        raise ValueError(f"audit: {what}: expected {kind} for each of {n} rows, got {found.dtype} of {found.shape}")
    if what == "test" and (found.all() or not found.any()):
        raise ValueError("audit: test: expected some rows to hold out and some to learn from")
    return np.unique(found.astype(str), return_inverse=True)[1].ravel() if what == "groups" else found


def _sample(n: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.arange(n) if n <= most else np.sort(rng.permutation(n)[:most])


def _quasi(released: Any, columns: Any, hidden: list[Target]) -> Quasi:
    if not is_table(released):
        raise ValueError("audit: quasi_identifiers: the released rows are no table")
    return Quasi.of(released, columns, [one.column for one in hidden if one.released is not None])


def _say(case: Case, counts: list[int], paired: bool | None) -> None:
    """Notes on how rows were taken."""
    seen = case.seen
    if max(counts) > max(len(seen.x), len(seen.z)):
        case.notes.append(
            f"of {counts[0]:,} original and {counts[1]:,} released rows {len(seen.x):,} and {len(seen.z):,} were drawn "
            "(max_rows=); rates of re-identification are among these"
        )
    if seen.paired and paired is None:
        case.notes.append("as many released rows as original ones: each is taken for the original at its place")
    if not seen.paired:
        case.notes.append("left out: re-identification, reconstruction: released rows belong to no single original row")


def _report(case: Case, hidden: list[Target], used: list[Target], quasi: Quasi | None) -> PrivacyReport:
    found: list[Attack] = []
    seen = case.seen
    if seen.paired:
        options: dict[str, Any] = {"known": case.known, "random_state": case.seed}
        found += case.attempt("re-identification", lambda: list(reidentification(seen, None, **options)))
        again = {**options, "groups": case.groups}
        found += case.attempt("reconstruction", lambda: [reconstruction(seen, None, **again)])
    for target in hidden:
        found += case.attempt(f"attribute {target.name!r}", lambda target=target: _attribute(case, target))  # type: ignore[misc]
        _say_released(case, target)
    found += _population(case)
    uses = [
        use
        for target in used
        for use in case.attempt(f"utility {target.name!r}", lambda target=target: _use(case, target))  # type: ignore[misc]
    ]
    classes = [one.values.values for one in [*used, *hidden] if one.values.classes is not None]
    groups = next((np.nan_to_num(values, nan=-1.0) for values in classes), case.groups)
    kept = measured(seen, *shapes_and_trends(case.original, case.released), groups)
    kind = "pseudonymised" if seen.paired else "synthetic"
    return PrivacyReport(tuple(found), tuple(uses), kept, quasi, tuple(case.notes), kind)


def _attribute(case: Case, target: Target) -> list[Attack]:
    if not case.seen.paired:
        return inferred_from_synthetic(case.seen, target, seed=case.seed)
    return inferred(case.seen, target, groups=case.groups, test=case.test, test_size=case.test_size, seed=case.seed)


def _say_released(case: Case, target: Target) -> None:
    """Whether a sensitive column needs no inference."""
    if not case.seen.paired or target.released is None:
        return
    a, b = target.values.values, target.released.values
    if ((a == b) | (np.isnan(a) & np.isnan(b))).mean() >= SAME:
        case.notes.append(f"column {target.name!r} is in the released table as it was; it needs no inference")


def _population(case: Case) -> list[Attack]:
    """Attacks that ask whether somebody is in the release at all, beside people who are not."""
    seen, seed = case.seen, case.seed
    own, released, controls = case.original, case.released, case.controls
    found: list[Attack] = []
    if seen.common is None or (controls is None and not seen.paired):
        why = "give controls=" if seen.common is not None else "released rows do not share the originals' columns"
        if case.scores is not None:
            found += case.attempt("membership", lambda: [membership(None, None, None, scores=case.scores)])
        case.notes.append(f"left out: {'' if found else 'membership, '}singling out, linkability: {why}")
        return found
    if controls is None:
        inside, outside = _halves(len(seen.x), case.groups, seed)
        own, released, controls = take(own, inside), take(released, inside), take(own, outside)
        case.notes.append(
            f"no controls were given: membership, singling out and linkability are asked of {len(inside)} released "
            f"rows, with the originals of {len(outside)} others as controls"
        )
    own = own if case.members is None else case.members
    options = {"random_state": seed}
    found += case.attempt("membership", lambda: [membership(own, controls, released, scores=case.scores, **options)])
    if is_table(own) and is_table(released):
        found += case.attempt("singling out", lambda: list(singling_out(own, released, controls, **options)))
        found += case.attempt("linkability", lambda: [linkability(own, released, controls, **options)])
    else:
        case.notes.append("left out: singling out, linkability: these rows are no table")
    return found


def _halves(n: int, groups: Any, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two halves of the rows; groups stay together."""
    member = np.arange(n) if groups is None else groups
    order = np.random.default_rng(seed).permutation(int(member.max()) + 1)
    inside = order[member] < (len(order) + 1) // 2
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def _use(case: Case, target: Target) -> list[Utility]:
    """What is told from original rows and from released ones."""
    quantity = target.values.classes is None
    rows = split(
        target.values.values, quantity, test=case.test, test_size=case.test_size, groups=case.groups, seed=case.seed
    )
    way = "retrained" if case.seen.paired else "transfer"
    trial = tried(case.seen, target, rows, groups=case.groups, seed=case.seed, ways=("original", way))
    before, after = trial.only("original"), trial.only(way)
    if not after.told:
        raise ValueError("released rows do not share the originals' columns")
    found = []
    for measure in trial.measures:
        name, now, _ = after.best(measure)
        then = before.best(measure)[1]
        chance = after.chance(measure, name, case.seed).value
        found.append(Utility(target.name, measure, *then, *now, chance))
    return found
