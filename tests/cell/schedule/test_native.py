"""Native threads take the turns that simulated ones took, with real locks, by lines alone."""
# ruff: noqa: TID251 - a worker sleeps in real time

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import racy

from ctxsim.cell.schedule import legs as lines
from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Deadlock
from ctxsim.cell.schedule.legs import Leg, Noted, legs_of, noting, variants
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.native import Native, held_after
from ctxsim.cell.schedule.points import Points
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.by_points import ByPoints
from ctxsim.cell.schedule.tracing import tracing, tracing_threads

RACY = frozenset({racy.__file__})
OWN = frozenset({__file__})
one, other = threading.Lock(), threading.Lock()
NOBODY_CHOOSES = ByPoints(Points(())).begin(0, 0, Lengths())


@pytest.fixture
def native():
    def run(calls, *windows, files=RACY, still_s=0.3, granularity="line"):
        tracer = tracing_threads(Selection(files, granularity))
        with Native(tracer, windows, still_s) as carrying:
            found = [carrying.run(calls(), NOBODY_CHOOSES) for _ in windows]
        return (*found, carrying.strayed)

    return run


def greeted():
    racy.reset()
    return [lambda: racy.greet("ada"), lambda: racy.greet("bob")]


def counted():
    racy.reset()
    return [racy.count, racy.count, racy.count_on_one_line]


def values(execution):
    assert not [ended.error for ended in execution.workers if ended.error]
    return [ended.value for ended in execution.workers]


@pytest.mark.parametrize("granularity", ["line", "opcode"])
@pytest.mark.parametrize("calls", [greeted, counted])
def test_each_turn_of_a_simulated_execution_is_taken(native, calls, granularity):
    for number in range(6):
        noted = Noted()
        with noting(tracing(Selection(RACY, granularity)), noted) as tracer:
            chooser = strategy("random").begin(number, 1, Lengths())
            execution = Lockstep(tracer).run(calls(), chooser)
        [notes] = noted.windows
        count = racy.counter
        legs = tuple(legs_of(execution, notes, at_lines=True))
        carried, strayed = native(calls, legs, granularity=granularity)
        assert strayed == []
        assert carried.schedule.steps == tuple(worker for worker, _ in notes)
        assert (values(carried), racy.counter) == (values(execution), count)


def test_without_legs_they_go_one_after_the_other(native):
    carried, strayed = native(greeted, ())
    assert values(carried) == ["hello ada", "hello bob"]
    assert strayed == []


def cross(mine, yours):
    with mine:
        pause(0.001)
        with yours:
            return "through"


pause = held_after(time.sleep)


def test_threads_that_wait_for_each_other_are_told_with_where_they_stand():
    mine, yours = threading.Lock(), threading.Lock()
    before = set(threading.enumerate())
    calls = [lambda: cross(mine, yours), lambda: cross(yours, mine)]
    legs = (Leg(0, 2, "call"), Leg(1, 3, "wait"), Leg(0, 3, "wait"))
    with Native(tracing_threads(Selection(OWN)), [legs], 0.3) as carrying:
        execution = carrying.run(calls, NOBODY_CHOOSES)
    assert isinstance(execution.stopped, Deadlock)
    assert [each.worker for each in execution.stopped.waits] == [0, 1]
    assert {each.site.function for each in execution.stopped.waits} == {"cross"}
    # The one that waits for it goes on, and then so does the other.
    mine.release()
    for each in set(threading.enumerate()) - before:
        each.join()


def test_one_that_waits_for_real_keeps_nobody(native):
    """Who has the lock is held within it; the other waits for it, and does not end before."""
    legs = (Leg(0, 3, "line"), Leg(1, 2, "wait"), Leg(0, 4, "end"), Leg(1, 4, "end"))

    def calls():
        return [lambda: cross(one, other)] * 2

    carried, _ = native(calls, legs, files=OWN)
    assert carried.stopped is None
    assert values(carried) == ["through"] * 2


def started():
    racy.reset()

    def start():
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(racy.greet, "eve").result()

    return [start, lambda: racy.greet("bob")]


def test_a_thread_that_one_of_them_starts_is_led_as_well(native):
    carried, _ = native(started, (Leg(0, 0, "wait"), Leg(2, 4, "line"), Leg(1, 9, "end")))
    assert values(carried)[:2] == ["hello bob", "hello bob"]
    assert [trail[0][0].co_name for trail in carried.trails[1:]] == ["greet", "greet"]


def test_what_a_worker_raises_is_its_end(native):
    def calls():
        return [lambda: 1 / 0]

    carried, _ = native(calls, ())
    assert isinstance(carried.workers[0].error, ZeroDivisionError)


def test_legs_are_the_same_after_their_way_through_a_message():
    windows = ((Leg(0, 3, "line"), Leg(1, 5, "end")), ())
    assert lines.from_json(lines.as_json(windows)) == windows


def test_what_is_near_stops_before_a_call_or_a_little_earlier_or_later():
    legs = (Leg(0, 3, "call"), Leg(1, 5, "end"))
    same, before, *moved = variants(legs)
    assert same == legs
    assert before == (Leg(0, 3, "line"), Leg(1, 5, "end"))
    assert {each[0].lines for each in moved} == {1, 2, 4, 5, 6, 7, 8, 9}
    assert all(each[1] == legs[1] for each in moved)
