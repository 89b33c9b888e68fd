"""A training run in MLflow: parameters, a curve for each value that training tells, and the model.

A callback is any function of an epoch's record, so that MLflow needs no adapter:

    pip install mlflow
    python examples/mlflow_tracking.py            # writes below ./mlruns
    mlflow ui
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sklearn.datasets import load_wine

import azogue as az


def main() -> int:
    """Train with MLflow as a callback; say so where it is not installed."""
    try:
        import mlflow
    except ImportError:
        print("this example needs MLflow, which is not installed: pip install mlflow")
        return 0

    def log_epoch(record: dict[str, float]) -> None:
        values = {name: float(value) for name, value in record.items() if name != "epoch"}
        mlflow.log_metrics(values, step=int(record["epoch"]))

    X = load_wine(as_frame=True).data
    ae = az.DenoisingAutoencoder(2, epochs=30, random_state=0, callbacks=[log_epoch])
    with mlflow.start_run(run_name="wine"):
        mlflow.log_params({name: str(value)[:250] for name, value in ae.get_params().items() if name != "callbacks"})
        ae.fit(X)
        mlflow.log_metrics({f"final_{name}": value for name, value in ae.evaluate(X).items()})
        with tempfile.TemporaryDirectory() as folder:
            ae.save(Path(folder, "wine.azogue"))
            mlflow.log_artifact(str(Path(folder, "wine.azogue")))
    print(f"{len(ae.history_)} epochs are in MLflow; look at them with: mlflow ui")
    return 0


if __name__ == "__main__":
    sys.exit(main())
