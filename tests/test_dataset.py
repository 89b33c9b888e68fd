"""Data sets larger than memory: the same bits as in memory, bounded reading, and errors that name the file."""

from __future__ import annotations

import gzip
import hashlib
import os
import warnings

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

import azogue as az
from azogue.applications import completing
from azogue.modalities import Table, dataset, parts, sketches, spill
from azogue.modalities.dataset import Dataset
from azogue.modalities.parts import CsvPart, DatasetError
from azogue.modalities.sketches import Moments, Sample, capacity, ranks
from azogue.recipe import Rng
from azogue.training import data as order

N = 1500


def mixed(missing: float = 0.1, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)

    def gaps(values):
        return pa.array(values, mask=rng.random(N) < missing)

    z = rng.normal(size=N)
    return pa.table(
        {
            "a": gaps(z),
            "b": gaps(np.exp(2 * z + rng.normal(size=N)).astype(np.float32)),
            "c": gaps(rng.integers(0, 50, N)),
            "d": gaps(np.round(z, 2)),
            "e": gaps(np.where(z > 0, "x", rng.choice(["y", "z"], N))),
            "f": gaps(rng.random(N) < 0.3),
            "g": gaps(np.datetime64("2020-01-01") + rng.integers(0, 99, N).astype("m8[D]")),
            "h": gaps(rng.integers(2**60, 2**60 + 1000, N)),
        }
    )


def spread_out(table: pa.Table, folder, files: int = 3, rows: int = 170) -> str:
    """The table as Parquet files of several row groups."""
    size = -(-len(table) // files)
    for part in range(files):
        parquet.write_table(table.slice(part * size, size), folder / f"{part}.parquet", row_group_size=rows)
    return str(folder)


@pytest.fixture
def small(monkeypatch):
    """Blocks, samples, buffers and pages of a few rows, so that small tables have many of each."""
    monkeypatch.setattr(dataset, "CELLS", 256 * 8)
    monkeypatch.setattr(sketches, "CELLS", 500 * 8)
    monkeypatch.setattr(sketches, "FEWEST", 100)
    monkeypatch.setattr(order, "GROUP_CELLS", 64 * 10)
    monkeypatch.setattr(order, "BUFFER_GROUPS", 5)
    monkeypatch.setattr(spill, "PAGE", 400)


def bits(ae) -> tuple:
    """All that training made."""
    weights = b"".join(value.numpy().tobytes() for _, value in sorted(ae.network_.state_dict().items()))
    losses = [(record["loss"], record.get("val_loss")) for record in ae.history_]
    profile = [value.tolist() for value in ae.error_profile_.values()]
    return hashlib.sha256(weights).hexdigest(), losses, profile, ae.code_quantiles_.tolist(), ae.schema_


# -- the same bits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("settings", [{}, {"validation_fraction": 0.0}, {"corruption": "gaussian", "patience": 1}])
def test_the_same_model_and_scores_as_in_memory(tmp_path, small, missing, settings):
    table = mixed(missing)
    rows = Dataset(spread_out(table, tmp_path))
    inside, outside = (az.Autoencoder(2, epochs=3, random_state=0, **settings).fit(X) for X in (table, rows))
    assert bits(inside) == bits(outside)
    assert np.array_equal(inside.errors(table), outside.errors(rows))
    assert np.array_equal(inside.encode(table), outside.encode(rows))
    assert inside.reconstruct(table).equals(outside.reconstruct(rows))
    assert np.array_equal(
        inside.errors(table, per_feature=True), outside.errors(rows, per_feature=True), equal_nan=True
    )
    inside.partial_fit(table)
    outside.partial_fit(rows)
    assert bits(inside) == bits(outside)


def test_the_same_bits_without_small_limits_and_from_csv(tmp_path):
    table = mixed().select(["a", "c", "e"])
    for part in range(2):
        csv.write_csv(table.slice(part * 800, 800), tmp_path / f"{part}.csv")
    rows = Dataset(f"{tmp_path}/*.csv")
    whole = rows.read()
    assert whole.column("a").equals(pa.chunked_array([table.column("a").combine_chunks()]))
    a, b = (az.Autoencoder(2, epochs=2, random_state=0).fit(X) for X in (whole, rows))
    assert bits(a) == bits(b)


def test_validation_data_labels_and_checkpoints(tmp_path, small):
    table, other = mixed(), mixed(seed=1)
    (tmp_path / "held").mkdir()
    rows, held = (
        Dataset(spread_out(table, tmp_path).rstrip("/") + "/*.parquet"),
        Dataset(spread_out(other, tmp_path / "held")),
    )
    fits = [
        az.Autoencoder(2, epochs=3, random_state=0).fit(X, validation_data=V) for X, V in ((table, other), (rows, held))
    ]
    assert bits(fits[0]) == bits(fits[1])
    path = tmp_path / "run"
    az.Autoencoder(2, epochs=2, random_state=0, checkpoint=path).fit(table)  # the same fingerprint from files
    resumed = az.Autoencoder(2, epochs=2, random_state=0, checkpoint=path, resume=True).fit(rows)
    assert bits(resumed) == bits(az.Autoencoder(2, epochs=2, random_state=0).fit(table))


def test_schema_of_knots_and_scalings(tmp_path, small):
    table = mixed()
    rows = Dataset(spread_out(table, tmp_path))
    for scaling in ("auto", "standard", "robust", "minmax"):
        for knots in (0, 5):
            assert Table(scaling, knots=knots).fit(table) == Table(scaling, knots=knots).fit(rows)


def test_dictionaries_of_files_are_joined(tmp_path):
    kinds = [["q", "r", "q"], ["s", "q", "s"]]
    for part, kind in enumerate(kinds):
        one = pa.table({"k": pa.array(kind).dictionary_encode(), "n": [1.0, 2.0, 5.0]})
        parquet.write_table(one, tmp_path / f"{part}.parquet")
    rows = Dataset(tmp_path)
    assert Table().fit(rows).columns[0].categories == ("q", "r", "s")
    assert Table().fit(rows) == Table().fit(rows.read())


# -- what is remembered of a column ------------------------------------------------------------------------------------


def test_moments_of_blocks_are_those_of_all_values():
    rng = np.random.default_rng(0)
    for values in (rng.normal(1e9, 1.0, 10_000), np.exp(3 * rng.normal(size=10_000))):
        moments = Moments()
        for block in np.array_split(values - values[0], 13):
            moments.add(block)
        assert moments.count == 10_000
        assert values[0] + moments.mean == pytest.approx(values.mean(), rel=1e-13)
        assert moments.deviation == pytest.approx(values.std(), rel=1e-9)


def test_a_sample_is_uniform_and_does_not_depend_on_blocks():
    values = np.arange(20_000)
    found = []
    for size in (17, 1000, 20_000):
        sample = Sample(500)
        for start in range(0, len(values), size):
            part = values[start : start + size]
            sample.add(part, ranks(start, len(part)))
        found.append(sample.all())
    assert len(found[0]) == 500
    assert all(np.array_equal(found[0], other) for other in found)
    assert np.array_equal(found[0], np.sort(np.argsort(ranks(0, 20_000), kind="stable")[:500]))
    apart = np.abs(np.arange(1, 501) / 500 - found[0] / 20_000).max()
    assert apart < np.sqrt(np.log(200) / 1000)


def test_a_sample_of_all_values_is_exact():
    sample = Sample(100)
    sample.add(np.arange(100.0), ranks(0, 100))
    assert np.array_equal(sample.all(), np.arange(100.0))


def test_large_tables_are_standardised_by_all_their_values(small):
    table = mixed(0.0)
    schema = Table("standard").fit(table)
    assert len(table) > capacity(8)
    for name, kind in zip(table.column_names, schema.columns, strict=True):
        if name in ("a", "b", "c", "d"):
            values = table.column(name).to_numpy().astype(np.float64)
            assert kind.map.center == pytest.approx(values.mean(), rel=1e-12)
            assert kind.map.scale == pytest.approx(values.std(), rel=1e-12)
            assert (kind.low, kind.high) == (values.min(), values.max())
    assert schema.columns[3].decimals == 2
    assert schema.columns[7].base == min(table.column("h").to_pylist())


def test_extreme_and_sparse_columns(tmp_path, small):
    rng = np.random.default_rng(0)
    odd = pa.table(
        {
            "huge": rng.normal(size=N) * 1e200,
            "tiny": rng.normal(size=N) * 1e-200,
            "rare": pa.array([float(at) if at % 700 == 0 else None for at in range(N)]),
            "none": pa.nulls(N, pa.float64()),
            "same": np.full(N, 3.5),
            "far": 1e15 + np.arange(N),
        }
    )
    rows = Dataset(spread_out(odd, tmp_path))
    for scaling in ("auto", "robust"):
        assert Table(scaling).fit(odd) == Table(scaling).fit(rows)
    back = Table().fit(rows).unpack(Table().fit(rows).pack(odd))
    assert back.column("rare").equals(odd.column("rare"))
    bad = Dataset(spread_out(odd.set_column(0, "huge", pa.array([np.inf] * N)), tmp_path))
    with pytest.raises(ValueError, match="infinity in column 'huge'"):
        Table().fit(bad)


def test_too_many_categories(tmp_path, monkeypatch, small):
    monkeypatch.setattr(sketches, "MAX_CATEGORIES", 100)
    parquet.write_table(pa.table({"name": list(map(str, range(N))), "n": np.arange(N)}), tmp_path / "0.parquet")
    with pytest.raises(ValueError, match="column 'name' has more than 100 distinct values"):
        Table().fit(Dataset(tmp_path))


# -- the order, and what is held of it ---------------------------------------------------------------------------------


def test_buffers_of_wide_rows_hold_as_many_cells():
    assert order.group_rows(30) == order.GROUP_ROWS
    assert order.group_rows(1024) * 1024 == order.GROUP_CELLS
    found = list(order.buffers(100, Rng(0), 8, 3))
    assert sorted(torch_list(found)) == list(range(100))
    assert max(len(held) for held, _ in found) == 24
    assert order.order(100, Rng(0), 8, 3).tolist() == torch_list(found)


def torch_list(found) -> list[int]:
    return [int(row) for held, where in found for row in held[where]]


def test_rows_of_a_spill_are_those_that_were_packed(tmp_path, small):
    table = mixed()
    schema, rows = Table(knots=3).fit(table), Dataset(spread_out(table, tmp_path))
    lazy, whole = schema.store(rows), schema.pack(table)
    rng = np.random.default_rng(0)
    import torch

    for index in (slice(None), slice(7, 900), *(torch.from_numpy(rng.permutation(N)[:size]) for size in (1, 40, N))):
        made, wanted = lazy.take(index), whole.take(index)
        assert torch.equal(made.x, wanted.x)
        assert torch.equal(made.mask, wanted.mask)


def test_no_more_than_a_buffer_is_taken_at_once(tmp_path, small, monkeypatch):
    rows = Dataset(spread_out(mixed(), tmp_path))
    taken = []
    make = spill.Spill.make
    monkeypatch.setattr(spill.Spill, "make", lambda self, index: taken.append(index) or make(self, index))
    ae = az.Autoencoder(2, epochs=1, random_state=0, validation_fraction=0.0, batch_size=32)
    session = ae.plan(rows)
    assert session.rows == N
    taken.clear()
    ae.fit(rows)
    held = [len(index) for index in taken if not isinstance(index, slice)]
    buffer = order.group_rows(ae.schema_.width) * 5
    assert max(held[:-1]) == buffer  # the last one is of rows for the profile
    assert sum(held[:-1]) == N


def test_the_temporary_file_has_no_name_and_goes(tmp_path, small):
    place = tmp_path / "packed"
    place.mkdir()
    rows = Dataset(spread_out(mixed(), tmp_path) + "/*.parquet", folder=place)
    lazy = Table().fit(rows).store(rows)
    assert os.listdir(place) == []
    assert len(lazy.take(slice(3)).x) == 3
    with pytest.raises(DatasetError, match="packed rows cannot be kept there.*name another place"):
        Table().fit(rows).store(Dataset(str(tmp_path) + "/*.parquet", folder=tmp_path / "absent"))


def test_a_full_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    rows = Dataset(spread_out(mixed(), tmp_path))
    monkeypatch.setattr(spill.shutil, "disk_usage", lambda _: spill.shutil._ntuple_diskusage(10, 10, 1000))
    with pytest.raises(DatasetError, match="cannot be kept there: there are 0.0 GiB free"):
        az.Autoencoder(2).fit(rows)


# -- applications ------------------------------------------------------------------------------------------------------


def test_applications_say_the_same_of_files(tmp_path, small, monkeypatch):
    monkeypatch.setattr(completing, "ROWS", 256)  # rows that are filled together, of which a block has a multiple
    table = mixed().select(["a", "b", "c", "e", "f"])
    rows = Dataset(spread_out(table, tmp_path))
    inside, outside = (az.AnomalyDetector(members=3, random_state=0).fit(X) for X in (table, rows))
    assert np.array_equal(inside.score_samples(table), outside.score_samples(rows))
    assert np.array_equal(inside.predict(table), outside.predict(rows))
    assert inside.offset_ == outside.offset_
    imputer = az.Imputer(az.Autoencoder(2, epochs=2), random_state=0).fit(table)
    assert imputer.transform(table).equals(imputer.transform(rows))
    assert rows.write(tmp_path / "filled.csv", imputer.transform) == N
    assert csv.read_csv(tmp_path / "filled.csv").column("a").null_count == 0
    drawn = imputer.impute(rows, 2)
    assert [len(one) for one in drawn] == [N, N]
    assert not drawn[0].equals(drawn[1])
    hasher = az.SemanticHasher(8, random_state=0, n_neighbors=2).fit(table.slice(0, 200))
    assert np.array_equal(hasher.transform(table), hasher.transform(rows))
    hidden = az.Anonymizer(sensitive="e", autoencoder=az.Autoencoder(2, epochs=2), random_state=0).fit(table)
    assert hidden.transform(table).equals(hidden.transform(rows))


def test_draws_of_blocks_are_not_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "CELLS", 256 * 2)
    rng = np.random.default_rng(0)
    half = pa.table({"a": rng.normal(size=256), "b": pa.array(rng.normal(size=256), mask=rng.random(256) < 0.5)})
    parquet.write_table(pa.concat_tables([half, half]), tmp_path / "0.parquet")
    imputer = az.Imputer(az.Autoencoder(1, epochs=1), random_state=0).fit(half)
    (drawn,) = imputer.impute(Dataset(tmp_path), 1)
    first, second = (drawn.column("b").to_numpy()[part] for part in (slice(256), slice(256, None)))
    holes = half.column("b").is_null().to_numpy()
    assert np.array_equal(first[~holes], second[~holes])
    assert (first != second)[holes].all()


def test_a_stream_goes_on_block_by_block(tmp_path, small):
    table = mixed(0.0).select(["a", "c"])
    rows = Dataset(spread_out(table, tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        detector = az.AnomalyDetector(members=2, random_state=0).fit(table).partial_fit(rows)
    assert detector.rows_seen_ == 2 * N


def test_drawn_rows_are_written_in_parts(tmp_path):
    table = mixed(0.0).select(["a", "e"]).slice(0, 200)
    model = az.Synthesizer(az.Autoencoder(4, epochs=1), random_state=0).fit(table)
    assert model.write(tmp_path / "new.parquet", 250, size=100) == 250
    new = parquet.read_table(tmp_path / "new.parquet")
    assert (new.num_rows, new.schema.equals(table.schema)) == (250, True)
    assert new.equals(pa.concat_tables(model.parts(250, size=100)))
    first, second = new.slice(0, 100), new.slice(100, 100)
    assert not first.equals(second)
    with pytest.raises(ValueError, match="size must be a whole number of at least 1"):
        model.parts(10, size=0)


@pytest.mark.parametrize("estimator", [az.Imputer(), az.Synthesizer(), az.Anonymizer(), az.AEkNNClassifier()])
def test_what_learns_in_memory_says_so(tmp_path, estimator):
    rows = Dataset(spread_out(mixed().select(["a", "c"]), tmp_path))
    with pytest.raises(TypeError, match=r"rows in memory are needed; take some of them: dataset.sample"):
        estimator.fit(rows, np.arange(N) % 2)


def test_results_that_would_fill_memory_are_refused(tmp_path, monkeypatch, small):
    rows = Dataset(spread_out(mixed().select(["a", "c"]), tmp_path))
    ae = az.Autoencoder(1, epochs=1, random_state=0).fit(rows)
    monkeypatch.setattr(dataset, "RESULT", 1000)
    for call in (ae.reconstruct, ae.transform, lambda X: ae.errors(X, per_feature=True)):
        with pytest.raises(DatasetError, match=r"for 1,500 rows takes .* write it in parts: dataset.write"):
            call(rows)
    assert rows.write(tmp_path / "out.parquet", ae.reconstruct) == N


# -- files -------------------------------------------------------------------------------------------------------------


def test_sources(tmp_path):
    from pyarrow import dataset as arrow

    table = pa.table({"n": [1, 2, 3]})
    for name in ("year=2023/a", "year=2024/b", "year=2024/_skipped"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        parquet.write_table(table, tmp_path / f"{name}.parquet")
    rows = Dataset(tmp_path)
    assert rows.read().to_pydict() == {"n": [1, 2, 3] * 2, "year": [2023] * 3 + [2024] * 3}
    assert len(Dataset(f"{tmp_path}/*/b.parquet")) == len(Dataset(f"{tmp_path}/**/b.parquet")) == 3
    assert len(Dataset([tmp_path / "year=2024/b.parquet", tmp_path / "year=2023/a.parquet"])) == 6
    assert len(Dataset(f"file://{tmp_path}/year=2024/")) == 3
    assert len(Dataset(arrow.dataset(str(tmp_path / "year=2023"), format="parquet"))) == 3
    assert Dataset(tmp_path, columns=["year"]).columns == ["year"]
    assert rows.select(["year", "n"]).columns == ["year", "n"]
    assert repr(rows) == "Dataset(6 rows, 2 columns, 2 files)"


def test_taking_rows(tmp_path, small):
    table = mixed()
    rows = Dataset(spread_out(table, tmp_path))
    where = [1400, 3, 3, 700]
    assert rows.take(where).equals(table.take(where).combine_chunks())
    assert rows.sample(100, 1).equals(rows.sample(100, 1))
    assert len(rows.sample(10**6)) == N
    assert [len(block) for block in rows.blocks(700)] == [700, 700, 100]
    with pytest.raises(DatasetError, match="there are 1,500 rows, got positions 0 to 1,500"):
        rows.take([0, 1500])


def test_csv_types_are_those_that_all_lines_allow(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "CSV_BYTES", 200)
    lines = [
        f'{at},{at}{".5" if at > 150 else ""},"a ""quoted""\nline {at}",{"?" if at == 7 else at},00{at}'
        for at in range(200)
    ]
    text = "n,x,t,q,code\n" + "\n".join(lines) + "\n"
    with gzip.open(tmp_path / "0.csv.gz", "wt") as file:
        file.write(text)
    rows = Dataset(tmp_path, missing="?", texts=["code"])
    types = [pa.int64(), pa.float64(), pa.string(), pa.int64(), pa.string()]
    assert rows.schema.types == types
    whole = rows.read()
    assert whole.column("t")[199].as_py() == 'a "quoted"\nline 199'
    assert whole.column("code")[7].as_py() == "007"
    assert whole.column("q").null_count == 1
    assert len(rows) == 200
    monkeypatch.setattr(parts, "CSV_BYTES", 2**23)
    assert Dataset(tmp_path, missing="?", texts=["code"]).read().equals(whole)


def test_no_header(tmp_path):
    (tmp_path / "0.csv").write_text("1;2\n3;4\n")
    assert Dataset(tmp_path, header=False).read().to_pydict() == {"f0": [1, 3], "f1": [2, 4]}


def refused(match, source, **options):
    with pytest.raises(DatasetError, match=match):
        Dataset(source, **options)


def test_sources_that_are_refused(tmp_path):
    refused("no such file or folder", tmp_path / "absent.parquet")
    refused("there are no such files", f"{tmp_path}/*.parquet")
    refused("there are no such files", f"{tmp_path}/absent/*.parquet")
    refused("without Parquet or CSV files", tmp_path)
    refused("empty list of files", [])
    (tmp_path / "a.xyz").write_text("n\n1\n")
    refused("unknown kind of file", tmp_path / "a.xyz")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    refused("bad.parquet: is no sound Parquet file", tmp_path / "bad.parquet")
    (tmp_path / "e.csv").write_text("")
    refused("e.csv: is empty", tmp_path / "e.csv")
    (tmp_path / "h.csv").write_text("a,b\n")
    refused("h.csv: holds no rows", tmp_path / "h.csv")
    (tmp_path / "z.csv").write_bytes(b"a\n\0\0\n")
    refused("z.csv: holds binary data", tmp_path / "z.csv")
    (tmp_path / "b.csv").write_text("a,b\n1,2\n3\n")
    refused("b.csv: broken CSV behind line 1", tmp_path / "b.csv")
    (tmp_path / "l.csv").write_bytes("a\nJaén\n".encode("latin1"))
    refused("l.csv.*UTF-?8", tmp_path / "l.csv")


def test_files_that_do_not_belong_together(tmp_path):
    parquet.write_table(pa.table({"a": [1], "b": [1.0]}), tmp_path / "0.parquet")
    parquet.write_table(pa.table({"a": [2]}), tmp_path / "1.parquet")
    refused(r"1.parquet: lacks the column b that .*0.parquet has", tmp_path)
    assert len(Dataset(tmp_path, columns=["a"])) == 2
    refused("there is no 'z'; the files have a, b", tmp_path, columns=["z"])
    parquet.write_table(pa.table({"a": [2], "b": ["text"]}), tmp_path / "1.parquet")
    refused(r"1.parquet: column 'b' holds string, but double in .*0.parquet", tmp_path)
    parquet.write_table(pa.table({"b": [7], "a": [2.5]}), tmp_path / "1.parquet")
    assert Dataset(tmp_path).read().to_pydict() == {"a": [1.0, 2.5], "b": [1.0, 7.0]}


def test_a_file_that_changes_or_breaks_in_the_middle(tmp_path):
    table = pa.table({"a": np.arange(1000.0), "b": np.arange(1000.0)})
    path = tmp_path / "0.parquet"
    parquet.write_table(table, path, row_group_size=250, compression="snappy")
    rows, sound = Dataset(tmp_path), path.read_bytes()
    parquet.write_table(table.slice(0, 900), path, row_group_size=250)
    with pytest.raises(DatasetError, match=r"0.parquet: was changed while it was being read"):
        az.Autoencoder(1, epochs=1).fit(rows)
    at = parquet.ParquetFile(pa.BufferReader(sound)).metadata.row_group(2).column(0)
    begin = at.dictionary_page_offset or at.data_page_offset
    broken = bytearray(sound)
    broken[begin : begin + at.total_compressed_size] = b"\xff" * at.total_compressed_size
    path.write_bytes(bytes(broken))
    with pytest.raises(DatasetError, match=r"0.parquet: row group 3 of 4 cannot be read"):
        az.Autoencoder(1, epochs=1).fit(rows)
    path.unlink()
    with pytest.raises(DatasetError, match=r"0.parquet: there is no such file"):
        az.Autoencoder(1, epochs=1).fit(rows)
    lines = tmp_path / "0.csv"
    lines.write_text("a\n1\n2\n")
    part = CsvPart(parts._system("x")[0], str(lines))
    lines.write_text("a\n1\n2\n3\n")
    with pytest.raises(DatasetError, match="was changed while it was being read"):
        list(part.read(part.schema, 10))


def test_writing(tmp_path, small):
    rows = Dataset(spread_out(mixed(), tmp_path))
    with pytest.raises(DatasetError, match="written in parts to .parquet, .csv, .tsv"):
        rows.write(tmp_path / "out.npy", lambda part: part)
    with pytest.raises(DatasetError, match="array of shape"):
        rows.write(tmp_path / "out.csv", lambda part: np.zeros((2, 2, 2)))
    assert not (tmp_path / "out.csv").exists()

    seen = []

    def breaks(part):
        seen.append(part)
        if len(seen) > 2:
            raise RuntimeError("no more")
        return part

    with pytest.raises(RuntimeError, match="no more"):
        rows.write(tmp_path / "out.parquet", breaks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.parquet", "1.parquet", "2.parquet"]
    assert rows.write(tmp_path / "_out.parquet", lambda part: part) == N
    assert parquet.read_table(tmp_path / "_out.parquet").equals(mixed())
    assert rows.write(tmp_path / "_out.tsv", lambda part: np.ones(len(part))) == N
