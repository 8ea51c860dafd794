"""How a window went, line by line, as a value that another process and another year can read.

Lines are told by their texts too, because their numbers move as soon as somebody edits the file.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ctxsim.cell.history import Event, Who
from ctxsim.cell.schedule.choices import Schedule
from ctxsim.cell.schedule.execution import Livelock, StepLimit, Stopped
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.schedule.points import Points, Switch
from ctxsim.cell.searching.stage import Carried
from ctxsim.cell.witness.record import shown_file

# How much of a line must be the same, for instance where what it calls has got another name.
_ALIKE = 0.75


@dataclass(frozen=True, slots=True)
class Mark:
    """A line before which a worker stood."""

    file: str
    line: int
    function: str
    text: str


Marks = tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Course:
    """One window: what was chosen, and where each worker stood after its steps, but for the last.

    `files` are those in which they stood, each with the digest of its content. `requests` are those
    of each worker, of which the last one of `unended` workers did not end; `is_too_long` where that
    is because there were too many steps. Those that are `spinning` went round in circles. `causes`
    are those of the events up to its end.
    """

    schedule: Schedule
    marks: tuple[Marks, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[tuple[Who, ...], ...] = ()
    unended: tuple[int, ...] = ()
    is_too_long: bool = False
    spinning: tuple[int, ...] = ()
    # For which steps `requests` were.
    steps: tuple[tuple[int, ...], ...] = ()
    causes: tuple[tuple[str, ...], ...] = ()
    # How many steps of the schedule are decisive: from there on, nobody gets anywhere.
    decisive: int = 0

    @property
    def unended_steps(self) -> Iterator[int]:
        """For which steps those requests were that did not end."""
        return (self.steps[each][-1] for each in self.unended if self.steps[each])

    @classmethod
    def of(cls, carried: Carried, events: Sequence[Event]) -> Course:
        """To be taken in the process that carried it, which has the code."""
        execution = carried.execution
        marks = tuple(tuple(map(_mark, trail)) for trail in execution.trails)
        files = {code.co_filename for trail in execution.trails for code, _ in trail}
        digests = {shown_file(file): digest for file in sorted(files) if (digest := _digest(file))}
        unended = (n for n in range(len(carried.requests)) if execution.workers[n].cut_off)
        return cls(
            execution.schedule,
            marks,
            digests,
            carried.requests,
            tuple(unended),
            isinstance(execution.stopped, StepLimit),
            _spinning(execution.stopped),
            carried.steps,
            tuple(each.cause for each in events),
            len(execution.decisive.steps),
        )

    def ended(self, worker: int) -> tuple[int, ...]:
        """For which steps the requests of a worker were that came to their ends."""
        return self.steps[worker][:-1] if worker in self.unended else self.steps[worker]


def _spinning(stopped: Stopped | None) -> tuple[int, ...]:
    return tuple(each.worker for each in stopped.spins) if isinstance(stopped, Livelock) else ()


def _mark(place: Place) -> Mark:
    code, line = place
    text = linecache.getline(code.co_filename, line).strip()
    return Mark(shown_file(code.co_filename), line, code.co_qualname, text)


def _digest(file: str) -> str:
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()
    except OSError:
        # Code that was made in memory: of it nothing can be told but its name.
        return ""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a worker had to stop: before that text, for the `visit`-th time, counted from 1.

    Without a text it had come to its end.
    """

    file: str = ""
    function: str = ""
    text: str = ""
    visit: int = 1


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a case keeps of its last window: what was chosen, where it switched, in which files.

    `spots` has one for each switch, by the worker and its own step.
    """

    schedule: Schedule
    spots: Mapping[tuple[int, int], Spot]
    files: Mapping[str, str]

    @classmethod
    def of(cls, course: Course, points: Points) -> Recorded:
        spots = {each.key: _spot(course.marks, each) for each in points.switches}
        return cls(course.schedule, spots, course.files)

    def as_json(self) -> dict[str, Any]:
        """For a message and for a file."""
        return {
            "schedule": self.schedule.as_json(),
            "spots": [
                [*key, each.file, each.function, each.text, each.visit]
                for key, each in self.spots.items()
            ],
            "files": dict(self.files),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Recorded:
        """Read what `as_json` gave; raises ValueError where a schedule's parts do not fit."""
        spots = {(worker, step): Spot(*spot) for worker, step, *spot in value["spots"]}
        return cls(Schedule.from_json(value["schedule"]), spots, value["files"])

    def changed(self, files: Mapping[str, str]) -> Iterator[str]:
        """The files that are others now, or that are not come by any more."""
        yield from (file for file, digest in self.files.items() if files.get(file) != digest)


def _spot(marks: Sequence[Marks], switch: Switch) -> Spot:
    way = marks[switch.worker] if switch.worker < len(marks) else ()
    if not 0 < switch.step <= len(way):
        return Spot()
    mark = way[switch.step - 1]
    here = [each for each in way[: switch.step] if _strictly(each) == _strictly(mark)]
    return Spot(mark.file, mark.function, mark.text, len(here))


def _strictly(mark: Mark) -> tuple[str, ...]:
    return mark.file, mark.function, mark.text


def by_spots(points: Points, recorded: Recorded, marks: Sequence[Marks]) -> Points:
    """The points with each switch where its spot is now; one whose spot is gone stays.

    Where workers come by depends on the switches: what this gives has to be carried, and looked up
    once more.
    """

    def moved(switches: Sequence[Switch]) -> tuple[Switch, ...]:
        return tuple(_moved(each, recorded.spots.get(each.key), marks) for each in switches)

    preemptions = moved(points.preemptions)
    taken = {each.key for each in preemptions}
    handovers = tuple(each for each in moved(points.handovers) if each.key not in taken)
    return replace(points, preemptions=preemptions, handovers=handovers)


def _moved(switch: Switch, spot: Spot | None, marks: Sequence[Marks]) -> Switch:
    if spot is None or switch.worker >= len(marks):
        return switch
    way = marks[switch.worker]
    step = len(way) + 1 if not spot.text else _step(spot, way)
    return switch if step is None else replace(switch, step=step, site=None)


def _step(spot: Spot, way: Marks) -> int | None:
    """The step before which the worker stands there; a function may have got another name."""
    named = [n for n, mark in enumerate(way) if mark.text == spot.text]
    inside = [n for n in named if way[n].file == spot.file]
    strictly = [n for n in inside if way[n].function == spot.function]
    for places in (strictly, inside, named, _alike(spot, way)):
        if len(places) >= spot.visit:
            return places[spot.visit - 1] + 1
    return None


def _alike(spot: Spot, way: Marks) -> list[int]:
    """Where the same function, or one in the same file, has a line that is much like it."""
    inside = [n for n, mark in enumerate(way) if mark.file == spot.file]
    strictly = [n for n in inside if way[n].function == spot.function]
    for places in (strictly, inside):
        texts = {way[n].text for n in places}
        if like := get_close_matches(spot.text, sorted(texts), 1, _ALIKE):
            return [n for n in places if way[n].text == like[0]]
    return []
