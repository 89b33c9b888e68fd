"""What every corruption is, and the one whose rows are given instead of drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from azogue.recipe import Rng, Spec

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor

STREAM = "corruption"
#: A row's shape: (width,), (t, c) or (h, w, c).
Shape = tuple[int, ...]


def check_order(low: float, high: float, owner: str) -> None:
    """Refuse a range that is none."""
    if not low < high:
        raise ValueError(f"{owner}: needs low < high, got low={low!r}, high={high!r}")


def uniform(x: Tensor, rng: Rng, stream: str = STREAM, columns: Tensor | None = None) -> Tensor:
    """Uniform numbers in [0, 1) of x's shape; one draw a column where `columns` (width,) names each slot's column."""
    draw = rng.uniform(stream, x.shape if columns is None else (len(x), int(columns[-1]) + 1), x)
    return draw if columns is None else draw[:, columns]


class Corruption(Spec):
    """Base of the corruptions.

    Examples
    --------
    >>> import torch
    >>> class Halved(Corruption):
    ...     def __call__(self, x, rng, columns=None):
    ...         return x / 2, torch.ones_like(x, dtype=torch.bool)
    >>> Halved().apply([[2.0, 4.0]])
    array([[1., 2.]])
    """

    #: whether a cell is touched as a whole: all slots of a category, or none (then `columns` is passed)
    whole_cells: ClassVar[bool] = False
    #: whether neighbours in a row matter: the row's shape, (t, c) or (h, w, c), is passed as `shape=`
    positional: ClassVar[bool] = False
    #: whether the loss counts only the cells that were touched: what is learned then is to tell a cell from the others
    blind: ClassVar[bool] = False
    #: whether corrupted rows come with the clean ones, as `fit(clean, corrupted)`
    given: ClassVar[bool] = False
    #: whether they are other rows, by their positions: `fit(X, neighbors)`
    pointed: ClassVar[bool] = False
    #: whether what a row is shown depends on the other rows of its batch
    mixes: ClassVar[bool] = False

    def __call__(self, x: Tensor, rng: Rng, columns: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Clean rows x (n, width) → (seen, touched), both (n, width)."""
        raise NotImplementedError

    def show(
        self,
        x: Tensor,
        mask: Tensor | None,
        rng: Rng,
        columns: Tensor | None,
        shape: Shape,
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
        >>> from azogue.corruptions import Zeros
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
class Neighbor(Corruption):
    """The encoder is shown another row that is like the one to be decoded: `fit(X, neighbors)`.

    `neighbors` (n, k) holds positions of rows of X, -1 where a row has fewer than k; one of them is drawn anew for each
    row at each step. A row that has none is shown itself. The code then keeps what neighbours have in common.

    Parameters
    ----------
    shift : int
        Of pictures, what is shown is moved by up to so many pixels down or up and to a side, drawn anew for each row;
        pixels of the edge are repeated. The code then keeps what stays where a picture is moved.

    Raises
    ------
    ValueError
        For a shift below 0, or one of rows that are no pictures.

    Examples
    --------
    >>> import azogue as az
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> like = np.argsort(np.square(X[:, None] - X).sum(2), axis=1)[:, 1:6]
    >>> az.Autoencoder((8, 2), corruption=Neighbor(), epochs=5).fit(X, like).encode(X).shape
    (50, 2)
    >>> Neighbor(shift=1).apply(np.arange(4.0).reshape(1, 2, 2, 1), random_state=1)[0, :, :, 0]
    array([[0., 1.],
           [0., 1.]])
    """

    shift: int = 0

    given: ClassVar[bool] = True
    pointed: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.shift, bool) or not isinstance(self.shift, int) or self.shift < 0:
            raise ValueError(f"Neighbor: shift must be a whole number of at least 0, got {self.shift!r}")

    @property
    def positional(self) -> bool:  # type: ignore[override]
        """Whether pictures are moved."""
        return self.shift > 0

    def __call__(
        self, x: Tensor, rng: Rng, columns: Tensor | None = None, pair: Tensor | None = None, shape: Shape = ()
    ) -> tuple[Tensor, Tensor]:
        seen = x if pair is None else pair.to(x.dtype)
        if self.shift:
            seen = moved(seen, self.shift, rng, shape)
        return seen, seen != x


def moved(x: Tensor, most: int, rng: Rng, shape: Shape) -> Tensor:
    """Pictures (n, h · w · c), each moved by up to `most` pixels along both axes; pixels of the edge are repeated."""
    import torch

    if len(shape) != 3:
        raise ValueError(f"Neighbor(shift={most}) moves pictures, but a row has shape {shape}; use shift=0")
    n, (h, w, c) = len(x), shape
    steps = (rng.uniform(STREAM, (2, n, 1), x) * (2 * most + 1)).long() - most
    down, across = (
        (torch.arange(size, device=x.device) + step).clamp(0, size - 1)
        for size, step in zip((h, w), steps, strict=True)
    )
    rows = torch.arange(n, device=x.device)[:, None, None]
    return x.reshape(n, h, w, c)[rows, down[:, :, None], across[:, None, :]].reshape(n, -1)
