"""Codes: what happens between the encoder's output and the decoder's input."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from azogue.priors import Prior, StandardNormal
from azogue.recipe import Code, Rng, Rngs, Spec

if TYPE_CHECKING:
    from torch import Tensor

STREAM = "code"
#: Bounds of log s² of a gaussian code.
LOG_VARIANCE = (-20.0, 10.0)
#: Derivatives by z and statistics, by name → the derivative by h.
Pull = Callable[[Mapping[str, "Tensor"]], "Tensor"]


class CodeSpec(Spec):
    """Base of the codes; see `VonMisesFisher` for one with a distribution and a prior of its own.

    A code spec says how many units the encoder must produce for a code of `size` (`width`), which statistics it
    provides to terms (`provides`), which trained parameters it has (`parameters`), and how the encoder's output becomes
    the code (`__call__`). At inference `rng` is None and nothing is drawn. A code with a field `prior` draws from that;
    one that has a prior without it overrides `has_prior` and `draw`. A code that is a distribution a row says how far
    it is from the prior (`divergence`) and draws from it (`posterior`), which is what `KL` and `elbo` ask for.

    Examples
    --------
    >>> import torch
    >>> import azogue as az
    >>> class Folded(CodeSpec):
    ...     def __call__(self, h, rng):
    ...         return Code(h.abs())
    >>> Folded()(torch.tensor([[-1.0, 2.0]]), None).z
    tensor([[1., 2.]])
    >>> X = [[float(n), float(n * n)] for n in range(20)]
    >>> bool((az.Autoencoder(1, code=Folded(), epochs=2).fit(X).encode(X) >= 0).all())
    True
    """

    #: names of the statistics in `Code.stats`
    provides: ClassVar[frozenset[str]] = frozenset()
    #: whether it tells values of both signs apart, so that a code layer without one of them makes no sense
    signed: ClassVar[bool] = False

    #: the fewest units that make sense, which `network="auto"` respects
    least: ClassVar[int] = 1

    #: whether z is h itself, and nothing is drawn
    transparent: ClassVar[bool] = False

    @property
    def has_prior(self) -> bool:
        """Whether `decode(draw(n))` makes new rows."""
        return getattr(self, "prior", None) is not None

    @property
    def offers(self) -> frozenset[str]:
        """What terms may need of this code.

        Its statistics; `"prior"` where it has one to draw from; `"divergence"` where it is a distribution a row.
        """
        distributed = type(self).divergence is not CodeSpec.divergence
        return self.provides | {
            name for name, there in (("prior", self.has_prior), ("divergence", distributed)) if there
        }

    def width(self, size: int) -> int:
        """Units that the encoder must produce for a code of `size`."""
        return size

    def parameters(self, size: int, rng: Rng) -> dict[str, Tensor]:
        """Initial values of the code's own parameters, by name; `__call__` and `draw` get them as keywords."""
        return {}

    def count(self, size: int) -> int:
        """How many numbers `parameters` holds, told without making them."""
        return 0

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        """Encoder's output h (n, width(size)) → code with z (n, size)."""
        raise NotImplementedError

    def traced(self, h: Tensor, rng: Rng | Rngs | None, **parameters: Tensor) -> tuple[Code, Pull]:
        """The code of h (…, n, width(size)), and how gradients pass back through it.

        The second takes the derivatives by z and by statistics, under their names, and gives that by h.
        """
        raise NotImplementedError

    @property
    def analytic(self) -> bool:
        """Whether `traced` belongs to the formula, and what is known of its prior has a derivative."""
        return self.states("traced", "__call__")

    def divergence(self, stats: Mapping[str, Tensor]) -> Tensor:
        """KL(q(z|x) ‖ p(z)) of codes with these statistics, in nats: (…, n, size), or (…, n, 1) of the whole code."""
        raise NotImplementedError

    def gradient(self, stats: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The divergence, and what Σ units of it is by each statistic."""
        raise NotImplementedError

    def posterior(self, stats: Mapping[str, Tensor], rng: Rng) -> Tensor:
        """One draw of z ~ q(z|x) a row, (n, size), for codes with these statistics."""
        raise NotImplementedError

    def snapped(self, z: Tensor, **parameters: Tensor) -> Tensor:
        """The codes nearest to z (n, size) that can occur."""
        return z

    def draw(self, n: int, size: int, rng: Rng, **parameters: Tensor) -> Tensor:
        """Draw n codes of `size` units from the prior, where the code has one."""
        prior: Prior | None = getattr(self, "prior", None)
        if prior is None:
            raise TypeError(f"{self!r} has no prior to draw from; use a variational autoencoder")
        return prior.draw(n, size, rng)


def check_whole(value: Any, least: int, what: str) -> None:
    """Refuse what is no whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{what} must be a whole number of at least {least}, got {value!r}")


@dataclass(frozen=True, repr=False)
class Point(CodeSpec):
    """The code is the encoder's output itself.

    Parameters
    ----------
    prior : Prior or None
        What the codes of many rows should look like together, for terms that compare them with draws from it.

    Examples
    --------
    >>> import torch
    >>> Point()(torch.tensor([[-1.0, 2.0]]), None).z
    tensor([[-1.,  2.]])
    """

    prior: Prior | None = None

    transparent: ClassVar[bool] = True

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        return Code(h)

    def traced(self, h: Tensor, rng: Rng | Rngs | None, **parameters: Tensor) -> tuple[Code, Pull]:
        return Code(h), lambda by: by["z"]


@dataclass(frozen=True, repr=False)
class TopK(CodeSpec):
    """Keep each row's k largest units and set the others to 0 (Makhzani & Frey 2014, k-sparse autoencoder).

    Parameters
    ----------
    k : int or float
        Units kept; a fraction in (0, 1) is of the code's size, at least one unit.

    Notes
    -----
    The paper keeps αk units at inference; here training and inference keep the same k, so that a code means the same
    in both. NOTE[DIFF]

    Examples
    --------
    >>> import torch
    >>> TopK(2)(torch.tensor([[3.0, 1.0, 2.0]]), None).z
    tensor([[3., 0., 2.]])
    """

    k: int | float = 0.25

    def __post_init__(self) -> None:
        whole = isinstance(self.k, Integral) and not isinstance(self.k, bool) and self.k >= 1
        part = isinstance(self.k, Real) and not isinstance(self.k, Integral) and 0.0 < self.k < 1.0
        if not (whole or part):
            raise ValueError(f"TopK: k must be a whole number of at least 1 or a fraction in (0, 1), got {self.k!r}")
        object.__setattr__(self, "k", int(self.k) if whole else float(self.k))

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        return Code(h * self._kept(h))

    def traced(self, h: Tensor, rng: Rng | Rngs | None, **parameters: Tensor) -> tuple[Code, Pull]:
        kept = self._kept(h)
        return Code(h * kept), lambda by: by["z"] * kept

    def _kept(self, h: Tensor) -> Tensor:
        """True at each row's k largest units."""
        import torch

        size = h.shape[-1]
        k = self.k if isinstance(self.k, int) else max(1, math.floor(self.k * size + 0.5))
        return torch.zeros_like(h, dtype=torch.bool).scatter_(-1, h.topk(min(k, size), -1).indices, True)


@dataclass(frozen=True, repr=False)
class Gaussian(CodeSpec):
    """A normal distribution a row: `z = μ + noise · s · ε`, `ε ~ N(0, 1)`; at inference z = μ (Kingma & Welling 2014).

    The encoder produces 2·size units: μ and log s². Provides `mean` and `log_var`.

    Parameters
    ----------
    prior : Prior
        `priors.StandardNormal()` or `priors.Mixture(10)`, for instance.
    noise : float
        Size of ε while training; ruta's `epsilon_std`.

    Examples
    --------
    >>> import torch
    >>> code = Gaussian()(torch.tensor([[1.0, 2.0, 0.0, 0.0]]), None)
    >>> code.z, code.stats["log_var"]
    (tensor([[1., 2.]]), tensor([[0., 0.]]))
    """

    prior: Prior = StandardNormal()
    noise: float = 1.0

    provides: ClassVar[frozenset[str]] = frozenset({"mean", "log_var"})

    def __post_init__(self) -> None:
        if not isinstance(self.prior, Prior):
            raise TypeError(f"Gaussian: prior must be a value such as priors.StandardNormal(), got {self.prior!r}")
        if not self.noise >= 0:
            raise ValueError(f"Gaussian: noise must be at least 0, got {self.noise!r}")

    def width(self, size: int) -> int:
        return 2 * size

    def __call__(self, h: Tensor, rng: Rng | None, **parameters: Tensor) -> Code:
        mean, log_var = h.chunk(2, -1)
        log_var = log_var.clamp(*LOG_VARIANCE)
        stats = {"mean": mean, "log_var": log_var}
        if rng is None:
            return Code(mean, stats)
        return Code(mean + self.noise * (0.5 * log_var).exp() * rng.normal(STREAM, mean.shape, h), stats)

    def traced(self, h: Tensor, rng: Rng | Rngs | None, **parameters: Tensor) -> tuple[Code, Pull]:
        import torch

        mean, free = h.chunk(2, -1)
        log_var = free.clamp(*LOG_VARIANCE)
        inside = free == log_var
        stats = {"mean": mean, "log_var": log_var}
        spread = None if rng is None else self.noise * (0.5 * log_var).exp() * rng.normal(STREAM, mean.shape, h)

        def pull(by: Mapping[str, Tensor]) -> Tensor:
            by_log_var = by.get("log_var", 0.0) + (0.0 if spread is None else 0.5 * spread * by["z"])
            return torch.cat([by["z"] + by.get("mean", 0.0), by_log_var * inside], -1)

        return Code(mean if spread is None else mean + spread, stats), pull

    @property
    def analytic(self) -> bool:
        return super().analytic and self.prior.states("gradient", "divergence")

    def divergence(self, stats: Mapping[str, Tensor]) -> Tensor:
        return self.prior.divergence(stats["mean"], stats["log_var"])

    def gradient(self, stats: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        value, by_mean, by_log_var = self.prior.gradient(stats["mean"], stats["log_var"])
        return value, {"mean": by_mean, "log_var": by_log_var}

    def posterior(self, stats: Mapping[str, Tensor], rng: Rng) -> Tensor:
        mean, log_var = stats["mean"], stats["log_var"]
        return mean + (0.5 * log_var).exp() * rng.normal(STREAM, mean.shape, mean)
