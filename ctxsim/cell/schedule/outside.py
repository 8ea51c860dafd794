"""Real threads that do something for a worker, as a pool does that was made before the stand-ins.

What they do is not controlled, but a worker that waits for them is in no deadlock.
"""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Callable, Iterable

from ctxsim.cell.schedule.real import allocate_lock
from ctxsim.cell.schedule.states import Roster, Worker

_MOMENT_S = 0.002
_MOMENTS = 10
# Nobody gives it back, so that to wait for it is to wait for a moment of real time.
_never = allocate_lock()
_never.acquire()


class Outside:
    """The workers that real threads have woken."""

    def __init__(self) -> None:
        self._woken: deque[Worker] = deque()

    def wake(self, workers: Iterable[Worker]) -> None:
        """Called in a real thread."""
        self._woken.extend(workers)

    def let_in(self, roster: Roster) -> bool:
        """Wake whom real threads have woken, or are about to; whether there was one."""
        if roster.waits():
            await_outside(lambda: bool(self._woken))
        while self._woken:
            roster.wake(self._woken.popleft())
        return bool(roster.ready)


def await_outside(has_come: Callable[[], bool]) -> bool:
    """Give real threads a moment, if there are any; whether what is awaited has come."""
    moments = _MOMENTS if _thread._count() else 0
    while moments and not has_come():
        _never.acquire(timeout=_MOMENT_S)
        moments -= 1
    return has_come()
