"""Workers whose order is forced: both have written before either reads."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

from greenlet import greenlet

Step = Callable[[], Any]
# What one worker does: first its write, and then, when all have written, its read.
Work = tuple[Step, Step]


def threads(works: list[Work]) -> list[Any]:
    barrier = threading.Barrier(len(works), timeout=10)
    seen: dict[int, Any] = {}

    def carry(number: int, work: Work) -> None:
        work[0]()
        barrier.wait()
        seen[number] = work[1]()

    running = [threading.Thread(target=carry, args=pair) for pair in enumerate(works)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(10)
    return [seen[number] for number in range(len(works))]


def greenlets(works: list[Work]) -> list[Any]:
    main = greenlet.getcurrent()

    def carry(work: Work) -> Any:
        work[0]()
        main.switch()
        return work[1]()

    running = [greenlet(carry) for _ in works]
    for worker, work in zip(running, works, strict=True):
        worker.switch(work)
    return [worker.switch() for worker in running]


def tasks(works: list[Work]) -> list[Any]:
    async def carry(work: Work, written: asyncio.Barrier) -> Any:
        work[0]()
        await written.wait()
        return work[1]()

    async def run() -> list[Any]:
        written = asyncio.Barrier(len(works))
        return await asyncio.gather(*[carry(work, written) for work in works])

    return asyncio.run(run())


def copies(works: list[Work]) -> list[Any]:
    held = [contextvars.copy_context() for _ in works]
    for context, work in zip(held, works, strict=True):
        context.run(work[0])
    return [context.run(work[1]) for context, work in zip(held, works, strict=True)]


CARRIERS = {"threads": threads, "greenlets": greenlets, "tasks": tasks, "copies": copies}
