"""Event loops that workers run, as async views under WSGI do: they end the execution.

Such a loop waits in the system for its sockets and pipes, and with it the thread of all workers, of
whom the one that would wake it is one.
"""

from __future__ import annotations

import sys
from asyncio import base_events
from collections.abc import Callable
from typing import Any

from ctxsim.cell.schedule.lockstep import here

_AWAITED = "an event loop of its own"
_loop_type: Any = base_events.BaseEventLoop
_runs: Callable[[Any], None] = _loop_type.run_forever


def _run_forever(loop: Any) -> None:
    if (run := here()) is not None:
        run.escape(_AWAITED, sys._getframe(1))
    _runs(loop)


def install() -> None:
    _loop_type.run_forever = _run_forever


def remove() -> None:
    _loop_type.run_forever = _runs
