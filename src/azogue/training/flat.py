"""One buffer for all parameters of all members of a population, so that an optimiser moves them in one go.

Running statistics, which no optimiser moves, are stacked too, each for itself.

A block of the buffer is a layer or another parameter, and in it the members lie one behind the other: products of all
members at once want their results without gaps. A dense layer's weight and bias lie side by side, `[W | b]`, so that a
product with `[x; 1]` computes the layer and a product with its transpose both gradients. They lie column by column,
since products over odd numbers of columns are slow where these are the ones that vector units run along.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from azogue.network import Network
    from azogue.training.state import State, Weights

#: Blocks start at multiples of so many numbers, so that vector units see each member alike.
ALIGNED = 16


def padded(width: int) -> int:
    """Columns of `[W | b]` for `width` inputs: filled up to a multiple of 16, which is faster, where that is near."""
    full = -(-(width + 1) // ALIGNED) * ALIGNED
    return full if full * 8 <= (width + 1) * 9 else width + 1


class Place(NamedTuple):
    """Where a parameter is: its block's start and size for a member, its offset there, its shape and strides."""

    start: int
    size: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Flat:
    """The parameters, gradients and optimiser's memory of the first player of each state, as views of one buffer each.

    Parameters
    ----------
    states : sequence of State
        Members of a population: networks of one shape. Their parameters become views, with gradients beside them.

    Attributes
    ----------
    parameters, gradients : Tensor, shape (size · members,)
    memory : dict of Tensor
        Like them, for each thing that the optimiser remembers.
    decayed : Tensor
        Like them: 1 where weight decay applies.
    statistics : dict of Tensor
        What networks keep besides parameters, such as running means, by name, (members, …).
    """

    def __init__(self, states: Sequence[State]) -> None:
        first = next(iter(states[0].players.values()))
        self._places, size = _layout(states[0].network, first.parameters)
        like = next(iter(first.parameters.values()))
        self.members = len(states)
        self.parameters = like.new_zeros(size * self.members, requires_grad=False)
        self.gradients, self.decayed = torch.zeros_like(self.parameters), torch.zeros_like(self.parameters)
        self.memory = {slot: torch.zeros_like(self.parameters) for slot in first.memory}
        for name in first.decayed:
            self._view(self.decayed, name).fill_(1.0)
        for member, state in enumerate(states):
            (player,) = state.players.values()
            for name, parameter in player.parameters.items():
                parameter.data = self._view(self.parameters, name)[member].copy_(parameter.data)
                parameter.grad = self._view(self.gradients, name)[member]
            for slot, buffer in self.memory.items():
                for name, value in player.memory[slot].items():
                    player.memory[slot][name] = self._view(buffer, name)[member].copy_(value)
        self.statistics = {
            name: torch.stack([state.named()[name].detach() for state in states]) for name in _statistics(states[0])
        }
        for name, stack in self.statistics.items():
            for member, state in enumerate(states):
                state.named()[name].data = stack[member]

    def _block(self, buffer: Tensor, place: Place) -> Tensor:
        start = place.start * self.members
        return buffer[start : start + place.size * self.members].view(self.members, place.size)

    def _view(self, buffer: Tensor, name: str) -> Tensor:
        place = self._places[name]
        block = self._block(buffer, place)
        strides = (place.size, *place.strides)
        return block.as_strided((self.members, *place.shape), strides, block.storage_offset() + place.offset)

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        """A parameter and its gradient for all members, (members, …)."""
        return self._view(self.parameters, name), self._view(self.gradients, name)

    def matrix(self, name: str) -> tuple[Tensor, Tensor]:
        """`[W | b]ᵀ` of the layer whose weight is called `name`, and its gradient, (members, columns, units)."""
        place = self._places[name]
        units, width = place.shape
        shape = (self.members, padded(width), units)
        return tuple(  # type: ignore[return-value]
            self._block(buffer, place)[:, : shape[1] * units].view(shape)
            for buffer in (self.parameters, self.gradients)
        )

    def place(self, name: str) -> tuple[int, int]:
        """Where the first member's parameter begins in the buffer, and how far it is to the next member's."""
        place = self._places[name]
        return place.start * self.members + place.offset, place.size

    def blocks(self) -> np.ndarray:
        """For each block of the buffer where it begins and what a member takes of it, (blocks, 2)."""
        found = {place.start: place.size for place in self._places.values()}
        return np.array([[start * self.members, size] for start, size in found.items()])

    def of(self, buffer: Tensor, member: int | None) -> list[Tensor]:
        """A member's part of a buffer, block by block; None: the whole buffer."""
        if member is None:
            return [buffer]
        blocks = {place.start: place for place in self._places.values()}
        return [self._block(buffer, place)[member] for place in blocks.values()]

    def stacked(self, network: Network) -> Network:
        """A network whose parameters and running statistics are those of all members, with a leading dimension."""
        model = copy.deepcopy(network)
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        for module, twin in zip(network.modules(), model.modules(), strict=True):
            for name, parameter in module._parameters.items():
                if parameter is not None and names[id(parameter)] in self._places:
                    stack = self._view(self.parameters, names[id(parameter)])
                    twin._parameters[name] = nn.Parameter(stack, requires_grad=False)
        for name, stack in self.statistics.items():
            owner, _, own = name.rpartition(".")
            model.get_submodule(owner)._buffers[own] = stack
        model.stacked = True
        return model


def _layout(network: Network, parameters: dict[str, nn.Parameter]) -> tuple[dict[str, Place], int]:
    """Where each parameter is, and how many numbers a member takes."""
    places: dict[str, Place] = {}
    at = 0
    for weight, bias in _layers(network):
        if weight in parameters:
            units, width = parameters[weight].shape
            size = -(-units * padded(width) // ALIGNED) * ALIGNED
            places[weight] = Place(at, size, 0, (units, width), (1, units))
            places[bias] = Place(at, size, width * units, (units,), (1,))
            at += size
    for name, parameter in parameters.items():
        if name not in places:
            strides = tuple(math.prod(parameter.shape[i + 1 :]) for i in range(parameter.ndim))
            size = -(-parameter.numel() // ALIGNED) * ALIGNED
            places[name] = Place(at, size, 0, tuple(parameter.shape), strides)
            at += size
    return places, at


def _layers(network: Network) -> Iterator[tuple[str, str]]:
    """The names of weight and bias of every layer that has both of its own."""
    for name, module in network.named_modules():
        own = module._parameters
        if own.get("weight") is not None and own.get("bias") is not None and own["weight"].ndim == 2:
            yield f"{name}.weight", f"{name}.bias"


def _statistics(state: State) -> list[str]:
    """What a network keeps and moves besides its parameters."""
    named = state.named().items()
    return [name for name, value in named if value.is_floating_point() and not isinstance(value, nn.Parameter)]


def release(states: Sequence[State]) -> None:
    """Give every parameter, what the optimiser remembers of it, and running statistics memory of their own again."""
    for state in states:
        for name in _statistics(state):
            state.named()[name].data = state.named()[name].data.clone()
        for player in state.players.values():
            for parameter in player.parameters.values():
                parameter.data, parameter.grad = parameter.data.contiguous().clone(), None
            for values in player.memory.values():
                _own(values)


def _own(values: Weights) -> None:
    for name, value in values.items():
        values[name] = value.contiguous().clone()
