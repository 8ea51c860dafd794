"""Requests that become due at a rate: all of them count, also those that nobody could send."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ctxsim.cell.open_load import Evenly, OpenTraffic
from ctxsim.cell.plan import Flow, Load, Plan, Step, Target, Users, Workers
from ctxsim.cell.visits import Response
from ctxsim.cell.workers.carry import waited

OK = Response(200, [], b"")


class Clock:
    """A clock that moves on when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def traffic(clock: Clock) -> Callable[..., OpenTraffic]:
    def of(**load: object) -> OpenTraffic:
        plan = Plan(
            "open", "0badcafe", 1, 1, Target("app"), Workers.parse("threads:2"),
            (Flow("it", 1.0, (Step("", "GET", "/"),)),), Users(count=4, visitor=False),
            load=Load(**load),
        )  # fmt: skip
        made = OpenTraffic(plan, clock, clock.sleep)
        made.begin()
        return made

    return of


def carried(traffic: OpenTraffic, clock: Clock, answer_s: float) -> int:
    """Carry all requests one after the other, each in so many seconds; gives how many."""
    count = 0
    while (request := traffic.take()) is not None:
        clock.sleep(answer_s)
        traffic.done(request, OK, kept_promise=True)
        count += 1
    return count


def test_where_all_were_sent_none_has_waited(
    traffic: Callable[..., OpenTraffic], clock: Clock
) -> None:
    load = traffic(rate_per_s=8.0, duration_s=2.0)
    assert carried(load, clock, 0.01) == 16
    assert (list(load.unsent_s()), list(load.missed())) == ([], [])


def test_those_that_were_never_sent_have_waited_until_the_end(
    traffic: Callable[..., OpenTraffic], clock: Clock
) -> None:
    """The first answer takes all the time, and all that became due meanwhile waited for it."""
    load = traffic(rate_per_s=8.0, duration_s=1.0)
    assert carried(load, clock, 2.0) == 1
    assert list(load.unsent_s()) == [(2.0 - n / 8, 1) for n in range(1, 8)]
    assert any("of 8 requests that became due, 1 were sent" in told for told in load.missed())
    tally = waited(load.unsent_s())
    assert (tally.requests, sum(tally.latency_us.values())) == (0, 7)
    assert max(tally.latency_us) == 1_870_000


def test_a_load_that_was_stopped_has_become_due_until_then(
    traffic: Callable[..., OpenTraffic], clock: Clock
) -> None:
    load = traffic(rate_per_s=8.0, duration_s=100.0)
    request = load.take()
    assert request is not None
    clock.sleep(1.0)
    load.stop()
    load.done(request, OK, kept_promise=True)
    assert load.take() is None
    assert sum(count for _, count in load.unsent_s()) == 7


def test_a_load_of_so_many_requests_has_no_more_that_become_due(
    traffic: Callable[..., OpenTraffic], clock: Clock
) -> None:
    load = traffic(rate_per_s=8.0, duration_s=100.0, requests=3)
    assert carried(load, clock, 0.0) == 3
    assert list(load.unsent_s()) == []


def test_very_many_are_told_in_groups(traffic: Callable[..., OpenTraffic], clock: Clock) -> None:
    load = traffic(rate_per_s=1_000_000.0, duration_s=10.0)
    assert carried(load, clock, 20.0) == 1
    waits = list(load.unsent_s())
    assert len(waits) == 10_000
    assert sum(count for _, count in waits) == 9_999_999
    assert waits[0][0] == pytest.approx(20.0)
    assert waits[-1][0] == pytest.approx(10.0, abs=0.01)


def test_one_caller_goes_on_evenly(clock: Clock) -> None:
    pace = Evenly(4.0, clock, clock.sleep)
    moments = []
    for _ in range(4):
        pace.wait()
        moments.append(clock())
    assert moments == pytest.approx([0.0, 0.25, 0.5, 0.75])
