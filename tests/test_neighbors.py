"""Neighbours in the code: the paper's estimator, how labels reach the code, and that nothing is lost on disk."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import azogue as az
from azogue.applications.coding import _by_range
from azogue.objectives import FisherRatio, LeastSquaresSVM, NeighborhoodComponents
from azogue.recipe import Batch, Code, Lazy, Step


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return X[::2], y[::2], X[1::2], y[1::2]


@pytest.fixture(scope="module")
def drowned():
    """Two informative columns of forty: their signs' product is the class. The rest is noise of the same size."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 40))
    return X[:300], (X[:300, 0] > 0).astype(int), X[300:], (X[300:, 0] > 0).astype(int)


@pytest.fixture(scope="module")
def fitted(wine):
    return az.AEkNNClassifier(random_state=0).fit(*wine[:2])


def quick(cls=az.AEkNNClassifier, **changes):
    return cls(**{"autoencoder": az.Autoencoder(2, epochs=3), "supervision": "none", "random_state": 0, **changes})


# -- terms -------------------------------------------------------------------------------------------------------------


def step(z, y=None, model=None):
    return Step(z, z, None, z, Code(z), z, model, None, None, y)


def test_neighborhood_components_by_hand():
    z = torch.tensor([[0.0], [1.0], [3.0], [3.5]], dtype=torch.float64)
    y = torch.tensor([0, 0, 1, 2])
    a, b, c, d = np.exp([-1.0, -9.0, -12.25, -4.0])
    want = [-np.log(a / (a + b + c)), -np.log(a / (a + d + np.exp(-6.25))), 0.0, 0.0]
    assert NeighborhoodComponents()(step(z, y)).tolist() == pytest.approx(want)
    values = torch.tensor([1.0, 2.0, 0.0, 4.0], dtype=torch.float64)
    told = (a * 2 + b * 0 + c * 4) / (a + b + c)
    assert float(NeighborhoodComponents()(step(z, values))[0]) == pytest.approx((1.0 - told) ** 2)


@pytest.mark.parametrize(
    "y", [torch.tensor([0, 1, 0, 2, 1, 1]), torch.randn(6, dtype=torch.float64)], ids=["int", "float"]
)
def test_neighborhood_components_gradient(y):
    z = torch.randn(6, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    value = NeighborhoodComponents()(step(z, y)).mean()
    value.backward()
    pulled = NeighborhoodComponents().gradient(step(z.detach()[None], y[None]), 3.0)
    assert float(pulled.value) == pytest.approx(value.item(), rel=1e-12)
    assert torch.allclose(pulled.by["z"][0], 3.0 * z.grad, atol=1e-12)
    alone = NeighborhoodComponents().gradient(step(z.detach()[None, :1], y[None, :1]), 1.0)
    assert torch.isfinite(alone.by["z"]).all()


def test_fisher_ratio_by_hand():
    z = torch.tensor([[0.0, 5.0], [2.0, 7.0], [10.0, 5.0], [12.0, 7.0]])
    ratio = FisherRatio()(step(z, torch.tensor([0, 0, 1, 1])))
    assert float(ratio) == pytest.approx(
        1 / (1 + (100 / 4 + 0.0) / 2), rel=1e-5
    )  # between 4·25, within 4·1; none in the second


def test_least_squares_svm_by_hand():
    class Model:
        def part(self, _):
            return {"weight": torch.tensor([[1.0], [-2.0]]), "bias": torch.tensor([0.5, 0.0])}

    z, y = torch.tensor([[1.0], [0.0]]), torch.tensor([0, 1])
    # row 0: outputs 1.5, −2 against +1, −1; row 1: 0.5, 0 against −1, +1
    want = [2.5 + 0.5 * 2 * (0.25 + 1.0), 2.5 + 0.5 * 2 * (2.25 + 1.0)]
    assert LeastSquaresSVM(2, cost=2.0)(step(z, y, Model())).tolist() == pytest.approx(want)


@pytest.mark.parametrize("term", [NeighborhoodComponents(), FisherRatio(), LeastSquaresSVM(3, 10.0)], ids=repr)
def test_terms_shape_the_code(wine, term):
    X, y, held, asked = wine
    ae = az.Autoencoder(2, scaling="standard", objective=term, epochs=40, validation_fraction=0.0, random_state=0)
    plain = clone(ae).set_params(objective=None).fit(X)
    ae.fit(X, y)
    assert term.name in ae.history_[-1]
    assert ae.history_[-1][term.name] < ae.history_[0][term.name]
    shuffled = clone(ae).fit(X, np.random.default_rng(0).permutation(y))
    scores = [KNeighborsClassifier(5).fit(m.encode(X), y).score(m.encode(held), asked) for m in (ae, plain, shuffled)]
    assert scores[0] > 0.9
    assert scores[0] > scores[2] + 0.03, scores


def test_both_engines_learn_the_same(wine, monkeypatch):
    X, y = wine[:2]
    ae = az.Autoencoder(2, objective=NeighborhoodComponents(), epochs=3, precision="float64", random_state=0)
    fast = clone(ae).fit(X, y)
    monkeypatch.setattr(NeighborhoodComponents, "analytic", False)
    slow = clone(ae).fit(X, y)
    assert ae.plan(X, y).backend == "autograd"
    assert np.allclose(fast.encode(X), slow.encode(X), atol=1e-5)


def test_labels_are_asked_for(wine, tmp_path):
    X, y = wine[:2]
    ae = az.Autoencoder(2, objective=NeighborhoodComponents(), epochs=2, random_state=0)
    for wrong, message in ((None, "fit\\(X, y\\)"), (y[:-1], "y: expected shape"), (y.astype(str), "finite numbers")):
        with pytest.raises((TypeError, ValueError), match=message):
            ae.fit(X, wrong)
    with pytest.raises(ValueError, match="class numbers from 0 to 1, got up to 2"):
        clone(ae).set_params(objective=LeastSquaresSVM()).fit(X, y)
    with pytest.raises(TypeError, match="for classes"):
        clone(ae).set_params(objective=FisherRatio()).fit(X, y + 0.5)
    with pytest.raises(TypeError, match="validation_fraction"):
        ae.fit(X, y, validation_data=X)
    ae.set_params(checkpoint=tmp_path / "c", epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="other data"):
        ae.set_params(resume=True).fit(X, (y + 1) % 3)
    more = az.Autoencoder(2, objective=NeighborhoodComponents(), random_state=0).partial_fit(X, y).partial_fit(X, y)
    assert len(more.history_) == 2


def test_targets_travel_with_their_rows():
    x, target = torch.arange(6.0)[:, None], torch.arange(6)
    lazy = Lazy(6, 1, lambda at: Batch(x[at]), target=target)
    for rows in (Batch(x, target=target), lazy):
        for at in (slice(2, 4), torch.tensor([5, 0, 3])):
            found = rows.take(at)
            assert found.x[:, 0].tolist() == found.target.tolist()


# -- estimators --------------------------------------------------------------------------------------------------------


@pytest.mark.trained
def test_plain_linear_codes_are_those_of_principal_components():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3)) @ rng.normal(size=(3, 8)) + 0.1 * rng.normal(size=(300, 8))
    near = az.AEkNNClassifier(network=2, supervision="none", random_state=0).fit(X, rng.integers(0, 2, 300))
    scaled = (X - X.min(0)) / np.ptp(X, axis=0)
    floor = PCA(2).fit(scaled)
    back = (near.autoencoder_.reconstruct(X) - X.min(0)) / np.ptp(X, axis=0)
    error, best = (
        np.square(back - scaled).mean(),
        np.square(floor.inverse_transform(floor.transform(scaled)) - scaled).mean(),
    )
    assert best <= error < 1.01 * best
    assert sum(weight for _, weight in _by_range(X).weights) == pytest.approx(8.0)


def test_predictions_are_the_votes_of_the_nearest_codes(fitted, wine):
    X, y, held, asked = wine
    codes, others = fitted.transform(X), fitted.transform(held)
    assert np.array_equal(codes, fitted.codes_)
    distances, places = fitted.kneighbors(held)
    by_hand = np.linalg.norm(others[:, None] - codes[None], axis=2)
    assert np.allclose(distances, np.sort(by_hand, 1)[:, :5], atol=1e-4)
    votes = np.stack([(y[places] == label).mean(1) for label in fitted.classes_], 1)
    assert np.allclose(fitted.predict_proba(held), votes)
    assert np.array_equal(fitted.predict(held), fitted.classes_[votes.argmax(1)])
    assert fitted.score(held, asked) > 0.93
    assert (fitted.kneighbors(return_distance=False) != np.arange(len(X))[:, None]).all()
    assert list(fitted.get_feature_names_out()) == [f"aeknnclassifier{i}" for i in range(codes.shape[1])]


def test_labels_help_where_columns_are_mostly_noise(drowned):
    X, y, held, asked = drowned
    scores = {
        how: az.AEkNNClassifier(network=4, supervision=how, random_state=0).fit(X, y).score(held, asked)
        for how in ("none", "joint")
    }
    assert scores["joint"] > scores["none"] + 0.1, scores


def test_the_choice_is_by_held_out_training_rows(fitted, wine):
    tried = {(one["network"], one["supervision"]) for one in fitted.candidates_}
    assert tried == {("6", "joint"), ("6", "after"), ("6", "none")}
    best = max(fitted.candidates_, key=lambda one: one["score"])
    assert fitted.supervision_ == best["supervision"]
    assert len(fitted.codes_) == len(wine[0])
    assert (fitted.informed_ is not None) == (fitted.supervision_ == "after")
    few = az.AEkNNClassifier(3, network=2, random_state=0).fit(wine[0][:20], wine[1][:20])
    assert few.candidates_ == []
    assert few.supervision_ == "none"


def test_many_rows_are_compared_by_some_of_them(wine, monkeypatch):
    from azogue.applications import neighbors

    seen, coder = [], neighbors.Coder
    monkeypatch.setattr(neighbors, "MANY", 50)
    monkeypatch.setattr(neighbors, "Coder", lambda *args: seen.append(len(args[1])) or coder(*args))
    near = quick(supervision="auto").fit(wine[0], wine[1])
    assert seen == [40, 89]
    assert len(near.candidates_) == 3


def test_same_seed_same_predictions_in_any_batching(fitted, wine):
    X, y, held, _ = wine
    again = az.AEkNNClassifier(random_state=0).fit(X, y)
    assert np.array_equal(again.codes_, fitted.codes_)
    assert np.array_equal(
        np.concatenate([fitted.transform(held[:3]), fitted.transform(held[3:])]), fitted.transform(held)
    )
    assert np.array_equal(fitted.predict(held[::-1]), fitted.predict(held)[::-1])


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table], ids=["pandas", "polars", "arrow"])
def test_frames_of_mixed_types_with_holes_and_labels_of_text(make, tmp_path):
    rng = np.random.default_rng(0)
    kind = rng.choice(["ash", "beech", "oak"], 120)
    height = np.where(kind == "oak", 20.0, 10.0) + rng.normal(size=120)
    leaf = np.where(kind == "ash", "pinnate", "simple").astype(object)
    height[::9], leaf[::11] = np.nan, None
    frame = {"height": height, "leaf": leaf.tolist(), "old": rng.random(120) > 0.5, "age": rng.integers(1, 99, 120)}
    table = make(frame)
    near = az.AEkNNClassifier(random_state=0).fit(table, kind)
    assert near.score(table, kind) > 0.85
    assert near.candidates_
    assert list(near.feature_names_in_) == list(frame)
    assert near.classes_.tolist() == ["ash", "beech", "oak"]
    near.save(tmp_path / "n.azogue")
    again = az.load(tmp_path / "n.azogue")
    assert again.predict(table).tolist() == near.predict(table).tolist()
    assert np.array_equal(again.predict_proba(table), near.predict_proba(table))


@pytest.mark.parametrize("how", ["none", "joint", "after"])
def test_what_is_saved_is_all_that_is_needed(wine, tmp_path, how):
    X, y, held, _ = wine
    near = quick(supervision=how, weights="distance").fit(X, y == 1)
    near.save(tmp_path / "n.azogue")
    again = az.load(tmp_path / "n.azogue")
    assert isinstance(again, az.AEkNNClassifier)
    assert np.array_equal(again.predict_proba(held), near.predict_proba(held))
    assert again.predict(held).dtype == bool
    objects = quick(supervision=how).fit(X, y.astype(object))  # such as a column of a frame with whole numbers
    objects.save(tmp_path / "n.azogue")
    assert az.load(tmp_path / "n.azogue").predict(held).tolist() == objects.predict(held).tolist()
    assert isinstance(objects.predict(held).tolist()[0], int)
    assert np.array_equal(again.kneighbors(held)[1], near.kneighbors(held)[1])
    assert again.supervision_ == how


def test_regression(tmp_path):
    X, y = load_diabetes(return_X_y=True)
    rows, held, known, asked = X[::2], X[1::2], y[::2], y[1::2]
    near = az.AEkNNRegressor(15, network=4, supervision="joint", random_state=0).fit(rows, known)
    plain = az.AEkNNRegressor(15, network=4, supervision="none", random_state=0).fit(rows, known)
    assert near.score(held, asked) > max(plain.score(held, asked), 0.35)
    assert near.predict(held) == pytest.approx(known[near.kneighbors(held)[1]].mean(1))
    scaled = az.AEkNNRegressor(15, network=4, supervision="joint", random_state=0).fit(rows, 1000 * known + 7)
    assert scaled.predict(held) == pytest.approx(1000 * near.predict(held) + 7, rel=1e-3)
    near.save(tmp_path / "n.azogue")
    assert np.array_equal(az.load(tmp_path / "n.azogue").predict(held), near.predict(held))


def test_autoencoders_given(wine):
    X, y = wine[:2]
    ae = az.RobustAutoencoder(3, epochs=2, random_state=0).fit(X)
    near = quick(autoencoder=FrozenEstimator(ae), supervision="auto").fit(X, y)
    assert near.autoencoder_ is ae
    assert {one["supervision"] for one in near.candidates_} == {"after", "none"}
    assert np.array_equal(quick(autoencoder=FrozenEstimator(ae)).fit(X, y).codes_, ae.encode(X))
    unfitted = az.SparseAutoencoder(3, objective="mae", epochs=2)
    joint = quick(autoencoder=unfitted, supervision="joint").fit(X, y)
    assert isinstance(joint.autoencoder_, az.SparseAutoencoder)
    assert {"mae", "sparsity", "neighborhood_components"} <= set(joint.autoencoder_.history_[0])
    assert unfitted.objective == "mae"
    own = quick(autoencoder=az.Autoencoder(2, objective=FisherRatio(), epochs=2)).fit(X, y)
    assert "fisher_ratio" in own.autoencoder_.history_[0]


def test_scikit_learn_habits(wine):
    X, y = wine[:2]
    search = GridSearchCV(quick(autoencoder=None), {"network": [2, (0.75, 0.25)], "n_neighbors": [1, 5]}, cv=2).fit(
        X, y
    )
    assert search.best_estimator_.n_neighbors in (1, 5)
    assert {str(p["network"]) for p in search.cv_results_["params"]} == {"2", "(0.75, 0.25)"}
    fractions = quick(autoencoder=None, network=(0.75, 0.25)).fit(X, y)
    assert fractions.codes_.shape[1] == round(0.25 * 13)
    pipe = make_pipeline(StandardScaler(), quick()).fit(X, y)
    assert pipe.predict(X).shape == y.shape
    named = quick().set_output(transform="pandas").fit(pd.DataFrame(X, columns=[f"c{i}" for i in range(13)]), y)
    assert list(named.transform(named.autoencoder_.reconstruct(pd.DataFrame(X, columns=named.feature_names_in_)))) == [
        "aeknnclassifier0",
        "aeknnclassifier1",
    ]


def test_pictures_and_texts():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 30)
    pictures = np.where(np.arange(8) < 4, 200, 20)[None, None] * np.ones((60, 8, 1))
    pictures[y == 1] = pictures[y == 1][:, :, ::-1]
    pictures = (pictures + rng.integers(0, 30, (60, 8, 8))).astype(np.uint8)
    texts = [" ".join(rng.choice(["sun", "rain", "wind"] if c else ["ham", "egg", "tea"], 6)) for c in y]
    for X in (pictures, texts):
        near = az.AEkNNClassifier(3, autoencoder=az.Autoencoder(2, epochs=20), random_state=0).fit(X, y)
        assert near.score(X, y) > 0.9


def test_what_overflows_is_far_away(fitted, wine):
    far = wine[2][:3].copy()
    far[:, 0] = 1e40
    assert np.abs(fitted.transform(far)).max() <= 1e15
    assert np.isfinite(fitted.kneighbors(far)[0]).all()
    assert fitted.predict(far).shape == (3,)


def test_wrong_parameters_and_data_are_named(wine):
    X, y = wine[:2]
    frozen = FrozenEstimator(az.Autoencoder(2, epochs=1).fit(X))
    for changes, message in (
        ({"n_neighbors": 0}, "n_neighbors"),
        ({"n_neighbors": 2.5}, "n_neighbors"),
        ({"n_neighbors": 1000}, "n_samples=89"),
        ({"supervision": "strict"}, "supervision"),
        ({"network": 3}, "leave network out"),
        ({"autoencoder": frozen, "supervision": "joint"}, "frozen"),
        ({"metric": "no such"}, "metric"),
    ):
        with pytest.raises(ValueError, match=message):
            quick(**changes).fit(X, y)
    labels = np.array(["a", None, "b"] * 29 + ["a", "b"], object)
    for target, message in ((labels, "29 of 89 rows have no label"), (y[:-1], "inconsistent"), (y + 0.5, "continuous")):
        with pytest.raises(ValueError, match=message):
            quick().fit(X, target)
    with pytest.raises(NotFittedError):
        quick().kneighbors(X)
    with pytest.raises(ValueError, match="12 features"):
        quick().fit(X, y).predict(X[:, :-1])
