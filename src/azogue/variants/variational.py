"""Variational: codes are distributions, drawn towards a prior from which new rows can be sampled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from azogue.autoencoder import Autoencoder
from azogue.codes import Gaussian, VonMisesFisher
from azogue.inference import elbo
from azogue.objectives import KL, Likelihood
from azogue.priors import Mixture, Prior, as_prior
from azogue.recipe import Rng
from azogue.session import Axes, as_seed


class Bounded(Autoencoder):
    """An autoencoder whose code is a distribution a row, so that there is a bound of a row's likelihood."""

    def elbo(self, X: Any, samples: int = 10, random_state: Any = None) -> np.ndarray:
        """A lower bound of each row's log likelihood in nats, over its observed cells, in scaled units.

        `E log p(x|z) − KL(q(z|x) ‖ p(z))`, the expectation over draws of z. `beta`, `free_bits` and column weights are
        for training and do not enter.

        Parameters
        ----------
        X : table, shape (n, columns)
        samples : int
            Draws of each row's code.
        random_state : int, numpy generator or None
            None: the seed of the fit.

        Returns
        -------
        ndarray of float64, shape (n,)

        Raises
        ------
        TypeError
            If the objective is no likelihood.
        """
        if isinstance(samples, bool) or int(samples) != samples or samples < 1:
            raise ValueError(f"elbo: samples must be a whole number of at least 1, got {samples!r}")
        batch = self._pack(X)
        rng = Rng(self.recipe_.seed if random_state is None else as_seed(random_state))
        term = self.recipe_.objective.reconstruction.terms[0][1]
        total = torch.zeros(len(batch), dtype=torch.float64)
        for number in range(int(samples)):
            total += elbo(self.network_, term, batch, rng.at(step=number))
        return np.asarray(total / samples)


@dataclass(eq=False, repr=False)
class VariationalAutoencoder(Bounded):
    """Maximises `E log p(x|z) − beta · KL(q(z|x) ‖ p(z))`, the evidence lower bound (ELBO) where beta is 1.

    The loss is its negative divided by the number of columns, in nats.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. `objective` replaces the likelihood; the divergence stays.
    beta : float
        Weight of the divergence; above 1 it presses towards independent units (β-VAE).
    free_bits : float
        Nats that each unit of the code may use for free.
    variance : float, "shared" or "column"
        Variance of numeric columns around their reconstruction, in scaled units: fixed, or learned, one for all or one
        for each.
    prior : Prior or None
        Such as `priors.Mixture(10)`; None: `priors.StandardNormal()`.

    References
    ----------
    Kingma & Welling (2014), Auto-encoding variational Bayes, ICLR; Higgins et al. (2017), β-VAE, ICLR; Kingma et al.
    (2016) for free bits; Rybkin et al. (2021) for the learned variance.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> vae = az.VariationalAutoencoder(2, epochs=5, random_state=0).fit(load_iris().data)
    >>> vae.sample(3).shape
    (3, 4)
    """

    beta: float = 1.0
    free_bits: float = 0.0
    variance: Any = field(default="shared", metadata={"try": "column"})
    prior: Prior | None = field(default=None, metadata={"try": Mixture(3)})

    def axes(self) -> Axes:
        return Axes(
            code=Gaussian(as_prior(self.prior)),
            reconstruction=Likelihood(self.variance),
            penalties=self.beta * KL(self.free_bits),
        )


@dataclass(eq=False, repr=False)
class HypersphericalAutoencoder(Bounded):
    """A variational autoencoder on the unit sphere: a von Mises–Fisher distribution a row, towards a uniform prior.

    The loss is `−E log p(x|z) + beta · KL(vMF(μ, κ) ‖ uniform)` divided by the number of columns, in nats.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`. The code has at least 2 units: a circle. `objective` replaces the likelihood.
    beta : float
        Weight of the divergence.
    free_bits : float
        Nats that the code may use for free.
    variance : float, "shared" or "column"
        Variance of numeric columns around their reconstruction, as in `VariationalAutoencoder`.

    References
    ----------
    Davidson, Falorsi, De Cao, Kipf & Tomczak (2018), Hyperspherical variational auto-encoders, UAI.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> codes = az.HypersphericalAutoencoder(3, epochs=5, random_state=0).fit_transform(load_iris().data)
    >>> bool((abs((codes**2).sum(1) - 1) < 1e-5).all())
    True
    """

    beta: float = 1.0
    free_bits: float = field(default=0.0, metadata={"try": 50.0})
    variance: Any = field(default="shared", metadata={"try": "column"})

    def axes(self) -> Axes:
        return Axes(
            code=VonMisesFisher(),
            reconstruction=Likelihood(self.variance),
            penalties=self.beta * KL(self.free_bits),
        )
