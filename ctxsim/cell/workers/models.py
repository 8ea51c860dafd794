"""The worker models by name, and the crew that carries a plan's requests."""

from __future__ import annotations

import importlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import copy_context
from dataclasses import dataclass

from ctxsim import switchpoint
from ctxsim.cell.crowd import Crowd
from ctxsim.cell.history import Event, in_what
from ctxsim.cell.messages import Channel
from ctxsim.cell.open_load import OpenTraffic
from ctxsim.cell.patching import Native, patched_time
from ctxsim.cell.plan import Plan, Workers
from ctxsim.cell.targets import (
    AsyncTarget,
    Runner,
    Target,
    django,
    importing,
    is_asynchronous,
    opening,
)
from ctxsim.cell.targets.http import Http
from ctxsim.cell.visits import Request, Traffic
from ctxsim.cell.witness.again import Again
from ctxsim.cell.witness.alone import Comparison, Examiner, Settled
from ctxsim.cell.witness.answers import Answers, Owner
from ctxsim.cell.witness.background import Background
from ctxsim.cell.witness.census import Census
from ctxsim.cell.witness.earlier import Earlier
from ctxsim.cell.witness.escapes import Escapes
from ctxsim.cell.witness.inside import Inside
from ctxsim.cell.witness.learning import Learner
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.origins import Origins
from ctxsim.cell.witness.own_words import OwnWords
from ctxsim.cell.witness.probes import Probes
from ctxsim.cell.witness.record import Current, Record
from ctxsim.cell.witness.residue import Residue
from ctxsim.cell.witness.wire import Wire
from ctxsim.cell.workers.carry import Crew, waited
from ctxsim.cell.workers.ended import Ended
from ctxsim.cell.workers.pauses import Pauses, brief
from ctxsim.errors import UnsuitedError


@dataclass(frozen=True, slots=True)
class Model:
    """One worker model: the function that runs a crew, and what blocking is in it.

    `runner` makes what has the loop of an asynchronous application, where that is not asyncio's.
    """

    run: Callable[[Crew], None]
    greenlets: bool
    runner: Callable[[], Runner] | None = None

    def pause(self, native: Native) -> Callable[[float], None]:
        # An application may patch itself; then its threads are greenlets in any model.
        if not self.greenlets and not patched_time():
            return native.sleep
        from gevent import sleep  # noqa: PLC0415 - only cells with greenlets need gevent

        return sleep


# Of a load that loses more than this share with its connections, too little is known.
_MOST_LOST = 0.05
# So many routes, and reasons, are named.
_MOST_TOLD = 4

# Where each model's `run` is; imported when it is needed, since only greenlets need gevent.
_PLACES = {
    "sync": ("sync", "run"),
    "threads": ("threads", "run"),
    "greenlets": ("greenlets", "run"),
    "threads x greenlets": ("greenlets", "run_crossed"),
    "tasks": ("tasks", "run"),
}


def of(workers: Workers) -> Model:
    """The model that a workers word names."""
    module, name = _PLACES[workers.model]
    run = getattr(importlib.import_module(f"ctxsim.cell.workers.{module}"), name)
    return Model(run, workers.needs_gevent)


def carry_all(crew: Crew, model: Model) -> None:
    """Have the crew carry all its requests."""
    if is_asynchronous(crew.target):
        from ctxsim.cell.workers import asgi  # noqa: PLC0415 - only such targets need asyncio

        crew.target.run(asgi.carry_all(crew))
    else:
        model.run(crew)


def finish(crew: Crew) -> Iterator[str]:
    """End what a load has left open, once all was sent; gives what is to be told of it."""
    if isinstance(crew.traffic, OpenTraffic):
        crew.tallies.append(waited(crew.traffic.unsent_s()))
        yield from crew.traffic.missed()
    if crew.comparison is not None:
        yield from crew.comparison.given_twice.told()
    if isinstance(crew.target, Http):
        yield from crew.target.close()


def doubts(crew: Crew) -> Iterator[str]:
    """Why what was sent tells too little."""
    yield from crew.answers.expected.doubts()
    if not isinstance(crew.target, Http):
        return
    yield from crew.target.earlier.doubts()
    sent = sum(each.requests for each in crew.tallies)
    if crew.target.lost > _MOST_LOST * sent:
        yield f"{crew.target.lost:,} of {sent:,} requests were lost with connections that ended"
    if crew.target.unanswered:
        yield _unanswered(crew.target.unanswered, sent)
    if given_up := crew.target.patience.given_up:
        were = "was" if len(given_up) == 1 else "were"
        yield f"{', '.join(given_up)} answered nothing any more, and {were} not sent any longer"


def _unanswered(unanswered: Counter[tuple[str, str]], sent: int) -> str:
    routes: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for (route, reason), count in unanswered.items():
        routes[route] += count
        reasons[reason] += count
    why, which = (
        ", ".join(f"{name} x {n:,}" for name, n in each.most_common(_MOST_TOLD))
        for each in (reasons, routes)
    )
    more = len(routes) - _MOST_TOLD
    which = f"{which} and {more} more" if more > 0 else which
    return f"{unanswered.total():,} of {sent:,} requests got no answer ({why}): {which}"


def close(crew: Crew) -> None:
    """Have the application shut down, where it knows of such a thing."""
    if is_asynchronous(crew.target):
        crew.target.close()


def _refuse_unsuited(plan: Plan) -> None:
    if not plan.workers.suits_asgi:
        raise UnsuitedError(
            f"{plan.workers.word} cannot carry {plan.target.app}: it is an ASGI application",
            "its requests are tasks; write workers: sync, tasks:N or tasks:N:empty",
        )


def _opened(
    plan: Plan, model: Model, current: Current, sleep: Callable[[float], None]
) -> Target | AsyncTarget:
    if plan.is_remote:
        current.settle(by_context=False)
        return Http(plan, sleep)
    opening.select_storage(plan.target)
    target = opening.open_target(plan.target, current)
    django.listen(current)
    if plan.look is not None:
        # It reads the views before it sends anything.
        django.load()
    is_asgi = is_asynchronous(target)
    if is_asynchronous(target):
        _refuse_unsuited(plan)
        if model.runner is not None:
            target.runner = model.runner()
    importing.check_names(plan)
    current.settle(by_context=is_asgi)
    if patched_time() and not model.greenlets:
        target.facts["patched"] = "by the application itself: its threads are greenlets"
    return target


def blocking(plan: Plan, native: Native, model: Model, pauses: Pauses) -> Callable[[float], None]:
    """What `ctxsim.pause` does in this cell."""
    sleep = model.pause(native)
    return pauses.around(brief(sleep) if plan.learning else sleep)


def crew(plan: Plan, channel: Channel, native: Native, model: Model, pauses: Pauses) -> Crew:
    """Import the application and put everything together that carries and watches its requests."""
    ours = native.thread_local()
    current = Current(ours)
    target = _opened(plan, model, current, model.pause(native))
    traffic = _traffic(plan, model.pause(native), is_asgi=is_asynchronous(target))
    marks = Marks(plan, len(traffic.users), lambda: traffic.latest)
    record = Record(channel.say, native.allocate_lock())
    background = Background(current, record, native)
    origins = _origins(plan, marks, record, current, native)
    owner = Owner(plan, traffic, marks, importing.resolve)
    residue = None if plan.is_remote else Residue(owner, record, native, ours)
    learner, comparison = _of_answers(plan, traffic, record, owner)
    remote = _wire(target, plan, record, marks), _earlier(target, plan)
    examiner = _settled(plan, learner or comparison)
    answers = Answers(marks, owner, record, target.session_cookie, examiner, *remote)
    answers.again = _again(plan, marks, comparison)
    live: dict[Request, object] = {}
    inside, probes = None, _probes(plan, traffic, owner, record)
    if target.view is not None and residue is not None:
        inside = Inside(target.view, current, record, owner, live, native)
        inside.probes, inside.errs = probes, plan.faults.error > 0
        residue.more = target.view.held
        _listen(target, inside, Escapes(target.view, current, record, live), background)
    listening = inside.listen if inside else None
    switchpoint.drive(blocking=blocking(plan, native, model, pauses), listening=listening)
    pauses.watch(current, inside, probes, kills=not model.greenlets)
    if is_asynchronous(target):
        target.start()
    return Crew(
        plan=plan,
        target=target,
        traffic=traffic,
        answers=answers,
        residue=residue,
        origins=origins,
        census=_census(plan, traffic, record, owner, origins),
        inside=inside,
        probes=probes,
        record=record,
        current=current,
        clock=time.perf_counter,
        imported_in=copy_context(),
        live=live,
        tallies=[],
        background=background,
        on_resume=_asked_on_resume(probes, inside, current),
        learner=learner,
        comparison=comparison,
    )


def follow(crew: Crew) -> None:
    """Take up what befalls a load whose end, or whose users, are not known beforehand."""
    if crew.plan.awaited:
        _end_when_seen(crew)
    if isinstance(crew.target, Http) and isinstance(crew.traffic, Traffic):
        crew.target.patience.on_give_up = crew.traffic.leave_out
    if not isinstance(crew.traffic, Crowd):
        return
    crew.ended = Ended()
    crew.record.on_event = crew.ended.befell
    knowing = (crew.answers.marks, crew.comparison, crew.probes)
    crew.traffic.on_more = [each.expect for each in knowing if each is not None]


def _end_when_seen(crew: Crew) -> None:
    """End what is carried to see whether something shows alone, once all of that has."""
    awaited = set(crew.plan.awaited)

    def seen(event: Event) -> None:
        awaited.discard((event.victim.route, in_what(event.place)))
        if not awaited:
            crew.traffic.stop()

    crew.record.on_event = seen


def _traffic(plan: Plan, sleep: Callable[[float], None], *, is_asgi: bool) -> Traffic:
    # A loop must not be held up: its requests are asked for again by a timer.
    has_loop = is_asgi or plan.workers.model == "tasks"
    wait = None if has_loop else sleep
    if plan.load.live:
        return Crowd(plan, time.perf_counter, wait)
    if plan.load.rate_per_s is None:
        return Traffic(plan, time.perf_counter, wait, asks_again=has_loop)
    return OpenTraffic(plan, time.perf_counter, sleep)


def _origins(plan: Plan, marks: Marks, record: Record, current: Current, native: Native) -> Origins:
    origins = Origins(plan, marks, record, current, native.allocate_lock)
    if plan.has_findings and not plan.is_remote:
        # Of what is no finding, nobody is told where it is kept: to search would be most of a
        # lesson's time.
        record.on_early = origins.search
    return origins


def _wire(target: Target | AsyncTarget, plan: Plan, record: Record, marks: Marks) -> Wire | None:
    """What judges connections; None where none are used."""
    if not isinstance(target, Http):
        return None
    target.wire = Wire(record, marks, [each.route for each in plan.steps])
    return target.wire


def _earlier(target: Target | AsyncTarget, plan: Plan) -> Earlier | None:
    """What knows values of earlier runs; None where nothing outlives a run."""
    if not isinstance(target, Http):
        return None
    target.earlier = Earlier(plan)
    return target.earlier


def _census(
    plan: Plan, traffic: Traffic, record: Record, owner: Owner, origins: Origins
) -> Census | None:
    if plan.is_remote or not plan.retention:
        return None
    return Census(plan, traffic, record, importing.resolve, owner, origins)


def _listen(
    target: Target | AsyncTarget, inside: Inside, escapes: Escapes, background: Background
) -> None:
    assert target.view is not None
    target.watch(inside)
    target.view.listen(escapes.heard)
    background.listen()


def _settled(plan: Plan, examiner: Examiner | None) -> Examiner | None:
    return Settled(examiner) if examiner is not None and plan.one_by_one else examiner


def _of_answers(
    plan: Plan, traffic: Traffic, record: Record, owner: Owner
) -> tuple[Learner | None, Comparison | None]:
    """What learns how requests are answered alone, or compares each answer with that."""
    own_words = OwnWords(plan, traffic)
    if plan.learning:
        return Learner(own_words, plan.situations, lambda: record.ended), None
    if plan.learnt is None:
        return None, None
    return None, Comparison(plan, own_words, record, len(traffic.users), owner.is_shared_route)


def _again(plan: Plan, marks: Marks, comparison: Comparison | None) -> Again | None:
    """What knows answers again; None where all have a part in what is learnt, or are few."""
    if plan.is_remote or plan.learning or plan.one_by_one or not plan.steps:
        return None
    if plan.search is not None:
        return None
    return Again(plan, marks, comparison)


def _asked_on_resume(
    probes: Probes | None, inside: Inside | None, current: Current
) -> list[Callable[[], object]]:
    if probes is None:
        return []

    def ask() -> None:
        request = current.get()
        # Where hooks are known: what they set for each request is the last one's until they ran.
        if request is not None and (inside is None or request.hooked):
            probes.look(request, "when it went on")

    return [ask]


def _probes(plan: Plan, traffic: Traffic, owner: Owner, record: Record) -> Probes | None:
    named = [(name, importing.probe(name)) for name in plan.probes]
    return Probes(named, traffic, owner, record) if named else None
