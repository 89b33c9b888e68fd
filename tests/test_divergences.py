"""Divergences, likelihoods and adversaries: golden numbers."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

import azogue as az
from azogue import objectives as obj
from azogue.build import build
from azogue.codes import Gaussian, Point, VectorQuantized
from azogue.heads import Bernoulli
from azogue.heads import Gaussian as Normal
from azogue.layers import Dense, Input, Output, as_network
from azogue.objectives import Objective, as_objective, evaluate, mmd
from azogue.objectives.reconstruction import PACE
from azogue.priors import StandardNormal
from azogue.recipe import Batch, Rng, Step
from azogue.training.autograd import forward


def network(code, *, width=6, size=4, heads=None, objective=None):
    spec = as_network(Input() + Dense(size) + Output(), 10, width)
    heads = heads or (Normal(0, width, tuple(range(width)), (1.0,) * width),)
    made = build(spec, code, width, heads, 0).double()
    made.attach(objective or Objective(()), 0)
    return made.double()


def rows(n=8, width=6, seed=0):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_kl_is_the_closed_form_divided_by_the_columns():
    step = forward(network(Gaussian()), Batch(rows()))
    mean, log_var = step.code.stats["mean"], step.code.stats["log_var"]
    expected = 0.5 * (mean**2 + log_var.exp() - log_var - 1).sum(1) / 6
    assert torch.allclose(obj.KL()(step), expected)


def test_kl_is_divided_by_the_observed_columns():
    mask = torch.ones(8, 6, dtype=torch.bool)
    mask[0, :3] = mask[1, :] = False
    net = network(Gaussian())
    whole, holes = obj.KL()(forward(net, Batch(rows()))), obj.KL()(forward(net, Batch(rows(), mask)))
    assert torch.allclose(holes[0], 2 * whole[0])
    assert torch.allclose(holes[1:], whole[1:])  # a row without any observed cell counts as whole


def test_kl_counts_columns_by_their_weights():
    heads = (Normal(0, 6, tuple(range(6)), (3.0, 1.0, 1.0, 1.0, 1.0, 1.0)),)
    plain = obj.KL()(forward(network(Gaussian()), Batch(rows())))
    assert torch.allclose(obj.KL()(forward(network(Gaussian(), heads=heads), Batch(rows()))), plain * 6 / 8)


def test_free_bits_are_of_the_batch_s_mean():
    step = forward(network(Gaussian()), Batch(rows()))
    units = StandardNormal().divergence(step.code.stats["mean"], step.code.stats["log_var"]).mean(0)
    free = units.median().item()
    expected = sum(max(value, free) for value in units.tolist()) / 6
    assert obj.KL(free_bits=free)(step).item() == pytest.approx(expected)
    half = torch.ones(8, 6, dtype=torch.bool)
    half[:, :3] = False  # twice the nats a column, and twice the allowance
    masked = forward(network(Gaussian()), Batch(rows(), half))
    assert obj.KL(free_bits=free)(masked).item() == pytest.approx(2 * expected)


def test_free_bits_are_free():
    step = forward(network(Gaussian()), Batch(rows()))
    assert obj.KL(free_bits=1e-12)(step).item() == pytest.approx(obj.KL()(step).mean().item(), rel=1e-6)
    assert obj.KL(free_bits=100.0)(step).item() == pytest.approx(4 * 100 / 6)


def test_minus_the_loss_is_the_evidence_lower_bound_per_column():
    objective = obj.Likelihood(0.3) + obj.KL()
    net = network(Gaussian(), objective=objective)
    x = rows()
    step = forward(net, Batch(x), rng=Rng(0))
    mean, log_var = step.code.stats["mean"].detach(), step.code.stats["log_var"].detach()
    terms = (obj.Likelihood(0.3)(step) + obj.KL()(step)).detach()
    for i in range(3):
        log_p = multivariate_normal(step.out[i].detach().numpy(), 0.3 * np.eye(6)).logpdf(x[i].numpy())
        kl = 0.5 * float((mean[i] ** 2 + log_var[i].exp() - log_var[i] - 1).sum())
        assert -6 * terms[i].item() == pytest.approx(log_p - kl, rel=1e-9)
    assert evaluate(objective, step)[0].item() == pytest.approx(terms.mean().item())


def test_likelihood_of_mixed_heads_and_its_errors():
    heads = (Normal(0, 2, (0, 1), (1.0, 1.0)), Bernoulli(2, 3, (2,), (1.0,)))
    for variance in ("shared", "column", 0.25):
        term = obj.Likelihood(variance)
        net = network(Point(), width=3, size=2, heads=heads, objective=as_objective(term))
        if not isinstance(variance, float):
            (own,) = net.part(term).parameters()
            own.data.fill_(math.log(0.25) / PACE)
            assert len(own) == (1 if variance == "shared" else 2)
        x = torch.tensor([[0.3, -1.0, 1.0]], dtype=torch.float64)
        step = forward(net, Batch(x))
        plain = (x - step.out)[0, :2].square()
        square = plain / 0.5
        entropy = -step.out[0, 2].log()
        expected = [*(square + 0.5 * math.log(2 * math.pi * 0.25)).tolist(), entropy.item()]
        assert (-term.likelihood(step))[0].tolist() == pytest.approx(expected, rel=1e-9)
        assert term(step).item() == pytest.approx(sum(expected) / 3, rel=1e-9)
        assert term.columns(step)[0].tolist() == pytest.approx([*plain.tolist(), entropy.item()], rel=1e-9)
        assert term.errors(step).item() == pytest.approx((plain.sum().item() + entropy.item()) / 3, rel=1e-9)


def test_a_learned_variance_settles_at_the_mean_squared_error():
    X = np.random.default_rng(0).normal(size=(400, 3)) * [1.0, 2.0, 5.0]
    vae = az.VariationalAutoencoder(1, beta=20.0, variance="column", scaling="none", epochs=150, learning_rate=0.02,
                                    validation_fraction=0.0, random_state=0).fit(X)  # fmt: skip
    (log_variance,) = vae.network_.part(vae.recipe_.objective.terms[0][1]).parameters()
    spread = ((X - vae.reconstruct(X)) ** 2).mean(0)
    assert np.exp(PACE * log_variance.detach().numpy()) == pytest.approx(spread, rel=0.1)


def test_mmd_of_equal_samples_is_zero_and_of_others_positive():
    x, y = rows(50, 3), rows(50, 3, seed=1)
    for kernel in ("imq", "rbf"):
        assert mmd(x, x, kernel).item() == pytest.approx(0.0, abs=1e-12)
        assert 0 < mmd(x, y, kernel).item() < 0.2 * mmd(x, y + 3.0, kernel).item()


def test_mmd_of_two_points_is_the_closed_form():
    x, y = torch.zeros(1, 1).double(), torch.full((1, 1), 2.0).double()
    scales = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    assert mmd(x, y, "imq").item() == pytest.approx(sum(2 - 2 * c / (c + 4) for c in scales))
    assert mmd(x, y, "rbf").item() == pytest.approx(sum(2 - 2 * math.exp(-4 / c) for c in scales))


def test_total_correlation_is_zero_for_equal_codes_and_grows_with_dependence():
    net = network(Gaussian(), size=2)
    step = forward(net, Batch(rows(200)))

    def value(mean, log_var):
        z = mean + (0.5 * log_var).exp() * rows(len(mean), mean.shape[1], seed=3)
        code = type(step.code)(z, {"mean": mean, "log_var": log_var})
        return obj.TotalCorrelation()(Step(step.x, step.x, None, step.h, code, step.out, net)).item()

    same = torch.zeros(200, 2, dtype=torch.float64)
    assert value(same, same) == pytest.approx(0.0, abs=1e-12)
    one, other = rows(200, 1), rows(200, 1, seed=2)
    narrow = torch.full((200, 2), -2.0, dtype=torch.float64)
    apart, together = value(torch.cat([one, other], 1), narrow), value(torch.cat([one, one], 1), narrow)
    # joint normal of variance 1 + e⁻² and correlation 1/(1 + e⁻²): −½ log(1 − ρ²)
    rho = 1 / (1 + math.exp(-2))
    assert together == pytest.approx(-0.5 * math.log(1 - rho**2), rel=0.15)
    assert abs(apart) < 0.1 * together


def test_commitment_is_the_weighted_squared_distances():
    term = obj.Commitment(beta=0.25, revival=0.0)
    net = network(VectorQuantized(entries=3, dimension=2))
    step = forward(net, Batch(rows()), rng=Rng(0))
    distance = (step.h - step.code.stats["quantized"].reshape(step.h.shape)).square().mean(1)
    assert torch.allclose(term(step), 1.25 * distance)
    h, book = step.h.detach(), net.code.values()["codebook"]
    nearest = torch.stack([(h.reshape(8, 2, 2)[:, g, None] - book[g]).square().mean(2).amin(0) for g in range(2)])
    assert torch.allclose(obj.Commitment(0.25, 2.0)(step) - term(step), 2.0 * nearest.mean())
    term(step).sum().backward()
    toward = (h.reshape(8, 2, 2) - step.code.stats["quantized"].detach()).reshape(8, 4) * 2 / 4
    assert torch.allclose(net.encoder.steps[0].bias.grad, 0.25 * toward.sum(0))  # beta moves the encoder, 1 the entries


def test_every_entry_of_a_codebook_moves():
    X = np.random.default_rng(0).normal(size=(256, 6))
    make = az.VectorQuantizedAutoencoder(4, entries=64, random_state=0, validation_fraction=0.0)
    before = make.set_params(epochs=1, learning_rate=1e-12).fit(X).network_.code.values()["codebook"].detach().clone()
    after = make.set_params(epochs=3, learning_rate=1e-2).fit(X).network_.code.values()["codebook"].detach()
    assert ((before - after).abs().amax(2) > 1e-3).all()


def test_judge_and_adversary_are_the_cross_entropies():
    term = obj.Adversary((5,))
    objective = obj.MSE() + term
    net = network(Point(StandardNormal()), objective=objective)
    step = forward(net, Batch(rows()), rng=Rng(4))
    logits = net.part(term)(step.code.z)
    assert torch.allclose(term(step), -torch.log(torch.sigmoid(logits)))
    draws = net.code.draw(8, Rng(4)).double()
    expected = -0.5 * (torch.log(torch.sigmoid(net.part(term)(draws))) + torch.log(1 - torch.sigmoid(logits)))
    loss = term.opponent(step)
    assert torch.allclose(loss, expected)
    loss.sum().backward()
    assert all(p.grad is None for p in net.encoder.parameters())  # the judge's player leaves the autoencoder alone


def test_an_untrained_balance_is_log_two():
    term = obj.Adversary((5,))
    net = network(Point(StandardNormal()), objective=obj.MSE() + term)
    for p in net.part(term).parameters():
        p.data.zero_()
    step = forward(net, Batch(rows()), rng=Rng(0))
    assert term(step).mean().item() == pytest.approx(math.log(2))
    assert term.opponent(step).mean().item() == pytest.approx(math.log(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: obj.KL(-1.0), "free_bits"),
        (lambda: obj.MMD("linear"), "kernel"),
        (lambda: obj.Commitment(-1.0), "beta"),
        (lambda: obj.Adversary(()), "units"),
        (lambda: obj.Likelihood(0.0), "variance must be positive"),
        (lambda: obj.Likelihood("row"), "'shared' or 'column'"),
    ],
)
def test_senseless_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("ae", "message"),
    [
        (az.Autoencoder(2, objective=az.objectives.KL()), r"KL\(\) needs a code with \['divergence'\]"),
        (az.Autoencoder(2, objective=az.objectives.MMD()), r"MMD\(\) needs a code with \['prior'\], but Point\(\)"),
        (az.VectorQuantizedAutoencoder(2, code=az.codes.Point()), r"Commitment\(\) needs a code with"),
        (az.VariationalAutoencoder(2, code=az.codes.TopK(1)), "KL"),
    ],
    ids=repr,
)
def test_a_term_whose_code_is_missing_says_so(ae, message):
    with pytest.raises(TypeError, match=message):
        ae.fit(np.random.default_rng(0).normal(size=(20, 4)))
