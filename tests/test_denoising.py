"""The denoiser: three ways to learn, signals and pictures of any size, inpainting."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator

import azogue as az
from azogue.applications import albums, series
from azogue.applications.albums import Tiling
from azogue.corruptions import BlindSpot, Blocks, Gaussian, Paired, Zeros
from azogue.quality import psnr, snr

RNG = np.random.default_rng(0)
TIME = np.arange(6000)
CLEAN = np.sin(TIME / 9) + 0.5 * np.sin(TIME / 31)
NOISY = CLEAN + 0.5 * RNG.normal(size=len(TIME))
DIGITS = (load_digits().images / 16).astype(np.float32)


def waves(epochs=40, **options):
    net = az.Input() + az.Conv(16, 9, "silu", stride=2) + az.Conv(16, 9, "silu", stride=2) + az.Output(skips=True)
    return az.Autoencoder(net, epochs=epochs, learning_rate=5e-3, validation_fraction=0.0, batch_size=16, **options)


def pixels(epochs=20, **options):
    net = az.Input() + az.Conv(16, 3, "silu") + az.Conv(24, 3, "silu", stride=2) + az.Output(skips=True)
    return az.Autoencoder(net, epochs=epochs, learning_rate=5e-3, validation_fraction=0.0, batch_size=32, **options)


def signals(noise="auto", **options):
    options = {"modality": "sequence", "window": 128, "random_state": 0} | options
    return az.Denoiser(waves(), noise=noise, **options)


def pictures(noise="auto", epochs=20, **options):
    return az.Denoiser(pixels(epochs), noise=noise, modality="image", random_state=0, **options)


@pytest.fixture(scope="module")
def of_signals():
    return signals().fit(NOISY[:4000], clean=CLEAN[:4000])


@pytest.fixture(scope="module")
def of_digits():
    return pictures().fit(DIGITS[:400])


# -- learning ----------------------------------------------------------------------------------------------------------


def test_from_pairs_from_clean_signals_and_from_noisy_ones_alone(of_signals):
    before = snr(CLEAN[4000:], NOISY[4000:])
    blind = signals("blind").fit(NOISY[:4000])
    clean = signals(Gaussian(0.5)).fit(CLEAN[:4000])
    assert (of_signals.noise_, blind.noise_, clean.noise_) == (Paired(), BlindSpot(), Gaussian(0.5))
    gains = [snr(CLEAN[4000:], model.transform(NOISY[4000:])) - before for model in (of_signals, clean, blind)]
    assert min(gains[:2]) > 6
    assert gains[2] > 4


def test_pairs_teach_what_no_noise_model_says():
    """Every second sample is lost: nothing but the pairs tells so."""
    lost = CLEAN * (TIME % 2)
    model = signals().fit(lost[:4000], clean=CLEAN[:4000])
    assert snr(CLEAN[4000:], model.transform(lost[4000:])) > snr(CLEAN[4000:], lost[4000:]) + 8


def test_noise_of_a_table_is_taken_off():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(600, 2))
    clean = pd.DataFrame(hidden @ rng.normal(size=(2, 8)), columns=list("abcdefgh"), index=range(5, 605))
    noisy = clean + 0.3 * rng.normal(size=clean.shape)
    for model in (az.Denoiser(random_state=0).fit(clean), az.Denoiser(noise="blind", random_state=0).fit(noisy)):
        restored = model.transform(noisy)
        assert list(restored.columns) == list("abcdefgh")
        assert list(restored.index) == list(clean.index)
        assert ((restored - clean) ** 2).to_numpy().mean() < 0.8 * 0.09


def test_other_clean_rows_with_noise_like_that_of_X():
    with pytest.raises(ValueError, match="clean=: expected the rows of X without noise, as many"):
        az.Denoiser().fit(RNG.normal(size=(20, 3)), clean=RNG.normal(size=(10, 3)))


def test_a_fitted_autoencoder_is_used_as_it_is(of_signals):
    inner = of_signals.autoencoder_
    model = az.Denoiser(FrozenEstimator(inner)).fit(CLEAN[:300])
    assert model.autoencoder_ is inner
    assert model.noise_ == Paired()
    assert np.array_equal(model.transform(NOISY[:700]), of_signals.transform(NOISY[:700]))


def test_same_seed_same_bits_and_files_keep_them(tmp_path, of_signals):
    again = signals().fit(NOISY[:4000], clean=CLEAN[:4000])
    assert np.array_equal(again.transform(NOISY[:500]), of_signals.transform(NOISY[:500]))
    of_signals.save(tmp_path / "d.azogue")
    loaded = az.load(tmp_path / "d.azogue")
    assert np.array_equal(loaded.transform(NOISY[:500]), of_signals.transform(NOISY[:500]))
    assert loaded.noise_ == Paired()


# -- signals -----------------------------------------------------------------------------------------------------------


def test_signals_come_back_as_they_came(of_signals):
    series_, rows = NOISY[:1000], NOISY[:1024].reshape(4, 256)
    assert of_signals.transform(series_).shape == (1000,)
    assert of_signals.transform(series_.astype(np.float32)).dtype == np.float32
    assert of_signals.transform(rows).shape == (4, 256)
    assert of_signals.transform(rows[..., None]).shape == (4, 256, 1)
    assert [part.shape for part in of_signals.transform([series_, series_[:1], series_[:77]])] == [(1000,), (1,), (77,)]
    tensor = of_signals.transform(torch.from_numpy(series_))
    assert isinstance(tensor, torch.Tensor)
    whole = (1000 * series_).astype(np.int16)
    model = signals(Gaussian(0.3)).fit((1000 * CLEAN[:2000]).astype(np.int16))
    assert model.transform(whole).dtype == np.int16
    assert snr(1000 * CLEAN[:1000], model.transform(whole).astype(float)) > snr(CLEAN[:1000], series_) + 3


def test_long_signals_go_stretch_by_stretch_without_seams(of_signals, monkeypatch):
    at_once = of_signals.transform(NOISY)
    calls = []
    monkeypatch.setattr(series, "LONG", 700)
    reconstruct = type(of_signals.autoencoder_).reconstruct
    monkeypatch.setattr(
        type(of_signals.autoencoder_), "reconstruct", lambda self, X: (calls.append(len(X[0])), reconstruct(self, X))[1]
    )
    assert np.array_equal(of_signals.transform(NOISY), at_once)
    assert len(calls) > 5
    assert max(calls) < 1100


def test_a_constant_and_a_single_sample(of_signals):
    assert np.abs(of_signals.transform(np.zeros(300))).max() < 0.5
    model = signals(Gaussian(0.1)).fit(np.full(50, 3.0))
    assert np.allclose(model.transform(np.full(50, 3.0)), 3.0, atol=0.2)
    assert signals(Gaussian(0.1)).fit(np.array([2.0])).transform(np.array([2.0])).shape == (1,)


def test_holes_of_signals_are_filled_and_all_else_kept():
    model = signals(Blocks(0.2)).fit(CLEAN[:4000])
    damaged = CLEAN[4000:].copy()
    damaged[500:530] = np.nan
    whole = model.inpaint(damaged)
    outside = ~np.isnan(damaged)
    assert np.array_equal(whole[outside], damaged[outside])
    gap = CLEAN[4500:4530]
    assert np.mean((whole[500:530] - gap) ** 2) < 0.5 * np.mean((np.linspace(gap[0], gap[-1], 30) - gap) ** 2)
    assert not np.isnan(model.transform(damaged)).any()
    mask = np.isnan(damaged)
    by_mask = model.inpaint(CLEAN[4000:], mask)
    assert np.allclose(by_mask, whole, atol=1e-5)
    assert np.array_equal(model.inpaint([CLEAN[4000:]], [mask])[0], by_mask)
    with pytest.raises(ValueError, match=r"mask: expected the shape \(2000,\) for the series, got \(3,\)"):
        model.inpaint(CLEAN[4000:], mask[:3])


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_pictures_of_the_trained_size(of_digits):
    clean = DIGITS[1000:1200]
    noisy = np.clip(clean + 0.2 * RNG.normal(size=clean.shape), 0, 1).astype(np.float32)
    restored = of_digits.transform(noisy)
    assert restored.shape == noisy.shape
    assert restored.dtype == np.float32
    assert psnr(clean, restored) > psnr(clean, noisy) + 2
    assert restored.min() >= 0
    assert restored.max() <= 1


def test_layouts_and_bytes():
    bytes_ = (DIGITS[:200] * 255).astype(np.uint8)
    for X in (bytes_, bytes_[:, None], np.repeat(bytes_[..., None], 3, 3), torch.from_numpy(bytes_)):
        restored = pictures(Gaussian(0.1), 1).fit(X).transform(X[:7])
        assert restored.shape == X[:7].shape
        assert restored.dtype == X.dtype


def test_pictures_of_any_size(of_digits):
    sheet = np.block([[DIGITS[row * 5 + column] for column in range(5)] for row in range(4)])
    noisy = np.clip(sheet + 0.2 * RNG.normal(size=sheet.shape), 0, 1).astype(np.float32)
    restored = of_digits.transform(noisy[None])[0]
    assert psnr(sheet, restored) > psnr(sheet, noisy) + 2
    others = of_digits.transform([DIGITS[0], noisy, DIGITS[1][:3, :1]])
    assert [picture.shape for picture in others] == [(8, 8), (32, 40), (3, 1)]
    tall = pictures(Gaussian(0.1), 1, window=6).fit([sheet, DIGITS[0]])
    assert tall.autoencoder_.schema_.shape[:2] == (6, 6)
    assert tall.transform(noisy[None]).shape == (1, 32, 40)


def test_tiles_cover_every_pixel_and_join_to_the_same():
    for shape in ((6, 9, 2), (4, 4, 1), (13, 4, 3), (2, 1, 1)):
        picture = RNG.normal(size=shape)
        tiling = Tiling((4, 4), 0.5)
        patches = tiling.cut(picture)
        assert len(patches) == len(tiling.places(shape))
        assert np.allclose(tiling.join(iter([patches[:3], patches[3:]]), shape), picture)


def test_patches_to_learn_from_are_limited(monkeypatch):
    monkeypatch.setattr(albums, "MOST", 10)
    album = albums.read_album(DIGITS[:5])
    found = albums.patches_of(album, (2, 2), np.random.default_rng(0))
    assert found.shape == (10, 2, 2, 1)
    assert np.array_equal(found, albums.patches_of(album, (2, 2), np.random.default_rng(0)))


def test_blocks_of_pictures_are_filled_and_all_else_kept():
    model = pictures(Blocks(0.2), 20).fit(DIGITS[:1200])
    clean = DIGITS[1200:1300]
    mask = np.zeros(clean.shape, bool)
    mask[:, 2:5, 3:6] = True
    whole = model.inpaint(clean, mask)
    assert np.array_equal(whole[~mask], clean[~mask])
    mean = DIGITS[:1200].mean(0)[2:5, 3:6].ravel()
    assert np.mean((whole[mask] - clean[mask]) ** 2) < 0.8 * np.mean((mean - clean[mask].reshape(-1, 9)) ** 2)
    holes = clean.copy()
    holes[mask] = np.nan
    assert np.allclose(model.inpaint(holes), whole, atol=1e-6)
    assert np.array_equal(model.inpaint(clean[:2], mask[:2])[0], whole[0])
    bytes_ = pictures(Blocks(0.2), 1).fit((255 * DIGITS[:100]).astype(np.uint8))
    assert bytes_.inpaint((255 * clean).astype(np.uint8), mask).dtype == np.uint8
    with pytest.raises(ValueError, match=r"mask: expected the shape \(8, 8\) or \(8, 8, 1\) for picture 0"):
        model.inpaint(clean, mask[:, :3])


# -- what makes no sense -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "X", "clean", "match"),
    [
        (az.Denoiser(), CLEAN, None, "Expected 2D array, got 1D"),
        (az.Denoiser(overlap=1.0), [CLEAN], None, "overlap: expected a part in"),
        (az.Denoiser(window=0), [CLEAN], None, "window: expected 'auto' or a number"),
        (az.Denoiser(noise="blind"), [CLEAN], [CLEAN], "leave clean= out"),
        (az.Denoiser(noise="fog"), [CLEAN], None, "'fog' is unknown"),
        (az.Denoiser(noise=3), [CLEAN], None, "expected a value such as"),
        (az.Denoiser(noise=BlindSpot()), np.zeros((5, 3)), None, "is for pictures and signals"),
        (az.Denoiser(), ["a text", "another"], None, "texts have no noise"),
        (az.Denoiser(modality="image"), [np.zeros((3, 3)), np.zeros((3, 3, 3))], None, "picture 1: expected the shape"),
        (az.Denoiser(modality="sequence"), np.array([1.0, np.inf, 2.0]), None, "infinity"),
    ],
)
def test_one_clear_line(model, X, clean, match):
    with pytest.raises((ValueError, TypeError), match=match):
        model.fit(X, clean=clean)


def test_zeros_of_tables_are_a_noise_too():
    X = RNG.normal(size=(60, 4))
    model = az.Denoiser(az.Autoencoder(3, epochs=3), noise=Zeros(0.2), random_state=0).fit(X)
    assert model.autoencoder_.recipe_.corruption == Zeros(0.2)
    kept = az.Denoiser(az.Autoencoder(3, epochs=3, corruption=Gaussian(0.7)), random_state=0).fit(X)
    assert kept.autoencoder_.recipe_.corruption == Gaussian(0.7)


def test_rows_that_stand_for_clean_ones_vary_as_much():
    """Means of what rows may have been would vary too little."""
    from azogue.applications.rows import cleaned

    clean = RNG.normal(size=(4000, 2)) @ RNG.normal(size=(2, 5))
    noise, rows = cleaned(clean + 0.8 * clean.std() * RNG.normal(size=clean.shape), "table", "none", RNG)
    assert noise.sd == pytest.approx(0.8 * clean.std(), rel=0.1)
    assert rows.var(axis=0).sum() == pytest.approx(clean.var(axis=0).sum(), rel=0.06)
