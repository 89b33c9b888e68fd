"""Layers of rows: dense, code, dropout, normalisation."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from azogue.layers.base import Layer, Shape, check_activation, check_normalization, check_whole


class _Full(Layer):
    """Every value of a row leads to every unit."""

    sized: ClassVar[bool] = True

    @property
    def made(self) -> int:
        """How many values it makes."""
        return int(self.units)  # type: ignore[attr-defined]

    def result(self, shape: Shape) -> Shape:
        return (self.made,)

    def count(self, shape: Shape) -> int:
        return math.prod(shape) * self.made

    def back(self, shape: Shape, before: Layer | None) -> tuple[Layer, ...]:
        return (_reaching(shape, before),)


@dataclass(frozen=True, repr=False)
class Dense(_Full):
    """A fully connected layer: `activation(x Wᵀ + b)`, x of shape (n, in), result (n, units).

    It takes all values of a row, of a picture or a sequence too.

    Parameters
    ----------
    units : int
        Width of the result.
    activation : str
        One of `linear, relu, elu, selu, gelu, silu, tanh, sigmoid, softplus, softsign,
        hard_sigmoid`.
    normalization : {"batch", "layer"} or None
        Normalise before the activation. (A `BatchNorm()` or `LayerNorm()` after the layer normalises behind it.)

    Raises
    ------
    ValueError
        For fewer than one unit, an unknown activation or an unknown normalisation.

    Examples
    --------
    >>> Dense(64, "relu") + Dense(8)
    Dense(64, activation='relu') + Dense(8)
    """

    units: int
    activation: str = "linear"
    _: KW_ONLY
    normalization: str | None = None

    def __post_init__(self) -> None:
        check_whole(self.units, "Dense")
        check_activation(self.activation, "Dense")
        check_normalization(self.normalization, "Dense")


@dataclass(frozen=True, repr=False)
class Bottleneck(_Full):
    """The dense layer that is the code, wherever it stands in the stack.

    Examples
    --------
    >>> from azogue.layers import as_network
    >>> as_network(Dense(16) + Bottleneck(2) + Dense(8) + Dense(12), rows=100, width=4).code_size
    2
    """

    units: int
    activation: str = "linear"

    def __post_init__(self) -> None:
        check_whole(self.units, "Bottleneck")
        check_activation(self.activation, "Bottleneck")


@dataclass(frozen=True, repr=False)
class Restore(_Full):
    """A dense layer whose units are arranged as positions and channels: where a way back begins.

    Parameters
    ----------
    shape : tuple of int
        `(t, channels)` or `(h, w, channels)`.
    activation, normalization : as in `Dense`

    Examples
    --------
    >>> Restore((7, 7, 16)).result((32,))
    (7, 7, 16)
    >>> Restore((7, 7, 16)).units
    784
    """

    shape: tuple[int, ...]
    activation: str = "linear"
    _: KW_ONLY
    normalization: str | None = None

    leads_back: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if len(self.shape) not in (2, 3):
            raise ValueError(f"Restore: shape must be (t, channels) or (h, w, channels), got {self.shape!r}")
        for size in self.shape:
            check_whole(size, "Restore", "each part of shape")
        check_activation(self.activation, "Restore")
        check_normalization(self.normalization, "Restore")

    @property
    def units(self) -> int:
        """How many values it makes."""
        return math.prod(self.shape)

    def result(self, shape: Shape) -> Shape:
        return self.shape


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Set each value to 0 with probability `rate` while training and scale the rest by 1/(1 − rate).

    Examples
    --------
    >>> from azogue.layers import as_network
    >>> as_network(Dense(8) + Dropout(0.2) + Dense(2), rows=100, width=4)
    Input() + Dense(8) + Dropout(rate=0.2) + Dense(2) + Dense(8) + Dropout(rate=0.2) + Output()
    """

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate < 1.0:
            raise ValueError(f"Dropout: rate must lie in [0, 1), got {self.rate!r}")


@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    """Centre and scale each row over its units, then a learned scale and shift (Ba et al. 2016).

    Examples
    --------
    >>> import torch
    >>> from azogue.norms import LayerNormModule
    >>> LayerNormModule(2)(torch.tensor([[1.0, 5.0]]), None).detach().round(decimals=3)
    tensor([[-1.,  1.]])
    """

    epsilon: float = 1e-5


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Centre and scale each unit over the batch, then a learned scale and shift (Ioffe & Szegedy 2015).

    Running averages with `momentum` serve at inference, so that a row's result never depends on its neighbours.

    Examples
    --------
    >>> import torch
    >>> from azogue.norms import BatchNormModule
    >>> from azogue.recipe import Rng
    >>> BatchNormModule(2)(torch.tensor([[1.0, 0.0], [5.0, 4.0]]), Rng(0)).detach().round(decimals=3)
    tensor([[-1., -1.],
            [ 1.,  1.]])
    """

    momentum: float = 0.1
    epsilon: float = 1e-5


@dataclass(frozen=True, repr=False)
class Residual(Layer):
    """What is added to the values of a row: `x + dropout(activation(W norm(x) + b))`, of as many values.

    The norm is that of `LayerNorm`, in front of the matrix, so that deep stacks train from the start.

    Parameters
    ----------
    activation : str
    rate : float
        Of the dropout, 0 for none.

    References
    ----------
    He, Zhang, Ren & Sun (2016), Identity mappings in deep residual networks, ECCV.

    Examples
    --------
    >>> from azogue.layers import as_network
    >>> as_network(Dense(8) + Residual() + Dense(2), rows=100, width=4)
    Input() + Dense(8) + Residual() + Dense(2) + Dense(8) + Residual() + Output()
    """

    activation: str = "silu"
    rate: float = 0.0

    def __post_init__(self) -> None:
        check_activation(self.activation, "Residual")
        if not 0.0 <= self.rate < 1.0:
            raise ValueError(f"Residual: rate must lie in [0, 1), got {self.rate!r}")

    def count(self, shape: Shape) -> int:
        if len(shape) > 1:
            raise ValueError(f"Residual: takes rows of one dimension, got {shape}; put it behind a Dense layer")
        return math.prod(shape) ** 2


@dataclass(frozen=True, repr=False)
class Flatten(Layer):
    """All values of a row in one line; a `Dense` layer does so by itself.

    Examples
    --------
    >>> Flatten().result((28, 28, 3))
    (2352,)
    """

    def result(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


def _reaching(shape: Shape, before: Layer | None) -> Layer:
    """A dense layer that makes rows of `shape`, with activation and normalisation of the layer that made them."""
    activation, kind = getattr(before, "activation", "linear"), getattr(before, "normalization", None)
    if len(shape) == 1:
        return Dense(shape[0], activation, normalization=kind)
    return Restore(shape, activation, normalization=kind)


#: Layers of a number of units, which may be the code.
SIZED = (Dense, Bottleneck)
