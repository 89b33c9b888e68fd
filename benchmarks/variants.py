"""The variants' figures beside PCA's, from one run: `python benchmarks/variants.py [part …]`.

Parts: satimage, digits, vae, rbm, mnist. The last takes the minutes of MNIST_MINUTES (default 1,2,5), one training
each. Three seeds (SEEDS), test rows untouched: nothing is chosen or stopped by them. Data sets are looked for in
../shared/data (or in AZOGUE_DATA); parts whose data are absent say so and are skipped.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import azogue as az
from azogue.optimizers import Cosine
from azogue.shortcuts import kinds
from parts import run

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SEEDS = range(int(os.environ.get("SEEDS", "3")))


def line(*cells: object) -> None:
    print("  ".join(f"{cell:>10.4f}" if isinstance(cell, float) else f"{cell!s:<30}" for cell in cells), flush=True)


def by_pca(train: np.ndarray, test: np.ndarray, size: int) -> float:
    reducer = PCA(size).fit(train)
    return float(((reducer.inverse_transform(reducer.transform(test)) - test) ** 2).mean())


def errors(make: Any, train: np.ndarray, test: np.ndarray) -> list[float]:
    """The test error of each seed."""
    fitted = (make.set_params(random_state=seed).fit(train) for seed in SEEDS)
    return [float(((ae.reconstruct(test) - test) ** 2).mean()) for ae in fitted]


def against(name: str, found: list[float], theirs: float, seconds: float) -> None:
    mean = float(np.mean(found))
    line(name, mean, float(np.ptp(found)), theirs, mean / theirs, seconds)


def table(title: str, variants: dict[str, Any], train: np.ndarray, test: np.ndarray, size: int) -> None:
    floor = by_pca(train, test, size)
    line(f"{title}: mean, range, PCA, ratio, seconds of a fit")
    for name, ae in variants.items():
        begun = time.perf_counter()
        found = errors(ae, train, test)
        against(name, found, floor, (time.perf_counter() - begun) / len(SEEDS))


def satimage() -> None:
    """Two codes of satimage, standardised, official split, default training: mean squared error of test cells."""
    part = np.load(DATA / "satimage" / "satimage.npz")
    scaler = StandardScaler().fit(part["X_train"].astype(float))
    train, test = (scaler.transform(part[f"X_{kind}"].astype(float)) for kind in ("train", "test"))
    group = ("basic", "denoising", "contractive", "robust", "sparse", "variational", "wasserstein", "stacked")
    table("satimage, 2 units", {name: kinds()[name](2, scaling="none") for name in group}, train, test, 2)


def digits() -> None:
    """Each variant on standardised digits through 16 units, default training: mean squared error of test cells."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(load_digits().data, test_size=0.3, random_state=0)
    scaler = StandardScaler().fit(train)
    variants = {name: cls(16, scaling="none") for name, cls in kinds().items() if cls.__module__.startswith("azogue")}
    variants["stacked, rbm"] = az.StackedAutoencoder(16, pretraining="rbm", scaling="none")
    table("digits, 16 units", variants, scaler.transform(train), scaler.transform(test), 16)


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    part = np.load(DATA / "mnist" / "mnist.npz")
    train, test = (part[f"x_{kind}"].astype(np.float32) / 255 for kind in ("train", "test"))
    return train, test


def shifted(images: np.ndarray) -> np.ndarray:
    """The images, and each moved by one pixel in four directions, as rows."""
    wide = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    moves = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
    return np.concatenate([np.roll(wide, move, (1, 2))[:, 1:-1, 1:-1] for move in moves]).reshape(-1, 784)


def mnist() -> None:
    """784-1000-500-250-30: squared error per test image after the minutes named, one training for each."""
    train, test = _mnist()
    plain, test = train.reshape(-1, 784), test.reshape(-1, 784)
    floor = by_pca(plain, test, 30) * 784
    minutes = [float(part) for part in os.environ.get("MNIST_MINUTES", "1,2,5").split(",")]
    dense = [az.Dense(units, "silu", normalization="batch") for units in (1000, 500, 250)]
    deep = az.Input() + dense[0] + dense[1] + dense[2] + az.Dense(30) + az.Output("sigmoid")
    make = az.Autoencoder(
        deep, scaling="none", batch_size=256, learning_rate=Cosine(4e-3), weight_decay=0.05, validation_fraction=0.0
    )
    line("mnist: error, PCA, ratio, seconds, epochs")
    for budget in minutes:
        X = plain if budget < LONG else shifted(train)
        begun = time.perf_counter()
        told = make.plan(X)  # prepares the rows as fit will, and times a few steps
        left = 60 * budget - 1.2 * (time.perf_counter() - begun)
        epochs = max(1, int(0.93 * left / (told.seconds / told.epochs)))
        for seed in SEEDS if budget <= 2 else [0]:
            begun = time.perf_counter()
            ae = make.set_params(epochs=epochs, random_state=seed).fit(X)
            seconds = time.perf_counter() - begun
            found = float(((ae.reconstruct(test) - test) ** 2).sum(1).mean())
            line(f"{budget:g} minutes, seed {seed}", found, floor, found / floor, seconds, float(epochs))


#: Minutes from which training on shifted images pays: before, the network does not even exhaust the plain ones.
LONG = 2.0


def vae() -> None:
    """Test bound of a variational autoencoder on binarised MNIST, 20 units: nats per image, each pixel drawn once."""
    train, test = (images.reshape(-1, 784) for images in _mnist())
    rng = np.random.default_rng(0)
    train, test = (rng.random(images.shape) < images for images in (train, test))
    dense = az.Dense(500, "silu", normalization="batch")
    network = az.Input() + dense + dense + az.Dense(20) + az.Output()
    line("binarised mnist: bound in nats, target, KL, seconds")
    for seed in SEEDS:
        make = az.VariationalAutoencoder(
            network, epochs=60, batch_size=256, learning_rate=Cosine(2e-3), weight_decay=0.05, random_state=seed
        )
        begun = time.perf_counter()
        ae = make.fit(train)
        seconds = time.perf_counter() - begun
        line(f"seed {seed}", float(ae.elbo(test, samples=5).mean()), -100.0, ae.history_[-1]["kl"] * 784, seconds)


def rbm() -> None:
    """A stack pretrained as Boltzmann machines, as denoising layers, and the same network from random weights."""
    part = np.load(DATA / "satimage" / "satimage.npz")
    low, high = part["X_train"].min(0).astype(float), part["X_train"].max(0)
    sets = {"satimage 36-64-32-2": [np.clip((part[f"X_{k}"] - low) / (high - low), 0, 1) for k in ("train", "test")]}
    if (DATA / "mnist" / "mnist.npz").exists():
        images = _mnist()
        sets["mnist 784-1000-500-250-30"] = [images[0].reshape(-1, 784), images[1].reshape(-1, 784)]
    widths = {"satimage 36-64-32-2": (64, 32, 2), "mnist 784-1000-500-250-30": (1000, 500, 250, 30)}
    for name, (train, test) in sets.items():
        *hidden, size = widths[name]
        network = az.Input() + az.Dense(hidden[0], "sigmoid")
        for units in hidden[1:]:
            network = network + az.Dense(units, "sigmoid")
        network = network + az.Dense(size) + az.Output("sigmoid")
        epochs, before = (100, 20) if train.shape[1] < 100 else (12, 4)
        common = {"scaling": "none", "batch_size": 128, "learning_rate": 2e-3, "validation_fraction": 0.0}
        line(f"{name}: squared error per row, range, PCA, ratio, seconds of a fit")
        floor = by_pca(train, test, size)
        for title, ae in (
            ("plain", az.Autoencoder(network, epochs=epochs, **common)),
            ("plain, as long in all", az.Autoencoder(network, epochs=epochs + before, **common)),
            (
                "rbm",
                az.StackedAutoencoder(network, pretraining="rbm", pretraining_epochs=before, epochs=epochs, **common),
            ),
            ("denoising", az.StackedAutoencoder(network, pretraining_epochs=before, epochs=epochs, **common)),
        ):
            begun = time.perf_counter()
            found = [error * train.shape[1] for error in errors(ae, train, test)]
            against(title, found, floor * train.shape[1], (time.perf_counter() - begun) / len(SEEDS))


PARTS = {"satimage": satimage, "digits": digits, "vae": vae, "rbm": rbm, "mnist": mnist}

if __name__ == "__main__":
    run(PARTS)
