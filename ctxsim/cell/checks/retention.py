"""CTX402: values of ended requests that the process still held after the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.history import Event, History


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    for event in history.events:
        if event.kind == "retained":
            yield finding_of("CTX402", event, history, _story(event, history))


def _story(event: Event, history: History) -> Iterator[str]:
    count = history.counts[event.cause]
    values = "a value of one ended request" if count == 1 else f"values of {count:,} ended requests"
    yield f"after the run {event.place} still held {values}"
    yield f"for example of {event.victim}: {event.seen}"
    if event.expected:
        yield f'if it is meant to keep them, write keeps: ["{event.expected}"]'
