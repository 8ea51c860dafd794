"""A validated request of the quickstart's kind, beside Locust's loop with an empty task."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from measures import Measure, at_least, in_turns

from ctxsim import Scenario, simulate

HERE = Path(__file__).parent


def validated_per_s() -> float:
    """Requests per second of one cell, all checks on."""
    outcome = simulate(Scenario.load(HERE / "fast_quickstart.yaml"))
    [cell] = outcome.cells
    assert outcome.exit_code == 0, outcome.document.reasons
    assert cell.timing.requests_per_s is not None
    return cell.timing.requests_per_s


def locust_per_s() -> float:
    """Empty tasks per second."""
    command = [sys.executable, str(HERE / "locust_loop.py")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(ended.stdout)


def measure() -> list[Measure]:
    """4 threads x 250 greenlets against 1,000 Locust users."""
    found = in_turns({"ctxsim": validated_per_s, "locust": locust_per_s})
    return [
        at_least(
            "validated requests of the quickstart, beside Locust's empty task",
            1,
            found["ctxsim"] / found["locust"],
            " x its rate",
            f"{found['ctxsim']:,.0f} against {found['locust']:,.0f} a second",
        )
    ]
