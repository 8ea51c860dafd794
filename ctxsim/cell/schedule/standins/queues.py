"""`queue.SimpleQueue`, which is C code; the other queues are Python on locks."""

from __future__ import annotations

import sys
from _queue import Empty
from _queue import SimpleQueue as _SimpleQueue
from types import GenericAlias
from typing import Any, ClassVar

from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.schedule.standins.waiters import Waiters
from ctxsim.cell.schedule.states import Worker

_NOTHING = object()


class SimpleQueue:
    """A real queue holds the items, so that real threads and workers can share it."""

    __slots__ = ("__weakref__", "_real", "_waiters")
    called: ClassVar[str] = "SimpleQueue.get"
    __class_getitem__: Any = classmethod(GenericAlias)

    def __init__(self) -> None:
        self._real: _SimpleQueue[Any] = _SimpleQueue()
        self._waiters = Waiters()

    def put(self, item: object, block: bool = True, timeout: float | None = None) -> None:
        self._real.put(item)
        self._waiters.wake()
        if (run := here()) is not None:
            run.give_way(sys._getframe(1))

    def put_nowait(self, item: object) -> None:
        self.put(item)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        run = here()
        if run is None or not block or (timeout is not None and timeout < 0):
            return self._real.get(block, timeout)
        run.give_way(sys._getframe(1))
        got: list[Any] = []
        if not self._waiters.until(run, lambda: self._attempt(got), self, timeout):
            raise Empty
        return got[0]

    def get_nowait(self) -> Any:
        return self._real.get_nowait()

    def empty(self) -> bool:
        return self._real.empty()

    def qsize(self) -> int:
        return self._real.qsize()

    def holder(self) -> tuple[Worker, Place] | None:
        return None

    def _attempt(self, got: list[Any]) -> bool:
        try:
            got.append(self._real.get_nowait())
        except Empty:
            return False
        return True
