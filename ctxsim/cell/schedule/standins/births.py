"""Hashes of threads and futures by birth, and silence about threads that are cut off.

The standard library keeps both in sets: a pool joins its threads, and `as_completed` yields
futures, in the order of addresses, which is another in each execution.
"""

from __future__ import annotations

import logging
import threading
from concurrent.futures import Future
from itertools import count
from typing import Any

from ctxsim.cell.schedule.lockstep import CutOff, Run

_ATTRIBUTE = "_ctxsim_born"
_threading: Any = threading
_births = count(1)


def _hash(each: Any) -> int:
    names: dict[str, int] = each.__dict__
    # The first look is at its birth, or where it is first put into a set.
    return names[_ATTRIBUTE] if _ATTRIBUTE in names else names.setdefault(_ATTRIBUTE, next(_births))


def _told(record: logging.LogRecord) -> bool:
    # A pool's idle threads are cut off in every execution, which is no error of theirs.
    return not (record.exc_info and record.exc_info[0] is CutOff)


def install() -> None:
    for thread in list(_threading._dangling):
        thread.__dict__.setdefault(_ATTRIBUTE, object.__hash__(thread))
    for kind in (threading.Thread, Future):
        kind.__hash__ = _hash  # type: ignore[assignment, method-assign]
    logging.getLogger("concurrent.futures").addFilter(_told)


def remove() -> None:
    for kind in (threading.Thread, Future):
        kind.__hash__ = object.__hash__  # type: ignore[method-assign]
    logging.getLogger("concurrent.futures").removeFilter(_told)


def anew(run: Run, seed: int) -> None:
    """Count the births of each execution from the same number."""
    global _births  # noqa: PLW0603 - one execution at a time
    _births = count(1)
