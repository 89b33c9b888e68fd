"""Groups of quasi-identifiers, and what is left of the data: small tables counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from azogue.privacy import Quasi, column_shapes, fidelity, k_anonymity, l_diversity, pair_trends, t_closeness
from azogue.privacy.likeness import row_correlation

TABLE = {
    "age": [30, 30, 30, 40, 40, 40, 40, None],
    "sex": ["f", "f", "f", "m", "m", "m", "f", "f"],
    "illness": ["flu", "flu", "cold", "flu", "cold", "burn", "flu", "flu"],
}
FRAMES = [pd.DataFrame, pl.DataFrame, pa.table]


@pytest.mark.parametrize("frame", FRAMES)
def test_k_anonymity(frame):
    found = k_anonymity(frame(TABLE), ["age", "sex"], k=3)
    assert (found.k, found.below, found.rows, found.groups) == (1, 2, 8, 4)
    found = k_anonymity(frame(TABLE), "sex")
    assert (found.k, found.below, found.asked) == (3, 3, 5)


def test_missing_values_are_one_group():
    X = np.array([[np.nan, 1.0], [np.nan, 1.0], [2.0, 1.0], [2.0, 1.0]])
    assert k_anonymity(X, [0, 1]).k == 2


@pytest.mark.parametrize("frame", FRAMES)
def test_l_diversity(frame):
    whole = frame({name: values[:7] for name, values in TABLE.items()})
    found = l_diversity(whole, "age", "illness")
    third = -(1 / 3) * math.log(1 / 3) - (2 / 3) * math.log(2 / 3)  # of age 30; of 40: ½, ¼, ¼
    assert found.distinct == 2
    assert found.entropy == pytest.approx(math.exp(third))
    X = np.array([[1, 0], [1, 1], [1, 2], [2, 0], [2, 1], [2, 2]])
    assert l_diversity(X, 0, 1).entropy == pytest.approx(3.0)


def test_t_closeness():
    salaries = np.array([[1, 3], [1, 4], [1, 5], [2, 6], [2, 8], [2, 11], [3, 7], [3, 9], [3, 10]])
    assert t_closeness(salaries, 0, 1) == pytest.approx(0.375)  # Li et al. (2007), of {3, 4, 5} in {3 … 11}
    assert t_closeness(salaries[3:6], 0, 1) == 0.0
    table = pa.table({"place": ["a", "a", "b", "b"], "illness": ["flu", "flu", "flu", "cold"]})
    assert t_closeness(table, "place", "illness") == pytest.approx(0.25)  # (1, 0) and (½, ½) against (¾, ¼)


def test_quasi_says_it_in_words():
    found = Quasi.of(pd.DataFrame(TABLE), ["age", "sex"], ["illness"], k=3)
    assert found.sentences()[0] == "age, sex: the smallest group has 1 rows; 2 of 8 are in groups below 3"
    assert found.to_dict()["sensitive"][0]["l_distinct"] == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda X: k_anonymity(X, "zip"), "no such column; the table has 'age', 'sex', 'illness'"),
        (lambda X: k_anonymity(X, []), "at least one column"),
        (lambda X: l_diversity(X, "age", "zip"), "'zip'"),
        (lambda X: k_anonymity(np.zeros((3, 2)), 2), "no such column; the table has 0, 1"),
        (lambda X: k_anonymity(np.zeros(3), 0), "expected a table"),
    ],
)
def test_columns_that_are_not_there(call, words):
    with pytest.raises(ValueError, match=words):
        call(pd.DataFrame(TABLE))


def test_column_shapes_by_hand():
    a = pd.DataFrame({"x": [1.0, 2, 3, 4] * 3, "c": ["u", "u", "u", "v"] * 3})
    b = pd.DataFrame({"x": [3.0, 4, 5, 6] * 3, "c": ["u", "v", "v", "w"] * 3})
    assert column_shapes(a, a) == 1.0
    assert column_shapes(a, b) == pytest.approx((0.5 + 0.5) / 2)  # KS ½; TV ½ (½ + ¼ + ¼)
    assert column_shapes(a[["x"]].to_numpy(), b[["x"]].to_numpy()) == pytest.approx(0.5)


def test_pair_trends_by_hand():
    x = np.tile([0.0, 1.0], 10)
    c = np.tile(["u", "v"], 10)
    a = pd.DataFrame({"x": x, "y": x, "c": c})
    b = pd.DataFrame({"x": x, "y": 1 - x, "c": c})
    # x, y: 1 − |1 + 1| / 2; x, c: as it was; y, c: no pair in common
    assert pair_trends(a, b) == pytest.approx((0 + 1 + 0) / 3)
    assert pair_trends(a, a) == 1.0
    assert pair_trends(a[["x"]], b[["x"]]) is None


def test_row_correlation_by_hand():
    a = np.array([[0.0, 1, 2, 3], [3, 1, 2, 0], [1, 1, 1, 1]])
    assert row_correlation(a, 5 - 2 * a) == pytest.approx(-1.0)
    assert row_correlation(a, np.zeros_like(a)) == 0.0
    assert row_correlation(a[2:], a[2:]) is None
    two = np.array([[0.0, 5, 1, 7, 2, 6]])  # channels 0 1 2 and 5 7 6
    other = np.array([[0.0, 7, 1, 5, 2, 6]])
    assert row_correlation(two, other, channels=2) == pytest.approx(0.0)  # the mean of 1 and −1


def test_prototypes_are_flagged():
    rng = np.random.default_rng(0)
    label = np.arange(300) % 5
    X = rng.normal(size=(300, 8)) + 2 * rng.normal(size=(5, 8))[label]
    means = np.stack([X[label == at].mean(axis=0) for at in range(5)])[label]
    plain = fidelity(X, X + 0.2 * rng.normal(size=X.shape), groups=label)
    assert not plain.class_means
    assert not plain.flags
    assert plain.correlation > 0.95
    assert plain.within == pytest.approx(1.0, abs=0.1)
    exact = fidelity(X, means, groups=label)
    assert exact.class_means
    assert exact.distinct == pytest.approx(5 / 300)
    assert exact.within == pytest.approx(0.0, abs=1e-9)
    jittered = fidelity(X, means + 0.01 * rng.normal(size=X.shape))
    assert jittered.class_means
    assert jittered.distinct == 1.0
    assert any("few prototypes" in flag for flag in jittered.flags)
    noise = fidelity(X, rng.normal(size=X.shape))
    assert any("correlation" in flag for flag in noise.flags)
    assert not noise.class_means


def test_other_columns_are_refused():
    with pytest.raises(ValueError, match="lacks"):
        column_shapes(pd.DataFrame({"a": range(10)}), pd.DataFrame({"b": range(10)}))
    with pytest.raises(ValueError, match="as many columns"):
        pair_trends(np.zeros((10, 2)), np.zeros((10, 3)))
    with pytest.raises(ValueError, match="expected tables"):
        column_shapes(np.zeros((10, 2, 2)), np.zeros((10, 2, 2)))
