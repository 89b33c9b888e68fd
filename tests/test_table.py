"""Tables: what columns become, and how the schema is described and stored."""

import copy
import json
import math
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from azogue.heads import Bernoulli, Categorical, Gaussian
from azogue.modalities.base import Demand
from azogue.modalities.table import Table, TableSchema

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
torch = pytest.importorskip("torch")


@pytest.fixture
def mixed():
    return pd.DataFrame(
        {
            "colour": ["red", None, "blue", "red"],
            "size": [1.5, 2.5, np.nan, 4.0],
            "ok": pd.array([True, False, None, True], dtype="boolean"),
            "nothing": pd.Series([None] * 4, dtype="float64"),
            "count": [3, 3, 3, 3],
            "day": pd.to_datetime(["2020-01-01", "2020-01-03", None, "2020-01-02"]),
            "grade": pd.Categorical(["low", "high", "low", None], categories=["low", "mid", "high"], ordered=True),
        }
    )


# -- layout ------------------------------------------------------------------------------------------------------------


def test_slots_are_numbers_then_booleans_then_blocks(mixed):
    schema = Table().fit(mixed)
    assert [(type(head), head.start, head.stop, head.columns) for head in schema.heads] == [
        (Gaussian, 0, 3, (1, 4, 5)),
        (Bernoulli, 3, 4, (2,)),
        (Categorical, 4, 7, (0,)),
        (Categorical, 7, 11, (6,)),
    ]
    assert (schema.width, schema.n_columns) == (11, 7)
    assert schema.slot_columns.tolist() == [1, 4, 5, 2, 0, 0, 0, 6, 6, 6, 6]
    assert schema.names == tuple(mixed.columns)


def test_heads_cover_all_slots_in_order(mixed):
    for columns in (["size"], ["ok"], ["colour"], ["grade", "ok"], ["day", "colour"], list(mixed)):
        schema = Table().fit(mixed[columns])
        edges = [0, *(edge for head in schema.heads for edge in (head.start, head.stop)), schema.width]
        assert edges[::2] == edges[1::2]
        assert sorted({column for head in schema.heads for column in head.columns}) == sorted(set(schema.slot_columns))


def test_packed_values_and_mask(mixed):
    batch = Table("minmax").fit(mixed).pack(mixed)
    assert (batch.x.dtype, batch.x.is_contiguous(), batch.mask.dtype) == (torch.float32, True, torch.bool)
    third = 1 / 2.5
    expected = [
        [0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0],
        [third, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0],
        [1, 0, 0.5, 1, 0, 1, 0, 0, 0, 0, 0],
    ]
    torch.testing.assert_close(batch.x, torch.tensor(expected, dtype=torch.float32))
    hidden = [(row, slot) for row, slot in (~batch.mask).nonzero().tolist()]
    assert hidden == [(1, 4), (1, 5), (1, 6), (2, 0), (2, 2), (2, 3), (3, 7), (3, 8), (3, 9), (3, 10)]
    assert (batch.x[~batch.mask] == 0).all()


def test_no_mask_where_nothing_is_missing():
    X = np.arange(6.0).reshape(3, 2)
    assert Table().fit(X).pack(X).mask is None


def test_describe(mixed):
    schema = Table("robust").fit(mixed)
    assert schema.describe() == [
        {"name": "colour", "kind": "categorical", "scaling": None, "head": "categorical", "slots": 3},
        {"name": "size", "kind": "numeric", "scaling": "robust", "head": "gaussian", "slots": 1},
        {"name": "ok", "kind": "boolean", "scaling": None, "head": "bernoulli", "slots": 1},
        {"name": "nothing", "kind": "absent", "scaling": None, "head": None, "slots": 0},
        {"name": "count", "kind": "numeric", "scaling": "constant", "head": "gaussian", "slots": 1},
        {"name": "day", "kind": "datetime", "scaling": "robust", "head": "gaussian", "slots": 1},
        {"name": "grade", "kind": "categorical", "scaling": None, "head": "categorical", "slots": 4},
    ]
    assert [row["name"] for row in Table().fit(np.eye(2)).describe()] == [0, 1]


def test_constant_absent_and_single_columns():
    X = np.array([[5.0, np.nan], [5.0, np.nan]])
    schema = Table().fit(X)
    assert schema.width == 1
    np.testing.assert_array_equal(schema.pack(X).x, [[0.0], [0.0]])
    np.testing.assert_array_equal(schema.unpack(schema.pack(X)), X)
    assert schema.pack([[10.0, np.nan]]).x.item() == 1.0, "s = (x − c) / |c|"
    with pytest.warns(UserWarning, match="column 1 held no value when fitted"):
        schema.pack([[5.0, 1.0]])
    with pytest.raises(ValueError, match=r"every cell of X .* is missing"):
        Table().fit(X[:, 1:])
    zero = Table().fit(np.zeros((3, 1)))
    assert zero.unpack(torch.tensor([[2.5]])).item() == 2.5


def test_ten_thousand_columns():
    X = np.random.default_rng(0).normal(size=(60, 10_000))
    schema = Table().fit(pl.from_numpy(X))
    batch = schema.pack(pl.from_numpy(X))
    assert batch.x.shape == X.shape
    assert np.abs(schema.unpack(batch).to_numpy() - X).max() < 1e-5


def test_blocks_of_rows_do_not_show(monkeypatch):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(2000, 3))
    X[rng.random(X.shape) < 0.1] = np.nan
    schema = Table().fit(X)
    whole = schema.pack(X)
    parts = [schema.pack(X[i : i + 300]).x for i in range(0, 2000, 300)]
    assert torch.equal(whole.x, torch.cat(parts))
    assert torch.equal(whole.mask, torch.from_numpy(~np.isnan(X)))


def test_fit_does_not_depend_on_row_order_or_container():
    rng = np.random.default_rng(2)
    X = np.column_stack([rng.normal(size=999), rng.lognormal(size=999)])
    reference = [column.map for column in Table().fit(X).columns]
    for other in (X[rng.permutation(999)], np.asfortranarray(X), pl.from_numpy(X), pd.DataFrame(X)):
        assert [column.map for column in Table().fit(other).columns] == reference


def test_weights_are_per_column(mixed):
    schema = Table(weights={"size": 3.0, "colour": 0.5, 2: 2.0}).fit(mixed)
    assert [head.weights for head in schema.heads] == [(3.0, 1.0, 1.0), (2.0,), (0.5,), (1.0,)]
    assert Table(weights={"b": 1, "a": 2}) == Table(weights=(("a", 2.0), ("b", 1.0)))
    assert len({Table(weights={"a": 2}), Table(weights={"a": 2.0})}) == 1
    with pytest.raises(ValueError, match="'length', which X does not have"):
        Table(weights={"length": 1}).fit(mixed)
    for bad in (-1, math.nan, math.inf):
        with pytest.raises(ValueError, match="weight of column 'a'"):
            Table(weights={"a": bad})


def test_table_is_a_frozen_printable_value():
    assert repr(Table()) == "Table()"
    assert repr(Table("minmax", {"a": 2})) == "Table(scaling='minmax', weights=(('a', 2.0),))"
    assert copy.deepcopy(Table("robust")) == pickle.loads(pickle.dumps(Table("robust"))) == Table("robust")
    with pytest.raises(ValueError, match="scaling must be one of 'auto'"):
        Table("quantile")


def test_booleans_are_true_from_one_half_on():
    schema = Table().fit(np.array([[True], [False]]))
    assert schema.unpack(np.array([[0.5], [0.49], [7.0]])).tolist() == [[True], [False], [True]]


# -- categories --------------------------------------------------------------------------------------------------------


def test_unseen_categories_go_to_other_with_one_warning():
    frame = pd.DataFrame({"a": ["x", "y", "x"], "b": ["u", "u", "v"], "c": ["p", "q", "p"]})
    schema = Table().fit(frame)
    new = pd.DataFrame({"a": ["x", "new", "newer"], "b": ["w1", "w2", "w3"], "c": ["p", None, "q"]})
    new = pd.concat([new, new.assign(b="w4")])
    with pytest.warns(UserWarning, match="not there when fitted") as caught:
        batch = schema.pack(new)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "column 'a' ('new', 'newer')" in message
    assert "column 'b' ('w1', 'w2', 'w3', ...)" in message
    assert "'c'" not in message
    assert batch.x[1, :3].tolist() == [0, 0, 1]
    assert batch.mask[1, :3].all(), "an unseen category is observed, not missing"
    assert set(schema.unpack(batch)["a"]) <= {"x", "y"}


def test_known_categories_warn_of_nothing(mixed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Table().fit(mixed).pack(mixed)


def test_category_order_is_sorted_or_the_dtypes_own():
    text = Table().fit(pl.DataFrame({"a": ["c", "a", "b", "a"]}))
    assert text.columns[0].categories == ("a", "b", "c")
    assert Table().fit(pl.DataFrame({"a": ["c", "a"]}).cast(pl.Categorical)).columns[0].categories == ("a", "c")
    own = Table().fit(pl.DataFrame({"a": ["c", "a"]}).cast(pl.Enum(["c", "b", "a"])))
    assert own.columns[0].categories == ("c", "b", "a")
    assert own.pack(pl.DataFrame({"a": ["a"]})).x.tolist() == [[0, 0, 1, 0]]


def test_text_that_looks_like_numbers_stays_text():
    schema = Table().fit(np.array([["1", 2.0], ["3", 4.0]], dtype=object))
    assert [row["kind"] for row in schema.describe()] == ["categorical", "numeric"]


def test_the_other_slot_is_never_given_back():
    schema = Table().fit(pl.DataFrame({"a": ["x", "y"]}))
    assert schema.unpack(torch.tensor([[0.1, 0.2, 0.7]]))["a"].to_list() == ["y"]


# -- storage -----------------------------------------------------------------------------------------------------------


def test_the_schema_survives_json(mixed):
    schema = Table(weights={"size": 2}).fit(mixed, Demand(activation="tanh", reach=(-1.0, 1.0)))
    text = json.dumps(schema.to_dict(), allow_nan=False)
    stored = TableSchema.from_dict(json.loads(text))
    assert stored == schema
    assert hash(stored) == hash(schema)
    assert torch.equal(stored.pack(mixed).x, schema.pack(mixed).x)
    assert stored.heads == schema.heads


def damaged(change):
    data = json.loads(json.dumps(Table().fit(pl.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})).to_dict()))
    change(data)
    return data


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(extra=1),
        lambda d: d.pop("weights"),
        lambda d: d.update(modality="image"),
        lambda d: d.update(container="pickle"),
        lambda d: d.update(head="cauchy"),
        lambda d: d.update(names=["a"]),
        lambda d: d.update(weights=["heavy", 1.0]),
        lambda d: d.update(dtype="pickle"),
        lambda d: d.update(columns=[1, 2]),
        lambda d: d["columns"][0].update(kind="code"),
        lambda d: d["columns"][0].pop("kind"),
        lambda d: d["columns"][0].update(extra=1),
        lambda d: d["columns"][0].pop("low"),
        lambda d: d["columns"][0].update(type="object"),
        lambda d: d["columns"][0].update(map={"center": 0.0}),
        lambda d: d["columns"][1].update(type="dictionary<values=object, indices=int8, ordered=0>"),
    ],
)
def test_damaged_schemas_are_refused(change):
    with pytest.raises(ValueError):
        TableSchema.from_dict(damaged(change))


def test_importing_tables_imports_neither_pandas_nor_polars_nor_torch():
    code = "import sys, azogue.modalities.table; print({'pandas', 'polars', 'torch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
