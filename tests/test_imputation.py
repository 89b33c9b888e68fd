"""The imputer: new rows, mixed frames, cells that stay, draws, and what can be told of nothing."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.datasets import load_wine

import azogue as az

RNG = np.random.default_rng(0)


def mixed(n=300):
    """Columns that tell of one another: numbers, whole numbers, texts, booleans, dates."""
    z = np.random.default_rng(1).normal(size=n)
    return pd.DataFrame(
        {
            "a": z + 0.1 * np.random.default_rng(2).normal(size=n),
            "b": -2 * z + 0.1 * np.random.default_rng(3).normal(size=n),
            "whole": np.rint(10 * z).astype("int64"),
            "text": np.where(z > 0, "high", "low").astype(object),
            "flag": z > 0.5,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.rint(20 * z), unit="D"),
        }
    )


@pytest.fixture(scope="module")
def whole():
    return mixed()


@pytest.fixture(scope="module")
def holed(whole):
    hidden = np.random.default_rng(4).random(whole.shape) < 0.2
    return whole.astype({"whole": "Int64", "flag": "boolean"}).mask(hidden)


@pytest.fixture(scope="module")
def imputer(holed):
    return az.Imputer(random_state=0).fit(holed)


def test_cells_are_told_far_better_than_by_mean_and_mode(whole, holed, imputer):
    filled = imputer.transform(holed)
    assert not filled.isna().any().any()
    for name in ("a", "b", "whole"):
        hidden = holed[name].isna().to_numpy()
        truth = whole[name].to_numpy(float)[hidden]
        error = np.mean((filled[name].to_numpy(float)[hidden] - truth) ** 2)
        assert error < 0.2 * np.mean((truth - float(holed[name].mean())) ** 2), name
    hidden = holed["text"].isna().to_numpy()
    assert (filled["text"][hidden] != whole["text"][hidden]).mean() < 0.15


def test_observed_cells_dtypes_and_labels_stay(holed, imputer):
    filled = imputer.transform(holed)
    assert list(filled.columns) == list(holed.columns)
    assert filled.index.equals(holed.index)
    assert dict(filled.dtypes) == dict(holed.dtypes)
    seen = ~holed.isna()
    for name in holed:
        assert filled[name][seen[name]].equals(holed[name][seen[name]])


def test_new_rows_are_filled_without_fitting_again(whole, imputer):
    new = mixed(5).astype({"whole": "Int64", "flag": "boolean"})
    new.loc[0, "a"] = np.nan
    new.loc[1, ["text", "whole", "day"]] = [None, pd.NA, pd.NaT]
    before = imputer.transform(new.iloc[:1])
    filled = imputer.transform(new)
    assert not filled.isna().any().any()
    assert filled["a"][0] == before["a"][0], "a row's value depends on the rows beside it"


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "array"])
def test_other_containers(kind):
    X = load_wine().data[:120, :5].copy()
    X[RNG.random(X.shape) < 0.2] = np.nan
    names = list("abcde")
    given = {
        "polars": lambda: pl.DataFrame(X, schema=names).fill_nan(None),
        "pyarrow": lambda: pa.table({n: pa.array(c, from_pandas=True) for n, c in zip(names, X.T, strict=True)}),
        "array": lambda: X,
    }[kind]()
    filled = az.Imputer(random_state=0).fit_transform(given)
    assert type(filled) is type(given)
    values = np.asarray(filled) if kind == "array" else np.column_stack([np.asarray(filled[name]) for name in names])
    assert np.array_equal(values[~np.isnan(X)], X[~np.isnan(X)])
    assert not np.isnan(values).any()


def test_draws_differ_where_cells_are_missing_and_nowhere_else(holed, imputer):
    tables = imputer.impute(holed, 3)
    assert len(tables) == 3
    hidden = holed["b"].isna()
    assert not np.allclose(tables[0]["b"][hidden], tables[1]["b"][hidden])
    assert tables[0]["b"][~hidden].equals(tables[1]["b"][~hidden])
    again = imputer.impute(holed, 3)
    assert all(one.equals(other) for one, other in zip(tables, again, strict=True))
    with pytest.raises(ValueError, match="m: expected a whole number of tables of at least 1, got 0"):
        imputer.impute(holed, 0)


def test_what_is_told_of_each_cell(holed, imputer):
    told = imputer.distribution(holed)
    assert len(told["row"]) == int(holed.isna().sum().sum())
    numbers = np.isin(told["name"].astype(str), ["a", "b", "whole"])
    assert (told["spread"][numbers] > 0).all()
    texts = told["name"].astype(str) == "text"
    assert ((told["probability"][texts] > 0.3) & (told["probability"][texts] <= 1)).all()
    assert imputer.skill_[0] > 0.8


def test_files_keep_what_was_learned(tmp_path, holed, imputer):
    imputer.save(tmp_path / "i.azogue")
    loaded = az.load(tmp_path / "i.azogue")
    assert loaded.transform(holed).equals(imputer.transform(holed))


def test_numbers_stay_within_what_was_observed(holed):
    filled = az.Imputer(random_state=0).fit_transform(holed)
    for name in ("a", "whole"):
        assert filled[name].min() >= holed[name].min()
        assert filled[name].max() <= holed[name].max()


def test_what_tells_nothing():
    X = pd.DataFrame({"a": RNG.normal(size=50), "empty": np.full(50, np.nan), "one": 3.0})
    X.loc[::3, "a"] = np.nan
    X.loc[1, "one"] = np.nan
    X.loc[2] = np.nan
    with pytest.warns(UserWarning, match="columns without any value stay empty: 'empty'"):
        filled = az.Imputer(random_state=0).fit_transform(X)
    assert filled["empty"].isna().all()
    assert filled["one"].eq(3.0).all()
    assert not filled["a"].isna().any()


def test_nine_tenths_missing_no_cell_missing_and_few_rows():
    X = RNG.normal(size=(100, 4))
    holes = X.copy()
    holes[RNG.random(X.shape) < 0.9] = np.nan
    assert not np.isnan(az.Imputer(random_state=0).fit_transform(holes)).any()
    assert np.array_equal(az.Imputer(random_state=0).fit(X).transform(X), X)
    few = np.array([[1.0, np.nan], [2.0, 3.0]])
    assert not np.isnan(az.Imputer(random_state=0).fit_transform(few)).any()


def test_a_category_that_is_new_stays_as_it_is(imputer):
    new = mixed(2).astype({"whole": "Int64", "flag": "boolean"})
    new.loc[0, "text"] = "unheard of"
    new.loc[0, "a"] = np.nan
    with pytest.warns(UserWarning, match="count as 'other'"):
        filled = imputer.transform(new)
    assert filled["text"][0] == "unheard of"
    assert not np.isnan(filled["a"][0])


def test_observed_cells_drawn_again_are_covered_and_compared(holed, imputer):
    found = imputer.overimpute(holed, cells=20, m=30, random_state=0)
    assert set(found.names) == set(holed.columns)
    assert 0.7 < found.coverage <= 1.0
    at = found.name == "b"
    observed, imputed = found.observed[at].astype(float), found.imputed[at].astype(float)
    rows = found.row[at]
    assert np.allclose(observed, holed["b"].to_numpy(float)[rows])
    assert np.corrcoef(observed, imputed)[0, 1] > 0.9
    assert found.plot("b").get_xlabel() == "observed b"
    with pytest.raises(ValueError, match="confidence: expected a part in"):
        imputer.overimpute(holed, confidence=2)


def test_draws_are_as_far_apart_as_is_told():
    """The network alone gives each table its expectation; what is left unexplained has to be drawn."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=400)
    X = np.column_stack([z, z + rng.normal(size=400), z + rng.normal(size=400)])
    X[:80, 1] = np.nan
    imputer = az.Imputer(random_state=0).fit(X)
    drawn = np.stack([table[:80, 1] for table in imputer.impute(X, 30)])
    told = imputer.distribution(X)["spread"]
    assert 0.75 < drawn.std(axis=0).mean() / told.mean() < 1.4
    assert told.mean() == pytest.approx((1.5) ** 0.5, rel=0.25)  # var of column 1 given the others: 1 + 1/2


def test_range_is_kept_only_when_asked():
    rng = np.random.default_rng(0)
    a = np.linspace(-1, 1, 300)
    X = np.column_stack([a, 2 * a + 0.02 * rng.normal(size=300), -a + 0.02 * rng.normal(size=300)])
    X[np.abs(a) > 0.6, 1] = np.nan
    low, high = np.nanmin(X[:, 1]), np.nanmax(X[:, 1])
    kept, free = (az.Imputer(random_state=0, clipped=clipped).fit_transform(X)[:, 1] for clipped in (True, False))
    assert kept.min() >= low
    assert kept.max() <= high
    assert free.max() > high + 0.01 or free.min() < low - 0.01
