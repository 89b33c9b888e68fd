"""The loop's state as one value: players, optimisers, early stopping, counters, history.

`snapshot` turns it into plain tensors and JSON, `restore` puts them back; a checkpoint is nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from azogue.network import Network
    from azogue.objectives import Objective
    from azogue.recipe import Batch, Recipe

Weights = dict[str, Tensor]

#: Steps between two looks at whether the losses are still finite.
WATCHED = 32


@dataclass
class Player:
    """One side of the game: parameters, the objective that it minimises, and what its optimiser remembers.

    A plain autoencoder has one player; an adversary is a second one in the same loop.
    """

    parameters: dict[str, torch.nn.Parameter]
    objective: Objective
    #: what the optimiser remembers of each parameter, by its name for it
    memory: dict[str, Weights]
    #: how often the player has moved, (): a tensor, since that is what fused optimisers read
    count: Tensor

    @property
    def decayed(self) -> list[str]:
        """The parameters that weight decay is for: the weight matrices of layers."""
        return [name for name, p in self.parameters.items() if p.ndim > 1 and not name.startswith("code.")]


@dataclass
class State:
    """Everything that changes while training."""

    network: Network
    players: dict[str, Player]
    #: what is done to them; the same from beginning to end
    recipe: Recipe
    epoch: int = 0
    step: int = 0
    progress: float = 0.0
    best: float = math.inf
    waited: int = 0
    kept: Weights | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""
    #: steps done of the epoch that is under way, and what its terms sum up to so far
    within: int = 0
    sums: Weights = field(default_factory=dict)
    #: the weights of the last epoch whose record was finite
    finite: Weights = field(default_factory=dict)
    values: Weights = field(default_factory=dict, repr=False)

    def at(self, step: int, of: int) -> None:
        """Come to a step of the epoch, of so many."""
        self.step, self.progress = step, (self.epoch + step / of) / self.recipe.epochs

    def weights(self) -> Weights:
        """A copy of the network's parameters and running statistics, by logical name."""
        return {name: value.detach().clone() for name, value in self.named().items()}

    def load_weights(self, weights: Weights) -> None:
        """Put a copy back."""
        for name, value in self.named().items():
            value.detach().copy_(weights[name])

    def named(self) -> Weights:
        """The network's parameters and running statistics themselves; asking a module for them takes long."""
        if not self.values:
            self.values.update(self.network.state_dict(keep_vars=True))
        return self.values

    def snapshot(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The whole state as JSON values and named tensors."""
        tensors = {f"network/{name}": value for name, value in self.weights().items()}
        tensors |= {f"kept/{name}": value for name, value in (self.kept or {}).items()}
        if self.within:
            tensors |= {f"finite/{name}": value for name, value in self.finite.items()}
            tensors |= {f"sums/{name}": value for name, value in self.sums.items()}
        for key, player in self.players.items():
            for slot, values in player.memory.items():
                tensors |= {f"optimizer/{key}/{slot}/{name}": value.clone() for name, value in values.items()}
        counters = {
            "moves": {key: int(player.count) for key, player in self.players.items()},
            "epoch": self.epoch,
            "within": self.within,
            "best": self.best if math.isfinite(self.best) else None,
            "waited": self.waited,
            "history": self.history,
            "stopped": self.stopped,
        }
        return counters, tensors

    def restore(self, counters: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Become the state of a snapshot."""
        self.load_weights(_under(tensors, "network/"))
        self.kept = _under(tensors, "kept/") or None
        for key, player in self.players.items():
            player.count.fill_(counters["moves"][key])
            for slot, values in player.memory.items():
                for name, value in values.items():
                    value.copy_(tensors[f"optimizer/{key}/{slot}/{name}"])
        self.epoch, self.within = int(counters["epoch"]), int(counters.get("within", 0))
        self.sums, self.finite = _under(tensors, "sums/"), _under(tensors, "finite/")
        self.best = math.inf if counters["best"] is None else float(counters["best"])
        self.waited = int(counters["waited"])
        self.history = [dict(record) for record in counters["history"]]
        self.stopped = str(counters["stopped"])


class Stepping:
    """Back ends that take one batch after the other; others say how many they take at once, and replace `steps`."""

    #: batches that may be handed over together
    together: ClassVar[int] = 1
    #: whether torch's own threads may help
    helped: ClassVar[bool] = True

    def step(self, states: Sequence[State], batch: Batch) -> dict[str, list[Tensor]]:
        """Move every player of every state once; see `loop.Backend`."""
        raise NotImplementedError

    def steps(
        self, states: Sequence[State], first: int, batches: Sequence[Batch], of: int
    ) -> Iterator[dict[str, list[Tensor]]]:
        """Move the states by each batch, the first of which is step number `first` of an epoch of `of` steps."""
        for number, batch in enumerate(batches, first):
            for state in states:
                state.at(number, of)
            yield self.step(states, batch)


def _under(tensors: Mapping[str, Tensor], prefix: str) -> Weights:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def start(network: Network, recipe: Recipe) -> State:
    """The state before the first epoch: the autoencoder, and a player for each term that has an opponent."""
    own = {name: p for name, p in network.named_parameters() if p.requires_grad}
    device = next(network.parameters()).device
    opponents: dict[str, Player] = {}
    for name, (_, term) in zip(recipe.objective.names(), recipe.objective.terms, strict=True):
        if term.opponent is not None and name in network.parts:
            theirs = {key: own.pop(key) for key in list(own) if key.startswith(f"parts.{name}.")}
            opponents[name] = _player(theirs, term.opponent * 1.0, recipe, device)
    return State(network, {"autoencoder": _player(own, recipe.objective, recipe, device), **opponents}, recipe)


def _player(
    parameters: dict[str, torch.nn.Parameter], objective: Objective, recipe: Recipe, device: torch.device
) -> Player:
    for parameter in parameters.values():  # fused optimisers walk through memory, gradients' as parameters'
        if not parameter.is_contiguous():
            parameter.data = parameter.data.contiguous()
    memory = {
        slot: {name: torch.zeros_like(p, requires_grad=False) for name, p in parameters.items()}
        for slot in recipe.optimizer.memory
    }
    return Player(parameters, objective, memory, torch.zeros((), device=device))


def held_back(network: Network, recipe: Recipe) -> Any:
    """The corruption that held-out rows are judged under: none, but where a row that is seen whole says nothing.

    So it is with skip connections, which hand it on without having learned anything, where only touched cells count,
    and where corrupted rows were given.
    """
    corruption = recipe.corruption
    needed = corruption is not None and (corruption.blind or corruption.given or network.skips)
    return corruption if needed else None
