"""What a report says of an anonymizer: attacks beside controls, what is still told, what is left, and no promise."""

import numpy as np
import pytest

import azogue as az
from azogue.report import report
from azogue.report.anonymizing import anonymizing_report, audit_sections


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(4), 30)
    X = rng.normal(size=(120, 5)) + 3 * rng.normal(size=(4, 5))[who]
    fitted = az.Anonymizer(method="average", random_state=0).fit(X, sensitive={"who": who})
    return X, who, fitted


def section(made, title):
    (found,) = [part for part in made.sections if part["title"] == title]
    return found


def test_the_numbers_are_those_of_the_audit(model):
    X, who, fitted = model
    found = fitted.audit(X, sensitive={"who": who}, utility={"sum": X.sum(axis=1)})
    made = anonymizing_report(fitted, X, found)
    attacks = section(made, "What attackers find")
    assert attacks["text"].startswith(f"pseudonymised; {found.headline.split('; ', 1)[1]}. {len(found.leaks)} of ")
    assert [row[0] for row in attacks["table"]["rows"]] == [one.name for one in found.attacks]
    first, told = found.attacks[0], attacks["table"]["rows"][0]
    assert told[2:6] == [
        round(first.value, 3),
        f"{first.low:.3f} to {first.high:.3f}",
        round(first.control, 3),
        f"{first.control_low:.3f} to {first.control_high:.3f}",
    ]
    leaking = [row[0] for row in attacks["table"]["rows"] if row[6] == "leaks"]
    assert leaking == [one.name for one in found.leaks]
    assert attacks["images"][0][1].startswith("data:image/png;base64,")
    (use,) = section(made, "What is still told")["table"]["rows"]
    assert use[0] == "sum"
    assert (use[2], use[4]) == (round(found.utility[0].original, 3), round(found.utility[0].released, 3))
    kept = section(made, "What is left of the rows")["facts"]
    assert kept["median correlation with the original row"] == round(found.fidelity.correlation, 3)


def test_a_label_that_nobody_asked_for_is_told(model):
    X, _, fitted = model
    made = report(fitted, X)
    assert made.title == "Anonymizer on 120 rows"
    facts = section(made, "Method")["facts"]
    assert (facts["method"], facts["sensitive"]) == ("average", "who")
    assert facts["no attacker asked for"] == "who: these rows came without"
    assert (
        "no attacker asked for"
        not in section(anonymizing_report(fitted, X, fitted.audit(X, sensitive={"who": model[1]})), "Method")["facts"]
    )
    assert "Reconstruction" not in [part["title"] for part in made.sections]
    assert "anonymous" not in made.html().replace("not anonymous", "")


def test_pictures_before_and_after():
    X = np.random.default_rng(0).integers(0, 255, (40, 8, 8)).astype(np.uint8)
    fitted = az.Anonymizer(method="reconstruct", random_state=0).fit(X)
    assert section(report(fitted, X), "Before and after")["images"][0][1].startswith("data:image/png;base64,")


def test_any_audit_makes_sections():
    X = np.random.default_rng(0).normal(size=(60, 4))
    titles = [part["title"] for part in audit_sections(az.privacy.audit(X, X[::-1] * 2, paired=False))]
    assert titles[0] == "What attackers find"
    assert "What is still told" not in titles
