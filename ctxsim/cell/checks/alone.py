"""CTX208, CTX201, CTX204: an answer that is not what the same request is answered alone.

A cell notes each answer that differs from what was learnt. That is a finding only if the requests
of the same users, carried by the same workers one by one, show no such thing: what does show there
is the application's own past, or chance. Where a schedule shows it, and no order of the same
requests one by one, the turns that they took are the reason, and no more needs to be carried. And
it is one only where nothing tells the cause better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.checks.answers import shareable
from ctxsim.cell.history import A_PART, AS_ANOTHER, Event, History, Tally, in_what

# How likely it may be that what came by chance under load never came alone.
_BY_CHANCE = 0.001
# However often it came: an application may be slow to settle.
_LEAST_REQUESTS = 300
# Beyond what had been sent when it came first.
_MARGIN = 1.5

# What tells more of the same route, and what tells of the whole process.
_OF_ROUTE = frozenset(
    {
        "answer.foreign", "session.foreign", "value.lost", "expectation.broken", "proxy.early",
        "receiver.foreign", "residue", "answer.misplaced",
    }
)  # fmt: skip
_OF_ALL = frozenset({"context.mispop", "saw.foreign"})


def differs(event: Event) -> bool:
    """Whether an event says that an answer is not as it is alone."""
    return is_difference(event.cause)


def is_difference(cause: tuple[str, ...]) -> bool:
    """The same of an event's cause: only what was learnt can show it."""
    kind, _, place, _ = cause
    return kind == "answer.otherwise" or place == AS_ANOTHER


def tells_more(event: Event) -> bool:
    """Whether an event tells by itself why requests of its route are answered otherwise."""
    is_telling = event.kind in _OF_ROUTE and event.kind != "expectation.broken"
    return (is_telling or event.kind in _OF_ALL) and not differs(event)


def at_elapsed_s(history: History, event: Event) -> float:
    """How long the load had lasted, about, when an event came first."""
    tally = history.tally
    return tally.elapsed_s * event.at_request / tally.requests if tally.requests else 0.0


def check(history: History, alone: History | None) -> Iterable[Finding]:
    found = [event for event in unexplained(history) if is_by_turns(history, event)]
    if alone is not None:
        found += confirmed(history, alone)
    told: set[str] = set()
    # An answer of another user tells more than an error, this more than a text.
    for event in sorted(found, key=_rank):
        if event.victim.route not in told:
            told.add(event.victim.route)
            by_turns = is_by_turns(history, event)
            yield finding_of(_code(event), event, history, _story(event, by_turns=by_turns))


def unexplained(history: History) -> Iterator[Event]:
    """The events that say that an answer is not as it is alone, where nothing tells more of it."""
    if any(event.kind in _OF_ALL for event in history.events):
        return
    explained = {e.victim.route for e in history.events if e.kind in _OF_ROUTE and not differs(e)}
    for event in filter(differs, history.events):
        if event.victim.route not in explained:
            yield event


def is_by_turns(history: History, event: Event) -> bool:
    """Whether a schedule was found that shows the event, and its turns are the reason."""
    case = history.cases.get(event.cause)
    return case is not None and case.is_by_turns


def requests_needed(history: History, event: Event) -> int:
    """How many requests alone rule out that an event was the past, or chance.

    If something comes as often alone, the k times that it came are spread over both by lot: that
    all fall to the load is as likely as the k-th power of its share in all requests.
    """
    sent, times = history.tally.requests, history.counts[event.cause]
    by_chance = 0.0
    # To be, word for word, what another user is answered is no matter of chance.
    if event.place != AS_ANOTHER:
        by_chance = sent * (_BY_CHANCE ** (-1 / times) - 1)
    return math.ceil(max(_MARGIN * event.at_request, by_chance, min(sent, _LEAST_REQUESTS)))


def is_far_enough(history: History, event: Event, alone: Tally) -> bool:
    """Whether what was carried alone tells of an event."""
    return alone.requests >= requests_needed(history, event) and alone.elapsed_s >= at_elapsed_s(
        history, event
    )


def confirmed(history: History, alone: History) -> Iterator[Event]:
    """The events that nothing else explains, and that do not show alone."""
    for event in _only_under_load(history, alone):
        if is_far_enough(history, event, alone.tally):
            yield event


def unconfirmed(history: History, alone: History) -> Iterator[Event]:
    """Those of which what was carried alone does not tell."""
    for event in _only_under_load(history, alone):
        if not is_far_enough(history, event, alone.tally):
            yield event


def _only_under_load(history: History, alone: History) -> Iterator[Event]:
    shown = {(event.victim.route, in_what(event.place)) for event in alone.events if differs(event)}
    for event in unexplained(history):
        is_shown = (event.victim.route, in_what(event.place)) in shown
        if not is_shown and not is_by_turns(history, event):
            yield event


def _rank(event: Event) -> int:
    if event.place == AS_ANOTHER:
        return 0
    return 1 if event.place.startswith("status") else 3 if event.place in ("body", A_PART) else 2


def _code(event: Event) -> str:
    if event.place != AS_ANOTHER:
        return "CTX208"
    return "CTX204" if event.relation == "visitor" else "CTX201"


def _story(event: Event, *, by_turns: bool) -> Iterator[str]:
    if event.place == AS_ANOTHER:
        yield f"{event.victim} was answered, word for word, what {event.source} is answered alone"
        yield f"seen: {event.seen}"
        return
    yield f"{event.victim} was answered otherwise than alone: {event.place}"
    yield f"answered: {event.seen}"
    yield f"alone: {event.expected}"
    whose = "the same" if by_turns else "the same users'"
    yield f"carried one by one, {whose} requests show no such answer"
    path = shareable(event)
    if event.place == A_PART:
        yield (
            "if it is left out on purpose while much is asked at once, send less at a time, or "
            "leave CTX208 out of checks"
        )
    if path:
        more = ", which excuses values of others there, too" if event.place == A_PART else ""
        yield f'if it depends on who else is there, as a gauge does, write shared: ["{path}"]{more}'
