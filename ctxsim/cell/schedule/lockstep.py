"""Runs thread-style code one worker at a time, in one thread, as a schedule says.

Each worker is a greenlet. At a switch point the worker asks the chooser who goes on, and switches
there itself; the hub starts the first one, and goes on where one has ended. Nothing sleeps: when
nobody is ready, the time is set to the earliest deadline.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any, Final, Self

import greenlet

from ctxsim.cell.schedule.carriers import Carriers
from ctxsim.cell.schedule.choosing import Chooser, Recorder
from ctxsim.cell.schedule.collecting import Collecting
from ctxsim.cell.schedule.execution import (
    Deadlock,
    Ended,
    Escape,
    Execution,
    KnownLoop,
    Limits,
    StepLimit,
    Stopped,
)
from ctxsim.cell.schedule.outside import Outside
from ctxsim.cell.schedule.places import (
    Place,
    application_place,
    called_from_own,
    called_in_library,
    frames_from,
    is_atomic,
    own_place,
    site_of,
)
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.schedule.real import get_ident
from ctxsim.cell.schedule.selection import Tracer, Untraced
from ctxsim.cell.schedule.spinning import (
    FIRST_LOOK,
    FIRST_LOOK_AT_KNOWN,
    Rounds,
    all_go_round,
    may_spin,
)
from ctxsim.cell.schedule.states import TICKS_PER_S, Roster, Waitable, Waiting, Worker

# What `sys.settrace` says of it: code that is called so is traced although a trace function calls.
_call_traced: Final = sys.call_tracing
_gettrace, _settrace, _getcurrent = sys.gettrace, sys.settrace, greenlet.getcurrent
_MOST_SITES = 8
# A worker that is cut off may clean up; one that goes on for so long after it is told once more.
_CLEANING_STEPS = 10_000
Pick = Callable[[Sequence[int], int | None, int], int]


class CutOff(BaseException):
    """Raised in workers that are left when an execution ends."""


class Run:
    """One execution while it runs: what switch points and blocking calls talk to."""

    # Whether requests may come after others have slept; where that is asked when one waits or ends.
    lets_pass = True

    def __init__(self, chooser: Chooser, tracer: Tracer, limits: Limits) -> None:
        self.thread = get_ident()
        self.roster = Roster()
        self.outside = Outside()
        # None while no worker runs: in the hub.
        self.current: Worker | None = None
        self.stopped: Stopped | None = None
        self.cleaning = 0
        self._recorder = Recorder(chooser)
        self._tracer = tracer
        self._most_steps = limits.steps
        # At which step it is looked whether workers go round in circles, and the look itself.
        self._next_look = min(FIRST_LOOK_AT_KNOWN if limits.loops else FIRST_LOOK, limits.steps)
        self._loops = limits.loops
        self._rounds: Rounds | None = None
        self._pick: Pick = self._recorder.pick
        self._step = 0
        self._last: int | None = None
        self._is_free = False
        # Workers are cut off, and do not switch any more.
        self.is_ending = False
        self._failure: BaseException | None = None
        self._hub = _getcurrent()
        self.carriers = Carriers()
        # Told who goes on, None being the hub, where something has to be exchanged with workers.
        self.on_switch: Callable[[Worker | None], None] | None = None
        self.at_end: list[Callable[[], None]] = []

    @property
    def now_s(self) -> float:
        return self.roster.now_s

    def look_at_clock_s(self) -> float:
        """The time, which is later at each look by a tick."""
        self.roster.looks += 1
        return self.roster.now_s + self.roster.looks / TICKS_PER_S

    @property
    def step(self) -> int:
        """The number of the step that is taken now, counted from 0."""
        return self._step - 1

    @property
    def progress(self) -> int:
        """Grows as long as switch points are reached, or workers end that were cut off."""
        return self._step + self.cleaning

    @property
    def on_thread(self) -> Worker | None:
        """The worker whose thread this is; None for the thread of whoever runs the execution."""
        worker = self.current
        return None if worker is None or worker.kind != "thread" else worker

    def execute(self, calls: list[Any]) -> Execution:
        """Run the workers to their ends; raises what the chooser raises, when all were cut off."""
        self._begin(calls)
        try:
            self._tracer.begin(self.reach)
            while (chosen := self._choose()) is not None:
                self._start(chosen)
        finally:
            self._cut_off_all()
            self._tracer.end()
            self.carriers.settle()
            for each in self.at_end:
                each()
            # They know the run: a cycle, which only a collection would find.
            self.at_end.clear()
        if self._failure is not None:
            raise self._failure
        return self._execution()

    def spawn(self, call: Callable[[], object], *, daemon: bool) -> Worker:
        """A worker that the application starts, as a thread."""
        if self.is_ending:
            raise CutOff
        worker = self.roster.add(call, daemon=daemon)
        worker.starter, worker.started_at = self.current, own_place(sys._getframe(1))
        return worker

    def reach(self, place: Place) -> None:
        """A switch point: whoever is running may have to wait for another."""
        worker = self.current
        if worker is None:
            return
        if self.is_ending:
            self._clean()
            return
        worker.trail.append(place)
        chosen = self._choose()
        if chosen != worker.number:
            _call_traced(self._switch, (worker, chosen))

    def give_way(self, frame: FrameType) -> None:
        """A switch point at a blocking call of `frame`, unless that is in atomic code."""
        if not is_atomic(frame.f_code.co_filename):
            self.reach((frame.f_code, frame.f_lineno))

    def wait(self, on: Waitable | None, called: str, deadline_s: float | None) -> None:
        """Block whoever is running until it is woken or the deadline passes."""
        worker = self.current
        if worker is None or self.is_ending:
            raise CutOff
        frame = sys._getframe(1)
        worker.trail.append(application_place(frame))
        name = called_in_library(frame) or called
        self.roster.block(worker, Waiting(on, name, self._step, deadline_s))
        self._is_free = self.lets_pass
        chosen = self._choose()
        if chosen != worker.number:
            _call_traced(self._switch, (worker, chosen))

    def escape(self, awaited: str, frame: FrameType, module: str = "") -> None:
        """End the execution, since whoever runs begins to wait for what no schedule controls.

        Where that is what `module` does, it may be declared atomic.
        """
        name = module and called_from_own(frame, module)
        self.stop(self._escape(awaited, self._stack(frame), name))
        raise CutOff

    def _escape(self, awaited: str, stack: tuple[Site, ...], module: str = "") -> Escape:
        worker = self.current
        if worker is None:
            return Escape(-1, awaited, stack, module)
        started = tuple(site_of((each,)) for each in worker.starts)
        return Escape(worker.number, awaited, stack + started, module, worker.behind.number)

    def _stack(self, frame: FrameType) -> tuple[Site, ...]:
        return (site_of((own_place(frame),)),)

    def stop(self, stopped: Stopped) -> None:
        """Cut the execution off: no worker switches any more."""
        self.stopped = self.stopped or stopped
        self.is_ending = True

    def _begin(self, calls: list[Any]) -> None:
        self.roster.give(calls)

    def _carry_to_end(self, worker: Worker) -> bool:
        """Carry a worker; whether its end was its own, so that its greenlet is free."""
        self._carry(worker)
        return not self.is_ending

    def _carry(self, worker: Worker) -> None:
        self._tracer.enter_worker()
        try:
            ended = Ended(worker.call(), cut_off=self.is_ending)
        except CutOff:
            ended = Ended(cut_off=True)
        except KeyboardInterrupt as error:
            # It was meant for whoever searches, not for the worker that happened to run.
            self._failure, self.is_ending = error, True
            ended = Ended(cut_off=True)
        except BaseException as error:  # noqa: BLE001 - the caller judges what a worker raised
            ended = Ended(cut_off=True) if self.is_ending else Ended(error=error)
        self._end(worker, ended)

    def _end(self, worker: Worker, ended: Ended) -> None:
        self.current = worker
        at_end, worker.at_end = worker.at_end, []
        for each in at_end:
            each()
        self.roster.end(worker, ended)
        self.current, self._is_free = None, self.lets_pass

    def _choose(self) -> int | None:
        """Who takes the next step; None where the execution is over."""
        ready = self.roster.ready
        step = self._step
        if self.is_ending or not (ready or self._go_on()):
            self._find_end()
        elif step < self._next_look or self._goes_on(step):
            self._step = step + 1
            try:
                if self._is_free and self._rounds is None:
                    self._is_free = False
                    self.roster.let_pass(self._recorder.draw)
                self._last = chosen = self._pick(ready, self._last, step)
            except Exception as error:  # noqa: BLE001 - raised again by `execute`
                self._failure = error
            else:
                return chosen
        self.is_ending = True
        return None

    # Whether it would ever end.

    @property
    def ready(self) -> Sequence[int]:
        return self.roster.ready

    def worker(self, number: int) -> Worker:
        return self.roster.workers[number]

    def frames(self, worker: Worker) -> Iterable[FrameType]:
        if worker is self.current:
            return frames_from(sys._getframe())
        return frames_from(worker.greenlet.gr_frame if worker.greenlet else None)

    def pass_on(self) -> bool:
        return self.roster.pass_time()

    def pass_s(self, seconds: float) -> None:
        self.roster.pass_s(seconds)

    def _goes_on(self, step: int) -> bool:
        """Whether the execution does, at a step at which it is looked, or comes to its limit."""
        if (rounds := self._rounds) is None:
            self._look(step)
            return self.stopped is None
        self._look_on(rounds)
        if rounds.is_over is None:
            return True
        self._rounds, self._pick = None, self._recorder.pick
        if rounds.is_over:
            steps = self._recorder.schedule().steps
            self.stopped = rounds.livelock(self.roster.waits(), steps)
        elif not rounds.is_too_late:
            again = step + FIRST_LOOK if rounds.has_ended else 2 * step
            self._next_look = min(again, max(step, self._most_steps))
            return True
        if self.stopped is None:
            self.stopped = self._step_limit()
        return False

    def _look_on(self, rounds: Rounds) -> None:
        # It calls very much, and a trace function would be called for each of that.
        if (trace := _gettrace()) is None:
            rounds.came(self._last)
            return
        _settrace(None)
        try:
            rounds.came(self._last)
        finally:
            _settrace(trace)

    def _look(self, step: int) -> None:
        ready = [self.worker(each) for each in self.ready]
        if step >= self._most_steps:
            self.stopped = self._step_limit()
        elif all_go_round(ready, self._loops) and not self._is_something_due():
            self.stopped = KnownLoop()
        elif step < FIRST_LOOK:
            self._next_look = min(FIRST_LOOK, self._most_steps)
        elif self.roster.only_daemons() or not any(map(may_spin, ready)):
            self._next_look = min(2 * step, self._most_steps)
        else:
            self._rounds, self._pick = Rounds(self), self._pick_in_turn

    def _is_something_due(self) -> bool:
        return self.roster.next_deadline_s() is not None

    def _pick_in_turn(self, ready: Sequence[int], last: int | None, step: int) -> int:
        return self._recorder.pick([self._whose_turn(ready)], last, step)

    def _whose_turn(self, ready: Sequence[int]) -> int:
        assert self._rounds is not None
        return self._rounds.next(ready)

    def _go_on(self) -> bool:
        if self.roster.is_over:
            return False
        return self.roster.pass_time() or self.outside.let_in(self.roster)

    def _find_end(self) -> None:
        if self._rounds is not None and self._rounds.is_too_late and not self.is_ending:
            self.stopped = StepLimit(self._step, self.roster.sites()[:_MOST_SITES])
        else:
            self._find_deadlock()

    def _find_deadlock(self) -> None:
        if self.is_ending or self.roster.is_over:
            return
        if waits := self.roster.waits():
            self.stopped = Deadlock(waits)

    def _step_limit(self) -> StepLimit | None:
        if self.roster.only_daemons():
            # A thread that is there for ever does not keep a process from its end.
            return None
        return StepLimit(self._most_steps, self.roster.sites()[:_MOST_SITES])

    def _start(self, number: int) -> None:
        self.current = worker = self.roster.workers[number]
        self._tell_switch()
        self._go_to(worker)

    def _go_to(self, worker: Worker) -> None:
        if worker.greenlet is not None:
            worker.greenlet.switch()
            return
        worker.greenlet = self.carriers.take(worker, self._hub)
        worker.greenlet.switch(partial(self._carry_to_end, worker))

    def _tell_switch(self) -> None:
        if self.on_switch is not None:
            self.on_switch(self.on_thread)

    def _switch(self, worker: Worker, chosen: int | None) -> None:
        # The application may be in a greenlet of its own: then that one has to go on, not the
        # worker's first.
        worker.greenlet = _getcurrent()
        self.current = other = None if chosen is None else self.roster.workers[chosen]
        if self.on_switch is not None:
            self._tell_switch()
        trace = _gettrace()
        try:
            if other is None:
                self._hub.switch()
            else:
                self._go_to(other)
        finally:
            # It is one for all greenlets, and each worker has it on in other code.
            if _gettrace() is not trace:
                _settrace(trace)

    def _clean(self) -> None:
        self.cleaning += 1
        if self.cleaning > _CLEANING_STEPS:
            raise CutOff

    def _cut_off_all(self) -> None:
        self.is_ending = True
        for worker in self.roster.workers:
            if worker.ended is None and worker.greenlet:
                self.current = worker
                self._tell_switch()
                # It comes out here where the application's greenlet was not started in the worker.
                with suppress(CutOff):
                    worker.greenlet.throw(CutOff)
            self.cleaning += 1
            if worker.ended is None:
                self._end(worker, Ended(cut_off=True))
            worker.greenlet = None
        self.current = None

    def _execution(self) -> Execution:
        # Lists that become tuples, because generators take three times as long for few workers.
        workers = self.roster.workers
        return Execution(
            self._recorder.schedule(),
            tuple([each.ended for each in workers if each.ended is not None]),
            tuple([tuple(each.trail) for each in workers]),
            self.stopped,
            tuple([each.kind for each in workers]),
        )


Surrounding = Callable[[Run, int], None]
# What is put in place for the time of each execution, given the run and its seed; how to undo it is
# added to the run's `at_end`.
surroundings: list[Surrounding] = []
_running: Run | None = None


def here() -> Run | None:
    """The execution whose worker calls; None outside of one, as in another thread or the hub."""
    run = _running
    if run is None or run.current is None or get_ident() != run.thread:
        return None
    return run


def wake(workers: Iterable[Worker]) -> None:
    """Let blocked workers look again for what they wait for, whoever it was that gave it back."""
    if (run := here()) is not None:
        for worker in workers:
            run.roster.wake(worker)
    elif _running is not None:
        _running.outside.wake(workers)


class Lockstep:
    """Runs callables as simulated workers, one execution after the other.

    Where `time_goes_on`, each begins when the one before has ended; else all at the same time.
    It need not be entered, but is quicker where it is: then greenlets are kept until it is left.
    """

    def __init__(
        self,
        tracer: Tracer | None = None,
        limits: Limits | None = None,
        *,
        time_goes_on: bool = False,
        make: Callable[[Chooser, Tracer, Limits], Run] = Run,
    ) -> None:
        """`make` makes what an execution is."""
        self._make = make
        self._tracer = tracer or Untraced()
        self._limits = limits or Limits()
        self._time_goes_on = time_goes_on
        self._now_s = 0.0
        self._collecting = Collecting()
        self._carriers = Carriers()

    def __enter__(self) -> Self:
        self._carriers.are_kept = True
        return self

    def __exit__(self, *raised: object) -> None:
        self._carriers.end()

    def run(self, calls: Iterable[Any], chooser: Chooser, seed: int = 0) -> Execution:
        """Run the calls as workers 0, 1, ... in the order that `chooser` says.

        `seed` is for chance, where that is selected. Raises DivergedError as the chooser does.
        """
        global _running  # noqa: PLW0603 - one execution at a time, which stand-ins have to find
        run = self._new_run(chooser, self._limits)
        run.roster.now_s = self._now_s
        run.carriers = self._carriers
        with self._collecting:
            for surround in surroundings:
                surround(run, seed)
            _running = run
            try:
                return run.execute(list(calls))
            finally:
                _running = None
                if self._time_goes_on:
                    # Later than what any clock has shown.
                    self._now_s = run.look_at_clock_s()

    def _new_run(self, chooser: Chooser, limits: Limits) -> Run:
        return self._make(chooser, self._tracer, limits)
