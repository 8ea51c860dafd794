"""What only many requests at once come to, such as a pool that is empty, is searched for too."""

import textwrap

import pytest

from ctxsim.jobs import Options
from ctxsim.replaying import replay
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

HEAD = """
from flask import Flask, request
import threading, time
app = Flask(__name__)
"""
ASYNC_HEAD = """
import asyncio
from fastapi import FastAPI
app = FastAPI()
"""
# Whoever comes when all four are taken has the one that is for all.
POOL = """
pool, guard = [{} for _ in range(4)], threading.Lock()
for_all = {}

@app.get("/who")
def who():
    with guard:
        slot = pool.pop() if pool else SPARE
    try:
        slot["user"] = request.args["tag"]
        time.sleep(0.01)
        return slot["user"]
    finally:
        with guard:
            if slot is not for_all:
                pool.append(slot)
"""
# Three are served at the same time; nobody sees another's value.
TURNED_AWAY = """
chairs = ["one", "two", "three"]

@app.get("/who")
def who():
    chair = chairs.pop() if chairs else ""
    time.sleep(0.01)
    if chair:
        chairs.append(chair)
    return f"{request.args['tag']} was {'served' if chair else 'turned away'}"
"""
# Four requests that have one each wait for the second one.
TWICE = """
pool = threading.Semaphore(COUNT)

@app.get("/who")
def who():
    with pool:
        tag = request.args["tag"]
        time.sleep(0.01)
        with pool:
            return tag
"""
TWICE_ASYNC = """
pool = asyncio.Semaphore(COUNT)

@app.get("/who")
async def who(tag: str):
    async with pool:
        await asyncio.sleep(0.01)
        async with pool:
            return tag
"""


def sent_at_once(case):
    return sum(map(len, case.script["windows"][-1]["lanes"]))


@pytest.fixture
def searched(tmp_path):
    def search(source, workers, *, compare_alone=False):
        (tmp_path / "served.py").write_text(textwrap.dedent(source), encoding="utf-8")
        path = tmp_path / "crowds.yaml"
        path.write_text(
            'version: 1\ntarget: {app: "served.py:app"}\n'
            f'steps: [{{get: "/who?tag={{canary}}"}}]\nworkers: ["{workers}"]\n'
            "schedule: {kind: auto, budget: 120}\nseed: 7\n",
            encoding="utf-8",
        )
        return simulate(
            Scenario.load(path), options=Options(confirms=False, compare_alone=compare_alone)
        )

    return search


@pytest.mark.parametrize("workers", ["threads:8", "greenlets:100"])
def test_what_is_left_when_a_pool_is_empty_is_found_and_made_small(searched, workers):
    outcome = searched(HEAD + POOL.replace("SPARE", "for_all"), workers)
    [finding] = outcome.findings
    assert finding.code == "CTX201"
    [case] = outcome.cases
    assert sent_at_once(case) == 6
    assert replay(case, 3).times == 3


@pytest.mark.parametrize("workers", ["threads:8", "greenlets:100"])
def test_a_pool_that_makes_more_where_it_is_empty_is_clean(searched, workers):
    assert searched(HEAD + POOL.replace("SPARE", "{}"), workers).verdict == "clean"


@pytest.mark.parametrize("workers", ["threads:8", "greenlets:100"])
def test_an_answer_that_is_otherwise_where_four_come_at_once_is_found_and_made_small(
    searched, workers
):
    outcome = searched(HEAD + TURNED_AWAY, workers, compare_alone=True)
    [finding] = outcome.findings
    assert finding.code == "CTX208"
    [case] = outcome.cases
    assert sent_at_once(case) == 4
    assert replay(case, 3).times == 3


@pytest.mark.parametrize(
    ("source", "workers"),
    [
        (HEAD + TWICE, "threads:8"),
        (HEAD + TWICE, "greenlets:100"),
        (ASYNC_HEAD + TWICE_ASYNC, "tasks:100"),
    ],
)
def test_requests_that_all_hold_what_all_wait_for_are_one_deadlock_of_no_more(
    searched, source, workers
):
    outcome = searched(source.replace("COUNT", "4"), workers)
    [finding] = outcome.findings
    assert finding.code == "CTX501"
    [case] = outcome.cases
    assert sent_at_once(case) == 4
    # With more of it than there are at once, there is enough for one.
    assert searched(source.replace("COUNT", "17"), workers).verdict == "clean"
