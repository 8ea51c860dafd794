"""Brute force: what a plain loop of requests shows, with no checks but its own two.

A process imports the application and calls it from native threads, greenlets or tasks, as fast as
it goes; an answer that holds another request's canary, or breaks what the scenario expects, is a
violation. That is what a careful load test with an assertion would see.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import ctxsim.gallery
from ctxsim.cell.plan import Load
from ctxsim.cells import Job
from ctxsim.cells.interpreter import equip
from ctxsim.gallery import Place
from ctxsim.scenario import Scenario, cells, plan

PROGRAM = Path(ctxsim.gallery.__file__).with_name("plain_loop.py")
_RUN = "b0b0cafe"
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Brute:
    """The first violation, and after how long; how many requests were sent; why it did not run."""

    requests: int = 0
    at_request: int | None = None
    after_s: float = 0.0
    failure: str = ""


def bruteforce(
    scenario: Scenario, where: Place, *, limit_s: float, switch_interval_s: float | None = None
) -> Brute:
    """Send the scenario's requests until one shows a violation, or for `limit_s` seconds."""
    [cell] = cells(scenario)
    seeded = plan(scenario, cell, seed=scenario.seed or 1, run=_RUN, process=1)
    job = equip(Job(cell, replace(seeded, load=Load(duration_s=limit_s)), where.python))
    asked = {"plan": job.plan.to_json(), "switch_interval_s": switch_interval_s}
    try:
        ended = subprocess.run(
            [where.python, str(PROGRAM)],
            input=json.dumps(asked),
            env={**os.environ, **scenario.target.env},
            capture_output=True,
            text=True,
            timeout=limit_s + _START_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Brute(failure="hangs")
    if ended.returncode:
        return Brute(failure=(ended.stderr.strip().splitlines() or ["failed"])[-1][:60])
    return Brute(**json.loads(ended.stdout.splitlines()[-1]))
