"""The generative and discrete variants: likelihoods, priors, players, sampling, halves of a model."""

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

import azogue as az
from azogue import files
from azogue.contract import CHECKS
from azogue.inference import elbo
from azogue.objectives import mmd
from azogue.objectives.reconstruction import PACE
from azogue.recipe import Rng

PLAIN = {"scaling": "none", "validation_fraction": 0.0, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def test_a_linear_variational_autoencoder_is_probabilistic_pca():
    """At its optimum the bound is the likelihood of PPCA (Lucas et al. 2019), which scikit-learn has in closed form."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(500, 6))
    X -= X.mean(0)
    net = az.Input() + az.Dense(2) + az.Output()
    vae = az.VariationalAutoencoder(net, batch_size=500, epochs=1500, learning_rate=0.02, **PLAIN).fit(X)
    likelihood = PCA(2).fit(X).score(X)
    bound = vae.elbo(X, samples=20).mean()
    assert bound == pytest.approx(likelihood, abs=0.05)
    assert PCA(1).fit(X).score(X) < likelihood - 0.5


def test_the_bound_is_reproducible(iris):
    vae = az.VariationalAutoencoder(1, epochs=30, random_state=0).fit(iris)
    assert vae.code_size_ == 1
    bound = vae.elbo(iris)
    assert bound.shape == (150,)
    assert np.array_equal(bound, vae.elbo(iris))
    assert not np.array_equal(bound, vae.elbo(iris, random_state=5))
    with pytest.raises(ValueError, match="samples"):
        vae.elbo(iris, samples=0)
    other = az.VariationalAutoencoder(1, objective="mae", epochs=1, random_state=0).fit(iris)
    with pytest.raises(TypeError, match=r"MAE\(\) is not a likelihood"):
        other.elbo(iris)


def test_a_short_training_stays_below_the_likelihood():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)) + 0.5 * rng.normal(size=(300, 6))
    X -= X.mean(0)
    for epochs in (20, 100):
        net = az.Input() + az.Dense(2) + az.Output()
        vae = az.VariationalAutoencoder(net, epochs=epochs, learning_rate=0.02, **PLAIN).fit(X)
        assert vae.elbo(X, samples=50).mean() < PCA(2).fit(X).score(X)


def test_the_bound_counts_observed_cells_alone(iris):
    holes = iris.copy()
    holes[:, 2] = np.nan
    vae = az.VariationalAutoencoder(2, epochs=3, random_state=0).fit(iris)
    whole, part = vae.elbo(iris, samples=200), vae.elbo(holes, samples=200)
    scaled = vae.schema_.pack(holes)
    term = vae.recipe_.objective.terms[0][1]
    filled = elbo(vae.network_, term, type(scaled)(scaled.x), Rng(0))
    masked = elbo(vae.network_, term, scaled, Rng(0))
    (log_variance,) = vae.network_.part(term).parameters()
    assert not np.allclose(whole, part)
    least = 0.5 * (np.log(2 * np.pi) + PACE * log_variance.item())  # what a perfect cell's normal density takes away
    assert (masked - filled > least - 1e-5).all()


def test_errors_compare_models(iris):
    """A model that learned a larger variance for its worse fit must not score alike."""
    open_, closed = (
        az.VariationalAutoencoder(2, beta=beta, epochs=100, random_state=0).fit(iris) for beta in (0.1, 50.0)
    )
    assert open_.score(iris) > 0.5 * closed.score(iris)
    assert open_.errors(iris).mean() == pytest.approx(open_.evaluate(iris, "mse")["mse"], rel=1e-4)


def test_bits_need_both_signs(iris):
    with pytest.raises(
        ValueError, match=r"Binary\(noise=0.5\) tells values of both signs apart, but the code layer Dense\(4"
    ):
        az.BinaryAutoencoder(az.Input() + az.Dense(8, "relu") + az.Dense(4, "sigmoid"), epochs=1).fit(iris)
    ae = az.SparseAutoencoder(4, code=az.codes.Binary(), distance="kl", epochs=20, random_state=0).fit(iris)
    assert 0 < ae.encode(iris).mean() < 1
    assert ae.recipe_.objective.names() == ["reconstruction", "sparsity"]


def test_discrete_codes_are_met_on_paths_and_grids(iris):
    for ae in (
        az.BinaryAutoencoder(4, epochs=5, random_state=0),
        az.VectorQuantizedAutoencoder(4, entries=4, epochs=5, random_state=0),
    ):
        ae.fit(iris)
        codes = ae.network_.code.draw(4000, Rng(0))
        possible = ae.decode(np.unique(codes.numpy(), axis=0))
        for rows in (ae.generate(4), ae.interpolate(iris[:1], iris[100:101], 7)):
            gaps = np.abs(rows[:, None] - possible[None]).max(2).min(1)
            assert gaps.max() < 1e-5


def test_partial_fit_keeps_the_codes_of_all_rows(iris):
    ae = az.Autoencoder(2, random_state=0).partial_fit(iris)
    before = ae.code_quantiles_.copy()
    ae.partial_fit(iris[:1])
    assert np.ptp(ae.code_quantiles_, axis=0).min() > 0.5 * np.ptp(before, axis=0).min()
    assert ae.generate(3).std() > 0


def test_equal_terms_share_their_part(iris, tmp_path):
    ae = az.AdversarialAutoencoder((16, 4), objective=0.1 * az.objectives.Adversary(), epochs=1, random_state=0).fit(
        iris
    )
    ae.save(tmp_path / "m.azogue")
    assert np.array_equal(az.load(tmp_path / "m.azogue").encode(iris), ae.encode(iris))


def test_indices_whatever_the_output(iris):
    pytest.importorskip("pandas")
    vq = az.VectorQuantizedAutoencoder(4, epochs=1, random_state=0).set_output(transform="pandas").fit(iris)
    assert vq.indices(iris).shape == (150, 2)


def test_a_last_batch_of_one_row_trains_a_users_batch_norm(iris):
    torch.manual_seed(0)
    pair = (
        torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Linear(6, 2)),
        torch.nn.Linear(2, 4),
    )
    az.Autoencoder(pair, epochs=1, batch_size=16, validation_fraction=0.0, random_state=0).fit(iris[:65])
    with pytest.raises(ValueError, match=r"returned \(2, 5\).* a k that Gaussian\(\) can use, such as 4"):
        az.VariationalAutoencoder((torch.nn.Linear(4, 5), torch.nn.Linear(5, 4)), epochs=1).fit(iris)


def test_beta_trades_reconstruction_for_the_prior(iris):
    def fitted(beta):
        vae = az.VariationalAutoencoder(2, beta=beta, epochs=60, learning_rate=1e-2, random_state=0).fit(iris)
        return vae.history_[-1]["kl"], vae.evaluate(iris)["mse"]

    (low_kl, low_error), (high_kl, high_error) = fitted(0.1), fitted(8.0)
    assert high_kl < 0.7 * low_kl
    assert high_error > low_error


def test_sampling_is_off_at_inference_and_on_in_training(iris):
    vae = az.VariationalAutoencoder(2, epochs=3, random_state=0).fit(iris)
    scaled = vae.schema_.pack(iris).x
    network = vae.network_
    assert torch.equal(network.encode(scaled)[1].z, network.encode(scaled)[1].stats["mean"])
    assert not torch.equal(network.encode(scaled, Rng(0))[1].z, network.encode(scaled)[1].z)
    assert np.array_equal(vae.encode(iris), vae.encode(iris))


@pytest.mark.parametrize(
    "make",
    [
        lambda: az.VariationalAutoencoder(2, epochs=60, random_state=0),
        lambda: az.WassersteinAutoencoder(2, divergence=10.0, epochs=60, random_state=0),
        lambda: az.AdversarialAutoencoder(2, adversary=1.0, epochs=60, random_state=0),
    ],
    ids=["variational", "wasserstein", "adversarial"],
)
def test_codes_are_drawn_towards_the_prior(make, iris):
    free = az.Autoencoder(2, epochs=60, random_state=0).fit(iris)
    shaped = make().set_params(learning_rate=5e-3).fit(iris)
    prior = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    distance = {ae: mmd(torch.as_tensor(ae.encode(iris)), prior).item() for ae in (free, shaped)}
    assert distance[shaped] < 0.5 * distance[free]
    drawn = shaped.sample(500)
    assert drawn.shape == (500, 4)
    assert np.abs(drawn.mean(0) - iris.mean(0)).max() < 0.8 * iris.std(0).max()


def test_a_mixture_prior_is_met():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(150, 5)) * 0.3 + 4 * rng.normal(size=5) for _ in range(3)])
    prior = az.priors.Mixture(3, radius=4.0, scale=0.5)
    vae = az.VariationalAutoencoder(2, prior=prior, epochs=150, learning_rate=5e-3, random_state=0).fit(X)
    nearest = torch.cdist(torch.as_tensor(vae.encode(X)), prior.places(2)).min(1).values
    assert nearest.median() < 1.5


def test_the_adversary_is_a_player_of_the_one_loop(iris):
    aae = az.AdversarialAutoencoder(2, epochs=3, random_state=0).fit(iris)
    assert {"adversary", "adversary_loss", "reconstruction"} <= set(aae.history_[0])
    assert aae.history_[0]["adversary_loss"] == pytest.approx(np.log(2), abs=0.2)
    judge = [name for name, _ in aae.network_.named_parameters() if name.startswith("parts.")]
    assert len(judge) == 6
    assert not set(judge) & set(aae._state.players["autoencoder"].parameters)
    assert set(judge) == set(aae._state.players["adversary"].parameters)


def test_held_out_rows_judge_by_what_compares_between_epochs(iris):
    aae = az.AdversarialAutoencoder(2, adversary=1000.0, epochs=4, random_state=0, metrics="mse").fit(iris)
    for record in aae.history_:
        assert record["val_loss"] == pytest.approx(record["val_mse"], rel=1e-4)


@pytest.mark.parametrize("cls", [az.AdversarialAutoencoder, az.VariationalAutoencoder], ids=lambda c: c.__name__)
def test_a_run_with_parts_resumes_to_the_same_bits(cls, iris, tmp_path):
    def kill(record):
        if record["epoch"] == 3:
            raise RuntimeError("killed")

    whole = cls(2, epochs=6, random_state=0).fit(iris)
    path = tmp_path / "run.ckpt"
    with pytest.raises(RuntimeError, match="killed"):
        cls(2, epochs=6, random_state=0, checkpoint=path, callbacks=kill).fit(iris)
    again = cls(2, epochs=6, random_state=0, checkpoint=path, resume=True).fit(iris)
    for name, value in whole.network_.state_dict().items():
        assert torch.equal(value, again.network_.state_dict()[name]), name


SAMPLERS = [
    az.VariationalAutoencoder(3, epochs=2, random_state=0),
    az.WassersteinAutoencoder(3, epochs=2, random_state=0),
    az.AdversarialAutoencoder(3, epochs=2, random_state=0),
    az.BinaryAutoencoder(3, epochs=2, random_state=0),
    az.FiniteScalarAutoencoder(3, epochs=2, random_state=0),
    az.VectorQuantizedAutoencoder(3, epochs=2, random_state=0),
    az.HypersphericalAutoencoder(3, epochs=2, random_state=0),
]


@pytest.mark.parametrize("ae", SAMPLERS, ids=lambda ae: type(ae).__name__)
def test_samples_are_rows_of_the_users_table(ae):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"size": np.linspace(0, 5, 60), "color": ["red", "blue", "blue"] * 20})
    ae.fit(frame)
    drawn = ae.sample(20)
    assert list(drawn.columns) == ["size", "color"]
    assert set(drawn["color"]) <= {"red", "blue"}
    assert drawn.equals(ae.sample(20))
    assert not drawn.equals(ae.sample(20, random_state=7))
    with pytest.raises(ValueError, match="n must be a whole number"):
        ae.sample(0)


def test_sampling_needs_a_prior(iris):
    with pytest.raises(TypeError, match="no prior to draw from"):
        az.Autoencoder(2, epochs=1).fit(iris).sample(3)


def test_generate_walks_a_grid_of_the_priors_quantiles(iris):
    vae = az.VariationalAutoencoder(3, epochs=3, random_state=0).fit(iris)
    rows = vae.generate(4, dimensions=(2, 0), low=0.1, high=0.9)
    line = norm.ppf(np.linspace(0.1, 0.9, 4))
    codes = np.array([[y, 0.0, x] for y in line for x in line])
    assert np.allclose(rows, vae.decode(codes), atol=1e-5)
    one = az.VariationalAutoencoder(1, epochs=3, random_state=0).fit(iris)
    assert one.generate(5).shape == (5, 4)
    for wrong in (
        {"dimensions": (0, 3)},
        {"dimensions": (1, 1)},
        {"low": 0.9, "high": 0.1},
        {"side": 0},
        {"fixed": 1.0},
    ):
        with pytest.raises(ValueError, match="generate"):
            vae.generate(**wrong)


def test_generate_without_a_prior_takes_the_quantiles_of_the_training_codes(iris):
    ae = az.Autoencoder(2, epochs=5, validation_fraction=0.0, random_state=0).fit(iris)
    codes = ae.encode(iris)
    x, y = (np.quantile(codes[:, unit], [0.25, 0.75]) for unit in (0, 1))
    expected = ae.decode(np.array([[x[0], y[0]], [x[1], y[0]], [x[0], y[1]], [x[1], y[1]]]))
    assert np.allclose(ae.generate(2, low=0.25, high=0.75), expected, atol=1e-4)


def test_interpolation_runs_from_one_row_to_the_other(iris):
    vae = az.VariationalAutoencoder(2, epochs=5, random_state=0).fit(iris)
    path = vae.interpolate(iris[:1], iris[100:101], steps=5)
    ends = vae.reconstruct(iris[[0, 100]])
    assert np.allclose(path[[0, -1]], ends, atol=1e-5)
    assert path.shape == (5, 4)


def test_indices_name_the_entries(iris):
    vq = az.VectorQuantizedAutoencoder(4, entries=8, dimension=2, epochs=5, random_state=0).fit(iris)
    indices = vq.indices(iris)
    book = vq.network_.code.values()["codebook"].detach().numpy()
    assert indices.shape == (150, 2)
    assert np.array_equal(vq.encode(iris), np.concatenate([book[0][indices[:, 0]], book[1][indices[:, 1]]], 1))


@pytest.mark.parametrize(
    "cls", [az.Autoencoder, az.VariationalAutoencoder, az.VectorQuantizedAutoencoder], ids=lambda c: c.__name__
)
def test_half_a_model(cls, iris, tmp_path):
    ae = cls(2, epochs=2, random_state=0).fit(iris)
    for part in ("all", "encoder", "decoder"):
        ae.save(tmp_path / part, part=part)
    encoder, decoder = az.load(tmp_path / "encoder"), az.load(tmp_path / "decoder")
    assert np.array_equal(encoder.encode(iris), ae.encode(iris))
    assert np.array_equal(decoder.decode(ae.encode(iris)), ae.reconstruct(iris))
    with pytest.raises(ValueError, match="saved without its decoder"):
        encoder.reconstruct(iris)
    with pytest.raises(ValueError, match="saved without its encoder"):
        decoder.errors(iris)
    assert "decoder." not in encoder.summary()
    names = set(files.read(tmp_path / "encoder", "model")[1])
    assert any("/encoder." in name for name in names)
    assert not any("/decoder." in name for name in names)
    encoder.save(tmp_path / "again")
    assert np.array_equal(az.load(tmp_path / "again").encode(iris), ae.encode(iris))
    with pytest.raises(ValueError, match="there is only its encoder"):
        encoder.save(tmp_path / "no", part="decoder")


def test_half_of_a_tied_model_is_refused(iris, tmp_path):
    net = az.Input() + az.Dense(8, "tanh") + az.Dense(2) + az.Output(tied=True)
    ae = az.Autoencoder(net, epochs=1, random_state=0).fit(iris)
    with pytest.raises(ValueError, match="tied"):
        ae.save(tmp_path / "half", part="encoder")
    assert not (tmp_path / "half").exists()
    with pytest.raises(ValueError, match="part must be one of"):
        ae.save(tmp_path / "half", part="code")


COMBINATIONS = [
    az.SparseAutoencoder(
        code=az.codes.Gaussian(), corruption=az.corruptions.Gaussian(0.1),
        objective=0.01 * az.objectives.Contraction() + 0.01 * az.objectives.KL(),
    ),  # sparse + contractive + denoising + variational
    az.ContractiveAutoencoder(code=az.codes.TopK(4), corruption=az.corruptions.Swap(0.1)),
    az.VariationalAutoencoder(objective=0.1 * az.objectives.TotalCorrelation(), corruption=az.corruptions.Zeros(0.1)),
    az.StackedAutoencoder(code=az.codes.Gaussian(), objective=0.01 * az.objectives.KL(), pretraining_epochs=2),
    az.WassersteinAutoencoder(objective=az.objectives.Huber() + 1e-4 * az.WeightDecay(on="code")),
    az.AdversarialAutoencoder(corruption=az.corruptions.Masking(0.0, 0.2), objective=0.1 * az.objectives.MMD()),
]  # fmt: skip


@pytest.mark.parametrize("ae", COMBINATIONS, ids=lambda ae: f"{type(ae).__name__}-{ae.objective!r}")
def test_axes_combine(ae):
    for check in CHECKS:
        if check.__name__ != "check_hyper_parameters":
            check(ae)


@pytest.mark.parametrize(
    "ae",
    [
        az.VariationalAutoencoder((16, 4)),
        az.VariationalAutoencoder((16, 4), prior=az.priors.Mixture(3), free_bits=0.1, variance="column"),
        az.AdversarialAutoencoder((16, 4)),
        az.VectorQuantizedAutoencoder((16, 4)),
        az.ContractiveAutoencoder((16, 4)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("change", [{"precision": "bfloat16"}, {"precision": "float64"}], ids=str)
def test_other_precisions(ae, change, iris):
    model = clone(ae).set_params(epochs=2, random_state=0, **change).fit(iris)
    assert np.isfinite(model.errors(iris)).all()


def test_every_variant_reconstructs_digits():
    """Standardised digits through 16 units: at most 1.3 times the error of PCA, on rows that training never saw."""
    X = StandardScaler().fit_transform(load_digits().data)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = X[order[:1200]], X[order[1200:]]
    pca = PCA(16).fit(train)
    floor = ((pca.inverse_transform(pca.transform(test)) - test) ** 2).mean()
    for name in ("ContractiveAutoencoder", "VariationalAutoencoder", "BinaryAutoencoder", "FiniteScalarAutoencoder"):
        ae = getattr(az, name)(16, epochs=30, scaling="none", random_state=0).fit(train)
        error = ((ae.reconstruct(test) - test) ** 2).mean()
        assert error < 1.3 * floor, f"{name}: {error / floor:.2f} times the error of PCA"
