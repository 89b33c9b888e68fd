"""New rows: their schema, what is asked of them, constraints, gaps, odd tables, and what cannot be had."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import azogue as az
from azogue.applications import densities
from azogue.applications.accepting import resampled
from azogue.applications.conditioning import conditions
from azogue.modalities import Coded


def mixed(n=400):
    """Columns that tell of one another, of every kind."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=n)
    day = pd.Timestamp("1950-01-01") + pd.to_timedelta(np.rint(200 * z), unit="D")
    return pd.DataFrame(
        {
            "a": z + 0.1 * rng.normal(size=n),
            "positive": np.maximum(z, 0.0).round(2),
            "whole": np.rint(10 * z).astype("int64"),
            "text": np.where(z > 0, 'say "hi" 😀', "it's, low").astype(object),
            "flag": z > 0.5,
            "day": day,
            "end": day + pd.to_timedelta(rng.integers(0, 50, n), unit="D"),
            "gone": np.full(n, np.nan),
            "same": np.full(n, 7, "int32"),
            "optional": pd.array(np.where(z > 1, None, np.rint(z * 3)), "Int64"),
            "category": pd.Categorical(np.where(z > 0, "x", "y"), categories=["z", "y", "x"]),
        },
        index=[f"row {at}" for at in range(n)],
    )


def small(epochs=25, **settings):
    """A network that trains in a second."""
    return az.Synthesizer(
        az.Autoencoder((64, 64), epochs=epochs, batch_size=32, learning_rate=5e-3, validation_fraction=0.0),
        random_state=0,
        **settings,
    )


@pytest.fixture(scope="module")
def table():
    return mixed()


@pytest.fixture(scope="module")
def model(table):
    return small(60, constraints=["day <= end"]).fit(table)


# -- the schema --------------------------------------------------------------------------------------------------------


def test_rows_have_the_schema_bounds_and_gaps_of_the_table(table, model):
    drawn = model.sample(2000)
    assert drawn.dtypes.equals(table.dtypes)
    assert list(drawn.columns) == list(table.columns)
    for name in ("a", "positive", "whole", "day", "end"):
        assert drawn[name].min() >= table[name].min(), name
        assert drawn[name].max() <= table[name].max(), name
    assert set(drawn["text"]) == set(table["text"])
    assert drawn["gone"].isna().all()
    assert (drawn["same"] == 7).all()
    assert abs(drawn["optional"].isna().mean() - table["optional"].isna().mean()) < 0.05
    assert (drawn["positive"].round(2) == drawn["positive"]).all()
    assert abs((drawn["positive"] == 0).mean() - (table["positive"] == 0).mean()) < 0.1


def test_columns_tell_of_one_another(model):
    drawn = model.sample(2000)
    assert np.corrcoef(drawn["a"], drawn["whole"])[0, 1] > 0.9
    assert ((drawn["text"] == 'say "hi" 😀') == (drawn["category"] == "x")).mean() > 0.95
    assert (
        drawn["optional"].isna()[drawn["a"] < 0].mean() < 0.05 < 0.5 < drawn["optional"].isna()[drawn["a"] > 1.3].mean()
    )


def test_same_seed_same_rows_and_files_hold_all(model, tmp_path):
    first = model.sample(50, random_state=3)
    pd.testing.assert_frame_equal(first, model.sample(50, random_state=3))
    assert not first.equals(model.sample(50, random_state=4))
    model.save(tmp_path / "model.azogue")
    again = az.load(tmp_path / "model.azogue")
    pd.testing.assert_frame_equal(first, again.sample(50, random_state=3))
    assert again.constraints == ["day <= end"]


@pytest.mark.parametrize("container", ["polars", "pyarrow", "numpy"])
def test_other_containers(table, container):
    plain = table[["a", "whole", "day"]].reset_index(drop=True)
    X = {"polars": pl.from_pandas(plain), "pyarrow": pa.Table.from_pandas(plain), "numpy": plain[["a"]].to_numpy()}[
        container
    ]
    drawn = small(2).fit(X).sample(7)
    assert type(drawn) is type(X)
    assert drawn.shape == (7, X.shape[1])
    if container != "numpy":
        assert drawn.schema == X.schema if container == "polars" else drawn.schema.types == X.schema.types


def test_nothing_is_asked_for(table, model):
    assert model.sample(0).shape == (0, table.shape[1])
    assert model.sample(0).dtypes.equals(table.dtypes)
    assert len(model.sample(np.int64(3))) == 3
    for n in (-1, 1.5, True):
        with pytest.raises(ValueError, match="n must be a whole number"):
            model.sample(n)


# -- conditions --------------------------------------------------------------------------------------------------------

CONDITIONS = {
    "value": ({"text": "it's, low"}, lambda x: x["text"] == "it's, low"),
    "list": ({"whole": [1, 2, 5]}, lambda x: x["whole"].isin([1, 2, 5])),
    "pair": ({"whole": (-2, 4)}, lambda x: x["whole"].between(-2, 4)),
    "slice": ({"whole": slice(-2, 4)}, lambda x: x["whole"].between(-2, 3)),
    "open": ({"a": (0.25, None)}, lambda x: x["a"] >= 0.25),
    "bounds": ({"a": "> -0.123, <= 0.4"}, lambda x: (x["a"] > -0.123) & (x["a"] <= 0.4)),
    "fraction of a whole number": ({"whole": ">2.5"}, lambda x: x["whole"] >= 3),
    "decimals": ({"positive": (0.111, 0.2)}, lambda x: x["positive"].between(0.12, 0.2)),
    "not": ({"category": "!=x"}, lambda x: x["category"] == "y"),
    "missing": ({"optional": None}, lambda x: x["optional"].isna()),
    "missing or one": ({"optional": [None, 2]}, lambda x: x["optional"].isna() | (x["optional"] == 2)),
    "date": ({"day": ">=1950-06-01"}, lambda x: x["day"] >= pd.Timestamp("1950-06-01")),
    "date before": ({"day": ("1949-01-01", pd.Timestamp("1949-12-31"))}, lambda x: x["day"].dt.year == 1949),
    "boolean": ({"flag": True}, lambda x: x["flag"]),
    "value between codes": ({"a": [0.123456789]}, lambda x: x["a"] == 0.123456789),
    "several": (
        {"whole": ">=3", "flag": False, "optional": [1, 2, None]},
        lambda x: (x["whole"] >= 3) & ~x["flag"] & (x["optional"].isna() | x["optional"].isin([1, 2])),
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_row_is_as_asked_for(model, name):
    where, holds = CONDITIONS[name]
    drawn = model.sample(300, where=where)
    assert len(drawn) == 300
    assert holds(drawn).all()
    assert (drawn["day"] <= drawn["end"]).all()


def test_other_columns_follow_the_condition():
    """Two columns of two values with known probabilities, conditions on both and on a third."""
    rng = np.random.default_rng(0)
    n = 6000
    a = rng.random(n) < 0.5
    b = rng.random(n) < np.where(a, 0.9, 0.2)
    c = rng.random(n) < np.where(a & b, 0.8, 0.1)
    X = pd.DataFrame({"a": a, "b": b, "c": c})
    model = small(20).fit(X)
    for where, rows in ({"b": True}, b), ({"c": True, "b": [True, False]}, c):
        drawn = model.sample(6000, where=where)
        assert abs(drawn["a"].mean() - a[rows].mean()) < 0.04
    drawn = model.sample(6000)
    assert abs((drawn["a"] & drawn["b"]).mean() - 0.45) < 0.03


def test_pilots_weigh_two_conditions():
    """p(a, b | a in A, b in B) is not p(a | A) p(b | a, B): the rare a would come too often."""
    rng = np.random.default_rng(0)
    n = 6000
    a = rng.choice(3, n)
    b = np.where(a == 0, rng.random(n) < 0.9, rng.random(n) < 0.1).astype(int)
    X = pd.DataFrame({"a": a.astype(str), "b": b.astype(str)})
    drawn = small(20).fit(X).sample(4000, where={"a": ["0", "1"], "b": "1"})
    wanted = (a[(a < 2) & (b == 1)] == 0).mean()
    assert abs((drawn["a"] == "0").mean() - wanted) < 0.04
    assert wanted > 0.85


def test_resampling_is_in_proportion():
    places = resampled(np.log([0.5, 0.25, 0.25, 1e-300]), 4000, np.random.default_rng(0))
    assert np.bincount(places, minlength=4).tolist() == [2000, 1000, 1000, 0]


REFUSED = [
    ({"nowhere": 1}, "no column 'nowhere'; there are 'a', 'positive'"),
    ({"text": "zzz"}, "'text' has no value 'zzz': it has"),
    ({"whole": ">=999"}, "no row can satisfy 'whole': '>=999': it was seen from"),
    ({"whole": 2.5}, "no row can satisfy 'whole': 2.5"),
    ({"a": None}, "no row can satisfy 'a': None.*lacked none"),
    ({"gone": 1}, "'gone' held no value"),
    ({"text": ">b"}, "no order"),
    ({"text": ("a", "b")}, "no range"),
    ({"whole": (5, 2)}, "begins at 5"),
    ({"whole": "many"}, "needs a number, got 'many'"),
    ({"day": "yesterday"}, "needs a date"),
    ({"flag": "perhaps"}, "true or false"),
    ({"whole": (1, 2, 3)}, "a list for values"),
    ({"text": 'say "hi" 😀', "category": "y", "flag": True, "whole": "<-5", "a": ">1"}, None),
]


@pytest.mark.parametrize(("where", "words"), REFUSED[:-1])
def test_conditions_that_cannot_be_had_are_named(model, where, words):
    with pytest.raises(ValueError, match=words) as error:
        model.sample(5, where=where)
    assert "\n" not in str(error.value)


def test_a_condition_that_never_occurred_together_is_still_satisfied(model):
    where = REFUSED[-1][0]
    drawn = model.sample(20, where=where)
    assert (drawn["whole"] < -5).all()
    assert (drawn["a"] > 1).all()


def test_where_must_be_a_mapping(model):
    with pytest.raises(TypeError, match="mapping of column to condition"):
        model.sample(5, where="whole>=5")


# -- constraints -------------------------------------------------------------------------------------------------------


def orders(n=500):
    rng = np.random.default_rng(0)
    price, count = rng.integers(1, 9, n), rng.integers(1, 6, n)
    return pd.DataFrame({"unit price": price, "count": count, "total": price * count, "paid": price * count // 2})


def test_constraints_hold_in_every_row():
    X = orders()
    given = ["total == `unit price` * count", "0 <= paid < total", "total - paid >= 1"]
    drawn = small(10, constraints=given).fit(X).sample(2000)
    assert (drawn["total"] == drawn["unit price"] * drawn["count"]).all()
    assert (drawn["paid"] < drawn["total"]).all()
    unruly = small(10).fit(X).sample(2000)
    assert (unruly["total"] != unruly["unit price"] * unruly["count"]).any(), "the constraint was no use"


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        ("total < count", "rows break it"),
        ("total <", "cannot be read"),
        ("total", "compares nothing"),
        ("1 < 2", "names no column"),
        ("nowhere < 2", "no column 'nowhere'"),
        ("total < count ** 2", "neither a column"),
        ("total < __import__('os')", "no column '__import__'"),
        ("total < (count).real", "neither a column"),
        ("total < 'soon'", "no date"),
        ("total in count", "compares in a way"),
    ],
)
def test_wrong_constraints_are_named(constraint, words):
    with pytest.raises(ValueError, match=words) as error:
        small(1, constraints=[constraint]).fit(orders(50))
    assert "constraint" in str(error.value)


def test_contradicting_constraints_are_refused_with_the_rows_that_break_them():
    with pytest.raises(ValueError, match="constraint 'paid > total': 50 of the 50 rows break it"):
        small(1, constraints=["paid <= total", "paid > total"]).fit(orders(50))


def test_a_condition_against_a_constraint_ends_with_one_line(model):
    with pytest.raises(ValueError, match="constraint 'day <= end'.*no row") as error:
        model.sample(10, where={"day": ">=1950-12-01", "end": "<1950-06-01"})
    assert "\n" not in str(error.value)


def test_texts_have_no_constraints(table):
    with pytest.raises(ValueError, match="no numbers or dates"):
        small(1, constraints=["text < whole"]).fit(table)
    with pytest.raises(TypeError, match="expected texts"):
        small(1, constraints=[3]).fit(table)


# -- rows with holes, and what else the model is good for --------------------------------------------------------------


def test_tilting_brings_back_the_frequencies_of_the_table():
    from azogue.autoregression import draw

    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.choice(list("wxyz"), 2000, p=[0.7, 0.2, 0.08, 0.02]), "b": rng.normal(size=2000)})
    model = small(1).fit(X)  # hardly trained
    schema, network = model.autoencoder_.schema_, model.autoencoder_.network_
    wanted = np.bincount(schema.codes(X)[:, 0]) / 2000
    drawn = model.sample(40_000)["a"].value_counts(normalize=True).reindex(list("wxyz")).to_numpy()
    untilted, _ = draw(network, schema, np.full((40_000, 2), -1), np.random.default_rng(0))
    plain = np.bincount(untilted[:, 0], minlength=4) / 40_000
    assert np.abs(drawn - wanted).sum() < 0.05
    assert np.abs(plain - wanted).sum() > 2 * np.abs(drawn - wanted).sum()


def test_holes_are_drawn_and_the_rest_stays(table, model):
    holed = table.copy()
    holed.loc[holed.index[:100], "a"] = np.nan
    holed.loc[holed.index[50:150], "text"] = None
    full = model.complete(holed)
    assert full.dtypes.equals(holed.dtypes)
    assert full.index.equals(holed.index)
    assert not full[["a", "text", "optional"]].isna().any().any()
    seen = holed.notna()
    for name in table:
        assert full[name][seen[name]].equals(holed[name][seen[name]]), name
    assert np.corrcoef(full["a"][:100], table["a"][:100])[0, 1] > 0.9
    assert (full["text"][50:150] == table["text"][50:150]).mean() > 0.9
    assert not model.complete(holed, random_state=5)["a"].equals(full["a"])
    holed.loc[holed.index[200], "text"] = "a stranger"
    with pytest.warns(UserWarning, match="a stranger"), pytest.raises(ValueError, match="complete: 'text'"):
        model.complete(holed)


def test_rows_have_codes_and_probabilities(table, model):
    assert model.encode(table).shape == (400, 64)
    odd = table.copy()
    odd["whole"] = odd["whole"].to_numpy()[::-1]
    assert (model.score_samples(table) > model.score_samples(odd)).mean() > 0.8
    some = model.score_samples(table.iloc[7:9])
    assert some.tolist() == model.score_samples(table)[7:9].tolist(), "a row's score depends on the rows beside it"


def test_probabilities_add_up_to_one():
    X = pd.DataFrame({"a": ["x", "y", "x"] * 20, "b": [True, False, True] * 20})
    model = small(3).fit(X)
    every = pd.DataFrame({"a": ["x", "x", "y", "y"], "b": [True, False, True, False]})
    rng = np.random.default_rng(0)
    order = [rng.permutation(2).tolist()]
    schema, network = model.autoencoder_.schema_, model.autoencoder_.network_
    from azogue.autoregression import log_likelihood

    told = log_likelihood(network, schema, schema.codes(every), order)
    assert np.exp(told).sum() == pytest.approx(1.0, abs=1e-5)
    other = log_likelihood(network, schema, schema.codes(every), [order[0][::-1]])
    both = log_likelihood(network, schema, schema.codes(every), [order[0], order[0][::-1]])
    np.testing.assert_allclose(both, (told + other) / 2, rtol=1e-6)


def test_the_short_way_through_the_network_gives_what_the_long_way_does(table, model):
    import torch

    from azogue.autoregression import Teller

    schema, network = model.autoencoder_.schema_, model.autoencoder_.network_
    codes = torch.from_numpy(schema.codes(table)[:20])
    teller = Teller(network, schema)
    teller.clear(20)
    assert teller.first is not None
    assert teller.last is not None
    some = np.arange(0, 20, 2)
    half = np.full(codes.shape, -1)
    for at, rows in (0, slice(0, 20)), (2, some), (5, some):
        teller.tell(at, codes[rows, at], rows)
        half[rows, at] = codes[rows, at]
    x, _ = schema.packed(half)
    with torch.no_grad():
        raw = network.passed(torch.from_numpy(x))[3]
        hidden = teller.hidden()
    for head in network.heads:
        own = slice(head.start, head.start + schema.books[head.columns[0]].size)
        assert torch.allclose(teller.logits(hidden, head.columns[0]), raw[:, own], atol=1e-4)


def test_the_number_of_threads_changes_no_row(model):
    import torch

    from azogue.autoregression import BLOCK, draw

    schema, network = model.autoencoder_.schema_, model.autoencoder_.network_
    codes = np.full((3 * BLOCK + 10, schema.n_columns), -1)
    codes[5, 0] = 1
    before, found = torch.get_num_threads(), []
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            found.append(draw(network, schema, codes, np.random.default_rng(4))[0])
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)
    assert (found[0][:, schema.coded] >= 0).all()
    assert found[0][5, 0] == 1
    assert not np.array_equal(found[0][:BLOCK], found[0][BLOCK : 2 * BLOCK]), "blocks share their random numbers"


def test_of_rows_without_a_known_cell_one_is_computed(model):
    import torch

    from azogue.autoregression import Teller

    schema, network = model.autoencoder_.schema_, model.autoencoder_.network_
    teller = Teller(network, schema)
    teller.clear(5)
    with torch.no_grad():
        hidden = teller.hidden()
        raw = network.passed(torch.zeros(1, schema.width))[3]
    assert hidden.shape[0] == 5
    assert torch.allclose(teller.logits(hidden, 0), raw[:, : schema.books[0].size].expand(5, -1), atol=1e-4)


@pytest.mark.parametrize("method", ["variational", "adversarial"])
def test_other_methods(method):
    X = mixed(200)[["a", "whole", "text", "flag"]]
    model = az.Synthesizer(method=method, random_state=0).fit(X)
    drawn = model.sample(500, where={"text": "it's, low"})
    assert (drawn["text"] == "it's, low").all()
    assert model.score_samples(X).shape == (200,)
    assert np.corrcoef(*model.sample(500)[["a", "whole"]].to_numpy(float).T)[0, 1] > 0.3
    with pytest.raises(TypeError, match="masked"):
        model.complete(X)


def test_a_fitted_network_is_used_as_it_is(table):
    from sklearn.frozen import FrozenEstimator

    X = table[["a", "whole", "text"]]
    held = small(2).fit(X).autoencoder_
    model = az.Synthesizer(FrozenEstimator(held), random_state=0).fit(X)
    assert model.autoencoder_ is held
    assert model.sample(3).shape == (3, 3)
    plain = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="modality=modalities.Coded"):
        az.Synthesizer(FrozenEstimator(plain)).fit(X)


def test_pictures_and_what_they_lie_between():
    from sklearn.datasets import load_digits

    pictures = load_digits().images[:200].astype(np.uint8)
    network = az.VariationalAutoencoder((64, 8), epochs=2)
    model = az.Synthesizer(network, random_state=0).fit(pictures)
    assert model.sample(3).shape == (3, 8, 8)
    assert model.interpolate(pictures[:1], pictures[1:2], 4).shape == (4, 8, 8)
    with pytest.raises(ValueError, match="columns of a table"):
        model.sample(3, where={"a": 1})
    with pytest.raises(ValueError, match="no prior"):
        az.Synthesizer(az.Autoencoder(4, epochs=1)).fit(pictures)
    with pytest.raises(ValueError, match="for tables"):
        az.Synthesizer(method="masked").fit(pictures)


def test_codes_of_pictures_are_drawn_from_a_mixture():
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    pictures, digits = load_digits().images.astype(np.uint8), load_digits().target
    network = az.VariationalAutoencoder((64, 8), epochs=30, batch_size=32, learning_rate=3e-3, modality="image")
    model = az.Synthesizer(network, components=20, random_state=0).fit(pictures)
    assert model.mixture_["means"].shape == (20, 8)
    judge = LogisticRegression(C=0.1, max_iter=500).fit(pictures.reshape(-1, 64), digits)
    inner = model.autoencoder_
    drawn, parts = model.sample(1000), (inner.reconstruct(pictures), inner.sample(10_000), model.sample(10_000))
    told = [judge.predict_proba(part.reshape(-1, 64)) for part in parts]
    assert told[2].max(1).mean() > told[1].max(1).mean() + 0.05
    real, prior, mixed = (np.bincount(part.argmax(1), minlength=10) / len(part) for part in told)
    assert np.abs(mixed - real).sum() < 0.5 * np.abs(prior - real).sum()
    assert not (drawn.reshape(1000, 1, 64) == pictures.reshape(1, -1, 64)).all(2).any()
    assert model.sample(0).shape == (0, 8, 8)
    assert np.array_equal(model.sample(4, random_state=5), model.sample(4, random_state=5))


def test_a_mixture_is_saved_and_may_be_left_out(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 255, (40, 8, 8)).astype(np.uint8)
    network = az.VariationalAutoencoder(2, epochs=1)
    model = az.Synthesizer(network, random_state=0).fit(pictures)
    model.save(tmp_path / "model.azogue")
    assert np.array_equal(az.load(tmp_path / "model.azogue").sample(3), model.sample(3))
    plain = az.Synthesizer(network, components=0, random_state=0).fit(pictures)
    assert plain.mixture_ == {}
    assert np.array_equal(plain.sample(3), plain.autoencoder_.sample(3))


def test_mixtures_of_codes():
    rng = np.random.default_rng(0)
    codes = np.concatenate([rng.normal(size=(600, 2)) @ [[1, 0.8], [0, 0.6]], rng.normal((8, 0), size=(200, 2))])
    mixture = densities.fitted(codes.astype(np.float32), 2, 0)
    assert sorted(mixture["weights"].round(2)) == [0.25, 0.75]
    drawn = densities.drawn(mixture, 20_000, np.random.default_rng(1))
    assert np.allclose(drawn.mean(0), codes.mean(0), atol=0.1)
    assert np.allclose(np.cov(drawn.T), np.cov(codes.T), rtol=0.05, atol=0.1)
    from scipy.stats import multivariate_normal

    each = [
        weight * multivariate_normal(mean, factor @ factor.T).pdf(codes[:9])
        for weight, mean, factor in zip(*(mixture[name] for name in ("weights", "means", "factors")), strict=True)
    ]
    assert np.allclose(densities.log_density(mixture, codes[:9]), np.log(np.sum(each, 0)))


def test_privacy_is_a_parameter(table):
    pytest.importorskip("opacus")
    model = small(2, privacy=az.Privacy(8.0)).fit(table[["a", "whole", "text"]])
    assert model.guarantee_.epsilon <= 8.0
    assert model.sample(5).shape == (5, 3)


def test_wrong_parameters():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0]})
    with pytest.raises(ValueError, match="method: expected one of"):
        az.Synthesizer(method="magic").fit(X)
    with pytest.raises(ValueError, match="bins must be"):
        az.Synthesizer(bins=1).fit(X)


# -- odd tables --------------------------------------------------------------------------------------------------------


def test_fifty_rows_and_one_column():
    X = pd.DataFrame({"only": np.random.default_rng(0).normal(size=50)})
    drawn = small(5).fit(X).sample(500)
    assert drawn["only"].between(X["only"].min(), X["only"].max()).all()
    assert abs(drawn["only"].mean() - X["only"].mean()) < 0.3


def test_ten_thousand_categories():
    rng = np.random.default_rng(0)
    names = np.array([f"name {at}" for at in range(9_990)])
    common = rng.random(12_000) < 0.3
    X = pd.DataFrame({"name": np.where(common, "common", np.resize(names, 12_000)), "common": common})
    model = az.Synthesizer(az.Autoencoder((32,), epochs=2), random_state=0).fit(X)
    assert model.autoencoder_.schema_.width < 110
    drawn = model.sample(3000)
    assert set(drawn["name"]) <= set(X["name"])
    assert drawn["name"].nunique() > 1000
    one = model.sample(20, where={"name": "name 77"})
    assert (one["name"] == "name 77").all()


def test_all_missing_and_constant_columns_alone():
    with pytest.raises(ValueError, match="every cell of X .* is missing"):
        small(1).fit(pd.DataFrame({"a": [np.nan] * 5, "b": [None] * 5}))
    drawn = small(1).fit(pd.DataFrame({"same": ["x"] * 5, "gone": [np.nan] * 5})).sample(4)
    assert (drawn["same"] == "x").all()
    assert drawn["gone"].isna().all()


def test_large_whole_numbers_and_old_dates_come_back_exactly():
    X = pd.DataFrame(
        {
            "id": np.array([2**62 + at for at in range(30)], dtype="int64"),
            "day": pd.to_datetime(["1850-03-01", "1900-02-28", "1969-12-31"] * 10),
        }
    )
    drawn = small(2).fit(X).sample(200)
    assert set(drawn["id"]) <= set(X["id"])
    assert set(drawn["day"]) <= set(X["day"])


def test_conditions_know_the_units_of_a_column():
    schema = Coded().fit(mixed(50))
    (one,) = conditions({"whole": [5, 1, 1]}, schema)
    assert one.spans == ((1.0, 1.0), (5.0, 5.0))
    (one,) = conditions({"whole": "!=3"}, schema)
    assert one.spans == ((-np.inf, 2.0), (4.0, np.inf))
