"""PyOD's interface and signs, with and without PyOD."""

import builtins
import importlib
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import azogue as az
from azogue.applications import pyod as ours

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)) @ RNG.normal(size=(4, 4))
NEW = np.concatenate([X[:20], X[:3] + 30.0])


@pytest.fixture(scope="module")
def detector():
    return az.AnomalyDetector(members=4, contamination=0.1, random_state=0).fit(X)


@pytest.fixture(scope="module", params=["with", "without"])
def module(request):
    """The module as it is, or imported where there is no PyOD."""
    if request.param == "with":
        pytest.importorskip("pyod")
        yield ours
        return
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.split(".")[0] == "pyod":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    builtins.__import__ = refuse
    try:
        del sys.modules[ours.__name__]
        yield importlib.import_module(ours.__name__)
    finally:
        builtins.__import__ = real
        sys.modules[ours.__name__] = ours


def test_signs_and_shapes(module, detector):
    known = module.as_pyod(detector, X)
    assert np.array_equal(known.decision_scores_, detector.anomaly_score(X))
    assert known.threshold_ == -detector.offset_
    assert np.array_equal(known.labels_, (detector.predict(X) == -1).astype(int))
    assert known.labels_.mean() == pytest.approx(0.1, abs=0.01)
    assert known.contamination == known.labels_.mean()
    assert np.array_equal(known.decision_function(NEW), detector.anomaly_score(NEW))
    assert known.predict(NEW).tolist()[-3:] == [1, 1, 1]
    assert set(known.predict(NEW).tolist()) == {0, 1}
    shares = known.predict_proba(NEW)
    assert shares.shape == (23, 2)
    assert np.allclose(shares.sum(axis=1), 1.0)
    assert (shares[-3:, 1] > 0.99).all()
    assert shares[:20, 1].mean() < 0.5


def test_fit_leaves_the_given_detector_alone(module, detector):
    before = detector.quantiles_.copy()
    known = module.PyODDetector(detector).fit(X[:100])
    assert known.detector_ is not detector
    assert len(known.decision_scores_) == len(known.labels_) == 100
    assert np.array_equal(detector.quantiles_, before)
    again = clone(known).fit(X[:100])
    assert np.array_equal(again.decision_scores_, known.decision_scores_)


def test_without_training_rows_the_quantiles_stand_for_them(module, detector):
    known = module.as_pyod(detector)
    assert np.array_equal(known.decision_scores_, detector.quantiles_)
    assert known.labels_.mean() == pytest.approx(0.1, abs=0.01)


def test_faults_are_named(module, detector):
    with pytest.raises(NotFittedError):
        module.as_pyod(az.AnomalyDetector())
    with pytest.raises(NotFittedError):
        module.PyODDetector(detector).decision_function(X)
    grouped = az.AnomalyDetector(members=2, rows=32, by=0, random_state=0)
    rows = np.column_stack([np.repeat([0, 1], 100), X])
    with pytest.raises(ValueError, match="one threshold"):
        module.as_pyod(grouped.fit(rows), rows)
    with pytest.raises(ValueError, match="one threshold"):
        module.PyODDetector(grouped).fit(rows)


def test_what_pyod_itself_makes_of_it(detector):
    base = pytest.importorskip("pyod.models.base")
    known = ours.as_pyod(detector, X)
    assert isinstance(known, base.BaseDetector)
    for method in ("linear", "unify"):
        shares = known.predict_proba(NEW, method=method)
        assert shares.shape == (23, 2)
        assert (shares[-3:, 1] > 0.9).all()
    labels, confidence = known.predict(NEW, return_confidence=True)
    assert labels.shape == confidence.shape == (23,)
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert known.decision_scores_.shape == known.labels_.shape


def test_pyods_own_ways_are_refused_without_it(module, detector):
    if module is ours:
        return
    with pytest.raises(ImportError, match="pip install pyod"):
        module.as_pyod(detector, X).predict_proba(NEW, method="linear")
