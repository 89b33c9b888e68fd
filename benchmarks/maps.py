"""Maps beside PCA's, UMAP's and Isomap's, from one run: `python benchmarks/maps.py [part …]`.

Parts: satimage (official split), isolet (70/30, stratified, seed 0), swiss-roll and s-curve (2,000 points, half of them
held out, seed 0). Columns are brought to [0, 1] by the training rows' range; rolls to unit variance. All
methods see the training rows only. Printed for the test rows: trustworthiness and continuity (5 neighbours), the mean
squared error of what is decoded from codes of two units, and the seconds of fit and transform.

The settings of `SETTINGS` were chosen on 30 % of the training rows, held out, never on test rows. UMAP has its default
settings; its first fit of the process compiles, and a second one, which does not, is timed beside it. Where umap-learn
is absent the line says so. Data sets are looked for in ../shared/data (or in AZOGUE_DATA); parts whose data are absent
say so and are skipped. SEEDS fits of ours are averaged (default 3).
"""

from __future__ import annotations

import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_s_curve, make_swiss_roll
from sklearn.decomposition import PCA
from sklearn.manifold import Isomap
from sklearn.model_selection import train_test_split

import azogue as az
from azogue.optimizers import Adam, Cosine
from parts import run

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("AZOGUE_DATA", HERE.parents[1] / "shared" / "data"))
SEEDS = range(int(os.environ.get("SEEDS", "3")))
RECIPE = {
    "scaling": "standard",
    "perplexity": 3.0,
    "learning_rate": Cosine(1e-2, warmup=0.1),
    "optimizer": Adam(beta2=0.99, clip=0.1),
}
#: Chosen on held-out training rows (rolls: on another draw of the swiss roll). The autoencoder standardises the columns
#: itself; noise is in these units. All measures are in the units of the rows that every method is given.
SETTINGS: dict[str, dict[str, Any]] = {
    "satimage": {**RECIPE, "noise": 0.2, "epochs": 70},
    "isolet": {**RECIPE, "noise": 1.0, "epochs": 100},
    "rolls": {**RECIPE, "noise": 0.05, "epochs": 250, "perplexity": 5.0},
}
#: Of placement="neighbors", whose network only has to learn places: in the units of the rows that are given.
PLACED: dict[str, dict[str, Any]] = {
    title: {"placement": "neighbors", "network": (128, 128, 2), "epochs": 20, "scaling": "none"} for title in SETTINGS
}


def line(name: str, *cells: Any) -> None:
    print(f"{name:<28}" + "".join(f"{cell:>12.4f}" if isinstance(cell, float) else f"{cell!s:>12}" for cell in cells))
    sys.stdout.flush()


def measured(name: str, make: Any, train: np.ndarray, test: np.ndarray) -> list[float]:
    """Fit, transform, and print a line; what was printed."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        codes = make.fit(train).transform(test)
    seconds = time.perf_counter() - begun
    back = make.inverse_transform(codes) if isinstance(make, (PCA, az.Autoencoder)) else np.full_like(test, np.nan)
    error = float(((back - test) ** 2).mean())
    found = [az.trustworthiness(test, codes), az.continuity(test, codes), error, seconds]
    line(name, *found[:2], f"{error:.5f}" if np.isfinite(error) else "", seconds)
    return found


def repeated(name: str, makers: list[Any], train: np.ndarray, test: np.ndarray) -> None:
    """A line for each, one for their mean, and one for how far they lie apart."""
    found = np.array([measured(f"{name}, {at}", make, train, test) for at, make in enumerate(makers)])
    for title, values in (("mean", found.mean(0)), ("max - min", np.ptp(found, 0))):
        error = f"{values[2]:.5f}" if np.isfinite(values[2]) else ""
        line(f"{name}, {title}", float(values[0]), float(values[1]), error, float(values[3]))


def compare(title: str, train: np.ndarray, test: np.ndarray, others: dict[str, Any]) -> None:
    line(title, "trustw.", "continuity", "error", "seconds")
    for name, settings in (("ours, neighbors", PLACED[title]), ("ours, network", SETTINGS[title])):
        repeated(name, [az.MapAutoencoder(**settings, random_state=seed) for seed in SEEDS], train, test)
    for name, other in others.items():
        measured(name, other, train, test)
    try:
        from umap import UMAP
    except ImportError:
        line("UMAP", "is absent: pip install umap-learn")
        return
    measured("UMAP, compiling", UMAP(n_components=2), train, test)
    repeated("UMAP", [UMAP(n_components=2) for _ in SEEDS], train, test)


def scaled(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = train.min(0), train.max(0)
    span = np.where(high > low, high - low, 1.0)
    return tuple(((part - low) / span).astype(np.float32) for part in (train, test))  # type: ignore[return-value]


def satimage() -> None:
    part = np.load(DATA / "satimage" / "satimage.npz")
    train, test = scaled(part["X_train"].astype(float), part["X_test"].astype(float))
    compare("satimage", train, test, {"PCA": PCA(2)})


def isolet() -> None:
    part = np.load(DATA / "skfeature" / "Isolet.npz")
    X, y = part["X"].astype(float), part["y"].ravel()
    train, test = train_test_split(X, test_size=0.3, stratify=y, random_state=0)
    compare("isolet", *scaled(train, test), {"PCA": PCA(2)})


def roll(make: Any) -> None:
    X, _ = make(2000, random_state=0)
    X = ((X - X[:1000].mean(0)) / X[:1000].std(0)).astype(np.float32)
    compare("rolls", X[:1000], X[1000:], {"PCA": PCA(2), "Isomap": Isomap(n_neighbors=10)})


def swiss_roll() -> None:
    roll(make_swiss_roll)


def s_curve() -> None:
    roll(make_s_curve)


PARTS = {"satimage": satimage, "isolet": isolet, "swiss-roll": swiss_roll, "s-curve": s_curve}


if __name__ == "__main__":
    run(PARTS)
