"""The figures of the foundation, ours beside what people use, from one run: `python benchmarks/foundation.py [part …]`.

Parts: pca, satimage, mnist, detect, plan, start. Data sets are looked for in ../shared/data (or in
AZOGUE_DATA); parts whose data are absent say so and are skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

import azogue as az
from azogue.optimizers import Cosine

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def line(*cells: object) -> None:
    print("  ".join(f"{cell:>14.5g}" if isinstance(cell, float) else f"{cell!s:<34}" for cell in cells), flush=True)


def pca() -> None:
    """A linear autoencoder against the PCA floor: mean squared error on the training rows."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine
    from sklearn.preprocessing import StandardScaler

    line("linear autoencoder / PCA", "code")
    for name, loader, size in (
        ("breast cancer", load_breast_cancer, 5),
        ("wine", load_wine, 4),
        ("digits", load_digits, 16),
    ):
        X = StandardScaler().fit_transform(loader().data)
        net = az.Input() + az.Dense(size) + az.Output()
        rate = Cosine(0.02)
        ae = az.Autoencoder(net, scaling="none", epochs=300, learning_rate=rate, validation_fraction=0, random_state=0)
        reducer = PCA(size).fit(X)
        floor = float(((reducer.inverse_transform(reducer.transform(X)) - X) ** 2).mean())
        ours = float(ae.fit(X).errors(X).mean())
        line(f"{name}, {size} units: ours, PCA, ratio", ours, floor, ours / floor)


def satimage() -> None:
    """Two codes of satimage, min–max scaled, official split, default training: test MSE over cells."""
    part = np.load(DATA / "satimage" / "satimage.npz")
    train, test = part["X_train"].astype(float), part["X_test"].astype(float)
    low, span = train.min(0), np.ptp(train, axis=0)
    train, test = (train - low) / span, (test - low) / span
    reducer = PCA(2).fit(train)
    theirs = float(((reducer.inverse_transform(reducer.transform(test)) - test) ** 2).mean())
    for seed in range(3):
        begun = time.perf_counter()
        ae = az.Autoencoder(2, random_state=seed).fit(train)
        seconds = time.perf_counter() - begun
        ours = float(((ae.reconstruct(test) - test) ** 2).mean())
        line(f"satimage seed {seed}: ours, PCA, ratio, s", ours, theirs, ours / theirs, seconds)


def mnist() -> None:
    """MNIST: squared error per test image with a 30-d code."""
    part = np.load(DATA / "mnist" / "mnist.npz")
    train, test = (part[f"x_{kind}"].reshape(-1, 784).astype(np.float32) / 255 for kind in ("train", "test"))
    reducer = PCA(30).fit(train)
    theirs = float(((reducer.inverse_transform(reducer.transform(test)) - test) ** 2).sum(1).mean())
    dense = [az.Dense(units, "silu", normalization="batch") for units in (1000, 500, 250)]
    deep = az.Input() + dense[0] + dense[1] + dense[2] + az.Dense(30) + az.Output("sigmoid")
    small = {"epochs": 10, "scaling": "none", "validation_fraction": 0.0, "random_state": 0}
    large = {
        "epochs": int(os.environ.get("MNIST_EPOCHS", "18")),
        "batch_size": 256,
        "learning_rate": Cosine(4e-3, warmup=0.05),
        "weight_decay": 0.05,
        "validation_fraction": 0.0,
        "random_state": 0,
    }
    for name, ae in (("30", az.Autoencoder(30, **small)), ("784-1000-500-250-30", az.Autoencoder(deep, **large))):
        begun = time.perf_counter()
        ae.fit(train)
        seconds = time.perf_counter() - begun
        ours = float(((ae.reconstruct(test) - test) ** 2).sum(1).mean())
        line(f"mnist {name}: ours, PCA, ratio, s", ours, theirs, ours / theirs, seconds)


def detect() -> None:
    """Mean AUROC over the ADBench tables, unsupervised: fit on 70 % of ≤ 3,000 rows, score the rest; one split."""
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    ours, theirs = [], []
    for path in sorted((DATA / "adbench").glob("*.npz")):
        table = np.load(path)
        X, y = table["X"].astype(float), table["y"].astype(int)
        kept = np.random.default_rng(0).permutation(len(X))[:3000]
        X, y = X[kept], y[kept]
        if y.sum() < 4 or X.shape[1] > 120:
            continue
        train, test, _, truth = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
        ours.append(roc_auc_score(truth, az.AnomalyDetector(random_state=0).fit(train).anomaly_score(test)))
        theirs.append(roc_auc_score(truth, -IsolationForest(random_state=0).fit(train).score_samples(test)))
        line(f"{path.stem}: ours, IsolationForest", float(ours[-1]), float(theirs[-1]))
    line(f"mean of {len(ours)} tables: ours, theirs", float(np.mean(ours)), float(np.mean(theirs)))


CASES = {
    "150 × 4": (150, 4, {}),
    "5,000 × 30": (5_000, 30, {"epochs": 30}),
    "20,000 × 100": (20_000, 100, {"epochs": 10}),
    "20,000 × 784, code 32": (20_000, 784, {"epochs": 4, "network": 32}),
    "300 × 5,000": (300, 5_000, {"epochs": 30}),
}


def plan() -> None:
    """Forecast of time and memory against what training took, in a process each."""
    line("case: forecast s, took s, ratio; forecast MiB, took MiB, ratio")
    for name in CASES:
        runs = {}
        for what in ("plan", "fit"):
            command = [sys.executable, __file__, "--case", name, what]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            runs[what] = [float(value) for value in done.stdout.split()]
        (told_s, told_m), (took_s, took_m) = runs["plan"], runs["fit"]
        told_m, took_m = max(told_m, 1.0), max(took_m, 1.0)  # less than a MiB is a MiB
        line(name, told_s, took_s, told_s / took_s, told_m, took_m, told_m / took_m)


def case(name: str, what: str) -> None:
    """Print seconds and MiB: of the plan, or of the training itself (peak above what the process held before)."""
    rows, columns, parameters = CASES[name]
    X = np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)
    ae = az.Autoencoder(**{"random_state": 0, "patience": None, **parameters})
    az.Autoencoder(2, epochs=1).fit(X[:64, :4])  # what a process loads once
    if what == "plan":
        told = ae.plan(X)
        print(told.seconds, told.memory / 2**20)
        return
    before = _resident()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    begun = time.perf_counter()
    ae.fit(X)
    print(time.perf_counter() - begun, _resident("VmHWM") - before)


def _resident(field: str = "VmRSS") -> float:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(lines[field].split()[0]) / 1024


def start() -> None:
    """Seconds to import and to answer --help, median of 7 processes."""
    for name, program in (("import azogue", "import azogue"), ("python alone", "pass")):
        line(f"{name}, s", _median([sys.executable, "-c", program]))
    line("azogue --help, s", _median([sys.executable, "-m", "azogue", "--help"]))


def _median(command: list[str]) -> float:
    times = []
    for _ in range(7):
        begun = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - begun)
    return float(np.median(times))


PARTS = {"pca": pca, "satimage": satimage, "mnist": mnist, "detect": detect, "plan": plan, "start": start}


def main() -> None:
    if sys.argv[1:2] == ["--case"]:
        case(*sys.argv[2:4])
        return
    for name in sys.argv[1:] or PARTS:
        print(f"\n{name}: {PARTS[name].__doc__}")
        folder = {"detect": "adbench"}.get(name, name)
        if name in ("satimage", "mnist", "detect") and not (DATA / folder).is_dir():
            print(f"  skipped: no {DATA / folder}")
            continue
        PARTS[name]()


if __name__ == "__main__":
    main()
