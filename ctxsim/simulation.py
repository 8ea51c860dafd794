"""simulate(scenario) -> Outcome: the whole story on one screen."""

from __future__ import annotations

import hashlib
import math
import os
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any

import ctxsim
from ctxsim.cell import plan as plans
from ctxsim.cell.checks import TITLES
from ctxsim.cell.checks.verdict import judge
from ctxsim.cells import CellOutcome, Halt, Job, Limits, Pace, Progress, Tell, cores, run_cells
from ctxsim.cells.interpreter import interpreter
from ctxsim.errors import TargetError, UnsuitedError
from ctxsim.rehearsing import Alone, learn, rehearse
from ctxsim.report.cases import CaseFile
from ctxsim.report.conclusion import Case, JudgedCell, conclude
from ctxsim.report.document import (
    CellResult,
    Document,
    FindingResult,
    ScenarioFacts,
    finding_id,
)
from ctxsim.report.masks import mask
from ctxsim.scenario import (
    Cell,
    Scenario,
    cells,
    codes,
    expected,
    overall,
    plan,
    python,
    unmatched,
    unsuited_message,
)
from ctxsim.scenario.plans import OWN_STORAGE, UNKNOWN_STORAGE

_DRAWN_SEEDS = 1_000_000
_RUNTIME_STORAGE = "contextvar"
_ALONE, _RETENTION = "CTX208", "CTX402"
# What of the time that is left, where it is bounded, goes to loads; the rest is for what follows.
_LOAD_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a scenario came from that nobody wrote: the `command` that drafts it again.

    `notes` and `not_covered` are what the reader should know of how it was drafted. `nothing` says
    why there is nothing to be sent, where there is not.
    """

    command: tuple[str, ...]
    notes: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulation is carried out; what is simulated stands in the scenario.

    `jobs` is how many cells run at a time, None for one per core; `stall_s` how long a cell may go
    without ending a request; `only` leaves out all other cells. A command that repeats the run
    needs the arguments `again`, besides the scenario's file and the seed, and the `workers` that
    the command line named. All should be over by `until`, by `time.monotonic`, for which loads are
    shortened; what still runs `at_latest` is stopped.
    """

    jobs: int | None = None
    stall_s: float = 30.0
    limits: Limits = field(default_factory=Limits)
    only: Cell | None = None
    fail_fast: bool = False
    halt: Halt = field(default_factory=Halt)
    compare_alone: bool = True
    again: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    until: float = math.inf
    at_latest: float = math.inf
    origin: Origin | None = None


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
    options = options or Options()
    started = time.monotonic()
    seed = _draw() % _DRAWN_SEEDS if scenario.seed is None else scenario.seed
    jobs = _jobs(scenario, seed, options)
    if options.origin is not None and options.origin.nothing:
        case = _case(scenario, jobs[0], (), options, time.monotonic() - started)
        return Outcome(conclude(case, ()), ())
    notes: tuple[str, ...] = ()
    pace = Pace(options.jobs or cores(), options.until, options.at_latest)

    def run_alone(these: Sequence[Job]) -> list[CellOutcome]:
        return _run(these, options, pace, lambda _: None)

    if options.compare_alone and _ALONE in codes(scenario):
        jobs, notes = learn(jobs, run_alone, pace)
    carried = _carry(scenario, jobs, options, pace.for_loads(_LOAD_SHARE), progress)
    jobs, carried = _suited(scenario, jobs, carried)
    _refuse_unstarted(carried)
    alone = rehearse(scenario, jobs, carried, run_alone, pace)
    judged = [
        replace(
            _judge(scenario, job, outcome, alone),
            hurried=_is_hurried(job, outcome, options),
        )
        for job, outcome in zip(jobs, carried, strict=True)
    ]
    case = _case(scenario, jobs[0], carried, options, time.monotonic() - started)
    case = replace(case, notes=(*case.notes, *notes))
    document = conclude(case, judged)
    found = _cases(scenario, jobs, judged, document)
    return Outcome(document, tuple(carried), tuple(found))


@dataclass(frozen=True, slots=True)
class Replayed:
    """A case showed again in `times` of so many replays; `story` tells the last of these."""

    times: int
    of: int
    story: tuple[str, ...]


def replay(case: CaseFile, times: int, options: Options | None = None) -> Replayed:
    """Carry a case again, each time from the state after the application's import.

    Raises ScenarioError if its scenario cannot be read any more, and TargetError if the target
    cannot be started.
    """
    options = options or Options()
    place = Path(case.scenario["folder"], Path(case.scenario["file"]).name)
    scenario = Scenario.parse(case.scenario["text"], str(place))
    cell = Cell(case.storage, plans.Workers.parse(case.workers))
    job = _job(scenario, cell, case.seed, case.run, case.process, options)
    search = plans.Search(
        **{**case.search, "select": tuple(case.search["select"])},
        script=dict(case.script),
        cause=case.cause,
        selection=case.selection,
        times=times,
    )
    job = replace(job, plan=replace(job.plan, search=search))
    [carried] = _run([job], options, Pace(1, math.inf, math.inf), lambda _: None)
    _refuse_unstarted([carried])
    ending = carried.history.ending
    if ending is not None:
        raise TargetError(mask(f"the replay ended early: {ending.kind}: {ending.message}"))
    shown = carried.history.cases.get(case.cause)
    return Replayed(0, times, ()) if shown is None else Replayed(shown.times, times, shown.story)


def _cases(
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
                        search={
                            "kind": job.plan.search.kind,
                            "granularity": job.plan.search.granularity,
                            "select": list(job.plan.search.select),
                        },
                        environment=document.environment,
                    )


def _draw() -> int:
    # The one place for chance in the harness: all else follows from the seed and the run's digits.
    return int.from_bytes(os.urandom(8), "big")  # noqa: TID251 - its owner


def _jobs(scenario: Scenario, seed: int, options: Options) -> list[Job]:
    # A seed that was given repeats the document word for word, and canaries stand in its stories.
    # Without one, no value that an earlier run left behind must look like one of this run's own.
    salt = _draw() if scenario.seed is None else ""
    run = hashlib.sha256(f"{seed} {salt}".encode()).hexdigest()[:8]
    chosen = cells(scenario) if options.only is None else (options.only,)
    return [
        _job(scenario, cell, seed, run, process, options)
        for process, cell in enumerate(chosen, start=1)
    ]


def _job(
    scenario: Scenario, cell: Cell, seed: int, run: str, process: int, options: Options
) -> Job:
    planned = plan(scenario, cell, seed=seed, run=run, process=process)
    return Job(
        cell,
        replace(planned, stall_s=options.stall_s),
        python(scenario),
        _environment_of_cells(scenario, seed),
    )


def _environment_of_cells(scenario: Scenario, seed: int) -> tuple[tuple[str, str], ...]:
    # In what order a set is must not differ from cell to cell: it would look like another answer.
    hashes = {"PYTHONHASHSEED": str(seed % 2**32)}
    chosen = {} if "PYTHONHASHSEED" in os.environ else hashes
    return tuple({**chosen, **scenario.target.env}.items())


def _carry(
    scenario: Scenario, jobs: Sequence[Job], options: Options, pace: Pace, progress: Tell | None
) -> list[CellOutcome]:
    def tell(now: Progress) -> None:
        if progress is not None:
            progress(now)
        if options.fail_fast and now.state == "event" and _differs(scenario, now):
            options.halt.enough()

    carried = _run(jobs, options, pace, tell)
    options.halt.go_on()
    return [_renamed(outcome) for outcome in carried]


def _run(jobs: Sequence[Job], options: Options, pace: Pace, tell: Tell) -> list[CellOutcome]:
    return run_cells(jobs, pace=pace, limits=options.limits, halt=options.halt, tell=tell)


def _differs(scenario: Scenario, now: Progress) -> bool:
    found = judge(now.history, None, codes(scenario))
    return not {finding.code for finding in found} <= _expected(scenario, now.job.cell)


def _expected(scenario: Scenario, cell: Cell) -> frozenset[str]:
    together = overall(scenario)
    here = expected(scenario, cell) if together is None else together
    return here or frozenset()


def _renamed(outcome: CellOutcome) -> CellOutcome:
    """The outcome under its cell's name, once the import has told where contexts are kept."""
    kind = outcome.target_facts.get("kind")
    if outcome.cell.storage != UNKNOWN_STORAGE or kind is None:
        return outcome
    storage = _RUNTIME_STORAGE if kind == "runtime" else OWN_STORAGE
    return replace(outcome, cell=outcome.cell.renamed(storage))


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
        raise UnsuitedError(unsuited_message(tuple(dict.fromkeys(words)), scenario.target.app))
    return list(compress(jobs, suited)), list(compress(carried, suited))


def _is_asgi(outcome: CellOutcome) -> bool:
    return outcome.target_facts.get("kind") == "asgi" or _has_ending(outcome, "unsuited")


def _refuse_unstarted(carried: Sequence[CellOutcome]) -> None:
    begun = [each for each in carried if not _has_ending(each, "stopped")]
    if not begun or any(each.ready or _has_ending(each, "fault") for each in begun):
        return
    ending = begun[0].history.ending
    assert ending is not None
    told = ending.message
    if ending.kind != "import":
        told = f"the target's process ended before the import was done: {ending.kind}: {told}"
    lines = [told, *(f"  {line}" for line in ending.hint.splitlines())]
    error = TargetError(mask("\n".join(lines)))
    for note in (*ending.stacks, begun[0].stderr_tail):
        error.add_note(mask(note))
    raise error


def _has_ending(outcome: CellOutcome, kind: str) -> bool:
    return outcome.history.ending is not None and outcome.history.ending.kind == kind


def _judge(scenario: Scenario, job: Job, outcome: CellOutcome, alone: Alone) -> JudgedCell:
    history = outcome.history
    unconfirmed, seldom = alone.unconfirmed(job, history)
    return JudgedCell(
        storage=outcome.cell.storage,
        workers=outcome.cell.workers.word,
        history=history,
        findings=tuple(judge(history, alone.beside(job, history), codes(scenario))),
        unconfirmed=(*unconfirmed, *history.doubts),
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
        not_covered=(*origin.not_covered, *(f"{what} ({code})" for code, what in left_out)),
        without_file=options.origin is not None,
        doubts=(origin.nothing,) if origin.nothing else (),
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
            "app": scenario.target.app,
            "kind": facts.pop("kind", None),
            "versions": {name: fact for name, fact in facts.items() if name != "app"},
        },
    }
