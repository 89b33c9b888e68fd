"""Stops on codes: a map, a code to draw from, a model in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from azogue.autoencoder import Autoencoder
from azogue.cli.stops.shared import Stop, picture
from azogue.plots import (
    plot_codes,
    plot_generation,
    plot_history,
    plot_images,
    plot_network,
    plot_reconstructions,
)
from azogue.shortcuts import load
from azogue.variants import VariationalAutoencoder


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
            picture(plot_codes(ae.encode(test), y_test, label="digit"), folder, "codes.png"),
        ),
        ("Loss while training", picture(plot_history(ae.history_), folder, "history.png")),
        (
            "Digits and what two numbers keep of them",
            picture(plot_reconstructions(ae, test, 12), folder, "digits.png"),
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
            ("Digits that nobody wrote", picture(plot_images(drawn, (8, 8)), folder, "drawn.png")),
            ("What a code of two units means", picture(plot_generation(flat, 12, shape=(8, 8)), folder, "grid.png")),
            ("The network", picture(plot_network(vae), folder, "network.png")),
        ],
    }


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
