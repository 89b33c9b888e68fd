"""A trained network as Keras 3 models: the same outputs, layers of Keras' own, nothing shared."""

import os
import sys
import types

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pyarrow as pa
import pytest
import torch
from sklearn.exceptions import NotFittedError

import azogue as az
from azogue.keras import to_keras
from azogue.layers import BatchNorm, Dense, Dropout, Input, LayerNorm, Output
from azogue.recipe import Code

keras = pytest.importorskip("keras")
if keras.config.backend() != "torch":
    pytest.skip("Keras runs on another backend", allow_module_level=True)
layers = keras.layers

# Keras hands tensors to numpy.array, of which NumPy 2 says that torch should take another argument
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def model(*steps):
    return keras.Sequential(list(steps))


def fitted(network, X, **parameters):
    return az.Autoencoder(network, **({"epochs": 2, "random_state": 0} | parameters)).fit(X)


def scaled(estimator, X):
    return estimator.schema_.pack(X).x


def same(estimator, X, models=None):
    """Keras' outputs are the network's, for codes, decoded codes and both."""
    models = to_keras(estimator) if models is None else models
    x = scaled(estimator, X)
    with torch.no_grad():
        z = estimator.network_.encode(x.to(next(estimator.network_.parameters()).dtype))[1].z
        expected = estimator.network_.decode(z)[0].float()
        found = models.encoder(x), models.decoder(z.float()), models.autoencoder(x)
    for ours, theirs in zip((z.float(), expected, expected), found, strict=True):
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-5)
    return models


ACTIVATIONS = ("relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid", "softplus", "softsign", "hard_sigmoid")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_to_keras_activations(rows, activation):
    same(fitted(Input() + Dense(9, activation) + Dense(3, activation) + Output(), rows), 3 * rows)


@pytest.mark.parametrize(
    "network",
    [
        Input() + Dense(3) + Output(),
        Input() + Dense(6, "relu", normalization="batch") + Dense(3, "tanh", normalization="layer") + Output(),
        Input() + Dense(6) + BatchNorm(momentum=0.3) + Dropout(0.2) + Dense(3) + LayerNorm(epsilon=1e-3) + Output(),
        Input() + Dense(6, "relu") + Dense(3) + Output(tied=True),
        Input() + Dense(6, "relu", normalization="batch") + Dense(3) + Output(tied=True),
        Input() + Dense(3, "relu") + Output("sigmoid"),
        (6, 3),
    ],
    ids=repr,
)
def test_to_keras_layers(rows, network):
    ae = fitted(network, rows)
    models = same(ae, rows)
    assert [step.name for step in models.autoencoder.layers] == ["rows", "encoder", "decoder"]
    assert models.encoder.layers[0].name == "rows"
    assert models.decoder.layers[-1].name == "output"
    assert {round(n.momentum, 9) for m in models[:2] for n in m.layers if hasattr(n, "momentum")} <= {0.7, 0.9}
    assert all("TorchModule" not in type(step).__name__ for m in models[:2] for step in m.layers)


def test_to_keras_names_and_batches_of_keras(rows):
    network = Input() + Dense(8, "relu") + Dropout(0.1) + Dense(2) + Dense(8, "relu", normalization="batch") + Output()
    ae = fitted(network, rows)
    models = to_keras(ae)
    assert [step.name for step in models.encoder.layers] == ["rows", "encoder_1", "encoder_2", "code"]
    names = ["codes", "decoder_1", "decoder_1_norm", "decoder_1_activation", "output"]
    assert [step.name for step in models.decoder.layers] == names
    out = models.autoencoder.predict(scaled(ae, rows).numpy(), verbose=0)
    assert np.allclose(out, ae.network_(scaled(ae, rows)).detach(), atol=1e-6)


def test_to_keras_from_float64_under_a_global_policy(rows):
    keras.config.set_dtype_policy("float64")
    try:
        models = same(fitted(Input() + Dense(6, "tanh") + Dense(3) + Output(), rows, precision="float64"), rows)
        same(fitted(6, rows, precision="float64", code=az.codes.VectorQuantized(), epochs=1), rows)
    finally:
        keras.config.set_dtype_policy("float32")
    assert {v.dtype for v in models.autoencoder.weights} == {"float32"}


@pytest.mark.parametrize(
    "make",
    [
        lambda: az.KSparseAutoencoder(4, epochs=2, random_state=0),
        lambda: az.VariationalAutoencoder(3, epochs=2, random_state=0),
        lambda: az.VariationalAutoencoder(Input() + Dense(5, "relu") + Dense(3, "tanh") + Output(), epochs=2),
        lambda: az.BinaryAutoencoder(6, epochs=2, random_state=0),
        lambda: az.VectorQuantizedAutoencoder(4, epochs=2, random_state=0),
        lambda: az.FiniteScalarAutoencoder(3, epochs=2, random_state=0),
    ],
)
def test_to_keras_codes(rows, make):
    models = same(make().fit(rows), rows)
    assert models.encoder.layers[-1].name == "code"


class Product(az.codes.CodeSpec):
    """A code that needs a further statistic of each unit at inference."""

    def width(self, size):
        return 2 * size

    def __call__(self, h, rng, **parameters):
        a, b = h.chunk(2, 1)
        return Code(a * b)


def test_to_keras_code_with_statistics_behind_the_activation(rows):
    same(fitted(Input() + Dense(3, "sigmoid") + Output(), rows, code=Product()), rows)


def test_to_keras_learned_codes_are_its_own(rows):
    ae = az.VectorQuantizedAutoencoder(4, epochs=1, random_state=0).fit(rows)
    models = to_keras(ae)
    expected = ae.encode(rows)
    with torch.no_grad():
        models.encoder.get_layer("code").trainable_weights[0].value.zero_()
    assert np.array_equal(ae.encode(rows), expected)


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    columns = {
        "size": rng.normal(size=120),
        "kind": rng.choice(["red", "green", "blue"], 120),
        "open": rng.random(120) < 0.4,
        "same": ["x"] * 120,
        "weight": rng.exponential(size=120),
    }
    return pa.table(columns)


@pytest.mark.parametrize("network", [3, Input() + Dense(6, "tanh") + Dense(2) + Output(tied=True)], ids=repr)
def test_to_keras_heads_of_a_mixed_table(table, network):
    ae = az.Autoencoder(network, epochs=2, random_state=0).fit(table)
    assert {head.link_name for head in ae.network_.heads} >= {"linear", "sigmoid", "softmax"}
    models = same(ae, table)
    assert models.decoder.layers[-1].name == "output"


@pytest.mark.parametrize("wide", [1, 3])
def test_to_keras_counts(wide):
    counts = np.random.default_rng(0).poisson(3.0, (90, wide)).astype(float)
    ae = az.Autoencoder(2, objective="poisson", epochs=2, random_state=0).fit(counts)
    assert {head.link_name for head in ae.network_.heads} == {"exp"}
    with torch.no_grad():
        ae.network_.decoder.steps[-1].bias[0] = 60.0  # the link ends at 30
    same(ae, counts)


@pytest.mark.parametrize("kind", ["numbers", "table"])
@pytest.mark.parametrize("code", [None, az.codes.TopK(2)], ids=repr)
def test_to_keras_from_keras(rows, table, kind, code):
    data = rows if kind == "numbers" else table
    width = scaled(az.Autoencoder(1, epochs=1).fit(data), data).shape[1]
    encoder = model(layers.Dense(9, "relu"), layers.BatchNormalization(), layers.Dense(4))
    ae = fitted((encoder, model(layers.Dense(width))), data, code=code)
    models = same(ae, data)
    names = [type(step).__name__ for step in models.encoder.layers]
    assert names == (["Dense", "BatchNormalization", "Dense"] if code is None else [*WRAPPED, "TorchModuleWrapper"])


WRAPPED = ("InputLayer", "Sequential")


def test_to_keras_from_torch_modules_is_for_inference(rows):
    """Keras takes a call without `training=` for one while training: dropout stays off all the same."""
    encoder = torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.5))
    models = same(fitted((encoder, model(layers.Dense(8))), rows), rows)
    assert models.encoder.layers[-1].name == "code"
    x = torch.randn(5, 8)
    assert torch.equal(models.encoder(x), models.encoder(x, training=True))


def test_to_keras_is_independent(rows):
    torch_pair = torch.nn.Linear(8, 2), torch.nn.Linear(2, 8)
    for network in (3, (model(layers.Dense(2)), model(layers.Dense(8))), torch_pair):
        ae = fitted(network, rows)
        models, expected = to_keras(ae), ae.reconstruct(rows)
        x = scaled(ae, rows)
        theirs = models.autoencoder(x).detach()
        with torch.no_grad():
            for variable in models.autoencoder.weights:
                variable.value.add_(1.0)
        assert np.array_equal(ae.reconstruct(rows), expected)
        assert not torch.allclose(models.autoencoder(x), theirs)
        models = to_keras(ae)
        with torch.no_grad():
            for parameter in ae.network_.parameters():
                parameter.zero_()
        assert torch.equal(models.autoencoder(x), theirs)


def test_to_keras_can_be_saved(tmp_path, table):
    for ae in (fitted(3, table), az.VariationalAutoencoder(2, epochs=1, random_state=0).fit(table)):
        models = to_keras(ae)
        for name, made in models._asdict().items():
            made.save(tmp_path / f"{name}.keras")
        same(ae, table, type(models)(*(keras.models.load_model(tmp_path / f"{name}.keras") for name in models._fields)))


def test_to_keras_wrapped_codes_are_loaded_when_trusted(tmp_path, rows):
    ae = az.KSparseAutoencoder(4, epochs=1, random_state=0).fit(rows)
    models = to_keras(ae)
    models.encoder.save(tmp_path / "encoder.keras")
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.models.load_model(tmp_path / "encoder.keras")
    same(ae, rows, models._replace(encoder=keras.models.load_model(tmp_path / "encoder.keras", safe_mode=False)))


def test_to_keras_can_be_trained_on(rows):
    ae = fitted(Input() + Dense(8, "relu") + Dense(2) + Output(), rows)
    models = to_keras(ae)
    x = scaled(ae, rows).numpy()
    models.autoencoder.compile("adam", "mse")
    before = models.autoencoder.evaluate(x, x, verbose=0)
    models.autoencoder.fit(x, x, epochs=3, verbose=0)
    assert models.autoencoder.evaluate(x, x, verbose=0) < before


def test_there_and_back_again(rows):
    """What `to_keras` gives is a pair that can be trained again, starting where it stood."""
    ae = fitted(Input() + Dense(8, "relu") + Dense(4) + Output(), rows, code=az.codes.TopK(2))
    again = fitted(tuple(to_keras(ae)[:2]), rows, learning_rate=1e-12, epochs=1)
    assert np.allclose(again.reconstruct(rows), ae.reconstruct(rows), atol=1e-5)


def test_to_keras_needs_a_fitted_estimator():
    with pytest.raises(NotFittedError):
        to_keras(az.Autoencoder())


# -- without it -----------------------------------------------------------------------------------------------------


def test_another_backend(rows, monkeypatch):
    """A stand-in for Keras on JAX, whose models are no torch modules."""
    other = types.ModuleType("keras")
    other.__version__ = "3.15.1"
    other.Layer = type("Layer", (), {})
    other.Model = type("Model", (other.Layer,), {})
    other.config = types.SimpleNamespace(backend=lambda: "jax")
    monkeypatch.setitem(sys.modules, "keras", other)
    for network in ((other.Model(), other.Model()), (other.Model(), torch.nn.Linear(6, 8))):
        with pytest.raises(ValueError, match="Keras runs on jax, .* set KERAS_BACKEND=torch before keras is imported"):
            fitted(network, rows)
    with pytest.raises(TypeError, match="give the pair"):
        fitted(other.Model(), rows)
    with pytest.raises(ValueError, match="KERAS_BACKEND=torch"):
        to_keras(fitted(4, rows))


def test_without_keras(rows, monkeypatch):
    ae = fitted(4, rows)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(ImportError, match=r'pip install "azogue\[keras\]"'):
        to_keras(ae)
    fitted(4, rows), fitted((torch.nn.Linear(8, 4), torch.nn.Linear(4, 8)), rows)
    old = types.ModuleType("keras")
    old.__version__ = "2.15.0"
    monkeypatch.setitem(sys.modules, "keras", old)
    with pytest.raises(ImportError, match=r"Keras 2.15.0 is installed, 3 is needed"):
        to_keras(ae)
