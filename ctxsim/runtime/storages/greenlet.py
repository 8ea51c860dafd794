"""One value per greenlet; a thread without greenlets counts as the greenlet it runs in."""

from __future__ import annotations

from itertools import count
from typing import Any

from greenlet import getcurrent

from ctxsim.runtime.storages.slot import Slot

_serial = count()


def make_slot(name: str) -> Slot:
    """Give a slot kept in the greenlets' own `__dict__`.

    Values die with their greenlet, because nothing else refers to them.
    """
    key = f"ctxsim.{name}.{next(_serial)}"

    def get() -> Any:
        return getcurrent().__dict__.get(key)

    def put(value: Any) -> None:
        if value is None:
            getcurrent().__dict__.pop(key, None)
        else:
            getcurrent().__dict__[key] = value

    return Slot(get, put)
