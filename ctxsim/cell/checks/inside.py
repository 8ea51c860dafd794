"""CTX202, CTX203, CTX205 to CTX207, CTX301, CTX302, CTX401: what was seen inside the process."""

from __future__ import annotations

from collections.abc import Iterable

from ctxsim.cell.checks import Finding, told
from ctxsim.cell.history import History

_CODES = {
    "saw.foreign": "CTX202",
    "session.foreign": "CTX203",
    "proxy.early": "CTX205",
    "receiver.foreign": "CTX206",
    "value.lost": "CTX207",
    "escape.used": "CTX301",
    "escape.lost": "CTX302",
    "residue": "CTX401",
}
_SENTENCES = {
    "saw.foreign": "{victim} found, in its {place}, what belongs to {source}",
    "session.foreign": "{victim} found, in its {place}, what belongs to {source}",
    "proxy.early": "{place} led {victim} to an object of {source}",
    "receiver.foreign": "{place}, connected by {source}, was called for {victim}",
    "value.lost": "{victim} lost its own value: {place}",
    "escape.used": "after {victim} had ended, background work used its {place}",
    "escape.lost": "what {victim} started, {place}, found no context: {seen}",
    "residue": "when {victim} began, {place} still held a value of {source}",
}


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    return told(history, _CODES, _SENTENCES)
