"""The verbs that tell what a model is and hand it to other programs: what each takes, and what it calls."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from azogue.cli.guarding import guarded
from azogue.cli.options import Json, emit, say


@guarded
def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model file (.azogue).")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="File to write: .onnx, .pt2 (torch) or .keras.", metavar="FILE")
    ],
    to: Annotated[
        Literal["auto", "onnx", "torch", "keras"], typer.Option(help="The format; auto goes by the ending of FILE.")
    ] = "auto",
    part: Annotated[
        Literal["all", "encoder", "decoder"], typer.Option(help="Which part: rows to codes, codes to rows, or both.")
    ] = "all",
    raw: Annotated[
        bool, typer.Option("--raw", help="Leave the preparation of rows out: rows in scaled units go in and come out.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write a model for programs that have no Azogue: rows go in and come out as they are, preparation included.

    Of a detector, each row's score is written; of other uses, the autoencoder that they own.
    """
    from azogue.cli import exports

    told, text = exports.export(model, output, to, part, raw, say)
    emit(told, json_, text)


@guarded
def info(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    card: Annotated[bool, typer.Option("--card", help="Print a model card in Markdown instead.")] = False,
    json_: Json = False,
) -> None:
    """What is in a model file."""
    from azogue.cli import exports, models

    if card:
        made = exports.card(model)
        emit(made.to_dict(), json_, made.markdown())
        return
    emit(facts := models.facts(model), json_, "\n".join(f"{name:<12} {value}" for name, value in facts.items()))
