"""A look at an application: what it is, its routes, what they read, and how they answer alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from ctxsim.cell.history import Where
from ctxsim.cell.looking import finding, served
from ctxsim.cell.looking.found import Found
from ctxsim.cell.looking.handing import follow_calls
from ctxsim.cell.looking.loops import Loops
from ctxsim.cell.looking.named_paths import compared_paths, literal_paths
from ctxsim.cell.looking.names import Names
from ctxsim.cell.looking.paths import is_filled, likely_paths
from ctxsim.cell.looking.routes import found_routes, of_methods, place_of
from ctxsim.cell.looking.sources import Source, application_sources, mentions
from ctxsim.cell.looking.surroundings import facts
from ctxsim.cell.looking.suspects import notes_of
from ctxsim.cell.looking.trials import Trials
from ctxsim.cell.messages import Message
from ctxsim.cell.open_load import Evenly
from ctxsim.cell.plan import Look, Plan, Workers
from ctxsim.cell.sights import NO_SUCH_PAGE, Note, Read, Route, Sight
from ctxsim.cell.targets.http import Http
from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.reasons import Logged
from ctxsim.cell.workers import models
from ctxsim.cell.workers.carry import Crew
from ctxsim.cell.workers.models import Model

# Cookies that frameworks carry their own session in, and what they hold against forged requests.
_OWN_COOKIES = ("session", "sessionid", "csrftoken", "_csrf")
_UNFILLED = "its path has a pattern that could not be filled"
_FIRST = Route("GET", "/")
_MOST_BESIDES = 12


def settled(plan: Plan) -> Plan:
    """The plan with the application that is meant where only a module was named."""
    return replace(plan, target=finding.settled(plan.target))


class Looking:
    """One look: it takes the place of the crew's traffic, and knows what it saw at the end."""

    def __init__(
        self,
        plan: Plan,
        crew: Crew,
        say: Callable[[Message], None],
        sleep: Callable[[float], None],
    ) -> None:
        assert plan.look is not None
        loops = Loops()
        if isinstance(crew.target, Http):
            self._seen, routes, common = _of_server(plan, plan.look, crew.target)
        else:
            self._seen, routes, common = _of_application(plan, plan.look, crew)
            # An asynchronous application is itself carried by a loop.
            if self._seen.kind != "asgi":
                loops.watch()
        logged = Logged()
        logging.getLogger().addHandler(logged)
        rate_per_s = plan.load.rate_per_s
        self.trials = Trials(
            [] if plan.look.doctor or self._seen.undocumented else [*routes, NO_SUCH_PAGE],
            common,
            plan.look,
            session=(crew.target.session_cookie, *_OWN_COOKIES),
            user=Traffic(plan, crew.clock).users[0],
            loops=loops,
            clock=crew.clock,
            say=say,
            pace=None if rate_per_s is None else Evenly(rate_per_s, crew.clock, sleep),
            logged=logged.take,
            follows=not self._seen.framework,
        )

    def sight(self) -> dict[str, Any]:
        return self.trials.sight(self._seen)


def _of_server(plan: Plan, look: Look, target: Http) -> tuple[Sight, list[Route], Iterable[Read]]:
    """What is known of a server before it is tried: what its document tells."""
    described = served.described(target, plan, look)
    sight = Sight(
        plan.target.app,
        "http",
        "OpenAPI",
        undocumented=described.missing,
        unread=described.unread,
    )
    return sight, list(described.routes), []


def _of_application(
    plan: Plan, look: Look, crew: Crew
) -> tuple[Sight, list[Route], Iterable[Read]]:
    """What is known of an application before it is tried, and what all its routes read."""
    sources = application_sources()
    follow_calls(sources)
    framework, found = found_routes()
    names = Names(sources)
    told = _routes(found, names)
    if told:
        routes = [*told, *_besides(told, sources)]
    else:
        # A path that the source names may be that of a method, of which more is known.
        guessed = {route.name: route for route in _guessed(sources, look)}
        pages = {page.name: page for page in _pages(plan, names)}
        named = {name: replace(pages[name], is_guess=False) for name in pages.keys() & guessed}
        routes = list({**pages, **guessed, **named}.values())
    common = names.elsewhere({(r.view.file, r.view.line) for r in routes if r.view})
    sight = Sight(
        plan.target.app,
        crew.target.facts["kind"],
        framework,
        notes=_notes(sources) if look.doctor else (),
        facts=tuple(facts(crew.target.facts).items()) if look.doctor else (),
    )
    return sight, [] if look.doctor else routes, common


def _notes(sources: list[Source]) -> tuple[Note, ...]:
    return tuple(notes_of(sources))


def model_for(crew: Crew) -> Model:
    """The model that sends one request after the other to this kind of application."""
    if crew.target.facts["kind"] == "asgi":
        crew.plan = replace(crew.plan, workers=Workers.parse("tasks:1"))
    return models.of(crew.workers)


def _routes(found: list[Found], names: Names) -> list[Route]:
    routes = []
    for each in found:
        view = place_of(each.view) if each.view is not None else None
        read = None if view is None else names.of_function(view.file, view.line)
        if view is None or each.method == "GET" or _takes(each, view, read, names):
            declared = each.reads
            if view is not None and declared:
                words_of = names.compared_with(view.file, view.line)
                declared = tuple(_with_words(one, words_of) for one in declared)
            reads = tuple(dict.fromkeys((*declared, *(read or ()))))
            wants = each.wants or ("" if is_filled(each.path) else _UNFILLED)
            known = view if read is not None else None
            words = () if known is None else names.compared_arguments(known.file, known.line)
            arguments = () if known is None else names.arguments(known.file, known.line)
            texts = likely_paths(each.path, arguments)
            routes.append(
                Route(
                    each.method,
                    each.path,
                    reads,
                    known,
                    wants,
                    words,
                    texts,
                    arguments=arguments,
                    is_exact=each.is_exact,
                )
            )
    return list({route.name: route for route in routes}.values())


def _with_words(read: Read, words_of: Mapping[str, tuple[str, ...]]) -> Read:
    """What a document tells of, with the texts that the application compares it with."""
    words = words_of.get(read.name.lower()) or words_of.get(read.name.lower().replace("-", "_"))
    return replace(read, words=words) if words and read.kind == "text" else read


def _takes(found: Found, view: Where, read: tuple[Read, ...] | None, names: Names) -> bool:
    """Whether a view answers a method that its framework cannot tell it does."""
    if not found.is_guess:
        return True
    bodies = any(each.place in ("form", "file", "json") for each in read or ())
    return bodies or names.mentions(view.file, view.line, found.method)


def _besides(told: list[Route], sources: list[Source]) -> list[Route]:
    """Paths that no framework tells, since what is put around the application answers them.

    A health check or a page of metrics runs on the same workers, and sees what they were left with.
    """
    known = {"/", *(route.path for route in told)}
    paths = [path for path in compared_paths(sources) if path not in known]
    return [Route("GET", path, is_guess=True) for path in paths[:_MOST_BESIDES]]


def _pages(plan: Plan, names: Names) -> list[Route]:
    methods = list(of_methods(finding.application_of(plan.target)))
    return [replace(each, is_guess=True) for each in _routes(methods, names)]


def _guessed(sources: list[Source], look: Look) -> list[Route]:
    """Routes of an application that cannot be asked: the paths that its source names."""
    paths = literal_paths(sources)
    guessed = [_FIRST]
    for path in paths:
        guessed.append(Route("GET", path))
        if path.endswith("/") and path != "/":
            guessed.append(Route("GET", f"{path}{{canary}}"))
        if look.unsafe and any(mentions(source.tree, "POST") for source in sources):
            guessed.append(Route("POST", path))
    return list(dict.fromkeys(guessed))
