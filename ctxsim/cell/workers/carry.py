"""Carries one request from its start to the end of its response, whoever the worker is."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any, Protocol

from ctxsim.cell.history import Tally
from ctxsim.cell.plan import Plan, Workers
from ctxsim.cell.targets import AsyncTarget, Target
from ctxsim.cell.targets.faults import was_killed
from ctxsim.cell.targets.suspensions import Cancelled, Resumed
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.alone import Comparison
from ctxsim.cell.witness.answers import Answers, failure_of
from ctxsim.cell.witness.background import Background
from ctxsim.cell.witness.census import Census
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.learning import Learner
from ctxsim.cell.witness.origins import Origins
from ctxsim.cell.witness.probes import Probes
from ctxsim.cell.witness.record import Current, Record
from ctxsim.cell.witness.residue import Residue
from ctxsim.cell.workers.ended import Ended

# Latencies are kept with three digits: finer ones tell nothing, and the buckets stay few.
_GOOD = range(200, 300)
_FINE_US = 1_000


class Stream(Protocol):
    """Where requests come from, and go back to: all the traffic of a load, or a look's trials."""

    @property
    def width(self) -> int:
        """How many requests can be in flight at once."""

    @property
    def ask_again_s(self) -> float | None:
        """After how many seconds to ask again, where None was taken and more is to be sent."""

    def begin(self) -> None: ...
    def stop(self) -> None: ...
    def unsent(self) -> list[str]: ...
    def take(self) -> Request | None: ...
    def done(self, request: Request, response: Response, *, kept_promise: bool) -> None: ...


@dataclass(slots=True)
class Crew:
    """What all workers of a cell have in common.

    `imported_in` is the context in which the application was imported: what copies of it inherit.
    `live` holds the requests in flight, each with the coroutine that answers it, if there is one.
    `on_resume` is called each time that the coroutine of an asynchronous application's request goes
    on after it was suspended, in its task's context. It costs time at every suspension, so that
    there is none where nobody looks.
    """

    plan: Plan
    target: Target | AsyncTarget
    traffic: Stream
    answers: Answers
    residue: Residue | None
    census: Census | None
    origins: Origins
    inside: Inside | None
    probes: Probes | None
    record: Record
    current: Current
    clock: Callable[[], float]
    imported_in: Context
    live: dict[Request, object]
    tallies: list[Tally]
    background: Background
    on_resume: list[Callable[[], object]] = field(default_factory=list)
    learner: Learner | None = None
    comparison: Comparison | None = None
    # Of a live load: each request that has ended, until the harness has been told of it.
    ended: Ended | None = None
    # The steps that were answered well: those of whose answers some, or none, could be compared.
    told: set[int] = field(default_factory=set)
    untold: set[int] = field(default_factory=set)

    def untold_routes(self) -> list[str]:
        """The routes that were answered well, and of whose answers none could be compared."""
        if self.plan.look is not None:
            return []
        steps = self.plan.steps
        told = {steps[each].route for each in self.told}
        routes = (steps[each].route for each in sorted(self.untold))
        return [route for route in dict.fromkeys(routes) if route not in told]

    @property
    def workers(self) -> Workers:
        return self.plan.workers

    def carrier(self) -> Carrier:
        """A carrier for one native thread; its tally is its own, because counts race."""
        return Carrier(self)


class Carrier:
    """Carries requests for the workers of one native thread."""

    __slots__ = ("_crew", "_target", "tally")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        # A Target or an AsyncTarget: `models` has the one carried and the other answer.
        self._target: Any = crew.target
        self.tally = Tally()
        crew.tallies.append(self.tally)

    def carry(self, request: Request, baseline: Context | None) -> Generator[None]:
        """Send one request and look at what comes of it.

        Yields where a server would wait between two parts of a response. `baseline` is what the
        worker's context held when it was new; None for a worker that is new now.
        """
        self._begin(request, baseline)
        clock = self._crew.clock
        # An answer that is late because earlier ones were is late all the same: what counts is
        # when the request was due (Tene, "How NOT to measure latency": coordinated omission).
        started = clock() if request.due is None else request.due
        response = yield from self._target.send(request)
        self._end(request, response, clock() - started)

    async def answer(self, request: Request, baseline: Context | None) -> None:
        """Send one request to an asynchronous application, as `carry` does to others."""
        self._begin(request, baseline)
        clock = self._crew.clock
        started = clock()
        answering = self._crew.live[request] = self._target.answer(request)
        if self._crew.on_resume or request.fault == "cancel":
            answering = self._followed(request, answering)
        response = await answering
        self._end(request, response, clock() - started)

    def _followed(self, request: Request, answering: Any) -> Awaitable[Response]:
        for on_resume in self._crew.on_resume:
            answering = Resumed(answering, on_resume)
        return Cancelled(answering, request) if request.fault == "cancel" else answering

    def _begin(self, request: Request, baseline: Context | None) -> None:
        crew, tally = self._crew, self.tally
        live, inside = crew.live, crew.inside
        live[request] = None
        request.began = crew.record.ended
        if len(live) > tally.in_flight_peak:
            tally.in_flight_peak = len(live)
        # Before the request is known in the context, which then is empty in most workers.
        if crew.residue is not None:
            crew.residue.before(request, baseline)
        crew.current.set(request)
        if inside is not None:
            inside.before(request)
        if crew.origins.wanted:
            crew.origins.begin(request)

    def _end(self, request: Request, response: Response, elapsed_s: float) -> None:
        crew, tally = self._crew, self.tally
        inside = crew.inside
        if crew.origins.traced is request:
            crew.origins.end(request)
        self._count_latency(elapsed_s)
        if inside is not None:
            if response.error is not None:
                inside.raised(request, response.error)
            inside.after(request)
        if crew.residue is not None:
            crew.residue.after(request)
        crew.current.set(None)
        compared, step = tally.compared, request.prepared.index
        kept = crew.answers.examine(request, response, tally)
        if step not in crew.told:
            if tally.compared > compared:
                crew.told.add(step)
            elif request.user.number and response.body and response.status in _GOOD:
                crew.untold.add(step)
        crew.traffic.done(request, response, kept_promise=kept)
        del crew.live[request]
        if crew.ended is not None:
            failure = "" if request.faulted else failure_of(request, response)
            crew.ended.add(request, elapsed_s, failure)
        if request.faulted and request.fault:
            tally.faults[request.fault] = tally.faults.get(request.fault, 0) + 1
        tally.visitors += request.user.number == 0
        tally.requests += 1
        crew.record.ended += 1

    def run(
        self,
        request: Request,
        baseline: Context | None = None,
        give_way: Callable[[], None] | None = None,
    ) -> None:
        """Carry one request in a worker that blocks.

        `give_way` lets others run where a server would wait. A worker that is killed there is
        killed for the sake of its request, which ends.
        """
        carried = self.carry(request, baseline)
        for _ in carried:
            if give_way is None:
                continue
            try:
                give_way()
            except BaseException as killed:
                if not was_killed(request):
                    raise
                with contextlib.suppress(StopIteration):
                    carried.throw(killed)

    def _count_latency(self, seconds: float) -> None:
        us = int(seconds * 1e6)
        if us >= _FINE_US:
            us = _rounded(us)
        latency = self.tally.latency_us
        latency[us] = latency.get(us, 0) + 1


def carry_each(
    crew: Crew,
    carrier: Carrier,
    requests: Iterable[Request],
    baseline: Context | None,
    give_way: Callable[[], None] | None = None,
) -> None:
    """Carry requests one after the other in this worker, as `Carrier.run` does.

    Of the variant `copied` each has a copy of the context that the application was imported in, and
    no baseline.
    """
    for request in requests:
        if crew.workers.variant == "copied":
            crew.imported_in.copy().run(carrier.run, request, None, give_way)
        else:
            carrier.run(request, baseline, give_way)


def _rounded(us: int) -> int:
    return us if us < _FINE_US else us - us % 10 ** (len(str(us)) - 3)


def waited(waits_s: Iterable[tuple[float, int]]) -> Tally:
    """A tally of requests that were never sent: nothing is known of them but how long they waited.

    Each wait, in seconds, stands beside the number of those who waited for so long.
    """
    tally = Tally()
    for seconds, count in waits_s:
        us = _rounded(int(max(0.0, seconds) * 1e6))
        tally.latency_us[us] = tally.latency_us.get(us, 0) + count
    return tally


def new_baseline() -> Context:
    """What this worker's context holds now; to be taken while the worker is new."""
    return copy_context()


def added_up(tallies: list[Tally]) -> Tally:
    """One tally of several."""
    total = Tally()
    for tally in list(tallies):
        total.add(tally)
    return total
