"""Private training, what it costs and what an attacker can tell: `python benchmarks/private.py [part …]`.

Parts:
- utility: R² and error of test rows at ε = ∞ (clipped, no noise), 8 and 2, beside training without privacy.
- settings: steps, clip and network at ε = 2, on a fifth of the training rows that `utility` has: its test rows take no
  part.
- membership: losses of rows that were trained on and of others, at ε = 2: no threshold tells them apart better than
  the guarantee allows.
- canary: models with and without one planted row; the ε that their losses on it prove, with noise and without.
- speed: seconds of 20 epochs on 10,000 × 30.

SEEDS (3) trainings each. Adult is looked for in ../shared/data, or in AZOGUE_DATA. Needs `azogue[privacy]`.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from scipy.stats import beta
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split

import azogue as az
from azogue.training.private import Secret
from parts import run

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SEEDS = range(int(os.environ.get("SEEDS", "3")))
#: One minus the confidence of each bound.
ALPHA = 0.025


def tables() -> Iterator[tuple[str, Any]]:
    yield "breast cancer", load_breast_cancer().data
    yield "digits", load_digits().data
    yield "satimage", np.load(DATA / "satimage" / "satimage.npz")["X_train"].astype(float)
    yield "abalone", pd.read_csv(DATA / "tables" / "abalone.csv.gz")
    yield "adult", pd.read_csv(DATA / "tables" / "adult-train.csv.gz", nrows=10_000)


def utility() -> None:
    budgets = {"none": None, "∞": az.Privacy(math.inf), "8": az.Privacy(8.0), "2": az.Privacy(2.0)}
    for name, rows in tables():
        train, test = train_test_split(rows, test_size=0.2, random_state=0)
        for title, budget in budgets.items():
            for rate in RATES[: 1 if budget is None else None]:
                begun = time.perf_counter()
                model = az.Autoencoder((64, 16), privacy=budget, learning_rate=rate)
                found = [model.set_params(random_state=seed).fit(train).evaluate(test) for seed in SEEDS]
                r2, error = (np.mean([one[key] for one in found]) for key in ("r2", "error"))
                seconds = (time.perf_counter() - begun) / len(SEEDS)
                sigma = 0.0 if budget is None else model.privacy_.noise_multiplier
                print(
                    f"{name:14} {len(train):6} rows  ε {title:4}  σ {sigma:5.2f}  rate {rate:g}  R² {r2:6.3f}  "
                    f"error {error:7.4f}  {seconds:6.1f} s a fit",
                    flush=True,
                )


def settings() -> None:
    """One thing changed at a time: 500 steps, clip .1, widths (64, 16), rate 3e-3, a fifth of the rows a step."""
    for name, rows in tables():
        train, test = train_test_split(train_test_split(rows, test_size=0.2, random_state=0)[0], random_state=1)
        tries = {
            "as it is": {},
            "150 steps": {"epochs": 30},
            "1,500 steps": {"epochs": 300},
            "clip 1": {"clip": 1.0},
            "clip 0.01": {"clip": 0.01},
            "auto network": {"network": "auto"},
            "rate 1e-3": {"learning_rate": 1e-3},
            "0.05 of the rows": {"batch_size": max(16, len(train) // 20), "epochs": 25},
        }
        told = []
        for title, changes in tries.items():
            own = {"network": (64, 16), "learning_rate": 3e-3, "clip": 0.1, **changes}
            model = az.Autoencoder(privacy=az.Privacy(2.0, clip=own.pop("clip")), **own)
            found = [model.set_params(random_state=seed).fit(train).evaluate(test)["r2"] for seed in SEEDS]
            told.append(f"{title} {np.mean(found):.3f}")
        print(f"{name:14} {len(train):6} rows: {', '.join(told)}", flush=True)


#: The learning rates of private trainings here.
RATES = (1e-3, 3e-3)


def upper(hits: int, of: int) -> float:
    """The upper bound of a probability (Clopper & Pearson 1934)."""
    return 1.0 if hits == of else float(beta.ppf(1 - ALPHA, hits + 1, of - hits))


def lower(hits: int, of: int) -> float:
    return 1.0 - upper(of - hits, of)


def membership() -> None:
    """No threshold's TPR exceeds e^ε FPR + δ: at bounds of the rates, over many random halves."""
    X, (members, others) = load_digits().data, ([], [])
    budget = az.Privacy(2.0)
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(len(X))
        inside, outside = order[: len(X) // 2], order[len(X) // 2 :]
        model = az.Autoencoder((64, 16), privacy=budget, learning_rate=RATES[0], random_state=seed).fit(X[inside])
        members.append(model.errors(X[inside]))
        others.append(model.errors(X[outside]))
    ours, theirs = np.concatenate(members), np.concatenate(others)
    epsilon, delta, worst = model.privacy_.epsilon, model.privacy_.delta, 0.0
    for threshold in np.quantile(np.concatenate([ours, theirs]), np.linspace(0.001, 0.999, 999)):
        for sign in (1, -1):
            hits, false = int((sign * ours < sign * threshold).sum()), int((sign * theirs < sign * threshold).sum())
            tpr, fpr = lower(hits, len(ours)), upper(false, len(theirs))
            worst = max(worst, tpr / (math.exp(epsilon) * fpr + delta))
    print(f"largest TPR / (e^ε FPR + δ), at bounds of 97.5 %: {worst:.3f}; below 1 is within the guarantee")
    print(f"AUC of losses {np.mean([(ours[:, None] < part[None]).mean() for part in np.split(theirs[:8980], 10)]):.3f}")


def planted(models: int, epsilon: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Losses on an outlying row, of models that were trained without it and with it."""
    rng = np.random.default_rng(seed)
    rows, canary = 0.1 * rng.normal(size=(40, 5)), np.full((1, 5), 6.0) * [1, -1, 1, -1, 1]
    found = []
    for table in (rows, np.concatenate([rows, canary])):
        maker = az.Autoencoder(
            az.Input() + az.Dense(2) + az.Output(),
            scaling="none", epochs=25, batch_size=64, learning_rate=0.06, privacy=az.Privacy(epsilon, clip=1.0),
        )  # fmt: skip
        losses = [float(maker.set_params(random_state=at).fit(table).errors(canary)[0]) for at in range(models)]
        found.append(np.array(losses))
    return found[0], found[1]


def proven(without: np.ndarray, with_it: np.ndarray, delta: float = 1e-5) -> float:
    """The ε that losses prove: log of (TPR − δ)/FPR at bounds, the threshold from one half, the rates from the other.

    Jagielski, Ullman & Oprea (2020), Auditing differentially private machine learning, NeurIPS.
    """
    half = len(without) // 2

    def bound(a: np.ndarray, b: np.ndarray, threshold: float) -> float:
        tpr, fpr = lower(int((b < threshold).sum()), len(b)), upper(int((a < threshold).sum()), len(a))
        return math.log(max(tpr - delta, 1e-12) / fpr)

    candidates = np.concatenate([without[:half], with_it[:half]])
    best = max(candidates, key=lambda threshold: bound(without[:half], with_it[:half], threshold))
    return max(bound(without[half:], with_it[half:], best), 0.0)


def canary() -> None:
    count = int(os.environ.get("MODELS", "200"))
    usual = Secret.normal
    silent = mock.patch.object(Secret, "normal", lambda *where: np.zeros(where[-1]))
    quiet = mock.patch.object(Secret, "normal", lambda *where: 0.03 * usual(*where))
    unclipped = mock.patch("azogue.training.private._factors", lambda squares, _: squares * 0 + 1)
    for title, fault in {"as it is": None, "3 % of it": quiet, "no noise": silent, "no clipping": unclipped}.items():
        if fault is not None:
            fault.start()
        found = proven(*planted(count, 2.0))
        if fault is not None:
            fault.stop()
        print(f"{title:12} {count} models with the row and without: ε of at least {found:.2f} is proven, 2 is claimed")


def speed() -> None:
    X = np.random.default_rng(0).normal(size=(10_000, 30))
    for title, budget in {"without": None, "ε = 2": az.Privacy(2.0)}.items():
        model = az.Autoencoder((64, 32), epochs=20, batch_size=256, privacy=budget, random_state=0)
        begun = time.perf_counter()
        model.fit(X)
        print(f"{title:8} {time.perf_counter() - begun:6.2f} s for 20 epochs of 40 steps")


if __name__ == "__main__":
    run({"utility": utility, "settings": settings, "membership": membership, "canary": canary, "speed": speed})
