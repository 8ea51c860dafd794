"""CTX201, CTX203, CTX204: what a response carried that belongs to somebody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.history import AS_ANOTHER, Event, History


def check(history: History, _alone: History | None) -> Iterable[Finding]:
    for event in history.events:
        # An answer that is another's as a whole is told by `alone`, once it is confirmed.
        if event.kind == "answer.foreign" and event.place != AS_ANOTHER:
            yield finding_of(_code(event), event, history, _story(event))


def _code(event: Event) -> str:
    # Severity decides between the codes that fit: a visitor taken for a user is worst.
    if event.relation == "visitor":
        return "CTX204"
    if event.place.startswith("session cookie"):
        return "CTX203"
    return "CTX201"


def _story(event: Event) -> Iterator[str]:
    yield f"{event.victim} was answered with a value of {event.source}"
    yield f"seen in the {', '.join(filter(None, (event.place, event.coding)))}: {event.seen}"
    if event.expected:
        yield f"its own value would have been {event.expected}"
    path = shareable(event)
    if path:
        yield f'if all may see it, write shared: ["{path}"]'


def shareable(event: Event) -> str:
    """The route that `shared` may name, '' where there is none: cookies are nobody else's."""
    if "cookie" in event.place:
        return ""
    path = event.victim.route.partition(" ")[2]
    # What is filled in is another one each time; what stands before covers all of them.
    return path if "{" not in path else path[: path.index("{")].rpartition("/")[0]
