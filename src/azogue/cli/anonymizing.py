"""`azogue anonymize`: fit an anonymizer or open one, release rows, and say what an attacker finds in them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.applications import Anonymizer
from azogue.cli import data, models, reporting, results, tables
from azogue.cli.data import Given
from azogue.cli.options import Cells, Hiding, Reading
from azogue.cli.results import Made, Say
from azogue.cli.sets import Streamed
from azogue.modalities import rows_are, schema_from_dict
from azogue.modalities.dataset import Dataset
from azogue.privacy import PrivacyReport
from azogue.report.anonymizing import anonymizing_report

#: Rows that an audit needs.
LEAST = 10
#: What is said of a result that nobody attacked.
WORDS = "pseudonymised, not anonymous: each row still belongs to one original row"


@dataclass(frozen=True)
class Rows:
    """What is released, and the labels that go with it.

    Parameters
    ----------
    given : Given
        As the anonymizer takes them.
    labels : dict
        `sensitive` and `utility` where they are known: names or positions of columns, or labels by name.
    absent : tuple of str
        Sensitive columns that the file lacks, and that are empty in `given` therefore.
    """

    given: Given
    labels: dict[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()

    def without_absent(self, table: Any) -> Any:
        """A table with the columns of the file."""
        return table.drop_columns(list(self.absent)) if self.absent else table


def anonymize(
    path: str, new: str | None, output: str | None, asked: Hiding, reading: Cells, say: Say
) -> tuple[dict[str, Any], Made, str]:
    """Release the rows of `path`, or those of `new` by what `path` is.

    Parameters
    ----------
    path : str
        A model, or data to fit an anonymizer on.
    new, output : str or None
    asked, reading : options of the command line
    say : callable
        Told what the user should know.

    Returns
    -------
    facts, made, text
        What JSON says; the rows that are still to be written; and what people read of them.

    Raises
    ------
    ValueError
        Naming the file or the option, and what is wrong with it.
    """
    _check(path, new, output, asked)
    if path.endswith(models.ENDING):
        model = _opened(path, asked)
        rows = _for_model(path, model, str(new), asked, reading, say)
    else:
        known = _read(path, reading, asked)
        rows = known if new is None else _alike(new, known, reading, say)
        model = Anonymizer(
            method=asked.method,
            strength=asked.strength,
            replace=asked.replace or None,
            epsilon=asked.epsilon,
            random_state=asked.seed,
            verbose=1,
        )
    _check_rows(rows.given, output, asked, path, new)
    if not path.endswith(models.ENDING):
        _fit(model, known, say)
    if asked.save is not None:
        model.save(asked.save)
        say(f"azogue: the anonymizer is in {asked.save}; it holds parts of the rows: keep it as safe as they are")
    given = rows.given
    if isinstance(given.X, Dataset):
        made = Made("table", Streamed(given.X, model.transform), len(given.X), given.path)
        return _facts(model, asked, None), made, _text(model, asked, None)
    released = models.quietly(model.transform, given.X, about=given.path)
    found = None if asked.audit is None else _audited(model, rows, released, asked)
    facts = _facts(model, asked, found)
    made = Made(results.way_of(given), rows.without_absent(released), len(given.X), given.path)
    return facts, made, _text(model, asked, found)


# -- what was asked for ------------------------------------------------------------------------------------------------


def _check(path: str, new: str | None, output: str | None, asked: Hiding) -> None:
    """Refuse what could not be written, and options that contradict one another, before anything is read."""
    models.check_order(path, new)
    models.check_ending(asked.save)
    for place in (asked.save, asked.audit):
        if place is not None:
            tables.check_output(place, path, new, output, stream=False)
    if asked.audit is not None:
        reporting.check_ending(asked.audit)
        if asked.audit == asked.save:
            raise ValueError(f"{asked.audit}: is also where the model goes; name another file behind --audit")
    for name in asked.sensitive or ():
        if name in (asked.utility or ()):
            raise ValueError(f"--utility {name}: is --sensitive too; it can be told, or not")


def _check_rows(given: Given, output: str | None, asked: Hiding, *inputs: str | None) -> None:
    """Refuse rows that could not be written or audited, before anything is trained."""
    results.check(output, results.way_of(given), given.path, *inputs, given=given)
    if asked.audit is not None and len(given.X) < LEAST:
        raise ValueError(f"{given.path}: --audit needs {LEAST} rows, got {len(given.X)}; so few show nothing")


def _opened(path: str, asked: Hiding) -> Anonymizer:
    model = models.known(path)
    if not isinstance(model, Anonymizer):
        raise ValueError(f"{path}: holds {models.named(model)}; anonymize takes what azogue anonymize --save wrote")
    said = asked.given()
    if _kind(model) != "table" and asked.audit is not None:
        said = [name for name in said if name not in ("--sensitive", "--utility")]  # labels of the new rows
    if said:
        raise ValueError(f"{path} is trained already; leave {', '.join(said)} out")
    return model


def _kind(model: Anonymizer) -> str:
    return rows_are(model.autoencoder_.schema_)


# -- reading -----------------------------------------------------------------------------------------------------------


def _load(
    path: str, reading: Cells, kind: str | None = None, texts: list[str] | None = None, streaming: bool = False
) -> Given:
    """A table, or windows or pictures of an array."""
    form = data.form_of(path)
    if form in ("folder", "sound", "picture"):
        raise ValueError(f"{path}: anonymize takes tables, and windows or pictures as arrays in .npy or .npz files")
    kind = "table" if form in ("lines", "table", "set") else kind
    given = data.read(path, Reading(**vars(reading)), kind, texts=texts, streaming=streaming)
    if given.kind == "text":
        raise ValueError(f"{path}: holds texts; anonymize takes tables, windows and pictures")
    if isinstance(given.X, np.ndarray) and given.X.dtype.kind not in "biufmM":
        raise ValueError(f"{path}: an array of {given.X.dtype} holds no numbers")
    if not len(given.X):
        raise ValueError(f"{path}: has no rows")
    return given


def _read(path: str, reading: Cells, asked: Hiding) -> Rows:
    """Rows to learn from, and their labels."""
    given = _load(path, reading)
    return Rows(given, _labels(given, asked))


def _labels(given: Given, asked: Hiding) -> dict[str, Any]:
    """What the options name: columns, or labels in files."""
    wanted = {"sensitive": asked.sensitive, "utility": asked.utility}
    return {
        option: [_column(given, name, option) for name in dict.fromkeys(names)]
        if given.kind == "table"
        else {Path(name).stem: _beside(given, name, option) for name in names}
        for option, names in wanted.items()
        if names
    }


def _column(given: Given, name: str, option: str) -> str | int:
    """A column by its name, or of an array by its number from 1."""
    if isinstance(given.X, pa.Table):
        if name not in given.X.column_names:
            shown = ", ".join(given.X.column_names[:20])
            raise ValueError(f"{given.path}: has no column {name!r} for --{option}; it has {shown}")
        return name
    width = given.X.shape[1]
    if not name.isdigit() or not 1 <= int(name) <= width:
        raise ValueError(f"{given.path}: --{option}: expected a column's number from 1 to {width}, got {name!r}")
    return int(name) - 1


def _beside(given: Given, path: str, option: str) -> np.ndarray:
    """A label for each window or picture, from a file."""
    if not Path(path).exists():
        raise ValueError(
            f"--{option} {path}: there is no such file; {given.path} has no columns, so name a file of labels"
        )
    found = tables.read_table(path)
    if isinstance(found, pa.Table):
        if found.num_columns != 1:
            raise ValueError(f"--{option} {path}: has {found.num_columns} columns; labels are one column")
        found = np.array(found.column(0).to_pylist(), dtype=object)
    if found.shape != (len(given.X),):
        raise ValueError(f"--{option} {path}: has the shape {found.shape}; {given.path} needs {len(given.X):,} labels")
    return np.asarray(found)


def _alike(path: str, known: Rows, reading: Cells, say: Say) -> Rows:
    """Rows to release by what is learned from others."""
    like = known.given
    table = isinstance(like.X, pa.Table)
    texts = [item.name for item in like.X.schema if pa.types.is_string(item.type)] if table else []
    given = _load(path, reading, like.kind, texts)
    if table != isinstance(given.X, pa.Table):
        raise ValueError(f"{path}: the columns of {like.path} {'have names' if table else 'have none'}")
    if not table:
        return Rows(given, known.labels if given.kind == "table" else {})
    return _fitting(given, like.X.column_names, known.labels, say)


def _for_model(path: str, model: Anonymizer, new: str, asked: Hiding, reading: Cells, say: Say) -> Rows:
    """Rows as a fitted anonymizer takes them."""
    schema: Any = model.autoencoder_.schema_
    whole = schema if getattr(model, "whole_", None) is None else schema_from_dict(model.whole_)
    described = whole.describe() if _kind(model) == "table" else []
    texts = [column["name"] for column in described if column["kind"].startswith("categorical")]
    texts = [name for name in texts if isinstance(name, str)]
    given = _load(new, reading, _kind(model), texts, asked.audit is None)
    if given.kind != _kind(model):
        raise ValueError(f"{new}: holds {data.ROWS[given.kind]}, but {path} was fitted on {data.ROWS[_kind(model)]}")
    names = getattr(model, "feature_names_in_", None)
    own = {name: value for name in ("sensitive", "utility") if (value := getattr(model, name)) is not None}
    if isinstance(given.X, (pa.Table, Dataset)) and names is not None:
        return _fitting(given, [str(name) for name in names], own, say)
    return Rows(given, own if given.kind == "table" else _labels(given, asked))


def _fitting(given: Given, names: list[str], labels: dict[str, Any], say: Say) -> Rows:
    """A table with the columns that are known, in their order.

    Sensitive columns may be absent, since nothing of them is read. Others are left out: what nobody learned of cannot
    be changed.
    """
    table, hidden = given.X, labels.get("sensitive", [])
    lacking = [name for name in names if name not in table.column_names]
    if needed := [name for name in lacking if name not in hidden or isinstance(table, Dataset)]:
        raise ValueError(f"{given.path}: lacks the column{'s' * (len(needed) > 1)} {', '.join(needed[:10])}")
    for name in lacking:
        say(f"azogue: {given.path}: has no column {name}, so none is released")
        table = table.append_column(name, pa.nulls(len(table)))
    if extra := [name for name in table.column_names if name not in names]:
        say(f"azogue: {given.path}: {', '.join(extra[:10])}: not learned from, left out")
    if lacking:
        labels = {**labels, "sensitive": [name for name in hidden if name not in lacking] or None}
    return Rows(replace(given, X=table.select(names)), labels, tuple(lacking))


# -- fitting and attacking ---------------------------------------------------------------------------------------------


def _fit(model: Anonymizer, known: Rows, say: Say) -> None:
    """Fit, with names of columns as parameters, so that the model's file knows them, and labels as arguments."""
    given, labels = known.given, known.labels
    models.advised(given, say)
    if given.kind == "table":
        model.set_params(**labels)
        labels = {}

    def fit() -> None:
        try:
            model.fit(given.X, **labels)
        except ImportError as error:  # an extra that is not installed
            raise ValueError(str(error)) from error

    models.quietly(fit, about=given.path)
    if model.autoencoder_.stopped_ == "interrupted":
        raise KeyboardInterrupt


def _audited(model: Anonymizer, rows: Rows, released: Any, asked: Hiding) -> PrivacyReport:
    """Attack the released rows, and write a page on it."""
    given = rows.given
    X, made = rows.without_absent(given.X), rows.without_absent(released)
    options = {"sensitive": None, "utility": None, **rows.labels, "random_state": asked.seed or 0}

    def attack() -> PrivacyReport:
        return model.audit(X, made, **options)

    found: PrivacyReport = models.quietly(attack, about=given.path)
    anonymizing_report(model, X, found).save(str(asked.audit))
    return found


# -- what is said ------------------------------------------------------------------------------------------------------


def _facts(model: Anonymizer, asked: Hiding, found: PrivacyReport | None) -> dict[str, Any]:
    guarantee = model.guarantee_
    return {
        "kind": "pseudonymised",
        "method": model.method_,
        "sensitive": model.sensitive_,
        "utility": model.utility_,
        "strength": model.strength,
        "guarantee": None if guarantee is None else guarantee.statement(),
        "report": asked.audit,
        "audit": None if found is None else found.to_dict(),
    }


def _text(model: Anonymizer, asked: Hiding, found: PrivacyReport | None) -> str:
    """What an attacker finds, or that nobody has looked."""
    lines = [f"{WORDS}; --audit report.html tells what attackers find"]
    if found is not None:
        parts = [part for part in found.text().split("\n\n") if not part.startswith(("findings:", "notes:"))]
        lines = ["\n\n".join(parts), f"\nfindings and notes: {asked.audit}"]
    if (guarantee := model.guarantee_) is not None:
        lines.append(
            f"trained with ({guarantee.epsilon:.4g}, {guarantee.delta:.4g}) differential privacy, which covers the "
            "model's weights, not the rows that are released"
        )
    return "\n".join(lines)
