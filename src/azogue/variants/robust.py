"""Robust: outlying cells count less."""

from __future__ import annotations

from dataclasses import dataclass

from azogue.autoencoder import Autoencoder
from azogue.objectives import Correntropy
from azogue.session import Axes


@dataclass(eq=False, repr=False)
class RobustAutoencoder(Autoencoder):
    """Measures the reconstruction by correntropy, `2σ²(1 − exp(−e²/2σ²))`, which no outlier can dominate.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. `objective` replaces the correntropy.
    sigma : float
        Width σ of the kernel in scaled units: errors far above it count alike.

    References
    ----------
    Qi, Wang, Zheng & Wu (2014), ICASSP.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> az.RobustAutoencoder(2, epochs=5, random_state=0).fit_transform(load_iris().data).shape
    (150, 2)
    """

    sigma: float = 1.0

    def axes(self) -> Axes:
        return Axes(reconstruction=Correntropy(self.sigma))
