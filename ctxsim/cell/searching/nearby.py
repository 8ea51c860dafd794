"""Smaller last windows, for a search of their own: which requests they have, under how many plays.

To leave out a request or a preemption leads elsewhere, and what a schedule becomes without it need
not show what another one of as many would. So where nothing more can be left out of a schedule,
others are searched that have less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.choosing import Strategy
from ctxsim.cell.schedule.strategies.exhaustive import Exhaustive
from ctxsim.cell.schedule.strategies.portfolio import Portfolio
from ctxsim.cell.searching.scripts import Script, Window

# How many requests meet at most, in what is told.
_FEW = 3
# Where one is left out, so many schedules are tried; fewer where there are many to choose from.
_PLAYS, _PLAYS_OF_MANY = 24, 12
_FEW_PREEMPTIONS = 3
# So many that come before the window may be there by chance.
_FEW_BEFORE = 12
# So many of them go through the schedules with one preemption, wherever that is.
_SYSTEMATIC = 3 / 4


@dataclass(frozen=True, slots=True)
class Attempt:
    """A script whose last window may go as it likes: with at most so many preemptions, if it is
    `bound`; under `most` schedules."""

    script: Script
    most: int
    bound: int | None = None

    @property
    def strategies(self) -> Iterator[tuple[Strategy, int]]:
        """What chooses the schedules, and how many."""
        if self.bound is not None:
            yield Exhaustive(self.bound), self.most
            return
        systematic = int(_SYSTEMATIC * self.most)
        yield Exhaustive(1), systematic
        yield Portfolio(systematic=False), self.most - systematic


def attempts(script: Script, schedule: Schedule) -> Iterator[Attempt]:
    """What has fewer requests in its last window than a script that went by that schedule there;
    and then what has fewer preemptions."""
    window = script.windows[-1]
    preemptions = _size(script)[-1]
    if len(window.lanes) > 1:
        if window.requests > _FEW:
            yield from _of_crowd(script, schedule)
        elif window.requests == _FEW:
            yield from _of_three(script)
        if 0 < _sent_before(script) <= _FEW_BEFORE:
            before = frozenset(range(len(script.windows) - 1))
            alone = replace(_with_last(script, (_free(window),)), passed_over=before)
            yield Attempt(alone, _PLAYS, max(1, preemptions))
        if preemptions > 1:
            yield Attempt(_with_last(script, (_free(window),)), _PLAYS, preemptions - 1)


def _of_three(script: Script) -> Iterator[Attempt]:
    """Two of them, without the third one; and where that comes before."""
    window = script.windows[-1]
    places = [(worker, at) for worker, lanes in enumerate(window.lanes) for at in range(len(lanes))]
    left = [(each, _without(window, {each})) for each in places]
    pairs = [(each, pair) for each, pair in left if len(pair.lanes) > 1]
    for _, pair in pairs:
        yield Attempt(_with_last(script, (pair,)), _PLAYS)
    for each, pair in pairs:
        yield Attempt(_with_last(script, (_alone(window, each), pair)), _PLAYS_OF_MANY)


def _of_crowd(script: Script, schedule: Schedule) -> Iterator[Attempt]:
    """Those who came last meet, and of the others so many come before, one by one."""
    window = script.windows[-1]
    meeting = list(islice(_latest(schedule, window), _FEW))
    for before in range(window.requests - len(meeting) + 1):
        for count in range(2, len(meeting) + 1):
            met = {(worker, len(window.lanes[worker]) - 1) for worker in meeting[:count]}
            others = [each for each in _in_order(schedule, window) if each not in met]
            first = (_alone(window, each) for each in others[:before])
            last = _without(window, set(others))
            yield Attempt(_with_last(script, (*first, last)), _PLAYS_OF_MANY)


def _latest(schedule: Schedule, window: Window) -> Iterator[int]:
    """The workers that requests have, by who took a step last."""
    last = dict.fromkeys(reversed(schedule.steps))
    yield from (worker for worker in last if worker < len(window.lanes))


def _in_order(schedule: Schedule, window: Window) -> Iterator[tuple[int, int]]:
    """The requests, each by its worker and its place there, by which worker began first."""
    first = dict.fromkeys((*schedule.steps, *range(len(window.lanes))))
    for worker in first:
        if worker < len(window.lanes):
            yield from ((worker, at) for at in range(len(window.lanes[worker])))


def _without(window: Window, requests: set[tuple[int, int]]) -> Window:
    lanes = (
        tuple(lane for at, lane in enumerate(each) if (worker, at) not in requests)
        for worker, each in enumerate(window.lanes)
    )
    return _free(replace(window, lanes=tuple(filter(None, lanes))))


def _alone(window: Window, request: tuple[int, int]) -> Window:
    worker, at = request
    return Window(((window.lanes[worker][at],),), window.seed)


def _free(window: Window) -> Window:
    return replace(window, points=None)


def _with_last(script: Script, windows: Sequence[Window]) -> Script:
    """The script with these in place of its last window."""
    return replace(script, windows=(*script.windows[:-1], *windows), rooms=())


def is_smaller(one: Script, other: Script) -> bool:
    """Whether a script has fewer requests that meet; or fewer before them, or fewer preemptions.

    One with many more preemptions is no smaller one to a reader.
    """
    size, before = _size(one), _size(other)
    return size < before and size[-1] <= max(_FEW_PREEMPTIONS, before[-1])


def _size(script: Script) -> tuple[int, int, int]:
    window = script.windows[-1]
    preemptions = 0 if window.points is None else len(window.points.preemptions)
    return window.requests, _sent_before(script), preemptions


def _sent_before(script: Script) -> int:
    before = enumerate(script.windows[:-1])
    return sum(each.requests for n, each in before if n not in script.passed_over)
