"""One search under way: vectors become genomes, genomes are looked up or trained, the budget is kept."""

from __future__ import annotations

import hashlib
import json
import math
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from multiprocessing import get_context
from typing import Any

import numpy as np

from azogue.autoencoder import Autoencoder
from azogue.distributed.cluster import Tasks, cluster
from azogue.search.bars import Bars, Mark, loss_kind
from azogue.search.cache import Cache, Record
from azogue.search.evaluation import OUT_OF_MEMORY, Bench
from azogue.search.space import Genome
from azogue.search.strategies import WHOLE, WORST, Share, Spent, Vectors
from azogue.session import batch_size_of
from azogue.training import native

#: Rounds without anything new after which a space counts as searched through.
STALE = 30
#: Candidates between two looks at the clock and at callbacks, for each process.
CHUNK = 4
_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True)
class Budget:
    """How long a search goes on: candidates trained in full, or seconds.

    Examples
    --------
    >>> Budget.of(40), Budget.of("5min")
    (Budget(candidates=40.0, seconds=None), Budget(candidates=None, seconds=300.0))
    """

    candidates: float | None = None
    seconds: float | None = None

    @classmethod
    def of(cls, given: Any) -> Budget:
        """A number of candidates, or a time such as `"90s"`, `"5min"`, `"1h"`.

        Raises
        ------
        ValueError
            For anything else, or less than one candidate.
        """
        told = "expected a number of candidates of at least 1, or a time such as '90s', '5min' or '1h'"
        if isinstance(given, str) and not given.strip().isdecimal():
            match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(s|sec|m|min|h)\s*", given)
            if match is None or float(match[1]) <= 0:
                raise ValueError(f"budget: {told}, got {given!r}")
            return cls(seconds=float(match[1]) * _UNITS[match[2]])
        if isinstance(given, bool) or not isinstance(given, (int, float, np.number, str)):
            raise ValueError(f"budget: {told}, got {given!r}")
        number = float(given)
        if not 1 <= number < math.inf:
            raise ValueError(f"budget: {told}, got {given!r}")
        return cls(candidates=number)


#: Steps of all candidates together from which compiling them pays.
WORTH_COMPILING = 40_000


def engine_of(base: Autoencoder, rows: int, budget: Budget) -> str:
    """What trains candidates: compiled steps where they are installed and a search is long, though no fit may be.

    Parameters
    ----------
    base : Autoencoder
        What candidates share; an engine that it names is kept.
    rows : int
        Training rows.
    budget : Budget
        A time counts as long from a minute.
    """
    steps = (budget.candidates or 0.0) * base.epochs * -(-rows // batch_size_of(base.batch_size, rows, None))
    long = steps >= WORTH_COMPILING or (budget.seconds or 0.0) >= 60.0
    return "native" if base.engine == "auto" and long and native.installed() else base.engine


class WorkerError(RuntimeError):
    """A worker process ended by itself, or by somebody else."""


@dataclass
class Trial:
    """A candidate that was looked at: its genome, what was spent on it, what it is worth."""

    genome: Genome
    share: Share
    record: Record
    fitness: float
    complexity: float

    @property
    def order(self) -> tuple[Any, ...]:
        """Trials in this order, the best first: those that were trained in full and not given up come first."""
        return (-self.share[0] * self.share[1], bool(self.record["reason"]), self.fitness)


@dataclass
class Study:
    """What a strategy asks, and what is kept of the answers.

    Parameters
    ----------
    bench : Bench
    budget : Budget
    cache : Cache
    settings : dict
        What besides genome and data decides on a candidate's worth; JSON values.
    callbacks : sequence of callable
        Called with a dictionary after each few candidates: `candidates`, `spent`, `best`, `error`, `genome`; `True`
        ends the search.
    n_jobs : int or "ray"
        Processes of this machine, or as many tasks of a Ray cluster as it has processors.
    """

    bench: Bench
    budget: Budget
    cache: Cache
    settings: dict[str, Any]
    callbacks: Sequence[Callable[[dict[str, Any]], object]] = ()
    n_jobs: int | str = 1
    trials: dict[str, Trial] = field(default_factory=dict)
    spent: float = 0.0
    stopped: str = ""
    begun: float = field(default_factory=time.perf_counter)
    _stale: int = 0
    _losses: dict[Share, dict[str, Mark]] = field(default_factory=dict)
    _leaders: dict[Share, Trial] = field(default_factory=dict)
    _pool: Any = None
    _jobs: int = 1

    def __call__(self, vectors: Vectors, share: Share = WHOLE) -> Vectors:
        """Vectors → their fitness; see `strategies.Ask`."""
        genomes = [self.bench.space.genome(vector) for vector in np.atleast_2d(vectors)]
        keys = [self._key(genome, share) for genome in genomes]
        new = {key: genome for key, genome in zip(keys, genomes, strict=True) if key not in self.trials}
        self._stale = 0 if new else self._stale + 1
        if self._stale >= STALE:
            self._end("nothing new")
        self._look_at(new, share)
        self._raise_bars()
        return np.array([min(self.trials[key].fitness, WORST) for key in keys])

    @property
    def best(self) -> Trial | None:
        """The best trial so far, None while there is none that worked."""
        worked = [trial for trial in self.trials.values() if math.isfinite(trial.fitness)]
        return min(worked, key=lambda trial: trial.order) if worked else None

    @contextmanager
    def at_work(self) -> Iterator[Study]:
        """Have worker processes where several are wanted; end them in any case."""
        with ExitStack() as stack:
            if self.n_jobs == "ray":
                stack.enter_context(cluster())
                self._pool = Tasks(_judge_there, self.bench)
                self._jobs = self._pool.count
            elif isinstance(self.n_jobs, int) and self.n_jobs > 1:
                self._jobs = self.n_jobs
                workers = ProcessPoolExecutor(self._jobs, get_context("spawn"), _open, (self.bench,))
                stack.callback(workers.shutdown, wait=True, cancel_futures=True)
                self._pool = workers
            yield self

    def _key(self, genome: Genome, share: Share) -> str:
        """What decides on a candidate's worth, as a hash."""
        text = json.dumps([self.settings, genome, share], sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def _look_at(self, new: dict[str, Genome], share: Share) -> None:
        """Look up or train what is new, a few at a time, as long as the budget lasts."""
        cost, left = share[0] * share[1], list(new.items())
        if self.budget.candidates is not None:
            room = int((self.budget.candidates - self.spent) / cost + 1e-9)
            left, over = left[:room], len(left) > room
        else:
            over = False
        while left:
            size = 1 if not self.trials else CHUNK * self._jobs
            if self.used() >= 1 and self.trials:
                self._end("time")
            part, left = dict(left[:size]), left[size:]
            records = self._records(part, share)
            for key, genome in part.items():
                self._keep(key, genome, share, records[key])
                self.spent += cost
                self._tell()
        if over:
            self._end("budget")

    def used(self) -> float:
        """The part of the time that is gone, 0 where there is no limit."""
        return 0.0 if self.budget.seconds is None else (time.perf_counter() - self.begun) / self.budget.seconds

    def _end(self, reason: str) -> None:
        self.stopped = reason
        raise Spent(reason)

    def _records(self, part: dict[str, Genome], share: Share) -> dict[str, Record]:
        """What candidates are worth, from the cache where it is known there."""
        bars, price = self._bars(share), self.bench.price
        known = {key: genome for key, genome in part.items() if key in self.cache}
        found = {
            key: self.cache[key] for key, genome in known.items() if bars.hold(self.cache[key], genome, price(genome))
        }
        groups: dict[str, list[str]] = {}
        for key, genome in part.items():
            if key not in found:
                shape = json.dumps({name: value for name, value in genome.items() if name != "learning_rate"})
                groups.setdefault(shape, []).append(key)
        tasks = [([part[key] for key in keys], share, bars) for keys in groups.values()]
        for keys, records in zip(groups.values(), self._worked(tasks), strict=True):
            for key, record in zip(keys, records, strict=True):
                found[key] = record
                if record["reason"] != OUT_OF_MEMORY:
                    self.cache[key] = record
        return {key: found[key] for key in part}

    def _worked(self, tasks: Sequence[tuple[list[Genome], Share, Bars]]) -> Iterator[list[Record]]:
        """Results in the order of the tasks, whoever is done first."""
        if self._pool is None:
            yield from (self.bench.judge(*task) for task in tasks)
            return
        before = () if self.n_jobs == "ray" else (_judge,)
        try:
            waiting = [self._pool.submit(*before, *task) for task in tasks]
            for future in waiting:
                yield future.result()
        except BrokenProcessPool as error:
            raise WorkerError(
                "ArchitectureSearch: a worker process died; of a script, the part that searches belongs under "
                "`if __name__ == '__main__':`; or use n_jobs=1"
            ) from error

    def _keep(self, key: str, genome: Genome, share: Share, record: Record) -> None:
        complexity, error = self.bench.space.complexity(genome, self.bench.formula), record["error"]
        fitness = math.inf if error is None else error + self.bench.price(genome)
        self.trials[key] = Trial(genome, share, record, fitness, complexity)

    def _bars(self, share: Share) -> Bars:
        """Where candidates are given up from here on, of those that are trained with a share."""
        losses = dict(self._losses.get(share, {}))
        if share not in self._leaders:
            return Bars(losses)
        leader = self._leaders[share]
        price = self.bench.price(leader.genome)
        return Bars(losses, tuple(error + price for error in leader.record["folds"]))

    def _raise_bars(self) -> None:
        """What others of a kind reached, and the best on each fold, is what the next generation has to come near to.

        A loss says nothing of an `objective`.
        """
        for trial in self.trials.values():
            loss, share = trial.record["loss"], trial.share
            if trial.record["reason"] or not math.isfinite(trial.fitness):
                continue
            if share not in self._leaders or trial.fitness < self._leaders[share].fitness:
                self._leaders[share] = trial
            if self.bench.scorer is None and loss > 0:
                marks, kind = self._losses.setdefault(share, {}), loss_kind(trial.genome)
                if kind not in marks or loss < marks[kind].loss:
                    marks[kind] = Mark(loss, trial.record["error"], self.bench.price(trial.genome))

    def _tell(self) -> None:
        best = self.best
        record = {
            "candidates": len(self.trials),
            "spent": self.spent,
            "seconds": time.perf_counter() - self.begun,
            "best": None if best is None else best.fitness,
            "error": None if best is None else best.record["error"],
            "genome": None if best is None else best.genome,
        }
        verdicts = [callback(dict(record)) for callback in self.callbacks]
        if any(verdict is True for verdict in verdicts):
            self._end("callback")


def versions() -> dict[str, str]:
    """What decides on the bits of a result besides its inputs."""
    return {name: version(name) for name in ("azogue", "torch", "numpy")}


_BENCH: list[Bench] = []


def _open(bench: Bench) -> None:
    """Begin a worker process, which the keyboard ends only while it works."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _BENCH[:] = [bench]


def _judge_there(bench: Bench, *task: Any) -> list[Record]:
    """Work for a task of a cluster."""
    return bench.judge(*task)


def _judge(genomes: Sequence[Genome], share: Share, bars: Bars) -> list[Record]:
    """Work for a worker process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _BENCH[0].judge(genomes, share, bars)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
