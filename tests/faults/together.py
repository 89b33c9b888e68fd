"""Threads and processes that score, save and load at once: every answer is compared with the one of a single thread.

Run as a program:

    python tests/faults/together.py --seconds 300 --threads 8 --processes 4
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import azogue as az

PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def rows() -> np.ndarray:
    """400 rows of six columns, some cells missing."""
    rng = np.random.default_rng(0)
    X = np.tanh(rng.normal(size=(400, 2)) @ rng.normal(size=(2, 6))) + 0.05 * rng.normal(size=(400, 6))
    X[rng.random(X.shape) < 0.02] = np.nan
    return X


def models() -> dict[str, Any]:
    """Fitted models of several kinds: both back ends, statistics of batches, draws, rows of pixels, a detector."""
    common = {"epochs": 4, "random_state": 0}
    X = rows()
    pictures = (np.random.default_rng(1).random((60, 8, 8)) * 255).astype(np.uint8)
    deep = az.Input() + az.Dense(12, "relu", normalization="batch") + az.Dense(2) + az.Output()
    return {
        "dense": (az.DenoisingAutoencoder((8, 2), **common).fit(X), X),
        "normalised": (az.Autoencoder(deep, **common).fit(X), X),
        "variational": (az.VariationalAutoencoder(2, **common).fit(X), X),
        "pictures": (az.Autoencoder(4, **common).fit(pictures), pictures),
        "detector": (az.AnomalyDetector(az.Autoencoder(2, epochs=4), random_state=0).fit(X), X),
    }


def answers(model: Any, X: np.ndarray) -> dict[str, np.ndarray]:
    """What a model says of rows, each of which is a row's own."""
    if hasattr(model, "score_samples") and not hasattr(model, "encode"):
        return {"score_samples": np.asarray(model.score_samples(X)), "predict": np.asarray(model.predict(X))}
    return {name: np.asarray(getattr(model, name)(X)) for name in ("encode", "reconstruct", "errors")}


class Worker:
    """One process: threads that share models and a folder."""

    def __init__(self, folder: Path, seed: int, threads: int) -> None:
        self.folder, self.seed, self.threads, self.until = folder, seed, threads, math.inf
        self.counts, self.wrong, self.lock = Counter[str](), list[str](), threading.Lock()
        self.models = models()
        self.expected = {name: answers(*pair) for name, pair in self.models.items()}
        self.codes = np.random.default_rng(2).integers(0, 256, (2000, 8), dtype=np.uint8)
        self.nearest = az.HammingIndex(64).add(self.codes).query(self.codes[:100], 3)
        self.index = az.HammingIndex(64).add(self.codes)  # what is made when it is first asked, threads make at once
        self.memory: list[tuple[float, int]] = []

    def warm(self, rounds: int = 15) -> None:
        """Each thread acts some times: what is imported late and what memory threads keep is there afterwards."""
        workers = [threading.Thread(target=self._work, args=(-number, rounds)) for number in range(self.threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.counts.clear()

    def run(self, seconds: float) -> dict[str, Any]:
        self.until = time.monotonic() + seconds
        began = time.monotonic()
        workers = [threading.Thread(target=self._work, args=(number,)) for number in range(self.threads)]
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            self.memory.append((time.monotonic() - began, resident()))
            time.sleep(0.1)
        for worker in workers:
            worker.join()
        return {"counts": dict(self.counts), "wrong": self.wrong[:5], "memory": self.memory}

    def _work(self, number: int, rounds: int = 10**9) -> None:
        rng = random.Random(f"{self.seed}/{number}")
        while time.monotonic() < self.until and not self.wrong and rounds > 0:
            rounds -= 1
            name = rng.choice(list(self.models))
            what, act = rng.choice(self._acts(rng))
            try:
                fault = act(name)
            except Exception as error:
                fault = f"{type(error).__name__}: {error}"
            with self.lock:
                self.counts[what] += 1
                if fault:
                    self.wrong.append(f"{name}, {what}: {fault}")

    def _acts(self, rng: random.Random) -> list[tuple[str, Callable[[str], str]]]:
        return [
            *[("score", lambda name: self._score(name, rng))] * 6,
            ("find", lambda _: self._find(rng)),
            ("save", self._save),
            ("load", self._load),
            ("fit", self._fit),
        ]

    def _score(self, name: str, rng: random.Random) -> str:
        """Some rows, of a model that all threads share."""
        model, X = self.models[name]
        start = rng.randrange(len(X))
        part = slice(start, start + rng.randrange(1, len(X)))
        return differing(answers(model, X[part]), {key: value[part] for key, value in self.expected[name].items()})

    def _find(self, rng: random.Random) -> str:
        part = slice(start := rng.randrange(100), start + 5)
        found = self.index.query(self.codes[:100][part], 3)
        names = ("distances", "positions")
        expected = [values[part] for values in self.nearest]
        return differing(dict(zip(names, found, strict=True)), dict(zip(names, expected, strict=True)))

    def _save(self, name: str) -> str:
        """All processes write to one file."""
        self.models[name][0].save(self.folder / f"{name}.azogue")
        return ""

    def _load(self, name: str) -> str:
        """What is read is whole, whoever is writing."""
        path = self.folder / f"{name}.azogue"
        if not path.exists():
            return ""
        return differing(answers(az.load(path), self.models[name][1][:50]), self._first(name))

    def _first(self, name: str) -> dict[str, np.ndarray]:
        return {key: value[:50] for key, value in self.expected[name].items()}

    def _fit(self, _: str) -> str:
        """Training disturbs nobody, and is disturbed by nobody; some wish for deterministic algorithms."""
        model, X = self.models["dense"]
        again = type(model)((8, 2), epochs=4, random_state=0, deterministic=self.seed % 2 == 0).fit(X)
        return differing(answers(again, X[:50]), self._first("dense"))


def differing(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> str:
    """Which answers are not the same bits; nothing if all are."""
    wrong = [name for name, value in expected.items() if not np.array_equal(found[name], value, equal_nan=True)]
    return f"{', '.join(wrong)} differ" if wrong else ""


def resident() -> int:
    """Bytes of memory that the process holds."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
    except OSError:  # no Linux
        return 0


def growth(memory: list[tuple[float, int]]) -> float:
    """Median of the last tenth of the looks over that of the first tenth, less 1."""
    sizes, part = [size for _, size in memory], max(1, len(memory) // 10)
    early, late = sorted(sizes[:part]), sorted(sizes[-part:])
    return late[part // 2] / max(early[part // 2], 1) - 1


def work(folder: str, number: int, threads: int, seconds: float, barrier: Any, told: Any) -> None:
    """A process; it begins when all are warm."""
    warnings.simplefilter("ignore")
    worker = Worker(Path(folder), number, threads)
    worker.warm()
    barrier.wait()
    told.put(worker.run(seconds))


def together(seconds: float, threads: int, processes: int) -> dict[str, Any]:
    """Let them work; what they did, what was wrong, and how their memory grew."""
    spawn = multiprocessing.get_context("spawn")
    barrier, told = spawn.Barrier(processes), spawn.Queue()
    with tempfile.TemporaryDirectory() as folder:
        workers = [
            spawn.Process(target=work, args=(folder, number, threads, seconds, barrier, told))
            for number in range(processes)
        ]
        for worker in workers:
            worker.start()
        found = [told.get(timeout=20 * seconds + 600) for _ in workers]
        for worker in workers:
            worker.join()
        stale = [path.name for path in Path(folder).iterdir() if path.name.endswith(".tmp")]
    counts = sum((Counter(one["counts"]) for one in found), Counter[str]())
    return {
        "done": dict(counts),
        "wrong": [fault for one in found for fault in one["wrong"]],
        "temporary files left": len(stale),
        "growth of memory": [round(growth(one["memory"]), 4) for one in found],
        "MiB at the end": [round(one["memory"][-1][1] / 2**20) for one in found],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SECONDS", "300")))
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()
    print(json.dumps(together(options.seconds, options.threads, options.processes)))


if __name__ == "__main__":
    main()
