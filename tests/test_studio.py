"""The studio without a browser: who is answered, what is refused, and that its scripts give its very results."""

import io
import json
import runpy
import shlex
import sys
import time
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv
from typer.testing import CliRunner

pytest.importorskip("starlette")
pytest.importorskip("httpx")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # starlette asks for another client
    from starlette.testclient import TestClient

import azogue as az
from azogue.cli.app import app as command
from azogue.studio.fields import Field, checked
from azogue.studio.routes import create_app
from azogue.studio.state import Job
from azogue.training.callbacks import watching

TOKEN, ADDRESS = "t" * 43, "http://127.0.0.1:8765"
SCRIPT = "<script>alert(1)</script>"


@contextmanager
def studio(folder, limit=2**24, start=None):
    """A client with the token, without a session."""
    tabs = Path(folder, "tabs")
    tabs.mkdir()
    with TestClient(create_app(tabs, TOKEN, 8765, limit, start), base_url=ADDRESS) as client:
        client.headers["x-azogue-token"] = TOKEN
        yield client


@pytest.fixture
def client(tmp_path):
    """A client with the token and a session."""
    with studio(tmp_path) as client:
        client.headers["x-azogue-session"] = client.post("/api/open").json()["session"]
        yield client


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    columns = {"a": a, "b": 2 * a + 0.1 * rng.normal(size=80), SCRIPT: rng.choice(["<b>x</b>", "y"], 80)}
    columns["c"] = rng.normal(size=80).round(2)
    columns["b"][7] = 40.0
    return pa.table(columns)


@pytest.fixture(scope="module")
def holed(table):
    return az.simulate_missing(table, p=0.1, random_state=0)


def as_csv(table):
    buffer = io.BytesIO()
    csv.write_csv(table, buffer)
    return buffer.getvalue()


def put(client, name, content, **more):
    return client.post("/api/upload", params={"name": name, **more}, content=content)


def run(client, use, **options):
    """Start a use and hear it to its end: the state at the end, and the events."""
    assert (answer := client.post("/api/start", json={"use": use, "options": options})).status_code == 200, answer.text
    events = client.get("/api/watch").text.split("\n\n")
    assert events[-2].startswith("event: end\n")
    return json.loads(events[-2].split("data: ", 1)[1]), events


def ask(client, name, **body):
    answer = client.post(f"/api/{name}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def taken(client, name):
    answer = client.post("/api/download", json={"name": name})
    assert answer.status_code == 200, answer.text
    return answer.content


# -- who is answered ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/app.js", "/api/state", "/api/nothing"])
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1:8766"},
        {"host": "127.0.0.1.evil.example:8765"},
        {"host": "127.0.0.1"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8765"},
    ],
)
def test_foreign_hosts_and_origins_are_refused(client, path, headers):
    answer = client.get(path, headers=headers)
    assert answer.status_code == 403
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "ü"])
@pytest.mark.parametrize("path", ["/api/state", "/api/watch", "/api/open", "/api/upload", "/api/nothing"])
def test_without_the_token_nothing_is_told(client, path, token):
    headers = {"x-azogue-token": token.encode()}
    assert client.get(path, headers=headers).status_code == 403
    assert client.post(path, headers=headers, content=b"{}").status_code == 403
    assert client.get(path, params={"token": TOKEN}, headers=headers).status_code == 403
    assert client.get(path, headers={**headers, "cookie": f"token={TOKEN}"}).status_code == 403


def test_other_sites_are_refused_by_what_browsers_say(client):
    for site in ("cross-site", "same-site"):
        assert client.get("/api/state", headers={"sec-fetch-site": site}).status_code == 403
    assert client.get("/api/state", headers={"sec-fetch-site": "same-origin"}).status_code == 200
    assert client.get("/", headers={"sec-fetch-site": "cross-site"}).status_code == 200  # a link: tells nothing


def test_its_own_page_is_answered(client):
    assert client.get("/api/state", headers={"host": "localhost:8765"}).status_code == 200
    assert client.get("/api/state", headers={"origin": ADDRESS}).status_code == 200
    assert client.get("/api/state", headers={"x-azogue-session": "wrong"}).status_code == 410


def test_no_websocket(client):
    with pytest.raises(Exception) as told, client.websocket_connect("/api/watch"):
        pass
    assert getattr(told.value, "code", None) == 1008


def test_the_page_runs_its_own_files_alone(client):
    page = client.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy.replace("'self'", "")
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-frame-options"] == "DENY"
    assert TOKEN not in page.text
    pages = Path(az.__file__).parent / "studio" / "pages"
    for file in pages.iterdir():
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, file
        assert client.get(f"/{file.name}").text == text
        told = text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in told, file
        assert "https:" not in told, file
        for danger in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert danger not in text, (file, danger)
    assert client.get("/api.py").status_code == 404
    assert client.get("/../state.py").status_code == 404


# -- uploads -----------------------------------------------------------------------------------------------------------


def test_an_upload_that_is_too_large_is_refused_in_one_line(tmp_path, table):
    with studio(tmp_path, limit=2**20) as client:
        client.headers["x-azogue-session"] = client.post("/api/open").json()["session"]
        for content in (b"x" * (2**20 + 1), (b"x" * 2**18 for _ in range(8))):  # announced, and in chunks
            answer = put(client, "large.csv", content)
            assert answer.status_code == 413
            text = answer.json()["error"]
            assert "large.csv" in text
            assert "1 MB" in text
            assert "\n" not in text
            assert not list(tmp_path.rglob("large*"))
        assert put(client, "small.csv", as_csv(table)).status_code == 200
        assert put(client, "a.png", b"x" * 2**19, first=1).status_code == 200
        assert put(client, "b.png", b"x" * 2**19 + as_csv(table)).status_code == 413  # what came before counts


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.exe", b"MZ", "unknown kind of file"),
        ("x.csv", b"", "x.csv: is empty"),
        ("x.csv", b"a,b\n1,2,3\n", "x.csv: broken CSV"),
        ("x.csv", b"\0\1\2", "x.csv: holds binary data"),
        ("x.azogue", b"no model", "x.azogue"),
        ("x.png", b"no picture", "x.png"),
        ("x.npy", b"no array", "x.npy"),
    ],
)
def test_what_cannot_be_read_is_one_line_without_folders(client, name, content, words):
    answer = put(client, name, content, first=1, last=1)
    if answer.status_code == 200:  # pictures are looked at when they are needed
        state, _ = run(client, "reduce")
        text = state["job"]["error"]
    else:
        assert answer.status_code == 400
        text = answer.json()["error"]
    assert text.startswith(words) or name == "x.exe"
    assert words in text
    assert "\n" not in text
    assert "tabs" not in text
    assert "/tmp" not in text


def test_names_of_files_do_no_harm(client, tmp_path, table):
    state = put(client, "../../etc/$(reboot) `x`;.csv", as_csv(table)).json()
    assert state["data"]["name"] == "reboot_x.csv"
    inside = {path.resolve() for path in tmp_path.rglob("*.csv")}
    assert len(inside) == 1
    assert tmp_path.resolve() in next(iter(inside)).parents


def test_columns_are_left_out_and_marks_are_missing(client):
    state = put(client, "t.csv", b"id;x;y\n1;2;?\n2;?;4\n3;1;5\n").json()
    assert [column["name"] for column in state["data"]["columns"]] == ["id", "x", "y"]
    refusals = {use["name"]: use["refusal"] for use in state["uses"]}
    assert refusals["impute"] == "no cell is missing"
    state = ask(client, "reading", drop=["id"], missing="?", header=True)
    assert [(column["name"], column["missing"]) for column in state["data"]["columns"]] == [("x", 1), ("y", 1)]
    assert {use["name"]: use["refusal"] for use in state["uses"]}["impute"] is None
    assert client.post("/api/reading", json={"drop": ["nothing"]}).status_code == 400
    assert client.post("/api/reading", content=b"[1]").status_code == 400
    assert client.post("/api/reading", content=b"x" * 2**21).status_code == 413


# -- uses --------------------------------------------------------------------------------------------------------------


def repeat(folder, shell, python, result, monkeypatch):
    """The bytes that the two scripts write, one after the other, in a folder with the data."""
    monkeypatch.chdir(folder)
    for line in shell.splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "azogue":
            done = CliRunner().invoke(command, words[1:])
            assert done.exit_code == 0, done.output
    by_shell = Path(result).read_bytes()
    Path(result).unlink()
    Path("again.py").write_text(python, encoding="utf-8")
    runpy.run_path("again.py")
    assert az.load("model.azogue") is not None
    return by_shell, Path(result).read_bytes()


@pytest.mark.parametrize(
    ("use", "options", "result"),
    [
        ("reduce", {"units": "3", "variant": "denoising", "epochs": 3, "seed": 5}, "codes.csv"),
        ("detect", {"contamination": 0.05}, "scores.csv"),
        ("denoise", {"noise": "gaussian", "amount": 0.2}, "restored.csv"),
        ("impute", {"seed": 2}, "filled.csv"),
    ],
)
def test_the_scripts_give_what_the_studio_gave(client, tmp_path, table, holed, use, options, result, monkeypatch):
    data = as_csv(holed if use == "impute" else table)
    put(client, "my data.csv", data)
    state, events = run(client, use, **options)
    assert state["job"]["state"] == "done", state["job"]
    assert any('"epochs"' in event for event in events)
    assert len(state["job"]["points"]) > 1
    mine = taken(client, result)
    folder = tmp_path / "again"
    folder.mkdir()
    (folder / "my_data.csv").write_bytes(data)
    shell, python = taken(client, "again.sh").decode(), taken(client, "again.py").decode()
    assert (shell, python) == tuple(state["made"]["commands"].values())
    by_shell, by_python = repeat(folder, shell, python, result, monkeypatch)
    assert by_shell == mine
    if use == "detect":  # the command says more of each row
        ours, theirs = (csv.read_csv(io.BytesIO(one)) for one in (mine, by_python))
        assert ours["score"].equals(theirs["score"])
        assert ours["anomaly"].equals(theirs["anomaly"])
    else:
        assert by_python == mine
    assert b"<script>alert" not in taken(client, "report.html")


def test_anomalies_are_explained(client, table):
    put(client, "t.csv", as_csv(table))
    state, _ = run(client, "detect")
    assert state["made"]["views"] == ["map", "code", "anomalies"]
    worst = ask(client, "worst")
    assert worst["rows"][0][0] == 7
    told = ask(client, "explain", row=7)
    assert told["score"] > told["threshold"]
    assert told["reasons"][0][0] == "b"
    assert told["reasons"][0][2] == "40"
    expected = ask(client, "expected", row=7)["expected"]
    assert set(expected) == set(table.column_names)
    assert float(expected["b"]) < 20
    assert np.isclose(told["score"], az.load(model_path(client)).anomaly_score(table)[7])
    assert np.isclose(sum(line[1] for line in told["reasons"]), told["score"])
    assert [name for name, *_ in told["reasons"]].count(SCRIPT) == 1
    colored = ask(client, "map", color="score")
    assert len(colored["x"]) == len(colored["shade"]) == 80
    assert ask(client, "map", color=SCRIPT)["names"] == [[0, "<b>x</b>"], [1, "y"]]
    assert client.post("/api/map", json={"color": "nothing"}).status_code == 400
    for row in (-1, 80, "7", 1.5, None, True):
        assert client.post("/api/explain", json={"row": row}).status_code == 400


def test_sliders_move_through_the_code(client, table):
    put(client, "t.csv", as_csv(table))
    run(client, "reduce", units=2, epochs=5)
    ae = az.load(model_path(client))
    units, row = ask(client, "units"), ask(client, "row", row=3)
    assert units["size"] == len(units["code"]) == len(units["units"]) == 2
    assert all(one["low"] < one["high"] for one in units["units"])
    assert np.allclose(row["code"], ae.encode(table)[3], atol=1e-6)
    found = ask(client, "decode", code=row["code"])
    back = ae.reconstruct(table).slice(3, 1).to_pylist()[0]
    assert [name for name, _ in found["record"]] == table.column_names
    assert dict(map(tuple, found["record"]))["c"] == f"{back['c']:.6g}"
    points = ask(client, "map")
    assert np.allclose(found["place"], [points["x"][3], points["y"][3]], atol=1e-5)
    for code in ([1.0], [1.0, None], ["a", "b"], [1e400, 0.0], None, {}):
        content = json.dumps({"code": code})
        assert client.post("/api/decode", content=content).status_code == 400
    listed = ask(client, "rows", rows=[3, 1])
    assert listed["rows"][0] == [3, *(value for _, value in row["given"]["record"])]


def model_path(client):
    return next(iter(client.app.state.sessions.tabs.values())).job.folder / "model.azogue"


def test_gaps_are_filled_and_marked(client, holed):
    put(client, "t.csv", as_csv(holed))
    state, _ = run(client, "impute")
    found = ask(client, "compare")
    assert found["count"] == sum(any(value is None for value in row.values()) for row in holed.to_pylist())
    for line in found["rows"]:
        for before, after, hint in zip(line["before"], line["after"], line["hints"], strict=True):
            assert after is not None
            assert (before is None) == (hint != "")
            assert before is None or before == after
    assert state["made"]["table"][0]["filled"] > 0


def test_stop_leaves_a_model_that_works(client, table, tmp_path):
    rows = pa.table(np.random.default_rng(0).normal(size=(4, 20_000)).tolist(), names=["a", "b", "c", "d"])
    put(client, "t.csv", as_csv(rows))
    body = {"use": "reduce", "options": {"epochs": 100_000, "variant": "basic"}}
    assert client.post("/api/start", json=body).status_code == 200
    assert client.post("/api/start", json=body).status_code == 409  # one training a tab
    assert put(client, "other.csv", as_csv(table)).status_code == 409
    deadline = time.monotonic() + 30
    while client.get("/api/state").json()["job"]["epoch"] < 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    client.post("/api/stop")
    events = client.get("/api/watch").text.split("\n\n")
    state = json.loads(events[-2].split("data: ", 1)[1])
    assert state["job"]["state"] == "stopped"
    assert 1 <= state["job"]["epoch"] < 100_000
    model = tmp_path / "stopped.azogue"
    model.write_bytes(taken(client, "model.azogue"))
    assert az.load(model).encode(rows).shape == (20_000, 2)
    assert len(ask(client, "map")["x"]) == 5000
    assert ask(client, "decode", code=ask(client, "row", row=0)["code"])["record"]


@pytest.mark.parametrize(("use", "view"), [("synthesise", "draw"), ("hash", "similar"), ("anonymize", "compare")])
def test_the_slow_uses_stop_early_and_work(client, table, use, view):
    put(client, "t.csv", as_csv(table))
    options = {"sensitive": [SCRIPT]} if use == "anonymize" else {}
    client.post("/api/start", json={"use": use, "options": options})
    client.post("/api/stop")
    state = json.loads(client.get("/api/watch").text.split("\n\n")[-2].split("data: ", 1)[1])
    assert state["job"]["state"] == "stopped", state["job"]
    assert view in state["made"]["views"]
    if use == "synthesise":
        found = ask(client, "draw", rows=20, where=["a>=0", f"{SCRIPT}=y"], seed=3)
        assert found["count"] == 20
        assert all(float(row[0]) >= 0 and row[2] == "y" for row in found["rows"])
        shell = found["made"]["commands"]["shell"]
        told = ["-n", "20", "--where", "a>=0", "--where", f"{SCRIPT}=y", "--seed", "3"]
        assert shlex.split(shell.splitlines()[2])[-8:] == told
        assert csv.read_csv(io.BytesIO(taken(client, "drawn.csv"))).num_rows == 20
        for where in (["nothing=1"], ["a"], ["a>=1000"], "a", [1]):
            assert client.post("/api/draw", json={"rows": 5, "where": where}).status_code == 400
        assert client.post("/api/draw", json={"rows": 10**9, "where": []}).status_code == 400
    if use == "hash":
        found = ask(client, "similar", row=5)
        assert found["near"] == sorted(found["near"])
        assert 5 not in [line[0] for line in found["rows"]]
    if use == "anonymize":
        assert any("pseudonymised" in line for line in state["made"]["lines"])
        assert len(ask(client, "compare")["rows"]) == 80


def test_a_model_goes_on_with_other_data(client, table, tmp_path):
    az.AnomalyDetector(random_state=0).fit(table).save(tmp_path / "mine.azogue")
    state = put(client, "mine.azogue", (tmp_path / "mine.azogue").read_bytes()).json()
    assert state["model"]["use"] == "detect"
    assert state["made"]["views"] == ["code"]
    assert ask(client, "decode", code=ask(client, "units")["code"])["record"]
    state = put(client, "new.csv", as_csv(table.slice(0, 30))).json()
    assert [use["name"] for use in state["uses"]] == ["detect"]
    state, _ = run(client, "detect")
    assert state["job"]["state"] == "done", state["job"]
    assert "azogue detect mine.azogue new.csv -o scores.csv" in state["made"]["commands"]["shell"]
    assert "model.azogue" not in state["made"]["downloads"]
    assert ask(client, "worst")["rows"][0][0] == 7


def test_pictures(client, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    for at in range(12):
        buffer = io.BytesIO()
        Image.fromarray((rng.random((8, 6)) * 60 + 20 * (at % 3)).astype(np.uint8)).save(buffer, "PNG")
        more = {"first": 1} if at == 0 else {"last": 1} if at == 11 else {}
        answer = put(client, f"p{at:02d}.png", buffer.getvalue(), **more)
        assert answer.status_code == 200, answer.text
    assert answer.json()["data"] | {"reading": 0} == {
        "name": "pictures",
        "kind": "image",
        "rows": 12,
        "form": "folder",
        "reading": 0,
    }
    state, _ = run(client, "denoise", noise="gaussian", amount=0.1)
    assert state["job"]["state"] == "done", state["job"]
    assert ask(client, "compare")["pairs"][0]["after"]["width"] == 6
    names = zipfile.ZipFile(io.BytesIO(taken(client, "restored.zip"))).namelist()
    assert names == [f"restored/p{at:02d}.png" for at in range(12)]
    state, _ = run(client, "reduce", units=2, epochs=2, size="8x8")
    found = ask(client, "decode", code=[0.0, 0.0])["picture"]
    assert (found["height"], found["width"], found["channels"]) == (8, 8, 1)
    assert ask(client, "row", row=4)["name"] == "p04.png"
    assert len(ask(client, "rows", rows=list(range(12)))["pictures"]) == 12
    assert "--size 8x8" in state["made"]["commands"]["shell"]


# -- tabs, and the end -------------------------------------------------------------------------------------------------


def test_tabs_know_nothing_of_one_another(tmp_path, table):
    with studio(tmp_path) as client:
        one, two = ({"x-azogue-session": client.post("/api/open").json()["session"]} for _ in range(2))
        client.post("/api/upload", params={"name": "one.csv"}, content=as_csv(table), headers=one)
        assert client.get("/api/state", headers=two).json()["data"] is None
        body = {"use": "synthesise", "options": {}}  # takes seconds, whatever the rows
        assert client.post("/api/start", json=body, headers=one).status_code == 200
        client.post("/api/upload", params={"name": "two.csv"}, content=as_csv(table), headers=two)
        body = {"use": "reduce", "options": {"epochs": 2}}
        assert client.post("/api/start", json=body, headers=two).status_code == 200
        client.get("/api/watch", headers=two)
        assert client.get("/api/state", headers=two).json()["job"]["state"] == "done"
        assert client.get("/api/state", headers=one).json()["job"]["state"] == "running"
        client.post("/api/close", headers=one)
        assert client.get("/api/state", headers=one).status_code == 410
        assert client.get("/api/state", headers=two).status_code == 200
    assert not (tmp_path / "tabs").exists()  # nothing is kept


def test_it_begins_with_what_the_command_was_given(tmp_path, table):
    path = tmp_path / "start.csv"
    path.write_bytes(as_csv(table))
    with studio(tmp_path, start=str(path)) as client:
        state = client.post("/api/open").json()
        assert state["data"]["rows"] == 80
        client.headers["x-azogue-session"] = state["session"]
        state, _ = run(client, "reduce", epochs=2)
        assert str(path) in state["made"]["commands"]["shell"]
        ask(client, "reset")
    assert path.exists()


def test_forms_take_what_they_ask_for():
    fields = [
        Field("n", "Count", "whole", 3, least=1, most=9),
        Field("c", "Columns", "columns", ()),
        Field("s", "S", "choice", "a", choices=("a", "b")),
    ]
    assert checked(fields, {"n": "4", "c": ["x", "x"]}, "table", ["x"]) == {"n": 4, "c": ["x"], "s": "a"}
    for wrong in ({"n": 0}, {"n": 1.5}, {"n": "nan"}, {"n": True}, {"c": ["y"]}, {"c": "x"}, {"s": "c"}, {"z": 1}):
        with pytest.raises(ValueError, match=r"expected|asked for"):
            checked(fields, wrong, "table", ["x"])


def test_curves_of_members_are_one():
    job = Job(lambda say: None, str, Path())
    for epoch in (1, 2):
        for loss in (1.0, 3.0):
            job._hear({"epoch": epoch, "epochs": 2, "loss": loss / epoch})
    assert job.snapshot()["points"] == [[1, 2.0, None], [2, 1.0, None]]
    job._hear({"epoch": 1, "epochs": 5, "loss": 9.0})
    assert (job.snapshot()["network"], job.snapshot()["epochs"]) == (2, 5)


def test_who_watches_hears_and_stops_all_members(holed):
    heard = []

    def stop(record):
        heard.append(record["epoch"])
        return True

    with watching(stop):
        made = az.Imputer(random_state=0).fit(holed)
    assert heard == [1] * len(made.members_)
    assert [len(member.history_) for member in made.members_] == heard
    assert made.transform(holed).num_rows == holed.num_rows


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.startswith("azogue.studio.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    done = CliRunner().invoke(command, ["studio", "--no-browser"])
    assert done.exit_code == 1
    assert 'pip install "azogue[studio]"' in done.output
    assert CliRunner().invoke(command, ["studio", str(tmp_path / "nothing.csv")]).exit_code == 1
