"""The back end of virtual shards: a batch's gradient as a sum along a fixed tree, by one process or by several.

A shard's part of a step is one row of numbers: the gradient of its share of the loss, what it did to running
statistics, and its share of what is told of the terms. A step moves by the sum of these rows. Which process computes a
row, and which adds up which branch, changes no bit of the sum.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any

import torch

from azogue.recipe import Batch, Rng
from azogue.training.autograd import Autograd, backward, block_loss, blocks_of, move, one_by_one
from azogue.training.team import Team, along_tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from azogue.training.loop import Run
    from azogue.training.state import Player, State


@dataclass(frozen=True)
class Layout:
    """Where things are in a shard's row: gradients, whether there are any, changes of running statistics, terms."""

    parameters: dict[str, torch.nn.Parameter]
    statistics: dict[str, Tensor]
    terms: int

    @property
    def dtype(self) -> torch.dtype:
        """What holds all of them exactly."""
        kinds = [tensor.dtype for tensor in (*self.parameters.values(), *self.statistics.values())]
        return reduce(torch.promote_types, [kind for kind in kinds if kind.is_floating_point], torch.float32)

    def row(self, like: Tensor, before: dict[str, Tensor], share: float, means: Sequence[Tensor]) -> Tensor:
        """What backpropagation has left behind, as a row."""
        gradients = [p.new_zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in self.parameters.values()]
        there = [float(p.grad is not None) for p in self.parameters.values()]
        changes = [share * (now - before[name]).flatten() for name, now in self.statistics.items()]
        told = [share * mean.detach().reshape(1) for mean in means]
        flags = like.new_tensor(there)
        return torch.cat([part.to(like) for part in (*gradients, flags, *changes, *told)])

    def width(self) -> int:
        """Numbers of a row."""
        sizes = [tensor.numel() for tensor in (*self.parameters.values(), *self.statistics.values())]
        return sum(sizes) + len(self.parameters) + self.terms

    def settle(self, total: Tensor, before: dict[str, Tensor]) -> list[Tensor]:
        """Put a sum of rows where moves and inference look; the terms' means are returned."""
        sizes = [p.numel() for p in self.parameters.values()]
        moved = [value.numel() for value in self.statistics.values()]
        gradients, flags, changes, told = torch.split(total, [sum(sizes), len(sizes), sum(moved), self.terms])
        parts = torch.split(gradients, sizes)
        for p, part, there in zip(self.parameters.values(), parts, flags.tolist(), strict=True):
            p.grad = part.view_as(p).to(p) if there else None
        for (name, now), part in zip(self.statistics.items(), torch.split(changes, moved), strict=True):
            change = part.view_as(now)
            now.copy_(before[name] + (change if now.is_floating_point() else change.round()).to(now))
        return list(told)


class Sharded(Autograd):
    """One step of every player by backpropagation through virtual shards.

    Parameters
    ----------
    team : Team or None
        Who shares the shards; None: this process has all of them.
    """

    name = "sharded"

    def __init__(self, team: Team | None = None) -> None:
        self.team = Team() if team is None else team

    def open(self, runs: Sequence[Run]) -> None:
        """Have every process begin with the state of the first, which may be that of a checkpoint.

        Raises
        ------
        ValueError
            If the processes were given different rows or parameters.
        """
        if self.team.size == 1:
            return
        marks = self.team.gathered(_number(_mark(runs)))
        if bool((marks != marks[0]).any()):
            raise ValueError(
                "the processes of a team were given different rows or parameters; every one of them has to fit the "
                "same estimator on the same data"
            )
        for run in runs:
            _align(self.team, run.state)

    def _step(self, state: State, batch: Batch) -> dict[str, list[Tensor]]:
        recipe = state.recipe
        rng, rate = Rng(recipe.seed, epoch=state.epoch, step=state.step), recipe.schedule(state.progress)
        seen = {}
        for key, player in state.players.items():
            seen[key] = self._gradients(state, player, batch, rng)
            move(player, recipe, rate)
        return seen

    def _gradients(self, state: State, player: Player, batch: Batch, rng: Rng) -> list[Tensor]:
        """Leave the sum over all shards in the parameters; the terms' means are returned."""
        named = state.named().items()
        statistics = {name: value.detach() for name, value in named if not isinstance(value, torch.nn.Parameter)}
        layout = Layout(player.parameters, statistics, len(player.objective.terms))
        before = {name: value.clone() for name, value in statistics.items()}
        like = next(iter(player.parameters.values())).new_empty(0, dtype=layout.dtype)
        parts, team = _shards(batch, state.recipe.shards), self.team
        size = team.block(len(parts))
        count = -(-len(parts) // size)

        def row(shard: int) -> Tensor:
            for name, value in statistics.items():
                value.copy_(before[name])
            share = len(parts[shard]) / len(batch)
            means = backward(state, player, parts[shard], rng.at(shard=shard), share)
            return layout.row(like, before, share, means)

        blocks = [
            along_tree([row(shard) for shard in range(at * size, min((at + 1) * size, len(parts)))])
            for at in team.own(count)
        ]
        return layout.settle(team.summed(blocks, count, like.new_empty(layout.width())).to(like), before)

    def _evaluate(self, state: State, data: Any) -> float:
        """The same sum as that of one process: each judges its own blocks of rows."""
        count = blocks_of(state, data)
        mine = [block_loss(state, data, number) for number in self.team.own(count)]
        held = torch.zeros(-(-count // self.team.size), dtype=torch.float64)
        held[: len(mine)] = torch.tensor(mine, dtype=torch.float64)
        found = self.team.gathered(held).t().flatten()[:count]  # (size, blocks of each) → in the order of the rows
        self._compare(state)
        return one_by_one(found.tolist()) / len(data)

    def _compare(self, state: State) -> None:
        """Processors of different makes compute different bits; processes that drifted apart train nothing."""
        if self.team.size == 1:
            return
        digest = hashlib.blake2b(digest_size=8)
        for value in state.named().values():
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        marks = self.team.gathered(_number(digest))
        if bool((marks != marks[0]).any()):
            raise RuntimeError(
                "the processes of a team no longer hold the same weights: they run on processors, or with versions of "
                "torch, that compute different bits; use machines that are alike"
            )


def _shards(batch: Batch, count: int) -> list[Batch]:
    size = -(-len(batch) // count)
    return [batch.take(slice(start, start + size)) for start in range(0, len(batch), size)]


def _number(digest: Any) -> Tensor:
    """A digest of eight bytes as a tensor (1,)."""
    return torch.tensor([int.from_bytes(digest.digest(), "little", signed=True)])


def _mark(runs: Sequence[Run]) -> Any:
    """What processes have to have in common: rows, recipes, networks."""
    digest = hashlib.blake2b(digest_size=8)
    for run in runs:
        shapes = {name: list(value.shape) for name, value in run.state.named().items()}
        held = 0 if run.validation is None else len(run.validation)
        digest.update(json.dumps([len(run.data), held, repr(run.recipe), shapes]).encode())
        digest.update(run.data.take(slice(0, run.recipe.batch_size)).x.cpu().contiguous().numpy().tobytes())
    return digest


def _align(team: Team, state: State) -> None:
    """Become the first process's state."""
    counters, tensors = state.snapshot()
    mine = {name: (list(value.shape), str(value.dtype).removeprefix("torch.")) for name, value in tensors.items()}
    counters, held = team.agreed((counters, mine))
    found = {}
    for name, (shape, kind) in held.items():
        own = tensors[name].cpu() if team.leads else torch.empty(shape, dtype=getattr(torch, kind))
        raw = own.contiguous().flatten().view(torch.uint8) if own.numel() else own.new_empty(0, dtype=torch.uint8)
        found[name] = team.told(raw).view(own.dtype).view(shape)
    if not team.leads:
        state.restore(counters, found)
