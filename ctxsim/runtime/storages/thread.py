"""One value per thread: greenlets and tasks of one thread share it.

`threading.local` is looked up when a slot is made and not when this module is imported, because
gevent replaces it: an application that is imported after patching gets a greenlet's local, one that
is imported before keeps the thread's. Both happen in production, and both must be shown.
"""

from __future__ import annotations

import threading
from functools import partial

from ctxsim.runtime.storages.slot import Slot


def make_slot(name: str) -> Slot:
    """Give a slot kept in a `threading.local` under the attribute `name`."""
    local = threading.local()
    attribute = f"ctxsim_{name}"
    return Slot(partial(getattr, local, attribute, None), partial(setattr, local, attribute))
