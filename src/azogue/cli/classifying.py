"""`azogue classify`: neighbours in the code of one table tell a column of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue.applications import AEkNNClassifier, AEkNNRegressor
from azogue.cli import data, models, reporting, results, tables
from azogue.cli.options import Reading
from azogue.cli.results import Made, Say

if TYPE_CHECKING:
    from azogue.cli.options import Cells

#: Whole numbers are classes up to so many different ones.
MOST = 20


@dataclass(frozen=True)
class Asked:
    """What the user asked for.

    Parameters
    ----------
    target : str or None
        The column to tell: its name; in an array its number, from 1.
    kind : {"auto", "class", "number"}
    neighbors : int
    network : str
    seed : int or None
    save : str or None
        Model file to write.
    report : str or None
        Page to write.
    """

    target: str | None
    kind: str = "auto"
    neighbors: int = 5
    network: str = "auto"
    seed: int | None = None
    save: str | None = None
    report: str | None = None


def classify(
    first: str, new: str, output: str | None, asked: Asked, cells: Cells, say: Say
) -> tuple[Made, dict[str, Any]]:
    """Predict the target of each row of `new`.

    Parameters
    ----------
    first : str
        A table to learn from, or a saved classifier or regressor.
    new, output : str
    asked : Asked
    cells : options of the command line
    say : callable
        Told what the user should know.

    Returns
    -------
    made, facts
        The predictions, and what is known of the whole: `target`, `kind`, and `accuracy` or `r2` where `new` has the
        target.

    Raises
    ------
    ValueError
        Naming the file and what is wrong with it.
    """
    results.check(output, "table", new, first, new)
    reporting.check(asked.report, first, new, output, asked.save)
    reading = Reading(cells.drop, cells.header, cells.missing)
    if first.endswith(models.ENDING):
        model, known, texts = _opened(first, asked)
    else:
        model, known, texts = _fitted(first, asked, reading, say, new)
    given = data.read(new, reading, "table", False, texts)
    truth, rows = _apart(given.X, asked.target, known, new)
    rows = _matched(rows, known, new, say)
    if len(rows) == 0:
        raise ValueError(f"{new}: has no rows to predict")
    reporting.write(asked.report, model, given.having(rows), say)
    return _predicted(model, rows, truth, new, asked.target)


def _opened(path: str, asked: Asked) -> tuple[Any, list[Any], list[str]]:
    """A saved model, the columns that it looks at, and those of them that are text."""
    if asked.save is not None:
        raise ValueError(f"{path} is a model already; leave --save out")
    if asked.kind != "auto" or asked.network != "auto" or asked.seed is not None:
        raise ValueError(f"{path} is trained already; leave --as, --network and --seed out")
    model = models.known(path)
    if not isinstance(model, (AEkNNClassifier, AEkNNRegressor)):
        raise ValueError(
            f"{path}: holds {type(model).__name__}, which tells no column; make a classifier by "
            "azogue classify TRAIN NEW --target COLUMN --save MODEL.azogue"
        )
    columns = model.autoencoder_.schema_.describe()
    texts = [column["name"] for column in columns if column["kind"].startswith("categorical")]
    return model, models.known_columns(model), [name for name in texts if isinstance(name, str)]


def _fitted(path: str, asked: Asked, reading: Reading, say: Say, new: str) -> tuple[Any, list[Any], list[str]]:
    """A model of a table, the columns that it looks at, and those of its columns that are text."""
    if asked.target is None:
        raise ValueError(f"{path}: name by --target the column that is to be told")
    if asked.save is not None:
        tables.check_output(asked.save, path, new, stream=False)
        if not asked.save.endswith(models.ENDING):
            raise ValueError(f"{asked.save}: a model file must end in {models.ENDING}")
    given = data.read(path, reading, "table")
    column, rows = _apart(given.X, asked.target, None, path)
    if column is None:
        raise ValueError(f"{path}: has no column {_called(asked.target)} to learn; it has {_columns(given.X)}")
    if len(rows) == 0 or (rows.num_columns if isinstance(rows, pa.Table) else rows.shape[1]) == 0:
        raise ValueError(f"{path}: learning needs rows, and a column besides {_called(asked.target)}")
    y, classes = _target(column, asked, path)
    models.advised(given.having(rows), say)
    cls = AEkNNClassifier if classes else AEkNNRegressor
    network = models.parse_network(asked.network)
    model = cls(asked.neighbors, network=network, random_state=asked.seed, verbose=1)
    models.quietly(model.fit, rows, y, about=path)
    if asked.save is not None:
        model.save(asked.save)
        say(f"azogue: the model is in {asked.save}")
    texts = [field.name for field in given.X.schema if _is_text(field.type)] if isinstance(given.X, pa.Table) else []
    return model, models.known_columns(model), texts


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind))


def _called(name: str | None) -> str:
    return repr(name)


def _columns(table: Any) -> str:
    if isinstance(table, np.ndarray):
        return f"the columns 1 to {table.shape[1]}" if table.ndim == 2 else "no columns"
    return ", ".join(table.column_names[:20]) + ", …" * (len(table.column_names) > 20)


def _apart(table: Any, name: str | None, known: list[Any] | None, path: str) -> tuple[Any, Any]:
    """The target's column, None where there is none, and the other columns."""
    if isinstance(table, np.ndarray):
        if table.ndim != 2:
            raise ValueError(f"{path}: expected rows and columns, got an array of shape {table.shape}")
        if name is None or (known is not None and table.shape[1] <= len(known)):
            return None, table
        if not name.isdecimal() or not 1 <= int(name) <= table.shape[1]:
            raise ValueError(f"{path}: an array has no names; --target takes a number from 1 to {table.shape[1]}")
        return table[:, int(name) - 1], np.delete(table, int(name) - 1, axis=1)
    if name is None or name not in table.column_names:
        return None, table
    if table.column_names.count(name) > 1:
        raise ValueError(f"{path}: has several columns {name!r}")
    return table.column(name), table.drop_columns([name])


def _matched(table: Any, known: list[Any], path: str, say: Say) -> Any:
    """The columns that the model looks at, in its order; others are left out with a note."""
    named = all(isinstance(name, str) for name in known)
    if named != isinstance(table, pa.Table):
        wanted, got = ("a table with names", "an array") if named else ("an array without names", "a table with names")
        raise ValueError(f"{path}: the columns to learn from came from {wanted}, this is {got}; use one kind of file")
    if isinstance(table, np.ndarray):
        if table.shape[1] != len(known):
            raise ValueError(
                f"{path}: has {table.shape[1]} columns besides the target, but {len(known)} were learned from"
            )
        return table
    if lacking := [name for name in known if name not in table.column_names]:
        raise ValueError(f"{path}: lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking[:10])}")
    if extra := [name for name in table.column_names if name not in known]:
        say(f"azogue: {path}: {', '.join(extra[:10])}: not learned from, left out")
    return table.select(known)


# -- targets -----------------------------------------------------------------------------------------------------------


def _target(column: Any, asked: Asked, path: str) -> tuple[np.ndarray, bool]:
    """The target as `fit` takes it, and whether it is classes.

    Texts, booleans and at most `MOST` different whole numbers are classes, other numbers are values.
    """
    name = _called(asked.target)
    values = _values(column)
    holes = sum(value is None for value in values)
    if holes:
        raise ValueError(
            f"{path}: {holes:,} of {len(values):,} rows have no value of {name}, the target; fill it, or leave them out"
        )
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values)
    if not numeric and not all(isinstance(value, (str, bool)) for value in values):
        raise ValueError(
            f"{path}: {name} holds {type(values[0]).__name__} values, which can be no target; use texts or numbers"
        )
    different = set(values)
    whole = numeric and all(float(value).is_integer() for value in different)
    classes = asked.kind == "class" or (asked.kind == "auto" and (not numeric or (whole and len(different) <= MOST)))
    if len(different) == 1:
        raise ValueError(f"{path}: {name} has one value only, {values[0]!r}; there is nothing to tell apart")
    if not classes and not numeric:
        raise ValueError(f"{path}: {name} holds texts or truth values, no numbers; leave --as number out")
    if classes and numeric:
        return np.array([int(v) for v in values]) if whole else np.array([str(v) for v in values], object), True
    return np.array(values, object if classes and isinstance(values[0], str) else None), classes


def _values(column: Any) -> list[Any]:
    """The cells as Python's values, None where there is none."""
    cells = column.to_pylist() if hasattr(column, "to_pylist") else column.tolist()
    return [None if isinstance(cell, float) and cell != cell else cell for cell in cells]  # noqa: PLR0124


def _predicted(model: Any, rows: Any, truth: Any, path: str, target: str | None) -> tuple[Made, dict[str, Any]]:
    found = models.quietly(model.predict, rows, about=path)
    columns: dict[str, Any] = {"row": np.arange(len(found)), "prediction": found.tolist()}
    classes = isinstance(model, AEkNNClassifier)
    if classes:
        shares = model.predict_proba(rows)
        columns |= {f"p_{label}": shares[:, at] for at, label in enumerate(model.classes_.tolist())}
    facts: dict[str, Any] = {"target": target, "kind": "class" if classes else "number"}
    values = [] if truth is None else _values(truth)
    known = [at for at, value in enumerate(values) if value is not None]
    if known:
        right = [values[at] for at in known]
        facts |= _judged([found[at] for at in known], right) if classes else _fit(found[known], right, path)
    return Made("table", pa.table(columns), len(found), path), facts


def _judged(found: list[Any], right: list[Any]) -> dict[str, float]:
    """The part of the rows whose class was told; numbers and their texts are the same class."""
    same = [one == other or str(one) == str(other) for one, other in zip(found, right, strict=True)]
    return {"accuracy": sum(same) / len(same)}


def _fit(found: np.ndarray, right: list[Any], path: str) -> dict[str, float]:
    try:
        truth = np.array(right, dtype=float)
    except ValueError:
        raise ValueError(f"{path}: the target holds texts here, but numbers were learned") from None
    spread = float(np.square(truth - truth.mean()).sum())
    return {"r2": 1.0 - float(np.square(truth - found).sum()) / spread} if spread else {}


def said(facts: dict[str, Any]) -> str:
    """How good the predictions are, where that is known."""
    if "accuracy" in facts:
        return f"accuracy {facts['accuracy']:.4f}"
    return f"R² {facts['r2']:.4f}" if "r2" in facts else ""
