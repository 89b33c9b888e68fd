"""The files of a checkpoint: how often, which are kept, within epochs, and what a damaged one costs."""

from __future__ import annotations

import os
import shutil
import signal
import threading

import numpy as np
import pytest
import torch

import azogue as az
from azogue import disk, files
from azogue.training import checkpoint as module
from azogue.training.checkpoint import Keeper, as_checkpoint
from azogue.training.loop import WATCHED, TrainingWarning

COMMON = {"epochs": 6, "patience": None, "batch_size": 2, "random_state": 0}  # 90 steps an epoch
CASES = {
    "dense": lambda **more: az.DenoisingAutoencoder(2, **COMMON, **more),
    "batch norm": lambda **more: az.Autoencoder(
        az.Input() + az.Dense(6, "relu", normalization="batch") + az.Dense(2) + az.Output(),
        weight_decay=0.1,
        **COMMON,
        **more,
    ),
    "autograd": lambda **more: az.Autoencoder(
        az.Input() + az.Dense(6, "relu") + az.Residual() + az.BatchNorm() + az.Dense(2) + az.Output(),
        weight_decay=0.1,
        **COMMON,
        **more,
    ),
    "adversarial": lambda **more: az.AdversarialAutoencoder(2, **COMMON, **more),
    "stacked": lambda **more: az.StackedAutoencoder((6, 2), pretraining_epochs=2, **COMMON, **more),
}


def saved(path) -> dict:
    return files.peek(path)["state"]


def same(ae, other) -> bool:
    found, expected = ae.network_.state_dict(), other.network_.state_dict()
    assert found.keys() == expected.keys()
    plain = [[{**record, "seconds": 0} for record in each.history_] for each in (ae, other)]
    return plain[0] == plain[1] and all(torch.equal(found[name], expected[name]) for name in found)


def damage(path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


class Killed(Exception):
    pass


def killer(epoch):
    def kill(record):
        if record["epoch"] == epoch:
            raise Killed

    return kill


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"minutes": 0}, "minutes must be"),
        ({"minutes": float("nan")}, "minutes must be"),
        ({"minutes": "10"}, "minutes must be"),
        ({"epochs": 0}, "epochs must be"),
        ({"epochs": 2.5}, "epochs must be"),
    ],
)
def test_intervals_that_make_no_sense(given, message):
    with pytest.raises(ValueError, match=message):
        az.Checkpoint("run", **given)


def test_a_path_or_a_value(tmp_path):
    assert as_checkpoint(tmp_path / "c") == az.Checkpoint(str(tmp_path / "c")) == az.Checkpoint(tmp_path / "c")
    with pytest.raises(TypeError, match=r"checkpoint: expected a path or az\.Checkpoint"):
        az.Autoencoder(2, checkpoint=3).fit(np.eye(4))


def test_a_model_with_a_checkpoint_is_saved_and_does_not_choose_where_others_write(tmp_path, rows):
    kept = az.Checkpoint(tmp_path / "c", epochs=2)
    ae = az.Autoencoder(2, epochs=1, random_state=0, checkpoint=kept).fit(rows)
    ae.save(tmp_path / "m.azogue")
    again = az.load(tmp_path / "m.azogue")
    assert again.checkpoint is None
    assert np.array_equal(again.encode(rows), ae.encode(rows))


@pytest.mark.parametrize(
    ("given", "seen"), [({}, [None, 1, 2, 3, 4]), ({"epochs": 2}, [None, None, 2, 2, 4]), ({"minutes": 9}, [None] * 5)]
)
def test_how_often(tmp_path, rows, given, seen):
    path, found = tmp_path / "c", []
    look = lambda record: found.append(saved(path)["epoch"] if path.exists() else None)
    az.Autoencoder(2, epochs=5, random_state=0, checkpoint=az.Checkpoint(path, **given), callbacks=look).fit(rows)
    assert found == seen
    assert saved(path)["epoch"] == 5, "the end is always saved"


def test_the_last_two_and_the_best(tmp_path, rows):
    path = tmp_path / "c"
    ae = az.Autoencoder(2, learning_rate=Worsens(), **{**COMMON, "epochs": 9}, checkpoint=path).fit(rows)
    losses = [record["val_loss"] for record in ae.history_]
    best = int(np.argmin(losses)) + 1
    assert 1 < best < 8, "else this test tells nothing"
    assert [saved(tmp_path / name)["epoch"] for name in ("c", "c.1", "c.best")] == [9, 8, best]
    assert sorted(item.name for item in tmp_path.iterdir()) == ["c", "c.1", "c.best", "c.lock"]


def test_without_held_out_rows_there_is_no_best(tmp_path, rows):
    az.Autoencoder(2, **COMMON, validation_fraction=0.0, checkpoint=tmp_path / "c").fit(rows)
    assert not (tmp_path / "c.best").exists()


@pytest.mark.parametrize("case", CASES)
def test_resumed_within_an_epoch(tmp_path, rows, monkeypatch, case):
    """Every state that was saved, at whatever step, leads to the same bits."""
    whole, clock, copies = CASES[case]().fit(rows), iter(range(10**9)), []
    monkeypatch.setattr(module.time, "monotonic", lambda: 60.0 * next(clock))  # a minute passes between two looks
    save = Keeper.save

    def copied(self, state):
        save(self, state)
        copies.append(shutil.copy(tmp_path / "c", tmp_path / f"copy-{len(copies)}"))

    monkeypatch.setattr(Keeper, "save", copied)
    again = CASES[case](checkpoint=az.Checkpoint(tmp_path / "c", minutes=1)).fit(rows)
    assert same(again, whole)
    monkeypatch.setattr(Keeper, "save", save)
    places = [(saved(copy)["epoch"], saved(copy)["within"]) for copy in copies]
    assert {within for _, within in places} == {0, 1, WATCHED + 1, 2 * WATCHED + 1}
    for number in (0, 1, 2, 3, 4, 7, len(copies) // 2, len(copies) - 1):
        resumed = CASES[case](checkpoint=copies[number], resume=True).fit(rows)
        assert same(resumed, whole), f"from epoch {places[number][0]}, step {places[number][1]}"


def test_nan_after_resuming_within_an_epoch_keeps_the_same_weights(tmp_path, rows, monkeypatch):
    """The last finite weights are those of the epoch before, wherever the run was taken up."""
    steep = {**COMMON, "learning_rate": az.optimizers.Constant(3e4), "optimizer": "sgd", "epochs": 9}
    clock = iter(range(10**9))
    monkeypatch.setattr(module.time, "monotonic", lambda: 60.0 * next(clock))
    one = az.Autoencoder(2, **{**steep, "learning_rate": Explodes()})
    with pytest.warns(TrainingWarning, match="NaN or infinite in epoch 3"):
        one.fit(rows)
    other = az.Autoencoder(2, **{**steep, "learning_rate": Explodes()}, checkpoint=az.Checkpoint(tmp_path / "c", 1))
    with pytest.warns(TrainingWarning, match="NaN or infinite in epoch 3"):
        other.fit(rows)
    assert (saved(tmp_path / "c")["epoch"], saved(tmp_path / "c")["within"]) == (2, 2 * WATCHED + 1)
    other.set_params(resume=True)
    with pytest.warns(TrainingWarning, match="NaN or infinite in epoch 3"):
        other.fit(rows)
    assert same(one, other)


class Worsens(az.optimizers.Schedule):
    """Fine in the first half."""

    def __call__(self, progress):
        return 0.5 if progress > 0.5 else 1e-3


class Explodes(az.optimizers.Schedule):
    """Fine until the last steps of the third epoch of nine."""

    def __call__(self, progress):
        return 1e30 if progress > (2 + 80 / 90) / 9 else 1e-3


@pytest.mark.parametrize("lost", [("c",), ("c", "c.1")])
def test_a_damaged_file_costs_an_epoch(tmp_path, rows, lost):
    path = tmp_path / "c"
    whole = az.Autoencoder(2, **COMMON).fit(rows)
    with pytest.raises(Killed):
        az.Autoencoder(2, **COMMON, checkpoint=path, callbacks=killer(5)).fit(rows)
    (tmp_path / "c.best").unlink()
    shutil.copy(tmp_path / "c.1", tmp_path / "c.best")  # a file of its own
    for name in lost:
        damage(tmp_path / name)
    epochs = []
    with pytest.warns(
        TrainingWarning, match=r"c: its tensor .* does not match .*; training goes on from the older .*c\."
    ):
        again = az.Autoencoder(
            2, **COMMON, checkpoint=path, resume=True, callbacks=lambda record: epochs.append(record["epoch"])
        ).fit(rows)
    assert epochs == [4, 5, 6]
    assert same(again, whole)
    assert [saved(tmp_path / name)["epoch"] for name in ("c", "c.1")] == [6, 5], "the damaged file was not kept"


def test_a_lost_file_costs_an_epoch(tmp_path, rows):
    with pytest.raises(Killed):
        az.Autoencoder(2, **COMMON, checkpoint=tmp_path / "c", callbacks=killer(5)).fit(rows)
    (tmp_path / "c").unlink()
    again = az.Autoencoder(2, **COMMON, checkpoint=tmp_path / "c", resume=True).fit(rows)
    assert same(again, az.Autoencoder(2, **COMMON).fit(rows))


def test_all_damaged_is_an_error(tmp_path, rows):
    az.Autoencoder(2, **COMMON, checkpoint=tmp_path / "c").fit(rows)
    for name in ("c", "c.1", "c.best"):
        (tmp_path / name).write_bytes(b"torn")
    with pytest.raises(az.ModelFileError, match=r"c: it is text"):
        az.Autoencoder(2, **COMMON, checkpoint=tmp_path / "c", resume=True).fit(rows)


def test_a_fresh_run_leaves_nothing_of_another(tmp_path, rows):
    az.Autoencoder(2, **COMMON, checkpoint=tmp_path / "c").fit(rows)
    with pytest.raises(Killed):
        az.Autoencoder(3, **COMMON, checkpoint=tmp_path / "c", callbacks=killer(2), validation_fraction=0.0).fit(rows)
    assert not (tmp_path / "c.1").exists()
    assert not (tmp_path / "c.best").exists()
    again = az.Autoencoder(3, **COMMON, checkpoint=tmp_path / "c", resume=True, validation_fraction=0.0).fit(rows)
    assert len(again.history_) == 6


def test_a_pretraining_is_saved_when_it_is_done(tmp_path, rows):
    with pytest.raises(Killed):
        CASES["stacked"](checkpoint=tmp_path / "c", callbacks=killer(1)).fit(rows)
    assert saved(tmp_path / "c")["epoch"] == 0
    again = CASES["stacked"](checkpoint=tmp_path / "c", resume=True).fit(rows)
    assert again.pretraining_ == []
    assert same(again, CASES["stacked"]().fit(rows))


def test_what_killed_runs_left_is_cleaned_by_the_next(tmp_path, rows):
    stale = [disk._temporary(tmp_path / name) for name in ("c", "c.1", "c.best")]  # of this process: it is alive
    other = disk._temporary(tmp_path / "d")
    for path in (*stale, other):
        path.write_bytes(b"half")
    az.Autoencoder(2, **COMMON, checkpoint=tmp_path / "c").fit(rows)
    assert [path.exists() for path in stale] == [False] * 3
    assert other.exists(), "another file's is not ours to remove"


def test_a_link_and_its_file_refuse_each_other(tmp_path, rows):
    (tmp_path / "link").symlink_to(tmp_path / "c")

    def second(record):
        with pytest.raises(RuntimeError, match="another run is writing"):
            az.Autoencoder(2, epochs=1, checkpoint=tmp_path / "link").fit(rows)

    az.Autoencoder(2, epochs=1, checkpoint=tmp_path / "c", callbacks=second, random_state=0).fit(rows)


def test_a_place_that_cannot_be_written_is_named(tmp_path, rows):
    (tmp_path / "file").write_text("x")
    with pytest.raises(az.ModelFileError, match=r"c\.lock: cannot be made"):
        az.Autoencoder(2, checkpoint=tmp_path / "file" / "c").fit(rows)


# -- SIGTERM


@pytest.mark.skipif(threading.current_thread() is not threading.main_thread(), reason="signals are for main threads")
@pytest.mark.parametrize("case", CASES)
def test_sigterm_saves_and_is_obeyed(tmp_path, rows, case):
    """A handler of the program's own is called when the state is saved."""
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(saved(tmp_path / "c")["epoch"]))

    def ask(record):
        if record["epoch"] == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        kept = az.Checkpoint(tmp_path / "c", minutes=1000)
        with pytest.warns(TrainingWarning, match=r"asked to end \(SIGTERM\).*c, from which resume=True goes on"):
            ended = CASES[case](checkpoint=kept, callbacks=ask).fit(rows)
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [3]
    assert ended.stopped_ == "asked to end"
    assert same(CASES[case](checkpoint=kept, resume=True).fit(rows), CASES[case]().fit(rows))


def test_sigterm_does_not_wait_for_the_epoch(tmp_path, rows, monkeypatch):
    """It comes within the first of 90 steps; the run ends within the next ones."""
    from azogue.training.dense import Dense

    step, seen, steps = Dense.step, [], []

    def signalled(self, states, batch):
        steps.append(len(steps))
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, states, batch)

    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    monkeypatch.setattr(Dense, "step", signalled)
    try:
        with pytest.warns(TrainingWarning, match="SIGTERM"):
            CASES["dense"](checkpoint=tmp_path / "c").fit(rows)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [1]
    assert len(steps) == WATCHED + 1
    monkeypatch.setattr(Dense, "step", step)
    assert same(CASES["dense"](checkpoint=tmp_path / "c", resume=True).fit(rows), CASES["dense"]().fit(rows))


def test_without_a_checkpoint_sigterm_is_nobody_else_s(rows):
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(1))
    found = lambda record: os.kill(os.getpid(), signal.SIGTERM) if record["epoch"] == 1 else None
    try:
        ae = az.Autoencoder(2, **COMMON, callbacks=found).fit(rows)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert seen == [1]
    assert len(ae.history_) == 6
