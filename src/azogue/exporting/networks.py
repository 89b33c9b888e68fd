"""A fitted network as one torch module over the user's rows, and that as a torch program.

The program holds no class of Azogue: torch.export writes down the operations.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from azogue.disk import atomic_write
from azogue.exporting.preparations import Port, Preparation, preparation_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from azogue.network import Network

PARTS = ("all", "encoder", "decoder")
#: Rows of the example that a program is written down with.
_EXAMPLE = 3


class Outward(nn.Module):
    """What is exported: named inputs → named outputs, a row each.

    Parameters
    ----------
    inputs, outputs : sequence of Port
    """

    def __init__(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
        super().__init__()
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def to_dict(self) -> dict[str, Any]:
        """Inputs and outputs as JSON values."""
        return {
            "inputs": [port.to_dict() for port in self.inputs],
            "outputs": [port.to_dict() for port in self.outputs],
        }


class Half(Outward):
    """An encoder, a decoder, or both with the code between.

    Parameters
    ----------
    network : Network
    preparation : Preparation
    part : {"all", "encoder", "decoder"}
    """

    def __init__(self, network: Network, preparation: Preparation, part: str) -> None:
        code = (Port("code", "float32", (network.size,)),)
        super().__init__(
            code if part == "decoder" else preparation.inputs, code if part == "encoder" else preparation.outputs
        )
        self.network, self.preparation, self.part = still(network), preparation, part

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Inputs in their order → outputs in theirs."""
        kind = next(self.network.parameters()).dtype
        if self.part == "decoder":
            return self.preparation.unpack(self.network.decode(values[0].to(kind))[0].float())
        x = self.preparation.pack(*values)[0].to(kind)
        if self.part == "encoder":
            return (self.network.encode(x)[1].z.float(),)
        return self.preparation.unpack(self.network(x).float())


def still(network: Network) -> Network:
    """A copy of a network on the processor, at inference, without gradients."""
    made = copy.deepcopy(network).cpu().requires_grad_(False)
    made.eval()
    return made


def outward(estimator: Any, part: str = "all", preparation: bool = True) -> Outward:
    """What is exported of an estimator.

    Raises
    ------
    ValueError
        For a part that does not exist or does not stand alone, and for what cannot be said outside Azogue.
    """
    if part not in PARTS:
        raise ValueError(f"export: part must be one of {', '.join(PARTS)}, got {part!r}")
    check_is_fitted(estimator)
    if part == "all" and hasattr(estimator, "outward"):
        made: Outward = estimator.outward(preparation)
        return made
    inner = getattr(estimator, "autoencoder_", estimator)
    network = getattr(inner, "network_", None)
    if network is None:
        raise ValueError(f"export: a {type(estimator).__name__} has no one network; export the autoencoder of its own")
    if network.held not in ("all", part):
        raise ValueError(f"export: this model was saved with its {network.held} alone; ask for part={network.held!r}")
    if part == "decoder" and network.skips:
        raise ValueError("export: its way back also sees the rows (skips or a cascade); export the whole")
    schema = inner.schema_
    return Half(network, preparation_of(schema) if preparation else Preparation(schema.width), part)


@contextmanager
def quiet() -> Iterator[None]:
    """Torch's exporters without what they say of themselves."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def program(module: Outward) -> torch.export.ExportedProgram:
    """The operations of a module, for any number of rows.

    Raises
    ------
    ValueError
        If torch cannot write them down, as for modules that decide by the values that they see.
    """
    rows = torch.export.Dim("n", min=1)
    example = tuple(port.example(_EXAMPLE) for port in module.inputs)
    dynamic = (tuple({0: rows} for _ in example),)
    try:
        with quiet(), torch.no_grad():
            made = torch.export.export(module, example, dynamic_shapes=dynamic)
    except (RuntimeError, TypeError, ValueError, AttributeError, NotImplementedError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ValueError(f"export: torch.export cannot write this network down: {first}") from error
    for part in made.graph_module.modules():
        for node in part.graph.nodes if isinstance(part, torch.fx.GraphModule) else ():
            node.meta.pop("stack_trace", None)  # paths of this machine
    return made


def to_torch(
    estimator: Any, path: str | os.PathLike[str] | None = None, *, part: str = "all", preparation: bool = True
) -> torch.export.ExportedProgram:
    """A fitted estimator as a torch program that needs no Azogue: `torch.export.load(path).module()(…)`.

    Inputs and outputs are those of `onnx.to_onnx`, in the same order, but for texts: here a category is its number
    among `labels`, −1 where missing. A file tells them as JSON, under `azogue.json` of its extra files.

    Parameters
    ----------
    estimator : Autoencoder or application
        Fitted. Of an application the autoencoder that it owns, of an `AnomalyDetector` the score.
    path : path-like, optional
        Where to write it, as a .pt2 file.
    part : {"all", "encoder", "decoder"}
    preparation : bool
        Whether scaling, one-hot slots and missing cells are part of it. If not, rows are those of `schema_.pack(X).x`.

    Returns
    -------
    torch.export.ExportedProgram

    Raises
    ------
    ValueError
        For what cannot be said outside Azogue, naming it.

    Notes
    -----
    What is written are operations and plain tensors. But `torch.export.load` unpickles where a file asks for it: load
    only files that you or somebody you trust wrote. `az.load` and ONNX files have no such need.

    Examples
    --------
    >>> import azogue as az
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> ae = az.Autoencoder(2, epochs=2, random_state=0).fit(X)
    >>> made = to_torch(ae, part="encoder")
    >>> bool(np.allclose(made.module()(torch.as_tensor(X))[0], ae.encode(X), atol=1e-5))
    True
    """
    module = outward(estimator, part, preparation)
    made = program(module)
    if path is not None:
        stream, told = io.BytesIO(), json.dumps(module.to_dict())
        with quiet():
            torch.export.save(made, stream, extra_files={"azogue.json": told})
        atomic_write(path, stream.getvalue())
    return made
