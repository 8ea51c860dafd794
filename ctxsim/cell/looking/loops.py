"""Whether a synchronous application runs event loops of its own, as async views under WSGI do."""

from __future__ import annotations

from asyncio import base_events
from collections.abc import Callable
from typing import Any


class Loops:
    """Counts the loops of asyncio's that are run, in whatever thread, from now on.

    In the process of a look alone: what an application finds in asyncio is otherwise untouched.
    """

    def __init__(self) -> None:
        self.run = 0

    def watch(self) -> None:
        loop_type: Any = base_events.BaseEventLoop
        runs: Callable[[Any], None] = loop_type.run_forever

        def run_forever(loop: Any) -> None:
            self.run += 1
            runs(loop)

        loop_type.run_forever = run_forever
