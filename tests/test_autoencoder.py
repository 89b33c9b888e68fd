"""The estimator: what it learns, what it gives back, and that it is the same whatever the batching."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import azogue as az
from azogue.optimizers import Cosine


@pytest.fixture(scope="module")
def iris():
    return load_iris(as_frame=True).data


@pytest.fixture(scope="module")
def fitted(iris):
    return az.Autoencoder(2, epochs=20, random_state=0).fit(iris)


def test_a_linear_autoencoder_reaches_the_pca_floor():
    X = StandardScaler().fit_transform(load_breast_cancer().data)
    net = az.Input() + az.Dense(5) + az.Output()
    ae = az.Autoencoder(
        net,
        scaling="none",
        epochs=300,
        batch_size=64,
        learning_rate=Cosine(0.02),
        validation_fraction=0,
        random_state=0,
    ).fit(X)
    pca = PCA(5).fit(X)
    floor = ((pca.inverse_transform(pca.transform(X)) - X) ** 2).mean()
    assert floor <= ae.errors(X).mean() * (1 + 1e-6)
    assert ae.errors(X).mean() <= 1.01 * floor


def test_a_linear_denoising_autoencoder_is_ridge():
    """With gaussian noise of variance s² the best linear map of a full code is C(C + s²I)⁻¹."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 3)) @ np.diag([2.0, 1.0, 0.5])
    X -= X.mean(0)
    ae = az.Autoencoder(
        az.Input() + az.Dense(3) + az.Output(),
        corruption=az.corruptions.Gaussian(1.0),
        scaling="none",
        epochs=200,
        batch_size=100,
        learning_rate=Cosine(0.02),
        validation_fraction=0,
        random_state=0,
    ).fit(X)
    C = X.T @ X / len(X)
    expected = X @ np.linalg.solve(C + np.eye(3), C)
    assert np.abs(ae.reconstruct(X) - expected).mean() < 0.03


def test_satimage_two_codes(data_folder):
    part = np.load(data_folder / "satimage" / "satimage.npz")
    train, test = part["X_train"].astype(float), part["X_test"].astype(float)
    low, span = train.min(0), np.ptp(train, axis=0)
    train, test = (train - low) / span, (test - low) / span
    ae = az.Autoencoder(2, random_state=0).fit(train)
    assert ((ae.reconstruct(test) - test) ** 2).mean() <= 0.0043


def test_shapes_and_attributes(fitted, iris):
    assert fitted.encode(iris).shape == (150, 2)
    assert fitted.encode(iris).dtype == np.float32
    assert fitted.errors(iris).shape == (150,)
    assert fitted.errors(iris, per_feature=True).shape == (150, 4)
    assert np.allclose(fitted.errors(iris, per_feature=True).mean(1), fitted.errors(iris), rtol=1e-5)
    assert fitted.score(iris) == pytest.approx(-fitted.errors(iris).mean())
    assert fitted.code_size_ == 2
    assert fitted.n_features_in_ == 4
    assert list(fitted.feature_names_in_) == list(iris.columns)
    assert list(fitted.get_feature_names_out()) == ["autoencoder0", "autoencoder1"]
    assert isinstance(fitted.network_, nn.Module)
    assert isinstance(fitted.network_.encoder, nn.Module)
    assert isinstance(fitted.network_.decoder, nn.Module)
    assert "encoder.0" in fitted.summary()


def test_the_way_back_keeps_the_frame(fitted, iris):
    part = iris.iloc[5:9]
    back = fitted.reconstruct(part)
    assert isinstance(back, pd.DataFrame)
    assert list(back.columns) == list(part.columns)
    assert back.index.equals(part.index)
    assert (back.dtypes == part.dtypes).all()
    assert isinstance(fitted.decode(fitted.encode(part)), pd.DataFrame)
    assert isinstance(fitted.reconstruct(pl.from_pandas(iris)), pl.DataFrame)


def test_any_batching_gives_the_same_bits():
    rng = np.random.default_rng(0)
    for width, network in ((7, 3), (33, (19, 5)), (130, (70, 41, 11))):
        X = rng.normal(size=(530, width))
        ae = az.Autoencoder(network, epochs=1, random_state=0).fit(X)
        whole = [ae.encode(X), ae.reconstruct(X), ae.errors(X), ae.errors(X, per_feature=True)]
        for cuts in ([1, 2, 3], [100, 101, 400], [255, 256, 257], [511, 513]):
            parts = np.split(X, cuts)
            pieces = [
                np.concatenate([f(part) for part in parts])
                for f in (ae.encode, ae.reconstruct, ae.errors, lambda part: ae.errors(part, per_feature=True))
            ]
            for one, other in zip(whole, pieces, strict=True):
                assert np.array_equal(one, other)


def test_pipeline_grid_search_and_set_output(iris):
    grid = {"network": [1, az.Input() + az.Dense(3, "tanh") + az.Dense(2) + az.Output()], "code": [None]}
    search = GridSearchCV(az.Autoencoder(epochs=5, random_state=0), grid, cv=2).fit(iris)
    assert search.best_params_["network"] in grid["network"]
    codes = make_pipeline(StandardScaler(), az.Autoencoder(2, epochs=2, random_state=0)).fit_transform(iris)
    assert codes.shape == (150, 2)
    framed = az.Autoencoder(2, epochs=2, random_state=0).set_output(transform="pandas").fit_transform(iris)
    assert list(framed.columns) == ["autoencoder0", "autoencoder1"]
    assert framed.index.equals(iris.index)


def test_objective_replaces_the_reconstruction_and_penalties_add():
    from azogue.objectives import L1, MAE, Correntropy, HeadLoss, Sparsity
    from azogue.session import open_session

    def objective(ae):
        return open_session(ae, np.random.default_rng(0).normal(size=(20, 3)), None, 0).recipe.objective

    assert objective(az.Autoencoder(2)) == HeadLoss() * 1
    assert objective(az.SparseAutoencoder(2)) == HeadLoss() + 0.1 * Sparsity()
    assert objective(az.SparseAutoencoder(2, objective="mae")) == MAE() + 0.1 * Sparsity()
    assert objective(az.SparseAutoencoder(2, objective=0.5 * L1())) == HeadLoss() + 0.5 * L1() + 0.1 * Sparsity()
    assert objective(az.RobustAutoencoder(2, objective=L1())) == Correntropy(1.0) + L1()
    assert objective(az.RobustAutoencoder(2, objective="mse")).names() == ["mse"]


@pytest.mark.parametrize(
    ("objective", "data"),
    [("bce", "unit"), ("poisson", "counts"), ("mse", "unit"), ("mae", "unit"), ("huber", "unit"), ("rmse", "unit")],
)
def test_every_named_objective_trains(objective, data):
    rng = np.random.default_rng(0)
    X = rng.poisson(np.exp(rng.normal(size=(200, 1)) @ np.ones((1, 6)) * 0.7)).astype(float)
    X = X if data == "counts" else X / X.max(0)
    ae = az.Autoencoder(2, objective=objective, epochs=60, random_state=0).fit(X)
    assert ae.history_[-1]["loss"] < ae.history_[0]["loss"]
    assert np.corrcoef(ae.reconstruct(X).ravel(), X.ravel())[0, 1] > 0.6


def test_an_output_activation_sets_the_scaling():
    X = np.random.default_rng(0).normal(size=(100, 3)) * 50 + 7
    net = az.Input() + az.Dense(2) + az.Output("sigmoid")
    ae = az.Autoencoder(net, epochs=3, random_state=0).fit(X)
    back = ae.reconstruct(X)
    assert (back >= X.min(0) - 1e-3).all()
    assert (back <= X.max(0) + 1e-3).all()
    with pytest.raises(ValueError, match="sigmoid"):
        az.Autoencoder(net, scaling="standard").fit(X)


def test_torch_modules_as_network(iris, tmp_path):
    pair = (nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, 2)), nn.Linear(2, 4))
    ae = az.Autoencoder(pair, epochs=10, random_state=0).fit(iris)
    assert ae.code_size_ == 2
    assert ae.history_[-1]["loss"] < ae.history_[0]["loss"]
    assert np.array_equal(ae.encode(iris), clone(ae).fit(iris).encode(iris))
    ae.save(tmp_path / "m.azogue")
    with pytest.raises(az.ModelFileError, match="modules="):
        az.load(tmp_path / "m.azogue")
    again = az.load(tmp_path / "m.azogue", modules=pair)
    assert again.network is pair
    assert np.array_equal(again.encode(iris), ae.encode(iris))


def test_evaluate_and_interpolate(fitted, iris):
    found = fitted.evaluate(iris, metrics=("mse", lambda x, out, mask: 3.0))
    assert found["error"] == pytest.approx(found["mse"], rel=1e-5)
    assert 3.0 in found.values()
    line = fitted.interpolate(iris.iloc[:1], iris.iloc[-1:], steps=5)
    assert len(line) == 5
    ends = fitted.reconstruct(iris.iloc[[0, -1]])
    assert np.allclose(line.iloc[[0, -1]], ends, atol=0.11)
    with pytest.raises(TypeError, match="no prior"):
        fitted.sample(3)
    with pytest.raises(ValueError, match="one row each"):
        fitted.interpolate(iris, iris)


def test_decode_refuses_other_widths(fitted):
    with pytest.raises(ValueError, match=r"\(n, 2\), got \(3, 5\)"):
        fitted.decode(np.zeros((3, 5)))


def test_plan_tells_before_it_trains(iris):
    ae = az.SparseAutoencoder(2, epochs=7, random_state=0)
    plan = ae.plan(iris)
    assert not hasattr(ae, "network_")
    assert plan.rows + plan.held_out == 150
    assert plan.parameters == sum(p.numel() for p in ae.fit(iris).network_.parameters())
    text = str(plan)
    for word in ("Sparsity", "dense", "Point()", "MiB", "sepal length (cm)", "standard", "7 ×"):
        assert word in text


@pytest.mark.parametrize("n", [2, 3, 7])
def test_few_rows(n):
    X = np.random.default_rng(0).normal(size=(n, 3))
    ae = az.Autoencoder(2, epochs=3, random_state=0).fit(X)
    assert ae.reconstruct(X).shape == (n, 3)


def test_odd_tables():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(50, 1))
    assert az.Autoencoder(1, epochs=2, random_state=0).fit(one).encode(one).shape == (50, 1)
    constant = np.hstack([np.full((50, 1), 7.0), one])
    ae = az.Autoencoder(1, epochs=50, random_state=0).fit(constant)
    assert np.allclose(ae.reconstruct(constant)[:, 0], 7.0, atol=0.2)
    holes = np.where(rng.random((50, 3)) < 0.3, np.nan, rng.normal(size=(50, 3)))
    holes[0] = np.nan
    errors = az.Autoencoder(2, epochs=2, random_state=0).fit(holes).errors(holes)
    assert np.isfinite(errors).all()
    assert errors[0] == 0
    absent = pd.DataFrame({"a": rng.normal(size=20), "gone": [np.nan] * 20})
    back = az.Autoencoder(1, epochs=2, random_state=0).fit(absent).reconstruct(absent)
    assert back["gone"].isna().all()
    wide = rng.normal(size=(20, 10_000)).astype(np.float32)
    assert az.Autoencoder(2, epochs=1, random_state=0).fit(wide).encode(wide).shape == (20, 2)


def test_only_missing_cells_are_filled_by_reconstruct():
    rng = np.random.default_rng(0)
    z = rng.normal(size=500)
    frame = pd.DataFrame({"a": z, "b": 2 * z + 1, "c": -z})
    holed = frame.mask(rng.random(frame.shape) < 0.1)
    ae = az.Autoencoder(1, corruption=az.corruptions.Masking(0.0, 0.5), epochs=150, random_state=0).fit(holed)
    back = ae.reconstruct(holed)
    assert not back.isna().any().any()
    hidden = holed.isna().to_numpy()
    error = (back.to_numpy() - frame.to_numpy())[hidden]
    assert np.abs(error).mean() < 0.5 * np.abs((frame - frame.mean()).to_numpy()[hidden]).mean()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X[["sepal width (cm)", *X.columns.drop("sepal width (cm)")]], "order"),
        (lambda X: X.drop(columns="sepal width (cm)"), "sepal width"),
        (lambda X: X.assign(extra=1), "extra"),
        (lambda X: X.iloc[:, :3], "petal width"),
        (lambda X: X.replace(X.iloc[3, 1], np.inf), "infinity"),
        (lambda X: X.astype({"sepal width (cm)": str}), "sepal width"),
    ],
)
def test_other_columns_are_named(fitted, iris, change, message):
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.encode(change(iris))


def test_autoencode_and_kinds(iris):
    codes = az.autoencode(iris, 3, kind="k-sparse", epochs=2, random_state=0)
    assert codes.shape == (150, 3)
    with pytest.raises(ValueError, match="basic, .*binary, .*contractive, .*denoising"):
        az.autoencode(iris, kind="quantum")


def test_float64_models_come_back(iris, tmp_path):
    ae = az.Autoencoder(2, precision="float64", epochs=2, random_state=0).fit(iris)
    ae.save(tmp_path / "m.azogue")
    again = az.load(tmp_path / "m.azogue")
    assert next(again.network_.parameters()).dtype == torch.float64
    assert np.array_equal(again.errors(iris), ae.errors(iris))
    again.partial_fit(iris)
    assert len(again.history_) == 3
