"""Pictures: what is drawn is what was given, counted and measured on the Axes."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from sklearn.datasets import load_digits, load_iris

import azogue as az
from azogue.plots import (
    new_axes,
    plot_codes,
    plot_generation,
    plot_history,
    plot_images,
    plot_network,
    plot_reconstructions,
)
from azogue.shades import COLORS, GREY

NET = az.Input(784) + az.Dense(256, "relu") + az.Dense(32) + az.Output("sigmoid")


@pytest.fixture(scope="module")
def frame():
    frame = load_iris(as_frame=True).frame
    frame["species"] = frame.pop("target").map({0: "setosa", 1: "versicolor", 2: "virginica"})
    return frame.sample(frac=1.0, random_state=0)


@pytest.fixture(scope="module")
def iris(frame):
    return az.Autoencoder(2, epochs=3, random_state=0).fit(frame)


# -- codes -------------------------------------------------------------------------------------------------------------


def test_points_are_the_codes():
    Z = np.random.default_rng(0).normal(size=(50, 5))
    two = plot_codes(Z[:, :2])
    assert np.array_equal(two.collections[0].get_offsets(), Z[:, :2])
    assert (two.get_xlabel(), two.get_ylabel()) == ("code 1", "code 2")
    one = plot_codes(Z[:, :1])
    assert np.array_equal(one.collections[0].get_offsets(), np.column_stack([np.arange(50), Z[:, 0]]))
    assert (one.get_xlabel(), one.get_ylabel()) == ("row", "code 1")
    five = plot_codes(pl.DataFrame(Z))
    assert np.array_equal(five.collections[0].get_offsets(), Z[:, :2])
    assert five.get_title() == "the first 2 of 5 units"
    assert plot_codes(Z[:, :2], names=["x", "y"]).get_ylabel() == "y"


def test_three_units_are_a_space():
    Z = np.random.default_rng(0).normal(size=(50, 3))
    ax = plot_codes(Z, ["a", "b"] * 25)
    assert ax.name == "3d"
    assert ax.get_zlabel() == "code 3"
    assert len(ax.collections) == 2
    for at, points in enumerate(ax.collections):
        assert np.array_equal(np.ma.getdata(points._offsets3d), Z[at::2].T)
    assert [text.get_text() for text in ax.figure.legends[0].get_texts()] == ["a", "b"]
    flat = new_axes()
    assert plot_codes(Z, ax=flat) is flat
    assert np.array_equal(flat.collections[0].get_offsets(), Z[:, :2])
    space = new_axes(projection="3d")
    assert np.array_equal(np.ma.getdata(plot_codes(np.c_[Z, Z], Z[:, 0], space).collections[0]._offsets3d), Z.T)


def test_numbers_are_on_a_scale():
    Z, values = np.zeros((30, 2)), np.linspace(-1, 1, 30)
    ax = plot_codes(Z, pd.Series(values, name="height"))
    assert np.array_equal(ax.collections[0].get_array(), values)
    assert ax.collections[0].get_clim() == (-1.0, 1.0)
    assert ax.figure.axes[1].get_ylabel() == "height"
    assert ax.get_legend() is None
    assert len(plot_codes(Z, np.arange(30)).figure.axes) == 2, "many whole numbers are a scale too"
    assert plot_codes(Z, np.array([np.inf, *values[1:]])).collections[0].get_clim() == (values[1], 1.0)
    days = pd.Series(pd.date_range("2024-01-31", periods=30), name="day")
    ax = plot_codes(Z, days, label="measured on")
    assert ax.figure.axes[1].get_ylabel() == "measured on"
    assert np.diff(ax.collections[0].get_array()).tolist() == [1.0] * 29


def test_missing_numbers_are_grey():
    Z = np.random.default_rng(0).normal(size=(4, 2))
    ax = plot_codes(Z, [0.5, None, float("nan"), 1.5])
    missing, known = ax.collections
    assert np.array_equal(missing.get_offsets(), Z[1:3])
    assert np.allclose(missing.get_facecolor()[0, :3], to_rgba(GREY)[:3])
    assert known.get_array().tolist() == [0.5, 1.5]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["missing"]
    assert len(plot_codes(Z, [None] * 4).collections) == 1


COLUMN = ["b", None, "a", "b", "c", "a"]


@pytest.mark.parametrize(
    "column",
    [
        COLUMN,
        np.array(COLUMN, dtype=object),
        pd.Series(COLUMN, index=range(7, 13)),
        pd.Series(COLUMN, dtype="string"),
        pd.Series(COLUMN, dtype="category"),
        pl.Series(COLUMN),
        pl.Series(COLUMN, dtype=pl.Categorical),
        pa.array(COLUMN),
        pa.chunked_array([COLUMN[:2], COLUMN[2:]]),
        pa.array(COLUMN).dictionary_encode(),
    ],
    ids=lambda column: type(column).__module__,
)
def test_categories_from_any_column(column):
    Z = np.arange(12.0).reshape(6, 2)
    ax = plot_codes(Z, column)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c", "missing"]
    by_label = dict(zip(["a", "b", "c", "missing"], ax.get_legend().legend_handles, strict=True))
    drawn = {tuple(points.get_facecolor()[0][:3]): points.get_offsets() for points in ax.collections}
    for label, handle in by_label.items():
        rows = [at for at, value in enumerate(COLUMN) if value == (None if label == "missing" else label)]
        assert np.array_equal(drawn[tuple(handle.get_facecolor()[0][:3])], Z[rows])
    assert np.allclose(by_label["missing"].get_facecolor()[0, :3], to_rgba(GREY)[:3])


def test_categories_in_their_order():
    def legend(column, **kwargs):
        found = plot_codes(np.zeros((len(column), 2)), column, **kwargs).get_legend()
        return found.get_title().get_text(), [text.get_text() for text in found.get_texts()]

    levels = pd.Series(pd.Categorical(["low", "high", "low"], ["low", "middle", "high"], ordered=True), name="level")
    assert legend(levels) == ("level", ["low", "high"])
    assert legend(levels, label="grade")[0] == "grade"
    assert legend([10, 9, 9])[1] == ["9", "10"]
    assert legend([True, False])[1] == ["False", "True"]
    assert legend([1, "a", None])[1] == ["1", "a", "missing"]
    assert legend(pd.Series([1, None, 2], dtype="Int64"))[1] == ["1", "2", "missing"]
    assert legend(torch.tensor([1, 0]))[1] == ["0", "1"]
    assert legend(["_x", "$y$"])[1] == [r"\$y\$", " _x"]
    assert legend(["n" * 50])[1] == ["n" * 31 + "…"]


def test_many_categories_shorten_the_legend():
    words = [f"word {at:02}" for at in range(30) for _ in range(30 - at)]
    Z = np.random.default_rng(0).normal(size=(len(words), 2))
    ax = plot_codes(Z, words)
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == [*(f"word {at:02}" for at in range(20)), "… and 10 more"]
    assert sum(len(points.get_offsets()) for points in ax.collections) == len(words)
    assert len(ax.collections[0].get_offsets()) == sum(range(1, 11))
    looks = {(tuple(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes()) for points in ax.collections}
    assert len(looks) == 21, "no two categories look the same"


def test_codes_that_do_not_fit():
    Z = np.zeros((5, 2))
    with pytest.raises(ValueError, match="the codes have 5 rows, but color has 4 values"):
        plot_codes(Z, [1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"expected one value a row, got 'red'"):
        plot_codes(Z, "red")
    with pytest.raises(ValueError, match=r"one value a row, got the shape \(5, 2\)"):
        plot_codes(Z, Z)
    with pytest.raises(ValueError, match=r"expected codes of shape \(n, size\), got \(5,\)"):
        plot_codes(Z[:, 0])
    with pytest.raises(ValueError, match="2 units are drawn, but names has 1"):
        plot_codes(Z, names=["x"])


# -- history -----------------------------------------------------------------------------------------------------------


def test_history():
    history = [{"epoch": at, "loss": 1 / at, "val_loss": 1 + (at - 3) ** 2} for at in (1, 2, 3, 4, 5)]
    ax = plot_history(history)
    assert [line.get_label() for line in ax.lines] == ["training", "held out"]
    assert ax.lines[0].get_xydata().tolist() == [[r["epoch"], r["loss"]] for r in history]
    assert ax.collections[0].get_offsets().tolist() == [[3.0, 1.0]]
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "best: epoch 3"
    assert ax.get_yscale() == "log"
    assert plot_history([{"epoch": 1, "loss": -2.0}]).get_yscale() == "linear"
    with pytest.raises(ValueError, match="no epoch to draw"):
        plot_history([])


# -- pictures ----------------------------------------------------------------------------------------------------------


def cells(image, shape, lines, n):
    """The pictures of a mosaic without their frames, (lines, n, height, width)."""
    height, width = shape[0] + 2, shape[1] + 2
    assert image.shape == (lines * height, n * width)
    return image.reshape(lines, height, n, width).swapaxes(1, 2)[:, :, 1:-1, 1:-1]


def test_images_keep_every_pixel():
    rows = np.random.default_rng(0).normal(size=(2, 5, 12))
    ax = plot_images(rows, (3, 4))
    assert np.array_equal(cells(ax.images[0].get_array(), (3, 4), 2, 5), rows.reshape(2, 5, 3, 4))
    with pytest.raises(ValueError, match=r"\(lines, n, 16\) for pictures of 4 × 4 pixels, got \(2, 5, 12\)"):
        plot_images(rows, (4, 4))


@pytest.fixture(scope="module")
def digits():
    X = load_digits().data[:200]
    return az.Autoencoder(8, scaling="none", epochs=5, random_state=0).fit(X), X


def test_reconstructed_pictures(digits):
    ae, X = digits
    ax = plot_reconstructions(ae, X, 4)
    before, after, error = cells(ax.images[0].get_array(), (8, 8), 3, 4)
    copies = ae.reconstruct(X[:4]).reshape(4, 8, 8)
    assert np.array_equal(before, X[:4].reshape(4, 8, 8))
    assert np.array_equal(after, np.clip(copies, 0, 16))
    assert np.array_equal(error, np.clip(np.abs(before - copies), 0, 16))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["input", "reconstruction", "absolute error"]
    assert list(ax.get_yticks()) == [4.5, 14.5, 24.5], "in the middle of its line"
    tall = plot_reconstructions(ae, X, 4, shape=(16, 4)).images[0].get_array()
    assert np.array_equal(cells(tall, (16, 4), 3, 4)[0], X[:4].reshape(4, 16, 4))
    frame = pd.DataFrame(X[:9]).rename(columns=str)
    assert len(plot_reconstructions(ae, frame.to_numpy(), shape=(8, 8)).images) == 1
    assert len(plot_reconstructions(ae, X, shape=False).images) == 3
    with pytest.raises(ValueError, match="needs rows of 9 pixels, got rows of 64"):
        plot_reconstructions(ae, X, shape=(3, 3))
    with pytest.raises(ValueError, match="n must be at least 1"):
        plot_reconstructions(ae, X, 0)


@pytest.mark.parametrize("kind", [lambda f: f, pl.from_pandas, pa.Table.from_pandas], ids=["pandas", "polars", "arrow"])
def test_reconstructed_tables(frame, iris, kind):
    frame = frame.reset_index(drop=True)
    frame.loc[1, "sepal width (cm)"] = np.nan
    native = kind(frame)
    ax = plot_reconstructions(iris, native, 6)
    before, after, error = (np.ma.filled(image.get_array().astype(float), np.nan) for image in ax.images)
    x = iris.schema_.pack(frame.iloc[:6]).x.numpy()[:, :7].astype(float)
    x[1, 1] = np.nan
    assert np.array_equal(before, x, equal_nan=True)
    assert np.array_equal(after, iris.schema_.pack(iris.reconstruct(frame.iloc[:6])).x.numpy()[:, :7])
    assert np.array_equal(error, np.abs(before - after), equal_nan=True)
    assert [label.get_text() for label in ax.get_xticklabels()] == [
        *frame.columns[:4],
        *(f"species={name}" for name in ("setosa", "versicolor", "virginica")),
    ]
    tops = [image.get_extent()[3] for image in ax.images]
    middles = [top + 3 for top in tops]
    assert list(ax.get_yticks()) == pytest.approx(middles)
    assert tops == sorted(tops)
    assert ax.get_ylim()[1] < ax.get_ylim()[0], "the first row is on top"


def test_slots_stand_in_the_order_of_the_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"kind": ["x", "y"] * 20, "flag": [True, False] * 20, "size": rng.normal(size=40)})
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(frame)
    ax = plot_reconstructions(az.AnomalyDetector.from_fitted(ae), frame, 2)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["kind=x", "kind=y", "flag", "size"]
    assert ax.images[0].get_array()[:, :3].tolist() == [[1, 0, 1], [0, 1, 0]]
    wide = np.tile(frame["size"].to_numpy()[:, None], 50)
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(wide)
    assert plot_reconstructions(ae, wide).get_xlabel() == "50 columns"
    plain = plot_reconstructions(az.Autoencoder(2, epochs=1, random_state=0).fit(wide[:, :5]), wide[:, :5])
    assert plain.get_xticklabels()[0].get_text() == "column 1"


class Decoder:
    """What `generate` promises: side² rows, the first dimension along a line; side rows for one dimension."""

    def __init__(self, make):
        self.make = make

    def generate(self, side=10, *, dimensions=(0, 1), low=0.05, high=0.95, fixed=0.5):
        self.asked = {"side": side, "dimensions": dimensions, "low": low, "high": high}
        levels = np.linspace(low, high, side)
        along, down = np.meshgrid(levels, levels if len(dimensions) == 2 else [fixed])
        return self.make(along.ravel(), down.ravel())


def test_generated_pictures():
    model = Decoder(lambda a, b: np.column_stack([a, b] * 8))
    ax = plot_generation(model, 4, low=0.2, high=0.8, dimensions=(2, 0))
    assert model.asked == {"side": 4, "dimensions": (2, 0), "low": 0.2, "high": 0.8}
    drawn = cells(ax.images[0].get_array(), (4, 4), 4, 4)
    assert np.allclose(drawn[:, :, 0, 0], np.linspace(0.2, 0.8, 4)[None]), "the first unit along a line"
    assert np.allclose(drawn[:, :, 0, 1], np.linspace(0.2, 0.8, 4)[:, None]), "the second down the lines"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("quantile of code 3", "quantile of code 1")
    assert list(ax.get_xticks()) == [2.5, 11.5, 20.5], "first cell, middle, last cell"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0.2", "0.5", "0.8"]
    flat = plot_generation(model, 4, shape=(2, 8)).images[0].get_array()
    assert flat.shape == (4 * 4, 4 * 10)
    line = plot_generation(model, 4, dimensions=(1,))
    assert line.images[0].get_array().shape == (6, 4 * 6)
    assert (line.get_xlabel(), line.get_ylabel()) == ("quantile of code 2", "")


def test_generated_tables():
    names = np.array(["near", "far"])
    model = Decoder(lambda a, b: pd.DataFrame({"sum": a + b, "where": names[(a > 0.5).astype(int)]}))
    ax = plot_generation(model, 3)
    along = np.linspace(0.05, 0.95, 3)
    assert np.allclose(ax.images[0].get_array(), along[None] + along[:, None])
    assert ax.figure.axes[1].get_ylabel() == "sum"
    for column in ("where", 1):
        ax = plot_generation(model, 3, column=column)
        bar = ax.figure.axes[1]
        assert [label.get_text() for label in bar.get_yticklabels()] == ["far", "near"]
        assert ax.images[0].get_array().tolist() == [[1, 1, 0]] * 3
        assert ax.images[0].cmap(0.0) == to_rgba(COLORS[0])
    line = plot_generation(model, 3, dimensions=(0,))
    assert np.allclose(line.lines[0].get_xydata(), np.column_stack([along, along + 0.5]))
    assert plot_generation(model, 3, dimensions=(0,), column="where").images[0].get_array().tolist() == [[1, 1, 0]]
    arrays = Decoder(lambda a, b: np.column_stack([a] * 16))
    assert plot_generation(arrays, 3, column=2).figure.axes[1].get_ylabel() == "column 3"
    with pytest.raises(ValueError, match="no column 'size'; there are sum, where"):
        plot_generation(model, 3, column="size")
    with pytest.raises(ValueError, match="no column 16; there are numbers from 0 to 15"):
        plot_generation(arrays, 3, column=16)


def test_generation_by_an_autoencoder(iris, digits):
    ae, _ = digits
    drawn = plot_generation(ae, 3, dimensions=(4, 1)).images[0].get_array()
    assert np.array_equal(cells(drawn, (8, 8), 3, 3).reshape(9, 64), ae.generate(3, dimensions=(4, 1)))
    drawn = plot_generation(iris, 4, column="petal length (cm)").images[0].get_array()
    assert np.array_equal(drawn.ravel(), iris.generate(4)["petal length (cm)"])
    with pytest.raises(TypeError, match="expected a fitted autoencoder, got dict"):
        plot_generation({})


def test_given_axes_are_used(frame, iris, digits):
    model = Decoder(lambda a, b: np.column_stack([a, b] * 8))
    draw = [
        lambda ax: plot_network(NET, ax),
        lambda ax: plot_network(NET, ax, shapes=True),
        lambda ax: plot_codes(np.zeros((3, 3)), ["a", "b", None], ax),
        lambda ax: plot_history([{"epoch": 1, "loss": 1.0}], ax),
        lambda ax: plot_images(np.zeros((1, 1, 4)), (2, 2), ax),
        lambda ax: plot_reconstructions(iris, frame, 2, ax=ax),
        lambda ax: plot_reconstructions(*digits, 2, ax=ax),
        lambda ax: plot_generation(model, 2, ax=ax),
        lambda ax: plot_generation(model, 2, ax=ax, column=0),
    ]
    for function in draw:
        ax = Figure().add_subplot()
        assert function(ax) is ax
        ax.figure.draw_without_rendering()


def test_pyplot_stays_out():
    program = (
        "import sys, azogue as az; from azogue.plots import *; "
        "plot_codes([[0., 1., 2.]]); plot_network((4, 2)).figure.savefig(sys.stdout.buffer); "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0


def test_a_column_of_one_hidden_cell_does_not_dwarf_the_others():
    from azogue.applications.overimputing import Overimputed

    cells = np.arange(4)
    numbers = {"observed": [1.0, 2.0, 3.0, 9000.0], "imputed": [1.5, 2.0, 2.5, 9070.0]}
    low, high = np.array([1.0, 1.5, 2.0, 8900.0]), np.array([2.0, 2.5, 3.0, 9240.0])
    found = Overimputed(
        *(cells, np.array([0, 0, 0, 1]), np.array(["a", "a", "a", "day"], object)),
        *(np.array(values, object) for values in numbers.values()),
        *(low, high, np.ones(4, bool), np.zeros(4, object), np.ones(4, bool), 0.9, ("a", "day")),
    )
    ax = az.plots.plot_overimpute(found)
    shown = np.concatenate([dots.get_offsets() for dots in ax.collections if hasattr(dots, "get_sizes")])
    assert np.abs(shown).max() < 2, "the one cell of 'day' is measured by its own draws"
