"""What denoising does for signals: the network, what noise is like, and more variety to learn from."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from azogue.applications.series import as_series, restored
from azogue.autoencoder import Autoencoder
from azogue.corruptions import Corruption, Mixture
from azogue.layers import Conv, Dense, Input, Output, Stack
from azogue.modalities.waves import read
from azogue.objectives.logarithms import LogError
from azogue.optimizers import Constant, Cosine

Floats = NDArray[np.float64]

#: Filters of the convolutions, each of which halves the samples, and how many samples each spans.
FILTERS, SPAN = (32, 64, 96, 128), 9
#: Samples that the last convolution keeps, at least.
KEPT = 8
#: Samples that are shown to a network in all, about. Fewest and most epochs.
SHOWN, EPOCHS = 60_000_000, (10, 200)
#: Most epochs of learning from noisy signals alone: with more, few signals are learned by heart, noise and all.
BLIND = 60
#: dB around the estimated ratio that a network is trained for.
AROUND = 5.0
#: The standard deviation of normal noise is so many times its median absolute value.
NORMAL = 1.4826


def signal_network(shape: tuple[int, int], corruption: Corruption | None = None) -> Stack:
    """Convolutions with stride 2 and skip connections: each level sees twice as far as the one before.

    Who learns from noisy signals alone has no skip connections: they hand on what a sample shows itself, and few steps
    are enough to copy it, but not to learn to leave it.

    Parameters
    ----------
    shape : tuple of int
        Samples and channels of a window. As many levels as leave 8 samples, 4 at most; below 16 samples the network
        is dense.
    corruption : Corruption, optional
        What is to be taken off.

    Examples
    --------
    >>> signal_network((32, 1))
    Input() + Conv(32, size=9, activation='silu', stride=2) + Conv(64, size=9, activation='silu', stride=2) +
    Output(skips=True)
    """
    samples, channels = shape
    network, levels = Stack((Input(),)), 0
    while levels < len(FILTERS) and samples >= 2 * KEPT:
        network = network + Conv(FILTERS[levels], SPAN, "silu", stride=2)
        samples, levels = -(-samples // 2), levels + 1
    if not levels:
        units = 8 * samples * channels
        network = network + Dense(units, "silu") + Dense(units, "silu")
    return network + Output(skips=corruption is None or not corruption.blind)


def signal_autoencoder(
    shape: tuple[int, int], corruption: Corruption | None = None, rows: int | None = None, **shared: Any
) -> Autoencoder:
    """The autoencoder that denoises signals where nobody gives one.

    Parameters
    ----------
    shape : tuple of int
        Samples and channels of a window.
    corruption : Corruption, optional
    rows : int, optional
        How many windows there are to learn from: many are shown fewer times. Without it, 60 epochs.
    **shared
        Further parameters of `Autoencoder`, in place of these.

    Examples
    --------
    >>> signal_autoencoder((1024, 1), rows=1000).epochs
    59
    """
    epochs = 60
    if rows is not None:
        epochs = int(np.clip(round(SHOWN / (max(rows, 1) * shape[0])), *EPOCHS))
    if corruption is not None and corruption.blind:
        epochs = min(epochs, BLIND)
    settings: dict[str, Any] = {
        "corruption": corruption,
        "objective": LogError(),
        "epochs": epochs,
        "batch_size": 16,
        "learning_rate": Cosine(2e-3, warmup=0.05),
        "validation_fraction": 0.0,
        "patience": None,
    }
    return Autoencoder(signal_network(shape, corruption), **(settings | shared))


def estimated(noisy: Any, clean: Any = None) -> Mixture:
    """The noise of signals as white noise of about their signal-to-noise ratio.

    The noise's standard deviation is told from the second differences of neighbouring samples,
    `median |x_{t−1} − 2 x_t + x_{t+1}| · 1.4826 / √6` in each channel, which hardly see what is slow. What
    clean signals give there, by their power, is taken off.

    Parameters
    ----------
    noisy : signals
        As `Sequence` takes them.
    clean : signals, optional
        Signals of the same kind without noise.

    Raises
    ------
    ValueError
        For signals without any noise that could be told.

    Examples
    --------
    >>> t = np.arange(5000)
    >>> noisy = np.sin(t / 20) + np.random.default_rng(0).normal(0, 0.5, 5000)
    >>> found = estimated(noisy)
    >>> -2 < (found.low + found.high) / 2 - 3.0 < 2  # 10 log₁₀(0.5 / 0.25)
    True
    """
    noise, power = _powers(noisy)
    if clean is not None:
        own, whole = _powers(clean)
        share = min(own / whole, 0.99) if whole > 0.0 else 0.0  # of the signals' power, which looks like noise
        noise = (noise - share * power) / (1.0 - share)
    if not noise > 1e-8 * power > 0.0:
        raise ValueError("noise: the signals show none that could be told; say what it is, as Mixture(low=0, high=10)")
    ratio = round(10.0 * float(np.log10(max(power - noise, 1e-3 * noise) / noise)), 2)
    return Mixture(low=ratio - AROUND, high=ratio + AROUND)


def _powers(signals: Any) -> tuple[float, float]:
    """The noise's mean power, and that of the centred signals."""
    source = read(signals, True)
    rough, whole, samples = 0.0, 0.0, 0
    for at in range(len(source.rows.lengths)):
        values = np.asarray(source.series[at], np.float64)
        values = values[np.isfinite(values).all(1)]
        if len(values) < 3:
            continue
        second = np.diff(values, 2, axis=0)
        spread = np.median(np.abs(second), axis=0) * NORMAL / np.sqrt(6.0)
        rough += float(np.mean(spread**2)) * len(values)
        whole += float(np.mean(values.var(axis=0))) * len(values)
        samples += len(values)
    return (rough / samples, whole / samples) if samples else (0.0, 0.0)


def varied(
    signals: list[Any], copies: int = 1, *, stretch: float = 0.15, gain: float = 0.5, random_state: int = 0
) -> list[Floats]:
    """Signals and changed copies of them: slower and faster, larger and smaller.

    A network that has seen few people, machines or voices learns them by heart. Copies of another tempo and size are
    as good as new ones as long as they could be real.

    Parameters
    ----------
    signals : list of array, shape (t,) or (t, c)
    copies : int
        Changed copies of each signal.
    stretch, gain : float
        A copy's tempo and size differ by factors `exp(u)`, with u even in [−stretch, stretch] and [−gain, gain].
    random_state : int

    Returns
    -------
    list of ndarray
        The signals themselves, then the copies.

    Examples
    --------
    >>> [len(copy) for copy in varied([np.arange(100.0)], 2)]
    [100, 95, 114]
    """
    rng = np.random.default_rng(random_state)
    found = [np.asarray(signal, np.float64) for signal in signals]
    made = list(found)
    for _ in range(copies):
        for values in found:
            factor, size = np.exp(rng.uniform(-stretch, stretch)), np.exp(rng.uniform(-gain, gain))
            places = np.arange(max(1, int(len(values) / factor))) * factor
            columns = values.reshape(len(values), -1).T
            copy = np.stack([np.interp(places, np.arange(len(values)), column) for column in columns], 1) * size
            made.append(copy.reshape(len(places), *values.shape[1:]))
    return made


def adapted(
    model: Autoencoder, noisy: Any, rounds: int = 4, *, learning_rate: float = 5e-4, random_state: int = 0
) -> Autoencoder:
    """A copy of a trained denoiser that has got to know the very signals that it is to clean; no clean ones are needed.

    In each round the signals are cleaned, and what comes out is learned from as if it had been clean, with changed
    copies (`varied`) and fresh noise. The errors left in it differ from place to place, while what is typical of this
    person, machine or voice comes again and again, and that is what is learned (self-training).

    Parameters
    ----------
    model : Autoencoder
        Trained with a corruption, such as `Denoiser.autoencoder_`. It stays as it is.
    noisy : signals
        As many as there are of this kind: minutes rather than seconds.
    rounds : int
    learning_rate : float
    random_state : int
        For the changed copies.

    Raises
    ------
    ValueError
        For a model that was trained without a corruption, or fewer than one round.

    Examples
    --------
    >>> t, rng = np.arange(1024), np.random.default_rng(0)
    >>> known = np.sin(t / 9).reshape(16, 64, 1)
    >>> model = signal_autoencoder((64, 1), Mixture(low=0, high=5), epochs=2, random_state=0).fit(known)
    >>> other = np.sin(t / 6).reshape(16, 64, 1) + rng.normal(0, 0.5, (16, 64, 1))
    >>> len(adapted(model, other, rounds=2).history_)
    4
    """
    corruption = model.recipe_.corruption
    if corruption is None or corruption.given:
        raise ValueError(f"adapted: the model was trained with {corruption!r}, which can draw no noise; use a Mixture")
    if rounds < 1:
        raise ValueError(f"adapted: rounds must be at least 1, got {rounds!r}")
    own = copy.deepcopy(model)
    own.recipe_ = replace(own.recipe_, schedule=Constant(learning_rate))
    rows = as_series(noisy)
    single = getattr(rows, "ndim", 3) < 3 and not isinstance(rows, list)
    stretch = 0.0 if getattr(own.schema_, "step", None) is None else 0.05  # rows without windows keep their length
    for number in range(rounds):
        found = restored(own, rows, None)
        parts = [found] if single else list(found)
        own.partial_fit(varied(parts, 1, stretch=stretch, gain=0.2, random_state=random_state + number))
    return own
