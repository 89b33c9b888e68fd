"""Parameters ↔ JSON. Specs are written as their names and fields, and brought back by calling the class of that name.

    None, True, 3, 0.5, "relu", [1, 2]      as they are
    inf, -inf, nan                          {"$float": "inf"}
    (256, 32)                               {"$tuple": [256, 32]}
    Dense(8, "relu")                        {"$spec": "Dense", "units": 8, "activation": "relu", "normalization": null}
    {"$key": 1}                             {"$$key": 1}

A file can only name specs that the running program has defined: nothing is imported, nothing else is called.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, Field, fields
from pathlib import PurePath
from typing import Any

import numpy as np

from azogue.files import ModelFileError
from azogue.recipe import Spec

_NON_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


def to_json(value: Any) -> Any:
    """Turn a parameter into JSON values, from which `from_json` makes an equal one.

    Parameters
    ----------
    value : None, bool, int, float, str, list, tuple, dict with text for keys, or Spec, nested at will
        Besides, NumPy scalars become Python's, and paths become text.

    Raises
    ------
    TypeError
        For anything else, naming its place, such as `callbacks[0]`.

    Examples
    --------
    >>> to_json((256, float("inf")))
    {'$tuple': [256, {'$float': 'inf'}]}
    """
    try:
        return _encode(value, "")
    except RecursionError as error:
        raise TypeError("the value is nested too deeply, or contains itself, and cannot be stored in a file") from error


def from_json(data: Any) -> Any:
    """Turn what `to_json` made into the value again.

    A field that the data lack takes its default, so that files outlive the addition of a field.

    Raises
    ------
    ModelFileError
        For a spec that this program does not define, fields that do not fit it, or data that `to_json` never makes.

    Examples
    --------
    >>> from_json({"$tuple": [256, {"$float": "inf"}]})
    (256, inf)
    """
    try:
        return _decode(data)
    except RecursionError as error:
        raise ModelFileError("a stored value is nested too deeply; save it again") from error


def _encode(value: Any, path: str) -> Any:
    if isinstance(value, Spec):
        return _encode_spec(value, path)
    if isinstance(value, np.generic):
        value = _python_scalar(value)
    if isinstance(value, PurePath):
        return str(value)
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind in (list, tuple):
        items = [_encode(item, f"{path}[{i}]") for i, item in enumerate(value)]
        return items if kind is list else {"$tuple": items}
    if kind is dict and all(type(key) is str for key in value):
        return {_escape(key): _encode(item, _join(path, key)) for key, item in value.items()}
    what = "a dict whose keys are not all text" if kind is dict else f"{kind.__module__}.{kind.__qualname__}"
    raise TypeError(
        f"{path or 'the value'}: {what} cannot be stored in a file; "
        "use None, numbers, text, lists, tuples, dicts, or values such as Dense(8)"
    )


def _encode_spec(spec: Spec, path: str) -> dict[str, Any]:
    kind = type(spec)
    name = kind.spec_name()
    known = Spec.registry.get(name, kind)
    if (known.__module__, known.__qualname__) != (kind.__module__, kind.__qualname__):
        raise TypeError(
            f"{path or 'the value'}: {name!r} names both {known.__module__}.{known.__qualname__} and "
            f"{kind.__module__}.{kind.__qualname__}, so no file can tell them apart; rename one"
        )
    return {"$spec": name} | {key: _encode(getattr(spec, key), _join(path, key)) for key in _parameters(kind)}


def _parameters(kind: type[Spec]) -> dict[str, Field[Any]]:
    """The fields that the class is called with."""
    return {field.name: field for field in fields(kind) if field.init}


def _python_scalar(value: np.generic) -> Any:
    """A NumPy scalar as Python's number or text; others as they are."""
    kinds: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float, "U": str}
    return kinds[value.dtype.kind](value) if value.dtype.kind in kinds else value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _escape(key: str) -> str:
    return f"${key}" if key.startswith("$") else key


def _is_plain(key: Any) -> bool:
    """Whether a key is the user's: without a dollar sign in front, or with an escaped one."""
    return isinstance(key, str) and (not key.startswith("$") or key.startswith("$$"))


def _decode(data: Any) -> Any:
    if data is None or isinstance(data, (bool, int, float, str)):
        return data
    if isinstance(data, list):
        return [_decode(item) for item in data]
    match data:
        case {"$spec": str(name), **stored}:
            return _decode_spec(name, {str(key): item for key, item in stored.items()})
        case {"$tuple": list(items), **others} if not others:
            return tuple(_decode(item) for item in items)
        case {"$float": str(text), **others} if not others and text in _NON_FINITE:
            return _NON_FINITE[text]
        case dict() if all(_is_plain(key) for key in data):
            return {key.removeprefix("$"): _decode(item) for key, item in data.items()}
    raise ModelFileError(f"{str(data)[:80]} is no value that Azogue stores; save it again")


def _decode_spec(name: str, stored: dict[str, Any]) -> Spec:
    kind = Spec.registry.get(name)
    if kind is None:
        raise ModelFileError(
            f"{name!r} is not defined in this program; import the module that defines it before loading"
        )
    known = _parameters(kind)
    if unknown := stored.keys() - known.keys():
        raise ModelFileError(f"{name!r} has no field {min(unknown)!r}; load it with the version that saved it")
    needed = {key for key, field in known.items() if field.default is MISSING and field.default_factory is MISSING}
    if missing := needed - stored.keys():
        raise ModelFileError(f"{name!r} was stored without its field {min(missing)!r}; save it again")
    given = {key: _decode(item) for key, item in stored.items()}
    try:
        return kind(**given)
    except (ValueError, TypeError, ArithmeticError, LookupError, AttributeError) as error:
        raise ModelFileError(f"{name!r} refuses its stored fields: {error}; save it again") from error
