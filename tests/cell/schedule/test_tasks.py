"""Tasks of one asyncio loop go on as a schedule says, and the same each time."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial

import anyio
import pytest
from tasked import carried, chooser, executions, works

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Deadlock, Limits, StepLimit
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.tasks import Tasks
from ctxsim.cell.schedule.tracing import tracing
from ctxsim.errors import DivergedError

OWN_LINES = Selection(frozenset({__file__}))


@pytest.fixture
def tasks():
    with StandIns(), tracing(OWN_LINES) as tracer:
        made = Tasks(tracer=tracer)
        yield made
        made.close()


def counting(*, guarded):
    counted, lock = {"count": 0}, asyncio.Lock()

    async def add():
        if guarded:
            async with lock:
                await unguarded()
        else:
            await unguarded()

    async def unguarded():
        seen = counted["count"]
        await asyncio.sleep(0)
        counted["count"] = seen + 1

    return counted, [add, add, add]


@pytest.mark.parametrize("name", ["auto", "random", "pct"])
def test_an_update_that_is_lost_across_an_await_is_found_and_replayed(tasks, name):
    found = executions(tasks, lambda: counting(guarded=False), 50, name)
    execution = next(each for each, shared in found if shared["count"] < 3)
    for _ in range(100):
        replay = Replay(execution.schedule)
        shared, functions = counting(guarded=False)
        again = tasks.run(works(*functions), replay.begin(0, 0, Lengths()))
        replay.ended(again.schedule)
        assert shared["count"] < 3
        assert again.trails == execution.trails


def test_an_update_that_a_lock_guards_is_never_lost(tasks):
    found = list(executions(tasks, lambda: counting(guarded=True), 200))
    assert len({execution.schedule for execution, _ in found}) > 10
    assert {shared["count"] for _, shared in found} == {3}


def test_a_schedule_of_other_tasks_is_refused_and_leaves_nothing(tasks):
    _, functions = counting(guarded=False)
    schedule = tasks.run(works(*functions), chooser()).schedule
    with pytest.raises(DivergedError):
        tasks.run(works(*functions[:1]), Replay(schedule).begin(0, 0, Lengths()))
    assert not tasks.loop.tasks
    assert carried(tasks, *counting(guarded=True)[1]) == [None] * 3


def test_time_passes_only_when_nobody_can_go_on(tasks):
    async def busy():
        async with asyncio.timeout(0.001):
            for _ in range(500):
                await asyncio.sleep(0)
        return "in time"

    for number in range(20):
        assert carried(tasks, busy, busy, number=number) == ["in time"] * 2


def test_patience_ends_at_its_time_and_not_later(tasks):
    async def wait(seconds):
        began = asyncio.get_running_loop().time()
        try:
            await asyncio.wait_for(asyncio.sleep(seconds), 5)
        except TimeoutError:
            return "late", asyncio.get_running_loop().time() - began
        return "ready", asyncio.get_running_loop().time() - began

    ready, late = carried(tasks, lambda: wait(4), lambda: wait(3600))
    assert (ready[0], late[0]) == ("ready", "late")
    assert (ready[1], late[1]) == pytest.approx((4, 5), abs=1e-4)


def test_clocks_of_the_loop_and_of_time_agree(tasks):
    async def look():
        await asyncio.sleep(100)
        return time.monotonic() - asyncio.get_running_loop().time()

    assert carried(tasks, look)[0] == pytest.approx(0, abs=1e-3)


def test_who_is_first_of_two_that_wake_together_is_a_choice(tasks):
    def make():
        order = []

        async def nap(name):
            await asyncio.sleep(1)
            order.append(name)

        return order, [lambda: nap("a"), lambda: nap("b")]

    assert {tuple(order) for _, order in executions(tasks, make, 30)} == {("a", "b"), ("b", "a")}


def test_which_of_two_timers_rings_first_is_a_choice(tasks):
    def make():
        order = []

        async def ring():
            loop = asyncio.get_running_loop()
            when = loop.time() + 1
            for name in "ab":
                loop.call_at(when, order.append, name)
            await asyncio.sleep(2)

        return order, [ring]

    assert {tuple(order) for _, order in executions(tasks, make, 30)} == {("a", "b"), ("b", "a")}


def test_no_task_goes_on_before_a_callback_that_came_first(tasks):
    def make():
        seen = []

        async def waiting(future, begun):
            begun.set()
            seen.append(await future)

        async def tell():
            future = asyncio.get_running_loop().create_future()
            future.add_done_callback(lambda _: seen.append("callback"))
            begun = asyncio.Event()
            task = asyncio.create_task(waiting(future, begun))
            await begun.wait()
            future.set_result("task")
            await task

        return seen, [tell, tell]

    for execution, seen in executions(tasks, make, 50):
        assert execution.stopped is None
        assert sorted(seen) == ["callback", "callback", "task", "task"]
        assert seen[0] == "callback"


def test_tasks_that_a_request_starts_are_workers_in_the_order_of_their_births(tasks):
    async def child(name):
        await asyncio.sleep(0)
        return name

    async def parent():
        async with asyncio.TaskGroup() as group:
            group.create_task(child("x"))
        return await asyncio.gather(child("y"), asyncio.wait_for(child("z"), 1))

    execution = tasks.run(works(parent), chooser())
    assert execution.workers[0].value == ["y", "z"]
    assert execution.kinds[:2] == ("task", "callbacks")
    assert execution.kinds.count("task") >= 4
    own = [[site[0].co_name for site in trail] for trail in execution.trails]
    assert ["child"] in own


def test_a_task_is_cancelled_where_it_awaits(tasks):
    async def cancelled():
        seen = []

        async def sleeper():
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise
            finally:
                await asyncio.sleep(1)
                seen.append("cleaned up")

        task = asyncio.create_task(sleeper())
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait([task])
        return seen, task.cancelled()

    for number in range(20):
        assert carried(tasks, cancelled, number=number) == [(["cancelled", "cleaned up"], True)]


def test_a_request_that_the_application_cancels_itself_has_ended(tasks):
    async def cancel():
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    assert carried(tasks, cancel, lambda: asyncio.sleep(1, "slept")) == [None, "slept"]


def locking(*, ordered, lock=asyncio.Lock):
    one, other = lock(), lock()

    async def take(first, second):
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    return None, [
        lambda: take(one, other),
        (lambda: take(one, other)) if ordered else (lambda: take(other, one)),
    ]


@pytest.mark.parametrize(
    ("lock", "what"),
    [
        (asyncio.Lock, "Lock.acquire"),
        (partial(asyncio.BoundedSemaphore, 1), "Semaphore.acquire"),
        (asyncio.Condition, "Lock.acquire"),
        (anyio.Lock, "await of a future"),
        (partial(anyio.Semaphore, 1), "await of a future"),
    ],
)
def test_tasks_that_wait_for_each_other_are_a_deadlock_with_who_has_what(tasks, lock, what):
    found = executions(tasks, lambda: locking(ordered=False, lock=lock), 50)
    stopped = next(execution.stopped for execution, _ in found if execution.stopped)
    assert isinstance(stopped, Deadlock)
    assert [(each.worker, each.what, each.holder) for each in stopped.waits] == [
        (0, what, 1),
        (1, what, 0),
    ]
    for each in stopped.waits:
        assert each.site.function == each.held_at.function == "locking.<locals>.take"
        assert each.site.line - each.held_at.line == 2


def test_of_a_semaphore_that_several_have_nobody_is_told_to_be_waited_for(tasks):
    both = asyncio.Semaphore(2)

    async def take_twice():
        async with both:
            await asyncio.sleep(0)
            async with both:
                pass

    found = [tasks.run(works(take_twice, take_twice), chooser(each)).stopped for each in range(20)]
    stopped = next(filter(None, found))
    assert [each.holder for each in stopped.waits] == [None, None]


def test_a_lock_that_was_not_given_back_is_told_with_where_it_was_taken(tasks):
    lock = asyncio.Lock()

    async def forget():
        await lock.acquire()

    [wait] = tasks.run(works(forget, forget), chooser()).stopped.waits
    assert (wait.what, wait.holder) == ("Lock.acquire", None)
    assert wait.held_at.function.endswith("forget")


def test_locks_in_one_order_are_no_deadlock(tasks):
    found = executions(tasks, lambda: locking(ordered=True), 100)
    assert not any(execution.stopped for execution, _ in found)


def test_a_deadlock_names_the_task_that_the_request_awaits(tasks):
    async def parent():
        await asyncio.gather(asyncio.Event().wait())

    stopped = tasks.run(works(parent), chooser()).stopped
    assert isinstance(stopped, Deadlock)
    assert [each.holder for each in stopped.waits] == [2, None]


def test_a_thread_s_lock_that_is_held_across_an_await_stops_the_loop(tasks):
    lock = threading.Lock()

    async def hold():
        with lock:
            await asyncio.sleep(0)

    found = [tasks.run(works(hold, hold), chooser(number)).stopped for number in range(20)]
    stopped = next(filter(None, found))
    assert isinstance(stopped, Deadlock)
    assert [each.what for each in stopped.waits if each.what == "Lock.acquire"] == ["Lock.acquire"]


def test_a_task_that_never_ends_comes_to_the_limit_of_steps():
    async def spin():
        while True:  # noqa: ASYNC110 - no event ends it
            await asyncio.sleep(0)

    with StandIns():
        tasks = Tasks(limits=Limits(steps=200))
        stopped = tasks.run(works(spin), chooser()).stopped
        assert isinstance(stopped, StepLimit)
        assert stopped.last[0].function.endswith("spin")
        assert not tasks.loop.tasks
        tasks.close()


def test_callbacks_that_only_call_themselves_again_do_not_hold_time_back(tasks):
    async def wait():
        loop, turns = asyncio.get_running_loop(), []

        def again():
            turns.append(None)
            if not ended.is_set():
                loop.call_soon(again)

        ended = asyncio.Event()
        again()
        await asyncio.sleep(1)
        ended.set()
        return len(turns) < 1_000

    assert carried(tasks, wait) == [True]
