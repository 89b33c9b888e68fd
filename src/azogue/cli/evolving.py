"""The verb that searches for an architecture: what it takes, and what it calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import Json, Reading, Training, emit, say


@dataclass(frozen=True)
class Evolving:
    """What is searched through, how, and for how long."""

    budget: Annotated[
        str, typer.Option(help="How long: a time such as 90s, 5min or 1h, or a number of candidates.")
    ] = "5min"
    strategy: Annotated[
        Literal["de", "ga", "es", "random", "exhaustive", "halving"],
        typer.Option(help='Differential evolution; ga and es need pip install "azogue[search]".'),
    ] = "de"
    gene: Annotated[
        list[str] | None,
        typer.Option(
            "--gene",
            metavar="NAME=VALUES",
            help="Narrow a gene, such as kind=basic,robust or code=2:8 (a range); may be repeated.",
        ),
    ] = None
    alpha: Annotated[float, typer.Option(min=0.0, help="What complexity costs.")] = 0.01
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1
    cache: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="File that keeps what candidates are worth; the same command goes on."),
    ] = None
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Page to write (.html, .json, .md): the search.")
    ] = None


@guarded
@taking(asked=Evolving, training=Training, reading=Reading)
def evolve(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file to find an autoencoder for.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Model file to write the best one to.")],
    json_: Json = False,
    *,
    asked: Evolving,
    training: Training,
    reading: Reading,
) -> None:
    """Search for the autoencoder that suits DATA, and write it to a model file.

    Candidates are judged on rows that they were not trained on; the test error is of rows that none of them saw.
    """
    from azogue.cli import evolutions

    told, text, interrupted = evolutions.evolve(data, output, asked, training, reading, say)
    emit(told, json_, text)
    if interrupted:
        raise KeyboardInterrupt
