"""CTX208, CTX201, CTX204: an answer that is not what the same request is answered alone.

A cell notes each answer that differs from what was learnt. That is a finding only if as many
requests of the same users, carried one by one and for as long, show no such thing: what does is
the application's own past. And it is one only where nothing tells the cause better.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.history import AS_ANOTHER, Event, History

# What tells more of the same route, and what tells of the whole process.
_OF_ROUTE = frozenset(
    {
        "answer.foreign", "session.foreign", "value.lost", "expectation.broken", "proxy.early",
        "receiver.foreign", "residue",
    }
)  # fmt: skip
_OF_ALL = frozenset({"context.mispop", "saw.foreign"})


def differs(event: Event) -> bool:
    """Whether an event says that an answer is not as it is alone."""
    return event.kind == "answer.otherwise" or event.place == AS_ANOTHER


def at_elapsed_s(history: History, event: Event) -> float:
    """How long the load had lasted, about, when an event came first."""
    tally = history.tally
    return tally.elapsed_s * event.at_request / tally.requests if tally.requests else 0.0


def check(history: History, alone: History | None) -> Iterable[Finding]:
    if alone is None:
        return
    explained = {e.victim.route for e in history.events if e.kind in _OF_ROUTE and not differs(e)}
    if any(event.kind in _OF_ALL for event in history.events):
        return
    differing = [event for event in history.events if _is_confirmed(event, history, alone)]
    # An answer of another user tells more than an error, this more than a text.
    for event in sorted(differing, key=_rank):
        if event.victim.route not in explained:
            explained.add(event.victim.route)
            yield finding_of(_code(event), event, history, _story(event))


def _is_confirmed(event: Event, history: History, alone: History) -> bool:
    if not differs(event):
        return False
    tally = alone.tally
    if tally.requests < event.at_request or tally.elapsed_s < at_elapsed_s(history, event):
        return False
    place = (event.victim.route, event.place)
    return all((each.victim.route, each.place) != place for each in alone.events if differs(each))


def _rank(event: Event) -> int:
    if event.place == AS_ANOTHER:
        return 0
    return 1 if event.place.startswith("status") else 2 if event.place != "body" else 3


def _code(event: Event) -> str:
    if event.place != AS_ANOTHER:
        return "CTX208"
    return "CTX204" if event.relation == "visitor" else "CTX201"


def _story(event: Event) -> Iterator[str]:
    if event.place == AS_ANOTHER:
        yield f"{event.victim} was answered, word for word, what {event.source} is answered alone"
        yield f"seen: {event.seen}"
        return
    yield f"{event.victim} was answered otherwise than alone: {event.place}"
    yield f"answered: {event.seen}"
    yield f"alone: {event.expected}"
    yield "carried one by one, as many requests of the same users show no such answer"
