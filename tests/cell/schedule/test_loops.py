"""Event loops that simulated threads run."""

from __future__ import annotations

import asyncio
import contextlib

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.execution import Escape
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.strategies import strategy


def run_one():
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        loop.call_soon(loop.stop)
        loop.run_forever()


def test_a_loop_that_a_worker_runs_ends_the_execution_at_its_line():
    """It waits in the system, where no other worker could go on; outside it runs as ever."""
    with StandIns():
        chooser = strategy("random").begin(0, 1, Lengths())
        execution = Lockstep().run([run_one, run_one], chooser)
        assert isinstance(execution.stopped, Escape)
        assert execution.stopped.stack[0].line == run_one.__code__.co_firstlineno + 3
        run_one()
    run_one()
