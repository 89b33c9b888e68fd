"""Pictures in files: read when a row is taken, written wholly or not at all, and refused with their names."""

import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from azogue.modalities.image import Image
from azogue.modalities.pictures import picture_files, write_pictures
from azogue.modalities.pixels import ImageRows
from test_image import H, N, W, map_of, pictures, same, stored


def save(path, array, mode=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = array if isinstance(array, Pillow.Image) else Pillow.fromarray(array)
    (picture if mode is None else picture.convert(mode)).save(path, **options)
    return path


@pytest.mark.parametrize("layout", ["grey", "last"])
def test_folders_there_and_back(tmp_path, layout):
    X = pictures(layout)
    names = ["b/2.jpg", "b/10.PNG", "a.tiff", "c d/e/ñ.png", "b.x/0", "z.v2"]
    paths = write_pictures(X, tmp_path / "new" / "folder", names)
    folder = tmp_path / "new" / "folder"
    expected = ["b/2.png", "b/10.png", "a.png", "c d/e/ñ.png", "b.x/0.png", "z.v2.png"]
    assert [path.relative_to(folder).as_posix() for path in paths] == expected
    assert len([path for path in folder.rglob("*") if path.is_file()]) == N, "no temporary file stays"
    order = np.argsort(expected)
    assert [path.relative_to(folder).as_posix() for path in picture_files(folder)] == sorted(expected)
    for given in (folder, str(folder)):
        schema = Image().fit(given)
        assert (schema.container, schema.layout, schema.dtype) == ("files", layout, "uint8")
        assert schema.count(given) == N
        batch = schema.pack(given)
        assert batch.rows == ImageRows("files", sorted(expected), layout, "uint8")
        np.testing.assert_array_equal(stored(schema).unpack(batch), X[order])
        assert same(batch, schema.pack(X[order]))
        assert schema.unpack(batch.x).shape == X.shape
    copies = write_pictures(schema.unpack(batch), tmp_path / "again", batch.rows.index)
    assert [path.read_bytes() for path in copies] == [path.read_bytes() for path in picture_files(folder)]


def test_files_are_read_when_they_are_taken(tmp_path):
    X = pictures("last")
    write_pictures(X, tmp_path, [f"{i}" for i in range(N)])
    schema = Image("standard").fit(tmp_path)
    assert map_of(X, "standard") == list(zip(schema.channels.center, schema.channels.scale, strict=True))
    batch = schema.pack(tmp_path)
    lazy = schema.store(tmp_path)
    (tmp_path / "4.png").unlink()
    index = torch.tensor([5, 0, 0, 2])
    assert same(lazy.take(index), batch.take(index))
    assert same(lazy.take(slice(1, 4)), batch.take(slice(1, 4)))
    with pytest.raises(ValueError, match=r"4\.png: cannot be read: it does not exist"):
        lazy.take(torch.tensor([0, 4]))
    pieces = iter(schema.pieces(tmp_path, 2))
    (tmp_path / "0.png").unlink()
    with pytest.raises(ValueError, match=r"0\.png"):
        next(pieces)


def test_lists_of_paths(tmp_path):
    X = pictures("grey")
    paths = write_pictures(X, tmp_path, ["b/1", "a/1", "b/2", "b/0", "a/2", "c"])
    schema = Image().fit(paths)
    batch = schema.pack([str(path) for path in paths])
    assert batch.rows.index == ["b/1.png", "a/1.png", "b/2.png", "b/0.png", "a/2.png", "c.png"]
    np.testing.assert_array_equal(schema.unpack(batch), X)  # in the order of the list
    assert schema.pack(paths[:1]).rows.index == ["1.png"]
    assert schema.pack((paths[0], paths[3])).rows.index == ["1.png", "0.png"]
    assert schema.count(paths) == N


def test_which_files_are_pictures(tmp_path):
    X = pictures("grey")
    for name in ("a.PNG", "b.Jpg", "sub/c.bmp", "d.jpeg", "e.gif", "f.tif", "g.TIFF", "h.webp"):
        save(tmp_path / name, X[0])
    for name in (".hidden.png", ".folder/a.png", "sub/.h/a.png"):
        save(tmp_path / name, X[1])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    names = ["a.PNG", "b.Jpg", "d.jpeg", "e.gif", "f.tif", "g.TIFF", "h.webp", "sub/c.bmp"]
    assert [path.relative_to(tmp_path).as_posix() for path in picture_files(tmp_path)] == names
    assert Image().fit(tmp_path).pack(tmp_path).rows.index == names


def test_folders_without_pictures(tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=rf"{tmp_path}: the folder holds no picture; give one with files .*\.png"):
        Image().fit(tmp_path)
    with pytest.raises(ValueError, match=r"nowhere: it is not there; give a folder"):
        Image().fit(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"notes\.txt: it is a file; give a folder, or a list of paths"):
        Image().fit(str(tmp_path / "notes.txt"))
    for paths, match in (([tmp_path], "it is a folder"), ([tmp_path / "no.png"], r"no\.png: .*does not exist")):
        with pytest.raises(ValueError, match=match):
            Image().fit(paths)


def test_modes_of_grey(tmp_path):
    X = pictures("grey")[0]
    alpha = np.stack([X, np.where(X > 99, 255, 0)], -1).astype("uint8")
    wide = X.astype("uint16") * 257
    wide[0, :3] = 128, 129, 65535
    expected = X.copy()
    expected[0, :3] = 0, 1, 255
    cases = {
        "1.png": (save(tmp_path / "1.png", X > 99), (X > 99) * 255),
        "L.png": (save(tmp_path / "L.png", X), X),
        "LA.png": (save(tmp_path / "LA.png", alpha), np.where(X > 99, X, 255)),
        "clear.png": (save(tmp_path / "clear.png", X, transparency=int(X[0, 0])), np.where(X[0, 0] == X, 255, X)),
        "wide.png": (save(tmp_path / "wide.png", wide), expected),
        "wide.tif": (save(tmp_path / "wide.tif", wide), expected),
    }
    schema = Image().fit([path for path, _ in cases.values()])
    assert schema.shape == (H, W, 1)
    for path, expected in cases.values():
        np.testing.assert_array_equal(schema.unpack(schema.pack([path]))[0], expected, err_msg=path.name)


def test_modes_of_colour(tmp_path):
    X = pictures("last")[0]
    grey = X[..., 0]
    alpha = np.dstack([X, np.where(grey > 99, 255, 0)]).astype("uint8")
    half = np.dstack([X, np.full((H, W), 51)]).astype("uint8")
    few = Pillow.fromarray(X).convert("P", palette=Pillow.Palette.ADAPTIVE)
    cases = {
        "rgb.png": (save(tmp_path / "rgb.png", X), X),
        "rgb.bmp": (save(tmp_path / "rgb.bmp", X), X),
        "rgba.png": (save(tmp_path / "rgba.png", alpha), np.where(grey[..., None] > 99, X, 255)),
        "half.webp": (save(tmp_path / "half.webp", half, lossless=True), np.rint(X * 0.2 + 255 * 0.8)),
        "grey.png": (save(tmp_path / "grey.png", grey), np.dstack([grey] * 3)),
        "p.png": (save(tmp_path / "p.png", few), np.asarray(few.convert("RGB"))),
        "cmyk.tif": (save(tmp_path / "cmyk.tif", X, "CMYK"), X),
    }
    paths = [path for path, _ in cases.values()]
    schema = Image().fit(paths)
    assert schema.shape == (H, W, 3)
    for path, expected in cases.values():
        result = schema.unpack(schema.pack([path]))[0].astype(int)
        assert np.abs(result - expected).max() <= (path.name == "half.webp"), path.name
    with pytest.raises(ValueError, match=r"rgb\.png: it is in colour, but grey pictures are expected"):
        Image().fit(paths[4:5]).pack(paths)
    with pytest.raises(ValueError, match="files have 1 or 3 channels"):
        Image().fit(pictures("four")).pack(paths)


def test_pixels_that_are_no_bytes(tmp_path):
    for name, dtype in (("f.tif", "float32"), ("i.tif", "int32")):
        path = save(tmp_path / name, np.zeros((3, 3), dtype))
        with pytest.raises(ValueError, match=rf"{name}: its pixels .* are no bytes .*array"):
            Image().fit([path])
        schema = Image().fit(np.zeros((1, 3, 3), "uint8"))
        with pytest.raises(ValueError, match=f"{name}: its pixels"):
            schema.pack([path])
    with pytest.raises(TypeError, match="float64 when fitted and are now uint8"):
        Image().fit(np.zeros((1, 3, 3))).pack([path])


def test_sizes(tmp_path):
    X = pictures("last")
    write_pictures(X[:2], tmp_path, ["a", "b"])
    save(tmp_path / "c.png", X[0, :4])
    save(tmp_path / "d.png", X[0, :3])
    expected = r"c\.png: its height × width is 4 × 7, but 5 × 7 is expected as in .*a\.png; .*Image\(size=\(5, 7\)\)"
    with pytest.raises(ValueError, match=expected):
        Image().fit(tmp_path)
    schema = Image().fit([tmp_path / "a.png", tmp_path / "b.png"])
    with pytest.raises(ValueError, match=r"c\.png: its height × width is 4 × 7, but 5 × 7 is expected"):
        schema.pack(tmp_path)
    schema = stored(Image(size=(5, 7)).fit(tmp_path))
    assert (schema.shape, schema.resized) == ((5, 7, 3), True)
    result = schema.unpack(schema.pack(tmp_path))
    np.testing.assert_array_equal(result[:2], X[:2])
    bars = np.zeros((40, 40), "uint8")
    bars[:, ::2] = 200  # one in four pixels would be all or nothing
    path = save(tmp_path / "bars.png", bars)
    schema = Image(size=(10, 5)).fit([path])
    assert np.abs(schema.unpack(schema.pack([path])).astype(int) - 100).max() < 10


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_broken_files(tmp_path):
    X = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype="uint8")
    paths = write_pictures(X, tmp_path, ["a", "b", "c", "d"])
    schema = Image().fit(tmp_path)
    whole = paths[2].read_bytes()

    paths[2].write_bytes(whole[: len(whole) // 2])  # truncated: its header is there
    assert Image().fit(tmp_path) == schema
    lazy = schema.store(tmp_path)
    assert len(lazy.take(torch.tensor([0, 1, 3]))) == 3
    for take in (lambda: lazy.take(torch.tensor([3, 2])), lambda: schema.pack(tmp_path)):
        with pytest.raises(ValueError, match=r"c\.png: the picture is broken: .*truncated.*; replace or remove it"):
            take()

    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    jpeg = save(tmp_path / "whole.jpg", X[0]).read_bytes()
    (tmp_path / "whole.jpg").unlink()
    header = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    for content in (bytes(flipped), jpeg[:-500], header + chunk(b"IDAT", b"no zlib") + chunk(b"IEND", b"")):
        paths[2].write_bytes(content)
        with pytest.raises(ValueError, match=r"c\.png: the picture is broken: "):
            schema.pack(tmp_path)

    for content in (b"", b"no picture", whole[:9], header, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n"):
        paths[2].write_bytes(content)
        for read in (Image().fit, schema.pack):
            with pytest.raises(ValueError, match=r"c\.png: it is no picture .*PNG, JPEG"):
                read(tmp_path)


def test_a_picture_that_claims_to_be_huge_is_not_decoded(tmp_path):
    header = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    (tmp_path / "huge.png").write_bytes(header + chunk(b"IDAT", b""))
    with pytest.raises(ValueError, match=r"huge\.png: .*decompression bomb.*MAX_IMAGE_PIXELS"):
        Image().fit(tmp_path)


@pytest.mark.parametrize(
    ("array", "names", "match"),
    [
        (np.zeros((2, 3, 3)), ["a", "b"], "dtype uint8 or bool .* got float64"),
        (np.zeros((2, 3, 3), "uint8"), ["a"], r"1 names do not go with pictures of shape \(2, 3, 3\)"),
        (np.zeros((2, 3, 3, 5), "uint8"), ["a", "b"], r"got uint8 and \(2, 3, 3, 5\)"),
        (np.zeros((3, 3), "uint8"), ["a", "b", "c"], r"\(3, 3\)"),
        (np.zeros((2, 3, 3), "uint8"), ["a.jpg", "a.png"], r"'a\.jpg' and 'a\.png' would both become"),
        (np.zeros((2, 3, 3), "uint8"), ["a", "b/../../c"], "leads out of the folder"),
        (np.zeros((2, 3, 3), "uint8"), ["a", "/tmp/c"], "leads out of the folder"),
        (np.zeros((2, 3, 3), "uint8"), ["a", ""], "names no file"),
        (np.zeros((2, 3, 3), "uint8"), ["a", "b\0"], "change it"),
    ],
)
def test_pictures_that_cannot_be_written(tmp_path, array, names, match):
    with pytest.raises(ValueError, match=match):
        write_pictures(array, tmp_path / "folder", names)
    assert not (tmp_path / "folder").exists(), "nothing is written before all is checked"


def test_writing(tmp_path):
    for shape, dtype in (((2, 4, 5), bool), ((2, 4, 5, 1), "uint8"), ((2, 4, 5, 2), "uint8"), ((2, 4, 5, 4), "uint8")):
        X = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
        for path, picture in zip(write_pictures(X, tmp_path, ["a.jpg", "b"]), X, strict=True):
            with Pillow.open(path) as read:
                expected = picture.squeeze() * (np.uint8(255) if dtype is bool else np.uint8(1))
                np.testing.assert_array_equal(np.asarray(read), expected)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"file.*: its folder cannot be made"):
        write_pictures(X, tmp_path, ["a", "file/b"])


@pytest.mark.data
def test_real_pictures(data_folder, tmp_path):
    with np.load(data_folder / "mnist" / "mnist.npz") as data:
        X = next(data[name] for name in data.files if data[name].ndim == 3)[:300]
    schema = Image().fit(X)
    np.testing.assert_array_equal(schema.unpack(schema.pack(X)), X)
    names = [f"{i:04}" for i in range(len(X))]
    write_pictures(X[:20], tmp_path, names[:20])
    assert same(schema.pack(tmp_path), schema.pack(X[:20]))
