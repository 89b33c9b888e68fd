"""A start from principal components: golden numbers against PCA, for each activation and each head."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

import azogue as az
from azogue import components
from azogue.components import STRAIGHT
from azogue.layers import ACTIVATIONS
from azogue.modules import DenseModule
from azogue.recipe import Rng

X = load_wine().data
STILL = {"learning_rate": 1e-12, "epochs": 1, "validation_fraction": 0.0, "random_state": 0, "scaling": "standard"}


def floor(rows, size):
    z = (rows - rows.mean(0)) / rows.std(0)
    pca = PCA(size).fit(z)
    return np.square(z - pca.inverse_transform(pca.transform(z))).mean()


@pytest.mark.parametrize("tied", [False, True])
def test_a_linear_network_starts_at_the_floor(tied):
    ae = az.PrincipalAutoencoder(az.Dense(4) + az.Output(tied=tied), **STILL).fit(X)
    assert ae.evaluate(X)["mse"] == pytest.approx(floor(X, 4), rel=1e-4)


@pytest.mark.parametrize("tied", [False, True])
def test_an_output_with_ends_cuts_the_components_off(tied):
    unit = (X - X.min(0)) / np.ptp(X, axis=0)
    pca = PCA(6).fit(unit)
    cut = np.clip(pca.inverse_transform(pca.transform(unit)), 0.0, 1.0)
    network = az.Dense(6) + az.Output("hard_sigmoid", tied=tied)
    ae = az.PrincipalAutoencoder(network, **{**STILL, "scaling": "minmax"}).fit(X)
    assert ae.evaluate(X)["mse"] == pytest.approx(np.square(unit - cut).mean(), rel=1e-4)
    assert (cut != pca.inverse_transform(pca.transform(unit))).mean() > 0.001


@pytest.mark.parametrize(("rows", "units"), [(40, 25), (25, 40)])
def test_what_straight_lines_leave_over_is_a_ridge_regression(rows, units):
    rng = np.random.default_rng(0)
    h, bends, wanted = (torch.from_numpy(rng.normal(size=(rows, k))) for k in (3, units, 4))
    layer = DenseModule(3 + units, az.Dense(4), Rng(0)).double()
    before = h @ layer.weight[:, :3].T + layer.bias
    with torch.no_grad():
        components._correct(layer, h, bends, wanted)
    centred = bends - bends.mean(0)
    penalty = components.STIFF * float(centred.square().sum(1).mean())
    ridge = Ridge(alpha=penalty, fit_intercept=False).fit(centred.numpy(), (wanted - before.detach()).numpy())
    np.testing.assert_allclose(layer.weight[:, 3:].detach(), ridge.coef_, rtol=1e-9, atol=1e-12)
    found = torch.cat([h, bends], 1) @ layer.weight.T + layer.bias
    np.testing.assert_allclose(found.detach(), before.detach().numpy() + ridge.predict(centred.numpy()), rtol=1e-9)


def test_units_that_carry_no_score_bend_towards_unseen_rows():
    train, test = load_breast_cancer().data[::2], load_breast_cancer().data[1::2]
    narrow, wide = (
        az.PrincipalAutoencoder(az.Dense(units, "silu") + az.Dense(8), **STILL).fit(train).evaluate(test)["mse"]
        for units in (30, 240)
    )
    assert wide < 0.95 * narrow


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
def test_hidden_layers_start_near_the_floor(activation):
    network = az.Dense(16, activation) + az.Dense(9, activation) + az.Dense(4)
    start = az.PrincipalAutoencoder(network, **STILL).fit(X).evaluate(X)["mse"]
    assert start < 1.12 * floor(X, 4)
    assert az.Autoencoder(network, **STILL).fit(X).evaluate(X)["mse"] > 0.9


def test_every_activation_has_a_straight_part():
    assert set(STRAIGHT) == set(ACTIVATIONS)


def test_training_goes_on_from_there():
    train, test = X[::2], X[1::2]
    make = {**STILL, "epochs": 100, "learning_rate": 3e-3}
    ae = az.PrincipalAutoencoder((16, 4), **make).fit(train)
    assert ae.evaluate(train)["mse"] < 0.9 * floor(train, 4)
    assert ae.evaluate(test)["r2"] > 0.6


def test_bits_and_pictures_by_cross_entropy():
    bits = (load_digits().data[:300] > 8).astype(float)
    make = {**STILL, "scaling": "none", "objective": "bce"}
    start, plain = (cls(16, **make).fit(bits).evaluate(bits) for cls in (az.PrincipalAutoencoder, az.Autoencoder))
    assert start["mse"] < 0.4 * plain["mse"]


def test_mixed_tables_and_missing_cells():
    kinds = np.array(["a", "b", "c"])[load_wine().target]
    holed = [None if at % 9 == 0 else value for at, value in enumerate(X[:, 0].tolist())]
    table = pa.table({"x": holed, "y": X[:, 1], "z": X[:, 6], "kind": kinds, "high": X[:, 12] > 700})
    start = az.PrincipalAutoencoder(3, **STILL).fit(table)
    assert start.errors(table).mean() < 0.6 * az.Autoencoder(3, **STILL).fit(table).errors(table).mean()


def test_what_it_says_nothing_about_starts_as_usual():
    for network in (
        az.Dense(8, "relu", normalization="batch") + az.Dense(2),
        az.Dense(8, "relu") + az.Dense(2) + az.Output(tied=True),
    ):
        start, plain = (cls(network, **STILL).fit(X).encode(X) for cls in (az.PrincipalAutoencoder, az.Autoencoder))
        assert np.array_equal(start, plain)
    constant = az.PrincipalAutoencoder(1, **STILL).fit(np.ones((20, 3)))
    assert np.isfinite(constant.errors(np.ones((3, 3)))).all()


def test_fewer_rows_than_units():
    ae = az.PrincipalAutoencoder((30, 8), **STILL).fit(X[:5])
    assert np.isfinite(ae.encode(X)).all()
    assert ae.evaluate(X[:5])["mse"] < 0.05
