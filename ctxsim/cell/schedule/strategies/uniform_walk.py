"""Anyone who is ready, with chances by how many steps each has left.

Uniform random walk, the part of SURW (Zhao et al., ASPLOS 2025) that needs no knowledge of what
is interesting: where nobody waits, each interleaving is then as likely as any other. Step counts
are the greatest of earlier executions; before there are any, it is a plain random walk.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctxsim.cell.schedule.choices import Lengths
from ctxsim.cell.schedule.choosing import Chooser, Drawing, Unlearning

# So many rejections in a row say that all have fewer steps left than `_most`.
_STALE_AFTER = 3


class UniformWalk(Unlearning):
    """Best on broken atomicity, since long workers do not trail behind short ones."""

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        return _Weighted(seed, number, measured)


class _Weighted(Drawing):
    """Draws by rejection, which is as fast with many workers as with two.

    A worker is drawn with equal chances, and kept with a chance of its steps left by `_most`, which
    is never less than any worker has left. Adding up all weights took twice as long with eight.
    """

    __slots__ = ("_left", "_most")

    def __init__(self, seed: int, number: int, measured: Lengths) -> None:
        super().__init__(seed, number)
        # Never below 1, because a worker that takes more steps than ever before is still ready.
        self._left = [max(1, count) for count in measured.by_worker]
        self._most = max(self._left, default=1)

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        left = self._left
        if ready[-1] >= len(left):
            left.extend([1] * (ready[-1] + 1 - len(left)))
        tries = 0
        while True:
            at = self._random() * len(ready)
            index = int(at)
            worker = ready[index]
            if (at - index) * self._most < left[worker]:
                break
            tries += 1
            if tries == _STALE_AFTER:
                self._most = max(left)
        if left[worker] > 1:
            left[worker] -= 1
        return worker
