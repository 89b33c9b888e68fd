"""The command line, run as a user runs it: in a process, on files, good and broken."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_iris

from azogue.cli import main

QUICK = ("--epochs", "5", "--seed", "0")


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def azogue(*args, cwd=None, stdin="", ok=True):
    """Run a command in this process, as a shell would, with streams of its own."""
    out, err, given = (io.TextIOWrapper(io.BytesIO(text), write_through=True) for text in (b"", b"", stdin.encode()))
    old = sys.argv, sys.stdin, sys.stdout, sys.stderr, Path.cwd()
    sys.argv, sys.stdin, sys.stdout, sys.stderr = ["azogue", *map(str, args)], given, out, err
    os.chdir(cwd or old[-1])
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code or 0
    finally:
        sys.argv, sys.stdin, sys.stdout, sys.stderr = old[:4]
        os.chdir(old[-1])
    done = Done(int(code), *(stream.buffer.getvalue().decode() for stream in (out, err)))
    if ok:
        assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    frame = load_iris(as_frame=True).frame
    frame["species"] = frame.pop("target").map({0: "setosa", 1: "versicolor", 2: "virginica"})
    frame.to_csv(folder / "iris.csv", index=False)
    frame.to_parquet(folder / "iris.parquet", index=False)
    np.save(folder / "iris.npy", load_iris().data)
    np.savez(folder / "iris.npz", X=load_iris().data)
    azogue("fit", "iris.csv", "-o", "m.azogue", "--network", "2", *QUICK, cwd=folder)
    return folder


def test_fit_says_what_it_made(folder):
    told = json.loads(azogue("fit", "iris.parquet", "-o", "j.azogue", "--json", *QUICK, cwd=folder).stdout)
    assert told["rows"] == 150
    assert told["columns"] == 5
    assert told["epochs"] <= 5
    plan = json.loads(azogue("fit", "iris.csv", "-o", "no.azogue", "--plan", "--json", cwd=folder).stdout)
    assert plan["backend"] == "dense"
    assert not (folder / "no.azogue").exists()


@pytest.mark.parametrize("data", ["iris.csv", "iris.parquet"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "npy", "npz"])
def test_encode_and_decode(folder, data, ending):
    out = f"codes-{data}.{ending}"
    azogue("encode", "m.azogue", data, "-o", out, cwd=folder)
    codes = {
        "csv": lambda p: pd.read_csv(p).to_numpy(),
        "parquet": lambda p: pd.read_parquet(p).to_numpy(),
        "npy": np.load,
        "npz": lambda p: np.load(p)["X"],
    }[ending](folder / out)
    assert codes.shape == (150, 2)
    azogue("decode", "m.azogue", out, "-o", f"rows-{out}.csv", cwd=folder)
    azogue("reconstruct", "m.azogue", data, "-o", f"again-{out}.csv", cwd=folder)
    rows, again = pd.read_csv(folder / f"rows-{out}.csv"), pd.read_csv(folder / f"again-{out}.csv")
    assert list(rows.columns) == list(pd.read_csv(folder / "iris.csv").columns)
    assert np.allclose(rows.iloc[:, :4], again.iloc[:, :4], atol=0.11)
    assert (rows["species"] == again["species"]).mean() > 0.98


def test_detect(folder):
    azogue("detect", "m.azogue", "iris.csv", "-o", "scores.csv", cwd=folder)
    scores = pd.read_csv(folder / "scores.csv")
    assert list(scores.columns) == ["row", "score", "anomaly", "column"]
    assert scores["score"].mean() == pytest.approx(1.0, rel=0.1)
    odd = pd.read_csv(folder / "iris.csv")
    odd.loc[7, "petal length (cm)"] = 40.0
    odd.to_csv(folder / "odd.csv", index=False)
    told = json.loads(azogue("detect", "m.azogue", "odd.csv", "--json", cwd=folder).stdout)
    worst = max(told["rows"], key=lambda row: row[1])
    assert worst[0] == 7
    assert worst[2] is True
    tenth = json.loads(azogue("detect", "m.azogue", "iris.csv", "--json", "--contamination", "0.1", cwd=folder).stdout)
    assert 10 <= sum(row[2] for row in tenth["rows"]) <= 20


def test_on_the_spot_and_standard_streams(folder):
    text = (folder / "iris.csv").read_text()
    done = azogue("encode", "-", "-o", "-", "--network", "3", *QUICK, cwd=folder, stdin=text)
    assert done.stdout.startswith('"code_1"') or done.stdout.startswith("code_1,code_2,code_3")
    assert len(done.stdout.splitlines()) == 151
    assert not done.stderr
    same = [azogue("detect", "iris.npy", *QUICK, cwd=folder).stdout for _ in "ab"]
    assert same[0] == same[1]
    assert azogue("encode", "iris.npz", "--json", *QUICK, cwd=folder).stdout.startswith('{"columns"')


def test_csv_dialects(folder):
    frame = pd.read_csv(folder / "iris.csv")
    frame.iloc[3, 0] = np.nan
    frame.to_csv(folder / "semi.csv", index=False, sep=";", na_rep="?")
    frame.to_csv(folder / "iris.csv.gz", index=False)
    (folder / "bare.csv").write_text("1,2\n3,4\n5,6\n7,9\n")
    azogue("reconstruct", "semi.csv", "--missing", "?", "-o", "semi-out.parquet", *QUICK, cwd=folder)
    back = pq.read_table(folder / "semi-out.parquet")
    assert str(back.schema.types[0]) == "double"
    assert back.column(0).null_count == 0
    azogue("encode", "iris.csv.gz", "--drop", "species", *QUICK, cwd=folder)
    told = azogue("fit", "bare.csv", "--no-header", "-o", "bare.azogue", "--json", *QUICK, cwd=folder).stdout
    assert json.loads(told)["rows"] == 4


def test_decimal_commas(folder):
    """As spreadsheets of half the world write them; commas that may part thousands stay as they are."""
    frame = pd.read_csv(folder / "iris.csv")
    frame.to_csv(folder / "comma.csv", index=False, sep=";", decimal=",")
    done = azogue("encode", "m.azogue", "comma.csv", cwd=folder)
    assert done.stdout == azogue("encode", "m.azogue", "iris.csv", cwd=folder).stdout
    (folder / "thousands.csv").write_text("a;b\n" + "".join(f"{i},500;{i}\n" for i in range(30)))
    assert (
        "column 'a' has 30 different texts"
        in azogue("fit", "thousands.csv", "-o", "t.azogue", *QUICK, cwd=folder).stderr
    )


def test_info_and_report(folder):
    facts = json.loads(azogue("info", "m.azogue", "--json", cwd=folder).stdout)
    assert facts["code"] == "2 units"
    assert "petal" in facts["names"]
    azogue("report", "m.azogue", "iris.csv", "-o", "r.html", cwd=folder)
    assert "<svg" in (folder / "r.html").read_text()
    azogue("report", "m.azogue", "iris.csv", "-o", "r.json", cwd=folder)
    assert json.loads((folder / "r.json").read_text())["sections"][0]["title"] == "Model"


def test_a_run_is_resumed_from_its_checkpoint(folder):
    args = ("fit", "iris.csv", "-o", "c.azogue", "--checkpoint", "c.ckpt", "--json", *QUICK)
    first, second = (azogue(*args, cwd=folder).stdout for _ in "ab")
    assert first == second


def broken(folder):
    (folder / "empty.csv").write_text("")
    (folder / "ragged.csv").write_text("a,b\n1,2\n3\n")
    (folder / "binary.csv").write_bytes(bytes(range(256)) * 4)
    (folder / "latin.csv").write_bytes("a,b\n1,ñ\n2,é\n".encode("latin-1"))
    (folder / "twice.csv").write_text("a,a\n1,2\n3,4\n")
    (folder / "header.csv").write_text("a,b\n")
    (folder / "inf.csv").write_text("a,b\n1,inf\n2,3\n4,5\n")
    (folder / "text.csv").write_text(
        "sepal length (cm),sepal width (cm),petal length (cm),petal width (cm),species\nx,1,1,1,setosa\n"
    )
    (folder / "other.csv").write_text("a,b\n1,2\n3,4\n")
    (folder / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00garbage")
    np.save(folder / "objects.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    np.savez(folder / "two.npz", a=np.zeros((2, 2)), b=np.zeros((2, 2)))
    (folder / "bad.npz").write_bytes(b"PK\x03\x04nonsense")
    (folder / "bad.parquet").write_bytes(b"PAR1nonsense")
    (folder / "picture.xyz").write_text("x")
    (folder / "fake.azogue").write_text("a,b\n1,2\n")
    (folder / "dir.csv").mkdir(exist_ok=True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("encode", "none.csv"), "none.csv: there is no such file"),
        (("encode", "empty.csv"), "empty.csv: is empty"),
        (("encode", "ragged.csv"), "ragged.csv: broken CSV"),
        (("encode", "binary.csv"), "binary.csv"),
        (("encode", "latin.csv"), "latin.csv"),
        (("encode", "twice.csv"), "twice.csv: "),
        (("encode", "header.csv"), "header.csv: Found array with 0 sample"),
        (("encode", "inf.csv"), "inf.csv: "),
        (("encode", "bad.npy"), "bad.npy"),
        (("encode", "objects.npy"), "objects.npy"),
        (("encode", "two.npz"), "a, b"),
        (("encode", "bad.parquet"), "bad.parquet"),
        (("encode", "picture.xyz"), "picture.xyz: unknown kind"),
        (("encode", "dir.csv"), "dir.csv: is a directory"),
        (("encode", "m.azogue"), "name the data"),
        (("encode", "m.azogue", "other.csv"), "sepal"),
        (("encode", "m.azogue", "iris.csv", "-o", "iris.csv"), "also what is read"),
        (("report", "m.azogue", "iris.csv", "-o", "r.pdf"), ".html, .json or .md"),
        (("project", "iris.csv", "-o", "m.jpg"), "m.jpg: a map ends in .png, .svg, .pdf or .html"),
        (("project", "iris.csv", "-o", "-"), "needs a file"),
        (
            ("project", "iris.csv", "-o", "x.png", "--color", "colour"),
            "has no column 'colour' to colour by; it has sepal",
        ),
        (
            ("project", "m.azogue", "iris.csv", "-o", "x.png", "--color", "colour"),
            "it has sepal length (cm), sepal width",
        ),
        (("project", "iris.npy", "-o", "x.png", "--color", "species"), "takes a number from 1 to 4, got 'species'"),
        (("project", "iris.npy", "-o", "x.png", "--color", "5"), "takes a number from 1 to 4, got '5'"),
        (("project", "m.azogue", "iris.csv", "-o", "x.png", "--network", "3"), "trained already"),
        (("encode", "iris.csv", "--network", "1000000000"), "GiB"),
        (("encode", "m.azogue", "text.csv"), "sepal length"),
        (("encode", "iris.csv", "iris.csv"), "no model file"),
        (("encode", "fake.azogue", "iris.csv"), "fake.azogue"),
        (("info", "fake.azogue"), "fake.azogue"),
        (("decode", "m.azogue", "iris.npy"), "(n, 2)"),
        (("decode", "m.azogue", "iris.csv"), "iris.csv: could not convert string to float: 'setosa'"),
        (("decode", "iris.csv", "iris.npy"), "model file"),
        (("encode", "iris.csv", "--drop", "colour"), "colour"),
        (("encode", "iris.csv", "--network", "wide"), "--network"),
        (("encode", "iris.csv", "--variant", "quantum"), "--variant"),
        (("encode", "iris.csv", "--scaling", "log"), "scaling"),
        (("encode", "iris.csv", "-o", "nowhere/x.csv"), "nowhere"),
        (("encode", "iris.csv", "-o", "dir.csv"), "dir.csv: is a directory"),
        (("encode", "iris.csv", "-o", "x.docx"), "x.docx"),
        (("fit", "iris.csv", "-o", "dir.csv"), "dir.csv"),
        (("fit", "iris.csv", "-o", "-"), "needs a file"),
        (("fit", "iris.csv", "-o", "m.bin"), "must end in .azogue"),
        (("encode", "bad.npz"), "bad.npz"),
        (("detect", "m.azogue", "iris.csv", "-o", "s.npz"), "s.npz: holds numbers only"),
        (("detect", "m.azogue", "iris.csv", "--epochs", "3"), "trained already"),
    ],
)
def test_what_is_at_fault_is_named_in_one_line(folder, args, message):
    broken(folder)
    before = sorted(folder.iterdir())
    quick = ("--epochs", "2") if args[0] in ("encode", "fit") and not args[1].endswith(".azogue") else ()
    done = azogue(*args, *quick, cwd=folder, ok=False)
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stderr.startswith("azogue: ")
    assert sorted(folder.iterdir()) == before, "something half-written was left"


@pytest.mark.parametrize(
    "args",
    [(), ("fly",), ("fit",), ("fit", "iris.csv"), ("project", "iris.csv"), ("encode", "iris.csv", "--epochs", "0")],
)
def test_usage_is_status_2(folder, args):
    assert azogue(*args, cwd=folder, ok=False).returncode == 2


def test_help_does_not_load_torch(folder):
    program = "import sys, azogue.cli.app as a; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
    assert "Train an autoencoder" in azogue("fit", "--help").stdout


WITHOUT_FRAMES = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
hidden = lambda name, *args: None if name.split(".")[0] in ("pandas", "polars") else find(name, *args)
PathFinder.find_spec = staticmethod(hidden)
from azogue.applications import generators, hashing
generators.STEPS, hashing.STEPS = 1200, 300  # less training: the comparisons hold already
from azogue.cli import main
main()
"""


def test_the_tour_which_needs_neither_pandas_nor_polars(tmp_path):
    command = [sys.executable, "-c", WITHOUT_FRAMES, "tour", "-o", str(tmp_path / "t"), "--json"]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert [stop["use"] for stop in told["stops"]] == [
        *(
            "1 reduce",
            "2 detect",
            "3 noise",
            "4 missing data",
            "5 anonymise",
            "6 encrypt",
            "7 hash",
            "8 synthesise",
            "variants",
            "pictures, signals, texts",
        ),
        *("search", "save, load"),
    ]
    reduce, detect, denoise, impute, anonymise, encrypt, search, synthesise, *others = told["stops"]
    imagine, perceive, evolve, keep = others
    assert reduce["ours"] > reduce["theirs"], "two codes should beat two principal components"
    assert detect["ours"] >= detect["theirs"], "the detector should be as good as an isolation forest"
    assert denoise["ours"] > denoise["more"][0]["theirs"] > denoise["theirs"], "network, lines, filter"
    assert impute["ours"] < impute["theirs"], "the imputer should be nearer than neighbours"
    usual, neighbours, lines, ours = (row[3] for row in impute["table"]["rows"])
    assert ours < neighbours < usual, "and so on a second table"
    assert (impute["more"][0]["ours"], impute["more"][0]["theirs"]) == (ours, lines), "where we lose is told too"
    assert anonymise["ours"] < anonymise["theirs"], "sex should be harder to tell than where its column is left out"
    assert anonymise["more"][0]["ours"] > 0.9, "known pairs turn a code back"
    assert encrypt["ours"] < encrypt["theirs"], "the container should be smaller than what lzma makes of the pictures"
    assert encrypt["measure"].endswith("all of them back")
    assert encrypt["more"][0]["ours"] > 0.9 > 0.01 > encrypt["more"][0]["theirs"], "codes are read, it is not"
    assert search["ours"] > search["theirs"], "learned bits should find more than signs along directions"
    assert synthesise["ours"] < synthesise["theirs"], "drawn rows should be harder to tell than columns drawn alone"
    assert imagine["ours"] > imagine["theirs"], "the bound should be above the likelihood of probabilistic PCA"
    assert perceive["ours"] < perceive["theirs"], "eight codes should beat eight principal components"
    assert evolve["ours"] < evolve["theirs"], "the winner should be nearer than principal components"
    assert keep["ours"] == "yes"
    page = (tmp_path / "t" / "index.html").read_text()
    assert page.count("<img") == 20
    assert len(list((tmp_path / "t").glob("*.png"))) == 20, "no stop writes over another's picture"
    assert "525 cells of 14 columns filled" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_as_a_program(folder):
    def run(*args):
        command = [sys.executable, "-m", "azogue", *args]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    done = run("detect", "m.azogue", "iris.csv")
    assert done.returncode == 0
    assert done.stdout == azogue("detect", "m.azogue", "iris.csv", cwd=folder).stdout
    done = run("detect", "m.azogue", "none.csv")
    assert (done.returncode, done.stderr) == (1, "azogue: none.csv: there is no such file\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_help_on_a_stream_that_lacks_characters(encoding):
    command = [sys.executable, "-m", "azogue", "encode", "--help"]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b" -> " in done.stdout or encoding == "ascii", "typer writes UTF-8 where ASCII is said"


def test_results_on_a_stream_that_lacks_characters(folder, monkeypatch):
    pd.DataFrame({"tamaño": range(30), "n": range(30)}).to_csv(folder / "accents.csv", index=False)
    azogue("fit", "accents.csv", "-o", "accents.azogue", *QUICK, cwd=folder)
    plain = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", plain)
    monkeypatch.setattr(sys, "argv", ["azogue", "info", str(folder / "accents.azogue")])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert b"tamano" in plain.buffer.getvalue()


def test_text_columns_stay_text_whatever_new_rows_look_like(folder):
    (folder / "codes-train.csv").write_text(
        "code,n\n" + "".join(f"{c},{i}\n" for i, c in enumerate(["A1", "3", "7", "B2"] * 10))
    )
    (folder / "codes-new.csv").write_text("code,n\n3,1\n7,2\n")
    azogue("fit", "codes-train.csv", "-o", "codes.azogue", *QUICK, cwd=folder)
    azogue("detect", "codes.azogue", "codes-new.csv", cwd=folder)


def test_columns_are_matched_by_name(folder):
    frame = pd.read_csv(folder / "iris.csv")
    frame.iloc[:, ::-1].assign(id=range(150)).to_csv(folder / "turned.csv", index=False)
    done = azogue("encode", "m.azogue", "turned.csv", cwd=folder)
    assert done.stdout == azogue("encode", "m.azogue", "iris.csv", cwd=folder).stdout
    assert done.stderr == "azogue: the model does not know id: left out\n"


def test_advice_on_text_columns(folder):
    lines = [f"{i},key{i},{'abc' if i == 7 else i}" for i in range(40)]
    (folder / "odd-columns.csv").write_text("n,id,age\n" + "\n".join(lines) + "\n")
    told = azogue("fit", "odd-columns.csv", "-o", "odd.azogue", *QUICK, cwd=folder).stderr
    assert "column 'id' has 40 different texts in 40 rows; --drop id" in told
    assert "column 'age' is taken as text because of 'abc' in row 8" in told


def test_an_interrupted_run_is_no_success(folder, monkeypatch):
    from azogue.training.dense import Dense

    calls = []
    step = Dense.step

    def interrupted(self, states, batch):
        calls.append(states[0].epoch)
        if states[0].epoch == 2:
            raise KeyboardInterrupt
        return step(self, states, batch)

    monkeypatch.setattr(Dense, "step", interrupted)
    done = azogue("fit", "iris.csv", "-o", "half.azogue", *QUICK, cwd=folder, ok=False)
    assert done.returncode == 130
    assert "2 of 5 epochs" in done.stderr
    assert (folder / "half.azogue").exists()
    done = azogue("encode", "iris.csv", "-o", "half.csv", *QUICK, cwd=folder, ok=False)
    assert done.returncode == 130
    assert not (folder / "half.csv").exists()


def test_version():
    assert azogue("--version").stdout.startswith("azogue 0.")


@pytest.mark.parametrize("text", ["a,b,a\n1,2,3\n4,5,6\n", "0.5,1,0.5\n1,2,3\n"])
def test_columns_of_the_same_name(tmp_path, text):
    """Most often a file without a header."""
    (tmp_path / "rows.csv").write_text(text)
    done = azogue("fit", "rows.csv", "-o", "m.azogue", "--epochs", "1", cwd=tmp_path, ok=False)
    name = text.partition(",")[0]
    assert done.returncode == 1
    assert f"rows.csv: several columns are named '{name}'; name each differently, or say --no-header" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    azogue("fit", "rows.csv", "-o", "m.azogue", "--epochs", "1", "--no-header", "--network", "1", cwd=tmp_path)
    assert (tmp_path / "m.azogue").exists()
