"""Whether an execution that goes on and on would ever end: all have their turns, and time passes.

A chooser may keep back for ever whom another one asks for in a loop, which no machine does. So from
time to time, where an execution is long, all that can go on do so in turn for a while. It is a
livelock where nobody ends, and each is seen with the same values in the same places only, whatever
is due meanwhile and however late it gets. What is merely long has other values as it goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from types import FrameType
from typing import Final, Protocol

from ctxsim.cell.schedule.execution import Livelock, Loop, Spin, Wait
from ctxsim.cell.schedule.likenesses import Likeness, application_frames, likeness, loop_of
from ctxsim.cell.schedule.places import Place
from ctxsim.cell.schedule.points import Site
from ctxsim.cell.schedule.states import Worker

# After so many steps it is looked for the first time; then after twice as many, and so on.
FIRST_LOOK: Final = 1_000
# Where loops are known that nobody leaves, it is looked so early whether all are in these.
FIRST_LOOK_AT_KNOWN: Final = 300
_LATEST_PLACES = 50
# For so many of its own steps it is noted of each worker how it stands, and nothing else may come
# then: no other line, and of so many steps, one is looked at. A loop that is longer is not known
# for one. To tell how a worker stands takes longer than all else; so where so many steps in a row
# have shown nothing new, fewer are noted too. One of a prime number of steps is looked at, or else
# it would always be the same one of a loop of as many lines.
_NOTED, _ONE_OF = 96, 17
_NOTHING_NEW, _ONE_OF_NOTED = 24, 5
# So many own steps each takes after the time was set.
_EACH_TIME = 16
# The time goes on to what is due, so often; then by so much, and by so many times more each time.
# Who asks a clock whether it is late has seen by then that it is.
_DUE_FIRST = 6
_JUMP_S: Final = 1.0
_JUMPS_GROW: Final = 4
_LATE_S: Final = 400 * 24 * 3600.0
# A request may take so long, in a loop that asks a clock; others that wait longer give up by then.
_PATIENCE_S: Final = 60.0
# How many steps of its own a worker takes in its turn, in turn: who both take a thing, find the
# other one taken and give the first one back, do so for ever only if they go exactly in step.
_TURNS: Final = (20, 3, 50, 1, 7)
# One that has stood still for so many steps of others waits, or sleeps.
_STILL = 200
# A look that has come to no end after so many steps tells nothing.
_MOST_STEPS = 20_000
# Who came to so few places of late may be in a loop.
_LATE_PLACES, _MOST_PLACES = 200, 50
# Who has come into a loop may still get out of it in the first rounds: another one, who came later,
# has not changed yet what is asked for there.
_ROUNDS: Final = 2


def may_spin(worker: Worker) -> bool:
    """Whether it is worth a look."""
    late = worker.trail[-_LATE_PLACES:]
    return len(late) == _LATE_PLACES and len(set(late)) <= _MOST_PLACES


def all_go_round(workers: Iterable[Worker], loops: Sequence[Loop]) -> bool:
    """Whether each of them is in one of these loops, or in what is called there."""
    return bool(loops) and all(_goes_round(each, loops) for each in workers)


def _goes_round(worker: Worker, loops: Sequence[Loop]) -> bool:
    if not may_spin(worker):
        return False
    late = set(worker.trail[-_LATE_PLACES:])
    inside = {place for place in late if any(_is_in(place, loop) for loop in loops)}
    functions = {code for code, _ in inside}
    return not inside.isdisjoint(worker.trail[-_LATEST_PLACES:]) and all(
        place in inside for place in late if place[0] in functions
    )


def _is_in(place: Place, loop: Loop) -> bool:
    code, line = place
    return loop.first <= line <= loop.last and f"/{code.co_filename}".endswith(f"/{loop.file}")


class Spinning(Protocol):
    """What is asked of an execution."""

    @property
    def ready(self) -> Sequence[int]:
        """The numbers of those that can go on."""

    def worker(self, number: int) -> Worker:
        """The worker of that number."""

    def frames(self, worker: Worker) -> Iterable[FrameType]:
        """Where it stands, the innermost first; none where that cannot be told."""

    def pass_on(self) -> bool:
        """Go on to what is due next, though others are ready; False where nothing is."""

    def pass_s(self, seconds: float) -> None:
        """Let so much time pass; who is due by then is woken."""


class _Standing:
    """What was seen of one worker: its likenesses, and its stacks."""

    def __init__(self) -> None:
        self.likenesses: set[Likeness] = set()
        self.stacks: set[tuple[Place, ...]] = set()
        # By the address of their code, of which to tell whether it is the same takes long.
        self.places: set[tuple[int, int]] = set()
        self.steps = 0
        # So many in a row were likenesses that were seen before.
        self.nothing_new = 0
        # Since the time was set.
        self.steps_now = 0
        # The last step of all at which it went on.
        self.last = 0

    @property
    def is_through(self) -> bool:
        """Whether it was looked at for long enough since the time was set."""
        return self.steps > _NOTED and self.steps_now >= _EACH_TIME

    def is_passed_over(self, *, is_noted: bool) -> bool:
        """Whether it is not looked how it stands after this step."""
        if is_noted:
            return self.nothing_new >= _NOTHING_NEW and self.steps % _ONE_OF_NOTED != 0
        return self.steps % _ONE_OF != 0


class Rounds:
    """One look: workers take turns until it is known that one goes on, or that none ever will."""

    def __init__(self, of: Spinning) -> None:
        self._of = of
        self._seen: dict[int, _Standing] = {}
        self._steps = 0
        self._times = 0
        self._passed_s = 0.0
        self._jump_s = _JUMP_S
        self._turn: int | None = None
        self._left = 0
        self._turns = 0
        # None while it is not known; False where somebody gets somewhere, or nothing is known.
        self.is_over: bool | None = None
        self.has_ended = False

    def came(self, number: int | None) -> None:
        """That worker has taken a step, or none could and the time has passed."""
        if number is None:
            return
        self._steps += 1
        worker = self._of.worker(number)
        self.has_ended = worker.ended is not None
        if self.has_ended or not self._is_as_before(worker) or self._steps > _MOST_STEPS:
            self.is_over = False
        elif self._are_all_through(worker.number):
            self._set_time()

    @property
    def is_too_late(self) -> bool:
        """Whether so much time was let pass that what happens then is not to be judged."""
        return self._passed_s > _PATIENCE_S

    def _is_as_before(self, worker: Worker) -> bool:
        seen = self._seen.setdefault(worker.number, _Standing())
        seen.steps += 1
        seen.steps_now += 1
        seen.last = self._steps
        is_noted = seen.steps <= _NOTED
        if worker.trail:
            code, line = worker.trail[-1]
            place = id(code), line
            if is_noted:
                seen.places.add(place)
            elif place not in seen.places:
                return False
        if seen.is_passed_over(is_noted=is_noted):
            return True
        frames = application_frames(self._of.frames(worker))
        if not frames:
            # Callbacks of a loop have no place of their own.
            return True
        found = likeness(frames)
        is_new = found not in seen.likenesses
        if not is_noted:
            return not is_new
        seen.nothing_new = 0 if is_new else seen.nothing_new + 1
        seen.likenesses.add(found)
        seen.stacks.add(tuple((each.f_code, each.f_lineno) for each in frames))
        return True

    def _are_all_through(self, number: int) -> bool:
        """Whether all are, of whom that one came last."""
        if not self._seen[number].is_through:
            return False
        ready = self._of.ready
        return all(number in self._seen for number in ready) and all(
            seen.is_through
            for number, seen in self._seen.items()
            if number in ready or self._steps - seen.last < _STILL
        )

    def _set_time(self) -> None:
        for each in self._seen.values():
            each.steps_now = 0
        self._times += 1
        if self._passed_s >= _LATE_S:
            self.is_over = True
        elif self._times > _DUE_FIRST or not self._of.pass_on():
            self._passed_s += self._jump_s
            self._of.pass_s(self._jump_s)
            self._jump_s *= _JUMPS_GROW

    def next(self, ready: Sequence[int]) -> int:
        """Whose turn it is among those that are ready, ascending."""
        if self._turn is not None and self._turn in ready and self._left > 0:
            self._left -= 1
            return self._turn
        last = -1 if self._turn is None else self._turn
        self._turn = next((each for each in ready if each > last), ready[0])
        if self._turn <= last:
            self._turns += 1
        self._left = _TURNS[self._turns % len(_TURNS)] - 1
        return self._turn

    def livelock(self, waits: tuple[Wait, ...], steps: Sequence[int]) -> Livelock | None:
        """Who goes round where; None where of nobody is known where. `steps` are all, in order."""
        loops = {number: loop_of(seen.stacks) for number, seen in sorted(self._seen.items())}
        spins = tuple(_spin(number, loop) for number, loop in loops.items() if loop)
        if not spins:
            return None
        others = tuple(each for each in waits if each.worker not in self._seen)
        since = max(self._since(each.worker, steps) for each in spins)
        decided = max(self._rounds_later(each.worker, since, steps) for each in spins)
        return Livelock(spins, others, since, decided)

    def _since(self, number: int, steps: Sequence[int]) -> int:
        """The step after which a worker was in its loop for good, by all places seen there."""
        places = self._places(number)
        trail = self._of.worker(number).trail
        own = next((at + 1 for at in reversed(range(len(trail))) if trail[at] not in places), 0)
        taken = (step for step, worker in enumerate(steps) if worker == number)
        return next((step + 1 for at, step in enumerate(taken) if at >= own), len(steps))

    def _rounds_later(self, number: int, since: int, steps: Sequence[int]) -> int:
        """The step by which a worker has been round, after that one, by how many lines it has."""
        lines = len(self._places(number).intersection(self._of.worker(number).trail))
        taken = (step for step in range(since, len(steps)) if steps[step] == number)
        return next(islice(taken, _ROUNDS * lines, None), len(steps))

    def _places(self, number: int) -> set[Place]:
        return {place for stack in self._seen[number].stacks for place in stack}


def _spin(number: int, loop: tuple[Place, ...]) -> Spin:
    (code, first), (_, last) = loop[0], loop[-1]
    name, function = code.co_filename, code.co_qualname
    return Spin(number, Site(name, first, function), Site(name, last, function))
