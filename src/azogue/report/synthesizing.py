"""The report on synthetic rows: measures beside those of real rows, what they teach, and what they give away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azogue.report.anonymizing import attacks_section, findings_section
from azogue.report.looking import MAX_ROWS, png_of

if TYPE_CHECKING:
    from azogue.report import Report
    from azogue.synthetic import SyntheticReport

Section = dict[str, Any]


def measures_section(found: SyntheticReport) -> Section:
    """How like real rows synthetic ones are, in a table and a picture, with what is learned from them."""
    own, test, made = found.rows
    lines = [
        [
            *(one.name, one.measure),
            *_measured(one.value, one.low, one.high),
            *_measured(one.real, one.real_low, one.real_high),
            "worse" if one.worse else "",
        ]
        for one in found.scores
    ]
    lines += [
        [
            *(f"tells {one.name}", one.measure),
            *_measured(one.released, one.low, one.high),
            *_measured(one.original, one.original_low, one.original_high),
            "worse" if one.high < one.original_low else "",
        ]
        for one in found.utility
    ]
    return {
        "title": "How like real rows",
        "text": f"{made:,} synthetic rows against {test:,} real rows that the synthesizer did not see. Beside each "
        f"measure stands that of the {own:,} training rows: what real rows reach. Detection is the AUC of a classifier "
        "that tells both apart, .5 if it cannot; what a classifier tells of a column once it learned from synthetic, "
        "and from training rows, is asked of held-out ones. Intervals are of 95 %.",
        "table": {
            "columns": ["measure", "", "synthetic", "interval", "real rows", "its interval", ""],
            "rows": lines,
        },
        "images": [["Measures and attacks beside real rows and controls", png_of(found.plot())]],
    }


def _measured(value: float, low: float, high: float) -> tuple[float, str]:
    """A value, and its interval in words."""
    return round(float(value), 3), f"{low:.3f} to {high:.3f}"


def given_away_section(found: SyntheticReport) -> Section:
    """The attacks, as the report of an anonymizer tells them."""
    section = attacks_section(found)
    section.pop("images", None)
    section["text"] += (
        " Controls of copies and attributes are held-out rows. That no attack succeeds does not prove that none can."
    )
    return section


def columns_section(found: SyntheticReport) -> Section:
    """Each column, the furthest from real rows first."""
    ordered = found.worst_columns(len(found.columns))
    ordered += [one for one in found.columns if one not in ordered]
    return {
        "title": "Columns",
        "text": f"The columns furthest from real rows come first{_shown(len(ordered))}.",
        "table": {
            "columns": ["column", "kind", "shape", "real rows", "missing", "in training rows", "outside", "rare found"],
            "rows": [
                [
                    *(one.name, one.kind, round(one.shape, 3), round(one.real_shape, 3)),
                    *(f"{part:.1%}" for part in (one.missing, one.real_missing, one.outside)),
                    f"{one.covered} of {one.rare}" if one.rare else "",
                ]
                for one in ordered[:MAX_ROWS]
            ],
        },
    }


def _shown(count: int) -> str:
    return f"; {MAX_ROWS} of {count:,} are shown" if count > MAX_ROWS else ""


def pairs_section(found: SyntheticReport) -> Section | None:
    """The pairs whose dependence is furthest from that of real rows."""
    worst = found.worst_pairs(MAX_ROWS)
    if not worst:
        return None
    return {
        "title": "Pairs furthest from real rows",
        "table": {
            "columns": ["column", "and", "trend", "real rows"],
            "rows": [[one.first, one.second, round(one.trend, 3), round(one.real_trend, 3)] for one in worst],
        },
    }


def constraints_section(found: SyntheticReport) -> Section | None:
    """How often rules are broken."""
    if not found.constraints:
        return None
    return {
        "title": "Constraints",
        "table": {
            "columns": ["rule", "broken by synthetic rows", "interval", "by training rows"],
            "rows": [
                [one.rule, f"{one.value:.2%}", f"{one.low:.2%} to {one.high:.2%}", f"{one.real:.2%}"]
                for one in found.constraints
            ],
        },
    }


def notes_section(found: SyntheticReport) -> Section | None:
    """What was left out and why."""
    if not found.notes:
        return None
    return {"title": "Notes", "table": {"columns": ["notes"], "rows": [[line] for line in found.notes]}}


def synthetic_sections(found: SyntheticReport) -> list[Section]:
    """The sections on synthetic rows, of a synthesizer or of any other origin."""
    made = [measures_section(found), given_away_section(found), findings_section(found), constraints_section(found)]
    made += [columns_section(found), pairs_section(found), notes_section(found)]
    return [section for section in made if section is not None]


def synthetic_report(found: SyntheticReport) -> Report:
    """A page on synthetic rows.

    Parameters
    ----------
    found : SyntheticReport
        Of `evaluate_synthetic`.

    Examples
    --------
    >>> import numpy as np
    >>> from azogue import evaluate_synthetic
    >>> train, test, made = np.random.default_rng(0).normal(size=(3, 60, 2))
    >>> [section["title"] for section in synthetic_report(evaluate_synthetic(train, test, made)).sections][:2]
    ['How like real rows', 'What attackers find']
    """
    from azogue.report import Report, _plain

    return Report(f"{found.rows[2]:,} synthetic rows", [_plain(section) for section in synthetic_sections(found)])
