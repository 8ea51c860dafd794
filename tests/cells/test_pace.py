"""The time that there is gets shared among cells, by what they have taken so far."""

from dataclasses import dataclass, replace

import pytest

from ctxsim.cell.history import Ending, History, Tally
from ctxsim.cell.plan import Load, Plan, Target, Workers
from ctxsim.cells import Job, Pace
from ctxsim.cells import pace as pacing


@dataclass(frozen=True)
class NamedCell:
    name: str


def job(**load):
    plan = Plan("pace", "0badcafe", 1, 1, Target("app"), Workers.parse("sync"), ())
    return Job(NamedCell("sync"), replace(plan, load=Load(**load)), "python")


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still at 100 s, unless the test moves it on."""
    now = [100.0]
    monkeypatch.setattr(pacing.time, "monotonic", lambda: now[0])
    return now


def load_s(pace, waiting, **load):
    return pace.sized(job(**load), waiting).plan.load.duration_s


def test_where_time_is_not_bounded_loads_are_as_they_were():
    assert Pace(2).for_loads(0.6).sized(job(requests=7), 4) == job(requests=7)
    assert not Pace(2).is_over


def test_cells_that_wait_share_what_is_left_less_what_each_takes_besides(clock):
    pace = Pace(2, until=160.0).for_loads(0.5)
    pace.ended(job(), History(tally=Tally(elapsed_s=4.0)), 5.0)
    assert load_s(pace, 6) == load_s(pace, 5) == 9.0
    clock[0] = 125.0
    assert load_s(pace, 1) == 4.0
    assert load_s(pace, 1, duration_s=3.0) == 3.0


def test_a_cell_that_starts_late_sends_for_a_moment_all_the_same(clock):
    pace = Pace(1, until=160.0).for_loads(0.5)
    clock[0] = 170.0
    assert load_s(pace, 3) == 0.5


def test_where_one_hung_others_are_not_waited_for_longer_than_they_may_send(clock):
    """It is known then that requests hang; a search may tell why, if it has the time."""
    pace = Pace(1, until=140.0)
    later = pace.for_loads(0.5)
    assert later.sized(job(), 2).plan.stall_s == 30.0
    pace.ended(job(), History(ending=Ending("crash", "died")), 5.0)
    assert later.sized(job(), 2).plan.stall_s == 30.0
    pace.ended(job(), History(ending=Ending("hang", "no request ended for 5 s")), 5.0)
    sized = later.sized(job(), 2).plan
    assert sized.stall_s == sized.load.duration_s == 8.0
    clock[0] = 135.0
    assert later.sized(job(), 2).plan.stall_s == 1.0
    assert pace.sized(job(), 2) == job()


def test_what_was_in_flight_when_the_load_was_over_counts_as_taken_besides():
    pace = Pace()
    pace.ended(job(duration_s=2.0), History(tally=Tally(elapsed_s=3.0)), 4.0)
    assert pace.start_s == 2.0


def test_a_cell_that_ended_early_tells_nothing_of_what_others_take():
    pace = Pace()
    expected = pace.start_s
    pace.ended(job(), History(ending=Ending("hang", "")), 90.0)
    assert pace.start_s == expected


def test_a_pace_is_over_when_it_says(clock):
    pace = Pace(until=90.0, at_latest=101.0)
    assert not pace.is_over
    clock[0] = 101.0
    assert pace.is_over
