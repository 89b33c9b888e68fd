"""`audit`: one call for every kind of data, a report that says what it measured, and clear words where it cannot."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA

import azogue as az
from azogue import privacy
from azogue.privacy import PrivacyReport, audit

CANCER = load_breast_cancer(as_frame=True).frame


def people(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "sex": rng.choice(["f", "m"], n),
            "when": pd.date_range("2020-01-01", periods=n),
            "weight": rng.normal(70, 10, n),
            "ok": rng.random(n) < 0.5,
            "kind": pd.Categorical(rng.choice(list("abc"), n)),
        },
        index=np.arange(n) + 500,
    )
    table.loc[503:520, "weight"] = np.nan
    table.loc[505:510, "sex"] = None
    return table


@pytest.fixture(scope="module")
def digits() -> PrivacyReport:
    X, digit = load_digits(return_X_y=True)
    return audit(X[:600], PCA(32).fit_transform(X)[:600], sensitive={"odd": digit[:600] % 2}, utility=digit[:600] // 4)


def test_codes_of_digits_give_digits_away(digits):
    assert digits.attack("re-identification").value >= 0.95
    assert digits.attack("reconstruction").value > 0.9
    assert digits.attack("attribute: odd").leaks
    assert digits.utility[0].name == "utility"
    assert digits.utility[0].released > 0.9 > digits.utility[0].control + 0.3
    assert digits.leaks == list(digits.attacks)
    assert any("left out: membership, singling out, linkability" in note for note in digits.notes)


def test_text_begins_with_the_worst(digits):
    lines = digits.text().splitlines()
    assert lines[0].startswith("pseudonymised; an attacker who knows 200 pairs recovers held-out rows with R² 0.9")
    assert "(their mean: 0.00)" in lines[0]
    assert lines[1] == "5 of 5 attacks beat their controls."
    assert "anonymous" not in digits.text().lower()
    assert repr(digits).startswith("PrivacyReport(5 of 5 attacks beat their controls")
    assert "\n" not in repr(digits)
    assert digits._repr_html_().startswith("<pre>")


def test_report_is_json(digits):
    told = json.loads(json.dumps(digits.to_dict(), allow_nan=False))
    assert told["leaks"][0] == "re-identification"
    assert told["attacks"][2]["value"] == digits.attack("reconstruction").value
    assert told["kind"] == "pseudonymised"
    with pytest.raises(KeyError, match="there are re-identification, "):
        digits.attack("theft")


def test_picture_has_a_line_for_each_attack_and_use(digits):
    ax = digits.plot()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == [f"{one.name} ({one.measure})" for one in (*digits.attacks, *digits.utility)]
    assert digits.plot(ax) is ax


def test_trade_offs_are_drawn(digits):
    stronger = replace(digits, attacks=tuple(replace(one, value=one.value - 0.1) for one in digits.attacks[1:]))
    ax = privacy.plot_tradeoff([(2.0, stronger), (0.5, digits)])
    lines = {line.get_label(): line for line in ax.get_lines()}
    shared = digits.attacks[1]
    assert digits.attacks[0].name not in lines  # the second report lacks it
    np.testing.assert_allclose(lines[shared.name].get_xdata(), [0.5, 2.0])
    np.testing.assert_allclose(lines[shared.name].get_ydata(), [shared.value, shared.value - 0.1])
    assert privacy.plot_tradeoff([(1.0, digits)], ax) is ax
    with pytest.raises(ValueError, match="neither an attack nor a use"):
        privacy.plot_tradeoff([])


def test_raw_rows_leak_everything():
    report = audit(CANCER, CANCER, sensitive="target", quasi_identifiers=["mean radius"])
    assert report.attack("re-identification").value >= 0.95
    names = {one.name for one in report.leaks}
    assert {"membership", "singling out, one column", "linkability", "attribute: target"} <= names
    assert report.quasi.k_anonymity.k == 1
    assert report.fidelity.correlation == pytest.approx(1.0)
    assert any("'target' is in the released table as it was" in note for note in report.notes)


def test_noise_leaks_nothing():
    rng = np.random.default_rng(0)
    rows = CANCER[:300]
    noise = pd.DataFrame(rng.normal(size=rows.shape), columns=rows.columns)
    report = audit(rows, noise, sensitive=["target", "mean area"], utility={"ill": rows["target"]})
    assert report.leaks == []
    assert report.headline == (
        f"pseudonymised; none of {len(report.attacks)} attacks beat its control, which does not prove that none can"
    )
    assert report.utility[0].original > 0.9 > 0.65 > report.utility[0].released


def test_an_overfitted_generator_is_found_out():
    rng = np.random.default_rng(0)
    train, others = CANCER[::2], CANCER[1::2]
    spread = 0.05 * train.std().to_numpy()
    copies = train.sample(400, replace=True, random_state=0).reset_index(drop=True)
    made = copies + spread * rng.normal(size=copies.shape)
    made["target"] = copies["target"]
    report = audit(train, made, sensitive="target", utility="target", controls=others)
    assert report.kind == "synthetic"
    assert report.attack("membership").value >= 0.65
    assert report.headline.startswith("synthetic; rows behind the release are told from others")
    assert "re-identification" not in {one.name for one in report.attacks}
    assert report.attack("attribute: target").control > 0.8  # what anybody could infer
    assert report.utility[0].released > 0.9


def test_synthetic_rows_that_happen_to_be_as_many():
    rng = np.random.default_rng(0)
    a, b, c = (pd.DataFrame(rng.normal(size=(80, 3)), columns=list("xyz")) for _ in range(3))
    report = audit(a, b, paired=False, controls=c, scores=(rng.normal(size=80), rng.normal(size=80)))
    assert {one.name for one in report.attacks} == {
        "membership",
        "singling out, one column",
        "singling out, several columns",
        "linkability",
    }
    assert report.attack("membership").detail("the loss") > 0
    assert report.fidelity.correlation is None


def test_members_are_some_of_the_originals():
    rng = np.random.default_rng(0)
    rows, controls = rng.normal(size=(2, 200, 3))
    made = rows[:40] + 0.01 * rng.normal(size=(40, 3))
    every = audit(rows, made, controls=controls).attack("membership")
    some = audit(rows, made, controls=controls, members=rows[:40]).attack("membership")
    assert some.value > 0.99
    assert every.value < 0.75


@pytest.mark.parametrize("frame", [lambda table: table, pl.from_pandas, pa.Table.from_pandas])
def test_mixed_tables_with_missing_cells(frame):
    table = frame(people())
    report = audit(table, table, sensitive=["sex", "age"], utility="kind", quasi_identifiers=["sex", "kind"])
    assert report.attack("re-identification").value >= 0.95
    assert report.attack("attribute: age").measure == "R²"
    assert not report.attack("attribute: sex").leaks
    assert report.quasi.columns == ("sex", "kind")


def test_released_tables_may_lack_columns_or_hold_others():
    table = people()
    report = audit(table, table.drop(columns=["sex"]), sensitive="sex")
    assert report.attack("linkability").leaks
    coarse = table.assign(age=np.where(table["age"] < 40, "young", "old"))
    report = audit(table, coarse, sensitive="sex", known=60)
    assert report.attack("re-identification").value > 0.9
    assert any("do not share the originals' columns" in note for note in report.notes)


def test_windows_pictures_and_texts():
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(60, 16, 2))
    for released in (windows, list(windows)):
        report = audit(windows, released, sensitive=rng.integers(0, 2, 60))
        assert report.attack("re-identification").value >= 0.95
        assert any("no table" in note for note in report.notes)
    assert audit(windows, windows[:, ::2]).attack("re-identification").measure == "rank-1 rate"
    pictures = (255 * rng.random((60, 5, 5))).astype(np.uint8)
    assert audit(pictures, pictures).attack("membership").leaks
    texts = [f"the {'cat' if at % 2 else 'dog'} has number {at + 100}" for at in range(40)]
    assert audit(texts, texts).attack("re-identification").value >= 0.95


def test_groups_and_masks_reach_the_attacks():
    table = people()
    person = np.repeat(np.arange(12), 10)
    report = audit(table, table, sensitive={"who": person}, groups=person)
    assert any(note.startswith("left out: attribute 'who': training and held-out") for note in report.notes)
    report = audit(table, table, sensitive={"who": person}, groups=np.arange(120) // 2)
    assert report.attack("attribute: who").control == pytest.approx(1 / 12, abs=0.03)
    late = audit(table, table, sensitive="sex", test=np.arange(120) >= 90)
    assert late.attack("attribute: sex") != audit(table, table, sensitive="sex").attack("attribute: sex")


def test_same_seed_same_report():
    table = people()
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    first = audit(table, table, sensitive="sex", random_state=1)
    assert first == audit(table, table, sensitive="sex", random_state=1)
    assert first.attacks != audit(table, table, sensitive="sex", random_state=2).attacks
    assert (np.random.get_state()[1] == before).all()


def test_many_rows_are_sampled():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    report = audit(X, X, max_rows=300, sensitive={"side": X[:, 0] > 0}, quasi_identifiers=[0])
    assert report.attack("re-identification").detail("candidates") == 150
    assert report.quasi.k_anonymity.rows == 3000
    assert any("of 3,000 original and 3,000 released rows 300 and 300" in note for note in report.notes)


def test_one_impossible_attack_is_left_out():
    table = people().assign(same=1)
    report = audit(table, table, sensitive=["same", "sex"])
    assert "left out: attribute 'same': it has one value in all rows; there is nothing to infer" in report.notes
    assert report.attack("attribute: sex")
    report = audit(table[:10], table[:10])
    assert report.attack("re-identification").value == 1.0
    assert any("left out: membership: original: expected at least 10 rows, got 5" in note for note in report.notes)
    report = audit(table, np.random.default_rng(0).normal(size=(120, 2)), known=0)
    assert report.headline == "pseudonymised; no attack could be made, which says nothing"


TABLE = people()
BAD = {
    "no such column; the table has 'age'": lambda: audit(TABLE, TABLE, sensitive="zip"),
    "quasi-identifier 'zip'": lambda: audit(TABLE, TABLE, quasi_identifiers=["zip"]),
    "at least 10 rows, got 9": lambda: audit(TABLE[:9], TABLE[:9]),
    "for each of 120 original ones, got 50": lambda: audit(TABLE, TABLE[:50], paired=True),
    "a label for each of 120 rows": lambda: audit(TABLE, TABLE, sensitive={"who": np.arange(5)}),
    "a mask of True and False": lambda: audit(TABLE, TABLE, test=np.arange(120)),
    "some rows to hold out": lambda: audit(TABLE, TABLE, test=np.zeros(120, bool)),
    "groups: expected a value for each": lambda: audit(TABLE, TABLE, groups=[1, 2]),
    "test_size": lambda: audit(TABLE, TABLE, test_size=1.0),
    "known: expected a whole number": lambda: audit(TABLE, TABLE, known=-1),
    "max_rows: expected a whole number": lambda: audit(TABLE, TABLE, max_rows=5),
    "original holds infinity": lambda: audit(np.full((20, 2), np.inf), np.zeros((20, 2))),
    "all rows are equal": lambda: audit(np.zeros((20, 2)), np.zeros((20, 2))),
    "two dimensions or more": lambda: audit(np.zeros(20), np.zeros(20)),
    "differ in shape": lambda: audit([np.zeros((3, 2)), np.zeros((4, 2))] * 10, np.zeros((20, 3))),
    "controls lack the columns 'sex'": lambda: audit(TABLE, TABLE[:50], controls=TABLE[["age", "kind", "ok"]]),
    "the released rows are no table": lambda: audit(TABLE, np.zeros((120, 2, 2)), quasi_identifiers=0),
}


@pytest.mark.parametrize("words", BAD)
def test_clear_words(words):
    with pytest.raises(ValueError, match=words):
        BAD[words]()


def test_paths_are_refused():
    with pytest.raises(TypeError, match="read it first"):
        audit("people.csv", TABLE)


def test_public():
    assert set(az.privacy.__all__) <= set(dir(az.privacy))
    assert "privacy" in az.__all__
