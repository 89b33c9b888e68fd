"""Processes of this machine that train together with the one that starts them."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import connection, get_all_start_methods, get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch.distributed as dist
from sklearn.base import clone
from torch.distributed import FileStore, HashStore  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import _set_pg_timeout

from azogue.session import as_seed
from azogue.training.team import Team, member

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

READY = "ready"
#: Processes of one machine find each other at once or never: how long each attempt waits, and how many there are.
MEETING = timedelta(seconds=60)
MEETINGS = 3
#: How long they wait for each other at work: one may save, or tell its callbacks, for long.
WORKING = timedelta(minutes=30)
#: What differs between the process that leads and the others.
QUIET = {"callbacks": (), "verbose": 0, "checkpoint": None, "resume": False}


def quiet(estimator: Any, keep: Sequence[str] = ()) -> Any:
    """A copy that is not fitted, writes nothing and asks nobody."""
    copy = clone(estimator)
    known = copy.get_params(deep=False)
    return copy.set_params(**{name: value for name, value in QUIET.items() if name in known and name not in keep})


class LostError(RuntimeError):
    """A worker process ended before its work was done."""


class MeetingError(LostError):
    """The processes did not find each other, which a later attempt may mend."""


def fit_here(
    estimator: Any, X: Any, parameters: dict[str, Any], workers: int, shards: int, exact: bool, restarts: int
) -> None:
    """Fit in this process and `workers` − 1 others; see `distributed.fit`."""
    if dist.is_initialized():
        raise ValueError("distributed.fit: this process is in a group of torch.distributed; use distributed.join there")
    if workers == 1:
        with member(Team(shards)):
            estimator.fit(X, **parameters)
        return
    with _saved(estimator, restarts > 0):
        for left in range(restarts, -1, -1):
            try:
                with Crew(estimator, X, parameters, Team(shards, 0, workers, exact)):
                    estimator.fit(X, **parameters)
            except LostError as error:
                if not left:
                    raise RuntimeError(
                        f"distributed.fit: {error}; a script's work belongs under `if __name__ == '__main__':`; where "
                        "memory ran out, use fewer workers"
                    ) from error
                if "resume" in estimator.get_params(deep=False) and estimator.checkpoint is not None:
                    estimator.resume = True
                continue
            return


@contextmanager
def _saved(estimator: Any, wanted: bool) -> Iterator[None]:
    """Within this context, an estimator that can saves each epoch; its parameters come back."""
    known = estimator.get_params(deep=False)
    changed = {name: known[name] for name in ("checkpoint", "resume", "random_state") if name in known}
    if not wanted:
        yield
        return
    try:
        with tempfile.TemporaryDirectory(prefix="azogue-") as folder:
            if "checkpoint" in known and known["checkpoint"] is None and known.get("privacy") is None:
                estimator.checkpoint = Path(folder, "training.ckpt")
            if known.get("random_state") is not None:  # a generator would give each attempt another seed
                estimator.random_state = as_seed(known["random_state"])
            yield
    finally:
        for name, value in changed.items():
            setattr(estimator, name, value)


class Crew:
    """The other processes of a team; this one is a member too within the context.

    Parameters
    ----------
    estimator, X, parameters : what each of them fits
    team : Team
        The place of this process, the first.
    """

    def __init__(self, estimator: Any, X: Any, parameters: dict[str, Any], team: Team) -> None:
        self.team = team
        self.job = (quiet(estimator), X, parameters)
        self.processes: list[BaseProcess] = []
        self.lines: list[Connection] = []

    def __enter__(self) -> Crew:
        for left in range(MEETINGS - 1, -1, -1):
            try:
                self._gather()
                break
            except MeetingError:
                if not left:
                    raise
        self.membership = member(self.team)
        self.membership.__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self.membership.__exit__(None, None, None)
        lost = self._lost(wait=5.0) if isinstance(error, RuntimeError) else ""
        dist.destroy_process_group()
        self._end()
        if lost:
            raise LostError(lost) from error

    def _gather(self) -> None:
        """Start the processes and form a group with them; none is left behind where that fails."""
        self.folder = tempfile.TemporaryDirectory(prefix="azogue-")
        store = str(Path(self.folder.name, "store"))
        try:
            with _loopback():
                self._begin(store)
                _meet(store, 0, self.team.size)
        except BaseException:
            self._end()
            raise

    def _begin(self, store: str) -> None:
        """Start the processes all at once, then tell each its work."""
        context, team = _context(), self.team
        for rank in range(1, team.size):
            line, theirs = context.Pipe()
            place = (rank, team.size, team.shards, team.exact)
            process = context.Process(target=_work, args=(place, store, theirs), daemon=True)
            process.start()
            theirs.close()
            self.processes.append(process)
            self.lines.append(line)
        for rank, line in enumerate(self.lines, 1):
            try:
                line.send(self.job)
                answer = line.recv()
            except (EOFError, ConnectionError) as error:
                raise LostError(self._lost(wait=5.0) or f"worker {rank} did not begin") from error
            if answer != READY:
                raise LostError(f"worker {rank} failed: {answer}")

    def _lost(self, wait: float) -> str:
        """Which process ended early, and how; empty where all are at work."""
        connection.wait([process.sentinel for process in self.processes], wait)
        for rank, (process, line) in enumerate(zip(self.processes, self.lines, strict=True), 1):
            process.join(0.1)
            if process.exitcode:
                how = f"signal {-process.exitcode}" if process.exitcode < 0 else _last(line)
                return f"worker {rank} of {self.team.size} was lost: {how or f'status {process.exitcode}'}"
        return ""

    def _end(self) -> None:
        for process in self.processes:
            process.kill()
            process.join()
        for line in self.lines:
            line.close()
        self.processes, self.lines = [], []
        self.folder.cleanup()


def _context() -> Any:
    """Processes that begin clean; where there is a fork, from one that has imported what all of them need."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["azogue.autoencoder", "azogue.distributed.crew"])
    return context


def _last(line: Connection) -> str:
    """What a process said at its end."""
    try:
        return str(line.recv()) if line.poll() else ""
    except (EOFError, ConnectionError):
        return ""


def _work(place: tuple[int, int, int, bool], store: str, line: Connection) -> None:
    """The life of a process that does not lead."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process hears it too, and ends this one
    rank, size, shards, exact = place
    try:
        estimator, X, parameters = line.recv()
        line.send(READY)
        warnings.simplefilter("ignore")  # the first process warns
        with _loopback():
            _meet(store, rank, size)
        with member(Team(shards, rank, size, exact)):
            estimator.fit(X, **parameters)
    except Exception as error:  # whatever it is: the first process tells it, and this one has nobody else to
        line.send(f"{type(error).__name__}: {error}")
        raise SystemExit(1) from error
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _meet(store: str, rank: int, size: int) -> None:
    """Form a group by a file, so that no port is open to other machines or users.

    NOTE: a group gets its time limit with its making and has no other for the meeting itself; connections that are lost
    there would be waited for as long as a slow epoch is. `_set_pg_timeout` is torch's only way to change it later.
    """
    try:
        dist.init_process_group("gloo", store=FileStore(store, size), rank=rank, world_size=size, timeout=MEETING)
    except RuntimeError as error:
        _forget()
        raise MeetingError(f"worker {rank} of {size} did not meet the others: {error}") from error
    _set_pg_timeout(WORKING)


def _forget() -> None:
    """Count groups from the beginning, as new processes do; by the end of a group of one.

    NOTE: torch asks the store for keys that hold the number of the group, and one that failed keeps its number: the
    next meeting of this process would ask for keys that no other writes.
    """
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    dist.destroy_process_group()


@contextmanager
def _loopback() -> Iterator[None]:
    """Within this context, gloo listens to this machine alone, unless the user has named an interface."""
    name, names = "GLOO_SOCKET_IFNAME", [name for _, name in socket.if_nameindex()] if os.name == "posix" else []
    inside = next((name for name in names if name.startswith("lo")), None)
    if inside is None or name in os.environ:
        yield
        return
    os.environ[name] = inside
    try:
        yield
    finally:
        del os.environ[name]
