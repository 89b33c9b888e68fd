"""Texts as rows of characters: at each place one of the symbols of an alphabet that is frozen when fitted."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from azogue.heads import Categorical, Head
from azogue.modalities.base import Demand
from azogue.modalities.text import Maybe, Source, Text, TextRows, check_alphabet
from azogue.modalities.textual import PART, SLOTS, TextSchema, check_slots
from azogue.recipe import Batch

#: Places and characters that training texts may ask for.
LONGEST, LARGEST = 512, 256
#: What characters outside of the alphabet come back as.
OTHER = "\ufffd"
#: Such characters that a warning shows.
_SHOWN = 3
_ANY = (float("-inf"), float("inf"))


@dataclass(frozen=True)
class CharacterSchema(TextSchema):
    """Rows of characters that have been seen: `length` places with a slot for each symbol, (length, symbols).

    The symbols are the alphabet's characters, then the end of the text, then any other character. All places behind a
    text hold the symbol for its end, of which the mask keeps the first: how well padding is met says nothing. A text
    that fills all places has no end.

    Parameters
    ----------
    container, native : str, str or None
        See `TextSchema`.
    length : int
    alphabet : str

    Examples
    --------
    >>> schema = Text("character").fit(["aba", "a"])
    >>> batch = schema.pack(["b"])
    >>> batch.x.view(schema.shape)
    tensor([[0., 1., 0., 0.],
            [0., 0., 1., 0.],
            [0., 0., 1., 0.]])
    >>> batch.mask.view(schema.shape)[:, 0]
    tensor([ True,  True, False])
    >>> schema.unpack(batch)
    ['b']
    """

    length: int
    alphabet: str

    unit: ClassVar[str] = "character"

    @classmethod
    def fit(cls, text: Text, source: Source, demand: Demand) -> CharacterSchema:
        """Learn the alphabet and the number of places."""
        _check_demand(demand)
        found: Counter[str] = Counter()
        longest, count = 0, 0
        for texts in source.parts(PART):
            seen = [one for one in texts if one is not None]
            found.update("".join(seen))
            longest, count = max(longest, *map(len, seen), 0), count + len(seen)
        if not longest:
            what = "is empty" if count else "of X is missing"
            raise ValueError(f"Text: every text {what}; there is nothing to learn from")
        alphabet = text.alphabet
        if alphabet is None:
            whole = [symbol for symbol in found if not "\ud800" <= symbol <= "\udfff"]
            alphabet = "".join(sorted(whole, key=lambda symbol: (-found[symbol], symbol))[:LARGEST])
        check_alphabet(alphabet)
        length = min(longest, LONGEST) if text.length is None else int(text.length)
        schema = cls(source.rows.container, source.rows.native, length, alphabet)
        check_slots("Text", schema, SLOTS, "use a smaller length")
        return schema

    @property
    def shape(self) -> tuple[int, ...]:
        """Places and symbols."""
        return (self.length, len(self.alphabet) + 2)

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """One head over all places, a column each."""
        return (Categorical(0, self.width, tuple(range(self.length)), (1.0,) * self.length, "auto"),)

    def describe(self) -> list[dict[str, Any]]:
        """A plan of the slots: `name`, `kind`, `scaling`, `head` and `slots`."""
        return [{"name": "text", "kind": "characters", "scaling": None, "head": "categorical", "slots": self.width}]

    def arrange(self, cells: NDArray[Any], rows: TextRows | None = None) -> Any:
        """Numbers about characters in the layout of the texts.

        Parameters
        ----------
        cells : ndarray, shape (n, length)
        rows : TextRows, optional

        Returns
        -------
        list of ndarray
            One number for each character that was packed and one for the end, of each text; none for a missing text.
            Without rows the array (n, length) as it is.
        """
        numbers = self._numbers(cells)
        lengths = getattr(rows, "lengths", None)
        if lengths is None:
            return numbers
        return [row[:length] for row, length in zip(numbers, lengths, strict=True)]

    @cached_property
    def _codes(self) -> NDArray[np.uint32]:
        """The code point of each symbol; the end has none."""
        return np.array([*map(ord, self.alphabet), 0, ord(OTHER)], np.uint32)

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
        """Code points of the alphabet in order, and the symbol of each; a last one that no character has."""
        codes = np.append(self._codes[:-2], np.uint32(2**32 - 1))
        order = np.argsort(codes)
        return codes[order], order

    def _hold(self, parts: Iterable[list[Maybe]], lost: Counter[str]) -> Ids:
        ids, lengths = zip(*(self._encoded(texts, lost) for texts in parts), strict=True)
        return Ids(np.concatenate(ids), np.concatenate(lengths), self.shape)

    def _encoded(self, texts: list[Maybe], lost: Counter[str]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The symbol at each place (n, length), and how many places of each text count."""
        end = len(self.alphabet)
        ids = np.full((len(texts), self.length), end, np.min_scalar_type(end + 1))
        codes = _code_points("".join([text[: self.length] for text in texts if text]))
        known, symbols = self._sorted
        at = np.searchsorted(known, codes)
        unseen = known[at] != codes
        sizes = np.array([len(text or "") for text in texts])
        places = np.arange(self.length) < np.minimum(sizes, self.length)[:, None]
        ids[places] = np.where(unseen, end + 1, symbols[at])
        lost[""] += int((sizes > self.length).sum())
        lost.update(map(chr, codes[unseen].tolist()))
        return ids, self._counted(texts)

    def _counted(self, texts: list[Maybe]) -> NDArray[np.int64]:
        """Characters of each text and its end, 0 where it is missing."""
        return np.array([0 if text is None else min(len(text) + 1, self.length) for text in texts], np.int64)

    def _lengths(self, source: Source) -> NDArray[np.int64]:
        return np.concatenate([self._counted(texts) for texts in source.parts(PART)])

    def _tell(self, lost: Counter[str]) -> None:
        if cut := lost.pop("", 0):
            said = f"{cut:,} text{'s are' if cut > 1 else ' is'} longer than {self.length:,} characters and cut there"
            warnings.warn(f"{said}; fit with a larger length", UserWarning, stacklevel=4)
        if lost:
            shown = f"{', '.join(map(repr, list(lost)[:_SHOWN]))}{', ...' * (len(lost) > _SHOWN)}"
            said = f"characters outside of the alphabet count as 'other' and come back as {OTHER!r}: {shown}"
            warnings.warn(said, UserWarning, stacklevel=4)

    def _texts(self, x: NDArray[Any]) -> list[str]:
        """The likeliest symbol at each place, up to the first end."""
        ids = x.reshape(-1, *self.shape).argmax(-1)
        ends = ids == len(self.alphabet)
        sizes = np.where(ends.any(1), ends.argmax(1), self.length)
        codes = self._codes[ids]
        return [row[:size].tobytes().decode("utf-32-le") for row, size in zip(codes, sizes, strict=True)]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CharacterSchema:
        """The schema that `to_dict` wrote.

        Raises
        ------
        ValueError
            For keys, types and values that do not exist, and absurd sizes.
        """
        content = cls._content(data)
        if type(content["length"]) is not int or content["length"] < 1:
            raise ValueError(f"not the schema of texts by character: length {content['length']!r}")
        check_alphabet(content["alphabet"])
        schema = cls(**content)
        check_slots("Text", schema, SLOTS, "use a smaller length")
        return schema


@dataclass(frozen=True, eq=False)
class Ids:
    """The symbol at each place (n, length), and how many places of each text count (n,)."""

    ids: NDArray[Any]
    lengths: NDArray[np.int64]
    shape: tuple[int, ...]

    def take(self, index: Any) -> Batch:
        """Some rows as tensors."""
        import torch

        ids, lengths = self.ids[index], self.lengths[index]
        x = np.zeros((len(ids), *self.shape), np.float32)
        np.put_along_axis(x, ids[..., None].astype(np.intp), np.float32(1.0), -1)
        x[lengths == 0] = 0.0
        flat = torch.from_numpy(x.reshape(len(ids), math.prod(self.shape)))
        if (self.lengths == self.shape[0]).all():
            return Batch(flat)
        counts = torch.from_numpy(np.arange(self.shape[0]) < lengths[:, None])
        return Batch(flat, counts.repeat_interleave(self.shape[1], 1))


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _check_demand(demand: Demand) -> None:
    """Characters have probabilities of their own: no other objective or activation fits them."""
    if demand.head not in (None, "gaussian"):
        raise ValueError(
            f"Text: characters do not go with an objective for {demand.head!r}; leave objective=None, or use "
            f"Text('word', weighting={'binary' if demand.head == 'bernoulli' else 'count'!r})"
        )
    if demand.reach != _ANY:
        raise ValueError(
            f"Text: characters are told apart by a softmax, not by the output activation {demand.activation!r}; leave "
            "it at 'auto'"
        )
