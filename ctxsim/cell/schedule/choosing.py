"""What a strategy is, and how its choices are recorded."""

from __future__ import annotations

# The one in C: that in Python takes three times as long to be made, and draws the same.
from _random import Random
from collections.abc import Sequence
from typing import Protocol

from ctxsim.cell.schedule.choices import Choice, Kind, Lengths, Schedule

_NUMBER_BITS = 32
_SEED_BITS = 64


class Chooser(Protocol):
    """Makes the choices of one execution."""

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        """Who takes the step of that number, counted from 0: one of `ready`.

        It is asked once for each step, also where one alone is ready, because choosers count steps.
        `ready` is not empty and ascends. `current` took the last step, and may not be ready.
        """

    def draw(self, kind: Kind, alternatives: int) -> int:
        """One of that many alternatives, counted from 0; there are at most 2 ** 53."""


class Strategy(Protocol):
    """Makes choosers, one for each execution of a search, and learns from how executions went."""

    @property
    def exhausted(self) -> bool:
        """Whether nothing is left to try; `begin` must not be called then."""

    def begin(self, number: int, seed: int, measured: Lengths) -> Chooser:
        """The chooser of one execution; `number` counts from 0, `seed` is that of the search."""

    def ended(self, schedule: Schedule) -> None:
        """Take note of how the execution went that was begun last, unless it diverged."""


class Drawing:
    """Chance, for choosers: the same seed and number give the same choices on every Python.

    The seed has at most 64 bits, the number 32.

    Only `random` is used, and seeds that are integers: such sequences do not change from one
    version of Python to the next; those of `choice` or `sample` have.
    """

    __slots__ = ("_random",)

    def __init__(self, seed: int, number: int) -> None:
        # With a leading one all are equally long, because Random takes [1, 2] and [2] in words of
        # 32 bits for the same: it adds the place of each word to it.
        both = (1 << _SEED_BITS | seed) << _NUMBER_BITS | number
        self._random = Random(both).random

    def draw(self, kind: Kind, alternatives: int) -> int:
        return int(self._random() * alternatives)


class Unlearning:
    """A strategy that goes on for ever, and to which each execution is as good as the first."""

    @property
    def exhausted(self) -> bool:
        return False

    def ended(self, schedule: Schedule) -> None:
        pass


class Recorder:
    """Asks a chooser, and keeps what it says."""

    __slots__ = (
        "_add_ready",
        "_add_step",
        "_chooser",
        "_draws",
        "_pick",
        "_preempted",
        "_ready",
        "_steps",
    )

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self._pick = chooser.pick
        self._steps: list[int] = []
        self._ready: list[int] = []
        self._preempted: list[int] = []
        self._draws: list[Choice] = []
        self._add_step = self._steps.append
        self._add_ready = self._ready.append

    def pick(self, ready: Sequence[int], current: int | None, step: int) -> int:
        taken = self._pick(ready, current, step)
        self._add_step(taken)
        self._add_ready(len(ready))
        if taken != current and current in ready:
            self._preempted.append(step)
        return taken

    def draw(self, kind: Kind, alternatives: int) -> int:
        taken = self._chooser.draw(kind, alternatives)
        self._draws.append(Choice(kind, taken, alternatives, len(self._steps)))
        return taken

    def schedule(self) -> Schedule:
        """What was chosen up to here."""
        return Schedule(
            tuple(self._steps), tuple(self._ready), tuple(self._preempted), tuple(self._draws)
        )
