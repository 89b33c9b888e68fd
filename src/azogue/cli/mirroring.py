"""The verbs of the autoencoder itself: encode, decode, reconstruct."""

from __future__ import annotations

from typing import Annotated

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import Cells, Data, Json, New, Output, Page, Place, Reading, Training


@guarded
@taking(training=Training, reading=Reading)
def encode(
    data: Data,
    new: New = None,
    output: Output = None,
    report: Page = None,
    json_: Json = False,
    *,
    training: Training,
    reading: Reading,
) -> None:
    """Rows → codes: dimensionality reduction. A code is pseudonymised data, not anonymous data."""
    from azogue.cli import models, writing

    writing.through(models.codes, data, new, output, json_, training, reading, "table", report)


@guarded
@taking(reading=Cells)
def decode(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    codes: Annotated[str, typer.Argument(metavar="CODES")],
    output: Place = None,
    json_: Json = False,
    *,
    reading: Cells,
) -> None:
    """Codes → rows in the units and columns of the training data; pictures, sequences, texts."""
    from azogue.cli import models, results, writing

    opened = models.known(model)
    found = models.read_codes(opened, codes, reading)
    results.check(output, models.decoding(opened, found), codes, model, codes)
    writing.write(models.quietly(models.decoded, opened, found, about=codes), output, json_)


@guarded
@taking(training=Training, reading=Reading)
def reconstruct(
    data: Data,
    new: New = None,
    output: Place = None,
    report: Page = None,
    json_: Json = False,
    *,
    training: Training,
    reading: Reading,
) -> None:
    """Rows → what the network makes of them, as the same kind of file or folder."""
    from azogue.cli import models, writing

    writing.through(models.reconstructed, data, new, output, json_, training, reading, None, report)
