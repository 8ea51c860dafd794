"""How long the command takes to answer, and what importing ctxsim brings."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from measures import Measure, at_most

RUNS = 11
_FOREIGN = """
import sys
before = set(sys.modules)
import ctxsim
new = {name.partition(".")[0] for name in set(sys.modules) - before} - {"ctxsim"}
print(len(new - set(sys.stdlib_module_names)))
"""


def version_ms() -> float:
    """Milliseconds of `ctxsim --version`, process and all."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "ctxsim", "--version"], check=True, capture_output=True)
    return (time.perf_counter() - started) * 1000


def foreign_modules() -> int:
    """How many modules that are not the standard library's `import ctxsim` loads."""
    command = [sys.executable, "-c", _FOREIGN]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure() -> list[Measure]:
    """The median of several starts."""
    took_ms = statistics.median(version_ms() for _ in range(RUNS))
    return [
        at_most("`ctxsim --version`", 100, took_ms, " ms", f"median of {RUNS} starts"),
        at_most(
            "modules beyond the standard library that `import ctxsim` loads",
            0,
            foreign_modules(),
            "",
            "counted in a new process",
        ),
    ]
