"""What a scenario becomes: its cells, the plan of each, and what each is expected to find."""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ctxsim.cell import plan as plans
from ctxsim.cell.checks import TITLES
from ctxsim.cell.checks.verdict import codes_of
from ctxsim.cell.plan import Plan, Workers
from ctxsim.errors import TargetError, UnsuitedError
from ctxsim.scenario import server_words
from ctxsim.scenario.loading import Scenario
from ctxsim.scenario.model import METHODS, Step

# A storage's place in a cell's name where the runtime's storages play no part.
OWN_STORAGE = "app"
UNKNOWN_STORAGE = "auto"
_DEFAULT_STORAGE = "contextvar"
_ONE_FLOW = "steps"
_RETENTION = "CTX402"
# A rehearsal is long enough for several visits to each flow, and short beside any cell.
_VISITS_ALONE = 5
_LEAST_ALONE = 30
_MOST_ALONE = 300


@dataclass(frozen=True, slots=True)
class Cell:
    """One storage and one worker model: what runs in a process of its own.

    `storage` is "app" where the application keeps its contexts itself, and "auto" as long as that
    is not known.
    """

    storage: str
    workers: Workers

    @property
    def name(self) -> str:
        """As reports and `expect` write it: `contextvar/threads:8`."""
        return f"{self.storage}/{self.workers.word}"

    def renamed(self, storage: str) -> Cell:
        """The same cell, once it is known where its contexts are kept."""
        return replace(self, storage=storage)


def cells(scenario: Scenario) -> tuple[Cell, ...]:
    """All cells of the matrix, storage by storage in the order of the file.

    Raises UsageError where workers were named that cannot carry what the file says the target is.
    """
    return tuple(
        Cell(storage, workers) for storage in _storages(scenario) for workers in _workers(scenario)
    )


def _workers(scenario: Scenario) -> tuple[Workers, ...]:
    carrying = _carrying(scenario)
    if scenario.schedule.kind == "os":
        return carrying
    if scenario.target.kind == "http":
        raise UnsuitedError(
            f"schedule: {scenario.schedule.kind} cannot control {scenario.target.named}, which is "
            "another process\n  leave the schedule out"
        )
    controlled = tuple(each for each in carrying if each.can_be_controlled)
    uncontrolled = [each.word for each in carrying if not each.can_be_controlled]
    if uncontrolled and (scenario.names_workers or not controlled):
        raise UnsuitedError(
            f"schedule: {scenario.schedule.kind} cannot control {', '.join(uncontrolled)} in this "
            "version\n  write sync, threads:N, greenlets:N or tasks:N, or leave the workers out"
        )
    return controlled


def _carrying(scenario: Scenario) -> tuple[Workers, ...]:
    if scenario.target.kind == "http":
        return _clients(scenario)
    if scenario.target.kind != "asgi":
        return scenario.workers
    unsuited = [each.word for each in scenario.workers if not each.suits_asgi]
    # A file that names such workers is refused when it is read; the command line may name them too.
    if unsuited and scenario.names_workers:
        raise UnsuitedError(unsuited_message(unsuited, scenario.target.named))
    return tuple(each for each in scenario.workers if each.suits_asgi)


def _clients(scenario: Scenario) -> tuple[Workers, ...]:
    """Who sends requests to a server: greenlets, unless somebody named others."""
    if not scenario.names_workers:
        return tuple(each for each in scenario.workers if each.needs_gevent)
    unsuited = [each.word for each in scenario.workers if not each.suits_http]
    if unsuited:
        raise UnsuitedError(
            f"{', '.join(unsuited)} cannot be clients of {scenario.target.named}\n"
            "  write sync, threads:N or greenlets:N for the workers, or leave them out"
        )
    return scenario.workers


def unsuited_message(words: Sequence[str], app: str) -> str:
    """Why workers cannot carry an application, and which can."""
    shown = ", ".join(words)
    return (
        f"{shown} cannot carry {app}: it is an ASGI application, whose requests are asyncio's "
        "tasks\n  write sync, tasks:N or tasks:N:empty for the workers, or leave them out"
    )


def _storages(scenario: Scenario) -> tuple[str, ...]:
    target = scenario.target
    if target.kind in ("wsgi", "asgi", "http"):
        return (OWN_STORAGE,)
    if target.storage is not None:
        return target.storage
    return (_DEFAULT_STORAGE if target.kind == "runtime" else UNKNOWN_STORAGE,)


def plan(scenario: Scenario, cell: Cell, *, seed: int, run: str, process: int) -> Plan:
    """The plan of one cell. `run` is 8 hexadecimal digits, common to all cells of a run."""
    return Plan(
        scenario=scenario.name,
        run=run,
        process=process,
        seed=seed,
        target=_target(scenario, cell),
        workers=cell.workers,
        flows=_flows(scenario),
        users=_users(scenario),
        faults=_faults(scenario),
        load=plans.Load(
            scenario.amount.requests,
            scenario.amount.duration_s,
            rate_per_s=scenario.amount.rate_per_s,
        ),
        shared=_shared(scenario),
        probes=scenario.probes,
        keeps=scenario.keeps,
        search=_search(scenario, cell.workers),
        retention=_RETENTION in codes(scenario),
    )


def alone_plan(
    scenario: Scenario, cell: Cell, *, seed: int, run: str, process: int, user: int
) -> Plan:
    """The plan of a rehearsal: `user` (0 for a visitor) alone, in the flows in turn, several times.

    Faults are as they are together, and so is what earlier visits leave behind: an expectation that
    they break is broken alone too, and no other request is to blame.
    """
    together = plan(scenario, cell, seed=seed, run=run, process=process)
    steps = sum(len(flow.steps) for flow in together.flows)
    requests = min(_MOST_ALONE, max(_LEAST_ALONE, _VISITS_ALONE * steps))
    return replace(
        together,
        workers=Workers.parse("sync"),
        search=None,
        only_user=user,
        load=plans.Load(requests=requests, rate_per_s=together.rate_kept_per_s),
    )


def codes(scenario: Scenario) -> frozenset[str]:
    """The finding codes that the scenario looks for."""
    if "all" in scenario.checks:
        return frozenset(TITLES)
    return codes_of(scenario.checks)


def overall(scenario: Scenario) -> frozenset[str] | None:
    """The codes that all cells together must find (none for `clean`); None if told per cell."""
    found = scenario.expect.overall
    return None if found is None else frozenset(found)


def expected(scenario: Scenario, cell: Cell) -> frozenset[str] | None:
    """The codes that this cell must find, by the most exact pattern; None if told for all together.

    Exact names come before `*/workers`, these before `storage/*`, these before `*`; a cell that no
    pattern matches is expected to be clean.
    """
    per_cell = scenario.expect.cells
    if per_cell is None:
        return None
    word = cell.workers.word
    for pattern in (cell.name, f"*/{word}", f"{cell.storage}/*", "*/*", "*"):
        if pattern in per_cell:
            return frozenset(per_cell[pattern])
    return frozenset()


def unmatched(scenario: Scenario, run: Iterable[Cell]) -> tuple[str, ...]:
    """The expectation's patterns that name the storage of another kind of application.

    What an application is that says `auto` shows at the import, too late to refuse the pattern as
    wrong. Only one whose workers were `run` counts: of cells that were left out nothing is known.
    """
    target = scenario.target
    known = [cell for cell in run if cell.storage != UNKNOWN_STORAGE]
    storages, words = {cell.storage for cell in known}, {cell.workers.word for cell in known}
    if target.kind != UNKNOWN_STORAGE or target.storage is not None or not known:
        return ()
    return tuple(
        pattern
        for pattern in scenario.expect.cells or ()
        for where, _, who in [pattern.partition("/")]
        if where not in ("*", *storages) and who in ("*", *words)
    )


def python(scenario: Scenario) -> str:
    """The interpreter that runs the application. Raises TargetError where there is none."""
    chosen = scenario.target.python
    if chosen is not None:
        path = scenario.folder / Path(chosen).expanduser()
        return _existing(path, f"target.python: {chosen}")
    environment = os.environ.get("VIRTUAL_ENV")
    if scenario.target.kind in ("runtime", "http") or not environment:
        return sys.executable
    return _existing(Path(environment, "bin", "python"), "the active virtual environment")


def _existing(path: Path, origin: str) -> str:
    # Not resolved: a virtual environment's python is a link, and known by where the link stands.
    if path.is_file() and os.access(path, os.X_OK):
        return str(path)
    raise TargetError(
        f"there is no Python interpreter at {path} (from {origin}); "
        "write the path of one as target.python, or --python"
    )


def _target(scenario: Scenario, cell: Cell) -> plans.Target:
    target = scenario.target
    if target.url is not None:
        host, port, prefix = server_words.place_of(target.url)
        address = plans.Address(
            host,
            port,
            prefix,
            loopback_only=is_loopback(host),
            tls=server_words.is_https(target.url),
            ca=str(_within(scenario, target.ca)) if target.ca is not None else "",
        )
        return plans.Target(target.url, "http", address=address, connections=scenario.connections)
    own = cell.storage in (OWN_STORAGE, UNKNOWN_STORAGE)
    return plans.Target(
        app=_app(scenario),
        kind=target.kind,
        path=tuple(str(_within(scenario, each)) for each in target.path),
        storage=_DEFAULT_STORAGE if own else cell.storage,
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name or number."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _app(scenario: Scenario) -> str:
    module, _, attribute = scenario.target.app.rpartition(":")
    is_file = module.endswith(".py")
    return f"{_within(scenario, module)}:{attribute}" if is_file else scenario.target.app


def _within(scenario: Scenario, path: str) -> Path:
    return Path(os.path.normpath(scenario.folder / path))


def _users(scenario: Scenario) -> plans.Users:
    users = scenario.users
    # 0 lets the cell choose, since that depends on its workers.
    count = 0 if users.count is None else users.count
    return plans.Users(count, users.visitor, users.parallel, tuple(users.vars.items()))


def _faults(scenario: Scenario) -> plans.Faults:
    faults = scenario.faults
    if scenario.target.kind == "http":
        # A client can do no more than leave.
        return plans.Faults(abort=faults.abort)
    given = faults.model_fields_set
    if scenario.schedule.kind == "exhaustive" and not given:
        # Each pair of requests is carried in one state: that neither of them fails.
        return plans.Faults()
    left = 1.0 - sum(getattr(faults, name) for name in given)
    shares: dict[str, float] = {}
    for name in ("error", "abort", "cancel"):
        share = getattr(faults, name)
        if name not in given:
            # What the file does not name gives way to what it does.
            share = max(0.0, min(share, left))
            left -= share
        shares[name] = share
    return plans.Faults(**shares)


def _search(scenario: Scenario, workers: Workers) -> plans.Search | None:
    schedule = scenario.schedule
    if schedule.kind == "os":
        return None
    return plans.Search(
        kind=schedule.kind,
        executions=schedule.budget.executions,
        duration_s=schedule.budget.duration_s,
        depth=schedule.depth,
        granularity=schedule.granularity,
        select=schedule.select,
        atomic=schedule.atomic,
        # What is found with simulated threads is carried on native ones.
        tells_legs=workers.model == "threads",
    )


def _shared(scenario: Scenario) -> plans.Shared:
    routes = tuple(each for each in scenario.shared if each.startswith("/"))
    objects = tuple(each for each in scenario.shared if not each.startswith("/"))
    return plans.Shared(routes, objects)


def _flows(scenario: Scenario) -> tuple[plans.Flow, ...]:
    if scenario.steps:
        return (plans.Flow(_ONE_FLOW, 1.0, tuple(map(_step, scenario.steps))),)
    return tuple(
        plans.Flow(name, flow.weight, tuple(map(_step, flow.steps)))
        for name, flow in scenario.flows.items()
    )


def _step(step: Step) -> plans.Step:
    method, path = next(
        (each, path) for each in METHODS if (path := getattr(step, each)) is not None
    )
    expect = step.expect
    return plans.Step(
        # Unnamed steps have no canary that later ones could mention.
        name="" if step.name is None else step.name,
        method=method.upper(),
        path=path,
        headers=tuple(step.headers.items()),
        form=None if step.form is None else tuple(step.form.items()),
        json=step.data,
        has_json="data" in step.model_fields_set,
        body=step.body,
        auth=step.auth,
        mine=step.mine,
        expect=plans.Expect(
            expect.status,
            expect.contains,
            expect.absent,
            tuple(expect.members.items()),
            expect.unique,
        ),
        rule=step.route or "",
        captures=tuple(
            plans.Capture(name, each.kind, each.what) for name, each in step.captures.items()
        ),
        once=step.once,
    )
