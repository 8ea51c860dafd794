"""Whether a case that a schedule shows, on simulated workers, shows on native threads too.

It does where one execution of theirs shows it: whatever the threads were held for, the operating
system may do the same. That it does not show tells less, and so the reason is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from ctxsim.cell.checks.alone import is_difference
from ctxsim.cell.history import AS_ANOTHER, Event, in_what
from ctxsim.cell.schedule.execution import Deadlock, Limits
from ctxsim.cell.schedule.legs import Legs, Noted, legs_of, variants
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.searching.controls import Control
from ctxsim.cell.searching.forks import in_fork
from ctxsim.cell.searching.native import NativeThreads
from ctxsim.cell.searching.orders import one_by_one, orders_of
from ctxsim.cell.searching.outside import told_site
from ctxsim.cell.searching.scripts import Script, Window
from ctxsim.cell.searching.selecting import NOWHERE, selected
from ctxsim.cell.searching.shown import Cause
from ctxsim.cell.searching.stage import Carried, Stage
from ctxsim.cell.visits import Traffic
from ctxsim.cell.workers.carry import Crew

# How often the same is tried on native threads, of which not all is controlled; how many others
# that are near; and for how long. A request may really sleep.
_SAME, _NEAR, _MOST_S = 6, 40, 60.0
# In so many executions at least, and in each, an answer has to be otherwise than alone.
_LEAST_OF_DIFFERENCE = 3
# How long requests that wait for each other stand still; others may sleep for longer, and go on.
STILL_S, STILL_OTHERWISE_S = 1.0, 8.0
UNENDED = ("deadlock", "endless")
# What has one cause for each route. The place says where it was seen, which may differ.
_OF_A_ROUTE = ("answer.", "expectation.", "teardown.", "context.left")
Say = Callable[[dict[str, Any]], None]


def windows_legs(
    crew: Crew, control: Control, selection: Selection, script: Script
) -> tuple[Legs, ...]:
    """By which lines a script goes that is carried by simulated workers, window by window."""

    def carry() -> tuple[Legs, ...]:
        noted = Noted()
        traffic = _traffic_of(crew)
        traffic.vary(script.variation, script.ends_before)
        with Stage(crew, control, selection, Limits(), noted=noted) as stage:
            carried = [stage.carry(window) for window in _to_carry(stage, script)]
        # Greenlets that requests left are ended by one execution more.
        windows = zip(carried, noted.windows, strict=False)
        at_lines = control.at_lines
        return tuple(
            tuple(legs_of(each.execution, notes, at_lines=at_lines)) for each, notes in windows
        )

    return in_fork(carry, crew.record.lock)


def noted_in(selection: Selection) -> Selection:
    """Where lines are noted of workers that switch at none: in the application's own files."""
    return selected((), "line")[0] if selection == NOWHERE else selection


def _to_carry(stage: Stage, script: Script) -> Iterator[Window]:
    for number, window in enumerate(script.windows):
        if number in script.passed_over:
            stage.pass_over(window)
        else:
            yield window


def _traffic_of(crew: Crew) -> Traffic:
    assert isinstance(crew.traffic, Traffic)
    return crew.traffic


@dataclass(frozen=True, slots=True)
class _Trial:
    shown: bool
    strayed: tuple[str, ...]
    stood_still: str = ""


class Confirming:
    """Carries a script on native threads, by the legs that simulated workers took."""

    def __init__(
        self,
        crew: Crew,
        control: NativeThreads,
        selection: Selection,
        say: Say,
        most_s: float | None = None,
    ) -> None:
        self._crew = crew
        self._control = control
        self._selection = selection
        self._say = say
        self._until_s = crew.clock() + (_MOST_S if most_s is None else most_s)

    def confirm(
        self, script: Script, cause: Cause, windows: tuple[Legs, ...], times: int
    ) -> tuple[int, int]:
        """In how many of so many executions it shows; fewer are carried where they take long.

        Where it shows in none, the reason is said.
        """
        if is_difference(cause) and self._shows_one_by_one(script, cause):
            self._remark("the same requests show it on native threads one after the other too")
            return 0, 1
        first: _Trial | None = None
        tried = 0
        for legs in self._tried(windows):
            if self._is_late() and first is not None:
                break
            tried += 1
            trial = self._carry(script, cause, legs)
            first = first or trial
            if trial.shown:
                return self._judged(cause, self._again(script, cause, legs, times))
            if trial.stood_still:
                # So do all that are near, and each takes long.
                break
        assert first is not None
        self._remark(_reason(first))
        return 0, tried

    def _tried(self, windows: tuple[Legs, ...]) -> Iterator[tuple[Legs, ...]]:
        yield from (windows,) * (_SAME - 1)
        if not windows:
            yield windows
            return
        *before, last = windows
        yield from ((*before, each) for each in islice(variants(last), _NEAR))

    def _judged(self, cause: Cause, shown: tuple[int, int]) -> tuple[int, int]:
        times, of = shown
        if not may_be_by_chance(cause, times, of):
            return shown
        self._remark(
            f"{times} of {of} executions showed it on native threads, which may be by chance"
        )
        return 0, of

    def _again(
        self, script: Script, cause: Cause, legs: tuple[Legs, ...], times: int
    ) -> tuple[int, int]:
        shown = of = 1
        if is_difference(cause):
            times = max(times, _LEAST_OF_DIFFERENCE)
        while of < times and not self._is_late():
            shown += self._carry(script, cause, legs).shown
            of += 1
        return shown, of

    def _is_late(self) -> bool:
        return _traffic_of(self._crew).is_over or self._crew.clock() >= self._until_s

    def _shows_one_by_one(self, script: Script, cause: Cause) -> bool:
        orders = orders_of(script.windows[-1].lanes) or ()
        return any(self._carry(one_by_one(script, each), cause, ()).shown for each in orders)

    def _remark(self, text: str) -> None:
        self._say({"say": "remark", "text": text})

    def _carry(self, script: Script, cause: Cause, legs: tuple[Legs, ...]) -> _Trial:
        self._say({"say": "trying", "route": cause[1]})
        self._control.legs = legs
        return in_fork(partial(self._carried, script, cause), self._crew.record.lock)

    def _carried(self, script: Script, cause: Cause) -> _Trial:
        _traffic_of(self._crew).vary(script.variation, script.ends_before)
        stood_still = ""
        shown = False
        with Stage(self._crew, self._control, self._selection, Limits()) as stage:
            for window in _to_carry(stage, script):
                carried = stage.carry(window)
                shown = any(is_shown_by(each, cause) for each in stage.events)
                if carried.execution.stopped is not None:
                    stood_still = _where_still(carried)
                    shown = shown or stands_still(carried, cause)
                    break
                if shown:
                    break
        strayed = () if self._control.last is None else tuple(self._control.last.strayed)
        return _Trial(shown, strayed, stood_still)


def may_be_by_chance(cause: Cause, times: int, of: int) -> bool:
    """Whether an answer that is otherwise may be so by chance, which is real on native threads.

    Of anything else one execution is enough: nobody draws another's canary.
    """
    return is_difference(cause) and (times < of or of < _LEAST_OF_DIFFERENCE)


def is_shown_by(event: Event, cause: Cause) -> bool:
    """Whether an event is what `cause` tells of: the same in kind, relation, and of that route.

    What has one cause whichever route shows it is told by its place; who waits, by `stands_still`.
    """
    kind, route, place, relation = cause
    if kind in UNENDED or (event.kind, event.relation) != (kind, relation):
        return False
    if not kind.startswith(_OF_A_ROUTE):
        return event.place == place
    if is_difference(cause) or is_difference(event.cause):
        both = (event.place, place)
        if in_what(event.place) != in_what(place) or (AS_ANOTHER in both and len({*both}) > 1):
            return False
    return event.victim.route == route


def stands_still(carried: Carried, cause: Cause) -> bool:
    """Whether native threads stay for good at the lines at which simulated ones never end.

    Of a native lock nobody can tell who holds it; at which line a thread waits, its frames tell.
    """
    kind, _, place, _ = cause
    stopped = carried.execution.stopped
    if kind not in UNENDED or not isinstance(stopped, Deadlock):
        return False
    standing = [told_site(each.site).rpartition(":") for each in stopped.waits]
    return all(
        any(_is_within(file, int(line), each) for file, _, line in standing)
        for each in place.split("; ")
    )


def _is_within(file: str, line: int, place: str) -> bool:
    """Whether a line is the one that a place tells, as `... at FILE:LINE`, or of its loop's."""
    known, _, lines = place.rpartition(" at ")[2].rpartition(":")
    first, _, last = lines.partition("-")
    return file == known and int(first) <= line <= int(last or first)


def _where_still(carried: Carried) -> str:
    stopped = carried.execution.stopped
    assert isinstance(stopped, Deadlock)
    if not stopped.waits:
        return f"one slept for more than {STILL_OTHERWISE_S:g} s, and time is real there"
    places = dict.fromkeys(told_site(each.site) for each in stopped.waits)
    return f"its requests stood still there, at {', '.join(places)}"


def _reason(trial: _Trial) -> str:
    if trial.stood_still:
        return trial.stood_still
    if trial.strayed:
        return f"native threads could not be led by that schedule: {trial.strayed[0]}"
    return "native threads took the same turns, line by line, and it did not show"
