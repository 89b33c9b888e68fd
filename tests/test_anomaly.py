"""The detector: scikit-learn's contract, scores that add up, and anomalies that are found."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score

import azogue as az


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(400, 2))
    frame = pd.DataFrame(
        np.tanh(z @ rng.normal(size=(2, 6))) + 0.05 * rng.normal(size=(400, 6)), columns=list("abcdef")
    )
    frame["site"] = np.where(z[:, 0] > 0, "north", "south")
    frame.index = [f"r{i}" for i in range(400)]
    return frame


@pytest.fixture(scope="module")
def detector(table):
    return az.AnomalyDetector(random_state=0).fit(table)


def test_planted_anomalies_are_found_and_explained(detector, table):
    rng = np.random.default_rng(1)
    bad = table.copy()
    which = rng.integers(0, 6, size=400)
    for row, column in enumerate(which):
        bad.iloc[row, column] += 4 * table.iloc[:, column].std()
    scores = np.r_[detector.anomaly_score(table), detector.anomaly_score(bad)]
    assert roc_auc_score(np.repeat([0, 1], 400), scores) > 0.97
    reasons = detector.explain(bad)
    assert (reasons.to_numpy().argmax(1) == which).mean() > 0.85
    swapped = table.assign(site=np.where(table["site"] == "north", "south", "north"))
    assert detector.explain(swapped)["site"].mean() > 3 * detector.explain(table)["site"].mean()
    assert detector.anomaly_score(swapped).mean() > 2 * detector.anomaly_score(table).mean()


def test_scores_add_up(detector, table):
    scores = detector.anomaly_score(table)
    reasons = detector.explain(table)
    assert isinstance(reasons, pd.DataFrame)
    assert list(reasons.columns) == list(table.columns)
    assert reasons.index.equals(table.index)
    assert np.allclose(reasons.sum(axis=1), scores)
    assert np.median(scores) == pytest.approx(1.0, rel=1e-4)
    assert np.array_equal(detector.score_samples(table), -scores)
    assert np.allclose(detector.decision_function(table), -scores - detector.offset_)
    assert np.array_equal(detector.predict(table) == -1, scores > -detector.offset_)
    assert isinstance(detector.explain(pl.from_pandas(table.reset_index(drop=True))), pl.DataFrame)


def test_contamination(table):
    ae = az.Autoencoder(2, epochs=5, random_state=0).fit(table)
    for part in (0.01, 0.1, 0.5):
        flagged = az.AnomalyDetector(FrozenEstimator(ae), contamination=part).fit(table).predict(table) == -1
        assert flagged.mean() == pytest.approx(part, abs=0.005)
    for wrong in (0.0, 0.6, True, "many", -1):
        with pytest.raises(ValueError, match="contamination"):
            az.AnomalyDetector(contamination=wrong).fit(table)


def test_missing_cells_do_not_make_a_row_usual(detector, table):
    bad = table.copy()
    bad["a"] += 5.0
    holed = bad.copy()
    holed[["c", "d"]] = np.nan
    assert (detector.anomaly_score(holed) > 0.8 * detector.anomaly_score(bad)).mean() > 0.9
    assert np.allclose(detector.explain(holed)[["c", "d"]], 0)
    nothing = table.iloc[:2].copy()
    nothing.loc[:, list("abcdef")] = np.nan
    nothing["site"] = None
    assert np.array_equal(detector.anomaly_score(nothing), [0.0, 0.0])


def test_autoencoders_given(table):
    with pytest.raises(NotFittedError):
        az.AnomalyDetector(FrozenEstimator(az.Autoencoder())).fit(table)
    with pytest.raises(TypeError, match="autoencoder"):
        az.AnomalyDetector("deep").fit(table)
    unfitted = az.RobustAutoencoder(2, epochs=2, random_state=0)
    detector = az.AnomalyDetector(unfitted).fit(table)
    assert isinstance(detector.autoencoder_, az.RobustAutoencoder)
    assert not hasattr(unfitted, "network_")
    ae = az.Autoencoder(2, epochs=2, random_state=0).fit(table)
    assert az.AnomalyDetector(FrozenEstimator(ae)).fit(table).autoencoder_ is ae


def test_a_model_file_is_enough_to_calibrate(tmp_path, table):
    ae = az.Autoencoder(2, epochs=20, validation_fraction=0.0, random_state=0).fit(table)
    ae.save(tmp_path / "m.azogue")
    alone = az.AnomalyDetector.from_fitted(az.load(tmp_path / "m.azogue"))
    whole = az.AnomalyDetector(FrozenEstimator(ae)).fit(table)
    assert np.allclose(alone.anomaly_score(table), whole.anomaly_score(table), rtol=1e-9)
    assert alone.offset_ == pytest.approx(whole.offset_, rel=0.01)
    part = az.AnomalyDetector.from_fitted(ae, contamination=0.05).predict(table)
    assert (part == -1).mean() == pytest.approx(0.05, abs=0.01)


def test_a_detector_is_saved_whole(tmp_path, detector, table):
    detector.save(tmp_path / "d.azogue")
    again = az.load(tmp_path / "d.azogue")
    assert isinstance(again, az.AnomalyDetector)
    assert np.array_equal(again.anomaly_score(table), detector.anomaly_score(table))
    assert again.offset_ == detector.offset_
    assert again.get_params(deep=False) == detector.get_params(deep=False)


def test_overflow_is_the_worst_score_not_the_best():
    X = np.random.default_rng(0).normal(size=(200, 4))
    detector = az.AnomalyDetector(az.Autoencoder(2, epochs=3), random_state=0).fit(X)
    far = X[:5].copy()
    far[:, 0] = 1e40
    assert np.isposinf(detector.anomaly_score(far)).all()
    assert (detector.predict(far) == -1).all()
    assert np.isposinf(detector.explain(far)[:, 0]).all()


def test_column_weights_reach_the_score(table):
    from azogue.modalities import Table

    X = table[list("abcdef")]
    ae = az.Autoencoder(2, modality=Table(weights={"f": 0.0}), epochs=10, random_state=0)
    detector = az.AnomalyDetector(ae).fit(X)
    moved = X.assign(f=X["f"] + 9.0)
    assert (detector.explain(moved)["f"] == 0).all()
    others = detector.explain(moved)[list("abcde")].sum(axis=1)
    assert np.allclose(others, detector.anomaly_score(moved))
    with pytest.raises(ValueError, match="weights"):
        az.Autoencoder(2, modality=Table(weights=dict.fromkeys("abcdef", 0.0))).fit(X)


def test_values_beyond_the_unit_interval_are_worse_not_better():
    X = np.random.default_rng(0).random((200, 4))
    detector = az.AnomalyDetector(az.Autoencoder(1, objective="bce", epochs=20), random_state=0).fit(X)
    assert (detector.predict(X[:20] + 20.0) == -1).all()
    assert detector.anomaly_score(X[:20] + 20.0).min() > detector.anomaly_score(X).max()


def test_partial_fit_keeps_the_profile_of_all_rows(table):
    ae = az.Autoencoder(2, epochs=10, random_state=0).fit(table)
    before = (az.AnomalyDetector.from_fitted(ae).predict(table) == -1).mean()
    ae.partial_fit(table.iloc[:1])
    assert int(ae.error_profile_["rows"]) == 361
    assert (az.AnomalyDetector.from_fitted(ae).predict(table) == -1).mean() == pytest.approx(before, abs=0.05)
