"""The stops on what is noisy or missing: pictures without noise, a table without holes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from azogue.applications import Denoiser, Imputer
from azogue.autoencoder import Autoencoder
from azogue.cli.stops.shared import Stop, picture, squared
from azogue.corruptions import Clipped, Gaussian
from azogue.layers import Dense, Input, Output
from azogue.missingness import simulate_missing
from azogue.objectives import MSE
from azogue.optimizers import Cosine
from azogue.plots import new_axes, plot_denoising
from azogue.quality import psnr
from azogue.report.imputing import imputing_section

#: Standard deviation of the noise, black to white being 1; part of the cells that is hidden.
NOISE, HIDDEN = 0.25, 0.2
LINE = "linear regression on pairs"


def denoise(folder: Path) -> Stop:
    """Denoise: handwritten digits under heavy noise, by a network that learned from others without noise."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    clean = (load_digits().images / 16).astype(np.float32)
    train, test = train_test_split(clean, test_size=0.3, random_state=0)
    noise = Clipped(Gaussian(NOISE))
    rng = np.random.default_rng(0)
    seen, noisy = (np.clip(part + rng.normal(0, NOISE, part.shape), 0, 1).astype(np.float32) for part in (train, test))
    network = Input() + Dense(512, "silu") + Dense(512, "silu") + Output()
    inner = Autoencoder(
        network, objective=MSE(), epochs=40, batch_size=64, learning_rate=Cosine(2e-3, warmup=0.1), patience=20
    )
    denoiser = Denoiser(inner, noise=noise, modality="image", random_state=0).fit(train)
    restored = denoiser.transform(noisy)
    figures = {
        "as they came": psnr(test, noisy, data_range=1),
        **_filters(test, noisy),
        **_linear(train, seen, test, noisy),
    }
    figures["Denoiser"] = psnr(test, restored, data_range=1)
    best = max((name for name in figures if "filter" in name), key=figures.__getitem__)
    drawn = picture(plot_denoising(noisy[:12], restored[:12], test[:12], modality="image"), folder, "noise.png")
    return {
        "use": "3 noise",
        "data": f"digits, noise of sd {NOISE}",
        "measure": "PSNR, dB",
        "ours": round(figures["Denoiser"], 1),
        "peer": best,
        "theirs": round(figures[best], 1),
        "more": [{"peer": "linear, from pairs", "theirs": round(figures[LINE], 1)}],
        "text": f"The network met {len(train):,} other digits, each time under new noise, and learned to undo it; "
        " filters only know that neighbours are alike, which in pictures of 8 × 8 pixels they hardly are, "
        "and were given the setting that suits these very pictures best. Linear methods that learn from the same "
        "digits come nearer.",
        "table": {
            "columns": ["method", "PSNR, dB"],
            "rows": [[name, round(value, 1)] for name, value in figures.items()],
        },
        "images": [("Unseen digits", drawn)],
    }


def _filters(clean: Any, noisy: Any) -> dict[str, float]:
    """What SciPy's filters reach, each with the setting that suits these very pictures best."""
    from scipy.ndimage import gaussian_filter, median_filter

    def best(apply: Any, settings: Any) -> float:
        return max(psnr(clean, np.stack([apply(one, at) for one in noisy]), data_range=1) for at in settings)

    return {
        "median filter": best(median_filter, (2, 3)),
        "Gaussian filter": best(gaussian_filter, np.arange(0.3, 1.0, 0.1)),
    }


def _linear(train: Any, seen: Any, test: Any, noisy: Any) -> dict[str, float]:
    """What linear methods reach that learned from the same pictures, one of them from pairs."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge

    known, pairs, given = (part.reshape(len(part), -1) for part in (train, seen, noisy))
    pca = PCA(16, random_state=0).fit(known)
    made = {
        "PCA, 16 components": pca.inverse_transform(pca.transform(given)),
        LINE: Ridge(1.0).fit(pairs, known).predict(given),
    }
    return {name: psnr(test, out.reshape(test.shape), data_range=1) for name, out in made.items()}


def impute(folder: Path) -> Stop:
    """Impute: wines and patients with a fifth of their cells hidden, numbers and kinds."""
    from sklearn.datasets import load_diabetes, load_wine

    wine, patients = load_wine(), load_diabetes(scaled=False)
    kinds = [str(wine.target_names[at]) for at in wine.target]
    of_wine = _filled(wine.data, wine.feature_names, "kind", kinds)
    at = patients.feature_names.index("sex")
    others = [name for name in patients.feature_names if name != "sex"]
    sexes = [f"sex {value:.0f}" for value in patients.data[:, at]]
    of_patients = _filled(np.delete(patients.data, at, axis=1), others, "sex", sexes)
    columns = ["method", "wine: error", "wine: right kinds", "diabetes: error", "diabetes: right sexes"]
    pairs = [(name, *of_wine.figures[name], *of_patients.figures[name]) for name in of_wine.figures]
    error, other = ({name: figures[0] for name, figures in found.figures.items()} for found in (of_wine, of_patients))
    section = imputing_section(of_wine.imputer, of_wine.holed)
    return {
        "use": "4 missing data",
        "data": f"wine, {HIDDEN:.0%} hidden",
        "measure": "error in column sds",
        "ours": round(error["Imputer"], 3),
        "peer": "KNNImputer",
        "theirs": round(error["KNNImputer"], 3),
        "more": [
            {
                "data": f"diabetes, {HIDDEN:.0%} hidden",
                "measure": "error in column sds",
                "ours": round(other["Imputer"], 3),
                "peer": "IterativeImputer",
                "theirs": round(other["IterativeImputer"], 3),
            }
        ],
        "text": "Of each table a fifth of the cells was hidden and filled again. The error is the root of the mean "
        "squared error of numbers, in standard deviations of their columns; lower is better. scikit-learn's imputers "
        "take numbers alone: they get standardised ones, and a category as a column of zeros and ones for each value "
        "but one. Where columns depend on one another by straight lines, as those of the diabetes table do, linear "
        "regressions in turn (IterativeImputer) are hard to beat. The second table is what the imputer itself says "
        "of wine, without having seen a hidden cell.",
        "table": {"columns": columns, "rows": [[name, *(round(v, 3) for v in values)] for name, *values in pairs]},
        "images": [("Hidden numbers of wine, and what they were filled with", _drawn(of_wine, folder))],
        "sections": [{**section, "title": "4 missing data: wine, column by column"}],
    }


@dataclass(frozen=True)
class _Filled:
    """Hidden numbers and what the imputer made of them, in standard deviations; each method's error and right part."""

    truth: np.ndarray
    made: np.ndarray
    figures: dict[str, tuple[float, float]]
    imputer: Imputer
    holed: Any


def _filled(numbers: np.ndarray, names: Any, category: str, kinds: list[str]) -> _Filled:
    """A table of numbers (n, k) and a category with hidden cells, filled by the imputer and by others."""
    whole = pa.table({**{str(name): column for name, column in zip(names, numbers.T, strict=True)}, category: kinds})
    holed, hidden = simulate_missing(whole, p=HIDDEN, return_mask=True, random_state=0)
    imputer = Imputer(random_state=0).fit(holed)
    filled = imputer.transform(holed)
    ours = np.column_stack([filled.column(str(name)).to_numpy() for name in names])
    made = {**_others(numbers, kinds, hidden), "Imputer": (ours, filled.column(category).to_pylist())}
    holes, lost = hidden[:, :-1], hidden[:, -1]
    middle, spread = numbers.mean(axis=0), numbers.std(axis=0)
    truth = ((numbers - middle) / spread)[holes]

    def judged(values: Any, told: Any) -> tuple[float, float]:
        error = squared(((values - middle) / spread)[holes], truth) ** 0.5
        return error, float(np.mean(np.array(told)[lost] == np.array(kinds)[lost]))

    figures = {name: judged(*pair) for name, pair in made.items()}
    return _Filled(truth, ((ours - middle) / spread)[holes], figures, imputer, holed)


def _others(numbers: np.ndarray, kinds: list[str], hidden: np.ndarray) -> dict[str, tuple[np.ndarray, list[str]]]:
    """What scikit-learn's imputers make of the same cells."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (makes the next line work)
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
    from sklearn.preprocessing import StandardScaler

    values, codes = np.unique(kinds, return_inverse=True)
    flags = np.where(hidden[:, -1:], np.nan, np.eye(len(values))[codes])[:, 1:]
    scaler = StandardScaler().fit(np.where(hidden[:, :-1], np.nan, numbers))
    given = np.hstack([scaler.transform(np.where(hidden[:, :-1], np.nan, numbers)), flags])
    methods = {
        "mean, most frequent value": SimpleImputer(),
        "KNNImputer": KNNImputer(n_neighbors=10),
        "IterativeImputer": IterativeImputer(random_state=0),
    }
    found = {}
    for name, method in methods.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # 100 rounds: 0.656 in place of 0.664
            out = method.fit_transform(given)
        told = out[:, numbers.shape[1] :]
        chances = np.hstack([1.0 - told.sum(axis=1, keepdims=True), told])
        found[name] = (scaler.inverse_transform(out[:, : numbers.shape[1]]), values[chances.argmax(axis=1)].tolist())
    return found


def _drawn(found: _Filled, folder: Path) -> str:
    ax = new_axes(4.5, 4.5)
    ends = (float(found.truth.min()), float(found.truth.max()))
    ax.plot(ends, ends, color="k", linestyle=":")
    ax.scatter(found.truth, found.made, s=8, alpha=0.6)
    ax.set(xlabel="hidden, in standard deviations", ylabel="filled", aspect="equal")
    return picture(ax, folder, "missing.png")
