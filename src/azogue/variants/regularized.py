"""Regularised variants: what the code may look like."""

from __future__ import annotations

from dataclasses import dataclass, field

from azogue.autoencoder import Autoencoder
from azogue.codes import TopK
from azogue.objectives import Sparsity
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class SparseAutoencoder(Autoencoder):
    """Keeps most code units quiet: adds `sparsity · Σⱼ (ρ − ρ̂ⱼ)²`, or the KL distance of ruta.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. Where the network is not spelled out in layers, its code layer is a sigmoid.
    sparsity : float
        Weight of the penalty.
    rho : float
        Mean activation that each unit should have, in (0, 1).
    distance : {"squared", "kl"}
        See `objectives.Sparsity`.

    References
    ----------
    Ng (2011), CS294A lecture notes. Charte et al. (2018), Information Fusion 44.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> az.SparseAutoencoder(8, epochs=5, random_state=0).fit_transform(load_iris().data).shape
    (150, 8)
    """

    sparsity: float = 0.1
    rho: float = 0.05
    distance: str = field(default="squared", metadata={"try": "kl"})

    def axes(self) -> Axes:
        return Axes(penalties=self.sparsity * Sparsity(self.rho, self.distance), code_activation="sigmoid")


@dataclass(eq=False, repr=False)
class KSparseAutoencoder(Autoencoder):
    """Keeps each row's k largest code units and silences the others.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`.
    k : int or float
        Units kept; a fraction in (0, 1) is of the code's size.

    References
    ----------
    Makhzani & Frey (2014), ICLR.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> codes = az.KSparseAutoencoder(8, k=2, epochs=5, random_state=0).fit_transform(load_iris().data)
    >>> int((codes != 0).sum(axis=1).max())
    2
    """

    k: int | float = 0.25

    def axes(self) -> Axes:
        return Axes(code=TopK(self.k))
