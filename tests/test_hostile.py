"""Files that mean harm are refused with an error that says why; nothing of them runs, and they take no memory."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

import azogue as az
import hostile_files
from azogue import limits, screening
from azogue.cli import tables
from azogue.limits import DataFileError, allowing
from azogue.modalities.pictures import picture_files
from azogue.modalities.waves import wave_files

posix = pytest.mark.skipif(os.name != "posix", reason="about POSIX files")
TYPED = {"ModelFileError", "DataFileError", "CipherError"}


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What came of all hostile files, read in one process of their own."""
    folder = tmp_path_factory.mktemp("hostile")
    paths = {name: str(path) for name, path in hostile_files.make(folder).items()}
    run = [sys.executable, str(Path(hostile_files.__file__).with_name("hostile_run.py"))]
    own = {**os.environ, "PYTHONPATH": str(Path(az.__file__).resolve().parents[1])}
    done = subprocess.run(run, input=json.dumps(paths), capture_output=True, text=True, cwd=folder, env=own)
    assert done.returncode == 0, done.stderr[-5000:]
    return {**json.loads(done.stdout), "owned": list(folder.rglob("owned"))}


@posix
def test_hostile_files_are_refused_in_words_and_take_no_memory(seen):
    assert len(seen["files"]) >= 100
    for name, told in seen["files"].items():
        typed = TYPED if not name.endswith(".cache") else {"ValueError"}
        assert typed & set(told["error"]), f"{name}: {told}"
        assert re.search(hostile_files.FILES[name][1], told["text"]), f"{name}: {told['text']}"
        assert len(told["text"]) < 2000, name
        assert told["bytes"] < 256 << 20, f"{name}: {told['bytes']:,} bytes"


@posix
def test_nothing_of_them_runs(seen):
    assert seen["happened"] == []
    assert seen["owned"] == []


@posix
def test_the_canary_sings(tmp_path):
    """Else the test above would prove nothing."""
    program = (
        "import hostile_run, sys, os, pathlib, pickle; sys.addaudithook(hostile_run.canary);"
        "hostile_run.look(lambda path: pickle.loads(path.read_bytes()), pathlib.Path(sys.argv[1]));"
        "hostile_run.look(lambda path: eval('1'), 1); hostile_run.look(lambda path: open(sys.argv[2], 'w'), 1);"
        "print(hostile_run.happened)"
    )
    (tmp_path / "evil").write_bytes(hostile_files._evil(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "evil", tmp_path / "new"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(hostile_files.__file__).parent,
    )
    assert (tmp_path / "owned").exists()
    for event in ("pickle.find_class", "os.system", "exec", "open for writing"):
        assert event in done.stdout


# folders


@posix
def test_folders_with_loops_are_read_once(tmp_path):
    from PIL import Image

    (tmp_path / "a" / ".hidden").mkdir(parents=True)
    for name in ("a/x.png", "a/.hidden/y.png", "a/.z.png"):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name)
    for name in ("a/x.wav", "a/.hidden/y.wav"):
        (tmp_path / name).write_bytes(hostile_files.good_sound())
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "a" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    os.mkfifo(tmp_path / "a" / "pipe.wav")
    assert [path.name for path in picture_files(tmp_path)] == ["x.png"]
    assert [path.name for path in wave_files(tmp_path)] == ["x.wav"]


# limits


def test_limits_are_raised_for_a_block_and_by_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "wide.csv"
    path.write_text("a,b,c\n1,2,3\n")
    with allowing(columns=2), pytest.raises(DataFileError, match=r"3 columns, more than the 2 allowed.*columns=4"):
        tables.read_table(str(path))
    monkeypatch.setenv("AZOGUE_LIMITS", "columns=2, line_bytes=4000")
    assert limits.current().line_bytes == 4000
    with pytest.raises(DataFileError, match="AZOGUE_LIMITS='columns=4'"):
        tables.read_table(str(path))
    monkeypatch.setenv("AZOGUE_LIMITS", "columns=4")
    assert tables.read_table(str(path)).num_columns == 3
    for wrong in ("columns", "columns=-1", "rows=3", "columns=0"):
        monkeypatch.setenv("AZOGUE_LIMITS", wrong)
        with pytest.raises(ValueError, match="AZOGUE_LIMITS|limits:"):
            limits.current()
    with pytest.raises(ValueError, match="no limit"), allowing(rows=3):
        pass


@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_lines_ends_of_all_kinds_are_lines(tmp_path, ending):
    """A file of an old Mac has no line feed, and is no single line therefore."""
    path = tmp_path / f"old.{ending}"
    path.write_bytes(b"a,b\r" + b"1,2\r" * 50_000)
    with allowing(columns=2, line_bytes=1 << 17):
        assert tables.read_table(str(path)).shape == (50_000, 2)


def test_rows_longer_than_a_block_are_read(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a,b\n" + "".join(f"{at},{'x' * 1_500_000}\n" for at in range(4)))
    assert tables.read_table(str(path)).shape == (4, 2)


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f4", "i1", "u8", "?", "U3", "S2", "c16", "M8[s]", "f2"])
def test_honest_arrays_are_read(tmp_path, dtype):
    array = np.zeros((3, 4), dtype)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "a.npz", X=array, other=array)
    np.savez_compressed(tmp_path / "b.npz", array)
    for name in ("a.npy", "a.npz", "b.npz"):
        found = screening.array(tmp_path / name)
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)
    np.save(tmp_path / "f.npy", np.asfortranarray(np.arange(12.0).reshape(3, 4)))
    assert screening.array(tmp_path / "f.npy")[2, 3] == 11
    np.save(tmp_path / "e.npy", np.zeros((0, 4)))
    assert screening.array(tmp_path / "e.npy").shape == (0, 4)


def test_texts_that_repeat_are_read_as_they_are(tmp_path):
    texts = [*(["a long text " * 2000, None, "ñ"] * 200), ""]
    table = pa.table({"n": range(601), "t": texts, "u": pa.array(texts).dictionary_encode(), "s": map(str, range(601))})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=100)
    with allowing(free_bytes=1 << 20, expansion=10_000):
        assert screening.parquet(tmp_path / "t.parquet").equals(table)
    with allowing(free_bytes=1 << 20, expansion=2), pytest.raises(DataFileError, match="unpacks to more than 2 times"):
        screening.parquet(tmp_path / "t.parquet")
    assert screening.parquet(tmp_path / "t.parquet").equals(parquet.read_table(tmp_path / "t.parquet"))


def test_what_compresses_well_is_read_within_the_free_bytes(tmp_path):
    np.savez_compressed(tmp_path / "zeros.npz", X=np.zeros((1000, 1000)))
    assert screening.array(tmp_path / "zeros.npz").shape == (1000, 1000)
    with allowing(free_bytes=1 << 20), pytest.raises(DataFileError, match="expansion"):
        screening.array(tmp_path / "zeros.npz")


def test_the_page_tells_the_limits_as_they_are():
    page = (Path(__file__).resolve().parents[1] / "docs" / "security.md").read_text(encoding="utf-8")
    rows = [f"| `{item.name}` | {item.default:,} | {item.metadata['what']} |" for item in fields(limits.Limits)]
    assert re.findall(r"^\| `\w+` \|.*$", page, re.MULTILINE) == rows


# spreadsheets


def test_texts_that_a_spreadsheet_would_run_are_told_and_kept(tmp_path, capsys):
    texts = ["=1+1", "-1.5", "-x", "@a", "plain", None, "+34 600", "-"]
    table = pa.table({"n": [-1.5, 2.0] * 4, "t": texts, "c": pa.array(texts).dictionary_encode()})
    tables.write_table(table, str(tmp_path / "out.csv"))
    told = capsys.readouterr().err
    assert "6 texts such as '=1+1' would be run by a spreadsheet" in told
    assert "--safe-csv" in told
    again = tables.read_table(str(tmp_path / "out.csv"))
    assert again["t"].to_pylist() == texts
    assert again["n"].to_pylist() == [-1.5, 2.0] * 4
    tables.write_table(table.select(["n"]), str(tmp_path / "out.csv"))
    tables.write_table(table, str(tmp_path / "out.parquet"))
    assert capsys.readouterr().err == ""


def test_safe_csv_puts_an_apostrophe_before_texts_alone(tmp_path):
    from typer.testing import CliRunner

    from azogue.cli.app import app

    rng = np.random.default_rng(0)
    rows = "".join(f"{x},{t}\n" for x, t in zip(rng.normal(size=40), ["=1+1", "-y", "z", "w"] * 10, strict=True))
    (tmp_path / "in.csv").write_text("x,t\n" + rows + ",z\n")
    command = ["impute", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--seed", "0"]
    done = CliRunner().invoke(app, ["--safe-csv", *command])
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[1].strip('"') for line in lines[1:5]] == ["'=1+1", "'-y", "z", "w"]
    assert float(lines[1].split(",")[0]) == pytest.approx(float(rows.splitlines()[0].split(",")[0]))
    done = CliRunner().invoke(app, command)
    assert [line.split(",")[1].strip('"') for line in (tmp_path / "out.csv").read_text().splitlines()[1:3]] == [
        "=1+1",
        "-y",
    ]


def test_a_hostile_file_on_the_command_line_is_one_line(tmp_path):
    from typer.testing import CliRunner

    from azogue.cli.app import app

    names = ["32 GiB.npy.table", "million columns.csv.table", "pickle.model", "bomb.npz.table"]
    for name, path in hostile_files.make(tmp_path, names).items():
        command = ["info" if name.endswith("model") else "fit", str(path)]
        done = CliRunner().invoke(app, command + (["-o", str(tmp_path / "m.azogue")] if command[0] == "fit" else []))
        assert done.exit_code == 1, done.output
        assert len(done.stderr.strip().splitlines()) == 1
        assert path.name in done.stderr
    with pytest.raises(az.ModelFileError):
        az.load(tmp_path / "002" / "pickle")
