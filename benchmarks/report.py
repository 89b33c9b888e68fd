"""How long a report takes and how large it is: `python benchmarks/report.py`.

A table of `REPORT_ROWS` (100,000) rows of 44 numbers and six categories, an autoencoder of two epochs. Goals: 20 s
on two cores, 1 MB.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import azogue as az

ROWS = int(os.environ.get("REPORT_ROWS", "100000"))


def main() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(ROWS, 5)) @ rng.normal(size=(5, 44)) + 0.3 * rng.normal(size=(ROWS, 44))
    columns = {f"number {at}": numbers[:, at] for at in range(44)}
    columns |= {f"kind {at}": rng.choice(["a", "b", "c", "d"], ROWS) for at in range(6)}
    table = pa.table(columns)
    ae = az.Autoencoder(8, epochs=2, random_state=0).fit(table)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        begun = time.perf_counter()
        ae.report(table).save(page)
        seconds = time.perf_counter() - begun
        print(f"{ROWS:,} × {len(columns)}: {seconds:.1f} s, {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
