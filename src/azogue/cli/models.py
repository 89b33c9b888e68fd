"""What the verbs do with models: open or fit one, send rows through it, describe it."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from azogue import files
from azogue.applications import Anonymizer, SemanticHasher
from azogue.callbacks import log_for
from azogue.cli import data, results, tables
from azogue.cli.data import Given
from azogue.cli.results import Made, Say
from azogue.cli.sets import Streamed
from azogue.modalities import rows_are
from azogue.modalities.dataset import Dataset
from azogue.report.looking import groups_of
from azogue.report.sections import autoencoder_of
from azogue.shortcuts import kinds, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azogue.cli.options import Cells, Reading, Training

ENDING = ".azogue"
#: Whether somebody else shows the warnings of this thread.
LISTENING: ContextVar[bool] = ContextVar("azogue_listening", default=False)


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Warnings as one line each on standard error, without file names and source lines.

    Where somebody listens, they are theirs: what warnings do is the whole process's, and threads would mix it up.
    """
    if LISTENING.get():
        yield
        return

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if (text := spelled(message)) not in said:
            said.append(text)
            sys.stderr.write(f"azogue: {text}\n")

    said: list[str] = []

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


#: How the messages of the library say what the command line calls otherwise.
_SPELLED = (
    (re.compile(r"\bImage\(size=\((\d+), (\d+)\)\)"), r"--size \1x\2"),
    (re.compile(r"\bImage: size=\((\d+), (\d+)\)"), r"--size \1x\2"),
    (re.compile(r"\b(window|sensitive|utility|replace)="), r"--\1"),
    (re.compile(r"^noise: (the \w+ show none that could be told); .*"), r"\1; say what it is by --noise"),
    (re.compile(r"\b(use )?unit='character'"), r"\1--modality characters"),
    (re.compile(r", from which resume=True goes on$"), ", from which the same command goes on"),
)


def spelled(message: object) -> str:
    """A message of the library in one line and in the words of the command line."""
    text = " ".join(str(message).split())
    for pattern, words in _SPELLED:
        text = pattern.sub(words, text)
    return text


def check_ending(path: str | None) -> None:
    """Refuse a place for a model whose ending is none of a model."""
    if path is not None and not path.endswith(ENDING):
        raise ValueError(f"{path}: a model file must end in {ENDING}; that is how other verbs know it")


def check_order(path: str, new: str | None) -> None:
    """Refuse a model without data, and data in front of a model."""
    if path.endswith(ENDING) and new is None:
        raise ValueError(f"{path} is a model; name the data behind it")
    if new is not None and new.endswith(ENDING):
        raise ValueError(f"{new} is a model; a model comes first, and the data behind it")


def quietly(function: Callable[..., Any], *args: Any, about: str) -> Any:
    """Call a function on the rows of `about`, its warnings shown as lines, its complaints naming the file or folder."""
    try:
        with _warnings_as_lines():
            return function(*args)
    except (ValueError, TypeError) as error:
        text = spelled(error)
        raise ValueError(text if text.startswith(about) else f"{about}: {text}") from error


def unfitted(
    training: Training, given: Given, checkpoint: Any = None, resume: bool = True, log: str | None = None
) -> Any:
    """An autoencoder for some data from the options of the command line."""
    variants = kinds()
    cls = variants.get(training.variant.replace("-", "").replace("_", "").lower())
    if cls is None:
        raise ValueError(f"--variant: {training.variant!r} is unknown; use one of {', '.join(variants)}")
    return cls(
        parse_network(training.network),
        modality=data.modality(given, training),
        scaling=training.scaling if given.kind == "table" else "auto",
        epochs=training.epochs,
        random_state=training.seed,
        checkpoint=checkpoint,
        resume=checkpoint is not None and resume,
        callbacks=() if log is None else (log_for(log),),
        verbose=1,
    )


def trained(ae: Any, given: Given) -> dict[str, Any]:
    """What training made, in numbers."""
    last = ae.history_[-1]
    return {
        "modality": given.kind,
        "rows": data.count(given, ae.schema_),
        "columns": ae.n_features_in_,
        "code_size": ae.code_size_,
        "epochs": len(ae.history_),
        "loss": last.get("loss"),
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


def opened(path: str, new: str | None, training: Training, reading: Reading, say: Say) -> tuple[Any, Given]:
    """The model and the rows of `MODEL DATA`, or of `DATA` alone; an anonymizer's with what its network never sees."""
    model, given = found(path, new, training, reading)
    if isinstance(model, Anonymizer):
        return model, given.having(matched(given.X, list(getattr(model, "feature_names_in_", [])), say))
    return ready(model, given, training, say)


def named(model: Any) -> str:
    """What a model is, with its article."""
    name = type(model).__name__
    return f"a{'n' * (name[0] in 'AEIOU')} {name}"


def known(path: str) -> Any:
    """The model of a file."""
    if not path.endswith(ENDING):
        raise ValueError(f"{path}: a model file (*{ENDING}) must come first")
    return load(path)


def found(
    path: str, new: str | None, training: Training, reading: Reading, streaming: bool = False
) -> tuple[Any, Given]:
    """The model, None where one is to be fitted, and the data as they are in the file."""
    if path.endswith(ENDING):
        check_order(path, new)
        if said := training.given():
            raise ValueError(f"{path} is trained already; leave {', '.join(said)} out")
        model = known(path)
        return model, data.for_model(str(new), reading, schema_of(model), streaming)
    if new is not None:
        raise ValueError(f"{path} is no model file (*{ENDING}); give one file to fit on the spot, or a model and data")
    return None, data.for_fit(path, reading, training, streaming)


def ready(model: Any, given: Given, training: Training, say: Say) -> tuple[Any, Given]:
    """The model, fitted on the data where there is none yet; and the data as it takes them."""
    if model is not None:
        _left_out(given, say)
        return model, given.having(matched(given.X, known_columns(model), say))
    advised(given, say)
    model = quietly(unfitted(training, given).fit, given.X, about=given.path)
    if model.stopped_ == "interrupted":
        raise KeyboardInterrupt
    return model, given


def known_columns(model: Any) -> list[Any]:
    """The columns of a model, by name, or by number where they have none."""
    names = [column["name"] for column in schema_of(model).describe()]
    by = getattr(model, "by", None)
    return [*names, by] if isinstance(by, str) else names


def schema_of(model: Any) -> Any:
    """What a model takes; of one with a detector for each group, what the first one takes."""
    own = getattr(model, "words_", None) or getattr(model, "pictures_", None)
    return autoencoder_of(next(iter(groups_of(model).values()), model)).schema_ if own is None else own


def matched(table: Any, names: list[Any], say: Say) -> Any:
    """The columns of a model by name: others are left out with a note, and the order does not matter."""
    if not isinstance(table, (pa.Table, Dataset)) or not set(names) <= set(table.column_names):
        return table
    if extra := [name for name in table.column_names if name not in names]:
        say(f"azogue: the model does not know {', '.join(extra[:10])}: left out")
    return table.select(names)


def _left_out(given: Given, say: Say) -> None:
    if given.others:
        say(f"azogue: {', '.join(given.others[:10])}: no numbers, left out")


def advised(given: Given, say: Say) -> None:
    """Say a line on what is left out, and on each text column that looks like a number or a name of its row."""
    _left_out(given, say)
    table = given.X if given.kind == "table" else None
    if isinstance(table, pa.Table) and given.form == "lines" and table.schema.types == [pa.string()]:
        say(f"azogue: {given.path} is read as a table; --modality words or characters takes each line as a text")
        return
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


def codes(model: Any, given: Given) -> Made:
    """The codes as a table, behind the names of the files where they come from a folder."""
    inner = autoencoder_of(model)
    if isinstance(given.X, Dataset):
        return Made(
            "table", Streamed(given.X, lambda rows: codes(model, given.having(rows)).values), len(given.X), given.path
        )
    z = (model if isinstance(model, SemanticHasher) else inner).encode(given.X)
    where = data.places(given, inner.schema_)
    columns = {name: where[name] for name in where if name == "file"}
    columns |= {f"code_{at + 1}": z[:, at] for at in range(z.shape[1])}
    return Made("table", pa.table(columns), len(z), given.path, where.get("file"))


def reconstructed(model: Any, given: Given) -> Made:
    """What the network makes of the data."""
    inner = autoencoder_of(model)
    if isinstance(given.X, Dataset):
        return Made("table", Streamed(given.X, inner.reconstruct), len(given.X), given.path)
    values = inner.reconstruct(given.X)
    rate = getattr(inner.schema_, "rate", None)
    way = results.way_of(given)
    return Made(way, values, len(values), given.path, given.files, given.columns, rate)


@dataclass(frozen=True)
class Codes:
    """Codes from a file, and the names of the files that they were made of, where it has a column `file`."""

    path: str
    z: np.ndarray
    names: list[str] | None


def read_codes(model: Any, path: str, reading: Cells) -> Codes:
    """The codes in a file: its columns `code_1`, `code_2` and so on, or all of it."""
    table = data.cells(path, reading)
    if not isinstance(table, pa.Table):
        return Codes(path, table, None)
    units = [f"code_{at + 1}" for at in range(autoencoder_of(model).code_size_)]
    if not set(units) <= set(table.column_names):
        return Codes(path, tables.as_array(table), None)
    names = table["file"].to_pylist() if "file" in table.column_names else []
    named = bool(names) and all(isinstance(name, str) for name in names)
    return Codes(path, tables.as_array(table.select(units)), names if named else None)


def decoding(model: Any, codes: Codes) -> str:
    """How what a decoder makes of codes can be written: a key of `results`' ways."""
    match autoencoder_of(model).schema_.to_dict():
        case {"modality": "image", "dtype": dtype, "shape": shape}:
            return results.way_of_pictures(dtype, (0, *shape))
        case {"modality": "sequence", "container": container, "rate": rate}:
            if rate is not None:
                return "sound" if container == "series" and codes.names is None else "sounds"
            return "series" if container == "series" else "array"
        case {"modality": "text"}:
            return "texts"
    return "table"


def decoded(model: Any, codes: Codes) -> Made:
    """Rows from codes."""
    inner = autoencoder_of(model)
    way, names = decoding(model, codes), codes.names
    values: Any
    if way == "sounds" and names is not None:
        found = {name: np.array([one == name for one in names]) for name in dict.fromkeys(names)}
        values = [data.joined(inner.decode(codes.z[rows]), inner.schema_) for rows in found.values()]
        names = list(found)
    else:
        values = inner.decode(codes.z)
    if way == "array" and isinstance(values, list):
        values = np.stack(values)
    if hasattr(values, "detach"):  # a model that saw tensors
        values = np.asarray(values)
    unique = names if names is not None and len(set(names)) == len(names) else None
    return Made(way, values, len(values), codes.path, unique, None, getattr(inner.schema_, "rate", None))


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
    groups = groups_of(model)
    first = next(iter(groups.values()), model)
    inner, members = autoencoder_of(first), len(getattr(first, "members_", []))
    manifest = files.peek(path)
    kind = inner.schema_.to_dict()["modality"]
    names = ", ".join(map(str, getattr(inner, "feature_names_in_", []))) or None
    columns = {"columns": inner.n_features_in_, "names": names}
    return {
        "file": path,
        "estimator": type(model).__name__,
        **({"groups": f"{', '.join(groups)}, by {model.by!r}; of the first one:"} if groups else {}),
        **({"members": f"{members}; of the first one:"} if members > 1 else {}),
        "modality": kind,
        "network": repr(inner.network_spec_) if inner.network_spec_ is not None else "a pair of modules",
        "code": f"{inner.code_size_} units",
        "objective": repr(inner.recipe_.objective),
        **(columns if rows_are(inner.schema_) == "table" else {"a row": row_of(inner.schema_)}),
        "parameters": sum(p.numel() for p in inner.network_.parameters()),
        "epochs": len(inner.history_),
        "loss": inner.history_[-1].get("loss") if inner.history_ else None,
        "made with": ", ".join(f"{k} {v}" for k, v in manifest["libraries"].items()),
    }


def row_of(schema: Any) -> str:
    """What a row of pictures, sequences or texts is."""
    match schema.to_dict():
        case {"modality": "image", "dtype": dtype, "shape": [height, width, channels]}:
            return f"{height} × {width} pixels of {channels} channel{'s' * (channels > 1)}, {dtype}"
        case {"modality": "sequence", "size": size, "step": step, "rate": rate}:
            channels = schema.channels
            cut = "" if step is None else f", cut from a series every {step}"
            sound = "" if rate is None else f", {rate:,} a second"
            return f"{size} samples of {channels} channel{'s' * (channels > 1)}{cut}{sound}"
        case {"modality": "text", "unit": "word"}:
            return f"how often each of {schema.width:,} words occurs"
        case {"modality": "text", "length": length, "alphabet": alphabet}:
            return f"{length:,} characters, of {len(alphabet):,} different ones"
        case {"modality": "events", "length": length, "events": events}:
            return f"a record of {length:,} places, of {len(events):,} different events"
    return ""
