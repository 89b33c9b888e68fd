"""The ensemble, what it tells beside scores, groups, streams, pictures and series."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.stats import false_discovery_control
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score

import azogue as az
from azogue.applications import ensembles, thresholds
from azogue.applications.anomaly import DriftWarning
from azogue.modalities import Sequence


def rows(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    return np.tanh(z @ np.random.default_rng(9).normal(size=(2, 7))) + 0.1 * rng.normal(size=(n, 7))


def odd(n: int, seed: int = 1) -> np.ndarray:
    """Each column as usual, but not together."""
    return np.random.default_rng(seed).permuted(rows(n, seed), axis=0)


@pytest.fixture(scope="module")
def detector():
    return az.AnomalyDetector(random_state=0).fit(rows(500))


def test_the_ensemble_is_made_of_small_ones_on_random_rows(detector):
    assert len(detector.members_) == 32
    assert {member.code_size_ for member in detector.members_} == {16}
    assert detector.memories_["codes"].shape == (32, 32, 16)
    weights = [next(member.network_.parameters()).detach().numpy() for member in detector.members_[:2]]
    assert not np.allclose(*weights)
    again = az.AnomalyDetector(random_state=0).fit(rows(500))
    assert np.array_equal(again.anomaly_score(odd(20)), detector.anomaly_score(odd(20)))
    other = az.AnomalyDetector(random_state=1).fit(rows(500))
    assert not np.array_equal(other.anomaly_score(odd(20)), detector.anomaly_score(odd(20)))
    wide = ensembles.default_member(200, 256, 120)
    assert "Dense(64" in repr(wide.network)
    assert wide.epochs == 30


def test_the_score_is_the_formula(detector):
    X = rows(300, 3)
    errors = np.stack([member.errors(X) for member in detector.members_])
    scales = [np.average(member.error_profile_["column_scale"]) for member in detector.members_]
    log_errors = np.log(errors / np.array(scales)[:, None]).mean(axis=0)
    near = []
    for member, held, spread in zip(
        detector.members_, detector.memories_["codes"], detector.memories_["spread"], strict=True
    ):
        apart = np.linalg.norm((member.encode(X) / spread)[:, None] - held, axis=2)
        near.append(np.sort(apart, axis=1)[:, 1:3].mean(axis=1))
    log_near = np.log(near).mean(axis=0)
    factor = detector.spread_[0] / detector.spread_[1]
    logs = ((log_errors - detector.center_[0]) + factor * (log_near - detector.center_[1])) / 2
    assert np.allclose(detector.anomaly_score(X), np.exp(logs - detector.middle_), rtol=1e-4)
    assert np.median(detector.anomaly_score(rows(500))) == pytest.approx(1.0, rel=1e-6)


def test_both_parts_tell_usual_rows_from_odd_ones(detector):
    truth = np.repeat([0, 1], 300)
    X = np.concatenate([rows(300, 5), odd(300, 6)])
    both = roc_auc_score(truth, detector.anomaly_score(X))
    assert both > 0.9
    for part in ("errors", "neighbors"):
        alone = az.AnomalyDetector(parts=(part,), members=8, random_state=0).fit(rows(500))
        assert roc_auc_score(truth, alone.anomaly_score(X)) > 0.85
        assert alone.memories_ == {} or part == "neighbors"
    new = az.AnomalyDetector(novelty=True, random_state=0).fit(rows(500))
    assert roc_auc_score(truth, new.anomaly_score(X)) > both - 0.02
    assert len(new.members_) == 12
    assert new.memories_["codes"].shape[1] == 400  # all that calibration left


def test_trimmed_training_leaves_the_worst_rows_out():
    clean, bad = rows(200), odd(60) * 3
    X = np.concatenate([clean, bad])
    settings = {"members": 4, "rows": 400, "calibration": 0.0, "random_state": 0}
    plain = az.AnomalyDetector(**settings).fit(X)
    trimmed = az.AnomalyDetector(trim=0.25, **settings).fit(X)
    ratios = [np.median(made.anomaly_score(bad)) / np.median(made.anomaly_score(clean)) for made in (plain, trimmed)]
    assert ratios[1] > 1.2 * ratios[0]


def test_members_of_ones_own():
    ae = az.Autoencoder(2, epochs=3)
    made = az.AnomalyDetector(ae, members=4, rows=100, random_state=0).fit(rows(300))
    assert [member.code_size_ for member in made.members_] == [2] * 4
    assert made.memories_ == {}
    assert made.p_values(rows(5)).shape == (5,)
    with pytest.raises(TypeError, match="autoencoder"):
        az.AnomalyDetector(FrozenEstimator(ae.fit(rows(50))), members=4).fit(rows(50))
    with pytest.raises(ValueError, match="parts"):
        az.AnomalyDetector(ae, parts=("errors", "neighbors")).fit(rows(50))


@pytest.mark.parametrize(
    "wrong",
    [
        {"parts": "errors"},
        {"parts": ("density",)},
        {"parts": ()},
        {"members": 0},
        {"rows": 2.5},
        {"members": True},
        {"trim": 1.0},
        {"calibration": -0.1},
        {"threshold": "6sd"},
        {"threshold": "q1.5"},
        {"threshold": "mean+6sd", "contamination": 0.1},
    ],
)
def test_parameters_that_make_no_sense_are_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        az.AnomalyDetector(**wrong).fit(rows(50))


def test_thresholds():
    scores = np.random.default_rng(0).gamma(4.0, size=5000)
    assert thresholds.threshold_of(scores, threshold="mean+3sd") == pytest.approx(scores.mean() + 3 * scores.std())
    assert thresholds.threshold_of(scores, threshold="q0.99") == pytest.approx(np.quantile(scores, 0.99))
    assert thresholds.threshold_of(scores, 0.1) == pytest.approx(np.quantile(scores, 0.9))
    squares = np.square(np.random.default_rng(0).normal(size=(20_000, 10))).mean(axis=1)
    assert (squares > thresholds.threshold_of(squares)).mean() == pytest.approx(0.0062, abs=0.003)  # a normal's tail
    assert thresholds.threshold_of(np.array([np.inf])) == np.inf
    made = az.AnomalyDetector(threshold="q0.8", members=4, random_state=0).fit(rows(200))
    assert (made.predict(rows(200)) == -1).mean() == pytest.approx(0.2, abs=0.01)


def test_p_values_are_valid():
    known = np.sort(np.random.default_rng(0).normal(size=99))
    for level in (
        0.01,
        0.05,
        0.1,
        0.2,
    ):  # k of 99 calibration scores lie above: p = (1 + k) / 100 for a score among them
        p = thresholds.conformal(np.random.default_rng(1).normal(size=20_000), known)
        assert (p <= level).mean() < level + 4 * np.sqrt(level / 99)
    assert thresholds.conformal(np.array([5.0, 5.0]), np.array([5.0])).tolist() == [1.0, 1.0]  # ties count against it
    assert thresholds.conformal(np.array([2.5, 9.0]), np.array([1.0, 2.0, 3.0])).tolist() == [0.5, 0.25]
    p = np.random.default_rng(2).random(200) ** 2
    for level in (0.05, 0.2):
        assert np.array_equal(thresholds.benjamini_hochberg(p, level), false_discovery_control(p) <= level)
    assert not thresholds.benjamini_hochberg(np.ones(3), 0.1).any()
    with pytest.raises(ValueError, match="fdr"):
        thresholds.benjamini_hochberg(p, 1.0)


def test_calibration_rows_are_seen_by_no_member(monkeypatch):
    asked = []
    original = ensembles.fit_members

    def seen(member, packed, rows, size, rng):
        asked.append(rows)
        return original(member, packed, rows, size, rng)

    monkeypatch.setattr(ensembles, "fit_members", seen)
    made = az.AnomalyDetector(members=3, random_state=0, trim=0.1).fit(rows(100))
    held = np.setdiff1d(np.arange(100), asked[0])
    assert len(held) == 20
    assert len(asked[1]) == 72
    assert not np.isin(asked[1], held).any()
    assert np.array_equal(made.calibration_scores_, np.sort(made.anomaly_score(rows(100))[held]))


def test_p_values_of_a_detector(detector):
    assert len(detector.calibration_scores_) == 100
    usual = detector.p_values(rows(2000, 4))
    assert (usual <= 0.1).mean() < 0.17
    assert detector.p_values(odd(200) * 2).mean() < 0.2 < usual.mean()
    assert np.array_equal(
        detector.p_values(rows(9), calibration=rows(1)),
        np.where(detector.anomaly_score(rows(9)) > detector.anomaly_score(rows(1)), 0.5, 1.0),
    )
    mixed = np.concatenate([rows(300, 4), odd(100) * 4])
    called = detector.select(mixed, fdr=0.2)
    assert called[300:].mean() > 0.5
    assert called[:300].sum() <= 0.4 * called.sum()
    with pytest.raises(ValueError, match="calibration"):
        az.AnomalyDetector(calibration=0.0, members=2).fit(rows(60)).p_values(rows(5))


def test_probabilities(detector):
    X = np.concatenate([rows(50), odd(50) * 3])
    found = detector.predict_proba(X)
    assert detector.classes_.tolist() == [-1, 1]
    assert np.allclose(found.sum(axis=1), 1)
    order = np.argsort(detector.anomaly_score(X))
    assert (np.diff(found[order, 0]) >= 0).all()
    median = detector.predict_proba(rows(500))[:, 0]
    assert (median == 0).mean() > 0.4  # below the mean: no doubt


def test_the_moved_column_is_named_with_what_was_expected(detector):
    X, rng = rows(200, 8), np.random.default_rng(0)
    at = rng.integers(0, 7, size=200)
    moved = X.copy()
    moved[np.arange(200), at] += 5 * rows(500).std(axis=0)[at]
    assert (detector.explain(moved).argmax(axis=1) == at).mean() > 0.93
    expected = detector.expected(moved)
    assert expected.shape == moved.shape
    away = np.abs(expected - X)[np.arange(200), at].mean()
    assert away < 0.3 * np.abs(moved - X)[np.arange(200), at].mean()
    frame = pl.DataFrame({"x": X[:, 0], "kind": np.where(X[:, 0] > 0, "a", "b"), "y": X[:, 0] * 2})
    made = az.AnomalyDetector(members=6, random_state=0).fit(frame)
    assert made.expected(frame).schema == frame.schema
    assert made.explain(frame).columns == frame.columns
    assert np.allclose(made.explain(frame).sum_horizontal(), made.anomaly_score(frame))


def test_one_detector_a_group():
    near, far = rows(200), rows(200, 2) + 50
    frame = pd.DataFrame(np.concatenate([near, far]), columns=list("abcdefg"))
    frame["site"] = ["north"] * 200 + ["south"] * 200
    frame = frame.sample(frac=1.0, random_state=0)
    made = az.AnomalyDetector(by="site", members=4, random_state=0).fit(frame)
    assert set(made.detectors_) == {"north", "south"}
    scores = made.anomaly_score(frame)
    north = (frame["site"] == "north").to_numpy()
    alone = az.AnomalyDetector(members=4, random_state=0).fit(frame[north].drop(columns="site"))
    assert np.array_equal(scores[north], alone.anomaly_score(frame[north].drop(columns="site")))
    assert np.array_equal(made.predict(frame)[north], alone.predict(frame[north].drop(columns="site")))
    lost = frame.assign(site=np.where(north, "south", "north"))
    assert made.anomaly_score(lost).min() > 10 * np.median(scores)
    reasons = made.explain(frame)
    assert list(reasons.columns) == list("abcdefg")
    assert reasons.index.equals(frame.index)
    assert np.allclose(reasons.sum(axis=1), scores)
    assert made.predict_proba(frame).shape == (400, 2)
    with pytest.raises(ValueError, match="'west' was not among the groups of fit: "):
        made.anomaly_score(frame.assign(site="west"))
    with pytest.raises(ValueError, match="no such column"):
        az.AnomalyDetector(by="where").fit(frame)
    with pytest.raises(ValueError, match="has no group"):
        az.AnomalyDetector(by="site").fit(frame.assign(site=[None] * 400))
    array = np.column_stack([frame[list("abcdefg")], north])
    numbered = az.AnomalyDetector(by=7, members=4, random_state=0).fit(array)
    assert np.array_equal(numbered.anomaly_score(array), scores)
    called = az.AnomalyDetector(by=lambda X: (X[:, 0] > 25).tolist(), members=4, random_state=0).fit(array[:, :7])
    assert np.array_equal(called.anomaly_score(array[:, :7]), scores)


def test_detectors_are_saved_whole(tmp_path, detector):
    frame = pd.DataFrame(rows(120), columns=list("abcdefg")).assign(site=["n", "s"] * 60)
    grouped = az.AnomalyDetector(by="site", members=3, random_state=0).fit(frame)
    for made, X in ((detector, rows(40)), (grouped, frame)):
        made.save(tmp_path / "d.azogue")
        again = az.load(tmp_path / "d.azogue")
        assert np.array_equal(again.anomaly_score(X), made.anomaly_score(X))
        assert np.array_equal(again.p_values(X), made.p_values(X))
        assert np.array_equal(again.decision_function(X), made.decision_function(X))


def test_streams_go_on_and_say_when_they_drift():
    made = az.AnomalyDetector(members=6, random_state=0).fit(rows(300))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DriftWarning)
        made.partial_fit(rows(200, 3))
    assert made.rows_seen_ == 500
    assert not hasattr(made, "calibration_scores_")
    shifted = rows(200, 4) + 0.4
    before = np.median(made.anomaly_score(shifted))
    with pytest.warns(DriftWarning, match="Kolmogorov"):
        made.partial_fit(shifted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DriftWarning)
        for seed in range(5, 12):
            made.partial_fit(rows(200, seed) + 0.4)
    assert np.median(made.anomaly_score(shifted)) < 0.9 * before
    fresh = az.AnomalyDetector(members=2, random_state=0).partial_fit(rows(60))
    assert len(fresh.members_) == 2


def scenes(n: int, seed: int) -> np.ndarray:
    """Frames of one scene under changing light."""
    rng = np.random.default_rng(seed)
    scene = np.random.default_rng(9).normal(size=(32, 32)) * 20 + 110
    slope = np.linspace(-1, 1, 32)
    light = rng.normal(size=(n, 1, 1)) * 12 + rng.normal(size=(n, 1, 1)) * 12 * slope
    return np.clip(scene + light + rng.normal(size=(n, 32, 32)) * 3, 0, 255).astype(np.uint8)


def test_pictures_with_something_small_are_found_and_light_is_not():
    made = az.AnomalyDetector(random_state=0).fit(scenes(24, 0))
    new = scenes(40, 1)
    new[20:, 10:16, 18:24] = np.clip(new[20:, 10:16, 18:24] + 60.0, 0, 255)
    scores = made.anomaly_score(new)
    assert roc_auc_score(np.repeat([0, 1], 20), scores) == 1.0
    heat = made.heatmap(new)
    assert heat.shape == (40, 32, 32)
    hottest = np.array([np.unravel_index(part.argmax(), part.shape) for part in heat[20:]])
    assert ((hottest >= [9, 17]) & (hottest <= [16, 24])).all()
    assert np.allclose(
        np.quantile(heat.reshape(40, -1), 0.95, axis=1) / scores, np.exp(made.center_[0] + made.middle_), rtol=1e-4
    )
    assert made.explain(new).shape == new.shape
    assert (made.p_values(new)[20:] == 1 / 25).all()
    with pytest.raises(TypeError, match="heatmap"):
        az.AnomalyDetector(members=2).fit(rows(40)).heatmap(rows(40))


def test_folders_of_pictures_by_site(tmp_path):
    """A callable tells each file's site; streams go on from a folder."""
    from PIL import Image

    for site, seed in (("n", 0), ("s", 5)):
        (tmp_path / site).mkdir()
        for at, picture in enumerate(scenes(8, seed)):
            Image.fromarray(picture if site == "n" else 255 - picture).save(tmp_path / site / f"{at}.png")

    def sites(folder):
        from azogue.modalities.pictures import list_files

        return [name.split("/")[0] for name in list_files(folder)[1]]

    made = az.AnomalyDetector(by=sites, random_state=0).fit(tmp_path)
    assert set(made.detectors_) == {"n", "s"}
    assert made.anomaly_score(tmp_path).shape == (16,)
    north = made.detectors_["n"]
    assert north.anomaly_score(tmp_path / "s").min() > north.anomaly_score(tmp_path / "n").max()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DriftWarning)
        assert north.partial_fit(tmp_path / "n").rows_seen_ == 16


def test_series_have_a_score_for_each_time_stamp():
    t = np.arange(3000)
    x = np.sin(t / 9) + 0.05 * np.random.default_rng(0).normal(size=len(t))
    made = az.AnomalyDetector(modality=Sequence(window=40, overlap=0.5), random_state=0).fit(x)
    assert made.autoencoder_.code_size_ == 2  # a sine's windows span a plane
    y = x.copy()
    y[1500:1520] = 0.0
    line = made.timeline(y)
    assert line.shape == y.shape
    assert 1470 <= line.argmax() <= 1550
    assert line.max() > 5 * np.median(line)
    assert made.timeline(y[:, None]).shape == (3000,)
    with pytest.raises(TypeError, match="timeline"):
        az.AnomalyDetector(members=2).fit(rows(40)).timeline(rows(40))
