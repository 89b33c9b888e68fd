"""Measures of restored pictures and signals against values worked out by hand and scikit-image's."""

import math

import numpy as np
import pytest

from azogue.quality import psnr, si_sdr, snr, ssim

RNG = np.random.default_rng(0)


def test_closed_forms():
    assert snr([3.0, 4.0], [3.0, 3.5]) == pytest.approx(20.0)
    assert psnr(np.zeros(10), np.full(10, 0.1)) == pytest.approx(20.0)
    assert psnr(np.zeros(9, np.uint8), np.full(9, 51, np.uint8)) == pytest.approx(20 * math.log10(5))
    assert psnr([0.0, 4.0], [1.0, 4.0]) == pytest.approx(10 * math.log10(16 / 0.5))
    assert snr([1.0, 2.0], [1.0, 2.0]) == math.inf
    assert snr([0.0, 0.0], [1.0, 2.0]) == -math.inf
    x, noise = RNG.normal(size=500), RNG.normal(size=500)
    assert si_sdr(x, 3 * (x + 0.1 * noise) + 7) == pytest.approx(si_sdr(x, x + 0.1 * noise))
    across = (
        noise - noise.mean() - ((x - x.mean()) @ (noise - noise.mean())) / ((x - x.mean()) ** 2).sum() * (x - x.mean())
    )
    expected = 10 * math.log10(((x - x.mean()) ** 2).sum() / (0.01 * across @ across))
    assert si_sdr(x, x + 0.1 * across) == pytest.approx(expected)
    assert si_sdr(np.ones(5), RNG.normal(size=5)) == -math.inf


@pytest.mark.parametrize("shape", [(20, 17), (9, 8, 3), (7, 30)])
def test_ssim_is_scikit_image_s(shape):
    metrics = pytest.importorskip("skimage.metrics")
    x = RNG.uniform(size=shape)
    y = np.clip(x + 0.2 * RNG.normal(size=shape), 0, 1)
    theirs = metrics.structural_similarity(x, y, data_range=1.0, channel_axis=-1 if len(shape) == 3 else None)
    assert ssim(x, y) == pytest.approx(theirs, abs=1e-12)
    assert ssim(x, x) == 1.0
    assert psnr(x, y) == pytest.approx(metrics.peak_signal_noise_ratio(x, y, data_range=1.0))


def test_ssim_by_hand():
    """One window of 3 × 3: the formula on its moments."""
    x, y = np.arange(9.0).reshape(3, 3) / 8, np.full((3, 3), 0.5)
    y[1, 1] = 0.6
    c1, c2 = 0.01**2, 0.03**2
    both = np.cov(x.ravel(), y.ravel())
    top = (2 * x.mean() * y.mean() + c1) * (2 * both[0, 1] + c2)
    assert ssim(x, y) == pytest.approx(top / ((x.mean() ** 2 + y.mean() ** 2 + c1) * (both[0, 0] + both[1, 1] + c2)))
    assert ssim(np.ones((1, 2)), np.ones((1, 2))) == 1.0


def test_what_makes_no_sense():
    with pytest.raises(ValueError, match=r"snr: expected two arrays of one shape with values, got \(2,\) and \(3,\)"):
        snr([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="ssim: expected one picture"):
        ssim(np.ones((2, 3, 4, 5)), np.ones((2, 3, 4, 5)))
