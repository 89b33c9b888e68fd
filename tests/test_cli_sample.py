"""`azogue sample`: rows to files and streams, what is asked of them, models, and one line for what cannot be had."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import azogue as az
from azogue.cli.app import app
from azogue.cli.samples import parsed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("sample")
    rng = np.random.default_rng(0)
    age = rng.integers(18, 80, 120)
    frame = pd.DataFrame(
        {
            "age": age,
            "capital-gain": np.where(age > 50, rng.integers(1, 9, 120) * 100, 0),
            "income": np.where(age > 45, ">50K", "<=50K"),
            "city": np.where(rng.random(120) < 0.2, None, "Jaén"),
        }
    )
    frame.to_csv(place / "people.csv", index=False)
    frame.to_parquet(place / "people.parquet", index=False)
    model = az.Synthesizer(az.Autoencoder((32,), epochs=5), random_state=0).fit(frame)
    model.save(place / "people.azogue")
    az.VariationalAutoencoder(2, epochs=2, random_state=0).fit(frame[["age"]]).save(place / "variational.azogue")
    az.Autoencoder(2, epochs=2, random_state=0).fit(frame[["age"]]).save(place / "plain.azogue")
    return place


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def told(*words):
    result = run("sample", *words)
    assert result.exit_code == 0, result.stderr
    return result


def refused(*words):
    result = run("sample", *words)
    assert result.exit_code == 1, result.output
    assert result.stderr.strip().count("\n") == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("data", ["people.csv", "people.azogue"])
def test_rows_are_drawn_as_asked_for(folder, tmp_path, data):
    output = tmp_path / "drawn.csv"
    result = told(folder / data, "-n", 40, "--where", "income=>50K", "--where", "age>=50", "-o", output, "--seed", 1)
    assert f"{output}: 40 rows" in result.stdout
    drawn = pd.read_csv(output)
    assert list(drawn.columns) == ["age", "capital-gain", "income", "city"]
    assert len(drawn) == 40
    assert (drawn["income"] == ">50K").all()
    assert (drawn["age"] >= 50).all()


def test_parquet_keeps_its_types(folder, tmp_path):
    output = tmp_path / "drawn.parquet"
    told(folder / "people.parquet", "-n", 7, "-o", output, "--seed", 0)
    assert pq.read_table(output).schema.types == pq.read_table(folder / "people.parquet").schema.types


def test_the_same_seed_gives_the_same_file(folder, tmp_path):
    for name in ("one.csv", "two.csv"):
        told(folder / "people.azogue", "-n", 9, "-o", tmp_path / name, "--seed", 5)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_one_json_object(folder):
    found = json.loads(told(folder / "people.azogue", "-n", 3, "--where", "city=", "--json").stdout)
    assert found["kind"] == "synthetic"
    assert len(found["rows"]) == 3
    assert all(row[found["columns"].index("city")] is None for row in found["rows"])
    assert json.loads(told(folder / "people.azogue", "-n", 0, "--json").stdout)["rows"] == []


def test_a_model_is_kept_and_constraints_hold(folder, tmp_path):
    model, output = tmp_path / "kept.azogue", tmp_path / "drawn.csv"
    rule = "`capital-gain` <= age * 1000"
    told(folder / "people.csv", "-n", 5, "--constraint", rule, "--save", model, "-o", output)
    drawn = pd.read_csv(output)
    assert (drawn["capital-gain"] <= drawn["age"] * 1000).all()
    assert az.load(model).constraints == (rule,)
    assert "Synthesizer" in run("info", model).stdout


def test_a_variational_model_draws(folder, tmp_path):
    told(folder / "variational.azogue", "-n", 6, "-o", tmp_path / "drawn.csv")
    assert len(pd.read_csv(tmp_path / "drawn.csv")) == 6


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("people.csv", "--where", "incom=>50K"), "begins with no column; there are age, capital-gain"),
        (("people.csv", "--where", "income"), "expected COLUMN=VALUE"),
        (("people.csv", "--where", "age>="), "nothing stands behind >="),
        (("people.csv", "--where", "age>=200"), "people.csv: where: no row can satisfy 'age': '>=200'"),
        (("people.csv", "--where", "income=50K"), "has no value '50K': it has '<=50K', '>50K'"),
        (("people.csv", "--where", "age=20", "--where", "age>3"), "'age' is given values and bounds"),
        (("people.csv", "--constraint", "age < nowhere"), "there is no column 'nowhere'"),
        (("people.csv", "--constraint", "age < 50"), "rows break it"),
        (("people.azogue", "--constraint", "age > 0"), "is trained already; leave --constraint out"),
        (("people.azogue", "--where", "age>=200"), "no row can satisfy"),
        (("plain.azogue",), "whose code has no prior to draw from"),
        (("variational.azogue", "--where", "age>=20"), "--where is for tables"),
        (("nowhere.csv",), "there is no such file"),
        (("people.csv", "--save", "model.bin"), "must end in .azogue"),
    ],
)
def test_faults_are_one_line(folder, tmp_path, words, line):
    output = tmp_path / "drawn.csv"
    assert line in refused(folder / words[0], *words[1:], "-o", output)
    assert not output.exists()


def test_the_input_is_not_overwritten(folder):
    before = (folder / "people.csv").read_bytes()
    refused(folder / "people.csv", "-o", folder / "people.csv")
    assert (folder / "people.csv").read_bytes() == before


def test_conditions_are_read_by_the_longest_name():
    names = ["a", "a=b", "capital-gain"]
    assert parsed(("a=b=c", "capital-gain>5", "capital-gain<=9"), names) == {"a=b": ["c"], "capital-gain": ">5, <=9"}
    assert parsed(("a!=x",), names) == {"a": "!=x"}
    assert parsed(("a==x", "a = y "), names) == {"a": ["x", "y"]}


def test_drawn_rows_are_judged_beside_rows_held_out(folder):
    page = folder / "judged.json"
    done = run(
        "sample", folder / "people.csv", "-n", 5, "-o", folder / "o.csv", "--evaluate", page, "--target", "income"
    )
    assert done.exit_code == 0, done.stderr
    assert "30 rows of" in done.stderr
    told = page.read_text()
    assert "column shapes" in told
    assert "income" in told
    assert len(pd.read_csv(folder / "o.csv")) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("people.csv", "--target", "income"), "--target income: is for --evaluate FILE"),
        (("people.csv", "--evaluate", "x.pdf"), "x.pdf: a report ends in .html, .json or .md"),
        (("people.csv", "--evaluate", "x.html", "--target", "no"), "--target no: there is no such column"),
        (("people.azogue", "--evaluate", "x.html"), "is trained already; leave --evaluate out"),
    ],
)
def test_what_cannot_be_judged_is_one_line(folder, words, said):
    done = run("sample", folder / words[0], *words[1:])
    assert done.exit_code == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
