from __future__ import annotations

import os

# the tests run in as many processes as there are cores: one thread each, or they would wait for one another
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ["LANGUAGE"] = "en"  # help is compared with English wherever the tests run

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

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


#: How long the default networks of applications are trained, and the little of it that `brief` tests do.
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
}


@contextmanager
def briefly():
    """Default networks train for about a tenth of their steps."""
    with pytest.MonkeyPatch.context() as patch:
        for place, little in SHORT.items():
            patch.setattr(f"azogue.applications.{place}", little)
        yield


@pytest.fixture
def brief():
    """For tests that ask what comes back, in which shape and whether it runs at all, and not how good it is."""
    with briefly():
        yield
