"""Processes: whoever starts one is refused, or it was declared atomic and is carried for real.

Then it is over as soon as somebody asks whether it is, since nobody goes on meanwhile: an
application that looks at it again and again would otherwise take no time by it, and see it run for
ever. A pool of processes is refused whatever is declared: its own threads wait for all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from _posixsubprocess import fork_exec
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from ctxsim.cell.schedule.leaving import leave, leaving
from ctxsim.cell.schedule.lockstep import Run, here
from ctxsim.cell.schedule.places import frames_from
from ctxsim.cell.schedule.real import allocate_lock

_Call = Callable[..., Any]
# The real one, which gevent patches.
_waitpid = os.waitpid
_popen: Any = subprocess.Popen
_internal_poll = _popen._internal_poll
_STARTS = ("posix_spawn", "posix_spawnp")
_FORKS = ("fork", "forkpty")
# It comes back when the process has ended, with how it has.
_WAITS = "system"
_POOLS = ("concurrent.futures.process", "multiprocessing.pool")
_POOL = "a pool of processes"
_PROCESS = "a process"
# How long a process may take, in real time, until somebody is told that it goes on.
_PATIENCE_S = 1.0
_MOMENT_S = 0.002
# Nobody gives it back, so that to wait for it is to wait for a moment of real time.
_never = allocate_lock()
_never.acquire()
# Who has been told so this often waits for its end.
_MOST_LOOKS = 20

# By their numbers, the processes that workers have started, and how often they were seen to go on.
_going_on: dict[int, int] = {}


def stand_ins() -> dict[object, object]:
    """By the real function, the one that stands in for it."""
    found: dict[object, object] = {
        fork_exec: of_subprocess,
        _waitpid: looking(_waitpid),
    }
    for name in (*_STARTS, *_FORKS, _WAITS):
        real = getattr(os, name)
        found[real] = _starting(real, "os")
    return found


def install() -> None:
    """Put in place what is no function of a module, but a process's."""
    _popen._internal_poll = _polling(_internal_poll)


def remove() -> None:
    _popen._internal_poll = _internal_poll


def looking(waitpid: _Call) -> _Call:
    """What stands in for a function that asks whether a process has ended."""

    @wraps(waitpid)
    def looked(pid: int, options: int) -> Any:
        if options & os.WNOHANG:
            _look(pid, sys._getframe(1))
        return waitpid(pid, options)

    return looked


def _polling(poll: _Call) -> _Call:
    # It has the real function for a default.
    @wraps(poll)
    def polled(process: subprocess.Popen[Any], *args: Any, **named: Any) -> Any:
        if process.returncode is None:
            _look(process.pid, sys._getframe(1))
        return poll(process, *args, **named)

    return polled


def _look(pid: int, frame: FrameType) -> None:
    """Have a process end first, if it does so soon, about which somebody asks."""
    run = here()
    if run is None or run.is_ending or not leaving.on or pid not in _going_on:
        return
    if _has_ended(pid, 0 if _going_on[pid] else _PATIENCE_S):
        del _going_on[pid]
        return
    _going_on[pid] += 1
    if _going_on[pid] > _MOST_LOOKS:
        run.escape(f"{_PROCESS} that goes on", frame)


def _has_ended(pid: int, patience_s: float) -> bool:
    moments = round(patience_s / _MOMENT_S)
    while not _is_over(pid):
        if moments == 0:
            return False
        moments -= 1
        _never.acquire(timeout=_MOMENT_S)
    return True


def _is_over(pid: int) -> bool:
    """Whether it has ended, which somebody else may have been told already."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def refuse_pool(frame: FrameType) -> None:
    """End the execution if that is a pool which starts its processes."""
    run = here()
    names = (each.f_globals.get("__name__") for each in frames_from(frame))
    if run is not None and leaving.on and any(name in _POOLS for name in names):
        run.escape(_POOL, frame)


def _starting(start: _Call, module: str) -> _Call:
    @wraps(start)
    def started(*args: Any, **named: Any) -> Any:
        run = here()
        refuse_pool(sys._getframe(1))
        leave(_PROCESS, module)
        result = start(*args, **named)
        if run is not None and leaving.on and start.__name__ != _WAITS:
            _note(run, result[0] if isinstance(result, tuple) else result)
        return result

    return started


def _note(run: Run, pid: int) -> None:
    if pid:
        _going_on[pid] = 0
    else:
        # A copy of this process, in which the other workers do not go on as well.
        run.current = None


of_subprocess = _starting(fork_exec, "subprocess")
