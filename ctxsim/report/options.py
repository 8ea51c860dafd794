"""Advice in a scenario's words, told in those of `ctxsim check`, where there is no scenario."""

from __future__ import annotations

import re
import shlex

_LISTED = re.compile(r'\b(shared|keeps): \["([^"]+)"\]')
_NAMES = {
    "target.path": "--path",
    "target.python": "--python",
    "load.requests": "--requests or --budget",
    "load.rate": "--rate",
    "target.ca": "--ca",
    "schedule.atomic": "schedule.kind: auto in a scenario of ctxsim init, and schedule.atomic",
}
_NAMED = re.compile("|".join(map(re.escape, _NAMES)))


def as_options(text: str) -> str:
    """`text` with the options of `check` in the place of the keys of a scenario."""
    told = _LISTED.sub(lambda found: f"--{found[1]} {shlex.quote(found[2])}", text)
    return _NAMED.sub(lambda found: _NAMES[found[0]], told)
