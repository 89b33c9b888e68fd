"""Spherical: codes on the unit sphere.

What a von Mises–Fisher distribution needs of Bessel functions are integrals over the angle θ between z and μ, whose
density is ∝ exp(κ cos θ) sinᵐ⁻² θ. They are evaluated where the density is, which is stable for every κ and m in use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from azogue.codes.base import STREAM, CodeSpec
from azogue.recipe import Code, Rng

if TYPE_CHECKING:
    from torch import Tensor

#: The least κ / m: nearer to 0 the decoder hears so little of μ that training would give the code up. And a bound of
#: the logarithm of what exceeds it.
FLOOR, LOG_EXCESS = 0.25, 9.0
#: Points of the integrals, and pieces of the distribution function.
NODES, CELLS = 64, 128


@dataclass(frozen=True, repr=False)
class VonMisesFisher(CodeSpec):
    """A von Mises–Fisher distribution a row on the unit sphere, of density ∝ exp(κ μᵀz); at inference z = μ.

    For a code of m units the encoder produces m + 1: a vector whose direction is μ, and log (κ/m − ¼). Provides
    `direction` (n, m) and `concentration` κ (n, 1). The prior is uniform on the sphere.

    Notes
    -----
    `z = cos θ · μ + sin θ · v`, v a uniform direction perpendicular to μ, and θ the inverse of its distribution
    function at a uniform draw; so gradients pass to μ and κ. NOTE[DIFF] Davidson et al. draw cos θ by rejection, which
    takes a random number of draws and whose gradient needs a correction; and their κ is 1 + softplus(h), a floor that
    codes of many units hardly notice.

    References
    ----------
    Davidson, Falorsi, De Cao, Kipf & Tomczak (2018), Hyperspherical variational auto-encoders, UAI; Figurnov, Mohamed &
    Mnih (2018), Implicit reparameterization gradients, NeurIPS.

    Examples
    --------
    >>> import torch
    >>> VonMisesFisher()(torch.tensor([[3.0, 4.0, 0.0]]), None).z
    tensor([[0.6000, 0.8000]])
    """

    provides: ClassVar[frozenset[str]] = frozenset({"direction", "concentration"})
    signed: ClassVar[bool] = True
    least: ClassVar[int] = 2

    @property
    def has_prior(self) -> bool:
        return True

    def width(self, size: int) -> int:
        if size < self.least:
            raise ValueError(f"{self!r} needs a code of at least 2 units, as a circle has, got {size}")
        return size + 1

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        direction, kappa = _split(h)
        stats = {"direction": direction, "concentration": kappa}
        return Code(direction if rng is None else self.posterior(stats, rng), stats)

    def divergence(self, stats: Mapping[str, Tensor]) -> Tensor:
        return divergence(stats["concentration"], stats["direction"].shape[-1])

    def posterior(self, stats: Mapping[str, Tensor], rng: Rng) -> Tensor:
        direction, kappa = stats["direction"], stats["concentration"]
        angle, slope = angles(kappa, direction.shape[-1], rng.uniform("code/angle", kappa.shape, kappa))
        angle = angle + slope * (kappa - kappa.detach())
        noise = rng.normal(STREAM, direction.shape, direction)
        aside = _unit(noise - (noise * direction).sum(-1, keepdim=True) * direction)
        return angle.cos() * direction + angle.sin() * aside

    def draw(self, n: int, size: int, rng: Rng, **parameters: Tensor) -> Tensor:
        import torch

        return _unit(torch.randn((n, size), generator=rng.generator("prior")))

    def snapped(self, z: Tensor, **parameters: Tensor) -> Tensor:
        return _unit(z)


def _unit(x: Tensor) -> Tensor:
    """Each row at length 1, one of zeros too."""
    x = x + 1e-12
    unit: Tensor = x / x.norm(dim=-1, keepdim=True)
    return unit


def _split(h: Tensor) -> tuple[Tensor, Tensor]:
    """The direction (…, m) and the concentration (…, 1)."""
    return _unit(h[..., :-1]), (h.shape[-1] - 1) * (FLOOR + h[..., -1:].clamp(max=LOG_EXCESS).exp())


def _density(kappa: Tensor, size: int, places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """θ at places in [0, 1] of the range that has all but 10⁻¹⁰ of it, that range, 1 − cos θ, and log density + κ."""
    import torch

    reach = 2 * ((math.sqrt(size - 1) + 6) / (2 * kappa.detach().sqrt())).clamp(max=1.0).asin()
    angle = reach * places
    drop = 2 * (angle / 2).sin().square()
    return angle, reach, drop, torch.special.xlogy(size - 2, angle.sin().clamp(min=0.0)) - kappa * drop


@lru_cache(maxsize=1)
def _nodes() -> tuple[Tensor, Tensor]:
    """Places and log weights of Gauss–Legendre quadrature over [0, 1]."""
    import numpy as np
    import torch

    places, weights = np.polynomial.legendre.leggauss(NODES)
    return torch.as_tensor((places + 1) / 2), torch.as_tensor(weights / 2).log()


def divergence(kappa: Tensor, size: int) -> Tensor:
    """KL(vMF(μ, κ) ‖ uniform) on the unit sphere of `size` dimensions, of the shape of κ (…, 1), in nats."""
    places, weights = (values.to(kappa) for values in _nodes())
    _, reach, drop, log_density = _density(kappa, size, places)
    weighed = log_density + weights + reach.log()
    uniform = math.lgamma(0.5) + math.lgamma((size - 1) / 2) - math.lgamma(size / 2)
    fall = (weighed.softmax(-1) * drop).sum(-1, keepdim=True)  # E(1 − cos θ)
    return uniform - weighed.logsumexp(-1, keepdim=True) - kappa * fall


def angles(kappa: Tensor, size: int, uniform: Tensor) -> tuple[Tensor, Tensor]:
    """θ where its distribution function is `uniform`, and dθ/dκ there, all (…, 1) and without a graph.

    The density is taken as piecewise linear, so that both are exact for a distribution that is near.
    """
    import torch

    kappa = kappa.detach()
    angle, _, drop, log_density = _density(kappa, size, torch.linspace(0, 1, CELLS + 1).to(kappa))
    p = (log_density - log_density.amax(-1, keepdim=True)).exp()
    below = _areas(p)
    fall = _areas(p * drop)[..., -1:] / below[..., -1:]
    by = p * (fall - drop)  # ∂p/∂κ, where p's area stays the same
    wanted = uniform * below[..., -1:]
    at = (below[..., 1:-1] <= wanted).sum(-1, keepdim=True)
    start, end, by_start, by_end = (f.gather(-1, at + k) for f in (p, by) for k in (0, 1))
    part = ((wanted - below.gather(-1, at)) / ((start + end) / 2)).clamp(0.0, 1.0)
    within = part * (start + end) / (start + (start.square() + (end.square() - start.square()) * part).sqrt())
    moved = _areas(by).gather(-1, at) + by_start * within + (by_end - by_start) * within.square() / 2
    cell = angle[..., 1:2]
    return cell * (at + within), -cell * moved / (start + (end - start) * within)


def _areas(p: Tensor) -> Tensor:
    """The area below p (…, cells + 1) up to each point, in cells."""
    from torch.nn.functional import pad

    return pad(((p[..., 1:] + p[..., :-1]) / 2).cumsum(-1), (1, 0))
