"""What validation costs under Locust, in process: `ctxsim locust` beside plain Locust users.

Both carry the same requests to the same application through the same WSGI client, on greenlets that
are used again, and tell Locust of each. By CPU time of all processes, since Locust's users have one
and ours have three.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from cpu_time import of_a_request_under_locust_s
from measures import Measure, at_most, in_turns

HERE = Path(__file__).parent
USERS = 20
GOAL_US = 10
APPLICATIONS = {"plain_wsgi": "a bare WSGI application", "small_flask": "a small Flask application"}


def validated_us(application: str) -> float:
    """CPU microseconds of a request, all checks on: those of all processes."""
    return of_a_request_under_locust_s(HERE / f"validated_{application}.yaml", USERS) * 1e6


def plain_us(application: str) -> float:
    """The same of plain Locust users, who look at the status alone."""
    command = [sys.executable, str(HERE / "locust_in_process.py"), application]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    each_us, failures = ended.stdout.split()
    assert failures == "0", f"{failures} requests failed"
    return float(each_us)


def measure() -> Iterator[Measure]:
    """20 users each."""
    for module, words in APPLICATIONS.items():
        competitors = {
            "validated": partial(validated_us, module),
            "plain": partial(plain_us, module),
        }
        found = in_turns(competitors)
        yield at_most(
            f"validation of a request under Locust, in process, to {words}",
            GOAL_US,
            found["validated"] - found["plain"],
            " us of CPU",
            f"{found['validated']:.1f} against {found['plain']:.1f} us of a plain Locust user",
        )


if __name__ == "__main__":
    for each in measure():
        print(each, flush=True)
