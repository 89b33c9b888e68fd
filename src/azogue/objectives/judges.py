"""Judges: small networks that terms bring, to tell draws from codes, or labels from reconstructions."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, linear

from azogue.modules import initial_weights
from azogue.recipe import Rng

#: Slope of a judge's units below 0.
SLOPE = 0.2


def check_units(units: tuple[int, ...], owner: str) -> tuple[int, ...]:
    """Widths of hidden layers as a tuple.

    Raises
    ------
    ValueError
        For none, or one below 1.
    """
    if not units or any(isinstance(width, bool) or int(width) < 1 for width in units):
        raise ValueError(f"{owner}: units must be widths of at least 1, got {units!r}")
    return tuple(units)


class Judge(nn.Module):
    """Layers of leaky units, the last one linear: (n, widths[0]) → logits (n, widths[-1]), (n,) for one."""

    def __init__(self, widths: tuple[int, ...], rng: Rng) -> None:
        super().__init__()
        for at, (inputs, units) in enumerate(itertools.pairwise(widths)):
            weight = initial_weights((units, inputs), "relu", rng.at(step=1000 + at))
            self.register_parameter(f"weight_{at}", nn.Parameter(weight))
            self.register_parameter(f"bias_{at}", nn.Parameter(torch.zeros(units)))
        self.depth = len(widths) - 1

    def forward(self, x: Tensor) -> Tensor:
        for at in range(self.depth):
            x = linear(x, getattr(self, f"weight_{at}"), getattr(self, f"bias_{at}"))
            x = leaky_relu(x, SLOPE) if at < self.depth - 1 else x
        return x[:, 0] if x.shape[1] == 1 else x
