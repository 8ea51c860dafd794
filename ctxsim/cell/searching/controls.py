"""What runs the workers of a window as a schedule says: simulated threads, or tasks of a loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import Execution, Limits
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.standins.clocks import sleep
from ctxsim.cell.schedule.tracing import Tracer
from ctxsim.cell.targets import is_asynchronous
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, new_baseline

# The requests of one worker, in turn; each is made when the one before has ended.
Requests = Iterator[Request]


class Control(Protocol):
    """Carries windows, one after the other, in a process of their own."""

    def run(self, workers: Sequence[Requests], chooser: Chooser, seed: int) -> Execution:
        """Have the workers carry their requests; raises DivergedError as the chooser does."""


def of(crew: Crew, carrier: Carrier, tracer: Tracer, limits: Limits) -> Control:
    """The control for a crew's workers."""
    if not is_asynchronous(crew.target) and crew.workers.model != "tasks":
        return Threads(crew, carrier, tracer, limits)
    # asyncio brings much with it that other cells do not need.
    from ctxsim.cell.searching.tasks import TasksControl  # noqa: PLC0415 - see above

    return TasksControl(crew, carrier, tracer, limits)


class Threads:
    """Each worker is a simulated thread."""

    def __init__(self, crew: Crew, carrier: Carrier, tracer: Tracer, limits: Limits) -> None:
        self._is_copied = crew.workers.variant == "copied"
        self._imported_in = crew.imported_in
        self._carry_one: Callable[..., None] = carrier.run
        self._lockstep = Lockstep(tracer, limits, time_goes_on=True)

    def run(self, workers: Sequence[Requests], chooser: Chooser, seed: int) -> Execution:
        return self._lockstep.run([partial(self._carry, each) for each in workers], chooser, seed)

    def _carry(self, requests: Requests) -> None:
        run = self._carry_one
        baseline = new_baseline()
        for request in requests:
            if self._is_copied:
                self._imported_in.copy().run(run, request, None, _give_way)
            else:
                run(request, baseline, _give_way)


def _give_way() -> None:
    sleep(0)
