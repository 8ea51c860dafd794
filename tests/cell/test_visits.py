"""What each user sends depends on the seed and on itself alone, and is what its steps say."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections import Counter
from urllib.parse import parse_qs, unquote

import pytest
from driving import flow, plan_of, step
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell import canaries
from ctxsim.cell.jar import Jar
from ctxsim.cell.plan import Expect, Faults, Load, Users, Workers
from ctxsim.cell.visits import Response, Traffic

OK = Response(200, [], b"")
TWO = Users(count=2, visitor=False, vars=(("name", "user{n}"), ("password", "pw{n}")))
HARD = "a&b=c/d?e#f%g+h i{é}"


def traffic_of(*steps, **keys):
    return Traffic(plan_of(*steps, **keys), clock=itertools.count().__next__)


def sent_by(traffic, answer=OK, kept=True):
    """Carry everything out, one request after the other."""
    sent = []
    while (request := traffic.take()) is not None:
        request.faulted = request.fault is not None
        sent.append(request)
        traffic.done(request, answer, kept_promise=kept)
    return sent


def first(*steps, **keys):
    keys = {"users": TWO, "load": Load(requests=1), **keys}
    return sent_by(traffic_of(*steps, **keys))[0]


def by_user(requests):
    users = {}
    for request in requests:
        told = (request.canary, request.step.route, request.fault)
        users.setdefault(request.user.number, []).append(told)
    return users


@given(st.integers(0, 2**32), st.randoms(use_true_random=False))
def test_a_user_sends_the_same_however_the_workers_interleave(seed, chance):
    """Which requests come, with which faults, follows from the seed and the user's own past."""
    plan = plan_of(
        flows=(flow("GET /a", "GET /b", name="one"), flow("GET /c", name="two", weight=2)),
        seed=seed,
        users=Users(count=4, visitor=False),
        faults=Faults(0.2, 0.2),
        load=Load(requests=80),
    )
    in_order = by_user(sent_by(Traffic(plan, clock=int)))
    shuffled, sent, pending = Traffic(plan, clock=int), [], []
    while True:
        request = shuffled.take() if len(pending) < 4 else None
        if request is not None:
            sent.append(request)
            pending.append(request)
            continue
        if not pending:
            break
        done = pending.pop(chance.randrange(len(pending)))
        done.faulted = done.fault is not None
        shuffled.done(done, OK, kept_promise=True)
    for user, told in by_user(sent).items():
        both = min(len(told), len(in_order.get(user, [])))
        assert told[:both] == in_order.get(user, [])[:both]


def test_another_seed_sends_otherwise():
    """Faults and the order of users are drawn from the seed."""
    one, same, other = (
        [(r.canary, r.fault) for r in sent_by(traffic_of("GET /", seed=seed, faults=Faults(0.3)))]
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_every_request_has_a_canary_of_its_own():
    """By itself it tells the user and the request's number."""
    sent = sent_by(traffic_of("GET /"))
    assert len({request.canary for request in sent}) == len(sent) == 200
    for request in sent:
        origin = canaries.read(request.canary)
        assert (origin.user, origin.request) == (request.user.number, request.number)


def test_placeholders_are_filled_wherever_they_may_stand():
    """Path, query, headers, form: each in its own quoting."""
    users = Users(count=1, visitor=False, vars=(("name", HARD),))
    request = first(
        step(
            "POST /u/{user.name}/{canary}?q={user.name}&own={user.canary}&r={canary}",
            headers=(("X-Name", "{user.name} {canary}"),),
            form=(("{user.name}", "{user.name}"), ("c", "{canary}")),
        ),
        users=users,
    )
    assert unquote(request.path) == f"/u/{HARD}/{request.canary}"
    assert request.path.count("/") == 3
    query = parse_qs(request.query, strict_parsing=True)
    assert query == {"q": [HARD], "own": [request.user.canary], "r": [request.canary]}
    assert request.headers == (("X-Name", f"{HARD} {request.canary}"),)
    assert request.content_type == "application/x-www-form-urlencoded"
    form = parse_qs(request.body.decode(), strict_parsing=True)
    assert form == {HARD: [HARD], "c": [request.canary]}


def test_placeholders_are_filled_in_json_and_plain_bodies():
    """In keys and values of JSON at any depth, and in a body of text."""
    asked = {"{user.name}": [{"deep": "{canary}"}, 1, None, True]}
    request = first(step("POST /", json=asked, has_json=True))
    name = f"user{request.user.number}"
    assert json.loads(request.body) == {name: [{"deep": request.canary}, 1, None, True]}
    assert request.content_type == "application/json"
    request = first(step("POST /", body="{user.name} says {canary}"))
    assert request.body == f"user{request.user.number} says {request.canary}".encode()


def test_a_null_as_json_is_sent_as_one():
    """`json: null` is a body, and no `json` is none."""
    assert first(step("POST /", json=None, has_json=True)).body == b"null"
    assert first(step("POST /")).body == b""


def test_credentials_are_basic():
    """Name and password with their placeholders filled, in base64."""
    request = first(step("GET /", auth=("{user.name}", "pw:{user.password}é")))
    [(name, value)] = request.headers
    number = request.user.number
    assert name == "Authorization"
    assert base64.b64decode(value.removeprefix("Basic ")) == f"user{number}:pw:pw{number}é".encode()


def test_a_later_step_knows_the_canary_of_a_named_one():
    """`{STEP.canary}` is that of the same visit, not of the one before."""
    steps = (step("POST /item?c={canary}", name="item"), step("GET /item/{item.canary}"))
    users = Users(count=1, visitor=False)
    sent = sent_by(traffic_of(*steps, users=users, load=Load(requests=6)))
    for posted, got in zip(sent[::2], sent[1::2], strict=True):
        assert got.path == f"/item/{posted.canary}"


def test_texts_with_braces_that_are_no_placeholders_stay():
    """JSON in a body, or a template's text, is not ours to fill."""
    assert first(step("POST /", body='{"a": {b}} {user.unknown}')).body == (
        b'{"a": {b}} {user.unknown}'
    )


def test_a_visitor_sends_no_credentials():
    """Neither auth nor Cookie nor Authorization, and it keeps no cookies."""
    secret = (("Cookie", "session=1"), ("authorization", "Bearer 1"), ("X-Plain", "{canary}"))
    sent = sent_by(traffic_of(step("GET /", headers=secret, auth=("a", "b"))))
    visitors = [request for request in sent if request.user.number == 0]
    assert visitors
    for request in visitors:
        assert request.headers == (("X-Plain", request.canary),)
        assert request.user.jar is None
        assert canaries.read(request.canary).user == 0


def test_a_visitor_leaves_out_what_only_a_user_can_send():
    """Steps with `{user.*}`, and those that need the canary of a step that was left out."""
    steps = (
        step("POST /login", form=(("name", "{user.name}"),), name="login"),
        step("GET /after?c={login.canary}"),
        step("GET /open", name="open", mine=("{user.name}",)),
        step("GET /from?c={open.canary}"),
    )
    sent = sent_by(traffic_of(*steps, load=Load(requests=400)))
    routes = {request.step.route for request in sent if request.user.number == 0}
    assert routes == {"GET /open", "GET /from"}


def test_a_visitor_is_bound_by_no_expectation():
    """`expect` and `mine` are of users."""
    sent = sent_by(traffic_of(step("GET /", expect=Expect(status=(200,)), mine=("{user.name}",))))
    [prepared] = {r.step for r in sent if r.user.number == 0}
    assert (prepared.expect, prepared.mine) == (Expect(), ())


@pytest.mark.parametrize("visitor", [True, False])
def test_there_are_visitors_only_where_they_are_wanted(visitor):
    """`visitor: false` sends none."""
    sent = sent_by(traffic_of("GET /", users=Users(count=8, visitor=visitor)))
    assert any(request.user.number == 0 for request in sent) is visitor


def test_who_is_refused_at_once_does_not_crowd_out_users():
    """Users wait for their answers; a visitor's request ends as soon as it is sent."""
    traffic = traffic_of("GET /", users=Users(count=16), load=Load(requests=1000))
    waiting, visitors = [], 0
    while (request := traffic.take()) is not None:
        if request.user.number:
            waiting.append(request)
        else:
            visitors += 1
            traffic.done(request, OK, kept_promise=True)
        if len(waiting) > 12:
            traffic.done(waiting.pop(0), OK, kept_promise=True)
    assert 100 < visitors <= 260


@pytest.mark.parametrize("width", [8, 40])
def test_where_all_users_are_busy_visitors_send_no_more_than_their_part(width):
    """Else they would use up the load while users log in, which may take long."""
    plan = plan_of(
        "GET /", users=Users(count=8), load=Load(requests=4000), workers=f"threads:{width}"
    )
    busy, answered = [], 0

    def wait(seconds):
        nonlocal answered
        assert 0 < seconds < 0.1
        answered += len(busy)
        while busy:
            traffic.done(busy.pop(), OK, kept_promise=True)

    traffic = Traffic(plan, itertools.count().__next__, wait)
    visitors = 0
    while (request := traffic.take()) is not None:
        if request.user.number:
            busy.append(request)
        else:
            visitors += 1
            traffic.done(request, OK, kept_promise=True)
    part = min(0.5, len(traffic.visitors) / (len(traffic.visitors) + 8))
    assert answered
    assert visitors <= 11 + max(0.25, part) * 4000


def test_who_must_not_wait_is_told_when_to_ask_again():
    """A loop would stand still; it asks again by a timer."""
    plan = plan_of("GET /", users=Users(count=1), load=Load(requests=400))
    traffic = Traffic(plan, itertools.count().__next__, asks_again=True)
    users = []
    while (request := traffic.take()) is not None:
        if request.user.number:
            users.append(request)
        else:
            traffic.done(request, OK, kept_promise=True)
    assert traffic.ask_again_s
    [user] = users
    traffic.done(user, OK, kept_promise=True)
    assert traffic.take() is not None
    assert traffic.ask_again_s is None


def test_where_all_users_are_busy_not_all_visitors_are_passed_over_for_each_request(monkeypatch):
    """Of thousands that would be a minute, in which nothing else happens."""
    passed = itertools.count()
    ready = Traffic._next_ready
    monkeypatch.setattr(Traffic, "_next_ready", lambda self: next(passed) * 0 or ready(self))
    keys = {"workers": "greenlets:3000", "load": Load(requests=3000)}
    traffic = traffic_of("GET /", users=Users(count=1500), **keys)
    sent = [traffic.take() for _ in range(3000)]
    assert sum(request.user.number == 0 for request in sent) == 1500
    assert next(passed) < 101 * 3000


@pytest.mark.parametrize("variation", range(4))
def test_in_every_other_variation_a_rare_flow_is_as_frequent_as_any(variation):
    flows = (flow("GET /often", name="often", weight=400), flow("GET /seldom", name="seldom"))
    traffic = traffic_of(flows=flows, seed=1, users=TWO)
    traffic.vary(variation)
    lane = traffic.lanes[0]
    routes = Counter(traffic.next_of(lane).step.route for _ in range(1_000))
    assert (400 < routes["GET /seldom"] < 600) is (variation % 2 == 1)


def test_flows_come_by_their_weights():
    """A flow of weight 3 is visited three times as often as one of weight 1."""
    flows = (flow("GET /often", name="often", weight=3), flow("GET /seldom", name="seldom"))
    sent = sent_by(traffic_of(flows=flows, load=Load(requests=4000)))
    counts = Counter(request.step.route for request in sent)
    assert 0.7 < counts["GET /often"] / 4000 < 0.8


def test_faults_befall_about_the_given_share():
    """Errors and aborts, each by its own share."""
    sent = sent_by(traffic_of("GET /", faults=Faults(error=0.05, abort=0.1), load=Load(10_000)))
    counts = Counter(request.fault for request in sent)
    assert 0.04 < counts["error"] / 10_000 < 0.06
    assert 0.09 < counts["abort"] / 10_000 < 0.11


@pytest.mark.parametrize(("faults", "kept"), [(Faults(error=1.0), True), (Faults(), False)])
def test_a_visit_that_went_wrong_starts_anew(faults, kept):
    """After a fault, or a broken expectation, the next request is the first of a visit."""
    sent = sent_by(traffic_of("GET /first", "GET /second", faults=faults), kept=kept)
    assert {request.step.route for request in sent} == {"GET /first"}


def test_a_rehearsal_is_one_user_that_goes_through_the_flows_in_turn():
    """For as many visits as the load gives, since an answer may depend on the visits before."""
    flows = (flow("GET /a", "GET /b", name="one"), flow("GET /c", name="two"))
    for user in (0, 1, 7):
        sent = sent_by(traffic_of(flows=flows, only_user=user, load=Load(requests=5)))
        routes = [request.step.route for request in sent]
        assert routes == ["GET /a", "GET /b", "GET /c", "GET /a", "GET /b"]
        assert {request.user.number for request in sent} == {user}


def test_the_number_of_requests_is_exact_under_threads():
    """Eight threads that take and give back at the same time send neither one more nor less."""
    workers = Workers.parse("threads:8")
    traffic = traffic_of("GET /", workers=workers.word, load=Load(requests=5000))
    taken, together = [], threading.Barrier(8)

    def work():
        together.wait()
        while (request := traffic.take()) is not None:
            taken.append(request.canary)
            traffic.done(request, OK, kept_promise=True)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 5000


def test_each_user_has_one_request_in_flight():
    """Two workers never carry the same user, so its cookie jar has no race of our making."""
    traffic = traffic_of("GET /", users=Users(count=5, visitor=False))
    taken = [traffic.take() for _ in range(6)]
    assert taken[5] is None
    assert len({request.user.number for request in taken[:5]}) == 5


def test_a_load_of_seconds_ends_by_the_clock():
    """Nothing is handed out after the deadline."""
    traffic = traffic_of("GET /", load=Load(requests=None, duration_s=10))
    traffic.begin()
    assert 0 < len(sent_by(traffic)) <= 10


def test_routes_of_requests_are_remembered():
    """A canary that turns up late still tells which step it was sent with."""
    traffic = traffic_of("GET /a?x=1", "POST /b")
    sent = sent_by(traffic)
    for request in sent:
        assert traffic.route_of(request.user.number, request.number) == request.step.route
    assert traffic.route_of(1, 10**6) == ""
    assert traffic.route_of(10**4, 1) == ""
    assert traffic.route_of(0, 10**6) == ""


@pytest.mark.parametrize(
    ("taken", "path", "sent"),
    [
        (["a=1"], "/", "a=1"),
        (["a=1", "b=2"], "/", "a=1; b=2"),
        (["a=1", "a=2"], "/", "a=2"),
        (["a=1; Path=/; HttpOnly; SameSite=Lax; Secure"], "/x", "a=1"),
        (["a=1; path=/shop"], "/", ""),
        (["a=1; path=/shop"], "/shop", "a=1"),
        (["a=1; path=/shop"], "/shop/cart", "a=1"),
        (["a=1; path=/shop/"], "/shop/cart", "a=1"),
        (["a=1; path=/shop"], "/shopping", ""),
        (["a=1", "a=2; path=/shop"], "/", "a=1"),
        (["a=1", "a=2; path=/shop"], "/shop", "a=2; a=1"),
        (["a=1", "a=; Max-Age=0"], "/", ""),
        (["a=1", "a=; max-age=-1; path=/"], "/", ""),
        (["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/", ""),
        (["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; path=/x"], "/", "a=1"),
        (["a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], "/", "a=1"),
        (['a="x y"; Path=/'], "/", 'a="x y"'),
        (["a=b=c=="], "/", "a=b=c=="),
        (["a="], "/", "a="),
        (["=1"], "/", ""),
        (["nothing"], "/", ""),
        ([""], "/", ""),
    ],
)
def test_a_jar_keeps_cookies_as_a_browser_does(taken, path, sent):
    """Attributes, replacement, deletion and paths."""
    jar = Jar()
    for header in taken:
        jar.take(header)
    assert jar.header(path) == sent


def test_cookies_come_back_to_their_own_user_alone():
    """The jar is the user's; a response that was not read to its end sets none."""
    traffic = traffic_of("GET /", users=TWO, load=Load(requests=4))
    one, two = traffic.take(), traffic.take()
    traffic.done(
        one, Response(200, [("SET-COOKIE", "a=1"), ("set-cookie", "b=2")], b""), kept_promise=True
    )
    left = Response(200, [("Set-Cookie", "a=1")], b"", complete=False)
    traffic.done(two, left, kept_promise=True)
    assert one.user.jar.header("/") == "a=1; b=2"
    assert two.user.jar.header("/") == ""


def test_steps_that_no_user_came_to_send_are_told():
    """A run that ends before the last step of a flow has not covered it."""
    traffic = traffic_of("GET /first", "GET /second", load=Load(requests=1))
    assert traffic.unsent() == ["GET /first", "GET /second"]
    sent_by(traffic)
    assert traffic.unsent() == ["GET /second"]


def test_the_last_step_of_a_flow_is_reached_however_many_the_users():
    """Half of the users who are in the middle of a visit go on at once."""
    steps = [f"GET /{number}" for number in range(5)]
    users = Users(count=400, visitor=False)
    traffic = traffic_of(*steps, users=users, load=Load(requests=800))
    sent_by(traffic)
    assert traffic.unsent() == []


@given(st.integers(0, 2**32))
def test_before_anyone_else_comes_one_user_goes_through_the_longest_flow_under_sync(seed):
    """What a cache keeps for all is the page of a user then, whatever short flows get there."""
    flows = flow("GET /page", name="short", weight=9), flow("GET /in", "GET /page", name="whole")
    begins = {"users": Users(count=9, visitor=True), "seed": seed, "faults": Faults(error=1.0)}
    sent = sent_by(traffic_of(flows=flows, load=Load(requests=6), **begins))
    assert [each.step.route for each in sent[:2]] == ["GET /in", "GET /page"]
    assert sent[0].user is sent[1].user
    assert sent[0].user.number
    assert [each.fault for each in sent] == [None, None, *["error"] * 4]


@given(st.integers(0, 2**32))
def test_each_flow_that_has_other_steps_is_gone_through_first_the_longest_first(seed):
    """Who leaks need not be in the longest one."""
    flows = (
        flow("GET /in", "GET /page", name="leaks", weight=1),
        flow("GET /page", name="short", weight=9),
        flow("GET /in", "GET /a", "GET /b", name="longest"),
    )
    begins = {"users": Users(count=9, visitor=True), "seed": seed, "faults": Faults(error=1.0)}
    sent = sent_by(traffic_of(flows=flows, load=Load(requests=20), **begins))
    first = ["GET /in", "GET /a", "GET /b", "GET /in", "GET /page"]
    assert [each.step.route for each in sent[:5]] == first
    assert {each.user for each in sent[:5]} == {sent[0].user}
    assert sent[5].user is not sent[0].user
    assert [each.fault for each in sent] == [None] * 5 + ["error"] * 15
    few = sent_by(traffic_of(flows=flows, load=Load(requests=16), **begins))
    assert {each.user for each in few[:3]} != {each.user for each in few[3:]}


@pytest.mark.parametrize("flows", [1, 2])
def test_a_route_that_is_left_out_is_sent_no_more_and_visits_go_on_without_it(flows):
    """The steps behind it are sent, also in visits that are under way."""
    steps = flow("GET /a", "GET /b", "GET /c", name="one"), flow("GET /b", name="two")
    traffic = traffic_of(
        flows=steps[:flows], users=Users(count=3, visitor=True), load=Load(requests=60)
    )
    begun = [traffic.take() for _ in range(4)]
    traffic.leave_out("GET /b")
    for each in begun:
        traffic.done(each, OK, kept_promise=True)
    routes = Counter(each.step.route for each in sent_by(traffic))
    assert set(routes) == {"GET /a", "GET /c"}
    assert routes.total() == 56


def test_where_nothing_is_left_to_be_sent_the_load_ends():
    traffic = traffic_of("GET /a", "GET /b", users=TWO, load=Load(requests=60))
    for route in ("GET /a", "GET /b"):
        traffic.leave_out(route)
    assert traffic.is_over
    assert sent_by(traffic) == []


def test_visitors_who_have_nothing_left_leave_the_load_to_users():
    steps = (step("GET /a"), step("GET /mine/{user.name}"))
    traffic = traffic_of(
        flows=(flow(steps[0], name="one"), flow(steps[1], name="two")),
        users=Users(count=3, visitor=True, vars=(("name", "user{n}"),)),
        load=Load(requests=40),
    )
    traffic.leave_out("GET /a")
    sent = sent_by(traffic)
    assert {each.step.route for each in sent} == {"GET /mine/{user.name}"}
    assert len(sent) == 40
