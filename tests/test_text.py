"""Texts: bags of words as scikit-learn counts them, rows of characters that come back as they were."""

import json
import pickle
import subprocess
import sys
import tracemalloc
import warnings
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from azogue.heads import Bernoulli, Categorical, Gaussian, Poisson
from azogue.modalities.base import Demand
from azogue.modalities.characters import CharacterSchema
from azogue.modalities.text import Text, TextRows, schema_from_dict
from azogue.modalities.words import WordSchema
from azogue.recipe import Batch
from azogue.values import from_json, to_json

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
torch = pytest.importorskip("torch")

TEXTS = [
    "The cat sat on the mat, and the CAT slept.",
    "A dog; a cat. Über-dogs don't sit!",
    "",
    "Nobody knows 42 things: x y z",
    "the dog_house and the mat are red red red red",
] * 2
CHARACTERS = Text("character")
KINDS = [Text(), Text(weighting="binary"), Text(weighting="tfidf"), CHARACTERS, Text("character", length=9)]
HOLES = [TEXTS[0], None, "", *TEXTS[1:4], float("nan"), "mat"]


@pytest.fixture(params=KINDS, ids=repr)
def text(request):
    return request.param


@contextmanager
def quietly():
    """Where texts are cut on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def stored(schema):
    """The schema after a journey through JSON."""
    again = schema_from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    assert again.to_dict() == schema.to_dict()
    assert list(schema.to_dict())[:2] == ["modality", "unit"]
    return again


def through(X, text=CHARACTERS):
    schema = text.fit(X)
    return stored(schema).unpack(schema.pack(X))


def whole(batch):
    """x and the mask spelled out."""
    mask = torch.ones_like(batch.x, dtype=torch.bool) if batch.mask is None else batch.mask
    assert (batch.x.dtype, mask.dtype, mask.shape) == (torch.float32, torch.bool, batch.x.shape)
    return batch.x, mask


def assert_same(a, b):
    for left, right in zip(whole(a), whole(b), strict=True):
        assert torch.equal(left, right)


# -- words -------------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_scikit_learn():
    schema = stored(Text().fit(TEXTS))
    reference = CountVectorizer().fit(TEXTS)
    assert schema.words == tuple(reference.get_feature_names_out())
    batch = schema.pack(TEXTS)
    np.testing.assert_array_equal(batch.x.numpy(), reference.transform(TEXTS).toarray())
    assert batch.mask is None
    assert (schema.shape, schema.width, schema.n_columns) == ((len(schema.words),),) + (len(schema.words),) * 2
    binary = Text(weighting="binary").fit(TEXTS)
    np.testing.assert_array_equal(binary.pack(TEXTS).x, batch.x > 0)


@pytest.mark.parametrize("stop", [None, "english", ("cat", "the")])
def test_tfidf_is_that_of_scikit_learn(stop):
    schema = stored(Text(weighting="tfidf", stop_words=stop, min_count=2).fit(TEXTS))
    listed = list(stop) if isinstance(stop, tuple) else stop
    reference = TfidfVectorizer(sublinear_tf=True, stop_words=listed, min_df=2).fit(TEXTS)
    assert schema.words == tuple(reference.get_feature_names_out())
    new = [*TEXTS, "cat cat cat mat", "words that nobody knew"]
    np.testing.assert_allclose(schema.pack(new).x, reference.transform(new).toarray(), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(schema.idf, reference.idf_, rtol=1e-15)


def test_missing_texts_do_not_count_for_tfidf():
    with_holes = Text(weighting="tfidf").fit([None, *TEXTS, float("nan")])
    assert with_holes == Text(weighting="tfidf").fit(TEXTS)


def test_the_vocabulary_is_the_most_frequent_words():
    texts = ["bb bb bb dd", "cc aa cc aa", "ee dd"]  # bb 3, aa cc dd 2, ee 1
    assert Text(max_features=1).fit(texts).words == ("bb",)
    assert Text(max_features=3).fit(texts).words == ("aa", "bb", "cc"), "ties by the alphabet, then in its order"
    assert Text(min_count=2).fit(texts).words == ("dd",), "texts that have a word, not its occurrences"
    assert Text(stop_words=("BB", "aa", "nowhere")).fit(texts).words == ("cc", "dd", "ee")
    assert "the" not in Text(stop_words="english").fit(["the wine"]).words


@pytest.mark.parametrize(
    ("weighting", "asked", "head"),
    [
        ("count", None, Poisson),
        ("count", "poisson", Poisson),
        ("count", "gaussian", Gaussian),
        ("binary", None, Bernoulli),
        ("binary", "bernoulli", Bernoulli),
        ("binary", "poisson", Poisson),
        ("tfidf", None, Gaussian),
        ("tfidf", "gaussian", Gaussian),
    ],
)
def test_heads_of_words(weighting, asked, head):
    schema = stored(Text(weighting=weighting).fit(["aa bb", "aa aa cc"], Demand(asked, "softplus", (0.0, np.inf))))
    assert schema.heads == (head(0, 3, (0, 1, 2), (1.0, 1.0, 1.0), "softplus"),)
    (row,) = schema.describe()
    assert row == {"name": "text", "kind": "words", "scaling": weighting, "head": head.kind, "slots": 3}
    assert schema.pack(["aa aa"]).x[0, 0] == {"count": 2.0, "binary": 1.0, "tfidf": 1.0}[weighting]


@pytest.mark.parametrize(
    ("text", "demand", "match"),
    [
        (Text(), Demand("bernoulli"), r"weighting='count' does not go .*'bernoulli'; use Text\(weighting='binary'\)"),
        (Text(weighting="tfidf"), Demand("bernoulli"), r"use Text\(weighting='binary'\)"),
        (Text(weighting="tfidf"), Demand("poisson"), r"use Text\(weighting='count' or 'binary'\)"),
        (Text(weighting="binary"), Demand("gaussian"), r"use Text\(weighting='count' or 'tfidf'\)"),
        (Text(), Demand("beta"), "take another objective"),
        (Text(), Demand(None, "sigmoid", (0.0, 1.0)), r"from 0 to inf, but .*'sigmoid' reaches \(0.0, 1.0\)"),
        (CHARACTERS, Demand("bernoulli"), r"leave objective=None, or use Text\('word', weighting='binary'\)"),
        (CHARACTERS, Demand("poisson"), "weighting='count'"),
        (CHARACTERS, Demand(None, "sigmoid", (0.0, 1.0)), "softmax, not by the output activation 'sigmoid'"),
    ],
)
def test_contradictions_to_the_model(text, demand, match):
    with pytest.raises(ValueError, match=match):
        text.fit(TEXTS, demand)


def test_a_sigmoid_reaches_binary_words_and_tfidf():
    for weighting in ("binary", "tfidf"):
        schema = stored(Text(weighting=weighting).fit(TEXTS, Demand(None, "sigmoid", (0.0, 1.0))))
        assert schema.heads[0].link_name == "sigmoid"


def test_words_come_back_by_falling_value():
    schema = Text().fit(["aa bb cc dd"])
    assert schema.unpack(torch.tensor([[0.5, 2.0, 0.49, 2.0], [0.0, 0.0, 0.0, np.nan]])) == ["bb dd aa", ""]
    assert schema.unpack(schema.pack(["DD, bb bb. unknown", "aa"])) == ["bb dd", "aa"]
    many = " ".join(f"w{at:02}" for at in range(30))
    ties = np.tile([1.0, 2.0, 3.0], 10)[None]
    said = " ".join(f"w{at:02}" for start in (2, 1, 0) for at in range(start, 30, 3))
    assert Text().fit([many]).unpack(ties) == [said], "equal values in the order of the alphabet"
    tfidf = Text(weighting="tfidf").fit([many])
    assert tfidf.unpack(np.arange(30.0)[None] - 3) == [" ".join(f"w{at:02}" for at in range(29, 9, -1))]
    assert tfidf.unpack(np.arange(30.0)[None] - 27) == ["w29 w28"]


def test_cells_of_words_stay_as_they_are():
    schema = Text().fit(["aa bb cc"])
    cells = np.array([[1.0, np.nan, 3.0]], np.float32)
    np.testing.assert_array_equal(schema.arrange(cells, schema.pack(["aa"]).rows), cells)
    assert schema.arrange(cells, None).dtype == np.float64
    with pytest.raises(ValueError, match=r"shape \(n, 3\), got \(1, 2\)"):
        schema.arrange(cells[:, :2], None)


def test_a_store_of_ten_thousand_texts_is_small():
    rng = np.random.default_rng(0)
    words = np.array([f"word{at:04}" for at in range(5000)])
    texts = [" ".join(row) for row in words[rng.integers(0, 5000, (10_000, 40))]]
    schema = Text().fit([" ".join(words), *texts[:10]])
    assert schema.width == 5000
    schema.pack(texts[:1])  # what is imported and cached
    tracemalloc.start()
    lazy = schema.store(texts)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 5e6
    assert (len(lazy), lazy.width, lazy.take(slice(0, 2)).x.sum().item()) == (10_000, 5000, 80.0)


def test_large_counts_survive_the_store():
    schema = Text().fit(["aa"])
    texts = ["aa " * 255, "aa " * 256, "aa " * 70_000]
    assert schema.pack(texts).x[:, 0].tolist() == [255.0, 256.0, 70_000.0]


# -- characters --------------------------------------------------------------------------------------------------------


def test_layout_of_characters():
    schema = stored(CHARACTERS.fit(["aba", "b", "ca"]))  # a 3, b 2, c 1; then end, other
    assert (schema.alphabet, schema.shape, schema.width, schema.n_columns) == ("abc", (3, 5), 15, 3)
    assert schema.heads == (Categorical(0, 15, (0, 1, 2), (1.0, 1.0, 1.0), "auto"),)
    assert schema.describe() == [
        {"name": "text", "kind": "characters", "scaling": None, "head": "categorical", "slots": 15}
    ]
    batch = schema.pack(["cab", "b", "", None])
    a, b, c, end = torch.eye(5)[:4]
    none = torch.zeros(5)
    rows = [[c, a, b], [b, end, end], [end, end, end], [none, none, none]]
    assert torch.equal(batch.x, torch.stack([torch.cat(row) for row in rows]))
    seen = torch.tensor([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]], dtype=torch.bool)
    assert torch.equal(batch.mask, seen.repeat_interleave(5, 1))
    assert batch.rows.lengths.tolist() == [3, 2, 1, 0]
    assert schema.unpack(batch) == ["cab", "b", "", None]
    assert schema.pack(["cab"]).mask is None


unicode = st.text(max_size=12) | st.sampled_from(
    ["n\u0303", "👩‍👩‍👧", "\0a\0", "é\u200d\ufeff", "\ufffd", "\r\n", "שלום"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(unicode, min_size=1, max_size=8).filter(any), st.permutations(range(8)))
def test_characters_come_back_exactly(texts, order):
    assert through(texts) == texts
    schema = CHARACTERS.fit(texts)
    shuffled = [texts[at] for at in order if at < len(texts)]
    assert schema.unpack(schema.pack(shuffled)) == shuffled


def test_the_alphabet_is_the_most_frequent_characters():
    assert CHARACTERS.fit(["zzz", "ba", "ab", "\U0001f600c"]).alphabet == "zabc\U0001f600"
    many = "".join(map(chr, range(1000, 1300)))
    schema = CHARACTERS.fit([many[::-1], many[-1]])
    assert schema.alphabet == many[-1] + many[:255]
    assert schema.store([many[:255]]).take(slice(None)).x.shape == (1, 300 * 258)
    assert schema.unpack(schema.pack([many[:255]])) == [many[:255]]
    assert Text("character", alphabet="cab").fit(["ac"]).alphabet == "cab"
    assert stored(CHARACTERS.fit(["\ud800\ud800a"])).alphabet == "a", "no file can hold half a character"


def test_no_more_than_512_places_unless_asked_for():
    assert CHARACTERS.fit(["x" * 513]).length == 512
    assert Text("character", length=600).fit(["x" * 700]).length == 600
    assert Text("character", length=7).fit(["x"]).shape == (7, 3)


def told(function):
    """What a call returns and the warnings that it gives."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = function()
    assert all(one.category is UserWarning for one in found)
    return result, [str(one.message) for one in found]


@pytest.mark.parametrize("way", ["pack", "store", "pieces"])
def test_unseen_characters_are_told_once(way):
    schema = CHARACTERS.fit(["abc"] * 4)
    texts = ["aXc", "YXZ", "Wb", "abc", "\ud800"]
    ways = {
        "pack": lambda: [schema.pack(texts)],
        "store": lambda: [schema.store(texts).take(slice(None))],
        "pieces": lambda: list(schema.pieces(texts, 2)),
    }
    batches, messages = told(ways[way])
    assert len(messages) == 1
    assert "'other' and come back as '\ufffd': 'X', 'Y', 'Z', ..." in messages[0]
    assert [text for batch in batches for text in schema.unpack(batch)] == ["a�c", "���", "�b", "abc", "�"]


@pytest.mark.parametrize("way", ["pack", "store", "pieces"])
def test_long_texts_are_cut_and_counted_once(way):
    schema = Text("character", length=3).fit(["abcd", "ab"])
    texts = ["abcd", "abc", "dcbadX", "a", "dddd"]
    ways = {
        "pack": lambda: [schema.pack(texts)],
        "store": lambda: [schema.store(texts).take(slice(None))],
        "pieces": lambda: list(schema.pieces(texts, 2)),
    }
    batches, messages = told(ways[way])
    assert messages == ["3 texts are longer than 3 characters and cut there; fit with a larger length"]
    assert [text for batch in batches for text in schema.unpack(batch)] == ["abc", "abc", "dcb", "a", "ddd"]
    assert told(lambda: schema.pack(["abcdX"]))[1][0].startswith("1 text is longer than 3 characters")


def test_unpack_takes_the_likeliest_symbol_up_to_the_first_end():
    schema = CHARACTERS.fit(["aab"])  # symbols a, b, end, other
    out = torch.tensor([[[0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.4, 0.3], [0.9, 0.0, 0.1, 0.0]]])
    assert schema.unpack(out.reshape(1, -1)) == ["a"]
    assert schema.unpack(out.flip(1).reshape(1, -1).bfloat16()) == ["a"]
    assert schema.unpack(out[:, [0, 2, 0]].reshape(1, -1).numpy()) == ["aaa"]
    assert schema.unpack(out.reshape(1, -1)[:0]) == []
    with pytest.raises(ValueError, match=r"CharacterSchema.unpack: expected the shape \(n, 12\), got \(1, 3, 4\)"):
        schema.unpack(out)


def test_cells_of_characters_follow_the_texts():
    schema = CHARACTERS.fit(["abc"])
    rows = schema.pack(["a", None, "", "abc"]).rows
    cells = np.arange(12, dtype=np.float32).reshape(4, 3)
    told = schema.arrange(cells, rows)
    assert [row.tolist() for row in told] == [[0.0, 1.0], [], [6.0], [9.0, 10.0, 11.0]]
    assert {row.dtype for row in told} == {np.dtype(float)}
    np.testing.assert_array_equal(schema.arrange(cells, None), cells)


# -- both --------------------------------------------------------------------------------------------------------------


def test_pieces_and_taken_rows_equal_the_packed_ones(text):
    with quietly():
        schema = text.fit(HOLES)
        packed = schema.pack(HOLES)
        for size in (1, 3, 100):
            pieces = schema.pieces(HOLES, size)
            parts = list(pieces)
            assert [len(part) for part in parts] == [min(size, 8 - at) for at in range(0, 8, size)]
            x, mask = (torch.cat(list(both)) for both in zip(*map(whole, parts), strict=True))
            assert_same(Batch(x, mask), packed)
            assert (len(pieces), schema.unpack(Batch(x, mask, pieces.rows))) == (8, schema.unpack(packed))
            np.testing.assert_equal(pieces.rows.lengths, packed.rows.lengths)
        lazy = schema.store(HOLES)
    assert (len(lazy), lazy.width, schema.count(HOLES)) == (8, schema.width, 8)
    for index in (
        slice(2, 5),
        slice(None),
        torch.tensor([7, 0, 0, 1, 6]),
        torch.tensor([2, 3]),
        torch.tensor([]).long(),
    ):
        assert_same(lazy.take(index), packed.take(index))
        assert (lazy.take(index).mask is None) == (packed.mask is None)


def test_missing_texts_are_hidden_and_come_back_as_none(text):
    with quietly():
        schema = text.fit(HOLES)
        batch = schema.pack(HOLES)
    gone = [False, True, False, False, False, False, True, False]
    assert (~batch.mask).all(1).tolist() == gone
    assert (batch.x[gone] == 0).all()
    back = schema.unpack(batch)
    assert [text is None for text in back] == gone
    assert back[2] == "", "an empty text is a text"
    assert None not in schema.unpack(batch.x), "a bare tensor has no holes"


@pytest.mark.parametrize(
    "X",
    [
        ["ab", "", None],
        np.array(["ab", "b", ""]),
        np.array(["ab", None, ""], dtype=object),
        np.array(["ab", "b", ""], dtype=np.dtypes.StringDType()),
        *(pd.Series(["ab", None, ""], [7, 5, 7], dtype, "note") for dtype in ("str", "object", "string")),
        *(pd.Series(["ab", None, ""], dtype=dtype) for dtype in ("string[python]", "string[pyarrow]")),
        pd.Series(["ab", None, ""], list("xyz"), pd.ArrowDtype(pa.large_string()), 3),
        pl.Series("note", ["ab", None, ""]),
        pa.chunked_array([["ab", None], [""]]),
        pa.array(["ab", None, ""], pa.large_string()),
        pa.array(["ab", None, ""], pa.string_view()),
    ],
    ids=lambda X: f"{type(X).__module__}-{getattr(X, 'dtype', getattr(X, 'type', ''))}",
)
def test_containers_come_back(X):
    schema = stored(CHARACTERS.fit(X))
    assert schema.count(X) == 3
    back, bare = schema.unpack(schema.pack(X)), schema.unpack(schema.pack(X).x)
    assert type(back) is type(bare) is type(X)
    if isinstance(X, pd.Series):
        pd.testing.assert_series_equal(back, X)
        assert (bare.dtype, bare.index.tolist(), bare.tolist()[::2]) == (X.dtype, [0, 1, 2], ["ab", ""])
    elif isinstance(X, pl.Series):
        assert back.equals(X, check_names=True, check_dtypes=True)
    elif isinstance(X, np.ndarray):
        assert (back.dtype, back.tolist()) == (np.dtype(object), X.tolist())
    else:
        assert back == X if isinstance(X, list) else back.equals(X)
    words = Text().fit(X)
    assert type(words.unpack(words.pack(X))) is type(X)


def test_containers_stand_for_one_another():
    schema = CHARACTERS.fit(pd.Series(["abc"]))
    assert schema.unpack(schema.pack(("ab", "c"))) == ["ab", "c"]
    assert schema.unpack(schema.pack(pl.Series(["a"]))).to_list() == ["a"]
    assert schema.unpack(schema.pack(pd.Series(["a"], dtype="object"))).dtype == object
    assert isinstance(schema.unpack(np.zeros((2, schema.width))), pd.Series)


@pytest.mark.parametrize("dtype", ["category", pd.CategoricalDtype(["b", "ab"])])
def test_categories_are_texts(dtype):
    assert through(pd.Series(["ab", "b", None], dtype=dtype)).tolist()[:2] == ["ab", "b"]
    assert through(pl.Series(["ab", "b"], dtype=pl.Categorical)).to_list() == ["ab", "b"]
    assert through(pa.chunked_array([pa.array(["ab", "b"]).dictionary_encode()])).to_pylist() == ["ab", "b"]


def test_series_without_any_text_can_be_packed():
    schema = CHARACTERS.fit(["ab"])
    for X in (
        pl.Series([None, None]),
        pa.nulls(2),
        pa.chunked_array([pa.nulls(2)]),
        [None, np.nan],
        pd.Series([pd.NA, None]),
    ):
        back = schema.unpack(schema.pack(X))
        assert list(back.to_pylist() if hasattr(back, "to_pylist") else back) == [None, None]


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        (["a", 3], TypeError, "position 1 of X holds int; convert"),
        (["a"] * 5000 + [b"x"], TypeError, r"position 5000 of X holds bytes; decode them"),
        ([["a"]], TypeError, "position 0 of X holds list"),
        ([True], TypeError, "position 0 of X holds bool"),
        ([1.5, "a"], TypeError, "position 0 of X holds float"),
        (np.array([1.0, 2.0]), TypeError, "position 0 of X holds float64"),
        (np.array([b"a"]), TypeError, r"position 0 of X holds \|S1; decode"),
        (np.array(["a", 2], dtype=object), TypeError, "position 1 of X holds int"),
        (np.array([["a"], ["b"]]), ValueError, r"shape \(n,\), got \(2, 1\); take one column"),
        (np.array("a"), ValueError, r"got \(\)"),
        (pd.Series([1, 2]), TypeError, "position 0 of X holds int64"),
        (pd.Series(["a", 2], dtype=object), TypeError, "position 1 of X holds int"),
        (pd.Series([1, 2], dtype="category"), TypeError, "holds int64"),
        (pl.Series([1.5]), TypeError, "holds double"),
        (pl.Series([b"a"]), TypeError, "holds large_binary; decode"),
        (pa.array([1]), TypeError, "holds int64"),
        (pd.DataFrame({"a": ["b"]}), TypeError, "got DataFrame; take one column of it"),
        ({"a"}, TypeError, "got set; make a list of it"),
        ((t for t in "ab"), TypeError, "got generator"),
        (3, TypeError, "got int"),
        (None, TypeError, "got NoneType"),
        ("a text alone", TypeError, "X is one string, 'a text alone'; give a list of texts, or a path"),
        ([], ValueError, "X has no texts"),
        (pl.Series([], dtype=pl.String), ValueError, "X has no texts"),
        ([None, np.nan], ValueError, "every text of X is missing"),
    ],
)
def test_wrong_input(text, X, error, match):
    with pytest.raises(error, match=match):
        text.fit(X)
    if "every text" not in match:
        schema = text.fit(["abc"])
        with pytest.raises(error, match=match):
            schema.pack(X)


def test_nothing_to_learn_from():
    with pytest.raises(
        ValueError, match=r"the 2 texts have no word .* 1 of them have; lower min_count, drop stop words"
    ):
        Text().fit(["a b", ""])
    with pytest.raises(ValueError, match="every text is empty"):
        CHARACTERS.fit(["", ""])
    with pytest.raises(ValueError, match="values that a row may have; use a smaller length"):
        Text("character", length=2**28).fit(["a"])


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"unit": "sentence"}, "unit must be one of 'word', 'character', got 'sentence'"),
        ({"weighting": "bm25"}, "weighting must be one of"),
        ({"max_features": 0}, "max_features must be a whole number of at least 1, got 0"),
        ({"max_features": 2.5}, "max_features"),
        ({"min_count": True}, "min_count"),
        ({"stop_words": "spanish"}, "stop_words must be None, 'english' or a tuple"),
        ({"stop_words": ("a", 1)}, "stop_words"),
        ({"unit": "character", "length": 0}, "length"),
        ({"unit": "character", "alphabet": "aba"}, "alphabet"),
        ({"unit": "character", "alphabet": ""}, "alphabet"),
        ({"unit": "character", "alphabet": "\ud800"}, "alphabet"),
        ({"unit": "character", "weighting": "tfidf"}, "weighting belongs to unit='word', but unit is 'character'"),
        ({"length": 5}, "length belongs to unit='character', but unit is 'word'"),
    ],
)
def test_wrong_parameters(wrong, match):
    with pytest.raises(ValueError, match=match):
        Text(**wrong)


def test_a_text_is_a_value():
    assert Text(stop_words=["a"]) == Text(stop_words=("a",))
    assert repr(Text("character", length=3)) == "Text(unit='character', length=3)"
    assert len({Text(), Text(), Text("character")}) == 2
    for text in (Text(stop_words=("a", "the"), max_features=np.int64(3)), Text("character", alphabet="ab\0")):
        assert from_json(json.loads(json.dumps(to_json(text)))) == text


# -- files -------------------------------------------------------------------------------------------------------------


def test_lines_of_a_file_are_texts(tmp_path, text):
    path = tmp_path / "notes.TXT"
    path.write_bytes(b"\xef\xbb\xbfthe ca\xc3\xb1a\r\n\n\xf0\x9f\x98\x80 the end\r of it")
    lines = ["the caña", "", "😀 the end\r of it"]
    with quietly():
        schema = text.fit(path)
        assert schema == text.fit(lines)
        assert_same(schema.pack(str(path)), schema.pack(lines))
        pieces = schema.pieces(path, 2)
        assert_same(Batch(*(torch.cat(list(p)) for p in zip(*map(whole, pieces), strict=True))), schema.pack(lines))
        assert schema.unpack(schema.pack(path)) == schema.unpack(schema.pack(lines))
        np.testing.assert_equal(pieces.rows.lengths, schema.store(lines).rows.lengths)
    assert schema.count(path) == 3


def test_files_that_cannot_be_read(tmp_path, text):
    schema = text.fit(["abc"])
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"fine\n" * 5000 + b"caf\xe9 bad\n")
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "folder.txt").mkdir()
    for function in (text.fit, schema.pack, schema.store, lambda X: list(schema.pieces(X, 7))):
        with quietly():
            with pytest.raises(ValueError, match=r"bad\.txt: line 5001 is not UTF-8 \(.*0xe9 in position 3.*save"):
                function(bad)
            with pytest.raises(ValueError, match=r"none\.txt: cannot be read: it does not exist"):
                function(tmp_path / "none.txt")
            with pytest.raises(ValueError, match=r"empty\.txt has no texts"):
                function(str(tmp_path / "empty.txt"))
            with pytest.raises(ValueError, match=r"folder\.txt: it is a folder"):
                function(tmp_path / "folder.txt")
            with pytest.raises(ValueError, match=r"notes\.csv is no text file"):
                function(tmp_path / "notes.csv")
    assert schema.count(bad) == 5001, "nothing is decoded to count lines"


def test_a_file_is_read_a_piece_at_a_time(tmp_path):
    path = tmp_path / "long.txt"
    path.write_bytes(b"abc\n" * 10_000 + b"\xff\n")
    schema = Text().fit(["abc"])
    pieces = iter(schema.pieces(path, 10))
    assert schema.unpack(next(pieces)) == ["abc"] * 10, "the bad line is far away"


# -- schemas -----------------------------------------------------------------------------------------------------------


def changed(schema, **changes):
    data = json.loads(json.dumps(schema.to_dict())) | changes
    return {key: value for key, value in data.items() if value is not ...}


WORDS = Text(weighting="tfidf").fit(["aa bb", "bb"])
SYMBOLS = CHARACTERS.fit(["aab"])
HUGE = "".join(map(chr, range(32, 20_000)))


@pytest.mark.parametrize(
    ("schema", "changes"),
    [
        *((schema, changes) for schema in (WORDS, SYMBOLS) for changes in (
            {"more": 1}, {"container": ...}, {"unit": "sentence"}, {"unit": ...}, {"modality": "table"},
            {"container": "duckdb"}, {"container": ["list"]}, {"native": "object"}, {"native": 3},
            {"container": "pandas", "native": "float64"}, {"container": "pyarrow", "native": "array/int64"},
        )),
        *((WORDS, changes) for changes in (
            {"words": []}, {"words": ["bb", "aa"]}, {"words": ["aa", "aa"]}, {"words": ["aa", 3]}, {"words": "ab"},
            {"words": ["aa"]}, {"weighting": "count"}, {"weighting": "bm25"}, {"weighting": {}}, {"head": "poisson"},
            {"head": None}, {"head": []}, {"activation": "nope"}, {"activation": None}, {"idf": None}, {"idf": [1.5]},
            {"idf": [1.5, float("nan")]}, {"idf": [1.5, float("inf")]}, {"idf": [0.5, 1.5]}, {"idf": ["a", "b"]},
        )),
        *((SYMBOLS, changes) for changes in (
            {"length": 0}, {"length": -1}, {"length": 2.0}, {"length": True}, {"length": None}, {"alphabet": "aa"},
            {"alphabet": None}, {"alphabet": ["a", "b"]}, {"alphabet": ""}, {"alphabet": "\ud800"},
            {"length": 2**27}, {"length": 2**14, "alphabet": HUGE},
        )),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_stored_schemas_are_checked(schema, changes):
    data = changed(schema, **changes)
    for read in (schema_from_dict, type(schema).from_dict):
        with pytest.raises(ValueError):
            read(data)


def test_what_is_no_schema_at_all():
    for read in (schema_from_dict, WordSchema.from_dict, CharacterSchema.from_dict):
        for data in ({}, [], None, "word"):
            with pytest.raises(ValueError, match="not the schema of texts"):
                read(data)
    with pytest.raises(ValueError):
        WordSchema.from_dict(SYMBOLS.to_dict())
    count = Text().fit(["aa"]).to_dict()
    with pytest.raises(ValueError, match="sigmoid"):
        schema_from_dict(count | {"activation": "sigmoid"})
    with pytest.raises(ValueError, match="bernoulli"):
        schema_from_dict(count | {"head": "bernoulli"})


def test_schemas_are_values(text):
    with quietly():
        schema = text.fit(TEXTS)
        x = schema.pack(TEXTS).x
        assert stored(schema) == schema == pickle.loads(pickle.dumps(schema))
        assert torch.equal(stored(schema).pack(TEXTS).x, x)
    assert len({schema, stored(schema)}) == 1
    assert schema.names is None
    assert isinstance(schema.pack(["abc"]).rows, TextRows)
    (head,) = schema.heads
    assert (head.start, head.stop, head.columns) == (0, schema.width, tuple(range(schema.n_columns)))
    assert schema.width == np.prod(schema.shape)


def test_neither_pandas_nor_torch_is_needed_to_read_texts():
    program = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
hidden = lambda name, *args: None if name.split(".")[0] in ("pandas", "polars") else find(name, *args)
PathFinder.find_spec = staticmethod(hidden)
import pyarrow as pa
from azogue.modalities.text import Text
import azogue.modalities.words
schema = Text("character").fit(pa.array(["ab", None]))
assert schema.alphabet == "ab" and schema.count(["a"]) == 1
print(*sys.modules)
"""
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "sklearn"} & set(loaded)


@pytest.mark.data
def test_newsgroups(data_folder):
    frame = pd.read_csv(data_folder / "text" / "20newsgroups-test.csv.xz", nrows=300)
    texts = frame["text"]
    schema = Text(weighting="tfidf", max_features=100_000, stop_words="english").fit(texts)
    reference = TfidfVectorizer(sublinear_tf=True, stop_words="english").fit(texts)
    np.testing.assert_allclose(schema.pack(texts).x, reference.transform(texts).toarray(), rtol=1e-5, atol=1e-9)
    short = texts.str[:200]
    pd.testing.assert_series_equal(through(short), short)
