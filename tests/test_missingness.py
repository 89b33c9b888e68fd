"""Cells hidden on purpose: their share, what it depends on, and the kinds of table that come back."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from azogue.missingness import simulate_missing

MECHANISMS = ("mcar", "mar", "mnar")


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(20_000, 4)) @ (np.eye(4) + 0.4)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "whole": np.arange(300),
            "byte": np.arange(300).astype("uint8"),
            "real": rng.normal(size=300),
            "flag": rng.random(300) > 0.5,
            "text": rng.choice(list("abc"), 300),
            "kind": pd.Categorical(rng.choice(list("xy"), 300)),
            "day": pd.date_range("2020", periods=300),
        },
        index=np.arange(300) + 7,
    )


def told_by(mask, features):
    """How well a mask is told from features: 0.5 is not at all."""
    standard = (features - features.mean(0)) / features.std(0)
    model = LogisticRegression().fit(standard[::2], mask[::2])
    return roc_auc_score(mask[1::2], model.predict_proba(standard[1::2])[:, 1])


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("p", [0.05, 0.3, 0.8])
def test_share(X, mechanism, p):
    holed, mask = simulate_missing(X, mechanism, p, columns=[0, 1], return_mask=True, random_state=0)
    assert np.array_equal(np.isnan(holed), mask)
    assert mask[:, :2].mean(axis=0) == pytest.approx(p, abs=0.015)
    assert not mask[:, 2:].any()
    assert np.array_equal(holed[~mask], X[~mask])
    assert not np.isnan(X).any()


def test_what_it_depends_on(X):
    masks = {m: simulate_missing(X, m, 0.3, columns=[0], return_mask=True, random_state=0)[1][:, 0] for m in MECHANISMS}
    assert told_by(masks["mcar"], X) == pytest.approx(0.5, abs=0.02)
    assert told_by(masks["mar"], X[:, 1:]) > 0.75
    assert told_by(masks["mnar"], X[:, :1]) > 0.75
    rest = LogisticRegression(C=1e6).fit(X, masks["mar"])  # given the columns that are seen, the cell itself is nothing
    assert abs(rest.coef_[0, 0]) < 0.1 < np.abs(rest.coef_[0, 1:]).max()
    assert X[masks["mnar"], 0].mean() > X[:, 0].mean() + 0.3
    flat = simulate_missing(X, "mnar", 0.3, columns=[0], strength=0.0, return_mask=True, random_state=0)[1][:, 0]
    assert told_by(flat, X) == pytest.approx(0.5, abs=0.02)
    assert told_by(masks["mnar"], X[:, :1]) < 0.95  # a chance, no threshold


def test_mar_leaves_half_of_the_columns_whole(X):
    mask = simulate_missing(X, "mar", return_mask=True, random_state=3)[1]
    assert sorted(mask.any(axis=0)) == [False, False, True, True]
    with pytest.raises(ValueError, match="leave at least one out"):
        simulate_missing(X, "mar", columns=range(4))
    with pytest.raises(ValueError, match="second column"):
        simulate_missing(X[:, :1], "mar")


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_every_kind_of_table_keeps_its_kind(frame, mechanism):
    options = {"p": 0.3, "return_mask": True, "random_state": 0}
    holed, mask = simulate_missing(frame, mechanism, **options)
    assert np.array_equal(holed.isna().to_numpy(), mask)
    assert holed.index.equals(frame.index)
    kinds = ["Int64", "UInt8", "float64", "boolean", frame["text"].dtype, frame["kind"].dtype, frame["day"].dtype]
    assert holed.dtypes.tolist() == [pd.api.types.pandas_dtype(kind) for kind in kinds]
    back = holed.where(~mask, frame)
    assert all((back[name].astype(frame[name].dtype) == frame[name]).all() for name in frame)
    polars = pl.from_pandas(frame)
    again, same = simulate_missing(polars, mechanism, **options)
    assert np.array_equal(same, mask)
    assert again.schema == polars.schema
    assert np.array_equal(np.column_stack([column.is_null().to_numpy() for column in again]), mask)
    arrow = pa.Table.from_pandas(frame, preserve_index=False)
    last, same = simulate_missing(arrow, mechanism, **options)
    assert np.array_equal(same, mask)
    assert last.schema == arrow.schema
    assert np.array_equal(np.column_stack([column.is_null().to_numpy() for column in last.columns]), mask)


def test_arrays_of_other_kinds():
    whole = simulate_missing(np.arange(60).reshape(20, 3), p=0.4, random_state=0)
    assert whole.dtype == np.float64
    assert np.isnan(whole).any()
    assert simulate_missing(np.ones((9, 2), np.float32), p=0.4, random_state=0).dtype == np.float32
    words, mask = simulate_missing(np.full((20, 2), "word"), p=0.4, return_mask=True, random_state=0)
    assert [[cell is None for cell in row] for row in words] == mask.tolist()
    days, mask = simulate_missing(np.zeros((20, 2), "datetime64[ns]"), p=0.4, return_mask=True, random_state=0)
    assert np.array_equal(np.isnat(days), mask)
    mixed = np.array([[1, 2.5], [None, np.nan]] * 20, object)
    _, mask = simulate_missing(mixed, "mnar", 0.5, return_mask=True, random_state=0)
    assert not mask[1::2].any()
    assert 5 < mask.sum() < 35
    with pytest.raises(TypeError, match="cannot lack cells"):
        simulate_missing(np.zeros((3, 2), "V4"), p=0.5)


def test_cells_that_are_missing_already_are_not_counted(X):
    holed = simulate_missing(X, p=0.5, random_state=0)
    twice, mask = simulate_missing(holed, "mnar", 0.3, return_mask=True, random_state=1)
    assert not (mask & np.isnan(holed)).any()
    assert mask[~np.isnan(holed)].mean() == pytest.approx(0.3, abs=0.01)
    assert np.array_equal(np.isnan(twice), mask | np.isnan(holed))
    frame = pl.DataFrame({"a": [1.0, None, float("nan")] * 50, "b": [1, 2, 3] * 50})
    _, mask = simulate_missing(frame, "mnar", 0.5, return_mask=True, random_state=0)
    assert not mask[1::3, 0].any()
    assert not mask[2::3, 0].any()
    empty = np.column_stack([np.full(50, np.nan), np.arange(50.0)])
    for mechanism in ("mcar", "mnar"):
        assert not simulate_missing(empty, mechanism, 0.4, return_mask=True, random_state=0)[1][:, 0].any()


def test_the_seed_and_the_column_names(frame):
    one, two, other = (simulate_missing(frame, "mar", random_state=seed) for seed in (0, 0, 1))
    assert one.equals(two)
    assert not one.equals(other)
    named = simulate_missing(frame, "mar", 0.3, columns=["real"], random_state=0)
    assert named.isna().any().tolist() == [name == "real" for name in frame]
    assert simulate_missing(frame, p=0.0).notna().all(axis=None)
    for options, told in (
        ({"mechanism": "random"}, "'mcar', 'mar' or 'mnar'"),
        ({"p": 1.0}, r"p: expected a part in \[0, 1\)"),
        ({"columns": ["height"]}, "there is no 'height'; there are whole, byte"),
        ({"strength": np.nan}, "strength"),
    ):
        with pytest.raises(ValueError, match=told):
            simulate_missing(frame, **options)
    with pytest.raises(TypeError, match="LazyFrame"):
        simulate_missing(pl.LazyFrame({"a": [1]}))
    with pytest.raises(ValueError, match="rows and columns"):
        simulate_missing(np.zeros(3))
