"""Folds of a search: who is far behind on the first ones is not judged on the rest, whoever computes it."""

import json

import numpy as np
import pytest
from sklearn.datasets import load_wine

import azogue as az
from azogue.search import bars, evaluation
from azogue.search.bars import GIVEN_UP, LEFT_BEHIND, Bars, Mark, loss_kind
from azogue.search.space import Space

X = load_wine().data
SPACE = {"kind": ("basic", "principal"), "layers": (0, 1), "code": (1, 4), "normalization": (None,)}


def search(strategy="de", budget=14, **parameters):
    base = az.Autoencoder(epochs=6)
    settings = {"space": SPACE, "cv": 4, "autoencoder": base, "random_state": 0, **parameters}
    return az.ArchitectureSearch(strategy, budget=budget, **settings)


def table(found):
    return {name: values.tolist() for name, values in found.results_.items() if name != "seconds"}


# -- bars -----------------------------------------------------------------------------------------------------------


def test_who_is_behind():
    few = Bars(leader=(1.0, 3.0, 2.0, 2.0))
    assert not few.behind([1.05 - 1e-9]), "a twentieth after one fold"
    assert few.behind([1.05 + 1e-9])
    assert not few.behind([1.0, 3.0 + 2 * 2 * 0.05 / 2**0.5 - 1e-9]), "a twentieth over √2 of the mean after two"
    assert few.behind([1.0, 3.0 + 2 * 2 * 0.05 / 2**0.5 + 1e-9])
    assert not few.behind([9.0, 9.0, 9.0, 9.0]), "nothing is left to save"
    assert not Bars().behind([9.0]), "nobody leads yet"
    scores = Bars(leader=(-0.8, -0.6))  # minus a score: lower is better there too
    assert scores.behind([-0.7])
    assert not scores.behind([-0.9])


def test_what_is_expected_keeps_the_distance():
    few = Bars(leader=(1.0, 3.0, 2.0))
    assert few.expected([1.5]) == 2.5
    assert few.expected([1.5, 3.5]) == 2.5
    assert few.expected([5.0, 1.0, 0.0]) == 2.0
    assert Bars().expected([4.0]) == 4.0


GENOME = {"kind": "basic", "loss": "mse", "output": "auto"}


def record(folds, *, of=2, early=None, bar=None, reason=""):
    """A whole record, as a search keeps it."""
    early = [0.1] * len(folds) if early is None else early
    numbers = {"seconds": 0.1, "epochs": 3, "loss": 0.1, "error": float(np.mean(folds))}
    return {**numbers, "folds": folds, "of": of, "early": early, "bar": bar, "reason": reason}


def test_records_of_elsewhere_count_where_the_same_would_happen():
    here = Bars({loss_kind(GENOME): Mark(0.25, 0.2, 0.0)}, (1.0, 1.0))
    assert here.loss(GENOME, 0.0) == 1.0
    early = record([1.0, 1.0], early=[2.0, 0.5], bar=0.9, reason=GIVEN_UP)
    assert here.hold(early, GENOME, 0.0)
    assert not here.hold({**early, "early": [0.95, 0.5]}, GENOME, 0.0), "here it would have gone on"
    assert not Bars().hold(early, GENOME, 0.0), "and here nothing is known of its kind yet"
    whole = record([1.0, 1.0], early=[2.0, 0.5])
    assert Bars().hold(whole, GENOME, 0.0)
    assert not here.hold(whole, GENOME, 0.0), "here it would have been given up"
    behind = record([1.2], reason=f"{LEFT_BEHIND}1 of 2 folds")
    assert here.hold(behind, GENOME, 0.0)
    assert not Bars(leader=(1.2, 1.0)).hold(behind, GENOME, 0.0)
    assert not Bars(leader=(1.2, 1.0)).hold(record([1.0]), GENOME, 0.2)
    assert Bars(leader=(1.2, 1.0)).hold(record([1.0]), GENOME, 0.4), "what complexity costs counts"
    assert not here.hold(record([1.2, 0.8]), GENOME, 0.0), "here it would have been left behind"
    failed = {**evaluation._failed("NaN"), "seconds": 0.0}
    assert here.hold(failed, GENOME, 0.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("error", "0.5"),
        ("error", True),
        ("error", float("nan")),
        ("loss", None),
        ("folds", []),
        ("folds", [0.5, "0.5"]),
        ("folds", 0.5),
        ("early", [0.1]),
        ("of", 1),
        ("bar", "high"),
        ("reason", None),
        ("epochs", None),
        ("seconds", [1.0]),
    ],
)
def test_records_that_are_not_whole_are_not_believed(name, value):
    sound = record([0.5, 0.5])
    assert Bars().hold(sound, GENOME, 0.0)
    assert not Bars().hold({**sound, name: value}, GENOME, 0.0)
    assert not Bars().hold({key: held for key, held in sound.items() if key != name}, GENOME, 0.0)


def test_the_bar_of_losses_allows_for_what_complexity_costs():
    mark = Mark(loss=0.5, error=0.2, price=0.3)
    assert mark.bar(0.3) == mark.bar(0.9) == 2.0
    assert mark.bar(0.1) == pytest.approx(2.0 * (0.2 + 0.2) / 0.2)
    assert Mark(0.5, 0.0, 0.3).bar(0.1) == np.inf
    assert Bars().loss(GENOME, 0.0) == np.inf


# -- races ----------------------------------------------------------------------------------------------------------


def test_a_candidate_runs_as_long_as_it_keeps_up(monkeypatch):
    """Errors by formula: the judge asks for one fold after the other, and stops where it must."""
    asked = []
    errors = {"good": [1.0, 2.0, 3.0], "poor": [1.5, 1.0, 1.0], "late": [1.0, 2.9, 0.0], "fails": [1.0, None, 1.0]}

    def fold(self, number, genomes, share, given):
        asked.extend((genome["name"], number) for genome in genomes)
        found = [errors[genome["name"]][number] for genome in genomes]
        return [{"error": e, "reason": "" if e else "NaN", "epochs": 2, "early": None, "loss": e} for e in found]

    monkeypatch.setattr(evaluation.Bench, "_fold", fold)
    monkeypatch.setattr(evaluation.Bench, "price", lambda self, genome: 0.0)
    bench = evaluation.Bench(None, None, ((), (), ()), Space.of((3,)))
    genomes = [{**GENOME, "name": name} for name in errors]
    good, poor, late, fails = bench.judge(genomes, (1.0, 1.0), Bars(leader=(1.0, 2.0, 3.0)))
    assert asked == [
        *((name, 0) for name in errors),
        *((name, 1) for name in ("good", "late", "fails")),
        ("good", 2),
    ]
    assert (good["error"], good["folds"], good["reason"]) == (2.0, [1.0, 2.0, 3.0], "")
    assert (poor["error"], poor["folds"], poor["reason"]) == (2.5, [1.5], "far behind after 1 of 3 folds")
    assert (late["error"], late["reason"]) == (pytest.approx(2.45), "far behind after 2 of 3 folds")
    assert (fails["error"], fails["reason"]) == (None, "NaN")


def test_a_race_saves_folds_and_finds_a_winner_that_ran_them_all():
    found = search(budget=24).fit(X)
    reasons = found.results_["reason"]
    left = [reason for reason in reasons if reason.startswith(LEFT_BEHIND)]
    assert left, "nobody was left behind"
    assert reasons[found.best_index_] == ""
    assert found.best_score_ == -found.results_["error"][found.best_index_]
    worst = found.results_["error"][[reason.startswith(LEFT_BEHIND) for reason in reasons]]
    assert worst.min() > -found.best_score_


def test_everybody_runs_to_the_end_where_nobody_is_far_enough_behind(monkeypatch):
    monkeypatch.setattr(bars, "BEHIND", np.inf)
    assert not [reason for reason in search().fit(X).results_["reason"] if reason.startswith(LEFT_BEHIND)]


def test_one_job_two_jobs_and_a_cache_tell_the_same(tmp_path):
    path = tmp_path / "search.jsonl"
    first = search(cache=path).fit(X)
    assert any(reason.startswith(LEFT_BEHIND) for reason in first.results_["reason"])
    lines = path.read_text().splitlines()
    counts = {len(json.loads(line)["record"]["folds"]) for line in lines}
    assert max(counts) == 4 > min(counts)
    path.write_text("\n".join(lines[:7]) + "\n")
    for other in (search(cache=path), search(n_jobs=2)):
        other.fit(X)
        assert table(other) == table(first)
        assert other.test_error_ == first.test_error_


@pytest.mark.parametrize(("strategy", "engine"), [("ga", "torch"), ("es", "native"), ("halving", "native")])
def test_every_strategy_and_compiled_steps_tell_the_same_with_two_jobs(strategy, engine, tmp_path):
    pytest.importorskip("pymoo")
    pytest.importorskip("numba")
    base, path = az.Autoencoder(epochs=6, engine=engine), tmp_path / "search.jsonl"
    first = search(strategy, 10, autoencoder=base, cv=None, cache=path).fit(X)
    assert len(set(first.results_["error"])) > 3, "nothing that could differ"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[: len(lines) // 2]) + "\n")
    other = search(strategy, 10, autoencoder=base, cv=None, cache=path, n_jobs=2).fit(X)
    assert table(other) == table(first)
    assert other.test_error_ == first.test_error_


def test_few_epochs_race_against_few_epochs(monkeypatch):
    """A bar of whole trainings would leave all behind that get a ninth of the epochs, or give them up."""
    leaders, losses = {}, {}
    judge = evaluation.Bench.judge

    def told(self, genomes, share, given):
        leaders.setdefault(share, []).append(len(given.leader))
        losses.setdefault(share, []).append(len(given.losses))
        return judge(self, genomes, share, given)

    monkeypatch.setattr(evaluation.Bench, "judge", told)
    search("halving", budget=8).fit(X)
    assert len(leaders) == 3
    assert all(counts[0] == 0 for counts in leaders.values()), "each share begins without a leader"
    assert max(max(counts) for counts in leaders.values()) == 4
    assert all(counts[0] == 0 for counts in losses.values()), "and without losses"
    assert max(max(counts) for counts in losses.values()) > 0
