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
#: How long the shortest of the directions is, at least.
SHORT = 1e-3
#: Of a network that reads texts: units; for so many texts and more, the part of the bits that weighs as one nat where
#: codes agree and the part of the inputs that training hides, and both at most where texts are few.
UNITS, MANY, LEAST, MOST = 512, 10_000, (0.15, 0.1), (0.3, 0.4)


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
    """The leading directions of weights (n, words) through the origin, each as long as its spread, the first one 1.

    With `W = U S Vᵀ`, coordinates along them are `U S²` and not `U S`: what many texts share counts more.

    Returns
    -------
    ndarray, shape (words, at most `TOPICS`)

    References
    ----------
    Deerwester, Dumais, Furnas, Landauer & Harshman (1990), Indexing by latent semantic analysis; Caron (2001),
    Experiments with LSA scoring: optimal rank and basis, for powers of the spread.
    """
    from sklearn.decomposition import TruncatedSVD

    size = min(TOPICS, min(weights.shape) - 1)
    if size < 1:
        return np.asarray(weights[[0]].toarray().T, np.float32)
    found = TruncatedSVD(size, random_state=seed % 2**32).fit(weights)
    lengths = found.singular_values_ / max(found.singular_values_.max(), 1e-30)
    return np.ascontiguousarray(found.components_.T * np.maximum(lengths, SHORT), np.float32)


def along(weights: Any, topics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights (n, words) along directions (words, size), each row brought to length √size: (n, size); 0 of no words."""
    return to_length(np.asarray(weights @ topics, np.float32))


def words_of(vectors: NDArray[np.float32], topics: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coordinates along directions (n, size) → weights of words (n, words), up to a factor.

    Examples
    --------
    >>> words_of(np.array([[3.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 0.5]]))
    array([[3., 2.]])
    """
    return np.asarray((vectors / np.maximum(np.square(topics).sum(0), SHORT**2)) @ topics.T)


def sizes(texts: int) -> tuple[int, float, float]:
    """Units, temperature and the part of the inputs that is hidden, for a network that reads so many texts.

    Temperature and hidden part are in proportion to 1/√texts within bounds: of fewer texts, neighbours tell less.

    Examples
    --------
    >>> sizes(11_000), sizes(2_500), sizes(100)
    ((512, 0.15, 0.1), (512, 0.3, 0.2), (512, 0.3, 0.4))
    """
    factor = np.sqrt(MANY / max(texts, 1))
    temperature, hidden = (float(np.clip(a * factor, a, b)) for a, b in zip(LEAST, MOST, strict=True))
    return UNITS, temperature, hidden


def to_length(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows (n, size) brought to length √size, those of length 0 excepted."""
    lengths = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x * (np.sqrt(x.shape[1]) / np.where(lengths > 0, lengths, 1.0)), np.float32)
