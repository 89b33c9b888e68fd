"""Populations: whoever is trained with others ends with the bits that it has on its own."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone

import azogue as az
from azogue import corruptions, populations
from azogue.objectives import Contraction
from azogue.optimizers import SGD, Adam

RNG = np.random.default_rng(0)
X = np.tanh(RNG.normal(size=(150, 4)) @ RNG.normal(size=(4, 9))) + 0.1 * RNG.normal(size=(150, 9))
HOLES = np.where(RNG.random(X.shape) < 0.1, np.nan, X)


def weights(model):
    return torch.cat([value.reshape(-1).double() for value in model.network_.state_dict().values()])


def members(count=5, **parameters):
    return [az.Autoencoder((7, 3), epochs=6, random_state=seed, **parameters) for seed in range(count)]


def same(one, other):
    assert torch.equal(weights(one), weights(other))
    assert [{**r, "seconds": 0} for r in one.history_] == [{**r, "seconds": 0} for r in other.history_]
    assert one.stopped_ == other.stopped_


def deep_gelu():
    return az.Input() + az.Dense(6, "gelu") + az.Dense(5, "gelu") + az.Bottleneck(3, "gelu") + az.Output()


#: Products of every form: from either end, of one direction, of linear layers alone, with dropout, none at all.
CONTRACTED = {
    "one layer": (3, {}),
    "layers": (az.Input() + az.Dense(7, "tanh") + az.Dense(5, "silu") + az.Dense(3, "sigmoid") + az.Output(), {}),
    "one unit": (az.Input() + az.Dense(7, "silu") + az.Bottleneck(1, "linear") + az.Output(), {}),
    "linear, one unit": (az.Input() + az.Dense(7) + az.Bottleneck(1, "linear") + az.Output(), {}),
    "from the other end": (az.Input() + az.Dense(7, "softplus") + az.Bottleneck(13) + az.Output(), {}),
    "estimated": (az.Input() + az.Dense(7, "elu") + az.Bottleneck(5, "tanh") + az.Output(), {"exact": 3}),
    "estimated by one": (
        az.Input() + az.Dense(7, "elu") + az.Bottleneck(5, "linear") + az.Output(),
        {"exact": 0, "probes": 1},
    ),
    "dropout": (az.Input() + az.Dropout(0.2) + az.Dense(7, "selu") + az.Dropout(0.3) + az.Dense(3) + az.Output(), {}),
}

POPULATIONS = {
    "seeds": members(),
    "one": members(1),
    "learning rates": [m.set_params(learning_rate=0.01 / (i + 1)) for i, m in enumerate(members())],
    "corruptions": [
        m.set_params(corruption=c)
        for m, c in zip(members(), [None, "zeros", "gaussian", "swap", corruptions.Masking()], strict=True)
    ],
    "optimisers": [
        m.set_params(optimizer=o, weight_decay=d)
        for m, o, d in zip(members(), ["adam", SGD(), Adam(clip=0.1), Adam(beta1=0.5), SGD(0.5)], range(5), strict=True)
    ],
    "epochs and patience": [
        m.set_params(epochs=2 + 4 * i, patience=1 + i, learning_rate=0.05) for i, m in enumerate(members())
    ],
    "shapes": [m.set_params(network=n) for m, n in zip(members(), [2, 3, (7, 3), (5, 2), 2], strict=True)],
    "variational": [az.VariationalAutoencoder((8, 2), epochs=4, random_state=s) for s in range(4)],
    "tied, dropout": [
        az.Autoencoder(
            az.Input() + az.Dense(6, "relu") + az.Dropout(0.3) + az.Dense(2) + az.Output(tied=True),
            epochs=4,
            random_state=s,
        )
        for s in range(4)
    ],
    **{
        f"contractive, {name}": [
            az.Autoencoder(network, objective=0.3 * Contraction(**parameters), epochs=3, batch_size=20, random_state=s)
            for s in range(5)
        ]
        for name, (network, parameters) in CONTRACTED.items()
    },
    "contractive, normalised": [  # by autograd, from batches that begin anywhere in memory
        az.Autoencoder(
            az.Input() + az.Dense(75, "selu", normalization="batch") + az.Bottleneck(13, "silu") + az.Output(),
            objective=0.3 * Contraction(exact=0, probes=1),
            epochs=2,
            batch_size=43,
            precision="float64",
            random_state=s,
        )
        for s in range(3)
    ],
    "gelu": [az.Autoencoder(deep_gelu(), epochs=4, random_state=s) for s in range(3)],
    "variational, gelu": [az.VariationalAutoencoder(deep_gelu(), epochs=4, random_state=s) for s in range(3)],
    "batch norm": [
        az.Autoencoder(
            az.Input() + az.Dense(6, "relu", normalization="batch") + az.Dense(2) + az.Output(),
            epochs=3,
            random_state=s,
        )
        for s in range(3)
    ],
    **{
        f"{kind} norm, {'tied' if tied else 'free'}": [
            az.Autoencoder(
                az.Input()
                + az.Dense(37, "silu", normalization=kind)
                + az.Dropout(0.1)
                + az.Dense(21, "tanh", normalization=kind)
                + az.Dense(3)
                + az.Output(tied=tied),
                epochs=2 + s,
                patience=2,
                learning_rate=0.02,
                batch_size=32,
                random_state=s,
            )
            for s in range(3)
        ]
        for kind in ("layer", "batch")
        for tied in (False, True)
    },
    "norms between layers": [
        az.Autoencoder(
            az.Input() + az.BatchNorm() + az.Dense(19, "relu") + az.LayerNorm() + az.Dense(3) + az.Output(),
            epochs=4,
            random_state=s,
        )
        for s in range(5)
    ],
    "of all kinds": [
        az.Autoencoder(2, epochs=3, random_state=0),
        az.ContractiveAutoencoder(2, epochs=3, random_state=1),
        az.SparseAutoencoder(2, epochs=3, random_state=2),
    ],
}


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("data", ["whole", "holes"])
def test_a_member_is_what_it_is_alone(name, data):
    table = X if data == "whole" else HOLES
    together = az.fit_together([clone(member) for member in POPULATIONS[name]], table)
    for member, prototype in zip(together, POPULATIONS[name], strict=True):
        same(member, clone(prototype).fit(table))
        np.testing.assert_array_equal(member.errors(table), clone(prototype).fit(table).errors(table))


def test_rows_of_their_own():
    rows = [RNG.choice(150, 90, replace=False) for _ in range(3)]
    one, two, three = az.fit_together(members(3), X, rows=rows)
    again = az.fit_together(members(2)[1:], X, rows=rows[1:2])[0]
    same(two, again)
    assert not torch.equal(weights(one), weights(three))
    bootstrap = az.fit_together(members(2), X, rows=[RNG.integers(0, 150, 150) for _ in range(2)])
    assert all(len(member.history_) == 6 for member in bootstrap)
    with pytest.raises(ValueError, match="150 rows, got positions from 0 to 150"):
        az.fit_together(members(1), X, rows=[[0, 150]])
    with pytest.raises(ValueError, match="a whole number each"):
        az.fit_together(members(1), X, rows=[[0.5, 1.0]])
    with pytest.raises(ValueError, match="one array for each of 2"):
        az.fit_together(members(2), X, rows=[[0, 1]])


def test_validation_data_and_callbacks():
    heard = []
    listening = [m.set_params(callbacks=(lambda record, n=n: heard.append(n),)) for n, m in enumerate(members(2))]
    listening[1].set_params(metrics="mse", callbacks=(lambda record: heard.append(1) or record["epoch"] == 2,))
    one, two = az.fit_together(listening, X[:100], validation_data=X[100:])
    assert heard.count(0) == 6
    assert heard.count(1) == 2
    assert two.stopped_ == "callback"
    assert "mse" in two.history_[0]
    same(one, members(1)[0].fit(X[:100], validation_data=X[100:]))


def test_a_member_that_diverges_leaves_the_others_alone():
    wild = members(3)
    wild[1].set_params(learning_rate=1e30, optimizer="sgd")
    wild[2].set_params(optimizer="sgd")
    with pytest.warns(az.TrainingWarning, match="member 1 is left unfitted"):
        found = az.fit_together(wild, X)
    same(found[0], members(1)[0].fit(X))
    assert not hasattr(found[1], "network_")
    same(found[2], members(3)[2].set_params(optimizer="sgd").fit(X))
    alone = [members(1)[0].set_params(learning_rate=1e30, optimizer="sgd")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(FloatingPointError, match="turned NaN or infinite in epoch 1"):
            az.fit_together(alone, X)


def test_what_is_no_population(tmp_path):
    ae = az.Autoencoder(2)
    with pytest.raises(ValueError, match="given twice"):
        az.fit_together([ae, ae], X)
    with pytest.raises(TypeError, match="expected autoencoders"):
        az.fit_together([az.AnomalyDetector()], X)
    with pytest.raises(ValueError, match="checkpoint"):
        az.fit_together([az.Autoencoder(2, checkpoint=tmp_path / "c")], X)
    assert az.fit_together([], X) == []


def test_layers_of_one_unit_have_the_bits_that_they_have_alone():
    """A product with one column is another routine of the library alone than among others."""
    for rows, units, columns in ((80, 1, 4), (60, 2, 1), (100, 1, 13)):
        X = np.random.default_rng(0).normal(size=(rows, columns))
        alone = az.Autoencoder(units, epochs=2, random_state=0).fit(X)
        first, _ = az.fit_together([az.Autoencoder(units, epochs=2, random_state=seed) for seed in (0, 1)], X)
        for one, other in zip(alone.network_.parameters(), first.network_.parameters(), strict=True):
            assert np.array_equal(one.detach().numpy(), other.detach().numpy())


def test_rows_packed_once_serve_many():
    """`Packed` gives what the table itself gives; pieces and codes are those of the members."""
    X = np.random.default_rng(0).normal(size=(90, 5))
    rows = [np.arange(60), np.arange(30, 90)]
    plain = az.fit_together([az.Autoencoder(2, epochs=2, random_state=seed) for seed in (0, 1)], X, rows=rows)
    packed = populations.Packed(X, az.Autoencoder(2))
    made = populations.fit_together([az.Autoencoder(2, epochs=2, random_state=s) for s in (0, 1)], packed, rows=rows)
    assert len(packed) == 90
    assert packed.schema.width == 5
    for one, other in zip(plain, made, strict=True):
        assert np.array_equal(one.encode(X), other.encode(X))
        assert np.array_equal(packed.codes(other, np.array([5, 2])), other.encode(X)[[5, 2]])
    pieces = list(populations.pieces(made[0], X))
    cells, codes = populations.seen(made, pieces[0])[1]
    assert np.array_equal(codes, made[1].encode(X))
    assert np.allclose(cells, made[1].errors(X, per_feature=True))
    hidden = populations.without(pieces[0], packed.schema, 3)
    assert not hidden.mask[:, 3].any()
    assert hidden.mask[:, [0, 1, 2, 4]].all()
    assert (hidden.x[:, 3] == 0).all()
    assert np.array_equal(hidden.x[:, :3], pieces[0].x[:, :3])
