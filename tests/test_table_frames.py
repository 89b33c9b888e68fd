"""Frames of pandas, polars and Arrow come back equal, and stand for one another."""

import datetime as dt
import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azogue.modalities.table import Table, TableSchema
from azogue.recipe import Batch

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def through(X):
    """Fit on X, send the schema through JSON, pack and unpack."""
    schema = Table().fit(X)
    stored = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert stored == schema
    assert stored.to_dict() == schema.to_dict()
    return stored.unpack(schema.pack(X))


# -- frames ------------------------------------------------------------------------------------------------------------

words = st.text("abcñ€ ", max_size=4)
days = st.dates()
modern = st.dates(dt.date(1700, 1, 1), dt.date(2200, 1, 1))
minutes = st.integers(-70_000, 70_000).map(lambda x: dt.timedelta(minutes=x))
small = st.integers(-100, 100)
hundredths = st.integers(-(10**6), 10**6).map(lambda x: x / 100)

#: Cells and the dtypes that hold them, by container; what is compared exactly.
PANDAS = [
    *((small, dtype, False) for dtype in ("int8", "int64", "float32", "float16")),
    *((small, dtype, True) for dtype in ("Int8", "Int64", "Float32", "int32[pyarrow]", "object")),
    *((hundredths, dtype, True) for dtype in ("float64", "Float64", "double[pyarrow]", "object")),
    *((st.booleans(), dtype, True) for dtype in ("boolean", "bool[pyarrow]", "object")),
    (st.booleans(), "bool", False),
    *((words, dtype, True) for dtype in ("str", "string", "string[python]", "object", "category", "string[pyarrow]")),
    *((values, "category", True) for values in (small, st.booleans(), hundredths)),
    *((modern, f"datetime64[{unit}]", True) for unit in ("s", "us", "ns")),
    (st.dates(dt.date(1970, 1, 1), dt.date(2037, 1, 1)), "datetime64[ms, Europe/Madrid]", True),
    (days, "object", True),
    *((minutes, dtype, True) for dtype in ("timedelta64[s]", "timedelta64[ns]", "duration[us][pyarrow]")),
]
POLARS = [
    *((st.integers(0, 100), dtype) for dtype in (pl.Int8, pl.Int16, pl.Int32, pl.Int64)),
    *((st.integers(0, 100), dtype) for dtype in (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)),
    *((hundredths, dtype) for dtype in (pl.Float32, pl.Float64)),
    (st.booleans(), pl.Boolean),
    *((words, dtype) for dtype in (pl.String, pl.Categorical)),
    (st.sampled_from(["b", "a"]), pl.Enum(["b", "z", "a"])),
    (days, pl.Date),
    *((modern, pl.Datetime(u, z)) for u in ("ms", "us", "ns") for z in (None, "UTC", "Asia/Tokyo")),
    *((minutes, pl.Duration(unit)) for unit in ("ms", "us", "ns")),
    (st.times().map(lambda t: t.replace(second=0, microsecond=0)), pl.Time),
    (st.none(), pl.Null),
]


def cells(draw, values, n, holes):
    return draw(st.lists(st.none() | values if holes else values, min_size=n, max_size=n))


@st.composite
def pandas_frames(draw):
    n = draw(st.integers(1, 12))
    picks = draw(st.lists(st.sampled_from(PANDAS), min_size=1, max_size=6))
    columns = {f"c{i}": pd.Series(cells(draw, *(pick[0], n, pick[2])), dtype=pick[1]) for i, pick in enumerate(picks)}
    frame = pd.DataFrame(columns)
    index = draw(st.sampled_from(["default", "text", "multi", "named"]))
    if index == "multi":
        frame.index = pd.MultiIndex.from_arrays([np.arange(n) // 2, np.arange(n)], names=["outer", None])
    elif index != "default":
        frame.index = pd.Index([f"row {i % 3}" for i in range(n)], name="id" if index == "named" else None)
    return frame if frame.notna().any(axis=None) else frame.assign(anchor=1.5)


@few
@given(pandas_frames())
def test_pandas_frames_come_back_equal(frame):
    pd.testing.assert_frame_equal(through(frame), frame, check_exact=True)


@st.composite
def polars_frames(draw):
    n = draw(st.integers(1, 12))
    picks = draw(st.lists(st.sampled_from(POLARS), min_size=1, max_size=6))
    columns = [pl.Series(f"c{i}", cells(draw, values, n, True)).cast(dtype) for i, (values, dtype) in enumerate(picks)]
    return pl.DataFrame([*columns, pl.Series("anchor", [0.5] * n)])


@few
@given(polars_frames())
def test_polars_frames_come_back_equal(frame):
    for given_frame in (frame, frame.lazy()):
        result = through(given_frame)
        assert result.schema == frame.schema
        assert result.equals(frame)


@few
@given(polars_frames())
def test_arrow_tables_come_back_equal(frame):
    table = frame.to_arrow()
    result = through(table)
    assert result.schema.types == table.schema.types
    assert result.equals(table)
    chunked = pa.concat_tables([table, table])
    assert through(chunked).equals(chunked)


def test_more_arrow_types():
    values = pa.array(["x", None, "y", "x"])
    table = pa.table(
        {
            "view": values.cast(pa.string_view()),
            "large": values.cast(pa.large_string()),
            "dictionary": values.dictionary_encode(),
            "ordered": pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1], pa.int8()), ["z", "a"], ordered=True),
            "numbers": pa.DictionaryArray.from_arrays(pa.array([1, None, 0, 1]), pa.array([5, 7])),
            "date64": pa.array([dt.date(2020, 1, 1), None, dt.date(2021, 1, 1), dt.date(2020, 1, 1)], pa.date64()),
            "time32": pa.array([1, None, 2, 86_399], pa.time32("s")),
            "half": pa.array([1.5, None, 2.0, 3.0], pa.float16()),
            "seconds": pa.array([1, None, 2, 3], pa.timestamp("s", "Europe/Madrid")),
            "nothing": pa.nulls(4, pa.dictionary(pa.int32(), pa.string())),
        }
    )
    result = through(table)
    assert result.schema.equals(table.schema)
    assert result.equals(table)


def test_dictionaries_with_repeated_or_null_entries():
    odd = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array(["a", "b", "a", None]))
    table = pa.table({"a": odd})
    assert through(table).column("a").to_pylist() == ["a", "b", "a", None]
    assert Table().fit(table).columns[0].categories == ("a", "b")


def test_a_dictionary_as_large_as_its_index_type():
    codes = pa.array([*range(127), None], pa.int8())
    table = pa.table({"a": pa.DictionaryArray.from_arrays(codes, pa.array([f"v{i}" for i in range(128)]))})
    assert through(table).equals(table)


def test_unusual_pandas_frames():
    frame = pd.DataFrame(
        {
            ("a", 1): pd.Categorical(pd.to_datetime(["2020-01-01", None, "2021-02-03"])),
            ("a", 2): pd.Categorical(["u", None, "v"], categories=["v", "w", "u"], ordered=True),
            ("b", 1): pd.Categorical([None] * 3, categories=["z", "y"], ordered=True),
            ("b", 2): pd.to_datetime(["2020-01-01", None, "2021-02-03"]).tz_localize("+02:00"),
            ("b", 3): pd.array(["a", "b", None], dtype=pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
            ("b", 4): pd.Series(["x", np.nan, "y"], dtype=object),
            ("b", 5): pd.Series([None, None, None], dtype=object),
        }
    )
    frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=["outer", "inner"])
    pd.testing.assert_frame_equal(through(frame), frame)
    numbered = pd.DataFrame(np.eye(3))
    pd.testing.assert_frame_equal(through(numbered), numbered)


def test_times_far_apart_and_close_together():
    close = pd.DataFrame({"t": pd.to_datetime(["2023-05-05 10:00:00.000000001", "2023-05-05 10:00:00.000000009"])})
    assert close["t"].dtype == "datetime64[ns]"
    pd.testing.assert_frame_equal(through(close), close)
    hours = pd.DataFrame({"t": pd.date_range("1700-01-01", periods=50_000, freq="37h", unit="ns")[::-1]})
    pd.testing.assert_frame_equal(through(hours), hours)
    zones = pl.DataFrame({"t": [-(2**63) + 1, 2**63 - 1, 0]}).cast(pl.Datetime("ns"))
    result = through(zones)["t"].cast(pl.Int64).to_list()
    assert abs(result[0] + 2**63 - 1) <= 2**41


# -- between containers ------------------------------------------------------------------------------------------------


def test_the_container_that_was_packed_is_given_back():
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "x"], "c": pd.Categorical(["u", "v", "u"])}, index=[7, 8, 9])
    schema = Table().fit(frame)
    polars = schema.unpack(schema.pack(pl.from_pandas(frame)))
    assert isinstance(polars, pl.DataFrame)
    assert polars.to_dict(as_series=False) == frame.to_dict("list")
    arrow = schema.unpack(schema.pack(pa.Table.from_pandas(frame, preserve_index=False)))
    assert arrow.to_pydict() == frame.to_dict("list")
    assert schema.unpack(schema.pack(frame.to_numpy())).tolist() == frame.to_numpy().tolist()
    pd.testing.assert_frame_equal(schema.unpack(schema.pack(frame).x), frame.reset_index(drop=True))


def test_dtypes_of_one_container_do_not_reach_another():
    frame = pl.DataFrame({"a": ["x", "y"]}, schema={"a": pl.Enum(["y", "z", "x"])})
    schema = Table().fit(frame)
    result = schema.unpack(schema.pack(pd.DataFrame({"a": ["y", "x"]})))
    assert isinstance(result, pd.DataFrame)
    assert result["a"].tolist() == ["y", "x"]


def test_reconstructions_stay_within_what_a_dtype_can_hold():
    frame = pl.DataFrame({"n": [1, 2], "d": [dt.date(2020, 1, 1), dt.date(2021, 1, 1)], "t": [dt.time(1), dt.time(2)]})
    schema = Table().fit(frame.with_columns(pl.col("n").cast(pl.UInt8)))
    far = schema.unpack(np.full((1, 3), 1e9))
    assert far.row(0) == (255, dt.date(9999, 12, 31), dt.time(23))
    near = schema.unpack(np.full((1, 3), -1e9))
    assert near.row(0) == (0, dt.date(1, 1, 1), dt.time(0))


def test_arrays_and_frames_are_taken_by_position_for_each_other():
    X = np.array([[1.0, 2.0], [3.0, 5.0]])
    frame = pd.DataFrame(X, columns=["p", "q"], index=["r", "s"])
    of_array, of_frame = Table().fit(X), Table().fit(frame)
    pd.testing.assert_frame_equal(of_array.unpack(of_array.pack(frame)), frame)
    np.testing.assert_array_equal(of_frame.unpack(of_frame.pack(X)), X)
    assert of_array.unpack(of_array.pack(pl.from_pandas(frame))).columns == ["p", "q"]
    mixed = Table().fit(pd.DataFrame({"n": [1, 2], "b": [True, False]}))
    assert mixed.unpack(mixed.pack(np.array([[2, 1]]))).tolist() == [[2, 1]]


def test_cells_under_the_mask_come_back_missing_and_the_rest_stays():
    frame = pl.DataFrame({"a": [1, 2, 3], "b": [True, False, True], "c": ["x", "y", "x"], "d": [0.5, 1.5, 2.5]})
    schema = Table().fit(frame)
    batch = schema.pack(frame)
    mask = batch.x == batch.x
    mask[1] = False
    result = schema.unpack(Batch(batch.x, mask, batch.rows))
    assert result.row(1) == (None,) * 4
    assert result[[0, 2]].equals(frame[[0, 2]])
