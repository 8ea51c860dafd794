"""Coroutines that are carried as workers, for tests of what runs tasks by a schedule."""

from __future__ import annotations

import contextvars

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.strategies import strategy


def chooser(number=0, name="random"):
    return strategy(name).begin(number, 1, Lengths())


def works(*functions):
    """One worker for each function, which is called for its coroutine when it begins."""
    return [iter(_work(each)) for each in functions]


def _work(function):
    yield function(), contextvars.Context()


def carried(tasks, *functions, number=0):
    """The values of the workers of one execution that came to its end."""
    execution = tasks.run(works(*functions), chooser(number))
    assert execution.stopped is None
    given = execution.workers[: len(functions)]
    assert [each.error for each in given] == [None] * len(functions)
    return [each.value for each in given]


def executions(tasks, make, most, name="auto"):
    """Executions of what `make` gives anew for each: the shared object, and its workers."""
    chosen, measured = strategy(name), Lengths()
    for number in range(most):
        if chosen.exhausted:
            return
        shared, functions = make()
        execution = tasks.run(works(*functions), chosen.begin(number, 1, measured))
        chosen.ended(execution.schedule)
        measured = measured.including(execution.schedule)
        yield execution, shared
