"""Cells that are replaced or hidden, each by itself: what tables are corrupted with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from azogue.corruptions.base import Corruption, uniform
from azogue.recipe import Rng

if TYPE_CHECKING:
    from torch import Tensor


def _check_probability(value: float, owner: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{owner}: p must be a probability in [0, 1], got {value!r}")


@dataclass(frozen=True, repr=False)
class _Replacement(Corruption):
    """With probability p, a cell is replaced."""

    p: float = 0.1

    whole_cells: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_probability(self.p, type(self).__name__)

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> Tensor | float:
        """What the touched cells become."""
        raise NotImplementedError

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        import torch

        touched = uniform(x, rng, columns=columns) < self.p
        value = self.replacement(x, rng, columns)
        other = value if isinstance(value, torch.Tensor) else x.new_full((), value)
        return torch.where(touched, other, x), touched


class Zeros(_Replacement):
    """Set each cell to 0 with probability p (ruta's `noise_zeros`).

    Examples
    --------
    >>> Zeros(0.5).apply([[1.0, 2.0, 3.0, 4.0]])
    array([[1., 0., 3., 0.]])
    """

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> float:
        return 0.0


class Ones(_Replacement):
    """Set each cell to 1 with probability p (ruta's `noise_ones`).

    Examples
    --------
    >>> Ones(0.5).apply([[0.1, 0.2, 0.3, 0.4]])
    array([[0.1, 1. , 0.3, 1. ]])
    """

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> float:
        return 1.0


class SaltPepper(_Replacement):
    """Set each cell with probability p to the batch's smallest or largest value of its slot, at even odds.

    Examples
    --------
    >>> SaltPepper(1.0).apply([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    array([[ 1., 10.],
           [ 1., 30.],
           [ 1., 10.]])
    """

    mixes: ClassVar[bool] = True

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> Tensor:
        import torch

        salt = uniform(x, rng, "corruption/salt", columns) < 0.5
        return torch.where(salt, x.amax(0), x.amin(0))


class Swap(_Replacement):
    """Replace each cell with probability p by the same slot of another row of the batch.

    The noise of a table: every value that the network sees is one that its column really takes.

    Examples
    --------
    >>> Swap(1.0).apply([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    array([[ 3., 30.],
           [ 1., 20.],
           [ 1., 30.]])
    """

    mixes: ClassVar[bool] = True

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> Tensor:
        donor = (uniform(x, rng, "corruption/donor", columns) * len(x)).long().clamp(max=len(x) - 1)
        return x.gather(0, donor)


@dataclass(frozen=True, repr=False)
class Masking(Corruption):
    """Hide a share of each row's cells (set to 0), the share drawn per row between `low` and `high`.

    Examples
    --------
    >>> import torch
    >>> seen, touched = Masking(0.5, 0.5)(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), Rng(0))
    >>> seen
    tensor([[0., 2., 3., 0.]])
    >>> touched
    tensor([[ True, False, False,  True]])
    """

    low: float = 0.1
    high: float = 0.5

    whole_cells: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high <= 1.0:
            raise ValueError(f"Masking: needs 0 ≤ low ≤ high ≤ 1, got low={self.low!r}, high={self.high!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        share = self.low + (self.high - self.low) * uniform(x[:, :1], rng, "corruption/share")
        touched = uniform(x, rng, columns=columns) < share
        return x.masked_fill(touched, 0.0), touched


class Hiding(Masking):
    """`Masking` whose hidden cells alone count in the loss: what is learned is to tell cells from the others.

    Examples
    --------
    >>> import torch
    >>> x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    >>> seen, counted = Hiding(0.5, 0.5).show(x, None, Rng(0), None, (4,))
    >>> seen
    tensor([[0., 2., 3., 0.]])
    >>> counted
    tensor([[ True, False, False,  True]])
    """

    blind: ClassVar[bool] = True


@dataclass(frozen=True, repr=False)
class Following(Corruption):
    """Hide, in each row, all columns from a drawn one on; what is learned is to tell columns from those before them.

    Parameters
    ----------
    first : int
        Columns at the beginning that are always seen.

    Examples
    --------
    >>> import torch
    >>> seen, counted = Following(1).show(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), None, Rng(3), None, (4,))
    >>> seen
    tensor([[1., 2., 0., 0.]])
    >>> counted
    tensor([[False, False,  True,  True]])
    """

    first: int = 0

    whole_cells: ClassVar[bool] = True
    blind: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.first, bool) or not isinstance(self.first, int) or self.first < 0:
            raise ValueError(f"Following: first must be a whole number of at least 0, got {self.first!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        import torch

        place = torch.arange(x.shape[1], device=x.device) if columns is None else columns
        free = max(1, int(place.max()) + 1 - self.first)
        start = self.first + (uniform(x[:, :1], rng, "corruption/place") * free).floor()
        touched = place[None, :] >= start
        return x.masked_fill(touched, 0.0), touched
