"""ASGI applications under `tasks:N`, `tasks:N:empty` and `sync`: tasks of one loop.

Under `sync` there is one request after the other, and all have one context: what a request leaves
in it meets the next one, as in a server that lets a connection's requests inherit from each other.
What they hand to threads, one does for all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from contextvars import Context
from functools import partial
from typing import Any

from ctxsim.cell.learnt import has_own_thread
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Crew, new_baseline
from ctxsim.cell.workers.in_flight import InFlight
from ctxsim.cell.workers.own_threads import one_for_all, own_threads

# How often, and for how long each time, the loop goes on where requests left tasks behind: what is
# about to end is not kept.
_TURNS, _TURN_S = 20, 0.005


async def carry_all(crew: Crew) -> None:
    """Carry all requests; to be run on the application's own loop."""
    before = asyncio.all_tasks()
    await _carry(crew)
    for _ in range(_TURNS):
        await asyncio.sleep(0)
        if asyncio.all_tasks() <= before:
            break
        await asyncio.sleep(_TURN_S)


async def _carry(crew: Crew) -> None:
    # A task's context copies the one in which the loop was started, and so inherits what was set
    # while the application was imported, but nothing of its lifespan, which has a task of its own.
    baseline = new_baseline()
    carrier = crew.carrier()
    if crew.workers.model == "sync":
        reused = baseline.copy()
        carry = partial(carrier.answer, baseline=baseline)
        one_for_all()
        if crew.plan.apart:
            carry = partial(_carry_apart, crew.plan.process, carry)
        await InFlight(crew, 1, carry, lambda: reused).run()
        return
    count = min(crew.workers.count, crew.traffic.width)
    context = Context if crew.workers.variant == "empty" else baseline.copy
    await InFlight(crew, count, partial(carrier.answer, baseline=None), context).run()


async def _carry_apart(
    process: int, carry: Callable[[Request], Coroutine[Any, Any, None]], request: Request
) -> None:
    is_own = has_own_thread(request.user.number, process)
    with own_threads() if is_own else nullcontext():
        await carry(request)
