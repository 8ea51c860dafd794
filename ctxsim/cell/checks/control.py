"""CTX902: what the same choices do not repeat."""

from __future__ import annotations

from collections.abc import Iterable

from ctxsim.cell.checks import Finding, told
from ctxsim.cell.history import History

_CODES = {"nondeterminism": "CTX902"}
_SENTENCES = {"nondeterminism": "what {victim} showed came of the same choices now and then only"}


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    return told(history, _CODES, _SENTENCES)
