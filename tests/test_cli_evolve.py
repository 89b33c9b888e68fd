"""`azogue evolve` and the report of a search: what is written, what is said, what is refused in one line."""

import copy
import json
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.frozen import FrozenEstimator

import azogue as az
from azogue.cli.evolutions import best_so_far, genes
from azogue.report.searching import pareto, search_report
from test_cli import azogue

X = load_wine().data
QUICK = ["--budget", "5", "--epochs", "5", "--seed", "0", "--gene", "kind=basic,principal", "--gene", "layers=0:1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evolve")
    load_wine(as_frame=True).data.to_csv(folder / "wine.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def search():
    space = {"kind": ("basic", "principal"), "layers": (0, 1), "code": (1, 4)}
    return az.ArchitectureSearch(
        "random", budget=8, space=space, autoencoder=az.Autoencoder(epochs=5), random_state=0
    ).fit(X)


def test_evolve_writes_a_model_and_a_report(folder):
    done = azogue("evolve", "wine.csv", "-o", "best.azogue", "--report", "search.html", *QUICK, cwd=folder)
    assert "the best of 5 candidates (budget), test error 0." in done.stdout
    assert az.load(folder / "best.azogue").encode(load_wine(as_frame=True).data).shape[0] == len(X)
    page = (folder / "search.html").read_text()
    assert all(title in page for title in ("Convergence", "Error and complexity", "The winner"))
    assert page.count("<svg") == 2
    assert "data:image/png;base64," in page
    azogue("encode", "best.azogue", "wine.csv", "-o", "codes.csv", cwd=folder)


def test_evolve_as_json_is_the_same_for_a_seed_and_goes_on_from_its_cache(folder):
    command = ["evolve", "wine.csv", "-o", "best.azogue", "--json", "--cache", "cache.jsonl", *QUICK]
    first, again = (json.loads(azogue(*command, cwd=folder).stdout) for _ in range(2))
    assert first == again
    assert first["candidates"] == 5
    assert set(first) >= {"test_error", "validation_error", "params", "stopped", "complexity"}
    assert len((folder / "cache.jsonl").read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--budget", "0"], "budget: expected a number of candidates of at least 1"),
        (["--gene", "cod=2"], "there is no gene 'cod'"),
        (["--gene", "code"], "--gene: expected NAME=VALUES"),
        (["--gene", "code="], "'code' has nothing to choose from"),
        (["--network", "2"], "--network: the search is for it"),
        (["--report", "search.txt"], "search.txt: a report ends in .html, .json or .md"),
        (["--cache", "wine.csv"], "this is no cache of a search"),
        (["--variant", "basik"], "--variant: 'basik' is unknown"),
    ],
)
def test_what_is_refused_is_one_line(folder, options, said):
    done = azogue("evolve", "wine.csv", "-o", "best.azogue", *options, cwd=folder, ok=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert said in done.stderr


def test_few_rows_are_one_line(folder):
    (folder / "two.csv").write_text("a,b\n1,2\n3,4\n")
    done = azogue("evolve", "two.csv", "-o", "best.azogue", cwd=folder, ok=False)
    assert (done.returncode, "3 rows at least are needed" in done.stderr) == (1, True)


def test_genes():
    assert genes(["activation=tanh,relu", "dropout=0,0.1", "code=3"]) == {
        "activation": ["tanh", "relu"],
        "dropout": [0, 0.1],
        "code": [3],
    }


def test_the_table_of_the_best():
    from rich.console import Console

    record = {"candidates": 1200, "seconds": 3.2, "best": 0.25, "error": 0.2, "spent": 3.0}
    record["genome"] = {"kind": "basic", "units": (8, 4), "code": 3, "activations": ("tanh", "relu")}
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(best_so_far(record))
    text = console.export_text()
    assert all(told in text for told in ("1,200", "0.25", "basic", "8, 4", "tanh, relu"))
    console.file.close()


def test_report_of_a_search(search):
    made = az.report.report(search, X)
    titles = [section["title"] for section in made.sections]
    assert titles[:5] == ["Search", "Convergence", "Error and complexity", "The winner", "Model"]
    facts = made.sections[0]["facts"]
    assert facts["test error"] == round(search.test_error_, 5)
    assert facts["candidates"] == 8
    json.dumps(search_report(search).to_dict())
    line = made.sections[1]["chart"]["series"]["best"]
    assert line[-1][1] == pytest.approx(search.results_["fitness"].min())
    assert all(a[1] >= b[1] for a, b in pairwise(line))


def test_a_report_says_what_judged():
    space = {"kind": ("basic", "principal"), "layers": (0, 1), "code": (1, 4)}
    settings = {"budget": 24, "space": space, "autoencoder": az.Autoencoder(epochs=4), "random_state": 0}
    scored = az.ArchitectureSearch("random", objective="accuracy", cv=3, **settings).fit(X, load_wine().target)
    facts = search_report(scored).sections[0]["facts"]
    assert facts["validation score"] == round(scored.best_score_, 5) > 0.4
    assert facts["test score"] == round(scored.test_score_, 5) > 0.4
    behind = sum(reason.startswith("far behind") for reason in scored.results_["reason"])
    assert facts["left behind"] == behind
    assert "judged by a score of their codes" in search_report(scored).sections[0]["text"]
    assert behind > 0
    papers = az.ArchitectureSearch("random", complexity="paper", **settings).fit(X)
    assert "means of squares of scaled cells" in search_report(papers).sections[0]["text"]


def test_the_line_of_a_report_ends_at_the_winner(search):
    """Candidates that were given up or left behind could not have won, whatever their fitness."""
    told = copy.copy(search)
    told.results_ = {name: values.copy() for name, values in search.results_.items()}
    lucky = int(np.flatnonzero(np.arange(8) != search.best_index_)[0])
    told.results_["fitness"][lucky], told.results_["error"][lucky] = 1e-9, 1e-9
    told.results_["reason"][lucky] = "given up early"
    sections = search_report(told).sections
    assert sections[1]["chart"]["series"]["best"][-1][1] == search.results_["fitness"][search.best_index_]
    front = sections[2]["chart"]["series"]["no other is better in both"]
    assert min(error for _, error in front) > 1e-9


def test_pareto():
    errors, complexities = np.array([0.5, 0.2, 0.2, 0.1, 0.3]), np.array([1.0, 2.0, 3.0, 4.0, 1.0])
    assert pareto(errors, complexities).tolist() == [4, 1, 3]


def test_applications_take_a_search(search):
    alone = az.AnomalyDetector(autoencoder=search, members=1, random_state=0).fit(X)
    same = az.AnomalyDetector(autoencoder=search.winner(), members=1, random_state=0).fit(X)
    assert np.array_equal(alone.anomaly_score(X), same.anomaly_score(X))
    frozen = az.AnomalyDetector(autoencoder=FrozenEstimator(search.best_estimator_)).fit(X)
    assert frozen.anomaly_score(X).shape == (len(X),)
    assert az.AEkNNClassifier(autoencoder=search, random_state=0).fit(X, load_wine().target).predict(X).shape == (178,)
    holed = X.copy()
    holed[::5, 0] = np.nan
    assert np.isfinite(az.Imputer(autoencoder=search, random_state=0).fit_transform(holed)).all()
    with pytest.raises(Exception, match="not fitted yet"):
        az.AnomalyDetector(autoencoder=az.ArchitectureSearch()).fit(X)
