"""Masters and workers of `ctxsim locust`, of which one is killed or made to stand still at random.

Usage: kills.py [RUNS] [SEED]     50 runs unless told; the seed chooses who suffers what, and when

In each run the totals must be Locust's own, and the finding must not be lost. Of a worker that was
killed or ended they may be more: Locust hears of requests every few seconds. Exits with 1 unless
all runs were right.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "live"), str(TESTS)]

from locusting import totals, written  # noqa: E402 - the processes are those of the tests
from test_locust_workers import Machines, machines  # noqa: E402 - as above

DURATION_S = 4
# Later ones find the load over, and the processes at their last words.
_LATEST_S = 6.0
# Heartbeats that are missed for longer are those of a worker that is lost.
_LONGEST_STILL_S = 2.0


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    print(f"{runs} runs, seed {seed}", flush=True)
    right = 0
    for number in range(1, runs + 1):
        started = time.perf_counter()
        fate, wrong = _run(chance)
        right += not wrong
        told = "; ".join(wrong) or "right"
        print(f"{number:3}  {fate:34} {time.perf_counter() - started:5.1f} s  {told}", flush=True)
    print(f"{right} of {runs} runs were right")
    return int(right < runs)


def _run(chance: random.Random) -> tuple[str, list[str]]:
    """What befell a worker of one run, and what was wrong in its result."""
    kind = chance.choice(["killed", "still", "ended", "left alone"])
    which, after_s = chance.randrange(2), chance.uniform(0, _LATEST_S)
    still_s = chance.uniform(0.2, _LONGEST_STILL_S)
    with tempfile.TemporaryDirectory() as name:
        folder = written(Path(name))
        with machines(folder, "leaky", f"{DURATION_S}s") as running:
            running.until("All users spawned")
            threading.Event().wait(after_s)
            _strike(running, kind, which, still_s)
            document = running.document()
            counted = totals(running.log.read_text())
    return f"worker {which} {kind} after {after_s:.1f} s", _wrong(document, counted, kind)


def _strike(running: Machines, kind: str, which: int, still_s: float) -> None:
    worker = running.workers[which]
    if worker.poll() is not None:
        return
    match kind:
        case "killed":
            worker.send_signal(signal.SIGKILL)
        case "ended":
            worker.send_signal(signal.SIGTERM)
        case "still":
            worker.send_signal(signal.SIGSTOP)
            threading.Event().wait(still_s)
            worker.send_signal(signal.SIGCONT)


def _wrong(document: dict[str, Any], counted: int, kind: str) -> list[str]:
    wrong = []
    requests = sum(cell["requests"] for cell in document["cells"])
    codes = [each["code"] for each in document["findings"]]
    # What a worker has told us before its end, it may not have told Locust.
    if requests < counted or (requests > counted and kind not in ("killed", "ended")):
        wrong.append(f"{requests} requests in the result, {counted} in Locust's table")
    if codes != ["CTX201"]:
        wrong.append(f"findings {codes}")
    if kind == "left alone" and document["reasons"]:
        wrong.append(f"reasons {document['reasons']}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
