"""Cases: a schedule that showed a finding, kept in a file, and carried again."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ctxsim.cell import plan as plans
from ctxsim.cell.checks import GROUPS, TITLES, Finding
from ctxsim.cell.checks.alone import is_difference
from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.history import Case, History, Tally
from ctxsim.cell.learnt import Learnt
from ctxsim.cells import CellOutcome, Job, Pace
from ctxsim.errors import CtxsimError, ScenarioError, TargetError
from ctxsim.jobs import Options, job_of, refuse_unstarted, run
from ctxsim.report.cases import CaseFile, parse_case
from ctxsim.report.document import Document, finding_id
from ctxsim.report.judged import JudgedCell
from ctxsim.report.lanes import hanging
from ctxsim.report.lines import wrapped
from ctxsim.report.masks import mask
from ctxsim.scenario import Cell, Scenario
from ctxsim.scenario.plans import UNKNOWN_STORAGE

# Why there is nothing to be said of a case that did not show.
GONE = "none of its requests was answered well: that it does not show tells nothing"
# How often a test replays a case before it searches.
_TIMES = 3
# What pytest prints before each line of what an assertion says is up to 24 columns wide.
_WIDTH = 72


# A cell's storage, and its workers by their word.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Within:
    """How many cases that were found before are carried again with a run, and until when one is
    begun; each is replayed so many times."""

    most: float = 5
    most_s: float = 10.0
    times: int = _TIMES


@dataclass(frozen=True, slots=True)
class Replayed:
    """A case showed again in `times` of so many replays; `story` tells the last of these.

    `rung` says by what it showed, '' where it did not; `remarks` what else is to be known. Where no
    user was answered well, nothing `tells` that it is mended.
    """

    times: int
    of: int
    story: tuple[str, ...]
    rung: str = ""
    remarks: tuple[str, ...] = ()
    tells: bool = True


def replay(case: CaseFile, times: int, options: Options | None = None) -> Replayed:
    """Carry a case again, each time from the state after the application's import.

    Raises ScenarioError if its scenario cannot be read any more, and TargetError if the target
    cannot be started.
    """
    return _told(case, times, _replayed(case, times, options or Options()).history)


def replayed_with_legs(
    case: CaseFile, times: int, options: Options
) -> tuple[Replayed, CaseFile, Case | None]:
    """The same, with what was carried in the end, if it showed, and by which lines that went.

    The case has the cause that it has now: where the application was edited, lines have moved.
    """
    history = _replayed(case, times, options, tells_legs=True).history
    causes = (event.cause for event in history.events if event.kind == case.cause[0])
    now = replace(case, cause=next(causes, case.cause))
    return _told(case, times, history), now, history.cases.get(case.cause)


def _told(case: CaseFile, times: int, history: History) -> Replayed:
    shown, remarks = history.cases.get(case.cause), tuple(history.remarks)
    if shown is None:
        return Replayed(0, times, (), remarks=remarks, tells=_tells(case, history.tally))
    return Replayed(shown.times, times, shown.story, shown.rung, remarks)


def _tells(case: CaseFile, tally: Tally) -> bool:
    """Whether any request was answered well; of a route that is gone nothing can be said."""
    of_users = tally.requests - tally.visitors - sum(tally.faults.values())
    if of_users > 0:
        return tally.failed < of_users
    # Visitors may be turned away, and what befalls others is a fault of the mix: no failures.
    return tally.requests > 0 if case.code in GROUPS["endings"] else tally.compared > 0


@dataclass(frozen=True, slots=True)
class Again:
    """A case that was carried again: it showed in `times` of so many replays, where in all of them
    with its finding."""

    case: CaseFile
    outcome: CellOutcome
    times: int
    of: int
    finding: Finding | None = None


@dataclass(frozen=True, slots=True)
class FoundBefore:
    """What cases that were kept came to.

    `not_carried` says why some, by their ids, were not carried `again`.
    """

    again: tuple[Again, ...] = ()
    not_carried: Mapping[str, str] = field(default_factory=dict)

    @property
    def still(self) -> tuple[tuple[CaseFile, Finding], ...]:
        """The cases that show, each with its finding."""
        return tuple((each.case, each.finding) for each in self.again if each.finding is not None)

    @property
    def carried(self) -> frozenset[str]:
        """The ids of those that were."""
        return frozenset(each.case.id for each in self.again)

    @property
    def causes(self) -> tuple[tuple[str, ...], ...]:
        """Those of the events that show."""
        return tuple(case.cause for case, _ in self.still)

    def added_to(
        self, judged: Sequence[JudgedCell], known: Collection[str]
    ) -> tuple[JudgedCell, ...]:
        """The cells with what still shows besides what is known, by its ids, to have been found."""
        cells = list(judged)
        for case, finding in self.still:
            places = ((n, (cell.storage, cell.workers)) for n, cell in enumerate(cells))
            at = next((n for n, place in places if is_of(case, place)), None)
            if at is not None and case.id not in known:
                cells[at] = replace(cells[at], findings=(*cells[at].findings, finding))
        return tuple(cells)

    def notes(self, known: Collection[str]) -> tuple[str, ...]:
        """What was not carried again, and not found otherwise."""
        return tuple(text for id_, text in self.not_carried.items() if id_ not in known)


def found_before(
    scenario: Scenario,
    places: Collection[Place],
    known: Collection[str],
    options: Options,
    within: Within = Within(),
) -> FoundBefore:
    """Carry again what was found before in these places of this scenario, and is not known by now.

    `known` are ids. Cases of a scenario that differs in more than its schedule are no matter of
    this one: what it allows or looks for may be other now.
    """
    again, not_carried = list[Again](), dict[str, str]()
    cases = [
        case
        for case in options.cases
        if case.id not in known
        if any(is_of(case, place) for place in places) and _is_same(scenario, case)
    ]
    until = min(time.monotonic() + within.most_s, options.until)
    for number, case in enumerate(cases):
        if number >= within.most or time.monotonic() > until or options.halt.asked:
            told = f"was not carried again; ctxsim replay {case.id}"
            not_carried[case.id] = f"{case.id}, found before, {told}"
            continue
        try:
            again.append(_again(_brought_here(case, scenario), within.times, options))
        except CtxsimError as error:
            told = f"could not be carried again: {error.args[0]}"
            not_carried[case.id] = f"{case.id}, found before, {told}"
    return FoundBefore(tuple(again), not_carried)


def _brought_here(case: CaseFile, scenario: Scenario) -> CaseFile:
    """The case as one of that file: it may have been found on another machine."""
    here = {"file": scenario.file, "folder": str(scenario.folder)}
    return replace(case, scenario={**case.scenario, **here})


def _is_same(scenario: Scenario, case: CaseFile) -> bool:
    if case.scenario["text"] == scenario.text:
        return True
    # To read a text takes long.
    if case.scenario["name"] != scenario.name:
        return False
    try:
        other = Scenario.parse(case.scenario["text"], _file_of(case))
    except ScenarioError:
        return False  # It was one of an earlier version.
    return other.without_schedule == Scenario.parse(scenario.text, scenario.file).without_schedule


def _file_of(case: CaseFile) -> str:
    return str(Path(case.scenario["folder"], Path(case.scenario["file"]).name))


def both(one: FoundBefore, other: FoundBefore) -> FoundBefore:
    """What came first, and what was carried later of what had been left out."""
    left = {id_: text for id_, text in one.not_carried.items() if id_ not in other.carried}
    return FoundBefore((*one.again, *other.again), {**left, **other.not_carried})


def is_of(case: CaseFile, place: Place) -> bool:
    storage, workers = place
    # An application's own storage has no name before it is imported.
    is_there = UNKNOWN_STORAGE in (storage, case.storage) or storage == case.storage
    return is_there and workers == case.workers


def _again(case: CaseFile, times: int, options: Options) -> Again:
    python = case.python if Path(case.python).exists() else ""
    outcome = _replayed(replace(case, python=python), times, options)
    history = outcome.history
    shown = history.cases.get(case.cause)
    if shown is None or shown.times < shown.of:
        return Again(case, outcome, 0 if shown is None else shown.times, times)
    found = (each for each in judge(history, None, [case.code]) if each.code == case.code)
    finding = next(found, None)
    # Where lines have moved, its cause may name others; it is known by the id that it has.
    cause = (case.code, *case.cause[1:])
    told = None if finding is None else replace(finding, cause=cause, case=shown)
    return Again(case, outcome, shown.times, shown.of, told)


def shown_again(
    text: str, *, folder: str | Path | None = None, executions: int = 300
) -> tuple[str, ...]:
    """How the case that `text` holds shows again; empty where it does not, though it could.

    It is replayed, and if it does not show so, a search of so many executions looks for the same
    code: the lines may have moved that the case needs. `folder` is where the scenario is now.
    Raises UsageError, and what `replay` raises.
    """
    case = parse_case(text)
    if folder is not None:
        case = replace(case, scenario={**case.scenario, "folder": str(Path(folder).resolve())})
    if not Path(case.python).exists():
        case = replace(case, python="")
    replayed = replay(case, _TIMES)
    if replayed.times:
        return _folded(replayed.story)
    if not replayed.tells:
        return (GONE,)
    history = carried(case, replace(search_of(case), executions=executions), Options()).history
    found = (each for each in judge(history, None, [case.code]) if each.code == case.code)
    return _folded(next((each.story for each in found), ()))


def _folded(story: Iterable[str]) -> tuple[str, ...]:
    """What is too wide goes on beneath its own text: a test prints it behind a margin."""
    lines = (wrapped(line, hanging=hanging(line), width=_WIDTH) for line in story)
    return tuple(each for line in lines for each in line)


def _replayed(
    case: CaseFile, times: int, options: Options, *, tells_legs: bool = False
) -> CellOutcome:
    search = replace(
        search_of(case),
        script=dict(case.script),
        cause=case.cause,
        selection=case.selection,
        times=times,
        recorded=None if case.recorded is None else dict(case.recorded),
        tells_legs=tells_legs,
    )
    return carried(case, search, options)


def search_of(case: CaseFile) -> plans.Search:
    """How the switch points of a case were chosen, as the search that it was found by."""
    # Files that were kept before there was `atomic` have none.
    atomic = tuple(case.search.get("atomic", ()))
    return plans.Search(**{**case.search, "select": tuple(case.search["select"]), "atomic": atomic})


def carried(case: CaseFile, search: plans.Search, options: Options) -> CellOutcome:
    """What came of the case's cell with that search; raises ScenarioError and TargetError."""
    scenario = Scenario.parse(case.scenario["text"], _file_of(case))
    cell = Cell(case.storage, plans.Workers.parse(case.workers))
    job = job_of(scenario, cell, case.seed, case.run, case.process, options)
    learnt = None
    if case.learnt is not None:
        # An earlier ctxsim looked for none.
        learnt = plans.rebuilt(Learnt, {"counters": [], **case.learnt})
    job = replace(job, plan=replace(job.plan, search=search, learnt=learnt))
    if case.python:
        job = replace(job, python=case.python)
    [outcome] = run([job], options, Pace(1, math.inf, math.inf), lambda _: None)
    refuse_unstarted([outcome])
    ending = outcome.history.ending
    if ending is not None:
        raise TargetError(mask(f"the replay ended early: {ending.kind}: {ending.message}"))
    return outcome


def cases_of(
    scenario: Scenario, jobs: Sequence[Job], judged: Sequence[JudgedCell], document: Document
) -> Iterator[CaseFile]:
    for job, cell in zip(jobs, judged, strict=True):
        for cause, case in cell.history.cases.items():
            for finding in cell.findings:
                if finding.case is case and job.plan.search is not None:
                    yield CaseFile.of(
                        case,
                        cause,
                        id=finding_id(scenario.name, finding.cause),
                        code=finding.code,
                        title=TITLES[finding.code],
                        scenario={
                            "name": scenario.name,
                            "file": scenario.file,
                            "folder": str(scenario.folder),
                            "text": scenario.text,
                        },
                        seed=job.plan.seed,
                        run=job.plan.run,
                        process=job.plan.process,
                        workers=cell.workers,
                        storage=job.cell.storage,
                        python=job.python,
                        search={
                            "kind": job.plan.search.kind,
                            "granularity": job.plan.search.granularity,
                            "select": list(job.plan.search.select),
                            "atomic": list(job.plan.search.atomic),
                        },
                        environment=document.environment,
                        learnt=_learnt(job, cause),
                    )


def _learnt(job: Job, cause: tuple[str, ...]) -> dict[str, Any] | None:
    """What such a finding is held against."""
    if job.plan.learnt is None or not is_difference(cause):
        return None
    return asdict(job.plan.learnt)
