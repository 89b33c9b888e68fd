"""Modalities: every preparation of the data that must be undone afterwards."""

from __future__ import annotations

from typing import Any

from azogue.modalities.base import Demand, Modality, Schema
from azogue.modalities.table import Table, TableSchema

__all__ = ["Demand", "Modality", "Schema", "Table", "TableSchema", "as_modality", "schema_from_dict"]


def as_modality(modality: Any, scaling: str) -> Modality:
    """`"auto"`, `"table"` or a modality of one's own → the modality that will prepare the data."""
    if modality in ("auto", "table"):
        return Table(scaling=scaling)
    if hasattr(modality, "fit"):
        if scaling != "auto":
            raise ValueError(
                f"scaling={scaling!r} and modality={modality!r} both say how to scale; state it in one place"
            )
        return modality  # type: ignore[no-any-return]
    raise ValueError(f"modality: expected 'auto', 'table' or a value such as Table(weights=...), got {modality!r}")


def schema_from_dict(data: dict[str, Any]) -> Schema:
    """The schema of a stored model."""
    return TableSchema.from_dict(data)
