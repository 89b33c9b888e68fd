"""Populations: many autoencoders trained at once, each to the bits that it would have on its own."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import torch

from azogue.autoencoder import Autoencoder
from azogue.inference import by_column
from azogue.modalities.base import Pieces
from azogue.recipe import Batch
from azogue.session import Prepared, Session, as_seed, open_session, place
from azogue.training.loop import Run, TrainingWarning, train_together
from azogue.training.state import start
from azogue.training.threads import is_heavy
from azogue.validation import remember_columns

A = TypeVar("A", bound=Autoencoder)

#: Rows that are looked at together where few of them lose one column after another.
TOGETHER = 288


@dataclass(frozen=True)
class Packed:
    """Rows that are prepared once for many autoencoders; `fit_together` takes it in place of them.

    Parameters
    ----------
    X : table, pictures, sequences or texts
    like : Autoencoder
        One of those that are to be fitted: how rows are prepared depends on modality, scaling, network and objective.
    validation_data : table, optional
        Rows for early stopping, instead of a part of each member's own; they do not decide how rows are prepared.
    """

    X: Any
    like: Autoencoder
    validation_data: Any = None
    held: Prepared = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        remember_columns(self.like, self.X, reset=True)
        open_session(self.like, self.X, self.validation_data, 0, prepared=self.held)

    def __len__(self) -> int:
        return len(next(iter(self.held.values()))[1])

    @property
    def schema(self) -> Any:
        """How the rows were prepared."""
        return next(iter(self.held.values()))[0]

    def codes(self, member: Autoencoder, rows: np.ndarray) -> np.ndarray:
        """What a fitted member makes of some of the rows, by their positions: codes (k, units)."""
        return member._reader.codes(place(self.take(rows), member.network_).all()).numpy()

    def held_out(self, schema: Any) -> Batch:
        """The packed validation rows, as members of a schema see them."""
        rows = next(held for known, _, held in self.held.values() if known is schema and held is not None)
        return rows.take(torch.arange(len(rows)))

    def take(self, rows: np.ndarray) -> Batch:
        """Some of the packed rows, by their positions."""
        return next(iter(self.held.values()))[1].take(torch.as_tensor(rows.astype(np.int64)))


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
    X : table, shape (n, columns), or Packed
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
    prepared: Prepared = X.held if isinstance(X, Packed) else {}
    if isinstance(X, Packed):
        X, validation_data = X.X, X.validation_data
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


def pieces(member: Autoencoder, X: Any) -> Pieces:
    """Rows as the networks read them, some at a time, for members that were fitted together."""
    remember_columns(member, X, reset=False)
    rows = member._reader.packed(member.schema_, X)
    if not isinstance(rows, Batch):
        return rows
    size = 16 * member._reader.block
    starts = range(0, max(len(rows), 1), size)
    return Pieces(len(rows), rows.rows, (rows.take(slice(start, start + size)) for start in starts))


def seen(members: Sequence[Autoencoder], piece: Batch) -> list[tuple[np.ndarray, np.ndarray]]:
    """What each member makes of packed rows: the errors of their cells (k, columns), NaN where missing, and codes."""
    found = []
    for member in members:
        cells, codes = zip(*member._reader.cells_and_codes(piece), strict=True)
        found.append((np.concatenate(list(by_column(cells, member.schema_))), np.concatenate(codes)))
    return found


def reflected(members: Sequence[Autoencoder], piece: Batch) -> np.ndarray:
    """The members' mean reconstruction of packed rows, in scaled units, (k, width)."""
    return np.asarray(np.mean([member._reader.reconstructed(piece).numpy() for member in members], axis=0))


def without(piece: Batch, schema: Any, column: int) -> Batch:
    """Packed rows of a table as if a column were missing in all."""
    slots = torch.from_numpy(np.flatnonzero(schema.slot_columns == column))
    x = piece.x.index_fill(1, slots, 0.0)
    mask = torch.ones_like(x, dtype=torch.bool) if piece.mask is None else piece.mask
    return Batch(x, mask.index_fill(1, slots, False))


def without_each(piece: Batch, schema: Any, columns: Iterable[int]) -> Iterator[tuple[np.ndarray, Batch]]:
    """Packed rows of a table without one column and then another, several of few rows at a time.

    Parameters
    ----------
    piece : Batch of k rows
    schema : TableSchema
    columns : iterable of int

    Yields
    ------
    columns, batch
        Some of the columns, and the rows without the first of them, then those without the next, and so on.
    """
    wanted = np.asarray(list(columns), int)
    for some in np.array_split(wanted, -(-len(wanted) * len(piece) // TOGETHER) or 1):
        parts = [without(piece, schema, int(column)) for column in some]
        masks = [part.mask for part in parts if part.mask is not None]
        if parts:
            yield some, Batch(torch.cat([part.x for part in parts]), torch.cat(masks))


def _check(members: Sequence[Any], rows: Sequence[Any] | None) -> None:
    for member in members:
        if not isinstance(member, Autoencoder):
            raise TypeError(f"fit_together: expected autoencoders, got {member!r}")
        if member.privacy is not None:
            raise ValueError("fit_together: each member would spend a privacy budget; fit private ones one by one")
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
    if any(weights.ndim == 2 and 1 in weights.shape for weights in session.network.parameters()):
        return id(session)  # products with a single column take another path alone, which rounds differently
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
