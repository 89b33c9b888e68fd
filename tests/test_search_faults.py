"""What goes wrong in a search, and what must not be told wrongly: grids, caches, workers, callbacks, scores."""

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

import azogue as az
from azogue.optimizers import Cosine
from azogue.search import ArchitectureSearch, Space, evaluation, strategies
from azogue.search.genes import Choice
from azogue.search.strategies import Plan, Spent
from test_search import SMALL, WINE, X, search, table

# -- giving up ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "complexity"), [(0.03, "paper"), (3.0, "relative")])
def test_simple_candidates_win_where_complexity_costs_much(alpha, complexity):
    """Their losses are far above those of large codes, which once was why they were given up."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(120, 8)) @ rng.normal(size=(8, 16))
    rows = (rows - rows.min(0)) / np.ptp(rows, axis=0)
    space = {"kind": "principal", "layers": 0, "code": (1, 8), "output": "auto", "loss": "auto"}
    base = az.Autoencoder(epochs=12, scaling="none")
    found = search("de", budget=24, alpha=alpha, complexity=complexity, autoencoder=base, space=space).fit(rows)
    least = found.results_["fitness"].min()
    assert found.results_["fitness"][found.best_index_] == least
    assert found.best_params_["code"] == 2


def test_no_loss_decides_who_is_given_up_where_codes_are_scored():
    """Slow learners keep losses of 1 where fast ones reach the floor, and yet their codes may tell classes apart."""
    rows = np.random.default_rng(0).normal(size=(80, 3)) @ np.random.default_rng(1).normal(size=(3, 9))
    space = {"kind": "basic", "layers": 0, "code": 3, "code_activation": "linear", "output": "auto", "loss": "auto"}
    rates = {**space, "learning_rate": [1e-2, 1e-7]}
    found = search("random", budget=8, epochs=40, space=rates, objective="accuracy").fit(rows, rows[:, 0] > 0)
    assert set(found.results_["param_learning_rate"]) == {1e-2, 1e-7}
    assert not any(found.results_["reason"])


# -- grids ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "budget"), [(9, 12), (9, 400), (60, 400), (60, 1500)])
def test_a_grid_is_of_different_candidates_and_as_fine_as_the_budget_allows(width, budget):
    space, asked = Space.of((width,)), []

    def ask(vectors, share=(1.0, 1.0)):
        asked.extend(repr(space.genome(vector)) for vector in vectors)
        return np.zeros(len(vectors))

    strategies.exhaustive(ask, space, np.random.default_rng(0), Plan(budget, np.empty((0, len(space.free)))))
    assert len(set(asked)) == len(asked)
    assert budget / 3 < len(asked) <= budget


# -- evolution ------------------------------------------------------------------------------------------------------


def test_evolution_that_has_converged_goes_on_beside_the_best():
    space = Space.of((9,))
    asked = strategies._Asked(lambda vectors, share=(1.0, 1.0): np.square(vectors).sum(1))
    plan = Plan(40, np.empty((0, len(space.free))))
    starts = strategies._generations(asked, space, np.random.default_rng(0), plan, 4)
    next(starts)
    best = np.full(len(space.free), 1e-3)
    asked(best[None])
    assert np.array_equal(next(starts)[0], best)
    paper = Plan(40, np.empty((0, len(space.free))), paper=True)
    starts = strategies._generations(asked, space, np.random.default_rng(0), paper, 4)
    next(starts)
    assert not np.array_equal(next(starts)[0], best)


def test_draws_take_a_part_of_the_time_where_time_decides():
    space, asked = Space.of((9,)), []

    def ask(vectors, share=(1.0, 1.0)):
        asked.append(len(vectors))
        return np.zeros(len(vectors))

    for used, draws in ((lambda: 0.0, 50), (lambda: 0.3, 16), (lambda: 0.02 * sum(asked), 16)):
        asked.clear()
        plan = Plan(None, np.empty((0, len(space.free))), used=used)
        next(strategies._generations(strategies._Asked(ask), space, np.random.default_rng(0), plan, 8))
        assert sum(asked) == draws


def test_what_a_callback_raises_is_told_as_it_is():
    def broken(record):
        raise ValueError("the disk of the notebook is full")

    for strategy in ("de", "halving"):
        with pytest.raises(ValueError, match="the disk of the notebook is full"):
            search(strategy, budget=30, callbacks=broken).fit(X)


# -- what is shared -------------------------------------------------------------------------------------------------


def test_what_candidates_share_is_kept_or_refused():
    found = search(budget=3, autoencoder=az.Autoencoder(epochs=3, learning_rate=0.007)).fit(X)
    assert set(found.results_["param_learning_rate"]) == {0.007}
    narrowed = {**SMALL, "learning_rate": [0.02, 0.001]}
    found = search(budget=6, space=narrowed, autoencoder=az.Autoencoder(epochs=3, learning_rate=0.007)).fit(X)
    assert set(found.results_["param_learning_rate"]) <= {0.02, 0.001}
    with pytest.raises(ValueError, match="autoencoder: candidates have one learning rate each, got Cosine"):
        search(autoencoder=az.Autoencoder(learning_rate=Cosine(1e-3))).fit(X)
    with pytest.raises(ValueError, match="autoencoder: the search is for its network; leave it out"):
        search(autoencoder=az.Autoencoder(4)).fit(X)


def test_codes_of_several_statistics_are_not_tied():
    base = az.Autoencoder(epochs=2, code=az.codes.Gaussian())
    found = search(budget=4, space={"kind": "basic", "tied": True, "code": 3}, autoencoder=base).fit(X)
    assert not any(found.results_["reason"])
    assert set(found.results_["param_tied"]) == {False}


def test_a_space_is_for_its_autoencoder_and_its_rows():
    base = az.Autoencoder(epochs=2, scaling="standard")
    space = Space.of((13,), SMALL, base)
    found = az.ArchitectureSearch("random", space=space, budget=2, random_state=0).fit(X)
    assert (found.best_estimator_.scaling, max(len(found.best_estimator_.history_), 1) <= 2) == ("standard", True)
    with pytest.raises(ValueError, match="autoencoder: the space was made for another one"):
        search(space=space, epochs=50).fit(X)
    with pytest.raises(ValueError, match=r"space: is for rows of shape \(13,\), but these have \(12,\)"):
        az.ArchitectureSearch("random", space=space, budget=2).fit(X[:, :12])


def test_the_nearest_number_of_a_choice():
    assert Choice((2e-2, 1e-3)).place(3e-4) == 1.0
    assert Choice((2, 8)).place(8) == 1.0
    assert Choice((1e-7, 1e-2)).place(3e-4) == 1.0, "33 times as much, not 3,000 times as little"
    assert Choice((0.0, 0.1, 0.5)).place(0.2) == 1.0
    assert Choice(("tanh", "relu")).place("selu") == 0.0
    assert Choice((False, True)).place(0.9) == 0.0


# -- caches ---------------------------------------------------------------------------------------------------------


def smallest(model, rows):
    return -float(model.code_size_)


def test_a_cache_knows_functions_by_name(tmp_path):
    path = tmp_path / "search.jsonl"
    search(budget=2, objective=smallest, cache=path).fit(X)
    kept = path.read_text()
    search(budget=2, objective=smallest, cache=path).fit(X)
    assert path.read_text() == kept
    for nameless in (lambda model, rows: 0.0, type("Scorer", (), {"__call__": smallest})()):
        with pytest.raises(ValueError, match="objective: a cache cannot tell this function from others"):
            search(budget=2, objective=nameless, cache=path).fit(X)


def test_what_changes_no_result_is_no_part_of_a_key(tmp_path):
    path = tmp_path / "search.jsonl"
    first = search(budget=3, cache=path).fit(X)
    kept = path.read_text()
    base = az.Autoencoder(epochs=8, callbacks=(lambda record: None,), random_state=np.random.default_rng(3), verbose=0)
    again = search(budget=3, cache=path, autoencoder=base).fit(X)
    assert path.read_text() == kept
    assert table(first) == table(again)


def test_a_cache_of_another_strategy_changes_nothing(tmp_path):
    path = tmp_path / "search.jsonl"
    space = {"kind": "basic", "layers": (0, 1), "learning_rate": (1e-7, 1e-2), "loss": "auto", "output": "auto"}
    search("random", budget=20, space=space, epochs=16, alpha=0.0, cache=path).fit(X)
    cold = search("de", budget=20, space=space, epochs=16, alpha=0.0).fit(X)
    warm = search("de", budget=20, space=space, epochs=16, alpha=0.0, cache=path).fit(X)
    assert table(cold) == table(warm)


def test_records_that_are_torn_or_hold_no_numbers_are_computed_again(tmp_path):
    path = tmp_path / "search.jsonl"
    first = search(budget=4, cache=path).fit(X)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    del lines[0]["record"]["loss"]
    lines[1]["record"]["error"] = float("nan")
    lines[2]["record"]["folds"] = "0.5"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = search(budget=4, cache=path).fit(X)
    assert table(first) == table(again)
    assert len(path.read_text().splitlines()) == 7


def test_a_foreign_file_that_begins_with_an_empty_line_stays_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("\n  \ndear diary\n")
    with pytest.raises(ValueError, match="this is no cache of a search"):
        search(cache=path).fit(X)
    assert path.read_text() == "\n  \ndear diary\n"


@pytest.mark.parametrize("fault", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 byte")])
def test_lack_of_memory_is_not_remembered(tmp_path, monkeypatch, fault):
    path, together, calls = tmp_path / "search.jsonl", evaluation.fit_together, []

    def short(*arguments, **named):
        calls.append(1)
        if len(calls) == 2:
            raise fault
        return together(*arguments, **named)

    monkeypatch.setattr(evaluation, "fit_together", short)
    first = search(budget=3, cache=path).fit(X)
    lacked = int((first.results_["reason"] == "out of memory").sum())
    assert 1 <= lacked <= 2
    assert len(path.read_text().splitlines()) == 3 - lacked
    again = search(budget=3, cache=path).fit(X)
    assert not any(again.results_["reason"])


# -- callbacks, scores, workers -------------------------------------------------------------------------------------


def test_callbacks_are_asked_after_each_candidate_whoever_computes():
    ends = [lambda record: record["candidates"] >= 4]
    found = [search(budget=30, callbacks=ends, n_jobs=jobs).fit(X) for jobs in (1, 2)]
    assert [len(one.results_["fitness"]) for one in found] == [4, 4]
    assert table(found[0]) == table(found[1])


def test_one_that_diverges_says_so_alone_and_beside_others():
    rates = {"kind": "basic", "layers": 0, "code": 2, "learning_rate": [1e30, 1e-3], "output": "auto", "loss": "auto"}
    base = az.Autoencoder(epochs=3)
    bench = evaluation.Bench(X, None, ((np.arange(100), np.arange(100, 150)),), Space.of((13,), rates, base))
    wild, tame = (bench.space.genome(bench.space.vector({"learning_rate": rate})) for rate in (1e30, 1e-3))
    alone = bench.judge([wild], (1.0, 1.0), evaluation.Bars())
    beside = bench.judge([wild, tame], (1.0, 1.0), evaluation.Bars())
    assert alone[0]["reason"] == beside[0]["reason"] == evaluation.DIVERGED
    assert beside[1]["reason"] == ""


def test_data_that_are_not_in_memory(tmp_path):
    np.savetxt(tmp_path / "rows.csv", X, delimiter=",")
    with pytest.raises(TypeError, match="was passed where rows in memory are needed"):
        search().fit(az.Dataset(tmp_path / "rows.csv"))


@pytest.mark.parametrize("length", [len(X) - 3, len(X) + 3])
def test_targets_of_another_length(length):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        search(objective="accuracy").fit(X, np.resize(WINE.target, length))


def test_a_score_that_test_rows_do_not_have_loses_nothing(monkeypatch):
    calls = []

    def picky(model, rows):
        calls.append(len(rows))
        if len(rows) == 36:
            raise ValueError("only one class")
        return 1.0

    with pytest.warns(UserWarning, match=r"cannot be told of the test rows \(only one class\); test_score_ is NaN"):
        found = search(budget=3, objective=picky).fit(X)
    assert calls == [28, 28, 28, 36]
    assert np.isnan(found.test_score_)
    assert found.test_error_ > 0


def test_a_winner_whose_training_was_interrupted_is_told(monkeypatch):
    trained = ArchitectureSearch._trained

    def pressed(*arguments):
        made = trained(*arguments)
        made.stopped_ = "interrupted"
        return made

    monkeypatch.setattr(ArchitectureSearch, "_trained", staticmethod(pressed))
    assert search(budget=2).fit(X).stopped_ == "interrupted"


def dies(model, rows):
    """Ends its process at the third call, if that is a worker."""
    counted = Path(os.environ["AZOGUE_TEST_COUNT"])
    with counted.open("a") as stream:
        stream.write(".")
    if multiprocessing.parent_process() is not None and counted.stat().st_size > 2:
        os._exit(1)
    return 1.0


def test_a_worker_that_dies_leaves_the_best_so_far(tmp_path, monkeypatch):
    monkeypatch.setenv("AZOGUE_TEST_COUNT", str(tmp_path / "count"))
    with pytest.warns(UserWarning, match="a worker process died; .*; the best so far is kept"):
        found = search(budget=12, objective=dies, n_jobs=2).fit(X)
    assert found.stopped_ == "a worker died"
    assert found.transform(X).shape[0] == len(X)


def test_functions_that_cannot_be_sent_are_refused_before_anything_is_trained():
    local = type("Scorer", (), {"__call__": smallest, "__qualname__": "test.<locals>.Scorer"})
    for nameless in (lambda model, rows: 1.0, local()):
        with pytest.raises(ValueError, match="n_jobs: other processes cannot be sent this objective"):
            search(objective=nameless, n_jobs=2).fit(X)


def test_spent_is_no_fault():
    asked = strategies._Asked(lambda vectors, share=(1.0, 1.0): (_ for _ in ()).throw(Spent("budget")))
    with pytest.raises(Spent), asked.plainly():
        asked(np.zeros((1, 2)))
