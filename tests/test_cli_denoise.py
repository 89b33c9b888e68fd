"""`azogue denoise`: tables, series, pictures and sound, measured, filled and refused."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from azogue.modalities.pictures import write_pictures
from azogue.modalities.waves import read_wave, write_wave
from test_cli import azogue

SHORT = ("--epochs", "2", "--seed", "0")


def looked(path):
    with Image.open(path) as picture:
        return np.array(picture)


@pytest.fixture
def place(tmp_path):
    rng = np.random.default_rng(0)
    signal = (8000 * np.sin(np.arange(3000) / 9)).astype(np.int16)
    write_wave(tmp_path / "clean.wav", signal, 8000)
    write_wave(tmp_path / "noisy.wav", (signal + rng.normal(0, 1500, 3000)).astype(np.int16), 8000)
    write_wave(tmp_path / "hiss.wav", rng.normal(0, 500, 900).astype(np.int16), 8000)
    write_wave(tmp_path / "one.wav", signal[5:6], 8000)
    (tmp_path / "broken.wav").write_bytes(b"RIFFnothing")
    (tmp_path / "cut.wav").write_bytes((tmp_path / "noisy.wav").read_bytes()[:3001])
    (tmp_path / "text.png").write_text("no picture\n")
    (tmp_path / "header.csv").write_text("a,b\n")
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n4,5,6\n")
    (tmp_path / "cut.azogue").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    pictures = rng.integers(0, 255, (6, 12, 12)).astype(np.uint8)
    write_pictures(pictures, tmp_path / "clean", list("abcdef"))
    write_pictures(pictures[:1, :9], tmp_path / "in", ["small"])
    write_pictures(pictures[:1], tmp_path / "in/deep", ["large"])
    write_pictures(np.full((2, 3, 2), 9, np.uint8), tmp_path / "flat", ["a", "b"])
    mask = np.zeros((1, 12, 12), np.uint8)
    mask[0, 3:6, 3:6] = 255
    write_pictures(mask, tmp_path, ["mask"])
    table = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("xyz")).assign(id=np.arange(60))
    table.to_csv(tmp_path / "table.csv", index=False)
    time = [f"t{at}" for at in range(400)]
    pd.DataFrame({"time": time, "v": np.sin(np.arange(400) / 9), "n": np.arange(400)}).to_csv(
        tmp_path / "series.csv", index=False
    )
    return tmp_path


def test_sound_keeps_rate_depth_and_length_and_is_measured(place):
    args = ("denoise", "clean.wav", "noisy.wav", "-o", "out.wav", "--reference", "clean.wav", "--json")
    told = json.loads(azogue(*args, "--noise", "hiss.wav", "--compare", "c.png", *SHORT, cwd=place).stdout)
    rate, samples = read_wave(place / "out.wav")
    assert (rate, samples.dtype, samples.shape) == (8000, np.int16, (3000,))
    assert set(told["measures"]) == {"snr", "si_sdr"}
    assert told["noise"].startswith("Mixture(")
    assert looked(place / "c.png").shape[1] > 500
    assert azogue("denoise", "one.wav", "-o", "o.wav", *SHORT, cwd=place).returncode == 0
    assert read_wave(place / "o.wav")[1].shape == (1,)


def test_folders_keep_names_and_sizes_and_a_saved_denoiser_does_the_same(place):
    azogue("denoise", "clean", "in", "-o", "out", "--save", "m.azogue", *SHORT, cwd=place)
    sizes = {
        path.relative_to(place / "out").as_posix(): looked(path).shape[1::-1] for path in place.glob("out/**/*.png")
    }
    assert sizes == {"small.png": (12, 9), "deep/large.png": (12, 12)}
    azogue("denoise", "m.azogue", "in", "-o", "again", cwd=place)
    for name in sizes:
        assert (place / "out" / name).read_bytes() == (place / "again" / name).read_bytes()
    assert not list(place.glob(".azogue-*"))


def test_only_what_is_masked_is_filled(place):
    azogue("denoise", "clean", "clean/a.png", "-o", "a.png", "--inpaint", "--mask", "mask.png", *SHORT, cwd=place)
    before, after = (looked(place / name) for name in ("clean/a.png", "a.png"))
    hidden = looked(place / "mask.png") > 0
    assert np.array_equal(before[~hidden], after[~hidden])
    assert (before[hidden] != after[hidden]).any()


def test_tables_and_series_keep_their_columns(place):
    azogue("denoise", "table.csv", "table.csv", "-o", "t.csv", "--keep", "id", *SHORT, cwd=place)
    before, after = (pd.read_csv(place / name) for name in ("table.csv", "t.csv"))
    assert list(after) == list(before)
    assert after["id"].equals(before["id"])
    assert not np.allclose(after["x"], before["x"])
    azogue("denoise", "series.csv", "-o", "s.csv", "--window", "64", *SHORT, cwd=place)
    before, after = (pd.read_csv(place / name) for name in ("series.csv", "s.csv"))
    assert after["time"].equals(before["time"])
    assert after["n"].dtype == before["n"].dtype


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("none.wav", "-o", "o.wav"), "no such file|does not exist"),
        (("broken.wav", "-o", "o.wav"), "broken.wav.*cannot be read"),
        (("noisy.wav", "-o", "noisy.wav"), "also what is read"),
        (("clean", "-o", "clean"), "also what is read"),
        (("noisy.wav", "-o", "o.png"), "o.png"),
        (("noisy.wav", "-o", "o.wav", "--noise", "fog"), "'fog' is unknown"),
        (("clean.wav", "noisy.wav", "-o", "o.wav", "--reference", "hiss.wav"), "--reference: hiss.wav.*shape"),
        (("clean", "in", "-o", "o", "--inpaint", "--mask", "mask.png"), "--mask: mask.png has the shape"),
        (("clean", "in", "-o", "o", "--mask", "mask.png"), "add --inpaint"),
        (("table.csv", "-o", "t.csv", "--modality", "text"), "texts"),
        (("header.csv", "-o", "t.csv"), "header.csv: has no rows"),
        (("ragged.csv", "-o", "t.csv"), "ragged.csv: broken CSV.*mend that line"),
        (("cut.wav", "-o", "o.wav"), "cut.wav: it cannot be read as a WAV file"),
        (("text.png", "-o", "o.png"), "text.png: it is no picture"),
        (("cut.azogue", "noisy.wav", "-o", "o.wav"), "cut.azogue: .*"),
        (("flat", "-o", "o"), "flat: the pictures show none that could be told; say what it is by --noise$"),
        (("clean", "-o", "/proc/o", "--epochs", "100000"), "/proc/o: cannot be written"),
        (("noisy.wav", "-o", "/proc/o.wav", "--epochs", "100000"), "/proc/o.wav: cannot be written"),
    ],
)
def test_what_is_at_fault_is_named_in_one_line(place, args, message):
    done = azogue("denoise", *args, cwd=place, ok=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    import re

    assert re.search(message, done.stderr), done.stderr


@pytest.mark.trained
def test_noise_is_taken_off_sound_that_nobody_knows_clean(place):
    args = ("denoise", "noisy.wav", "-o", "out.wav", "--reference", "clean.wav", "--seed", "0", "--json")
    measured = json.loads(azogue(*args, cwd=place).stdout)["measures"]["snr"]
    assert measured["after"] > measured["before"] + 3


@pytest.mark.parametrize("shape", [(2, 2), (1, 3), (5, 4)])
def test_pictures_smaller_than_a_stride(place, shape):
    write_pictures(np.random.default_rng(0).integers(0, 255, (1, *shape)).astype(np.uint8), place, ["tiny"])
    azogue("denoise", "tiny.png", "-o", "out.png", "--noise", "gaussian:0.1", *SHORT, cwd=place)
    assert looked(place / "out.png").shape == shape


def test_stereo_stays_stereo(place):
    rng = np.random.default_rng(0)
    write_wave(place / "stereo.wav", rng.integers(-900, 900, (2000, 2)).astype(np.int16), 8000)
    azogue("denoise", "stereo.wav", "-o", "out.wav", *SHORT, cwd=place)
    rate, samples = read_wave(place / "out.wav")
    assert (rate, samples.dtype, samples.shape) == (8000, np.int16, (2000, 2))


def test_signals_in_a_column(place):
    values = np.sin(np.arange(500) / 9)
    values[::50] = np.nan
    pd.DataFrame({"v": values}).to_csv(place / "v.csv", index=False)
    pd.DataFrame({"v": np.ones(300)}).to_csv(place / "ones.csv", index=False)
    done = azogue("denoise", "v.csv", "-o", "s.csv", *SHORT, cwd=place)
    assert "--modality sequence takes its column as a signal" in done.stderr
    done = azogue("denoise", "v.csv", "-o", "s.csv", "--modality", "sequence", *SHORT, cwd=place)
    assert done.stderr == ""
    after = pd.read_csv(place / "s.csv")["v"]
    assert len(after) == 500
    assert not after.isna().any()
    azogue("denoise", "ones.csv", "-o", "o.csv", "--modality", "sequence", *SHORT, cwd=place)
    assert (pd.read_csv(place / "o.csv")["v"] == 1).all()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_empty_line_of_a_signal_is_a_missing_sample(place, end):
    """Nothing moves in time: what stands behind an empty line stays at its place."""
    values = np.round(np.sin(np.arange(300) / 9), 3)
    shown = ["" if at in (0, 50, 51) else str(value) for at, value in enumerate(values)]
    (place / "v.csv").write_text(end.join(["v", *shown, "", ""]), newline="")
    args = ("denoise", "v.csv", "-o", "s.csv", "--modality", "sequence", "--inpaint", *SHORT)
    assert azogue(*args, cwd=place).stderr == ""
    after = pd.read_csv(place / "s.csv")["v"]
    seen = np.array([bool(text) for text in shown])
    assert len(after) == 300
    np.testing.assert_array_equal(after[seen], values[seen])
    assert after.notna().all()
    (place / "bare.csv").write_text(end.join([*shown, ""]), newline="")
    assert azogue(*("bare.csv" if part == "v.csv" else part for part in args), "--no-header", cwd=place).stderr == ""
    np.testing.assert_array_equal(pd.read_csv(place / "s.csv").iloc[:, 0], after)
