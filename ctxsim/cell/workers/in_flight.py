"""Keeps a number of requests in flight on an asyncio loop, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Crew


class InFlight:
    """Has `carry` carry each request, in a task that runs in what `context` gives for it."""

    def __init__(
        self,
        crew: Crew,
        count: int,
        carry: Callable[[Request], Coroutine[Any, Any, None]],
        context: Callable[[], Context],
    ) -> None:
        self._crew = crew
        self._active = count
        self._carry = carry
        self._context = context
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    async def run(self) -> None:
        """Return when the traffic has ended; raises what carrying a request raised."""
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        for _ in range(self._active):
            self._start_next()
        await self._ended.wait()
        if self._error is not None:
            raise self._error

    def _start_next(self) -> None:
        request = None
        try:
            request = None if self._error else self._crew.traffic.take()
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._error = error
        if request is None:
            wait_s = None if self._error else self._crew.traffic.ask_again_s
            if wait_s is not None:
                self._loop.call_later(wait_s, self._start_next)
                return
            self._active -= 1
            if self._active == 0:
                self._ended.set()
            return
        # Not in the context of the task that happened to end before.
        task = self._loop.create_task(self._guarded(request), context=self._context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, request: Request) -> None:
        try:
            await self._carry(request)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._error = self._error or error
        finally:
            self._start_next()
