"""What a training runs on: the device, and the precision that pays there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from azogue.layers import Conv, Dense, Recurrent, shapes

if TYPE_CHECKING:
    from azogue.layers import NetworkSpec

#: Multiplications a row from which a convolution is faster in bfloat16.
CONVOLVED = 500_000


def device_for(device: Any) -> torch.device:
    """`"auto"`: CUDA, Apple's or the processor, whichever there is first.

    Raises
    ------
    ValueError
        If the device asked for is not there.
    """
    if device != "auto":
        try:
            return torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"device: {device!r} is not available ({reason}); use 'auto' or 'cpu'") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def precision_for(precision: str, device: torch.device, spec: NetworkSpec | None, width: int) -> str:
    """`"auto"`: bfloat16 where it pays, on AMX processors and CUDA: wide hidden layers, convolutions; else float32.

    Recurrent networks keep float32: rounded states would add up over the steps.
    """
    if precision != "auto":
        if precision not in ("float32", "bfloat16", "float64"):
            raise ValueError(f"precision: expected 'auto', 'float32', 'bfloat16' or 'float64', got {precision!r}")
        return precision
    if spec is None:
        return "float32"
    if any(isinstance(layer, Recurrent) for layer in (*spec.encoder, *spec.decoder)):
        return "float32"
    hidden = [layer.units for layer in spec.encoder[:-1] if isinstance(layer, Dense)]
    wide = bool(hidden) and min(width, max(hidden)) >= 256
    seen = zip(spec.encoder, shapes(spec.encoder, spec.shape), strict=False) if spec.shape else ()
    filtered = any(isinstance(layer, Conv) and layer.work(shape) >= CONVOLVED for layer, shape in seen)
    return "bfloat16" if (wide or filtered) and fast_bfloat16(device) else "float32"


def fast_products(device: torch.device) -> bool:
    """Whether products alone, without what is between them, are faster in bfloat16 there."""
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return fast_bfloat16(device) or (device.type == "cpu" and probe is not None and bool(probe()))


def fast_bfloat16(device: torch.device) -> bool:
    """Whether products of matrices are faster in bfloat16 there."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return device.type == "cpu" and probe is not None and bool(probe())
