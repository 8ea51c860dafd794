"""`tasks:N`: an asyncio task for each request; the synchronous application inline or in threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from threading import get_ident

from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, new_baseline


def run(crew: Crew) -> None:
    # In the main thread and in the context in which the application was imported: the loop, and
    # with it each request's task, starts from a copy of it, as a server's does.
    asyncio.run(_Loop(crew, min(crew.workers.count, crew.traffic.width)).run())


class _Loop:
    def __init__(self, crew: Crew, count: int) -> None:
        self._crew = crew
        self._count = count
        self._variant = crew.workers.variant
        self._carrier = crew.carrier()
        self._in_threads: dict[int, tuple[Carrier, Context]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._error: BaseException | None = None

    async def run(self) -> None:
        self._loop = asyncio.get_running_loop()
        # Each task gets a copy of the loop's context, not of the task that happened to end before.
        self._started_in = Context() if self._variant == "empty" else new_baseline()
        self._ended = asyncio.Event()
        with ThreadPoolExecutor(self._count) as pool:
            self._loop.set_default_executor(pool)
            self._active = self._count
            for _ in range(self._count):
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
            self._active -= 1
            if self._active == 0:
                self._ended.set()
            return
        task = self._loop.create_task(self._carry(request), context=self._started_in.copy())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, request: Request) -> None:
        try:
            if self._variant == "to_thread":
                await asyncio.to_thread(self._run_in_thread, request, reused=False)
            elif self._variant == "executor":
                await self._loop.run_in_executor(None, self._run_in_thread, request)
            else:
                await self._run_inline(request)
        except BaseException as error:  # noqa: BLE001 - raised again by `run`
            self._error = self._error or error
        finally:
            self._start_next()

    async def _run_inline(self, request: Request) -> None:
        for _ in self._carrier.carry(request, None):
            await asyncio.sleep(0)
            # Other tasks ran on this thread in the meantime.
            self._crew.current.set(request)

    def _run_in_thread(self, request: Request, *, reused: bool = True) -> None:
        carrier, baseline = self._of_this_thread()
        carrier.run(request, baseline if reused else None)

    def _of_this_thread(self) -> tuple[Carrier, Context]:
        ident = get_ident()
        if ident not in self._in_threads:
            self._in_threads[ident] = (self._crew.carrier(), new_baseline())
        return self._in_threads[ident]
