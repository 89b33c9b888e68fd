"""Pictures in memory: the layouts and dtypes that they come in, and what a row is in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from azogue.modalities.channels import Range
from azogue.modalities.reading import torch_array
from azogue.modalities.scaling import Policy
from azogue.recipe import Rows

Shape: TypeAlias = "tuple[int, int, int]"
Index: TypeAlias = "slice | NDArray[np.int64]"

#: Values that are scaled at once, about.
_CELLS = 2**18
#: Up to here float64 holds every whole number.
_WHOLE = 2**53
#: The dtypes of pixels, by their names in a model file.
DTYPES = {str(kind): kind for one in map(np.dtype, "?bBhHiIlLqQefdg") for kind in (one, one.newbyteorder())}
#: Those of tensors.
TORCH_DTYPES = frozenset(map(str, map(np.dtype, "?bBhHiIqQefd")))
#: The limits of dtypes that are always scaled by them.
_NATURAL = {"uint8": (0.0, 255.0), "bool": (0.0, 1.0)}


@dataclass(frozen=True)
class ImageRows(Rows):
    """What to give back besides the pixels: container, names of files, layout (see `Arrays`) and dtype."""

    layout: str = "last"
    dtype: str = "uint8"


@dataclass(frozen=True, eq=False)
class Arrays:
    """Pictures in memory, as they came.

    Parameters
    ----------
    array : ndarray
    layout : {"grey", "last", "first"}
        Whether its shape is (n, h, w), (n, h, w, c) or (n, c, h, w).
    container : {"numpy", "torch"}
    """

    array: NDArray[Any]
    layout: str
    container: str = "numpy"

    @property
    def shape(self) -> Shape:
        """Height, width and channels of a picture."""
        return grid(self.array.shape, self.layout)

    @property
    def rows(self) -> ImageRows:
        """What to give back besides the pixels."""
        return ImageRows(self.container, None, self.layout, str(self.array.dtype))

    def __len__(self) -> int:
        return len(self.array)

    def take(self, index: Index) -> NDArray[Any]:
        """The rows of a slice or an array of positions, shape (n, h, w, c)."""
        rows = self.array[index]
        return rows[..., None] if self.layout == "grey" else rows if self.layout == "last" else np.moveaxis(rows, 1, -1)


def grid(shape: tuple[int, ...], layout: str) -> Shape:
    """Height, width and channels in the shape of an array."""
    _, *rest = shape
    h, w, c = (*rest, 1) if layout == "grey" else rest if layout == "last" else (*rest[1:], rest[0])
    return h, w, c


def laid_out(pictures: NDArray[Any], layout: str) -> NDArray[Any]:
    """Pictures (n, h, w, c) in another layout."""
    if layout == "grey":
        return pictures[..., 0]
    return pictures if layout == "last" else np.ascontiguousarray(np.moveaxis(pictures, -1, 1))


def layout_of(shape: tuple[int, ...], channels: str | None) -> str:
    """The layout of an array: the channels are where they are said to be, or the last axis of 1 to 4, or the second."""
    if len(shape) == 3:
        return "grey"
    if channels is None and min(shape[1], shape[3]) > 4:
        raise ValueError(
            f"Image: neither the last nor the second axis of the shape {shape} has 1 to 4 channels; say which one "
            "holds them with Image(channels='last') or Image(channels='first')"
        )
    return channels or ("last" if shape[3] <= 4 else "first")


def layout_like(shape: tuple[int, ...], fitted: Shape, layout: str) -> str:
    """The layout in which an array holds pictures of the fitted size, the fitted one if that fits."""
    for found in ("grey",) if len(shape) == 3 else (layout, "last", "first"):
        if (found == "grey") == (len(shape) == 3) and grid(shape, found) == fitted:
            return found
    expected = laid_out(np.empty((0, *fitted), bool), layout).shape[1:]
    raise ValueError(
        f"Image: expected the shape (n, {', '.join(map(str, expected))}) as when fitted, got {shape}; resize or "
        "convert the pictures, or fit on these"
    )


def same_kind(was: np.dtype[Any], now: np.dtype[Any]) -> None:
    """Refuse floats for integers, booleans for numbers, and the reverse."""
    if (was.kind == "f") != (now.kind == "f") or (now.kind == "b" and was.kind != "b"):
        raise TypeError(
            f"Image: the pixels were {was} when fitted and are now {now}; so that 0 to 1 and 0 to 255 are not mixed "
            "up, convert them to what they were, with the values that they had then"
        )


def read_array(X: Any) -> tuple[NDArray[Any], str]:
    """An array, tensor or nested list of pictures as an array of 3 or 4 dimensions, and its container.

    Raises
    ------
    TypeError
        For other than numbers, and for sparse and masked arrays.
    ValueError
        For complex numbers, ragged lists, other dimensions, and pictures without pixels.
    """
    container = "torch" if hasattr(X, "detach") else "numpy"
    if isinstance(X, np.ma.MaskedArray):
        raise TypeError("Image: masked arrays hide pixels; write NaN for what is missing, with X.filled(np.nan)")
    try:
        array = torch_array(X) if container == "torch" else np.asarray(X)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(
            f"Image: X cannot be made an array of numbers ({error}); pass a dense array of pictures of one size"
        ) from error
    if array.dtype.kind == "c":
        raise ValueError(f"Image: Complex data not supported: X has the dtype {array.dtype}; pass X.real, or np.abs(X)")
    if array.dtype.kind not in "buif":
        raise TypeError(
            f"Image: expected pixels that are integers, booleans or floats, got the dtype {array.dtype} (a "
            f"{type(X).__name__}); convert them with astype, and pass paths as a list of text"
        )
    if array.ndim not in (3, 4):
        raise ValueError(
            f"Image: expected the shape (n, h, w), (n, h, w, c) or (n, c, h, w), got {array.shape}; a single picture "
            "is X[None], and rows of pixels are X.reshape(n, h, w)"
        )
    if 0 in array.shape:
        what = "0 sample(s)" if len(array) == 0 else "pictures without pixels"
        raise ValueError(f"Image: found {what} (shape={array.shape}) while a minimum of 1 is required")
    return array, container


def as_numbers(values: Any) -> NDArray[Any]:
    """A tensor or array as an array."""
    return torch_array(values) if hasattr(values, "detach") else np.asarray(values)


def as_container(pictures: NDArray[Any], container: str) -> Any:
    """An array as a tensor, if that is the container."""
    if container != "torch":
        return pictures
    import torch

    return torch.from_numpy(pictures)


def cut(index: Index, count: int, width: int) -> Iterator[Index]:
    """An index in parts of about `_CELLS` values; slices stay slices, which copy nothing."""
    size = max(1, _CELLS // width)
    if isinstance(index, slice):
        start, stop, step = index.indices(count)
        if step == 1:
            yield from (slice(at, min(at + size, stop)) for at in range(start, stop, size))
            return
        index = np.arange(start, stop, step)
    yield from (index[at : at + size] for at in range(0, len(index), size))


def limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    """The least and the largest value of integers and booleans, as far as float64 is exact."""
    if dtype.kind == "b":
        return 0, 1
    word = np.iinfo(dtype)
    return max(int(word.min), -_WHOLE), min(int(word.max), _WHOLE)


def within_limits(values: NDArray[Any], dtype: np.dtype[Any], where: tuple[int, Index]) -> None:
    """Refuse integers that a dtype cannot hold."""
    if values.dtype != dtype or dtype.itemsize == 8:
        low, high = limits(dtype)
        refuse((values < low) | (values > high), where, f"a value beyond {low} to {high}, the range of {dtype} pixels")


def refuse(bad: NDArray[np.bool_], where: tuple[int, Index], what: str) -> None:
    """Say which row is at fault; `where` is the number of all rows and the index of these."""
    if bad.any():
        count, index = where
        place = int(np.flatnonzero(bad.reshape(len(bad), -1).any(1))[0])
        raise ValueError(f"Image: row {np.arange(count)[index][place]} of X holds {what}")


def cast(values: NDArray[np.float64], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Numbers in a dtype: integers rounded, and all clipped to what it can hold."""
    if dtype.kind == "f":
        most = np.finfo(dtype).max
        return np.clip(values, -most, most).astype(dtype)
    if np.isnan(values).any():
        raise ValueError(
            f"ImageSchema.unpack: pixels are missing or NaN, which the dtype {dtype} cannot hold; unpack batch.x alone "
            "to have every pixel filled"
        )
    return np.clip(np.rint(values), *limits(dtype)).astype(dtype)


def ranges(pixels: Any, pooled: bool, scaling: str, policy: Policy) -> tuple[Range, ...]:
    """What is known of each channel of pictures, in memory or in files; of all channels together if `pooled`.

    Bytes and booleans have the limits of their dtype, whatever the data's extremes, and need not be looked at for that.
    Pooled floats within [0, 1] have these limits too.
    """
    shape: Shape = pixels.shape
    h, w, c = shape
    natural = _NATURAL.get(pixels.rows.dtype)
    if natural and (scaling == "minmax" or (scaling == "none" and _within(natural, policy.closed))):
        return (Range(*natural, 0.0, 1.0),) * c
    parts = (_checked(pixels, part) for part in cut(slice(None), len(pixels), h * w * c))
    known = Range.of(part.reshape(-1, 1 if pooled else c) for part in parts)
    if not pooled:
        return known
    fractions = DTYPES[pixels.rows.dtype].kind == "f" and _within((known[0].low, known[0].high), (0.0, 1.0))
    return (Range(0.0, 1.0, 0.0, 1.0) if fractions else known[0],) * c


def _within(inner: tuple[float, float], outer: tuple[float, float]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _checked(pixels: Any, part: Index) -> NDArray[Any]:
    """Some pictures, without values that tensors cannot hold."""
    values: NDArray[Any] = pixels.take(part)
    where = (len(pixels), part)
    if values.dtype.kind == "f":
        refuse(np.abs(values) > np.finfo(np.float32).max, where, "infinity or a number too large for float32")
    else:
        within_limits(values, values.dtype, where)
    return values
