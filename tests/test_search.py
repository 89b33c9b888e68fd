"""Architecture search: genomes make sense, nobody sees the test rows, same seed same winner, whatever goes wrong."""

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import azogue as az
from azogue.modalities import Table
from azogue.modalities.base import Demand
from azogue.recipe import Batch
from azogue.search import Space, evaluation, strategies, study
from azogue.search.evaluation import Split, error_of, in_units
from azogue.search.strategies import STRATEGIES, Plan, Spent
from azogue.shortcuts import kinds

WINE = load_wine()
X = WINE.data
SMALL = {"kind": ("basic", "denoising"), "layers": (0, 1), "code": (1, 4), "normalization": (None,)}


def search(strategy="random", budget=6, epochs=8, **parameters):
    parameters.setdefault("space", SMALL)
    base = parameters.pop("autoencoder", az.Autoencoder(epochs=epochs))
    return az.ArchitectureSearch(strategy, budget=budget, autoencoder=base, random_state=0, **parameters)


def table(found):
    """What two equal searches agree on: everything but the seconds."""
    return {name: values.tolist() for name, values in found.results_.items() if name != "seconds"}


# -- the space ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", kinds())
def test_any_vector_of_any_kind_makes_an_autoencoder_that_trains(kind):
    space = Space.of((13,), {"kind": kind}, az.Autoencoder(epochs=1))
    rng = np.random.default_rng(0)
    for vector in space.draw(rng, 6):
        genome = space.genome(vector)
        assert space.genome(space.vector(json.loads(json.dumps(genome)))) == genome
        assert space.estimator(genome, random_state=0).fit(X[:40]).encode(X[:5]).shape == (5, genome["code"])


def test_repair():
    space = Space.of((20,))
    for vector in space.draw(np.random.default_rng(1), 200):
        genome = space.genome(vector)
        assert list(genome["units"]) == sorted(genome["units"], reverse=True)
        assert all(units >= genome["code"] for units in genome["units"])
        assert len(genome["units"]) == len(genome["activations"]) <= 3
        assert 1 <= genome["code"] <= 10
        if genome["loss"] == "bce":
            assert genome["output"] == "auto"  # the logistic output of the head
        if genome["kind"] == "variational":
            assert (genome["tied"], genome["code_activation"], genome["loss"]) == (False, "linear", "auto")
        assert genome["kind"] != "contractive" or genome["normalization"] is None
        if genome["kind"] == "sparse":
            assert genome["code_activation"] == "sigmoid"
    standard = Space.of((20,), {"loss": "bce", "output": "sigmoid"}, az.Autoencoder(scaling="standard"))
    assert standard.genome([0.0] * len(standard.free)) | {"loss": "mse", "output": "auto"} == standard.genome(
        [0.0] * len(standard.free)
    )


def test_a_genome_is_the_nearest_of_its_own_vector():
    space = Space.of((30,))
    for vector in space.draw(np.random.default_rng(2), 50):
        genome = space.genome(vector)
        again = space.genome(space.vector(genome))
        assert {**again, "units": 0} == {**genome, "units": 0}
        assert np.allclose(again["units"], genome["units"], atol=1)


def test_space_takes_plain_values():
    space = Space.of((10,), {"kind": ("basic",), "activation": ("tanh", "relu"), "code": (2, 8), "units": [0.5, 2.0]})
    genomes = [space.genome(vector) for vector in space.draw(np.random.default_rng(0), 100)]
    assert {genome["kind"] for genome in genomes} == {"basic"}
    assert {act for genome in genomes for act in genome["activations"]} == {"tanh", "relu"}
    assert {genome["code"] for genome in genomes} == set(range(2, 9))
    assert {units for genome in genomes for units in genome["units"]} <= {5, 6, 7, 8, 20}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"kind": ()}, "space: 'kind' has nothing to choose from"),
        ({"knd": "basic"}, "space: there is no gene 'knd'; there are kind, layers"),
        ({"kind": "basik"}, "space: 'kind' cannot be 'basik'"),
        ({"activation": ["rely"]}, "space: 'activation' cannot be 'rely'"),
        ({"code": (8, 2)}, "space: 'code' from 8 to 2 is empty"),
        ({"code": 0.5}, "space: 'code' takes whole numbers"),
        ({"learning_rate": (0.0, 0.1)}, "space: 'learning_rate' has no value 0.0"),
        ({"dropout": 1.0}, "space: 'dropout' must lie in"),
    ],
)
def test_spaces_that_make_no_sense(given, said):
    with pytest.raises((ValueError, TypeError), match=said):
        search(space=given).fit(X)


def test_complexity_and_its_scale():
    space = Space.of((40,))
    genome = {"activations": ("relu", "relu"), "code": 10}
    assert space.complexity(genome) == 3 * 10 / 40
    assert space.complexity(genome, "paper") == 30
    found = search(alpha=0.5, budget=4).fit(X).results_
    assert np.allclose(found["fitness"], found["error"] + 0.5 * found["complexity"])


def test_convolutions_for_pictures():
    images = load_digits().images[:60].astype(np.uint8)
    given = {"kind": "basic", "convolution": True, "filters": 4, "layers": (1, 2), "code": 3, "normalization": (None,)}
    found = search(budget=2, epochs=2, space=given).fit(images)
    assert "Conv(4" in repr(found.best_estimator_.network)
    assert found.transform(images[:3]).shape == (3, 3)
    assert not any(found.results_["reason"])


# -- evaluation -----------------------------------------------------------------------------------------------------


def test_error_is_free_of_scale():
    """Other units, other scaling of the same kind: the same candidates have the same errors."""
    space = {"kind": "basic", "layers": 0, "code": 4, "output": "auto", "loss": "mse", "learning_rate": 0.003}
    first = search(budget=3, space=space, epochs=3).fit(X)
    second = search(budget=3, space=space, epochs=3).fit(X * 1000 - 5)
    assert np.allclose(first.results_["error"], second.results_["error"], rtol=1e-3)
    assert ((first.results_["error"] > 0) & (first.results_["error"] < 1.1)).all()


def test_the_linear_candidate_reaches_the_floor_of_principal_components():
    space = {"kind": "basic", "layers": 0, "code": 4, "code_activation": "linear", "output": "auto", "loss": "auto"}
    given = {**space, "tied": False, "learning_rate": 0.01}
    found = search(budget=1, space=given, epochs=150, autoencoder=az.Autoencoder(epochs=150, scaling="standard"))
    found = found.fit(X)
    seen = np.setdiff1d(np.arange(len(X)), found.test_rows_)
    scaler = StandardScaler().fit(X[seen])
    pca = PCA(4).fit(scaler.transform(X[seen]))
    rows = scaler.transform(X[found.test_rows_])
    floor = np.square(rows - pca.inverse_transform(pca.transform(rows))).sum() / np.square(rows).sum()
    assert found.test_error_ == pytest.approx(floor, rel=0.03)


def test_errors_compare_across_scalings():
    """A logistic output changes the scaling to [0, 1]; the error is that of the common units all the same."""
    rng = np.random.default_rng(0)
    heavy = np.column_stack([np.exp(2 * rng.normal(size=120)), rng.normal(size=120), rng.normal(size=120)])
    space = {"kind": "basic", "layers": 0, "code": 1, "loss": "mse", "output": ["auto", "sigmoid"]}
    space |= {"tied": False, "normalization": (None,), "code_activation": "linear", "learning_rate": 1e-4}
    found = search("exhaustive", budget=2, space={**space, "dropout": 0.0}, epochs=1).fit(heavy)
    assert set(found.results_["param_output"]) == {"auto", "sigmoid"}
    assert not any(found.results_["reason"])
    standard, unit = (Table().fit(heavy, Demand(reach=reach)) for reach in ((-np.inf, np.inf), (0.0, 1.0)))
    assert standard.describe()[0]["scaling"] == "quantile"
    seen, truth = unit.pack(heavy), standard.pack(heavy)
    told = in_units(seen.x.numpy(), unit, standard, seen, truth)
    assert np.allclose(told, truth.x.numpy(), atol=1e-4)
    assert error_of(truth, told, truth) < 1e-6
    assert not np.allclose(seen.x.numpy(), truth.x.numpy(), atol=0.1)


def test_errors_are_of_observed_cells_alone():
    mask = torch.tensor([[True, False], [True, True], [True, True]])
    truth = Batch(torch.tensor([[0.0, 9.0], [2.0, 1.0], [1.0, 3.0]]), mask)
    out = np.array([[1.0, -5.0], [2.0, 2.0], [1.0, 3.0]])
    # observed: squared errors 1, 0, 0 and 1, 0; variation 1 + 1 + 0 about 1, and 1 + 1 about 2
    assert error_of(truth, out, truth) == pytest.approx(2 / 4)
    assert error_of(truth, out, None) == pytest.approx(2 / 5)


def spoiled(rows):
    other = X.copy()
    other[rows] = np.random.default_rng(9).permutation(other[rows].ravel()).reshape(other[rows].shape) * 3 + 100
    return other


def test_the_test_rows_decide_nothing():
    clean = search("de", budget=10).fit(X)
    other = search("de", budget=10).fit(spoiled(clean.test_rows_))
    assert table(clean) == table(other)
    assert clean.best_params_ == other.best_params_
    assert np.array_equal(clean.best_estimator_.encode(X), other.best_estimator_.encode(X))
    assert other.test_error_ > 2 * clean.test_error_


def test_a_leak_is_caught(monkeypatch):
    """The check above goes red if candidates are judged on the test rows."""

    def leaking(rows, **how):
        split = SPLIT(rows, **how)
        everything = np.concatenate([split.seen, split.test])
        held = np.arange(len(split.seen), rows)
        return Split(everything, split.test, ((split.folds[0][0], held),))

    SPLIT = Split.of
    monkeypatch.setattr(evaluation.Split, "of", staticmethod(leaking))
    clean = search("de", budget=10).fit(X)
    other = search("de", budget=10).fit(spoiled(clean.test_rows_))
    assert table(clean) != table(other)


def test_split():
    split = Split.of(100, test=0.2, validation=0.25, cv=None, seed=3)
    train, held = split.folds[0]
    assert (len(split.seen), len(split.test), len(train), len(held)) == (80, 20, 60, 20)
    assert sorted([*split.seen, *split.test]) == list(range(100))
    assert sorted([*train, *held]) == list(range(80))
    folds = Split.of(100, test=0.2, validation=0.25, cv=4, seed=3).folds
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(80))


def test_cross_validation():
    found = search(budget=3, cv=3).fit(X)
    assert len(found.results_["error"]) == 3
    assert not np.array_equal(found.results_["error"], search(budget=3).fit(X).results_["error"])


def test_objective_on_codes():
    found = search("halving", budget=4, epochs=15, objective="accuracy").fit(X, WINE.target)
    assert 0.6 < found.best_score_ <= 1.0
    assert 0.6 < found.test_score_ <= 1.0
    assert found.test_error_ > 0
    regressed = search(budget=2, objective="r2").fit(X[:, 1:], X[:, 0])
    assert regressed.best_score_ < 1
    called = search(budget=2, objective=lambda model, rows: -float(model.code_size_)).fit(X)
    assert called.best_score_ == -called.best_params_["code"]
    with pytest.raises(ValueError, match=r"scores codes by what is known of each row: fit\(X, y\)"):
        search(objective="accuracy").fit(X)
    with pytest.raises(ValueError, match="objective: 'acuracy' is unknown"):
        search(objective="acuracy").fit(X, WINE.target)


# -- strategies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_keep_the_budget_and_repeat(strategy):
    if strategy in ("ga", "es"):
        pytest.importorskip("pymoo")
    first, again = (search(strategy, budget=12, space=None, epochs=5).fit(X) for _ in range(2))
    spent = (first.results_["epochs_share"] * first.results_["rows_share"]).sum()
    assert spent <= 12 + 1e-9
    assert spent >= (6 if strategy == "exhaustive" else 11)
    assert table(first) == table(again)
    assert first.results_["rank_test_score"][first.best_index_] == 1
    assert not [reason for reason in first.results_["reason"] if reason not in ("", "given up early")]


@pytest.mark.parametrize(
    ("engine", "budget", "there", "found"),
    [
        ("auto", 400, True, "native"),
        ("auto", 400, False, "auto"),
        ("auto", 100, True, "auto"),  # 100 candidates of 30 epochs of 9 batches
        ("auto", "5min", True, "native"),
        ("auto", "30s", True, "auto"),
        ("torch", 400, True, "torch"),
    ],
)
def test_long_searches_compile_their_steps(engine, budget, there, found, monkeypatch):
    monkeypatch.setattr(study.native, "installed", lambda: there)
    base = az.Autoencoder(epochs=30, batch_size=16, engine=engine)
    assert study.engine_of(base, 142, study.Budget.of(budget)) == found


class Bowl:
    """Stands in for a study: the fitness is a formula, so that strategies are judged without training."""

    def __init__(self, space, budget):
        self.space, self.left, self.best, self.seen = space, budget, np.inf, set()

    def __call__(self, vectors, share=(1.0, 1.0)):
        low, high = self.space.bounds.T
        found = np.square((vectors - low) / (high - low) - 0.8).sum(1)
        for value in found:
            if self.left < share[0]:
                raise Spent
            self.left -= share[0]
            self.best = min(self.best, value) if share[0] == 1.0 else self.best
        return found


@pytest.mark.parametrize("strategy", ["de", "ga", "es", "halving"])
@pytest.mark.parametrize("paper", [False, True])
def test_strategies_beat_even_draws(strategy, paper):
    if strategy in ("ga", "es"):
        pytest.importorskip("pymoo")
    space = Space.of((40,))

    def reached(name, seed):
        bowl = Bowl(space, 400)
        plan = Plan(400, np.empty((0, len(space.free))), paper)
        with pytest.raises(Spent):
            STRATEGIES[name](bowl, space, np.random.default_rng(seed), plan)
        return bowl.best

    assert np.mean([reached(strategy, s) for s in range(5)]) < np.mean([reached("random", s) for s in range(5)])


@pytest.mark.parametrize(("strategy", "size"), [("de", 8), ("ga", 25), ("es", 4)])
def test_evolution_goes_on_from_the_best_of_a_quarter_of_the_budget(strategy, size):
    if strategy != "de":
        pytest.importorskip("pymoo")
    space, asked = Space.of((40,)), []

    class Asked(Bowl):
        def __call__(self, vectors, share=(1.0, 1.0)):
            asked.append((np.array(vectors), found := super().__call__(vectors, share)))
            return found

    anchors = np.full((2, len(space.free)), -1.0)  # nowhere else in the space: told from draws
    with pytest.raises(Spent):
        STRATEGIES[strategy](Asked(space, 400), space, np.random.default_rng(0), Plan(400, anchors))
    sizes = np.cumsum([len(vectors) for vectors, _ in asked])
    rounds = int(np.searchsorted(sizes, 100)) + 1
    assert sizes[rounds - 1] == 100
    drawn, worth = (np.concatenate(part[:rounds]) for part in zip(*asked, strict=True))
    assert (drawn[:2] == -1.0).all(), "what is known to work is among them"
    assert (drawn[2:] >= space.bounds[:, 0]).all()
    first = asked[rounds][0]
    assert len(first) == size
    if strategy == "de":  # SciPy rounds whole numbers, and pymoo hands out copies: the same fitness all the same
        first = np.where(space.whole, np.round(first), first)
    best = drawn[np.argsort(worth, kind="stable")[:size]]
    assert np.allclose(np.sort(first, axis=0), np.sort(best, axis=0), atol=1e-9)


def test_choices_mutate_evenly_and_ranges_nearby():
    pytest.importorskip("pymoo")
    space = Space.of((40,), {"layers": 1})
    names, (low, high) = [name for name, _ in space.free], space.bounds.T
    start = np.tile(space.vector(space.anchors()[0]), (4000, 1))
    problem = strategies._pymoo()[3](n_var=len(names), n_obj=1, xl=low, xu=high)

    def mutated(rate):
        mutation = strategies._mutation(space, rate, np.random.default_rng(0))
        return mutation._do(problem, start, random_state=np.random.default_rng(1))

    found, kind, rate = mutated(1.0), names.index("kind"), names.index("learning_rate")
    assert ((low <= found) & (found <= high)).all()
    assert np.abs(np.bincount(found[:, kind].astype(int), minlength=7) / 4000 - 1 / 7).max() < 0.03
    even = np.random.default_rng(2).uniform(low[rate], high[rate], 4000)
    near, far = (np.abs(values - start[0, rate]).mean() for values in (found[:, rate], even))
    assert near < 0.8 * far
    assert 0.07 < (mutated(0.1) != start)[:, kind].mean() < 0.1  # a seventh of the draws are the same again


def test_duplicates_are_never_trained_again(monkeypatch):
    trained = []
    judge = evaluation.Bench.judge

    def counted(self, genomes, *rest):
        trained.extend(map(repr, genomes))
        return judge(self, genomes, *rest)

    monkeypatch.setattr(evaluation.Bench, "judge", counted)
    space = {"kind": "basic", "layers": 0, "code": (1, 3), "code_activation": "linear", "loss": "auto"}
    fixed = {"output": "auto", "tied": False, "dropout": 0.0, "normalization": (None,), "learning_rate": 0.003}
    found = search("random", budget=50, space={**space, **fixed}, epochs=2).fit(X)
    assert len(trained) == len(set(trained)) == len(found.results_["error"]) == 3
    assert found.stopped_ == "nothing new"


def test_a_space_of_one_candidate():
    space = {"kind": "basic", "layers": 0, "code": 2, "code_activation": "linear", "loss": "auto", "output": "auto"}
    fixed = {"tied": False, "dropout": 0.0, "normalization": (None,), "learning_rate": 0.003}
    found = search("de", space={**space, **fixed}, epochs=2).fit(X)
    assert len(found.results_["error"]) == 1


def test_pymoo_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymoo.algorithms.soo.nonconvex.ga", None)
    with pytest.raises(ImportError, match=r"pip install \"azogue\[search\]\""):
        search("ga").fit(X)


# -- what goes wrong ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0, 0.5, -3, "0s", "soon", True, None])
def test_budgets_that_make_no_sense(budget):
    with pytest.raises(ValueError, match="budget: expected a number of candidates of at least 1, or a time"):
        search(budget=budget).fit(X)


def test_a_time_too_short_for_one_candidate_still_gives_one():
    found = search("random", budget="0.001s").fit(X)
    assert (len(found.results_["error"]), found.stopped_) == (1, "time")


def test_few_rows():
    with pytest.raises(ValueError, match="3 rows at least are needed"):
        search().fit(X[:2])
    found = search(budget=2).fit(X[:3])
    assert found.transform(X[:3]).shape[0] == 3


def test_candidates_that_diverge():
    rates = {**SMALL, "learning_rate": [1e-3, 1e30]}
    found = search("random", budget=12, space=rates).fit(X)
    failed = found.results_["fitness"] == np.inf
    assert failed.any()
    assert not failed.all()
    assert all("diverged" in reason or "NaN" in reason for reason in found.results_["reason"][failed])
    assert found.best_params_["learning_rate"] == 1e-3
    with pytest.raises(RuntimeError, match="none of 3 candidates worked; the first: "):
        search(budget=3, space={**SMALL, "learning_rate": 1e30, "output": "auto"}).fit(X)


@pytest.mark.parametrize("name", ["strategy", "complexity", "preset"])
def test_unknown_choices(name):
    with pytest.raises(ValueError, match=f"{name}: 'annealing' is unknown; use one of "):
        az.ArchitectureSearch(**{name: "annealing"}).fit(X)


def test_hopeless_candidates_are_given_up():
    rates = {"kind": "basic", "layers": 0, "code": 3, "code_activation": "linear", "learning_rate": [0.01, 1e-7]}
    rates |= {"output": "auto", "loss": "auto", "normalization": (None,)}
    columns = np.random.default_rng(0).normal(size=(80, 3)) @ np.random.default_rng(1).normal(size=(3, 9))
    found = search("random", budget=8, space=rates, epochs=40, alpha=0.0).fit(columns)
    slow = found.results_["param_learning_rate"] == 1e-7
    assert found.best_params_["learning_rate"] == 0.01
    assert found.results_["reason"][found.best_index_] == ""
    assert "given up early" in found.results_["reason"][slow]


# -- cache, interruption, processes ---------------------------------------------------------------------------------


def test_cache_on_disk(tmp_path, monkeypatch):
    path = tmp_path / "search.jsonl"
    first = search("de", budget=10, cache=path).fit(X)
    lines = path.read_text().splitlines()
    assert len(lines) == 10
    path.write_text("\n".join([*lines[:6], lines[6][:40]]))  # killed while it wrote the seventh
    again = search("de", budget=10, cache=path).fit(X)
    assert table(first) == table(again)
    assert len(path.read_text().splitlines()) == 11  # the torn one stays and is passed over
    monkeypatch.setattr(evaluation.Bench, "judge", None)
    replayed = search("de", budget=10, cache=path).fit(X)
    assert table(first) == table(replayed)
    assert first.test_error_ == replayed.test_error_


def test_cache_is_for_the_same_data_and_settings(tmp_path):
    path = tmp_path / "search.jsonl"
    search(budget=2, cache=path).fit(X)
    search(budget=2, cache=path).fit(X[:-1])
    search(budget=2, cache=path, epochs=9).fit(X)
    assert len(path.read_text().splitlines()) == 6


def test_a_cache_that_cannot_be_written(tmp_path):
    with pytest.warns(UserWarning, match="the search goes on without keeping results") as caught:
        found = search(budget=3, cache=tmp_path).fit(X)  # a folder
    assert len(caught) == 1
    assert len(found.results_["error"]) == 3
    if Path("/dev/full").exists():
        with pytest.warns(UserWarning, match="cache /dev/full: .*; the search goes on") as caught:
            search(budget=3, cache="/dev/full").fit(X)
        assert len(caught) == 1


def test_a_file_that_is_no_cache_stays_as_it_is(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="this is no cache of a search"):
        search(cache=path).fit(X)
    assert path.read_text() == "a,b\n1,2\n"


def test_the_keyboard_keeps_the_best_so_far():
    def press(record):
        if record["candidates"] >= 4:
            raise KeyboardInterrupt

    found = search(budget=30, callbacks=press).fit(X)
    assert found.stopped_ == "interrupted"
    assert len(found.results_["error"]) >= 4
    assert found.transform(X).shape[0] == len(X)


def test_a_callback_ends_the_search():
    records = []
    found = search(budget=30, callbacks=[records.append, lambda record: record["candidates"] >= 4]).fit(X)
    assert found.stopped_ == "callback"
    assert records[-1]["best"] == found.results_["fitness"].min()


PROGRAM = """
import sys, torch
torch.set_num_threads(1)
import azogue as az
from sklearn.datasets import load_wine
from pathlib import Path
from types import SimpleNamespace

if __name__ == "__main__":
    told = lambda record: print(record["candidates"], flush=True)
    search = az.ArchitectureSearch(
        "de", budget=12, autoencoder=az.Autoencoder(epochs=8), random_state=0, cache=sys.argv[1],
        n_jobs=int(sys.argv[2]), callbacks=told, space={"kind": ("basic", "denoising"), "layers": (0, 1),
        "code": (1, 4), "normalization": (None,)})
    search.fit(load_wine().data)
    print(search.best_params_, search.best_score_, search.test_error_)
"""


def run(path, *arguments):
    script = path / "program.py"
    script.write_text(PROGRAM)
    return [sys.executable, str(script), *arguments]


def test_kill_and_resume_and_two_processes_end_in_the_same_winner(tmp_path):
    here = search("de", budget=12).fit(X)
    told = f"{here.best_params_} {here.best_score_} {here.test_error_}"
    cache = tmp_path / "killed.jsonl"
    with subprocess.Popen(run(tmp_path, str(cache), "1"), stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if int(line) >= 5:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    kept = len(cache.read_text().splitlines())
    assert 0 < kept < 12
    done = subprocess.run(run(tmp_path, str(cache), "2"), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == told
    assert len(cache.read_text().splitlines()) == 12


# -- scikit-learn and applications ----------------------------------------------------------------------------------


def test_in_a_pipeline_and_a_grid():
    import pandas as pd

    frame = pd.DataFrame(X[:80], columns=WINE.feature_names)
    pipe = make_pipeline(search(budget=2))
    assert pipe.fit_transform(frame).shape[0] == 80
    grid = GridSearchCV(search(budget=2), {"strategy": ["random", "halving"]}, cv=2).fit(frame)
    assert grid.best_params_["strategy"] in ("random", "halving")
    names = pipe[-1].get_feature_names_out()
    assert names[0] == "architecturesearch0"


def test_missing_cells_and_categories():
    import pandas as pd

    frame = pd.DataFrame(X[:90, :3], columns=["a", "b", "c"])
    frame["kind"] = [f"kind {target}" for target in WINE.target[:90]]
    frame.loc[::7, "a"] = np.nan
    found = search(budget=4, space=None).fit(frame)
    assert 0 < found.test_error_ < 1.5
    assert list(found.reconstruct(frame).columns) == ["a", "b", "c", "kind"]


def test_global_randomness_is_left_alone():
    import torch

    np.random.seed(3)
    torch.manual_seed(3)
    before = (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search("de", budget=6).fit(X)
    assert not caught
    assert (np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()) == before


def test_chunks_look_at_the_clock(monkeypatch):
    monkeypatch.setattr(study, "CHUNK", 1)
    monkeypatch.setattr(study.Study, "used", lambda self: len(self.trials) / 3)
    found = search("random", budget="12s").fit(X)
    assert (found.stopped_, len(found.results_["error"])) == ("time", 3)
