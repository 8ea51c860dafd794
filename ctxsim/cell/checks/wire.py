"""CTX503: on the wire, a response belonged to another request of the connection."""

from __future__ import annotations

from collections.abc import Iterable

from ctxsim.cell.checks import Finding, told
from ctxsim.cell.history import History

_CODES = {"answer.misplaced": "CTX503"}
_SENTENCES = {
    "answer.misplaced": "{victim} got, {place}, the response to {source} of the same connection"
}


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    return told(history, _CODES, _SENTENCES)
