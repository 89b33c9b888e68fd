"""Codes: what happens between the encoder's output and the decoder's input.

A code spec says how many units the encoder must produce for a code of `size` (`width`), which statistics it provides
to terms (`provides`), which trained parameters it has (`parameters`), and how the encoder's output becomes the code
(`__call__`). At inference `rng` is None and nothing is drawn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from azogue.priors import Prior, StandardNormal
from azogue.recipe import Code, Rng, Spec

if TYPE_CHECKING:
    from torch import Tensor

STREAM = "code"


class CodeSpec(Spec):
    """Base of the codes."""

    #: names of the statistics in `Code.stats`
    provides: ClassVar[frozenset[str]] = frozenset()
    #: whether it tells values of both signs apart, so that a code layer without one of them makes no sense
    signed: ClassVar[bool] = False

    @property
    def has_prior(self) -> bool:
        """Whether `decode(draw(n))` makes new rows."""
        return getattr(self, "prior", None) is not None

    @property
    def offers(self) -> frozenset[str]:
        """What terms may need of this code: its statistics, and `"prior"` where it has one to compare with."""
        return self.provides | ({"prior"} if isinstance(getattr(self, "prior", None), Prior) else frozenset())

    def width(self, size: int) -> int:
        """Units that the encoder must produce for a code of `size`."""
        return size

    def parameters(self, size: int, rng: Rng) -> dict[str, Tensor]:
        """Initial values of the code's own parameters, by name; `__call__` and `draw` get them as keywords."""
        return {}

    def count(self, size: int) -> int:
        """How many numbers `parameters` holds, told without making them."""
        return 0

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        """Encoder's output h (n, width(size)) → code with z (n, size)."""
        raise NotImplementedError

    def snapped(self, z: Tensor, **parameters: Tensor) -> Tensor:
        """The codes nearest to z (n, size) that can occur."""
        return z

    def draw(self, n: int, size: int, rng: Rng, **parameters: Tensor) -> Tensor:
        """Draw n codes of `size` units from the prior, where the code has one."""
        prior: Prior | None = getattr(self, "prior", None)
        if prior is None:
            raise TypeError(f"{self!r} has no prior to draw from; use a variational autoencoder")
        return prior.draw(n, size, rng)


def _whole(value: Any, least: int, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{what} must be a whole number of at least {least}, got {value!r}")


@dataclass(frozen=True, repr=False)
class Point(CodeSpec):
    """The code is the encoder's output itself.

    Parameters
    ----------
    prior : Prior or None
        What the codes of many rows should look like together, for terms that compare them with draws from it.
    """

    prior: Prior | None = None

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        return Code(h)


@dataclass(frozen=True, repr=False)
class TopK(CodeSpec):
    """Keep each row's k largest units and set the others to 0 (Makhzani & Frey 2014, k-sparse autoencoder).

    Parameters
    ----------
    k : int or float
        Units kept; a fraction in (0, 1) is of the code's size, at least one unit.

    Notes
    -----
    The paper keeps αk units at inference; here training and inference keep the same k, so that a code means the same
    in both. NOTE[DIFF]

    Examples
    --------
    >>> import torch
    >>> TopK(2)(torch.tensor([[3.0, 1.0, 2.0]]), None).z
    tensor([[3., 0., 2.]])
    """

    k: int | float = 0.25

    def __post_init__(self) -> None:
        whole = isinstance(self.k, Integral) and not isinstance(self.k, bool) and self.k >= 1
        part = isinstance(self.k, Real) and not isinstance(self.k, Integral) and 0.0 < self.k < 1.0
        if not (whole or part):
            raise ValueError(f"TopK: k must be a whole number of at least 1 or a fraction in (0, 1), got {self.k!r}")
        object.__setattr__(self, "k", int(self.k) if whole else float(self.k))

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        import torch

        size = h.shape[1]
        k = self.k if isinstance(self.k, int) else max(1, math.floor(self.k * size + 0.5))
        if k >= size:
            return Code(h)
        kept = torch.zeros_like(h, dtype=torch.bool).scatter(1, h.topk(k, dim=1).indices, True)
        return Code(h * kept)


@dataclass(frozen=True, repr=False)
class Gaussian(CodeSpec):
    """A normal distribution a row: `z = μ + noise · s · ε`, `ε ~ N(0, 1)`; at inference z = μ (Kingma & Welling 2014).

    The encoder produces 2·size units: μ and log s². Provides `mean` and `log_var`.

    Parameters
    ----------
    prior : Prior
        `priors.StandardNormal()` or `priors.Mixture(10)`, for instance.
    noise : float
        Size of ε while training; ruta's `epsilon_std`.

    Examples
    --------
    >>> import torch
    >>> code = Gaussian()(torch.tensor([[1.0, 2.0, 0.0, 0.0]]), None)
    >>> code.z, code.stats["log_var"]
    (tensor([[1., 2.]]), tensor([[0., 0.]]))
    """

    prior: Prior = StandardNormal()
    noise: float = 1.0

    provides: ClassVar[frozenset[str]] = frozenset({"mean", "log_var"})

    def __post_init__(self) -> None:
        if not isinstance(self.prior, Prior):
            raise TypeError(f"Gaussian: prior must be a value such as priors.StandardNormal(), got {self.prior!r}")
        if not self.noise >= 0:
            raise ValueError(f"Gaussian: noise must be at least 0, got {self.noise!r}")

    def width(self, size: int) -> int:
        return 2 * size

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        import torch

        mean, log_var = h.chunk(2, 1)
        log_var = log_var.clamp(-20.0, 10.0)
        stats = {"mean": mean, "log_var": log_var}
        if rng is None:
            return Code(mean, stats)
        draw = torch.randn(mean.shape, generator=rng.generator(STREAM, h.device), device=h.device, dtype=h.dtype)
        return Code(mean + self.noise * (0.5 * log_var).exp() * draw, stats)


@dataclass(frozen=True, repr=False)
class Binary(CodeSpec):
    """Bits: `z = 1 where σ(h + noise · ε) > ½`, else 0; the gradient passes straight through the step to the logistic.

    Provides `mean`, the logistic σ(h) itself. The prior is a fair coin for each bit.

    Parameters
    ----------
    noise : float
        Standard deviation of normal noise on h while training, which forces h away from the threshold (Salakhutdinov
        & Hinton 2009 use 4). Nothing is added at inference.

    Notes
    -----
    NOTE[DIFF] Salakhutdinov & Hinton train on the noisy logistic and threshold afterwards; here the decoder sees bits
    from the start (Bengio, Léonard & Courville 2013), so that training and use agree.

    Examples
    --------
    >>> import torch
    >>> Binary()(torch.tensor([[0.3, -2.0]]), None).z
    tensor([[1., 0.]])
    """

    noise: float = 0.0

    provides: ClassVar[frozenset[str]] = frozenset({"mean"})
    signed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not self.noise >= 0:
            raise ValueError(f"Binary: noise must be at least 0, got {self.noise!r}")

    @property
    def has_prior(self) -> bool:
        return True

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        import torch

        mean = h.sigmoid()
        soft = mean
        if rng is not None and self.noise > 0:
            draw = torch.randn(h.shape, generator=rng.generator(STREAM, h.device), device=h.device, dtype=h.dtype)
            soft = (h + self.noise * draw).sigmoid()
        bits = (soft > 0.5).to(h.dtype)
        return Code(bits if rng is None else soft + (bits - soft).detach(), {"mean": mean})

    def draw(self, n: int, size: int, rng: Rng, **parameters: Tensor) -> Tensor:
        import torch

        return (torch.rand((n, size), generator=rng.generator("prior")) < 0.5).float()

    def snapped(self, z: Tensor, **parameters: Tensor) -> Tensor:
        return (z > 0.5).to(z.dtype)


@dataclass(frozen=True, repr=False)
class FiniteScalar(CodeSpec):
    """Each unit takes one of a few evenly spaced values in [−1, 1] (Mentzer et al. 2024, finite scalar quantisation).

    `z = round(½(L − 1) tanh h) / ⌊L/2⌋`, for an even number of levels L shifted by half a step. The gradient passes
    straight through the rounding. The prior is uniform over the levels.

    Parameters
    ----------
    levels : int or tuple of int
        Levels of every unit, or of each.

    Examples
    --------
    >>> FiniteScalar((3, 2)).codebook(2).shape
    torch.Size([6, 2])
    """

    levels: int | tuple[int, ...] = 8

    signed: ClassVar[bool] = True

    def __post_init__(self) -> None:
        each = tuple(self.levels) if isinstance(self.levels, (tuple, list)) else (self.levels,)
        for level in each:
            _whole(level, 2, "FiniteScalar: levels")
        whole = tuple(int(level) for level in each)
        object.__setattr__(self, "levels", whole if isinstance(self.levels, (tuple, list)) else whole[0])

    @property
    def has_prior(self) -> bool:
        return True

    def width(self, size: int) -> int:
        self._counts(size)
        return size

    def _counts(self, size: int) -> list[int]:
        if isinstance(self.levels, int):
            return [self.levels] * size
        if len(self.levels) != size:
            raise ValueError(
                f"{self!r} gives levels for {len(self.levels)} units, but the code has {size}; give one number for all"
            )
        return list(self.levels)

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        counts = h.new_tensor(self._counts(h.shape[1]))
        half = (counts - 1) * (1 + 1e-3) / 2
        offset = (counts % 2 == 0) * 0.5
        shift = (offset / half).atanh() * (counts > 2)  # so that h = 0 is a level; two levels part there
        bounded = (h + shift).tanh() * half - offset
        steps = bounded if rng is None else bounded.detach()
        z = bounded + (steps.round() - steps) if rng is not None else steps.round()
        return Code(z / (counts // 2))

    def snapped(self, z: Tensor, **parameters: Tensor) -> Tensor:
        counts = z.new_tensor(self._counts(z.shape[1]))
        half = counts // 2
        return (z * half).round().clamp(-half, counts - 1 - half) / half

    def codebook(self, size: int) -> Tensor:
        """All codes of `size` units, (product of the levels, size)."""
        import torch

        grids = [torch.arange(count) - count // 2 for count in self._counts(size)]
        steps = torch.tensor([count // 2 for count in self._counts(size)])
        return torch.cartesian_prod(*grids).reshape(-1, size) / steps

    def draw(self, n: int, size: int, rng: Rng, **parameters: Tensor) -> Tensor:
        import torch

        counts = torch.tensor(self._counts(size))
        levels = (torch.rand((n, size), generator=rng.generator("prior")) * counts).long()
        return (levels - counts // 2) / (counts // 2)


@dataclass(frozen=True, repr=False)
class VectorQuantized(CodeSpec):
    """Groups of units are replaced by the nearest of a codebook's entries (van den Oord et al. 2017).

    The gradient of the decoder passes straight through to the encoder; the codebook learns by `objectives.Commitment`.
    Provides `quantized` (n, groups, dimension), squared `distances` (n, groups, entries) and the `codebook` (groups,
    entries, dimension). The prior is uniform over the entries.

    Parameters
    ----------
    entries : int
        Entries of each group's codebook.
    dimension : int or None
        Units of a group. None: 2 where the code's size is even, else 1.

    Examples
    --------
    >>> VectorQuantized(entries=16).parameters(8, Rng(0))["codebook"].shape
    torch.Size([4, 16, 2])
    """

    entries: int = 64
    dimension: int | None = None

    provides: ClassVar[frozenset[str]] = frozenset({"quantized", "distances", "codebook"})

    def __post_init__(self) -> None:
        _whole(self.entries, 2, "VectorQuantized: entries")
        if self.dimension is not None:
            _whole(self.dimension, 1, "VectorQuantized: dimension")

    @property
    def has_prior(self) -> bool:
        return True

    def width(self, size: int) -> int:
        self._dimension(size)
        return size

    def _dimension(self, size: int) -> int:
        if self.dimension is None:
            return 2 if size % 2 == 0 else 1
        if size % self.dimension:
            raise ValueError(f"{self!r}: a code of {size} units does not split into groups of {self.dimension}")
        return self.dimension

    def parameters(self, size: int, rng: Rng) -> dict[str, Tensor]:
        import torch

        dimension = self._dimension(size)
        shape = (size // dimension, self.entries, dimension)
        return {"codebook": 0.5 * torch.randn(shape, generator=rng.generator("codebook"))}

    def count(self, size: int) -> int:
        return self.entries * size

    def nearest(self, h: Tensor, codebook: Tensor) -> tuple[Tensor, Tensor]:
        """The index of each group's nearest entry (n, groups), and all squared distances (n, groups, entries)."""
        groups = h.reshape(len(h), len(codebook), 1, -1)
        distances = (groups - codebook).square().sum(3)
        return distances.argmin(2), distances

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        import torch

        codebook = parameters["codebook"]
        index, distances = self.nearest(h, codebook)
        quantized = codebook[torch.arange(len(codebook), device=h.device), index]
        flat = quantized.reshape(h.shape)
        z = flat if rng is None else h + (flat - h).detach()
        return Code(z, {"quantized": quantized, "distances": distances, "codebook": codebook})

    def draw(self, n: int, size: int, rng: Rng, **parameters: Tensor) -> Tensor:
        import torch

        codebook = parameters["codebook"].detach().cpu()
        index = torch.randint(self.entries, (n, len(codebook)), generator=rng.generator("prior"))
        return codebook[torch.arange(len(codebook)), index].reshape(n, size)

    def snapped(self, z: Tensor, **parameters: Tensor) -> Tensor:
        return self(z, None, **parameters).z
