"""CTX208, CTX201, CTX204: an answer that is not what the same request is answered alone.

A cell notes each answer that differs from what was learnt. That is a finding only if the requests
of the same users, carried by the same workers one by one, show no such thing: what does show there
is the application's own past, or chance. And it is one only where nothing tells the cause better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.history import AS_ANOTHER, Event, History, Tally

# What would have come so often by chance is missed once in 150 times.
_LEAST_EXPECTED = 5
# However often it came: an application may be slow to settle.
_LEAST_REQUESTS = 300

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
    # An answer of another user tells more than an error, this more than a text.
    for event in sorted(confirmed(history, alone), key=_rank):
        if event.victim.route not in explained:
            explained.add(event.victim.route)
            yield finding_of(_code(event), event, history, _story(event))


def requests_needed(history: History, event: Event) -> int:
    """How many requests alone rule out that an event was the past, or chance.

    As many as there were before it, and so many that it would have come several times by chance.
    """
    sent = history.tally.requests
    by_chance = math.ceil(_LEAST_EXPECTED * sent / history.counts[event.cause])
    return max(event.at_request, by_chance, min(sent, _LEAST_REQUESTS))


def is_far_enough(history: History, event: Event, alone: Tally) -> bool:
    """Whether what was carried alone tells of an event."""
    return alone.requests >= requests_needed(history, event) and alone.elapsed_s >= at_elapsed_s(
        history, event
    )


def confirmed(history: History, alone: History) -> Iterator[Event]:
    """The events that say that an answer is not as it is alone, and that do not show alone."""
    shown = {(event.victim.route, _what(event)) for event in alone.events if differs(event)}
    for event in history.events:
        if differs(event) and (event.victim.route, _what(event)) not in shown:
            if is_far_enough(history, event, alone.tally):
                yield event


def _what(event: Event) -> str:
    """In what an answer differs: a status, or the text in whichever way."""
    return event.place if event.place.startswith("status") else "text"


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
    yield "carried one by one, the same users' requests show no such answer"
