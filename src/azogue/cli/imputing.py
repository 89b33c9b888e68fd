"""`azogue impute`: fit an imputer or open one, fill tables once or m times, and say what was filled and how surely."""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sklearn.frozen import FrozenEstimator

from azogue.applications import Imputer
from azogue.applications.filling import EMPTY
from azogue.applications.merging import gaps
from azogue.autoencoder import Autoencoder
from azogue.cli import data, models, reporting, results, tables
from azogue.cli.options import Cells, Filling, Reading
from azogue.cli.results import Made, Say
from azogue.cli.sets import Streamed
from azogue.modalities import TableSchema
from azogue.modalities.dataset import Dataset
from azogue.report.imputing import filled_columns, imputing_report

#: Texts of more than so many different values, in more than half of the rows, name the rows.
NAMES = 20


@dataclass(frozen=True)
class Table:
    """A table as it is in the file, and what of it is learned from.

    Parameters
    ----------
    path : str
    whole, X : pyarrow.Table or ndarray
    kept : tuple of str
        The columns that are copied.
    """

    path: str
    whole: Any
    X: Any
    kept: tuple[str, ...] = ()

    def around(self, filled: Any) -> Any:
        """The whole table with the filled columns in their places."""
        if not self.kept:
            return filled
        names = self.whole.column_names
        columns = [self.whole.column(name) if name in self.kept else filled.column(name) for name in names]
        return pa.table(columns, names=names)


def impute(
    path: str, new: str | None, output: str | None, asked: Filling, reading: Cells, say: Say
) -> tuple[dict[str, Any], Made | None, str]:
    """Fill the table of `path`, or that of `new` by what `path` is.

    Parameters
    ----------
    path : str
        A model, or a table to fit an imputer on.
    new, output : str or None
    asked, reading : options of the command line
    say : callable
        Told what the user should know.

    Returns
    -------
    facts, made, text
        What JSON says; the table that is still to be written, None where m tables are written already; and what people
        read of the filled columns.

    Raises
    ------
    ValueError
        Naming the file or the option, and what is wrong with it.
    """
    _check(path, new, output, asked)
    model = models.known(path) if path.endswith(models.ENDING) else None
    if model is not None:
        imputer, given = _opened(path, model, str(new), asked, reading, say)
    else:
        known = _read(path, reading, asked, say)
        given = known if new is None else _alike(_read(new, reading, asked, say, known), known)
        imputer = Imputer(random_state=asked.seed, verbose=1)
    if isinstance(given.X, Dataset):
        return _streamed(imputer, given)
    holes = gaps(given.X)
    if not holes.any():
        raise ValueError(f"{given.path}: no cell is missing; there is nothing to fill")
    if model is None:
        models.quietly(_fitted, imputer, known.X, about=path)
    if asked.save is not None:
        imputer.save(asked.save)
        say(f"azogue: the imputer is in {asked.save}")
    filled, columns = models.quietly(_filled, imputer, given.X, about=given.path)
    _warn(columns, say)
    if asked.report is not None:
        page = models.quietly(imputing_report, imputer, given.X, columns, model is None and new is None, about=path)
        page.save(asked.report)
    count = len(holes)
    facts: dict[str, Any] = {"rows": count, "filled": sum(line["filled"] for line in columns), "by_column": columns}
    text = _text(columns, count)
    if asked.m is None:
        return facts, Made("table", given.around(filled), count, given.path), text
    drawn = models.quietly(imputer.impute, given.X, asked.m, about=given.path)
    names = _numbered(str(output), asked.m)
    _write_all([given.around(one) for one in drawn], names)
    return {"files": names, **facts}, None, text


def _streamed(imputer: Imputer, given: Table) -> tuple[dict[str, Any], Made, str]:
    """Rows that are filled while they are written; their holes are counted meanwhile."""
    names, count = given.X.column_names, len(given.X)
    facts: dict[str, Any] = {"rows": count, "filled": 0}

    def filled(whole: Any) -> Any:
        part = replace(given, whole=whole, X=whole.select(names))
        facts["filled"] += int(gaps(part.X).sum())
        return part.around(imputer.transform(part.X))

    return facts, Made("table", Streamed(given.whole, filled), count, given.path), f"{count:,} rows, some at a time"


def _fitted(imputer: Imputer, X: Any) -> Imputer:
    """The imputer, fitted; what it says of columns without a value is said later, with the cells that stay empty."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", EMPTY)
        return imputer.fit(X)


def _filled(imputer: Imputer, X: Any) -> tuple[Any, list[dict[str, Any]]]:
    """The filled table, and what is to be said of each column; with a warning once for both."""
    filled = imputer.transform(X)
    return filled, filled_columns(imputer, X, filled)


# -- what was asked for ------------------------------------------------------------------------------------------------


def _check(path: str, new: str | None, output: str | None, asked: Filling) -> None:
    """Refuse what could not be written, before anything is read."""
    models.check_order(path, new)
    if asked.m is not None and output in (None, "-"):
        raise ValueError("-m writes several files; name them by -o, such as -o filled.csv for filled-01.csv and so on")
    results.check(output, "table", path, path, new)
    if asked.m is not None:
        for name in _numbered(str(output), asked.m):
            results.check(name, "table", path, path, new)
    if asked.save is not None:
        if path.endswith(models.ENDING):
            raise ValueError(f"{path} is trained already; leave --save out")
        models.check_ending(asked.save)
        tables.check_output(asked.save, path, new, output, stream=False)
    if asked.report is not None:
        reporting.check_ending(asked.report)
        tables.check_output(asked.report, path, new, output, asked.save, stream=False)


def _numbered(output: str, m: int) -> list[str]:
    """`filled.csv` → `filled-01.csv`, `filled-02.csv`, …"""
    place, digits = Path(output), max(2, len(str(m)))
    return [str(place.with_name(f"{place.stem}-{at:0{digits}d}{place.suffix}")) for at in range(1, m + 1)]


def _read(path: str, reading: Cells, asked: Filling, say: Say, known: Table | None = None) -> Table:
    """A table, without the columns that are copied: those asked for, and complete texts that name their rows."""
    texts = [] if known is None else _text_columns(known.whole)
    given = data.read(path, Reading(**vars(reading)), "table", texts=texts)
    if not isinstance(given.X, pa.Table):
        if asked.keep:
            raise ValueError(f"{path}: an array has no column names to keep")
        if given.X.dtype.kind not in "biufmM":
            raise ValueError(f"{path}: an array of {given.X.dtype} is no table of numbers")
        return Table(path, given.X, given.X)
    if not given.X.num_rows:
        raise ValueError(f"{path}: has no rows")
    names = list(asked.keep or ())
    for name in names:
        if name not in given.X.column_names:
            shown = ", ".join(given.X.column_names[:20])
            raise ValueError(f"{path}: has no column {name!r} to keep; it has {shown}")
    if known is not None:
        names = [name for name in given.X.column_names if name not in known.X.column_names]
        if extra := [name for name in names if name not in known.kept]:
            say(f"azogue: {path}: {', '.join(extra[:10])}: not in {known.path}, copied as it is")
        return Table(path, given.X, given.X.drop_columns(names), tuple(names))
    for name in _text_columns(given.X):
        kinds, column = pc.count_distinct(given.X.column(name)).as_py(), given.X.column(name)
        if name not in names and not column.null_count and kinds > max(NAMES, len(column) // 2):
            told = f"{kinds:,} different texts in {len(column):,} rows"
            say(f"azogue: column {name!r} has {told}: copied, not learned from")
            names.append(name)
    rest = given.X.drop_columns(names)
    if not rest.num_columns:
        raise ValueError(f"{path}: no column is left to learn from")
    models.advised(
        given.having(rest), lambda text: say(re.sub(r"--drop (.+) leaves it out", r"--keep \1 copies it", text))
    )
    return Table(path, given.X, rest, tuple(names))


def _text_columns(table: Any) -> list[str]:
    if not isinstance(table, pa.Table):
        return []
    return [field.name for field in table.schema if pa.types.is_string(field.type)]


def _alike(given: Table, known: Table) -> Table:
    """The table with the columns of another one, in its order.

    Raises
    ------
    ValueError
    """
    table = isinstance(known.X, pa.Table)
    if table != isinstance(given.X, pa.Table):
        raise ValueError(f"{given.path}: the columns of {known.path} {'have names' if table else 'have none'}")
    if not table:
        return given
    names = known.X.column_names
    if lacking := [name for name in names if name not in given.X.column_names]:
        raise ValueError(f"{given.path}: lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking[:10])}")
    return Table(given.path, given.whole, given.X.select(names), given.kept)


def _opened(path: str, model: Any, new: str, asked: Filling, reading: Cells, say: Say) -> tuple[Imputer, Table]:
    """The imputer of a file, or one around the autoencoder of a file; and the table as it takes it."""
    if not isinstance(model, (Imputer, Autoencoder)):
        raise ValueError(f"{path}: holds {models.named(model)}; impute takes what azogue impute --save or fit wrote")
    schema = model.schema_
    if not isinstance(schema, TableSchema):
        kind = schema.to_dict()["modality"]
        raise ValueError(f"{path}: was fitted on {data.ROWS.get(kind, kind)}; impute is for tables")
    once = isinstance(model, Imputer) and asked.m is None and asked.report is None
    given = data.for_model(new, Reading(**vars(reading)), schema, streaming=once)
    whole, names = given.X, [column["name"] for column in schema.describe()]
    kept: tuple[str, ...] = ()
    X = whole
    if isinstance(whole, (pa.Table, Dataset)) and schema.names is not None:
        if lacking := [name for name in names if name not in whole.column_names]:
            raise ValueError(f"{new}: lacks the column{'s' * (len(lacking) > 1)} {', '.join(map(str, lacking[:10]))}")
        kept = tuple(name for name in whole.column_names if name not in names)
        if extra := [name for name in kept if name not in (asked.keep or ())]:
            say(f"azogue: the model does not know {', '.join(extra[:10])}: copied as it is")
        X = whole.select(names)
    if isinstance(model, Imputer):
        return model, Table(new, whole, X, kept)
    say(f"azogue: {path} holds an autoencoder, no imputer: what it leaves out is learned from the rows of {new}")
    imputer = Imputer(FrozenEstimator(model), random_state=asked.seed)
    return models.quietly(_fitted, imputer, X, about=new), Table(new, whole, X, kept)


# -- what is said ------------------------------------------------------------------------------------------------------


def _warn(columns: list[dict[str, Any]], say: Say) -> None:
    """A line for each filled column that is told no better than by its mean or most frequent value."""
    for line in columns:
        cells = f"{line['filled']:,} cell{'s' * (line['filled'] != 1)}"
        if line["filled"] and line["guessed"]:
            usual = "its mean" if line["kind"] == "number" else "its most frequent value"
            say(f"azogue: warning: {line['column']}: guessed no better than by {usual}; do not build on its {cells}")
        if line["left"]:
            left = f"{line['left']:,} cell{'s' * (line['left'] != 1)}"
            say(
                f"azogue: {line['column']}: no value to learn from; {left} stay empty; leave it out, or fill it by hand"
            )


def _text(columns: list[dict[str, Any]], rows: int) -> str:
    """What was filled, column by column."""
    shown = [line for line in columns if line["filled"]]
    if not shown:
        return ""
    width = max(6, *(len(line["column"]) for line in shown))
    lines = [f"{'column':<{width}} {'filled':>9} {'of rows':>8} {'told':>6}  how sure"]
    for line in shown:
        told = "?" if line["skill"] is None else f"{max(line['skill'], 0.0):.0%}"
        lines.append(
            f"{line['column']:<{width}} {line['filled']:>9,} {line['filled'] / rows:>8.1%} {told:>6}  {line['sure']}"
        )
    return "\n".join(lines)


# -- writing -----------------------------------------------------------------------------------------------------------


def _write_all(drawn: list[Any], names: list[str]) -> None:
    """All tables or none: each is written beside its place first."""
    place = Path(names[0]).absolute().parent
    folder = Path(tempfile.mkdtemp(prefix=".azogue-", dir=place))
    try:
        for table, name in zip(drawn, names, strict=True):
            tables.write_table(table, str(folder / Path(name).name))
        for name in names:
            (folder / Path(name).name).replace(name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
