"""Use 2, anomalies: rows that autoencoders of the usual rows cannot reproduce, or whose codes lie apart."""

from __future__ import annotations

import math
import warnings
from dataclasses import KW_ONLY, dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np
from scipy.stats import ks_2samp
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from azogue.applications import ensembles, grouping, thresholds
from azogue.applications.judging import Judging, center_and_spread, logs_of, median_of
from azogue.applications.owner import Application, owned, unfitted
from azogue.autoencoder import Autoencoder
from azogue.inference import even_quantiles, joined_quantiles, kept
from azogue.modalities import ImageSchema
from azogue.modalities.dataset import Dataset
from azogue.populations import Packed, fit_together
from azogue.session import as_seed
from azogue.validation import remember_columns

PARTS = ("errors", "neighbors")
#: Quantiles of the training rows' scores that are kept.
LEVELS = 1001
#: Parts of few pictures, each scored by a network that saw the others.
FOLDS = 4
#: The p-value below which a stream's scores are said to have changed.
DRIFT = 1e-3


class DriftWarning(UserWarning):
    """A stream's rows are no longer like those seen before."""


@dataclass(eq=False, repr=False)
class AnomalyDetector(Judging, OutlierMixin, Application):  # type: ignore[misc]
    r"""Scores rows by how badly small autoencoders reproduce them, and how far apart their codes lie.

    An ensemble of autoencoders of one layer each way, each trained on a few random rows, so that anomalies among the
    training rows reach few of them. Two things are told of a row, each a mean of logarithms over the members:

    - `errors`: the weighted mean, over its observed columns, of each column's error over what is usual;
    - `neighbors`: the distance of its code to the nearest of a few codes that the member remembers.

    Each is centred on its median over the training rows `m`; distances are brought to the spread of the errors:

    .. math:: s = \exp\Bigl(\tfrac1P \sum_p \tfrac{\sigma_{errors}}{\sigma_p} (\overline{\log v_p} - m_p)\Bigr)

    So 1 is usual, and higher is worse. An autoencoder that is given is used alone: a row's score is the weighted mean
    of its cells' errors, each over its column's mean error on the training rows. A picture's error is the 95 % quantile
    of its `heatmap`, so that something small counts and light does not.

    Parameters
    ----------
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted) or fitted inside `sklearn.frozen.FrozenEstimator` (used as it is). None: for
        tables the ensemble, for pictures, sequences and texts one autoencoder of `network="auto"`.
    contamination : float or "auto"
        Part of the training rows, in (0, 0.5], that lies beyond the threshold. `"auto"` puts it 2.5 robust standard
        deviations above the median of the cube roots of the training rows' scores: the cube root of a mean of squared
        errors is close to normal (Wilson & Hilferty 1931).
    threshold : str, optional
        Instead of contamination: `"mean+6sd"`, of the training rows' scores, with any number, or a quantile such as
        `"q0.99"`.
    novelty : bool
        Whether all training rows are usual. Members then learn from more rows and remember more codes.
    by : column name, number or callable, optional
        One detector for each of its values: `by="site"`. A callable gives each row's group. The column itself is left
        out.
    parts : tuple or "auto"
        Of `("errors", "neighbors")`; auto: both for the ensemble, errors for an autoencoder that is given.
    members, rows : int or "auto"
        Members, and the random rows that each is trained on: 32 of 256; 12 of 1,024 with `novelty`. 1 of all for an
        autoencoder that is given.
    trim : float
        Part of the training rows, those with the highest scores, that a second round of training leaves out.
    calibration : float
        Part of the rows that no member sees, for `p_values`.
    modality, scaling : see `Autoencoder`
        For the autoencoders that are made where none is given; so are `random_state` and `verbose`.

    Attributes
    ----------
    members_ : list of Autoencoder
    autoencoder_ : Autoencoder
        The first of them.
    offset_ : float
        `decision_function` is `score_samples` minus this. With `by`, NaN: each group has its own.
    detectors_ : dict
        With `by`: a detector for each group.

    Notes
    -----
    NOTE[DIFF] Members of random rows follow RandNet (Chen et al. 2017), which drops connections instead; distances to
    few random rows are those of Sugiyama & Borgwardt (2013), in the code. `benchmarks/anomaly.py` has the figures.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_breast_cancer
    >>> X = load_breast_cancer().data
    >>> detector = az.AnomalyDetector(random_state=0).fit(X)
    >>> detector.anomaly_score(X).shape
    (569,)
    """

    _: KW_ONLY
    contamination: Any = "auto"
    threshold: str | None = None
    novelty: bool = False
    by: Any = None
    parts: Any = "auto"
    members: Any = "auto"
    rows: Any = "auto"
    trim: float = 0.0
    calibration: float = 0.2

    # -- fitting ----------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is usual.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts
        y : ignored

        Raises
        ------
        ValueError, TypeError
            For parameters or data that make no sense, naming them.
        """
        self._check()
        for stale in ("detectors_", "members_", "calibration_scores_"):
            self.__dict__.pop(stale, None)
        if self.by is not None:
            return self._fit_groups(X)
        remember_columns(self, X, reset=True)
        seed = as_seed(self.random_state)
        rng = np.random.default_rng(seed)
        if self._many(X):
            self._settle(X, self._fit_members(X, rng))
        else:
            self._fit_one(X, seed)
            self._settle(X, np.empty(0, int))
            if self.local_ and self.autoencoder is None:
                self._cross(X, rng)
        return self

    def _many(self, X: Any) -> bool:
        """Whether an ensemble is to be fitted."""
        if self.autoencoder is not None or self.members != "auto":
            return self.members not in ("auto", 1)
        return self._kind(X) == "table"

    def _fit_one(self, X: Any, seed: int) -> None:
        if self.parts != "auto" and tuple(self.parts) != PARTS[:1]:
            raise ValueError(f"parts={self.parts!r}: one autoencoder alone tells 'errors' only; give members=16, say")
        self.parts_ = PARTS[:1]
        shared = self._shared(self.modality)
        default = Autoencoder(**shared)
        if self.autoencoder is None and self._kind(X) == "image":
            default = ensembles.linear_member(32, 400, 2e-3, **shared)
        elif self.autoencoder is None and self._kind(X) == "sequence":
            packed = Packed(X, default)
            epochs = math.ceil(ensembles.SLOW / math.ceil(len(packed) / ensembles.BATCH))
            default = ensembles.linear_member(ensembles.spanning(packed), epochs, 3e-3, **shared)
        self.members_, self.memories_ = [owned(self.autoencoder, default, X, seed)], {}

    def _cross(self, X: Any, rng: np.random.Generator) -> None:
        """The threshold from pictures that were not trained on: each is scored by a network of three quarters.

        A code as large as the number of pictures spans the training pictures; others are never met as well.
        """
        whole = self.members_
        packed = Packed(X, clone(whole[0]))
        folds = [fold for fold in np.array_split(rng.permutation(len(packed)), FOLDS) if len(fold)]
        if len(folds) < 2:
            return
        scores = np.empty(len(packed))
        for fold in folds:
            others = np.setdiff1d(np.arange(len(packed)), fold)
            self.members_ = [clone(whole[0])]
            fit_together(self.members_, packed, rows=[others])
            scores[fold] = self.anomaly_score(X)[fold]
        self.members_ = whole
        self.middle_ += median_of(logs_of(scores))
        scores /= np.exp(median_of(logs_of(scores)))
        self.quantiles_, self.calibration_scores_ = even_quantiles(scores, LEVELS), np.sort(scores)
        self.offset_ = -thresholds.threshold_of(scores, self.contamination, self.threshold)

    def _fit_members(self, X: Any, rng: np.random.Generator) -> np.ndarray:
        """Train the ensemble, once or, with `trim`, twice; the rows that no member saw."""
        shared = {"modality": self.modality, "scaling": self.scaling}
        member = unfitted(self.autoencoder)
        packed = Packed(X, Autoencoder(16, **shared) if member is None else clone(member))
        size = self._size()
        held, kept = np.split(rng.permutation(len(packed)), [int(self.calibration * len(packed))])
        if member is None:
            count = min(size.rows, len(kept))
            member = ensembles.default_member(packed.schema.width, count, size.steps, **shared)
        self._train(member, packed, kept, size, rng)
        if self.trim > 0:
            self._settle(X, held)
            ranked = kept[np.argsort(self.anomaly_score(X)[kept], kind="stable")]
            self._train(member, packed, ranked[: math.ceil((1 - self.trim) * len(ranked))], size, rng)
        return np.sort(held)

    def _size(self) -> ensembles.Size:
        size = ensembles.NOVELTY if self.novelty else ensembles.CONTAMINATED
        given = {name: getattr(self, name) for name in ("members", "rows") if getattr(self, name) != "auto"}
        return replace(size, **given)

    def _train(self, member: Any, packed: Packed, rows: np.ndarray, size: Any, rng: np.random.Generator) -> None:
        self.parts_ = tuple(self.parts) if self.parts != "auto" else PARTS if self.autoencoder is None else PARTS[:1]
        self.members_, memories = ensembles.fit_members(member, packed, rows, size, rng)
        self.memories_ = memories if "neighbors" in self.parts_ else {}

    def _settle(self, X: Any, held: np.ndarray) -> None:
        """Centre and spread of each part, the threshold, and the scores of rows that no member saw."""
        self.n_features_in_ = self.autoencoder_.n_features_in_
        self.local_ = isinstance(self.autoencoder_.schema_, ImageSchema)
        self.column_weights_ = ensembles.weights_of(self.autoencoder_)
        parts = np.concatenate([self._logs(self._look(piece)) for piece in self._pieces(X)], axis=1)
        self.center_, self.spread_, self.middle_ = np.zeros(1), np.ones(1), 0.0
        if len(self.members_) > 1 or self.local_:  # else a score is the mean of errors over what is usual: 1 already
            self.center_, self.spread_ = center_and_spread(parts)
            self.middle_ = median_of(self._joined(parts))
        logs = self._joined(parts)
        scores = np.exp(logs - self.middle_)
        self.quantiles_ = even_quantiles(scores, LEVELS)
        self.offset_ = -thresholds.threshold_of(scores, self.contamination, self.threshold)
        self.rows_seen_ = len(scores)
        if len(held):
            self.calibration_scores_ = np.sort(scores[held])

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Go on with further rows of a stream: one epoch of each member on those below the threshold.

        Rows beyond it are scored and counted, and not learned from. Warns with a `DriftWarning` where the scores are
        no longer those of the rows seen so far (two-sample Kolmogorov–Smirnov test, p < 0.001). The rows held out for
        `p_values` are out of date then: it asks for new ones.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts
        y : ignored
        """
        if self.by is not None:
            return self._fit_groups(X)
        if not hasattr(self, "members_"):
            return self.fit(X)
        if isinstance(X, Dataset):
            for block in X.blocks():
                self.partial_fit(block)
            return self
        scores = self.anomaly_score(X)
        told = ks_2samp(scores, self.quantiles_)
        if told.pvalue < DRIFT:
            warnings.warn(
                f"partial_fit: the scores of these {len(scores)} rows are not those of the rows seen before "
                f"(Kolmogorov–Smirnov {told.statistic:.2f}, median {np.median(scores):.3g}); fit anew if they stay so",
                DriftWarning,
                stacklevel=2,
            )
        usual = np.flatnonzero(scores <= -self.offset_)
        if len(usual):
            rows = grouping.take(X, usual)
            for member in self.members_:
                member.partial_fit(rows)
            if self.memories_:
                self._remember(rows)
        share = len(scores) / (self.rows_seen_ + len(scores))
        self.quantiles_ = joined_quantiles(self.quantiles_, even_quantiles(self.anomaly_score(X), LEVELS), share)
        self.rows_seen_ += len(scores)
        self.offset_ = -thresholds.threshold_of(self.quantiles_, self.contamination, self.threshold)
        self.__dict__.pop("calibration_scores_", None)
        return self

    def _remember(self, rows: Any) -> None:
        """New codes in place of the oldest ones that the members hold."""
        held = self.memories_["codes"]
        new = np.stack([member.encode(rows) for member in self.members_])[:, -held.shape[1] :]
        new = new / self.memories_["spread"]
        self.memories_["codes"] = np.concatenate([held[:, new.shape[1] :], new], axis=1)

    def to_pyod(self, X: Any) -> Any:
        """The detector with PyOD's interface and signs: `decision_function` higher for outliers, `predict` 0 or 1.

        Parameters
        ----------
        X : table
            The training rows, for `decision_scores_` and `labels_`.

        Returns
        -------
        a subclass of PyOD's `BaseDetector` where PyOD is installed
        """
        from azogue.applications.pyod import as_pyod

        check_is_fitted(self)
        return as_pyod(self, X)

    def outward(self, preparation: bool = True) -> Any:
        """What `onnx.to_onnx` and `exporting.to_torch` write: rows → `anomaly_score` and `is_anomaly`."""
        from azogue.applications.scoring import GroupScoring, Scoring

        return (Scoring if self.by is None else GroupScoring)(self, preparation)

    def groups_of(self, X: Any) -> tuple[list[str], Any]:
        """The group of each row, as `detectors_` names it, and the rows without the column that says so."""
        groups, rest = grouping.groups_of(X, self.by)
        return [str(group) for group in groups], rest

    def _fit_groups(self, X: Any) -> Self:
        """A detector for each group, under the same seed; those that are there already go on."""
        seed = as_seed(self.random_state)
        self.detectors_ = dict(getattr(self, "detectors_", {}))
        for group, _, part in grouping.split(X, self.by):
            known = self.detectors_.get(str(group)) or clone(self).set_params(by=None, random_state=seed)
            self.detectors_[str(group)] = known.partial_fit(part)
        self.offset_ = math.nan
        return self

    def _of(self, group: Any) -> AnomalyDetector:
        """The detector of a group."""
        check_is_fitted(self, "detectors_")
        if str(group) not in self.detectors_:
            known = ", ".join(self.detectors_)
            raise ValueError(f"by={self.by!r}: {group!r} was not among the groups of fit: {known}; fit again with it")
        found: AnomalyDetector = self.detectors_[str(group)]
        return found

    @classmethod
    def from_fitted(cls, autoencoder: Autoencoder, contamination: Any = "auto") -> Self:
        """A detector from a fitted autoencoder alone: calibrated by the training errors that it remembers.

        Parameters
        ----------
        autoencoder : Autoencoder
            Fitted, or loaded from a file.
        contamination : float or "auto"

        Examples
        --------
        >>> import azogue as az
        >>> from sklearn.datasets import load_iris
        >>> ae = az.Autoencoder(2, epochs=5, random_state=0).fit(load_iris().data)
        >>> bool(az.AnomalyDetector.from_fitted(ae).offset_ < -1)
        True
        """
        check_is_fitted(autoencoder, "network_")
        detector = cls(contamination=contamination, parts=PARTS[:1])
        detector._check()
        detector.members_, detector.memories_, detector.local_ = [autoencoder], {}, False
        detector.parts_ = PARTS[:1]
        detector.n_features_in_ = autoencoder.n_features_in_
        if hasattr(autoencoder, "feature_names_in_"):
            detector.feature_names_in_ = autoencoder.feature_names_in_
        detector.column_weights_ = ensembles.weights_of(autoencoder)
        profile = kept(autoencoder, "error_profile_")["quantiles"]
        detector.center_, detector.spread_, detector.middle_ = np.zeros(1), np.ones(1), 0.0
        detector.quantiles_, detector.rows_seen_ = profile, int(autoencoder.error_profile_["rows"])
        detector.offset_ = -thresholds.threshold_of(detector.quantiles_, contamination)
        return detector

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def _check(self) -> None:
        thresholds.check_threshold(self.contamination, self.threshold)
        if self.parts != "auto" and (
            not self.parts or not set(self.parts) <= set(PARTS) or isinstance(self.parts, str)
        ):
            raise ValueError(f"parts: expected 'auto' or a tuple of {PARTS}, got {self.parts!r}")
        for name in ("members", "rows"):
            value = getattr(self, name)
            whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
            if value != "auto" and not (whole and value >= 1):
                raise ValueError(f"{name}: expected 'auto' or a whole number of at least 1, got {value!r}")
        for name, most in (("trim", 1.0), ("calibration", 1.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not 0.0 <= float(value) < most:
                raise ValueError(f"{name}: expected a part in [0, 1), got {value!r}")
