"""The contraction is the encoder's true Jacobian, however it is computed and whatever normalises the layers."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import azogue as az
from azogue.build import build, wrap_modules
from azogue.codes import Point
from azogue.heads import Gaussian
from azogue.layers import as_network
from azogue.objectives import Contraction
from azogue.recipe import Batch, Rng, Rngs
from azogue.training.autograd import forward

D = 7


def model(stack, width=D):
    heads = (Gaussian(0, width, tuple(range(width)), (1.0,) * width),)
    return build(as_network(stack, 10, width), Point(), width, heads, 0).double()


def rows(n=5, width=D):
    return torch.randn(n, width, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def finite_differences(encode, x, eps=1e-6):
    """Σ of squared derivatives of each row's code, all rows moved at once."""
    total = torch.zeros(len(x), dtype=torch.float64)
    for i in range(x.shape[1]):
        e = torch.zeros_like(x)
        e[:, i] = eps
        total += ((encode(x + e) - encode(x - e)) / (2 * eps)).square().sum(1)
    return total.detach()


NETWORKS = {
    "sigmoid": az.Input() + az.Dense(3, "sigmoid") + az.Output(),
    "relu": az.Input() + az.Dense(3, "relu") + az.Output(),
    "deep": az.Input() + az.Dense(6, "tanh") + az.Dense(3, "sigmoid"),
    "overcomplete": az.Input() + az.Dense(12, "silu") + az.Bottleneck(20, "tanh"),
    "batch norm inside": az.Input() + az.Dense(6, "tanh", normalization="batch") + az.Dense(3),
    "batch norm behind": az.Input() + az.Dense(6, "tanh") + az.BatchNorm() + az.Dense(3),
    "one layer, normalised": az.Input() + az.Bottleneck(3, "sigmoid") + az.BatchNorm(),
    "layer norm": az.Input() + az.Dense(6, "tanh", normalization="layer") + az.Dense(3),
}


@pytest.mark.parametrize("stack", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("exact", [64, 0], ids=["exact", "estimated"])
def test_at_inference_it_is_the_finite_difference(stack, exact):
    net, x = model(stack), rows()
    value = Contraction(exact=exact, probes=20_000 if exact == 0 else 4)(forward(net, Batch(x))).detach()
    expected = finite_differences(lambda v: net.encoder(v), x)
    assert torch.allclose(value, expected, rtol=1e-6 if exact else 0.05)


@pytest.mark.parametrize("name", ["batch norm inside", "batch norm behind"])
def test_batch_statistics_are_constants_of_what_is_differentiated(name):
    net, x = model(NETWORKS[name]), rows()
    value = Contraction()(forward(net, Batch(x), rng=Rng(0))).detach()
    function = net.encoder.rowwise(x, Rng(0))
    assert torch.allclose(function(x), net.encoder(x, Rng(0)))  # the same function, with the statistics of x
    assert torch.allclose(function(x[:1]), function(x)[:1])  # of single rows
    assert torch.allclose(value, finite_differences(function, x), rtol=1e-6)
    norm = next(m for m in net.encoder.modules() if isinstance(m, torch.nn.BatchNorm1d))
    before = norm.running_mean.clone()
    step = forward(net, Batch(x), rng=Rng(0))
    moved = norm.running_mean.clone()
    Contraction()(step)
    assert not torch.equal(before, moved)
    assert torch.equal(norm.running_mean, moved)  # measuring does not count as seeing the rows again


@pytest.mark.parametrize("units", [3, 20])
def test_dropout_keeps_its_pattern(units):
    net, x = model(az.Input() + az.Dense(6, "tanh") + az.Dropout(0.5) + az.Bottleneck(units)), rows()
    value = Contraction()(forward(net, Batch(x), rng=Rng(3))).detach()
    assert torch.allclose(value, finite_differences(lambda v: net.encoder(v, Rng(3)), x), rtol=1e-6)


def test_closed_form_of_one_sigmoid_layer():
    net, x = model(NETWORKS["sigmoid"]), rows()
    (layer,) = net.encoder.steps
    h = net.encoder(x)
    expected = ((h * (1 - h)) ** 2 * (layer.weight**2).sum(1)).sum(1)
    assert torch.allclose(Contraction()(forward(net, Batch(x))), expected, rtol=1e-12)


@pytest.mark.parametrize("layers", [1, 2])
def test_of_a_gaussian_code_both_halves_count(layers):
    """The activation is of the means alone; h, and so the Jacobian, holds means and log variances."""
    stack = (
        az.Input() + az.Dense(5, "tanh") + az.Bottleneck(2, "sigmoid") if layers == 2 else az.Bottleneck(2, "sigmoid")
    )
    heads = (Gaussian(0, D, tuple(range(D)), (1.0,) * D),)
    net, x = build(as_network(stack, 10, D), az.codes.Gaussian(), D, heads, 0).double(), rows()
    h = net.encoder(x)
    before = torch.nn.functional.linear(_up_to_last(net, x), *_last(net))
    assert torch.allclose(h, torch.cat([before[:, :2].sigmoid(), before[:, 2:]], 1))
    value = Contraction()(forward(net, Batch(x))).detach()
    assert torch.allclose(value, finite_differences(lambda v: net.encoder(v), x), rtol=1e-6)


def _last(net):
    return net.encoder.steps[-1].weight, net.encoder.steps[-1].bias


def _up_to_last(net, x):
    for step in list(net.encoder.steps)[:-1]:
        x = step(x, None)
    return x


@pytest.mark.parametrize("name", ["sigmoid", "deep", "overcomplete", "batch norm inside"])
def test_its_gradient_is_the_finite_difference(name):
    net, x = model(NETWORKS[name]), rows()
    weight = next(net.encoder.parameters())

    def value():
        return Contraction()(forward(net, Batch(x), rng=Rng(0))).sum()

    (gradient,) = torch.autograd.grad(value(), weight)
    with torch.no_grad():
        for at in ((0, 0), (2, 3)):
            weight[at] += 1e-6
            up = value()
            weight[at] -= 2e-6
            down = value()
            weight[at] += 1e-6
            assert ((up - down) / 2e-6).item() == pytest.approx(gradient[at].item(), rel=1e-4, abs=1e-7)


BY_HAND = {
    "one layer": (az.Input() + az.Dense(3, "sigmoid") + az.Output(), {}),
    "one unbounded layer": (az.Input() + az.Dense(3) + az.Output(), {}),
    "two layers": (az.Input() + az.Dense(6, "softsign") + az.Dense(3) + az.Output(), {}),
    "three layers": (az.Input() + az.Dense(6, "tanh") + az.Dense(5, "elu") + az.Dense(3, "sigmoid"), {}),
    "wide layer": (az.Input() + az.Dense(20, "gelu") + az.Dense(3, "tanh") + az.Output(), {}),
    "wide code": (az.Input() + az.Dense(6, "silu") + az.Bottleneck(9, "softplus"), {}),
    "dropout": (az.Input() + az.Dropout(0.2) + az.Dense(6, "selu") + az.Dropout(0.3) + az.Dense(3, "tanh"), {}),
    "estimate": (az.Input() + az.Dense(6, "tanh") + az.Dense(4, "sigmoid") + az.Output(), {"exact": 2, "probes": 3}),
    "estimate, wide code": (az.Input() + az.Dense(6, "tanh") + az.Bottleneck(9, "sigmoid"), {"exact": 6}),
}


@pytest.mark.parametrize("count", [1, 5, 40])
@pytest.mark.parametrize(("stack", "parameters"), BY_HAND.values(), ids=BY_HAND)
def test_its_gradient_by_hand_is_the_finite_difference(stack, parameters, count):
    """By every weight and bias, at biases that are not 0; the weights of `stacked` networks are all members'."""
    net, x, term = model(stack), rows(count), Contraction(**parameters)
    encoder = net.encoder.requires_grad_(False)
    for number, parameter in enumerate(encoder.parameters()):
        parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))

    def value():
        return term(forward(net, Batch(x), rng=Rng(3))).mean().item()

    assert term.derives(net)
    many = copy.deepcopy(encoder)
    for module in many.modules():
        for name, parameter in module._parameters.items():
            module._parameters[name] = torch.nn.Parameter(parameter[None].clone(), requires_grad=False)
    step = SimpleNamespace(
        seen=x[None], h=encoder(x, Rng(3))[None], rng=Rngs([Rng(3)]), model=SimpleNamespace(encoder=many)
    )
    pulled = term.gradient(step, 0.7)
    assert pulled.value.tolist() == pytest.approx([value()], rel=1e-12)
    assert torch.equal(term.mean(step, 0.7), pulled.value)
    found = {id(parameter): derivative for parameter, derivative in pulled.parameters}
    assert len(found) == len(pulled.parameters)
    for parameter, stacked in zip(encoder.parameters(), many.parameters(), strict=True):
        expected = torch.zeros_like(parameter)
        for at in np.ndindex(*parameter.shape):
            kept, h = parameter[at].item(), 1e-5
            parameter[at] = kept + h
            above = value()
            parameter[at] = kept - h
            expected[at] = 0.7 * (above - value()) / (2 * h)
            parameter[at] = kept
        torch.testing.assert_close(found.get(id(stacked), expected[None] * 0)[0], expected, rtol=1e-6, atol=1e-8)


def test_it_says_for_which_networks_it_has_a_gradient_by_hand():
    assert not Contraction().analytic
    assert Contraction().derives(model(NETWORKS["deep"]))
    for name in ("batch norm inside", "batch norm behind", "layer norm"):
        assert not Contraction().derives(model(NETWORKS[name])), name
    assert not Contraction().derives(model(az.Input() + az.Dense(5) + az.Residual() + az.Dense(2) + az.Output()))


def test_it_is_not_the_gradient_of_the_sum():
    """Two opposite units cancel in the gradient of their sum, and not in the Jacobian."""
    net = model(az.Input() + az.Dense(2) + az.Output(), 3)
    with torch.no_grad():
        net.encoder.steps[0].weight.copy_(torch.tensor([[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0]]))
    assert Contraction()(forward(net, Batch(rows(2, 3)))).tolist() == pytest.approx([10.0, 10.0])


def test_modules_of_the_user_are_differentiated_too():
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Linear(D, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2)).double()
    heads = (Gaussian(0, D, tuple(range(D)), (1.0,) * D),)
    net = wrap_modules((encoder.float(), torch.nn.Linear(2, D)), Point(), heads, (D,)).double()
    x = rows()
    value = Contraction()(forward(net, Batch(x), rng=Rng(0))).detach()
    assert torch.allclose(value, finite_differences(lambda v: net.encoder(v), x), rtol=1e-6)


def test_modules_that_normalise_are_differentiated_as_at_inference():
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(
        torch.nn.Linear(D, 9), torch.nn.BatchNorm1d(9), torch.nn.Dropout(0.5), torch.nn.Tanh()
    )
    heads = (Gaussian(0, D, tuple(range(D)), (1.0,) * D),)
    net = wrap_modules((encoder, torch.nn.Linear(9, D)), Point(), heads, (D,)).double()  # more units than inputs
    x = rows()
    value = Contraction()(forward(net, Batch(x), rng=Rng(0))).detach()
    assert torch.allclose(value, finite_differences(lambda v: net.encoder(v), x), rtol=1e-6)


def test_more_contraction_makes_a_flatter_encoder(rows):
    def flatness(weight):
        ae = az.ContractiveAutoencoder(
            az.Input() + az.Dense(4, "sigmoid") + az.Output(),
            contraction=weight,
            epochs=60,
            learning_rate=1e-2,
            random_state=0,
        ).fit(rows)
        return Contraction()(forward(ae.network_, ae.schema_.pack(rows))).mean().item()

    assert flatness(1.0) < 0.5 * flatness(1e-6)


def test_walks_start_near_their_rows_and_follow_what_the_encoder_reacts_to(rows):
    ae = az.ContractiveAutoencoder(2, epochs=60, random_state=0).fit(rows)
    still = ae.walk(rows[:20], steps=1, sd=0.0)
    assert np.allclose(still, ae.reconstruct(rows[:20]), atol=1e-6)
    near, far = (np.abs(ae.walk(rows[:20], steps=1, sd=sd) - still).mean() for sd in (0.05, 0.5))
    assert 0 < near < far
    walked = ae.walk(rows[:100], steps=5, sd=0.3)
    assert np.array_equal(walked, ae.walk(rows[:100], steps=5, sd=0.3))
    assert not np.array_equal(walked, ae.walk(rows[:100], steps=5, sd=0.3, random_state=1))
    noise = rows[:100] + (walked - rows[:100])[np.random.default_rng(0).permutation(100)]
    assert ae.errors(walked).mean() < 0.3 * ae.errors(noise).mean()  # they stay where the data are
    with pytest.raises(ValueError, match="steps"):
        ae.walk(rows, steps=0)
