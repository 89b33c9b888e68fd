"""The tour: each use on real data that scikit-learn ships, beside what people use today."""

from __future__ import annotations

import io
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue.applications import AnomalyDetector
from azogue.autoencoder import Autoencoder
from azogue.files import atomic_write
from azogue.modalities import Sequence, Text
from azogue.plots import (
    new_axes,
    plot_codes,
    plot_generation,
    plot_history,
    plot_images,
    plot_network,
    plot_reconstructions,
)
from azogue.report.page import page
from azogue.shortcuts import load
from azogue.training.loop import TrainingWarning
from azogue.variants import VariationalAutoencoder

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Stop = dict[str, Any]


def tour(output: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Walk through all stops; write pictures and a page.

    Parameters
    ----------
    output : str
        A folder, made if it does not exist.
    say : callable
        Told what comes next.

    Returns
    -------
    dict
        `stops`: for each use its data, measure, our figure, the other's, seconds; `page`: path of the page.
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    stops = []
    for number, stop in enumerate(STOPS, 1):
        say(f"{number}/{len(STOPS)} {(stop.__doc__ or '').splitlines()[0]}")
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("error", TrainingWarning)
            try:
                stops.append({**stop(folder), "seconds": round(time.perf_counter() - begun, 1)})
            except TrainingWarning as stopped:  # the keyboard ended a training: it ends the tour
                raise KeyboardInterrupt from stopped
    images = {stop["use"]: stop.pop("images") for stop in stops}
    html = page(
        "A tour of Azogue", [_overview(stops), *(_section(stop, images[stop["use"]], folder) for stop in stops)]
    )
    atomic_write(folder / "index.html", html.encode())
    return {"stops": stops, "page": str(folder / "index.html")}


def table(result: dict[str, Any]) -> str:
    """The result as text."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("use", "data", "measure", "Azogue", "other", "figure", "s", title="A tour of Azogue")
    for stop in result["stops"]:
        shown.add_row(*(str(value) for value in _row(stop)))
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    console.print(shown)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return f"{text}Pictures and a page: open {result['page']}"


def _row(stop: Stop) -> list[Any]:
    return [stop["use"], stop["data"], stop["measure"], stop["ours"], stop["peer"], stop["theirs"], stop["seconds"]]


def _overview(stops: list[Stop]) -> dict[str, Any]:
    columns = ["use", "data", "measure", "Azogue", "other", "figure", "s"]
    return {"title": "Every use, measured now", "table": {"columns": columns, "rows": [_row(stop) for stop in stops]}}


def _section(stop: Stop, images: list[tuple[str, str]], folder: Path) -> dict[str, Any]:
    pictures = [(caption, (folder / name).read_bytes()) for caption, name in images]
    return {"title": stop["use"], "text": stop["text"], "images": pictures}


def _picture(ax: Axes, folder: Path, name: str) -> str:
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, format="png", dpi=110)  # type: ignore[union-attr]
    atomic_write(folder / name, buffer.getvalue())
    return name


def reduce(folder: Path) -> Stop:
    """Reduce: 64 pixels of handwritten digits to a map of two numbers."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.model_selection import train_test_split
    from sklearn.neighbors import KNeighborsClassifier

    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    ae = Autoencoder(2, scaling="none", random_state=0).fit(train)
    pca = PCA(2, random_state=0).fit(train)

    def accuracy(reducer: Any) -> float:
        knn = KNeighborsClassifier(5).fit(reducer.transform(train), y_train)
        return round(float(knn.score(reducer.transform(test), y_test)), 3)

    images = [
        (
            "Test digits on the two code units",
            _picture(plot_codes(ae.encode(test), y_test, label="digit"), folder, "codes.png"),
        ),
        ("Loss while training", _picture(plot_history(ae.history_), folder, "history.png")),
        (
            "Digits and what two numbers keep of them",
            _picture(plot_reconstructions(ae, test, 12), folder, "digits.png"),
        ),
    ]
    return {
        "use": "1 reduce",
        "data": "digits, 64 → 2",
        "measure": "5-NN accuracy on codes",
        "ours": accuracy(ae),
        "peer": "PCA",
        "theirs": accuracy(pca),
        "text": "Two numbers are learned for each picture; a classifier that sees only these finds the digit.",
        "images": images,
    }


def detect(folder: Path) -> Stop:
    """Detect: malignant samples among benign ones, seen benign ones only."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import IsolationForest
    from sklearn.metrics import roc_auc_score

    data = load_breast_cancer()
    X, benign = data.data, data.target == 1
    order = np.argsort(~benign, kind="stable")  # the benign ones first
    train, test = X[order[:250]], X[order[250:]]
    truth = ~benign[order[250:]]
    names = [str(name) for name in data.feature_names]
    detector = AnomalyDetector(random_state=0).fit(pa.table(dict(zip(names, train.T, strict=True))))
    forest = IsolationForest(random_state=0).fit(train)
    rows = pa.table(dict(zip(names, test.T, strict=True)))
    scores = detector.anomaly_score(rows)
    ax = new_axes()
    bins = np.geomspace(scores.min(), scores.max(), 40)
    ax.hist([scores[~truth], scores[truth]], bins=bins.tolist(), stacked=True, label=["benign", "malignant"])
    ax.axvline(-detector.offset_, color="k", linestyle=":", label="threshold")
    ax.set(xscale="log", xlabel="anomaly score", ylabel="rows")
    ax.legend()
    reasons = detector.explain(rows).slice(int(scores.argmax()), 1).to_pylist()[0]
    worst = sorted(reasons.items(), key=lambda pair: pair[1])[-8:]
    bars = new_axes(6.0, 3.5)
    bars.barh([name for name, _ in worst], [part for _, part in worst])
    bars.set(xlabel="part of the score")
    return {
        "use": "2 detect",
        "data": "breast cancer, 30 columns",
        "measure": "AUROC",
        "ours": round(float(roc_auc_score(truth, scores)), 3),
        "peer": "IsolationForest",
        "theirs": round(float(roc_auc_score(truth, -forest.score_samples(test))), 3),
        "text": "Trained on 250 benign samples, it reproduces malignant ones badly, and says in which column.",
        "images": [
            ("Scores of unseen rows", _picture(ax, folder, "scores.png")),
            ("Why the least usual row is unusual", _picture(bars, folder, "reasons.png")),
        ],
    }


def imagine(folder: Path) -> Stop:
    """Imagine: a code with a prior, from which digits can be drawn that nobody wrote."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(load_digits().data / 16, test_size=0.3, random_state=0)
    vae = VariationalAutoencoder(16, scaling="none", random_state=0).fit(train)
    flat = VariationalAutoencoder(2, scaling="none", random_state=0).fit(train)
    drawn = vae.sample(24).reshape(2, 12, -1)
    return {
        "use": "variants",
        "data": "digits, 64 → 16",
        "measure": "log likelihood, nats",
        "ours": round(float(vae.elbo(test).mean()), 1),
        "peer": "probabilistic PCA",
        "theirs": round(float(PCA(16).fit(train).score(test)), 1),
        "text": "A variational autoencoder learns a code that is spread like a prior: a draw from it, decoded, is a "
        "new digit. The figure is a lower bound of the log likelihood of unseen digits; that of PCA is exact.",
        "images": [
            ("Digits that nobody wrote", _picture(plot_images(drawn, (8, 8)), folder, "drawn.png")),
            ("What a code of two units means", _picture(plot_generation(flat, 12, shape=(8, 8)), folder, "grid.png")),
            ("The network", _picture(plot_network(vae), folder, "network.png")),
        ],
    }


def perceive(folder: Path) -> Stop:
    """Perceive: pictures through convolutions, a long series through windows, texts as characters."""
    from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
    from sklearn.decomposition import PCA
    from sklearn.model_selection import train_test_split

    pictures = (load_digits().images * 15).astype(np.uint8)
    train, test = train_test_split(pictures, test_size=0.3, random_state=0)
    settings: dict[str, Any] = {"learning_rate": 4e-3, "patience": None, "random_state": 0}
    seer = Autoencoder(8, epochs=60, **settings).fit(train)
    ours = float(np.square((seer.reconstruct(test).astype(float) - test) / 255).sum((1, 2)).mean())
    flat, unseen = (part.reshape(len(part), -1) / 255 for part in (train, test))
    pca = PCA(8).fit(flat)
    theirs = float(np.square(pca.inverse_transform(pca.transform(unseen)) - unseen).sum(1).mean())
    beats = _pulses(6000)
    listener = Autoencoder(8, modality=Sequence(window=256, overlap=0.75), epochs=150, **settings).fit(beats)
    pages = " ".join(one().DESCR for one in (load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine))
    words = sorted({word for word in re.findall("[a-z]+", pages.lower()) if 4 <= len(word) <= 12})
    reader = Autoencoder(32, modality=Text("character"), epochs=80, **settings).fit(words)
    return {
        "use": "pictures, signals, texts",
        "data": "digits as 8 × 8 pictures, code of 8",
        "measure": "squared error a picture",
        "ours": round(ours, 3),
        "peer": "PCA",
        "theirs": round(theirs, 3),
        "text": "Pictures, sequences and texts go in as they are and come back as they were. The figures are of unseen "
        "pictures; the series and the texts below were seen in training, and show what comes back.",
        "images": [
            ("Unseen digits", _picture(plot_reconstructions(seer, test), folder, "pictures.png")),
            ("A series, in windows", _picture(plot_reconstructions(listener, beats, 4), folder, "signal.png")),
            ("Words", _picture(plot_reconstructions(reader, words[::60], 8), folder, "texts.png")),
        ],
    }


def _pulses(count: int) -> np.ndarray:
    """Pulses like heartbeats at slightly irregular times, and noise."""
    rng = np.random.default_rng(0)
    t, series = np.arange(count), 0.05 * rng.normal(size=count)
    for at in np.cumsum(rng.normal(100, 6, count // 100)):
        for height, place, width in ((0.2, -20, 5), (-0.2, -4, 1.5), (1.2, 0, 2), (-0.3, 4, 1.5), (0.35, 28, 8)):
            series += height * np.exp(-((t - at - place) ** 2) / (2 * width**2))
    return series


def keep(folder: Path) -> Stop:
    """Keep: save a model, load it, and get the same bits."""
    from sklearn.datasets import load_wine

    X = load_wine().data
    ae = Autoencoder(2, epochs=30, random_state=0).fit(X)
    path = folder / "wine.azogue"
    ae.save(path)
    again = load(path)
    equal = bool((again.encode(X) == ae.encode(X)).all() and (again.errors(X) == ae.errors(X)).all())
    return {
        "use": "save, load",
        "data": "wine, 13 columns",
        "measure": "same bits after loading",
        "ours": "yes" if equal else "NO",
        "peer": f"({path.stat().st_size / 1024:.0f} KiB)",
        "theirs": "",
        "text": "A model file holds numbers and names, no code: loading it can run nothing.",
        "images": [],
    }


#: In order. A later use adds its function here.
STOPS: list[Callable[[Path], Stop]] = [reduce, detect, imagine, perceive, keep]
