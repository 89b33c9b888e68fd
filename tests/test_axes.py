"""Corruptions and codes: what they do, on average and in every single cell."""

import pytest
import torch

from azogue import codes, corruptions
from azogue.recipe import Rng

X = torch.arange(1.0, 2001.0).reshape(500, 4)
RNG = Rng(0, epoch=2, step=3)
ALL = [
    corruptions.Zeros(0.3),
    corruptions.Ones(0.3),
    corruptions.SaltPepper(0.3),
    corruptions.Swap(0.3),
    corruptions.Masking(0.3, 0.3),
    corruptions.Gaussian(0.5),
    corruptions.Cauchy(0.5),
]


@pytest.mark.parametrize("corruption", ALL, ids=repr)
def test_drawn_from_the_counters_alone(corruption):
    seen, touched = corruption(X, RNG)
    again, _ = corruption(X, RNG)
    other, _ = corruption(X, RNG.at(step=4))
    assert torch.equal(seen, again)
    assert not torch.equal(seen, other)
    assert torch.equal(seen[~touched], X[~touched])
    assert X[0, 0] == 1.0, "the input was changed in place"
    assert eval(f"corruptions.{corruption!r}") == corruption


@pytest.mark.parametrize("corruption", ALL[:5], ids=repr)
def test_share_of_touched_cells(corruption):
    assert corruption(X, RNG)[1].float().mean().item() == pytest.approx(0.3, abs=0.04)


def test_replacements():
    for corruption, allowed in ((ALL[0], [0.0]), (ALL[1], [1.0]), (ALL[4], [0.0])):
        seen, touched = corruption(X, RNG)
        assert set(seen[touched].tolist()) == set(allowed)
    seen, touched = ALL[2](X, RNG)
    for column in range(4):
        values = set(seen[:, column][touched[:, column]].tolist())
        assert values == {X[:, column].min().item(), X[:, column].max().item()}
    seen, _ = ALL[3](X, RNG)
    for column in range(4):
        assert set(seen[:, column].tolist()) <= set(X[:, column].tolist())


def test_noise_has_its_size():
    noise = corruptions.Gaussian(0.5)(X, RNG)[0] - X
    assert noise.std().item() == pytest.approx(0.5, rel=0.05)
    noise = corruptions.Cauchy(0.5)(torch.zeros(20_000, 1), RNG)[0]
    assert noise.abs().median().item() == pytest.approx(0.5, rel=0.05)  # the quartile of a Cauchy is its scale


@pytest.mark.parametrize("corruption", [c for c in ALL if c.whole_cells], ids=repr)
def test_a_category_is_touched_whole(corruption):
    columns = torch.tensor([0, 1, 1, 1])
    one_hot = torch.eye(3)[torch.randint(0, 3, (500,), generator=RNG.generator("test"))]
    x = torch.cat([torch.rand(500, 1), one_hot], 1)
    seen, touched = corruption(x, RNG, columns)
    assert (touched[:, 1] == touched[:, 3]).all()
    if isinstance(corruption, corruptions.Swap):
        assert (seen[:, 1:].sum(1) == 1).all(), "a swapped category is still one category"


@pytest.mark.parametrize(
    "make",
    [
        lambda: corruptions.Zeros(1.5),
        lambda: corruptions.Gaussian(-1.0),
        lambda: corruptions.Cauchy(-1.0),
        lambda: corruptions.Masking(0.5, 0.1),
        lambda: codes.TopK(0),
        lambda: codes.TopK(1.0),
    ],
)
def test_senseless_parameters_are_refused(make):
    with pytest.raises(ValueError, match="must|needs"):
        make()


def test_streams_do_not_disturb_one_another():
    a, b = RNG.integer("corruption"), RNG.integer("dropout/1")
    assert a != b
    assert RNG.at(member=1).integer("corruption") != a
    assert Rng(0).integer("x") == Rng(0).integer("x")


def test_top_k_keeps_the_largest():
    h = torch.tensor([[3.0, -1.0, 2.0, 0.5], [0.0, 4.0, 1.0, 5.0]])
    assert torch.equal(codes.TopK(2)(h, None).z, torch.tensor([[3.0, 0, 2.0, 0], [0, 4.0, 0, 5.0]]))
    assert torch.equal(codes.TopK(0.25)(h, None).z, torch.tensor([[3.0, 0, 0, 0], [0, 0, 0, 5.0]]))
    assert torch.equal(codes.TopK(9)(h, None).z, h)
    assert torch.equal(codes.Point()(h, None).z, h)
