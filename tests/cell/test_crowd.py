"""Users who come and go while a load runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ctxsim.cell.crowd import Crowd
from ctxsim.cell.history import Event, Who
from ctxsim.cell.plan import Flow, Load, Plan, Step, Target, Users, Workers
from ctxsim.cell.visits import Response, Traffic
from ctxsim.cell.workers.ended import Ended

PLAN = Plan(
    scenario="s",
    run="0badcafe",
    process=1,
    seed=5,
    target=Target("app:app"),
    workers=Workers.parse("threads:8"),
    flows=(Flow("steps", 1.0, (Step("", "GET", "/?tag={canary}"),)),),
    users=Users(count=20, visitor=False),
    load=Load(live=True),
)
ANSWER = Response(200, [], b"")


def crowd(wait=None, plan=PLAN):
    return Crowd(plan, lambda: 0.0, wait)


def in_flight(traffic):
    """All requests that can be in flight at once."""
    requests = []
    while (request := traffic.take()) is not None:
        requests.append(request)
    return requests


def test_nobody_is_there_before_users_come():
    assert in_flight(crowd()) == []


def test_as_many_requests_are_in_flight_as_users_are_there():
    traffic = crowd()
    traffic.resize(3)
    first = in_flight(traffic)
    assert sorted(each.user.number for each in first) == [1, 2, 3]
    traffic.resize(5)
    assert sorted(each.user.number for each in in_flight(traffic)) == [4, 5]


def test_who_has_gone_sends_nothing_more_and_goes_on_when_it_is_back():
    traffic = crowd()
    traffic.resize(3)
    for request in in_flight(traffic):
        traffic.done(request, ANSWER, kept_promise=True)
    traffic.resize(1)
    assert [each.user.number for each in in_flight(traffic)] == [1]
    traffic.resize(3)
    again = in_flight(traffic)
    assert sorted((each.user.number, each.number) for each in again) == [(2, 2), (3, 2)]


def test_visitors_come_by_their_share():
    traffic = crowd(plan=replace(PLAN, users=Users(count=20)))
    traffic.resize(10)
    users = [each.user.number for each in in_flight(traffic)]
    assert (len([n for n in users if n]), users.count(0)) == (10, 2)


def test_more_users_come_than_were_expected():
    """They are as those who were: with numbers, visitors by their share, and room for requests."""
    traffic = crowd(plan=replace(PLAN, users=Users(count=5)))
    told = []
    traffic.on_more.append(told.append)
    traffic.resize(4)
    assert (len(in_flight(traffic)), traffic.most_at_once) == (5, 5)
    traffic.resize(30)
    more = [each.user.number for each in in_flight(traffic)]
    assert sorted(n for n in more if n) == list(range(5, 31))
    assert (more.count(0), traffic.most_at_once, told) == (3, 34, [30])
    assert [len(traffic.users), len(traffic.visitors)] == [30, 4]
    traffic.resize(2)
    assert traffic.most_at_once == 34


def test_no_more_users_come_than_canaries_can_name():
    traffic = crowd()
    traffic.resize(70_000)
    assert [user.number for user in traffic.users][-1] == 65_535


def test_a_worker_waits_until_somebody_is_there():
    waited = []

    def wait(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            traffic.resize(1)

    traffic = crowd(wait)
    assert traffic.take().user.number == 1
    assert waited == [traffic.held_s] * 3


def test_a_worker_waits_no_more_when_all_have_gone():
    traffic = crowd(lambda _: traffic.stop())
    assert traffic.take() is None
    assert traffic.ask_again_s is None


def test_a_worker_that_must_not_wait_is_told_when_to_ask_again():
    traffic = crowd()
    assert traffic.take() is None
    assert traffic.ask_again_s
    traffic.resize(1)
    assert traffic.take().user.number == 1
    assert traffic.ask_again_s is None
    assert traffic.take() is None
    assert traffic.ask_again_s
    traffic.stop()
    assert traffic.take() is None
    assert traffic.ask_again_s is None


@pytest.mark.parametrize(("words", "least", "most"), [("sync", 0.002, 0.002), ("tasks:4000", 1, 3)])
def test_however_many_wait_they_ask_about_as_often(words, least, most):
    plan = replace(PLAN, workers=Workers.parse(words))
    assert least <= crowd(plan=plan).held_s <= most


def test_no_other_load_is_waited_for():
    traffic = Traffic(replace(PLAN, load=Load(requests=0)), lambda: 0.0)
    assert traffic.take() is None
    assert traffic.ask_again_s is None


def event(request, kind):
    return Event(kind, "body", Who(request.user.number, request.number, "GET /"))


def test_each_request_is_told_once_with_the_kind_of_what_befell_it():
    traffic = crowd()
    traffic.resize(4)
    one, two, three, four = in_flight(traffic)
    ended = Ended()
    ended.befell(event(one, "answer.foreign"))
    # What may be chance is no failure of a request.
    ended.befell(event(two, "answer.otherwise"))
    for request, failure in ((one, "500"), (two, ""), (three, "500"), (four, "")):
        ended.add(request, 0.0015, failure)
    [rows] = ended.batches()
    foreign = "a response carried a value that belongs to another request or user"
    assert rows == [(0, 1500, foreign), (0, 1500, ""), (0, 1500, "500"), (0, 1500, "")]
    assert list(ended.batches()) == []
