"""Whatever tasks do: the same choices give the same history."""
# ruff: noqa: TID251 - a worker sleeps in no real time

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st
from tasked import chooser, works

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies.replay import Replay
from ctxsim.cell.schedule.tasks import Tasks
from ctxsim.cell.schedule.tracing import tracing

OWN_LINES = Selection(frozenset({__file__}))


class Program:
    """Does what its words say, each a method, and notes in the log of all when it has."""

    def __init__(self, name, words, log, lock, event):
        self.name = name
        self.words = words
        self.log = log
        self.lock = lock
        self.event = event

    async def run(self):
        for word in self.words:
            await getattr(self, word)()
            self.log.append((self.name, word))

    async def child(self):
        await asyncio.sleep(0)
        self.log.append((self.name, "child"))

    def in_thread(self):
        time.sleep(0.5)
        self.log.append((self.name, "thread"))

    async def turn(self):
        await asyncio.sleep(0)

    async def nap(self):
        await asyncio.sleep(1)

    async def long_nap(self):
        await asyncio.sleep(2)

    async def locked(self):
        async with self.lock:
            await asyncio.sleep(1)

    async def threaded(self):
        await asyncio.to_thread(self.in_thread)

    async def group(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(self.child())

    async def pair(self):
        await asyncio.gather(self.child(), self.child())

    async def patience(self):
        with suppress(TimeoutError):
            await asyncio.wait_for(self.event.wait(), 1)

    async def cancel(self):
        task = asyncio.create_task(self.child())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    async def tell(self):
        self.event.set()


WORDS = (
    *("turn", "nap", "long_nap", "locked", "threaded", "group", "pair", "patience", "cancel"),
    "tell",
)


def execute(tasks, programs, chosen):
    log, lock, event = [], asyncio.Lock(), asyncio.Event()
    made = [Program(name, words, log, lock, event) for name, words in enumerate(programs)]
    execution = tasks.run(works(*(each.run for each in made)), chosen)
    assert execution.stopped is None
    assert not any(each.error for each in execution.workers)
    return execution, log


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4), min_size=2, max_size=3),
    st.integers(0, 1000),
    st.sampled_from(["random", "pct"]),
)
def test_the_same_choices_give_the_same_history(programs, number, name):
    with StandIns(), tracing(OWN_LINES) as tracer:
        tasks = Tasks(tracer=tracer)
        execution, log = execute(tasks, programs, chooser(number, name))
        replay = Replay(execution.schedule)
        again, log_again = execute(tasks, programs, replay.begin(0, 0, Lengths()))
        replay.ended(again.schedule)
        tasks.close()
    assert log_again == log
    assert again.trails == execution.trails
    assert again.kinds == execution.kinds
