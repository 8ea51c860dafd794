"""What a look at an application saw: its routes, what they read, and how they answered.

A sight travels from cell to harness as JSON, and scenarios are drafted from it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from ctxsim.cell.history import Where
from ctxsim.cell.plan import SAFE, Step, rebuilt

Place = Literal["query", "form", "file", "json", "header", "cookie", "auth"]


@dataclass(frozen=True, slots=True)
class Read:
    """A name that source code reads from a request; `kind` is what it makes of the text.

    `words` are the texts that it compares it with: each may lead to another answer. A "choice" can
    be nothing but one of them. A "value" is sent as the JSON that its one word is, which may hold
    placeholders.
    """

    place: Place
    name: str
    kind: Literal["text", "int", "float", "bool", "choice", "value"] = "text"
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """A route as the framework knows it; `path` has placeholders where the rule has arguments.

    `wants` says why it cannot be sent, '' where it can. `view` names the function that answers it,
    and `words` are the texts that it compares its arguments with. `likely` is the path with what
    its arguments' names suggest. `arguments` are these names, if the view takes nothing else.
    `is_guess`: only the source names the path, and it may be none. `is_exact`: a query with other
    names than those of `reads` is refused.
    """

    method: str
    path: str
    reads: tuple[Read, ...] = ()
    view: Where | None = None
    wants: str = ""
    words: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()
    is_guess: bool = False
    arguments: tuple[str, ...] = ()
    is_exact: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_safe(self) -> bool:
        return self.method in SAFE


# How long a route takes, in seconds, that is sent more seldom than others.
LONG_S = 0.25
# What every application is asked for: what it says where it has nothing to say is seen by all.
NO_SUCH_PAGE = Route("GET", "/no-such-page")


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to send a route, and how it was answered when it was sent alone.

    `variant` is "full" (every name that the source reads), "other values" (so, with other numbers,
    dates and the like, each user's own where any will do), "short" (so, with short texts, where
    that was answered otherwise), "word" (so, with one of them as a text that the source compares it
    with), "likely" (so, with the texts that names suggest), "no number" (so, with a text where a
    number is read), "own" (only those that tell who the user is), "nobody" (only the others),
    "same" and "again" (all, on a page that others ask for too, or with a file of a name that others
    have too), "carried" (with what earlier answers gave, by the names of their steps), or "bare"
    (none).
    `echoes`: the answer held a canary of the request. `unmade`: when it was sent, nothing had been
    made yet that its path leads to, so that what it found was there for all. `lasted_s`: for how
    many seconds it ran. `reason`: why it failed, where that is known.
    """

    variant: str
    step: Step
    status: int
    echoes: bool = False
    leads_to: str = ""
    error: str = ""
    unmade: bool = False
    lasted_s: float = 0.0
    reason: str = ""

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300  # noqa: PLR2004 - what HTTP calls success


# Why a route was not sent, for which more time is the remedy.
NO_TIME = "the time for trying routes was over"
# And why one was not sent that may be, if the user says so.
UNSAFE = "it may change things; --unsafe sends it"


@dataclass(frozen=True, slots=True)
class Tried:
    """A route with the trials that were made, none where it was not sent; `why` says why not."""

    route: Route
    trials: tuple[Trial, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that a reader should know, and the place in the source that it is about."""

    text: str
    where: Where | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """All that a look saw. `app` is the target as it was settled, `chosen` how it was found.

    `looping` is a route that ran an event loop of its own in a synchronous application, '' if none.
    `undocumented` says why nothing tells the routes of a server, '' where something does; `unread`
    is what it answered when it was asked for them, where that is a text and no JSON.
    """

    app: str
    kind: str
    framework: str
    chosen: str = ""
    looping: str = ""
    undocumented: str = ""
    unread: str = ""
    routes: tuple[Tried, ...] = ()
    notes: tuple[Note, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Sight:
        sight: Sight = rebuilt(cls, document)
        return sight
