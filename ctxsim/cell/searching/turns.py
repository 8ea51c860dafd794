"""A script that was carried, as turns: what a request did until another went on."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ctxsim.cell.schedule.choices import counts_of, run_lengths
from ctxsim.cell.schedule.execution import Livelock
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.searching.scripts import Room
from ctxsim.cell.searching.seen import LaneKey, Line, only_shared
from ctxsim.cell.searching.stage import Carried
from ctxsim.cell.witness.record import shown_file

# So many steps show what a loop looks at.
_FIRST_ROUND = 8


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a worker stood when it had to stop, and whether it could have gone on."""

    place: Place
    is_preempted: bool
    room: Room | None


@dataclass(frozen=True, slots=True)
class Turn:
    """What a request did until another went on; without a `stop`, until it ended."""

    lane: LaneKey
    begins: bool
    stop: Stop | None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Play:
    """One carrying of a script, window by window, and what was watched of its lines."""

    windows: Sequence[Carried]
    lines: Sequence[Line]
    rooms: Sequence[Room]
    # A worker that carries several requests has a lane for each where it was watched.
    is_watched: bool
    # So were packages' lines.
    is_in_packages: bool = False
    # Whether it does not show where no fault befalls anybody.
    needs_faults: bool = False


def turns_of(play: Play) -> Iterator[Turn]:
    """All turns in order, with the lines that were watched in them."""
    lines = _with_notes(only_shared(play.lines), play)
    for number, carried in enumerate(play.windows):
        is_last = number == len(play.windows) - 1
        rooms = {(each.worker, each.step): each for each in play.rooms} if is_last else {}
        yield from _of_window(number, carried, [e for e in lines if e.lane[0] == number], rooms)


def _with_notes(lines: list[Line], play: Play) -> list[Line]:
    """The lines, and what befell requests in between."""
    faults = [(window, each) for window, kept in enumerate(play.windows) for each in kept.befallen]
    # From behind, so that those before stay where they are.
    for window, each in reversed(faults):
        lane = window, each.worker, each.request if play.is_watched else 0
        lines.insert(each.after, Line(lane, each.step, "", 0, "", note=str(each)))
    return lines


def _of_window(
    window: int, carried: Carried, lines: Sequence[Line], rooms: Mapping[tuple[int, int], Room]
) -> Iterator[Turn]:
    execution = carried.execution
    schedule, first_round = execution.schedule, len(execution.schedule.steps)
    if isinstance(execution.stopped, Livelock):
        # Of those that go round in circles, no more than the first time round, once nobody has to
        # stop there for another one.
        first_round = max((execution.stopped.since, *execution.decisive.preempted))
        schedule = schedule.until(first_round + _FIRST_ROUND)
    preempted = set(schedule.preempted)
    taken = [0] * len(counts_of(schedule.steps))
    carries = [0] * len(taken)
    step = 0
    rounds: set[int] = set()
    for worker, steps in run_lengths(schedule.steps):
        begins, step = step, step + steps
        taken[worker] += steps
        if execution.kinds[worker] == "callbacks" or worker in rounds:
            # These are the ends of sleeps and the like; or one that goes round once more.
            continue
        if begins >= first_round:
            rounds.add(worker)
        stop = None
        trail = execution.trails[worker]
        if taken[worker] < execution.steps[worker] or len(trail) >= taken[worker]:
            place = trail[taken[worker] - 1]
            stop = Stop(place, step in preempted, rooms.get((worker, taken[worker])))
        seen = [each for each in lines if each.lane[1] == worker and begins <= each.step < step]
        for lane, among, is_end in _by_request(seen, (window, worker, carries[worker])):
            is_first = taken[worker] == steps or lane[2] > carries[worker]
            carries[worker] = lane[2]
            yield Turn(lane, is_first, stop if is_end else None, tuple(among))


def _by_request(lines: Sequence[Line], lane: LaneKey) -> Iterator[tuple[LaneKey, list[Line], bool]]:
    """One turn of a worker, in parts for the requests that it carried in it."""
    groups = [(lane, list(among)) for lane, among in groupby(lines, key=lambda each: each.lane)]
    groups = groups or [(lane, [])]
    for at, (each, among) in enumerate(groups):
        yield each, among, at == len(groups) - 1


def shown_place(place: Place) -> str:
    """A line with its function and source."""
    code, line = place
    at = f"{shown_file(code.co_filename)}:{line} in {code.co_name}"
    source = source_of(code.co_filename, line)
    return f"{at}: {source}" if source else at


def source_of(file: str, line: int) -> str:
    """A line of source, with single spaces; '' where it cannot be had."""
    return " ".join(linecache.getline(file, line).split())
