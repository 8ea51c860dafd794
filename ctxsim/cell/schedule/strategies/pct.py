"""The worker of the highest priority, where priorities are random and change at few random steps.

Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi and Nagarakatte, ASPLOS 2010): a
bug that takes `depth` ordered steps is found with a chance of at least 1 / (n * k ** (depth - 1))
in each execution of n workers and k steps. The length k is measured, not guessed, since change
points beyond the end are wasted and early ones never reach a late bug. Depths take turns unless
one is asked for (as in Elixir's lockstep), because nobody knows the depth of an unknown bug.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser, Drawing, Unlearning

_DEEPEST = 4


class Pct(Unlearning):
    """Finds orders soon ("all of one worker, then the other") that random walks hardly ever try."""

    def __init__(self, depth: int | None = None) -> None:
        self._depth = depth
        self._begun = 0

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        depth = self._depth or self._begun % _DEEPEST + 1
        self._begun += 1
        return _Prioritised(seed, number, depth, measured)


class _Prioritised(Drawing):
    __slots__ = ("_changes", "_next_change", "_priorities")

    def __init__(self, seed: int, number: int, depth: int, measured: Lengths) -> None:
        super().__init__(seed, number)
        self._priorities = [self._random() for _ in range(measured.workers)]
        # Before the first step nobody runs, so a change there would only be another start.
        after_first = max(0, measured.steps - 1)
        count = min(depth - 1, after_first)
        changes: set[int] = set()
        while len(changes) < count:
            changes.add(1 + int(self._random() * after_first))
        self._changes = sorted(changes, reverse=True)
        self._next_change = self._changes[-1] if changes else -1

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        if ready[-1] >= len(self._priorities):
            self._welcome(ready[-1])
        if step == self._next_change:
            self._lower(max(ready, key=self._priorities.__getitem__))
        priorities = self._priorities
        chosen = ready[0]
        highest = priorities[chosen]
        # A loop takes half the time of `max`, to which each look at a priority is a call.
        for worker in ready:
            if priorities[worker] > highest:
                chosen, highest = worker, priorities[worker]
        return chosen

    def _welcome(self, newest: int) -> None:
        while len(self._priorities) <= newest:
            self._priorities.append(self._random())

    def _lower(self, worker: int) -> None:
        # Below all priorities that workers are born with, which are not negative; among those that
        # were lowered, any order will do as long as chance decides it.
        self._priorities[worker] = self._random() - 1
        self._changes.pop()
        self._next_change = self._changes[-1] if self._changes else -1
