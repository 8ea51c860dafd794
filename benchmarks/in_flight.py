"""What a request costs, in time and memory, with 100,000 of them in flight."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from measures import Measure, at_most

from ctxsim import Scenario, simulate
from ctxsim.cells import CellOutcome
from ctxsim.jobs import Options
from ctxsim.report.document import CellResult

HERE = Path(__file__).parent
MANY = 100_000
_RECORDED = re.compile(r"in flight (\d+): (\d+) bytes")


@dataclass(frozen=True, slots=True)
class Carried:
    """One cell: microseconds per request, and resident bytes by how many requests had begun."""

    each_us: float
    resident_bytes: dict[int, int]


def carried() -> list[Carried]:
    """The cell with 1,000 requests in flight, and the one with 100,000."""
    scenario = Scenario.load(HERE / "many_in_flight.yaml")
    # One at a time, since they would take the cores from each other.
    outcome = simulate(scenario, options=Options(jobs=1))
    assert outcome.exit_code == 0, outcome.document.reasons
    assert outcome.cells[1].in_flight_peak == MANY, outcome.cells[1].in_flight_peak
    return [_carried(*pair) for pair in zip(outcome.cells, outcome.carried, strict=True)]


def _carried(result: CellResult, cell: CellOutcome) -> Carried:
    assert result.timing.requests_per_s is not None
    recorded = _RECORDED.findall(cell.stdout_tail)
    sizes = {int(number): int(size) for number, size in recorded}
    return Carried(1e6 / result.timing.requests_per_s, sizes)


def measure() -> list[Measure]:
    """Greenlets on one thread."""
    few, many = carried()
    grown_kb = (many.resident_bytes[MANY] - many.resident_bytes[1]) / 1024
    return [
        at_most(
            "time of a request with 100,000 in flight, beside 1,000",
            2,
            many.each_us / few.each_us,
            " x",
            f"{many.each_us:.0f} against {few.each_us:.0f} us",
        ),
        at_most(
            "memory of each of 100,000 requests in flight",
            10,
            grown_kb / MANY,
            " KB",
            f"{grown_kb / 1024:,.0f} MB in all",
        ),
    ]
