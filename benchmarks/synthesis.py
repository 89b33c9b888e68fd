"""New rows beside real ones: `python benchmarks/synthesis.py [part …]`.

The data folder is `AZOGUE_DATA`, else `../shared/data`. Column shapes are 1 − KS (numbers) and 1 − TV (categories),
pair trends 1 − |r − s|/2 (two numbers) and 1 − TV of contingency tables (10 bins of one width), detection the AUC of
gradient boosting in 3 folds, all against held-out real rows; use is the AUC (R² of a number) of gradient boosting that
learned from synthetic rows, on real rows; copies are rows that equal a training row, near copies those nearer to one
than 5 % of the training rows are to each other (numbers by rank, categories 0 or 1), beside held-out rows; "member" is
the AUC of telling training rows from held-out ones by how near a drawn row lies.

- `adult`: 10,000 training rows (permutation of seed 0), 10,000 others to compare with, income on adult-test.
- `german`, `abalone`: halves of the rows, seeds 0 to 2.
- `peers`: the same by TVAE and CTGAN of the package `ctgan`, 300 epochs (not run without its name; needs that package).
- `conditional`: Adult, rows that are asked for, and whether gradient boosting tells them from real ones.
- `methods`: Adult, the variational and the adversarial method, and independent columns.
- `events`: see `synthesis_events.py`; `pictures`: see `synthesis_pictures.py`.
- `rows`: time of a million rows of Adult.
- `small`: 50 rows, one column, 10,000 categories.
- `dev`: what settings were chosen on: rows of adult-train that no other part uses, halves of german and abalone of seed
  9, glass and auto imports.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import NearestNeighbors

import azogue as az
from census import DATA, incomes
from parts import run
from synthesis_events import part_events
from synthesis_pictures import part_pictures

NEAR = 0.05


def objects(X: pd.DataFrame) -> pd.DataFrame:
    """The same with text as objects."""
    return X.apply(lambda column: column if pd.api.types.is_numeric_dtype(column) else column.astype(object))


def table(name: str) -> pd.DataFrame:
    """A table of the data folder, text as objects."""
    X = pd.read_csv(DATA / "tables" / f"{name}.csv.gz", header=None, skipinitialspace=True)
    X.columns = [str(column) for column in X.columns]
    return objects(X)


def adult() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Training rows, others to compare with, the official test rows, and rows that nothing is reported on."""
    X, test = map(objects, incomes())
    X = X.iloc[np.random.RandomState(0).permutation(len(X))].reset_index(drop=True)
    return X[:10_000], X[10_000:20_000].reset_index(drop=True), test, X[20_000:].reset_index(drop=True)


# -- measures ----------------------------------------------------------------------------------------------------------


def is_number(column: pd.Series) -> bool:
    return bool(pd.api.types.is_numeric_dtype(column))


def variation(a: np.ndarray, b: np.ndarray) -> float:
    codes = np.unique(np.concatenate([a, b]), return_inverse=True)[1]
    p, q = (np.bincount(part, minlength=codes.max() + 1) / len(part) for part in (codes[: len(a)], codes[len(a) :]))
    return 0.5 * float(np.abs(p - q).sum())


def shapes(real: pd.DataFrame, made: pd.DataFrame) -> float:
    found = []
    for name in real:
        a, b = real[name], made[name]
        same = 1 - ks_2samp(a, b).statistic if is_number(a) else 1 - variation(a.astype(str), b.astype(str))
        found.append(same)
    return float(np.mean(found))


def pairs(real: pd.DataFrame, made: pd.DataFrame) -> float:
    codes = {}
    for name in real:
        if is_number(real[name]):
            edges = np.histogram_bin_edges(real[name].dropna(), 10)[1:-1]
            codes[name] = [np.digitize(part[name], edges) for part in (real, made)]
        else:
            values = pd.Index(pd.concat([real[name], made[name]]).unique())
            codes[name] = [values.get_indexer(part[name]) for part in (real, made)]
    found = []
    for a, b in combinations(real, 2):
        if is_number(real[a]) and is_number(real[b]):
            r, s = (part[[a, b]].corr().iloc[0, 1] for part in (real, made))
            found.append(1 - abs(r - s) / 2)
        else:
            found.append(1 - variation(*(codes[a][at] * 1000 + codes[b][at] for at in (0, 1))))
    return float(np.nanmean(found))


def coded(*parts: pd.DataFrame) -> list[np.ndarray]:
    """Rows as numbers, categories numbered."""
    whole = pd.concat(parts).copy()
    for name in whole:
        if not is_number(whole[name]):
            whole[name] = pd.factorize(whole[name], sort=True)[0]
    return np.split(whole.to_numpy(float), np.cumsum([len(part) for part in parts])[:-1])


def listed(X: pd.DataFrame) -> list[int]:
    return [at for at, name in enumerate(X) if not is_number(X[name])]


def detection(real: pd.DataFrame, made: pd.DataFrame) -> float:
    n = min(len(real), len(made))
    X, y = np.concatenate(coded(real[:n], made[:n])), np.repeat([0, 1], n)
    model = HistGradientBoostingClassifier(random_state=0, categorical_features=listed(real))
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    return float(roc_auc_score(y, cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]))


def use(made: pd.DataFrame, test: pd.DataFrame, target: str) -> float:
    names = [name for name in made if name != target]
    x, x_test = coded(made[names], test[names])
    y, y_test = (part[:, 0] for part in coded(made[[target]], test[[target]]))
    settings = {"random_state": 0, "categorical_features": listed(made[names])}
    if is_number(made[target]) and made[target].nunique() > 2:
        return float(HistGradientBoostingRegressor(**settings).fit(x, y).score(x_test, y_test))
    model = HistGradientBoostingClassifier(**settings).fit(x, y)
    return float(roc_auc_score(y_test, model.predict_proba(x_test)[:, 1]))


def copies(train: pd.DataFrame, made: pd.DataFrame, other: pd.DataFrame) -> tuple[float, float, float]:
    """Parts of the rows that equal a training row, and that are nearer to one than 5 % of those are to another; and the
    AUC of telling training rows from others by how near a drawn row lies.
    """
    parts = coded(train, made, other)
    for at, name in enumerate(train):
        if is_number(train[name]):
            ordered = np.sort(parts[0][:, at])
            for part in parts:
                part[:, at] = np.searchsorted(ordered, part[:, at]) / len(ordered)
    wide = [_spread(part, listed(train), parts[0]) for part in parts]
    near = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(wide[0])
    limit = np.quantile(near.kneighbors(wide[0])[0][:, 1], NEAR)
    distance = near.kneighbors(wide[1], n_neighbors=1)[0][:, 0]
    drawn = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(wide[1])
    far = [drawn.kneighbors(part)[0][:, 0] for part in (wide[0], wide[2])]
    member = roc_auc_score(np.repeat([1, 0], [len(part) for part in far]), -np.concatenate(far))
    return float((distance < 1e-6).mean()), float((distance < limit).mean()), float(member)


def _spread(x: np.ndarray, categories: list[int], known: np.ndarray) -> np.ndarray:
    parts = [np.delete(x, categories, 1)]
    parts += [(x[:, [at]] == np.unique(known[:, at])) / 2**0.5 for at in categories]
    return np.concatenate(parts, 1)


def judged(
    name: str, train: pd.DataFrame, other: pd.DataFrame, test: pd.DataFrame, target: str, made: pd.DataFrame
) -> list[float]:
    """A line of figures."""
    found = [shapes(other, made), pairs(other, made), detection(other, made), use(made, test, target)]
    found += copies(train, made, other)
    print(f"{name:<34}" + " ".join(f"{value:>8.4f}" for value in found), flush=True)
    return found


def head() -> None:
    names = ("shapes", "pairs", "detected", "use", "equal", "near", "member")
    print(f"{'':<34}" + " ".join(f"{name:>8}" for name in names))


def fitted(train: pd.DataFrame, **settings: Any) -> az.Synthesizer:
    begun = time.perf_counter()
    model = az.Synthesizer(random_state=0, **settings).fit(train)
    print(f"{'fit':<34}{time.perf_counter() - begun:>8.1f} s", flush=True)
    return model


@cache
def of_adult() -> az.Synthesizer:
    """The model of Adult's training rows, fitted once for all parts."""
    return fitted(adult()[0])


# -- parts -------------------------------------------------------------------------------------------------------------


def part_adult() -> None:
    train, other, test, _ = adult()
    head()
    judged("real training rows", train, other, test, "income", train)
    judged("real other rows (copies)", train, other, test, "income", other)
    model = of_adult()
    for seed in range(3):
        judged(f"Synthesizer, draws {seed}", train, other, test, "income", model.sample(10_000, random_state=seed))


def part_methods() -> None:
    train, other, test, _ = adult()
    head()
    rng = np.random.default_rng(0)
    alone = pd.DataFrame({name: train[name].to_numpy()[rng.permutation(len(train))] for name in train})
    judged("independent columns", train, other, test, "income", alone)
    for method in ("variational", "adversarial"):
        model = fitted(train, method=method)
        judged(method, train, other, test, "income", model.sample(10_000))


def halves(X: pd.DataFrame, target: str, seeds: range, **settings: Any) -> None:
    head()
    lines = {"real": [], "Synthesizer": []}
    for seed in seeds:
        order = np.random.default_rng(seed).permutation(len(X))
        train, other = (X.iloc[part].reset_index(drop=True) for part in np.array_split(order, 2))
        lines["real"].append(judged(f"real, seed {seed}", train, other, other, target, train))
        exact, near, _ = copies(train, other, other)
        print(f"{'held-out rows':<34}{exact:>44.4f} {near:>8.4f}")
        made = fitted(train, **settings).sample(len(train))
        lines["Synthesizer"].append(judged(f"Synthesizer, seed {seed}", train, other, other, target, made))
    for name, found in lines.items():
        print(f"{name + ', mean':<34}" + " ".join(f"{value:>8.4f}" for value in np.mean(found, 0)))


def german() -> pd.DataFrame:
    X = table("german")
    X["20"] = X["20"].astype(str).astype(object)
    return X


def part_german() -> None:
    halves(german(), "20", range(3))


def part_abalone() -> None:
    halves(table("abalone"), "8", range(3))


def part_peers() -> None:
    import ctgan

    for name, X, target in (("german", german(), "20"), ("abalone", table("abalone"), "8")):
        head()
        for kind in (ctgan.TVAE, ctgan.CTGAN):
            found, begun = [], time.process_time()
            for seed in range(3):
                order = np.random.default_rng(seed).permutation(len(X))
                train, other = (X.iloc[part].reset_index(drop=True) for part in np.array_split(order, 2))
                model = kind(epochs=300, enable_gpu=False)
                model.set_random_state(seed)
                model.fit(train, [column for column in train if not is_number(train[column])])
                made = model.sample(len(train))
                found.append(judged(f"{kind.__name__}, {name}, seed {seed}", train, other, other, target, made))
            print(f"{kind.__name__ + ', mean':<34}" + " ".join(f"{value:>8.4f}" for value in np.mean(found, 0)))
            print(f"{'':<34}{(time.process_time() - begun) / 3:.0f} s of one core each, fit and judged", flush=True)


CONDITIONS: dict[str, tuple[dict[str, Any], Callable[[pd.DataFrame], pd.Series]]] = {
    "income >50K": ({"income": ">50K"}, lambda x: x["income"] == ">50K"),
    "women of 40 to 49": (
        {"sex": "Female", "age": (40, 49)},
        lambda x: (x["sex"] == "Female") & x["age"].between(40, 49),
    ),
    "Bachelors or Masters, over 45 hours": (
        {"education": ["Bachelors", "Masters"], "hours-per-week": ">45"},
        lambda x: x["education"].isin(["Bachelors", "Masters"]) & (x["hours-per-week"] > 45),
    ),
    "any capital gain": ({"capital-gain": ">0"}, lambda x: x["capital-gain"] > 0),
    "under 30 and >50K": ({"age": "<30", "income": ">50K"}, lambda x: (x["age"] < 30) & (x["income"] == ">50K")),
}


def part_conditional() -> None:
    train, other, test, _ = adult()
    real = pd.concat([other, test]).reset_index(drop=True)
    model = of_adult()
    print(f"{'condition':<38}{'real rows':>10}{'satisfied':>10}{'shapes':>8}{'control':>8}{'detected':>9}{'s':>7}")
    for name, (where, holds) in CONDITIONS.items():
        rows = real[holds(real)].reset_index(drop=True)
        mine = train[holds(train)].reset_index(drop=True)
        begun = time.perf_counter()
        made = model.sample(len(rows), where=where)
        spent = time.perf_counter() - begun
        found = float(holds(made).mean()), shapes(rows, made), shapes(rows, mine), detection(rows, made)
        print(f"{name:<38}{len(rows):>10}" + "{:>10.4f}{:>8.4f}{:>8.4f}{:>9.4f}".format(*found) + f"{spent:>7.1f}")


def part_rows() -> None:
    model = of_adult()
    for count in (10_000, 1_000_000):
        begun, worked = time.perf_counter(), time.process_time()
        made = model.sample(count)
        spent = time.perf_counter() - begun, time.process_time() - worked
        print(f"{len(made):>10,} rows {spent[0]:>8.1f} s, {spent[1]:.1f} s of all cores", flush=True)


def part_small() -> None:
    rng = np.random.default_rng(0)
    fifty = adult()[0][:50].reset_index(drop=True)
    one = pd.DataFrame({"x": rng.gamma(2.0, size=2000)})
    names = np.array([f"name {at}" for at in range(10_000)])[:9_999]
    many = pd.DataFrame({"name": np.resize(names, 30_000), "x": rng.normal(size=30_000)})
    for name, X in {"50 rows of Adult": fifty, "one column": one, "9,999 categories": many}.items():
        model = fitted(X)
        made = model.sample(len(X))
        print(f"{name:<34} shapes {shapes(X, made):.4f}")


def part_dev() -> None:
    rest = adult()[3]
    train, other = rest[:8000].reset_index(drop=True), rest[8000:].reset_index(drop=True)
    head()
    judged("real", train, other, other, "income", train)
    model = fitted(train)
    for seed in range(2):
        judged(f"adult, draws {seed}", train, other, other, "income", model.sample(8000, random_state=seed))
    halves(german(), "20", range(9, 10))
    halves(table("abalone"), "8", range(9, 10))
    halves(table("glass"), "9", range(2))


PARTS = {
    "adult": part_adult,
    "german": part_german,
    "abalone": part_abalone,
    "peers": part_peers,
    "conditional": part_conditional,
    "methods": part_methods,
    "events": part_events,
    "pictures": part_pictures,
    "rows": part_rows,
    "small": part_small,
    "dev": part_dev,
}

if __name__ == "__main__":
    import torch

    if os.environ.get("OMP_NUM_THREADS"):
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    sys.exit(run(PARTS, usual=[name for name in PARTS if name not in ("dev", "peers")]))
