"""The switches of an earlier execution, as far as they still fit.

Where a replay to the letter would stop at the first difference, this one goes on: switches to
workers that are not ready are passed over. So it follows a schedule of which parts were taken away,
or that was recorded before the application changed a little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctxsim.cell.schedule.choices import Choice, Kind, Lengths
from ctxsim.cell.schedule.choosing import Chooser, Drawing, Unlearning
from ctxsim.cell.schedule.points import Points, Switch

_KINDS: tuple[Kind, ...] = ("number", "deadline", "cancel")
_NEVER = Switch(-1, -1, -1)


class ByPoints(Unlearning):
    """Each worker goes on until one of its switches, or until it has to stop."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        return _Switching(self._points, seed)


class _Switching:
    __slots__ = ("_chance", "_draws", "_due", "_order", "_seed", "_taken", "_to", "_waiting")

    def __init__(self, points: Points, seed: int) -> None:
        # Made when it is asked for: hardly any window does, and there may be a thousand to carry.
        self._chance: Drawing | None = None
        self._seed = seed
        self._order = points.order
        self._draws = {kind: _of_kind(points.draws, kind) for kind in _KINDS}
        # For each worker: how many steps it has taken, when its next switch is due, and to whom.
        self._taken: list[int] = []
        self._due: list[int] = []
        self._to: list[int] = []
        self._waiting: dict[int, list[Switch]] = {}
        for switch in sorted(points.switches, key=lambda each: each.key, reverse=True):
            self._waiting.setdefault(switch.worker, []).append(switch)

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        if ready[-1] >= len(self._taken):
            self._welcome(ready[-1])
        if current is None:
            chosen = self._first(ready)
        elif self._taken[current] == self._due[current]:
            chosen = self._switched(ready, current)
        elif current in ready:
            chosen = current
        else:
            chosen = self._first(ready)
        self._taken[chosen] += 1
        return chosen

    def _welcome(self, newest: int) -> None:
        for worker in range(len(self._taken), newest + 1):
            self._taken.append(0)
            self._due.append(-1)
            self._to.append(-1)
            self._await_next(worker)

    def _await_next(self, worker: int) -> None:
        waiting = self._waiting.get(worker)
        switch = waiting.pop() if waiting else _NEVER
        self._due[worker], self._to[worker] = switch.step, switch.to

    def _switched(self, ready: Sequence[int], current: int) -> int:
        to = self._to[current]
        self._await_next(current)
        if to in ready:
            return to
        return current if current in ready else self._first(ready)

    def _first(self, ready: Sequence[int]) -> int:
        return next((worker for worker in self._order if worker in ready), ready[0])

    def draw(self, kind: Kind, alternatives: int) -> int:
        """What was drawn then; beyond that, the first alternative, or chance for numbers."""
        taken = next(self._draws[kind], None)
        if taken is not None and taken < alternatives:
            return taken
        if kind != "number":
            return 0
        if self._chance is None:
            self._chance = Drawing(self._seed, 0)
        return self._chance.draw(kind, alternatives)


def _of_kind(draws: Sequence[Choice], kind: Kind) -> Iterator[int]:
    return (draw.taken for draw in draws if draw.kind == kind)
