"""Corruptions: what is done to the input while the target stays whole (Vincent et al. 2010).

Each is a frozen value and a function `(x, rng) → (seen, touched)`: `seen` is what the encoder reads, `touched` is True
where a cell was changed. Sizes are in scaled units, and nothing is drawn but from `rng`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from azogue.recipe import Rng, Spec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

STREAM = "corruption"


def _check_probability(value: float, owner: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"{owner}: p must be a probability in [0, 1], got {value!r}")


def _uniform(x: Tensor, rng: Rng, stream: str = STREAM, columns: Tensor | None = None) -> Tensor:
    """Uniform numbers in [0, 1) of x's shape; one draw a column where `columns` (width,) names each slot's column."""
    draw = rng.uniform(stream, x.shape if columns is None else (len(x), int(columns[-1]) + 1), x)
    return draw if columns is None else draw[:, columns]


class Corruption(Spec):
    """Base of the corruptions."""

    #: whether a cell is touched as a whole: all slots of a category, or none (then `columns` is passed)
    whole_cells: ClassVar[bool] = False
    #: whether neighbours in a row matter: the row's shape, (t, c) or (h, w, c), is passed as `shape=`
    positional: ClassVar[bool] = False
    #: whether the loss counts only the cells that were touched: what is learned then is to tell a cell from the others
    blind: ClassVar[bool] = False
    #: whether corrupted rows come with the clean ones, as `fit(clean, corrupted)`
    given: ClassVar[bool] = False

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Clean rows x (n, width) → (seen, touched), both (n, width)."""
        raise NotImplementedError

    def show(
        self,
        x: Tensor,
        mask: Tensor | None,
        rng: Rng,
        columns: Tensor | None,
        shape: tuple[int, ...],
        pair: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """What a step of training shows and counts.

        Parameters
        ----------
        x : Tensor, shape (n, width)
        mask : Tensor of bool, shape (n, width), or None
            Which cells were observed.
        rng : Rng
        columns : Tensor of int64, shape (width,), or None
            The column of each slot, where a column has several.
        shape : tuple of int
            A row's shape: (width,), (t, c) or (h, w, c).
        pair : Tensor, shape (n, width), or None
            The corrupted rows, where they came with the clean ones.

        Returns
        -------
        seen : Tensor, shape (n, width)
        mask : Tensor of bool, shape (n, width), or None
            The cells that count for the reconstruction.
        """
        told: dict[str, Any] = {"shape": shape} if self.positional else {}
        if self.whole_cells and columns is not None:
            told["columns"] = columns
        if self.given:
            told["pair"] = pair
        seen, touched = self(x, rng, **told)
        if self.blind:
            mask = touched if mask is None else touched & mask
        return seen, mask

    def apply(self, X: ArrayLike, random_state: int = 0) -> np.ndarray:
        """The corruption of plain numbers, outside of any training: ruta's `apply_filter`.

        Parameters
        ----------
        X : array, shape (n, width), or (n, t, c), (n, h, w, c) for corruptions that look at neighbours
        random_state : int

        Returns
        -------
        ndarray of float64, of the same shape

        Examples
        --------
        >>> float(Zeros(1.0).apply([[1.0, 2.0]]).sum())
        0.0
        """
        import torch

        x = torch.as_tensor(np.array(X, dtype=float))
        if x.ndim < 2 or (x.ndim > 2 and not self.positional):
            wanted = "(n, t, c) or (n, h, w, c)" if self.positional else "(n, width)"
            raise ValueError(f"apply: expected rows of shape {wanted}, got {tuple(x.shape)}")
        rows = x.reshape(len(x), -1)
        seen = self.show(rows, None, Rng(random_state), None, tuple(x.shape[1:]))[0]
        return np.asarray(seen.reshape(x.shape))


class Paired(Corruption):
    """Each row's corrupted version is told: `fit(clean, corrupted)`. Nothing is drawn.

    Examples
    --------
    >>> import azogue as az
    >>> clean = np.random.default_rng(0).normal(size=(50, 3))
    >>> noisy = clean + 0.1
    >>> az.Autoencoder((8, 3), corruption=Paired(), epochs=5).fit(clean, noisy).reconstruct(noisy).shape
    (50, 3)
    """

    given: ClassVar[bool] = True

    def __call__(
        self, x: Tensor, rng: Rng, columns: Tensor | None = None, pair: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        if pair is None:
            raise ValueError("Paired: the corrupted rows did not come with the clean ones; fit(clean, corrupted)")
        return pair.to(x.dtype), pair != x


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

        touched = _uniform(x, rng, columns=columns) < self.p
        value = self.replacement(x, rng, columns)
        other = value if isinstance(value, torch.Tensor) else x.new_full((), value)
        return torch.where(touched, other, x), touched


class Zeros(_Replacement):
    """Set each cell to 0 with probability p (ruta's `noise_zeros`)."""

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> float:
        return 0.0


class Ones(_Replacement):
    """Set each cell to 1 with probability p (ruta's `noise_ones`)."""

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> float:
        return 1.0


class SaltPepper(_Replacement):
    """Set each cell with probability p to the batch's smallest or largest value of its slot, at even odds."""

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> Tensor:
        import torch

        salt = _uniform(x, rng, "corruption/salt", columns) < 0.5
        return torch.where(salt, x.amax(0), x.amin(0))


class Swap(_Replacement):
    """Replace each cell with probability p by the same slot of another row of the batch.

    The noise of a table: every value that the network sees is one that its column really takes.
    """

    def replacement(self, x: Tensor, rng: Rng, columns: Tensor | None) -> Tensor:
        donor = (_uniform(x, rng, "corruption/donor", columns) * len(x)).long().clamp(max=len(x) - 1)
        return x.gather(0, donor)


@dataclass(frozen=True, repr=False)
class Masking(Corruption):
    """Hide a share of each row's cells (set to 0), the share drawn per row between `low` and `high`."""

    low: float = 0.1
    high: float = 0.5

    whole_cells: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.high <= 1.0:
            raise ValueError(f"Masking: needs 0 ≤ low ≤ high ≤ 1, got low={self.low!r}, high={self.high!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        share = self.low + (self.high - self.low) * _uniform(x[:, :1], rng, "corruption/share")
        touched = _uniform(x, rng, columns=columns) < share
        return x.masked_fill(touched, 0.0), touched


class Hiding(Masking):
    """`Masking` whose hidden cells alone count in the loss: what is learned is to tell cells from the others."""

    blind: ClassVar[bool] = True


@dataclass(frozen=True, repr=False)
class Gaussian(Corruption):
    """Add normal noise of standard deviation `sd`."""

    sd: float = 0.1

    def __post_init__(self) -> None:
        if self.sd < 0:
            raise ValueError(f"Gaussian: sd must be at least 0, got {self.sd!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        import torch

        return x + self.sd * rng.normal(STREAM, x.shape, x), torch.ones_like(x, dtype=torch.bool)


@dataclass(frozen=True, repr=False)
class Cauchy(Corruption):
    """Add Cauchy noise of scale `scale`: mostly small, now and then enormous."""

    scale: float = 0.005

    def __post_init__(self) -> None:
        if self.scale < 0:
            raise ValueError(f"Cauchy: scale must be at least 0, got {self.scale!r}")

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        import torch

        noise = torch.tan(torch.pi * (_uniform(x, rng) - 0.5))
        return x + self.scale * noise, torch.ones_like(x, dtype=torch.bool)


#: Names that `corruption=` takes as text.
NAMED: dict[str, Corruption] = {
    "zeros": Zeros(),
    "ones": Ones(),
    "saltpepper": SaltPepper(),
    "swap": Swap(),
    "masking": Masking(),
    "gaussian": Gaussian(),
    "cauchy": Cauchy(),
}


def as_corruption(corruption: object) -> Corruption | None:
    """Text or a corruption → a corruption; None as it is.

    Raises
    ------
    ValueError, TypeError
        For an unknown name, or anything that is no corruption.

    Examples
    --------
    >>> as_corruption("gaussian")
    Gaussian()
    """
    if corruption is None or isinstance(corruption, Corruption):
        return corruption
    if not isinstance(corruption, str):
        raise TypeError(f"corruption: expected a value such as az.corruptions.Gaussian(0.2), got {corruption!r}")
    if corruption not in NAMED:
        raise ValueError(f"corruption: {corruption!r} is unknown; use one of {', '.join(NAMED)}, or a value")
    return NAMED[corruption]
