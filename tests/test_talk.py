"""The programs of the talk, literally: what they build, that they learn, what they record and draw."""

import os
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

import azogue as az


@pytest.fixture(scope="module")
def digits():
    X = load_digits().data / 16
    return X[:1500], X[1500:]


def sizes(ae):
    """Shapes of the weight matrices from input to output."""
    return [
        tuple(p.shape[::-1])
        for part in (ae.network_.encoder, ae.network_.decoder)
        for p in part.parameters()
        if p.ndim == 2
    ]


def explained(X, back):
    return 1 - ((X - back) ** 2).mean() / X.var(axis=0).mean()


def test_784_32_784_with_relu_and_sigmoid(digits):
    X_train, X_test = digits
    net = az.Input() + az.Dense(16, "relu") + az.Output("sigmoid")
    ae = az.Autoencoder(net, epochs=30, random_state=0).fit(X_train, validation_data=X_test)

    assert repr(ae.network_spec_) == "Input() + Dense(16, activation='relu') + Output(activation='sigmoid')"
    assert ae.history_[-1]["loss"] < 0.3 * ae.history_[0]["loss"]
    assert ae.history_[-1]["val_loss"] < 0.3 * ae.history_[0]["val_loss"]
    back = ae.decode(ae.encode(X_test))
    np.testing.assert_array_equal(back, ae.reconstruct(X_test))
    assert explained(X_test, back) > 0.6
    assert sizes(ae) == [(64, 16), (16, 64)]
    assert ae.encode(X_test).min() == 0
    # a sigmoid reaches neither end of a pixel's range
    live = X_train.max(0) > 0
    assert (back[:, live] > 0).all()
    assert (back[:, live] < X_train.max(0)[live] + 1e-6).all()


@pytest.mark.data
def test_784_32_784_on_mnist(data_folder):
    if not (data_folder / "mnist" / "mnist.npz").is_file():
        pytest.skip("no MNIST beside the checkout")
    mnist = np.load(data_folder / "mnist" / "mnist.npz")
    X_train = mnist["x_train"][:3000].reshape(-1, 784) / 255
    X_test = mnist["x_test"][:500].reshape(-1, 784) / 255
    net = az.Input(784) + az.Dense(32, "relu") + az.Output("sigmoid")
    ae = az.Autoencoder(net, objective="bce", epochs=12, learning_rate=3e-3, random_state=0)
    ae.fit(X_train, validation_data=X_test)

    back = ae.reconstruct(X_test)
    assert sizes(ae) == [(784, 32), (32, 784)]
    assert ae.encode(X_test).shape == (500, 32)
    assert ae.encode(X_test).min() == 0
    assert back.min() >= 0
    assert back.max() <= 1
    assert ae.history_[-1]["val_loss"] < 0.6 * ae.history_[0]["val_loss"]
    assert explained(X_test, back) > 0.55


needs_keras = pytest.mark.skipif(find_spec("keras") is None, reason="needs the extra keras")
# Keras hands tensors to numpy.array, of which NumPy 2 says that torch should take another argument
numpy_on_torch = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@needs_keras
def test_the_same_with_keras(digits, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    import keras

    X_train, X_test = digits
    keras.utils.set_random_seed(0)
    pixels, code = keras.Input((64,)), keras.Input((16,))
    encoder = keras.Model(pixels, keras.layers.Dense(16, activation="relu")(pixels))
    decoder = keras.Model(code, keras.layers.Dense(64, activation="sigmoid")(code))
    before = [weight.detach().clone() for weight in encoder.parameters()]
    ae = az.Autoencoder((encoder, decoder), scaling="none", epochs=30, random_state=0)
    ae.fit(X_train, validation_data=X_test)

    assert ae.code_size_ == 16
    assert ae.encode(X_test).min() == 0
    assert ae.history_[-1]["loss"] < 0.3 * ae.history_[0]["loss"]
    assert explained(X_test, ae.reconstruct(X_test)) > 0.6
    # the user's models are copied, as scikit-learn has it
    assert all((a == b).all() for a, b in zip(before, encoder.parameters(), strict=True))


@needs_keras
@numpy_on_torch
def test_back_to_keras(digits, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    X_train, X_test = digits
    net = az.Input() + az.Dense(16, "relu") + az.Output("sigmoid")
    ae = az.Autoencoder(net, epochs=3, scaling="none", random_state=0).fit(X_train)
    encoder, decoder, autoencoder = ae.to_keras()
    rows = X_test.astype("float32")
    codes = encoder.predict(rows, verbose=0)
    np.testing.assert_allclose(codes, ae.encode(X_test), atol=1e-5)
    np.testing.assert_allclose(decoder.predict(codes, verbose=0), ae.reconstruct(X_test), atol=1e-5)
    np.testing.assert_allclose(autoencoder.predict(rows, verbose=0), ae.reconstruct(X_test), atol=1e-5)


def test_iris_in_two_denoising_codes():
    iris = load_iris()
    codes = az.autoencode(iris.data, 2, kind="denoising", random_state=0)

    assert codes.shape == (150, 2)
    assert codes.std(0).min() > 0
    assert cross_val_score(KNeighborsClassifier(), codes, iris.target).mean() > 0.8
    ax = az.plots.plot_codes(codes, iris.target_names[iris.target])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["setosa", "versicolor", "virginica"]
    shown = np.concatenate([group.get_offsets() for group in ax.collections])
    np.testing.assert_allclose(np.sort(shown, axis=0), np.sort(codes, axis=0), rtol=1e-6)


def network_256_32_256():
    return az.Input() + az.Dense(256, "relu") + az.Dense(32, "relu") + az.Dense(256, "relu") + az.Output("linear")


def test_robust_256_32_256(digits):
    X, X_test = digits
    net = network_256_32_256()
    ae = az.RobustAutoencoder(net, epochs=5, batch_size=512, optimizer="adam", metrics="binary_accuracy").fit(
        X, validation_data=X_test
    )

    assert sizes(ae) == [(64, 256), (256, 32), (32, 256), (256, 64)]
    layers = [*ae.network_spec_.encoder, *ae.network_spec_.decoder]
    assert [(layer.units, layer.activation) for layer in layers] == [(256, "relu"), (32, "relu"), (256, "relu")]
    assert ae.network_spec_.output.activation == "linear"
    assert ae.encode(X_test).min() == 0  # the code is ReLU too
    assert ae.reconstruct(X_test).min() < 0  # and the output is not
    assert [record["epoch"] for record in ae.history_] == [1, 2, 3, 4, 5]
    for record in ae.history_:
        assert {"loss", "val_loss", "binary_accuracy", "val_binary_accuracy"} <= set(record)
        assert 0 <= record["val_binary_accuracy"] <= 1
    assert ae.history_[-1]["loss"] < 0.9 * ae.history_[0]["loss"]
    assert ae.history_[-1]["val_loss"] < 0.9 * ae.history_[0]["val_loss"]
    best = min(record["val_loss"] for record in ae.history_)
    assert best == pytest.approx(ae.errors(X_test).mean(), rel=1e-4)  # held out were the rows that were given
    assert ae.recipe_.batch_size == 512
    assert type(ae.recipe_.optimizer).__name__ == "Adam"
    assert [type(term).__name__ for _, term in ae.recipe_.objective.terms] == ["Correntropy"]


def test_binary_accuracy_rises_with_training(digits):
    X, X_test = digits
    ae = az.RobustAutoencoder(
        network_256_32_256(), epochs=5, batch_size=512, metrics="binary_accuracy", scaling="none", random_state=0
    ).fit(X, validation_data=X_test)
    black_or_white = np.isin(X_test, (0, 1)).mean()  # no other pixel can score
    assert 0.8 * black_or_white < ae.history_[-1]["val_binary_accuracy"] <= black_or_white
    assert ae.history_[-1]["val_binary_accuracy"] > ae.history_[0]["val_binary_accuracy"]
    out = ae.reconstruct(X_test)
    assert ae.history_[-1]["val_binary_accuracy"] == pytest.approx(((out > 0.5) == X_test).mean(), abs=1e-4)


def test_correntropy_bears_outliers_better_than_squared_error(digits):
    X, X_test = digits
    spoilt = np.where(np.random.default_rng(0).random(X.shape) < 0.02, 10.0, X)
    settings = {"network": network_256_32_256(), "epochs": 20, "scaling": "none", "random_state": 0}
    robust, plain = az.RobustAutoencoder(**settings, sigma=0.5), az.Autoencoder(**settings)
    scores = [explained(X_test, ae.fit(spoilt).reconstruct(X_test)) for ae in (robust, plain)]
    assert scores[0] > scores[1] + 0.05


def drawn_widths(ax):
    return [text.get_text() for text in ax.texts if text.get_text().isdigit()]


def test_the_network_drawn(digits):
    X, _ = digits
    net = network_256_32_256()
    ae = az.RobustAutoencoder(net, epochs=1, batch_size=512, random_state=0).fit(X)
    assert drawn_widths(az.plots.plot_network(ae)) == ["64", "256", "32", "256", "64"]
    assert drawn_widths(az.plots.plot_network(net)) == ["256", "32", "256"]
    words = [text.get_text() for text in az.plots.plot_network(ae).texts]
    assert words.count("relu") == 3
    assert {"encoder", "code", "decoder"} <= set(words)
    boxes = [text.get_text() for text in az.plots.plot_network(ae, shapes=True).texts]
    parameters = [f"{(a + 1) * b:,} parameters" for a, b in sizes(ae)]
    assert [text for text in boxes if text in parameters] == parameters
