"""Filling cells, ours beside what people use: `python benchmarks/imputation.py [part …]`.

Without arguments all parts but `coverage` run. The data folder is `AZOGUE_DATA`, else `../shared/data`.

- `masks`: HI-VAE's tables and published masks (Nazábal et al. 2020), 20 % and 50 % of all cells hidden completely at
  random; every contestant is fitted on the holed table and fills the same table. Of adult and wine 5,000 rows.
- `blocks`: columns in consecutive blocks (wine 3 of 13, adult 4 of 12); half of the rows, chosen at random, lose one.
- `new`: fitted on the first half of the rows, the second half is filled (contestants that can).
- `time`: seconds to fit 5,000 × 13 and to fill 100,000 new rows.
- `small`: tables of few rows (diabetes, iris, glass, WPBC), 20 % hidden, three draws.
- `overimpute`: how many observed cells of unseen rows lie in the 90 % intervals of their draws, four tables.
- `coverage`: see `imputation_coverage.py`.

NRMSE: root mean squared error of hidden cells over the column's range, averaged over numeric columns; ordinal ones
count as numeric and are rounded, for all. Error: the part of hidden categories that is wrong, averaged over columns.
Peers see numbers in [0, 1] and categories as indicators; chained equations predict categories with classifiers.
`IMPUTE_MASKS=1,2,3` takes several of the published masks, and prints means; `IMPUTE_SETS=wine` some of the tables,
`IMPUTE_ONLY=name,name` some of the contestants.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.impute import KNNImputer
from sklearn.linear_model import BayesianRidge, LogisticRegression

import azogue as az
from parts import run

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
ROWS, SETS = 5000, ("breast", "wine", "adult")


@dataclass
class Case:
    """A table, what is hidden of it, and which columns are categories or whole numbers."""

    name: str
    x: np.ndarray
    hidden: np.ndarray
    unknown: np.ndarray
    categories: np.ndarray
    ordinal: np.ndarray

    @property
    def holes(self) -> np.ndarray:
        return self.hidden | self.unknown

    def frame(self, rows: Any = slice(None)) -> pd.DataFrame:
        """The holed table: floats, and categories as text."""
        holed = np.where(self.holes, np.nan, self.x)[rows]
        columns = {}
        for at in range(holed.shape[1]):
            own = holed[:, at]
            if self.categories[at]:
                text = np.array([None if np.isnan(value) else f"c{value:g}" for value in own], object)
                columns[f"v{at}"] = pd.Series(text, dtype="object")
            else:
                columns[f"v{at}"] = pd.Series(own)
        return pd.DataFrame(columns)

    def score(self, filled: np.ndarray, rows: Any = slice(None)) -> tuple[float, float]:
        """NRMSE and error of the hidden cells."""
        x, hidden = self.x[rows], self.hidden[rows]
        numbers, errors = [], []
        for at in range(x.shape[1]):
            cells = hidden[:, at]
            if not cells.any():
                continue
            truth, told = x[cells, at], filled[cells, at]
            if self.categories[at]:
                errors.append(np.mean(truth != told))
            else:
                told = np.rint(told) if self.ordinal[at] else told
                span = np.ptp(self.x[~self.unknown[:, at], at])
                numbers.append(np.sqrt(np.mean(np.square(truth - told))) / span)
        return float(np.mean(numbers)), float(np.mean(errors)) if errors else float("nan")


def load(name: str, mask: str) -> Case:
    """A table of HI-VAE's with one of its published masks."""
    with np.load(DATA / "imputation" / f"{name}.npz", allow_pickle=False) as held:
        x = held["x"].astype(float)
        bits = {
            key: np.unpackbits(held[key])[: x.size].reshape(x.shape).astype(bool)
            for key in (mask, "m_true")
            if key in held
        }
        types = held["type"]
    unknown = bits.get("m_true", np.zeros(x.shape, bool))
    rows = np.arange(len(x))
    if len(x) > ROWS:
        rows = np.sort(np.random.default_rng(0).choice(len(x), ROWS, replace=False))
    hidden = bits[mask] & ~unknown
    return Case(f"{name} {mask}", x[rows], hidden[rows], unknown[rows], types == "cat", types == "ordinal")


def in_blocks(name: str, width: int, seed: int) -> Case:
    """Half of the rows lose one block of consecutive columns."""
    case, rng = load(name, "m20_1"), np.random.default_rng(seed)
    n, d = case.x.shape
    starts = np.arange(0, d - width + 1, width)
    hidden = np.zeros((n, d), bool)
    for row in rng.choice(n, n // 2, replace=False):
        start = rng.choice(starts)
        hidden[row, start : start + width] = True
    return Case(
        f"{name} blocks of {width}", case.x, hidden & ~case.unknown, case.unknown, case.categories, case.ordinal
    )


# -- peers ------------------------------------------------------------------------------------------------------------


class Coded:
    """A holed table as peers read it: numbers in [0, 1], categories as indicators."""

    def __init__(self, case: Case, rows: Any = slice(None)) -> None:
        self.case, self.holes = case, case.holes[rows]
        self.x = np.where(self.holes, np.nan, case.x[rows])
        low, high = np.nanmin(self.x, axis=0), np.nanmax(self.x, axis=0)
        self.low, self.span = low, np.where(high > low, high - low, 1.0)
        self.levels = [np.unique(column[~np.isnan(column)]) for column in self.x.T]

    def start(self) -> np.ndarray:
        """Means, and the most frequent categories."""
        filled = self.x.copy()
        for at, own in enumerate(filled.T):
            known = own[~np.isnan(own)]
            if self.case.categories[at]:
                levels, counts = np.unique(known, return_counts=True)
                usual = levels[counts.argmax()]
            else:
                usual = known.mean()
            own[np.isnan(own)] = usual
        return filled

    def block(self, filled: np.ndarray, at: int) -> np.ndarray:
        """A column as features."""
        if self.case.categories[at]:
            made = (filled[:, at, None] == self.levels[at]).astype(float)
            return np.where(np.isnan(filled[:, at, None]), np.nan, made)
        return ((filled[:, at] - self.low[at]) / self.span[at])[:, None]

    def features(self, filled: np.ndarray, without: int | None = None) -> np.ndarray:
        return np.hstack([self.block(filled, at) for at in range(filled.shape[1]) if at != without])


def mean_mode(case: Case) -> np.ndarray:
    return Coded(case).start()


def nearest(case: Case) -> np.ndarray:
    coded = Coded(case)
    made = KNNImputer(n_neighbors=5, keep_empty_features=True).fit_transform(coded.features(coded.x))
    filled, start = coded.x.copy(), 0
    for at, own in enumerate(filled.T):
        width, gaps = (len(coded.levels[at]) if case.categories[at] else 1), np.isnan(own)
        part = made[:, start : start + width][gaps]
        own[gaps] = (
            coded.levels[at][part.argmax(1)] if case.categories[at] else part[:, 0] * coded.span[at] + coded.low[at]
        )
        start += width
    return filled


def chained(case: Case, regressor: Callable[[], Any], classifier: Callable[[], Any], passes: int) -> np.ndarray:
    """Chained equations: each column from all others, regression or classification by its kind, few holes first."""
    coded = Coded(case)
    filled = coded.start()
    for _ in range(passes):
        for at in np.argsort(coded.holes.sum(axis=0), kind="stable"):
            gaps = coded.holes[:, at]
            if not gaps.any():
                continue
            seen, own = coded.features(filled, at), coded.x[~gaps, at]
            if len(np.unique(own)) < 2:
                continue
            model = classifier() if case.categories[at] else regressor()
            filled[gaps, at] = model.fit(seen[~gaps], own).predict(seen[gaps])
    return filled


def forest(case: Case) -> np.ndarray:
    """LightGBM in chained equations with predictive means matched, by miceforest."""
    import miceforest

    frame = case.frame()
    for at in np.flatnonzero(case.categories):
        frame[f"v{at}"] = frame[f"v{at}"].astype("category")
    kernel = miceforest.ImputationKernel(frame, num_datasets=1, random_state=0, mean_match_candidates=0)
    kernel.mice(3, n_estimators=40, num_threads=1, verbose=False)
    return decoded(case, kernel.complete_data(0))


# -- ours -------------------------------------------------------------------------------------------------------------


def decoded(case: Case, frame: pd.DataFrame) -> np.ndarray:
    """A filled frame as the numbers of the case."""
    made = [
        frame.iloc[:, at].astype(str).str[1:].astype(float) if is_category else frame.iloc[:, at].astype(float)
        for at, is_category in enumerate(case.categories)
    ]
    return np.column_stack(made)


def ours(case: Case, **options: Any) -> np.ndarray:
    imputer = az.Imputer(rounded=False, random_state=0, **options)
    return decoded(case, imputer.fit_transform(case.frame()))


CONTESTANTS: dict[str, Callable[[Case], np.ndarray]] = {
    "mean/mode": mean_mode,
    "KNNImputer": nearest,
    "chained linear": partial(
        chained, regressor=BayesianRidge, classifier=partial(LogisticRegression, max_iter=200), passes=5
    ),
    "chained ExtraTrees": partial(
        chained,
        regressor=partial(ExtraTreesRegressor, 20, random_state=0),
        classifier=partial(ExtraTreesClassifier, 20, random_state=0),
        passes=3,
    ),
    "miceforest": forest,
    "Imputer": ours,
    "Imputer(cascade=3)": partial(ours, cascade=3),
}
OURS = ("Imputer", "Imputer(cascade=3)")


# -- parts ------------------------------------------------------------------------------------------------------------


def chosen() -> dict[str, Callable[[Case], np.ndarray]]:
    only = os.environ.get("IMPUTE_ONLY")
    return {name: CONTESTANTS[name] for name in only.split(",")} if only else CONTESTANTS


def compare(title: str, cases: list[Case]) -> None:
    """Everybody on the same holes, the mean over the cases."""
    print(f"\n{title}: {len(cases[0].x)} x {cases[0].x.shape[1]}, {len(cases)} mask(s)")
    print(f"{'':20} {'NRMSE':>8} {'error':>8} {'s':>7}   over the best peer: NRMSE, error")
    found: dict[str, np.ndarray] = {}
    for name, fill in chosen().items():
        scores, begun = [], time.perf_counter()
        try:
            scores = [case.score(fill(case)) for case in cases]
        except ImportError as error:
            print(f"{name:20} not installed ({error})")
            continue
        found[name] = np.mean(scores, axis=0)
        seconds, ratio = (time.perf_counter() - begun) / len(cases), ""
        peers = np.array([value for other, value in found.items() if other not in OURS])
        if name in OURS and len(peers):
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = "{:.3f}  {:.3f}".format(*(found[name] / peers.min(axis=0)))
        print(f"{name:20} {found[name][0]:8.4f} {found[name][1]:8.4f} {seconds:7.1f}   {ratio}", flush=True)


def masks() -> None:
    numbers = os.environ.get("IMPUTE_MASKS", "1").split(",")
    sets = os.environ.get("IMPUTE_SETS", ",".join(SETS)).split(",")
    for name in sets:
        for percent in (20, 50):
            compare(f"{name} {percent} %", [load(name, f"m{percent}_{number}") for number in numbers])


def blocks() -> None:
    for name, width in (("wine", 3), ("adult", 4)):
        compare(f"{name}, blocks of {width}", [in_blocks(name, width, 0)])


def new() -> None:
    """Rows that `fit` has not seen."""
    for name in SETS:
        case = load(name, "m20_1")
        half = len(case.x) // 2
        order = np.random.default_rng(1).permutation(len(case.x))
        train, test = order[:half], order[half:]
        made = az.Imputer(rounded=False, random_state=0).fit(case.frame(train))
        both = [decoded(case, made.transform(case.frame(rows))) for rows in (train, test)]
        shown = [case.score(filled, rows) for filled, rows in zip(both, (train, test), strict=True)]
        told = ("{:.4f} {:.4f}".format(*pair) for pair in shown)
        print("{}: NRMSE and error of training rows {}, of new rows {}".format(name, *told), flush=True)


def times() -> None:
    """Seconds of fitting and of filling."""
    case = load("wine", "m20_1")
    frame = case.frame()
    begun = time.perf_counter()
    made = az.Imputer(random_state=0).fit(frame)
    fitted = time.perf_counter()
    many = pd.concat([frame] * 20, ignore_index=True)
    made.transform(many)
    filling = time.perf_counter() - fitted
    print(f"fit of 5,000 x 13: {fitted - begun:.1f} s (goal 60); {len(many):,} rows filled in {filling:.1f} s (goal 5)")


def small() -> None:
    """Numeric tables of few rows, on which settings were not chosen; 20 % hidden at random, three draws."""
    from sklearn import datasets

    tables = {"diabetes": datasets.load_diabetes().data, "iris": datasets.load_iris().data}
    with np.load(DATA / "adbench" / "14_glass.npz") as held:
        tables["glass"] = held["X"].astype(float)
    with np.load(DATA / "adbench" / "46_WPBC.npz") as held:
        tables["WPBC"] = held["X"].astype(float)
    for name, x in tables.items():
        plain, none = np.zeros(x.shape, bool), np.zeros(x.shape[1], bool)
        draws = [np.random.default_rng(seed).random(x.shape) < 0.2 for seed in (10, 11, 12)]
        compare(f"{name} 20 %", [Case(name, x, hidden, plain, none, none) for hidden in draws])


def overimputed() -> None:
    """How many observed cells of unseen rows, a fifth of whose cells are missing, lie in their 90 % intervals."""
    from sklearn import datasets

    tables = {
        "diabetes": datasets.load_diabetes(as_frame=True, scaled=False).frame,
        "wine": datasets.load_wine(as_frame=True).data,
        "breast cancer": datasets.load_breast_cancer(as_frame=True).data,
        "abalone": pd.read_csv(DATA / "tables" / "abalone.csv.gz", header=None).iloc[:1500].rename(columns=str),
    }
    for name, frame in tables.items():
        order = np.random.default_rng(0).permutation(len(frame))
        train, test = (frame.iloc[rows].reset_index(drop=True) for rows in np.split(order, [int(0.7 * len(frame))]))
        train, test = (az.simulate_missing(part, p=0.2, random_state=seed) for seed, part in enumerate((train, test)))
        found = az.Imputer(random_state=0).fit(train).overimpute(test, refit=False, cells=60, m=20, random_state=0)
        columns = found.summary()
        least = int(np.argmin(columns["coverage"]))
        worst = f"{columns['name'][least]} {columns['coverage'][least]:.2f}"
        print(f"{name:14} {len(found.row)} cells, covered {found.coverage:.3f}; least {worst}", flush=True)


def covered() -> None:
    from imputation_coverage import coverage  # the file beside this one

    coverage()


PARTS: dict[str, Callable[[], None]] = {
    "masks": masks,
    "blocks": blocks,
    "new": new,
    "time": times,
    "small": small,
    "overimpute": overimputed,
    "coverage": covered,
}


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    run(PARTS, [name for name in PARTS if name != "coverage"])
