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
    pictures = rng.integers(0, 255, (6, 12, 12)).astype(np.uint8)
    write_pictures(pictures, tmp_path / "clean", list("abcdef"))
    write_pictures(pictures[:1, :9], tmp_path / "in", ["small"])
    write_pictures(pictures[:1], tmp_path / "in/deep", ["large"])
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
    ],
)
def test_what_is_at_fault_is_named_in_one_line(place, args, message):
    done = azogue("denoise", *args, cwd=place, ok=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    import re

    assert re.search(message, done.stderr), done.stderr
