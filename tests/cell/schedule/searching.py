"""Executions of real code under a strategy, until something shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ctxsim.cell.schedule.choices import Lengths, Schedule
from ctxsim.cell.schedule.execution import Execution
from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.shrink import Candidate
from ctxsim.cell.schedule.strategies import strategy
from ctxsim.cell.schedule.strategies.by_points import ByPoints
from ctxsim.cell.schedule.strategies.replay import Replay


@dataclass(frozen=True)
class Trial:
    """`calls` makes the workers of one execution anew; `shows` says whether the bug is there."""

    lockstep: Lockstep
    calls: Callable[[], Sequence[Callable[[], object]]]
    shows: Callable[[Execution], bool]

    def executions(self, most, name="auto", seed=1):
        """Each execution, with whether the bug shows in it."""
        chosen, measured = strategy(name), Lengths()
        for number in range(most):
            if chosen.exhausted:
                return
            execution = self.lockstep.run(self.calls(), chosen.begin(number, seed, measured))
            chosen.ended(execution.schedule)
            measured = measured.including(execution.schedule)
            yield execution, self.shows(execution)

    def first(self, most, name="auto", seed=1):
        """The first execution that shows the bug, and how many it took; None if none does."""
        for number, (execution, shows) in enumerate(self.executions(most, name, seed), start=1):
            if shows:
                return execution, number
        return None

    def replay(self, schedule):
        replay = Replay(schedule)
        execution = self.lockstep.run(self.calls(), replay.begin(0, 0, Lengths()))
        replay.ended(execution.schedule)
        return execution, self.shows(execution)

    def remains(self, candidate: Candidate) -> Schedule | None:
        """What shrinking asks: each worker carries one request."""
        calls = self.calls()
        kept = [calls[request] for request in candidate.requests]
        chooser = ByPoints(candidate.points).begin(0, 0, Lengths())
        execution = self.lockstep.run(kept, chooser)
        return execution.schedule if self.shows(execution) else None
