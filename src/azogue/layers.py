"""Layer specs, their `+`, and `as_network`: a network is a value until it sees data.

    Input() + Dense(256, "relu") + Dense(32) + Output()

`+` only joins layers in order: it is associative, it changes neither side, and it refuses anything but layers. What a
network means (its code layer, its way back) is decided in one place, `as_network`, by rules stated there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

from azogue.recipe import Spec

INF = float("inf")

#: Activations and the interval that each can produce. `activations.FORMULAS` has the formulas.
ACTIVATIONS: dict[str, tuple[float, float]] = {
    "linear": (-INF, INF),
    "relu": (0.0, INF),
    "elu": (-1.0, INF),
    "selu": (-1.7580993408473766, INF),
    "gelu": (-0.16997120747990369, INF),
    "silu": (-0.27846454276107374, INF),
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softplus": (0.0, INF),
    "softsign": (-1.0, 1.0),
}


def check_activation(name: object, owner: str) -> str:
    """Return `name` if it is an activation, else say which there are."""
    if name not in ACTIVATIONS:
        raise ValueError(f"{owner}: activation {name!r} is unknown; use one of {', '.join(ACTIVATIONS)}")
    return str(name)


def _check_units(units: object, owner: str) -> None:
    if type(units) is bool or not isinstance(units, Integral) or int(units) < 1:
        raise ValueError(f"{owner}: units must be a whole number of at least 1, got {units!r}")


class Layer(Spec):
    """Base of the layer specs. `a + b` is the stack of both."""

    def __add__(self, other: object) -> Stack:
        return Stack((self,)) + other


@dataclass(frozen=True, repr=False)
class Input(Layer):
    """The start of a network. Its width comes from the data; `units` states it to have it checked."""

    units: int | None = None

    def __post_init__(self) -> None:
        if self.units is not None:
            _check_units(self.units, "Input")


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """A fully connected layer: `activation(x Wᵀ + b)`, x of shape (n, in), result (n, units).

    Parameters
    ----------
    units : int
        Width of the result.
    activation : str
        One of `linear, relu, elu, selu, gelu, silu, tanh, sigmoid, softplus, softsign`.
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
        _check_units(self.units, "Dense")
        check_activation(self.activation, "Dense")
        if self.normalization not in (None, "batch", "layer"):
            raise ValueError(f"Dense: normalization must be 'batch', 'layer' or None, got {self.normalization!r}")


@dataclass(frozen=True, repr=False)
class Bottleneck(Layer):
    """The dense layer that is the code, wherever it stands in the stack."""

    units: int
    activation: str = "linear"

    def __post_init__(self) -> None:
        _check_units(self.units, "Bottleneck")
        check_activation(self.activation, "Bottleneck")


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """Set each value to 0 with probability `rate` while training and scale the rest by 1/(1 − rate)."""

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0.0 <= self.rate < 1.0:
            raise ValueError(f"Dropout: rate must lie in [0, 1), got {self.rate!r}")


@dataclass(frozen=True, repr=False)
class LayerNorm(Layer):
    """Centre and scale each row over its units, then a learned scale and shift (Ba et al. 2016)."""

    epsilon: float = 1e-5


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Centre and scale each unit over the batch, then a learned scale and shift (Ioffe & Szegedy 2015).

    Running averages with `momentum` serve at inference, so that a row's result never depends on its neighbours.
    """

    momentum: float = 0.1
    epsilon: float = 1e-5


@dataclass(frozen=True, repr=False)
class Output(Layer):
    """The end of a network; its width comes from the data.

    Parameters
    ----------
    activation : str
        `"auto"` leaves it to the data's heads (identity for numbers, sigmoid for booleans, softmax for categories).
        Any other sets the range that the data are scaled to.
    tied : bool
        The way back uses the transposed weights of the way in, with biases of its own.
    """

    activation: str = "auto"
    _: KW_ONLY
    tied: bool = False

    def __post_init__(self) -> None:
        if self.activation != "auto":
            check_activation(self.activation, "Output")


SIZED = (Dense, Bottleneck)
#: The activation of hidden layers that nobody spells out.
HIDDEN = "silu"


@dataclass(frozen=True, repr=False)
class Stack(Spec):
    """Layers in order. Made with `+`; prints as it was typed."""

    layers: tuple[Layer, ...]

    def __add__(self, other: object) -> Stack:
        if isinstance(other, Stack):
            return Stack(self.layers + other.layers)
        if isinstance(other, Layer):
            return Stack((*self.layers, other))
        raise TypeError(
            f"+ joins layers with layers, got {type(other).__name__} ({other!r}); give terms to objective= "
            "and corruptions to corruption="
        )

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.layers))


@dataclass(frozen=True, repr=False)
class NetworkSpec(Spec):
    """A network with its meaning settled: what leads to the code, the code layer, what leads back.

    Parameters
    ----------
    encoder : tuple of Layer
        The layers down to the code, the code layer last.
    decoder : tuple of Layer
        The layers from the code to, not including, the output.
    output : Output
        The last layer; its width is the data's.
    """

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    output: Output

    def __repr__(self) -> str:
        return repr(Stack((Input(), *self.encoder, *self.decoder, self.output)))

    @property
    def code_size(self) -> int:
        """Width of the code layer."""
        return int(next(layer for layer in reversed(self.encoder) if isinstance(layer, SIZED)).units)


def as_network(network: Any, rows: int, width: int, *, code: str = "linear", hidden: str = HIDDEN) -> NetworkSpec:
    """Settle what `network` means for data of `rows` rows and `width` slots.

    - `"auto"`: the code is a quarter of the width, at least 1 and at most 32, then as for a whole number.
    - a whole number k: a code of k units behind hidden layers chosen by `auto_hidden`.
    - a tuple of whole numbers: widths down to the code, mirrored; one that grows again after falling (256, 32, 256)
      is taken as the whole network.
    - a tuple of fractions in (0, 1]: the same with widths as parts of the input's (AEkNN's PPL).
    - a stack of layers, by the rules of `from_stack`.

    Hidden layers that no stack spells out have the activation `hidden`; their code layer has the activation `code`.

    Raises
    ------
    TypeError, ValueError
        If `network` is none of these.
    """
    if isinstance(network, NetworkSpec):
        return network
    if isinstance(network, str):
        if network != "auto":
            raise ValueError(f"network: the only text is 'auto', got {network!r}; give a code size, widths or layers")
        network = max(1, min(32, round(width / 4)))
    if isinstance(network, (Layer, Stack)):
        return from_stack(network, width)
    if isinstance(network, Integral):
        _check_units(network, "network")
        network = (*auto_hidden(rows, width, int(network)), int(network))
    widths = _widths(network, width)
    layers: list[Layer] = [Dense(units, hidden) for units in widths]
    middle = len(widths) - 1 if _monotone(widths) else (len(widths) - 1) // 2
    layers[middle] = Dense(widths[middle], code)
    stack = Stack((Input(), *layers, Output()))
    return _split(stack, middle, mirrored=middle == len(widths) - 1)


def auto_hidden(rows: int, width: int, code: int) -> tuple[int, ...]:
    """Hidden widths for a code of `code` units: the documented rule behind `"auto"` and whole numbers.

    Two layers, the first of `clip(4·width, 64, 512)` units, the second half of that; both at most `rows` (a table
    with few rows cannot feed a wide layer) and at least the code.

    Examples
    --------
    >>> auto_hidden(rows=4435, width=36, code=2)
    (144, 72)
    """
    first = min(max(4 * width, 64), 512)
    cap = max(rows, 16)
    return tuple(max(min(units, cap), code) for units in (first, first // 2))


def _widths(network: Any, width: int) -> list[int]:
    if not isinstance(network, Sequence) or isinstance(network, (str, bytes)) or not network:
        raise TypeError(
            f"network: expected 'auto', a code size, a tuple of widths or fractions, layers, or an (encoder, decoder) "
            f"pair of torch or Keras modules, got {network!r}"
        )
    if any(isinstance(item, bool) or not isinstance(item, Real) for item in network):
        raise TypeError(f"network: a tuple holds widths, fractions, or an (encoder, decoder) pair, got {network!r}")
    if all(isinstance(item, Integral) for item in network):
        for item in network:
            _check_units(item, "network")
        return [int(item) for item in network]
    if all(not isinstance(item, Integral) and 0.0 < float(item) <= 1.0 for item in network):
        return [max(1, math.floor(float(item) * width + 0.5)) for item in network]
    raise ValueError(
        f"network: give widths (whole numbers of at least 1) or fractions of the input's width (in (0, 1]), not a mix "
        f"and nothing outside, got {network!r}"
    )


def _monotone(widths: Sequence[int]) -> bool:
    return all(a >= b for a, b in pairwise(widths)) or all(a <= b for a, b in pairwise(widths))


def from_stack(network: Layer | Stack, width: int) -> NetworkSpec:
    """Settle which layer of a stack is the code and what leads back.

    1. A `Bottleneck` marks the code. Nothing sized behind it: the way in is mirrored.
    2. Otherwise a stack whose widths only fall (or only rise), neighbours of one width allowed, is the way to the code
       and is mirrored; a single layer is the code.
    3. Otherwise the middle layer is the code (of an even number, the first of the two in the middle).

    Mirroring repeats the hidden layers in reverse order, each with the dropout and normalisation that follow it.
    """
    layers = network.layers if isinstance(network, Stack) else (network,)
    layers = layers if isinstance(layers[0], Input) else (Input(), *layers)
    layers = layers if isinstance(layers[-1], Output) else (*layers, Output())
    _check_order(layers, width)
    sized = [layer for layer in layers if isinstance(layer, SIZED)]
    if not sized:
        raise ValueError(f"network: {Stack(layers)!r} has no layer with units; add at least a Dense(units) as the code")
    marked = [i for i, layer in enumerate(sized) if isinstance(layer, Bottleneck)]
    if len(marked) > 1:
        raise ValueError(f"network: {Stack(layers)!r} marks {len(marked)} layers as Bottleneck; mark one")
    last = len(sized) - 1
    widths = [layer.units for layer in sized]
    if marked:
        middle = marked[0]
    elif _monotone(widths) and (widths[0] != widths[-1] or last % 2 == 1):
        middle = last
    else:
        middle = last // 2
    return _split(Stack(layers), middle, mirrored=middle == last)


def _check_order(layers: tuple[Layer, ...], width: int) -> None:
    if any(isinstance(layer, Input) for layer in layers[1:]):
        raise ValueError(f"network: Input must come first and once, got {Stack(layers)!r}")
    if any(isinstance(layer, Output) for layer in layers[:-1]):
        raise ValueError(f"network: Output must come last and once, got {Stack(layers)!r}")
    first = layers[0]
    if isinstance(first, Input) and first.units is not None and first.units != width:
        raise ValueError(f"network: Input({first.units}) was stated, but the data pack into {width} slots; use Input()")


def _split(stack: Stack, middle: int, *, mirrored: bool) -> NetworkSpec:
    """Cut at the sized layer number `middle`; what follows the code without units stays with the decoder."""
    body, output = stack.layers[1:-1], stack.layers[-1]
    assert isinstance(output, Output)
    at = [i for i, layer in enumerate(body) if isinstance(layer, SIZED)][middle]
    encoder, decoder = body[: at + 1], body[at + 1 :]
    if mirrored:
        decoder = decoder + _mirror(encoder[:-1])
    return NetworkSpec(encoder, decoder, output)


def _mirror(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """Reverse the hidden layers, keeping behind each what follows it; what precedes the first stays out."""
    blocks: list[list[Layer]] = []
    for layer in layers:
        if isinstance(layer, SIZED):
            blocks.append([layer])
        elif blocks:
            blocks[-1].append(layer)
    return tuple(layer for block in reversed(blocks) for layer in block)
