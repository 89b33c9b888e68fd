"""Frames come back with their library, columns, dtypes, index and missing cells."""

import datetime as dt

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as hpd
from pandas.testing import assert_frame_equal, assert_series_equal

from azogue.compression import frame
from azogue.compression.ans import DamagedError
from azogue.compression.leaves import Leaves, scalar_from_json, scalar_to_json
from azogue.compression.values import put_together


def back(value):
    return frame.read(frame.write(value)[0])


def everything(n=120):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "integer": rng.integers(0, 5, n),
            "small": rng.integers(0, 5, n).astype(np.int8),
            "float": rng.normal(size=n),
            "missing": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n).round(2)),
            "text": rng.choice(["a", "b", "ñ"], n),
            "category": pd.Categorical(rng.choice(["x", "y"], n), categories=["y", "z", "x"], ordered=True),
            "levels": pd.Categorical(rng.choice([1.5, 2.5], n)),
            "zoned": pd.date_range("2020", periods=n, tz="Europe/Madrid"),
            "day": pd.date_range("2020", periods=n).where(rng.random(n) < 0.9),
            "Int64": pd.array([1, None] * (n // 2), dtype="Int64"),
            "boolean": pd.array([True, None] * (n // 2), dtype="boolean"),
            "Float32": pd.array([1.5, None] * (n // 2), dtype="Float32"),
            "string": pd.array(["q", None] * (n // 2), dtype="string"),
            "mixed": [1, "a", None, 2.5, np.nan, b"x", (1, 2), pd.NaT] * (n // 8),
            "delta": pd.to_timedelta(np.arange(n), "h"),
            5: rng.random(n) < 0.5,
        },
        index=pd.date_range("2021", periods=n, freq="D", name="when"),
    )


def test_every_dtype_of_pandas():
    value = everything()
    found = back(value)
    assert_frame_equal(found, value)
    assert found.index.freq == value.index.freq
    assert [type(cell) for cell in found["mixed"][:8]] == [type(cell) for cell in value["mixed"][:8]]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.set_index(["text", "integer"]),
        lambda t: t.set_index("category"),
        lambda t: t.set_index("float"),
        lambda t: t.reset_index(drop=True),
        lambda t: t[::3],
        lambda t: t[:0],
        lambda t: t[[]],
        lambda t: pd.concat({"a": t[["float", "text"]], "b": t[["text"]]}, axis=1),
        lambda t: t.set_axis([1] * 16, axis=1),
        lambda t: t.rename_axis(columns="names"),
    ],
)
def test_labels_of_pandas(change):
    value = change(everything(24))
    assert_frame_equal(back(value), value)


def test_series():
    for name, value in everything(24).items():
        assert_series_equal(back(value), value)
        assert back(value).name == name


@settings(max_examples=25)
@given(
    hpd.data_frames(
        [
            hpd.column("a", dtype=np.int64),
            hpd.column("b", dtype=np.float64),
            hpd.column("c", elements=st.none() | st.text(max_size=4), dtype=object),
            hpd.column("d", dtype=np.bool_),
        ],
        index=hpd.range_indexes(max_size=12),
    )
)
def test_any_frame(value):
    found = back(value)
    assert_frame_equal(found, value)
    assert found["b"].to_numpy().tobytes() == value["b"].to_numpy().tobytes()


def test_every_dtype_of_polars():
    value = pl.DataFrame(
        {
            "integer": [1, None, 3],
            "text": ["a", None, "b"],
            "float": [1.5, float("nan"), None],
            "boolean": [True, None, False],
            "day": [dt.date(2020, 1, 1), None, dt.date(1950, 1, 1)],
            "moment": [dt.datetime(2020, 1, 1, 3), None, dt.datetime(1950, 1, 1)],
            "nothing": [None] * 3,
            "time": [dt.time(1), None, dt.time(3, 4, 5, 6)],
            "delta": [dt.timedelta(1), None, dt.timedelta(-3)],
        }
    ).with_columns(
        small=pl.col("integer").cast(pl.UInt8),
        category=pl.col("text").cast(pl.Categorical),
        enum=pl.col("text").cast(pl.Enum(["b", "z", "a"])),
        zoned=pl.col("moment").dt.replace_time_zone("Europe/Madrid"),
        nanos=pl.col("moment").cast(pl.Datetime("ns")),
    )
    for one in (value, value[:0], value.select("integer"), value[[2, 0]]):
        found = back(one)
        assert found.schema == one.schema
        assert found.equals(one, null_equal=True)


def test_every_type_of_pyarrow():
    pandas = everything(24).drop(columns=["mixed", 5])
    value = pa.Table.from_pandas(pandas)
    value = value.append_column("codes", pa.array(["x", None, "y"] * 8).dictionary_encode())
    value = value.append_column(pa.field("must", pa.uint16(), False, {"k": "v"}), [pa.array(range(24), pa.uint16())])
    value = value.append_column("nulls", pa.nulls(24)).append_column("time", pa.array([dt.time(1), None] * 12))
    for one in (value, value[:0], value[5:9], pa.concat_tables([value, value]), pa.table({})):
        found = back(one)
        assert found.schema.equals(one.schema, check_metadata=True)
        assert found.drop_columns(["missing", "float"] if one.num_columns else []).equals(
            one.drop_columns(["missing", "float"] if one.num_columns else [])
        )


@pytest.mark.parametrize(
    "value",
    [
        pd.DataFrame({"p": pd.period_range("2020", periods=2)}),
        pd.DataFrame({"o": [{}, []]}),
        pl.DataFrame({"l": [[1], [2]]}),
        pa.table({"l": pa.array([[1], [2]])}),
    ],
)
def test_other_columns_are_refused_by_name(value):
    with pytest.raises(TypeError, match=r"^Cipher: .* not encrypted; "):
        frame.write(value)


@pytest.mark.parametrize(
    "value", [True, None, 5, -(10**25), 2.5, float("inf"), "x", b"\0", (1, ("a", None)), np.int8(3)]
)
def test_scalars(value):
    found = scalar_from_json(scalar_to_json(value))
    assert type(found) is type(value)
    assert found == value


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "pandas", "columns": [], "head": {}, "index": {"as": "range", "range": [0, 2, 0], "names": [None]}},
        {
            "kind": "pandas",
            "columns": [],
            "head": {},
            "index": {"as": "range", "range": [0, 1 << 60, 1], "names": [None]},
        },
        {"kind": "arrow", "n": 1 << 60, "columns": [], "metadata": None},
        {"kind": "arrow", "n": 2, "columns": [{"name": "a", "type": "list<int64>"}], "metadata": None},
        {"kind": "polars", "n": 2, "columns": [{"name": "a", "dtype": "Object", "leaf": 0}]},
        {"kind": "polars", "n": 1 << 60, "columns": [{"name": "a", "dtype": "Null"}]},
        {"kind": "bytes", "leaf": 5},
        {"kind": "texts", "ranks": 0, "lengths": 0, "texts": 0},
        {"kind": "objects", "shape": [-1], "json": {}},
        {},
        [],
    ],
)
def test_descriptions_that_nobody_writes_are_refused(told):
    with pytest.raises(DamagedError):
        put_together(told, Leaves([np.zeros(2, np.uint32)]))


@pytest.mark.parametrize(
    "raw", [{"t": [[]]}, {"f": "x"}, {"i": "zz"}, {"n": ["|O8", ""]}, {"b": "?"}, {"x": 1}, [1], 2.5]
)
def test_scalars_that_nobody_writes_are_refused(raw):
    with pytest.raises(DamagedError):
        scalar_from_json(raw)
