"""
Denoise: digits under heavy noise
=================================

Filters know that neighbouring pixels are alike. A denoiser has met other digits, each time under new noise, and learned
to undo it; a linear regression from noisy to clean pixels learned from the same digits. The filters get the setting
that suits these very pictures best, which nobody would know.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter, median_filter
from scipy.signal import wiener
from sklearn.datasets import load_digits
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

import azogue as az
from azogue.corruptions import Clipped, Gaussian
from azogue.quality import psnr

NOISE = 0.25  # standard deviation; black to white is 1
clean = (load_digits().images / 16).astype("float32")
train, test = train_test_split(clean, test_size=0.3, random_state=0)
rng = np.random.default_rng(0)
seen, noisy = (np.clip(part + rng.normal(0, NOISE, part.shape), 0, 1).astype("float32") for part in (train, test))

# %%
# Any network will do; this one is wide, since noise keeps it from copying.
network = az.Input() + az.Dense(256, "silu") + az.Dense(256, "silu") + az.Output()
inner = az.Autoencoder(network, objective="mse", epochs=30, batch_size=64, learning_rate=2e-3)
denoiser = az.Denoiser(inner, noise=Clipped(Gaussian(NOISE)), modality="image", random_state=0).fit(train)
restored = denoiser.transform(noisy)

# %%
# Peak signal-to-noise ratios in dB; higher is better.
flat = {name: part.reshape(len(part), -1) for name, part in {"clean": train, "seen": seen, "noisy": noisy}.items()}
linear = Ridge(1.0).fit(flat["seen"], flat["clean"]).predict(flat["noisy"]).reshape(test.shape)


def best(apply, settings):
    """A filter's pictures with its best setting."""
    with np.errstate(divide="ignore", invalid="ignore"):  # Wiener's filter divides by the variance of even parts
        made = [np.stack([apply(picture, setting) for picture in noisy]) for setting in settings]
    return max(made, key=lambda pictures: psnr(test, pictures, data_range=1))


made = {
    "noisy": noisy,
    "median filter": best(median_filter, (2, 3)),
    "Wiener filter": best(wiener, (3, 5)),
    "Gaussian filter": best(gaussian_filter, np.arange(0.3, 1.0, 0.1)),
    "linear": linear,
    "Denoiser": restored,
}
figures = {name: psnr(test, pictures, data_range=1) for name, pictures in made.items()}
for name, value in figures.items():
    print(f"{name:16} {value:.1f} dB")

# %%
rows = {"clean": test, **{name: made[name] for name in ("noisy", "Gaussian filter", "Denoiser")}}
figure, axes = plt.subplots(len(rows), 12, figsize=(9, 3.1), layout="constrained")
for line, (name, pictures) in zip(axes, rows.items(), strict=True):
    for axis, picture in zip(line, pictures, strict=False):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    told = f"{name}\n{figures[name]:.1f} dB" if name in figures else name
    line[0].set_ylabel(told, rotation=0, ha="right", va="center")
plt.show()

# %%
# :doc:`../denoising` has larger pictures, signals, and learning from noisy pictures alone.
