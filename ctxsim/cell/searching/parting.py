"""Where replays of one script part, though the same was chosen: what no schedule controls."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from ctxsim.cell.history import KINDS, Event, Where
from ctxsim.cell.schedule.choices import first_difference
from ctxsim.cell.searching.courses import Course, Mark
from ctxsim.cell.searching.settling import Settled
from ctxsim.cell.searching.shown import Cause

Courses = tuple[Course, ...]
# By what stands in a line, the usual reason that it gives another result; the first that fits.
_REASONS = (
    (r"\b(urandom|uuid|secrets|random|getrandom)", "chance that is not drawn from the seed"),
    (
        r"\b(time(_ns)?|monotonic(_ns)?|perf_counter(_ns)?|now|today)\(",
        "a clock that is not the schedule's",
    ),
    (r"\b(id|hash)\(", "addresses or hashes of objects"),
    (r"\bset\(|\{\w+ for ", "the order of a set"),
    (r"\b(gc|weakref)", "when garbage is collected"),
    (
        r"\b(open|read\w*|write\w*|exists|stat|listdir|glob|execute|commit|recv|send\w*)\b",
        "a file, a database or a connection, which is not put back between executions",
    ),
    (r"\b(Thread|Process|fork|submit)", "a thread or process of its own"),
)
_USUAL = (
    "usual causes: the order of a set, clocks, chance, addresses of objects, files and "
    "connections, threads of its own"
)


@dataclass(frozen=True, slots=True)
class Parting:
    """The line that a worker was `running` when two replays parted; else it stopped there next."""

    mark: Mark
    running: bool = True


def parting(replays: Sequence[Courses]) -> Parting | None:
    """Where two of the replays parted first; None where no line differs."""
    places = [
        place
        for one, other in combinations(replays, 2)
        if (place := _parted(one, other)) is not None
    ]
    return min(places, key=lambda each: each[0])[1] if places else None


def _parted(one: Courses, other: Courses) -> tuple[tuple[int, int], Parting | None] | None:
    """The window and the step at which they part, and the line that was run in that step."""
    for number, (mine, yours) in enumerate(zip(one, other, strict=False)):
        steps = [*_other_steps(mine, yours)]
        if steps:
            step = min(steps)
            return (number, step), _line_of(mine, step) or _line_of(yours, step)
    return None


def _other_steps(one: Course, other: Course) -> Iterator[int]:
    chosen = first_difference(one.schedule, other.schedule)
    if chosen is not None:
        # Who was ready then depends on the step before.
        yield max(0, chosen - 1)
    ways = zip(_after(one), _after(other), strict=False)
    yield from (step for step, (mine, yours) in enumerate(ways) if mine != yours)


def _after(course: Course) -> Iterator[Mark | None]:
    """For each step, where its worker stood after it."""
    taken = [0] * len(course.marks)
    for worker in course.schedule.steps:
        way = course.marks[worker]
        yield way[taken[worker]] if taken[worker] < len(way) else None
        taken[worker] += 1


def _line_of(course: Course, step: int) -> Parting | None:
    """The line that the worker of that step ran in it."""
    steps = course.schedule.steps
    if step >= len(steps):
        return None
    worker = steps[step]
    before = steps[:step].count(worker)
    way = course.marks[worker]
    if 0 < before <= len(way):
        return Parting(way[before - 1])
    # On its way from its start, of which nobody knows the lines.
    return Parting(way[0], running=False) if way and not before else None


def nondeterminism(shown: Settled, cause: Cause, parted: Parting | None) -> Event:
    """What is told of a script that showed that cause in some of its replays alone."""
    seen = shown.event
    if parted is None:
        told = place = "no line differs"
    else:
        mark = parted.mark
        place = f"{mark.file}:{mark.line} in {mark.function}"
        told = f"they part {'at' if parted.running else 'before'} {place}: {mark.text}"
    return Event(
        kind="nondeterminism",
        place=place,
        victim=seen.victim,
        source=seen.source,
        seen=f"{KINDS[cause[0]]} ({cause[2]}) in {shown.times} of {shown.of} replays; {told}; "
        f"{reason(parted)}",
        where=() if parted is None else (Where(mark.file, mark.line, mark.function),),
    )


def reason(parted: Parting | None) -> str:
    """The likely cause, by what the line says; else what causes it usually."""
    if parted is not None and parted.running:
        for pattern, told in _REASONS:
            if re.search(pattern, parted.mark.text):
                return f"perhaps {told}"
    return _USUAL
