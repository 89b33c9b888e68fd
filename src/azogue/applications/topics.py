"""Texts as numbers in which texts alike are near: TF-IDF along its leading directions (latent semantic analysis)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from azogue.modalities import Text

#: Directions that are kept, and texts that are packed at once.
TOPICS, PART = 128, 4096


def as_words(modality: Any) -> Text:
    """How words are taken from texts: weighed by TF-IDF; without a word from the user, English stop words are left out.

    Examples
    --------
    >>> as_words("auto"), as_words(Text(min_count=2))
    (Text(weighting='tfidf', stop_words='english'), Text(weighting='tfidf', min_count=2))
    """
    if isinstance(modality, Text) and modality != Text():
        return replace(modality, weighting="tfidf")
    return Text(weighting="tfidf", stop_words="english")


def tfidf(schema: Any, X: Any) -> Any:
    """The weights of words, rows of length 1 or 0: a sparse matrix (n, words)."""
    store = schema.store(X)
    parts = (store.take(slice(start, start + PART)).x.numpy() for start in range(0, len(store), PART))
    return csr_array(vstack([csr_array(part) for part in parts], "csr"))


def directions(weights: Any, seed: int) -> NDArray[np.float32]:
    """The leading directions of weights (n, words) through the origin: (words, at most `TOPICS`).

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer & Harshman (1990), Indexing by latent semantic analysis.
    """
    from sklearn.decomposition import TruncatedSVD

    size = min(TOPICS, min(weights.shape) - 1)
    if size < 1:
        return np.asarray(weights[[0]].toarray().T, np.float32)
    found = TruncatedSVD(size, random_state=seed % 2**32).fit(weights).components_
    return np.ascontiguousarray(found.T, np.float32)


def along(weights: Any, topics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights (n, words) along directions (words, size), each row brought to length √size: (n, size); 0 of no words."""
    return to_length(np.asarray(weights @ topics, np.float32))


def to_length(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (n, size) brought to length √size, those of length 0 excepted."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x * (np.sqrt(x.shape[1]) / np.where(lengths > 0, lengths, 1.0)), np.float32)
