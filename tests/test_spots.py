"""Corruptions that know where a cell stands."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import azogue as az
from azogue.corruptions import BlindSpot, Blocks, Clipped, Gaussian, Impulses, Levels, SaltPepper, Zeros
from azogue.recipe import Rng

PICTURES = np.random.default_rng(0).random((40, 9, 7, 3))
SIGNALS = np.random.default_rng(1).random((30, 50, 2))


def called(corruption, rows, seed=0):
    """seen and touched as arrays in the shape of the rows."""
    flat = torch.as_tensor(rows.reshape(len(rows), -1))
    seen, touched = corruption(flat, Rng(seed), shape=rows.shape[1:])
    assert seen.shape == touched.shape == flat.shape
    assert touched.dtype == torch.bool
    return seen.numpy().reshape(rows.shape), touched.numpy().reshape(rows.shape)


@pytest.mark.parametrize("rows", [PICTURES, SIGNALS], ids=["pictures", "signals"])
@pytest.mark.parametrize("corruption", [BlindSpot(0.3), Blocks(0.25), Blocks(0.25, 3), Impulses(0.3), BlindSpot(0.0)])
def test_what_is_not_touched_stays_as_it_was(corruption, rows):
    seen, touched = called(corruption, rows)
    assert np.array_equal(seen[~touched], rows[~touched])
    again, _ = called(corruption, rows)
    assert np.array_equal(seen, again)
    other, _ = called(corruption, rows, 1)
    assert corruption == BlindSpot(0.0) or not np.array_equal(seen, other)


@pytest.mark.parametrize("radius", [1, 2, 30])
def test_a_blind_spot_shows_another_position_nearby(radius):
    h, w = 9, 7
    places = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), -1).astype(float)
    rows = np.broadcast_to(places, (500, h, w, 2)).copy()  # each position shows its own place
    seen, touched = called(BlindSpot(0.5, radius), rows)
    assert touched.mean() == pytest.approx(0.5, abs=0.02)
    apart = np.abs(seen - rows).max(-1)
    where = touched[..., 0]
    assert (apart[where] >= 1).all()  # never itself
    assert apart.max() == min(2 * radius, h - 1)  # at an edge the window is moved inside
    middle = (seen - rows)[:, 4, 3][where[:, 4, 3]]
    if radius == 1:  # all eight neighbours, none more often
        _, counts = np.unique(middle, axis=0, return_counts=True)
        assert len(counts) == 8
        assert counts.min() > 0.4 * counts.max()


def test_channels_are_hidden_together_or_each_on_its_own():
    _, together = called(BlindSpot(0.3), PICTURES)
    assert (together.all(-1) == together.any(-1)).all()
    _, each = called(BlindSpot(0.3, together=False), PICTURES)
    assert (each.all(-1) != each.any(-1)).any()
    _, salt = called(Impulses(0.3), PICTURES)
    assert (salt.all(-1) == salt.any(-1)).all()


@pytest.mark.parametrize("p", [0.1, 0.25, 0.5])
def test_blocks_are_connected_and_of_the_size_asked_for(p):
    large = np.ones((50, 40, 30, 1))
    for seed in range(5):
        seen, touched = called(Blocks(p, value=-1.0), large, seed)
        assert touched.mean() == pytest.approx(p, abs=0.02)
        assert (seen[touched] == -1.0).all()
        for row in touched[..., 0]:
            down, across = np.flatnonzero(row.any(1)), np.flatnonzero(row.any(0))
            assert row[down[0] : down[-1] + 1, across[0] : across[-1] + 1].all()  # one full rectangle
            assert row.sum() == len(down) * len(across)
    assert len({tuple(np.argwhere(row)[0]) for row in touched}) > 10  # at places of their own
    _, spans = called(Blocks(p), SIGNALS)
    for row in spans[..., 0]:
        inside = np.flatnonzero(row)
        assert len(inside) == round(p * 50) == inside[-1] - inside[0] + 1


def test_all_may_be_hidden_or_nothing():
    assert (Blocks(1.0).apply(PICTURES) == 0).all()
    assert np.array_equal(Blocks(0.0).apply(PICTURES[:, :, :, :1]), PICTURES[:, :, :, :1])


def test_impulses_are_salt_or_pepper_at_even_odds():
    seen, touched = called(Impulses(0.2, -1.0, 2.0), np.full((50, 40, 40, 1), 0.5))
    assert touched.mean() == pytest.approx(0.2, abs=0.01)
    assert (seen == -1.0).mean() == pytest.approx(0.1, abs=0.01)
    assert (seen == 2.0).mean() == pytest.approx(0.1, abs=0.01)


def test_levels_are_drawn_for_each_row():
    noise = Levels(0.1, 0.5).apply(np.zeros((400, 500)))
    spread = noise.std(1)
    assert 0.08 < spread.min() < 0.15 < 0.45 < spread.max() < 0.55
    assert spread.mean() == pytest.approx(0.3, abs=0.02)


def test_clipped_noise_stays_within_and_behaves_as_what_it_holds():
    noise = Clipped(Gaussian(1.0), -0.5, 0.5).apply(np.zeros((20, 300)))
    assert noise.min() == -0.5
    assert noise.max() == 0.5
    assert np.array_equal(noise, Gaussian(1.0).apply(np.zeros((20, 300))).clip(-0.5, 0.5))
    for inner in (BlindSpot(), Blocks(), Zeros(), Gaussian(), SaltPepper()):
        outer = Clipped(inner)
        for name in ("positional", "blind", "whole_cells"):
            assert getattr(outer, name) == getattr(inner, name)
    assert np.array_equal(Clipped(Impulses(0.3)).apply(PICTURES), Impulses(0.3).apply(PICTURES))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BlindSpot(1.5), "BlindSpot: p must be a part"),
        (lambda: BlindSpot(radius=0), "radius must be a whole number"),
        (lambda: Blocks(-0.1), "Blocks: p must be a part"),
        (lambda: Blocks(count=0), "count must be a whole number"),
        (lambda: Impulses(True), "Impulses: p must be a part"),
        (lambda: Impulses(low=1.0), "low < high"),
        (lambda: Levels(0.3, 0.2), "0 ≤ low ≤ high"),
        (lambda: Clipped(Gaussian(), 1.0, 0.0), "low < high"),
        (lambda: BlindSpot()(torch.zeros(2, 6), Rng(0), shape=(6,)), "tables have no neighbours"),
        (lambda: BlindSpot().apply(np.zeros((2, 1, 3))), "one position"),
    ],
)
def test_nonsense_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_clipped_wants_a_corruption():
    with pytest.raises(TypeError, match="Clipped: expected a corruption"):
        Clipped(0.2)


def test_only_touched_cells_count_for_blind_corruptions():
    flat = torch.as_tensor(PICTURES.reshape(40, -1))
    for corruption in (BlindSpot(0.2), Blocks(0.2)):
        _, mask = corruption.show(flat, None, Rng(0), None, (9, 7, 3))
        assert torch.equal(mask, corruption(flat, Rng(0), shape=(9, 7, 3))[1])
    _, mask = Impulses(0.2).show(flat, None, Rng(0), None, (9, 7, 3))
    assert mask is None


def test_a_trained_blind_network_is_saved_with_its_corruption(tmp_path):
    net = az.Input() + az.Conv(4, 3, "silu") + az.Output(skips=True)
    noise = Clipped(Levels(0.1, 0.2))
    ae = az.Autoencoder(net, corruption=noise, modality="image", epochs=1, random_state=0)
    ae.fit(PICTURES.astype(np.float32)).save(tmp_path / "m.azogue")
    again = az.load(tmp_path / "m.azogue")
    assert again.corruption == noise
    assert again.corruption != Clipped(Levels(0.1, 0.3))
