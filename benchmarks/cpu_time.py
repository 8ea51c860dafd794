"""The CPU time of commands, and what a request of `ctxsim locust` takes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

# What is measured is the difference: neither starts nor lessons count.
_SHORT_S, _LONG_S = 4, 12


def ran(folder: str, *words: str) -> float:
    """The seconds of CPU that a `ctxsim` command and all its processes have used."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ctxsim", *words],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, f"ctxsim {words[0]} ended with {process.returncode}"
    return used.ru_utime + used.ru_stime


def of_a_request_under_locust_s(scenario: Path, users: int) -> float:
    """Seconds of CPU: those of Locust's process, of the harness and of its cells together."""
    (few, few_s), (many, many_s) = (_carried(scenario, users, s) for s in (_SHORT_S, _LONG_S))
    return (many_s - few_s) / (many - few)


def _carried(scenario: Path, users: int, seconds: int) -> tuple[int, float]:
    load = ["--headless", "--only-summary", "-u", str(users), "-r", "100", "-t", f"{seconds}s"]
    with tempfile.TemporaryDirectory() as folder:
        used_s = ran(folder, "locust", str(scenario), *load)
        document = json.loads(Path(folder, ".ctxsim", "last.json").read_text())
    return sum(cell["requests"] for cell in document["cells"]), used_s
