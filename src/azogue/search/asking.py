"""What a user asks of a search: checked, and told apart from what others asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone

from azogue.autoencoder import Autoencoder
from azogue.recipe import Batch
from azogue.search.space import Space
from azogue.search.strategies import STRATEGIES

if TYPE_CHECKING:
    from azogue.search.architecture import ArchitectureSearch

#: Parameters of the shared autoencoder that each candidate has its own of, or that change no result.
OWN = ("network", "learning_rate", "callbacks", "verbose", "random_state", "engine")


def check(search: ArchitectureSearch) -> None:
    """Refuse parameters that make no sense, but for the budget.

    Raises
    ------
    ValueError
        Naming the parameter, and what it may be.
    """
    choices = {"strategy": STRATEGIES, "complexity": ("relative", "paper"), "preset": (None, "paper")}
    for name, known in choices.items():
        value = getattr(search, name)
        if value not in known:
            raise ValueError(f"{name}: {value!r} is unknown; use one of {', '.join(map(str, known))}")
    if not search.alpha >= 0.0:
        raise ValueError(f"alpha: expected a number of at least 0, got {search.alpha!r}")
    for name in ("test_fraction", "validation_fraction"):
        if not 0.0 < getattr(search, name) < 1.0:
            raise ValueError(f"{name}: expected a part in (0, 1), got {getattr(search, name)!r}")
    if search.cv is not None and (isinstance(search.cv, bool) or not isinstance(search.cv, int) or search.cv < 2):
        raise ValueError(f"cv: expected None or a whole number of at least 2, got {search.cv!r}")
    jobs = 1 if search.n_jobs == "ray" else search.n_jobs
    if isinstance(jobs, bool) or not isinstance(jobs, int) or (jobs < 1 and jobs != -1):
        raise ValueError(f"n_jobs: expected a whole number of at least 1, -1 or 'ray', got {jobs!r}")
    own = search.objective
    if jobs != 1 and callable(own) and "<" in getattr(own, "__qualname__", type(own).__qualname__):
        raise ValueError(
            "n_jobs: other processes cannot be sent this objective; define it by `def` at the top of a module, or use "
            "n_jobs=1"
        )


def base_of(search: ArchitectureSearch) -> Autoencoder:
    """What all candidates share: the given autoencoder, or that of the given space, unfitted.

    Raises
    ------
    TypeError, ValueError
        For what is no autoencoder, has parameters that a search cannot keep, or is not that of the space.
    """
    given = search.autoencoder
    if given is None and isinstance(search.space, Space):
        given = search.space.base
    if given is None:
        return Autoencoder(modality=search.modality, scaling=search.scaling)
    if not isinstance(given, Autoencoder):
        raise TypeError(f"autoencoder: expected an unfitted Autoencoder or None, got {given!r}")
    if given.privacy is not None or given.checkpoint is not None:
        raise ValueError("autoencoder: candidates of a search take neither privacy= nor checkpoint=; leave it out")
    if not (isinstance(given.network, str) and given.network == "auto"):
        raise ValueError(
            "autoencoder: the search is for its network; leave it out, or narrow the space: space={'code': (2, 8)}"
        )
    if isinstance(search.space, Space) and shared_by(given) != shared_by(search.space.base):
        raise ValueError("autoencoder: the space was made for another one; give it to Space.of, or leave it out here")
    base: Autoencoder = clone(given)
    return base


def shared_by(base: Autoencoder) -> str:
    """What candidates have of an autoencoder, as text."""
    parameters = base.get_params(deep=False)
    own = repr(sorted((name, repr(value)) for name, value in parameters.items() if name not in OWN))
    return f"{type(base).__name__} {own}"


def space_of(given: Any, base: Autoencoder, schema: Any, rows: Batch) -> Space:
    """The space of a search for some rows.

    Raises
    ------
    ValueError, TypeError
        For genes that make no sense, or a space for rows of another shape.
    """
    if isinstance(given, Space):
        if given.shape != tuple(schema.shape):
            raise ValueError(f"space: is for rows of shape {given.shape}, but these have {tuple(schema.shape)}")
        return given
    inside = bool(((rows.x >= 0) & (rows.x <= 1)).all())
    positions = len(schema.shape) == 2 or hasattr(schema, "vocabulary")
    unit = not positions and (base.scaling in ("auto", "minmax") or (base.scaling == "none" and inside))
    return Space.of(schema.shape, given, base, unit=unit)


def scorer_of(objective: Any) -> Callable[..., float] | None:
    """What judges codes, None where reconstructions are judged.

    Raises
    ------
    ValueError
        For a name that scikit-learn does not know.
    """
    if isinstance(objective, str) and objective == "reconstruction":
        return None
    if callable(objective):
        return objective  # type: ignore[no-any-return]
    from sklearn.metrics import get_scorer, get_scorer_names

    if objective not in get_scorer_names():
        raise ValueError(
            f"objective: {objective!r} is unknown; use 'reconstruction', the name of a scikit-learn scorer "
            "such as 'accuracy', or a callable"
        )
    return get_scorer(objective)  # type: ignore[no-any-return]


def name_of(objective: Any, cache: Any) -> str:
    """An objective as a cache knows it.

    Raises
    ------
    ValueError
        With a cache, for a function that has no name to know it by.
    """
    if isinstance(objective, str):
        return objective
    named = f"{getattr(objective, '__module__', '')}.{getattr(objective, '__qualname__', repr(objective))}"
    if cache is not None and ("<" in named or " at 0x" in named):
        raise ValueError(
            "objective: a cache cannot tell this function from others; define it by `def` at the top of a module, or "
            "leave cache= out"
        )
    return named


def digest_of(rows: Batch, known: Any) -> str:
    """What a search looks at, as a hash."""
    digest = hashlib.sha256(rows.x.numpy().tobytes())
    digest.update(b"" if rows.mask is None else rows.mask.numpy().tobytes())
    digest.update(b"" if known is None else repr(np.asarray(known).tolist()).encode())
    return digest.hexdigest()
