"""Mixtures: recordings of real noise added to signals at a signal-to-noise ratio.

What a `Mixture` mixes in is a `Recording`, which compares and prints by what it holds.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from azogue.corruptions.base import Corruption
from azogue.recipe import Rng, Spec

if TYPE_CHECKING:
    from torch import Tensor

#: Samples that a model file holds of a recording, at most; of a longer one it holds the fingerprint alone.
STORED = 2**18
#: Levels of a sample to either side of 0.
LEVELS = 32767


@dataclass(frozen=True, repr=False)
class Recording(Spec):
    """Recordings of noise as a value: two are equal if they hold the same samples.

    Each clip is centred, divided by its standard deviation and held with 16 bits a sample. Make one with
    `Recording.of(clips)`; the fields are what a model file holds.

    Parameters
    ----------
    digest : str
        Fingerprint of the samples (BLAKE2, 128 bits).
    lengths : tuple of int
        Samples of each clip.
    data : str or None
        The samples as text (base64) for at most 2¹⁸ of them, else None: a model file then holds the fingerprint alone.
        Such a model works, but has to be given the recording again to be trained on.

    Examples
    --------
    >>> import numpy as np
    >>> hum = Recording.of(np.sin(np.arange(1000) / 8))
    >>> hum
    Recording.of(1 clip, 1000 samples, ...)
    >>> hum == Recording.of(np.sin(np.arange(1000) / 8))
    True
    """

    digest: str
    lengths: tuple[int, ...]
    data: str | None = None

    @classmethod
    def of(cls, clips: Any) -> Recording:
        """Recordings from samples.

        Parameters
        ----------
        clips : array, shape (samples,) or (samples, channels), or a list of such arrays
            The channels of an array are taken as clips of their own.

        Raises
        ------
        TypeError, ValueError
            For what are no numbers, nothing, NaN, infinity, or a clip of one value.
        """
        if isinstance(clips, Recording):
            return clips
        many = isinstance(clips, (list, tuple)) and len(clips) > 0 and np.ndim(clips[0]) > 0
        parts = [_steady(clip, at) for at, clip in enumerate(_columns(clips if many else [clips]))]
        return cls._held(np.concatenate(parts), tuple(map(len, parts)))

    @classmethod
    def _held(cls, samples: NDArray[np.int16], lengths: tuple[int, ...]) -> Recording:
        raw = samples.astype("<i2").tobytes()
        digest = hashlib.blake2b(repr(lengths).encode() + raw, digest_size=16).hexdigest()
        made = cls(digest, lengths, base64.b64encode(raw).decode() if len(samples) <= STORED else None)
        object.__setattr__(made, "_samples", samples)
        return made

    def __post_init__(self) -> None:
        lengths = tuple(self.lengths)
        if not lengths or any(type(length) is not int or length < 1 for length in lengths):
            raise ValueError(f"Recording: lengths must be numbers of samples, got {self.lengths!r}")
        object.__setattr__(self, "lengths", lengths)
        if self.data is None:
            return
        samples = np.frombuffer(base64.b64decode(self.data, validate=True), "<i2").astype(np.int16)
        raw = samples.astype("<i2").tobytes()
        if (
            len(samples) != sum(lengths)
            or hashlib.blake2b(repr(lengths).encode() + raw, digest_size=16).hexdigest() != self.digest
        ):
            raise ValueError("Recording: the samples are not those of the fingerprint; make it with Recording.of")
        object.__setattr__(self, "_samples", samples)

    @property
    def samples(self) -> NDArray[np.int16]:
        """The samples of all clips, one after the other; 32767 stands for the largest of a clip.

        Raises
        ------
        ValueError
            If they came from a model file that holds their fingerprint alone.
        """
        found: NDArray[np.int16] | None = getattr(self, "_samples", None)
        if found is None:
            raise ValueError(
                f"{self!r}: the model file holds only the fingerprint of this recording, as it has more than "
                f"{STORED:,} samples; set corruption= to a Mixture of the recording to train again"
            )
        return found

    def __repr__(self) -> str:
        count = len(self.lengths)
        clips = f"{count} clip{'s' if count > 1 else ''}"
        return f"{type(self).__name__}.of({clips}, {sum(self.lengths)} samples, {self.digest[:8]})"


def _columns(clips: Sequence[Any]) -> list[NDArray[np.float64]]:
    """Clips of one channel each."""
    found = []
    for at, clip in enumerate(clips):
        values = np.asarray(clip)
        if values.dtype.kind not in "biuf":
            raise TypeError(f"Recording: clip {at} holds no numbers, but dtype {values.dtype}; give arrays of samples")
        if values.ndim not in (1, 2) or not values.size:
            raise ValueError(f"Recording: clip {at} has shape {values.shape}; give (samples,) or (samples, channels)")
        found += list(values.astype(np.float64).reshape(len(values), -1).T)
    return found


def _steady(clip: NDArray[np.float64], at: int) -> NDArray[np.int16]:
    """A clip around 0, with 16 bits a sample."""
    if not np.isfinite(clip).all():
        raise ValueError(f"Recording: clip {at} holds NaN or infinity; cut them out")
    centred = clip - (clip.mean() if len(clip) else 0.0)
    largest = float(np.abs(centred).max(initial=0.0))
    if not largest > 1e-9 * float(np.abs(clip).max(initial=0.0)):
        raise ValueError(f"Recording: clip {at} holds one value only, which is no noise; leave it out")
    return np.asarray(np.rint(centred * (LEVELS / largest)), np.int16)


@dataclass(frozen=True, repr=False)
class Mixture(Corruption):
    """Add noise at a signal-to-noise ratio in dB that is drawn for each row between `low` and `high`.

    With x a row (t, c), x̄ its channels' means, v the noise and q the ratio drawn,

        seen = x + v · √(max(‖x − x̄‖²/tc, floor) / (mean v² · 10^(q/10))).

    The noise is a stretch of a recording from an offset at random, turned upside down at even odds; a clip shorter
    than the row is repeated. Each clip counts the same. Every channel of a row gets a stretch of its own.

    Parameters
    ----------
    recordings : Recording, array, list of arrays, or None
        Recordings of noise at the sampling rate of the signals. None: normal white noise.
    low, high : float
        Signal-to-noise ratio in dB.
    white : float
        The share of rows that get white noise instead of a recording.
    layers : float
        The share of rows whose noise is the sum of two stretches, at ratios of their own.
    floor : float
        The least mean power that a row counts as having, in scaled units (where a signal's is 1): so that the silence
        between two sounds is seen with noise too.

    Raises
    ------
    ValueError
        For bounds in the wrong order, shares outside of [0, 1], a negative floor.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.sin(np.arange(400) / 9)[None, :, None]
    >>> seen = Mixture(low=10, high=10).apply(x)
    >>> bool(8 < 10 * np.log10(x.var() / (seen - x).var()) < 12)
    True
    """

    recordings: Any = None
    low: float = 0.0
    high: float = 20.0
    _: KW_ONLY
    white: float = 0.0
    layers: float = 0.0
    floor: float = 0.01

    positional: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.recordings is not None:
            object.__setattr__(self, "recordings", Recording.of(self.recordings))
        if not -math.inf < self.low <= self.high < math.inf:
            raise ValueError(f"Mixture: needs low ≤ high in dB, got low={self.low!r}, high={self.high!r}")
        for name in ("white", "layers"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"Mixture: {name} is a share in [0, 1], got {getattr(self, name)!r}")
        if not 0.0 <= self.floor < math.inf:
            raise ValueError(f"Mixture: floor must be at least 0, got {self.floor!r}")

    def __call__(
        self, x: Tensor, rng: Rng, columns: Tensor | None = None, *, shape: tuple[int, ...] = ()
    ) -> tuple[Tensor, Tensor]:
        import torch

        channels = shape[-1] if len(shape) > 1 else 1
        steps = x.shape[1] // channels
        rows = x.reshape(len(x), steps, channels)
        power = (rows - rows.mean(1, keepdim=True)).square().mean((1, 2)).clamp(min=self.floor)
        noise = self._noise(x, rng, "mixture", steps, channels)
        ratio = self._ratio(x, rng, "mixture/ratio")
        added = noise * (power / ratio).sqrt()[:, None, None]
        if self.layers:
            second = self._noise(x, rng, "mixture/second", steps, channels)
            again = rng.uniform("mixture/layers", (len(x),), x) < self.layers
            size = torch.where(again, (power / self._ratio(x, rng, "mixture/second/ratio")).sqrt(), 0.0)
            added = added + second * size[:, None, None]
        seen = x + added.reshape(x.shape).to(x.dtype)
        return seen, torch.ones_like(x, dtype=torch.bool)

    def _ratio(self, x: Tensor, rng: Rng, stream: str) -> Tensor:
        """Signal-to-noise ratios of powers, (n,)."""
        drawn = self.low + (self.high - self.low) * rng.uniform(stream, (len(x),), x)
        ratio: Tensor = 10.0 ** (drawn / 10.0)
        return ratio

    def _noise(self, x: Tensor, rng: Rng, stream: str, steps: int, channels: int) -> Tensor:
        """Noise of mean power 1 for each row, (n, steps, channels)."""
        shape = (len(x), steps, channels)
        if self.recordings is None:
            return _level(rng.normal(stream, shape, x))
        cut = self._cut(rng.uniform(stream, (3, len(x), channels), x), steps, x)
        if not self.white:
            return _level(cut)
        plain = rng.uniform(f"{stream}/white", (len(x),), x) < self.white
        cut[plain] = rng.normal(f"{stream}/normal", (int(plain.sum()), steps, channels), x).to(cut.dtype)
        return _level(cut)

    def _cut(self, draws: Tensor, steps: int, x: Tensor) -> Tensor:
        """Stretches of the recordings, (n, steps, channels): which clip, from where and which way up, as drawn."""
        import torch

        lengths = np.array(self.recordings.lengths)
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        clip, place, sign = draws.double().cpu().numpy()
        chosen = np.minimum((clip * len(lengths)).astype(np.int64), len(lengths) - 1)
        size = lengths[chosen]
        free = np.where(size > steps, size - steps + 1, size)
        offset = (place * free).astype(np.int64)
        index = starts[chosen][:, None] + (offset[:, None] + np.arange(steps)[:, None]) % size[:, None]
        values = self.recordings.samples[index] * np.where(sign < 0.5, -1.0, 1.0)[:, None]
        return torch.as_tensor(values, dtype=torch.float32, device=x.device).to(x.dtype)


def _level(noise: Tensor) -> Tensor:
    """Noise brought to a mean power of 1 in each row; silence stays silent."""
    import torch

    power = noise.square().mean((1, 2), keepdim=True)
    return noise / power.clamp(min=torch.finfo(noise.dtype).tiny).sqrt()
