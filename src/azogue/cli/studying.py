"""The verb that opens the studio: what it takes, and what it calls."""

from __future__ import annotations

from typing import Annotated

import typer

from azogue.cli.guarding import guarded
from azogue.cli.options import Json, emit


@guarded
def studio(
    start: Annotated[
        str | None, typer.Argument(metavar="MODEL|DATA", help="A table, a folder of pictures or a model to begin with.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of this machine; any free one if none.")] = 0,
    limit: Annotated[int, typer.Option(metavar="MB", min=1, max=4096, help="Megabytes that a tab may upload.")] = 100,
    browser: Annotated[bool, typer.Option(help="Whether to open the browser.")] = True,
    json_: Json = False,
) -> None:
    """Open a page on this machine: drop data or a model, watch training, look at codes, anomalies and new rows.

    Only this machine is answered, with the token in the address; nothing is kept after the end (Ctrl-C) but what was
    downloaded.
    """
    import sys
    from pathlib import Path

    try:
        from azogue.studio.serving import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio"):
            raise
        raise ValueError(
            f'the studio needs starlette and uvicorn, and {error.name} is missing: pip install "azogue[studio]"'
        ) from error
    if start is not None and not Path(start).exists():
        raise ValueError(f"{start}: there is no such file")

    def tell(address: str) -> None:
        emit({"address": address}, json_, f"the studio is at {address}\nit ends with Ctrl-C")
        sys.stdout.flush()

    serve(start, port, limit * 2**20, browser, tell)
