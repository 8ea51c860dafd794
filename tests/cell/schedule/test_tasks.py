"""Tasks of one asyncio loop go on as a schedule says, and the same each time."""
# ruff: noqa: TID251 - a worker sleeps in no real time

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from contextlib import suppress

import anyio
import anyio.to_thread
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Deadlock, Escaped, Limits, StepLimit
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.tasks import Tasks
from ctxsim.cell.schedule.tracing import Selection, tracing
from ctxsim.errors import DivergedError

OWN_LINES = Selection(frozenset({__file__}))


@pytest.fixture
def tasks():
    with StandIns(), tracing(OWN_LINES) as tracer:
        made = Tasks(tracer=tracer)
        yield made
        made.close()


def chooser(number=0, name="random"):
    return strategy(name).begin(number, 1, Lengths())


def works(*functions):
    """One worker for each function, which is called for its coroutine when it begins."""
    return [iter(_work(each)) for each in functions]


def _work(function):
    yield function(), contextvars.Context()


def carried(tasks, *functions, number=0):
    """The values of the workers of one execution that came to its end."""
    execution = tasks.run(works(*functions), chooser(number))
    assert execution.stopped is None
    given = execution.workers[: len(functions)]
    assert [each.error for each in given] == [None] * len(functions)
    return [each.value for each in given]


def executions(tasks, make, most, name="auto"):
    """Executions of what `make` gives anew for each: the shared object, and its workers."""
    chosen, measured = strategy(name), Lengths()
    for number in range(most):
        if chosen.exhausted:
            return
        shared, functions = make()
        execution = tasks.run(works(*functions), chosen.begin(number, 1, measured))
        chosen.ended(execution.schedule)
        measured = measured.including(execution.schedule)
        yield execution, shared


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
    shared, functions = counting(guarded=False)
    schedule = tasks.run(works(*functions), chooser()).schedule
    with pytest.raises(DivergedError):
        tasks.run(works(*functions[:1]), Replay(schedule).begin(0, 0, Lengths()))
    assert not tasks.loop.tasks
    assert carried(tasks, *counting(guarded=True)[1]) == [None] * 3


WORDS = ("turn", "sleep", "long", "lock", "thread", "child", "pair", "patience", "cancel", "set")


def program(words, log, lock, event, name):
    """A coroutine function that does what the words say, and notes when it has."""

    async def child():
        await asyncio.sleep(0)
        log.append((name, "child"))

    def in_thread():
        time.sleep(0.5)
        log.append((name, "thread"))

    async def run():
        for word in words:
            if word == "turn":
                await asyncio.sleep(0)
            elif word in ("sleep", "long"):
                await asyncio.sleep(1 if word == "sleep" else 2)
            elif word == "lock":
                async with lock:
                    await asyncio.sleep(1)
            elif word == "thread":
                await asyncio.to_thread(in_thread)
            elif word == "child":
                async with asyncio.TaskGroup() as group:
                    group.create_task(child())
            elif word == "pair":
                await asyncio.gather(child(), child())
            elif word == "patience":
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), 1)
            elif word == "cancel":
                task = asyncio.create_task(child())
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
            elif word == "set":
                event.set()
            log.append((name, word))

    return run


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), min_size=2, max_size=3),
    st.integers(0, 1000),
    st.sampled_from(["random", "pct"]),
)
def test_the_same_choices_give_the_same_history(programs, number, name):
    def execute(tasks, chosen):
        log, lock, event = [], asyncio.Lock(), asyncio.Event()
        functions = [program(words, log, lock, event, at) for at, words in enumerate(programs)]
        execution = tasks.run(works(*functions), chosen)
        assert execution.stopped is None
        return execution, log

    with StandIns(), tracing(OWN_LINES) as tracer:
        tasks = Tasks(tracer=tracer)
        execution, log = execute(tasks, chooser(number, name))
        replay = Replay(execution.schedule)
        again, log_again = execute(tasks, replay.begin(0, 0, Lengths()))
        replay.ended(again.schedule)
        tasks.close()
    assert log_again == log
    assert again.trails == execution.trails
    assert again.kinds == execution.kinds


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


def locking(*, ordered):
    one, other = asyncio.Lock(), asyncio.Lock()

    async def take(first, second):
        async with first:
            await asyncio.sleep(0)
            async with second:
                pass

    return None, [
        lambda: take(one, other),
        (lambda: take(one, other)) if ordered else (lambda: take(other, one)),
    ]


def test_tasks_that_wait_for_each_other_are_a_deadlock_with_where_each_awaits(tasks):
    found = executions(tasks, lambda: locking(ordered=False), 50)
    stopped = next(execution.stopped for execution, _ in found if execution.stopped)
    assert isinstance(stopped, Deadlock)
    assert [(each.worker, each.what) for each in stopped.waits] == [
        (0, "Lock.acquire"),
        (1, "Lock.acquire"),
    ]
    assert {each.site.function for each in stopped.waits} == {"locking.<locals>.take"}


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
        while True:
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


def test_what_runs_in_a_thread_is_a_worker_beside_the_loop(tasks):
    def make():
        shared = {"count": 0}

        def add_in_thread():
            seen = shared["count"]
            seen += 1
            shared["count"] = seen

        async def add():
            await asyncio.to_thread(add_in_thread)

        return shared, [add, add]

    found = list(executions(tasks, make, 60))
    assert {shared["count"] for _, shared in found} == {1, 2}
    assert not any(execution.stopped for execution, _ in found)
    # The loop's own pool has ended with each execution.
    assert not any(ended.cut_off for execution, _ in found for ended in execution.workers)


def test_a_thread_may_come_between_two_lines_of_a_task_and_another_task_may_not(tasks):
    def make():
        log = []

        def note():
            log.append("thread")

        async def threaded():
            await asyncio.to_thread(note)

        async def lines():
            await asyncio.sleep(0)
            log.append("first")
            log.append("second")

        return log, [threaded, lines, lines]

    logs = {tuple(log) for _, log in executions(tasks, make, 300, "random")}
    assert any(log[at : at + 2] == ("first", "thread") for log in logs for at in range(3))
    assert not any(log[at : at + 2] == ("first", "first") for log in logs for at in range(3))


def test_a_task_is_in_the_main_thread_and_what_it_starts_is_not(tasks):
    local = threading.local()

    def seen():
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return threading.current_thread() is threading.main_thread(), hasattr(local, "value")

    async def look(value):
        local.value = value
        await asyncio.sleep(0)
        task = asyncio.current_task()
        assert asyncio.get_running_loop() is tasks.loop
        assert await asyncio.to_thread(seen) == (False, False)
        assert asyncio.current_task() is task
        return threading.current_thread() is threading.main_thread(), local.value

    found = [
        carried(tasks, lambda: look("a"), lambda: look("b"), number=number) for number in range(30)
    ]
    assert all(is_main for values in found for is_main, _ in values)
    # All tasks of a loop are one thread, so that they share what is the thread's.
    assert any(values[0][1] == "b" or values[1][1] == "a" for values in found)


def test_another_thread_hands_over_to_the_loop(tasks):
    async def wait():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        thread = threading.Thread(target=loop.call_soon_threadsafe, args=(future.set_result, "x"))
        thread.start()
        value = await future
        await asyncio.to_thread(thread.join)
        return value

    for number in range(20):
        assert carried(tasks, wait, number=number) == ["x"]


@pytest.mark.parametrize("number", range(10))
def test_the_threads_of_anyio_end_with_the_execution(tasks, number):
    async def call(value):
        with anyio.move_on_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 0.1)
                got = await anyio.to_thread.run_sync(str, value)
                group.cancel_scope.cancel()
        return got

    execution = tasks.run(works(lambda: call(1), lambda: call(2)), chooser(number))
    assert execution.stopped is None
    assert [each.value for each in execution.workers[:2]] == ["1", "2"]
    assert "thread" in execution.kinds
    assert not any(each.cut_off for each in execution.workers)


def test_a_task_that_has_not_ended_goes_on_in_the_next_execution(tasks):
    queue, got = asyncio.Queue(), []

    async def consume():
        while True:
            got.append(await queue.get())

    async def start():
        asyncio.create_task(consume())  # noqa: RUF006 - the loop keeps it

    async def put():
        await queue.put("item")
        await asyncio.sleep(0)

    left = tasks.run(works(start), chooser()).workers
    assert [each.goes_on for each in left] == [False, False, True]
    assert carried(tasks, put) == [None]
    assert got == ["item"]


def test_a_task_that_looks_again_and_again_keeps_no_execution_from_its_end(tasks):
    looks = []

    async def poll():
        while True:
            looks.append(None)
            await asyncio.sleep(0.5)

    async def start():
        asyncio.create_task(poll())  # noqa: RUF006 - the loop keeps it
        await asyncio.to_thread(str)

    async def wait():
        await asyncio.sleep(2)

    assert carried(tasks, start) == [None]
    count = len(looks)
    assert count < 50
    assert carried(tasks, wait) == [None]
    assert count + 3 <= len(looks) <= count + 5


def test_a_worker_carries_one_task_after_the_other(tasks):
    order = []

    async def carry(name):
        order.append(name)
        await asyncio.sleep(0)
        order.append(name.upper())

    def work():
        for name in "ab":
            yield carry(name), contextvars.Context()

    execution = tasks.run([iter(work()), iter(work())], chooser())
    assert execution.stopped is None
    assert len(order) == 8
    assert order.index("A") < len(order) - 1 - order[::-1].index("b")


def test_each_task_has_the_context_that_it_is_given(tasks):
    variable = contextvars.ContextVar("variable", default="unset")
    context = contextvars.Context()
    context.run(variable.set, "given")

    async def look():
        before = variable.get()
        variable.set("own")
        await asyncio.sleep(0)
        return before, variable.get(), await asyncio.to_thread(variable.get)

    given = iter([(look(), context)])
    execution = tasks.run([given, *works(look)], chooser())
    assert execution.workers[0].value == ("given", "own", "own")
    assert execution.workers[1].value == ("unset", "own", "own")
    assert variable.get() == "unset"


@pytest.mark.parametrize("call", ["connection", "process"])
def test_what_leads_out_of_the_process_ends_the_execution_with_its_place(tasks, call):
    async def leave():
        with suppress(Exception):
            if call == "connection":
                await asyncio.open_connection("127.0.0.1", 9)
            else:
                await asyncio.create_subprocess_exec("true")

    stopped = tasks.run(works(leave), chooser()).stopped
    assert isinstance(stopped, Escaped)
    assert stopped.called == ("create_connection" if call == "connection" else "subprocess_exec")
    assert stopped.site.function.endswith("leave")


def test_an_async_generator_that_is_left_is_closed(tasks):
    closed = []

    async def parts():
        try:
            for part in range(10):
                await asyncio.sleep(0)
                yield part
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async def read_one():
        async for part in parts():
            return part

    assert carried(tasks, read_one) == [0]
    assert closed == [True]


def test_those_that_are_cut_off_clean_up(tasks):
    cleaned = []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            cleaned.append(True)

    assert isinstance(tasks.run(works(wait, wait), chooser()).stopped, Deadlock)
    assert cleaned == [True, True]
    assert carried(tasks, *counting(guarded=True)[1]) == [None] * 3


def test_what_ends_the_process_is_raised(tasks):
    async def leave():
        async def child():
            raise SystemExit(3)

        await asyncio.create_task(child())

    with pytest.raises(SystemExit):
        tasks.run(works(leave), chooser())
    assert not tasks.loop.tasks
