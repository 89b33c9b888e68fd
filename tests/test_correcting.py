"""What networks leave out of a column: distances between rows with holes, the ridge, averages of rows alike."""

import numpy as np
import pytest
import torch

import azogue as az
from azogue.applications.correcting import COUNTED, Alike, Correction, Told, learned
from azogue.applications.filling import scatter, slots_of, spelled
from azogue.populations import reflected, without


def rows(n: int, p: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, and which of them were observed."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)).astype(np.float32), rng.random((n, p)) < 0.7


@pytest.mark.parametrize("counted", [0.03, 0.5, 1.0])
def test_distances_are_weighted_as_the_formula_says(counted):
    x, seen = rows(7, 5)
    y, there = rows(3, 5, seed=1)
    seen, there = seen[:, :4], there[:, :4]  # the fifth is an expectation
    v = np.hstack([np.where(there, 1.0, counted), np.full((3, 1), counted)])
    w = np.hstack([np.where(seen, 1.0, counted), np.full((7, 1), counted)])
    both = v[:, None] * w[None]
    expected = 5 * (both * np.square(y[:, None] - x[None])).sum(2) / both.sum(2)
    found = Alike(x, seen, counted).apart(y, there).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def told_of(x: np.ndarray, expected: np.ndarray) -> Told:
    return Told(np.hstack([x, expected]), np.ones((len(x), x.shape[1] + 1), bool), expected)


def test_an_expectation_that_tells_nothing_is_taken_back():
    rng = np.random.default_rng(0)
    x, truth, noise = (rng.normal(size=(600, k)).astype(np.float32) for k in (3, 1, 1))
    expected = 0.6 * noise  # of one network, without any part of the truth
    made = learned(told_of(x, expected), truth - expected, np.arange(3), rng)
    left = truth - expected - made.means(told_of(x, expected))
    assert np.mean(left**2) == pytest.approx(np.mean(truth**2), rel=0.02)
    assert np.mean((truth - expected) ** 2) > 1.3 * np.mean(truth**2)


def test_scatter_that_the_mean_is_spared_keeps_the_expectation():
    """One network's expectation is the truth and scatter: alone it is best halved, the mean of many is best kept."""
    rng = np.random.default_rng(1)
    x, truth, scatter = (rng.normal(size=(2000, k)).astype(np.float32) for k in (2, 1, 1))
    expected = truth + scatter
    alone = learned(told_of(x, expected), truth - expected, np.arange(2), rng)
    spared = learned(told_of(x, expected), truth - expected, np.arange(2), rng, scatter=1.0 / 0.75)
    kept = [1 + float(made.linear[-2, 0] / made.scale[-1]) for made in (alone, spared)]
    assert kept[0] == pytest.approx(0.5, abs=0.05)
    assert kept[1] == 1.0


def test_noise_is_not_corrected():
    """Errors that nothing explains: what is added to other rows stays far below them, whatever chance offers."""
    rng = np.random.default_rng(2)
    x, errors, other = (rng.normal(size=(300, k)).astype(np.float32) for k in (4, 1, 4))
    nothing = np.zeros((300, 1), np.float32)
    made = learned(told_of(x, nothing), errors, np.arange(4), rng)
    assert np.mean(np.square(made.means(told_of(other, nothing)))) < 0.1 * errors.var()


def twins() -> tuple[Told, np.ndarray, Told, np.ndarray]:
    """Rows in pairs that are equal, errors and all; what was not observed of a row is filled with anything."""
    rng = np.random.default_rng(3)
    whole = np.repeat(rng.normal(size=(300, 6)), 2, axis=0)
    errors = np.repeat(rng.normal(size=(300, 1)), 2, axis=0).astype(np.float32)
    seen = rng.random(whole.shape) < 0.7
    filled = np.where(seen, whole, rng.normal(size=whole.shape)).astype(np.float32)
    told = Told(filled, seen, np.zeros((600, 1), np.float32))
    half = np.arange(600) % 2 == 0
    return told.take(half), errors[half], told.take(~half), errors[~half]


def test_rows_alike_where_both_were_observed_are_found():
    """A pair is apart as filled, and level where both were observed."""
    told, errors, asked, truth = twins()
    both = Told(*(np.concatenate(pair) for pair in zip(told, asked, strict=True)))
    made = learned(both, np.concatenate([errors, truth]), np.arange(6), np.random.default_rng(0))
    assert made.widths[0] > 0
    assert COUNTED[0] < 1 == COUNTED[1]
    found = made.means(asked)
    assert np.mean(made.left**2) < 0.7 * np.mean(truth**2)  # 0.61; 0.91 where all cells count alike
    np.testing.assert_allclose(made.means(asked, rough=True), made.read(asked) @ made.linear[:-1] + made.linear[-1])
    assert np.abs(found - made.means(asked, rough=True)).max() > 0.5


def test_a_row_takes_no_part_in_what_is_left_of_it():
    """Without pairs there is nothing to be found, however near a row is to itself."""
    told, errors, *_ = twins()
    made = learned(told, errors, np.arange(6), np.random.default_rng(0))
    assert np.mean(made.left**2) > 0.9 * np.mean(errors**2)


def test_what_is_added_is_the_ridge_and_both_averages():
    """By the formula of the docstring, from the stored parts."""
    told, errors, asked, _ = twins()
    made = learned(told, errors, np.arange(6), np.random.default_rng(0))
    widths, backs = np.array([0.7, 0.4]), np.array([0.3, 2.0])
    made = Correction(**{**made.state(), "widths": widths, "backs": backs})
    x = made.read(asked)
    expected = x @ made.linear[:-1] + made.linear[-1]
    for at, counted in enumerate(COUNTED):
        square = Alike(made.features, made.seen, counted).apart(x, asked.seen[:, made.used]).numpy()
        weights = np.exp(-np.maximum(square, 0) / (2 * widths[at] ** 2))
        expected += weights @ made.errors[at] / (weights.sum(1, keepdims=True) + backs[at])
    np.testing.assert_allclose(made.means(asked), expected, rtol=1e-4, atol=1e-5)


def test_blocks_of_rows_do_not_change_what_is_found(monkeypatch):
    told, errors, asked, _ = twins()
    made = learned(told, errors, np.arange(6), np.random.default_rng(0))
    made = Correction(**{**made.state(), "widths": np.array([0.5, 1.0]), "backs": np.array([0.3, 1.0])})
    whole, wide = made.means(asked), made.spreads(asked)
    monkeypatch.setattr("azogue.applications.correcting.CELLS", 900)
    np.testing.assert_allclose(made.means(asked), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made.spreads(asked), wide, rtol=1e-5, atol=1e-6)
    assert torch.isfinite(torch.from_numpy(whole)).all()


def test_an_imputer_tells_a_column_of_noise_no_worse_than_by_its_mean():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 4))
    X[:, 1] = X[:, 0] + 0.3 * rng.normal(size=300)
    X[rng.random(X.shape) < 0.2] = np.nan
    skill = az.Imputer(random_state=0).fit(X).skill_
    assert (skill[:2] > 0.7).all()
    assert (skill[2:] > -0.08).all()


def test_a_second_pass_reads_rows_as_the_first_filled_them():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(200, 1)) + 0.3 * rng.normal(size=(200, 5))
    X[rng.random(X.shape) < 0.4] = np.nan
    imputer = az.Imputer(passes=1, random_state=0).fit(X)
    once = imputer.transform(X)
    twice = imputer.set_params(passes=2).transform(X)
    assert np.abs(once - twice).max() > 1e-3
    single = X.copy()
    single[:, 1:] = np.where(np.isnan(X[:, 1:]), 0.0, X[:, 1:])  # one column alone has holes: nothing else to read
    again = imputer.transform(single)
    np.testing.assert_array_equal(imputer.set_params(passes=1).transform(single), again)


def test_scatter_is_what_the_mean_over_networks_is_spared():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(120, 1)) + 0.3 * rng.normal(size=(120, 3))
    imputer = az.Imputer(members=3, random_state=0).fit(X)
    schema = imputer.schema_
    batch = spelled(schema.pack(X))
    hidden = without(batch, schema, 1)
    own = slots_of(schema)[1]
    each = np.stack([reflected([member], hidden)[:, own] for member in imputer.members_])
    expected = each.var(axis=0, ddof=1).mean(axis=0) * 2 / 3
    np.testing.assert_allclose(scatter(imputer.members_, batch, schema, 1, rng), expected, rtol=1e-5)
    assert expected.min() > 0
    np.testing.assert_array_equal(scatter(imputer.members_[:1], batch, schema, 1, rng), np.zeros(len(own)))
