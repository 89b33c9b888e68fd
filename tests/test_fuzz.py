"""Some rounds of each fuzzer, from one seed: `make fuzz SECONDS=…` goes on from there."""

import random

import pytest

import fuzzers

#: models take a while to be made and read, once for each kind
TRIES = {"model": 300, "schema": 60, "parquet": 150, "container": 100}


@pytest.mark.parametrize("name", fuzzers.TARGETS)
def test_readers_answer_changed_files_with_their_own_errors(name, tmp_path):
    told = fuzzers.fuzzed(name, tmp_path, 0, TRIES.get(name, 200))
    assert told["findings"] == []
    assert told["tries"] == TRIES.get(name, 200)
    assert told["accepted"] < told["tries"]


def test_the_fuzzer_finds(tmp_path, monkeypatch):
    """A reader that fails in another way, and one that takes everything, are told with the seed that shows it."""
    target = fuzzers.TARGETS["container"]
    broken = fuzzers.Target(target.seeds, lambda path: 1 // 0, target.errors, target.mutate)
    blind = fuzzers.Target(target.seeds, lambda path: None, target.errors, target.mutate, sealed=True)
    monkeypatch.setitem(fuzzers.TARGETS, "broken", broken)
    monkeypatch.setitem(fuzzers.TARGETS, "blind", blind)
    assert "broken, seed 3, try 0: ZeroDivisionError" in fuzzers.fuzzed("broken", tmp_path / "a", 3, 2)["findings"][0]
    assert "accepted with altered content" in fuzzers.fuzzed("blind", tmp_path / "b", 3, 9)["findings"][0]


def test_the_same_seed_changes_alike():
    data = bytes(range(200))
    assert fuzzers.bytes_changed(data, random.Random(4)) == fuzzers.bytes_changed(data, random.Random(4))
    tree = {"a": [1, {"b": 2}], "c": "x"}
    assert fuzzers.tree_changed(tree, random.Random(4)) == fuzzers.tree_changed(tree, random.Random(4))
    assert tree == {"a": [1, {"b": 2}], "c": "x"}
    changed = [fuzzers.tree_changed(tree, random.Random(seed)) for seed in range(20)]
    assert len({str(one) for one in changed}) > 10
