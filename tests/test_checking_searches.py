"""The third phase of a check: what loads leave of the time goes to a search of unlucky orders."""

import sys
import time

import pytest

from ctxsim.cell import plan as plans
from ctxsim.cell.history import History
from ctxsim.cells import Job, Pace
from ctxsim.cells import interpreter as interpreters
from ctxsim.cells.interpreter import Interpreter
from ctxsim.replaying import replay
from ctxsim.report.judged import JudgedCell
from ctxsim.scenario import Cell
from ctxsim.searches import following

SELDOM = """
import flask
app = flask.Flask(__name__)
uses, names = 0, {}

@app.get("/hello")
def hello():
    global uses
    uses += 1
    name = flask.request.args.get("name", "")
    key = "one" if uses % 7 == 0 else name
    names[key] = name
    greeting = "hello"
    return f"{greeting} {names[key]}"
"""

LOOPING = """
import asyncio
from flask import Flask, request
app = Flask(__name__)
@app.get("/plain")
def plain():
    return {"name": request.args.get("name", "")}
@app.get("/later")
async def later():
    await asyncio.sleep(0.001)
    return {"name": request.args.get("name", "")}
"""
KNOWN = """
import flask
app = flask.Flask(__name__)
current = {}
@app.get("/whoami")
def whoami():
    current.update(flask.request.args)
    return f"you are {current.get('name')}"
"""


def test_an_order_that_no_load_met_is_searched_for(checked):
    """Two lines in a row: no worker that the system chooses is stopped between them."""
    outcome = checked(SELDOM, workers=["sync", "threads:4"], requests=150)
    assert "CTX201" in {each.code for each in outcome.findings} <= {"CTX201", "CTX204"}
    for finding in outcome.findings:
        assert finding.cells == ("app/threads:4",)
        assert finding.confirmed.times == finding.confirmed.of
        assert finding.replay == f"ctxsim replay {finding.id}"
    assert replay(outcome.cases[0], 3).times == 3
    sync, threads = outcome.cells
    assert (sync.verdict, threads.verdict) == ("clean", "findings")


def test_how_far_the_search_came_is_told(checked):
    outcome = checked(SELDOM.replace("names[key]}", "name}"), workers=["sync", "threads:4"])
    assert outcome.exit_code == 0
    [note] = [each for each in outcome.document.notes if "a search chose" in each]
    assert note.startswith("app/threads:4: ")


def test_where_a_view_runs_a_loop_workers_that_have_no_place_for_it_are_left_out(checked):
    outcome = checked(LOOPING, workers=None, requests=150)
    assert outcome.exit_code == 0
    words = {cell.workers for cell in outcome.cells}
    assert {"sync", "threads:8", "tasks:20:to_thread"} <= words
    assert not {"greenlets:50", "tasks:20"} & words
    told = [each for each in outcome.document.not_covered if "runs an event loop" in each]
    assert [each.partition(": GET /later ")[0] for each in told] == ["greenlets:50", "tasks:20"]
    assert any("waits for an event loop" in each for each in outcome.document.not_covered)


def after_a_load(left_s):
    """What searches follow a load by four threads, with so many seconds left."""
    workers = plans.Workers.parse("threads:4")
    target = plans.Target("checked:app")
    plan = plans.Plan("checked", "00000000", 1, 3, target, workers, flows=())
    job = Job(Cell("app", workers), plan, sys.executable)
    cell = JudgedCell("app", "threads:4", History(), ())
    return following([job], [cell], 9, Pace(1, time.monotonic() + left_s))


@pytest.mark.parametrize(("left_s", "searched"), [(0.5, 0), (60.0, 1)])
def test_where_no_time_is_left_for_a_search_it_is_told(left_s, searched):
    searches = after_a_load(left_s)
    assert len(searches.jobs) == searched
    assert len(searches.left_out) == 1 - searched
    assert all("no time was left to search" in each for each in searches.left_out)


def test_an_interpreter_that_cannot_be_lent_greenlet_is_only_not_searched(monkeypatch):
    bare = Interpreter("3.99.0", "cpython-399", frozenset())
    monkeypatch.setattr(interpreters, "interpreter", lambda _: bare)
    searches = after_a_load(60.0)
    assert searches.jobs == searches.after == ()
    [told] = searches.left_out
    assert told == (
        "unlucky orders in threads:4: a controlled schedule needs greenlet, which "
        f"{sys.executable} cannot import"
    )


def test_what_cannot_be_searched_is_told_and_no_doubt(checked):
    text = SELDOM.replace("names[key]}", "name}") + (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    outcome = checked(text, workers=["threads:4"])
    assert outcome.exit_code == 0
    assert any("started threads when it was" in each for each in outcome.document.not_covered)


def test_what_is_known_from_the_load_is_not_found_again(checked):
    outcome = checked(KNOWN, workers=["threads:4"])
    assert outcome.cases == ()
