"""What a scenario file may say, version 1: every key with its type, its default and its meaning.

The models describe the shape; what spans several keys stands in `rules`. Descriptions and examples
are shown to people: in the JSON Schema as editors hover it, and in messages. What is tested, and
how much it is sent, stands in `target`.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from ctxsim.cell.canaries import MAX_USER
from ctxsim.cell.plan import CONNECTIONS, Workers
from ctxsim.scenario import schema_parts as parts
from ctxsim.scenario import words
from ctxsim.scenario.target import Load, Part, Target
from ctxsim.scenario.value_types import (
    BudgetWord,
    CaptureWay,
    CellPattern,
    CheckWords,
    Codes,
    ConnectionWords,
    GranularityWord,
    HeaderName,
    HeaderText,
    KeptWord,
    Many,
    MineTexts,
    ModuleWords,
    Name,
    PathText,
    ProbeWord,
    RouteText,
    ScheduleKind,
    Share,
    SharedWord,
    Statuses,
    Texts,
    Title,
    Unique,
    WorkersWords,
    WrittenText,
    expectation_by_scope,
    faults_by_name,
    schedule_by_kind,
)
from ctxsim.scenario.words import Budget, Threshold

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")
BODIES = ("form", "json", "body")
DEFAULT_WORKERS = ("sync", "threads:8", "greenlets:100", "tasks:100")
MAX_PARALLEL = 1_000


class Users(Part):
    """Simulated clients, each with its own cookies."""

    count: Annotated[int, Field(ge=1, le=MAX_USER)] | None = Field(
        default=None,
        description="How many users there are. Default: what the workers carry at once, "
        "at least 20.",
        examples=[20],
    )
    visitor: bool = Field(
        default=True,
        description="Also send every flow without credentials.",
        examples=["true"],
    )
    parallel: Annotated[int, Field(ge=1, le=MAX_PARALLEL)] = Field(
        default=1,
        description="How many requests of one user may be in flight at once. Default: 1.",
        examples=[1],
    )
    vars: dict[Name, WrittenText] = Field(
        default_factory=dict,
        description="Texts that each user has, for `{user.NAME}`; `{n}` is the user's number.",
        examples=['{name: "user{n}"}'],
    )


class Expect(Part):
    """What a step's answer must be."""

    status: Statuses = Field(
        default=(), description="The status, or a list of them.", examples=[200]
    )
    contains: Texts = Field(
        default=(), description="A text that the body holds, or a list.", examples=['"{user.name}"']
    )
    absent: Texts = Field(
        default=(), description="A text that the body does not hold, or a list.", examples=["Login"]
    )
    members: dict[str, Any] = Field(
        default_factory=dict,
        alias="json",
        description="Members of the JSON answer and the values that they must have.",
        examples=['{user: "{user.name}"}'],
    )
    unique: Unique = Field(
        default=None,
        description="`true`: no other answer to this step is like it; or the name of a member "
        "of the JSON answer whose value no other answer has.",
        examples=["true"],
    )


def _step_schema(schema: dict[str, Any]) -> None:
    pairs = [("form", "json"), ("form", "body"), ("json", "body")]
    schema["oneOf"] = [{"required": [method]} for method in METHODS]
    schema["not"] = {"anyOf": [{"required": list(pair)} for pair in pairs]}


def _method(method: str) -> Any:
    return Field(
        default=None,
        description=f"Send a {method.upper()} request to this path, which may carry a query.",
        examples=["/cart"],
    )


class Step(Part):
    """One request of a visit."""

    model_config = ConfigDict(json_schema_extra=_step_schema)

    get: PathText | None = _method("get")
    post: PathText | None = _method("post")
    put: PathText | None = _method("put")
    patch: PathText | None = _method("patch")
    delete: PathText | None = _method("delete")
    head: PathText | None = _method("head")
    options: PathText | None = _method("options")
    headers: dict[HeaderName, HeaderText] = Field(
        default_factory=dict,
        description="Headers to send; an explicit Cookie header replaces the user's cookies.",
        examples=['{X-Request-ID: "{canary}"}'],
    )
    form: dict[str, WrittenText] | None = Field(
        default=None,
        description="Send these fields as a form.",
        examples=['{name: "{user.name}"}'],
    )
    data: Any = Field(
        default=None,
        alias="json",
        description="Send this value as JSON.",
        examples=['{note: "{canary}"}'],
    )
    body: str | None = Field(
        default=None, description="Send this text as it is.", examples=['"text"']
    )
    auth: Annotated[tuple[WrittenText, WrittenText], Many] | None = Field(
        default=None,
        description="Name and password for Basic authentication.",
        examples=['["{user.name}", "{user.password}"]'],
    )
    expect: Expect = Field(
        default_factory=Expect,
        description="What the answer must be.",
        examples=["{status: 200}"],
    )
    mine: MineTexts = Field(
        default=(),
        description="A text that belongs to this user: seeing it, as a whole word, in another "
        "user's response is cross-talk. It must hold what tells users apart.",
        examples=['"{user.name}"'],
    )
    name: Name | None = Field(
        default=None,
        alias="as",
        description="Names the step: `{NAME.canary}` is its canary, for later steps.",
        examples=["cart"],
    )
    captures: dict[Name, CaptureWay] = Field(
        default_factory=dict,
        description="Values of the answer that later steps of the visit send as `{NAME.VALUE}`, "
        "NAME being the step's: a member of JSON, a header, a cookie, a field of a form, or what "
        "a regular expression finds.",
        examples=["{id: {json: note.id}, csrf: {field: csrf_token}}"],
    )
    once: bool = Field(
        default=False,
        description="Send the step until it is answered well, and leave it out of the user's "
        "later visits: a login that takes long. What it captured stays.",
        examples=["true"],
    )
    route: RouteText | None = Field(
        default=None,
        description="What findings call the step, where the paths of several steps are one route. "
        "Default: its path.",
        examples=['"/orders/{number}"'],
    )

    @property
    def method(self) -> str:
        """The one method that the step has, in small letters."""
        return next(each for each in METHODS if getattr(self, each) is not None)


Steps = Annotated[tuple[Step, ...], Many, Field(min_length=1)]


class Flow(Part):
    """A named visit."""

    weight: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] = Field(
        default=1.0,
        description="How often this flow is taken, beside the others. Default: 1.",
        examples=[3],
    )
    steps: Steps = Field(description="The flow's requests, in order.", examples=["[{get: /}]"])


class Faults(Part):
    """The share of requests that go wrong on purpose."""

    error: Share = Field(
        default=0.02, description="Requests that fail. Default: 2%.", examples=["2%"]
    )
    abort: Share = Field(
        default=0.02,
        description="Requests whose client leaves before the end. Default: 2%.",
        examples=["2%"],
    )
    cancel: Share = Field(
        default=0.01,
        description="Requests that are killed or cancelled mid-way. Default: 1%.",
        examples=["1%"],
    )


class Schedule(Part):
    """Who chooses which worker goes on: the operating system, or a search for what goes wrong."""

    kind: ScheduleKind = Field(
        default="os",
        description="`os` (the default): the operating system and gevent. `auto`, `random`, "
        "`pct`: one request runs at a time, and the strategy of that name chooses at each switch "
        "point who goes on. `exhaustive`: all schedules of pairs of requests. `replay`: the cases "
        "that were found before, and nothing else.",
        examples=["auto"],
    )
    budget: BudgetWord = Field(
        default=Budget(executions=2000),
        description="How long is searched: executions, or a duration. Default: 2000 executions.",
        examples=["60s"],
    )
    depth: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None,
        description="How many changes of priority `pct` makes. Default: one to four in turn.",
        examples=[3],
    )
    granularity: GranularityWord | None = Field(
        default=None,
        description="Where a request can be made to wait: before each line, or each opcode. "
        "Default: lines, and in the last part of the budget opcodes of the narrowest selection.",
        examples=["line"],
    )
    select: ModuleWords = Field(
        default=(),
        description="The modules and packages whose lines are switch points. Default: the "
        "application's own, and then those of the packages that it imports.",
        examples=["[shop]"],
    )
    atomic: ModuleWords = Field(
        default=(),
        description="Modules and packages that may wait for others than the application, such as a "
        "server elsewhere, or a process: that is done for real, and nobody goes on meanwhile. "
        "Default: none.",
        examples=["[requests, subprocess]"],
    )


class Expectation(Part):
    """What is meant to be found: by all cells together, or by each cell (exactly one is set)."""

    overall: Codes | None = None
    cells: Annotated[dict[CellPattern, Codes], Field(min_length=1)] | None = None


def _latency(metric: str) -> Any:
    return PlainValidator(partial(words.latency_threshold, metric))


def _share_of(metric: str) -> Any:
    return PlainValidator(partial(words.share_threshold, metric))


_LATENCY_SCHEMA = WithJsonSchema(parts.LATENCY)
_SHARE_SCHEMA = WithJsonSchema(parts.SHARE_LIMIT)


class Thresholds(Part):
    """Limits that a run must keep; a broken one ends with exit code 5."""

    p50: Annotated[Threshold | None, _latency("p50"), _LATENCY_SCHEMA] = Field(
        default=None, description="Limit of the median latency.", examples=['"< 100ms"']
    )
    p95: Annotated[Threshold | None, _latency("p95"), _LATENCY_SCHEMA] = Field(
        default=None, description="Limit of 95 in 100 latencies.", examples=['"< 250ms"']
    )
    p99: Annotated[Threshold | None, _latency("p99"), _LATENCY_SCHEMA] = Field(
        default=None, description="Limit of 99 in 100 latencies.", examples=['"< 500ms"']
    )
    max: Annotated[Threshold | None, _latency("max"), _LATENCY_SCHEMA] = Field(
        default=None, description="Limit of the longest latency.", examples=['"< 2s"']
    )
    checked: Annotated[Threshold | None, _share_of("checked"), _SHARE_SCHEMA] = Field(
        default=None,
        description="Share of the requests of which something was compared.",
        examples=['">= 99%"'],
    )
    failed: Annotated[Threshold | None, _share_of("failed"), _SHARE_SCHEMA] = Field(
        default=None, description="Share of the requests that failed.", examples=['"<= 1%"']
    )

    @property
    def given(self) -> tuple[Threshold, ...]:
        """The thresholds that the file sets."""
        every = (self.p50, self.p95, self.p99, self.max, self.checked, self.failed)
        return tuple(each for each in every if each is not None)


def _document_schema(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [
        {"required": ["steps"], "properties": {"flows": {"maxProperties": 0}}},
        {
            "required": ["flows"],
            "properties": {"flows": {"minProperties": 1}},
            "not": {"required": ["steps"]},
        },
    ]


class Document(Part):
    """A whole scenario file."""

    model_config = ConfigDict(json_schema_extra=_document_schema)
    version: Annotated[int, PlainValidator(words.version), WithJsonSchema({"const": 1})] = Field(
        description="The version of the format: 1.", examples=[1]
    )
    name: Title = Field(
        default="",
        description="What reports call the scenario. Default: the file's name.",
        examples=["shop with a login session"],
    )
    target: Target = Field(
        description="What is tested: the application, and in which environment.",
        examples=["{app: shop.wsgi:app}"],
    )
    users: Users = Field(
        default_factory=Users, description="Who sends requests.", examples=["{count: 20}"]
    )
    steps: Steps = Field(
        default=(),
        description="One user's visit: requests in order. Either `steps` or `flows`.",
        examples=["[{get: /}]"],
    )
    flows: dict[Name, Flow] = Field(
        default_factory=dict,
        description="Named visits with weights, instead of `steps`.",
        examples=["{buy: {weight: 3, steps: [{get: /}]}}"],
    )
    faults: Annotated[
        Faults, BeforeValidator(faults_by_name), parts.AlsoAccepts(({"const": "none"},))
    ] = Field(
        default_factory=Faults,
        description="Requests that go wrong on purpose; `none` switches the default mix "
        "(error 2%, abort 2%, cancel 1%) off.",
        examples=["none"],
    )
    workers: WorkersWords = Field(
        default=tuple(map(Workers.parse, DEFAULT_WORKERS)),
        description="Who carries requests at the same time: `sync`, `threads:N`, "
        "`greenlets:N`, `tasks:N`, `threads:T x greenlets:N`, and their variants.",
        examples=['[sync, "threads:8"]'],
    )
    # `Scenario.load` reads a file, so the key's field has another name.
    amount: Load = Field(
        default=Load(requests=1000),
        alias="load",
        description="How much is sent in each cell. Default: 1000 requests.",
        examples=["{requests: 20000}"],
    )
    connections: ConnectionWords = Field(
        default=CONNECTIONS,
        description="How requests to a server go over the wire besides the plain way, which is a "
        "connection for each of them: `all` (the default), `none`, or a list.",
        examples=["[shared, pipelined]"],
    )
    schedule: Annotated[
        Schedule,
        BeforeValidator(schedule_by_kind),
        parts.AlsoAccepts((parts.SCHEDULE_KIND,)),
    ] = Field(
        default_factory=Schedule,
        description="Who chooses which worker goes on, instead of the operating system.",
        examples=["{kind: auto, budget: 60s}"],
    )
    checks: CheckWords = Field(
        default=("all",),
        description="What is looked for: `all`, or a list of codes and groups.",
        examples=["all"],
    )
    shared: Annotated[tuple[SharedWord, ...], Many] = Field(
        default=(),
        description="Routes and objects that are meant to be shared: their values may be seen "
        "by all.",
        examples=['["/wall", "shop.cache:PUBLIC"]'],
    )
    probes: Annotated[tuple[ProbeWord, ...], Many] = Field(
        default=(),
        description="Functions to call inside of requests: what they return must be the "
        "request's own, or nothing.",
        examples=['["shop.auth:current_name"]'],
    )
    keeps: Annotated[tuple[KeptWord, ...], Many] = Field(
        default=(),
        description="Modules, objects and classes that are meant to keep values after the "
        "request: they are no retention.",
        examples=['["shop.store"]'],
    )
    expect: Annotated[
        Expectation, BeforeValidator(expectation_by_scope), parts.ExpectationWays()
    ] = Field(
        default=Expectation(overall=()),
        description="What is meant to be found: `clean`, a list of codes (then exactly these), "
        "or a mapping from cells to either, the most exact one counting.",
        examples=["clean"],
    )
    thresholds: Thresholds = Field(
        default_factory=Thresholds,
        description="Limits of latencies and shares.",
        examples=['{p95: "< 250ms"}'],
    )
    seed: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="Makes a run repeatable. Default: random, and printed.",
        examples=[42],
    )
