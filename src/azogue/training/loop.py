"""The one loop: epochs of steps, early stopping, callbacks, and what to do when a run goes wrong."""

from __future__ import annotations

import logging
import math
import time
import warnings
from typing import TYPE_CHECKING, Any, Protocol

import torch

from azogue.recipe import Batch, Recipe, Rng
from azogue.training.data import batches

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from azogue.training.state import State

    Callback = Callable[[dict[str, float]], object]

log = logging.getLogger("azogue")


class TrainingWarning(UserWarning):
    """A run ended other than planned; the message says when, why, and what was kept."""


class Backend(Protocol):
    """What moves the state by one batch."""

    name: str

    def step(self, state: State, batch: Batch) -> dict[str, list[Tensor]]:
        """Each player's loss and the means of its terms, before the move."""

    def evaluate(self, state: State, data: Batch) -> float:
        """The mean objective over rows, at inference."""


def train(
    state: State,
    backend: Backend,
    recipe: Recipe,
    data: Batch,
    validation: Batch | None = None,
    callbacks: Sequence[Callback] = (),
    measure: Callable[[], dict[str, float]] | None = None,
    save: Callable[[State], None] | None = None,
) -> State:
    """Train from `state.epoch` to `recipe.epochs`, or until something says stop.

    Parameters
    ----------
    state : State
        Moved in place and returned.
    backend : Backend
    recipe : Recipe
    data, validation : Batch
        Training rows and, for early stopping, held-out rows.
    callbacks : sequence of callable
        Called with each epoch's record; `True` stops training.
    measure : callable, optional
        Further entries of the record.
    save : callable, optional
        Called with the state after each epoch.

    Warns
    -----
    TrainingWarning
        If the run was interrupted by the keyboard, or a term turned NaN or infinite: the weights of the best epoch so
        far are kept, and the model works.

    Raises
    ------
    FloatingPointError
        If that happens before the first epoch is complete.
    """
    finite = state.weights()
    algorithms = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(algorithms or recipe.deterministic)
    try:
        while state.epoch < recipe.epochs and not state.stopped:
            record = _epoch(state, backend, recipe, data)
            if validation is not None:
                record["val_loss"] = backend.evaluate(state, validation)
            else:
                record["loss after the last step"] = backend.evaluate(state, data.take(slice(0, recipe.batch_size)))
            if bad := [name for name, value in record.items() if not math.isfinite(value)]:
                _give_up(state, bad[0], finite)
                break
            record.pop("loss after the last step", None)  # only asked whether the last step went astray
            finite = state.weights()
            if measure is not None:
                record |= measure()
            _watch(state, recipe, record, finite)
            verdicts = [callback(dict(record)) for callback in callbacks]
            if any(verdict is True for verdict in verdicts):
                state.stopped = "callback"
            if save is not None:
                save(state)
    except KeyboardInterrupt:
        state.stopped = "interrupted"
        kept = "its best epoch so far" if state.kept else "that moment"
        warnings.warn(
            f"training was interrupted in epoch {state.epoch + 1} of {recipe.epochs}; the model keeps the "
            f"weights of {kept}",
            TrainingWarning,
            stacklevel=3,
        )
    finally:
        torch.use_deterministic_algorithms(algorithms)
    if state.kept is not None:
        state.load_weights(state.kept)
    log.debug("trained %d epochs with %s, stopped by %s", state.epoch, backend.name, state.stopped or "the last epoch")
    return state


def _epoch(state: State, backend: Backend, recipe: Recipe, data: Batch) -> dict[str, float]:
    """One pass over the rows; the record holds means over rows. Ends at the first step that is not finite."""
    begun = time.perf_counter()
    steps = -(-len(data) // recipe.batch_size)
    sums: dict[str, list[Tensor]] = {}
    for number, batch in enumerate(batches(data, recipe.batch_size, Rng(recipe.seed, epoch=state.epoch))):
        state.step = number
        state.progress = (state.epoch + number / steps) / recipe.epochs
        share = len(batch) / len(data)
        for key, values in backend.step(state, batch).items():
            scaled = [value * share for value in values]
            sums[key] = [a + b for a, b in zip(sums[key], scaled, strict=True)] if key in sums else scaled
        if not all(math.isfinite(values[0]) for values in sums.values()):
            break
    record: dict[str, float] = {"epoch": state.epoch + 1}
    for key, player in state.players.items():
        prefix = "" if key == "autoencoder" else f"{key}_"
        loss, *terms = map(float, sums[key])
        record |= {prefix + name: value for name, value in zip(player.objective.names(), terms, strict=True)}
        record[f"{prefix}loss"] = loss
    record["learning_rate"] = recipe.schedule(state.progress)
    record["seconds"] = time.perf_counter() - begun
    return record


def _give_up(state: State, name: str, finite: dict[str, Any]) -> None:
    epoch = state.epoch + 1
    state.stopped = f"{name} is not finite"
    state.load_weights(finite)
    remedy = "lower learning_rate, set optimizer=Adam(clip=1.0), or look for extreme values in the data"
    if epoch == 1:
        raise FloatingPointError(f"{name} turned NaN or infinite in epoch 1: nothing was learned; {remedy}")
    warnings.warn(
        f"{name} turned NaN or infinite in epoch {epoch}; training stopped and the last finite weights are kept; "
        f"{remedy}",
        TrainingWarning,
        stacklevel=4,
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
