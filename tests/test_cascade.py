"""A cascade of autoencoders: each further one sees the row and what was made of it, and adds what is missing."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

import azogue as az
from azogue.build import build
from azogue.codes import Point
from azogue.layers import as_network, weight_counts, work_of
from azogue.training.dense import supports

X = load_iris().data
NET = az.Input() + az.Dense(6, "tanh") + az.Dense(3) + az.Output(cascade=3)


def test_each_stage_adds_to_what_was_made_before():
    network = build(as_network(NET, 10, 4), Point(), 4, (), 0).double()
    x = torch.from_numpy(X)
    h, _, out, raw = network.passed(x)
    made = network.decoder(h)
    for stage in network.further:
        made = made + stage(torch.cat([x, made], 1))
    assert len(network.further) == 2
    assert torch.equal(raw, made)
    assert torch.equal(out, made)
    assert not torch.allclose(network.decoder(h), made)  # the further ones say something


def test_further_stages_have_weights_of_their_own_that_are_counted():
    spec = as_network(NET, 10, 4)
    network = build(spec, Point(), 4, (), 0)
    first, second = (stage.steps[0].weight for stage in network.further)
    assert not torch.equal(first, second)
    matrices = sum(p.numel() for p in network.parameters() if p.ndim == 2)
    assert sum(weight_counts(spec, 4, 3)) == matrices == work_of(spec, 4, 3)
    assert {id(p) for p in network.matrices()} == {id(p) for p in network.parameters() if p.ndim == 2}


def test_training_reaches_every_stage_and_the_file_holds_it(tmp_path):
    fresh = az.Autoencoder(NET, epochs=30, random_state=0)
    start = build(as_network(NET, 150, 4), Point(), 4, (), 0)
    model = fresh.fit(X)
    assert not supports(model.network_, model.recipe_)
    for stage in range(2):
        moved = model.network_.further[stage].steps[0].weight - start.further[stage].steps[0].weight
        assert moved.abs().max() > 1e-3
    model.save(tmp_path / "cascade.azogue")
    again = az.load(tmp_path / "cascade.azogue")
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
    assert "cascade3.0" in model.summary()


def test_a_cascade_undoes_what_one_stage_leaves():
    """With a code too small for the rows, later stages bring the error down: they see what the first one left out."""
    small = az.Input() + az.Dense(1) + az.Output(cascade=1)
    more = az.Input() + az.Dense(1) + az.Output(cascade=3)
    one, three = (az.Autoencoder(net, epochs=150, patience=None, random_state=0).fit(X) for net in (small, more))
    assert three.score(X) > one.score(X) / 3  # minus the mean error


def test_an_imputer_of_cascades_fills_new_rows():
    holed = X.copy()
    holed[::3, 2] = np.nan
    imputer = az.Imputer(cascade=2, members=2, random_state=0).fit(holed)
    assert [len(member.network_.further) for member in imputer.members_] == [1, 1]
    filled = imputer.transform(holed)
    off = filled[::3, 2] - X[::3, 2]
    assert np.sqrt(np.mean(off**2)) < 0.4 * X[:, 2].std()
    assert np.array_equal(filled[~np.isnan(holed)], holed[~np.isnan(holed)])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: az.Output(cascade=0), "cascade must be a whole number"),
        (lambda: az.Output(cascade=2, skips=True), "cascade does not go with"),
        (lambda: az.Output(cascade=2, tied=True), "cascade does not go with"),
        (lambda: as_network(az.Input() + az.Conv(4) + az.Output(cascade=2), 9, (8, 8, 1)), "dense layers"),
        (lambda: az.Imputer(cascade=0).fit(X), "cascade: expected a whole number"),
        (lambda: build(as_network(NET, 10, 4), Point(), 4, (), 0).only("encoder"), "is a cascade"),
    ],
)
def test_what_makes_no_cascade_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_gradients_of_all_stages_agree_with_finite_differences():
    network = build(as_network(NET, 10, 4), Point(), 4, (), 1).double()
    x = torch.from_numpy(X[:5])
    parameters = list(network.parameters())
    exact = torch.autograd.grad((network(x) - x).square().sum(), parameters)
    probe = parameters[-4]
    step, at = 1e-6, (0, 1)
    with torch.no_grad():
        probe[at] += step
        up = (network(x) - x).square().sum()
        probe[at] -= 2 * step
        down = (network(x) - x).square().sum()
    assert float((up - down) / (2 * step)) == pytest.approx(float(exact[-4][at]), rel=1e-6)


@pytest.mark.parametrize("net", [NET, az.Input() + az.Dense(6) + az.Dense(3) + az.Output(skips=True)])
def test_halves_that_do_not_stand_alone_are_no_keras_models(net):
    model = az.Autoencoder(net, epochs=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="halves do not stand alone"):
        model.to_keras()


def test_codes_of_several_statistics_count_once():
    """Further autoencoders have a plain code, whatever the first one's is."""
    code = az.codes.Gaussian()
    spec = as_network(NET, 10, 4)
    network = build(spec, code, 4, (), 0)
    matrices = sum(p.numel() for p in network.parameters() if p.ndim == 2)
    assert sum(weight_counts(spec, 4, code.width(3))) == matrices
