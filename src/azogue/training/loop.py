"""The one loop: epochs of steps, early stopping, callbacks, and what to do when a run goes wrong.

It trains one run or several in step with one another: a population shares the back end's work and nothing else.
"""

from __future__ import annotations

import logging
import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import torch

from azogue.recipe import Batch, Recipe, Rng
from azogue.training import team
from azogue.training.data import Rows
from azogue.training.state import WATCHED
from azogue.training.threads import one_thread, threads_for

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.training.state import State

Callback = Callable[[dict[str, float]], object]

log = logging.getLogger("azogue")

#: What a record calls the loss of some rows after an epoch's last step, which no history keeps.
LAST = "loss after the last step"
#: What stopped a run that was asked to end, such as by SIGTERM.
ENDED = "asked to end"


class TrainingWarning(UserWarning):
    """A run ended other than planned; the message says when, why, and what was kept.

    Examples
    --------
    >>> import warnings
    >>> import azogue as az
    >>> members = [az.Autoencoder(1, epochs=1, learning_rate=rate, random_state=0) for rate in (1e-3, 1e30)]
    >>> with warnings.catch_warnings(record=True, action="always") as caught:
    ...     _ = az.fit_together(members, [[float(n), float(-n)] for n in range(20)])
    >>> [warning.category.__name__ for warning in caught]
    ['TrainingWarning']
    """


class Backend(Protocol):
    """What moves states by one batch."""

    name: str
    #: batches that `steps` takes at once, at most
    together: ClassVar[int]
    #: whether torch's own threads may help
    helped: ClassVar[bool]

    def batches(self, members: Sequence[Rows], size: int, rngs: Sequence[Rng]) -> Iterator[Batch]:
        """The batches of one epoch; see `data.batches`."""

    def step(self, states: Sequence[State], batch: Batch) -> dict[str, list[Tensor]]:
        """Move every player of every state once.

        Parameters
        ----------
        states : sequence of State
            The members of a population; a network on its own is one of one.
        batch : Batch
            With x (members, n, width), and a mask like it or none.

        Returns
        -------
        dict of lists of Tensor
            For each player the means of its terms before the move, (members,) each; nothing where these are private.
        """

    def steps(
        self, states: Sequence[State], first: int, batches: Sequence[Batch], of: int
    ) -> Iterator[dict[str, list[Tensor]]]:
        """Move by one batch after the other, from step number `first` of an epoch of `of` steps; as `step` tells."""

    def evaluate(self, states: Sequence[State], data: Sequence[Batch | Rows]) -> list[float]:
        """For each state the mean objective over its rows, at inference; all have as many rows."""

    def open(self, runs: Sequence[Run]) -> None:
        """Before anything else: have all processes begin alike, where several work on one run."""

    def close(self, states: Sequence[State]) -> None:
        """Leave the states as if nothing but their values had ever changed."""


@dataclass
class Run:
    """One training, from `state.epoch` to the recipe's `epochs`, or until something says stop.

    Parameters
    ----------
    state : State
        Moved in place.
    data : Rows
    validation : Batch or Rows, optional
        Held-out rows for early stopping.
    callbacks : sequence of callable
        Called with each epoch's record; `True` stops training.
    measure : callable, optional
        Further entries of the record.
    save : callable, optional
        Called with the state after each epoch, and within one every `WATCHED` steps, where `state.within` is not 0;
        it keeps the state where it is time to, and its `True` ends the run.
    """

    state: State
    data: Rows
    validation: Batch | Rows | None = None
    callbacks: Sequence[Callback] = ()
    measure: Callable[[], dict[str, float]] | None = None
    save: Callable[[State], bool] | None = None
    error: FloatingPointError | None = None

    @property
    def recipe(self) -> Recipe:
        """What the state is moved by."""
        return self.state.recipe

    @property
    def going(self) -> bool:
        """Whether there is an epoch to come."""
        return self.state.epoch < self.recipe.epochs and not self.state.stopped


def train(run: Run, backend: Backend) -> State:
    """Train one run; see `train_together`.

    Raises
    ------
    FloatingPointError
        If the loss turns NaN or infinite before the first epoch is complete.
    """
    train_together([run], backend)
    if run.error is not None:
        raise run.error
    return run.state


def train_together(runs: Sequence[Run], backend: Backend) -> None:
    """Train runs in step with one another; whoever is done leaves the others.

    They have as many rows and held-out rows each, one batch size and one shape of network. A run whose first epoch
    ends in NaN is left with its `error`.

    Warns
    -----
    TrainingWarning
        If a run was interrupted by the keyboard, or a term turned NaN or infinite: the weights of the best epoch so
        far are kept, and the model works.
    """
    wanted = any(run.recipe.deterministic for run in runs)
    try:
        with _deterministic(wanted), _threads(runs[0], wanted or not backend.helped):
            backend.open(runs)
            for run in runs:
                run.state.finite = run.state.finite if run.state.within else run.state.weights()
            while going := [run for run in runs if run.going]:
                _round(going, backend)
    except KeyboardInterrupt:
        for run in runs:
            if run.going:
                _interrupted(run)
    finally:
        backend.close([run.state for run in runs])
    for run in runs:
        state = run.state
        if state.kept is not None:
            state.load_weights(state.kept)
        stopped = state.stopped or "the last epoch"
        log.debug("trained %d epochs with %s, stopped by %s", state.epoch, backend.name, stopped)


def _threads(run: Run, alone: bool) -> AbstractContextManager[None]:
    """As many threads as pay; one where bits are not to depend on how many there are, or the back end has its own."""
    if alone or run.recipe.shards > 1:
        return one_thread()
    return threads_for(run.state.network, run.recipe.batch_size)


class _Wish:
    """How many trainings of the process want deterministic algorithms now: the setting is the process's."""

    lock, count, before = threading.Lock(), 0, False


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    """Have torch take deterministic algorithms, and give the setting back; asking costs a second of imports."""
    if not wanted:
        yield
        return
    with _Wish.lock:
        if not _Wish.count:
            _Wish.before = torch.are_deterministic_algorithms_enabled()
            if not _Wish.before:
                torch.use_deterministic_algorithms(True)
        _Wish.count += 1
    try:
        yield
    finally:
        with _Wish.lock:
            _Wish.count -= 1
            if not _Wish.count and not _Wish.before:
                torch.use_deterministic_algorithms(False)


def _round(runs: list[Run], backend: Backend) -> None:
    """One epoch of each run, and what follows from it."""
    records = _epoch(runs, backend)
    if runs[0].state.stopped:
        return
    for run in runs:
        run.state.within, run.state.sums = 0, {}
    name, values = _judged(runs, backend)
    for run, record, value in zip(runs, records, values, strict=True):
        record[name] = value
        _settle(run, record)


def _judged(runs: list[Run], backend: Backend) -> tuple[str, list[float]]:
    """Each run's loss on held-out rows; else a number of which it is only asked whether the last step went astray."""
    states = [run.state for run in runs]
    if runs[0].validation is not None:
        return "val_loss", backend.evaluate(states, [run.validation for run in runs if run.validation is not None])
    if runs[0].recipe.privacy is not None:  # weights are all that may be looked at
        sums = [float(sum(value.cpu().double().sum() for value in state.weights().values())) for state in states]
        return LAST, sums
    return LAST, backend.evaluate(states, [run.data.take(slice(0, run.recipe.batch_size)) for run in runs])


def _settle(run: Run, record: dict[str, float]) -> None:
    if bad := [name for name, value in record.items() if not math.isfinite(value)]:
        _give_up(run, bad[0])
        return
    record.pop(LAST, None)
    run.state.finite = run.state.weights()
    if run.measure is not None:
        record |= run.measure()
    _watch(run.state, run.recipe, record, run.state.finite)
    verdicts = [callback(dict(record)) for callback in run.callbacks] if team.leads() else []
    if team.agreed(any(verdict is True for verdict in verdicts)):
        run.state.stopped = "callback"
    if team.agreed(run.save is not None and run.save(run.state)):
        run.state.stopped = run.state.stopped or ENDED
    team.after_epoch()


def _epoch(runs: list[Run], backend: Backend) -> list[dict[str, float]]:
    """One pass over the rows; the records hold means over rows.

    It goes on behind the steps that were done already, and ends early where no loss is finite any more, or where it is
    asked to.
    """
    begun = time.perf_counter()
    states, size, rows = [run.state for run in runs], runs[0].recipe.batch_size, len(runs[0].data)
    rngs = [Rng(run.recipe.seed, epoch=run.state.epoch) for run in runs]
    steps, means, done = -(-rows // size), _Means(rows, runs[0].state.sums), runs[0].state.within
    looks = backend.together == 1 or steps > WATCHED  # else an epoch is moved in one go
    for first, group in _groups(backend.batches([run.data for run in runs], size, rngs), done, backend.together, looks):
        for batch, told in zip(group, backend.steps(states, first, group, steps), strict=True):
            means.add(batch.each, told)
        number = first + len(group) - 1
        if looks and number % WATCHED == 0 and (not means.finite() or _ends(runs[0], number + 1, means.sums)):
            break
    seconds = max(0.0, time.perf_counter() - begun)  # clocks may jump
    totals = means.told()
    return [_record(run, {key: totals[key][member] for key in totals}, seconds) for member, run in enumerate(runs)]


def _groups(batches: Iterator[Batch], done: int, size: int, looks: bool) -> Iterator[tuple[int, list[Batch]]]:
    """Batches behind those that are done, some at a time, and the first one's number; a look comes behind a group."""
    group: list[Batch] = []
    for number, batch in enumerate(batches):
        if number < done:
            continue
        group.append(batch)
        if len(group) == size or (looks and number % WATCHED == 0):
            yield number + 1 - len(group), group
            group = []
    if group:
        yield number + 1 - len(group), group


def _ends(run: Run, within: int, sums: dict[str, Tensor]) -> bool:
    """Show a run within its epoch to whoever keeps it; whether it is to end here."""
    asked = False
    if run.save is not None:
        run.state.within, run.state.sums = within, sums
        asked = run.save(run.state)
    if team.agreed(asked):  # who saves tells those that train with it
        run.state.stopped = ENDED
    return bool(run.state.stopped)


class _Means:
    """What the steps of an epoch tell, as means over its rows; what came in is added up every so often."""

    def __init__(self, rows: int, sums: dict[str, Tensor]) -> None:
        self.rows, self.counts = rows, list[int]()
        self.waiting: list[dict[str, list[Tensor]]] = []
        self.sums = dict(sums)

    def add(self, rows: int, values: dict[str, list[Tensor]]) -> None:
        """Take in what a step of so many rows told: for each player the terms' means."""
        self.counts.append(rows)
        self.waiting.append(values)

    def _fold(self) -> None:
        """Bring `sums`, (members, terms) for each player, up to date."""
        for key in self.waiting[0] if self.waiting else ():
            told = torch.stack([value for values in self.waiting for value in values[key]]).cpu().double().numpy()
            shares = np.array(self.counts) / self.rows
            steps = told.reshape(len(shares), -1, told.shape[1]).swapaxes(1, 2)
            total = torch.from_numpy((steps * shares[:, None, None]).cumsum(0)[-1])  # one by one, whoever else is there
            self.sums[key] = self.sums[key] + total if key in self.sums else total
        self.waiting, self.counts = [], []

    def finite(self) -> bool:
        """Whether there is a member of whose terms all are finite so far, of whichever player, or nothing was told."""
        self._fold()
        return not self.sums or any(bool(total.isfinite().all(1).any()) for total in self.sums.values())

    def told(self) -> dict[str, list[list[float]]]:
        """The means for each player, member and term."""
        self._fold()
        return {key: total.tolist() for key, total in self.sums.items()}


def _record(run: Run, means: dict[str, list[float]], seconds: float) -> dict[str, float]:
    record: dict[str, float] = {"epoch": run.state.epoch + 1}
    for key, player in run.state.players.items() if means else ():
        prefix = "" if key == "autoencoder" else f"{key}_"
        objective = player.objective
        record |= {prefix + name: value for name, value in zip(objective.names(), means[key], strict=True)}
        record[f"{prefix}loss"] = sum(w * mean for (w, _), mean in zip(objective.terms, means[key], strict=True))
    record["learning_rate"] = run.recipe.schedule(run.state.progress)
    if run.recipe.privacy is None:  # what the sizes of batches tell of the rows
        record["seconds"] = seconds
    return record


def _give_up(run: Run, name: str) -> None:
    state, epoch = run.state, run.state.epoch + 1
    state.stopped = f"{name} is not finite"
    state.load_weights(state.finite)
    remedy = "lower learning_rate, set optimizer=Adam(clip=1.0), or look for extreme values in the data"
    if epoch == 1:
        run.error = FloatingPointError(f"{name} turned NaN or infinite in epoch 1: nothing was learned; {remedy}")
        return
    warnings.warn(
        f"{name} turned NaN or infinite in epoch {epoch}; training stopped and the last finite weights are kept; "
        f"{remedy}",
        TrainingWarning,
        stacklevel=6,
    )


def _interrupted(run: Run) -> None:
    state = run.state
    state.stopped = "interrupted"
    kept = "its best epoch so far" if state.kept else "that moment"
    warnings.warn(
        f"training was interrupted in epoch {state.epoch + 1} of {run.recipe.epochs}; the model keeps the "
        f"weights of {kept}",
        TrainingWarning,
        stacklevel=5,
    )


def _watch(state: State, recipe: Recipe, record: dict[str, float], weights: dict[str, Any]) -> None:
    """Count the epoch, keep the best weights on held-out rows, and stop where they no longer improve."""
    state.epoch += 1
    state.history.append(record)
    if "val_loss" not in record:
        return
    if record["val_loss"] < state.best:
        state.best, state.waited, state.kept = record["val_loss"], 0, weights
        return
    state.waited += 1
    if recipe.patience is not None and state.waited >= recipe.patience:
        state.stopped = "early stopping"
