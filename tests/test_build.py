"""From specs to torch: shapes, initial weights, tied weights, modules of one's own."""

import pytest
import torch
from torch import nn

from azogue.build import build, wrap_modules
from azogue.codes import Point
from azogue.heads import Bernoulli, Categorical, Gaussian
from azogue.layers import BatchNorm, Dense, Dropout, Input, Output, as_network
from azogue.recipe import Rng

HEADS = (Gaussian(0, 6, tuple(range(6)), (1.0,) * 6),)


def network(spec, width=6, seed=0, heads=HEADS):
    return build(as_network(spec, rows=100, width=width), Point(), width, heads, seed)


def test_forward_is_the_formula():
    net = network(Input() + Dense(3, "tanh") + Output())
    x = torch.randn(5, 6)
    enc, dec = net.encoder.steps[0], net.decoder.steps[0]
    expected = torch.tanh(x @ enc.weight.T + enc.bias) @ dec.weight.T + dec.bias
    assert torch.allclose(net(x), expected, atol=1e-6)


def test_initial_weights_depend_on_the_seed_and_the_place_alone():
    a, b, c = network((5, 3)), network((5, 3)), network((5, 3), seed=1)
    for (name, p), q, r in zip(a.named_parameters(), b.parameters(), c.parameters(), strict=True):
        assert torch.equal(p, q), name
        if p.ndim > 1:
            assert not torch.equal(p, r), name


def test_initial_variance():
    wide = network(Input() + Dense(4000, "relu") + Output(), width=6).encoder.steps[0].weight
    assert wide.var().item() == pytest.approx(2 / 6, rel=0.05)


def test_tied_weights_are_one_parameter():
    net = network(Input() + Dense(5, "relu") + Dense(2) + Output(tied=True))
    assert torch.equal(net.decoder.steps[1].weight, net.encoder.steps[0].weight.t())
    names = [name for name, _ in net.named_parameters()]
    assert len([name for name in names if name.endswith("weight")]) == 2
    net(torch.randn(4, 6)).sum().backward()
    assert (net.encoder.steps[1].weight.grad != 0).any()
    with pytest.raises(ValueError, match="mirror"):
        network(Input() + Dense(5) + Dense(2) + Dense(4) + Output(tied=True))


def test_tied_weights_survive_a_copy():
    import copy

    net = network(Input() + Dense(2) + Output(tied=True))
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.encoder.steps[0].weight.zero_()
    assert (other.decoder.steps[0].weight == 0).all()
    assert (net.decoder.steps[0].weight != 0).any()


def test_dropout_draws_from_the_step_alone():
    net = network(Input() + Dense(50) + Dropout(0.4) + Dense(2) + Output())
    x = torch.ones(40, 6)
    assert torch.equal(net(x), net(x))
    rng = Rng(0, epoch=1)
    assert torch.equal(net(x, rng), net(x, rng))
    assert not torch.equal(net(x, rng), net(x, rng.at(step=1)))
    kept = net.encoder.steps[1](torch.ones(2000, 50), rng)
    assert kept.mean().item() == pytest.approx(1.0, abs=0.02)
    assert (kept == 0).float().mean().item() == pytest.approx(0.4, abs=0.02)


def test_batch_norm_of_one_row_and_of_many():
    net = network(Input() + Dense(4) + BatchNorm() + Dense(2) + Output())
    assert torch.isfinite(net(torch.randn(1, 6), Rng(0))).all()
    norm = net.encoder.steps[1]
    out = norm(torch.randn(500, 4) * 3 + 7, Rng(0))
    assert torch.allclose(out.mean(0), torch.zeros(4), atol=1e-4)
    assert torch.allclose(out.var(0, unbiased=False), torch.ones(4), atol=1e-3)
    assert (norm.running_mean != 0).all()


def test_heads_link_their_own_slots():
    heads = (Gaussian(0, 2, (0, 1), (1.0, 1.0)), Bernoulli(2, 3, (2,), (1.0,)), Categorical(3, 6, (3,), (1.0,)))
    net = network(3, heads=heads)
    raw = torch.randn(4, 6)
    out = net.link(raw)
    assert torch.equal(out[:, :2], raw[:, :2])
    assert torch.allclose(out[:, 2], torch.sigmoid(raw[:, 2]))
    assert torch.allclose(out[:, 3:].sum(1), torch.ones(4))
    assert net.columns.tolist() == [0, 1, 2, 3, 3, 3]
    assert net.first_slots.tolist() == [0, 1, 2, 3]


def test_torch_modules():
    pair = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5), nn.Linear(4, 2)), nn.Linear(2, 6)
    net = wrap_modules(pair, Point(), HEADS, (6,))
    assert net.size == 2
    x = torch.randn(3, 6)
    state = torch.get_rng_state()
    assert torch.equal(net(x, Rng(0)), net(x, Rng(0)))
    assert not torch.equal(net(x, Rng(0)), net(x, Rng(1)))
    assert torch.equal(net(x), net(x))
    assert torch.equal(state, torch.get_rng_state())
    assert next(net.parameters()) is not next(pair[0].parameters())


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((nn.Linear(5, 2), nn.Linear(2, 6)), "encoder does not take rows of 6"),
        ((nn.Linear(6, 2), nn.Linear(3, 6)), "decoder does not take codes of 2"),
        (
            (nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(5, 2)), nn.Linear(2, 6)),
            r"layer 2, Linear\(in_features=5, .*got \(4,\)",
        ),
        ((nn.Linear(6, 2), nn.Linear(2, 5)), r"expected \(6,\)"),
        ((nn.Unflatten(1, (2, 3)), nn.Linear(2, 6)), "encoder returned"),
    ],
)
def test_torch_modules_of_wrong_shape(pair, message):
    with pytest.raises(ValueError, match=message):
        wrap_modules(pair, Point(), HEADS, (6,))
