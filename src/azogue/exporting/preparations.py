"""A modality's preparation as torch modules: what an exported network takes and gives back, in the user's units.

What `schema.pack` and `schema.unpack` do with numpy and Arrow is said again here in operations that torch.export and
ONNX know, for tables of numbers, booleans, texts and times, for pictures, and for sequences of one length. Categories
that are texts are whole numbers here, −1 where missing; whoever writes ONNX puts the texts in front.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from azogue.exporting.columns import PortError, column_of, numbers_of
from azogue.modalities import ImageSchema, SequenceSchema, TableSchema
from azogue.modalities.pixels import limits as pixel_limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azogue.modalities.base import Schema

__all__ = ["Port", "PortError", "Preparation", "preparation_of"]

_TORCH = {
    **{name: getattr(torch, name) for name in ("bool", "uint8", "int8", "int16", "int32", "int64", "float32")},
    **{"float64": torch.float64, "text": torch.int64},
}
#: What stands for dtypes that torch or ONNX's operators lack.
_WIDER = {"float16": "float32", "float128": "float64", "uint16": "int32", "uint32": "int64", "uint64": "int64"}


@dataclass(frozen=True)
class Port:
    """An input or an output of an exported network: rows first, then `shape`.

    Parameters
    ----------
    name : str
    dtype : str
        A dtype of numpy, or `"text"`.
    shape : tuple of int
        Of a row; () for a value a row.
    labels : tuple of str
        The categories of a text. In an ONNX file the texts themselves go in and come out; in a torch file their numbers
        here, −1 where missing, and one beyond the last for a text that is not among them.
    note : str
        What a value means where its dtype does not say.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    note: str = ""

    def example(self, rows: int) -> Tensor:
        """Zeros of so many rows."""
        return torch.zeros((rows, *self.shape), dtype=_TORCH[self.dtype])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, without what is empty."""
        told = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape), "labels": list(self.labels)}
        return {key: value for key, value in {**told, "note": self.note}.items() if value or key == "shape"}


class Preparation(nn.Module):
    """Rows as they are packed already: what any modality can do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        note = "packed rows in scaled units, as schema_.pack(X).x has them; 0 where missing"
        self.inputs: Sequence[Port] = (Port("X", "float32", (width,), note=note),)
        self.outputs: Sequence[Port] = (
            Port("reconstruction", "float32", (width,), note="scaled units, for schema_.unpack"),
        )

    def pack(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs → packed rows (n, width) in float32, and which slots are missing."""
        (x,) = values
        return x, torch.zeros_like(x, dtype=torch.bool)

    def unpack(self, out: Tensor) -> tuple[Tensor, ...]:
        """Reconstructions in scaled units → the outputs."""
        return (out.float(),)


def preparation_of(schema: Schema) -> Preparation:
    """The preparation of a fitted modality.

    Raises
    ------
    PortError
        For modalities and columns whose preparation has no counterpart.
    """
    if type(schema) is TableSchema:
        return _Matrix(schema) if _is_matrix(schema) else _Columns(schema)
    if isinstance(schema, ImageSchema):
        return _Pictures(schema)
    if isinstance(schema, SequenceSchema):
        return _Sequences(schema)
    kind = schema.to_dict()["modality"]
    raise PortError(
        f"the preparation of modality {kind!r} has no counterpart outside Azogue; export with preparation=False, for "
        "rows that schema_.pack prepared"
    )


class _Table(Preparation):
    """What a table's columns have in common: slots by the order of the heads, and back."""

    def __init__(self, schema: TableSchema) -> None:
        super().__init__(schema.width)
        self.names = _distinct(schema)
        spread = [cells for head in schema.heads for cells in head.cells]
        order = [at for head in schema.heads for at in head.columns]
        knots = dict(zip([at for at, _ in schema._numeric], schema.knots or (), strict=False))
        made = [
            column_of(schema.columns[at], self.names[at], slots, knots.get(at), schema.marked)
            for at, slots in zip(order, spread, strict=True)
        ]
        self.order, self.slots, self.columns = order, spread, nn.ModuleList(made)

    def _packed(self, columns: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The columns of the user, by position → slots and where they are missing."""
        parts = [kind.pack(columns[at]) for at, kind in zip(self.order, self._kinds(), strict=True)]
        hidden = [gap[:, None].expand(-1, count) for (_, gap), count in zip(parts, self.slots, strict=True)]
        return torch.cat([slots for slots, _ in parts], 1).float(), torch.cat(hidden, 1)

    def _unpacked(self, out: Tensor) -> dict[int, Tensor]:
        """Scaled values → each column's values, by the position of the column."""
        parts = torch.split(out.float(), self.slots, 1)
        found = zip(self.order, self._kinds(), parts, strict=True)
        return {at: kind.unpack(slots) for at, kind, slots in found}

    def _kinds(self) -> list[Any]:
        return list(self.columns)


class _Columns(_Table):
    """One input a column, by its name; columns without values when fitted are neither asked for nor given."""

    def __init__(self, schema: TableSchema) -> None:
        super().__init__(schema)
        self.places = sorted(self.order)
        kinds = dict(zip(self.order, self._kinds(), strict=True))
        self.inputs = [Port(self.names[at], *kinds[at].taken) for at in self.places]
        self.outputs = [Port(f"reconstructed_{self.names[at]}", *kinds[at].given) for at in self.places]

    def pack(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        columns = [values[0]] * (max(self.places) + 1)
        for at, value in zip(self.places, values, strict=True):
            columns[at] = value
        return self._packed(columns)

    def unpack(self, out: Tensor) -> tuple[Tensor, ...]:
        found = self._unpacked(out)
        return tuple(found[at] for at in self.places)


class _Matrix(Preparation):
    """Tables of numbers and booleans alone: one input (n, columns), NaN where missing."""

    def __init__(self, schema: TableSchema) -> None:
        super().__init__(schema.width)
        if schema.marked:
            raise PortError("never met: tables with knots go column by column")
        self.count = schema.n_columns
        self.at = [at for head in schema.heads for at in head.columns]
        self.numbers = numbers_of([schema.columns[at] for at in self.at])
        stored = {np.dtype(column.arrow.to_pandas_dtype()) for column in schema.columns}
        taken = "float32" if stored <= {np.dtype("float32"), np.dtype("float16")} else "float64"
        given = "int64" if {kind.kind for kind in stored} <= {"i", "u"} else taken
        names = ", ".join(map(str, schema.names or ()))
        note = "missing is NaN" + (f"; columns in this order: {names}" if names else "")
        self.inputs = (Port("X", taken, (self.count,), note=note),)
        self.outputs = (Port("reconstruction", given, (self.count,)),)

    def pack(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        return self.numbers.pack(values[0].double()[:, self.at])

    def unpack(self, out: Tensor) -> tuple[Tensor, ...]:
        made = self.numbers.unpack(out.double())
        places = [self.at.index(at) if at in self.at else len(self.at) for at in range(self.count)]
        missing = torch.full_like(made[:, :1], math.nan)
        return (torch.cat([made, missing], 1)[:, places].to(_TORCH[self.outputs[0].dtype]),)


class _Channels(Preparation):
    """One affine map for each channel: `s = (u − center) / scale`."""

    center: Tensor
    scale: Tensor

    def __init__(self, width: int, shape: tuple[int, ...], dtype: str, center: Any, scale: Any) -> None:
        super().__init__(width)
        kind = np.dtype(dtype).newbyteorder("=")
        name = _WIDER.get(str(kind), str(kind))
        self.kind, self.rest = name, shape
        self.bounds = pixel_limits(kind) if kind.kind in "biu" else None
        self.register_buffer("center", torch.tensor(center, dtype=torch.float64))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))

    def _scaled(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Values (n, …, channels) → packed rows and what is missing."""
        values = values.double()
        gaps = torch.isnan(values)
        x = ((values - self.center) / self.scale).clamp(-3e38, 3e38).masked_fill(gaps, 0.0)
        return x.float().flatten(1), gaps.flatten(1)

    def _unscaled(self, out: Tensor) -> Tensor:
        """Scaled rows → values (n, …, channels) in the user's dtype."""
        values = out.double().reshape(-1, *self.rest) * self.scale + self.center
        if self.bounds is None:
            return values.to(_TORCH[self.kind])
        low, high = float(self.bounds[0]), min(float(self.bounds[1]), 2.0**63 - 1024)
        whole = values.round().clamp(low, high).to(torch.int64)
        return whole if self.kind == "int64" else whole.to(_TORCH[self.kind])


class _Pictures(_Channels):
    """Pictures in the fitted layout and dtype."""

    def __init__(self, schema: ImageSchema) -> None:
        scale = schema.channels
        super().__init__(schema.width, schema.shape, schema.dtype, scale.center, scale.scale)
        self.layout = schema.layout
        h, w, c = schema.shape
        shape = {"grey": (h, w), "last": (h, w, c), "first": (c, h, w)}[schema.layout]
        note = "as in fit; picture files are to be read and resized before" if schema.container == "files" else ""
        self.inputs = (Port("X", self.kind, shape, note=note),)
        self.outputs = (Port("reconstruction", self.kind, shape),)

    def pack(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        (pictures,) = values
        if self.layout == "grey":
            return self._scaled(pictures[..., None])
        return self._scaled(pictures if self.layout == "last" else pictures.permute(0, 2, 3, 1))

    def unpack(self, out: Tensor) -> tuple[Tensor, ...]:
        pictures = self._unscaled(out)
        if self.layout == "grey":
            return (pictures[..., 0],)
        return (pictures if self.layout == "last" else pictures.permute(0, 3, 1, 2),)


class _Sequences(_Channels):
    """Sequences, or windows of a long series, of the fitted length; NaN where missing or padded."""

    def __init__(self, schema: SequenceSchema) -> None:
        scale = schema.scale
        super().__init__(schema.width, schema.shape, schema.dtype, scale.center, scale.scale)
        self.flat_rows = schema.flat
        shape = schema.shape[:1] if schema.flat else schema.shape
        note = "missing or padded is NaN"
        if schema.step is not None:
            note = f"windows of {schema.size} samples, {schema.step} apart; to be cut before, and joined behind"
        taken = self.kind if self.kind.startswith("float") else "float64"
        self.inputs = (Port("X", taken, shape, note=note),)
        self.outputs = (Port("reconstruction", self.kind, shape),)

    def pack(self, *values: Tensor) -> tuple[Tensor, Tensor]:
        (rows,) = values
        return self._scaled(rows[..., None] if self.flat_rows else rows)

    def unpack(self, out: Tensor) -> tuple[Tensor, ...]:
        rows = self._unscaled(out)
        return (rows[..., 0] if self.flat_rows else rows,)


def _is_matrix(schema: TableSchema) -> bool:
    """Whether all columns are plain numbers or booleans, or without values."""
    plain = (getattr(column, "is_plain", column.kind in ("boolean", "absent")) for column in schema.columns)
    return not schema.marked and all(plain)


def _distinct(schema: TableSchema) -> list[str]:
    """Names of the columns as texts, no two alike."""
    wanted = schema.names or tuple(f"column_{at + 1}" for at in range(schema.n_columns))
    names: list[str] = []
    for at, name in enumerate(map(str, wanted)):
        names.append(name if name and name not in names else f"{name}#{at + 1}")
    return names
