"""Groups of rows whose codes are equal or nearly so, and how evenly codes use their bits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.hamming.words import Codes, as_words, counted, unpack


@dataclass(frozen=True)
class Bucket:
    """A group of rows.

    Parameters
    ----------
    code : str
        The code around which they are, in hexadecimal.
    size : int
    members : tuple of int
        Typical rows: those whose code is nearest to the mean of the group's bits, equals by position.
    label, purity : object, float or None
        The most frequent label and the part of the rows that have it.
    terms : tuple of str
        What its texts have more of than all texts.
    """

    code: str
    size: int
    members: tuple[int, ...]
    label: Any = None
    purity: float | None = None
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Buckets:
    """Groups by code, in the order of the Gray code: neighbours in the list differ in few bits; and the codes' balance.

    Parameters
    ----------
    groups : tuple of Bucket
    rows, others : int
        All rows, and those in no group because there were too many groups.
    distinct : int
        Different codes.
    collision : float
        How probable it is that two different rows have the same code.
    balance : float
        Mean over bits of `|2 m − 1|`, m the part of the rows that have the bit: 0 is even, 1 never changes.
    correlation : float
        Mean absolute correlation between different bits that change.
    idle : int
        Bits that never change.

    Examples
    --------
    >>> import numpy as np
    >>> import azogue as az
    >>> index = az.HammingIndex().add(np.array([[240], [240], [15], [14]], np.uint8))
    >>> found = index.buckets(radius=1, labels=["a", "a", "b", "a"])
    >>> [(group.code, group.size, group.label, group.purity) for group in found.groups]
    [('0e', 2, 'a', 0.5), ('f0', 2, 'a', 1.0)]
    >>> found.distinct, round(found.collision, 3)
    (3, 0.167)
    """

    groups: tuple[Bucket, ...]
    rows: int
    others: int
    distinct: int
    collision: float
    balance: float
    correlation: float
    idle: int

    @property
    def purity(self) -> float | None:
        """The part of the grouped rows that have their group's most frequent label."""
        told = [group for group in self.groups if group.purity is not None]
        sizes = sum(group.size for group in told)
        return sum(group.size * (group.purity or 0.0) for group in told) / sizes if sizes else None

    def __str__(self) -> str:
        head = (
            f"{self.rows:,} rows, {self.distinct:,} codes, {len(self.groups)} groups; collision {self.collision:.2g}, "
            f"balance {self.balance:.2f}, correlation {self.correlation:.2f}, {self.idle} idle bits"
        )
        lines = [
            f"{group.code}  {group.size:>7,}  "
            + ("" if group.purity is None else f"{group.label} {group.purity:.0%}  ")
            + " ".join(group.terms)
            for group in self.groups
        ]
        return "\n".join([head, *(line.rstrip() for line in lines)])


def bucketed(codes: Codes, radius: int, labels: Any, texts: Any, members: int, terms: int, most: int) -> Buckets:
    """See `HammingIndex.buckets`."""
    for name, told in (("labels", labels), ("texts", texts)):
        if told is not None and len(told) != len(codes):
            raise ValueError(f"buckets: expected {name} for {len(codes)} rows, got {len(told)}")
    if isinstance(radius, bool) or not isinstance(radius, (int, np.integer)) or radius < 0:
        raise ValueError(f"buckets: radius must be a whole number of bits of at least 0, got {radius!r}")
    kinds, numbers, sizes = np.unique(codes, axis=0, return_inverse=True, return_counts=True)
    leaders, owners = _led(kinds, sizes, radius, most)
    group_of = owners[numbers.ravel()]
    lists = [np.flatnonzero(group_of == number) for number in range(len(leaders))]
    words = _terms(texts, lists, terms) if texts is not None and terms else [()] * len(lists)
    named = None if labels is None else np.asarray(labels)
    groups = [
        _bucket(kinds[leader], rows, codes, named, members, words[number])
        for number, (leader, rows) in enumerate(zip(leaders, lists, strict=True))
    ]
    order = gray_order(kinds[leaders])
    balance, correlation, idle = evenness(codes)
    n = len(codes)
    return Buckets(
        tuple(groups[at] for at in order),
        n,
        int((group_of < 0).sum()),
        len(kinds),
        float((sizes * (sizes - 1.0)).sum() / (n * (n - 1.0))) if n > 1 else 0.0,
        balance,
        correlation,
        idle,
    )


def _led(kinds: Codes, sizes: NDArray[Any], radius: int, most: int) -> tuple[list[int], NDArray[np.int64]]:
    """The codes that lead a group, the largest first, and the group of each code, -1 if none."""
    words, owners = as_words(kinds), np.full(len(kinds), -1)
    leaders: list[int] = []
    for at in np.argsort(-sizes, kind="stable"):
        if owners[at] >= 0:
            continue
        if len(leaders) == most:
            break
        free = owners < 0
        near = free & (counted(words, words[at]) <= radius) if radius else np.arange(len(kinds)) == at
        owners[near] = len(leaders)
        leaders.append(int(at))
    return leaders, owners


def _bucket(
    code: Codes, rows: NDArray[Any], codes: Codes, labels: NDArray[Any] | None, members: int, terms: tuple[str, ...]
) -> Bucket:
    bits = unpack(codes[rows]).astype(np.float32)
    away = np.abs(bits - bits.mean(0)).sum(1)
    typical = rows[np.argsort(away, kind="stable")[:members]]
    label, purity = None, None
    if labels is not None:
        names, counts = np.unique(labels[rows].astype(str), return_counts=True)
        label, purity = str(names[counts.argmax()]), float(counts.max() / len(rows))
    return Bucket(code.tobytes().hex(), len(rows), tuple(typical.tolist()), label, purity, terms)


def gray_order(codes: Codes) -> NDArray[np.int64]:
    """The order of codes (n, bytes) as Gray codes: of the number whose Gray code each one is.

    Examples
    --------
    >>> import numpy as np
    >>> gray_order(np.array([[0b11], [0b10], [0b00], [0b01]], np.uint8)).tolist()  # 00, 01, 11, 10
    [2, 3, 0, 1]
    """
    numbers = np.packbits(np.bitwise_xor.accumulate(unpack(codes), axis=1), axis=1)
    return np.lexsort(numbers.T[::-1])


def evenness(codes: Codes) -> tuple[float, float, int]:
    """Balance, correlation and idle bits of codes (n, bytes); see `Buckets`."""
    bits = unpack(codes[:: max(1, len(codes) // 100_000)]).astype(np.float32)
    means = bits.mean(0)
    centred = bits - means
    spread = np.sqrt(np.square(centred).mean(0))
    moving = spread > 0
    balance = float(np.abs(2 * means - 1).mean())
    unit = centred[:, moving] / spread[moving]
    size = unit.shape[1]
    if size < 2:
        return balance, 0.0, int((~moving).sum())
    between = np.abs(unit.T @ unit / len(unit))
    return balance, float((between.sum() - between.trace()) / (size * (size - 1))), int((~moving).sum())


def _terms(texts: Sequence[Any], lists: list[NDArray[Any]], count: int) -> list[tuple[str, ...]]:
    """For each group of texts, the terms whose mean TF-IDF is most above that of all texts."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True, max_features=10_000)
    try:
        plain = [text.as_py() if hasattr(text, "as_py") else text for text in texts]  # of Arrow
        found = vectorizer.fit_transform([text if isinstance(text, str) else "" for text in plain])
    except ValueError:  # no text has a word
        return [()] * len(lists)
    names, usual, told = vectorizer.get_feature_names_out(), np.asarray(found.mean(0)).ravel(), []
    for rows in lists:
        above = np.asarray(found[rows].mean(0)).ravel() - usual
        best = np.argsort(-above, kind="stable")[:count]
        told.append(tuple(str(names[at]) for at in best if above[at] > 0))
    return told
