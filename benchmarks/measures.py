"""What is measured beside its goal, and the table of it."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Measure:
    """One line of the speed table. `shown` is what was measured, in words."""

    what: str
    goal: str
    shown: str
    met: bool

    def __str__(self) -> str:
        word = "met" if self.met else "missed"
        return f"{word:6}  {self.what}: {self.shown} (goal: {self.goal})"


def at_least(what: str, goal: float, value: float, unit: str, detail: str) -> Measure:
    """A measure that should be large."""
    return Measure(what, f"at least {goal:g}{unit}", f"{value:.2f}{unit}; {detail}", value >= goal)


def at_most(what: str, goal: float, value: float, unit: str, detail: str) -> Measure:
    """A measure that should be small."""
    return Measure(what, f"at most {goal:g}{unit}", f"{value:.2f}{unit}; {detail}", value <= goal)


def in_turns(competitors: dict[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """The median of each competitor's figure; they take turns, so that all see the same machine."""
    figures: dict[str, list[float]] = {name: [] for name in competitors}
    for _ in range(rounds):
        for name, measure in competitors.items():
            figures[name].append(measure())
    return {name: statistics.median(values) for name, values in figures.items()}


def table(measures: Sequence[Measure], elapsed_s: float) -> str:
    """The results as Markdown, with what is needed to judge them."""
    facts = (
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()} "
        f"{platform.machine()}; {elapsed_s:.0f} s in all."
    )
    rows = [
        f"| {each.what} | {each.goal} | {each.shown} | {'yes' if each.met else 'no'} |"
        for each in measures
    ]
    return "\n".join(
        [
            "# Results of `make bench`",
            "",
            facts,
            "Competitors were measured in one run, in turns.",
            "",
            "| measure | goal | measured | met |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )
