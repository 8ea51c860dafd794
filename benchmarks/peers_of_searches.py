"""How many executions a second of CPU, beside the other tools that search schedules.

Usage: peers_of_searches.py     `PEERS` names the interpreter that has them; else .venv-peers does:
    python3.12 -m venv .venv-peers && .venv-peers/bin/pip install greenlet interleave-test frontrun

All tools run in that interpreter, which is 3.12 or later, each in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from measures import Measure, at_least, in_turns

ROOT = Path(__file__).parents[1]
TOY = Path(__file__).with_name("search_toy.py")
GOAL = 5.0
# At what the peers switch, each with how many executions it is measured for.
PEERS = {
    "opcode": {"interleave-test": 400, "frontrun": 200},
    "line": {"interleave-test": 600},
}
OURS = 6_000
TIMEOUT_S = 300


def interpreter() -> Path | None:
    """The one that has the peers, and greenlet."""
    named = Path(os.environ.get("PEERS", ROOT / ".venv-peers" / "bin" / "python"))
    modules = "import greenlet, interleave_test, frontrun"
    try:
        ended = subprocess.run([named, "-c", modules], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return named if ended.returncode == 0 else None


def version(python: Path) -> str:
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def rate(python: Path, tool: str, granularity: str, executions: int) -> float:
    command = [str(python), str(TOY), tool, granularity, str(executions)]
    if tool == "frontrun":
        # It has to be started by its own command, which puts a library in place.
        command.insert(0, str(python.with_name("frontrun")))
    ended = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    return float(ended.stdout.splitlines()[-1])


def measure() -> Iterator[Measure]:
    python = interpreter()
    if python is None:
        print("the peers of searches are missing: see benchmarks/peers_of_searches.py")
        return
    on = f"Python {version(python)}"
    for granularity, peers in PEERS.items():
        tools = {"ctxsim": OURS, **peers}
        found = in_turns(
            {tool: partial(rate, python, tool, granularity, count) for tool, count in tools.items()}
        )
        for peer in peers:
            yield at_least(
                f"executions of a lost update that switch at {granularity}s, beside {peer}",
                GOAL,
                found["ctxsim"] / found[peer],
                " x its rate",
                f"{found['ctxsim']:,.0f} against {found[peer]:,.0f} a second of CPU, {on}",
            )


if __name__ == "__main__":
    sys.stdout.writelines(f"{each}\n" for each in measure())
