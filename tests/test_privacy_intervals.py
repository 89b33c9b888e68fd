"""Intervals: published numbers, scikit-learn's values, and that they hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

from azogue import privacy
from azogue.privacy import auc, balanced_accuracy, bootstrap, r2, wilson


@pytest.mark.parametrize(
    ("hits", "n", "plain", "corrected"),
    [  # Newcombe (1998), table I, methods 3 and 4
        (81, 263, (0.2553, 0.3662), (0.2535, 0.3682)),
        (15, 148, (0.0624, 0.1605), (0.0598, 0.1644)),
        (0, 20, (0.0, 0.1611), (0.0, 0.2005)),
        (1, 29, (0.0061, 0.1718), (0.0018, 0.1963)),
    ],
)
def test_wilson_as_published(hits, n, plain, corrected):
    assert wilson(hits, n)[1:] == pytest.approx(plain, abs=6e-5)
    assert wilson(hits, n, corrected=True)[1:] == pytest.approx(corrected, abs=6e-5)
    assert wilson(hits, n).value == hits / n


def test_wilson_is_symmetric_and_narrows():
    low, high = wilson(3, 40)[1:]
    assert wilson(37, 40)[1:] == pytest.approx((1 - high, 1 - low))
    narrow, wide = wilson(30, 100, confidence=0.8), wilson(30, 100, confidence=0.99)
    assert wide.low < narrow.low < 0.3 < narrow.high < wide.high
    assert wilson(20, 20, corrected=True)[1:] == pytest.approx((1 - 0.2005, 1.0), abs=6e-5)


@pytest.mark.parametrize(("hits", "n", "confidence"), [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 1.0)])
def test_wilson_refuses(hits, n, confidence):
    with pytest.raises(ValueError, match=r"wilson|confidence"):
        wilson(hits, n, confidence=confidence)


def test_values_are_scikit_learns():
    rng = np.random.default_rng(0)
    y, told = rng.integers(0, 4, 90), rng.integers(0, 4, 90)
    assert balanced_accuracy(y, told).value == pytest.approx(balanced_accuracy_score(y, told))
    binary, scores = rng.random(90) < 0.3, rng.integers(0, 9, 90) / 3  # with ties
    assert auc(binary, scores).value == pytest.approx(roc_auc_score(binary, scores))
    a, b = rng.normal(size=(2, 50, 3)) * [1, 5, 2]
    assert r2(a, b).value == pytest.approx(r2_score(a, b, multioutput="variance_weighted"))
    assert r2(a, np.tile(b[0], (50, 1)), center=b[0]).value == 0.0


def test_bootstrap_of_a_mean_is_the_normal_interval():
    x = np.random.default_rng(3).normal(size=400)
    low, high = bootstrap(lambda counts: counts @ x / 400, 400, repeats=4000)
    half = 1.96 * x.std() / 20
    assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), abs=0.1 * half)
    assert bootstrap(lambda counts: counts @ x / 400, 400) == bootstrap(lambda counts: counts @ x / 400, 400)
    assert bootstrap(lambda counts: counts @ x, 400) != bootstrap(lambda counts: counts @ x, 400, random_state=1)


def test_groups_are_drawn_together():
    groups = np.repeat(np.arange(20), 10)
    right = np.repeat(np.random.default_rng(0).random(20) < 0.6, 10)
    y = np.tile([0, 1], 100)
    told = np.where(right, y, 1 - y)
    rows, whole = balanced_accuracy(y, told), balanced_accuracy(y, told, groups=groups)
    assert rows.value == whole.value
    assert 2.5 < (whole.high - whole.low) / (rows.high - rows.low) < 4  # √10 = 3.2
    seen = []
    bootstrap(lambda counts: (seen.append(counts), counts[:, 0])[1], 200, groups=groups)
    assert all(len(set(row[start : start + 10])) == 1 for row in seen[0][:5] for start in range(0, 200, 10))


def test_all_right_is_not_certain():
    y = np.arange(12) % 2
    assert balanced_accuracy(y, y)[1:] == wilson(12, 12)[1:]
    assert balanced_accuracy(y, y, groups=np.arange(12) // 4)[1:] == wilson(3, 3)[1:]
    assert auc(y, y)[1:] == wilson(6, 6)[1:]


def test_intervals_hold_the_truth_as_often_as_they_say():
    held = np.zeros(4)
    times = 80
    for seed in range(times):
        rng = np.random.default_rng(seed)
        y = np.repeat([False, True], [90, 60])
        _, low, high = auc(y, rng.normal(size=150) + y, repeats=300)
        held[0] += low <= norm.cdf(np.sqrt(0.5)) <= high
        label = rng.integers(0, 3, 200)
        told = np.where(rng.random(200) < np.array([0.9, 0.6, 0.3])[label], label, (label + 1) % 3)
        _, low, high = balanced_accuracy(label, told, repeats=300)
        held[1] += low <= 0.6 <= high
        truth = rng.normal(size=(200, 3))
        _, low, high = r2(truth, truth + 0.5 * rng.normal(size=truth.shape), np.zeros(3), repeats=300)
        held[2] += low <= 0.75 <= high
        _, low, high = wilson(rng.binomial(300, 1 / 300), 300, corrected=True)
        held[3] += low <= 1 / 300 <= high
    assert (held / times > [0.88, 0.88, 0.88, 0.94]).all(), held / times


@pytest.mark.parametrize(
    "call",
    [
        lambda: auc([1, 1], [0.1, 0.2]),
        lambda: auc([0, 1], [0.1]),
        lambda: balanced_accuracy([], []),
        lambda: balanced_accuracy([1, 2], [1]),
        lambda: r2([1.0], [1.0, 2.0]),
    ],
)
def test_values_are_refused(call):
    with pytest.raises(ValueError, match="expected"):
        call()


def test_attack_record():
    numbers = (0.8, 0.7, 0.9, 0.5, 0.4, 0.6)
    found = privacy.Attack("membership", "?", "AUC", *numbers, details=(("the loss", 0.8),))
    assert found.leaks
    assert not privacy.Attack("membership", "?", "AUC", 0.8, 0.6, 0.9, 0.5, 0.4, 0.6).leaks
    assert found.detail("the loss") == 0.8
    with pytest.raises(KeyError, match="there are the loss"):
        found.detail("distance")
    assert found.to_dict()["details"] == {"the loss": 0.8}
    assert hash(found) == hash(privacy.Attack("membership", "?", "AUC", *numbers, details=(("the loss", 0.8),)))
