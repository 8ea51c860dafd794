"""Processes of greenlets, where they were declared atomic: the standard library carries them.

Nobody goes on meanwhile. gevent's own would wait on the hub for each pipe, and others would go on
as the process happens to be quick or slow.
"""

from __future__ import annotations

import selectors
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import gevent.os
import gevent.subprocess
from gevent import monkey

from ctxsim.cell.schedule.leaving import leaving
from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.standins import processes

_FORKS = ("_raw_fork", "_raw_forkpty")
# In it the hub would go on with all the other requests.
_COPY = "a copy of its process"
_native: Any = monkey.get_original("subprocess", "Popen")
_gevents: Any = gevent.subprocess.Popen
_fork_exec = processes.of_subprocess


class _Selector(selectors.PollSelector):
    _selector_cls = monkey.get_original("select", "poll")


class Popen(_gevents):  # type: ignore[misc]
    """gevent's, or what the standard library makes of it."""

    def __new__(cls, *args: Any, **named: Any) -> Any:
        frame = sys._getframe(1)
        if cls is not Popen or here() is None or not leaving.on:
            return object.__new__(cls)
        processes.refuse_pool(frame)
        return object.__new__(_Carried if leaving.allows(frame, "subprocess") else cls)


class _Carried(_native, Popen):  # type: ignore[misc]
    """It is one of either kind to an application that asks."""

    def __init__(self, *args: Any, threadpool: object = None, **named: Any) -> None:
        super().__init__(*args, **named)

    def _execute_child(self, *args: Any) -> None:
        # Without it gevent has others fall back to what it can do.
        with _bound("_fork_exec", _fork_exec):
            super()._execute_child(*args)

    def _communicate(self, *args: Any) -> Any:
        with _bound("_PopenSelector", _Selector):
            return super()._communicate(*args)

    def rawlink(self, callback: Callable[[Any], object]) -> None:
        self.wait()
        callback(self)


@contextmanager
def _bound(name: str, real: object) -> Iterator[None]:
    """Have the standard library use what it has before it is patched; nobody else goes on."""
    known: Any = subprocess
    before = getattr(known, name)
    setattr(known, name, real)
    try:
        yield
    finally:
        setattr(known, name, before)


def stand_ins() -> tuple[tuple[Any, str, object], ...]:
    """What stands in for what: whose it is, its name there, and the stand-in."""
    known: Any = gevent.os
    return (
        (gevent.subprocess, "Popen", Popen),
        (known, "_waitpid", processes.looking(known._waitpid)),
        *((known, name, _refusing(getattr(known, name))) for name in _FORKS),
        # Gevent before 25.8 leaves it as it is.
        *((known, name, _closing(known.close)) for name in ("close",) if hasattr(known, name)),
    )


def _closing(close: Callable[[int], None]) -> Callable[[int], None]:
    """At once, and not when the hub goes on: who reads the other end waits for that, in its turn.

    Nobody waits on the hub for what is closed.
    """
    real = monkey.get_original("os", "close")

    @wraps(close)
    def closed(fd: int) -> None:
        if here() is None:
            close(fd)
        else:
            real(fd)

    return closed


def _refusing(fork: Callable[[], Any]) -> Callable[[], Any]:
    @wraps(fork)
    def forked() -> Any:
        run = here()
        if run is not None:
            frame = sys._getframe(1)
            processes.refuse_pool(frame)
            run.escape(_COPY, frame)
        return fork()

    return forked
