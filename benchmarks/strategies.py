"""Holds the strategies against each other, and writes STRATEGIES.md beside this file.

Usage: strategies.py [SEEDS]     as many searches of each strategy for each bug; 40 unless told

The bugs are the toy models of the tests, because how many executions a strategy needs depends on
the shape of a bug and the number of steps, not on what the steps do.
"""

from __future__ import annotations

import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "cell" / "schedule"))

import toys  # noqa: E402 - the models are the tests' own

from ctxsim.cell.schedule.choices import Lengths, Schedule  # noqa: E402 - as above
from ctxsim.cell.schedule.choosing import Chooser, Recorder, Strategy  # noqa: E402 - as above
from ctxsim.cell.schedule.points import Points  # noqa: E402 - as above
from ctxsim.cell.schedule.strategies import strategy  # noqa: E402 - as above
from ctxsim.cell.schedule.strategies.by_points import ByPoints  # noqa: E402 - as above
from ctxsim.cell.schedule.strategies.exhaustive import Exhaustive  # noqa: E402 - as above
from ctxsim.cell.schedule.strategies.pct import Pct  # noqa: E402 - as above
from ctxsim.cell.schedule.strategies.replay import Replay  # noqa: E402 - as above
from ctxsim.cell.schedule.strategies.sticky import Sticky  # noqa: E402 - as above

RESULTS = Path(__file__).parent / "STRATEGIES.md"
MOST = 2_000
MOST_EXHAUSTIVE = 20_000
# A strategy that finds a bug in none of so many searches is not asked again.
HOPELESS = 5

BUGS: dict[str, list[toys.Worker]] = {
    "atomicity, pad 10": toys.lost_update(10),
    "atomicity, pad 50": toys.lost_update(50),
    "order, first worker first": toys.order(),
    "order, second worker first": toys.order()[::-1],
    "three-party chain with noise": toys.chain(),
}
SEARCHES: dict[str, Callable[[], Strategy]] = {
    "random": lambda: strategy("random"),
    "uniform": lambda: strategy("uniform"),
    "sticky .8": lambda: Sticky(0.8),
    "sticky .95": lambda: Sticky(0.95),
    "pct 2": lambda: Pct(2),
    "pct 3": lambda: Pct(3),
    "pct 4": lambda: Pct(4),
    "auto": lambda: strategy("auto"),
}
EXHAUSTIVE = (1, 2)

STEPS = 20_000
CHUNK = 400


def searched(workers: list[toys.Worker], make: Callable[[], Strategy], seeds: int) -> str:
    """The mean of executions to the first bug, and how many searches found it if not all did."""
    found: list[int | None] = []
    for seed in range(seeds):
        found.append(toys.search(workers, make(), seed, MOST))
        if len(found) == HOPELESS and not any(found):
            break
    hits = [each for each in found if each is not None]
    if not hits:
        return f"none in {len(found)}"
    share = "" if len(hits) == len(found) else f" ({len(hits)} of {len(found)})"
    return f"{statistics.mean(hits):.0f}{share}"


def enumerated(workers: list[toys.Worker], bound: int) -> str:
    """The execution that showed the bug, and how many there are within the bound."""
    chosen, first, number = Exhaustive(bound), None, 0
    while not chosen.exhausted and number < MOST_EXHAUSTIVE:
        execution = toys.execute(workers, chosen.begin(number, 0, Lengths()))
        chosen.ended(execution.schedule)
        number += 1
        if execution.failed and first is None:
            first = number
    return f"{first or 'none'} / {number:,}{'' if chosen.exhausted else '+'}"


def bug_rows(seeds: int) -> Iterator[list[str]]:
    yield ["bug", "workers, steps", *SEARCHES, *(f"exhaustive {bound}" for bound in EXHAUSTIVE)]
    for name, workers in BUGS.items():
        one = toys.execute(workers, strategy("random").begin(0, 0, Lengths()))
        row = [name, f"{len(workers)}, {len(one.schedule.steps)}"]
        row += [searched(workers, make, seeds) for make in SEARCHES.values()]
        row += [enumerated(workers, bound) for bound in EXHAUSTIVE]
        print(row, flush=True)
        yield row


def pick_rows() -> Iterator[list[str]]:
    yield ["chooser", *(f"{workers} ready, ns" for workers in (3, 8)), "8 ready, recorded, ns"]
    for name in ("random", "uniform", "sticky", "pct", "exhaustive", "replay", "by points"):
        figures = [_nanoseconds(_chooser(name, workers), workers) for workers in (3, 8)]
        figures.append(_nanoseconds(Recorder(_chooser(name, 8)), 8))
        yield [name, *(f"{each:.0f}" for each in figures)]


def _chooser(name: str, workers: int) -> Chooser:
    lengths = Lengths(STEPS * workers, (STEPS,) * workers)
    following: dict[str, Strategy] = {
        "replay": Replay(Schedule((1,) * STEPS, (workers,) * STEPS)),
        "by points": ByPoints(Points((1, 0))),
    }
    chosen = following[name] if name in following else strategy(name)
    return chosen.begin(3, 0, lengths)


def _nanoseconds(chooser: Chooser, workers: int) -> float:
    """The quickest of many short stretches, since other programs only ever make it slower."""
    pick, ready = chooser.pick, tuple(range(workers))
    quickest = float("inf")
    for first in range(0, STEPS, CHUNK):
        began = time.perf_counter_ns()
        for step in range(first, first + CHUNK):
            pick(ready, 1, step)
        quickest = min(quickest, (time.perf_counter_ns() - began) / CHUNK)
    return quickest


def table(rows: Iterator[list[str]]) -> str:
    head, *rest = rows
    lines = [head, ["---"] * len(head), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(seeds: int) -> str:
    return f"""# What strategies need to find a bug

Python {platform.python_version()}; `python benchmarks/strategies.py {seeds}`.

Mean executions to the first bug over {seeds} searches of at most {MOST:,} executions. For
`exhaustive` with that many preemptions: which execution showed it, and how many there are.

Where each interleaving is as likely as any other, the mean is one over the share that shows the
bug: counted exactly, 4.3 and 9.0 for the two of atomicity, and 29.5 for the chain. `uniform` is
that, but for what these searches scatter.

{table(bug_rows(seeds))}

What a choice costs, the loop around it included:

{table(pick_rows())}
"""


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    text = page(seeds)
    RESULTS.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
