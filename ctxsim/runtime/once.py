"""Runs an app's `before_first_request` functions once, while every other request waits.

A plain lock is right between threads. It is wrong between greenlets of one thread where nothing was
monkey-patched: the waiter would stop the very thread that the others need to go on. There the
waiter lets others run instead of blocking.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence

from greenlet import getcurrent


class FirstRequest:
    """Before the first request of an app."""

    def __init__(self) -> None:
        self.done = False
        # Both are looked up here and not at import: where gevent has replaced one, it has
        # replaced the other, and then every greenlet counts as a thread.
        self._lock = threading.Lock()
        self._thread_number = threading.get_ident
        self._owner: tuple[int, int] | None = None

    def run(self, functions: Sequence[Callable[[], object]]) -> None:
        """Call `functions` in order, unless they were; wait where another worker is at it.

        What a function raises passes through; the next request then starts with the first function
        again. A request that a function itself makes passes without waiting for its own end.
        """
        here = (self._thread_number(), id(getcurrent()))
        if self._owner == here:
            return
        self._acquire(here[0])
        try:
            self._owner = here
            if not self.done:
                for function in functions:
                    function()
                self.done = True
        finally:
            self._owner = None
            self._lock.release()

    def _acquire(self, thread_number: int) -> None:
        while not self._lock.acquire(blocking=False):
            owner = self._owner
            if owner is not None and owner[0] == thread_number:
                _let_others_run()
            else:
                self._lock.acquire()
                return


def _let_others_run() -> None:
    gevent = sys.modules.get("gevent")
    parent = getcurrent().parent
    if gevent is not None and (parent is None or hasattr(parent, "loop")):
        # Only a hub knows how to come back to a greenlet that waits.
        gevent.sleep(0)
    elif parent is not None:
        parent.switch()
