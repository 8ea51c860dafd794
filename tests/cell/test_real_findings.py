"""Every finding code, made red once by a real application and silent by its fixed twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from driving import live, plan_of, step

from ctxsim.cell.checks import verdict
from ctxsim.cell.plan import Expect, Load

NAMES = "Response, g, make_response, redirect, request, session"
HEADERS = {
    "flask": f"""
from flask import Flask, {NAMES}
from flask.signals import request_finished
app = Flask(__name__)
""",
    "runtime": f"""
from ctxsim.runtime import App, {NAMES}
from ctxsim.runtime.signals import request_finished
app = App(__name__)
""",
}
COMMON = """
import contextvars, threading
import ctxsim
app.secret_key = "a key for tests"
"""
SAY = "GET /say?tag={canary}"


@dataclass(frozen=True)
class Twins:
    """A wrong application and its fixed twin: they differ in `wrong` and `right` alone."""

    source: str
    wrong: str
    right: str
    codes: frozenset[str]
    steps: tuple[Any, ...] = (SAY,)
    words: tuple[str, ...] = ("sync",)
    frameworks: tuple[str, ...] = ("flask", "runtime")
    storage: str = "contextvar"


def twins(codes, source, wrong, right, **keys):
    return Twins(source, wrong, right, frozenset(codes.split()), **keys)


TWINS = {
    "left on the stack": twins(
        "CTX101 CTX202",
        """
@app.route("/say")
def say():
    tag = request.args["tag"]
    def parts():
        {}
        yield tag
    return Response(parts())
""",
        "app.app_context().push()",
        "app.app_context().push; app.app_context().__enter__",
        words=("sync", "threads:4"),
    ),
    "pushed at import": twins(
        "CTX102 CTX202",
        """
{}
@app.route("/say")
def say():
    g.tag = request.args["tag"]
    return g.tag
""",
        "app.app_context().push()",
        "with app.app_context(): pass",
        words=("sync", "tasks:10"),
    ),
    "g of a pushed context, where requests overlap": twins(
        "CTX102 CTX201 CTX202",
        """
{}
@app.route("/say")
def say():
    g.tag = request.args["tag"]
    ctxsim.pause()
    return g.tag
""",
        "app.app_context().push()",
        "",
        words=("greenlets:20:copied", "tasks:10:to_thread", "threads:4:copied"),
    ),
    "popped out of order": twins(
        "CTX103",
        """
@app.route("/say")
def say():
    outer, inner = app.app_context(), app.app_context()
    outer.push()
    inner.push()
    for context in {}:
        try:
            context.pop()
        except RuntimeError:
            pass
    return request.args["tag"]
""",
        "(outer, inner)",
        "(inner, outer)",
        frameworks=("runtime",),
    ),
    "popped by another worker": twins(
        "CTX103 CTX104",
        """
@app.route("/say")
def say():
    context = app.test_request_context("/say")
    context.push()
    def pop():
        try:
            context.pop()
        except RuntimeError:
            pass
    {}
    return request.args.get("tag", "")
""",
        "thread = threading.Thread(target=pop); thread.start(); thread.join()",
        "pop()",
        frameworks=("runtime",),
    ),
    "a teardown is run by hand as well": twins(
        "CTX104",
        """
@app.route("/say")
def say():
    run = getattr(app, "do_teardown_request", None) or app.teardown_request_context
    {}
    return request.args["tag"]
""",
        "run(None)",
        "pass",
    ),
    "value of the module": twins(
        "CTX201",
        """
last = {{}}
@app.route("/say")
def say():
    before = last.get("tag", "")
    last["tag"] = request.args["tag"]
    return {}
""",
        "before + ' ' + request.args['tag']",
        "request.args['tag']",
        words=("sync", "threads:4", "greenlets:20"),
    ),
    "thread storage under greenlets": twins(
        "CTX103 CTX104 CTX202 CTX207",
        """
@app.route("/say")
def say():
    tag = request.args["tag"]
    {}
    return tag
""",
        "ctxsim.pause()",
        "pass",
        words=("greenlets:20:unpatched",),
        frameworks=("runtime",),
        storage="thread",
    ),
    "a session for all": twins(
        "CTX203",
        """
shared = {{}}
class Sessions(type(app.session_interface)):
    def open_session(self, app, request):
        found = super().open_session(app, request)
        return {}

app.session_interface = Sessions()
@app.route("/say")
def say():
    session["tag"] = request.args["tag"]
    return request.args["tag"]
""",
        "shared.setdefault('session', found)",
        "found",
        frameworks=("flask",),
    ),
    "a response for all": twins(
        "CTX203 CTX201",
        """
made = []
@app.route("/say")
def say():
    tag = request.args["tag"]
    if not made or {}:
        made[:] = [make_response(tag)]
        made[0].set_cookie("session_of", tag)
    return made[0]
""",
        "False",
        "True",
    ),
    "a visitor is taken for a user": twins(
        "CTX204",
        """
last = {{}}
@app.route("/login", methods=["POST"])
def login():
    session["name"] = last["name"] = request.form["name"]
    return request.form["tag"]

@app.route("/say")
def say():
    name = session.get("name") or {}
    return name + " " + request.args["tag"]
""",
        "last.get('name', '')",
        "'nobody'",
        steps=(
            step("POST /login", form=(("name", "{user.name}"), ("tag", "{canary}"))),
            step(SAY, mine=("{user.name}",)),
        ),
        words=("sync", "threads:4"),
    ),
    "a proxy is bound too early": twins(
        "CTX205",
        """
bound = None
@app.route("/say")
def say():
    global bound
    if bound is None:
        bound = {}
    return request.args["tag"]
""",
        "request._get_current_object()",
        "request",
    ),
    "a method of the request is bound": twins(
        "CTX205",
        """
bound = None
@app.route("/say")
def say():
    global bound
    if bound is None:
        bound = {}
    return request.args["tag"]
""",
        "request.get_json",
        "request",
    ),
    "a receiver of one request stays connected": twins(
        "CTX206",
        """
receivers = []
@app.route("/say")
def say():
    seen = []
    def note(sender, **named):
        seen.append(sender)
    request_finished.connect(note, app)
    receivers.append(note)
    if {}:
        request_finished.disconnect(receivers.pop(), app)
    return request.args["tag"]
""",
        "len(receivers) > 5",
        "True",
    ),
    "a context variable is left": twins(
        "CTX401",
        """
tags = contextvars.ContextVar("tags")
@app.route("/say")
def say():
    token = tags.set({{"tag": request.args["tag"]}})
    {}
    return request.args["tag"]
""",
        "pass",
        "tags.reset(token)",
        words=("sync", "threads:4", "tasks:10:executor"),
    ),
    "a thread-local is left": twins(
        "CTX401",
        """
local = threading.local()
@app.route("/say")
def say():
    local.tag = request.args["tag"]
    {}
    return request.args["tag"]
""",
        "pass",
        "del local.tag",
        words=("sync", "threads:4", "threads:4:copied", "tasks:10:to_thread", "tasks:10"),
    ),
    "nothing is given back": twins(
        "CTX901",
        """
@app.route("/say")
def say():
    return {}
""",
        "'hello'",
        "request.args['tag']",
    ),
}


def cases(most_words):
    return [
        pytest.param(pair, framework, word, id=f"{name}-{framework}-{word}")
        for name, pair in TWINS.items()
        for framework in pair.frameworks
        for word in pair.words[:most_words]
    ]


def lived(application, pair, framework, word, filling):
    source = HEADERS[framework] + COMMON + pair.source.format(filling)
    target = application(source, storage=pair.storage)
    # What the applications keep on purpose, to leak it, is shown by the tests of retention.
    return live(plan_of(*pair.steps, target=target, workers=word, keeps=("app",)))


@pytest.mark.parametrize(("pair", "framework", "word"), cases(most_words=None))
def test_the_wrong_application_has_exactly_its_findings(application, pair, framework, word):
    """The fault that the application has is found under its code, and nothing else is."""
    found = lived(application, pair, framework, word, pair.wrong).finished()
    assert found.codes == pair.codes, found.told()


@pytest.mark.parametrize(("pair", "framework", "word"), cases(most_words=1))
def test_the_fixed_application_has_no_findings(application, pair, framework, word):
    """Without the fault, nothing is said, and every request was compared."""
    found = lived(application, pair, framework, word, pair.right).finished()
    assert found.findings == [], found.told()
    assert found.tally.compared == found.tally.requests == 200


EXPECTING = """
calls = 0

def app(environ, start_response):
    global calls
    calls += 1
    start_response("200 OK", [])
    tag = environ["QUERY_STRING"]
    return [(tag if calls % {every} else "lost").encode()]
"""


def judged_with_alone(application, every, expect):
    asked = step("GET /?{canary}", expect=expect)
    target = application(EXPECTING.format(every=every))
    together = live(plan_of(asked, target=target)).finished()
    alone = live(plan_of(asked, target=target, only_user=1, load=Load(requests=5))).finished()
    assert alone.tally.requests == 5
    return {finding.code for finding in verdict.judge(together.history, alone.history)}


def test_a_text_of_its_own_that_is_missing_under_load_is_a_lost_value(application):
    """`expect: contains` names a request's own text, and only together it fails: CTX207."""
    assert judged_with_alone(application, 10, Expect(contains=("{canary}",))) == {"CTX207"}


def test_another_answer_than_alone_is_told_as_such(application):
    """An expectation that names nobody's own text, and only together it fails: CTX208."""
    assert judged_with_alone(application, 10, Expect(absent=("lost",))) == {"CTX208"}


def test_what_fails_alone_too_is_no_matter_of_isolation(application):
    """The same expectation fails together and alone: CTX209; and nothing could be compared."""
    found = judged_with_alone(application, 1, Expect(absent=("lost",)))
    assert found == {"CTX209", "CTX901"}


def test_an_expectation_that_holds_is_silent(application):
    """Kept expectations give no findings, with an `alone` history or without."""
    expect = Expect(status=(200,), contains=("{canary}",), absent=("lost",))
    assert judged_with_alone(application, 10**9, expect) == set()
