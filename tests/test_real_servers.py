"""The servers that people run, as they are installed: what leaks is decided by how they serve."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from ports import free_port

from ctxsim.jobs import Options
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

pytestmark = [pytest.mark.long, pytest.mark.timeout(240)]

# An app context that is pushed at import and never popped: whoever serves in a context that was
# there at the import, or in a copy of it, has one `g` for all (Flask before 3.2).
PUSHED = """
from a2wsgi import WSGIMiddleware
from flask import Flask, g, request

app = Flask(__name__)
app.app_context().push()

@app.get("/who")
def who():
    if "name" not in g:
        g.name = request.args["name"]
    return {"name": g.name, "tag": request.args["tag"]}

bridged = WSGIMiddleware(app)
"""
# Kludex/uvicorn#2167: what a request with a large body sets, the next ones of its connection find.
SET = """
from contextvars import ContextVar

user = ContextVar("user", default=b"nobody")

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    before, own = user.get(), dict(scope["headers"])[b"x-user"]
    user.set(own)
    while (await receive()).get("more_body"):
        pass
    answer = own + b" after " + before
    headers = [(b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
"""
WHO = """
users: {vars: {name: "user{n}"}}
steps:
- get: /who?name={user.name}&tag={canary}
  expect: {status: 200, contains: "{canary}"}
  mine: "{user.name}"
"""
POST = """
steps:
- post: /
  headers: {X-User: "{canary}"}
  body: text
  expect: {status: 200, contains: "{canary} after"}
"""
UVICORN = "uvicorn --port PORT --log-level warning"
SERVERS = [
    ("gunicorn -b 127.0.0.1:PORT pushed:app", {"CTX201"}),
    ("gunicorn -k gthread --threads 4 -b 127.0.0.1:PORT pushed:app", set()),
    ("gunicorn -k gevent -b 127.0.0.1:PORT pushed:app", set()),
    (f"{UVICORN} --loop asyncio --http h11 pushed:bridged", {"CTX201"}),
    (f"{UVICORN} --loop uvloop --http httptools pushed:bridged", {"CTX201"}),
    (f"{UVICORN} --loop asyncio --http h11 setting:app", {"CTX201"}),
    (f"{UVICORN} --loop asyncio --http httptools setting:app", {"CTX201"}),
    (f"{UVICORN} --loop asyncio --http h11 --reset-contextvars setting:app", set()),
    (f"{UVICORN} --loop asyncio --http httptools --reset-contextvars setting:app", set()),
    (f"{UVICORN} --loop uvloop --http httptools setting:app", set()),
    ("waitress-serve --listen 127.0.0.1:PORT pushed:app", set()),
    ("hypercorn -b 127.0.0.1:PORT setting:app", set()),
]


@pytest.mark.parametrize(("start", "codes"), SERVERS, ids=[start for start, _ in SERVERS])
def test_what_leaks_is_what_the_server_makes_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str, codes: set[str]
) -> None:
    """Found with the default connections, and clean where the server keeps requests apart."""
    if importlib.util.find_spec(start.partition("-")[0].split()[0]) is None:
        pytest.skip("the server is not installed: pip install ctxsim[test]")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pushed.py").write_text(PUSHED)
    (tmp_path / "setting.py").write_text(SET)
    port = free_port()
    (tmp_path / "real.yaml").write_text(
        "version: 1\n"
        f"target: {{kind: http, url: 'http://127.0.0.1:{port}',"
        f" start: {start.replace('PORT', str(port))}, wait: 60s}}\n"
        "load: {requests: 300}\nworkers: ['greenlets:10']\nchecks: [crosstalk, wire]\n"
        + (WHO if "pushed" in start else POST)
    )
    outcome = simulate(Scenario.load(tmp_path / "real.yaml"), options=Options(compare_alone=False))
    assert {each.code for each in outcome.findings} == codes
    assert outcome.exit_code == (1 if codes else 0)
    assert outcome.cells[0].failed == 0
