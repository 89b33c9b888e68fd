"""`azogue project`: the picture or page that is written and the codes, colours and rows that are on it."""

import base64
import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from sklearn.datasets import load_iris

import azogue as az
from azogue.plots import plot_codes
from azogue.reduction import trustworthiness
from azogue.webmaps import map_page
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


# -- pages -------------------------------------------------------------------------------------------------------------


def content(page):
    """What the script of a page reads."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.S)
    return json.loads(found[1])


def test_project_writes_a_page(folder):
    args = ("project", "iris.csv", "--color", "species", "--json", *QUICK)
    done = azogue(*args, "-o", "map.html", cwd=folder)
    assert json.loads(done.stdout) == {"output": "map.html", "rows": 150, "code_size": 2}
    page = (folder / "map.html").read_text()
    azogue(*args, "-o", "again.html", cwd=folder)
    assert (folder / "again.html").read_text() == page, "same seed, same bytes"
    data, frame = content(page), pd.read_csv(folder / "iris.csv")
    assert data["columns"] == list(frame.columns), "the row is shown whole, with the column that colours"
    assert [float(cell) for cell in data["cells"][0]] == frame.iloc[:, 0].tolist()
    assert data["cells"][-1] == frame["species"].tolist()
    assert [name for _, name in data["names"]] == ["setosa", "versicolor", "virginica"]
    assert [data["names"][shade][1] for shade in data["shade"]] == frame["species"].tolist()
    codes = plot_codes_of(folder)
    for unit, key in enumerate("xy"):
        low, high = codes[:, unit].min(), codes[:, unit].max()
        assert np.allclose(data[key], (codes[:, unit] - low) / (high - low), atol=1e-5)


def plot_codes_of(folder):
    azogue("encode", "iris.csv", "--drop", "species", "--network", "2", "-o", "codes.npy", *QUICK, cwd=folder)
    return np.load(folder / "codes.npy")


EVIL = ["</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "a & b \u2028 <!-- '\"", "plain"]


def test_a_page_holds_no_markup_of_the_data(folder):
    frame = pd.DataFrame({"a": np.linspace(0, 1, 40), "<b>name</b>": EVIL * 10})
    frame.to_csv(folder / "<i>evil.csv", index=False)
    azogue("project", "<i>evil.csv", "-o", "evil.html", "--color", "<b>name</b>", *QUICK, cwd=folder)
    page = (folder / "evil.html").read_text()
    assert content(page)["cells"][1] == EVIL * 10, "the page shows what is in the file"
    assert page.count("<script") == page.count("</script>") == 2
    for text in ("<img", "<b>", "<i>", "<!--", "\u2028", "alert(1)</script>"):
        assert text not in page
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    script = re.search(r"<script>(.*?)</script>", page, flags=re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    assert "innerHTML" not in script
    own = re.sub(r'id="data">.*?</script>', "", page, flags=re.S)
    assert not re.search(r"https?://|src=|@import|url\(", own), "nothing is fetched"


def test_page_of_other_codes_and_columns(folder):
    args = ("iris.npy", "--color", "4", *QUICK, "--network")
    done = azogue("project", *args, "3", "-o", "three.html", cwd=folder)
    assert "azogue: the code has 3 units; the map shows the first two" in done.stderr
    data = content((folder / "three.html").read_text())
    assert data["columns"] == ["column 1", "column 2", "column 3", "column 4"]
    assert data["ends"] == ["0.1", "2.5"]
    width = np.load(folder / "iris.npy")[:, 3]
    assert data["shade"] == np.round((width - 0.1) / 2.4 * 63).astype(int).tolist()
    assert data["colors"][0] == "#440154"
    assert data["colors"][63] == "#fde725"
    azogue("project", *args, "1", "-o", "one.html", cwd=folder)
    assert np.allclose(content((folder / "one.html").read_text())["x"], np.linspace(0, 1, 150), atol=1e-5)


def test_pages_of_texts_and_pictures(folder):
    (folder / "lines.txt").write_text("el ebro\nel tajo y el <b>duero</b>\n" * 20)
    azogue("project", "lines.txt", "--modality", "words", "-o", "texts.html", *QUICK, cwd=folder)
    assert content((folder / "texts.html").read_text())["cells"][0][1] == "el tajo y el <b>duero</b>"
    np.save(folder / "pictures.npy", np.random.default_rng(0).integers(0, 255, (30, 8, 8), dtype=np.uint8))
    azogue("project", "pictures.npy", "-o", "pictures.html", *QUICK, cwd=folder)
    data = content((folder / "pictures.html").read_text())
    assert len(data["x"]) == 30
    assert data["columns"] == []


def test_map_page_of_many_kinds_of_values():
    rows = {"n": [1, None], "f": [0.1 + 0.2, float("nan")], "t": [True, "x" * 500], "big": [2**60, np.float32(1.5)]}
    data = content(map_page([[0.0, 1.0], [1.0, 1.0]], rows, [None, "a"]))
    long = "x" * 199 + "…"
    assert data["cells"] == [[1, None], ["0.3", None], ["True", long], [str(2**60), "1.5"]]
    assert data["names"] == [[0, "a"], [2, "missing"]]
    assert data["shade"] == [2, 0]
    assert data["y"] == [0.5, 0.5], "a unit that does not vary lies in the middle"
    many = {f"c{at}": [0] for at in range(50)}
    data = content(map_page([[1.0, 2.0]], many, [f"k{at}" for at in range(1)]))
    assert len(data["columns"]) == 40
    assert data["more"] == "… and 10 more columns"
    crowd = content(map_page(np.zeros((30, 2)), {}, [f"k{at:02}" for at in range(30)]))
    assert crowd["names"][-1] == [20, "… and 10 more"]
    assert crowd["shade"].count(20) == 10
    for codes, rows in (
        ([[float("nan"), 1.0]], {}),
        ([1.0], {}),
        (np.zeros((0, 2)), {}),
        ([[1.0, 2.0]], {"a": [1, 2]}),
    ):
        with pytest.raises(ValueError, match="map: "):
            map_page(codes, rows)


def test_project_neighbors(folder):
    args = ("project", "iris.csv", "--color", "species", "--neighbors", "--seed", "0")
    frame = pd.read_csv(folder / "iris.csv").drop(columns="species")
    for given, meant in ((("--epochs", "20"), 20), ((), 100)):  # what is not given suits a map
        azogue(*args, *given, "-o", "near.html", cwd=folder)
        data = content((folder / "near.html").read_text())
        ae = az.MapAutoencoder((128, 128, 2), placement="neighbors", epochs=meant, random_state=0)
        codes = ae.fit_transform(frame)
        assert np.allclose(data["x"], (codes[:, 0] - codes[:, 0].min()) / np.ptp(codes[:, 0]), atol=1e-5)
    assert trustworthiness(frame.to_numpy(), codes) > 0.95
    done = azogue("project", "m.azogue", "iris.csv", "--neighbors", "-o", "map.png", cwd=folder, ok=False)
    assert "trained already; leave --neighbors out" in done.stderr
    done = azogue(*args, "--variant", "sparse", "-o", "map.png", cwd=folder, ok=False)
    assert "leave --variant sparse out" in done.stderr
    done = azogue("project", "iris.csv", "-o", "map.gif", cwd=folder, ok=False)
    assert "a map ends in .png, .svg, .pdf or .html" in done.stderr
