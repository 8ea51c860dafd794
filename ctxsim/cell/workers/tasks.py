"""`tasks:N`: an asyncio task for each request; the synchronous application inline or in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from threading import get_ident
from typing import Any

from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, new_baseline
from ctxsim.cell.workers.in_flight import InFlight


def run(crew: Crew) -> None:
    # In the main thread and in the context in which the application was imported: the loop, and
    # with it each request's task, starts from a copy of it, as a server's does.
    asyncio.run(_carry_all(crew))


async def _carry_all(crew: Crew) -> None:
    count = min(crew.workers.count, crew.traffic.width)
    context = Context if crew.workers.variant == "empty" else new_baseline().copy
    with ThreadPoolExecutor(count) as pool:
        asyncio.get_running_loop().set_default_executor(pool)
        await InFlight(crew, count, _way(crew), context).run()


def _way(crew: Crew) -> Callable[[Request], Coroutine[Any, Any, None]]:
    match crew.workers.variant:
        case "to_thread":
            return _InThreads(crew).by_to_thread
        case "executor":
            return _InThreads(crew).by_executor
        case _:
            return _Inline(crew).carry


class _Inline:
    def __init__(self, crew: Crew) -> None:
        self._current = crew.current
        self._carrier = crew.carrier()

    async def carry(self, request: Request) -> None:
        for _ in self._carrier.carry(request, None):
            await asyncio.sleep(0)
            # Other tasks ran on this thread in the meantime.
            self._current.set(request)


class _InThreads:
    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._threads: dict[int, tuple[Carrier, Context]] = {}

    async def by_to_thread(self, request: Request) -> None:
        # It copies the task's context for each call: to the application, the worker is new.
        await asyncio.to_thread(self._run, request, reused=False)

    async def by_executor(self, request: Request) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._run, request)

    def _run(self, request: Request, *, reused: bool = True) -> None:
        ident = get_ident()
        if ident not in self._threads:
            self._threads[ident] = (self._crew.carrier(), new_baseline())
        carrier, baseline = self._threads[ident]
        carrier.run(request, baseline if reused else None)
