"""Signals without their noise: `python benchmarks/denoising.py ecg strangers speech`.

- `ecg`: MIT-BIH records 100 (MLII) and 208, 360 Hz, high-passed at 0.5 Hz without phase; windows of 10 s. First halves
  train, second halves test (30 windows of record 100, 15 of 208). Muscle noise (`emg_fatigue_channel_2`; its first half
  for training, its second for the test) and white noise at 0, 5 and 10 dB of each window. One `az.Denoiser` for all of
  it. Peers: wavelet soft-threshold, Savitzky–Golay, low-pass and band-pass filters, each tuned on 20 training windows
  with the very noise and ratio (seed 1); test mixtures are seed 2. Output signal-to-noise ratio, mean over windows.
- `strangers`: the same test halves of people that the network has never seen: trained on record 100 alone, tested on
  208; and on all signals but those of the person of the test (among them three of biosignalsnotebooks, of people
  unknown). With and without 60 generated hearts (`heartbeats`), and then `adapted` to the noisy test windows of each
  kind and level themselves. Filters are tuned on the known records.
- `speech`: 80 sentences at 8 kHz and ESC-10 noise (chainsaw, fire, rain). Sentences of even number are the test; the
  recordists of noise are split alike, so that no test noise was heard. Mixed at 0 and 5 dB of the sentence, seed 2, the
  kind of noise in turn. SI-SDR improvement and STOI. Peers: spectral gating and a decision-directed Wiener filter,
  tuned on training mixtures. Then trained on English alone and tested on Spanish.

Networks, rates and epochs were chosen on parts of the training halves and sentences that took no part in training; test
mixtures are used once, here. `SIGNAL_EPOCHS` scales the epochs. Data: ../shared/data, or AZOGUE_DATA.
"""

from __future__ import annotations

import copy
import functools
import os
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import signal

import azogue as az
from azogue.applications.signals import adapted, signal_autoencoder, varied
from azogue.corruptions import Mixture
from azogue.hearts import heartbeats
from modalities import DATA

RATE, WINDOW, LEVELS = 360, 3600, (0, 5, 10)
EPOCHS = float(os.environ.get("SIGNAL_EPOCHS", "1"))
SEED = int(os.environ.get("SIGNAL_SEED", "0"))
Array = np.ndarray

# -- ECG: data ------------------------------------------------------------------------------------------------------


def steady(values: Array, rate: int = RATE) -> Array:
    """At 360 Hz, without what is slower than 0.5 Hz."""
    if rate != RATE:
        common = np.gcd(rate, RATE)
        values = signal.resample_poly(values - values.mean(), RATE // common, rate // common)
    return signal.sosfiltfilt(signal.butter(2, 0.5, "highpass", fs=RATE, output="sos"), values)


@functools.cache
def hearts() -> dict[str, Array]:
    """Signals of each person in mV, or in standard deviations where nobody says."""
    with np.load(DATA / "ecg" / "mitdb_100.npz") as held:
        both = ((held["signal"].astype(float) - held["zero"]) / held["gain"]).T
    with np.load(DATA / "ecg" / "scipy_electrocardiogram.npz") as held:
        other = (held["ecg"].astype(float) - 1024) / 200
    found = {"100": steady(both[0]), "208": steady(other), "100 V5": steady(both[1])}
    with np.load(DATA / "ecg" / "biosignalsnotebooks_ecg_emg.npz") as held:
        for name in ("ecg_5_min_channel_1", "ecg_20_sec_1000_Hz_channel_1", "ecg_4000_Hz_channel_1"):
            values = steady(held[name].astype(float), int(held[f"{name}_fs"]))
            found[name] = values / values.std()
    return found


@functools.cache
def muscle() -> tuple[Array, Array]:
    """Muscle noise for training and for the test."""
    with np.load(DATA / "ecg" / "biosignalsnotebooks_ecg_emg.npz") as held:
        values = signal.resample_poly(held["emg_fatigue_channel_2"].astype(float), RATE // 40, 1000 // 40)
    half = len(values) // 2
    return values[:half], values[half:]


def half(values: Array, second: bool) -> Array:
    return values[len(values) // 2 :] if second else values[: len(values) // 2]


def windows(values: Array, most: int = 30) -> Array:
    return values[: len(values) // WINDOW * WINDOW].reshape(-1, WINDOW)[:most]


def mixed(clean: Array, noise: Array | None, level: float, rng: np.random.Generator) -> Array:
    """Windows with noise at so many dB: a stretch of a recording, or white noise."""
    made = []
    for window in clean:
        if noise is None:
            part = rng.standard_normal(len(window))
        else:
            start = int(rng.integers(len(noise) - len(window) + 1))
            part = noise[start : start + len(window)]
        part = part - part.mean()
        made.append(window + part * np.sqrt(np.mean(window**2) / np.mean(part**2) / 10 ** (level / 10)))
    return np.array(made)


def ratio(clean: Array, found: Array) -> Array:
    """Output signal-to-noise ratio of each window in dB."""
    return 10 * np.log10(np.sum(clean**2, -1) / np.sum((clean - found) ** 2, -1))


# -- ECG: peers -----------------------------------------------------------------------------------------------------


def wavelet(X: Array, name: str, level: int, k: float, each: bool) -> Array:
    import pywt

    first, *details = pywt.wavedec(X, name, level=level, axis=-1)

    def spread(part: Array) -> Array:
        return np.median(np.abs(part), -1, keepdims=True) / 0.6745

    limits = [k * spread(part if each else details[-1]) * np.sqrt(2 * np.log(X.shape[-1])) for part in details]
    kept = [np.sign(d) * np.maximum(np.abs(d) - limit, 0) for d, limit in zip(details, limits, strict=True)]
    return pywt.waverec([first, *kept], name, axis=-1)[..., : X.shape[-1]]


def savgol(X: Array, size: int, degree: int) -> Array:
    return signal.savgol_filter(X, size, degree, axis=-1)


def low_pass(X: Array, high: float) -> Array:
    return signal.sosfiltfilt(signal.butter(4, high, "lowpass", fs=RATE, output="sos"), X, axis=-1)


def band_pass(X: Array, low: float, high: float) -> Array:
    return signal.sosfiltfilt(signal.butter(2, (low, high), "bandpass", fs=RATE, output="sos"), X, axis=-1)


FILTERS: dict[str, tuple[Callable[..., Array], Sequence[tuple[Any, ...]]]] = {
    "wavelet": (
        wavelet,
        [
            (name, level, k, each)
            for name in ("db4", "sym8")
            for level in (3, 4, 5)
            for k in (0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
            for each in (False, True)
        ],
    ),
    "Sav.–Golay": (savgol, [(size, d) for size in (5, 7, 9, 11, 15, 21, 27, 35) for d in (2, 3, 4) if d < size]),
    "low-pass": (low_pass, [(high,) for high in (15, 20, 25, 30, 35, 40, 45, 50, 60, 80)]),
    "band-pass": (band_pass, [(low, high) for low in (0.5, 1.0) for high in (20, 25, 30, 35, 40, 50, 60, 80)]),
}


@functools.cache
def tuned(kind: str, level: int, people: tuple[str, ...]) -> dict[str, Callable[[Array], Array]]:
    """Each filter with what is best on 20 training windows of these people."""
    each = 20 // len(people)
    clean = np.concatenate([windows(half(hearts()[name], False), each) for name in people])
    noisy = mixed(clean, muscle()[0] if kind == "EMG" else None, level, np.random.default_rng(1))
    found: dict[str, Callable[[Array], Array]] = {}
    for name, (function, grid) in FILTERS.items():
        best = max(grid, key=lambda given, function=function: ratio(clean, function(noisy, *given)).mean())
        found[name] = lambda X, function=function, best=best: function(X, *best)
    return found


def cases(people: dict[str, Array]) -> Any:
    """(kind, level, person, clean windows, noisy windows) of the test."""
    for kind, noise in (("EMG", muscle()[1]), ("white", None)):
        for level in LEVELS:
            rng = np.random.default_rng(2)
            for name, clean in people.items():
                yield kind, level, name, clean, mixed(clean, noise, level, rng)


# -- ECG: ours ------------------------------------------------------------------------------------------------------


def denoiser(signals: list[Array], copies: int, epochs: int, further: Sequence[Array] = ()) -> az.Denoiser:
    """One for both kinds of noise and all levels."""
    rows = [*varied(signals, copies, random_state=SEED), *further]
    noise = Mixture(muscle()[0], low=-5, high=15, white=0.5)
    model = signal_autoencoder((1024, 1), epochs=max(1, round(epochs * EPOCHS)))
    return az.Denoiser(model, noise=noise, modality=az.modalities.Sequence(window=1024), random_state=SEED).fit(rows)


def restored(model: az.Denoiser, noisy: Array) -> Array:
    """Windows through a denoiser, each brought to the standard deviation that it was trained on."""
    size = noisy.std(1, keepdims=True)
    return np.array(model.transform(list(noisy / size))) * size


def ecg() -> None:
    people = ("100", "208")
    train = [half(hearts()[name], False) for name in people]
    begun = time.perf_counter()
    ours = denoiser([values / values.std() for values in (train[0], train[1], train[1])], 3, 30)
    print(f"  trained in {time.perf_counter() - begun:.0f} s")
    test = {name: windows(half(hearts()[name], True)) for name in people}
    compared(test, ours, people)


def compared(test: dict[str, Array], ours: az.Denoiser, people: tuple[str, ...]) -> None:
    """A line for each kind, level and person; and for all of them, by window."""
    found: dict[tuple[str, int], list[dict[str, Array]]] = {}
    for kind, level, name, clean, noisy in cases(test):
        row = {f: ratio(clean, function(noisy)) for f, function in tuned(kind, level, people).items()}
        row["Denoiser"] = ratio(clean, restored(ours, noisy))
        print(f"  {kind:<6}{level:>3} dB  {name:<10}{_line(row)}", flush=True)
        found.setdefault((kind, level), []).append(row)
    for (kind, level), rows in found.items():
        if len(rows) > 1:
            whole = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
            print(f"  {kind:<6}{level:>3} dB  all       {_line(whole)}")


def _line(row: dict[str, Array]) -> str:
    best = max(values.mean() for name, values in row.items() if name != "Denoiser")
    mine = row["Denoiser"]
    told = "  ".join(f"{name} {values.mean():5.2f}" for name, values in row.items())
    return f"{told} ± {mine.std() / np.sqrt(len(mine)):.2f}  ({mine.mean() - best:+.2f} dB on the best filter)"


def strangers() -> None:
    made = heartbeats(60, random_state=3)
    every = hearts()
    kin = {"100": ("100", "100 V5"), "208": ("208",)}  # signals of one person
    plans = [("record 100 alone", ["100"], "208")]
    plans += [(f"all but {name}", [key for key in every if key not in kin[name]], name) for name in kin]
    for title, known, name in plans:
        begun = time.perf_counter()
        signals = [half(every[key], False) / every[key].std() for key in known]
        first, second = denoiser(signals, 2, 24), denoiser(signals, 2, 12, made)
        print(f"  {title}, tested on {name}; trained in {time.perf_counter() - begun:.0f} s")
        clean = windows(half(every[name], True))
        people = tuple(key for key in ("100", "208") if key in known)
        for kind, level, _, _, noisy in cases({name: clean}):
            row = {f: ratio(clean, function(noisy)) for f, function in tuned(kind, level, people).items()}
            scaled = noisy / noisy.std(1, keepdims=True)
            knowing = copy.copy(second)
            knowing.autoencoder_ = adapted(second.autoencoder_, list(scaled))
            plain, more = (ratio(clean, restored(model, noisy)).mean() for model in (first, second))
            row["Denoiser"] = ratio(clean, restored(knowing, noisy))
            own = f"without generated hearts {plain:.2f}, with {more:.2f}, adapted {row['Denoiser'].mean():.2f}"
            print(f"  {kind:<6}{level:>3} dB  {own}; {_line(row)}", flush=True)


# -- speech ---------------------------------------------------------------------------------------------------------

HERTZ, LEVELS_SPEECH = 8000, (0, 5)


@functools.cache
def voices() -> tuple[list[Array], list[str]]:
    """Sentences and their voices."""
    with np.load(DATA / "speech" / "asterisk_speech_8khz.npz") as held:
        audio, ends, names = held["audio"].astype(np.float32) / 32768, held["off"], held["voice"]
    return [audio[a:b] for a, b in pairwise(ends)], [str(name) for name in names]


@functools.cache
def clips() -> tuple[dict[str, list[Array]], dict[str, list[Array]]]:
    """Noise for training and for the test by kind: of a kind's recordists in order, every second is for the test."""
    with np.load(DATA / "noise" / "esc10_noise_8khz.npz") as held:
        audio, kinds, names = held["audio"].astype(np.float32) / 32768, held["kind"], held["clip"]
    sources = [str(name).split("-")[1] for name in names]
    parts: tuple[dict[str, list[Array]], dict[str, list[Array]]] = {}, {}
    for kind in dict.fromkeys(map(str, kinds)):
        own = [at for at in range(len(audio)) if kinds[at] == kind and audio[at].std() >= 1e-3]
        tested = sorted({sources[at] for at in own})[1::2]
        for second, part in enumerate(parts):
            part[kind] = [audio[at] for at in own if (sources[at] in tested) == bool(second)]
    return parts


def spoken(clean: list[Array], noises: dict[str, list[Array]], level: float, seed: int) -> tuple[list[Array], Array]:
    """Sentences with noise at so many dB, the kind in turn; and the kinds."""
    rng, kinds, made = np.random.default_rng(seed), list(noises), []
    for at, sentence in enumerate(clean):
        own = noises[kinds[at % len(kinds)]]
        clip = own[int(rng.integers(len(own)))]
        clip = np.resize(clip, max(len(clip), len(sentence)))
        start = int(rng.integers(len(clip) - len(sentence) + 1))
        part = clip[start : start + len(sentence)] - clip[start : start + len(sentence)].mean()
        size = np.sqrt(np.mean(sentence**2) / max(float(np.mean(part**2)), 1e-12) / 10 ** (level / 10))
        made.append((sentence + size * part).astype(np.float32))
    return made, np.array([kinds[at % len(kinds)] for at in range(len(clean))])


def si_sdr(clean: Array, found: Array) -> float:
    """Le Roux et al. (2019), of centred signals, in dB."""
    clean, found = clean.astype(float) - clean.mean(), found.astype(float) - found.mean()
    target = (clean @ found) / (clean @ clean) * clean
    return float(10 * np.log10((target @ target) / max(float(np.sum((found - target) ** 2)), 1e-20)))


def _spectrum(x: Array, size: int = 256) -> Array:
    return signal.stft(x, HERTZ, nperseg=size, noverlap=size * 3 // 4)[2]


def _back(spectrum: Array, length: int, size: int = 256) -> Array:
    made = signal.istft(spectrum, HERTZ, nperseg=size, noverlap=size * 3 // 4)[1]
    return np.resize(made, length) if len(made) < length else made[:length]


def gating(x: Array, deviations: float, strength: float) -> Array:
    """Spectral gating: cells below a threshold in dB, mean + k deviations of their frequency, are lowered."""
    spectrum = _spectrum(x)
    level = 20 * np.log10(np.abs(spectrum) + 1e-8)
    limit = level.mean(1, keepdims=True) + deviations * level.std(1, keepdims=True)
    gate = (level > limit).astype(float)
    kernel = np.outer(np.hanning(7)[1:-1], np.hanning(9)[1:-1])
    gate = signal.convolve2d(gate, kernel / kernel.sum(), mode="same", boundary="symm")
    return _back(spectrum * (1 - strength * (1 - gate)), len(x))


def wiener(x: Array, share: float, memory: float, least: float) -> Array:
    """Wiener filter with the decision-directed estimate of the ratio (Ephraim & Malah 1984); noise: a low quantile."""
    spectrum = _spectrum(x)
    power = np.abs(spectrum) ** 2
    noise = np.quantile(power, share, axis=1) / -np.log(1 - share) + 1e-12  # of exponentially distributed powers
    gain, kept = np.ones(len(noise)), np.zeros_like(power)
    before = power[:, 0]
    for at in range(power.shape[1]):
        after = power[:, at] / noise
        prior = memory * gain**2 * before / noise + (1 - memory) * np.maximum(after - 1, 0)
        gain = np.maximum(prior / (1 + prior), least)
        kept[:, at], before = gain, power[:, at]
    return _back(spectrum * kept, len(x))


SPEECH_FILTERS: dict[str, tuple[Callable[..., Array], list[tuple[Any, ...]]]] = {
    "spectral gating": (gating, [(k, s) for k in (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5) for s in (0.3, 0.5, 0.7, 0.9, 1.0)]),
    "Wiener, decision-directed": (
        wiener,
        [(q, a, g) for q in (0.1, 0.2, 0.3, 0.5, 0.7) for a in (0.9, 0.95, 0.98) for g in (0.05, 0.1, 0.2, 0.4)],
    ),
}


def listener(sentences: list[Array], epochs: int) -> az.Denoiser:
    """A denoiser of speech."""
    noise = [clip for kind in clips()[0].values() for clip in kind]
    mixture = Mixture(noise, low=-5, high=10, white=0.1, layers=0.3, floor=0.05)
    model = signal_autoencoder((4096, 1), epochs=max(1, round(epochs * EPOCHS)), batch_size=8)
    rows = varied([np.concatenate(sentences)], 2, random_state=SEED)
    modality = az.modalities.Sequence(window=4096)
    return az.Denoiser(model, noise=mixture, modality=modality, random_state=SEED).fit(rows)


def judged(clean: list[Array], noisy: list[Array], found: list[Array], kinds: Array) -> str:
    """SI-SDR improvement, all and by kind, and STOI where pystoi is there."""
    gains = np.array([si_sdr(x, y) - si_sdr(x, n) for x, y, n in zip(clean, found, noisy, strict=True)])
    by = ", ".join(f"{kind} {gains[kinds == kind].mean():.1f}" for kind in dict.fromkeys(kinds))
    try:
        from pystoi import stoi
    except ModuleNotFoundError:
        told = ""
    else:
        told = f" STOI {np.mean([stoi(x, y, HERTZ) for x, y in zip(clean, found, strict=True)]):.3f}"
    return f"{gains.mean():6.2f} ± {gains.std() / np.sqrt(len(gains)):.2f} dB ({by}){told}"


def speech() -> None:
    sentences, names = voices()
    train, test = sentences[1::2], sentences[0::2]
    begun = time.perf_counter()
    ours = listener(train, 25)
    print(f"  trained on {len(train)} sentences in {time.perf_counter() - begun:.0f} s")
    for level in LEVELS_SPEECH:
        noisy, kinds = spoken(test, clips()[1], level, 2)
        practice, _ = spoken(train, clips()[0], level, 1)
        print(f"  {level} dB, none: {judged(test, noisy, noisy, kinds)}")
        for name, (function, grid) in SPEECH_FILTERS.items():

            def gain(given: tuple[Any, ...], function: Any = function, practice: Any = practice) -> float:
                return float(np.mean([si_sdr(x, function(n, *given)) for x, n in zip(train, practice, strict=True)]))

            best = max(grid, key=gain)
            found = [function(n, *best) for n in noisy]
            print(f"  {level} dB, {name} {best}: {judged(test, noisy, found, kinds)}")
        print(f"  {level} dB, Denoiser: {judged(test, noisy, ours.transform(noisy), kinds)}", flush=True)
    english = [sentence for sentence, name in zip(sentences, names, strict=True) if name == "en"]
    spanish = [sentence for sentence, name in zip(sentences, names, strict=True) if name != "en"]
    ours = listener(english, 25)
    for level in LEVELS_SPEECH:
        noisy, kinds = spoken(spanish, clips()[1], level, 2)
        told = judged(spanish, noisy, ours.transform(noisy), kinds)
        print(f"  {level} dB, English heard, Spanish tested: {told}; none {judged(spanish, noisy, noisy, kinds)}")


PARTS = {"ecg": ecg, "strangers": strangers, "speech": speech}
