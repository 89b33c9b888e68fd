"""The command line on pictures, sequences, sound and texts: all comes back as it came, and faults have a name."""

import json
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import wavfile
from sklearn.datasets import load_digits

import azogue as az
from test_cli import azogue

QUICK = ("--epochs", "2", "--seed", "0", "--network", "4")
PICTURES = (load_digits().images[:60] * 15.9).astype(np.uint8)
WORDS = ["cat", "dog", "sat", "ran", "mat", "far", "home"]
TEXTS = [" ".join(np.random.default_rng(at).choice(WORDS, 4)) for at in range(40)]
RATE = 8000
TONE = (8000 * np.sin(np.arange(4000) / 5)).astype(np.int16)


def pictures(folder):
    """Pictures in two subfolders, the last one unlike the others."""
    for at, pixels in enumerate([*PICTURES, np.full((8, 8), 255, np.uint8)]):
        place = folder / "ab"[at % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place / f"{at:02d}.{'bmp' if at % 3 else 'png'}")


def seen(path):
    """The pixels of a picture file."""
    with Image.open(path) as picture:
        return np.asarray(picture)


def sounds(folder):
    (folder / "sub").mkdir(parents=True)
    burst = TONE.copy()
    burst[2000:2100] = -30000
    wavfile.write(folder / "one.wav", RATE, burst)
    wavfile.write(folder / "sub" / "two.wav", RATE, TONE[:1050])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data of all kinds, and a model of each."""
    place = tmp_path_factory.mktemp("modalities")
    pictures(place / "pics")
    sounds(place / "sounds")
    wavfile.write(place / "tone.wav", RATE, TONE)
    wavfile.write(place / "stereo.wav", RATE, np.stack([TONE, TONE[::-1]], 1))
    np.save(place / "grey.npy", PICTURES)
    np.savez(place / "last.npz", X=np.stack([PICTURES] * 3, -1))
    np.save(place / "first.npy", np.stack([PICTURES / 255] * 3, 1))
    np.save(place / "floats.npy", PICTURES / 255)
    waves = np.stack([np.sin(np.arange(1200) / 7), np.cos(np.arange(1200) / 3)], 1)
    frame = pd.DataFrame(waves, columns=["u", "v"])
    frame.insert(0, "when", [f"t{at}" for at in range(1200)])
    frame.to_csv(place / "series.csv", index=False)
    np.save(place / "series.npy", waves.astype(np.float32))
    np.save(place / "three.npy", np.concatenate([waves, waves[:, :1]], 1))
    np.save(place / "seqs.npy", waves.reshape(50, 24, 2))
    (place / "texts.txt").write_text("".join(f"{text}\n" for text in TEXTS))
    pd.DataFrame({"n": range(40), "body": TEXTS}).to_csv(place / "posts.csv", index=False)
    broken = [text.replace(" ", "\n", 1) for text in TEXTS]
    pd.DataFrame({"n": range(40), "body": broken}).to_parquet(place / "posts.parquet", index=False)
    pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc")).to_csv(
        place / "table.csv", index=False
    )
    for name, args in {
        "pics": ("pics",),
        "tone": ("tone.wav", "--window", "100"),
        "sounds": ("sounds", "--window", "100"),
        "series": ("series.csv", "--modality", "sequence", "--window", "50"),
        "seqs": ("seqs.npy",),
        "words": ("texts.txt", "--modality", "words"),
        "chars": ("posts.parquet", "--modality", "characters", "--column", "body"),
        "table": ("table.csv",),
    }.items():
        azogue("fit", *args, "-o", f"{name}.azogue", *QUICK, cwd=place)
    return place


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


# -- pictures --------------------------------------------------------------------------------------------------------


def test_a_folder_of_pictures_as_codes(place):
    told = json.loads(azogue("fit", "pics", "-o", "j.azogue", "--json", *QUICK, cwd=place).stdout)
    assert (told["modality"], told["rows"], told["code_size"]) == ("image", 61, 4)
    azogue("encode", "pics.azogue", "pics", "-o", "codes.csv", cwd=place)
    azogue("encode", "pics.azogue", "pics", "-o", "codes.parquet", cwd=place)
    azogue("encode", "pics.azogue", "pics", "-o", "codes.npy", cwd=place)
    codes = pd.read_csv(place / "codes.csv")
    assert list(codes.columns) == ["file", "code_1", "code_2", "code_3", "code_4"]
    assert codes["file"].tolist() == files(place / "pics")
    known = az.load(place / "pics.azogue").encode(str(place / "pics"))
    assert np.array_equal(np.load(place / "codes.npy"), known)
    assert np.array_equal(pd.read_parquet(place / "codes.parquet").iloc[:, 1:].to_numpy(), known)
    on_the_spot = json.loads(azogue("encode", "pics", "--json", *QUICK, cwd=place).stdout)
    assert on_the_spot["columns"][0] == "file"
    assert np.allclose([row[1:] for row in on_the_spot["rows"]], known)


def test_pictures_come_back_under_their_names(place):
    done = azogue("reconstruct", "pics.azogue", "pics", "-o", "again", cwd=place)
    assert done.stdout == "again: 61 pictures from pics\n"
    assert files(place / "again") == [name[:-3] + "png" for name in files(place / "pics")]
    known = az.load(place / "pics.azogue").reconstruct(str(place / "pics"))
    for pixels, name in zip(known, files(place / "again"), strict=True):
        assert np.array_equal(seen(place / "again" / name), pixels)
    azogue("reconstruct", "pics.azogue", "pics", "-o", "again.npz", cwd=place)
    assert np.array_equal(np.load(place / "again.npz")["X"], known)
    azogue("encode", "pics.azogue", "pics", "-o", "to-decode.csv", cwd=place)
    azogue("decode", "pics.azogue", "to-decode.csv", "-o", "decoded", cwd=place)
    assert files(place / "decoded") == files(place / "again")
    for name in files(place / "again"):
        assert (place / "decoded" / name).read_bytes() == (place / "again" / name).read_bytes()
    azogue("reconstruct", "pics.azogue", "pics/a/00.png", "-o", "single.png", cwd=place)
    assert np.array_equal(seen(place / "single.png"), known[0])


def test_detect_names_the_picture(place):
    azogue("detect", "pics.azogue", "pics", "-o", "scores.csv", cwd=place)
    scores = pd.read_csv(place / "scores.csv")
    assert list(scores.columns) == ["row", "file", "score", "anomaly"]
    assert scores.loc[scores["score"].idxmax(), "file"] == "a/60.png"
    detector = az.AnomalyDetector.from_fitted(az.load(place / "pics.azogue"))
    assert np.allclose(scores["score"], detector.anomaly_score(str(place / "pics")))
    assert (scores["anomaly"] == (scores["score"] > -detector.offset_)).all()
    assert scores["anomaly"].any()
    assert not scores["anomaly"].all()
    azogue("detect", "pics.azogue", "grey.npy", "-o", "scores.npy", cwd=place)
    assert np.load(place / "scores.npy").shape == (60, 3)


@pytest.mark.parametrize("name", ["grey.npy", "last.npz", "first.npy", "floats.npy", "seqs.npy"])
def test_arrays_keep_their_shape_and_dtype(place, name):
    azogue("reconstruct", name, "-o", f"back-{name}", *QUICK, cwd=place)
    was, now = (np.load(place / one) for one in (name, f"back-{name}"))
    was, now = (one["X"] if name.endswith("npz") else one for one in (was, now))
    assert (was.shape, was.dtype) == (now.shape, now.dtype)
    assert not np.array_equal(was, now)


def test_bytes_in_arrays_can_be_looked_at(place):
    azogue("reconstruct", "last.npz", "-o", "numbered", *QUICK, cwd=place)
    assert files(place / "numbered") == [f"{at:02d}.png" for at in range(1, 61)]
    assert seen(place / "numbered" / "01.png").shape == (8, 8, 3)
    np.save(place / "bytes.npy", np.stack([PICTURES] * 3, 1))
    azogue("reconstruct", "bytes.npy", "-o", "numbered2", *QUICK, cwd=place)
    for name in files(place / "numbered"):
        assert np.array_equal(seen(place / "numbered2" / name), seen(place / "numbered" / name))


def test_modality_says_what_an_array_is(place):
    for modality, kind in (("auto", "sequence"), ("image", "image")):
        azogue("fit", "floats.npy", "-o", "f.azogue", "--modality", modality, *QUICK, cwd=place)
        facts = json.loads(azogue("info", "f.azogue", "--json", cwd=place).stdout)
        assert facts["modality"] == kind
    assert facts["a row"] == "8 × 8 pixels of 1 channel, float64"


def test_pictures_are_brought_to_a_size(place):
    azogue("fit", "pics", "-o", "small.azogue", "--size", "4x6", *QUICK, cwd=place)
    azogue("reconstruct", "small.azogue", "pics", "-o", "small", cwd=place)
    assert {seen(place / "small" / name).shape for name in files(place / "small")} == {(4, 6)}


# -- sequences and sound ---------------------------------------------------------------------------------------------


def test_sound_comes_back_as_sound(place):
    azogue("reconstruct", "tone.azogue", "tone.wav", "-o", "back.wav", cwd=place)
    rate, samples = wavfile.read(place / "back.wav")
    assert (rate, samples.dtype, samples.shape) == (RATE, np.int16, (4000,))
    assert np.array_equal(samples, az.load(place / "tone.azogue").reconstruct(str(place / "tone.wav")))
    azogue("reconstruct", "sounds.azogue", "sounds", "-o", "sounds2", cwd=place)
    assert files(place / "sounds2") == ["one.wav", "sub/two.wav"]
    assert wavfile.read(place / "sounds2" / "sub" / "two.wav")[1].shape == (1050,)
    azogue("reconstruct", "stereo.wav", "-o", "stereo2.wav", *QUICK, cwd=place)
    assert wavfile.read(place / "stereo2.wav")[1].shape == (4000, 2)


def test_codes_of_sound_are_windows_of_files(place):
    azogue("encode", "sounds.azogue", "sounds", "-o", "sound-codes.csv", cwd=place)
    codes = pd.read_csv(place / "sound-codes.csv")
    assert list(codes.columns) == ["file", "code_1", "code_2", "code_3", "code_4"]
    assert codes["file"].value_counts().to_dict() == {"one.wav": 79, "sub/two.wav": 20}
    azogue("decode", "sounds.azogue", "sound-codes.csv", "-o", "sounds3", cwd=place)
    azogue("reconstruct", "sounds.azogue", "sounds", "-o", "sounds4", cwd=place)
    for name, same in (("one.wav", 4000), ("sub/two.wav", 950)):
        was, now = (wavfile.read(place / folder / name)[1] for folder in ("sounds4", "sounds3"))
        assert len(now) >= len(was)
        assert np.abs(was[:same].astype(int) - now[:same]).max() <= 1


def test_detect_says_where_in_the_sound(place):
    azogue("detect", "tone.azogue", "sounds", "-o", "bursts.csv", cwd=place)
    scores = pd.read_csv(place / "bursts.csv")
    assert list(scores.columns) == ["row", "file", "start", "stop", "score", "anomaly"]
    worst = scores.loc[scores["score"].idxmax()]
    assert (worst["file"], worst["start"], worst["stop"]) == ("one.wav", 2000, 2100)
    last = scores[scores["file"] == "sub/two.wav"].iloc[-1]
    assert (last["start"], last["stop"]) == (950, 1050)
    alone = json.loads(azogue("detect", "tone.azogue", "tone.wav", "--json", cwd=place).stdout)
    assert alone["columns"] == ["row", "start", "stop", "score", "anomaly"]
    assert alone["rows"][1][1:3] == [50, 150]


def test_columns_are_channels_of_a_long_series(place):
    done = azogue("reconstruct", "series.azogue", "series.csv", "-o", "series2.csv", cwd=place)
    assert done.stderr == "azogue: when: no numbers, left out\n"
    back = pd.read_csv(place / "series2.csv")
    assert list(back.columns) == ["u", "v"]
    known = az.load(place / "series.azogue").reconstruct(pd.read_csv(place / "series.csv")[["u", "v"]].to_numpy())
    assert np.allclose(back.to_numpy(), known)
    azogue("reconstruct", "series.azogue", "series.npy", "-o", "series2.npy", cwd=place)
    assert np.load(place / "series2.npy").dtype == np.float32
    assert np.load(place / "series2.npy").shape == (1200, 2)
    scores = json.loads(azogue("detect", "series.azogue", "series.csv", "--json", cwd=place).stdout)
    assert scores["columns"] == ["row", "start", "stop", "score", "anomaly"]
    assert scores["rows"][-1][:3] == [46, 1150, 1200]
    azogue("encode", "series.azogue", "series.csv", "-o", "series-codes.npy", cwd=place)
    azogue("decode", "series.azogue", "series-codes.npy", "-o", "series3.npy", cwd=place)
    assert np.allclose(np.load(place / "series3.npy"), known, atol=1e-5)


def test_sequences_of_one_length(place):
    scores = json.loads(azogue("detect", "seqs.azogue", "seqs.npy", "--json", cwd=place).stdout)
    assert scores["columns"] == ["row", "score", "anomaly"]
    assert len(scores["rows"]) == 50
    azogue("encode", "seqs.azogue", "seqs.npy", "-o", "seq-codes.csv", cwd=place)
    azogue("decode", "seqs.azogue", "seq-codes.csv", "-o", "seqs2.npy", cwd=place)
    assert np.load(place / "seqs2.npy").shape == (50, 24, 2)
    cut = json.loads(azogue("detect", "seqs.npy", "--window", "12", "--json", *QUICK, cwd=place).stdout)
    assert cut["columns"] == ["row", "sequence", "start", "stop", "score", "anomaly"]
    assert cut["rows"][3][:4] == [3, 1, 0, 12]


# -- texts -----------------------------------------------------------------------------------------------------------


def test_lines_are_texts_where_the_user_says_so(place):
    told = json.loads(azogue("fit", "texts.txt", "-o", "j.azogue", "--json", *QUICK, cwd=place).stdout)
    assert (told["modality"], told["rows"]) == ("table", 39), "auto reads .txt as CSV, as ever"
    said = azogue("encode", "texts.txt", "-o", "t.npy", *QUICK, cwd=place).stderr
    assert said == "azogue: texts.txt is read as a table; --modality words or characters takes each line as a text\n"
    for modality, unit in (("text", "word"), ("words", "word"), ("characters", "character")):
        azogue("fit", "texts.txt", "-o", "j.azogue", "--modality", modality, *QUICK, cwd=place)
        assert az.load(place / "j.azogue").schema_.unit == unit
    azogue("reconstruct", "words.azogue", "texts.txt", "-o", "words.txt", cwd=place)
    known = az.load(place / "words.azogue").reconstruct(TEXTS)
    assert (place / "words.txt").read_text().splitlines() == known
    assert set(" ".join(known).split()) <= set(WORDS)
    assert azogue("reconstruct", "words.azogue", "texts.txt", cwd=place).stdout.splitlines() == known
    piped = azogue("reconstruct", "words.azogue", "-", cwd=place, stdin="".join(f"{text}\n" for text in TEXTS))
    assert piped.stdout.splitlines() == known


def test_a_column_holds_texts(place):
    azogue("encode", "words.azogue", "posts.csv", "--column", "body", "-o", "w1.npy", cwd=place)
    azogue("encode", "words.azogue", "texts.txt", "-o", "w2.npy", cwd=place)
    assert np.array_equal(np.load(place / "w1.npy"), np.load(place / "w2.npy"))
    azogue("reconstruct", "words.azogue", "posts.csv", "--column", "body", "-o", "bodies.csv", cwd=place)
    assert list(pd.read_csv(place / "bodies.csv").columns) == ["body"]
    scores = json.loads(azogue("detect", "words.azogue", "posts.csv", "--column", "body", "--json", cwd=place).stdout)
    assert scores["columns"] == ["row", "score", "anomaly"]
    (place / "holes.csv").write_text("body\ncat sat\n\nfar home\n".replace("\n\n", '\n""\n'))
    assert len(azogue("reconstruct", "words.azogue", "holes.csv", cwd=place).stdout.splitlines()) == 3


def test_line_breaks_within_texts_become_spaces(place, monkeypatch):
    from azogue.autoencoder import Autoencoder

    monkeypatch.setattr(Autoencoder, "reconstruct", lambda self, X: ["a\nb", "c", None, "d\r\ne"])
    done = azogue("reconstruct", "chars.azogue", "posts.parquet", "--column", "body", "-o", "flat.txt", cwd=place)
    assert done.stderr == "azogue: line breaks within 2 texts became spaces\n"
    assert (place / "flat.txt").read_text() == "a b\nc\n\nd e\n"
    told = azogue("reconstruct", "chars.azogue", "posts.parquet", "--column", "body", "--json", cwd=place)
    assert json.loads(told.stdout) == {"columns": ["body"], "rows": [["a\nb"], ["c"], [None], ["d\r\ne"]]}


def test_texts_from_codes(place):
    azogue("encode", "chars.azogue", "texts.txt", "-o", "char-codes.csv", cwd=place)
    azogue("decode", "chars.azogue", "char-codes.csv", "-o", "decoded.parquet", cwd=place)
    codes = az.load(place / "chars.azogue").encode(TEXTS)
    known = az.load(place / "chars.azogue").decode(codes).to_pylist()
    assert pd.read_parquet(place / "decoded.parquet")["text"].tolist() == known


# -- all of them -----------------------------------------------------------------------------------------------------

MODELS = {
    "pics": ("pics", "image", "pictures"),
    "tone": ("tone.wav", "sequence", "windows"),
    "seqs": ("seqs.npy", "sequence", "sequences"),
    "words": ("texts.txt", "text", "texts"),
    "chars": ("texts.txt", "text", "texts"),
}


@pytest.mark.parametrize("name", MODELS)
def test_info_report_and_map(place, name):
    data, kind, noun = MODELS[name]
    facts = json.loads(azogue("info", f"{name}.azogue", "--json", cwd=place).stdout)
    assert facts["modality"] == kind
    assert facts["a row"]
    assert f"modality     {kind}" in azogue("info", f"{name}.azogue", cwd=place).stdout
    azogue("report", f"{name}.azogue", data, "-o", "r.json", cwd=place)
    report = json.loads((place / "r.json").read_text())
    assert report["title"].endswith(f" {noun}")
    titles = [section["title"] for section in report["sections"]]
    assert titles == ["Model", "Training", "Reconstruction", "Code", "Anomalies", "Model card"]
    worst = report["sections"][-2]["table"]
    assert "column" not in worst["columns"]
    scores = [row[worst["columns"].index("score")] for row in worst["rows"]]
    assert scores == sorted(scores, reverse=True)
    azogue("report", f"{name}.azogue", data, "-o", "r.html", cwd=place)
    azogue("project", f"{name}.azogue", data, "-o", "map.png", cwd=place)
    assert seen(place / "map.png").shape == (840, 1125, 4)


def test_models_made_in_python(place):
    """What a model was fitted on, and which estimator it is, does not show in the files."""
    import torch

    quick = {"epochs": 2, "random_state": 0}
    tensors = az.Autoencoder(4, **quick).fit(torch.tensor(np.stack([PICTURES] * 3, 1)))
    tensors.save(place / "tensors.azogue")
    np.save(place / "python.npy", np.zeros((3, 4), np.float32))
    azogue("decode", "tensors.azogue", "python.npy", "-o", "of-tensors", cwd=place)
    assert seen(place / "of-tensors" / "1.png").shape == (8, 8, 3)
    frame = pd.read_csv(place / "table.csv")
    az.Autoencoder(4, **quick).fit(frame).save(place / "frame.azogue")
    decoded = azogue("decode", "frame.azogue", "python.npy", cwd=place).stdout
    assert decoded.splitlines()[0] == '"a","b","c"'
    detector = az.AnomalyDetector(az.Autoencoder(4, **quick), contamination=0.2).fit(str(place / "pics"))
    detector.save(place / "detector.azogue")
    scores = json.loads(azogue("detect", "detector.azogue", "pics", "--json", cwd=place).stdout)
    assert np.allclose([row[2] for row in scores["rows"]], detector.anomaly_score(str(place / "pics")))
    assert sum(row[3] for row in scores["rows"]) == 12
    assert azogue("encode", "detector.azogue", "pics", cwd=place).stdout.startswith('"file"')


def test_files_that_fit_on_the_spot(place):
    azogue("project", "pics", "-o", "spot.png", *QUICK[:4], cwd=place)
    azogue("report", "sounds", "-o", "spot.html", *QUICK, cwd=place)
    azogue("detect", "posts.csv", "--modality", "words", "--column", "body", "-o", "spot.csv", *QUICK, cwd=place)
    azogue("fit", "pics", "-o", "spot.azogue", "--checkpoint", "spot.ckpt", *QUICK, cwd=place)
    plan = json.loads(azogue("fit", "pics", "-o", "no.azogue", "--plan", "--json", *QUICK, cwd=place).stdout)
    assert plan["rows"] + plan["held_out"] == 61


# -- what is at fault ------------------------------------------------------------------------------------------------


def broken(place):
    """Folders and files that are not as they should be."""
    for name in ("garbled", "cut", "mixed", "empty", "bad-sounds", "rates"):
        (place / name).mkdir()
    for name in ("garbled", "cut", "mixed"):
        Image.fromarray(PICTURES[0]).save(place / name / "0.png")
    (place / "garbled" / "1.png").write_text("no picture")
    whole = (place / "cut" / "0.png").read_bytes()
    (place / "cut" / "1.png").write_bytes(whole[:-30])
    Image.new("L", (9, 7)).save(place / "mixed" / "1.png")
    (place / "empty" / "readme.txt").write_text("nothing here")
    wavfile.write(place / "bad-sounds" / "0.wav", RATE, TONE)
    (place / "bad-sounds" / "1.wav").write_bytes((place / "bad-sounds" / "0.wav").read_bytes()[:1000])
    wavfile.write(place / "rates" / "0.wav", RATE, TONE)
    wavfile.write(place / "rates" / "1.wav", 2 * RATE, TONE)
    (place / "song.mp3").write_text("x")
    (place / "short.wav").write_bytes(b"RIFF")
    (place / "blank.txt").write_text("\n\n")
    (place / "nothing.txt").write_text("")
    (place / "latin.txt").write_bytes("cat\nñu\n".encode("latin-1"))
    (place / "letters.csv").write_text("a,b\nx,y\n")


@pytest.fixture(scope="module")
def faulty(place):
    broken(place)
    return place


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("encode", "garbled"), "garbled/1.png: it is no picture"),
        (("encode", "cut"), "cut/1.png: "),
        (("encode", "mixed"), "mixed/1.png: its height × width is 7 × 9, but 8 × 8 is expected"),
        (("encode", "mixed"), "let --size 8x8 do it"),
        (("encode", "pics.azogue", "mixed"), "mixed/1.png: "),
        (("encode", "empty"), "empty: is a directory that holds neither pictures nor WAV files"),
        (("encode", "empty", "--modality", "image"), "empty: the folder holds no picture"),
        (("encode", "pics", "--modality", "sequence"), "pics: is a directory without a WAV file"),
        (("encode", "nowhere"), "nowhere: there is no such file"),
        (("encode", "bad-sounds"), "bad-sounds/1.wav: "),
        (("encode", "rates"), "rates/1.wav has 16000 samples a second"),
        (("encode", "short.wav"), "short.wav: "),
        (("encode", "song.mp3"), "song.mp3: unknown kind of file"),
        (("encode", "table.csv", "--modality", "image"), "table.csv: is a table and cannot be read as pictures"),
        (("encode", "series.npy", "--modality", "image"), "series.npy: Image: expected the shape (n, h, w)"),
        (("encode", "pics", "--modality", "table"), "pics: is a directory and cannot be read as a table"),
        (("encode", "grey.npy", "--modality", "table"), "grey.npy: has the shape (60, 8, 8)"),
        (("encode", "pics.azogue", "table.csv"), "table.csv: is a table and cannot be read as pictures"),
        (("encode", "pics.azogue", "last.npz"), "last.npz: Image: expected the shape (n, 8, 8)"),
        (("encode", "table.azogue", "pics"), "pics: is a directory and cannot be read as a table"),
        (("encode", "table.azogue", "grey.npy"), "grey.npy: has the shape (60, 8, 8)"),
        (("encode", "tone.azogue", "stereo.wav"), "stereo.wav: X has 2 channels, but the model was fitted on 1"),
        (("encode", "tone.azogue", "series.csv"), "series.csv: has 2 columns of numbers (u, v)"),
        (("encode", "series.azogue", "three.npy"), "three.npy: X has 3 channels"),
        (("encode", "series.azogue", "letters.csv"), "letters.csv: has no column of numbers"),
        (("encode", "seqs.azogue", "series.csv"), "series.csv: is one long series, but the model takes"),
        (("encode", "series.csv", "--modality", "sequence"), "series.csv: a table's columns are the channels of"),
        (("encode", "series.npy", "--modality", "sequence"), "--window"),
        (("encode", "series.csv", "--window", "50"), "series.csv: --window is for sequences"),
        (("encode", "table.csv", "--size", "8x8"), "table.csv: --size is for pictures"),
        (("encode", "grey.npy", "--size", "4x4"), "grey.npy: --size 4x4 is for picture files"),
        (("encode", "posts.csv", "--column", "body"), "posts.csv: --column is for texts"),
        (("encode", "posts.csv", "--modality", "words"), "--column"),
        (
            ("encode", "posts.csv", "--modality", "words", "--column", "x"),
            "posts.csv: has no column 'x'; it has n, body",
        ),
        (("encode", "blank.txt", "--modality", "words"), "blank.txt: "),
        (("encode", "blank.txt", "--modality", "characters"), "blank.txt: Text: every text is empty"),
        (("encode", "nothing.txt", "--modality", "characters"), "nothing.txt: is empty"),
        (("encode", "latin.txt", "--modality", "words"), "latin.txt: line 2 is not UTF-8"),
        (("encode", "texts.txt", "--modality", "words", "--scaling", "minmax"), "texts.txt: --scaling minmax"),
        (("encode", "pics", "--scaling", "robust"), "pics: Image: scaling"),
        (("encode", "pics", "--drop", "x"), "pics: a directory has no column names"),
        (("encode", "words.azogue", "texts.txt", "--modality", "words"), "already; leave --modality out"),
        (("reconstruct", "pics.azogue", "pics"), "pics: pictures cannot be printed; name a folder"),
        (("reconstruct", "pics.azogue", "pics", "--json"), "pics: pictures cannot be printed"),
        (("reconstruct", "pics.azogue", "pics", "-o", "x.docx"), "x.docx: pictures cannot be written there"),
        (("reconstruct", "pics.azogue", "pics", "-o", "pics"), "pics: is also what is read"),
        (("reconstruct", "pics.azogue", "pics", "-o", "./pics/"), "is also what is read"),
        (("reconstruct", "pics.azogue", "pics", "-o", "pics/out"), "pics/out: lies in pics, which is read"),
        (("reconstruct", "pics.azogue", "pics", "-o", "no/where"), "the folder"),
        (("reconstruct", "pics.azogue", "pics", "-o", "song.mp3/"), "song.mp3/: is a file"),
        (("reconstruct", "floats.npy", "-o", "folder"), "folder: has no ending"),
        (("reconstruct", "tone.azogue", "tone.wav"), "tone.wav: sound cannot be printed"),
        (("reconstruct", "tone.azogue", "tone.wav", "-o", "tone.wav"), "also what is read"),
        (("reconstruct", "series.azogue", "series.csv", "-o", "x.wav"), "x.wav: a series cannot be written there"),
        (("reconstruct", "sounds.azogue", "sounds", "-o", "x.npy"), "x.npy: a folder of sound cannot"),
        (("decode", "pics.azogue", "grey.npy", "-o", "folder"), "grey.npy: "),
        (("project", "pics.azogue", "pics", "-o", "pics/map.png"), "pics/map.png: lies in pics"),
        (("project", "pics.azogue", "pics", "-o", "m.png", "--color", "x"), "pics: --color is for a column of a table"),
    ],
)
def test_one_line_that_names_what_is_at_fault(faulty, args, message):
    before = {name: (faulty / name).read_bytes() for name in files(faulty)}
    quick = QUICK if not args[1].endswith(".azogue") else ()
    done = azogue(*args, *quick, cwd=faulty, ok=False)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("azogue: ")
    assert {name: (faulty / name).read_bytes() for name in files(faulty)} == before, "something was written or damaged"
    assert not (faulty / "folder").exists()


@pytest.mark.parametrize(
    "args", [("--modality", "tabel"), ("--size", "8"), ("--size", "0x8"), ("--window", "0"), ("--column",)]
)
def test_options_that_make_no_sense_are_usage(place, args):
    assert azogue("fit", "pics", "-o", "u.azogue", *args, cwd=place, ok=False).returncode == 2
    assert not (place / "u.azogue").exists()


def test_pictures_that_are_read_are_never_replaced(tmp_path, place):
    """By a name that leads into the folder from outside, or by a link."""
    inner = tmp_path / "d" / "in" / "in"
    inner.mkdir(parents=True)
    for path in (inner / "x.png", tmp_path / "d" / "in" / "x.png"):
        Image.fromarray(PICTURES[0]).save(path)
    kept = (tmp_path / "d" / "in" / "x.png").read_bytes()
    done = azogue("reconstruct", place / "pics.azogue", "d/in", "-o", "d", cwd=tmp_path, ok=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "d/in/x.png: would be replaced, but is also what is read" in done.stderr
    (tmp_path / "out").mkdir()
    os.symlink(tmp_path / "d" / "in" / "x.png", tmp_path / "out" / "x.png")
    done = azogue("reconstruct", place / "pics.azogue", "d/in", "-o", "out", cwd=tmp_path, ok=False)
    assert "would be replaced" in done.stderr
    os.symlink(tmp_path / "d" / "in", tmp_path / "link")
    done = azogue("reconstruct", place / "pics.azogue", "d/in", "-o", "link", cwd=tmp_path, ok=False)
    assert "also what is read" in done.stderr
    assert (tmp_path / "d" / "in" / "x.png").read_bytes() == kept
    assert files(tmp_path / "d") == ["in/in/x.png", "in/x.png"]


def test_names_that_would_fall_together(tmp_path, place):
    for name in ("x.png", "x.bmp"):
        (tmp_path / "two").mkdir(exist_ok=True)
        Image.fromarray(PICTURES[0]).save(tmp_path / "two" / name)
    done = azogue("reconstruct", place / "pics.azogue", "two", "-o", "out", cwd=tmp_path, ok=False)
    assert done.returncode == 1
    assert "would both become" in done.stderr
    assert not (tmp_path / "out").exists()


def test_eight_and_thirty_two_bits(tmp_path):
    (tmp_path / "bits").mkdir()
    wavfile.write(tmp_path / "bits" / "8.wav", RATE, (TONE // 256 + 128).astype(np.uint8))
    wavfile.write(tmp_path / "bits" / "32.wav", RATE, TONE.astype(np.int32) * 1000)
    azogue("reconstruct", "bits", "-o", "out", *QUICK, cwd=tmp_path)
    assert wavfile.read(tmp_path / "out" / "8.wav")[1].dtype == np.uint8
    assert wavfile.read(tmp_path / "out" / "32.wav")[1].dtype == np.int32
