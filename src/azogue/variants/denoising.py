"""Denoising: reconstruct the clean row from a corrupted one."""

from __future__ import annotations

from dataclasses import dataclass

from azogue.autoencoder import Autoencoder
from azogue.corruptions import Zeros
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class DenoisingAutoencoder(Autoencoder):
    """Learns to undo noise, and so the structure that noise cannot follow: `min Σ d(x, g(f(x̃)))`.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. `corruption` replaces the default noise.
    noise : float
        Without a `corruption`: each cell is hidden (set to 0) with this probability.

    References
    ----------
    Vincent, Larochelle, Bengio & Manzagol (2008), ICML; Vincent et al. (2010), JMLR 11.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> az.DenoisingAutoencoder(2, noise=0.3, epochs=5, random_state=0).fit_transform(load_iris().data).shape
    (150, 2)
    """

    noise: float = 0.1

    def axes(self) -> Axes:
        return Axes(corruption=Zeros(self.noise))
