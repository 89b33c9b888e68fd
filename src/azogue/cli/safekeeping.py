"""The verbs that encrypt and decrypt: what each takes, and what it calls."""

from __future__ import annotations

from typing import Annotated

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import Json, Locking, Output, emit


@guarded
@taking(asked=Locking)
def encrypt(
    path: Annotated[str, typer.Argument(metavar="FILE", help="What to encrypt; - is standard input.")],
    output: Output = None,
    recipient: Annotated[
        list[str] | None, typer.Option("--recipient", "-r", help="A public key age1…; may be repeated.")
    ] = None,
    new_key: Annotated[
        str | None,
        typer.Option("--new-key", metavar="FILE", help="Make a secret key in this file, and encrypt for it."),
    ] = None,
    json_: Json = False,
    *,
    asked: Locking,
) -> None:
    """Compress FILE and encrypt it in an age container. Every bit comes back.

    Arrays (.npy) are compressed by what is learned of them, other files by the standard library.
    """
    from azogue.cli import encrypting

    told, text = encrypting.encrypt(path, output, recipient or [], new_key, asked)
    if output not in (None, "-"):
        emit(told, json_, text)


@guarded
@taking(asked=Locking)
def decrypt(
    path: Annotated[str, typer.Argument(metavar="FILE", help="What to decrypt; - is standard input.")],
    output: Output = None,
    max_bytes: Annotated[
        int, typer.Option(min=1, help="The most memory that the result may take: anybody can encrypt for a public key.")
    ] = 1 << 30,
    json_: Json = False,
    *,
    asked: Locking,
) -> None:
    """Decrypt what `azogue encrypt` or az.Cipher made. Nothing is written unless all of it is right."""
    from azogue.cli import encrypting

    told, text = encrypting.decrypt(path, output, max_bytes, asked)
    if output not in (None, "-"):
        emit(told, json_, text)
