"""Starts cells, each in a process of its own, watches them, bounds them, keeps their last words.

A cell runs the application's code, so anything may happen to it: it may hang, crash the
interpreter, exit, flood its output or eat memory. That ends the cell, never the harness. Whatever
the cell said before counts: events and tallies stand in its history, and the ending says the rest.

One selector loop carries all running cells: nothing here blocks, and a signal handler needs to do
no more than `Halt.interrupt`.
"""

from __future__ import annotations

import os
import selectors
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from ctxsim.cell.history import Ending, History
from ctxsim.cells.interpreter import equip
from ctxsim.cells.job import Attendance, CellOutcome, Halt, Job, Limits, Progress, Tell
from ctxsim.cells.pace import Pace
from ctxsim.cells.process import Process

__all__ = [
    "Attendance",
    "CellOutcome",
    "Halt",
    "Job",
    "Limits",
    "Pace",
    "Progress",
    "Tell",
    "cores",
    "run_cells",
]

_TICK_S = 0.1
# Between the end of a channel and that of its process lies less than a millisecond.
_HUSHED_TICK_S = 0.005


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_cells(
    jobs: Sequence[Job],
    *,
    pace: Pace,
    limits: Limits,
    halt: Halt,
    tell: Tell,
    attendance: Attendance | None = None,
) -> list[CellOutcome]:
    """Run each job's cell in a process of its own, at the given pace.

    Returns the outcomes in the order of `jobs`, however the cells ended; no process outlives the
    call. `attendance` says who is there in live loads, which run all at the same time. Raises
    TargetError, before anything is started, if an interpreter cannot serve.
    """
    waiting = deque(equip(job) for job in jobs)
    started: list[Process] = []
    with selectors.DefaultSelector() as selector:
        try:
            while (waiting and not _stops(halt, pace)) or _running(started):
                while waiting and not _stops(halt, pace) and len(_running(started)) < pace.at_once:
                    job = pace.sized(waiting[0], len(waiting))
                    started.append(Process(job, limits, tell))
                    started[-1].register(selector)
                    waiting.popleft()
                running = _running(started)
                if attendance is not None:
                    _attend(running, attendance)
                _turn(selector, running, _stops(halt, pace))
                _learn(pace, running)
        finally:
            for process in started:
                process.close()
    told = "the run was ended" if halt.asked else "the time was over"
    return [
        *(_with_reason(each.outcome(), told) for each in started),
        *(_not_started(job, told) for job in waiting),
    ]


def _running(started: Sequence[Process]) -> list[Process]:
    return [process for process in started if not process.gone]


def _attend(running: Sequence[Process], attendance: Attendance) -> None:
    """Tell live loads who is there; what a cell had that has ended goes to the others."""
    live = [process for process in running if process.job.plan.load.live]
    for place, process in enumerate(live):
        if attendance.is_over:
            process.finish()
        else:
            process.attend(attendance.share(place, len(live)))


def _stops(halt: Halt, pace: Pace) -> int:
    """How often cells are told to stop."""
    return halt.asked or int(pace.is_over)


def _learn(pace: Pace, ran: Sequence[Process]) -> None:
    for process in ran:
        if process.gone:
            outcome = process.outcome()
            pace.ended(process.job, outcome.history, outcome.elapsed_s)


def _turn(selector: selectors.BaseSelector, running: Sequence[Process], stops: int) -> None:
    """Wait until something happens or a tick has passed, and see to every running cell."""
    hushed = any(process.hushed for process in running)
    for key, _ in selector.select(_HUSHED_TICK_S if hushed else _TICK_S):
        key.data(selector)
    for process in running:
        process.look(stops)
        if process.gone:
            process.unregister(selector)
            process.close()


def _with_reason(outcome: CellOutcome, told: str) -> CellOutcome:
    """The outcome; one that was stopped tells why, which the cell itself does not know."""
    ending = outcome.history.ending
    if ending is not None and ending.kind == "stopped":
        outcome.history.ending = replace(ending, message=f"{told} before its last request")
    return outcome


def _not_started(job: Job, told: str) -> CellOutcome:
    ending = Ending("stopped", f"{told} before this cell was started")
    return CellOutcome(job.cell, History(ending=ending))
