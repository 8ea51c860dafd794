"""CTX101 to CTX104: contexts and teardowns that did not stay with their request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.history import Event, History

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
    for event in history.events:
        code = _CODES.get(event.kind)
        if code is not None:
            yield finding_of(code, event, history, _story(event))


def _story(event: Event) -> Iterator[str]:
    sentence = _SENTENCES[event.kind]
    yield sentence.format(
        victim=event.victim, source=event.source, place=event.place, seen=event.seen
    )
    if event.expected:
        yield event.expected
