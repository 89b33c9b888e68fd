"""Pictures: what is refused, when fitted, packed, unpacked and read from a model file."""

import numpy as np
import pytest
import torch

from azogue.modalities.image import Image, ImageSchema
from azogue.recipe import Spec
from test_image import INF, H, W, pictures, same


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (np.zeros((28, 28)), ValueError, r"got \(28, 28\); a single picture is X\[None\]"),
        (np.zeros((1, 2, 3, 4, 5)), ValueError, r"got \(1, 2, 3, 4, 5\)"),
        (np.zeros((0, 28, 28)), ValueError, r"0 sample\(s\) \(shape=\(0, 28, 28\)\)"),
        (np.zeros((2, 0, 28)), ValueError, "without pixels"),
        ([], ValueError, r"got \(0,\)"),
        (np.zeros((2, 3, 3), complex), ValueError, "Complex data not supported.*complex128"),
        (np.zeros((2, 3, 3), object), TypeError, "got the dtype object"),
        (np.full((2, 3, 3), "a"), TypeError, "got the dtype <U1"),
        (np.zeros((2, 3, 3), "M8[s]"), TypeError, "datetime64"),
        (np.ma.zeros((2, 3, 3)), TypeError, r"masked.*X.filled\(np.nan\)"),
        ([np.zeros((2, 3)), np.zeros((3, 3))], TypeError, "of one size"),
        ([np.zeros((2, 3)), "a.png"], TypeError, "of one size"),
        (torch.zeros(2, 3, 3).to_sparse(), TypeError, "dense"),
        (b"folder", TypeError, "got the dtype |S6"),
        (np.array([[[0.0]], [[INF]]]), ValueError, "row 1 of X holds infinity"),
        (np.array([[[0.0]], [[0.0]], [[-1e300]]]), ValueError, "row 2 of X holds .* too large for float32"),
        (
            np.full((1, 1, 1), 2**60),
            ValueError,
            "row 0 of X holds a value beyond -9007199254740992 to 9007199254740992",
        ),
        (
            np.broadcast_to(np.uint8(0), (1, 2**14, 2**14, 2)),
            ValueError,
            r"16384 × 16384 × 2 have more than 268,435,456",
        ),
    ],
)
def test_refused_by_fit(X, error, match):
    with pytest.raises(error, match=match):
        Image().fit(X)


def test_options_are_checked():
    assert Image(size=[8, np.int64(9)]).size == (8, 9)
    assert eval(repr(Image("none", (8, 9)))) == Image("none", (8, 9))
    assert Spec.registry["modalities.Image"] is Image
    for options in (
        {"scaling": "robust"},
        {"channels": "middle"},
        *({"size": size} for size in (8, (8,), (8, 0), (8, True), (8.0, 8), (8, 8, 3), "88")),
    ):
        with pytest.raises(ValueError, match=f"Image: {next(iter(options))} must be"):
            Image(**options)
    with pytest.raises(ValueError, match=r"size=\(9, 9\) is for picture files.*\(6, 5, 7\)"):
        Image(size=(9, 9)).fit(pictures("grey"))
    assert not Image(size=(H, W)).fit(pictures("grey")).resized


@pytest.mark.parametrize(
    ("layout", "X", "match"),
    [
        ("last", np.zeros((4, 5, 8, 3), "uint8"), r"expected the shape \(n, 5, 7, 3\) .* got \(4, 5, 8, 3\)"),
        ("last", np.zeros((4, 5, 7, 1), "uint8"), r"\(n, 5, 7, 3\) .* got \(4, 5, 7, 1\)"),
        ("last", np.zeros((4, 5, 7), "uint8"), r"\(n, 5, 7, 3\) .* got \(4, 5, 7\)"),
        ("first", np.zeros((4, 3, 7, 5), "uint8"), r"\(n, 3, 5, 7\) .* got \(4, 3, 7, 5\)"),
        ("grey", np.zeros((4, 7, 5), "uint8"), r"\(n, 5, 7\) .* got \(4, 7, 5\)"),
        ("grey", np.zeros((4, 5, 7, 3), "uint8"), r"\(n, 5, 7\) .* got \(4, 5, 7, 3\)"),
        ("grey", np.zeros((0, 5, 7), "uint8"), "0 sample"),
    ],
)
def test_pictures_must_be_of_the_fitted_size(layout, X, match):
    schema = Image().fit(pictures(layout))
    for method in (schema.pack, schema.store, lambda X: schema.pieces(X, 2)):
        with pytest.raises(ValueError, match=match):
            method(X)


def test_pictures_must_be_of_the_fitted_kind():
    X = pictures("grey")
    for fitted, packed in ((X, X / 255), (X / 255, X), (X, X > 9), (X / 255, X > 9), (X > 9, X / 255)):
        with pytest.raises(TypeError, match=f"{fitted.dtype} when fitted and are now {packed.dtype}.*0 to 255"):
            Image().fit(fitted).pack(packed)
    schema = Image().fit(X)
    assert same(schema.pack(X.astype("uint64")), schema.pack(X))
    assert schema.unpack(schema.pack(X.astype(">i2"))).dtype == np.dtype(">i2")
    wide = X.astype("int16")
    wide[4, 0, 0] = 256
    lazy = schema.store(wide)
    assert len(lazy.take(torch.tensor([0, 3]))) == 2
    for take in (lambda: schema.pack(wide), lambda: lazy.take(torch.tensor([0, 4])), lambda: lazy.take(slice(3, 6))):
        with pytest.raises(ValueError, match="row 4 of X holds a value beyond 0 to 255, the range of uint8"):
            take()
    assert Image().fit(X > 9).pack((X > 9).astype("int8")).x.max() == 1
    with pytest.raises(ValueError, match="beyond 0 to 1, the range of bool"):
        Image().fit(X > 9).pack(X)


def test_infinity_is_refused_where_it_is_met():
    X = pictures("last", "float32") / 100
    schema = Image().fit(X)
    for value in (INF, -INF):
        broken = X.copy()
        broken[3, 1, 1, 1] = value
        with pytest.raises(ValueError, match="row 3 of X holds infinity"):
            schema.pack(broken)
        with pytest.raises(ValueError, match="row 3 of X holds infinity"):
            schema.store(broken).take(torch.tensor([5, 3]))
    with pytest.raises(ValueError, match="too large for float32"):
        schema.pack(np.full((1, H, W, 3), 1e39))


def test_unpack_wants_the_schemas_width():
    schema = Image().fit(pictures("grey"))
    with pytest.raises(ValueError, match=r"expected the shape \(n, 35\), got \(4, 2\)"):
        schema.unpack(torch.zeros(4, 2))
    with pytest.raises(ValueError, match="missing or NaN, which the dtype uint8"):
        schema.unpack(torch.full((1, 35), float("nan")))


# -- model files -------------------------------------------------------------------------------------------------------

GREY, COLOUR = Image().fit(pictures("grey")), Image("standard").fit(pictures("last"))
BREAKS = [
    {"modality": "table"},
    {"extra": 1},
    *({"container": value} for value in ("pandas", None, ["numpy"])),
    *({"dtype": value} for value in ("object", "float", "complex64", None, ["uint8"], "U3", "u1,u1")),
    *({"layout": value} for value in ("middle", "grey", None)),
    *(
        {"shape": value}
        for value in ([5, 7], [5, 7, 1], [5, 7, 0], [5, -7, -3], [5.0, 7, 3], [5, True, 3], "573", 5, None)
    ),
    {"shape": [2**20, 2**20, 3]},
    *({"resized": value} for value in (True, 0, None, "no")),
    *({"scaling": value} for value in ("auto", "none", "robust", None, ["standard"])),
    *({"channels": value} for value in ({}, None, [], {"center": [0.0] * 3}, 7)),
    *(
        {"channels": {"center": [0.0] * 3, "scale": value}}
        for value in ([1.0], [0.0] * 3, [-1.0] * 3, "111", [True] * 3)
    ),
    *({"channels": {"center": [value] * 3, "scale": [1.0] * 3}} for value in (INF, float("nan"), None, "0", 10**400)),
    {"channels": {"center": [0.0] * 3, "scale": [1.0] * 3, "more": []}},
    *({"head": value} for value in ("poisson", "bernoulli", "categorical", None, [])),
    *({"activation": value} for value in ("softmax", None, [])),
    {"container": "torch", "dtype": ">f4"},
    {"container": "torch", "dtype": "longdouble"},
    {"container": "files", "dtype": "float32"},
    {"container": "files", "layout": "first"},
]


@pytest.mark.parametrize("change", BREAKS, ids=str)
def test_refused_from_a_file(change):
    assert ImageSchema.from_dict(COLOUR.to_dict()) == COLOUR
    with pytest.raises(ValueError, match="not the schema of pictures"):
        ImageSchema.from_dict(COLOUR.to_dict() | change)


def test_refused_from_a_file_besides():
    for key in GREY.to_dict():
        data = GREY.to_dict()
        del data[key]
        with pytest.raises(ValueError, match="not the schema of pictures"):
            ImageSchema.from_dict(data)
    for data in (None, [], "image", 3, {1: 2}):
        with pytest.raises(ValueError, match="not the schema of pictures"):
            ImageSchema.from_dict(data)
    assert next(iter(GREY.to_dict().items())) == ("modality", "image")
