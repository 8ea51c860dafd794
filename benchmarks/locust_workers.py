"""Requests of two worker processes of `ctxsim locust`, beside one: the work is the application's.

Their cells compute; on a machine with two processors both can.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from measures import Measure, at_least, in_turns

HERE = Path(__file__).parent
SECONDS = 8
GOAL = 1.7


def requests(workers: int) -> float:
    """Requests a second of a master and so many workers, from the first to the last."""
    load = ["--headless", "--only-summary", "-u", "20", "-r", "100", "-t", f"{SECONDS}s"]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ctxsim", "locust", str(HERE / "computing.yaml"), *load]
        subprocess.run(
            [*command, "--processes", str(workers)],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        document = json.loads(Path(folder, ".ctxsim", "last.json").read_text())
    return sum(float(cell["timing"]["requests_per_s"]) for cell in document["cells"])


def measure() -> list[Measure]:
    """Nothing where there is one processor alone."""
    if (os.cpu_count() or 1) < 2:
        return []
    found = in_turns({"one": partial(requests, 1), "two": partial(requests, 2)})
    return [
        at_least(
            "requests of two worker processes of `ctxsim locust`, beside one",
            GOAL,
            found["two"] / found["one"],
            " x",
            f"{found['two']:,.0f} against {found['one']:,.0f} a second, 3 ms of computing each",
        )
    ]


if __name__ == "__main__":
    for each in measure():
        print(each)
