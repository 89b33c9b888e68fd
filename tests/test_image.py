"""Pictures: what goes in comes out, whatever its layout and dtype, in one go, in pieces or a row at a time."""

import json
import tracemalloc
from itertools import product

import numpy as np
import pytest
import torch

from azogue.modalities.base import Demand
from azogue.modalities.image import Image, ImageSchema
from azogue.modalities.pixels import ImageRows
from azogue.recipe import Batch

H, W, N = 5, 7, 6
LAYOUTS = {"grey": (N, H, W), "one": (N, H, W, 1), "last": (N, H, W, 3), "first": (N, 3, H, W), "four": (N, H, W, 4)}
INTEGERS = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i4")
FLOATS = ("float16", "float32", "float64", ">f4", "longdouble")
INF = float("inf")
TANH = Demand(None, "tanh", (-1.0, 1.0))


def pictures(layout="last", dtype="uint8", seed=0):
    rng = np.random.default_rng(seed)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.normal(3, 20, LAYOUTS[layout]).astype(dtype)
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    base = 0 if dtype.itemsize == 8 else max(int(low), -(2**20))
    return (rng.integers(0, min(int(high) - base, 2**22) + 1, LAYOUTS[layout]) + base).astype(dtype)


def stored(schema):
    """The schema, sent through JSON."""
    again = ImageSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    assert again.to_dict() == schema.to_dict()
    return again


def same(a, b):
    """Batches of the same bits."""
    assert a.x.dtype == b.x.dtype == torch.float32
    assert torch.equal(a.x.view(torch.int32), b.x.view(torch.int32))
    full = [torch.ones(one.x.shape, dtype=torch.bool) if one.mask is None else one.mask for one in (a, b)]
    assert torch.equal(*full)
    return True


# -- there and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["auto", "minmax", "standard", "none"])
@pytest.mark.parametrize(("layout", "dtype"), [*product(LAYOUTS, (*INTEGERS, "bool"))])
def test_integers_come_back_exactly(layout, dtype, scaling):
    X = pictures(layout, dtype)
    schema = Image(scaling).fit(X)
    batch = schema.pack(X)
    result = stored(schema).unpack(batch)
    assert (result.dtype, result.shape) == (X.dtype, X.shape)
    np.testing.assert_array_equal(result, X)
    assert batch.mask is None
    assert batch.x.shape == (N, schema.width)
    np.testing.assert_array_equal(schema.unpack(batch.x), X)  # the fitted container, layout and dtype


@pytest.mark.parametrize("demand", [Demand(), TANH])
@pytest.mark.parametrize("scaling", ["auto", "minmax", "standard", "none"])
@pytest.mark.parametrize(("layout", "dtype"), [*product(LAYOUTS, FLOATS)])
def test_floats_come_back_within_the_range_over_two_to_the_23(layout, dtype, scaling, demand):
    X = pictures(layout, dtype)
    if demand is TANH and scaling in ("standard", "none"):
        with pytest.raises(ValueError, match="tanh"):
            Image(scaling).fit(X, demand)
        return
    schema = Image(scaling).fit(X, demand)
    result = stored(schema).unpack(schema.pack(X))
    assert (result.dtype, result.shape) == (X.dtype, X.shape)
    span = np.abs(X).max() if scaling == "none" else X.max() - X.min()
    assert np.abs(result.astype("f8") - X.astype("f8")).max() <= span * 2.0**-23


def test_a_packed_row_has_its_channels_last():
    X = np.arange(N * 3 * H * W).reshape(N, 3, H, W) % 256
    schema = Image("none").fit(X.astype("uint8"))
    assert (schema.layout, schema.shape, schema.width, schema.n_columns) == ("first", (H, W, 3), 105, 105)
    np.testing.assert_array_equal(schema.pack(X).x.numpy(), X.transpose(0, 2, 3, 1).reshape(N, -1))


def test_other_layouts_of_the_fitted_size_come_back_as_they_were():
    last = pictures("last")
    first = np.ascontiguousarray(last.transpose(0, 3, 1, 2))
    schema = Image().fit(last)
    batch = schema.pack(first)
    assert same(batch, schema.pack(last))
    np.testing.assert_array_equal(schema.unpack(batch), first)
    np.testing.assert_array_equal(schema.unpack(Batch(batch.x)), last)
    grey = pictures("grey")
    for fitted, packed in product((grey, grey[..., None], grey[:, None]), repeat=2):
        schema = Image().fit(fitted)
        np.testing.assert_array_equal(schema.unpack(schema.pack(packed)), packed)
        assert schema.unpack(schema.pack(packed).x).shape == fitted.shape


def test_which_axis_holds_the_channels():
    def layout(shape, channels=None):
        schema = Image(channels=channels).fit(np.zeros(shape, "uint8"))
        return schema.layout, schema.shape

    assert layout((2, 3, 9, 4)) == ("last", (3, 9, 4))  # both fit
    assert layout((2, 4, 9, 5)) == ("first", (9, 5, 4))
    assert layout((2, 3, 9, 4), "first") == ("first", (9, 4, 3))
    assert layout((2, 8, 9, 7), "last") == ("last", (8, 9, 7))
    assert layout((2, 8, 9, 7), "first") == ("first", (9, 7, 8))
    assert layout((2, 8, 9)) == ("grey", (8, 9, 1))
    with pytest.raises(ValueError, match=r"\(2, 8, 9, 7\).*channels='last'\) or Image\(channels='first'\)"):
        layout((2, 8, 9, 7))


def test_ambiguous_pictures_are_taken_in_the_fitted_layout():
    X = np.arange(2 * 27, dtype="uint8").reshape(2, 3, 3, 3)
    for channels in ("first", "last"):
        schema = stored(Image("none", channels=channels).fit(X))
        expected = X if channels == "last" else X.transpose(0, 2, 3, 1)
        np.testing.assert_array_equal(schema.pack(X).x.numpy(), expected.reshape(2, -1))


def test_tensors_come_back_as_tensors():
    for dtype in (torch.uint8, torch.float32, torch.float64, torch.int64, torch.bool):
        X = (torch.arange(N * H * W * 3).reshape(N, 3, H, W) % 2).to(dtype)
        schema = stored(Image().fit(X))
        for result in (schema.unpack(schema.pack(X)), schema.unpack(schema.pack(X).x)):
            assert result.dtype == X.dtype
            assert torch.equal(result, X)
    X = torch.rand(N, H, W, requires_grad=True)
    assert torch.equal(Image().fit(X).unpack(Image().fit(X).pack(X).x.requires_grad_()), X.detach())
    assert Image().fit(X.detach().bfloat16()).dtype == "float32"
    array = X.detach().numpy()
    assert isinstance(Image().fit(X).unpack(Image().fit(X).pack(array)), np.ndarray)
    assert Image().fit(list(array)).container == "numpy"


def test_reconstructions_are_rounded_and_clipped():
    schema = Image().fit(pictures("grey"))
    x = torch.full((1, H * W), 0.5001)
    x[0, :4] = torch.tensor([-3.0, 1e9, 99.51 / 255, 99.49 / 255])
    assert schema.unpack(x).ravel()[:5].tolist() == [0, 255, 100, 99, 128]
    small = Image("none").fit(pictures("grey", "int64"))
    assert small.unpack(torch.full((1, H * W), 1e30)).max() == 2**53
    half = Image("none").fit(pictures("grey", "float16"))
    assert half.unpack(torch.full((1, H * W), 1e30)).max() == np.finfo("float16").max
    assert Image().fit(pictures("grey", "bool")).unpack(x).ravel()[:3].tolist() == [False, True, False]


# -- scaling -----------------------------------------------------------------------------------------------------------


def map_of(X, scaling="auto", demand=None):
    schema = Image(scaling).fit(X, demand or Demand())
    assert schema.scaling == schema.describe()[0]["scaling"]
    return list(zip(schema.channels.center, schema.channels.scale, strict=True))


def test_bytes_and_booleans_have_the_limits_of_their_dtype():
    X = np.full((2, 3, 4, 3), 7, "uint8")
    for scaling in ("auto", "minmax"):
        assert map_of(X, scaling) == [(0.0, 255.0)] * 3
        assert map_of(X, scaling, TANH) == [(127.5, 127.5)] * 3
        assert map_of(X, scaling, Demand("bernoulli")) == [(0.0, 255.0)] * 3
        assert map_of(X > 9, scaling) == [(0.0, 1.0)] * 3
        assert map_of(X > 9, scaling, TANH) == [(0.5, 0.5)] * 3
    schema = Image().fit(X, TANH)
    assert schema.pack(np.full((1, 3, 4, 3), 255, "uint8")).x.unique().tolist() == [1.0]
    assert schema.pack(np.zeros((1, 3, 4, 3), "uint8")).x.unique().tolist() == [-1.0]


def test_floats_have_the_limits_of_all_channels_unless_they_are_fractions_already():
    X = np.zeros((2, 3, 4, 2))
    X[0, 0, 0] = 0.5, 0.75
    assert map_of(X) == [(0.0, 1.0)] * 2
    assert map_of(X, demand=TANH) == [(0.5, 0.5)] * 2
    assert map_of(X, "minmax") == [(0.0, 0.5), (0.0, 0.75)]
    X[0, 0, 1] = -1.0, 3.0
    assert map_of(X) == [(-1.0, 4.0)] * 2
    assert map_of(X, demand=TANH) == [(1.0, 2.0)] * 2
    assert map_of(X, "minmax") == [(-1.0, 1.5), (0.0, 3.0)]
    assert map_of(X.astype("int16")) == [(-1.0, 4.0)] * 2
    assert map_of(np.array([[[0, 1]]], "int16") * 9) == [(0.0, 9.0)]
    assert map_of(np.array([[[1, 1]]], "int16")) == [(1.0, 1.0)]
    assert map_of(np.array([[[1.0, 1.0]]])) == [(0.0, 1.0)]
    assert map_of(X, "none") == [(0.0, 1.0)] * 2
    X[1] = np.nan
    assert map_of(X) == [(-1.0, 4.0)] * 2


@pytest.mark.parametrize("dtype", ["uint8", "float64", "int32"])
def test_standard_is_of_each_channel(dtype):
    X = pictures("first", dtype)
    expected = X.transpose(1, 0, 2, 3).reshape(3, -1).astype("f8")
    got = map_of(X, "standard")
    np.testing.assert_allclose(got, np.stack([expected.mean(1), expected.std(1)], 1), rtol=1e-9)
    x = Image("standard").fit(X).pack(X).x.reshape(-1, 3).double()
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(0, correction=0), 1, atol=1e-6)


def test_what_the_model_demands():
    X = pictures("grey")
    schema = Image().fit(X, Demand("poisson"))
    assert (schema.scaling, schema.head, schema.heads[0].kind) == ("none", "poisson", "poisson")
    assert schema.pack(X).x.max() == X.max()
    schema = stored(Image().fit(X.astype("int16"), Demand("poisson")))
    with pytest.raises(ValueError, match="row 1 of X holds a negative value, but the objective is for counts"):
        schema.pack(np.stack([X[0], -X[1].astype("int16")]))
    with pytest.raises(ValueError, match=r"-3 .*an objective for counts"):
        Image().fit(np.full((2, 3, 3), -3.0), Demand("poisson"))
    assert Image().fit(X, Demand("bernoulli", "auto")).heads[0].link_name == "sigmoid"
    for scaling, demand in (("none", Demand("bernoulli")), ("minmax", Demand("poisson")), ("standard", TANH)):
        with pytest.raises(ValueError, match=f"scaling='{scaling}'"):
            Image(scaling).fit(X, demand)
    assert Image("none").fit(X // 255, Demand("bernoulli")).scaling == "none"
    heads = Image().fit(X, TANH).heads
    assert len(heads) == 1
    assert (heads[0].start, heads[0].stop, heads[0].columns, heads[0].activation) == (0, 35, tuple(range(35)), "tanh")


def test_a_constant_is_no_division_by_zero():
    for value, scaling in product((0.0, 5.0, -3.0), ("auto", "minmax", "standard", "none")):
        X = np.full((3, 2, 2), value)
        schema = stored(Image(scaling).fit(X))
        np.testing.assert_array_equal(schema.unpack(schema.pack(X)), X)


@pytest.mark.parametrize("demand", [Demand(), TANH, Demand("poisson")])
def test_bytes_are_scaled_quickly_to_the_very_bits(demand):
    X = np.arange(256, dtype="uint8").reshape(1, 16, 16)
    schema = Image().fit(X, demand)
    expected = schema.channels.forward(X[..., None]).reshape(1, -1)
    np.testing.assert_array_equal(schema.pack(X).x.numpy(), expected)
    np.testing.assert_array_equal(schema.pack(X.astype("int64")).x.numpy(), expected)
    floats = np.linspace(0, 255, 999).reshape(1, 27, 37)
    schema = Image().fit(floats, demand)
    np.testing.assert_array_equal(
        schema.pack(floats).x.numpy().ravel(), schema.channels.forward(floats.ravel()[:, None])[:, 0]
    )


def test_plan():
    schema = Image().fit(pictures("first"))
    assert schema.describe() == [
        {"name": "pixels", "kind": "image 5 × 7 × 3", "scaling": "minmax", "head": "gaussian", "slots": 105}
    ]
    assert schema.names is None


# -- rows when they are taken ------------------------------------------------------------------------------------------


def with_gaps(X):
    X = X.copy()
    X[1, 2, 3] = np.nan
    X[4] = np.nan
    return X


ANY = [*product(LAYOUTS, ("uint8", "bool", "int16", "float32", "gaps"), ("auto", "standard"))]


@pytest.mark.parametrize(("layout", "dtype", "scaling"), ANY)
def test_lazy_rows_and_pieces_are_the_packed_ones(layout, dtype, scaling, monkeypatch):
    X = with_gaps(pictures(layout, "float64")) if dtype == "gaps" else pictures(layout, dtype)
    schema = Image(scaling).fit(X)
    assert schema.count(X) == N
    batch = schema.pack(X)
    monkeypatch.setattr("azogue.modalities.pixels._CELLS", 2 * schema.width)  # blocks of two rows
    assert same(schema.pack(X), batch)
    lazy = schema.store(X)
    assert (len(lazy), lazy.width, lazy.rows) == (N, schema.width, batch.rows)
    for index in ([3, 0, 0, 5, 1, 3, 2], [4], [], [0, 2, 3, 5]):
        index = torch.tensor(index, dtype=torch.int64)
        assert same(lazy.take(index), batch.take(index))
    for part in (slice(None), slice(1, 5), slice(0, 0), slice(-3, 99), slice(0, 6, 2)):
        assert same(lazy.take(part), batch.take(part))
    for size in (1, 4, 100):
        pieces = schema.pieces(X, size)
        assert (len(pieces), pieces.rows) == (N, batch.rows)
        parts = list(pieces)
        assert {len(part) for part in parts[:-1]} <= {size}
        masks = [torch.ones_like(part.x, dtype=bool) if part.mask is None else part.mask for part in parts]
        whole = Batch(torch.cat([part.x for part in parts]), torch.cat(masks))
        assert same(whole, batch)


def test_missing_pixels():
    X = with_gaps(pictures("first", "float32"))
    schema = Image().fit(X)
    batch = schema.pack(X)
    expected = ~np.isnan(X.transpose(0, 2, 3, 1).reshape(N, -1))
    np.testing.assert_array_equal(batch.mask.numpy(), expected)
    assert (batch.x[~batch.mask] == 0).all()
    result = schema.unpack(batch)
    np.testing.assert_array_equal(np.isnan(result), np.isnan(X))
    assert not np.isnan(schema.unpack(batch.x)).any()
    lazy = schema.store(X)
    assert lazy.take(torch.tensor([0, 2])).mask is None
    assert lazy.take(torch.tensor([0, 1])).mask is not None
    with pytest.raises(ValueError, match="missing or NaN, which the dtype uint8 cannot hold"):
        schema.unpack(Batch(batch.x, batch.mask, ImageRows("numpy", None, "first", "uint8")))
    with pytest.raises(ValueError, match="no value at all"):
        Image().fit(np.full((2, 3, 3), np.nan))


def test_storing_copies_nothing():
    for X in (np.zeros((40, 64, 64, 3), "uint8"), np.zeros((40, 3, 64, 64), "uint8"), np.zeros((99, 64, 64))):
        schema = Image().fit(X)
        tracemalloc.start()
        lazy = schema.store(X)
        assert tracemalloc.get_traced_memory()[1] < 50_000
        tracemalloc.stop()
        assert np.shares_memory(lazy.make.args[0].array, X)
        X[3] = 1
        assert (lazy.take(slice(3, 4)).x > 0).all()
    tensor = torch.zeros(5, 8, 8, dtype=torch.uint8)
    assert np.shares_memory(Image().fit(tensor).store(tensor).make.args[0].array, tensor.numpy())


def test_errors_are_arranged_as_the_pictures():
    cells = np.arange(2.0 * 105).reshape(2, 105)
    cells[0, 4] = np.nan
    schema = Image().fit(pictures("first"))
    result = schema.arrange(cells)
    assert (result.dtype, result.shape) == (np.float64, (2, 3, H, W))
    np.testing.assert_array_equal(result[:, 1, 0], cells[:, 1:21:3])
    last = schema.arrange(cells, schema.pack(pictures("last")).rows)
    np.testing.assert_array_equal(last, result.transpose(0, 2, 3, 1))
    assert Image().fit(pictures("grey")).arrange(torch.zeros(2, 35)).shape == (2, H, W)
    with pytest.raises(ValueError, match=r"\(n, 105\), got \(2, 9\)"):
        schema.arrange(np.zeros((2, 9)))
