"""What scikit-learn expects of every estimator that meets a table."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import validate_data


def remember_columns(estimator: Any, X: Any, *, reset: bool) -> None:
    """Count and name the columns of `X` on the estimator (`reset=True`), or compare them with what it remembers.

    Raises
    ------
    ValueError
        For a single row or column without its second dimension, or columns other than those of `fit`.
    """
    if getattr(X, "ndim", 2) == 1:
        raise ValueError(
            f"Expected 2D array, got 1D array instead: {type(X).__name__} of {len(X)} values. Reshape your data either "
            "using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if it contains a "
            "single sample."
        )
    validate_data(estimator, X, skip_check_array=True, reset=reset)
