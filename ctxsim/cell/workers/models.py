"""The worker models by name, and the crew that carries a plan's requests."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass

from ctxsim import switchpoint
from ctxsim.cell.messages import Channel
from ctxsim.cell.patching import Native, patched_time
from ctxsim.cell.plan import Plan, Workers
from ctxsim.cell.targets import opening
from ctxsim.cell.targets.importing import resolve
from ctxsim.cell.visits import Request, Traffic
from ctxsim.cell.witness.answers import Answers, Owner
from ctxsim.cell.witness.census import Census
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.origins import Origins
from ctxsim.cell.witness.record import Current, Record
from ctxsim.cell.witness.residue import Residue
from ctxsim.cell.workers.carry import Crew


@dataclass(frozen=True, slots=True)
class Model:
    """One worker model: the function that runs a crew, and what blocking is in it."""

    run: Callable[[Crew], None]
    greenlets: bool

    def pause(self, native: Native) -> Callable[[float], None]:
        # An application may patch itself; then its threads are greenlets in any model.
        if not self.greenlets and not patched_time():
            return native.sleep
        from gevent import sleep  # noqa: PLC0415 - only cells with greenlets need gevent

        return sleep


# Where each model's `run` is; imported when it is needed, since only greenlets need gevent.
_PLACES = {
    "sync": ("sync", "run"),
    "threads": ("threads", "run"),
    "greenlets": ("greenlets", "run"),
    "threads x greenlets": ("greenlets", "run_crossed"),
    "tasks": ("tasks", "run"),
}


def of(workers: Workers) -> Model:
    """The model that a workers word names."""
    module, name = _PLACES[workers.model]
    run = getattr(importlib.import_module(f"ctxsim.cell.workers.{module}"), name)
    return Model(run, workers.needs_gevent)


def crew(plan: Plan, channel: Channel, native: Native, model: Model) -> Crew:
    """Import the application and put everything together that carries and watches its requests."""
    ours = native.thread_local()
    current = Current(ours)
    opening.select_storage(plan.target)
    target = opening.open_target(plan.target, current)
    current.settle()
    if patched_time() and not model.greenlets:
        target.facts["patched"] = "by the application itself: its threads are greenlets"
    clock = time.perf_counter
    traffic = Traffic(plan, clock)
    marks = Marks(plan, len(traffic.users))
    record = Record(channel.say, native.allocate_lock())
    origins = Origins(marks, record, current, native.allocate_lock)
    record.on_early = origins.search
    owner = Owner(plan, traffic, marks, resolve)
    residue = Residue(owner, record, native, ours)
    live: dict[Request, object] = {}
    inside = None
    if target.view is not None:
        inside = Inside(target.view, current, record, owner, live, native)
        residue.more = target.view.held
        target.watch(inside)
        _watch_pauses(inside, model.pause(native))
    return Crew(
        workers=plan.workers,
        target=target,
        traffic=traffic,
        answers=Answers(marks, owner, record, target.session_cookie),
        residue=residue,
        origins=origins,
        census=Census(plan, traffic, record, resolve),
        inside=inside,
        record=record,
        current=current,
        clock=clock,
        imported_in=copy_context(),
        live=live,
        tallies=[],
    )


def _watch_pauses(inside: Inside, sleep: Callable[[float], None]) -> None:
    def pause(seconds: float) -> None:
        sleep(seconds)
        inside.look("after a pause")

    switchpoint.drive(blocking=pause, listening=inside.listen)
