"""From the findings of each cell to the document: causes over all cells, verdict, exit code.

The verdict says what was found, the exit code how that compares to what the scenario expects. A run
that compared nothing, or in which most requests failed, is never clean.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ctxsim.cell.checks import SEVERITY, TITLES, Finding
from ctxsim.cell.history import History, Tally
from ctxsim.cell.plan import Workers
from ctxsim.cell.sights import NO_SUCH_PAGE
from ctxsim.errors import ExitCode
from ctxsim.report.document import (
    CLEAN,
    CellResult,
    Confirmed,
    Document,
    Expectation,
    FindingResult,
    Latency,
    ScenarioFacts,
    Timing,
    Verdict,
    early_end,
    finding_id,
    often_failed,
    some_failed,
)
from ctxsim.report.masks import masked
from ctxsim.report.options import as_options
from ctxsim.scenario.words import Threshold

# Of several that apply, in one scenario or in several, the one that counts stands first.
MOST_SEVERE_FIRST = (
    ExitCode.FAULT,
    ExitCode.INTERRUPTED,
    ExitCode.TARGET,
    ExitCode.FINDINGS,
    ExitCode.INCONCLUSIVE,
    ExitCode.THRESHOLDS,
    ExitCode.OK,
)

_NOTHING_COMPARED = "CTX901"
# Below this share of the users' requests, what was compared is a few lucky answers: a leak that
# shows in one of twenty would be missed, and `clean` would be said of requests nobody looked at.
_LEAST_COMPARED = 0.05
# Nor is a cell clean that came to compare fewer answers before its time was over.
_FEWEST_COMPARED = 10
# Above this number of cells one note tells of the failed requests of all.
_MOST_TOLD = 4
_ADVICE = "let a route give back {canary}, or name a text that belongs to a user with `mine`"


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """What one cell's history came to. `expected`: the codes that the scenario expects of it.

    `unconfirmed` tells of answers that were otherwise than alone, where it could not be found out
    whether that was by chance: such a cell is not clean. `seldom` tells of those that may be drawn.
    """

    storage: str
    workers: str
    history: History
    findings: tuple[Finding, ...]
    unconfirmed: tuple[str, ...] = ()
    seldom: tuple[str, ...] = ()
    expected: frozenset[str] = frozenset()
    ready: bool = True
    elapsed_s: float = 0.0
    # Its load was cut short, because the time for the whole run is bounded.
    hurried: bool = False

    @property
    def name(self) -> str:
        return f"{self.storage}/{self.workers}"

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(finding.code for finding in self.findings))

    @property
    def has_findings(self) -> bool:
        return bool(set(self.codes) - {_NOTHING_COMPARED})

    @property
    def started(self) -> bool:
        """Whether the target could be started; a cell that was never begun does not tell."""
        return self.ready or self.ending_kind == "stopped"

    @property
    def fails_mostly(self) -> bool:
        # Where a cell has findings, failing requests are what they did, and no reason for doubt.
        tally = self.history.tally
        return 2 * tally.failed > tally.requests and not self.has_findings

    @property
    def ending_kind(self) -> str:
        return self.history.ending.kind if self.history.ending else ""

    @property
    def unexpected(self) -> tuple[str, ...]:
        known = self.expected | {_NOTHING_COMPARED}
        return tuple(code for code in self.codes if code not in known)

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(sorted(self.expected - set(self.codes) - {_NOTHING_COMPARED}))


@dataclass(frozen=True, slots=True)
class Case:
    """What a conclusion needs to know besides the cells.

    `expected` holds the codes that all cells together must show; None means that each cell must
    show what is expected of it. `unmatched` are patterns of the expectation that could have named
    one of these cells, had the application been of another kind. `again` is the command that runs
    the scenario again, without the workers; `again_as_it_was` is the same with those that the
    command line named.
    """

    scenario: ScenarioFacts
    seed: int
    again: str
    again_as_it_was: str
    checks: tuple[str, ...] = tuple(TITLES)
    expected: frozenset[str] | None = frozenset()
    unmatched: tuple[str, ...] = ()
    thresholds: Sequence[Threshold] = ()
    interrupted: bool = False
    # Some of the scenario's cells were left out: what they together must show cannot be told.
    is_part: bool = False
    # What a reader should know of how the scenario came about, and of what could not be done; and
    # what is left out.
    notes: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()
    # Why the whole tells nothing, whatever its cells say.
    doubts: tuple[str, ...] = ()
    # Whether its advice is for a command line, since there is no scenario to be changed.
    without_file: bool = False
    environment: Mapping[str, Any] = field(default_factory=dict)
    elapsed_s: float = 0.0


def conclude(case: Case, cells: Sequence[JudgedCell]) -> Document:
    """The document of a scenario whose cells have all ended."""
    expect = _expectation(case, cells)
    doubts = [*_interruption(case), *case.doubts, *_doubts_on_all(cells), *_unsent_at_all(cells)]
    broken = [each for cell in cells for each in _broken(case.thresholds, cell)]
    exit_code = _exit_code(case, cells, expect, doubts=bool(doubts), broken=bool(broken))
    document = Document(
        scenario=case.scenario,
        verdict=_verdict(exit_code, cells),
        exit_code=exit_code,
        seed=case.seed,
        replay=case.again_as_it_was,
        reasons=(*doubts, *broken),
        notes=(*case.notes, *_notes(cells)),
        expect=expect,
        not_covered=(*case.not_covered, *_not_covered(cells)),
        checks=case.checks,
        cells=tuple(_cell_result(case, cell) for cell in cells),
        findings=tuple(_grouped(case, cells)),
        environment=case.environment,
        timing=Timing(case.elapsed_s),
    )
    return masked(_for_command_line(document) if case.without_file else document)


def _for_command_line(document: Document) -> Document:
    told = [replace(f, story=tuple(map(as_options, f.story))) for f in document.findings]
    return replace(
        document,
        reasons=tuple(map(as_options, document.reasons)),
        notes=tuple(map(as_options, document.notes)),
        not_covered=tuple(map(as_options, document.not_covered)),
        findings=tuple(told),
    )


def most_severe(codes: Iterable[int]) -> ExitCode:
    """The exit code of several results together."""
    return min(map(ExitCode, codes), key=MOST_SEVERE_FIRST.index)


def _expectation(case: Case, cells: Sequence[JudgedCell]) -> Expectation:
    unexpected = _by_code((code, cell) for cell in cells for code in cell.unexpected)
    if case.expected is None:
        lacking = _by_code((code, cell) for cell in cells for code in cell.missing)
        said = "each cell as the scenario says"
        return Expectation(said, unexpected, lacking, _unmatched(case, cells))
    found = {code for cell in cells for code in cell.codes}
    missing = () if case.is_part else tuple(sorted(case.expected - found - {_NOTHING_COMPARED}))
    return Expectation(" ".join(sorted(case.expected)) or CLEAN, unexpected, missing)


def _unmatched(case: Case, cells: Sequence[JudgedCell]) -> tuple[str, ...]:
    names = ", ".join(cell.name for cell in cells)
    return tuple(
        f"'{pattern}' names no cell; the cells are called {names}" for pattern in case.unmatched
    )


def _by_code(pairs: Iterable[tuple[str, JudgedCell]]) -> tuple[str, ...]:
    places: dict[str, list[str]] = {}
    for code, cell in pairs:
        places.setdefault(code, []).append(cell.name)
    return tuple(f"{code} in {', '.join(names)}" for code, names in places.items())


def _interruption(case: Case) -> Iterator[str]:
    if case.interrupted:
        yield "interrupted: this is what was known so far"


def _doubts_on_all(cells: Sequence[JudgedCell]) -> list[str]:
    """The doubts of all cells; one that many cells share is told once."""
    return _by_text((doubt, cell) for cell in cells for doubt in _doubts(cell))


def _by_text(pairs: Iterable[tuple[str, JudgedCell]]) -> list[str]:
    """What is told of cells; what is told of many is told once."""
    places: dict[str, list[str]] = {}
    for told, cell in pairs:
        places.setdefault(told.removeprefix(f"{cell.name}: "), []).append(told)
    return [
        line
        for told, lines in places.items()
        for line in (lines if len(lines) <= _MOST_TOLD else [f"in {len(lines)} cells: {told}"])
    ]


def _doubts(cell: JudgedCell) -> Iterator[str]:
    """Why a cell without findings could not be called clean."""
    tally, ending = cell.history.tally, cell.history.ending
    if ending is not None:
        yield early_end(cell.name, ending)
    elif not tally.requests:
        yield f"{cell.name}: no requests were answered"
    if _NOTHING_COMPARED in cell.codes:
        yield f"{cell.name}: nothing was compared; {_ADVICE}"
    of_users = tally.requests - tally.visitors
    if 0 < tally.compared < _LEAST_COMPARED * of_users and not cell.has_findings:
        yield (
            f"{cell.name}: only {tally.compared:,} of {of_users:,} users' requests could be "
            f"compared; {_ADVICE}"
        )
    if not cell.has_findings:
        yield from (f"{cell.name}: {each}" for each in cell.unconfirmed)
    if cell.hurried and 0 < tally.compared < _FEWEST_COMPARED and not cell.has_findings:
        yield (
            f"{cell.name}: only {tally.compared} answers could be compared in the time there was; "
            "raise the budget"
        )
    if cell.fails_mostly:
        yield f"{cell.name}: {tally.failed:,} of {tally.requests:,} requests failed{_why(tally)}"


def _why(tally: Tally) -> str:
    often = often_failed(tally.failures)
    return f" ({often})" if often else ""


def _not_covered(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """Routes that no user came to send, with the cells that were too short for them."""
    places: dict[str, list[str]] = {}
    for cell in cells:
        for route in dict.fromkeys(cell.history.tally.unsent):
            places.setdefault(route, []).append(cell.name)
    routes: dict[tuple[str, ...], list[str]] = {}
    for route, names in places.items():
        routes.setdefault(tuple(names), []).append(route)
    more = "the budget" if any(cell.hurried for cell in cells) else "load.requests"
    for where, unsent in routes.items():
        were = "was" if len(unsent) == 1 else "were"
        yield f"{', '.join(unsent)} {were} sent by no user in {', '.join(where)}; raise {more}"


def _unsent_at_all(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """Routes that the time did not suffice for anywhere: of those nothing is known.

    Where so many requests were ordered, whoever ordered them decides.
    """
    loaded = [cell for cell in cells if cell.history.tally.requests]
    if not loaded or not any(cell.hurried for cell in loaded):
        return
    unsent = [set(cell.history.tally.unsent) for cell in loaded]
    routes = sorted(set.intersection(*unsent) - {NO_SUCH_PAGE.name})
    if routes:
        were = "was" if len(routes) == 1 else "were"
        yield f"{', '.join(routes)} {were} sent by no user in any cell; raise the budget"


def _notes(cells: Sequence[JudgedCell]) -> Iterator[str]:
    """What a reader should know although it is no finding and no doubt."""
    # Where most failed, a doubt says so already.
    failing = [cell for cell in cells if cell.history.tally.failed and not cell.fails_mostly]
    if len(failing) > _MOST_TOLD:
        yield _failed_in_all(failing)
    else:
        for cell in failing:
            tally = cell.history.tally
            yield some_failed(cell.name, tally.requests, tally.failed, tally.failures)
    yield from _by_text(
        (f"{cell.name}: {each}", cell)
        for cell in cells
        for each in ((*cell.unconfirmed, *cell.seldom) if cell.has_findings else cell.seldom)
    )
    yield from (f"{cell.name}: {each}" for cell in cells for each in cell.history.remarks)
    for name in dict.fromkeys(name for cell in cells for name in cell.history.tally.unknown_names):
        yield f"{name} led to nothing, at the end of the run either; is it spelt as in the source?"
    yield from _notes_on_workers(cells)


def _failed_in_all(cells: Sequence[JudgedCell]) -> str:
    """One note for many cells: they fail in the same way, mostly."""
    tallies = [cell.history.tally for cell in cells]
    together: Counter[str] = sum((Counter(each.failures) for each in tallies), Counter())
    requests = sum(each.requests for each in tallies)
    failed = sum(each.failed for each in tallies)
    return some_failed(f"{len(cells)} cells", requests, failed, together)


def _notes_on_workers(cells: Sequence[JudgedCell]) -> Iterator[str]:
    for word in dict.fromkeys(cell.workers for cell in cells):
        workers = Workers.parse(word)
        tallies = [cell.history.tally for cell in cells if cell.workers == word]
        peak = max(tally.in_flight_peak for tally in tallies)
        most = max(tally.in_flight_most for tally in tallies)
        if 0 < most < workers.in_flight:
            yield f"{word} could have {most:,} requests in flight at once; raise users.count"
        # A synchronous application in a task holds up all others: there, one at a time is meant.
        elif peak == 1 < most and not workers.suits_asgi:
            yield (
                f"{word} never had two requests in flight at once: none waited while it was "
                "answered, or there were too few"
            )


def _broken(thresholds: Iterable[Threshold], cell: JudgedCell) -> Iterator[str]:
    for threshold in thresholds:
        value = _measured(threshold.metric, cell.history.tally)
        if value is not None and not threshold.holds(value):
            is_share = threshold.metric in ("checked", "failed")
            shown = f"{value:.1%}" if is_share else f"{value * 1000:.1f} ms"
            yield f"threshold {threshold.metric} {threshold.text} broken in {cell.name}: {shown}"


def _measured(metric: str, tally: Tally) -> float | None:
    if not tally.requests:
        return None
    if metric == "checked":
        # What goes wrong on purpose has no answer in which its own value could come back.
        answered = tally.requests - sum(tally.faults.values())
        return min(1.0, tally.compared / answered) if answered > 0 else None
    if metric == "failed":
        return tally.failed / tally.requests
    latency = Latency.of(tally.latency_us)
    return None if latency is None else float(getattr(latency, metric))


def _exit_code(
    case: Case, cells: Sequence[JudgedCell], expect: Expectation, *, doubts: bool, broken: bool
) -> ExitCode:
    differs = expect.unexpected or expect.unmatched or (expect.missing and not doubts)
    applies = {
        ExitCode.FAULT: any(cell.ending_kind == "fault" for cell in cells),
        ExitCode.INTERRUPTED: case.interrupted,
        ExitCode.TARGET: not all(cell.started for cell in cells),
        ExitCode.FINDINGS: bool(differs),
        ExitCode.INCONCLUSIVE: doubts,
        ExitCode.THRESHOLDS: broken,
        ExitCode.OK: True,
    }
    return next(code for code in MOST_SEVERE_FIRST if applies[code])


def _verdict(exit_code: ExitCode, cells: Sequence[JudgedCell]) -> Verdict:
    if exit_code in (ExitCode.FAULT, ExitCode.TARGET):
        return "error"
    if any(cell.has_findings for cell in cells):
        return "findings"
    if exit_code in (ExitCode.INTERRUPTED, ExitCode.INCONCLUSIVE):
        return "inconclusive"
    return "clean"


def _cell_verdict(cell: JudgedCell) -> Verdict:
    if not cell.started or cell.ending_kind == "fault":
        return "error"
    if cell.has_findings:
        return "findings"
    return "inconclusive" if any(_doubts(cell)) else "clean"


def _cell_result(case: Case, cell: JudgedCell) -> CellResult:
    tally = cell.history.tally
    rate = tally.requests / tally.elapsed_s if tally.elapsed_s > 0 else None
    ids = (finding_id(case.scenario.name, finding.cause) for finding in cell.findings)
    return CellResult(
        storage=cell.storage,
        workers=cell.workers,
        verdict=_cell_verdict(cell),
        requests=tally.requests,
        compared=tally.compared,
        failed=tally.failed,
        visitors=tally.visitors,
        in_flight_peak=tally.in_flight_peak,
        findings=tuple(dict.fromkeys(ids)),
        codes=cell.codes,
        unexpected=cell.unexpected,
        missing=cell.missing if case.expected is None else (),
        faults=dict(sorted(tally.faults.items())),
        failures=dict(sorted(tally.failures.items())),
        ending=cell.history.ending,
        timing=Timing(cell.elapsed_s, rate, Latency.of(tally.latency_us)),
    )


def _grouped(case: Case, cells: Sequence[JudgedCell]) -> Iterator[FindingResult]:
    """One finding per cause over all cells, the most severe first."""
    seen: dict[str, list[tuple[JudgedCell, Finding]]] = {}
    for cell in cells:
        for finding in cell.findings:
            id_of_cause = finding_id(case.scenario.name, finding.cause)
            seen.setdefault(id_of_cause, []).append((cell, finding))
    results = [_finding(case, each, together) for each, together in seen.items()]
    yield from sorted(results, key=lambda each: (SEVERITY.index(each.code), -each.count, each.id))


def _finding(
    case: Case, id_of_cause: str, together: Sequence[tuple[JudgedCell, Finding]]
) -> FindingResult:
    # The first cell that could tell where the value came from, else the first of all.
    cell, first = next((each for each in together if each[1].has_origin), together[0])
    found = first.case
    return FindingResult(
        id=id_of_cause,
        code=first.code,
        title=TITLES[first.code],
        count=sum(finding.count for _, finding in together),
        cells=tuple(dict.fromkeys(cell.name for cell, _ in together)),
        first_at_request=first.at_request,
        victim=first.victim,
        source=first.source,
        where=first.where,
        story=first.story,
        replay=(
            f"{case.again} --workers {shlex.quote(cell.workers)}"
            if found is None
            else f"ctxsim replay {id_of_cause}"
        ),
        confirmed=None if found is None else Confirmed(found.times, found.of),
    )
