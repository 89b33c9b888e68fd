"""What an anonymizer releases: less of what is sensitive, in the rows' own schema, and what it refuses."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

import azogue as az
from azogue.applications.labelling import bases, dropped, labels, together
from azogue.applications.releasing import Draws, drawn, mapped, usual
from azogue.applications.replacing import SURE, Replacement
from azogue.applications.twins import nearest, of_groups, of_rows


def told(X, label, model=None):
    """The balanced accuracy with which a label is told from rows, cross-validated."""
    X = np.asarray(X, dtype=float).reshape(len(X), -1)
    model = LogisticRegression(max_iter=1000) if model is None else model
    return balanced_accuracy_score(label, cross_val_predict(model, X, label, cv=5))


def people(persons=5, each=60, seed=0):
    """Windows of two movements, which each person performs at a height of their own."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(persons), each)
    kind = rng.integers(0, 2, len(person))
    time = np.arange(24) / 24
    wave = np.sin(2 * np.pi * (1 + kind)[:, None] * time + rng.uniform(0, 0.6, len(person))[:, None])
    height = rng.normal(0, 0.6, (persons, 2))[person]
    X = np.stack([wave + height[:, :1], 0.5 * wave + height[:, 1:]], 2) + 0.1 * rng.normal(size=(len(person), 24, 2))
    return X.astype(np.float32), person, kind


def table(n=600, seed=0):
    """A table where one column gives the sensitive one away and another tells what is useful."""
    rng = np.random.default_rng(seed)
    sex = rng.integers(0, 2, n)
    useful = rng.integers(0, 2, n)
    return pd.DataFrame(
        {
            "height": 165 + 12 * sex + 3 * rng.normal(size=n),
            "title": pd.Categorical(np.where(rng.random(n) < 0.95, np.where(sex, "Mr", "Ms"), "Dr")),
            "score": 10 * useful + 2 * rng.normal(size=n),
            "visits": rng.integers(0, 5, n),
            "sex": pd.Categorical(np.where(sex, "m", "f")),
            "paid": useful.astype(bool),
        }
    )


# -- parts -------------------------------------------------------------------------------------------------------------


def test_twins_are_the_nearest_rows_of_each_group_less_its_mean():
    x = np.array([[0.0, 0.0], [1.0, 1.0], [10.0, 5.0], [12.0, 7.0]], dtype=np.float32)
    groups = np.array([0, 0, 1, 1])
    twins = of_groups(x, groups, np.zeros(4, int), np.random.default_rng(0))
    # centred, the first of each group lies low and the second high: they are each other's twins
    assert twins.tolist() == [[5.0, 2.5], [6.5, 4.0], [5.0, 2.5], [6.5, 4.0]]
    apart = of_groups(x, groups, np.array([0, 1, 1, 0]), np.random.default_rng(0))
    assert apart.tolist() == [[6.0, 3.5], [5.5, 3.0], [5.5, 3.0], [6.0, 3.5]]


def test_means_of_rows_take_the_nearest_of_the_same_class():
    x = np.array([[0.0], [1.0], [10.0], [11.0], [0.4]], dtype=np.float32)
    assert of_rows(x, np.array([0, 0, 0, 0, 1]), 2)[:, 0].tolist() == pytest.approx([0.5, 0.5, 10.5, 10.5, 0.4])
    assert nearest(x, np.array([[9.0], [0.1]], dtype=np.float32)).tolist() == [1, 1, 0, 0, 1]


def test_labels_come_as_columns_arrays_dicts_and_frames():
    frame = table(100)
    (found,) = labels("sex", frame, 100, "sensitive", True)
    assert (found.name, found.classes, found.column) == ("sex", ("f", "m"), 4)
    assert found.codes.tolist() == (frame.sex == "m").astype(int).tolist()
    (cut,) = labels("height", frame, 100, "sensitive", True)
    assert len(cut.classes) == 5
    assert np.bincount(cut.codes).tolist() == [20] * 5
    by_name = labels({"a": frame.sex, "b": frame.paid}, None, 100, "sensitive", False)
    by_frame = labels(frame[["sex", "paid"]], None, 100, "sensitive", False)
    assert [one.codes.tolist() for one in by_name] == [one.codes.tolist() for one in by_frame]
    target = together(by_name)
    assert bases(by_name) == [1, 2]
    assert target.tolist() == ((frame.sex == "m") + 2 * frame.paid).tolist()
    three = labels({"a": frame.visits % 3, "b": frame.sex}, None, 100, "sensitive", False)
    assert bases(three) == [1, 3]
    assert together(three).tolist() == (frame.visits % 3 + 3 * (frame.sex == "m")).tolist()
    holes = labels(np.array([None, "x", "y", "x"] * 2, dtype=object), None, 8, "sensitive", False)[0]
    assert holes.classes == ("missing", "x", "y")


def test_classes_of_one_row_count_as_one():
    (found,) = labels(np.array(["a"] * 50 + ["b"] * 50 + ["c", "d"]), None, 102, "sensitive", False)
    assert found.classes == ("rare", "a", "b")
    assert found.shares == pytest.approx((2 / 102, 50 / 102, 50 / 102))


def test_columns_are_dropped_from_any_table():
    frame = table(20)
    assert list(dropped(frame, [0, 4]).columns) == ["title", "score", "visits", "paid"]
    assert dropped(pl.from_pandas(frame), [0]).columns == list(frame.columns[1:])
    assert dropped(np.arange(6).reshape(2, 3), [1]).tolist() == [[0, 2], [3, 5]]


def test_drawn_rows_follow_the_probabilities_and_mapped_ones_the_columns():
    frame = pd.DataFrame({"x": np.r_[np.zeros(500), np.arange(1.0, 501) + 1000], "kind": ["a", "b"] * 500})
    schema = az.modalities.Table().fit(frame)
    batch = schema.pack(frame)
    out = batch.x.numpy().copy()
    head = next(head for head in schema.heads if head.kind == "categorical")
    out[:, head.slots] = [0.7, 0.2, 0.1]  # the last is for other values
    made = drawn(out, schema, 0.01, np.random.default_rng(0))
    assert (made[:, head.slots].sum(1) == 1).all()
    assert made[:, head.slots].mean(0).tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.04)
    kept = usual(made, batch, schema)
    back = schema.unpack(mapped(made, kept))
    assert (back.x == 0).mean() == pytest.approx(0.5, abs=0.01)  # the heap stays a heap
    assert back.x.isin(frame.x).all()  # and nothing lies on the way from it to the next value
    slot = next(head for head in schema.heads if head.kind == "gaussian").slots
    assert (made[:, slot] - out[:, slot]).std() == pytest.approx(0.01, rel=0.1)
    assert back.x.max() == 1500.0
    again = mapped(made[:10], kept)  # whatever the rows beside them
    assert np.array_equal(again, mapped(made, kept)[:10])


# -- methods -----------------------------------------------------------------------------------------------------------


def test_a_table_keeps_its_schema_and_its_use_and_hides_what_is_sensitive():
    frame = table(1500)
    sex, useful = (frame.sex == "m").to_numpy(), frame.paid.to_numpy()
    own = az.Autoencoder((64, 16), epochs=120, batch_size=64, learning_rate=az.optimizers.Cosine(3e-3))
    hidden = az.Anonymizer(own, sensitive="sex", utility="paid", random_state=0).fit(frame)
    out = hidden.transform(frame)
    assert out.dtypes.equals(frame.dtypes)
    assert out.columns.equals(frame.columns)
    assert out.index.equals(frame.index)
    assert out.paid.equals(frame.paid)

    def read(rows):
        return pd.get_dummies(rows[["height", "title", "visits", "score"]]).astype(float)

    tree = KNeighborsClassifier(15)
    assert told(read(frame), sex) > 0.95
    assert told(read(out), sex) < 0.6
    assert told((read(out) - read(out).mean()) / read(out).std(), sex, tree) < 0.62
    assert told(out[["score"]], useful) > told(frame[["score"]], useful) - 0.05
    assert balanced_accuracy_score(sex, out.sex == "m") == pytest.approx(0.5, abs=0.05)
    assert (out.sex == "m").mean() == pytest.approx(sex.mean(), abs=0.05)
    assert az.privacy.column_shapes(frame, out) > 0.9
    none = az.Anonymizer(own, sensitive="sex", strength=0.0, random_state=0).fit(frame).transform(frame)
    assert told(read(none), sex) > 0.9


def test_windows_become_the_mean_of_several_people():
    X, person, kind = people()
    hidden = az.Anonymizer(random_state=0).fit(X, sensitive=person, utility=kind)
    out = hidden.transform(X)
    assert hidden.method_ == "average"
    assert (out.shape, out.dtype) == (X.shape, X.dtype)
    assert told(X.mean(1), person) > 0.8
    assert told(out.mean(1), person) < 0.5
    assert told(out, kind) > 0.95
    flat, made = X.reshape(len(X), -1), out.reshape(len(X), -1)
    assert np.median([np.corrcoef(a, b)[0, 1] for a, b in zip(flat, made, strict=True)]) > 0.6


def test_unsure_rows_take_near_codes_and_sure_ones_any():
    rng = np.random.default_rng(0)
    stay = np.concatenate([rng.normal(size=(40, 2)), rng.normal(size=(40, 2)) + 50.0])
    scale = np.ones(2)
    there = Replacement(None, np.zeros(4), np.zeros(1), np.zeros(2), scale, stay)
    codes = np.full((60, 2), 25.0) + 20.0 * np.sign(rng.random((60, 1)) - 0.5)  # 7 from one heap, 64 from the other
    draws = Draws.of_rows(rng.normal(size=(60, 3)), 0)
    for odds, low, high in ((np.full(60, SURE - 1), 60, 60), (np.full(60, SURE + 1), 15, 45)):
        found = there._between(codes, odds, draws)
        near = np.abs(found - codes).max(1) < 20
        assert low <= near.sum() <= high
        own = np.sort(np.linalg.norm(found[:, None] - stay, axis=2), axis=1)
        assert (own[:, 0] < 3).all(), "on the way between codes that stay"
        assert (own[:, 0] > 0).mean() > 0.9, "no copies of them"


def test_rows_that_show_what_is_sensitive_are_replaced():
    X, _person, kind = people()
    third = np.arange(len(X)) % 3 == 0
    X[third] *= 2.5  # a third movement
    label = np.where(third, "secret", np.where(kind == 1, "run", "walk"))
    hidden = az.Anonymizer(replace="secret", random_state=0).fit(X, sensitive=label)
    out = hidden.transform(X)
    size = np.abs(out).max((1, 2))
    assert told(np.abs(X).max((1, 2)), third, KNeighborsClassifier(15)) > 0.9
    assert told(size, third, KNeighborsClassifier(15)) < 0.65
    stay = ~third
    assert told(out[stay], kind[stay]) > 0.95


def test_without_labels_rows_move_to_their_neighbours():
    X = np.random.default_rng(0).normal(size=(200, 4))
    out = az.Anonymizer(random_state=0).fit(X).transform(X)
    distance = np.linalg.norm(out[:, None] - X[None], axis=2)
    assert (distance.argmin(1) == np.arange(200)).mean() < 0.5  # their own row is not the nearest any more
    assert np.mean([np.corrcoef(X[:, at], out[:, at])[0, 1] for at in range(4)]) > 0.5


@pytest.mark.trained
def test_rare_categories_and_a_sensitive_column_can_be_averaged():
    frame = table(80)
    frame["town"] = ["rare", *["here", "there"] * 39, "odd"]
    hidden = az.Anonymizer(sensitive="sex", method="average", random_state=0).fit(frame)
    out = hidden.transform(frame)
    assert out.columns.equals(frame.columns)
    assert set(out.town) <= {"rare", "here", "there", "odd"}
    assert told(out[["height"]], frame.sex == "m") < 0.75 < told(frame[["height"]], frame.sex == "m")


def test_draws_depend_on_row_and_seed():
    x = np.arange(4, dtype=np.float32).reshape(2, 2)
    one, other = Draws.of_rows(x, 1).normal((2, 3)), Draws.of_rows(x, 2).normal((2, 3))
    assert np.array_equal(Draws.of_rows(x[::-1], 1).normal((2, 3)), one[::-1])
    assert not (one == other).any()


def test_a_row_gives_the_same_release_wherever_it_stands():
    X, person, _ = people(each=10)
    hidden = az.Anonymizer(random_state=0).fit(X, sensitive=person)
    out = hidden.transform(X)
    assert np.array_equal(hidden.transform(X[::-1]), out[::-1])
    assert np.array_equal(hidden.transform(X[7:9]), out[7:9])
    frame = table(60)
    hidden = az.Anonymizer(sensitive="sex", random_state=0).fit(frame)
    assert hidden.transform(frame[20:30]).equals(hidden.transform(frame)[20:30])
    assert np.abs(out - hidden_noise_free(X, person)).std() > 0.05


def hidden_noise_free(X, person):
    return az.Anonymizer(noise=0.0, random_state=0).fit(X, sensitive=person).transform(X)


def test_pictures_keep_their_dtype():
    from sklearn.datasets import load_digits

    X = (load_digits().images[:200] * 15).astype(np.uint8)
    out = az.Anonymizer(random_state=0).fit(X, utility=load_digits().target[:200]).transform(X)
    assert (out.shape, out.dtype) == (X.shape, X.dtype)
    assert not np.array_equal(out, X)


def test_a_fitted_autoencoder_serves():
    X = np.random.default_rng(0).normal(size=(100, 4))
    inner = az.Autoencoder(2, epochs=3, random_state=0).fit(X)
    hidden = az.Anonymizer(FrozenEstimator(inner), noise=0.0, random_state=0).fit(X)
    assert hidden.autoencoder_ is inner
    assert hidden.method_ == "reconstruct"
    with pytest.raises(ValueError, match="'average' is not possible here: a fitted autoencoder is used as it is"):
        az.Anonymizer(FrozenEstimator(inner), method="average").fit(X)
    with pytest.raises(ValueError, match="epsilon: nothing is trained where the autoencoder is fitted already"):
        az.Anonymizer(FrozenEstimator(inner), epsilon=1.0).fit(X)


def test_it_is_saved_with_what_it_needs(tmp_path):
    frame = table(200)
    frame.loc[::7, "score"] = np.nan
    models = [
        (az.Anonymizer(sensitive="sex", utility="paid", method="adversarial", random_state=0), frame, {}),
        (az.Anonymizer(random_state=0, replace=1), people(each=20)[0], {"sensitive": people(each=20)[2]}),
    ]
    for number, (model, X, told_of) in enumerate(models):
        released = model.fit(X, **told_of).transform(X)
        model.save(tmp_path / f"{number}.azogue")
        again = az.load(tmp_path / f"{number}.azogue").transform(X)
        if isinstance(X, pd.DataFrame):
            assert again.equals(released)
            assert again.score.isna().equals(frame.score.isna())
        else:
            assert np.array_equal(again, released)


def test_private_training_says_what_it_guarantees():
    pytest.importorskip("opacus")
    X = np.random.default_rng(0).normal(size=(200, 4))
    own = az.Autoencoder((8, 2), epochs=2, batch_size=50)
    hidden = az.Anonymizer(own, epsilon=2.0, random_state=0).fit(X)
    assert hidden.guarantee_.epsilon <= 2.0
    assert hidden.transform(X).shape == X.shape
    with pytest.raises(ValueError, match="'adversarial' is not possible here: what protects would learn"):
        az.Anonymizer(sensitive=[0], method="adversarial", epsilon=2.0).fit(X)


def test_the_audit_asks_for_the_columns_by_itself():
    frame = table(300)
    hidden = az.Anonymizer(sensitive="sex", utility="paid", random_state=0).fit(frame)
    report = hidden.audit(frame)
    names = [attack.name for attack in report.attacks]
    assert any("sex" in name for name in names)
    assert report.text().startswith("pseudonymised")
    (weak, first), (strong, second) = hidden.tradeoff(frame, (0.0, 1.0))
    assert (weak, strong) == (0.0, 1.0)
    by_strength = [max(a.value for a in r.attacks if "sex" in a.name) for r in (first, second)]
    assert by_strength[0] > by_strength[1] + 0.2


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sensitive": "age"}, r"sensitive 'age': there is no such column; the table has 'height', 'title'"),
        ({"sensitive": "same"}, r"sensitive: 'same' has the one value 'x' in all rows: nothing to tell apart"),
        (
            {"method": "magic"},
            r"method: expected one of auto, counterfactual, adversarial, average, replace, reconstruct, got 'magic'",
        ),
        ({"method": "adversarial"}, r"method: 'adversarial' needs sensitive labels; give sensitive="),
        ({"strength": -1.0}, r"strength: expected a number of at least 0, got -1.0"),
        ({"noise": "much"}, r"noise: expected 'auto' or a number of at least 0, got 'much'"),
        ({"sensitive": "sex", "replace": "m"}, r"method: 'replace' is for windows and pictures"),
    ],
)
def test_what_makes_no_sense_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        az.Anonymizer(**changes).fit(table(30).assign(same="x"))


def test_labels_that_do_not_fit_are_refused():
    X, person, _ = people(each=10)
    with pytest.raises(ValueError, match=r"sensitive: 'sensitive': expected a label for each of 50 rows"):
        az.Anonymizer().fit(X, sensitive=person[:10])
    with pytest.raises(TypeError, match="'person' names columns, but the rows are no table"):
        az.Anonymizer(sensitive="person").fit(X)
    with pytest.raises(ValueError, match=r"replace: 'sensitive' has no '9'; there are '0', '1'"):
        az.Anonymizer(replace=9).fit(X, sensitive=person)
    with pytest.raises(ValueError, match="at least 2 rows"):
        az.Anonymizer().fit(X[:1])
    with pytest.raises(ValueError, match="these are all columns"):
        az.Anonymizer(sensitive=["a", "b"]).fit(pd.DataFrame({"a": [1, 2, 3], "b": [1, 0, 1]}))


def test_two_rows_and_groups_of_one_person_work():
    frame = table(30)
    assert (
        len(az.Anonymizer(random_state=0).fit(frame[["height", "score"]][:2]).transform(frame[["height", "score"]]))
        == 30
    )
    X, _, _ = people(persons=12, each=1)
    assert az.Anonymizer(random_state=0).fit(X, sensitive=np.arange(12)).transform(X).shape == X.shape
