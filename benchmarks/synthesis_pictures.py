"""New pictures beside real ones: `python benchmarks/synthesis.py pictures`.

MNIST: the first 20,000 training pictures are learned from, 10,000 drawn. A convolutional network that was trained on
the other 40,000 (three epochs) says what it sees in them. Columns:

- `sure`: the mean of its largest probability; `clear`: the part of the pictures for which that is above .9;
- `least`, `most`: the smallest and the largest share of a digit (even: .1);
- `near`: the part of the pictures nearer to a training picture than 5 % of held-out pictures are (Euclidean, 2,000
  each), where .05 is what held-out ones have; `closest`: the smallest of these distances.

Peers: the same network's prior (a plain variational autoencoder), and a mixture of 50 normal distributions over 50
principal components.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn.functional import cross_entropy

import azogue as az
from azogue.applications import densities
from census import DATA

TRAINED, DRAWN, COMPARED = 20_000, 10_000, 2_000


def part_pictures() -> None:
    with np.load(DATA / "mnist" / "mnist.npz") as held:
        X, y, real, labels = (held[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    train = X[:TRAINED]
    judge = classifier(X[TRAINED:], y[TRAINED:])
    right = float((seen(judge, real).argmax(1) == labels).mean())
    print(f"the classifier is right on {right:.4f} of the test pictures")
    limit = float(np.quantile(nearest(real[:COMPARED], train), 0.05))
    print(f"{'':<30}" + " ".join(f"{name:>8}" for name in ("sure", "clear", "least", "most", "near", "closest")))
    line("real test pictures", real, train, judge, limit)
    components = PCA(50, random_state=0).fit(train.reshape(TRAINED, -1))
    mixture = densities.fitted(components.transform(train.reshape(TRAINED, -1)), 50, 0)
    flat = components.inverse_transform(densities.drawn(mixture, DRAWN, np.random.default_rng(0)))
    line("mixture over PCA", np.clip(np.rint(flat), 0, 255).reshape(-1, 28, 28), train, judge, limit)
    for method in ("variational", "adversarial"):
        begun = time.process_time()
        model = az.Synthesizer(method=method, random_state=0).fit(train)
        spent = time.process_time() - begun
        line(f"{method}, prior", model.autoencoder_.sample(DRAWN), train, judge, limit)
        line(f"Synthesizer, {method}", model.sample(DRAWN), train, judge, limit)
        line("  held-out, reconstructed", model.autoencoder_.reconstruct(real), train, judge, limit)
        print(f"{'  fit':<30} {spent:.0f} s of one core", flush=True)


def line(name: str, pictures: np.ndarray, train: np.ndarray, judge: nn.Module, limit: float) -> None:
    """A line of figures."""
    told = seen(judge, pictures)
    sure, digits = told.max(1), np.bincount(told.argmax(1), minlength=10) / len(told)
    far = nearest(pictures[:COMPARED], train)
    values = (sure.mean(), (sure > 0.9).mean(), digits.min(), digits.max(), (far < limit).mean(), far.min())
    print(f"{name:<30}" + " ".join(f"{value:>8.4f}" for value in values), flush=True)


def classifier(X: np.ndarray, y: np.ndarray, epochs: int = 3) -> nn.Module:
    """A small convolutional network."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = nn.Sequential(
            *(
                nn.Conv2d(1, 16, 5, stride=2, padding=2),
                nn.ReLU(),
                nn.Conv2d(16, 32, 5, stride=2, padding=2),
                nn.ReLU(),
            ),
            *(nn.Flatten(), nn.Linear(1568, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)),
        )
        move = torch.optim.Adam(model.parameters(), 1e-3)
        x, labels = scaled(X), torch.from_numpy(y.astype(np.int64))
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(128):
                loss = cross_entropy(model(x[rows]), labels[rows])
                move.zero_grad()
                loss.backward()
                move.step()
    return model.eval()


def scaled(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.asarray(pictures, np.float32)).reshape(-1, 1, 28, 28) / 255


@torch.inference_mode()
def seen(judge: nn.Module, pictures: np.ndarray) -> np.ndarray:
    """Probabilities of the digits, (n, 10)."""
    return torch.cat([judge(part).softmax(1) for part in scaled(pictures).split(1000)]).numpy()


@torch.inference_mode()
def nearest(pictures: np.ndarray, train: np.ndarray) -> np.ndarray:
    """The distance of each picture to the nearest training picture, pixels from 0 to 1."""
    known = scaled(train).reshape(len(train), -1)
    parts = scaled(pictures).reshape(len(pictures), -1).split(200)
    return torch.cat([torch.cdist(part, known).min(1).values for part in parts]).numpy()
