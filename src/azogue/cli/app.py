"""The verbs: what each takes, and what it calls."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import typer

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
New = Annotated[str | None, typer.Argument(metavar="[DATA]", help="The data, where a model comes first.")]
Output = Annotated[str | None, typer.Option("--output", "-o", help="File to write; standard output if none.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]
Variant = Annotated[str, typer.Option(help="basic, denoising, sparse, ksparse or robust.")]
Network = Annotated[str, typer.Option(help="auto, a code size (2), widths (64,32,2) or fractions (0.5,0.1).")]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the rows, at most.")]
Scaling = Annotated[str, typer.Option(help="auto, standard, minmax, robust or none.")]
Seed = Annotated[int | None, typer.Option(help="Same seed, same result.")]
Drop = Annotated[list[str] | None, typer.Option("--drop", help="A column to leave out; may be repeated.")]
Header = Annotated[
    bool, typer.Option("--header/--no-header", help="Whether the first line of a CSV names the columns.")
]
Missing = Annotated[str | None, typer.Option(help="A further text that marks a missing cell, such as '?'.")]
Checkpoint = Annotated[
    str | None, typer.Option(help="File that keeps the state of training; an interrupted run goes on from it.")
]


def guarded(verb: Callable[..., None]) -> Callable[..., None]:
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


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _emit(result: dict[str, Any], as_json: bool, text: str) -> None:
    print(json.dumps(result) if as_json else text)


@app.command()
@guarded
def fit(
    data: Annotated[str, typer.Argument(metavar="DATA")],
    output: Annotated[str, typer.Option("--output", "-o", help="Model file to write.")],
    variant: Variant = "basic",
    network: Network = "auto",
    epochs: Epochs = 100,
    scaling: Scaling = "auto",
    seed: Seed = None,
    drop: Drop = None,
    header: Header = True,
    missing: Missing = None,
    checkpoint: Checkpoint = None,
    plan: Annotated[bool, typer.Option("--plan", help="Say what training would do, and stop.")] = False,
    json_: Json = False,
) -> None:
    """Train an autoencoder on DATA and write it to a model file."""
    from azogue.cli import models

    models.tables.check_output(output)
    table = models.read(data, drop, header, missing)
    ae = models.unfitted(variant, network, epochs, scaling, seed, checkpoint)
    if plan:
        made = ae.plan(table)
        _emit(dict(vars(made)), json_, str(made))
        return
    models.quietly(ae.fit, table)
    ae.save(output)
    last = ae.history_[-1]
    result = {
        "model": output,
        "rows": len(table),
        "columns": ae.n_features_in_,
        "code_size": ae.code_size_,
        "epochs": len(ae.history_),
        "loss": last["loss"],
        "val_loss": last.get("val_loss"),
        "stopped": ae.stopped_,
    }
    _emit(
        result,
        json_,
        f"{output}: {len(table):,} rows, code of {ae.code_size_}, {len(ae.history_)} epochs, loss {last['loss']:.4g}",
    )


def _through(
    make: Callable[[Any, Any], Any],
    data: str,
    new: str | None,
    output: str | None,
    as_json: bool,
    options: tuple[Any, ...],
    reading: tuple[Any, ...],
) -> None:
    """Open the model (or fit one), send the rows through `make`, and write what comes out."""
    from azogue.cli import models

    models.tables.check_output(output)
    model, table, source = models.opened(data, new, options, reading)
    result = models.tables.as_arrow(make(model, table))
    if output is not None:
        models.tables.write_table(result, output)
        if output != "-":
            _emit(
                {"output": output, "rows": len(result), "columns": result.column_names},
                as_json,
                f"{output}: {len(result):,} rows from {source}",
            )
    elif as_json:
        _emit({"columns": result.column_names, "rows": models.json_rows(result)}, True, "")
    else:
        models.tables.write_table(result, "-")


@app.command()
@guarded
def encode(
    data: Data,
    new: New = None,
    output: Output = None,
    json_: Json = False,
    variant: Variant = "basic",
    network: Network = "auto",
    epochs: Epochs = 100,
    scaling: Scaling = "auto",
    seed: Seed = None,
    drop: Drop = None,
    header: Header = True,
    missing: Missing = None,
) -> None:
    """Rows → codes: dimensionality reduction. A code is pseudonymised data, not anonymous data."""
    from azogue.cli import models

    options, reading = (variant, network, epochs, scaling, seed), (drop, header, missing)
    _through(models.codes, data, new, output, json_, options, reading)


@app.command()
@guarded
def decode(
    model: Annotated[str, typer.Argument(metavar="MODEL")],
    codes: Annotated[str, typer.Argument(metavar="CODES")],
    output: Output = None,
    json_: Json = False,
    header: Header = True,
) -> None:
    """Codes → rows in the units and columns of the training data."""
    from azogue.cli import models

    _through(models.decoded, model, codes, output, json_, (), (None, header, None))


@app.command()
@guarded
def reconstruct(
    data: Data,
    new: New = None,
    output: Output = None,
    json_: Json = False,
    variant: Variant = "basic",
    network: Network = "auto",
    epochs: Epochs = 100,
    scaling: Scaling = "auto",
    seed: Seed = None,
    drop: Drop = None,
    header: Header = True,
    missing: Missing = None,
) -> None:
    """Rows → what the network makes of them."""
    from azogue.cli import models

    options, reading = (variant, network, epochs, scaling, seed), (drop, header, missing)
    _through(models.reconstructed, data, new, output, json_, options, reading)


@app.command()
@guarded
def detect(
    data: Data,
    new: New = None,
    output: Output = None,
    json_: Json = False,
    contamination: Annotated[float | None, typer.Option(help="Part of the training rows beyond the threshold.")] = None,
    variant: Variant = "basic",
    network: Network = "auto",
    epochs: Epochs = 100,
    scaling: Scaling = "auto",
    seed: Seed = None,
    drop: Drop = None,
    header: Header = True,
    missing: Missing = None,
) -> None:
    """Score rows: 1 is usual, higher is worse; say which lie beyond the threshold and which column is why."""
    from functools import partial

    from azogue.cli import models

    options, reading = (variant, network, epochs, scaling, seed), (drop, header, missing)
    make = partial(models.detected, contamination="auto" if contamination is None else contamination)
    _through(make, data, new, output, json_, options, reading)


@app.command()
@guarded
def report(
    data: Data,
    new: New = None,
    output: Annotated[str, typer.Option("--output", "-o", help="HTML or JSON file to write.")] = "report.html",
    variant: Variant = "basic",
    network: Network = "auto",
    epochs: Epochs = 100,
    scaling: Scaling = "auto",
    seed: Seed = None,
    drop: Drop = None,
    header: Header = True,
    missing: Missing = None,
) -> None:
    """Write a page on a model and a table: training, reconstruction, code map, anomalies."""
    from azogue.cli import models

    models.tables.check_output(output)
    model, table, _ = models.opened(data, new, (variant, network, epochs, scaling, seed), (drop, header, missing))
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
