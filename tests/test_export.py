"""Exported models say what ours say: ONNX under onnxruntime, torch programs without Azogue; any number of rows."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from sklearn.exceptions import NotFittedError

import azogue as az
from azogue.exporting import to_torch
from azogue.onnx import feed, to_onnx
from test_cli import azogue

runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")

N = 1000
RNG = np.random.default_rng(0)
#: rows near a curved surface, the last column heavy-tailed, with holes
X = np.tanh(RNG.normal(size=(N, 2)) @ RNG.normal(size=(2, 6))) + 0.05 * RNG.normal(size=(N, 6))
X[:, 5] = np.exp(4 * X[:, 5])
HOLED = X.copy()
HOLED[::4, 2] = np.nan
NET = az.Input() + az.Dense(5, "relu") + az.Dense(2) + az.Output()


def table():
    rng = np.random.default_rng(2)  # the same rows whichever tests ran before
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=N) * 1000 + 5,
            "price": np.exp(rng.normal(size=N) * 2),
            "count": rng.integers(0, 9, N),
            "flag": rng.random(N) < 0.3,
            "city's name": rng.choice(["Jaén", "b", 'c "d"'], N),
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, N), "D"),
            "level": pd.Categorical(rng.choice([3, 5, 9], N)),
            "small": rng.normal(size=N).astype("float32"),
            "id": rng.integers(2**60, 2**60 + 500, N),
            "never": np.full(N, None, object),
        }
    )
    frame.loc[::7, "size"] = np.nan
    frame.loc[::5, "city's name"] = None
    frame.loc[3::9, "when"] = pd.NaT
    frame.loc[2::9, "level"] = np.nan
    return frame


def run(model, inputs, rows=N):
    """All outputs by name, which are the same for 1, 2 and all rows together."""
    session = runtime.InferenceSession(model.SerializeToString())
    ports = [port.name for port in session.get_outputs()]
    made = {count: session.run(None, {k: v[:count] for k, v in inputs.items()}) for count in (1, 2, rows)}
    for count, outputs in made.items():
        for alone, values in zip(made[1], outputs, strict=True):
            assert len(values) == count
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values[:1], alone, rtol=1e-5, atol=1e-5)
    return dict(zip(ports, made[rows], strict=True))


def near(found, expected, rows):
    """Within 1e-5 of each column's range in the data."""
    found, expected, rows = (np.asarray(part, float) for part in (found, expected, rows))
    assert found.shape == expected.shape
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    span = np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)
    assert (np.nan_to_num(np.abs(found - expected)) <= 1e-5 * span).all()


def same(ae, rows, parts=("all",)):
    inputs = feed(ae, rows)
    if "encoder" in parts:
        code = run(to_onnx(ae, part="encoder"), inputs)["code"]
        assert np.abs(code - ae.encode(rows)).max() <= 1e-5 * max(1, np.abs(code).max())
    if "all" in parts:
        near(run(to_onnx(ae), inputs)["reconstruction"], ae.reconstruct(rows), rows)
    if "decoder" in parts:
        z = ae.encode(rows)
        near(run(to_onnx(ae, part="decoder"), {"code": z})["reconstruction"], ae.decode(z), rows)


def fitted(kind=az.Autoencoder, network=NET, rows=HOLED, **parameters):
    return kind(network, **{"epochs": 3, "random_state": 0} | parameters).fit(rows)


PRESETS = [
    *(az.Autoencoder, az.DenoisingAutoencoder, az.SparseAutoencoder, az.KSparseAutoencoder, az.ContractiveAutoencoder),
    *(az.RobustAutoencoder, az.VariationalAutoencoder, az.HypersphericalAutoencoder, az.WassersteinAutoencoder),
    *(az.AdversarialAutoencoder, az.BinaryAutoencoder, az.FiniteScalarAutoencoder, az.VectorQuantizedAutoencoder),
    *(az.PrincipalAutoencoder, az.StackedAutoencoder, az.MapAutoencoder),
]


def test_all_presets_are_here():
    public = (getattr(az, name) for name in az.__all__)
    own = {kind for kind in public if isinstance(kind, type) and issubclass(kind, az.Autoencoder)}
    assert own == set(PRESETS)


@pytest.mark.parametrize("kind", PRESETS, ids=lambda kind: kind.__name__)
def test_presets(kind):
    halves = ("encoder",) if kind in (az.VariationalAutoencoder, az.VectorQuantizedAutoencoder) else ()
    same(fitted(kind, 2, rows=X), X, ("all", *halves))  # the whole goes through the code too


@pytest.mark.parametrize(
    "network",
    [
        az.Input() + az.Dense(6, "selu", normalization="batch") + az.Dense(3, "tanh") + az.Output(),
        az.Input()
        + az.Dense(6, "gelu")
        + az.BatchNorm()
        + az.Dropout(0.2)
        + az.Dense(2)
        + az.LayerNorm()
        + az.Output(),
        az.Input() + az.Dense(6, "elu") + az.Residual() + az.Dense(2, "softsign") + az.Output(tied=False),
        az.Input() + az.Dense(4, "softplus") + az.Dense(2) + az.Output(tied=True),
        az.Input() + az.Dense(3, "relu") + az.Output("sigmoid"),
        az.Input() + az.Dense(5, "hard_sigmoid") + az.Dense(2) + az.Output("hard_sigmoid"),
        az.Input() + az.Dense(5, "silu") + az.Dense(2) + az.Output(skips=True),
    ],
    ids=str,
)
def test_layers(network):
    same(fitted(network=network), HOLED)


def test_halves_and_what_does_not_stand_alone():
    ae = fitted()
    same(ae, HOLED, ("decoder",))
    skips = fitted(network=az.Input() + az.Dense(5, "silu") + az.Dense(2) + az.Output(skips=True))
    with pytest.raises(ValueError, match="its way back also sees the rows"):
        to_onnx(skips, part="decoder")


def test_precision_and_own_modules():
    ae = fitted(precision="float64", rows=X)
    same(ae, X, ("all", "encoder"))
    same(fitted(network=(torch.nn.Linear(6, 2), torch.nn.Sequential(torch.nn.Linear(2, 6), torch.nn.Tanh()))), HOLED)


@pytest.mark.parametrize("knots", [0, 8])
def test_mixed_tables(knots):
    frame = table()
    ae = fitted(network=4, rows=frame, modality=az.modalities.Table(knots=knots), epochs=5)
    inputs = feed(ae, frame)
    assert list(inputs) == [name for name in frame.columns if name != "never"]
    if not knots:
        code = run(to_onnx(ae, part="encoder"), inputs)["code"]
        assert np.abs(code - ae.encode(frame)).max() <= 1e-5 * max(1, np.abs(code).max())
    found, expected = run(to_onnx(ae), inputs), ae.reconstruct(frame)
    unit = frame["when"].dt.unit
    for name in inputs:
        made, own = found[f"reconstructed_{name}"], expected[name]
        if name == "when":
            assert np.array_equal(made, own.to_numpy().astype(f"datetime64[{unit}]").astype(np.int64))
        elif own.dtype.kind == "f":
            near(made, own, frame[name])
        else:  # numbers of levels, booleans, categories, texts: rounding may meet a tie in a row of a thousand
            assert (made == own.to_numpy()).mean() >= 0.998


def test_texts_that_were_not_seen_and_missing_ones():
    kinds = pa.table({"kind": ["a", "b", "c"] * 20, "x": np.arange(60.0)})
    ae = fitted(network=2, rows=kinds)
    session = runtime.InferenceSession(to_onnx(ae, part="encoder").SerializeToString())
    (code,) = session.run(None, {"kind": np.array(["z", "", "b"], object), "x": np.array([1.0, np.nan, 3.0])})
    with pytest.warns(UserWarning, match="'other'"):
        expected = ae.encode(pa.table({"kind": ["z", None, "b"], "x": [1.0, None, 3.0]}))
    np.testing.assert_allclose(code, expected, atol=1e-5)


@pytest.mark.parametrize(
    "rows",
    [RNG.integers(0, 9, (N, 4)), X.astype("float32"), RNG.random((N, 3)) < 0.3, pd.DataFrame(X)],
    ids=["whole", "float32", "boolean", "frame"],
)
def test_matrices_of_other_types(rows):
    ae = fitted(network=2, rows=rows)
    (port,) = to_torch(ae).module()(*(torch.as_tensor(value) for value in feed(ae, rows).values()))
    if rows.__class__ is np.ndarray and rows.dtype.kind != "f":
        assert (port.numpy() == ae.reconstruct(rows)).mean() >= 0.999
    else:
        near(port, ae.reconstruct(rows), rows)


@pytest.mark.parametrize("layout", ["grey", "last", "first"])
def test_pictures(layout):
    shape = {"grey": (N, 8, 8), "last": (N, 8, 8, 3), "first": (N, 3, 8, 8)}[layout]
    pictures = RNG.integers(0, 255, shape, dtype=np.uint8) if layout != "first" else RNG.random(shape)
    net = az.Input() + az.Conv(3, 3, "relu", stride=2) + az.Pool(2) + az.Dense(3) + az.Output()
    ae = fitted(network=net, rows=pictures, epochs=1)
    inputs = feed(ae, pictures)
    found = run(to_onnx(ae), inputs)["reconstruction"]
    expected = ae.reconstruct(pictures)
    assert found.dtype == expected.dtype
    if layout == "first":
        assert np.abs(found - expected).max() <= 1e-5
    else:
        assert (np.abs(found.astype(int) - expected) <= 1).all()
        assert (found == expected).mean() > 0.999


@pytest.mark.parametrize("kind", ["gru", "lstm", "conv"])
def test_sequences(kind):
    rows = np.cumsum(RNG.normal(size=(N, 6, 2)), axis=1)  # each step is unrolled into the graph
    rows[::9, 4:] = np.nan
    layer = az.Conv(4, 3, "relu", stride=2) if kind == "conv" else az.Recurrent(4, kind)
    ae = fitted(network=az.Input() + layer + az.Dense(3) + az.Output(), rows=rows, epochs=1)
    found = run(to_onnx(ae), feed(ae, rows))["reconstruction"]
    assert np.abs(found - ae.reconstruct(rows)).max() <= 1e-5 * np.nanmax(np.abs(rows))


def test_packed_rows_of_any_modality():
    texts = ["the price of oil", "oil exports fell", "wheat and grain"] * 8
    ae = fitted(network=2, rows=texts)
    with pytest.raises(ValueError, match=r"modality 'text' has no counterpart .* preparation=False"):
        to_onnx(ae)
    packed = ae.schema_.pack(texts).x.numpy()
    out = run(to_onnx(ae, preparation=False), {"X": packed}, len(texts))["reconstruction"]
    np.testing.assert_allclose(out, ae.network_(torch.as_tensor(packed)).detach(), atol=1e-5)


@pytest.mark.parametrize("rows", [HOLED, table()[["size", "price", "city's name", "flag"]]], ids=["array", "frame"])
def test_a_detectors_score(rows):
    detector = az.AnomalyDetector(members=3, random_state=0).fit(rows)
    found = run(to_onnx(detector), feed(detector, rows))
    scores = detector.anomaly_score(rows)
    np.testing.assert_allclose(found["anomaly_score"], scores, rtol=1e-4)
    assert (found["is_anomaly"] == (detector.predict(rows) == -1)).mean() >= 0.999
    assert found["is_anomaly"].any()


def test_a_detectors_score_from_one_autoencoder():
    detector = az.AnomalyDetector.from_fitted(fitted())
    rows = np.concatenate([HOLED[:-1], np.full((1, 6), np.nan)])
    found = run(to_onnx(detector), feed(detector, rows))["anomaly_score"]
    np.testing.assert_allclose(found, detector.anomaly_score(rows), rtol=1e-5)
    assert found[-1] == 0


@pytest.mark.filterwarnings("ignore:categories that were not there")
def test_a_score_by_groups():
    """Each row by the detector of its group; categories that only one group has are others to the rest."""
    frame = table()[["size", "price", "city's name"]].assign(site=np.repeat(["n", "s"], N // 2))
    frame.loc[: N // 2 - 1, "city's name"] = frame["city's name"].replace("b", "only north")
    frame["size"] += 1e4 * (frame["site"] == "s")
    detector = az.AnomalyDetector(members=2, rows=64, by="site", random_state=0).fit(frame)
    mixed = frame.sample(frac=1.0, random_state=0)
    mixed.loc[mixed.index[:9], "city's name"] = "nowhere"
    mixed.loc[mixed.index[9:20], "city's name"] = "only north"
    inputs = feed(detector, mixed)
    assert list(inputs) == ["site", "size", "price", "city's name"]
    made = to_onnx(detector)
    found = run(made, inputs)
    np.testing.assert_allclose(found["anomaly_score"], detector.anomaly_score(mixed), rtol=1e-4)
    assert (found["is_anomaly"] == (detector.predict(mixed) == -1)).mean() >= 0.999
    assert found["is_anomaly"].any()
    elsewhere = runtime.InferenceSession(made.SerializeToString()).run(
        None, {name: values[:3] for name, values in inputs.items()} | {"site": np.array(["n", "w", "s"], object)}
    )
    assert np.isnan(elsewhere[0]).tolist() == [False, True, False]
    assert not elsewhere[1][1]


def test_a_score_by_groups_of_an_array():
    rows = np.column_stack([np.repeat([0, 1], N // 2), HOLED])
    detector = az.AnomalyDetector(members=2, rows=64, by=0, random_state=0).fit(rows)
    inputs = feed(detector, rows)
    assert (list(inputs), inputs["group"][0]) == (["group", "X"], "0.0")
    found = run(to_onnx(detector), inputs)
    np.testing.assert_allclose(found["anomaly_score"], detector.anomaly_score(rows), rtol=1e-4)


def test_groups_that_are_not_one_graph():
    tells = az.AnomalyDetector(members=2, rows=32, by=lambda rows: [0, 1] * (len(rows) // 2), random_state=0).fit(X)
    with pytest.raises(ValueError, match=r"function that tells groups .* export one of detectors_\[…\], which are '0'"):
        to_onnx(tells)
    frame = pd.DataFrame({"site": ["n", "s"] * 30, "a": np.arange(60.0), "b": ["x", "y"] * 30, "c": np.arange(60.0)})
    frame.loc[frame["site"] == "s", "c"] = np.nan
    with pytest.raises(ValueError, match=r"different columns; export one of detectors_"):
        to_onnx(az.AnomalyDetector(members=2, rows=32, by="site", random_state=0).fit(frame))


def test_what_has_no_score_to_export():
    pictures = RNG.integers(0, 255, (30, 8, 8), dtype=np.uint8)
    detector = az.AnomalyDetector(az.Autoencoder(2, epochs=1), random_state=0).fit(pictures)
    with pytest.raises(ValueError, match=r"score of pictures .* to_onnx\(detector.autoencoder_\)"):
        to_onnx(detector)
    assert to_onnx(detector, part="encoder").graph.output[0].name == "code"
    with pytest.raises(ValueError, match="leaves missing cells out"):
        to_onnx(az.AnomalyDetector.from_fitted(fitted()), preparation=False)


def test_the_model_tells_what_goes_in(tmp_path):
    ae = fitted(rows=pd.DataFrame(X, columns=list("abcdef")))
    model = to_onnx(ae, tmp_path / "m.onnx")
    assert onnx.load(tmp_path / "m.onnx") == model
    told = json.loads(next(item.value for item in model.metadata_props if item.key == "azogue"))
    assert told["inputs"] == [
        {"name": "X", "dtype": "float64", "shape": [6], "note": told["inputs"][0]["note"]},
    ]
    assert "a, b, c, d, e, f" in told["inputs"][0]["note"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    to_torch(ae, tmp_path / "m.pt2")
    with zipfile.ZipFile(tmp_path / "m.pt2") as archive:
        written = [archive.read(name) for name in archive.namelist()]
    for content in ((tmp_path / "m.onnx").read_bytes(), *written):
        assert b"/azogue/" not in content, "no paths of the machine that wrote it"


def test_a_torch_program_needs_no_azogue_and_no_pickle(tmp_path):
    ae = fitted()
    to_torch(ae, tmp_path / "m.pt2")
    np.save(tmp_path / "x.npy", HOLED)
    program = """
import json, sys
sys.modules["azogue"] = None
import numpy as np, torch
told = {"azogue.json": ""}
model = torch.export.load(sys.argv[1] + "/m.pt2", extra_files=told).module()
assert json.loads(told["azogue.json"])["inputs"][0]["name"] == "X"
x = torch.as_tensor(np.load(sys.argv[1] + "/x.npy"))
assert len(model(x[:1])[0]) == 1
np.save(sys.argv[1] + "/out.npy", model(x)[0].numpy())
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", program, str(tmp_path)], check=True)
    near(np.load(tmp_path / "out.npy"), ae.reconstruct(HOLED), HOLED)
    with zipfile.ZipFile(tmp_path / "m.pt2") as archive:
        configs = [json.loads(archive.read(name)) for name in archive.namelist() if name.endswith("_config.json")]
    entries = [entry for config in configs for entry in config["config"].values()]
    assert len(entries) > 4
    assert not any(entry["use_pickle"] for entry in entries)


def test_faults_are_named(monkeypatch):
    with pytest.raises(NotFittedError):
        to_onnx(az.Autoencoder(2))
    ae = fitted(rows=X)
    with pytest.raises(ValueError, match="part must be one of all, encoder, decoder, got 'half'"):
        to_onnx(ae, part="half")

    class Choosing(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) if x.sum() > 0 else super().forward(2 * x)

    with pytest.raises(ValueError, match=r"torch.export cannot write this network down"):
        to_onnx(fitted(network=(Choosing(6, 2), torch.nn.Linear(2, 6)), rows=X))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(ImportError, match=r'onnxscript, which is not installed: pip install "azogue\[onnx\]"'):
        to_onnx(ae)


def test_the_network_and_torchs_state_stay_as_they_are():
    ae = fitted(network=(torch.nn.Sequential(torch.nn.Linear(6, 2), torch.nn.Dropout(0.5)), torch.nn.Linear(2, 6)))
    before, state = ae.reconstruct(HOLED), torch.random.get_rng_state()
    training = [module.training for module in ae.network_.modules()]
    to_onnx(ae)
    assert np.array_equal(before, ae.reconstruct(HOLED))
    assert torch.equal(state, torch.random.get_rng_state())
    assert training == [module.training for module in ae.network_.modules()]
    assert all(parameter.requires_grad for parameter in ae.network_.parameters())


# Keras hands tensors to numpy.array, of which NumPy 2 says that torch should take another argument
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
def test_the_command_line(tmp_path):
    pd.DataFrame(X, columns=list("abcdef")).to_csv(tmp_path / "x.csv", index=False)
    azogue("fit", "x.csv", "-o", "m.azogue", "--network", "2", "--epochs", "2", "--seed", "0", cwd=tmp_path)
    told = azogue("export", "m.azogue", "-o", "m.onnx", cwd=tmp_path).stdout
    assert told.splitlines()[0] == "m.onnx: the whole of m.azogue"
    assert "in   X float64 (n, 6): missing is NaN; columns in this order: a, b, c, d, e, f" in told
    found = run(onnx.load(tmp_path / "m.onnx"), {"X": X})["reconstruction"]
    frame = pd.DataFrame(X, columns=list("abcdef"))
    near(found, az.load(tmp_path / "m.azogue").reconstruct(frame), X)
    facts = azogue("export", "m.azogue", "-o", "e.pt2", "--part", "encoder", "--raw", "--json", cwd=tmp_path).stdout
    assert [port["name"] for port in json.loads(facts)["outputs"]] == ["code"]
    azogue("export", "m.azogue", "-o", "e.keras", "--part", "encoder", cwd=tmp_path)
    assert zipfile.is_zipfile(tmp_path / "e.keras")
    for args, message in (
        (("m.azogue", "-o", "m.xyz"), "m.xyz: a file to export to ends in .onnx, .pt2, .keras; or say --to"),
        (("m.azogue", "-o", "m.onnx", "--to", "torch"), "m.onnx: a file for --to torch ends in .pt2"),
        (("x.csv", "-o", "m.onnx"), "x.csv: a model file (*.azogue) must come first"),
    ):
        done = azogue("export", *args, cwd=tmp_path, ok=False)
        assert done.returncode == 1
        assert message in done.stderr
