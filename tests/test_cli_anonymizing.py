"""`azogue anonymize`: rows released, attacked and told about in the right words, and bad input refused in one line."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import azogue as az
from test_cli import azogue

ASKED = ("--sensitive", "sex", "--utility", "sick", "--seed", "0")


def people(n, seed):
    """A table whose columns a, b, c tell sex, and d, e whether one is sick."""
    rng = np.random.default_rng(seed)
    sex, sick = rng.random(n) < 0.5, rng.random(n) < 0.5
    noise = rng.normal(size=(n, 5))
    table = pd.DataFrame({name: sex * 2.0 + noise[:, at] for at, name in enumerate("abc")})
    table.insert(1, "sex", np.where(sex, "m", "f"))
    for at, name in enumerate("de", 3):
        table[name] = sick * 3.0 + noise[:, at]
    table["size"] = rng.integers(0, 60, n)
    return table.assign(sick=np.where(sick, "yes", "no"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Good and broken files, and a model that was made of one, with a page on what it released."""
    place = tmp_path_factory.mktemp("anonymize")
    table = people(300, 0)
    table.to_csv(place / "people.csv", index=False)
    table.to_parquet(place / "people.parquet", index=False)
    people(60, 1).to_csv(place / "new.csv", index=False)
    people(2, 0).assign(sex=["m", "f"], sick=["no", "yes"]).to_csv(place / "two.csv", index=False)
    table.assign(same=1).to_csv(place / "same.csv", index=False)
    np.save(place / "people.npy", table.drop(columns=["sex", "sick"]).to_numpy(float))
    np.save(place / "texts.npy", np.array([["a", "b"]] * 20))
    walks = np.random.default_rng(0).normal(size=(80, 16, 2)).cumsum(axis=1)
    np.save(place / "walks.npy", walks)
    np.save(place / "who.npy", np.repeat(np.arange(4), 20))
    pd.DataFrame({"who": np.repeat(list("abcd"), 20)}).to_csv(place / "who.csv", index=False)
    (place / "empty.csv").write_text("")
    (place / "head.csv").write_text("a,b\n")
    (place / "photos").mkdir()
    azogue("fit", "people.csv", "-o", "other.azogue", "--epochs", "2", cwd=place)
    done = azogue(
        "anonymize", "people.csv", *ASKED, "-o", "out.csv", "--save", "m.azogue", "--audit", "r.html", cwd=place
    )
    (place / "said.txt").write_text(done.stdout)
    (place / "warned.txt").write_text(done.stderr)
    return place


def test_rows_are_released_in_their_schema(place):
    before, after = (pd.read_csv(place / name) for name in ("people.csv", "out.csv"))
    assert list(after) == list(before)
    assert (after.dtypes == before.dtypes).all()
    assert set(after["sex"]) == {"f", "m"}
    assert not (after == before).all(axis=1).any(), "no row is released as it was"
    tells = [abs(table["a"].corr(pd.Series(before["sex"] == "m"))) for table in (before, after)]
    assert tells[1] < 0.5 * tells[0], "a tells the true sex far less"
    same = (after["sex"] == before["sex"]).mean()
    assert 0.4 < same < 0.6, "the released sex is drawn"


def test_what_is_said_of_an_attacked_result(place):
    said = (place / "said.txt").read_text()
    first, second = said.splitlines()[:2]
    assert first == "out.csv: 300 rows from people.csv"
    assert second.startswith("pseudonymised; ")
    assert "attacks beat their controls" in said
    assert "attribute: sex" in said
    assert "- sick: balanced accuracy" in said
    assert "findings:" not in said, "these are on the page"
    assert "anonymous" not in said.replace("not anonymous", "")
    assert "keep it as safe as they are" in (place / "warned.txt").read_text()
    page = (place / "r.html").read_text()
    assert f"<p>{second.split(' (')[0]}" in page
    assert page.count("<img") == 2, "the attacks, and the network"


def test_what_is_said_of_a_result_that_nobody_attacked(place):
    done = azogue("anonymize", "m.azogue", "new.csv", "-o", "some.csv", cwd=place)
    told = "pseudonymised, not anonymous: each row still belongs to one original row; "
    assert done.stdout == f"some.csv: 60 rows from new.csv\n{told}--audit report.html tells what attackers find\n"


def test_same_seed_same_rows_and_the_model_gives_them_again(place):
    azogue("anonymize", "people.parquet", *ASKED, "-o", "again.csv", cwd=place)
    azogue("anonymize", "m.azogue", "people.csv", "-o", "opened.csv", cwd=place)
    assert (place / "again.csv").read_bytes() == (place / "out.csv").read_bytes()
    assert (place / "opened.csv").read_bytes() == (place / "out.csv").read_bytes()


def test_streams_and_json(place):
    text = (place / "new.csv").read_text()
    done = azogue("anonymize", "m.azogue", "-", "-o", "-", cwd=place, stdin=text)
    assert done.stdout.splitlines()[0] == '"a","sex","b","c","d","e","size","sick"'
    assert len(done.stdout.splitlines()) == 61
    assert "pseudonymised, not anonymous" in done.stderr
    told = json.loads(
        azogue("anonymize", "m.azogue", "new.csv", "--json", "--audit", "j.json", "-o", "o.parquet", cwd=place).stdout
    )
    assert {name: told[name] for name in ("rows", "kind", "method", "sensitive", "utility", "report")} == {
        "rows": 60,
        "kind": "pseudonymised",
        "method": "counterfactual",
        "sensitive": ["sex"],
        "utility": ["sick"],
        "report": "j.json",
    }
    assert told["audit"]["headline"].startswith("pseudonymised; ")
    assert "attribute: sex" in [one["name"] for one in told["audit"]["attacks"]]
    assert json.loads((place / "j.json").read_text())["title"] == "Anonymizer on 60 rows"
    assert len(pd.read_parquet(place / "o.parquet")) == 60
    rows = json.loads(azogue("anonymize", "m.azogue", "new.csv", "--json", cwd=place).stdout)
    assert (len(rows["rows"]), rows["columns"][1], rows["audit"]) == (60, "sex", None)


def test_new_rows_by_name_without_what_is_sensitive_or_unknown(place):
    new = people(60, 1)
    judged = "--method", "adversarial", "--save", "judged.azogue"  # which reads nothing of sensitive columns
    azogue("anonymize", "people.csv", *ASKED, *judged, "-o", "judged.csv", cwd=place)
    azogue("anonymize", "judged.azogue", "new.csv", "-o", "whole.csv", cwd=place)
    new.drop(columns="sex")[["sick", "size", *"edcba"]].assign(id=range(60)).to_csv(place / "less.csv", index=False)
    done = azogue("anonymize", "judged.azogue", "less.csv", "-o", "less-out.csv", "--audit", "l.json", cwd=place)
    assert done.stderr.splitlines() == [
        "azogue: less.csv: has no column sex, so none is released",
        "azogue: less.csv: id: not learned from, left out",
    ]
    whole, less = (pd.read_csv(place / name) for name in ("whole.csv", "less-out.csv"))
    pd.testing.assert_frame_equal(less, whole.drop(columns="sex"))
    attacks = json.loads((place / "l.json").read_text())
    assert "attribute: sex" not in str(attacks)
    assert "sex: these rows came without" in str(attacks)
    azogue("anonymize", "m.azogue", "less.csv", "-o", "drawn.csv", cwd=place)
    assert list(pd.read_csv(place / "drawn.csv")) == list(less)


def test_one_table_teaches_how_to_release_another(place):
    azogue("anonymize", "people.csv", "new.csv", *ASKED, "-o", "both.csv", cwd=place)
    azogue("anonymize", "m.azogue", "new.csv", "-o", "whole.csv", cwd=place)
    assert (place / "both.csv").read_bytes() == (place / "whole.csv").read_bytes()


def test_arrays_name_columns_by_their_number(place):
    asked = ("--sensitive", "1", "--seed", "0")
    told = json.loads(azogue("anonymize", "people.npy", *asked, "-o", "n.npz", "--json", cwd=place).stdout)
    assert (told["sensitive"], told["method"]) == (["0"], "counterfactual")
    made = np.load(place / "n.npz")["X"]
    assert made.shape == (300, 6)
    assert abs(np.corrcoef(made[:, 0], np.load(place / "people.npy")[:, 1])[0, 1]) < 0.15, "column 1 is drawn"


def test_windows_with_a_file_of_labels(place):
    told = [
        json.loads(
            azogue(
                *("anonymize", *args, "-o", out, "--audit", f"{out}.json", "--json", "--sensitive", labels), cwd=place
            ).stdout
        )
        for args, out, labels in (
            (("walks.npy", "--seed", "0", "--save", "w.azogue"), "w.npy", "who.npy"),
            (("w.azogue", "walks.npy"), "v.npy", "who.csv"),
        )
    ]
    assert [one["method"] for one in told] == ["average", "average"]
    assert [one["rows"] for one in told] == [80, 80]
    for one in told:
        assert "attribute: who" in [found["name"] for found in one["audit"]["attacks"]]
    made = np.load(place / "w.npy")
    assert (made == np.load(place / "v.npy")).all()
    assert made.shape == (80, 16, 2)
    titles = [section["title"] for section in json.loads((place / "w.npy.json").read_text())["sections"]]
    assert "Before and after" in titles


def test_two_rows(place):
    azogue("anonymize", "two.csv", "--sensitive", "sex", "-o", "t.csv", cwd=place)
    assert len(pd.read_csv(place / "t.csv")) == 2


def test_a_quantity(place):
    told = azogue("anonymize", "people.csv", "--sensitive", "size", "-o", "q.csv", "--seed", "0", cwd=place)
    assert told.stdout.startswith("q.csv: 300 rows")
    before, after = (pd.read_csv(place / name)["size"] for name in ("people.csv", "q.csv"))
    assert set(after) <= set(before)
    assert abs(before.corr(after)) < 0.2


def test_differential_privacy_is_said_to_cover_the_weights_alone(place):
    pytest.importorskip("opacus")
    told = azogue("anonymize", "people.csv", "--epsilon", "4", "-o", "e.csv", cwd=place).stdout
    epsilon = float(re.search(r"trained with \((\S+), 1e-05\) differential privacy", told)[1])
    assert 3.5 < epsilon <= 4
    assert "the model's weights, not the rows that are released" in told


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("nothing.csv",), "no such file"),
        (("empty.csv",), "is empty"),
        (("head.csv",), "has no rows"),
        (("people.csv", "--sensitive", "sax"), "has no column 'sax' for --sensitive; it has a, sex, b"),
        (("people.csv", "--utility", "sax"), "for --utility"),
        (("same.csv", "--sensitive", "same"), "'same' has the one value"),
        (("people.csv", "--sensitive", "sex", "--utility", "sex"), "--utility sex: is --sensitive too"),
        (("people.csv", "--method", "adversarial"), "give --sensitive"),
        (("people.csv", "--method", "replace", "--sensitive", "sex"), "--replace"),
        (("people.npy", "--sensitive", "7"), "a column's number from 1 to 6, got '7'"),
        (("people.npy", "--sensitive", "a"), "a column's number from 1 to 6, got 'a'"),
        (("walks.npy", "--sensitive", "who"), "--sensitive who: there is no such file"),
        (("walks.npy", "--sensitive", "people.csv"), "has 8 columns; labels are one column"),
        (("people.npy", "people.csv"), "the columns of people.npy have none"),
        (("people.csv", "people.npy"), "the columns of people.csv have names"),
        (("texts.npy",), "texts"),
        (("photos",), "anonymize takes tables"),
        (("two.csv", "--sensitive", "sex", "--audit", "a.html"), "--audit needs 10 rows, got 2"),
        (("people.csv", "--audit", "a.pdf"), "ends in .html, .json or .md"),
        (("people.csv", "--audit", "out.x/a.html"), "does not exist"),
        (("people.csv", "--save", "a.model"), "must end in .azogue"),
        (("m.azogue",), "is a model; name the data behind it"),
        (("m.azogue", "head.csv"), "has no rows"),
        (("m.azogue", "two.csv", "--strength", "2"), "is trained already; leave --strength out"),
        (("m.azogue", "two.csv", "--sensitive", "sex", "--seed", "1"), "leave --sensitive, --seed out"),
        (("m.azogue", "walks.npy"), "walks.npy: has the shape (80, 16, 2), but a table has"),
        (("other.azogue", "people.csv"), "holds an Autoencoder; anonymize takes what azogue anonymize --save wrote"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_one_clear_line(place, args, words):
    done = azogue("anonymize", *args, "-o", "no.npy" if "walks.npy" in args else "no.csv", cwd=place, ok=False)
    assert done.returncode == 1
    assert done.stderr.startswith("azogue: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert not (place / "no.csv").exists()


def test_a_lacking_column_and_usage(place):
    people(20, 1).drop(columns="a").to_csv(place / "lacks.csv", index=False)
    done = azogue("anonymize", "m.azogue", "lacks.csv", "-o", "no.csv", cwd=place, ok=False)
    assert (done.returncode, done.stderr) == (1, "azogue: lacks.csv: lacks the column a\n")
    for args in (("--strength", "-1"), ("--method", "magic")):
        assert azogue("anonymize", "people.csv", *args, cwd=place, ok=False).returncode == 2


def test_the_file_holds_an_anonymizer_that_the_library_opens(place):
    model = az.load(place / "m.azogue")
    assert (model.method_, model.sensitive_, model.utility_) == ("counterfactual", ["sex"], ["sick"])
    made = model.transform(pd.read_csv(place / "people.csv"))
    assert (made["sex"].to_numpy() == pd.read_csv(place / "out.csv")["sex"].to_numpy()).all()


def test_the_report_verb_attacks_too(place):
    azogue("report", "m.azogue", "people.csv", "-o", "verb.json", cwd=place)
    made = json.loads((place / "verb.json").read_text())
    assert made["sections"][0]["text"].startswith("pseudonymised; ")
    assert "attribute: sex" in str(made["sections"][0]["table"])


def test_detect_says_that_it_takes_no_anonymizer(place):
    done = azogue("detect", "m.azogue", "people.csv", cwd=place, ok=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("azogue: m.azogue: holds an Anonymizer; detect takes")
