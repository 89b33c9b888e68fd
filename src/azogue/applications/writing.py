"""New rows by the million: drawn in parts, and written as they come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from azogue.modalities.written import write_parts
from azogue.session import as_seed

#: Rows that are drawn at once.
ROWS = 65_536


class Writing:
    """What a fitted `Synthesizer` does where there are more rows than memory holds."""

    seed_: int

    def sample(self, n: int = 1, *, where: Any = None, random_state: Any = None) -> Any:
        """New rows."""
        raise NotImplementedError

    def parts(self, n: int, *, where: Any = None, random_state: Any = None, size: int = ROWS) -> Iterator[Any]:
        """`n` new rows, `size` at a time: each part is a `sample` with a seed of its own, which the number gives.

        Parameters
        ----------
        n : int
        where, random_state : see `sample`
        size : int
            Of another size, the rows are others.
        """
        for name, value in (("n", n), ("size", size)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < (name == "size"):
                raise ValueError(
                    f"sample: {name} must be a whole number of at least {int(name == 'size')}, got {value!r}"
                )
        seed = self.seed_ if random_state is None else as_seed(random_state)
        return self._each(int(n), where, seed, int(size))

    def _each(self, n: int, where: Any, seed: int, size: int) -> Iterator[Any]:
        for number, start in enumerate(range(0, n, size)):
            own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            yield self.sample(min(size, n - start), where=where, random_state=own)

    def write(
        self, path: str | os.PathLike[str], n: int, *, where: Any = None, random_state: Any = None, size: int = ROWS
    ) -> int:
        """Write `n` new rows in parts, as they are drawn, to a Parquet or CSV file; see `parts`.

        Returns
        -------
        int
            Rows written.
        """
        return write_parts(path, self.parts(n, where=where, random_state=random_state, size=size))
