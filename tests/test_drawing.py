"""Networks as pictures: circles, wires, labels and shapes are those of the network."""

from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon, Rectangle
from sklearn.datasets import load_iris

import azogue as az
from azogue import codes
from azogue.plots import plot_network

NET = az.Input(784) + az.Dense(256, "relu") + az.Dense(32) + az.Output("sigmoid")
NOTED = (
    az.Input(30)
    + az.Dropout(0.1)
    + az.Dense(64, "softplus", normalization="batch")
    + az.Dropout(0.25)
    + az.Dense(16, "relu")
    + az.LayerNorm()
    + az.Dense(3, "tanh")
)


@pytest.fixture(scope="module")
def iris():
    frame = load_iris(as_frame=True).frame
    frame["species"] = frame.pop("target").map({0: "setosa", 1: "versicolor", 2: "virginica"})
    return az.Autoencoder(2, epochs=3, random_state=0).fit(frame)


def texts(ax):
    return [text.get_text() for text in ax.texts]


def circles(ax):
    """How many circles stand in each column, from left to right."""
    xs = [patch.center[0] for patch in ax.patches if isinstance(patch, Circle)]
    return [xs.count(x) for x in sorted(set(xs))]


def below(ax):
    """The lines of text below each column."""
    lowest = min(patch.center[1] for patch in ax.patches if isinstance(patch, Circle))
    columns = {}
    for text in ax.texts:
        x, y = text.get_position()
        if y < lowest:
            columns.setdefault(x, []).append((y, text.get_text()))
    return [[text for _, text in sorted(columns[x], reverse=True)] for x in sorted(columns)]


def assert_no_texts_overlap(ax):
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts if text.get_text() not in ("", "⋮")]
    whole = ax.figure.bbox
    for box in boxes:
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
    for a, b in combinations(boxes, 2):
        assert not a.padded(-0.5).overlaps(b.padded(-0.5)), "two labels cover one another"


def test_a_small_network_is_drawn_whole():
    ax = plot_network(az.Input(4) + az.Dense(3, "relu") + az.Dense(2) + az.Output("sigmoid"))
    assert circles(ax) == [4, 3, 2, 3, 4]
    assert "⋮" not in texts(ax)
    wires = [len(lines.get_segments()) for lines in ax.collections if isinstance(lines, LineCollection)]
    assert wires == [12, 6, 6, 12]
    assert below(ax) == [
        ["4", "input"],
        ["3", "dense", "relu"],
        ["2", "code", "linear"],
        ["3", "dense", "relu"],
        ["4", "output", "sigmoid"],
    ]
    where = {text.get_text(): text.get_position()[0] for text in ax.texts}
    xs = sorted({patch.center[0] for patch in ax.patches if isinstance(patch, Circle)})
    assert [where[name] for name in ("encoder", "code", "decoder")] == pytest.approx(
        [(xs[0] + xs[1]) / 2, xs[2], (xs[3] + xs[4]) / 2]
    )


def test_wires_join_the_circles():
    ax = plot_network(az.Input(3) + az.Dense(1))
    places = {patch.center for patch in ax.patches if isinstance(patch, Circle)}
    ends = {tuple(end) for lines in ax.collections for segment in lines.get_segments() for end in segment}
    assert ends == places


def test_wide_layers_are_shortened_in_the_same_order():
    ax = plot_network(NET)
    drawn = circles(ax)
    assert drawn == drawn[::-1]
    assert 10 == drawn[0] > drawn[1] > drawn[2] > 3
    assert texts(ax).count("⋮") == 5
    assert [column[0] for column in below(ax)] == ["784", "256", "32", "256", "784"]
    highlighted = [patch for patch in ax.patches if not isinstance(patch, Circle)]
    middle = sorted({patch.center for patch in ax.patches if isinstance(patch, Circle)})[len(ax.patches) // 2]
    (frame,) = highlighted
    assert frame.get_window_extent().contains(*ax.transData.transform(middle))
    colors = {
        patch.get_facecolor() for patch in ax.patches if isinstance(patch, Circle) and patch.center[0] == middle[0]
    }
    others = {
        patch.get_facecolor() for patch in ax.patches if isinstance(patch, Circle) and patch.center[0] != middle[0]
    }
    assert not colors & others


def test_layers_without_units_are_notes():
    ax = plot_network(NOTED)
    assert len(circles(ax)) == 7
    assert below(ax)[:4] == [
        ["30", "input", "dropout 0.1"],
        ["64", "dense", "softplus", "batch norm", "dropout 0.25"],
        ["16", "dense", "relu", "layer norm"],
        ["3", "code", "tanh"],
    ]


def test_a_code_is_as_wide_as_what_the_decoder_reads():
    ax = plot_network(az.Autoencoder((6, 2), code=codes.Gaussian()))
    assert below(ax)[2] == ["2", "code", "linear", "Gaussian"]
    assert circles(ax)[2] == 2
    assert below(plot_network(az.VariationalAutoencoder((6, 2))))[2] == ["2", "code", "linear", "Gaussian"]


@pytest.mark.parametrize(
    "network",
    [
        NET,
        NOTED,
        (512, 256, 128, 64, 32, 16, 2),
        az.Input(2) + az.Dense(1),
        az.Autoencoder((8, 2), code=codes.TopK(1)),
        az.Input(1_000_000) + az.Dense(100_000, "softsign") + az.Dense(12345),
        sum((az.Dense(8 * at, normalization="batch") + az.Dropout(0.25) for at in (5, 4, 3, 2)), az.Input(40))
        + az.Dense(2),
    ],
    ids=range(7),
)
def test_labels_never_overlap(network):
    assert_no_texts_overlap(plot_network(network))
    assert_no_texts_overlap(plot_network(network, shapes=True))
    for ax in Figure(figsize=(8, 3), layout="constrained").subplots(1, 2):
        assert plot_network(network, ax) is ax
        assert_no_texts_overlap(ax)


def test_widths_that_only_data_tell():
    for network in ((4, 2), az.Dense(4, "silu") + az.Dense(2), az.Autoencoder((4, 2)), [4, 2]):
        ax = plot_network(network)
        assert [column[0] for column in below(ax)] == ["?", "4", "2", "4", "?"]
        assert circles(ax) == [10, 4, 2, 4, 10]
    shapes = texts(plot_network((4, 2), shapes=True))
    assert shapes.count("? parameters") == 2
    assert "input (n, ?)" in shapes
    assert "10 parameters" in shapes


def test_fitted_networks(iris):
    for network in (iris, az.AnomalyDetector.from_fitted(iris)):
        assert below(plot_network(network))[-1] == ["8", "output", "linear", "softmax"]
    assert [column[0] for column in below(plot_network(iris))] == ["8", "64", "32", "2", "32", "64", "8"]
    assert [column[0] for column in below(plot_network(iris.network_spec_))] == ["?", "64", "32", "2", "32", "64", "?"]


@pytest.mark.parametrize(
    ("network", "code"),
    [
        (az.Dense(7, "relu") + az.Dense(2), None),
        (az.Dense(7, "relu") + az.Dense(2) + az.Output(tied=True), None),
        (az.Dense(7, "relu", normalization="layer") + az.Dropout(0.2) + az.BatchNorm() + az.Dense(3), None),
        (az.Dense(7) + az.LayerNorm() + az.Bottleneck(3) + az.Dense(5), None),
        ((6, 4), codes.TopK(2)),
        ((6, 2), codes.Gaussian()),
        ((6, 4), codes.VectorQuantized()),
    ],
    ids=range(7),
)
def test_shapes_and_parameters_are_those_of_the_network(rows, network, code):
    ae = az.Autoencoder(network, code=code, epochs=1, random_state=0).fit(rows)
    shown = texts(plot_network(ae, shapes=True))
    counts = [int(text.split()[0].replace(",", "")) for text in shown if text.endswith("parameters")]
    assert sum(counts) == sum(weight.numel() for weight in ae.network_.parameters())
    ins = [text.removeprefix("input ") for text in shown if text.startswith("input (n")]
    outs = [text.removeprefix("output ") for text in shown if text.startswith("output (n")]
    assert outs[:-1] == ins[1:], "each layer reads what the one before writes"
    assert ins[0] == outs[-1] == "(n, 8)"
    assert f"(n, {ae.code_size_})" in outs


def test_boxes_of_shapes():
    ax = plot_network(NET, shapes=True)
    assert len([patch for patch in ax.patches if isinstance(patch, Rectangle)]) == 2 * 5
    assert texts(ax).count("Dense") == 3
    for text in ("200,960 parameters", "input (n, 784)", "output (n, 32)", "sigmoid", "encoder", "code", "decoder"):
        assert text in texts(ax)
    assert "Dropout 0.25" in texts(plot_network(NOTED, shapes=True))


def test_modules_are_blocks():
    pair = (torch.nn.Sequential(torch.nn.Linear(4, 2)), torch.nn.Linear(2, 4))
    ax = plot_network(pair)
    assert len([patch for patch in ax.patches if isinstance(patch, Polygon)]) == 3
    assert {"Sequential", "Linear", "?", "encoder", "code", "decoder"} <= set(texts(ax))
    ae = az.Autoencoder(pair, epochs=1, random_state=0).fit(load_iris().data)
    assert {"4 → 2", "2", "2 → 4"} <= set(texts(plot_network(ae)))
    assert {"10 parameters", "12 parameters"} <= set(texts(plot_network(ae, shapes=True)))


@pytest.mark.parametrize("network", ["auto", 2, (0.5, 0.2), az.Autoencoder(), az.Autoencoder(3)], ids=repr)
def test_networks_that_need_data_say_so(network):
    with pytest.raises(ValueError, match="plot_network: the layers of network=.* depend on the data"):
        plot_network(network)


def test_other_things_are_refused():
    for thing in (None, 2.5, {"a": 1}, np.zeros(3), object()):
        with pytest.raises(TypeError, match="plot_network: expected an autoencoder"):
            plot_network(thing)
