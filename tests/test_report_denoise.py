"""What a report says of denoisers and imputers: what they were trained against, before and after, and nothing else."""

import numpy as np
import pandas as pd
import pytest

import azogue as az
from azogue.corruptions import Gaussian
from azogue.modalities.pictures import write_pictures
from azogue.report import report

RNG = np.random.default_rng(0)


def fitted(X, modality, *layers):
    network = sum(layers[1:], layers[0]) if layers else "auto"
    inner = az.Autoencoder(network, epochs=2, random_state=0)
    return az.Denoiser(inner, noise=Gaussian(0.1), modality=modality, random_state=0).fit(X)


def noise_of(made):
    assert [section["title"] for section in made.sections] == ["Model", "Training", "Noise", "Model card"]
    section, _ = made.sections[2:]
    ((_, picture),) = section["images"]
    assert picture.startswith("data:image/png;base64,")
    assert section["facts"]["trained against"] == "Gaussian()"
    return section["facts"]


def test_pictures_of_other_sizes_than_those_learned_from(tmp_path):
    model = fitted(
        RNG.integers(0, 255, (20, 12, 12)).astype(np.uint8), "image", az.Conv(4, 3, "relu", stride=2), az.Dense(8)
    )
    sizes = [(30, 14), (12, 12), (9, 40)]
    for at, size in enumerate(sizes):
        write_pictures(RNG.integers(0, 255, (1, *size)).astype(np.uint8), tmp_path, [str(at)])
    made = report(model, str(tmp_path))
    assert made.title == "Denoiser on 3 pictures"
    assert noise_of(made)["root mean square change"] > 0


def test_the_change_of_signals_is_measured():
    model = fitted(RNG.normal(size=600), az.modalities.Sequence(window=32), az.Dense(16), az.Dense(4))
    new = RNG.normal(size=200)
    made = report(model, new)
    assert made.title == "Denoiser on 1 signal"
    change = float(np.sqrt(np.mean((model.transform(new) - new) ** 2)))
    assert noise_of(made)["root mean square change"] == pytest.approx(change)


def test_tables_come_as_heat_maps():
    frame = pd.DataFrame(RNG.normal(size=(50, 4)), columns=list("abcd"))
    made = report(fitted(frame, "table"), frame)
    assert made.title == "Denoiser on 50 rows"
    assert noise_of(made)["data"] == "table"


def test_an_imputer_says_what_it_fills():
    frame = pd.DataFrame(RNG.normal(size=(60, 3)), columns=list("abc")).assign(blank=np.nan)
    frame.loc[:9, "a"] = np.nan
    with pytest.warns(UserWarning, match="blank"):
        model = az.Imputer(members=2, random_state=0).fit(frame)
    made = report(model, frame)
    assert [section["title"] for section in made.sections] == ["Model", "Training", "Missing cells", "Model card"]
    assert made.sections[2]["text"].startswith("10 cells of 1 column filled")
    whole = report(model, pd.DataFrame(RNG.normal(size=(5, 4)), columns=["a", "b", "c", "blank"]))
    assert [section["title"] for section in whole.sections] == ["Model", "Training", "Model card"]
