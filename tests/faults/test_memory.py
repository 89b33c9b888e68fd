"""Too little memory: one clear line on the command line, a typed error that names the file in Python."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits of memory as Linux has them")

PROGRAM = """
import resource, sys
from pathlib import Path
import numpy, torch, pyarrow.csv, pyarrow.parquet, sklearn.base
import azogue as az
from azogue.cli import main, data, models, tables
az.Autoencoder(1, epochs=1).fit(numpy.eye(3))
held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + int(sys.argv[1]) * 2**20,) * 2)
del sys.argv[1]
main()
"""


def run(megabytes, *args, cwd):
    command = [sys.executable, "-c", PROGRAM, str(megabytes), *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.mark.parametrize("megabytes", [10, 130])
def test_one_line_and_no_traceback(tmp_path, megabytes):
    """It fails at different places: reading, packing, training."""
    np.save(tmp_path / "large.npy", np.random.default_rng(0).normal(size=(60_000, 100)).astype(np.float32))
    done = run(megabytes, "fit", "large.npy", "-o", "m.azogue", "--epochs", "1", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "there is not enough memory" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not (tmp_path / "m.azogue").exists()


def test_a_model_that_is_too_large_is_named(tmp_path):
    import azogue as az

    az.Autoencoder((1000, 2), epochs=1, random_state=0).fit(np.eye(2000, dtype=np.float32)).save(tmp_path / "m.azogue")
    np.save(tmp_path / "rows.npy", np.eye(2000, dtype=np.float32)[:3])
    done = run(8, "encode", "m.azogue", "rows.npy", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "not enough memory" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
