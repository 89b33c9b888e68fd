"""The report of an anonymizer: attacks beside their controls, what is still told, what is left of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azogue.modalities import rows_are
from azogue.plots import plot_reconstructions
from azogue.report.looking import SHOWN, png_of

if TYPE_CHECKING:
    from azogue.applications import Anonymizer
    from azogue.privacy import PrivacyReport
    from azogue.report import Report
    from azogue.synthetic import SyntheticReport

Section = dict[str, Any]


def attacks_section(found: PrivacyReport | SyntheticReport) -> Section:
    """Each attack's success beside its control, in a table and a picture; the worst finding as a sentence."""
    section: Section = {
        "title": "What attackers find",
        "text": f"{found.headline}. {len(found.leaks)} of {len(found.attacks)} attacks beat their controls. A "
        "control is the same attack where it cannot know; intervals are of 95 %.",
        "table": {
            "columns": ["attack", "measure", "success", "interval", "control", "its interval", ""],
            "rows": [
                [
                    *(one.name, one.measure),
                    *_measured(one.value, one.low, one.high),
                    *_measured(one.control, one.control_low, one.control_high),
                    "leaks" if one.leaks else "",
                ]
                for one in found.attacks
            ],
        },
    }
    if found.attacks or found.utility:
        section["images"] = [["Attacks and uses beside their controls", png_of(found.plot())]]
    return section


def findings_section(found: PrivacyReport | SyntheticReport) -> Section | None:
    """What the attacks that beat their controls found, in words."""
    told = [[one.name, one.finding] for one in found.leaks if one.finding]
    return {"title": "Findings", "table": {"columns": ["attack", "finding"], "rows": told}} if told else None


def _measured(value: float, low: float, high: float) -> tuple[float, str]:
    """A value, and its interval in words."""
    return round(float(value), 3), f"{low:.3f} to {high:.3f}"


def utility_section(found: PrivacyReport) -> Section | None:
    """What is still told from released rows, beside original ones and chance."""
    if not found.utility:
        return None
    return {
        "title": "What is still told",
        "text": "Learned from original rows and asked of other original ones; learned from released rows and asked of "
        "other released ones. Where the second is clearly higher, the network has written the label into other "
        "columns, and associations with it are exaggerated.",
        "table": {
            "columns": ["use", "measure", "original", "interval", "released", "its interval", "chance"],
            "rows": [
                [
                    *(one.name, one.measure),
                    *_measured(one.original, one.original_low, one.original_high),
                    *_measured(one.released, one.low, one.high),
                    round(float(one.control), 3),
                ]
                for one in found.utility
            ],
        },
    }


def fidelity_section(found: PrivacyReport) -> Section:
    """Whether released rows are still rows, and how an audit was made."""
    kept = found.fidelity
    numbers = {
        "median correlation with the original row": kept.correlation,
        "column shapes": kept.column_shapes,
        "pair trends": kept.pair_trends,
        "distinct rows, relative to the originals": kept.distinct,
        "variance within groups, relative to the originals": kept.within,
        "distance to the nearest other row, relative to the originals": kept.apart,
    }
    section: Section = {
        "title": "What is left of the rows",
        "facts": {name: round(float(value), 3) for name, value in numbers.items() if value is not None},
    }
    told = [*kept.flags, *([] if found.quasi is None else found.quasi.sentences()), *found.notes]
    if told:
        section["table"] = {"columns": ["notes"], "rows": [[line] for line in told]}
    return section


def method_section(model: Anonymizer, found: PrivacyReport) -> Section:
    """How rows were changed, what that does not protect, and for which sensitive labels no attacker asked."""
    tried = " ".join(one.name for one in found.attacks)
    facts: dict[str, Any] = {
        "method": model.method_,
        "sensitive": ", ".join(model.sensitive_) or "whose rows they are",
        "utility": ", ".join(model.utility_) or "none named",
        "strength": float(model.strength),
    }
    if quiet := [name for name in model.sensitive_ if f"attribute: {name}" not in tried]:
        facts["no attacker asked for"] = f"{', '.join(quiet)}: these rows came without"
    if model.guarantee_ is not None:
        facts["guarantee"] = model.guarantee_.statement()
    if model.method_ == "counterfactual":
        how = (
            "Each row got sensitive cells of other rows, and its other cells became what they would be after those, "
            "moved as little as may be: many stay as they were."
        )
    else:
        how = "Which cells are missing stays as it is."
    return {
        "title": "Method",
        "text": f"Released rows are pseudonymised: each belongs to one original row. {how} The model file holds "
        "quantiles, categories and sensitive cells of the rows; keep it as safe as they are.",
        "facts": facts,
    }


class _Releasing:
    """An anonymizer as pictures of reconstructions take it."""

    def __init__(self, model: Anonymizer) -> None:
        self.schema_, self.reconstruct = model.autoencoder_.schema_, model.transform


def before_section(model: Anonymizer, X: Any) -> Section | None:
    """The first windows or pictures, and what is released of them."""
    if rows_are(model.autoencoder_.schema_) == "table":
        return None
    drawn = png_of(plot_reconstructions(_Releasing(model), X, SHOWN))
    return {"title": "Before and after", "images": [["The first rows, and what is released of them", drawn]]}


def audit_sections(found: PrivacyReport) -> list[Section]:
    """The sections on an audit, of an anonymizer's rows or of any others."""
    made = [attacks_section(found), findings_section(found), utility_section(found), fidelity_section(found)]
    return [section for section in made if section is not None]


def anonymizing_report(model: Anonymizer, X: Any, found: PrivacyReport | None = None) -> Report:
    """A page on what an anonymizer releases.

    Parameters
    ----------
    model : Anonymizer
        Fitted.
    X : rows
        To be released.
    found : PrivacyReport, optional
        The audit of the released rows, if it was made already.
    """
    from azogue.report import Report, _plain
    from azogue.report.card import card_section
    from azogue.report.sections import counted, model_section, training_section

    found = model.audit(X) if found is None else found
    sections = [*audit_sections(found), method_section(model, found)]
    more = before_section, model_section, training_section, card_section
    sections += [section for make in more if (section := make(model, X)) is not None]
    return Report(f"Anonymizer on {counted(model, X)}", [_plain(section) for section in sections])
