"""Reports and model cards in Markdown."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import azogue as az
from azogue.report import Report, card, report
from test_cli import azogue

NASTY = "<script>alert(1)</script>|`*_[x](javascript:1)\n# no"


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({NASTY: rng.normal(size=60), "kind": rng.choice(["a", "b"], 60)})
    return az.SparseAutoencoder(1, epochs=2, random_state=0).fit(frame), frame


def test_a_card_needs_no_data_and_shows_none(model):
    ae, frame = model
    text = card(ae).markdown()
    for told in ("# SparseAutoencoder: model card", "## Data", "| random\\_state | 0 |", "numeric", "pseudonymised"):
        assert told in text
    assert "| scikit-learn |" in text
    assert not any(f"{value:.4f}" in text for value in frame[NASTY])


def test_nothing_of_a_name_is_markup(model):
    ae, frame = model
    for text in (card(ae).markdown(), report(ae, frame).markdown()):
        assert "<script" not in text
        assert "\n# no" not in text
        assert not re.search(r"(?<!\\)\]\(", text)
        tables = re.findall(r"(?:^\|.*\n)+", text, flags=re.M)
        assert len(tables) >= 4
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


def test_charts_and_pictures_in_words():
    chart = {"kind": "line", "x": "epoch", "y": "loss", "series": {"training": [[n, 1 / n] for n in range(1, 101)]}}
    text = Report("T", [{"title": "A", "chart": chart, "images": [["Rows", "data:image/png;base64,AA=="]]}]).markdown()
    assert "training, loss by epoch: 9: 0.111111, 22: 0.0454545" in text
    assert text.rstrip().endswith("*Rows: a picture, in the page (.html).*")
    assert "100: 0.01" in text


@pytest.mark.parametrize("kind", ["detector", "grouped", "pictures", "texts"])
def test_cards_of_every_kind(kind, rows):
    if kind == "detector":
        made = az.AnomalyDetector(members=2, random_state=0).fit(rows)
    elif kind == "grouped":
        made = az.AnomalyDetector(members=2, rows=32, by=0, random_state=0)
        made.fit(np.column_stack([np.repeat([0, 1], 100), rows]))
    elif kind == "pictures":
        made = az.Autoencoder(2, epochs=1).fit(np.zeros((20, 4, 4), np.uint8))
    else:
        made = az.Autoencoder(2, epochs=1).fit(["oil prices", "wheat exports", "grain"] * 6)
    text = card(made).markdown()
    assert f"# {type(made).__name__}: model card" in text
    assert "## Limits" in text


def test_the_command_line(tmp_path, model):
    frame = model[1].rename(columns={NASTY: "size"})
    az.SparseAutoencoder(1, epochs=2, random_state=0).fit(frame).save(tmp_path / "m.azogue")
    frame.to_csv(tmp_path / "x.csv", index=False)
    assert azogue("info", "m.azogue", "--card", cwd=tmp_path).stdout.startswith("# SparseAutoencoder: model card\n")
    told = json.loads(azogue("info", "m.azogue", "--card", "--json", cwd=tmp_path).stdout)
    assert {"azogue", "torch", "python"} <= set(next(s for s in told["sections"] if s["title"] == "Made with")["facts"])
    azogue("report", "m.azogue", "x.csv", "-o", "r.md", cwd=tmp_path)
    assert (tmp_path / "r.md").read_text().startswith("# SparseAutoencoder on 60 rows")
