"""What the project is made of, and what it reaches for: licences, materials, locked requirements, no network."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import supply  # noqa: E402


@pytest.mark.parametrize(
    ("told", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only OR MIT", True),
        ("(MIT OR GPL-2.0) AND ISC", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-or-later", False),
        ("AGPL-3.0", False),
        ("LGPL-2.1-or-later", False),
        ("BUSL-1.1", False),
        ("SSPL-1.0", False),
        ("GNU General Public License v3 (GPLv3)", False),
        ("Other/Proprietary License", False),
        ("Apache-2.0 WITH Commons-Clause", False),
        ("MIT (", False),
        ("UNKNOWN", False),
        ("", False),
    ],
)
def test_licences_that_may_be_used(told, good):
    assert supply.allowed(told) is good


class Package:
    def __init__(self, *fields):
        self.metadata = Message()
        for name, value in fields:
            self.metadata[name] = value


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ([("License-Expression", "MIT"), ("License", "GPL")], "MIT"),
        ([("Classifier", "License :: OSI Approved :: BSD License")], "BSD-3-CLAUSE"),
        ([("Classifier", "License :: OSI Approved :: MIT License"), ("License", "BSD")], "BSD-3-CLAUSE"),
        ([("Classifier", "License :: OSI Approved :: GNU General Public License v3 (GPLv3)")] * 2, "GNU GENERAL"),
        ([("License", "Business Source License 1.1")], "BUSINESS SOURCE"),
        ([("License", "The MIT License\n\nCopyright (c) somebody, and many more words " + "x " * 100)], "MIT"),
        ([], ""),
    ],
)
def test_what_packages_say_of_their_licence(fields, licence):
    found = supply.licence_of(Package(*fields))
    assert found.startswith(licence)
    assert supply.allowed(found) is (licence in supply.ALLOWED)


def test_a_package_that_is_not_allowed_is_named():
    made = [
        supply.Component("good", "1", "MIT"),
        supply.Component("bad", "2", "BUSL-1.1"),
        supply.Component("odd", "3", ""),
    ]
    made.append(supply.Component("moocore", "9", "GPL-3.0"))
    found = {one.name: one for one in made}
    assert [one.name for one in supply.refused(found)] == ["bad", "odd", "moocore"]


def test_the_tree_is_that_of_the_project_and_not_of_its_peers():
    found = supply.components(supply.roots())
    assert {"numpy", "torch", "scikit-learn", "click", "pytest"} <= set(found)
    assert not {"pyod", "pythae", "umap-learn", "azogue"} & set(found)
    assert "numpy" in found["scipy"].needs


def test_all_that_is_installed_may_be_used():
    assert supply.refused(supply.components(supply.roots())) == []


def test_the_bill_of_materials_is_whole_and_the_same_each_time():
    found = supply.components(supply.roots())
    told = supply.bill(found, "1.2")
    assert told == supply.bill(dict(reversed(found.items())), "1.2")
    assert (told["bomFormat"], told["specVersion"], told["version"]) == ("CycloneDX", "1.6", 1)
    known = {item["bom-ref"] for item in told["components"]} | {told["metadata"]["component"]["bom-ref"]}
    assert len(known) == len(found) + 1
    assert all(re.fullmatch(r"pkg:pypi/[a-z0-9-]+@\S+", ref) for ref in known)
    assert {item["ref"] for item in told["dependencies"]} == known
    assert all(set(item["dependsOn"]) <= known for item in told["dependencies"])
    assert told["dependencies"][0]["dependsOn"]
    json.dumps(told)


def test_the_locked_requirements_name_all_direct_ones_with_hashes():
    text = (ROOT / "requirements" / "ci.txt").read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==\S+((?:[^\n]*\\\n)+[^\n]*)", text, re.MULTILINE)
    hashes = {name: re.findall(r"--hash=sha256:[0-9a-f]{64}", rest) for name, rest in pinned}
    assert all(hashes.values())
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = told["project"]["dependencies"] + told["dependency-groups"]["dev"]
    names = {re.match(r"[A-Za-z0-9_.-]+", one)[0].lower().replace("_", "-") for one in asked}
    assert names <= set(hashes), f"make lock: {sorted(names - set(hashes))} are new"


OFFLINE = """
import sys

def closed(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "socket.sendto", "urllib.Request"):
        raise RuntimeError(f"NETWORK {event} {args}")

sys.addaudithook(closed)
import socket
try:
    socket.create_connection(("127.0.0.1", 9))
except RuntimeError as error:
    assert "NETWORK" in str(error)
else:
    raise SystemExit("the network is open, and the test proves nothing")
import azogue as az, numpy as np
for name in az.__all__:
    getattr(az, name)
X = np.random.default_rng(0).normal(size=(60, 4))
ae = az.Autoencoder(2, epochs=2, random_state=0).fit(X)
ae.transform(X)
ae.save(sys.argv[1] + "/m.azogue")
assert az.load(sys.argv[1] + "/m.azogue").errors(X).shape == (60,)
az.AnomalyDetector(az.Autoencoder(2, epochs=2), random_state=0).fit(X).anomaly_score(X)
cipher = az.Cipher(key=az.Cipher.generate_key())
cipher.decrypt(cipher.encrypt(b"word"))
from azogue.report import report
report(ae, X).save(sys.argv[1] + "/report.html")
from azogue.cli.app import app
np.save(sys.argv[1] + "/x.npy", X)
app(["detect", sys.argv[1] + "/x.npy", "--epochs", "2", "-o", sys.argv[1] + "/scores.csv"], standalone_mode=False)
print("done")
"""


def test_nothing_reaches_for_the_network(tmp_path):
    done = subprocess.run([sys.executable, "-c", OFFLINE, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "done" in done.stdout
    assert "NETWORK" not in done.stderr
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
