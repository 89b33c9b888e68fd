"""Two threads in a compiled step: the same bits as one, whichever is faster, and nobody waits for ever."""

import copy
from collections import Counter
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import azogue as az
from azogue.training import native
from azogue.training.data import together
from azogue.training.dense import Dense
from azogue.training.pair import AGAIN, Pair, Watch
from test_dense import HOLES, NUMBERS, near, sessions
from test_native import TAKEN, moved

gates = pytest.importorskip("azogue.compiled.gates", reason="compiled steps need numba")


@pytest.fixture
def by(monkeypatch):
    """Have compiled steps cut every batch, and take so many threads whatever the time."""

    def threads(number):
        monkeypatch.setattr(native, "CUT", 0)
        monkeypatch.setattr(native, "Pair", lambda most: Pair(number))
        monkeypatch.setattr(Watch, "next", lambda self: number)

    return threads


@pytest.mark.parametrize("case", TAKEN)
def test_parts_and_threads_move_as_those_derived_by_hand(case, by):
    """With batches whose second part is smaller, and such as have none."""
    one, (state, other) = sessions(case)
    twin, whole = copy.deepcopy(state), one.data.all()
    batches = [together([whole.take(slice(0, rows))]) for rows in (64, 45, 7)]
    expected = moved(Dense(), [other], batches)
    found = {}
    for threads, own in ((1, state), (2, twin)):
        by(threads)
        found[threads] = moved(native.Native(), [own], batches)
    for one_thread, two, by_hand in zip(found[1], found[2], expected, strict=True):
        near(one_thread, by_hand, "loss")
        assert torch.equal(one_thread, two)
    for (name, p), q, r in zip(
        state.network.named_parameters(), twin.network.parameters(), other.network.parameters(), strict=True
    ):
        near(p.data, r.data, name)
        assert torch.equal(p, q), name


def test_trainings_end_in_the_same_bits(by):
    """Members, held-out rows, corruptions and steps of one call; as members and alone."""
    found = []
    for threads in (1, 2):
        by(threads)
        members = [
            az.DenoisingAutoencoder(3, epochs=4, random_state=seed, engine="native", batch_size=40) for seed in range(3)
        ]
        az.fit_together(members, HOLES)
        alone = az.DenoisingAutoencoder(3, epochs=4, random_state=1, engine="native", batch_size=40).fit(HOLES)
        assert [record["loss"] for record in alone.history_] == [record["loss"] for record in members[1].history_]
        assert np.array_equal(alone.encode(HOLES), members[1].encode(HOLES))
        found.append([alone.encode(HOLES), *(member.encode(HOLES) for member in members)])
    assert all(np.array_equal(one, two) for one, two in zip(*found, strict=True))


@pytest.mark.parametrize("table", [NUMBERS, HOLES])
def test_rows_are_taken_from_where_they_lie_to_the_same_bits(table, monkeypatch):
    some = [np.arange(len(table)), np.random.default_rng(0).integers(0, len(table), len(table))]
    found, asked = [], []
    for gathered in (False, True):
        if gathered:
            monkeypatch.setattr(native, "_direct", lambda *_: asked.append(True))
        members = [az.Autoencoder(3, epochs=3, random_state=seed, engine="native") for seed in range(2)]
        az.fit_together(members, table, rows=some)
        found.append([member.encode(table) for member in members])
    assert asked
    assert all(np.array_equal(one, two) for one, two in zip(*found, strict=True))


@pytest.mark.parametrize("faster", [1, 2])
def test_the_faster_number_of_threads_is_settled_on_and_the_other_tried_again(faster, monkeypatch):
    seen, clock = [], [0.0]
    monkeypatch.setattr("azogue.training.pair.time", SimpleNamespace(perf_counter=lambda: clock[0]))

    def work(rank, ranks, gate):
        if rank == 0:
            seen.append(ranks)
            clock[0] += 1.0 if ranks == faster else 3.0

    pair = Pair(2)
    for _ in range(3 * AGAIN + 2):
        pair(1, work)
    pair.close()
    assert set(seen[:4]) == {1, 2}
    assert set(seen[4:AGAIN]) == {faster}
    assert seen[AGAIN:] == [3 - faster, *[faster] * (2 * AGAIN - 1), 3 - faster, faster]


def test_what_becomes_faster_is_taken():
    watch = Watch()
    for call in range(AGAIN + 3):
        threads = watch.next()
        watch.took(threads, {1: 2.0, 2: 3.0 if call < AGAIN else 1.0}[threads])
    assert watch.next() == 2
    assert watch.due == 2 * AGAIN


def test_one_thread_is_all_where_there_is_one():
    seen = []
    pair = Pair(1)
    for _ in range(6):
        pair(1, lambda rank, ranks, gate: seen.append((rank, ranks)))
    pair.close()
    assert seen == [(0, 1)] * 6


def test_nobody_waits_for_a_thread_that_was_interrupted():
    calls = count()

    def work(rank, ranks, gate):
        if rank == 0 and ranks == 2 and next(calls) == 0:
            raise KeyboardInterrupt
        met.append(gates.meet(gate, rank) if ranks == 2 else None)

    met: list = []
    pair = Pair(2)
    pair(1, work)
    with pytest.raises(KeyboardInterrupt):
        pair(1, work)
    assert met == [None, False]
    pair(1, work)
    pair(1, work)
    pair.close()
    assert Counter(met) == {None: 2, False: 1, True: 2}
