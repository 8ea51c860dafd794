"""The smallest schedule that still shows the same finding, and how much room each switch has.

It knows a value and a predicate, nothing else. What is asked for stands in DESIGN section 10: fewer
requests, then fewer preemptions, then a canonical order, each kept only if the finding remains;
these are repeated until none helps. Each step is judged by one execution, of which there are only
so many; a schedule that was judged is not judged again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from ctxsim.cell.schedule.choices import Schedule, counts_of, of_workers
from ctxsim.cell.schedule.minimal import fewest, find_most
from ctxsim.cell.schedule.points import Points, Switch, points_of, renamed

_EXECUTIONS = 500
# How far switches can be moved is for the reader alone, who has enough with some steps of many: of
# a library's lines there may be hundreds, each of which is an execution.
_FOR_WINDOWS = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """The requests to carry, by their places among those of the first execution, and the switches.

    Each stays with its worker. Workers that have none left are gone, and the others are numbered
    anew, in their old order; those that requests have started follow.
    """

    requests: tuple[int, ...]
    points: Points


# Carries out a candidate: how it went where the same finding shows, else None.
Remains = Callable[[Candidate], Schedule | None]
# Of one that was carried out: after how many steps of its worker each request began, by workers.
Begins = Callable[[Candidate], Sequence[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Window:
    """The finding remains for a switch at any step of its worker from `first` to `last`.

    Where it is not `whole`, executions ran out before an end of it was seen.
    """

    switch: Switch
    first: int
    last: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What is left; `complete` if nothing more could be taken away or moved one step later."""

    candidate: Candidate
    windows: tuple[Window, ...]
    executions: int
    complete: bool


def shrink(
    schedule: Schedule,
    carried: Sequence[int],
    remains: Remains,
    most_executions: int = _EXECUTIONS,
    begins: Begins | None = None,
) -> Shrunk:
    """Shrink an execution that shows a finding, whose workers `carried` so many requests each.

    Requests are counted worker by worker. Where it is known what each `begins` with, its steps go
    with it; else they stay where its worker carries another one. Raises ValueError if the finding
    does not show in the whole execution told by its switches: then there is nothing to shrink.
    """
    judge = _Judge(remains, most_executions)
    whole = Candidate(tuple(range(sum(carried))), points_of(schedule))
    if (shown := judge(whole)) is None:
        raise ValueError("the finding does not show when the schedule is followed by its switches")
    shrinking = _Shrinking(judge, whole, shown, carried, begins)
    shrinking.until_nothing_helps()
    windows = shrinking.windows()
    return Shrunk(shrinking.best, windows, judge.executions, shrinking.is_complete)


def moved(candidate: Candidate, at: int, step: int) -> Candidate:
    """The candidate with its preemption of that place at another step of its worker."""
    points = candidate.points
    switch = replace(points.preemptions[at], step=step, site=None)
    switches = (*points.preemptions[:at], switch, *points.preemptions[at + 1 :])
    return replace(candidate, points=replace(points, preemptions=switches))


class _OutOfExecutionsError(Exception):
    """Ends a pass; what was reached stands."""


class _Judge:
    """Counts executions, and remembers what they showed."""

    def __init__(self, remains: Remains, most: int) -> None:
        self.executions = 0
        self._remains = remains
        self._most = most
        self._seen: dict[Candidate, Schedule | None] = {}

    def allow(self, most: int) -> None:
        """Judge so many more at most."""
        self._most = min(self._most, self.executions + most)

    def __call__(self, candidate: Candidate) -> Schedule | None:
        if candidate not in self._seen:
            if self.executions >= self._most:
                raise _OutOfExecutionsError
            self.executions += 1
            self._seen[candidate] = self._remains(candidate)
        return self._seen[candidate]


class _Shrinking:
    """`best` always showed the finding; each pass puts a smaller one in its place, or leaves it."""

    def __init__(
        self,
        judge: _Judge,
        whole: Candidate,
        shown: Schedule,
        carried: Sequence[int],
        begins: Begins | None,
    ) -> None:
        self.best = whole
        self.is_complete = False
        self._judge = judge
        self._begins = begins
        # How the best one went.
        self._shown = shown
        # Who carried each request in the first execution.
        self._carrier = [worker for worker, count in enumerate(carried) for _ in range(count)]
        # By who it was in the first execution: how many steps it took at most.
        self._longest: dict[int, int] = {}
        self._measure()

    def until_nothing_helps(self) -> None:
        passes = (
            self._fewer_requests,
            self._fewer_preemptions,
            self._order_instead,
            self._end_instead,
            self._direct_instead,
            self._on_from_there,
            self._fewer_handovers,
            self._fewer_draws,
            self._canonical_order,
            self._later,
        )
        try:
            before = None
            while before != self.best:
                before = self.best
                for each in passes:
                    each()
        except _OutOfExecutionsError:
            return
        self.is_complete = True

    def _keep(self, candidate: Candidate) -> bool:
        shown = self._judge(candidate)
        if shown is None:
            return False
        self.best, self._shown = candidate, shown
        self._measure()
        return True

    def _measure(self) -> None:
        for worker, count in enumerate(counts_of(self._shown.steps)):
            who = self._who(worker)
            self._longest[who] = max(count, self._longest.get(who, 0))

    def _carriers(self, requests: Iterable[int]) -> list[int]:
        """Who carried these in the first execution, in order: the workers there are now."""
        return list(dict.fromkeys(self._carrier[each] for each in requests))

    def _who(self, worker: int) -> int:
        """Which worker it was in the first execution; those that requests start come below 0."""
        carriers = self._carriers(self.best.requests)
        return carriers[worker] if worker < len(carriers) else len(carriers) - worker - 1

    def _keep_points(self, points: Points) -> bool:
        return self._keep(replace(self.best, points=points))

    def _fewer_requests(self) -> None:
        requests = self.best.requests
        fewest(requests, lambda kept: bool(kept) and self._keep(self._of_requests(kept)))

    def _of_requests(self, requests: tuple[int, ...]) -> Candidate:
        """The steps of the others still tell who went on once those that left are gone."""
        left = set(self._carriers(requests))
        before = self._carriers(self.best.requests)
        kept = [number for number, who in enumerate(before) if who in left]
        # How many of them it has started is not known of any request.
        started = range(len(before), len(counts_of(self._shown.steps)))
        without = {each: self._steps_of_others(each, requests) for each in kept}
        left_over = of_workers(self._shown, (*kept, *started), without)
        return Candidate(requests, points_of(left_over))

    def _steps_of_others(self, worker: int, requests: Collection[int]) -> set[int]:
        """The steps, from 1, that a worker took for requests of its own that are not among these.

        In one step it ends a request and begins the next one: that step is the later one's, unless
        none comes later.
        """
        begins = () if self._begins is None else self._begins(self.best)[worker:][:1]
        who = self._carriers(self.best.requests)[worker]
        own = [each for each in self.best.requests if self._carrier[each] == who]
        if not begins or len(begins[0]) != len(own):
            return set()
        first = dict(zip(own, begins[0], strict=True))
        ends = dict(zip(own, (*begins[0][1:], self._count(worker)), strict=True))
        last = max(each for each in own if each in requests)
        return {
            step
            for each in own
            if each not in requests
            for step in range(first[each] + 1 + (each > last), ends[each] + 1 + (each > last))
        }

    def _count(self, worker: int) -> int:
        """How many steps a worker took."""
        counts = counts_of(self._shown.steps)
        return counts[worker] if worker < len(counts) else 0

    def _most(self, worker: int) -> int:
        """How many steps it took at most, of what was kept: now it may stop in their midst."""
        return self._longest.get(self._who(worker), 0)

    def _fewer_preemptions(self) -> None:
        points = self.best.points
        fewest(
            points.preemptions,
            lambda kept: self._keep_points(replace(points, preemptions=kept)),
        )

    def _fewer_handovers(self) -> None:
        points = self.best.points
        fewest(
            points.handovers,
            lambda kept: self._keep_points(replace(points, handovers=kept)),
        )

    def _fewer_draws(self) -> None:
        """Those that are left out give the first alternative; so the last ones can be left out."""
        points = self.best.points
        count = len(points.draws)
        find_most(
            count, lambda n: self._keep_points(replace(points, draws=points.draws[: count - n]))
        )
        for at, draw in enumerate(self.best.points.draws):
            if draw.taken:
                draws = self.best.points.draws
                changed = (*draws[:at], replace(draw, taken=0), *draws[at + 1 :])
                self._keep_points(replace(points, draws=changed))

    def _order_instead(self) -> None:
        """Another order in place of a preemption: who was let in begins before who was stopped.

        Who was stopped then goes on in its place in the order, or after the end of some other.
        """
        for switch in self.best.points.preemptions:
            any(map(self._keep_points, self._ordered(switch)))

    def _ordered(self, switch: Switch) -> Iterator[Points]:
        points = self.best.points
        order = [worker for worker in points.order if worker != switch.to]
        if switch.worker not in order:
            return
        order.insert(order.index(switch.worker), switch.to)
        rest = tuple(each for each in points.preemptions if each != switch)
        ordered = replace(points, order=tuple(order), preemptions=rest)
        yield ordered
        taken = {each.key for each in ordered.switches}
        for worker in order:
            end = Switch(worker, self._count(worker), switch.worker)
            if worker != switch.worker and end.key not in taken:
                yield replace(ordered, handovers=(*ordered.handovers, end))

    def _end_instead(self) -> None:
        """The end of a worker in place of its preemption, so that it need not be stopped."""
        for switch in self.best.points.preemptions:
            ended = replace(switch, step=self._count(switch.worker), site=None)
            points = self.best.points
            rest = tuple(each for each in points.preemptions if each != switch)
            if ended.key not in {each.key for each in rest + points.handovers}:
                handovers = (*points.handovers, ended)
                self._keep_points(replace(points, preemptions=rest, handovers=handovers))

    def _direct_instead(self) -> None:
        """One preemption in place of two, where somebody else only went on in between."""
        found = self.best.points.preemptions
        for one, other in product(found, found):
            points = self.best.points
            now = points.preemptions
            if one.to == other.worker and other.to != one.worker and {one, other} <= set(now):
                direct = replace(one, to=other.to)
                switches = tuple(direct if each == one else each for each in now if each != other)
                self._keep_points(replace(points, preemptions=switches))

    def _on_from_there(self) -> None:
        """One preemption in place of two of a worker that need not go on in between.

        Where who was let in first cannot go on, the other one does.
        """
        found = self.best.points.preemptions
        for one, other in product(found, found):
            is_pair = one.worker == other.worker and one.step < other.step and one.to != other.to
            if not is_pair or not {one, other} <= set(self.best.points.preemptions):
                continue
            handover = Switch(one.to, self._left_after(one), other.to)
            rest = tuple(each for each in self.best.points.preemptions if each not in (one, other))
            for kept in (replace(other, to=one.to), one):
                if self._keep_with(rest, kept, handover):
                    break

    def _keep_with(self, rest: tuple[Switch, ...], kept: Switch, handover: Switch) -> bool:
        points = self.best.points
        left = tuple(each for each in points.handovers if each.key != handover.key)
        if handover.key in {each.key for each in (*rest, kept)}:
            return False
        preemptions = tuple(sorted((*rest, kept), key=lambda each: each.key))
        return self._keep_points(
            replace(points, preemptions=preemptions, handovers=(*left, handover))
        )

    def _left_after(self, switch: Switch) -> int:
        """How many steps who was let in had taken when somebody else went on."""
        taken: Counter[int] = Counter()
        is_let_in = False
        for worker, count in self._shown.runs:
            taken[worker] += count
            if is_let_in and worker == switch.to:
                break
            is_let_in = (worker, taken[worker]) == switch.key
        return taken[switch.to]

    def _canonical_order(self) -> None:
        """The lowest number first, wholly or as far as that goes."""
        points = self.best.points
        order = tuple(sorted(points.order))
        if order == points.order or self._keep_points(replace(points, order=order)):
            return
        # Requests that are alike may change places; what each of them did then has another's name.
        if self._keep_points(replace(renamed(points), order=order)):
            return
        for at in range(len(points.order) - 1):
            order = self.best.points.order
            if order[at] > order[at + 1]:
                swapped = (*order[:at], order[at + 1], order[at], *order[at + 2 :])
                self._keep_points(replace(points, order=swapped))

    def _later(self) -> None:
        for at in range(len(self.best.points.preemptions)):
            self._move_later(at)

    def _move_later(self, at: int) -> None:
        switch = self.best.points.preemptions[at]
        room = self._most(switch.worker) - switch.step
        find_most(room, lambda by: self._move(at, switch.step + by))

    def _move(self, at: int, step: int) -> bool:
        return not _is_taken(self.best, at, step) and self._keep(moved(self.best, at, step))

    def windows(self) -> tuple[Window, ...]:
        preemptions = self.best.points.preemptions
        counts = {each.worker: self._most(each.worker) for each in preemptions}
        return tuple(_windows(self._judge, self.best, counts))


def windows(
    candidate: Candidate,
    counts: Mapping[int, int],
    remains: Remains,
    most_executions: int = _EXECUTIONS,
) -> tuple[Window, ...]:
    """For each preemption, how far it can be moved either way, step by step.

    `counts` says how many steps its worker takes.
    """
    return tuple(_windows(_Judge(remains, most_executions), candidate, counts))


def _windows(judge: _Judge, candidate: Candidate, counts: Mapping[int, int]) -> Iterator[Window]:
    judge.allow(_FOR_WINDOWS)
    for at, switch in enumerate(candidate.points.preemptions):
        first, seen_first = _reach(judge, candidate, at, range(switch.step - 1, 0, -1))
        later = range(switch.step + 1, counts[switch.worker] + 1)
        last, seen_last = _reach(judge, candidate, at, later)
        yield Window(switch, first, last, seen_first and seen_last)


def _reach(judge: _Judge, candidate: Candidate, at: int, steps: range) -> tuple[int, bool]:
    reached = candidate.points.preemptions[at].step
    for step in steps:
        try:
            if _is_taken(candidate, at, step) or judge(moved(candidate, at, step)) is None:
                return reached, True
        except _OutOfExecutionsError:
            return reached, False
        reached = step
    return reached, True


def _is_taken(candidate: Candidate, at: int, step: int) -> bool:
    """Whether another switch has that place."""
    key = candidate.points.preemptions[at].worker, step
    return any(each.key == key for each in candidate.points.switches)
