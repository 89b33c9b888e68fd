"""`evaluate_synthetic`: every measure and every attack that three tables allow, beside what real rows reach."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from azogue.privacy.auditing import audit
from azogue.privacy.intervals import Interval, wilson
from azogue.privacy.records import Attack
from azogue.privacy.report import Utility
from azogue.session import as_seed
from azogue.synthetic import copies, learning, marginals
from azogue.synthetic.records import ColumnScore, PairScore, Score, SyntheticReport, score
from azogue.synthetic.rules import broken
from azogue.synthetic.tables import SHOWN, Numbers, Tables, aligned

T = TypeVar("T")

#: Rows that an attack needs, and those that attacks are made on, at most.
LEAST, MOST_ATTACKED = 10, 5000
#: Columns that are inferred where none are named, and classes of a category that attackers see.
MOST_SENSITIVE, MOST_CLASSES = 5, 100
#: Part of the columns' shape below which real rows do not share a column's values: names, keys, free text.
UNLIKE = 0.5
#: What an audit says that goes without saying of synthetic rows.
_OBVIOUS = ("left out: re-identification", "of ", "no controls")


@dataclass(frozen=True, eq=False)
class Case:
    """What is asked: all rows, some of them, and the notes."""

    whole: Tables
    some: Tables
    seed: int
    most: int
    notes: list[str] = field(default_factory=list)

    def attempt(self, what: str, measure: Callable[[], list[T]]) -> list[T]:
        """What a measure finds; nothing, and a note, where it is impossible."""
        try:
            return measure()
        except ValueError as error:
            self.notes.append(f"left out: {what}: {re.sub(r'^[a-z_]+: ', '', str(error))}")
            return []


def evaluate_synthetic(
    real_train: Any,
    real_test: Any,
    synthetic: Any,
    *,
    target: Any = None,
    sensitive: Any = None,
    constraints: Any = None,
    target_test: Any = None,
    attacks: bool = True,
    max_rows: int = 20_000,
    random_state: Any = 0,
) -> SyntheticReport:
    r"""Judge synthetic rows: how like real ones they are, what they are good for, and what they give away.

    Each measure compares synthetic rows with held-out real ones, so that copies of training rows earn nothing, and
    stands beside the same measure of the training rows, which is what real rows reach.

    - **Column shapes**: the mean over columns of 1 − KS (quantities) or 1 − TV (categories, missing ones too), with
      the Kolmogorov-Smirnov distance and the total variation ``½ Σ |p − q|``.
    - **Pair trends**: the mean over pairs of 1 − |r − s| / 2 with Pearson's r and s (two quantities), else 1 − TV of
      contingency tables; quantities are cut into 10 bins of one width between the ends of the held-out rows.
    - **Detection**: the AUC of histogram gradient boosting that tells synthetic from real rows, on rows that it was
      not fitted on (3 folds); .5: not told apart.
    - **Target**: gradient boosting learns a column from training rows, and from as many synthetic rows; both are asked
      about held-out ones: AUC and accuracy of classes (of several the mean of one against the rest), R² of a quantity.
    - **Rare categories**: those of less than 5 % of the training rows; how many of them occur.
    - **Missing cells**: 1 − TV between how often each pattern of missing cells occurs.
    - **Distinct rows**, beside as many training rows, and **rows outside** the training rows' ranges and categories.
    - **Copies**: rows that equal a training row; that lie as near to one as 5 % of the training rows lie to each
      other; training rows that a synthetic row lies near to. Beside each, held-out rows, which cannot be copies.
    - **Attacks** of `azogue.privacy`: `membership`, `singling_out`, `linkability`, and attribute inference by somebody
      who learned from the synthetic rows, on training rows and, as a control, on held-out ones.

    Parameters
    ----------
    real_train, real_test, synthetic : table
        Frames, or arrays of two dimensions, with the same columns. `real_train` is what the synthesizer was fitted on;
        of `real_test` it saw nothing.
    target : label, optional
        A column that synthetic rows should teach to tell.
    sensitive : label or list of labels, optional
        Columns that attackers infer. None: the target, and of the others the first with 2 to 20 categories, up to 5
        columns in all; of tables without categories the first two quantities.
    constraints : str or list, optional
        Rules that rows must obey: ``"start <= end"``, ``"age >= 0"``, or three parts, ``(0, "<=", 1)``; signs are <=,
        <, >=, >, == and !=. A rule about a missing cell is obeyed.
    target_test : table, optional
        Held-out rows that the target is asked of, where these are others than `real_test`.
    attacks : bool
        Whether copies are searched and attacks made, which takes most of the time.
    max_rows : int
        More rows than this of a table are sampled; exact copies, ranges and constraints look at all.
    random_state : int, numpy generator or None

    Returns
    -------
    SyntheticReport
        With 95 % intervals: value ± 1.96 standard errors of 100 bootstrap samples for shapes, trends and missing
        cells, the bootstrap's quantiles for AUC and R² (which do not hold what another fit would change), Wilson's for
        rates.

    Raises
    ------
    TypeError, ValueError
        For what is no table, columns that differ, infinity, targets that are not there and rules that are none. What
        cannot be asked of so few rows, or of such columns, is left out, and a note says why.

    Notes
    -----
    10,000 rows of 15 columns take about half a minute on one core. Distance to the closest record is not a measure of
    privacy by itself (Ganev & De Cristofaro 2023), so it stands beside held-out rows here, and beside attacks.

    References
    ----------
    SDMetrics, Quality Report: KSComplement, TVComplement, CorrelationSimilarity, ContingencySimilarity
    (docs.sdv.dev/sdmetrics). Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests, ICLR. Esteban, Hyland &
    Rätsch (2017), arXiv:1706.02633 (train on synthetic, test on real). Ganev & De Cristofaro (2023), arXiv:2312.05114.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> train, test, fresh = rng.normal(size=(3, 300, 2)) @ [[1.0, 0.9], [0.0, 0.4]]
    >>> good = evaluate_synthetic(train, test, fresh, target=1)
    >>> [one.name for one in good.worse], [one.name for one in good.leaks]
    ([], [])
    >>> apart = np.stack([rng.permutation(column) for column in train.T], axis=1)
    >>> bad = evaluate_synthetic(train, test, apart, target=1)
    >>> [one.name for one in bad.worse]
    ['pair trends', 'detection']
    """
    whole = aligned(real_train, real_test, synthetic)
    seed = as_seed(random_state)
    if isinstance(max_rows, bool) or not isinstance(max_rows, (int, np.integer)) or max_rows < LEAST:
        raise ValueError(f"evaluate_synthetic: max_rows: expected a whole number of at least {LEAST}, got {max_rows!r}")
    place = None if target is None else _place(whole, target, "target")
    hidden = None if sensitive is None else _places(whole, sensitive)
    asked = None if target_test is None else aligned(real_train, target_test, synthetic)
    rules = broken(whole, constraints)
    case = Case(whole, whole.sampled(int(max_rows), seed), seed, int(max_rows))
    _say(case)
    scores, columns, pairs = _compared(case)
    uses = [] if place is None else _used(case, asked, place)
    found = _attacked(case, place, hidden) if attacks else []
    rows = len(whole.train), len(whole.test), len(whole.synthetic)
    return SyntheticReport(tuple(scores), tuple(uses), tuple(found), columns, pairs, rules, rows, tuple(case.notes))


# -- what was asked for ------------------------------------------------------------------------------------------------


def _place(tables: Tables, label: Any, what: str) -> int:
    if label not in tables.names or isinstance(label, bool):
        there = ", ".join(map(repr, tables.names[:SHOWN])) + ", …" * (len(tables.names) > SHOWN)
        raise ValueError(f"evaluate_synthetic: {what} {label!r}: there is no such column; the tables have {there}")
    return tables.names.index(label)


def _places(tables: Tables, asked: Any) -> list[int]:
    listed = list(asked) if isinstance(asked, (list, set, frozenset)) else [asked]
    if isinstance(asked, tuple) and asked not in tables.names:
        listed = list(asked)
    return [_place(tables, label, "sensitive") for label in listed]


def _say(case: Case) -> None:
    """Notes on how rows were taken, and on columns that no two samples share."""
    whole, some = case.whole, case.some
    counts = [len(part) for part in (whole.train, whole.test, whole.synthetic)]
    if max(counts) > max(len(part) for part in (some.train, some.test, some.synthetic)):
        case.notes.append(
            f"of {counts[0]:,}, {counts[1]:,} and {counts[2]:,} rows at most {len(some.synthetic):,} were drawn "
            "(max_rows=); exact copies, ranges and constraints were asked of all"
        )
    if empty := [str(name) for name, kind in zip(whole.names, whole.kinds, strict=True) if kind == "empty"]:
        case.notes.append(f"without any value in the three tables: {', '.join(empty[:SHOWN])}")


# -- measures ----------------------------------------------------------------------------------------------------------


def _compared(case: Case) -> tuple[list[Score], tuple[ColumnScore, ...], tuple[PairScore, ...]]:
    """The measures, and what they say of each column and each pair."""
    some, seed = case.some, case.seed
    pairs = marginals.chosen_pairs(some, seed)
    every = len(some.names) * (len(some.names) - 1) // 2
    if len(pairs) < every:
        case.notes.append(f"of {every:,} pairs of columns {len(pairs):,} were drawn")
    samples = int(np.clip(20_000 // max(len(pairs), 1), 20, marginals.SAMPLES))
    shaped, trended, holes = [], [], []
    for rows in (some.synthetic, some.train):
        drawn = marginals.draws(len(some.test), len(rows), samples, seed)
        shaped.append(marginals.shapes(some, some.test, rows, drawn))
        trended.append(marginals.trends(some, some.test, rows, drawn, pairs) if pairs else None)
        holes.append(marginals.patterns(some.test, rows, drawn))
    means = [marginals.interval(part.mean(axis=1)) for part in shaped]
    found = [score("column shapes", "similarity", *means)]
    told: tuple[PairScore, ...] = ()
    if trended[0] is not None and trended[1] is not None:
        own, real = trended
        found.append(score("pair trends", "similarity", *(marginals.interval(one.mean(axis=1)) for one in trended)))
        told = tuple(
            PairScore(str(some.names[a]), str(some.names[b]), float(one), float(other))
            for (a, b), one, other in zip(pairs, own[0], real[0], strict=True)
        )
    else:
        case.notes.append("left out: pair trends: there is one column")
    found += case.attempt("detection", lambda: [_detected(case)])
    rare = marginals.rare_categories(case.whole)
    if rare:
        found.append(score("rare categories", "coverage", *marginals.coverage(case.whole, rare, seed)))
    found += _rows(case)
    if np.isnan(np.concatenate([some.train, some.test, some.synthetic])).any():
        found.append(score("missing cells", "similarity", *map(marginals.interval, holes)))
    columns = _columns(case, shaped[0][0], shaped[1][0], rare)
    return found, columns, told


def _detected(case: Case) -> Score:
    fit = learning.fitting(case.some, case.seed)
    own, real = (learning.detection(fit, fit.test, rows, case.seed) for rows in (fit.synthetic, fit.train))
    return score("detection", "AUC", own, real, False)


def _rows(case: Case) -> list[Score]:
    """Distinct rows, and rows outside what training rows hold."""
    whole, some = case.whole, case.some
    size = min(len(some.train), len(some.synthetic))
    same = some.sampled(size, case.seed)
    found = [
        score(
            "distinct rows", "rate", *(wilson(marginals.distinct(part), size) for part in (same.synthetic, same.train))
        )
    ]
    out: list[Interval] = [
        wilson(int(marginals.outside(whole, part).any(axis=1).sum()), len(part))
        for part in (whole.synthetic, whole.test)
    ]
    return [*found, score("rows outside", "rate", *out, False)]


def _columns(case: Case, shapes: Numbers, real: Numbers, rare: dict[int, Any]) -> tuple[ColumnScore, ...]:
    whole = case.whole
    out = marginals.outside(whole, whole.synthetic).mean(axis=0)
    holes = [np.isnan(part).mean(axis=0) for part in (whole.synthetic, whole.train)]
    found = []
    for at, (name, kind) in enumerate(zip(whole.names, whole.kinds, strict=True)):
        own = rare.get(at, np.empty(0, np.intp))
        known = whole.classes[at]
        categories = None if known is None else len(np.unique(whole.train[~np.isnan(whole.train[:, at]), at]))
        covered = int(np.isin(own, whole.synthetic[:, at]).sum())
        numbers = (shapes[at], real[at], holes[0][at], holes[1][at], out[at])
        found.append(ColumnScore(str(name), kind, *map(float, numbers), categories, len(own), covered))
        if kind == "category" and real[at] < UNLIKE and len(whole.train) >= LEAST:
            case.notes.append(
                f"column {name!r} has {categories:,} categories, and two samples of real rows share few of them "
                f"(shape {real[at]:.2f}); a name or a key is better left out"
            )
    return tuple(found)


def _used(case: Case, asked: Tables | None, place: int) -> list[Utility]:
    """What the target is told with."""
    tables = case.some if asked is None else asked.sampled(case.most, case.seed)  # categories may be numbered otherwise
    fit = learning.fitting(tables, case.seed)
    name = case.whole.names[place]
    return case.attempt(f"target {name!r}", lambda: learning.utility(fit, place, fit.test, case.seed))


# -- attacks -----------------------------------------------------------------------------------------------------------


def _attacked(case: Case, target: int | None, hidden: list[int] | None) -> list[Attack]:
    """Copies, and the attacks of an audit."""
    whole, some = case.whole, case.some
    if min(len(whole.train), len(whole.test), len(whole.synthetic)) < LEAST:
        case.notes.append(f"left out: copies and attacks: they need {LEAST} rows of each table; fewer show nothing")
        return []
    found = [copies.exact(whole)]
    found += case.attempt("near copies", lambda: copies.near(some, case.seed))
    packed = some.merged(MOST_CLASSES)
    own, others, rows = (packed.as_arrow(part) for part in (packed.train, packed.test, packed.synthetic))
    columns = _inferred(packed, target) if hidden is None else hidden
    names = [str(packed.names[at]) for at in columns]
    options: dict[str, Any] = {"paired": False, "max_rows": MOST_ATTACKED, "random_state": case.seed}

    def attacked() -> list[Attack]:
        told = audit(own, rows, controls=others, sensitive=names, **options)
        case.notes.extend(note for note in told.notes if not note.startswith(_OBVIOUS))
        return list(told.attacks)

    made = case.attempt("membership, singling out, linkability, attributes", attacked)
    return [*found, *sorted(made, key=lambda one: one.name.startswith("attribute"))]


def _inferred(tables: Tables, target: int | None) -> list[int]:
    """Columns that attackers infer where none are named."""
    if len(tables.names) < 2:
        return []
    few = [at for at, known in enumerate(tables.classes) if known is not None and 2 <= len(known) <= 20]
    some = few or np.flatnonzero([kind == "number" for kind in tables.kinds])[:2].tolist()
    found = ([] if target is None else [target]) + [at for at in some if at != target]
    return found[:MOST_SENSITIVE]
