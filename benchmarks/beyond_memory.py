"""Training and scoring on more Parquet than is to be in memory: `python benchmarks/beyond_memory.py`.

Generates `BEYOND_GB` (5) gigabytes of Parquet, `BEYOND_COLUMNS` (100) columns of random numbers that depend on few
factors, in files of 250,000 rows, in a folder of its own below `BEYOND_FOLDER` (the system's temporary folder), which
is removed at the end. In processes of their own, each on one thread:

- `memory`: the first `BEYOND_PART` (0.2) of the files read into memory, trained for one epoch, scored;
- `dataset`: all files by `az.Dataset`, the same;
- `both`: the first file both ways, whose weights and scores must be the same bits.

Rows per second of training (columns learned, rows packed, one epoch, the profile of errors) and of scoring are printed,
by the clock and by the processor's time (on a machine that others use, the clock tells little), with the ratio of the
two ways, and the most memory above what imports took: `RssAnon`, what the process has itself, read every 10 ms, and
`VmHWM`, which counts pages of files too. `memory` reads its Parquet before the clock starts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZE, COLUMNS = float(os.environ.get("BEYOND_GB", "5")), int(os.environ.get("BEYOND_COLUMNS", "100"))
PART, ROWS = float(os.environ.get("BEYOND_PART", "0.2")), 250_000
NETWORK = (64, 16)


def generate(folder: Path) -> list[Path]:
    """Files of random numbers: ten factors, noise, and for every tenth column a heavy tail."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    rows = int(SIZE * 1e9 / 8 / COLUMNS)
    weights = np.random.default_rng(0).normal(size=(10, COLUMNS))
    found = []
    for number, start in enumerate(range(0, rows, ROWS)):
        rng = np.random.default_rng([1, number])
        count = min(ROWS, rows - start)
        X = rng.normal(size=(count, 10)) @ weights + rng.normal(size=(count, COLUMNS))
        X[:, ::10] = np.exp(X[:, ::10] / 2)
        table = pa.table({f"x{at}": X[:, at] for at in range(COLUMNS)})
        found.append(folder / f"part-{number:04d}.parquet")
        parquet.write_table(table, found[-1], row_group_size=50_000, compression="none", use_dictionary=False)
    return found


def status(name: str) -> float:
    """MiB of a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + ":"))) / 1024


@contextlib.contextmanager
def watched(told: dict[str, float]):
    """The growth of memory within, in MiB."""
    Path("/proc/self/clear_refs").write_text("5")
    base, most, done = (status("RssAnon"), status("VmRSS")), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], status("RssAnon"))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        told["RssAnon"], told["VmHWM"] = most[0] - base[0], status("VmHWM") - base[1]


def run(way: str, paths: list[str]) -> dict[str, float | str]:
    """Train one epoch and score, one way."""
    import pyarrow as pa
    import torch
    from pyarrow import parquet

    import azogue as az

    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    import azogue.training.dense  # what is imported on first use
    from azogue.modalities.table import Table  # noqa: F401

    ae = az.Autoencoder(NETWORK, epochs=1, random_state=0)
    ae.fit(pa.table({"a": [1.0, 2.0, 3.0] * 50, "b": [2.0, 1.0, 0.0] * 50}))  # and what is made on first use
    ae = az.Autoencoder(NETWORK, epochs=1, random_state=0)
    told: dict[str, float | str] = {}

    def timed(name: str, function: Callable[[], Any]) -> Any:
        begun = time.perf_counter(), time.process_time()
        found = function()
        told[name], told[f"{name} cpu"] = time.perf_counter() - begun[0], time.process_time() - begun[1]
        print(f"{way}: {name} {told[name]:.1f} s", file=sys.stderr, flush=True)
        return found

    def read() -> Any:
        if way == "dataset":
            return az.Dataset(paths)
        return pa.concat_tables(map(parquet.read_table, paths)).combine_chunks()

    with watched(told):  # type: ignore[arg-type]
        X = timed("read", read)
        timed("fit", lambda: ae.fit(X))
        scores = timed("score", lambda: ae.errors(X))
        told["rows"] = len(scores)
    told["epoch"] = ae.history_[-1]["seconds"]
    weights = b"".join(value.numpy().tobytes() for _, value in sorted(ae.network_.state_dict().items()))
    told["weights"] = hashlib.sha256(weights).hexdigest()[:16]
    told["scores"] = hashlib.sha256(scores.tobytes()).hexdigest()[:16]
    return told


def child(way: str, paths: list[Path]) -> dict[str, float]:
    command = [sys.executable, __file__, "--run", way, json.dumps(list(map(str, paths)))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{way}: failed")
    return json.loads(done.stdout.splitlines()[-1])


def report(memory: dict[str, float], streamed: dict[str, float]) -> None:
    """Print seconds, rows per second, memory and ratios: by the clock, and by the processor's time."""
    print(f"{'':<20}{'rows':>11}{'read s':>8}{'fit s':>8}{'epoch s':>8}{'score s':>8}{'fit /s':>10}{'score /s':>10}")
    rates: dict[str, list[list[float]]] = {}
    for clock, end in (("clock", ""), ("processor", " cpu")):
        for name, one in (("memory", memory), ("dataset", streamed)):
            fit, score, rows = one[f"fit{end}"], one[f"score{end}"], one["rows"]
            rates.setdefault(clock, []).append([rows / fit, rows / score, rows / (fit + score)])
            epoch = "" if end else f"{one['epoch']:.1f}"
            print(
                f"{name + ', ' + clock:<20}{rows:>11,}{one[f'read{end}']:>8.1f}{fit:>8.1f}{epoch:>8}{score:>8.1f}"
                f"{rows / fit:>10,.0f}{rows / score:>10,.0f}"
            )
    for clock, (a, b) in rates.items():
        fit, score, both = (after / before for before, after in zip(a, b, strict=True))
        told = f"fit {fit:.2f}, score {score:.2f}, both {both:.2f}"
        print(f"rows per second out of core over in memory, by the {clock}: {told}")
    for name, one in (("memory", memory), ("dataset", streamed)):
        print(f"most memory above imports, {name}: RssAnon {one['RssAnon']:,.0f} MiB, VmHWM {one['VmHWM']:,.0f} MiB")


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="beyond-memory-", dir=os.environ.get("BEYOND_FOLDER")))
    try:
        begun = time.perf_counter()
        paths = generate(folder)
        size = sum(path.stat().st_size for path in paths)
        rows = int(SIZE * 1e9 / 8 / COLUMNS)
        print(
            f"{size / 1e9:.2f} GB of Parquet, {rows:,} rows × {COLUMNS} columns = {rows * COLUMNS / 1e6:,.0f} M cells, "
            f"{len(paths)} files, generated in {time.perf_counter() - begun:.0f} s; network {NETWORK}, one epoch"
        )
        few = paths[: max(1, round(PART * len(paths)))]
        both = [child(way, paths[:1]) for way in ("memory", "dataset")]
        same = all(both[0][key] == both[1][key] for key in ("weights", "scores"))
        print(
            f"the first file both ways: weights and scores are {'the same bits' if same else 'DIFFERENT'}", flush=True
        )
        memory, streamed = child("memory", few), child("dataset", paths)
        report(memory, streamed)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        print(json.dumps(run(sys.argv[2], json.loads(sys.argv[3]))))
    else:
        main()
