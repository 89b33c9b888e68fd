"""Sequences: many of one length, ragged ones, long series cut into windows, and WAV files ↔ scaled tensors.

A packed row is a sequence, or a window of a long series: `t` samples of `c` channels. Shorter sequences are padded with
zeros under a mask, and missing samples are zeros under it too. `unpack` undoes all of it, and averages windows where
they overlap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from azogue.heads import Head
from azogue.modalities.base import Demand, Pieces
from azogue.modalities.channels import SCALINGS, Channels, channel_policy, head_for
from azogue.modalities.scaling import Policy
from azogue.modalities.waves import DTYPES, as_array, as_batch, as_dtype, as_tensors, is_whole, read
from azogue.modalities.windows import HUGE, Cut, Floats, SequenceRows, Source, infinity, lay_out, step_of, stored_scale
from azogue.recipe import Batch, Lazy, Spec

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Sequence", "SequenceRows", "SequenceSchema"]

#: Samples of a window of WAV files where none was asked for.
WAVE_WINDOW = 1024
#: Slots of a packed row, at most.
LARGEST = 2**28
#: Channels that a description shows, at most.
_SHOWN = 20
#: Heads for limited values, and the scalings that go with them.
_LIMITED = (("bernoulli", "minmax"), ("bernoulli", "none"), ("poisson", "none"))
_NO_DEMAND = Demand()


@dataclass(frozen=True, repr=False)
class Sequence(Spec):
    """Signals: `t` samples of `c` channels in each row.

    What may come, and comes back as it came:

    - an array of shape (n, t, c): n sequences of one length;
    - a list of arrays of shape (t, c) or (t,), of any lengths: padded to the longest one seen by `fit`;
    - with `window=`, one long series of shape (t, c) or (t,), or a list of them: each window is a row, and overlaps
      are averaged on the way back;
    - WAV files: a path, a list of paths, or a folder. They are cut into windows of 1024 samples unless `window=` says
      otherwise; with `length=` each file is one row. Samples keep the file's own units: −32768 to 32767 for 16 bits.
      24 bits are int32 whose lowest byte is 0.

    Each channel has its own scale, over all sequences. NaN counts as missing. Floats come back within `range · 2⁻²³`,
    whole numbers of fewer than 2²⁴ levels exactly.

    Parameters
    ----------
    window : int, optional
        Samples of a window.
    overlap : float
        The part of a window, in [0, 1), that the next one shares with it.
    scaling : {"auto", "standard", "minmax", "none"}
        `"auto"` is `"standard"`, and `"minmax"` where objective or output activation limit the values.
    length : int, optional
        Samples of a row, for sequences longer than those that `fit` sees.

    Examples
    --------
    >>> import numpy as np
    >>> schema = Sequence(window=4).fit(np.arange(7))
    >>> batch = schema.pack(np.arange(7))
    >>> batch.x.shape
    torch.Size([3, 4])
    >>> schema.unpack(batch)
    array([0, 1, 2, 3, 4, 5, 6])
    >>> ragged = Sequence().fit([[1.0, 2.0, 3.0], [5.0, 7.0]])
    >>> ragged.pack([[5.0, 7.0]]).mask
    tensor([[ True,  True, False]])
    """

    window: int | None = None
    overlap: float = 0.5
    scaling: str = "auto"
    length: int | None = None

    def __post_init__(self) -> None:
        for name in ("window", "length"):
            size = getattr(self, name)
            if size is not None and not (is_whole(size) and 1 <= size <= LARGEST):
                raise ValueError(f"Sequence: {name} must be a number of samples from 1 on, got {size!r}")
        if self.window is not None and self.length is not None:
            raise ValueError("Sequence: window= cuts series, length= pads them; give one of the two")
        if not isinstance(self.overlap, int | float | np.number) or not 0 <= self.overlap < 1:
            raise ValueError(f"Sequence: overlap must lie in [0, 1), got {self.overlap!r}")
        if self.scaling not in SCALINGS:
            raise ValueError(f"Sequence: scaling must be one of {', '.join(map(repr, SCALINGS))}, got {self.scaling!r}")

    def fit(self, X: Any, demand: Demand = _NO_DEMAND) -> SequenceSchema:
        """Learn how to pack sequences like `X` and how to undo it.

        Parameters
        ----------
        X : array, list of arrays, path or list of paths
        demand : Demand
            What objective and output activation ask of the channels.

        Raises
        ------
        TypeError, ValueError
            For what are no sequences of numbers, infinity, channels without values, files that cannot be read or
            do not go together, and contradictions to `demand`. The message names the sequence or the file.
        """
        scaling, policy = channel_policy(self.scaling, demand, "standard")
        source = read(X, self.window is not None)
        rows = source.rows
        usual = WAVE_WINDOW if rows.rates and self.length is None else None
        window = self.window or usual
        size = int(window or self.length or max(rows.lengths))
        if size * source.channels > LARGEST:
            raise ValueError(f"Sequence: a row of {size:,} × {source.channels} values is too large; give window=")
        source.check(source.channels, None if window else size, None)
        return SequenceSchema(
            rows.container,
            source.dtype.str,
            all(rows.flat),
            rows.tensor,
            size,
            None if window is None else step_of(size, self.overlap),
            rows.rates[0] if rows.rates else None,
            scaling,
            source.scale(scaling, policy),
            policy.head,
            demand.activation,
        )


@dataclass(frozen=True)
class SequenceSchema:
    """Sequences that have been seen: how long they may be, each channel's scale, and how to pack and unpack them.

    Parameters
    ----------
    container : {"array", "list", "series"}
        What it was fitted on, and what bare tensors are unpacked to.
    dtype : str
    flat : bool
        Whether sequences came without an axis of channels.
    tensor : bool
        Whether they came as torch tensors.
    size : int
        Samples of a row.
    step : int or None
        Samples from one window to the next; None where sequences are not cut.
    rate : int or None
        Samples a second, of WAV files.
    scaling : str
    scale : Channels
    head, activation : str
        The head of all slots and the output activation that was asked for.

    Examples
    --------
    >>> schema = Sequence().fit(np.zeros((5, 3, 2)))
    >>> schema.shape, schema.width
    ((3, 2), 6)
    """

    container: str
    dtype: str
    flat: bool
    tensor: bool
    size: int
    step: int | None
    rate: int | None
    scaling: str
    scale: Channels
    head: str = "gaussian"
    activation: str = "auto"

    names: ClassVar[None] = None

    @property
    def channels(self) -> int:
        """Channels of a sample."""
        return len(self.scale.center)

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels of a row."""
        return self.size, self.channels

    @property
    def width(self) -> int:
        """Slots of a packed row."""
        return self.size * self.channels

    @property
    def n_columns(self) -> int:
        """Cells of a row whose errors are told: each sample of each channel."""
        return self.width

    @cached_property
    def heads(self) -> tuple[Head, ...]:
        """One head over all slots."""
        return (head_for(Policy(self.scaling, self.head), self.width, self.activation),)

    def describe(self) -> list[dict[str, Any]]:
        """A plan of the channels: `name`, `kind`, `scaling`, `head` and `slots` of each; the twentieth has the rest."""
        shown = min(self.channels, _SHOWN)
        known = {"kind": f"sequence of {self.size}", "scaling": self.scaling, "head": self.head}
        plan = [{"name": f"channel {at + 1}", **known, "slots": self.size} for at in range(shown)]
        if self.channels > shown:
            rest = {"name": f"channels {shown} to {self.channels}", "slots": self.size * (self.channels - shown + 1)}
            plan[-1] |= rest
        return plan

    def _source(self, X: Any) -> tuple[Source, Cut]:
        source = read(X, self.step is not None)
        source.check(self.channels, self.size if self.step is None else None, self.rate)
        return source, self._cut(source.rows)

    def _cut(self, rows: SequenceRows) -> Cut:
        return Cut(self.size, self.step or self.size, np.array(rows.lengths, np.int64))

    def count(self, X: Any) -> int:
        """How many packed rows `X` gives."""
        return self._source(X)[1].count

    def pack(self, X: Any) -> Batch:
        """The user's sequences → tensors and mask.

        Parameters
        ----------
        X : array, list of arrays, path or list of paths
            The container need not be the fitted one.

        Returns
        -------
        Batch
            `x` of shape (n, width), float32, samples before channels, and `mask`, None if nothing is missing or padded.

        Raises
        ------
        TypeError, ValueError
            For other channels or another sampling rate than fitted, longer sequences where they are not cut, and
            infinity. The message names the sequence or the file.
        """
        source, cut = self._source(X)
        x = np.zeros((cut.count, self.width), np.float32)
        hidden = np.zeros(x.shape, bool)
        for rows in cut.blocks(self.channels):
            x[rows], hidden[rows] = self._block(source, cut, np.arange(rows.start, rows.stop))
        return as_batch(x, hidden, hidden.any(), source.rows)

    def pieces(self, X: Any, size: int) -> Pieces:
        """The same, `size` rows at a time, for whoever reads them once; files are read when it is their turn."""
        source, cut = self._source(X)

        def batches() -> Iterator[Batch]:
            for start in range(0, cut.count, size):
                x, hidden = self._block(source, cut, np.arange(start, min(start + size, cut.count)))
                yield as_batch(x, hidden, hidden.any())

        return Pieces(cut.count, source.rows, batches())

    def store(self, X: Any) -> Lazy:
        """The same for training: the samples stay as they are, and rows are cut and scaled when they are taken."""
        source, cut = self._source(X)
        source = source.held()
        holes = min(source.rows.lengths) < self.size
        if source.dtype.kind == "f":
            for part in source.parts():
                holes = holes or bool(np.isnan(part).any())

        def take(index: Any) -> Batch:
            rows = np.arange(*index.indices(cut.count)) if isinstance(index, slice) else np.asarray(index, np.int64)
            return as_batch(*self._block(source, cut, rows), holes)

        return Lazy(cut.count, self.width, take, source.rows)

    def _block(self, source: Source, cut: Cut, rows: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Scaled values (rows, width), and where none is known."""
        values = cut.gather(source.series, rows)
        for row, _, channel in np.argwhere(np.isinf(values))[:1]:
            raise infinity(source.name(cut.places(rows)[0][row]), channel)
        if self.head == "poisson" and (values < 0).any():
            at = cut.places(rows)[0][np.argwhere(values < 0)[0, 0]]
            raise ValueError(f"{source.name(at)} has negative values, but the objective is for counts")
        with np.errstate(over="ignore"):
            x = np.clip(self.scale.forward(values), -HUGE, HUGE).reshape(len(rows), self.width)
        hidden = np.isnan(x)
        x[hidden] = 0.0
        return x, hidden

    def unpack(self, out: Batch | Tensor | NDArray[Any]) -> Any:
        """Tensors → the user's kind of object, lengths, units and dtypes.

        Parameters
        ----------
        out : Batch, or tensor or array of shape (n, width)
            A batch gives back what was packed, and samples where its mask is False come back as NaN. A bare tensor
            gives the fitted container: sequences of full length, or all windows joined to one series if one was fitted.

        Raises
        ------
        ValueError
            For another width or number of rows, and where the mask asks for missing samples of whole numbers.
        """
        batch = out if isinstance(out, Batch) else Batch(out)  # type: ignore[arg-type]
        s = as_array(batch.x)
        rows = self._rows(s, batch.rows, "unpack")
        hidden = None if batch.mask is None else ~as_array(batch.mask).astype(bool)

        def part(at: slice) -> Floats:
            values = self.scale.inverse(s[at].reshape(-1, *self.shape))
            if hidden is not None:
                values[hidden[at].reshape(values.shape)] = np.nan
            return values

        def cells(values: Floats, at: int) -> NDArray[Any]:
            name = "X" if rows.container == "array" else f"sequence {at}"
            return as_dtype(values, np.dtype(rows.dtypes[at]), name)

        found = lay_out(self._cut(rows), rows, part, self.channels, cells)
        return as_tensors(found) if rows.tensor else found

    def arrange(self, cells: NDArray[Any], rows: Any = None) -> Any:
        """Numbers about cells (n, n_columns) in the layout of the sequences, float64, NaN where missing.

        Samples of several windows get the average, with the same weights as the signal.
        """
        known = self._rows(cells, rows, "arrange")

        def part(at: slice) -> Floats:
            return np.array(cells[at], np.float64).reshape(-1, *self.shape)

        return lay_out(self._cut(known), known, part, self.channels, lambda values, _: values)

    def _rows(self, s: NDArray[Any], rows: Any, task: str) -> SequenceRows:
        """The layout to give back, the fitted one where there is none."""
        if s.ndim != 2 or s.shape[1] != self.width:
            raise ValueError(f"SequenceSchema.{task}: expected the shape (n, {self.width}), got {s.shape}")
        if not isinstance(rows, SequenceRows):
            lengths = (self.size,) * len(s)
            if self.container == "series" and len(s):
                lengths = ((len(s) - 1) * (self.step or self.size) + self.size,)
            many = max(1, len(lengths))
            dtypes, flat = (self.dtype,) * many, (self.flat,) * many
            return SequenceRows(self.container, None, lengths, dtypes, flat, None, self.tensor)
        if self._cut(rows).count != len(s):
            raise ValueError(f"SequenceSchema.{task}: expected {self._cut(rows).count} rows, got {len(s)}")
        return rows

    def to_dict(self) -> dict[str, Any]:
        """The schema as JSON values, floats exact."""
        content = {item.name: getattr(self, item.name) for item in fields(self)}
        return {"modality": "sequence"} | content | {"scale": self.scale.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> SequenceSchema:
        """The schema that `to_dict` wrote.

        Raises
        ------
        ValueError
            For keys, types, sizes, dtypes, scalings or heads that do not exist or contradict one another.
        """
        if not isinstance(data, dict) or set(data) != {"modality", *(item.name for item in fields(cls))}:
            raise ValueError(f"not the schema of sequences: the keys are {list(data)}")
        content = {key: value for key, value in data.items() if key != "modality"}
        scale = stored_scale(content["scale"])
        channels, size, step, rate = len(scale.center), content["size"], content["step"], content["rate"]
        head, scaling = content["head"], content["scaling"]
        sound = {
            "modality": data["modality"] == "sequence",
            "container": content["container"] in ("array", "list", "series"),
            "dtype": content["dtype"] in DTYPES,
            "flat": content["flat"] in (False, channels == 1) and type(content["flat"]) is bool,
            "tensor": type(content["tensor"]) is bool,
            "size": type(size) is int and size >= 1 and size * channels <= LARGEST,
            "step": step is None or (type(step) is int and type(size) is int and 1 <= step <= size),
            "rate": rate is None or (type(rate) is int and rate >= 1),
            "scaling": scaling in SCALINGS[1:],
            "head": head == "gaussian" or (head, scaling) in _LIMITED,
            "activation": type(content["activation"]) is str,
        }
        if wrong := [name for name, good in sound.items() if not good]:
            raise ValueError(f"not the schema of sequences: {wrong[0]} is {data[wrong[0]]!r}")
        return cls(**content | {"scale": scale})
