"""How near a restored picture or signal is to the clean one: SNR, SI-SDR, PSNR, SSIM."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter

#: Side of the windows of SSIM, and its two constants as parts of the range (Wang et al. 2004).
WINDOW, K1, K2 = 7, 0.01, 0.03


def _pair(clean: ArrayLike, restored: ArrayLike, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    one, other = (np.asarray(values, dtype=np.float64) for values in (clean, restored))
    if one.shape != other.shape or not one.size:
        raise ValueError(f"{name}: expected two arrays of one shape with values, got {one.shape} and {other.shape}")
    return one, other


def _decibels(signal: float, noise: float) -> float:
    if noise == 0.0:
        return math.inf
    return 10.0 * math.log10(signal / noise) if signal > 0 else -math.inf


def snr(clean: ArrayLike, restored: ArrayLike) -> float:
    """Signal-to-noise ratio in dB, `10 log₁₀ Σx² / Σ(x − x̂)²`.

    Parameters
    ----------
    clean, restored : array of one shape

    Raises
    ------
    ValueError
        For arrays of different shapes, or without values.

    Examples
    --------
    >>> snr([3.0, 4.0], [3.0, 4.5])
    20.0
    """
    x, out = _pair(clean, restored, "snr")
    return _decibels(float(np.square(x).sum()), float(np.square(x - out).sum()))


def si_sdr(clean: ArrayLike, restored: ArrayLike) -> float:
    """Scale-invariant signal-to-distortion ratio in dB: the SNR of the clean signal scaled to fit best.

    With both signals centred, `10 log₁₀ ‖αx‖² / ‖αx − x̂‖²` and `α = ⟨x̂, x⟩ / ‖x‖²`.

    Parameters
    ----------
    clean, restored : array of one shape

    References
    ----------
    Le Roux, Wisdom, Erdogan & Hershey (2019), SDR – half-baked or well done?, ICASSP.

    Examples
    --------
    >>> round(si_sdr([1.0, -1.0, 1.0, -1.0], [2.0, -2.0, 2.2, -2.2]), 2)
    26.44
    """
    x, out = _pair(clean, restored, "si_sdr")
    x, out = x - x.mean(), out - out.mean()
    power = float(np.square(x).sum())
    if power == 0.0:
        return -math.inf
    part = float((x * out).sum()) / power * x
    return _decibels(float(np.square(part).sum()), float(np.square(part - out).sum()))


def psnr(clean: ArrayLike, restored: ArrayLike, *, data_range: float | None = None) -> float:
    """Peak signal-to-noise ratio in dB, `10 log₁₀ L² / mean (x − x̂)²`.

    Parameters
    ----------
    clean, restored : array of one shape
    data_range : float, optional
        L, from black to white. None: 255 for bytes, 1 for fractions, else the range of `clean`.

    Examples
    --------
    >>> round(psnr(np.zeros((4, 4)), np.full((4, 4), 0.1)), 6)
    20.0
    """
    x, out = _pair(clean, restored, "psnr")
    size = _range(clean) if data_range is None else float(data_range)
    return _decibels(size**2, float(np.square(x - out).mean()))


def ssim(clean: ArrayLike, restored: ArrayLike, *, data_range: float | None = None) -> float:
    """Structural similarity of two pictures (h, w) or (h, w, c), 1 where they are equal.

    The mean, over all windows of 7 × 7 pixels and the channels, of

        (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂))

    with `C₁ = (0.01 L)²`, `C₂ = (0.03 L)²` and unbiased (co)variances. Smaller pictures have smaller windows.

    Parameters
    ----------
    clean, restored : array, shape (h, w) or (h, w, c)
    data_range : float, optional
        L; see `psnr`.

    References
    ----------
    Wang, Bovik, Sheikh & Simoncelli (2004), IEEE Transactions on Image Processing 13.

    Examples
    --------
    >>> picture = np.linspace(0, 1, 100).reshape(10, 10)
    >>> ssim(picture, picture)
    1.0
    """
    x, out = _pair(clean, restored, "ssim")
    if x.ndim not in (2, 3):
        raise ValueError(f"ssim: expected one picture (h, w) or (h, w, c), got the shape {x.shape}")
    size = _range(clean) if data_range is None else float(data_range)
    side = min(WINDOW, *x.shape[:2])
    side -= 1 - side % 2
    channels = [(x, out)] if x.ndim == 2 else [(x[..., at], out[..., at]) for at in range(x.shape[2])]
    return float(np.mean([_similarity(*pair, size, side) for pair in channels]))


def _similarity(x: NDArray[Any], y: NDArray[Any], size: float, side: int) -> float:
    unbiased = side**2 / max(side**2 - 1, 1)
    edge = side // 2
    inner = tuple(slice(edge, length - edge) for length in x.shape)

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(uniform_filter(values, side)[inner])

    a, b = mean(x), mean(y)
    va, vb, both = unbiased * (mean(x * x) - a * a), unbiased * (mean(y * y) - b * b), unbiased * (mean(x * y) - a * b)
    c1, c2 = (K1 * size) ** 2, (K2 * size) ** 2
    found = (2 * a * b + c1) * (2 * both + c2) / ((a * a + b * b + c1) * (va + vb + c2))
    return float(found.mean())


def _range(clean: ArrayLike) -> float:
    values = np.asarray(clean)
    if values.dtype == np.uint8:
        return 255.0
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "fb" and low >= 0 and high <= 1:
        return 1.0
    return (high - low) or 1.0
