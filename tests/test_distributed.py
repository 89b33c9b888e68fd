"""Several processes, one result: the same bits for any number of them, with a worker killed, for any cut of rows."""

import hashlib
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from multiprocessing import active_children
from pathlib import Path

import numpy as np
import pytest
import torch

import azogue as az
from azogue.distributed import crew
from azogue.distributed.scoring import cut, cuts, groups, parquet
from azogue.training.sharded import Sharded
from azogue.training.team import Team, along_tree, member

X = np.tanh(np.random.default_rng(0).normal(size=(230, 2)) @ np.random.default_rng(1).normal(size=(2, 6)))


def network():
    """With running statistics and randomness inside."""
    return (
        az.Input()
        + az.Dense(12, "relu", normalization="batch")
        + az.Dropout(0.2)
        + az.Dense(2)
        + az.Dense(12, "relu", normalization="batch")
        + az.Output()
    )


def unfitted(**parameters):
    return az.DenoisingAutoencoder(network(), **{"epochs": 4, "batch_size": 50, "random_state": 0, **parameters})


def sha(ae):
    digest = hashlib.sha256()
    for name, value in sorted(ae.network_.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


def told(ae):
    return [{name: value for name, value in record.items() if name != "seconds"} for record in ae.history_]


@pytest.fixture(scope="module")
def alone():
    return az.distributed.fit(unfitted(), X, workers=1)


# -- sums -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 7, 8, 12, 16])
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 8])
def test_branches_are_parts_of_one_tree(shards, workers):
    rows = list(torch.randn(shards, 50, generator=torch.Generator().manual_seed(shards)) * 1e4)
    size = Team(size=workers).block(shards)
    count = -(-shards // size)
    own = [at for rank in range(workers) for at in Team(rank=rank, size=workers).own(count)]
    assert sorted(own) == list(range(count))
    branches = [along_tree(rows[at * size : (at + 1) * size]) for at in range(count)]
    assert torch.equal(along_tree(branches), along_tree(rows))


def test_gradients_of_shards_are_those_of_the_batch():
    parameters = {"epochs": 1, "validation_fraction": 0.0, "batch_size": 230, "precision": "float64", "random_state": 0}
    whole = az.Autoencoder(2, **parameters).fit(X)
    parts = az.distributed.fit(az.Autoencoder(2, **parameters), X, workers=1, shards=7)
    assert parts.recipe_.shards == 7
    assert parts.history_[0]["loss"] == pytest.approx(whole.history_[0]["loss"], rel=1e-12)
    for name, value in whole.network_.state_dict().items():
        assert torch.allclose(value, parts.network_.state_dict()[name], rtol=1e-6, atol=1e-9), name


def test_running_statistics_move_once_a_step_by_the_mean_of_the_shards():
    ae = az.Autoencoder(
        az.Input() + az.BatchNorm() + az.Dense(2) + az.Output(),
        epochs=1, batch_size=200, validation_fraction=0.0, random_state=0, scaling="none",
    )  # fmt: skip
    az.distributed.fit(ae, X[:200], workers=1, shards=2)
    found = next(value for name, value in ae.network_.state_dict().items() if name.endswith("running_mean"))
    assert np.allclose(found.numpy(), 0.1 * X[:200].mean(0), atol=1e-6)


def test_shards_decide_and_are_kept(alone, tmp_path):
    other = az.distributed.fit(unfitted(), X, workers=1, shards=2)
    assert sha(other) != sha(alone)
    other.save(tmp_path / "m.azogue")
    assert az.load(tmp_path / "m.azogue").recipe_.shards == 2


@pytest.mark.parametrize("heavy", [False, True])
def test_one_and_two_threads(heavy):
    """Networks that are worth two threads get one where bits are to be the same."""
    rows = np.random.default_rng(0).normal(size=(600, 300 if heavy else 6))
    network = (400, 100, 8) if heavy else (8, 2)
    found, before = set(), torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            ae = az.Autoencoder(network, epochs=2, batch_size=256, random_state=0, deterministic=True)
            found.add(sha(ae.fit(rows)))
    finally:
        torch.set_num_threads(before)
    assert len(found) == 1


# -- processes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [2, 4])
def test_the_same_bits_by_several_processes(alone, workers):
    epochs = []
    ae = az.distributed.fit(unfitted(callbacks=lambda record: epochs.append(record["epoch"])), X, workers=workers)
    assert sha(ae) == sha(alone)
    assert told(ae) == told(alone)
    assert epochs == [1, 2, 3, 4]
    assert np.array_equal(ae.errors(X), alone.errors(X))
    assert not torch.distributed.is_initialized()


def test_a_seed_that_is_left_open_is_agreed_on_and_callbacks_stop_all():
    ae = az.distributed.fit(unfitted(random_state=None, callbacks=lambda record: record["epoch"] == 2), X)
    assert ae.stopped_ == "callback"
    assert len(ae.history_) == 2
    again = az.distributed.fit(unfitted(random_state=ae.seed_, epochs=4, callbacks=lambda r: r["epoch"] == 2), X)
    assert sha(again) == sha(ae)
    assert ae.random_state is None


def test_early_stopping_and_two_players():
    one, two = (
        az.distributed.fit(
            az.AdversarialAutoencoder(2, epochs=6, patience=1, batch_size=100, learning_rate=0.05, random_state=3),
            X,
            workers=workers,
        )
        for workers in (1, 2)
    )
    assert sha(one) == sha(two)
    assert told(one) == told(two)
    assert one.stopped_ == two.stopped_


def test_an_application_trains_by_a_team():
    one, two = (
        az.distributed.fit(az.AnomalyDetector(az.Autoencoder(2, epochs=3), random_state=0), X, workers=workers)
        for workers in (1, 2)
    )
    assert np.array_equal(one.anomaly_score(X), two.anomaly_score(X))


def killer(at, rank=1):
    """A callback that kills a worker, once."""
    done = []

    def kill(record):
        if record["epoch"] == at and not done:
            done.append(at)
            crew = sorted((child for child in active_children() if child.pid), key=lambda child: child.pid)
            os.kill(crew[rank - 1].pid, signal.SIGKILL)

    return kill, done


def test_a_killed_worker_changes_nothing(alone):
    kill, done = killer(3)
    ae = az.distributed.fit(unfitted(callbacks=kill), X, restarts=1)
    assert done == [3]
    assert sha(ae) == sha(alone)
    assert told(ae) == told(alone)
    assert (ae.checkpoint, ae.resume) == (None, False)


def test_a_lost_worker_is_named_and_the_checkpoint_stays(alone, tmp_path):
    kill, _ = killer(3)
    with pytest.raises(RuntimeError, match="worker 1 of 2 was lost: signal 9"):
        az.distributed.fit(unfitted(callbacks=kill, checkpoint=tmp_path / "c"), X, restarts=0)
    assert not active_children()
    ae = az.distributed.fit(unfitted(checkpoint=tmp_path / "c", resume=True), X, restarts=0)
    assert sha(ae) == sha(alone)


def test_sums_that_depend_on_the_workers():
    ae = az.distributed.fit(unfitted(), X, workers=2, exact=False)
    assert ae.recipe_.shards == 2
    assert 0 < ae.history_[-1]["loss"] < 1.5


JOINED = """
import sys, numpy as np, azogue as az
sys.path.insert(0, sys.argv[1])
from test_distributed import X, sha, unfitted
with az.distributed.join() as team:
    ae = unfitted(checkpoint=sys.argv[2], random_state=None if len(sys.argv) > 3 else 0).fit(X)
    print(team.rank, team.size, sha(ae))
"""


def test_programs_that_are_started_several_times(alone, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    interface = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": interface}
    arguments = [sys.executable, "-c", JOINED, str(Path(__file__).parent), str(tmp_path / "c")]
    copies = [
        subprocess.Popen(arguments, env={**os.environ, **shared, "RANK": str(rank)}, stdout=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    found = sorted(copy.communicate(timeout=120)[0].split() for copy in copies)
    assert found == [["0", "2", sha(alone)], ["1", "2", sha(alone)]]


def test_a_program_started_once_joins_nobody(alone):
    with az.distributed.join() as team:
        ae = unfitted().fit(X)
    assert team.leads
    assert sha(ae) == sha(alone)


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workers": 0}, "workers: expected a whole number of at least 1, got 0"),
        ({"shards": 2.0}, "shards: expected a whole number"),
        ({"workers": 4, "shards": 3}, "4 workers need at least 4 shards of each batch, got 3"),
        ({"restarts": -1}, "restarts"),
        ({"backend": "mpi"}, "use one of gloo, ray"),
        ({"address": "auto"}, "backend='ray'"),
    ],
)
def test_numbers_that_make_no_sense(given, message):
    with pytest.raises(ValueError, match=message):
        az.distributed.fit(unfitted(), X, **given)


def test_private_training_is_refused():
    pytest.importorskip("opacus")
    with pytest.raises(ValueError, match="privacy: processes that share a batch"):
        az.distributed.fit(az.Autoencoder(2, privacy=az.Privacy(2.0)), X, workers=1)


def test_faults_of_the_data_are_told_as_ever():
    with pytest.raises(ValueError, match="epochs"):
        az.distributed.fit(unfitted(epochs=0), X)
    assert not active_children()


@pytest.mark.parametrize("failures", [1, crew.MEETINGS])
def test_processes_that_do_not_meet_are_started_again(alone, monkeypatch, failures):
    """A meeting at another place, where nobody comes, fails as lost connections do."""
    places, meet = [], crew._meet

    def elsewhere(store, rank, size):
        places.append(store)
        lost = len(places) <= failures
        monkeypatch.setattr(crew, "MEETING", timedelta(seconds=1 if lost else 60))
        meet(store + "-elsewhere" if lost else store, rank, size)

    monkeypatch.setattr(crew, "_meet", elsewhere)
    if failures < crew.MEETINGS:
        assert sha(az.distributed.fit(unfitted(), X, restarts=0)) == sha(alone)
        assert len(places) == 2
    else:
        with pytest.raises(RuntimeError, match="worker 0 of 2 did not meet the others"):
            az.distributed.fit(unfitted(), X, restarts=0)
        assert len(places) == crew.MEETINGS
    assert not active_children()


def test_drifted_processes_are_noticed(monkeypatch):
    """As if the other process held other weights."""
    monkeypatch.setattr(Team, "gathered", lambda self, tensor: torch.stack([tensor, tensor + 1]))
    monkeypatch.setattr(Team, "agreed", lambda self, value: value)
    ae = az.Autoencoder(2, epochs=1, random_state=0).fit(X)
    with pytest.raises(RuntimeError, match="no longer hold the same weights"):
        Sharded(Team(2, size=2))._compare(ae._state)
    with pytest.raises(ValueError, match="different rows or parameters"), member(Team(2, size=2)):
        ae.fit(X)


def test_ray_is_asked_for_by_its_extra(monkeypatch, alone):
    monkeypatch.setitem(sys.modules, "ray", None)
    for attempt in (
        lambda: az.distributed.fit(unfitted(), X, backend="ray"),
        lambda: az.distributed.score(alone, X),
        lambda: az.ArchitectureSearch(budget=1, n_jobs="ray").fit(X),
    ):
        with pytest.raises(ImportError, match=r'pip install "azogue\[ray\]"'):
            attempt()


# -- parts ------------------------------------------------------------------------------------------------------------


def test_parts_cover_the_rows_in_order(tmp_path):
    pl, pq, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
    frame = pl.DataFrame({"a": range(10)})
    rows = [cut(frame, part["start"], part["stop"]) for part in cuts(10, 4)]
    assert [len(part) for part in rows] == [4, 4, 2]
    assert pl.concat(rows).equals(frame)
    assert cuts(0, 4) == [{"part": 0, "path": "", "start": 0, "stop": 0}]
    for name in ("b", "a"):
        pq.write_table(pa.table({"a": range(5)}), tmp_path / f"{name}.parquet", row_group_size=3)
    found = groups(parquet(tmp_path))
    assert [(Path(part["path"]).name, part["start"]) for part in found] == [
        ("a.parquet", 0), ("a.parquet", 1), ("b.parquet", 0), ("b.parquet", 1),
    ]  # fmt: skip
    with pytest.raises(FileNotFoundError, match="no Parquet file"):
        parquet(tmp_path / "nothing")


def test_scores_refuse_what_they_cannot_do(alone):
    with pytest.raises(ValueError, match="has no method 'marks'"):
        az.distributed.score(alone, X, method="marks")
    with pytest.raises(ValueError, match="rows: expected a whole number"):
        az.distributed.score(alone, X, rows=0)
    with pytest.raises(TypeError, match="rows in memory, or paths"):
        az.distributed.score(alone, iter(X))
