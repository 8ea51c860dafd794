"""Faults show what careless applications leave behind, and careful ones come through them all."""

from __future__ import annotations

from collections import Counter

import pytest
from driving import WORDS, live, plan_of

from ctxsim.cell.plan import Faults, Load

ALL = Faults(error=0.15, abort=0.15, cancel=0.15)
FRAMEWORKS = {
    "flask": "from flask import Flask as App, Response, g, request, stream_with_context",
    "runtime": "from ctxsim.runtime import App, Response, g, request, stream_with_context",
}

# A pool of connections that are cleaned by the request that used them, or that forgets to.
POOL = """
import threading
import time
from time import sleep
import ctxsim

free = []

def used(connection, tag):
    seen = connection.get("tag", "nothing")
    connection["tag"] = tag
    {pause}
    return seen

def answer(tag):
    connection = free.pop() if free else {{}}
    {body}
    return seen + " " + tag
"""
CAREFUL = """
    try:
        seen = used(connection, tag)
    finally:
        connection.clear()
        free.append(connection)
"""
CARELESS = """
    try:
        seen = used(connection, tag)
        connection.clear()
    finally:
        free.append(connection)
"""
FRAMED = """
{imports}
app = App(__name__)

@app.route("/")
def index():
    return answer(request.args["tag"])
"""
PLAIN = """
def app(environ, start_response):
    tag = environ["QUERY_STRING"].partition("=")[2]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer(tag).encode()]
"""
APPS = {name: FRAMED.format(imports=imports) for name, imports in FRAMEWORKS.items()}
APPS["plain"] = PLAIN


def pool(body, app, pause="ctxsim.pause()"):
    return POOL.format(body=body.strip(), pause=pause) + app


@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20", "threads:2 x greenlets:10"])
@pytest.mark.parametrize("kind", ["error", "cancel"])
@pytest.mark.parametrize("name", APPS)
def test_what_is_not_cleaned_after_a_blocking_call_is_found(application, name, kind, word):
    """An error out of a query, or a kill during it, leaves what a try without finally leaves."""
    faults = Faults(**{kind: 0.3})
    for body, codes in ((CARELESS, {"CTX201"}), (CAREFUL, set())):
        plan = plan_of(
            "GET /?tag={canary}",
            target=application(pool(body, APPS[name])),
            workers=word,
            faults=faults,
            keeps=("app:free",),
        )
        lived = live(plan).finished()
        assert lived.codes == codes, lived.told()
        assert lived.tally.requests == 200
        assert lived.tally.failed == 0
        assert set(lived.tally.faults) == {kind}


@pytest.mark.parametrize("pause", ["sleep(0)", "time.sleep(0)"])
@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20"])
def test_a_sleep_is_a_blocking_call_however_it_was_imported(application, word, pause):
    """Killed at `time.sleep`, as well where the name was bound when the module was imported."""
    plan = plan_of(
        "GET /?tag={canary}",
        target=application(pool(CARELESS, APPS["flask"], pause)),
        workers=word,
        faults=Faults(cancel=0.3),
        keeps=("app:free",),
    )
    lived = live(plan).finished()
    assert lived.codes == {"CTX201"}, lived.told()


CARE = """
import threading
import time
from time import sleep
import ctxsim
{imports}

app = App(__name__)
app.secret_key = "a key for tests"
lock = threading.Lock()
here = threading.local()
users = {{}}

@app.before_request
def remember():
    sleep(0)
    g.key = object()
    users[g.key] = request.args["tag"]

@app.before_request
def connect():
    time.sleep(0)
    g.connected = True

@app.teardown_request
def forget(error):
    users.pop(g.pop("key", None), None)
    ctxsim.pause()

@app.teardown_appcontext
def disconnect(error):
    ctxsim.pause()
    g.pop("connected", None)

@app.after_request
def tag(response):
    ctxsim.pause()
    response.headers["X-Tag"] = users[g.key]
    return response

@app.route("/view")
def view():
    for _ in range(3):
        time.sleep(0)
    return users[g.key]

@app.route("/stream")
def stream():
    def parts():
        yield "first "
        ctxsim.pause()
        yield users.get(g.get("key"), "") + " "
        yield request.args["tag"]
    return Response(stream_with_context(parts()))

@app.route("/plain")
def plain():
    tag = users[g.key]
    def parts():
        for _ in range(4):
            sleep(0)
            yield tag + " "
    return Response(parts())
"""
CARE_PLAIN = """
import threading
import time
import ctxsim
from contextvars import ContextVar

tags = ContextVar("tags", default="")

def app(environ, start_response):
    token = tags.set(environ["QUERY_STRING"].partition("=")[2])
    try:
        time.sleep(0)
        environ["wsgi.input"].read()
        ctxsim.pause()
        return answered(environ["PATH_INFO"], start_response)
    finally:
        tags.reset(token)

def answered(path, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    tag = tags.get().encode()
    return [tag] if path == "/view" else Parts(tag)

class Parts:
    open = []
    lock = threading.Lock()

    def __init__(self, tag):
        self.left = [tag, b" and ", tag, b" again"]
        self.open.append(self)

    def __iter__(self):
        while self.left:
            ctxsim.pause()
            yield self.left.pop(0)

    def close(self):
        ctxsim.pause()
        # Not by two at once: `print` writes word by word, and the number may be an older one.
        with self.lock:
            self.open.remove(self)
            print("open", len(self.open))
"""
CAREFUL_APPS = {name: CARE.format(imports=imports) for name, imports in FRAMEWORKS.items()}
CAREFUL_APPS["plain"] = CARE_PLAIN


FEW = ("sync", "threads:4", "greenlets:20", "threads:2 x greenlets:10", "tasks:10:to_thread")


@pytest.mark.parametrize(
    ("name", "word"),
    [("flask", word) for word in WORDS]
    + [(name, word) for name in ("runtime", "plain") for word in FEW],
)
def test_a_careful_application_comes_through_all_faults(application, name, word):
    """Teardown functions, try and finally, and generators that are closed are enough."""
    plan = plan_of(
        "GET /view?tag={canary}",
        "POST /view?tag={canary}" if name == "plain" else "GET /view?tag={canary}",
        "GET /stream?tag={canary}",
        "GET /plain?tag={canary}",
        target=application(CAREFUL_APPS[name]),
        workers=word,
        faults=ALL,
        load=Load(requests=300),
    )
    lived = live(plan).finished()
    assert lived.findings == [], lived.told()
    assert lived.tally.requests == 300
    assert lived.tally.failed == 0, lived.told()
    assert set(lived.tally.faults) == {"error", "abort", "cancel"}
    # Whatever befell them, all responses were closed.
    assert name != "plain" or lived.stdout.splitlines()[-1] == "open 0"


TOLD = """
import traceback
import time
{imports}

app = App(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True
PLACES = {{"hooks_ended": "hook", "view_then": "view", "passed": "blocking call",
          "teardown_then": "teardown"}}

@app.route("/")
def index():
    time.sleep(0)
    return request.args["tag"]

inner = app.wsgi_app

def outer(environ, start_response):
    try:
        return inner(environ, start_response)
    except BaseException as error:
        frames = traceback.extract_tb(error.__traceback__)
        raiser = [f.name for f in frames if f.name in PLACES][-1]
        print(PLACES[raiser], type(error).__name__)
        raise
"""


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_errors_show_in_hook_view_blocking_call_and_teardown(application, name):
    """In each of the four, some of them as no Exception."""
    source = TOLD.format(imports=FRAMEWORKS[name])
    plan = plan_of(
        "GET /?tag={canary}",
        target=application(source, app="app:outer"),
        faults=Faults(error=1.0),
    )
    lived = live(plan).finished()
    told = Counter(lived.stdout.splitlines())
    for place in ("hook", "view", "blocking call", "teardown"):
        errors, timeouts = told[f"{place} InjectedError"], told[f"{place} InjectedTimeoutError"]
        assert errors > timeouts > 0, told
    assert told.total() == lived.tally.faults["error"] == 200
    assert lived.findings[0].code == "CTX901", lived.told()


COUNTING = """
import time
import ctxsim

def app(environ, start_response):
    passed = 0
    try:
        for _ in range(10):
            {pause}
            passed += 1
    except BaseException as error:
        print(f"{{passed + 1}} {{type(error).__name__}}\\n", end="")
        raise
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]
"""


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("sync", "InjectedKillError"),
        ("threads:4", "InjectedKillError"),
        ("tasks:10", "InjectedKillError"),
        ("tasks:10:to_thread", "InjectedKillError"),
        ("greenlets:20", "GreenletExit"),
        ("greenlets:20:unpatched", "GreenletExit"),
        ("greenlets:20:late", "GreenletExit"),
        ("threads:2 x greenlets:10", "GreenletExit"),
    ],
)
def test_a_request_is_killed_at_its_nth_switch_point(application, word, error):
    """By count: at the first, mostly, and up to the eighth; and the workers carry on."""
    source = COUNTING.format(pause="ctxsim.pause()")
    plan = plan_of(
        "GET /?{canary}", target=application(source), workers=word, faults=Faults(cancel=0.5)
    )
    lived = live(plan).finished()
    told = [line.split() for line in lived.stdout.splitlines()]
    assert {name for _, name in told} == {error}
    assert {int(at) for at, _ in told} == {1, 2, 3, 5, 8}
    assert lived.tally.faults == {"cancel": len(told)}
    assert lived.tally.requests == 200
    assert lived.findings == [], lived.told()


QUEUED = """
import queue
import ctxsim

free = queue.Queue()
free.put({})

def app(environ, start_response):
    connection = free.get()
    try:
        ctxsim.pause()
        ctxsim.pause()
    finally:
        free.put(connection)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]
"""


def test_a_kill_takes_nothing_from_those_who_wait_for_the_same(application):
    """A pool with one connection goes round, though some who wait for it are killed."""
    plan = plan_of(
        "GET /?{canary}",
        target=application(QUEUED),
        workers="greenlets:20",
        faults=Faults(cancel=0.5),
    )
    lived = live(plan).finished()
    assert lived.tally.requests == 200
    assert lived.tally.faults["cancel"] > 20


def test_a_kill_that_never_came_is_not_counted(application):
    """A request without a switch point is not killed, and counts as any other."""
    source = COUNTING.format(pause="pass")
    plan = plan_of("GET /?{canary}", target=application(source), faults=Faults(cancel=1.0))
    lived = live(plan).finished()
    assert lived.tally.faults == {}
    assert lived.tally.compared == 200


LEAVING = """
began = 0

def app(environ, start_response):
    global began
    began += 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    return Parts(environ["QUERY_STRING"].encode())

class Parts:
    at = None

    def __init__(self, tag):
        self.parts = iter([tag, b"more", b"more"])

    def __iter__(self):
        return self

    def __next__(self):
        self.at = began
        return next(self.parts)

    def close(self):
        print("unread" if self.at is None else "late" if began > self.at else "at once")
"""


def test_clients_leave_before_the_first_part_and_responses_are_closed_late(application):
    """The worker gives way before it closes, or nobody reads at all."""
    plan = plan_of(
        "GET /?{canary}",
        target=application(LEAVING),
        workers="greenlets:20",
        faults=Faults(abort=1.0),
    )
    lived = live(plan).finished()
    told = Counter(lived.stdout.splitlines())
    assert told["at once"] > 60
    assert told["late"] > 25
    assert told["unread"] > 25
    assert lived.tally.faults == {"abort": 200}


@pytest.mark.parametrize("word", ["sync", "threads:4"])
def test_what_is_not_cleaned_when_a_client_leaves_is_found(application, word):
    """A stream that forgets its user only at its end shows the user to the next one."""
    source = """
        import threading
        here = threading.local()

        def app(environ, start_response):
            start_response("200 OK", [("Content-Type", "text/plain")])
            return parts(environ["QUERY_STRING"])

        def parts(tag):
            seen = getattr(here, "tag", None)
            here.tag = tag
            {body}
    """
    careless = """
            yield f"{seen} ".encode()
            yield tag.encode()
            here.tag = None
    """
    careful = """
            try:
                yield f"{seen} ".encode()
                yield tag.encode()
            finally:
                here.tag = None
    """
    for body, codes in ((careless, {"CTX201", "CTX401"}), (careful, set())):
        plan = plan_of(
            "GET /?{canary}",
            target=application(source.replace("{body}", body.strip())),
            workers=word,
            faults=Faults(abort=0.2),
        )
        lived = live(plan).finished()
        assert lived.codes == codes, lived.told()
