"""Where a worker's values are kept. A new storage is one file here and one line below."""

from __future__ import annotations

from collections.abc import Callable

from ctxsim.runtime.storages import contextvar, greenlet, ident, shared, thread
from ctxsim.runtime.storages.slot import Slot

MAKERS: dict[str, Callable[[str], Slot]] = {
    "contextvar": contextvar.make_slot,
    "greenlet": greenlet.make_slot,
    "thread": thread.make_slot,
    "ident": ident.make_slot,
    "shared": shared.make_slot,
}
