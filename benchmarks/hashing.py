"""Semantic hashing beside LSH, PCA and ITQ, from one run: `python benchmarks/hashing.py [part …]`.

Parts:

- `20newsgroups` (by date), `r8`, `mnist`, `cifar` (10,000 + 2,000 colour pictures): official splits, each test query
  against all training rows in an order drawn with seed 0, relevant = same label, precision among the first 100. Codes
  of 32 and 64 bits, unsupervised: random hyperplanes through the mean (LSH), signs of PCA (of TF-IDF's truncated SVD
  for texts), ITQ (Gong & Lazebnik 2011) on the same directions, and `az.SemanticHasher` as it is, mean of SEEDS fits
  (default 1). TF-IDF cosine and Euclidean distance of pixels stand beside.
- `two-stage`: MNIST, the first 2,000 test queries: candidates by code, then Euclidean distance among them, beside exact
  search (scikit-learn's brute force): precision and seconds of the processor, on one thread each. Asked for together
  with `mnist`, it takes that part's hasher.
- `index`: 10 M codes of 64 bits, half of them clustered: seconds to build and to answer 100 queries, k = 10, in core
  and by faiss, by the clock and of the processor; answers compared with brute force.

Texts: TfidfVectorizer(max_features=10000, stop_words="english", sublinear_tf=True), vocabulary from the training rows.
Settings of ours were chosen on held-out parts of the training rows (docs/hashing.md). ENGINE=core does without faiss;
BITS=64 compares codes of 64 bits alone.
Data sets are looked for in ../shared/data (or in AZOGUE_DATA); parts whose data are absent say so and are skipped.
"""

from __future__ import annotations

import csv
import lzma
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors

import azogue as az
from azogue.hamming import pack
from modalities import cifar_pictures
from parts import run

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SEEDS = range(int(os.environ.get("SEEDS", "1")))
BITS = tuple(map(int, os.environ.get("BITS", "32,64").split(",")))
FIRST = 100
#: What the part `mnist` fitted with seed 0, by its bits: the part `two-stage`, asked for in the same run, takes it.
FITTED: dict[int, az.SemanticHasher] = {}


def line(*cells: Any) -> None:
    print("  ".join(f"{cell:>10.4f}" if isinstance(cell, float) else f"{cell!s:<34}" for cell in cells))
    sys.stdout.flush()


def texts(name: str) -> list[tuple[list[str], np.ndarray]]:
    csv.field_size_limit(1 << 30)
    found = []
    for part in ("train", "test"):
        with lzma.open(DATA / "text" / f"{name}-{part}.csv.xz", "rt") as stream:
            rows = list(csv.DictReader(stream))
        found.append(([row["text"] for row in rows], np.array([row["label"] for row in rows])))
    return found


def mnist() -> list[tuple[np.ndarray, np.ndarray]]:
    with np.load(DATA / "mnist" / "mnist.npz") as stored:
        return [(stored[f"x_{part}"], stored[f"y_{part}"]) for part in ("train", "test")]


def cifar() -> list[tuple[np.ndarray, np.ndarray]]:
    with np.load(DATA / "cifar10_subset" / "cifar10_jpeg_12k.npz") as stored:
        return [(cifar_pictures(part), stored[f"y_{part}"]) for part in ("train", "test")]


# -- the peers ---------------------------------------------------------------------------------------------------------


def itq(train: np.ndarray, rounds: int = 50, seed: int = 0) -> np.ndarray:
    """The rotation of iterative quantisation: of rows (n, bits) that comes nearest to corners of a cube."""
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(train.shape[1],) * 2))[0]
    for _ in range(rounds):
        left, _, right = np.linalg.svd(np.sign(train @ rotation).T @ train)
        rotation = (left @ right).T
    return rotation


def peers(train: Any, test: Any, bits: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Packed codes of both parts by each method; texts are sparse matrices."""
    sparse = not isinstance(train, np.ndarray)
    mean = np.asarray(train.mean(0)).ravel()
    directions = np.random.default_rng(0).normal(size=(train.shape[1], bits))
    random = [np.asarray(part @ directions) - mean @ directions for part in (train, test)]
    reduce = (TruncatedSVD if sparse else PCA)(bits, random_state=0).fit(train)
    leading = [reduce.transform(part) for part in (train, test)]
    centre = leading[0].mean(0)
    leading = [part - centre for part in leading]
    rotation = itq(leading[0])
    name = "LSA, signs" if sparse else "PCA, signs"
    both = {"LSH": random, name: leading, "ITQ": [part @ rotation for part in leading]}
    return {name: (pack(known > 0), pack(asked > 0)) for name, (known, asked) in both.items()}


def precision(known: np.ndarray, y: np.ndarray, asked: np.ndarray, truth: np.ndarray) -> float:
    """The part of the first 100 by code that have the query's label; ties in an order drawn with seed 0."""
    order = np.random.default_rng(0).permutation(len(known))
    index = az.HammingIndex(engine=os.environ.get("ENGINE", "faiss")).add(known[order])
    return float((y[order][index.query(asked, FIRST)[1]] == truth[:, None]).mean())


def by_vectors(train: Any, y: np.ndarray, test: Any, truth: np.ndarray) -> float:
    """The same by Euclidean distance; of rows of length 1, by the cosine."""
    order = np.random.default_rng(0).permutation(len(y))
    near = NearestNeighbors(n_neighbors=FIRST, algorithm="brute").fit(train[order])
    return float((y[order][near.kneighbors(test, return_distance=False)] == truth[:, None]).mean())


def compared(parts: list[tuple[Any, np.ndarray]], kept: dict[int, az.SemanticHasher] | None = None) -> None:
    (X, y), (Q, truth) = parts
    if isinstance(X, list):
        weigh = TfidfVectorizer(max_features=10_000, stop_words="english", sublinear_tf=True)
        train: Any = weigh.fit_transform(X)
        test: Any = weigh.transform(Q)
    else:
        train, test = (part.reshape(len(part), -1).astype(np.float32) / 255 for part in (X, Q))
    line("method", "P@100", "seconds of fit and transform, of the processor")
    line("TF-IDF cosine" if isinstance(X, list) else "raw pixels", by_vectors(train, y, test, truth))
    for bits in BITS:
        for name, (known, asked) in peers(train, test, bits).items():
            line(f"{name}, {bits} bits", precision(known, y, asked, truth))
        found = []
        for seed in SEEDS:
            begun, worked = time.perf_counter(), time.process_time()
            hasher = az.SemanticHasher(bits, random_state=seed).fit(X)
            codes = hasher.transform(Q)
            seconds = time.perf_counter() - begun
            spent = time.process_time() - worked
            found.append((precision(hasher.codes_, y, codes, truth), seconds, spent))
            if kept is not None and seed == 0:
                kept[bits] = hasher
        values, times, work = np.array(found).T
        spread = f"± {values.std():.4f}, {len(values)} seeds" if len(values) > 1 else "1 seed"
        line(f"SemanticHasher, {bits} bits", float(values.mean()), float(times.mean()), float(work.mean()), spread)


# -- search ------------------------------------------------------------------------------------------------------------


def two_stage() -> None:
    from threadpoolctl import threadpool_limits

    (X, y), (Q, truth) = mnist()
    Q, truth = Q[:2000], truth[:2000]
    train, test = (part.reshape(len(part), -1).astype(np.float32) / 255 for part in (X, Q))
    hasher = FITTED.get(64) or az.SemanticHasher(64, random_state=0).fit(X)
    codes = hasher.transform(Q)
    with threadpool_limits(1):
        exact = NearestNeighbors(algorithm="brute").fit(train)
        for k, candidates in ((10, 50), (100, 150)):
            begun = time.process_time()
            near = exact.kneighbors(test, k, return_distance=False)
            usual = time.process_time() - begun
            line(f"exact, k = {k}", float((y[near] == truth[:, None]).mean()), usual)
            for engine in ("core", "faiss"):
                index = hasher.index(engine)
                index.query(codes[:1], 1)
                begun = time.process_time()
                _, near = index.rerank(codes, k, test, train, candidates=candidates)
                seconds = time.process_time() - begun
                found = float((y[near] == truth[:, None]).mean())
                line(
                    f"{engine}, {candidates} candidates, k = {k}",
                    found,
                    seconds,
                    f"{usual / seconds:.1f} times as fast",
                )


def index() -> None:
    rng = np.random.default_rng(0)
    count = 10_000_000
    codes = rng.integers(0, 256, (count, 8), dtype=np.uint8)
    centres = rng.integers(0, 256, (1000, 8), dtype=np.uint8)
    half = count // 2
    noise = rng.integers(0, 256, (half, 8), dtype=np.uint8)
    for _ in range(2):
        noise &= rng.integers(0, 256, (half, 8), dtype=np.uint8)
    codes[:half] = centres[rng.integers(0, 1000, half)] ^ noise
    queries = codes[rng.integers(0, count, 100)] ^ np.uint8(1)
    line("engine", "build, s", "100 queries, s", "the same, s of the processor", "", "answers")
    order = None
    for engine in ("core", "faiss"):
        made = az.HammingIndex(engine=engine)
        begun, worked = time.perf_counter(), time.process_time()
        made.add(codes).query(queries[:1], 1)
        build, made_in = time.perf_counter() - begun, time.process_time() - worked
        begun, worked = time.perf_counter(), time.process_time()
        answer = made.query(queries, 10)
        seconds, answered_in = time.perf_counter() - begun, time.process_time() - worked
        if order is None:
            far = [np.bitwise_count(codes.view(np.uint64)[:, 0] ^ query) for query in queries.view(np.uint64)[:10, 0]]
            order = np.stack([np.argsort(row, kind="stable")[:10] for row in far])
        equal = "equal to brute force" if (answer[1][:10] == order).all() else "OTHER ANSWERS"
        line(engine, build, seconds, made_in, answered_in, equal)


PARTS = {
    "20newsgroups": lambda: compared(texts("20newsgroups")),
    "r8": lambda: compared(texts("reuters-r8")),
    "mnist": lambda: compared(mnist(), FITTED),
    "cifar": lambda: compared(cifar()),
    "two-stage": two_stage,
    "index": index,
}

if __name__ == "__main__":
    run(PARTS)
