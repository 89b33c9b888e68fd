"""The back end that differentiates with torch's autograd: it can train everything."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from azogue.objectives import evaluate
from azogue.recipe import Batch, Recipe, Rng, Step
from azogue.training.data import BLOCK, batches
from azogue.training.state import Stepping, held_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from azogue.network import Network
    from azogue.training.data import Rows
    from azogue.training.loop import Run
    from azogue.training.state import Player, State

_AUTOCAST = {"bfloat16": torch.bfloat16}
#: Bytes; torch's memory begins at a multiple of them.
_LINE = 64


def forward(
    network: Network, batch: Batch, corruption: Any = None, rng: Rng | None = None, code_rng: Rng | None = None
) -> Step:
    """One pass: corrupt, encode, decode. With `rng=None` nothing is drawn by layers.

    `code_rng` is what code and corruption alone draw from where nothing else is to be drawn.
    """
    x, mask, seen = batch.x, batch.mask, batch.x
    draws = code_rng if rng is None else rng
    if corruption is not None and draws is not None:
        seen, mask = corruption.show(x, mask, draws, network.columns, network.shape, batch.target)
    h, code, out, raw = network.passed(seen, rng, code_rng)
    return Step(x, seen, mask, h, code, out, network, rng, raw, batch.target)


def aligned(x: Tensor) -> Tensor:
    """The same values in memory that begins where tensors do which share theirs with nobody.

    Products of matrices may round otherwise where it begins elsewhere (MKL on AMD), as in a part of a longer batch.

    Examples
    --------
    >>> aligned(torch.arange(5.0)[1:]).data_ptr() % 64
    0
    """
    return x.clone() if x.data_ptr() % _LINE else x


class Autograd(Stepping):
    """One step of every player by backpropagation."""

    name = "autograd"
    batches = staticmethod(batches)

    def step(self, states: Sequence[State], batch: Batch) -> dict[str, list[Tensor]]:
        """Move every player of every state once; see `loop.Backend`."""
        found = []
        for member, state in enumerate(states):
            mask, target = (None if part is None else part[member] for part in (batch.mask, batch.target))
            found.append(self._step(state, Batch(batch.x[member], mask, None, target)))
        return {
            key: [torch.stack(values) for values in zip(*(one[key] for one in found), strict=True)] for key in found[0]
        }

    def _step(self, state: State, batch: Batch) -> dict[str, list[Tensor]]:
        recipe = state.recipe
        rng = Rng(recipe.seed, epoch=state.epoch, step=state.step)
        rate = recipe.schedule(state.progress)
        seen: dict[str, list[Tensor]] = {}
        for key, player in state.players.items():
            seen[key] = [value.detach() for value in backward(state, player, batch, rng)]
            move(player, recipe, rate)
        return seen

    def evaluate(self, states: Sequence[State], data: Sequence[Batch | Rows]) -> list[float]:
        """The mean of what is comparable between epochs, over rows, always with the same draws; see `held_back`."""
        return [self._evaluate(state, part) for state, part in zip(states, data, strict=True)]

    def open(self, runs: Sequence[Run]) -> None:
        """There is nobody to agree with."""

    def close(self, states: Sequence[State]) -> None:
        """Nothing was borrowed."""

    def _evaluate(self, state: State, data: Batch | Rows) -> float:
        return one_by_one(block_loss(state, data, number) for number in range(blocks_of(state, data))) / len(data)


def backward(state: State, player: Player, batch: Batch, rng: Rng, share: float = 1.0) -> Sequence[Tensor]:
    """Leave the gradient of a part of the loss in the parameters; the terms' means are returned."""
    recipe = state.recipe
    for parameter in player.parameters.values():
        parameter.grad = None
    with _precision(recipe, batch.x.device):
        step = forward(state.network, replace(batch, x=aligned(batch.x)), recipe.corruption, rng)
    loss, means = evaluate(player.objective, _full(step) if recipe.precision in _AUTOCAST else step)
    (loss * share).backward()  # type: ignore[no-untyped-call]
    return means


def one_by_one(values: Iterable[float]) -> float:
    """A sum in turn: Python's own corrects what rounding loses, or does not, by its version."""
    total = 0.0
    for value in values:
        total += value
    return total


def _judged_at_once(state: State) -> int:
    return max(state.recipe.batch_size, BLOCK)  # terms over a batch mean the same as in training


def blocks_of(state: State, data: Batch | Rows) -> int:
    """In how many blocks rows are judged."""
    return -(-len(data) // _judged_at_once(state))


@torch.no_grad()
def block_loss(state: State, data: Batch | Rows, number: int) -> float:
    """The sum over a block of rows of what is comparable between epochs; see `held_back`."""
    size, objective = _judged_at_once(state), next(iter(state.players.values())).objective.judged
    part = data.take(slice(number * size, (number + 1) * size))
    shown = held_back(state.network, state.recipe)
    step = forward(state.network, part, shown, code_rng=Rng(state.recipe.seed, shard=number))
    return float(evaluate(objective, step)[0]) * len(part)


def move(player: Player, recipe: Recipe, rate: float) -> None:
    """One move along the gradients that there are; weight decay first, as it is decoupled."""
    names = [name for name, parameter in player.parameters.items() if parameter.grad is not None]
    parameters = [player.parameters[name].detach() for name in names]
    gradients = [player.parameters[name].grad.detach() for name in names]  # type: ignore[union-attr]
    recipe.optimizer.limit(gradients)
    if recipe.weight_decay:
        decayed = set(player.decayed)
        matrices = [p for name, p in zip(names, parameters, strict=True) if name in decayed]
        torch._foreach_mul_(matrices, 1.0 - rate * recipe.weight_decay)
    memory = {slot: [values[name] for name in names] for slot, values in player.memory.items()}
    player.count.add_(1)
    with torch.no_grad():
        recipe.optimizer.move(parameters, gradients, memory, player.count, rate)


def _precision(recipe: Recipe, device: torch.device) -> Any:
    kind = _AUTOCAST.get(recipe.precision)
    return torch.autocast(device.type, dtype=kind, enabled=kind is not None)


def _full(step: Step) -> Step:
    """The step in float32, for the terms: sums in half precision would lose what they add."""
    raw = None if step.raw is None else step.raw.float()
    code = replace(step.code, z=step.code.z.float(), stats={k: v.float() for k, v in step.code.stats.items()})
    return replace(step, h=step.h.float(), code=code, out=step.out.float(), raw=raw)
