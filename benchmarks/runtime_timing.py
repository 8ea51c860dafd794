"""Times competitors side by side: they take turns, and each one's best round counts."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 9


@dataclass(frozen=True, slots=True)
class Row:
    """One competitor's time for one operation."""

    operation: str
    competitor: str
    microseconds: float
    times_ours: float


def compare(operation: str, competitors: dict[str, Callable[[], object]], repeat: int) -> list[Row]:
    """Time each competitor `repeat` times a round; the first one is ours."""
    best = dict.fromkeys(competitors, float("inf"))
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, function in competitors.items():
                best[name] = min(best[name], _round(function, repeat))
    finally:
        gc.enable()
    ours = next(iter(best.values()))
    return [Row(operation, name, spent * 1e6, spent / ours) for name, spent in best.items()]


def _round(function: Callable[[], object], repeat: int) -> float:
    turns = range(repeat)
    started = time.perf_counter()
    for _ in turns:
        function()
    return (time.perf_counter() - started) / repeat


def show(rows: list[Row]) -> None:
    """Print the rows as a table."""
    width = max(len(row.operation) for row in rows)
    for row in rows:
        print(
            f"{row.operation:{width}}  {row.competitor:24}"
            f"{row.microseconds:10.3f} us{row.times_ours:8.2f} x"
        )
