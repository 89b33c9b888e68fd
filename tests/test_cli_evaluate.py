"""`azogue evaluate`: a synthetic table judged on the command line, and bad input refused in one line."""

import json

import numpy as np
import pandas as pd
import pytest

from test_cli import azogue


def rows(n, seed):
    rng = np.random.default_rng(seed)
    sick = rng.random(n) < 0.4
    start = rng.integers(0, 50, n)
    return pd.DataFrame(
        {"start": start, "end": start + rng.integers(1, 9, n), "x": 2 * sick + rng.normal(size=n), "zip": start % 7}
    ).assign(zip=lambda table: "0" + table["zip"].astype(str), sick=np.where(sick, "yes", "no"))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("evaluate")
    train, test, made = (rows(200, seed) for seed in range(3))
    train.to_csv(place / "train.csv", index=False)
    test.to_parquet(place / "test.parquet", index=False)
    made.assign(zip="7").to_csv(place / "made.csv", index=False)  # texts that look like numbers
    made.drop(columns="x").to_csv(place / "lack.csv", index=False)
    for name, part in (("a", train), ("b", test), ("c", made)):
        np.save(place / f"{name}.npy", part[["start", "x"]].to_numpy(float))
    (place / "head.csv").write_text("start,end\n")
    return place


def test_a_table_is_judged_in_words_and_on_a_page(place):
    asked = ("--target", "sick", "--constraint", "start < end", "--report", "r.html")
    done = azogue("evaluate", "train.csv", "test.parquet", "made.csv", *asked, cwd=place)
    assert done.stdout.startswith("synthetic; ")
    for told in (
        "200 synthetic rows beside 200 training and 200 held-out rows",
        "column shapes",
        "tells sick",
        "membership",
    ):
        assert told in done.stdout
    assert "start < end: broken by 0.00% of the synthetic rows" in done.stdout
    assert "zip: 0.000, real rows" in done.stdout
    page = (place / "r.html").read_text()
    assert "How like real rows" in page
    assert "What attackers find" in page


def test_json_and_columns_by_number(place):
    done = azogue("evaluate", "a.npy", "b.npy", "c.npy", "--target", "2", "--json", cwd=place)
    told = json.loads(done.stdout)
    assert told["utility"][0]["name"] == "1"
    assert {one["name"] for one in told["attacks"]} >= {"exact copies", "membership"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("train.csv", "test.parquet", "lack.csv"), "azogue: lack.csv lacks the column 'x'; give all three"),
        (("train.csv", "test.parquet", "none.csv"), "azogue: none.csv: there is no such file"),
        (("train.csv", "test.parquet", "head.csv"), "azogue: head.csv: has no rows"),
        (("train.csv", "test.parquet", "a.npy"), "a.npy: its columns have no names, and those of train.csv have"),
        (
            ("train.csv", "test.parquet", "made.csv", "--target", "no"),
            "--target no: there is no such column",
        ),
        (("a.npy", "b.npy", "c.npy", "--target", "3"), "--target: expected a column's number from 1 to 2, got '3'"),
        (("a.npy", "b.npy", "c.npy", "--constraint", "1 +"), "azogue: --constraint '1 +': it cannot be read"),
        (("a.npy", "b.npy", "c.npy", "--report", "r.txt"), "r.txt: a report ends in .html, .json or .md"),
        (("a.npy", "b.npy", "c.npy", "--report", "c.npy"), "c.npy: is also what is read"),
        (("-", "-", "c.npy"), "-: standard input holds one table"),
        (("none", "b.npy", "c.npy"), "azogue: none: there is no such file"),
        ((".", "b.npy", "c.npy"), "azogue: b.npy: its columns have no names, and those of . have"),
    ],
)
def test_bad_input_is_one_line(place, given, message):
    done = azogue("evaluate", *given, cwd=place, ok=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
