"""Convolutions, pooling, recurrent layers: shapes, golden numbers, mirrors."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

import azogue as az
from azogue.build import build
from azogue.codes import Gaussian, Point
from azogue.layers import (
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    Input,
    Output,
    Pool,
    Recurrent,
    Repeat,
    Restore,
    Upsample,
    as_network,
    auto_layers,
    shapes,
    weight_counts,
)
from azogue.optimizers import Constant
from azogue.positional import (
    ChannelNorm,
    ConvModule,
    ConvTransposeModule,
    PoolModule,
    RecurrentModule,
    RowNorm,
    UpsampleModule,
    flat,
    pictures,
)
from azogue.recipe import Rng
from azogue.session import open_session
from azogue.training.data import together
from azogue.training.state import start


def rows(n, *shape, seed=0):
    return torch.randn(n, int(torch.tensor(shape).prod()), generator=torch.Generator().manual_seed(seed)).double()


def made(spec, *shape, kind=ConvModule):
    return kind(shape, spec, Rng(0)).double()


def test_rows_are_pictures_without_a_copy():
    x = rows(2, 5, 4, 3)
    grid = pictures(x, (5, 4, 3))
    assert grid.shape == (2, 3, 5, 4)
    assert grid.is_contiguous(memory_format=torch.channels_last)
    assert grid.data_ptr() == x.data_ptr()
    assert grid[1, 2, 3, 0] == x[1].view(5, 4, 3)[3, 0, 2]
    assert torch.equal(flat(grid), x)
    assert pictures(x, (20, 3)).shape == (2, 3, 1, 20)


@pytest.mark.parametrize("padding", ["valid", 0, 1, 2])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [1, 3, 4])
def test_convolution_is_torch_s(size, stride, padding):
    spec = Conv(4, size, "relu", stride=stride, padding=padding)
    module, x = made(spec, 11, 9, 3), rows(2, 11, 9, 3)
    expected = nn.functional.conv2d(
        pictures(x, (11, 9, 3)), module.weight, module.bias, stride, 0 if padding == "valid" else padding
    ).relu()
    assert torch.allclose(module(x, None), flat(expected), atol=1e-12)
    assert spec.result((11, 9, 3)) == (*expected.shape[2:], 4)
    one, signal = made(spec, 20, 3), rows(2, 20, 3)
    line = nn.functional.conv1d(
        signal.view(2, 20, 3).transpose(1, 2),
        one.weight[:, :, 0],
        one.bias,
        stride,
        0 if padding == "valid" else padding,
    )
    assert torch.allclose(one(signal, None), line.relu().transpose(1, 2).reshape(2, -1), atol=1e-12)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_same_keeps_the_positions_and_divides_them_by_the_stride(size):
    for n, stride in itertools.product(range(1, 12), (1, 2, 3)):
        spec = Conv(2, size, stride=stride)
        assert spec.result((n, 3)) == (-(-n // stride), 2)
        assert made(spec, n, 3)(rows(2, n, 3), None).shape == (2, -(-n // stride) * 2)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("size", "padding"), [(3, "same"), (5, "same"), (4, "same"), (2, "same"), (3, "valid"), (5, 1)]
)
def test_convolution_is_mirrored_back_to_the_input_s_size(size, padding, stride):
    """Every size 5…64: the mirror has the positions of the input, and is the transpose of the linear map."""
    for n in range(5, 65):
        spec = Conv(2, size, stride=stride, padding=padding)
        there = spec.result((n, n, 1))
        (back,) = spec.back((n, n, 1), None)
        assert back.result(there) == (n, n, 1)
        if n > 16 and n % 7:
            continue
        module, mirror = made(spec, n, n, 1), made(back, *there, kind=ConvTransposeModule)
        mirror.weight.data = module.weight.data
        x, y = rows(3, n, n, 1), rows(3, *there, seed=1)
        left = (module.affine(x) * y).sum()
        right = (x * mirror.affine(y)).sum()
        assert torch.allclose(left, right, rtol=1e-10), (n, size, stride, padding)


@pytest.mark.parametrize("n", [5, 8, 13, 64])
def test_whole_networks_come_back_to_the_input_s_size(n):
    net = Conv(3, 3, "relu", stride=2) + Pool(2) + Conv(4, 3, "relu", padding="valid" if n > 20 else "same")
    for shape in ((n, n, 2), (n, 3), (n, n + 3, 1)):
        for stack in (net, net + Dense(5), net + Dense(9, "tanh") + Dense(2)):
            width = int(torch.tensor(shape).prod())
            network = build(as_network(stack, 100, shape), Point(), width, (), 0)
            _, code, _, raw = network.passed(torch.zeros(2, width))
            assert raw.shape == (2, width)
            assert code.z.shape == (2, network.size)


def test_what_the_mirror_is():
    spec = as_network(
        Input()
        + Conv(16, 3, "relu", stride=2, normalization="batch")
        + Dropout(0.1)
        + Conv(8, 5, "tanh")
        + Pool(2)
        + Flatten()
        + Dense(20, "silu")
        + Dense(3)
        + Output(),
        100,
        (9, 7, 2),
    )
    assert spec.decoder == (
        Dense(20, "silu"),
        Restore((3, 2, 8), "tanh"),
        Upsample(2, to=(5, 4)),
        ConvTranspose(16, 5, "relu", normalization="batch", to=(5, 4)),
        Dropout(0.1),
    )
    assert spec.final == ConvTranspose(2, 3, stride=2, to=(9, 7))
    assert spec.code_size == 3
    network = build(spec, Point(), 126, (), 0)
    matrices = [sum(p.numel() for p in half.parameters() if p.ndim > 1) for half in (network.encoder, network.decoder)]
    assert weight_counts(spec, 126, 3) == tuple(matrices)


def test_what_a_whole_way_back_is():
    net = Conv(4, stride=2) + Dense(6) + Restore((4, 4, 4), "relu") + ConvTranspose(1, stride=2)
    spec = as_network(net, 10, (8, 8, 1))
    assert (spec.code_size, spec.final) == (6, ConvTranspose(1, stride=2))
    spec = as_network(Conv(4, stride=2) + ConvTranspose(8, 3, "relu", stride=2), 10, (8, 8, 3))
    assert (spec.code_size, spec.final) == (64, Conv(3, 1))
    spec = as_network(Conv(4, stride=2) + ConvTranspose(8, 3, "relu", stride=2), 10, (9, 9, 3))
    assert spec.final is None, "ten positions are not nine: a dense layer leads from them to the output"
    assert as_network((30, 5), 100, (8, 8, 1)).decoder == (Dense(30, "silu"),)


def test_rules_for_networks_that_nobody_spells_out():
    assert auto_layers(100, (7, 28, 1), 4) == (Dense(100, "silu"), Dense(100, "silu"))
    assert [type(layer) for layer in auto_layers(100, (64, 3), 4)] == [Conv, Conv]
    assert as_network("auto", 1000, (28, 28, 1)).code_size == 32
    assert as_network(5, 1000, (8, 8, 3)).encoder[-1] == Dense(5)


@pytest.mark.parametrize("kind", ["max", "mean"])
def test_pooling(kind):
    x = rows(2, 5, 4, 2)
    found = PoolModule((5, 4, 2), Pool(2, kind))(x, None).view(2, 3, 2, 2)
    grid = x.view(2, 5, 4, 2)
    for i, j in itertools.product(range(3), range(2)):
        part = grid[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        expected = part.amax((1, 2)) if kind == "max" else part.mean((1, 2))
        assert torch.allclose(found[:, i, j], expected)
    assert Pool(3).result((10, 4)) == (4, 4)
    again = UpsampleModule((3, 2, 2), Upsample(2, to=(5, 4)))(found.reshape(2, -1), None).view(2, 5, 4, 2)
    assert torch.equal(again[:, 4, 3], found[:, 2, 1])
    assert torch.equal(again[:, 0, 0], again[:, 1, 1])


@pytest.mark.parametrize("sequences", [True, False])
def test_gru_is_torch_s(sequences):
    spec = Recurrent(5, sequences=sequences)
    module, theirs = made(spec, 7, 3, kind=RecurrentModule), nn.GRU(3, 5, batch_first=True).double()
    with torch.no_grad():
        for parameter in (module.bias, module.state_bias):
            parameter.normal_(generator=torch.Generator().manual_seed(1))
        theirs.weight_ih_l0.copy_(module.weight)
        theirs.weight_hh_l0.copy_(module.state_weight)
        theirs.bias_ih_l0.copy_(module.bias)
        theirs.bias_hh_l0.copy_(torch.cat([torch.zeros(10), module.state_bias]))
    x = rows(4, 7, 3)
    out, last = theirs(x.view(4, 7, 3))
    assert torch.allclose(module(x, None), out.reshape(4, -1) if sequences else last[0], atol=1e-12)


@pytest.mark.parametrize("sequences", [True, False])
def test_lstm_is_torch_s(sequences):
    spec = Recurrent(5, "lstm", sequences=sequences)
    module, theirs = made(spec, 7, 3, kind=RecurrentModule), nn.LSTM(3, 5, batch_first=True).double()
    order = [0, 1, 3, 2]  # torch: input, forget, cell, output
    with torch.no_grad():
        for name in ("weight", "state_weight", "bias"):
            value = getattr(module, name)
            parts = value.view(4, 5, -1)[order].reshape(value.shape)
            target = {"weight": "weight_ih_l0", "state_weight": "weight_hh_l0", "bias": "bias_ih_l0"}[name]
            getattr(theirs, target).copy_(parts)
        theirs.bias_hh_l0.zero_()
    x = rows(4, 7, 3)
    out, (last, _) = theirs(x.view(4, 7, 3))
    assert torch.allclose(module(x, None), out.reshape(4, -1) if sequences else last[0], atol=1e-12)


def test_recurrent_mirror():
    spec = as_network(Recurrent(6, "lstm") + Dense(2), 50, (10, 3))
    assert spec.encoder[0] == Recurrent(6, "lstm", sequences=False)
    assert spec.decoder == (Dense(6, "tanh"), Repeat(10), Recurrent(6, "lstm", sequences=True))
    assert spec.final == Conv(3, 1)
    stacked = as_network(Conv(4, 5, stride=2) + Recurrent(6) + Recurrent(5) + Dense(2), 50, (11, 3))
    assert [layer.sequences for layer in stacked.encoder[1:3]] == [True, False]
    assert stacked.final == ConvTranspose(3, 5, stride=2, to=(11,))
    network = build(stacked, Gaussian(), 33, (), 0)
    assert network(torch.zeros(2, 33)).shape == (2, 33)


def test_normalisation_is_by_channel_and_by_row():
    x = 3 * rows(6, 4, 5, 2) + 1
    by_channel = ChannelNorm(2).double()(x, Rng(0)).view(-1, 2)
    assert torch.allclose(by_channel.mean(0), torch.zeros(2).double(), atol=1e-10)
    assert torch.allclose(by_channel.var(0, correction=0), torch.ones(2).double(), atol=1e-4)
    by_row = RowNorm(2).double()(x, Rng(0))
    assert torch.allclose(by_row.mean(1), torch.zeros(6).double(), atol=1e-10)
    network = build(
        as_network(Conv(3, 3, "relu", normalization="batch") + Conv(2, normalization="layer"), 9, (6, 6, 1)),
        Point(),
        36,
        (),
        0,
    )
    kinds = [type(step.norm) for step in network.encoder.steps]
    assert kinds == [ChannelNorm, RowNorm]


def test_skip_connections_add_what_the_mirror_got():
    net = Input() + Conv(4, 3, "relu", stride=2) + Conv(5, 3, "relu") + Output(skips=True)
    network = build(as_network(net, 10, (6, 6, 2)), Point(), 72, (), 0).double()
    x = rows(3, 6, 6, 2)
    first, second = network.encoder.steps
    third, _, fourth, _ = network.decoder.steps
    half = first(x, None)
    h = second(half, None)
    expected = fourth(third(h, None) + half, None) + x
    assert torch.allclose(network(x), expected, atol=1e-12)
    assert torch.allclose(network.passed(x)[3], expected, atol=1e-12)
    with pytest.raises(ValueError, match="skip connections"):
        network.decode(h)
    dense = build(as_network(Input() + Dense(4) + Dense(2) + Output(skips=True), 10, 6), Point(), 6, (), 0).double()
    with torch.no_grad():
        for parameter in dense.parameters():
            parameter.zero_()
    x = rows(3, 6)
    assert torch.equal(dense(x), x), "with weights of 0 only the input is left"


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        (Conv(4), (12,), "without positions"),
        (Conv(4, 9, padding="valid"), (5, 5, 1), "spans 9 positions, but gets 5 × 5"),
        (Dense(4) + Conv(3), (6, 6, 1), "without positions"),
        (Recurrent(4), (6, 6, 1), "works on sequences"),
        (Recurrent(4, sequences=False) + Recurrent(3), (6, 2), r"sequences=True"),
        (Restore((3, 3, 2)) + Dense(2), (6, 6, 1), "no layer with units before"),
        (Input() + Conv(4) + Output(tied=True), (6, 6, 1), "dense layers alone"),
        (Conv(4) + Dense(3) + ConvTranspose(2), (6, 6, 1), "without positions"),
    ],
)
def test_what_does_not_fit_is_said(network, shape, message):
    with pytest.raises(ValueError, match=message):
        as_network(network, 10, shape)


def test_odd_values_are_refused():
    for make, message in (
        (lambda: Conv(0), "filters"),
        (lambda: Conv(4, 0), "size"),
        (lambda: Conv(4, stride=0), "stride"),
        (lambda: Conv(4, padding="full"), "padding"),
        (lambda: Conv(4, padding=-1), "padding"),
        (lambda: Conv(4, activation="mish"), "activation"),
        (lambda: Conv(4, normalization="instance"), "normalization"),
        (lambda: Pool(2, "median"), "kind"),
        (lambda: Pool(0), "size"),
        (lambda: Recurrent(4, "rnn"), "kind"),
        (lambda: Recurrent(0), "units"),
        (lambda: Repeat(0), "steps"),
        (lambda: Restore((4,)), "shape"),
        (lambda: Output(tied=True, skips=True), "do not go together"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    with pytest.raises(ValueError, match="which a Dense layer makes"):
        build(as_network(Conv(3), 9, (4, 4, 1)), Gaussian(), 16, (), 0)
    with pytest.raises(ValueError, match="mirrors the way in"):
        build(as_network(Input() + Recurrent(3) + Output(skips=True), 9, (4, 2)), Point(), 8, (), 0)


def test_specs_are_values():
    assert Conv(4, stride=2) == Conv(4, 3, stride=2)
    assert hash(Conv(4)) == hash(Conv(4))
    net = (
        az.Input()
        + az.Conv(16, 3, "relu", stride=2)
        + az.Pool()
        + az.Recurrent(3)
        + az.Flatten()
        + az.Output(skips=True)
    )
    assert repr(net) == (
        "Input() + Conv(16, activation='relu', stride=2) + Pool() + Recurrent(3) + Flatten() + Output(skips=True)"
    )
    assert list(shapes((Conv(2), Pool()), (5, 5, 1))) == [(5, 5, 1), (5, 5, 2), (3, 3, 2)]


def test_every_parameter_moves_against_its_gradient():
    """The first move of Adam is the rate, against the sign of the gradient, wherever a weight lies in memory."""
    net = Input() + Conv(5, 3, "silu", stride=2) + Conv(6, 3, "silu") + Dense(4) + Output()
    odd = nn.Sequential(nn.Linear(36, 4), nn.Linear(4, 36))
    odd[0].weight = nn.Parameter(torch.randn(36, 8, generator=torch.Generator().manual_seed(0))[:, :4].t())
    X = np.random.default_rng(0).integers(0, 255, (40, 6, 6)).astype(np.uint8)
    for network, data in ((net, X), ((odd[0], odd[1]), X.reshape(40, 36).astype(float))):
        ae = az.Autoencoder(network, precision="float32", validation_fraction=0.0, learning_rate=Constant(1e-3))
        session = open_session(ae, data, None, 0)
        state = start(session.network, session.recipe)
        before = {name: p.detach().clone() for name, p in session.network.named_parameters()}
        session.backend.step([state], together([session.data.all()]))
        for name, parameter in session.network.named_parameters():
            clear = parameter.grad.abs() > 1e-6
            moved = (parameter.detach() - before[name])[clear]
            assert torch.allclose(moved, -1e-3 * parameter.grad[clear].sign(), rtol=0.05), name
