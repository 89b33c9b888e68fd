"""Model cards: what a fitted model is, told without any data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azogue.report.card import limits_of, versions
from azogue.report.looking import MAX_ROWS, groups_of
from azogue.report.sections import autoencoder_of, model_section, training_section

if TYPE_CHECKING:
    from collections.abc import Mapping


def card_sections(model: Any, libraries: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """The sections of a card: what was asked for, the network, the data's form, training, versions, limits.

    Parameters
    ----------
    model : fitted estimator
    libraries : mapping of str to str, optional
        Name → version of what made the model; None: what is installed here.
    """
    first = next(iter(groups_of(model).values()), model)
    inner = autoencoder_of(first)
    made = libraries or versions()
    found = [
        {"title": "Asked for", "facts": _asked(model)},
        model_section(model, None),
        _data(inner.schema_),
        training_section(model, None),
        {"title": "Made with", "facts": dict(made)},
        _limits(model, inner),
    ]
    return [section for section in found if section is not None]


def _asked(model: Any) -> dict[str, Any]:
    """The estimator and the parameters that are not its defaults."""
    usual = type(model)().get_params(deep=False)
    given = model.get_params(deep=False)
    told = {name: repr(value)[:200] for name, value in given.items() if repr(value) != repr(usual.get(name))}
    return {"estimator": type(model).__name__, **told}


def _data(schema: Any) -> dict[str, Any]:
    """The form of the data: names, kinds and scaling, no values."""
    columns = schema.describe()
    rows = [["" if value is None else value for value in column.values()] for column in columns[:MAX_ROWS]]
    more = f" {len(columns) - MAX_ROWS:,} more are not shown." if len(columns) > MAX_ROWS else ""
    return {
        "title": "Data",
        "text": f"What the model takes, as it was when fitted.{more}",
        "table": {"columns": list(columns[0]), "rows": rows},
    }


def _limits(model: Any, inner: Any) -> dict[str, Any]:
    text = (
        f"{limits_of(model)} A code is pseudonymised data, not "
        "anonymous data: with some known rows it can be turned back. Weights can give away training rows"
    )
    kept = getattr(inner, "privacy_", None)
    text += f", to the extent that its guarantee leaves open: {kept.statement()}" if kept else "; none were hidden."
    return {"title": "Limits", "text": text}
