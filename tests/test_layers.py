"""Layer specs: values with a pure, associative `+`, and one place that settles what a network means."""

import pickle

import pytest

from azogue.corruptions import Zeros
from azogue.layers import (
    ACTIVATIONS,
    BatchNorm,
    Bottleneck,
    Dense,
    Dropout,
    Input,
    LayerNorm,
    Output,
    Stack,
    as_network,
    auto_hidden,
)
from azogue.objectives import MSE, Sparsity

A, B, C = Dense(8, "relu"), Dropout(0.1), Dense(2)


def test_plus_is_associative_and_pure():
    left = Input() + A
    assert (left + B) + C == left + (B + C) == Stack((Input(), A, B, C))
    assert left == Input() + A
    assert hash(A + B) == hash(Stack((A, B)))


@pytest.mark.parametrize("other", [MSE(), 0.1 * Sparsity(), Zeros(), 3, "relu", None])
def test_plus_refuses_anything_else(other):
    with pytest.raises(TypeError, match=r"\+"):
        A + other
    with pytest.raises(TypeError):
        other + A


def test_specs_are_values():
    assert Dense(8, "relu") == Dense(8, "relu") != Dense(8, "tanh")
    assert pickle.loads(pickle.dumps(A + B)) == A + B
    assert repr(Input() + Dense(8, "relu") + Output()) == "Input() + Dense(8, activation='relu') + Output()"
    assert eval(repr(A + B + C)) == A + B + C
    with pytest.raises(AttributeError):
        A.units = 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "units"),
        (lambda: Dense(2.5), "units"),
        (lambda: Dense(True), "units"),
        (lambda: Dense(3, "swish"), "swish"),
        (lambda: Dense(3, normalization="group"), "group"),
        (lambda: Dropout(1.0), "rate"),
        (lambda: Output("softmax"), "softmax"),
        (lambda: Bottleneck(-1), "units"),
    ],
)
def test_wrong_layers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def widths(spec):
    return [layer.units for layer in spec.encoder if hasattr(layer, "units")], [
        layer.units for layer in spec.decoder if hasattr(layer, "units")
    ]


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ((64, 32, 2), ([64, 32, 2], [32, 64])),
        ((256, 32, 256), ([256, 32], [256])),
        ((0.5, 0.1), ([20, 4], [20])),
        ((1.0,), ([40], [])),
        (Input() + Dense(32) + Output(), ([32], [])),
        (Input() + Dense(256) + Dense(32) + Output(), ([256, 32], [256])),
        (Input() + Dense(256) + Dense(64) + Dense(32) + Output(), ([256, 64, 32], [64, 256])),
        (Input() + Dense(256) + Dense(32) + Dense(256) + Output(), ([256, 32], [256])),
        (Input() + Dense(16) + Dense(64) + Dense(16) + Output(), ([16, 64], [16])),
        (Dense(32), ([32], [])),
        (Input() + Dense(9) + Bottleneck(3) + Dense(5) + Dense(7) + Output(), ([9, 3], [5, 7])),
        (Input() + Dense(9) + Bottleneck(30), ([9, 30], [9])),
        (Input() + Dense(9) + Dense(5) + Dense(5) + Dense(9) + Output(), ([9, 5], [5, 9])),
        (Input() + Dense(500) + Dense(500) + Dense(20) + Output(), ([500, 500, 20], [500, 500])),
        (Input() + Dense(20) + Dense(500) + Dense(500) + Output(), ([20, 500, 500], [500, 20])),
        (Input() + Dense(9) + Dense(9) + Dense(9) + Output(), ([9, 9], [9])),
    ],
)
def test_as_network(network, expected):
    assert widths(as_network(network, rows=1000, width=40)) == expected


def test_code_size_and_auto_rule():
    assert as_network(3, rows=1000, width=40).code_size == 3
    assert as_network("auto", rows=1000, width=40).code_size == 10
    assert as_network("auto", rows=1000, width=1).code_size == 1
    assert as_network("auto", rows=1000, width=10_000).code_size == 32
    assert auto_hidden(rows=1000, width=40, code=3) == (160, 80)
    assert auto_hidden(rows=5, width=40, code=3) == (16, 16)
    assert widths(as_network(3, rows=1000, width=40)) == ([160, 80, 3], [80, 160])


def test_mirror_keeps_what_follows_a_layer():
    net = Input() + Dense(9, "tanh") + BatchNorm() + Dropout(0.2) + Dense(5, "relu") + LayerNorm() + Bottleneck(2)
    spec = as_network(net, rows=10, width=4)
    assert spec.decoder == (Dense(5, "relu"), LayerNorm(), Dense(9, "tanh"), BatchNorm(), Dropout(0.2))


@pytest.mark.parametrize("network", [0, -3, (8, 0.5), (), "big", None, 2.5, (8, -1), (1.5, 0.2), (True, 2), [object()]])
def test_wrong_networks_are_refused(network):
    with pytest.raises((TypeError, ValueError), match="network"):
        as_network(network, rows=10, width=4)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Input() + Dropout(0.1) + Output(), "no layer with units"),
        (Dense(3) + Input(), "Input must come first"),
        (Output() + Dense(3), "Output must come last"),
        (Input(5) + Dense(2), r"Input\(5\)"),
        (Bottleneck(3) + Bottleneck(2), "marks 2 layers"),
    ],
)
def test_wrong_stacks_are_refused(network, message):
    with pytest.raises(ValueError, match=message):
        as_network(network, rows=10, width=4)


def test_activation_table_names_ranges():
    import torch

    from azogue.activations import activate

    x = torch.linspace(-30, 30, 10_001, dtype=torch.float64)
    for name, (low, high) in ACTIVATIONS.items():
        y = activate(name, x)
        assert y.min() >= low - 1e-12, name
        assert y.max() <= high, name
        if name != "linear" and low > -float("inf"):
            assert y.min() < low + 0.05, f"{name}: the stated infimum {low} is not sharp"
