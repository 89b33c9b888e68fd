"""Layers of pictures and sequences: convolutions and their way back, pooling, recurrent layers."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, ClassVar

from azogue.layers.base import Layer, Shape, check_activation, check_normalization, check_whole


def _positions(shape: Shape, layer: Layer) -> Shape:
    """The positions of a row, (t,) or (h, w)."""
    if len(shape) not in (2, 3):
        raise ValueError(
            f"network: {layer!r} works on sequences and pictures, but gets rows of {math.prod(shape)} values without "
            "positions; use Dense layers there, or give pictures as (n, h, w) and sequences as (n, t, c)"
        )
    return shape[:-1]


@dataclass(frozen=True, repr=False)
class _Window(Layer):
    """What convolutions have in common."""

    filters: int
    size: int = 3
    activation: str = "linear"
    _: KW_ONLY
    stride: int = 1
    padding: str | int = "same"
    normalization: str | None = None

    sized: ClassVar[bool] = True

    def __post_init__(self) -> None:
        owner = type(self).__name__
        for name in ("filters", "size", "stride"):
            check_whole(getattr(self, name), owner, name)
        if self.padding not in ("same", "valid"):
            check_whole(self.padding, owner, "padding ('same', 'valid' or a number of places)", 0)
        check_activation(self.activation, owner)
        check_normalization(self.normalization, owner)

    @property
    def pads(self) -> tuple[int, int]:
        """Places added before and behind each axis."""
        if self.padding == "same":
            return (self.size - 1) // 2, self.size // 2
        return (0, 0) if self.padding == "valid" else (int(self.padding), int(self.padding))

    def count(self, shape: Shape) -> int:
        positions = len(_positions(shape, self))
        return int(shape[-1] * self.filters * self.size**positions)


@dataclass(frozen=True, repr=False)
class Conv(_Window):
    """A convolution over the positions of a picture (h, w, c) or a sequence (t, c); which, the data say.

    Each axis of n positions becomes `⌊(n + padding − size) / stride⌋ + 1`, with `"same"` `⌈n / stride⌉`.

    Parameters
    ----------
    filters : int
        Channels of the result.
    size : int
        Positions that a filter spans along each axis.
    activation : str
        As in `Dense`.
    stride : int
        Positions between two places of a filter.
    padding : {"same", "valid"} or int
        Zeros around the positions: as many as keep their number (at stride 1), none, or so many on each side.
    normalization : {"batch", "layer"} or None
        Before the activation: over the batch and all positions of a channel, or over all values of a row.

    Raises
    ------
    ValueError
        For rows without positions, or fewer positions than a filter spans.

    Examples
    --------
    >>> Conv(16, 3, "relu", stride=2).result((28, 28, 1))
    (14, 14, 16)
    >>> Conv(8, 5, padding="valid").result((100, 2))
    (96, 8)
    """

    def result(self, shape: Shape) -> Shape:
        places = _positions(shape, self)
        found = tuple((n + sum(self.pads) - self.size) // self.stride + 1 for n in places)
        if min(found) < 1:
            raise ValueError(
                f"network: {self!r} spans {self.size} positions, but gets {' × '.join(map(str, places))}; use a "
                "smaller size, a smaller stride before, or padding='same'"
            )
        return (*found, int(self.filters))

    def work(self, shape: Shape) -> int:
        return self.count(shape) * math.prod(self.result(shape)[:-1])

    def back(self, shape: Shape, before: Layer | None) -> tuple[Layer, ...]:
        activation, kind = getattr(before, "activation", "linear"), getattr(before, "normalization", None)
        shared: dict[str, Any] = {"stride": self.stride, "padding": self.padding, "to": shape[:-1]}
        return (ConvTranspose(shape[-1], self.size, activation, normalization=kind, **shared),)


@dataclass(frozen=True, repr=False)
class ConvTranspose(_Window):
    """The way back of a convolution: the transpose of its linear map; n positions become about n · stride.

    Parameters
    ----------
    filters, size, activation, stride, padding, normalization : as in `Conv`
    to : tuple of int or None
        How many positions each axis gets: those that a mirrored convolution had. None: `n · stride` with padding
        `"same"`, else `(n − 1) · stride + size − padding`.

    Examples
    --------
    >>> ConvTranspose(1, 3, stride=2).result((14, 14, 16))
    (28, 28, 1)
    >>> ConvTranspose(1, 3, stride=2, to=(27, 27)).result((14, 14, 16))
    (27, 27, 1)
    """

    _: KW_ONLY
    to: tuple[int, ...] | None = None

    leads_back: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.to is not None:
            object.__setattr__(self, "to", tuple(self.to))

    def work(self, shape: Shape) -> int:
        return self.count(shape) * math.prod(shape[:-1])

    def result(self, shape: Shape) -> Shape:
        places = _positions(shape, self)
        if self.to is not None:
            if len(self.to) != len(places):
                raise ValueError(f"network: {self!r} gets rows of {shape}, which have {len(places)} axes of positions")
            return (*self.to, int(self.filters))
        spread = sum(self.pads) if self.padding != "same" else self.size - self.stride
        found = tuple((n - 1) * self.stride + self.size - spread for n in places)
        if min(found) < 1:
            raise ValueError(f"network: {self!r} leaves no position of {' × '.join(map(str, places))}; pad less")
        return (*found, int(self.filters))


@dataclass(frozen=True, repr=False)
class Pool(Layer):
    """The largest value, or the mean, of `size` neighbouring positions along each axis; on the way back, they repeat.

    Parameters
    ----------
    size : int
    kind : {"max", "mean"}

    Examples
    --------
    >>> Pool(2).result((7, 7, 16))
    (4, 4, 16)
    """

    size: int = 2
    kind: str = "max"

    mirrored: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self.size, "Pool", "size")
        if self.kind not in ("max", "mean"):
            raise ValueError(f"Pool: kind must be 'max' or 'mean', got {self.kind!r}")

    def result(self, shape: Shape) -> Shape:
        return (*(-(-n // self.size) for n in _positions(shape, self)), shape[-1])

    def back(self, shape: Shape, before: Layer | None) -> tuple[Layer, ...]:
        return (Upsample(self.size, to=shape[:-1]),)


@dataclass(frozen=True, repr=False)
class Upsample(Layer):
    """Each position `size` times along each axis (nearest neighbours), or as often as leads `to` so many positions.

    Examples
    --------
    >>> Upsample(2).result((7, 7, 16)), Upsample(2, to=(13, 13)).result((7, 7, 16))
    ((14, 14, 16), (13, 13, 16))
    """

    size: int = 2
    _: KW_ONLY
    to: tuple[int, ...] | None = None

    leads_back: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self.size, "Upsample", "size")
        if self.to is not None:
            object.__setattr__(self, "to", tuple(self.to))

    def result(self, shape: Shape) -> Shape:
        places = _positions(shape, self)
        return (*(self.to or tuple(n * self.size for n in places)), shape[-1])


@dataclass(frozen=True, repr=False)
class Recurrent(Layer):
    """A recurrent layer over the steps of a sequence (t, c), from first to last.

    With σ the logistic function and ∘ the product element by element, a gated recurrent unit (Cho et al. 2014) is

        r = σ(W_r x + U_r h + b_r),   u = σ(W_u x + U_u h + b_u),   n = tanh(W_n x + r ∘ (U_n h + c_n) + b_n),
        h ← (1 − u) ∘ n + u ∘ h

    and a long short-term memory (Hochreiter & Schmidhuber 1997; Gers et al. 2000)

        i, f, o = σ(W x + U h + b),   g = tanh(W_g x + U_g h + b_g),   s ← f ∘ s + i ∘ g,   h ← o ∘ tanh(s).

    Parameters
    ----------
    units : int
    kind : {"gru", "lstm"}
    sequences : bool or None
        Give the state after every step, (t, units), or after the last one, (units,). None: after every step where the
        next layer works on positions.

    Examples
    --------
    >>> Recurrent(32, sequences=True).result((250, 1)), Recurrent(32).result((250, 1))
    ((250, 32), (32,))
    """

    units: int
    kind: str = "gru"
    _: KW_ONLY
    sequences: bool | None = None

    sized: ClassVar[bool] = True
    activation: ClassVar[str] = "tanh"

    def __post_init__(self) -> None:
        check_whole(self.units, "Recurrent")
        if self.kind not in ("gru", "lstm"):
            raise ValueError(f"Recurrent: kind must be 'gru' or 'lstm', got {self.kind!r}")

    @property
    def gates(self) -> int:
        """Products of a step."""
        return 3 if self.kind == "gru" else 4

    def result(self, shape: Shape) -> Shape:
        if len(shape) != 2:
            raise ValueError(
                f"network: {self!r} works on sequences of shape (t, c), but gets rows of shape {shape}"
                + ("; give it the steps: Recurrent(…, sequences=True) before it" if len(shape) == 1 else "")
            )
        return (shape[0], int(self.units)) if self.sequences else (int(self.units),)

    def count(self, shape: Shape) -> int:
        return int(self.gates * self.units * (shape[-1] + self.units))

    def work(self, shape: Shape) -> int:
        return self.count(shape) * shape[0]

    def back(self, shape: Shape, before: Layer | None) -> tuple[Layer, ...]:
        again = replace(self, sequences=True)
        return (again,) if self.sequences else (Repeat(shape[0]), again)


@dataclass(frozen=True, repr=False)
class Repeat(Layer):
    """A row (width,) at each of `steps` steps, (steps, width): what a recurrent layer unrolls a code from.

    Examples
    --------
    >>> Repeat(250).result((32,))
    (250, 32)
    """

    steps: int

    leads_back: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_whole(self.steps, "Repeat", "steps")

    def result(self, shape: Shape) -> Shape:
        return (int(self.steps), math.prod(shape))


@dataclass(frozen=True, repr=False)
class Autoregressive(Layer):
    """A recurrent decoder that tells a sequence symbol by symbol, each from the code and the symbols before it.

    A gated recurrent unit (see `Recurrent`) starts from `h = tanh(W z + b)` and reads at each step the symbol before
    and the code z; `V h + c` are the logits of the symbol at that step. While training, and wherever a row is at hand,
    it reads the row's own symbols (teacher forcing, Williams & Zipser 1989); from a code alone, the likeliest symbols
    that it told itself. The last symbol ends a sequence, and nothing but itself follows it.

    Parameters
    ----------
    units : int
    steps, symbols : int
        The shape of a row, (steps, symbols): one symbol is 1 at each step.
    rising : int
        So many of the first symbols stand for members of a set: a larger one follows a smaller one, and no sequence
        ends before a symbol that is none of them has closed the set. 0: any symbol follows any other.

    Examples
    --------
    >>> from azogue.layers import Bottleneck, Recurrent, as_network
    >>> stack = Recurrent(16) + Bottleneck(4) + Autoregressive(16, 10, 5)
    >>> as_network(stack, rows=100, width=(10, 5)).code_size
    4
    """

    units: int
    steps: int
    symbols: int
    _: KW_ONLY
    rising: int = 0

    sized: ClassVar[bool] = True
    leads_back: ClassVar[bool] = True
    activation: ClassVar[str] = "linear"

    def __post_init__(self) -> None:
        for name, least in (("units", 1), ("steps", 1), ("symbols", 2), ("rising", 0)):
            check_whole(getattr(self, name), "Autoregressive", name, least)
        if self.rising > self.symbols - 2 and self.rising:
            raise ValueError(
                f"Autoregressive: of {self.symbols} symbols, one ends a sequence and one a set; rising must be at most "
                f"{self.symbols - 2}, got {self.rising}"
            )

    def result(self, shape: Shape) -> Shape:
        return (int(self.steps), int(self.symbols))

    def count(self, shape: Shape) -> int:
        code = math.prod(shape)
        return int(self.units * (4 * code + 3 * (self.symbols + self.units) + self.symbols))

    def work(self, shape: Shape) -> int:
        return self.count(shape) * int(self.steps)


#: Layers that want the positions of a row.
POSITIONAL = (_Window, Pool, Upsample, Recurrent)
