"""Sequences: what goes in comes out, however long, ragged, cut or filed it is."""

import json
import struct
import wave

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from azogue.modalities.base import Demand
from azogue.modalities.sequence import Sequence, SequenceSchema
from azogue.modalities.waves import read_wave, wave_files, write_wave
from azogue.modalities.windows import Cut, weights
from azogue.recipe import Batch

few = settings(max_examples=60, deadline=None)
rng = np.random.default_rng


def stored(schema):
    """The schema after a trip through JSON."""
    again = SequenceSchema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    return again


def through(X, sequence=None):
    """Fit on X, send the schema through JSON, pack, and unpack."""
    schema = stored((sequence or Sequence()).fit(X))
    batch = schema.pack(X)
    assert batch.x.dtype == torch.float32
    assert batch.x.shape == (schema.count(X), schema.width)
    return schema.unpack(batch)


def assert_same(result, X, span=None):
    """The same kinds, dtypes and shapes; whole numbers equal, floats within the range of all of X times 2⁻²³."""
    assert type(result) is type(X)
    if span is None:
        values = np.concatenate([np.ravel(part).astype(float) for part in (X if isinstance(X, list) else [X])])
        span = np.nanmax(values) - np.nanmin(values)
    if isinstance(X, list):
        assert len(result) == len(X)
        for one, other in zip(result, X, strict=True):
            assert_same(one, other, span)
        return
    assert (result.dtype, result.shape) == (X.dtype, X.shape)
    if X.dtype.kind == "f":
        np.testing.assert_array_equal(np.isnan(result), np.isnan(X))
        np.testing.assert_allclose(result, X, rtol=np.finfo(X.dtype).eps, atol=span * 2.0**-23)
    else:
        np.testing.assert_array_equal(result, X)


# -- arrays and ragged lists -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f8", "f4", ">f4", "f2", "i2", "u1", "i8", "u8", "?"])
@pytest.mark.parametrize("scaling", ["auto", "minmax", "none"])
def test_an_array_comes_back(dtype, scaling):
    X = (rng(0).random((5, 7, 3)) * 2 + np.array([0, 20, 90])).astype(dtype)
    assert_same(through(X, Sequence(scaling=scaling)), X)


def test_slots_are_samples_before_channels_and_each_channel_has_its_scale():
    X = rng(1).normal([5.0, -300.0], [1.0, 20.0], (50, 8, 2))
    schema = Sequence().fit(X)
    batch = schema.pack(X)
    expected = (X - X.mean((0, 1))) / X.std((0, 1))
    np.testing.assert_allclose(batch.x.numpy().reshape(X.shape), expected, atol=1e-5)
    assert (schema.shape, schema.width, schema.n_columns, batch.mask) == ((8, 2), 16, 16, None)
    (head,) = schema.heads
    assert (head.kind, head.stop, head.columns) == ("gaussian", 16, tuple(range(16)))


def test_a_ragged_list_keeps_lengths_dtypes_and_ranks():
    X = [np.arange(5), np.array([[1.5], [np.nan]]), np.float32([7.0]), np.uint8([0, 255])]
    result = through(X)
    assert_same(result, X)
    batch = Sequence().fit(X).pack(X)
    assert batch.mask.sum(1).tolist() == [5, 1, 1, 2]
    assert not batch.x[~batch.mask].any()


def test_ragged_sequences_pack_alike_alone_and_together():
    X = [rng(k).normal(size=(k + 1, 2)) for k in range(6)]
    schema = Sequence().fit(X)
    together = schema.pack(tuple(X))
    for at, values in enumerate(X):
        alone = schema.pack([values])
        assert torch.equal(alone.x[0], together.x[at])
        hidden = torch.zeros(12, dtype=torch.bool) if alone.mask is None else ~alone.mask[0]
        assert torch.equal(hidden, ~together.mask[at])
    objects = np.empty(len(X), object)
    objects[:] = X
    assert_same(schema.unpack(schema.pack(objects)), X)


def test_longer_and_shorter_than_fitted():
    schema = Sequence().fit(np.zeros((2, 4, 1)) + np.arange(4)[:, None])
    short = [np.array([1.0, 2.0])]
    assert_same(schema.unpack(schema.pack(short)), short)
    assert schema.unpack(schema.pack(np.ones((3, 2, 1)))).shape == (3, 2, 1)
    with pytest.raises(ValueError, match=r"sequence 1 has 6 samples, but the model takes 4 at most.*length=6"):
        schema.pack([np.ones(3), np.ones(6)])
    long = Sequence(length=6).fit(short)
    assert_same(long.unpack(long.pack([np.arange(6)])), [np.arange(6)])
    with pytest.raises(ValueError, match="sequence 0 has 3 samples, but the model takes 2"):
        Sequence(length=2).fit([np.ones(3)])


def test_missing_samples_are_hidden_and_come_back():
    X = rng(2).normal(size=(4, 6, 2))
    X[1, 2, 0] = X[3, :, 1] = np.nan
    schema = Sequence().fit(X)
    batch = schema.pack(X)
    np.testing.assert_array_equal(batch.mask.numpy().reshape(X.shape), ~np.isnan(X))
    assert_same(schema.unpack(batch), X)
    assert not np.isnan(schema.unpack(Batch(batch.x, None, batch.rows))).any()


def test_bare_tensors_give_the_fitted_container():
    array = Sequence().fit(np.arange(24, dtype="i2").reshape(2, 4, 3))
    assert_same(array.unpack(torch.zeros(5, 12)), np.full((5, 4, 3), np.rint([10.5, 11.5, 12.5]).astype("i2")))
    listed = Sequence().fit([np.arange(4.0), np.arange(2.0)])
    assert [one.shape for one in listed.unpack(np.zeros((3, 4)))] == [(4,)] * 3
    series = Sequence(window=6, overlap=0.5).fit(np.arange(20.0))
    assert series.unpack(torch.zeros(4, 6)).shape == (15,)
    assert [schema.unpack(torch.zeros(0, schema.width)).shape for schema in (array, series)] == [(0, 4, 3), (0,)]
    assert listed.unpack(torch.zeros(0, 4)) == []
    assert listed.arrange(np.zeros((0, 4))) == []


def test_torch_tensors_come_back():
    X = torch.arange(12, dtype=torch.int32).reshape(2, 3, 2)
    assert torch.equal(through(X), X)
    assert torch.equal(through(X[0], Sequence(window=2)), X[0])
    assert all(map(torch.equal, through([X[0], X[1, :2]]), [X[0], X[1, :2]]))


def test_values_beyond_a_dtype_are_clipped_and_rounded():
    schema = Sequence(scaling="none").fit(np.zeros((1, 4, 1), "u1") + np.uint8([0, 9, 200, 255])[:, None])
    assert schema.unpack(torch.tensor([[-7.0, 0.6, 254.7, 1e30]])).ravel().tolist() == [0, 1, 255, 255]
    wide = Sequence(scaling="none").fit(np.arange(4).reshape(1, 4, 1))
    limits = np.iinfo("i8")
    assert wide.unpack(torch.tensor([[-1e30, 1e30, 2.5, 3.5]])).ravel().tolist() == [
        limits.min,
        limits.max - 1023,
        2,
        4,
    ]


# -- numbers that float32 nearly cannot hold ---------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", ["standard", "minmax"])
@pytest.mark.parametrize("demand", [Demand(), Demand(activation="tanh", reach=(-1.0, 1.0))])
def test_the_widest_exact_integers(scaling, demand):
    if demand.reach[0] == -1.0 and scaling == "standard":
        scaling = "auto"
    top = 2**23
    near = rng(3).integers(-top, top, 2000)
    for step, dtype in ((1, "i4"), (256, "i4"), (1, "i8")):
        X = (np.concatenate([near, [-top, top - 1]]) * step).astype(dtype).reshape(1, -1, 1)
        schema = Sequence(scaling=scaling).fit(X, demand)
        batch = schema.pack(X)
        assert_same(schema.unpack(batch), X)
        if schema.scaling == "minmax":
            assert batch.x.min() >= -1
            assert batch.x.max() <= 1
    X = (rng(3).integers(0, int(0.7 * 2**24), 2000) * 256).astype("u4").reshape(1, -1, 1)
    schema = Sequence(scaling=scaling).fit(X, demand)
    assert_same(schema.unpack(schema.pack(X)), X)
    assert schema.scaling == "standard" or schema.pack(X).x.abs().max() <= 1
    with pytest.raises(ValueError, match="subtract an offset"):
        Sequence().fit(np.array([2**60, 2**60 + 4]).reshape(1, 2, 1))


@pytest.mark.parametrize(
    "values",
    [[1e200, -1e200, 3e199], [1e-200, -1e-200, 0.0], [1e9, 1e9 + 1e-3, 1e9 + 2e-3], [0.1, 0.1, 0.1], [0.0, 0.0, 0.0]],
)
def test_floats_of_any_size_come_back_within_the_range(values):
    X = np.array(values).reshape(1, 3, 1)
    schema = Sequence().fit(X)
    limit = max(np.ptp(X) * 2.0**-23, 0.0)
    assert np.abs(schema.unpack(schema.pack(X)) - X).max() <= limit
    if np.ptp(X):
        assert schema.pack(X).x.abs().max() < 4


def test_values_that_float32_cannot_hold_are_refused_when_fitted_and_clipped_later():
    for scaling, far in (("none", 1e39), ("minmax", 1.7e308)):
        with pytest.raises(ValueError, match="too large or too far apart"):
            Sequence(scaling=scaling).fit(np.array([far, -far, 0.0]).reshape(1, 3, 1))
    schema = Sequence().fit(np.arange(3.0).reshape(1, 3, 1))
    assert torch.isfinite(schema.pack(np.array([1e300, 0, -1e300]).reshape(1, 3, 1)).x).all()


# -- windows -----------------------------------------------------------------------------------------------------------


@few
@given(
    st.integers(1, 70),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.1, 0.5, 0.75, 0.99]),
    st.integers(0, 3),
    st.sampled_from(["i2", "u1", "f8"]),
)
def test_windows_of_any_series_join_to_it(length, window, overlap, channels, dtype):
    shape = (length, channels) if channels else (length,)
    X = (rng(length).random(shape) * 255).astype(dtype)
    assert_same(through(X, Sequence(window=window, overlap=overlap)), X)


@few
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1, 12), st.integers(1, 12))
def test_windows_cover_every_sample_and_reach_no_further(lengths, size, step):
    cut = Cut(size, min(step, size), np.array(lengths))
    series, starts = cut.places(np.arange(cut.count))
    assert (np.diff(series) >= 0).all()
    for at, length in enumerate(lengths):
        own = starts[series == at]
        seen = np.unique(np.concatenate([np.arange(start, start + size) for start in own]))
        assert (np.diff(own) > 0).all()
        assert seen.tolist() == list(range(max(length, size)))
        assert (np.diff(own)[:-1] == min(step, size)).all()


def test_the_windows_of_one_series():
    schema = Sequence(window=4, overlap=0.5, scaling="none").fit(np.arange(7.0))
    expected = [[0, 1, 2, 3], [2, 3, 4, 5], [3, 4, 5, 6]]
    assert schema.pack(np.arange(7.0)).x.tolist() == expected
    short = schema.pack(np.array([5.0, 6.0]))
    assert (short.x.tolist(), short.mask.tolist()) == ([[5, 6, 0, 0]], [[True, True, False, False]])


def test_overlaps_are_averaged_by_a_triangle():
    schema = Sequence(window=4, overlap=0.5, scaling="none").fit(np.arange(6.0))
    batch = schema.pack(np.arange(6.0))
    out = torch.tensor([[0.0, 0, 0, 0], [3.0, 3, 3, 3]])
    expected = [0, 0, 3 * 1 / 3, 3 * 2 / 3, 3, 3]
    np.testing.assert_allclose(schema.unpack(Batch(out, None, batch.rows)), expected)
    np.testing.assert_allclose(schema.arrange(out.numpy(), batch.rows), expected)
    mask = torch.ones(2, 4, dtype=torch.bool)
    mask[1, 0] = False
    assert schema.unpack(Batch(out, mask, batch.rows))[2] == 0  # the other window alone
    assert (weights(7) > 0).all()
    holes = schema.pack(np.array([0.0, 1, np.nan, 3, 4, 5]))
    assert np.flatnonzero(np.isnan(schema.unpack(holes))).tolist() == [2]


def test_both_loops_of_the_average_agree():
    x = rng(4).normal(size=300)
    many, one = (Sequence(window=size, overlap=0.9, scaling="none").fit(x) for size in (10, 200))
    for schema in (many, one):
        np.testing.assert_allclose(schema.unpack(schema.pack(x)), x, atol=1e-6)
    noise = rng(5).normal(size=(many.count(x), 10))
    slow, weight = np.zeros(300), np.zeros(300)
    for row in range(len(noise)):
        at = slice(min(row, 290), min(row, 290) + 10)
        slow[at] += noise[row] * weights(10)
        weight[at] += weights(10)
    np.testing.assert_allclose(many.arrange(noise, many.pack(x).rows), slow / weight)


def test_lists_and_stacks_of_long_series():
    X = [np.arange(11), np.arange(3, dtype="u1"), rng(6).normal(size=(8, 1))]
    sequence = Sequence(window=4)
    assert_same(through(X, sequence), X)
    schema = sequence.fit(X)
    parts = [schema.pack([one]).x for one in X]
    assert torch.equal(torch.cat(parts), schema.pack(X).x)
    stack = rng(7).normal(size=(3, 10, 2)).astype("f4")
    assert_same(through(stack, sequence), stack)
    assert sequence.fit(stack).arrange(np.zeros((12, 8)), sequence.fit(stack).pack(stack).rows).shape == stack.shape
    assert_same(through([1.0, 2.0, 4.0, 8.0, 16.0], sequence), np.array([1.0, 2.0, 4.0, 8.0, 16.0]))


def test_errors_take_the_layout_of_the_data():
    array, ragged = rng(8).normal(size=(3, 4, 2)), [np.ones(2), np.arange(3.0)]
    schema = Sequence().fit(array)
    cells = rng(9).random((3, 8))
    np.testing.assert_array_equal(schema.arrange(cells, schema.pack(array).rows), cells.reshape(3, 4, 2))
    np.testing.assert_array_equal(schema.arrange(cells), cells.reshape(3, 4, 2))
    schema = Sequence().fit(ragged)
    cells = np.array([[1.0, np.inf, np.nan], [4.0, np.nan, 6.0]])
    told = schema.arrange(cells, schema.pack(ragged).rows)
    assert [one.tolist() for one in told] == [[1.0, np.inf], [4.0, pytest.approx(np.nan, nan_ok=True), 6.0]]
    assert all(one.dtype == np.float64 for one in told)
    with pytest.raises(ValueError, match=r"expected 2 rows, got 3"):
        schema.unpack(Batch(torch.zeros(3, 3), None, schema.pack(ragged).rows))


# -- the three ways to pack --------------------------------------------------------------------------------------------


def cases():
    holed = rng(10).normal(size=(9, 5, 2))
    holed[4, 1, 1] = np.nan
    return [
        (Sequence(), holed),
        (Sequence(), rng(11).integers(0, 9, (9, 5, 2), dtype="u1")),
        (Sequence(), [rng(k).normal(size=k + 1) for k in range(9)]),
        (Sequence(window=6, overlap=0.7), rng(12).normal(size=(40, 2))),
        (Sequence(window=6), [rng(k).integers(0, 99, 5 * k + 2) for k in range(4)]),
    ]


@pytest.mark.parametrize("case", range(5))
def test_pieces_and_stores_equal_the_whole(case):
    sequence, X = cases()[case]
    schema = sequence.fit(X)
    whole = schema.pack(X)
    n = len(whole)
    full = torch.ones_like(whole.x, dtype=torch.bool) if whole.mask is None else whole.mask
    for size in (1, 4, n, n + 3):
        pieces = schema.pieces(X, size)
        parts = list(pieces)
        assert (len(pieces), [len(part) for part in parts[:-1]]) == (n, [size] * (len(parts) - 1))
        assert torch.equal(torch.cat([part.x for part in parts]), whole.x)
        masks = [torch.ones_like(part.x, dtype=torch.bool) if part.mask is None else part.mask for part in parts]
        assert torch.equal(torch.cat(masks), full)
    store = schema.store(X)
    assert (len(store), store.width, store.rows) == (n, schema.width, whole.rows)
    order = torch.from_numpy(np.concatenate([rng(0).permutation(n), [n - 1, 0, 0]]))
    for index in (order, slice(2, 5), slice(None), slice(n, n), order[:0]):
        taken, expected = store.take(index), whole.take(index)
        assert torch.equal(taken.x, expected.x)
        assert (taken.mask is None) == (expected.mask is None)
        assert taken.mask is None or torch.equal(taken.mask, expected.mask)


def test_a_store_of_a_long_series_shares_its_memory():
    x = np.arange(10**6, dtype="i2")
    schema = Sequence(window=1000, overlap=0.9).fit(x)
    store = schema.store(x)
    before = store.take(slice(0, 1)).x[0, 7].item()
    x[7] = 5000
    assert before != store.take(slice(0, 1)).x[0, 7].item()
    series = [cell.cell_contents.series[0] for cell in store.make.__closure__ if hasattr(cell.cell_contents, "series")]
    assert len(series) == 1
    assert np.shares_memory(series[0], x)


# -- WAV ---------------------------------------------------------------------------------------------------------------


def write_24(path, samples, rate=8000):
    """A file of 24 bits, by the standard library."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(samples.shape[1])
        out.setsampwidth(3)
        out.setframerate(rate)
        out.writeframes(b"".join(int(value).to_bytes(3, "little", signed=True) for value in samples.ravel()))


WAVES = {
    "u1": rng(0).integers(0, 256, 3001).astype("u1"),
    "i2": rng(1).integers(-(2**15), 2**15, (2500, 2)).astype("i2"),
    "i4": rng(2).integers(-(2**23), 2**23, 1500).astype("i4"),
    "f4": rng(3).normal(size=(700, 3)).astype("f4"),
    "f8": rng(4).normal(size=4000),
}


@pytest.mark.parametrize("dtype", WAVES)
@pytest.mark.parametrize("sequence", [Sequence(), Sequence(window=300, overlap=0.3), Sequence(length=5000)])
def test_wave_files_come_back(tmp_path, dtype, sequence):
    path = tmp_path / "one.WAV"
    write_wave(path, WAVES[dtype], 16000)
    assert_same(through(path, sequence), WAVES[dtype])
    assert_same(through(str(path), sequence), WAVES[dtype])
    assert_same(through([path, str(path)], sequence), [WAVES[dtype]] * 2)
    schema = sequence.fit(path)
    assert schema.size == {None: 5000 if sequence.length else 1024}.get(sequence.window, 300)
    assert (schema.pack(path).rows.rates, schema.rate) == ((16000,), 16000)


def test_full_scale_of_32_bits_comes_back_within_the_range(tmp_path):
    samples = rng(5).integers(-(2**31), 2**31, 2000).astype("i4")
    write_wave(tmp_path / "a.wav", samples, 8000)
    result = through(tmp_path / "a.wav")
    assert result.dtype == samples.dtype
    assert np.abs(result.astype(float) - samples).max() <= 2.0**32 * 2**-23


def test_24_bits_are_read_right_and_come_back(tmp_path):
    samples = np.concatenate([rng(6).integers(-(2**23), 2**23, (1999, 2)), [[-(2**23), 2**23 - 1]]])
    write_24(tmp_path / "a.wav", samples)
    rate, read = read_wave(tmp_path / "a.wav")
    assert (rate, read.dtype) == (8000, np.int32)
    np.testing.assert_array_equal(read, samples * 256)
    for scaling in ("auto", "minmax"):
        assert_same(through(tmp_path / "a.wav", Sequence(scaling=scaling)), read)


def test_folders_and_lazy_pieces(tmp_path):
    (tmp_path / "b").mkdir()
    for name, length in (("z.wav", 1500), ("b/k.Wav", 40), ("a.wav", 2600)):
        write_wave(tmp_path / name, np.arange(length, dtype="i2"), 8000)
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / "._a.wav").write_bytes(b"a shadow of the file system")
    files = wave_files(tmp_path)
    assert [path.name for path in files] == ["a.wav", "k.Wav", "z.wav"]
    expected = [np.arange(length, dtype="i2") for length in (2600, 40, 1500)]
    assert_same(through(tmp_path), expected)
    schema = Sequence(window=100).fit(tmp_path)
    whole = schema.pack(files)
    assert torch.equal(torch.cat([part.x for part in schema.pieces(tmp_path, 7)]), whole.x)
    store = schema.store(str(tmp_path))
    for path in files:
        path.unlink()
    assert torch.equal(store.take(torch.tensor([60, 3, 51])).x, whole.x[[60, 3, 51]])


def test_files_that_do_not_go_together(tmp_path):
    write_wave(tmp_path / "a.wav", np.arange(9, dtype="i2"), 8000)
    write_wave(tmp_path / "b.wav", np.arange(9, dtype="i2"), 44100)
    with pytest.raises(ValueError, match=r"b\.wav has 44100 samples a second, but .*a\.wav has 8000; resample"):
        Sequence().fit(tmp_path)
    schema = Sequence().fit(tmp_path / "a.wav")
    with pytest.raises(ValueError, match=r"b\.wav has 44100 samples a second, but the model was fitted on 8000"):
        schema.pack(tmp_path / "b.wav")
    write_wave(tmp_path / "b.wav", np.zeros((9, 2), "i2"), 8000)
    with pytest.raises(ValueError, match=r"b\.wav has 2 channels, but .*a\.wav has 1"):
        Sequence().fit([tmp_path / "a.wav", tmp_path / "b.wav"])
    pieces = schema.pieces(tmp_path / "a.wav", 5)
    write_wave(tmp_path / "a.wav", np.arange(5, dtype="i2"), 8000)
    with pytest.raises(ValueError, match=r"a\.wav has changed while"):
        list(pieces)


def sound(form, channels, bits, data):
    """The bytes of a WAV file."""
    frame = channels * bits // 8
    header = struct.pack("<IHHIIHH", 16, form, channels, 8, 8 * frame, frame, bits)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + len(data))
        + b"WAVEfmt "
        + header
        + b"data"
        + struct.pack("<I", len(data))
        + data
    )


def damaged():
    good, packed = sound(1, 1, 16, bytes(200)), sound(1, 1, 24, bytes(90))
    return {
        "nothing": b"",
        "text": b"hello, this is no sound",
        "header alone": good[:30],
        "no data": good[:36],
        "no samples": sound(1, 1, 16, b""),
        "short": good[:-40],
        "short 24": packed[:-30],
        "compressed": sound(6, 1, 8, bytes(200)),
        "no channels": sound(1, 0, 16, bytes(200)),
        "floats of 16 bits": sound(3, 1, 16, bytes(200)),
    }


@pytest.mark.parametrize("kind", damaged())
def test_damaged_files_are_named(tmp_path, kind):
    path = tmp_path / "sound.wav"
    path.write_bytes(damaged()[kind])
    for X in (path, [path], tmp_path):
        with pytest.raises(
            ValueError, match=r"sound\.wav: (it cannot be read as a WAV file|the WAV file holds no sam)"
        ):
            Sequence().fit(X)


def test_unknown_chunks_are_passed_over_in_silence(tmp_path):
    good = sound(1, 1, 16, np.arange(5, dtype="<i2").tobytes())
    chunk = b"bext" + struct.pack("<I", 4) + b"note"
    for place in (12, 36, len(good)):
        content = good[:place] + chunk + good[place:]
        (tmp_path / "a.wav").write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
        assert read_wave(tmp_path / "a.wav")[1].tolist() == [0, 1, 2, 3, 4]


def test_other_wrong_paths(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.wav: cannot be read: it does not exist"):
        Sequence().fit(tmp_path / "gone.wav")
    with pytest.raises(ValueError, match="neither a WAV file .* nor a folder"):
        Sequence().fit("song.mp3")
    assert wave_files(tmp_path) == []
    with pytest.raises(ValueError, match=r"no WAV file \(\.wav\) in this folder"):
        Sequence().fit(tmp_path)
    with pytest.raises(ValueError, match=r"some words is no WAV file"):
        Sequence().fit(["some words", "and more"])
    with pytest.raises(TypeError, match="entry 1 of X is no path"):
        Sequence().fit(["a.wav", np.ones(3)])
    write_wave(tmp_path / "nan.wav", np.array([1.0, np.inf, 2.0]), 8000)
    with pytest.raises(ValueError, match=r"nan\.wav contains infinity in channel 1"):
        Sequence().fit(tmp_path)


def test_what_no_wave_file_holds(tmp_path):
    path = tmp_path / "a.wav"
    write_wave(path, np.int16([1, 2]), 8000)
    for samples, rate in (
        (np.int64([1]), 8000),
        (np.float16([1]), 8000),
        (np.int16([]), 8000),
        (np.zeros((2, 2, 2), "i2"), 8000),
        (np.int16([1]), 0),
        (np.int16([1]), 8000.5),
        (np.int16([1]), 2**33),
    ):
        with pytest.raises(ValueError, match=r"write_wave: .*a\.wav"):
            write_wave(path, samples, rate)
    with pytest.raises(ValueError, match="does not exist"):
        write_wave(tmp_path / "no" / "a.wav", np.int16([1]), 8000)
    assert read_wave(path)[1].tolist() == [1, 2]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.wav"]
    write_wave(path, np.array([1, -2], ">i2"), np.int64(8000))
    assert read_wave(path)[1].tolist() == [1, -2]


# -- what is refused ---------------------------------------------------------------------------------------------------

BAD = [
    (np.ones((3, 2)), ValueError, r"shape \(3, 2\), which is a table; give window= for one long series of 2 channels"),
    (np.ones(3), ValueError, r"shape \(3,\), which is one series; give window="),
    ([1.0, 2.0], ValueError, r"shape \(2,\), which is one series; give window="),
    (np.ones((2, 2, 2, 2)), ValueError, r"got \(2, 2, 2, 2\)"),
    (np.float64(3), ValueError, r"got \(\)"),
    ([], ValueError, "holds no sequence"),
    (np.ones((0, 3, 1)), ValueError, r"shape \(0, 3, 1\)"),
    (np.ones((2, 0, 1)), ValueError, r"shape \(2, 0, 1\)"),
    ([np.ones(3), np.ones(0)], ValueError, "sequence 1 has the length 0"),
    ([np.ones(3), np.ones((2, 0))], ValueError, r"sequence 1 has the shape \(2, 0\)"),
    ([np.ones(3), np.ones((2, 2))], ValueError, "sequence 1 has 2 channels, but sequence 0 has 1"),
    ([np.ones(3), np.ones((2, 2, 1))], ValueError, r"sequence 1 has the shape \(2, 2, 1\)"),
    ([np.ones(3), 4.0], ValueError, r"sequence 1 has the shape \(\)"),
    ([[1.0, 2.0], [[1.0], [2.0, 3.0]]], ValueError, "sequence 1 is no array: its parts have different shapes"),
    (np.array([1, 2], object), TypeError, "X has the dtype object"),
    ([np.array([1, 2], object)], TypeError, "sequence 0 has the dtype object"),
    (np.ones((2, 3, 1), complex), TypeError, "X has the dtype complex128"),
    ([np.array(["a", "b"])], TypeError, "sequence 0 has the dtype <U1"),
    (np.array([["a"]]), TypeError, "X has the dtype <U1"),
    (np.zeros((2, 3, 1), "M8[s]"), TypeError, "dtype datetime64"),
    (np.ma.masked_less(np.ones((2, 3, 1)), 0), TypeError, "masked array"),
    ([np.ones(2), np.array([1.0, -np.inf])], ValueError, "sequence 1 contains infinity in channel 1"),
    (np.full((2, 3, 1), np.nan), ValueError, "no value at all"),
    (None, TypeError, "X has the dtype object"),
]


@pytest.mark.parametrize("case", range(len(BAD)))
def test_bad_input_is_refused_with_one_clear_error(case):
    X, kind, message = BAD[case]
    with pytest.raises(kind, match=message):
        Sequence().fit(X)
    if "no value" not in message:
        with pytest.raises(kind, match=message):
            Sequence().fit(np.arange(50.0).reshape(10, 5, 1)).pack(X)


def test_infinity_is_found_wherever_it_is_packed():
    schema = Sequence(window=4).fit(np.ones((30, 2)) * np.arange(30)[:, None])
    wrong = np.ones((30, 2))
    wrong[21, 1] = np.inf
    for task in (schema.pack, schema.store, lambda X: list(schema.pieces(X, 2))):
        with pytest.raises(ValueError, match="the series contains infinity in channel 2"):
            task(wrong)
    with pytest.raises(ValueError, match="X has 3 channels, but the model was fitted on 2"):
        schema.pack(np.ones((30, 3)))


def test_frames_are_refused_with_the_remedy():
    pd = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"got a DataFrame; pass X\.to_numpy\(\)"):
        Sequence(window=3).fit(pd.DataFrame({"a": [1.0, 2.0]}))


def test_whole_numbers_cannot_be_missing():
    X = np.arange(12).reshape(2, 6, 1)
    schema = Sequence().fit(X)
    batch = schema.pack(X)
    with pytest.raises(ValueError, match="missing samples, which int64 cannot hold"):
        schema.unpack(Batch(batch.x, batch.x > 0, batch.rows))
    with pytest.raises(ValueError, match=r"unpack: expected the shape \(n, 6\), got \(2, 5\)"):
        schema.unpack(batch.x[:, :5])


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 0},
        {"window": 2.5},
        {"window": True},
        {"length": -1},
        {"window": 3, "length": 3},
        {"overlap": 1.0},
        {"overlap": -0.1},
        {"overlap": "half"},
        {"overlap": float("nan")},
        {"scaling": "robust"},
    ],
)
def test_parameters_are_checked(wrong):
    with pytest.raises(ValueError, match="Sequence: "):
        Sequence(**wrong)


def test_rows_of_absurd_sizes_are_refused():
    with pytest.raises(ValueError, match="too large; give window="):
        Sequence(length=2**28).fit(np.ones((1, 2, 2)))


# -- what the model demands, and what the schema says ------------------------------------------------------------------


def test_demands():
    X = rng(13).integers(0, 200, (5, 4, 2))
    for demand, scaling, head in (
        (Demand("bernoulli"), "minmax", "bernoulli"),
        (Demand("poisson"), "none", "poisson"),
        (Demand(activation="tanh", reach=(-1.0, 1.0)), "minmax", "gaussian"),
    ):
        schema = stored(Sequence().fit(X, demand))
        assert (schema.scaling, schema.heads[0].kind) == (scaling, head)
        assert_same(schema.unpack(schema.pack(X)), X)
    x = schema.pack(X).x.reshape(X.shape)
    np.testing.assert_allclose([x.amin((0, 1)), x.amax((0, 1))], [[-1, -1], [1, 1]], atol=1e-6)
    with pytest.raises(ValueError, match="sequence 1 has negative values, but the objective is for counts"):
        Sequence().fit(X, Demand("poisson")).pack([np.ones((3, 2)), -np.ones((3, 2))])
    with pytest.raises(ValueError, match="does not go with"):
        Sequence(scaling="standard").fit(X, Demand("poisson"))
    with pytest.raises(ValueError, match="scaling='none'"):
        Sequence(scaling="none").fit(X, Demand("bernoulli"))


def test_descriptions():
    schema = Sequence().fit(np.ones((2, 5, 2)))
    assert schema.describe()[1] == {
        "name": "channel 2",
        "kind": "sequence of 5",
        "scaling": "standard",
        "head": "gaussian",
        "slots": 5,
    }
    plan = Sequence().fit(np.ones((2, 5, 64))).describe()
    assert (len(plan), plan[-1]["name"], sum(row["slots"] for row in plan)) == (20, "channels 20 to 64", 320)
    assert schema.names is None
    assert repr(Sequence(window=8)) == "Sequence(window=8)"


@pytest.mark.parametrize(
    "change",
    [
        {"modality": "table"},
        {"container": "bag"},
        {"container": ["array"]},
        {"dtype": "c16"},
        {"dtype": "(99999,)f4"},
        {"dtype": None},
        {"flat": 1},
        {"flat": True},
        {"tensor": None},
        {"size": 0},
        {"size": True},
        {"size": 2.0},
        {"size": 2**28},
        {"step": 0},
        {"step": 9},
        {"rate": -1},
        {"scaling": "auto"},
        {"scaling": ["none"]},
        {"head": "categorical"},
        {"head": {}},
        {"head": "poisson"},
        {"activation": 3},
        {"scale": None},
        {"scale": {"center": [], "scale": []}},
        {"scale": {"center": [0.0, 0.0], "scale": [1.0]}},
        {"scale": {"center": [0.0, 0.0], "scale": [1.0, 0.0]}},
        {"scale": {"center": [0.0, 0.0], "scale": [1.0, float("inf")]}},
        {"scale": {"center": [0.0, 0.0], "scale": [1.0, "1"]}},
        {"scale": {"center": [0.0, 10**400], "scale": [1.0, 1.0]}},
        {"scale": {"center": [0.0, 0.0], "scale": [1.0, 1.0], "unit": 1}},
        {"scale": {"center": 0.0, "scale": [1.0, 1.0]}},
        {"extra": 1},
    ],
)
def test_schemas_refuse_what_contradicts_them(change):
    good = Sequence().fit(np.arange(16.0).reshape(2, 4, 2)).to_dict()
    assert next(iter(good)) == "modality"
    assert SequenceSchema.from_dict(good).to_dict() == good
    with pytest.raises(ValueError):
        SequenceSchema.from_dict(good | change)
    for key in good:
        with pytest.raises(ValueError):
            SequenceSchema.from_dict({name: value for name, value in good.items() if name != key})


def test_real_speech_comes_back(data_folder):
    with np.load(data_folder / "ecg" / "mitdb_100.npz") as content:
        signal = next(content[name] for name in content.files if content[name].ndim and len(content[name]) > 10_000)
    signal = signal[:20_000]
    assert_same(through(signal, Sequence(window=256)), signal)
