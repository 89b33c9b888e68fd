"""Terms: one golden number per formula, and the laws of their sum."""

import math
from dataclasses import replace

import pytest
import torch

from azogue import objectives as obj
from azogue.build import build
from azogue.codes import Point
from azogue.heads import Bernoulli, Categorical, Gaussian, Poisson
from azogue.layers import Dense, Input, Output, as_network
from azogue.objectives import as_objective, evaluate
from azogue.recipe import Code, Step

torch.manual_seed(0)


def step(x, out, *, heads=None, mask=None, h=None, raw=None, code_activation="linear"):
    x, out = (torch.as_tensor(v, dtype=torch.float64) for v in (x, out))
    d = x.shape[1]
    heads = heads or (Gaussian(0, d, tuple(range(d)), (1.0,) * d),)
    h = torch.zeros(len(x), 2, dtype=torch.float64) if h is None else torch.as_tensor(h, dtype=torch.float64)
    spec = as_network(Input() + Dense(h.shape[1], code_activation) + Output(), 10, d)
    model = build(spec, Point(), d, heads, 0).double()
    mask = None if mask is None else torch.as_tensor(mask)
    return Step(x, x, mask, h, Code(h), out, model, None, raw)


X, OUT = [[1.0, 2.0], [0.0, -1.0]], [[1.5, 2.0], [1.0, 1.0]]


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        (obj.MSE(), [0.125, 2.5]),
        (obj.RMSE(), [math.sqrt(0.125), math.sqrt(2.5)]),
        (obj.MAE(), [0.25, 1.5]),
        (obj.Huber(1.0), [0.0625, (0.5 + 1.5) / 2]),
        (obj.HeadLoss(), [0.125, 2.5]),
        (obj.Correntropy(0.5), [(1 - math.exp(-0.5)) / 4, (1 - math.exp(-2) + 1 - math.exp(-8)) / 4]),
    ],
    ids=repr,
)
def test_distances(term, expected):
    assert term(step(X, OUT)).tolist() == pytest.approx(expected, abs=1e-12)


def test_correntropy_becomes_squared_error_as_sigma_grows():
    at = step(X, OUT)
    assert obj.Correntropy(1e4)(at).tolist() == pytest.approx(obj.MSE()(at).tolist(), rel=1e-6)
    assert (obj.Correntropy(0.1)(step([[0.0]], [[1e6]])) <= 2 * 0.1**2 + 1e-12).all()


def test_mask_and_weights_are_of_columns():
    masked = step(X, OUT, mask=[[True, False], [True, True]])
    assert obj.MSE()(masked).tolist() == pytest.approx([0.25, 2.5])
    weighted = step(X, OUT, heads=(Gaussian(0, 2, (0, 1), (3.0, 1.0)),))
    assert obj.MSE()(weighted).tolist() == pytest.approx([0.75 / 4, (3 + 4) / 4])
    nothing = step(X, OUT, mask=[[False, False], [True, True]])
    assert obj.MSE()(nothing).tolist() == pytest.approx([0.0, 2.5])


HEADS = (Gaussian(0, 1, (0,), (1.0,)), Bernoulli(1, 2, (1,), (1.0,)), Categorical(2, 5, (2,), (1.0,)))


def test_each_head_has_its_own_loss_and_a_category_counts_once():
    raw = torch.tensor([[0.5, 2.0, 1.0, 0.0, -1.0]], dtype=torch.float64)
    x = torch.tensor([[1.5, 1.0, 0.0, 1.0, 0.0]], dtype=torch.float64)
    at = step(x, torch.zeros_like(x), heads=HEADS, raw=raw)
    at = replace(at, out=at.model.link(raw))
    p = 1 / (1 + math.exp(-2.0))
    norm = math.exp(1.0) + 1 + math.exp(-1.0)
    assert obj.HeadLoss().columns(at).tolist()[0] == pytest.approx([1.0, -math.log(p), math.log(norm)], rel=1e-9)
    brier = (math.e / norm) ** 2 + (1 - 1 / norm) ** 2 + (math.exp(-1) / norm) ** 2
    assert obj.MSE().columns(at).tolist()[0] == pytest.approx([1.0, (1 - p) ** 2, brier], rel=1e-9)


def test_cross_entropies_and_poisson():
    raw = torch.tensor([[0.3, -1.2]], dtype=torch.float64)
    both = (Bernoulli(0, 2, (0, 1), (1.0, 1.0)),)
    at = step([[1.0, 0.25]], [[0, 0]], heads=both, raw=raw)
    p = torch.sigmoid(raw)[0].tolist()
    bce = [-math.log(p[0]), -0.25 * math.log(p[1]) - 0.75 * math.log(1 - p[1])]
    assert obj.BCE()(at).item() == pytest.approx(sum(bce) / 2, rel=1e-9)
    counts = (Poisson(0, 2, (0, 1), (1.0, 1.0)),)
    at = step([[3.0, 0.0]], [[0, 0]], heads=counts, raw=raw)
    pmf = torch.distributions.Poisson(raw.exp()).log_prob(at.x)
    assert obj.Poisson()(at).item() == pytest.approx(-pmf.mean().item(), rel=1e-9)


def test_sparsity():
    at_target = step(X, OUT, h=[[0.1, 0.0], [0.0, 0.1]])
    assert obj.Sparsity(0.05)(at_target).item() == pytest.approx(0.0, abs=1e-15)
    at = step(X, OUT, h=[[0.2, 0.4], [0.4, 0.8]], code_activation="sigmoid")
    assert obj.Sparsity(0.1)(at).item() == pytest.approx((0.1 - 0.3) ** 2 + (0.1 - 0.6) ** 2)
    kl = sum(0.1 * math.log(0.1 / m) + 0.9 * math.log(0.9 / (1 - m)) for m in (0.3, 0.6))
    assert obj.Sparsity(0.1, "kl")(at).item() == pytest.approx(kl)
    tanh = step(X, OUT, h=[[-0.4, 0.2]] * 2, code_activation="tanh")
    assert obj.Sparsity(0.1, "kl")(tanh).item() == pytest.approx(kl), "tanh is brought to [0, 1] first"
    zero = step(X, OUT, h=[[0.1, 0.1]] * 2, code_activation="sigmoid")
    assert obj.Sparsity(0.1, "kl")(zero).item() == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(TypeError, match="bounded activation"):
        obj.Sparsity(0.1, "kl")(step(X, OUT))


def test_l1_and_weight_decay():
    assert obj.L1()(step(X, OUT, h=[[1.0, -2.0], [0.0, 0.5]])).tolist() == [3.0, 0.5]
    at = step(X, OUT)
    weights = [p for name, p in at.model.named_parameters() if name.endswith("weight")]
    assert obj.WeightDecay()(at).item() == pytest.approx(sum(w.square().sum().item() for w in weights))
    assert obj.WeightDecay("code")(at).item() == pytest.approx(weights[0].square().sum().item())


def test_contraction_of_one_sigmoid_layer_is_the_closed_form():
    x = torch.randn(7, 5, dtype=torch.float64)
    at = step(x, torch.zeros(7, 5), h=torch.zeros(7, 3), code_activation="sigmoid")
    layer = at.model.encoder.steps[0]
    h = torch.sigmoid(x @ layer.weight.T + layer.bias)
    expected = (h * (1 - h)).square() @ layer.weight.square().sum(1)
    assert torch.allclose(obj.Contraction()(at), expected, rtol=1e-12)


def test_contraction_of_a_deep_encoder_is_the_finite_difference():
    spec = as_network(Input() + Dense(6, "tanh") + Dense(4, "silu") + Dense(3, "elu") + Output(), 10, 5)
    x = torch.randn(4, 5, dtype=torch.float64)
    at = step(x, x)
    model = build(spec, Point(), 5, at.model.heads, 0).double()
    eps, total = 1e-6, torch.zeros(4, dtype=torch.float64)
    for column in range(5):
        shift = torch.zeros(5, dtype=torch.float64)
        shift[column] = eps
        total += ((model.encoder(x + shift) - model.encoder(x - shift)) / (2 * eps)).square().sum(1)
    value = obj.Contraction()(replace(at, model=model))
    assert torch.allclose(value, total, rtol=1e-7)
    value.sum().backward()
    assert (model.encoder.steps[0].weight.grad != 0).any()


@pytest.mark.parametrize("term", [obj.MSE(), obj.RMSE(), obj.MAE(), obj.Huber(), obj.Correntropy(), obj.HeadLoss()])
def test_gradient_is_the_finite_difference(term):
    at = step(torch.randn(3, 4), torch.zeros(3, 4))
    out = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda o: term(replace(at, out=o)), out)


def test_sum_is_associative_and_weighted():
    a, b, c = obj.MSE(), 0.1 * obj.Sparsity(), obj.L1() * 2
    assert (a + b) + c == a + (b + c)
    assert 2 * (a + b) == 2 * a + 0.2 * obj.Sparsity()
    assert a == obj.MSE()
    at = step(X, OUT, h=[[1.0, -2.0], [0.0, 0.5]])
    total, means = evaluate(a + b + c, at)
    parts = [obj.MSE()(at).mean(), obj.Sparsity()(at), obj.L1()(at).mean()]
    assert torch.allclose(torch.stack(means), torch.stack(parts))
    assert total.item() == pytest.approx((parts[0] + 0.1 * parts[1] + 2 * parts[2]).item())
    assert (a + b + a).names() == ["mse_1", "sparsity", "mse_2"]
    assert repr(a + b) == "MSE() + 0.1 * Sparsity()"


@pytest.mark.parametrize("other", [Dense(3), 1, None, "mse"])
def test_sum_refuses_what_is_no_term(other):
    with pytest.raises(TypeError, match=r"\+|multiplied"):
        obj.MSE() + other
    with pytest.raises(TypeError, match="multiplied"):
        obj.MSE() * "2"


def test_as_objective():
    assert as_objective(None) == obj.HeadLoss() * 1
    assert as_objective("mse") == as_objective(obj.MSE()) == obj.MSE() * 1
    assert as_objective(0.1 * obj.L1()) == obj.HeadLoss() + 0.1 * obj.L1()
    with pytest.raises(ValueError, match="use one of mse"):
        as_objective("hinge")
    with pytest.raises(TypeError, match="terms"):
        as_objective(3)


def test_a_term_says_what_it_lacks():
    with pytest.raises(TypeError, match="CrossEntropy.*gaussian"):
        (obj.CrossEntropy() * 1).check(Point(), HEADS)
    with pytest.raises(TypeError, match="different heads"):
        _ = (obj.BCE() + obj.Poisson()).demand

    class NeedsMean(obj.Term):
        needs = frozenset({"mean"})

    with pytest.raises(TypeError, match=r"NeedsMean\(\) needs a code with \['mean'\], but Point\(\) has"):
        (obj.MSE() + NeedsMean()).check(Point(), HEADS)


@pytest.mark.parametrize(
    "make",
    [
        lambda: obj.Sparsity(0.0),
        lambda: obj.Sparsity(distance="cosine"),
        lambda: obj.Huber(0),
        lambda: obj.Correntropy(-1),
        lambda: obj.WeightDecay("bias"),
    ],
)
def test_senseless_parameters_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()
