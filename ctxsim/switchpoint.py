"""Where control may change hands: a no-op unless a cell is driving.

The runtime and applications call down into this module; a cell installs what happens there. So the
runtime needs no knowledge of load or schedules, and an application may call `ctxsim.pause` in
production, where it is a plain sleep.
"""

from __future__ import annotations

import sys
import time
import types
from collections.abc import Callable

# What is told of contexts: ("context.push" | "context.pop" | "context.mispop", the context), and,
# by applications, any name of their own. None, and not an empty function, because the runtime asks
# `if switchpoint.listener is not None` on its fastest path.
listener: Callable[[str, object], None] | None = None

_sleep: Callable[[float], None] = time.sleep  # noqa: TID251 - what pause is in production
_pause = _sleep


def reach(name: str, subject: object = None) -> None:
    """Say that the place called `name` was reached; a driving cell may switch here."""
    if listener is not None:
        listener(name, subject)


def pause(seconds: float = 0) -> None:
    """Block for `seconds` in the way of whichever worker carries the request.

    A thread sleeps, a greenlet lets its hub run others, a task's thread sleeps. One application
    source can therefore run under every worker model.
    """
    _pause(seconds)


def drive(
    *,
    blocking: Callable[[float], None] | None = None,
    listening: Callable[[str, object], None] | None = None,
) -> None:
    """Install what `pause` and `reach` do; called by a cell before the application is imported."""
    global _pause, listener  # noqa: PLW0603 - one driver per process, by design
    _pause = _sleep if blocking is None else blocking
    listener = listening


class _CallableModule(types.ModuleType):
    # `ctxsim.switchpoint` is both the module and, for applications, the call that marks a place.
    def __call__(self, name: str = "switch", subject: object = None) -> None:
        reach(name, subject)


sys.modules[__name__].__class__ = _CallableModule
