"""Objects of the process, found without running any code of theirs."""

from __future__ import annotations

import gc
from typing import Any

# Values that cannot come to hold something else while they stay the same object.
UNCHANGEABLE = frozenset({str, bytes, int, float, bool, type(None)})

# Set in a class's `__flags__` if it was made at run time (CPython's Py_TPFLAGS_HEAPTYPE).
_HEAP_TYPE = 1 << 9


def instances(kind: type) -> list[Any]:
    """All instances of `kind`, and of the classes derived from it.

    Asked of their classes: `gc.get_objects` would also take hold of the half-built tuples of other
    threads, whose `tuple(generator)` then fails with a SystemError. And by `type`, since to ask a
    lazy object for its `__class__` is to evaluate it.
    """
    kinds: list[type] = [kind]
    for each in kinds:
        kinds += type.__subclasses__(each)
    static = any(not each.__flags__ & _HEAP_TYPE for each in kinds)
    # The instances of a type that is written in C, and not made at run time, do not refer to it.
    candidates = gc.get_objects() if static else gc.get_referrers(*kinds)
    return [each for each in candidates if issubclass(type(each), kind)]
