"""What a search has to know of a kind of workers: what stands in, what carries, where it switches.

Whatever carries runs workers as a chooser says, and tells the execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, Protocol

from ctxsim.cell.patching import Native
from ctxsim.cell.plan import Search, Workers
from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import Execution, Limits
from ctxsim.cell.schedule.legs import Noted, noting
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.standins.clocks import sleep
from ctxsim.cell.schedule.tracing import Tracers
from ctxsim.cell.schedule.watching import Watcher
from ctxsim.cell.searching.selecting import of_lines
from ctxsim.cell.targets import is_asynchronous
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, carry_each, new_baseline


class Conductor(Protocol):
    """Runs workers in a copy of the process, one execution after the other."""

    def run(self, calls: Iterable[Any], chooser: Chooser, seed: int = 0) -> Execution:
        """As a lockstep does: the workers in the order that `chooser` says."""


class Control(Protocol):
    """How workers of one kind are controlled.

    `started` is what a worker is called that a request has started. Where `at_lines`, lines are
    switch points; where `one_each`, no worker carries two requests. Where workers give way by
    themselves all the time, as tasks do, a search does not begin with `orders_first`.
    """

    started: str
    at_lines: bool
    one_each: bool
    orders_first: bool

    def settle(self) -> None:
        """Before copies of the process are made; raises TargetError for what none can control."""

    def selections(self, search: Search) -> list[Selection]:
        """In which files' lines workers can be made to wait, the narrowest first."""

    def look_ahead(self, selection: Selection) -> None:
        """Do here once what takes long in each copy of the process in which that is selected."""

    def conductor(
        self,
        selection: Selection,
        limits: Limits,
        watcher: Watcher | None = None,
        noted: Noted | None = None,
    ) -> AbstractContextManager[Conductor]:
        """What runs workers; to be entered in a copy of the process. A `watcher` is shown lines.

        In `noted` it is kept at which steps workers come to lines.
        """

    def worker(self, carrier: Carrier, requests: Iterator[Request]) -> Any:
        """What the conductor is given for a worker that carries these, one after the other."""


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
    if is_asynchronous(crew.target) or crew.workers.model == "tasks":
        from ctxsim.cell.searching.tasks import Tasks  # noqa: PLC0415 - asyncio brings much

        return Tasks(crew)
    return Threads(crew)


class Threads:
    """For `sync` and `threads`: simulated threads, which switch at lines and at blocking calls."""

    started = "thread"
    at_lines = True
    orders_first = True

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._tracers = Tracers()
        self.one_each = crew.workers.variant == "fresh"

    def settle(self) -> None:
        """All there is was put in place before the import."""

    def selections(self, search: Search) -> list[Selection]:
        return of_lines(self._crew.workers, search)

    def look_ahead(self, selection: Selection) -> None:
        self._tracers.put_ahead(selection)

    @contextmanager
    def conductor(
        self,
        selection: Selection,
        limits: Limits,
        watcher: Watcher | None = None,
        noted: Noted | None = None,
    ) -> Iterator[Conductor]:
        with (
            noting(self._tracers.of(selection, watcher), noted) as tracer,
            Lockstep(tracer, limits, time_goes_on=True) as lockstep,
        ):
            yield lockstep

    def worker(self, carrier: Carrier, requests: Iterator[Request]) -> Callable[[], None]:
        return partial(self._carry, carrier, requests)

    def _carry(self, carrier: Carrier, requests: Iterator[Request]) -> None:
        carry_each(self._crew, carrier, requests, new_baseline(), _give_way)


def _give_way() -> None:
    sleep(0)
