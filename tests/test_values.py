"""Parameters ↔ JSON: the round trip for every spec and nested value, and refusals that say what is wrong."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import azogue.codes
import azogue.corruptions
import azogue.heads
import azogue.layers
import azogue.objectives
import azogue.optimizers
from azogue import files
from azogue.files import ModelFileError
from azogue.layers import Dense, Input, Output, Stack
from azogue.objectives import HeadLoss, Sparsity
from azogue.recipe import Spec
from azogue.values import from_json, to_json

#: values for the fields that have no default, by the name of the field
REQUIRED = {
    "noise": azogue.corruptions.Gaussian(0.3),
    "digest": "f" * 32,
    "lengths": (3, 2),
    "units": 3,
    "filters": 4,
    "steps": 5,
    "symbols": 4,
    "shape": (4, 4, 2),
    "layers": (Dense(2), Output()),
    "path": "run",
    "encoder": (Dense(4, "relu"), Dense(2)),
    "decoder": (Dense(4, "relu"),),
    "output": Output(),
    "terms": ((0.5, HeadLoss()), (0.1, Sparsity())),
    "start": 0,
    "stop": 2,
    "columns": (0, 1),
    "weights": (1.0, 0.5),
    "corruption": None,
    "objective": HeadLoss() + 0.1 * Sparsity(),
    "optimizer": azogue.optimizers.Adam(clip=1.0),
    "epsilon": 2.0,
    "schedule": azogue.optimizers.Cosine(0.01),
}
PACKAGE = sorted(name for name, spec in Spec.registry.items() if spec.__module__.startswith("azogue."))


def through_text(value):
    return from_json(json.loads(json.dumps(to_json(value), allow_nan=False)))


def built(kind):
    needed = [item.name for item in fields(kind) if item.init and item.default is item.default_factory is MISSING]
    assert set(needed) <= set(REQUIRED), f"give {kind.__name__}'s fields {needed} a value in REQUIRED"
    return kind(**{name: REQUIRED[name] for name in needed})


specs = st.sampled_from([built(Spec.registry[name]) for name in PACKAGE])
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | specs
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(
            st.text() | st.sampled_from(["$", "$$", "$spec", "$tuple", "$float", "$$x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def same(a, b):
    """Equal, and of equal types all the way down (1 == 1.0 == True in Python)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return a == b


@given(values)
def test_nested_values_come_back(value):
    assert same(through_text(value), value)


@pytest.mark.parametrize("name", PACKAGE)
def test_every_spec_comes_back(name):
    spec = built(Spec.registry[name])
    back = through_text(spec)
    assert back == spec
    assert type(back) is type(spec)


def test_one_spelling():
    assert to_json(Dense(8, "relu")) == {
        "$spec": "layers.Dense",
        "units": 8,
        "activation": "relu",
        "normalization": None,
    }
    assert to_json({"$a": (1, -math.inf)}) == {"$$a": {"$tuple": [1, {"$float": "-inf"}]}}


def test_names_in_files_are_of_packages():
    """A spec may move within its package, and files that name it still load."""
    named = {
        "corruptions.Gaussian", "corruptions.Zeros", "corruptions.BlindSpot", "corruptions.Clipped",
        "corruptions.Mixture", "corruptions.Recording", "objectives.MMD", "codes.Binary", "layers.Conv",
    }  # fmt: skip
    assert named <= set(PACKAGE)


def test_no_two_specs_of_the_package_share_a_name():
    def below(kind):
        return [kind, *(spec for child in kind.__subclasses__() for spec in below(child))]

    defined = (spec for spec in below(Spec) if spec.__module__ in sys.modules and spec is not Spec)
    own = {spec for spec in defined if spec.__module__.startswith("azogue.")}
    assert len(own) >= len(PACKAGE)
    for spec in own:
        assert Spec.registry[spec.spec_name()] is spec, f"another spec took the name {spec.spec_name()!r}"


def test_nan_and_signed_zero_come_back():
    assert math.isnan(through_text([math.nan])[0])
    assert math.copysign(1, through_text(-0.0)) == -1


@pytest.mark.parametrize(
    ("scalar", "plain"),
    [(np.float32(0.5), 0.5), (np.int8(3), 3), (np.uint64(7), 7), (np.bool_(True), True), (np.str_("a"), "a")],
)
def test_numpy_scalars_become_plain(scalar, plain):
    assert same(to_json([scalar]), [plain])


def test_non_finite_numpy_scalars_and_paths():
    assert through_text(np.float32("-inf")) == -math.inf
    assert to_json(Path("a") / "b") == str(Path("a/b"))


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"callbacks": [print]}, r"callbacks\[0\]: builtins.builtin_function_or_method"),
        ({"a": {"b": (1, {2, 3})}}, r"a\.b\[1\]: builtins.set"),
        (Stack((Dense(2), b"bytes")), r"layers\[1\]: builtins.bytes"),
        (np.arange(3), "the value: numpy.ndarray"),
        (np.datetime64("2021-01-01"), "the value: numpy.datetime64"),
        ([1j], r"\[0\]: builtins.complex"),
        ({"x": {1: 2}}, "x: a dict whose keys are not all text"),
    ],
)
def test_anything_else_is_refused_by_its_place(value, place):
    with pytest.raises(TypeError, match=place):
        to_json(value)


def test_a_value_that_contains_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(TypeError, match="contains itself"):
        to_json(value)


def test_deep_data_are_refused():
    data = []
    for _ in range(100_000):
        data = [data]
    with pytest.raises(ModelFileError, match="nested too deeply"):
        from_json(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"$spec": "mymodule:MyTerm"}, "'mymodule:MyTerm' is not defined in this program; import the module"),
        ({"$spec": "os.system", "command": "ls"}, "not defined"),
        ({"$spec": "layers.Dense", "units": 8, "colour": 1}, "'layers.Dense' has no field 'colour'"),
        ({"$spec": "layers.Dense", "activation": "relu"}, "'layers.Dense' was stored without its field 'units'"),
        ({"$spec": "layers.Dense", "units": 0}, "refuses its stored fields: Dense: units must be"),
        ({"$spec": "layers.Dropout", "rate": "x"}, "refuses its stored fields"),
        ({"$spec": "layers.Dense", "units": 8, "activation": []}, "refuses its stored fields"),
        ({"$spec": "layers.Dense", "units": {"$spec": "Nobody"}}, "'Nobody' is not defined"),
        ({"$spec": 3}, "no value that Azogue stores"),
        ({"$tuple": 3}, "no value"),
        ({"$tuple": [], "more": 1}, "no value"),
        ({"$float": "1.5"}, "no value"),
        ({"$float": 1.5}, "no value"),
        ({"$float": ["inf"]}, "no value"),
        ({"$import": "os"}, "no value"),
        ({"$": 1}, "no value"),
        ([{"a": {"$what": 1}}], "no value"),
        ({"a": object()}, "no value"),
    ],
)
def test_foreign_data_are_refused(data, message):
    with pytest.raises(ModelFileError, match=message):
        from_json(data)


@pytest.fixture
def registry(monkeypatch):
    """Specs that a test defines are forgotten afterwards."""
    monkeypatch.setattr(Spec, "registry", dict(Spec.registry))
    return Spec.registry


def test_keyword_only_and_derived_fields(registry):
    @dataclass(frozen=True, repr=False)
    class Derived(Spec):
        first: int
        _: KW_ONLY
        second: tuple = (1,)
        total: int = field(init=False, default=0)

        def __post_init__(self):
            object.__setattr__(self, "total", self.first + sum(self.second))

    spec = Derived(1, second=(2, 3))
    assert to_json(spec).keys() == {"$spec", "first", "second"}
    assert through_text(spec) == spec
    assert through_text(spec).total == 6


def test_a_field_added_later_takes_its_default(registry):
    stored = to_json(Dense(8))
    del stored["normalization"]
    assert from_json(stored) == Dense(8)


def test_two_specs_of_one_name_are_told_apart(registry):
    class Impostor(azogue.layers.Layer):
        __module__ = "azogue.layers.more"
        __qualname__ = "Input"

    assert Spec.registry["layers.Input"] is not Input, "the impostor has taken the name"
    with pytest.raises(TypeError, match=r"'layers.Input' names both azogue.layers.more.Input and azogue.layers.base."):
        to_json({"network": Input()})


def test_a_spec_defined_again_in_a_notebook_is_still_stored(registry):
    def define():
        class Again(azogue.objectives.Term):
            pass

        return Again()

    older, newer = define(), define()
    assert through_text(older) == newer


def test_parameters_survive_a_model_file(tmp_path):
    given = {"network": Input() + Dense(8, "relu") + Output(), "reach": (-math.inf, math.inf), "$odd": ["ñ", "\ud800"]}
    files.write(tmp_path / "m.azogue", "model", {"parameters": to_json(given)}, {})
    assert from_json(files.read(tmp_path / "m.azogue", "model")[0]["parameters"]) == given
