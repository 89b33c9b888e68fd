"""Pictures: arrays, tensors and folders of picture files ↔ scaled tensors, without losing a byte on the way.

A row is a picture with its channels last, flat. Bytes stay bytes and files stay files until a row is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from azogue.heads import Head
from azogue.layers import ACTIVATIONS
from azogue.modalities.base import Demand, Pieces
from azogue.modalities.channels import HEADS, SCALINGS, Channels, channel_policy, head_for
from azogue.modalities.pictures import Files, checked_size, is_files, list_files, survey
from azogue.modalities.pixels import (
    DTYPES,
    TORCH_DTYPES,
    Arrays,
    ImageRows,
    Index,
    Shape,
    as_container,
    as_numbers,
    cast,
    cut,
    laid_out,
    layout_like,
    layout_of,
    ranges,
    read_array,
    refuse,
    same_kind,
    within_limits,
)
from azogue.modalities.scaling import Policy
from azogue.recipe import Batch, Lazy, Rows, Spec

if TYPE_CHECKING:
    from torch import Tensor

Pixels: TypeAlias = "Arrays | Files"

#: Slots of the largest picture.
LARGEST = 2**28
_NO_DEMAND = Demand()


@dataclass(frozen=True, repr=False)
class Image(Spec):
    """Pictures of one size: arrays, or files that are read when they are needed.

    `X` may be an array or tensor of shape (n, h, w), (n, h, w, c) or (n, c, h, w), of integers, booleans or floats; a
    folder; or a list of paths. The channels are the last axis if that has 1 to 4 places, else the second. Files are
    grey if all of them are, else in colour; an alpha channel is laid over white, and 16 bit grey becomes 8 bit.
    NaN is missing.

    A pixel `u` is mapped to one slot by `s = (u − center) / scale`:

    - `"auto"`: bytes from [0, 255] and booleans from [0, 1], whatever the data's extremes, floats from [0, 1] if all
      lie in there, other values from the extremes of all training pixels; to [0, 1], or to [−1, 1] under an output
      activation of that reach. Counts under a Poisson head stay as they are;
    - `"minmax"`: the same for bytes and booleans; else the extremes of each channel;
    - `"standard"`: mean and population standard deviation of each channel;
    - `"none"`: 0 and 1.

    Integers of fewer than 2²³ levels come back exactly, floats within `range · 2⁻²³` (within `max |u| · 2⁻²³` where
    they are not moved).

    Parameters
    ----------
    scaling : {"auto", "minmax", "standard", "none"}
    size : tuple of int, optional
        Height and width that picture files are brought to, by bilinear interpolation over the pixels that a new one
        covers. Without it all files must be of one size.
    channels : {"first", "last"}, optional
        Which axis of a 4-d array holds the channels, where that cannot be told from its shape.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[[0, 51], [102, 255]]], np.uint8)
    >>> schema = Image().fit(X)
    >>> schema.describe()
    [{'name': 'pixels', 'kind': 'image 2 × 2 × 1', 'scaling': 'minmax', 'head': 'gaussian', 'slots': 4}]
    >>> schema.pack(X).x
    tensor([[0.0000, 0.2000, 0.4000, 1.0000]])
    >>> schema.unpack(schema.pack(X))
    array([[[  0,  51],
            [102, 255]]], dtype=uint8)
    """

    scaling: str = "auto"
    size: tuple[int, int] | None = None
    channels: str | None = None

    def __post_init__(self) -> None:
        if self.scaling not in SCALINGS:
            raise ValueError(f"Image: scaling must be one of {', '.join(map(repr, SCALINGS))}, got {self.scaling!r}")
        if self.channels not in (None, "first", "last"):
            raise ValueError(f"Image: channels must be 'first', 'last' or None, got {self.channels!r}")
        if self.size is not None:
            object.__setattr__(self, "size", checked_size(self.size))

    def fit(self, X: Any, demand: Demand = _NO_DEMAND) -> ImageSchema:
        """Learn how to pack pictures like `X` and how to undo it.

        Parameters
        ----------
        X : array, tensor, folder or list of paths
            Of files only the headers are read, but for `"standard"`, which needs their pixels.
        demand : Demand
            What objective and output activation ask of the pixels.

        Raises
        ------
        TypeError
            For pixels that are no numbers.
        ValueError
            For other shapes, infinity, files that cannot be read or are of different sizes (with their names), and
            contradictions to `demand`.
        """
        scaling, policy = channel_policy(self.scaling, demand, "minmax")
        pixels = self._read(X)
        rows, shape = pixels.rows, pixels.shape
        if math.prod(shape) > LARGEST:
            raise ValueError(f"Image: pictures of {_times(shape)} have more than {LARGEST:,} values; shrink them")
        channels = Channels.fit(scaling, ranges(pixels, self.scaling == "auto", scaling, policy), policy)
        kind = (rows.container, rows.dtype, rows.layout, shape, isinstance(pixels, Files) and pixels.resized)
        return ImageSchema(*kind, scaling, channels, policy.head, demand.activation)

    def _read(self, X: Any) -> Pixels:
        if is_files(X):
            paths, names = list_files(X)
            return Files(paths, names, survey(paths, self.size), self.size is not None)
        array, container = read_array(X)
        pixels = Arrays(array, layout_of(array.shape, self.channels), container)
        if self.size not in (None, pixels.shape[:2]):
            raise ValueError(
                f"Image: size={self.size} is for picture files, but X has the shape {array.shape}; resize the pictures "
                "before, or leave size out"
            )
        return pixels


@dataclass(frozen=True)
class ImageSchema:
    """Pictures that have been seen: their size, and how to pack and unpack them.

    A packed row is (h, w, c), flat. Pictures to pack must have this size; their axes may lie in another order, (n, h,
    w) stands for one channel, and they come back as they were.

    Parameters
    ----------
    container, dtype, layout : str
        What it was fitted on (see `ImageRows`), and what bare tensors are unpacked to.
    shape : tuple of int
        Height, width and channels.
    resized : bool
        Whether files are brought to this size.
    scaling, channels : str, Channels
        The scaling in force and its map.
    head, activation : str
        The head of all pixels and the output activation that was asked for.

    Examples
    --------
    >>> import numpy as np
    >>> schema = Image().fit(np.zeros((10, 3, 4, 5), np.uint8))
    >>> schema.layout, schema.shape, schema.width
    ('first', (4, 5, 3), 60)
    >>> schema.unpack(np.full((2, 60), 0.5)).shape
    (2, 3, 4, 5)
    """

    container: str
    dtype: str
    layout: str
    shape: Shape
    resized: bool
    scaling: str
    channels: Channels
    head: str = "gaussian"
    activation: str = "auto"

    names: ClassVar[None] = None

    @property
    def width(self) -> int:
        """Slots of a packed row."""
        return math.prod(self.shape)

    @property
    def n_columns(self) -> int:
        """Pixels times channels."""
        return self.width

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """One head over all slots."""
        return (head_for(Policy(self.scaling, self.head), self.width, self.activation),)

    def describe(self) -> list[dict[str, Any]]:
        """A plan of the pixels, in one entry: `name`, `kind`, `scaling`, `head` and `slots`."""
        kind = f"image {_times(self.shape)}"
        return [{"name": "pixels", "kind": kind, "scaling": self.scaling, "head": self.head, "slots": self.width}]

    def count(self, X: Any) -> int:
        """How many pictures there are."""
        return len(list_files(X)[0] if is_files(X) else X)

    def pack(self, X: Any) -> Batch:
        """The user's pictures → tensors and mask.

        Parameters
        ----------
        X : array, tensor, folder or list of paths
            Of the fitted size. Other integers may stand for the fitted ones where their values fit, but not floats for
            integers or the reverse: 0 to 1 and 0 to 255 must not be mixed up.

        Returns
        -------
        Batch
            `x` of shape (n, h · w · c), float32, and `mask`, None if nothing is missing.

        Raises
        ------
        TypeError, ValueError
            For pictures of another size or type than fitted, infinity, and files that cannot be read.
        """
        pixels = self._read(X)
        batch = self._take(pixels, slice(None))
        return Batch(batch.x, batch.mask, pixels.rows)

    def pieces(self, X: Any, size: int) -> Pieces:
        """The same, `size` rows at a time, for whoever reads them once: only one piece is ever there."""
        pixels = self._read(X)
        batches = (self._take(pixels, slice(at, at + size)) for at in range(0, len(pixels), size))
        return Pieces(len(pixels), pixels.rows, batches)

    def store(self, X: Any) -> Lazy:
        """The same, a row when it is taken: arrays are not copied, and files not opened before."""
        pixels = self._read(X)
        return Lazy(len(pixels), self.width, partial(self._take, pixels), pixels.rows)

    def _read(self, X: Any) -> Pixels:
        """Pictures of the fitted size and type."""
        if is_files(X):
            same_kind(DTYPES[self.dtype], DTYPES["uint8"])
            if self.shape[2] not in (1, 3):
                raise ValueError(f"Image: expected pictures of {_times(self.shape)}; files have 1 or 3 channels")
            return Files(*list_files(X), self.shape, self.resized)
        array, container = read_array(X)
        layout = layout_like(array.shape, self.shape, self.layout)
        same_kind(DTYPES[self.dtype], array.dtype)
        return Arrays(array, layout, container)

    def _take(self, pixels: Pixels, index: Index) -> Batch:
        """Rows of pictures, in the order of the index."""
        import torch

        count = len(range(*index.indices(len(pixels)))) if isinstance(index, slice) else len(index)
        x = np.empty((count, self.width), np.float32)
        mask, at = None, 0
        for part in cut(index, len(pixels), self.width):
            values = pixels.take(part)
            stop = at + len(values)
            gaps = self._scale(values, x[at:stop].reshape(values.shape), (len(pixels), part))
            if gaps is not None:
                mask = np.ones(x.shape, bool) if mask is None else mask
                mask[at:stop] = ~gaps.reshape(stop - at, -1)
            at = stop
        return Batch(torch.from_numpy(x), None if mask is None else torch.from_numpy(mask))

    def _scale(self, values: NDArray[Any], out: NDArray[np.float32], where: tuple[int, Index]) -> Any:
        """Write scaled values to `out`, and give back where they are missing, None if nowhere."""
        if values.dtype.kind != "f":
            within_limits(values, DTYPES[self.dtype], where)
        with np.errstate(over="ignore"):
            if self._exact and values.dtype == np.uint8:
                np.divide(np.subtract(values, self._exact[0], out=out, dtype=np.float32), self._exact[1], out=out)
            else:
                out[...] = values if self._exact == (0.0, 1.0) else self.channels.forward(values)
        gaps = None
        if values.dtype.kind == "f" and not np.isfinite(out).all():
            gaps = np.isnan(values)
            refuse(np.isinf(out), where, "infinity or a number too large for float32; write NaN for what is missing")
            out[gaps] = 0.0
        if self.head == "poisson":
            refuse(out < 0, where, "a negative value, but the objective is for counts")
        return gaps

    @cached_property
    def _exact(self) -> tuple[float, float] | None:
        """Center and scale, where float32 gives bytes the same bits as float64: `u − center` is exact."""
        pairs = {*zip(self.channels.center, self.channels.scale, strict=True)}
        if len(pairs) > 1 or not pairs <= {(0.0, 255.0), (127.5, 127.5), (0.0, 1.0)}:
            return None
        return pairs.pop()

    def unpack(self, out: Batch | Tensor | NDArray[Any]) -> Any:
        """Tensors → the user's kind of object, layout, units and dtype.

        Parameters
        ----------
        out : Batch, or tensor or array of shape (n, width)
            A batch gives back the container, layout and dtype that were packed, and pixels where its mask is False come
            back as NaN. A bare tensor gives what was fitted, every pixel filled. Integers are rounded and clipped.

        Raises
        ------
        ValueError
            For another width, and where pixels are missing or NaN in a dtype that cannot hold that.
        """
        batch = out if isinstance(out, Batch) else Batch(out)  # type: ignore[arg-type]
        s = as_numbers(batch.x)
        if s.ndim != 2 or s.shape[1] != self.width:
            raise ValueError(f"ImageSchema.unpack: expected the shape (n, {self.width}), got {s.shape}")
        observed = None if batch.mask is None else as_numbers(batch.mask).reshape(len(s), *self.shape)
        rows = batch.rows if isinstance(batch.rows, ImageRows) else self._rows
        result = np.empty((len(s), *self.shape), DTYPES[rows.dtype])
        for part in cut(slice(None), len(s), self.width):
            values = self.channels.inverse(s[part].reshape(-1, *self.shape))
            if observed is not None:
                values[~observed[part].astype(bool)] = np.nan
            result[part] = cast(values, result.dtype)
        return as_container(laid_out(result, rows.layout), rows.container)

    @property
    def _rows(self) -> ImageRows:
        return ImageRows(self.container, None, self.layout, self.dtype)

    def arrange(self, cells: Any, rows: Rows | None = None) -> NDArray[np.float64]:
        """Numbers about pixels, shape (n, width) → the layout of the pictures, NaN where there is none."""
        numbers = as_numbers(cells).astype(np.float64)
        if numbers.ndim != 2 or numbers.shape[1] != self.width:
            raise ValueError(f"ImageSchema.arrange: expected the shape (n, {self.width}), got {numbers.shape}")
        layout = (rows if isinstance(rows, ImageRows) else self._rows).layout
        return laid_out(numbers.reshape(-1, *self.shape), layout)

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values, floats exact."""
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"modality": "image"} | content | {"shape": list(self.shape), "channels": self.channels.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ImageSchema:
        """The schema that `to_dict` wrote.

        Raises
        ------
        ValueError
            For keys, types, sizes and names that do not exist, and for contradictions.
        """
        try:
            content = dict(data)
            named = content.pop("modality") == "image" and set(content) == {item.name for item in fields(cls)}
            if not named or set(content["channels"]) != {"center", "scale"}:
                raise ValueError(f"the keys are {sorted(data)}")
            content["shape"] = tuple(content["shape"])
            floats = all(type(value) is float for part in content["channels"].values() for value in part)
            content["channels"] = Channels.from_dict(content["channels"])
            schema = cls(**content)
            if not (floats and schema._is_sound()):
                raise ValueError("its parts are of wrong types or contradict one another")
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not the schema of pictures: {error}; save the model again") from error
        return schema

    def _is_sound(self) -> bool:
        """Whether a schema from a file is one that `fit` could have made."""
        center, scale = self.channels.center, self.channels.scale
        allowed = {"poisson": ("none",), "bernoulli": ("minmax", "none")}.get(self.head, SCALINGS[1:])
        files = (self.dtype, self.layout, self.shape[-1]) in (("uint8", "grey", 1), ("uint8", "last", 3))
        return (
            len(self.shape) == 3
            and all(type(part) is int and part > 0 for part in self.shape)
            and math.prod(self.shape) <= LARGEST
            and len(center) == self.shape[2]
            and min(scale) > 0
            and self.container in ("numpy", "torch", *(["files"] * files))
            and self.dtype in (TORCH_DTYPES if self.container == "torch" else DTYPES)
            and self.layout in ("last", "first", *(["grey"] * (self.shape[2] == 1)))
            and (self.resized is False or (self.resized is True and self.container == "files"))
            and self.head in HEADS
            and self.scaling in allowed
            and (self.scaling != "none" or ({*center}, {*scale}) == ({0.0}, {1.0}))
            and self.activation in ("auto", *ACTIVATIONS)
        )


def _times(shape: Shape) -> str:
    return " × ".join(map(str, shape))
