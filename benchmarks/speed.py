"""Ours and the peers on the same data, network, batches, epochs and optimiser: `python benchmarks/speed.py`.

    python benchmarks/speed.py                                   # every part but the slow ones, deep and growth
    python benchmarks/speed.py --part tabular --part wide --json speed.json --figure speed.svg
    python benchmarks/speed.py --part vae --rows 2000 --epochs 1 --rounds 1      # a try

Run it on an idle machine: a loop on all cores that waits for one which others use takes up to 50 times as long.

Parts: tabular, products, iris, wide, deep, vae, population, memory, growth, start. Each contestant trains in a
process of its own (`arena.py`); after a first fit of everybody they take turns, one at a time, for `--rounds` rounds.
All start from the same weights, those of our network. A fit is the whole call of the library, scoring included where
it belongs to it; `loop` is the training alone where the library tells it. Ratios are medians of the rounds' ratios to
ours; against contestants that only train (loops, Keras, skorch) and neither look at the rows before nor score them
afterwards, the verdicts compare our training loop. The loss is the mean squared error over all training cells,
computed here from each reconstruction. `% core` compares the arithmetic of training, 6 Σ weights − 2 first layer a
row, with the machine's best float32 product on one core. `peak` is the growth of the process's peak memory from
before the first fit (Linux only), `cores` its processor time by the clock's, `first +s` what the first fit took
beyond the usual (compiling, loading). Peers: see `peers.py`; those that are not installed are named and skipped.
MNIST is looked for in ../shared/data (or in AZOGUE_DATA), else random rows stand in.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from arena import HERE, ONE_CORE, Case, Contestant, contest, machine, work
from growth import figure, growth, measure_memory, memory, start
from ours import OURS, Ours
from peers import PEERS

DATA = Path(os.environ.get("AZOGUE_DATA", HERE.parents[1] / "shared" / "data"))

#: contestants that only train, over rows that are ready
LOOPS = ("torch, eager", "torch, DataLoader", "JAX scan", "Keras on JAX", "Keras on torch", "skorch")
CONTESTANTS: dict[str, type[Contestant]] = {kind.title: kind for kind in OURS} | PEERS


def from_our_weights(case: Case, rounds: int) -> Case:
    """The case with the initial weights of our network for each round's seed, so that everybody starts there."""
    for seed in range(rounds):
        try:
            from azogue.session import open_session

            network = open_session(Ours().make(case, seed), case.X[:512], None, seed).network
            layers = [module for module in network.modules() if getattr(module, "bias", None) is not None]
            pairs = [(one.weight.detach().numpy().copy(), one.bias.detach().numpy().copy()) for one in layers]
        except Exception as error:  # private parts of ours: the benchmark must outlive their changes
            print(f"  our initial weights are out of reach ({error}): the peers draw their own")
            pairs = []
        if [matrix.shape for matrix, _ in pairs] != case.shapes:
            rng = np.random.default_rng(seed)
            draws = [rng.uniform(-1, 1, shape) / np.sqrt(shape[1]) for shape in case.shapes]
            pairs = [(draw.astype(np.float32), np.zeros(len(draw), np.float32)) for draw in draws]
        case.weights[seed] = pairs
    return case


# -- data -------------------------------------------------------------------------------------------------------------


def mixture(rows: int, columns: int = 30, factors: int = 8, seed: int = 0) -> np.ndarray:
    """Standardised rows of five normal clusters that vary along a few directions, and noise."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(5, factors))[rng.integers(0, 5, rows)] * 2 + rng.normal(size=(rows, factors))
    X = np.tanh(z @ rng.normal(size=(factors, columns)) / 3) + 0.1 * rng.normal(size=(rows, columns))
    return ((X - X.mean(0)) / X.std(0)).astype(np.float32)


def digits(rows: int) -> np.ndarray:
    """MNIST's first rows between 0 and 1."""
    path = DATA / "mnist" / "mnist.npz"
    if not path.exists():
        print(f"  no {path}: random rows instead")
        return np.random.default_rng(0).random((rows, 784), dtype=np.float32)
    with np.load(path) as held:
        return held["x_train"][:rows].reshape(-1, 784).astype(np.float32) / 255


# -- parts ------------------------------------------------------------------------------------------------------------


def race(case: Case, titles: list[str], options: Any) -> dict[str, Any]:
    """One case for everybody named, ours first, reported."""
    case.epochs = options.epochs or case.epochs
    kinds = {title: CONTESTANTS[title.removesuffix(ONE_CORE)] for title in titles}
    case = case if case.networks > 1 else from_our_weights(case, options.rounds)
    rows = contest({"": case}, kinds, options.rounds, options.threads, options.patience)[""]
    held = {"rows": len(case.X), "widths": case.widths, "activations": case.activations}
    found = {**held, "batch_size": case.batch_size, "epochs": case.epochs, "contestants": rows}
    report(found, options)
    return found


def tabular(options: Any) -> dict[str, Any]:
    """20,000 × 30 through 64-32-64, relu (the code too: PyOD has no other), batch 256."""
    case = Case(mixture(options.cap(20_000)), [30, 64, 32, 64, 30], ["relu", "relu", "relu", "linear"])
    loops = ["azogue, compiled", "azogue", "torch, eager", "JAX scan"]
    libraries = ["torch, DataLoader", "Keras on torch", "Keras on JAX", "skorch", "PyOD AutoEncoder", "pythae AE"]
    found = race(case, [*loops, *(title + ONE_CORE for title in loops), *libraries], options)
    goals = {"PyOD AutoEncoder": 20, "torch, eager": 2.5, "JAX scan": 1.3}
    judge(found, goals, ONE_CORE)
    ours = found["contestants"][0]
    if ours.get("loop"):
        share = ours["gflops"] * ours["seconds"] / ours["loop"] / options.machine["gflops"]["one core"]
        verdict("arithmetic of the training loop, of one core's best product", share, 0.45)
    return found


PRODUCTS = """
import time, numpy as np, torch
from threadpoolctl import threadpool_limits
torch.set_num_threads(1)
threadpool_limits(1)
rng, n, widths = np.random.default_rng(0), 256, [30, 64, 32, 64, 30]
pairs = []
for k, m in zip(widths, widths[1:]):
    w, x, d = (rng.normal(size=shape).astype(np.float32) for shape in ((m, k), (k, n), (m, n)))
    pairs += [(w, x), (d, x.T), *([(w.T, d)] if pairs else [])]
flops = sum(2 * a.shape[0] * a.shape[1] * b.shape[1] for a, b in pairs)
spaces = [np.empty((len(a), b.shape[1]), np.float32) for a, b in pairs]
theirs = [tuple(map(torch.from_numpy, (a, b, out))) for (a, b), out in zip(pairs, spaces)]
ways = {
    "NumPy": lambda: [np.dot(a, b, out=out) for (a, b), out in zip(pairs, spaces)],
    "torch": lambda: [torch.mm(a, b, out=out) for a, b, out in theirs],
}
found = {name: [] for name in ways}
for _ in range(9):
    for name, way in ways.items():
        way()
        begun = time.perf_counter()
        for _ in range(300):
            way()
        found[name].append((time.perf_counter() - begun) / 300)
for name, times in found.items():
    print(name, np.median(times), flops / np.median(times) / 1e9)
"""


def products(options: Any) -> dict[str, Any]:
    """The eleven products of a step of 64-32-64 at batch 256, by torch and by NumPy's BLAS, one core."""
    done = subprocess.run([sys.executable, "-c", PRODUCTS], capture_output=True, text=True, check=True).stdout
    found = {}
    for name, seconds, rate in map(str.split, done.splitlines()):
        share = float(rate) / options.machine["gflops"]["one core"]
        print(
            f"  {name:<6} {1e6 * float(seconds):6.1f} µs, {float(rate):6.1f} GFLOP/s, {100 * share:.0f} % of the best"
        )
        found[name] = {"seconds": float(seconds), "gflops": float(rate)}
    return found


def iris(options: Any) -> dict[str, Any]:
    """150 × 4, code 2, the default network, batch 32; and the one-liner in a fresh process."""
    from sklearn.datasets import load_iris

    from azogue.layers import auto_hidden

    X = load_iris().data
    X = ((X - X.mean(0)) / X.std(0)).astype(np.float32)
    first, second = auto_hidden(rows=len(X), width=4, code=2)
    hidden = ["silu", "silu", "linear"]
    case = Case(X, [4, first, second, 2, second, first, 4], [*hidden, *hidden], batch_size=32, epochs=200)
    loops = ["azogue, compiled", "azogue", "JAX scan", "torch, eager"]
    found = race(case, [*loops, *(title + ONE_CORE for title in loops)], options)
    ours = found["contestants"][0]
    if "seconds" in ours:
        verdict("µs a step", 1e6 * (ours["loop"] or ours["seconds"]) / ours["steps"], 80, least=False)
    found["autoencode"] = one_liner(max(3, options.rounds))
    return found


ONE_LINER = """
import sys, time
import numpy as np
X = np.load(sys.argv[1])
begun = time.perf_counter()
from azogue import autoencode
loaded = time.perf_counter()
autoencode(X, 2)
print(loaded - begun, time.perf_counter() - loaded)
"""


def one_liner(times: int) -> dict[str, float]:
    """Seconds of `from azogue import autoencode` and of `autoencode(iris, 2)`, each in fresh processes."""
    from sklearn.datasets import load_iris

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "iris.npy"
        np.save(path, load_iris().data)
        command = [sys.executable, "-c", ONE_LINER, str(path)]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(times)]
    load, call = np.median([[float(part) for part in run.split()] for run in runs], axis=0)
    print(f"  az.autoencode(iris, 2): {call:.3f} s after an import of {load:.3f} s, together {load + call:.3f} s")
    verdict("seconds of az.autoencode(iris, 2) after import", call, 0.5, least=False)
    return {"import": float(load), "call": float(call)}


def wide(options: Any) -> dict[str, Any]:
    """20,000 × 784 digits, code 32 (linear), relu, batch 256: a shallow and a deeper network."""
    X, found = digits(options.cap(20_000)), {}
    titles = ["azogue, compiled", "azogue", "torch, eager", "Keras on JAX", "Keras on torch"]
    for hidden in ([], [512, 256]):
        widths = [784, *hidden, 32, *hidden[::-1], 784]
        side = [*["relu"] * len(hidden), "linear"]
        name = "-".join(map(str, widths))
        print(f"\n  {name}")
        found[name] = race(Case(X, widths, [*side, *side], epochs=5), titles, options)
        judge(found[name], {"torch, eager": 1.4, "Keras on JAX": 1.2})
    return found


def deep(options: Any) -> dict[str, Any]:
    """20,000 × 784 digits through 1000-500-250-30, silu, linear code: ours with the precision it chooses."""
    side = ["silu", "silu", "silu", "linear"]
    widths = [784, 1000, 500, 250, 30, 250, 500, 1000, 784]
    case = Case(digits(options.cap(20_000)), widths, [*side, *side], epochs=3)
    found = race(case, ["azogue, precision auto", "azogue", "torch, eager"], options)
    amx = options.machine["amx"]
    print(f"  the processor has {'' if amx else 'no '}AMX")
    judge(found, {"torch, eager": 1.8 if amx else 1.0})
    return found


def vae(options: Any) -> dict[str, Any]:
    """20,000 × 30 through 64-32-64 with a normal code: ½ squared error + divergence for everybody."""
    X, activations = mixture(options.cap(20_000)), ["relu", "linear", "relu", "linear"]
    case = Case(X, [30, 64, 32, 64, 30], activations, variational=True)
    return race(case, ["azogue", "pythae VAE", "PyOD VAE"], options)


def population(options: Any) -> dict[str, Any]:
    """32 networks of 30-16-8-16-30 on 1,000 rows, batch 32: together, and one after the other."""
    case = Case(mixture(options.cap(1_000)), [30, 16, 8, 16, 30], ["relu", "linear"] * 2, 32, 20, networks=32)
    ways = "fit_together", "one after the other"
    found = race(case, [f"azogue{kind}, {way}" for kind in (", compiled", "") for way in ways], options)
    judge(found, {"azogue, compiled, one after the other": 6, "azogue, one after the other": 6})
    return found


# -- report -----------------------------------------------------------------------------------------------------------

HEADS = "fit s", "least", "most", "µs/step", "loop", "× ours", "loss", "/ ours", "GFLOP/s", "% core", "% all"
HEADS = *HEADS, "cores", "peak MiB", "import s", "first +s"


def report(found: dict[str, Any], options: Any) -> None:
    """Print a race as a table; what compares contestants goes into their records."""
    rows, rates = found["contestants"], options.machine["gflops"]
    ours = rows[0]
    size = max(len(row["title"]) for row in rows)
    print("  " + " " * size + "".join(f"{head:>9}" for head in HEADS))
    for row in rows:
        if "seconds" not in row:
            why = ("absent", row["absent"], row.get("remedy")) if "absent" in row else ("failed", row["error"])
            print(f"  {row['title']:<{size}}  {': '.join(filter(None, why))}")
            continue
        if "seconds" in ours:
            row["ratio"] = float(np.median(np.divide(row["fits"], ours["fits"])))
            row["loss ratio"] = row["loss"] / ours["loss"]
        row["of one core"], row["of all cores"] = (row["gflops"] / rates[name] for name in ("one core", "all cores"))
        cells = [row["seconds"], row["least"], row["most"], 1e6 * row["seconds"] / row["steps"]]
        cells += [row["loop"] and 1e6 * row["loop"] / row["steps"], row.get("ratio"), row["loss"]]
        cells += [row.get("loss ratio"), row["gflops"], 100 * row["of one core"], 100 * row["of all cores"]]
        cells += [row["cores"], row["peak"], row["import"], row["first"]]
        print(f"  {row['title']:<{size}}" + "".join(f"{short(cell):>9}" for cell in cells))
    for row in rows:
        if row.get("note"):
            print(f"    {row['title']}: {row['note']}")


def short(value: float | None) -> str:
    """A number in at most eight places."""
    if value is None:
        return "–"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) >= 1 else f"{value:.4f}"


def judge(found: dict[str, Any], goals: dict[str, float], *suffixes: str) -> None:
    """Print whether we are as many times faster as promised, and whether the loss is the same within 2 %."""
    rows = {row["title"]: row for row in found["contestants"] if "ratio" in row}
    for peer, goal in goals.items():
        for suffix in ("", *suffixes):
            ours, theirs = rows.get(found["contestants"][0]["title"] + suffix), rows.get(peer + suffix)
            if ours is None or theirs is None:
                continue
            bare = peer in LOOPS and ours["loops"]
            ratio = float(np.median(np.divide(theirs["fits"], ours["loops"] if bare else ours["fits"])))
            verdict(f"times faster than {peer}{suffix}", ratio, goal)
            if abs(theirs["loss"] / ours["loss"] - 1) > 0.02:
                print(f"    but the losses differ: ours {ours['loss']:.5g}, theirs {theirs['loss']:.5g}")


def verdict(what: str, value: float, goal: float, *, least: bool = True) -> None:
    """Print a figure beside its goal."""
    met = value >= goal if least else value <= goal
    print(f"  {'met   ' if met else 'MISSED'}  {what}: {value:.3g}, goal {'≥' if least else '≤'} {goal:g}")


PARTS = {
    "tabular": tabular,
    "products": products,
    "iris": iris,
    "wide": wide,
    "deep": deep,
    "vae": vae,
    "population": population,
    "memory": memory,
    "growth": growth,
    "start": start,
}
SLOW = ("deep", "growth")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument("--rounds", type=int, default=5, help="timed fits of each contestant")
    parser.add_argument("--epochs", type=int, help="instead of the part's own")
    parser.add_argument("--rows", type=int, help="at most so many")
    parser.add_argument("--threads", type=int, help="cores and threads of each process; else what each takes by itself")
    parser.add_argument("--patience", type=float, default=900.0, help="seconds after which a fit is given up")
    parser.add_argument("--json", type=Path, help="write every number there")
    parser.add_argument("--figure", type=Path, help="draw there, .svg or .png")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.cap = lambda rows: min(rows, options.rows or rows)
    options.race, options.contestants = from_our_weights, CONTESTANTS
    return options


def main() -> None:
    """Run the parts."""
    options = parse()
    if options.worker:
        work(CONTESTANTS[options.worker])
        return
    if options.memory:
        print(measure_memory(options.memory[0], int(options.memory[1])))
        return
    options.machine = machine()
    described = {name: value for name, value in options.machine.items() if name not in ("gflops", "load")}
    print(", ".join(f"{name} {value}" for name, value in described.items()))
    print(
        "best product: " + ", ".join(f"{name} {rate:.1f} GFLOP/s" for name, rate in options.machine["gflops"].items())
    )
    if options.machine["load"] > 0.5:
        print(
            f"NOT IDLE (load {options.machine['load']:.1f}): threads that wait for others make these figures worthless"
        )
    found = {}
    for name in options.part or [part for part in PARTS if part not in SLOW]:
        print(f"\n{name}: {PARTS[name].__doc__.splitlines()[0]}")
        found[name] = PARTS[name](options)
        if options.json:
            kept = {"machine": options.machine, "rounds": options.rounds, "parts": found}
            options.json.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    if options.figure:
        figure(found, options.figure)


if __name__ == "__main__":
    main()
