"""Learned compression: every bit comes back, on every machine; damaged and greedy data are refused."""

import base64
import hashlib
import json
import lzma
import os
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.datasets import load_breast_cancer, load_digits

from azogue.compression import ans, coding, columns, frame, library, numbers
from azogue.compression.ans import DamagedError
from azogue.compression.frame import ModelError
from azogue.compression.linear import Predictor
from azogue.compression.mixing import Mixture
from azogue.compression.network import IntegerDecoder, distilled
from azogue.compression.packing import Learned
from azogue.compression.pictures import Pictures, Settings


def noise(shape, k, seed=0):
    """Whole numbers 0 … k − 1 without order, the same for ever."""
    at = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(104729 * seed + 1)
    mixed = (at * np.uint64(0x9E3779B97F4A7C15)) ^ (at * np.uint64(0xD1B54A32D192ED03) >> np.uint64(29))
    return (mixed >> np.uint64(33)).astype(np.int64).reshape(shape) % k


def smooth(n=60, h=9, w=8, c=1, seed=0):
    """Pictures of a slope with some noise, in whole numbers."""
    at = np.arange(h)[:, None, None] * 9 + np.arange(w)[:, None] * 5 + np.arange(c) * 20
    return (noise((n, 1, 1, 1), 90, seed) + at + noise((n, h, w, c), 4, seed + 1)).astype(np.uint8)


def coded(pixels):
    found = Settings.fitted(pixels, None)
    return found, coding.encode(Pictures(pixels.copy(), found))


# The coder


def test_cost_is_the_information():
    """1,000 symbols of probability 1/8 in two lanes: 3,000 bits, and 31 that each lane holds anyway."""
    steps = [(np.array([3, 5]) << 17, np.array([1 << 17] * 2))] * 500
    data = ans.encode(steps, 2)
    assert len(data) * 8 == pytest.approx(3000 + 2 * 31, abs=64)
    back = ans.Decoder(data, 2)
    for low, freq in steps:
        slot = back.slots(2)
        assert ((low <= slot) & (slot < low + freq)).all()
        back.advance(low, freq)
    back.close()


def read_all(data, steps):
    back = ans.Decoder(data, 1)
    for low, freq in steps:
        back.slots(1)
        back.advance(low, freq)
    back.close()


def test_coder_refuses_what_is_too_short_too_long_or_wrong():
    steps = [(np.array([0]), np.array([1 << 10]))] * 50
    data = ans.encode(steps, 1)
    for wrong in (data[:-4], data + b"\0" * 4, data[:7], data[:9]):
        with pytest.raises(DamagedError):
            read_all(wrong, steps)


def test_mixture_shares_out_all_slots_and_finds_them():
    rng = np.random.default_rng(0)
    mixture = Mixture([4, 1])
    for _ in range(60):
        context = np.stack([rng.integers(0, 4, 50), np.zeros(50, np.int64)])
        shift = np.stack([np.zeros(50, np.int64), rng.integers(0, 256, 50)])
        mixture.look(context, shift, 0)
        every = np.stack([mixture.below(np.full(50, x)) for x in range(257)])
        assert (every[0] == 0).all()
        assert (every[256] == 1 << ans.BITS).all()
        assert (np.diff(every, axis=0) >= 1).all()
        slot = rng.integers(0, 1 << ans.BITS, 50)
        found = mixture.find(slot)
        assert (mixture.below(found) <= slot).all()
        assert (slot < mixture.below(found + 1)).all()
        symbol = (context[0] * 60 + rng.integers(0, 3, 50)) & 255
        low, freq = mixture.span(symbol)
        assert (low == mixture.below(symbol)).all()
        assert (low + freq == mixture.below(symbol + 1)).all()
        mixture.learn(symbol)


def test_mixture_learns_which_expert_knows():
    """One context tells the symbol, the other one nothing: it costs nearly nothing in the end."""
    rng = np.random.default_rng(0)
    mixture, costs = Mixture([8, 8]), []
    for _ in range(200):
        symbol = rng.integers(0, 8, 64)
        mixture.look(np.stack([symbol, rng.integers(0, 8, 64)]), np.zeros((2, 64), np.int64), 0)
        costs.append(-np.log2(mixture.span(symbol)[1] / 2**ans.BITS).mean())
        mixture.learn(symbol)
    assert costs[0] == pytest.approx(8, abs=0.01)
    assert np.mean(costs[-20:]) < 0.05


@pytest.mark.parametrize("shape", [(1, 40, 40, 1), (3, 12, 9, 3), (40, 8, 8, 1), (150, 5, 6, 4)])
def test_pictures_come_back(shape):
    for pixels in (smooth(*shape), np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)):
        found, data = coded(pixels)
        again, rest = Settings.from_bytes(found.to_bytes(), shape[3])
        assert not rest
        model = Pictures(np.zeros_like(pixels), again)
        coding.decode(model, data)
        assert (model.pixels == pixels).all()


def fixed():
    """The SHA-256 of pictures that are coded with given settings."""
    predictor = Predictor(np.arange(15), np.full((2, 12), 170))
    return hashlib.sha256(coding.encode(Pictures(smooth(100), Settings(False, False, [predictor], 1)))).hexdigest()


def test_same_bytes_whatever_the_threads():
    program = "import test_compression; print(test_compression.fixed())"
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    environment = {**os.environ, "OMP_NUM_THREADS": "3", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == fixed() == CODED


#: SHA-256 of what the pictures above are coded to: format 1 is that on every machine, for ever.
CODED = "d0e23cacef8ed80e469f0ad08afa85bfb1cdccd30468d85002e6c49a9283a501"


def test_columns_tell_one_another():
    """A column that is a function of two others costs next to nothing."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, 4000), rng.integers(0, 8, 4000)
    table = np.stack([a, rng.integers(0, 256, 4000), b, 3 * a + 5 * b], axis=1).astype(np.uint8)
    parents = columns.choose_parents(table)
    assert set(parents[3]) == {0, 2}
    whole = coding.encode(columns.Columns(table, parents))
    without = coding.encode(columns.Columns(table[:, :3].copy(), parents[:3]))
    assert len(whole) - len(without) < 4000 * 6 / 8 * 0.15
    back = columns.Columns(np.zeros_like(table), columns.parents_from_bytes(columns.parents_to_bytes(parents), 4))
    coding.decode(back, whole)
    assert (back.table == table).all()


def test_rows_before_tell_the_next():
    """A slow walk: each value is near the one before."""
    walk = (np.cumsum(noise(20_000, 3) - 1) & 255).astype(np.uint8)[:, None]
    data = coding.encode(columns.Columns(walk, np.full((1, 2), -1)))
    assert len(data) * 8 < 20_000 * (np.log2(3) + 0.8)


# Numbers


@pytest.mark.parametrize(
    ("column", "way"),
    [
        (np.array([1.5, -0.0, np.nan] * 40), 1),
        (np.arange(4000, dtype=np.int64) % 900 * 10**9, 2),
        (np.arange(-5, 1000, dtype=np.int64), 18),
        (np.array([-(2**63), 2**63 - 1] * 3 + list(range(300)), dtype=np.int64), 24),
        (np.arange(0, 2**64 - 1, 2**56, dtype=np.uint64).repeat(2) + np.arange(512, dtype=np.uint64), 24),
        (np.round(np.random.default_rng(0).normal(size=999), 2), 50),
        (np.where(np.arange(999) % 5, np.random.default_rng(0).integers(0, 9999, 999) / 1000, np.nan), 50),
        (np.random.default_rng(0).normal(size=999), 40),
        (np.random.default_rng(0).normal(size=999).astype(np.float32), 36),
        (np.random.default_rng(0).normal(size=999).astype(">f8"), 40),
        (np.arange(1000).astype("M8[ns]"), 18),
    ],
)
def test_numbers_come_back_bit_by_bit(column, way):
    found, extra, symbols = numbers.to_symbols(column)
    assert found == way
    assert symbols.shape == (len(column), numbers.width_of(way))
    back = numbers.from_symbols(found, extra, symbols, column.dtype)
    assert back.dtype == column.dtype
    assert back.tobytes() == column.tobytes()


# The integer decoder


def test_decoder_is_exact_and_has_one_spelling():
    rng = np.random.default_rng(0)
    w1, w2 = (rng.integers(-127, 128, shape).astype(np.int8) for shape in ((20, 6), (50, 20)))
    decoder = IntegerDecoder(w1, rng.integers(-9999, 9999, 20), 3, w2, rng.integers(-(2**20), 2**20, 50), 9)
    code = rng.integers(-128, 128, (40, 6)).astype(np.int8)
    h = np.clip((code.astype(np.int64) @ w1.T.astype(np.int64) + decoder.b1) >> 3, 0, 2**14 - 1)
    out = np.clip((h @ w2.T.astype(np.int64) + decoder.b2) >> 9, 0, 255)
    assert (decoder(code) == out).all()
    data = decoder.to_bytes()
    again = IntegerDecoder.from_bytes(data)
    assert again.to_bytes() == data
    assert again.sha256 == decoder.sha256
    for wrong in (data[:-1], data + b"x", b"", data[:9] + b"\xff" * 8 + data[17:], b"x" + data[1:]):
        with pytest.raises(DamagedError):
            IntegerDecoder.from_bytes(wrong)


def hidden(n, seed=0):
    """Pictures that three numbers tell and neighbouring pixels do not: mixtures of patterns of noise."""
    patterns = np.random.default_rng(9).normal(size=(3, 144))
    z = np.random.default_rng(seed).integers(-20, 21, (n, 3)).astype(np.int8)
    return z, np.clip(128 + 1.2 * z @ patterns, 0, 255).astype(np.uint8).reshape(n, 12, 12)


@pytest.fixture(scope="module")
def told():
    z, pictures = hidden(800)
    return Learned(distilled(z, pictures.reshape(len(z), -1), 24, 0), z), pictures


def test_codes_join_in_where_they_pay(told):
    learned, pictures = told
    alone = frame.write(pictures)[1].size
    data, report = frame.write(pictures, learned)
    assert [part["way"] for part in report.parts] == ["network"]
    assert report.size < 0.8 * alone
    assert report.model_bytes > 0
    assert (frame.read(data) == pictures).all()
    assert "inside" in str(report)


def test_models_outside_are_asked_for_by_their_hash(told):
    learned, pictures = told
    data, report = frame.write(pictures, learned, model="outside")
    assert report.model_bytes == 0
    assert report.model == learned.decoder.sha256 == frame.describe(data)["model"]
    assert (frame.read(data, learned.decoder) == pictures).all()
    with pytest.raises(ModelError, match="needs the model"):
        frame.read(data)
    other = IntegerDecoder(learned.decoder.w1, learned.decoder.b1 + 1, 1, learned.decoder.w2, learned.decoder.b2, 1)
    with pytest.raises(ModelError, match="this one is"):
        frame.read(data, other)


def test_codes_are_left_out_where_they_cost():
    pictures = smooth(600)[..., 0]
    code = np.random.default_rng(0).integers(-128, 128, (600, 40)).astype(np.int8)
    learned = Learned(distilled(code, pictures.reshape(600, -1), 16, 0, epochs=1), code)
    data, report = frame.write(pictures, learned)
    assert report.parts[0]["way"] == "pictures"
    assert report.parts[0]["others"]["network"] > report.size
    assert "codes it would take" in str(report)
    assert (frame.read(data) == pictures).all()


# Whole values

ARRAYS = hnp.arrays(
    dtype=st.one_of(
        hnp.integer_dtypes(endianness="?"),
        hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
        hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
        hnp.boolean_dtypes(),
        hnp.datetime64_dtypes(endianness="?"),
        hnp.unicode_string_dtypes(endianness="?", max_len=5),
        hnp.byte_string_dtypes(endianness="?", max_len=5),
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6),
)


@settings(max_examples=150)
@given(ARRAYS)
def test_any_array_comes_back(array):
    back = frame.read(frame.write(array)[0])
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()


@settings(max_examples=15)
@given(
    hnp.arrays(
        dtype=st.sampled_from([np.uint8, np.int32, np.float64, np.bool_]),
        shape=st.tuples(st.integers(64, 100), st.integers(1, 4)),
        elements={"min_value": 0, "max_value": 1},
    )
)
def test_long_arrays_come_back(array):
    assert frame.read(frame.write(array)[0]).tobytes() == array.tobytes()


@settings(max_examples=50)
@given(st.one_of(st.binary(max_size=300), st.text(max_size=300), st.lists(st.none() | st.text(max_size=9), max_size=9)))
def test_bytes_and_texts_come_back(value):
    back = frame.read(frame.write(value)[0])
    assert type(back) is type(value)
    assert back == value


@pytest.mark.parametrize(
    "value",
    [
        np.zeros((300, 70, 3), np.uint8),
        smooth(1, 150, 90, 3),
        smooth(20)[..., 0] > 60,
        smooth(5, 20, 20).reshape(5, 400),
        np.zeros((0, 28, 28), np.uint8),
        np.array([1, "a", None, 2.5, (1, "b"), b"x", 10**30, float("nan")], dtype=object),
        np.asfortranarray(np.arange(300.0).reshape(100, 3)),
        np.float32(2.5),
    ],
    ids=lambda value: f"{value.dtype}{value.shape}",
)
def test_particular_arrays_come_back(value):
    back = frame.read(frame.write(value)[0])
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    if value.dtype == object:
        assert str(back.tolist()) == str(value.tolist())
    else:
        assert back.tobytes() == value.tobytes()


@pytest.mark.parametrize("value", [{}, 3, object(), np.array([{}], dtype=object), np.zeros(2, "i4,f4"), [1, 2]])
def test_other_things_are_refused(value):
    with pytest.raises(TypeError, match=r"^Cipher: .* not encrypted; "):
        frame.write(value)


def test_smaller_than_the_standard_library():
    for value, least in ((load_digits().images.astype(np.uint8), 0.97), (load_breast_cancer().data, 0.6)):
        _, report = frame.write(value)
        raw = value.tobytes()
        usual = min(len(zlib.compress(raw, 9)), len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME)))
        assert report.size < least * usual


def test_mnist_is_smaller_than_png(data_folder):
    import io

    from PIL import Image

    pictures = np.load(data_folder / "mnist" / "mnist.npz")["x_test"].reshape(-1, 28, 28)[:600]
    data, report = frame.write(pictures)
    assert (frame.read(data) == pictures).all()
    stream = io.BytesIO()
    Image.fromarray(pictures.reshape(-1, 28)).save(stream, "PNG", optimize=True)
    lengths = [len(lzma.compress(pictures.tobytes(), preset=9)), len(zlib.compress(pictures.tobytes(), 9))]
    assert report.size < 0.95 * min(*lengths, len(stream.getvalue()))


def test_what_does_not_pay_is_left_to_the_library():
    noise = np.random.default_rng(0).bytes(5000)
    _, report = frame.write(noise)
    assert report.parts[0]["way"] == "stored"
    assert "did not pay" in str(report)
    assert frame.write(b"abc" * 999)[1].parts[0]["way"] in ("zlib", "lzma")


# Damaged and greedy data


def rebuilt(data, change):
    """A frame whose header is changed; its own digest stays."""
    *_, small, _ = frame._HEAD.unpack_from(data)
    header = json.loads(zlib.decompress(data[frame._HEAD.size : frame._HEAD.size + small]))
    change(header)
    text = json.dumps(header).encode()
    packed = zlib.compress(text)
    rest = data[frame._HEAD.size + small :]
    return frame._HEAD.pack(frame.MAGIC, frame.FORMAT, len(packed), len(text)) + packed + rest


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["leaves"].__setitem__(0, ["<f8", [1 << 40]]),
        lambda h: h["leaves"].__setitem__(0, ["<f8", [1 << 40, 0, 1 << 40]]),
        lambda h: h["leaves"].__setitem__(0, ["<U100000000", [100]]),
        lambda h: h["leaves"].__setitem__(0, 1 << 40),
        lambda h: h["leaves"].__setitem__(0, ["|O8", [2]]),
        lambda h: h["leaves"].__setitem__(0, ["|u1", [100_000, 640]]),
        lambda h: h["parts"].clear(),
        lambda h: h["parts"].append(h["parts"][0]),
        lambda h: h["parts"][0].__setitem__(0, "pickle"),
        lambda h: h["parts"][0][3].__setitem__(0, 1 << 50),
        lambda h: h["value"].__setitem__("kind", "code"),
        lambda h: h.__setitem__("more", 1),
    ],
)
@pytest.mark.parametrize("value", [smooth(40)[..., 0], np.arange(900).reshape(300, 3)], ids=["pictures", "columns"])
def test_changed_headers_are_refused_before_memory_is_taken(value, change):
    data = rebuilt(frame.write(value)[0], change)
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError):
            frame.read(data)
        assert tracemalloc.get_traced_memory()[1] < 100 << 20
    finally:
        tracemalloc.stop()


def test_every_byte_counts():
    for value in (smooth(20)[..., 0], "some text, some text", np.arange(900).reshape(300, 3)):
        data, _ = frame.write(value)
        for at in range(0, len(data), 29):
            for wrong in (data[:at], data[:at] + bytes([data[at] ^ 16]) + data[at + 1 :]):
                with pytest.raises(DamagedError):
                    frame.read(wrong)


def test_bombs_do_not_go_off():
    bombs = {
        "zlib": zlib.compress(b"\0" * 50_000_000, 9),
        "lzma": lzma.compress(b"\0" * 50_000_000, lzma.FORMAT_RAW, filters=library._filters(1000)),
    }
    for way, packed in bombs.items():
        tracemalloc.start()
        try:
            with pytest.raises(DamagedError, match="another size"):
                library.decompress(way, packed, 1000)
            assert tracemalloc.get_traced_memory()[1] < 5 << 20
        finally:
            tracemalloc.stop()
    data, _ = frame.write(b"\0" * 2_000_000)
    assert len(data) < 3000
    with pytest.raises(DamagedError, match="more than the 1,000,000 bytes allowed"):
        frame.read(data, max_bytes=1_000_000)


#: What format 1 looked like when it was new: pictures and a table.
GOLDEN = [
    (
        lambda: smooth(60, 8, 8)[..., 0],
        "YXpvZ3VlAAFfAAAAZwAAAHjaJcpBCoAgFEXRvbzxGxhBiVv5OPiUgRQRlkGYey9qduGeglOXHOAK5riOcNCU9AKxBJ3gTP3qDDuc"
        "CO7cgNIZWlrvPbFpOv61xeHI6XUU41kqxRo2fdu9rj6clCAPAAEeACAAIAAhACEAIgAjACgAPwBPAF0AawB4AIgAnQCJCEgJD/b2"
        "//b/b/8PAAEAngAKAP7///+JCEgJD/b2//b/b/8PAAEAngAKAP7///9MbqJytHYDAGVPkqLzV8YXfEyUBM0KAACdG2SUcqlPAVC9"
        "M3QXFAAAsZ6gECEcCgA+MADyJAPLCPhwooKUD6EATxuC4lH4ogPJ8SGS5JoAAJQSdHT8FwAACyJ0ZO0FAACszhPU0ukVENw5UIkA"
        "AAAA+6gFJmZdLwDQEHIyJWYBAKA5omcBAAAA6tABvAEAAAAX6BPUZ+4zHQ21I60cAAAAkEqQwRwNAwDEMfARB9mDAMCb5TVGyL8z"
        "mkiS4pFWcAQ20zECJaadAOyi4ZF8fgAAncJDpBsEAAA0wxM0bRMAAOsk8GGWAQAAeY+1BW1lAADgUkUHDQAAAIQDUgImBQAAAAAA"
        "gAAAAAAAAACAAAAAAAAAAIAAAAAAAAAAgAAAAAAAAACAAAAAAAAAAIAAAAAAAAAAgAAAAAAAAACAAAAAAAAAAIAAAAAAAAAAgAAA"
        "AAAAAACAAAAAAAAAAIAAAAAAAAAAgAAAAAAAAACAAAAAAAAAAIAAAAAAAAAAgAAAAAAAAACAAAAAAAAAAIAAAAAAAAAAgAAAAAAA"
        "AACAAAAAAAAAAIAAAAAAAAAAgAAAAAAAAACAAAAAAAAAAIAAAAAAAAAAgAAAAAAAAACAAAAAAAAAAIAAAAAAAAAAgAAAAADp/dGd"
        "B5lChK89kuR6K0RyKrCVxY28MzAZwYKCaamSNY3KRIrfeWL0eYqkO/rWZEpKoYN0DMVG8B5BwxblkZWrr8dzX3f2WIfkHcid0rbS"
        "rAL+wSUyWrSYq1EkU97Nk73Jf0TrkNm7klDClJvX1EMk4xHM0DTUk9mZsIWcyhL0QbprNnPGTrFa9+bngsbxV9onyTOTHVYM5l6x"
        "tFLbcjgkZV8LhUoYlxRFMCmlIjKzqpNKMADEcZDh9FSq88mHd7Qo4fzmDWozxgkJMye8gOLFyTUBeJjAs24NxCXtVCkReU/OBLZo"
        "bjta/JTa5OucyxLH+IpFmwY3ZP8MB/wMcqBm9Zh2ECkZzfyR3+HFLSENxA6Rd9x16a2rkPxtitK4FZBE1M1bmbgofqbrBOUxyqkH"
        "wzeE9siN7AfTyFSeGYaUaHq/4l/fbcIN4AZ2T5GpXEtrzxVAxTMnLot1xAkiKC74o5GL/Xg1xZpeMee3O0MzV0C+KVzYRo2lEII7"
        "e1LH0yo8ss2qacN9ZSLHjSfwBNVpb4wiwES2ZJzXZHGh25r1duPaKbnPIcLE+h2h+ipESJwcQKYtAg1MBiymRqpAcipYXB+kfICv"
        "G3iGNRRQCCQ1W7mR4V48DFYJ0cgkPfRZzPtndO19zpxSRaRutsSseGjWYZtQ6pv9tENUefZWIL8rEfR1Jir6jffpuikLcmhU8dOZ"
        "gRoUipm3sB+p/g5GxSuWYiBqzjYpDNTThlR3k16JjG3InfE2510XsmvHVFtYqdOWgont3komDYmZ+GcmF1ob5EuxGM3xwIPP1vXD"
        "dE6MMYgoKszAQMKHuDZKdkOFXhGs89MbQsR6T2zU65hD5HGkzXTp+ZNKWCFzjafn4D90cEKAF94fVN1mt6XgXbqgijBDs0o7jMNH"
        "z7GaFkcitwnyEWlTCnxHfGlZiwBHQiQXomG5jALTkWFXFvAB+yhtQ6NtC009eTmEz2eWg7Jp5FXbU7zc4PanDP0ZsJwWKaZ3zIAU"
        "jTVvNxcztKLphSqjuK3chexdWYG0Zm6ultv+BAkiRZHqUAKtugEKblYa0gnI1BczXcPW4QzGfniXim8e5o/uBmGW9QIWdYbICCm7"
        "BrrujzYspI0mSzFakUb/uSoo+M5vQq+hbCqnIQbKpgcFnQG6Gt3x8s7CGf+8DfCnPQ1evYWs0Lje8724J8EvtK2hqevFuFZ8xwiS"
        "zTBli9F8Zfi9DJTGZOHA83c+yQwJrttKVqOhmuROiBgc5iKdGXQZWLTb0YMpRS+12SaekHlrLRWAGOUo4t4Q6UnbQpgQXBTavpKy"
        "lvmevD4Y9zaMVn5hH00O7JwGL9hKf7ppTNnGk0sVkppMUJlM+cybvB1sxyLfhaddIpqFRVN4VdgTr2yiVSJ5yyi3ZC4AggxaP2t1"
        "OuMKgj5J/huSCSPnccSJxgPh19Q4kPld7aY/CrEvrzm+AqosGDziyEADei8odVHK53EckTBCT460tSPnx8QqqjlvmCvF+QEW4wXE"
        "DhOPRpm+dQ6OySrfzUc1iEt81lQLM5omAn3Bu+2bxbeSVOT5exj1j7R8BIHDzaX7lQO+MbmRHVkj/TwP64xX/I6EiK3rOnWpNPxY"
        "HdVEsR8X8WptY4fYOFp3uPaFHEV9j0ylY92WbPVEIgVc8+SFiF9ScLlHrEkFTcIfZHSwRWNc6uulOpe8Qkw+M6jQiUOicgvlTivA"
        "ttZLTf1Rv2u4",
    ),
    (
        lambda: np.stack([noise(400, 8), noise(400, 8) * 3 % 8, noise(400, 4, 5)], axis=1) * 0.25,
        "YXpvZ3VlAAF7AAAAmAAAAHjaRY3BCsIwEET/Zc57SJuiIfgnYQ+LTaGYVklsQUP+3VVBTzPDY2YqdklbhK+4zOsID8lZHiCkKBO8"
        "aR+3xwIfAk6TA4XBGLLMTLhJvn/J+Zq2ZS1KDVP9RUUdHQamv9j+3SzzqK8B6bkIqDv23ChYp9TpcnsBBhktueAAqwAeXQB/6Hwy"
        "AMA51r4nrSO/Sgi8j/1GDy2ID6bVrJIeYAAABXkgsqWhvgLHOtCSEw4aADtFEPBIlhBT2GAiF9r/mjhbVZjeyxqBqNfVc1ET1QgI"
        "qNZZlVLOfYHPE9LrHMe4XXGCsdzz2BEKxvFMXyfx99flCBh9cUlY8tK9WVQFZzEifevhJyU14KduTlkikKyS0sebiIKyC/hXKvfA"
        "LKxYE1TOIFBz6fFjcaJgMACg1puofZrIUhfhY6EQWhtrnyCDE9cuCSNlk4vKyGBC9WqvIZuJ9Tg0g9lQ8lsyRSy3IKKnWiin+3Z8"
        "fcwbq2LWQkX8yE35JaLu7AxXaEtINqM7q66AncRsqQ3TEhE6hdeCq/S8xKDZ6AgSABOaAwCBdRqSiMuYio6xM+ykx/LMeiBylkrS"
        "nEuKCkXJiNv2rHe5pNxf0X9IeC7gpF7PoAssEs9G5JWHdEwEBFk5tf/4ww2VMnREKKb993xYAXigHjgbaLABHNFoP0RoeHg6zl5V"
        "bMzIZeAXb3XGX5jp",
    ),
]


@pytest.mark.parametrize(("value", "data"), GOLDEN)
def test_format_1_is_read_for_ever(value, data):
    raw = base64.b64decode(data)
    assert frame.describe(raw)["learned"]
    back = frame.read(raw)
    assert back.tobytes() == value().tobytes()
    assert back.shape == value().shape
