"""What goes into a table comes out of it: any container, any dtype, any order of magnitude."""

import datetime as dt
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from azogue.modalities.table import Table, TableSchema

pd = pytest.importorskip("pandas")

PLAIN = Table()
MOVING = ("auto", "standard", "minmax", "robust")
few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
many = settings(max_examples=150, deadline=None)


def through(X, table=PLAIN):
    """Fit on X, send the schema through JSON, pack and unpack."""
    schema = table.fit(X)
    stored = TableSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert stored == schema
    assert stored.to_dict() == schema.to_dict()
    return stored.unpack(schema.pack(X))


def assert_within(X, result):
    """|result − X| ≤ range · 2⁻²³ in every column, without rounding in the comparison."""
    for x, y in zip(np.asarray(X).T.tolist(), np.asarray(result).T.tolist(), strict=True):
        seen = [Fraction(value) for value in x if value == value]
        tolerance = (max(seen) - min(seen)) / 2**23 if seen else 0
        for before, after in zip(x, y, strict=True):
            assert (before != before) == (after != after)
            assert before != before or abs(Fraction(after) - Fraction(before)) <= tolerance


# -- numbers -----------------------------------------------------------------------------------------------------------

any_float = st.floats(allow_nan=False, allow_infinity=False)
plain_float = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def columns_of_floats(draw):
    """Floats of any size; or near a huge offset; or heavy-tailed; or few distinct ones."""
    kind = draw(st.sampled_from(["any", "offset", "tail", "few"]))
    if kind == "any":
        return draw(st.lists(any_float, min_size=1, max_size=30))
    if kind == "offset":
        return [
            draw(st.sampled_from([1e15, -3e11, 7.0])) + x for x in draw(st.lists(plain_float, min_size=1, max_size=30))
        ]
    if kind == "few":
        values = draw(st.lists(any_float, min_size=1, max_size=3))
        return draw(st.lists(st.sampled_from(values), min_size=1, max_size=30))
    tails = draw(st.lists(st.floats(-30, 30), min_size=12, max_size=60))
    return [float(np.sinh(x)) for x in tails]


@many
@given(columns_of_floats(), st.sampled_from(MOVING), st.sampled_from(["float64", "float32", "float16"]))
def test_floats_come_back_within_the_range_over_two_to_the_23(values, scaling, dtype):
    with np.errstate(over="ignore"):
        x = np.array(values).astype(dtype)
    x = x[np.isfinite(x)][:, None]
    if len(x):
        result = through(x, Table(scaling))
        assert result.dtype == x.dtype
        assert_within(x, result)


@pytest.mark.parametrize("scaling", MOVING)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_heavy_tails_come_back_within_the_range_over_two_to_the_23(scaling, dtype):
    rng = np.random.default_rng(0)
    n = 4000
    X = np.column_stack(
        [
            rng.standard_cauchy(n),
            rng.lognormal(0, 3, n),
            -rng.pareto(0.4, n),
            np.where(rng.random(n) < 0.95, 0.0, rng.lognormal(8, 1, n)),
            np.where(rng.random(n) < 0.5, rng.normal(size=n), 1e9),
            np.append(rng.normal(size=n - 1), 1e12),
        ]
    ).astype(dtype)
    assert_within(X, through(X, Table(scaling)))


@pytest.mark.parametrize("scaling", MOVING)
@pytest.mark.parametrize(
    "values",
    [
        [-1.7e308, 0.0, 1.7e308],
        [np.finfo(float).max, -np.finfo(float).max, 1.0],
        [0.0, 5e-324],
        [1e-310, 3e-310, 2e-310],
        [1e15, 1e15 + 0.125, 1e15 + 1],
        [1.0, np.nextafter(1.0, 2.0)],
        [2.0**-500, np.nextafter(2.0**-500, 1.0), 2.0**-501],
        [1e300] * 3,
        [0.0, 0.0, 1e-320, 1.0],
    ],
)
def test_extreme_floats(values, scaling):
    x = np.array(values)[:, None]
    assert_within(x, through(x, Table(scaling)))


def test_unscaled_floats_come_back_as_float32():
    x = np.array([[1e6], [1e6 + 1], [-3.25]])
    schema = Table("none").fit(x)
    np.testing.assert_array_equal(schema.pack(x).x.numpy(), x.astype(np.float32))
    assert np.abs(schema.unpack(schema.pack(x)) - x).max() <= 1e6 * 2**-23


@many
@given(
    st.sampled_from(["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]).flatmap(
        lambda dtype: st.tuples(
            st.just(dtype),
            st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)),
            st.lists(st.integers(0, 2**24 - 1), min_size=1, max_size=20),
        )
    ),
    st.sampled_from(MOVING),
)
def test_integers_of_fewer_than_two_to_the_24_levels_are_exact(case, scaling):
    dtype, base, steps = case
    limits = np.iinfo(dtype)
    x = np.array([[min(base + step, int(limits.max))] for step in steps], dtype)
    result = through(x, Table(scaling))
    assert result.dtype == x.dtype
    np.testing.assert_array_equal(result, x)


@pytest.mark.parametrize("scaling", MOVING)
@pytest.mark.parametrize("dtype", ["int64", "uint64", "int32"])
def test_the_widest_exact_integers(scaling, dtype):
    top = int(np.iinfo(dtype).max)
    rng = np.random.default_rng(1)
    for offset in (0, top - 2**24 + 1):
        for skew in (1, 12):
            steps = (rng.random(3000) ** skew * (2**24 - 1)).astype("int64")
            x = np.array([[offset + int(step)] for step in (0, 2**24 - 1, *steps)], dtype)
            np.testing.assert_array_equal(through(x, Table(scaling)), x)


def test_integers_over_the_whole_of_64_bits():
    for dtype in ("int64", "uint64"):
        limits = np.iinfo(dtype)
        x = np.array([[limits.min], [limits.max], [limits.max // 3]], dtype)
        result = through(x)
        assert result.dtype == x.dtype
        assert_within(x, result)


def test_decimal_fractions_come_back_exactly_and_arrays_stay_smooth():
    rng = np.random.default_rng(2)
    x = np.round(rng.normal(100, 20, (500, 3)), 2)
    schema = Table().fit(x)
    np.testing.assert_array_equal(schema.unpack(schema.pack(x)), x)
    between = schema.pack(x).x[:50] + 0.37e-3  # as a network would
    assert (np.abs(schema.unpack(between) * 100 % 1 - 0.5) < 0.45).any(), "an array's reconstructions stay smooth"
    frame = pd.DataFrame(x, columns=list("abc"))
    of_frame = Table().fit(frame)
    rounded = of_frame.unpack(between).to_numpy()
    np.testing.assert_array_equal(rounded, np.round(rounded, 2))
    np.testing.assert_array_equal(of_frame.unpack(of_frame.pack(frame)).to_numpy(), x)


def test_float32_decimals_are_exact():
    x = np.round(np.random.default_rng(3).random((300, 2)) * 50, 1).astype("float32")
    np.testing.assert_array_equal(through(x), x)


# -- arrays ------------------------------------------------------------------------------------------------------------


@few
@given(hnp.arrays(st.sampled_from(["f8", ">f4", "u1", "i8", "?"]), st.tuples(st.integers(1, 8), st.integers(1, 4)),
                  elements=st.integers(0, 1)))  # fmt: skip
def test_arrays_keep_shape_and_dtype(X):
    result = through(X)
    assert (result.dtype, result.shape) == (X.dtype, X.shape)
    np.testing.assert_array_equal(result, X)


@pytest.mark.parametrize(
    "X",
    [
        np.array([["a", "bb"], ["b", "a"]]),
        np.array([["a", 1], [None, 2], ["a", 7]], dtype=object),
        np.array([[True, 1.5], [None, np.nan]], dtype=object),
        np.array([[dt.date(2020, 1, 1), dt.time(1, 2)], [None, dt.time(3)]], dtype=object),
        np.array([[2**70, 1], [0, 2]], dtype=object),
        np.array([["2020-01-01", "NaT"], ["2021-02-03", "2000-01-01"]], dtype="datetime64[h]"),
        np.array([[1, 2], [3, 5]], dtype="timedelta64[D]"),
        np.array([[1.0, np.nan], [3.0, np.nan]], dtype=np.longdouble),
        np.array([[1.0, np.nan], [3.0, np.nan]], dtype=">f4"),
    ],
)
def test_other_arrays(X):
    result = through(X)
    assert result.dtype == X.dtype
    same = (result == X) | (pd.isna(result) & pd.isna(X))
    assert same.all()


def test_nested_lists_keep_their_types():
    result = through([["a", 1, True], ["b", 2, False]])
    assert result.tolist() == [["a", 1, True], ["b", 2, False]]


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    X = torch.tensor([[1.0, 2.0], [3.0, float("nan")]], requires_grad=True)
    result = through(X)
    assert (result.dtype, result.isnan().tolist()) == (X.dtype, [[False, False], [False, True]])
    assert through(X.detach().bfloat16()).dtype == torch.float32
    assert through(torch.tensor([[1], [2]])).tolist() == [[1], [2]]


def test_anything_with_an_array_interface():
    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return np.array([[1.0, 2.0], [3.0, 4.0]])

    np.testing.assert_array_equal(through(Wrapped()), [[1.0, 2.0], [3.0, 4.0]])
