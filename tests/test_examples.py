"""Every public name shows by an example what it does; that the examples are true is what pytest runs them for."""

import inspect

import pytest

import azogue as az

MODULES = [name for name in az.__all__ if inspect.ismodule(getattr(az, name))]
NAMES = [name for name in az.__all__ if callable(getattr(az, name))]
NAMES += [f"{module}.{name}" for module in MODULES for name in getattr(getattr(az, module), "__all__", [])]


def test_modules_say_what_they_export():
    assert set(MODULES) >= {"codes", "corruptions", "layers", "modalities", "objectives", "optimizers", "priors"}
    assert [name for name in MODULES if not hasattr(getattr(az, name), "__all__")] == []


@pytest.mark.parametrize("name", NAMES)
def test_public_names_have_examples(name):
    value = az
    for part in name.split("."):
        value = getattr(value, part)
    if inspect.isclass(value) or inspect.isfunction(value):  # else a constant or the alias of a type
        section = (value.__doc__ or "").partition("Examples\n")[2]
        assert ">>> " in section, f"give the docstring of azogue.{name} an Examples section with a doctest"
