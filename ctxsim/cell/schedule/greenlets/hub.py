"""Puts a hub on a loop of ours, and runs executions on it one after the other."""

from __future__ import annotations

import gc
from typing import Any, Self

import gevent
import greenlet
from gevent.exceptions import LoopExit

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import Limits, StepLimit
from ctxsim.cell.schedule.greenlets.loop import Loop
from ctxsim.cell.schedule.greenlets.near import Names
from ctxsim.cell.schedule.greenlets.outside import RefusedPool
from ctxsim.cell.schedule.greenlets.run import HubRun, Spawn
from ctxsim.cell.schedule.lockstep import CutOff, Lockstep, Run
from ctxsim.cell.schedule.points import Points
from ctxsim.cell.schedule.selection import Tracer
from ctxsim.cell.schedule.states import Roster
from ctxsim.cell.schedule.strategies.by_points import ByPoints

_POOL = "gevent's threadpool, which works in native threads"
_NAMES = "a name of the network to be resolved"


def going_on() -> list[Any]:
    """The greenlets of this thread that were started and have not ended, but for hub and caller."""
    hub, ours = gevent.get_hub(), gevent.getcurrent()
    found = [each for each in gc.get_objects() if issubclass(type(each), greenlet.greenlet)]
    return [
        each
        for each in found
        if each not in (hub, ours) and _is_started(each) and _root(each) is hub.parent
    ]


def _is_started(each: Any) -> bool:
    return not each.dead and (bool(each) or bool(getattr(each, "started", False)))


def _root(each: Any) -> Any:
    """The greenlet with which its thread began; gevent's pools have threads with hubs of theirs."""
    at = each.parent
    while at is not None and at.parent is not None:
        at = at.parent
    return at


def bring_to_rest() -> None:
    """Have the hub leave the loop that it runs, so that it takes up another when it goes on.

    To be called from the greenlet in which the hub was made.
    """
    hub = gevent.get_hub()
    # It has not begun where nobody has waited for anything yet.
    if hub:
        hub.loop.run_callback(hub.loop.break_)
        _let_leave(hub)


def _let_leave(hub: Any) -> None:
    try:
        hub.switch()
    except LoopExit:
        return
    raise RuntimeError("the hub went on when its loop was to be left")


class Greenlets(Lockstep):
    """Runs callables as greenlets of gevent's, as a schedule says; entered around executions.

    The hub must be at rest when it is entered. In between two executions greenlets wait that the
    first has left, and the second takes them up: their numbers come after those of its calls.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        spawn: Spawn | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        """A `tracer` makes no line a switch point: it shows them to whoever watches."""
        super().__init__(tracer, limits, time_goes_on=True)
        self._spawn: Spawn = gevent.Greenlet if spawn is None else spawn
        self._hub: Any = gevent.get_hub()
        self._loop = Loop(Roster())
        self._pool = RefusedPool(self._loop, _POOL)
        self._names = Names(self._loop, _NAMES, "socket")
        self._left: list[Any] = []
        self._before: tuple[Any, ...] = ()

    def __enter__(self) -> Self:
        hub = self._hub
        self._before = hub.loop, hub._threadpool, hub._resolver
        self._loop.real = hub.loop
        hub.loop = self._loop
        hub._threadpool, hub._resolver = self._pool, self._names
        # Who is cut off by us fails, and nobody has to be told.
        hub.NOT_ERROR = (*type(hub).NOT_ERROR, CutOff)
        return self

    def __exit__(self, *raised: object) -> None:
        hub = self._hub
        if self._left:
            ending = self._new_run(ByPoints(Points(())).begin(0, 0, Lengths()), self._limits)
            ending.stop(StepLimit(0, ()))
            ending.execute([])
        self._loop.work = None
        hub.loop, hub._threadpool, hub._resolver = self._before
        del hub.NOT_ERROR
        if hub:
            _let_leave(hub)

    def _new_run(self, chooser: Chooser, limits: Limits) -> Run:
        return HubRun(chooser, self._tracer, limits, self._loop, self._spawn, self._left)
