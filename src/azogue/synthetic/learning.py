"""What learners say of synthetic rows: can they be told from real ones, and do they teach what real rows teach?"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.intervals import Interval, areas, auc, bootstrap, r2, wilson
from azogue.privacy.learners import MOST_BOOSTED
from azogue.privacy.report import Utility
from azogue.privacy.rows import MOST_CLASSES
from azogue.synthetic.tables import Numbers, Tables, standard

#: Parts of the rows that a judge is tried on, categories of a column that boosting takes, and known cells it needs.
FOLDS, MOST_CATEGORIES, LEAST = 3, 255, 10
#: Samples of the bootstrap behind AUC and R².
SAMPLES = 400
#: Numbers that a learner reads, at most, where that leaves 1,000 rows.
MOST_NUMBERS = 5_000_000


class NothingToTellError(ValueError):
    """A question that these tables do not allow."""


def fitting(tables: Tables, seed: int) -> Tables:
    """The tables as boosting takes them: few categories a column, not too many rows of wide tables."""
    most = max(MOST_NUMBERS // len(tables.names), 1000)
    return tables.merged(MOST_CATEGORIES).sampled(most, seed)


def detection(tables: Tables, real: Numbers, rows: Numbers, seed: int) -> Interval:
    """AUC of boosting that tells rows from real ones, judged on rows that it was not fitted on (3 folds).

    As many rows of both are taken.

    Raises
    ------
    NothingToTellError
        For fewer than 10 rows of either.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    size = min(len(real), len(rows))
    if size < LEAST:
        raise NothingToTellError(f"it needs {LEAST} rows of each table, got {size}")
    rng = np.random.default_rng(seed)
    parts = [part if len(part) == size else part[np.sort(rng.permutation(len(part))[:size])] for part in (real, rows)]
    truth = np.repeat([0, 1], size)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    both = np.concatenate(parts)
    columns = _known(both)
    if not len(columns):
        raise NothingToTellError("no column has values")
    model = _booster(tables, columns, True, seed)
    told = cross_val_predict(model, both[:, columns], truth, cv=folds, method="predict_proba")[:, 1]
    return auc(truth, told, repeats=SAMPLES)


def _known(*parts: Numbers) -> NDArray[np.intp]:
    """Columns with enough values in each part."""
    counts = np.min([(~np.isnan(part)).sum(axis=0) for part in parts], axis=0)
    return np.flatnonzero(counts >= LEAST)


def _booster(tables: Tables, columns: NDArray[np.intp], classes: bool, seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if classes else HistGradientBoostingRegressor
    listed = [place for place, at in enumerate(columns) if not tables.numeric[at]]
    return kind(categorical_features=listed, random_state=seed)


def check_classes(tables: Tables, target: int) -> None:
    """Refuse more classes than boosting can learn, before rare ones are merged."""
    count = 0 if tables.numeric[target] else len(np.unique(tables.train[:, target]))
    if count > MOST_BOOSTED:
        raise NothingToTellError(f"it has {count:,} classes; {MOST_BOOSTED} can be learned")


def utility(tables: Tables, target: int, asked: Numbers, seed: int) -> list[Utility]:
    """What boosting tells of a column of held-out rows once it learned from training rows, or from synthetic ones.

    Raises
    ------
    NothingToTellError
        For a target of one value, one with more than 40 classes, or a table of one column.
    """
    known = [part[~np.isnan(part[:, target])] for part in (tables.train, tables.synthetic)]
    asked = asked[~np.isnan(asked[:, target])]
    size = min(map(len, known))
    if min(size, len(asked)) < LEAST:
        raise NothingToTellError(f"it needs {LEAST} rows with a target in each table, got {min(size, len(asked))}")
    rng = np.random.default_rng(seed)
    known = [part if len(part) == size else part[np.sort(rng.permutation(len(part))[:size])] for part in known]
    others = np.setdiff1d(_known(*known), [target])
    if not len(others):
        raise NothingToTellError("there is no other column to tell it from")
    classes = not tables.numeric[target] or len(np.unique(known[0][:, target])) <= MOST_CLASSES
    told = _classes if classes and tables.kinds[target] != "date" else _quantity
    return told(tables, target, others, known, asked, seed)


def _quantity(
    tables: Tables, target: int, others: NDArray[np.intp], known: list[Numbers], asked: Numbers, seed: int
) -> list[Utility]:
    truth = asked[:, target]
    if np.ptp(truth) == 0:
        raise NothingToTellError("it has one value in all held-out rows")
    own = known[0][:, target]
    found = []
    for rows in known:
        model = _booster(tables, others, False, seed)
        told = model.fit(rows[:, others], standard(rows[:, target], own)).predict(asked[:, others])
        found.append(r2(standard(truth, own), told, [0.0], repeats=SAMPLES))
    return [Utility(str(tables.names[target]), "R²", *found[0], *found[1], 0.0)]


def _classes(
    tables: Tables, target: int, others: NDArray[np.intp], known: list[Numbers], asked: Numbers, seed: int
) -> list[Utility]:
    values = np.unique(known[0][:, target])
    asked = asked[np.isin(asked[:, target], values)]
    truth = asked[:, target]
    there = [value for value in values if (truth == value).any()]
    if len(there) < 2:
        raise NothingToTellError("held-out rows hold fewer than two of its classes")
    scores, right = [], []
    for rows in known:
        given = _scores(tables, others, rows, target, asked, values, seed)
        scores.append(_area(truth, given[:, np.isin(values, there)], np.array(there)))
        right.append(wilson(int((values[given.argmax(axis=1)] == truth).sum()), len(truth)))
    counts = [(known[0][:, target] == value).mean() for value in values]
    usual = float((truth == values[int(np.argmax(counts))]).mean())
    name = str(tables.names[target])
    return [
        Utility(name, "AUC", *scores[0], *scores[1], 0.5),
        Utility(name, "accuracy", *right[0], *right[1], usual),
    ]


def _scores(
    tables: Tables, others: NDArray[np.intp], rows: Numbers, target: int, asked: Numbers, values: Numbers, seed: int
) -> Numbers:
    """Probabilities of the training rows' classes; a class that rows do not have gets 0."""
    labels = rows[:, target]
    found = np.zeros((len(asked), len(values)))
    rows = rows[np.isin(labels, values)]
    labels = rows[:, target]
    own = np.unique(labels)
    if len(own) < 2:
        found[:, np.isin(values, own)] = 1.0
        return found
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # classes of one row are meant
        model = _booster(tables, others, True, seed).fit(rows[:, others], labels)
    found[:, np.searchsorted(values, model.classes_)] = model.predict_proba(asked[:, others])
    return found


def _area(truth: Numbers, scores: Numbers, values: Numbers) -> Interval:
    """AUC of two classes; of more the mean over classes, each against all others."""
    if len(values) == 2:
        return auc(truth == values[1], scores[:, 1] - scores[:, 0], repeats=SAMPLES)
    each = [areas(truth == value, scores[:, at]) for at, value in enumerate(values)]

    def mean(counts: Numbers) -> Numbers:
        return np.asarray(np.nanmean([area(counts) for area in each], axis=0))

    value = float(mean(np.ones((1, len(truth))))[0])
    return Interval(value, *bootstrap(mean, len(truth), repeats=SAMPLES))
