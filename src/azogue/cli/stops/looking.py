"""The stop on search: digits found again by 64 bits each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from azogue.applications import SemanticHasher
from azogue.cli.stops.shared import Stop, picture
from azogue.plots import plot_images
from azogue.report.hashing import buckets_section

#: Bits of a code, digits that are searched, and neighbours that are looked at.
BITS, KNOWN, NEAR = 64, 1200, 20


def search(folder: Path) -> Stop:
    """Hash: digits as 64 bits each, and which others have nearly the same ones."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures, known, asked = digits.images.astype(np.uint8), digits.target[:KNOWN], digits.target[KNOWN:]
    hasher = SemanticHasher(BITS, random_state=0).fit(pictures[:KNOWN])
    _, found = hasher.kneighbors(pictures[KNOWN:], NEAR)
    rows = digits.data[:KNOWN], digits.data[KNOWN:]
    figures = {name: _precision(*pair, known, asked) for name, pair in _others(*rows).items()}
    figures["SemanticHasher"] = float((known[found] == asked[:, None]).mean())
    groups = hasher.buckets(BITS // 8, labels=known, most=20)
    shown = np.concatenate([pictures[KNOWN:][:8, None], pictures[found[:8, :11]]], axis=1) / 16
    drawn = picture(plot_images(shown.reshape(8, 12, 64), (8, 8)), folder, "found.png")
    best = max((name for name in figures if name != "SemanticHasher"), key=lambda name: figures[name])
    return {
        "use": "7 hash",
        "data": f"digits, {BITS} bits each",
        "measure": f"precision among {NEAR} found",
        "ours": round(figures["SemanticHasher"], 3),
        "peer": best,
        "theirs": round(figures[best], 3),
        "text": "Nobody said which digit is which: the code learns to agree with the codes of pictures that are near. "
        f"{NEAR} of {KNOWN:,} pictures are found for each unseen one by counting the bits that differ; precision is "
        "the part of them that show the same digit.",
        "table": {
            "columns": ["bits from", "precision"],
            "rows": [[name, round(value, 3)] for name, value in figures.items()],
        },
        "images": [("Unseen digits (left), and those with the nearest codes", drawn)],
        "sections": [{**buckets_section(groups, BITS), "title": "7 hash: digits in groups by their codes"}],
    }


def _others(known: np.ndarray, asked: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Bits of the pictures by methods that people use: signs along random and along leading directions."""
    from sklearn.decomposition import PCA

    mean, rng = known.mean(0), np.random.default_rng(0)
    directions = rng.normal(size=(known.shape[1], BITS))
    pca = PCA(BITS // 2, random_state=0).fit(known)
    return {
        "random hyperplanes": ((known - mean) @ directions > 0, (asked - mean) @ directions > 0),
        "PCA, signs": (pca.transform(known) > 0, pca.transform(asked) > 0),
    }


def _precision(bits: np.ndarray, queries: np.ndarray, known: np.ndarray, asked: np.ndarray) -> float:
    """The part of the nearest rows by differing bits that have the query's label."""
    far = np.stack([(bits != query).sum(1) for query in queries])
    near = np.argsort(far, axis=1, kind="stable")[:, :NEAR]
    return float((known[near] == asked[:, None]).mean())
