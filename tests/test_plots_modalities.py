"""What is drawn of pictures, series and texts, and what a report says of them."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

import azogue as az
from azogue.reconstructions.texts import WRONG
from azogue.report.page import page
from azogue.shades import GREY

RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (30, 9, 8, 3)).astype(np.uint8)
SERIES = np.sin(np.arange(900) / 9)
TEXTS = ["ebro", "tajo", "duero", "turia"] * 8


@pytest.fixture(scope="module")
def seer():
    return az.Autoencoder(3, epochs=1, random_state=0).fit(PICTURES)


@pytest.fixture(scope="module")
def listener():
    return az.Autoencoder(3, modality=az.modalities.Sequence(window=64), epochs=1, random_state=0).fit(SERIES)


@pytest.fixture(scope="module")
def reader():
    return az.Autoencoder(3, modality=az.modalities.Text("character"), epochs=1, random_state=0).fit(TEXTS)


def test_pictures_in_lines(seer):
    ax = az.plots.plot_reconstructions(seer, PICTURES, 4)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["input", "reconstruction", "absolute error"]
    seen = az.plots.plot_reconstructions(seer, PICTURES, 4, seen=255 - PICTURES)
    assert seen.get_yticklabels()[0].get_text() == "seen"
    with pytest.raises(ValueError, match="n must be at least 1"):
        az.plots.plot_reconstructions(seer, PICTURES, 0)


def test_generated_pictures(seer):
    assert az.plots.plot_generation(seer, 3).get_xlabel() == "quantile of code 1"


def test_a_series_and_its_reconstruction(listener):
    ax = az.plots.plot_reconstructions(listener, SERIES, 3)
    drawn = [line for line in ax.get_lines() if len(line.get_ydata()) > 64]
    assert len(drawn) == 2
    assert np.allclose(drawn[0].get_ydata(), SERIES[: len(drawn[0].get_ydata())])
    expected = listener.reconstruct(SERIES[: len(drawn[0].get_ydata())])
    assert np.allclose(drawn[1].get_ydata(), expected)


def test_wrong_characters_are_marked(reader):
    ax = az.plots.plot_reconstructions(reader, TEXTS, 2)
    texts = [text.get_text() for text in ax.texts]
    assert "characters are wrong" in ax.get_xlabel()
    assert "ebro" in texts
    assert len({to_hex(text.get_color()) for text in ax.texts}) > 1, "nothing is marked"


def test_networks_of_layers_with_positions(seer):
    texts = " ".join(text.get_text() for text in az.plots.plot_network(seer).texts)
    assert "5 × 4 × 32" in texts
    boxes = " ".join(text.get_text() for text in az.plots.plot_network(seer, shapes=True).texts)
    assert "ConvTranspose" in boxes


@pytest.mark.parametrize("kind", ["seer", "listener", "reader"])
def test_reports(kind, request, tmp_path):
    model = request.getfixturevalue(kind)
    data = {"seer": PICTURES, "listener": SERIES, "reader": TEXTS}[kind]
    made = model.report(data)
    assert [section["title"] for section in made.sections] == [
        *("Model", "Training", "Reconstruction", "Code", "Anomalies", "Model card")
    ]
    assert "column that adds most" not in str(made.to_dict())
    page = made.html()
    assert "data:image/png" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


# -- what is drawn, cell by cell ---------------------------------------------------------------------------------------


def mosaic(ax, lines, n, shape, edge=1):
    """The pictures of a mosaic without the white around them, (lines, n, h, w, 3)."""
    height, width = shape[0] + 2 * edge, shape[1] + 2 * edge
    image = np.asarray(ax.images[0].get_array())
    assert image.shape == (lines * height, n * width, 3)
    whole = image.reshape(lines, height, n, width, 3).swapaxes(1, 2)
    return whole[:, :, edge:-edge, edge:-edge]


@pytest.mark.parametrize("kind", ["last", "first", "grey", "float", "torch", "list"])
def test_pixels_in_every_layout(kind):
    X = PICTURES[:, :8]
    X = {
        "last": X,
        "first": np.moveaxis(X, -1, 1),
        "grey": X[..., 0],
        "float": X[..., :1] / np.float32(255),
        "torch": torch.from_numpy(X),
        "list": X[..., 0].tolist(),
    }[kind]
    ae = az.Autoencoder(2, modality="image", epochs=1, random_state=0).fit(X)
    before, after, error = mosaic(az.plots.plot_reconstructions(ae, X, 3), 3, 3, (8, 8))
    pictures = PICTURES[:3, :8] if kind in ("last", "first", "torch") else np.repeat(PICTURES[:3, :8, :, :1], 3, -1)
    top = pictures.max() / 255 if kind == "list" else 1.0  # whole numbers without a range of their own
    low = pictures.min() / 255 if kind == "list" else 0.0
    expected = (pictures / 255 - low) / (top - low)
    assert np.allclose(before, expected, atol=1e-6)
    copies = np.asarray(ae.reconstruct(X[:3]), dtype=float) / (1 if kind == "float" else 255)
    copies = np.moveaxis(copies, 1, -1) if kind == "first" else copies.reshape(3, 8, 8, -1)
    copies = (np.broadcast_to(copies, (3, 8, 8, 3)) - low) / (top - low)
    assert np.allclose(after, np.clip(copies, 0, 1), atol=1e-6)
    assert np.allclose(error, np.clip(np.abs(expected - copies), 0, 1), atol=1e-6)


def test_missing_pixels_and_other_channels():
    X = np.random.default_rng(1).random((20, 8, 8, 2)).astype(np.float32)
    X[0, 2, 3, 1] = np.nan
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    ax = az.plots.plot_reconstructions(ae, X, 2)
    before, after, error = mosaic(ax, 3, 2, (8, 8))
    assert ax.get_title() == "the mean of 2 channels"
    assert np.allclose(before[1, ..., 0], X[1].mean(-1))
    for part, missing in ((before, True), (after, False), (error, True)):
        assert np.allclose(part[0, 2, 3], to_rgb(GREY)) == missing
    assert not np.isnan(before).any()


def test_only_the_first_files_are_read(tmp_path):
    az.modalities.pictures.write_pictures(PICTURES[:4], tmp_path, ["a", "b", "c", "d"])
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(tmp_path)
    (tmp_path / "c.png").write_bytes(b"no picture")
    for folder in (tmp_path, str(tmp_path), sorted(tmp_path.iterdir())):
        before = mosaic(az.plots.plot_reconstructions(ae, folder, 2), 3, 2, (9, 8))[0]
        assert np.allclose(before, PICTURES[:2] / 255)
    with pytest.raises(ValueError, match=r"c\.png"):
        az.plots.plot_reconstructions(ae, tmp_path, 3)


def test_reconstructions_are_made_from_what_is_seen(seer):
    noisy = 255 - PICTURES
    seen, before, after, error = mosaic(az.plots.plot_reconstructions(seer, PICTURES, 3, seen=noisy), 4, 3, (9, 8))
    copies = seer.reconstruct(noisy[:3]) / 255
    assert np.allclose(seen, noisy[:3] / 255)
    assert np.allclose(before, PICTURES[:3] / 255)
    assert np.allclose(after, copies)
    assert np.allclose(error, np.abs(PICTURES[:3] / 255 - copies)), "errors are those against X"
    with pytest.raises(ValueError, match="3 rows of X are drawn, but seen has 2"):
        az.plots.plot_reconstructions(seer, PICTURES, 3, seen=noisy[:2])
    with pytest.raises(ValueError, match="shape= is for tables"):
        az.plots.plot_reconstructions(seer, PICTURES, 3, shape=(9, 8))


def test_tables_show_what_is_seen():
    X = np.random.default_rng(0).normal(size=(40, 3))
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    ax = az.plots.plot_reconstructions(ae, X, 5, seen=-X)
    seen, before, after, error = (np.asarray(image.get_array()) for image in ax.images)
    assert np.allclose(seen, ae.schema_.pack(-X[:5]).x)
    assert np.allclose(before, ae.schema_.pack(X[:5]).x)
    assert np.allclose(after, ae.schema_.pack(ae.reconstruct(-X[:5])).x)
    assert np.allclose(error, np.abs(before - after))
    square = np.random.default_rng(0).random((40, 16))
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(square)
    ax = az.plots.plot_reconstructions(ae, square, 5, seen=square[::-1])
    assert [label.get_text() for label in ax.get_yticklabels()][:2] == ["seen", "input"]
    assert ax.images[0].get_array().shape == (4 * 6, 5 * 6)


def test_generated_pictures_are_those_of_generate(seer):
    ax = az.plots.plot_generation(seer, 3, low=0.2, dimensions=(1, 0))
    drawn = mosaic(ax, 3, 3, (9, 8)).reshape(9, 9, 8, 3)
    assert np.allclose(drawn, seer.generate(3, low=0.2, dimensions=(1, 0)) / 255)
    assert list(ax.get_xticks()) == [4.5, 14.5, 24.5]
    assert list(ax.get_yticks()) == [5.0, 16.0, 27.0]
    with pytest.raises(ValueError, match="shape= and column= are for tables"):
        az.plots.plot_generation(seer, 3, column=1)


def test_what_cannot_be_generated_as_a_picture(listener, reader):
    with pytest.raises(TypeError, match="not sequences"):
        az.plots.plot_generation(listener)
    with pytest.raises(TypeError, match="not texts"):
        az.plots.plot_generation(reader)


def test_history_of_any_model(seer, listener, reader):
    for model in (seer, listener, reader):
        assert az.plots.plot_history(model.history_).lines[0].get_label() == "training"


# -- signals -----------------------------------------------------------------------------------------------------------


def test_a_panel_a_sequence():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 20, 4)) * [1, 10, 100, 1] + [0, 5, 0, 0]
    X[0, 3, 0] = np.nan
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    ax = az.plots.plot_reconstructions(ae, X, 5, seen=np.nan_to_num(X) + 1)
    assert len(ax.child_axes) == 5
    for at, panel in enumerate(ax.child_axes):
        drawn = np.array([line.get_ydata() for line in panel.lines]).reshape(3, 3, 20)
        parts = (np.nan_to_num(X[at]) + 1, X[at], ae.reconstruct(np.nan_to_num(X[at : at + 1]) + 1)[0])
        for lines, values in zip(drawn, parts, strict=True):
            assert np.allclose(lines, ae.schema_.scale.forward(values)[:, :3].T, atol=1e-5, equal_nan=True)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["seen", "input", "reconstruction", "channel 1", "channel 2", "channel 3"]
    assert ax.get_legend().get_title().get_text() == "3 of 4 channels, in scaled units"
    assert [panel.get_xlabel() for panel in ax.child_axes] == ["", "", "", "sample", "sample"]


def test_ragged_sequences_end_where_they_end():
    X = [np.sin(np.arange(length) / 3) for length in (9, 20, 14)]
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    ax = az.plots.plot_reconstructions(ae, X, 10)
    assert [len(panel.lines[0].get_ydata()) for panel in ax.child_axes] == [9, 20, 14]
    for panel, signal, copy in zip(ax.child_axes, X, ae.reconstruct(X), strict=True):
        assert np.allclose(panel.lines[0].get_ydata(), signal)
        assert np.allclose(panel.lines[1].get_ydata(), copy)
    assert len(az.plots.plot_reconstructions(ae, X, 2).child_axes) == 2


def test_long_series_as_far_as_the_windows_reach(listener):
    for n, samples in ((1, 64), (3, 128), (1000, 900)):
        assert len(az.plots.plot_reconstructions(listener, SERIES, n).lines[0].get_ydata()) == samples
    ax = az.plots.plot_reconstructions(listener, [SERIES, SERIES[:70]], 3)
    assert [len(panel.lines[0].get_ydata()) for panel in ax.child_axes] == [128, 70]


def test_sound_in_seconds(tmp_path):
    sound = (8000 * np.sin(np.arange(3000) / 7)).astype(np.int16)
    for name in ("a", "b"):
        az.modalities.waves.write_wave(tmp_path / f"{name}.wav", sound, 1000)
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(tmp_path)
    for X, panels in ((tmp_path, 2), (str(tmp_path / "a.wav"), 0)):
        ax = az.plots.plot_reconstructions(ae, X, 2)
        assert len(ax.child_axes) == panels
        panel = ax.child_axes[-1] if panels else ax
        time, values = panel.lines[0].get_data()
        assert np.array_equal(values, sound[: 1024 + 512])
        assert time[-1] == pytest.approx(1.535)
        assert panel.get_xlabel() == "seconds"


# -- texts -------------------------------------------------------------------------------------------------------------


class Reader:
    """A model of texts whose reconstructions are known."""

    def __init__(self, model, copies):
        self.schema_, self.copies = model.schema_, copies

    def reconstruct(self, X):
        self.asked = X
        return self.copies


def test_each_character_is_right_or_wrong(reader):
    model = Reader(reader, ["ebra", "t", "duero!", "x", "ab"])
    ax = az.plots.plot_reconstructions(model, ["ebro", "tajo", "duero", None, "a\tb"])
    shown = [(text.get_text(), to_hex(text.get_color()) == WRONG) for text in ax.texts]
    assert shown == [
        *(("ebro", False), ("ebr ", False), ("   a", True)),
        *(("tajo", False), ("t   ", False), (" ···", True)),
        *(("duero", False), ("duero ", False), ("     !", True)),
        *(("missing", False), ("x", False)),
        *(("a⇥b", False), ("a  ", False), (" b·", True)),
    ]
    assert ax.get_xlabel() == "7 of 17 characters are wrong"
    seen = az.plots.plot_reconstructions(model, pd.Series(["a"] * 5, index=range(5, 10)), seen=["b"] * 5)
    assert model.asked == ["b"] * 5
    assert [label.get_text() for label in seen.get_yticklabels()][:3] == ["seen", "input", "reconstruction"]


def test_signs_of_formulas_are_plain_text(reader, tmp_path):
    ax = az.plots.plot_reconstructions(Reader(reader, ["$x_1$"]), ["$x_1$"])
    assert ax.texts[0].get_text() == "$x_1$"
    assert not ax.texts[0].get_parse_math()
    (tmp_path / "t.txt").write_text("ebro\ntajo\nduero\n")
    model = Reader(reader, ["ebro", "tajo"])
    assert az.plots.plot_reconstructions(model, tmp_path / "t.txt", 2).get_xlabel() == "0 of 8 characters are wrong"


def test_words_as_bars():
    texts = ["red red wine", "white wine", "red grapes"] * 10
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(texts)
    ax = az.plots.plot_reconstructions(ae, texts, 2)
    before, after = ae.schema_.pack(texts[:2]).x.numpy(), ae.network_(ae.schema_.pack(texts[:2]).x).detach().numpy()
    inputs, copies = ax.containers[0::2], ax.containers[1::2]
    words = [label.get_text() for label in ax.get_yticklabels()]
    at = 0
    for row in range(2):
        largest = np.argsort(-np.maximum(before[row], after[row]), kind="stable")
        assert words[at : at + len(largest)] == [ae.schema_.words[word] for word in largest]
        assert [bar.get_width() for bar in inputs[row]] == pytest.approx(before[row][largest])
        assert [bar.get_width() for bar in copies[row]] == pytest.approx(after[row][largest], rel=1e-4)
        at += len(largest)
    assert ax.get_xlabel() == "count"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["input", "reconstruction"]
    seen = az.plots.plot_reconstructions(ae, texts, 2, seen=["wine", ""])
    assert [bar.get_width() for bar in seen.containers[0]] == [
        float(word == "wine") for word in [label.get_text() for label in seen.get_yticklabels()][: len(before[0])]
    ]
    from_wine = ae.network_(ae.schema_.pack(["wine"]).x).detach().numpy()[0]
    widths = [bar.get_width() for bar in seen.containers[2]]
    assert sorted(widths) == pytest.approx(sorted(from_wine), rel=1e-4), "made from what was seen"


def test_given_axes_are_used(seer, listener, reader):
    words = az.Autoencoder(2, epochs=1, random_state=0).fit(["red wine", "white wine"] * 5)
    draw = [
        lambda ax: az.plots.plot_reconstructions(seer, PICTURES, 2, ax=ax),
        lambda ax: az.plots.plot_reconstructions(listener, [SERIES] * 6, 6, ax=ax),
        lambda ax: az.plots.plot_reconstructions(reader, TEXTS, 2, ax=ax),
        lambda ax: az.plots.plot_reconstructions(words, ["red wine"], 2, ax=ax),
        lambda ax: az.plots.plot_generation(seer, 2, ax=ax),
    ]
    for function in draw:
        ax = Figure().add_subplot()
        assert function(ax) is ax
        ax.figure.draw_without_rendering()


# -- reports -----------------------------------------------------------------------------------------------------------


def by_title(made):
    return {
        section["title"]: section for section in json.loads(json.dumps(made.to_dict(), allow_nan=False))["sections"]
    }


def test_a_report_on_a_folder(tmp_path):
    names = ["fox.png", "dog.png", "<b>cat.png"]
    for name in names:
        az.modalities.pictures.write_pictures(PICTURES[:1] if name == "fox.png" else PICTURES[1:2], tmp_path, [name])
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(tmp_path)
    made = az.report.report(ae, tmp_path)
    assert made.title == "Autoencoder on 3 pictures"
    told = by_title(made)
    assert told["Model"]["facts"]["data"] == "pixels: image 9 × 8 × 3, scaling minmax, head gaussian, 216 slots"
    assert "columns" not in told["Model"]["facts"]
    assert "table" not in told["Reconstruction"]
    assert told["Reconstruction"]["facts"]["error"] == pytest.approx(ae.errors(tmp_path).mean(), rel=1e-3)
    scores = az.AnomalyDetector.from_fitted(ae).anomaly_score(tmp_path)
    order = np.argsort(-scores, kind="stable")
    table = told["Anomalies"]["table"]
    assert table["columns"] == ["row", "score", "file"]
    assert table["rows"] == [[row, scores[row], sorted(names)[row]] for row in order.tolist()]
    assert "&lt;b&gt;cat.png" in made.html()
    assert "<b>" not in made.html()


def test_a_report_on_windows(listener):
    series = SERIES.copy()
    series[400:410] = 9
    made = az.report.report(listener, series)
    assert made.title.endswith(f"on {len(listener.errors(series))} windows")
    told = by_title(made)
    (row,) = told["Reconstruction"]["table"]["rows"]
    assert row == ["channel 1", pytest.approx(listener.errors(series).mean(), rel=1e-4)]
    anomalies = told["Anomalies"]["table"]
    assert anomalies["columns"] == ["row", "score", "first sample"]
    assert all(start == min(32 * row, 900 - 64) for row, _, start in anomalies["rows"])
    assert 400 - 64 < anomalies["rows"][0][2] < 410
    several = by_title(az.report.report(listener, [SERIES, series]))["Anomalies"]["table"]
    assert several["columns"] == ["row", "score", "sequence", "first sample"]
    assert several["rows"][0][2] == 1


def test_a_report_on_texts(reader):
    texts = pd.Series(["ebro", "<script>alert(1)</script>", None], index=[7, 8, 9])
    with pytest.warns(UserWarning, match="outside of the alphabet|longer than"):
        made = az.report.report(reader, texts)
    assert made.title == "Autoencoder on 3 texts"
    rows = by_title(made)["Anomalies"]["table"]["rows"]
    assert {row: text for row, _, text in rows} == dict(enumerate(["ebro", "<script>alert(1)</script>", "missing"]))
    page = made.html()
    assert page.count("<script") == page.count("</script>") == 2, "the page's own script and what it reads"
    words = az.Autoencoder(2, epochs=1, random_state=0).fit(["red wine", "white wine"] * 5)
    table = by_title(az.report.report(words, ["red wine"]))["Reconstruction"]["table"]
    assert table["columns"] == ["word", "mean error"]
    assert {name for name, _ in table["rows"]} == {"red", "white", "wine"}


def test_pages_hold_pictures_and_nothing_else():
    good = page("t", [{"title": "s", "images": [["<i>", b"PNG"], ("c", "data:image/png;base64,UE5H")]}])
    assert good.count('src="data:image/png;base64,UE5H"') == 2
    assert "<i>" not in good
    for bad in ("http://a.org/x.png", 'data:image/png;base64,UE5H" onload="x', "data:text/html;base64,UE5H"):
        with pytest.raises(ValueError, match="no PNG in a data URI"):
            page("t", [{"title": "s", "images": [["c", bad]]}])
