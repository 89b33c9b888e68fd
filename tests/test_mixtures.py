"""Mixtures: recordings as values, noise at the ratio that was asked for, and what a model file holds of them."""

import copy
import json
import pickle

import numpy as np
import pytest
import torch

import azogue as az
from azogue.corruptions import Mixture, Recording, mixtures
from azogue.recipe import Rng
from azogue.values import from_json, to_json

CLIPS = [np.sin(np.arange(700) / 3.0), np.random.default_rng(1).normal(size=90)]
T = 256
ROWS = torch.tensor(np.random.default_rng(0).normal(size=(40, T)) * np.linspace(0.5, 4, 40)[:, None]) + 3.0


def added(mixture, rows=ROWS, seed=0, shape=(T, 1)):
    seen, touched = mixture(rows, Rng(seed), shape=shape)
    assert touched.all()
    assert touched.shape == rows.shape
    return seen - rows


def ratios(rows, noise):
    centred = rows - rows.mean(1, keepdim=True)
    return 10 * torch.log10(centred.square().mean(1) / noise.square().mean(1))


@pytest.mark.parametrize("recordings", [None, CLIPS], ids=["white", "clips"])
def test_the_ratio_is_that_of_each_row_around_its_mean(recordings):
    exact = ratios(ROWS, added(Mixture(recordings, 7.0, 7.0)))
    assert exact.tolist() == pytest.approx([7.0] * 40, abs=1e-4)
    drawn = ratios(ROWS, added(Mixture(recordings, -5.0, 15.0)))
    assert drawn.min() > -5.001
    assert drawn.max() < 15.001
    assert drawn.max() - drawn.min() > 12


def test_noise_is_a_stretch_of_a_clip_either_way_up():
    ramp = Recording.of(np.arange(1000.0))
    noise = added(Mixture(ramp, 0.0, 0.0))
    steps = noise.diff(dim=1)
    assert torch.allclose(steps, steps[:, :1].expand_as(steps), rtol=0.05), "neighbours of the clip stay neighbours"
    up = (steps[:, 0] > 0).sum()
    assert 5 < up < 35, "half of them are upside down"
    starts = noise[:, 0] / steps[:, 0]
    assert len(set(starts.round().tolist())) > 30, "offsets differ"


def test_a_short_clip_is_repeated_and_clips_count_the_same():
    short, long = Recording.of([1.0, -1.0, 2.0]), np.random.default_rng(0).normal(size=5000)
    noise = added(Mixture(short, 0.0, 0.0))
    assert torch.allclose(noise[:, 3:], noise[:, :-3], atol=1e-5)
    both = added(Mixture([np.array([1.0, -1.0, 2.0]), long], 0.0, 0.0), ROWS.repeat(10, 1))
    periodic = (noise_period(both) < 1e-4).float().mean()
    assert 0.4 < periodic < 0.6


def noise_period(noise):
    return (noise[:, 3:] - noise[:, :-3]).abs().amax(1)


def test_white_and_layers_are_shares_of_rows():
    short, rows = np.array([1.0, -1.0, 2.0]), ROWS.repeat(10, 1)
    periodic = (noise_period(added(Mixture(short, 0.0, 0.0, white=0.25), rows)) < 1e-4).float().mean()
    assert 0.68 < periodic < 0.82
    double = ratios(rows, added(Mixture(None, 0.0, 0.0, layers=0.5), rows))
    assert 0.4 < (double < -1.5).float().mean() < 0.6, "two of the same size are 3 dB louder"
    assert ((double > -0.01) | (double < -1.5)).all()


def test_channels_get_noise_of_their_own_and_share_the_ratio():
    rows = torch.randn(30, 2 * T, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    noise = added(Mixture(CLIPS, 3.0, 3.0), rows, shape=(T, 2)).reshape(30, T, 2)
    assert (noise[..., 0] - noise[..., 1]).abs().mean() > 0.3
    power = rows.reshape(30, T, 2).var(1, correction=0).mean(1) / noise.square().mean((1, 2))
    assert (10 * power.log10()).tolist() == pytest.approx([3.0] * 30, abs=1e-3)


def test_a_silent_row_counts_as_having_the_floor():
    silent = torch.zeros(5, T)
    power = added(Mixture(None, 0.0, 0.0, floor=0.04), silent).square().mean(1)
    assert power.tolist() == pytest.approx([0.04] * 5, rel=1e-4)
    assert not added(Mixture(None, 0.0, 0.0, floor=0.0), silent).any()


def test_draws_depend_on_the_counter_alone():
    mixture = Mixture(CLIPS, 0.0, 9.0, white=0.3, layers=0.3)
    before = torch.get_rng_state()
    assert torch.equal(added(mixture), added(mixture))
    assert not torch.equal(added(mixture), added(mixture, seed=1))
    assert torch.equal(before, torch.get_rng_state())


def test_half_precision_and_apply():
    x = np.random.default_rng(0).normal(size=(3, 50, 2))
    assert Mixture(CLIPS).apply(x).shape == (3, 50, 2)
    seen, _ = Mixture(CLIPS)(ROWS.bfloat16(), Rng(0), shape=(T, 1))
    assert seen.dtype == torch.bfloat16


def test_recordings_are_values():
    one, same, other = Recording.of(CLIPS), Recording.of([c * 7 + 5 for c in CLIPS]), Recording.of(CLIPS[::-1])
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one.lengths == (700, 90)
    assert Recording.of(one) is one
    assert Recording.of(np.stack([CLIPS[0], CLIPS[0] + np.arange(700)], 1)).lengths == (700, 700)
    assert "AAA" not in repr(one)
    assert len(repr(one)) < 80
    assert Mixture(CLIPS) == Mixture(one)
    for twin in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin == one
        assert np.array_equal(twin.samples, one.samples)


def test_sixteen_bits_are_enough():
    loud = CLIPS[1] - CLIPS[1].mean()
    held = Recording.of(CLIPS[1]).samples * (np.abs(loud).max() / mixtures.LEVELS)
    assert 20 * np.log10(loud.std() / (held - loud).std()) > 90


def through_json(value):
    return from_json(json.loads(json.dumps(to_json(value))))


def test_a_model_file_holds_short_recordings_and_the_fingerprint_of_long_ones(monkeypatch):
    short = Recording.of(CLIPS)
    assert np.array_equal(through_json(short).samples, short.samples)
    monkeypatch.setattr(mixtures, "STORED", 500)
    long = Recording.of(CLIPS)
    assert long.samples.any()
    back = through_json(Mixture(long))
    assert back == Mixture(long)
    with pytest.raises(ValueError, match=r"holds only the fingerprint.*set corruption="):
        added(back)


def test_damaged_samples_are_refused():
    data = to_json(Recording.of(CLIPS))
    data["data"] = "AAAA" + data["data"][4:]
    with pytest.raises(az.ModelFileError, match="not those of the fingerprint"):
        from_json(data)


def test_a_saved_model_goes_on_learning(tmp_path):
    X = np.sin(np.arange(400) / 5.0)
    model = az.Autoencoder(
        az.Input() + az.Conv(4, 5, stride=2) + az.Output(skips=True),
        corruption=Mixture(CLIPS, 0.0, 5.0),
        modality=az.modalities.Sequence(window=32),
        epochs=2,
        random_state=0,
    ).fit(X)
    model.save(tmp_path / "m.azogue")
    back = az.load(tmp_path / "m.azogue")
    assert back.corruption == model.corruption
    assert np.array_equal(back.reconstruct(X), model.reconstruct(X))
    back.partial_fit(X)
    assert len(back.history_) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixture(low=5.0, high=1.0), "low ≤ high"),
        (lambda: Mixture(low=float("nan")), "low ≤ high"),
        (lambda: Mixture(white=1.5), "share in"),
        (lambda: Mixture(layers=-0.1), "share in"),
        (lambda: Mixture(floor=-1.0), "floor"),
        (lambda: Mixture([]), "shape"),
        (lambda: Mixture(np.ones(50)), "one value only"),
        (lambda: Mixture(np.array([1.0, np.nan])), "NaN or infinity"),
        (lambda: Mixture(np.ones((2, 3, 4))), "shape"),
        (lambda: Recording("x", ()), "lengths"),
    ],
)
def test_bad_mixtures_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_text_is_no_recording():
    with pytest.raises(TypeError, match="no numbers"):
        Mixture(["rain"])
