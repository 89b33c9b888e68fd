"""What a network means, settled: its code layer, its way back, the rules behind `"auto"` and whole numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from numbers import Integral, Real
from typing import Any

from azogue.layers.base import Input, Layer, Output, Shape, Stack, check_whole
from azogue.layers.dense import Bottleneck, Dense, Flatten
from azogue.layers.spatial import POSITIONAL, Conv, ConvTranspose, Recurrent
from azogue.recipe import Spec

#: The activation of hidden layers that nobody spells out.
HIDDEN = "silu"
#: Positions along each axis from which rows of pictures and sequences get convolutions where nobody spells layers out.
PICTURE, SEQUENCE = 8, 16


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
    shape : tuple of int
        Of the rows it was settled for; empty for tables.
    final : Layer or None
        What makes the output where that is no dense layer: the mirror of the first convolution, for instance.

    Examples
    --------
    >>> spec = as_network((16, 2), rows=100, width=4)
    >>> spec.encoder, spec.decoder, spec.code_size
    ((Dense(16, activation='silu'), Dense(2)), (Dense(16, activation='silu'),), 2)
    """

    encoder: tuple[Layer, ...]
    decoder: tuple[Layer, ...]
    output: Output
    shape: Shape = ()
    final: Layer | None = None

    def __repr__(self) -> str:
        return repr(Stack((Input(), *self.encoder, *self.decoder, self.output)))

    @property
    def code_size(self) -> int:
        """Values of the code."""
        if isinstance(self.encoder[-1], (Dense, Bottleneck)):
            return int(self.encoder[-1].units)
        return math.prod(list(shapes(self.encoder, self.shape))[-1])


def shapes(layers: Sequence[Layer], shape: Shape) -> Iterator[Shape]:
    """The shape of a row in front of each layer, and behind the last.

    Examples
    --------
    >>> list(shapes((Conv(8, stride=2), Flatten(), Dense(10)), (28, 28, 1)))
    [(28, 28, 1), (14, 14, 8), (1568,), (10,)]
    """
    yield shape
    for layer in layers:
        shape = layer.result(shape)
        yield shape


def _ways(spec: NetworkSpec, width: int, code_width: int) -> Iterator[Iterator[tuple[Layer, Shape]]]:
    """The layers that hold matrices, each with the shape in front of it: on the way in, on the way back.

    The same again for each further autoencoder of a cascade, which reads the row and what was made of it.
    """
    *before, last = spec.encoder
    final = Dense(width) if spec.final is None else spec.final
    for stage in range(spec.output.cascade):
        start = (spec.shape or (width,)) if stage == 0 else (2 * width,)
        if isinstance(last, (Dense, Bottleneck)):
            last = replace(last, units=code_width if stage == 0 else spec.code_size)
        yield zip((*before, last), shapes(before, start), strict=True)
        code = list(shapes(spec.encoder, start))[-1]
        yield zip((*spec.decoder, final), shapes(spec.decoder, code), strict=True)


def weight_counts(spec: NetworkSpec, width: int, code_width: int) -> tuple[int, int]:
    """How many weights the matrices of `spec` hold on the way in and on the way back, told without making them.

    Further autoencoders of a cascade belong to the way back.

    Parameters
    ----------
    spec : NetworkSpec
    width : int
        Slots of a row.
    code_width : int
        Units that the code layer makes, its statistics included.

    Examples
    --------
    >>> weight_counts(as_network((8, 2), rows=100, width=4), width=4, code_width=2)
    (48, 48)
    """
    there, *back = (sum(layer.count(seen) for layer, seen in way) for way in _ways(spec, width, code_width))
    return there, 0 if spec.output.tied else sum(back)


def work_of(spec: NetworkSpec, width: int, code_width: int) -> int:
    """Multiplications of a pass of one row through the matrices of `spec`.

    Examples
    --------
    >>> work_of(as_network((8, 2), rows=100, width=4), width=4, code_width=2)
    96
    """
    return sum(layer.work(seen) for way in _ways(spec, width, code_width) for layer, seen in way)


def as_network(
    network: Any, rows: int, width: int | Shape, *, code: str = "linear", hidden: str = HIDDEN, least: int = 1
) -> NetworkSpec:
    """Settle what `network` means for `rows` rows of `width` slots, or of a shape `(t, c)` or `(h, w, c)`.

    - `"auto"`: the code is a quarter of the width, at least `least` and at most 32, then as for a whole number.
    - a whole number k: a code of k units behind hidden layers chosen by `auto_layers`.
    - a tuple of whole numbers: widths down to the code, mirrored; one that grows again after falling (256, 32, 256)
      is taken as the whole network.
    - a tuple of fractions in (0, 1]: the same with widths as parts of the input's (AEkNN's PPL).
    - a stack of layers, by the rules of `from_stack`.

    Hidden layers that no stack spells out have the activation `hidden`; their code layer has the activation `code`.

    Raises
    ------
    TypeError, ValueError
        If `network` is none of these.

    Examples
    --------
    >>> as_network((8, 2), rows=100, width=4)
    Input() + Dense(8, activation='silu') + Dense(2) + Dense(8, activation='silu') + Output()
    >>> as_network((0.5, 0.25), rows=100, width=8).code_size
    2
    """
    if isinstance(network, NetworkSpec):
        return network
    shape = _shape(width)
    if isinstance(network, str):
        if network != "auto":
            raise ValueError(f"network: the only text is 'auto', got {network!r}; give a code size, widths or layers")
        network = max(least, min(32, round(math.prod(shape) / 4)))
    if isinstance(network, (Layer, Stack)):
        return from_stack(network, shape)
    if isinstance(network, Integral):
        check_whole(network, "network")
        before = auto_layers(rows, shape, int(network), hidden)
        return _split((*before, Dense(int(network), code)), len(before), Output(), shape)
    widths = _widths(network, math.prod(shape))
    layers: list[Layer] = [Dense(units, hidden) for units in widths]
    middle = len(widths) - 1 if _monotone(widths) else (len(widths) - 1) // 2
    layers[middle] = Dense(widths[middle], code)
    return _split(tuple(layers), middle, Output(), shape)


def auto_layers(rows: int, shape: Shape, code: int, hidden: str = HIDDEN) -> tuple[Layer, ...]:
    """The hidden layers in front of a code of `code` units: the documented rule behind `"auto"` and whole numbers.

    - Pictures of at least 8 × 8 pixels: two convolutions of 3 × 3 pixels with stride 2, of 32 and 64 filters.
    - Sequences of at least 16 steps: two convolutions over 5 steps with stride 2, of 32 and 64 filters.
    - Anything else: two dense layers, see `auto_hidden`.

    Examples
    --------
    >>> auto_layers(1000, (28, 28, 1), 32)
    (Conv(32, activation='silu', stride=2), Conv(64, activation='silu', stride=2))
    """
    if len(shape) == 3 and min(shape[:2]) >= PICTURE:
        return Conv(32, 3, hidden, stride=2), Conv(64, 3, hidden, stride=2)
    if len(shape) == 2 and shape[0] >= SEQUENCE:
        return Conv(32, 5, hidden, stride=2), Conv(64, 5, hidden, stride=2)
    return tuple(Dense(units, hidden) for units in auto_hidden(rows, math.prod(shape), code))


def auto_hidden(rows: int, width: int, code: int) -> tuple[int, ...]:
    """Hidden widths for a code of `code` units.

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
            check_whole(item, "network")
        return [int(item) for item in network]
    if all(not isinstance(item, Integral) and 0.0 < float(item) <= 1.0 for item in network):
        return [max(1, math.floor(float(item) * width + 0.5)) for item in network]
    raise ValueError(
        f"network: give widths (whole numbers of at least 1) or fractions of the input's width (in (0, 1]), not a mix "
        f"and nothing outside, got {network!r}"
    )


def _monotone(widths: Sequence[int]) -> bool:
    return all(a >= b for a, b in pairwise(widths)) or all(a <= b for a, b in pairwise(widths))


def _shape(width: int | Shape) -> Shape:
    return tuple(width) if isinstance(width, tuple) else (int(width),)


def from_stack(network: Layer | Stack, width: int | Shape) -> NetworkSpec:
    """Settle which layer of a stack is the code and what leads back.

    1. A `Bottleneck` marks the code. Nothing sized behind it: the way in is mirrored.
    2. Otherwise a stack whose widths only fall (or only rise), neighbours of one width allowed, is the way to the code
       and is mirrored; a single layer is the code. So is any stack with convolutions or recurrent layers and none that
       leads back (`ConvTranspose`, `Upsample`, `Restore`, `Repeat`).
    3. Otherwise the code is the last layer before the first that leads back or, of dense layers alone, the middle one
       (of an even number, the first of the two in the middle).

    Mirroring repeats the hidden layers in reverse order, each with the dropout and normalisation that follow it:
    convolutions as their transposes, pooling as repetition, each to the very number of positions that there were.

    Examples
    --------
    >>> from_stack(Dense(8, "relu") + Dense(2), 4)
    Input() + Dense(8, activation='relu') + Dense(2) + Dense(8, activation='relu') + Output()
    """
    shape = _shape(width)
    layers = network.layers if isinstance(network, Stack) else (network,)
    layers = layers if isinstance(layers[0], Input) else (Input(), *layers)
    layers = layers if isinstance(layers[-1], Output) else (*layers, Output())
    _check_order(layers, math.prod(shape))
    output = layers[-1]
    assert isinstance(output, Output)
    body = _told(layers[1:-1])
    sized = [at for at, layer in enumerate(body) if layer.sized]
    if not sized:
        raise ValueError(f"network: {Stack(layers)!r} has no layer with units; add at least a Dense(units) as the code")
    return _split(body, sized[_code_place([body[at] for at in sized], body, Stack(layers))], output, shape)


def _code_place(sized: Sequence[Layer], body: Sequence[Layer], stack: Stack) -> int:
    """Which of the sized layers is the code."""
    marked = [i for i, layer in enumerate(sized) if isinstance(layer, Bottleneck)]
    if len(marked) > 1:
        raise ValueError(f"network: {stack!r} marks {len(marked)} layers as Bottleneck; mark one")
    if marked:
        return marked[0]
    last = len(sized) - 1
    back = next((at for at, layer in enumerate(body) if layer.leads_back), None)
    if back is not None:
        before = sum(layer.sized for layer in body[:back])
        if not before:
            raise ValueError(f"network: {stack!r} has no layer with units before {body[back]!r}; add one as the code")
        return before - 1
    if any(isinstance(layer, POSITIONAL) for layer in body):
        return last
    widths = [int(getattr(layer, "units", 0)) for layer in sized]
    return last if _monotone(widths) and (widths[0] != widths[-1] or last % 2 == 1) else last // 2


def _told(body: Sequence[Layer]) -> tuple[Layer, ...]:
    """Recurrent layers told whether the next layer that makes something works on positions; `Flatten` is implied."""
    found: list[Layer] = []
    body = [layer for layer in body if not isinstance(layer, Flatten)]
    for at, layer in enumerate(body):
        if isinstance(layer, Recurrent) and layer.sequences is None:
            following = next((other for other in body[at + 1 :] if other.sized or other.mirrored), None)
            layer = replace(layer, sequences=isinstance(following, POSITIONAL))  # noqa: PLW2901
        found.append(layer)
    return tuple(found)


def _check_order(layers: tuple[Layer, ...], width: int) -> None:
    if any(isinstance(layer, Input) for layer in layers[1:]):
        raise ValueError(f"network: Input must come first and once, got {Stack(layers)!r}")
    if any(isinstance(layer, Output) for layer in layers[:-1]):
        raise ValueError(f"network: Output must come last and once, got {Stack(layers)!r}")
    first = layers[0]
    if isinstance(first, Input) and first.units is not None and first.units != width:
        raise ValueError(f"network: Input({first.units}) was stated, but the data pack into {width} slots; use Input()")


def _split(body: tuple[Layer, ...], at: int, output: Output, shape: Shape) -> NetworkSpec:
    """Cut behind the code layer `body[at]`; what follows without making anything of its own stays with the decoder."""
    encoder, decoder = body[: at + 1], body[at + 1 :]
    told = list(shapes(encoder, shape))
    final: Layer | None = None
    if not any(layer.sized or layer.leads_back for layer in decoder):
        mirrored, final = _mirror(encoder, told)
        decoder = decoder + mirrored
    elif decoder[-1].leads_back and getattr(decoder[-1], "activation", "") == "linear":
        end = list(shapes(decoder, told[-1]))[-1]
        decoder, final = (decoder[:-1], decoder[-1]) if end == shape else (decoder, None)
    if final is None:
        final = _pointwise(list(shapes(decoder, told[-1]))[-1], shape)
    spec = NetworkSpec(encoder, decoder, output, shape if len(shape) > 1 else (), final)
    if output.tied and any(isinstance(layer, POSITIONAL) for layer in (*encoder, *decoder)):
        raise ValueError(f"Output(tied=True) is for dense layers alone, got {spec!r}; leave it out")
    if output.cascade > 1 and (len(shape) > 1 or any(isinstance(layer, POSITIONAL) for layer in (*encoder, *decoder))):
        raise ValueError(f"Output(cascade={output.cascade}) is for tables and dense layers, got {spec!r}; leave it out")
    return spec


def _pointwise(reached: Shape, shape: Shape) -> Layer | None:
    """A map of each position on its own, where what has been reached has the positions of the data; None: dense."""
    return Conv(shape[-1], 1) if len(shape) > 1 and reached[:-1] == shape[:-1] and len(reached) > 1 else None


def _mirror(encoder: tuple[Layer, ...], told: Sequence[Shape]) -> tuple[tuple[Layer, ...], Layer | None]:
    """What leads back from the code, and what makes the output where that is no dense layer or a pointwise one."""
    places = [at for at, layer in enumerate(encoder) if layer.sized or layer.mirrored]
    found: list[Layer] = []
    for place, earlier in zip(places[::-1], [*places[-2::-1], None], strict=True):
        before = next((encoder[at] for at in reversed(range(place)) if encoder[at].sized), None)
        if earlier is None and isinstance(encoder[place], (Dense, Bottleneck)):
            return tuple(found), None
        back = encoder[place].back(told[place], before)
        if earlier is None:
            plain = isinstance(back[-1], ConvTranspose)  # then it makes the output
            return (*found, *(back[:-1] if plain else back)), back[-1] if plain else None
        between = [layer for layer in encoder[earlier + 1 : place] if type(layer).result is Layer.result]
        found += [*back, *between]
    raise AssertionError("an encoder has its code layer at least")
