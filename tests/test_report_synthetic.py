"""The page on synthetic rows: the numbers are those of the record, and nothing is promised."""

import numpy as np
import pandas as pd
import pytest

import azogue as az
from azogue.report.synthesizing import synthetic_report, synthetic_sections


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)

    def table():
        x = rng.normal(size=80)
        return pd.DataFrame({"x": x, "y": x + 1, "<b>": rng.choice(["a", "b"], 80)})

    train, test, made = table(), table(), table()
    return az.evaluate_synthetic(train, test, made.assign(y=made["y"] - 9), target="<b>", constraints=["x <= y"])


def test_the_numbers_are_those_of_the_record(found):
    made = {section["title"]: section for section in synthetic_sections(found)}
    rows = made["How like real rows"]["table"]["rows"]
    shapes = found.score("column shapes")
    assert rows[0] == [
        *("column shapes", "similarity", round(shapes.value, 3), f"{shapes.low:.3f} to {shapes.high:.3f}"),
        *(round(shapes.real, 3), f"{shapes.real_low:.3f} to {shapes.real_high:.3f}", "worse"),
    ]
    assert [row[0] for row in rows][-2:] == ["tells <b>", "tells <b>"]
    assert made["How like real rows"]["images"][0][1].startswith("data:image/png;base64,")
    attacks = made["What attackers find"]
    assert [row[0] for row in attacks["table"]["rows"]] == [one.name for one in found.attacks]
    assert "does not prove that none can" in attacks["text"]
    assert "images" not in attacks
    assert made["Columns"]["table"]["rows"][0][0] == "y"
    assert len(made["Columns"]["table"]["rows"]) == 3
    assert made["Constraints"]["table"]["rows"][0][:2] == ["x <= y", "100.00%"]


def test_the_page_is_safe_and_can_be_saved(found, tmp_path):
    made = synthetic_report(found)
    assert made.title == "80 synthetic rows"
    assert "<b>" not in made.html()
    assert "&lt;b&gt;" in made.html()
    made.save(tmp_path / "page.html")
    made.save(tmp_path / "page.json")
    assert (tmp_path / "page.html").stat().st_size > 10_000
