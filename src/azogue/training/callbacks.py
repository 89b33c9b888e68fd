"""Callbacks of the package: progress on a terminal, scikit-learn's callback protocol, and who watches from outside."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

Callback: TypeAlias = Callable[[dict[str, float]], object]
F = TypeVar("F", bound=Callable[..., Any])

try:  # scikit-learn ≥ 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # pragma: no cover (depends on the installed scikit-learn)

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands in where scikit-learn has no callbacks."""

    def with_callbacks(method: F) -> F:
        """Leave the method as it is."""
        return method


__all__ = [
    "CallbackSupportMixin",
    "as_callbacks",
    "progress",
    "sklearn_callbacks",
    "watchers",
    "watching",
    "with_callbacks",
]

_WATCHING: ContextVar[tuple[Callback, ...]] = ContextVar("azogue_watching", default=())


@contextmanager
def watching(callback: Callback) -> Iterator[None]:
    """Within this context, a callback hears of every epoch that is trained, of whichever autoencoder of an application.

    Other threads are not heard. A member of a population tells its epochs one by one.

    Parameters
    ----------
    callback : callable
        Called with a record as `Autoencoder(callbacks=)` is, and with `epochs`, how many there are at most. `True`
        stops the training that the record is of; as long as it is returned, what an application trains next stops
        after its first epoch too, so that the application ends with networks that work.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> import azogue as az
    >>> heard = []
    >>> with watching(heard.append):
    ...     _ = az.Denoiser(az.Autoencoder(2, epochs=3), random_state=0).fit(load_iris().data)
    >>> [(record["epoch"], record["epochs"]) for record in heard]
    [(1, 3), (2, 3), (3, 3)]
    """
    token = _WATCHING.set((*_WATCHING.get(), callback))
    try:
        yield
    finally:
        _WATCHING.reset(token)


def watchers(epochs: int) -> list[Callback]:
    """Who watches, as callbacks of a training of so many epochs."""

    def told(watcher: Callback) -> Callback:
        return lambda record: watcher({**record, "epochs": epochs})

    return [told(watcher) for watcher in _WATCHING.get()]


@contextmanager
def progress(epochs: int, verbose: int, title: str) -> Iterator[list[Callable[[dict[str, float]], None]]]:
    """A progress bar on standard error if that is a terminal, `verbose` asks and nobody watches; else nothing."""
    if not verbose or _WATCHING.get() or not sys.stderr.isatty():
        yield []
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=console, transient=verbose < 2) as bar:
        task = bar.add_task(title, total=epochs, state="")

        def show(record: dict[str, float]) -> None:
            shown = [f"{name} {record[name]:.4g}" for name in ("loss", "val_loss") if name in record]
            bar.update(task, completed=int(record["epoch"]), state="  ".join(shown))

        yield [show]


def as_callbacks(callbacks: Any) -> list[Any]:
    """One callback or several → a list."""
    return [callbacks] if callable(callbacks) else list(callbacks)


@contextmanager
def sklearn_callbacks(estimator: Any, epochs: int) -> Iterator[list[Callable[[dict[str, float]], bool]]]:
    """scikit-learn's callbacks of the estimator as one of ours; none where it has none or knows none.

    An epoch is a subtask of `fit`; the hooks get the record of the epoch as `metadata`. A hook's `True` stops
    training.
    """
    if not hasattr(estimator, "_init_callback_context"):
        yield []
        return
    root = estimator._init_callback_context(max_subtasks=epochs)
    root.call_on_fit_task_begin(estimator=estimator)

    def after(record: dict[str, float]) -> bool:
        task = root.subcontext(task_name="epoch")
        task.call_on_fit_task_begin(estimator=estimator, metadata=dict(record))
        return bool(task.call_on_fit_task_end(estimator=estimator, metadata=dict(record)))

    yield [after]
    root.call_on_fit_task_end(estimator=estimator)
