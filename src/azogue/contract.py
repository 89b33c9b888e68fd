"""The contract of an autoencoder: checks that every variant must pass, ours and anybody's.

`check_autoencoder(MyVariant)` runs them all and raises `AssertionError` at the first that fails. The package's own
variants go through the same list, so that there is one meaning of "works".
"""

from __future__ import annotations

import contextlib
import io
import logging
import random
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from sklearn.base import clone

from azogue.autoencoder import Autoencoder
from azogue.layers import Dense, Input, Output, Recurrent
from azogue.modalities import Text
from azogue.persistence import load
from azogue.session import open_session
from azogue.training.data import together
from azogue.training.state import start

if TYPE_CHECKING:
    from collections.abc import Callable


def check_autoencoder(variant: type[Autoencoder] | Autoencoder) -> None:
    """Run every check of the contract on a variant.

    Parameters
    ----------
    variant : class or unfitted instance

    Raises
    ------
    AssertionError
        Naming the check and what was found.

    Examples
    --------
    >>> import azogue as az
    >>> check_autoencoder(az.DenoisingAutoencoder)
    """
    prototype: Any = variant() if isinstance(variant, type) else variant
    for check in CHECKS:
        check(prototype)


def _make(prototype: Autoencoder, **changes: Any) -> Autoencoder:
    small = {"network": 8, "epochs": 3, "random_state": 0, "batch_size": 16, "validation_fraction": 0.0}
    fresh: Autoencoder = clone(prototype).set_params(**{**small, **changes})
    return fresh


def _rows(n: int = 64, d: int = 12, seed: int = 0) -> np.ndarray:
    """Rows near a curved surface of three dimensions."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n, 3))
    return np.tanh(hidden @ rng.normal(size=(3, d))) + 0.05 * rng.normal(size=(n, d))


def _weights(model: Autoencoder) -> torch.Tensor:
    return torch.cat([p.detach().reshape(-1) for p in model.network_.parameters()])


def check_gradients(prototype: Autoencoder) -> None:
    """Every parameter gets a gradient that is not zero."""
    session = open_session(_make(prototype, batch_size=64), _rows(), None, seed=0)
    state = start(session.network, session.recipe)
    for _ in range(3):  # the output layer may start too small for anything to arrive at once
        session.backend.step([state], together([session.data.all()]))
    for name, parameter in session.network.named_parameters():
        assert parameter.grad is not None, f"{name} got no gradient"
        assert bool((parameter.grad != 0).any()), f"the gradient of {name} is zero"


def check_learns(prototype: Autoencoder) -> None:
    """The loss falls, and the reconstruction beats the columns' means."""
    model = _make(prototype, epochs=60, learning_rate=3e-3).fit(_rows(256))
    first, last = model.history_[0]["loss"], model.history_[-1]["loss"]
    assert last < first, f"the loss rose from {first:.4g} to {last:.4g}"
    explained = model.evaluate(_rows(256))["r2"]
    assert explained > 0.2, f"only {explained:.2f} of the variance is explained after 60 epochs"


def check_hyper_parameters(prototype: Autoencoder) -> None:
    """Each parameter that the variant adds changes what is learned."""
    inherited = {item.name for item in fields(Autoencoder)}
    usual = _weights(_make(prototype).fit(_rows()))
    for item in fields(prototype):
        if item.name in inherited:
            continue
        value = getattr(prototype, item.name)
        other = item.metadata.get("try", _other(value))
        assert other is not None, f"{item.name}: name another value to try, field(..., metadata={{'try': value}})"
        moved = _weights(_make(prototype, **{item.name: other}).fit(_rows()))
        assert not torch.equal(usual, moved), f"{item.name}={other!r} learns the same as {item.name}={value!r}"


def _other(value: Any) -> Any:
    """Another value of the same kind; None where there is no telling."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return (value / 2 if value else 0.5) if isinstance(value, float) else None


def check_same_seed(prototype: Autoencoder) -> None:
    """Same seed, same bits; another seed, other weights."""
    a, b = (_make(prototype).fit(_rows()) for _ in range(2))
    assert torch.equal(_weights(a), _weights(b)), "two fits with one seed differ"
    other = _make(prototype, random_state=1).fit(_rows())
    assert not torch.equal(_weights(a), _weights(other)), "another seed gives the same weights"


def check_batching(prototype: Autoencoder) -> None:
    """Codes, reconstructions and errors are the same bits however rows are batched."""
    X = _rows(300)
    X[5, 3] = np.nan
    model = _make(prototype).fit(X)
    for name in ("encode", "reconstruct", "errors"):
        method = getattr(model, name)
        whole = method(X)
        for size in (1, 7, 256):
            parts = np.concatenate([method(X[at : at + size]) for at in range(0, 300 if size > 1 else 20, size)])
            assert np.array_equal(parts, whole[: len(parts)]), f"{name} of {size} rows at a time differs"


def check_inference(prototype: Autoencoder) -> None:
    """Nothing is drawn at inference: twice the same."""
    X = _rows()
    model = _make(prototype).fit(X)
    assert np.array_equal(model.encode(X), model.encode(X)), "two calls of encode differ"
    assert np.array_equal(model.decode(model.encode(X)), model.reconstruct(X)), (
        "decode(encode(X)) is not reconstruct(X)"
    )


def check_few_rows(prototype: Autoencoder) -> None:
    """Fewer rows than a batch still train."""
    before = _weights(_make(prototype, epochs=1, batch_size=256, learning_rate=1e-12).fit(_rows(5)))
    after = _weights(_make(prototype, epochs=5, batch_size=256).fit(_rows(5)))
    assert (before - after).abs().max() > 1e-4, "5 rows with batch_size=256 did not move the weights"


def check_quiet(prototype: Autoencoder) -> None:
    """No output, no logging handlers, no global generator moved."""

    def states() -> list[Any]:
        return [random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()]  # noqa: NPY002

    random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002 (away from any seed)
    before = states()
    handlers = len(logging.getLogger().handlers)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        _make(prototype).fit(_rows()).errors(_rows())
    assert not out.getvalue(), f"training printed {out.getvalue()[:80]!r}"
    assert not err.getvalue(), f"training wrote {err.getvalue()[:80]!r} to standard error"
    assert len(logging.getLogger().handlers) == handlers, "a logging handler was added"
    for name, old, new in zip(("random", "numpy.random", "torch"), before, states(), strict=True):
        assert old == new, f"the global generator of {name} was moved"


def check_files(prototype: Autoencoder) -> None:
    """Saved and loaded: the same class and the same bits."""
    X = _rows()
    model = _make(prototype).fit(X)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.azogue"
        model.save(path)
        loaded = load(path)
    assert type(loaded) is type(model), f"came back as {type(loaded).__name__}"
    assert np.array_equal(loaded.encode(X), model.encode(X)), "codes differ after loading"
    assert np.array_equal(loaded.errors(X), model.errors(X)), "errors differ after loading"


def check_mixed_table(prototype: Autoencoder) -> None:
    """Numbers, booleans, texts and holes in one table come back in its columns."""
    rng = np.random.default_rng(0)
    n = 60
    color = rng.choice(["red", "green", "blue"], n)
    table = pa.table(
        {
            "size": pa.array(rng.normal(size=n), mask=rng.random(n) < 0.2),
            "color": pa.array(color),
            "round": pa.array(color == "red"),
        }
    )
    model = _make(prototype).fit(table)
    back = model.reconstruct(table)
    assert back.column_names == table.column_names, "columns differ"
    assert back.schema.types == table.schema.types, "types differ"
    assert np.isfinite(model.errors(table)).all(), "a row's error is not finite"


def check_narrow_table(prototype: Autoencoder) -> None:
    """A table of one column has codes of its own accord, and comes back finite."""
    X = _rows(40, 1)
    model = _make(prototype, network="auto").fit(X)
    assert np.isfinite(model.encode(X)).all(), "a code of a table of one column is not finite"
    back = model.reconstruct(X)
    assert back.shape == X.shape, f"a table of shape {X.shape} came back as {back.shape}"
    assert np.isfinite(back).all(), "a reconstruction of a table of one column is not finite"


def check_pictures(prototype: Autoencoder) -> None:
    """Pictures come back in their layout and dtype, through convolutions and through dense layers."""
    rng = np.random.default_rng(0)
    light = np.clip(rng.normal(size=(40, 1, 1, 3)) + np.linspace(-1, 1, 9)[:, None, None], -1, 1)
    X = (127 + 120 * light * np.cos(np.arange(8))[:, None]).astype(np.uint8)  # (40, 9, 8, 3)
    for network in (None, (12, 4)):
        model = _fitted(prototype, X, network)
        back = model.reconstruct(X)
        assert back.dtype == X.dtype, f"pictures of {X.dtype} came back as {back.dtype}"
        assert back.shape == X.shape, f"pictures of shape {X.shape} came back as {back.shape}"
        assert model.errors(X, per_feature=True).shape == X.shape, "errors of pixels are not laid out as pictures"
        _check_alone(model, X)


def check_sequences(prototype: Autoencoder) -> None:
    """Sequences of several lengths come back in theirs, alone as together, through every kind of layer."""
    rng = np.random.default_rng(0)
    X = [np.sin(np.arange(length)[:, None] / 3 + rng.normal(size=2)) for length in rng.integers(9, 17, 40)]
    for network in (None, (12, 4), Input() + Recurrent(6) + Dense(4) + Output()):
        model = _fitted(prototype, X, network)
        back = model.reconstruct(X)
        assert [len(one) for one in back] == [len(one) for one in X], "lengths differ"
        assert all(np.isfinite(one).all() for one in model.errors(X, per_feature=True)), "an error is not finite"
        _check_alone(model, X)


def check_texts(prototype: Autoencoder) -> None:
    """Texts, as words and as characters, come back as texts."""
    rng = np.random.default_rng(0)
    words = ["ebro", "tajo", "duero", "miño", "segura", "júcar"]
    X = [" ".join(rng.choice(words, rng.integers(1, 5))) for _ in range(40)]
    for unit in ("word", "character"):
        model = _fitted(_make(prototype, modality=Text(unit)), X, None)
        assert all(isinstance(text, str) for text in model.reconstruct(X)), "texts came back as something else"
        assert np.isfinite(model.errors(X)).all(), "a text's error is not finite"
        _check_alone(model, X)


def _fitted(prototype: Autoencoder, X: Any, network: Any) -> Autoencoder:
    """Fitted on rows of a modality; with `network=None` by layers that suit it, dense where these have to be."""
    changes = {} if network is None else {"network": network}
    model = _make(prototype, **changes, epochs=2)
    try:
        model.fit(X)
    except ValueError as error:
        if "where they are dense" not in str(error):
            raise
        model = _make(prototype, network=(12, 4), epochs=2)
        model.fit(X)
    return model


def _check_alone(model: Autoencoder, X: Any) -> None:
    """A few rows give what all of them give, before and after the model was in a file."""
    codes = model.encode(X)
    assert np.array_equal(model.encode(X[7:10]), codes[7:10]), "rows alone have other codes than together"
    assert np.array_equal(model.errors(X[7:8]), model.errors(X)[7:8]), "a row alone has another error than together"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.azogue"
        model.save(path)
        assert np.array_equal(load(path).encode(X), codes), "codes differ after loading"


CHECKS: list[Callable[[Autoencoder], None]] = [
    check_gradients,
    check_learns,
    check_hyper_parameters,
    check_same_seed,
    check_batching,
    check_inference,
    check_few_rows,
    check_quiet,
    check_files,
    check_mixed_table,
    check_narrow_table,
    check_pictures,
    check_sequences,
    check_texts,
]
