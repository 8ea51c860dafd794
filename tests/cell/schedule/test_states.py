"""One place knows who is ready, who is blocked on what, and what time it is."""

from __future__ import annotations

import pytest
import racy

from ctxsim.cell.schedule.execution import Ended
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.schedule.states import Roster, Waiting

PLACE = racy.count.__code__, racy.count.__code__.co_firstlineno


class Held:
    """A lock that is held by one worker."""

    called = "Lock.acquire"

    def __init__(self, worker):
        self.worker = worker

    def holder(self):
        return self.worker, PLACE


@pytest.fixture
def roster():
    roster = Roster()
    roster.give([print] * 3)
    for worker in roster.workers:
        worker.trail.append(PLACE)
    return roster


def block(roster, number, deadline_s=None, on=None):
    roster.block(roster.workers[number], Waiting(on, "Lock.acquire", 7, deadline_s))


def states(roster, running=None):
    return [roster.state(each, running) for each in roster.workers]


def test_a_worker_is_ready_running_blocked_or_done(roster):
    first = roster.workers[0]
    assert states(roster, first) == ["running", "ready", "ready"]
    block(roster, 0)
    roster.end(roster.workers[1], Ended(7))
    assert states(roster, roster.workers[2]) == ["blocked", "done", "running"]
    assert roster.ready == [2]
    roster.wake(first)
    assert states(roster) == ["ready", "done", "ready"]
    assert roster.ready == [0, 2]


def test_to_wake_one_who_is_not_blocked_changes_nothing(roster):
    roster.end(roster.workers[1], Ended(7))
    for worker in roster.workers:
        roster.wake(worker)
    assert roster.ready == [0, 2]


def test_all_whose_deadline_is_the_earliest_are_woken(roster):
    for number, deadline_s in enumerate((2.0, 1.0, 1.0)):
        block(roster, number, deadline_s)
    assert roster.pass_time()
    assert (roster.now_s, roster.ready) == (1.0, [1, 2])
    block(roster, 1)
    block(roster, 2)
    assert roster.pass_time()
    assert (roster.now_s, roster.ready) == (2.0, [0])


def test_time_does_not_pass_where_there_is_no_deadline(roster):
    block(roster, 0)
    assert not roster.pass_time()
    assert roster.now_s == 0.0


def test_a_wait_names_its_holder_unless_that_is_itself_or_has_ended(roster):
    first, second, third = roster.workers
    block(roster, 0, on=Held(second))
    block(roster, 1, on=Held(second))
    block(roster, 2, on=Held(first))
    roster.end(first, Ended())
    waits = roster.waits()
    assert [(each.worker, each.holder) for each in waits] == [(1, None), (2, None)]
    roster.wake(second)
    block(roster, 1, on=Held(third))
    told = str(roster.waits()[0])
    assert f"held by worker 2 since {racy.__file__}:{PLACE[1]} in count" in told
    assert roster.waits()[0].site == Site(racy.__file__, PLACE[1], "count")
    assert roster.waits()[0].since == 7
