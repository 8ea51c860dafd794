"""The record of one cell: events on their way to the harness, and who runs what at the moment."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from ctxsim.cell.history import Event, Origin, Where
from ctxsim.cell.visits import Request

# So many causes are kept apart; beyond, something with ever new names would fill memory.
_MOST_CAUSES = 2000
# So many events of a cause count as its first ones: what is looked for at one may be gone.
_EARLY = 30
_OWN_FILES = str(Path(__file__).resolve().parents[2])
# An application may make code of ever new names.
_MOST_FILES = 10_000
_LIBRARY_FILES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})


class Carried:
    """Holds the request that a context works for.

    A context may live on, in a task that a request started. No search for what is kept of requests
    enters an object of ours, and it must find no request there that only we have put in.
    """

    __slots__ = ("request",)

    def __init__(self, request: Request | None) -> None:
        self.request = request


_NOTHING = Carried(None)
# In which the harness itself knows the current request, where it is known by context: no search of
# an application's context variables may count it.
IN_CONTEXT: ContextVar[Carried] = ContextVar("ctxsim.current_request", default=_NOTHING)


class Record:
    """Counts events by cause, and says the first of each at once.

    `lock` is a native lock that was kept before anything was monkey-patched: an event may be noted
    by any native thread, and noting it must not switch greenlets.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None], lock: Any) -> None:
        self._say = say
        self.lock = lock
        self._counts: dict[tuple[str, ...], int] = {}
        # How many requests have ended, as far as it is known; each event says when it came.
        self.ended = 0
        # Is told of every event, where anybody asks.
        self.on_event: Callable[[Event], None] | None = None
        # Is told of the first events of each cause.
        self.on_early: Callable[[Event], None] = _nothing_more

    def note(self, event: Event, times: int = 1) -> None:
        """Take up one event. It is said before the request that showed it goes on.

        `times` is how often it happened, where that is known only afterwards.
        """
        with self.lock:
            cause = event.cause
            count = self._counts.get(cause, 0)
            if count == 0 and len(self._counts) >= _MOST_CAUSES:
                return
            self._counts[cause] = count + times
            if self.on_event is not None:
                self.on_event(event)
        if count == 0:
            self._say({"say": "event", "event": asdict(event)})
        if count < _EARLY:
            self.on_early(event)

    def hand_to(self, say: Callable[[dict[str, Any]], None]) -> None:
        """Say events to `say` from now on, as if no request and no cause had been seen before."""
        self._say = say
        self._counts = {}
        self.ended = 0
        # Where a value comes from is searched with a trace function, which others may need.
        self.on_early = _nothing_more

    def tell_origin(self, cause: tuple[str, ...], origin: Origin) -> None:
        """Say where the value of a cause came from; the last word on a cause counts."""
        self._say({"say": "origin", "cause": list(cause), "origin": asdict(origin)})

    def counts(self) -> list[tuple[tuple[str, ...], int]]:
        with self.lock:
            return list(self._counts.items())


def _nothing_more(_event: Event) -> None:
    """Nobody asks for the first events."""


class Milestones:
    """Says, once for each of a few numbers, that a count has reached it; for any native thread."""

    def __init__(self, numbers: Iterable[int], lock: Any) -> None:
        self._later = iter(numbers)
        self.next: float = next(self._later)
        self._lock = lock

    def reached(self, count: int) -> bool:
        if count < self.next:
            return False
        with self._lock:
            if count < self.next:
                return False
            self.next = next(self._later, float("inf"))
            return True


class Current:
    """Which request the worker carries that asks; None for work that is no request's own.

    It is known by native thread until `settle` is called. Where greenlets exist by then it is known
    by greenlet: several of them may share a thread, and one that the application starts carries
    none. An asynchronous application's is known by context, because the tasks and threads that a
    request starts work for it. `thread_local` is one that was made before anything was
    monkey-patched.
    """

    __slots__ = ("get", "set")

    def __init__(self, thread_local: Any) -> None:
        def get() -> Request | None:
            found: Request | None = thread_local.__dict__.get("request")
            return found

        self.get: Callable[[], Request | None] = get
        self.set: Callable[[Request | None], object] = partial(setattr, thread_local, "request")

    def settle(self, *, by_context: bool) -> None:
        """Call this once the application is imported, before any request."""
        if by_context:
            self.get, self.set = _in_context, _put_in_context
            return
        greenlet = sys.modules.get("greenlet")
        if greenlet is None:
            return
        getcurrent = greenlet.getcurrent

        def get() -> Request | None:
            found: Request | None = getcurrent().__dict__.get("ctxsim_request")
            return found

        def put(request: Request | None) -> None:
            getcurrent().ctxsim_request = request

        self.get, self.set = get, put


def _in_context() -> Request | None:
    return IN_CONTEXT.get().request


def _put_in_context(request: Request | None) -> None:
    IN_CONTEXT.set(_NOTHING if request is None else Carried(request))


def application_frames(frame: FrameType | None, most: int = 3) -> tuple[Where, ...]:
    """The innermost frames of the application's own: neither ours nor the standard library's."""
    places: list[Where] = []
    while frame is not None and len(places) < most:
        file = frame.f_code.co_filename
        if is_application_file(file):
            places.append(Where(shown_file(file), frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(places)


# The files and folders of the target itself, which is the application wherever it is installed.
_TARGET: set[str] = set()


def count_as_application(module: ModuleType) -> None:
    """Count the module, or the package, that the target is in as the application's own."""
    if (file := module_file(module)) is not None:
        _TARGET.add(str(Path(file).parent) if "__path__" in vars(module) else file)
        _is_of_application.cache_clear()


def shown_file(file: str) -> str:
    """A source file as it is told: from the folder of the import path that it is in."""
    folders = [folder for folder in sys.path if folder and file.startswith(f"{folder}{os.sep}")]
    return os.path.relpath(file, max(folders, key=len)) if folders else file


def module_file(module: object) -> str | None:
    """Where a module's source is; asked of its names, since anything may be in `sys.modules`."""
    if not issubclass(type(module), ModuleType):
        return None
    file = ModuleType.__getattribute__(module, "__dict__").get("__file__")
    return file if type(file) is str else None


def is_application_file(file: str | None) -> bool:
    """Whether a source file is the application's own: neither ours nor a library's."""
    return file is not None and _is_of_application(file)


@functools.lru_cache(_MOST_FILES)
def _is_of_application(file: str) -> bool:
    # Asked of each module that there is, each time that the application's are searched.
    return file.startswith(tuple(_TARGET)) or not (is_own_file(file) or _of_library(file))


def is_own_file(file: str) -> bool:
    """Whether a source file is ctxsim's, or no file at all.

    A target may stand among ours: the gallery's do.
    """
    return file.startswith((_OWN_FILES, "<")) and not file.startswith(tuple(_TARGET))


def _of_library(file: str) -> bool:
    return "site-packages" in file or file.startswith(_LIBRARY_FILES)


def where_we_are(depth: int = 1) -> tuple[Where, ...]:
    """The application's frames that led to the caller."""
    return application_frames(sys._getframe(depth))
