"""check(target) -> Outcome: a scenario is drafted from a look at the application."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ctxsim.cell import plan as plans
from ctxsim.cell.plan import Look, Plan, Workers
from ctxsim.cell.sights import Sight
from ctxsim.cells import Job, Tell
from ctxsim.cells.interpreter import equip
from ctxsim.errors import TargetError
from ctxsim.jobs import Options, Origin, run_of, seed_of
from ctxsim.looks import BUDGET_S, Wish, look, of_server, shell, split, with_options
from ctxsim.scenario import Cell, Scenario, drafting, python
from ctxsim.scenario.drafting import Draft, Frame
from ctxsim.simulation import Outcome, simulate

REQUESTS = 2000
STALL_S = 10.0
# A search may tell why cells hang, if they leave it the time.
_STALL_SHARE = 0.25
# By then all should be over; what is not is stopped in time for its last word, within the budget.
_PLANNED_SHARE = 0.95
_LAST_WORD_SHARE = 0.1
_NO_SEARCH = "unlucky orders that no load has met: no schedule controls a server, another process"


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
    openapi: str | None = None,
    rate: str | None = None,
    ca: str | None = None,
    options: Options | None = None,
    progress: Tell | None = None,
) -> Outcome:
    """Find an application's routes, send users and visitors through them, and say what leaks.

    `target` is `module:attribute`, `path/to/file.py:attribute`, `module:factory()`, or a module or
    file in which the application is searched for; or the URL of a server, whose `openapi` document
    tells its routes. `budget_s` bounds the whole in seconds, and `rate` what a server is sent; the
    certificates in the file `ca` are trusted, too.
    Raises UsageError, or TargetError if the target cannot be imported or reached.
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
        openapi,
        rate,
        ca,
    )
    scenario, bounded = prepared(wish, options or Options(stall_s=STALL_S))
    return simulate(scenario, options=bounded, progress=progress)


def prepared(wish: Wish, options: Options) -> tuple[Scenario, Options]:
    """The scenario that a check runs, and how; the application is looked at for that."""
    started = time.monotonic()
    if wish.is_server:
        bare = shell(wish)
        options = replace(options, run=run_of(bare, seed_of(bare)))
    sight = look(wish, Look(unsafe=wish.unsafe), options)
    if sight.undocumented:
        raise TargetError(sight.undocumented.replace("TARGET", wish.target))
    words, missing = _served(wish, sight)
    made = drafting.draft(sight, _frame(wish, sight, words))
    scenario = with_options(Scenario.parse(made.text), wish)
    last_word_s = min(options.limits.last_word_s, _LAST_WORD_SHARE * wish.budget_s)
    at_latest = started + wish.budget_s - last_word_s
    return scenario, replace(
        options,
        until=min(started + _PLANNED_SHARE * wish.budget_s, at_latest),
        at_latest=at_latest,
        limits=replace(options.limits, last_word_s=last_word_s),
        stall_s=min(options.stall_s, STALL_S, _STALL_SHARE * wish.budget_s),
        searches=not wish.is_server,
        origin=_origin(wish, sight, made, missing),
    )


def drafted(wish: Wish, folder: Path, options: Options) -> Draft:
    """A scenario to be written into `folder`: its paths count from there."""
    sight = look(wish, Look(unsafe=wish.unsafe), options)
    frame = _frame(wish, sight, drafting.suited(sight))
    if wish.is_server:
        if wish.ca is not None:
            frame = replace(frame, ca=os.path.relpath(wish.ca, folder))
        made = drafting.draft(sight, frame)
        # Whoever writes a scenario by hand needs no document.
        return replace(made, sent=sight.undocumented.partition("\n")[0] or made.sent)
    place, _, attribute = frame.app.rpartition(":")
    if place.endswith(".py"):
        frame = replace(frame, app=f"{os.path.relpath(place, folder)}:{attribute}")
    if wish.python is not None:
        frame = replace(frame, python=os.path.relpath(wish.python, folder))
    return drafting.draft(sight, replace(frame, path=os.path.relpath(wish.path, folder)))


def examined(wish: Wish) -> Sight:
    """What is told of an application that was imported and sent nothing; raises TargetError."""
    split(wish.target)
    return look(wish, Look(doctor=True), Options())


def _frame(wish: Wish, sight: Sight, words: Sequence[str]) -> Frame:
    if wish.is_server:
        return of_server(wish, tuple(words), REQUESTS)
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
    missing = () if wish.workers is not None else tuple(_unserved(shell(wish), words))
    return tuple(word for word in words if word not in missing), missing


def _unserved(bare: Scenario, words: Sequence[str]) -> Iterator[str]:
    for word in words:
        workers = Workers.parse(word)
        if workers.needs_gevent:
            plan = Plan("", "00000000", 1, 0, plans.Target(""), workers, ())
            try:
                equip(Job(Cell("auto", workers), plan, python(bare)))
            except TargetError:
                yield word


def _origin(wish: Wish, sight: Sight, made: Draft, missing: Sequence[str]) -> Origin:
    chosen = [sight.chosen] if sight.chosen else []
    init = shlex.join(["ctxsim", "init", wish.target, *_target_words(wish)])
    left_out = [f"{word} needs gevent, which the interpreter has not" for word in missing]
    if wish.workers is None:
        left_out += (f"{word}: {why}" for word, why in drafting.unserved(sight).items())
    return Origin(
        command=("ctxsim", "check", *_command(wish)),
        notes=(*chosen, made.sent, *made.notes, f"to keep what was sent as a scenario: {init}"),
        not_covered=(*made.not_covered, *left_out, *((_NO_SEARCH,) if wish.is_server else ())),
        doubts=made.doubts,
        nothing=made.nothing.replace("TARGET", wish.target),
        kind=sight.kind,
    )


def _target_words(wish: Wish) -> Iterator[str]:
    """The options without which the target would not be found, or its routes not be sent."""
    if wish.path != ".":
        yield from ("--path", wish.path)
    if wish.unsafe:
        yield "--unsafe"
    for option, value in (("--openapi", wish.openapi), ("--rate", wish.rate), ("--ca", wish.ca)):
        if value is not None:
            yield from (option, value)


def _command(wish: Wish) -> Iterator[str]:
    yield wish.target
    yield from _target_words(wish)
    if wish.budget_s != BUDGET_S:
        yield from ("--budget", f"{wish.budget_s:g}s")
    for option, values in (("--shared", wish.shared), ("--keeps", wish.keeps)):
        for value in values:
            yield from (option, value)
