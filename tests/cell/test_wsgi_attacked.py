"""Every way in which WSGI may be spoken, rightly and wrongly."""

from __future__ import annotations

import pytest
from driving import live, plan_of, routes_of, step

from ctxsim.cell.plan import Expect, Faults, Users

WSGI = """
import ctxsim

last = [""]

def late(start_response, tag):
    def parts():
        start_response("200 OK", [("Content-Type", "text/plain")])
        yield b""
        yield tag
    return parts()

def twice(start_response, tag):
    start_response("200 OK", [("X-Other", "1")])
    try:
        raise LookupError
    except LookupError:
        import sys
        start_response("500 Oops", [("X-Tag", tag.decode())], sys.exc_info())
    return [tag]

def write(start_response, tag):
    write = start_response("200 OK", [])
    write(b"written ")
    write(tag)
    return []

class Closing:
    def __init__(self, parts):
        self.parts = iter(parts)
    def __iter__(self):
        return self
    def __next__(self):
        return next(self.parts)
    def close(self):
        last[0] = "closed"

def closing(start_response, tag):
    start_response("200 OK", [])
    return Closing([tag])

def length(start_response, tag):
    start_response("200 OK", [("content-length", str(len(tag)))])
    return (tag[i:i + 5] for i in range(0, len(tag), 5))

def app(environ, start_response):
    tag = environ["QUERY_STRING"].encode()
    ctxsim.pause()
    shown = {shown}
    last[0] = tag
    return globals()[environ["PATH_INFO"].strip("/")](start_response, shown)
"""
WSGI_ROUTES = tuple(f"GET /{name}" for name in ("late", "twice", "write", "closing", "length"))
WSGI_STEPS = tuple(step(f"{r}?{{canary}}", expect=Expect(status=(200, 500))) for r in WSGI_ROUTES)


@pytest.mark.parametrize("word", ["sync", "threads:4", "tasks:10"])
def test_every_way_of_wsgi_is_understood(application, word):
    """start_response late or twice, write(), close(), parts of a known length."""
    target = application(WSGI.format(shown="tag"))
    users = Users(count=8, visitor=False)
    lived = live(
        plan_of(*WSGI_STEPS, target=target, workers=word, users=users, keeps=("app:last",))
    ).finished()
    assert lived.findings == [], lived.told()
    assert (lived.tally.compared, lived.tally.failed) == (200, 0), lived.told()


def test_a_leak_is_found_by_every_way_of_wsgi(application):
    """The value of the request before, however it is sent."""
    target = application(WSGI.format(shown="last[0] if last[0] not in ('', 'closed') else tag"))
    steps = [each for each in WSGI_STEPS if each.route != "GET /closing"]
    lived = live(plan_of(*steps, target=target)).finished()
    assert routes_of(lived.findings, "CTX201") == {each.route for each in steps}, lived.told()


WRONG = """
def app(environ, start_response):
    name = environ["PATH_INFO"].strip("/")
    tag = environ["QUERY_STRING"]
    if name == "fine":
        start_response("200 OK", [])
        return [tag.encode()]
    if name == "silent":
        return [tag.encode()]
    if name == "nothing":
        start_response("200 OK", [])
        return None
    if name == "text":
        start_response("200 OK", [])
        return [tag]
    if name == "written":
        start_response("200 OK", [])(tag)
        return []
    if name == "header":
        start_response("200 OK", [("X-Tag", 1), (b"X-Tag", b"1")])
        return []
    if name == "headers":
        start_response("200 OK", None)
        return []
    if name == "status":
        start_response("OK", [])
        return []
    if name == "closing":
        class Parts(list):
            def close(self):
                raise LookupError
        start_response("200 OK", [])
        return Parts()
    if name == "midway":
        def parts():
            yield tag.encode()
            raise LookupError
        start_response("200 OK", [])
        return parts()
"""
WRONG_NAMES = (
    "silent", "nothing", "text", "written", "header", "headers", "status", "closing", "midway",
)  # fmt: skip


def test_what_is_no_wsgi_fails_its_request_and_not_the_cell(application):
    """Text for bytes, no status, no headers, a close() that raises: each fails by itself."""
    steps = [f"GET /{name}?{{canary}}" for name in (*WRONG_NAMES, "fine")]
    users = Users(count=2, visitor=False)
    lived = live(plan_of(*steps, target=application(WRONG), users=users)).finished()
    assert lived.tally.requests == 200
    assert 170 < lived.tally.failed < 190
    assert set(lived.tally.failures) == {"RuntimeError", "TypeError", "ValueError", "LookupError"}
    assert lived.findings == []


def test_faults_on_plain_wsgi_leave_no_finding(application):
    """Where no framework has hooks, an error is a client that is gone when its body is read."""
    source = """
    def app(environ, start_response):
        start_response("200 OK", [])
        tag = environ["QUERY_STRING"].encode() + environ["wsgi.input"].read()
        return (tag for _ in range(3))
    """
    faults = Faults(error=0.2, abort=0.2)
    lived = live(plan_of("GET /?{canary}", target=application(source), faults=faults)).finished()
    assert lived.findings == []
    assert lived.tally.failed == 0
    assert set(lived.tally.faults) == {"error", "abort"}
