"""The record of one cell: events on their way to the harness, and who runs what at the moment."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

from ctxsim.cell.history import Event, Where
from ctxsim.cell.visits import Request

# So many causes are kept apart; beyond, something with ever new names would fill memory.
_MOST_CAUSES = 2000
_OWN_FILES = str(Path(__file__).resolve().parents[2])
_LIBRARY_FILES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib")})


class Record:
    """Counts events by cause, and says the first of each at once.

    `lock` is a native lock that was kept before anything was monkey-patched: an event may be noted
    by any native thread, and noting it must not switch greenlets.
    """

    def __init__(self, say: Callable[[dict[str, Any]], None], lock: Any) -> None:
        self._say = say
        self._lock = lock
        self._counts: dict[tuple[str, ...], int] = {}
        # How many requests have ended, as far as it is known; each event says when it came.
        self.ended = 0

    def note(self, event: Event) -> None:
        """Take up one event. It is said before the request that showed it goes on."""
        with self._lock:
            cause = event.cause
            count = self._counts.get(cause, 0)
            if count == 0 and len(self._counts) >= _MOST_CAUSES:
                return
            self._counts[cause] = count + 1
        if count == 0:
            self._say({"say": "event", "event": asdict(event)})

    def counts(self) -> list[tuple[tuple[str, ...], int]]:
        with self._lock:
            return list(self._counts.items())


class NativeCurrent:
    """Which request the native thread carries; for workers that do not switch within a thread."""

    def __init__(self, thread_local: Any) -> None:
        self._local = thread_local

    def get(self) -> Request | None:
        found: Request | None = self._local.__dict__.get("request")
        return found

    def set(self, request: Request | None) -> None:
        self._local.request = request


class GreenletCurrent:
    """Which request the greenlet carries: an attribute of the greenlet itself.

    A greenlet that the application starts carries none: what it does is not the request's own.
    """

    def __init__(self, getcurrent: Callable[[], Any]) -> None:
        self._getcurrent = getcurrent

    def get(self) -> Request | None:
        found: Request | None = self._getcurrent().__dict__.get("ctxsim_request")
        return found

    def set(self, request: Request | None) -> None:
        self._getcurrent().ctxsim_request = request


Current = NativeCurrent | GreenletCurrent


def application_frames(frame: FrameType | None, most: int = 3) -> tuple[Where, ...]:
    """The innermost frames of the application's own: neither ours nor the standard library's."""
    places: list[Where] = []
    while frame is not None and len(places) < most:
        file = frame.f_code.co_filename
        if is_application_file(file):
            places.append(Where(file, frame.f_lineno, frame.f_code.co_name))
        frame = frame.f_back
    return tuple(places)


def is_application_file(file: str | None) -> bool:
    """Whether a source file is the application's own: neither ours nor a library's."""
    return file is not None and not file.startswith((_OWN_FILES, "<")) and not _of_library(file)


def _of_library(file: str) -> bool:
    return "site-packages" in file or file.startswith(_LIBRARY_FILES)


def where_we_are(depth: int = 1) -> tuple[Where, ...]:
    """The application's frames that led to the caller."""
    return application_frames(sys._getframe(depth))
