"""Maps that keep neighbourhoods: the divergence's golden numbers, the measures, the rule for the size of the code."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import squareform
from sklearn import manifold
from sklearn.datasets import load_digits, load_iris
from sklearn.manifold._t_sne import _joint_probabilities, _kl_divergence
from sklearn.manifold._utils import _binary_search_perplexity
from sklearn.metrics import pairwise_distances

import azogue as az
from azogue.build import build
from azogue.codes import Point
from azogue.heads import Gaussian
from azogue.layers import Dense, Input, Output, as_network
from azogue.objectives import Neighbors, Objective, affinities
from azogue.recipe import Code, Step
from azogue.reduction import CodeSizes


def network(width=6, weights=None):
    spec = as_network(Input() + Dense(2) + Output(), 10, width)
    heads = (Gaussian(0, width, tuple(range(width)), weights or (1.0,) * width),)
    made = build(spec, Point(), width, heads, 0).double()
    made.attach(Objective(()), 0)
    return made.double()


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def step(x, z, weights=None):
    return Step(x, x, None, z, Code(z), x, network(x.shape[1], weights))


def dense(x, perplexity):
    """p(j | i) as a matrix."""
    neighbors, p = affinities(x, perplexity)
    return torch.zeros(len(x), len(x), dtype=x.dtype).scatter_(1, neighbors, p)


# -- affinities --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("perplexity", [2.0, 5.0, 9.0])
def test_affinities_are_those_of_scikit_learn(perplexity):
    x = normal(28, 6)  # 3 · 9 + 1 neighbours at most: all others
    squares = pairwise_distances(x.numpy(), metric="sqeuclidean")
    if perplexity < 9:  # what lies beyond these is infinitely far for us
        far = np.sort(squares, 1)[:, [int(3 * perplexity) + 1]]
        squares = np.where(squares <= far, squares, 1e6)
    conditional = _binary_search_perplexity(squares.astype(np.float32), perplexity, 0)
    assert np.abs(dense(x, perplexity).numpy() - conditional).max() < 1e-4  # theirs ends 1e-5 beside the entropy
    if perplexity == 9:
        theirs = squareform(_joint_probabilities(squares.astype(np.float32), perplexity, 0))
        p = dense(x, perplexity)
        assert np.abs(((p + p.T) / (2 * len(x))).numpy() - theirs).max() < 2e-6


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_affinities_have_the_perplexity(dtype):
    near_and_far = torch.cat([normal(100, 5), 4 + 0.1 * normal(100, 5, seed=1)]).to(dtype)
    for perplexity in (1.5, 5.0, 30.0):
        neighbors, p = affinities(near_and_far, perplexity)
        assert neighbors.shape == p.shape == (200, int(3 * perplexity) + 1)
        entropy = -torch.special.xlogy(p, p).sum(1)
        assert torch.allclose(entropy.exp(), torch.full_like(entropy, perplexity), rtol=1e-3)
        assert torch.allclose(p.sum(1), torch.ones_like(entropy))
        assert (p.diff(dim=1) <= 0).all(), "nearer rows are likelier"
        assert (neighbors != torch.arange(200)[:, None]).all(), "no row is its own neighbour"


def test_affinities_of_few_or_equal_rows():
    _, p = affinities(torch.zeros(8, 3), 2.0)
    assert torch.allclose(p, torch.full((8, 7), 1 / 7))
    _, two = affinities(normal(2, 3), 5.0)
    assert torch.equal(two, torch.ones(2, 1, dtype=torch.float64))
    ties = torch.cat([torch.zeros(6, 2), 5 + torch.zeros(1, 2)]).double()
    assert dense(ties, 1.0).isfinite().all()
    assert dense(ties, 1.0)[0, 6] < 1e-9, "of six equal rows, the seventh is no neighbour"


# -- the term ----------------------------------------------------------------------------------------------------------


def divergence(x, z, perplexity):
    """Σ P log(P/Q) from its definition."""
    n, alpha = len(x), max(z.shape[1] - 1, 1)
    p = dense(x, perplexity).numpy() / n
    kernel = (1 + pairwise_distances(z.numpy(), metric="sqeuclidean") / alpha) ** (-(alpha + 1) / 2)
    np.fill_diagonal(kernel, 0)
    q = kernel / kernel.sum()
    some = p > 0
    return float((p[some] * np.log(p[some] / q[some])).sum())


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_neighbors_is_the_divergence(size):
    x, z = normal(40, 6), 3 * normal(40, size, seed=1)
    values = Neighbors(4.0, 1.0)(step(x, z))
    assert values.shape == (40,)
    assert float(values.mean()) == pytest.approx(divergence(x, z, 4.0), abs=1e-10)


def test_neighbors_pulls_as_t_sne_does():
    """P of scikit-learn is symmetric, ours is not: the values differ by a number, the derivatives by nothing."""
    x, z = normal(28, 6), normal(28, 2, seed=1).requires_grad_()
    p = dense(x, 9.0)
    joint = ((p + p.T) / 56).numpy()
    value, theirs = _kl_divergence(z.detach().numpy().ravel(), squareform(joint), 1, 28, 2)
    ours = Neighbors(9.0, 1.0)(step(x, z)).mean()
    ours.backward()
    assert np.allclose(z.grad.numpy().ravel(), theirs, atol=1e-8)
    entropies = [float((q[q > 0] * np.log(q[q > 0])).sum()) for q in (p.numpy() / 28, joint)]
    assert float(ours.detach()) - value == pytest.approx(entropies[0] - entropies[1], abs=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_gradient_is_that_of_finite_differences(size):
    x, z = normal(12, 4), normal(12, size, seed=1).requires_grad_()
    torch.autograd.gradcheck(lambda z: Neighbors(3.0)(step(x, z)), (z,))
    torch.autograd.gradcheck(lambda z: Neighbors(3.0)(step(x, z))[:5].sum(), (z,))


def test_neighbors_is_zero_where_both_are_equal():
    corners = torch.eye(4, dtype=torch.float64)  # of a tetrahedron: all are equally near
    value = Neighbors(2.0)(step(corners, 2.5 * corners[:, :3] - corners[:, 3:]))
    flat = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    assert Neighbors(1.0, 1.0)(step(torch.eye(3, dtype=torch.float64), flat)).abs().max() < 1e-12
    assert Neighbors(1.0, 1.0)(step(torch.eye(3, dtype=torch.float64), flat * torch.tensor([1.0, 3.0]))).mean() > 1e-3
    assert value.mean() > 0


def test_neighbors_sees_neither_place_nor_turn_nor_mirror():
    x, z = normal(30, 6), 5 * normal(30, 2, seed=1)
    value = Neighbors()(step(x, z))
    turn, _ = torch.linalg.qr(normal(2, 2, seed=2))
    for other in (z + 70.0, z @ turn, z * torch.tensor([-1.0, 1.0])):
        assert torch.allclose(Neighbors()(step(x, other)), value)
    assert torch.allclose(Neighbors()(step(7 * x - 2, z)), value), "a unit of the rows does not matter"
    assert not torch.allclose(Neighbors()(step(x, 2 * z)), value)
    assert torch.allclose(Neighbors(scale=1.0)(step(x, 3 * z)), value)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(3))
    assert torch.allclose(Neighbors()(step(x[order], z[order])), value[order])


def test_neighbors_weighs_columns_as_the_reconstruction_does():
    x, z = normal(30, 3), normal(30, 2, seed=1)
    weighed = Neighbors()(step(x, z, (4.0, 1.0, 0.0)))
    assert torch.allclose(weighed, Neighbors()(step(x * torch.tensor([2.0, 1.0, 0.0]), z)))


def test_a_category_counts_as_one_column():
    """Rows that differ in a category lie 1 apart in it, however many categories there are."""
    from azogue.heads import Categorical

    numbers, z = normal(30, 1), normal(30, 2, seed=1)
    kinds = torch.arange(30) % 3
    heads = (Gaussian(0, 1, (0,), (1.0,)), Categorical(1, 4, (1,), (1.0,)))
    spec = as_network(Input() + Dense(2) + Output(), 10, 4)
    net = build(spec, Point(), 4, heads, 0).double()
    x = torch.cat([numbers, torch.eye(3, dtype=torch.float64)[kinds]], 1)
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(3) / 2]], dtype=torch.float64)
    same = torch.cat([numbers, corners[kinds]], 1)
    assert torch.allclose(Neighbors()(Step(x, x, None, z, Code(z), x, net)), Neighbors()(step(same, z)))


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_neighbors_of_few_rows(rows):
    z = normal(rows, 2).requires_grad_()
    value = Neighbors()(step(normal(rows, 6), z))
    value.mean().backward()
    assert value.shape == (rows,)
    assert value.isfinite().all()
    assert z.grad.isfinite().all()
    if rows < 3:
        assert not value.any()


def test_neighbors_refuses_what_makes_no_sense():
    for wrong in (0.5, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="perplexity must be"):
            Neighbors(wrong)
    with pytest.raises(ValueError, match="scale must be"):
        Neighbors(scale=0.0)


# -- maps --------------------------------------------------------------------------------------------------------------


def test_map_keeps_neighbours_of_new_rows():
    X = load_digits().data
    train, test = X[:800], X[1000:1400]
    quick = {"epochs": 30, "scaling": "minmax", "random_state": 0}
    plain = az.Autoencoder((256, 256, 256, 2), batch_size=256, precision="float32", **quick).fit(train)
    kept = az.MapAutoencoder(noise=0.1, **quick).fit(train)
    ours, theirs = (az.trustworthiness(test, ae.transform(test)) for ae in (kept, plain))
    assert ours > theirs + 0.02
    assert ours > 0.91
    assert kept.inverse_transform(kept.transform(test)).shape == test.shape
    assert {"reconstruction", "neighbors"} <= set(kept.history_[-1])


def test_penalty_on_any_autoencoder():
    ae = az.DenoisingAutoencoder(2, objective=0.1 * Neighbors(), batch_size=128, epochs=2, random_state=0)
    assert "neighbors" in ae.fit(load_iris().data).history_[-1]


# -- measures ----------------------------------------------------------------------------------------------------------


def test_measures_are_scikit_learns():
    X, Z = normal(60, 5).numpy(), normal(60, 2, seed=1).numpy()
    for k in (1, 5, 12):
        assert az.trustworthiness(X, Z, k) == pytest.approx(manifold.trustworthiness(X, Z, n_neighbors=k), abs=1e-12)
        assert az.continuity(X, Z, k) == pytest.approx(manifold.trustworthiness(Z, X, n_neighbors=k), abs=1e-12)
    assert az.trustworthiness(pd.DataFrame(X), Z) == az.trustworthiness(X, Z)


def test_measures_tell_folds_from_tears():
    """A map that lays two halves over one another is not trustworthy; one that tears a line is not continuous."""
    line = np.arange(60.0)[:, None]
    folded = np.where(line < 30, line, 59.2 - line)
    assert az.trustworthiness(line, folded) < 0.8 < 0.95 < az.continuity(line, folded)
    circle = np.column_stack([np.cos(line / 60 * 2 * np.pi), np.sin(line / 60 * 2 * np.pi)])
    assert az.trustworthiness(circle, line) > 0.99 > az.continuity(circle, line) + 0.01
    uneven = np.cumsum(np.random.default_rng(0).random(60))[:, None]
    assert az.trustworthiness(uneven, uneven) == az.continuity(uneven, 3 - 2 * uneven) == 1.0


def test_measures_refuse_what_makes_no_sense():
    with pytest.raises(ValueError, match=r"shapes \(5, 1\) and \(4, 1\)"):
        az.trustworthiness(np.zeros((5, 1)), np.zeros((4, 1)))
    for k in (0, 5, 1.5):
        with pytest.raises(ValueError, match="n_neighbors: expected a whole number from 1"):
            az.continuity(np.zeros((10, 1)), np.zeros((10, 1)), k)


# -- the size of the code ----------------------------------------------------------------------------------------------


def hidden_rows(hidden, columns=10, n=400):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, hidden)) @ rng.normal(size=(hidden, columns)) + 0.01 * rng.normal(size=(n, columns))


@pytest.mark.parametrize("rule", ["tolerance", "chord"])
def test_choose_code_size_finds_the_dimension(rule):
    ae = az.Autoencoder(epochs=150, scaling="standard", learning_rate=1e-2, patience=None)
    found = az.choose_code_size(hidden_rows(3), (5, 1, 2, 3, 4, 5), autoencoder=ae, rule=rule, random_state=0)
    assert found.sizes == (1, 2, 3, 4, 5)
    assert found.chosen == 3
    assert found.errors[0] > found.errors[1] > 3 * found.errors[2]


def test_errors_are_those_of_held_out_rows():
    X = hidden_rows(2, n=100)
    ae = az.Autoencoder((8, 2), epochs=3)
    found = az.choose_code_size(pd.DataFrame(X), (1, 2), autoencoder=ae, held_out=0.3, random_state=5)
    again = az.choose_code_size(X, (1, 2), autoencoder=ae, held_out=0.3, random_state=5)
    assert found == again
    order = np.random.default_rng(5).permutation(100)
    one = az.Autoencoder((8, 1), epochs=3, random_state=5)
    az.fit_together([one], X, rows=[np.sort(order[30:])])
    assert found.errors[0] == pytest.approx(one.errors(X[order[:30]]).mean(), rel=1e-6)
    assert ae.network == (8, 2), "the autoencoder that was passed is left as it was"
    assert not hasattr(ae, "network_")


def test_repeats_are_averaged():
    X, ae = hidden_rows(2, n=100), az.Autoencoder(epochs=2)
    both = az.choose_code_size(X, (1, 2), autoencoder=ae, repeats=2, random_state=0)
    first = az.choose_code_size(X, (1, 2), autoencoder=ae, random_state=0)
    second = az.choose_code_size(X, (1, 2), autoencoder=ae, repeats=3, random_state=0)
    assert abs(both.errors[0] - first.errors[0]) > 1e-4, "repeats have seeds of their own"
    assert second.errors[0] != pytest.approx(both.errors[0], abs=1e-6)


@pytest.mark.parametrize(
    ("errors", "tolerance", "chord"),
    [([1.0, 0.5, 0.1, 0.09, 0.08], 3, 3), ([1.0, 0.9, 0.8, 0.7, 0.6], 5, 5), ([0.2, 0.3, 0.4, 0.5, 0.6], 1, 1)],
)
def test_rules(errors, tolerance, chord):
    from azogue.reduction import _elbow

    sizes = (1, 2, 3, 4, 5)
    assert sizes[_elbow(sizes, np.array(errors), "tolerance", 0.05)] == tolerance
    assert sizes[_elbow(sizes, np.array(errors), "chord", 0.05)] == chord


def test_choose_code_size_refuses_what_makes_no_sense():
    X = hidden_rows(2, n=20)
    for wrong, message in (
        ({"sizes": (2,)}, "at least two different"),
        ({"sizes": (0, 2)}, "whole numbers of at least 1"),
        ({"rule": "knee"}, "'tolerance' or 'chord'"),
        ({"tolerance": 2.0}, r"part in \[0, 1\]"),
        ({"held_out": 1.0}, r"part in \(0, 1\)"),
        ({"held_out": 0.01}, "leaves none"),
        ({"repeats": 0}, "repeats: expected"),
    ):
        with pytest.raises(ValueError, match=message):
            az.choose_code_size(X, **{"sizes": (1, 2), **wrong})
    with pytest.raises(TypeError, match="given by a size or by widths"):
        az.choose_code_size(X, (1, 2), autoencoder=az.Autoencoder(Input() + Dense(2) + Output()))
    assert CodeSizes((1, 2), (0.2, 0.1), 2).chosen == 2
