"""The rungs by which a case is carried again, although the application may have changed since.

First by its switches, each after so many steps of its worker: where this is what was chosen to the
letter, the case shows exactly. Then by its sites, which move with the lines of the application; and
at last among schedules that are near. The lower rungs are for what shows on none above.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ctxsim.cell.schedule.choices import Lengths, Schedule
from ctxsim.cell.schedule.points import Points, Switch, points_of
from ctxsim.cell.schedule.strategies.portfolio import Portfolio
from ctxsim.cell.searching.courses import Recorded, by_spots
from ctxsim.cell.searching.plays import Asked, Plays
from ctxsim.cell.searching.scripts import Script
from ctxsim.cell.searching.settling import Settled, replayed, smaller
from ctxsim.cell.searching.shown import Cause, Play, Shown

EXACTLY = "exactly, by the same choices"
BY_POINTS = "by its switches, each after as many steps"
BY_SITES = "by the lines at which it switches"
NEARBY = "by a schedule that is near"
# How many schedules that are near are tried: switches a few steps away, and then other strategies.
_SHIFTED, _FARTHEST = 60, 12
_OTHERS = 60
_PLAYS = 60


@dataclass(frozen=True, slots=True)
class Climbed:
    """A case that shows, and the rung on which it does."""

    settled: Settled
    rung: str


def climb(
    script: Script, cause: Cause, recorded: Recorded | None, plays: Plays, times: int
) -> Climbed | None:
    """Carry a case so many times on the first rung that shows it; None where none does.

    Without what was `recorded`, as in cases of earlier versions, lines cannot be looked for.
    """
    schedules: list[Schedule] = []

    def heard(played: Script, wanted: Cause) -> Shown | None:
        shown = plays.shows(played, wanted)
        if shown is not None:
            schedules.append(shown.schedule)
        return shown

    if settled := _shown(script, cause, heard, times):
        is_exact = recorded is not None and set(schedules) == {recorded.schedule}
        return Climbed(settled, EXACTLY if is_exact else BY_POINTS)
    if recorded is not None:
        moved = moved_to_sites(script, recorded, plays)
        if moved != script and (settled := _shown(moved, cause, plays.shows, times)):
            return Climbed(settled, BY_SITES)
        script = moved
    near = next(_near(script, cause, plays), None)
    if near is None:
        return None
    near = smaller(near, cause, plays.player(stays=False), _PLAYS)
    settled = _shown(near, cause, plays.shows, times)
    return None if settled is None else Climbed(settled, NEARBY)


def _shown(script: Script, cause: Cause, play: Play, times: int) -> Settled | None:
    settled = replayed(script, cause, play, times)
    return settled if settled is not None and settled.times else None


def moved_to_sites(script: Script, recorded: Recorded, plays: Plays) -> Script:
    """The script whose last window switches at the lines that the case has noted."""
    points = script.windows[-1].points
    if points is None:
        return script
    # Each switch that is moved may lead those after it elsewhere.
    for _ in range(len(points.switches) + 1):
        now = _with_points(
            script, by_spots(points, recorded, plays.last_course(Asked(script)).marks)
        )
        if now == script:
            break
        script = now
    return script


def _with_points(script: Script, points: Points) -> Script:
    *before, last = script.windows
    return replace(script, windows=(*before, replace(last, points=points)))


def _near(script: Script, cause: Cause, plays: Plays) -> Iterator[Script]:
    for tried, shifted in enumerate(_shifted(script)):
        if tried == _SHIFTED:
            break
        if plays.shows(shifted, cause) is not None:
            yield shifted
    lengths = Lengths().including(plays.last_course(Asked(script)).schedule)
    portfolio = Portfolio(systematic=False)
    for number in range(_OTHERS):
        chooser = portfolio.begin(number, script.windows[-1].seed, lengths)
        shown = plays.shows(script, cause, chooser)
        if shown is not None and shown.windows == len(script.windows):
            yield _with_points(script, points_of(shown.schedule))


def _shifted(script: Script) -> Iterator[Script]:
    """With one of its switches so many steps earlier or later, the nearest first."""
    points = script.windows[-1].points
    if points is None:
        return
    for away in range(1, _FARTHEST + 1):
        for at, switch in enumerate(points.preemptions):
            for step in (switch.step + away, switch.step - away):
                moved = Switch(switch.worker, step, switch.to)
                if step > 0 and moved.key not in {each.key for each in points.switches}:
                    preemptions = (*points.preemptions[:at], moved, *points.preemptions[at + 1 :])
                    yield _with_points(script, replace(points, preemptions=preemptions))
