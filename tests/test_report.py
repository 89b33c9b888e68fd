"""Reports: plain values first, then a page in which every name is inert."""

import json

import numpy as np
import pandas as pd
import pytest

import azogue as az
from azogue.plots import plot_codes, plot_history, plot_images
from azogue.report import report


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 3)), columns=["a", "<script>alert(1)</script>", "c & d"])
    frame.iloc[4, 0] = 30.0
    return report(az.AnomalyDetector(az.Autoencoder(2, epochs=3), random_state=0).fit(frame), frame)


def test_summary_is_json(made):
    data = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    titles = [section["title"] for section in data["sections"]]
    assert titles == ["Model", "Training", "Reconstruction", "Code", "Anomalies"]
    worst = data["sections"][-1]["table"]["rows"][0]
    assert worst[0] == 4
    assert worst[2] == "a"
    training = data["sections"][1]
    assert training["facts"]["epochs"] == len(training["chart"]["series"]["training"]) == 3


def test_page_is_inert_and_whole(made, tmp_path):
    html = made.html()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "c &amp; d" in html
    assert "Content-Security-Policy" in html
    assert html.count("<section>") == html.count("</section>") == 5
    assert 'src="http' not in html
    made.save(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == html
    made.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == made.to_dict()


def test_pictures():
    ax = plot_history([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}])
    assert ax.get_yscale() == "log"
    assert len(ax.lines) == 1
    codes = np.random.default_rng(0).normal(size=(30, 2))
    assert len(plot_codes(codes, np.repeat(["a", "b"], 15)).collections) == 2
    assert len(plot_codes(codes[:, :1], np.arange(30.0)).collections) == 1
    assert plot_codes(codes).get_xlabel() == "code 1"
    assert plot_images(np.zeros((2, 5, 16)), (4, 4)).images[0].get_array().shape == (12, 30)
