"""From the findings of each cell to the document: causes over all cells, verdict, exit code.

The verdict says what was found, the exit code how that compares to what the scenario expects. A run
that compared nothing, or in which most requests failed, is never clean.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ctxsim.cell.checks import SEVERITY, TITLES, Finding
from ctxsim.cell.history import Tally
from ctxsim.errors import ExitCode
from ctxsim.report import doubts
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
    finding_id,
)
from ctxsim.report.judged import NOTHING_COMPARED, JudgedCell
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
    cells = [cell.in_its_time() for cell in cells]
    expect = _expectation(case, cells)
    doubted = [
        *_interruption(case),
        *case.doubts,
        *doubts.on_all(cells),
        *doubts.unsent_at_all(cells),
    ]
    broken = [each for cell in cells for each in _broken(case.thresholds, cell)]
    exit_code = _exit_code(case, cells, expect, doubted=bool(doubted), broken=bool(broken))
    document = Document(
        scenario=case.scenario,
        verdict=_verdict(exit_code, cells),
        exit_code=exit_code,
        seed=case.seed,
        replay=case.again_as_it_was,
        reasons=(*doubted, *broken),
        notes=(*case.notes, *doubts.notes(cells)),
        expect=expect,
        not_covered=(*case.not_covered, *doubts.not_covered(cells, case.interrupted)),
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
    missing = () if case.is_part else tuple(sorted(case.expected - found - {NOTHING_COMPARED}))
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
    case: Case, cells: Sequence[JudgedCell], expect: Expectation, *, doubted: bool, broken: bool
) -> ExitCode:
    differs = expect.unexpected or expect.unmatched or (expect.missing and not doubted)
    applies = {
        ExitCode.FAULT: any(cell.ending_kind == "fault" for cell in cells),
        ExitCode.INTERRUPTED: case.interrupted,
        ExitCode.TARGET: not all(cell.started for cell in cells),
        ExitCode.FINDINGS: bool(differs),
        ExitCode.INCONCLUSIVE: doubted,
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
    return "inconclusive" if any(doubts.of_cell(cell)) else "clean"


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
        selected=cell.history.selected,
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
    # Who could tell where the value came from, and has a schedule that shows it, tells the most.
    cell, first = max(together, key=lambda each: (each[1].has_origin, each[1].case is not None))
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
