"""Carries one request from its start to the end of its response, whoever the worker is."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Protocol

from ctxsim.cell.history import Tally
from ctxsim.cell.plan import Workers
from ctxsim.cell.targets import Target
from ctxsim.cell.visits import Request, Response
from ctxsim.cell.witness.answers import Answers
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.record import Current, Record
from ctxsim.cell.witness.residue import Residue

# Latencies are kept with three digits: finer ones tell nothing, and the buckets stay few.
_FINE_US = 1_000


class Stream(Protocol):
    """Where requests come from, and go back to: all the traffic of a load, or a look's trials."""

    @property
    def width(self) -> int:
        """How many requests can be in flight at once."""

    def begin(self) -> None: ...
    def stop(self) -> None: ...
    def unsent(self) -> list[str]: ...
    def take(self) -> Request | None: ...
    def done(self, request: Request, response: Response, *, kept_promise: bool) -> None: ...


@dataclass(slots=True)
class Crew:
    """What all workers of a cell have in common.

    `imported_in` is the context in which the application was imported: what copies of it inherit.
    `live` holds the requests in flight.
    """

    workers: Workers
    target: Target
    traffic: Stream
    answers: Answers
    residue: Residue
    inside: Inside | None
    record: Record
    current: Current
    clock: Callable[[], float]
    imported_in: Context
    live: dict[Request, object]
    tallies: list[Tally]

    def carrier(self) -> Carrier:
        """A carrier for one native thread; its tally is its own, because counts race."""
        return Carrier(self)


class Carrier:
    """Carries requests for the workers of one native thread."""

    __slots__ = ("_crew", "tally")

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.tally = Tally()
        crew.tallies.append(self.tally)

    def carry(self, request: Request, baseline: Context | None) -> Generator[None]:
        """Send one request and look at what comes of it.

        Yields where a server would wait between two parts of a response. `baseline` is what the
        worker's context held when it was new; None for a worker that is new now.
        """
        self._begin(request, baseline)
        clock = self._crew.clock
        started = clock()
        response = yield from self._crew.target.send(request)
        self._end(request, response, clock() - started)

    def _begin(self, request: Request, baseline: Context | None) -> None:
        crew, tally = self._crew, self.tally
        live, inside = crew.live, crew.inside
        live[request] = None
        request.began = crew.record.ended
        if len(live) > tally.in_flight_peak:
            tally.in_flight_peak = len(live)
        crew.current.set(request)
        crew.residue.before(request, baseline)
        if inside is not None:
            inside.before(request)

    def _end(self, request: Request, response: Response, elapsed_s: float) -> None:
        crew, tally = self._crew, self.tally
        inside = crew.inside
        self._count_latency(elapsed_s)
        if inside is not None:
            if response.error is not None:
                inside.raised(request, response.error)
            inside.after(request)
        crew.residue.after(request)
        crew.current.set(None)
        kept = crew.answers.examine(request, response, tally)
        crew.traffic.done(request, response, kept_promise=kept)
        del crew.live[request]
        if request.faulted and request.fault:
            tally.faults[request.fault] = tally.faults.get(request.fault, 0) + 1
        tally.visitors += request.user.number == 0
        tally.requests += 1
        crew.record.ended += 1

    def run(self, request: Request, baseline: Context | None = None) -> None:
        """Carry one request in a worker that blocks."""
        for _ in self.carry(request, baseline):
            pass

    def _count_latency(self, seconds: float) -> None:
        us = int(seconds * 1e6)
        if us >= _FINE_US:
            digits = len(str(us)) - 3
            us -= us % 10**digits
        latency = self.tally.latency_us
        latency[us] = latency.get(us, 0) + 1


def new_baseline() -> Context:
    """What this worker's context holds now; to be taken while the worker is new."""
    return copy_context()


def added_up(tallies: list[Tally]) -> Tally:
    """One tally of several."""
    total = Tally()
    for tally in list(tallies):
        total.requests += tally.requests
        total.compared += tally.compared
        total.failed += tally.failed
        total.visitors += tally.visitors
        total.in_flight_peak = max(total.in_flight_peak, tally.in_flight_peak)
        for name in ("faults", "failures", "latency_us"):
            into, part = getattr(total, name), dict(getattr(tally, name))
            for key, count in part.items():
                into[key] = into.get(key, 0) + count
    return total
