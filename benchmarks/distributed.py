"""Several processes, one result: the same bits, what they cost, and how a cluster would grow.

    python benchmarks/distributed.py                      # all that needs no Ray
    python benchmarks/distributed.py --part same --ray    # with two workers of Ray, one of which is killed
    python benchmarks/distributed.py --part growth --figure docs/figures/distributed.svg

Parts: `same` prints the SHA-256 of the weights for 1, 2, 3, 4 processes, 1 and 2 threads, with a worker killed;
`speed` times an epoch by 1 and 2 processes, exact and not; `growth` measures what a shard, a move and a batch's
gathering take here, and computes from them what an epoch would take on W machines. Figures of `speed` mean something
on a machine that is idle.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import signal
import tempfile
import time
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import torch

import azogue as az
from azogue.recipe import Rng
from azogue.session import open_session
from azogue.training.autograd import move
from azogue.training.data import together
from azogue.training.sharded import Sharded
from azogue.training.state import start
from azogue.training.team import Team, member
from azogue.training.threads import one_thread

#: bits a second and seconds of a message of the networks that `growth` imagines
NETWORKS = {"10 Gbit/s, 50 µs": (1e10, 50e-6), "1 Gbit/s, 200 µs": (1e9, 200e-6)}
WORKERS = (1, 2, 4, 8, 16)
SHARDS = 16


def table(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((rows, 8), dtype=np.float32)
    return np.tanh(hidden @ rng.standard_normal((8, columns), dtype=np.float32))


def sha(ae: Any) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(ae.network_.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


# -- the same bits ----------------------------------------------------------------------------------------------------


def unfitted(**more: Any) -> Any:
    """With batch statistics, dropout and noise: whatever could go wrong."""
    network = (
        az.Input() + az.Dense(64, "relu", normalization="batch") + az.Dropout(0.1) + az.Dense(8)
        + az.Dense(64, "relu", normalization="batch") + az.Output()
    )  # fmt: skip
    return az.DenoisingAutoencoder(network, **{"epochs": 6, "batch_size": 256, "random_state": 0, **more})


def killing(mark: Path, ray: bool) -> Any:
    """A callback that kills a worker in epoch 3, once: itself in Ray, a child of this process otherwise."""

    def kill(record: dict[str, float]) -> None:
        if record["epoch"] == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid() if ray else active_children()[0].pid, signal.SIGKILL)

    return kill


def same(options: argparse.Namespace) -> None:
    X, found = table(4_000, 20), {}

    def told(title: str, ae: Any, begun: float) -> None:
        found[title] = sha(ae)
        print(f"  {title:<46}{found[title][:32]}  {len(ae.history_)} epochs  {time.perf_counter() - begun:6.1f} s")

    for workers in (1, 2, 3, 4):
        begun = time.perf_counter()
        told(f"{workers} process{'es' * (workers > 1)}", az.distributed.fit(unfitted(), X, workers=workers), begun)
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        begun = time.perf_counter()
        ae = az.distributed.fit(unfitted(deterministic=True), X, workers=2)
        told(f"2 processes, deterministic, {threads} thread{'s' * (threads > 1)}", ae, begun)
    torch.set_num_threads(before)
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        kill = killing(Path(folder, "gloo"), False)
        told("2 processes, one killed in epoch 3", az.distributed.fit(unfitted(callbacks=kill), X), begun)
        if options.ray:
            begun = time.perf_counter()
            kill = killing(Path(folder, "ray"), True)
            ae = az.distributed.fit(unfitted(callbacks=kill), X, backend="ray")
            told("2 workers of Ray, one killed in epoch 3", ae, begun)
            for rows in (4_000, 999):
                begun = time.perf_counter()
                equal = bool((az.distributed.score(ae, X, rows=rows) == ae.errors(X)).all())
                print(f"  scores by Ray, parts of {rows:>5} rows: equal {equal}  {time.perf_counter() - begun:6.1f} s")
    print(f"  {len(set(found.values()))} result(s) among {len(found)} runs")
    if len(set(found.values())) > 1:
        raise SystemExit("the bits differ")


# -- what it costs ----------------------------------------------------------------------------------------------------


CASES = {
    "784-1000-500-250-30, batch 2048": ((1000, 500, 250, 30), 784, 2048, 4_096),
    "100-256-64-16, batch 1024": ((256, 64, 16), 100, 1024, 16_384),
}


def speed(options: argparse.Namespace) -> None:
    """Seconds of an epoch, the least of all but the first: processor time of the first process, and by the clock."""
    for title, (network, columns, batch, rows) in CASES.items():
        X = table(rows, columns)
        print(f"  {title}, {rows:,} rows")
        for what, given in {
            "1 process, no shards": None,
            "1 process, 8 shards": {"workers": 1},
            "1 process, 2 shards": {"workers": 1, "shards": 2},
            "2 processes, 8 shards": {"workers": 2},
            "2 processes, 2 shards": {"workers": 2, "shards": 2},
            "2 processes, exact=False": {"workers": 2, "exact": False},
        }.items():
            spent: list[float] = []
            ae = az.Autoencoder(
                network, epochs=options.epochs, batch_size=batch, random_state=0, precision="float32",
                validation_fraction=0.0, deterministic=True,
                callbacks=lambda _, spent=spent: spent.append(time.process_time()),
            )  # fmt: skip
            ae.fit(X) if given is None else az.distributed.fit(ae, X, restarts=0, **given)
            seconds = min(record["seconds"] for record in ae.history_[1:])
            print(f"    {what:<28}{np.diff(spent).min():8.3f} s of processor time, {seconds:8.3f} s by the clock")


# -- growth -----------------------------------------------------------------------------------------------------------


def measured(network: tuple[int, ...], columns: int, batch: int, rows: int) -> dict[str, float]:
    """Processor seconds, on one thread, of a shard, of what every process does in a step, and bytes of a gradient."""

    def cost(work: Any, times: int = 7) -> float:
        found = []
        for _ in range(times):
            begun = time.process_time()
            work()
            found.append(time.process_time() - begun)
        return min(found)

    X = table(rows, columns)
    ae = az.Autoencoder(network, batch_size=batch, random_state=0, precision="float32", validation_fraction=0.0)
    with member(Team(SHARDS)):
        session = open_session(ae, X, None, 0)
    state, engine = start(session.network, session.recipe), Sharded(Team(SHARDS))
    rng = np.random.default_rng(0)
    where = [torch.from_numpy(rng.permutation(rows)[:batch]) for _ in range(8)]
    piece = together([session.data.take(where[0])])

    with one_thread():
        engine.step([state], piece)  # makes what is made once
        player = next(iter(state.players.values()))
        moved = cost(lambda: move(player, session.recipe, 1e-3))
        flat = type(piece)(piece.x[0], None if piece.mask is None else piece.mask[0])
        alone = cost(lambda: engine._gradients(state, player, flat, Rng(0)))
        gather = cost(lambda: [session.data.take(index) for index in where]) / len(where)
    size = sum(p.numel() for p in session.network.parameters())
    return {"shard": alone / SHARDS, "alike": moved + gather, "bytes": 4.0 * size}


def epoch(cost: dict[str, float], workers: int, steps: int, net: tuple[float, float]) -> float:
    """`steps · (S/W · shard + alike + 2 (W − 1)/W · 8 · bytes/bandwidth + 2 · latency)`, the last two for W > 1."""
    sent = 2 * (workers - 1) / workers * 8 * cost["bytes"] / net[0] + 2 * net[1] if workers > 1 else 0.0
    return steps * (-(-SHARDS // workers) * cost["shard"] + cost["alike"] + sent)


def growth(options: argparse.Namespace) -> None:
    drawn: dict[str, Any] = {}
    for title, (network, columns, batch, rows) in CASES.items():
        cost = measured(network, columns, batch, rows)
        print(
            f"  {title}, {SHARDS} shards: a shard {1e3 * cost['shard']:.2f} ms, alike in all "
            f"{1e3 * cost['alike']:.2f} ms a step, {cost['bytes'] / 1e6:.1f} MB of gradient (processor time, 1 thread)"
        )
        for name, net in NETWORKS.items():
            print(f"    seconds of an epoch, {name}" + "".join(f"{f'W = {w}':>10}" for w in WORKERS))
            for count in (10**5, 10**6, 10**7):
                times = [epoch(cost, workers, -(-count // batch), net) for workers in WORKERS]
                drawn[title, name, count] = times
                cells = "".join(f"{value:>10.1f}" for value in times)
                print(f"    {f'{count:,} rows':>40}{cells}   {times[0] / times[-1]:.1f} times at {WORKERS[-1]}")
    if options.figure:
        figure(drawn, options.figure)


def figure(drawn: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    page = Figure(figsize=(11, 4.4), layout="constrained")
    for axes, title in zip(page.subplots(1, 2), CASES, strict=True):
        for count, shade in ((10**5, 0.35), (10**6, 0.65), (10**7, 1.0)):
            for name, style in zip(NETWORKS, ("-", "--"), strict=True):
                times = drawn[title, name, count]
                axes.plot(WORKERS, times, style, marker="o", ms=4, color=(0.1, 0.3, 0.6, shade))
                axes.annotate(
                    f"{count:,} rows", (WORKERS[0], times[0]), (4, 6), textcoords="offset points", fontsize=8
                ) if style == "-" else None
            ideal = [drawn[title, next(iter(NETWORKS)), count][0] / workers for workers in WORKERS]
            axes.plot(WORKERS, ideal, ":", color="0.6", lw=1)
        axes.set(xscale="log", yscale="log", xticks=WORKERS, xlabel="workers", title=title)
        axes.set_xticklabels([str(workers) for workers in WORKERS])
        axes.minorticks_off()
    page.axes[0].set_ylabel("seconds of an epoch (computed from measured parts)")
    names = list(NETWORKS)
    page.suptitle(f"solid: {names[0]}; dashed: {names[1]}; dotted: time / workers", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    print(f"  drawn to {path}")


def main() -> None:
    parts = {"same": same, "speed": speed, "growth": growth}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=parts, help="default: all")
    parser.add_argument("--ray", action="store_true", help="two workers of Ray as well")
    parser.add_argument("--epochs", type=int, default=4, help="of each run of `speed`")
    parser.add_argument("--figure", type=Path, help="draw `growth` there, .svg or .png")
    options = parser.parse_args()
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{platform.machine()}, {os.cpu_count()} processors{load}, torch {torch.__version__}")
    for part in options.part or parts:
        print(part)
        parts[part](options)


if __name__ == "__main__":
    main()
