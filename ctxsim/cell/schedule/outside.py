"""Real threads that do something for a worker, as a pool does that was made before the stand-ins.

What they do is not controlled, but a worker that waits for them is in no deadlock.
"""

from __future__ import annotations

import _thread
from collections import deque
from collections.abc import Iterable

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
            self._await()
        while self._woken:
            roster.wake(self._woken.popleft())
        return bool(roster.ready)

    def _await(self) -> None:
        moments = _MOMENTS if _thread._count() else 0
        while moments and not self._woken:
            _never.acquire(timeout=_MOMENT_S)
            moments -= 1
