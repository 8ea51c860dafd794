"""What can be said of a server, and what is refused because it needs an import."""

from __future__ import annotations

import pytest

from ctxsim import Scenario, ScenarioError, UsageError
from ctxsim.errors import UnsuitedError
from ctxsim.scenario import cells, plan
from ctxsim.scenario.server_words import place_of

HEAD = "version: 1\ntarget: {kind: http, url: 'http://127.0.0.1:8000'}\nsteps: [{get: /}]\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text)
    return [f"{each.message}  {each.suggestion}" for each in caught.value.problems]


BESIDE = {
    "probes: ['a:b']": "'probes' is for what ctxsim imports",
    "keeps: ['a:b']": "'keeps' is for what ctxsim imports",
    "schedule: auto": "a schedule cannot control another process",
    "schedule: {kind: pct}": "a schedule cannot control another process",
    "faults: {error: 1%}": "'faults.error' befalls what ctxsim imports",
    "faults: {cancel: 1%}": "'faults.cancel' befalls what ctxsim imports",
    "shared: ['a:b']": "a server's objects cannot be seen",
    "workers: ['tasks:5']": "'tasks:5' cannot be clients of a server",
    "workers: ['greenlets:5:late']": "'greenlets:5:late' cannot be clients",
    "workers: ['threads:2 x greenlets:5']": "cannot be clients",
    "connections: shard": "did you mean 'shared'?",
    "connections: [shared, x]": "must be all, none or a list of",
    "load: {rate: 5/s}": "add  duration: 30s",
    "load: {rate: 5/s, requests: 3}": "add  duration: 30s",
    "load: {rate: 500, duration: 1s}": "did you mean 500/s?",
    "load: {rate: 0/s, duration: 1s}": "must be more than nothing",
    "expect: {'contextvar/sync': clean}": "matches no cell",
    "expect: {'app/tasks:100': clean}": "matches no cell",
}


@pytest.mark.parametrize("line", BESIDE)
def test_what_needs_an_import_is_refused(line: str) -> None:
    [problem] = problems(f"{HEAD}{line}\n")
    assert BESIDE[line] in problem


TARGETS = {
    "{kind: http}": "'target.url' is missing",
    "{kind: http, url: 'http://localhost', ca: ca.pem}": "is for servers that encrypt",
    "{app: 'shop:app', ca: ca.pem}": "'target.ca' is for servers",
    "{kind: http, url: 'ftp://localhost'}": "must be the URL of a server",
    "{kind: http, url: '127.0.0.1:80'}": "must be the URL of a server",
    "{kind: http, url: 'http://localhost:99999'}": "must be the URL of a server",
    "{kind: http, url: 'http://localhost/?a=1'}": "can hold a host, a port and a path",
    "{kind: http, url: 'http://me:pw@localhost'}": "can hold a host, a port and a path",
    "{kind: http, url: 'http://localhost', start: 'a && b'}": "is given to no shell",
    "{kind: http, url: 'http://localhost', start: 'A=1 b'}": "write them in target.env",
    "{kind: http, url: 'http://localhost', start: \"a 'b\"}": "has a quote without its end",
    "{kind: http, url: 'http://localhost', start: ' '}": "must be a command",
    "{kind: http, url: 'http://localhost', wait: 5}": "did you mean 5s?",
    "{kind: http, url: 'http://localhost', env: {A: b}}": "this server runs already",
    "{kind: http, url: 'http://localhost', python: p}": "is for what ctxsim imports",
    "{kind: http, url: 'http://localhost', path: p}": "is for what ctxsim imports",
    "{kind: http, url: 'http://localhost', storage: thread}": "is for runtime targets",
}


@pytest.mark.parametrize("target", TARGETS)
def test_a_wrong_server_is_refused(target: str) -> None:
    """One mistake gives one problem."""
    [problem] = problems(f"version: 1\ntarget: {target}\nsteps: [{{get: /}}]\n")
    assert TARGETS[target] in problem


@pytest.mark.parametrize(
    "lines",
    [
        "faults: none",
        "faults: {abort: 5%, error: 0}",
        "schedule: os",
        "workers: [sync, 'threads:4', 'threads:4:fresh', 'greenlets:9']",
        "connections: none",
        "connections: all",
        "connections: [shared, pipelined]",
        "load: {rate: 90/m, duration: 30s}",
        "shared: [/wall]",
        "expect: {'app/greenlets:100': clean}",
    ],
)
def test_what_a_client_can_do_is_taken(lines: str) -> None:
    Scenario.parse(f"{HEAD}{lines}\n")


def test_clients_are_greenlets_where_nobody_says_otherwise() -> None:
    scenario = Scenario.parse(HEAD)
    assert [each.name for each in cells(scenario)] == ["app/greenlets:100"]


def test_of_the_faults_a_client_can_only_leave() -> None:
    """What the default mix has besides is no more than the default."""
    scenario = Scenario.parse(HEAD)
    made = plan(scenario, cells(scenario)[0], seed=1, run="0badcafe", process=1)
    assert (made.faults.error, made.faults.abort, made.faults.cancel) == (0, 0.02, 0)


def test_a_command_line_cannot_ask_for_what_a_file_cannot_say() -> None:
    scenario = Scenario.parse(HEAD)
    with pytest.raises(UsageError, match="--python is for what ctxsim imports"):
        scenario.with_options(python="/usr/bin/python3")
    with pytest.raises(UnsuitedError, match="tasks:5 cannot be clients"):
        cells(scenario.with_options(workers="tasks:5"))
    with pytest.raises(UnsuitedError, match="another process"):
        cells(scenario.with_options(schedule="auto"))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8000", ("127.0.0.1", 8000, "")),
        ("http://localhost", ("localhost", 80, "")),
        ("https://localhost", ("localhost", 443, "")),
        ("http://[::1]:81/shop/", ("::1", 81, "/shop")),
    ],
)
def test_a_url_leads_to_a_place(url: str, place: tuple[str, int, str]) -> None:
    assert place_of(url) == place
