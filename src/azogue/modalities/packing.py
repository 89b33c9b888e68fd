"""All columns of one slot each, packed and unpacked a block of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.modalities.columns import Boolean
from azogue.modalities.numeric import Numeric, infinity
from azogue.modalities.reading import Source, TableRows
from azogue.modalities.scaling import Affine, Floats
from azogue.recipe import Batch

#: Cells of a block.
_BLOCK = 2**18
#: Scaled values are kept within float32's range.
_HUGE = 3e38
_SAME = Affine(0.0, 1.0)


def cut(source: Source, size: int) -> Iterator[slice]:
    """The rows, `size` at a time."""
    return (slice(start, start + size) for start in range(0, source.shape[0], size))


def as_batch(x: NDArray[np.float32], hidden: NDArray[np.bool_], rows: TableRows | None = None) -> Batch:
    """Packed rows (n, width) and which of their slots are hidden, as tensors."""
    import torch

    mask = torch.from_numpy(np.logical_not(hidden, out=hidden)) if hidden.any() else None
    return Batch(torch.from_numpy(x), mask, rows)


class Dense:
    """Numeric and boolean columns between the user's values and their slots.

    Parameters
    ----------
    columns : sequence of (int, Numeric or Boolean)
        The user's column of each slot and what it is.
    """

    def __init__(self, columns: Sequence[tuple[int, Numeric | Boolean]]) -> None:
        self.positions = np.array([position for position, _ in columns], dtype=np.intp)
        self.kinds = kinds = [kind for _, kind in columns]
        straight = [kind.map if isinstance(kind.map, Affine) else _SAME for kind in kinds]
        self._center = np.array([scale.center for scale in straight])
        self._scale = np.array([scale.scale for scale in straight])
        self._special = [
            (slot, kind, position)
            for slot, (position, kind) in enumerate(columns)
            if isinstance(kind, Numeric) and not kind.is_plain
        ]
        self._bent = [(slot, kind.map) for slot, kind in enumerate(kinds) if not isinstance(kind.map, Affine)]

    def pack(self, source: Source) -> Iterator[tuple[slice, Floats]]:
        """Blocks of rows: which, and their scaled values (rows, slots), NaN where missing."""
        special = [(slot, kind, kind.align(source.column(position))) for slot, kind, position in self._special]
        for rows in self._blocks(source.shape[0]):
            values = source.block(rows, self.positions)
            for slot, kind, column in special:
                values[:, slot] = kind.floats(column, rows)
            self._refuse_infinity(source, values)
            yield rows, self._scaled(values)

    def unpack(self, s: NDArray[Any]) -> list[NDArray[Any]]:
        """Scaled values (n, width) → the cells of each column, in its own dtype."""
        result = [np.empty(len(s), kind.storage) for kind in self.kinds]
        for rows in self._blocks(len(s)):
            u = self._unscaled(s[rows, : len(self.kinds)].astype(np.float64))
            for slot, kind in enumerate(self.kinds):
                result[slot][rows] = kind.cells(u[:, slot])
        return result

    def _scaled(self, values: Floats) -> Floats:
        with np.errstate(over="ignore"):
            values -= self._center
            values /= self._scale
            for slot, scale in self._bent:
                values[:, slot] = scale.forward(values[:, slot])
        return np.clip(values, -_HUGE, _HUGE, out=values)

    def _unscaled(self, s: Floats) -> Floats:
        with np.errstate(over="ignore"):
            s *= self._scale
            s += self._center
            for slot, scale in self._bent:
                s[:, slot] = scale.inverse(s[:, slot])
        return s

    def _refuse_infinity(self, source: Source, values: Floats) -> None:
        if not np.isfinite(values).all() and (infinite := np.isinf(values).any(axis=0)).any():
            raise infinity(source.column(self.positions[infinite.argmax()]).label)

    def _blocks(self, n: int) -> Iterator[slice]:
        size = max(256, _BLOCK // max(1, len(self.kinds)))
        return (slice(start, min(start + size, n)) for start in range(0, n, size))
