"""Normalisations by hand: their derivatives are finite differences', their running statistics each member's own."""

import copy

import numpy as np
import pytest
import torch

import azogue as az
from azogue.norms import NORMS
from azogue.recipe import Rng
from azogue.session import open_session
from azogue.training.data import together
from azogue.training.dense import Dense
from azogue.training.layerwise import LANES
from azogue.training.state import start

RNG = np.random.default_rng(0)
X = np.tanh(RNG.normal(size=(90, 3)) @ RNG.normal(size=(3, 7))) + 0.1 * RNG.normal(size=(90, 7))
UNITS = 5
TRAINING = Rng(0)


def drawn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def module(kind, member=0):
    """A normalisation whose parameters and running statistics are no round numbers."""
    norm = NORMS[kind](UNITS).double()
    for number, (name, value) in enumerate(norm.state_dict().items()):
        if value.is_floating_point():
            noise = 0.3 * drawn(UNITS, seed=10 * member + number)
            value.add_(noise.abs() if name == "running_var" else noise)
    return norm.requires_grad_(False)


def staged(kind, rows, members=1, dtype=torch.float64, among=None):
    """What the back end makes of the norm: the stage, the buffers of x, y and gradients, the stacked module."""
    chosen = range(members) if among is None else among
    ones = [module(kind, member).to(dtype) for member in chosen]
    stacked = copy.deepcopy(ones[0])
    for name in ("weight", "bias", "running_mean", "running_var"):
        if hasattr(stacked, name):
            value = torch.stack([getattr(one, name).detach() for one in ones])
            setattr(stacked, name, torch.nn.Parameter(value, requires_grad=False) if name[0] in "wb" else value)
    filled = -(-rows // LANES) * LANES
    x = torch.full((len(ones), UNITS, filled), 7.0, dtype=dtype)  # rows that fill up are to be left out
    for place, member in enumerate(chosen):
        x[place, :, :rows] = 2 + 3 * drawn(UNITS, rows, seed=100 + member, dtype=dtype)
    y, gradients = torch.zeros_like(x), tuple(torch.zeros(len(ones), UNITS, dtype=dtype) for _ in range(2))
    return stacked.stage(x, torch.zeros_like(x), y, rows, gradients), x, y, gradients, stacked


def differences(function, at, step=1e-6):
    """Central differences of a number by each entry of a tensor."""
    found = torch.empty_like(at)
    for place in np.ndindex(*at.shape):
        kept = at[place].item()
        at[place] = kept + step
        above = function()
        at[place] = kept - step
        found[place] = (above - function()) / (2 * step)
        at[place] = kept
    return found


@pytest.mark.parametrize("rows", [1, 2, 19, 32, 45])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", NORMS)
def test_the_formula_and_its_derivatives(kind, training, rows):
    rng = TRAINING if training else None
    stage, x, y, (by_weight, by_bias), stacked = staged(kind, rows)
    alone, direction = module(kind), drawn(rows, UNITS, seed=7)
    inside, before = x[0, :, :rows], {k: v.clone() for k, v in alone.state_dict().items()}

    def loss():
        return (copy.deepcopy(alone)(inside.t().contiguous(), rng) * direction).sum().item()

    stage.forward(rng)
    expected = copy.deepcopy(alone)
    torch.testing.assert_close(y[0, :, :rows].t(), expected(inside.t().contiguous(), rng), rtol=1e-12, atol=1e-12)
    for name in ("running_mean", "running_var") if kind == "batch" else ():
        torch.testing.assert_close(getattr(stacked, name)[0], getattr(expected, name), rtol=1e-12, atol=0)
        moved = not torch.equal(getattr(expected, name), before[name])
        assert moved is (training and rows > 1)

    delta = torch.zeros_like(x)
    delta[0, :, :rows] = direction.t()
    found = stage.backward(delta)
    assert not found[:, :, rows:].any(), "rows that fill up got a derivative"
    torch.testing.assert_close(found[0, :, :rows], differences(loss, inside), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(by_weight[0], differences(loss, alone.weight.data), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(by_bias[0], differences(loss, alone.bias.data), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("rows", [2, 32, 45])
@pytest.mark.parametrize("kind", NORMS)
def test_each_member_has_the_bits_that_it_has_alone(kind, rows):
    stage, x, y, gradients, stacked = staged(kind, rows, 7, torch.float32)
    delta = torch.zeros_like(x)
    delta[:, :, :rows] = drawn(7, UNITS, rows, dtype=torch.float32)
    for _ in range(3):
        stage.forward(TRAINING)
        back = stage.backward(delta.clone())
    for member in range(7):
        alone, _, its_y, its_gradients, its = staged(kind, rows, 1, torch.float32, [member])
        for _ in range(3):
            alone.forward(TRAINING)
            found = alone.backward(delta[member : member + 1].clone())
        assert torch.equal(its_y[0], y[member])
        assert torch.equal(found[0], back[member])
        assert all(torch.equal(one[0], many[member]) for one, many in zip(its_gradients, gradients, strict=True))
        for name in ("running_mean", "running_var") if kind == "batch" else ():
            assert torch.equal(getattr(its, name)[0], getattr(stacked, name)[member])


def test_a_unit_that_never_moves_stays_finite():
    """Variance 0, as behind a rectifier that no row passes."""
    for kind in NORMS:
        stage, x, y, gradients, _ = staged(kind, 20)
        x.fill_(3.0)
        stage.forward(TRAINING)
        assert y.isfinite().all()
        assert stage.backward(torch.ones_like(x)).isfinite().all()
        assert all(gradient.isfinite().all() for gradient in gradients)


def net(kind):
    first = az.Input() + az.Dense(20, "silu", normalization=kind)
    return first + az.Dense(9, "relu", normalization=kind) + az.Dense(3) + az.Output()


def by_autograd(monkeypatch):
    monkeypatch.setattr("azogue.training.backends.supports", lambda network, recipe: False)


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-4), ("float64", 1e-9)])
@pytest.mark.parametrize("size", [16, 32])
@pytest.mark.parametrize("kind", NORMS)
def test_trainings_end_as_autograd_s(kind, size, precision, near, monkeypatch):
    """Batches of 81 rows: whole lanes, a part of them, and one row, of which there are no statistics."""
    made = {"precision": precision, "batch_size": size, "epochs": 5, "random_state": 1}
    session = open_session(az.Autoencoder(net(kind), **made), X, None, 0)
    assert type(session.backend) is Dense
    assert len(session.data) % 16 == 1
    ours = az.Autoencoder(net(kind), **made).fit(X)
    by_autograd(monkeypatch)
    theirs = az.Autoencoder(net(kind), **made).fit(X)
    for one, other in zip(ours.history_, theirs.history_, strict=True):
        for key in set(one) - {"seconds"}:
            assert one[key] == pytest.approx(other[key], rel=near), key
    assert ours.errors(X) == pytest.approx(theirs.errors(X), rel=10 * near, abs=1e-6)
    assert ours.history_[-1]["loss"] < ours.history_[0]["loss"]


def statistics(ae):
    return {name: value.clone() for name, value in ae.network_.state_dict().items() if "running" in name}


def test_the_best_epoch_s_statistics_are_kept():
    """What is kept and given back are the tensors that training moves."""
    losses = []
    made = {"epochs": 12, "learning_rate": 0.5, "batch_size": 16, "random_state": 0}
    ae = az.Autoencoder(net("batch"), callbacks=(lambda record: losses.append(record["val_loss"]),), **made).fit(X)
    best = int(np.argmin(losses)) + 1
    assert best < len(losses), "the last epoch was the best: nothing is told"
    stops = az.Autoencoder(net("batch"), callbacks=(lambda record: record["epoch"] == best,), **made).fit(X)
    for name, value in statistics(ae).items():
        assert torch.equal(value, statistics(stops)[name]), name
        assert not torch.equal(value, torch.full_like(value, float("var" in name))), "never moved"


def test_a_resumed_run_has_the_statistics_of_a_whole_one(tmp_path):
    made = {"epochs": 6, "batch_size": 16, "random_state": 0}
    whole = az.Autoencoder(net("batch"), **made).fit(X)

    def fail(record):
        if record["epoch"] == 3:
            raise OSError("the plug was pulled")

    with pytest.raises(OSError, match="plug"):
        az.Autoencoder(net("batch"), checkpoint=tmp_path / "run", callbacks=(fail,), **made).fit(X)
    resumed = az.Autoencoder(net("batch"), checkpoint=tmp_path / "run", resume=True, **made).fit(X)
    for name, value in statistics(whole).items():
        assert torch.equal(value, statistics(resumed)[name]), name
        assert not torch.equal(value, torch.full_like(value, float("var" in name))), "never moved"


def test_judging_moves_no_statistics():
    session = open_session(az.Autoencoder(net("batch"), batch_size=16), X, None, 0)
    states = [start(copy.deepcopy(session.network), session.recipe) for _ in range(2)]
    session.backend.step(states, together([session.data.all()] * 2))
    before = [state.weights() for state in states]
    first = session.backend.evaluate(states, [session.validation] * 2)
    assert session.backend.evaluate(states, [session.validation] * 2) == first
    for state, kept in zip(states, before, strict=True):
        assert all(torch.equal(value, kept[name]) for name, value in state.named().items())


def test_normalisations_of_positions_are_left_to_autograd():
    rows = RNG.normal(size=(40, 6, 2))
    network = az.Input() + az.BatchNorm() + az.Dense(3) + az.Output()
    session = open_session(az.Autoencoder(network, modality="sequence"), rows, None, 0)
    assert session.backend.name == "autograd"
