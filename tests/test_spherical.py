"""Codes on the unit sphere: golden numbers of the von Mises–Fisher distribution."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import gammaln, ive

import azogue as az
from azogue.codes import VonMisesFisher
from azogue.codes.spherical import angles, divergence
from azogue.recipe import Rng
from azogue.session import open_session
from azogue.training.autograd import forward

CONCENTRATIONS = [0.1, 1.0, 30.0, 1e3, 1e4]


def column(values, dtype=torch.float64):
    return torch.tensor(values, dtype=dtype).reshape(-1, 1)


def resultant(size, kappa):
    """A(κ), the mean of cos θ."""
    return ive(size / 2, kappa) / ive(size / 2 - 1, kappa)


def slope(size, kappa):
    """dA/dκ for moderate κ."""
    mean = resultant(size, kappa)
    return 1 - mean**2 - (size - 1) / kappa * mean


@pytest.mark.parametrize("size", [2, 3, 8, 32])
def test_the_divergence_and_its_derivative_are_those_of_bessel_functions(size):
    kappa = np.array(CONCENTRATIONS)
    order = size / 2 - 1
    ratio = gammaln(size / 2) + order * np.log(2 / kappa) + np.log(ive(order, kappa)) + kappa
    expected = kappa * resultant(size, kappa) - ratio
    given = column(CONCENTRATIONS).requires_grad_()
    found = divergence(given, size)
    found.sum().backward()
    assert found[:, 0].tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert given.grad[:, 0].tolist() == pytest.approx(kappa * slope(size, kappa), rel=1e-6)
    single = divergence(column(CONCENTRATIONS, torch.float32), size)
    assert single[:, 0].tolist() == pytest.approx(expected, abs=1e-5)


def test_the_divergence_on_the_sphere_in_space_is_the_closed_form():
    for kappa in (0.5, 5.0, 50.0):
        closed = kappa / math.tanh(kappa) - 1 - math.log(math.sinh(kappa) / kappa)
        assert divergence(column([kappa]), 3).item() == pytest.approx(closed, rel=1e-9)


@pytest.mark.parametrize("size", [2, 3, 8, 32])
@pytest.mark.parametrize("kappa", [0.1, 3.0, 50.0, 1e4])
def test_angles_have_the_mean_resultant_length_and_its_derivative(size, kappa):
    levels = (torch.arange(4_000, dtype=torch.float64)[:, None] + 0.5) / 4_000
    angle, by = angles(torch.full_like(levels, kappa), size, levels)
    assert (1 - angle.cos()).mean().item() == pytest.approx(1 - resultant(size, kappa), rel=1e-3)
    exact = column([kappa]).requires_grad_()
    divergence(exact, size).backward()  # κ dA/dκ, where Bessel functions lose their digits
    assert (-angle.sin() * by).mean().item() == pytest.approx(exact.grad.item() / kappa, rel=1e-3)
    near = angles(torch.full_like(levels, kappa * 1.01), size, levels)[0]
    inner = slice(40, -40)
    assert torch.allclose((near - angle)[inner], (0.01 * kappa * by)[inner], rtol=0.05, atol=1e-3 * angle.mean().item())


def test_draws_lie_on_the_sphere_around_their_mean_and_gradients_are_those_of_the_mean():
    h = torch.tensor([[0.3, -0.4, 1.2, 0.5]], dtype=torch.float64, requires_grad=True)
    code = VonMisesFisher()(h.expand(40_000, 4), Rng(0))
    kappa, direction = code.stats["concentration"], code.stats["direction"]
    assert torch.allclose(code.z.norm(dim=1), torch.ones(40_000, dtype=torch.float64))
    assert torch.allclose(direction[0], h[0, :3] / 1.3)
    mean = (1 / torch.tanh(kappa[0]) - 1 / kappa[0]) * direction[0]  # A(κ) = coth κ − 1/κ
    assert torch.allclose(code.z.mean(0), mean, atol=0.015)
    for unit in range(3):
        (found,) = torch.autograd.grad(code.z[:, unit].mean(), h, retain_graph=True)
        (expected,) = torch.autograd.grad(mean[unit], h, retain_graph=True)
        assert torch.allclose(found, expected, atol=0.015)


def test_the_concentration_has_a_floor_and_a_bound():
    h = torch.tensor([[1.0, 0.0, -50.0]], requires_grad=True)
    assert VonMisesFisher()(h, None).stats["concentration"].item() == pytest.approx(2 / 4, rel=1e-3)
    code = VonMisesFisher()(torch.tensor([[0.0, 0.0, 500.0]]), Rng(0))
    assert code.z.norm().item() == pytest.approx(1.0)
    assert divergence(code.stats["concentration"], 2).isfinite().all()


def test_the_prior_is_uniform_and_codes_snap_to_the_sphere():
    z = VonMisesFisher().draw(20_000, 3, Rng(0))
    assert z.norm(dim=1).numpy() == pytest.approx(np.ones(20_000), abs=1e-5)
    assert np.quantile(z[:, 1], [0.1, 0.5, 0.9]) == pytest.approx([-0.8, 0.0, 0.8], abs=0.03)  # Archimedes' hat box
    assert VonMisesFisher().snapped(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).norm(dim=1).tolist() == pytest.approx(
        [1, 1]
    )


def test_the_least_code_is_a_circle():
    with pytest.raises(ValueError, match="at least 2 units, as a circle has, got 1"):
        az.HypersphericalAutoencoder(1, epochs=1).fit(np.zeros((20, 3)))
    assert az.HypersphericalAutoencoder(epochs=1).fit(np.arange(20.0)[:, None]).code_size_ == 2


def test_terms_of_units_refuse_a_spherical_code_and_those_of_distributions_take_it():
    X = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(TypeError, match=r"TotalCorrelation\(\) needs a code with \['log_var', 'mean'\]"):
        az.HypersphericalAutoencoder(2, objective=az.objectives.MSE() + az.objectives.TotalCorrelation()).fit(X)
    ours = az.HypersphericalAutoencoder(2, epochs=3, random_state=0).fit(X)
    swapped = az.VariationalAutoencoder(2, code=VonMisesFisher(), epochs=3, random_state=0).fit(X)
    assert np.array_equal(ours.encode(X), swapped.encode(X))


def test_codes_of_any_prior_can_be_compared_with_draws_from_it():
    """MMD needs draws and nothing else: 0 between the prior and itself, far from it where all codes are one point."""
    X = np.random.default_rng(0).normal(size=(400, 3))
    objective = az.objectives.MSE() + az.objectives.MMD()
    session = open_session(
        az.Autoencoder(3, code=VonMisesFisher(), objective=objective, validation_fraction=0.0), X, None, seed=0
    )
    step = forward(session.network, session.data.all())
    draws = VonMisesFisher().draw(400, 3, Rng(5))
    point = torch.tensor([[1.0, 0.0, 0.0]]).expand(400, 3)
    near, far = (float(az.objectives.MMD()(replace(step, code=replace(step.code, z=z)))) for z in (draws, point))
    assert near < 0.02
    assert far > 20 * near


def test_the_bound_is_the_likelihood_less_the_divergence():
    """With a decoder that ignores the code, the likelihood is that of a fixed normal density, and the bound exact."""
    X = np.random.default_rng(0).normal(size=(50, 3))
    model = az.HypersphericalAutoencoder(3, epochs=2, variance=1.0, scaling="none", random_state=0).fit(X)
    with torch.no_grad():
        for matrix in model.network_.decoder.parameters():
            matrix.zero_()
        kappa = model.network_.encode(torch.as_tensor(X, dtype=torch.float32))[1].stats["concentration"]
    expected = -0.5 * (X**2 + math.log(2 * math.pi)).sum(1) - divergence(kappa, 3)[:, 0].numpy()
    assert model.elbo(X) == pytest.approx(expected, rel=1e-4)


def test_the_term_is_divided_by_the_observed_columns():
    X = np.random.default_rng(0).normal(size=(30, 6))
    X[0, :3] = np.nan
    session = open_session(az.HypersphericalAutoencoder(3, validation_fraction=0.0), X, None, seed=0)
    step = forward(session.network, session.data.all())
    values = az.objectives.KL()(step)
    nats = divergence(step.code.stats["concentration"], 3)[:, 0]
    assert torch.allclose(values, nats / torch.tensor([3.0, *[6.0] * 29]))


def test_a_closed_curve_becomes_the_circle():
    """A circle in five columns: its order around the code is that around the circle, which no line could keep."""
    turn = np.random.default_rng(0).permutation(np.linspace(-np.pi, np.pi, 300, endpoint=False))
    mix = np.random.default_rng(1).normal(size=(2, 5))
    X = np.stack([np.cos(turn), np.sin(turn)], 1) @ mix
    ae = az.HypersphericalAutoencoder(2, epochs=60, learning_rate=3e-3, random_state=0).fit(X)
    codes = ae.encode(X)
    assert np.hypot(*codes.T) == pytest.approx(np.ones(300), abs=1e-5)
    assert ae.evaluate(X)["r2"] > 0.95
    order = np.argsort(turn)
    around = np.unwrap(np.arctan2(*codes[order].T))
    assert abs(around[-1] - around[0]) == pytest.approx(2 * np.pi, abs=0.2)  # once around
    drawn = ae.sample(500)
    plane = drawn - X.mean(0)
    radius = np.linalg.norm(plane @ np.linalg.pinv(mix), axis=1)
    assert np.quantile(radius, [0.05, 0.95]) == pytest.approx([1.0, 1.0], abs=0.2)
