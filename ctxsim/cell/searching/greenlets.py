"""How `greenlets:N` is controlled: a greenlet of gevent's for each request, on a loop of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import gevent

from ctxsim.cell.plan import Search
from ctxsim.cell.schedule.execution import Limits
from ctxsim.cell.schedule.greenlets.hub import Greenlets as Hub
from ctxsim.cell.schedule.greenlets.hub import bring_to_rest, going_on
from ctxsim.cell.schedule.legs import Noted, noting
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.tracing import tracing
from ctxsim.cell.schedule.watching import Watcher
from ctxsim.cell.searching.selecting import NOWHERE
from ctxsim.cell.visits import Request
from ctxsim.cell.workers.carry import Carrier, Crew, carry_each
from ctxsim.cell.workers.greenlets import Killable, give_way, may_be_killed
from ctxsim.errors import TargetError


class Greenlets:
    """They switch where gevent does, and at no line."""

    started = "greenlet"
    at_lines = False
    one_each = True
    orders_first = True

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._kind = Killable if crew.plan.faults.cancel > 0 else gevent.Greenlet

    def settle(self) -> None:
        if others := going_on():
            names = ", ".join(sorted({_name(each) for each in others}))
            raise TargetError(
                f"the application started greenlets when it was imported ({names}), and no "
                "schedule controls these",
                "search an application that does not start them, or write schedule: {kind: os}",
            )
        bring_to_rest()

    def selections(self, search: Search) -> list[Selection]:
        return [NOWHERE]

    def look_ahead(self, selection: Selection) -> None:
        """No line is selected."""

    @contextmanager
    def conductor(
        self,
        selection: Selection,
        limits: Limits,
        watcher: Watcher | None = None,
        noted: Noted | None = None,
    ) -> Iterator[Lockstep]:
        with (
            noting(tracing(selection, watcher), noted) as tracer,
            Hub(limits, self._kind, tracer) as hub,
        ):
            yield hub

    def worker(self, carrier: Carrier, requests: Iterator[Request]) -> Callable[[], None]:
        return partial(self._carry, carrier, requests)

    def _carry(self, carrier: Carrier, requests: Iterator[Request]) -> None:
        carry_each(self._crew, carrier, map(_killable, requests), None, give_way)


def _killable(request: Request) -> Request:
    may_be_killed(request)
    return request


def _name(each: object) -> str:
    run = each.__dict__.get("_run") if isinstance(each, gevent.Greenlet) else None
    return str(getattr(run, "__qualname__", type(each).__name__))
