"""Use 1, fewer dimensions: k nearest neighbours that look at the code of an autoencoder (AEkNN)."""

from __future__ import annotations

import os
from dataclasses import KW_ONLY, dataclass, field
from math import ceil
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, RegressorMixin, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_consistent_length, check_is_fitted

from azogue.applications.coding import Coder, Way, encoded
from azogue.applications.owner import Application
from azogue.modalities.dataset import needs_rows
from azogue.session import as_seed
from azogue.validation import remember_columns

#: How labels may shape the code.
SUPERVISIONS = ("none", "joint", "after")
#: Code sizes that `network="auto"` tries, where they are at most half of the columns.
LARGE, SMALL = 32, 8
#: Part of the training rows that choose among ways; the fewest rows that are split for that, and the most.
HELD, FEWEST, MANY = 0.2, 40, 10_000


@dataclass(eq=False, repr=False)
class _AEkNN(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Application):  # type: ignore[misc]
    """What the classifier and the regressor share: the way from rows to codes, and who is near whom there."""

    n_neighbors: int = 5
    _: KW_ONLY
    network: Any = "auto"
    autoencoder: Any = field(default=None, kw_only=True)
    weights: Any = "uniform"
    metric: Any = "euclidean"
    supervision: str = "auto"

    def _told(self, y: Any) -> np.ndarray:
        """The target of each row as numbers: class numbers or values."""
        raise NotImplementedError

    def _voters(self, n_neighbors: int) -> Any:
        """Scikit-learn's estimator that looks at codes."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any) -> Self:
        """Learn the code and remember the rows' codes and targets.

        Parameters
        ----------
        X : table, pictures, sequences or texts
            As `Autoencoder.fit` takes them.
        y : array, shape (n,)

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            For data, targets or parameters that make no sense, naming them.
        """
        self._check()
        if y is None:
            name = type(self).__name__
            raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None.")
        self.__dict__.pop("autoencoder_", None)  # what an earlier fit saw says nothing about these rows
        needs_rows(X)
        remember_columns(self, X, reset=True)
        target = self._told(y)
        if not isinstance(X, (str, os.PathLike)):
            check_consistent_length(X, target)
        if self.n_neighbors > len(target):
            raise ValueError(
                f"n_neighbors: {self.n_neighbors} neighbours need as many rows, got n_samples={len(target)}"
            )
        seed, ways = as_seed(self.random_state), self._ways(X)
        self.candidates_ = self._compare(ways, X, target, seed)
        scores = [candidate["score"] for candidate in self.candidates_]
        best = ways[int(np.argmax(scores))] if scores else ways[-1]
        self.supervision_ = best.supervision
        self.autoencoder_, self.informed_ = Coder(self, X, target, seed).along(best)
        self.codes_, self.targets_ = self._codes(X), target
        self._index = self._voters(self.n_neighbors).fit(self.codes_, target)
        return self

    # -- the way to the code ------------------------------------------------------------------------------------------

    def _check(self) -> None:
        k = self.n_neighbors
        if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"n_neighbors: expected a whole number of at least 1, got {k!r}")
        if self.supervision not in ("auto", *SUPERVISIONS):
            said = ", ".join(("auto", *SUPERVISIONS))
            raise ValueError(f"supervision: expected one of {said}, got {self.supervision!r}")
        if self.supervision == "joint" and isinstance(self.autoencoder, FrozenEstimator):
            raise ValueError(
                "supervision: 'joint' trains the autoencoder, but it is frozen; use 'after', 'none' or 'auto'"
            )
        if self.autoencoder is not None and self.network != "auto":
            raise ValueError("network: the given autoencoder has one already; leave network out, or autoencoder")

    def _ways(self, X: Any) -> list[Way]:
        """What to choose among; the last one is for data that are too few to choose."""
        frozen = isinstance(self.autoencoder, FrozenEstimator)
        informed = ("after", "none") if frozen else ("joint", "after", "none")
        asked = informed if self.supervision == "auto" else (self.supervision,)
        sizes = [self.network]
        if self.network == "auto" and self.autoencoder is None and hasattr(self, "n_features_in_"):
            half = max(self.n_features_in_ // 2, 1)
            sizes = list(dict.fromkeys(min(size, half) for size in (LARGE, SMALL)))
        if (
            self.supervision == "auto"
        ):  # an informed code needs no small size; noise that it would drown in is for "after"
            return [Way(size, how) for size in sizes for how in asked if how != "joint" or size == sizes[0]]
        return [Way(size, how) for size in sizes for how in asked]

    def _compare(self, ways: list[Way], X: Any, target: np.ndarray, seed: int) -> list[dict[str, Any]]:
        """How well neighbours tell a held-out part of the training rows, for each way."""
        if len(ways) == 1 or len(target) < FEWEST or isinstance(X, (str, os.PathLike)):
            return []
        looked = min(len(target), MANY)
        count = ceil(HELD * looked)
        kinds = np.unique(target, return_counts=True)[1] if target.dtype.kind == "i" else np.zeros(1)
        even = kinds.min() > 1 and len(kinds) <= count
        rows, held, known, asked = train_test_split(
            X,
            target,
            test_size=count,
            train_size=looked - count,
            random_state=seed % 2**32,
            stratify=target if even else None,
        )
        coder, found = Coder(self, rows, known, seed), []
        for way in ways:
            pair = coder.along(way)
            voters = self._voters(min(self.n_neighbors, len(known))).fit(encoded(*pair, rows), known)
            score = float(voters.score(encoded(*pair, held), asked))
            found.append({"network": str(way.network), "supervision": way.supervision, "score": score})
        return found

    # -- use ----------------------------------------------------------------------------------------------------------

    def _codes(self, X: Any) -> np.ndarray:
        return encoded(self.autoencoder_, self.informed_, X)

    @property
    def _near(self) -> Any:
        """Who looks at codes; made anew where a model comes from a file."""
        check_is_fitted(self, "codes_")
        if getattr(self, "_index", None) is None:
            self._index = self._voters(self.n_neighbors).fit(self.codes_, self.targets_)
        return self._index

    def transform(self, X: Any) -> Any:
        """Rows → the codes among which neighbours are looked for.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        ndarray of float32, shape (n, code size), or what `set_output` asked for
        """
        check_is_fitted(self, "codes_")
        return self._rows(X)

    def kneighbors(self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True) -> Any:
        """The nearest training rows of each row, by distance between codes.

        Parameters
        ----------
        X : table, optional
            None: the training rows, each of which is then no neighbour of its own.
        n_neighbors : int, optional
        return_distance : bool

        Returns
        -------
        distances, positions : ndarrays, shape (n, n_neighbors)
            Or the positions alone.
        """
        near = self._near
        codes = None if X is None else self._rows(X)
        return near.kneighbors(codes, n_neighbors, return_distance)

    def _rows(self, X: Any) -> np.ndarray:
        remember_columns(self, X, reset=False)
        return self._codes(X)

    @property
    def _n_features_out(self) -> int:
        return int(self.codes_.shape[1])

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_index": None}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = True
        return tags


class AEkNNClassifier(ClassifierMixin, _AEkNN):  # type: ignore[misc]
    """k nearest neighbours by the distance between codes: AEkNN, with labels that may shape the code.

    An autoencoder of the training rows gives each row a short code, and the k training rows whose codes are nearest
    vote. The autoencoder of AEkNN never sees the labels; here they may help, in one of two ways, by
    `objectives.NeighborhoodComponents`, which asks that each row's neighbours in the code are of its class.

    Parameters
    ----------
    n_neighbors : int
    network : int, tuple, layers or "auto"
        As `Autoencoder` takes it; a tuple of fractions of the input's width is AEkNN's PPL. `"auto"`: codes of 32 and
        of 8 units, at most half of the columns, of which the better one is kept.
    autoencoder : Autoencoder, FrozenEstimator or None
        Unfitted (cloned and fitted, with y, so that class-informed terms work) or fitted inside
        `sklearn.frozen.FrozenEstimator` (used as it is).
    weights : {"uniform", "distance"} or callable
        How neighbours' votes count.
    metric : str or callable
        The distance between codes, as scikit-learn takes it.
    supervision : {"auto", "none", "joint", "after"}
        `"none"`: the autoencoder alone, as in the paper. `"joint"`: labels shape the code while the autoencoder is
        trained on noisy rows. `"after"`: the autoencoder is trained without labels, and they shape a second
        autoencoder, of its codes. `"auto"`: whichever has neighbours err least on a held-out fifth of the training
        rows, 10,000 rows at most; of fewer than 40 rows, `"none"`. All training rows are then used.
    modality, scaling : see `Autoencoder`
        For the autoencoder that is made where none is given. `scaling="auto"` standardises numeric columns, and lets
        each count by its variance relative to its range where the code is shaped without labels.
    random_state : int, numpy generator or None
    verbose : int

    Attributes
    ----------
    classes_ : ndarray
    autoencoder_ : Autoencoder
        The fitted autoencoder of the rows.
    informed_ : Autoencoder or None
        The autoencoder of its codes that labels shaped, where `supervision_` is `"after"`.
    supervision_ : str
        What was chosen.
    candidates_ : list of dict
        What was tried: `network`, `supervision`, `score` on held-out training rows.
    codes_, targets_ : ndarray, shapes (n, code size) and (n,)
        The training rows' codes and class numbers.
    n_features_in_ : int

    References
    ----------
    Pulgar, Charte, Rivera & del Jesus (2019), AEkNN: an autoencoder kNN-based classifier with built-in dimensionality
    reduction, Int. J. Computational Intelligence Systems 12. NOTE[DIFF] labels may shape the code.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> near = az.AEkNNClassifier(3, random_state=0).fit(X[::2], y[::2])
    >>> near.transform(X).shape
    (150, 2)
    >>> near.score(X[1::2], y[1::2]) > 0.9
    True
    """

    def _told(self, y: Any) -> np.ndarray:
        y = column_or_1d(np.asarray(y), warn=True)
        if y.dtype == object:
            lacking = sum(label is None or label != label for label in y)  # noqa: PLR0124
            if lacking:
                raise ValueError(f"Input y contains NaN: {lacking} of {len(y)} rows have no label; leave them out")
            y = y if any(isinstance(label, str) for label in y) else np.array(y.tolist())
        if y.dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        return np.asarray(numbers, dtype=np.int64)

    def _voters(self, n_neighbors: int) -> Any:
        return KNeighborsClassifier(n_neighbors, weights=self.weights, metric=self.metric)

    def predict(self, X: Any) -> np.ndarray:
        """Each row's class, (n,)."""
        numbers = self._near.predict(self._rows(X))
        return np.asarray(self.classes_[numbers])

    def predict_proba(self, X: Any) -> np.ndarray:
        """The share of the neighbours' votes for each of `classes_`, (n, classes)."""
        return np.asarray(self._near.predict_proba(self._rows(X)))


class AEkNNRegressor(RegressorMixin, _AEkNN):  # type: ignore[misc]
    """The mean of the k nearest neighbours by the distance between codes; parameters as of `AEkNNClassifier`.

    Where targets shape the code, it is by the squared error of a kernel regression from one row's code to the others'
    (`objectives.NeighborhoodComponents` for values), of standardised targets.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> near = az.AEkNNRegressor(15, network=3, supervision="joint", random_state=0).fit(X[::2], y[::2])
    >>> near.score(X[1::2], y[1::2]) > 0.3
    True
    """

    def _told(self, y: Any) -> np.ndarray:
        values = np.asarray(column_or_1d(np.asarray(y), warn=True), dtype=np.float64)
        assert_all_finite(values, input_name="y")
        return values

    def _voters(self, n_neighbors: int) -> Any:
        return KNeighborsRegressor(n_neighbors, weights=self.weights, metric=self.metric)

    def predict(self, X: Any) -> np.ndarray:
        """Each row's value, (n,)."""
        return np.asarray(self._near.predict(self._rows(X)))
