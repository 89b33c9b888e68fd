"""What `speed.py` races in: cases, contestants, their processes, and the measure of the machine.

This file is not run by itself: see `python benchmarks/speed.py --help`. Every contestant lives in a process of its
own, so that back ends, thread pools and memory do not mix; the processes wait on a pipe, and only one works at a time.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import select
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
#: a contestant whose title ends so is confined to one core
ONE_CORE = ", 1 core"
#: seconds between two fits, in which the threads of the last one fall asleep
SETTLE = 0.2
Weights = list[tuple[np.ndarray, np.ndarray]]


@dataclass
class Case:
    """Rows, and what is to be trained on them.

    Parameters
    ----------
    X : ndarray of float32, shape (n, widths[0])
    widths : list of int
        Of every layer, input and output included.
    activations : list of str
        One for each dense layer: `linear`, `relu` or `silu`.
    batch_size, epochs : int
    learning_rate : float
    variational : bool
        The code is a normal distribution; the layer before it has twice its width (means, log variances).
    networks : int
        How many networks a fit trains.
    weights : dict of list of (matrix (out, in), bias)
        Initial weights for each seed.
    """

    X: np.ndarray
    widths: list[int]
    activations: list[str]
    batch_size: int = 256
    epochs: int = 20
    learning_rate: float = 1e-3
    variational: bool = False
    networks: int = 1
    weights: dict[int, Weights] = field(default_factory=dict)

    @property
    def code(self) -> int:
        """The place of the code among the dense layers."""
        return len(self.activations) // 2 - 1

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """(out, in) of each dense layer's matrix."""
        double = self.code if self.variational else -1
        pairs = enumerate(zip(self.widths[1:], self.widths[:-1], strict=True))
        return [(out * (2 if at == double else 1), seen) for at, (out, seen) in pairs]

    @property
    def flops_per_row(self) -> int:
        """Arithmetic of training on one row: 6 Σ weights, but nobody needs the gradient of the rows themselves."""
        sizes = [out * seen for out, seen in self.shapes]
        return 6 * sum(sizes) - 2 * sizes[0]

    def save(self, path: Path) -> None:
        """Write the case for a worker."""
        arrays = {
            f"{seed}/{at}/{part}": value
            for seed, layers in self.weights.items()
            for at, layer in enumerate(layers)
            for part, value in enumerate(layer)
        }
        plain = {name: value for name, value in vars(self).items() if name not in ("X", "weights")}
        np.savez(path, X=self.X, plain=json.dumps(plain), **arrays)

    @classmethod
    def load(cls, path: Path) -> Case:
        """Read what `save` wrote."""
        with np.load(path) as held:
            case = cls(held["X"], **json.loads(str(held["plain"])))
            for seed in {int(name.split("/")[0]) for name in held.files if "/" in name}:
                pairs = [(held[f"{seed}/{at}/0"], held[f"{seed}/{at}/1"]) for at in range(len(case.activations))]
                case.weights[seed] = pairs
        return case


class Contestant:
    """Trains the case's network; a subclass is one library or loop."""

    title: ClassVar[str] = ""
    #: what `pip install` needs
    pip: ClassVar[str] = "torch"
    #: environment of the process, there before anything is imported
    ENV: ClassVar[dict[str, str]] = {}
    #: modules whose import is timed
    IMPORTS: ClassVar[tuple[str, ...]] = ()
    #: what it does differently and has no switch for
    NOTE: ClassVar[str] = ""
    #: seconds of the training loop alone, where `fit` does more
    loop: float | None = None

    def __init__(self) -> None:
        for name in self.IMPORTS:
            import_module(name)

    def take(self, case: Case) -> None:
        """Get a case to train."""
        self.case = case

    @property
    def batches(self) -> int:
        """Steps of an epoch."""
        return -(-len(self.case.X) // self.case.batch_size)

    @property
    def note(self) -> str:
        """What the table says about the last fit."""
        return self.NOTE

    def fit(self, seed: int) -> None:
        """Train afresh, from the initial weights of `seed`."""
        raise NotImplementedError

    def reconstruct(self) -> np.ndarray:
        """The training rows as the trained network gives them back, through the mean of a variational code."""
        raise NotImplementedError


# -- inside a contestant's process ------------------------------------------------------------------------------------


def status(name: str = "VmRSS") -> float:
    """MiB that this process holds, or held at most (`VmHWM`)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(name + ":"))) / 1024


def forget_peak() -> None:
    """Let the peak start from here, where the kernel allows it."""
    Path("/proc/self/clear_refs").write_text("5")


def work(kind: type[Contestant]) -> None:
    """Answer a line of JSON with a line of JSON until standard input ends; whatever libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    contestant: Any = None
    base = 0.0
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any] = {}
        try:
            begun = time.perf_counter()
            if order["do"] == "import":
                contestant = kind()
                answer["seconds"] = time.perf_counter() - begun
            elif order["do"] == "case":
                contestant.take(Case.load(Path(order["path"])))
                gc.collect()
                forget_peak()
                base = status()
            else:
                answer = _fit(contestant, order["seed"], base)
        except ModuleNotFoundError as error:
            answer = {"absent": str(error)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _fit(contestant: Contestant, seed: int, base: float) -> dict[str, Any]:
    gc.collect()
    contestant.loop = None
    begun, busy = time.perf_counter(), time.process_time()
    contestant.fit(seed)
    seconds, busy = time.perf_counter() - begun, time.process_time() - busy
    peak, case = status("VmHWM") - base, contestant.case
    found = contestant.reconstruct()
    loss = float(np.mean([np.mean(np.square(rows - case.X, dtype=np.float64)) for rows in _members(found, case)]))
    epochs, batches = case.networks * case.epochs, contestant.batches
    return {
        "seconds": seconds,
        "busy": busy,
        "loop": contestant.loop,
        "steps": epochs * batches,
        "rows": epochs * min(len(case.X), batches * case.batch_size),
        "loss": loss,
        "peak": peak,
        "note": contestant.note,
    }


def _members(found: np.ndarray, case: Case) -> Iterator[np.ndarray]:
    if not np.isfinite(found).all():
        raise FloatingPointError("the reconstruction is not finite")
    yield from found if found.ndim == 3 else [found]
    if found.shape[-2:] != case.X.shape:
        raise ValueError(f"reconstruction of {found.shape} for rows {case.X.shape}")


# -- outside ----------------------------------------------------------------------------------------------------------


@contextmanager
def cores(count: int | None) -> Iterator[None]:
    """Processes started within are confined to `count` cores."""
    if count is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(mine)[:count]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


class Worker:
    """A contestant's process."""

    def __init__(self, title: str, kind: type[Contestant], threads: int | None, patience: float) -> None:
        count = 1 if title.endswith(ONE_CORE) else threads
        limit = {} if count is None else {"OMP_NUM_THREADS": str(count)}
        self.patience, self.errors = patience, tempfile.TemporaryFile("w+")  # noqa: SIM115
        with cores(count):
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "speed.py"), "--worker", kind.title],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
                env={**os.environ, "PYTHONWARNINGS": "ignore", **limit, **kind.ENV},
            )

    def ask(self, **order: Any) -> dict[str, Any]:
        """Send an order and wait for the answer; whatever goes wrong is in its `error`."""
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
        except (BrokenPipeError, ValueError):
            return {"error": self._ended()}
        if not select.select([self.process.stdout], [], [], self.patience)[0]:
            self.process.kill()
            return {"error": f"took longer than {self.patience:g} s"}
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": self._ended()}

    def _ended(self) -> str:
        code = self.process.wait()
        self.errors.seek(0)
        last = self.errors.read().strip().splitlines()[-1:]
        return " ".join([f"the process ended with status {code}", *last])[:200]

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def contest(
    cases: dict[str, Case], kinds: dict[str, type[Contestant]], rounds: int, threads: int | None, patience: float
) -> dict[str, list[dict[str, Any]]]:
    """Race on each case: a first fit of everybody, then round after round, each starting with another contestant.

    Parameters
    ----------
    cases : dict
        By name; the processes live through all of them.
    kinds : dict
        The contestants by title, ours first. A title may end in `ONE_CORE`.
    rounds : int
        Timed fits of each contestant; round r starts from the weights of seed r.
    threads : int or None
        Cores and threads of each process; None: what each takes by itself.
    patience : float
        Seconds after which a contestant is given up.

    Returns
    -------
    dict of list of dict
        For each case a record for each contestant: `title` and either `absent`, `error`, or what `speed` reports.
    """
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path, workers, imports = Path(folder) / "case.npz", {}, {}
        for title, kind in kinds.items():
            workers[title] = Worker(title, kind, threads, patience)
            stack.callback(workers[title].close)
            imports[title] = workers[title].ask(do="import")
        result = {}
        for name, case in cases.items():
            case.save(path)
            first = {title: answer for title, answer in imports.items() if "seconds" not in answer}
            for title in [title for title in kinds if title not in first]:
                first[title] = workers[title].ask(do="case", path=str(path)) or workers[title].ask(do="fit", seed=0)
            fits = _rounds(workers, first, rounds)
            result[name] = [_record(t, kinds[t], case, imports[t], first[t], fits[t]) for t in kinds]
        return result


def _rounds(workers: dict[str, Worker], first: dict[str, Any], rounds: int) -> dict[str, list[dict[str, Any]]]:
    titles = [title for title, answer in first.items() if "steps" in answer]
    fits: dict[str, list[dict[str, Any]]] = {title: [] for title in first}
    for number in range(rounds):
        start = number % max(1, len(titles))
        for title in titles[start:] + titles[:start]:
            if not fits[title] or "steps" in fits[title][-1]:
                time.sleep(SETTLE)
                fits[title].append(workers[title].ask(do="fit", seed=number))
    return fits


def _record(
    title: str, kind: type[Contestant], case: Case, imported: dict, first: dict, fits: list[dict]
) -> dict[str, Any]:
    if bad := [answer for answer in (first, *fits) if "steps" not in answer]:
        remedy = {} if kind.pip == "azogue" or "absent" not in bad[0] else {"remedy": f"pip install {kind.pip}"}
        return {"title": title, **bad[0], **remedy}
    seconds = [fit["seconds"] for fit in fits]
    usual = float(np.median(seconds))
    loops = [fit["loop"] for fit in fits if fit["loop"] is not None]
    return {
        "title": title,
        "fits": seconds,
        "seconds": usual,
        "least": min(seconds),
        "most": max(seconds),
        "loops": loops,
        "loop": float(np.median(loops)) if loops else None,
        "cores": float(np.median([fit["busy"] / fit["seconds"] for fit in fits])),
        "steps": fits[0]["steps"],
        "losses": [fit["loss"] for fit in fits],
        "loss": float(np.median([fit["loss"] for fit in fits])),
        "gflops": case.flops_per_row * fits[0]["rows"] / usual / 1e9,
        "peak": max(fit["peak"] for fit in (first, *fits)),
        "import": imported["seconds"],
        "first": first["seconds"] - usual,
        "note": fits[-1]["note"],
    }


# -- the machine ------------------------------------------------------------------------------------------------------

PRODUCT = """
import time, torch
a, b = torch.rand(2000, 2000), torch.rand(2000, 2000)
best = 1e9
for _ in range(15):
    begun = time.perf_counter()
    torch.mm(a, b)
    best = min(best, time.perf_counter() - begun)
print(2 * 2000**3 / best / 1e9, torch.__version__, bool(getattr(torch.cpu, "_is_amx_tile_supported", bool)()))
"""


def machine() -> dict[str, Any]:
    """Processor, versions, and the best rate of a product of float32 matrices, 2000 × 2000, on one core and on all."""
    model, load = platform.processor(), os.getloadavg()[0]
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    found = {}
    for name, count in (("one core", 1), ("all cores", None)):
        free = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
        with cores(count):
            done = subprocess.run([sys.executable, "-c", PRODUCT], capture_output=True, text=True, check=True, env=free)
        rate, torch, amx = done.stdout.split()
        found[name] = float(rate)
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(),
        "load": load,
        "python": platform.python_version(),
        "torch": torch,
        "numpy": np.__version__,
        "amx": amx == "True",
        "gflops": found,
    }
