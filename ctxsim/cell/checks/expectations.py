"""CTX207, CTX208, CTX209: an expectation of the scenario that does not hold.

Which of the three it is shows only beside the same flows carried alone: what fails alone too is the
scenario's or the application's own matter (CTX209). Under load only, a missing text that names its
own user or request is a lost value (CTX207), anything else another answer than alone (CTX208). An
error may come by chance: it is told only where as many requests of one user alone show none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.checks.alone import is_far_enough, tells_more
from ctxsim.cell.history import FAILED, Event, History

_BROKEN = "expectation.broken"


def check(history: History, alone: History | None) -> Iterable[Finding]:
    left_open = [] if alone is None else list(unconfirmed(history, alone))
    for event in history.events:
        if event.kind == _BROKEN and event not in left_open:
            code = _code(event, alone)
            yield finding_of(code, event, history, _story(event, code, alone))


def unconfirmed(history: History, alone: History) -> Iterator[Event]:
    """The expectations of which what was carried alone does not tell whether they hold there."""
    fails_alone = _broken(alone)
    explained = {each.victim.route for each in history.events if tells_more(each)}
    for event in history.events:
        route = event.victim.route
        if event.kind != _BROKEN or (route, event.place) in fails_alone or route in explained:
            continue
        may_be_chance = event.relation == FAILED and event.cause not in history.cases
        if route in alone.tally.unsent or (
            may_be_chance and not is_far_enough(history, event, alone.lone)
        ):
            yield event


def worth_a_look(history: History) -> Iterator[Event]:
    """The expectations of which one user alone, for longer, may tell that they do not hold."""
    explained = {each.victim.route for each in history.events if tells_more(each)}
    for event in history.events:
        is_known = event.cause in history.cases or event.victim.route in explained
        if event.kind == _BROKEN and not is_known:
            yield event


def _broken(alone: History) -> frozenset[tuple[str, str]]:
    return frozenset(
        (event.victim.route, event.place) for event in alone.events if event.kind == _BROKEN
    )


def _code(event: Event, alone: History | None) -> str:
    if alone is not None and (event.victim.route, event.place) in _broken(alone):
        return "CTX209"
    return "CTX207" if event.relation == "own" else "CTX208"


def _story(event: Event, code: str, alone: History | None) -> Iterator[str]:
    yield f"{event.victim}: {event.place} does not hold"
    yield f"expected {event.expected}; got {event.seen}"
    if alone is None or event.victim.route in alone.tally.unsent:
        yield "how the same request answers alone is not known"
    elif code == "CTX209":
        yield "carried alone, the same request fails in the same way"
    else:
        yield "carried alone, the same request answers as expected"
