"""Ends an execution in which a worker blocks on something that is not simulated.

A native thread looks whether switch points are still reached. Where they are not, it notes where
the worker is and sends its thread a signal, whose handler raises: that ends the wait for a real
lock as well as a loop in code that is not selected.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any, Self

from ctxsim.cell.schedule.execution import UncontrolledBlock
from ctxsim.cell.schedule.lockstep import CutOff, Run, surroundings
from ctxsim.cell.schedule.places import is_atomic
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.schedule.real import allocate_lock, get_ident, start_new_thread
from ctxsim.errors import UsageError

# It is ignored unless somebody asks for it, and hardly anybody does.
_SIGNAL = signal.SIGURG
_LOOKS = 2
_MOST_SITES = 20


class Watchdog:
    """Entered around executions; a worker may take `patience_s` real seconds for each step."""

    def __init__(self, patience_s: float = 10.0) -> None:
        self._patience_s = patience_s
        self._thread = 0
        # Real ones, whatever stands in for the names of `threading`: it is watched from outside.
        self._leave = allocate_lock()
        self._left = allocate_lock()
        self._run: Run | None = None
        self._stuck: tuple[Run, int] | None = None
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            raise UsageError(
                "a watchdog was entered in another thread than the main one. Only there a signal "
                "can end a wait. Enter it, and run the lockstep, in the main thread."
            )
        self._thread = get_ident()
        self._before = signal.signal(_SIGNAL, self._interrupt)
        self._begin()
        surroundings.append(self._watched)
        return self

    def go_on(self) -> None:
        """Watch in a copy of the process that has entered it, where its thread is not."""
        self._leave, self._left = allocate_lock(), allocate_lock()
        self._thread = get_ident()
        self._begin()

    def _begin(self) -> None:
        self._leave.acquire()
        self._left.acquire()
        start_new_thread(self._watch, ())

    def __exit__(self, *raised: object) -> None:
        surroundings.remove(self._watched)
        self._leave.release()
        self._left.acquire()
        signal.signal(_SIGNAL, self._before)

    def _watched(self, run: Run, seed: int) -> None:
        self._run = run
        run.at_end.append(self._unwatched)

    def _unwatched(self) -> None:
        self._run = None

    def _watch(self) -> None:
        seen: tuple[Run | None, int] = (None, 0)
        looks = 0
        while not self._leave.acquire(timeout=self._patience_s / _LOOKS):
            run = self._run
            now = (run, 0 if run is None else run.progress)
            looks = looks + 1 if now == seen else 0
            seen = now
            if run is not None and looks >= _LOOKS:
                self._stuck = run, run.progress
                signal.pthread_kill(self._thread, _SIGNAL)
        self._left.release()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        run, worker = self._run, None if self._run is None else self._run.current
        if run is None or worker is None or frame is None:
            return
        # A step may have ended since the look.
        if self._stuck == (run, run.progress):
            stack = tuple(_stack(frame)) or (_site(frame),)
            run.stop(UncontrolledBlock(worker.number, self._patience_s, stack))
            raise CutOff


def _stack(frame: FrameType) -> Iterator[Site]:
    at: FrameType | None = frame
    count = 0
    while at is not None and count < _MOST_SITES:
        if not is_atomic(at.f_code.co_filename):
            count += 1
            yield _site(at)
        at = at.f_back


def _site(frame: FrameType) -> Site:
    return Site(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_qualname)
