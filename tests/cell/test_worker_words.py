"""Every worker word carries what it was told to carry, finds nothing in clean applications, and
finds what mixes where requests overlap."""

from __future__ import annotations

import pytest
from driving import DEFAULT_FAULTS, WORDS, live, plan_of, step

from ctxsim.cell.plan import Load, Workers

CLEAN = """
import ctxsim
{imports}

app.secret_key = "a key for tests"

@app.before_request
def know_the_user():
    g.name = session.get("name")

@app.route("/login", methods=["POST"])
def login():
    session["name"] = request.form["name"]
    return redirect("/me?tag=" + request.form["tag"])

@app.route("/me")
def me():
    ctxsim.pause()
    return "{{}} {{}} {{}}".format(g.name, session.get("name"), request.args["tag"])

@app.route("/stream/<tag>")
def stream(tag):
    def parts():
        for part in (g.name or "nobody", tag, request.path):
            ctxsim.pause()
            yield part + " "
    return Response(stream_with_context(parts()), content_type="text/plain")

@app.route("/forget")
def forget():
    session.clear()
    return request.args["tag"]
"""
NAMES = "Response, g, redirect, request, session, stream_with_context"
FLASK = CLEAN.format(imports=f"from flask import Flask, {NAMES}\napp = Flask(__name__)")
RUNTIME = CLEAN.format(imports=f"from ctxsim.runtime import App, {NAMES}\napp = App(__name__)")
STEPS = (
    step("POST /login", form=(("name", "{user.name}"), ("tag", "{canary}"))),
    step("GET /me?tag={canary}", mine=("{user.name}",)),
    step("GET /stream/{canary}"),
    step("GET /forget?tag={canary}"),
)

MIXING = """
import ctxsim

last = {}

def app(environ, start_response):
    tag = environ["QUERY_STRING"].encode()
    last["tag"] = tag
    ctxsim.pause()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [last["tag"], b" for ", tag]
"""
IN_FLIGHT = {word: Workers.parse(word).in_flight for word in WORDS}


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("source", [FLASK, RUNTIME], ids=["flask", "runtime"])
def test_a_clean_application_has_no_findings(application, source, word):
    """Sessions, g, streams, visitors and faults are carried exactly, and nothing is said."""
    plan = plan_of(
        *STEPS,
        target=application(source),
        workers=word,
        faults=DEFAULT_FAULTS,
        load=Load(requests=300),
    )
    lived = live(plan).finished()
    tally = lived.tally
    assert lived.findings == [], lived.told()
    assert tally.requests == 300
    assert tally.failed == 0, lived.told()
    assert tally.compared > 0.9 * (tally.requests - sum(tally.faults.values()))
    assert 0 < tally.visitors < tally.requests / 2
    assert 0.5 * IN_FLIGHT[word] <= tally.in_flight_peak <= IN_FLIGHT[word]
    assert sum(tally.latency_us.values()) == 300


@pytest.mark.parametrize("word", WORDS)
def test_a_value_of_all_requests_is_found_where_requests_overlap(application, word):
    """A module-level dict and a pause mix requests wherever two of them can be in flight."""
    keys = {"workers": word, "keeps": ("app:last",)}
    lived = live(plan_of("GET /?{canary}", target=application(MIXING), **keys)).finished()
    overlap = word not in ("sync", "tasks:10", "tasks:10:empty")
    assert lived.codes == ({"CTX201"} if overlap else set()), lived.told()
