"""Ray places, restarts and schedules; what comes out are the bits of one process. One cluster serves all tests."""

import os
import signal

import numpy as np
import pytest

ray = pytest.importorskip("ray")

import azogue as az  # noqa: E402
from azogue.distributed import cluster  # noqa: E402
from test_distributed import X, sha, told, unfitted  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Ray's own
    pytest.mark.skipif(os.name != "posix", reason="signals"),
]


@pytest.fixture(scope="module")
def joined():
    with cluster.cluster() as library:
        yield library


@pytest.fixture(scope="module")
def alone():
    return az.distributed.fit(unfitted(), X, workers=1)


def test_a_local_cluster_keeps_to_itself(joined):
    assert "RAY_AUTH_TOKEN" in os.environ or os.path.exists(os.path.expanduser("~/.ray/auth_token"))
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not joined._private.worker.global_worker.node.webui_url
    assert joined.get_runtime_context().gcs_address.startswith("127.")


def test_a_killed_worker_changes_nothing(joined, alone, tmp_path):
    killed, seen = tmp_path / "killed", tmp_path / "seen"

    def kill(record):
        with seen.open("a") as out:
            out.write(f"{os.getpid()} {record['epoch']:.0f}\n")
        if record["epoch"] == 3 and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    ae = az.distributed.fit(unfitted(callbacks=kill), X, workers=2, backend="ray", storage=tmp_path / "runs")
    lines = [line.split() for line in seen.read_text().splitlines()]
    assert len({pid for pid, _ in lines}) == 2
    assert [epoch for _, epoch in lines][:3] == ["1", "2", "3"]
    assert int(lines[3][1]) > 1, "the second attempt goes on from a checkpoint"
    assert lines[-1][1] == "4"
    assert sha(ae) == sha(alone)
    assert told(ae) == told(alone)
    assert np.array_equal(ae.errors(X), alone.errors(X))


def test_faults_of_the_data_are_told_as_ever_and_once(joined, tmp_path):
    with pytest.raises(ValueError, match="epochs: expected a whole number of at least 1"):
        az.distributed.fit(unfitted(epochs=0), X, workers=2, backend="ray", storage=tmp_path)


def test_scores_do_not_depend_on_how_rows_are_cut(joined, alone, tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    expected = alone.errors(X)
    for rows in (230, 77):
        assert np.array_equal(az.distributed.score(alone, X, rows=rows), expected)
    table = pa.table({f"c{at}": X[:, at] for at in range(X.shape[1])})
    pq.write_table(table.slice(0, 100), tmp_path / "a.parquet", row_group_size=30)
    pq.write_table(table.slice(100), tmp_path / "b.parquet")
    framed = az.Autoencoder(2, epochs=1, random_state=0).fit(table)
    assert np.array_equal(az.distributed.score(framed, tmp_path, method="encode"), framed.encode(table))


def test_candidates_of_a_search(joined):
    def searched(n_jobs):
        search = az.ArchitectureSearch(
            "random", budget=4, autoencoder=az.Autoencoder(epochs=2), space={"kind": "basic"}, random_state=0,
            n_jobs=n_jobs,
        )  # fmt: skip
        return search.fit(X)

    one, many = searched(1), searched("ray")
    assert one.best_params_ == many.best_params_
    assert np.array_equal(one.results_["fitness"], many.results_["fitness"])
    assert sha(one.best_estimator_) == sha(many.best_estimator_)
    assert joined.is_initialized(), "a cluster that was there is left as it was"
