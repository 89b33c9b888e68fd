"""The stop on data that are no tables: pictures, signals, texts."""

from __future__ import annotations

import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from azogue.autoencoder import Autoencoder
from azogue.cli.stops.shared import Stop, picture, squared
from azogue.layers import Conv, Dense
from azogue.modalities import Sequence, Text
from azogue.plots import plot_reconstructions


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
    drawn = picture(plot_reconstructions(ae, test, 12), folder, "pictures.png")
    ours, theirs = squared(ae.reconstruct(test) / 255, test / 255), squared(*_pca(ae, train, test))
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
    drawn = picture(plot_reconstructions(ae, test, 10), folder, "signals.png")
    ours, theirs = ae.evaluate(test, "mse")["mse"], squared(*_pca(ae, train, test))
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
    drawn = picture(plot_reconstructions(ae, test, 8), folder, "texts.png")
    ours, theirs = (_right(test, made) for made in (ae.reconstruct(test), ae.schema_.unpack(_pca(ae, train, test)[1])))
    told = f"right letters of {len(test)} unseen words: {ours:.1%}, by PCA {theirs:.1%}"
    return f"Unseen words, 24 numbers each, after {len(train):,} others; {told}", drawn


def _right(words: list[str], copies: list[str]) -> float:
    """The part of the letters that is right; letters too many are wrong ones."""
    pairs = [pair for word, copy in zip(words, copies, strict=True) for pair in zip_longest(word, copy)]
    return float(sum(a == b for a, b in pairs) / len(pairs))
