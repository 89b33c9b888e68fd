"""The worked examples of the gallery: each runs, says what it says it does, and draws a picture."""

import runpy
import warnings
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "gallery"


def reduce(space):
    figures = space["figures"]
    assert figures["Autoencoder"] > figures["PCA"] + 0.05


def detect(space):
    figures = space["figures"]
    assert figures["AnomalyDetector"] > 0.95
    assert figures["AnomalyDetector"] >= max(figures.values()) - 0.005, "no worse than the best by more"
    assert space["test"].loc[space["worst"], "area error"] > 5 * space["expected"]["area error"]


def denoise(space):
    figures = space["figures"]
    filters = [value for name, value in figures.items() if "filter" in name]
    assert figures["Denoiser"] > figures["linear"] + 0.5 > max(filters) + 2


def impute(space):
    figures = space["figures"]
    assert figures["wine", "Imputer"] < figures["wine", "IterativeImputer"]
    assert figures["diabetes", "Imputer"] < figures["diabetes", "KNNImputer"] - 0.05
    assert figures["diabetes", "IterativeImputer"] < figures["diabetes", "Imputer"], "the page says that we lose there"


def anonymise(space):
    figures = space["figures"]
    sex, use = figures["Anonymizer"]
    assert sex < figures["noise 3.0"][0]
    assert use > figures["noise 0.5"][1]
    assert list(space["released"]) == list(space["people"])


def encrypt(space):
    figures = space["figures"]
    assert (space["again"] == space["pictures"]).all()
    assert figures["Cipher"] < 0.95 * min(size for name, size in figures.items() if name != "Cipher")


def hashing(space):
    figures = space["figures"]
    assert figures["SemanticHasher"] > figures["ITQ"] + 0.02 > figures["random hyperplanes"]


def synthesise(space):
    figures = space["figures"]
    assert figures["Synthesizer"] < figures["columns alone"] - 0.05
    assert figures["Gaussian copula"] < figures["Synthesizer"], "the page says that we lose"
    assert space["heavy"]["bmi"].min() >= 30


def neighbours(space):
    figures = space["figures"]
    assert figures["breast cancer", "AEkNN"] >= max(v for (table, _), v in figures.items() if table == "breast cancer")
    assert figures["wine", "AEkNN"] > figures["wine", "kNN"] + 0.2


def search(space):
    figures = space["figures"]
    assert figures["search"] < figures["PCA"]
    assert figures["search"] < figures["default"], "the page says so"


def attack(space):
    figures = space["figures"]
    assert figures[200] > 0.9
    assert list(figures.values()) == sorted(figures.values())
    assert space["report"].headline.startswith("pseudonymised")


CHECKS = (reduce, detect, denoise, impute, anonymise, encrypt, hashing, synthesise, neighbours, search, attack)
SCRIPTS = sorted(FOLDER.glob("plot_*.py"))


def test_each_example_has_a_check():
    assert len(SCRIPTS) == len(CHECKS)
    assert [path.name[:8] for path in SCRIPTS] == [f"plot_{at:02}_"[:8] for at in range(1, len(CHECKS) + 1)]


@pytest.mark.parametrize(
    ("path", "check"), list(zip(SCRIPTS, CHECKS, strict=True)), ids=[one.__name__ for one in CHECKS]
)
@pytest.mark.trained
def test_examples_run(path, check, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    with mpl.rc_context(), warnings.catch_warnings():
        plt.switch_backend("agg")
        try:
            check(runpy.run_path(str(path)))
            assert plt.get_fignums(), "an example has a picture"
        finally:
            plt.close("all")
    assert capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [], "an example leaves no files"
