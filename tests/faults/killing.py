"""kill −9 at random moments of training: no unreadable checkpoint, and every resumed run ends in the same bits.

Run as a program, which forks a process for each attempt, so that killing costs no start of Python:

    python tests/faults/killing.py --kills 200 --seed 0
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import azogue as az
from azogue import files

ROWS = np.tanh(np.random.default_rng(0).normal(size=(600, 2)) @ np.random.default_rng(1).normal(size=(2, 6)))
COMMON = {"epochs": 12, "patience": None, "batch_size": 8, "random_state": 0}
#: recipes whose states differ: back ends, statistics of batches, opponents, pretraining, draws, sums within an epoch
CASES = {
    "dense": lambda kept: az.DenoisingAutoencoder(2, checkpoint=kept(), resume=True, **COMMON),
    "dense, within epochs": lambda kept: az.Autoencoder(
        (4, 2), checkpoint=kept(minutes=1e-4), resume=True, weight_decay=0.01, **COMMON
    ),
    "autograd": lambda kept: az.Autoencoder(
        az.Input() + az.Dense(8, "relu", normalization="batch") + az.Dense(2) + az.Output(),
        checkpoint=kept(minutes=1e-4),
        resume=True,
        **{**COMMON, "epochs": 6},
    ),
    "adversarial": lambda kept: az.AdversarialAutoencoder(
        2, checkpoint=kept(epochs=2), resume=True, **{**COMMON, "epochs": 4}
    ),
    "stacked": lambda kept: az.StackedAutoencoder(
        (4, 2), pretraining_epochs=3, checkpoint=kept(), resume=True, **{**COMMON, "epochs": 8, "patience": 3}
    ),
    "variational": lambda kept: az.VariationalAutoencoder(2, checkpoint=kept(epochs=3), resume=True, **COMMON),
}


def trained(name: str, path: Path) -> str:
    """Train, or go on; the SHA-256 of all that must come out the same."""
    ae = CASES[name](lambda **often: az.Checkpoint(path, **often)).fit(ROWS)
    total = hashlib.sha256()
    for key, value in sorted(ae.network_.state_dict().items()):
        total.update(key.encode() + value.numpy().tobytes())
    history = [{key: value for key, value in record.items() if key != "seconds"} for record in ae.history_]
    total.update(json.dumps([history, ae.stopped_], sort_keys=True).encode())
    return total.hexdigest()


def attempt(name: str, path: Path, after: float | None) -> str:
    """Train in a process of its own, killed after so many seconds; what came out, empty if it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, trained(name, path).encode())
        finally:
            os._exit(0)
    os.close(writing)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as stream:
        told = stream.read().decode()
    os.waitpid(child, 0)
    return told


def looked_at(path: Path) -> Counter[str]:
    """Read every file of the checkpoint, which raises where one cannot be; what was found."""
    found = Counter[str]()
    for place in (path, Path(f"{path}.1"), Path(f"{path}.best")):
        if place.exists():
            within = files.read(place, "checkpoint")[0]["state"]["within"]
            found["checkpoints read"] += 1
            found["within an epoch"] += bool(within)
    found["temporary files left by kills"] += len(list(path.parent.glob(".azogue-*.tmp")))
    return found


def kills(count: int, seed: int, say=lambda text: None) -> Counter[str]:
    """Kill so many runs, each until it is through; raises AssertionError where one ends in other bits."""
    rng, found = np.random.default_rng(seed), Counter[str]()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        expected, takes = {}, {}
        for name in CASES:  # all that is imported late is there before the first fork
            trained(name, folder / "warm")
            for path in folder.iterdir():
                path.unlink()
        for number, name in enumerate(CASES):
            begun = time.perf_counter()
            expected[name] = attempt(name, folder / f"whole-{number}", None)
            takes[name] = time.perf_counter() - begun
            assert len(expected[name]) == 64, f"{name}: the run that nothing stops does not end"
        number = 0
        while found["kills"] < count:
            name, path = list(CASES)[number % len(CASES)], folder / f"run-{number}"
            told, number = "", number + 1
            while not told:
                wait = float(rng.uniform(0.0, 0.5 * takes[name])) if found["kills"] < count else None
                told = attempt(name, path, wait)
                found["kills"] += not told
                found[f"kills: {name}"] += not told
                found += looked_at(path)
            assert told == expected[name], f"{name}: resumed {path.name} ended in other bits"
            assert not list(folder.glob(".azogue-*.tmp")), "a run that ended leaves temporary files"
            found["runs that ended in the same bits"] += 1
            say(f"{found['kills']} kills, {found['runs that ended in the same bits']} runs")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(json.dumps(dict(kills(options.kills, options.seed))))


if __name__ == "__main__":
    main()
