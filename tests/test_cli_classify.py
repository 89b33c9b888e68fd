"""`azogue classify`: what it predicts, how it judges itself, and one clear line for whatever is wrong."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_wine

import azogue as az
from test_cli import azogue

QUICK = ("--network", "3", "--seed", "0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classify")
    frame = load_wine(as_frame=True).frame
    frame["kind"] = frame.pop("target").map({0: "red", 1: "white", 2: "rosé"})
    frame.loc[::7, "ash"] = np.nan
    frame[::2].to_csv(folder / "train.csv", index=False)
    frame[1::2].to_csv(folder / "new.csv", index=False)
    frame[1::2].drop(columns="kind").assign(id=1).to_csv(folder / "bare.tsv", index=False, sep="\t")
    array = np.column_stack([load_wine().data, load_wine().target])
    np.save(folder / "train.npy", array[::2])
    np.savez(folder / "new.npz", X=array[1::2])
    np.save(folder / "bare.npy", array[1::2, :-1])
    ages = load_diabetes(as_frame=True).frame.rename(columns={"target": "progress"})
    ages[::2].to_parquet(folder / "train.parquet")
    ages[1::2].to_parquet(folder / "new.parquet")
    azogue(
        "classify", "train.csv", "new.csv", "--target", "kind", "-o", "p.csv", "--save", "m.azogue", *QUICK, cwd=folder
    )
    return folder


def test_classes_and_their_shares(folder):
    found = pd.read_csv(folder / "p.csv")
    assert list(found) == ["row", "prediction", "p_red", "p_rosé", "p_white"]
    assert np.allclose(found.filter(like="p_").sum(axis=1), 1)
    shares = found[["p_red", "p_rosé", "p_white"]].to_numpy()
    assert (np.array(["red", "rosé", "white"])[shares.argmax(1)] == found["prediction"]).all()
    truth = pd.read_csv(folder / "new.csv")["kind"]
    accuracy = (found["prediction"] == truth).mean()
    assert accuracy > 0.9
    again = ("classify", "train.csv", "new.csv", "--target", "kind", *QUICK)
    told = json.loads(azogue(*again, "-o", "q.csv", "--json", cwd=folder).stdout)
    assert told["accuracy"] == pytest.approx(accuracy)
    assert (told["kind"], told["target"], told["rows"]) == ("class", "kind", 89)
    assert (folder / "q.csv").read_bytes() == (folder / "p.csv").read_bytes()
    done = azogue(*again, cwd=folder)
    assert done.stdout.encode() == (folder / "p.csv").read_bytes()
    assert done.stderr == f"azogue: new.csv, accuracy {accuracy:.4f}\n"
    whole = json.loads(azogue(*again, "--json", cwd=folder).stdout)
    assert whole["accuracy"] == pytest.approx(accuracy)
    assert [row[1] for row in whole["rows"]] == found["prediction"].tolist()


def test_the_target_is_never_looked_at(folder):
    frame = pd.read_csv(folder / "new.csv")
    frame["kind"] = np.where(np.arange(len(frame)) % 2, "white", None)
    frame.to_csv(folder / "other.csv", index=False)
    azogue("classify", "train.csv", "other.csv", "--target", "kind", "-o", "other-p.csv", *QUICK, cwd=folder)
    assert (folder / "other-p.csv").read_bytes() == (folder / "p.csv").read_bytes()


def test_a_saved_classifier_is_enough(folder):
    done = azogue("classify", "m.azogue", "bare.tsv", "-o", "s.csv", cwd=folder)
    assert done.stderr == "azogue: bare.tsv: id: not learned from, left out\n"
    assert done.stdout == "s.csv: 89 rows from bare.tsv\n"
    assert (folder / "s.csv").read_bytes() == (folder / "p.csv").read_bytes()
    told = json.loads(
        azogue("classify", "m.azogue", "new.csv", "--target", "kind", "-o", "s.csv", "--json", cwd=folder).stdout
    )
    assert told["accuracy"] > 0.9
    assert isinstance(az.load(folder / "m.azogue"), az.AEkNNClassifier)
    assert "AEkNNClassifier" in azogue("info", "m.azogue", cwd=folder).stdout


def test_arrays_count_columns_from_one(folder):
    for name, accuracy in (("new.npz", True), ("bare.npy", False)):
        args = ("classify", "train.npy", name, "--target", "14", "-o", f"{name}.csv", "--json", *QUICK)
        told = json.loads(azogue(*args, cwd=folder).stdout)
        assert ("accuracy" in told) == accuracy
    assert (folder / "new.npz.csv").read_bytes() == (folder / "bare.npy.csv").read_bytes()
    assert set(pd.read_csv(folder / "new.npz.csv")["prediction"]) == {0, 1, 2}


def test_values(folder):
    args = ("classify", "train.parquet", "new.parquet", "--target", "progress", "-o", "v.csv", "--json", *QUICK)
    told = json.loads(azogue(*args, cwd=folder).stdout)
    found = pd.read_csv(folder / "v.csv")
    truth = pd.read_parquet(folder / "new.parquet")["progress"].to_numpy()
    assert list(found) == ["row", "prediction"]
    assert told["r2"] == pytest.approx(
        1 - np.square(found["prediction"] - truth).sum() / np.square(truth - truth.mean()).sum()
    )
    assert told["kind"] == "number"
    as_number = (
        "classify",
        "train.npy",
        "new.npz",
        "--target",
        "14",
        "--as",
        "number",
        "-o",
        "v.csv",
        "--json",
        *QUICK,
    )
    assert json.loads(azogue(*as_number, cwd=folder).stdout)["r2"] > 0.7


@pytest.mark.parametrize(
    ("kind", "values"),
    [("class", ["a", "b"]), ("class", [True, False]), ("class", [1, 2]), ("number", [0.5, 1.5]), ("number", range(21))],
    ids=["text", "truth", "few", "fraction", "many"],
)
def test_what_is_a_class(folder, kind, values):
    frame = pd.read_csv(folder / "train.csv")
    frame["kind"] = np.resize(np.array(list(values)), len(frame))
    frame.to_csv(folder / "kind.csv", index=False)
    args = ("classify", "kind.csv", "bare.tsv", "--target", "kind", "-o", "k.csv", "--json", *QUICK)
    assert json.loads(azogue(*args, cwd=folder).stdout)["kind"] == kind


WRONG = {
    "no target": (("train.csv", "new.csv"), "--target"),
    "no such column": (("train.csv", "new.csv", "--target", "colour"), "no column 'colour'"),
    "one class": (("one.csv", "new.csv", "--target", "kind"), "one value only"),
    "holes": (("train.csv", "new.csv", "--target", "ash"), "13 of 89 rows have no value of 'ash'"),
    "columns lacking": (("train.csv", "lacks.csv", "--target", "kind"), "lacks the column alcohol"),
    "empty": (("empty.csv", "new.csv", "--target", "kind"), "empty"),
    "no rows to learn": (("header.csv", "new.csv", "--target", "kind"), "needs rows"),
    "no rows to predict": (("train.csv", "header.csv", "--target", "kind"), "no rows to predict"),
    "no file": (("train.csv", "none.csv", "--target", "kind"), "no such file"),
    "kinds mixed": (("train.csv", "bare.npy", "--target", "kind"), "use one kind of file"),
    "array without number": (("train.npy", "bare.npy", "--target", "kind"), "1 to 14"),
    "array too narrow": (("train.npy", "narrow.npy", "--target", "14"), "12 columns"),
    "texts as numbers": (("train.csv", "new.csv", "--target", "kind", "--as", "number"), "--as number"),
    "dates": (("dates.parquet", "new.csv", "--target", "day"), "can be no target"),
    "too many neighbours": (("train.csv", "new.csv", "--target", "kind", "--neighbors", "90"), "n_samples=89"),
    "options of a model": (("m.azogue", "new.csv", "--seed", "1"), "--seed"),
    "saved again": (("m.azogue", "new.csv", "--save", "b.azogue"), "--save"),
    "no classifier": (("plain.azogue", "new.csv"), "holds Autoencoder"),
    "a wrong ending": (("train.csv", "new.csv", "--target", "kind", "--save", "m.bin"), "must end in .azogue"),
    "output is input": (("train.csv", "new.csv", "--target", "kind", "-o", "new.csv"), "also what is read"),
}


@pytest.fixture(scope="module")
def broken(folder):
    frame = pd.read_csv(folder / "train.csv")
    frame.assign(kind="red").to_csv(folder / "one.csv", index=False)
    frame.drop(columns="alcohol").to_csv(folder / "lacks.csv", index=False)
    frame[:0].to_csv(folder / "header.csv", index=False)
    (folder / "empty.csv").write_text("")
    frame.assign(day=pd.date_range("2026-01-01", periods=89)).to_parquet(folder / "dates.parquet")
    np.save(folder / "narrow.npy", np.load(folder / "bare.npy")[:, 1:])
    azogue("fit", "train.csv", "-o", "plain.azogue", "--network", "2", "--epochs", "2", cwd=folder)
    return folder


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line(broken, case):
    args, message = WRONG[case]
    done = azogue("classify", *args, cwd=broken, ok=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.splitlines()[-1].startswith("azogue: ")
    assert len(done.stderr.splitlines()) == 1
    assert not done.stdout
