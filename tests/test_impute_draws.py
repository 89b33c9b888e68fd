"""Draws for multiple imputation: that what is not known shows between tables, as much as it must and no more."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.frozen import FrozenEstimator

import azogue as az
from azogue.applications import chains
from azogue.applications.overimputing import overimpute
from azogue.applications.regressing import MOST, Line, classes, scaled

SMALL = {"autoencoder": az.Autoencoder(3, epochs=3, random_state=0), "members": 2, "random_state": 0}


def lines(n, draws, told=False):
    """Regressions of the same rows, and the design that they are told apart by."""
    rng = np.random.default_rng(0)
    given = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], n)
    given = (given - given.mean(0)) / given.std(0)
    guess = (given[:, :1] ** 2).astype(np.float32) if told else None
    truth = 1 + given @ [2.0, -1.0] + (0 if guess is None else 3 * guess[:, 0]) + 0.5 * rng.normal(size=n)
    design = np.column_stack([np.ones(n), *([guess[:, 0]] if told else []), given])
    return [Line.of(truth, given, guess, np.random.default_rng(seed)) for seed in range(draws)], design, truth


@pytest.mark.parametrize("told", [False, True])
def test_coefficients_are_drawn_from_their_posterior(told):
    """Mean of least squares, covariance σ² (AᵀA)⁻¹ · ν / (ν − 2): without a draw the covariance would be 0."""
    drawn, design, truth = lines(60, 4000, told)
    found = np.array([np.r_[line.first, line.others] for line in drawn])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ truth
    left = len(truth) - design.shape[1]
    variance = ((truth - design @ beta) ** 2).sum() / (left - 2)
    assert np.allclose(found.mean(0), beta, atol=0.01)
    assert np.allclose(np.cov(found.T), variance * inverse, rtol=0.12, atol=2e-4)


def test_errors_are_as_wide_as_in_rows_that_take_no_part():
    """30 features of 90 rows leave little of the errors, whose standard deviation has to be 1 all the same."""
    rng = np.random.default_rng(0)
    spreads = []
    for seed in range(40):
        given = rng.normal(size=(90, 30))
        given = (given - given.mean(0)) / given.std(0)
        truth = given @ rng.normal(size=30) + rng.normal(size=90)
        line = Line.of(truth, given, None, np.random.default_rng(seed))
        spreads.append(np.mean(line.errors**2))
    assert np.mean(spreads) == pytest.approx(1, rel=0.15)


@pytest.mark.parametrize("near", [False, True])
def test_drawn_values_vary_as_new_rows_do(near):
    drawn, design, _ = lines(300, 200)
    values = np.array([line.drawn(design[:50, 1:], None, np.random.default_rng(9), near=near) for line in drawn])
    errors = values - (1 + design[:50, 1:] @ [2.0, -1.0])
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(0.5, rel=0.1)


def test_errors_of_near_rows_carry_what_is_not_linear():
    """Given y = x² + w and w, x is one of two roots, which no line tells."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, size=600)
    other = rng.normal(size=600)
    given = np.column_stack([x**2 - 1.3 + other, other])
    line = Line.of(x[:400], given[:400], None, rng)
    square = {near: line.drawn(given[400:], None, rng, near=near) ** 2 for near in (False, True)}
    assert np.corrcoef(square[True], x[400:] ** 2)[0, 1] > 0.8
    assert np.corrcoef(square[False], x[400:] ** 2)[0, 1] < 0.5


def test_few_values_are_drawn_as_they_are():
    rng = np.random.default_rng(0)
    given = rng.normal(size=(200, 2))
    truth = np.rint(given[:, 0] + rng.normal(size=200))
    values = Line.of(truth, given, None, rng).drawn(given, None, rng, near=True)
    assert set(values) <= set(truth)
    assert np.corrcoef(values, given[:, 0])[0, 1] == pytest.approx(np.corrcoef(truth, given[:, 0])[0, 1], abs=0.12)


@pytest.mark.parametrize("kinds", [2, 3])
def test_categories_follow_their_probabilities_and_coefficients_vary(kinds):
    rng = np.random.default_rng(0)
    given = rng.normal(size=(500, 1))
    slopes = np.array([[0.0, 1.0, -1.0][:kinds]])
    p = np.exp(given @ slopes)
    p /= p.sum(1, keepdims=True)
    chosen = (np.cumsum(p, 1) < rng.random((500, 1))).sum(1)
    truth = chosen[:, None].astype(float) if kinds == 2 else np.eye(kinds + 1)[chosen]
    wanted = np.full((4000, 1), 1.0)
    found, parts = [], []
    for seed in range(40):
        values, state = classes(truth, (given, wanted), (None, None), None, np.random.default_rng(seed))
        found.append(state[1][1, 1] - state[1][1, 0])
        parts.append(values[:, 0].mean() if kinds == 2 else values[:, 1].mean())
    usual = np.exp(slopes[0]) / np.exp(slopes[0]).sum()
    assert np.mean(parts) == pytest.approx(usual[1], abs=0.08)
    assert np.mean(found) == pytest.approx(1.0, abs=0.25)
    information = np.linalg.inv((given.T * (p[:, 0] * p[:, 1])) @ given)[0, 0] if kinds == 2 else None
    assert np.std(found) > 0.05
    if information is not None:
        assert np.std(found) == pytest.approx(information**0.5, rel=0.3)


def holed(n=300, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = x + rng.normal(size=n)
    X = np.column_stack([x, y, rng.normal(size=n)])
    whole = X.copy()
    X[rng.random(n) < 0.4, 1] = np.nan
    return X, whole


def test_slopes_are_not_pulled_to_zero_and_differ_between_tables_as_theory_says():
    """y missing at random given x: cases are efficient, so pooled slope and variance are those of the cases."""
    X, _ = holed()
    tables = az.Imputer(**SMALL).fit(X).impute(X, 150)
    slopes = np.array([np.polyfit(table[:, 0], table[:, 1], 1)[0] for table in tables])
    seen = ~np.isnan(X[:, 1])
    x, y = X[seen, 0], X[seen, 1]
    slope, constant = np.polyfit(x, y, 1)
    variance = np.mean((y - slope * x - constant) ** 2) / (len(x) * x.var())
    within = np.mean((y - slope * x - constant) ** 2) / (len(X) * X[:, 0].var())
    assert slopes.mean() == pytest.approx(slope, abs=0.06)
    assert slopes.var() == pytest.approx(variance - within, rel=0.45)


def test_tables_do_not_depend_on_how_many_are_drawn_and_files_keep_them(tmp_path):
    X, _ = holed(120)
    imputer = az.Imputer(**SMALL).fit(X)
    imputer.save(tmp_path / "i.azogue")
    few, more, loaded = imputer.impute(X, 2), imputer.impute(X, 4), az.load(tmp_path / "i.azogue").impute(X, 2)
    assert all(np.array_equal(one, other) for one, other in zip(few, more[:2], strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(few, loaded, strict=True))
    assert not np.array_equal(more[2], more[3])


def test_rows_that_were_fitted_are_drawn_once():
    X, _ = holed(120)
    imputer = az.Imputer(**SMALL).fit(X)
    batch, _ = imputer._packed(np.vstack([X[:50], X[:1], 5 + X[:3]]))
    place = chains._places(imputer.kept_, batch.x.numpy(), batch.mask.numpy())
    assert np.array_equal(place[:50], np.arange(50))
    assert np.array_equal(place[50:], 120 + np.arange(4))


def test_one_new_row_and_a_frozen_autoencoder():
    X, whole = holed(200)
    imputer = az.Imputer(**SMALL).fit(X)
    drawn = np.array([table[0, 1] for table in imputer.impute(np.array([[2.0, np.nan, 0.0]]), 60)])
    assert drawn.mean() == pytest.approx(2, abs=0.6)
    assert drawn.std() == pytest.approx(1, abs=0.35)
    frozen = az.Imputer(FrozenEstimator(az.Autoencoder(3, epochs=2, random_state=0).fit(whole)), random_state=0)
    tables = frozen.fit(X).impute(X, 2)
    assert not np.isnan(tables[0]).any()
    assert not np.array_equal(*tables)


@pytest.mark.filterwarnings("ignore:columns without any value")
def test_odd_columns_are_drawn_too():
    rng = np.random.default_rng(0)
    z = rng.normal(size=120)
    few = np.full(120, np.nan)
    few[:3] = [1.0, 2.0, 4.0]
    X = pd.DataFrame(
        {
            "a": z,
            "same": z,
            "near": 2 * z + 1e-7 * rng.normal(size=120),
            "one": 3.0,
            "few": few,
            "empty": np.nan,
            "whole": pd.array(np.rint(3 * z).astype(int), dtype="Int64"),
            "text": np.where(z > 0, "high", "low").astype(object),
            "flag": pd.array(z > 0.3, dtype="boolean"),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.rint(20 * z), unit="D"),
        }
    )
    given = X.mask(rng.random(X.shape) < 0.2)
    tables = az.Imputer(**SMALL).fit(given).impute(given, 3)
    for table in tables:
        assert table.drop(columns="empty").notna().all().all()
        assert table["empty"].isna().all()
        assert dict(table.dtypes) == dict(given.dtypes)
        assert table["one"].eq(3.0).all()
        assert set(table["few"]) <= {1.0, 2.0, 4.0}
        assert set(table["text"]) == {"high", "low"}
        hidden = given["a"].isna()
        assert np.corrcoef(table["a"][hidden], X["a"][hidden])[0, 1] > 0.9
        assert (table["text"][given["text"].isna()] == X["text"][given["text"].isna()]).mean() > 0.75


def test_more_columns_than_rows():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(40, 2))
    whole = z @ rng.normal(size=(2, 60)) + 0.3 * rng.normal(size=(40, 60))
    X = whole.copy()
    X[rng.random(X.shape) < 0.1] = np.nan
    tables = np.array(az.Imputer(**SMALL).fit(X).impute(X, 3))
    hidden = np.isnan(X)
    usual = np.broadcast_to(np.nanmean(X, axis=0), X.shape)
    ours, theirs = (np.mean((made[hidden] - whole[hidden]) ** 2) for made in (tables.mean(0), usual))
    assert ours < 0.4 * theirs


def test_features_of_a_regression_are_those_that_tell_most():
    rng = np.random.default_rng(0)
    given, wanted = rng.normal(size=(300, 200)), rng.normal(size=(5, 200))
    used, other = scaled(given, wanted, given[:, 190:191] + 0.1 * rng.normal(size=(300, 1)))
    assert used.shape == (300, MOST)
    assert other.shape == (5, MOST)
    assert np.abs(np.corrcoef(given[:, 190], used.T)[0, 1:]).max() == pytest.approx(1)


def test_real_cells_are_covered_as_often_as_is_said():
    table = load_breast_cancer().data[:400, :6]
    found = overimpute(az.Imputer(**SMALL), table, cells=40, m=39, confidence=0.9, random_state=0)
    assert 0.84 < found.coverage < 0.96
