"""Every public estimator meets scikit-learn's contract, every autoencoder ours; the lists find the classes."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import estimator_checks_generator

import azogue as az
from azogue.contract import CHECKS, check_autoencoder

ESTIMATORS = [
    thing for name in az.__all__ if isinstance(thing := getattr(az, name), type) and issubclass(thing, BaseEstimator)
]
AUTOENCODERS = [cls for cls in ESTIMATORS if issubclass(cls, az.Autoencoder)]


def quick(cls):
    if cls is az.ArchitectureSearch:
        space = {"kind": ("basic", "principal"), "layers": (0, 1), "normalization": (None,)}
        return cls("random", budget=2, space=space, autoencoder=az.Autoencoder(epochs=3))
    return cls(epochs=6) if issubclass(cls, az.Autoencoder) else cls(autoencoder=az.Autoencoder(epochs=20))


def test_the_lists_are_not_empty():
    assert len(AUTOENCODERS) >= 5
    assert len(ESTIMATORS) > len(AUTOENCODERS)


@pytest.mark.parametrize("cls", ESTIMATORS, ids=lambda cls: cls.__name__)
def test_scikit_learn_estimator(cls):
    ran = 0
    for estimator, check in estimator_checks_generator(quick(cls), legacy=True, expected_failed_checks={}):
        if getattr(check, "func", check).__name__ == "check_array_api_input":
            continue  # needs an environment variable of scikit-learn's own test suite
        check(estimator)
        ran += 1
    assert ran >= 40


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("cls", AUTOENCODERS, ids=lambda cls: cls.__name__)
def test_autoencoder(cls, check):
    check(cls())


COMBINATIONS = [
    az.SparseAutoencoder(corruption=az.corruptions.Gaussian(0.2)),
    az.DenoisingAutoencoder(code=az.codes.TopK(4), objective="huber"),
    az.RobustAutoencoder(corruption=az.corruptions.Swap(0.1), objective=0.01 * az.L1()),
    az.KSparseAutoencoder(
        objective=az.objectives.MSE() + 1e-4 * az.WeightDecay(), corruption=az.corruptions.Masking(0.0, 0.3)
    ),
]


@pytest.mark.parametrize("ae", COMBINATIONS, ids=repr)
def test_axes_combine(ae):
    for check in CHECKS:
        check(ae)


class Plugin(az.Autoencoder):
    """A variant from outside the package."""

    def axes(self):
        from azogue.session import Axes

        return Axes(corruption=az.corruptions.Swap(0.2))


def test_a_variant_from_outside_meets_the_contract():
    check_autoencoder(Plugin)


def test_the_contract_finds_faults(capsys):
    class Chatty(az.Autoencoder):
        def fit(self, X, y=None, *, validation_data=None):
            print("epoch 1")
            return super().fit(X)

    class Seeder(az.Autoencoder):
        def fit(self, X, y=None, *, validation_data=None):
            np.random.seed(0)
            return super().fit(X)

    from dataclasses import dataclass

    @dataclass(eq=False, repr=False)
    class Ignorant(az.Autoencoder):
        strength: float = 1.0

    for cls, message in ((Chatty, "printed"), (Seeder, "numpy.random was moved"), (Ignorant, "learns the same")):
        with pytest.raises(AssertionError, match=message):
            check_autoencoder(cls)
