"""Runs the four clean applications for long, and writes SOAK.md beside this file: `make soak`.

Usage: soak.py [--requests N] [--only NAME]...     N requests for each application, over its workers

They have no fault, so whatever is found is a false alarm, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ctxsim import Outcome, Scenario, simulate

SCENARIOS = Path(__file__).parents[1] / "scenarios"
RESULTS = Path(__file__).parent / "SOAK.md"
APPLICATIONS = {"shop": "Flask", "library": "Django", "notes": "Starlette", "bookings": "FastAPI"}
A_MILLION = 1_000_000


@dataclass(frozen=True)
class Soaked:
    """What the long run of one application came to."""

    name: str
    outcome: Outcome
    elapsed_s: float

    @property
    def requests(self) -> int:
        return sum(cell.requests for cell in self.outcome.cells)

    @property
    def is_clean(self) -> bool:
        return self.outcome.verdict == "clean" and self.outcome.exit_code == 0

    def __str__(self) -> str:
        rate = self.requests / self.elapsed_s
        return (
            f"{self.name} ({APPLICATIONS[self.name]}): {self.outcome.verdict}, {self.requests:,}"
            f" requests in {self.elapsed_s:,.0f} s, {rate:,.0f} a second,"
            f" seed {self.outcome.document.seed}"
        )


def main() -> int:
    words = _words()
    runs: list[Soaked] = []
    for name in words.only or APPLICATIONS:
        runs.append(_soak(name, words.requests))
        print(runs[-1], flush=True)
        for line in _found(runs[-1]):
            print(f"  {line}", flush=True)
        # After each, since the whole takes hours.
        RESULTS.write_text("\n".join(_page(runs)), encoding="utf-8")
    print(f"written to {RESULTS.parent.name}/{RESULTS.name}")
    return 0 if all(run.is_clean for run in runs) else 1


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run the clean applications for long.")
    parser.add_argument("--requests", type=int, default=A_MILLION, help="for each application")
    parser.add_argument("--only", action="append", choices=APPLICATIONS, help="leave out others")
    return parser.parse_args()


def _soak(name: str, requests: int) -> Soaked:
    scenario = Scenario.load(SCENARIOS / f"{name}.yaml")
    # Rounded up, so that all workers together carry at least so many.
    each = -(-requests // len(scenario.workers))
    started = time.perf_counter()
    outcome = simulate(scenario.with_options(requests=each))
    return Soaked(name, outcome, time.perf_counter() - started)


def _found(run: Soaked) -> Iterator[str]:
    for finding in run.outcome.findings:
        cells = ", ".join(finding.cells)
        yield f"{finding.code} x{finding.count} in {cells}: {'; '.join(finding.story)}"
    for cell in run.outcome.cells:
        if cell.ending is not None:
            yield f"{cell.workers} ended early: {cell.ending.kind}, {cell.ending.message}"


def _page(runs: list[Soaked]) -> Iterator[str]:
    yield "# Results of `make soak`"
    yield ""
    yield (
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.system()}"
        f" {platform.machine()}. The applications have no fault: a finding is a false alarm."
    )
    for run in runs:
        yield from ("", f"## {run.name}, {APPLICATIONS[run.name]}", "", f"{run}.", "")
        yield "| workers | requests | compared | failed | in flight | p50 | p95 | result |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from _rows(run)
        yield from (f"\n- {line}" for line in _found(run))
    yield ""


def _rows(run: Soaked) -> Iterator[str]:
    for cell in run.outcome.cells:
        latency = cell.timing.latency_s
        seconds = (latency.p50, latency.p95) if latency else ()
        times = [f"{1e3 * each:.1f} ms" for each in seconds] or ["", ""]
        counts = (cell.requests, cell.compared, cell.failed, cell.in_flight_peak)
        shown = [f"{count:,}" for count in counts]
        result = " ".join(cell.codes) or cell.verdict
        yield f"| {' | '.join([cell.workers, *shown, *times, result])} |"


if __name__ == "__main__":
    sys.exit(main())
