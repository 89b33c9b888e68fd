"""Attacks find what is there, find nothing where there is nothing, and know no more than they may."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA

from azogue.privacy import (
    attribute_inference,
    auc,
    linkability,
    maps,
    membership,
    reconstruction,
    reidentification,
    singling_out,
    space,
)
from azogue.privacy.attributes import Trial, split
from azogue.privacy.learners import summaries

DIGITS, DIGIT = load_digits(return_X_y=True)
CANCER, ILL = load_breast_cancer(return_X_y=True)


def test_raw_rows_and_plain_codes_are_re_identified():
    for X, Z in ((CANCER, CANCER), (DIGITS, DIGITS), (DIGITS, PCA(32).fit_transform(DIGITS))):
        first, tenth = reidentification(X, Z)
        assert first.value >= 0.95
        assert tenth.value >= first.value
        assert first.leaks
        assert tenth.leaks


def test_equal_released_rows_share_the_hit():
    X = np.random.default_rng(0).normal(size=(100, 3))
    first, tenth = reidentification(X, np.ones((100, 3)), known=0)
    assert first.value == pytest.approx(1 / 100)
    assert tenth.value == pytest.approx(10 / 100)
    group = np.repeat(np.arange(10), 10)
    means = np.stack([X[group == at].mean(axis=0) for at in range(10)])[group] + 100 * group[:, None]
    first, _ = reidentification(X + 100 * group[:, None], means, known=0)
    assert first.value == pytest.approx(1 / 10)


def test_distances_are_standardised():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) * [1e6, 1, 1]
    Z = X + rng.normal(size=X.shape) * [1e6, 0.001, 0.001]
    plain, _ = reidentification(X, Z, known=0)
    assert 0.2 < plain.value < 0.5  # in the columns' own units the wide one would drown the others: 0.01
    told, _ = reidentification(X, Z, known=90)  # known pairs tell which columns to trust
    assert told.value > 0.95


def test_ridge_leaves_pairs_out_as_fitting_without_them_would(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    unit = np.square(np.linalg.svd(a - a.mean(axis=0))[1]).mean()
    monkeypatch.setattr(maps, "PENALTIES", np.array([0.7 / unit]))
    learned = maps.ridge(a, b)
    for out in range(12):
        rest = np.arange(12) != out
        design = np.c_[np.ones(11), a[rest]]
        weights = np.linalg.solve(design.T @ design + 0.7 * np.diag([0.0, 1, 1, 1]), design.T @ b[rest])
        # the intercept is not penalised, and moves with the rows: the shortcut is exact up to the means
        assert learned.left_out[out] == pytest.approx(np.r_[1.0, a[out]] @ weights, abs=0.02)
    center = a.mean(axis=0)
    weights = np.linalg.solve((a - center).T @ (a - center) + 0.7 * np.eye(3), (a - center).T @ (b - b.mean(axis=0)))
    new = rng.normal(size=(4, 3))
    assert learned.predict(new) == pytest.approx((new - center) @ weights + b.mean(axis=0))


def test_kernels_leave_pairs_out_as_fitting_without_them_would(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 2)), rng.normal(size=(40, 2))
    known = (a - a.mean(axis=0)) / a.std(axis=0)
    squares = np.square(known[:, None] - known[None]).sum(axis=2)
    monkeypatch.setattr(maps, "WIDTHS", (1.0,))
    gram = np.exp(-squares / (2 * np.median(squares)))
    monkeypatch.setattr(maps, "PENALTIES", np.array([0.5 / np.linalg.eigvalsh(gram).mean()]))
    learned = maps.kernel(a, b)
    middle = b.mean(axis=0)
    hat = gram @ np.linalg.inv(gram + 0.5 * np.eye(40))
    fitted = hat @ (b - middle) + middle
    assert learned.predict(a) == pytest.approx(fitted)
    for out in range(40):  # the shortcut, without what leaving out moves the mean by
        rest = np.arange(40) != out
        told = gram[out, rest] @ np.linalg.solve(gram[np.ix_(rest, rest)] + 0.5 * np.eye(39), b[rest] - middle) + middle
        assert b[out] - (b - fitted)[out] / (1 - hat[out, out]) == pytest.approx(told)
    levers = np.diag(hat) + 1 / 40  # and with it
    assert learned.left_out == pytest.approx(b - (b - fitted) / (1 - levers)[:, None])


def test_neighbours_leave_the_pair_itself_out():
    a = np.array([[0.0], [1.0], [10.0], [11.0], [20.0], [21.5]])
    b = np.array([[0.0], [1.0], [5.0], [6.0], [8.0], [9.0]])
    learned = maps.neighbors(a, b)
    assert learned.left_out[:, 0] == pytest.approx([1, 0, 6, 5, 9, 8], abs=1e-6)
    twice = np.repeat(a, 2, axis=0)
    assert maps.neighbors(twice, np.repeat(b, 2, axis=0)).left_out[:2, 0] == pytest.approx([0, 0], abs=1e-6)


def test_200_pairs_recover_digits_from_codes():
    found = reconstruction(DIGITS, PCA(32).fit_transform(DIGITS))
    assert 0.9 < found.value < 0.98
    assert 0.95 < found.detail("ridge") <= found.value == found.detail("kernel")
    assert found.detail("known") == 200
    assert found.control == 0.0
    assert found.leaks


def test_who_learned_nothing_says_the_mean():
    errors = []
    for seed in range(6):
        a, b = np.random.default_rng(seed).normal(size=(2, 60, 3))
        tries = {"mean": maps.mean(a, b), "ridge": maps.ridge(a, b), "neighbours": maps.neighbors(a, b)}
        errors.append(maps.chosen(tries, b))
        assert maps.chosen({**tries, "ridge": maps.ridge(a, a + b)}, a + b) == "ridge"
    assert errors == ["mean"] * 6


def test_a_curved_code_is_recovered_by_more_than_ridge():
    rng = np.random.default_rng(0)
    angle = rng.uniform(-3, 3, 600)
    X = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found = reconstruction(X, angle[:, None])
    assert found.value > 0.95
    assert found.detail("ridge") < 0.6


def test_membership_of_an_overfitted_generator():
    rng = np.random.default_rng(0)
    train, others = CANCER[::2], CANCER[1::2]
    copies = train[rng.integers(0, len(train), 600)]
    found = membership(train, others, copies + 0.1 * train.std(axis=0) * rng.normal(size=copies.shape))
    assert found.value >= 0.65
    assert found.leaks
    for name in ("the nearest released row", "that relative to a reference", "density"):
        assert found.detail(name) > 0.65
    assert found.detail("TPR at FPR 0.1") > 0.4
    assert found.detail("TPR at FPR 0.01") > 0.3


def test_membership_by_losses():
    rng = np.random.default_rng(0)
    known, new = rng.normal(size=200), 1.0 + rng.normal(size=300)
    assert membership(None, None, scores=(known, new)).value == pytest.approx(0.76, abs=0.05)
    assert membership(None, None, scores=(new, known)).value == pytest.approx(0.24, abs=0.05)
    alone = membership(train := CANCER[:100], others := CANCER[100:200], scores=(known[:100], known[100:]))
    beside = membership(train, others, CANCER[200:], scores=(known[:100] - 0.3, known[100:]))
    best = auc(np.repeat([True, False], 100), -np.r_[known[:100] - 0.3, known[100:]])
    assert beside.value == best.value
    assert beside.low < best.low  # the best of four
    assert alone.low == auc(np.repeat([True, False], 100), -known).low
    with pytest.raises(ValueError, match="finite losses"):
        membership(None, None, scores=([np.nan], [1.0]))
    with pytest.raises(ValueError, match="give released rows"):
        membership(None, None)
    with pytest.raises(ValueError, match="other columns"):
        membership(CANCER, CANCER, DIGITS)


@pytest.mark.parametrize("seed", range(2))
def test_independent_rows_give_nothing_away(seed):
    rng = np.random.default_rng(seed)
    X, Z, others = rng.normal(size=(3, 160, 5)).round(1)
    label = rng.integers(0, 3, 160)
    found = [
        *reidentification(X, Z, known=80, random_state=seed),
        *reidentification(X, Z[:, :4], known=80, random_state=seed),
        reconstruction(X, Z, known=80, random_state=seed),
        *attribute_inference(X, Z, {"three": label, "two": label == 0}, random_state=seed),
        *attribute_inference(X, Z[:, :4], {"number": rng.normal(size=160)}, random_state=seed),
        membership(X, others, Z, random_state=seed),
        *singling_out(X, Z, others, predicates=150, random_state=seed),
        linkability(X, Z, others, random_state=seed),
    ]
    for one in found:
        assert not one.leaks, one
        assert max(one.low, one.control_low) <= min(one.high, one.control_high), one
    assert np.mean([one.low <= one.control <= one.high for one in found]) >= 0.75


def test_attributes_are_inferred():
    clear, area = attribute_inference(CANCER, CANCER, {"ill": ILL})
    assert clear.value > 0.9
    assert area.value > 0.97
    assert clear.control == pytest.approx(0.5, abs=0.02)
    noisy, _ = attribute_inference(CANCER, CANCER + 2 * CANCER.std(axis=0), {"ill": ILL})
    assert noisy.detail("boosting, retrained") > noisy.detail("boosting, fixed")  # a shift fools the fixed one alone


def test_the_interval_is_for_the_best_of_several():
    truth = np.arange(100) % 2.0
    told = (np.where(np.arange(100) < 70, truth, 1 - truth), None)
    one, six = (Trial(truth, {f"{at}": told for at in range(count)}, False, None) for count in (1, 6))
    narrow, wide = one.best("balanced accuracy")[1], six.best("balanced accuracy")[1]
    assert narrow.value == wide.value == pytest.approx(0.7)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_chance_is_wider_where_groups_have_one_label_each():
    groups = np.repeat(np.arange(10), 10)
    truth = (groups % 2).astype(float)
    told = {"one": (truth, None)}
    rows, whole = (Trial(truth, told, False, own).chance("balanced accuracy", "one", 0) for own in (None, groups))
    assert rows.high == pytest.approx(0.6, abs=0.03)  # ½ + 1.96 · √(¼ / 100)
    assert whole.high > 0.75
    assert rows.value == pytest.approx(0.5, abs=0.02)


def test_the_column_itself_is_no_input():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    table["sex"] = rng.choice(["f", "m"], 300)
    table["age"] = rng.integers(18, 90, 300)
    every = attribute_inference(table, table, ["sex", "age"])
    assert [one.measure for one in every] == ["balanced accuracy", "AUC", "R²"]
    assert not any(one.leaks for one in every)
    other = table.assign(copy=table["sex"])
    assert attribute_inference(other, other, "sex")[0].value > 0.95


def test_forests_read_the_spectrum_of_windows():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 160)
    time = np.arange(128) / 128
    phase = rng.uniform(0, 2 * np.pi, 160)
    waves = np.sin(2 * np.pi * (11 + 3 * label)[:, None] * time + phase[:, None])[:, :, None]
    waves = waves + 1.5 * rng.normal(size=waves.shape)
    found, _ = attribute_inference(waves, waves, label)
    assert found.detail("forest, fixed") > 0.9  # of the values alone: 0.53
    assert found.detail("forest, fixed") > found.detail("linear, fixed") + 0.2
    assert summaries(waves).shape == (160, 24)


def test_rows_are_held_out_by_groups_and_masks():
    values, groups = np.tile([0.0, 1.0], 60), np.repeat(np.arange(12), 10)
    train, held = split(values, False, groups=groups)
    assert not set(groups[train]) & set(groups[held])
    assert len(train) + len(held) == 120
    assert len(set(groups[held])) in (4, 5)
    test = np.arange(120) > 90
    train, held = split(values, False, test=test)
    assert held.tolist() == list(range(91, 120))
    values[3] = np.nan
    train, held = split(values, False)
    assert 3 not in [*train, *held]
    assert abs(np.mean(values[held]) - 0.5) < 0.02


def test_labels_that_groups_tell_are_not_counted():
    rng = np.random.default_rng(0)
    X, person = rng.normal(size=(120, 3)), np.repeat(np.arange(12), 10)
    with pytest.raises(ValueError, match="one per group"):
        attribute_inference(X, X, {"person": person}, groups=person)
    found = attribute_inference(X, X, {"half": (person >= 6).astype(int)}, groups=person)
    assert not found[0].leaks


def test_singling_out_and_linking_raw_rows():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    table["city"] = rng.choice(list("uvwxyz"), 300)
    own, others = table[:150], table[150:]
    for found in (*singling_out(own, own, others), linkability(own, own, others)):
        assert found.value > 0.9
        assert found.leaks
        assert found.detail("risk") == pytest.approx((found.value - found.control) / (1 - found.control))
    twice = pd.concat([own, own])  # a copy hides nobody
    assert singling_out(own, twice, others)[0].value > 0.9
    with pytest.raises(ValueError, match="lack columns"):
        singling_out(own, own.assign(e=1), others)
    with pytest.raises(ValueError, match="expected tables"):
        singling_out(*np.zeros((3, 20, 4, 4)))
    with pytest.raises(ValueError, match="two or more"):
        linkability(own[["a"]], own[["a"]], others[["a"]])


def test_nearest_rows_are_those_of_all_distances():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(60, 3))
    whole = np.linalg.norm(a[:, None] - b[None], axis=2)
    distances, places = space.nearest(a, b, 4)
    assert places.tolist() == np.argsort(whole, axis=1)[:, :4].tolist()
    assert distances == pytest.approx(np.sort(whole, axis=1)[:, :4])


def test_pixels_share_a_scale_and_columns_do_not():
    assert len(set(space.Space.fit(DIGITS).scale)) == 1
    assert space.Space.fit(CANCER).scale == pytest.approx(CANCER.std(axis=0))
    mixed = pd.DataFrame({"a": np.arange(20.0) ** 2, "c": list("uvvx") * 5})
    packed = space.Space.fit(mixed).pack(mixed)
    assert packed[:, 0].var() == pytest.approx(1.0)
    assert packed[:, 1:].var(axis=0).sum() == pytest.approx(1.0)


def test_rows_must_be_paired():
    for attack in (reidentification, reconstruction):
        with pytest.raises(ValueError, match="for each of 569 original ones, got 100"):
            attack(CANCER, CANCER[:100])
    with pytest.raises(ValueError, match="got 100"):
        attribute_inference(CANCER, CANCER[:100], {"ill": ILL})
    with pytest.raises(ValueError, match="no pair is known"):
        reidentification(CANCER, CANCER[:, :3], known=0)
    with pytest.raises(ValueError, match="at least 3 known"):
        reconstruction(CANCER, CANCER, known=2)
