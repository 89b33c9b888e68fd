"""What a search keeps of its candidates, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from azogue.search.study import Trial


def results(trials: Sequence[Trial], ranked: Sequence[int]) -> dict[str, np.ndarray]:
    """Trials as arrays, as `cv_results_` has them."""
    rank = np.full(len(trials), len(ranked) + 1)
    rank[list(ranked)] = np.arange(1, len(ranked) + 1)
    errors = np.array([math.inf if t.record["error"] is None else t.record["error"] for t in trials], dtype=float)
    names = sorted({name for trial in trials for name in trial.genome})
    found: dict[str, np.ndarray] = {"params": _objects([trial.genome for trial in trials])}
    for name in names:
        found[f"param_{name}"] = _objects([trial.genome.get(name) for trial in trials])
    return found | {
        "fitness": np.array([trial.fitness for trial in trials], dtype=float),
        "error": errors,
        "complexity": np.array([trial.complexity for trial in trials], dtype=float),
        "mean_test_score": -errors,
        "rank_test_score": rank,
        "epochs_share": np.array([trial.share[0] for trial in trials], dtype=float),
        "rows_share": np.array([trial.share[1] for trial in trials], dtype=float),
        "seconds": np.array([trial.record["seconds"] for trial in trials], dtype=float),
        "reason": np.array([trial.record["reason"] for trial in trials], dtype=object),
    }


def _objects(values: Sequence[Any]) -> np.ndarray:
    found = np.empty(len(values), dtype=object)
    for at, value in enumerate(values):
        found[at] = value
    return found
