"""Training by several processes or machines, to the bits that one of them alone would end with.

`fit` starts the processes itself, on this machine or on a Ray cluster; `join` is for programs that something else
starts several times, such as `torchrun`; `score` spreads the rows of a fitted model over a Ray cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from azogue.distributed.crew import fit_here
from azogue.distributed.joining import join
from azogue.distributed.scoring import score

if TYPE_CHECKING:
    import os

__all__ = ["fit", "join", "score"]

E = TypeVar("E")
BACKENDS = ("gloo", "ray")


def fit(
    estimator: E,
    X: Any,
    y: Any = None,
    *,
    workers: int = 2,
    shards: int = 8,
    backend: str = "gloo",
    exact: bool = True,
    restarts: int = 3,
    address: str | None = None,
    storage: str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> E:
    """`estimator.fit(X, y)` by several processes: the weights are the same bits for any number of them.

    Each batch is cut into `shards` parts. Every process computes the gradients of its parts, and the step's gradient
    is their sum

        g = Σₛ (rowsₛ / rows) ∇Lₛ,    s = 1, …, shards,

    taken in pairs along a fixed tree. So `shards` decides on the result, as `batch_size` does, and `workers` does not.
    Terms over a batch and batch normalisation see one shard at a time. Each process computes on one thread.

    Parameters
    ----------
    estimator : Autoencoder or application
        Changed in place, as by its own `fit`. What it trains inside is shared out too.
    X, y : as in its own `fit`
        Every process gets all rows; of rows in memory, each holds a copy.
    workers : int
        Processes. With `"gloo"`, this one is the first of them: it calls callbacks and writes checkpoints.
    shards : int
        At least as many as `workers`.
    backend : {"gloo", "ray"}
        Processes of this machine; or workers of Ray Train (extra `ray`), on the cluster that `ray.init` has joined,
        else that of `address` or `RAY_ADDRESS`, else on one that is started here for them and ended afterwards.
    exact : bool
        False: one shard a worker and an all-reduce, which is faster where `shards` would be small, and whose result
        depends on `workers`.
    restarts : int
        How often lost workers are replaced. Training goes on from the last epoch that was saved, in `checkpoint` or in
        a temporary file, to the same bits. Estimators without `checkpoint` begin again.
    address : str or None
        Of a Ray cluster.
    storage : path or None
        Where Ray keeps checkpoints: a folder that all machines see, or a URI such as `s3://…`. None: a temporary folder
        of this machine.
    **parameters
        Of the estimator's `fit`, such as `validation_data`.

    Returns
    -------
    the estimator, fitted

    Raises
    ------
    ValueError, TypeError
        As `fit` does; for numbers that make no sense; for private training, whose noise nobody may share.
    ImportError
        If Ray is asked for and absent.
    RuntimeError
        If workers were lost more often than `restarts`, saying which and how.

    Notes
    -----
    NOTE[DIFF] Data-parallel training usually sums what each worker made of its part of the batch (Li et al. 2020,
    PyTorch Distributed, VLDB 13(12)), so that another number of workers is another result.

    Programs that call this from a script need `if __name__ == "__main__":` around what they do, since processes start
    by importing it.

    Examples
    --------
    >>> import azogue as az
    >>> from sklearn.datasets import load_iris
    >>> X = load_iris().data
    >>> alone = az.distributed.fit(az.Autoencoder(2, epochs=2, random_state=0), X, workers=1, shards=2)
    >>> both = az.distributed.fit(az.Autoencoder(2, epochs=2, random_state=0), X, workers=2, shards=2)
    >>> bool((alone.encode(X) == both.encode(X)).all())
    True
    """
    for name, value, least in (("workers", workers, 1), ("shards", shards, 1), ("restarts", restarts, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name}: expected a whole number of at least {least}, got {value!r}")
    if backend not in BACKENDS:
        raise ValueError(f"backend: {backend!r} is unknown; use one of {', '.join(BACKENDS)}")
    if backend == "gloo" and (address is not None or storage is not None):
        raise ValueError("address and storage are of Ray clusters: backend='ray'")
    if exact and shards < workers:
        raise ValueError(f"shards: {workers} workers need at least {workers} shards of each batch, got {shards}")
    given = {**({} if y is None else {"y": y}), **parameters}
    shards = shards if exact else workers
    if backend == "gloo":
        fit_here(estimator, X, given, workers, shards, exact, restarts)
    else:
        from azogue.distributed.cluster import fit_there

        fit_there(estimator, X, given, (workers, shards, exact), restarts, address, storage)
    return estimator
