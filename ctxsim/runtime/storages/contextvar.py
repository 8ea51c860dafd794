"""One value per context: a thread, a greenlet and an asyncio task each have their own.

A copied context starts with the values of the one it was copied from (PEP 567), so what is stored
must never be changed in place.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ctxsim.runtime.storages.slot import Slot


def make_slot(name: str) -> Slot:
    """Give a slot kept in a `contextvars.ContextVar` called `name`."""
    variable: ContextVar[Any] = ContextVar(name, default=None)
    return Slot(variable.get, variable.set)
