"""What every layer spec is: its activation's reach, the shapes it makes, the way back it suggests, and `+`."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral
from typing import ClassVar, TypeAlias

from azogue.recipe import Spec

INF = float("inf")
#: Of a row: `(width,)`, positions and channels of a sequence `(t, c)` or of a picture `(h, w, c)`.
Shape: TypeAlias = tuple[int, ...]

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
    "hard_sigmoid": (0.0, 1.0),
}


def check_activation(name: object, owner: str) -> str:
    """Return `name` if it is an activation, else say which there are.

    Examples
    --------
    >>> check_activation("relu", "Dense")
    'relu'
    >>> check_activation("rely", "Dense")
    Traceback (most recent call last):
        ...
    ValueError: Dense: activation 'rely' is unknown; use one of linear, relu, ...
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"{owner}: activation {name!r} is unknown; use one of {', '.join(ACTIVATIONS)}")
    return str(name)


def check_whole(value: object, owner: str, name: str = "units", least: int = 1) -> None:
    """Refuse what is no whole number of at least `least`."""
    if type(value) is bool or not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{owner}: {name} must be a whole number of at least {least}, got {value!r}")


def check_normalization(kind: object, owner: str) -> None:
    """Refuse an unknown normalisation."""
    if kind not in (None, "batch", "layer"):
        raise ValueError(f"{owner}: normalization must be 'batch', 'layer' or None, got {kind!r}")


class Layer(Spec):
    """Base of the layer specs. `a + b` is the stack of both.

    Examples
    --------
    >>> from azogue.layers import Dense, Pool
    >>> Dense(8).result((4,)), Dense(8).count((4,)), Dense(8).back((4,), None)
    ((8,), 32, (Dense(4),))
    >>> Pool(2).result((28, 28, 1)), Pool(2).back((28, 28, 1), None)
    ((14, 14, 1), (Upsample(to=(28, 28)),))
    """

    #: whether it makes values of its own, so that it can be the code and has a mirror on the way back
    sized: ClassVar[bool] = False
    #: whether its mirror stands on the way back although it makes nothing of its own: pooling
    mirrored: ClassVar[bool] = False
    #: whether it only makes sense behind the code
    leads_back: ClassVar[bool] = False

    def __add__(self, other: object) -> Stack:
        return Stack((self,)) + other

    def result(self, shape: Shape) -> Shape:
        """The shape of what it makes of a row of `shape`.

        Raises
        ------
        ValueError
            If it cannot take rows of that shape.
        """
        return shape

    def count(self, shape: Shape) -> int:
        """How many weights its matrices hold for rows of `shape`, told without making them."""
        return 0

    def work(self, shape: Shape) -> int:
        """Multiplications for a row of `shape`."""
        return self.count(shape)

    def back(self, shape: Shape, before: Layer | None) -> tuple[Layer, ...]:
        """The layers that lead back to rows of `shape`, which this layer got from `before`."""
        return ()


@dataclass(frozen=True, repr=False)
class Input(Layer):
    """The start of a network. Its width comes from the data; `units` states it to have it checked.

    Examples
    --------
    >>> from azogue.layers import Dense, as_network
    >>> as_network(Input(4) + Dense(2), rows=100, width=4)
    Input() + Dense(2) + Output()
    >>> as_network(Input(4) + Dense(2), rows=100, width=5)
    Traceback (most recent call last):
        ...
    ValueError: network: Input(4) was stated, but the data pack into 5 slots; use Input()
    """

    units: int | None = None

    def __post_init__(self) -> None:
        if self.units is not None:
            check_whole(self.units, "Input")


@dataclass(frozen=True, repr=False)
class Output(Layer):
    """The end of a network; its width comes from the data.

    Parameters
    ----------
    activation : str
        `"auto"` leaves it to the data's heads (identity for numbers, sigmoid for booleans, softmax for categories).
        Any other sets the range that the data are scaled to.
    tied : bool
        The way back uses the transposed weights of the way in, with biases of its own (dense layers only).
    skips : bool
        Each layer of the way back adds what its mirror on the way in got; the last one adds the input itself. What
        is to be learned then is the difference between what is seen and what is wanted, as denoising asks for; the
        code alone no longer holds a row (Mao, Shen & Yang 2016, Image restoration using very deep convolutional
        encoder-decoder networks with symmetric skip connections).
    cascade : int
        How many autoencoders of this shape follow one another (dense layers only). Each further one sees the row and
        what has been made of it, and adds what is still missing: `raw_k = raw_{k−1} + g_k(f_k([x, link(raw_{k−1})]))`.
        The code is the first one's and alone no longer holds a row (Tran, Liu, Zhou & Jin 2017, Missing modalities
        imputation via cascaded residual autoencoder).

    Examples
    --------
    >>> from azogue.layers import Dense, as_network, weight_counts
    >>> free = as_network(Dense(3) + Output(), rows=100, width=5)
    >>> tied = as_network(Dense(3) + Output(tied=True), rows=100, width=5)
    >>> weight_counts(free, 5, 3), weight_counts(tied, 5, 3)
    ((15, 15), (15, 0))
    """

    activation: str = "auto"
    _: KW_ONLY
    tied: bool = False
    skips: bool = False
    cascade: int = 1

    def __post_init__(self) -> None:
        if self.activation != "auto":
            check_activation(self.activation, "Output")
        if self.tied and self.skips:
            raise ValueError("Output: tied weights and skip connections do not go together; choose one")
        check_whole(self.cascade, "Output", "cascade")
        if self.cascade > 1 and (self.tied or self.skips):
            raise ValueError("Output: a cascade does not go with tied weights or skip connections; choose one")


@dataclass(frozen=True, repr=False)
class Stack(Spec):
    """Layers in order. Made with `+`; prints as it was typed.

    Examples
    --------
    >>> from azogue.layers import Dense
    >>> (Dense(8, "relu") + Dense(2)).layers
    (Dense(8, activation='relu'), Dense(2))
    """

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
