"""The index of binary codes: both engines give the answers of comparing with every code, and files bring it back."""

import numpy as np
import pytest

import azogue as az
from azogue.hamming import distances, engines, pack, tables, unpack
from azogue.hamming.buckets import evenness, gray_order
from azogue.hamming.scan import kth
from azogue.hamming.tables import flips


def clustered(bits, rows, seed=0):
    """Codes of which many lie near one another, and some are equal."""
    rng = np.random.default_rng(seed)
    draw = lambda: rng.integers(0, 256, (rows, bits // 8), dtype=np.uint8)
    centres = rng.integers(0, 256, (20, bits // 8), dtype=np.uint8)
    return centres[rng.integers(0, 20, rows)] ^ (draw() & draw() & draw() & draw())


@pytest.fixture
def soon(monkeypatch):
    """Tables from 1,000 codes on, and blocks of 200."""
    monkeypatch.setattr("azogue.hamming.scan.BLOCK", 200)
    monkeypatch.setattr(tables, "LEAST_ROWS", 1000)
    monkeypatch.setattr(engines, "LEAST_ROWS", 1000)


def brute(codes, queries):
    far = np.array([[bin(int.from_bytes((a ^ b).tobytes())).count("1") for b in codes] for a in queries])
    return far, [np.lexsort((np.arange(len(codes)), row)) for row in far]


@pytest.mark.parametrize("engine", ["core", "faiss"])
@pytest.mark.parametrize("bits", [8, 24, 64, 128, 256])
def test_answers_are_those_of_brute_force(soon, engine, bits):
    if engine == "faiss":
        pytest.importorskip("faiss")
    codes = clustered(bits, 2500)
    queries = codes[:12] ^ np.uint8(5)
    far, orders = brute(codes, queries)
    index = az.HammingIndex(engine=engine)
    for part in (codes[:1500], codes[1500:1700], codes[1700:]):  # searched in between: what is added later counts
        index.add(part)
        index.query(queries, 3)
    for k in (1, 10, 300, 2500):
        distance, position = index.query(queries, k)
        assert [row.tolist() for row in position] == [order[:k].tolist() for order in orders]
        assert (distance == np.take_along_axis(far, position, 1)).all()
    for radius in (0, 1, 5, 17, bits):
        for number, (distance, position) in enumerate(index.radius(queries, radius)):
            expected = [at for at in orders[number] if far[number, at] <= radius]
            assert position.tolist() == expected
            assert distance.tolist() == far[number, expected].tolist()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("guess", [0, 20, 64, 255])
def test_the_kth_distance_is_counted_from_any_guess(dtype, guess):
    far = np.random.default_rng(0).integers(3, 60, 500).astype(dtype)
    assert [kth(far, k, guess) for k in (1, 2, 250, 499, 500)] == np.sort(far)[[0, 1, 249, 498, 499]].tolist()
    assert kth(np.full(5, 7, dtype), 3, guess) == 7


def test_tables_are_used_and_fall_back(soon, monkeypatch):
    codes = clustered(64, 3000)
    calls = []
    scan = tables.scan
    monkeypatch.setattr(tables, "scan", lambda *args: calls.append(1) or scan(*args))
    index = az.HammingIndex().add(codes)
    index.query(codes[:5], 1)
    assert not calls, "a code itself is found by its parts"
    index.query(codes[:5], 2000)
    assert len(calls) == 5, "most codes are compared one by one"


def test_patterns_of_flipped_bits():
    assert sorted(flips(4, 2).tolist()) == [3, 5, 6, 9, 10, 12]
    assert flips(8, 9).tolist() == []
    assert [len(flips(16, count)) for count in range(4)] == [1, 16, 120, 560]


def test_packing():
    bits = np.random.default_rng(0).integers(0, 2, (5, 24))
    assert (unpack(pack(bits)) == bits).all()
    assert distances(pack(bits), pack(bits)).tolist() == (bits[:, None] != bits).sum(2).tolist()
    assert pack(np.array([[0.2, 0.7] * 4])).tolist() == [[0b01010101]]


REFUSED = [
    (lambda: az.HammingIndex(12), "multiple of 8 from 8 to 512, got 12"),
    (lambda: az.HammingIndex(520), "from 8 to 512"),
    (lambda: az.HammingIndex(engine="annoy"), "engine must be one of 'core', 'faiss'"),
    (lambda: az.HammingIndex(16).add(np.zeros((2, 1), np.uint8)), "codes of 8 bits, but the index has 16"),
    (lambda: az.HammingIndex().add(np.zeros(4, np.uint8)), "one code is codes"),
    (lambda: az.HammingIndex().query(np.zeros((1, 1), np.uint8)), "the index is empty"),
    (lambda: az.HammingIndex().buckets(), "the index is empty"),
    (lambda: some().query(some().codes, 4), "k=4 neighbours were asked for, but the index has 3 codes"),
    (lambda: some().query(some().codes, 0), "k must be a whole number"),
    (lambda: some().query(np.zeros((1, 2), np.uint8), 1), "codes of 16 bits, but the index has 8"),
    (lambda: some().radius(some().codes, -1), "at least 0, got -1"),
    (lambda: some().rerank(some().codes, 2, np.eye(3), np.eye(3), candidates=1), "as many candidates"),
    (lambda: some().rerank(some().codes, 2, np.eye(3), np.eye(4)), "a vector for each of 3 queries and 3 codes"),
    (lambda: some().buckets(labels=["a"]), "labels for 3 rows, got 1"),
    (lambda: pack(np.zeros((2, 7))), "multiple of 8"),
]


@pytest.mark.parametrize("engine", ["core", "faiss"])
def test_of_many_equals_the_first_ones_are_told(engine):
    """More codes lie at the k-th distance than faiss is asked for at first."""
    if engine == "faiss":
        pytest.importorskip("faiss")
    codes = np.full((600, 2), 3, np.uint8)
    codes[450] = 1
    distance, position = az.HammingIndex(engine=engine).add(codes).query(np.array([[1, 1]], np.uint8), 4)
    assert (distance.tolist(), position.tolist()) == ([[0, 2, 2, 2]], [[450, 0, 1, 2]])


def test_faiss_may_tell_of_equals_whichever_it_likes():
    """Nothing promises that it tells the first ones: those that it left out are asked for."""
    pytest.importorskip("faiss")
    codes = np.full((600, 2), 3, np.uint8)
    queries = np.array([[1, 1]], np.uint8)
    index = az.HammingIndex(engine="faiss").add(codes)
    assert index.query(queries, 2)[1].tolist() == [[0, 1]]
    whole = index._engine._flat

    class Last:
        range_search = whole.range_search

        def search(self, asked, count):
            return np.full((len(asked), count), 2, np.int32), np.arange(600 - count, 600)[None].repeat(len(asked), 0)

    index._engine._flat = Last()
    assert index.query(queries, 4)[1].tolist() == [[0, 1, 2, 3]]


def some():
    return az.HammingIndex().add(np.array([[0], [1], [7]], np.uint8))


@pytest.mark.parametrize(("act", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refusals_say_what_is_wrong(act, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        act()


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="packed codes of dtype uint8, got float64"):
        az.HammingIndex().add(np.zeros((2, 8)))


def test_faiss_that_is_absent_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(ImportError, match=r"pip install \"azogue\[faiss\]\""):
        az.HammingIndex(engine="faiss")


def test_no_queries_and_no_rows():
    index = some()
    distance, position = index.query(np.empty((0, 1), np.uint8), 2)
    assert distance.shape == position.shape == (0, 2)
    assert index.radius(np.empty((0, 1), np.uint8), 2) == []
    assert len(az.HammingIndex(16).add(np.empty((0, 2), np.uint8))) == 0


def test_two_stages():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(400, 6)).astype(np.float32)
    index = az.HammingIndex().add(pack(vectors @ rng.normal(size=(6, 64)) > 0))
    queries = vectors[:9] + 0.01
    exact = np.linalg.norm(vectors[None] - queries[:, None], axis=2)
    distance, position = index.rerank(index.codes[:9], 5, queries, vectors, candidates=400)
    assert (position == np.argsort(exact, axis=1, kind="stable")[:, :5]).all()
    assert np.allclose(distance, np.take_along_axis(exact, position, 1), atol=1e-5)
    from scipy.sparse import csr_array

    again = index.rerank(index.codes[:9], 5, csr_array(queries), csr_array(vectors), candidates=400)
    assert (again[1] == position).all()
    assert np.allclose(again[0], distance, atol=1e-3)
    _, few = index.rerank(index.codes[:9], 5, queries, vectors, candidates=5)
    assert (np.sort(few) == np.sort(index.query(index.codes[:9], 5)[1])).all(), "the code chooses the candidates"


@pytest.mark.parametrize("mmap", [False, True])
def test_files(tmp_path, mmap):
    codes = clustered(64, 300)
    path = tmp_path / "codes.azogue"
    az.HammingIndex().add(codes).save(path)
    index = az.HammingIndex.load(path, mmap=mmap)
    assert (index.codes == codes).all()
    assert index.n_bits == 64
    index.add(codes[:2]).save(path)  # over the file that it is mapped from
    again = az.HammingIndex.load(path)
    assert (again.codes == np.concatenate([codes, codes[:2]])).all()
    assert (again.query(codes[:3], 4)[1] == index.query(codes[:3], 4)[1]).all()
    az.HammingIndex(16).save(path)
    assert len(az.HammingIndex.load(path, mmap=mmap)) == 0


def test_damaged_and_foreign_files(tmp_path):
    path = tmp_path / "codes.azogue"
    az.HammingIndex().add(clustered(64, 300)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(az.ModelFileError, match="SHA-256"):
        az.HammingIndex.load(path)
    path.write_bytes(whole[:-8])
    for mmap in (False, True):
        with pytest.raises(az.ModelFileError, match="bytes instead of"):
            az.HammingIndex.load(path, mmap=mmap)
    az.Autoencoder(1, epochs=1, random_state=0).fit([[0.0, 1.0], [1.0, 0.0]]).save(path)
    for mmap in (False, True):
        with pytest.raises(az.ModelFileError, match="it holds a model, not a index"):
            az.HammingIndex.load(path, mmap=mmap)


def test_groups():
    codes = np.array([[0, 0]] * 3 + [[0, 1]] + [[255, 255]] * 2 + [[255, 0]], np.uint8)
    labels = ["a", "a", "b", "a", "c", "c", "d"]
    texts = ["cat", "cat dog", "cat", "cat", "car", "fast car", "moon"]
    found = az.HammingIndex().add(codes).buckets(radius=1, labels=labels, texts=texts, members=2, terms=1)
    assert [(g.code, g.size, g.label, g.purity, g.terms) for g in found.groups] == [
        ("0000", 4, "a", 0.75, ("cat",)),
        ("ff00", 1, "d", 1.0, ("moon",)),
        ("ffff", 2, "c", 1.0, ("car",)),
    ]
    assert found.groups[0].members == (0, 1)
    assert (found.rows, found.others, found.distinct) == (7, 0, 4)
    assert found.collision == pytest.approx((3 * 2 + 2 * 1) / (7 * 6))
    assert found.purity == pytest.approx(6 / 7)
    assert "7 rows, 4 codes, 3 groups" in str(found)
    assert az.HammingIndex().add(codes).buckets(most=1).others == 4


def test_groups_of_texts_without_words():
    found = some().buckets(texts=["", None, "!"])
    assert [group.terms for group in found.groups] == [(), (), ()]


def test_gray_order_moves_one_bit_at_a_time():
    codes = np.arange(256, dtype=np.uint8)[:, None]
    ordered = codes[gray_order(codes)]
    assert np.bitwise_count(ordered[1:] ^ ordered[:-1]).tolist() == [[1]] * 255


def test_evenness():
    codes = pack(np.array([[1, 0, 1, 0, 0, 0, 0, 1]] * 2 + [[0, 1, 1, 0, 0, 0, 0, 1]] * 2))
    balance, correlation, idle = evenness(codes)
    assert (balance, correlation, idle) == pytest.approx((6 / 8, 1.0, 6))
