"""`azogue project`: the picture that is written and the codes and colours that are on it."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from sklearn.datasets import load_iris

from azogue.plots import plot_codes
from test_cli import QUICK, azogue

SIGNATURES = {"png": b"\x89PNG\r\n", "svg": b"<?xml", "pdf": b"%PDF-"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    frame = load_iris(as_frame=True).frame
    frame["species"] = frame.pop("target").map({0: "setosa", 1: "versicolor", 2: "virginica"})
    frame.to_csv(folder / "iris.csv", index=False)
    np.save(folder / "iris.npy", load_iris().data)
    azogue("fit", "iris.csv", "-o", "m.azogue", "--network", "2", *QUICK, cwd=folder)
    return folder


@pytest.mark.parametrize("ending", SIGNATURES)
def test_project_draws_a_map(folder, ending):
    done = azogue("project", "iris.csv", "-o", f"map.{ending}", "--color", "species", "--json", *QUICK, cwd=folder)
    assert json.loads(done.stdout) == {"output": f"map.{ending}", "rows": 150, "code_size": 2}
    assert done.stderr == "azogue: species is used for colour only\n"
    picture = (folder / f"map.{ending}").read_bytes()
    assert picture.startswith(SIGNATURES[ending])
    azogue("project", "iris.csv", "-o", f"again.{ending}", "--color", "species", *QUICK, cwd=folder)
    assert (folder / f"again.{ending}").read_bytes() == picture, "same seed, same bytes"
    assert b"CreationDate" not in picture
    if ending == "png":
        assert imread(folder / "map.png").shape == (840, 1125, 4)


@pytest.fixture
def maps(monkeypatch):
    """What is drawn, as it is drawn: for each map the codes, the colours and the Axes."""
    from azogue.cli import projecting

    made = []

    def plot(codes, color, **kwargs):
        made.append((codes, color, plot_codes(codes, color, **kwargs)))
        return made[-1][-1]

    monkeypatch.setattr(projecting, "plot_codes", plot)
    return made


def test_project_leaves_the_colour_out_of_training(folder, maps):
    done = azogue("project", "iris.csv", "-o", "map.png", "--color", "species", *QUICK, cwd=folder)
    assert done.stdout == "map.png: 150 rows, code of 2\n"
    codes, color, ax = maps[0]
    assert color.to_pylist() == pd.read_csv(folder / "iris.csv")["species"].tolist()
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "species"
    assert [text.get_text() for text in legend.get_texts()] == ["setosa", "versicolor", "virginica"]
    without = ("encode", "iris.csv", "--drop", "species", "--network", "2", "-o", "without.npy", *QUICK)
    azogue(*without, cwd=folder)
    assert np.array_equal(codes, np.load(folder / "without.npy"))
    azogue("project", "iris.csv", "-o", "map.png", "--color", "species", "--drop", "species", *QUICK, cwd=folder)
    assert np.array_equal(maps[1][0], codes)
    azogue("project", "iris.csv", "-o", "map.png", *QUICK, cwd=folder)
    assert maps[2][1] is None
    assert not np.array_equal(maps[2][0], codes), "without --color every column is read"


def test_project_with_a_model(folder, maps):
    done = azogue("project", "m.azogue", "iris.csv", "-o", "map.png", "--color", "species", cwd=folder)
    assert not done.stderr, "a column of the model is no news"
    azogue("encode", "m.azogue", "iris.csv", "-o", "known.npy", cwd=folder)
    frame = pd.read_csv(folder / "iris.csv")
    frame.assign(height=np.linspace(0, 1, 150), id=1).to_csv(folder / "more.csv", index=False)
    done = azogue("project", "m.azogue", "more.csv", "-o", "map.png", "--color", "height", cwd=folder)
    notes = ["height is used for colour only", "the model does not know id: left out"]
    assert done.stderr.splitlines() == [f"azogue: {note}" for note in notes]
    for codes, _, _ in maps:
        assert np.array_equal(codes, np.load(folder / "known.npy"))
    assert maps[1][2].collections[0].get_array().tolist() == pytest.approx(np.linspace(0, 1, 150).tolist())


def test_project_arrays_and_other_codes(folder, maps):
    data = np.load(folder / "iris.npy")
    args = ("project", "iris.npy", "-o", "map.png", "--color", "4", "--network", "3", *QUICK)
    assert azogue(*args, cwd=folder).stderr == "azogue: column 4 is used for colour only\n"
    assert maps[0][2].name == "3d"
    assert np.array_equal(maps[0][1], data[:, 3])
    azogue("fit", "iris.npy", "-o", "npy.azogue", "--network", "4", *QUICK, cwd=folder)
    np.save(folder / "five.npy", np.column_stack([data, np.arange(150)]))
    for name, column, told in (("iris.npy", "1", ""), ("five.npy", "5", "azogue: column 5 is used for colour only\n")):
        done = azogue("project", "npy.azogue", name, "-o", "map.png", "--color", column, cwd=folder)
        assert done.stderr == f"{told}azogue: the code has 4 units; the map shows the first two\n"
        assert np.array_equal(maps[-1][0], maps[1][0])
