"""Numeric scalings: monotone maps from a column's values `u` to scaled values `s` that lose nothing in float32.

float32 keeps `s` to half a unit in its last place, `half_ulp(s)`, so `u` comes back within `half_ulp(s) · du/ds`. Every
map here (but `"none"`, which may not move the values) keeps that below `range · 2⁻²⁴`; rounding to the column's own
dtype at most doubles it, which makes `range · 2⁻²³`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from azogue.modalities.base import Demand

Floats: TypeAlias = NDArray[np.float64]

#: Values on a grid are kept exactly while the range has fewer steps than this.
LEVELS = 2**24
#: Interquartile range and central 80 % of a standard normal.
_IQR, _CENTRAL = 1.349, 2.563


@dataclass(frozen=True)
class Affine:
    """`s = (u − center) / scale`.

    Examples
    --------
    >>> scale = Affine(center=10.0, scale=4.0)
    >>> scale.inverse(scale.forward(np.array([12.0])))
    array([12.])
    """

    center: float
    scale: float

    def forward(self, u: Floats) -> Floats:
        """Values → scaled values."""
        return (u - self.center) / self.scale

    def inverse(self, s: Floats) -> Floats:
        """Scaled values → values."""
        return s * self.scale + self.center

    def error(self, low: float, high: float) -> float:
        """How far `inverse(float32(forward(u)))` may lie from a `u` in [low, high]."""
        return _half_ulp(max(abs(low - self.center), abs(high - self.center)) / self.scale) * self.scale


@dataclass(frozen=True)
class Knots:
    """The broken line through the points (u, s), both increasing; it goes on straight beyond its ends."""

    u: tuple[float, ...]
    s: tuple[float, ...]

    def forward(self, u: Floats) -> Floats:
        """Values → scaled values."""
        return _broken_line(u, np.array(self.u), np.array(self.s))

    def inverse(self, s: Floats) -> Floats:
        """Scaled values → values."""
        return _broken_line(s, np.array(self.s), np.array(self.u))

    def error(self, low: float, high: float) -> float:
        """How far `inverse(float32(forward(u)))` may lie from a `u` in [low, high]."""
        outer = np.maximum(np.abs(self.s[:-1]), np.abs(self.s[1:]))
        slopes = np.diff(self.u) / np.diff(self.s)
        return max(_half_ulp(s) * slope for s, slope in zip(map(float, outer), map(float, slopes), strict=True))


Map: TypeAlias = "Affine | Knots"


def _broken_line(x: Floats, at: Floats, to: Floats) -> Floats:
    piece = np.searchsorted(at[1:-1], x, side="right")
    return to[piece] + (x - at[piece]) / np.diff(at)[piece] * np.diff(to)[piece]


def _half_ulp(s: float) -> float:
    """The largest rounding error of float32 on [0, s]: 2⁻²⁵ for s = 1, as 1 itself is exact."""
    return _binade(s) * 2.0**-24


def _binade(s: float) -> float:
    """The power of two below `s`: 2ʲ for s in (2ʲ, 2ʲ⁺¹]."""
    mantissa, exponent = math.frexp(max(s, 2.0**-100))
    return math.ldexp(1.0, exponent - (2 if mantissa == 0.5 else 1))


def standard(u: Floats) -> Affine:
    """Mean and population standard deviation of sorted values, without overflow or underflow."""
    low, span = u[0], u[-1] - u[0]
    unit = (u - low) / span
    return Affine(float(np.clip(low + span * unit.mean(), low, u[-1])), float(span * unit.std()))


def robust(u: Floats, known: Affine | None = None) -> Affine:
    """Median and IQR / 1.349, or the standard deviation where the IQR is 0 (or below range · 2⁻⁶⁰)."""
    q1, median, q3 = quantiles(u, (0.25, 0.5, 0.75))
    scale = (q3 - q1) / _IQR
    return Affine(median, scale if scale > (u[-1] - u[0]) * 2.0**-60 else (known or standard(u)).scale)


def minmax(u: Floats, interval: tuple[float, float]) -> Affine:
    """[min, max] → [0, 1] or [−1, 1]."""
    low, high = float(u[0]), float(u[-1])
    return Affine(low, high - low) if interval[0] == 0.0 else Affine(low + (high - low) / 2, (high - low) / 2)


def quantiles(u: Floats, levels: tuple[float, ...]) -> list[float]:
    """Quantiles of sorted values, interpolated linearly."""
    place = np.array(levels) * (len(u) - 1)
    below = np.minimum(place.astype(np.intp), max(len(u) - 2, 0))
    above = np.minimum(below + 1, len(u) - 1)
    return [float(q) for q in u[below] + (place - below) * (u[above] - u[below])]


def heavy_tailed(u: Floats) -> bool:
    """Whether standardising sorted values would squeeze most of them into a corner.

    That is so where the standard deviation exceeds 1.35 times, or the farthest value lies 20 times beyond, the spread
    of the central 80 % in units of a normal's, `(q₉₀ − q₁₀) / 2.563`. A normal has the ratio 1.00, a uniform 0.93, two
    equal humps up to 1.28, an exponential 1.17, a lognormal (σ = 1) 1.67. A value that makes up more than half of the
    column (the zeros of a capital gain) is left out first; fewer than 10 others are no tail. Columns with fewer than
    256 smallest gaps between minimum and maximum (0/1, small counts, pixels) never count as heavy-tailed.

    Examples
    --------
    >>> levels = np.linspace(0.001, 0.999, 999)
    >>> heavy_tailed(ndtri(levels)), heavy_tailed(np.exp(ndtri(levels)))
    (False, True)
    """
    gaps = np.diff(u)
    if u[-1] - u[0] < 256 * np.min(gaps, initial=np.inf, where=gaps > 0):
        return False
    u = _without_mode(u)
    if len(u) < 10 or u[0] == u[-1]:
        return False
    q10, median, q90 = quantiles(u, (0.1, 0.5, 0.9))
    spread = (q90 - q10) / _CENTRAL
    return bool(standard(u).scale > 1.35 * spread or max(u[-1] - median, median - u[0]) > 20 * spread)


def _without_mode(u: Floats) -> Floats:
    """Sorted values without the one that makes up more than half of them, which can only be the median."""
    middle = u[len(u) // 2]
    left, right = np.searchsorted(u, middle, "left"), np.searchsorted(u, middle, "right")
    return np.concatenate([u[:left], u[right:]]) if 2 * (right - left) > len(u) else u


def quantile(u: Floats) -> Knots:
    """A broken line through values at every half normal score, each at the normal score of its middle rank.

    The median's knot lies at s = 0. Walking outwards, each step `ds` over a distance `du = r · range` is made at
    least `r` times the binade of its outer end, so that float32 loses no more than `range · 2⁻²⁴` anywhere.
    """
    n = len(u)
    limit = -ndtri(0.5 / n)
    scores = np.concatenate([[-limit], np.arange(-math.floor(limit * 2), math.floor(limit * 2) + 1) / 2, [limit]])
    places = np.clip(np.rint(ndtr(scores) * n - 0.5), 0, n - 1).astype(np.intp)
    knots = _apart(np.unique(u[places]), (u[-1] - u[0]) * 2.0**-50)
    ranks = (np.searchsorted(u, knots, "left") + np.searchsorted(u, knots, "right")) / 2
    wanted = ndtri(ranks / n)
    anchor = int(np.argmin(np.abs(wanted)))
    shares, steps = np.diff(knots) / (knots[-1] - knots[0]), np.diff(wanted)
    left = _walk(shares[:anchor][::-1], steps[:anchor][::-1])
    right = _walk(shares[anchor:], steps[anchor:])
    return Knots(tuple(knots.tolist()), (*(-s for s in reversed(left)), 0.0, *right))


def _apart(knots: Floats, gap: float) -> Floats:
    """Knots without those that lie within `gap` of the one before; the last one stays."""
    keep: NDArray[np.bool_] = np.append(np.diff(knots) > gap, True)
    return knots[keep]


def _walk(shares: Floats, steps: Floats) -> list[float]:
    """Scaled values of knots from the median outwards, given their share of the range and the steps wished for."""
    s, path = 0.0, []
    for share, wished in zip(shares.tolist(), steps.tolist(), strict=True):
        step = wished
        while step < (needed := share * (1 + 2.0**-20) * _binade(s + step)):
            step = needed
        path.append(s := s + step)
    return path


def lossless(scale: Affine) -> Affine:
    """The nearest map that takes whole numbers to float32 exactly: a whole center, a power of two as scale."""
    return Affine(float(np.rint(scale.center)), 2.0 ** round(math.log2(scale.scale)))


def is_exact(scale: Map, low: float, high: float) -> bool:
    """Whether whole numbers in [low, high] survive float32 and rounding."""
    return scale.error(low, high) + (high - low) * 2.0**-51 < 0.5


_ANY = (-math.inf, math.inf)
#: Of each head: the scaling that "auto" stands for, those that may be asked for, the values it takes, who wants that.
_HEADS: dict[str, tuple[str, tuple[str, ...], tuple[float, float], str]] = {
    "gaussian": ("auto", ("standard", "minmax", "robust", "none"), _ANY, "the model"),
    "bernoulli": ("minmax", ("minmax", "none"), (0.0, 1.0), "an objective for values in [0, 1]"),
    "poisson": ("none", ("none",), (0.0, math.inf), "an objective for counts"),
}
#: The scalings that a table takes.
SCALINGS = ("auto", *_HEADS["gaussian"][1])


@dataclass(frozen=True)
class Policy:
    """How numeric columns are scaled, once the model's demand is known.

    Parameters
    ----------
    scaling : str
        `"auto"`, `"standard"`, `"minmax"`, `"robust"` or `"none"`.
    head : str
        The head of numeric columns.
    interval : tuple of float
        Where `"minmax"` maps to.
    closed : tuple of float
        Where scaled values must lie.
    reason : str
        Who asks for that, for messages.
    """

    scaling: str
    head: str = "gaussian"
    interval: tuple[float, float] = (0.0, 1.0)
    closed: tuple[float, float] = _ANY
    reason: str = ""

    @classmethod
    def of(cls, scaling: str, demand: Demand) -> Policy:
        """Reconcile the user's scaling with the model's demand.

        Raises
        ------
        ValueError
            Where they contradict each other.
        """
        head = demand.head or "gaussian"
        if head not in _HEADS:
            raise ValueError(f"a table has no {head!r} head for numeric columns; use one of {', '.join(_HEADS)}")
        chosen, allowed, closed, reason = _HEADS[head]
        if head == "gaussian" and demand.reach != _ANY:
            chosen, allowed, closed = "minmax", ("minmax", "none"), demand.reach
            reason = f"the output activation {demand.activation!r}, whose values lie in {demand.reach}"
        if scaling not in ("auto", *allowed):
            raise ValueError(
                f"scaling={scaling!r} does not go with {reason}; use scaling={chosen!r} or leave it at 'auto', or take "
                + ("another objective" if head != "gaussian" else "the output activation 'linear'")
            )
        closed = (max(closed[0], demand.reach[0]), min(closed[1], demand.reach[1]))
        interval = (-1.0, 1.0) if closed == (-1.0, 1.0) else (0.0, 1.0)
        return cls(chosen if scaling == "auto" else scaling, head, interval, closed, reason)

    def fit(self, u: Floats, known: Affine | None = None) -> tuple[str, Map]:
        """The scaling of one column and its map, from sorted values; or a sample, and what is `known` of them all."""
        if self.scaling == "none":
            return "none", Affine(0.0, 1.0)
        if u[0] == u[-1]:
            return "constant", Affine(float(u[0]), abs(float(u[0])) or 1.0)
        if self.scaling == "minmax":
            return "minmax", minmax(u, self.interval)
        if self.scaling == "auto" and heavy_tailed(u):
            return "quantile", quantile(u)
        return ("robust", robust(u, known)) if self.scaling == "robust" else ("standard", known or standard(u))
