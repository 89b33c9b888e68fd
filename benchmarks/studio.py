"""How long the studio takes to answer what a person does, on digits: as pictures, and as a table of 64 columns.

    python benchmarks/studio.py [REPEATS]

Each answer goes the whole way: a request over the wire to a server in a process of its own, and the JSON back. Decode
is a move of a slider, brush lists the rows of a rectangle, row is what the pointer shows, explain the reasons of a row.
Prints the median and the 95 % quantile in milliseconds, and the processor's time that the server takes for an answer.
"""

from __future__ import annotations

import http.client
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
from pyarrow import csv
from sklearn.datasets import load_digits


class Studio:
    """A studio in a process of its own, and one tab of it."""

    def __init__(self) -> None:
        line = [sys.executable, "-m", "azogue", "studio", "--no-browser", "--json"]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        address = urlsplit(json.loads(self.process.stdout.readline())["address"])
        self.link = http.client.HTTPConnection(str(address.hostname), int(address.port or 0))
        self.headers = {"X-Azogue-Token": address.fragment}
        self.headers["X-Azogue-Session"] = self.ask("open")["session"]

    def ask(self, name: str, body: bytes | None = None, method: str = "POST", **told: object) -> dict:
        self.link.request(method, f"/api/{name}", json.dumps(told) if body is None else body, self.headers)
        answer = self.link.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(text.decode())
        return json.loads(text) if method == "POST" else {"text": text.decode()}

    def train(self, name: str, data: bytes, use: str, **options: object) -> None:
        self.ask(f"upload?name={name}", data)
        self.ask("start", use=use, options=options)
        self.ask("watch", method="GET")

    def worked(self) -> float:
        """Seconds of the processor so far."""
        told = Path(f"/proc/{self.process.pid}/stat")
        if not told.exists():
            return float("nan")
        user, system = told.read_text().rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def measure(self, what: str, repeats: int, asked: object) -> None:
        times, worked = [], self.worked()
        for at in range(repeats):
            name, body = asked(at)  # type: ignore[operator]
            begun = time.perf_counter()
            self.ask(name, **body)
            times.append(1000 * (time.perf_counter() - begun))
        worked = 1000 * (self.worked() - worked) / repeats
        middle, high = np.quantile(times, [0.5, 0.95])
        print(f"{what:<28} median {middle:7.1f} ms   95 % {high:7.1f} ms   processor {worked:6.1f} ms", flush=True)


def main(repeats: int) -> None:
    digits = load_digits()
    pictures, table = io.BytesIO(), io.BytesIO()
    np.save(pictures, (digits.images * 15).astype(np.uint8))
    csv.write_csv(pa.table({f"p{at}": digits.data[:, at] for at in range(64)}), table)
    rng = np.random.default_rng(0)
    studio = Studio()
    for name, data in (("pictures.npy", pictures.getvalue()), ("table.csv", table.getvalue())):
        what = name.split(".")[0]
        studio.train(name, data, "reduce", units=8, epochs=20)
        codes = rng.normal(size=(repeats, 8))
        studio.measure(f"{what}: decode", repeats, lambda at, codes=codes: ("decode", {"code": codes[at].tolist()}))
        studio.measure(f"{what}: row", repeats, lambda at: ("row", {"row": at}))
        brushed = [rng.choice(len(digits.data), 300, replace=False).tolist() for _ in range(repeats)]
        studio.measure(f"{what}: brush of 300 rows", repeats, lambda at, rows=brushed: ("rows", {"rows": rows[at]}))
        studio.train(name, data, "detect")
        studio.measure(f"{what}: explain", repeats, lambda at: ("explain", {"row": at}))
        if what == "table":
            studio.measure(f"{what}: what was expected", repeats, lambda at: ("expected", {"row": at}))
    studio.process.terminate()
    studio.process.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
