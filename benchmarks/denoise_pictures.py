"""Pictures without their noise: `python benchmarks/denoising.py mnist cifar inpaint blind`.

The first 200 test pictures of MNIST and of the CIFAR-10 subset, seed 2: normal noise of 25/255 and 50/255, clipped to
black and white, and salt and pepper in 10 % of the pixels. PSNR and its standard error over the pictures, in dB. Test
pictures are used once, here; networks, rates and epochs were chosen on 300 training pictures that took no part.

- `mnist`, `cifar`: `az.Denoiser` trained on clean pictures, and median, wavelet (BayesShrink), total variation and
  non-local means of scikit-image, told the noise and tuned on 40 training pictures (seed 1). On MNIST each of them also
  with a pixel curve behind it: an isotonic regression on the same 40 pictures. BM3D is quoted: its package is for
  non-commercial use (measured on the first 40 pictures; 25.4 / 19.7 / 18.9 on MNIST, 28.1 / 23.7 / none on CIFAR).
- `inpaint`: a quarter of each MNIST test picture hidden, as one square or as four; `Denoiser.inpaint`, trained on
  training pictures with hidden blocks, and biharmonic inpainting. PSNR over whole pictures, of which the rest is right.
- `blind`: the same networks from noisy pictures alone, whose noise is estimated too, beside clean ones. Both see as
  many pictures in all.

`DENOISE_SHOWN` is how many pictures each network is shown in all. Data: ../shared/data, or AZOGUE_DATA.
"""

from __future__ import annotations

import functools
import os
import time

import numpy as np
from sklearn.isotonic import IsotonicRegression

import azogue as az
from azogue.applications.pictures import estimated, picture_autoencoder
from azogue.corruptions import Blocks, Clipped, Gaussian, Impulses
from modalities import DATA, cifar_pictures

SHOWN = int(os.environ.get("DENOISE_SHOWN", "80000"))
TESTED, TUNED = 200, 40
NOISES = {"normal 25": Clipped(Gaussian(25 / 255)), "normal 50": Clipped(Gaussian(50 / 255)), "impulses": Impulses(0.1)}
BM3D = {"mnist": (25.42, 19.71, 18.91), "cifar": (28.05, 23.72, None)}


@functools.cache
def pictures(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Training and test pictures, (n, h, w, c) in [0, 1]."""
    if name == "cifar":
        both = cifar_pictures("train"), cifar_pictures("test")
    else:
        with np.load(DATA / "mnist" / "mnist.npz") as held:
            both = held["x_train"][..., None], held["x_test"][..., None]
    return both[0].astype(np.float32) / 255, both[1][:TESTED].astype(np.float32) / 255


def spoiled(clean: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """Clean pictures with noise, drawn by numpy alone."""
    rng = np.random.default_rng(seed)
    if kind.startswith("normal"):
        made = clean + rng.normal(0, int(kind.split()[1]) / 255, clean.shape)
        return np.clip(made, 0, 1).astype(np.float32)
    draw = rng.random((*clean.shape[:3], 1))
    return np.where(draw < 0.05, 0.0, np.where(draw < 0.1, 1.0, clean)).astype(np.float32)


def psnr(clean: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of each picture, in dB; at most 60."""
    error = np.square(clean.astype(np.float64) - np.clip(found, 0, 1)).reshape(len(clean), -1).mean(1)
    return -10 * np.log10(np.maximum(error, 1e-6))


def told(values: np.ndarray) -> str:
    return f"{values.mean():6.2f} ± {values.std() / np.sqrt(len(values)):.2f}"


# -- what people use --------------------------------------------------------------------------------------------------


def filters(sd: float):
    """Classical filters: name → candidates of one picture (h, w, c)."""
    from scipy.ndimage import median_filter
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle, denoise_wavelet

    def wavelet(picture):
        axis = -1 if picture.shape[2] > 1 else None
        picture = picture if axis else picture[..., 0]
        found = denoise_wavelet(picture, sigma=sd, channel_axis=axis, convert2ycbcr=axis is not None)
        return found if axis else found[..., None]

    def variation(weight):
        return lambda picture: denoise_tv_chambolle(picture, weight=weight, channel_axis=-1)

    def means(h):
        settings = {"sigma": sd, "patch_size": 5, "patch_distance": 6, "fast_mode": True, "channel_axis": -1}
        return lambda picture: denoise_nl_means(picture, h=h * sd, **settings)

    return {
        "median 3 × 3": [lambda picture: median_filter(picture, (3, 3, 1))],
        "wavelet": [wavelet],
        "total variation": [variation(weight) for weight in (0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)],
        "nl-means": [means(h) for h in (0.4, 0.6, 0.8, 1.0, 1.3, 1.7)],
    }


def classical(name: str, kind: str) -> dict[str, np.ndarray]:
    """PSNR of each test picture by each filter, tuned on 40 training pictures; on MNIST with a pixel curve too."""
    train, test = pictures(name)
    tune = train[:TUNED]
    noisy, seen = spoiled(tune, kind, 1), spoiled(test, kind, 2)
    sd = int(kind.split()[1]) / 255 if kind.startswith("normal") else float(estimate_sd(seen))
    found = {"none": psnr(test, seen)}
    for method, candidates in filters(sd).items():
        tries = [np.stack([one(picture) for picture in noisy]).reshape(tune.shape) for one in candidates]
        best = int(np.argmax([psnr(tune, tried).mean() for tried in tries]))
        made = np.stack([candidates[best](picture) for picture in seen]).reshape(test.shape)
        found[method] = psnr(test, made)
        if name == "mnist":
            curve = IsotonicRegression(out_of_bounds="clip").fit(tries[best].ravel(), tune.ravel())
            found[f"{method} + curve"] = psnr(test, curve.predict(made.ravel()).reshape(made.shape))
    return found


def estimate_sd(seen: np.ndarray) -> float:
    from skimage.restoration import estimate_sigma

    return float(np.mean([estimate_sigma(picture, channel_axis=-1, average_sigmas=True) for picture in seen]))


# -- ours -------------------------------------------------------------------------------------------------------------


def model(name: str, noise, rows: int, shown: int) -> az.Autoencoder:
    """The application's default network, shown so many pictures in all."""
    shape = pictures(name)[1].shape[1:]
    return picture_autoencoder(shape, noise, epochs=max(1, round(shown / rows)), modality="image", random_state=0)


def rows_of(name: str, shown: int) -> np.ndarray:
    """Training pictures: the last ones, at most a quarter of those to be shown."""
    train = pictures(name)[0]
    return train[-min(len(train), max(shown // 4, 1)) :]


@functools.cache
def supervised(name: str, kind: str) -> tuple[np.ndarray, float]:
    """PSNR of each test picture by a denoiser that learned from clean pictures, and the seconds that took."""
    train, begun = rows_of(name, SHOWN), time.perf_counter()
    denoiser = az.Denoiser(
        model(name, NOISES[kind], len(train), SHOWN), noise=NOISES[kind], modality="image", random_state=0
    )
    denoiser.fit(train)
    seconds, test = time.perf_counter() - begun, pictures(name)[1]
    return psnr(test, denoiser.transform(spoiled(test, kind, 2))), seconds


def compared(name: str) -> None:
    for at, kind in enumerate(NOISES):
        peers = classical(name, kind)
        for method, values in peers.items():
            print(f"  {kind:<10} {method:<24} {told(values)}", flush=True)
        mine, seconds = supervised(name, kind)
        best = max(values.mean() for values in peers.values())
        quoted = BM3D[name][at]
        beside = f"best above {mine.mean() - best:+.2f}"
        beside += "" if quoted is None else f", BM3D (quoted) {mine.mean() - quoted:+.2f}"
        print(f"  {kind:<10} {'az.Denoiser':<24} {told(mine)}   {beside} dB; {seconds:.0f} s", flush=True)


def mnist() -> None:
    compared("mnist")


def cifar() -> None:
    compared("cifar")


def hidden(count: int, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Where squares that take a quarter of a picture lie, if they do not overlap."""
    rng, side = np.random.default_rng(seed), round(shape[1] / 2 / np.sqrt(count))
    damage = np.zeros(shape, bool)
    for picture in damage:
        for _ in range(count):
            top, left = rng.integers(0, np.array(shape[1:3]) - side + 1)
            picture[top : top + side, left : left + side] = True
    return damage


def inpaint() -> None:
    from skimage.restoration import inpaint_biharmonic

    train, test = rows_of("mnist", SHOWN), pictures("mnist")[1]
    for count in (1, 4):
        damage = hidden(count, test.shape, 2)
        seen = np.where(damage, 0.0, test).astype(np.float32)
        smooth = np.stack(
            [inpaint_biharmonic(p, d[..., 0], channel_axis=-1) for p, d in zip(seen, damage, strict=True)]
        )
        mean = np.where(damage, train.mean(0), seen)
        begun = time.perf_counter()
        blocks = Blocks(0.25, count=count)
        denoiser = az.Denoiser(
            model("mnist", blocks, len(train), SHOWN), noise=blocks, modality="image", random_state=0
        )
        denoiser.fit(train)
        seconds, found = time.perf_counter() - begun, denoiser.inpaint(seen, damage)
        assert np.array_equal(found[~damage], seen[~damage])
        for method, made in {"mean picture": mean, "biharmonic": smooth, "az.Denoiser.inpaint": found}.items():
            print(f"  {count} hidden, {damage.mean():.0%}  {method:<24} {told(psnr(test, made))}", flush=True)
        print(f"  trained in {seconds:.0f} s", flush=True)


def alone(name: str) -> None:
    for kind in NOISES:
        clean, _ = supervised(name, kind)
        noisy, begun = spoiled(rows_of(name, SHOWN), kind, 3), time.perf_counter()
        noise = estimated(noisy)
        whole = isinstance(noise, Impulses)  # one training; otherwise a third of its epochs comes before it
        part = model(name, noise, len(noisy), SHOWN if whole else 3 * SHOWN // 4)
        denoiser = az.Denoiser(part, noise="blind", modality="image", random_state=0).fit(noisy)
        seconds, test = time.perf_counter() - begun, pictures(name)[1]
        mine = psnr(test, denoiser.transform(spoiled(test, kind, 2)))
        beside = f"clean {told(clean)}, {mine.mean() - clean.mean():+.2f} dB; {denoiser.noise_!r}, {seconds:.0f} s"
        print(f"  {name} {kind:<10} from noisy alone {told(mine)}, {beside}", flush=True)


def blind() -> None:
    alone("mnist")
    alone("cifar")


def digits() -> None:
    """The first example of docs/denoising.md: 300 pictures of 8 × 8 pixels, noise of .2; PSNR of the last 797."""
    from scipy.ndimage import gaussian_filter, median_filter
    from sklearn.datasets import load_digits

    clean = (load_digits().images / 16).astype(np.float32)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 0.2, clean.shape), 0, 1).astype(np.float32)
    test, seen = clean[1000:], noisy[1000:]
    shared = {"modality": "image", "random_state": 0}
    found = {
        "as they came": seen,
        "median 3 × 3": median_filter(seen, (1, 3, 3)),
        **{f"Gaussian filter {sd}": gaussian_filter(seen, (0, sd, sd)) for sd in (0.4, 0.5, 0.6, 0.8)},
        "clean examples": az.Denoiser(**shared).fit(clean[:300]).transform(seen),
        "pairs": az.Denoiser(**shared).fit(noisy[:300], clean=clean[:300]).transform(seen),
        "noisy alone": az.Denoiser(noise="blind", **shared).fit(noisy[:300]).transform(seen),
    }
    for method, made in found.items():
        print(f"  {method:<24} {told(psnr(test, made))}", flush=True)


PARTS = {"digits": digits, "mnist": mnist, "cifar": cifar, "inpaint": inpaint, "blind": blind}
#: halves of `blind`, for two processors at once
HALVES = {"blind-mnist": lambda: alone("mnist"), "blind-cifar": lambda: alone("cifar")}
