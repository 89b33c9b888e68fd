"""`azogue hash` and `azogue find`: codes and indexes of files, and neighbours of rows, texts and codes."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_iris
from typer.testing import CliRunner

import azogue as az
from azogue.cli.app import app

ABOUT = ("cat", "kitten", "mouse", "purr", "whisker"), ("car", "engine", "wheel", "brake", "road")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Iris with its kind, texts of two kinds, and an index of each."""
    root = tmp_path_factory.mktemp("hash")
    iris = load_iris()
    names = ["a,b,c,d,kind"] + [
        ",".join(map(str, row)) + f",{iris.target_names[kind]}"
        for row, kind in zip(iris.data, iris.target, strict=True)
    ]
    (root / "iris.csv").write_text("\n".join(names) + "\n")
    texts = [" ".join(np.random.default_rng(at).choice(ABOUT[at % 2], 3, replace=False)) for at in range(40)]
    (root / "texts.txt").write_text("\n".join(texts) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("azogue.applications.hashing.LONGEST", 40)
        azogue(root, "hash", "iris.csv", "--drop", "kind", "--bits", "16", "--seed", "0", "-o", "iris.azogue")
        azogue(root, "hash", "texts.txt", "--modality", "text", "--bits", "16", "--seed", "0", "-o", "texts.azogue")
        yield root


def azogue(root, *args, ok=True):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        done = CliRunner().invoke(app, list(args))
    assert (done.exit_code == 0) == ok, done.output
    if not ok:
        assert done.exit_code == 1
        assert done.stderr.strip().count("\n") == 0, "one clear line"
        assert "Traceback" not in done.output
    return done


def test_codes_are_those_of_the_index(folder):
    done = azogue(folder, "hash", "iris.azogue", "iris.csv", "-o", "codes.npy", "--json")
    told = json.loads(done.stdout)
    codes = np.load(folder / "codes.npy")
    hasher = az.load(folder / "iris.azogue")
    assert (codes == hasher.codes_).all()
    assert (told["rows"], told["bits"], told["different"]) == (150, 16, len(np.unique(codes, axis=0)))
    azogue(folder, "hash", "iris.azogue", "iris.csv", "-o", "codes.csv")
    assert (folder / "codes.csv").read_text().split()[1].strip('"') == codes[0].tobytes().hex()


def test_a_row_finds_itself(folder):
    told = json.loads(azogue(folder, "find", "iris.azogue", "5.1,3.5,1.4,0.2", "-k", "3", "--json").stdout)
    hasher = az.load(folder / "iris.azogue")
    distance, position = hasher.index().query(hasher.codes_[:1], 3)
    assert told["columns"] == ["query", "row", "distance"]
    assert told["rows"] == [[0, int(row), int(far)] for row, far in zip(position[0], distance[0], strict=True)]


def test_files_of_rows_radius_and_what_is_shown(folder):
    azogue(folder, "find", "iris.azogue", "iris.csv", "--radius", "0", "--show", "iris.csv", "-o", "found.csv")
    lines = (folder / "found.csv").read_text().splitlines()
    assert lines[0].replace('"', "") == "query,row,distance,shown"
    codes = az.load(folder / "iris.azogue").codes_
    assert len(lines) - 1 == sum(int((codes == code).all(1).sum()) for code in codes)
    assert any("5.1, 3.5, 1.4, 0.2, setosa" in line for line in lines[1:3])


def test_texts(folder):
    done = azogue(folder, "find", "texts.azogue", "the engine of a car", "-k", "5", "--show", "texts.txt")
    lines = done.stdout.strip().split("\n")
    assert len(lines) == 6
    assert all(set(line.split()[3:]) <= set(ABOUT[1]) for line in lines[1:])


def test_new_rows_join_an_index(folder):
    azogue(folder, "hash", "texts.azogue", "texts.txt", "-o", "again.azogue")
    assert (az.load(folder / "again.azogue").codes_ == az.load(folder / "texts.azogue").codes_).all()


def test_indexes_without_a_model(folder):
    codes = az.load(folder / "iris.azogue").codes_
    az.HammingIndex().add(codes).save(folder / "codes.azogue")
    np.save(folder / "two.npy", codes[:2])
    told = json.loads(azogue(folder, "find", "codes.azogue", "two.npy", "-k", "1", "--json").stdout)
    assert [row[2] for row in told["rows"]] == [0, 0]
    assert "QUERY must be a file of codes" in azogue(folder, "find", "codes.azogue", "a cat", ok=False).stderr


def test_labels_and_groups(folder):
    args = ("hash", "iris.csv", "--labels", "kind", "--bits", "8", "--seed", "0", "--groups", "1", "-o", "l.azogue")
    told = json.loads(azogue(folder, *args, "--json").stdout)
    assert sum(group["size"] for group in told["groups"]) <= 150
    assert {group["label"] for group in told["groups"]} == {"setosa", "versicolor", "virginica"}
    setosa = [group for group in told["groups"] if group["label"] == "setosa"]
    assert min(group["purity"] for group in setosa) == 1.0
    assert az.load(folder / "l.azogue").n_features_in_ == 4, "labels are no input"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("hash", "iris.csv", "--bits", "12", "-o", "x.npy"), "multiple of 8 from 8 to 512, got 12"),
        (("hash", "none.csv", "-o", "x.npy"), "no such file"),
        (("hash", "iris.csv", "--labels", "species", "-o", "x.npy"), "has no column 'species'"),
        (("hash", "iris.azogue", "iris.csv", "--bits", "8", "-o", "x.npy"), "is trained already; leave --bits out"),
        (("hash", "iris.csv", "texts.txt", "-o", "x.npy"), "is no index"),
        (("hash", "iris.csv", "-o", "iris.csv"), "iris.csv"),
        (("find", "iris.csv", "x"), "an index ends in .azogue"),
        (("find", "iris.azogue", "1,2"), "as a row it has 2 cells where the index has 4 columns"),
        (("find", "iris.azogue", "none.csv"), "no such file"),
        (("find", "iris.azogue", "iris.csv", "-k", "151"), "the index has 150 codes"),
        (("find", "iris.azogue", "iris.csv", "--show", "texts.txt"), "texts.txt"),
        (("find", "broken.azogue", "iris.csv"), "broken.azogue"),
        (("find", "plain.azogue", "iris.csv"), "holds an Autoencoder, in which nothing is looked up"),
    ],
)
def test_faults_are_one_line(folder, args, message):
    (folder / "broken.azogue").write_bytes((folder / "iris.azogue").read_bytes()[:-9])
    if "plain.azogue" in args:
        az.Autoencoder(1, epochs=1).fit(load_iris().data).save(folder / "plain.azogue")
    assert message in azogue(folder, *args, ok=False).stderr
