"""Model files: everything public survives, nothing foreign is let in, an interrupted save loses nothing."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

import azogue as az
from azogue import files


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "n": rng.normal(size=60),
            "k": rng.integers(0, 9, 60),
            "c": pd.Categorical(rng.choice(list("xyz"), 60)),
            "b": rng.random(60) < 0.5,
            "t": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 900, 60), unit="D"),
        }
    )


def test_everything_public_survives(tmp_path, frame):
    ae = az.SparseAutoencoder(
        az.Input() + az.Dense(6, "tanh", normalization="layer") + az.Dropout(0.1) + az.Dense(3) + az.Output(tied=True),
        corruption=az.corruptions.Swap(0.2),
        objective="mae",
        learning_rate=az.optimizers.Cosine(1e-2),
        epochs=4,
        random_state=0,
    ).fit(frame)
    ae.save(tmp_path / "m.azogue")
    again = az.load(tmp_path / "m.azogue")
    assert again.get_params(deep=False) == ae.get_params(deep=False)
    assert again.history_ == ae.history_
    assert again.recipe_ == ae.recipe_
    assert again.schema_ == ae.schema_
    assert list(again.feature_names_in_) == list(frame.columns)
    pd.testing.assert_frame_equal(again.reconstruct(frame), ae.reconstruct(frame))
    assert np.array_equal(again.encode(frame), ae.encode(frame))
    ae.save(tmp_path / "again.azogue")
    assert (tmp_path / "m.azogue").read_bytes() == (tmp_path / "again.azogue").read_bytes()


def test_tied_weights_are_stored_once(tmp_path, frame):
    net = az.Input() + az.Dense(6) + az.Dense(3) + az.Output(tied=True)
    az.Autoencoder(net, epochs=1, random_state=0).fit(frame).save(tmp_path / "m.azogue")
    names = files.read(tmp_path / "m.azogue", "model")[1]
    assert sum(value.ndim == 2 and "network_" in name for name, value in names.items()) == 2


def test_what_is_code_takes_its_default(tmp_path, frame):
    ae = az.Autoencoder(2, epochs=1, callbacks=(lambda record: None,), random_state=np.random.default_rng(0)).fit(frame)
    ae.save(tmp_path / "m.azogue")
    again = az.load(tmp_path / "m.azogue")
    assert again.callbacks == ()
    assert again.random_state is None
    assert again.recipe_.seed == ae.recipe_.seed


def test_another_process_gets_the_same_bits(tmp_path, frame):
    frame.to_parquet(tmp_path / "x.parquet")
    ae = az.Autoencoder(2, epochs=2, random_state=0).fit(pd.read_parquet(tmp_path / "x.parquet"))
    ae.save(tmp_path / "m.azogue")
    program = (
        "import azogue as az, pandas as pd, numpy as np, sys;"
        f"ae = az.load({str(tmp_path / 'm.azogue')!r});"
        f"np.save({str(tmp_path / 'e.npy')!r}, ae.errors(pd.read_parquet({str(tmp_path / 'x.parquet')!r})))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert np.array_equal(np.load(tmp_path / "e.npy"), ae.errors(pd.read_parquet(tmp_path / "x.parquet")))


class Mine(az.Autoencoder):
    pass


def test_a_class_of_one_s_own(tmp_path, frame, monkeypatch):
    from azogue.persistence import Persistent

    Mine(2, epochs=1, random_state=0).fit(frame).save(tmp_path / "m.azogue")
    assert type(az.load(tmp_path / "m.azogue")) is Mine
    name = Mine.file_name()
    assert name.endswith(":Mine")
    monkeypatch.delitem(Persistent.registry, name)
    with pytest.raises(az.ModelFileError, match="import the module that defines it"):
        az.load(tmp_path / "m.azogue")


def _torch(path):
    torch.save({"a": torch.zeros(3)}, path)


def _pickle(path):
    path.write_bytes(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.")


def _hdf5(path):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", b"cos\nsystem\n")


@pytest.mark.parametrize(
    "make", [_torch, _pickle, _hdf5, _zip, lambda p: p.write_text("a,b\n1,2\n"), lambda p: p.touch()]
)
def test_foreign_files_are_refused(tmp_path, make):
    path = tmp_path / "model.azogue"
    make(path)
    with pytest.raises(az.ModelFileError, match=r"model\.azogue"):
        az.load(path)


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(3)}, tmp_path / "m.azogue")
    with pytest.raises(az.ModelFileError):
        az.load(tmp_path / "m.azogue")


def test_any_consistent_nonsense_in_the_description_is_refused(tmp_path, frame):
    az.Autoencoder(2, epochs=1, random_state=0).fit(frame).save(tmp_path / "m.azogue")
    manifest, tensors = files.read(tmp_path / "m.azogue", "model")
    text = json.dumps(manifest)
    changes = [
        ('"Autoencoder"', '"os.system"'),
        ('"layers.Dense"', '"torch.load"'),
        ('"units": 2', '"units": 3'),
        ('"units": 2', '"units": -2'),
        ('"parameters"', '"parametres"'),
        ('"$network"', '"$module"'),
        ('"epochs"', '"apochs"'),
        ('"heads.', '"hands.'),
        ('"units": 64', '"units": 60000000'),
        ('"stopped_"', '"encode"'),
        ('"libraries"', '"libraires"'),
        ('"part": "all"', '"part": "decoder"'),
        ('"part": "all"', '"part": "most"'),
    ]
    tried = 0
    for old, new in changes:
        if old in text:
            files.write(tmp_path / "bad.azogue", "model", json.loads(text.replace(old, new)), tensors)
            with pytest.raises(az.ModelFileError, match=r"bad\.azogue"):
                az.load(tmp_path / "bad.azogue")
            tried += 1
    assert tried >= 8


@pytest.mark.parametrize(
    ("make", "old", "new"),
    [
        (az.VectorQuantizedAutoencoder, '"entries": 64', '"entries": 600000000000'),
        (az.AdversarialAutoencoder, '"units": {"$tuple": [64, 64]}', '"units": {"$tuple": [6000000, 6000000]}'),
    ],
)
def test_parts_that_the_file_does_not_hold_are_not_made(tmp_path, make, old, new):
    make(2, epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(40, 4))).save(tmp_path / "m.azogue")
    manifest, tensors = files.read(tmp_path / "m.azogue", "model")
    text = json.dumps(manifest)
    assert old in text
    files.write(tmp_path / "bad.azogue", "model", json.loads(text.replace(old, new)), tensors)
    with pytest.raises(az.ModelFileError, match="weights, but the file holds"):
        az.load(tmp_path / "bad.azogue")


def test_a_failed_save_leaves_the_old_model(tmp_path, frame, monkeypatch):
    import os

    path = tmp_path / "m.azogue"
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(frame)
    ae.save(path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(az.ModelFileError, match="m.azogue"):
        ae.fit(frame.iloc[:30]).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.azogue"]
    with pytest.raises(az.ModelFileError, match="nowhere"):
        ae.save(tmp_path / "nowhere" / "m.azogue")
    with pytest.raises(az.ModelFileError):
        ae.save(tmp_path)


def test_a_file_does_not_choose_where_training_writes(tmp_path):
    rows = np.random.default_rng(0).normal(size=(30, 3))
    ae = az.Autoencoder(1, epochs=1, checkpoint=tmp_path / "run", resume=True, random_state=0).fit(rows)
    ae.save(tmp_path / "model.azogue")
    again = az.load(tmp_path / "model.azogue")
    assert (again.checkpoint, again.resume) == (None, False)
    np.testing.assert_array_equal(again.encode(rows), ae.encode(rows))
