"""Rubin's rules against numbers worked by hand and published ones."""

import math

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import norm, t

from azogue.pooling import pool

#: Five estimates and variances, worked by hand: mean 10, Ū = 4, B = 2.5, T = 4 + 1.2 · 2.5 = 7.
Q, U = [8.0, 9.0, 10.0, 11.0, 12.0], [3.0, 4.0, 5.0, 4.0, 4.0]


def test_worked_by_hand():
    found = pool(Q, U)
    assert (found.estimate, found.within, found.between, found.variance) == (10.0, 4.0, 2.5, 7.0)
    assert found.std_error == pytest.approx(math.sqrt(7))
    assert found.relative_increase == pytest.approx(0.75)
    dof = 4 * (7 / 3) ** 2  # (m − 1) / λ² with λ = 3/7: 21.777…
    assert found.dof == pytest.approx(dof)
    assert found.missing_information == pytest.approx((0.75 + 2 / (dof + 3)) / 1.75)
    half = t.ppf(0.975, dof) * math.sqrt(7)
    assert (found.low, found.high) == pytest.approx((10 - half, 10 + half))
    assert found.p_value == pytest.approx(2 * t.sf(10 / math.sqrt(7), dof))
    assert isinstance(found.estimate, float)


def test_small_tables_by_barnard_and_rubin():
    found = pool(Q, U, dof_complete=20)
    old, seen = 4 * 49 / 9, 20 * (4 / 7) * 21 / 23
    assert found.dof == pytest.approx(old * seen / (old + seen))
    assert found.dof < min(old, 20)
    assert pool(Q, U, dof_complete=math.inf).dof == pytest.approx(old)
    none = pool([1.0, 1.0], [2.0, 2.0], dof_complete=20)  # nothing missing: ν_c (ν_c + 1) / (ν_c + 3)
    assert none.dof == pytest.approx(20 * 21 / 23)


def test_published_degrees_of_freedom():
    """Five tables and an increase of 10 % give 484 degrees of freedom (manual of SAS's MIANALYZE)."""
    between = 0.1 * 7 / 1.2
    q = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    q *= math.sqrt(between / q.var(ddof=1))
    found = pool(q, np.full(5, 7.0))
    assert found.relative_increase == pytest.approx(0.1)
    assert found.dof == pytest.approx(484)


def test_nothing_missing_is_the_normal_interval():
    found = pool([1.5, 1.5, 1.5], [4.0, 4.0, 4.0], confidence=0.9)
    assert (found.relative_increase, found.missing_information, found.dof) == (0.0, 0.0, math.inf)
    assert (found.low, found.high) == pytest.approx((1.5 - 2 * norm.ppf(0.95), 1.5 + 2 * norm.ppf(0.95)))
    certain = pool([1.0, 3.0], [0.0, 0.0])
    assert (certain.relative_increase, certain.missing_information) == (math.inf, pytest.approx(1.0, abs=1e-9))
    assert certain.dof == 1.0


def test_vectors_are_their_quantities_one_by_one():
    rng = np.random.default_rng(0)
    q, u = rng.normal(size=(7, 3)), rng.random((7, 3))
    found = pool(q, u, dof_complete=30, names=["a", "b", "c"])
    for at in range(3):
        one = pool(q[:, at], u[:, at], dof_complete=30)
        for name, values in one.to_dict().items():
            if name != "name":
                assert found.to_dict()[name][at] == pytest.approx(values[0])
    lines = repr(found).splitlines()
    assert len(lines) == 5
    assert lines[2].startswith("a")
    assert pd.DataFrame(found.to_dict()).shape == (3, 9)


def test_labels_are_kept():
    series = [pd.Series({"age": 1.0, "dose": 2.0}), pd.Series({"age": 2.0, "dose": 4.0})]
    assert pool(series, series).names == ("age", "dose")
    assert pool(pd.DataFrame(series), np.ones((2, 2))).names == ("age", "dose")
    assert pool(pl.DataFrame({"x": [1.0, 2.0]}), np.ones((2, 1))).names == ("x",)
    assert pool(Q, U).names == ("q1",)
    assert pool([[1.0, 2.0], [3.0, 4.0]], np.ones((2, 2))).names == ("q1", "q2")


@pytest.mark.parametrize(
    ("q", "u", "options", "told"),
    [
        ([1.0], [1.0], {}, "got 1 completed table;.*m=20"),
        ([1.0, 2.0], [1.0], {}, r"shape \(2,\) and variances \(1,\)"),
        ([1.0, np.nan], [1.0, 1.0], {}, "estimates of table 1 are not finite"),
        ([1.0, 2.0], [1.0, -1.0], {}, "squared standard errors"),
        ([1.0, 2.0], [1.0, 1.0], {"confidence": 95}, "confidence"),
        ([1.0, 2.0], [1.0, 1.0], {"dof_complete": 0}, "dof_complete"),
        ([1.0, 2.0], [1.0, 1.0], {"names": ["a", "b"]}, "2 names for 1 quantity"),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), {}, "diagonal"),
        ([[1.0, 2.0], [1.0]], [1.0, 2.0], {}, "as many numbers for each table"),
    ],
)
def test_refusals(q, u, options, told):
    with pytest.raises(ValueError, match=told):
        pool(q, u, **options)


def test_intervals_cover():
    """A mean with 40 % of the cells missing at random: proper draws cover in 95 %, one table filled in far less."""
    rng = np.random.default_rng(1)
    pooled, single = [], []
    for _ in range(400):
        y = rng.normal(size=60)
        seen = y[rng.random(60) > 0.4]
        n, missing = len(seen), 60 - len(seen)
        tables = []
        for _ in range(20):
            scale = math.sqrt(seen.var(ddof=1) * (n - 1) / rng.chisquare(n - 1))
            centre = seen.mean() + scale * rng.normal() / math.sqrt(n)
            tables.append(np.r_[seen, centre + scale * rng.normal(size=missing)])
        found = pool([one.mean() for one in tables], [one.var(ddof=1) / 60 for one in tables], dof_complete=59)
        pooled.append(found.low < 0 < found.high)
        half = t.ppf(0.975, 59) * math.sqrt(tables[0].var(ddof=1) / 60)
        single.append(abs(tables[0].mean()) < half)
    assert 0.92 < np.mean(pooled) < 0.98
    assert np.mean(single) < 0.9
