"""Runs tasks of one asyncio loop as a schedule says, with the threads that they start.

Each task is a worker, whose step is what it does from one await to the next. All else that is
called back on the loop is one worker more, whose steps keep the order in which it was handed over:
no task goes on before a callback that came first. The loop has one greenlet, in the thread that
runs the execution. Where simulated threads run beside it, a task's lines are switch points too, at
which threads can go on but no other task.

Tasks that have not ended go on in the next execution, as they do in a server; threads do not.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events
from bisect import insort
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import Context
from functools import partial
from types import FrameType
from typing import Any

import greenlet

from ctxsim.cell.schedule.awaits import awaited, awaited_tasks, frames_of, place_of
from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import Deadlock, Ended, Escape, Execution, Limits, Wait
from ctxsim.cell.schedule.holding import held_by, install
from ctxsim.cell.schedule.lockstep import CutOff, Lockstep, Run
from ctxsim.cell.schedule.looping import EscapedError, Loop, Task, end_quietly
from ctxsim.cell.schedule.outside import await_outside
from ctxsim.cell.schedule.places import Place, site_of
from ctxsim.cell.schedule.points import Points
from ctxsim.cell.schedule.selection import Tracer
from ctxsim.cell.schedule.states import Worker
from ctxsim.cell.schedule.strategies.by_points import ByPoints

# What one task carries, and the context that it is to run in.
Work = tuple[Coroutine[Any, Any, object], Context]
# Callbacks that do nothing but call themselves again, as anyio's do while it cancels, keep time
# from passing for so many turns.
_MOST_TURNS = 100
# Tasks that are cut off may clean up; what goes on for longer is dropped.
_CLEANING_STEPS = 1_000
# How long tasks may take, in the time of an execution, that are cancelled at the end of all.
_SWEEPING_S = 10.0


class TaskRun(Run):
    """One execution while it runs. Each of its calls gives tasks to run one after the other."""

    def __init__(self, loop: Loop, chooser: Chooser, tracer: Tracer, limits: Limits) -> None:
        super().__init__(chooser, tracer, limits)
        self._loop = loop
        self._workers: dict[Task, Worker] = {}
        self._tasks: dict[int, Task] = {}
        # The given workers that have not begun, with their places in the order of the loop.
        self._unbegun: dict[int, int] = {}
        # Those that were there before.
        self._older: set[int] = set()
        # Since which step each has waited.
        self._since: dict[int, int] = {}
        # Who is on the loop, and has perhaps been made to wait for a thread there.
        self._holder: Worker | None = None
        self._offered: list[int] = []
        self._threads = 0
        # Callbacks from this number on were handed over by those that were called last.
        self._called_again: int | None = None
        self._turns = 0
        self._given = 0
        # Whether threads were there that end with the loop's root, or with its pool.
        self._serves = False

    # How an execution begins.

    def _begin(self, calls: list[Iterator[Work]]) -> None:
        loop, roster = self._loop, self.roster
        roster.give(calls)
        self._given = len(calls)
        roster.now_s = max(roster.now_s, loop.now_s)
        roster.alarm = self
        self._greenlet = greenlet.greenlet(self._live, self._hub)
        for worker in roster.workers:
            worker.kind, worker.greenlet = "task", self._greenlet
            self._unbegun[worker.number] = loop.number()
            self._offered.append(worker.number)
        self._callbacks = self._add(None)
        self._callbacks.kind = "callbacks"
        self._older.add(self._callbacks.number)
        for task in loop.tasks:
            self._older.add(self._add(task).number)
        # As a worker, so that the clock that it reads is that of the execution.
        self.current = self._callbacks
        loop.begin(roster.now_s)
        self.current = None
        loop.begin_root()
        loop.on_change, loop.on_escape = self._changed, self._escaped
        loop.take_posted()
        self._offer()

    def _add(self, task: Task | None) -> Worker:
        worker = self.roster.add(None, daemon=True)
        # Not yet: `_offer` says who can go on.
        self.roster.ready.remove(worker.number)
        worker.kind, worker.greenlet = "task", self._greenlet
        self._since[worker.number] = self._step
        if task is not None:
            self._bind(worker, task)
        # Whoever took the last step has made it.
        worker.starter = self.current
        return worker

    def _bind(self, worker: Worker, task: Task) -> None:
        self._workers[task] = worker
        self._tasks[worker.number] = task

    def spawn(self, call: Any, *, daemon: bool) -> Worker:
        worker = super().spawn(call, daemon=daemon)
        self._threads += 1
        self._serves = True
        worker.at_end.append(self._thread_ended)
        return worker

    def _thread_ended(self) -> None:
        self._threads -= 1

    # What the loop tells.

    def _changed(self) -> None:
        """Something was handed over: a task's step, or a callback."""
        self._called_again = None
        self._offer()

    def _escaped(self, error: EscapedError) -> None:
        self.stop(self._escape(f"loop.{error.called}", (site_of((error.place,)),), error.module))

    def _offer(self) -> None:
        """Say who of the loop can go on: nobody else while one is on it."""
        if self._holder is not None or self.is_ending:
            return
        ready = self.roster.ready
        for number in self._offered:
            if number in ready:
                ready.remove(number)
        for task in [each for each in self._loop.steps if each not in self._workers]:
            self._add(task)
        self._offered = list(self._able())
        for number in self._offered:
            insort(ready, number)

    def _able(self) -> Iterator[int]:
        first = self._loop.first_callback()
        limit = float("inf") if first is None else first
        for number, place in self._unbegun.items():
            if place < limit:
                yield number
        for task, (place, _) in self._loop.steps.items():
            if place < limit:
                yield self._workers[task].number
        # Others come before callbacks that only call themselves again.
        if first is not None and (self._called_again is None or first < self._called_again):
            yield self._callbacks.number

    # The loop's own greenlet.

    def _live(self) -> None:
        self._tracer.enter_worker()
        before = self._loop.enter()
        try:
            while (worker := self.current) is not None:
                self._take_step(worker)
                self._is_free = self.lets_pass
                chosen = self._choose()
                if chosen is None:
                    break
                self._go_on_with(chosen)
        except CutOff:
            self.is_ending = True
        except BaseException as error:  # noqa: BLE001 - raised again by `execute`
            self._failure, self.is_ending = error, True
        finally:
            self._loop.leave(before)
            self._holder = self.current = None

    def _go_on_with(self, chosen: int) -> None:
        other = self.roster.workers[chosen]
        if other.kind == "thread":
            self._switch(self._callbacks, chosen)
        else:
            self.current = other

    def _take_step(self, worker: Worker) -> None:
        self._hold(worker)
        self._loop.now_s = self.roster.now_s
        if worker is self._callbacks:
            called_again = self._loop.number()
            worker.trail.append(self._loop.call_back())
        else:
            called_again = None
            self._turns = 0
            if worker.number in self._unbegun:
                del self._unbegun[worker.number]
                self._begin_next(worker)
            self._step_of(worker)
        self._loop.hear(self._draw)
        self._holder = None
        self.ring()
        self._called_again = called_again
        self._offer()

    def _hold(self, worker: Worker) -> None:
        self._holder = worker
        ready = self.roster.ready
        for number in self._offered:
            if number != worker.number and number in ready:
                ready.remove(number)
        self._offered = [worker.number]

    def _begin_next(self, worker: Worker) -> bool:
        """Make the next task of a given worker; whether there is one."""
        work = next(worker.call, None)
        if work is None:
            return False
        coroutine, context = work
        self._bind(worker, self._loop.create_task(coroutine, context=context))
        return True

    def _step_of(self, worker: Worker) -> None:
        task = self._tasks.get(worker.number)
        if task is None:
            # It was given nothing to do.
            self.roster.end(worker, Ended())
            return
        # An eager task may have begun, or ended, when it was made.
        if task in self._loop.steps:
            self._loop.step(task)
        worker.greenlet = self._greenlet
        if not task.done():
            self._since[worker.number] = self._step
            worker.trail.append(place_of(task))
            return
        place, ended = place_of(task), self._ended(worker, task)
        del self._workers[task], self._tasks[worker.number]
        # It may be gone before the next one is made, and its address be that one's.
        del task
        if (
            ended.error is None
            and not ended.cut_off
            and worker.number < self._given
            and self._begin_next(worker)
        ):
            worker.trail.append(place)
        else:
            self.roster.end(worker, ended)

    def _ended(self, worker: Worker, task: Task) -> Ended:
        if self.is_ending:
            end_quietly(task)
            return Ended(cut_off=True)
        if worker.number >= self._given:
            # Whether anybody asks how it ended is the application's own matter.
            return Ended()
        if task.cancelled():
            # By the application, which may do so: nobody else cancels it from outside.
            return Ended()
        error = task.exception()
        return Ended(error=error) if error is not None else Ended(task.result())

    # Who goes on.

    def reach(self, place: Place) -> None:
        """A line of a task's is no switch point while there is no thread beside the loop."""
        if self._threads or self.is_ending:
            super().reach(place)

    def _switch(self, worker: Worker, chosen: int | None) -> None:
        self._turns = 0
        # Which loop runs is known by the native thread, and others must not take it for theirs.
        loop, hooks = events._get_running_loop(), sys.get_asyncgen_hooks()
        events._set_running_loop(None)
        sys.set_asyncgen_hooks(None, None)
        try:
            super()._switch(worker, chosen)
        finally:
            events._set_running_loop(loop)
            sys.set_asyncgen_hooks(*hooks)

    def frames(self, worker: Worker) -> Iterable[FrameType]:
        if worker.kind == "thread" or worker is self._holder:
            return super().frames(worker)
        task = self._tasks.get(worker.number)
        return () if task is None else frames_of(task)

    def _whose_turn(self, ready: Sequence[int]) -> int:
        """By the loop's own order, where no thread is there: a loop knows no other one."""
        if self._threads or self._holder is not None:
            return super()._whose_turn(ready)
        places = dict(self._unbegun)
        for task, (place, _) in self._loop.steps.items():
            places[self._workers[task].number] = place
        first = self._loop.first_callback()
        places[self._callbacks.number] = -1 if first is None else first
        return min(ready, key=places.__getitem__)

    def _go_on(self) -> bool:
        """Nobody is ready: callbacks that were put off, then time, then what is outside."""
        if self._holder is not None:
            return super()._go_on()
        if self._turns < _MOST_TURNS and self._call_again():
            self._turns += 1
            return True
        self._turns = 0
        if self._loop.take_heard(self._draw) and self.roster.ready:
            return True
        return super()._go_on() or self._take_posted() or self._call_again() or self._wind_up()

    def _call_again(self) -> bool:
        self._called_again = None
        self._offer()
        return bool(self.roster.ready)

    def _take_posted(self) -> bool:
        """What real threads have handed over to the loop, or are about to."""
        if self._unended():
            await_outside(self._loop.has_posted)
        return self._loop.take_posted() and bool(self.roster.ready)

    def deadline_s(self) -> float | None:
        """When the next timer is due, if anybody is left whom this execution waits for."""
        if self._holder is not None or all(
            each.ended is not None or each.number in self._older for each in self.roster.workers
        ):
            return None
        return self._loop.deadline_s()

    def ring(self) -> None:
        if self._holder is None:
            self._loop.ring(self.roster.now_s, self._draw)

    def _draw(self, alternatives: int) -> int:
        return self._recorder.draw("deadline", alternatives)

    def _wind_up(self) -> bool:
        """All requests have ended and nobody goes on: threads that serve the loop end with it."""
        if self._unended() or not self._serves:
            return False
        self._loop.call_soon(self._let_go)
        return bool(self.roster.ready)

    def _let_go(self) -> None:
        self._serves = False
        self._loop.end_root()
        self._loop.drop_executor()

    # How it ends.

    def _unended(self) -> list[Worker]:
        """The given workers that have not ended."""
        return [each for each in self.roster.workers[: self._given] if each.ended is None]

    def _find_deadlock(self) -> None:
        if self.is_ending:
            return
        waits = {each.worker: each for each in self.roster.waits()}
        unseen = [each for each in self._unended() if each.waiting is None]
        while unseen:
            worker = unseen.pop()
            task = self._tasks.get(worker.number)
            # One that could go on waits for whoever blocks the loop.
            if worker.number not in waits and task is not None and task not in self._loop.steps:
                others = [
                    self._workers[each] for each in awaited_tasks(task) if each in self._workers
                ]
                waits[worker.number] = wait = self._wait_of(worker, task, others)
                unseen += others if wait.holder is None else [self.worker(wait.holder), *others]
        if not waits:
            return
        peer = self._loop.may_be_told_by()
        if peer and all(each.holder is None for each in waits.values()):
            # Perhaps they wait for what comes from there.
            first = waits[min(waits)]
            behind = self.worker(first.worker).behind.number
            stack = (first.site,)
            self.stopped = Escape(first.worker, f"what {peer} says", stack, behind=behind)
        else:
            self.stopped = Deadlock(tuple(waits[number] for number in sorted(waits)))

    def _wait_of(self, worker: Worker, task: Task, others: list[Worker]) -> Wait:
        site = site_of(worker.trail or (place_of(task),))
        holder, place = held_by(task) or (None, None)
        if holder is not None and holder is not task and holder in self._workers:
            others = [self._workers[holder]]
        number = others[0].number if others else None
        held_at = None if place is None else site_of((place,))
        return Wait(worker.number, awaited(task), site, self._since[worker.number], number, held_at)

    def _cut_off_all(self) -> None:
        self._leave_loop()
        is_cut_off = self.stopped is not None or self._failure is not None
        left = []
        for task, worker in self._workers.items():
            if is_cut_off and worker.number not in self._older:
                left.append(task)
            else:
                self.roster.end(worker, Ended(goes_on=True))
        self.roster.end(self._callbacks, Ended())
        super()._cut_off_all()
        self._clean_up(left)
        if self._serves:
            self._let_go()
        self._loop.now_s = self.look_at_clock_s()
        self._loop.on_change = self._loop.on_escape = _nobody

    def _leave_loop(self) -> None:
        """Have the loop's greenlet end, wherever it is."""
        self.is_ending = True
        if self._greenlet:
            self.current = self._holder or self._callbacks
            with suppress(CutOff):
                self.current.greenlet.throw(CutOff)

    def _clean_up(self, tasks: list[Task]) -> None:
        """Cancel tasks that were cut off, and have them go on until they have ended."""
        if not tasks:
            return
        self.current = self._callbacks
        before = self._loop.enter()
        try:
            for task in tasks:
                task.cancel()
            self._loop.run_on(tasks, _CLEANING_STEPS)
        finally:
            self._loop.leave(before)
            self.current = None
        for task in tasks:
            end_quietly(task)
            if not task.done():
                self._loop.drop(task)


def _nobody(*_what: object) -> None:
    """No execution runs."""


class Tasks:
    """Runs coroutines as tasks of one loop, one execution after the other.

    Each worker of an execution is given by an iterator of coroutines, with the contexts that they
    are to run in; it is asked for the next one when the one before has ended.
    """

    def __init__(
        self, loop: Loop | None = None, tracer: Tracer | None = None, limits: Limits | None = None
    ) -> None:
        install()
        self.loop = loop or Loop()
        self._lockstep = Lockstep(tracer, limits, make=partial(TaskRun, self.loop))

    def run(self, calls: Iterable[Iterator[Work]], chooser: Chooser, seed: int = 0) -> Execution:
        """Run the workers 0, 1, ... in the order that `chooser` says; raises DivergedError."""
        return self._lockstep.run(calls, chooser, seed)

    def close(self) -> None:
        """Cancel the tasks that are left, and close the loop."""
        sweeping = iter([(_swept(self.loop), Context())])
        self.run([sweeping], ByPoints(Points(())).begin(0, 0, Lengths()))
        for task in list(self.loop.tasks):
            self.loop.drop(task)
        if self.loop.root is not None:
            self.loop.drop(self.loop.root)
        self.loop.close()


async def _swept(loop: Loop) -> None:
    left = [task for task in loop.tasks if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=_SWEEPING_S)
    await loop.shutdown_asyncgens()
