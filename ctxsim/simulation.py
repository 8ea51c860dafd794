"""simulate(scenario) -> Outcome: the whole story on one screen."""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ctxsim
from ctxsim.cell.checks import TITLES
from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.history import History
from ctxsim.cell.plan import Plan
from ctxsim.cells import CellOutcome, Halt, Job, Limits, Progress, Tell, cores, run_cells
from ctxsim.cells.interpreter import interpreter
from ctxsim.errors import TargetError
from ctxsim.report.conclusion import Case, JudgedCell, conclude
from ctxsim.report.document import CellResult, Document, FindingResult, ScenarioFacts
from ctxsim.report.masks import mask
from ctxsim.scenario import (
    Cell,
    Scenario,
    alone_plan,
    cells,
    codes,
    expected,
    overall,
    plan,
    python,
    unmatched,
)
from ctxsim.scenario.plans import OWN_STORAGE, UNKNOWN_STORAGE

_DRAWN_SEEDS = 1_000_000
_RUNTIME_STORAGE = "contextvar"
_BROKEN = "expectation.broken"

# Histories of requests that were carried alone, by storage and by the user who sent them.
Alone = dict[tuple[str, int], History]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a scenario came from that nobody wrote: the `command` that drafts it again.

    `notes` and `not_covered` are what the reader should know of how it was drafted.
    """

    command: tuple[str, ...]
    notes: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulation is carried out; what is simulated stands in the scenario.

    `jobs` is how many cells run at a time, None for one per core; `stall_s` how long a cell may go
    without ending a request; `only` leaves out all other cells. A command that repeats the run
    needs the arguments `again`, besides the scenario's file and the seed, and the `workers` that
    the command line named. `most_s` ends the load of each cell, however much it was to send.
    """

    jobs: int | None = None
    stall_s: float = 30.0
    limits: Limits = field(default_factory=Limits)
    only: Cell | None = None
    fail_fast: bool = False
    halt: Halt = field(default_factory=Halt)
    again: tuple[str, ...] = ()
    workers: tuple[str, ...] = ()
    most_s: float | None = None
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation came to: the result document, and each cell as it was carried."""

    document: Document
    carried: tuple[CellOutcome, ...]

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

    Raises TargetError if no cell could start the target, or if its interpreter cannot serve.
    """
    options = options or Options()
    started = time.monotonic()
    seed = _draw() % _DRAWN_SEEDS if scenario.seed is None else scenario.seed
    jobs = _jobs(scenario, seed, options)
    carried = _carry(scenario, jobs, options, progress)
    _refuse_unstarted(carried)
    alone = _carry_alone(scenario, jobs, carried, options)
    judged = [
        _judge(scenario, outcome, _alone_history(alone, job, outcome))
        for job, outcome in zip(jobs, carried, strict=True)
    ]
    case = _case(scenario, jobs[0], carried, options, time.monotonic() - started)
    return Outcome(conclude(case, judged), tuple(carried))


def _draw() -> int:
    # The one place for chance in the harness: all else follows from the seed and the run's digits.
    return int.from_bytes(os.urandom(8), "big")  # noqa: TID251 - its owner


def _jobs(scenario: Scenario, seed: int, options: Options) -> list[Job]:
    # A seed that was given repeats the document word for word, and canaries stand in its stories.
    # Without one, no value that an earlier run left behind must look like one of this run's own.
    salt = _draw() if scenario.seed is None else ""
    run = hashlib.sha256(f"{seed} {salt}".encode()).hexdigest()[:8]
    interpreter_path = python(scenario)
    chosen = cells(scenario) if options.only is None else (options.only,)
    return [
        Job(
            cell,
            _bounded(plan(scenario, cell, seed=seed, run=run, process=process), options),
            interpreter_path,
            tuple(scenario.target.env.items()),
        )
        for process, cell in enumerate(chosen, start=1)
    ]


def _bounded(made: Plan, options: Options) -> Plan:
    bounded = replace(made, stall_s=options.stall_s)
    if options.most_s is None:
        return bounded
    return replace(bounded, load=replace(made.load, duration_s=options.most_s))


def _carry(
    scenario: Scenario, jobs: Sequence[Job], options: Options, progress: Tell | None
) -> list[CellOutcome]:
    def tell(now: Progress) -> None:
        if progress is not None:
            progress(now)
        if options.fail_fast and now.state == "event" and _differs(scenario, now):
            options.halt.enough()

    carried = _run(jobs, options, tell)
    options.halt.go_on()
    return [_renamed(outcome) for outcome in carried]


def _run(jobs: Sequence[Job], options: Options, tell: Tell) -> list[CellOutcome]:
    at_once = options.jobs or cores()
    return run_cells(jobs, at_once=at_once, limits=options.limits, halt=options.halt, tell=tell)


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


def _alone_key(job: Job, history: History) -> tuple[str, int] | None:
    """Which requests to carry alone, to tell what the first broken expectation means."""
    users = (event.victim.user for event in history.events if event.kind == _BROKEN)
    user = next(users, None)
    return None if user is None else (job.cell.storage, user)


def _alone_history(alone: Alone, job: Job, outcome: CellOutcome) -> History | None:
    key = _alone_key(job, outcome.history)
    return None if key is None else alone.get(key)


def _carry_alone(
    scenario: Scenario, jobs: Sequence[Job], carried: Sequence[CellOutcome], options: Options
) -> Alone:
    wanted: dict[tuple[str, int], Job] = {}
    for job, outcome in zip(jobs, carried, strict=True):
        key = _alone_key(job, outcome.history)
        if key is not None and key not in wanted and not options.halt.interrupted:
            process = len(jobs) + len(wanted) + 1
            wanted[key] = _alone_job(scenario, job, process, key[1])
    outcomes = _run(list(wanted.values()), options, lambda _: None)
    # One that ended early tells nothing of how requests are answered alone.
    return {
        key: outcome.history
        for key, outcome in zip(wanted, outcomes, strict=True)
        if outcome.history.ending is None
    }


def _alone_job(scenario: Scenario, job: Job, process: int, user: int) -> Job:
    seed, run, stall_s = job.plan.seed, job.plan.run, job.plan.stall_s
    alone = alone_plan(scenario, job.cell, seed=seed, run=run, process=process, user=user)
    return replace(job, plan=replace(alone, stall_s=stall_s))


def _judge(scenario: Scenario, outcome: CellOutcome, alone: History | None) -> JudgedCell:
    return JudgedCell(
        storage=outcome.cell.storage,
        workers=outcome.cell.workers.word,
        history=outcome.history,
        findings=tuple(judge(outcome.history, alone, codes(scenario))),
        expected=_expected(scenario, outcome.cell),
        ready=outcome.ready,
        elapsed_s=outcome.elapsed_s,
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
    return Case(
        scenario=ScenarioFacts(scenario.name, scenario.file, scenario.sha256),
        seed=job.plan.seed,
        again=shlex.join(again),
        again_as_it_was=shlex.join([*again, *workers]),
        checks=tuple(code for code in TITLES if code in looked_for),
        expected=overall(scenario),
        unmatched=unmatched(scenario, [each.cell for each in carried]),
        thresholds=scenario.thresholds.given,
        interrupted=options.halt.interrupted,
        is_part=len(carried) < len(cells(scenario)),
        notes=origin.notes,
        not_covered=origin.not_covered,
        environment=_environment(scenario, job, carried),
        elapsed_s=elapsed_s,
    )


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
