"""Codes and priors: one golden number per formula, nothing drawn at inference."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from azogue import codes, priors
from azogue.network import CodeLayer
from azogue.recipe import Rng

H = torch.tensor([[0.5, -1.0, 2.0, 0.1], [3.0, 0.2, -0.4, -0.3]], dtype=torch.float64)
ALL = [
    codes.Point(),
    codes.TopK(2),
    codes.Gaussian(),
    codes.Binary(1.0),
    codes.FiniteScalar(5),
    codes.VectorQuantized(entries=8, dimension=2),
    codes.VonMisesFisher(),
]


@pytest.mark.parametrize("spec", ALL, ids=repr)
def test_nothing_is_drawn_at_inference_and_gradients_pass(spec):
    layer = CodeLayer(spec, 4, Rng(0)).double()
    h = torch.randn(6, spec.width(4), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.equal(layer(h, None).z, layer(h, None).z)
    assert layer(h, None).z.shape == (6, 4)
    assert set(layer(h, None).stats) == set(spec.provides)
    h.requires_grad_()
    layer(h, Rng(1)).z.sum().backward()
    assert (h.grad != 0).any()


@pytest.mark.parametrize("spec", [codes.Gaussian(), codes.Binary(1.0), codes.VonMisesFisher()], ids=repr)
def test_training_draws_from_the_step_alone(spec):
    h = torch.randn(50, spec.width(4), generator=torch.Generator().manual_seed(0))
    here, again, later = (spec(h, rng).z for rng in (Rng(1, step=3), Rng(1, step=3), Rng(1, step=4)))
    assert torch.equal(here, again)
    assert not torch.equal(here, later)


def test_gaussian_draws_have_its_mean_and_variance():
    h = torch.tensor([[1.0, math.log(4.0)]]).expand(200_000, 2)
    z = codes.Gaussian()(h, Rng(0)).z
    assert z.mean().item() == pytest.approx(1.0, abs=0.02)
    assert z.std().item() == pytest.approx(2.0, abs=0.02)
    assert codes.Gaussian(noise=0.5)(h, Rng(0)).z.std().item() == pytest.approx(1.0, abs=0.01)
    assert codes.Gaussian()(h, None).z.unique().tolist() == [1.0]


def test_binary_steps_at_a_half_and_its_gradient_is_the_logistic():
    h = torch.tensor([[-1.0, 0.4]], dtype=torch.float64, requires_grad=True)
    code = codes.Binary()(h, Rng(0))
    assert code.z.tolist() == [[0.0, 1.0]]
    code.z.sum().backward()
    s = h.detach().sigmoid()
    assert torch.allclose(h.grad, s * (1 - s))


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8, (8, 5, 3, 2)])
def test_the_finite_scalar_codebook_is_the_product_of_its_levels(levels):
    spec = codes.FiniteScalar(levels)
    book = spec.codebook(4)
    assert len(book) == (math.prod(levels) if isinstance(levels, tuple) else levels**4)
    assert len(book.unique(dim=0)) == len(book)
    assert book.abs().max() <= 1.0
    wide = 4 * torch.randn(20_000, 4, generator=torch.Generator().manual_seed(0))
    for at in range(4):  # every level is reached, and nothing else
        assert torch.allclose(spec(wide, None).z[:, at].unique(), book[:, at].unique(), atol=1e-6)
    drawn = spec.draw(5000, 4, Rng(0))
    assert all(torch.allclose(drawn[:, at].unique(), book[:, at].unique(), atol=1e-6) for at in range(4))


def test_two_levels_part_at_zero():
    h = torch.tensor([[-0.1], [0.1]], requires_grad=True)
    z = codes.FiniteScalar(2)(h, Rng(0)).z
    assert z.flatten().tolist() == pytest.approx([-1.0, 0.0], abs=1e-6)
    z.sum().backward()
    assert (h.grad > 0.4).all()


@pytest.mark.parametrize("spec", [codes.Binary(), codes.FiniteScalar((2, 3, 4, 8)), codes.VectorQuantized(4)], ids=repr)
def test_snapping_gives_codes_that_occur_and_leaves_them_alone(spec):
    layer = CodeLayer(spec, 4, Rng(0))
    z = layer.draw(200, Rng(0))
    assert torch.allclose(layer.snapped(z), z, atol=1e-6)
    moved = layer.snapped(z + 0.01)
    assert torch.allclose(moved, z, atol=1e-6)
    far = layer.snapped(torch.randn(200, 4, generator=torch.Generator().manual_seed(0)))
    assert {tuple(row) for row in far[:, :1].tolist()} <= {
        tuple(row) for row in layer.draw(5000, Rng(1))[:, :1].tolist()
    }


def test_parameters_of_other_kinds_become_plain_values():
    assert codes.FiniteScalar(np.int64(5)) == codes.FiniteScalar(5)
    assert codes.FiniteScalar([5, 3]) == codes.FiniteScalar((5, 3))
    mixture = priors.Mixture(means=np.array([[0.0, 1.0], [2.0, 3.0]]))
    assert mixture == priors.Mixture(means=((0.0, 1.0), (2.0, 3.0)))
    assert "2.0, 3.0" in repr(mixture)


def test_finite_scalar_trains_on_what_it_uses():
    assert torch.allclose(codes.FiniteScalar(5)(H, Rng(0)).z, codes.FiniteScalar(5)(H, None).z)


def test_vector_quantisation_takes_the_nearest_entry():
    spec = codes.VectorQuantized(entries=3, dimension=2)
    book = torch.tensor([[[0.0, 0.0], [1.0, -1.0], [4.0, 4.0]], [[2.0, 0.0], [-1.0, -1.0], [0.0, 9.0]]])
    code = spec(H.float(), None, codebook=book)
    assert code.z.tolist() == [[1.0, -1.0, 2.0, 0.0], [1.0, -1.0, -1.0, -1.0]]
    assert code.stats["distances"][0, 0].tolist() == pytest.approx([1.25, 0.25, 37.25])
    h = H.float().clone().requires_grad_()
    spec(h, Rng(0), codebook=book).z.square().sum().backward()
    assert torch.allclose(h.grad, 2 * code.z)  # straight through


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: codes.FiniteScalar(1), "levels must be a whole number of at least 2"),
        (lambda: codes.FiniteScalar((3, 3)).width(4), "levels for 2 units, but the code has 4"),
        (lambda: codes.VectorQuantized(dimension=3).width(4), "does not split into groups of 3"),
        (lambda: codes.VectorQuantized(1), "entries must be"),
        (lambda: codes.Gaussian(noise=-1.0), "noise must be at least 0"),
        (lambda: codes.Binary(-1.0), "noise must be at least 0"),
        (lambda: priors.Mixture(0), "components"),
        (lambda: priors.Mixture(2.5), "components"),
        (lambda: priors.Mixture(means=()), "at least one tuple"),
        (lambda: priors.Mixture(means=((1.0,), (1.0, 2.0))), "all as long"),
        (lambda: priors.Mixture(scale=0.0), "scale must be positive"),
        (lambda: priors.Mixture(means=((0.0, 1.0),)).draw(1, 3, Rng(0)), "must have 3 values each"),
    ],
)
def test_senseless_parameters_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_priors_must_be_priors():
    with pytest.raises(TypeError, match="prior must be a value"):
        codes.Gaussian(prior="normal")
    with pytest.raises(TypeError, match=r"Mixture\(10\)"):
        priors.as_prior(3)


def test_the_divergence_of_two_gaussians_is_the_closed_form():
    mean, log_var = torch.tensor([[[1.5, 0.0]], [[math.log(0.25), 0.0]]], dtype=torch.float64)
    expected = 0.5 * (1.5**2 + 0.25 - math.log(0.25) - 1)
    assert priors.StandardNormal().divergence(mean, log_var).tolist()[0] == pytest.approx([expected, 0.0], abs=1e-12)


def test_a_mixture_of_one_component_is_that_component():
    mean, log_var = torch.randn(5, 3).double(), torch.randn(5, 3).double()
    one = priors.Mixture(means=((0.0, 0.0, 0.0),)).divergence(mean, log_var)
    assert torch.allclose(one[:, 0], priors.StandardNormal().divergence(mean, log_var).sum(1))


def test_the_mixture_divergence_is_a_bound_on_the_true_one():
    mixture = priors.Mixture(means=((-2.0,), (2.0,)), scale=0.5)
    grid = np.linspace(-12, 12, 200_001)
    p = 0.5 * norm.pdf(grid, -2, 0.5) + 0.5 * norm.pdf(grid, 2, 0.5)
    for mean, sd in ((-2.0, 0.5), (0.3, 1.0), (2.0, 0.1), (1.0, 2.0)):
        q = norm.pdf(grid, mean, sd)
        true = np.trapezoid(np.where(q > 0, q * (np.log(np.maximum(q, 1e-300)) - np.log(p)), 0), grid)
        bound = mixture.divergence(torch.tensor([[mean]]), torch.tensor([[2 * math.log(sd)]])).item()
        assert true - 1e-4 <= bound
        if sd <= 0.5 and abs(mean) == 2.0:  # where one component is responsible, the bound is tight
            assert bound == pytest.approx(true, abs=0.02)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_draws_of_a_mixture_lie_at_its_means(size):
    mixture = priors.Mixture(4, radius=10.0, scale=0.1)
    places, drawn = mixture.places(size), mixture.draw(4000, size, Rng(0))
    nearest = torch.cdist(drawn, places).min(1)
    assert nearest.values.mean().item() == pytest.approx(
        0.1 * math.sqrt(2) * math.gamma((size + 1) / 2) / math.gamma(size / 2), rel=0.05
    )
    assert torch.bincount(nearest.indices, minlength=4).min() > 800


def test_quantiles_of_the_standard_normal():
    assert priors.StandardNormal().quantile(np.array([0.5, 0.975])).tolist() == pytest.approx([0.0, 1.959964], abs=1e-6)
