"""Work that requests start and that carries no request itself: threads, futures and greenlets.

It is told of as each is started, by whom, and as it fails. One that fails because it found no
context is CTX302's evidence. Tasks need no listening to: asyncio hands them a copy of the context
in which they are made.
"""

from __future__ import annotations

import functools
import re
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any

from ctxsim.cell.history import Event, Where
from ctxsim.cell.patching import Native
from ctxsim.cell.visits import Request
from ctxsim.cell.witness.record import Current, Record, is_application_file, shown_file
from ctxsim.errors import OutsideContextError

# What Flask (since 0.10), Quart and Werkzeug's unbound proxies say.
_OUTSIDE = re.compile(
    r"Working outside of (request|application) context|Not within an? \w+ context"
)
# Their threads work for whoever comes: what was submitted to them is known by its future, and a
# patched thread, which is a greenlet, by its thread.
_POOLS = frozenset({"concurrent.futures.thread", "multiprocessing.pool", "gevent.threadpool"})
_THREADS = frozenset({"gevent.thread"})
_MOST_FRAMES = 3
_WAIT_S = 1.0
_STEP_S = 0.01


class Background:
    """Knows what was started by which request, and whether it still runs."""

    def __init__(self, current: Current, record: Record, native: Native) -> None:
        self._current = current
        self._record = record
        self._lock = native.allocate_lock()
        self._running: weakref.WeakSet[Any] = weakref.WeakSet()

    def listen(self) -> None:
        """Be told of what is started from now on; nothing else changes for who starts it."""
        self._listen_to_threads()
        self._listen_to_executors()
        self._listen_to_greenlets()

    def _started(self, work: object) -> None:
        with self._lock:
            self._running.add(work)

    def _listen_to_threads(self) -> None:
        start = threading.Thread.start

        @functools.wraps(start)
        def started(thread: Any) -> None:
            request = self._current.get()
            if request is not None and _caller() not in _POOLS:
                self._started(thread)
                # Asked of the thread itself, since what `threading.excepthook` is may change.
                hook = thread.__dict__.get("_invoke_excepthook")
                if hook is not None:
                    thread._invoke_excepthook = _ThreadFailed(self, request, hook)
            start(thread)

        threading.Thread.start = started  # type: ignore[method-assign,assignment]

    def _listen_to_executors(self) -> None:
        submit: Callable[..., Any] = ThreadPoolExecutor.submit

        @functools.wraps(submit)
        def submitted(pool: Any, /, *args: Any, **named: Any) -> Any:
            future = submit(pool, *args, **named)
            request = self._current.get()
            if request is not None:
                self._started(future)
                future.add_done_callback(_FutureDone(self, request))
            return future

        ThreadPoolExecutor.submit = submitted  # type: ignore[method-assign]

    def _listen_to_greenlets(self) -> None:
        gevent = sys.modules.get("gevent")
        if gevent is None:
            return

        def spawned(greenlet: Any) -> None:
            request = self._current.get()
            if request is not None and _caller() not in _THREADS:
                self._started(greenlet)
                greenlet.rawlink(_GreenletDone(self, request))

        gevent.Greenlet.add_spawn_callback(spawned)

    def failed(self, kind: str, request: Request, error: BaseException | None) -> None:
        """Work of `request` ended with `error`; note it if it missed a context."""
        missed = _outside(error)
        if missed is None:
            return
        where = _raised_at(missed.__traceback__)
        self._record.note(
            Event(
                kind="escape.lost",
                place=f"{kind} ({where[0].function})" if where else kind,
                victim=request.who,
                seen=str(missed).partition("\n")[0],
                where=where,
                at_request=self._record.ended + 1,
            )
        )

    def wait(self, pause: Callable[[float], None]) -> None:
        """Give what still runs a second to end, by the blocking call of the cell's workers."""
        left = round(_WAIT_S / _STEP_S)
        while left and self._is_any_running():
            pause(_STEP_S)
            left -= 1

    def _is_any_running(self) -> bool:
        with self._lock:
            known = list(self._running)
        return any(map(_is_running, known))


class _ThreadFailed:
    """Stands for a thread's own hook; an object of ours, so that no search takes it for theirs."""

    __slots__ = ("_background", "_hook", "_request")

    def __init__(self, background: Background, request: Request, hook: Callable[[Any], None]):
        self._background, self._request, self._hook = background, request, hook

    def __call__(self, thread: Any) -> None:
        self._background.failed("a thread", self._request, sys.exc_info()[1])
        self._hook(thread)


class _FutureDone:
    __slots__ = ("_background", "_request")

    def __init__(self, background: Background, request: Request) -> None:
        self._background, self._request = background, request

    def __call__(self, future: Future[Any]) -> None:
        if not future.cancelled():
            self._background.failed("an executor", self._request, future.exception())


class _GreenletDone:
    __slots__ = ("_background", "_request")

    def __init__(self, background: Background, request: Request) -> None:
        self._background, self._request = background, request

    def __call__(self, greenlet: Any) -> None:
        self._background.failed("a greenlet", self._request, greenlet.exception)


def _caller() -> str:
    """The module of whoever called the function of ours that asks."""
    return str(sys._getframe(2).f_globals.get("__name__", ""))


def _is_running(work: Any) -> bool:
    if isinstance(work, threading.Thread):
        return work.is_alive()
    if isinstance(work, Future):
        return not work.done()
    return not work.ready()


def _outside(error: BaseException | None) -> BaseException | None:
    """The framework's error among an error and its causes."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OutsideContextError):
            return error
        if isinstance(error, RuntimeError) and _OUTSIDE.search(str(error)):
            return error
        seen.add(id(error))
        error = error.__cause__
    return None


def _raised_at(traceback: TracebackType | None) -> tuple[Where, ...]:
    """The innermost lines of the application's own in a traceback."""
    places: list[Where] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if is_application_file(code.co_filename):
            file = shown_file(code.co_filename)
            places.append(Where(file, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return tuple(places[: -_MOST_FRAMES - 1 : -1])
