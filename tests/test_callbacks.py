"""Logs of training: a line an epoch, whole, once, and read again; curves for TensorBoard."""

import json
import sys
import types

import numpy as np
import pytest
from sklearn.base import clone

import azogue as az
from azogue.callbacks import CSVLog, JSONLines, TensorBoard, log_for
from azogue.files import ModelFileError
from test_cli import azogue

KINDS = pytest.mark.parametrize("kind", [JSONLines, CSVLog])


def fit(rows, *callbacks, **parameters):
    made = az.Autoencoder(2, **{"epochs": 4, "patience": None, "random_state": 0} | parameters)
    return made.set_params(callbacks=callbacks).fit(rows)


def epochs(log):
    return [record["epoch"] for record in log.read()]


@KINDS
def test_the_log_is_the_history(rows, tmp_path, kind):
    log = kind(tmp_path / "log")
    ae = fit(rows, log)
    found = log.read()
    assert len(found) == 4
    for record, own in zip(found, ae.history_, strict=True):
        assert record.keys() == own.keys()
        assert all(record[name] == pytest.approx(value) for name, value in own.items() if name != "seconds")
    fit(rows, log, epochs=2)
    assert epochs(log) == [1, 2, 3, 4, 1, 2], "a new run goes below the old one"


@KINDS
def test_each_line_is_there_when_its_epoch_is_over(rows, tmp_path, kind):
    log = kind(tmp_path / "log")
    seen = []
    fit(rows, log, lambda record: seen.append(epochs(log)))
    assert seen == [[1], [1, 2], [1, 2, 3], [1, 2, 3, 4]]


@KINDS
def test_a_resumed_run_says_each_epoch_once(rows, tmp_path, kind):
    log, whole = kind(tmp_path / "log"), kind(tmp_path / "whole")
    fit(rows, whole, epochs=6)
    again = {"epochs": 6, "checkpoint": tmp_path / "c", "resume": True}

    class KilledError(Exception):
        pass

    def kill(record):
        if record["epoch"] == 4:  # logged, but its checkpoint is not written any more
            raise KilledError

    with pytest.raises(KilledError):
        fit(rows, log, kill, **again)
    assert epochs(log) == [1, 2, 3, 4]
    with (tmp_path / "log").open("a") as stream:
        stream.write('{"epoch": 5, "lo')  # a line that a killed process left
    assert epochs(log) == [1, 2, 3, 4]
    fit(rows, log, **again)
    assert [r["epoch"] for r in log.read()] == [1, 2, 3, 4, 5, 6]
    assert [r["loss"] for r in log.read()] == [r["loss"] for r in whole.read()]


@KINDS
def test_the_file_is_not_read_as_a_whole_each_time(tmp_path, kind, monkeypatch):
    log = kind(tmp_path / "log")
    read = []
    known = kind.lines
    monkeypatch.setattr(kind, "lines", lambda self, start=0: read.append(start) or known(self, start))
    for epoch in range(1, 700):
        log({"epoch": epoch, "loss": 1.0})
    assert epochs(log) == list(range(1, 700))
    assert read[-2] > 1_000
    log({"epoch": 500, "loss": 0.0})
    assert epochs(log) == list(range(1, 501))


@KINDS
def test_labels_tell_runs_apart(tmp_path, kind):
    first, second = (kind(tmp_path / "log", {"run": name}) for name in ("a", "1"))
    for epoch in (1, 2, 3):
        first({"epoch": epoch, "loss": 0.5})
        second({"epoch": epoch, "loss": 0.25})
    first({"epoch": 2, "loss": 9.0})
    found = [(str(record["run"]), record["epoch"]) for record in first.read()]
    assert found == [("a", 1), ("1", 1), ("1", 2), ("1", 3), ("a", 2)]


def test_values_that_json_and_the_columns_lack(tmp_path):
    lines, table = JSONLines(tmp_path / "l"), CSVLog(tmp_path / "t")
    for log in (lines, table):
        log({"epoch": 1, "loss": float("nan")})
        log({"epoch": 2, "loss": 0.5, "new": 3.0})
        log({"epoch": 3})
    assert lines.read() == [{"epoch": 1, "loss": None}, {"epoch": 2, "loss": 0.5, "new": 3.0}, {"epoch": 3}]
    assert json.loads((tmp_path / "l").read_text().splitlines()[0]) == {"epoch": 1, "loss": None}
    assert (tmp_path / "t").read_text() == "epoch,loss\n1,nan\n2,0.5\n3,\n"


def test_faults_are_named(rows, tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "other.jsonl").write_text("a,b\n")
    with pytest.raises(ModelFileError, match=r"other.csv: its first line 'a,b' is not this log's"):
        fit(rows, CSVLog(tmp_path / "other.csv"))
    with pytest.raises(ModelFileError, match=r"other.jsonl: holds a line that is no JSON"):
        fit(rows, JSONLines(tmp_path / "other.jsonl"))
    assert (tmp_path / "other.jsonl").read_text() == "a,b\n"
    with pytest.raises(ModelFileError, match=r"none/x.jsonl: the log cannot be written"):
        fit(rows, JSONLines(tmp_path / "none" / "x.jsonl"))
    with pytest.raises(ValueError, match=r"x.txt: a log ends in .jsonl or .csv"):
        log_for("x.txt")


def test_logs_go_where_parameters_go(rows, tmp_path):
    log = JSONLines(str(tmp_path / "log"))
    ae = fit(rows, log)
    assert clone(ae).callbacks == (log,)
    ae.save(tmp_path / "m.azogue")
    assert az.load(tmp_path / "m.azogue").callbacks == (), "a model file does not choose where a program writes"


class Writer:
    """Stands in for torch's writer."""

    made = ()

    def __init__(self, log_dir, purge_step):
        self.folder, self.purged, self.scalars, self.flushed = log_dir, purge_step, [], 0
        Writer.made = (*Writer.made, self)

    def add_scalar(self, name, value, epoch):
        self.scalars.append((name, value, epoch))

    def flush(self):
        self.flushed += 1

    def close(self):
        self.flushed = -1


def test_tensorboard(rows, tmp_path, monkeypatch):
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    Writer.made = ()
    board = TensorBoard(tmp_path / "runs")
    ae = fit(rows, board, epochs=3)
    (writer,) = Writer.made
    assert (writer.folder, writer.purged, writer.flushed) == (str(tmp_path / "runs"), 1, 3)
    losses = [(epoch, value) for name, value, epoch in writer.scalars if name == "loss"]
    assert losses == [(record["epoch"], record["loss"]) for record in ae.history_]
    clone(ae).fit(rows)
    assert len(Writer.made) == 2, "a clone has a writer of its own"
    board({"epoch": 2, "loss": 0.0})
    assert writer.flushed == -1
    assert Writer.made[-1].purged == 2, "what lies behind is taken back"


def test_tensorboard_itself(rows, tmp_path):
    pytest.importorskip("tensorboard")
    fit(rows, TensorBoard(tmp_path / "runs"))
    assert [path.name.startswith("events.out") for path in (tmp_path / "runs").iterdir()] == [True]


def test_the_command_line(tmp_path):
    np.savetxt(tmp_path / "x.csv", np.random.default_rng(0).normal(size=(50, 3)), delimiter=",", header="a,b,c")
    args = ("fit", "x.csv", "-o", "m.azogue", "--epochs", "3", "--seed", "0")
    azogue(*args, "--log", "run.jsonl", cwd=tmp_path)
    assert epochs(JSONLines(tmp_path / "run.jsonl")) == [1, 2, 3]
    for place, message in (("run.txt", "a log ends in .jsonl or .csv"), ("none/run.csv", "does not exist")):
        done = azogue(*args, "--log", place, cwd=tmp_path, ok=False)
        assert done.returncode == 1
        assert message in done.stderr
