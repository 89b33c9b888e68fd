"""`azogue evaluate`: judge a synthetic table beside the real rows that it was made from and others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from azogue.cli.guarding import guarded, taking
from azogue.cli.options import Cells, Json, emit, say

#: How what is wrong begins.
ABOUT = "evaluate_synthetic"


@dataclass(frozen=True)
class Judging:
    """What is asked of a synthetic table."""

    target: Annotated[
        str | None,
        typer.Option(
            help="A column that synthetic rows should teach to tell; of a .npy or .npz file, its number from 1."
        ),
    ] = None
    sensitive: Annotated[
        list[str] | None,
        typer.Option("--sensitive", help="A column that attackers infer, named in the same way; may be repeated."),
    ] = None
    constraint: Annotated[
        list[str] | None,
        typer.Option("--constraint", help="A rule that rows must obey, such as 'start <= end'; may be repeated."),
    ] = None
    report: Annotated[
        str | None, typer.Option(metavar="FILE", help="Page to write (.html, .json, .md): all of it, with a picture.")
    ] = None
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0


@guarded
@taking(asked=Judging, reading=Cells)
def evaluate(
    real_train: Annotated[str, typer.Argument(metavar="REAL_TRAIN", help="Rows that the synthesizer learned from.")],
    real_test: Annotated[str, typer.Argument(metavar="REAL_TEST", help="Real rows that it did not see.")],
    synthetic: Annotated[str, typer.Argument(metavar="SYNTHETIC", help="What it made.")],
    json_: Json = False,
    *,
    asked: Judging,
    reading: Cells,
) -> None:
    """Judge SYNTHETIC rows: how like real ones, what they teach, and what they give away of REAL_TRAIN."""
    from azogue.cli import models, reporting
    from azogue.report.synthesizing import synthetic_report
    from azogue.synthetic import evaluate_synthetic

    paths = real_train, real_test, synthetic
    reporting.check(asked.report, *paths)
    given = _read(paths, reading)
    options: dict[str, Any] = {
        "target": None if asked.target is None else label(given[0], asked.target, "target"),
        "sensitive": [label(given[0], name, "sensitive") for name in asked.sensitive] if asked.sensitive else None,
        "constraints": asked.constraint or None,
        "random_state": asked.seed,
    }
    try:
        found = models.quietly(lambda: evaluate_synthetic(*given, **options), about=ABOUT)
    except ValueError as error:
        raise ValueError(_spelled(str(error), paths)) from error
    if asked.report is not None:
        synthetic_report(found).save(asked.report)
        if not json_:
            say(f"azogue: the page is {asked.report}")
    emit(found.to_dict(), json_, found.text())


def _spelled(text: str, paths: tuple[str, str, str]) -> str:
    """What is wrong, in terms of files."""
    from azogue.synthetic.tables import TABLES

    text = re.sub("^constraint ", "--constraint ", text.removeprefix(f"{ABOUT}: "))
    for name, path in zip(TABLES, paths, strict=True):
        text = re.sub(rf"(?<!['\w]){name}(?!['\w])", path.replace("\\", r"\\"), text)
    return text


def _read(paths: tuple[str, str, str], reading: Cells) -> list[Any]:
    """The three tables; a column that is text in the first one, or in a typed file of real rows, is text in all."""
    import pyarrow as pa

    from azogue.cli import data
    from azogue.cli.tables import DataFileError
    from azogue.modalities.dtypes import family

    if paths.count("-") > 1:
        raise ValueError("-: standard input holds one table; give files for the others")
    found: dict[int, Any] = {}
    texts: list[str] = []
    for at in sorted(range(3), key=lambda at: (not paths[at].endswith(".parquet"), at)):
        path = paths[at]
        if path != "-" and data.form_of(path) in ("folder", "sound", "picture"):
            raise DataFileError(f"{path}: evaluate takes tables; {data.WANTED['table']}")
        table = found[at] = data.cells(path, reading, texts)
        if not len(table):
            raise DataFileError(f"{path}: has no rows")
        if isinstance(table, pa.Table) and (at == 0 or (at == 1 and path.endswith(".parquet"))):
            texts += [item.name for item in table.schema if family(item.type) == "categorical"]
    named = [path for at, path in enumerate(paths) if isinstance(found[at], pa.Table)]
    if named and len(named) < len(paths):
        bare = next(path for path in paths if path not in named)
        raise DataFileError(f"{bare}: its columns have no names, and those of {named[0]} have; give files of one kind")
    return [found[at] for at in range(len(paths))]


def label(table: Any, name: str, option: str) -> Any:
    """A column by its name, or of an array by its number from 1."""
    import pyarrow as pa

    if isinstance(table, pa.Table):
        if name not in table.column_names:
            shown = ", ".join(table.column_names[:20])
            raise ValueError(f"--{option} {name}: there is no such column; there are {shown}")
        return name
    width = table.shape[-1]
    if not name.isdigit() or not 1 <= int(name) <= width:
        raise ValueError(f"--{option}: expected a column's number from 1 to {width}, got {name!r}")
    return int(name) - 1
