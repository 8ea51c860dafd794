"""CTX501 and CTX502: requests that do not end."""

from __future__ import annotations

from collections.abc import Iterable

from ctxsim.cell.checks import Finding, told
from ctxsim.cell.history import History

_CODES = {"deadlock": "CTX501", "endless": "CTX502"}
_SENTENCES = {
    "deadlock": "{victim} and who else was in flight waited for each other",
    "endless": "{victim} never ended, whoever else was sent",
}


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    return told(history, _CODES, _SENTENCES)
