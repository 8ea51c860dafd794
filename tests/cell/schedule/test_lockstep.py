"""Unmodified code is interleaved in one thread as a schedule says, and the same each time."""

from __future__ import annotations

import pytest
import racy
from searching import Trial

from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.schedule.shrink import shrink
from ctxsim.cell.schedule.tracing import Selection, tracing

FILES = frozenset({racy.__file__})


@pytest.fixture
def lockstep():
    with tracing(Selection(FILES)) as tracer:
        yield Lockstep(tracer)


def fresh(*calls):
    """Workers that begin with the module as it was new."""

    def calls_of_an_execution():
        racy.reset()
        return calls

    return calls_of_an_execution


def counted_wrong(workers):
    return lambda _: racy.counter != workers


def greeted_wrong(users):
    def shows(execution):
        pairs = zip(users, execution.workers, strict=False)
        return any(ended.value != f"hello {user}" for user, ended in pairs)

    return shows


BUGS = {
    "lost update": (fresh(racy.count, racy.count), counted_wrong(2)),
    "check, then act": (
        fresh(racy.connection, racy.connection),
        lambda _: len(racy.opened) > 1,
    ),
    "global as current user": (
        fresh(*[lambda user=user: racy.greet(user) for user in "abc"]),
        greeted_wrong("abc"),
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_races_in_unmodified_code_are_found_in_few_executions_and_replayed(bug, lockstep):
    trial = Trial(lockstep, *BUGS[bug])
    execution, number = trial.first(20)
    assert number <= 10
    assert not execution.unseen
    assert execution.stopped is None
    replays = [trial.replay(execution.schedule) for _ in range(100)]
    assert all(shows for _, shows in replays)
    assert {each.trails for each, _ in replays} == {execution.trails}


def test_eight_requests_shrink_to_two_with_one_preemption_at_a_line_that_is_told(lockstep):
    trial = Trial(lockstep, fresh(*[racy.count] * 8), counted_wrong(8))
    execution, _ = trial.first(20, "random")

    def remains(candidate):
        left = Trial(lockstep, trial.calls, counted_wrong(len(candidate.requests)))
        return left.remains(candidate)

    shrunk = shrink(execution.schedule, 8, remains)
    assert len(shrunk.candidate.requests) == 2
    (switch,) = shrunk.candidate.points.preemptions
    window = shrunk.windows[0]
    assert (window.first, window.last) == (2, 3)
    site = execution.site(switch)
    assert site == Site(racy.__file__, site.line, "count", 1)
