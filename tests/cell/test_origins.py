"""Origins: what a finding says of where the value was kept, and of the line that wrote it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from driving import live, plan_of, step

from ctxsim.cell.plan import Load

SAY = "GET /say?tag={canary}"

APP = """
import contextvars, functools, threading, types
from urllib.parse import parse_qs
import ctxsim

class State:
    tag = None

STATE, CACHE, LOG = types.SimpleNamespace(tag=None), {{}}, []
last = None
local = threading.local()
variable = contextvars.ContextVar("variable")

def defaults(seen={{}}):
    return seen

@functools.lru_cache
def looked_up(key):
    return [None]

def make():
    kept = None
    def remember(tag):
        nonlocal kept
        kept = tag  # WRITES closure
        ctxsim.pause(0.001)
        return kept
    return remember
remember = make()

def write(tag):
    global last
    {write}  # WRITES
    ctxsim.pause(0.001)

def app(environ, start_response):
    tag = parse_qs(environ["QUERY_STRING"]).get("tag", ["none"])[0]
    write(tag)
    start_response("200 OK", [])
    return [f"{{tag}} {{ {read} }}".encode()]
"""

KEPT = {
    "a variable": ("last = tag", "last", "app.last"),
    "an attribute": ("STATE.tag = tag", "STATE.tag", "app.STATE.tag"),
    "a dict's entry": ("CACHE['tag'] = tag", "CACHE['tag']", "app.CACHE['tag']"),
    "a list": ("LOG.append(tag)", "LOG[-3:]", "app.LOG[...]"),
    "a class": ("State.tag = tag", "State.tag", "app.State.tag"),
    "a default argument": (
        "defaults()['tag'] = tag",
        "defaults()['tag']",
        "default argument seen of app.defaults['tag']",
    ),
    "a cache": ("looked_up(1)[0] = tag", "looked_up(1)[0]", "app.looked_up(...)"),
}


def carried(application, write, read, word, **keys):
    source = APP.format(write=write, read=read)
    found = live(plan_of(SAY, target=application(source), workers=word, **keys)).finished()
    return source, {f.code: f for f in found.findings}


def check(source, finding, place, function="write", mark="# WRITES"):
    told = [line for line in finding.story if line.startswith("kept in ")]
    assert told == [f"kept in {place}"], finding.story
    writer = finding.where[0]
    assert (writer.file, writer.function) == ("app.py", function), finding
    assert source.splitlines()[writer.line - 1].endswith(mark), finding


@pytest.mark.parametrize("kind", KEPT)
def test_the_place_and_the_line_are_told(application, kind):
    """Whatever holds the value, its path and the line that writes to it are named."""
    write, read, place = KEPT[kind]
    source, found = carried(application, write, read, "greenlets:20")
    check(source, found["CTX201"], place)


ONCE = "CACHE.setdefault('tag', tag)"


def test_the_line_that_writes_once_is_told_by_the_source(application):
    """No later request writes there, so that none is seen to."""
    source, found = carried(application, ONCE, "CACHE['tag']", "sync")
    check(source, found["CTX201"], "app.CACHE['tag']")
    assert any(line.startswith("likely written by") for line in found["CTX201"].story)


def test_a_request_that_computes_long_is_not_held_up_by_the_search_for_a_writer(application):
    """No line writes to the place any more, and each one would be looked behind."""
    write = f"{ONCE}; sum(n for n in range(100_000))"
    source = APP.format(write=write, read="CACHE['tag']")
    plan = plan_of(SAY, target=application(source), load=Load(requests=30))
    assert "CTX201" in live(plan, limit_s=15).finished().codes


@pytest.mark.parametrize("word", ["threads:4", "tasks:10:to_thread"])
@pytest.mark.parametrize("kind", ["a variable", "a dict's entry", "a default argument"])
def test_what_threads_overwrite_meanwhile_is_told_rightly_or_not_at_all(application, kind, word):
    """A search may come too late; then it says nothing, and never something else."""
    write, read, place = KEPT[kind]
    source, found = carried(application, write, read, word)
    finding = found["CTX201"]
    told = [line.removeprefix("kept in ") for line in finding.story if line.startswith("kept in")]
    assert all(place.startswith(each) for each in told), finding.story
    assert all(source.splitlines()[each.line - 1].endswith("# WRITES") for each in finding.where)


SESSIONS = """
from flask import Flask, request, session
import ctxsim

app = Flask(__name__)
app.secret_key = "a key for tests"
current = {}

@app.before_request
def load():
    current["user"] = session.get("user")  # WRITES
    ctxsim.pause(0.001)

@app.post("/login")
def login():
    session["user"] = request.form["user"]
    return "welcome"

@app.get("/profile")
def profile():
    return str(current["user"])
"""


def test_a_value_that_a_session_carries_on_is_the_user_s_own(application):
    """It was sent with an earlier request; the line that writes it down again is the writer."""
    login = step("POST /login", form=(("user", "{canary}"),))
    plan = plan_of(login, "GET /profile", target=application(SESSIONS), workers="greenlets:20")
    found = {f.code: f for f in live(plan).finished().findings}
    check(SESSIONS, found["CTX201"], "app.current['user']", "load")


def test_a_closure_is_named_by_its_function(application):
    """A closure's variable, written by the function that closes over it."""
    source, found = carried(application, "pass", "remember(tag)", "greenlets:20")
    place = "closure variable kept of app.remember"
    check(source, found["CTX201"], place, "remember", "# WRITES closure")


@pytest.mark.parametrize(
    ("write", "place"),
    [
        ("local.tag = tag", "thread-local app.local.tag"),
        ("variable.set(tag)", None),
    ],
)
@pytest.mark.parametrize("word", ["sync", "threads:4"])
def test_residue_names_the_line_that_left_it(application, write, place, word):
    """A thread-local's and a context variable's value, with the line that set it."""
    source, found = carried(application, write, "0", word)
    finding = found["CTX401"]
    writer = finding.where[0]
    assert source.splitlines()[writer.line - 1].endswith("# WRITES"), finding
    if place is not None:
        assert f"kept in {place}" in finding.story


STACK = """
from werkzeug.local import LocalStack
from werkzeug import Request, Response
units = LocalStack()
@Request.application
def app(request):
    units.push(request.args["tag"])
    return Response(request.args["tag"])
"""


def test_a_local_of_werkzeugs_is_named_as_the_application_names_it(application):
    """By itself it is named by where it lies in memory, which is elsewhere in each cell."""
    found = live(plan_of(SAY, target=application(STACK), workers="sync")).finished()
    [finding] = [each for each in found.findings if each.code == "CTX401"]
    assert any("context variable app.units still held" in line for line in finding.story)


RESPONSE = """
import bottle, ctxsim
app = bottle.Bottle()
waiting = []
response = bottle.response
@app.get("/say")
def say():
    waiting.append(bottle.request.query.tag)
    ctxsim.pause(0.001)
    response.set_header("X-Tag", waiting.pop())
    return "said"
"""


def test_what_a_framework_keeps_of_a_request_is_not_where_a_leak_comes_from(application):
    """Bottle's response is a worker's own, and holds what was answered, whoever wrote it."""
    found = live(plan_of(SAY, target=application(RESPONSE), workers="threads:8")).finished()
    places = {line for f in found.findings for line in f.story if line.startswith("kept in")}
    assert places <= {"kept in app.waiting[...]"}
    assert "CTX201" in found.codes


def test_a_tracer_that_is_there_is_left_alone(application):
    """Under a debugger or coverage no line is looked for, and its tracer stays."""
    tracing = "threading.settrace(lambda *_: None); __import__('sys').settrace(lambda *_: None)"
    source = APP.format(write="last = tag", read="last") + f"\n{tracing}\n"
    plan = plan_of(SAY, target=application(source), workers="threads:4", load=Load(requests=100))
    found = live(plan).finished()
    assert not any(line.startswith("written by") for f in found.findings for line in f.story)


def test_what_is_carried_to_be_compared_with_is_told_no_origin(application):
    """What it shows is no finding, and to search for what nobody is told takes most of its time."""
    source = APP.format(write=KEPT["a list"][0], read=KEPT["a list"][1])
    plan = plan_of(SAY, target=application(source))
    found, alone = live(plan).finished(), live(replace(plan, one_by_one=True)).finished()
    assert {each.kind for each in alone.history.events} == {"answer.foreign"}
    assert found.history.origins
    assert not alone.history.origins
