"""A variant from outside the package, with a code, a prior, a term and a player of its own, works everywhere."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator

import azogue as az
from azogue.codes import CodeSpec
from azogue.objectives import Term
from azogue.priors import Prior
from azogue.recipe import Code


@dataclass(frozen=True, repr=False)
class Box(Prior):
    """Uniform on [−1, 1]."""

    independent: ClassVar[bool] = True

    def draw(self, n, size, rng):
        return 2 * torch.rand((n, size), generator=rng.generator("box")) - 1

    def quantile(self, p):
        return 2 * p - 1


@dataclass(frozen=True, repr=False)
class Ring(CodeSpec):
    """Bounded units with a learned stretch."""

    prior: Prior = Box()
    provides: ClassVar[frozenset[str]] = frozenset({"norm"})

    def parameters(self, size, rng):
        return {"stretch": torch.ones(size)}

    def __call__(self, h, rng, *, stretch):
        z = (h * stretch).tanh()
        return Code(z, {"norm": z.square().sum(1)})


@dataclass(frozen=True, repr=False)
class Outward(Term):
    """Units away from the centre."""

    to: float = 1.0
    needs: ClassVar[frozenset[str]] = frozenset({"norm"})

    def __call__(self, step):
        return (self.to - step.code.stats["norm"]).square()


@dataclass(eq=False, repr=False)
class RingAutoencoder(az.Autoencoder):
    """A preset of twelve lines."""

    outward: float = 0.1
    radius: float = 1.0

    def axes(self):
        return az.Axes(
            corruption=az.corruptions.Swap(0.05),
            code=Ring(),
            penalties=self.outward * Outward(self.radius) + 0.1 * az.objectives.Adversary((8,)),
        )


@pytest.fixture(scope="module")
def iris():
    return load_iris().data


def test_it_meets_the_contract():
    az.check_autoencoder(RingAutoencoder)


def test_it_works_in_every_application(iris, tmp_path):
    applications = [
        name for name in az.__all__ if getattr(getattr(az, name), "__module__", "").startswith("azogue.applications")
    ]
    applications = [name for name in applications if issubclass(getattr(az, name), BaseEstimator)]  # ciphers are none
    assert {"AnomalyDetector", "Anonymizer", "Imputer"} <= set(applications)
    own = {"SemanticHasher": {"n_bits": 8}}  # what an application needs besides, and what its autoencoder does
    asked = {"SemanticHasher": {"network": 8}, "Synthesizer": {"modality": az.modalities.Coded()}}
    for name in applications:
        ring = RingAutoencoder(**{"network": 2, "epochs": 10, "random_state": 0, **asked.get(name, {})})
        for inner in (ring, FrozenEstimator(clone(ring).fit(iris))):
            owner = getattr(az, name)(autoencoder=inner, **own.get(name, {})).fit(iris, load_iris().target)
            path = tmp_path / f"{name}.azogue"
            owner.save(path)
            again = az.load(path)
            method = next(m for m in ("anomaly_score", "transform", "predict") if hasattr(owner, m))
            assert np.array_equal(getattr(again, method)(iris), getattr(owner, method)(iris)), name


def test_shortcuts_samples_and_pictures_know_it(iris):
    from azogue.shortcuts import kinds

    assert kinds()["ring"] is RingAutoencoder
    assert az.autoencode(iris, 2, kind="ring", epochs=2, random_state=0).shape == (150, 2)
    ae = RingAutoencoder(2, epochs=5, random_state=0).fit(iris)
    assert ae.sample(5).shape == (5, 4)
    assert np.allclose(
        ae.generate(2, low=0.25, high=0.75), ae.decode([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]])
    )
    assert "Outward" in str(ae.plan(iris))
    assert ae.history_[0].keys() >= {"outward", "adversary", "adversary_loss", "reconstruction"}
    assert az.report.report(ae, iris).to_dict()
