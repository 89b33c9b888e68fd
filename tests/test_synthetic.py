"""What is said of synthetic tables: golden numbers of each measure, leaks that are seen, honest rows that are not."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import azogue as az
from azogue.privacy.intervals import areas, auc
from azogue.synthetic import attacking, marginals, tables

DATA = Path(os.environ.get("AZOGUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "tables"


def people(n, seed):
    """Numbers, dates, classes and gaps, dependent on one another."""
    rng = np.random.default_rng(seed)
    sick = rng.random(n) < 0.4
    age = rng.integers(18, 80, n)
    born = np.datetime64("1990-01-01") - age.astype("timedelta64[D]") * 365
    return pd.DataFrame(
        {
            "age": age,
            "until": age + rng.integers(0, 9, n),
            "born": born,
            "size": np.where(rng.random(n) < 0.2, np.nan, 2.0 * sick + rng.normal(size=n)),
            "city": rng.choice(["Jaén", "Cádiz", "🙂 'q'", "rare"], n, p=[0.5, 0.3, 0.18, 0.02]),
            "sick": np.where(sick, "yes", "no"),
        }
    )


def quick(*given, **asked):
    return az.evaluate_synthetic(*given, attacks=False, **asked)


def as_array(*columns):
    return np.stack([np.asarray(column, float) for column in columns], axis=1)


@pytest.fixture(scope="module")
def fresh():
    """Rows of the same population in the place of synthetic ones."""
    return az.evaluate_synthetic(people(500, 0), people(500, 1), people(500, 2), target="sick")


# -- golden numbers ----------------------------------------------------------------------------------------------------


def test_shape_of_a_quantity_is_one_minus_ks():
    real = as_array(np.arange(20))
    found = quick(real, real, real + 10)
    assert found.score("column shapes").value == pytest.approx(0.5)
    assert found.score("column shapes").real == 1.0


def test_shape_of_a_category_is_one_minus_tv_and_missing_is_one():
    real = pd.DataFrame({"a": ["x"] * 50 + ["y"] * 50})
    made = pd.DataFrame({"a": ["x"] * 20 + ["y"] * 50 + [None] * 30})
    found = quick(real, real, made)
    assert found.columns[0].shape == pytest.approx(0.7)  # ½ (.3 + 0 + .3)
    assert found.columns[0].missing == pytest.approx(0.3)
    assert found.score("missing cells").value == pytest.approx(0.7)


def test_trend_of_two_quantities_is_of_pearsons_correlations():
    x = np.arange(20.0)
    found = quick(as_array(x, x), as_array(x, x), as_array(x, -x))
    assert found.pairs[0].trend == pytest.approx(0.0)
    assert found.pairs[0].real_trend == pytest.approx(1.0)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 2)) @ [[1, 0.5], [0, 1]]
    a[3, 0] = b[7, 1] = np.nan  # rows that lack one of both do not count
    r, s = (pd.DataFrame(part).corr().iloc[0, 1] for part in (a, b))
    assert quick(a, a, b).pairs[0].trend == pytest.approx(1 - abs(r - s) / 2)


def test_trend_with_a_category_cuts_quantities_into_ten_bins_of_one_width():
    real = pd.DataFrame({"a": np.arange(0.0, 101.0), "b": ["x"] * 50 + ["y"] * 51})
    made = real.assign(a=[100.0 - 0.1, *[1e6] * 100])  # the same last bin, ends included, for all rows
    bins = np.minimum(np.arange(101) // 10, 9)
    p = pd.crosstab(bins, real["b"]) / 101
    q = pd.crosstab(np.full(101, 9), real["b"]) / 101
    expected = 1 - 0.5 * (p.sub(q, fill_value=0)).abs().to_numpy().sum()
    assert quick(real, real, made).pairs[0].trend == pytest.approx(expected)


def test_intervals_are_as_wide_as_the_spread_over_samples():
    """The standard error of the bootstrap against that of fresh samples, for shapes (which a quantile would miss)."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(300, 4))
    values, halves = [], []
    for _ in range(40):
        own = rng.normal(size=(300, 4))
        drawn = marginals.draws(300, 300, 40, 0)
        aligned = tables.aligned(real, rng.normal(size=(300, 4)), own)
        low_high = marginals.interval(marginals.shapes(aligned, aligned.test, own, drawn).mean(axis=1))
        values.append(low_high.value)
        halves.append((low_high.high - low_high.low) / 2 / 1.96)
        assert low_high.low < low_high.value < low_high.high
    assert 0.6 < np.mean(halves) / np.std(values, ddof=1) < 1.7


def test_auc_of_several_classes_is_the_mean_over_them():
    rng = np.random.default_rng(0)

    def table(n):
        y = rng.integers(0, 3, n)
        return pd.DataFrame({"y": y, "x": y + rng.normal(size=n), "z": rng.normal(size=n)})

    train, test, made = table(400), table(400), table(400)
    found = quick(train, test, made, target="y")
    assert [one.measure for one in found.utility] == ["AUC", "accuracy"]
    assert 0.65 < found.utility[0].released < 0.95
    assert abs(found.utility[0].released - found.utility[0].original) < 0.08
    shuffled = made.assign(y=rng.permutation(made["y"]))
    assert quick(train, test, shuffled, target="y").utility[0].released < 0.6
    without = quick(train, test, made[made["y"] != 2], target="y").utility[0]
    assert without.released < without.original, "a class that synthetic rows lack is told by nobody"


def test_a_quantity_is_told_by_r2():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 300))
    made = [as_array(part, 3e9 * part + 1e9 * rng.normal(size=300)) for part in x]
    (use,) = quick(*made, target=1).utility
    assert use.measure == "R²"
    assert 0.7 < use.released < 0.95
    assert use.low < use.released < use.high
    made[2][:, 1] = rng.permutation(made[2][:, 1])
    assert quick(*made, target=1).utility[0].released < 0.1


def test_areas_weigh_rows():
    truth, scores = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    assert areas(truth, scores)(np.array([[1.0, 1, 1, 1], [1, 0, 1, 1]])).tolist() == [0.75, 1.0]
    assert auc(truth, scores).value == 0.75


@pytest.mark.skipif(not (DATA / "adult-train.csv.gz").exists(), reason="needs the tables of AZOGUE_DATA")
def test_adult_by_the_definitions_of_sdmetrics():
    """Figures that other code with the same definitions gave (benchmarks/synthesis_quality.py)."""
    train, test = (
        pd.read_csv(DATA / f"adult-{name}.csv.gz", header=None, skipinitialspace=True) for name in ("train", "test")
    )
    test[14] = test[14].str.rstrip(".")
    for frame in (train, test):
        frame.columns = [f"c{at}" for at in frame]
    mixed = train.sample(frac=1, random_state=0).reset_index(drop=True)
    own, held = mixed[:10_000], mixed[10_000:20_000]
    apart = pd.DataFrame(
        {name: own[name].sample(10_000, replace=True, random_state=at).to_numpy() for at, name in enumerate(own)}
    )
    found = quick(own, held, apart, target="c14", target_test=test)
    for name, value, real in (
        ("column shapes", 0.9876, 0.9903),
        ("pair trends", 0.9175, 0.9776),
        ("detection", 0.9903, 0.5009),
    ):
        one = found.score(name)
        assert (one.value, one.real) == pytest.approx((value, real), abs=6e-5), name
    area, right = found.utility
    assert (area.released, area.original) == pytest.approx((0.4939, 0.9205), abs=6e-5)
    assert (right.released, right.original) == pytest.approx((0.7624, 0.8657), abs=6e-5)


# -- what leaks, and what does not -------------------------------------------------------------------------------------


def test_fresh_rows_are_neither_worse_nor_leak(fresh):
    assert fresh.worse == []
    assert fresh.leaks == []
    assert fresh.headline.startswith("synthetic; none of ")
    assert fresh.score("detection").low < 0.5 < fresh.score("detection").high
    assert fresh.notes == ()
    told = {one.name for one in fresh.attacks}
    assert {"exact copies", "near copies", "training rows met", "membership", "linkability"} <= told
    assert {"attribute: sick", "attribute: city"} <= told


def test_copies_leak_and_are_counted():
    train, test, others = people(600, 0), people(600, 1), people(600, 2)
    made = pd.concat([train[:180], others[180:]])
    found = az.evaluate_synthetic(train, test, made)
    copied = found.attack("exact copies")
    assert copied.value == pytest.approx(0.3, abs=0.02), "and a few that equal one by chance"
    assert copied.detail("rows") == pytest.approx(600 * copied.value)
    assert copied.leaks
    assert copied.control < 0.02
    assert {"near copies", "training rows met", "membership"} <= {one.name for one in found.leaks}
    assert "worse" not in found.text().split("attack ")[0].replace("worse than", ""), "they are real rows"
    assert found.score("detection").value < 0.6


def test_noise_does_not_hide_copies():
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(2, 600, 6))
    found = az.evaluate_synthetic(train, test, train + 0.1 * rng.normal(size=train.shape))
    assert found.attack("exact copies").value == 0.0
    assert found.attack("near copies").value > 0.9
    assert found.attack("near copies").control == pytest.approx(0.05, abs=0.04)
    assert found.attack("membership").value > 0.9
    assert found.headline.startswith("synthetic; rows behind the release are told from others")


def test_attackers_have_all_synthetic_rows(monkeypatch):
    """With more rows than are asked about, each training row still finds its copy."""
    monkeypatch.setattr(attacking, "MOST_ASKED", 200)
    train, test = np.random.default_rng(0).normal(size=(2, 600, 2))
    found = az.evaluate_synthetic(train, test, train[::-1], sensitive=[])
    assert found.attack("membership").value > 0.99
    assert found.attack("training rows met").value > 0.99


def test_rows_in_dense_places_are_no_copies():
    """Rows drawn around the middle are near to training rows, and just as near to others."""
    rng = np.random.default_rng(0)
    train, test, made = rng.normal(size=(3, 1000, 3))
    found = az.evaluate_synthetic(train, test, made / 4, sensitive=[])
    near = found.attack("near copies")
    assert near.low > near.detail("held out rows")
    assert not found.leaks
    assert found.score("detection").worse


def test_rows_that_are_common_anyway_are_no_leak():
    rng = np.random.default_rng(0)
    train, test, made = (pd.DataFrame(rng.integers(0, 3, (300, 2)).astype(str), columns=list("ab")) for _ in range(3))
    found = az.evaluate_synthetic(train, test, made)
    assert found.attack("exact copies").value == 1.0
    assert found.attack("exact copies").control == 1.0
    assert not found.leaks


def test_broken_dependence_is_seen():
    train, test, made = people(600, 0), people(600, 1), people(600, 2)
    made = made.assign(until=np.random.default_rng(0).permutation(made["until"]))
    found = quick(train, test, made, constraints=["age <= until", "0 <= age < 200"])
    assert {"pair trends", "detection"} <= {one.name for one in found.worse}
    assert "column shapes" not in {one.name for one in found.worse}
    assert {found.worst_pairs(1)[0].first, found.worst_pairs(1)[0].second} <= {"age", "until", "born"}
    first, second = found.constraints
    assert 0.3 < first.value < 0.6
    assert first.real == second.value == 0.0


def test_rare_categories_collapse_and_rows_outside():
    train, test, made = people(600, 0), people(600, 1), people(600, 2)
    dull = pd.concat([made[made["city"] != "rare"][:20]] * 30).assign(age=99)
    found = quick(train, test, dull)
    assert found.score("rare categories").value == 0.0
    assert found.score("rare categories").real == 1.0
    assert found.score("distinct rows").value == pytest.approx(20 / 600)
    assert found.score("rows outside").value == 1.0
    assert {"distinct rows", "rows outside", "column shapes"} <= {one.name for one in found.worse}
    city, age = (next(one for one in found.columns if one.name == name) for name in ("city", "age"))
    assert (city.rare, city.covered, city.categories) == (1, 0, 4)
    assert (age.outside, age.kind) == (1.0, "number")


# -- containers, odd tables --------------------------------------------------------------------------------------------


def test_any_container_tells_the_same():
    train, test, made = people(200, 0), people(200, 1), people(200, 2)
    first = quick(train, test, made, target="sick").to_dict()
    days = made.assign(born=made["born"].astype("datetime64[s]"))
    mixed = quick(pl.from_pandas(train), pa.Table.from_pandas(test), days[train.columns[::-1]], target="sick").to_dict()
    assert mixed == first
    assert quick(train, test, made, target="sick", random_state=0).to_dict() == first
    json.dumps(first, allow_nan=False)


def test_booleans_are_numbers_elsewhere():
    rng = np.random.default_rng(0)
    real, test, made = (pd.DataFrame({"b": rng.random(100) < 0.5}) for _ in range(3))
    found = quick(real, test, made.astype(int))
    assert found.columns[0].kind == "category"
    assert found.columns[0].shape > 0.8
    assert found.columns[0].outside == 0.0


def test_two_rows_and_one_column_get_an_answer():
    two = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    found = az.evaluate_synthetic(two, two, two, target="b")
    assert found.score("column shapes").value == found.score("pair trends").value == 1.0
    assert found.attacks == ()
    assert [note.split(":")[1].strip() for note in found.notes] == ["detection", "target 'b'", "copies and attacks"]
    assert "no attack could be made, which says nothing" in found.headline
    rng = np.random.default_rng(0)
    one = az.evaluate_synthetic(*rng.normal(size=(3, 80, 1)), target=0)
    assert "left out: pair trends: there is one column" in one.notes
    assert "left out: target 0: there is no other column to tell it from" in one.notes
    assert not one.leaks


def test_empty_and_constant_columns_get_an_answer():
    rng = np.random.default_rng(0)

    def table():
        return pd.DataFrame({"x": rng.normal(size=60), "gone": np.nan, "none": [None] * 60, "same": 1, "also": "a"})

    found = az.evaluate_synthetic(table(), table(), table(), target="x")
    assert {one.name: one.kind for one in found.columns}["none"] == "empty"
    assert "without any value in the three tables: gone, none" in found.notes
    assert not found.leaks
    assert not found.worse
    ones = np.ones((40, 2))
    same = az.evaluate_synthetic(ones, ones, ones)
    assert [one.name for one in same.attacks] == ["exact copies"]
    assert "all training rows are equal" in same.notes[-1]


def test_many_categories():
    rng = np.random.default_rng(0)

    def table(n):
        return pd.DataFrame({"key": [f"k{at}" for at in rng.integers(0, 10_000, n)], "x": rng.normal(size=n)})

    found = az.evaluate_synthetic(table(700), table(700), table(700), target="key")
    assert any("a name or a key is better left out" in note for note in found.notes)
    assert any("classes; 40 can be learned" in note for note in found.notes)
    assert not found.leaks
    json.dumps(found.to_dict(), allow_nan=False)


def test_large_tables_are_sampled_but_copies_searched_in_all_rows():
    rng = np.random.default_rng(0)
    train, test, made = rng.normal(size=(3, 3000, 2))
    made[:30] = train[-30:]
    found = az.evaluate_synthetic(train, test, made, max_rows=200, sensitive=[])
    assert found.attack("exact copies").detail("rows") == pytest.approx(30)
    assert found.rows == (3000, 3000, 3000)
    assert "at most 200 were drawn" in found.notes[0]


# -- constraints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("a <= b", 0.25),
        ("a < b", 0.5),
        ("a != b", 0.25),
        ("`the sum` == a + b", 0.25),
        ("0 <= a < 4", 0.0),
        ("a * 2 - 1 >= -b / 2", 0.0),
        ("day >= '1970-01-02'", 0.25),
        (("a", "<=", 2), 0.25),
        (("a", ">", "b"), 0.5),
    ],
)
def test_rules(rule, broken):
    made = pd.DataFrame(
        {
            "a": [1.0, 2, 3, np.nan],
            "b": [1.0, 4, 2, 1],
            "the sum": [2.0, 6, 6, 1],
            "day": np.array(["1969-12-31", "1970-01-02", "2000-01-01", "NaT"], "datetime64[us]"),
        }
    )
    (found,) = quick(made, made, made, constraints=rule).constraints
    assert found.value == found.real == broken


# -- what is refused ---------------------------------------------------------------------------------------------------

GOOD = pd.DataFrame({"a": [1.0, 2.0] * 10, "b": ["x", "y"] * 10})


@pytest.mark.parametrize(
    ("given", "asked", "message"),
    [
        ((GOOD, GOOD[["a"]], GOOD), {}, "real_test lacks the column 'b'; give all three tables the same columns"),
        ((GOOD, GOOD, GOOD.assign(c=1)), {}, "synthetic has, and real_train lacks, the column 'c'"),
        (
            (GOOD, GOOD, GOOD.assign(a="z")),
            {},
            "column 'a' is numeric in real_train, .* categorical in synthetic",
        ),
        ((GOOD, GOOD, GOOD.assign(a=np.inf)), {}, "column 'a' of synthetic holds infinity; replace it first"),
        ((GOOD, GOOD, GOOD[:0]), {}, "synthetic: Found array with 0 sample"),
        (("a.csv", GOOD, GOOD), {}, "real_train: expected rows in memory, got the path 'a.csv'"),
        ((np.ones((9, 2)), np.ones((9, 2)), np.ones((9, 3))), {}, "synthetic has 3 columns and real_train 2"),
        ((GOOD, GOOD, GOOD), {"target": "z"}, "target 'z': there is no such column; the tables have 'a', 'b'"),
        ((GOOD, GOOD, GOOD), {"target": True}, "there is no such column"),
        ((GOOD, GOOD, GOOD), {"sensitive": ["b", "z"]}, "sensitive 'z': there is no such column"),
        ((GOOD, GOOD, GOOD), {"max_rows": 3}, "max_rows: expected a whole number of at least 10, got 3"),
        ((GOOD, GOOD, GOOD), {"constraints": "b < 1"}, "column 'b' holds no numbers or dates"),
        ((GOOD, GOOD, GOOD), {"constraints": "q < 1"}, "there is no column 'q'"),
        ((GOOD, GOOD, GOOD), {"constraints": "__import__('os') == a"}, "there is no column '__import__'"),
        ((GOOD, GOOD, GOOD), {"constraints": "abs(a) < 1"}, "there is no column 'abs'"),
        ((GOOD, GOOD, GOOD), {"constraints": "a[0] < 1"}, r"'a\[0\]' is neither a column, a number"),
        ((GOOD, GOOD, GOOD), {"constraints": "a < 'x'"}, "'x' is no date"),
        ((GOOD, GOOD, GOOD), {"constraints": "a +"}, "it cannot be read"),
        ((GOOD, GOOD, GOOD), {"constraints": "1 < 2"}, "it names no column"),
        ((GOOD, GOOD, GOOD), {"constraints": [3]}, "it is no text"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(given, asked, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        quick(*given, **asked)
    assert str(caught.value).startswith("evaluate_synthetic: ")
    assert "\n" not in str(caught.value)


# -- the record --------------------------------------------------------------------------------------------------------


def test_the_record(fresh):
    told = json.loads(json.dumps(fresh.to_dict(), allow_nan=False))
    assert told["rows"] == {"real_train": 500, "real_test": 500, "synthetic": 500}
    assert told["scores"][0]["name"] == "column shapes"
    assert told["attacks"][0] == fresh.attacks[0].to_dict()
    with pytest.raises(dataclasses.FrozenInstanceError):
        fresh.scores = ()
    with pytest.raises(KeyError, match="no score 'nothing'; there are column shapes, pair trends, detection"):
        fresh.score("nothing")
    with pytest.raises(KeyError, match="no attack 'nothing'; there are exact copies"):
        fresh.attack("nothing")
    text = fresh.text()
    shapes = fresh.score("column shapes")
    assert f"{shapes.value:.3f} [{shapes.low:.3f}, {shapes.high:.3f}]" in text
    assert "tells sick" in text
    assert "<pre>" in fresh._repr_html_()
    assert repr(fresh).startswith("SyntheticReport(0 of ")
    names = [label.get_text() for label in fresh.plot().get_yticklabels()]
    assert names[0] == "column shapes (similarity)"
    assert len(names) == len(fresh.scores) + len(fresh.utility) + len(fresh.attacks)
