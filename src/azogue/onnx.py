"""A fitted model as an ONNX graph: encoder, decoder or the whole, with the preparation of the rows inside.

Importing this module imports no ONNX.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from azogue.disk import atomic_write
from azogue.exporting.columns import NAT
from azogue.exporting.networks import Outward, outward, program, quiet
from azogue.modalities import TableSchema
from azogue.modalities.dtypes import storage
from azogue.modalities.reading import read

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from azogue.exporting import Port

#: Version of the operators for texts.
_ML = "ai.onnx.ml", 3
_DTYPES = {"text": "object"}


def onnx_installed() -> Any:
    """The packages that write ONNX.

    Raises
    ------
    ImportError
        If one of them is missing.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'ONNX files need {error.name}, which is not installed: pip install "azogue[onnx]"'
        ) from error
    return onnx


def to_onnx(
    estimator: Any, path: str | os.PathLike[str] | None = None, *, part: str = "all", preparation: bool = True
) -> Any:
    """A fitted estimator as an ONNX model, for any number of rows.

    Numbers and booleans of a table go in together, as `X` (n, columns), with NaN where missing; where there are texts
    or times, each column by its name, (n,): numbers with NaN where missing, texts with "" where missing, times as the
    whole numbers that count them. Pictures and sequences go in as they did in `fit`. What comes out is in the user's
    units and types: `code`, or `reconstruction`, of columns `reconstructed_` and the name. Of an `AnomalyDetector`
    come `anomaly_score` and `is_anomaly`; where it has `by`, each row's group goes in first, as text.

    Parameters
    ----------
    estimator : Autoencoder or application
        Fitted. Of other applications the autoencoder that they own.
    path : path-like, optional
        Where to write it.
    part : {"all", "encoder", "decoder"}
    preparation : bool
        Whether scaling, one-hot slots and missing cells are part of the graph. If not, rows are those of
        `schema_.pack(X).x`, and reconstructions are for `schema_.unpack`.

    Returns
    -------
    onnx.ModelProto
        Its metadata tell inputs and outputs under `azogue`, as JSON.

    Raises
    ------
    ImportError
        If onnx or onnxscript are missing.
    ValueError
        For what cannot be said in ONNX, naming it.

    Examples
    --------
    >>> import azogue as az
    >>> ae = az.Autoencoder(2).fit(X)  # doctest: +SKIP
    >>> to_onnx(ae, "whole.onnx")  # doctest: +SKIP
    >>> import onnxruntime  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("whole.onnx")  # doctest: +SKIP
    >>> session.run(["reconstruction"], {"X": X})  # doctest: +SKIP
    """
    onnx = onnx_installed()
    module = outward(estimator, part, preparation)
    model = _written(module)
    _spell(onnx, model, module)
    model.producer_name, model.doc_string = "azogue", f"{type(estimator).__name__}, {part}"
    onnx.helper.set_model_props(model, {"azogue": json.dumps(module.to_dict())})
    onnx.checker.check_model(model)
    if path is not None:
        atomic_write(path, model.SerializeToString())
    return model


def _written(module: Outward) -> Any:
    """Torch's own translation of a module."""
    import torch

    made = program(module)
    names = [[_inner(port) for port in ports] for ports in (module.inputs, module.outputs)]
    try:
        with quiet():
            found = torch.onnx.export(
                made, dynamo=True, verbose=False, input_names=names[0], output_names=names[1], external_data=False
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"to_onnx: this network has no counterpart in ONNX: {first}; use to_torch") from error
    model = found.model_proto  # type: ignore[union-attr]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]  # what torch knew of the module, paths of this machine among it
    return model


def _inner(port: Port) -> str:
    """The name of a port in torch's graph: texts are numbers there."""
    return f"{port.name}/number" if port.dtype == "text" else port.name


def _spell(onnx: Any, model: Any, module: Outward) -> None:
    """Put the texts of categories in front of their numbers, and behind them."""
    texts = [port for port in (*module.inputs, *module.outputs) if port.dtype == "text"]
    if not texts:
        return
    graph, taken = model.graph, {port.name: port for port in module.inputs}
    front, behind = [], []
    for port in texts:
        numbers, inside = list(range(len(port.labels))), port.name in taken
        ends = graph.input if inside else graph.output
        (end,) = (value for value in ends if value.name == _inner(port))
        rows = end.type.tensor_type.shape.dim[0].dim_param
        end.CopyFrom(onnx.helper.make_tensor_value_info(port.name, onnx.TensorProto.STRING, [rows]))
        node = {"domain": _ML[0], "name": f"{port.name}/labels"}
        if inside:
            known = {**dict(zip(port.labels, numbers, strict=True))}
            known.setdefault("", -1)
            front.append(
                onnx.helper.make_node(
                    "LabelEncoder",
                    [port.name],
                    [_inner(port)],
                    keys_strings=list(known),
                    values_int64s=list(known.values()),
                    default_int64=len(numbers),
                    **node,
                )
            )
        else:
            behind.append(
                onnx.helper.make_node(
                    "LabelEncoder",
                    [_inner(port)],
                    [port.name],
                    keys_int64s=numbers,
                    values_strings=list(port.labels),
                    **node,
                )
            )
    nodes = [*front, *graph.node, *behind]
    del graph.node[:]
    graph.node.extend(nodes)
    if all(known.domain != _ML[0] for known in model.opset_import):
        model.opset_import.append(onnx.helper.make_opsetid(*_ML))


def feed(estimator: Any, X: Any) -> dict[str, np.ndarray]:
    """Rows as the inputs of `to_onnx(estimator)`: what a program that has no Azogue has to make of them.

    Parameters
    ----------
    estimator : Autoencoder or application
        Fitted.
    X : table, pictures or sequences of one length

    Returns
    -------
    dict of ndarray
        For `session.run(None, feed(estimator, X))`.

    Examples
    --------
    >>> import azogue as az
    >>> import pyarrow as pa
    >>> table = pa.table({"size": [1.0, None, 3.0] * 9, "kind": ["a", "b", None] * 9})
    >>> ae = az.Autoencoder(1, epochs=1, random_state=0).fit(table)
    >>> {name: values[:3].tolist() for name, values in feed(ae, table).items()}
    {'size': [1.0, nan, 3.0], 'kind': ['a', 'b', '']}
    """
    if getattr(estimator, "detectors_", None):
        groups, rows = estimator.groups_of(X)
        group = outward(estimator).inputs[0].name
        return {group: np.array(groups, dtype=object), **feed(next(iter(estimator.detectors_.values())), rows)}
    module = outward(estimator)
    schema = getattr(estimator, "autoencoder_", estimator).schema_
    if not isinstance(schema, TableSchema):
        return {port.name: np.asarray(X, dtype=port.dtype) for port in module.inputs}
    source = read(X)
    if module.inputs[0].shape:
        columns = [column.floats() for column in source.each()]
        return {"X": np.stack(columns, axis=1).astype(module.inputs[0].dtype)}
    present = [at for head in schema.heads for at in head.columns]
    cells = (source.column(at) for at in sorted(present))
    kinds = (schema.columns[at] for at in sorted(present))
    return {port.name: _fed(port, *pair) for port, *pair in _zipped(module.inputs, cells, kinds)}


def _zipped(*parts: Iterable[Any]) -> Iterable[tuple[Any, ...]]:
    return zip(*parts, strict=True)


def _fed(port: Port, column: Any, kind: Any) -> np.ndarray:
    """The cells of a column as an input."""
    if kind.kind == "categorical":
        array = column.array
        array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
        cells = array.view(storage(array.type)).to_pylist()
        gap: Any = {"text": "", "int64": NAT}.get(port.dtype, np.nan)
        return np.array([gap if cell is None else cell for cell in cells], dtype=_DTYPES.get(port.dtype, port.dtype))
    if port.dtype != "int64":
        return np.asarray(column.floats(), dtype=port.dtype)
    values, missing = kind.align(column).stored
    found = np.array(values, dtype=np.int64)
    if missing is not None:
        found[missing] = NAT
    return found
