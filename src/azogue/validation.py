"""What scikit-learn expects of every estimator that meets a table."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import validate_data

from azogue.modalities import kind_of, rows_are
from azogue.modalities.dataset import Dataset


def remember_columns(estimator: Any, X: Any, *, reset: bool) -> None:
    """Count and name the columns of `X` on the estimator (`reset=True`), or compare them with what it remembers.

    Pictures, sequences and texts have no columns: what is remembered of others is forgotten.

    Raises
    ------
    ValueError
        For a single row or column without its second dimension, or columns other than those of `fit`.
    """
    if not _is_table(estimator, X, reset=reset):
        if reset:
            vars(estimator).pop("feature_names_in_", None)
        return
    X = X.template if isinstance(X, Dataset) else X
    if getattr(X, "ndim", 2) == 1:
        raise ValueError(
            f"Expected 2D array, got 1D array instead: {type(X).__name__} of {len(X)} values. Reshape your data either "
            "using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if it contains a "
            "single sample."
        )
    validate_data(estimator, X, skip_check_array=True, reset=reset)


def _is_table(estimator: Any, X: Any, *, reset: bool) -> bool:
    """Whether the estimator takes X as a table: by what it was fitted on, by what it is told, by what X is."""
    schema = getattr(getattr(estimator, "autoencoder_", estimator), "schema_", None)
    if not reset and schema is not None:
        return rows_are(schema) == "table"
    inner = getattr(estimator, "autoencoder", None)
    inner = getattr(inner, "estimator", inner)  # inside a FrozenEstimator
    for owner in (inner, estimator):
        modality = getattr(owner, "modality", "auto")
        if modality != "auto":
            return (modality if isinstance(modality, str) else rows_are(modality)) == "table"
    return kind_of(X) == "table"
