"""Differential privacy: gradients row by row, noise, sampling, the accounts, and what an attacker can tell."""

import builtins
import copy
import math
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from scipy.special import comb, logsumexp
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator

import azogue as az
from azogue import codes, corruptions, objectives
from azogue.contract import check_batching, check_few_rows, check_files, check_quiet, check_same_seed
from azogue.private import Guarantee, Privacy, noise_multiplier, spending
from azogue.recipe import Batch, Rng
from azogue.session import open_session
from azogue.training.autograd import forward
from azogue.training.data import Rows, together
from azogue.training.private import Private, Secret, by_layers, by_rows, has_closed_form
from azogue.training.state import start

pytest.importorskip("opacus")

RNG = np.random.default_rng(0)
X = np.tanh(RNG.normal(size=(16, 3)) @ RNG.normal(size=(3, 7))) + 0.1 * RNG.normal(size=(16, 7))
HOLES = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
MIXED = pd.DataFrame({"a": X[:, 0], "b": X[:, 1] > 0, "c": np.where(X[:, 2] > 0.3, "x", "y"), "d": HOLES[:, 3]})
PICTURES = RNG.integers(0, 256, size=(16, 6, 6), dtype=np.uint8)
SERIES = RNG.normal(size=(16, 9, 2))
CLASSES = np.arange(16) % 2
FREE = Privacy(math.inf, clip=0.05)


def net(*layers):
    return sum(layers, az.Input()) + az.Output()


def deep(**output):
    return az.Input() + az.Dense(9, "silu") + az.Dense(4, "tanh") + az.Output(**output)


# case: (estimator, rows, whether the closed form of dense layers does)
CASES = {
    "dense": (az.Autoencoder(deep()), X, True),
    "one layer": (az.Autoencoder(az.Input() + az.Dense(3) + az.Output()), X, True),
    "tied": (az.Autoencoder(deep(tied=True)), X, True),
    "one layer, tied": (az.Autoencoder(az.Input() + az.Dense(3, "sigmoid") + az.Output(tied=True)), X, True),
    "cascade": (az.Autoencoder(deep(cascade=2)), X, True),
    "skips": (az.Autoencoder(deep(skips=True)), X, True),
    "dropout": (az.Autoencoder(net(az.Dense(9, "relu"), az.Dropout(0.3), az.Dense(3))), X, True),
    "holes": (az.Autoencoder(3), HOLES, True),
    "mixed, denoising": (az.DenoisingAutoencoder(3), MIXED, True),
    "robust": (az.RobustAutoencoder(3), HOLES, True),
    "variational": (az.VariationalAutoencoder(deep()), X, True),
    "variational, by column": (az.VariationalAutoencoder(3, objective=objectives.Likelihood("column")), HOLES, True),
    "binary": (az.BinaryAutoencoder(deep()), X, True),
    "supervised": (az.Autoencoder(deep(), objective=0.3 * objectives.LeastSquaresSVM()), X, False),
    "l1, k-sparse": (az.KSparseAutoencoder(deep(), objective=0.1 * az.L1()), X, True),
    "penalised weights": (az.Autoencoder(deep(), objective=0.1 * az.WeightDecay()), X, False),
    "contraction": (az.ContractiveAutoencoder(deep()), X, False),
    "layer norm": (az.Autoencoder(net(az.Dense(9, "relu", normalization="layer"), az.Dense(3))), X, False),
    "codebook": (
        az.Autoencoder(deep(), code=codes.VectorQuantized(5, 2), objective=objectives.Commitment(revival=0.0) * 1.0),
        X,
        False,
    ),
    "pictures": (az.Autoencoder(net(az.Conv(3, 3, activation="relu"), az.Dense(4))), PICTURES, False),
    "recurrent": (az.Autoencoder(net(az.Recurrent(5), az.Dense(3))), SERIES, False),
}  # fmt: skip


def opened(estimator, rows, **parameters):
    estimator = clone(estimator).set_params(
        **{"privacy": FREE, "precision": "float64", "batch_size": 16, "random_state": 0, **parameters}
    )
    session = open_session(estimator, rows, None, 0, y=CLASSES)
    with torch.no_grad():  # the output layer starts near 0, where gradients say little
        for parameter in session.network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return session, start(session.network, session.recipe)


def naive(session, player, rows, rng):
    """The sum of clipped gradients, one row's backward pass after the other."""
    step = forward(session.network, rows, session.recipe.corruption, rng)
    values = [(weight, term(step)) for weight, term in session.recipe.objective.terms]
    sums = {name: torch.zeros_like(p) for name, p in player.parameters.items()}
    norms = []
    for row in range(len(rows)):
        loss = sum(weight * (value[row] if value.ndim else value) for weight, value in values)
        found = torch.autograd.grad(loss, list(player.parameters.values()), retain_graph=True, allow_unused=True)
        norm = math.sqrt(sum(float(g.square().sum()) for g in found if g is not None))
        for name, gradient in zip(sums, found, strict=True):
            if gradient is not None:
                sums[name] += gradient * min(1.0, session.recipe.privacy.clip / norm)
        norms.append(norm)
    return {name: value.detach() for name, value in sums.items()}, np.array(norms)


def near(ours, theirs):
    scale = max(float(value.abs().max()) for value in theirs.values())
    for name, value in theirs.items():
        assert (ours[name] - value).abs().max() <= 1e-10 * scale, name


@pytest.mark.parametrize("case", CASES)
def test_clipped_sums_are_those_of_one_row_after_the_other(case):
    estimator, rows, closed = CASES[case]
    session, state = opened(estimator, rows)
    (player,) = state.players.values()
    batch = session.data.all()
    expected, norms = naive(session, player, batch, Rng(3))
    clip = float(np.median(norms))
    session.recipe = replace(session.recipe, privacy=replace(session.recipe.privacy, clip=clip))
    expected, norms = naive(session, player, batch, Rng(3))
    assert norms.min() < clip < norms.max()
    assert has_closed_form(session.network, player, session.recipe, batch, Rng(3)) == closed
    for way in (by_layers, by_rows) if closed else (by_rows,):
        ours = {name: torch.zeros_like(value) for name, value in expected.items()}
        way(ours, session.network, player, session.recipe, batch, Rng(3))
        near(ours, expected)
    assert not any("affine" in vars(module) for module in session.network.modules())


@pytest.mark.parametrize(("case", "way"), [("dense", by_layers), ("tied", by_layers), ("pictures", by_rows)])
def test_one_row_moves_the_sum_by_at_most_the_clip(case, way):
    estimator, rows, _ = CASES[case]
    session, state = opened(estimator, rows)
    (player,) = state.players.values()
    whole = session.data.all()
    outlier = Batch(torch.cat([whole.x, 1e4 * whole.x[:1]]))
    clip, found = session.recipe.privacy.clip, []
    for part in (whole, outlier):
        sums = {name: torch.zeros_like(p) for name, p in player.parameters.items()}
        way(sums, session.network, player, session.recipe, part, Rng(0))
        found.append(torch.cat([value.flatten() for value in sums.values()]).detach())
    assert (found[1] - found[0]).norm() == pytest.approx(clip, rel=1e-9)


@pytest.mark.parametrize(("case", "way"), [("dense", by_layers), ("layer norm", by_rows)])
def test_a_row_whose_gradient_is_no_number_counts_as_none(case, way):
    estimator, rows, _ = CASES[case]
    session, state = opened(estimator, rows)
    (player,) = state.players.values()
    whole = session.data.all()
    bad = Batch(torch.cat([whole.x, torch.full_like(whole.x[:2], math.inf)]))
    found = []
    for part in (whole, bad):
        sums = {name: torch.zeros_like(p) for name, p in player.parameters.items()}
        way(sums, session.network, player, session.recipe, part, Rng(0))
        found.append(sums)
    near(found[1], found[0])


# -- noise and sampling -----------------------------------------------------------------------------------------------


def test_secret_draws_are_uniform_normal_and_functions_of_where():
    one = Secret(bytes(32))
    u, z = one.uniform("u", 0, 0, 20_001), one.normal("z", 0, 0, 20_001)
    assert u.min() > 0
    assert u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 0.01
    assert stats.kstest(z, "norm").pvalue > 0.01
    assert abs(np.corrcoef(z[:10_000], z[10_001:])[0, 1]) < 0.04, "cosines and sines of the same angles"
    assert np.array_equal(z, Secret(bytes(32)).normal("z", 0, 0, 20_001))
    others = [
        one.normal("z", 1, 0, 9), one.normal("z", 0, 1, 9), one.normal("y", 0, 0, 9), Secret().normal("z", 0, 0, 9),
        Secret(b"\1" * 32).normal("z", 0, 0, 9), Secret.of(0).normal("z", 0, 0, 9), Secret.of(1).normal("z", 0, 0, 9),
    ]  # fmt: skip
    assert len({tuple(other) for other in (*others, z[:9])}) == 8


def moves(sigma, rows, steps, seed=0):
    """The gradients that steps on some rows end with, times the batch size, without the clipped sum."""
    session, state = opened(az.Autoencoder(deep()), X, batch_size=4, optimizer="sgd")
    budget = replace(session.recipe.privacy, noise_multiplier=sigma, clip=0.5)
    state.recipe = replace(session.recipe, privacy=budget)
    (player,) = state.players.values()
    backend, found = Private(Secret.of(seed)), []
    for step in range(steps):
        state.step, sums = step, {name: torch.zeros_like(p) for name, p in player.parameters.items()}
        if len(rows):
            by_layers(sums, session.network, player, state.recipe, rows, Rng(0))
        backend.step([state], together([rows]))
        noise = [4 * p.grad - sums[name] for name, p in player.parameters.items()]
        found.append(torch.cat([part.flatten() for part in noise]).detach().numpy())
    return np.concatenate(found)


@pytest.mark.parametrize("count", [16, 0])
def test_noise_is_sigma_times_clip_on_the_sum_and_the_sum_is_divided_by_the_expected_batch(count):
    session, _ = opened(az.Autoencoder(deep()), X)
    noise = moves(1.5, session.data.all().take(slice(0, count)), 60)
    assert len(noise) > 8000
    assert noise.std() == pytest.approx(1.5 * 0.5, rel=0.03)
    assert stats.kstest(noise / 0.75, "norm").pvalue > 0.01


def test_the_noise_of_every_step_is_its_own():
    session, _ = opened(az.Autoencoder(deep()), X)
    noise = moves(1.0, session.data.all().take(slice(0, 0)), 3).reshape(3, -1)
    assert abs(np.corrcoef(noise) - np.eye(3)).max() < 0.3


def test_without_noise_a_step_is_the_clipped_mean():
    session, _ = opened(az.Autoencoder(deep()), X)
    assert np.abs(moves(0.0, session.data.all(), 3)).max() < 1e-12


def test_every_row_is_drawn_by_itself():
    rows = Rows(Batch(torch.arange(50.0)[:, None]))
    drawn = np.zeros((800, 50))
    for epoch in range(100):
        batches = list(Private(Secret.of(1)).batches([rows], 7, [Rng(0, epoch=epoch)]))
        assert len(batches) == 8
        for step, batch in enumerate(batches):
            drawn[8 * epoch + step, batch.x[0, :, 0].long().numpy()] += 1
    q = 7 / 50
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert abs(drawn.mean() - q) < 4 * math.sqrt(q * (1 - q) / drawn.size)
    assert drawn.mean(0).std() == pytest.approx(math.sqrt(q * (1 - q) / 800), rel=0.35)
    assert drawn.sum(1).var() == pytest.approx(50 * q * (1 - q), rel=0.2), "sizes of batches vary as a binomial's"
    assert abs(np.corrcoef(drawn[:-1].ravel(), drawn[1:].ravel())[0, 1]) < 0.02


def test_a_batch_of_all_rows_takes_each_once():
    rows = Rows(Batch(torch.arange(5.0)[:, None]))
    (batch,) = Private().batches([rows], 8, [Rng(0)])
    assert batch.x[0, :, 0].tolist() == [0, 1, 2, 3, 4]


# -- accounts ---------------------------------------------------------------------------------------------------------


def converted(divergence, order, delta):
    """From a Rényi divergence to ε (Canonne, Kamath & Steinke 2020)."""
    return divergence + math.log1p(-1 / order) - (math.log(delta) + math.log(order)) / (order - 1)


@pytest.mark.parametrize(("sigma", "steps"), [(1.0, 1), (5.0, 1), (4.0, 30)])
def test_without_subsampling_the_account_is_the_gaussian_mechanism_s(sigma, steps):
    """α steps/(2σ²) at each order; and exactly, ε solves Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ) = δ, μ = √steps/σ."""
    orders = np.linspace(1.01, 300, 40_000)
    best = min(converted(order * steps / (2 * sigma**2), order, 1e-5) for order in orders)
    assert spending(sigma, 1e-5, 1.0, steps) == pytest.approx(best, rel=0.01)
    assert spending(sigma, 1e-5, 1.0, steps) >= best * (1 - 1e-6)
    mu, exact = math.sqrt(steps) / sigma, spending(sigma, 1e-5, 1.0, steps, "prv")
    delta = stats.norm.cdf(mu / 2 - exact / mu) - math.exp(exact) * stats.norm.cdf(-mu / 2 - exact / mu)
    assert delta == pytest.approx(1e-5, rel=0.25)
    assert delta <= 1e-5 * 1.001
    assert exact < best


def test_with_subsampling_the_account_is_the_binomial_sum_s():
    """exp((α − 1) D_α) = Σ_k C(α, k) (1 − q)^(α−k) q^k exp((k² − k)/(2σ²)) at whole orders (Mironov et al. 2019)."""
    q, sigma, steps, found = 0.1, 2.0, 200, []
    for order in range(2, 65):
        k = np.arange(order + 1)
        terms = np.log(comb(order, k)) + (order - k) * math.log1p(-q) + k * math.log(q) + (k * k - k) / (2 * sigma**2)
        found.append(converted(steps * logsumexp(terms) / (order - 1), order, 1e-5))
    assert spending(sigma, 1e-5, q, steps) == pytest.approx(min(found), rel=0.005)


def test_the_noise_is_the_least_that_keeps_the_budget():
    sigma = noise_multiplier(2.0, 1e-5, 0.05, 400)
    assert 1.98 < spending(sigma, 1e-5, 0.05, 400) <= 2.0
    assert spending(0.99 * sigma, 1e-5, 0.05, 400) > 2.0
    assert noise_multiplier(2.0, 1e-5, 0.05, 400, "prv") < sigma
    assert noise_multiplier(1.0, 1e-5, 0.05, 400) > 1.5 * sigma
    with pytest.raises(ValueError, match="no noise keeps 10 steps within epsilon=1e-07"):
        noise_multiplier(1e-7, 1e-5, 1.0, 10)


def test_guarantee():
    found = Privacy(3.0, clip=2.0).guarantee(1000, 256, 5)
    assert (found.steps, found.sampling_rate, found.delta, found.clip) == (20, 0.256, 1e-5, 2.0)
    assert 2.97 < found.epsilon <= 3.0
    assert Privacy(3.0).guarantee(100_000, 256, 5).delta == 1e-6
    assert Privacy(3.0, delta=1e-4).guarantee(1000, 256, 5).delta == 1e-4
    assert Privacy(3.0).guarantee(10, 256, 5).sampling_rate == 1.0
    with pytest.raises(ValueError, match="delta=0.001 would let one of 1000 rows be published"):
        Privacy(3.0, delta=1e-3).guarantee(1000, 256, 5)
    said = found.statement()
    for part in ("(2.99", "1e-05) differential privacy", "20 steps", "Inside:", "Outside:", "schema", "clipped to 2"):
        assert part in said
    assert "No differential privacy" in Privacy(math.inf).guarantee(1000, 256, 5).statement()
    assert "public rows" in replace(found, schema="public").statement()
    assert "schema" not in replace(found, schema="public").statement().partition("Outside")[2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon": 0.0}, {"epsilon": -1.0}, {"epsilon": "2"}, {"epsilon": math.nan}, {"epsilon": True},
        {"delta": 0.0}, {"delta": 1.0}, {"clip": 0.0}, {"clip": math.inf}, {"accountant": "gdp"}, {"schema": "none"},
    ],
)  # fmt: skip
def test_budgets_that_make_no_sense(wrong):
    with pytest.raises(ValueError, match=f"Privacy: {next(iter(wrong))} must be"):
        Privacy(**{"epsilon": 1.0, **wrong})


def test_without_opacus_the_extra_is_named(monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("opacus"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install \"azogue\[privacy\]\""):
        spending(1.234, 1e-5, 0.1, 10)


def test_azogue_does_not_import_opacus():
    assert "opacus" not in {name.partition(".")[0] for name in sys.modules if name.startswith("azogue")}


# -- the estimator ----------------------------------------------------------------------------------------------------

TABLE = np.tanh(RNG.normal(size=(200, 3)) @ RNG.normal(size=(3, 7))) + 0.1 * RNG.normal(size=(200, 7))


def small(**changes):
    return az.Autoencoder(
        **{"network": (8, 3), "epochs": 3, "batch_size": 50, "privacy": Privacy(4.0), "random_state": 0, **changes}
    )


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.network_.parameters()])


def test_fit_keeps_a_guarantee_and_nothing_else_of_the_rows(tmp_path):
    model = small().fit(TABLE)
    assert model.privacy_ == Privacy(4.0).guarantee(200, 50, 3)
    assert [set(record) for record in model.history_] == [{"epoch", "learning_rate"}] * 3
    for name in ("error_profile_", "code_quantiles_"):
        assert not hasattr(model, name)
    assert (model.seed_, model.recipe_.seed, model._state) == (0, 0, None)
    model.set_params(random_state=123456789)
    model.save(tmp_path / "m.azogue")
    assert b"123456789" not in (tmp_path / "m.azogue").read_bytes()
    back = az.load(tmp_path / "m.azogue")
    assert back.privacy_ == model.privacy_
    assert back.privacy == model.privacy
    assert back.random_state is None
    assert np.array_equal(back.encode(TABLE), model.encode(TABLE))
    assert "differential privacy" in back.privacy_.statement()
    with pytest.raises(ValueError, match="a private model keeps no code_quantiles_"):
        model.generate()
    with pytest.raises(ValueError, match="a private model keeps no error_profile_"):
        az.AnomalyDetector.from_fitted(model)
    assert small(privacy=None).fit(TABLE).privacy_ is None


def test_as_many_steps_are_made_as_are_accounted_for(monkeypatch):
    made, usual = [], Private.step
    monkeypatch.setattr(Private, "step", lambda *given: made.append(given[1][0].recipe.privacy) or usual(*given))
    for size in (7, 50, 500):
        made.clear()
        model = small(batch_size=size).fit(TABLE)
        assert made == [model.privacy_] * model.privacy_.steps


def test_a_refit_without_privacy_and_back():
    model = small().fit(TABLE).set_params(privacy=None).fit(TABLE)
    assert hasattr(model, "error_profile_")
    model.set_params(privacy=Privacy(4.0)).fit(TABLE)
    assert not hasattr(model, "error_profile_")


def test_public_rows_are_kept_and_stop_training():
    model = small(epochs=30, patience=1, learning_rate=0.3, metrics="mse").fit(TABLE, validation_data=TABLE[:40] + 0.1)
    assert int(model.error_profile_["rows"]) == 40
    assert {"val_loss", "val_mse"} <= set(model.history_[0])
    assert not {"loss", "mse", "seconds"} & set(model.history_[0])
    assert model.stopped_ == "early stopping"
    assert model.privacy_.steps == 120, "what was planned"
    az.AnomalyDetector.from_fitted(model)


def test_a_public_schema():
    private_rows, public = 100 * TABLE, TABLE[:60]
    own = small().fit(private_rows, validation_data=public)
    given = small(privacy=Privacy(4.0, schema="public")).fit(private_rows, validation_data=public)
    plain = small(privacy=None).fit(public)
    assert given.schema_.to_dict() == plain.schema_.to_dict() != own.schema_.to_dict()
    with pytest.raises(ValueError, match=r"fit\(X, validation_data=public\)"):
        small(privacy=Privacy(4.0, schema="public")).fit(TABLE)


@pytest.mark.parametrize(
    "rows", [PICTURES, list(SERIES), ["ebro tajo", "duero"] * 8], ids=["image", "sequence", "text"]
)
def test_rows_that_are_made_when_drawn_may_be_none(rows):
    model = small(network="auto", batch_size=1, epochs=1).fit(rows)
    sizes = [batch.x.shape[1] for batch in Private(Secret.of(0)).batches([opened(small(), rows)[0].data], 1, [Rng(0)])]
    assert 0 in sizes
    assert model.privacy_.sampling_rate == 1 / 16
    assert np.isfinite(model.errors(rows)).all()


def test_a_known_seed_repeats_and_none_does_not():
    assert torch.equal(weights(small().fit(TABLE)), weights(small().fit(TABLE)))
    assert not torch.equal(weights(small().fit(TABLE)), weights(small(random_state=1).fit(TABLE)))
    assert not torch.equal(weights(small(random_state=None).fit(TABLE)), weights(small(random_state=None).fit(TABLE)))


def test_all_rows_are_trained_on():
    session, _ = opened(az.Autoencoder(), TABLE, validation_fraction=0.5)
    assert len(session.data) == 200
    assert session.validation is None


@pytest.mark.parametrize("check", [check_batching, check_few_rows, check_files, check_quiet, check_same_seed])
@pytest.mark.parametrize("cls", [az.Autoencoder, az.VariationalAutoencoder])
def test_the_contract_holds(cls, check):
    check(cls(privacy=Privacy(20.0)))


def test_it_learns():
    model = small(epochs=60, batch_size=1000, learning_rate=1e-2, privacy=Privacy(8.0)).fit(np.tile(TABLE, (10, 1)))
    assert model.evaluate(TABLE)["r2"] > 0.5


def test_plan_and_repr():
    plan = str(small().plan(TABLE))
    assert "private, float32" in plan
    assert "3 × 4 steps of 50 rows" in plan
    assert "privacy     Guarantee(epsilon=3.99" in plan
    assert "privacy" not in str(small(privacy=None).plan(TABLE))
    assert repr(small()).count("Privacy(4.0)") == 1


class Standing(objectives.Term):
    """A user's term that mixes rows and does not say so."""

    def __call__(self, step):
        return (step.code.z - step.code.z.mean(0)).square().sum(1)


class Centred(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(7, 3)

    def forward(self, x):
        return self.inner(x - x.mean(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": net(az.Dense(4, "relu", normalization="batch"), az.Dense(2))}, "batch normalisation"),
        ({"network": (torch.nn.Sequential(torch.nn.BatchNorm1d(7)), torch.nn.Linear(7, 7))}, "batch normalisation"),
        ({"objective": az.Sparsity()}, "mixes the rows"),
        ({"objective": objectives.Neighbors()}, "mixes the rows"),
        ({"objective": objectives.NeighborhoodComponents()}, "mixes the rows"),
        ({"objective": objectives.FisherRatio()}, "mixes the rows"),
        ({"corruption": "swap"}, "takes cells from other rows"),
        ({"corruption": corruptions.SaltPepper()}, "takes cells from other rows"),
        ({"precision": "bfloat16"}, "bfloat16"),
        ({"objective": Standing()}, "a row's loss changes with the other rows"),
        ({"network": (Centred(), torch.nn.Linear(3, 7))}, "a row's loss changes with the other rows"),
        ({"metrics": "mse"}, "metrics: private rows are not measured"),
        ({"privacy": 2.0}, "expected None or a budget such as az.Privacy"),
        ({"privacy": Privacy(1.0, delta=0.1)}, "delta=0.1 would let one of 200 rows"),
    ],
)  # fmt: skip
def test_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        small(**changes).fit(TABLE, np.arange(200) % 2)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (az.WassersteinAutoencoder, "MMD"),
        (az.AdversarialAutoencoder, "adversary"),
        (az.VectorQuantizedAutoencoder, "Commitment"),
        (az.StackedAutoencoder, "pretraining"),
        (lambda **kw: az.VariationalAutoencoder(free_bits=0.1, **kw), "KL"),
        (lambda **kw: az.VariationalAutoencoder(objective=objectives.TotalCorrelation(), **kw), "TotalCorrelation"),
    ],
)
def test_refused_variants(cls, message):
    with pytest.raises(ValueError, match=f"privacy.*{message}"):
        cls(epochs=2, privacy=Privacy(4.0)).fit(TABLE)


@pytest.mark.parametrize(
    "cls",
    [
        az.ContractiveAutoencoder, az.RobustAutoencoder, az.KSparseAutoencoder, az.BinaryAutoencoder,
        az.FiniteScalarAutoencoder, az.HypersphericalAutoencoder,
    ],
)  # fmt: skip
def test_variants_that_treat_rows_one_by_one(cls):
    model = cls((8, 3), epochs=1, privacy=Privacy(4.0), random_state=0).fit(TABLE)
    assert model.privacy_.steps == 5
    assert np.isfinite(model.reconstruct(TABLE)).all()


def test_refused_ways_of_training(tmp_path):
    with pytest.raises(ValueError, match="partial_fit: each epoch would spend"):
        small().partial_fit(TABLE)
    with pytest.raises(ValueError, match="partial_fit: each epoch would spend"):
        small().fit(TABLE).set_params(privacy=None).partial_fit(TABLE)
    with pytest.raises(ValueError, match="fit_together: each member would spend"):
        az.fit_together([small(), small()], TABLE)
    with pytest.raises(ValueError, match="privacy: a checkpoint holds"):
        small(checkpoint=tmp_path / "c").fit(TABLE)


def test_an_application_does_not_lend_a_private_autoencoder_its_seed():
    models = [az.Denoiser(small(random_state=None), random_state=0).fit(TABLE) for _ in range(2)]
    inner = [model.autoencoder_ for model in models]
    assert inner[0].random_state is None
    assert not torch.equal(*map(weights, inner))
    with pytest.raises(ValueError, match="NeighborhoodComponents.* mixes the rows"):
        az.AEkNNClassifier(autoencoder=small()).fit(TABLE, np.arange(200) % 2)
    az.AEkNNClassifier(autoencoder=FrozenEstimator(inner[0])).fit(TABLE, np.arange(200) % 2)


def test_values_are_kept_whole():
    wish = Privacy(2.0, delta=1e-6, clip=0.3, accountant="prv", schema="public")
    assert repr(wish) == "Privacy(2.0, delta=1e-06, clip=0.3, accountant='prv', schema='public')"
    assert copy.deepcopy(wish) == wish
    assert "steps=7" in repr(Guarantee(1.0, 1e-5, 1.0, 0.1, 7))


# -- what an attacker can tell ----------------------------------------------------------------------------------------


def rate(hits, of, upper):
    """A bound of a probability at 99.95 %, as it is asked for at many thresholds (Clopper & Pearson 1934)."""
    if not upper:
        return 1 - rate(of - hits, of, True)
    return 1.0 if hits == of else stats.beta.ppf(0.9995, hits + 1, of - hits)


def proven(claimed, count=36):
    """The ε that losses on one planted row prove, of models that were trained with it and without (Jagielski 2020)."""
    rows, canary = 0.1 * np.random.default_rng(0).normal(size=(40, 5)), np.array([[6.0, -6.0, 6.0, -6.0, 6.0]])
    model = az.Autoencoder(
        net(az.Dense(2)),
        scaling="none",
        epochs=15,
        batch_size=64,
        learning_rate=0.06,
        privacy=Privacy(claimed, clip=1.0),
    )
    without, with_it = (
        np.array([model.set_params(random_state=seed).fit(table).errors(canary)[0] for seed in range(count)])
        for table in (rows, np.concatenate([rows, canary]))
    )
    found = 0.0
    for threshold in np.concatenate([without, with_it]):
        tpr, fpr = (with_it <= threshold).sum(), (without <= threshold).sum()
        found = max(found, math.log(max(rate(tpr, count, False) - 1e-5, 1e-9) / rate(fpr, count, True)))
    return found


def test_a_planted_row_proves_no_more_than_is_claimed():
    assert proven(1.0) <= 1.0


@pytest.mark.parametrize("fault", ["noise", "clipping"])
def test_the_attack_sees_what_is_forgotten(fault, monkeypatch):
    if fault == "noise":
        monkeypatch.setattr(Secret, "normal", lambda self, stream, epoch, step, count: np.zeros(count))
    else:
        monkeypatch.setattr("azogue.training.private._factors", lambda squares, clip: torch.ones_like(squares))
    assert proven(1.0) > 1.2


def test_losses_tell_members_from_others_no_better_than_the_guarantee():
    members, others = [], []
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(TABLE))
        model = small(epochs=20, learning_rate=1e-2, privacy=Privacy(2.0), random_state=seed).fit(TABLE[order[:100]])
        members.append(model.errors(TABLE[order[:100]]))
        others.append(model.errors(TABLE[order[100:]]))
    ours, theirs, kept = np.concatenate(members), np.concatenate(others), model.privacy_
    for threshold in np.quantile(np.concatenate([ours, theirs]), np.linspace(0.01, 0.99, 99)):
        for sign in (1, -1):
            tpr = rate(int((sign * ours < sign * threshold).sum()), 500, False)
            fpr = rate(int((sign * theirs < sign * threshold).sum()), 500, True)
            assert tpr <= math.exp(kept.epsilon) * fpr + kept.delta
