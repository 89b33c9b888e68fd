"""`azogue evolve`: search within a budget, show the best so far while it goes on, write the winner and a report."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from azogue.cli import data as sources
from azogue.cli import models, reporting, tables
from azogue.cli.results import Say
from azogue.disk import check_place
from azogue.report.searching import search_report
from azogue.search import ArchitectureSearch

if TYPE_CHECKING:
    from azogue.cli.evolving import Evolving
    from azogue.cli.options import Reading, Training


def evolve(
    path: str, output: str, asked: Evolving, training: Training, reading: Reading, say: Say
) -> tuple[dict[str, Any], str, bool]:
    """Search for the autoencoder of some data.

    Returns
    -------
    facts, text, interrupted
        What JSON says, what people read, and whether the keyboard ended the search.

    Raises
    ------
    ValueError
        Naming the file or the option, and what is wrong with it.
    """
    tables.check_output(output, path, asked.report, stream=False)
    models.check_ending(output)
    reporting.check_ending(asked.report)
    for place in (output, asked.report):
        if place is not None:
            check_place(place)
    if training.network != "auto":
        raise ValueError("--network: the search is for it; narrow it by --gene code=2:8 or --gene layers=1")
    given = sources.for_fit(path, reading, training)
    models.advised(given, say)
    base = models.unfitted(training, given).set_params(verbose=0)
    with live() as told:
        search = ArchitectureSearch(
            asked.strategy,
            space=genes(asked.gene or []),
            budget=asked.budget,
            alpha=asked.alpha,
            autoencoder=base.set_params(random_state=None),
            n_jobs=asked.jobs,
            cache=asked.cache,
            callbacks=told,
            random_state=training.seed,
        )
        models.quietly(search.fit, given.X, about=path)
    search.best_estimator_.save(output)
    if asked.report is not None:
        search_report(search).save(asked.report)
    facts = found(search, output)
    return facts, _text(facts), search.stopped_ == "interrupted"


def genes(given: list[str]) -> dict[str, Any]:
    """`kind=basic,robust`, `code=2:8` → what `space=` takes.

    Examples
    --------
    >>> genes(["kind=basic,robust", "code=2:8", "tied=true", "normalization=none"])
    {'kind': ['basic', 'robust'], 'code': (2, 8), 'tied': [True], 'normalization': [None]}
    """
    space: dict[str, Any] = {}
    for text in given:
        name, equals, values = text.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"--gene: expected NAME=VALUES such as code=2:8 or kind=basic,robust, got {text!r}")
        ends = [_value(part) for part in values.split(":")]
        space[name.strip()] = tuple(ends) if len(ends) == 2 else [_value(part) for part in values.split(",") if part]
    return space


def _value(text: str) -> Any:
    """A number, true, false, none, or the text itself."""
    word = text.strip()
    if word.lower() in ("true", "false", "none", "null"):
        return {"true": True, "false": False}.get(word.lower())
    try:
        value = json.loads(word)
    except ValueError:
        return word
    return value if isinstance(value, (int, float)) else word


def found(search: ArchitectureSearch, output: str) -> dict[str, Any]:
    """What a search found, as JSON values."""
    results, at = search.results_, search.best_index_
    return {
        "model": output,
        "strategy": search.strategy,
        "candidates": len(results["fitness"]),
        "failed": int((results["fitness"] == float("inf")).sum()),
        "validation_error": float(results["error"][at]),
        "test_error": search.test_error_,
        "complexity": float(results["complexity"][at]),
        "params": json.loads(json.dumps(search.best_params_)),
        "stopped": search.stopped_,
    }


def _text(facts: dict[str, Any]) -> str:
    shown = ", ".join(f"{name} {value}" for name, value in facts["params"].items())
    return (
        f"{facts['model']}: the best of {facts['candidates']:,} candidates ({facts['stopped']}), test error "
        f"{facts['test_error']:.4g} of the variance\n{shown}"
    )


@contextmanager
def live() -> Iterator[list[Callable[[dict[str, Any]], None]]]:
    """A table of the best on standard error where that is a terminal; else nothing."""
    if not sys.stderr.isatty():
        yield []
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), transient=True, refresh_per_second=4) as screen:
        yield [lambda record: screen.update(best_so_far(record))]


def best_so_far(record: dict[str, Any]) -> Any:
    """The best of a search as a table for terminals."""
    from rich.table import Table

    shown = Table("candidates", "s", "best fitness", "error", "kind", "hidden", "code", "activations")
    genome = record["genome"] or {}
    numbers = ["" if record[name] is None else f"{record[name]:.4g}" for name in ("best", "error")]
    names = ("kind", "units", "code", "activations")
    genes_ = [_told(genome.get(name, "")) for name in names]
    shown.add_row(f"{record['candidates']:,}", f"{record['seconds']:.0f}", *numbers, *genes_)
    return shown


def _told(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
