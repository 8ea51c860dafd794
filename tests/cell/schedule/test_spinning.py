"""Who goes round in circles for ever is told from who is merely long, or merely kept waiting."""
# ruff: noqa: TID251 - a worker sleeps in no real time

from __future__ import annotations

import asyncio
import sys
import threading
import time
from itertools import cycle

import gevent
import pytest
from greenlets_of import fresh, on_hub
from tasked import works

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import KnownLoop, Limits, Livelock, Loop, StepLimit
from ctxsim.cell.schedule.likenesses import likeness
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.points import Points
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.by_points import ByPoints
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.tasks import Tasks
from ctxsim.cell.schedule.tracing import tracing

CHOOSERS = ("random", "pct", "sticky")


class State:
    """What workers have in common."""

    def __init__(self):
        self.ready = False
        self.count = 0
        self.one, self.other = threading.Lock(), threading.Lock()


class Shared:
    """What workers find anew in each test."""

    state = State()


@pytest.fixture
def lockstep():
    with StandIns(), tracing(Selection(frozenset({__file__}))) as tracer:
        yield Lockstep(tracer)


@pytest.fixture(autouse=True)
def anew():
    with StandIns():
        Shared.state = State()


def chooser(name, number=3):
    return strategy(name).begin(number, 1, Lengths())


def one_by_one(workers):
    """The one that began first goes on for as long as it can: nobody is fair."""
    return ByPoints(Points(tuple(range(workers)))).begin(0, 0, Lengths())


def looks():
    while not Shared.state.ready:
        pass


def gives_way():
    while not Shared.state.ready:
        time.sleep(0)


def counts_its_tries():
    tries = 0
    while not Shared.state.ready:
        tries += 1
        time.sleep(0)


def polls():
    while not Shared.state.ready:
        time.sleep(0.01)


def asks_a_function():
    while not is_ready():
        time.sleep(0)


def is_ready():
    return Shared.state.ready


def tries():
    while not Shared.state.other.acquire(False):
        pass


def takes_first():
    with Shared.state.other:
        gives_way()


ENDLESS = (looks, gives_way, counts_its_tries, polls, asks_a_function)


@pytest.mark.parametrize("name", CHOOSERS)
@pytest.mark.parametrize("spins", ENDLESS)
def test_threads_that_go_round_for_ever_are_told_with_their_lines(lockstep, spins, name):
    stopped = lockstep.run([spins, spins], chooser(name)).stopped
    assert isinstance(stopped, Livelock)
    assert {each.worker for each in stopped.spins} == {0, 1}
    first = spins.__code__.co_firstlineno
    for spin in stopped.spins:
        assert spin.first.function == spins.__qualname__
        assert first < spin.first.line <= spin.last.line <= first + 4


def test_who_holds_what_another_tries_for_is_told_with_it(lockstep):
    stopped = lockstep.run([takes_first, tries], one_by_one(2)).stopped
    assert isinstance(stopped, Livelock)
    assert {each.first.function for each in stopped.spins} == {"gives_way", "tries"}


@pytest.fixture
def knowing():
    """Runs workers where it is known of a function's loop that nobody leaves it."""

    def run(known, *workers):
        first = known.__code__.co_firstlineno
        loop = Loop(__file__.rpartition("/")[2], first + 1, first + 2)
        with StandIns(), tracing(Selection(frozenset({__file__}))) as tracer:
            lockstep = Lockstep(tracer, Limits(loops=(loop,)))
            return lockstep.run(workers, chooser("random"))

    return run


@pytest.mark.parametrize("spins", [looks, gives_way, asks_a_function])
def test_where_all_are_in_a_loop_that_is_known_not_much_time_is_lost(knowing, spins):
    execution = knowing(spins, spins)
    assert isinstance(execution.stopped, KnownLoop)
    assert len(execution.schedule.steps) <= 1_000


def sleeps_and_says():
    time.sleep(1)
    Shared.state.ready = True


def is_long_and_says():
    for each in range(2_000):
        each += 1
    Shared.state.ready = True


@pytest.mark.parametrize("says", [sleeps_and_says, is_long_and_says])
def test_who_goes_round_in_it_until_another_says_so_gets_out(knowing, says):
    execution = knowing(gives_way, gives_way, says)
    assert execution.stopped is None


def test_another_loop_than_the_known_one_is_told(knowing):
    assert isinstance(knowing(gives_way, looks).stopped, Livelock)


@pytest.mark.parametrize("name", CHOOSERS)
def test_the_same_choices_come_to_the_same_livelock(lockstep, name):
    first = lockstep.run([gives_way, looks], chooser(name))
    again = lockstep.run([gives_way, looks], Replay(first.schedule).begin(0, 0, Lengths()))
    assert again.schedule == first.schedule
    assert str(again.stopped) == str(first.stopped)


def test_what_is_decisive_ends_where_both_have_begun_to_go_round(lockstep):
    execution = lockstep.run([gives_way, looks], chooser("random"))
    assert len(execution.decisive.steps) < 30 < 1_000 < len(execution.schedule.steps)
    assert len(execution.points.preemptions) < 30


def two_flags(*, sleeps):
    """Workers that each say they are busy, until the other one is not."""
    busy = set()

    def call(own, other):
        while True:
            busy.add(own)
            if sleeps:
                time.sleep(0.01)
            if other not in busy:
                break
        busy.discard(own)

    return [lambda: call(0, 1), lambda: call(1, 0)]


@pytest.mark.parametrize("sleeps", [False, True])
def test_what_is_decisive_leads_to_the_same_livelock(lockstep, sleeps):
    """Who is in the loop first gets out of it, unless the other one comes in time."""
    runs = (lockstep.run(two_flags(sleeps=sleeps), chooser("random", n)) for n in range(30))
    found = [each for each in runs if isinstance(each.stopped, Livelock)]
    assert found
    for execution in found:
        by_points = ByPoints(execution.points).begin(0, 0, Lengths())
        again = lockstep.run(two_flags(sleeps=sleeps), by_points)
        assert str(again.stopped) == str(execution.stopped)


def sets_at_last():
    Shared.state.ready = True


def sets_later():
    time.sleep(5)
    Shared.state.ready = True


@pytest.mark.parametrize("sets", [sets_at_last, sets_later])
@pytest.mark.parametrize("spins", ENDLESS)
def test_who_is_only_kept_waiting_gets_its_turn_and_its_time(lockstep, spins, sets):
    """A strategy may keep back the one that ends it, and time stands still while one goes on."""
    execution = lockstep.run([spins, sets], one_by_one(2))
    assert execution.stopped is None
    assert not any(each.cut_off for each in execution.workers)


def is_long():
    number = 0
    while number < 2_000:
        number += 1


def counts_in_common():
    while Shared.state.count < 2_000:
        Shared.state.count += 1


def counts_far_away():
    counted = {"tries": [0]}
    while counted["tries"][0] < 1_500:
        add(counted["tries"])


def add(tries):
    tries[0] += 1


def is_busy_for_a_while():
    end = time.monotonic() + 5
    while time.monotonic() < end:
        pass


def gives_up_after_a_while():
    began = time.time()
    while not Shared.state.ready:
        time.sleep(0.01)
        if time.time() - began > 5:
            return


@pytest.mark.parametrize("name", CHOOSERS)
@pytest.mark.parametrize(
    "is_no_spin",
    [is_long, counts_in_common, counts_far_away, is_busy_for_a_while, gives_up_after_a_while],
)
def test_what_is_long_and_has_an_end_comes_to_it(lockstep, is_no_spin, name):
    assert lockstep.run([is_no_spin, is_no_spin], chooser(name)).stopped is None


def goes_on_with_other_values():
    while Shared.state.count >= 0:
        Shared.state.count += 1


def gives_up_much_later():
    end = time.monotonic() + 3600
    while time.monotonic() < end:
        time.sleep(0.01)


def comes_seldom_to_another_line():
    turns = cycle([False] * 60 + [True])
    while True:
        if next(turns):
            add([0])


@pytest.mark.parametrize(
    "is_unknown", [goes_on_with_other_values, gives_up_much_later, comes_seldom_to_another_line]
)
def test_what_has_other_values_or_waits_for_late_is_no_livelock_but_too_long(lockstep, is_unknown):
    assert isinstance(lockstep.run([is_unknown], one_by_one(1)).stopped, StepLimit)


def polite(one, other):
    while True:
        with one:
            if other.acquire(False):
                other.release()
                return
        time.sleep(0)


@pytest.mark.parametrize("name", CHOOSERS)
def test_who_gives_back_what_it_has_and_tries_anew_gets_through(lockstep, name):
    def calls():
        one, other = threading.Lock(), threading.Lock()
        return [lambda: polite(one, other), lambda: polite(other, one)]

    for number in range(50):
        assert lockstep.run(calls(), chooser(name, number)).stopped is None


@pytest.fixture
def tasks():
    with StandIns():
        tasks = Tasks()
        yield tasks
        tasks.close()


async def yields():
    while not Shared.state.ready:  # noqa: ASYNC110 - no event ends it
        await asyncio.sleep(0)


async def sleeps():
    while not Shared.state.ready:  # noqa: ASYNC110 - no event ends it
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", CHOOSERS)
@pytest.mark.parametrize("spins", [yields, sleeps])
def test_tasks_that_yield_to_each_other_for_ever_are_told(tasks, spins, name):
    stopped = tasks.run(works(spins, spins), chooser(name)).stopped
    assert isinstance(stopped, Livelock)
    assert {(each.worker, each.first.function) for each in stopped.spins} == {
        (0, spins.__qualname__),
        (1, spins.__qualname__),
    }


@pytest.mark.parametrize("spins", [yields, sleeps])
def test_a_task_that_is_only_kept_waiting_gets_its_time(tasks, spins):
    async def sets():
        await asyncio.sleep(5)
        Shared.state.ready = True

    assert tasks.run(works(spins, sets), one_by_one(2)).stopped is None


def test_a_task_that_counts_as_it_yields_comes_to_its_end(tasks):
    async def counts():
        for _ in range(8_000):
            await asyncio.sleep(0)

    assert tasks.run(works(counts, counts), chooser("random")).stopped is None


@pytest.mark.parametrize("name", CHOOSERS)
@pytest.mark.parametrize("seconds", [0, 0.01])
def test_greenlets_that_give_way_for_ever_are_told(name, seconds):
    def spins(shared):
        while not shared.said:
            gevent.sleep(seconds)

    with on_hub() as lockstep:
        stopped = lockstep.run(fresh(spins, spins)(), chooser(name)).stopped
    assert isinstance(stopped, Livelock)
    assert [each.first.function.rpartition(".")[2] for each in stopped.spins] == ["spins"] * 2


def test_a_greenlet_that_is_only_kept_waiting_gets_its_time():
    def spins(shared):
        while not shared.said:
            gevent.sleep(0)

    def says(shared):
        gevent.sleep(5)
        shared.said.append("said")

    with on_hub() as lockstep:
        assert lockstep.run(fresh(spins, says)(), chooser("random")).stopped is None


def twice(frame):
    return [likeness([frame]) for _ in range(2)]


class Hostile:
    """Runs code for whatever is asked of it."""

    def __getattribute__(self, name):
        raise AssertionError(f"asked for {name}")

    def __eq__(self, other):
        raise AssertionError("compared")

    def __hash__(self):
        raise AssertionError("hashed")


def test_nothing_of_the_applications_runs_to_tell_a_likeness():
    class Sized(list):
        def __len__(self):
            raise AssertionError("sized")

        __iter__ = __len__

    held = [Hostile(), {"a": Hostile()}, Sized([1])]
    one, other = twice(sys._getframe())
    assert hash(one) == hash(other)
    assert held
