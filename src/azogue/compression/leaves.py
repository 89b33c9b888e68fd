"""Leaves: the arrays and byte strings that a value is taken apart into, and scalars as JSON."""

from __future__ import annotations

import base64
import math
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.compression.ans import DamagedError

_DTYPE = re.compile(r"[<>|][biufcSU]\d{1,9}|[<>][mM]8(\[\d{0,9}(Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)\])?")
Array = NDArray[Any]


def dtype_of(text: Any) -> np.dtype:
    """A dtype by its name, of those that hold plain values.

    Raises
    ------
    DamagedError
        For any other text.
    """
    if isinstance(text, str) and _DTYPE.fullmatch(text):
        try:
            return np.dtype(text)
        except (TypeError, ValueError):
            pass
    raise DamagedError(f"no array has the dtype {str(text)[:40]!r}")


class Leaves:
    """Arrays and byte strings, numbered; writing appends, reading takes them by their number.

    Parameters
    ----------
    items : list of ndarray and bytes
    """

    def __init__(self, items: list[Array | bytes] | None = None) -> None:
        self.items: list[Array | bytes] = [] if items is None else items

    def add(self, item: Array | bytes) -> int:
        """Keep a leaf; its number."""
        if isinstance(item, np.ndarray) and not _DTYPE.fullmatch(item.dtype.str):
            raise TypeError(
                f"Cipher: arrays of dtype {item.dtype} are not encrypted; give plain numbers, dates or texts"
            )
        self.items.append(item)
        return len(self.items) - 1

    def array(self, number: Any, kinds: str = "biufcmMSU", ndim: int | None = 1, n: int | None = None) -> Array:
        """The array with a number, of a kind and a length."""
        found = self._at(number)
        if not isinstance(found, np.ndarray) or found.dtype.kind not in kinds or ndim not in (None, found.ndim):
            raise DamagedError("a leaf is of the wrong kind")
        if n is not None and len(found) != n:
            raise DamagedError(f"a column has {len(found)} rows instead of {n}")
        return found

    def blob(self, number: Any) -> bytes:
        """The byte string with a number."""
        found = self._at(number)
        if not isinstance(found, bytes):
            raise DamagedError("a leaf is of the wrong kind")
        return found

    def _at(self, number: Any) -> Array | bytes:
        if type(number) is not int or not 0 <= number < len(self.items):
            raise DamagedError(f"there is no leaf {str(number)[:40]}")
        return self.items[number]

    def add_texts(self, texts: list[Any]) -> dict[str, int]:
        """Texts and missing ones (None): those that differ once, and which one each is (0: none)."""
        known: dict[Any, int] = {None: 0}
        ranks = np.fromiter((known.setdefault(text, len(known)) for text in texts), np.uint32, len(texts))
        distinct = [text.encode("utf-8", "surrogatepass") for text in list(known)[1:]]
        lengths = np.fromiter(map(len, distinct), np.uint32, len(distinct))
        return {"ranks": self.add(ranks), "lengths": self.add(lengths), "texts": self.add(b"".join(distinct))}

    def texts(self, told: Any, n: int | None = None) -> list[Any]:
        """The inverse of `add_texts`."""
        match told:
            case {"ranks": ranks, "lengths": lengths, "texts": joined, **others} if not others:
                pass
            case _:
                raise DamagedError("texts are described in an unknown way")
        places, sizes, raw = self.array(ranks, "u", n=n), self.array(lengths, "u"), self.blob(joined)
        stops = np.cumsum(sizes.astype(np.int64))
        if (int(stops[-1]) if len(stops) else 0) != len(raw):
            raise DamagedError("texts have the wrong length")
        if len(places) and int(places.max()) > len(sizes):
            raise DamagedError("a text is missing")
        try:
            known: list[Any] = [
                raw[stop - size : stop].decode("utf-8", "surrogatepass")
                for stop, size in zip(stops.tolist(), sizes.tolist(), strict=True)
            ]
        except UnicodeDecodeError as error:
            raise DamagedError("texts are damaged") from error
        known.insert(0, None)
        return [known[place] for place in places.tolist()]


# -- scalars ---------------------------------------------------------------------------------------------------------


def scalar_to_json(value: Any) -> Any:
    """A cell or label of mixed kinds as JSON.

    Raises
    ------
    TypeError
        For values of other kinds.

    Examples
    --------
    >>> [scalar_to_json(value) for value in ("a", 1, True, None, (1, "b"))]
    ['a', 1, True, None, {'t': [1, 'b']}]
    """
    match value:
        case None | bool() | str():
            return value
        case np.bool_():
            return {"n": [value.dtype.str, base64.b64encode(value.tobytes()).decode()]}
        case np.generic() if _DTYPE.fullmatch(value.dtype.str):
            return {"n": [value.dtype.str, base64.b64encode(value.tobytes()).decode()]}
        case int():
            return value if abs(value) < 1 << 53 else {"i": hex(value)}
        case float():
            return {"f": value.hex()} if math.isfinite(value) else {"f": repr(value)}
        case bytes():
            return {"b": base64.b64encode(value).decode()}
        case tuple():
            return {"t": [scalar_to_json(item) for item in value]}
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas, which need not be there
        return {"missing": type(value).__name__}
    raise TypeError(f"Cipher: a value of type {type(value).__name__} is not encrypted; give numbers, texts or bytes")


def scalar_from_json(value: Any, depth: int = 8) -> Any:
    """The inverse of `scalar_to_json`.

    Raises
    ------
    DamagedError
    """
    try:
        match value:
            case None | bool() | str() | int():
                return value
            case {"n": [str(dtype), str(raw)], **others} if not others:
                return np.frombuffer(base64.b64decode(raw, validate=True), dtype_of(dtype), 1)[0]
            case {"i": str(text), **others} if not others and len(text) <= 10_000:
                return int(text, 16)
            case {"f": str(text), **others} if not others and len(text) <= 40:
                return float(text) if text in ("nan", "inf", "-inf") else float.fromhex(text)
            case {"missing": "NAType" | "NaTType" as name, **others} if not others:
                import pandas as pd

                return pd.NA if name == "NAType" else pd.NaT
            case {"b": str(raw), **others} if not others:
                return base64.b64decode(raw, validate=True)
            case {"t": list(items), **others} if not others and depth:
                return tuple(scalar_from_json(item, depth - 1) for item in items)
    except (ValueError, OverflowError) as error:
        raise DamagedError("a value is damaged") from error
    raise DamagedError("a value is described in an unknown way")
