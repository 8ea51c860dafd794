"""Locks that a worker can wait for without its thread being blocked.

A real lock inside says whether it is taken, in an execution as well as outside of one; it is never
waited for by a worker. So both worlds agree, and a stand-in can be put around a lock that others
still use directly. Semaphores, conditions, events, barriers and queues are the standard library's
own, which is Python code that waits for these locks.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any, ClassVar, Self

from ctxsim.cell.schedule.lockstep import Run, here
from ctxsim.cell.schedule.places import Place, application_place
from ctxsim.cell.schedule.real import allocate_lock as _allocate_lock
from ctxsim.cell.schedule.standins.waiters import Waiters
from ctxsim.cell.schedule.states import Worker

LOCK_TYPE: type = type(_allocate_lock())


class Lock:
    """`threading.Lock`, and what `_thread.allocate_lock` gives."""

    __slots__ = ("__weakref__", "_real", "_taken", "_waiters")
    called: ClassVar[str] = "Lock.acquire"

    def __init__(self) -> None:
        self._real: Any = _allocate_lock()
        self._waiters = Waiters()
        self._taken: tuple[Worker, Place] | None = None

    @classmethod
    def around(cls, real: object) -> Self:
        """A stand-in for a lock that is there already."""
        lock = cls()
        lock._real = real
        return lock

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        run = here()
        # What the real one refuses is refused by itself.
        is_refused = timeout != -1 and (not blocking or timeout < 0)
        if run is None or is_refused:
            return bool(self._real.acquire(blocking, timeout))
        patience_s = None if timeout == -1 else timeout
        return self._take(run, sys._getframe(1), patience_s if blocking else 0.0)

    def __enter__(self) -> bool:
        run = here()
        if run is None:
            return bool(self._real.acquire())
        return self._take(run, sys._getframe(1), None)

    def release(self) -> None:
        self._give(sys._getframe(1))

    def __exit__(self, *raised: object) -> None:
        self._give(sys._getframe(1))

    def locked(self) -> bool:
        return bool(self._real.locked())

    def holder(self) -> tuple[Worker, Place] | None:
        return self._taken if self._real.locked() else None

    def _take(self, run: Run, frame: FrameType, timeout_s: float | None) -> bool:
        run.give_way(frame)
        if not self._real.acquire(False) and not self._waiters.until(
            run, self._attempt, self, timeout_s
        ):
            return False
        if run.current is not None:
            self._taken = run.current, application_place(frame)
        return True

    def _attempt(self) -> bool:
        return bool(self._real.acquire(False))

    def _give(self, frame: FrameType) -> None:
        self._taken = None
        self._real.release()
        self._waiters.wake()
        if (run := here()) is not None:
            run.give_way(frame)

    def _at_fork_reinit(self) -> None:
        self._real._at_fork_reinit()
        self._taken = None
        self._waiters = Waiters()

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} ctxsim stand-in of {self._real!r}>"

    # Old names, which the standard library has as well.
    acquire_lock = acquire
    release_lock = release
    locked_lock = locked


class RLock(threading._RLock):  # type: ignore[misc]
    """`threading.RLock`: the standard library's own in Python, on a stand-in.

    The one in C knows its owner by the real thread, which all workers share.
    """

    def __init__(self) -> None:
        super().__init__()
        self._block = Lock()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        _give_way(sys._getframe(1))
        return bool(super().acquire(blocking, timeout))

    def __enter__(self, blocking: bool = True, timeout: float = -1) -> bool:
        _give_way(sys._getframe(1))
        return bool(super().acquire(blocking, timeout))

    def release(self) -> None:
        super().release()
        _give_way(sys._getframe(1))

    def __exit__(self, *raised: object) -> None:
        super().release()
        _give_way(sys._getframe(1))


def _give_way(frame: FrameType) -> None:
    if (run := here()) is not None:
        run.give_way(frame)
