"""One value for all workers: broken on purpose, so that a check can be seen to find it."""

from __future__ import annotations

from functools import partial
from typing import Any

from ctxsim.runtime.storages.slot import Slot


def make_slot(name: str) -> Slot:
    """Give a slot that every worker reads and writes; `name` is of no use to a list."""
    cell: list[Any] = [None]
    return Slot(partial(cell.__getitem__, 0), partial(cell.__setitem__, 0))
