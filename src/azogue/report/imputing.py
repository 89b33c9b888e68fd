"""The report of an imputation: what was filled, how sure it is, and observed cells that were hidden and drawn again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue.applications.merging import gaps
from azogue.modalities.dtypes import TEMPORAL, value_family
from azogue.modalities.frames import column_names
from azogue.modalities.reading import read

if TYPE_CHECKING:
    from azogue.applications import Imputer
    from azogue.report import Report

Section = dict[str, Any]

#: Below this skill, a column is guessed no better than by its mean; rows from which skill is honest.
NONE, ENOUGH = 0.02, 40


def filled_columns(imputer: Imputer, X: Any, filled: Any = None) -> list[dict[str, Any]]:
    """What is filled of each column that lacks cells.

    Parameters
    ----------
    imputer : Imputer
        Fitted.
    X : table, shape (n, columns)
    filled : table, optional
        What `transform` gives, if it is there already.

    Returns
    -------
    list of dict
        `column`, `kind` ("number" or "category"), `missing`, `filled`, `left` (cells that stay empty), `skill` (see
        `Imputer.skill_`; None where it is not known), `guessed` (whether that is no better than the mean), `spread`
        (median predictive standard deviation, in the column's units), `share` (of the column's own standard
        deviation), `probability` (mean, of the filled category) and `sure`, the same as text.
    """
    holes, names = gaps(X), column_names(X, np.shape(X)[1])
    told = imputer.distribution(X)
    after = gaps(imputer.transform(X) if filled is None else filled)
    source, found = read(X), []
    honest = len(imputer.members_) > 1
    for at in np.flatnonzero(holes.any(axis=0)):
        mine = told["column"] == at
        array = source.column(int(at)).array
        number = value_family(array.type) in ("numeric", *TEMPORAL)
        skill = float(imputer.skill_[at]) if honest else float("nan")
        line: dict[str, Any] = {
            "column": names[at],
            "kind": "number" if number else "category",
            "missing": int(holes[:, at].sum()),
            "filled": int((holes[:, at] & ~after[:, at]).sum()),
            "left": int(after[:, at].sum()),
            "skill": skill if np.isfinite(skill) else None,
            "guessed": bool(skill < NONE),
            "spread": _middle(told["spread"][mine]),
            "probability": _mean(told["probability"][mine]),
        }
        line["share"] = _share(line["spread"], array) if number and value_family(array.type) == "numeric" else None
        line["sure"] = _sure(line, value_family(array.type) in TEMPORAL)
        found.append(line)
    return found


def _middle(values: Any) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _mean(values: Any) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.mean(known)) if len(known) else None


def _share(spread: float | None, array: pa.Array) -> float | None:
    """A spread as a part of the standard deviation of the observed cells."""
    own = np.asarray(array.drop_null().to_numpy(zero_copy_only=False), np.float64)
    usual = float(own.std()) if len(own) else 0.0
    return None if spread is None or usual == 0 else spread / usual


def _sure(line: dict[str, Any], days: bool) -> str:
    if line["probability"] is not None:
        return f"{line['probability']:.0%} sure on average"
    if line["spread"] is None:
        return "not known"
    part = "" if line["share"] is None else f", {line['share']:.0%} of the column's spread"
    return f"± {line['spread']:.3g}{' days' * days}{part}"


def imputing_section(imputer: Imputer, X: Any, columns: list[dict[str, Any]] | None = None) -> Section:
    """What was filled, and how sure it is."""
    columns = filled_columns(imputer, X) if columns is None else columns
    rows = len(gaps(X))
    lines = [
        [
            line["column"],
            line["filled"],
            f"{line['filled'] / rows:.1%}",
            "not known" if line["skill"] is None else f"{max(line['skill'], 0.0):.0%}",
            line["sure"],
            "no better than its mean or most frequent value" if line["guessed"] else "",
        ]
        for line in columns
    ]
    filled, some = sum(line["filled"] for line in columns), sum(line["filled"] > 0 for line in columns)
    return {
        "title": "Missing cells",
        "text": f"{filled:,} cell{'s' * (filled != 1)} of {some} column{'s' * (some != 1)} filled. Told: how much of "
        "the squared error of the mean, or of the errors of the most frequent value, is gone, in rows that the "
        "networks did not see.",
        "table": {"columns": ["column", "filled", "of rows", "told", "how sure", ""], "rows": lines},
    }


def missing_section(model: Any, X: Any) -> Section | None:
    """What an imputer fills of rows, where they lack cells."""
    from azogue.applications import Imputer

    return imputing_section(model, X) if isinstance(model, Imputer) and gaps(X).any() else None


def overimputing_section(imputer: Imputer, X: Any, refit: bool = True) -> Section:
    """Observed cells that were hidden, drawn again and compared."""
    from azogue.applications.overimputing import overimpute
    from azogue.plots import plot_overimpute
    from azogue.report.looking import png_of

    found = overimpute(imputer, X, refit=refit)
    told = found.summary()
    section: Section = {
        "title": "Observed cells, hidden and drawn again",
        "text": f"Of {len(found.row):,} observed cells, {found.coverage:.0%} lie within their intervals of "
        f"{100 * found.confidence:g} %. Far fewer would mean that draws are surer than they should be.",
        "table": {
            "columns": ["column", "cells", "error", "error of the mean, or of the most frequent value", "covered"],
            "rows": [
                [name, cells, ours, usual, f"{part:.0%}"]
                for name, cells, ours, usual, part in zip(
                    *(told[key] for key in ("name", "cells", "error", "usual_error", "coverage")), strict=True
                )
            ],
        },
    }
    if found.numeric.any():
        section["images"] = [["Observed cells, and what is drawn for them", png_of(plot_overimpute(found))]]
    return section


def imputing_report(imputer: Imputer, X: Any, columns: list[dict[str, Any]], refit: bool = True) -> Report:
    """A page on an imputation.

    Parameters
    ----------
    imputer : Imputer
    X : table
        With missing cells.
    columns : list of dict
        See `filled_columns`.
    refit : bool
        Whether the imputer was fitted on these rows; see `overimpute`.
    """
    from azogue.report import Report, _plain
    from azogue.report.card import card_section
    from azogue.report.sections import model_section, training_section

    sections = [imputing_section(imputer, X, columns), overimputing_section(imputer, X, refit)]
    more = model_section, training_section, card_section
    sections += [section for make in more if (section := make(imputer, X)) is not None]
    return Report(f"Imputation of {len(gaps(X)):,} rows", [_plain(section) for section in sections])
