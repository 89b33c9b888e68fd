"""Semantic hashing: what the terms say, what neighbours do to training, and codes by which rows are found again."""

import pickle
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.frozen import FrozenEstimator

import azogue as az
from azogue.applications.kin import kin, second, space_of
from azogue.applications.patches import learned, pixels
from azogue.applications.patches import seen as read
from azogue.applications.topics import along, directions, tfidf, words_of
from azogue.corruptions import Neighbor
from azogue.modalities import Image, Table, Text
from azogue.objectives import Agreement, Balance, Decorrelation, NeighborhoodComponents
from azogue.recipe import Batch, Code, Rng
from azogue.training.data import Rows, drawn

ABOUT = ("cat", "kitten", "mouse", "purr", "whisker", "claw"), ("car", "engine", "wheel", "brake", "road", "gear")
TEXTS = [" ".join(np.random.default_rng(at).choice(ABOUT[at % 2], 3, replace=False)) for at in range(60)]


@pytest.fixture(scope="module", autouse=True)
def short():
    """Trainings of at most 60 epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("azogue.applications.hashing.LONGEST", 60)
        yield


def seen(z, own):
    model = SimpleNamespace(encode=lambda x, rng: (x, Code(x)))
    return SimpleNamespace(x=torch.tensor(own), code=Code(torch.tensor(z)), model=model, rng=None)


# -- terms -------------------------------------------------------------------------------------------------------------


def test_agreement_in_closed_form():
    z, own = [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    far = np.square(np.array(z)[:, None] - np.array(own)).sum(2) / (0.5 * 2)
    chance = np.exp(-far)
    rows, columns = chance / chance.sum(1, keepdims=True), chance / chance.sum(0)
    expected = -0.5 * (np.log(np.diag(rows)) + np.log(np.diag(columns)))
    assert np.allclose(Agreement(0.5)(seen(z, own)), expected, atol=1e-5)


def test_balance_and_decorrelation_in_closed_form():
    rng = np.random.default_rng(0)
    z = rng.integers(0, 2, (40, 5)).astype(np.float32)
    step = SimpleNamespace(code=Code(torch.tensor(z)))
    assert Balance()(step) == pytest.approx(np.square(2 * z.mean(0) - 1).mean(), abs=1e-6)
    between = np.square(np.corrcoef(z.T))
    assert Decorrelation()(step) == pytest.approx((between.sum() - 5) / 20, abs=1e-5)
    assert Decorrelation()(SimpleNamespace(code=Code(torch.ones(3, 1)))) == 0.0
    assert bool(torch.isfinite(Decorrelation()(SimpleNamespace(code=Code(torch.ones(3, 4))))))


def test_the_temperature_of_neighbourhood_components():
    z, y = torch.tensor([[0.0], [2.0], [4.0]]), torch.tensor([0, 0, 1])
    step = SimpleNamespace(code=Code(z), target=y)
    scaled = SimpleNamespace(code=Code(z / 3.0), target=y)
    term = NeighborhoodComponents(9.0)
    assert torch.allclose(term(step), NeighborhoodComponents()(scaled))
    leaf = z.clone().requires_grad_()
    term(SimpleNamespace(code=Code(leaf), target=y)).mean().backward()
    assert torch.allclose(term.gradient(step, 1.0).by["z"], leaf.grad, atol=1e-6)


@pytest.mark.parametrize("term", [Agreement, NeighborhoodComponents])
def test_temperatures_that_make_no_sense(term):
    with pytest.raises(ValueError, match="temperature must be a positive number, got 0"):
        term(0)


# -- neighbours --------------------------------------------------------------------------------------------------------


def test_neighbours_are_drawn_evenly_and_always_alike():
    neighbors = torch.tensor([[1, 2, 3], [0, 2, -1]]).repeat(3000, 1)
    found = drawn(neighbors, Rng(0))
    counts = [torch.bincount(found[start::2], minlength=4) for start in (0, 1)]
    assert counts[0].min() == 0
    assert counts[0][1:].min() > 900
    assert counts[1].tolist()[3] == 0
    assert counts[1][[0, 2]].min() > 1400
    assert torch.equal(found, drawn(neighbors, Rng(0)))
    assert not torch.equal(found, drawn(neighbors, Rng(0, epoch=1)))


def test_rows_come_beside_a_neighbour_in_training_alone():
    batch = Batch(torch.arange(4.0)[:, None], neighbors=torch.tensor([[1], [2], [3], [0]]))
    rows = Rows(batch)
    assert rows.take(slice(1, 3), Rng(0)).target[:, 0].tolist() == [2.0, 3.0]
    assert rows.take(slice(1, 3)).target is None
    some = rows.only(torch.tensor([3, 1]))
    assert some.take(torch.tensor([0, 1]), Rng(0)).target[:, 0].tolist() == [0.0, 2.0]


def test_a_network_decodes_rows_from_their_neighbours():
    rng = np.random.default_rng(0)
    X = np.repeat(rng.normal(size=(20, 4)), 2, axis=0) + np.tile([[0.0], [1.0]], (20, 4))
    pairs = (np.arange(40) ^ 1)[:, None]  # every row's neighbour is the other of its pair, one higher or lower
    ae = az.Autoencoder(4, corruption=Neighbor(), epochs=400, scaling="none", learning_rate=5e-3, random_state=0)
    ae.set_params(validation_fraction=0.0)
    told = ae.fit(X, pairs).reconstruct(X)
    assert np.square(told - X[pairs[:, 0]]).mean() < 0.2 < np.square(told - X).mean(), "what is shown is not decoded"


def test_neighbours_are_moved():
    """Each picture by its own step of at most `shift` pixels; a moved edge is repeated."""
    picture = np.zeros((500, 5, 5, 2))
    picture[:, 2, 2] = 1.0, 2.0
    seen = Neighbor(shift=1).apply(picture)
    assert (seen.sum((1, 2)) == [1.0, 2.0]).all(), "colours move together"
    found = np.stack(np.nonzero(seen[..., 0])[1:], axis=1)
    assert sorted(set(map(tuple, found.tolist()))) == [(a, b) for a in (1, 2, 3) for b in (1, 2, 3)]
    assert np.unique(found, axis=0, return_counts=True)[1].min() > 30, "all nine are as frequent"
    edge = Neighbor(shift=1).apply(np.tile([[3.0, 0.0, 0.0]], (100, 3, 1))[..., None])[..., 0]
    assert set(map(tuple, edge[:, 0].tolist())) == {(3.0, 0.0, 0.0), (3.0, 3.0, 0.0), (0.0, 0.0, 0.0)}
    assert (Neighbor().apply(picture.reshape(500, -1)) == picture.reshape(500, -1)).all()


@pytest.mark.parametrize("shift", [-1, 0.5, True])
def test_shifts_that_make_no_sense(shift):
    with pytest.raises(ValueError, match="shift must be a whole number"):
        Neighbor(shift=shift)


def test_tables_are_not_moved():
    ae = az.Autoencoder(2, corruption=Neighbor(shift=1), epochs=1)
    with pytest.raises(ValueError, match=r"Neighbor\(shift=1\) moves pictures.*use shift=0"):
        ae.fit(np.random.default_rng(0).normal(size=(20, 3)), np.zeros((20, 1), int))


def test_neighbours_survive_stores_of_rows():
    """Texts are kept sparse, and the same neighbours reach them."""
    pairs = np.roll(np.arange(len(TEXTS)), 1)[:, None]
    ae = az.Autoencoder(2, corruption=Neighbor(), modality=Text(weighting="tfidf"), epochs=3, random_state=0)
    assert ae.fit(TEXTS, pairs).encode(TEXTS).shape == (len(TEXTS), 2)


@pytest.mark.parametrize(
    ("neighbors", "message"),
    [
        (None, r"whole numbers of shape \(6, k\).*got nothing"),
        ([0, 1, 2, 3, 4, 5], "got int64 of shape"),
        ([[0.5]] * 6, "got float64"),
        ([[6]] * 6, "there are 6 rows, got positions from 6 to 6"),
        ([[-2]] * 6, "got positions from -2"),
    ],
)
def test_neighbours_that_make_no_sense(neighbors, message):
    X = np.arange(12.0).reshape(6, 2)
    with pytest.raises(ValueError, match=message):
        az.Autoencoder(1, corruption=Neighbor(), epochs=1).fit(X, neighbors)


def test_resuming_asks_for_the_same_neighbours(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 3))
    pairs = np.roll(np.arange(30), 1)[:, None]

    def trained(neighbors, epochs=4, **more):
        ae = az.Autoencoder(2, corruption=Neighbor(), epochs=epochs, random_state=0, validation_fraction=0.0, **more)
        return ae.fit(X, neighbors)

    def stop(record):
        if record["epoch"] == 3:
            raise KeyboardInterrupt

    path = tmp_path / "run"
    with pytest.warns(az.TrainingWarning, match="interrupted"):
        trained(pairs, checkpoint=path, callbacks=[stop])
    with pytest.raises(ValueError, match="other data"):
        trained(np.roll(pairs, 1), checkpoint=path, resume=True)
    again = trained(pairs, checkpoint=path, resume=True)
    assert (again.encode(X) == trained(pairs).encode(X)).all()


def test_kin_are_the_nearest_rows():
    X = np.random.default_rng(0).normal(size=(60, 3))
    found = kin([X.astype(np.float32)], 4, seed=0)
    far = np.square(X[:, None] - X).sum(2)
    np.fill_diagonal(far, np.inf)
    assert (np.sort(np.argsort(far, axis=1)[:, :4]) == found).all()
    both = kin([X.astype(np.float32), X.astype(np.float32)], 4, seed=0)
    assert (np.sort(both, axis=1)[:, 4:] == found).all()
    assert (both < 0).sum() == 60 * 4, "named twice, there once"
    assert kin([X[:1]], 4, seed=0).tolist() == [[-1]]


def test_kin_of_many_rows_are_among_those_that_were_drawn(monkeypatch):
    monkeypatch.setattr("azogue.applications.kin.MANY", 20)
    X = np.random.default_rng(0).normal(size=(60, 2)).astype(np.float32)
    found = kin([X], 3, seed=1)
    assert len(np.unique(found)) <= 20
    assert not (found == np.arange(60)[:, None]).any()


def test_kin_in_two_steps():
    """By the formula, from the matrix written out."""
    rng = np.random.default_rng(0)
    tables = [np.array([rng.choice(np.delete(np.arange(12), at), 3, False) for at in range(12)]) for _ in range(2)]
    tables[0][5, 1] = -1
    graph = np.eye(12)
    for table in tables:
        for at, others in enumerate(table):
            for other in others[others >= 0]:
                graph[at, other] += 1
                graph[other, at] += 1
    root = np.diag(1 / np.sqrt(graph.sum(1)))
    both = np.linalg.matrix_power(root @ graph @ root, 2) - 10 * np.eye(12)
    assert (second(tables, 4) == np.argsort(-both, axis=1, kind="stable")[:, :4]).all()
    assert second([np.full((2, 1), -1)], 2).tolist() == [[-1, -1], [-1, -1]]
    X = rng.normal(size=(60, 3)).astype(np.float32)
    near = kin([X], 6, seed=0)
    both = np.hstack([near, second([near], 6)])
    assert (kin([X], 6, seed=0, twice=True) == both).all(), "who is named twice is there twice"


def test_a_category_counts_as_one_column():
    frame = pd.DataFrame({"a": [0.0, 0.0, 3.0], "b": ["x", "y", "x"]})
    schema = Table("none").fit(frame)
    space = space_of(schema, frame, 0)
    gaps = np.square(space[:, None] - space).sum(2)
    assert gaps[0, 1] == pytest.approx(1.0)
    assert gaps[0, 2] == pytest.approx(9.0)


def test_topics_are_the_leading_directions():
    schema = Text(weighting="tfidf").fit(TEXTS)
    weights = tfidf(schema, TEXTS)
    assert np.allclose(np.square(weights.toarray()).sum(1), 1.0, atol=1e-5)
    found = directions(weights, 0)
    spread = np.linalg.svd(weights.toarray(), compute_uv=False)[: found.shape[1]]
    assert np.linalg.norm(found, axis=0) == pytest.approx(spread / spread[0], abs=1e-3), "each as long as its spread"
    unit = found / np.linalg.norm(found, axis=0)
    assert np.allclose(unit.T @ unit, np.eye(found.shape[1]), atol=1e-4)
    inside = np.random.default_rng(0).normal(size=(4, found.shape[1])) @ unit.T
    assert np.allclose(words_of(np.float32(inside @ found), found), inside, atol=1e-3)
    vectors = along(tfidf(schema, [*TEXTS[:1], "unheard"]), found)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([found.shape[1] ** 0.5, 0.0], abs=1e-4)


# -- pictures in colour ------------------------------------------------------------------------------------------------


def stripes(rows, seed=0):
    """Pictures of 16 × 16 pixels with stripes that lie or stand, of any two colours and phase; and which they are."""
    rng = np.random.default_rng(seed)
    lying = rng.integers(0, 2, rows)
    wave = np.sin(np.arange(16) * 1.6 + rng.uniform(0, 6, (rows, 1)))[:, :, None, None]
    wave = np.where(lying[:, None, None, None] == 1, wave, np.swapaxes(wave, 1, 2))
    colours = rng.uniform(60, 200, (2, rows, 1, 1, 3))
    noise = rng.normal(0, 8, (rows, 16, 16, 3))
    return np.clip(colours[0] + 0.5 * (colours[1] - colours[0]) * wave + noise, 0, 255).astype(np.uint8), lying


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr("azogue.applications.patches.PATCHES", 4000)
    monkeypatch.setattr("azogue.applications.patches.PATTERNS", 40)


def test_patches_tell_what_pixels_do_not(few):
    X, lying = stripes(260)
    schema = Image().fit(X)
    found = learned(schema, X, 0)
    rows = read(schema, X, found)
    shown = rows[:, : found["axes"].shape[1]]
    assert np.linalg.norm(shown, axis=1) == pytest.approx(shown.shape[1] ** 0.5, abs=1e-3)
    flat = X.reshape(len(X), -1).astype(np.float32)
    by_patches, by_pixels = (float((lying[kin([x], 5, seed=0)] == lying[:, None]).mean()) for x in (shown, flat))
    assert by_patches > 0.9
    assert by_patches > by_pixels + 0.15
    assert (read(schema, X[5:9], found) == rows[5:9]).all()
    brighter = np.clip(X[:20].astype(int) + 20, 0, 255).astype(np.uint8)
    assert np.abs(read(schema, brighter, found)[:, : shown.shape[1]] - shown[:20]).mean() < 0.1, "no brightness"


def test_directions_of_pixels_bring_pictures_back(few):
    X = stripes(60)[0]
    schema = Image().fit(X)
    found = learned(schema, X, 0)
    told = schema.unpack(pixels(read(schema, X, found), found)).astype(float)
    assert np.square(told - X).mean() < 0.3 * np.square(X.mean(0) - X).mean()


def test_photographs_are_found_again(few, tmp_path):
    X, lying = stripes(300)
    hasher = az.SemanticHasher(16, random_state=0).fit(X[:220])
    assert precision(hasher, X[220:], lying[:220], lying[220:]) > 0.9
    assert hasher.n_features_in_ == 16 * 16 * 3
    hasher.save(tmp_path / "p.azogue")
    again = az.load(tmp_path / "p.azogue")
    assert (again.transform(X[220:]) == hasher.transform(X[220:])).all()
    told = again.inverse_transform(hasher.codes_[:3])
    assert (told.shape, told.dtype) == ((3, 16, 16, 3), np.uint8)
    assert [
        part["facts"]["rows"] for part in az.report.report(hasher, X[:220]).sections if part["title"] == "Codes"
    ] == [220]
    grey = hasher.fit(X[:220, :, :, 0])
    assert not hasattr(grey, "patches_"), "what an earlier fit saw is gone"
    assert grey.transform(X[:2, :, :, 0]).shape == (2, 2)


# -- the hasher --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.images.astype(np.uint8), data.target


@pytest.fixture(scope="module")
def hasher(digits):
    return az.SemanticHasher(32, random_state=0).fit(digits[0][:400])


def precision(hasher, X, known, asked, k=20):
    return float((known[hasher.kneighbors(X, k)[1]] == asked[:, None]).mean())


def test_digits_are_found_again(hasher, digits):
    X, y = digits
    found = precision(hasher, X[600:800], y[:400], y[600:800])
    flat = X.reshape(len(X), -1).astype(float)
    signs = (flat - flat[:400].mean(0)) @ np.random.default_rng(0).normal(size=(64, 32)) > 0
    near = np.argsort((signs[600:800, None] != signs[:400]).sum(2), axis=1, kind="stable")[:, :20]
    hyperplanes = float((y[:400][near] == y[600:800, None]).mean())
    assert found > hyperplanes + 0.1


def test_codes_of_pictures_change_little_where_they_are_moved(digits, monkeypatch):
    X = np.pad(digits[0][:400], ((0, 0), (2, 2), (2, 2)))
    monkeypatch.setattr("azogue.applications.hashing.LONGEST", 40)

    def change():
        bits = az.SemanticHasher(32, random_state=0).fit(X[:300])
        still, moved = (bits.encode(part[300:]) for part in (X, np.roll(X, (1, 1), (1, 2))))
        return float(np.abs(still - moved).mean())

    kept = change()
    monkeypatch.setattr("azogue.applications.hashing.SHIFT", 0)
    assert kept < 0.8 * change()


def test_codes_are_packed_bits(hasher, digits):
    X = digits[0][600:640]
    codes, bits = hasher.transform(X), hasher.encode(X)
    assert (codes.dtype, codes.shape) == (np.uint8, (40, 4))
    assert (np.packbits(bits.astype(bool), axis=1) == codes).all()
    assert hasher.get_feature_names_out().tolist() == [f"semantichasher{at}" for at in range(4)]
    assert (hasher.transform(digits[0][:400]) == hasher.codes_).all()
    assert hasher.inverse_transform(codes).shape == (40, 8, 8)


def test_bits_are_even_and_different(hasher):
    found = hasher.buckets(labels=None)
    assert found.balance < 0.3
    assert found.correlation < 0.35
    assert found.idle == 0


def test_files_bring_the_hasher_back(hasher, digits, tmp_path):
    hasher.save(tmp_path / "m.azogue")
    again = az.load(tmp_path / "m.azogue")
    assert (again.transform(digits[0][600:650]) == hasher.transform(digits[0][600:650])).all()
    assert (again.index().codes == hasher.codes_).all()


def test_one_index_answers_until_codes_are_others(digits, monkeypatch):
    X = digits[0]
    hasher, made = az.SemanticHasher(16, random_state=0).fit(X[:100]), []
    own = az.SemanticHasher.index
    monkeypatch.setattr(az.SemanticHasher, "index", lambda self: made.append(1) or own(self))
    first, again = hasher.kneighbors(X[:5], 3)[1], hasher.kneighbors(X[:5], 3)[1]
    assert (len(made), first.tolist()) == (1, again.tolist())
    hasher.index().add(hasher.codes_)  # another one, which may grow
    assert hasher.kneighbors(X[:5], 100)[1].max() == 99
    assert (pickle.loads(pickle.dumps(hasher)).kneighbors(X[:5], 3)[1] == first).all()
    assert hasher.fit(X[100:250]).kneighbors(X[100:101], 150)[1].max() == 149, "other codes, another index"


def test_labels_are_followed_where_asked(digits):
    X, y = digits
    odd = y % 2  # nothing that pictures alone would be put together by
    plain = az.SemanticHasher(16, random_state=0).fit(X[:400], odd[:400])
    told = az.SemanticHasher(16, supervision="labels", random_state=0).fit(X[:400], odd[:400])
    assert (plain.codes_ == az.SemanticHasher(16, random_state=0).fit(X[:400]).codes_).all(), "y is ignored"
    rest = X[600:900], odd[:400], odd[600:900]
    assert precision(told, *rest) > precision(plain, *rest) + 0.02


def test_texts(tmp_path):
    hasher = az.SemanticHasher(16, random_state=0).fit(TEXTS)
    cats, cars = hasher.transform(["a cat with a mouse", "brake and engine of the car"])
    near = hasher.index().query(np.stack([cats, cars]), 15)[1] % 2
    assert near.tolist() == [[0] * 15, [1] * 15]
    assert set(hasher.inverse_transform(cats[None])[0].split()) & set(ABOUT[0])
    hasher.save(tmp_path / "t.azogue")
    assert (az.load(tmp_path / "t.azogue").transform(TEXTS) == hasher.codes_).all()
    groups = hasher.buckets(2, texts=TEXTS).groups
    assert all(len({word in ABOUT[0] for word in group.terms}) == 1 for group in groups if group.size > 3)


def test_texts_that_say_nothing_are_told():
    hasher = az.SemanticHasher(8, random_state=0).fit(TEXTS)
    with pytest.warns(UserWarning, match="3 of 4 texts have no known word"):
        codes = hasher.transform(["", None, "xylophone", "cat"])
    assert codes[0] == codes[1] == codes[2]


def test_mixed_tables_with_missing_cells():
    frame = load_wine(as_frame=True).data
    frame["kind"] = np.where(frame.alcohol > 13, "strong", "light")
    frame.iloc[::5, 2] = np.nan
    hasher = az.SemanticHasher(16, random_state=0).fit(frame)
    assert hasher.transform(frame[:3]).shape == (3, 2)
    assert list(hasher.inverse_transform(hasher.codes_[:2]).columns) == list(frame.columns)
    assert hasher.set_output(transform="pandas").transform(frame[:3]).columns[0] == "semantichasher0"


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((2, 1)),
        np.tile([[1.0, 2.0]], (30, 1)),
        [["a", "b"], ["a", "c"]] * 4,
        ["cat", "cat dog"],
        ["cat"],
        ["cat", None, "", "dog cat"],
    ],
    ids=["two rows", "duplicates", "categories", "two texts", "one text", "empty texts"],
)
@pytest.mark.filterwarnings("ignore:.*no known word")
def test_little_data(X):
    X = pd.DataFrame(X, columns=["p", "q"]) if isinstance(X[0], list) else X
    codes = az.SemanticHasher(8, random_state=0).fit_transform(X)
    assert codes.shape == (len(X), 1)


def test_own_autoencoders():
    X = load_wine().data
    ae = az.Autoencoder(8, epochs=5, random_state=0)
    trained = az.SemanticHasher(8, autoencoder=ae, random_state=0).fit(X).autoencoder_
    assert isinstance(trained.code_, az.codes.Binary)
    assert isinstance(trained.recipe_.corruption, Neighbor)
    assert ae.code is None, "the user's own is left alone"
    frozen = az.SemanticHasher(8, autoencoder=FrozenEstimator(ae.fit(X))).fit(X)
    halves = frozen.encode(X).mean(0)
    assert np.abs(halves - 0.5).max() < 0.02, "units are cut at their medians"
    with pytest.raises(TypeError, match="no code of bits"):
        frozen.inverse_transform(frozen.codes_)


REFUSED = [
    ({"n_bits": 12}, None, "n_bits: expected a multiple of 8"),
    ({"n_bits": 1024}, None, "from 8 to 512, got 1024"),
    ({"n_neighbors": 0}, None, "n_neighbors: expected"),
    ({"supervision": "all"}, None, "expected one of 'none', 'labels'"),
    ({"supervision": "labels"}, None, "needs a label for each row"),
    ({"supervision": "labels"}, [1, 2], "a label for each of 178 rows"),
    ({"n_bits": 16, "autoencoder": az.Autoencoder(8, epochs=1)}, None, "code has 8 units, but n_bits is 16"),
]


@pytest.mark.parametrize(("parameters", "y", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_parameters_that_make_no_sense(parameters, y, message):
    with pytest.raises(ValueError, match=message):
        az.SemanticHasher(**parameters).fit(load_wine().data, y)


def test_the_report_shows_groups(hasher, digits):
    made = az.report.report(hasher, digits[0][:400])
    (section,) = [section for section in made.sections if section["title"] == "Codes"]
    assert section["facts"]["rows"] == 400
    assert sum(row[1] for row in section["table"]["rows"]) + section["facts"]["rows beyond these groups"] == 400
    texts = az.SemanticHasher(16, random_state=0).fit(TEXTS)
    (section,) = [part for part in az.report.report(texts, TEXTS).sections if part["title"] == "Codes"]
    assert section["table"]["columns"][-1] == "terms"
    assert any(set(row[-1].split()) & set(ABOUT[0]) for row in section["table"]["rows"])
