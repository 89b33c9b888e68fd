"""A start from principal components: golden numbers against PCA, for each activation and each head."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA

import azogue as az
from azogue.components import STRAIGHT
from azogue.layers import ACTIVATIONS

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
