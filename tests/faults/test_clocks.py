"""Clocks that run backwards, leap and stand still: nothing breaks, no figure is negative, intervals still work."""

import itertools
import time

import numpy as np
import pytest

import azogue as az
from azogue import files
from azogue.training import checkpoint as module

CLOCKS = ("time", "perf_counter", "monotonic")
JUMPS = {
    "backwards": lambda: itertools.count(1e9, -3600.0),
    "leaping": lambda: itertools.count(0.0, 86_400.0 * 365),
    "standing": lambda: itertools.repeat(0.0),
    "to and fro": lambda: itertools.cycle([0.0, 1e9, -1e9, 5.0]),
}


@pytest.fixture(params=JUMPS)
def jumping(request, monkeypatch):
    for name in CLOCKS:
        clock = JUMPS[request.param]()
        monkeypatch.setattr(time, name, lambda clock=clock: next(clock))
    return request.param


def test_training_and_planning(tmp_path, rows, jumping):
    ae = az.Autoencoder(
        2, epochs=3, random_state=0, patience=None, checkpoint=az.Checkpoint(tmp_path / "c", minutes=10)
    )
    assert 0 <= ae.plan(rows).seconds < np.inf
    ae.fit(rows)
    assert all(0 <= record["seconds"] < np.inf for record in ae.history_)
    assert files.peek(tmp_path / "c")["state"]["epoch"] == 3
    again = az.Autoencoder(2, epochs=3, random_state=0, patience=None).fit(rows)
    assert np.array_equal(again.encode(rows), ae.encode(rows))


def test_searches(rows, jumping):
    base = az.Autoencoder(epochs=2)
    search = az.ArchitectureSearch("random", budget=3, autoencoder=base, space={"kind": "basic"}, random_state=0)
    search.fit(rows)
    assert (search.results_["seconds"] >= 0).all()


@pytest.mark.parametrize(
    ("minutes", "saved"),
    [
        ([0, 4, 8, 12, 16, 20, 24], [3, 5]),  # at 12 and, from there, at 24: every ten
        ([0, 4, 8, -50, -46, -42, -38], [5]),  # put back by an hour: ten minutes from then
        ([0, 1e9, 1e9 + 1, 1e9 + 2, 1e9 + 3, 1e9 + 4, 1e9 + 5], [1, 5]),  # a leap saves once
    ],
)
def test_minutes_between_checkpoints(tmp_path, rows, monkeypatch, minutes, saved):
    """`minutes` of the clock at the start and after each epoch; looks within epochs see the time of the last."""
    at, epochs = [0], []
    monkeypatch.setattr(module.time, "monotonic", lambda: 60.0 * minutes[at[0]])
    save = module.Keeper.save
    monkeypatch.setattr(module.Keeper, "save", lambda self, state: epochs.append(state.epoch) or save(self, state))

    def tick(record):
        at[0] = int(record["epoch"])

    kept = az.Checkpoint(tmp_path / "c", minutes=10)
    az.Autoencoder(2, epochs=5, random_state=0, patience=None, checkpoint=kept, callbacks=tick).fit(rows)
    assert epochs == saved
