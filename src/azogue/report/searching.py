"""The report of a search: how it converged, what an error costs in complexity, and the winner as a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from azogue.plots import new_axes, plot_network
from azogue.report.looking import png_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from azogue.report import Report
    from azogue.search import ArchitectureSearch

Section = dict[str, Any]

#: Candidates that a table shows.
SHOWN = 10


def pareto(errors: np.ndarray, complexities: np.ndarray) -> np.ndarray:
    """Which candidates no other one beats in both error and complexity, the simplest first.

    Examples
    --------
    >>> pareto(np.array([0.3, 0.1, 0.2, 0.4]), np.array([1.0, 3.0, 2.0, 2.0])).tolist()
    [0, 2, 1]
    """
    best, found = np.inf, []
    for at in np.lexsort((errors, complexities)):
        if errors[at] < best:
            best = errors[at]
            found.append(int(at))
    return np.array(found, dtype=int)


def search_section(search: ArchitectureSearch) -> Section:
    """What was searched, what won, and what it is worth on rows that nobody saw."""
    found = search.results_
    failed = int((~np.isfinite(found["fitness"])).sum())
    early = int((found["reason"] == "given up early").sum())
    behind = sum(str(reason).startswith("far behind") for reason in found["reason"])
    return {
        "title": "Search",
        "text": "Candidates were trained on one part of the rows and judged on another. The winner was trained again "
        "on both; its test error is of rows that no candidate and no decision has seen. " + _units(search),
        "facts": {
            "strategy": search.strategy,
            "candidates": len(found["fitness"]),
            "given up early": early,
            **({"left behind": behind} if search.cv is not None else {}),
            "failed": failed,
            "ended by": search.stopped_,
            **_worth(search),
            "complexity": round(float(found["complexity"][search.best_index_]), 4),
            **{name: str(value) for name, value in search.best_params_.items()},
        },
    }


def _units(search: ArchitectureSearch) -> str:
    """What its numbers are, in words."""
    whole = "parts of the variance: 0 is perfect, 1 is what the means reach"
    errors = f"Errors are {whole if search.complexity == 'relative' else 'means of squares of scaled cells'}."
    return errors if _reconstructs(search) else f"Candidates were judged by a score of their codes. {errors}"


def _worth(search: ArchitectureSearch) -> Section:
    """What the winner is worth, on rows that chose it and on others."""
    own, test = float(search.results_["error"][search.best_index_]), {"test error": round(search.test_error_, 5)}
    if _reconstructs(search):
        return {"validation error": round(own, 5), **test}
    return {"validation score": round(-own, 5), "test score": round(search.test_score_, 5), **test}


def _reconstructs(search: ArchitectureSearch) -> bool:
    return isinstance(search.objective, str) and search.objective == "reconstruction"


def _finished(search: ArchitectureSearch) -> np.ndarray:
    """Which candidates were trained with the largest share, judged on all folds, and not given up, if there are any."""
    found = search.results_
    share = found["epochs_share"] * found["rows_share"]
    worked = np.isfinite(found["fitness"])
    done = worked & (share == share.max()) & (found["reason"] == "")
    return np.asarray(done if done.any() else worked)


def convergence_section(search: ArchitectureSearch) -> Section:
    """The best fitness so far against what was spent."""
    steps, best = _converged(search)
    line = [[float(a), float(b)] for a, b in zip(steps, best, strict=True) if np.isfinite(b)]
    chart = {"kind": "line", "x": "candidates, of full training", "y": "best fitness so far", "series": {"best": line}}
    return {"title": "Convergence", "chart": chart}


def pareto_section(search: ArchitectureSearch) -> Section:
    """Error against complexity, and the candidates between which only taste decides."""
    found = search.results_
    whole = np.flatnonzero(_finished(search))
    front = whole[pareto(found["error"][whole], found["complexity"][whole])]
    pairs = {"candidates": whole, "no other is better in both": front}
    series = {
        name: [[float(found["complexity"][at]), float(found["error"][at])] for at in places]
        for name, places in pairs.items()
    }
    y = "validation error" if _reconstructs(search) else "minus the validation score"
    chart = {"kind": "points", "x": "complexity", "y": y, "series": series}
    rows = [
        [
            *(round(float(found[name][at]), 4) for name in ("complexity", "error")),
            *(str(found[f"param_{name}"][at]) for name in ("kind", "units", "code")),
        ]
        for at in front[-SHOWN:]
    ]
    table = {"columns": ["complexity", "error", "kind", "hidden units", "code"], "rows": rows}
    return {"title": "Error and complexity", "chart": chart, "table": table}


def winner_section(search: ArchitectureSearch) -> Section:
    """The winner, drawn."""
    return {
        "title": "The winner",
        "facts": {"network": repr(search.best_estimator_.network_spec_)},
        "images": [["The winner's network", png_of(plot_network(search.best_estimator_))]],
    }


def search_sections(search: ArchitectureSearch) -> list[Section]:
    """All that there is to say of a search."""
    return [make(search) for make in (search_section, convergence_section, pareto_section, winner_section)]


def search_report(search: ArchitectureSearch) -> Report:
    """The page of a search."""
    from azogue.report import Report

    return Report(f"Search among {len(search.results_['fitness'])} autoencoders", search_sections(search))


def plot_convergence(search: ArchitectureSearch, ax: Axes | None = None) -> Axes:
    """The best fitness so far against what was spent, as a picture."""
    ax = new_axes(5.0, 3.0) if ax is None else ax
    steps, best = _converged(search)
    ax.step(steps, best, where="post")
    ax.set(xlabel="candidates, of full training", ylabel="best fitness so far")
    return ax


def _converged(search: ArchitectureSearch) -> tuple[np.ndarray, np.ndarray]:
    """What was spent after each candidate, and the best fitness until then, of those that might have won."""
    found = search.results_
    fitness = np.where(_finished(search), found["fitness"], np.inf)
    return np.cumsum(found["epochs_share"] * found["rows_share"]), np.minimum.accumulate(fitness)
