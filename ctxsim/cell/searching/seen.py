"""The lines of a told execution, with what each reads and writes that others use too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import FrameType

from ctxsim.cell.schedule.lockstep import here
from ctxsim.cell.schedule.statements import LAMBDA, begun, function_of
from ctxsim.cell.searching.holders import Holders, Location
from ctxsim.cell.searching.uses import Kind, Use, uses_of

# An execution that has more lines is told by its switches from there on.
_MOST_LINES = 100_000

# Window, worker, and which of the worker's requests, counted from 0.
LaneKey = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Access:
    """A line reads or writes what is at that location.

    `texts` are those that were read. They are never told: what they say may be anything.
    """

    kind: Kind
    at: Location
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line that was carried out in step `step` of its window, for the request of that lane.

    `step` counts all steps, from 0. A line `goes_on` where it is one more of a statement that has
    begun, comes again in it, or where others went on in the middle of it and it then writes.
    """

    lane: LaneKey
    step: int
    file: str
    line: int
    function: str
    accesses: tuple[Access, ...] = ()
    goes_on: bool = False
    # In place of a line: what befell the request after those before it.
    note: str = ""


class Watch:
    """Watches lines, window by window: the application's own, or packages' as well."""

    def __init__(self, wants: Callable[[str], bool]) -> None:
        self.wants = cache(wants)
        self.lines: list[Line] = []
        self.window = 0
        # Whether lines are kept, and what they read and write is looked at.
        self.is_on = True
        # Which of its requests a worker of the window carries now.
        self.request_of: Callable[[int], int] = _first
        self._holders = Holders()
        # What lines write that have not ended, and where these are told.
        self._writing: dict[FrameType, tuple[int, tuple[Access, ...]]] = {}

    def enter(self, frame: FrameType, line: int) -> None:
        """The frame goes on with that line: what it reads is as it is now."""
        run = here()
        if run is None or run.is_ending or run.current is None or not self._keeps:
            return
        code = frame.f_code
        accesses = tuple(self._accesses(uses_of(code.co_filename).get(line, ()), frame))
        reads = tuple(each for each in accesses if each.kind == "reads")
        if len(reads) < len(accesses):
            written = tuple(each for each in accesses if each.kind == "writes")
            self._writing[frame] = len(self.lines), written
        number = run.current.number
        lane = self.window, number, self.request_of(number)
        goes_on = code.co_name == LAMBDA or begun(code, line, frame.f_lasti) is None
        function = function_of(code)
        self.lines.append(Line(lane, run.step, code.co_filename, line, function, reads, goes_on))

    @property
    def _keeps(self) -> bool:
        return self.is_on and len(self.lines) < _MOST_LINES

    def leave(self, frame: FrameType, *, raised: bool) -> None:
        """The frame's last line has ended: what it writes is written, unless it has `raised`."""
        told = self._writing.pop(frame, None)
        run = here()
        if told is None or run is None or run.is_ending:
            return
        at, written = told
        line = self.lines[at]
        if raised:
            self._found_otherwise(line, written, run.step)
        elif line.step == run.step:
            self.lines[at] = replace(line, accesses=line.accesses + written)
        else:
            self.lines.append(replace(line, step=run.step, accesses=written, goes_on=True))

    def _found_otherwise(self, line: Line, written: Iterable[Access], step: int) -> None:
        """In a line that has raised, what it was to change was looked at, as others had left it."""
        read = {each.at for each in line.accesses}
        found = tuple(replace(each, kind="reads") for each in written if each.at in read)
        if found and line.step != step:
            self.lines.append(replace(line, step=step, accesses=found, goes_on=True))

    def _accesses(self, uses: Iterable[Use], frame: FrameType) -> Iterator[Access]:
        for use in uses:
            at = self._holders.location(use, frame)
            if at is not None:
                texts = self._holders.texts(use, frame) if use.kind == "reads" else ()
                yield Access(use.kind, at, texts)


def _first(_worker: int) -> int:
    return 0


def only_shared(lines: Sequence[Line]) -> list[Line]:
    """The lines with nothing but accesses to what one request writes and another uses too."""
    users: dict[int, list[tuple[LaneKey, Access]]] = {}
    for line in lines:
        for access in line.accesses:
            users.setdefault(access.at.holder, []).append((line.lane, access))
    shared: set[tuple[LaneKey, Access]] = set()
    for among in users.values():
        distinct = list(dict.fromkeys(among))
        shared.update(one for one in distinct if any(_conflict(one, other) for other in distinct))
    return [
        replace(line, accesses=tuple(each for each in line.accesses if (line.lane, each) in shared))
        for line in lines
    ]


def _conflict(one: tuple[LaneKey, Access], other: tuple[LaneKey, Access]) -> bool:
    (lane, access), (other_lane, other_access) = one, other
    return (
        lane != other_lane
        and "writes" in (access.kind, other_access.kind)
        and access.at.meets(other_access.at)
    )
