"""`azogue report`, and `--report` of the other verbs: a page on a model and the data that it was asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import Data, New, Reading, Training, say

if TYPE_CHECKING:
    from azogue.cli.data import Given
    from azogue.cli.results import Say

#: HTML to look at, JSON for programs, Markdown as a model card.
ENDINGS = (".html", ".json", ".md")


def check(path: str | None, *others: str | None) -> None:
    """Refuse a page that could not be written, before anything is trained.

    Parameters
    ----------
    path : str or None
    others : str or None
        What is read and written besides.

    Raises
    ------
    ValueError
        For another ending, and for a place that cannot be written or is taken.
    """
    from azogue.cli import tables

    if path is not None:
        tables.check_output(path, *others, stream=False)
        check_ending(path)


def check_ending(path: str | None) -> None:
    """Refuse a name that says no format.

    Raises
    ------
    ValueError
        Naming those that there are.
    """
    if path is not None and not path.endswith(ENDINGS):
        raise ValueError(f"{path}: a report ends in .html, .json or .md")


def write(path: str | None, model: Any, given: Given, say: Say) -> None:
    """Write the page on a model and data, where one was asked for, and say where it is."""
    from azogue.cli import models, sets
    from azogue.modalities.dataset import Dataset
    from azogue.report import report as look

    if path is None:
        return
    X = sets.in_memory(given.X, given.path) if isinstance(given.X, Dataset) else given.X
    models.quietly(look, model, X, about=given.path).save(path)
    say(f"azogue: the report is {path}")


@guarded
@taking(training=Training, reading=Reading)
def report(
    data: Data,
    new: New = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="HTML, JSON or Markdown (.md) file to write.")
    ] = "report.html",
    *,
    training: Training,
    reading: Reading,
) -> None:
    """Write a page on a model and its data: network, training, errors, a map of the codes, anomalies, model card."""
    from azogue.cli import models

    check(output, data, new)
    model, given = models.opened(data, new, training, reading, say)
    write(output, model, given, lambda _: None)
    print(output)
