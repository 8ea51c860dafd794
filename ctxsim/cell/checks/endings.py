"""CTX501: requests that do not end."""

from __future__ import annotations

from collections.abc import Iterable

from ctxsim.cell.checks import Finding, told
from ctxsim.cell.history import History

_CODES = {"deadlock": "CTX501"}
_SENTENCES = {"deadlock": "{victim} and who else was in flight waited for each other"}


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    return told(history, _CODES, _SENTENCES)
