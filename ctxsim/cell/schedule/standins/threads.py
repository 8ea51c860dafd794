"""Threads that are workers; `threading.Thread` itself is the standard library's.

Up to Python 3.12 a thread is joined by a lock that C code releases when the thread ends; from 3.13
on by a handle. Both have stand-ins here, and each interpreter uses its own.
"""

from __future__ import annotations

import _thread
import sys
import threading
from _thread import get_ident as _get_ident
from _thread import start_new_thread as _start_new_thread
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Any, ClassVar

from ctxsim.cell.schedule.lockstep import CutOff, Run, here
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.schedule.standins.locks import Lock
from ctxsim.cell.schedule.standins.waiters import Waiters
from ctxsim.cell.schedule.states import Worker

# What these modules have differs from version to version, and no stub knows all of it.
_threading: Any = threading
_set_sentinel: Any = getattr(_thread, "_set_sentinel", None)
_start_joinable_thread: Any = getattr(_thread, "start_joinable_thread", None)
_ThreadHandle: Any = getattr(_thread, "_ThreadHandle", None)


def get_ident() -> int:
    run = here()
    thread = None if run is None else run.on_thread
    return _get_ident() if thread is None else thread.ident


def start_new_thread(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
) -> int:
    run = here()
    if run is None:
        return _start_new_thread(function, args, kwargs or {})
    worker = _spawn(run, partial(function, *args, **(kwargs or {})), _thread_of(function))
    run.give_way(sys._getframe(1))
    return worker.ident


def _thread_of(function: Callable[..., object]) -> threading.Thread | None:
    carrier = getattr(function, "__self__", None)
    return carrier if isinstance(carrier, threading.Thread) else None


def _spawn(run: Run, call: Callable[[], object], thread: threading.Thread | None) -> Worker:
    if thread is not None:
        _silence(thread)
    return run.spawn(call, daemon=thread is None or thread.daemon)


def _silence(thread: Any) -> None:
    """Let a thread that is cut off end without a traceback; all other errors are told."""
    tell = thread._invoke_excepthook

    def tell_errors(failed: threading.Thread) -> None:
        if sys.exc_info()[0] is not CutOff:
            tell(failed)

    thread._invoke_excepthook = tell_errors


def set_sentinel() -> object:
    """The lock that a thread holds until it ends (up to Python 3.12)."""
    run = here()
    if run is None or run.current is None:
        return _set_sentinel()
    lock = Lock()
    run.current.at_end.append(lambda: lock.release() if lock.locked() else None)
    return lock


class ThreadHandle:
    """What a thread is joined by (from Python 3.13 on); around a real one, for a real thread."""

    __slots__ = ("__weakref__", "_done", "_waiters", "_worker", "real")
    called: ClassVar[str] = "Thread.join"

    def __init__(self) -> None:
        self.real: Any = _ThreadHandle()
        self._worker: Worker | None = None
        self._done = False
        self._waiters = Waiters()

    @property
    def ident(self) -> int:
        return int(self.real.ident) if self._worker is None else self._worker.ident

    def is_done(self) -> bool:
        return bool(self.real.is_done()) if self._worker is None else self._done

    def join(self, timeout: float | None = None) -> None:
        run = here()
        if self._worker is None:
            self.real.join(timeout)
        elif run is not None:
            patience_s = None if timeout is None or timeout < 0 else timeout
            self._waiters.until(run, self.is_done, self, patience_s)

    def holder(self) -> tuple[Worker, Place] | None:
        worker = self._worker
        return (worker, worker.trail[-1]) if worker is not None and worker.trail else None

    def begin(self, worker: Worker) -> None:
        self._worker = worker
        worker.at_end.append(self._end)

    def _end(self) -> None:
        self._done = True
        self._waiters.wake()

    def _set_done(self) -> None:
        self.real._set_done()


def start_joinable_thread(
    function: Callable[[], object], handle: ThreadHandle | None = None, daemon: bool = True
) -> ThreadHandle:
    """What `Thread.start` calls from Python 3.13 on."""
    handle = ThreadHandle() if handle is None else handle
    run = here()
    if run is None:
        _start_joinable_thread(function, handle=handle.real, daemon=daemon)
        return handle
    thread = _thread_of(function)
    if thread is not None:
        _silence(thread)
    handle.begin(run.spawn(function, daemon=daemon))
    run.give_way(sys._getframe(1))
    return handle


class WorkerThread(_threading._DummyThread):  # type: ignore[misc]
    """What `current_thread` gives where it does not know the thread: in a worker, its own one.

    It is no daemon, as the threads of servers are none, so that those it starts are none either.
    """

    def __init__(self) -> None:
        run = here()
        if run is None or run.current is None:
            super().__init__()
            return
        threading.Thread.__init__(self, name=f"worker-{run.current.number}", daemon=False)
        self._started.set()
        self._set_ident()
        _threading._active[run.current.ident] = self


def own_threads(run: Run, seed: int) -> None:
    """Number the threads of each execution anew, and forget them when it has ended."""
    _count_anew(run, _threading, count(1))
    if (executor := sys.modules.get("concurrent.futures.thread")) is not None:
        _count_anew(run, executor.ThreadPoolExecutor, count())
    run.at_end.append(partial(_forget, run, frozenset(_threading._limbo)))


def _count_anew(run: Run, namer: Any, numbers: Iterator[int]) -> None:
    run.at_end.append(partial(setattr, namer, "_counter", namer._counter))
    namer._counter = numbers.__next__


def _forget(run: Run, starting: frozenset[threading.Thread]) -> None:
    for worker in run.roster.workers:
        _threading._active.pop(worker.ident, None)
    if _threading._limbo:
        for thread in set(_threading._limbo) - starting:
            del _threading._limbo[thread]


def stand_ins() -> dict[object, object]:
    """By the real object, the one that stands in for it, as far as this Python has it."""
    found: dict[object, object] = {
        _get_ident: get_ident,
        _start_new_thread: start_new_thread,
        _threading._DummyThread: WorkerThread,
    }
    if _set_sentinel is not None:
        found[_set_sentinel] = set_sentinel
    if _start_joinable_thread is not None:
        found[_start_joinable_thread] = start_joinable_thread
        found[_ThreadHandle] = ThreadHandle
    return found
