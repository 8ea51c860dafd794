"""One dict for all, keyed by the worker's number, as Werkzeug did before contextvars.

Nobody removes a dead worker's entry. Numbers are used again, because both thread idents and the
addresses of greenlets are, so a new worker inherits what a dead one did not release.
"""

from __future__ import annotations

import threading
from typing import Any

from greenlet import getcurrent

from ctxsim.runtime.storages.slot import Slot


def worker_number() -> int:
    """Give the address of the current greenlet, or outside of any the thread's ident."""
    current = getcurrent()
    # A thread's own greenlet is no worker of its own: it stands for the thread.
    return threading.get_ident() if current.parent is None else id(current)


def make_slot(name: str) -> Slot:
    """Give a slot kept in a dict of its own; `name` is of no use to a dict."""
    values: dict[int, Any] = {}

    def get() -> Any:
        return values.get(worker_number())

    def put(value: Any) -> None:
        if value is None:
            values.pop(worker_number(), None)
        else:
            values[worker_number()] = value

    return Slot(get, put)
