"""Codes of few values: bits, levels, entries of a codebook. Gradients pass straight through the rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from azogue.codes.base import STREAM, CodeSpec, Pull, check_whole
from azogue.recipe import Code, Rng, Rngs

if TYPE_CHECKING:
    from torch import Tensor


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
        mean, soft = h.sigmoid(), self._soft(h, rng)
        bits = (soft > 0.5).to(h.dtype)
        return Code(bits if rng is None else soft + (bits - soft).detach(), {"mean": mean})

    def traced(self, h: Tensor, rng: Rng | Rngs | None, **parameters: Tensor) -> tuple[Code, Pull]:
        mean, soft = h.sigmoid(), self._soft(h, rng)
        bits = (soft > 0.5).to(h.dtype)

        def pull(by: Mapping[str, Tensor]) -> Tensor:
            return by["z"] * soft * (1 - soft) + by.get("mean", 0.0) * mean * (1 - mean)

        return Code(bits, {"mean": mean}), pull

    def _soft(self, h: Tensor, rng: Rng | Rngs | None) -> Tensor:
        """The noisy logistic."""
        if rng is None or self.noise == 0:
            return h.sigmoid()
        return (h + self.noise * rng.normal(STREAM, h.shape, h)).sigmoid()

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
            check_whole(level, 2, "FiniteScalar: levels")
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
        curve, half, offset, steps = self._curve(h)
        bounded = curve * half - offset
        held = bounded.detach()
        z = bounded.round() if rng is None else bounded + (held.round() - held)
        return Code(z / steps)

    def traced(self, h: Tensor, rng: Rng | Rngs | None, **parameters: Tensor) -> tuple[Code, Pull]:
        curve, half, offset, steps = self._curve(h)
        z = (curve * half - offset).round() / steps
        return Code(z), lambda by: by["z"] * (half / steps) * (1 - curve.square())

    def _curve(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The bounded curve, half of each unit's range, its offset, and its steps from 0 to 1."""
        counts = h.new_tensor(self._counts(h.shape[-1]))
        half = (counts - 1) * (1 + 1e-3) / 2
        offset = (counts % 2 == 0) * 0.5
        shift = (offset / half).atanh() * (counts > 2)  # so that h = 0 is a level; two levels part there
        return (h + shift).tanh(), half, offset, counts // 2

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
        check_whole(self.entries, 2, "VectorQuantized: entries")
        if self.dimension is not None:
            check_whole(self.dimension, 1, "VectorQuantized: dimension")

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
        groups = h.reshape(h.shape[0], len(codebook), 1, -1)
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
