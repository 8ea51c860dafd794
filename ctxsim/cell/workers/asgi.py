"""ASGI applications under `tasks:N`, `tasks:N:empty` and `sync`: tasks of one loop.

Under `sync` there is one request after the other, and all have one context: what a request leaves
in it meets the next one, as in a server that lets a connection's requests inherit from each other.
"""

from __future__ import annotations

import asyncio
from contextvars import Context
from functools import partial

from ctxsim.cell.workers.carry import Crew, new_baseline
from ctxsim.cell.workers.in_flight import InFlight

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
        await InFlight(crew, 1, carry, lambda: reused).run()
        return
    count = min(crew.workers.count, crew.traffic.width)
    context = Context if crew.workers.variant == "empty" else baseline.copy
    await InFlight(crew, count, partial(carrier.answer, baseline=None), context).run()
