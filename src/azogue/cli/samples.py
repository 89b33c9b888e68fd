"""`azogue sample`: fit a synthesizer or open one, read what is asked for, draw rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.applications import Synthesizer
from azogue.applications.conditioning import conditions
from azogue.autoencoder import Autoencoder
from azogue.cli import data, models, reporting, results, tables
from azogue.cli.evaluating import label
from azogue.cli.options import Cells, Reading
from azogue.cli.results import Made, Say
from azogue.modalities import Coded, CodedSchema, Events, EventsSchema
from azogue.modalities.histories import Records
from azogue.modalities.histories import write as write_histories

#: One row of so many judges drawn rows, where that is asked for.
HELD_OUT = 4
#: Behind the column's name.
_SIGN = re.compile(r"\s*(>=|<=|!=|==|=|>|<)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Asked:
    """What is drawn, and how it is learned.

    Parameters
    ----------
    n : int
    where, constraints : tuple of str
    method : str
    epsilon : float or None
    save : str or None
    seed : int or None
    evaluate : str or None
        The page to write.
    target : str or None
    events : str or None
        Columns of a long table: whose, when, which.
    """

    n: int
    where: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    method: str = "auto"
    epsilon: float | None = None
    save: str | None = None
    seed: int | None = None
    evaluate: str | None = None
    target: str | None = None
    events: str | None = None

    def modality(self) -> Any:
        """What the rows are."""
        if self.events is None:
            return "auto"
        names = [name.strip() for name in self.events.split(",")]
        if len(names) != 3 or not all(names) or len(set(names)) < 3:
            raise ValueError(f"--events {self.events}: expected three columns, such as patient,day,code")
        for option, given in {
            "--where": self.where,
            "--constraint": self.constraints,
            "--evaluate": self.evaluate,
        }.items():
            if given:
                raise ValueError(f"{option}: is for tables with a row for each record, not for --events")
        whose, when, which = names
        return Events(whose, when, which)

    def fitting(self) -> list[str]:
        """The options of fitting that say something."""
        told = {
            "--constraint": self.constraints,
            "--method": self.method != "auto",
            "--epsilon": self.epsilon is not None,
            "--save": self.save,
            "--evaluate": self.evaluate,
            "--events": self.events,
        }
        return [name for name, value in told.items() if value]


def sample(path: str, output: str | None, asked: Asked, reading: Cells, say: Say) -> tuple[Made, dict[str, Any], str]:
    """Draw rows like those of `path`.

    Parameters
    ----------
    path : str
        A model, or a table to fit a synthesizer on.
    output : str or None
    asked, reading : options of the command line
    say : callable
        Told what the user should know.

    Returns
    -------
    made, facts, text
        The rows that are still to be written; what JSON says besides; and what people read of them.

    Raises
    ------
    ValueError
        Naming the file or the option, and what is wrong with it.
    """
    _check_files(path, output, asked)
    if path.endswith(models.ENDING):
        model = _opened(path, asked)
    else:
        results.check(output, "table", path, path)
        model = _unfitted(asked)
        X = _read(path, reading, asked, say)
        models.quietly(_foreseen, X, asked, about=path)
        X, held = (X, None) if asked.evaluate is None else _halves(X, path, asked.seed)
        models.quietly(_fit, model, X, about=path)
        if model.autoencoder_.stopped_ == "interrupted":
            raise KeyboardInterrupt
        if asked.save is not None:
            model.save(asked.save)
            say(f"azogue: the synthesizer is in {asked.save}; it holds bounds and categories of the rows")
        if held is not None:
            models.quietly(_judge, model, X, held, asked, about=path)
            say(f"azogue: the page is {asked.evaluate}; {len(held):,} rows of {path} were held out for it")
    drawn = models.quietly(drawn_rows, model, asked, about=path)
    if path.endswith(models.ENDING):
        results.check(output, way_of(drawn), path, path)
    guarantee = getattr(model, "guarantee_", None)
    facts = {
        "kind": "synthetic",
        "method": getattr(model, "method_", "decoded"),
        "where": list(asked.where),
        "guarantee": None if guarantee is None else guarantee.statement(),
    }
    text = "" if guarantee is None else f"azogue: {guarantee.statement()}"
    return Made(way_of(drawn), drawn, len(drawn), path), facts, text


def rows_of(made: Made) -> dict[str, Any]:
    """The rows as JSON values."""
    table = results.as_table(made)
    return {"columns": table.column_names, "rows": models.json_rows(table)}


# -- judging -----------------------------------------------------------------------------------------------------------


def _check_files(path: str, output: str | None, asked: Asked) -> None:
    """Refuse files that could not be written before anything is trained."""
    models.check_ending(asked.save)
    if asked.save is not None:
        tables.check_output(asked.save, path, output, stream=False)
    if asked.target is not None and asked.evaluate is None:
        raise ValueError(f"--target {asked.target}: is for --evaluate FILE")
    if asked.evaluate is not None:
        tables.check_output(asked.evaluate, path, output, asked.save, stream=False)
        reporting.check_ending(asked.evaluate)


def _halves(X: Any, path: str, seed: int | None) -> tuple[Any, Any]:
    """Three quarters of the rows to learn from, and a quarter to judge by."""
    count = len(X) // HELD_OUT
    if count < 2:
        raise ValueError(f"{path}: --evaluate holds out one row of {HELD_OUT}, and there are {len(X)} rows only")
    order = np.random.default_rng(seed or 0).permutation(len(X))
    held, rest = np.sort(order[:count]), np.sort(order[count:])
    return (X.take(rest), X.take(held)) if isinstance(X, pa.Table) else (X[rest], X[held])


def _judge(model: Synthesizer, X: Any, held: Any, asked: Asked) -> None:
    from azogue.report.synthesizing import synthetic_report

    target = None if asked.target is None else label(X, asked.target, "target")
    found = model.evaluate(X, held, target=target, constraints=asked.constraints or None, random_state=asked.seed or 0)
    synthetic_report(found).save(str(asked.evaluate))


# -- the model ---------------------------------------------------------------------------------------------------------


def _opened(path: str, asked: Asked) -> Any:
    model = models.known(path)
    if not isinstance(model, (Synthesizer, Autoencoder)):
        raise ValueError(f"{path}: holds {models.named(model)}; sample takes what azogue sample --save or fit wrote")
    if said := asked.fitting():
        raise ValueError(f"{path} is trained already; leave {', '.join(said)} out")
    if isinstance(model, Autoencoder) and not model.code_.has_prior:
        raise ValueError(
            f"{path}: holds {models.named(model)}, whose code has no prior to draw from; fit --variant variational has "
            "one, and azogue sample learns from the data itself"
        )
    return model


def _unfitted(asked: Asked) -> Synthesizer:
    privacy = None
    if asked.epsilon is not None:
        from azogue.private import Privacy

        privacy = Privacy(asked.epsilon)
    return Synthesizer(
        method=asked.method,
        constraints=asked.constraints,
        privacy=privacy,
        modality=asked.modality(),
        random_state=asked.seed,
        verbose=1,
    )


def _fit(model: Synthesizer, X: Any) -> None:
    try:
        model.fit(X)
    except ImportError as error:  # an extra that is not installed
        raise ValueError(str(error)) from error


def _read(path: str, reading: Cells, asked: Asked, say: Say) -> Any:
    """The table; that the columns of conditions are there is known before anything is trained."""
    if asked.events is not None:
        return _histories(path, reading, asked)
    given = data.read(path, Reading(**vars(reading)), "table")
    if not len(given.X):
        raise ValueError(f"{path}: has no rows")
    if isinstance(given.X, pa.Table):
        models.advised(given, say)
    elif given.X.dtype.kind not in "biufmM":
        raise ValueError(f"{path}: an array of {given.X.dtype} is no table of numbers")
    return given.X


def _histories(path: str, reading: Cells, asked: Asked) -> Any:
    """A long table of events, whose names are text whatever they look like."""
    modality = asked.modality()
    columns = list(modality.columns)
    table = data.cells(path, reading, [modality.event])
    if not isinstance(table, pa.Table):
        raise ValueError(f"{path}: has no column names; --events needs a table with {', '.join(columns)}")
    if absent := [name for name in columns if table.column_names.count(name) != 1]:
        raise ValueError(f"{path}: has no single column {absent[0]!r}; it has {', '.join(table.column_names[:20])}")
    return table.select(columns)


def _foreseen(X: Any, asked: Asked) -> None:
    """Refuse what no row can satisfy, and a target that is not there, before anything is trained."""
    if asked.target is not None:
        label(X, asked.target, "target")
    if asked.where:
        schema = Coded().fit(X)
        conditions(conditions_of(asked, schema), schema)


def conditions_of(asked: Asked, schema: CodedSchema) -> dict[Any, Any]:
    """The conditions, by name, or by position where columns have none."""
    if schema.names is not None:
        return parsed(asked.where, schema.labels)
    found = parsed(asked.where, list(range(1, schema.n_columns + 1)))
    return {name - 1: condition for name, condition in found.items()}


def drawn_rows(model: Any, asked: Asked) -> Any:
    schema: Any = (model.autoencoder_ if isinstance(model, Synthesizer) else model).schema_
    if asked.where and not (isinstance(model, Synthesizer) and isinstance(schema, CodedSchema)):
        raise ValueError("--where is for tables, and models that azogue sample --save wrote")
    if not isinstance(model, Synthesizer):
        return model.sample(max(asked.n, 1), random_state=asked.seed)
    if isinstance(schema, EventsSchema):
        return _long(model.sample(asked.n, random_state=asked.seed), schema)
    if not asked.where:
        return model.sample(asked.n, random_state=asked.seed)
    return model.sample(asked.n, where=conditions_of(asked, schema), random_state=asked.seed)


def _long(drawn: Any, schema: EventsSchema) -> Any:
    """Records as a long table, which files hold."""
    if not isinstance(drawn, list):
        return drawn
    visits = [[[visit] if isinstance(visit, str) else visit for visit in record] for record in drawn]
    return write_histories(visits, Records("pyarrow", None, True), schema.columns)


def way_of(drawn: Any) -> str:
    """How what was drawn can be written."""
    if isinstance(drawn, list):
        return "texts" if drawn and isinstance(drawn[0], str) else "sounds"
    if isinstance(drawn, np.ndarray) and drawn.ndim > 2:
        return results.way_of_pictures(str(drawn.dtype), drawn.shape) if drawn.dtype == np.uint8 else "array"
    return "table"


# -- what is asked for -------------------------------------------------------------------------------------------------


def parsed(texts: tuple[str, ...], names: list[Any]) -> dict[Any, Any]:
    """`("sex=Male", "age>=40", "age<50")` → what `Synthesizer.sample(where=)` takes.

    The longest name that a text begins with is its column, so that names may hold signs themselves.

    Raises
    ------
    ValueError
        For texts that name no column or no sign, in one line.

    Examples
    --------
    >>> parsed(("income=>50K", "age>=40", "age<50", "city=Jaén", "city="), ["age", "income", "city"])
    {'income': ['>50K'], 'city': ['Jaén', None], 'age': '>=40, <50'}
    """
    values: dict[Any, list[Any]] = {}
    bounds: dict[Any, list[str]] = {}
    for text in texts:
        name, sign, value = _split(text, names)
        if sign in ("=", "=="):
            values.setdefault(name, []).append(value if value else None)
        elif not value:
            raise ValueError(f"--where {text!r}: nothing stands behind {sign}")
        else:
            bounds.setdefault(name, []).append(sign + value)
    if both := [name for name in values if name in bounds]:
        raise ValueError(f"--where: {both[0]!r} is given values and bounds; give one of them")
    return {**values, **{name: ", ".join(own) for name, own in bounds.items()}}


def _split(text: str, names: list[Any]) -> tuple[Any, str, str]:
    for name in sorted(names, key=lambda name: -len(str(name))):
        if text.startswith(str(name)) and (found := _SIGN.fullmatch(text[len(str(name)) :])):
            return name, found[1], found[2].strip()
    shown = ", ".join(map(str, names[:20])) + ", …" * (len(names) > 20)
    if _SIGN.search(text) is None:
        raise ValueError(f"--where {text!r}: expected COLUMN=VALUE or COLUMN>=NUMBER; the columns are {shown}")
    raise ValueError(f"--where {text!r}: begins with no column; there are {shown}")
