"""Populations: many autoencoders trained at once, each to the bits that it would have on its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any, TypeVar

from azogue.autoencoder import Autoencoder
from azogue.session import Prepared, Session, as_seed, open_session
from azogue.training.loop import Run, TrainingWarning, train_together
from azogue.training.state import start
from azogue.training.threads import is_heavy
from azogue.validation import remember_columns

A = TypeVar("A", bound=Autoencoder)


def fit_together(
    estimators: Iterable[A], X: Any, *, rows: Sequence[Any] | None = None, validation_data: Any = None
) -> list[A]:
    """Fit autoencoders on one table together: an ensemble, the candidates of a search, the draws of an imputation.

    Members of one shape (network, code, objective, batch size, number of rows) share every product of matrices; they
    may differ in seed, corruption, learning rate, optimiser, weight decay, epochs and rows. Each ends with the bits
    that `fit(X)` alone would give it, whatever the others are. Networks so large that one of them keeps the processor
    busy train one after the other.

    Parameters
    ----------
    estimators : iterable of Autoencoder
        Changed in place, as by `fit`.
    X : table, shape (n, columns)
    rows : sequence of arrays of int, optional
        For each member, the positions of the rows that it trains on, such as a bootstrap sample. Scaling and
        categories are those of all rows of X.
    validation_data : table, optional
        Rows for early stopping, instead of a part of each member's own.

    Returns
    -------
    list of Autoencoder
        The estimators, fitted. One whose first epoch ended in NaN stays unfitted, with a `TrainingWarning`.

    Raises
    ------
    TypeError, ValueError
        As `fit` does; for checkpoints, which are for single runs; for `rows` that do not fit.
    FloatingPointError
        If the first epoch of every member ended in NaN.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> members = fit_together([Autoencoder(2, epochs=3, random_state=seed) for seed in range(4)], X)
    >>> [member.encode(X).shape for member in members]
    [(150, 2), (150, 2), (150, 2), (150, 2)]
    """
    members = list(estimators)
    _check(members, rows)
    prepared: Prepared = {}
    groups: dict[Any, list[tuple[int, A, Session]]] = {}
    for number, estimator in enumerate(members):
        remember_columns(estimator, X, reset=True)
        own = None if rows is None else rows[number]
        seed = as_seed(estimator.random_state)
        session = open_session(estimator, X, validation_data, seed, prepared=prepared, rows=own)
        groups.setdefault(_shape(session), []).append((number, estimator, session))
    errors = [error for group in groups.values() for error in _fit_group(group)]
    if errors and len(errors) == len(members):
        raise errors[0]
    return members


def _check(members: Sequence[Any], rows: Sequence[Any] | None) -> None:
    for member in members:
        if not isinstance(member, Autoencoder):
            raise TypeError(f"fit_together: expected autoencoders, got {member!r}")
        if member.checkpoint is not None:
            raise ValueError("fit_together: checkpoint= is for single runs; leave it out")
    if len({id(member) for member in members}) < len(members):
        raise ValueError("fit_together: the same estimator was given twice; make them with sklearn.base.clone")
    if rows is not None and len(rows) != len(members):
        raise ValueError(f"rows: expected one array for each of {len(members)} estimators, got {len(rows)}")


def _shape(session: Session) -> Any:
    """What members must have in common to share their products."""
    recipe, held = session.recipe, session.validation
    if session.spec is None or is_heavy(session.network, recipe.batch_size):
        return id(session)  # several threads share its products already
    return (
        session.backend.name,
        session.spec,
        session.code,
        recipe.objective,
        recipe.optimizer.memory,
        recipe.batch_size,
        recipe.precision,
        recipe.deterministic,
        len(session.data),
        None if held is None else len(held),
        id(session.schema),
    )


def _fit_group(group: Sequence[tuple[int, Autoencoder, Session]]) -> list[FloatingPointError]:
    """Train members of one shape; the errors of those that failed are returned."""
    errors = []
    with ExitStack() as stack:
        runs: list[Run] = []
        for _, estimator, session in group:
            state = start(session.network, session.recipe)
            runs.append(stack.enter_context(estimator._run(session, state)))
        train_together(runs, group[0][2].backend)
    for (number, estimator, session), run in zip(group, runs, strict=True):
        if run.error is not None:
            warnings.warn(f"member {number} is left unfitted: {run.error}", TrainingWarning, stacklevel=3)
            errors.append(run.error)
            continue
        estimator._adopt(session, run.state)
        estimator._calibrate(session.data)
    return errors
