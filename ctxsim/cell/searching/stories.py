"""How a script that shows a finding is told: a sentence, then a lane for each request.

In the lanes stand the lines that read or write what requests share, and where each had to stop. The
windows before the last one are told too, as far as their requests wrote what later ones use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ctxsim.cell.history import Event
from ctxsim.cell.schedule.execution import Deadlock, Livelock, Spin, Wait
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.searching import lanes
from ctxsim.cell.searching.circles import loop_told
from ctxsim.cell.searching.lanes import Row
from ctxsim.cell.searching.scripts import Room
from ctxsim.cell.searching.seen import LaneKey, Line
from ctxsim.cell.searching.sentences import (
    ENOUGH,
    Parties,
    Told,
    after,
    last_write,
    of_sharing,
    of_unended,
    uses_in,
)
from ctxsim.cell.searching.turns import Play, Turn, shown_place, source_of, turns_of
from ctxsim.cell.witness.record import is_application_file, shown_file

# More lanes than these leave no room for the lines: requests that came before are only counted.
_MOST_LANES = 8


@dataclass(frozen=True, slots=True)
class Story:
    """The lines, the first a sentence, the others of at most `lanes.WIDTH` columns.

    `evidence` is how well what was seen tells the finding, as `Told` has it.
    """

    lines: tuple[str, ...]
    evidence: int


def story(play: Play, event: Event, unwatched: int = 0) -> Story:
    """The story of a play that showed that event.

    So many requests came before all whose lines were watched.
    """
    turns = list(turns_of(play))
    spins, waits = _spins(play), _waits(play)
    everybody = {each.lane: _name(play, each.lane) for each in turns}
    told = Told("", evidence=ENOUGH)
    if not spins and not waits:
        told = of_sharing(Parties(everybody, event), turns, in_packages=play.is_in_packages)
        turns = _about(told, turns)
    failed = _failed(turns) if play.needs_faults else {}
    keepers = dict(_keepers(waits, turns))
    kept, left_out = _kept(turns, len(play.windows) - 1, {*failed, *keepers.values()})
    keepers = {waiting: lane for waiting, lane in keepers.items() if lane in kept}
    turns = [each for each in turns if each.lane in kept]
    numbers = {lane: number for number, lane in enumerate(kept)}
    labels = [_name(play, lane) for lane in kept]
    sentence = told.sentence
    parties = Parties(dict(zip(kept, labels, strict=True)), event)
    if spins or waits:
        sentence = of_unended(parties, (*spins, *waits), turns, keepers)
    elif not told.evidence:
        # Of those alone that are shown.
        sentence = of_sharing(parties, turns, in_packages=play.is_in_packages).sentence
    sentence = after({everybody[lane]: note for lane, note in failed.items()}, sentence)
    last = len(play.windows) - 1
    held = {
        (*keepers.get(each.worker, (last, each.holder))[:2], _key(each.held_at))
        for each in waits
        if each.held_at is not None
    }
    at_end = (*_spinning(spins, turns, numbers), *_waiting(waits, turns, numbers, keepers))
    rows = lanes.told(labels, [*_told(turns, numbers, held), *at_end])
    left_out += unwatched
    before = (f"{left_out} requests before these are left out",) if left_out else ()
    return Story((sentence, *before, *rows), told.evidence)


def _about(told: Told, turns: Sequence[Turn]) -> list[Turn]:
    """Of packages' lines nothing but what is told, since they share much that is meant to be."""

    def of(line: Line) -> Line:
        if is_application_file(line.file):
            return line
        kept = (each for each in line.accesses if any(each.at.meets(at) for at in told.about))
        return replace(line, accesses=tuple(kept))

    def lines_of(turn: Turn) -> Iterator[Line]:
        for line in map(of, turn.lines):
            if told.about or is_application_file(line.file):
                yield line

    return [replace(each, lines=tuple(lines_of(each))) for each in turns]


def _failed(turns: Sequence[Turn]) -> dict[LaneKey, str]:
    """What befell requests, if anything did."""
    return {each.lane: line.note for each in turns for line in each.lines if line.note}


def _kept(
    turns: Sequence[Turn], last: int, failed: Collection[LaneKey]
) -> tuple[list[LaneKey], int]:
    """The lanes to show, and how many earlier ones are not, that matter for what others do."""
    lanes_of_last = list(dict.fromkeys(each.lane for each in turns if each.lane[0] == last))
    kept = {*lanes_of_last, *failed}
    # A request may have read what an earlier one wrote, and so on.
    while more := _writers_for(turns, kept) - kept:
        kept |= more
    shown = dict.fromkeys(each.lane for each in turns if each.lane in kept)
    before = [lane for lane in shown if lane[0] < last]
    most = max(1, _MOST_LANES - len(lanes_of_last))
    return [*before[-most:], *lanes_of_last[: len(lanes.NAMES) - most]], len(before[:-most])


def _writers_for(turns: Sequence[Turn], kept: Collection[LaneKey]) -> set[LaneKey]:
    """Whose writes these lanes have read, each the last one before."""
    uses = uses_in(turns)
    return {
        uses[at].lane
        for later, use in enumerate(uses)
        if use.lane in kept and not use.writes and (at := last_write(uses, later)) is not None
    }


def _name(play: Play, lane: LaneKey) -> str:
    window, worker, number = lane
    carried = play.windows[window]
    if worker >= len(carried.requests):
        kinds = carried.execution.kinds
        # Whose workers are of several kinds knows them.
        started = carried.started if len(set(kinds)) == 1 else kinds[worker]
        return f"{started} {worker}, which a request started"
    requests = carried.requests[worker]
    if play.is_watched and number < len(requests):
        return str(requests[number])
    return " and then ".join(map(str, requests)) or f"worker {worker}"


def _keepers(waits: Sequence[Wait], turns: Sequence[Turn]) -> Iterator[tuple[int, LaneKey]]:
    """By who waits for it, who took what was never given back, though it has ended.

    Only where nobody else was there, since not all who come to that line get it: who waits in the
    same line did not.
    """
    last = max((turn.lane[0] for turn in turns), default=0)
    for wait in waits:
        if wait.holder is not None or wait.held_at is None:
            continue
        place = _key(wait.held_at)
        lanes_there = {
            turn.lane
            for turn in turns
            for line in turn.lines
            if (line.file, line.line) == place
            and (turn.lane[:2] != (last, wait.worker) or place != _key(wait.site))
        }
        if len(lanes_there) == 1:
            yield wait.worker, lanes_there.pop()


def _waits(play: Play) -> tuple[Wait, ...]:
    stopped = play.windows[-1].execution.stopped
    return stopped.waits if isinstance(stopped, Deadlock | Livelock) else ()


def _spins(play: Play) -> tuple[Spin, ...]:
    stopped = play.windows[-1].execution.stopped
    return stopped.spins if isinstance(stopped, Livelock) else ()


# In which window whose worker took it, and where.
_Held = Collection[tuple[int, int | None, tuple[str, int]]]


def _told(
    turns: Sequence[Turn], numbers: Mapping[LaneKey, int], held: _Held
) -> Iterator[lanes.Turn]:
    last = {each.lane: at for at, each in enumerate(turns)}
    for at, turn in enumerate(turns):
        is_last = last[turn.lane] == at and turn.stop is None
        yield lanes.Turn(numbers[turn.lane], tuple(_rows(turn, held)), is_last)


def _rows(turn: Turn, held: _Held) -> Iterator[Row]:
    begins = "starts" if turn.begins else "goes on"
    until = "to its end" if turn.stop is None else f"until {shown_place(turn.stop.place)}"
    yield Row(lanes.BEGINS, f"{begins}, {until}")
    told = set[Row]()
    for line in turn.lines:
        if not line.goes_on:
            told.clear()
        if line.note:
            yield Row(lanes.FAILS, line.note, is_wrapped=True)
        elif line.accesses:
            row = Row(_mark(line), _of_line(line))
            # A loop within a statement comes to the same line again.
            if row not in told:
                yield row
            told.add(row)
        elif (*turn.lane[:2], (line.file, line.line)) in held:
            yield Row(lanes.TAKES, f"takes it at {_of_line(line)}")
        elif not line.goes_on:
            yield Row(lanes.FOLDED, "", 1)
    if turn.stop is not None and turn.stop.is_preempted:
        text = f"has to stop there{_room(turn.stop.room)}"
        yield Row(lanes.STOPS, text, is_wrapped=True)


def _mark(line: Line) -> str:
    kinds = {each.kind for each in line.accesses}
    return "".join(each[0].upper() for each in sorted(kinds))


def _of_line(line: Line) -> str:
    return f"{shown_file(line.file)}:{line.line}: {source_of(line.file, line.line)}"


def _room(room: Room | None) -> str:
    if room is None:
        return ""
    first, last = room.ends
    if (first.file, first.line) == (last.file, last.line):
        return "; nowhere else does it" if room.whole else ""
    if (first.file, first.function) == (last.file, last.function):
        where = f"line {first.line} to line {last.line}"
    elif first.file == last.file:
        where = f"line {first.line} in {first.function} to line {last.line} in {last.function}"
    else:
        where = f"{_site(first)} to {_site(last)}"
    return f"; anywhere from {where} {'does' if room.whole else 'does, or more'}"


def _waiting(
    waits: Sequence[Wait],
    turns: Sequence[Turn],
    numbers: Mapping[LaneKey, int],
    keepers: Mapping[int, LaneKey],
) -> Iterator[lanes.Turn]:
    """Who waits at the end of a deadlock, for whom."""
    lane_of = _lane_of(turns, numbers)
    for wait in waits:
        if wait.worker not in lane_of:
            continue
        told = f"waits in {wait.what} at {_site(wait.site)}"
        keeper = keepers.get(wait.worker)
        holder = keeper if wait.holder is None else lane_of.get(wait.holder)
        if holder is not None and wait.held_at is not None:
            told = f"{told}, which {lanes.NAMES[numbers[holder]]} has since {_site(wait.held_at)}"
        yield lanes.Turn(
            numbers[lane_of[wait.worker]], (Row(lanes.WAITS, told, is_wrapped=True),), is_last=False
        )


def _spinning(
    spins: Sequence[Spin], turns: Sequence[Turn], numbers: Mapping[LaneKey, int]
) -> Iterator[lanes.Turn]:
    """Who goes round in circles at the end."""
    lane_of = _lane_of(turns, numbers)
    for spin in spins:
        if spin.worker in lane_of:
            row = Row(lanes.WAITS, f"{loop_told(spin)}, for ever", is_wrapped=True)
            yield lanes.Turn(numbers[lane_of[spin.worker]], (row,), is_last=False)


def _lane_of(turns: Sequence[Turn], numbers: Mapping[LaneKey, int]) -> dict[int, LaneKey]:
    return {each.lane[1]: each.lane for each in turns if each.lane in numbers}


def _key(site: Site) -> tuple[str, int]:
    return site.file, site.line


def _site(site: Site) -> str:
    return f"{shown_file(site.file)}:{site.line}"
