"""Runs callables in native threads, one at a time, by the lines at which a schedule switched.

Nothing stands in for anything: locks are real, and so is time. Whoever has the baton goes on; all
others are held before the line that they come to next. One that waits for real, such as for a lock
that another has, keeps nobody: when it has stood still for a moment the next one gets the baton. It
is a moment and not a clock's word, because nothing but a thread's own time tells that it waits.

To be held is what the operating system may do to any thread between two lines. So whatever shows
here can show in production; what does not show tells less.
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, wraps
from types import FrameType
from typing import Any, Final, Self

from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import Deadlock, Ended, Execution, Kind, Wait
from ctxsim.cell.schedule.legs import Leg, Legs
from ctxsim.cell.schedule.places import Place, application_place, called_in_library, site_of
from ctxsim.cell.schedule.real import allocate_lock, get_ident
from ctxsim.cell.schedule.selection import Tracer

_LOOK_S = 0.005
# For how many looks a thread stands still before it is taken to wait: where the schedule had it
# wait too, and where it had not; and all of them, before nobody is thought to go on any more.
_EXPECTED, _UNEXPECTED = 4, 600
# However busy a thread is, since it may run in circles: so many times as long as all of them have
# to stand still, and so many looks at most.
_BUSY, _MOST_LOOKS = 2, 2_000
# What starts threads has another name, and another signature, from Python 3.13 on.
_STARTS = ("_start_new_thread", "_start_joinable_thread")
_threading: Any = threading
_cpu_clock_of: Final = getattr(time, "pthread_getcpuclockid", None)


class _Thread:
    """A native thread; `lines` counts those that it has come to. `gate` holds it."""

    def __init__(self, number: int, call: Callable[[], object] | None) -> None:
        self.number = number
        self.call = call
        self.ident = 0
        self.lines = 0
        self.trail: list[Place] = []
        # Those that the execution is for wait for their turn to start.
        self.is_held = call is not None
        self.ended: Ended | None = None
        self.gate = allocate_lock()
        self.gate.acquire()
        self._clock: int | None = None
        self._native: threading.Thread | None = None

    def start(self, carry: Callable[[_Thread], None]) -> None:
        """Start it when it is its turn, as a server does when a request comes."""
        if self.call is not None and self._native is None:
            self._native = threading.Thread(target=carry, args=(self,), daemon=True)
            self._native.start()

    def join(self) -> None:
        """Of one that has ended: its number may be the next one's, as it may be in production."""
        if self._native is not None:
            self._native.join()

    def begin(self) -> None:
        self.ident = get_ident()
        if _cpu_clock_of is not None:
            # Here, since of a thread that has ended it must not be asked for.
            self._clock = _cpu_clock_of(self.ident)

    def progress(self) -> tuple[object, ...]:
        """Another one whenever it has gone on."""
        return self.lines, self.is_held, self.ended is not None, self._spent()

    def _spent(self) -> object:
        if self._clock is not None:
            try:
                return time.clock_gettime_ns(self._clock)
            except OSError:
                return None
        frame = sys._current_frames().get(self.ident)
        return None if frame is None else (id(frame), frame.f_lasti)


class Window:
    """One execution: native threads that are carried by legs."""

    def __init__(self, tracer: Tracer, legs: Legs, still_looks: int) -> None:
        self.strayed: list[str] = []
        self._tracer = tracer
        self._legs = legs
        self._still_looks = still_looks
        self._threads: list[_Thread] = []
        self._given = 0
        self._by_ident: dict[int, _Thread] = {}
        self._steps: list[int] = []
        # Who has the baton, and where it is held: before a line, or after a sleep amid one.
        self._holder: _Thread | None = None
        self._until_lines = self._until_slept = math.inf
        self._lock = allocate_lock()
        self._changed = allocate_lock()
        self._changed.acquire()
        self._is_over = False
        self._stopped: Deadlock | None = None

    def execute(self, calls: Sequence[Callable[[], object]]) -> Execution:
        """Run the calls as workers 0, 1, ... to their ends, or until all stand still."""
        self._threads += [_Thread(number, call) for number, call in enumerate(calls)]
        self._given = len(calls)
        self._tracer.begin(self.reach)
        try:
            for leg in self._legs:
                self._take(leg)
            self._finish()
        finally:
            self._is_over = True
            self._tracer.end()
        return self._execution()

    def reach(self, place: Place) -> None:
        """A line, in any thread: one that has not the baton is held before it."""
        thread = self._mine()
        if thread is None:
            return
        thread.lines += 1
        thread.trail.append(place)
        self._steps.append(thread.number)
        self._hold_unless(thread, thread.lines < self._until_lines)

    def slept(self) -> None:
        """A blocking call has ended, which is a place to be held at as well."""
        if (thread := self._mine()) is not None:
            self._hold_unless(thread, thread.lines < self._until_slept)

    def born(self) -> _Thread | None:
        """The worker that is to be, where one of ours starts a thread; else None."""
        if self._mine() is None:
            return None
        thread = _Thread(len(self._threads), None)
        self._threads.append(thread)
        return thread

    def carry_started(self, thread: _Thread, function: Callable[..., object], *args: Any) -> object:
        """What a thread of the application's does, as a worker."""
        self._enter(thread)
        try:
            return function(*args)
        finally:
            self._end(thread, Ended())

    def _mine(self) -> _Thread | None:
        return None if self._is_over else self._by_ident.get(get_ident())

    def _hold_unless(self, thread: _Thread, goes_on: bool) -> None:
        with self._lock:
            if self._holder is thread and goes_on:
                return
            thread.is_held = True
            self._tell()
        thread.gate.acquire()

    def _tell(self) -> None:
        if self._changed.locked():
            self._changed.release()

    def _carry(self, thread: _Thread) -> None:
        assert thread.call is not None
        thread.gate.acquire()
        self._enter(thread)
        try:
            ended = Ended(thread.call())
        except BaseException as error:  # noqa: BLE001 - the caller judges what a worker raised
            ended = Ended(error=error)
        self._end(thread, ended)

    def _enter(self, thread: _Thread) -> None:
        thread.begin()
        self._by_ident[thread.ident] = thread
        self._tracer.enter_worker()

    def _end(self, thread: _Thread, ended: Ended) -> None:
        with self._lock:
            thread.ended = ended
            # The number may be given to another thread.
            self._by_ident.pop(thread.ident, None)
            self._tell()

    def _take(self, leg: Leg) -> None:
        thread = self._threads[leg.worker] if leg.worker < len(self._threads) else None
        if thread is None:
            self._stray(f"worker {leg.worker} was not started")
            return
        amid = leg.stop in ("call", "wait")
        until = math.inf if leg.stop == "end" else leg.lines + amid
        if thread.ended is not None or thread.lines >= until:
            return
        self._grant(thread, until, leg.lines if amid else math.inf)
        self._await(thread, leg)

    def _grant(self, thread: _Thread, lines: float = math.inf, slept: float = math.inf) -> None:
        thread.start(self._carry)
        with self._lock:
            self._holder, self._until_lines, self._until_slept = thread, lines, slept
            if thread.is_held:
                thread.is_held = False
                thread.gate.release()

    def _await(self, thread: _Thread, leg: Leg) -> None:
        waits = leg.stop == "wait" and thread.lines >= leg.lines
        for still in self._looks([thread]):
            if thread.ended is not None:
                thread.join()
                return
            if thread.is_held:
                return
            waits = leg.stop == "wait" and thread.lines >= leg.lines
            if still >= (_EXPECTED if waits else _UNEXPECTED):
                break
        if not waits:
            self._stray(f"it waited at {_place_told(thread)}, where the schedule has it go on")

    def _stray(self, how: str) -> None:
        self.strayed.append(how)

    def _looks(self, threads: Sequence[_Thread]) -> Iterator[int]:
        """After each look, for how many looks none of the threads has gone on by now."""
        seen, still = [each.progress() for each in threads], 0
        for _ in range(min(_MOST_LOOKS, _BUSY * self._still_looks)):
            yield still
            self._changed.acquire(timeout=_LOOK_S)
            now = [each.progress() for each in threads]
            seen, still = now, still + 1 if now == seen else 0

    def _finish(self) -> None:
        """All that are left, one after the other, each until it ends or waits.

        Of those that hold each other up, each one goes on for as long as it has its turn: when one
        has had two of these, and nobody has ended meanwhile, none will.
        """
        in_vain: set[int] = set()
        while True:
            held = next((each for each in self._threads if each.is_held), None)
            if held is None:
                if not self._wait_for_one():
                    return
                continue
            if self._goes_on(held):
                if held.number in in_vain:
                    self._stopped = Deadlock(tuple(self._waits(are_busy=True)))
                    return
                in_vain.add(held.number)
            if held.ended is not None:
                held.join()
                in_vain.clear()

    def _goes_on(self, held: _Thread) -> bool:
        """Let one go on; whether it still did when its time was over."""
        self._grant(held)
        for still in self._looks([held]):
            if held.is_held or held.ended is not None or still >= _EXPECTED:
                return False
        return True

    def _wait_for_one(self) -> bool:
        """Whether somebody is held once more; else all have ended, or stand still."""
        for still in self._looks(list(self._threads)):
            if any(each.is_held for each in self._threads):
                return True
            if all(each.ended is not None for each in self._threads):
                return False
            if all(each.ended is not None for each in self._threads[: self._given]):
                if still >= _EXPECTED:
                    return False
            elif still >= self._still_looks:
                self._stopped = Deadlock(tuple(self._waits()))
                return False
        self._stopped = Deadlock(tuple(self._waits(are_busy=True)))
        return False

    def _waits(self, *, are_busy: bool = False) -> Iterator[Wait]:
        frames = sys._current_frames()
        for each in self._threads:
            frame = frames.get(each.ident)
            # One that sleeps goes on some time; whoever does so again and again is no better off.
            if each.ended is None and frame is not None and (are_busy or not _is_asleep(frame)):
                called = called_in_library(frame) or "a call"
                yield Wait(each.number, called, site_of((application_place(frame),)), 0)

    def _execution(self) -> Execution:
        steps = tuple(self._steps)
        kind: Kind = "thread"
        return Execution(
            Schedule(steps, (1,) * len(steps)),
            tuple(each.ended or Ended(cut_off=True) for each in self._threads),
            tuple(tuple(each.trail) for each in self._threads),
            self._stopped,
            (kind,) * len(self._threads),
        )


def _place_told(thread: _Thread) -> str:
    frame = sys._current_frames().get(thread.ident)
    if frame is None:
        return "its start"
    code, line = application_place(frame)
    return f"{code.co_filename}:{line}"


_window: Window | None = None


def slept() -> None:
    """Whoever calls went on after a blocking call; nothing outside of a window."""
    if _window is not None:
        _window.slept()


def held_after(sleep: Callable[..., None]) -> Callable[..., None]:
    """A function that sleeps, at whose end a thread can be held."""

    # Applications ask by its names whether gevent has patched it.
    @wraps(sleep)
    def sleeping(*args: Any, **named: Any) -> None:
        sleep(*args, **named)
        slept()

    return sleeping


def _is_asleep(frame: FrameType) -> bool:
    """Whether a thread whose innermost frame this is, is in such a function."""
    code = frame.f_code
    return code.co_name == "sleeping" and code.co_filename == __file__


class Native:
    """Runs windows in turn, each by its legs; entered around them.

    `still_s` is how long all have to stand still until nobody is thought to go on any more.
    """

    def __init__(self, tracer: Tracer, windows: Iterable[Legs], still_s: float) -> None:
        self.strayed: list[str] = []
        self._tracer = tracer
        self._windows = iter(windows)
        self._still_looks = math.ceil(still_s / _LOOK_S)
        self._starts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._tracer.__enter__()
        for name in _STARTS:
            if (start := getattr(_threading, name, None)) is not None:
                self._starts[name] = start
                setattr(_threading, name, partial(_start, start))
        return self

    def __exit__(self, *raised: object) -> None:
        for name, start in self._starts.items():
            setattr(_threading, name, start)
        self._tracer.__exit__(*raised)

    def run(self, calls: Iterable[Any], chooser: Chooser, seed: int = 0) -> Execution:
        """Run the calls by the next legs; beyond these, one after the other."""
        global _window  # noqa: PLW0603 - one execution at a time, which what sleeps has to find
        _window = window = Window(self._tracer, next(self._windows, ()), self._still_looks)
        try:
            return window.execute(list(calls))
        finally:
            self.strayed += window.strayed


def _start(start: Any, function: Callable[..., object], *args: Any, **named: Any) -> Any:
    thread = None if _window is None else _window.born()
    if thread is None or _window is None:
        return start(function, *args, **named)
    return start(partial(_window.carry_started, thread, function), *args, **named)
