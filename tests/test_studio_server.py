"""The studio as a program: where it listens, a large upload over the wire, and what is left when it ends."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

import azogue

MANY = 200 * 2**20


class Running:
    """A studio in a process of its own."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        env = {**os.environ, "PYTHONPATH": str(Path(azogue.__file__).parents[1]), "TMPDIR": str(folder)}
        line = [sys.executable, "-m", "azogue", "studio", "--no-browser", "--json", *arguments]
        self.process = subprocess.Popen(line, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = json.loads(self.process.stdout.readline())["address"]
        self.port, self.token = urlsplit(self.address).port, urlsplit(self.address).fragment

    def send(self, method, path, body=None, **headers):
        """Status and text of an answer."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        told = {"X-Azogue-Token": self.token} | {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(link):
            link.request(method, path, body, told, encode_chunked=hasattr(body, "__next__"))
            answer = link.getresponse()
            return answer.status, answer.read().decode()

    def end(self, how=signal.SIGTERM):
        """What it printed besides the address, after its end."""
        if self.process.stdout.closed:
            return None
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def running(tmp_path):
    made = Running(tmp_path)
    yield made
    made.end()


def test_it_listens_here_alone_and_refuses_200_mb(running):
    assert len(running.token) >= 43
    assert running.send("GET", "/")[0] == 200
    assert running.send("GET", "/api/state", X_Azogue_Token="wrong")[0] == 403
    assert running.send("GET", "/api/state", Host="evil.example")[0] == 403
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for other in others:
        with pytest.raises(OSError), socket.create_connection((other, running.port), timeout=2):
            pass
    session = {"X_Azogue_Session": json.loads(running.send("POST", "/api/open")[1])["session"]}
    part = b"1.5,2.5,3.5\n" * 2**16
    count = -(-MANY // len(part))
    for body in ((part for _ in range(count)), bytes(MANY)):
        status, text = running.send("POST", "/api/upload?name=large.csv", body, **session)
        assert status == 413
        told = json.loads(text)["error"]
        assert "larger than 100 MB" in told
        assert "\n" not in told
    assert not [path for path in running.folder.rglob("*") if path.is_file()]
    assert running.send("POST", "/api/upload?name=small.csv", b"a,b\n1,2\n3,4\n", **session)[0] == 200
    assert [path.name for path in running.folder.rglob("*.csv")] == ["small.csv"]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_kept(tmp_path, how):
    running = Running(tmp_path)
    session = {"X_Azogue_Session": json.loads(running.send("POST", "/api/open")[1])["session"]}
    table = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n % 7) for n in range(60))
    assert running.send("POST", "/api/upload?name=t.csv", table, **session)[0] == 200
    body = json.dumps({"use": "reduce", "options": {"epochs": 100_000}})
    assert running.send("POST", "/api/start", body, **session)[0] == 200
    assert list(tmp_path.iterdir())
    assert running.end(how) == (0, "", "")
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_one_line(running):
    line = [sys.executable, "-m", "azogue", "studio", "--no-browser", "--port", str(running.port)]
    env = {**os.environ, "PYTHONPATH": str(Path(azogue.__file__).parents[1])}
    done = subprocess.run(line, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"--port {running.port}" in done.stderr
