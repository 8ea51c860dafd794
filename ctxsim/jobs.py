"""The jobs of a scenario, one for each of its cells: how they are made, run, and refused."""

from __future__ import annotations

import hashlib
import math
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ctxsim.cell.plan import Address, Load
from ctxsim.cells import Attendance, CellOutcome, Halt, Job, Limits, Pace, Tell, cores, run_cells
from ctxsim.cells.server import Server, running
from ctxsim.errors import TargetError, UsageError
from ctxsim.report import kept
from ctxsim.report.cases import CaseFile
from ctxsim.report.kept import SERVER_LOG
from ctxsim.report.masks import mask
from ctxsim.report.stacks import innermost
from ctxsim.scenario import Cell, Scenario, cells, plan, python

# How faulthandler begins what a cell writes that is asked where it stands.
_OUR_SIGNAL = "Fatal Python error: Aborted"

_DRAWN_SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a scenario came from that nobody wrote: the `command` that drafts it again.

    `notes` and `not_covered` are what the reader should know of how it was drafted. `nothing` says
    why there is nothing to be sent, where there is not; `doubts` why nothing can be called clean.
    `kind` is that of the application, which was looked at.
    """

    command: tuple[str, ...]
    notes: tuple[str, ...] = ()
    not_covered: tuple[str, ...] = ()
    nothing: str = ""
    doubts: tuple[str, ...] = ()
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How a simulation is carried out; what is simulated stands in the scenario.

    `jobs` is how many cells run at a time, None for one per core; `stall_s` how long a cell may go
    without ending a request; `only` leaves out all other cells. A command that repeats the run
    needs the arguments `again`, besides the scenario's file and the seed, and the `workers` that
    the command line named. All should be over by `until`, by `time.monotonic`, for which loads are
    shortened; what still runs `at_latest` is stopped. Where it `searches`, what loads leave of the
    time goes to a search for orders that they did not meet. `cases` were found before, and are
    carried again where what they show was not found anew.

    What a search finds with simulated threads it also `confirms` on native ones, within its time.

    With an `attendance` loads are live: users come and go as it says, whatever the scenario's load.
    Several runs that are one share `run`, and the first of each one's processes has another number.
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
    searches: bool = False
    confirms: bool = True
    origin: Origin | None = None
    cases: tuple[CaseFile, ...] = ()
    attendance: Attendance | None = None
    run: str | None = None
    first_process: int = 1
    # Hosts that load may go to besides this machine.
    allowed_hosts: tuple[str, ...] = ()


def seed_of(scenario: Scenario) -> int:
    """The scenario's seed, or one that is drawn."""
    return _draw() % _DRAWN_SEEDS if scenario.seed is None else scenario.seed


def _draw() -> int:
    # The one place for chance in the harness: all else follows from the seed and the run's digits.
    return int.from_bytes(os.urandom(8), "big")  # noqa: TID251 - its owner


def jobs_of(scenario: Scenario, seed: int, options: Options) -> list[Job]:
    run = options.run or run_of(scenario, seed)
    chosen = cells(scenario) if options.only is None else (options.only,)
    return [
        job_of(scenario, cell, seed, run, process, options)
        for process, cell in enumerate(chosen, start=options.first_process)
    ]


def run_of(scenario: Scenario, seed: int) -> str:
    """The 8 hexadecimal digits that are common to all cells of a run."""
    # A seed that was given repeats the document word for word, and canaries stand in its stories.
    # Without one, no value that an earlier run left behind must look like one of this run's own.
    salt = _draw() if scenario.seed is None else ""
    return hashlib.sha256(f"{seed} {salt}".encode()).hexdigest()[:8]


def job_of(
    scenario: Scenario, cell: Cell, seed: int, run: str, process: int, options: Options
) -> Job:
    planned = plan(scenario, cell, seed=seed, run=run, process=process)
    planned = replace(planned, stall_s=options.stall_s)
    if options.attendance is not None:
        users = replace(planned.users, count=options.attendance.most)
        planned = replace(planned, load=Load(live=True), users=users)
    env = _environment_of_cells(scenario, seed)
    if planned.target.address is None:
        return Job(cell, planned, python(scenario), env)
    _refuse_afar(scenario, planned.target.address, options.allowed_hosts)
    return Job(
        cell,
        planned,
        python(scenario),
        server=_server(scenario, planned.target.address, env),
    )


def _refuse_afar(scenario: Scenario, address: Address, allowed: Sequence[str]) -> None:
    """Refuse to send load to other machines; raises UsageError."""
    if address.loopback_only:
        return
    if address.host not in allowed:
        raise UsageError(
            f"{scenario.target.named} is not this machine, and load to others is refused\n"
            f"  write --allow-host {address.host} if it is yours, and a rate and a duration"
        )
    if scenario.amount.rate_per_s is None or scenario.amount.duration_s is None:
        raise UsageError(
            f"load to {address.host} needs a rate and a duration\n"
            "  write  load: {rate: 20/s, duration: 30s}"
        )


def _server(scenario: Scenario, address: Address, env: tuple[tuple[str, str], ...]) -> Server:
    target = scenario.target
    return Server(
        url=target.named,
        address=address,
        command=tuple(shlex.split(target.start or "")),
        folder=scenario.folder,
        log=SERVER_LOG,
        wait_s=target.wait_s,
        env=env,
    )


def attended(jobs: list[Job], options: Options) -> list[Job]:
    """The jobs of loads that have ended; of live ones with as many users as have come."""
    if options.attendance is None:
        return jobs
    most = options.attendance.most
    return [
        replace(job, plan=replace(job.plan, users=replace(job.plan.users, count=most)))
        for job in jobs
    ]


def _environment_of_cells(scenario: Scenario, seed: int) -> tuple[tuple[str, str], ...]:
    # In what order a set is must not differ from cell to cell: it would look like another answer.
    hashes = {"PYTHONHASHSEED": str(seed % 2**32)}
    chosen = {} if "PYTHONHASHSEED" in os.environ else hashes
    return tuple({**chosen, **scenario.target.env}.items())


def run(jobs: Sequence[Job], options: Options, pace: Pace, tell: Tell) -> list[CellOutcome]:
    """Run each job's cell; those that send to a server one by one, each to a fresh one.

    Raises TargetError, as `run_cells` and `running` do.
    """
    if not any(job.server for job in jobs):
        return _run_cells(jobs, options, pace, tell)
    return [
        _with_server(job, options, pace.for_next(len(jobs) - number), tell)
        for number, job in enumerate(jobs)
    ]


def _run_cells(jobs: Sequence[Job], options: Options, pace: Pace, tell: Tell) -> list[CellOutcome]:
    return run_cells(
        jobs,
        pace=pace,
        limits=options.limits,
        halt=options.halt,
        tell=tell,
        attendance=options.attendance,
    )


def _with_server(job: Job, options: Options, pace: Pace, tell: Tell) -> CellOutcome:
    assert job.server is not None
    if job.server.command:
        kept.prepare()
    with running(job.server, lambda: bool(options.halt.asked) or pace.is_over) as started:
        [outcome] = _run_cells([job], options, pace, tell)
    if started.ended:
        outcome.history.doubts.append(started.ended)
    return outcome


def at_once(scenario: Scenario, options: Options) -> int:
    """How many cells run at a time: one, where they would meet in one server."""
    return 1 if scenario.target.kind == "http" else options.jobs or cores()


def refuse_unstarted(carried: Sequence[CellOutcome]) -> None:
    begun = [each for each in carried if not has_ending(each, "stopped")]
    if not begun or any(each.ready or has_ending(each, "fault") for each in begun):
        return
    raise not_carried(begun[0], "the import was done")


def not_carried(
    outcome: CellOutcome, until: str, worded: Callable[[str], str] = str
) -> TargetError:
    """Why a cell carried nothing: how it ended, and where it stood if it took too long."""
    ending = outcome.history.ending
    if ending is None:
        return TargetError(f"the target's process ended before {until}")
    told = ending.message
    if ending.kind != "import":
        told = f"the target's process ended before {until}: {ending.kind}: {told}"
    # A refused import says in its hint what can be done; one that hangs only where it does.
    more = ending.hint.splitlines() or [w for w in innermost(ending) if w != _OUR_SIGNAL]
    error = TargetError(worded(mask("\n".join([told, *(f"  {line}" for line in more)]))))
    for note in (*ending.stacks, outcome.stderr_tail):
        error.add_note(mask(note))
    return error


def has_ending(outcome: CellOutcome, kind: str) -> bool:
    return outcome.history.ending is not None and outcome.history.ending.kind == kind
