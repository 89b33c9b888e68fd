"""What a fitted detector says of rows: scores, verdicts, p-values, reasons."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from scipy.special import erf
from sklearn.utils.validation import check_is_fitted

from azogue.applications import ensembles, thresholds
from azogue.applications.grouping import grouped
from azogue.autoencoder import Autoencoder
from azogue.modalities import ImageSchema, SequenceSchema, TableSchema
from azogue.modalities.base import Pieces
from azogue.modalities.frames import frame_like
from azogue.populations import pieces, reflected, without_each
from azogue.recipe import Batch
from azogue.validation import remember_columns

#: Errors and distances below this are no better than it.
LEAST = 1e-6
#: The quantile of a picture's heat that is its error: what is unlike may be small.
WARM = 0.95


class Judging:
    """The methods of a fitted `AnomalyDetector`."""

    by: Any
    members_: list[Autoencoder]
    memories_: dict[str, np.ndarray]
    column_weights_: np.ndarray
    center_: np.ndarray
    spread_: np.ndarray
    middle_: float
    parts_: tuple[str, ...]
    local_: bool
    quantiles_: np.ndarray
    offset_: float
    calibration: float
    calibration_scores_: np.ndarray

    @property
    def autoencoder_(self) -> Autoencoder:
        """The first member."""
        members: list[Autoencoder] = dict(vars(self)).get("members_", [])
        if not members:
            raise AttributeError("not fitted, or with one detector a group: see detectors_")
        return members[0]

    # -- scores -----------------------------------------------------------------------------------------------------

    def _pieces(self, X: Any) -> Pieces:
        check_is_fitted(self, "members_")
        remember_columns(self, X, reset=False)
        return pieces(self.autoencoder_, X)

    def _look(self, piece: Batch) -> ensembles.Look:
        found = ensembles.look(self.members_, piece, len(self.members_) == 1, self.memories_)
        if not self.local_:
            return found
        warm = self._heat(piece).reshape(len(piece), -1)
        return replace(found, errors=np.quantile(warm, WARM, axis=1)[None])

    def _heat(self, piece: Batch) -> np.ndarray:
        """How unlike their reconstructions pictures are around each pixel, (n, h, w)."""
        residuals = piece.x.numpy() - reflected(self.members_, piece)
        if piece.mask is not None:
            residuals[~piece.mask.numpy()] = np.nan
        return ensembles.heat(residuals.reshape(-1, *self._schema().shape))

    def _logs(self, look: ensembles.Look) -> np.ndarray:
        """Each part's mean logarithm over the members, (parts, k)."""
        values = {"errors": look.errors, "neighbors": look.distances}
        return np.stack([logs_of(values[part]).mean(axis=0) for part in self.parts_])

    def _joined(self, parts: np.ndarray) -> np.ndarray:
        """The logarithm of the score from those of its parts, up to `middle_`."""
        centred = (parts - self.center_[:, None]) * (self.spread_[0] / self.spread_)[:, None]
        return np.asarray(centred.mean(axis=0))

    def _scores(self, look: ensembles.Look) -> np.ndarray:
        scores = np.exp(self._joined(self._logs(look)) - self.middle_)
        return np.where(np.isnan(look.cells).all(axis=1), 0.0, scores)

    @grouped
    def anomaly_score(self, X: Any) -> np.ndarray:
        """How unusual each row is: 1 is usual, higher is worse; 0 for a row of which nothing was observed.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        return np.concatenate([self._scores(self._look(piece)) for piece in self._pieces(X)])

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the anomaly score: higher is more usual, scikit-learn's sign."""
        return np.asarray(-self.anomaly_score(X))

    @grouped
    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` minus `offset_`: negative for anomalies."""
        return np.asarray(self.score_samples(X) - self.offset_)

    def predict(self, X: Any) -> np.ndarray:
        """1 for usual rows, −1 for anomalies."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    @grouped
    def predict_proba(self, X: Any) -> np.ndarray:
        r"""Probabilities of the classes −1 and 1, (n, 2), by the tail of a normal through the logarithms of scores.

        .. math:: P(-1) = \max\{0, \operatorname{erf}((\log s - \mu) / (\sigma \sqrt 2))\}

        with mean and standard deviation of the training rows' logarithms (Kriegel et al. 2011, "unifying scores").
        """
        logs, known = logs_of(self.anomaly_score(X)), logs_of(self.quantiles_)
        spread = float(known.std())
        part = erf((logs - known.mean()) / (math.sqrt(2.0) * spread)) if spread > 0 else np.sign(logs - known.mean())
        bad = np.clip(part, 0.0, 1.0)
        return np.stack([bad, 1.0 - bad], axis=1)

    @property
    def classes_(self) -> np.ndarray:
        """The classes of `predict` in the order of `predict_proba`: −1 for anomalies, 1 for usual rows."""
        return np.array([-1, 1])

    @grouped
    def p_values(self, X: Any, calibration: Any = None) -> np.ndarray:
        """Split-conformal p-values: how probable a score as high or higher is for a usual row.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts
        calibration : the same, optional
            Usual rows that training did not see. None: the part `calibration` of the rows of `fit`.

        Returns
        -------
        ndarray of float64, shape (n,)
            `P(p ≤ t) ≤ t` for rows like the calibration rows; see `thresholds.conformal`.

        Raises
        ------
        ValueError
            If no rows were held out and none are given.
        """
        if calibration is None and not hasattr(self, "calibration_scores_"):
            raise ValueError(
                "p_values: needs rows that no member was trained on; give calibration=, or fit an ensemble "
                f"(autoencoder=None or members=16) with calibration of at least one row; it is {self.calibration!r}"
            )
        known = self.calibration_scores_ if calibration is None else np.sort(self.anomaly_score(calibration))
        return thresholds.conformal(self.anomaly_score(X), known)

    def select(self, X: Any, fdr: float = 0.1) -> np.ndarray:
        """Which rows to call anomalies so that, of those called so, the expected part of usual ones is at most `fdr`.

        Benjamini & Hochberg's procedure on `p_values(X)`: the answer for a row depends on the other rows.

        Returns
        -------
        ndarray of bool, shape (n,)
        """
        return thresholds.benjamini_hochberg(self.p_values(X), fdr)

    # -- reasons ----------------------------------------------------------------------------------------------------

    @grouped
    def explain(self, X: Any) -> Any:
        """What each column adds to a row's score: the columns of a row sum to `anomaly_score`.

        Of a table, in proportion to how much the logarithm of the score falls when the cell is hidden, as if it were
        missing; a cell that makes the row no worse adds nothing. Of pictures, sequences and texts, in proportion to the
        cells' errors.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts

        Returns
        -------
        ndarray of float64, shape (n, columns); for a frame, a frame with the same columns and row labels; for pictures,
        sequences and texts in their layout
        """
        table = isinstance(self._schema(), TableSchema)
        packed, parts = self._pieces(X), []
        for piece in packed:
            found = self._look(piece)
            share = _shares(found.cells, self.column_weights_)
            share = self._falls(piece, found, share) if table else share
            total = np.maximum(share.sum(axis=1), np.finfo(float).tiny)
            with np.errstate(invalid="ignore"):
                parts.append(np.nan_to_num(share / total[:, None] * self._scores(found)[:, None], posinf=np.inf))
        cells = np.concatenate(parts)
        return frame_like(X, cells) if table else self._schema().arrange(cells, packed.rows)

    def _schema(self) -> Any:
        check_is_fitted(self, "members_")
        return self.autoencoder_.schema_

    def _falls(self, piece: Batch, found: ensembles.Look, share: np.ndarray) -> np.ndarray:
        """By how much the logarithm of each row's score falls when a column is hidden, (k, columns)."""
        whole, falls = self._joined(self._logs(found)), np.zeros_like(share)
        for columns, hidden in without_each(piece, self._schema(), np.flatnonzero(self.column_weights_)):
            scores = self._joined(self._logs(self._look(hidden))).reshape(len(columns), -1)
            with np.errstate(invalid="ignore"):  # ∞ − ∞
                falls[:, columns] = np.nan_to_num(whole - scores, nan=0.0, posinf=np.inf).T
        falls = np.maximum(falls, 0.0) * ~np.isnan(found.cells)
        endless = np.isinf(falls)
        falls = np.where(endless.any(axis=1, keepdims=True), endless, falls)
        return np.asarray(np.where(falls.any(axis=1, keepdims=True), falls, share))

    @grouped
    def expected(self, X: Any) -> Any:
        """What the members expect in each cell, of a table from the other cells of its row; in the user's units.

        Parameters
        ----------
        X : table, shape (n, columns), pictures, sequences or texts

        Returns
        -------
        the same kind of object as X
        """
        schema, packed, parts = self._schema(), self._pieces(X), []
        for piece in packed:
            out = reflected(self.members_, piece)
            if isinstance(schema, TableSchema):
                for columns, hidden in without_each(piece, schema, range(schema.n_columns)):
                    found = reflected(self.members_, hidden).reshape(len(columns), len(piece), -1)
                    for column, own in zip(columns, found, strict=True):
                        slots = schema.slot_columns == column
                        out[:, slots] = own[:, slots]
            parts.append(out)
        x = torch.from_numpy(np.concatenate(parts))
        return schema.unpack(Batch(x, None, packed.rows))

    def timeline(self, X: Any) -> Any:
        """A score for each time stamp: the scores of the windows that hold it, averaged as windows are joined.

        Parameters
        ----------
        X : sequences, long series or WAV files

        Returns
        -------
        ndarray of float64, shape (t,) for one series, (n, t) for n of one length, else a list of arrays

        Raises
        ------
        TypeError
            If the detector was not fitted on sequences.
        """
        schema = self._schema()
        if not isinstance(schema, SequenceSchema):
            raise TypeError("timeline: for sequences; anomaly_score(X) has one score a row")
        packed = self._pieces(X)
        scores = np.concatenate([self._scores(self._look(piece)) for piece in packed])
        laid = schema.arrange(np.repeat(scores[:, None], schema.n_columns, axis=1), packed.rows)

        def by_time(part: np.ndarray) -> np.ndarray:
            channels = schema.shape[-1]
            return part[..., 0] if part.ndim > 1 and part.shape[-1] == channels else part

        return [by_time(part) for part in laid] if isinstance(laid, list) else by_time(laid)

    def heatmap(self, X: Any) -> np.ndarray:
        """How unlike its reconstruction a picture is around each pixel; see `ensembles.heat`.

        A picture's error is the 95 % quantile of its heat, so that something small counts, and light does not.

        Parameters
        ----------
        X : pictures

        Returns
        -------
        ndarray of float64, shape (n, h, w)

        Raises
        ------
        TypeError
            If the detector was not fitted on pictures.
        """
        schema = self._schema()
        if not isinstance(schema, ImageSchema):
            raise TypeError("heatmap: for pictures; explain(X) tells what each column of a table adds")
        return np.concatenate([self._heat(piece) for piece in self._pieces(X)])


def _shares(cells: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What each cell adds to its row's error."""
    share = ~np.isnan(cells) * weights
    whole = np.maximum(share.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return np.asarray(np.where(share > 0, cells, 0.0) * share / whole)


def logs_of(values: Any) -> np.ndarray:
    """Logarithms of errors, distances or scores."""
    return np.asarray(np.log(np.maximum(values, LEAST)))


def median_of(logs: np.ndarray) -> float:
    """The logarithm of the median of finite values, from logarithms; 0 where there are none."""
    finite = logs[np.isfinite(logs)]
    return math.log(float(np.median(np.exp(finite)))) if len(finite) else 0.0


def center_and_spread(parts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median and standard deviation of each part (parts, n); a part that never varies has an infinite spread."""
    center = np.array([median_of(part) for part in parts])
    spread = np.array([float(part[np.isfinite(part)].std()) if np.isfinite(part).any() else 0.0 for part in parts])
    spread[0] = spread[0] or 1.0
    return center, np.where(spread > 0, spread, np.inf)
