"""Beside the loop: threads that tasks start, what outlives an execution, what leads out of it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import suppress

import anyio
import anyio.to_thread
import pytest
from tasked import carried, chooser, executions, works

from ctxsim.cell.schedule.execution import Deadlock, Escape
from ctxsim.cell.schedule.real import start_new_thread
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.tasks import Tasks
from ctxsim.cell.schedule.tracing import tracing

OWN_LINES = Selection(frozenset({__file__}))


@pytest.fixture
def tasks():
    with StandIns(), tracing(OWN_LINES) as tracer:
        made = Tasks(tracer=tracer)
        yield made
        made.close()


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


def test_who_waits_for_a_real_thread_is_in_no_deadlock(tasks):
    """As one of a library in C, which no stand-in has a hold of."""

    async def wait():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        start_new_thread(loop.call_soon_threadsafe, (future.set_result, "real"))
        return await future

    for number in range(10):
        assert carried(tasks, wait, wait, number=number) == ["real", "real"]


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
    assert isinstance(stopped, Escape)
    called = "create_connection" if call == "connection" else "subprocess_exec"
    assert stopped.awaited == f"loop.{called}"
    assert stopped.stack[0].function.endswith("leave")


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
    assert not tasks.loop.tasks
    assert carried(tasks, lambda: asyncio.sleep(1, "slept")) == ["slept"]


def test_what_ends_the_process_is_raised(tasks):
    async def leave():
        async def child():
            raise SystemExit(3)

        await asyncio.create_task(child())

    with pytest.raises(SystemExit):
        tasks.run(works(leave), chooser())
    assert not tasks.loop.tasks
