"""Pipes, and sockets that no server is behind: who waits for one is refused, unless declared."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import Any

from gevent import monkey

from ctxsim.cell.schedule.greenlets.outside import Refused
from ctxsim.cell.schedule.leaving import leaving

# The real one, in place of which gevent has its own.
_poll: Any = monkey.get_original("select", "poll")
_WHAT = "a socket or a pipe"
_READS, _WRITES = 1, 2
# How long it may take, in real time: for whoever could write to it, nobody else goes on.
_PATIENCE_S = 1.0


class Pipe(Refused):
    """A watcher of something that has a number as files have."""

    def __init__(self, loop: Any, fd: int, events: int) -> None:
        super().__init__(loop, _WHAT, "select")
        self._loop = loop
        self._fd = fd
        self._events = events
        self._told: Any = None

    def start(self, callback: Callable[..., object], *args: Any, pass_events: bool = False) -> None:
        if not (leaving.on and leaving.allows(sys._getframe(1), "select")):
            super().start()
        elif came := self._came():
            told = (came, *args) if pass_events else args
            self._told = self._loop.run_callback(callback, *told)
        else:
            self._loop.refuse(f"{_WHAT}, in vain")

    def stop(self) -> None:
        if self._told is not None:
            self._told.stop()

    close = stop

    def _came(self) -> int:
        wanted = (select.POLLIN if self._events & _READS else 0) | (
            select.POLLOUT if self._events & _WRITES else 0
        )
        poll = _poll()
        poll.register(self._fd, wanted)
        found = poll.poll(_PATIENCE_S * 1000)
        if not found:
            return 0
        came = found[0][1]
        # Who reads, or writes, is told by an error that the other end is gone.
        ended = came & ~(select.POLLIN | select.POLLOUT)
        reads = _READS if came & select.POLLIN or ended else 0
        writes = _WRITES if came & select.POLLOUT or ended else 0
        return self._events & (reads | writes)
