"""One execution whose workers are gevent's greenlets.

The hub takes what waits in its loop as the chooser says: whose turn it is depends on which greenlet
goes on by it. Calls that let none go on are made at once, since nobody has to choose them. Where
one call lets several go on, one after the other as all who wait for an event do, each takes a step,
but who is first is no choice: gevent tells them in the order in which they came, and an application
may count on that. In which order they came is chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import islice
from types import FrameType
from typing import Any

import gevent
import greenlet

from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import (
    Deadlock,
    Ended,
    Escape,
    Execution,
    Limits,
    StepLimit,
    Wait,
)
from ctxsim.cell.schedule.greenlets import stood
from ctxsim.cell.schedule.greenlets.loop import Callback, Loop, Timer, nobody
from ctxsim.cell.schedule.greenlets.resumed import resumed
from ctxsim.cell.schedule.lockstep import CutOff, Run
from ctxsim.cell.schedule.places import Place, frames_from
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.schedule.selection import Tracer
from ctxsim.cell.schedule.states import Waitable, Worker

# How many steps are taken by what requests have left behind, when all of them have ended: what goes
# on for ever is not waited for.
_LINGERING_STEPS = 1_000
_MOST_THROWS = 100
# Who asks again and again whether something is there yet, and lets others go on in between, takes
# no virtual time by it, and may be chosen each time. After so many steps each takes as long, and
# all have their turn as gevent gives it: otherwise what is waited for would never come.
_STEPS_IN_NO_TIME = 1_000
_STEP_S = 0.001
_NOBODY = -1
_OF_IMPORT = "a socket, or a timer, that was made when the application was imported"

Spawn = Callable[[Callable[[], None]], Any]


class HubRun(Run):
    """What the stand-ins and the watchdog know as a run; the hub carries it on."""

    # It asks by itself, when nothing is to be called.
    lets_pass = False

    def __init__(
        self,
        chooser: Chooser,
        tracer: Tracer,
        limits: Limits,
        loop: Loop,
        spawn: Spawn,
        left: list[Any],
    ) -> None:
        super().__init__(chooser, tracer, limits)
        self._gevent_hub: Any = gevent.get_hub()
        self._loop = loop
        self._spawn = spawn
        # Greenlets of earlier executions, which have not ended; then those that this one leaves.
        self._left = left
        # By their numbers: the greenlets with which the workers began.
        self._bases: list[Any] = []
        # An application may switch to greenlets of its own making, within a worker.
        self._worker_of: dict[Any, Worker] = {}
        self._since: dict[int, int] = {}
        # Who was chosen for the call that is made now, and has not gone on yet.
        self._expected = _NOBODY
        # What was made before waits with the hub's own loop, and shows there.
        self._real_before: int = loop.real.activecnt
        self._idle_calls = self._lingering = 0
        self._is_done = False
        self._steps_in_no_time = 0

    def execute(self, calls: list[Callable[[], object]]) -> Execution:
        """Run the workers to their ends; raises what the chooser raises, when all were cut off."""
        self._loop.roster = self.roster
        self._loop.escape = self.escape
        self._loop.running = self._running
        self.roster.give(calls)
        for worker in self.roster.workers:
            self._take_up(worker, self._spawn(partial(self._carry, worker)))
        for each in self._bases:
            each.start()
        for each in self._left:
            self._welcome(each)
        self._tracer.begin(self.reach)
        before = greenlet.settrace(self._on_switch)
        try:
            self._live()
        finally:
            greenlet.settrace(before)
            self._tracer.end()
            self._loop.escape, self._loop.running = None, nobody
            for end in self.at_end:
                end()
        if self._failure is not None:
            raise self._failure
        return self._execution()

    def reach(self, place: Place) -> None:
        """A line is no switch point: greenlets are made to wait where gevent switches alone."""

    def wait(self, on: Waitable | None, called: str, deadline_s: float | None) -> None:
        """A call that is not patched blocks: time goes by, and nobody goes on meanwhile."""
        if deadline_s is not None:
            self._pass_to(deadline_s)

    def _stack(self, frame: FrameType) -> tuple[Site, ...]:
        return stood.stack_of(frame)

    def _live(self) -> None:
        self._loop.work, self._loop.main = self._go_on_in_hub, self._hub
        while not (self._is_done or self._gevent_hub.dead):
            try:
                self._gevent_hub.switch()
            except BaseException as error:  # noqa: BLE001 - raised again by `execute`
                # The hub throws it here, to end the process: with SystemExit, for instance.
                self._failure = self._failure or error
                self.is_ending = True

    def _go_on_in_hub(self) -> None:
        while (call := self._next()) is not None:
            self._make(call)
            if self._expected != _NOBODY:
                self._stand_still(self.roster.workers[self._expected])
        if self.stopped is not None or self._failure is not None:
            self._cut_off_all()
        bases = zip(self.roster.workers, self._bases, strict=True)
        self._left[:] = [base for worker, base in bases if worker.ended is None]
        self._is_done = True

    def _next(self) -> Callback | Timer | None:
        ready = self._ready()
        is_long = self._steps_in_no_time > _STEPS_IN_NO_TIME
        if is_long:
            self.roster.now_s = self.roster.deadline_s(_STEP_S)
        if is_long or self._rounds is not None:
            ready = dict(islice(ready.items(), 1))
        self._steps_in_no_time += 1
        self.roster.ready[:] = sorted(ready)
        chosen = self._choose()
        if chosen is None:
            return None
        self._expected = chosen
        self._loop.waiting.remove(ready[chosen])
        return ready[chosen]

    def _ready(self) -> dict[int, Callback | Timer]:
        """By worker, the first call that lets it go on; calls that let nobody go on are made."""
        while not self.is_ending:
            self._loop.let_due()
            found: dict[int, Callback | Timer] = {}
            for each in list(self._loop.waiting):
                worker = self._who_goes_on(each)
                if worker is None:
                    self._make_idle(each)
                    break
                found.setdefault(worker.number, each)
            else:
                if self._is_over():
                    return {}
                if found and not self._comes_later(found):
                    return found
                if not self._pass_time():
                    return {}
        return {}

    def _comes_later(self, found: Iterable[int]) -> bool:
        """Whether time passes first, where all who are ready are requests that did not come yet.

        A request may come at any time, after others have slept too; which is chosen.
        """
        workers = self.roster.workers
        if self._loop.earliest_s is None:
            return False
        if any(workers[each].daemon or workers[each].trail for each in found):
            return False
        try:
            return self._recorder.draw("deadline", 2) == 1
        except Exception as error:  # noqa: BLE001 - raised again by `execute`
            self._failure, self.is_ending = error, True
        return False

    def _who_goes_on(self, call: Callback | Timer) -> Worker | None:
        if call.callback is None:
            return None
        found = resumed(call.callback, call.args or ())
        if found is None or found is self._hub:
            return None
        return self._worker_of.get(found) or self._welcome(found, call.by)

    def _make_idle(self, call: Callback | Timer) -> None:
        self._idle_calls += 1
        if self._idle_calls > self._most_steps:
            self.stop(StepLimit(self._most_steps, self.roster.sites()))
        else:
            self._loop.waiting.remove(call)
            self._make(call)

    def _is_over(self) -> bool:
        if self.roster.only_daemons():
            self._lingering += 1
        return self._lingering > _LINGERING_STEPS

    def _pass_time(self) -> bool:
        earliest_s = self._loop.earliest_s
        if earliest_s is None or self.roster.is_too_late(earliest_s):
            return False
        self._pass_to(earliest_s)
        return True

    def _pass_to(self, time_s: float) -> None:
        if time_s > self.roster.now_s:
            self.roster.now_s = time_s
            self._steps_in_no_time = 0
        self._loop.let_due()

    def _make(self, call: Callback | Timer) -> None:
        try:
            call.call()
        except BaseException as error:  # noqa: BLE001 - the hub says what is to be done with it
            self._loop.handle_error(call, type(error), error, error.__traceback__)

    def frames(self, worker: Worker) -> Iterable[FrameType]:
        return frames_from(worker.greenlet.gr_frame)

    def pass_on(self) -> bool:
        return self._pass_time()

    def _is_something_due(self) -> bool:
        return self._loop.earliest_s is not None

    def pass_s(self, seconds: float) -> None:
        self._pass_to(self.roster.deadline_s(seconds))

    def _go_on(self) -> bool:
        # The time has passed already, where it could.
        return False

    def _on_switch(self, event: str, greenlets: tuple[Any, Any]) -> None:
        origin, target = greenlets
        if target is self._gevent_hub:
            self._stop(origin)
        elif origin is self._gevent_hub:
            if target is not self._hub:
                self._resume(target)
        elif self.current is not None and target not in self._worker_of:
            self._worker_of[target] = self.current

    def _resume(self, target: Any) -> None:
        worker = self._worker_of.get(target) or self._welcome(target)
        self.current = worker
        if self._expected == worker.number:
            self._expected = _NOBODY
        elif not self.is_ending:
            self._take_step(worker)

    def _take_step(self, worker: Worker) -> None:
        """A step at which nobody had a choice."""
        try:
            self._last = self._pick([worker.number], self._last, self._step)
        except Exception as error:  # noqa: BLE001 - raised again by `execute`
            self._failure, self.is_ending = error, True
        self._step += 1

    def _stop(self, origin: Any) -> None:
        worker, self.current = self.current, None
        if worker is None:
            return
        base = self._bases[worker.number]
        worker.greenlet = base if origin.dead else origin
        if base.dead:
            self.roster.end(worker, Ended(cut_off=self.is_ending))
        elif not self.is_ending and worker.ended is None:
            self._since[worker.number] = self._step
            frame = worker.greenlet.gr_frame
            worker.trail.append(stood.place_of(frame) if frame else _began_at(worker))
            if self._loop.real.activecnt > self._real_before:
                behind = worker.behind.number
                stack = stood.stack_of(frame) if frame else (_unknown(worker),)
                self.stop(Escape(worker.number, _OF_IMPORT, stack, behind=behind))

    def _stand_still(self, worker: Worker) -> None:
        """It was chosen, and did not go on: it was killed before, or others took what it awaits."""
        self._expected = _NOBODY
        if self._bases[worker.number].dead:
            self.roster.end(worker, Ended())
        elif worker.trail:
            worker.trail.append(worker.trail[-1])
        else:
            worker.trail.append(_began_at(worker))

    def _take_up(self, worker: Worker, base: Any) -> None:
        worker.greenlet = base
        self._bases.append(base)
        self._worker_of[base] = worker

    def _welcome(self, base: Any, starter: Worker | None = None) -> Worker:
        """A greenlet that a request has started: a worker too, numbered by its birth."""
        worker = self.roster.add(_nothing, daemon=True)
        worker.starter = starter
        self._take_up(worker, base)
        return worker

    def _running(self) -> Worker | None:
        return self.current

    def _carry(self, worker: Worker) -> None:
        self._tracer.enter_worker()
        try:
            ended = Ended(worker.call(), cut_off=self.is_ending)
        except CutOff:
            ended = Ended(cut_off=True)
        except BaseException as error:  # noqa: BLE001 - the caller judges what a worker raised
            ended = Ended(cut_off=True) if self.is_ending else Ended(error=error)
        self._end(worker, ended)

    def _cut_off_all(self) -> None:
        self.is_ending = True
        # More may be welcomed while these clean up.
        for worker in self.roster.workers:
            base = self._bases[worker.number]
            throws = 0
            while not base.dead and throws < _MOST_THROWS:
                throws += 1
                self.cleaning += 1
                self.current = worker
                # It comes out here where the greenlet is none of gevent's.
                with suppress(CutOff):
                    (base if worker.greenlet.dead else worker.greenlet).throw(CutOff)
            self.current = None
            self.roster.end(worker, Ended(cut_off=True))
        self._loop.drop_all()

    def _find_deadlock(self) -> None:
        given = [each for each in self.roster.workers if not each.daemon and each.ended is None]
        if given and not self.is_ending:
            self.stopped = Deadlock(self._waits(given))

    def _waits(self, given: list[Worker]) -> tuple[Wait, ...]:
        """Those that were given and cannot go on, and others that have what these wait for."""
        awaited = stood.awaited()
        waits: list[Wait] = []
        asked = list(given)
        for worker in asked:
            wait, holder = self._wait_of(worker, awaited)
            waits.append(wait)
            if holder is not None and holder not in asked and holder.ended is None:
                asked.append(holder)
        return tuple(sorted(waits, key=lambda each: each.worker))

    def _wait_of(self, worker: Worker, awaited: dict[Any, object]) -> tuple[Wait, Worker | None]:
        thing = awaited.get(worker.greenlet)
        frame = worker.greenlet.gr_frame
        what = stood.called(frame, thing)
        site = stood.stack_of(frame)[0] if frame else _unknown(worker)
        since = self._since.get(worker.number, 0)
        who, place = stood.taken.get(thing, (None, None)) if thing is not None else (None, None)
        holder = self._worker_of.get(who)
        if holder is None or holder is worker or place is None or holder.ended is not None:
            return Wait(worker.number, what, site, since), None
        held_at = Site(place[0].co_filename, place[1], place[0].co_qualname)
        return Wait(worker.number, what, site, since, holder.number, held_at), holder


def _unknown(worker: Worker) -> Site:
    code, line = worker.trail[-1]
    return Site(code.co_filename, line, code.co_qualname)


def _began_at(worker: Worker) -> Place:
    """Where it was started that carries nothing but a compiled call, as of an event's `wait`."""
    return next(worker.starts, (_nothing.__code__, _nothing.__code__.co_firstlineno))


def _nothing() -> None:
    """What a greenlet carries that the application started is its own matter."""
