"""Several requests of one user in flight at once: one jar, one number, a visit in each lane."""

from __future__ import annotations

import itertools
import threading
from collections import Counter

import pytest
from driving import DEFAULT_FAULTS, WORDS, live, plan_of, step

from ctxsim.cell.jar import Jar
from ctxsim.cell.plan import Faults, Load, Users
from ctxsim.cell.visits import Response, Traffic

OK = Response(200, [], b"")
THREE = Users(count=2, visitor=False, parallel=3, vars=(("name", "user{n}"),))


def traffic_of(*steps, **keys):
    keys = {"users": THREE, **keys}
    return Traffic(plan_of(*steps, **keys), clock=itertools.count().__next__)


def test_each_user_has_so_many_requests_in_flight():
    """Three of each of two users, with one jar and numbers of their own."""
    traffic = traffic_of("GET /a", "GET /b", workers="threads:8")
    assert traffic.width == 6
    taken = [traffic.take() for _ in range(7)]
    assert taken[6] is None
    assert Counter(request.user.number for request in taken[:6]) == {1: 3, 2: 3}
    assert len({request.user.jar for request in taken[:6]}) == 2
    assert len({request.canary for request in taken[:6]}) == 6
    # Each lane is at the beginning of a visit of its own.
    assert {request.step.route for request in taken[:6]} == {"GET /a"}


def test_numbers_are_unique_and_lead_to_their_routes():
    """Whichever lane sends more than the others."""
    traffic = traffic_of("GET /a", "GET /b", "GET /c", load=Load(requests=500))
    sent = []
    while (request := traffic.take()) is not None:
        sent.append(request)
        traffic.done(request, OK, kept_promise=True)
    assert len({request.canary for request in sent}) == 500
    for request in sent:
        assert traffic.route_of(request.user.number, request.number) == request.step.route
    assert traffic.route_of(1, 10**6) == ""
    assert traffic.route_of(1, 0) == ""


def test_what_a_lane_sends_follows_from_the_seed():
    """However the workers interleave."""

    def sent(order):
        traffic = traffic_of("GET /a", "GET /b", faults=Faults(0.2, 0.2, 0.2))
        told = {}
        for turn in range(20):
            taken = [traffic.take() for _ in range(6)]
            for request in taken[:: order if turn % 2 else 1]:
                lane = (request.user.number, request.lane.place)
                told.setdefault(lane, []).append(
                    (request.canary, request.fault, request.fault_draw)
                )
                request.faulted = request.fault is not None
                traffic.done(request, OK, kept_promise=True)
        return told

    one, other = sent(1), sent(-1)
    assert set(one) == set(other)
    for lane, told in one.items():
        both = min(len(told), len(other[lane]))
        assert told[:both] == other[lane][:both]


def test_a_jar_stands_the_threads_of_its_user():
    """Cookies are set and sent at the same time, and none is lost."""
    jar, together = Jar(), threading.Barrier(4)

    def take(name):
        together.wait()
        for number in range(500):
            jar.take(f"{name}{number}=1; path=/{name}")
            jar.header(f"/{name}")

    threads = [threading.Thread(target=take, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in "abcd":
        assert jar.header(f"/{name}").count("=1") == 500


SHOP = """
import time
from flask import Flask, g, request, session
app = Flask(__name__)
app.secret_key = "a key for tests"

@app.before_request
def know():
    g.name = session.get("name", request.args.get("name"))
    session["name"] = g.name
    time.sleep(0)

@app.route("/")
def index():
    return f"{g.name} {request.args['tag']} {last.setdefault(g.name, request.args['tag'])}"

last = {}
"""
STEP = step("GET /?tag={canary}&name={user.name}", mine=("{user.name}",))


@pytest.mark.parametrize("word", WORDS)
def test_users_with_parallel_requests_are_carried_clean(application, word):
    """Another request of the same user is no finding; all workers have enough to do."""
    plan = plan_of(
        STEP,
        target=application(SHOP),
        workers=word,
        users=Users(count=4, visitor=False, parallel=5, vars=(("name", "user{n}"),)),
        faults=DEFAULT_FAULTS,
        load=Load(requests=300),
        keeps=("app:last",),
    )
    lived = live(plan).finished()
    assert lived.findings == [], lived.told()
    assert lived.tally.requests == 300
    assert lived.tally.in_flight_most == plan.workers.in_flight


def test_another_user_is_found_as_ever(application):
    """Under parallel requests too."""
    source = SHOP.replace("setdefault(g.name,", "setdefault('all',")
    plan = plan_of(STEP, target=application(source), workers="threads:4", users=THREE)
    lived = live(plan).finished()
    assert "CTX201" in lived.codes, lived.told()
