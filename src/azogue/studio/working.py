"""What requests ask of a session: take data in, describe them, run a use, draw rows, hand results over."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue import screening
from azogue.applications import Synthesizer
from azogue.applications.merging import gaps
from azogue.cli import data, models, results, samples, tables
from azogue.cli.data import Given
from azogue.cli.options import Reading, parse_size
from azogue.report import report
from azogue.report.looking import groups_of
from azogue.shortcuts import load
from azogue.studio import commands
from azogue.studio.commands import Done
from azogue.studio.exploring import COLUMNS, Explorer, as_rows, table_rows
from azogue.studio.fields import checked
from azogue.studio.state import Busy, Job, Session
from azogue.studio.uses import BY_NAME, USES, Place, use_of

#: Rows of the data that are shown, and rows that are drawn at most.
FIRST, MOST_DRAWN = 8, 100_000
#: Uses that give the same rows back, changed.
CHANGING = ("denoise", "impute", "anonymize")
#: Uses whose models a report is made of at once; an anonymizer's would attack the rows first.
REPORTED = ("reduce", "detect", "denoise", "impute", "hash")


def idle(session: Session) -> None:
    """Refuse what cannot be done while something is trained."""
    if session.busy:
        raise Busy("something is trained in this tab; stop it first")


# -- data and models ---------------------------------------------------------------------------------------------------


def take_data(session: Session, path: str, reading: Reading | None = None) -> None:
    """Read data; what was made of others is dropped.

    Raises
    ------
    ValueError
        In one line, for what cannot be read.
    """
    idle(session)
    reading = reading or Reading()
    if session.model is not None:
        given = data.for_model(path, reading, models.schema_of(session.model))
    else:
        given = data.read(path, reading, None)
    if given.kind not in ("table", "image"):
        raise ValueError(f"{path}: the studio takes tables and pictures; for {data.ROWS[given.kind]} use azogue fit")
    if not len(given.X):
        raise ValueError(f"{path}: has no rows")
    session.forget()
    session.path, session.given, session.reading = path, given, reading


def take_model(session: Session, path: str) -> None:
    """Open a model; data that are there already stay if they suit it."""
    idle(session)
    model = load(path)
    if use_of(model) is None:
        raise ValueError(f"{path}: holds {models.named(model)}, which the studio does not know")
    known, reading = session.path, session.reading
    session.forget()
    session.model_path, session.model = path, model
    session.path = session.given = None
    session.use = getattr(use_of(model), "name", "")
    if known is not None:
        take_data(session, known, reading)
    else:
        _without_data(session)


def _without_data(session: Session) -> None:
    """A model alone: its code, and rows that it draws."""
    if not groups_of(session.model):
        session.explorer = Explorer(session.model, None)
    if draws(session.model):
        options = {"rows": 100, "seed": 0, "judge": False}
        session.done = Done("synthesise", None, Path(session.model_path or "").name, options)


def draws(model: Any) -> bool:
    """Whether a model draws rows."""
    return isinstance(model, Synthesizer) or bool(getattr(getattr(model, "code_", None), "has_prior", False))


def described(session: Session) -> dict[str, Any]:
    """All that the page has to know of a tab."""
    return {
        "data": None if session.given is None else _data(session, session.given),
        "model": None if session.model is None else _model(session),
        "uses": _uses(session),
        "use": session.use,
        "job": None if session.job is None else session.job.snapshot(),
        "made": made(session),
    }


def _data(session: Session, given: Given) -> dict[str, Any]:
    name = Path(given.path).name
    found: dict[str, Any] = {"name": name, "kind": given.kind, "rows": len(given.X), "form": given.form}
    reading = session.reading
    found["reading"] = {"drop": reading.drop or [], "missing": reading.missing or "", "header": reading.header}
    table = as_rows(given.X) if given.kind == "table" else None
    if table is not None:
        holes = gaps(given.X).sum(axis=0)
        told = zip(table.schema, holes, strict=True)
        found["columns"] = [{"name": f.name, "kind": _kind(f.type), "missing": int(n)} for f, n in told]
        found["first"] = {"columns": table.column_names[:COLUMNS], "rows": table_rows(table.slice(0, FIRST))}
    return found


def _kind(type_: pa.DataType) -> str:
    if pa.types.is_boolean(type_):
        return "yes or no"
    if pa.types.is_temporal(type_):
        return "date"
    return "number" if pa.types.is_integer(type_) or pa.types.is_floating(type_) else "text"


def _model(session: Session) -> dict[str, Any]:
    use = use_of(session.model)
    facts = models.facts(str(session.model_path))
    facts["file"] = Path(str(session.model_path)).name
    shown = {name: str(value) for name, value in facts.items() if value is not None}
    return {"name": facts["file"], "use": use.name if use else "", "facts": shown}


def _uses(session: Session) -> list[dict[str, Any]]:
    """The uses, each with its form, or why it is not for the data."""
    given = session.given
    if given is None:
        return []
    own = None if session.model is None else use_of(session.model)
    found = []
    for use in USES:
        if own is not None and use is not own:
            continue
        fields = [field.to_dict() for field in use.fields if field.asked_of(given.kind)]
        if own is not None and use.name not in ("impute", "synthesise"):
            fields = [field for field in fields if field["name"] in ("audit",)]
        refusal = use.refusal(given)
        found.append({"name": use.name, "label": use.label, "text": use.text, "refusal": refusal, "fields": fields})
    return found


def made(session: Session) -> dict[str, Any] | None:
    """What there is to see and to take away."""
    explorer, outcome = session.explorer, session.outcome
    if explorer is None:
        return None
    views = explorer.views()
    if outcome is not None and session.use in CHANGING:
        views.append("compare")
    if draws(session.model if outcome is None else outcome.model):
        views.append("draw")
    found: dict[str, Any] = {"views": views, "downloads": downloads(session)}
    if outcome is not None:
        found |= {"lines": [session.clean(line) for line in outcome.lines], "table": outcome.table}
    if session.done is not None:
        found["commands"] = {"shell": commands.shell(session.done), "python": commands.python(session.done)}
    return found


# -- running -----------------------------------------------------------------------------------------------------------


def begin(session: Session, name: Any, options: dict[str, Any]) -> Job:
    """Start a use on the data in a thread.

    Raises
    ------
    ValueError
        For a use or options that make no sense.
    """
    idle(session)
    use, given = BY_NAME.get(str(name)), session.given
    if use is None or given is None or session.path is None:
        raise ValueError("give data first, then choose a use")
    if refusal := use.refusal(given):
        raise ValueError(f"{use.label}: {refusal}")
    if session.model is not None and use is not use_of(session.model):
        raise ValueError(f"the model is for something else than {use.label.lower()}")
    table = as_rows(given.X) if given.kind == "table" else None
    values = checked(use.fields, options, given.kind, [] if table is None else table.column_names)
    if values.get("size"):
        parse_size(values["size"])
    session.forget()
    session.use = use.name
    fresh = session.model is None
    folder = session.place("made")
    path, new = (session.path, None) if fresh else (str(session.model_path), session.path)
    at = Place(path, new, folder, session.reading)

    def work(say: Any) -> None:
        outcome = use.run(at, values, say)
        explorer = Explorer(outcome.model, given, values.get("size") or "") if outcome.model is not None else None
        with session.lock:
            session.outcome, session.explorer = outcome, explorer
            session.done = _done(session, given, values, outcome.model, outcome.result)

    session.job = Job(work, session.clean, folder)
    session.job.start()
    return session.job


def _done(session: Session, given: Given, values: dict[str, Any], model: Any, result: str) -> Done:
    kept: tuple[str, ...] = ()
    if session.use == "impute" and isinstance(given.X, pa.Table):
        kept = commands.columns_apart(given.X.column_names, models.known_columns(model))
    return Done(
        session.use,
        _called(session, given),
        None if session.model is None else Path(str(session.model_path)).name,
        values,
        session.reading,
        given.kind,
        given.form,
        *_written(given),
        kept,
        result=result,
    )


def _called(session: Session, given: Given) -> str:
    """What scripts call the data: an upload by its name, a file of the user's as the user wrote it."""
    return given.path if session.folder not in Path(given.path).parents else Path(given.path).name


def _written(given: Given) -> tuple[str, str]:
    """What stands between the fields of a file, and before decimals."""
    if given.kind != "table" or not given.path.lower().endswith((".csv", ".tsv", ".txt", ".gz")):
        return ",", "."
    with pa.input_stream(given.path, compression="detect") as stream:
        head = stream.read(2**20).lstrip(b"\r\n")
    mark = tables.delimiter(head.split(b"\n", 1)[0].decode("utf-8-sig", "replace"))
    return mark, screening.decimal_point(head, mark)


def draw(session: Session, rows: Any, where: Any, seed: Any) -> results.Made:
    """Rows of a fitted model, under conditions.

    Raises
    ------
    ValueError
        For conditions that make no sense or that no row satisfies.
    """
    idle(session)
    model = session.outcome.model if session.outcome is not None else session.model
    if not draws(model):
        raise ValueError("this model draws no rows")
    if not isinstance(where, list) or not all(isinstance(text, str) and len(text) < 1000 for text in where[:100]):
        raise ValueError("expected a list of conditions")
    whole = all(isinstance(value, int) and not isinstance(value, bool) for value in (rows, seed))
    if not whole or not 1 <= rows <= MOST_DRAWN or not 0 <= seed < 2**31:
        raise ValueError(f"rows: expected a whole number from 1 to {MOST_DRAWN:,}, and a seed of at least 0")
    asked = samples.Asked(rows, tuple(where), seed=seed)
    values = samples.drawn_rows(model, asked)
    made = results.Made(samples.way_of(values), values, len(values), "")
    folder = session.place("drawn")
    name = "drawn.csv" if made.way == "table" else "drawn.npy"
    results.write(made, str(folder / name), lambda _: None)
    with session.lock:
        session.drawn = (folder, name)
        if session.done is not None:
            schema: Any = (model.autoencoder_ if isinstance(model, Synthesizer) else model).schema_
            told = samples.conditions_of(asked, schema) if where else {}
            options = {**session.done.options, "rows": rows, "where": told, "seed": seed}
            if session.done.use == "synthesise":
                session.done = replace(session.done, options=options, where=asked.where, result=name)
    return made


# -- taking away -------------------------------------------------------------------------------------------------------


def downloads(session: Session) -> dict[str, str]:
    """What can be taken away: its name → what it is."""
    found: dict[str, str] = {}
    outcome = session.outcome
    if outcome is not None and session.job is not None:
        folder = session.job.folder
        name = outcome.result
        found[f"{name}.zip" if (folder / name).is_dir() else name] = "The result"
        known = {"model.azogue": "The model", "index.azogue": "The model, with the codes"}
        found |= {file: what for file, what in known.items() if (folder / file).exists()}
        found |= outcome.pages
        if session.use in REPORTED:
            found["report.html"] = "A page on the model and the data"
    if session.drawn is not None:
        found[session.drawn[1]] = "The rows drawn last"
    if session.done is not None:
        found |= {"again.sh": "The commands", "again.py": "The program"}
    return found


def content(session: Session, name: str) -> bytes:
    """What is taken away.

    Raises
    ------
    ValueError
        For a name that is not on offer.
    """
    if name not in downloads(session):
        raise ValueError("there is nothing of this name to download")
    if name in ("again.sh", "again.py") and session.done is not None:
        return (commands.shell if name.endswith("sh") else commands.python)(session.done).encode()
    if session.drawn is not None and name == session.drawn[1]:
        return (session.drawn[0] / name).read_bytes()
    if session.job is None or session.outcome is None:
        raise ValueError("there is nothing of this name to download")
    folder = session.job.folder
    if name == "report.html" and session.explorer is not None:
        return report(session.outcome.model, session.explorer.X).html().encode()
    if name.endswith(".zip"):
        return _zipped(folder / name.removesuffix(".zip"))
    return (folder / name).read_bytes()


def _zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(folder.parent))
    return buffer.getvalue()


def scores_of(session: Session) -> np.ndarray | None:
    """The scores of the data's rows, where a detector gave some."""
    made = session.outcome.made if session.outcome is not None else None
    if made is None or session.use != "detect":
        return None
    return np.asarray(made.values.column("score").to_numpy())
