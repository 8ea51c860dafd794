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

from ctxsim.cell.history import Ending, History
from ctxsim.cells.interpreter import equip
from ctxsim.cells.job import CellOutcome, Halt, Job, Limits, Progress, Tell
from ctxsim.cells.process import Process

__all__ = ["CellOutcome", "Halt", "Job", "Limits", "Progress", "Tell", "cores", "run_cells"]

_TICK_S = 0.1
# Between the end of a channel and that of its process lies less than a millisecond.
_HUSHED_TICK_S = 0.005


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_cells(
    jobs: Sequence[Job], *, at_once: int, limits: Limits, halt: Halt, tell: Tell
) -> list[CellOutcome]:
    """Run each job's cell in a process of its own, `at_once` of them at a time.

    Returns the outcomes in the order of `jobs`, however the cells ended; no process outlives the
    call. Raises TargetError, before anything is started, if an interpreter cannot serve.
    """
    waiting = deque(equip(job) for job in jobs)
    started: list[Process] = []
    with selectors.DefaultSelector() as selector:
        try:
            while (waiting and not halt.asked) or not all(each.gone for each in started):
                while waiting and not halt.asked and _running(started) < at_once:
                    started.append(Process(waiting.popleft(), limits, tell))
                    started[-1].register(selector)
                _turn(selector, [each for each in started if not each.gone], halt)
        finally:
            for process in started:
                process.close()
    return [*(each.outcome() for each in started), *map(_not_started, waiting)]


def _running(started: Sequence[Process]) -> int:
    return sum(not process.gone for process in started)


def _turn(selector: selectors.BaseSelector, running: Sequence[Process], halt: Halt) -> None:
    """Wait until something happens or a tick has passed, and see to every running cell."""
    hushed = any(process.hushed for process in running)
    for key, _ in selector.select(_HUSHED_TICK_S if hushed else _TICK_S):
        key.data(selector)
    for process in running:
        process.look(halt.asked)
        if process.gone:
            process.unregister(selector)
            process.close()


def _not_started(job: Job) -> CellOutcome:
    ending = Ending("stopped", "the run was ended before this cell was started")
    return CellOutcome(job.cell, History(ending=ending))
