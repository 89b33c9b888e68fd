"""`azogue hash` and `azogue find`: codes of rows, indexes of codes, and who is near whom in them."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue import files
from azogue.applications import SemanticHasher
from azogue.cli import data, models, reporting, results, tables
from azogue.cli.data import Given
from azogue.cli.results import Made, Say
from azogue.hamming import HammingIndex
from azogue.shortcuts import load

if TYPE_CHECKING:
    from azogue.cli.options import Hashing, Reading, Training

#: Letters of a text and cells of a row that are shown.
LETTERS, CELLS = 80, 8
#: The remedy where a file is no index.
MAKE = f"make an index by azogue hash DATA -o INDEX{models.ENDING}"


def hash_rows(
    path: str, new: str | None, output: str, asked: Hashing, training: Training, reading: Reading, say: Say
) -> tuple[dict[str, Any], str]:
    """Code rows and write codes or an index; the facts for JSON, and a text for people.

    Raises
    ------
    ValueError
        Naming the file or the option and what is wrong with it.
    """
    reporting.check(asked.report, path, new, output)
    indexed = output.endswith(models.ENDING)
    array = output.endswith((".npy", ".npz"))
    if indexed:
        tables.check_output(output, path, new, stream=False)
    else:
        results.check(output, "array" if array else "table", new or path, path, new)
    hasher, given, labels = (_opened if path.endswith(models.ENDING) else _fitted)(
        path, new, asked, training, reading, say
    )
    codes = hasher.codes_ if new is None else models.quietly(hasher.transform, given.X, about=given.path)
    index = HammingIndex(hasher.n_bits).add(codes)
    if indexed:
        hasher.codes_ = codes
        hasher.save(output)
    else:
        values = codes if array else pa.table({"code": [code.tobytes().hex() for code in codes]})
        results.write(Made("array" if array else "table", values, len(codes), given.path), output, say)
    texts = given.X if given.kind == "text" and not isinstance(given.X, str) else None
    told = index.buckets(asked.groups or 0, labels=labels, texts=None if asked.groups is None else texts, most=20)
    facts = {
        "output": output,
        "rows": told.rows,
        "bits": hasher.n_bits,
        "different": told.distinct,
        "collision": told.collision,
        "balance": told.balance,
    }
    reporting.write(asked.report, hasher, given, say)
    text = f"{output}: {told.rows:,} codes of {hasher.n_bits} bits, {told.distinct:,} different, from {given.path}"
    if asked.groups is not None:
        named = [vars(group) | {"members": list(group.members)} for group in told.groups]
        facts["groups"] = named
        text += "\n" + "\n".join(str(told).split("\n")[1:])
    return facts, text


def _opened(
    path: str, new: str | None, asked: Hashing, training: Training, reading: Reading, say: Say
) -> tuple[SemanticHasher, Given, None]:
    """A saved hasher, and the rows that it is to code."""
    models.check_order(path, new)
    if said := [*asked.given(), *training.given()]:
        raise ValueError(f"{path} is trained already; leave {', '.join(said)} out")
    hasher = models.known(path)
    if not isinstance(hasher, SemanticHasher):
        raise ValueError(f"{path}: holds {models.named(hasher)}, which makes no binary codes; {MAKE}")
    given = data.for_model(str(new), reading, models.schema_of(hasher), streaming=True)
    return hasher, given.having(models.matched(given.X, models.known_columns(hasher), say)), None


def _fitted(
    path: str, new: str | None, asked: Hashing, training: Training, reading: Reading, say: Say
) -> tuple[SemanticHasher, Given, Any]:
    """A hasher of the rows, the rows, and their labels."""
    if new is not None:
        raise ValueError(f"{path} is no index (*{models.ENDING}); give one file to hash, or an index and data")
    given = data.for_fit(path, reading, training)
    labels, X = (None, given.X) if asked.labels is None else _apart(given, asked.labels, reading)
    given = given.having(X)
    models.advised(given, say)
    own = training.variant != "basic" or training.network != "auto" or training.epochs != 100
    hasher = SemanticHasher(
        asked.bits,
        autoencoder=models.unfitted(training, given) if own else None,
        supervision="none" if labels is None else "labels",
        modality=data.modality(given, training),
        scaling=training.scaling if given.kind == "table" else "auto",
        random_state=training.seed,
        verbose=1,
    )
    models.quietly(hasher.fit, given.X, labels, about=path)
    if hasher.autoencoder_.stopped_ == "interrupted":
        raise KeyboardInterrupt
    return hasher, given, labels


def _apart(given: Given, name: str, reading: Reading) -> tuple[Any, Any]:
    """The column of labels, and the rows without it."""
    if given.kind == "text" and given.form in ("lines", "table") and given.columns is not None:
        table = data.cells(given.path, reading, [name, *given.columns])
        rows = given.X
    elif given.kind == "table" and isinstance(given.X, pa.Table):
        table, rows = given.X, None
    elif given.kind == "table":
        at = int(name) - 1 if name.isdecimal() else -1
        if not 0 <= at < given.X.shape[1]:
            raise ValueError(f"{given.path}: --labels: has columns 1 to {given.X.shape[1]}, no {name!r}")
        return given.X[:, at], np.delete(given.X, at, axis=1)
    else:
        raise ValueError(f"{given.path}: --labels names a column of a table, but these data are {given.kind}")
    if table.column_names.count(name) != 1:
        shown = ", ".join(table.column_names[:20])
        raise ValueError(f"{given.path}: --labels: has no column {name!r}; it has {shown}")
    labels = np.array([str(value) for value in table.column(name).to_pylist()])
    rows = table.drop_columns([name]) if rows is None else rows
    return labels, rows


# -- find --------------------------------------------------------------------------------------------------------------


def find(
    path: str, query: str, k: int, radius: int | None, show: str | None, output: str | None, reading: Reading
) -> tuple[dict[str, Any], Made | None, str]:
    """Neighbours of the rows of a query; the facts for JSON, what was made where nothing was written, and its text.

    Raises
    ------
    ValueError
        Naming the file and what is wrong with it.
    """
    results.check(output, "table", path, path, show)
    model, index = _index(path)
    codes = _codes(model, index, path, query, reading)
    if radius is None:
        far, where = models.quietly(index.query, codes, k, about=path)
        found = list(zip(far, where, strict=True))
    else:
        found = models.quietly(index.radius, codes, radius, about=path)
    shown = _shown(model, index, show, reading)
    columns: dict[str, list[Any]] = {"query": [], "row": [], "distance": []}
    for number, (bits, rows) in enumerate(found):
        columns["query"] += [number] * len(rows)
        columns["row"] += [int(row) for row in rows]
        columns["distance"] += [int(bit) for bit in bits]
    if shown is not None:
        columns["shown"] = [shown(row) for row in columns["row"]]
    table = pa.table(columns)
    made = Made("table", table, len(table), path)
    facts = {"index": path, "bits": index.n_bits, "columns": table.column_names, "rows": models.json_rows(table)}
    if output not in (None, "-"):
        results.write(made, output, print)
        return facts, made, f"{output}: {len(table):,} neighbours of {len(codes):,} rows, from {path}"
    lines = [f"{'query':>5}  {'row':>7}  {'bits':>4}" + ("" if shown is None else "  shown")]
    for row in table.to_pylist():
        line = f"{row['query']:>5}  {row['row']:>7}  {row['distance']:>4}"
        lines.append(line if shown is None else f"{line}  {row['shown']}")
    return facts, made, "\n".join(lines)


def _index(path: str) -> tuple[SemanticHasher | None, HammingIndex]:
    """The hasher of a file, if it holds one, and the codes."""
    if not path.endswith(models.ENDING):
        raise ValueError(f"{path}: an index ends in {models.ENDING}; {MAKE}")
    if "estimator" not in files.peek(path):
        return None, HammingIndex.load(path, mmap=True)
    model = load(path)
    if not isinstance(model, SemanticHasher):
        raise ValueError(f"{path}: holds {models.named(model)}, in which nothing is looked up; {MAKE}")
    return model, model.index()


def _codes(model: SemanticHasher | None, index: HammingIndex, path: str, query: str, reading: Reading) -> Any:
    """The packed codes of a query: of a file, a text, or a row."""
    place = Path(query)
    there = len(query) < 4096 and (query == "-" or place.exists())
    if model is None:
        if not there:
            raise ValueError(f"{path} holds codes alone, without a model: QUERY must be a file of codes (.npy)")
        codes = tables.read_table(query)
        if not isinstance(codes, np.ndarray) or codes.dtype != np.uint8:
            raise ValueError(f"{query}: expected packed codes of dtype uint8 in a .npy file, since {path} has no model")
        return codes
    schema = models.schema_of(model)
    kind = schema.to_dict()["modality"]
    if there:
        given = data.for_model(query, reading, schema)
    elif kind == "text":
        given = Given("the query", "lines", "text", [query])
    elif kind == "table" and not data.form_of(query):
        given = _row(query, reading, schema)
    else:
        raise ValueError(f"{query}: no such file; QUERY must be one, since {path} holds codes of {data.ROWS[kind]}")
    X = models.matched(given.X, models.known_columns(model), print)
    return models.quietly(model.transform, X, about=given.path)


def _row(query: str, reading: Reading, schema: Any) -> Given:
    """A row that is spelled out, its cells with commas, as a table."""
    names = [column["name"] for column in schema.describe()]
    cells = next(csv.reader([query]), [])
    if len(cells) != len(names):
        raise ValueError(
            f"the query {query!r} is no file, and as a row it has {len(cells)} cells where the index has {len(names)} "
            f"columns: {', '.join(map(str, names[:20]))}"
        )
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "query.csv"
        with place.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([[str(name) for name in names], cells])
        given = data.for_model(str(place), reading, schema)
    plain = all(isinstance(name, str) for name in names)
    return Given("the query", "lines", "table", given.X if plain else tables.as_array(given.X))


def _shown(model: Any, index: HammingIndex, show: str | None, reading: Reading) -> Any:
    """A function from a row's number to what is shown of it, None where nothing is."""
    if show is None:
        return None
    kind = "table" if model is None else models.schema_of(model).to_dict()["modality"]
    given = data.read(show, reading, kind, True)
    if given.files is not None and given.form == "folder":
        rows: Any = list(given.files)
    elif isinstance(given.X, pa.Table):
        rows = [", ".join(str(value) for value in list(row.values())[:CELLS]) for row in given.X.to_pylist()]
    else:
        rows = [str(item) for item in given.X]
    if len(rows) != len(index):
        raise ValueError(
            f"--show {show}: has {len(rows)} rows, but the index {len(index)}; give the data that were hashed"
        )
    return lambda at: " ".join(str(rows[at]).split())[:LETTERS]
