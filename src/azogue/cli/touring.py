"""The tour: each use on real data that scikit-learn ships, beside what people use today."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azogue.cli.stops import STOPS
from azogue.cli.stops.shared import Stop
from azogue.files import atomic_write
from azogue.report.page import page
from azogue.training.loop import TrainingWarning


def tour(output: str, say: Callable[[str], None]) -> dict[str, Any]:
    """Walk through all stops; write pictures and a page.

    Parameters
    ----------
    output : str
        A folder, made if it does not exist.
    say : callable
        Told what comes next.

    Returns
    -------
    dict
        `stops`: for each use its data, measure, our figure, the other's, seconds; `page`: path of the page.
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    stops = []
    for number, stop in enumerate(STOPS, 1):
        say(f"{number}/{len(STOPS)} {(stop.__doc__ or '').splitlines()[0]}")
        begun = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("error", TrainingWarning)
            try:
                stops.append({**stop(folder), "seconds": round(time.perf_counter() - begun, 1)})
            except TrainingWarning as stopped:  # the keyboard ended a training: it ends the tour
                raise KeyboardInterrupt from stopped
    images = {stop["use"]: stop.pop("images") for stop in stops}
    sections = [_overview(stops)]
    for seen in stops:
        sections += [_section(seen, images[seen["use"]], folder), *seen.pop("sections", ())]
    html = page("A tour of Azogue", sections)
    atomic_write(folder / "index.html", html.encode())
    return {"stops": stops, "page": str(folder / "index.html")}


def table(result: dict[str, Any]) -> str:
    """The result as text."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("use", "data", "measure", "Azogue", "other", "figure", "s", title="A tour of Azogue")
    for stop in result["stops"]:
        for row in _rows(stop):
            shown.add_row(*(str(value) for value in row))
    console = Console(width=120, file=io.StringIO(), force_terminal=False)
    console.print(shown)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return f"{text}Pictures and a page: open {result['page']}"


def _rows(stop: Stop) -> list[list[Any]]:
    """A line for the stop, and one for each thing more that it measured."""
    keys = ("use", "data", "measure", "ours", "peer", "theirs", "seconds")
    return [[part.get(key, "") for key in keys] for part in (stop, *stop.get("more", ()))]


def _overview(stops: list[Stop]) -> dict[str, Any]:
    columns = ["use", "data", "measure", "Azogue", "other", "figure", "s"]
    rows = [row for stop in stops for row in _rows(stop)]
    return {"title": "Every use, measured now", "table": {"columns": columns, "rows": rows}}


def _section(stop: Stop, images: list[tuple[str, str]], folder: Path) -> dict[str, Any]:
    pictures = [(caption, (folder / name).read_bytes()) for caption, name in images]
    table = {"table": stop["table"]} if "table" in stop else {}
    return {"title": stop["use"], "text": stop["text"], **table, "images": pictures}
