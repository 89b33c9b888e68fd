"""Keras 3 models as a network: trained by our loop, from our randomness, copied, stored; what is refused."""

import copy
import os
import pickle
import random
import subprocess
import sys

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

import azogue as az
from azogue.build import wrap_modules
from azogue.codes import Point
from azogue.heads import Gaussian
from azogue.keras import to_keras
from azogue.keras_module import KerasModule, copied
from azogue.recipe import Rng

keras = pytest.importorskip("keras")
if keras.config.backend() != "torch":
    pytest.skip("Keras runs on another backend", allow_module_level=True)
layers = keras.layers

# Keras hands tensors to numpy.array, of which NumPy 2 says that torch should take another argument
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

DIGITS = load_digits().data * (255 / 16)
TRAIN, TEST = DIGITS[:700], DIGITS[700:1000]


def model(*steps, width=None):
    return keras.Sequential([*([] if width is None else [keras.Input((width,))]), *steps])


def pair():
    """An encoder with everything that draws or remembers, and a decoder without an input shape."""
    encoder = model(
        layers.Dense(16, "relu"),
        layers.BatchNormalization(),
        layers.Dropout(0.2),
        layers.GaussianNoise(0.1),
        layers.Dense(6),
        width=64,
    )
    return encoder, model(layers.Dense(16, "relu"), layers.Dropout(0.1, seed=3), layers.Dense(64, "sigmoid"))


def fitted(network, X=TRAIN, **parameters):
    given = {"scaling": "minmax", "epochs": 2, "random_state": 0} | parameters
    return az.Autoencoder(network, **given).fit(X)


def bits(estimator):
    return {name: value.numpy().tobytes() for name, value in estimator.network_.state_dict().items()}


def scaled(estimator, X):
    return estimator.schema_.pack(X).x


# -- training -------------------------------------------------------------------------------------------------------


def test_the_program_of_the_talk():
    encoder, decoder = model(layers.Dense(32, "relu"), width=64), model(layers.Dense(64, "sigmoid"), width=32)
    ae = fitted((encoder, decoder), epochs=30, batch_size=32, learning_rate=3e-3)
    losses = [record["loss"] for record in ae.history_]
    assert losses[-1] < 0.3 * losses[0]
    assert ae.encode(TEST).shape == (len(TEST), 32)
    error = np.square(ae.reconstruct(TEST) - TEST).mean()
    assert error < 0.3 * np.square(TRAIN.mean(0) - TEST).mean()
    assert "Keras      Dense" in ae.summary()


def test_every_trainable_weight_is_a_parameter_and_moves():
    encoder, decoder = pair()
    encoder.layers[-1].trainable = False
    ae = az.Autoencoder((encoder, decoder), scaling="minmax", epochs=1, random_state=0)
    before = wrap_modules((encoder, decoder), Point(), [Gaussian(0, 64, tuple(range(64)), (1.0,) * 64)], (64,), seed=0)
    before = {name: value.clone() for name, value in before.state_dict().items()}
    network = ae.fit(TRAIN).network_
    names = {name for name, _ in network.named_parameters()}
    assert len(names) == 8
    for name, value in network.state_dict().items():
        frozen = name in ("encoder.steps.0.6_kernel", "encoder.steps.0.7_bias")
        assert torch.equal(value, before[name]) == frozen, name
        assert (name in names) == (not frozen and "moving" not in name)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_same_seed_same_bits(precision):
    network = pair()
    once = fitted(network, precision=precision)
    torch.rand(3), random.random()
    assert bits(once) == bits(fitted(network, precision=precision))
    other = bits(fitted(network, random_state=1, precision=precision))
    assert not any(other[name] == value for name, value in bits(once).items() if name.endswith("kernel"))


class Noise(keras.layers.Layer):
    """Draws from Keras' global generator, Python's and torch's."""

    def call(self, x, training=False):
        return x + (keras.random.normal((1,)) + random.random() + torch.rand(1)) * float(training)


@pytest.mark.parametrize(
    "layer",
    [layers.Dropout(0.5), layers.Dropout(0.5, seed=1), layers.GaussianNoise(1.0), Noise()],
    ids=["dropout", "seeded dropout", "noise", "global generators"],
)
def test_layers_draw_from_the_step_alone(layer):
    module = KerasModule(model(layers.Dense(30), layer, width=4))
    x, rng = torch.ones(8, 4), Rng(0, epoch=1)
    assert torch.equal(module(x, None), module(x, None))
    assert torch.equal(module(x, rng), module(x, rng))
    for other in (rng.at(step=1), rng.at(seed=1), rng.at(shard=1)):
        assert not torch.equal(module(x, rng), module(x, other))


def test_dropout_drops_as_many_as_it_says():
    module = KerasModule(model(layers.Dropout(0.4), layers.Identity(), width=50))
    out = torch.cat([module(torch.ones(100, 50), Rng(0, step=step)) for step in range(20)])
    assert (out == 0).float().mean().item() == pytest.approx(0.4, abs=0.01)
    assert out.mean().item() == pytest.approx(1.0, abs=0.02)
    assert (KerasModule(model(layers.Dropout(0.4), width=3))(torch.ones(2, 3), None) == 1).all()


def test_encoder_and_decoder_draw_apart():
    x, heads = torch.ones(10, 50), [Gaussian(0, 50, tuple(range(50)), (1.0,) * 50)]
    network = wrap_modules((model(layers.Dropout(0.5)), model(layers.Dropout(0.5))), Point(), heads, (50,))
    assert not torch.equal(network.encoder(x, Rng(0)), network.decoder(x, Rng(0)))


def test_initial_weights_of_a_model_that_is_not_built_follow_the_seed():
    network = model(layers.Dense(6)), model(layers.Dense(64))
    kernels = [
        fitted(network, TRAIN[:50], epochs=1, learning_rate=1e-12, random_state=seed).network_.decoder.steps[0]
        for seed in (0, 0, 1)
    ]
    a, b, c = (step.get_parameter("0_kernel") for step in kernels)
    assert torch.equal(a, b)
    assert not torch.allclose(a, c, atol=1e-3)


def test_nothing_of_the_user_is_touched():
    encoder, decoder = pair()
    keras.random.normal((1,))  # Keras' global generator exists now
    state = keras.src.random.seed_generator.global_seed_generator()
    weights = [np.array(v) for v in encoder.variables]
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tobytes(), np.array(state.state)
    to_keras(fitted((encoder, decoder)))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == random.getstate()
    assert before[2] == np.random.get_state()[1].tobytes()
    assert state is keras.src.random.seed_generator.global_seed_generator()
    assert np.array_equal(before[3], np.array(state.state))
    assert all(np.array_equal(a, np.array(b)) for a, b in zip(weights, encoder.variables, strict=True))
    assert not decoder.built


# -- copies, files --------------------------------------------------------------------------------------------------


def functional():
    x = keras.Input((4,))
    a, b = layers.Dense(3, "tanh", name="a")(x), layers.Dense(3, trainable=False)(x)
    made = keras.Model(x, layers.Add()([a * 2.0, keras.ops.relu(b[:, :1])]))
    made.get_layer("a").bias.trainable = False
    return made


def nested():
    return model(functional(), layers.Dense(2), width=4)


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal(3, 2, (50, 4)))
    return model(layer, layers.Dense(2), width=4)


def with_torch():
    inner = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    inner(torch.randn(20, 4, generator=torch.Generator().manual_seed(0)) + 2)
    return model(layers.TorchModuleWrapper(inner, output_shape=(None, 3)), layers.Dense(2), width=4)


class Own(keras.Model):
    def __init__(self, units, **others):
        super().__init__(**others)
        self.units, self.dense, self.drop = units, layers.Dense(units), layers.Dropout(0.5)

    def call(self, x, training=False):
        return self.drop(keras.ops.sin(self.dense(x)), training=training)

    def get_config(self):
        return super().get_config() | {"units": self.units}


def own():
    made = Own(3)
    made(torch.zeros(1, 4))
    return made


@pytest.mark.parametrize("make", [functional, nested, adapted, with_torch, own])
def test_a_copy_computes_the_same_and_shares_nothing(make):
    original = make()
    x = torch.randn(5, 4)
    expected = original(x, training=False).detach()
    copy_ = copied(original)
    assert torch.equal(copy_(x, training=False), expected)
    assert [v.trainable for v in original.weights] == [v.trainable for v in copy_.weights]
    with torch.no_grad():
        for variable in copy_.variables:
            variable.value.fill_(7)
    assert torch.equal(original(x, training=False), expected)


@pytest.mark.parametrize("make", [functional, nested, adapted, with_torch, own])
def test_weights_are_enough_to_restore_any_model(make):
    one, other = KerasModule(make()), KerasModule(make())
    x = torch.randn(40, 4)
    one(x, Rng(0))  # moves running statistics
    with torch.no_grad():
        for p in one.parameters():
            p.add_(torch.randn(p.shape))
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(x, None), other(x, None))
    assert torch.equal(one(x, Rng(3)), other(x, Rng(3)))


def test_save_and_load_with_fresh_models(tmp_path):
    ae = fitted(pair())
    ae.save(tmp_path / "m.azogue")
    pair()  # names of Keras' layers move on
    again = az.load(tmp_path / "m.azogue", modules=pair())
    assert bits(again) == bits(ae)
    assert np.array_equal(again.reconstruct(TEST), ae.reconstruct(TEST))
    with pytest.raises(az.ModelFileError, match="pass them"):
        az.load(tmp_path / "m.azogue")


def test_a_checkpoint_goes_on_to_the_same_bits(tmp_path):
    whole = fitted(pair_of(0), epochs=4)
    path = tmp_path / "run"
    with pytest.warns(az.TrainingWarning, match="interrupted"):
        half = fitted(pair_of(0), epochs=4, checkpoint=path, callbacks=[interrupt_in_third])
    assert bits(half) != bits(whole)
    resumed = fitted(pair_of(1), epochs=4, checkpoint=path, resume=True)
    assert bits(resumed) == bits(whole)


def interrupt_in_third(record):
    if record["epoch"] == 3:
        raise KeyboardInterrupt


def pair_of(seed):
    """Weights of another seed each time: a resumed run takes them from the file."""
    random.seed(seed)
    return pair()


def test_clones_copies_and_pickles():
    ae = fitted(pair())
    expected = ae.reconstruct(TEST)
    assert bits(clone(ae).fit(TRAIN)) == bits(ae)
    unknown = type("Unknown", (Noise,), {})  # no file of Keras could name it
    assert copy.deepcopy(KerasModule(model(layers.Dense(3), unknown(), width=4)))(torch.ones(2, 4), None).shape == (
        2,
        3,
    )
    for other in (copy.deepcopy(ae), pickle.loads(pickle.dumps(ae))):
        assert np.array_equal(other.reconstruct(TEST), expected)
        with torch.no_grad():
            for p in other.network_.parameters():
                p.zero_()
        assert not np.array_equal(other.reconstruct(TEST), expected)
    assert np.array_equal(ae.reconstruct(TEST), expected)
    assert ae.plan(TRAIN).parameters == sum(p.numel() for p in ae.network_.parameters())


def test_beside_a_torch_module():
    encoder = torch.nn.Sequential(torch.nn.Linear(64, 6), torch.nn.Dropout(0.5))
    ae = fitted((encoder, model(layers.Dense(64, "sigmoid"))))
    assert ae.history_[-1]["loss"] < ae.history_[0]["loss"]


def test_no_float64():
    """Keras' matrix products on torch are float32, whatever the layers say: refused rather than rounded in silence."""
    with pytest.raises(ValueError, match="weights in float32 and cannot follow to float64; build"):
        fitted(pair(), precision="float64")
    with pytest.raises(ValueError, match="weights in float64 and cannot follow to float32; build"):
        fitted((model(layers.Dense(6, dtype="float64")), good()))


def test_weights_that_torch_moves_are_still_those_of_the_model():
    module = KerasModule(adapted())
    module._apply(torch.clone)  # as on the way to another device
    x = torch.randn(5, 4)
    before = module(x, None)
    module.load_state_dict({name: value + 1 for name, value in module.state_dict().items()})
    fresh = KerasModule(adapted())
    fresh.load_state_dict(module.state_dict())
    assert torch.equal(module(x, None), fresh(x, None))
    assert not torch.allclose(module(x, None), before)


# -- what cannot be -------------------------------------------------------------------------------------------------


class Adds(keras.layers.Layer):
    def call(self, x):
        self.add_loss(keras.ops.mean(x))
        return x


def two_outputs():
    x = keras.Input((64,))
    return keras.Model(x, [layers.Dense(2)(x), layers.Dense(2)(x)])


def good():
    return model(layers.Dense(64))


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (lambda: model(layers.Dense(6), width=64), TypeError, r"one module was given, .* give the pair \(encoder, dec"),
        (lambda: (model(layers.Dense(6)), 3), TypeError, "needs two torch modules or Keras models"),
        (lambda: (layers.Dense(6), good()), TypeError, "is a layer; put it into a model"),
        (lambda: (model(layers.Dense(6), width=5), good()), ValueError, r"does not take rows of 64 .* value 5, but"),
        (lambda: (model(layers.Dense(6)), model(layers.Dense(64), width=5)), ValueError, "does not take codes of 6"),
        (lambda: (model(layers.Dense(6)), model(layers.Dense(63))), ValueError, r"rows of \(63,\) .* expected \(64,\)"),
        (lambda: (model(layers.Reshape((8, 8))), good()), ValueError, r"encoder returned \(2, 8, 8\)"),
        (lambda: (two_outputs(), good()), TypeError, "returned list; one tensor"),
        (lambda: (model(layers.Dense(6, kernel_regularizer="l2")), good()), TypeError, "regularisers or constraints"),
        (lambda: (model(layers.Dense(6, activity_regularizer="l1"), width=64), good()), TypeError, "only Keras' fit"),
        (lambda: (model(layers.Dense(6, bias_constraint="non_neg")), good()), TypeError, "regularisers or constraints"),
        (lambda: (model(layers.Dense(6), Adds(), width=64), good()), TypeError, "losses"),
    ],
)
def test_clear_errors(network, error, message):
    with pytest.raises(error, match=message) as caught:
        fitted(network())
    assert "\x1b" not in str(caught.value)


def test_a_model_that_keras_cannot_copy():
    class Plain(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.dense = layers.Dense(units)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {"units": 1}

    made = Plain(6)
    made(torch.zeros(1, 64))
    with pytest.raises(ValueError, match="get_config that says everything"):
        fitted((made, good()))


def test_keras_is_imported_late_and_may_not_start():
    """Keras' own default is TensorFlow; where that is not installed, importing Keras fails."""
    program = """
import sys
import azogue.keras
from azogue.keras_module import keras_on_torch
assert "keras" not in sys.modules
sys.modules["tensorflow"] = None
try:
    keras_on_torch()
except ImportError as error:
    sys.exit("set KERAS_BACKEND=torch before keras is imported" not in str(error))
sys.exit("no error")
"""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment)
