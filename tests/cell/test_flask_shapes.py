"""The same faults are found, and their twins are clean, whatever Flask the application has."""

from __future__ import annotations

import os
import subprocess
import sys
import venv

import pytest
from driving import live, plan_of, step

from ctxsim.cell.plan import Expect, Load

SMALL = Load(requests=60)

# The next shape: one context for the application and the request. Until it is published it is
# tried by naming an interpreter whose environment has it.
NEXT = "CTXSIM_FLASK_NEXT"
OLD = ("flask==2.2.5", "werkzeug==2.2.3", "blinker")


@pytest.fixture(scope="module", params=["2.2", "installed", "next"])
def python(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter with the Flask of that version."""
    if request.param == "installed":
        return sys.executable
    if request.param == "next":
        if NEXT not in os.environ:
            pytest.skip(f"{NEXT} names no interpreter that has Flask 3.2 or later")
        return os.environ[NEXT]
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    made = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(made), "install", "-q"]
    subprocess.run([*pip, *OLD], check=True, timeout=110)
    return str(made)


def has_one_context(python: str) -> bool:
    asked = "import flask.globals; print('request_ctx' not in vars(flask.globals))"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


HEADER = """
import contextvars, threading, time
from flask import Flask, Response, copy_current_request_context, g, make_response, request, session
from flask.signals import request_finished
app = Flask(__name__)
app.secret_key = "a key for tests"
"""
VIEW = """
@app.route("/say")
def say():
    tag = request.args["tag"]
    session["tag"] = g.tag = tag
    {}
    return tag
"""
FAULTS = {
    "CTX104": (VIEW, "run()", "pass"),
    "CTX203": (VIEW, "kept.append(session._get_current_object())", "pass"),
    "CTX205": (
        VIEW,
        "globals().setdefault('bound', request._get_current_object())",
        "globals().setdefault('bound', request)",
    ),
    "CTX301": (
        VIEW,
        "threading.Thread(target=later, args=(copy_current_request_context(mail),)).start()",
        "threading.Thread(target=later, args=(tag.upper,)).start()",
    ),
    "CTX302": (VIEW, "threading.Thread(target=mail).start()", "mail()"),
    "CTX401": (VIEW, "tags.set({'tag': tag})", "pass"),
}
# What is kept for others to find is kept.
CONSEQUENCES = {"CTX203": {"CTX402"}, "CTX205": {"CTX402"}}
MORE = """
kept = []
tags = contextvars.ContextVar("tags")

class Sessions(type(app.session_interface)):
    def open_session(self, app, request):
        found = super().open_session(app, request)
        return kept[0] if kept else found

app.session_interface = Sessions()

def later(work):
    time.sleep(0.05)
    work()

def mail():
    return request.path

def run():
    try:
        app.do_teardown_request(None)
    except (AttributeError, TypeError):
        from flask.globals import app_ctx
        app.do_teardown_request(app_ctx._get_current_object(), None)
"""


def found(application, python, source, word="sync"):
    asked = step("GET /say?tag={canary}")
    return live(
        plan_of(asked, target=application(source), workers=word, load=SMALL), python=python
    ).finished()


@pytest.mark.parametrize("code", FAULTS)
def test_a_fault_is_found_and_its_twin_is_clean(application, python: str, code: str) -> None:
    view, wrong, right = FAULTS[code]
    ran = found(application, python, HEADER + MORE + view.format(wrong))
    assert ran.codes == {code} | CONSEQUENCES.get(code, set()), ran.told()
    ran = found(application, python, HEADER + MORE + view.format(right))
    assert ran.findings == [], ran.told()
    assert ran.tally.compared == 60


PUSHED = """
app.app_context().push()
@app.route("/say")
def say():
    g.tag = request.args["tag"]
    time.sleep(0.001)
    return g.tag
"""


def test_a_context_pushed_at_import_is_shared_only_where_requests_have_two(
    application, python: str
) -> None:
    """Where a request has one context it never takes the inherited one's `g`."""
    ran = found(application, python, HEADER + PUSHED, "threads:4:copied")
    shared = set() if has_one_context(python) else {"CTX201", "CTX202"}
    assert ran.codes == {"CTX102"} | shared, ran.told()


LEFT = """
@app.route("/say")
def say():
    app.app_context().push()
    return request.args["tag"]
"""


def test_a_context_that_is_left_inside_the_view_is_popped_out_of_order(
    application, python: str
) -> None:
    """Flask itself finds it as it pops the request's own, and raises that to the server."""
    ran = found(application, python, HEADER + LEFT)
    assert "CTX103" in ran.codes, ran.told()
    # Where contexts lie in memory is another place in each run.
    assert " at 0x" not in ran.told()


LOOKED_AT = """
inner = app.wsgi_app
def wsgi_app(environ, start_response):
    def start(status, headers, exc_info=None):
        varies = [value for name, value in headers if name == "Vary"]
        return start_response("500 Looked At" if varies else status, headers)
    return inner(environ, start)
app.wsgi_app = wsgi_app

@app.route("/say")
def say():
    return request.args["tag"]
"""


def test_a_session_that_the_application_never_looks_at_stays_unaccessed(
    application, python: str
) -> None:
    """What is read of it from outside must not make responses vary by cookie."""
    asked = step("GET /say?tag={canary}", expect=Expect(status=(200,)))
    plan = plan_of(asked, target=application(HEADER + LOOKED_AT))
    ran = live(plan, python=python).finished()
    assert ran.findings == [], ran.told()
    assert ran.tally.failed == 0
