"""What a step shows and counts: corruptions that know positions, losses over touched cells, held-out rows."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch

import azogue as az
from azogue.corruptions import Corruption, Gaussian, Zeros
from azogue.recipe import Rng

RNG = np.random.default_rng(0)
SEEN_SHAPES = []


@dataclass(frozen=True, repr=False)
class FirstColumns(Corruption):
    """Sets the first columns to 0; only they count."""

    count: int = 2

    blind: ClassVar[bool] = True

    def __call__(self, x, rng, columns=None):
        touched = torch.zeros_like(x, dtype=torch.bool)
        touched[:, : self.count] = True
        return x.masked_fill(touched, 0.0), touched


@dataclass(frozen=True, repr=False)
class Shifted(Corruption):
    """Each row one place along its first axis."""

    positional: ClassVar[bool] = True

    def __call__(self, x, rng, columns=None, *, shape):
        SEEN_SHAPES.append(shape)
        seen = x.reshape(len(x), *shape).roll(1, 1).reshape(len(x), -1)
        return seen, torch.ones_like(x, dtype=torch.bool)


def fitted(network, X, y=None, **options):
    options = {"epochs": 3, "validation_fraction": 0.0, "random_state": 0, "learning_rate": 0.05} | options
    return az.Autoencoder(network, **options).fit(X, y)


@pytest.mark.parametrize("behind", [(), (az.Residual(),)], ids=["dense", "autograd"])
@pytest.mark.parametrize("holes", [False, True])
def test_only_touched_cells_count(behind, holes):
    X = RNG.normal(size=(64, 5))
    if holes:
        X[::3, 4] = np.nan
        X[::2, 1] = np.nan
    net = sum(behind, az.Input() + az.Dense(8, "silu")) + az.Dense(3) + az.Output()
    start, blind, whole = (
        _output_weights(fitted(net, X, corruption=kind, **options))
        for kind, options in (
            (FirstColumns(), {"epochs": 1, "learning_rate": 1e-12}),
            (FirstColumns(), {}),
            (Zeros(0.5), {}),
        )
    )
    moved = (blind - start).abs().amax(1)
    assert (moved[:2] > 1e-3).all()
    assert (moved[2:] < 1e-9).all()
    assert ((whole - start).abs().amax(1) > 1e-3).all()


def _output_weights(model):
    """Weights of the output's units, (5, 8)."""
    (found,) = (w.detach() for w in model.network_.decoder.parameters() if w.ndim == 2 and w.shape[0] == 5)
    return found


def test_members_of_a_population_count_each_their_own_cells():
    from azogue.populations import fit_together

    X = RNG.normal(size=(40, 4)).astype(np.float32)
    options = {"epochs": 2, "validation_fraction": 0.0, "learning_rate": 0.05, "random_state": 3}
    kinds = [FirstColumns(1), None, Zeros(0.5)]
    alone = [az.Autoencoder((6, 2), corruption=kind, **options).fit(X) for kind in kinds]
    together = [az.Autoencoder((6, 2), corruption=kind, **options) for kind in kinds]
    fit_together(together, X)
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.transform(X), other.transform(X))


def test_positions_are_told():
    SEEN_SHAPES.clear()
    pictures = RNG.integers(0, 255, (20, 6, 5, 3)).astype(np.uint8)
    fitted(az.Input() + az.Conv(4, 3, "relu", stride=2) + az.Dense(3) + az.Output(), pictures, corruption=Shifted())
    assert set(SEEN_SHAPES) == {(6, 5, 3)}
    SEEN_SHAPES.clear()
    fitted((6, 2), RNG.normal(size=(20, 7, 2)), modality="sequence", corruption=Shifted())
    assert set(SEEN_SHAPES) == {(7, 2)}
    SEEN_SHAPES.clear()
    fitted((torch.nn.Linear(9, 2), torch.nn.Linear(2, 9)), RNG.normal(size=(20, 9)), corruption=Shifted())
    assert set(SEEN_SHAPES) == {(9,)}


def test_applied_outside_of_training():
    pictures = RNG.normal(size=(2, 4, 3, 1))
    assert np.array_equal(Shifted().apply(pictures), np.roll(pictures, 1, axis=1))
    with pytest.raises(ValueError, match=r"expected rows of shape \(n, width\), got \(2, 4, 3, 1\)"):
        Zeros().apply(pictures)


@pytest.mark.parametrize("skips", [True, False])
def test_held_out_rows_of_networks_with_skips_are_corrupted(skips):
    """A row handed on whole is met without learning: its error would be 0 from the start."""
    X = RNG.normal(size=(200, 6))
    net = az.Input() + az.Dense(6) + az.Dense(3) + az.Output(skips=skips)
    options = {"validation_fraction": 0.5, "epochs": 1, "learning_rate": 1e-9, "corruption": Gaussian(3.0)}
    first, again = (fitted(net, X, **options).history_[0]["val_loss"] for _ in range(2))
    assert first == again
    expected = 9 if skips else 1  # the noise's variance; the rows' own
    assert first == pytest.approx(expected, rel=0.7)


def test_what_a_corruption_shows():
    x = torch.arange(8.0).reshape(2, 4) + 1
    mask = torch.tensor([[True, True, False, True]] * 2)
    seen, counted = FirstColumns().show(x, mask, Rng(0), None, (4,))
    assert seen[:, 2:].equal(x[:, 2:])
    assert not seen[:, :2].any()
    assert counted.tolist() == [[True, True, False, False]] * 2
    assert FirstColumns(3).show(x, mask, Rng(0), None, (4,))[1].tolist() == [[True, True, False, False]] * 2
    assert Zeros(1.0).show(x, mask, Rng(0), None, (4,))[1] is mask


@pytest.mark.parametrize("network", [(8, 4), az.Input() + az.Dense(8, "silu", normalization="batch") + az.Dense(4)])
def test_pairs_teach_what_was_done_to_rows(network):
    """Clean rows are twice what is seen; nothing but the pairs says so."""
    clean = RNG.normal(size=(300, 4)) @ np.diag([4.0, 3.0, 2.0, 1.0])
    model = fitted(network, clean, y=clean / 2, corruption=az.corruptions.Paired(), epochs=150, learning_rate=0.01)
    undone = ((model.reconstruct(clean / 2) - clean) ** 2).mean()
    assert undone < 0.1 * ((clean / 2) ** 2).mean()
    with pytest.raises(TypeError, match=r"Paired\(\) needs the corrupted rows"):
        fitted(network, clean, corruption=az.corruptions.Paired())
    with pytest.raises(ValueError, match="a corrupted version of each of the 300 rows, got 299"):
        fitted(network, clean, y=clean[1:], corruption=az.corruptions.Paired())
    with pytest.raises(TypeError, match="choose one"):
        fitted(network, clean, y=clean, corruption=az.corruptions.Paired(), objective=az.objectives.FisherRatio())


def test_pairs_of_pictures_and_series():
    pictures = RNG.integers(0, 100, (30, 6, 5)).astype(np.uint8)
    net = az.Input() + az.Conv(4, 3, "relu") + az.Conv(4, 3) + az.Output()
    model = fitted(net, pictures, y=pictures * 2, corruption=az.corruptions.Paired(), validation_fraction=0.2)
    assert model.history_[0]["val_loss"] > 0
    series = RNG.normal(size=200)
    model = fitted(
        net,
        series,
        y=series + 1,
        corruption=az.corruptions.Paired(),
        modality=az.modalities.Sequence(window=16),
        epochs=60,
    )
    assert np.abs(model.reconstruct(series + 1) - series).mean() < 0.5
