"""`evaluate_synthetic`: every measure and every attack that three tables allow, beside what real rows reach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from azogue.privacy.findings import Attempts
from azogue.privacy.intervals import Interval, wilson
from azogue.privacy.report import Utility
from azogue.session import as_seed
from azogue.synthetic import learning, marginals
from azogue.synthetic.attacking import LEAST, attacked
from azogue.synthetic.records import ColumnScore, PairScore, Score, SyntheticReport, score
from azogue.synthetic.rules import broken
from azogue.synthetic.tables import SHOWN, Numbers, Tables, aligned

#: Part of the columns' shape below which real rows do not share a column's values: names, keys, free text.
UNLIKE = 0.5


@dataclass(frozen=True, eq=False)
class Case(Attempts):
    """What is asked: all rows, some of them, and the notes."""

    whole: Tables
    some: Tables
    seed: int
    most: int


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
    - **Pair trends**: the mean over pairs of `1 − |r − s| / 2` with Pearson's r and s (two quantities), else 1 − TV of
      contingency tables; quantities are cut into 10 bins of one width between the ends of the held-out rows.
    - **Detection**: the AUC of histogram gradient boosting that tells synthetic from real rows, on rows that it was
      not fitted on (3 folds); .5: not told apart.
    - **Target**: gradient boosting learns a column from training rows, and from as many synthetic rows; both are asked
      about held-out ones: AUC and accuracy of classes (of several the mean of one against the rest), R² of a quantity.
    - **Rare categories**: those of less than 5 % of the training rows; how many of them occur.
    - **Missing cells**: 1 − TV between how often each pattern of missing cells occurs.
    - **Distinct rows**, beside as many training rows, and **rows outside** the training rows' ranges and categories.
    - **Copies**: rows that equal a training row, beside held-out rows that do, and rows that equal a held-out one; rows
      as near to a training row as 5 % of the training rows are to one another, beside those as near to one of as many
      held-out rows; and training rows that have a synthetic row nearby, beside held-out rows that have.
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
        Rules that rows must obey, comparisons of columns of numbers or dates: ``"start <= end"``, ``"0 <= age < 120"``,
        ``"total == price * count"``, ``"born > '1900-01-01'"``; names that are no Python names stand in backquotes. Or
        three parts: ``(0, "<=", 1)``. A missing cell breaks no rule; dates count in seconds since 1970.
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
    found = []
    if attacks and min(len(part) for part in (whole.train, whole.test, whole.synthetic)) < LEAST:
        case.notes.append(f"left out: copies and attacks: they need {LEAST} rows of each table; fewer show nothing")
    elif attacks:
        found = attacked(whole, case.some, place, hidden, seed, case.attempt)
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
        trended += [marginals.trends(some, some.test, rows, drawn, pairs)] if pairs else []
        holes.append(marginals.patterns(some.test, rows, drawn))
    found = [score("column shapes", "similarity", [marginals.interval(part.mean(axis=1)) for part in shaped])]
    told: tuple[PairScore, ...] = ()
    if pairs:
        found.append(score("pair trends", "similarity", [marginals.interval(part.mean(axis=1)) for part in trended]))
        told = tuple(
            PairScore(str(some.names[a]), str(some.names[b]), float(own), float(real))
            for (a, b), own, real in zip(pairs, trended[0][0], trended[1][0], strict=True)
        )
    else:
        case.notes.append("left out: pair trends: there is one column")
    found += case.attempt("detection", lambda: [_detected(case)])
    rare = marginals.rare_categories(case.whole)
    if rare:
        found.append(score("rare categories", "coverage", marginals.coverage(case.whole, rare, seed)))
    found += _rows(case)
    if np.isnan(np.concatenate([some.train, some.test, some.synthetic])).any():
        found.append(score("missing cells", "similarity", [marginals.interval(part) for part in holes]))
    columns = _columns(case, shaped[0][0], shaped[1][0], rare)
    return found, columns, told


def _detected(case: Case) -> Score:
    fit = learning.fitting(case.some, case.seed)
    own, real = (learning.detection(fit, fit.test, rows, case.seed) for rows in (fit.synthetic, fit.train))
    return score("detection", "AUC", (own, real), False)


def _rows(case: Case) -> list[Score]:
    """Distinct rows, and rows outside what training rows hold."""
    whole, some = case.whole, case.some
    size = min(len(some.train), len(some.synthetic))
    same = some.sampled(size, case.seed)
    kept = [wilson(marginals.distinct(part), size) for part in (same.synthetic, same.train)]
    found = [score("distinct rows", "rate", kept)]
    out: list[Interval] = [
        wilson(int(marginals.outside(whole, part).any(axis=1).sum()), len(part))
        for part in (whole.synthetic, whole.test)
    ]
    return [*found, score("rows outside", "rate", out, False)]


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
        similar = float(shapes[at]), float(real[at])
        gone = float(holes[0][at]), float(holes[1][at])
        found.append(ColumnScore(str(name), kind, *similar, *gone, float(out[at]), categories, len(own), covered))
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

    def told() -> list[Utility]:
        learning.check_classes(case.whole, place)
        return learning.utility(fit, place, fit.test, case.seed)

    return case.attempt(f"target {case.whole.names[place]!r}", told)
