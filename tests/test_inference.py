"""Reading a network: tables are packed and read piece by piece, and nothing of that shows in the results."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

import azogue as az
from azogue import inference
from azogue.inference import ROWS, Reader, block_rows, column_scale, observed_mean
from azogue.modalities import schema
from azogue.modalities.table import Table
from azogue.recipe import Batch
from azogue.training.threads import in_order


def numbers(n=200):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4)) * [1, 10, 0.1, 1]
    X[:, 3] = np.exp(3 * X[:, 3])
    return X


def with_holes(X):
    X = X.copy()
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    return X


def mixed(n=200):
    rng = np.random.default_rng(2)
    flags = pd.array(rng.random(n) < 0.5, dtype="boolean")
    flags[::9] = pd.NA
    counts = pd.array(rng.integers(0, 50, n), dtype="Int64")
    counts[::7] = pd.NA
    return pd.DataFrame(
        {
            "size": with_holes(numbers(n))[:, 0].astype(np.float32),
            "colour": pd.Categorical(rng.choice(["red", "green", None], n)),
            "flag": flags,
            "count": counts,
            "day": pd.date_range("2024-01-01", periods=n, freq="h"),
            "name": rng.choice(["a", "b", "c"], n).astype(object),
            "never": np.full(n, np.nan),
        }
    )


TABLES = {
    "float64": numbers(),
    "float32": numbers().astype(np.float32),
    "columns first": np.asfortranarray(numbers()),
    "integers": np.random.default_rng(3).integers(0, 9, (200, 3)),
    "holes": with_holes(numbers()),
    "torch": torch.from_numpy(numbers()),
    "list": numbers().tolist(),
    "objects": mixed()[["size", "name"]].to_numpy(),
    "pandas": mixed(),
    "polars": pl.from_pandas(mixed()),
    "pyarrow": pa.Table.from_pandas(mixed(), preserve_index=False),
}


@pytest.fixture(params=TABLES)
def table(request):
    return TABLES[request.param]


@pytest.fixture
def small_pieces(monkeypatch):
    """As small as pieces come: one block each."""
    monkeypatch.setattr(inference, "CELLS", 1)
    monkeypatch.setattr(inference, "ROWS", (96, 96))


def joined(parts):
    parts = list(parts)
    masks = [torch.ones_like(part.x, dtype=torch.bool) if part.mask is None else part.mask for part in parts]
    return torch.cat([part.x for part in parts]), torch.cat(masks)


@pytest.mark.parametrize("size", [1, 7, 64, 199, 200, 1000])
def test_pieces_are_the_whole(table, size):
    fitted = Table().fit(table)
    whole, pieces = fitted.pack(table), fitted.pieces(table, size)
    assert len(pieces) == len(whole) == 200
    assert type(pieces.rows) is type(whole.rows)
    assert pieces.rows.container == whole.rows.container
    for one, other in zip(joined([whole]), joined(pieces), strict=True):
        assert torch.equal(one, other)
    assert max(map(len, fitted.pieces(table, size))) == min(size, 200)


def test_packing_in_parts_is_packing_at_once(table, monkeypatch):
    fitted = Table().fit(table)
    whole = fitted.pack(table)
    cut = schema.cut
    monkeypatch.setattr(schema, "cut", lambda source, size: cut(source, 7))
    for one, other in zip(joined([whole]), joined([fitted.pack(table)]), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("make", [numbers, lambda n: with_holes(numbers(n)), mixed])
def test_results_do_not_know_of_pieces(make, small_pieces, monkeypatch):
    X = make(500)
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    reader, batch = ae._reader, ae.schema_.pack(X)
    assert reader.block == 96
    cells = np.concatenate(list(reader.cell_errors(batch)))
    columns = [column for head in ae.schema_.heads for column in head.columns]
    assert np.array_equal(ae.errors(X), reader.errors(batch).double().numpy())
    assert np.array_equal(ae.errors(X, per_feature=True)[:, columns], cells, equal_nan=True)
    assert np.array_equal(np.concatenate(list(ae.cell_errors(X))), ae.errors(X, per_feature=True), equal_nan=True)
    assert np.array_equal(ae.encode(X), reader.codes(batch).numpy())
    whole = ae.schema_.unpack(Batch(reader.reconstructed(batch), None, batch.rows))
    again = ae.reconstruct(X)
    assert again.equals(whole) if isinstance(X, pd.DataFrame) else np.array_equal(again, whole)


def test_no_more_than_a_piece_is_there(small_pieces, monkeypatch):
    X = numbers(1000).astype(np.float32)
    detector = az.AnomalyDetector(az.Autoencoder(2, epochs=1), random_state=0).fit(X)
    ae, made, batch = detector.autoencoder_, [], schema.as_batch

    def noted(x, *others):
        made.append(len(x))
        return batch(x, *others)

    monkeypatch.setattr(schema, "as_batch", noted)
    asks = (ae.encode, ae.errors, ae.score, ae.reconstruct, detector.anomaly_score, detector.explain)
    for ask in (*asks, lambda X: list(ae.cell_errors(X))):
        made.clear()
        ask(X)
        assert sum(made) == 1000
        assert max(made) == 96
    made.clear()
    parts = ae.cell_errors(X)
    next(parts)
    assert made == [96], "a piece is packed when it is its turn"


def messages(record):
    return [str(warning.message) for warning in record]


def test_warnings_come_once_and_say_the_same(small_pieces):
    X = mixed(500)
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    new = X.assign(never=1.0)
    new["colour"] = np.where(np.arange(500) % 2, "blue", "red")
    new["name"] = [f"n{i // 120}" for i in range(500)]
    with warnings.catch_warnings(record=True) as whole:
        warnings.simplefilter("always")
        ae.schema_.pack(new)
    assert len(whole) == 2
    assert "'colour' ('blue'); column 'name' ('n0', 'n1', 'n2', ...)" in messages(whole)[1]
    for ask in (ae.errors, ae.encode, ae.score, ae.reconstruct):
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            ask(new)
        assert messages(found) == messages(whole)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda X: X.assign(a=[*X.a[:-1], np.inf]), ValueError, "infinity in column 'a'"),
        (lambda X: X.rename(columns={"a": "z"}), ValueError, "Feature names unseen at fit time:\n- z"),
        (lambda X: X.assign(a="text"), TypeError, "column 'a' was numeric"),
        (lambda X: X[:0], ValueError, r"Found array with 0 sample\(s\)"),
    ],
)
def test_errors_are_those_of_packing(change, error, message, small_pieces):
    X = pd.DataFrame(numbers(300), columns=list("abcd"))
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    for ask in (ae.errors, ae.encode, ae.schema_.pack):
        with pytest.raises(error, match=message):
            ask(change(X))


def test_a_schema_without_pieces_is_packed_whole():
    class Whole:
        def __init__(self, inner):
            self.pack, self.width = inner.pack, inner.width

    X = numbers()
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    packed = ae._reader.packed(Whole(ae.schema_), X)
    assert isinstance(packed, Batch)
    assert torch.equal(ae._reader.codes(packed), torch.from_numpy(ae.encode(X)))


def test_blocks_are_of_whole_tiles_and_bounded():
    sizes = [block_rows(work) for work in (1, 100, 8_000, 12_000, 20_000, 10**6)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (ROWS[1], ROWS[0])
    assert block_rows(10**8) == 96
    assert all(size % 96 == 0 and size // 96 % 2 for size in sizes)


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("network", [(64, 32), (41, 11), (7, 3), (300, 100)])
def test_a_row_has_the_same_bits_anywhere_in_a_block(network, precision):
    X = np.random.default_rng(4).normal(size=(2000, 30))
    ae = az.Autoencoder(network, epochs=1, precision=precision, random_state=0).fit(X)
    assert ae._reader.block in range(ROWS[0], ROWS[1] + 1)
    order = np.random.default_rng(5).permutation(len(X))
    for ask in (ae.encode, ae.errors, lambda part: ae.errors(part, per_feature=True)):
        assert np.array_equal(ask(X[order]), ask(X)[order])
        assert np.array_equal(ask(X[order[:1]]), ask(X)[order[:1]])


TWO_THREADS = """
import numpy as np, torch, azogue as az
torch.set_num_threads(2)
order = np.random.default_rng(0).permutation(3000)
X, S = np.random.default_rng(1).normal(size=(3000, 30)), np.random.default_rng(1).normal(size=(3000, 20, 3))
for network, rows in (((41, 11), X), (az.Input() + az.Recurrent(13, "lstm") + az.Dense(5), S), (6, S)):
    ae = az.Autoencoder(network, epochs=1, random_state=0).fit(rows[:500])
    assert torch.get_num_threads() == 2
    assert np.array_equal(ae.encode(rows[order]), ae.encode(rows)[order])
    assert np.array_equal(ae.errors(rows[order]), ae.errors(rows)[order])
print("same")
"""


def test_a_row_has_the_same_bits_whoever_shares_the_work():
    done = subprocess.run([sys.executable, "-c", TWO_THREADS], capture_output=True, text=True, check=False)
    assert done.stdout == "same\n", done.stderr[-500:]


def test_blocks_come_in_order_and_errors_come_through():
    threads = torch.get_num_threads()

    def root(number):
        if number < 0:
            raise ValueError("no root")
        return number**0.5

    asked = []

    def numbers():
        for number in range(100):
            asked.append(number)
            yield number

    for count in (1, 2, 3):
        torch.set_num_threads(count)
        try:
            assert list(in_order(root, range(50))) == [number**0.5 for number in range(50)]
            assert list(in_order(root, [])) == []
            with pytest.raises(ValueError, match="no root"):
                list(in_order(root, [1, 4, -1, 9]))
            asked.clear()
            found = in_order(root, numbers())
            assert next(found) == 0
            assert len(asked) <= count + 2, "few are ahead of who asks"
            found.close()
        finally:
            torch.set_num_threads(threads)


def test_results_are_ordinary_tensors():
    """Autograd may go on with them, and writing into them is no surprise."""
    X = numbers()
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    codes = ae._reader.codes(ae.schema_.pack(X))
    assert not codes.is_inference()
    assert isinstance(ae._reader, Reader)
    (codes.requires_grad_() ** 2).sum().backward()
    assert ae._reader.codes(Batch(torch.zeros(0, 4))).shape == (0, 2)


def test_the_detector_is_the_formula():
    X = with_holes(numbers(400))
    detector = az.AnomalyDetector(az.Autoencoder(2, epochs=2), random_state=0).fit(X)
    cells = detector.autoencoder_.errors(X, per_feature=True)
    scale = detector.autoencoder_.error_profile_["column_scale"]
    relative = np.nanmean(cells / scale, axis=1)
    assert np.allclose(detector.anomaly_score(X), relative, rtol=1e-12)
    assert np.allclose(detector.explain(X).sum(1), detector.anomaly_score(X), rtol=1e-12)
    parts = np.array_split(cells, [1, 50, 399])
    assert np.allclose(column_scale(parts), column_scale([cells]), rtol=1e-14)
    assert np.array_equal(column_scale([np.full((3, 2), np.nan)]), [1.0, 1.0])
    assert np.array_equal(observed_mean(np.full((3, 2), np.nan), np.ones(2)), np.zeros(3))
