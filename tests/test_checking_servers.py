"""check(URL): a server's OpenAPI document is enough, and what leaks is found over the wire."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

from ctxsim import check, looks
from ctxsim.cell.plan import Look
from ctxsim.checking import drafted
from ctxsim.cli import main
from ctxsim.errors import TargetError, UsageError
from ctxsim.jobs import Options
from ctxsim.looks import Wish
from ctxsim.scenario import Scenario
from ctxsim.simulation import Outcome, simulate

LEAKY = """
from typing import Literal
from fastapi import FastAPI
from pydantic import BaseModel, Field

app = FastAPI()
kept = {}

class Line(BaseModel):
    item: str
    count: int = Field(ge=10, le=20)

class Order(BaseModel):
    customer: str
    mail: str
    lines: list[Line]
    speed: Literal["slow", "fast"]

@app.get("/orders/{number}")
async def orders(number: int, customer: str):
    return {"orders": kept.setdefault(number, customer)}

@app.get("/hello/{name}")
def hello(name: str, kind: Literal["short", "long"] = "short"):
    return {"hello": name, "kind": kind}

@app.post("/orders")
def order(order: Order):
    return {"order": order, "before": kept.setdefault("order", order.customer)}
"""
CLEAN = LEAKY.replace("kept.setdefault(number, customer)", "customer").replace(
    'kept.setdefault("order", order.customer)', "order.customer"
)


pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Serves a FastAPI application by uvicorn; gives its URL."""
    monkeypatch.chdir(tmp_path)
    started = []

    def serve(text: str, *options: str) -> str:
        (tmp_path / "served.py").write_text(text)
        listening = socket.create_server(("127.0.0.1", 0))
        with listening:
            # It listens before the server does, so that nobody has to wait for its start.
            command = ["-m", "uvicorn", "--log-level", "critical", "--fd", str(listening.fileno())]
            started.append(
                subprocess.Popen(
                    [sys.executable, *command, *options, "served:app"],
                    cwd=tmp_path,
                    pass_fds=[listening.fileno()],
                )
            )
            return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield serve
    for each in started:
        each.kill()
        each.wait()


@pytest.fixture
def answering() -> Iterator[Callable[..., str]]:
    """Answers with one status and body where a document is asked for.

    Nothing else is there, but that a path below `/echo/` is answered with itself.
    """
    servers: list[tuple[ThreadingHTTPServer, threading.Thread]] = []

    def answer(status: int, body: bytes, at: str = "/openapi.json", **headers: str) -> str:
        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_asked = self.path == at
                is_echo = self.path.startswith("/echo/")
                told = body if is_asked else self.path.encode() if is_echo else b""
                self.send_response(status if is_asked else 200 if is_echo else 404)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_words: object) -> None:
                """Nobody reads it."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        # Who knocks hangs up before it has read the answer.
        server.handle_error = lambda *_words: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield answer
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def checked(url: str, **keys: Any) -> Outcome:
    return check(url, **{"requests": 300, "workers": ["greenlets:10"], "seed": 3, **keys})


def codes(outcome: Outcome) -> set[str]:
    return {each.code for each in outcome.findings}


def test_what_leaks_is_found(served: Callable[..., str]) -> None:
    """And what was left out is said: what may change things, a search, the inside."""
    outcome = checked(served(LEAKY))
    assert (outcome.exit_code, codes(outcome)) == (1, {"CTX201"})
    assert outcome.findings[0].victim.route.startswith("GET /orders/")
    told = " ".join(outcome.document.not_covered)
    assert "POST /orders was not sent" in told
    assert "no schedule controls a server" in told
    assert "inside of the server's process" in told
    [again] = [each for each in outcome.document.notes if "ctxsim init" in each]
    assert outcome.document.scenario.name in again


@pytest.mark.long
def test_what_does_not_is_clean(served: Callable[..., str]) -> None:
    """By the default workers too: one by one, and by greenlets."""
    outcome = checked(served(CLEAN), workers=None, unsafe=True)
    assert (outcome.verdict, outcome.exit_code, codes(outcome)) == ("clean", 0, set())
    assert [each.workers for each in outcome.cells] == ["sync", "greenlets:50"]
    assert all(each.compared > 100 for each in outcome.cells)
    assert any("3 of 3 routes could be sent" in note for note in outcome.document.notes)


@pytest.mark.long
def test_bodies_are_made_by_their_schema_where_they_may_be_sent(
    served: Callable[..., str],
) -> None:
    """A list of objects, numbers within bounds and one of a few words: all are taken."""
    outcome = checked(served(LEAKY.replace("kept.setdefault(number, customer)", "1")), unsafe=True)
    assert (outcome.exit_code, codes(outcome)) == (1, {"CTX201"})
    assert {each.victim.route for each in outcome.findings} == {"POST /orders"}


@pytest.mark.long
def test_a_document_may_be_elsewhere(served: Callable[..., str]) -> None:
    url = served(CLEAN.replace("FastAPI()", "FastAPI(openapi_url='/api/schema')"))
    with pytest.raises(TargetError, match=r"no OpenAPI document is at .*: it answered 404") as told:
        checked(url)
    assert f"ctxsim init {url}" in str(told.value)
    assert checked(url, openapi="/api/schema").exit_code == 0


@pytest.mark.long
def test_paths_go_below_what_the_document_says(served: Callable[..., str]) -> None:
    """A mounted application serves its own document, which names the path that it is mounted at."""
    mounted = f"{LEAKY}\nmain = FastAPI()\nmain.mount('/shop', app)\napp = main\n"
    url = served(mounted)
    assert codes(checked(url, openapi="/shop/openapi.json")) == {"CTX201"}
    outcome = checked(f"{url}/shop")
    assert codes(outcome) == {"CTX201"}
    assert any("2 of 3 routes" in note for note in outcome.document.notes)


DOCUMENT = b"""\
openapi: 3.0.3
paths:
  /echo/{name}:
    parameters: &named
      - {name: name, in: path, required: true, schema: {type: string}}
    get:
      responses:
        200: {description: the path}
  /gone/{name}:
    parameters: *named
    get: {responses: {404: {description: 2026-01-01}}}
"""


@pytest.mark.parametrize("at", [None, "/openapi.yaml", "/api/schema.yml"])
def test_a_document_may_be_yaml(answering: Callable[..., str], at: str | None) -> None:
    """At the path where JSON is looked for first, at YAML's own, or where somebody says."""
    url = answering(200, DOCUMENT, **({} if at is None else {"at": at}))
    outcome = checked(url, openapi=at if at == "/api/schema.yml" else None)
    assert (outcome.exit_code, outcome.verdict) == (0, "clean")
    assert any("2 of 2 routes could be sent" in note for note in outcome.document.notes)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"<html>", "is neither JSON nor YAML"),
        (200, b"[" * 100_000, "is neither JSON nor YAML"),
        (200, b"openapi: 3.0.3\npaths: [", "is neither JSON nor YAML"),
        (200, b"a: &a [x, x]\nb: &b [*a, *a]\n" * 3, "is no OpenAPI document of version 3"),
        (200, b"\xff\xfe: 3", "is neither JSON nor YAML"),
        (200, b"swagger: '2.0'", "is no OpenAPI document of version 3"),
        (200, b'{"swagger": "2.0", "paths": {}}', "is no OpenAPI document of version 3"),
        (200, b"[]", "is no OpenAPI document of version 3"),
        (500, b"", "it answered 500"),
    ],
)
def test_what_is_no_document_is_told(
    answering: Callable[..., str], status: int, body: bytes, told: str
) -> None:
    with pytest.raises(TargetError, match=told) as caught:
        checked(answering(status, body))
    assert caught.value.exit_code == 3


def test_a_document_that_moved_is_told_and_not_followed(answering: Callable[..., str]) -> None:
    """It may have moved to another machine, to which no request goes."""
    with pytest.raises(TargetError, match=r"it answered 307 \(to http://other\.invalid/\)"):
        checked(answering(307, b"", Location="http://other.invalid/"))


def test_a_document_without_routes_compares_nothing(answering: Callable[..., str]) -> None:
    url = answering(200, b'{"openapi": "3.1.0", "paths": {}}')
    outcome = checked(url)
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert any("tells no routes" in each for each in outcome.document.reasons)


def test_a_server_that_is_not_there_is_no_clean_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_WAIT_S", 0.1)
    port = free_port()
    with pytest.raises(TargetError, match="no server answers"):
        checked(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("target", "keys", "told"),
    [
        ("http://shop.invalid", {}, r"--allow-host shop\.invalid"),
        ("http://shop.invalid", {"rate": "5/s"}, r"--allow-host shop\.invalid"),
        ("http://localhost/?a=b", {}, "can hold a host, a port and a path"),
        ("http://localhost", {"path": "src"}, "--path is for what ctxsim imports"),
        ("http://localhost", {"python": "python3"}, "--python is for what ctxsim imports"),
        ("http://localhost", {"keeps": ["shop.store"]}, "cannot be looked into"),
        ("http://localhost", {"shared": ["shop:CACHE"]}, "cannot be seen"),
        ("http://localhost", {"workers": ["tasks:5"]}, "cannot be clients"),
        ("http://localhost", {"openapi": "openapi.json"}, "must be a path"),
        ("http://localhost", {"rate": "5"}, "--rate.* must be a rate"),
        ("http://localhost", {"rate": "5/s"}, "leave --requests out"),
        ("localhost:8000", {}, "http://localhost:8000"),
        ("shop:app", {"openapi": "/openapi.json"}, "--openapi is for servers"),
        ("shop:app", {"rate": "5/s"}, "--rate is for servers"),
    ],
)
def test_what_cannot_be_asked_of_a_server_is_usage(
    target: str, keys: dict[str, Any], told: str
) -> None:
    if "rate" in keys and "requests" not in told:
        keys = {**keys, "requests": None}
    with pytest.raises(UsageError, match=told):
        checked(target, **keys)


def test_another_machine_is_tried_and_loaded_at_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent without leave; with it, all that is sent keeps the rate."""
    jobs = []

    def run(these: list[Any], *_rest: object) -> list[Any]:
        jobs.extend(these)
        raise TargetError("stop here")

    monkeypatch.setattr(looks, "run", run)
    options = Options(allowed_hosts=("shop.invalid",))
    with pytest.raises(UsageError, match="--rate 20/s"):
        looks.look(Wish("http://shop.invalid"), Look(), options)
    assert not jobs
    with pytest.raises(TargetError, match="stop here"):
        looks.look(Wish("http://shop.invalid", rate="5/s"), Look(), options)
    [job] = jobs
    assert (job.plan.load.rate_per_s, job.plan.load.requests) == (5, None)


@pytest.mark.long
def test_init_writes_a_scenario_that_runs(served: Callable[..., str]) -> None:
    url = served(CLEAN)
    made = drafted(Wish(url), Path(), Options())
    scenario = Scenario.parse(made.text).with_options(workers="sync", requests=300, seed=3)
    assert (scenario.target.kind, scenario.target.url) == ("http", url)
    outcome = simulate(scenario, options=Options(compare_alone=False))
    assert (outcome.exit_code, outcome.verdict) == (0, "clean")


def test_init_needs_no_document(
    answering: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It is the way out where there is none: a place for requests."""
    monkeypatch.chdir(tmp_path)
    url = answering(404, b"nothing")
    assert main(["init", url]) == 0
    assert f"no OpenAPI document is at {url}/openapi.json" in capsys.readouterr().err
    assert Scenario.load("127.0.0.1.ctxsim.yaml").steps[0].get == "/?tag={canary}"


def test_the_command_prints_one_line_of_what_is_missing(
    answering: Callable[..., str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check", answering(404, b""), "-q", "--format", "json"]) == 3
    written = capsys.readouterr()
    assert json.loads(written.out)["verdict"] == "error"
    assert written.err.startswith("error: no OpenAPI document is at http://127.0.0.1:")
    assert os.linesep + "  name it with --openapi PATH" in written.err
