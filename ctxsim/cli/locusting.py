"""`ctxsim locust`: this process becomes Locust's, which patches whatever it runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ctxsim.errors import UsageError
from ctxsim.live.usage import refuse_words
from ctxsim.scenario import Scenario


def become(scenario: str, options: Sequence[str]) -> NoReturn:
    """Run Locust in place of this process, with its own exit code. Raises UsageError."""
    if scenario.startswith("-"):
        raise UsageError(
            f"the scenario comes first, not {scenario}\n  write ctxsim locust FILE ..."
        )
    refuse_words(options)
    _refuse_a_server_of_each(scenario, options)
    sys.stdout.flush()
    # -P, because no module of the working directory is to come before the standard library's.
    program = [sys.executable, "-P", "-m", "ctxsim.locustfile", scenario, *options]
    os.execv(sys.executable, program)


def _refuse_a_server_of_each(scenario: str, options: Sequence[str]) -> None:
    """Several processes of this machine would start the server at one address, each its own."""
    if not any(word.partition("=")[0] == "--processes" for word in options):
        return
    if Scenario.load(scenario).target.start:
        raise UsageError(
            "with --processes, target.start would start a server for each of them at one address\n"
            "  start it yourself, and leave target.start out"
        )
