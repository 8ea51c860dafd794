"""Plays: scripts carried in copies of this process, each from the state after the import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ctxsim.cell.history import Event, Tally
from ctxsim.cell.schedule.choices import Lengths, Schedule
from ctxsim.cell.schedule.choosing import Chooser, Strategy
from ctxsim.cell.schedule.execution import Limits
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.tracing import can_trace
from ctxsim.cell.searching import turns
from ctxsim.cell.searching.controls import Control
from ctxsim.cell.searching.courses import Course
from ctxsim.cell.searching.forks import Result, Standing, in_fork
from ctxsim.cell.searching.nearby import Attempt
from ctxsim.cell.searching.scripts import Script, Window
from ctxsim.cell.searching.seen import Watch
from ctxsim.cell.searching.selecting import is_package_file
from ctxsim.cell.searching.sentences import ENOUGH
from ctxsim.cell.searching.shown import Cause, Player, Shown, is_same
from ctxsim.cell.searching.stage import Carried, Stage
from ctxsim.cell.searching.stories import Story, story
from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.record import is_application_file
from ctxsim.cell.workers.carry import Crew
from ctxsim.errors import DivergedError

_NOT_TOLD = "it did not show once more, when it was to be told"
_EARLIER = "earlier"
# Of what a story is made of: so many windows before the last, of those that are a very long past.
_TOLD = 40
_NO_SCHEDULE = Schedule((), ())
# A search nearby ends after so many steps: of requests that are long, few schedules are tried.
_NEAR_STEPS = 2_000
Say = Callable[[dict[str, Any]], None]
_Last = tuple[Window, Cause]
_Wants = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Asked:
    """A script, of which the last window goes as a chooser says, or `with_others` beside it."""

    script: Script
    chooser: Chooser | None = None
    with_others: bool = False
    # Whether no fault befalls anybody.
    spares: bool = False


@dataclass(frozen=True, slots=True)
class _Went:
    """How a last window went, and what it showed; or that it showed earlier."""

    shown: Shown | str | None
    schedule: Schedule = _NO_SCHEDULE


class Plays:
    """Carries scripts with switch points in the files of one selection.

    Where the application `has_changed`, lines have other numbers, by which some causes tell places.
    """

    def __init__(self, crew: Crew, control: Control, selection: Selection, say: Say) -> None:
        assert isinstance(crew.traffic, Traffic)
        self.has_changed = False
        # What was sent to see whether it shows; and in this copy, by the script that it carries.
        self.tally = Tally()
        self._tally = Tally()
        self._crew = crew
        self._control = control
        self._selection = selection
        self._traffic: Traffic = crew.traffic
        self._say = say
        # Whether what is told does not show where no fault befalls anybody.
        self._needs_faults = False
        # What was carried there, and the copy that stays.
        self._standing: tuple[Script, Standing[_Last, Shown | str | None]] | None = None

    def player(self, *, stays: bool = True) -> Player:
        """What carries scripts to make them small; where no copy `stays`, all from the start."""
        if not stays:
            return Player(self.shows, self.shows, self.shows_any, self._of_user)
        return Player(self.shows, self.shows_last, self.shows_any, self._of_user, self.near)

    def _of_user(self, lane: int) -> frozenset[int]:
        lanes = self._traffic.lanes
        return frozenset(n for n, each in enumerate(lanes) if each.user is lanes[lane].user)

    def in_copy(self, work: Callable[[], Result]) -> Result:
        """What `work` returns in a copy of this process, in which workers stop in those files."""
        self._control.look_ahead(self._selection)
        return in_fork(work, self._crew.record.lock)

    def shows(self, script: Script, cause: Cause, chooser: Chooser | None = None) -> Shown | None:
        """Carry a script until an event of that cause comes; None where there is none."""
        if self._traffic.is_over:
            return None
        # The harness has to hear of it: no request ends meanwhile that it would count.
        self._say({"say": "trying", "route": cause[1]})
        asked = Asked(script, chooser)
        shown, tally = self.in_copy(lambda: (self._shown(asked, (cause,)), self._tally))
        self.tally.add(tally)
        return shown

    def shows_any(self, script: Script, causes: tuple[Cause, ...]) -> Shown | None:
        """As `shows`, for an event of any of these causes."""
        if self._traffic.is_over:
            return None
        self._say({"say": "trying", "route": causes[0][1]})
        return self.in_copy(lambda: self._shown(Asked(script), causes))

    def shows_last(self, script: Script, cause: Cause) -> Shown | None:
        """As `shows`, for scripts of which one after the other differs in its last window alone.

        What comes before that is carried once, in a copy of the process that stays.
        """
        *before, last = script.windows
        # One is carried as fast as the copy stays; and a window that is not sent is no last one.
        if len(before) <= len(script.passed_over) + 1 or len(before) in script.passed_over:
            return self.shows(script, cause)
        if self._traffic.is_over:
            return None
        self._say({"say": "trying", "route": cause[1]})
        known = replace(script, windows=tuple(before))
        if self._standing is None or self._standing[0] != known:
            self.end()
            begin = partial(self._begin_last, known)
            self._control.look_ahead(self._selection)
            self._standing = known, Standing(begin, self._crew.record.lock)
        shown = self._standing[1].ask((last, cause))
        # It shows before the last window, which does not matter then.
        return self.shows(script, cause) if isinstance(shown, str) else shown

    def end(self) -> None:
        """End the copy that stays, if there is one."""
        if self._standing is not None:
            self._standing[1].end()
            self._standing = None

    def near(self, attempt: Attempt, cause: Cause) -> tuple[Shown | None, int]:
        """Search other schedules of a script's last window for an event of that cause.

        With how many it took. All begin in the same state.
        """
        if self._traffic.is_over:
            return None, 0
        self._say({"say": "trying", "route": cause[1]})
        return self.in_copy(lambda: self._near(attempt, cause))

    def _near(self, attempt: Attempt, cause: Cause) -> tuple[Shown | None, int]:
        *before, last = attempt.script.windows
        carry = self._until_last(replace(attempt.script, windows=tuple(before)))

        def carry_by(strategy: Strategy, number: int) -> tuple[_Went | None, Strategy]:
            went = carry(last, cause, strategy.begin(number, last.seed, measured))
            if went is not None:
                strategy.ended(went.schedule)
            return went, strategy

        tried = steps = 0
        for strategy, most in attempt.strategies:
            measured = Lengths()
            for number in range(most):
                if strategy.exhausted or steps > _NEAR_STEPS:
                    break
                # What it has learnt comes back with it.
                begin = partial(carry_by, strategy, number)
                went, strategy = in_fork(begin, self._crew.record.lock)
                tried += 1
                if went is None or isinstance(went.shown, str):
                    # The state is another than it was before, or it shows before the window.
                    return None, tried
                if went.shown is not None:
                    return went.shown, tried
                measured = measured.including(went.schedule)
                steps += len(went.schedule.steps)
        return None, tried

    def _begin_last(self, script: Script) -> Callable[[_Last], Shown | str | None]:
        carry = self._until_last(script)

        def answer(asked: _Last) -> Shown | str | None:
            window, cause = asked
            went = carry(window, cause)
            assert went is not None
            return went.shown

        return answer

    def _until_last(self, script: Script) -> Callable[..., _Went | None]:
        """Carry the windows before the last one; what carries that, in a copy of this copy."""
        self._traffic.vary(script.variation, script.ends_before)
        # It is left by the end of the process alone.
        stage = Stage(self._crew, self._control, self._selection, Limits()).__enter__()
        for number, window in enumerate(script.windows):
            if number in script.passed_over:
                stage.pass_over(window)
            else:
                stage.carry(window)

        def carry(window: Window, cause: Cause, chooser: Chooser | None = None) -> _Went | None:
            if self._found(cause, stage.events):
                return _Went(_EARLIER)
            stage.go_on()
            try:
                carried = stage.carry(window, chooser)
            except DivergedError:
                return None
            schedule = carried.execution.schedule
            event = self._found(cause, stage.events)
            if event is None:
                return _Went(None, schedule)
            return _Went(Shown.of(event, len(script.windows) + 1, carried), schedule)

        return carry

    def courses(self, asked: Asked) -> tuple[Course, ...]:
        """How each window of a script goes, of those that are not passed over."""
        self._say({"say": "trying", "route": ""})

        def carry() -> tuple[Course, ...]:
            return tuple(Course.of(carried, events) for _, carried, events in self._carried(asked))

        return self.in_copy(carry)

    def last_course(self, asked: Asked) -> Course:
        """How the last window of a script goes, of those that are not passed over."""
        self._say({"say": "trying", "route": ""})
        script = asked.script
        sent = (n for n in range(len(script.windows)) if n not in script.passed_over)
        last = max(sent) + 1

        def carry() -> Course:
            way = self._carried(asked)
            return next(Course.of(each, events) for number, each, events in way if number == last)

        return self.in_copy(carry)

    def story(self, script: Script, cause: Cause) -> tuple[str, ...]:
        """How a script shows a cause: what is seen of its lines, or else of its switches alone.

        To be watched may change what an application does, such as when its objects are freed.
        Packages are watched where the application's own lines do not tell it: it takes longer.
        """
        faults = self._crew.plan.faults
        if faults.error or faults.abort or faults.cancel:
            spared = Asked(script, spares=True)
            self._needs_faults = self.in_copy(lambda: self._shown(spared, (cause,))) is None
        told = self._story(script, cause, is_application_file) if can_trace() else None
        if told is not None and told.evidence < ENOUGH:
            more = self._story(script, cause, _is_python)
            if more is not None and (more.evidence > told.evidence or not told.evidence):
                told = more
        told = told or self._story(script, cause, None)
        return (_NOT_TOLD,) if told is None else told.lines

    def _story(self, script: Script, cause: Cause, wants: _Wants | None) -> Story | None:
        return self.in_copy(partial(self._told, script, cause, wants))

    def _told(self, script: Script, cause: Cause, wants: _Wants | None) -> Story | None:
        watch = Watch(wants) if wants is not None else None
        windows: list[Carried] = []
        passed = 0
        for _, carried, events in self._carried(Asked(script), watch):
            windows.append(carried)
            if event := self._found(cause, events):
                lines = watch.lines if watch is not None else ()
                play = turns.Play(
                    windows,
                    lines,
                    script.rooms,
                    is_watched=watch is not None,
                    is_in_packages=wants is _is_python,
                    needs_faults=self._needs_faults,
                )
                return story(play, event, passed)
            if watch is not None:
                watch.window += 1
                if not watch.is_on:
                    passed += sum(map(len, carried.requests))
        return None

    def _shown(self, asked: Asked, causes: tuple[Cause, ...]) -> Shown | None:
        for number, carried, events in self._carried(asked):
            if event := next(filter(None, (self._found(each, events) for each in causes)), None):
                return Shown.of(event, number, carried)
        return None

    def _found(self, cause: Cause, events: list[Event]) -> Event | None:
        for event in events:
            if event.cause == cause or (self.has_changed and is_same(event.cause, cause)):
                return event
        return None

    def _carried(
        self, asked: Asked, watch: Watch | None = None
    ) -> Iterator[tuple[int, Carried, list[Event]]]:
        """Each window as it is carried in this copy: its number from 1, and all events so far."""
        script = asked.script
        self._traffic.vary(script.variation, script.ends_before)
        with Stage(self._crew, self._control, self._selection, Limits(), watch) as stage:
            stage.spares = asked.spares
            for number, window in enumerate(script.windows, 1):
                if watch is not None:
                    watch.is_on = number >= len(script.windows) - _TOLD
                if number - 1 in script.passed_over:
                    stage.pass_over(window)
                    continue
                if number < len(script.windows):
                    carried = stage.carry(window)
                else:
                    last = stage.with_others(window) if asked.with_others else window
                    carried = stage.carry(last, asked.chooser)
                self._tally = stage.tally
                yield number, carried, stage.events


def _is_python(file: str) -> bool:
    """Whether the lines of that file are the application's own or a package's."""
    return is_application_file(file) or is_package_file(file)
