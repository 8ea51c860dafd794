"""Chance from the seed of the execution: `random`, and what takes bytes of the system."""

from __future__ import annotations

import os
import random

from ctxsim.cell.schedule.lockstep import Run, here

_urandom = os.urandom  # noqa: TID251 - what it is outside of an execution


class _Bytes:
    """Bytes for those who ask the system for them; made when the first does."""

    seed = 0
    drawn: random.Random | None = None


def urandom(size: int, /) -> bytes:
    """For `uuid4`, `secrets` and `SystemRandom` too, which take their bytes here."""
    if here() is None:
        return _urandom(size)
    if _Bytes.drawn is None:
        _Bytes.drawn = random.Random(_Bytes.seed)
    return _Bytes.drawn.randbytes(size)


def seeded(run: Run, seed: int) -> None:
    """Begin each execution with the same state of `random`.

    What it was before is given back when the stand-ins are removed, and not after each execution,
    because that takes longer than a short execution does.
    """
    random.seed(seed)
    _Bytes.seed, _Bytes.drawn = seed, None


def stand_ins() -> dict[object, object]:
    """By the real function, the one that stands in for it."""
    return {_urandom: urandom}
