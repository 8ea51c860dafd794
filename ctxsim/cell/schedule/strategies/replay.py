"""The choices of an earlier execution, to the letter."""

from __future__ import annotations

from collections.abc import Sequence

from ctxsim.cell.schedule.choices import Choice, Kind, Lengths, Schedule, first_difference
from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.errors import DivergedError


class Replay:
    """Raises DivergedError at the first step at which the execution is not the recorded one."""

    def __init__(self, schedule: Schedule) -> None:
        self.exhausted = False
        self._schedule = schedule

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        return _Recorded(self._schedule)

    def ended(self, schedule: Schedule) -> None:
        step = first_difference(self._schedule, schedule)
        if step is None:
            return
        recorded, here = len(self._schedule.steps), len(schedule.steps)
        if step == here:
            raise DivergedError(step, f"it ended here, {recorded} steps were recorded")
        raise DivergedError(step, "other workers were ready, or something else was drawn")


class _Recorded:
    __slots__ = ("_draws", "_ready", "_step", "_steps")

    def __init__(self, schedule: Schedule) -> None:
        self._steps = schedule.steps
        self._ready = schedule.ready
        self._draws = iter(schedule.draws)
        self._step = 0

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        self._step = step + 1
        if step < len(self._steps) and self._ready[step] == len(ready):
            taken = self._steps[step]
            if taken in ready:
                return taken
        raise DivergedError(step, self._why(ready, step))

    def _why(self, ready: Sequence[int], step: int) -> str:
        if step >= len(self._steps):
            return f"the recorded execution ended after {len(self._steps)} steps, this one goes on"
        return (
            f"worker {self._steps[step]} of {self._ready[step]} that were ready went on, "
            f"and {', '.join(map(str, ready))} are ready here"
        )

    def draw(self, kind: Kind, alternatives: int) -> int:
        draw = next(self._draws, None)
        if draw != (wanted := _like(draw, kind, alternatives, self._step)) or draw is None:
            raise DivergedError(self._step, f"drawn was {draw}, and here it would be {wanted}")
        return draw.taken


def _like(draw: Choice | None, kind: Kind, alternatives: int, step: int) -> Choice:
    """The draw that is asked for, with what was taken where one was recorded."""
    return Choice(kind, draw.taken if draw else 0, alternatives, step)
