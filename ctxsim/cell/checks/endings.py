"""CTX501 and CTX502: requests that do not end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.history import UNTIL_ANOTHER, Event, History

_CODES = {"deadlock": "CTX501", "endless": "CTX502"}
_SENTENCES = {
    ("deadlock", ""): "{victim} and who else was in flight waited for each other",
    ("endless", ""): "{victim} never ended, whoever else was sent",
    ("deadlock", UNTIL_ANOTHER): "{victim} and who else was in flight waited for each other",
    ("endless", UNTIL_ANOTHER): "{victim} did not end",
}
_WOKEN = "another request that comes later ends that; carried one by one, the same ones never wait"


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    for event in history.events:
        code = _CODES.get(event.kind)
        if code is not None:
            yield finding_of(code, event, history, _story(event))


def _story(event: Event) -> Iterator[str]:
    yield _SENTENCES[event.kind, event.expected].format(victim=event.victim)
    if event.seen:
        yield f"seen: {event.seen}"
    if event.expected == UNTIL_ANOTHER:
        yield _WOKEN
