"""Validated HTTP requests for each second of the client's CPU, beside Locust's FastHttpUser.

By CPU time, since that is what a client costs: how fast the server answers plays no part in it, nor
what else the machine does.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cpu_time import of_a_request_under_locust_s, ran
from measures import Measure, at_least, in_turns

HERE = Path(__file__).parent
PORT = 18903
URL = f"http://127.0.0.1:{PORT}"
# What is measured is the difference: neither starts nor lessons count.
FEW, MANY = 2_000, 17_000
USERS = 100
GOALS = {"run": 0.9, "locust": 0.8}


def ctxsim_per_s() -> float:
    """Requests per CPU-second of `ctxsim run`, with all checks, its harness and its cell."""
    return (MANY - FEW) / (_cpu_s(MANY) - _cpu_s(FEW))


def _cpu_s(requests: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return ran(folder, "run", str(HERE / "echo.yaml"), "--requests", str(requests), "-q")


def under_locust_per_s() -> float:
    """Requests per CPU-second of `ctxsim locust`: Locust's process, the harness and its cells."""
    return 1 / of_a_request_under_locust_s(HERE / "echo.yaml", USERS)


def locust_per_s() -> float:
    """Requests per CPU-second of FastHttpUser, of which nothing but the status is looked at."""
    command = [sys.executable, str(HERE / "locust_http.py"), URL]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    per_s, failures = ended.stdout.split()
    assert failures == "0", f"{failures} requests failed"
    return float(per_s)


@contextmanager
def serving() -> Iterator[None]:
    """A server that gives back what it is asked."""
    with socket.create_server(("127.0.0.1", PORT)) as listening:
        words = ["-m", "uvicorn", "--log-level", "critical", "--fd", str(listening.fileno())]
        command = [sys.executable, *words, "--no-access-log", "echo_server:app"]
        server = subprocess.Popen(command, cwd=HERE, pass_fds=[listening.fileno()])
        try:
            yield
        finally:
            server.kill()
            server.wait()


def measure() -> list[Measure]:
    """100 clients each, one server."""
    with serving():
        found = in_turns(
            {"run": ctxsim_per_s, "locust": under_locust_per_s, "FastHttpUser": locust_per_s}
        )
    theirs = found["FastHttpUser"]
    return [
        at_least(
            f"validated HTTP requests of `ctxsim {name}`, beside Locust's FastHttpUser",
            goal,
            found[name] / theirs,
            " x its rate",
            f"{found[name]:,.0f} against {theirs:,.0f}, not validated, per second of CPU",
        )
        for name, goal in GOALS.items()
    ]


if __name__ == "__main__":
    for each in measure():
        print(each)
