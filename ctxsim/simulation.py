"""simulate(scenario) -> Outcome: the whole story on one screen."""

from __future__ import annotations

import math
import shlex
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import compress
from typing import Any

import ctxsim
from ctxsim import replays
from ctxsim.cell.checks import OF_THE_INSIDE, TITLES
from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.plan import Workers
from ctxsim.cells import CellOutcome, Job, Pace, Progress, Tell
from ctxsim.cells.interpreter import interpreter
from ctxsim.confirming import labelled
from ctxsim.errors import UnsuitedError
from ctxsim.jobs import (
    Options,
    Origin,
    at_once,
    attended,
    has_ending,
    jobs_of,
    refuse_unstarted,
    run,
    seed_of,
)
from ctxsim.lessons import Lessons, Run, learn
from ctxsim.rehearsing import Alone, last_process, rehearse
from ctxsim.replaying import FoundBefore, Place, Within, both, cases_of, found_before
from ctxsim.report.cases import CaseFile
from ctxsim.report.conclusion import Case, conclude
from ctxsim.report.document import CellResult, Document, FindingResult, ScenarioFacts, finding_id
from ctxsim.report.judged import JudgedCell
from ctxsim.scenario import (
    Cell,
    Scenario,
    cells,
    codes,
    expected,
    overall,
    unmatched,
    unsuited_message,
)
from ctxsim.scenario.plans import OWN_STORAGE, UNKNOWN_STORAGE
from ctxsim.searches import Further, following

_RUNTIME_STORAGE = "contextvar"
_ALONE, _RETENTION = "CTX208", "CTX402"
_OF_EXPECTATIONS = frozenset({"CTX207", "CTX208", "CTX209"})
# How often each case is carried that is all that is looked at.
_REPLAYS = 20
# What of the time that is left after loads goes to cases that were found before, at most.
_SHARE_BEFORE = 0.3
# What of the time that is left, where it is bounded, goes to loads; the rest is for what follows.
_LOAD_SHARE = 0.6
_OUTSIDE = (
    "what only shows inside of the server's process: contexts, proxies, background work, residue "
    f"and retention ({', '.join(sorted(OF_THE_INSIDE))})"
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a document is drawn from.

    `judged` are the cells as they were carried; `told` have what searches, and cases that were
    found before, showed besides.
    """

    case: Case
    judged: tuple[JudgedCell, ...] = ()
    told: tuple[JudgedCell, ...] = ()
    carried: tuple[CellOutcome, ...] = ()
    jobs: tuple[Job, ...] = ()
    further: Further = field(default_factory=Further)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation came to: the result document, and each cell as it was carried."""

    document: Document
    carried: tuple[CellOutcome, ...]
    # Of findings for which a schedule was searched: what carries each of them again.
    cases: tuple[CaseFile, ...] = ()

    @property
    def verdict(self) -> str:
        return self.document.verdict

    @property
    def exit_code(self) -> int:
        return self.document.exit_code

    @property
    def findings(self) -> tuple[FindingResult, ...]:
        return self.document.findings

    @property
    def cells(self) -> tuple[CellResult, ...]:
        return self.document.cells

    def to_json(self) -> dict[str, Any]:
        return self.document.to_json()


def simulate(
    scenario: Scenario, *, options: Options | None = None, progress: Tell | None = None
) -> Outcome:
    """Send a scenario's requests in each of its cells, and say whether they stayed apart.

    Raises TargetError if no cell could start the target, or if its interpreter cannot serve, and
    UsageError if workers were named that cannot carry it.
    """
    gathered = gather(scenario, options or Options(), progress)
    further = gathered.further
    document = conclude(gathered.case, gathered.told)
    of_searches = cases_of(scenario, further.jobs, further.judged, document)
    found = [*cases_of(scenario, gathered.jobs, gathered.judged, document), *of_searches]
    return Outcome(document, gathered.carried, tuple(_one_each(found, document)))


def _one_each(found: Sequence[CaseFile], document: Document) -> Iterable[CaseFile]:
    """Of each finding the case that its story tells, else the first."""
    told = {each.id: each.story for each in document.findings}
    by_id: dict[str, CaseFile] = {}
    for each in sorted(found, key=lambda each: not _is_told(each, told.get(each.id, ()))):
        by_id.setdefault(each.id, each)
    return by_id.values()


def _is_told(case: CaseFile, story: Sequence[str]) -> bool:
    return all(f"  {line}" in story for line in case.story)


def gather(scenario: Scenario, options: Options, progress: Tell | None) -> Gathered:
    """Send a scenario's requests, and judge each cell; raises what `simulate` does."""
    started = time.monotonic()
    jobs = jobs_of(scenario, seed_of(scenario), options)
    if options.origin is not None and options.origin.nothing:
        case = _case(scenario, jobs[0], (), options, time.monotonic() - started)
        return Gathered(case)
    if scenario.schedule.kind == "replay":
        return _of_cases(scenario, jobs, options, started)
    before, jobs = _found_first(scenario, jobs, options)
    lessons = Lessons(jobs)
    pace = Pace(at_once(scenario, options), options.until, options.at_latest)

    def run_alone(these: Sequence[Job]) -> list[CellOutcome]:
        return run(these, options, pace, lambda _: None)

    if options.compare_alone and not options.halt.asked and _ALONE in codes(scenario):
        lessons = learn(jobs, run_alone, pace)
        jobs = lessons.jobs
    carried = _carry(scenario, jobs, options, pace.for_loads(_LOAD_SHARE), progress)
    jobs, carried = _suited(scenario, jobs, carried)
    refuse_unstarted(carried)
    jobs = attended(jobs, options)
    alone = rehearse(scenario, jobs, carried, run_alone, pace)
    judged = _judged(scenario, jobs, carried, alone, options)
    further = Further()
    if options.searches and not options.halt.asked:
        most_s = _SHARE_BEFORE * pace.left_s
        within = Within(most_s=most_s)
        before = found_before(scenario, _places(jobs), _ids(scenario, judged), options, within)
        further = _search(scenario, jobs, judged, before, run_alone, pace, options)
    told = further.added_to(judged)
    known = _ids(scenario, told)
    if options.searches or any(job.plan.search for job in jobs):
        left = found_before(scenario, _places(jobs), known | before.carried, options)
        before = both(before, left)
    case = _case(scenario, jobs[0], carried, options, time.monotonic() - started)
    case = replace(
        case,
        notes=(*case.notes, *further.notes, *before.notes(known)),
        not_covered=(*case.not_covered, *lessons.unlearnt, *further.not_covered),
        doubts=(*case.doubts, *lessons.doubts, *further.doubts),
    )
    shown = before.added_to(told, known)
    return Gathered(case, tuple(judged), shown, tuple(carried), tuple(jobs), further)


def _of_cases(
    scenario: Scenario, jobs: Sequence[Job], options: Options, started: float
) -> Gathered:
    """What the cases come to that earlier searches found in these cells, and nothing else."""
    most_s = scenario.schedule.budget.duration_s or math.inf
    before = found_before(scenario, _places(jobs), (), options, Within(math.inf, most_s, _REPLAYS))
    outcomes = _renamed([each.outcome for each in before.again], options)
    told = replays.cells(before.again, outcomes, partial(_expected, scenario))
    empty = replays.empty(_places(jobs), told) if before.again else ()
    case = _case(scenario, jobs[0], (), options, time.monotonic() - started)
    case = replace(
        case,
        notes=(*case.notes, *replays.notes(before.again)),
        not_covered=(*case.not_covered, *empty),
        doubts=(*case.doubts, *replays.doubts(before)),
    )
    return Gathered(case, told=tuple(told), carried=tuple(outcomes))


def _search(
    scenario: Scenario,
    jobs: list[Job],
    judged: list[JudgedCell],
    before: FoundBefore,
    run_alone: Run,
    pace: Pace,
    options: Options,
) -> Further:
    """What schedules show that are searched for after the loads, and was not found before."""
    searches = following(jobs, judged, last_process(jobs) + 1, pace, before.causes)
    carried = [
        replace(outcome, cell=outcome.cell.renamed(judged[number].storage))
        for number, outcome in zip(searches.after, run_alone(searches.jobs), strict=True)
    ]
    if not carried:
        return Further(searches)
    alone = rehearse(scenario, searches.jobs, carried, run_alone, pace)
    cells = zip(searches.jobs, carried, strict=True)
    found = [_judge(scenario, job, each, alone) for job, each in cells]
    return Further(searches, tuple(labelled(scenario.name, searches.jobs, found, options)))


def _places(jobs: Sequence[Job]) -> list[Place]:
    return [(job.cell.storage, job.plan.workers.word) for job in jobs]


def _ids(scenario: Scenario, cells: Sequence[JudgedCell]) -> frozenset[str]:
    """Those of what was found."""
    return frozenset(
        finding_id(scenario.name, each.cause) for cell in cells for each in cell.findings
    )


def _found_first(
    scenario: Scenario, jobs: list[Job], options: Options
) -> tuple[FoundBefore, list[Job]]:
    """What was found before and still shows, where the jobs search; it may be enough to know."""
    if not any(job.plan.search for job in jobs):
        return FoundBefore(), jobs
    before = found_before(scenario, _places(jobs), (), options)
    if options.fail_fast and _differ(scenario, before):
        options.halt.enough()
        # No import will tell where contexts are kept: what was found before did.
        kind = _kind(before.still[0][0])
        jobs = [replace(job, cell=named(job.cell, kind)) for job in jobs]
    return before, jobs


def _differ(scenario: Scenario, before: FoundBefore) -> bool:
    """Whether a case that still shows is no finding that its cell is expected to have."""
    for case, finding in before.still:
        cell = Cell(case.storage, Workers.parse(case.workers))
        if finding.code not in _expected(scenario, named(cell, _kind(case))):
            return True
    return False


def _kind(case: CaseFile) -> str | None:
    """What kind of application it was found in."""
    kind: str | None = case.environment.get("target", {}).get("kind")
    return kind


def _carry(
    scenario: Scenario, jobs: Sequence[Job], options: Options, pace: Pace, progress: Tell | None
) -> list[CellOutcome]:
    def tell(now: Progress) -> None:
        if progress is not None:
            progress(now)
        if options.fail_fast and now.state == "event" and _differs(scenario, now):
            options.halt.enough()

    carried = run(jobs, options, pace, tell)
    options.halt.go_on()
    return _renamed(carried, options)


def _differs(scenario: Scenario, now: Progress) -> bool:
    found = judge(now.history, None, codes(scenario))
    return not {finding.code for finding in found} <= _expected(
        scenario, named(now.job.cell, now.kind)
    )


def _expected(scenario: Scenario, cell: Cell) -> frozenset[str]:
    together = overall(scenario)
    here = expected(scenario, cell) if together is None else together
    return here or frozenset()


def _renamed(carried: Sequence[CellOutcome], options: Options) -> list[CellOutcome]:
    """The outcomes under their cells' names, once an import has told where contexts are kept.

    It is the same application in all of them, also in those that were ended before their import.
    """
    kinds = (each.target_facts.get("kind") for each in carried)
    kind = next(filter(None, kinds), options.origin.kind if options.origin else None)
    return [replace(each, cell=named(each.cell, kind)) for each in carried]


def named(cell: Cell, kind: str | None) -> Cell:
    """A cell under its name, where it is known what kind of application it has."""
    if cell.storage != UNKNOWN_STORAGE or kind is None:
        return cell
    return cell.renamed(_RUNTIME_STORAGE if kind == "runtime" else OWN_STORAGE)


def _suited(
    scenario: Scenario, jobs: list[Job], carried: list[CellOutcome]
) -> tuple[list[Job], list[CellOutcome]]:
    """The cells whose workers can carry the application, once a cell has told what it is.

    Workers that nobody named are left out without a word, however their cells ended: an application
    for asyncio may not even be importable where everything is patched for greenlets.
    """
    if not any(_is_asgi(each) for each in carried):
        return jobs, carried
    suited = [each.plan.workers.suits_asgi for each in jobs]
    if all(suited):
        return jobs, carried
    if scenario.names_workers or not any(suited):
        words = (each.plan.workers.word for each in jobs if not each.plan.workers.suits_asgi)
        raise UnsuitedError(unsuited_message(tuple(dict.fromkeys(words)), scenario.target.named))
    return list(compress(jobs, suited)), list(compress(carried, suited))


def _is_asgi(outcome: CellOutcome) -> bool:
    return outcome.target_facts.get("kind") == "asgi" or has_ending(outcome, "unsuited")


def _judged(
    scenario: Scenario,
    jobs: Sequence[Job],
    carried: Sequence[CellOutcome],
    alone: Alone,
    options: Options,
) -> list[JudgedCell]:
    cells = [
        replace(
            _judge(scenario, job, outcome, alone),
            hurried=_is_hurried(job, outcome, options),
        )
        for job, outcome in zip(jobs, carried, strict=True)
    ]
    return labelled(scenario.name, jobs, cells, options)


def _judge(scenario: Scenario, job: Job, outcome: CellOutcome, alone: Alone) -> JudgedCell:
    history = outcome.history
    unconfirmed, seldom = alone.unconfirmed(job, history)
    left_open = alone.left_open(job, history) if codes(scenario) >= _OF_EXPECTATIONS else ()
    return JudgedCell(
        storage=outcome.cell.storage,
        workers=outcome.cell.workers.word,
        history=history,
        findings=tuple(judge(history, alone.beside(job, history), codes(scenario))),
        unconfirmed=(*unconfirmed, *left_open, *history.doubts),
        seldom=tuple(seldom),
        expected=_expected(scenario, outcome.cell),
        ready=outcome.ready,
        elapsed_s=outcome.elapsed_s,
    )


def _is_hurried(job: Job, outcome: CellOutcome, options: Options) -> bool:
    """Whether a load was cut short because of the time that there is for the whole run."""
    wanted = job.plan.load.requests
    return (
        math.isfinite(options.until)
        and not options.halt.interrupted
        and wanted is not None
        and outcome.history.tally.requests < wanted
    )


def _case(
    scenario: Scenario,
    job: Job,
    carried: Sequence[CellOutcome],
    options: Options,
    elapsed_s: float,
) -> Case:
    seed = str(job.plan.seed)
    origin = options.origin or Origin(("ctxsim", "run", scenario.file))
    again = [*origin.command, "--seed", seed, *options.again]
    workers = [each for word in options.workers for each in ("--workers", word)]
    looked_for = codes(scenario)
    left_out = tuple(_left_out(scenario)) if job.plan.search is not None else ()
    if job.plan.is_remote:
        looked_for -= OF_THE_INSIDE
    return Case(
        scenario=ScenarioFacts(scenario.name, scenario.file, scenario.sha256),
        seed=job.plan.seed,
        again=shlex.join(again),
        again_as_it_was=shlex.join([*again, *workers]),
        checks=tuple(code for code in TITLES if code in looked_for and code not in dict(left_out)),
        expected=overall(scenario),
        unmatched=unmatched(scenario, [each.cell for each in carried]),
        thresholds=scenario.thresholds.given,
        interrupted=options.halt.interrupted,
        is_part=options.only is not None and len(cells(scenario)) > 1,
        notes=origin.notes,
        not_covered=(
            *origin.not_covered,
            *(f"{what} ({code})" for code, what in left_out),
            *((_OUTSIDE,) if job.plan.is_remote else ()),
        ),
        without_file=options.origin is not None,
        doubts=((origin.nothing,) if origin.nothing else origin.doubts),
        environment=_environment(scenario, job, carried),
        elapsed_s=elapsed_s,
    )


def _left_out(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """What a search does not look at: the code or threshold, and why."""
    if _RETENTION in codes(scenario):
        # The process that carries a batch ends with it, and its modules with the process.
        yield _RETENTION, f"{TITLES[_RETENTION]}: a search has no end to look at; use schedule: os"
    for each in scenario.thresholds.given:
        if each.metric not in ("checked", "failed"):
            yield f"thresholds.{each.metric}", "latencies: in a search, time is simulated"


def _environment(scenario: Scenario, job: Job, carried: Sequence[CellOutcome]) -> dict[str, Any]:
    facts = next((dict(each.target_facts) for each in carried if each.ready), {})
    return {
        "ctxsim": ctxsim.__version__,
        "python": interpreter(job.python).version,
        "platform": sys.platform,
        "run": job.plan.run,
        "target": {
            "app": scenario.target.named,
            "kind": facts.pop("kind", None),
            "versions": {name: fact for name, fact in facts.items() if name != "app"},
        },
    }
