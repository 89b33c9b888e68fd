"""Fitted estimators ↔ model files. Nothing is unpickled: a file holds JSON, tensors, and names of known classes."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from azogue import files
from azogue.files import ModelFileError
from azogue.layers import weight_counts
from azogue.modalities import schema_from_dict
from azogue.modalities.base import Schema
from azogue.network import Network
from azogue.session import part_sizes, rebuild
from azogue.values import from_json, to_json

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

KIND = "model"
PARTS = ("all", "encoder", "decoder")


class _Tensors(dict[str, Tensor]):
    """The tensors of a file being written, and which half of a network it is to hold."""

    part = "all"


_LIBRARIES = ("azogue", "torch", "numpy", "scikit-learn")


#: Parameters that name files to write: they take their defaults in a loaded estimator, or whoever made a model could
#: choose what the next `fit` replaces.
PLACES = ("checkpoint", "resume")


class Persistent:
    """An estimator that a model file can hold. Subclasses register themselves under their name."""

    registry: ClassVar[dict[str, type[Persistent]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = cls.__module__.startswith("azogue.")
        Persistent.registry[cls.__name__ if own else f"{cls.__module__}:{cls.__qualname__}"] = cls

    @classmethod
    def file_name(cls) -> str:
        """The class's name in model files."""
        return next(name for name, known in Persistent.registry.items() if known is cls)

    def save(self, path: str | os.PathLike[str], *, part: str = "all") -> None:
        """Write the fitted estimator into one file, atomically. `az.load(path)` brings it back.

        Parameters
        ----------
        path : path-like
        part : {"all", "encoder", "decoder"}
            Which half of the network the file holds. What an encoder's file brings back can encode, what a decoder's
            brings back can decode; anything else is an error that says so.

        Raises
        ------
        ModelFileError
            If the file cannot be written; what stood there before is untouched.
        ValueError
            For half of a network with tied weights, whose halves are the same matrices.
        """
        check_is_fitted(self)
        save(self, path, part=part)

    def report(self, X: Any) -> Any:
        """What the fitted estimator says about data: `azogue.report.report(self, X)`.

        Parameters
        ----------
        X : table, pictures, sequences or texts

        Returns
        -------
        Report
            With `save("report.html")` (or `.json`, `.md`), `html()`, `markdown()` and `to_dict()`; a notebook shows it.

        Examples
        --------
        >>> import azogue as az
        >>> from sklearn.datasets import load_iris
        >>> X = load_iris().data
        >>> az.Autoencoder(2, epochs=2, random_state=0).fit(X).report(X).title
        'Autoencoder on 150 rows'
        """
        import azogue  # the one look upwards: a report knows every use, and this name is only a short way to it

        check_is_fitted(self)
        return azogue.report.report(self, X)


def save(estimator: Any, path: str | os.PathLike[str], *, part: str = "all") -> None:
    """Write a fitted estimator into one file, atomically; see `Persistent.save`.

    Parameters that are code (functions, modules, generators) are not written, and `checkpoint` and `resume` are not
    read: they take their default when the file is loaded, and a network of such modules has to be passed to `load`
    again.

    Raises
    ------
    ModelFileError
        If the file cannot be written; what stood there before is untouched.
    """
    if part not in PARTS:
        raise ValueError(f"save: part must be one of {', '.join(PARTS)}, got {part!r}")
    tensors = _Tensors()
    tensors.part = part
    manifest = {
        "estimator": _encode(estimator, "estimator", tensors),
        "libraries": {name: version(name) for name in _LIBRARIES} | {"python": platform.python_version()},
    }
    files.write(path, KIND, manifest, tensors)


def load(path: str | os.PathLike[str], *, modules: tuple[nn.Module, nn.Module] | None = None) -> Any:
    """Bring a saved estimator back.

    Parameters
    ----------
    path : path-like
    modules : (encoder, decoder) pair of torch or Keras modules, optional
        For models whose network was such a pair: the file holds their weights, not their code.

    Raises
    ------
    ModelFileError
        If the file is not a model, is damaged, newer than this program, or needs something that was not passed.
    """
    manifest, tensors = files.read(path, KIND)
    try:
        if set(manifest) != {"estimator", "libraries"}:
            raise ModelFileError(f"the description has the parts {sorted(manifest)}, which no model has")
        return _decode(manifest["estimator"], tensors, modules)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        raise ModelFileError(f"{path}: the model's description is inconsistent ({error}); save it again") from error


def _encode(value: Any, path: str, tensors: _Tensors) -> Any:
    """A value as JSON; arrays and weights go to `tensors` under its path."""
    if isinstance(value, FrozenEstimator):
        return {"$frozen": _encode(value.estimator, path, tensors)}
    if isinstance(value, Persistent):
        return _encode_estimator(value, path, tensors)
    if isinstance(value, Network):
        part = value.held if tensors.part == "all" else tensors.part
        half = value if part == value.held else value.only(part)
        tensors.update({f"{path}/{name}": weights for name, weights in half.state_dict().items()})
        return {"$network": path, "part": part}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        tensors[path] = torch.from_numpy(np.array(value))
        return {"$array": path}
    if isinstance(value, np.ndarray):
        return {"$names": [str(item) for item in value]}
    if hasattr(value, "to_dict") and hasattr(value, "unpack"):
        return {"$schema": value.to_dict()}
    if isinstance(value, dict):
        return {"$map": {str(key): _encode(item, f"{path}/{key}", tensors) for key, item in value.items()}}
    if isinstance(value, list) and value and all(isinstance(item, Persistent) for item in value):
        return {"$list": [_encode(item, f"{path}/{at}", tensors) for at, item in enumerate(value)]}
    return {"$value": to_json(value)}


def _encode_estimator(estimator: Any, path: str, tensors: _Tensors) -> Any:
    parameters = {}
    private = getattr(estimator, "privacy", None) is not None
    for name, value in estimator.get_params(deep=False).items():
        if private and name == "random_state" and value is not None:
            parameters[name] = {"$code": "whoever knows the seed can subtract the noise"}
            continue
        try:
            parameters[name] = _encode(value, f"{path}/{name}", tensors)
        except TypeError:
            parameters[name] = {"$code": repr(value)[:200]}
    fitted = {
        name: _encode(value, f"{path}/{name}", tensors)
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_")
    }
    return {"$estimator": type(estimator).file_name(), "parameters": parameters, "fitted": fitted}


def _decode(data: Any, tensors: Mapping[str, Tensor], modules: Any) -> Any:
    if not isinstance(data, dict) or len(data) != (3 if "$estimator" in data else 1):
        raise ModelFileError("a value of the model's description is not an object of a known kind")
    match data:
        case {"$frozen": inner}:
            return FrozenEstimator(_decode(inner, tensors, modules))
        case {"$estimator": str(name), "parameters": dict(parameters), "fitted": dict(fitted)}:
            return _decode_estimator(name, parameters, fitted, tensors, modules)
        case {"$array": str(path)}:
            return tensors[path].numpy()
        case {"$names": list(names)}:
            return np.array([str(name) for name in names], dtype=object)
        case {"$schema": dict(schema)}:
            return schema_from_dict(schema)
        case {"$map": dict(items)}:
            return {key: _decode(item, tensors, modules) for key, item in items.items()}
        case {"$list": list(items)}:
            return [_decode(item, tensors, modules) for item in items]
        case {"$value": value}:
            return from_json(value)
    raise ModelFileError(f"the model's description has an unknown part: {sorted(data)[:3]}")


def _decode_estimator(
    name: str, parameters: dict[str, Any], fitted: dict[str, Any], tensors: Mapping[str, Tensor], modules: Any
) -> Any:
    cls = Persistent.registry.get(name)
    if cls is None:
        raise ModelFileError(
            f"{name!r} is not defined in this program; import the module that defines it before loading"
        )
    kept = {key: item for key, item in parameters.items() if key not in PLACES and "$code" not in item}
    given = {key: _decode(item, tensors, modules) for key, item in kept.items()}
    estimator = cls(**given)
    networks: dict[str, Any] = {}
    for key, item in fitted.items():
        if not (key.isidentifier() and key.endswith("_") and not key.startswith("_")):
            raise ModelFileError(f"{key!r} is no fitted attribute")
        if isinstance(item, dict) and "$network" in item:
            networks[key] = item
        else:
            setattr(estimator, key, _decode(item, tensors, modules))
    for key, item in networks.items():
        setattr(estimator, key, _decode_network(estimator, item, tensors, modules))
    return estimator


def _decode_network(estimator: Any, item: dict[str, Any], tensors: Mapping[str, Tensor], modules: Any) -> Network:
    schema: Schema = estimator.schema_
    path, part = str(item["$network"]), item.get("part", "all")
    if part not in PARTS or not set(item) <= {"$network", "part"}:
        raise ModelFileError(f"a network's description has unknown parts: {sorted(item)}, {part!r}")
    if estimator.network_spec_ is None and modules is None:
        raise ModelFileError(
            "its network is a pair of torch or Keras modules, whose code no file holds; pass them: "
            "az.load(path, modules=(encoder, decoder))"
        )
    weights = {name.removeprefix(f"{path}/"): value for name, value in tensors.items() if name.startswith(f"{path}/")}
    if estimator.network_spec_ is None:
        estimator.network = modules
    else:
        spec = estimator.network_spec_
        there, back = weight_counts(spec, schema.width, estimator.code_.width(spec.code_size))
        needed = {"all": there + back, "encoder": there, "decoder": back}[part]
        needed += part_sizes(estimator.code_, estimator.recipe_.objective, estimator.network_spec_.code_size)
        held = sum(value.numel() for value in weights.values())
        if needed > held:
            raise ModelFileError(f"its network needs {needed:,} weights, but the file holds {held:,}")
    network = rebuild(schema, estimator.network_spec_, estimator.code_, estimator.recipe_.objective, modules)
    kind = next((value.dtype for value in weights.values() if value.is_floating_point()), torch.float32)
    network = network.to(kind) if part == "all" else network.to(kind).only(part)
    network.load_state_dict(weights)
    return network
