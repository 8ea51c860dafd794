"""What stands in where greenlets are the workers: for clocks, chance, native sleep and threads.

gevent's primitives stay as they are. Of locks is noted who has taken them, which gevent does not
keep, and without which a deadlock could not be told.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import gevent
import gevent.lock
import gevent.thread
from gevent._socketcommon import SocketMixin

from ctxsim.cell.schedule.greenlets import near, processes, stood
from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.standins import StandIns

_THREAD = "a native thread that it starts"


class GreenletStandIns(StandIns):
    """To be installed before the application is imported, and before anything is patched.

    The stand-in for the native sleep lets time go by while nobody goes on: that is what it does to
    greenlets. Patching then puts gevent's in its place.
    """

    def __init__(self) -> None:
        super().__init__(threads=False, more=_refused_threads())
        self._noted: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        super().install()
        lock_type: Any = gevent.thread.LockType
        self._put(lock_type, "acquire", _noting(lock_type.acquire))
        for name in ("Semaphore", "BoundedSemaphore"):
            self._put(gevent.lock, name, _noting_kind(getattr(gevent.lock, name)))
        for name, stand_in in near.stand_ins().items():
            self._put(SocketMixin, name, stand_in)
        for owner, name, started in processes.stand_ins():
            self._put(owner, name, started)

    def remove(self) -> None:
        for owner, name, before in reversed(self._noted):
            setattr(owner, name, before)
        self._noted = []
        super().remove()

    def _put(self, owner: Any, name: str, stand_in: object) -> None:
        self._noted.append((owner, name, getattr(owner, name)))
        setattr(owner, name, stand_in)


def _noting(acquire: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(acquire)
    def acquired(lock: Any, *args: Any, **named: Any) -> Any:
        got = acquire(lock, *args, **named)
        # Who takes the last of several is not who has them all.
        if got and here() is not None and lock.locked() and _is_for_one(lock):
            stood.taken[lock] = gevent.getcurrent(), stood.place_of(sys._getframe(1))
        return got

    return acquired


def _is_for_one(lock: Any) -> bool:
    return int(getattr(lock, "ctxsim_value", 1)) == 1


def _noting_kind(kind: Any) -> Any:
    """A kind of semaphore, compiled as it is, with a note of who has taken it."""

    def __init__(lock: Any, value: int = 1, *args: Any, **named: Any) -> None:
        kind.__init__(lock, value, *args, **named)
        lock.ctxsim_value = value

    names = {
        "__init__": __init__,
        "acquire": _noting(kind.acquire),
        "__module__": kind.__module__,
        "__doc__": kind.__doc__,
    }
    return type(kind.__name__, (kind,), names)


def _refused_threads() -> dict[object, object]:
    """Stand-ins for what starts a native thread: within an execution, nobody would control it."""
    known: Any = _thread
    names = ("start_new_thread", "start_joinable_thread")
    return {real: _refusing(real) for name in names if (real := getattr(known, name, None))}


def _refusing(start: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(start)
    def started(*args: Any, **named: Any) -> Any:
        run = here()
        if run is not None:
            run.escape(_THREAD, sys._getframe(1))
        return start(*args, **named)

    return started
