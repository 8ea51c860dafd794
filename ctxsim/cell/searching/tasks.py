"""How tasks are controlled: on the one loop that the application was started on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import replace
from typing import Any

from ctxsim.cell.plan import Search
from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import Escape, Execution, Limits
from ctxsim.cell.schedule.legs import Noted, noting
from ctxsim.cell.schedule.looping import Loop
from ctxsim.cell.schedule.points import Points
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.strategies.by_points import ByPoints
from ctxsim.cell.schedule.tasks import Tasks as Loops
from ctxsim.cell.schedule.tasks import Work
from ctxsim.cell.schedule.tracing import Tracers
from ctxsim.cell.schedule.watching import Watcher
from ctxsim.cell.searching.outside import told_escape
from ctxsim.cell.searching.selecting import of_lines
from ctxsim.cell.targets import is_asynchronous
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, new_baseline
from ctxsim.errors import SearchEndedError, TargetError

# A start does once what no request does: it may take long.
_START = Limits(steps=200_000)
_IN_TURN = Points(())


class Tasks:
    """Each request is a task, in a context as the workers have it; `sync` has one at a time."""

    started = "task"
    at_lines = False
    one_each = False
    orders_first = False

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._tracers = Tracers()
        self._is_asynchronous = is_asynchronous(crew.target)
        self._baseline: Context | None = None
        self._reused: Context | None = None

    def settle(self) -> None:
        """The lifespan has run under a schedule: what cannot be controlled was refused there."""

    def selections(self, search: Search) -> list[Selection]:
        # Threads may run beside the loop, and wait at their lines.
        lines = replace(search, granularity=search.granularity or "line")
        return of_lines(self._crew.workers, lines)

    def look_ahead(self, selection: Selection) -> None:
        self._tracers.put_ahead(selection)

    @contextmanager
    def conductor(
        self,
        selection: Selection,
        limits: Limits,
        watcher: Watcher | None = None,
        noted: Noted | None = None,
    ) -> Iterator[Loops]:
        baseline = new_baseline()
        if self._crew.workers.model == "sync":
            self._baseline, self._reused = baseline, baseline.copy()
        self._new = Context if self._crew.workers.variant == "empty" else baseline.copy
        with noting(self._tracers.of(selection, watcher), noted) as tracer:
            windows = _Windows(_loop_of(self._crew), tracer, limits)
            # Each copy of the process has connections of its own, and ends with them.
            windows.loop.asks_near = True
            yield windows

    def worker(self, carrier: Carrier, requests: Iterator[Request]) -> Iterator[Work]:
        for request in requests:
            yield self._carry(carrier, request), self._reused or self._new()

    async def _carry(self, carrier: Carrier, request: Request) -> None:
        if self._is_asynchronous:
            await carrier.answer(request, self._baseline)
            return
        for _ in carrier.carry(request, None):
            await asyncio.sleep(0)
            # Other tasks ran on this thread in the meantime.
            self._crew.current.set(request)


class _Windows(Loops):
    """What ends the process ends the search."""

    def run(self, calls: Iterable[Any], chooser: Chooser, seed: int = 0) -> Execution:
        try:
            return super().run(calls, chooser, seed)
        except SystemExit as error:
            raise SearchEndedError(
                "exit", f"the application ended its process amid the run: {error!r}"
            ) from error


class Runner:
    """Runs an application's start and end on the loop that carries its requests."""

    def __init__(self) -> None:
        self.loop = Loop()
        self._tasks = Loops(self.loop, limits=_START)
        self._has_started = False

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end; raises what it raises.

        The first that is run is the start: TargetError is raised if that cannot end under a
        schedule, or leaves what no schedule keeps. Of the end of the application nothing is asked.
        """
        chooser = ByPoints(_IN_TURN).begin(0, 0, Lengths())
        execution = self._tasks.run([iter([(work, copy_context())])], chooser)
        if not self._has_started:
            self._has_started = True
            _refuse(execution)
        if (error := execution.workers[0].error) is not None:
            raise error


def _refuse(start: Execution) -> None:
    if isinstance(start.stopped, Escape):
        told = told_escape(start.stopped)
        is_near = start.stopped.awaited.endswith(".create_connection")
        raise TargetError(
            f"it {told}: what goes on outside of the process is controlled by no schedule",
            _NEAR_HINT if is_near else _HINT,
        )
    if start.stopped is not None:
        raise TargetError(f"its lifespan did not come to its start: {start.stopped}", _HINT)
    if any(each.cut_off for each in start.workers):
        raise TargetError(
            "its lifespan started threads, and a schedule keeps none for the requests", _HINT
        )


_HINT = "write schedule: {kind: os}"
_NEAR_HINT = (
    "connect in a request, not at the start, and with a server on this machine, by 127.0.0.1 and "
    "without TLS; or write schedule: {kind: os}"
)


def _loop_of(crew: Crew) -> Loop | None:
    runner = getattr(crew.target, "runner", None)
    return runner.loop if isinstance(runner, Runner) else None
