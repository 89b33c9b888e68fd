"""Greedy pretraining: what each layer learns is where the whole network starts; contrastive divergence is exact CD."""

import numpy as np
import pytest
import torch

import azogue as az
from azogue.build import build
from azogue.codes import Point
from azogue.heads import Bernoulli, Gaussian
from azogue.layers import as_network
from azogue.objectives import ContrastiveDivergence, free_energy
from azogue.pretraining import Greedy
from azogue.recipe import Batch, Rng
from azogue.session import open_session
from azogue.training.autograd import forward

WIDTH, UNITS = 5, 3


def machine(head=Bernoulli, activation="sigmoid"):
    heads = (head(0, WIDTH, tuple(range(WIDTH)), (1.0,) * WIDTH),)
    net = build(as_network(az.Input() + az.Dense(UNITS, activation) + az.Output(tied=True), 10, WIDTH), Point(), WIDTH,
                heads, 0).double()  # fmt: skip
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=generator, dtype=torch.float64))
    return net


def parameters(net):
    return net.encoder.steps[0].weight, net.encoder.steps[0].bias, net.decoder.steps[-1].bias


def binary(n):
    return torch.tensor([[i >> b & 1 for b in range(n)] for i in range(2**n)], dtype=torch.float64)


def test_free_energy_sums_over_all_hidden_states():
    net = machine()
    w, b, a = parameters(net)
    v, h = binary(WIDTH), binary(UNITS)
    joint = v @ a[:, None] + (h @ b)[None] + v @ w.T @ h.T
    assert torch.allclose(free_energy(net, v), -joint.logsumexp(1))


def test_free_energy_of_normal_units():
    net = machine(Gaussian, "linear")
    w, b, a = parameters(net)
    v = torch.randn(4, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = -(v @ a) - 0.5 * (v @ w.T + b).square().sum(1) + 0.5 * v.square().sum(1)
    assert torch.allclose(free_energy(net, v), expected)


def test_the_gradient_is_contrastive_divergence():
    """⟨v hᵀ⟩ of the reconstruction minus ⟨v hᵀ⟩ of the data, with the same draws."""
    net = machine()
    w, b, a = parameters(net)
    x = binary(WIDTH)[3:11]
    ContrastiveDivergence()(forward(net, Batch(x), rng=Rng(2))).sum().backward()
    p = torch.sigmoid(x @ w.T + b)
    h = (torch.rand(p.shape, generator=Rng(2).generator("gibbs/0"), dtype=torch.float32) < p).double()
    v = torch.sigmoid(h @ w + a)
    q = torch.sigmoid(v @ w.T + b)
    assert torch.allclose(w.grad, q.T @ v - p.T @ x)
    assert torch.allclose(b.grad, (q - p).sum(0))
    assert torch.allclose(a.grad, (v - x).sum(0))


def test_many_steps_reach_the_model():
    """After many Gibbs steps from anywhere, the visible means are the model's own."""
    net = machine()
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(0.5)
    v = binary(WIDTH)
    probability = torch.softmax(-free_energy(net, v), 0)
    expected = probability @ v
    start = torch.zeros(4000, WIDTH, dtype=torch.float64)
    step = forward(net, Batch(start), rng=Rng(0))
    _, _, a = parameters(net)
    ContrastiveDivergence(steps=30)(step).mean().backward()
    assert torch.allclose(a.grad, expected, atol=0.03)  # mean of v minus mean of zeros


def test_normal_units_are_drawn():
    """Linear hidden units have variance 1: many chains of one step spread by W W on the way back."""
    net = machine(Gaussian, "linear")
    w, b, a = (p.detach() for p in parameters(net))
    x = torch.zeros(20_000, WIDTH, dtype=torch.float64)
    step = forward(net, Batch(x), rng=Rng(0))
    drop = (free_energy(net, x) - ContrastiveDivergence()(step)).detach().mean().item()  # mean free energy of v
    v = b @ w + a + torch.randn(20_000, UNITS, generator=torch.Generator().manual_seed(1), dtype=torch.float64) @ w
    assert drop == pytest.approx(free_energy(net, v).mean().item(), rel=0.05)


def test_missing_cells_are_held_in_both_phases():
    net = machine()
    x = binary(WIDTH)[3:11]
    mask = torch.ones_like(x, dtype=torch.bool)
    mask[:, 2] = False
    x = x * mask
    ContrastiveDivergence(3)(forward(net, Batch(x, mask), rng=Rng(2))).sum().backward()
    w, _, a = parameters(net)
    assert a.grad[2] == 0
    assert (w.grad[:, 2] == 0).all()
    assert (a.grad[[0, 1, 3, 4]] != 0).all()


@pytest.mark.parametrize(
    "network",
    [(8, 2), az.Input() + az.Dense(4, "relu") + az.Output(tied=True), (torch.nn.Linear(8, 2), torch.nn.Linear(2, 8))],
)
def test_divergence_of_what_is_no_machine_is_refused(network, rows):
    with pytest.raises(TypeError, match="a Boltzmann machine is one sigmoid or linear layer with tied weights"):
        az.Autoencoder(network, objective=ContrastiveDivergence(), epochs=1, random_state=0).fit(rows)
    with pytest.raises(ValueError, match="steps"):
        ContrastiveDivergence(0)


def test_another_pretraining_is_another_run(rows, tmp_path):
    make = {"network": (8, 2), "epochs": 2, "random_state": 0, "checkpoint": tmp_path / "c"}
    az.StackedAutoencoder(**make, pretraining_epochs=1).fit(rows)
    with pytest.raises(ValueError, match="other parameters"):
        az.StackedAutoencoder(**make, pretraining_epochs=2, resume=True).fit(rows)


def test_cd_learns_a_distribution():
    rng = np.random.default_rng(0)
    bits = rng.random((600, 2)) < 0.5
    X = np.repeat(bits, 3, axis=1).astype(bool)  # two independent bits, each three times
    ae = az.StackedAutoencoder((4, 2), pretraining="rbm", pretraining_epochs=60, learning_rate=0.02, epochs=1,
                               validation_fraction=0.0, random_state=0)  # fmt: skip
    session = open_session(ae, X, None, 0)
    Greedy("rbm", 60)(session)
    code = session.network.encoder(session.data.all().x).detach().numpy()
    out = session.network(session.data.all().x).detach().numpy()
    assert (np.abs(out - X) < 0.5).mean() > 0.95  # unrolled, before any fine-tuning
    assert code.std(0).min() > 0.1


@pytest.mark.parametrize("kind", ["denoising", "rbm"])
def test_pretraining_beats_the_random_start(kind, rows):
    ae = az.StackedAutoencoder((16, 4), pretraining=kind, learning_rate=5e-3, validation_fraction=0.0, random_state=0)
    session = open_session(ae, rows, None, 0)

    def error():
        with torch.no_grad():
            return (session.network(session.data.all().x) - session.data.all().x).square().mean().item()

    before = error()
    histories = Greedy(kind, 40)(session)
    assert [len(history) for history in histories] == [40, 40]
    assert error() < 0.7 * before


def test_what_the_layers_learned_is_in_the_network(rows):
    ae = az.StackedAutoencoder((16, 4), learning_rate=1e-2, random_state=0)
    fresh, one, other = (open_session(ae, rows, None, 0) for _ in range(3))
    Greedy(epochs=3)(one)
    Greedy(epochs=4)(other)
    for name, start in fresh.network.state_dict().items():
        assert not torch.equal(start, one.network.state_dict()[name]), name
        assert not torch.equal(other.network.state_dict()[name], one.network.state_dict()[name]), name
    fitted = ae.set_params(epochs=1, pretraining_epochs=4).fit(rows)
    assert [len(history) for history in fitted.pretraining_] == [4, 4]


def test_tied_dropout_and_distributions_pretrain(rows):
    layers = az.Input() + az.Dense(16, "silu", normalization="batch") + az.Dropout(0.1) + az.Dense(4)
    tied = az.Input() + az.Dense(8, "tanh") + az.Dense(4) + az.Output(tied=True)
    for network, more in ((layers + az.Output(), {}), (tied, {}), ((8, 4), {"code": az.codes.Gaussian()})):
        ae = az.StackedAutoencoder(network, epochs=2, pretraining_epochs=2, random_state=0, **more).fit(rows)
        assert np.isfinite(ae.errors(rows)).all()


def test_a_resumed_run_does_not_pretrain_again(rows, tmp_path):
    path = tmp_path / "c.azogue"
    make = {"network": (8, 2), "epochs": 4, "pretraining_epochs": 2, "random_state": 0}
    whole = az.StackedAutoencoder(**make).fit(rows)
    with pytest.raises(RuntimeError, match="killed"):
        az.StackedAutoencoder(**make, checkpoint=path, callbacks=_killer(3)).fit(rows)
    again = az.StackedAutoencoder(**make, checkpoint=path, resume=True).fit(rows)
    assert again.pretraining_ == []
    assert np.array_equal(again.encode(rows), whole.encode(rows))


def _killer(epoch):
    def kill(record):
        if record["epoch"] == epoch:
            raise RuntimeError("killed")

    return kill


@pytest.mark.parametrize(
    ("network", "kind", "message"),
    [
        (
            az.Input() + az.Dense(8, "relu") + az.Dense(2),
            "rbm",
            "no Boltzmann machine; layers must be sigmoid or linear",
        ),
        (az.Input() + az.Dense(8, "sigmoid") + az.BatchNorm() + az.Dense(2), "rbm", "no Boltzmann machine"),
        (
            az.Input() + az.Dense(8) + az.Bottleneck(2) + az.Dense(5) + az.Output(),
            "denoising",
            "must mirror the way in",
        ),
        ((torch.nn.Linear(8, 2), torch.nn.Linear(2, 8)), "denoising", "no layers to train one by one"),
        ((8, 2), "boltzmann", "'denoising' or 'rbm'"),
    ],
)
def test_what_cannot_be_pretrained_is_refused(network, kind, message, rows):
    with pytest.raises(ValueError, match=message):
        az.StackedAutoencoder(network, pretraining=kind, epochs=2, pretraining_epochs=1, random_state=0).fit(rows)


def test_categories_are_no_visible_units():
    table = {"color": np.array(["red", "blue", "green"] * 10, dtype=object)}
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="not categorical"):
        az.StackedAutoencoder((4, 2), pretraining="rbm", epochs=1).fit(pa.table(table))
