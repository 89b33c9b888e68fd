"""How a fitted imputer fills cells: by what is expected of them, or by draws from what they may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from sklearn.utils.validation import check_is_fitted

from azogue.applications.chains import Chains
from azogue.applications.correcting import Correction, Told
from azogue.applications.filling import completed, slots_of, spelled
from azogue.applications.merging import gaps, merge
from azogue.applications.overimputing import Overimputed, overimpute
from azogue.autoencoder import Autoencoder
from azogue.modalities import TableSchema
from azogue.modalities.dataset import Dataset, check_result, in_parts
from azogue.modalities.numeric import Numeric
from azogue.modalities.reading import read
from azogue.populations import reflected
from azogue.recipe import Batch
from azogue.validation import remember_columns

#: Rows that are filled at once.
ROWS = 16_384


class Completing:
    """The methods of a fitted `Imputer`."""

    members_: list[Autoencoder]
    corrections_: dict[str, Any]
    kept_: dict[str, np.ndarray]
    skill_: np.ndarray
    seed_: int
    passes: int
    residual: bool
    clipped: bool
    rounded: bool

    @property
    def autoencoder_(self) -> Autoencoder:
        """The first network."""
        check_is_fitted(self, "members_")
        return self.members_[0]

    @property
    def schema_(self) -> Any:
        """How rows are packed."""
        return self.autoencoder_.schema_

    @in_parts
    def transform(self, X: Any) -> Any:
        """The same rows with every cell filled by its expectation, or its most probable category.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        the same kind of object: columns, dtypes, row labels and observed cells as they came
        """
        check_is_fitted(self, "members_")
        remember_columns(self, X, reset=False)
        if not isinstance(self.schema_, TableSchema):
            return _reconstructed(self.autoencoder_, X)
        batch, holes = self._packed(X)
        out = self._expected(batch)
        return self._merged(X, holes, out, batch)

    def impute(self, X: Any, m: int = 20) -> list[Any]:
        """Completed tables whose filled cells are drawn from what they may be, for multiple imputation (Rubin 1987).

        Each table is a chain of its own: its columns are drawn one after the other, ten times over, given all other
        cells as drawn last (chained equations). A number: a Bayesian linear regression on the other columns and on what
        the networks expect of the cell, and the error of a row that is alike. A category: a logistic regression of a
        bootstrap sample. Regressions are those of rows that were fitted, at most 4,000.

        Parameters
        ----------
        X : table, shape (n, columns)
        m : int
            How many tables. Of a `Dataset` they are put together in memory; each of its blocks has draws of its own.

        Returns
        -------
        list of tables, each as `transform` gives it
        """
        check_is_fitted(self, "members_")
        if isinstance(m, bool) or not isinstance(m, (int, np.integer)) or m < 1:
            raise ValueError(f"m: expected a whole number of tables of at least 1, got {m!r}")
        if not isinstance(self.schema_, TableSchema):
            raise TypeError("impute: draws are for tables; use transform for pictures, signals and texts")
        remember_columns(self, X, reset=False)
        if not isinstance(X, Dataset):
            return self._drawn(X, m, [])
        found: list[Any] = []
        for number, block in enumerate(X.blocks()):
            check_result(X, m * block.nbytes / len(block), "impute")
            found.append(self._drawn(block, m, [number]))
        return [pa.concat_tables(parts) for parts in zip(*found, strict=True)]

    def _drawn(self, X: Any, m: int, part: list[int]) -> list[Any]:
        """Completed tables of some rows; `part` is which of them, where these are some of many."""
        batch, holes = self._packed(X)
        if not holes.any():
            return [self._merged(X, holes, batch.x.numpy(), batch) for _ in range(m)]
        chains = Chains(self.schema_, self.members_, self.kept_, batch, self._expected, self._proper)
        rngs = (np.random.default_rng([self.seed_, number, *part]) for number in range(m))
        return [self._merged(X, holes, chains.drawn(rng), batch) for rng in rngs]

    def distribution(self, X: Any) -> dict[str, np.ndarray]:
        """What is told of each missing cell, and how surely.

        Parameters
        ----------
        X : table, shape (n, columns)

        Returns
        -------
        dict of ndarray, an entry for each filled cell, row by row
            `row` and `column`: its position. `name`: its column's name. `value`: what `transform` fills in. `spread`:
            the predictive standard deviation of a number, in the column's units (days of dates); NaN for categories.
            `probability`: of the category or boolean that is filled in; NaN for numbers. `skill`: the column's
            `skill_`.
        """
        check_is_fitted(self, "members_")
        remember_columns(self, X, reset=False)
        if not isinstance(self.schema_, TableSchema):
            raise TypeError("distribution: it is for tables")
        batch, holes = self._packed(X)
        out = self._expected(batch)
        cells = self._cells(batch, out, holes)
        names = np.array(self.schema_.names or range(self.schema_.n_columns), dtype=object)
        rows, columns = np.nonzero(holes)
        spread, probability = (part[rows, columns] for part in cells)
        values = self._values(X, holes, out, batch, rows, columns)
        return {
            "row": rows,
            "column": columns,
            "name": names[columns],
            "value": values,
            "spread": spread,
            "probability": probability,
            "skill": self.skill_[columns],
        }

    def overimpute(self, X: Any, **options: Any) -> Overimputed:
        """Observed cells hidden in turn and drawn again, which tells whether intervals can be trusted.

        Parameters
        ----------
        X : table, shape (n, columns)
        **options
            `cells, m, confidence, refit, random_state`; see `applications.overimputing.overimpute`.

        Returns
        -------
        Overimputed
            `coverage`, `summary()` and `plot()`.
        """
        check_is_fitted(self, "members_")
        return overimpute(self, X, **options)

    def _packed(self, X: Any) -> tuple[Batch, np.ndarray]:
        """Rows as the networks read them, and where cells are to be filled."""
        batch = spelled(self.schema_.pack(X))
        holes = gaps(X)
        known = np.zeros(self.schema_.n_columns, bool)
        known[list(slots_of(self.schema_))] = True
        return batch, holes & known

    def _corrections(self) -> dict[int, Correction]:
        return {int(column): Correction(**state) for column, state in self.corrections_.items()}

    def _expected(self, batch: Batch) -> np.ndarray:
        """What is expected of each cell, (n, width): scaled numbers, probabilities."""
        return np.concatenate([out for _, _, out in self._parts(batch)])

    def _parts(self, batch: Batch) -> Iterator[tuple[Batch, Told, np.ndarray]]:
        """Some rows at a time: packed, as corrections read them (all slots expected), and what is expected."""
        corrections, slots = self._corrections() if self.residual else {}, slots_of(self.schema_)
        for start in range(0, len(batch), ROWS):
            part = batch.take(slice(start, start + ROWS))
            told = reflected(self.members_, part)
            out, seen = completed(part, told), part.mask.numpy()  # type: ignore[union-attr]
            for done in range(self.passes):
                asked, out = Told(out, seen, told), told.copy()
                for column, own in slots.items():
                    rows = np.flatnonzero(~seen[:, own[0]])
                    if len(rows) and column in corrections:
                        out[np.ix_(rows, own)] += corrections[column].means(
                            _of(asked, rows, own), rough=done + 1 < self.passes
                        )
                    out[np.ix_(rows, own)] = self._proper(column, out[np.ix_(rows, own)])
                out = completed(part, out)
            yield part, asked, out

    def _proper(self, column: int, values: np.ndarray) -> np.ndarray:
        """Numbers within their range, probabilities that add up to 1."""
        kind = self.schema_.columns[column]
        if isinstance(kind, Numeric):
            if not self.clipped:
                return values
            low, high = kind.map.forward(np.array([kind.low, kind.high])).astype(np.float32)
            if low < high:  # a step inwards: rounded bounds may lie outside
                low, high = np.nextafter(low, high), np.nextafter(high, low)
            return np.asarray(np.clip(values, low, high))
        values = np.clip(values, 0.0, 1.0)
        total = np.ones((1, 1)) if values.shape[1] == 1 else np.maximum(values.sum(axis=1, keepdims=True), 1e-12)
        return np.asarray(values / total)

    def _cells(self, batch: Batch, out: np.ndarray, holes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Spreads of numbers in their units, and probabilities of categories and booleans, (n, columns); else NaN."""
        spread, probability = np.full(holes.shape, np.nan), np.full(holes.shape, np.nan)
        corrections, slots, start = self._corrections(), slots_of(self.schema_), 0
        for part, asked, told in self._parts(batch):
            for column, own in slots.items():
                rows = np.flatnonzero(holes[start : start + len(part), column])
                kind, value = self.schema_.columns[column], told[np.ix_(rows, own)]
                if not isinstance(kind, Numeric):
                    sure = value[:, :-1].max(axis=1) if len(own) > 1 else np.maximum(value, 1 - value)[:, 0]
                    probability[start + rows, column] = sure
                elif column in corrections and len(rows):
                    sd = corrections[column].spreads(_of(asked, rows, own))
                    ends = (kind.map.inverse((value + sign * sd)[:, 0].astype(float)) for sign in (1.0, -1.0))
                    high, low = ends
                    spread[start + rows, column] = (high - low) / 2 * kind.unit
            start += len(part)
        return spread, probability

    def _filled(self, x: np.ndarray, batch: Batch) -> Any:
        """Packed rows as the user's kind of object."""
        schema = self.schema_
        if not self.rounded:
            plain = [replace(k, decimals=None) if isinstance(k, Numeric) else k for k in schema.columns]
            schema = replace(schema, columns=tuple(plain))
        return schema.unpack(Batch(torch.from_numpy(np.asarray(x, np.float32)), None, batch.rows))

    def _merged(self, X: Any, holes: np.ndarray, x: np.ndarray, batch: Batch) -> Any:
        return merge(X, self._filled(x, batch) if holes.any() else X, holes)

    def _values(
        self, X: Any, holes: np.ndarray, x: np.ndarray, batch: Batch, rows: np.ndarray, columns: np.ndarray
    ) -> np.ndarray:
        """The filled cells as Python values."""
        source = read(self._merged(X, holes, x, batch))
        found = np.empty(len(rows), object)
        for column in np.unique(columns):
            at = np.flatnonzero(columns == column)
            found[at] = source.column(int(column)).array.take(rows[at]).to_pylist()
        return found


def _of(told: Told, rows: np.ndarray, own: np.ndarray) -> Told:
    """Some rows, as the correction of a column reads them."""
    return Told(told.filled[rows], told.seen[rows], told.expected[np.ix_(rows, own)])


def _reconstructed(autoencoder: Autoencoder, X: Any) -> Any:
    """Pictures and signals with what is missing reconstructed."""
    made = autoencoder.reconstruct(X)
    if isinstance(X, list):
        return [np.where(np.isnan(own), other, own) for own, other in zip(X, made, strict=True)]
    return np.where(np.isnan(X), made, X) if np.asarray(X).dtype.kind == "f" else X
