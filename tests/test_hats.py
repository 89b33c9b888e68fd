"""Hats of numbers, and the heads whose columns take several slots."""

import numpy as np
import pandas as pd
import pytest
import torch

from azogue.heads import Bernoulli, Gaussian, SpreadBernoulli, SpreadGaussian
from azogue.modalities import Table, TableSchema
from azogue.modalities.hats import fill, place


def test_hats_are_shares_of_the_two_knots_around():
    out = np.zeros((6, 4), np.float32)
    fill(np.array([0.0, 0.25, 1.5, 3.0, 9.0, np.nan]), (0.0, 1.0, 3.0), out)
    expected = [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0, 0.75, 0.25, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert np.allclose(out, expected)
    one = np.zeros((2, 1), np.float32)
    fill(np.array([5.0, np.nan]), (5.0,), one)
    assert one.tolist() == [[1.0], [0.0]]
    assert place(np.arange(1000.0), 5) == pytest.approx((0.0, 249.75, 499.5, 749.25, 999.0))


@pytest.mark.parametrize(("spread", "single"), [(SpreadGaussian, Gaussian), (SpreadBernoulli, Bernoulli)])
def test_heads_cost_their_values_alone(spread, single):
    """Two columns of three slots each: the first counts, the others are for the encoder."""
    g = torch.Generator().manual_seed(0)
    raw = torch.randn(5, 6, generator=g, dtype=torch.float64, requires_grad=True)
    x = torch.rand(5, 6, generator=g, dtype=torch.float64)
    head, plain = spread(0, 6, (0, 1), (1.0, 1.0)), single(0, 2, (0, 1), (1.0, 1.0))
    assert torch.equal(head.loss(raw, x), plain.loss(raw[:, ::3], x[:, ::3]))
    assert torch.equal(head.link(raw)[:, ::3], plain.link(raw[:, ::3]))
    (derived,) = torch.autograd.grad(head.loss(raw, x).sum(), raw)
    cells, slope = head.gradient(raw.detach(), x)
    assert torch.allclose(cells, head.loss(raw, x))
    assert torch.allclose(slope, derived)
    assert not derived[:, [1, 2, 4, 5]].any()


def test_a_missing_cell_is_told_from_every_value_and_tables_come_back():
    table = pd.DataFrame({"a": [0.0, 1.0, np.nan, 4.0], "b": [True, False, True, None], "c": ["x", "y", None, "x"]})
    schema = Table(knots=3).fit(table)
    assert schema.marked
    batch = schema.pack(table)
    width = 1 + 3
    assert (batch.x[[0, 1, 3], :width] != 0).any(1).all()
    assert not batch.x[2, :width].any()
    assert batch.mask[:, :width].all(1).tolist() == [True, True, False, True]
    back = schema.unpack(batch)
    pd.testing.assert_frame_equal(back, table)
    again = TableSchema.from_dict(schema.to_dict())
    assert torch.equal(again.pack(table).x, batch.x)
