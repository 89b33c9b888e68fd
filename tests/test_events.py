"""Sequences of events: their symbols, the recurrent decoder, what is drawn, and what cannot be had."""

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from typer.testing import CliRunner

import azogue as az
from azogue.cli.app import app
from azogue.layers import Autoregressive
from azogue.modalities import Events, EventsSchema, as_modality, kind_of, schema_from_dict
from azogue.recipe import Rng
from azogue.telling import AutoregressiveModule

CHAIN = np.array([[0.1, 0.7, 0.2], [0.6, 0.1, 0.3], [0.3, 0.3, 0.4]])


def records(n, seed=0):
    """Two to four visits of a kind each, kinds by a Markov chain; "x" and "y" come together, at kind "a" alone."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(n):
        kind, record = rng.integers(3), []
        for _ in range(rng.integers(2, 5)):
            record.append(["abc"[kind], *(("x", "y") if kind == 0 and rng.random() < 0.5 else ())])
            kind = rng.choice(3, p=CHAIN[kind])
        found.append(record)
    return found


def long_table(rows):
    lines = [
        (f"patient {at}", pd.Timestamp("2020-01-01") + pd.Timedelta(days=3 * day), event)
        for at, record in enumerate(rows)
        for day, visit in enumerate(record)
        for event in visit
    ]
    return pd.DataFrame(lines, columns=["patient", "day", "code"])


def transitions(rows):
    found = np.zeros((3, 3))
    for record in rows:
        kinds = [next(("abc".index(event) for event in visit if event in "abc"), None) for visit in record]
        for a, b in pairwise(kinds):
            if a is not None and b is not None:
                found[a, b] += 1
    return found / found.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def rows():
    return records(600)


@pytest.fixture(scope="module")
def model(rows):
    schema = Events().fit(rows)
    network = az.Recurrent(8) + az.Bottleneck(2) + Autoregressive(32, *schema.shape, rising=schema.rising)
    inner = az.VariationalAutoencoder(
        network, epochs=25, batch_size=32, learning_rate=1e-2, validation_fraction=0.0, modality="events"
    )
    return az.Synthesizer(inner, random_state=0).fit(rows)


# -- the modality ------------------------------------------------------------------------------------------------------


def test_symbols_are_events_then_what_closes_a_visit_then_the_end():
    schema = Events().fit([[["b", "a"], ["a"]], [["a"]]])
    assert schema.events == ("a", "b")
    assert schema.shape == (6, 4)
    assert schema.symbols([[["b", "a"], []], []]).tolist() == [[0, 1, 2, 2, 3, 3], [3] * 6]
    assert schema.unpack(schema.pack([[["b", "a"], []], []])) == [[["a", "b"], []], []]
    assert schema.pack([[["a"]]]).mask is None  # all places count, or short records would weigh more


def test_visits_of_one_event_are_not_closed():
    schema = Events().fit([["in", "look", "buy"], ["in"], []])
    assert (schema.single, schema.rising, schema.shape) == (True, 0, (4, 4))
    assert schema.unpack(schema.pack([["look", "look"], []])) == [["look", "look"], []]


@pytest.mark.parametrize("turn", [lambda x: x, pl.from_pandas, pa.Table.from_pandas], ids=["pandas", "polars", "arrow"])
def test_long_tables_come_back_as_long_tables(turn):
    table = long_table([[["a", "x"], ["b"]], [["c"]]]).sample(frac=1.0, random_state=1)
    schema = Events("patient", "day", "code").fit(turn(table))
    back = schema.unpack(schema.pack(turn(table)))
    assert type(back) is type(turn(table))
    frame = back if isinstance(back, pd.DataFrame) else back.to_pandas()
    assert sorted(map(tuple, frame.to_numpy().tolist())) == [
        ("patient 0", 1, "a"),
        ("patient 0", 1, "x"),
        ("patient 0", 2, "b"),
        ("patient 1", 1, "c"),
    ]


def test_a_schema_comes_back_from_json():
    schema = Events("p", "d", "c", length=3).fit([[["a", "b"]]])
    data = json.loads(json.dumps(schema.to_dict()))
    assert schema_from_dict(data) == schema
    for key, wrong in {"events": ["a", "a"], "length": 0, "columns": ["p"], "single": 1, "container": "csv"}.items():
        with pytest.raises(ValueError, match="not the schema of events"):
            EventsSchema.from_dict({**data, key: wrong})


def test_what_is_lost_is_told_once():
    schema = Events(length=3).fit([[["a", "b"]]])
    with pytest.warns(UserWarning, match="left out: 'z'"):
        assert schema.unpack(schema.pack([[["a", "z"]]])) == [[["a"]]]
    with pytest.warns(UserWarning, match="1 record is longer than 3 places"):
        schema.pack([[["a", "b"], ["a"]]])


def test_kinds_of_data():
    assert kind_of([[{"a"}, ["b"]], []]) == kind_of([[], [["a"]]]) == "events"
    assert kind_of([["a", "b"], ["c", "d"]]) == "table"
    assert as_modality("events", "auto") == Events()


@pytest.mark.parametrize(
    ("X", "kind", "said"),
    [
        ([[["a"]], "b"], TypeError, "record 1 is str"),
        ([[["a", 3]]], TypeError, "record 0 holds"),
        ([[[]], []], ValueError, "no record of X has an event"),
        ([], ValueError, "no records"),
        (np.zeros(3), TypeError, "a list of records, or a table of id, order, event"),
        (pd.DataFrame({"id": [1], "order": [1]}), ValueError, "no column 'event'"),
        (pd.DataFrame({"id": [1, None], "order": [1, 2], "event": ["a", "b"]}), ValueError, "1 cells of 'id'"),
        (pd.DataFrame({"id": [1], "order": [1], "event": [0.5]}), TypeError, "not names of events"),
    ],
)
def test_bad_records_are_one_line(X, kind, said):
    with pytest.raises(kind, match=said):
        Events().fit(X)


@pytest.mark.parametrize("settings", [{"id": "order"}, {"length": 0}, {"length": 1.5}])
def test_bad_settings(settings):
    with pytest.raises(ValueError, match="Events: "):
        Events(**settings)


# -- the decoder -------------------------------------------------------------------------------------------------------


@pytest.fixture
def decoder():
    return AutoregressiveModule(2, Autoregressive(5, 6, 4, rising=2), Rng(0))


def one_hot(symbols, count=4):
    return torch.eye(count)[torch.tensor(symbols)].reshape(len(symbols), -1)


def test_a_step_depends_on_what_came_before_alone(decoder):
    z = torch.randn(1, 2, generator=torch.Generator().manual_seed(0))
    a, b = (decoder.joined(z, one_hot([row]), None).view(6, 4) for row in ([0, 1, 2, 0, 2, 3], [0, 1, 2, 1, 2, 2]))
    assert torch.equal(a[:4], b[:4])
    assert not torch.allclose(a[4], b[4])


def test_what_cannot_follow_has_no_probability(decoder):
    share = decoder.joined(torch.zeros(1, 2), one_hot([[0, 1, 2, 3, 3, 3]]), None).view(6, 4).softmax(1)
    assert (share[0] > 0).all()
    assert share[1, 0] == share[1, 3] == 0.0  # behind 0: neither 0 nor the end of a record whose visit is open
    assert share[2, 0] == share[2, 1] == 0.0  # behind 1
    assert (share[3] > 0).all()  # behind a closed visit
    assert torch.equal(share[4], torch.tensor([0.0, 0.0, 0.0, 1.0]))  # behind the end


def test_a_row_does_not_depend_on_its_batch(decoder):
    z = torch.randn(3, 2, generator=torch.Generator().manual_seed(1))
    rows = one_hot([[0, 2, 3, 3, 3, 3], [0, 1, 2, 1, 2, 3], [3] * 6])
    whole = decoder.joined(z, rows, None)
    alone = torch.cat([decoder.joined(z[[at]], rows[[at]], None) for at in range(3)])
    assert torch.allclose(whole, alone, atol=1e-6)


def test_drawn_symbols_have_the_probabilities_that_are_told(decoder):
    with torch.no_grad():
        decoder.weight.mul_(5.0)
        decoder.told_weight.mul_(5.0)  # so that what came before matters
        drawn = decoder.draw(torch.zeros(4000, 2), torch.rand(4000, 6, generator=torch.Generator().manual_seed(0)))
        share = [decoder.joined(torch.zeros(1, 2), one_hot([[at] * 6]), None).view(6, 4).softmax(1) for at in (0, 1, 2)]
    assert np.allclose(np.bincount(drawn[:, 0], minlength=4) / 4000, share[0][0], atol=0.03)
    assert (share[0][1] - share[2][1]).abs().max() > 0.2
    for at in (0, 1, 2):
        behind = drawn[drawn[:, 0] == at][:, 1]
        assert len(behind) > 200
        assert np.allclose(np.bincount(behind, minlength=4) / len(behind), share[at][1], atol=0.08)


def test_soft_draws_are_symbols_and_have_gradients(decoder):
    z = torch.zeros(50, 2, requires_grad=True)
    drawn = decoder.soft(z, Rng(3))
    symbols = drawn.view(50, 6, 4)
    assert torch.allclose(symbols.sum(2), torch.ones(50, 6))
    assert torch.allclose(symbols, symbols.round(), atol=1e-6)
    drawn[:, ::4].sum().backward()
    assert z.grad.abs().sum() > 0
    assert decoder.told_weight.grad.abs().max() < 1e3  # what cannot follow has no part in it


def test_a_layer_says_what_it_cannot_be():
    with pytest.raises(ValueError, match="rising must be at most 2"):
        Autoregressive(4, 5, 4, rising=3)


# -- synthesis ---------------------------------------------------------------------------------------------------------


def test_statistics_come_back(rows, model):
    drawn = model.sample(3000)
    assert np.abs(transitions(drawn) - CHAIN).max() < 0.1
    lengths = np.bincount([min(len(record), 9) for record in drawn], minlength=10)[2:5] / len(drawn)
    assert np.abs(lengths - 1 / 3).max() < 0.08
    visits = [set(visit) for record in drawn for visit in record]
    assert np.mean([("x" in visit) == ("y" in visit) for visit in visits]) > 0.97
    assert np.mean(["x" in visit for visit in visits if "a" in visit]) == pytest.approx(0.5, abs=0.08)
    assert not any("x" in visit and "a" not in visit for visit in visits) or (
        np.mean(["a" in visit for visit in visits if "x" in visit]) > 0.97
    )


def test_same_seed_same_records_and_files_hold_all(rows, model, tmp_path):
    first = model.sample(20, random_state=3)
    assert first == model.sample(20, random_state=3) != model.sample(20, random_state=4)
    assert model.sample(0) == []
    model.save(tmp_path / "model.azogue")
    again = az.load(tmp_path / "model.azogue")
    assert again.sample(20, random_state=3) == first
    assert np.array_equal(again.encode(rows[:5]), model.encode(rows[:5]))
    assert np.array_equal(again.score_samples(rows[:5]), model.score_samples(rows[:5]))


def test_usual_records_score_higher_than_shuffled_ones(rows, model):
    assert model.encode(rows[:7]).shape == (7, 2)
    strange = [[["x"], ["y", "c"], ["x", "b"]] for _ in range(5)]
    assert model.score_samples(rows[:50]).mean() > model.score_samples(strange).mean() + 5


def test_between_two_records(rows, model):
    assert len(model.interpolate(rows[:1], rows[1:2], 4)) == 4


def test_two_adversaries():
    model = az.Synthesizer(method="adversarial", random_state=0)
    table = long_table(records(40)).rename(columns={"patient": "id", "day": "order", "code": "event"})
    network = az.Recurrent(8) + az.Bottleneck(2) + Autoregressive(16, 21, 7, rising=5)
    objective = az.objectives.HeadLoss() + 0.1 * az.objectives.SequenceAdversary((8,))
    inner = az.AdversarialAutoencoder(network, objective=objective, epochs=4, modality=Events(length=21))
    model.set_params(autoencoder=inner)
    drawn = model.fit(table).sample(5)
    assert list(drawn.columns) == ["id", "order", "event"]
    assert set(drawn["id"]) <= {1, 2, 3, 4, 5}
    record = model.autoencoder_.history_[-1]
    assert {"adversary", "sequence_adversary"} <= set(record)
    assert sum("loss" in name for name in record) >= 3
    assert np.isfinite([value for value in record.values() if isinstance(value, float)]).all()
    assert model.mixture_["means"].shape == (1, 2), "codes come from a mixture fitted to those of the records"
    codes = model.encode(table)
    assert np.allclose(model.mixture_["means"][0], codes.mean(0), atol=1e-4)
    usual = model.sample(30)
    model.mixture_ = {**model.mixture_, "means": model.mixture_["means"] + 50.0}
    assert not model.sample(30).equals(usual)
    assert model.set_params(components=0).fit(table).mixture_ == {}


def test_a_second_adversary_needs_a_decoder_that_tells():
    objective = az.objectives.HeadLoss() + az.objectives.SequenceAdversary()
    with pytest.raises(TypeError, match="Autoregressive"):
        az.AdversarialAutoencoder(2, objective=objective, epochs=1).fit(np.zeros((20, 3)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"method": "masked"}, "is for tables"),
        ({"method": "variational"}, "drawn by 'recurrent'"),
        ({"constraints": ["a <= b"]}, "between columns of a table"),
        ({"components": -1}, "components: expected"),
    ],
)
def test_what_is_not_for_events(rows, settings, said):
    with pytest.raises(ValueError, match=said):
        az.Synthesizer(**settings).fit(rows)


def test_events_have_no_columns(rows, model):
    with pytest.raises(ValueError, match="conditions are on the columns of a table"):
        model.sample(3, where={"a": 1})
    with pytest.raises(TypeError, match="not for sequences of events"):
        model.evaluate(rows, rows)
    with pytest.raises(TypeError, match="needs method='masked'"):
        model.complete(rows)
    with pytest.raises(ValueError, match="'recurrent' is for sequences of events"):
        az.Synthesizer(method="recurrent").fit(np.zeros((9, 2)))


def test_records_of_lists_become_a_long_table_in_a_file(model, tmp_path):
    model.save(tmp_path / "model.azogue")
    words = ["sample", str(tmp_path / "model.azogue"), "-n", "5", "-o", str(tmp_path / "drawn.csv"), "--seed", "2"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    drawn = pd.read_csv(tmp_path / "drawn.csv")
    assert list(drawn.columns) == ["id", "order", "event"]
    lines = sum(len(visit) for record in model.sample(5, random_state=2) for visit in record)
    assert len(drawn) == lines


def test_from_the_command_line(tmp_path, monkeypatch):
    from azogue.applications import generators

    monkeypatch.setattr(generators, "TOLD", 40)
    long_table(records(60)).to_csv(tmp_path / "visits.csv", index=False)

    def run(*words):
        return CliRunner().invoke(app, ["sample", *map(str, words)])

    given = (tmp_path / "visits.csv", "--events", "patient,day,code")
    result = run(*given, "-n", 30, "-o", tmp_path / "drawn.csv", "--save", tmp_path / "m.azogue", "--seed", 1)
    assert result.exit_code == 0, result.stderr
    drawn = pd.read_csv(tmp_path / "drawn.csv")
    assert list(drawn.columns) == ["patient", "day", "code"]
    assert set(drawn["code"].dropna()) <= set("abcxy")
    again = run(tmp_path / "m.azogue", "-n", 30, "-o", tmp_path / "again.csv", "--seed", 1)
    assert again.exit_code == 0, again.stderr
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "drawn.csv").read_text()
    plain = az.load(tmp_path / "m.azogue")
    assert isinstance(plain.sample(2), pa.Table)
    for words, said in (
        ((given[0], "--events", "patient,day"), "expected three columns"),
        ((given[0], "--events", "patient,day,illness"), "no single column 'illness'"),
        ((*given, "--where", "code=a"), "not for --events"),
    ):
        refused = run(*words)
        assert refused.exit_code == 1
        assert said in refused.stderr
        assert refused.stderr.strip().count("\n") == 0
