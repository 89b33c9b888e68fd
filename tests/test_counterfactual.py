"""Rows as they might be if their sensitive columns said something else, and the couplings that move them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict

import azogue as az
from azogue.corruptions import Following
from azogue.coupling import kept, ranked
from azogue.recipe import Rng

P, Q = [0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.3, 0.4]


def coupled(how, n=200_000):
    """Codes by P, and what a coupling makes of them."""
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.choice(4, n, p=P))
    p, q = (torch.tensor([one], dtype=torch.float64).expand(n, -1) for one in (P, Q))
    level = torch.from_numpy(rng.random((2, n)))
    found = how(p, q, codes, *level) if how is kept else how(p, q, codes, level[0])
    return codes.numpy(), found.numpy()


@pytest.mark.parametrize("how", [kept, ranked])
def test_what_comes_out_follows_the_other_distribution(how):
    _, found = coupled(how)
    np.testing.assert_allclose(np.bincount(found, minlength=4) / len(found), Q, atol=0.005)


def test_as_many_stay_as_can():
    codes, found = coupled(kept)
    assert (codes == found).mean() == pytest.approx(np.minimum(P, Q).sum(), abs=0.005)  # 1 − the total variation


def test_ranks_are_kept():
    codes, found = coupled(ranked)
    # the joint distribution of the quantile coupling: F_P and F_Q cut [0, 1) into common pieces
    joint = np.zeros((4, 4))
    np.add.at(joint, (codes, found), 1 / len(codes))
    f, g = np.r_[0, np.cumsum(P)], np.r_[0, np.cumsum(Q)]
    want = [[max(0.0, min(f[i + 1], g[j + 1]) - max(f[i], g[j])) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(joint, want, atol=0.005)


def test_columns_after_a_drawn_one_are_hidden():
    x = torch.ones(4000, 6)
    columns = torch.tensor([0, 0, 1, 2, 2, 3])
    seen, counted = Following(1).show(x, None, Rng(0), columns, (6,))
    assert bool((seen[:, :2] == 1).all())  # the first column is always seen
    assert torch.equal(seen[:, 3], seen[:, 4])  # cells as a whole
    assert bool(((seen[:, 2] == 1) | (seen[:, 5] == 0)).all())  # none is seen after one that is hidden
    shares = [(seen[:, at] == 0).float().mean().item() for at in (2, 3, 5)]
    np.testing.assert_allclose(shares, [1 / 3, 2 / 3, 1], atol=0.03)
    assert torch.equal(counted, seen == 0)
    with pytest.raises(ValueError, match="first must be a whole number"):
        Following(-1)


def people(n=1500, seed=0):
    """Height and title tell the sex; income depends on it too, and on the score."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n)
    score = rng.normal(size=n)
    rich = (score + 0.5 * sex + 0.7 * rng.normal(size=n)) > 0.5
    return pd.DataFrame(
        {
            "height": (165 + 12 * sex + 6 * rng.normal(size=n)).round(1),
            "title": np.where(rng.random(n) < 0.9, np.where(sex, "Mr", "Ms"), "Dr"),
            "score": score,
            "sex": np.where(sex, "m", "f"),
            "rich": rich,
        },
        index=np.arange(n) + 7,
    )


def told(frame, label):
    X = pd.get_dummies(frame.drop(columns=["sex", "rich"]).fillna(0), columns=["title"]).to_numpy(float)
    return balanced_accuracy_score(label, cross_val_predict(LogisticRegression(max_iter=2000), X, label, cv=5))


@pytest.fixture(scope="module")
def fitted():
    frame = people()
    return az.Anonymizer(sensitive="sex", utility="rich", random_state=0).fit(frame), frame


def test_the_sensitive_column_is_no_longer_told_and_the_useful_one_is(fitted):
    model, frame = fitted
    new = people(800, 1)
    assert model.method_ == "counterfactual"
    for rows in (frame, new):
        released = model.transform(rows)
        assert told(rows, rows.sex) > 0.9
        assert told(released, rows.sex) < 0.6
        assert told(released, rows.rich) > told(rows, rows.rich) - 0.06
        assert released.rich.equals(rows.rich)
        assert list(released.columns) == list(rows.columns)
        assert (released.dtypes == rows.dtypes).all()
        assert released.index.equals(rows.index)
        # the released sex goes with the released height as it does in real rows, and not with the real one
        assert told(released, released.sex) > 0.85
        assert 0.4 < (released.sex == rows.sex).mean() < 0.6
        assert az.privacy.column_shapes(rows, released) > 0.93


def test_numbers_come_before_categories(fitted):
    model, frame = fitted
    names = [frame.columns[at] for at in model.counterfactual_["places"]]
    assert list(frame.columns) == ["height", "title", "score", "sex", "rich"]
    assert names == ["sex", "rich", "height", "score", "title"]


def test_strength_says_how_many_rows_are_exchanged(fitted):
    model, frame = fitted
    part = frame.head(300)
    same = [
        (model.set_params(strength=strength).transform(part).title == part.title).mean() for strength in (0.0, 0.5, 1.0)
    ]
    model.set_params(strength=1.0)
    assert same[0] == 1.0
    assert same[0] > same[1] > same[2]


def test_a_row_is_released_alike_wherever_it_stands(fitted, tmp_path):
    model, frame = fitted
    whole = model.transform(frame)
    some = frame.iloc[[40, 3, 900]]
    assert model.transform(some).equals(whole.loc[some.index])
    model.save(tmp_path / "m.azogue")
    assert az.load(tmp_path / "m.azogue").transform(frame).equals(whole)


def test_sensitive_cells_that_are_unknown_are_drawn_by_how_likely_they_are(fitted):
    model, frame = fitted
    blank = frame.assign(sex=pd.Series([None] * len(frame), index=frame.index, dtype=object))
    released = model.transform(blank)
    assert set(released.sex) == {"f", "m"}
    assert told(released, frame.sex) < 0.6
    with pytest.warns(UserWarning, match="categories that were not there"):
        strange = model.transform(frame.assign(title="Prof").head(5))
    assert strange.title.isna().all()


def test_frames_of_all_kinds_and_arrays_come_back_as_they_came():
    frame = people(200)
    for X in (pl.from_pandas(frame), frame.assign(height=np.where(frame.score > 1, np.nan, frame.height))):
        released = az.Anonymizer(sensitive=["sex"], random_state=0).fit(X).transform(X)
        assert type(released) is type(X)
        assert released.shape == X.shape
    X = np.c_[frame.height, frame.sex == "m", frame.score].astype(float)
    released = az.Anonymizer(sensitive=[1], random_state=0).fit(X).transform(X)
    assert (released.shape, released.dtype) == (X.shape, X.dtype)
    assert set(np.unique(released[:, 1])) == {0.0, 1.0}


def test_labels_that_are_no_columns_are_for_judges():
    frame = people(200)
    rest = frame.drop(columns="sex")
    given = {"sensitive": {"sex": frame.sex}}
    own = az.Autoencoder((8, 2), epochs=1)
    assert az.Anonymizer(own, random_state=0).fit(rest, **given).method_ == "adversarial"
    with pytest.raises(ValueError, match="labels that are columns"):
        az.Anonymizer(method="counterfactual", random_state=0).fit(rest, **given)


def test_a_table_of_codes_is_a_table():
    frame = people(200)
    model = az.Anonymizer(sensitive="sex", modality=az.modalities.Coded(bins=20), random_state=0).fit(frame)
    assert model.method_ == "counterfactual"
    assert max(book.values for book in model.autoencoder_.schema_.books) <= 20
    assert list(model.transform(frame).columns) == list(frame.columns)
