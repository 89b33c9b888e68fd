"""Some kills; `benchmarks/faults.py kills` has more of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="attempts are forked")
PROGRAM = Path(__file__).with_name("killing.py")


def test_killed_runs_end_in_the_same_bits():
    done = subprocess.run(
        [sys.executable, PROGRAM, "--kills", "6", "--seed", "1"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == 6
    assert found["runs that ended in the same bits"] >= 1
    assert found["checkpoints read"] >= 6
