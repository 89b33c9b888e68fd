"""Comparisons of columns: what they say of values, and what each use asks of them."""

import numpy as np
import pytest

from azogue.comparisons import Comparison


def held(text, exact=False, **values):
    found = Comparison.read(text, ValueError)
    return found.holds({name: np.asarray(own, float) for name, own in values.items()}, 2, exact).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a < b", [False, True]),
        ("a <= b", [True, True]),
        ("a == b", [True, False]),
        ("a != b", [False, True]),
        ("b > a >= 1", [False, True]),
        ("-a / 2 + 1 == b * .5", [True, False]),
        ("a / 0 > 1", [True, True]),  # no number, as a missing cell is none
    ],
)
def test_values(text, expected):
    assert held(text, a=[1, 2], b=[1, 4]) == expected


def test_equal_but_for_rounding():
    both = {"a": [0.1 + 0.2, 0.3], "b": [0.3, 0.3]}
    assert held("a == b", **both) == [True, True]
    assert held("a != b", **both) == [False, False]
    assert held("a != b", exact=True, **both) == [True, False]


def test_dates_count_in_seconds_however_far():
    assert held("a == '1970-01-02'", a=[86400, 0]) == [True, False]
    assert held("'1600-01-01' < a < '3000-01-01'", a=[0, -1.2e10]) == [True, False]


def test_what_is_defined():
    assert Comparison.read("a == b + 1", ValueError).defined == "a"
    for text in ("a + 1 == b", "a <= b", "a == b == 1"):
        assert Comparison.read(text, ValueError).defined is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a <", "cannot be read"),
        ("a + b", "compares nothing"),
        ("1 < 2", "names no column"),
        ("a in b", "compares in a way"),
        ("a ** 2 < b", "neither a column"),
        ("a < True", "neither a column"),
        ("a < 'soon'", "'soon' is no date"),
    ],
)
def test_what_is_wrong(text, why):
    with pytest.raises(ValueError, match=why):
        held(text, a=[1, 2], b=[1, 2])


def test_moments_a_second_apart_are_not_equal():
    found = Comparison.read("start == end", ValueError)
    now = 1.8e9  # seconds since 1970: in 2027
    values = {"start": np.array([now, now, 0.1 + 0.2]), "end": np.array([now, now + 1.0, 0.3])}
    assert found.holds(values, 3).tolist() == [True, False, True]
