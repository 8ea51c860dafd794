"""Chance from the seed of the execution: `random`, and what takes bytes of the system."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

from ctxsim.cell.schedule.lockstep import Run, here

_urandom = os.urandom  # noqa: TID251 - what it is outside of an execution
_bytes = random.Random(0)


def urandom(size: int, /) -> bytes:
    """For `uuid4`, `secrets` and `SystemRandom` too, which take their bytes here."""
    return _urandom(size) if here() is None else _bytes.randbytes(size)


@contextmanager
def seeded(run: Run, seed: int) -> Iterator[None]:
    """Begin each execution with the same state of `random`, and give back the one there was."""
    state = random.getstate()
    random.seed(seed)
    _bytes.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def stand_ins() -> dict[object, object]:
    """By the real function, the one that stands in for it."""
    return {_urandom: urandom}
