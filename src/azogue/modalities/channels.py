"""One affine map for each channel, for modalities whose rows are many values of a few kinds: pictures and signals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.heads import Bernoulli, Gaussian, Head, Poisson
from azogue.modalities.base import Demand
from azogue.modalities.scaling import Policy

HEADS: dict[str, type[Head]] = {"gaussian": Gaussian, "bernoulli": Bernoulli, "poisson": Poisson}
#: The ways of scaling channels; `"auto"` is each modality's own choice.
SCALINGS = ("auto", "standard", "minmax", "none")


@dataclass(frozen=True)
class Range:
    """What is known of a channel's values: extremes, mean and standard deviation.

    `Range.of` looks at them part by part, so that whoever reads files need not hold them all.
    """

    low: float
    high: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, parts: Iterable[NDArray[Any]]) -> tuple[Range, ...]:
        """The range of each channel over parts of shape (values, channels); NaN are left out.

        Raises
        ------
        ValueError
            For infinity, and for channels without any value.
        """
        total: Any = None
        for part in parts:
            values = np.asarray(part, dtype=np.float64)
            if np.isinf(values).any():
                raise ValueError("X contains infinity; remove it or write NaN for what is missing")
            seen = ~np.isnan(values)
            count = seen.sum(0)
            low, high = np.where(seen, values, np.inf).min(0), np.where(seen, values, -np.inf).max(0)
            mean = np.where(seen, values, 0.0).sum(0) / np.maximum(count, 1)
            spread = np.square(np.where(seen, values - mean, 0.0)).sum(0)
            found = (low, high, count, mean, spread)
            total = found if total is None else _joined(total, found)
        if total is None or not total[2].all():
            raise ValueError("a channel of X has no value at all; there is nothing to learn from")
        low, high, count, mean, spread = total
        return tuple(cls(*map(float, row)) for row in zip(low, high, mean, np.sqrt(spread / count), strict=True))


def _joined(a: Any, b: Any) -> Any:
    """Of two sets of values their extremes, count, mean and squares about it (Chan, Golub & LeVeque 1983)."""
    count = a[2] + b[2]
    share, apart = b[2] / np.maximum(count, 1), b[3] - a[3]
    spread = a[4] + b[4] + apart**2 * a[2] * share
    return np.minimum(a[0], b[0]), np.maximum(a[1], b[1]), count, a[3] + apart * share, spread


@dataclass(frozen=True)
class Channels:
    """`s = (u − center) / scale`, one center and scale for each channel, the last axis of the values.

    Examples
    --------
    >>> scale = Channels((0.0,), (255.0,))
    >>> scale.forward(np.array([[51.0]])), scale.inverse(np.array([[0.2]]))
    (array([[0.2]], dtype=float32), array([[51.]]))
    """

    center: tuple[float, ...]
    scale: tuple[float, ...]

    @classmethod
    def fit(cls, scaling: str, ranges: tuple[Range, ...], policy: Policy) -> Channels:
        """The map of `"standard"` (mean, standard deviation), `"minmax"` (the policy's interval) or `"none"`.

        Raises
        ------
        ValueError
            For `"none"`, where values lie outside of what the model can produce.
        """
        pairs = [_pair(scaling, one, policy) for one in ranges]
        return cls(tuple(center for center, _ in pairs), tuple(scale for _, scale in pairs))

    def forward(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Values (…, channels) → scaled values."""
        scaled = (np.asarray(values, dtype=np.float64) - self.center) / self.scale
        return scaled.astype(np.float32)

    def inverse(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Scaled values (…, channels) → values."""
        return np.asarray(np.asarray(values, dtype=np.float64) * self.scale + self.center)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"center": list(self.center), "scale": list(self.scale)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Channels:
        """What `to_dict` wrote."""
        center, scale = (tuple(map(float, data[name])) for name in ("center", "scale"))
        if len(center) != len(scale) or not all(np.isfinite([*center, *scale])) or 0.0 in scale:
            raise ValueError(f"not a scale of channels: {data!r}")
        return cls(center, scale)


def _pair(scaling: str, known: Range, policy: Policy) -> tuple[float, float]:
    if scaling == "standard":
        return known.mean, known.deviation or abs(known.mean) or 1.0
    if scaling == "minmax":
        low, high = policy.interval
        width = (known.high - known.low) or abs(known.high) or 1.0
        scale = width / (high - low)
        return known.low - low * scale, scale
    if not policy.closed[0] <= known.low <= known.high <= policy.closed[1]:
        raise ValueError(
            f"scaling='none': the values reach from {known.low:g} to {known.high:g}, but {policy.reason} "
            f"allows {policy.closed[0]:g} to {policy.closed[1]:g} only; use scaling='minmax'"
        )
    return 0.0, 1.0


def channel_policy(scaling: str, demand: Demand, usual: str) -> tuple[str, Policy]:
    """The scaling in force and the policy behind it; `usual` is what `"auto"` means where the model asks for nothing.

    Raises
    ------
    ValueError
        For an unknown scaling, and one that contradicts the model's demand.
    """
    if scaling not in SCALINGS:
        raise ValueError(f"scaling: pictures and signals take one of {', '.join(SCALINGS)}, got {scaling!r}")
    policy = Policy.of(scaling, demand)
    if scaling != "auto":
        return scaling, policy
    if demand.head == "poisson":
        return "none", policy
    asked = demand.head not in (None, "gaussian") or demand.reach != (float("-inf"), float("inf"))
    return ("minmax" if asked else usual), policy


def head_for(policy: Policy, width: int, activation: str) -> Head:
    """One head over all slots, a column a slot."""
    return HEADS[policy.head](0, width, tuple(range(width)), (1.0,) * width, activation)
