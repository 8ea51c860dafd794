"""Greenlets that carry one worker after the other, execution after execution.

To the interpreter a new greenlet is a new stack, for which it asks the system for memory, and gives
that back at the end: for a short request this takes half as long as the request itself.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import greenlet

from ctxsim.cell.schedule.states import Worker


def _serve(hub: Any, carry: object) -> None:
    """Carry whom it is told, for as long as `carry` says that it may go on.

    Whatever else comes is from an application that switches to it, as to one that has ended.
    """
    while type(carry) is partial and carry():
        # Nothing of the worker is kept.
        carry = None
        carry = hub.switch()


class Carriers:
    """Those of one hub, which end with each execution unless they `are_kept`.

    To anybody else each is as good as a new one, or it is not used again.
    """

    def __init__(self) -> None:
        self.are_kept = False
        self._hub: Any = None
        self._free: list[Any] = []
        self._taken: list[tuple[Any, Worker]] = []

    def take(self, worker: Worker, hub: Any) -> Any:
        """A greenlet that waits for a `partial` to call; it is free again if that returns True."""
        if hub is not self._hub:
            self._hub = hub
            self._free = []
        carrier = self._free.pop() if self._free else greenlet.greenlet(partial(_serve, hub), hub)
        self._taken.append((carrier, worker))
        return carrier

    def settle(self) -> None:
        """Called in the hub when the execution has ended, and no worker knows its greenlet."""
        while self._taken:
            carrier, worker = self._taken.pop()
            is_cut_off = worker.ended is None or worker.ended.cut_off
            if carrier.dead or is_cut_off:
                continue
            carrier.__dict__.clear()
            carrier.gr_context = None
            # An application may know a worker by its greenlet; the next worker is another.
            is_known = sys.getrefcount(carrier) > _UNKNOWN or weakref.getweakrefcount(carrier)
            if is_known or not self.are_kept:
                carrier.switch()
            else:
                self._free.append(carrier)

    def end(self) -> None:
        """Nobody is to be carried any more."""
        self.are_kept = False
        self._free = []


def _references() -> int:
    carrier: Callable[[], object] = partial(_references)
    return sys.getrefcount(carrier)


_UNKNOWN = _references()
