"""Reports: plain values first, then a page in which every name is inert."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import azogue as az
from azogue.plots import plot_codes, plot_history, plot_images
from azogue.report import report


def by_title(made):
    return {section["title"]: section for section in made.sections}


@pytest.fixture(scope="module")
def made():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 3)), columns=["a", "<script>alert(1)</script>", "c & d"])
    frame.iloc[4, 0] = 30.0
    return report(az.AnomalyDetector(az.Autoencoder(2, epochs=3), random_state=0).fit(frame), frame)


def test_summary_is_json(made):
    data = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    titles = [section["title"] for section in data["sections"]]
    assert titles == ["Model", "Training", "Reconstruction", "Code", "Anomalies", "Model card"]
    worst = data["sections"][4]["table"]["rows"][0]
    assert worst[0] == 4
    assert worst[2] == "a"
    training = data["sections"][1]
    assert training["facts"]["epochs"] == len(training["chart"]["series"]["training"]) == 3


def test_page_is_inert_and_whole(made, tmp_path):
    html = made.html()
    assert html.count("<script") == html.count("</script>") == 2, "the page's own script and what it reads"
    assert "&lt;script&gt;" in html
    assert "\\u003cscript\\u003ealert(1)" in html
    assert "c &amp; d" in html
    assert "Content-Security-Policy" in html
    assert html.count("<section>") == html.count("</section>") == 6
    assert 'src="http' not in html
    made.save(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == html
    made.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text()) == made.to_dict()


def test_the_least_usual_rows_have_reasons():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 2)) @ rng.normal(size=(2, 4)), columns=list("abcd"))
    frame["kind"] = np.resize(["x", "y"], 200)
    frame.iloc[11, 2] = 60.0
    detector = az.AnomalyDetector(random_state=0).fit(frame)
    made = report(detector, frame)
    json.dumps(made.to_dict(), allow_nan=False)
    section = by_title(made)["Anomalies"]
    assert section["table"]["columns"] == [
        *("row", "score", "p-value", "column", "value", "expected", "share of the score")
    ]
    worst = section["table"]["rows"][0]
    assert (worst[0], worst[3], worst[4]) == (11, "c", "60")
    assert worst[1] == pytest.approx(detector.anomaly_score(frame).max())
    assert worst[2] == pytest.approx(detector.p_values(frame.iloc[[11]])[0])
    assert float(worst[5]) == pytest.approx(detector.expected(frame.iloc[[11]])["c"].item(), rel=1e-4)
    reasons = detector.explain(frame.iloc[[11]]).to_numpy()[0]
    assert worst[6] == f"{reasons.max() / reasons.sum():.0%}"
    chart = section["chart"]["series"]
    assert sum(height for _, height in chart["rows"][1:-1:2]) == 200
    assert chart["threshold"][0][0] == pytest.approx(np.log10(-detector.offset_))
    assert made.sections[0]["facts"]["members"] == 32
    assert made.html().count("<polyline") >= 3


def test_groups():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    frame.insert(1, "site", np.repeat(["north", "south"], 60))
    frame.loc[70, "c"] = 50.0
    detector = az.AnomalyDetector(members=4, rows=64, by="site", random_state=0).fit(frame)
    made = report(detector, frame)
    json.dumps(made.to_dict(), allow_nan=False)
    assert [section["title"] for section in made.sections] == ["Model", "Groups", "Anomalies", "Model card"]
    beyond = detector.predict(frame) < 0
    for at, (name, count, over, threshold) in enumerate(made.sections[1]["table"]["rows"]):
        assert (name, count) == (("north", "south")[at], 60)
        assert over == beyond[60 * at : 60 * at + 60].sum()
        assert threshold == pytest.approx(-detector.detectors_[name].offset_)
    worst = made.sections[2]["table"]["rows"][0]
    assert (worst[0], worst[3], worst[4]) == (70, "c", "50")
    assert made.sections[2]["text"].startswith(f"{beyond.sum()} of 120 rows")
    assert "threshold" not in made.sections[2]["chart"]["series"]
    assert "north" in made.html()


def test_heat_maps_of_the_least_usual_pictures():
    rng = np.random.default_rng(0)
    pixels = 100 + rng.normal(0, 2, (12, 16, 16))
    pixels[5, 4:8, 4:8] += 90
    pixels = pixels.astype(np.uint8)
    detector = az.AnomalyDetector(az.Autoencoder(2, epochs=3), random_state=0).fit(pixels)
    section = by_title(report(detector, pixels))["Anomalies"]
    assert section["table"]["rows"][0][0] == 5
    picture = section["images"][0][1]
    assert picture.startswith("data:image/png;base64,")
    drawn = plt_read(picture)
    assert drawn.shape[1] > drawn.shape[0] > 50
    warm = (drawn[..., 0] > 0.9) & (drawn[..., 2] < 0.75) & (drawn[..., 0] > drawn[..., 2] + 0.2)
    assert warm.any(), "the blob should be warm in the heat map"


def plt_read(uri):
    """The pixels of a data URI."""
    import base64
    import io

    from matplotlib.image import imread

    return imread(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


def test_rows_of_which_nothing_is_usual():
    """Scores without end, and rows without a cell, keep a report whole."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 3))
    detector = az.AnomalyDetector(members=2, rows=32, random_state=0).fit(rows)
    rows[3] = np.nan
    rows[4, 1] = 1e300
    made = report(detector, rows)
    json.dumps(made.to_dict(), allow_nan=False)
    assert by_title(made)["Anomalies"]["table"]["rows"][0][0] == 4


def test_pictures():
    ax = plot_history([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}])
    assert ax.get_yscale() == "log"
    assert len(ax.lines) == 1
    codes = np.random.default_rng(0).normal(size=(30, 2))
    assert len(plot_codes(codes, np.repeat(["a", "b"], 15)).collections) == 2
    assert len(plot_codes(codes[:, :1], np.arange(30.0)).collections) == 1
    assert plot_codes(codes).get_xlabel() == "code 1"
    assert plot_images(np.zeros((2, 5, 16)), (4, 4)).images[0].get_array().shape == (12, 30)


def test_tables_on_a_narrow_screen():
    from azogue.report.page import page

    made = page("t", [{"title": "s", "table": {"columns": ["name", "value"], "rows": [["a", 1.5], ["b", ""]]}}])
    assert '<div class="t"><table>' in made, "it scrolls by itself"
    assert '<th scope="col">name</th><th scope="col" class=n>value</th>' in made, "a title stands where its numbers do"
    assert made.count("<td class=n>") == 1


def test_the_network_is_drawn_and_rows_have_a_curve(made):
    told = by_title(made)
    ((caption, picture),) = told["Model"]["images"]
    assert "encoder" in caption
    assert plt_read(picture).shape[1] > 200
    section = told["Reconstruction"]
    curve = np.array(section["chart"]["series"]["rows"])
    assert len(curve) == 50
    assert (np.diff(curve[:, 1]) >= 0).all()
    facts = section["facts"]
    assert facts["error of half of the rows below"] == pytest.approx(np.median(curve[:, 1]), rel=1e-4)
    assert facts["of 99 % below"] == pytest.approx(np.quantile(curve[:, 1], 0.99), rel=1e-4)


def test_points_know_their_rows():
    """Each dot of the map has the cells of its row, thinned out where there are many, and no more than fit a page."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(3000, 20)).round(3), columns=[f"c{at}" for at in range(20)])
    frame["when"] = pd.Timestamp("2026-01-02")
    frame.insert(1, "kind", np.resize(["x", None, "<b>"], 3000))
    frame.loc[0, "c0"] = np.nan
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(frame)
    chart = by_title(ae.report(frame))["Code"]["chart"]
    known = chart["explore"]
    assert len(known["rows"]) == len(chart["series"]["rows"]) == 2000
    assert known["rows"][:2] == [0, 1]
    assert known["rows"][-1] == 2999
    at = known["rows"].index(1500) if 1500 in known["rows"] else 1000
    row = known["rows"][at]
    np.testing.assert_allclose(chart["series"]["rows"][at], ae.encode(frame.iloc[[row]])[0], atol=1e-4)
    columns = {column["name"]: column for column in known["columns"]}
    assert len(columns) == 12, "24,000 cells"
    assert known["more"] == "… and 10 more columns"
    assert columns["c0"]["number"]
    assert columns["c0"]["cells"][0] is None
    assert columns["c5"]["cells"][at] == frame["c5"][row]
    assert not columns["kind"]["number"]
    assert columns["kind"]["cells"][at] == (None if frame["kind"].isna()[row] else frame["kind"][row])
    assert len(ae.report(frame).html()) < 1_000_000


def test_the_card_says_what_was_asked_of_which_data(made):
    import torch

    from azogue.report.card import fingerprint

    card = by_title(made)["Model card"]
    assert card["facts"]["asked for"].startswith("AnomalyDetector(autoencoder=Autoencoder(epochs=3, network=2)")
    assert card["facts"]["seed"] == 0
    assert card["facts"]["torch"] == torch.__version__
    assert "not whether it does harm" in card["text"]
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]})
    first = fingerprint(frame)
    assert first == fingerprint(frame.copy()) != fingerprint(frame.rename(columns={"a": "c"}))
    assert first != fingerprint(frame.assign(a=[1.0, 3.0])) != fingerprint(frame.assign(b=["x", "y"]))
    assert fingerprint(np.arange(4.0)) != fingerprint(np.arange(4.0).reshape(2, 2)) != fingerprint(np.arange(4))
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])
    assert len({fingerprint([np.zeros(2), np.zeros(3)]), fingerprint([np.zeros(3), np.zeros(2)])}) == 2


def test_fingerprints_of_files(tmp_path):
    from azogue.report.card import fingerprint

    (tmp_path / "a.bin").write_bytes(b"1")
    one = fingerprint(tmp_path)
    assert one == fingerprint(str(tmp_path))
    (tmp_path / "a.bin").write_bytes(b"2")
    assert fingerprint(tmp_path) != one
    assert fingerprint("a text that names no file") != fingerprint("another\0text" * 1000)


def test_markdown_is_inert_and_says_the_same(made, tmp_path):
    made.save(tmp_path / "card.md")
    text = (tmp_path / "card.md").read_text()
    assert text == made.markdown()
    assert [line[3:] for line in text.splitlines() if line.startswith("## ")] == list(by_title(made))
    assert "&lt;script&gt;alert(1)" in text
    assert re.search(r"[<>]", text) is None, "no tag begins or ends"
    assert "c &amp; d" in text
    rows = [line for line in text.splitlines() if line.startswith("| 4 |")]
    assert len(rows) == 1
    assert rows[0].count("|") == len(by_title(made)["Anomalies"]["table"]["columns"]) + 1
    assert "data:image" not in text


@pytest.mark.parametrize("name", ["AEkNNClassifier", "AEkNNRegressor", "Synthesizer", "StackedAutoencoder", "Denoiser"])
def test_every_estimator_reports(name):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 4))
    options = {"Synthesizer": {"random_state": 0}, "Denoiser": {"random_state": 0}}
    model = getattr(az, name)(**options.get(name, {"random_state": 0}))
    if hasattr(model, "epochs"):
        model.set_params(epochs=2)
    made = model.fit(rows, (rows[:, 0] > 0).astype(int)) if name.startswith("AEkNN") else model.fit(rows)
    page = made.report(rows)
    titles = [section["title"] for section in page.sections]
    assert titles[0] == "Model"
    assert titles[-1] == "Model card"
    json.dumps(page.to_dict(), allow_nan=False)
    assert page.title == f"{name} on 60 rows"
    if name.startswith("AEkNN"):
        section = by_title(page)["Neighbours"]
        assert section["facts"]["neighbours that vote"] == 5
        lines = section["table"]["rows"]
        told = model.predict(rows)
        if name == "AEkNNRegressor":
            assert [lines[0][1], lines[-1][1]] == [told.min(), told.max()]
        else:
            assert {line[0]: line[1] for line in lines} == {str(value): (told == value).sum() for value in (0, 1)}
    if name == "Synthesizer":
        lines = by_title(page)["Drawn rows"]["table"]["rows"]
        assert [line[0] for line in lines] == [f"column {at}" for at in range(1, 5)]
        drawn = model.sample(60, random_state=0)
        assert lines[2][1].startswith(f"{np.median(rows[:, 2]):.4g} (")
        assert lines[2][2].startswith(f"{np.median(drawn[:, 2]):.4g} (")
