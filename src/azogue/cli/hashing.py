"""The verbs of semantic hashing: what each takes, and what it calls."""

from __future__ import annotations

from typing import Annotated

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import Data, Hashing, Json, New, Output, Reading, Training, emit


@guarded
@taking(asked=Hashing, training=Training, reading=Reading)
def hash_(
    data: Data,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="Codes (.npy, .npz: packed bytes; .csv …: hexadecimal), or an index .azogue.",
        ),
    ],
    new: New = None,
    json_: Json = False,
    *,
    asked: Hashing,
    training: Training,
    reading: Reading,
) -> None:
    """Rows → short binary codes, the nearer the more alike rows are. An index (.azogue) is for azogue find.

    With a saved index in front, its model codes the data behind it.
    """
    from azogue.cli import options, searching

    told, text = searching.hash_rows(data, new, output, asked, training, reading, options.say)
    emit(told, json_, text)


@guarded
@taking(reading=Reading)
def find(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="An index from azogue hash, or of az.HammingIndex.")],
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help="A file of rows; a text; a row of a table, its cells with commas.")
    ],
    k: Annotated[int, typer.Option("-k", min=1, help="How many neighbours of each row.")] = 10,
    radius: Annotated[
        int | None, typer.Option(min=0, help="All rows whose codes differ in at most so many bits instead.")
    ] = None,
    show: Annotated[
        str | None, typer.Option(metavar="DATA", help="The data that were hashed: neighbours are shown beside.")
    ] = None,
    output: Output = None,
    json_: Json = False,
    *,
    reading: Reading,
) -> None:
    """Rows of the index that are most like those of QUERY, by their codes: row numbers from 0, and bits that differ."""
    from azogue.cli import searching

    told, made, text = searching.find(index, query, k, radius, show, output, reading)
    if json_:
        emit(told, True, "")
    elif made is not None:
        print(text)
