"""The result document: one frozen value, of which every report is a view.

Its JSON is public (DESIGN section 7). Whatever depends on the clock or on the machine stands under
`timing` or `environment`, so that the rest can be compared between two runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hdrh.histogram import HdrHistogram

from ctxsim.cell.history import Ending, Selected, Where, Who
from ctxsim.cell.plan import rebuilt
from ctxsim.errors import UsageError
from ctxsim.report.kept import LAST

FORMAT = "ctxsim-result"
# Several scenarios in one run: their documents, in the order in which they were given.
FORMAT_OF_SEVERAL = "ctxsim-results"
VERSION = 1

# What a scenario says that expects no findings.
CLEAN = "clean"

Verdict = Literal["clean", "findings", "inconclusive", "error"]

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID_LENGTH = 6
_MICRO = 1e6
_LONGEST_US = 3_600_000_000
_MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class ScenarioFacts:
    name: str
    file: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in seconds, to three digits."""

    p50: float
    p95: float
    p99: float
    max: float

    @classmethod
    def of(cls, latency_us: Mapping[int, int]) -> Latency | None:
        """From microseconds -> how many requests; None where there were none."""
        if not latency_us:
            return None
        histogram = HdrHistogram(1, _LONGEST_US, 3)
        for us, count in latency_us.items():
            histogram.record_value(min(max(us, 1), _LONGEST_US), count)
        at = histogram.get_value_at_percentile
        return cls(*(at(percent) / _MICRO for percent in (50, 95, 99, 100)))


@dataclass(frozen=True, slots=True)
class Timing:
    elapsed_s: float
    requests_per_s: float | None = None
    latency_s: Latency | None = None


@dataclass(frozen=True, slots=True)
class CellResult:
    """What one cell gave. `findings` are ids; `unexpected` and `missing` are codes.

    `missing` names the codes that the scenario expects of just this cell.
    """

    storage: str
    workers: str
    verdict: Verdict
    requests: int = 0
    compared: int = 0
    failed: int = 0
    visitors: int = 0
    in_flight_peak: int = 0
    findings: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    faults: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    ending: Ending | None = None
    # In whose lines a search has switched, where these are switch points.
    selected: Selected | None = None
    timing: Timing = Timing(0.0)

    @property
    def name(self) -> str:
        return f"{self.storage}/{self.workers}"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A finding showed `times` times `of` so many replays."""

    times: int
    of: int


@dataclass(frozen=True, slots=True)
class FindingResult:
    """One cause over all cells. The story is that of the first cell in which it was seen."""

    id: str
    code: str
    title: str
    count: int
    cells: tuple[str, ...]
    first_at_request: int
    victim: Who
    source: Who | None
    where: tuple[Where, ...]
    story: tuple[str, ...]
    replay: str
    # How often its schedule was replayed, and showed it; known for controlled schedules alone.
    confirmed: Confirmed | None = None

    @property
    def places(self) -> tuple[str, ...]:
        """The places in source code, in words, that the story does not name already."""
        told = "\n".join(self.story)
        shown = (f"{each.file}:{each.line} in {each.function}" for each in self.where)
        return tuple(f"at {place}" for place in shown if place not in told)


@dataclass(frozen=True, slots=True)
class Expectation:
    """How what was found compares to the scenario's `expect`, with sentences where it differs."""

    said: str = CLEAN
    unexpected: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nothing could be told: `kind` is the name of the error."""

    kind: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """The result of one scenario. `reasons` say why a verdict is not simply clean or findings;
    `notes` are no reason to doubt it.

    `replay` is the command that runs all of it again; `checks` are the codes that were looked for;
    `environment` holds facts of machine and target.
    """

    scenario: ScenarioFacts
    verdict: Verdict
    exit_code: int
    seed: int | None = None
    replay: str = ""
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    expect: Expectation = Expectation()
    checks: tuple[str, ...] = ()
    cells: tuple[CellResult, ...] = ()
    findings: tuple[FindingResult, ...] = ()
    not_covered: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    timing: Timing = Timing(0.0)
    error: Failure | None = None

    def to_json(self) -> dict[str, Any]:
        """The document as JSON types; raises ValueError rather than to give NaN or infinity."""
        members = {"format": FORMAT, "version": VERSION, **asdict(self)}
        # By way of the text, because tuples are no type of JSON.
        shown: dict[str, Any] = json.loads(json.dumps(members, allow_nan=False))
        return shown


def as_text(documents: list[Document], exit_code: int) -> str:
    """The JSON text of a run: one document as it is, several as a list."""
    shown = [document.to_json() for document in documents]
    whole: dict[str, Any] = {
        "format": FORMAT_OF_SEVERAL,
        "version": VERSION,
        "exit_code": exit_code,
        "results": shown,
    }
    return json.dumps(shown[0] if len(shown) == 1 else whole, indent=1, allow_nan=False) + "\n"


def documents_of(text: str, name: str) -> list[Document]:
    """The documents that `as_text` gave; raises UsageError, which tells of them by `name`."""
    try:
        whole = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{name} cannot be read as a result: {error}") from error
    found = whole.get("format") if isinstance(whole, dict) else None
    if found not in (FORMAT, FORMAT_OF_SEVERAL):
        raise UsageError(
            f"{name} is no result of ctxsim\n  results are what --format json writes, and {LAST}"
        )
    if (version := whole.get("version")) != VERSION:
        raise UsageError(f"{name} is a result of version {version}; this ctxsim reads {VERSION}")
    try:
        among = whole["results"] if found == FORMAT_OF_SEVERAL else [whole]
        return [rebuilt(Document, each) for each in among]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{name} is not a whole result: {error!r}") from error


def finding_id(scenario: str, cause: tuple[str, ...]) -> str:
    """Six characters that name a cause; the same from run to run and machine to machine.

    Whether it was a value of another's request or of another user that was seen in a place is no
    cause of its own.
    """
    relation = "request" if cause[-1] == "user" else cause[-1]
    named = "\0".join([scenario, *cause[:-1], relation])
    digest = hashlib.sha256(named.encode(errors="replace")).digest()
    number = int.from_bytes(digest[:8], "big")
    return "".join(_CROCKFORD[number >> (5 * place) & 31] for place in range(_ID_LENGTH))


def early_end(cell: str, ending: Ending | None) -> str:
    """The sentence that says how a cell ended before its time; '' where it did not."""
    return "" if ending is None else f"{cell} ended early: {ending.kind}: {ending.message}"


def some_failed(cell: str, requests: int, failed: int, failures: Mapping[str, int]) -> str:
    """The note that says how many of a cell's requests failed."""
    often = often_failed(failures)
    told = f"{failed:,} of {requests:,} requests failed in {cell}"
    return f"{told} ({often})" if often else told


def often_failed(failures: Mapping[str, int]) -> str:
    """Of what requests failed most often; '' where that is not known."""
    most_first = sorted(failures.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{what} x {count:,}" for what, count in most_first[:_MOST_FAILURES])


def of_error(
    error: Exception, exit_code: int, scenario: ScenarioFacts = ScenarioFacts("", "", "")
) -> Document:
    """The document of a run that could not tell anything."""
    message, _, hint = str(error).partition("\n")
    failure = Failure(type(error).__name__, message, hint)
    return Document(scenario, "error", exit_code, error=failure)
