"""Text: strings ↔ counts of words or rows of characters.

Two units, two kinds of model: `"word"` keeps which words a text has and forgets their order, `"character"` keeps every
character and its place. Texts come in lists, arrays, series of pandas, polars and Arrow, or as the lines of a file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from azogue.disk import naming, opened
from azogue.modalities.base import Demand
from azogue.modalities.dtypes import arrow_type, pandas_dtype, pandas_token
from azogue.recipe import Rows, Spec

if TYPE_CHECKING:
    from azogue.modalities.textual import TextSchema

#: A text, or None where it is missing.
Maybe: TypeAlias = "str | None"

UNITS = ("word", "character")
WEIGHTINGS = ("count", "binary", "tfidf")
#: Parameters that one unit alone has.
_OWN = {"word": ("max_features", "weighting", "stop_words", "min_count"), "character": ("length", "alphabet")}
_NO_DEMAND = Demand()
#: Surrogates: no characters, and no file can hold them.
_HALF = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, repr=False)
class Text(Spec):
    """Texts, as bags of words or as rows of characters.

    With `unit="word"` a text is a row of numbers, one for each word of the vocabulary. Words are lower-cased runs of
    two or more letters, digits and underscores, as scikit-learn's `CountVectorizer` finds them. What comes back is the
    words of a row, each once, joined by spaces, the most expected first: order and spelling of the text are lost. With
    `unit="character"` a text is a row of places, at each of which one symbol stands; what comes back is the text. A
    text that is None or NaN is missing, and comes back as None.

    Parameters
    ----------
    unit : {"word", "character"}
    max_features : int
        Words of the vocabulary: the most frequent ones of the training texts, the alphabet decides between equals.
    weighting : {"count", "binary", "tfidf"}
        How often a word occurs (Poisson head), whether it does (Bernoulli head), or `(1 + log count) · idf` with
        `idf = log((1 + n) / (1 + df)) + 1`, each row of length 1 (Gaussian head; df of n training texts have the word).
    stop_words : "english", or tuple of str, optional
        Words to leave out; `"english"` is scikit-learn's list.
    min_count : int
        Training texts that must have a word, at least.
    length : int, optional
        Places of a row of characters; None: the longest training text's, 512 at most. Longer texts are cut, with one
        warning that counts them.
    alphabet : str, optional
        The characters that are told apart; None: the 256 most frequent ones of the training texts, the smaller code
        point first between equals. Any other comes back as U+FFFD, and is told in one warning.

    Examples
    --------
    >>> schema = Text(weighting="binary").fit(["The cat sat.", "The dog sat.", "A dog!"])
    >>> schema.words
    ('cat', 'dog', 'sat', 'the')
    >>> schema.pack(["A DOG, the dog"]).x
    tensor([[0., 1., 0., 1.]])
    >>> schema.unpack(schema.pack(["A DOG, the dog"]))
    ['dog the']
    >>> schema = Text("character").fit(["sí", "no"])
    >>> schema.shape, schema.unpack(schema.pack(["no", "", "sí"]))
    ((2, 6), ['no', '', 'sí'])
    """

    unit: str = "word"
    max_features: int = 10_000
    weighting: str = "count"
    stop_words: str | tuple[str, ...] | None = None
    min_count: int = 1
    length: int | None = None
    alphabet: str | None = None

    def __post_init__(self) -> None:
        _one_of("unit", self.unit, UNITS)
        _one_of("weighting", self.weighting, WEIGHTINGS)
        _whole("max_features", self.max_features)
        _whole("min_count", self.min_count)
        if self.length is not None:
            _whole("length", self.length)
        if self.alphabet is not None:
            check_alphabet(self.alphabet)
        if isinstance(self.stop_words, list):
            object.__setattr__(self, "stop_words", tuple(self.stop_words))
        words = self.stop_words
        if words not in (None, "english") and not (isinstance(words, tuple) and all(isinstance(w, str) for w in words)):
            raise ValueError(f"Text: stop_words must be None, 'english' or a tuple of words, got {words!r}")
        other = UNITS[1 - UNITS.index(self.unit)]
        for item in fields(self):
            if item.name in _OWN[other] and getattr(self, item.name) != item.default:
                raise ValueError(f"Text: {item.name} belongs to unit={other!r}, but unit is {self.unit!r}; drop one")

    def fit(self, X: Any, demand: Demand = _NO_DEMAND) -> TextSchema:
        """Learn how to pack texts like `X` and how to undo it.

        Parameters
        ----------
        X : list, tuple, 1-d array or series of str, or path of a .txt file
            Of a file, each line is a text.
        demand : Demand
            What objective and output activation ask.

        Raises
        ------
        TypeError
            For anything that is no text; the message says where and what it is.
        ValueError
            For X without texts, words or characters, files that cannot be read, and contradictions to `demand`.
        """
        from azogue.modalities.characters import CharacterSchema
        from azogue.modalities.words import WordSchema

        fit = WordSchema.fit if self.unit == "word" else CharacterSchema.fit
        return fit(self, read(X), demand)


def _one_of(name: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"Text: {name} must be one of {', '.join(map(repr, known))}, got {value!r}")


def _whole(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"Text: {name} must be a whole number of at least 1, got {value!r}")


def check_alphabet(alphabet: object) -> None:
    """Refuse what is no text, or none at all, characters that stand there twice, and halves of characters."""
    fits = isinstance(alphabet, str) and 0 < len(alphabet) == len(set(alphabet)) and not _HALF.search(alphabet)
    if not fits:
        raise ValueError(f"Text: alphabet must be text in which each character stands once, got {alphabet!r}")


def schema_from_dict(data: dict[str, Any]) -> TextSchema:
    """The schema that `to_dict` of either unit wrote.

    Raises
    ------
    ValueError
        For units, keys, types and values that do not exist.
    """
    from azogue.modalities.characters import CharacterSchema
    from azogue.modalities.words import WordSchema

    unit = data.get("unit") if isinstance(data, dict) else None
    for schema in (WordSchema, CharacterSchema):
        if unit == schema.unit:
            return schema.from_dict(data)
    raise ValueError(f"not the schema of texts: the unit is {unit!r}, there are {', '.join(UNITS)}")


# -- reading and writing -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TextRows(Rows):
    """The container and row labels to give back, and how many symbols of each text count.

    Parameters
    ----------
    lengths : ndarray of int64, shape (n,), or None
        Characters of each text and the symbol that ends it, 0 where the text is missing; None for bags of words.
    native : str or None
        The container's own dtype, where it has several for text.
    name : hashable
        Of a series.
    """

    lengths: NDArray[np.int64] | None = None
    native: str | None = None
    name: Any = None


@dataclass(frozen=True, eq=False)
class Source:
    """Texts as they were found, read a part at a time.

    Parameters
    ----------
    rows : TextRows
    count : int
    cut : callable
        A number of rows → the values, so many at a time.
    """

    rows: TextRows
    count: int
    cut: Callable[[int], Iterator[list[Any]]]

    def parts(self, size: int) -> Iterator[list[Maybe]]:
        """The texts, `size` at a time, None where they are missing."""
        start = 0
        for values in self.cut(size):
            plain = set(map(type, values)) == {str}
            yield values if plain else [_text(value, start + at) for at, value in enumerate(values)]
            start += len(values)


def read(X: Any) -> Source:
    """Any container of texts → texts.

    Raises
    ------
    TypeError
        For containers of another kind, and for series and arrays of another type.
    ValueError
        For X without texts or of other than one dimension, and for files that cannot be read.
    """
    if isinstance(X, (str, os.PathLike)):
        source = _from_path(X)
    elif isinstance(X, (list, tuple)):
        source = Source(TextRows("list"), len(X), lambda size: _slices(X, list, size))
    elif isinstance(X, np.ndarray):
        source = _from_array(X)
    else:
        source = _from_series(X)
    if not source.count:
        raise ValueError(f"Text: {X if isinstance(X, (str, os.PathLike)) else 'X'} has no texts; give at least one")
    return source


def _slices(values: Any, turn: Callable[[Any], list[Any]], size: int) -> Iterator[list[Any]]:
    return (turn(values[start : start + size]) for start in range(0, len(values), size))


def _text(value: Any, at: int) -> Maybe:
    """One value as a text, None where it is missing."""
    if isinstance(value, str):
        return str(value)
    if value is None or type(value).__name__ == "NAType":
        return None
    if isinstance(value, (float, np.floating)) and np.isnan(value):
        return None
    raise _no_text(type(value).__name__, at)


def _no_text(kind: str, at: int = 0) -> TypeError:
    remedy = "decode them, e.g. x.decode('utf-8')" if re.search("bytes|binary|S[0-9]", kind) else "convert them to str"
    return TypeError(
        f"Text: expected strings (None or NaN where missing), but position {at} of X holds {kind}; {remedy}"
    )


def _from_array(X: NDArray[Any]) -> Source:
    if X.ndim != 1:
        raise ValueError(
            f"Text: expected an array of texts of shape (n,), got {X.shape}; take one column, e.g. X[:, 0]"
        )
    if X.dtype.kind not in "UTO" and len(X):
        raise _no_text(str(X.dtype))
    return Source(TextRows("numpy"), len(X), lambda size: _slices(X, lambda part: part.tolist(), size))


def _from_series(X: Any) -> Source:
    whole = isinstance(X, pa.Array)
    series = nw.from_native(pa.chunked_array([X]) if whole else X, series_only=True, pass_through=True)
    if not isinstance(series, nw.Series):
        remedy = "take one column of it" if hasattr(X, "columns") else "make a list of it"
        raise TypeError(
            f"Text: expected strings in a list, array, series or .txt file, got {type(X).__name__}; {remedy}"
        )
    rows = TextRows(series.implementation.value, nw.maybe_get_index(series), name=series.name)
    values: Any = X.to_numpy() if str(getattr(X, "dtype", "")) == "object" else _arrow(series)
    if rows.container == "pandas":
        dtype = getattr(X.dtype, "categories", X).dtype
        arrow = getattr(dtype, "pyarrow_dtype", None)
        rows = replace(rows, native=pandas_token(dtype) if arrow is None else f"arrow/{arrow}")
    elif rows.container != "polars":
        rows = replace(rows, container="pyarrow", native=f"{'array' if whole else 'chunked'}/{values.type}")
    rows = rows if is_home(rows.container, rows.native) else replace(rows, native=None)
    turn = np.ndarray.tolist if isinstance(values, np.ndarray) else pa.Array.to_pylist
    return Source(rows, len(values), lambda size: _slices(values, turn, size))


def _arrow(series: nw.Series[Any]) -> pa.Array:
    """The strings of a series; of categories, their names."""
    try:
        array = series.to_arrow()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise _no_text(str(series.dtype)) from error
    array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    if str(array.type) not in (*_STRINGS, "null"):
        raise _no_text(str(array.type))
    return array


def _from_path(path: str | os.PathLike[str]) -> Source:
    if not os.fspath(path).lower().endswith(".txt"):
        if isinstance(path, str):
            raise TypeError(f"Text: X is one string, {path[:40]!r}; give a list of texts, or a path that ends in .txt")
        raise ValueError(f"Text: {path} is no text file; give a path that ends in .txt")
    with naming(path), opened(path) as (stream, _):
        count = sum(1 for _ in stream)
    return Source(TextRows("list"), count, lambda size: _lines(path, size))


def _lines(path: str | os.PathLike[str], size: int) -> Iterator[list[str]]:
    """The lines of a UTF-8 file without their ends, `size` at a time."""
    with naming(path), opened(path) as (stream, _):
        start = 1
        while lines := list(islice(stream, size)):
            yield [_decoded(path, start + at, line) for at, line in enumerate(lines)]
            start += len(lines)


def _decoded(path: str | os.PathLike[str], number: int, line: bytes) -> str:
    content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    try:
        return content.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: line {number} is not UTF-8 ({error}); save the file as UTF-8") from error


_STRINGS = ("string", "large_string", "string_view")


def is_home(container: object, native: object) -> bool:
    """Whether texts can be written to this container and dtype."""
    kinds = {"pandas": r"object|(str|string)\[(python|pyarrow)\]|arrow/KIND", "pyarrow": "(array|chunked)/KIND"}
    pattern = kinds.get(str(container), "").replace("KIND", f"({'|'.join(_STRINGS)})")
    fits = native is None or (isinstance(native, str) and re.fullmatch(pattern, native) is not None)
    return isinstance(container, str) and container in _WRITERS and fits


def write(rows: TextRows, texts: list[Maybe]) -> Any:
    """The user's kind of object."""
    return _WRITERS[rows.container](rows, texts)


def _numpy(rows: TextRows, texts: list[Maybe]) -> NDArray[np.object_]:
    result = np.empty(len(texts), object)
    result[:] = texts
    return result


def _pandas(rows: TextRows, texts: list[Maybe]) -> Any:
    import pandas as pd

    family, _, kind = (rows.native or "object").partition("/")
    dtype = pd.ArrowDtype(arrow_type(kind)) if family == "arrow" else pandas_dtype(family)
    return pd.Series(texts, rows.index, dtype, rows.name)


def _polars(rows: TextRows, texts: list[Maybe]) -> Any:
    import polars as pl

    return pl.Series(rows.name, texts, pl.String)


def _pyarrow(rows: TextRows, texts: list[Maybe]) -> Any:
    family, _, kind = (rows.native or "chunked/string").partition("/")
    array = pa.array(texts, arrow_type(kind))
    return array if family == "array" else pa.chunked_array([array])


_WRITERS: dict[str, Callable[[TextRows, list[Maybe]], Any]] = {
    "list": lambda _, texts: texts,
    "numpy": _numpy,
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
}
