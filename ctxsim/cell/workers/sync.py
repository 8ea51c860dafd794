"""`sync`: one reused thread and context, one request after the other."""

from __future__ import annotations

from ctxsim.cell.workers.carry import Crew, new_baseline


def run(crew: Crew) -> None:
    # The main thread, in which the application was imported: as a synchronous server does.
    carrier, baseline = crew.carrier(), new_baseline()
    while (request := crew.traffic.take()) is not None:
        carrier.run(request, baseline)
