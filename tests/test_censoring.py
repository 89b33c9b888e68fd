"""Terms about labels: golden numbers of weights, guesses, surprise and what is censored."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

import azogue as az
from azogue.objectives import Censored, Informative
from azogue.recipe import Rng


def step(logits, target, rng=None):
    """A step whose judge says `logits` of whatever it is shown."""
    told = torch.tensor(logits)
    model = SimpleNamespace(part=lambda term: lambda out, rng: told + 0 * out[:, :1])
    return SimpleNamespace(out=torch.zeros(len(target), 3), target=torch.tensor(target), model=model, rng=rng)


def test_classes_count_alike_but_for_the_rarest():
    assert Censored(shares=(0.2, 0.8)).weights == pytest.approx((2.5, 0.625))
    assert Censored(shares=(0.2, 0.8)).guess == pytest.approx(math.log(2))
    heavy = Censored(shares=(0.99, 0.01))  # 50 times as much, were it not for the bound of 5: mean .55
    assert heavy.weights == pytest.approx((1 / 1.98 / 0.55, 5 / 0.55))
    parts = (0.5 / 0.55, 0.05 / 0.55)
    assert heavy.guess == pytest.approx(-sum(part * math.log(part) for part in parts))


def test_the_surprise_is_the_weighted_cross_entropy_of_the_label_at_its_place():
    target = [0, 1, 2 + 1, 4]  # a label of two classes, and one of three at base 2: 0, 0, 1, 2
    logits = [[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    term = Informative(shares=(0.5, 0.25, 0.25), base=2)
    scores = [1 / 3, math.e**3 / (math.e**3 + 2), math.e / (math.e + 2), 1 / 3]
    weights = [term.weights[k] for k in (0, 0, 1, 2)]
    expected = [-w * math.log(p) for w, p in zip(weights, scores, strict=True)]
    assert term(step(logits, target)).tolist() == pytest.approx(expected, rel=1e-5)


def test_what_is_censored_is_what_a_judge_gains_on_guessing():
    term = Censored(shares=(0.5, 0.5))
    sure = [[math.log(9.0), 0.0], [0.0, math.log(9.0)]]
    assert term(step(sure, [0, 1])).item() == pytest.approx(math.log(2) + math.log(0.9))
    assert term(step([[0.0, 9.0], [9.0, 0.0]], [0, 1])).item() == 0.0  # misled beyond guessing: nothing to gain
    risen = [term(step(sure, [0, 1], Rng(0, epoch=epoch))).item() for epoch in (0, 2, 5, 50)]
    full = math.log(2) + math.log(0.9)
    assert risen == pytest.approx([0.0, 0.4 * full, full, full])
    assert term.opponent(step(sure, [0, 1])).tolist() == pytest.approx([-math.log(0.9)] * 2)


def test_the_judge_learns_without_moving_the_reconstruction():
    out = torch.zeros(2, 2, requires_grad=True)
    gain = torch.ones(2, requires_grad=True)
    model = SimpleNamespace(part=lambda term: lambda shown, rng: gain * shown + gain)
    seen = SimpleNamespace(out=out, target=torch.tensor([0, 0]), model=model, rng=None)
    Censored().opponent(seen).sum().backward()
    assert out.grad is None
    assert gain.grad.abs().sum() > 0
    Informative()(seen).sum().backward()
    assert out.grad.abs().sum() > 0


def test_numbers_are_shown_with_noise_and_nothing_else_is():
    frame = {"x": np.zeros(200), "kind": ["a", "b"] * 100}
    term = Censored(shares=(0.5, 0.5), noise=0.3)
    model = az.Autoencoder(2, objective=az.objectives.HeadLoss() + term, epochs=1, random_state=0)
    model.fit(pd.DataFrame(frame), np.arange(200) % 2)
    reader = next(iter(model.network_.parts.values()))
    seen = []
    reader.judge.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    out = torch.zeros(5000, reader.noisy.numel())
    reader(out, Rng(0))
    spread = seen[0].std(0)
    assert sorted({round(value, 1) for value in spread.tolist()}) == [0.0, 0.3]
    assert (spread > 0).tolist() == [True] + [False] * (len(spread) - 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shares": (1.0,)}, "shares are those of at least 2 classes"),
        ({"units": ()}, "units must be widths of at least 1"),
        ({"base": 0}, "base is at least 1"),
        ({"noise": -1.0}, "noise at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Censored(**changes)


def test_values_are_no_labels():
    with pytest.raises(TypeError, match="needs the classes of each row"):
        Censored()(step([[0.0, 0.0]], [0.5]))
