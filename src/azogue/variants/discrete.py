"""Discrete: codes of bits, of a few levels a unit, or of codebook entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from azogue.autoencoder import Autoencoder
from azogue.codes import Binary, FiniteScalar, VectorQuantized
from azogue.objectives import Commitment
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class BinaryAutoencoder(Autoencoder):
    """A code of bits, 0 or 1, behind a step through which the gradient passes straight.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. The code's size is the number of bits.
    noise : float
        Standard deviation of normal noise before the step while training, which makes bits firm.

    References
    ----------
    Salakhutdinov & Hinton (2009), Semantic hashing; Bengio, Léonard & Courville (2013) for the gradient.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> codes = az.BinaryAutoencoder(8, epochs=5, random_state=0).fit_transform(load_iris().data)
    >>> sorted(set(codes.ravel().tolist()))
    [0.0, 1.0]
    """

    noise: float = 0.5

    def axes(self) -> Axes:
        return Axes(code=Binary(self.noise))


@dataclass(eq=False, repr=False)
class FiniteScalarAutoencoder(Autoencoder):
    """A code whose units take one of a few evenly spaced values in [−1, 1].

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`.
    levels : int or tuple of int
        Levels of every unit, or of each.

    References
    ----------
    Mentzer, Minnen, Agustsson & Tschannen (2024), Finite scalar quantization: VQ-VAE made simple, ICLR.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> codes = az.FiniteScalarAutoencoder(2, levels=3, epochs=5, random_state=0).fit_transform(load_iris().data)
    >>> set(codes.ravel().tolist()) <= {-1.0, 0.0, 1.0}
    True
    """

    levels: int | tuple[int, ...] = 8

    def axes(self) -> Axes:
        return Axes(code=FiniteScalar(self.levels))


@dataclass(eq=False, repr=False)
class VectorQuantizedAutoencoder(Autoencoder):
    """A code put together from entries of learned codebooks, one codebook for each group of units.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`.
    entries : int
        Entries of each codebook.
    dimension : int or None
        Units of a group. None: 2 where the code's size is even, else 1.
    commitment : float
        Weight of what keeps the encoder near its entries; see `objectives.Commitment`.

    References
    ----------
    van den Oord, Vinyals & Kavukcuoglu (2017), Neural discrete representation learning, NeurIPS.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> vq = az.VectorQuantizedAutoencoder(4, entries=16, epochs=5, random_state=0).fit(load_iris().data)
    >>> vq.indices(load_iris().data).shape
    (150, 2)
    """

    entries: int = 64
    dimension: int | None = field(default=None, metadata={"try": 4})
    commitment: float = 0.25

    def axes(self) -> Axes:
        return Axes(code=VectorQuantized(self.entries, self.dimension), penalties=1.0 * Commitment(self.commitment))

    def indices(self, X: Any) -> np.ndarray:
        """Which entry of each codebook a row's code is made of.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        ndarray of int64, shape (n, groups)

        Raises
        ------
        TypeError
            If another code was put in place of the codebooks.
        """
        codes = self._reader.codes(self._pack(X))
        if not isinstance(self.code_, VectorQuantized):
            raise TypeError(f"indices: {self.code_!r} has no codebook")
        codebook = self.network_.code.values()["codebook"].detach().float().cpu()
        return np.asarray(self.code_.nearest(codes, codebook)[0])
