"""What a probe returns inside of a request must be the request's own, or nothing."""

from __future__ import annotations

import pytest
from driving import DEFAULT_FAULTS, WORDS, live, plan_of, step

from ctxsim.cell.plan import Shared, Users

NAMED = Users(vars=(("name", "user{n}"), ("id", "{n}"), ("role", "customer")))
FRAMEWORKS = {
    "flask": "from flask import Flask as App, g, request",
    "runtime": "from ctxsim.runtime import App, g, request",
}
FRAMED = """
import time
{imports}
app = App(__name__)

class Everyone:
    name = None
everyone = Everyone()

@app.before_request
def remember():
    current().name = request.args.get("name")

@app.route("/")
def index():
    time.sleep(0)
    return request.args["tag"]

def current():
    return {keep}

def current_name():
    return current().name
"""
PLAIN = """
import time
from contextvars import ContextVar
from urllib.parse import parse_qs

class Everyone:
    name = None
everyone = Everyone()
own = ContextVar("own", default=None)

def app(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"])
    token = own.set(query.get("name", [None])[0])
    everyone.name = own.get()
    try:
        time.sleep(0)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [query["tag"][0].encode()]
    finally:
        own.reset(token)

def current_name():
    return {keep}
"""
SOURCES = {
    (name, good): FRAMED.format(imports=imports, keep="g" if good else "everyone")
    for name, imports in FRAMEWORKS.items()
    for good in (True, False)
}
SOURCES["plain", True] = PLAIN.format(keep="own.get()")
SOURCES["plain", False] = PLAIN.format(keep="everyone.name")
OVERLAP = ("threads:4", "greenlets:20", "threads:2 x greenlets:10", "tasks:10:to_thread")
STEP = "GET /?tag={canary}&name={user.name}"


def probed(application, source, *steps, probe="app:current_name", **keys):
    keys = {"workers": "greenlets:20", "users": NAMED, "faults": DEFAULT_FAULTS, **keys}
    plan = plan_of(*(steps or [STEP]), target=application(source), probes=(probe,), **keys)
    return live(plan).finished()


@pytest.mark.parametrize("word", OVERLAP)
@pytest.mark.parametrize("name", ["flask", "runtime", "plain"])
def test_a_probe_that_gives_the_name_of_another_is_a_finding(application, name, word):
    """A name in a variable of a module, which no response shows."""
    lived = probed(application, SOURCES[name, False], workers=word)
    assert lived.codes == {"CTX202"}, lived.told()
    [finding] = lived.findings
    assert finding.cause[2] == "probe app:current_name"
    assert finding.source.user not in (0, finding.victim.user)


@pytest.mark.parametrize("word", WORDS)
def test_a_probe_that_gives_the_own_name_is_silent_under_any_workers(application, word):
    """Outside of its request it gives nothing, or raises."""
    lived = probed(application, SOURCES["flask", True], "GET /?tag={canary}", STEP, workers=word)
    assert lived.findings == [], lived.told()


@pytest.mark.parametrize("name", ["runtime", "plain"])
@pytest.mark.parametrize("word", ["sync", *OVERLAP])
def test_the_own_name_is_silent_in_any_framework(application, name, word):
    """The same of the runtime, and of an application of no framework."""
    lived = probed(application, SOURCES[name, True], "GET /?tag={canary}", STEP, workers=word)
    assert lived.findings == [], lived.told()


RETURNING = """
import threading
from flask import Flask, request
app = Flask(__name__)
last = {{"id": None, "tag": None, "role": None, "name": None}}

@app.route("/")
def index():
    last.update(request.args)
    return request.args["tag"]

@app.route("/other")
def other():
    return request.args["tag"]

def probe():
    {body}
"""
TWO = (
    step("GET /?tag={canary}&id={user.id}&role={user.role}&name={user.name}"),
    step("GET /other?tag={canary}"),
)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('return last["id"]', True),
        ('return last["id"] and int(last["id"])', True),
        ('return last["tag"]', True),
        ('return {"of": [last["tag"]]}', True),
        ('return last["role"]', False),
        ('return last["name"] and "for " + last["name"]', False),
        ("return None", False),
        ("return 10 ** 9", False),
        ("return object()", False),
        ('return request.args.get("id")', False),
        ('raise RuntimeError("outside of a request")', False),
    ],
)
def test_what_tells_users_apart_is_compared(application, body, found):
    """Variables that differ by user, as text or number, and canaries in any value."""
    source = RETURNING.format(body=body)
    keys = {"probe": "app:probe", "workers": "sync", "keeps": ("app:last",)}
    lived = probed(application, source, *TWO, **keys)
    assert lived.codes == ({"CTX202"} if found else set()), lived.told()


def test_a_probe_that_waits_is_asked_once_and_killed_never(application):
    """Its own switch point neither asks it again nor lets a fault befall it."""
    body = 'import time; time.sleep(0); return request.args.get("id")'
    keys = {"probe": "app:probe", "keeps": ("app:last",)}
    lived = probed(application, RETURNING.format(body=body), *TWO, **keys)
    assert lived.findings == [], lived.told()


def test_what_is_shared_may_be_returned_to_all(application):
    """An object that all may see excuses what it holds, from a probe too."""
    source = RETURNING.format(body='return last["tag"]')
    lived = probed(
        application, source, *TWO, probe="app:probe", shared=Shared(objects=("app:last",))
    )
    assert lived.findings == [], lived.told()


@pytest.mark.parametrize(
    ("probe", "said", "hint"),
    [
        ("app:prob", "has no attribute 'prob'", "did you mean 'probe'?"),
        ("ap:probe", "no module named 'ap' (probe ap:probe)", "did you mean"),
        ("app:last", "is a dict, and no function", "name a function"),
    ],
)
def test_a_probe_that_leads_nowhere_ends_the_cell(application, probe, said, hint):
    """Before any request, with what was probably meant."""
    source = RETURNING.format(body="return None")
    lived = live(plan_of(*TWO, target=application(source), probes=(probe,)))
    assert lived.ending.kind == "import"
    assert said in lived.ending.message
    assert hint in lived.ending.hint


@pytest.mark.parametrize(
    "keys", [{"shared": Shared(objects=("nowhere_at_all:x",))}, {"keeps": ("nowhere_at_all.x",)}]
)
def test_a_module_that_is_nowhere_to_be_found_ends_the_cell(application, keys):
    """A name that excuses nothing would let findings through that it was meant for."""
    source = RETURNING.format(body="return None")
    lived = live(plan_of(*TWO, target=application(source), **keys))
    assert lived.ending.kind == "import"
    assert "no module named 'nowhere_at_all" in lived.ending.message


def test_names_that_lead_to_nothing_at_the_end_are_told(application):
    """What is made while requests run is found; what never was is told with the tally."""
    source = RETURNING.format(body="return None") + "\nlater = object()\n"
    source = source.replace("last.update(", "globals().update(made=1); last.update(")
    plan = plan_of(
        *TWO,
        target=application(source),
        shared=Shared(objects=("app:made", "app:lost", "app:last.nothing")),
        keeps=("app", "app:made", "app:gone", "json.nowhere"),
    )
    lived = live(plan).finished()
    assert lived.tally.unknown_names == ["app:lost", "app:last.nothing", "app:gone", "json.nowhere"]
