"""What must hold: history in, findings out.

A check is a pure function of a history. It runs no request and knows no clock, so that a history
that was stored can be judged again by a later version. `alone` is the history of the same flow
carried alone, where one was made: what fails alone too is no matter of isolation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ctxsim.cell.history import Case, Event, History, Origin, Where, Who

# Title of each finding code; the codes of DESIGN section 8 that this version can give.
TITLES = {
    "CTX101": "a context was left on the stack after the request",
    "CTX102": "a context was pushed outside any request and is inherited by requests",
    "CTX103": "contexts were popped out of order, or by another worker than pushed them",
    "CTX104": "a teardown was missed, ran twice, or ran in another context",
    "CTX201": "a response carried another request's value",
    "CTX202": "in the process, a request saw another request's request, g or probe's value",
    "CTX203": "a session was mixed up: one client read or received another's",
    "CTX204": "a visitor without credentials was taken for a user",
    "CTX205": "a proxy was bound too early: it kept pointing at another request's object",
    "CTX206": "a signal receiver got another request",
    "CTX207": "a request lost its own value",
    "CTX208": "a request answered otherwise than the same request does when it runs alone",
    "CTX209": "an expectation of the scenario does not hold, alone neither",
    "CTX301": "background work used a context after its request had ended",
    "CTX302": "a context did not reach a worker that the request started",
    "CTX401": "residue: a value set by a request was still set when the worker took the next one",
    "CTX402": "retention: values of ended requests are still reachable",
    "CTX501": "deadlock: requests wait for each other, and none can go on",
    "CTX502": "a request never ended",
    "CTX503": "on the wire, a response belonged to another request of the connection",
    "CTX901": "nothing was compared",
    "CTX902": "uncontrolled nondeterminism: the same choices gave another history",
}

# How a story says which execution of a search showed it.
FOUND = "found "

# Words for `checks:` besides the codes themselves.
GROUPS = {
    "contexts": ("CTX101", "CTX102", "CTX103", "CTX104"),
    "crosstalk": ("CTX201", "CTX202", "CTX203", "CTX204", "CTX205", "CTX206"),
    "values": ("CTX207", "CTX208", "CTX209"),
    "escapes": ("CTX301", "CTX302"),
    "residue": ("CTX401",),
    "retention": ("CTX402",),
    "endings": ("CTX501", "CTX502"),
    "wire": ("CTX503",),
}

# What can only be seen by a cell that has imported the application.
OF_THE_INSIDE = frozenset(
    {
        *("CTX101", "CTX102", "CTX103", "CTX104", "CTX202", "CTX205", "CTX206", "CTX301", "CTX302"),
        *("CTX401", "CTX402", "CTX501", "CTX502", "CTX902"),
    }
)

# Most severe first: a visitor who is taken for a user, then another user's data, then the rest.
SEVERITY = (
    "CTX204", "CTX203", "CTX503", "CTX201", "CTX202", "CTX205", "CTX206", "CTX401", "CTX501",
    "CTX502", "CTX207", "CTX208", "CTX301", "CTX302", "CTX103", "CTX101", "CTX102", "CTX104",
    "CTX402", "CTX902", "CTX209", "CTX901",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause in one cell: its code, how often, and its first occurrence told whole."""

    code: str
    cause: tuple[str, ...]
    count: int
    at_request: int
    victim: Who
    source: Who | None
    story: tuple[str, ...]
    where: tuple[Where, ...] = ()
    # Whether it could be told where the value is kept, or who wrote it.
    has_origin: bool = False
    # The schedule that shows it, where one was searched for.
    case: Case | None = None


Check = Callable[[History, History | None], Iterable[Finding]]


def finding_of(code: str, event: Event, history: History, story: Iterable[str]) -> Finding:
    """The finding that `event` is the first occurrence of."""
    origin = history.origins.get(event.cause, Origin())
    case = history.cases.get(event.cause)
    return Finding(
        code=code,
        cause=(code, *event.cause[1:]),
        count=history.counts[event.cause],
        at_request=event.at_request,
        victim=event.victim,
        source=event.source,
        story=(*story, *_origin_told(origin), *_schedule_told(case)),
        where=(*origin.where, *event.where),
        has_origin=origin != Origin(),
        case=case,
    )


def _origin_told(origin: Origin) -> Iterator[str]:
    if origin.kept_in:
        yield f"kept in {origin.kept_in}"
    if origin.where:
        place = origin.where[0]
        written = "likely written" if origin.is_likely else "written"
        yield f"{written} by {place.file}:{place.line} in {place.function}"


def _schedule_told(case: Case | None) -> Iterator[str]:
    if case is not None:
        found = f"by execution {case.found_at}" if case.found_at else "in an earlier run"
        yield f"{FOUND}{found}, shown by {case.times} of {case.of} replays:"
        yield from (f"  {line}" for line in case.story)


def told(history: History, codes: dict[str, str], sentences: dict[str, str]) -> Iterator[Finding]:
    """The findings of the events whose kinds `codes` names, each told by the sentence of its kind.

    A sentence may name the `victim`, the `source`, the `place` and what was `seen`.
    """
    for event in history.events:
        code = codes.get(event.kind)
        if code is not None:
            yield finding_of(code, event, history, _story(event, sentences[event.kind]))


def _story(event: Event, sentence: str) -> Iterator[str]:
    yield sentence.format(
        victim=event.victim, source=event.source, place=event.place, seen=event.seen
    )
    if event.seen and "{seen}" not in sentence:
        yield f"seen: {event.seen}"
    if event.expected:
        yield f"expected: {event.expected}"
