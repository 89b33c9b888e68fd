"""Tables: scalings of numeric columns, and what the model demands of them."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from azogue.heads import Bernoulli, Categorical, Gaussian, Poisson
from azogue.modalities.base import Demand
from azogue.modalities.scaling import Affine, Knots, heavy_tailed, lossless, quantile
from azogue.modalities.table import Table

pd = pytest.importorskip("pandas")

NONE = Demand()
SIGMOID = Demand(activation="sigmoid", reach=(0.0, 1.0))
TANH = Demand(activation="tanh", reach=(-1.0, 1.0))
RELU = Demand(activation="relu", reach=(0.0, math.inf))


@pytest.fixture
def mixed():
    return pd.DataFrame(
        {
            "colour": ["red", None, "blue", "red"],
            "size": [1.5, 2.5, np.nan, 4.0],
            "ok": pd.array([True, False, None, True], dtype="boolean"),
            "nothing": pd.Series([None] * 4, dtype="float64"),
            "count": [3, 3, 3, 3],
            "day": pd.to_datetime(["2020-01-01", "2020-01-03", None, "2020-01-02"]),
            "grade": pd.Categorical(["low", "high", "low", None], categories=["low", "mid", "high"], ordered=True),
        }
    )


@pytest.fixture
def column():
    return np.random.default_rng(3).gamma(4.0, size=(501, 1))


def scaled(X, scaling="auto", demand=NONE):
    schema = Table(scaling).fit(X, demand)
    return schema.pack(X).x.double().numpy()


def test_standard_is_mean_and_population_deviation(column):
    np.testing.assert_allclose(scaled(column, "standard"), (column - column.mean()) / column.std(), rtol=1e-6)


def test_robust_is_median_and_interquartile_range(column):
    q1, q2, q3 = np.quantile(column, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(scaled(column, "robust"), (column - q2) / ((q3 - q1) / 1.349), rtol=1e-6, atol=1e-7)
    spiked = np.where(np.arange(501)[:, None] < 400, 2.0, column)
    np.testing.assert_allclose(scaled(spiked, "robust"), (spiked - 2.0) / spiked.std(), rtol=1e-6)


def test_minmax_and_none(column):
    s = scaled(column, "minmax")
    assert (s.min(), s.max()) == (0.0, 1.0)
    np.testing.assert_array_equal(scaled(column, "none"), column.astype("float32"))


def test_quantile_knots_lie_at_normal_scores():
    u = np.sort(np.random.default_rng(4).lognormal(0, 2, 10_001))
    knots = quantile(u)
    assert isinstance(knots, Knots)
    s = knots.forward(u)
    assert knots.s[knots.u.index(np.median(u))] == 0.0
    assert (np.diff(s) > 0).all()
    middle = np.abs(norm.ppf((np.arange(10_001) + 0.5) / 10_001)) < 2
    assert np.abs(s - norm.ppf((np.arange(10_001) + 0.5) / 10_001))[middle].max() < 0.15
    beyond = knots.forward(np.array([-1e6, u[0], u[-1], 1e9]))
    assert (np.diff(beyond) > 0).all(), "straight on, never flat"
    np.testing.assert_allclose(knots.inverse(beyond), [-1e6, u[0], u[-1], 1e9], rtol=1e-9)
    assert knots.error(u[0], u[-1]) <= (u[-1] - u[0]) * 2.0**-24


def test_atoms_get_one_knot():
    u = np.sort(np.concatenate([np.zeros(9_000), np.random.default_rng(5).lognormal(8, 1, 1000)]))
    knots = quantile(u)
    assert knots.u[0] == 0.0 == knots.s[0]
    assert (np.diff(knots.u) > 0).all()
    assert (np.diff(knots.s) > 0).all()
    assert knots.s[1] > 1.0


RNG = np.random.default_rng(6)
LIGHT = {
    "normal": RNG.normal(size=5000),
    "uniform": RNG.random(5000),
    "bimodal": np.where(RNG.random(5000) < 0.5, RNG.normal(size=5000), RNG.normal(100, 1, 5000)),
    "0/1": RNG.random(5000) < 0.3,
    "rare 0/1": RNG.random(5000) < 0.002,
    "rare 0.0/0.7": (RNG.random(5000) < 0.01) * 0.7123456,
    "few counts": RNG.poisson(0.1, 5000),
    "counts": RNG.poisson(4, 5000),
    "exponential": RNG.exponential(size=5000),
    "pixels": np.where(RNG.random(5000) < 0.95, 0, RNG.integers(0, 256, 5000)),
    "pixels / 255": np.where(RNG.random(5000) < 0.99, 0, RNG.integers(0, 256, 5000)).astype("float32") / 255,
}
HEAVY = {
    "lognormal": RNG.lognormal(size=5000),
    "negative lognormal": -RNG.lognormal(size=5000),
    "Pareto": RNG.pareto(1.5, 5000),
    "Cauchy": RNG.standard_cauchy(5000),
    "capital gain": np.where(RNG.random(5000) < 0.92, 0, np.round(RNG.lognormal(8.5, 1.2, 5000))),
    "far value": np.append(RNG.normal(size=4999), 60.0),
    "one outlier": np.append(RNG.normal(size=4999), 1e6),
}


@pytest.mark.parametrize("name", LIGHT)
def test_auto_standardises_light_tails(name):
    (row,) = Table().fit(LIGHT[name].astype(float)[:, None]).describe()
    assert row["scaling"] == "standard"


@pytest.mark.parametrize("name", HEAVY)
def test_auto_bends_heavy_tails(name):
    x = HEAVY[name][:, None]
    schema = Table().fit(x)
    assert schema.describe()[0]["scaling"] == "quantile"
    assert np.abs(schema.pack(x).x.numpy()).max() < 12


def test_heavy_tails_need_values():
    assert not heavy_tailed(np.array([0.0, 1.0, 1e9]))
    assert not heavy_tailed(np.array([0.0] * 50 + [1.0, 1e3, 1e9]))


def test_lossless_is_near():
    assert lossless(Affine(3.4, 1000.0)) == Affine(3.0, 1024.0)


def test_only_the_finest_integers_change_their_scale():
    coarse, fine = np.arange(1000)[:, None], np.append(np.arange(5000), 2**24 - 1)[:, None]
    assert Table("standard").fit(coarse).columns[0].map.scale == pytest.approx(coarse.std())
    assert math.log2(Table("standard").fit(fine).columns[0].map.scale).is_integer()


# -- what the model demands --------------------------------------------------------------------------------------------


def test_a_bounded_activation_sets_the_range(column):
    for demand in (SIGMOID, RELU, Demand(activation="elu", reach=(-1.0, math.inf))):
        s = scaled(column, "auto", demand)
        assert (s.min(), s.max()) == (0.0, 1.0)
    for scaling in ("auto", "minmax"):
        s = scaled(column, scaling, TANH)
        assert (s.min(), s.max()) == (-1.0, 1.0)
    (head,) = Table().fit(column, TANH).heads
    assert (type(head), head.activation) == (Gaussian, "tanh")


def test_an_unbounded_activation_changes_nothing(column):
    np.testing.assert_array_equal(scaled(column, "auto", Demand(activation="linear")), scaled(column))


def test_contradictions_of_scaling_and_activation(column):
    for scaling in ("standard", "robust"):
        with pytest.raises(
            ValueError, match=r"'sigmoid', whose values lie in \(0.0, 1.0\); use scaling='minmax'.*'linear'"
        ):
            Table(scaling).fit(column, SIGMOID)
    with pytest.raises(ValueError, match=r"column 0 has values from .* outside the range \[0.0, 1.0\].*'sigmoid'"):
        Table("none").fit(column, SIGMOID)
    inside = np.array([[0.0], [0.25], [1.0]])
    np.testing.assert_array_equal(scaled(inside, "none", SIGMOID), inside)


def test_the_activation_is_for_numbers_only(mixed):
    heads = Table().fit(mixed, SIGMOID).heads
    assert [head.activation for head in heads] == ["sigmoid", "auto", "auto", "auto"]


def test_bernoulli_scales_numbers_to_fractions(mixed):
    demand = Demand("bernoulli")
    schema = Table().fit(mixed, demand)
    assert [type(head) for head in schema.heads] == [Bernoulli, Bernoulli, Categorical, Categorical]
    assert schema.describe()[1]["scaling"] == "minmax"
    x = schema.pack(mixed).x
    assert x.min() == 0 and x.max() == 1  # noqa: PT018
    with pytest.raises(ValueError, match=r"'standard' does not go with an objective for values in \[0, 1\]"):
        Table("standard").fit(mixed, demand)
    with pytest.raises(ValueError, match=r"column 'size' has values from 1.5 to 4"):
        Table("none").fit(mixed, demand)


def test_poisson_leaves_counts_alone():
    X = np.array([[0, 3], [7, 1]])
    schema = Table().fit(X, Demand("poisson"))
    assert [type(head) for head in schema.heads] == [Poisson]
    np.testing.assert_array_equal(schema.pack(X).x, X)
    with pytest.raises(ValueError, match=r"column 1 has values from -1 to 1, .*an objective for counts"):
        Table().fit([[1, -1], [0, 1]], Demand("poisson"))
    with pytest.raises(ValueError, match="column 0 has negative values"):
        schema.pack(-X)
    with pytest.raises(ValueError, match="'minmax' does not go with an objective for counts; use scaling='none'"):
        Table("minmax").fit(X, Demand("poisson"))
    with pytest.raises(ValueError, match=r"column 0 .*outside the range"):
        Table().fit(X, Demand("poisson", "sigmoid", (0.0, 1.0)))
    assert Table().fit(X, Demand("poisson", "softplus", (0.0, math.inf))).heads[0].activation == "softplus"


def test_an_unknown_head():
    with pytest.raises(ValueError, match="no 'categorical' head for numeric columns"):
        Table().fit(np.eye(2), Demand("categorical"))
