"""Texts as bags of words: one slot for each word of a vocabulary that is frozen when fitted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from azogue.heads import Head
from azogue.layers import ACTIVATIONS, check_activation
from azogue.modalities.base import Demand
from azogue.modalities.channels import HEADS
from azogue.modalities.text import Maybe, Source, Text, TextRows
from azogue.modalities.textual import PART, SLOTS, TextSchema
from azogue.recipe import Batch

if TYPE_CHECKING:
    pass

#: The heads of each weighting, the one first that it has where the objective asks for none.
_HEADS = {"count": ("poisson", "gaussian"), "binary": ("bernoulli", "poisson"), "tfidf": ("gaussian",)}
#: Up to where the values of each weighting reach.
_TOP = {"count": math.inf, "binary": 1.0, "tfidf": 1.0}
#: Words of a text that a row of tf-idf gives back, at most.
_LARGEST = 20


@dataclass(frozen=True)
class WordSchema(TextSchema):
    """Bags of words that have been seen: a slot for each word, of shape (words,).

    Parameters
    ----------
    container, native : str, str or None
        See `TextSchema`.
    words : tuple of str
        The vocabulary, in alphabetical order.
    weighting : {"count", "binary", "tfidf"}
    idf : tuple of float, or None
        The inverse document frequency of each word, for `"tfidf"`.
    head, activation : str
        The head and the output activation that was asked for.

    Examples
    --------
    >>> schema = Text(weighting="tfidf").fit(["red wine", "white wine"])
    >>> schema.pack(["Wine, wine and red grapes"]).x
    tensor([[0.6387, 0.0000, 0.7694]])
    >>> schema.unpack([[0.9, 0.0, 0.2]])
    ['red wine']
    """

    words: tuple[str, ...]
    weighting: str
    idf: tuple[float, ...] | None
    head: str
    activation: str = "auto"

    unit: ClassVar[str] = "word"

    @classmethod
    def fit(cls, text: Text, source: Source, demand: Demand) -> WordSchema:
        """Learn the vocabulary."""
        head = _head(text.weighting, demand)
        totals, holders, count = _frequencies(source)
        if not count:
            raise ValueError("Text: every text of X is missing; there is nothing to learn from")
        stop = _stop_words(text.stop_words)
        known = [word for word in totals if holders[word] >= text.min_count and word not in stop]
        if not known:
            raise ValueError(
                f"Text: the {count:,} texts have no word of two letters or more that is no stop word and that "
                f"{text.min_count} of them have; lower min_count, drop stop words, or use unit='character'"
            )
        words = tuple(sorted(sorted(known, key=lambda word: (-totals[word], word))[: text.max_features]))
        idf = None
        if text.weighting == "tfidf":
            idf = tuple((np.log((1 + count) / (1 + np.array([holders[word] for word in words]))) + 1).tolist())
        home = source.rows
        return cls(home.container, home.native, words, text.weighting, idf, head, demand.activation)

    @property
    def shape(self) -> tuple[int, ...]:
        """One slot a word."""
        return (len(self.words),)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """The one head over all words."""
        count = len(self.words)
        return (HEADS[self.head](0, count, tuple(range(count)), (1.0,) * count, self.activation),)

    def describe(self) -> list[dict[str, Any]]:
        """A plan of the slots: `name`, `kind`, `scaling`, `head` and `slots`."""
        slots = len(self.words)
        return [{"name": "text", "kind": "words", "scaling": self.weighting, "head": self.head, "slots": slots}]

    def arrange(self, cells: NDArray[Any], rows: TextRows | None = None) -> NDArray[np.float64]:
        """Numbers about words as they are, (n, words)."""
        return self._numbers(cells)

    @cached_property
    def _vectorizer(self) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer

        return CountVectorizer(vocabulary={word: at for at, word in enumerate(self.words)})

    def _hold(self, parts: Iterable[list[Maybe]], lost: Counter[str]) -> _Bags:
        from scipy.sparse import csr_array, vstack

        found, missing = [], []
        for texts in parts:
            missing.append(np.array([text is None for text in texts]))
            found.append(self._weighed(csr_array(self._vectorizer.transform([text or "" for text in texts]))))
        return _Bags(csr_array(vstack(found, "csr")), np.concatenate(missing))

    def _weighed(self, counts: Any) -> Any:
        """Counts, a sparse matrix (n, words) → the values of the weighting, in the smallest dtype that holds them."""
        if self.weighting == "binary":
            counts.data = np.ones(len(counts.data), np.uint8)
        elif self.idf is None:
            counts.data = counts.data.astype(np.min_scalar_type(counts.data.max(initial=0)))
        else:
            rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
            values = (np.log(counts.data) + 1) * np.array(self.idf)[counts.indices]
            lengths = np.sqrt(np.bincount(rows, np.square(values), counts.shape[0]))
            counts.data = (values / lengths[rows]).astype(np.float32)
        return counts

    def _texts(self, x: NDArray[Any]) -> list[str]:
        """The words that rows say, the most expected first.

        Of counts and probabilities those of 0.5 or more; of tf-idf the 20 largest above 0.
        """
        tfidf = self.weighting == "tfidf"
        texts = []
        for row in x:
            said = np.flatnonzero(row > 0 if tfidf else row >= 0.5)
            said = said[np.argsort(-row[said], kind="stable")][: _LARGEST if tfidf else None]
            texts.append(" ".join(self.words[at] for at in said))
        return texts

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> WordSchema:
        """The schema that `to_dict` wrote.

        Raises
        ------
        ValueError
            For keys, types and values that do not exist, and those that contradict one another.
        """
        content = cls._content(data)
        words, weighting, idf, head, activation = (content[key.name] for key in fields(cls)[2:])
        if not _all(words, str) or not 0 < len(words) <= SLOTS or any(a >= b for a, b in pairwise(words)):
            raise ValueError("not the schema of texts by word: its words are not in order, or there are none")
        if not _all((weighting, head, activation), str) or weighting not in _HEADS:
            raise ValueError(f"not the schema of texts by word: {weighting!r}, {head!r}, {activation!r}")
        plausible = _all(idf, float) and len(idf) == len(words) and all(1.0 <= value < math.inf for value in idf)
        if not (plausible if weighting == "tfidf" else idf is None):
            raise ValueError(f"not the schema of texts by word: weighting {weighting!r} with other idf")
        name = check_activation("linear" if activation == "auto" else activation, "the schema of texts")
        _head(weighting, Demand(head, activation, ACTIVATIONS[name]))
        return cls(**content)


@dataclass(frozen=True, eq=False)
class _Bags:
    """Values of words as a sparse matrix (n, words), and which texts are missing."""

    matrix: Any
    missing: NDArray[np.bool_]
    lengths: None = None

    def take(self, index: Any) -> Batch:
        """Some rows as tensors."""
        import torch

        x = torch.from_numpy(self.matrix[index].toarray().astype(np.float32, copy=False))
        if not self.missing.any():
            return Batch(x)
        return Batch(x, torch.from_numpy(~self.missing[index])[:, None].repeat(1, x.shape[1]))


def _all(values: Any, kind: type) -> bool:
    return isinstance(values, tuple) and all(type(value) is kind for value in values)


def _frequencies(source: Source) -> tuple[Counter[str], Counter[str], int]:
    """How often each word occurs, how many texts have it, and how many texts there are."""
    from sklearn.feature_extraction.text import CountVectorizer

    words = CountVectorizer().build_analyzer()
    totals: Counter[str] = Counter()
    holders: Counter[str] = Counter()
    count = 0
    for texts in source.parts(PART):
        for text in texts:
            if text is not None:
                found = words(text)
                totals.update(found)
                holders.update(set(found))
                count += 1
    return totals, holders, count


def _stop_words(words: str | tuple[str, ...] | None) -> frozenset[str]:
    if words == "english":
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

        return frozenset(ENGLISH_STOP_WORDS)
    return frozenset(word.lower() for word in words or ())


def _head(weighting: str, demand: Demand) -> str:
    """The head in force, where objective and output activation go with the weighting."""
    top = _TOP[weighting]
    if demand.reach[0] > 0.0 or demand.reach[1] < top:
        raise ValueError(
            f"Text: weighting={weighting!r} gives values from 0 to {top:g}, but the output activation "
            f"{demand.activation!r} reaches {demand.reach}; leave it at 'auto', or use Text(weighting='binary')"
        )
    if demand.head is None:
        return _HEADS[weighting][0]
    if demand.head not in _HEADS[weighting]:
        others = [repr(name) for name, heads in _HEADS.items() if demand.head in heads]
        remedy = f"use Text(weighting={' or '.join(others)})" if others else "take another objective"
        raise ValueError(f"Text: weighting={weighting!r} does not go with an objective for {demand.head!r}; {remedy}")
    return demand.head
