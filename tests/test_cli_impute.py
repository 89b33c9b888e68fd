"""`azogue impute`: a table filled, several drawn, and bad input refused in one line."""

import json

import numpy as np
import pandas as pd
import pytest

from test_cli import azogue


@pytest.fixture
def place(tmp_path):
    z = np.random.default_rng(0).normal(size=120)
    table = pd.DataFrame({"a": z, "b": 2 * z + 0.1, "c": np.where(z > 0, "x", "y")})
    table.to_csv(tmp_path / "whole.csv", index=False)
    table.mask(np.random.default_rng(1).random(table.shape) < 0.2).to_csv(tmp_path / "holed.csv", index=False)
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n3\n4,5,6\n")
    (tmp_path / "cut.azogue").write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00{")
    return tmp_path


def test_a_table_is_filled_and_observed_cells_stay(place):
    told = json.loads(azogue("impute", "holed.csv", "-o", "out.csv", "--seed", "0", "--json", cwd=place).stdout)
    before, after = (pd.read_csv(place / name) for name in ("holed.csv", "out.csv"))
    assert not after.isna().any().any()
    assert told["filled"] == int(before.isna().sum().sum())
    for name in before:
        seen = before[name].notna()
        assert after[name][seen].equals(before[name][seen])


def test_several_tables_are_drawn(place):
    azogue("impute", "holed.csv", "-o", "out.csv", "-m", "3", "--seed", "0", cwd=place)
    drawn = [pd.read_csv(path) for path in sorted(place.glob("out-*.csv"))]
    assert len(drawn) == 3
    assert not drawn[0].equals(drawn[1])
    assert not any(table.isna().any().any() for table in drawn)


@pytest.mark.parametrize(
    "args",
    [
        ("nothing.csv", "-o", "out.csv"),
        ("holed.csv", "-o", "holed.csv"),
        ("holed.csv", "-o", "/proc/out.csv"),
        ("ragged.csv", "-o", "out.csv"),
        ("cut.azogue", "holed.csv", "-o", "out.csv"),
    ],
)
def test_one_clear_line(place, args):
    done = azogue("impute", *args, cwd=place, ok=False)
    assert done.returncode == 1
    assert done.stderr.startswith("azogue: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_dates_integers_booleans_blanks_and_new_categories(place):
    rng = np.random.default_rng(0)
    size = rng.normal(5, 2, 150).round(2)
    table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=150).strftime("%Y-%m-%d"), "size": size})
    table = table.assign(count=(4 * size).round().astype(int), ok=rng.choice(["true", "false"], 150))
    table = table.assign(color=np.where(size > 5, "red", "blue")).astype(object).mask(rng.random((150, 5)) < 0.2, "")
    table.iloc[7] = ""
    table.assign(blank="").to_csv(place / "mixed.csv", index=False)
    new = table.iloc[:20].assign(blank="")
    new.loc[3, "color"] = "violet"
    new.to_csv(place / "new.csv", index=False)
    azogue("impute", "mixed.csv", "-o", "out.csv", "--save", "m.azogue", "--seed", "0", cwd=place)
    done = azogue("impute", "m.azogue", "new.csv", "-o", "also.csv", cwd=place)
    assert done.stderr.count("'violet'") == 1, "it is said once"
    for known, made in (("mixed.csv", "out.csv"), ("new.csv", "also.csv")):
        before, after = pd.read_csv(place / known), pd.read_csv(place / made)
        assert after.drop(columns="blank").notna().all().all()
        assert after["blank"].isna().all()
        assert (after["count"].dtype, after["ok"].dtype) == (np.int64, bool)
        assert pd.to_datetime(after["day"]).between("2024-01-01", "2024-05-29").all()
        for name in before:
            seen = before[name].notna()
            assert (after[name][seen] == before[name][seen]).all()


def test_columns_without_a_value_are_told_once(place):
    pd.read_csv(place / "holed.csv").assign(blank="").to_csv(place / "blank.csv", index=False)
    done = azogue("impute", "blank.csv", "-o", "out.csv", "--report", "r.html", "--seed", "0", cwd=place)
    assert [line for line in done.stderr.splitlines() if "empty" in line] == [
        "azogue: blank: no value to learn from; 120 cells stay empty; leave it out, or fill it by hand"
    ]


def test_nearly_all_is_missing(place):
    whole = pd.read_csv(place / "whole.csv")
    whole.mask(np.random.default_rng(2).random(whole.shape) < 0.9).to_csv(place / "few.csv", index=False)
    azogue("impute", "few.csv", "-o", "out.csv", "--report", "r.html", "--seed", "0", cwd=place)
    after = pd.read_csv(place / "out.csv")
    assert after.notna().all().all()
    assert set(after["c"]) <= {"x", "y"}
    assert "cells of 3 columns filled" in (place / "r.html").read_text()
