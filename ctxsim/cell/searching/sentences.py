"""What happened, in one sentence: who wrote what, who was switched out where, who read it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ctxsim.cell.canaries import LENGTH, read
from ctxsim.cell.history import Event, Who
from ctxsim.cell.schedule.execution import Spin, Wait
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.searching.circles import lines_of, loop_told
from ctxsim.cell.searching.holders import Location
from ctxsim.cell.searching.seen import Access, LaneKey, Line
from ctxsim.cell.searching.turns import Turn
from ctxsim.cell.witness.record import is_application_file, shown_file

_NOBODY: Mapping[int, LaneKey] = {}
# Shorter texts are in others by chance.
_LEAST_TEXT = 4
_UNSEEN = "no line of the application's own was seen to write what another request uses"
_UNSEEN_IN_PACKAGES = (
    "no line of the application's own or of a package's was seen to pass it on; what the standard "
    "library does, and code that is not Python, is not seen"
)
_CANARY = re.compile(f"cx[0-9a-f]{{{LENGTH - 2}}}")


@dataclass(frozen=True, slots=True)
class Use:
    """One access, with the turn that it was made in."""

    turn: int
    lane: LaneKey
    line: Line
    access: Access

    @property
    def writes(self) -> bool:
        return self.access.kind == "writes"

    def meets(self, other: Use) -> bool:
        return self.access.at.meets(other.access.at)

    def is_write_for(self, other: Use) -> bool:
        return self.writes and self.meets(other)

    @property
    def is_own(self) -> bool:
        """Whether the line is the application's own, and no package's."""
        return is_application_file(self.line.file)

    @property
    def place(self) -> str:
        return f"{shown_file(self.line.file)}:{self.line.line}"


def uses_in(turns: Sequence[Turn]) -> list[Use]:
    """All uses in order."""
    return [
        Use(number, turn.lane, line, access)
        for number, turn in enumerate(turns)
        for line in turn.lines
        for access in line.accesses
    ]


def last_write(uses: Sequence[Use], before: int) -> int | None:
    """Which use wrote last what the one of that number uses; None where none did."""
    use = uses[before]
    return next((at for at in reversed(range(before)) if uses[at].is_write_for(use)), None)


@dataclass(frozen=True, slots=True)
class Parties:
    """The requests of a story by their lanes, and the event that it leads to."""

    names: Mapping[LaneKey, str]
    event: Event

    def rank(self, reader: LaneKey, writer: LaneKey) -> int:
        """How well two lanes are those of the event: the victim is who has to have read."""
        victim = self._is(reader, self.event.victim)
        return 2 * victim + self._is(writer, self.event.source)

    def has_victim(self, use: Use, write: Use) -> bool:
        """Whether the victim read what was written, or one of the two wrote over the other's."""
        lanes = (use.lane, write.lane) if use.writes else (use.lane,)
        return any(self._is(each, self.event.victim) for each in lanes)

    def is_seen(self, use: Use) -> bool:
        """Whether what was read is part of what was then seen, or is a value of whose that was."""
        return any(self._is_seen(text) for text in use.access.texts)

    def _is_seen(self, text: str) -> bool:
        if len(text) < _LEAST_TEXT:
            return False
        return text in self.event.seen or any(map(self._is_of_source, _CANARY.findall(text)))

    def _is_of_source(self, canary: str) -> bool:
        source, found = self.event.source, read(canary)
        if source is None or found is None or found.user != source.user:
            return False
        # That of the user, or of the request that it was; where that is not known, of any.
        return 0 in (source.request, found.request) or found.request == source.request

    def _is(self, lane: LaneKey, who: Who | None) -> bool:
        if who is None:
            return False
        if who.request:
            return self.names[lane] == str(who)
        return self.names[lane].startswith(f"{who},")


# The evidence with which nothing better is looked for.
ENOUGH = 2


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence, about what is used at these locations.

    `evidence` is 0 where nothing was seen that tells it, and 1 where one request wrote something
    and another read it, which may be as right as what every request does alone. It is 2 where no
    order of whole requests has that, or where what was read is what was then seen.
    """

    sentence: str
    about: tuple[Location, ...] = ()
    evidence: int = 0


def of_sharing(parties: Parties, turns: Sequence[Turn], *, in_packages: bool = False) -> Told:
    """Who wrote what, who was switched out where, who read it; or that no line was seen to."""
    telling = _Telling(parties, turns)
    told = max(telling.all(), key=lambda each: each[0], default=None)
    if told is not None:
        return told[1]
    return Told(_only_switched(parties, turns, _UNSEEN_IN_PACKAGES if in_packages else _UNSEEN))


def after(befell: Mapping[str, str], sentence: str) -> str:
    """The sentence with what befell requests before it; they are told in full once."""
    for name in befell:
        sentence = sentence.replace(name, _short(name))
    return "".join(f"{name} {what}; " for name, what in befell.items()) + sentence


def _only_switched(parties: Parties, turns: Sequence[Turn], unseen: str) -> str:
    for turn, following in pairwise(turns):
        if turn.stop is not None and turn.lane != following.lane:
            out = f"{parties.names[turn.lane]} was switched out at {_stopped(turn)}"
            return f"{out}, and {parties.names[following.lane]} went on; {unseen}"
    return unseen


def _stopped(turn: Turn) -> str:
    assert turn.stop is not None
    code, line = turn.stop.place
    return f"{shown_file(code.co_filename)}:{line}"


class _Telling:
    """Looks among the uses for those that tell what went wrong; the best is what is told.

    Of two requests, one uses something on both sides of a write of the other's, as AtomRace and
    AVIO look for it (Lu, Tucek, Qin and Zhou, ASPLOS 2006): those of their four patterns that no
    order of whole requests has. Where there is none, what one wrote and the other read tells it,
    but in a package, which shares much that is meant to be: what was imported, made or counted once
    for all.
    """

    def __init__(self, parties: Parties, turns: Sequence[Turn]) -> None:
        self._names = parties.names
        self._parties = parties
        self._turns = turns
        self._uses = uses_in(turns)

    def all(self) -> Iterator[tuple[tuple[int, ...], Told]]:
        """What can be told, each with how much it tells."""
        for at, use in enumerate(self._uses):
            before = last_write(self._uses, at)
            if before is None or (write := self._uses[before]).lane == use.lane:
                continue
            rank = self._parties.rank(use.lane, write.lane)
            told = self._overwritten(before, at) if use.writes else self._read(before, at)
            if told is None:
                continue
            value, is_torn, sentence = told
            is_seen = not use.writes and self._parties.is_seen(use)
            evidence = ENOUGH if is_torn or is_seen else 1
            is_own = use.is_own and write.is_own
            if is_own or (evidence == ENOUGH and self._parties.has_victim(use, write)):
                about = (use.access.at, write.access.at)
                # The first read of several, since the others tell the same.
                order = (rank + is_seen, value, is_own, -at)
                yield order, Told(sentence, about, evidence)

    def _read(self, at: int, later: int) -> tuple[int, bool, str]:
        """A read of what another wrote: how much it tells, whether no order has it, and what."""
        write, read = self._uses[at], self._uses[later]
        writer, reader = self._names[write.lane], self._names[read.lane]
        wrote = f"{writer} wrote {write.access.at.name} at {write.place}"
        if (out := self._out(read.lane, write.turn)) is not None:
            own = self._own(at, read, out)
            return (
                4 if own else 3,
                bool(own) or self._was_read(at, read, out),
                f"{wrote} while {reader}{own} was switched out at {_stopped(self._turns[out])}; "
                f"{_short(reader)} then read it at {read.place}",
            )
        if (out := self._out(write.lane, read.turn)) is not None and out >= write.turn:
            where = _stopped(self._turns[out])
            return (
                2,
                self._is_written_again(write, later),
                f"{wrote} and was switched out at {where}; {reader} then read it at {read.place}",
            )
        return 1, False, f"{wrote} and had ended when {reader} read it at {read.place}"

    def _own(self, at: int, read: Use, out: int) -> str:
        """That the reader had written it itself, before it was switched out."""
        for use in reversed(self._uses[:at]):
            if use.lane == read.lane and use.turn <= out and use.writes and use.meets(read):
                return f", which had written it at {use.place},"
        return ""

    def _was_read(self, at: int, read: Use, out: int) -> bool:
        """Whether the reader had read it before as well."""
        mine = (use for use in self._uses[:at] if use.lane == read.lane and use.turn <= out)
        return any(not use.writes and use.meets(read) for use in mine)

    def _is_written_again(self, write: Use, later: int) -> bool:
        """Whether what was read was on its way to something else."""
        return any(
            use.lane == write.lane and use.is_write_for(self._uses[later])
            for use in self._uses[later + 1 :]
        )

    def _overwritten(self, at: int, later: int) -> tuple[int, bool, str] | None:
        """A write that is lost, since who writes over it had read what was there before it."""
        write, over = self._uses[at], self._uses[later]
        out = self._out(over.lane, write.turn)
        if out is None:
            return None
        for use in reversed(self._uses[:at]):
            if use.lane == over.lane and use.turn <= out and not use.writes and use.meets(write):
                one, other = self._names[over.lane], self._names[write.lane]
                out_at = _stopped(self._turns[out])
                told = (
                    f"{one} read {write.access.at.name} at {use.place} and was switched out at "
                    f"{out_at}; {other} wrote it at {write.place}, and {_short(one)} wrote over "
                    f"that at {over.place}"
                )
                return 3, True, told
        return None

    def _out(self, lane: LaneKey, during: int) -> int | None:
        """The turn of a lane before that other turn, at whose end it was switched out."""
        for number in reversed(range(during + 1)):
            turn = self._turns[number]
            if turn.lane == lane:
                return number if turn.stop is not None and number < during else None
        return None


def _short(name: str) -> str:
    """A request that was named before, without its route."""
    return name.partition(" (")[0]


def of_unended(
    parties: Parties,
    left: Sequence[Spin | Wait],
    turns: Sequence[Turn],
    keepers: Mapping[int, LaneKey] = _NOBODY,
) -> str:
    """Who was switched out where, and who then waits for what whom has, or goes round where.

    Of some who wait it is known who took that and ended: these are the `keepers`.
    """
    names = _Names(parties.names)
    out = next((each for each in turns if each.stop and each.stop.is_preempted), None)
    parts = [f"{names.of_lane(out.lane)} was switched out at {_stopped(out)}"] if out else []
    for wait in left:
        if isinstance(wait, Spin):
            parts.append(f"{names.of(wait.worker)} {loop_told(wait)}{_asked(wait, turns, names)}")
            continue
        told = f"{names.of(wait.worker)} waits in {wait.what} at {_at(wait.site)}"
        if wait.holder is not None and wait.held_at is not None:
            told = f"{told} for what {names.of(wait.holder)} has had since {_at(wait.held_at)}"
        elif wait.held_at is not None and (keeper := keepers.get(wait.worker)) is not None:
            taken = f"{names.of_lane(keeper)} took at {_at(wait.held_at)} and never gave back"
            told = f"{told} for what {taken}"
        parts.append(told)
    return "; ".join(parts)


def _asked(spin: Spin, turns: Sequence[Turn], names: _Names) -> str:
    """Who wrote last what is looked at in each round, as far as it was seen."""
    uses, lines = uses_in(turns), lines_of(spin)
    last: dict[str, Use] = {}
    for at, use in enumerate(uses):
        is_round = use.line.line in lines
        is_spinning = use.lane == names.lane_of(spin.worker)
        if not is_spinning or use.line.file != spin.first.file or not is_round:
            continue
        before = last_write(uses, at)
        if not use.writes and before is not None and uses[before].lane != use.lane:
            last[use.access.at.name] = uses[before]
    told = (
        f", where {name} was written last by {names.of_lane(use.lane)} at {use.place}"
        for name, use in last.items()
    )
    return "".join(told)


class _Names:
    """Requests as a reader knows them; those that were named before without their routes.

    A worker is known by what it carried last: of the windows before, it was another request's.
    """

    def __init__(self, names: Mapping[LaneKey, str]) -> None:
        self._names = names
        self._lanes = {lane[1]: lane for lane in sorted(names)}
        self._told: set[str] = set()

    def lane_of(self, worker: int) -> LaneKey | None:
        return self._lanes.get(worker)

    def of(self, worker: int) -> str:
        lane = self._lanes.get(worker)
        return self._once(f"worker {worker}" if lane is None else self._names[lane])

    def of_lane(self, lane: LaneKey) -> str:
        return self._once(self._names[lane])

    def _once(self, name: str) -> str:
        if name in self._told:
            return _short(name)
        self._told.add(name)
        return name


def _at(site: Site) -> str:
    return f"{shown_file(site.file)}:{site.line}"
