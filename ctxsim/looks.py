"""A look at what is to be checked, in a process of its own: an application, or a server."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ctxsim.cell import plan as plans
from ctxsim.cell.canaries import MAX_PROCESS
from ctxsim.cell.plan import Load, Look, Plan, Workers
from ctxsim.cell.sights import Sight
from ctxsim.cells import Job, Pace
from ctxsim.errors import CtxsimError, ScenarioError, UsageError
from ctxsim.jobs import Options, job_of, not_carried, run, run_of, seed_of
from ctxsim.report.options import as_options
from ctxsim.scenario import Cell, Scenario, cells, drafting, nodes, python
from ctxsim.scenario.drafting import Frame
from ctxsim.scenario.plans import is_loopback
from ctxsim.scenario.server_words import place_of

BUDGET_S = 60.0
# Where the document that tells a server's routes is looked for, if nobody named another path.
OPENAPI = ("/openapi.json", "/openapi.yaml")
# A look starts again without a route that hung or ended the process, so many times.
_LOOKS = 4
_LOOK_SHARE = 0.25
_TRIAL_S = 3.0
# Whoever names a URL has a server there already.
_WAIT_S = 5.0
_RUN = "00000000"
_FIRST_PROCESS = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be checked, and how. `workers` and `requests` are None for what suits.

    `path` is put before the import path; `shared` and `keeps` are as in a scenario. Of a server,
    `target` is the URL and `openapi` the path of the document that tells its routes; one on another
    machine is sent no more than `rate` (`20/s`). Certificates in the file `ca` are trusted, too.
    """

    target: str
    path: str = "."
    python: str | None = None
    unsafe: bool = False
    workers: tuple[str, ...] | None = None
    requests: int | None = None
    seed: int | None = None
    budget_s: float = BUDGET_S
    shared: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    openapi: str | None = None
    rate: str | None = None
    ca: str | None = None

    @property
    def is_server(self) -> bool:
        return "://" in self.target


def look(wish: Wish, how: Look, options: Options) -> Sight:
    """See what the application or server is, in a process of its own; raises TargetError."""
    bare = shell(wish)
    until = time.monotonic() + wish.budget_s * _LOOK_SHARE
    left_out: tuple[str, ...] = ()
    for _ in range(_LOOKS):
        trying_s = max(1.0, until - time.monotonic())
        again = replace(how, left_out=left_out, duration_s=trying_s)
        job = _of_server(wish, bare, again, options) if wish.is_server else _job(wish, bare, again)
        limits = replace(options.limits, start_s=max(wish.budget_s, 1.0), stall_grace_s=0.5)
        [outcome] = run([job], replace(options, limits=limits, attendance=None), Pace(), _quietly)
        if outcome.sight is not None:
            sight = Sight.from_json(outcome.sight)
            if sight.unread and (document := _as_json(sight.unread)):
                # Nothing was tried yet: no cell has a library that reads YAML.
                how = replace(how, document=document)
                continue
            return _named(wish, sight)
        ending = outcome.history.ending
        is_ours = ending is not None and ending.kind == "fault"
        if not outcome.trying or options.halt.asked or is_ours:
            break
        left_out = (*left_out, outcome.trying)
    error = not_carried(outcome, "it was looked at", as_options)
    if is_ours:
        # What was said of the target would send the user to look for a mistake of its own.
        raise CtxsimError(str(error)) from error
    raise error


def _as_json(text: str) -> str:
    """The JSON of a document in YAML; '' for a text that is none, or no mapping."""
    try:
        root, _ = nodes.compose(text)
    except nodes.UnreadableError:
        return ""
    return json.dumps(nodes.plain(root)) if isinstance(root, nodes.Mapping) else ""


def _quietly(_progress: object) -> None:
    """Nobody is told how far a look is."""


def _job(wish: Wish, bare: Scenario, how: Look) -> Job:
    place, separator, attribute = split(wish.target)
    folder = str(Path(wish.path).absolute())
    if place.endswith(".py"):
        place = str(Path(place).absolute())
    cell = Cell("auto", Workers.parse("sync"))
    plan = Plan(
        scenario=wish.target,
        # Of its own, so that names which an earlier look, or run, left in a database are not taken.
        run=run_of(bare, seed_of(bare) + 1),
        process=_FIRST_PROCESS,
        seed=wish.seed or 0,
        target=plans.Target(f"{place}{separator}{attribute}", path=(folder,)),
        workers=cell.workers,
        flows=(),
        look=how,
        stall_s=_TRIAL_S,
    )
    return Job(cell, plan, python(bare))


def _of_server(wish: Wish, bare: Scenario, how: Look, options: Options) -> Job:
    """The job that looks at a server; raises UsageError where that may not be sent anything.

    Its canaries are those of the run, since what a server keeps of them outlives the look; no cell
    that follows has as high a number.
    """
    _refuse_unpaced(wish, bare)
    # Workers that cannot be clients are refused before anything is sent.
    cells(bare)
    cell = Cell("app", Workers.parse("sync"))
    job = job_of(bare, cell, wish.seed or 0, options.run or _RUN, MAX_PROCESS, options)
    assert job.server is not None
    plan = replace(
        job.plan,
        target=replace(job.plan.target, connections=()),
        flows=(),
        faults=plans.Faults(),
        # Also what is only tried keeps the rate, where the server is another machine's.
        load=Load(rate_per_s=job.plan.rate_kept_per_s),
        look=replace(how, openapi=(wish.openapi,) if wish.openapi else OPENAPI),
        stall_s=_TRIAL_S,
    )
    return replace(job, plan=plan, server=replace(job.server, wait_s=_WAIT_S))


def _refuse_unpaced(wish: Wish, bare: Scenario) -> None:
    host = place_of(bare.target.named)[0]
    if wish.rate is None and not is_loopback(host):
        raise UsageError(
            f"{wish.target} is not this machine, and load to others needs leave and a rate\n"
            f"  write --allow-host {host} --rate 20/s if it is yours"
        )


def split(target: str) -> tuple[str, str, str]:
    """Place, separator and attribute of an application's name; raises UsageError for another."""
    if "://" in target:
        raise UsageError(
            f"{target} is a URL, and this looks into an application that it imports\n"
            "  write module:attribute, or path/to/file.py:attribute"
        )
    place, separator, attribute = target.rpartition(":")
    place, separator, attribute = (
        (place, separator, attribute) if separator else (attribute, "", "")
    )
    if not place or not place.strip() or (separator and not attribute):
        raise UsageError(
            f"'{target}' names no application\n"
            "  write module:attribute, path/to/file.py:attribute, or module:factory()"
        )
    if attribute.isdigit():
        raise UsageError(f"'{target}' names no application\n  of a server write  http://{target}")
    if Path(place).is_dir() and (place in (".", "..") or os.sep in place):
        folder, name = os.path.split(os.path.normpath(place))
        file = os.path.join(place, "FILE.py")
        raise UsageError(
            f"{target} is a folder; check imports a module\n"
            f"  write --path {place} MODULE:ATTRIBUTE, or {file}:ATTRIBUTE\n"
            f"  of a package that is imported by its name: --path {folder or '.'} {name}"
        )
    return place, separator, attribute


def shell(wish: Wish) -> Scenario:
    """A scenario with the target's surroundings alone: it is refused where they cannot be."""
    if wish.is_server:
        _refuse_of_application(wish)
        if wish.rate is not None and wish.requests is not None:
            raise UsageError("--rate lasts as long as --budget allows\n  leave --requests out")
        frame = of_server(wish, ())
    else:
        _refuse_of_server(wish)
        split(wish.target)
        frame = Frame("module:attribute", wish.path, shared=wish.shared, keeps=wish.keeps)
    kind = "http" if wish.is_server else "wsgi"
    empty = drafting.draft(Sight("", kind, ""), frame)
    try:
        return with_options(Scenario.parse(empty.text), wish)
    except ScenarioError as error:
        raise UsageError(as_options(_told(error))) from error


def _refuse_of_application(wish: Wish) -> None:
    if wish.path != ".":
        raise UsageError(f"--path is for what ctxsim imports, and {wish.target} is a server")
    if wish.openapi and not wish.openapi.startswith("/"):
        raise UsageError(
            f"--openapi must be a path of the server, not '{wish.openapi}'\n  write {OPENAPI[0]}"
        )


def _refuse_of_server(wish: Wish) -> None:
    for option, value in (("--openapi", wish.openapi), ("--rate", wish.rate), ("--ca", wish.ca)):
        if value is not None:
            raise UsageError(
                f"{option} is for servers, and {wish.target} is imported\n"
                "  leave it out, or write a URL such as http://127.0.0.1:8000"
            )


def of_server(wish: Wish, workers: tuple[str, ...], requests: int = 1000) -> Frame:
    """What a drafted scenario says of a server besides its requests."""
    return Frame(
        url=wish.target,
        workers=workers,
        requests=requests,
        rate=wish.rate,
        ca=wish.ca,
        # Of what the look leaves, a part is for what is carried alone before and after.
        duration_s=max(1.0, wish.budget_s / 3),
        shared=wish.shared,
        keeps=wish.keeps,
    )


def _told(error: ScenarioError) -> str:
    problems = (
        f"{each.message}\n  {each.suggestion}" if each.suggestion else each.message
        for each in error.problems
    )
    return "\n".join(problems)


def with_options(scenario: Scenario, wish: Wish) -> Scenario:
    """The scenario with what the wish says of workers, requests, seed and interpreter."""
    return scenario.with_options(
        seed=wish.seed, workers=wish.workers, requests=wish.requests, python=wish.python
    )


def _named(wish: Wish, sight: Sight) -> Sight:
    """The sight under the name that the user gave, with a word of what was chosen."""
    if wish.is_server:
        return replace(sight, app=wish.target)
    place, separator, _ = split(wish.target)
    if separator:
        return replace(sight, app=wish.target)
    attribute = sight.app.rpartition(":")[2]
    app = f"{place}:{attribute}" if place.endswith(".py") else sight.app
    return replace(sight, app=app, chosen=f"{wish.target} was taken for {app}")
