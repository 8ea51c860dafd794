"""The plan: what a harness tells a cell to do, as one value that travels as JSON.

A plan is complete in itself: the cell reads no scenario file. Texts may hold placeholders, which
`visits` fills in; whether they make sense was checked when the scenario was loaded.
"""

from __future__ import annotations

import functools
import re
import types
import typing
from dataclasses import asdict, dataclass, fields, is_dataclass
from typing import Any, Literal

from ctxsim.cell.learnt import Learnt

# Counts up whenever a field changes its meaning; harness and cell come from one installation, so
# a difference means a broken installation and is refused.
VERSION = 1

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

# Methods that have nothing to store (RFC 9110, section 9.2.1), of those that steps are sent with.
SAFE = ("GET", "HEAD")

# How requests go over the wire besides the plain way, which is a connection for each of them.
CONNECTIONS = ("shared", "pipelined", "bodies", "headers", "slow")

# Where in an answer a value stands that later steps send.
CaptureKind = Literal["json", "header", "cookie", "field", "regex"]
CAPTURE_KINDS: tuple[CaptureKind, ...] = typing.get_args(CaptureKind)

WORKER_VARIANTS: dict[str, tuple[str, ...]] = {
    "sync": (),
    "threads": ("fresh", "copied"),
    "greenlets": ("unpatched", "late", "partial", "copied"),
    "tasks": ("empty", "to_thread", "executor"),
}
_CROSSED = re.compile(r"threads:([1-9]\d*) x greenlets:([1-9]\d*)")
_PLAIN = re.compile(r"([a-z]+)(?::([1-9]\d*))?(?::([a-z_]+))?")


@dataclass(frozen=True, slots=True)
class Workers:
    """Who carries requests at the same time, read from a word such as `threads:4 x greenlets:250`.

    `count` is how many requests are in flight at once on one thread (all of them but for
    `threads x greenlets`, where `threads` hubs carry `count` each).
    """

    word: str
    model: Literal["sync", "threads", "greenlets", "threads x greenlets", "tasks"]
    count: int = 1
    variant: str | None = None
    threads: int = 1

    @property
    def in_flight(self) -> int:
        return self.threads * self.count

    @property
    def needs_gevent(self) -> bool:
        return "greenlets" in self.model

    @property
    def suits_asgi(self) -> bool:
        """Whether they can carry an ASGI application, whose requests are tasks of one loop."""
        return self.model == "sync" or (self.model == "tasks" and self.variant in (None, "empty"))

    @property
    def suits_http(self) -> bool:
        """Whether they can be clients of a server: those that block, and are patched whole."""
        if self.model == "threads":
            return self.variant in (None, "fresh")
        return self.model == "sync" or (self.model == "greenlets" and self.variant is None)

    @property
    def shares_threads(self) -> bool:
        """Whether one thread carries several requests, and has what is local to it for all."""
        if self.model == "threads":
            return self.variant != "fresh"
        return self.model in ("sync", "tasks")

    @property
    def can_be_controlled(self) -> bool:
        """Whether a schedule can say which of them goes on."""
        return self.model in ("threads", "greenlets") or self.suits_asgi

    @classmethod
    def parse(cls, word: str) -> Workers:
        """Read one word; raises ValueError with what was expected."""
        word = " ".join(word.split())
        if crossed := _CROSSED.fullmatch(word):
            threads, greenlets = map(int, crossed.groups())
            return cls(word, "threads x greenlets", greenlets, None, threads)
        plain = _PLAIN.fullmatch(word)
        if plain is None or plain[1] not in WORKER_VARIANTS:
            raise ValueError(
                f"unknown workers {word!r}; write sync, threads:8, greenlets:200, "
                "tasks:200 or threads:4 x greenlets:250"
            )
        model, count, variant = plain.groups()
        if (model == "sync") != (count is None):
            raise ValueError(
                f"'{word}': sync carries one request at a time, write just 'sync'"
                if model == "sync"
                else f"'{word}' does not say how many; write for example '{model}:8'"
            )
        if variant is not None and variant not in WORKER_VARIANTS[model]:
            known = ", ".join(f"{model}:{count}:{each}" for each in WORKER_VARIANTS[model])
            raise ValueError(f"unknown variant {variant!r} of {model}; there are {known}")
        return cls(word, typing.cast(Any, model), int(count or 1), variant)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens. `prefix` comes before the path of each step; it may be empty.

    Where it is `loopback_only`, nothing is sent to what the host's name may mean besides. By `tls`
    all is encrypted, and the certificates in the file `ca` are trusted besides the system's.
    """

    host: str
    port: int
    prefix: str = ""
    loopback_only: bool = True
    tls: bool = False
    ca: str = ""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests are sent. `path` entries are absolute and go before the import path.

    Of a server, `app` is the URL, `address` where that leads to, and `connections` names the ways,
    besides the plain one, in which requests go over the wire.
    """

    app: str
    kind: Literal["auto", "runtime", "wsgi", "asgi", "http"] = "auto"
    path: tuple[str, ...] = ()
    storage: str = "contextvar"
    address: Address | None = None
    connections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Expect:
    """What a step's answer must be; texts may hold placeholders.

    `unique` names the member that no other answer may have; "" is the whole answer, None none.
    """

    status: tuple[int, ...] = ()
    contains: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    json: tuple[tuple[str, Json], ...] = ()
    unique: str | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """A value of an answer that later steps of the visit send: `{STEP.name}`."""

    name: str
    kind: CaptureKind
    what: str


@dataclass(frozen=True, slots=True)
class Step:
    """One request of a visit, with placeholders still in it. `path` may carry a query.

    `rule` is what the paths of one route have in common, '' for a path that is a route of its own.
    A step that is sent `once` is left out of a user's visits once it was answered well.
    """

    name: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    form: tuple[tuple[str, str], ...] | None = None
    json: Json = None
    has_json: bool = False
    body: str | None = None
    auth: tuple[str, str] | None = None
    mine: tuple[str, ...] = ()
    expect: Expect = Expect()
    rule: str = ""
    captures: tuple[Capture, ...] = ()
    once: bool = False

    @property
    def route(self) -> str:
        """The step as findings name it: method and rule, or the path without the query."""
        return f"{self.method} {self.rule or self.path.partition('?')[0]}"


@dataclass(frozen=True, slots=True)
class Flow:
    name: str
    weight: float
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Users:
    """`count` 0 means: as many as the workers can keep in flight, at least 20.

    `parallel` is how many requests of one user may be in flight at once.
    """

    count: int = 0
    visitor: bool = True
    parallel: int = 1
    vars: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Faults:
    """The share of requests, from 0 to 1, that fail, whose client leaves, or that are cancelled."""

    error: float = 0.0
    abort: float = 0.0
    cancel: float = 0.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much is sent: a number of requests, or for how many seconds; whichever ends first.

    The number of requests does not end it before `least_s` have passed. Of one that is `live` the
    harness says, while it runs, how many users are there, and when all have gone. With a rate it is
    an open load: requests become due at even intervals, whether or not earlier ones have been
    answered.
    """

    requests: int | None = None
    duration_s: float | None = None
    least_s: float = 0.0
    live: bool = False
    rate_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Shared:
    """What is meant to be shared: routes (paths), and objects as `module:attribute`."""

    routes: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """Look at the application, and try its routes one after the other, instead of a load.

    `unsafe` also tries methods that may change things; `left_out` are routes that ended an earlier
    look; `doctor` asks for what is told of an application at rest, and tries nothing. `openapi` are
    the paths at which the document that tells a server's routes may be, the first one that answers
    counting; `document` is its JSON, where it was asked for already.
    """

    unsafe: bool = False
    left_out: tuple[str, ...] = ()
    duration_s: float = 10.0
    doctor: bool = False
    openapi: tuple[str, ...] = ()
    document: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """Choose who goes on at each switch point, and look for a schedule that shows a finding.

    It ends after so many `executions`, or after `duration_s`, whichever is given; `depth` is the
    strategy's (the changes of priority of pct). `select` names the modules whose lines, or opcodes,
    are switch points; empty for the application's own and then those of packages that it imports.
    What modules of the names in `atomic` do outside of the process is carried for real.
    Without a `granularity` they are lines, and for the narrowest selection opcodes as well.
    `known` are causes of events that are no news. `script` is one that was found before to show
    `cause`, as JSON: it is replayed `times` times in place of a search, switching in the files of
    the `selection` that it was found with; `recorded` is what the case keeps of how it went then.
    With `replay` nothing is searched for: cells carry such scripts alone.
    """

    kind: Literal["auto", "random", "pct", "exhaustive", "replay"] = "auto"
    executions: int | None = None
    duration_s: float | None = None
    depth: int | None = None
    granularity: Literal["line", "opcode"] | None = None
    select: tuple[str, ...] = ()
    atomic: tuple[str, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()
    script: dict[str, Json] | None = None
    cause: tuple[str, ...] = ()
    selection: int = 0
    times: int = 0
    recorded: dict[str, Json] | None = None
    # Of a replay: tell by which lines it went; carry it by these, on native threads.
    tells_legs: bool = False
    legs: Json = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a cell needs. `run` is 8 hexadecimal digits, common to all cells of a run.

    `only_user` makes it a rehearsal: that one user (0 for a visitor) goes through the flows in
    turn, alone; what fails then is no matter of isolation.
    """

    scenario: str
    run: str
    process: int
    seed: int
    target: Target
    workers: Workers
    flows: tuple[Flow, ...]
    users: Users = Users()
    faults: Faults = Faults()
    load: Load = Load(requests=1000)
    shared: Shared = Shared()
    # `module:attribute` of functions to call inside of requests: what they return must be own.
    probes: tuple[str, ...] = ()
    # Modules, and objects or classes as `module:attribute`, that are meant to keep values.
    keeps: tuple[str, ...] = ()
    only_user: int | None = None
    # Users go one after the other, each through a whole visit: how requests are answered alone.
    one_by_one: bool = False
    # Say how requests were answered; what an earlier cell said, to compare the answers with.
    learning: bool = False
    # Half of the users have a thread for each request, in place of the one that all others share.
    apart: bool = False
    learnt: Learnt | None = None
    # It ends when each of these was answered otherwise: a route, and in what (`history.in_what`).
    awaited: tuple[tuple[str, str], ...] = ()
    # Packages lent by the harness: top-level module names, and the folder to find them in.
    lent: tuple[str, ...] = ()
    lent_from: str | None = None
    # No request ended for this long: the cell sends its stacks, since the harness will end it.
    stall_s: float = 30.0
    look: Look | None = None
    search: Search | None = None
    # Look, after the load, for what is kept of ended requests.
    retention: bool = True
    version: int = VERSION

    @property
    def is_remote(self) -> bool:
        """Whether requests go to a server in another process, whose inside cannot be seen."""
        return self.target.address is not None

    @property
    def has_findings(self) -> bool:
        """Whether what shows is a finding, and not only what others are compared with."""
        return not (self.one_by_one or self.look or self.only_user is not None)

    @property
    def rate_kept_per_s(self) -> float | None:
        """The rate that all that goes to another machine keeps, also what is carried alone."""
        address = self.target.address
        is_afar = address is not None and not address.loopback_only
        return self.load.rate_per_s if is_afar else None

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for flow in self.flows for step in flow.steps)

    @property
    def situations(self) -> tuple[int, ...]:
        """For each of `steps` the first one that is the same, and comes after the same steps.

        Whose first visit a flow is, which no lesson tries for all flows, then matters to none of
        those that begin alike.
        """
        known: dict[str, int] = {}
        beginnings = (flow.steps[:n] for flow in self.flows for n in range(1, len(flow.steps) + 1))
        # By their texts, since JSON values have no hash.
        return tuple(known.setdefault(repr(each), i) for i, each in enumerate(beginnings))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Plan:
        """Build a plan from what `to_json` gave; raises ValueError on another version."""
        if document.get("version") != VERSION:
            raise ValueError(
                f"this cell speaks plan version {VERSION}, not {document.get('version')}"
            )
        return typing.cast(Plan, rebuilt(cls, document))


def rebuilt(kind: Any, value: Any) -> Any:
    """A dataclass of this kind from what `asdict` and JSON made of it."""
    # JSON has lists where a plan has tuples, and objects where it has dataclasses.
    if value is None or kind is Json:
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{f.name: rebuilt(hints[f.name], value[f.name]) for f in fields(kind)})
    origin = typing.get_origin(kind)
    if origin in (types.UnionType, typing.Union):
        return rebuilt(
            next(each for each in typing.get_args(kind) if each is not type(None)), value
        )
    if origin is tuple:
        inner = typing.get_args(kind)
        if inner[-1] is Ellipsis:
            return tuple(rebuilt(inner[0], each) for each in value)
        return tuple(rebuilt(part, each) for part, each in zip(inner, value, strict=True))
    return value


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    """The types of a dataclass's fields; to evaluate them takes longer than all of the rest."""
    return typing.get_type_hints(kind)
