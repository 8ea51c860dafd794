"""What happened in a cell, in one order: the events worth telling, and the tally of all requests.

Thousands of ordinary requests leave only a tally. An event is something out of the ordinary; the
first of each cause is kept whole, in the order in which they happened, the others are counted. So a
history stays small however much goes wrong, and checks can judge it again later.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

# What can happen. The checks translate these into finding codes; a cell only says what it saw.
KINDS = {
    "answer.foreign": "a response carried a value that belongs to another request or user",
    "answer.misplaced": "a response belonged to another request of the same connection",
    "saw.foreign": "in the process, a proxy led to what belongs to another request",
    "session.foreign": "a session held, or was, what belongs to another client",
    "context.left": "a context was still on the stack after its request",
    "context.inherited": "a context was on the stack before the request",
    "context.mispop": "a context was popped that was not the innermost one of its worker",
    "teardown.missed": "a request ended without its teardown",
    "teardown.twice": "a teardown ran more than once for one request",
    "teardown.elsewhere": "a teardown ran in another request's context",
    "proxy.early": "an object of an ended or other request was bound where a proxy belongs",
    "receiver.foreign": "a signal receiver that one request connected got another request",
    "value.lost": "a request lost its own context or value",
    "expectation.broken": "what the scenario expects of an answer does not hold",
    "residue": "a value set by a request was still there when the worker took the next one",
    "answer.otherwise": "a response differs from what the same request is answered alone",
    "escape.used": "background work used a context after its request had ended",
    "escape.lost": "a context did not reach a worker that a request started",
    "deadlock": "requests wait for each other, and none can go on",
    "endless": "a request waits, and nothing that is sent ends that, or just by chance",
    "nondeterminism": "the same choices gave another history",
    "retained": "a value of an ended request was still reachable after the run",
}

# The place of an answer that is, word for word, what another user is answered alone.
AS_ANOTHER = "body, as it is answered to another user alone"


# The place of an answer whose words only one user is told alone, where two users were.
AS_TOLD = "what another user was told"


# What is expected and does not hold, because the answer is an error as a whole.
FAILED = "failed"


# What is expected of a request that waits where, one by one, none does: though another ends that.
UNTIL_ANOTHER = "another"


# Where an answer differs from those alone in nothing but a number.
A_NUMBER = "a number"
# All that is answered is answered alone as well, and more.
A_PART = "a part is missing"


def in_what(place: str) -> str:
    """In what an answer differs from those alone: a status, a number, or another text."""
    return place if place.startswith("status") or place == A_NUMBER else "text"


# The others have one cause whichever route shows them: a context pushed at import, a thread-local.
_BY_ROUTE = frozenset(
    kind
    for kind in KINDS
    if kind.startswith(("answer.", "expectation.", "teardown.")) or kind == "context.left"
)


@dataclass(frozen=True, slots=True)
class Who:
    """One party of an event. `user` is 0 for a visitor; `route` is '' where it is not known."""

    user: int
    request: int
    route: str = ""

    def __str__(self) -> str:
        whose = f"user {self.user}" if self.user else "a visitor"
        number = f", request {self.request}" if self.request else ""
        return f"{whose}{number}" + (f" ({self.route})" if self.route else "")


@dataclass(frozen=True, slots=True)
class Where:
    """A place in source code, in the application's own files where they could be told."""

    file: str
    line: int
    function: str


@dataclass(frozen=True, slots=True)
class Event:
    """One thing out of the ordinary.

    `place` says where in the request it was seen ("body", "header Set-Cookie", "g"); with `kind`,
    `relation` and, for what depends on it, the victim's route it is the cause that events are
    counted by.
    `relation` says how the two parties stand: "request" (another request's value), "user" (a text
    or canary by which another user is known), "visitor" (the same, shown to a visitor), or "".
    Of an expectation: "own" (it names the request's own), FAILED (the answer is an error), or "".
    `coding` says how what was seen was coded there, as in "as base64"; "" where it was not.
    """

    kind: str
    place: str
    victim: Who
    source: Who | None = None
    relation: str = ""
    seen: str = ""
    expected: str = ""
    where: tuple[Where, ...] = ()
    at_request: int = 0
    coding: str = ""

    @property
    def cause(self) -> tuple[str, ...]:
        route = self.victim.route if self.kind in _BY_ROUTE else ""
        return (self.kind, route, self.place, self.relation)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Event:
        source = document["source"]
        return cls(
            **{
                **document,
                "victim": Who(**document["victim"]),
                "source": source and Who(**source),
                "where": tuple(Where(**each) for each in document["where"]),
            }
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value that was found in the wrong place had been kept, and the line that wrote it.

    `kept_in` is a path from a module (`shop.auth.current['name']`), '' where it is not known.
    `is_likely`: the line was found in the source, and was not seen to write.
    """

    kept_in: str = ""
    where: tuple[Where, ...] = ()
    is_likely: bool = False

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Origin:
        return cls(**{**document, "where": tuple(Where(**each) for each in document["where"])})


@dataclass(frozen=True, slots=True)
class Case:
    """A schedule that shows a finding: of so many replays, it showed in `times`.

    `script` is what to carry, as JSON, and `recorded` how its last window went; `selection` counts
    the files whose lines are switch points from the narrowest; `found_at` is the execution of the
    search that showed it first. Of a difference from what is answered alone, `is_by_turns` says
    that the turns that requests took are the reason: it shows whatever chance draws, and in no
    order of the same requests one by one. Where it was carried again, `rung` tells by what it
    showed.
    """

    script: dict[str, Any]
    selection: int
    story: tuple[str, ...]
    times: int
    of: int
    found_at: int
    is_by_turns: bool = False
    recorded: dict[str, Any] | None = None
    rung: str = ""
    # By which lines each of its windows went, where that was asked for.
    legs: list[Any] | None = None

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Case:
        return cls(**{**document, "story": tuple(document["story"])})


@dataclass(slots=True)
class Tally:
    """Counts of all requests of a cell. Latencies are microseconds -> how many requests.

    `compared` counts the requests of which something could be compared: a value of their own came
    back. `failed` those that answered 5xx, raised, or were refused unexpectedly.
    """

    requests: int = 0
    compared: int = 0
    failed: int = 0
    in_flight_peak: int = 0
    # How many could be in flight at once, since each user has a few at a time.
    in_flight_most: int = 0
    elapsed_s: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    latency_us: dict[int, int] = field(default_factory=dict)
    # The routes of steps that no user came to send.
    unsent: list[str] = field(default_factory=list)
    # The routes that were answered well, and of whose answers none could be compared.
    untold: list[str] = field(default_factory=list)
    # What requests raised, the first of each kind.
    raised: list[str] = field(default_factory=list)
    # Names in `shared` and `keeps` that led to nothing, at the end of the run either.
    unknown_names: list[str] = field(default_factory=list)
    # Counted per worker or thread and added up, since tallies of one's own race like any other.
    visitors: int = 0

    def add(self, other: Tally) -> None:
        """Count what another one has counted, too; it may be counting still."""
        self.requests += other.requests
        self.compared += other.compared
        self.failed += other.failed
        self.visitors += other.visitors
        self.in_flight_peak = max(self.in_flight_peak, other.in_flight_peak)
        for name in ("faults", "failures", "latency_us"):
            into, part = getattr(self, name), dict(getattr(other, name))
            for key, count in part.items():
                into[key] = into.get(key, 0) + count

    def to_json(self) -> dict[str, Any]:
        # Not by `asdict`, which copies one latency after the other: there are thousands, and it is
        # asked for several times a second while requests are carried.
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Tally:
        latency = {int(us): n for us, n in document["latency_us"].items()}
        return cls(**{**document, "latency_us": latency})


@dataclass(frozen=True, slots=True)
class Ending:
    """How a cell ended, where it did not simply finish.

    `kind` is one of: stopped, import, unsuited, crash, exit, hang, refused, memory, flood,
    fault.
    """

    kind: str
    message: str
    stacks: tuple[str, ...] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Selected:
    """Where workers could be made to wait: modules of the application's own, and packages."""

    modules: tuple[str, ...]
    packages: tuple[str, ...]


@dataclass(slots=True)
class History:
    """The events in the order of their first occurrence, the count of each cause, the tally.

    `origins` tells of some causes where the value came from, `cases` of some which schedule shows
    it; `doubts` say what else keeps the cell from being called clean, `remarks` what else is to be
    known of it.
    """

    events: list[Event] = field(default_factory=list)
    counts: dict[tuple[str, ...], int] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    ending: Ending | None = None
    origins: dict[tuple[str, ...], Origin] = field(default_factory=dict)
    cases: dict[tuple[str, ...], Case] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    # Of what was carried alone: what one user sent without faults, after whom nobody else came.
    lone: Tally = field(default_factory=Tally)
    # Those of the doubts that tell what a search saw for certain, and could not have at its will.
    seen: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    # In whose lines a search has switched, where these are switch points.
    selected: Selected | None = None

    def add(self, event: Event) -> None:
        """Take up an event that was reported whole, the first of its cause."""
        # That its cause has a count says nothing: a tally may overtake the event on its way here.
        if not any(each.cause == event.cause for each in self.events):
            self.events.append(event)
            self.counts.setdefault(event.cause, 1)
