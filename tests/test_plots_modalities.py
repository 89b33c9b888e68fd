"""What is drawn of pictures, series and texts, and what a report says of them."""

import numpy as np
import pytest
from matplotlib.colors import to_hex

import azogue as az

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
    made = az.report.report(model, data)
    assert [section["title"] for section in made.sections] == [
        *("Model", "Training", "Reconstruction", "Code", "Anomalies")
    ]
    assert "column that adds most" not in str(made.to_dict())
    page = made.html()
    assert "data:image/png" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
