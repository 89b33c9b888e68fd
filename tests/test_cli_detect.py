"""`azogue detect`: detectors fitted on the spot, kept and opened again; sites of camera traps, pictures sorted out."""

import io
import json
import os

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_iris

import azogue as az
from azogue.applications import thresholds
from azogue.cli import carrying, detecting
from test_cli import azogue

SEED = ("--seed", "0")
ODD = 7


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Iris with an odd cell, new rows, and rows of two machines with units of their own."""
    place = tmp_path_factory.mktemp("tables")
    frame = load_iris(as_frame=True).frame.drop(columns="target")
    frame["name"] = np.resize(["a", "b"], 150)
    frame.loc[ODD, "petal length (cm)"] = 40.0
    frame.to_csv(place / "iris.csv", index=False)
    np.save(place / "iris.npy", frame.iloc[:, :4].to_numpy())
    frame.iloc[:20].assign(extra=1).to_csv(place / "new.csv", index=False)
    rng = np.random.default_rng(0)
    one = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3))
    machines = pd.DataFrame(np.concatenate([one, 100 + 3 * one]), columns=list("xyz"))
    machines.insert(1, "machine", ["left"] * 60 + ["right"] * 60)
    machines.loc[100, ["x", "y", "z"]] = one[3]  # usual on the left only
    machines.to_csv(place / "machines.csv", index=False)
    numbers = machines.assign(machine=machines["machine"].eq("right").astype(float))
    np.save(place / "machines.npy", numbers.to_numpy())
    return place


def said(*args, cwd):
    """The table that a command prints, by its columns."""
    return pd.read_csv(io.StringIO(azogue(*args, cwd=cwd).stdout), keep_default_na=False)


# -- tables ----------------------------------------------------------------------------------------------------------


def test_data_alone_is_judged_by_the_default_detector(tables):
    found = said("detect", "iris.csv", *SEED, cwd=tables)
    assert list(found.columns) == ["row", "score", "anomaly", "column", "value", "expected"]
    frame = pd.read_csv(tables / "iris.csv")
    known = az.AnomalyDetector(random_state=0).fit(frame)
    assert np.allclose(found["score"], known.anomaly_score(frame))
    assert found["anomaly"].tolist() == (known.predict(frame) == -1).tolist()
    worst = found.loc[found["score"].idxmax()]
    assert (worst["row"], worst["column"], worst["value"]) == (ODD, "petal length (cm)", "40")
    expected = known.expected(frame.iloc[[ODD]])["petal length (cm)"].item()
    assert float(worst["expected"]) == pytest.approx(expected, rel=1e-4)
    usual = found[~found["anomaly"]]
    assert set(usual["value"]) == {""}
    assert (usual["column"] != "").all()


def test_options_reach_the_detector(tables):
    rows = np.load(tables / "iris.npy")
    for options, own in {
        ("--novelty",): {"novelty": True},
        ("--threshold", "q0.9", "--scaling", "robust"): {"threshold": "q0.9", "scaling": "robust"},
        ("--contamination", "0.2"): {"contamination": 0.2},
    }.items():
        found = said("detect", "iris.npy", *options, *SEED, cwd=tables)
        known = az.AnomalyDetector(random_state=0, **own).fit(rows)
        assert np.allclose(found["score"], known.anomaly_score(rows)), options
        assert found["anomaly"].tolist() == (known.predict(rows) == -1).tolist(), options
    network = ("--network", "2", "--epochs", "5")
    found = said("detect", "iris.npy", *network, *SEED, cwd=tables)
    own = az.Autoencoder(2, epochs=5, random_state=0)
    assert np.allclose(found["score"], az.AnomalyDetector(own).fit(rows).anomaly_score(rows))


def test_new_rows_a_kept_detector_and_another_threshold(tables):
    done = azogue("detect", "iris.csv", "new.csv", "--save", "kept.azogue", "-o", "new-scores.csv", *SEED, cwd=tables)
    assert "extra: not in iris.csv, left out" in done.stderr
    assert "the detector is in kept.azogue" in done.stderr
    scores = pd.read_csv(tables / "new-scores.csv")
    frame = pd.read_csv(tables / "iris.csv")
    known = az.AnomalyDetector(random_state=0).fit(frame)
    assert np.allclose(scores["score"], known.anomaly_score(frame.iloc[:20]))
    again = said("detect", "kept.azogue", "new.csv", cwd=tables)
    assert np.allclose(again["score"], scores["score"])
    assert again["anomaly"].tolist() == scores["anomaly"].tolist()
    tight = said("detect", "kept.azogue", "iris.csv", "--threshold", "q0.5", cwd=tables)
    assert np.array_equal(tight["anomaly"], tight["score"] > thresholds.threshold_of(known.quantiles_, "auto", "q0.5"))
    tenth = said("detect", "kept.azogue", "iris.csv", "--contamination", "0.1", cwd=tables)
    assert tenth["anomaly"].sum() == pytest.approx(15, abs=1)
    assert json.loads(azogue("info", "kept.azogue", "--json", cwd=tables).stdout)["estimator"] == "AnomalyDetector"


def test_false_discovery_rate(tables):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 3))
    fresh = np.concatenate([rng.normal(size=(60, 3)) @ np.eye(3) * 20, rows[:200]])
    np.save(tables / "many.npy", rows)
    np.save(tables / "fresh.npy", fresh)
    done = azogue("detect", "many.npy", "fresh.npy", "--fdr", "0.2", "--save", "many.azogue", *SEED, cwd=tables)
    found = pd.read_csv(io.StringIO(done.stdout), keep_default_na=False)
    assert list(found.columns) == ["row", "score", "anomaly", "p_value", "column", "value", "expected"]
    known = az.AnomalyDetector(random_state=0).fit(rows)
    assert np.allclose(found["p_value"], known.p_values(fresh))
    assert found["anomaly"].tolist() == known.select(fresh, 0.2).tolist()
    assert found["anomaly"].any()
    assert not found["anomaly"].all()
    again = said("detect", "many.azogue", "fresh.npy", "--fdr", "0.2", cwd=tables)
    assert again.equals(found)
    none = azogue("detect", "many.npy", "--fdr", "0.0001", *SEED, cwd=tables)
    assert "no p-value can be below 0.0083, since training left out 120 rows" in none.stderr


def test_one_detector_a_group(tables):
    frame = pd.read_csv(tables / "machines.csv")
    known = az.AnomalyDetector(by="machine", random_state=0).fit(frame)
    for data, by in (("machines.csv", "machine"), ("machines.npy", "2")):
        found = said("detect", data, "--by", by, "--save", f"{data}.azogue", *SEED, cwd=tables)
        assert np.allclose(found["score"], known.anomaly_score(frame)), data
        assert found["anomaly"].tolist() == (known.predict(frame) == -1).tolist()
        assert found["anomaly"][100]
        name = found["column"][100]
        wanted = name if by == "machine" else list("x.yz")[int(name.split()[1]) - 1]
        assert float(found["value"][100]) == pytest.approx(frame[wanted][100], rel=1e-4)
        assert float(found["expected"][100]) > 50
        assert said("detect", f"{data}.azogue", data, cwd=tables).equals(found)
    azogue("report", "machines.csv.azogue", "machines.csv", "-o", "groups.json", cwd=tables)
    sections = json.loads((tables / "groups.json").read_text())["sections"]
    assert [section["title"] for section in sections] == ["Model", "Groups", "Anomalies", "Model card"]
    assert [row[:2] for row in sections[1]["table"]["rows"]] == [["left", 60], ["right", 60]]
    info = azogue("info", "machines.csv.azogue", cwd=tables).stdout
    assert "left, right, by 'machine'" in info
    done = azogue("encode", "machines.csv.azogue", "machines.csv", cwd=tables, ok=False)
    assert done.returncode == 1
    assert "has no one network" in done.stderr


def test_a_member_that_fails_does_not_end_the_work(tables, monkeypatch):
    from azogue.training.loop import TrainingWarning

    fit = az.AnomalyDetector.fit

    def warned(self, X, y=None):
        detecting.warnings.warn("member 3 is left unfitted: NaN", TrainingWarning, stacklevel=2)
        return fit(self, X)

    monkeypatch.setattr(az.AnomalyDetector, "fit", warned)
    done = azogue("detect", "iris.npy", "--network", "2", "--epochs", "2", *SEED, cwd=tables)
    assert done.stderr == "azogue: member 3 is left unfitted: NaN\n"


def test_large_tables_have_reasons_beyond_the_threshold_only(tables, monkeypatch):
    whole = said("detect", "iris.csv", *SEED, cwd=tables)
    monkeypatch.setattr(detecting, "MOST_CELLS", 100)
    found = said("detect", "iris.csv", *SEED, cwd=tables)
    beyond = found["anomaly"]
    assert set(found["column"][~beyond]) == {""}
    assert found[beyond].equals(whole[beyond])


@pytest.mark.parametrize("options", [(), ("--network", "2")])
def test_an_interrupted_detector_is_none(tables, monkeypatch, options):
    from azogue.training.dense import Dense

    step, calls = Dense.step, []

    def interrupted(self, states, batch):
        calls.append(0)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return step(self, states, batch)

    monkeypatch.setattr(Dense, "step", interrupted)
    args = ("iris.npy", *options, "--save", "half.azogue", "-o", "half.csv", *SEED)
    done = azogue("detect", *args, cwd=tables, ok=False)
    assert (done.returncode, done.stderr) == (130, "azogue: interrupted\n")
    assert not (tables / "half.azogue").exists()
    assert not (tables / "half.csv").exists()


# -- sites -----------------------------------------------------------------------------------------------------------


def scenes(seed, count, animals=()):
    """Pictures of one texture in changing light, bright blobs on some."""
    place, texture = np.random.default_rng(100 + seed // 10), np.mgrid[:32, :32]
    still = 120 + place.normal(0, 12, (32, 32))
    rng = np.random.default_rng(seed)
    found = still * (0.8 + 0.4 * rng.random((count, 1, 1))) + rng.normal(0, 2, (count, 32, 32))
    for at in animals:
        y, x = rng.integers(8, 24, 2)
        found[at] += 90 * np.exp(-(np.square(texture[0] - y) + np.square(texture[1] - x)) / 18)
    return np.clip(found, 0, 255).astype(np.uint8)


def put(folder, pictures):
    folder.mkdir(parents=True)
    for at, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{at:02d}.png")


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


ANIMALS = {"north/03.png", "north/09.png", "south/05.png"}


@pytest.fixture
def sites(tmp_path):
    """Two sites with animals on some pictures; the same sites empty."""
    put(tmp_path / "traps" / "north", scenes(0, 12, (3, 9)))
    put(tmp_path / "traps" / "south", scenes(10, 12, (5,)))
    return tmp_path


def test_animals_are_moved_and_nothing_else(sites):
    before = files(sites / "traps")
    done = azogue("detect", "traps", "--by", "site", "--move-to", "animals", "-o", "s.csv", *SEED, cwd=sites)
    scores = pd.read_csv(sites / "s.csv")
    assert list(scores.columns) == ["row", "file", "score", "anomaly"]
    assert set(scores.loc[scores["anomaly"], "file"]) == ANIMALS
    moved, left = files(sites / "animals"), files(sites / "traps")
    assert set(moved) == ANIMALS
    assert {**moved, **left} == before
    assert not set(moved) & set(left)
    assert "azogue: north: 2 of 12 beyond" in done.stderr
    assert "3 pictures moved to animals" in done.stderr


def test_each_site_is_judged_by_itself_and_p_values_together(sites):
    found = said("detect", "traps", "--by", "site", "--fdr", "0.5", *SEED, cwd=sites)
    for site in ("south",):
        own = np.stack([np.asarray(Image.open(path)) for path in sorted((sites / "traps" / site).iterdir())])
        known = az.AnomalyDetector(random_state=0).fit(own)
        rows = found[found["file"].str.startswith(site)]
        assert np.allclose(rows["score"], known.anomaly_score(own))
        assert np.allclose(rows["p_value"], known.p_values(own))
    assert found["anomaly"].tolist() == thresholds.benjamini_hochberg(found["p_value"].to_numpy(), 0.5).tolist()
    assert set(found.nsmallest(3, "p_value")["file"]) == ANIMALS


def test_empty_frames_first_and_copies(sites):
    put(sites / "empty" / "north", scenes(1, 12))
    put(sites / "empty" / "south", scenes(11, 12))
    before = files(sites / "traps")
    args = ("detect", "empty", "traps", "--by", "site", "--copy-to", "animals", "--json", *SEED)
    told = json.loads(azogue(*args, cwd=sites).stdout)
    assert {row[1] for row in told["rows"] if row[3]} == ANIMALS
    assert (told["to_be_copied"], told["folder"]) == (3, "animals")
    assert files(sites / "traps") == before
    assert files(sites / "animals") == {name: before[name] for name in ANIMALS}


def test_a_flat_folder_and_its_kept_detector(sites):
    north = sites / "traps" / "north"
    azogue("detect", "traps/north", "--save", "north.azogue", "-o", "north.csv", *SEED, cwd=sites)
    azogue("detect", "north.azogue", "traps/north", "--move-to", "animals", "-o", "again.csv", cwd=sites)
    assert pd.read_csv(sites / "north.csv").equals(pd.read_csv(sites / "again.csv"))
    assert set(files(sites / "animals")) == {"03.png", "09.png"}
    assert len(files(north)) == 10


def test_a_target_that_is_there_stops_all(sites):
    for name in files(sites / "traps" / "south"):
        place = sites / "animals" / "south" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"mine")
    before = files(sites)
    args = ("traps", "--by", "site", "--network", "2", "--epochs", "2", "--contamination", "0.2", *SEED)
    for verb in ("move", "copy"):
        done = azogue("detect", *args, f"--{verb}-to", "animals", "-o", "no.csv", cwd=sites, ok=False)
        assert done.returncode == 1
        assert "is there already, and 2 more; nothing was" in done.stderr
        assert files(sites) == before


@pytest.mark.parametrize("second_names", [True, False])
@pytest.mark.parametrize("moving", [True, False])
def test_carrying(tmp_path, monkeypatch, second_names, moving):
    """With second names, and over file systems or on one that has none."""
    if not second_names:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(18, "another file system")))
    put(tmp_path / "from", scenes(0, 3))
    (tmp_path / "from" / "link.png").symlink_to("01.png")
    before = files(tmp_path / "from")
    pairs = [(path, path.name) for path in sorted((tmp_path / "from").iterdir())]
    said_ = []
    carrying.planned(pairs, str(tmp_path / "to" / "deep"), moving, str(tmp_path / "from"))(said_.append)
    assert files(tmp_path / "to" / "deep") == before
    assert files(tmp_path / "from") == ({} if moving else before)
    assert not (tmp_path / "to" / "deep" / "link.png").is_symlink()
    assert f"4 pictures {'moved' if moving else 'copied'}" in said_[0]


@pytest.mark.parametrize("second_names", [True, False])
def test_carrying_never_replaces_what_came_meanwhile(tmp_path, monkeypatch, second_names):
    put(tmp_path / "from", scenes(0, 2))
    before = files(tmp_path / "from")
    pairs = [(path, path.name) for path in sorted((tmp_path / "from").iterdir())]
    carry = carrying.planned(pairs, str(tmp_path / "to"), True)
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "01.png").write_bytes(b"mine")
    if not second_names:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(18, "another file system")))
    with pytest.raises(ValueError, match="1 of 2 pictures are moved"):
        carry(print)
    assert files(tmp_path / "to") == {"00.png": before["00.png"], "01.png": b"mine"}
    assert files(tmp_path / "from") == {"01.png": before["01.png"]}


@pytest.mark.parametrize("when", ["copyfileobj", "unlink"])
def test_a_move_that_is_broken_off_loses_nothing_and_goes_on(tmp_path, monkeypatch, when):
    put(tmp_path / "from", scenes(0, 2))
    before = files(tmp_path / "from")
    pairs = [(path, path.name) for path in sorted((tmp_path / "from").iterdir())]

    def stop(*_, **__):
        raise KeyboardInterrupt

    carry = carrying.planned(pairs, str(tmp_path / "to"), True)
    with monkeypatch.context() as broken:
        if when == "copyfileobj":
            broken.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(18, "another file system")))
            broken.setattr(carrying.shutil, "copyfileobj", stop)
        else:
            broken.setattr(carrying.Path, "unlink", stop)
        with pytest.raises(KeyboardInterrupt):
            carry(print)
    assert files(tmp_path / "from") == before
    assert all(before[name] == data for name, data in files(tmp_path / "to").items())
    carrying.planned(pairs, str(tmp_path / "to"), True)(lambda _: None)
    assert files(tmp_path / "to") == before
    assert files(tmp_path / "from") == {}


# -- what is at fault ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("few", "--by", "site"), "few: site 'b' has 4 pictures, and a detector needs 5"),
        (("traps", "few", "--by", "site"), "few: 'b', 'c': no site of traps, which has north, south"),
        (("traps/north", "--by", "site"), "00.png lies in no site's folder"),
        (("traps", "--by", "place"), "--by place: pictures go by site"),
        (("traps", "--by", "site", "--save", "x.azogue"), "name the folder of one site"),
        (("traps", "--by", "site", "--move-to", "traps/animals"), "traps/animals: lies in traps, which is read"),
        (("traps", "--by", "site", "--move-to", "traps"), "traps: lies in traps"),
        (("traps", "--by", "site", "--move-to", "t.csv"), "t.csv: is a file"),
        (("traps", "--by", "site", "--move-to", "a", "--copy-to", "b"), "give one of them"),
        (("t.csv", "--move-to", "a"), "for folders of pictures"),
        (("t.csv", "--by", "colour"), "there is no such column; the table has a, b"),
        (("t.npy", "--by", "3"), "--by takes a number from 1 to 2, got '3'"),
        (("t.csv", "--fdr", "2"), "--fdr: expected a part in (0, 1)"),
        (("t.csv", "--fdr", "0.1", "--threshold", "q0.9"), "leave --threshold out"),
        (("t.csv", "--fdr", "0.1", "--network", "2"), "leave --network out"),
        (("t.csv", "--threshold", "7"), "expected 'mean+6sd' or a quantile"),
        (("t.csv", "--threshold", "q0.9", "--contamination", "0.1"), "one of them, not both"),
        (("t.csv", "--save", "kept.bin"), "must end in .azogue"),
        (("t.csv", "u.csv"), "u.csv: lacks the column b"),
        (("t.csv", "t.npy"), "use one kind of file"),
        (("ae.azogue", "t.csv", "--novelty"), "trained already; leave --novelty out"),
        (("ae.azogue", "t.csv", "--fdr", "0.1"), "the file remembers none"),
        (("t.csv", "ae.azogue"), "a model comes first"),
    ],
)
def test_faults_are_named_in_one_line(sites, args, message):
    for site, count in (("b", 4), ("c", 6)):
        put(sites / "few" / site, scenes(0, count))
    (sites / "t.csv").write_text("a,b\n" + "".join(f"{at},{at * at}\n" for at in range(30)))
    (sites / "u.csv").write_text("a\n1\n")
    np.save(sites / "t.npy", np.random.default_rng(0).normal(size=(30, 2)))
    az.Autoencoder(1, epochs=1).fit(pd.read_csv(sites / "t.csv")).save(sites / "ae.azogue")
    before = files(sites)
    done = azogue("detect", *args, cwd=sites, ok=False)
    assert done.returncode == 1, done.stdout
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert files(sites) == before
