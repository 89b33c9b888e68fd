"""Maps whose training rows are placed freely: forces against sums over pairs, places of new rows, the way back."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import approx_fprime
from sklearn.datasets import load_digits, load_iris
from sklearn.manifold._t_sne import _joint_probabilities, _kl_divergence
from sklearn.metrics import pairwise_distances

import azogue as az
from azogue import placing
from azogue.contract import CHECKS, check_hyper_parameters
from azogue.layouts import Mesh, attraction, components, ends_of, layout, nearest, neighbor_graph, repulsion, splines
from azogue.objectives import Neighbors, affinities
from azogue.objectives.neighborhoods import Positions
from azogue.recipe import Code, Step

QUICK = {"placement": "neighbors", "network": (32, 2), "epochs": 5, "random_state": 0}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# -- the layout --------------------------------------------------------------------------------------------------------


def test_nearest_is_that_of_all_distances():
    x, rows = normal(1300, 5), normal(600, 5, seed=1)
    for given, others in ((rows, False), (x, True)):
        squares, places = nearest(torch.from_numpy(x), torch.from_numpy(given), 7, others=others)
        all_squares = pairwise_distances(given, x, metric="sqeuclidean")
        if others:
            np.fill_diagonal(all_squares, np.inf)
        assert np.array_equal(places.numpy(), all_squares.argsort(1)[:, :7])
        assert np.allclose(squares.numpy(), np.sort(all_squares, 1)[:, :7])


def test_graph_is_that_of_affinities():
    x = torch.from_numpy(normal(90, 6))
    near, p = affinities(x, 9.0)
    dense = np.zeros((90, 90))
    np.put_along_axis(dense, near.numpy(), p.numpy(), 1)
    graph = neighbor_graph(x, 9.0).toarray()
    assert np.allclose(graph, (dense + dense.T) / 180, atol=1e-7)
    assert graph.sum() == pytest.approx(1.0, abs=1e-6)
    full = _joint_probabilities(pairwise_distances(x[:28], metric="sqeuclidean").astype(np.float32), 9.0, 0)
    assert np.allclose(neighbor_graph(x[:28], 9.0).toarray()[np.triu_indices(28, 1)], full, atol=2e-6)


def test_splines_add_up_and_slope():
    part = np.linspace(0, 1, 11)
    values, slopes = splines(part)
    assert np.allclose(values.sum(-1), 1.0)
    assert np.allclose(slopes.sum(-1), 0.0)
    assert np.allclose(values @ np.arange(-1, 3), part), "a straight line is met"
    assert np.allclose((splines(part + 1e-6)[0] - values) / 1e-6, slopes, atol=1e-5)


def test_repulsion_is_the_sum_over_pairs():
    y = normal(3, 20)
    force, total = repulsion(y)
    apart = y[:, :, None] - y[:, None, :]
    near = 1 / (1 + (apart**2).sum(0))
    assert np.allclose(force, (apart * near**2).sum(2))
    assert total == pytest.approx(near.sum() - 20)


@pytest.mark.parametrize(("spacing", "error"), [(0.1, 4e-4), (0.3, 0.02), (0.7, 0.2)])
def test_mesh_tells_the_sum_over_pairs(spacing, error):
    y = np.concatenate([10 * normal(2, 500), 3 + normal(2, 50, seed=1)], 1)
    force, total = repulsion(y)
    found, sum_of_pairs = Mesh(spacing)(y)
    assert np.abs(found - force).max() < error * np.abs(force).max()
    assert sum_of_pairs == pytest.approx(total, rel=error / 10)


def test_mesh_grows_coarser_where_rows_lie_far_apart():
    y = np.array([[0.0, 0.0, 4000.0], [0.0, 1.0, 4000.0]])
    force, _ = Mesh()(y)
    assert np.isfinite(force).all()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_slope_is_that_of_t_sne(size):
    """4 (attraction − repulsion / total) is the derivative of KL(P ‖ Q)."""
    x, y = torch.from_numpy(normal(28, 5)), normal(28, size, seed=1)
    graph = neighbor_graph(x, 9.0)
    push, total = repulsion(y.T)
    slope = 4 * (attraction(graph, ends_of(graph), y.T) - push / total)
    joint = _joint_probabilities(pairwise_distances(x, metric="sqeuclidean").astype(np.float32), 9.0, 0)

    def divergence(flat):
        return _kl_divergence(flat, joint, 1, 28, size, compute_error=True)[0]

    assert np.allclose(slope.T.ravel(), approx_fprime(y.ravel(), divergence, 1e-6), atol=2e-5)


def test_layout_keeps_neighbours_and_repeats_itself():
    X = load_digits().data[:600]
    x = torch.from_numpy(X).float()
    y = layout(x, 20.0)
    assert y.shape == (600, 2)
    assert az.trustworthiness(X, y) > 0.985 > 0.9 > az.trustworthiness(X, components(x, 2))
    assert np.array_equal(y, layout(x, 20.0))
    assert az.trustworthiness(X[:200], layout(x[:200], 20.0)) > 0.985, "of few rows, by all pairs"
    assert az.trustworthiness(X[:200], layout(x[:200], 20.0, 3)) > 0.985, "of three units"


@pytest.mark.parametrize("rows", [torch.zeros(1, 3), torch.zeros(9, 3), torch.eye(2), torch.eye(3), torch.eye(5)])
def test_layout_of_few_or_equal_rows(rows):
    y = layout(rows, 20.0)
    assert y.shape == (len(rows), 2)
    assert np.isfinite(y).all()


# -- the term ----------------------------------------------------------------------------------------------------------


def test_positions_is_a_squared_distance():
    z, target = torch.tensor([[1.0, 2.0], [0.0, 0.0]]), torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    step = Step(z, z, None, z, Code(z), z, None, target=target)
    assert Positions(2.0)(step).tolist() == [16.0, 100.0]
    alone = Step(z, z, None, z, Code(z), z, None)
    assert Positions()(alone).tolist() == [0.0, 0.0]
    assert not Positions().gradient(alone, 1.0).by["z"].any()


def test_positions_states_its_derivative():
    z = torch.from_numpy(normal(5, 2)).requires_grad_()
    target = torch.from_numpy(normal(5, 2, seed=1))
    step = Step(z, z, None, z, Code(z), z, None, target=target)
    (0.7 * Positions()(step).mean()).backward()
    pulled = Positions().gradient(step, 0.7)
    assert torch.allclose(pulled.by["z"], z.grad)
    assert torch.allclose(pulled.value, Positions()(step).mean())
    with pytest.raises(ValueError, match="scale must be a positive number"):
        Positions(0.0)


# -- placement ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    X = load_digits().data
    return az.MapAutoencoder(**QUICK, scaling="minmax").fit(X[:700]), X[:700], X[1000:1300]


def test_a_new_row_lies_where_attraction_is_in_balance(fitted):
    """Σⱼ p(j | x) (z − yⱼ)/(1 + ‖z − yⱼ‖²/r²) = 0, p of perplexity 10 among its 31 nearest rows."""
    ae, _, test = fitted
    kept, rows = ae.placement_, ae.schema_.pack(test[:40])
    z = ae.transform(test[:40]).astype(float)
    squares = pairwise_distances(rows.x, kept["rows"], metric="sqeuclidean")
    order = squares.argsort(1)[:, :31]
    near = np.take_along_axis(squares, order, 1)
    balance = []
    for at in range(40):
        low, high = 1e-6, 1e6
        for _ in range(200):  # the precision whose entropy is log 10, by halving
            beta = np.sqrt(low * high)
            p = np.exp(-beta * (near[at] - near[at, 0]))
            p = p / p.sum()
            low, high = (beta, high) if -(p * np.log(np.maximum(p, 1e-300))).sum() > np.log(10) else (low, beta)
        apart = z[at] - kept["places"][order[at]]
        pull = p / (1 + (apart**2).sum(1) / kept["reach"] ** 2)
        balance.append(np.abs((pull[:, None] * apart).sum(0)).max() / pull.sum())
    assert np.median(balance) < 2e-3
    assert np.mean(balance) < 0.03, "ten rounds nearly settle"


def test_the_way_back_is_corrected_by_rows_near_on_the_map(fitted):
    ae, train, _ = fitted
    kept, network = ae.placement_, ae.network_
    z = np.array([[0.3, -0.2]], np.float32)
    squares = ((kept["places"] - z) ** 2).sum(1)
    order = squares.argsort()[:10]
    weights = (1 - squares[order] / squares[order[-1]]) ** 2 + 1e-6
    with torch.no_grad():
        g = network.decode(torch.from_numpy(z))[0].numpy()
        missed = kept["rows"][order] - network.decode(torch.from_numpy(kept["places"][order]))[0].numpy()
    wanted = g + (weights[:, None] * missed).sum(0) / weights.sum()
    assert np.allclose(ae._reader.decoded(torch.from_numpy(z)).numpy(), wanted, atol=1e-4)
    back = ae.inverse_transform(ae.transform(train))
    assert back.shape == train.shape


def test_new_rows_keep_neighbours_and_come_back(fitted):
    from sklearn.decomposition import PCA

    ae, train, test = fitted
    codes = ae.transform(test)
    assert az.trustworthiness(test, codes) > 0.95
    pca = PCA(2).fit(train)
    theirs = ((pca.inverse_transform(pca.transform(test)) - test) ** 2).mean()
    assert ((ae.inverse_transform(codes) - test) ** 2).mean() < 0.6 * theirs
    places = ae.placement_["places"]
    assert places.var(0).mean() == pytest.approx(1.0, rel=1e-3)
    assert az.trustworthiness(train, places) > 0.98
    assert np.median(np.linalg.norm(ae.transform(train) - places, axis=1)) < 0.1, (
        "training rows stay about where they are"
    )


def test_rows_alone_lie_where_they_lie_together(fitted):
    ae, _, test = fitted
    codes = ae.transform(test)
    assert np.array_equal(np.concatenate([ae.transform(test[at : at + 1]) for at in range(30)]), codes[:30])
    assert np.array_equal(ae.transform(test[::-1]), codes[::-1])
    back = ae.inverse_transform(codes)
    assert np.array_equal(ae.inverse_transform(codes[5:8]), back[5:8])
    assert np.array_equal(ae.reconstruct(test), back)


def test_model_files_hold_the_placement(fitted, tmp_path):
    ae, _, test = fitted
    ae.save(tmp_path / "map.azogue")
    loaded = az.load(tmp_path / "map.azogue")
    assert np.array_equal(loaded.transform(test), ae.transform(test))
    assert np.array_equal(loaded.reconstruct(test), ae.reconstruct(test))
    kept = loaded.placement_
    wrong = ({"places": kept["places"][:-1]}, {"reach": np.array(-1.0)}, {"rows": kept["rows"].astype(str)})
    for placement in (*({**kept, **part} for part in wrong), {}, 3):
        loaded.placement_ = placement
        with pytest.raises(ValueError, match="placement_: expected rows"):
            loaded.transform(test)


@pytest.mark.parametrize("check", [check for check in CHECKS if check is not check_hyper_parameters])
def test_contract(check):
    check(az.MapAutoencoder(placement="neighbors"))


def test_mixed_table_with_holes():
    rng = np.random.default_rng(0)
    kind = rng.choice(["a", "b", "c"], 300)
    size = np.where(kind == "a", 5.0, -1.0) + rng.normal(size=300)
    frame = pd.DataFrame({"size": size, "kind": kind, "flag": kind == "b", "count": rng.poisson(3, 300)})
    frame.loc[::7, "size"] = np.nan
    ae = az.MapAutoencoder(**QUICK).fit(frame)
    rows, mask = ae.placement_["rows"], frame["size"].isna().to_numpy()
    assert np.array_equal(np.isnan(rows).any(1), mask), "what is missing is remembered as missing"
    new = frame.iloc[:50].reset_index(drop=True)
    back = ae.inverse_transform(ae.transform(new))
    assert list(back.columns) == list(frame.columns)
    assert (back["kind"] == new["kind"]).mean() > 0.95
    assert (back["flag"] == new["flag"]).mean() > 0.95
    assert back["size"].notna().all()
    out = ae._reader.decoded(torch.from_numpy(ae.transform(new))).numpy()
    flags = np.concatenate([np.r_[head.slots] for head in ae.schema_.heads if head.link_name in ("softmax", "sigmoid")])
    assert 0.0 <= out[:, flags].min() <= out[:, flags].max() <= 1.0


def test_of_many_rows_some_are_laid_out(monkeypatch):
    X = load_digits().data[:600]
    monkeypatch.setattr(placing, "LANDMARKS", 300)
    ae = az.MapAutoencoder(**QUICK, scaling="minmax").fit(X)
    assert ae.placement_["rows"].shape == (300, 64)
    assert az.trustworthiness(X, ae.transform(X)) > 0.95
    again = az.MapAutoencoder(**QUICK, scaling="minmax").fit(X)
    assert np.array_equal(again.transform(X), ae.transform(X))


def test_held_out_rows_are_not_laid_out():
    X = load_iris().data
    ae = az.MapAutoencoder(**{**QUICK, "epochs": 3}, validation_fraction=0.2).fit(X)
    assert len(ae.placement_["rows"]) == 120
    assert "val_loss" in ae.history_[-1]


def test_the_network_learns_the_places():
    X = load_iris().data
    ae = az.MapAutoencoder(**{**QUICK, "epochs": 200}, batch_size=32).fit(X)
    assert ae.history_[-1]["positions"] < 0.1 * ae.history_[0]["positions"]
    own = super(type(ae._reader), ae._reader).codes(ae._reader.packed(ae.schema_, X)).numpy()
    assert np.abs(own - ae.transform(X)).mean() < 0.2


def test_fit_again_without_placement_forgets_it():
    X = load_iris().data
    ae = az.MapAutoencoder(**{**QUICK, "epochs": 2}).fit(X)
    assert ae.axes().penalties == 0.1 * Positions()
    ae.set_params(placement="network").fit(X)
    assert not hasattr(ae, "placement_")
    assert ae.axes().penalties == 0.1 * Neighbors(5.0)


def test_together_as_alone():
    X = load_iris().data
    settings = {**QUICK, "epochs": 2}
    pair = [az.MapAutoencoder(**{**settings, "random_state": seed}) for seed in (0, 1)]
    az.fit_together(pair, X)
    alone = az.MapAutoencoder(**{**settings, "random_state": 1}).fit(X)
    assert np.array_equal(pair[1].transform(X), alone.transform(X))
    assert np.array_equal(pair[1].errors(X), alone.errors(X))


def test_resumed_to_the_same_bits(tmp_path):
    X = load_iris().data
    path = tmp_path / "map.checkpoint"
    whole = az.MapAutoencoder(**{**QUICK, "epochs": 4}).fit(X)

    def killed(record):
        if record["epoch"] == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        az.MapAutoencoder(**{**QUICK, "epochs": 4}, checkpoint=path, callbacks=[killed]).fit(X)
    told = []
    resumed = az.MapAutoencoder(**{**QUICK, "epochs": 4}, checkpoint=path, resume=True, callbacks=[told.append]).fit(X)
    assert [record["epoch"] for record in told] == [3, 4]
    assert np.array_equal(resumed.transform(X), whole.transform(X))
    assert np.array_equal(resumed.errors(X), whole.errors(X))


def test_refusals():
    X = load_iris().data
    with pytest.raises(ValueError, match="placement: expected one of network, neighbors, got 'umap'"):
        az.MapAutoencoder(placement="umap").fit(X)
    with pytest.raises(ValueError, match="perplexity: expected a number of at least 1 or 'auto'"):
        az.MapAutoencoder(perplexity="many").fit(X)
    with pytest.raises(ValueError, match="remembers training rows"):
        az.MapAutoencoder(**QUICK, privacy=az.Privacy(2.0)).fit(X)
    near = az.objectives.NeighborhoodComponents()
    with pytest.raises(TypeError, match="target of its own"):
        az.MapAutoencoder(**QUICK, objective=near).fit(X, load_iris().target)
    with pytest.raises(ValueError, match="places all rows at once"):
        az.MapAutoencoder(**QUICK).partial_fit(X)


@pytest.mark.parametrize(("output", "low", "high"), [("relu", 0.0, np.inf), ("softsign", -1.0, 1.0)])
def test_what_comes_back_lies_where_the_outputs_can(output, low, high):
    rows = np.clip(np.random.default_rng(0).normal(size=(80, 4)), low, 1.0)
    network = az.Input() + az.Dense(8) + az.Bottleneck(2) + az.Output(output)
    ae = az.MapAutoencoder(network, placement="neighbors", epochs=2, scaling="none", random_state=0).fit(rows)
    far = ae.inverse_transform(np.random.default_rng(1).normal(size=(200, 2)))
    assert low <= far.min()
    assert far.max() <= high
