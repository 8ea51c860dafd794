"""`expect.unique`: no two answers to a step are alike, or have a member in common."""

from __future__ import annotations

import pytest
from driving import DEFAULT_FAULTS, live, plan_of, step

from ctxsim.cell.checks import verdict
from ctxsim.cell.plan import Expect

SOURCE = """
import itertools
import json
import time
from flask import Flask, request
app = Flask(__name__)
number = 0
exact = itertools.count()

@app.route("/raced")
def raced():
    global number
    mine = number
    time.sleep(0)
    number = mine + 1
    return answered(mine)

@app.route("/exact")
def counted():
    return answered(next(exact))

@app.route("/same")
def same():
    return answered(1)

@app.route("/broken")
def broken():
    return "out of order", 500

@app.route("/none")
def none():
    return "no JSON"

def answered(number):
    return {"tag": request.args["tag"], "order": {"id": number}}
"""


def asked(application, path, unique, word="threads:4", **keys):
    expect = Expect(unique=unique)
    plan = plan_of(
        step(f"GET {path}?tag={{canary}}", expect=expect),
        step("GET /exact?tag={canary}"),
        target=application(SOURCE),
        workers=word,
        faults=DEFAULT_FAULTS,
        **keys,
    )
    return live(plan).finished()


@pytest.mark.parametrize("word", ["threads:4", "greenlets:20", "tasks:10:executor"])
def test_a_number_that_two_answers_have_is_found(application, word):
    """Counted without a lock, under workers that overlap; and whose it was before."""
    lived = asked(application, "/raced", "order.id", word)
    assert lived.codes == {"CTX208"}, lived.told()
    [event] = [each for each in lived.history.events if each.place == "unique member order.id"]
    assert event.source.user
    assert event.source != event.victim


@pytest.mark.parametrize("word", ["sync", "threads:4", "greenlets:20"])
def test_a_number_that_no_two_answers_have_is_silent(application, word):
    """The same with a count that is exact; and the whole answer, which holds a canary."""
    assert asked(application, "/exact", "order.id", word).findings == []
    assert asked(application, "/same", "", word).findings == []


def test_an_answer_that_repeats_alone_too_is_no_matter_of_isolation(application):
    """CTX209 beside the rehearsal in which it fails as well."""
    lived = asked(application, "/same", "order.id")
    alone = asked(application, "/same", "order.id", "sync", only_user=1)
    [finding] = verdict.judge(lived.history, alone.history)
    assert finding.code == "CTX209"
    assert "unique member order.id" in finding.story[0]


def test_an_answer_without_the_member_is_told(application):
    """Nothing is as little unique as a value that is not there."""
    lived = asked(application, "/none", "order.id", "sync")
    assert lived.codes == {"CTX208"}, lived.told()


def test_pages_of_errors_are_alike_without_a_finding(application):
    """They are counted as failures, and are no answers."""
    lived = asked(application, "/broken", "", "sync")
    assert lived.findings == [], lived.told()
    assert lived.tally.failed > 50
