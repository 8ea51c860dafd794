"""What a search has to know of a kind of workers: what stands in, what carries, where it switches.

Whatever carries is a lockstep: it runs callables as a chooser says, and tells the execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from ctxsim.cell.patching import Native
from ctxsim.cell.plan import Search, Workers
from ctxsim.cell.schedule.execution import Limits
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.standins.clocks import sleep
from ctxsim.cell.schedule.tracing import Selection, tracing
from ctxsim.cell.searching.selecting import NOWHERE, selected
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, new_baseline


class Control(Protocol):
    """How workers of one kind are controlled.

    `started` is what a worker is called that a request has started. Where `at_lines`, lines are
    switch points; where `one_each`, no worker carries two requests.
    """

    started: str
    at_lines: bool
    one_each: bool

    def settle(self) -> None:
        """Before copies of the process are made; raises TargetError for what none can control."""

    def selections(self, search: Search) -> list[Selection]:
        """In which files' lines workers can be made to wait, the narrowest first."""

    def lockstep(self, selection: Selection, limits: Limits) -> AbstractContextManager[Lockstep]:
        """What runs workers in a copy of the process."""

    def carry_in_worker(self, carrier: Carrier) -> Callable[[Request], None]:
        """What carries requests; asked for in the worker, when that is new."""


def prepare(workers: Workers, native: Native) -> None:
    """Have simulated waits and time stand in; before the application is imported or patched."""
    if workers.needs_gevent:
        from ctxsim.cell.schedule.greenlets.stand_ins import (  # noqa: PLC0415 - it needs gevent
            GreenletStandIns,
        )

        GreenletStandIns().install()
    else:
        StandIns().install()
        native.sleep = sleep


def control_of(crew: Crew) -> Control:
    if crew.workers.needs_gevent:
        from ctxsim.cell.searching.greenlets import Greenlets  # noqa: PLC0415 - it needs gevent

        return Greenlets(crew)
    return Threads(crew)


class Threads:
    """For `sync` and `threads`: simulated threads, which switch at lines and at blocking calls."""

    started = "thread"
    at_lines = True

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.one_each = crew.workers.variant == "fresh"

    def settle(self) -> None:
        """All there is was put in place before the import."""

    def selections(self, search: Search) -> list[Selection]:
        # One worker alone goes on anyway.
        if self._crew.workers.in_flight == 1:
            return [NOWHERE]
        return selected(search.select, search.granularity)

    @contextmanager
    def lockstep(self, selection: Selection, limits: Limits) -> Iterator[Lockstep]:
        with tracing(selection) as tracer:
            yield Lockstep(tracer, limits, time_goes_on=True)

    def carry_in_worker(self, carrier: Carrier) -> Callable[[Request], None]:
        baseline = new_baseline()

        def carry(request: Request) -> None:
            if self._crew.workers.variant == "copied":
                self._crew.imported_in.copy().run(carrier.run, request, None, _give_way)
            else:
                carrier.run(request, baseline, _give_way)

        return carry


def _give_way() -> None:
    sleep(0)
