"""Differential privacy: the budget that a user states, and the guarantee that a training keeps.

A training is (ε, δ) differentially private if for all tables D and D′ that differ by one row, added or removed, and
all sets S of outcomes `P(training on D ∈ S) ≤ e^ε P(training on D′ ∈ S) + δ`. Training gets there by DP-SGD (Abadi et
al. 2016): each step sums the clipped gradients of rows that were drawn at random, and adds gaussian noise.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import KW_ONLY, dataclass
from functools import cache
from typing import Any

from azogue.recipe import Spec

ACCOUNTANTS = ("rdp", "prv")
SCHEMAS = ("rows", "public")
#: Orders of the Rényi divergences among which the accountant looks for the best.
ORDERS = (1.1, 1.2, 1.35, 1.5, 1.75, 2, 2.25, 2.5, 2.75, *range(3, 33), *range(34, 65, 2), 80, 96, 128, 192, 256, 512)
#: Part of ε that the search for the noise may leave unspent.
TOLERANCE = 0.002


@dataclass(frozen=True, repr=False)
class Privacy(Spec):
    """A budget of (ε, δ) differential privacy for one training: `Autoencoder(privacy=Privacy(2.0))`.

    Each step of training takes every row with probability `q = batch size / rows`, clips each row's gradient g to the
    norm C and moves along `(Σ g min(1, C/‖g‖) + σ C N(0, 1)) / batch size`. σ is the least for which the accountant
    finds that all `epochs · ⌈1/q⌉` steps together spend at most ε at δ.

    Parameters
    ----------
    epsilon : float
        ε > 0. Below 1 is strong, some 2 to 8 are usual; infinity clips but adds no noise and so guarantees nothing.
    delta : float or None
        δ in (0, 1/rows): at 1/rows, publishing a row at random would pass. None: 10⁻⁵, or a tenth of 1/rows where
        that is less.
    clip : float
        The norm C that a row's gradient is clipped to. With Adam, which divides by the gradient's size, it matters
        only beside the norms of the rows' gradients: the default clips nearly all, so that rows count alike. With SGD
        the learning rate has to go up as it goes down.
    accountant : {"rdp", "prv"}
        `"rdp"`: moments of Rényi divergences (Mironov, Talwar & Zhang 2019), a bound that is proven for rows added and
        removed. `"prv"`: numerical composition (Gopi, Lee & Wutschitz 2021), some percent less noise.
    schema : {"rows", "public"}
        Where ranges, scaling and categories of the columns come from: the private rows, which leaves them outside of
        the guarantee; or the public rows of `fit(X, validation_data=public)`, which puts everything inside.

    Raises
    ------
    ValueError
        For numbers outside of their range.

    References
    ----------
    Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar & Zhang (2016), Deep learning with differential privacy, CCS;
    Ponomareva et al. (2023), How to DP-fy ML, for what is usual and how to report it.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> ae = az.Autoencoder(2, epochs=5, privacy=az.Privacy(8.0)).fit(load_iris().data)
    >>> bool(7.9 < ae.privacy_.epsilon <= 8.0)
    True
    >>> print(ae.privacy_.statement().partition(":")[0])
    (7.9..., 1e-05) differential privacy of the weights
    """

    epsilon: float
    _: KW_ONLY
    delta: float | None = None
    clip: float = 0.1
    accountant: str = "rdp"
    schema: str = "rows"

    def __post_init__(self) -> None:
        if not _is_number(self.epsilon) or not self.epsilon > 0:
            raise ValueError(f"Privacy: epsilon must be a number above 0, got {self.epsilon!r}")
        if self.delta is not None and not (_is_number(self.delta) and 0.0 < self.delta < 1.0):
            raise ValueError(f"Privacy: delta must be a number between 0 and 1, or None, got {self.delta!r}")
        if not _is_number(self.clip) or not 0.0 < self.clip < math.inf:
            raise ValueError(f"Privacy: clip must be a number above 0, got {self.clip!r}")
        if self.accountant not in ACCOUNTANTS:
            raise ValueError(f"Privacy: accountant must be one of {', '.join(ACCOUNTANTS)}, got {self.accountant!r}")
        if self.schema not in SCHEMAS:
            raise ValueError(f"Privacy: schema must be one of {', '.join(SCHEMAS)}, got {self.schema!r}")

    def guarantee(self, rows: int, batch_size: int, epochs: int) -> Guarantee:
        """What a training on so many rows keeps, with the least noise that keeps it.

        Parameters
        ----------
        rows, batch_size, epochs : int

        Raises
        ------
        ValueError
            If δ is at least 1/rows, or no noise is enough.
        ImportError
            If opacus, which keeps the accounts, is not installed.

        Examples
        --------
        >>> Privacy(2.0).guarantee(1000, 250, 10)
        Guarantee(epsilon=1.99..., delta=1e-05, noise_multiplier=..., sampling_rate=0.25, steps=40)
        """
        delta = min(1e-5, 0.1 / rows) if self.delta is None else self.delta
        if delta >= 1.0 / rows:
            raise ValueError(
                f"Privacy: delta={delta:g} would let one of {rows} rows be published as it is; take less than 1/rows"
            )
        rate, steps = min(1.0, batch_size / rows), epochs * -(-rows // batch_size)
        sigma = 0.0 if self.epsilon == math.inf else noise_multiplier(self.epsilon, delta, rate, steps, self.accountant)
        spent = math.inf if sigma == 0.0 else spending(sigma, delta, rate, steps, self.accountant)
        return Guarantee(
            epsilon=spent, delta=delta, noise_multiplier=sigma, sampling_rate=rate, steps=steps,
            batch_size=batch_size, clip=self.clip, accountant=self.accountant, schema=self.schema,
        )  # fmt: skip


@dataclass(frozen=True, repr=False)
class Guarantee(Spec):
    """The privacy of one training; an autoencoder's `privacy_`.

    Parameters
    ----------
    epsilon, delta : float
        What the steps spend, by the accountant.
    noise_multiplier : float
        σ: standard deviation of the noise on the sum of gradients, in units of `clip`.
    sampling_rate : float
        Probability that a row takes part in a step.
    steps : int
        All that were planned; a training that ended before spent less.
    batch_size : int
        Rows of a step as expected, by which the noisy sum is divided.
    clip : float
    accountant, schema : str
        See `Privacy`.
    """

    epsilon: float = math.inf
    delta: float = 0.0
    noise_multiplier: float = 0.0
    sampling_rate: float = 1.0
    steps: int = 1
    _: KW_ONLY
    batch_size: int = 1
    clip: float = 1.0
    accountant: str = "rdp"
    schema: str = "rows"

    def __repr__(self) -> str:
        told = ", ".join(
            f"{name}={getattr(self, name):.4g}" for name in ("epsilon", "delta", "noise_multiplier", "sampling_rate")
        )
        return f"Guarantee({told}, steps={self.steps})"

    def statement(self) -> str:
        """The guarantee in words: what it says, how it was kept, and what it does not cover."""
        how = (
            f"{self.steps:,} steps of DP-SGD, each row in a step with probability {self.sampling_rate:.4g}, gradients "
            f"clipped to {self.clip:g}, gaussian noise of {self.noise_multiplier:.4g} times that on their sum"
        )
        if self.epsilon == math.inf:
            return f"No differential privacy, as epsilon is infinite: {how}."
        schema = "ranges, scaling, categories and resolution of the columns (schema_)"
        public = self.schema == "public"
        inside = [
            "the weights",
            *([f"{schema}, taken from public rows"] if public else []),
            "all that follows from these",
        ]
        outside = [
            *([] if public else [f"{schema}, which are taken from the rows and kept in the model"]),
            "the number of rows, the choice of parameters, the time that training took",
            "validation_data, which count as public",
            "persons with several rows: k rows spend k times epsilon",
            "what the rounding of numbers lets through",
            "further trainings on the same rows, each of which spends a budget of its own that adds to this one",
        ]
        return (
            f"({self.epsilon:.4g}, {self.delta:.4g}) differential privacy of the weights: one row more or less in the "
            f"table changes the probability of any outcome by a factor of at most e^{self.epsilon:.4g} = "
            f"{_factor(self.epsilon)}, and by {self.delta:.4g} besides. How: {how}; accounted by opacus "
            f"({self.accountant}). Inside: {'; '.join(inside)}. Outside: {'; '.join(outside)}."
        )


def as_privacy(privacy: Any) -> Privacy | None:
    """None or a `Privacy`.

    Raises
    ------
    TypeError
        For anything else.
    """
    if privacy is None or isinstance(privacy, Privacy):
        return privacy
    raise TypeError(f"privacy: expected None or a budget such as az.Privacy(2.0), got {privacy!r}")


@cache
def noise_multiplier(epsilon: float, delta: float, rate: float, steps: int, accountant: str = "rdp") -> float:
    """The least σ for which `steps` steps at the sampling rate `rate` spend at most ε at δ, nearly.

    Raises
    ------
    ValueError
        If no σ up to a million is enough.
    """
    low, high = 0.0, 1.0
    while spending(high, delta, rate, steps, accountant) > epsilon:
        low, high = high, 2.0 * high
        if high > 2.0**20:
            raise ValueError(
                f"Privacy: no noise keeps {steps:,} steps within epsilon={epsilon:g} at delta={delta:g}; give a larger "
                "budget, fewer epochs or smaller batches"
            )
    while epsilon - spending(high, delta, rate, steps, accountant) > TOLERANCE * epsilon and high - low > 1e-6 * high:
        middle = (low + high) / 2.0
        if spending(middle, delta, rate, steps, accountant) > epsilon:
            low = middle
        else:
            high = middle
    return high


@cache
def spending(sigma: float, delta: float, rate: float, steps: int, accountant: str = "rdp") -> float:
    """The ε that `steps` steps with noise σ at the sampling rate `rate` spend at δ.

    Raises
    ------
    ImportError
        If opacus is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # opacus' remarks on its own dependencies
            from opacus.accountants import PRVAccountant, RDPAccountant
    except ImportError as error:
        raise ImportError('privacy= needs opacus, which keeps the accounts: pip install "azogue[privacy]"') from error
    found = PRVAccountant() if accountant == "prv" else RDPAccountant()
    found.history = [(sigma, rate, steps)]
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # that the best order is at the edge of those looked at: a looser bound, no error
        if accountant == "prv":
            return float(found.get_epsilon(delta))
        return float(found.get_epsilon(delta, alphas=list(ORDERS)))


def _factor(epsilon: float) -> str:
    return f"{math.exp(epsilon):.3g}" if epsilon < 700 else "infinity"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
