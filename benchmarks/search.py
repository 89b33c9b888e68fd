"""Architecture search, ours beside what people use: `python benchmarks/search.py [part …]`.

Without arguments all parts run. The data folder is `AZOGUE_DATA`, else `../shared/data`.

- `strategies`: the strategies at equal evaluations on sonar, ionosphere, glass and semeion, over paired splits; beside
  them the paper's random search (its six kinds, no candidate but draws), the exhaustive coarse grid, and the strategies
  unaided, without the candidates that are known to work.
- `time`: seconds, all included, until a search reaches the test error of the best of 30 random dense candidates that a
  plain torch loop trains in turn (batch 32, 200 epochs, 50 on semeion), and how long that loop takes.
- `pca`: the winner of successive halving beside PCA with the same code size.
- `uses`: AEkNN, anomaly detection and imputation with the searched autoencoder and with their defaults.

Each split sets 30 % of the rows apart; the search splits the rest once into training and validation. Errors are mean
squared errors of test cells, columns brought to [0, 1] by the other rows; `alpha=0`, so that errors alone count.
`SEARCH_SPLITS` (3) and `SEARCH_EVALUATIONS` (40) say how much is computed; the goal is 10 and 400. `SEARCH_EPOCHS`
(100; of semeion a third) are a candidate's at most, `SEARCH_WIDEST` (512) the units of a hidden layer.
`SEARCH_CV=5` has `strategies` judge by a cross-validation in place of one split.
`SEARCH_SETS=sonar,glass` takes some of the tables, `SEARCH_ONLY=de,random` some of the contestants. `SEARCH_JOBS=2`
computes so many splits of `strategies` at a time, one thread each (seconds are then those of a busy machine);
`SEARCH_RECORD=FILE` keeps the figures of each split and contestant there, and goes on from them: one file for one
state of the code.
"""

from __future__ import annotations

import gzip
import json
import os
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

import azogue as az
from azogue.search.space import PAPER, Genome, Space
from parts import run

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SPLITS, EVALUATIONS, EPOCHS, WIDEST = (
    int(os.environ.get(f"SEARCH_{name}", usual))
    for name, usual in (("SPLITS", 3), ("EVALUATIONS", 40), ("EPOCHS", 100), ("WIDEST", 512))
)
JOBS = int(os.environ.get("SEARCH_JOBS", "1"))
FOLDS = int(os.environ["SEARCH_CV"]) if "SEARCH_CV" in os.environ else None
RECORD = Path(os.environ["SEARCH_RECORD"]) if "SEARCH_RECORD" in os.environ else None
SETS = os.environ.get("SEARCH_SETS", "sonar,ionosphere,glass,semeion").split(",")
#: What the paper's plots show as the best error of DE, GA, ES and random search, of other splits, unscaled data.
PLOTTED = {
    "sonar": (0.0142, 0.0144, 0.0162, 0.0173),
    "semeion": (0.0333, 0.0376, 0.0355, 0.0689),
    "ionosphere": (0.0740, 0.0917, 0.0931, 0.1068),
}
CONTESTANTS: dict[str, dict[str, Any]] = {
    "paper's random": {"strategy": "random", "preset": "paper", "space": {"kind": PAPER}},
    "grid": {"strategy": "exhaustive"},
    "random": {"strategy": "random"},
    "de": {"strategy": "de"},
    "ga": {"strategy": "ga"},
    "es": {"strategy": "es"},
    "halving": {"strategy": "halving"},
    **{f"unaided {name}": {"strategy": name, "unaided": True} for name in ("random", "de", "ga", "es")},
}
ONLY = os.environ.get("SEARCH_ONLY", ",".join(CONTESTANTS)).split(",")


#: An error, PCA's, and seconds.
Figures = tuple[float, float, float]


def table(name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Numbers (n, d), and the class of each row where it is known."""
    if name == "semeion":
        packed = np.load(DATA / "semeion" / "semeion_unlabelled.npz")["x"]
        return np.unpackbits(packed, axis=1).astype(float), None
    with gzip.open(DATA / "tables" / f"{name}.csv.gz", "rt") as stream:
        cells = [line.strip().split(",") for line in stream if line.strip()]
    return np.array([[float(cell) for cell in row[:-1]] for row in cells]), np.array([row[-1] for row in cells])


def epochs_of(name: str) -> int:
    return max(EPOCHS // 3, 1) if name == "semeion" else EPOCHS


class Unaided(Space):
    """The usual space, of which nothing is known beforehand: a search begins with draws."""

    def anchors(self) -> list[Genome]:
        return []


def searched(name: str, X: np.ndarray, seed: int, **how: Any) -> tuple[az.ArchitectureSearch, float]:
    """A finished search, and what it took; rows are brought to [0, 1] by those that are not for testing."""
    base = az.Autoencoder(epochs=epochs_of(name), batch_size=32, scaling="none", device="cpu")
    space: Any = {"units": (0.25, max(min(16.0, WIDEST / X.shape[1]), 0.5)), **how.pop("space", {})}
    if how.pop("unaided", False):
        space = Unaided.of(X.shape[1:], space, base)
    settings = {"budget": EVALUATIONS, "alpha": 0.0, "test_fraction": 0.3, "space": space, **how}
    begun = time.perf_counter()
    found = az.ArchitectureSearch(**settings, autoencoder=base, random_state=seed).fit(X)
    return found, time.perf_counter() - begun


def scaled(X: np.ndarray, seed: int) -> np.ndarray:
    """Columns to [0, 1] by the rows that are not for testing; beyond that is cut off, for all contestants alike."""
    from azogue.search.evaluation import Split

    seen = Split.of(len(X), test=0.3, validation=0.2, cv=None, seed=seed).seen
    return np.clip(MinMaxScaler().fit(X[seen]).transform(X), 0.0, 1.0)


def mse(found: az.ArchitectureSearch, X: np.ndarray) -> float:
    """Of the test cells."""
    rows = X[found.test_rows_]
    return float(np.square(found.reconstruct(rows) - rows).mean())


def beside(found: az.ArchitectureSearch, X: np.ndarray) -> float:
    """What PCA with the winner's code size reaches on the same rows."""
    seen, rows = np.setdiff1d(np.arange(len(X)), found.test_rows_), X[found.test_rows_]
    pca = PCA(min(found.best_estimator_.code_size_, len(seen), X.shape[1]), random_state=0).fit(X[seen])
    return float(np.square(pca.inverse_transform(pca.transform(rows)) - rows).mean())


def contest(name: str, seed: int, who: list[str]) -> dict[str, Figures]:
    """One split of a table: each contestant's test error, that of PCA with its code's size, and the seconds."""
    _alone()
    rows, found = scaled(table(name)[0], seed), {}
    for each in who:
        winner, took = searched(name, rows, seed, cv=FOLDS, **CONTESTANTS[each])
        found[each] = mse(winner, rows), beside(winner, rows), took
    return found


def _alone() -> None:
    """One thread, no warnings: for worker processes too."""
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", category=UserWarning)


def contests(name: str) -> Iterator[dict[str, Figures]]:
    """All splits of a table, in order; what a record has is not computed again, whoever was asked for beside it."""
    asked = {"name": name, "evaluations": EVALUATIONS, "epochs": epochs_of(name), "widest": WIDEST, "cv": FOLDS}
    known: dict[int, dict[str, Figures]] = {seed: {} for seed in range(SPLITS)}
    if RECORD is not None and RECORD.exists():
        for line in map(json.loads, RECORD.read_text().splitlines()):
            if line["asked"] == asked and line["seed"] in known:
                known[line["seed"]] |= line["found"]
    with ProcessPoolExecutor(JOBS, get_context("spawn")) as pool:
        missing = {seed: [who for who in ONLY if who not in found] for seed, found in known.items()}
        waiting = {seed: pool.submit(contest, name, seed, who) for seed, who in missing.items() if who}
        for seed, found in known.items():
            fresh = waiting[seed].result() if seed in waiting else {}
            if RECORD is not None and fresh:
                with RECORD.open("a") as stream:
                    stream.write(json.dumps({"asked": asked, "seed": seed, "found": fresh}) + "\n")
            each = {who: (found | fresh)[who] for who in ONLY}
            told = ", ".join(f"{who} {error:.5f} ({took:.0f} s)" for who, (error, _, took) in each.items())
            print(f"  {name}, split {seed}: {told}", flush=True)
            yield each


def strategies() -> None:
    print(f"{SPLITS} paired splits, {EVALUATIONS} evaluations, {EPOCHS} epochs; mean and sd of test errors")
    for name in SETS:
        X, _ = table(name)
        found = list(contests(name))
        plotted = f"; the paper's plots: DE, GA, ES, random {PLOTTED[name]}" if name in PLOTTED else ""
        print(f"{name} {X.shape[0]} × {X.shape[1]}{plotted}")
        for who in ONLY:
            errors, pcas, seconds = np.array([split[who] for split in found]).T
            against = "unaided random" if who.startswith("unaided") else "random"
            against = against if against in ONLY else who
            other = np.array([split[against][0] for split in found])
            print(
                f"  {who:<16} {errors.mean():.5f} ± {errors.std():.5f}  {np.mean(seconds):6.1f} s; "
                f"of {against}'s {np.mean(errors / other):.3f}, below in {(errors < other).sum()}, level in "
                f"{(errors == other).sum()}; PCA {pcas.mean():.5f}, below in {(errors < pcas).sum()}",
                flush=True,
            )


def plain(rows: np.ndarray, tests: np.ndarray, epochs: int) -> tuple[float, float]:
    """The best test error of 30 random dense candidates that a plain loop trains in turn, and the seconds."""
    rng, d = np.random.default_rng(0), rows.shape[1]
    x, held = torch.tensor(rows, dtype=torch.float32), torch.tensor(tests, dtype=torch.float32)
    acts = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh, "selu": torch.nn.SELU}
    best, begun = np.inf, time.perf_counter()
    for number in range(30):
        torch.manual_seed(number)
        depth, code = int(rng.integers(0, 3)), max(1, round(d * rng.uniform(0.05, 0.5)))
        hidden = sorted((int(rng.integers(code, d + 1)) for _ in range(depth)), reverse=True)
        act, logistic, rate = acts[str(rng.choice(list(acts)))], rng.random() < 0.5, 10 ** rng.uniform(-3.5, -2)
        widths = [d, *hidden, code, *hidden[::-1], d]
        layers: list[torch.nn.Module] = []
        for at, (a, b) in enumerate(pairwise(widths)):
            layers += [torch.nn.Linear(a, b), *([act()] if at < len(widths) - 2 else [])]
        net = torch.nn.Sequential(*layers, *([torch.nn.Sigmoid()] if logistic else []))
        adam = torch.optim.Adam(net.parameters(), lr=rate)
        for _ in range(epochs):
            for batch in torch.randperm(len(x)).split(32):
                loss = (net(x[batch]) - x[batch]).square().mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
        with torch.no_grad():
            best = min(best, float((net(held) - held).square().mean()))
    return best, time.perf_counter() - begun


def duration() -> None:
    print(
        "seconds of 30 random candidates in turn, and of a search that is as good on the same test rows, all included"
    )
    for name in SETS:
        if name == "glass":
            continue
        X, _ = table(name)
        rows = scaled(X, 0)
        searched(name, rows[:60], 0, budget=1)  # imports
        for budget in (1, 2, 4, 8, 16, 32):
            found, took = searched(name, rows, 0, strategy="halving" if budget > 4 else "de", budget=budget)
            if budget == 1:
                seen = np.setdiff1d(np.arange(len(X)), found.test_rows_)
                target, turn = plain(rows[seen], rows[found.test_rows_], 50 if name == "semeion" else 200)
                print(f"{name}: 30 in turn {turn:.1f} s, best test error {target:.5f}")
            error = mse(found, rows)
            print(f"  budget {budget}: {took:.2f} s, {error:.5f}, 1/{turn / took:.0f} of the time", flush=True)
            if error <= target:
                break


def pca() -> None:
    print(f"{SPLITS} splits, successive halving, {EVALUATIONS} evaluations: the winner and PCA of its code's size")
    for name in SETS:
        X, _ = table(name)
        pairs = []
        for seed in range(SPLITS):
            rows = scaled(X, seed)
            found, _ = searched(name, rows, seed, strategy="halving")
            pairs.append((mse(found, rows), beside(found, rows), found.best_estimator_.code_size_))
        ours, theirs, _ = np.mean(pairs, axis=0)
        wins = sum(a < b for a, b, _ in pairs)
        codes = [code for _, _, code in pairs]
        print(f"{name:<12} winner {ours:.5f}  PCA {theirs:.5f}  better in {wins} of {len(pairs)}  codes {codes}")


def uses() -> None:
    budget = min(EVALUATIONS, 20)
    print(f"{SPLITS} splits, differential evolution with {budget} evaluations; default → searched")
    for name in ("sonar", "ionosphere", "glass"):
        _tell(f"AEkNN accuracy, {name}", [_classified(name, budget, seed) for seed in range(SPLITS)])
    for name in ("14_glass", "42_WBC", "46_WPBC", "18_Ionosphere", "40_vowels"):
        _tell(f"anomalies AUROC, {name}", [_detected(name, budget, seed) for seed in range(SPLITS)])
    for name in ("glass", "ionosphere"):
        found = [_imputed(name, budget, seed) for seed in range(SPLITS)]
        _tell(f"imputation NRMSE (lower is better), {name}", found)


def _classified(name: str, budget: int, seed: int) -> list[float]:
    """Accuracies of AEkNN by itself, and with the winner."""
    X, y = table(name)
    train, test, known, told = train_test_split(X, y, test_size=0.3, random_state=seed, stratify=y)
    found = az.ArchitectureSearch(budget=budget, objective="accuracy", random_state=seed).fit(train, known)
    makers: list[dict[str, Any]] = [{}, {"autoencoder": found}]
    return [az.AEkNNClassifier(random_state=seed, **made).fit(train, known).score(test, told) for made in makers]


def _detected(name: str, budget: int, seed: int) -> list[float]:
    """AUROC of the detector by itself, with the winner alone, and with an ensemble of winners as large as its own."""
    stored = np.load(DATA / "adbench" / f"{name}.npz")
    X, y = stored["X"], stored["y"]
    found = az.ArchitectureSearch(budget=budget, random_state=seed).fit(X)
    ensemble = {"autoencoder": found, "members": 32, "rows": 256, "parts": ("errors", "neighbors")}
    makers: list[dict[str, Any]] = [{}, {"autoencoder": found}, ensemble]
    scores = [az.AnomalyDetector(random_state=seed, **made).fit(X).anomaly_score(X) for made in makers]
    return [float(roc_auc_score(y, score)) for score in scores]


def _imputed(name: str, budget: int, seed: int) -> list[float]:
    """Errors over ranges of a hidden fifth of the cells: by itself, with the winner alone, and with four of them."""
    X, _ = table(name)
    hidden = np.random.default_rng(seed).random(X.shape) < 0.2
    holed, spread = np.where(hidden, np.nan, X), np.where(np.ptp(X, axis=0) > 0, np.ptp(X, axis=0), 1.0)
    found = az.ArchitectureSearch(budget=budget, random_state=seed).fit(holed)
    makers: list[dict[str, Any]] = [{}, {"autoencoder": found}, {"autoencoder": found, "members": 4}]
    filled = [az.Imputer(random_state=seed, **made).fit_transform(holed) for made in makers]
    return [float(np.sqrt(np.square((made - X) / spread)[hidden].mean())) for made in filled]


def _tell(what: str, found: list[list[float]]) -> None:
    default, alone, *ensemble = np.mean(found, axis=0)
    several = f", as an ensemble {ensemble[0]:.4f}" if ensemble else ""
    print(f"  {what:<52} {default:.4f} → {alone:.4f}{several}", flush=True)


if __name__ == "__main__":
    _alone()
    run({"strategies": strategies, "time": duration, "pca": pca, "uses": uses})
