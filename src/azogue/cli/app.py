"""The verbs: what each takes, and what it calls."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import (
    Cells,
    Data,
    Detecting,
    Filling,
    Hiding,
    Json,
    Keeping,
    Mapping,
    New,
    Output,
    Page,
    Place,
    Reading,
    Restoring,
    SafeCsv,
    Training,
    Version,
    emit,
    say,
    tell,
)
from azogue.cli.reporting import report
from azogue.cli.verbs import MIRRORING, VERBS

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Autoencoders for tables, pictures, sequences and texts: reduce, find anomalies, reconstruct. DATA is a .csv, "
    ".tsv, .txt, .parquet, .npy, .npz or .wav file, or a folder of pictures or WAV files; - is CSV on a stream.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    version: Version = False,
    safe_csv: SafeCsv = False,
) -> None: ...


@app.command()
@guarded
@taking(keeping=Keeping, training=Training, reading=Reading)
def fit(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A file, or a folder of pictures or WAV files.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Model file to write.")],
    log: Annotated[
        str | None, typer.Option(metavar="FILE", help="File (.jsonl, .csv) that gets a line after each epoch.")
    ] = None,
    page: Page = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what training would do, and stop.")] = False,
    json_: Json = False,
    *,
    keeping: Keeping,
    training: Training,
    reading: Reading,
) -> None:
    """Train an autoencoder on DATA and write it to a model file."""
    from azogue.cli import data as sources
    from azogue.cli import models, reporting, tables

    tables.check_output(output, data, keeping.checkpoint, stream=False)
    models.check_ending(output)
    reporting.check(page, data, output, keeping.checkpoint)
    given = sources.for_fit(data, reading, training, streaming=True)
    models.advised(given, say)
    ae = models.unfitted(training, given, keeping.place(), keeping.resume, log)
    if plan:
        made = models.quietly(ae.plan, given.X, about=data)
        emit(dict(vars(made)), json_, str(made))
        return
    models.quietly(ae.fit, given.X, about=data)
    if not ae.history_:
        raise ValueError(f"interrupted before the first epoch was complete; {output} was not written")
    ae.save(output)
    reporting.write(page, ae, given, say)
    told = {"model": output, **models.trained(ae, given)}
    if ae.stopped_ == "interrupted":
        again = "; the same command goes on from its checkpoint" if keeping.checkpoint else ""
        say(f"azogue: {output} holds what was learned in {len(ae.history_)} of {training.epochs} epochs{again}")
        raise KeyboardInterrupt
    noun = sources.noun(given, ae.schema_)
    emit(
        told, json_, "{model}: {rows:,} {0}, code of {code_size}, {epochs} epochs, loss {loss:.4g}".format(noun, **told)
    )


for _verb in MIRRORING:
    app.command(_verb.__name__)(_verb)


@app.command()
@guarded
@taking(training=Mapping, reading=Reading)
def project(
    data: Data,
    output: Annotated[str, typer.Option("--output", "-o", help="Picture to write: .png, .svg, .pdf; or page: .html.")],
    new: New = None,
    color: Annotated[
        str | None,
        typer.Option(help="Column to colour by, left out of training; of a .npy or .npz file, its number from 1."),
    ] = None,
    neighbors: Annotated[
        bool, typer.Option("--neighbors", help="Fit a map that keeps neighbouring rows together (the variant map).")
    ] = False,
    page: Page = None,
    json_: Json = False,
    *,
    training: Mapping,
    reading: Reading,
) -> None:
    """Draw a map of the rows: the two units of a code, coloured by a column. An .html is a page to hover over."""
    from azogue.cli import projecting

    told = projecting.project(data, new, output, color, training, reading, say, neighbors, page)
    emit(told, json_, "{output}: {rows:,} rows, code of {code_size}".format(**told))


@app.command()
@guarded
@taking(asked=Detecting, training=Training, reading=Reading)
def detect(
    data: Data,
    new: Annotated[
        str | None, typer.Argument(metavar="NEW", help="The data to score, where a model or data to fit on come first.")
    ] = None,
    output: Output = None,
    json_: Json = False,
    *,
    asked: Detecting,
    training: Training,
    reading: Reading,
) -> None:
    """Score rows: 1 is usual, higher is worse; say which are beyond the threshold; of a table, which column is why.

    Without a model, a detector is fitted on the first data. Of pictures, those beyond the threshold can be moved or
    copied to a folder.
    """
    from azogue.cli import detecting, writing

    made, facts, carry = detecting.detect(data, new, output, asked, training, reading, say)
    writing.write(made, output, json_, facts)
    if carry is not None:
        carry(say)


@app.command()
@guarded
@taking(asked=Filling, reading=Cells)
def impute(
    data: Annotated[str, typer.Argument(metavar="MODEL|DATA", help="A table to learn from, or a saved imputer.")],
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="The table to fill; DATA itself if none.")] = None,
    output: Output = None,
    json_: Json = False,
    *,
    asked: Filling,
    reading: Cells,
) -> None:
    """Fill missing cells of a table, those of new rows too; say how surely. Observed cells stay as they are.

    With -m, several tables are drawn, to be analysed one by one and pooled (Rubin's rules).
    """
    from azogue.cli import imputing, writing

    facts, made, text = imputing.impute(data, new, output, asked, reading, say)
    if made is not None:
        writing.write(made, output, json_, facts)
        if not json_:
            (tell if output not in (None, "-") else say)(text)
    else:
        files = facts["files"]
        emit(facts, json_, f"{files[0]} … {files[-1]}: {facts['filled']:,} cells drawn {len(files)} times\n{text}")


@app.command()
@guarded
@taking(asked=Restoring, training=Training, reading=Reading)
def denoise(
    data: Annotated[
        str, typer.Argument(metavar="MODEL|DATA", help="A saved denoiser or autoencoder, or data to learn from.")
    ],
    new: Annotated[
        str | None, typer.Argument(metavar="IN", help="What to restore; DATA itself, learned from alone, if none.")
    ] = None,
    output: Place = None,
    json_: Json = False,
    *,
    asked: Restoring,
    training: Training,
    reading: Reading,
) -> None:
    """Take noise off tables, pictures and sound, or fill what is damaged: as files of the same kind and size.

    With IN, DATA are clean examples, or noisy ones with --clean or --noise blind; alone, they are noisy.
    """
    from azogue.cli import denoising, writing

    facts, made, text = denoising.denoise(data, new, output, asked, training, reading, say)
    if made is not None:
        writing.write(made, output, json_, facts)
        if text and not json_:
            (tell if output not in (None, "-") else say)(text)
    else:
        emit(facts, json_, f"{output}: {facts['rows']:,} {facts['noun']}" + (f"\n{text}" if text else ""))


@app.command()
@guarded
@taking(asked=Hiding, reading=Cells)
def anonymize(
    data: Annotated[str, typer.Argument(metavar="MODEL|DATA", help="Rows to learn from, or a saved anonymizer.")],
    new: Annotated[str | None, typer.Argument(metavar="NEW", help="The rows to release; DATA itself if none.")] = None,
    output: Place = None,
    json_: Json = False,
    *,
    asked: Hiding,
    reading: Cells,
) -> None:
    """Release rows of which a column, or whose they are, is harder to tell: pseudonymised, not anonymous."""
    from azogue.cli import anonymizing, writing

    facts, made, text = anonymizing.anonymize(data, new, output, asked, reading, say)
    writing.write(made, output, json_, facts)
    if not json_:
        (tell if output not in (None, "-") else say)(text)


@app.command()
@guarded
@taking(reading=Cells)
def classify(
    data: Annotated[str, typer.Argument(metavar="MODEL|TRAIN", help="A table to learn from, or a saved classifier.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The rows to predict.")],
    target: Annotated[
        str | None, typer.Option(help="The column to tell; of a .npy or .npz file, its number from 1.")
    ] = None,
    output: Output = None,
    json_: Json = False,
    save: Annotated[str | None, typer.Option(help="Model file to write what was learned to.")] = None,
    page: Page = None,
    as_: Annotated[
        Literal["auto", "class", "number"],
        typer.Option(
            "--as", help="What the target is; auto: texts, booleans and up to 20 different whole numbers are classes."
        ),
    ] = "auto",
    neighbors: Annotated[int, typer.Option(min=1, help="How many neighbours vote.")] = 5,
    network: Annotated[str, typer.Option(help="auto, a code size (2), widths (64,32,2) or fractions (0.5,0.1).")] = (
        "auto"
    ),
    seed: Annotated[int | None, typer.Option(help="Same seed, same result.")] = None,
    *,
    reading: Cells,
) -> None:
    """Tell a column of NEW by each row's nearest neighbours in the code of TRAIN (AEkNN)."""
    from azogue.cli import classifying, writing

    asked = classifying.Asked(target, as_, neighbors, network, seed, save, page)
    made, facts = classifying.classify(data, new, output, asked, reading, say)
    writing.write(made, output, json_, facts, classifying.said(facts))


app.command(report.__name__)(report)


@app.command()
@guarded
def tour(
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for pictures and the page.")] = "azogue-tour",
    json_: Json = False,
) -> None:
    """Every use on real data that scikit-learn ships, with a table, pictures and a page."""
    from azogue.cli import touring

    result = touring.tour(output, say=say)
    emit(result, json_, touring.table(result))


for _verb in VERBS:
    app.command(_verb.__name__.rstrip("_"))(_verb)
