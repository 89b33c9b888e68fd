"""Groups of a released table that share their quasi-identifiers: k-anonymity, l-diversity, t-closeness.

A quasi-identifier is a column that somebody else may know too, such as age, sex and postal code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.privacy.rows import Values, columns_of, position
from azogue.privacy.rows import select as _select

Label = Any


@dataclass(frozen=True)
class KAnonymity:
    """How many rows share each row's quasi-identifiers.

    Parameters
    ----------
    k : int
        Rows of the smallest group.
    below : int
        Rows in groups smaller than the `k` that was asked about.
    asked, rows, groups : int

    Examples
    --------
    >>> k_anonymity([["a", 1], ["a", 1], ["b", 1]], [0, 1], k=2)
    KAnonymity(k=1, below=1, asked=2, rows=3, groups=2)
    """

    k: int
    below: int
    asked: int
    rows: int
    groups: int


@dataclass(frozen=True)
class LDiversity:
    """How many sensitive values the rows of a group have.

    Parameters
    ----------
    distinct : int
        The fewest distinct values in a group.
    entropy : float
        `exp H` of the group with the least entropy H: as many equally frequent values would have it.

    Examples
    --------
    >>> l_diversity([["a", 1], ["a", 2], ["b", 1], ["b", 1]], [0], 1)
    LDiversity(distinct=1, entropy=1.0)
    """

    distinct: int
    entropy: float


def k_anonymity(X: Any, quasi_identifiers: Label | Sequence[Label], *, k: int = 5) -> KAnonymity:
    """The smallest group of rows that share all quasi-identifiers, and rows in groups of fewer than k.

    Parameters
    ----------
    X : table, shape (n, columns)
        A frame of pandas, polars or pyarrow, or an array. Missing values are equal to one another.
    quasi_identifiers : label or sequence of labels
        Names of columns; numbers from 0 of an array.
    k : int

    Raises
    ------
    ValueError
        For a column that is not there, or none.

    References
    ----------
    Sweeney (2002), k-anonymity: a model for protecting privacy, IJUFKS 10.

    Examples
    --------
    >>> import pyarrow as pa
    >>> table = pa.table({"age": [30, 30, 40, 40, 40], "sex": ["f", "f", "m", "m", "f"]})
    >>> k_anonymity(table, ["age", "sex"], k=2)
    KAnonymity(k=1, below=1, asked=2, rows=5, groups=3)
    """
    sizes = np.bincount(groups_of(X, quasi_identifiers))
    return KAnonymity(int(sizes.min()), int(sizes[sizes < k].sum()), k, int(sizes.sum()), len(sizes))


def l_diversity(X: Any, quasi_identifiers: Label | Sequence[Label], sensitive: Label) -> LDiversity:
    """The fewest sensitive values in a group of rows that share all quasi-identifiers.

    Parameters
    ----------
    X : table, shape (n, columns)
    quasi_identifiers : label or sequence of labels
    sensitive : label
        A missing value is a value of its own.

    References
    ----------
    Machanavajjhala, Kifer, Gehrke & Venkitasubramaniam (2007), l-diversity, ACM TKDD 1.

    Examples
    --------
    >>> X = np.array([[1, 0], [1, 1], [2, 0], [2, 0]])
    >>> l_diversity(X, 0, 1)
    LDiversity(distinct=1, entropy=1.0)
    """
    counts = _table_of(X, quasi_identifiers, sensitive)[0]
    shares = counts / counts.sum(axis=1, keepdims=True)
    logs = np.log(shares, out=np.zeros_like(shares), where=shares > 0)
    entropy = -(shares * logs).sum(axis=1)
    return LDiversity(int((counts > 0).sum(axis=1).min()), float(np.exp(entropy.min())))


def t_closeness(X: Any, quasi_identifiers: Label | Sequence[Label], sensitive: Label) -> float:
    """How far a group's distribution of a sensitive column lies from that of the table: the furthest group's t.

    The earth mover's distance: of numbers, in order, `Σ |F_group − F_table| / (m − 1)` over their m distinct values; of
    categories the total variation, `½ Σ |p − q|`. 0: every group is as the whole; 1: as far as possible.

    Parameters
    ----------
    X : table, shape (n, columns)
    quasi_identifiers : label or sequence of labels
    sensitive : label

    References
    ----------
    Li, Li & Venkatasubramanian (2007), t-closeness, ICDE.

    Examples
    --------
    >>> X = np.array([[1, 3], [1, 4], [1, 5], [2, 6], [2, 8], [2, 11], [3, 7], [3, 9], [3, 10]])
    >>> round(t_closeness(X, 0, 1), 3)
    0.375
    """
    counts, ordered = _table_of(X, quasi_identifiers, sensitive)
    part = counts / counts.sum(axis=1, keepdims=True)
    whole = counts.sum(axis=0) / counts.sum()
    if not ordered:
        return float(0.5 * np.abs(part - whole).sum(axis=1).max())
    steps = max(counts.shape[1] - 1, 1)
    return float(np.abs(np.cumsum(part - whole, axis=1)).sum(axis=1).max() / steps)


def groups_of(X: Any, quasi_identifiers: Label | Sequence[Label]) -> NDArray[np.intp]:
    """The group of each row, numbered from 0: rows of one group share all quasi-identifiers."""
    names = _names(quasi_identifiers)
    if not names:
        raise ValueError("quasi_identifiers: expected at least one column, got none")
    member: NDArray[np.intp] = np.zeros(1, np.intp)
    for values in _columns(X, names):
        codes = np.unique(values.values, return_inverse=True)[1].ravel()  # NaN are equal to one another there
        member = np.unique(member * (int(codes.max()) + 1) + codes, return_inverse=True)[1].ravel()
    return member


def _names(labels: Any) -> list[Any]:
    return [labels] if isinstance(labels, (str, int, np.integer)) else list(labels)


def _columns(X: Any, names: list[Any]) -> list[Values]:
    """The columns of these names."""
    table = X if hasattr(X, "columns") or isinstance(X, np.ndarray) else np.asarray(X)
    if isinstance(table, np.ndarray):
        if table.ndim != 2:
            raise ValueError(f"quasi_identifiers: expected a table, got the shape {table.shape}")
        chosen = table[:, [position(table, name, "quasi-identifier") for name in names]]
    else:
        for name in names:
            position(table, name, "quasi-identifier")
        chosen = _select(table, names)
    return [parts[0] for _, parts in columns_of(chosen)]


def _table_of(X: Any, quasi_identifiers: Any, sensitive: Any) -> tuple[NDArray[np.float64], bool]:
    """Counts of each sensitive value in each group, (groups, values), and whether the values are in an order."""
    member = groups_of(X, quasi_identifiers)
    column = _columns(X, [sensitive])[0]
    codes = np.unique(column.values, return_inverse=True)[1].ravel()
    counts = np.zeros((int(member.max()) + 1, int(codes.max()) + 1))
    np.add.at(counts, (member, codes), 1.0)
    return counts, column.classes is None


@dataclass(frozen=True)
class Quasi:
    """What the quasi-identifiers of a released table give away.

    Parameters
    ----------
    columns : tuple of str
    k_anonymity : KAnonymity
    sensitive : tuple of (str, LDiversity, float)
        For each sensitive column its l-diversity and its t-closeness.

    Examples
    --------
    >>> told = Quasi.of([["a", 1], ["a", 2], ["b", 1], ["b", 2]], [0], [1])
    >>> told.k_anonymity.k, told.sensitive
    (2, (('1', LDiversity(distinct=2, entropy=2.0), 0.0),))
    """

    columns: tuple[str, ...]
    k_anonymity: KAnonymity
    sensitive: tuple[tuple[str, LDiversity, float], ...] = ()

    @classmethod
    def of(cls, X: Any, columns: Any, sensitive: Sequence[Any] = (), k: int = 5) -> Quasi:
        """Measure a table."""
        names = _names(columns)
        found = [(str(one), l_diversity(X, names, one), t_closeness(X, names, one)) for one in sensitive]
        return cls(tuple(map(str, names)), k_anonymity(X, names, k=k), tuple(found))

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        columns = [
            {"name": name, "l_distinct": told.distinct, "l_entropy": told.entropy, "t": t}
            for name, told, t in self.sensitive
        ]
        return {"columns": list(self.columns), "k_anonymity": asdict(self.k_anonymity), "sensitive": columns}

    def sentences(self) -> list[str]:
        """What it means, a line each."""
        k = self.k_anonymity
        named = ", ".join(self.columns)
        lines = [f"{named}: the smallest group has {k.k} rows; {k.below} of {k.rows} are in groups below {k.asked}"]
        for name, told, t in self.sensitive:
            lines.append(
                f"{name}: at least {told.distinct} values a group (by entropy {told.entropy:.1f}), t-closeness {t:.2f}"
            )
        return lines
