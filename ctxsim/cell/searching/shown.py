"""What a script showed that was carried again, and who carries it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from ctxsim.cell.history import Event
from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.points import Points
from ctxsim.cell.searching.nearby import Attempt
from ctxsim.cell.searching.scripts import Script
from ctxsim.cell.searching.stage import Carried

Cause = tuple[str, ...]
_LINE = re.compile(r":\d+(-\d+)?\b")


@dataclass(frozen=True, slots=True)
class Shown:
    """That a script showed what was looked for: in the last of so many windows.

    `schedule` is how that window was carried, and `points` the same with where workers stood. Of
    each worker, `begins` says after how many of its steps it began each of its requests.
    """

    event: Event
    windows: int
    schedule: Schedule
    points: Points
    begins: tuple[tuple[int, ...], ...] = ()

    @classmethod
    def of(cls, event: Event, windows: int, carried: Carried) -> Shown:
        """That the last of these windows, carried so, showed an event."""
        execution = carried.execution
        return cls(event, windows, execution.decisive, execution.points, carried.begins)


# Carries a script until an event of that cause comes; None where there is none.
Play = Callable[[Script, Cause], Shown | None]


def _alone(lane: int) -> Collection[int]:
    return (lane,)


@dataclass(frozen=True, slots=True)
class Player:
    """Carries scripts from the state after the import; and, with `last`, those in a row that differ
    in their last windows alone, which may begin where the windows before have left a copy.

    `any_of` carries one until an event of one of these causes comes. `of_user` says of a lane which
    ones its user has, itself among them. `near` searches, where a copy may stay, and counts.
    """

    play: Play
    last: Play | None = None
    any_of: Callable[[Script, tuple[Cause, ...]], Shown | None] | None = None
    of_user: Callable[[int], Collection[int]] = _alone
    near: Callable[[Attempt, Cause], tuple[Shown | None, int]] | None = None

    def shows_any(self, script: Script, causes: tuple[Cause, ...]) -> bool:
        """Whether a script shows one of these causes."""
        if self.any_of is not None:
            return self.any_of(script, causes) is not None
        return any(self.play(script, each) is not None for each in causes)


def is_same(one: Cause, other: Cause) -> bool:
    """Whether two causes are the same but for the numbers of lines."""
    return [_LINE.sub("", each) for each in one] == [_LINE.sub("", each) for each in other]
