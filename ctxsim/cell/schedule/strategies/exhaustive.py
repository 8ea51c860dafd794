"""Every schedule with at most so many preemptions, each once; those with fewer come first.

Iterative context bounding (Musuvathi and Qadeer, PLDI 2007; CHESS). A schedule is a list of
deviations from the rule that a worker goes on while it can, and then the lowest number takes over.
An execution follows its deviations and from there on the rule; each later step at which the rule
had an alternative gives one more schedule to try, whose last deviation is that step. So every
schedule has exactly one other that it comes from, and none is tried twice. A deviation costs one
of the bound where a worker had to stop that was ready, or where something else than the first
alternative was drawn; numbers are not varied at all, since there are too many of them.

Steps are not tried one after the other but spread out, halves first: a bug that shows for any
switch within a window of w of k steps is then met after some k / w executions, wherever it is.
Executions that others branch from take turns, each beginning at another step, so that few orders
of many workers are enough to have tried most steps once (benchmarks/strategies.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctxsim.cell.schedule.choices import Kind, Lengths, Schedule
from ctxsim.cell.schedule.choosing import Chooser, Drawing
from ctxsim.errors import DivergedError

_BOUND = 2
# Multiples of it are spread evenly over the unit: the steps of each execution begin elsewhere.
_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class _Path:
    """The choices to begin with, and what they have spent of the bound."""

    choices: tuple[int, ...]
    spent: int


@dataclass(slots=True)
class _Branches:
    """The schedules that differ from one that was tried first at one of its places."""

    taken: list[int]
    left: Iterator[tuple[int, int]]
    spent: int


class Exhaustive:
    """Says when all schedules within the bound were seen; raises DivergedError if one is not met.

    `pruned` tells whether there are any beyond the bound.
    """

    def __init__(self, bound: int = _BOUND) -> None:
        self.pruned = False
        self._bound = bound
        self._levels: list[deque[_Branches]] = [deque() for _ in range(bound + 1)]
        self._next: _Path | None = _Path((), 0)
        self._branched = 0
        self._running: tuple[_Path, _Explorer] | None = None

    @property
    def exhausted(self) -> bool:
        return self._peek() is None

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        path = self._peek()
        if path is None:
            raise ValueError("all schedules were seen; look at `exhausted` before `begin`")
        self._next = None
        chooser = _Explorer(seed, path.choices)
        self._running = path, chooser
        return chooser

    def ended(self, schedule: Schedule) -> None:
        if self._running is not None:
            path, chooser = self._running
            self._running = None
            self._branch(path, chooser)

    def _branch(self, path: _Path, chooser: _Explorer) -> None:
        for cost, places in enumerate(chooser.places(len(path.choices))):
            spent = path.spent + cost
            if spent <= self._bound:
                pairs = iter(_branches(chooser, places, self._branched))
                self._levels[spent].append(_Branches(chooser.taken, pairs, spent))
            elif places:
                self.pruned = True
        self._branched += 1

    def _peek(self) -> _Path | None:
        if self._next is None:
            self._next = next(filter(None, map(_take, self._levels)), None)
        return self._next


def _take(level: deque[_Branches]) -> _Path | None:
    """One path, from each execution that others branch from in turn."""
    while level:
        branches = level.popleft()
        pair = next(branches.left, None)
        if pair is not None:
            level.append(branches)
            place, other = pair
            return _Path((*branches.taken[:place], other), branches.spent)
    return None


def _branches(chooser: _Explorer, places: Sequence[int], turn: int) -> list[tuple[int, int]]:
    """Where to go elsewhere, and whither; a list, whose iterator another process can be given."""
    first = int(turn * _GOLDEN * len(places))
    ordered = [places[(first + at) % len(places)] for at in spread(len(places))]
    return [
        (place, other)
        for place in ordered
        for other in chooser.options[place]
        if other != chooser.taken[place]
    ]


def spread(count: int) -> Iterator[int]:
    """The numbers below `count`, each once: 0, the half, the quarters, and so on."""
    stride = 1 << max(0, count - 1).bit_length()
    yield from range(min(1, count))
    while stride > 1:
        half = stride // 2
        yield from range(half, count, stride)
        stride = half


class _Explorer(Drawing):
    """Follows a path, then the rule, and keeps where it could have gone elsewhere."""

    __slots__ = ("_path", "_step", "options", "paid", "taken")

    def __init__(self, seed: int, path: tuple[int, ...]) -> None:
        # The same numbers in each execution, because they are not what is explored.
        super().__init__(seed, 0)
        self._path = path
        self._step = 0
        self.taken: list[int] = []
        self.options: list[Sequence[int]] = []
        self.paid: list[bool] = []

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        self._step = step + 1
        goes_on = current is not None and current in ready
        at = len(self.taken)
        if at < len(self._path):
            chosen = self._path[at]
            if chosen not in ready:
                raise DivergedError(step, f"worker {chosen} was ready here before")
        else:
            chosen = current if goes_on and current is not None else ready[0]
        self._keep(chosen, tuple(ready), goes_on)
        return chosen

    def draw(self, kind: Kind, alternatives: int) -> int:
        if kind == "number":
            return super().draw(kind, alternatives)
        at = len(self.taken)
        chosen = self._path[at] if at < len(self._path) else 0
        if chosen >= alternatives:
            raise DivergedError(self._step, f"there were more than {chosen} alternatives before")
        self._keep(chosen, range(alternatives), True)
        return chosen

    def _keep(self, chosen: int, options: Sequence[int], paid: bool) -> None:
        self.taken.append(chosen)
        self.options.append(options)
        self.paid.append(paid)

    def places(self, first: int) -> tuple[list[int], list[int]]:
        """Where there were alternatives from `first` on: free ones, and those that cost."""
        open_ones = [at for at in range(first, len(self.taken)) if len(self.options[at]) > 1]
        free = [at for at in open_ones if not self.paid[at]]
        return free, [at for at in open_ones if self.paid[at]]
