"""Whether a request that waits does so for ever, whatever else the scenario sends.

It may wait for another one that is still to come, as one does that polls for news. So what else the
scenario sends is carried beside it, and what goes on waiting nevertheless is told. So is what would
not wait in any order of the same requests one by one: nothing is still to come for which it waits,
but a wake-up was lost, and it is chance if somebody else brings another one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from ctxsim.cell.history import UNTIL_ANOTHER, Who
from ctxsim.cell.schedule.choices import Schedule, counts_of, of_workers
from ctxsim.cell.schedule.points import points_of
from ctxsim.cell.searching.confirming import UNENDED
from ctxsim.cell.searching.courses import Course, Mark
from ctxsim.cell.searching.orders import one_by_one, orders_of
from ctxsim.cell.searching.plays import Asked
from ctxsim.cell.searching.scripts import Script
from ctxsim.cell.searching.settling import Settled

# So many steps of a worker that goes round show all of its loop.
_ROUNDS = 200
LastCourse = Callable[[Asked], Course]
Courses = Callable[[Asked], tuple[Course, ...]]


def waits_on(script: Script, victim: Who, course: LastCourse) -> bool | None:
    """Whether it waits for ever beside all that the scenario sends; None where that is not known.

    It is not where it was woken and waits once more: it may be meant to go on for ever.
    """
    alone, together = course(Asked(script)), course(Asked(script, with_others=True))
    worker = _worker_of(alone, victim)
    if worker is None:
        # Threads that requests started wait for each other, and no request for them.
        return None
    if worker not in together.unended:
        return False
    if alone.spinning:
        # All have had their turns: nobody gets through, or others take what it asks for.
        loop = set(alone.marks[worker][-_ROUNDS:])
        since = _since(alone, together)
        if any(_got_through(each, loop) for each in since):
            return False
        # One like it that ended may have taken what this one asks for, or asked for something else.
        step = alone.steps[worker][-1]
        return None if any(step in each.ended for each in since) else True
    if together.is_too_long or _steps(alone, worker) != _steps(together, worker):
        return None
    return True


def waits_by_turns(script: Script, courses: Courses) -> bool:
    """Whether it is known that nobody waits in any order of the same requests one by one."""
    orders = orders_of(script.windows[-1].lanes)
    if orders is None:
        return False
    each_alone = (courses(Asked(one_by_one(script, each))) for each in orders)
    return not any(_have_unended(each) for each in each_alone)


def until_another(settled: Settled) -> Settled:
    """What is told of one whose wait another request ends, if one happens to come."""
    return replace(settled, event=replace(settled.event, expected=UNTIL_ANOTHER))


def as_it_waits(settled: Settled, course: LastCourse) -> Settled:
    """A case that was told before, told as it waits now, if it waits."""
    event = settled.event
    if event.kind not in UNENDED or waits_on(settled.script, event.victim, course) is not False:
        return settled
    return until_another(settled)


def _have_unended(courses: Collection[Course]) -> bool:
    causes = (cause for course in courses for cause in course.causes)
    return any(cause[0] in UNENDED for cause in causes) or any(each.unended for each in courses)


@dataclass(frozen=True, slots=True)
class _Since:
    """What a worker came by, and which of its requests ended, since somebody goes round."""

    marks: Sequence[Mark]
    ended: Sequence[int]
    has_ended: bool


def _since(alone: Course, together: Course) -> list[_Since]:
    """Who came through before tells nothing: it was another state that they found."""
    before = counts_of(alone.schedule.steps[: alone.decisive])
    own = range(len(alone.requests))
    return [
        _Since(
            together.marks[each][before[each] if each in own and each < len(before) else 0 :],
            together.ended(each)[len(alone.ended(each)) if each in own else 0 :],
            each not in together.unended,
        )
        for each in range(len(together.requests))
    ]


def _got_through(since: _Since, loop: Collection[Mark]) -> bool:
    """Whether a request went round in that loop as well, and then got out of it."""
    marks = since.marks
    # Who comes by its first line has asked, and need not have gone round.
    first = min(loop, key=lambda each: each.line)
    body = {each for each in loop if each != first} or loop
    rounds = [at for at, mark in enumerate(marks) if mark in body]
    if not rounds:
        return False
    return since.has_ended or any(mark not in loop for mark in marks[rounds[0] :])


def _worker_of(course: Course, victim: Who) -> int | None:
    """Whose last request it was, and did not end."""
    for worker in course.unended:
        if course.requests[worker] and course.requests[worker][-1] == victim:
            return worker
    return None


def _steps(course: Course, worker: int) -> int:
    return counts_of(course.schedule.steps)[worker]


def only_those(
    script: Script, cause: tuple[str, ...], course: LastCourse
) -> tuple[Script, tuple[str, ...]]:
    """The script and its cause, without those in its last window for whom nobody waits.

    Who waits is part of the cause, so that nobody could be left out later.
    """
    # Nobody waits for the other who would not wait alone.
    if (alone := _one_alone(script, course)) is not None:
        return alone
    cause = _as_it_shows(script, cause, course)
    is_crowd = len(script.windows[-1].lanes) > 2  # noqa: PLR2004 - for two to wait
    return _without_followers(script, cause, course) if is_crowd else (script, cause)


def _as_it_shows(script: Script, cause: tuple[str, ...], course: LastCourse) -> tuple[str, ...]:
    """The cause, or what of its kind shows in its place: who only follows may be seen or not."""
    causes = course(Asked(script)).causes
    alike = (each for each in causes if each[0] == cause[0] and _places(each) & _places(cause))
    return cause if cause in causes else next(alike, cause)


def _one_alone(script: Script, course: LastCourse) -> tuple[Script, tuple[str, ...]] | None:
    """The script with one request alone in its last window, where that does not end alone either.

    With the cause of its event.
    """
    *before, last = script.windows
    for lanes in last.lanes if len(last.lanes) > 1 else ():
        alone = replace(script, windows=(*before, replace(last, lanes=(lanes,), points=None)))
        for cause in course(Asked(alone)).causes:
            if cause[0] == "endless":
                return alone, cause
    return None


def _without_followers(
    script: Script, cause: tuple[str, ...], course: LastCourse
) -> tuple[Script, tuple[str, ...]]:
    shown = course(Asked(script))
    for worker in reversed(range(len(script.windows[-1].lanes))):
        fewer = _without(script, shown.schedule, worker)
        if not fewer.windows[-1].lanes:
            break
        tried = course(Asked(fewer))
        found = next((each for each in tried.causes if _is_part(each, cause)), None)
        if found is not None:
            script, cause, shown = fewer, found, tried
    return script, cause


def _without(script: Script, schedule: Schedule, worker: int) -> Script:
    *before, last = script.windows
    kept = [each for each in range(len(counts_of(schedule.steps))) if each != worker]
    lanes = (*last.lanes[:worker], *last.lanes[worker + 1 :])
    points = points_of(of_workers(schedule, kept))
    return replace(script, windows=(*before, replace(last, lanes=lanes, points=points)))


def _is_part(found: tuple[str, ...], cause: tuple[str, ...]) -> bool:
    return found[0] == cause[0] and _places(found) <= _places(cause)


def _places(cause: tuple[str, ...]) -> set[str]:
    return set(cause[2].split("; "))
