"""One-liners: `autoencode` fits and returns the codes, `load` brings a saved model back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import azogue.applications
import azogue.variants  # noqa: F401  (registers what model files may name)
from azogue import persistence
from azogue.autoencoder import Autoencoder

if TYPE_CHECKING:
    import os

    from torch import nn


def kinds() -> dict[str, type[Autoencoder]]:
    """The variants by short name: `basic`, `denoising`, `sparse`, `ksparse`, `robust`, …"""
    known = {name: cls for name, cls in persistence.Persistent.registry.items() if issubclass(cls, Autoencoder)}
    short = {name.rpartition(":")[2].removesuffix("Autoencoder").lower() or "basic": cls for name, cls in known.items()}
    return dict(sorted(short.items()))


def autoencode(X: Any, dimension: int = 2, *, kind: str = "basic", **parameters: Any) -> Any:
    """Fit an autoencoder and return the codes: ruta's one-liner.

    Parameters
    ----------
    X : table, shape (n, columns)
    dimension : int
        Size of the code.
    kind : str
        A variant by its short name: `basic`, `denoising`, `sparse`, `ksparse`, `robust`, …
    **parameters
        Of the variant, such as `epochs=200`.

    Returns
    -------
    ndarray of float32, shape (n, dimension)

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> autoencode(load_iris().data, 2, kind="denoising", epochs=5, random_state=0).shape
    (150, 2)
    """
    variant = kinds().get(kind.replace("-", "").replace("_", "").lower())
    if variant is None:
        raise ValueError(f"kind: {kind!r} is unknown; use one of {', '.join(kinds())}")
    return variant(dimension, **parameters).fit_transform(X)


def load(path: str | os.PathLike[str], *, modules: tuple[nn.Module, nn.Module] | None = None) -> Any:
    """Bring a saved estimator back, without running any code of the file.

    Parameters
    ----------
    path : path-like
    modules : (encoder, decoder) pair of torch or Keras modules, optional
        For models whose network was such a pair: the file holds their weights, not their code.

    Returns
    -------
    the fitted estimator

    Raises
    ------
    ModelFileError
        If the file is not a model, is damaged, newer than this program, or needs something that was not passed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> X = [[float(n), float(n * n)] for n in range(20)]
    >>> ae = Autoencoder(1, epochs=2, random_state=0).fit(X)
    >>> with TemporaryDirectory() as folder:
    ...     ae.save(Path(folder, "model.azogue"))
    ...     again = load(Path(folder, "model.azogue"))
    >>> bool((again.encode(X) == ae.encode(X)).all())
    True
    """
    return persistence.load(path, modules=modules)
