"""Denoising of pictures: the network, what noise is like, learning from noisy pictures alone, filling of holes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import azogue as az
from azogue.applications.pictures import Posterior, cleaned, estimated, in_range, picture_autoencoder, picture_network
from azogue.corruptions import Blocks, Clipped, FurtherImpulses, Gaussian, Impulses, Levels
from azogue.optimizers import Cosine
from azogue.recipe import Rng


def scenes(n: int, side: int = 16, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Black pictures with a bright box and a slanted edge, (n, side, side, channels) in [0, 1]."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[:side, :side]
    X = np.zeros((n, side, side, channels), np.float32)
    for picture in X:
        top, left = rng.integers(1, side - 8, 2)
        picture[top : top + 7, left : left + 7] = rng.uniform(0.4, 1.0, channels)
        angle, shift = rng.uniform(0, np.pi), rng.uniform(-3, 3)
        beyond = np.cos(angle) * (down - side / 2) + np.sin(angle) * (across - side / 2) > shift + 3
        picture[beyond] = rng.uniform(0.2, 0.8, channels)
    return X


def noisy(X: np.ndarray, sd: float, seed: int = 1) -> np.ndarray:
    return np.clip(X + np.random.default_rng(seed).normal(0, sd, X.shape), 0, 1).astype(np.float32)


def decibels(clean, found) -> float:
    return float(-10 * np.log10(np.square(np.asarray(clean, float) - found).mean()))


def small(epochs: int = 6, **changed) -> az.Autoencoder:
    net = az.Input() + az.Conv(16, 3, "silu") + az.Conv(24, 3, "silu", stride=2) + az.Output(skips=True)
    settings = {"epochs": epochs, "batch_size": 32, "learning_rate": Cosine(8e-3, warmup=0.1), "random_state": 0}
    return az.Autoencoder(net, **(settings | {"validation_fraction": 0.0, "modality": "image"} | changed))


@pytest.mark.parametrize("shape", [(16, 16, 1), (11, 9, 3), (5, 5, 1), (8, 20, 4)])
@pytest.mark.parametrize("noise", [None, Gaussian(0.1), Impulses(0.1), Blocks(0.2)], ids=repr)
def test_the_default_network_fits_pictures_of_any_shape(shape, noise):
    X = np.random.default_rng(0).random((6, *shape)).astype(np.float32)
    ae = picture_autoencoder(shape, noise, epochs=1, modality="image", random_state=0).fit(X)
    assert ae.reconstruct(X).shape == X.shape
    assert ae.corruption == noise
    assert ae.network_spec_.output.skips


@pytest.mark.trained
def test_the_budget_is_shared_among_the_rows():
    few, many, more = (picture_autoencoder((28, 28, 1), rows=n).epochs for n in (10, 10_000, 60_000))
    assert few == 60
    assert 60 > many > more >= 2
    assert picture_network((28, 28, 1), Impulses()) != picture_network((28, 28, 1), Gaussian())


@pytest.mark.parametrize("sd", [0.05, 0.1, 0.2])
def test_normal_noise_is_estimated_over_black_grounds_and_over_grey(sd):
    black = estimated(noisy(scenes(300, 24), sd))
    assert isinstance(black, Clipped)
    assert black.noise.sd == pytest.approx(sd, rel=0.1)
    grey = np.repeat(np.linspace(0.3, 0.7, 40)[:, None], 40, 1)[None, :, :, None] * np.ones((10, 1, 1, 3))
    assert estimated(noisy(grey, sd)).noise.sd == pytest.approx(sd, rel=0.08)
    assert estimated(1 - noisy(scenes(300, 24), sd)).noise.sd == pytest.approx(sd, rel=0.1)  # white grounds
    bytes_ = (255 * noisy(grey, sd)).round().astype(np.uint8)
    assert estimated(bytes_).noise.sd == pytest.approx(sd, rel=0.08)


@pytest.mark.parametrize("p", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("channels", [1, 3])
def test_salt_and_pepper_is_estimated(p, channels):
    X = Impulses(p).apply(scenes(300, 24, channels))
    found = estimated(X)
    assert isinstance(found, Impulses)
    assert found.p == pytest.approx(p, rel=0.12)


@pytest.mark.parametrize("sd", [0.1, 0.2, 0.25])
def test_thin_strokes_are_no_salt_and_pepper(sd):
    X = (load_digits().images / 16).astype(np.float32)[..., None]
    found = estimated(noisy(X, sd))
    assert isinstance(found, Clipped)
    assert found.noise.sd == pytest.approx(sd, rel=0.12)
    assert estimated(Impulses(0.1).apply(X)).p == pytest.approx(0.1, rel=0.2)
    with pytest.raises(ValueError, match="show none that could be told"):
        estimated(X)


def test_impulses_are_told_from_what_is_black_or_white_itself():
    X = np.round(scenes(300, 24) * 1.2 - 0.1).clip(0, 1)  # nothing but black and white
    seen = Impulses(0.1).apply(X)
    told = FurtherImpulses(0.1).suspect(torch.from_numpy(seen)).numpy()
    hit = seen != X
    assert 0.02 < hit.mean() < 0.08  # the others fell on their like
    assert (hit & ~told).sum() < 0.1 * hit.sum()
    assert (told & ~hit).sum() < 0.1 * hit.sum()
    colour = np.full((2, 16, 16, 3), 0.5)
    colour[0, 3, 3], colour[1, 4, 4, 0] = 1.0, 1.0  # a position is hit in all of its channels
    assert np.argwhere(FurtherImpulses(0.1).suspect(torch.from_numpy(colour)).numpy()).tolist() == [[0, 3, 3, 0]]


def test_what_shows_an_impulse_does_not_count():
    grid = torch.from_numpy(Impulses(0.2).apply(np.full((5, 20, 20, 1), 0.5)))
    seen, counts = FurtherImpulses(0.3).change(grid, Rng(3))
    assert torch.equal(counts, grid == 0.5)
    further = (seen != grid) & counts
    assert float(further.sum() / counts.sum()) == pytest.approx(0.3, abs=0.03)
    with pytest.raises(ValueError, match="must be a part"):
        FurtherImpulses(1.5)


def test_pictures_without_noise_are_told():
    with pytest.raises(ValueError, match="show none that could be told"):
        estimated(scenes(50, 24))
    with pytest.raises(ValueError, match="show none"):
        estimated(np.full((10, 16, 16, 1), 7, np.uint8))


def test_black_is_zero_and_white_is_one():
    assert in_range(np.array([[0, 255]], np.uint8)).tolist() == [[0.0, 1.0]]
    assert in_range(np.array([[False, True]])).tolist() == [[0.0, 1.0]]
    assert in_range(np.array([[0.2, 0.4]])).tolist() == [[0.2, 0.4]]
    assert in_range(np.array([[-1.0, 0.0, 3.0]])).tolist() == [[0.0, 0.25, 1.0]]


def test_the_posterior_is_bayes_rule():
    rng, sd = np.random.default_rng(0), 0.3
    high = rng.random(400_000) < 0.3
    x = np.where(high, 0.8, 0.2)  # two values, and surroundings that tell nothing
    y = x + sd * rng.normal(size=x.size)
    posterior = Posterior.fit(np.full(x.size, 0.38), y, Gaussian(sd))
    at = np.linspace(-0.3, 1.2, 16)
    bright, dark = 0.3 * np.exp(-((at - 0.8) ** 2) / 2 / sd**2), 0.7 * np.exp(-((at - 0.2) ** 2) / 2 / sd**2)
    exact = (0.8 * bright + 0.2 * dark) / (bright + dark)
    assert np.abs(posterior(np.full(16, 0.38), at) - exact).max() < 0.05
    assert np.abs(at - exact).max() > 0.4  # what a cell shows is another thing


def test_the_posterior_undoes_clipping_and_uses_the_surroundings():
    rng = np.random.default_rng(1)
    x = np.where(rng.random(300_000) < 0.5, 0.0, 0.7)
    noise = Clipped(Gaussian(0.2))
    y = np.clip(x + rng.normal(0, 0.2, x.size), 0, 1)
    told = x + rng.normal(0, 0.02, x.size)  # surroundings that tell nearly all
    found = Posterior.fit(told, y, noise)(told, y)
    assert y[x == 0].mean() > 0.07
    assert found[x == 0].mean() < 0.02
    assert found[x > 0].mean() == pytest.approx(0.7, abs=0.01)
    assert decibels(x, found) > decibels(x, y) + 10


def test_the_posterior_leaves_what_impulses_left():
    rng = np.random.default_rng(2)
    x = rng.uniform(0.2, 0.8, (1000, 100, 1, 1))
    y = Impulses(0.2).apply(x)
    context = x + rng.normal(0, 0.05, x.shape)
    found = Posterior.fit(context, y, Impulses(0.2))(context, y)
    kept = (y > 0) & (y < 1)
    assert np.abs(found - x)[kept].max() < 0.02
    assert np.abs(found - x)[~kept].mean() < 0.08


@pytest.fixture(scope="module")
def alone():
    """Noisy scenes as bytes, and what they alone tell."""
    X = (255 * noisy(scenes(400), 0.2)).round().astype(np.uint8)
    return X, cleaned(X, Clipped(Gaussian(0.2)), small(8))


def test_noisy_pictures_alone_tell_clean_ones(alone):
    X, found = alone
    assert found.shape == X.shape
    assert found.dtype == np.uint8
    clean = scenes(400)
    assert decibels(clean, found / 255) > decibels(clean, X / 255) + 4


def test_a_denoiser_learns_from_noisy_pictures_alone():
    clean, test = scenes(400), scenes(100, seed=5)
    seen = noisy(test, 0.2, 6)
    known = az.Denoiser(small(30), noise=Clipped(Gaussian(0.2)), modality="image", random_state=0).fit(clean)
    blind = az.Denoiser(small(30), noise="blind", modality="image", random_state=0).fit(noisy(clean, 0.2))
    assert blind.noise_.noise.sd == pytest.approx(0.2, rel=0.12)
    best, mine = decibels(test, known.transform(seen)), decibels(test, blind.transform(seen))
    assert best > decibels(test, seen) + 6
    assert mine > best - 2.0


def test_a_denoiser_learns_from_salt_and_pepper_alone():
    clean, test = scenes(400), scenes(100, seed=5)
    seen = Impulses(0.1).apply(test, 6).astype(np.float32)
    known = az.Denoiser(small(20), noise=Impulses(0.1), modality="image", random_state=0).fit(clean)
    X = (255 * Impulses(0.1).apply(clean, 7)).round().astype(np.uint8)
    blind = az.Denoiser(small(20), noise="blind", modality="image", random_state=0).fit(X)
    assert isinstance(blind.noise_, FurtherImpulses)
    assert blind.noise_.p == pytest.approx(0.1, rel=0.12)
    found = blind.transform((255 * seen).round().astype(np.uint8)) / 255
    best, mine = decibels(test, known.transform(seen)), decibels(test, found)
    assert best > decibels(test, seen) + 6
    assert mine > best - 1.0


def test_impulses_go_and_larger_pictures_are_taken_in_patches():
    X = scenes(300, 16, 3)
    noise = Levels(0.05, 0.15)
    denoiser = az.Denoiser(small(6), noise=Clipped(noise), window=16, modality="image", random_state=0).fit(X)
    large = scenes(3, 41, 3, seed=9)
    seen = noisy(large, 0.1)
    found = denoiser.transform(seen)
    assert found.shape == large.shape
    assert decibels(large, found) > decibels(large, seen) + 3


def test_holes_are_filled_and_the_rest_is_left():
    X, test = scenes(400), scenes(60, seed=4)
    model = small(10, learning_rate=Cosine(1e-2, warmup=0.1))
    denoiser = az.Denoiser(model, noise=Blocks(0.1), modality="image", random_state=0).fit(X)
    damage = np.zeros(test.shape, bool)
    damage[:, 5:10, 5:10] = True
    seen = np.where(damage, 0.0, test).astype(np.float32)
    found = denoiser.inpaint(seen, damage)
    assert np.array_equal(found[~damage], test[~damage])
    mean = np.where(damage, X.mean(0), test)
    assert decibels(test[damage], found[damage]) > decibels(test[damage], mean[damage]) + 1
