"""Metrics of a reconstruction in scaled units: one number for all rows, observed cells only.

Each is a function `(x, out, mask) → float` of tensors (n, width); `mask` is None where every cell was observed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from azogue.session import Session

Metric = Callable[["Tensor", "Tensor", "Tensor | None"], float]


def _mean(cells: Tensor, mask: Tensor | None) -> float:
    return float(cells.double().mean() if mask is None else cells[mask].double().mean())


def mse(x: Tensor, out: Tensor, mask: Tensor | None = None) -> float:
    """Mean squared error."""
    return _mean((x - out).square(), mask)


def rmse(x: Tensor, out: Tensor, mask: Tensor | None = None) -> float:
    """Root of the mean squared error."""
    return float(mse(x, out, mask) ** 0.5)


def mae(x: Tensor, out: Tensor, mask: Tensor | None = None) -> float:
    """Mean absolute error."""
    return _mean((x - out).abs(), mask)


def r2(x: Tensor, out: Tensor, mask: Tensor | None = None) -> float:
    """Explained part of the variance around each slot's mean: 1 − Σ(x − out)² / Σ(x − x̄)²."""
    import torch

    seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
    centre = (x * seen).sum(0) / seen.sum(0).clamp(min=1)
    spread = ((x - centre).square() * seen).double().sum()
    return float(1.0 - ((x - out).square() * seen).double().sum() / spread) if spread > 0 else 0.0


def binary_accuracy(x: Tensor, out: Tensor, mask: Tensor | None = None) -> float:
    """Part of the cells whose rounded reconstruction equals x (Keras' and ruta's `binary_accuracy`)."""
    return _mean(((out > 0.5).to(x.dtype) == x).to(x.dtype), mask)


_EPSILON = 1e-7


def binary_crossentropy(x: Tensor, out: Tensor, mask: Tensor | None = None) -> float:
    """Mean of −x log out − (1 − x) log(1 − out) in nats, for values in [0, 1]."""
    p = out.double().clamp(_EPSILON, 1 - _EPSILON)
    return _mean(-(x * p.log() + (1 - x) * (1 - p).log()), mask)


def kullback_leibler_divergence(x: Tensor, out: Tensor, mask: Tensor | None = None) -> float:
    """Mean over rows of Σ x log(x / out) in nats, for rows that are distributions; both are clamped to [1e-7, 1]."""
    a, b = (value.double().clamp(_EPSILON, 1.0) for value in (x, out))
    cells = a * (a / b).log()
    return float((cells if mask is None else cells * mask).sum(1).mean())


NAMED: dict[str, Metric] = {
    "mse": mse,
    "rmse": rmse,
    "mae": mae,
    "r2": r2,
    "binary_accuracy": binary_accuracy,
    "binary_crossentropy": binary_crossentropy,
    "kullback_leibler_divergence": kullback_leibler_divergence,
    "mean_squared_error": mse,
    "mean_absolute_error": mae,
}


def as_metrics(metrics: Any) -> dict[str, Metric]:
    """Names, functions or a mix → name → function.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    chosen: dict[str, Metric] = {}
    for metric in (metrics,) if isinstance(metrics, str) or callable(metrics) else metrics:
        if callable(metric):
            name = getattr(metric, "__name__", repr(metric))
            if name in chosen or name in ("loss", "epoch", "seconds", "learning_rate"):
                raise ValueError(f"metrics: the name {name!r} is taken; give the function another __name__")
            chosen[name] = metric
        elif metric in NAMED:
            chosen[metric] = NAMED[metric]
        else:
            raise ValueError(f"metrics: {metric!r} is unknown; use {', '.join(NAMED)} or a function (x, out, mask)")
    return chosen


def measurer(session: Session, metrics: dict[str, Metric]) -> Callable[[], dict[str, float]] | None:
    """What measures, after an epoch, the metrics on training rows (at most 4,096) and as `val_…` on held-out rows."""
    if not metrics:
        return None
    from azogue.inference import Reader

    reader = Reader(session.network, session.recipe.objective)
    held = None if session.validation is None else session.validation.take(slice(None))
    private = session.recipe.privacy is not None
    if private and held is None:
        raise ValueError("metrics: private rows are not measured; give public ones, fit(X, validation_data=…)")
    parts = {"": None if private else session.data.take(slice(0, 4096)), "val_": held}

    def measure() -> dict[str, float]:
        found: dict[str, float] = {}
        for prefix, batch in parts.items():
            if batch is not None:
                x, out = batch.x.float().cpu(), reader.reconstructed(batch)
                mask = None if batch.mask is None else batch.mask.cpu()
                found |= {prefix + name: float(metric(x, out, mask)) for name, metric in metrics.items()}
        return found

    return measure
