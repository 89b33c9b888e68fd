"""One buffer for all parameters of all members of a population, so that an optimiser moves them in one go.

Members are rows of the buffer. A dense layer's weight and bias lie side by side, `[W | b]`, so that a product with
`[x; 1]` computes the layer and a product with its transpose both gradients.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

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


class Flat:
    """The parameters, gradients and optimiser's memory of the first player of each state, as views of one buffer each.

    Parameters
    ----------
    states : sequence of State
        Members of a population: networks of one shape. Their parameters become views, with gradients beside them.

    Attributes
    ----------
    parameters, gradients : Tensor, shape (members, size)
    memory : dict of Tensor, shape (members, size)
        For each thing that the optimiser remembers.
    decayed : Tensor, shape (size,)
        1 where weight decay applies.
    """

    def __init__(self, states: Sequence[State]) -> None:
        first = next(iter(states[0].players.values()))
        self._places, size = _layout(states[0].network, first.parameters)
        like = next(iter(first.parameters.values()))
        members = len(states)
        self.parameters, self.gradients = (like.new_zeros(members, size, requires_grad=False) for _ in range(2))
        self.memory = {slot: torch.zeros_like(self.parameters) for slot in first.memory}
        self.decayed = like.new_zeros(size, requires_grad=False)
        for name in first.decayed:
            self._view(self.decayed[None], name).fill_(1.0)
        for member, state in enumerate(states):
            (player,) = state.players.values()
            for name, parameter in player.parameters.items():
                view = self._view(self.parameters[member : member + 1], name)[0]
                parameter.data = view.copy_(parameter.data)
                parameter.grad = self._view(self.gradients[member : member + 1], name)[0]
            for slot, buffer in self.memory.items():
                for name, value in player.memory[slot].items():
                    player.memory[slot][name] = self._view(buffer[member : member + 1], name)[0].copy_(value)

    def _view(self, buffer: Tensor, name: str) -> Tensor:
        start, shape, strides = self._places[name]
        return buffer.as_strided((len(buffer), *shape), (buffer.stride(0), *strides), buffer.storage_offset() + start)

    def pair(self, name: str) -> tuple[Tensor, Tensor]:
        """A parameter and its gradient for all members, (members, …)."""
        return self._view(self.parameters, name), self._view(self.gradients, name)

    def matrix(self, name: str) -> tuple[Tensor, Tensor]:
        """`[W | b]` of the layer whose weight is called `name`, and its gradient, (members, units, columns)."""
        start, (units, _), (columns, _) = self._places[name]
        shape = (len(self.parameters), units, columns)
        return tuple(  # type: ignore[return-value]
            buffer[:, start : start + units * columns].view(shape) for buffer in (self.parameters, self.gradients)
        )

    def stacked(self, network: Network) -> Network:
        """A network whose parameters are those of all members, with a leading dimension."""
        model = copy.deepcopy(network)
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        for module, twin in zip(network.modules(), model.modules(), strict=True):
            for name, parameter in module._parameters.items():
                if parameter is not None and names[id(parameter)] in self._places:
                    stack = self._view(self.parameters, names[id(parameter)])
                    twin._parameters[name] = nn.Parameter(stack, requires_grad=False)
        model.stacked = True
        return model


def _layout(
    network: Network, parameters: dict[str, nn.Parameter]
) -> tuple[dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]], int]:
    """Where each parameter starts, its shape and strides; and the size of a member's row."""
    places: dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]] = {}
    at = 0
    for weight, bias in _layers(network):
        if weight in parameters:
            units, width = parameters[weight].shape
            columns = padded(width)
            places[weight] = (at, (units, width), (columns, 1))
            places[bias] = (at + width, (units,), (columns,))
            at += -(-units * columns // ALIGNED) * ALIGNED
    for name, parameter in parameters.items():
        if name not in places:
            strides = tuple(math.prod(parameter.shape[i + 1 :]) for i in range(parameter.ndim))
            places[name] = (at, tuple(parameter.shape), strides)
            at += -(-parameter.numel() // ALIGNED) * ALIGNED
    return places, at


def _layers(network: Network) -> Iterator[tuple[str, str]]:
    """The names of weight and bias of every layer that has both of its own."""
    for name, module in network.named_modules():
        own = module._parameters
        if own.get("weight") is not None and own.get("bias") is not None and own["weight"].ndim == 2:
            yield f"{name}.weight", f"{name}.bias"


def release(states: Sequence[State]) -> None:
    """Give every parameter, and what the optimiser remembers of it, memory of its own again."""
    for state in states:
        for player in state.players.values():
            for parameter in player.parameters.values():
                parameter.data, parameter.grad = parameter.data.contiguous().clone(), None
            for values in player.memory.values():
                _own(values)


def _own(values: Weights) -> None:
    for name, value in values.items():
        values[name] = value.contiguous().clone()
