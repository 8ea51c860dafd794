"""CTX207, CTX208, CTX209: an expectation of the scenario that does not hold.

Which of the three it is shows only beside the same flow carried alone: what fails alone too is the
scenario's or the application's own matter (CTX209). Under load only, a missing text that names its
own user or request is a lost value (CTX207), anything else another answer than alone (CTX208).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ctxsim.cell.checks import Finding, finding_of
from ctxsim.cell.history import Event, History


def check(history: History, alone: History | None) -> Iterable[Finding]:
    fails_alone = _broken(alone) if alone is not None else frozenset()
    for event in history.events:
        if event.kind == "expectation.broken":
            code = _code(event, fails_alone)
            yield finding_of(code, event, history, _story(event, code, alone))


def _broken(alone: History) -> frozenset[tuple[str, str]]:
    return frozenset(
        (event.victim.route, event.place)
        for event in alone.events
        if event.kind == "expectation.broken"
    )


def _code(event: Event, fails_alone: frozenset[tuple[str, str]]) -> str:
    if (event.victim.route, event.place) in fails_alone:
        return "CTX209"
    return "CTX207" if event.relation == "own" else "CTX208"


def _story(event: Event, code: str, alone: History | None) -> Iterator[str]:
    yield f"{event.victim}: {event.place} does not hold"
    yield f"expected {event.expected}; got {event.seen}"
    if alone is None:
        yield "how the same request answers alone is not known"
    elif code == "CTX209":
        yield "carried alone, the same request fails in the same way"
    else:
        yield "carried alone, the same request answers as expected"
