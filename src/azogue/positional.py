"""Torch modules of layers that work on positions: convolutions, pooling, recurrent layers.

Rows go in and come out flat, (n, width), positions in order and their channels side by side. That is the memory of
torch's channels-last pictures, so that looking at rows as pictures, and back, copies nothing. Sequences are pictures of
height 1. As everywhere, a row's bits depend on no other row.
Rows are counted by `x.shape[0]`: what `len(x)` tells is a constant to torch.export.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from azogue.modules import AffineModule, initial_weights
from azogue.norms import BatchNormModule
from azogue.recipe import Rng

if TYPE_CHECKING:
    from azogue.layers import Conv, ConvTranspose, Pool, Recurrent, Shape, Upsample

Pair = tuple[int, int]


def plane(shape: Shape) -> tuple[int, int, int]:
    """Height, width and channels of a row's shape."""
    return (1, shape[0], shape[1]) if len(shape) == 2 else (shape[0], shape[1], shape[2])


def pictures(x: Tensor, shape: Shape) -> Tensor:
    """Flat rows → (n, channels, height, width), channels last in memory."""
    return x.reshape(x.shape[0], *plane(shape)).permute(0, 3, 1, 2)


def flat(y: Tensor) -> Tensor:
    """The way back."""
    return y.permute(0, 2, 3, 1).reshape(y.shape[0], -1)


def _by_axis(value: int, shape: Shape, along_one: int = 1) -> Pair:
    """The same for both axes; `along_one` for the height of a sequence."""
    return (along_one if len(shape) == 2 else value, value)


class ChannelNorm(BatchNormModule):
    """Batch normalisation of each channel over the batch and all positions."""

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:  # type: ignore[override]
        return super().forward(x.reshape(-1, self.num_features), rng).view(x.shape)


class RowNorm(nn.Module):
    """Each row over all its values; scale and shift of each channel."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels)), eps

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        whole = functional.layer_norm(x, x.shape[1:], eps=self.eps)
        return (whole.view(x.shape[0], -1, len(self.weight)) * self.weight + self.bias).reshape(x.shape[0], -1)


#: Normalisations of rows with positions.
CHANNEL_NORMS: dict[str, Callable[..., nn.Module]] = {"batch": ChannelNorm, "layer": RowNorm}


def _norm(kind: str | None, channels: int) -> nn.Module | None:
    return None if kind is None else CHANNEL_NORMS[kind](channels)


class ConvModule(AffineModule):
    """`activation(norm(w ∗ x + b))`, ∗ the correlation that is called convolution here and elsewhere."""

    def __init__(self, shape: Shape, spec: Conv, rng: Rng, gain: float = 1.0) -> None:
        super().__init__()
        self.shape, self.spec, self.activation = shape, spec, spec.activation
        kernel = _by_axis(spec.size, shape)
        draw = initial_weights((spec.filters, shape[-1] * kernel[0] * kernel[1]), spec.activation, rng, gain)
        self.weight = nn.Parameter(draw.view(spec.filters, shape[-1], *kernel))
        self.bias = nn.Parameter(torch.zeros(spec.filters))
        self.norm = _norm(spec.normalization, spec.filters)

    def affine(self, x: Tensor) -> Tensor:
        grid, (before, behind) = pictures(x, self.shape), self.spec.pads
        if before != behind:
            grid = functional.pad(grid, (before, behind, *((0, 0) if len(self.shape) == 2 else (before, behind))))
            before = 0
        stride, padding = _by_axis(self.spec.stride, self.shape), _by_axis(before, self.shape, 0)
        return flat(functional.conv2d(grid, self.weight, self.bias, stride, padding))

    def extra_repr(self) -> str:
        return f"{_times(self.shape)} → {_times(self.spec.result(self.shape))}, {self.activation}"


class ConvTransposeModule(AffineModule):
    """The transpose of a convolution's linear map, cut or filled with zeros to the positions that are wanted."""

    def __init__(self, shape: Shape, spec: ConvTranspose, rng: Rng, gain: float = 1.0) -> None:
        super().__init__()
        self.shape, self.spec, self.activation = shape, spec, spec.activation
        self.made = spec.result(shape)
        kernel = _by_axis(spec.size, shape)
        fan_in = max(1, shape[-1] * kernel[0] * kernel[1] // spec.stride ** (len(shape) - 1))
        held = (shape[-1], spec.filters * kernel[0] * kernel[1])
        draw = initial_weights(held, spec.activation, rng, gain, fan_in)
        self.weight = nn.Parameter(draw.view(shape[-1], spec.filters, *kernel))
        self.bias = nn.Parameter(torch.zeros(spec.filters))
        self.norm = _norm(spec.normalization, spec.filters)
        self.cut = self._cut()

    def _cut(self) -> tuple[int, ...]:
        """Places taken off (negative) or added, before and behind, the last axis first."""
        there, wanted = plane(self.shape), plane(self.made)
        size, stride = _by_axis(self.spec.size, self.shape), _by_axis(self.spec.stride, self.shape)
        before = _by_axis(self.spec.pads[0], self.shape, 0)
        whole = [(there[axis] - 1) * stride[axis] + size[axis] for axis in (0, 1)]
        cuts = [(-before[axis], wanted[axis] - (whole[axis] - before[axis])) for axis in (0, 1)]
        return (*cuts[1], *cuts[0])

    def affine(self, x: Tensor) -> Tensor:
        grid, stride = pictures(x, self.shape), _by_axis(self.spec.stride, self.shape)
        left, right, top, bottom = self.cut
        extra = (bottom - top, right - left)
        if left <= 0 and top <= 0 and all(0 <= more < step for more, step in zip(extra, stride, strict=True)):
            even = (-top, -left)
            return flat(functional.conv_transpose2d(grid, self.weight, self.bias, stride, even, extra))
        grid = functional.pad(functional.conv_transpose2d(grid, self.weight, None, stride), self.cut)
        return flat(grid + self.bias[:, None, None])

    def extra_repr(self) -> str:
        return f"{_times(self.shape)} → {_times(self.made)}, {self.activation}"


class PoolModule(nn.Module):
    """The largest value or the mean of neighbouring positions."""

    def __init__(self, shape: Shape, spec: Pool) -> None:
        super().__init__()
        self.shape, self.spec = shape, spec

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        grid, size = pictures(x, self.shape), _by_axis(self.spec.size, self.shape)
        if self.spec.kind == "max":
            return flat(functional.max_pool2d(grid, size, ceil_mode=True))
        return flat(functional.avg_pool2d(grid, size, ceil_mode=True, count_include_pad=False))

    def extra_repr(self) -> str:
        return f"{_times(self.shape)} → {_times(self.spec.result(self.shape))}, {self.spec.kind}"


class UpsampleModule(nn.Module):
    """Each position several times."""

    def __init__(self, shape: Shape, spec: Upsample) -> None:
        super().__init__()
        self.shape, self.made = shape, spec.result(shape)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        return flat(functional.interpolate(pictures(x, self.shape), plane(self.made)[:2], mode="nearest"))

    def extra_repr(self) -> str:
        return f"{_times(self.shape)} → {_times(self.made)}"


class RepeatModule(nn.Module):
    """A row at each of several steps."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        return x.repeat(1, self.steps)

    def extra_repr(self) -> str:
        return f"{self.steps} steps"


class RecurrentModule(nn.Module):
    """A gated recurrent unit or a long short-term memory; the formulas stand at `layers.Recurrent`.

    Units are the rows of each product and the batch runs along the vector lanes, as in `DenseModule`.
    """

    def __init__(self, shape: Shape, spec: Recurrent, rng: Rng) -> None:
        super().__init__()
        self.shape, self.spec = shape, spec
        made, units = spec.gates * spec.units, spec.units
        self.weight = nn.Parameter(initial_weights((made, shape[1]), "linear", rng))
        self.state_weight = nn.Parameter(initial_weights((made, units), "linear", rng.at(shard=1)))
        self.bias = nn.Parameter(torch.zeros(made))
        if spec.kind == "gru":
            self.state_bias = nn.Parameter(torch.zeros(units))
        else:
            with torch.no_grad():
                self.bias[units : 2 * units] = 1.0  # a cell that remembers at first (Gers et al. 2000)

    def forward(self, x: Tensor, rng: Rng | None) -> Tensor:
        steps, channels = self.shape
        seen = x.reshape(x.shape[0], steps, channels).permute(1, 2, 0)
        driven = torch.matmul(self.weight, seen) + self.bias[:, None]  # (steps, gates · units, n)
        h = driven.new_zeros(self.spec.units, x.shape[0])
        states = self._gru(driven, h) if self.spec.kind == "gru" else self._lstm(driven, h)
        if self.spec.sequences:
            return torch.stack(states).permute(2, 0, 1).reshape(x.shape[0], -1)
        return states[-1].t()

    def _gru(self, driven: Tensor, h: Tensor) -> list[Tensor]:
        units, states = self.spec.units, []
        gate_weight, new_weight = torch.split(self.state_weight, [2 * units, units])
        for x in driven.unbind(0):
            reset, update = torch.chunk(torch.addmm(x[: 2 * units], gate_weight, h).sigmoid(), 2)
            new = (x[2 * units :] + reset * torch.addmm(self.state_bias[:, None], new_weight, h)).tanh()
            h = torch.lerp(new, h, update)
            states.append(h)
        return states

    def _lstm(self, driven: Tensor, h: Tensor) -> list[Tensor]:
        units, states, cell = self.spec.units, [], h
        for x in driven.unbind(0):
            made = torch.addmm(x, self.state_weight, h)
            take, keep, show = torch.chunk(made[: 3 * units].sigmoid(), 3)
            cell = keep * cell + take * made[3 * units :].tanh()
            h = show * cell.tanh()
            states.append(h)
        return states

    def extra_repr(self) -> str:
        return f"{_times(self.shape)} → {_times(self.spec.result(self.shape))}, {self.spec.kind}"


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape))
