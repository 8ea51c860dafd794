"""Mostly the same worker again, so that switches are few and stretches long."""

from __future__ import annotations

from collections.abc import Sequence

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser, Drawing, Unlearning

_STAY = 0.9


class Sticky(Unlearning):
    """A random walk that stays with the current worker with probability `stay`."""

    def __init__(self, stay: float = _STAY) -> None:
        self._stay = stay

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        return _Staying(seed, number, self._stay)


class _Staying(Drawing):
    __slots__ = ("_stay",)

    def __init__(self, seed: int, number: int, stay: float) -> None:
        super().__init__(seed, number)
        self._stay = stay

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        if current is not None and self._random() < self._stay and current in ready:
            return current
        return ready[int(self._random() * len(ready))]
