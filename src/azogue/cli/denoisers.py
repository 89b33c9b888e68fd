"""The denoisers of `azogue denoise`: opened from a file, or fitted as the options say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator

from azogue.applications import Denoiser, albums, noises, pictures, series, signals
from azogue.autoencoder import Autoencoder
from azogue.cli import models, restoring
from azogue.cli.data import Given
from azogue.cli.options import Restoring, Training
from azogue.cli.results import Say
from azogue.corruptions import NAMED, Blocks, Clipped, Corruption, Mixture
from azogue.modalities.waves import read as read_signals
from azogue.modalities.waves import read_wave, wave_files


def for_denoiser(given: Given, size: str | None = None) -> Any:
    """Data as a denoiser takes them."""
    if given.kind == "sequence" and given.columns is not None:
        return [given.X]
    if given.kind == "image" and size is not None:
        items = restoring.items_of(given, size)
        found = [items.load(at) for at in range(len(items.shapes))]
        most = max(picture.shape[2] for picture in found)
        return [restoring.with_channels(picture, most, given.path) for picture in found]
    return given.X


def opened(path: str) -> Denoiser:
    """The denoiser of a file, or one around the autoencoder of a file."""
    model = models.known(path)
    if isinstance(model, Denoiser):
        return model
    if not isinstance(model, Autoencoder):
        raise ValueError(f"{path}: holds {models.named(model)}; denoise takes what azogue denoise --save or fit wrote")
    kind = model.schema_.to_dict()["modality"]
    if kind == "text":
        raise ValueError(f"{path}: was fitted on texts, which have no noise to take off")
    denoiser = Denoiser(FrozenEstimator(model))
    denoiser.kind_, denoiser.autoencoder_, denoiser.n_features_in_ = kind, model, model.n_features_in_
    if kind == "image":
        height, width = model.schema_.shape[:2]
        denoiser.patch_size_ = (height, width)
        denoiser.modality = "image"
    return denoiser


def fitted(
    known: Given, new: str | None, clean: Given | None, asked: Restoring, training: Training, say: Say
) -> Denoiser:
    """A denoiser, fitted as was asked for."""
    noise = _noise(known, new, asked)
    if noise == "blind" and asked.noise == "auto" and _single(known):
        noise = "auto"
    X, target = (None if one is None else for_denoiser(one, training.size) for one in (known, clean))
    denoiser = Denoiser(
        None,
        noise=noise,
        window="auto" if training.window is None else training.window,
        modality=known.kind,
        scaling=training.scaling,
        random_state=training.seed,
        verbose=1,
    )
    said = [name for name in training.given() if name in ("--variant", "--network", "--epochs")]
    if said == ["--epochs"]:
        denoiser.autoencoder = models.quietly(_usual, known.kind, X, training, noise, about=known.path)
    elif said:
        own = models.unfitted(training, known)
        denoiser.autoencoder = own.set_params(modality="auto")
    models.advised(known, say)
    if known.kind == "table" and training.modality == "auto" and np.shape(known.X)[1] == 1:
        say(f"azogue: {known.path} is read as rows in no order; --modality sequence takes its column as a signal")

    def fit() -> None:
        denoiser.fit(X, clean=target)

    models.quietly(fit, about=known.path)
    if denoiser.autoencoder_.stopped_ == "interrupted":
        raise KeyboardInterrupt
    return denoiser


def _single(known: Given) -> bool:
    """Whether the data are single samples or pixels, of which no neighbour tells anything."""
    if known.kind == "sequence":
        return max(read_signals(series.as_series(known.X), True).rows.lengths) < 2
    return known.kind == "image" and all(max(shape[:2]) < 2 for shape in albums.read_album(known.X).shapes)


def _usual(kind: str, X: Any, training: Training, noise: Any) -> Autoencoder:
    """The network that a denoiser would choose, trained for other epochs."""
    epochs, window = training.epochs, "auto" if training.window is None else training.window
    if kind == "image":
        album = albums.read_album(X)
        patch = albums.patch_size(album, albums.SIDE if window == "auto" else int(window))
        return pictures.picture_autoencoder((*patch, album.shapes[0][2]), epochs=epochs, verbose=1)
    if kind == "sequence":
        rows = series.as_series(X)
        modality = series.modality_for(series.lengths_of(rows), "sequence", training.scaling, window, 0.5)
        hidden = noises.resolve(noise, kind, rows, False, None) if noise == "blind" else None
        return signals.signal_autoencoder(series.windows_of(rows, modality)[0], hidden, epochs=epochs, verbose=1)
    shared = {"epochs": epochs, "scaling": training.scaling, "verbose": 1}
    made = noises.default_autoencoder("table", X, noises.resolve(noise, kind, X, False, None), {})
    made.set_params(corruption=None, **shared)
    return made


def _noise(known: Given, new: str | None, asked: Restoring) -> Any:
    """What to train against."""
    if asked.noise == "auto":
        if asked.clean is not None:
            return "auto"
        if asked.inpaint and known.kind != "table":
            return Blocks(0.25, count=4) if known.kind == "image" else Blocks(0.2, count=2)
        return "blind" if new is None else "auto"
    if asked.noise == "blind":
        return "blind"
    if Path(asked.noise).exists() or asked.noise.lower().endswith(".wav"):
        return _recorded(known, asked)
    name, _, size = asked.noise.partition(":")
    if name not in NAMED:
        raise ValueError(f"--noise: {name!r} is unknown; use auto, blind, {', '.join(NAMED)}, or a WAV file or folder")
    noise: Corruption = NAMED[name]
    if size:
        try:
            noise = type(noise)(*map(float, size.split(",")))
        except (TypeError, ValueError) as error:
            raise ValueError(f"--noise {asked.noise}: {error}") from None
    return Clipped(noise) if known.kind == "image" and name in ("gaussian", "cauchy") else noise


def _recorded(known: Given, asked: Restoring) -> Mixture:
    """Recordings of noise, mixed in at ratios between bounds."""
    if known.kind != "sequence":
        raise ValueError(f"--noise {asked.noise}: recordings are for signals; name a corruption such as gaussian:0.1")
    try:
        low, high = (float(part) for part in asked.snr.split(","))
    except ValueError:
        raise ValueError(f"--snr: expected two numbers of dB such as 0,10, got {asked.snr!r}") from None
    paths = wave_files(asked.noise) if Path(asked.noise).is_dir() else [Path(asked.noise)]
    if not paths:
        raise ValueError(f"--noise: {asked.noise} holds no WAV file")
    rate = restoring.items_of(known).rate if restoring.in_files(known) else None
    clips = []
    for path in paths:
        own, samples = read_wave(path)
        if rate is not None and own != rate:
            raise ValueError(f"--noise: {path} has {own} samples a second, but {known.path} has {rate}; resample it")
        clips.append(np.asarray(samples, np.float64))
    try:
        return Mixture(clips, low, high)
    except ValueError as error:
        raise ValueError(f"--noise {asked.noise}: {error}") from None
