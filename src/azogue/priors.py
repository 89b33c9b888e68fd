"""Priors: what a code is expected to look like before any row is seen, as frozen values.

A prior says how far a gaussian code is from it (`divergence`), draws codes (`draw`), and, where its units are
independent, gives their quantiles (`quantile`), which is what a grid over the code needs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from azogue.recipe import Rng, Spec

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Mixture", "Prior", "StandardNormal", "as_prior"]

STREAM = "prior"


class Prior(Spec):
    """Base of the priors.

    Examples
    --------
    >>> import torch
    >>> class Box(Prior):
    ...     def draw(self, n, size, rng):
    ...         return torch.rand((n, size), generator=rng.generator("box"))
    >>> Box().draw(3, 2, Rng(0)).shape
    torch.Size([3, 2])
    """

    #: whether the units are independent, so that each has quantiles
    independent: ClassVar[bool] = False

    def divergence(self, mean: Tensor, log_var: Tensor) -> Tensor:
        """KL(q ‖ p) of codes q = N(mean, exp(log_var)), both (n, size), in nats.

        Returns
        -------
        Tensor, shape (n, size), or (n, 1) where the prior's units are not independent
        """
        raise NotImplementedError

    def gradient(self, mean: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The divergence as `divergence` has it, and what Σ units of it is by `mean` and `log_var`, (…, n, size) each.

        For codes (…, n, size).
        """
        raise NotImplementedError

    def draw(self, n: int, size: int, rng: Rng) -> Tensor:
        """Draw n codes of `size` units, (n, size)."""
        raise NotImplementedError

    def quantile(self, p: np.ndarray) -> np.ndarray:
        """The value below which a unit lies with probability p, where the units are independent."""
        raise NotImplementedError


@dataclass(frozen=True, repr=False)
class StandardNormal(Prior):
    """Independent units of mean 0 and variance 1.

    `KL(N(μ, s²) ‖ N(0, 1)) = ½ (μ² + s² − log s² − 1)` a unit (Kingma & Welling 2014).

    Examples
    --------
    >>> import torch
    >>> StandardNormal().divergence(torch.zeros(1, 2), torch.zeros(1, 2)).sum().item()
    0.0
    """

    independent: ClassVar[bool] = True

    def divergence(self, mean: Tensor, log_var: Tensor) -> Tensor:
        import torch

        return 0.5 * (mean.square() + torch.expm1(log_var) - log_var)

    def gradient(self, mean: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        import torch

        excess = torch.expm1(log_var)
        return 0.5 * (mean.square() + excess - log_var), mean, 0.5 * excess

    def draw(self, n: int, size: int, rng: Rng) -> Tensor:
        import torch

        return torch.randn((n, size), generator=rng.generator(STREAM))

    def quantile(self, p: np.ndarray) -> np.ndarray:
        import numpy as np
        from scipy.special import ndtri

        return np.asarray(ndtri(p))


@dataclass(frozen=True, repr=False)
class Mixture(Prior):
    """Equal parts of normal distributions: a prior for data that fall into groups.

    Parameters
    ----------
    components : int
        How many, where `means` does not say.
    radius : float
        Distance of their means from the origin: evenly spaced for codes of one or two units, else in fixed random
        directions.
    scale : float
        Standard deviation of each.
    means : tuple of tuples, optional
        The means themselves, one tuple a component.

    Notes
    -----
    `divergence` is the bound `−log (1/K) Σₖ exp(−KL(q ‖ pₖ)) ≥ KL(q ‖ p)` (Hershey & Olsen 2007), in closed form, with
    equality for a single component; so the ELBO stays a lower bound.

    Examples
    --------
    >>> Mixture(3).draw(5, 2, Rng(0)).shape
    torch.Size([5, 2])
    """

    components: int = 10
    radius: float = 3.0
    scale: float = 1.0
    means: tuple[tuple[float, ...], ...] | None = None

    def __post_init__(self) -> None:
        whole = not isinstance(self.components, bool) and int(self.components) == self.components
        if not whole or self.components < 1:
            raise ValueError(f"Mixture: components must be a whole number of at least 1, got {self.components!r}")
        if self.means is not None:
            means = tuple(tuple(float(value) for value in mean) for mean in self.means)
            if not means or len({len(mean) for mean in means}) != 1 or not means[0]:
                raise ValueError(f"Mixture: means must be at least one tuple of numbers, all as long, got {means!r}")
            object.__setattr__(self, "means", means)
        if not self.scale > 0:
            raise ValueError(f"Mixture: scale must be positive, got {self.scale!r}")

    @lru_cache(maxsize=64)  # noqa: B019 (a prior is a value, and a step asks for the same places each time)
    def places(self, size: int) -> Tensor:
        """The components' means, (components, size); not to be written to."""
        import torch

        if self.means is not None:
            if any(len(mean) != size for mean in self.means):
                raise ValueError(f"{self!r}: its means must have {size} values each, as many as the code has units")
            return torch.tensor(self.means, dtype=torch.float32)
        if size == 1:
            return torch.linspace(-self.radius, self.radius, self.components)[:, None]
        if size == 2:
            angle = torch.arange(self.components) * (2 * math.pi / self.components)
            return self.radius * torch.stack([angle.cos(), angle.sin()], 1)
        directions = torch.randn((self.components, size), generator=Rng(0).generator("prior/places"))
        unit: Tensor = directions / directions.norm(dim=1, keepdim=True)
        return self.radius * unit

    def _each(self, mean: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor]:
        """The divergence from each component (…, n, components), and the components' means."""
        places = self.places(mean.shape[-1]).to(mean)
        squares = (mean[..., None, :] - places).square() + log_var.exp()[..., None, :]
        width = self.scale**2
        return 0.5 * (squares / width - 1.0 - log_var[..., None, :] + math.log(width)).sum(-1), places

    def divergence(self, mean: Tensor, log_var: Tensor) -> Tensor:
        each, places = self._each(mean, log_var)
        return (math.log(len(places)) - (-each).logsumexp(-1))[..., None]

    def gradient(self, mean: Tensor, log_var: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        each, places = self._each(mean, log_var)
        value = (math.log(len(places)) - (-each).logsumexp(-1))[..., None]
        width = self.scale**2
        near = (-each).softmax(-1) @ places
        return value, (mean - near) / width, 0.5 * (log_var.exp() / width - 1.0)

    def draw(self, n: int, size: int, rng: Rng) -> Tensor:
        import torch

        places = self.places(size)
        chosen = torch.randint(len(places), (n,), generator=rng.generator("prior/component"))
        return places[chosen] + self.scale * torch.randn((n, size), generator=rng.generator(STREAM))


def as_prior(prior: Prior | None) -> Prior:
    """None → the standard normal prior; a prior as it is.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> as_prior(None), as_prior(Mixture(3))
    (StandardNormal(), Mixture(components=3))
    """
    if prior is not None and not isinstance(prior, Prior):
        raise TypeError(f"prior: expected a value such as az.priors.Mixture(10), got {prior!r}")
    return StandardNormal() if prior is None else prior
