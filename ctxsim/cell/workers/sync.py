"""`sync`: one reused thread and context, one request after the other."""

from __future__ import annotations

from functools import partial

from ctxsim.cell.learnt import has_own_thread
from ctxsim.cell.workers.carry import Crew, new_baseline
from ctxsim.cell.workers.threads import in_threads


def run(crew: Crew) -> None:
    # The main thread, in which the application was imported: as a synchronous server does.
    carrier, baseline = crew.carrier(), new_baseline()
    plan = crew.plan
    while (request := crew.traffic.take()) is not None:
        if plan.apart and has_own_thread(request.user.number, plan.process):
            in_threads(1, partial(carrier.run, request))
        else:
            carrier.run(request, baseline)
