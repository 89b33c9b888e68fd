"""Use 4, missing data: cells that networks tell from the other cells of their row, and from rows that are alike."""

from __future__ import annotations

import warnings
from dataclasses import KW_ONLY, dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.frozen import FrozenEstimator

from azogue.applications.chains import keep
from azogue.applications.completing import Completing
from azogue.applications.correcting import FEWEST, Told, learned
from azogue.applications.filling import (
    EMPTY,
    default_member,
    fit_members,
    folds_of,
    honest,
    scatter,
    slots_of,
    spelled,
)
from azogue.applications.merging import gaps
from azogue.applications.owner import Application, owned, unfitted
from azogue.autoencoder import Autoencoder
from azogue.corruptions import Hiding
from azogue.modalities import Table, TableSchema
from azogue.populations import Packed
from azogue.recipe import Batch
from azogue.session import as_seed
from azogue.validation import remember_columns

#: Networks, each without a part of the rows, and rows from which there are several.
MEMBERS, ENOUGH = 4, 40


@dataclass(eq=False, repr=False)
class Imputer(Completing, OneToOneFeatureMixin, TransformerMixin, Application):  # type: ignore[misc]
    r"""Fills missing cells of mixed tables, those of new rows too; what was observed stays as it is, to the bit.

    Autoencoders see which cells are missing. Training hides further cells, up to 80 % of a row, and counts those alone.
    Each network trains without a part of the rows, so that its errors there, with a column hidden, are honest. A
    column's expectation is the networks' mean and a correction by these errors `e`, with features `f` of the filled row
    without the column: a ridge regression, and the mean over rows that are alike,

    .. math:: \hat x = \bar g(x) + f^\top \beta + \frac{\sum_i k(f, f_i)\,(e_i - f_i^\top \beta)}{\sum_i k(f, f_i) + a}

    Ridge, width of the normal kernel `k` and `a` are those that do best on errors of rows that take no part.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted; without a corruption it gets `corruptions.Hiding`) or fitted inside
        `sklearn.frozen.FrozenEstimator` (used as it is). None: `members` networks for tables, else one of
        `network="auto"`.
    members : int or "auto"
        Networks; auto: 4, and one for fewer than 40 rows or an autoencoder that is given.
    cascade : int
        Autoencoders in each network: every further one adds what those before it left out (Tran et al. 2017; see
        `Output`). Training takes as many times as long, and more, since it needs autograd.
    residual : bool
        Whether expectations are corrected by the errors in other rows.
    passes : int
        How often cells are filled: from the second time on, corrections read the row as the time before filled it. The
        averages over rows that are alike, which take most of the time, are added in the last one.
    rounded : bool
        Whether numbers of float columns of frames come with as many decimals as the column has, so whole numbers stay
        whole. Integers, dates and booleans always come back as such.
    clipped : bool
        Whether numbers stay in the range that was observed.
    modality, scaling : see `Autoencoder`
        For the autoencoders that are made where none is given; so are `random_state` and `verbose`.

    Attributes
    ----------
    members_ : list of Autoencoder
    autoencoder_ : Autoencoder
        The first of them.
    corrections_ : dict
        A column's correction, by its position: see `correcting.Correction`.
    kept_ : dict of ndarray
        Packed rows, at most 4,000, on which draws are regressed: see `chains.keep`.
    skill_ : ndarray, shape (columns,)
        How much better than its mean (or most frequent value) a hidden cell of the column is told: 1 − the ratio of
        squared errors (of error rates), in rows that took no part. 0 or less: no better. NaN: not known.

    Notes
    -----
    Pictures, signals and texts with missing values are reconstructed, without corrections.

    Examples
    --------
    >>> import azogue as az
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> X[::3, 1] = np.nan
    >>> filled = az.Imputer(random_state=0).fit_transform(X)
    >>> bool(np.isnan(filled).any()), bool((filled == X)[~np.isnan(X)].all())
    (False, True)
    """

    _: KW_ONLY
    members: Any = "auto"
    cascade: int = 1
    residual: bool = True
    passes: int = 2
    rounded: bool = True
    clipped: bool = True

    # -- fitting ----------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn how cells follow from one another.

        Parameters
        ----------
        X : table, shape (n, columns), with or without missing cells
        y : ignored

        Raises
        ------
        ValueError, TypeError
            For parameters or data that make no sense, naming them.

        Warns
        -----
        UserWarning
            For columns without any value: they stay empty.
        """
        self._check()
        remember_columns(self, X, reset=True)
        self.seed_ = as_seed(self.random_state)
        rng = np.random.default_rng(self.seed_)
        self.corrections_: dict[str, dict[str, np.ndarray]] = {}
        given = isinstance(self.autoencoder, FrozenEstimator)
        if given or self._kind(X) != "table":
            self.members_ = [owned(self._prepared(), Autoencoder(**self._shared(self.modality)), X, self.seed_)]
            folds: list[np.ndarray] = []
        else:
            folds = self._fit_members(X, rng)
        self.n_features_in_ = self.autoencoder_.n_features_in_
        if isinstance(self.schema_, TableSchema):
            self._learn(spelled(self.schema_.pack(X)), folds, rng)
            self._warn_empty()
        return self

    def _prepared(self) -> Any:
        """The autoencoder that was given, taught to tell hidden cells where it is taught nothing else."""
        if self.autoencoder is None or isinstance(self.autoencoder, FrozenEstimator):
            return self.autoencoder
        own: Autoencoder = clone(unfitted(self.autoencoder))
        if own.corruption is None and own.axes().corruption is None:
            own.set_params(corruption=Hiding(0.0, 0.8))
        return own

    def _fit_members(self, X: Any, rng: np.random.Generator) -> list[np.ndarray]:
        member, single = self._prepared(), self.autoencoder is not None
        if member is None:
            rows = len(gaps(X))
            modality = self.modality if isinstance(self.modality, Table) else None
            member = default_member(rows, self.scaling, None if modality is None else modality.weights, self.cascade)
            if modality is not None and modality.knots:
                member.set_params(modality=modality)
        packed = Packed(X, clone(member))
        count = (1 if single or len(packed) < ENOUGH else MEMBERS) if self.members == "auto" else int(self.members)
        folds = folds_of(len(packed), count, rng) if 1 < count <= len(packed) // 2 else []
        self.members_ = fit_members(member, packed, folds, rng)
        return folds if len(folds) == len(self.members_) else []

    def _learn(self, batch: Batch, folds: list[np.ndarray], rng: np.random.Generator) -> None:
        """Each column's correction, and how well its cells are told."""
        schema, self.kept_ = self.schema_, keep(batch, folds, np.random.default_rng(self.seed_))
        self.skill_ = np.full(schema.n_columns, np.nan)
        slots, x, mask = slots_of(schema), batch.x.numpy(), batch.mask
        for column, own in slots.items():
            out, filled = honest(self.members_, folds, batch, schema, column)
            rows = np.flatnonzero(mask.numpy()[:, own[0]] & ~np.isnan(out[:, own[0]]))  # type: ignore[union-attr]
            if len(rows) < FEWEST:
                continue
            used = np.concatenate([other for at, other in slots.items() if at != column] or [np.empty(0, int)])
            truth, told = x[np.ix_(rows, own)], out[np.ix_(rows, own)]
            read = Told(filled[rows], mask.numpy()[rows], told)  # type: ignore[union-attr]
            spare = scatter(self.members_, batch, schema, column, rng) if self.residual else 0.0
            made = learned(read, truth - told, used.astype(int), rng, scatter=spare, mean=self.residual)
            self.corrections_[str(column)] = made.state()
            kept = made.rows.astype(int)
            self.skill_[column] = _skill(truth[kept], truth[kept] - made.left)

    def _warn_empty(self) -> None:
        names = self.schema_.names or range(self.schema_.n_columns)
        empty = [name for at, name in enumerate(names) if at not in slots_of(self.schema_)]
        if empty:
            warnings.warn(
                f"{EMPTY}: {', '.join(map(repr, empty))}; drop them, or fill them by hand",
                UserWarning,
                stacklevel=3,
            )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check(self) -> None:
        for name in ("members", "cascade", "passes"):
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if not (name == "members" and value == "auto") and not (whole and value >= 1):
                raise ValueError(f"{name}: expected a whole number of at least 1, got {value!r}")


def _skill(truth: np.ndarray, told: np.ndarray) -> float:
    """1 − the error relative to that of the mean, or of the most frequent category."""
    if truth.shape[1] > 1:
        wrong, usual = truth.argmax(1) != told.argmax(1), 1.0 - truth.mean(axis=0).max()
        return 1.0 - float(wrong.mean()) / usual if usual > 0 else np.nan
    usual = float(truth.var())
    return 1.0 - float(np.square(truth - told).mean()) / usual if usual > 0 else np.nan
