"""The verbs: what each takes, and what it calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, TypeAlias, get_type_hints

import typer

Verb: TypeAlias = Callable[..., None]

app = typer.Typer(
    add_completion=True,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Autoencoders for tables: reduce, find anomalies, reconstruct. DATA is a .csv, .tsv, .parquet, .npy or "
    ".npz file; - is CSV on a standard stream.",
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    str, typer.Argument(metavar="MODEL|DATA", help="A model with data behind it, or data to fit on the spot.")
]
New = Annotated[str | None, typer.Argument(metavar="DATA", help="The data, where a model comes first.")]
Output = Annotated[str | None, typer.Option("--output", "-o", help="File to write; standard output if none.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@dataclass(frozen=True)
class Reading:
    """How a data file is read."""

    drop: Annotated[list[str] | None, typer.Option("--drop", help="A column to leave out; may be repeated.")] = None
    header: Annotated[bool, typer.Option(help="Whether the first line of a CSV names the columns.")] = True
    missing: Annotated[str | None, typer.Option(help="A further text that marks a missing cell, such as '?'.")] = None


@dataclass(frozen=True)
class Training:
    """What is trained, where a verb trains."""

    variant: Annotated[
        str,
        typer.Option(
            help="A variant by its short name, such as basic, denoising or variational; a wrong name lists all."
        ),
    ] = "basic"
    network: Annotated[str, typer.Option(help="auto, a code size (2), widths (64,32,2) or fractions (0.5,0.1).")] = (
        "auto"
    )
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the rows, at most.")] = 100
    scaling: Annotated[str, typer.Option(help="auto, standard, minmax, robust or none.")] = "auto"
    seed: Annotated[int | None, typer.Option(help="Same seed, same result.")] = None


@dataclass(frozen=True)
class Mapping(Training):
    """What is trained for a map: a code of two units."""

    network: Annotated[
        str, typer.Option(help="A code size (2 or 3 to see all of it), widths (64,32,2), fractions or auto.")
    ] = "2"


def taking(**groups: type) -> Callable[[Verb], Verb]:
    """Give a verb the options of dataclasses: it declares `training: Training`, the user sees `--epochs` and so on."""

    def decorate(verb: Verb) -> Verb:
        own = [p for p in signature(verb).parameters.values() if p.name not in groups]
        hints = get_type_hints(verb, include_extras=True)
        own = [p.replace(annotation=hints[p.name]) for p in own]
        shared = [
            Parameter(
                f.name,
                Parameter.KEYWORD_ONLY,
                default=f.default,
                annotation=get_type_hints(g, include_extras=True)[f.name],
            )
            for g in groups.values()
            for f in fields(g)
        ]

        def run(*args: Any, **kwargs: Any) -> None:
            built = {name: g(**{f.name: kwargs.pop(f.name) for f in fields(g)}) for name, g in groups.items()}
            verb(*args, **kwargs, **built)

        run.__name__, run.__doc__ = verb.__name__, verb.__doc__
        whole = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in own] + shared
        run.__signature__ = signature(verb).replace(parameters=whole)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in whole}
        return run

    return decorate


def guarded(verb: Verb) -> Verb:
    """Turn what is the data's or the model's fault into one line and exit status 1."""

    @wraps(verb)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            verb(*args, **kwargs)
        except (ValueError, TypeError, FloatingPointError, OSError, RuntimeError, MemoryError) as error:
            if isinstance(error, BrokenPipeError):
                raise
            text = " ".join(str(error).split()) or type(error).__name__
            sys.stderr.write(f"azogue: {text}\n")
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            sys.stderr.write("azogue: interrupted\n")
            raise typer.Exit(130) from None

    return run


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as installed

        print(f"azogue {installed('azogue')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None: ...


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _emit(result: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(result) if as_json else text)


@app.command()
@guarded
@taking(training=Training, reading=Reading)
def fit(
    data: Annotated[str, typer.Argument(metavar="DATA")],
    output: Annotated[str, typer.Option("--output", "-o", help="Model file to write.")],
    checkpoint: Annotated[
        str | None, typer.Option(help="File that keeps the state of training; an interrupted run goes on from it.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what training would do, and stop.")] = False,
    json_: Json = False,
    *,
    training: Training,
    reading: Reading,
) -> None:
    """Train an autoencoder on DATA and write it to a model file."""
    from azogue.cli import models

    models.tables.check_output(output, data, checkpoint, stream=False)
    if not output.endswith(models.ENDING):
        raise ValueError(f"{output}: a model file must end in {models.ENDING}; that is how other verbs know it")
    table = models.advised(models.read(data, reading), _say)
    ae = models.unfitted(training, checkpoint)
    if plan:
        made = ae.plan(table)
        _emit(dict(vars(made)), json_, str(made))
        return
    models.quietly(ae.fit, table, about=data)
    if not ae.history_:
        raise ValueError(f"interrupted before the first epoch was complete; {output} was not written")
    ae.save(output)
    told = {"model": output, **models.trained(ae, len(table))}
    if ae.stopped_ == "interrupted":
        again = "; the same command goes on from its checkpoint" if checkpoint else ""
        _say(f"azogue: {output} holds what was learned in {len(ae.history_)} of {training.epochs} epochs{again}")
        raise KeyboardInterrupt
    _emit(told, json_, "{model}: {rows:,} rows, code of {code_size}, {epochs} epochs, loss {loss:.4g}".format(**told))


def _through(
    make: Callable[[Any, Any], Any],
    data: str,
    new: str | None,
    output: str | None,
    as_json: bool,
    training: Training | None,
    reading: Reading,
) -> None:
    """Open the model (or fit one), send the rows through `make`, and write what comes out."""
    from azogue.cli import models

    models.tables.check_output(output, data, new)
    model, table, source = models.opened(data, new, training, reading, _say)
    result = models.tables.as_arrow(models.quietly(make, model, table, about=source))
    if output is not None:
        models.tables.write_table(result, output)
        if output != "-":
            told = {"output": output, "rows": len(result), "columns": result.column_names}
            _emit(told, as_json, f"{output}: {len(result):,} rows from {source}")
    elif as_json:
        _emit({"columns": result.column_names, "rows": models.json_rows(result)}, True, "")
    else:
        models.tables.write_table(result, "-")


@app.command()
@guarded
@taking(training=Training, reading=Reading)
def encode(
    data: Data, new: New = None, output: Output = None, json_: Json = False, *, training: Training, reading: Reading
) -> None:
    """Rows → codes: dimensionality reduction. A code is pseudonymised data, not anonymous data."""
    from azogue.cli import models

    _through(models.codes, data, new, output, json_, training, reading)


@app.command()
@guarded
@taking(reading=Reading)
def decode(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    codes: Annotated[str, typer.Argument(metavar="CODES")],
    output: Output = None,
    json_: Json = False,
    *,
    reading: Reading,
) -> None:
    """Codes → rows in the units and columns of the training data."""
    from azogue.cli import models

    _through(models.decoded, model, codes, output, json_, None, reading)


@app.command()
@guarded
@taking(training=Training, reading=Reading)
def reconstruct(
    data: Data, new: New = None, output: Output = None, json_: Json = False, *, training: Training, reading: Reading
) -> None:
    """Rows → what the network makes of them."""
    from azogue.cli import models

    _through(models.reconstructed, data, new, output, json_, training, reading)


@app.command()
@guarded
@taking(training=Mapping, reading=Reading)
def project(
    data: Data,
    output: Annotated[str, typer.Option("--output", "-o", help="Picture to write: .png, .svg or .pdf.")],
    new: New = None,
    color: Annotated[
        str | None,
        typer.Option(help="Column to colour by, left out of training; of a .npy or .npz file, its number from 1."),
    ] = None,
    json_: Json = False,
    *,
    training: Mapping,
    reading: Reading,
) -> None:
    """Draw a map of the rows: the two units of a code, coloured by a column."""
    from azogue.cli import projecting

    told = projecting.project(data, new, output, color, training, reading, _say)
    _emit(told, json_, "{output}: {rows:,} rows, code of {code_size}".format(**told))


@app.command()
@guarded
@taking(training=Training, reading=Reading)
def detect(
    data: Data,
    new: New = None,
    output: Output = None,
    json_: Json = False,
    contamination: Annotated[float | None, typer.Option(help="Part of the training rows beyond the threshold.")] = None,
    *,
    training: Training,
    reading: Reading,
) -> None:
    """Score rows: 1 is usual, higher is worse; say which lie beyond the threshold and which column is why."""
    from functools import partial

    from azogue.cli import models

    make = partial(models.detected, contamination="auto" if contamination is None else contamination)
    _through(make, data, new, output, json_, training, reading)


@app.command()
@guarded
@taking(training=Training, reading=Reading)
def report(
    data: Data,
    new: New = None,
    output: Annotated[str, typer.Option("--output", "-o", help="HTML or JSON file to write.")] = "report.html",
    *,
    training: Training,
    reading: Reading,
) -> None:
    """Write a page on a model and a table: training, reconstruction, code map, anomalies."""
    from azogue.cli import models

    models.tables.check_output(output, data, new, stream=False)
    if not output.endswith((".html", ".json")):
        raise ValueError(f"{output}: a report ends in .html or .json")
    model, table, _ = models.opened(data, new, training, reading, _say)
    models.report(model, table).save(output)
    print(output)


@app.command()
@guarded
def info(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    json_: Json = False,
) -> None:
    """What is in a model file."""
    from azogue.cli import models

    facts = models.facts(model)
    _emit(facts, json_, "\n".join(f"{name:<12} {value}" for name, value in facts.items()))


@app.command()
@guarded
def tour(
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for pictures and the page.")] = "azogue-tour",
    json_: Json = False,
) -> None:
    """Every use on real data that scikit-learn ships, with a table, pictures and a page."""
    from azogue.cli import touring

    result = touring.tour(output, say=_say)
    _emit(result, json_, touring.table(result))
