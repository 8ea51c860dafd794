"""Ctrl-C and SIGTERM: the two ways in which a run is ended from outside."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

Answer = Callable[[int, FrameType | None], None]


@contextmanager
def answered(answer: Answer) -> Iterator[None]:
    """Let `answer` have both signals; afterwards they mean what they meant before."""
    before = {each: signal.signal(each, answer) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, meant in before.items():
            signal.signal(number, meant)


def raised() -> AbstractContextManager[None]:
    """Let both raise KeyboardInterrupt, where there is nothing yet to be ended in order."""
    return answered(_raise)


def _raise(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
