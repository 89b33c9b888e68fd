"""Reports: *summarise → dict → HTML, Markdown or JSON*, one section a use."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azogue.report.anonymizing import anonymizing_report
from azogue.report.card import card_section
from azogue.report.cards import card_sections
from azogue.report.markdown import markdown
from azogue.report.page import page
from azogue.report.searching import search_sections
from azogue.report.sections import DRAWING, HASHING, RESTORING, SECTIONS, TELLING, counted
from azogue.report.synthesizing import synthetic_report

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

__all__ = ["Report", "card", "report", "synthetic_report"]


class Report:
    """What a model says about data.

    Parameters
    ----------
    title : str
    sections : list of dict
        Each with `title`, and any of `text`, `facts`, `table`, `chart`, `images`.

    Examples
    --------
    >>> Report("Iris", [{"title": "Data", "facts": {"rows": 150}}]).to_dict()["sections"][0]["facts"]
    {'rows': 150}
    """

    def __init__(self, title: str, sections: list[dict[str, Any]]) -> None:
        self.title, self.sections = title, sections

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {"title": self.title, "sections": self.sections}

    def html(self) -> str:
        """The report as one self-contained page."""
        return page(self.title, self.sections)

    def markdown(self) -> str:
        """The report as Markdown, without its pictures."""
        return markdown(self.title, self.sections)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it, atomically: JSON for a name that ends in `.json`, Markdown for one in `.md`, else HTML."""
        import json

        from azogue.files import atomic_write

        made = {".json": lambda: json.dumps(self.to_dict(), indent=1), ".md": self.markdown}
        text = made.get(Path(path).suffix.lower(), self.html)()
        atomic_write(path, text.encode())

    def _repr_html_(self) -> str:
        return self.html()


def report(model: Any, X: Any) -> Report:
    """Look at data through a fitted model.

    Parameters
    ----------
    model : fitted estimator
        An autoencoder, or an application that owns one as `autoencoder_`: a detector, a denoiser, an imputer, a
        hasher, an anonymizer (what it releases of the rows is attacked). Of a search, how it went, and then its winner.
    X : table, pictures, sequences or texts

    Returns
    -------
    Report

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> made = report(az.Autoencoder(2, epochs=5, random_state=0).fit(X), X)
    >>> [section["title"] for section in made.sections]
    ['Model', 'Training', 'Reconstruction', 'Code', 'Anomalies', 'Model card']
    """
    from azogue.applications import (
        AEkNNClassifier,
        AEkNNRegressor,
        Anonymizer,
        Denoiser,
        Imputer,
        SemanticHasher,
        Synthesizer,
    )
    from azogue.search import ArchitectureSearch

    if isinstance(model, ArchitectureSearch):
        inner = report(model.best_estimator_, X)
        whole = [*search_sections(model), *inner.sections[:-1], card_section(model, X)]
        return Report(f"Search, {inner.title}", [_plain(section) for section in whole])
    if isinstance(model, Anonymizer):
        return anonymizing_report(model, X)
    uses = {
        (Denoiser, Imputer): RESTORING,
        (SemanticHasher,): HASHING,
        (AEkNNClassifier, AEkNNRegressor): TELLING,
        (Synthesizer,): DRAWING,
    }
    wanted = next((sections for kinds, sections in uses.items() if isinstance(model, kinds)), SECTIONS)
    sections = [section for summarise in wanted if (section := summarise(model, X)) is not None]
    return Report(f"{type(model).__name__} on {counted(model, X)}", [_plain(section) for section in sections])


def card(model: Any, libraries: Mapping[str, str] | None = None) -> Report:
    """A model card: what a fitted model is, without any data; `card(model).markdown()`.

    Parameters
    ----------
    model : fitted estimator
    libraries : mapping of str to str, optional
        Name → version of what made the model, as a model file tells; None: what is installed here.

    Examples
    --------
    >>> import azogue as az
    >>> made = card(az.Autoencoder(1, epochs=2, random_state=0).fit([[float(n), float(n * n)] for n in range(20)]))
    >>> [section["title"] for section in made.sections]
    ['Asked for', 'Model', 'Data', 'Training', 'Made with', 'Limits']
    """
    return Report(f"{type(model).__name__}: model card", [_plain(part) for part in card_sections(model, libraries)])


def _plain(value: Any) -> Any:
    """Values that JSON knows: numbers without end become words, and points with one are left out of charts."""
    if isinstance(value, dict) and "series" in value:
        drawn = {
            name: [point for point in line if all(math.isfinite(at) for at in point)]
            for name, line in value["series"].items()
        }
        return {**value, "series": {name: line for name, line in drawn.items() if line}}
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "unknown" if math.isnan(value) else "infinite" if value > 0 else "minus infinite"
    return value
