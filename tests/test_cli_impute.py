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


@pytest.mark.parametrize("args", [("nothing.csv", "-o", "out.csv"), ("holed.csv", "-o", "holed.csv")])
def test_one_clear_line(place, args):
    done = azogue("impute", *args, cwd=place, ok=False)
    assert done.returncode == 1
    assert done.stderr.startswith("azogue: ")
    assert len(done.stderr.strip().splitlines()) == 1
