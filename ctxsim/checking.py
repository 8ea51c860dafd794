"""check(target) -> Outcome: a scenario is drafted from a look at the application."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ctxsim.cell import plan as plans
from ctxsim.cell.plan import Look, Plan, Workers
from ctxsim.cell.sights import Sight
from ctxsim.cells import CellOutcome, Job, Pace, Tell, run_cells
from ctxsim.cells.interpreter import equip
from ctxsim.errors import ScenarioError, TargetError, UsageError
from ctxsim.jobs import Options, Origin
from ctxsim.report.masks import mask
from ctxsim.report.options import as_options
from ctxsim.scenario import Cell, Scenario, drafting, python
from ctxsim.scenario.drafting import Draft, Frame
from ctxsim.simulation import Outcome, simulate

REQUESTS = 2000
BUDGET_S = 60.0
STALL_S = 10.0
# A look starts again without a route that hung or ended the process, so many times.
_LOOKS = 4
_LOOK_SHARE = 0.25
# A search may tell why cells hang, if they leave it the time.
_STALL_SHARE = 0.25
_TRIAL_S = 3.0
# What is still running then has the rest of the budget for its last word.
_PLANNED_SHARE = 0.95
_RUN = "00000000"
_FIRST_PROCESS = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be checked, and how. `workers` and `requests` are None for what suits.

    `path` is put before the import path; `shared` and `keeps` are as in a scenario.
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


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look came to, and how long it took."""

    sight: Sight
    elapsed_s: float


def check(
    target: str,
    *,
    path: str = ".",
    python: str | None = None,
    unsafe: bool = False,
    workers: Sequence[str] | None = None,
    requests: int | None = None,
    seed: int | None = None,
    budget_s: float = BUDGET_S,
    shared: Sequence[str] = (),
    keeps: Sequence[str] = (),
    options: Options | None = None,
    progress: Tell | None = None,
) -> Outcome:
    """Find an application's routes, send users and visitors through them, and say what leaks.

    `target` is `module:attribute`, `path/to/file.py:attribute`, `module:factory()`, or a module or
    file in which the application is searched for. `budget_s` bounds the whole in seconds.
    Raises UsageError, or TargetError if the target cannot be imported.
    """
    wish = Wish(
        target,
        path,
        python,
        unsafe,
        tuple(workers) if workers is not None else None,
        requests,
        seed,
        budget_s,
        tuple(shared),
        tuple(keeps),
    )
    scenario, bounded = prepared(wish, options or Options(stall_s=STALL_S))
    return simulate(scenario, options=bounded, progress=progress)


def prepared(wish: Wish, options: Options) -> tuple[Scenario, Options]:
    """The scenario that a check runs, and how; the application is looked at for that."""
    started = time.monotonic()
    seen = look(wish, Look(unsafe=wish.unsafe), options)
    sight = seen.sight
    words, missing = _served(wish, sight)
    made = drafting.draft(sight, _frame(wish, sight, words))
    scenario = _with_options(Scenario.parse(made.text), wish)
    return scenario, replace(
        options,
        until=started + _PLANNED_SHARE * wish.budget_s,
        at_latest=started + wish.budget_s,
        stall_s=min(options.stall_s, STALL_S, _STALL_SHARE * wish.budget_s),
        searches=True,
        origin=_origin(wish, sight, made, missing),
    )


def drafted(wish: Wish, folder: Path) -> Draft:
    """A scenario to be written into `folder`: its paths count from there."""
    sight = look(wish, Look(unsafe=wish.unsafe), Options()).sight
    frame = _frame(wish, sight, drafting.suited(sight))
    place, _, attribute = frame.app.rpartition(":")
    if place.endswith(".py"):
        frame = replace(frame, app=f"{os.path.relpath(place, folder)}:{attribute}")
    if wish.python is not None:
        frame = replace(frame, python=os.path.relpath(wish.python, folder))
    return drafting.draft(sight, replace(frame, path=os.path.relpath(wish.path, folder)))


def examined(wish: Wish) -> Sight:
    """What is told of an application that was imported and sent nothing; raises TargetError."""
    return look(wish, Look(doctor=True), Options()).sight


def look(wish: Wish, how: Look, options: Options) -> Looked:
    """Import the application in a process of its own and see what it is; raises TargetError."""
    _shell(wish)
    started = time.monotonic()
    until = started + wish.budget_s * _LOOK_SHARE
    left_out: tuple[str, ...] = ()
    for _ in range(_LOOKS):
        trying_s = max(1.0, until - time.monotonic())
        outcome = _look_once(wish, replace(how, left_out=left_out, duration_s=trying_s), options)
        if outcome.sight is not None:
            sight = _named(wish, Sight.from_json(outcome.sight))
            return Looked(sight, time.monotonic() - started)
        if not outcome.trying or options.halt.asked:
            break
        left_out = (*left_out, outcome.trying)
    raise _failed(outcome)


def _look_once(wish: Wish, how: Look, options: Options) -> CellOutcome:
    place, separator, attribute = _split(wish.target)
    folder = str(Path(wish.path).absolute())
    if place.endswith(".py"):
        place = str(Path(place).absolute())
    cell = Cell("auto", Workers.parse("sync"))
    plan = Plan(
        scenario=wish.target,
        run=_RUN,
        process=_FIRST_PROCESS,
        seed=wish.seed or 0,
        target=plans.Target(f"{place}{separator}{attribute}", path=(folder,)),
        workers=cell.workers,
        flows=(),
        look=how,
        stall_s=_TRIAL_S,
    )
    limits = replace(options.limits, start_s=max(wish.budget_s, 1.0), stall_grace_s=0.5)
    job = Job(cell, plan, python(_shell(wish)))
    [outcome] = run_cells([job], pace=Pace(), limits=limits, halt=options.halt, tell=lambda _: None)
    return outcome


def _split(target: str) -> tuple[str, str, str]:
    if "://" in target:
        raise UsageError(
            f"{target} is a URL; check imports an application\n"
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
    if Path(place).is_dir() and (place in (".", "..") or os.sep in place):
        folder, name = os.path.split(os.path.normpath(place))
        file = os.path.join(place, "FILE.py")
        raise UsageError(
            f"{target} is a folder; check imports a module\n"
            f"  write --path {place} MODULE:ATTRIBUTE, or {file}:ATTRIBUTE\n"
            f"  of a package that is imported by its name: --path {folder or '.'} {name}"
        )
    return place, separator, attribute


def _shell(wish: Wish) -> Scenario:
    """A scenario with the target's surroundings alone: it is refused where they cannot be."""
    _split(wish.target)
    frame = Frame("module:attribute", wish.path, shared=wish.shared, keeps=wish.keeps)
    empty = drafting.draft(Sight("", "wsgi", ""), frame)
    try:
        return _with_options(Scenario.parse(empty.text), wish)
    except ScenarioError as error:
        raise UsageError(_told(error)) from error


def _told(error: ScenarioError) -> str:
    problems = (
        f"{each.message}\n  {each.suggestion}" if each.suggestion else each.message
        for each in error.problems
    )
    return "\n".join(problems)


def _with_options(scenario: Scenario, wish: Wish) -> Scenario:
    return scenario.with_options(
        seed=wish.seed, workers=wish.workers, requests=wish.requests, python=wish.python
    )


def _named(wish: Wish, sight: Sight) -> Sight:
    """The sight under the name that the user gave, with a word of what was chosen."""
    place, separator, _ = _split(wish.target)
    if separator:
        return replace(sight, app=wish.target)
    attribute = sight.app.rpartition(":")[2]
    app = f"{place}:{attribute}" if place.endswith(".py") else sight.app
    return replace(sight, app=app, chosen=f"{wish.target} was taken for {app}")


def _failed(outcome: CellOutcome) -> TargetError:
    ending = outcome.history.ending
    if ending is None:
        return TargetError("the target's process ended before it was looked at")
    told = ending.message
    if ending.kind != "import":
        told = f"the target's process ended before it was looked at: {ending.kind}: {told}"
    lines = [told, *(f"  {line}" for line in ending.hint.splitlines())]
    error = TargetError(as_options(mask("\n".join(lines))))
    for note in (*ending.stacks, outcome.stderr_tail):
        error.add_note(mask(note))
    return error


def _frame(wish: Wish, sight: Sight, words: Sequence[str]) -> Frame:
    return Frame(
        app=sight.app,
        path=wish.path,
        workers=tuple(words),
        requests=REQUESTS,
        shared=wish.shared,
        keeps=wish.keeps,
    )


def _served(wish: Wish, sight: Sight) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The workers that suit, and of them those that the interpreter cannot serve."""
    words = drafting.suited(sight)
    missing = () if wish.workers is not None else tuple(_unserved(_shell(wish), words))
    return tuple(word for word in words if word not in missing), missing


def _unserved(shell: Scenario, words: Sequence[str]) -> Iterator[str]:
    for word in words:
        workers = Workers.parse(word)
        if workers.needs_gevent:
            plan = Plan("", _RUN, 1, 0, plans.Target(""), workers, ())
            try:
                equip(Job(Cell("auto", workers), plan, python(shell)))
            except TargetError:
                yield word


def _origin(wish: Wish, sight: Sight, made: Draft, missing: Sequence[str]) -> Origin:
    chosen = [sight.chosen] if sight.chosen else []
    init = shlex.join(["ctxsim", "init", wish.target, *_path_words(wish)])
    left_out = [f"{word} needs gevent, which the interpreter has not" for word in missing]
    if wish.workers is None:
        left_out += (f"{word}: {why}" for word, why in drafting.unserved(sight).items())
    return Origin(
        command=("ctxsim", "check", *_command(wish)),
        notes=(*chosen, made.sent, *made.notes, f"to keep what was sent as a scenario: {init}"),
        not_covered=(*made.not_covered, *left_out),
        nothing=made.nothing.replace("TARGET", wish.target),
    )


def _path_words(wish: Wish) -> list[str]:
    return [] if wish.path == "." else ["--path", wish.path]


def _command(wish: Wish) -> Iterator[str]:
    yield wish.target
    yield from _path_words(wish)
    if wish.unsafe:
        yield "--unsafe"
    if wish.budget_s != BUDGET_S:
        yield from ("--budget", f"{wish.budget_s:g}s")
    for option, values in (("--shared", wish.shared), ("--keeps", wish.keeps)):
        for value in values:
            yield from (option, value)
