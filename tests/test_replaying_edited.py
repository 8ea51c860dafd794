"""Cases that are carried again after the application has been edited: on which rung they show."""

import textwrap

import pytest

from ctxsim.cell.searching import ladder
from ctxsim.jobs import Options
from ctxsim.replaying import GONE, replay, shown_again
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

LEAKY = """
import threading
from flask import Flask, request
app = Flask(__name__)
current = {}
one, other = threading.Lock(), threading.Lock()

def greet():
    return "hello"

@app.get("/who")
def who():
    current["name"] = request.args["tag"]
    greeting = greet()
    return greeting + current["name"]
"""
DEADLOCK = LEAKY.replace(
    '    current["name"] = request.args["tag"]\n'
    "    greeting = greet()\n"
    '    return greeting + current["name"]\n',
    "    first, second = (one, other) if 'v' not in request.args else (other, one)\n"
    "    with first:\n"
    "        with second:\n"
    '            return request.args["tag"]\n',
)
HEADED = LEAKY.replace("def greet", "# Said first.\n# Always.\n\ndef greet").replace(
    "greet()", "hi()"
)
RENAMED = HEADED.replace("def greet()", "def hi()").replace(
    "    greeting =", "    # It is read soon.\n    greeting ="
)
LONGER = LEAKY.replace(
    '    current["name"] =', "    tries = 0\n    tries += 1\n    tries += 1\n    current['name'] ="
)
REWRITTEN = (
    LEAKY.split("@app")[0]
    + """
def put(it):
    current.update(name=it.args["tag"])

@app.get("/who")
def whose():
    for each in range(3):
        put(request)
    words = ["hello", current["name"]]
    del each
    return "".join(words)
"""
)
FIXED = LEAKY.replace("def who():\n", "def who():\n    current = {}\n")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edited")

    def write(source):
        (folder / "served.py").write_text(textwrap.dedent(source), encoding="utf-8")
        path = folder / "searched.yaml"
        path.write_text(
            'version: 1\ntarget: {app: "served.py:app"}\n'
            'steps: [{get: "/who?tag={canary}"}, {get: "/who?v=1&tag={canary}"}]\n'
            'workers: ["threads:4"]\nschedule: {kind: auto, budget: 120}\nseed: 7\n',
            encoding="utf-8",
        )
        return Scenario.load(path)

    return write


def found(scenario):
    [case] = simulate(scenario, options=Options(confirms=False, compare_alone=False)).cases
    return case


@pytest.fixture(scope="module")
def leak(app):
    """What the leaky application's search found, before anything was edited."""
    return found(app(LEAKY))


@pytest.mark.parametrize(
    ("edited", "rung"),
    [
        (LEAKY, ladder.EXACTLY),
        (RENAMED, ladder.EXACTLY),
        (LONGER, ladder.BY_SITES),
        (REWRITTEN, ladder.NEARBY),
        (FIXED, ""),
    ],
)
def test_a_case_shows_after_an_edit_and_says_on_which_rung(app, leak, edited, rung):
    app(edited)
    replayed = replay(leak, 3)
    assert (replayed.times, replayed.rung) == (3 if rung else 0, rung)
    changed = ("served.py is another than when this was found",)
    assert replayed.remarks == (() if edited is LEAKY else changed)


def test_that_a_case_does_not_show_tells_nothing_where_its_route_is_gone(app, leak, tmp_path):
    app(FIXED)
    assert replay(leak, 3).tells
    assert shown_again(leak.as_text(), executions=10) == ()
    app(LEAKY.replace('.get("/', '.get("/moved/'))
    assert not replay(leak, 3).tells
    assert shown_again(leak.as_text(), executions=10) == (GONE,)


def test_a_deadlock_is_the_same_where_its_lines_have_moved(app):
    case = found(app(DEADLOCK))
    app(DEADLOCK.replace("def greet", "# Said first.\n\ndef greet"))
    assert replay(case, 3).rung == ladder.EXACTLY
    app(DEADLOCK.replace("(other, one)", "(one, other)"))
    assert replay(case, 3).times == 0
