"""Tables: what is refused, in scikit-learn's words where it has them."""

import numpy as np
import pytest
from scipy import sparse

from azogue.modalities.table import Table

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
torch = pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (
            np.zeros(3),
            ValueError,
            r"Expected 2D array, got 1D array instead(.|\n)*Reshape your data either using array",
        ),
        (np.float64(3), ValueError, "Expected 2D array, got scalar array instead"),
        (np.zeros((2, 2, 2)), ValueError, "Found array with dim 3, while dim <= 2 is required"),
        (np.zeros((0, 3)), ValueError, r"0 sample\(s\) \(shape=\(0, 3\)\) while a minimum of 1 is required\."),
        (np.zeros((3, 0)), ValueError, r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required\."),
        (pd.DataFrame({"a": []}), ValueError, r"0 sample\(s\) \(shape=\(0, 1\)\)"),
        (pd.Series([1.0, 2.0]), ValueError, "Expected 2D array, got 1D array"),
        (np.eye(2) * 1j, ValueError, "Complex data not supported"),
        (pd.DataFrame({"a": [1j]}), ValueError, "Complex data not supported: column 'a'"),
        (sparse.csr_array(np.eye(2)), TypeError, r"Sparse.*toarray\(\)"),
        (torch.eye(2).to_sparse(), TypeError, "Sparse"),
        (pd.DataFrame({"a": pd.arrays.SparseArray([0, 1])}), TypeError, "column 'a' is sparse"),
        (np.array([[1.0, np.inf]]), ValueError, "infinity in column 1"),
        (pd.DataFrame({"a": [1.0, -np.inf]}), ValueError, "infinity in column 'a'"),
        (np.array([[1.0, {"foo": "bar"}]], object), TypeError, "argument must be .* string.* number"),
        (np.array([["a"], [1]], object), TypeError, r"column 0 mixes int and str; convert the column .*astype\(str\)"),
        (pd.DataFrame({"a": [True, 1]}, dtype=object), TypeError, "column 'a' mixes bool and int"),
        (pd.DataFrame({"a": [[1], [2]]}), TypeError, "column 'a' holds a value of type list"),
        (pl.DataFrame({"a": [[1], [2]]}), TypeError, r"column 'a' has the type .*list.*nested values to columns"),
        (pl.DataFrame({"a": [{"b": 1}]}), TypeError, "column 'a' has the type struct"),
        (pl.DataFrame({"a": [b"x"]}), TypeError, "column 'a' has the type large_binary.*bytes"),
        (pl.DataFrame({"a": ["1.5"]}).cast(pl.Decimal(10, 2)), TypeError, "decimal.*decimals to floats"),
        (pl.DataFrame({"a": [1]}).cast(pl.Int128), TypeError, "column 'a' has the type Int128"),
        (pl.DataFrame({"a": [object()]}), TypeError, "column 'a'"),
        (pd.DataFrame({"a": pd.period_range("2020", periods=2, freq="M")}), TypeError, "column 'a'"),
        (pd.DataFrame({"a": pd.cut([1, 2, 3], 2)}), TypeError, "column 'a'"),
        (np.array([[b"x"]]), TypeError, "bytes"),
        (np.zeros((1, 1), "V4"), TypeError, "V4"),
        (pd.DataFrame(np.eye(2), columns=["a", "a"]), ValueError, "'a'"),
        (pl.DataFrame({"a": [1]}).to_arrow().append_column("a", [[2]]), ValueError, "'a'"),
        (pd.DataFrame({1.5: [1]}), TypeError, "column label 1.5 is a float"),
        (pd.DataFrame({"a": [str(i) for i in range(10_001)]}), ValueError, "column 'a' has 10,001 distinct values"),
        (np.array([[None], [None]]), ValueError, "every cell of X"),
    ],
)
def test_refused(X, error, match):
    with pytest.raises(error, match=match):
        Table().fit(X)


def test_too_large_for_no_scaling():
    with pytest.raises(ValueError, match="column 0 holds 1e\\+300, too large for float32"):
        Table("none").fit(np.array([[1e300], [0.0]]))


def test_columns_must_be_the_fitted_ones():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 5.0]})
    schema = Table().fit(frame)
    with pytest.raises(ValueError, match=r"same order as they were in fit(.|\n)*take them .* with X\[names\]"):
        schema.pack(frame[["b", "a"]])
    with pytest.raises(ValueError, match="yet now missing:\n- b"):
        schema.pack(frame[["a"]])
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- c(.|\n)*X\[names\]"):
        schema.pack(frame.assign(c=1.0))
    with pytest.raises(ValueError, match="X has 3 features, but TableSchema is expecting 2 features as input"):
        schema.pack(np.ones((1, 3)))
    with pytest.raises(ValueError, match="infinity in column 'b'"):
        schema.pack(frame.replace(5.0, np.inf))
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        schema.pack(frame[:0])


@pytest.mark.parametrize(
    ("fitted", "packed"),
    [
        ([1.0, 2.0], ["x", "y"]),
        (["x", "y"], [1, 2]),
        ([True, False], ["x", "y"]),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), [1, 2]),
        ([1, 2], pd.to_datetime(["2020-01-01", "2021-01-01"])),
        (pd.to_timedelta([1, 2], unit="s"), [True, False]),
        (pd.Categorical([1, 2]), ["x", "y"]),
        (["x", "y"], pd.Categorical([1, 2])),
        ([1, 2], pd.Categorical([1, 2])),
    ],
)
def test_columns_must_be_of_the_fitted_kind(fitted, packed):
    schema = Table().fit(pd.DataFrame({"a": fitted}))
    with pytest.raises(TypeError, match=r"column 'a' was .* when fitted and is now"):
        schema.pack(pd.DataFrame({"a": packed}))


def test_time_zones_must_agree():
    naive = pd.DataFrame({"t": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    aware = naive.assign(t=naive["t"].dt.tz_localize("UTC"))
    for fitted, packed in ((naive, aware), (aware, naive)):
        with pytest.raises(TypeError, match="column 't' had the time zone"):
            Table().fit(fitted).pack(packed)
    schema = Table().fit(aware)
    moved = aware.assign(t=aware["t"].dt.tz_convert("Asia/Tokyo").astype("datetime64[ns, Asia/Tokyo]"))
    assert torch.equal(schema.pack(moved).x, schema.pack(aware).x)


def test_units_of_time_may_differ():
    frame = pl.DataFrame({"a": [0, 1, 5_000]}).cast(pl.Duration("us"))
    schema = Table("none").fit(frame)
    assert schema.pack(frame.cast(pl.Duration("ns"))).x[:, 0].tolist() == [0, 1, 5_000]
    assert schema.pack(frame[::2].cast(pl.Duration("ms"))).x[:, 0].tolist() == [0, 5_000]


def test_kinds_that_may_stand_for_each_other():
    holes = Table().fit(pd.DataFrame({"a": [1, 2, 3]})).pack(pd.DataFrame({"a": [1.0, np.nan, 3.0]}))
    assert holes.mask[:, 0].tolist() == [True, False, True]
    far = pd.DataFrame({"a": [2**60, 2**60 + 2**20]})
    assert Table("minmax").fit(far).pack(far.astype("float64").shift()).x.tolist() == [[0.0], [0.0]]
    flags = Table().fit(pd.DataFrame({"a": [True, False]}))
    assert flags.pack(pd.DataFrame({"a": [1.0, np.nan]})).x.tolist() == [[1.0], [0.0]]
    with pytest.raises(ValueError, match=r"column 'a' was boolean .* besides 0 and 1"):
        flags.pack(pd.DataFrame({"a": [2]}))
    numbers = Table().fit(pd.DataFrame({"a": pd.Categorical([5, 7])}))
    assert numbers.pack(np.array([[7], [5]])).x.tolist() == [[0, 1, 0], [1, 0, 0]]
    with pytest.warns(UserWarning, match=r"column 0 \(7.5\)"):
        assert numbers.pack(np.array([[7.0], [7.5]])).x.tolist() == [[0, 1, 0], [0, 0, 1]]
    absent = Table().fit(pl.DataFrame({"a": [1, 2]})).pack(pl.DataFrame({"a": [None, None]}))
    assert not absent.mask.any()


def test_missing_cells_need_a_dtype_that_holds_them():
    for X, name in ((np.array([[1], [2]]), "0"), (pd.DataFrame({"a": [1, 2]}), "'a'"), (np.array([["x"], ["y"]]), "0")):
        schema = Table().fit(X)
        batch = schema.pack(X)
        mask = torch.zeros(batch.x.shape, dtype=torch.bool)
        with pytest.raises(ValueError, match=f"column {name} has missing cells, which its dtype"):
            schema.unpack(type(batch)(batch.x, mask, batch.rows))


def test_unpack_wants_the_schemas_width():
    schema = Table().fit(np.eye(3))
    with pytest.raises(ValueError, match=r"expected the shape \(n, 3\), got \(4, 2\)"):
        schema.unpack(torch.zeros(4, 2))
