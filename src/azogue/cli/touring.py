"""The tour: each use on real data that scikit-learn ships, beside what people use today."""

from __future__ import annotations

import io
import re
import time
import warnings
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue.applications import AnomalyDetector
from azogue.autoencoder import Autoencoder
from azogue.files import atomic_write
from azogue.layers import Conv, Dense
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
    detector = AnomalyDetector(novelty=True, parts=("errors",), random_state=0)
    detector.fit(pa.table(dict(zip(names, train.T, strict=True))))
    forest = IsolationForest(random_state=0).fit(train)
    rows = pa.table(dict(zip(names, test.T, strict=True)))
    scores = detector.anomaly_score(rows)
    ax = new_axes()
    bins = np.geomspace(scores.min(), scores.max(), 40)
    ax.hist([scores[~truth], scores[truth]], bins=bins.tolist(), stacked=True, label=["benign", "malignant"])
    ax.axvline(-detector.offset_, color="k", linestyle=":", label="threshold")
    ax.set(xscale="log", xlabel="anomaly score", ylabel="rows")
    ax.legend()
    odd = rows.slice(int(scores.argmax()), 1)
    reasons = detector.explain(odd).to_pylist()[0]
    worst = sorted(reasons.items(), key=lambda pair: pair[1])[-8:]
    name = worst[-1][0]
    value, expected = (part.to_pylist()[0][name] for part in (odd, detector.expected(odd)))
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
        "text": f"Trained on 250 benign samples, {len(detector.members_)} small networks reproduce malignant ones "
        f"badly, and say in which column. In the least usual row it is {name}: {value:.4g}, where they expect "
        f"{expected:.4g} from the other columns.",
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
    """Perceive: pictures by convolutions, a signal in windows, words letter by letter."""
    pictures, ours, theirs = _pictures(folder)
    return {
        "use": "pictures, signals, texts",
        "data": "digits, 8 × 8 → 8",
        "measure": "squared error, test",
        "ours": ours,
        "peer": "PCA",
        "theirs": theirs,
        "text": "The same call takes pictures, signals and texts. Each time the network is measured on rows that it "
        "has not seen, beside PCA with a code of the same size. The signal is made by a formula: beats at uneven "
        "times, with noise. Since a window may begin anywhere in a beat, a linear code has to spend its units on "
        "where; the words come from the documentation of scikit-learn.",
        "images": [pictures, _signals(folder), _texts(folder)],
    }


def _squared(a: Any, b: Any) -> float:
    return float(np.square(np.subtract(a, b, dtype=float)).mean())


def _pca(ae: Autoencoder, train: Any, test: Any) -> tuple[Any, Any]:
    """Test rows in scaled units, and what PCA with a code of the same size makes of them."""
    from sklearn.decomposition import PCA

    known, new = (ae.schema_.pack(part).x.numpy() for part in (train, test))
    pca = PCA(ae.code_size_, random_state=0).fit(known)
    return new, pca.inverse_transform(pca.transform(new))


def _pictures(folder: Path) -> tuple[tuple[str, str], float, float]:
    """The picture, and both test errors on the scale from 0 to 1."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X = (load_digits().images / 16 * 255).astype(np.uint8)
    train, test = train_test_split(X, test_size=0.3, random_state=0)
    network = Conv(8, 3, "silu") + Conv(16, 3, "silu", stride=2) + Dense(64, "silu") + Dense(8)
    ae = Autoencoder(network, epochs=30, batch_size=32, learning_rate=0.01, random_state=0).fit(train)
    drawn = _picture(plot_reconstructions(ae, test, 12), folder, "pictures.png")
    ours, theirs = _squared(ae.reconstruct(test) / 255, test / 255), _squared(*_pca(ae, train, test))
    return ("Unseen digits through a code of 8 numbers and convolutions", drawn), round(ours, 4), round(theirs, 4)


def _beats(seconds: int, rate: int = 100) -> np.ndarray:
    """A signal like that of a heart: five pulses a beat (offset and width in seconds, height), uneven beats, noise."""
    rng = np.random.default_rng(0)
    time = np.arange(seconds * rate) / rate
    signal = 0.03 * rng.normal(size=len(time))
    pulses = [(-0.18, 0.15, 0.03), (-0.04, -0.12, 0.012), (0.0, 1.0, 0.014), (0.04, -0.25, 0.014), (0.26, 0.3, 0.06)]
    for beat in np.cumsum(rng.normal(0.85, 0.06, 2 * seconds)):
        for offset, height, width in pulses:
            signal += height * np.exp(-0.5 * np.square((time - beat - offset) / width))
    return signal


def _signals(folder: Path) -> tuple[str, str]:
    signal = _beats(240)
    train, test = signal[:18_000], signal[18_000:]
    network = Conv(16, 7, "silu", stride=2) + Conv(32, 7, "silu", stride=2) + Dense(64, "silu") + Dense(8)
    windows = Sequence(window=64)
    ae = Autoencoder(network, modality=windows, epochs=60, batch_size=32, learning_rate=0.01, random_state=0).fit(train)
    drawn = _picture(plot_reconstructions(ae, test, 10), folder, "signals.png")
    ours, theirs = ae.evaluate(test, "mse")["mse"], _squared(*_pca(ae, train, test))
    told = f"variance left in unseen windows of 64 samples: {ours:.3f}, of PCA {theirs:.3f}"
    return f"Unseen beats, 8 numbers a window; {told}", drawn


def _words() -> list[str]:
    """The words of scikit-learn's documentation that lie beside us, in an order that is always the same."""
    from sklearn import cluster, decomposition, ensemble, linear_model, neighbors, preprocessing, svm

    parts = (cluster, decomposition, ensemble, linear_model, neighbors, preprocessing, svm)
    texts = [thing.__doc__ or "" for part in parts for thing in vars(part).values() if callable(thing)]
    words = sorted({word for text in texts for word in re.findall(r"\b[a-z]{4,12}\b", text)})
    return [words[at] for at in np.random.default_rng(0).permutation(len(words))]


def _texts(folder: Path) -> tuple[str, str]:
    words = _words()
    train, test = words[:-300], words[-300:]
    letters, network = Text("character"), Dense(256, "silu") + Dense(24)
    ae = Autoencoder(network, modality=letters, epochs=30, batch_size=64, learning_rate=5e-3, random_state=0).fit(train)
    drawn = _picture(plot_reconstructions(ae, test, 8), folder, "texts.png")
    ours, theirs = (_right(test, made) for made in (ae.reconstruct(test), ae.schema_.unpack(_pca(ae, train, test)[1])))
    told = f"right letters of {len(test)} unseen words: {ours:.1%}, by PCA {theirs:.1%}"
    return f"Unseen words, 24 numbers each, after {len(train):,} others; {told}", drawn


def _right(words: list[str], copies: list[str]) -> float:
    """The part of the letters that is right; letters too many are wrong ones."""
    pairs = [pair for word, copy in zip(words, copies, strict=True) for pair in zip_longest(word, copy)]
    return float(sum(a == b for a, b in pairs) / len(pairs))


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
