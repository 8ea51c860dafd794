"""`ctxsim locust`: this process becomes Locust's, which patches whatever it runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ctxsim.errors import UsageError


def become(scenario: str, options: Sequence[str]) -> NoReturn:
    """Run Locust in place of this process, with its own exit code. Raises UsageError."""
    if scenario.startswith("-"):
        raise UsageError(
            f"the scenario comes first, not {scenario}\n  write ctxsim locust FILE ..."
        )
    sys.stdout.flush()
    # -P, because no module of the working directory is to come before the standard library's.
    program = [sys.executable, "-P", "-m", "ctxsim.locustfile", scenario, *options]
    os.execv(sys.executable, program)
