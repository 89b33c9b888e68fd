"""Regularised variants: what the code may look like, or how the encoder may react."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from azogue.autoencoder import Autoencoder
from azogue.codes import TopK
from azogue.inference import encoder_jacobian, kept
from azogue.objectives import Contraction, Sparsity
from azogue.recipe import Batch, Rng
from azogue.session import Axes, as_seed


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


@dataclass(eq=False, repr=False)
class ContractiveAutoencoder(Autoencoder):
    """Makes the encoder insensitive to small changes: adds `contraction · ‖∂h/∂x̃‖²_F`, the true Jacobian of each row.

    Parameters
    ----------
    network, code, corruption, objective, … :
        As in `Autoencoder`.
    contraction : float
        Weight of the penalty; see `objectives.Contraction`, which estimates it for codes of more than 16 units.

    References
    ----------
    Rifai, Vincent, Muller, Glorot & Bengio (2011), ICML; Rifai, Bengio, Dauphin & Vincent (2012), ICML, for `walk`.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> contractive = az.ContractiveAutoencoder(2, epochs=5, random_state=0).fit(X)
    >>> contractive.walk(X[:3], steps=2).shape
    (3, 4)
    """

    contraction: float = 2e-4

    def axes(self) -> Axes:
        return Axes(penalties=self.contraction * Contraction())

    def walk(self, X: Any, steps: int = 10, sd: float = 0.1, random_state: Any = None) -> Any:
        """New rows near given ones: a random walk of their codes along the directions to which the encoder reacts.

        Each step moves a code by `J Jᵀ ε`, J Jᵀ of the encoder's Jacobian scaled to norm 1 and ε normal of standard
        deviation `sd` times the training codes' own, and takes the code of what the decoder makes of it.

        Parameters
        ----------
        X : table, shape (n, columns)
            Where the walks start.
        steps : int
        sd : float
        random_state : int, numpy generator or None
            None: the seed of the fit.

        Returns
        -------
        table of n rows

        Notes
        -----
        NOTE[DIFF] Rifai et al. (2012) leave the size of a step to the user; here it is relative to the spread of codes.
        """
        if isinstance(steps, bool) or int(steps) != steps or steps < 1 or not sd >= 0:
            raise ValueError(f"walk: steps must be a whole number of at least 1 and sd at least 0, got {steps}, {sd}")
        batch = self._pack(X)
        rng = Rng(self.recipe_.seed if random_state is None else as_seed(random_state))
        x = batch.x
        low, high = kept(self, "code_quantiles_")[[16, 84]]  # a standard deviation below and above the middle
        scale = 0.5 * sd * float((high - low).mean())
        for number in range(int(steps)):
            h, jacobian = encoder_jacobian(self.network_, x)
            metric = jacobian @ jacobian.transpose(1, 2)
            metric = metric / metric.flatten(1).norm(dim=1).clamp(min=1e-12)[:, None, None]
            draw = torch.randn(h.shape, generator=rng.at(step=number).generator("walk"), dtype=h.dtype)
            moved = h + scale * (metric @ draw[:, :, None])[:, :, 0]
            x = self._reader.decoded(self._reader.settled(moved))
        return self.schema_.unpack(Batch(x, None, batch.rows))
