"""The hand-derived back end: its gradients are autograd's, for every part that states a derivative."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import azogue as az
from azogue import codes, corruptions, objectives, priors
from azogue.activations import FORMULAS, activate
from azogue.layers import ACTIVATIONS
from azogue.optimizers import SGD, Adam, RMSprop
from azogue.session import open_session
from azogue.training.autograd import Autograd
from azogue.training.data import together
from azogue.training.dense import Dense
from azogue.training.state import start

RNG = np.random.default_rng(0)
NUMBERS = np.tanh(RNG.normal(size=(60, 3)) @ RNG.normal(size=(3, 7))) + 0.1 * RNG.normal(size=(60, 7))
HOLES = np.where(RNG.random(NUMBERS.shape) < 0.2, np.nan, NUMBERS)
MIXED = pd.DataFrame(
    {
        "a": NUMBERS[:, 0],
        "b": NUMBERS[:, 1] > 0,
        "c": pd.Categorical(np.where(NUMBERS[:, 2] > 0.3, "x", np.where(NUMBERS[:, 2] < -0.3, "y", "z"))),
        "d": HOLES[:, 3],
    }
)
COUNTS = RNG.poisson(3.0, size=(60, 5))
FRACTIONS = 1 / (1 + np.exp(-NUMBERS))


def deep(activation="silu", code="linear", *, dropout=0.0, tied=False, output="auto", norm=None):
    """A network with every kind of layer."""
    net = az.Input() + az.Dense(9, activation, normalization=norm)
    net = net + az.Dropout(dropout) if dropout else net
    return net + az.Dense(6, activation, normalization=norm) + az.Dense(4, code) + az.Output(output, tied=tied)


#: A network with normalisations everywhere: of rows as they come, behind layers, before activations, of the code.
NORMALISED = (
    az.Input()
    + az.BatchNorm()
    + az.Dense(8, "silu")
    + az.LayerNorm()
    + az.Dense(6, "relu", normalization="batch")
    + az.Dropout(0.2)
    + az.BatchNorm(momentum=0.3, epsilon=1e-3)
    + az.Dense(4, "tanh", normalization="layer")
    + az.Output()
)


def contracted(network, X=NUMBERS, **parameters):
    """A weight that is no detail of the loss."""
    return az.Autoencoder(network, objective=0.3 * objectives.Contraction(**parameters)), X


def layers(*activations, width=5):
    """Layers of widths that are told apart, the last one the code's."""
    network = az.Input()
    for number, name in enumerate(activations[:-1]):
        network += az.Dense(9 - number, name)
    return network + az.Bottleneck(width, activations[-1]) + az.Output()


CONTRACTIVE = {
    **{f"one layer, {name}": contracted(layers(name)) for name in ACTIVATIONS},
    **{f"two layers, {name}": contracted(layers(name, "linear")) for name in ACTIVATIONS},
    **{f"three layers, {name}": contracted(layers(name, "silu", name)) for name in ACTIVATIONS},
    "one unit": contracted(layers("tanh", "linear", width=1)),
    "from the other end": contracted(layers("tanh", "silu", "sigmoid", width=12)),
    "from the other end, linear": contracted(layers("linear", "linear", width=12)),
    "from the other end, dropout first": contracted(
        az.Input() + az.Dropout(0.2) + az.Dense(9, "tanh") + az.Bottleneck(12, "silu") + az.Output()
    ),
    "estimated": contracted(layers("tanh", "silu", "sigmoid"), exact=3),
    "estimated, linear code": contracted(layers("relu", "silu", "linear"), exact=0, probes=3),
    "estimated by one": contracted(layers("relu", "silu", "linear"), exact=0, probes=1),
    "estimated, one layer": contracted(layers("tanh"), exact=0),
    "dropout": contracted(deep("tanh", "sigmoid", dropout=0.3)),
    "dropout, linear": contracted(deep("linear", "linear", dropout=0.3)),
    "dropout first": contracted(az.Input() + az.Dropout(0.2) + az.Dense(5, "silu") + az.Output()),
    "dropout last": contracted(az.Input() + az.Dense(5, "silu") + az.Dropout(0.2) + az.Output()),
    "dropout last, linear": contracted(az.Input() + az.Dense(5) + az.Dropout(0.2) + az.Output()),
    "first layer wide": contracted(az.Input() + az.Dense(30, "tanh") + az.Dense(4, "sigmoid") + az.Output()),
    "first layer wide, estimated": contracted(
        az.Input() + az.Dense(30, "softsign") + az.Dense(4, "sigmoid") + az.Output(), exact=1
    ),
    "dropout twice": contracted(
        az.Input() + az.Dense(8, "silu") + az.Dropout(0.2) + az.Dropout(0.1) + az.Dense(3, "tanh") + az.Output()
    ),
    "dropout, estimated": contracted(deep("gelu", "tanh", dropout=0.3), exact=2),
    "tied": contracted(deep("tanh", "sigmoid", tied=True)),
    "tied, one layer": contracted(az.Input() + az.Dense(3, "sigmoid") + az.Output(tied=True)),
    "holes": contracted(deep("tanh", "sigmoid"), HOLES),
    "wide": contracted((60, 40, 16), RNG.normal(size=(60, 100))),
    "denoising": (az.DenoisingAutoencoder(deep(), objective=objectives.Contraction()), MIXED),
    "variational": (az.VariationalAutoencoder(deep("tanh", "tanh"), objective=objectives.Contraction()), NUMBERS),
    "variational, one layer": (
        az.VariationalAutoencoder(layers("sigmoid", width=2), objective=objectives.Contraction()),
        NUMBERS,
    ),
    "penalised": (az.ContractiveAutoencoder(deep(), objective=0.1 * objectives.WeightDecay()), NUMBERS),
}

CASES = {
    **{f"contractive, {name}": case for name, case in CONTRACTIVE.items()},
    **{f"activation {name}": (az.Autoencoder(deep(name, name)), NUMBERS) for name in ACTIVATIONS},
    **{
        f"output {name}": (az.Autoencoder(deep(output=name)), NUMBERS)
        for name in ("linear", "tanh", "sigmoid", "relu", "softplus", "elu")
    },
    "dropout": (az.Autoencoder(deep(dropout=0.3)), NUMBERS),
    "dropout first": (az.Autoencoder(az.Input() + az.Dropout(0.2) + az.Dense(5) + az.Output()), NUMBERS),
    "tied": (az.Autoencoder(deep("tanh", "sigmoid", tied=True)), NUMBERS),
    "tied with dropout": (az.Autoencoder(deep("gelu", tied=True, dropout=0.3)), HOLES),
    "one layer": (az.Autoencoder(az.Input() + az.Dense(3) + az.Output()), NUMBERS),
    **{
        f"{norm} norm, {name}": (az.Autoencoder(deep(name, name, norm=norm)), NUMBERS)
        for norm in ("layer", "batch")
        for name in ("linear", "relu", "silu", "tanh")
    },
    "layer norm, tied": (az.Autoencoder(deep(tied=True, norm="layer", dropout=0.2)), HOLES),
    "batch norm, tied": (az.Autoencoder(deep("tanh", tied=True, norm="batch"), weight_decay=0.3), HOLES),
    "norms everywhere": (az.Autoencoder(NORMALISED), NUMBERS),
    "norms everywhere, denoising": (az.DenoisingAutoencoder(NORMALISED), MIXED),
    "norms, variational": (
        az.VariationalAutoencoder(az.Input() + az.Dense(9, "silu") + az.Dense(4, "tanh", normalization="batch")),
        NUMBERS,
    ),
    "norms, penalised": (
        az.Autoencoder(NORMALISED, objective=0.1 * objectives.WeightDecay() + 0.1 * objectives.L1()),
        NUMBERS,
    ),
    "wide layers": (az.Autoencoder((40, 31, 16)), NUMBERS),
    "holes": (az.Autoencoder(3), HOLES),
    "mixed": (az.Autoencoder(deep()), MIXED),
    "mixed, Brier": (az.Autoencoder(deep(), objective="mse"), MIXED),
    "mixed, tied, denoising": (az.DenoisingAutoencoder(deep(tied=True)), MIXED),
    "counts": (az.Autoencoder(deep(), objective="poisson"), COUNTS),
    "fractions": (az.Autoencoder(deep(), objective="bce"), FRACTIONS),
    "weight decay": (az.Autoencoder(deep(), weight_decay=0.3, learning_rate=0.1), NUMBERS),
    "penalised weights": (az.Autoencoder(deep(), objective=0.1 * objectives.WeightDecay()), NUMBERS),
    "penalised code": (az.Autoencoder(deep(tied=True), objective=0.1 * objectives.WeightDecay("code")), NUMBERS),
    "sparse": (az.SparseAutoencoder(deep()), NUMBERS),
    "sparse by kl": (
        az.Autoencoder(deep(code="sigmoid"), objective=0.5 * objectives.Sparsity(0.1, distance="kl")),
        NUMBERS,
    ),
    "sparse tanh": (
        az.Autoencoder(deep(code="tanh"), objective=2.0 * objectives.Sparsity(0.3, distance="kl")),
        NUMBERS,
    ),
    "sparse variational": (az.VariationalAutoencoder(deep(), objective=0.1 * objectives.Sparsity()), NUMBERS),
    "sparse bits": (
        az.BinaryAutoencoder(deep(), objective=0.1 * objectives.Sparsity(0.1, distance="kl")),
        NUMBERS,
    ),
    "l1": (az.Autoencoder(deep(), objective=0.2 * objectives.L1()), NUMBERS),
    "k-sparse": (az.KSparseAutoencoder(deep()), NUMBERS),
    "robust": (az.RobustAutoencoder(deep()), HOLES),
    "binary": (az.BinaryAutoencoder(deep()), NUMBERS),
    "noisy binary": (az.Autoencoder(deep(), code=codes.Binary(noise=1.0)), NUMBERS),
    "finite scalar": (az.FiniteScalarAutoencoder(deep()), NUMBERS),
    "variational": (az.VariationalAutoencoder(deep()), NUMBERS),
    "variational, holes": (az.VariationalAutoencoder(deep(), beta=0.3), HOLES),
    "variational, mixed": (az.VariationalAutoencoder(deep(dropout=0.2)), MIXED),
    "variational, by column": (
        az.VariationalAutoencoder(deep("tanh", "tanh"), objective=objectives.Likelihood("column")),
        MIXED,
    ),
    "variational, fixed variance": (
        az.VariationalAutoencoder(deep(), objective=objectives.Likelihood(0.2)),
        NUMBERS,
    ),
    "variational, free bits": (az.VariationalAutoencoder(deep(), free_bits=0.01), NUMBERS),
    "variational, mixture": (az.VariationalAutoencoder(deep(), prior=priors.Mixture(3)), NUMBERS),
    **{
        f"objective {name}": (az.Autoencoder(deep(), objective=name), HOLES) for name in ("mse", "rmse", "mae", "huber")
    },
    "sum of terms": (
        az.Autoencoder(deep(), objective=0.5 * objectives.MSE() + 2.0 * objectives.MAE() + 0.1 * objectives.L1()),
        NUMBERS,
    ),
    **{f"corruption {name}": (az.Autoencoder(deep(), corruption=name), MIXED) for name in corruptions.NAMED},
    "sgd": (az.Autoencoder(deep(), optimizer=SGD(nesterov=True), learning_rate=0.1), NUMBERS),
    "rmsprop": (az.Autoencoder(deep(), optimizer=RMSprop()), NUMBERS),
    "clipped": (az.Autoencoder(deep(), optimizer=Adam(clip=0.01)), NUMBERS),
}


def sessions(case, **parameters):
    prototype, X = CASES[case]
    estimator = clone(prototype).set_params(precision="float64", batch_size=60, **parameters)
    one = open_session(estimator, X, None, 0)
    with torch.no_grad():  # the output layer starts near 0, where gradients say little
        for parameter in one.network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    states = [start(copy.deepcopy(one.network), one.recipe) for _ in range(2)]
    return one, states


def near(ours, theirs, what, least=1e-12):
    scale = theirs.abs().max().item()
    assert (ours - theirs).abs().max().item() <= 1e-10 * max(scale, least), what


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_autograd_s(case):
    one, (state, other) = sessions(case)
    dense, autograd = Dense(), Autograd()
    assert type(one.backend) is Dense
    batch = together([one.data.all()])
    for number in range(3):
        for each in (state, other):
            each.step, each.progress = number, number / 3
        ours, theirs = dense.step([state], batch), autograd.step([other], batch)
        for found, expected in zip(ours["autoencoder"], theirs["autoencoder"], strict=True):
            near(found, expected, "loss or term")
        for (name, p), q in zip(state.network.named_parameters(), other.network.parameters(), strict=True):
            near(p.grad, q.grad, f"gradient of {name} in step {number}", 1e-5)  # 0 but for rounding before batch norm
            near(p.data, q.data, f"{name} after step {number}", 1.0)
        for (name, value), expected in zip(state.network.named_buffers(), other.network.buffers(), strict=True):
            least = 1.0 if name.endswith("running_mean") else 1e-12  # a mean takes the bias before it with it
            near(value.double(), expected.double(), f"{name} after step {number}", least)
    (found,), (expected,) = dense.evaluate([state], [one.validation]), autograd.evaluate([other], [one.validation])
    assert found == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("name", FORMULAS)
def test_activations_and_their_derivatives(name):
    x = torch.linspace(-25, 25, 1001, dtype=torch.float64, requires_grad=True)
    y = activate(name, x)
    y.sum().backward()
    formula, out, delta = FORMULAS[name], torch.empty(1001, dtype=torch.float64), torch.ones(1001, dtype=torch.float64)
    with torch.no_grad():
        formula.apply(x, out)
        formula.pull(delta, x.detach() if formula.keeps == "input" else out)
    assert torch.equal(out, y)
    torch.testing.assert_close(delta, x.grad, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FORMULAS)
def test_activations_of_views_with_gaps(name, dtype):
    """A population's layers write into buffers that have a row of ones, and read the units that are active."""
    formula, x = FORMULAS[name], torch.randn(3, 7, 32, generator=torch.Generator().manual_seed(0), dtype=dtype)

    def gaps(values):
        return torch.zeros(3, 9, 32, dtype=dtype)[:, :7].copy_(values)

    results = []
    for form in (torch.clone, gaps):
        given, out = form(x), form(torch.zeros_like(x))
        formula.apply(given, out)
        kept, found = form(x if formula.keeps == "input" else out), [out]
        for pull in filter(None, (formula.pull, formula.bend)):
            found.append(form(torch.full_like(x, 2.0)))
            pull(found[-1], kept)
        results.append(found)
    for one, other in zip(*results, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", FORMULAS)
def test_second_derivatives_of_activations(name):
    """Finite differences of φ′; at corners there is none."""
    formula, h = FORMULAS[name], 1e-5
    x = torch.linspace(-25, 25, 1000, dtype=torch.float64)
    x = x[(x - 20).abs() > 1e-3]  # where softplus becomes the line

    def kept(at):
        out = at.clone()
        formula.apply(at, out)
        return at if formula.keeps == "input" else out

    def slope(at):
        delta = torch.full_like(at, 3.0)
        formula.pull(delta, kept(at))
        return delta

    found = torch.full_like(x, 3.0)
    if formula.bend is None:
        found.zero_()
    else:
        before = kept(x)
        again = before.clone()
        formula.bend(found, before)
        assert torch.equal(before, again), "what was kept is read again"
    torch.testing.assert_close(found, (slope(x + h) - slope(x - h)) / (2 * h), rtol=1e-6, atol=1e-9)


def test_every_activation_has_a_formula():
    assert set(FORMULAS) | {"linear"} == set(ACTIVATIONS)


def test_a_changed_formula_is_left_to_autograd():
    class Steeper(objectives.MSE):
        def distance(self, error):
            return super().distance(error) ** 2

    class Halved(codes.Point):
        def __call__(self, h, rng, **parameters):
            return super().__call__(0.5 * h, rng)

    class Doubled(objectives.Contraction):
        def __call__(self, step):
            return 2 * super().__call__(step)

    for changed in (
        az.Autoencoder(3, objective=Steeper()),
        az.Autoencoder(3, code=Halved()),
        az.ContractiveAutoencoder(deep(norm="batch")),
        az.ContractiveAutoencoder(deep(norm="layer")),
        az.ContractiveAutoencoder(az.Input() + az.BatchNorm() + az.Dense(3) + az.Output()),
        az.ContractiveAutoencoder((torch.nn.Linear(7, 2), torch.nn.Linear(2, 7))),
        az.Autoencoder(3, objective=Doubled()),
        az.AdversarialAutoencoder(3),
        az.VectorQuantizedAutoencoder(4),
        az.Autoencoder(az.Input() + az.Dense(5) + az.Residual() + az.Dense(2) + az.Output()),
        az.Autoencoder((torch.nn.Linear(7, 2), torch.nn.Linear(2, 7))),
        az.Autoencoder(3, precision="bfloat16"),
    ):
        assert type(open_session(changed, NUMBERS, None, 0).backend) is Autograd, changed
    assert type(open_session(az.Autoencoder(3, objective=objectives.MSE()), NUMBERS, None, 0).backend) is Dense


def test_parameters_have_memory_of_their_own_after_training():
    ae = az.Autoencoder(deep(), epochs=2).fit(NUMBERS)
    for name, parameter in ae.network_.named_parameters():
        assert parameter.is_contiguous(), name
        assert parameter.untyped_storage().nbytes() == parameter.numel() * 4, name
        assert parameter.grad is None, name
        assert not parameter.is_inference(), name


@pytest.mark.parametrize("members", [1, 3])
def test_running_statistics_have_memory_of_their_own_after_training(members):
    fitted = [az.Autoencoder(deep(norm="batch"), epochs=2, random_state=seed) for seed in range(members)]
    for ae in az.fit_together(fitted, NUMBERS):
        for name in ("running_mean", "running_var"):
            value = getattr(ae.network_.encoder.steps[0].norm, name)
            assert value.shape == (9,)
            assert value.untyped_storage().nbytes() == 9 * 4, name
            assert not value.is_inference(), name
            assert not torch.equal(value, torch.full((9,), float(name == "running_var"))), "never moved"


@pytest.mark.parametrize(
    "case",
    [
        "activation silu",
        "tied",
        "variational, mixed",
        "mixed, tied, denoising",
        "layer norm, tied",
        "batch norm, silu",
        "norms everywhere, denoising",
        "contractive, three layers, tanh",
        "contractive, dropout, estimated",
        "contractive, tied",
    ],
)
def test_whole_trainings_end_alike(case, monkeypatch):
    prototype, X = CASES[case]
    parameters = {"precision": "float64", "epochs": 4, "batch_size": 16, "random_state": 3}
    ours = clone(prototype).set_params(**parameters).fit(X)
    monkeypatch.setattr("azogue.training.backends.supports", lambda network, recipe: False)
    theirs = clone(prototype).set_params(**parameters).fit(X)
    for one, other in zip(ours.history_, theirs.history_, strict=True):
        for key in set(one) - {"seconds"}:
            assert one[key] == pytest.approx(other[key], rel=1e-9), key
    assert ours.errors(X) == pytest.approx(theirs.errors(X), rel=1e-5)
