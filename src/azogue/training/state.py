"""The loop's state as one value: players, optimisers, early stopping, counters, history.

`snapshot` turns it into plain tensors and JSON, `restore` puts them back; a checkpoint is nothing else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azogue.modules import Network
    from azogue.objectives import Objective
    from azogue.recipe import Recipe

Weights = dict[str, Tensor]


@dataclass
class Player:
    """One side of the game: parameters, their optimiser, and the objective that it minimises.

    A plain autoencoder has one player; an adversary is a second one in the same loop.
    """

    parameters: dict[str, torch.nn.Parameter]
    optimizer: torch.optim.Optimizer
    objective: Objective


@dataclass
class State:
    """Everything that changes while training."""

    network: Network
    players: dict[str, Player]
    epoch: int = 0
    step: int = 0
    progress: float = 0.0
    best: float = math.inf
    waited: int = 0
    kept: Weights | None = None
    history: list[dict[str, float]] = field(default_factory=list)
    stopped: str = ""

    def weights(self) -> Weights:
        """A copy of the network's parameters and running statistics, by logical name."""
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def load_weights(self, weights: Weights) -> None:
        """Put a copy back."""
        self.network.load_state_dict(weights)

    def snapshot(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """The whole state as JSON values and named tensors."""
        tensors = {f"network/{name}": value for name, value in self.weights().items()}
        tensors |= {f"kept/{name}": value for name, value in (self.kept or {}).items()}
        for key, player in self.players.items():
            for name, parameter in player.parameters.items():
                for slot, value in player.optimizer.state.get(parameter, {}).items():
                    if value is not None:
                        tensors[f"optimizer/{key}/{slot}/{name}"] = torch.as_tensor(value).detach().clone()
        counters = {
            "epoch": self.epoch,
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
            for name, parameter in player.parameters.items():
                for group in _slots(tensors, f"optimizer/{key}/"):
                    value = tensors.get(f"optimizer/{key}/{group}/{name}")
                    if value is not None:
                        place = "cpu" if value.ndim == 0 and group == "step" else parameter.device
                        player.optimizer.state[parameter][group] = value.clone().to(place)
        self.epoch = int(counters["epoch"])
        self.best = math.inf if counters["best"] is None else float(counters["best"])
        self.waited = int(counters["waited"])
        self.history = [dict(record) for record in counters["history"]]
        self.stopped = str(counters["stopped"])


def _under(tensors: Mapping[str, Tensor], prefix: str) -> Weights:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _slots(tensors: Mapping[str, Tensor], prefix: str) -> list[str]:
    return sorted({name.removeprefix(prefix).split("/")[0] for name in tensors if name.startswith(prefix)})


def start(network: Network, recipe: Recipe) -> State:
    """The state before the first epoch: the autoencoder, and a player for each term that has an opponent."""
    own = {name: p for name, p in network.named_parameters() if p.requires_grad}
    opponents: dict[str, Player] = {}
    for name, (_, term) in zip(recipe.objective.names(), recipe.objective.terms, strict=True):
        if term.opponent is not None and name in network.parts:
            theirs = {key: own.pop(key) for key in list(own) if key.startswith(f"parts.{name}.")}
            opponents[name] = _player(theirs, term.opponent * 1.0, recipe)
    return State(network, {"autoencoder": _player(own, recipe.objective, recipe), **opponents})


def _player(parameters: dict[str, torch.nn.Parameter], objective: Objective, recipe: Recipe) -> Player:
    """A player with its optimiser; weight decay is on the weight matrices of layers alone."""
    matrices = [p for name, p in parameters.items() if p.ndim > 1 and not name.startswith("code.")]
    others = [p for name, p in parameters.items() if p.ndim <= 1 or name.startswith("code.")]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimizer = recipe.optimizer.make([group for group in groups if group["params"]], recipe.schedule(0.0))
    return Player(parameters, optimizer, objective)
