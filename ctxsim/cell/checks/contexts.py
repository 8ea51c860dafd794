"""CTX101 to CTX104: contexts and teardowns that did not stay with their request."""

from __future__ import annotations

from collections.abc import Iterable

from ctxsim.cell.checks import Finding, told
from ctxsim.cell.history import History

_CODES = {
    "context.left": "CTX101",
    "context.inherited": "CTX102",
    "context.mispop": "CTX103",
    "teardown.missed": "CTX104",
    "teardown.twice": "CTX104",
    "teardown.elsewhere": "CTX104",
}
_SENTENCES = {
    "context.left": "after {victim} had ended, {seen} was still on its worker's stack",
    "context.inherited": "before {victim} began, {seen} was on its worker's stack",
    "context.mispop": "in {victim}, {seen}",
    "teardown.missed": "{victim} ended, and {seen} had not run",
    "teardown.twice": "in {victim}, {seen} ran more than once",
    "teardown.elsewhere": "the {place} of {source} ran in the context of {victim}",
}


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    return told(history, _CODES, _SENTENCES)
