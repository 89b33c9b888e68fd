"""Denoising of signals: the network, the loss that counts in dB, what noise is like, and what is gained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import azogue as az
from azogue import objectives as obj
from azogue.applications.signals import adapted, estimated, signal_autoencoder, signal_network, varied
from azogue.build import build
from azogue.codes import Point
from azogue.corruptions import BlindSpot, Mixture
from azogue.heads import Gaussian
from azogue.hearts import heartbeats
from azogue.layers import Dense, Input, Output, as_network
from azogue.quality import snr
from azogue.recipe import Code, Step


def step(x, out, mask=None, weights=None):
    x, out = (torch.as_tensor(v, dtype=torch.float64) for v in (x, out))
    d = x.shape[-1]
    heads = (Gaussian(0, d, tuple(range(d)), weights or (1.0,) * d),)
    model = build(as_network(Input() + Dense(2) + Output(), 10, d), Point(), d, heads, 0).double()
    h = torch.zeros(*x.shape[:-1], 2, dtype=torch.float64)
    return Step(x, x, None if mask is None else torch.as_tensor(mask), h, Code(h), out, model)


X, OUT = [[1.0, 2.0], [0.0, -1.0]], [[1.5, 2.0], [1.0, 1.0]]


def test_log_error_is_the_closed_form():
    at = step(X, OUT)
    expected = [0.5 * np.log1p(0.125 / 0.01), 0.5 * np.log1p(2.5 / 0.01)]
    assert obj.LogError(0.01)(at).tolist() == pytest.approx(expected, rel=1e-12)
    assert obj.LogError().errors(at).tolist() == pytest.approx([0.125, 2.5]), "errors are squared errors"
    assert obj.LogError()(step(X, X)).tolist() == [0.0, 0.0]
    masked = step(X, OUT, [[True, False], [True, True]], (1.0, 3.0))
    assert obj.LogError(0.01)(masked)[0].item() == pytest.approx(0.5 * np.log1p(0.25 / 0.01))


def test_log_error_falls_by_as_much_as_the_ratio_rises():
    x = torch.zeros(1, 50, dtype=torch.float64)
    far, near = (obj.LogError(1e-9)(step(x, x + size)).item() for size in (0.1, 0.01))
    assert (far - near) * 20 / np.log(10) == pytest.approx(20.0, abs=1e-3), "20 dB are a factor of 10 in amplitude"


@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_log_error_is_that_of_the_formula(masked):
    generator = torch.Generator().manual_seed(0)
    x, out = (torch.randn(6, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = torch.rand(6, 4, generator=generator) < 0.7 if masked else None
    at = step(x, out, mask, (1.0, 2.0, 3.0, 1.0))
    term = obj.LogError(0.03)
    assert term.analytic
    leaf = out.clone().requires_grad_()
    term(replace(at, out=leaf)).mean().backward()
    given = replace(at, x=x[None], out=out[None], mask=None if mask is None else mask[None])
    pulled = term.gradient(given, 0.7)
    assert pulled.value.item() == pytest.approx(term(at).mean().item())
    assert torch.allclose(pulled.by["out"][0], 0.7 * leaf.grad)


def test_bad_floors_are_refused():
    for floor in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="floor must be positive"):
            obj.LogError(floor)


@pytest.mark.parametrize(("samples", "levels"), [(1, 0), (15, 0), (16, 1), (64, 3), (1024, 4), (1001, 4)])
def test_the_network_has_as_many_levels_as_the_window_allows(samples, levels):
    network = signal_network((samples, 2))
    assert sum(isinstance(layer, az.Conv) for layer in network.layers) == levels
    assert network.layers[-1].skips
    X = np.random.default_rng(0).normal(size=(4, samples, 2))
    model = signal_autoencoder((samples, 2), Mixture(), epochs=1, random_state=0).fit(X)
    assert model.reconstruct(X).shape == X.shape


@pytest.mark.trained
def test_shared_parameters_and_rows():
    model = signal_autoencoder((256, 1), Mixture(), rows=10**9, verbose=1, batch_size=4)
    assert (model.epochs, model.verbose, model.batch_size) == (10, 1, 4)
    assert signal_autoencoder((256, 1), rows=1).epochs == 200
    assert signal_autoencoder((256, 1), BlindSpot(), rows=1).epochs == 60


@pytest.mark.trained
def test_the_usual_network_takes_noise_off_signals_that_nobody_knows_clean():
    """With skip connections, or with more epochs, it copies what it sees: less than 3 dB are gained."""
    t = np.arange(3000)
    clean = np.sin(t / 20) + 0.5 * np.sin(t / 7)
    noisy = clean + 0.3 * np.random.default_rng(0).normal(size=3000)
    model = az.Denoiser(noise="blind", modality="sequence", random_state=0).fit(noisy)
    assert "skips" not in repr(model.autoencoder_.network_spec_)
    assert snr(clean, model.transform(noisy)) > snr(clean, noisy) + 6


@pytest.mark.parametrize("level", [0.0, 6.0, 12.0])
def test_the_ratio_of_white_noise_is_told_from_noisy_signals(level):
    rng, t = np.random.default_rng(0), np.arange(8000)
    clean = np.sin(t / 25) + np.sin(t / 90)
    noisy = clean + rng.normal(size=8000) * np.sqrt(clean.var() / 10 ** (level / 10))
    found = estimated(noisy)
    assert (found.low + found.high) / 2 == pytest.approx(level, abs=0.5)
    rough = clean + 0.2 * np.sin(t * 2.0)  # a part of it looks like noise
    seen = rough + noisy - clean
    told, alone = (np.mean([found.low, found.high]) for found in (estimated(seen, rough[:4000]), estimated(seen)))
    truth = 10 * np.log10(rough.var() / (seen - rough).var())
    assert abs(told - truth) < 4.0, "within what is trained for"
    assert alone < told
    with pytest.raises(ValueError, match="show none"):
        estimated(clean * 0)


def test_noise_is_estimated_around_holes_and_over_channels():
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(6000) / 30)[:, None] * [1.0, 2.0] + rng.normal(size=(6000, 2)) * 0.5
    whole = estimated(values)
    values[100:140] = np.nan
    assert estimated(values).low == pytest.approx(whole.low, abs=0.3)


def test_varied_copies_differ_in_tempo_and_size_and_keep_what_came():
    x = np.sin(np.arange(2000) / 10.0)
    first, *copies = varied([x], 5, random_state=3)
    assert np.array_equal(first, x)
    lengths = [len(copy) / len(x) for copy in copies]
    assert max(lengths) / min(lengths) > 1.05
    assert all(np.exp(-0.16) < length < np.exp(0.16) for length in lengths)
    sizes = [copy.max() for copy in copies]
    assert max(sizes) / min(sizes) > 1.1
    crossings = [int((np.diff(np.sign(copy)) != 0).sum()) for copy in copies]
    assert max(crossings) - min(crossings) <= 1, "it is the same signal at another tempo"
    assert varied([np.ones((50, 3))], 1)[1].shape[1] == 3
    assert np.array_equal(varied([x], 1, random_state=3)[1], varied([x], 1, random_state=3)[1])


def test_noise_is_taken_off_and_log_error_serves_weak_noise():
    t, rng = np.arange(6000), np.random.default_rng(0)
    clean = np.sin(t / 7) * (1 + 0.5 * np.sin(t / 60)) + (np.sin(t / 40) > 0.95)
    hum = np.sign(np.sin(np.arange(9000) * 1.3)) + rng.normal(size=9000) * 0.2
    model = signal_autoencoder((128, 1), Mixture(hum[:6000], 0.0, 10.0), epochs=12)
    denoiser = az.Denoiser(model, noise=model.corruption, modality=az.modalities.Sequence(window=128), random_state=0)
    denoiser.fit(clean[:4000])
    test = clean[4000:]
    for level in (0.0, 10.0):
        part = hum[6000:8000] * np.sqrt(test.var() / hum.var() / 10 ** (level / 10))
        found = denoiser.transform(test + part)
        gain = 10 * np.log10(np.mean(part**2) / np.mean((found - test) ** 2))
        assert gain > 6.0, f"{gain:.1f} dB at {level} dB"


def test_adapting_learns_the_very_signals_and_leaves_the_model_alone():
    t, rng = np.arange(4000), np.random.default_rng(0)
    known = [np.sin(t / 9), np.sin(t / 14), np.sin(t / 30)]
    stranger = np.sign(np.sin(t / 11)) + np.sin(t / 22)
    model = signal_autoencoder(
        (128, 1), Mixture(low=0, high=10), epochs=8, modality=az.modalities.Sequence(window=128), random_state=0
    ).fit(known)
    noisy = stranger + rng.normal(size=4000) * stranger.std()
    before = {name: weights.clone() for name, weights in model.network_.state_dict().items()}
    own = adapted(model, noisy, 4)
    assert all(torch.equal(weights, before[name]) for name, weights in model.network_.state_dict().items())
    assert len(model.history_) == 8
    errors = [np.mean((one.reconstruct([noisy])[0] - stranger) ** 2) for one in (model, own)]
    assert errors[1] < 0.97 * errors[0]
    again = adapted(model, [noisy], 4)
    assert np.array_equal(again.reconstruct([noisy])[0], own.reconstruct([noisy])[0])
    with pytest.raises(ValueError, match="rounds must be"):
        adapted(model, noisy, 0)
    with pytest.raises(ValueError, match="can draw no noise"):
        adapted(az.Autoencoder(2, epochs=1, random_state=0).fit(known[0].reshape(-1, 40)), noisy)


def test_hearts_differ_between_people_and_beat_at_human_rates():
    hearts = heartbeats(12, seconds=12, random_state=1)
    assert all(heart.shape == (4320,) for heart in hearts)
    assert all(abs(heart.mean()) < 1e-9 and abs(heart.std() - 1) < 1e-9 for heart in hearts)
    alike = np.corrcoef(hearts) - np.eye(12)
    assert np.abs(alike).max() < 0.9
    slow = 0
    for heart in hearts:
        spectrum = np.correlate(heart, heart, "full")[len(heart) - 1 :]
        lag = 100 + int(np.argmax(spectrum[100:600]))  # 36 to 216 beats a minute
        slow += 0.4 * 360 < lag < 1.5 * 360
    assert slow >= 9
    same = heartbeats(3, seconds=12, random_state=1)
    assert np.array_equal(same[2], hearts[2]), "a person does not depend on how many others there are"
    with pytest.raises(ValueError, match="people from 1"):
        heartbeats(0)
    with pytest.raises(ValueError, match="seconds from 2"):
        heartbeats(1, seconds=1.0)
