"""What the verbs do with models: open or fit one, send rows through it, describe it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from azogue import files
from azogue.cli import tables
from azogue.modalities.frames import column_names
from azogue.report import report
from azogue.report.sections import autoencoder_of
from azogue.shortcuts import kinds, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azogue.cli.app import Reading, Training

__all__ = [
    "advised",
    "codes",
    "decoded",
    "detected",
    "facts",
    "found",
    "known_columns",
    "opened",
    "quietly",
    "read",
    "ready",
    "reconstructed",
    "report",
    "tables",
    "trained",
    "unfitted",
]

ENDING = ".azogue"


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Warnings as one line each on standard error, without file names and source lines."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        sys.stderr.write(f"azogue: {' '.join(str(message).split())}\n")

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def quietly(function: Callable[..., Any], *args: Any, about: str) -> Any:
    """Call a function on the rows of the file `about`, its warnings shown as lines, its complaints naming the file."""
    try:
        with _warnings_as_lines():
            return function(*args)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{about}: {error}") from error


def read(path: str, reading: Reading, texts: Sequence[str] = ()) -> Any:
    """The table of a file, without the dropped columns."""
    table = tables.read_table(path, header=reading.header, missing=reading.missing, texts=texts)
    return tables.drop_columns(table, reading.drop or [], path)


def unfitted(training: Training, checkpoint: str | None = None) -> Any:
    """An autoencoder from the options of the command line."""
    known = kinds()
    cls = known.get(training.variant.replace("-", "").replace("_", "").lower())
    if cls is None:
        raise ValueError(f"--variant: {training.variant!r} is unknown; use one of {', '.join(known)}")
    return cls(
        parse_network(training.network),
        epochs=training.epochs,
        scaling=training.scaling,
        random_state=training.seed,
        checkpoint=checkpoint,
        resume=checkpoint is not None,
        verbose=1,
    )


def trained(ae: Any, rows: int) -> dict[str, Any]:
    """What training made, in numbers."""
    last = ae.history_[-1]
    return {
        "rows": rows,
        "columns": ae.n_features_in_,
        "code_size": ae.code_size_,
        "epochs": len(ae.history_),
        "loss": last["loss"],
        "val_loss": last.get("val_loss"),
        "stopped": ae.stopped_,
    }


def parse_network(text: str) -> Any:
    """`auto`, `2`, `64,32,2` or `0.5,0.1` → what `network=` takes."""
    if text == "auto":
        return text
    try:
        parts = [float(part) if "." in part else int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--network: expected auto, a code size, widths or fractions, got {text!r}") from None
    return parts[0] if len(parts) == 1 and isinstance(parts[0], int) else tuple(parts)


def opened(
    data: str, new: str | None, training: Training | None, reading: Reading, say: Callable[[str], None]
) -> tuple[Any, Any, str]:
    """The model and the rows of `MODEL DATA`, or of `DATA` alone; and where the rows came from."""
    model, table, source = found(data, new, training, reading)
    return *ready(model, table, source, training, say), source


def found(data: str, new: str | None, training: Training | None, reading: Reading) -> tuple[Any, Any, str]:
    """The model, None where one is to be fitted; the rows as they are in the file; and which file that is."""
    if data.endswith(ENDING):
        if new is None:
            raise ValueError(f"{data} is a model; name the data behind it")
        if training is not None and training != type(training)():
            raise ValueError(
                f"{data} is trained already; leave --variant, --network, --epochs, --scaling and --seed out"
            )
        model = load(data)
        columns = autoencoder_of(model).schema_.describe()
        texts = [column["name"] for column in columns if column["kind"].startswith("categorical")]
        return model, read(new, reading, [name for name in texts if isinstance(name, str)]), new
    if training is None:
        raise ValueError(f"{data}: a model file (*{ENDING}) must come first")
    if new is not None:
        raise ValueError(f"{data} is no model file (*{ENDING}); give one file to fit on the spot, or a model and data")
    return None, read(data, reading), data


def ready(
    model: Any, table: Any, source: str, training: Training | None, say: Callable[[str], None]
) -> tuple[Any, Any]:
    """The model, fitted on the rows of `source` where there is none yet; and the rows as it takes them."""
    if model is not None:
        return model, _matched(table, known_columns(model), say)
    if training is None:
        raise ValueError(f"{source}: a model file (*{ENDING}) must come first")
    table = advised(table, say)
    model = quietly(unfitted(training).fit, table, about=source)
    if model.stopped_ == "interrupted":
        raise KeyboardInterrupt
    return model, table


def known_columns(model: Any) -> list[Any]:
    """The columns of a model, by name, or by number where they have none."""
    return [column["name"] for column in autoencoder_of(model).schema_.describe()]


def _matched(table: Any, names: list[Any], say: Callable[[str], None]) -> Any:
    """The columns of a model by name: others are left out with a note, and the order does not matter."""
    if not isinstance(table, pa.Table) or not set(names) <= set(table.column_names):
        return table
    if extra := [name for name in table.column_names if name not in names]:
        say(f"azogue: the model does not know {', '.join(extra[:10])}: left out")
    return table.select(names)


def advised(table: Any, say: Callable[[str], None]) -> Any:
    """The same table, after a line on each text column that looks like a number or a name of its row."""
    for name, column in zip(table.column_names, table.columns, strict=True) if isinstance(table, pa.Table) else ():
        if not pa.types.is_string(column.type) or len(column) < 20:
            continue
        kinds = pc.count_distinct(column).as_py()
        numeric = pc.fill_null(pc.match_substring_regex(column, r"^\s*[-+]?[0-9][0-9.,]*\s*$"), True)
        odd = pc.index(numeric, False).as_py()
        if odd >= 0 and pc.mean(numeric.cast(pa.int8())).as_py() > 0.5:
            say(f"azogue: column {name!r} is taken as text because of {column[odd].as_py()!r} in row {odd + 1}")
        elif kinds > max(20, len(column) // 2):
            told = f"{kinds:,} different texts in {len(column):,} rows"
            say(f"azogue: column {name!r} has {told}; --drop {name} leaves it out")
    return table


def codes(model: Any, table: Any) -> pa.Table:
    """The codes as a table."""
    found = autoencoder_of(model).encode(table)
    return tables.as_arrow(found, [f"code_{at + 1}" for at in range(found.shape[1])])


def decoded(model: Any, table: Any) -> Any:
    """Rows from a table of codes."""
    array = table if isinstance(table, np.ndarray) else tables.as_array(table)
    return autoencoder_of(model).decode(array)


def reconstructed(model: Any, table: Any) -> Any:
    """What the network makes of the rows."""
    return autoencoder_of(model).reconstruct(table)


def detected(model: Any, table: Any, contamination: Any) -> pa.Table:
    """Scores, verdicts and the column that adds most to each."""
    from azogue.applications import AnomalyDetector

    own = isinstance(model, AnomalyDetector) and contamination == "auto"
    detector = model if own else AnomalyDetector.from_fitted(autoencoder_of(model), contamination)
    scores = detector.anomaly_score(table)
    names = np.array(column_names(table, autoencoder_of(model).n_features_in_))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said once already
        reasons = detector.explain(table)
    matrix = tables.as_array(reasons) if isinstance(reasons, pa.Table) else np.asarray(reasons)
    worst = names[matrix.argmax(axis=1)]
    return pa.table(
        {"row": np.arange(len(scores)), "score": scores, "anomaly": scores > -detector.offset_, "column": worst}
    )


def json_rows(table: pa.Table) -> list[list[Any]]:
    """The rows of a table as JSON values; dates as text, NaN as null."""
    columns = [[_json_value(value) for value in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _json_value(value: Any) -> Any:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def facts(path: str) -> dict[str, Any]:
    """What a model file holds, by loading it: so that it is known to be sound."""
    model = load(path)
    inner = autoencoder_of(model)
    manifest = files.peek(path)
    return {
        "file": path,
        "estimator": type(model).__name__,
        "network": repr(inner.network_spec_) if inner.network_spec_ is not None else "a pair of modules",
        "code": f"{inner.code_size_} units",
        "objective": repr(inner.recipe_.objective),
        "columns": inner.n_features_in_,
        "names": ", ".join(map(str, getattr(inner, "feature_names_in_", []))) or None,
        "parameters": sum(p.numel() for p in inner.network_.parameters()),
        "epochs": len(inner.history_),
        "loss": inner.history_[-1]["loss"] if inner.history_ else None,
        "made with": ", ".join(f"{k} {v}" for k, v in manifest["libraries"].items()),
    }
