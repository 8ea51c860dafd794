"""A step that is sent once lets a user in; what it gave holds for the user's later visits."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from driving import flow, plan_of, step

from ctxsim.cell.plan import Capture, Faults, Load, Users
from ctxsim.cell.visits import Response, Traffic

OK, GONE = Response(200, [], b""), Response(404, [], b"")
ONE = Users(count=1, visitor=False)
LOGIN = step("POST /login", once=True)
TOKEN = step("POST /token", "in", once=True, captures=(Capture("key", "json", "key"),))
KEYED = step("GET /me/{in.key}/{in.canary}")


class Client:
    """Sends one request after the other; `answers` are the first ones, all others are well."""

    def __init__(self, *steps, users=ONE, **keys):
        plan = plan_of(*steps, users=users, load=Load(requests=1000), **keys)
        self.traffic = Traffic(plan, clock=itertools.count().__next__)

    def send(self, answer=OK, *, kept=True, faulted=False):
        request = self.traffic.take()
        request.faulted = faulted
        self.traffic.done(request, answer, kept_promise=kept)
        return request

    def paths(self, count, *answers):
        left = itertools.chain(answers, itertools.repeat(OK))
        return [self.send(next(left)).path for _ in range(count)]


def test_it_is_left_out_of_later_visits_once_it_was_answered_well():
    assert Client(LOGIN, "GET /a").paths(5) == ["/login", "/a", "/a", "/a", "/a"]


NOT_WELL = {
    "refused": {"answer": GONE},
    "not answered": {"answer": Response(0, [], b"", error=ConnectionError())},
    "left before its end": {"answer": Response(200, [], b"", complete=False)},
    "otherwise than expected": {"kept": False},
    "failing on purpose": {"faulted": True},
}


@pytest.mark.parametrize("how", NOT_WELL)
def test_it_is_sent_until_it_is_answered_well(how):
    client = Client(LOGIN, "GET /a")
    ill = [client.send(**NOT_WELL[how]).path]
    well = [client.send().path for _ in range(6)]
    assert (ill + well).count("/login") == 2
    assert well[-3:] == ["/a"] * 3


def test_what_it_gave_is_sent_by_all_later_visits():
    """Its answer, and the canary that it had."""
    client = Client(TOKEN, KEYED)
    first = client.send(Response(200, [], b'{"key": "k1"}'))
    later = {client.send().path for _ in range(4)}
    assert later == {f"/me/k1/{first.canary}"}


def test_one_that_did_not_give_what_later_steps_need_is_sent_again():
    """A login that shows its form again is answered with 200 as well."""
    client = Client(TOKEN, KEYED)
    assert [client.send(OK).path for _ in range(3)] == ["/token"] * 3
    client.send(Response(200, [], b'{"key": "k1"}'))
    assert client.send().path.startswith("/me/k1/")


def test_what_one_flow_has_sent_no_other_has_to():
    """Only what is the same step in all ways."""
    flows = (
        flow(LOGIN, "GET /a", name="one"),
        flow(LOGIN, "GET /b", name="two"),
        flow(step("POST /login?as=admin", once=True), "GET /c", name="three"),
    )
    client = Client(flows=flows)
    sent = Counter((each.path, each.query) for each in (client.send() for _ in range(200)))
    assert sent["/login", ""] == sent["/login", "as=admin"] == 1
    assert min(sent[path, ""] for path in ("/a", "/b", "/c")) > 20


def test_two_flows_may_give_different_things_the_same_name():
    other = step("POST /other", "in", once=True, captures=(Capture("key", "json", "key"),))
    flows = (flow(TOKEN, KEYED, name="one"), flow(other, KEYED, "GET /end", name="two"))
    client = Client(flows=flows)
    given = {"/token": "k1", "/other": "k2"}
    seen = set()
    before = None
    for _ in range(200):
        request = client.traffic.take()
        body = f'{{"key": "{given.get(request.path, "")}"}}'.encode()
        client.traffic.done(request, Response(200, [], body), kept_promise=True)
        if request.path == "/end":
            seen.add(before)
        before = request.path[:6]
    assert seen == {"/me/k2"}


def test_each_user_is_let_in():
    users = Users(count=3, visitor=False)
    client = Client(LOGIN, "GET /a", users=users)
    requests = [client.send() for _ in range(60)]
    let_in = [each.user.number for each in requests if each.path == "/login"]
    assert sorted(let_in) == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "status", "again"),
    [
        ("GET /a", 200, False),
        ("GET /a", 401, True),
        ("GET /a", 403, True),
        ("GET /a", 302, True),
        ("POST /a", 303, False),
        ("GET /a", 404, False),
    ],
)
def test_who_lost_the_session_by_a_fault_is_let_in_again(line, status, again):
    """A request that fails may end the session; the visit after it shows whether it did."""
    client = Client(LOGIN, line)
    client.send()
    client.send(faulted=True)
    client.send(Response(status, [], b""))
    assert (client.send().path == "/login") is again


@pytest.mark.parametrize(("status", "again"), [(401, True), (403, True), (302, True), (404, False)])
def test_who_is_refused_what_was_answered_well_is_let_in_again(status, again):
    """An account was deleted, a session ran out: nothing else would be seen of the user."""
    client = Client(LOGIN, "GET /a")
    assert client.paths(3, OK, OK, Response(status, [], b"")) == ["/login", "/a", "/a"]
    assert (client.send().path == "/login") is again


def test_it_counts_what_was_answered_in_another_flow_if_it_was_sent_in_the_same_way():
    """What is sent without the token is refused always, and no reason."""
    shown = step("GET /a", headers=(("X-Token", "t"),))
    flows = (flow(LOGIN, shown, name="one"), flow(LOGIN, shown, "GET /a", name="two"))
    client = Client(flows=flows)
    sent = []
    for _ in range(200):
        request = client.traffic.take()
        answer = Response(401, [], b"") if request.path == "/a" and not request.headers else OK
        client.traffic.done(request, answer, kept_promise=True)
        sent.append(request.path)
    assert sent.count("/login") == 1
    for _ in range(20):
        request = client.send(Response(401, [], b""))
        if request.headers:
            break
    while client.traffic.ready[0].steps:
        client.send()
    assert client.send().path == "/login"


def test_without_a_fault_a_refusal_is_no_reason():
    """It may be the very thing that is to be told: another's session in place of one's own."""
    client = Client(LOGIN, "GET /a")
    assert client.paths(4, OK, Response(401, [], b"")) == ["/login", "/a", "/a", "/a"]


def test_a_visitor_who_has_nothing_else_to_send_sends_it_each_time():
    """What comes after it needs a user."""
    users = Users(count=1, vars=(("name", "user{n}"),))
    client = Client(LOGIN, "GET /{user.name}", users=users)
    sent = [client.send() for _ in range(80)]
    visitors = [each.path for each in sent if not each.user.number]
    assert len(visitors) > 5
    assert set(visitors) == {"/login"}


def test_faults_of_the_mix_let_everything_be_sent_in_the_end():
    """A user who is never let in would send nothing that comes behind."""
    users = Users(count=4, visitor=False)
    faults = Faults(error=0.3, abort=0.1, cancel=0.1)
    client = Client(TOKEN, KEYED, users=users, faults=faults)
    paths = []
    for _ in range(400):
        request = client.traffic.take()
        request.faulted = request.fault is not None
        answer = Response(200, [], b'{"key": "k"}')
        client.traffic.done(request, answer, kept_promise=not request.faulted)
        paths.append(request.path)
    assert 4 <= paths.count("/token") < 40
