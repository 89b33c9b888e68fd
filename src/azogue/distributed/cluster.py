"""Ray: it places workers, restarts and schedules them. What they compute, and in which order, is not its business."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azogue import persistence
from azogue.distributed.crew import quiet
from azogue.training.team import Team, leads, member

CHECKPOINT, MODEL, FAULT = "training.ckpt", "model.azogue", "fault.json"
#: What is wrong with rows or parameters in one worker is so in all, and would be again: no reason to restart.
FAULTS = (ValueError, TypeError, FloatingPointError)
#: Of a cluster that is started here: bytes of its object store, which spills to disk, and its workers.
STORE, WORKERS = 256 * 2**20, 2
#: Ray takes 127.0.0.1 for a name of the machine's address in the network, and stays inside on other systems by itself.
LOOPBACK = {"_node_ip_address": "127.0.0.2"} if sys.platform == "linux" else {}
#: Who may ask a cluster that is started here: this process and its children, which inherit it.
_TOKEN = secrets.token_hex(32)


def library() -> Any:
    """Ray itself.

    Raises
    ------
    ImportError
        Where it is absent, naming the extra.
    """
    try:
        import ray
    except ImportError as error:
        raise ImportError('Ray is not installed; the extra brings it: pip install "azogue[ray]"') from error
    return ray


@contextmanager
def cluster(address: str | None = None, workers: int = WORKERS) -> Iterator[Any]:
    """Ray, connected: to what `ray.init` has joined, to `address` or `RAY_ADDRESS`, or to workers of this machine.

    A cluster that is started here takes no dashboard, reports no usage and asks for a token; it is ended afterwards.
    Others are left as they are.
    """
    ray = library()
    if ray.is_initialized():
        yield ray
        return
    there = address or os.environ.get("RAY_ADDRESS")
    with _environment({} if there else _private()):
        if there:
            ray.init(address=there, log_to_driver=False)
        else:
            ray.init(
                address="local",
                num_cpus=workers,
                **LOOPBACK,
                include_dashboard=False,
                object_store_memory=STORE,
                log_to_driver=False,
                logging_level="ERROR",
            )
        try:
            yield ray
        finally:
            ray.shutdown()


def _private() -> dict[str, str]:
    """What keeps a local cluster to itself; the user's own settings come first.

    Ray ≥ 2.59 asks for a token on clusters that `ray.init` starts, unless `RAY_AUTH_MODE=disabled`. Without one of the
    user's it would write one into the home folder: instead there is one for the life of this process.
    """
    wanted = {"RAY_USAGE_STATS_ENABLED": "0"}
    if "RAY_AUTH_TOKEN_PATH" not in os.environ and not Path("~/.ray/auth_token").expanduser().exists():
        wanted["RAY_AUTH_TOKEN"] = _TOKEN
    return {name: value for name, value in wanted.items() if name not in os.environ}


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    os.environ.update(changes)
    try:
        yield
    finally:
        for name in changes:
            os.environ.pop(name, None)


# -- training ---------------------------------------------------------------------------------------------------------


def fit_there(
    estimator: Any,
    X: Any,
    parameters: dict[str, Any],
    place: tuple[int, int, bool],
    restarts: int,
    address: str | None,
    storage: Any,
) -> None:
    """Fit by workers of Ray Train and take over what the first of them ends with; see `distributed.fit`."""
    workers, _, _ = place
    with cluster(address, workers) as ray, tempfile.TemporaryDirectory(prefix="azogue-") as folder:
        from ray import train
        from ray.train.torch import TorchConfig, TorchTrainer

        sent = quiet(estimator, keep=("callbacks",))
        trainer = TorchTrainer(
            _train,
            train_loop_config={"job": [ray.put((sent, X, parameters))], "place": place},
            scaling_config=train.ScalingConfig(num_workers=workers),
            torch_config=TorchConfig(backend="gloo"),
            run_config=train.RunConfig(
                name=f"azogue-{secrets.token_hex(4)}",
                storage_path=os.fspath(storage or folder),
                failure_config=train.FailureConfig(max_failures=restarts),
                checkpoint_config=train.CheckpointConfig(num_to_keep=2),
            ),
        )
        try:
            last: Any = trainer.fit().checkpoint
        except train.TrainingFailedError as error:
            raise RuntimeError(f"distributed.fit: workers of Ray failed more than {restarts} times: {error}") from error
        with last.as_directory() as held:
            if (fault := Path(held, FAULT)).exists():
                kind, message = json.loads(fault.read_text(encoding="utf-8"))
                raise FAULTS[kind](message)
            found = persistence.load(Path(held, MODEL), modules=_modules(estimator))
    for name, value in vars(found).items():
        if name.endswith("_") and not name.startswith("_"):
            setattr(estimator, name, value)


def _modules(estimator: Any) -> Any:
    """The pair of modules that a network is made of, whose code no file holds; None where it is layers."""
    fixed: Any = getattr(estimator, "network", None)
    pair = isinstance(fixed, (tuple, list)) and len(fixed) == 2 and all(hasattr(part, "parameters") for part in fixed)
    return tuple(fixed) if pair else None


def _train(config: dict[str, Any]) -> None:
    """What each worker of Ray Train does, from the last checkpoint on if there is one."""
    import ray
    from ray import train

    estimator, X, parameters = ray.get(config["job"][0])
    workers, shards, exact = config["place"]
    rank, latest = train.get_context().get_world_rank(), train.get_checkpoint()
    with tempfile.TemporaryDirectory(prefix="azogue-") as folder:
        report = _Report(Path(folder))
        if "checkpoint" in estimator.get_params(deep=False):
            if latest is not None and rank == 0:
                with latest.as_directory() as held:
                    shutil.copy(Path(held, CHECKPOINT), report.written)
            estimator.set_params(checkpoint=report.written, resume=True)
        with member(Team(shards, rank, workers, exact, after=report)):
            try:
                estimator.fit(X, **parameters)
            except FAULTS as error:
                kind = next(at for at, known in enumerate(FAULTS) if isinstance(error, known))
                (report.out / FAULT).write_text(json.dumps([kind, str(error)]), encoding="utf-8")
            else:
                if "checkpoint" in estimator.get_params(deep=False):
                    estimator.set_params(checkpoint=None, resume=False)
                if rank == 0:
                    persistence.save(estimator, report.out / MODEL)
            report(final=True)


class _Report:
    """Hands the first worker's files to Ray when an epoch is saved; all workers wait for that.

    Parameters
    ----------
    folder : Path
        Of this worker.
    """

    def __init__(self, folder: Path) -> None:
        self.written, self.out = folder / CHECKPOINT, folder / "out"
        self.out.mkdir()
        self.seen = 0

    def __call__(self, final: bool = False) -> None:
        from ray import train

        now = self.written.stat().st_mtime_ns if self.written.exists() else 0
        if not leads() or (now == self.seen and not final):
            train.report({})
            return
        self.seen = now
        if now:
            shutil.copy(self.written, self.out / CHECKPOINT)
        train.report({}, checkpoint=train.Checkpoint.from_directory(str(self.out)))


# -- tasks ------------------------------------------------------------------------------------------------------------


class Tasks:
    """Calls of one function that Ray spreads; each is repeated where its worker is lost.

    Parameters
    ----------
    function : callable
        Gets `shared` and the arguments of a call.
    shared : object
        Sent to each machine once.
    """

    def __init__(self, function: Callable[..., Any], shared: Any) -> None:
        ray = library()
        self.count = max(int(ray.cluster_resources().get("CPU", 1)), 1)
        self.shared, self.function = ray.put(shared), ray.remote(num_cpus=1)(function)

    def submit(self, *arguments: Any) -> Handle:
        """Have a call done."""
        return Handle(self.function.remote(self.shared, *arguments))


class Handle:
    """A call that is under way."""

    def __init__(self, reference: Any) -> None:
        self.reference = reference

    def result(self) -> Any:
        """Wait for what it returns."""
        return library().get(self.reference)
