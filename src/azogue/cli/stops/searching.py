"""The stop on search: an autoencoder for wines found among many, beside principal components of the same size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from azogue.autoencoder import Autoencoder
from azogue.cli.stops.shared import Stop, picture
from azogue.plots import plot_network
from azogue.report.searching import plot_convergence, search_sections
from azogue.search import ArchitectureSearch

#: Candidates that the stop takes time for.
CANDIDATES = 24


def evolve(folder: Path) -> Stop:
    """Search: an autoencoder for pictures of digits, found among many by differential evolution."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    X = load_digits().data[:600] / 16
    base = Autoencoder(epochs=30, scaling="none", batch_size=32)
    space = {"code": (4, 16), "units": (0.5, 2.0), "kind": ("basic", "denoising", "robust"), "normalization": (None,)}
    search = ArchitectureSearch("de", budget=CANDIDATES, autoencoder=base, space=space, random_state=0).fit(X)
    seen = np.setdiff1d(np.arange(len(X)), search.test_rows_)
    pca, rows = PCA(search.best_estimator_.code_size_, random_state=0).fit(X[seen]), X[search.test_rows_]
    middle = X[seen].mean(axis=0)
    theirs = np.square(rows - pca.inverse_transform(pca.transform(rows))).sum() / np.square(rows - middle).sum()
    sections = search_sections(search)[:3]
    return {
        "use": "search",
        "data": f"digits, 64 → {search.best_estimator_.code_size_}",
        "measure": "test error, part of variance",
        "ours": round(search.test_error_, 3),
        "peer": "PCA, same code",
        "theirs": round(float(theirs), 3),
        "text": f"{CANDIDATES} autoencoders were trained on three fifths of the pictures and judged on another fifth; "
        "the best one was trained on both, and its error is of the last fifth, which no candidate saw.",
        "images": [
            ("The winner", picture(plot_network(search.best_estimator_), folder, "winner.png")),
            ("How the search went", picture(plot_convergence(search), folder, "search.png")),
        ],
        "sections": [{**section, "title": f"Search: {section['title'].lower()}"} for section in sections],
    }
