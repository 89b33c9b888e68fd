"""The frozen records that everything speaks: `Spec`, `Rng`, `Batch`, `Code`, `Step`, `Recipe`.

A model is described by *specs*: values that compare, hash, print and clone, and that build nothing. Layers,
corruptions, codes, terms, optimisers and schedules are specs. Training turns them into one `Recipe`, and every step
of training yields one `Step`, which is all that a term of the objective ever sees.

This module does not import torch, so that describing a network costs nothing.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import torch

    from azogue.network import Network


def belongs(kind: type, derivative: str, *formulas: str) -> bool:
    """Whether a class's method for a derivative belongs to these formulas: no subclass changed one of them alone."""
    kin = kind.__mro__
    at = {name: next((i for i, cls in enumerate(kin) if name in vars(cls)), len(kin)) for name in formulas}
    own = next((i for i, cls in enumerate(kin) if derivative in vars(cls)), len(kin))
    return own < len(kin) and all(own <= place for place in at.values())


@dataclass(frozen=True, repr=False)
class Spec:
    """A frozen value that describes a part of a model.

    Subclasses are frozen dataclasses, or plain classes without fields of their own. Each is registered under its name,
    which is what a model file holds: a file can only name a spec that the running program has defined already.
    """

    registry: ClassVar[dict[str, type[Spec]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Spec.registry[cls.spec_name()] = cls

    @classmethod
    def spec_name(cls) -> str:
        """The name in model files: `layers.Dense` for a spec of the package, `module:Name` for anybody else's."""
        root, _, inside = cls.__module__.partition(".")
        if root == "azogue":
            return f"{inside.split('.')[0]}.{cls.__qualname__}"
        return f"{cls.__module__}:{cls.__qualname__}"

    def states(self, derivative: str, *formulas: str) -> bool:
        """Whether a method for a derivative belongs to these formulas, see `belongs`."""
        return belongs(type(self), derivative, *formulas)

    def __repr__(self) -> str:
        """Show what differs from the defaults, as one would type it."""
        shown = []
        for item in fields(self):
            value = getattr(self, item.name)
            if item.default is MISSING and not item.kw_only:
                shown.append(repr(value))
            elif value != item.default:
                shown.append(f"{item.name}={value!r}")
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True)
class Rng:
    """Counter-based randomness: each draw is a function of where it happens, never of what was drawn before.

    Parameters
    ----------
    seed, epoch, step, shard, member : int
        The coordinates of a draw, together with the name of its stream. Resuming a run therefore needs no state of a
        generator, and populations, shards and data order never disturb one another.

    Examples
    --------
    >>> import torch
    >>> a, b = Rng(7, epoch=3).generator("noise"), Rng(7, epoch=3).generator("noise")
    >>> torch.equal(torch.rand(4, generator=a), torch.rand(4, generator=b))
    True
    """

    seed: int
    epoch: int = 0
    step: int = 0
    shard: int = 0
    member: int = 0

    def at(self, **where: int) -> Rng:
        """The same randomness at other coordinates."""
        return replace(self, **where)

    def integer(self, stream: str) -> int:
        """A 63-bit integer that depends on the coordinates and the stream alone."""
        key = struct.pack("<5q", self.seed, self.epoch, self.step, self.shard, self.member) + stream.encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") >> 1

    def generator(self, stream: str, device: torch.device | str = "cpu") -> torch.Generator:
        """A fresh torch generator for one stream at these coordinates."""
        import torch

        return torch.Generator(device).manual_seed(self.integer(stream))

    def uniform(self, stream: str, shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
        """Draws from [0, 1), where and what `like` is."""
        import torch

        exact = like.dtype if like.dtype.itemsize >= 4 else torch.float32
        return torch.rand(tuple(shape), generator=self.generator(stream, like.device), device=like.device, dtype=exact)

    def normal(self, stream: str, shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
        """Draws from N(0, 1), where and what `like` is."""
        import torch

        exact = like.dtype if like.dtype.itemsize >= 4 else torch.float32
        return torch.randn(tuple(shape), generator=self.generator(stream, like.device), device=like.device, dtype=exact)


@dataclass(frozen=True)
class Rngs:
    """The randomness of several members at once: what each draws does not depend on the others.

    Parameters
    ----------
    members : sequence of Rng
    """

    members: Sequence[Rng]

    def uniform(self, stream: str, shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
        """Draws from [0, 1) of shape (members, …)."""
        import torch

        return torch.stack([rng.uniform(stream, shape[1:], like) for rng in self.members])

    def normal(self, stream: str, shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
        """Draws from N(0, 1) of shape (members, …)."""
        import torch

        return torch.stack([rng.normal(stream, shape[1:], like) for rng in self.members])


@dataclass(frozen=True)
class Rows:
    """What a batch remembers of the rows' container: which kind of object they came in and their labels."""

    container: str
    index: Any = None


@dataclass(frozen=True)
class Batch:
    """Rows as the core sees them.

    Parameters
    ----------
    x : Tensor, shape (n, width)
        Scaled values, one-hot blocks and so on; missing cells hold 0.
    mask : Tensor of bool, shape (n, width), or None
        True where the cell was observed. None: every cell was.
    rows : Rows or None
        The container and row labels to give back.
    target : Tensor, shape (n,) or (n, width), or None
        What is known of each row besides: its class, for terms that ask for it, which the encoder never sees; or its
        corrupted version, which is then all that the encoder sees.
    neighbors : Tensor of int64, shape (n, k), or None
        Positions of rows that are like each row, -1 where there are fewer than k. Training draws one of them at each
        step: it becomes the target.
    """

    x: torch.Tensor
    mask: torch.Tensor | None = None
    rows: Rows | None = None
    target: torch.Tensor | None = None
    neighbors: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def each(self) -> int:
        """Rows of each member, where x is (members, n, width)."""
        return self.x.shape[1]

    def take(self, index: Any) -> Batch:
        """The rows of an index tensor or slice (labels are left behind: they are for whole tables)."""
        whole = isinstance(index, slice)
        index = index if whole else index.to(self.x.device)

        def part(values: torch.Tensor | None) -> Any:
            return values if values is None else values[index] if whole else values.index_select(0, index)

        return Batch(part(self.x), part(self.mask), None, part(self.target), part(self.neighbors))


@dataclass(frozen=True, eq=False)
class Lazy:
    """Rows that become tensors when they are taken: bytes and symbols take a part of the memory of their tensors.

    Parameters
    ----------
    count, width : int
        Rows, and slots of each.
    make : callable
        A slice or an array of int64, shape (n,) → the `Batch` of these rows, in this order.
    rows : Rows or None
        The container and row labels to give back.
    target : Tensor, shape (count,), or None
        As in `Batch`.
    pair : Lazy or None
        The corrupted rows, which become the target of the rows that are taken.
    neighbors : Tensor of int64, shape (count, k), or None
        As in `Batch`.
    buffered : bool
        Whether rows that are shuffled together are to be taken at once, in order: they are read from a disk.
    """

    count: int
    width: int
    make: Callable[[Any], Batch]
    rows: Rows | None = None
    target: torch.Tensor | None = None
    pair: Lazy | None = None
    neighbors: torch.Tensor | None = None
    buffered: bool = False

    def __len__(self) -> int:
        return self.count

    def take(self, index: Any) -> Batch:
        """The rows of an index tensor or slice."""
        made = self.make(index if isinstance(index, slice) else index.cpu().numpy())
        if self.neighbors is not None:
            return replace(made, neighbors=self.neighbors[index])
        if self.pair is not None:
            return replace(made, target=self.pair.take(index).x)
        return made if self.target is None else replace(made, target=self.target[index])


@dataclass(frozen=True)
class Code:
    """What the code layer made of the encoder's output.

    Parameters
    ----------
    z : Tensor, shape (n, size)
        What the decoder reads.
    stats : mapping of str to Tensor
        What a term may need besides: `mean` and `log_var` of a gaussian code, for instance. The names are the code
        spec's `provides`.
    """

    z: torch.Tensor
    stats: Mapping[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One training step, the only thing that terms see.

    Parameters
    ----------
    x : Tensor, shape (n, width)
        The target, in scaled units.
    seen : Tensor, shape (n, width)
        What the encoder was shown: `x` after corruption.
    mask : Tensor of bool, shape (n, width), or None
        True where a cell counts for the reconstruction; None where all do.
    h : Tensor, shape (n, k)
        The encoder's output, before the code layer.
    code : Code
        The code, `code.z` of shape (n, size).
    out : Tensor, shape (n, width)
        The reconstruction in the units of `x` (probabilities for booleans and categories).
    model : Network
        The network, for terms over weights or derivatives.
    rng : Rng or None
        Randomness at this step; None at inference, where nothing is drawn.
    raw : Tensor, shape (n, width), or None
        The decoder's output before the heads' links (logits), for losses that are stable only there.
    target : Tensor, shape (n,) or (n, width), or None
        What `fit` was told of each row; None where nothing was, and at inference.
    """

    x: torch.Tensor
    seen: torch.Tensor
    mask: torch.Tensor | None
    h: torch.Tensor
    code: Code
    out: torch.Tensor
    model: Network
    rng: Rng | None = None
    raw: torch.Tensor | None = None
    target: torch.Tensor | None = None


@dataclass(frozen=True, repr=False)
class Recipe(Spec):
    """Everything that training needs to know besides the data and the network.

    Parameters
    ----------
    corruption : Corruption or None
        What is done to the input while training.
    objective : Objective
        The reconstruction and its penalties.
    optimizer : Optimizer
        How parameters move.
    schedule : Schedule
        Progress of the run in [0, 1] → learning rate.
    epochs, batch_size : int
    validation_fraction : float
        Rows held out for early stopping; 0 trains on all of them.
    patience : int or None
        Epochs without improvement before training stops.
    seed : int
    weight_decay : float
        Decoupled decay of weight matrices.
    shards : int
        Virtual shards of a batch. Terms over a batch and batch normalisation are computed within a shard, gradients
        are summed in the order of the shards; so any number of workers ends in the same bits.
    precision : str
        `"float32"`, `"bfloat16"` (autocast, weights in float32) or `"float64"`.
    engine : str
        `"native"` for compiled steps, else `"torch"`.
    deterministic : bool
    privacy : Guarantee or None
        What the training is to keep; then steps draw their rows, clip and add noise.
    """

    corruption: Any
    objective: Any
    optimizer: Any
    schedule: Any
    epochs: int = 100
    batch_size: int = 64
    validation_fraction: float = 0.1
    patience: int | None = 10
    seed: int = 0
    weight_decay: float = 0.0
    shards: int = 1
    precision: str = "float32"
    engine: str = "torch"
    deterministic: bool = False
    privacy: Any = None
