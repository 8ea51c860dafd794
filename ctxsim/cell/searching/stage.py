"""Carries windows of requests in this process: each worker is one that a schedule controls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from ctxsim.cell.history import Event, Tally, Where, Who
from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser
from ctxsim.cell.schedule.execution import (
    Deadlock,
    Escape,
    Execution,
    KnownLoop,
    Limits,
    Livelock,
    Spin,
    UncontrolledBlock,
    Wait,
)
from ctxsim.cell.schedule.leaving import leaving
from ctxsim.cell.schedule.legs import Noted
from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.points import Points, Site, Switch
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import drivers
from ctxsim.cell.schedule.strategies.by_points import ByPoints
from ctxsim.cell.schedule.watchdog import Watchdog
from ctxsim.cell.searching.befallen import Befallen, Faults
from ctxsim.cell.searching.circles import loop_told
from ctxsim.cell.searching.controls import Control
from ctxsim.cell.searching.outside import ended_by, told_site
from ctxsim.cell.searching.scripts import Window
from ctxsim.cell.searching.seen import Watch
from ctxsim.cell.visits import Request, Traffic
from ctxsim.cell.witness.record import shown_file
from ctxsim.cell.workers.carry import Crew
from ctxsim.errors import DivergedError, SearchEndedError

_ONE_AFTER_THE_OTHER = Points(())
_PATIENCE_S = 10.0
# Who is sent besides a request that does not end: how many users through how many visits.
_WHOLE_VISITS, _VISITS = 3, 2
_MOST_ON_THE_WAY = 60
# Of requests, where it is not known which one it was: no step has that number.
ANY = -1


@dataclass(frozen=True, slots=True)
class Carried:
    """One window as it was carried: who carried what, and how the workers took turns."""

    execution: Execution
    # The requests of each worker, in turn.
    requests: tuple[tuple[Who, ...], ...]
    # What a worker is called that a request has started.
    started: str
    # Which steps the scenario's requests were for, as `requests`.
    steps: tuple[tuple[int, ...], ...] = ()
    befallen: tuple[Befallen, ...] = ()
    # After how many steps of its worker each began, as `requests`.
    begins: tuple[tuple[int, ...], ...] = ()


class Stage:
    """Everything that a copy of the process needs to carry windows; entered once in it."""

    def __init__(
        self,
        crew: Crew,
        control: Control,
        selection: Selection,
        limits: Limits,
        watch: Watch | None = None,
        noted: Noted | None = None,
    ) -> None:
        """A `watch` is shown the lines of the application's own that are carried out.

        In `noted` it is kept by which lines workers come, at which steps.
        """
        assert isinstance(crew.traffic, Traffic)
        self.events: list[Event] = []
        self._crew = crew
        self._control = control
        self._traffic = crew.traffic
        self.lanes = len(crew.traffic.lanes)
        self._files = selection.files
        self._conductor = control.conductor(selection, limits, watch, noted)
        if watch is not None:
            watch.request_of = self._request_of
        self._faults = Faults(watch)
        # Whether no fault befalls anybody, whatever was chosen.
        self.spares = False
        self._watchdog = Watchdog(_PATIENCE_S)
        self._entered = ExitStack()
        self._atomic = () if crew.plan.search is None else crew.plan.search.atomic
        self._carried: list[list[Request]] = []
        self._begins: list[list[int]] = []
        # The steps of requests that came to their ends, and of those that were cut off.
        self.ended: set[int] = set()
        self.cut_off: set[int] = set()
        # How many steps of a schedule requests for these took at most, and took until then.
        self.longest: dict[int, int] = {}
        self.longest_cut_off: dict[int, int] = {}
        # Whether a thread is gone that a request had started, such as one of a pool: it ends with
        # its window, though the application still counts on it. And whether requests waited
        # afterwards until none could go on.
        self.has_lost_threads = False
        self.waits_in_vain = False
        # The steps of requests that came to a switch point; with ANY where it was one of several.
        self.seen: set[int] = set()
        # By step, what a request for it began to wait for, that comes by no schedule.
        self.refused: dict[int, Escape] = {}

    def __enter__(self) -> Stage:
        self._crew.tallies.clear()
        self._carrier = self._crew.carrier()
        self._crew.record.hand_to(self._hear)
        self._entered.enter_context(leaving.only(self._atomic))
        self._entered.enter_context(drivers.watched())
        self._run = self._entered.enter_context(self._conductor).run
        self._entered.enter_context(self._watchdog)
        return self

    def __exit__(self, *raised: object) -> None:
        self._entered.close()

    def go_on(self) -> None:
        """In a copy of the process that has entered it: count anew, and be watched here too."""
        self._watchdog.go_on()
        self._carrier.tally = Tally()
        self.events.clear()
        for each in (self.ended, self.cut_off, self.longest, self.longest_cut_off, self.refused):
            each.clear()

    @property
    def asked(self) -> dict[str, str]:
        """Servers that requests were connected with for real, and where first."""
        return {
            server: told_site(Site(code.co_filename, line, code.co_qualname))
            for server, (code, line) in leaving.asked.items()
        }

    @property
    def has_fault(self) -> bool:
        """Whether a fault was meant to befall a request of the last window."""
        return any(each.fault for carried in self._carried for each in carried)

    @property
    def tally(self) -> Tally:
        """What was carried until now, but for latencies: time is simulated."""
        return replace(self._carrier.tally, latency_us={})

    @property
    def sent(self) -> frozenset[int]:
        """The steps that a user has sent."""
        return self._traffic.sent_steps

    @property
    def first_lanes(self) -> tuple[int, ...]:
        """The first lane of each user."""
        return tuple(n for n, lane in enumerate(self._traffic.lanes) if lane.place == 0)

    def look_at(self, execution: Execution) -> None:
        """Note which requests came to a switch point: in the selected files, where lines are."""
        for carried, trail in zip(self._carried, execution.trails, strict=False):
            # Of several that one worker has carried, nobody knows which one it was.
            steps = {carried[0].prepared.index if len(carried) == 1 else ANY}
            if not steps <= self.seen and (
                not self._control.at_lines
                or any(code.co_filename in self._files for code, _ in trail)
            ):
                self.seen |= steps

    def next_steps(self, lanes: tuple[int, ...]) -> tuple[int, ...]:
        """Which steps these lanes are about to send."""
        return tuple(self._traffic.next_step(self._traffic.lanes[each]) for each in lanes)

    def with_others(self, window: Window) -> Window:
        """The window, and besides what else the scenario sends, each request in its own worker.

        Some users go through whole visits; others are about to send each of the steps.
        """
        taken = {lane for worker in window.lanes for lane in worker}
        others = [lane for lane in range(self.lanes) if lane not in taken]
        steps = range(len(self._traffic.plan.steps))
        visits = [(lane,) * (_VISITS * len(steps)) for lane in others[:_WHOLE_VISITS]]
        for step, lane in zip(steps, others[_WHOLE_VISITS:], strict=False):
            self._lead_to(lane, step)
            visits.append((lane,))
        return _joined(window, visits)

    def _lead_to(self, lane: int, step: int) -> None:
        for _ in range(_MOST_ON_THE_WAY):
            if self.next_steps((lane,)) == (step,):
                break
            self._traffic.next_of(self._traffic.lanes[lane])

    def pass_over(self, window: Window) -> None:
        """Make a window's requests and do not send them: their users are one step further."""
        for worker in window.lanes:
            for lane in worker:
                self._traffic.next_of(self._traffic.lanes[lane])

    def carry(self, window: Window, chooser: Chooser | None = None) -> Carried:
        """Carry a window by its points, or as `chooser` says.

        Raises DivergedError as the chooser does, and SearchEndedError if a request comes to no
        switch point any more.
        """
        if chooser is None:
            points = window.points or _ONE_AFTER_THE_OTHER
            chooser = ByPoints(points).begin(0, window.seed, Lengths())
        self._carried = [[] for _ in window.lanes]
        self._begins = [[] for _ in window.lanes]
        workers = [
            self._control.worker(self._carrier, self._requests(number, lanes))
            for number, lanes in enumerate(window.lanes)
        ]
        tally = self._carrier.tally
        before = replace(tally, faults=dict(tally.faults), failures=dict(tally.failures))
        try:
            execution = self._run(workers, chooser, window.seed)
        except DivergedError:
            # Requests that we cut off are none that failed.
            self._carrier.tally = before
            raise
        if execution.stopped is not None:
            self._carrier.tally = before
        self._raise_faults(execution)
        self._clear_up(execution)
        who = tuple(tuple(request.who for request in each) for each in self._carried)
        steps = tuple(tuple(each.prepared.index for each in carried) for carried in self._carried)
        befallen = tuple(self._faults.take(execution, self._carried))
        begins = tuple(map(tuple, self._begins))
        return Carried(execution, who, self._control.started, steps, befallen, begins)

    def _requests(self, number: int, lanes: tuple[int, ...]) -> Iterator[Request]:
        for lane in lanes:
            run = here()
            if run is not None and run.is_ending:
                # Whoever was cut off in one of them takes no other, where nobody would end it.
                return
            request = self._traffic.next_of(self._traffic.lanes[lane])
            if self.spares:
                request.fault = None
            self._faults.follow(request, number, len(self._carried[number]))
            self._carried[number].append(request)
            self._begins[number].append(0 if run is None else len(run.worker(number).trail))
            yield request

    def _request_of(self, worker: int) -> int:
        """Which of its requests a worker carries now, counted from 0."""
        carried = self._carried[worker] if worker < len(self._carried) else []
        return max(0, len(carried) - 1)

    def _raise_faults(self, execution: Execution) -> None:
        for worker in execution.workers[: len(self._carried)]:
            if worker.error is not None:
                raise worker.error
        if isinstance(execution.stopped, UncontrolledBlock):
            raise _uncontrolled(execution.stopped)
        if isinstance(execution.stopped, Escape):
            self._refuse(execution.stopped)

    def _refuse(self, escape: Escape) -> None:
        behind = escape.behind
        if behind is None or behind >= len(self._carried) or not self._carried[behind]:
            # Nobody knows for which request.
            raise ended_by(escape)
        self.refused.setdefault(self._carried[behind][-1].prepared.index, escape)

    def _clear_up(self, execution: Execution) -> None:
        stopped = execution.stopped
        live = self._crew.live
        steps = {each.prepared.index for worker in self._carried for each in worker}
        if stopped is None:
            self.ended.update(steps)
            self._measure(execution, self.longest)
        elif not isinstance(stopped, Livelock | KnownLoop | Escape):
            self.cut_off.update(steps)
            self._measure(execution, self.longest_cut_off)
        if isinstance(stopped, Deadlock):
            if self.has_lost_threads:
                self.waits_in_vain = True
            else:
                self._crew.record.note(self._stuck(stopped))
        elif isinstance(stopped, Livelock):
            if spinning := self._spinning(stopped, execution):
                self._crew.record.note(spinning)
            else:
                # What requests started goes round, and they are not kept by it.
                self.ended.update(steps)
        started = execution.workers[len(self._carried) :]
        self.has_lost_threads = self.has_lost_threads or any(each.cut_off for each in started)
        live.clear()

    def _stuck(self, deadlock: Deadlock) -> Event:
        """A deadlock where requests wait for each other, or may do so; else one that is endless."""
        cycle = _cycle(deadlock.waits)
        if not cycle:
            roots = _roots(deadlock.waits)
            if len(roots) == 1:
                return self._endless(roots[0], deadlock.waits)
            # For whom they wait is not known of all: perhaps for each other.
            cycle = deadlock.waits
        waits = [each for each in cycle if each.worker < len(self._carried)]
        who = [self._carried[each.worker][-1].who for each in waits if self._carried[each.worker]]
        places = sorted({f"{each.what} at {told_site(each.site)}" for each in cycle})
        return Event(
            kind="deadlock",
            place="; ".join(places),
            victim=who[0] if who else Who(0, 0),
            source=who[1] if len(who) > 1 else None,
            seen="; ".join(_waits(each) for each in cycle),
            where=tuple(_where(each.site) for each in cycle),
            at_request=self._crew.record.ended,
        )

    def _endless(self, root: Wait, waits: Sequence[Wait]) -> Event:
        requests = [each for each in waits if each.worker < len(self._carried)]
        waiting = root if root in requests or not requests else requests[0]
        carried = self._carried[waiting.worker] if waiting in requests else []
        return Event(
            kind="endless",
            place=f"{root.what} at {told_site(root.site)}",
            victim=carried[-1].who if carried else Who(0, 0),
            seen=_waits(root),
            where=(_where(root.site),),
            at_request=self._crew.record.ended,
        )

    def _measure(self, execution: Execution, longest: dict[int, int]) -> None:
        is_cut_off = longest is self.longest_cut_off
        for number, carried in enumerate(self._carried):
            if carried and execution.workers[number].cut_off == is_cut_off:
                step, took = carried[-1].prepared.index, execution.steps[number]
                longest[step] = max(took, longest.get(step, 0))

    def _spinning(self, livelock: Livelock, execution: Execution) -> Event | None:
        """Requests that go round in circles, or wait for those that do; none where all ended."""
        numbers = [each for each in range(len(self._carried)) if execution.workers[each].cut_off]
        if not numbers:
            return None
        going = [each.worker for each in livelock.spins if each.worker in numbers]
        victim = (going or numbers)[0]
        places = dict.fromkeys(told_loop(each) for each in livelock.spins)
        return Event(
            kind="endless",
            place="; ".join(sorted(places)),
            victim=self._carried[victim][-1].who,
            seen="; ".join(f"{loop_told(each)}" for each in livelock.spins),
            where=tuple(dict.fromkeys(_where(each.first) for each in livelock.spins)),
            at_request=self._crew.record.ended,
        )

    def _hear(self, message: dict[str, Any]) -> None:
        run = here()
        # What requests do that are cut off is our doing.
        if message["say"] == "event" and (run is None or not run.is_ending):
            self.events.append(Event.from_json(message["event"]))


def _joined(window: Window, others: Sequence[tuple[int, ...]]) -> Window:
    """The window with these workers after its own; those that requests start come after all."""
    given, more = len(window.lanes), len(others)
    points = window.points or _ONE_AFTER_THE_OTHER

    def numbered(worker: int) -> int:
        return worker if worker < given else worker + more

    def switched(switches: Sequence[Switch]) -> tuple[Switch, ...]:
        return tuple(
            Switch(numbered(each.worker), each.step, numbered(each.to)) for each in switches
        )

    order = dict.fromkeys((*map(numbered, points.order), *range(given + more)))
    joined = replace(
        points,
        order=tuple(order),
        preemptions=switched(points.preemptions),
        handovers=switched(points.handovers),
    )
    return replace(window, lanes=(*window.lanes, *others), points=joined)


def _cycle(waits: Sequence[Wait]) -> Sequence[Wait]:
    """Those that wait for each other, as far as it is known for whom they wait; else none.

    Others may wait for one of them, which is no other deadlock.
    """
    by_worker = {each.worker: each for each in waits}
    for first in waits:
        chain = [first]
        while (holder := chain[-1].holder) in by_worker and holder is not None:
            following = by_worker[holder]
            if following in chain:
                cycle = chain[chain.index(following) :]
                return sorted(cycle, key=lambda each: each.worker)
            chain.append(following)
    return ()


def _roots(waits: Sequence[Wait]) -> list[Wait]:
    """Those that wait for nobody else who waits; without a cycle, all others wait for these."""
    waiting = {each.worker for each in waits}
    return [each for each in waits if each.holder not in waiting]


def _waits(wait: Wait) -> str:
    told = f"{told_site(wait.site)} waits in {wait.what}"
    return told if wait.held_at is None else f"{told}, held since {told_site(wait.held_at)}"


def _where(site: Site) -> Where:
    return Where(shown_file(site.file), site.line, site.function)


def told_loop(spin: Spin) -> str:
    """The lines that are gone round, as a cause tells them."""
    last = f"-{spin.last.line}" if spin.last.line != spin.first.line else ""
    return f"goes round at {told_site(spin.first)}{last}"


def _uncontrolled(stopped: UncontrolledBlock) -> SearchEndedError:
    return SearchEndedError(
        "hang",
        f"a request came to no switch point for {stopped.waited_s:g} s, at "
        f"{told_site(stopped.stack[0])}: it waits for what no schedule controls, or runs in "
        "circles",
    )
