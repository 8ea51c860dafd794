"""Anyone who is ready, with equal chances."""

from __future__ import annotations

from collections.abc import Sequence

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser, Drawing, Unlearning


class RandomWalk(Unlearning):
    """Finds broken atomicity soon; blind to "all of one worker, then the other"."""

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        return _Walk(seed, number)


class _Walk(Drawing):
    __slots__ = ()

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        return ready[int(self._random() * len(ready))]
