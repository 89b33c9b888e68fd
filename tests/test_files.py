"""The container: what is written comes back, and nothing else is ever accepted."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import struct
import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load as safetensors_load

from azogue.files import LIMITS, ModelFileError, peek, read, write
from azogue.limits import allowing

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
]
DTYPES += [torch.uint8, torch.bool]
MANIFEST = {"class": "Autoencoder", "list": [1, 2.5, None, True, "ñ\n"], "nested": {"a": {"b": []}}}
TENSORS = {
    "b": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "a": torch.tensor([True, False]),
    "c": torch.tensor(7),
}


@pytest.fixture
def path(tmp_path):
    """A tiny model file."""
    write(tmp_path / "tiny.azogue", "model", MANIFEST, TENSORS)
    return tmp_path / "tiny.azogue"


# Round trip


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (0, 4), (2, 0, 3), (1,) * 9])
def test_tensors_come_back(tmp_path, dtype, shape):
    tensor = (torch.rand(shape) * 5).to(dtype)
    write(tmp_path / "t", "model", {}, {"t": tensor})
    back = read(tmp_path / "t", "model")[1]["t"]
    assert (back.dtype, back.shape) == (dtype, torch.Size(shape))
    assert torch.equal(back, tensor)


def test_scattered_tracked_and_odd_tensors_come_back(tmp_path):
    bits = torch.tensor([0x7FC00001, -0x400000, -0x80000000], dtype=torch.int32).view(torch.float32)  # NaNs and −0
    tensors = {
        "transposed": torch.rand(3, 4).T,
        "strided": torch.arange(10)[::3],
        "one of many": torch.arange(10.0)[4::9],
        "column of one": torch.rand(5, 5)[2:3, 3:4],
        "expanded": torch.rand(1, 3).expand(4, 3),
        "parameter": torch.nn.Parameter(torch.rand(2)),
        "negative": torch.complex(torch.ones(1), torch.ones(1)).conj().imag,
        "": torch.rand(1),
        "ñ/\n\"'\\ 🪞": torch.rand(2),
    }
    write(tmp_path / "t", "model", {}, tensors | {"bits": bits})
    back = read(tmp_path / "t", "model")[1]
    assert list(back) == sorted([*tensors, "bits"])
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
    assert torch.equal(back["bits"].view(torch.int32), bits.view(torch.int32))


def test_tensors_own_their_memory_and_are_writable(path):
    first, second = read(path, "model")[1], read(path, "model")[1]
    assert len({tensor.untyped_storage().data_ptr() for tensor in first.values()}) == 3
    assert all(t.untyped_storage().nbytes() == t.nbytes and not t.requires_grad for t in first.values())
    first["b"] += 1
    assert torch.equal(second["b"], TENSORS["b"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values, max_size=4))
@settings(max_examples=60, deadline=None)
def test_manifests_come_back(tmp_path_factory, manifest):
    target = tmp_path_factory.getbasetemp() / "manifest.azogue"
    write(target, "model", manifest, {})
    assert read(target, "model") == (manifest, {})
    assert peek(target) == manifest


def test_the_order_of_keys_does_not_matter(path):
    before = path.read_bytes()
    write(path, "model", dict(reversed(MANIFEST.items())), dict(reversed(TENSORS.items())))
    assert path.read_bytes() == before


def test_safetensors_reads_our_files_aligned(path):
    loaded = safetensors_load(path.read_bytes())
    assert loaded.keys() == TENSORS.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in TENSORS.items())
    with safe_open(path, "pt") as opened:
        assert json.loads(opened.metadata()["azogue"])["manifest"] == MANIFEST
        assert all(opened.get_tensor(name).data_ptr() % t.itemsize == 0 for name, t in TENSORS.items())


# Golden bytes: format 1 loads for ever, and is written in the same way for ever

GOLDEN = base64.b64decode(
    "aAIAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJhem9ndWUiOiJ7XCJmb3JtYXRcIjoxLFwia2luZFwiOlwibW9kZWxcIixcIm1hbmlmZXN0XCI6e1wi"
    "Y2xhc3NcIjpcIkF1dG9lbmNvZGVyXCIsXCJyYXRlXCI6MC41fSxcInRlbnNvcnNcIjp7XCJtYXNrXCI6XCI5Y2RhMDg4MmRiNGQyY2M2M2NlMGNm"
    "MTgxOTdjMjQwNjAxY2IyZGM3MGRlN2YzNTZmYzJlYzU1OGM4NWExMjBjXCIsXCJzdGVwc1wiOlwiZDdmNzgzNTczODI4NDJlMDFlYjEyYjdjNjgy"
    "MDg2NmQxOTYyZGVhZjY1MWY3MmUwNWM0MmQyYjU2ZTYxYTE2NVwiLFwid1wiOlwiMWZhMjFlZWY3NWRhMWQyZjRiMTFhMWU3MzQ4ZDM5NDhkNWUx"
    "NzlmMzgxYTg1NTI3M2U3YTBhZjcxOTNhZTdjN1wifX0iLCJzaGEyNTYiOiJlYWQ2MTJiNzIwNDE4NzJmOTZmZWMxNDEzOWExNzk1ZmIwOWFmNGZl"
    "ZGExMTI2OGViMzY3MTcwMDFjZTg1MmZhIn0sIm1hc2siOnsiZGF0YV9vZmZzZXRzIjpbMTYsMTddLCJkdHlwZSI6IkJPT0wiLCJzaGFwZSI6WzFd"
    "fSwic3RlcHMiOnsiZGF0YV9vZmZzZXRzIjpbMCw4XSwiZHR5cGUiOiJJNjQiLCJzaGFwZSI6W119LCJ3Ijp7ImRhdGFfb2Zmc2V0cyI6WzgsMTZd"
    "LCJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMSwyXX19ICAgICAgAwAAAAAAAAAAAIA/AAAAwAE="
)
GOLDEN_MANIFEST = {"class": "Autoencoder", "rate": 0.5}
GOLDEN_TENSORS = {"w": torch.tensor([[1.0, -2.0]]), "steps": torch.tensor(3), "mask": torch.tensor([True])}


def test_the_golden_file_loads_for_ever(tmp_path):
    (tmp_path / "golden.azogue").write_bytes(GOLDEN)
    manifest, tensors = read(tmp_path / "golden.azogue", "model")
    assert manifest == GOLDEN_MANIFEST
    assert tensors.keys() == GOLDEN_TENSORS.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in GOLDEN_TENSORS.items())


def test_the_bytes_are_pinned(tmp_path):
    write(tmp_path / "again.azogue", "model", GOLDEN_MANIFEST, GOLDEN_TENSORS)
    written = (tmp_path / "again.azogue").read_bytes()
    assert hashlib.sha256(written).hexdigest() == "e4453438bae5ddedc46bdb43b2d683190cc9646992cd57b27415f65d3fcd914f"
    assert written == GOLDEN


# Damage and attacks

EDITS = [
    *((b'"F32"', b'"I32"'), (b'"I64"', b'"F64"'), (b"[2,3]", b"[3,2]"), (b"[2,3]", b"[6]"), (b'"a"', b'"z"')),
    *((b'"BOOL"', b'"I8"'), (b'"shape":[]', b'"shape":[1]'), (b'{"a"', b'{ "a"'), (b"Autoencoder", b"Autoencoded")),
    *(
        (b'"dtype"', b'"dtype":"F32","dtype"'),
        (b"2.5", b"2.50"),
        (b"  ", b"\t "),
        (b"1", b"1e0"),
        (b"[0,8]", b"[8,16]"),
    ),
]


def mutate(data, rng):
    """Damage somewhere: a bit, a cut, an insertion, a deletion, noise, an edit of the header, another length."""
    at = rng.randrange(len(data))
    length, noise = rng.randrange(1, 9), rng.randbytes(rng.randrange(1, 9))
    old, new = rng.choice(EDITS)
    header = data[8:].replace(old, new, rng.randrange(1, 3))
    grown = struct.unpack("<Q", data[:8])[0] + len(header) - len(data[8:])
    return rng.choice(
        [
            *[data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]] * 3,
            data[:at],
            data[:at] + noise + data[at:],
            data[:at] + data[at + length :],
            data[:at] + noise + data[at + len(noise) :],
            data + noise,
            struct.pack("<Q", grown) + header,
            struct.pack("<Q", rng.choice([0, 1, at, 2**63, 2**64 - 1])) + data[8:],
        ]
    )


def overwrite(path, data):
    """Put data in the place of a file's content; on some disks ten times faster than a new file."""
    with path.open("r+b") as stream:
        stream.write(data)
        stream.truncate()


def test_no_damaged_file_is_accepted(path):
    good, rng = path.read_bytes(), random.Random(0)
    for _ in range(5000):
        bad = mutate(good, rng)
        if bad != good:
            overwrite(path, bad)
            with pytest.raises(ModelFileError, match=r"tiny\.azogue"):
                read(path, "model")


def test_every_single_bit_is_protected(path):
    good = path.read_bytes()
    for at in range(len(good)):
        overwrite(path, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        with pytest.raises(ModelFileError):
            read(path, "model")


def seconds_to_refuse(path):
    """The fastest of three tries, as other programs run too."""
    tries = []
    for _ in range(3):
        began = time.perf_counter()
        with pytest.raises(ModelFileError):
            read(path, "model")
        tries.append(time.perf_counter() - began)
    return min(tries)


def record_of(data):
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["azogue"]), data[8 + length :]


def assemble(header, data):
    """A file with this header (values, or text as it is); padded, as the writer pads."""
    text = header if isinstance(header, str) else json.dumps(header, sort_keys=True, separators=(",", ":"))
    raw = text.encode()
    raw += b" " * (-len(raw) % 8)
    return struct.pack("<Q", len(raw)) + raw + data


def forge(good, *, record=None, text=None, data=None, **entry):
    """A file whose hashes are right, with another record, other data or another description of tensor `b`."""
    header, known, old = record_of(good)
    data = old if data is None else data
    header["b"] |= entry
    start, stop = header["b"]["data_offsets"]
    shape = json.dumps(header["b"]["shape"], separators=(",", ":"))
    known["tensors"]["b"] = hashlib.sha256(f"{header['b']['dtype']}{shape}".encode() + data[start:stop]).hexdigest()
    text = json.dumps(known | (record or {}), sort_keys=True, separators=(",", ":")) if text is None else text
    header["__metadata__"] = {
        "azogue": text,
        "sha256": hashlib.sha256(text.encode("utf8", "surrogatepass")).hexdigest(),
    }
    return assemble(header, data)


def with_bad_truth(good):
    """The boolean tensor holds a 2, and its hash says so."""
    _, record, data = record_of(good)
    truth = hashlib.sha256(b"BOOL[2]\x02\x00").hexdigest()
    return forge(good, record={"tensors": record["tensors"] | {"a": truth}}, data=data[:-2] + b"\x02\x00")


def with_two_keys(good):
    header, _, data = record_of(good)
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    return assemble(text[:-1] + ',"c":' + json.dumps(header["c"]) + "}", data)


BIG = 1 << 62
ATTACKS = {
    "a newer format": (lambda good: forge(good, record={"format": 2, "more": []}), "newer Azogue .format 2.*upgrade"),
    "format zero": (lambda good: forge(good, record={"format": 0}), "record"),
    "format true": (lambda good: forge(good, record={"format": True}), "record"),
    "format 1.0": (lambda good: forge(good, record={"format": 1.0}), "record"),
    "a kind that is no text": (lambda good: forge(good, record={"kind": 3}), "record"),
    "an unknown key": (lambda good: forge(good, record={"more": 1}), "record"),
    "a manifest that is no object": (lambda good: forge(good, record={"manifest": []}), "record"),
    "NaN": (lambda good: forge(good, record={"manifest": {"x": float("nan")}}), "JSON"),
    "infinity spelled as a number": (lambda good: forge(good, text=SPELLED % '{"x":1e999}'), "JSON"),
    "a doubled key": (lambda good: forge(good, text=SPELLED % '{"x":1,"x":2}'), "record"),
    "another spelling": (lambda good: forge(good, text=SPELLED % '{"x":1.50}'), "record"),
    "deep nesting": (lambda good: forge(good, text=SPELLED % ('{"x":' + "[" * 500 + "]" * 500 + "}")), "nested deeper"),
    "bottomless nesting": (lambda good: forge(good, text="[" * 200_000), "JSON"),
    "bottomless header": (lambda good: assemble('{"a":' * 200_000, b""), "JSON"),
    "a number of 5000 digits": (lambda good: forge(good, text=SPELLED % ('{"x":' + "9" * 5000 + "}")), "JSON"),
    "half a character": (lambda good: forge(good, text='"\ud800"'), "record"),
    "an edited manifest": (lambda good: good.replace(b"Autoencoder", b"Autodecoder"), "manifest does not match"),
    "no list of tensors": (lambda good: forge(good, record={"tensors": []}), "record"),
    "a tensor too many in the record": (lambda good: forge(good, record={"tensors": {"z": "0"}}), "other tensors"),
    "a wrong hash": (
        lambda good: forge(good, record={"tensors": dict.fromkeys("abc", "0" * 64)}),
        "tensor 'c'.*SHA-256",
    ),
    "a hash that is no text": (lambda good: forge(good, record={"tensors": dict.fromkeys("abc")}), "SHA-256"),
    "an unknown dtype": (lambda good: forge(good, dtype="F128"), "'b' in an unknown way"),
    "a dtype that is no text": (lambda good: forge(good, dtype=["F32"]), "'b' in an unknown way"),
    "another dtype of the same size": (lambda good: good.replace(b'"F32"', b'"I32"'), "'b'.*SHA-256"),
    "a dtype that does not fit": (lambda good: forge(good, dtype="F16"), "spelled"),
    "a shape that does not fit": (lambda good: forge(good, shape=[2, 2]), "spelled"),
    "a negative shape": (lambda good: forge(good, shape=[-2, -3]), "unknown way"),
    "a shape of truths": (lambda good: forge(good, shape=[True, 6]), "unknown way"),
    "a shape of fractions": (lambda good: forge(good, shape=[2.0, 3]), "unknown way"),
    "a huge shape": (lambda good: forge(good, shape=[BIG, BIG]), "impossible shape"),
    "a huge shape that overflows to the right size": (lambda good: forge(good, shape=[BIG, 4, 6]), "impossible shape"),
    "a huge empty shape": (lambda good: forge(good, shape=[0, BIG, BIG]), "impossible shape"),
    "too many dimensions": (lambda good: forge(good, shape=[1] * 100_000), "impossible shape"),
    "a huge tensor in a small file": (lambda good: forge(good, shape=[1 << 40]), "spelled"),
    "... and honest offsets": (lambda good: forge(good, shape=[1 << 40], data_offsets=[8, 8 + (1 << 42)]), "spelled"),
    "overlapping offsets": (lambda good: forge(good, data_offsets=[0, 24]), "spelled"),
    "a hole": (lambda good: forge(good, data_offsets=[16, 40]), "spelled"),
    "offsets backwards": (lambda good: forge(good, data_offsets=[32, 8]), "spelled"),
    "huge offsets": (lambda good: forge(good, data_offsets=[8, 1 << 200]), "spelled"),
    "an unknown key of a tensor": (lambda good: forge(good, extra=1), "unknown way"),
    "a doubled key in the header": (with_two_keys, "spelled"),
    "a truth value of 2": (with_bad_truth, "'a'.*neither true nor false"),
    "bytes behind the end": (lambda good: good + b"\0", "bytes instead of"),
    "bytes missing": (lambda good: good[:-1], "bytes instead of"),
    "cut in the header": (lambda good: good[:100], "cut short"),
    "a header above the limit": (lambda good: struct.pack("<Q", LIMITS.header_bytes + 8) + good[8:], "allowed"),
    "a header of 2⁶³ bytes": (lambda good: struct.pack("<Q", 1 << 63) + good[8:], "allowed"),
    "a header of no bytes": (lambda good: bytes(8) + good[8:], "JSON"),
    "a broken header": (lambda good: b"\x08" + bytes(7) + b"{}     [" + good[16:], "JSON"),
    "no metadata": (lambda good: assemble({}, b""), "another program"),
    "metadata that are no object": (lambda good: assemble({"__metadata__": []}, b""), "another program"),
}
SPELLED = '{"format":1,"kind":"model","manifest":%s,"tensors":{}}'


@pytest.mark.parametrize("attack", ATTACKS)
def test_forged_files_are_refused(path, attack):
    make, message = ATTACKS[attack]
    path.write_bytes(make(path.read_bytes()))
    with pytest.raises(ModelFileError, match=f"(?s)tiny.azogue.*{message}"):
        read(path, "model")
    assert seconds_to_refuse(path) < 0.05 or path.stat().st_size > 100_000


def test_the_forger_can_make_good_files(path):
    """Else the attacks above might fail for another reason than the one meant."""
    good = path.read_bytes()
    assert forge(good) == good
    path.write_bytes(forge(good, record={"manifest": {"other": 1}}))
    assert read(path, "model")[0] == {"other": 1}


# What cannot be stored, and what a file must be


def test_a_checkpoint_is_no_model(path):
    write(path, "checkpoint", MANIFEST, TENSORS)
    with pytest.raises(ModelFileError, match="it holds a checkpoint, not a model; give a model file"):
        read(path, "model")
    assert peek(path) == MANIFEST


def test_peek_checks_all_but_the_tensors(path):
    good = path.read_bytes()
    path.write_bytes(good[:-1] + b"\1")
    assert peek(path) == MANIFEST
    path.write_bytes(good[:-1])
    with pytest.raises(ModelFileError, match="bytes instead of"):
        peek(path)


CIRCLE: list = []
CIRCLE.append(CIRCLE)
DEEP: list = []
for _ in range(LIMITS.json_depth):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("manifest", "tensors", "message"),
    [
        ({"x": float("nan")}, {}, "no JSON.*to_json"),
        ({"x": {1, 2}}, {}, "no JSON.*to_json"),
        ({"x": CIRCLE}, {}, "no JSON"),
        ({"x": {1: 2}}, {}, "the key 1, which is no text"),
        ({"x": DEEP}, {}, "nested deeper than 100"),
        ({}, {"t": torch.zeros(2, dtype=torch.complex64)}, "'t' has the dtype torch.complex64"),
        ({}, {"t": torch.zeros(2).to_sparse()}, "'t' is no dense tensor"),
        ({}, {"t": torch.zeros(2, device="meta")}, "'t' is no dense tensor"),
        ({}, {"t": [1.0]}, "'t' is no dense tensor with values but list"),
        ({}, {"__metadata__": torch.zeros(2)}, "cannot be the name"),
        ({}, {"\ud800": torch.zeros(2)}, "cannot be the name"),
        ({}, {3: torch.zeros(2)}, "3 cannot be the name"),
    ],
)
def test_what_cannot_be_stored_is_refused_before_writing(path, manifest, tensors, message):
    before = path.read_bytes()
    with pytest.raises(ModelFileError, match=f"tiny.azogue: .*{message}"):
        write(path, "model", manifest, tensors)
    assert path.read_bytes() == before


@pytest.mark.parametrize("limit", ["header_bytes", "file_bytes", "tensors", "json_depth", "json_marks", "dimensions"])
def test_writer_and_reader_obey_the_limits(path, limit):
    with allowing(**{limit: 1}):
        with pytest.raises(ModelFileError):
            read(path, "model")
        with pytest.raises(ModelFileError):
            write(path, "model", MANIFEST, TENSORS)
