from __future__ import annotations

import os

# the tests run in as many processes as there are cores: one thread each, or they would wait for one another
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["LANGUAGE"] = "en"  # help is compared with English wherever the tests run

from contextlib import contextmanager, nullcontext
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from azogue.applications.ensembles import NOVELTY

# the same examples in every run, so that a change is judged by what it changes; HYPOTHESIS=explore draws new ones
settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS", "same"))

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture
def data_folder() -> Path:
    """Real data beside the checkout; the test is skipped where there is none."""
    if not DATA.is_dir():
        pytest.skip("no data folder beside the checkout")
    return DATA


@pytest.fixture
def rows() -> np.ndarray:
    """200 rows near a curved surface of two dimensions in eight."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(200, 2))
    return np.tanh(hidden @ rng.normal(size=(2, 8))) + 0.05 * rng.normal(size=(200, 8))


#: Of the default networks of applications, how long they train in tests: about a tenth of a user's.
SHORT = {
    "generators.STEPS": 240,
    "generators.TOLD": 250,
    "filling.STEPS": 60,
    "chains.PASSES": 1,
    "hashing.STEPS": 100,
    "hashing.FEWEST": 30,
    "pictures.EPOCHS": (2, 4),
    "signals.EPOCHS": (2, 6),
    "censoring.EPOCHS": (2, 10),
    "coding.STEPS": 10,
    "ensembles.SLOW": 300,
    "ensembles.NOVELTY": replace(NOVELTY, steps=200),
}


def _of(place: str) -> Any:
    module, name = place.split(".")
    return getattr(import_module(f"azogue.applications.{module}"), name)


USUAL = {place: _of(place) for place in SHORT}


@contextmanager
def training(lengths):
    """Default networks train so long."""
    with pytest.MonkeyPatch.context() as patch:
        for place, length in lengths.items():
            patch.setattr(f"azogue.applications.{place}", length)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Most tests ask what comes back, in which shape, and whether it runs at all, for which short training will do.

    Doctests of the package, which this is asked for too, show what users see.
    """
    with training(SHORT) if Path(__file__).parent in item.path.parents else nullcontext():
        return (yield)


@pytest.fixture(autouse=True)
def _trained(request):
    """A test that is marked `trained` asks how good default networks are; fixtures of a module stay short."""
    with training(USUAL) if request.node.get_closest_marker("trained") else nullcontext():
        yield
