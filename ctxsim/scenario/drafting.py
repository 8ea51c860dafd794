"""A scenario that nobody wrote: drafted from what a look at the application saw."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ctxsim.cell.looking.attempts import VARS
from ctxsim.cell.looking.ways_in import asks_in, ends_stay, lets_out, logins, registers
from ctxsim.cell.sights import NO_SUCH_PAGE, NO_TIME, UNSAFE, Route, Sight, Trial, Tried
from ctxsim.scenario.drafted_flows import (
    Flow,
    complete,
    enter_once,
    of_slow,
    own_things,
    without_slow,
    without_those_in,
)

WSGI_WORKERS = (
    "sync", "threads:8", "threads:8:fresh", "threads:8:copied", "greenlets:50", "tasks:20",
    "tasks:20:to_thread", "tasks:20:executor",
)  # fmt: skip
ASGI_WORKERS = ("tasks:50", "tasks:50:empty")
# Clients: how requests are served is the server's matter. One by one, the order alone decides.
HTTP_WORKERS = ("sync", "greenlets:50")
_DJANGO, _INLINE, _GREENLETS = "Django", "tasks:20", "greenlets:50"

# Longer visits would seldom come to their end within a cell's requests.
_LONGEST_VISIT = 10
_MOST_SINGLE, _MOST_ODD = 24, 10
_MOST_ODD_OF_ROUTE = 3
# Of those who are let in slowly, all are at work soon: in so many seconds, if they come one by one.
_FEW_USERS, _FEWEST_USERS = 10, 4
_ALL_IN_S = 2.0
_ODD_WEIGHT, _VISIT_WEIGHT, _SINGLE_WEIGHT = 0.2, 2.0, 3.0
# Of each the best one is sent.
_VARIANTS = ("carried", "full", "other values", "short", "own", "nobody", "same", "again", "bare")
_FIRST_ERROR, _NOT_FOUND, _SERVER_ERROR = 400, 404, 500
_REDIRECTION = 300
# What stands before all routes may ask for patience (RFC 6585, RFC 9110).
_OF_NO_PAGE = [_NOT_FOUND, 429, 503]
_NO_ROUTES = (
    "no routes were found, so nothing was sent; does TARGET name the whole application? "
    "If it does, `ctxsim init TARGET` writes a scenario with a place for requests, and "
    "`ctxsim run` sends them"
)
_NO_ROUTES_OF_SERVER = (
    "the OpenAPI document tells no routes, so nothing was sent; `ctxsim init TARGET` writes a "
    "scenario with a place for requests, and `ctxsim run` sends them"
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a drafted scenario says besides its requests.

    Of a server there is the `url` in place of an `app`; with a `rate`, its load lasts `duration_s`.
    """

    app: str = ""
    path: str = "."
    python: str | None = None
    workers: tuple[str, ...] = ()
    requests: int = 1000
    shared: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()
    url: str = ""
    rate: str | None = None
    ca: str | None = None
    duration_s: float = 0.0

    @property
    def target(self) -> str:
        return self.url or self.app


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted scenario. `sent` tells how much of the application it covers.

    `nothing` says that no routes were found, where none were; `doubts` why no outcome can be called
    clean.
    """

    text: str
    sent: str
    notes: tuple[str, ...]
    not_covered: tuple[str, ...]
    nothing: str = ""
    doubts: tuple[str, ...] = ()


def suited(sight: Sight) -> tuple[str, ...]:
    """The workers under which an application such as this is served, or that are its clients."""
    if sight.kind == "asgi":
        return ASGI_WORKERS
    if sight.kind == "http":
        return HTTP_WORKERS
    return tuple(word for word in WSGI_WORKERS if word not in unserved(sight))


def unserved(sight: Sight) -> dict[str, str]:
    """The workers that would do for others of its kind, and why not for this one."""
    if sight.kind in ("asgi", "http"):
        return {}
    reasons = {}
    if sight.framework == _DJANGO:
        reasons[_INLINE] = "Django does not let its database be used where a loop runs"
    if sight.looping:
        # asyncio knows one running loop for each thread of the operating system.
        told = f"{sight.looping} runs an event loop of its own"
        reasons[_GREENLETS] = f"{told}, which fails while another greenlet's runs"
        reasons[_INLINE] = f"{told}, which is refused where one runs already"
    return reasons


def draft(sight: Sight, frame: Frame) -> Draft:
    """The scenario that sends the routes of `sight` in the ways that were answered best."""
    known = [each for each in sight.routes if not _is_no_route(each, sight)]
    flows = _flows(known, _missing_page(sight))
    return Draft(
        text="".join(f"{line}\n" for line in _lines(sight, frame, flows)),
        sent=_sent(known),
        notes=tuple(_notes(known)),
        not_covered=(*_not_covered(known), *_stays(known, flows)),
        nothing=_nothing(sight) if not known and _answers_nothing(sight) else "",
        doubts=tuple(_doubts(known)),
    )


def _doubts(known: Sequence[Tried]) -> Iterator[str]:
    untried = sum(each.why == NO_TIME for each in known)
    if untried:
        were = "1 route was" if untried == 1 else f"{untried} routes were"
        yield f"{were} not tried in the time there was; raise the budget"
    sent = [each for each in known if each.trials]
    if known and not sent and not untried and not all(each.why == UNSAFE for each in known):
        yield "no route could be sent, so nothing is known of any"
    failed = [each for each in sent if not _was_well(each)]
    if 2 * len(failed) > len(sent):
        which = "the one route was"
        if len(sent) > 1:
            which = f"{len(failed)} of {len(sent)} routes were"
        yield (
            f"{which} never answered well, however sent; `ctxsim init` writes a scenario in "
            "which you can say what is wanted"
        )
    unsafe = sum(each.why == UNSAFE for each in known)
    if unsafe and not any(each.trials for each in known):
        may = "1 route may change things" if unsafe == 1 else f"{unsafe} routes may change things"
        yield f"no route was sent: {may}; --unsafe sends what may"


def _nothing(sight: Sight) -> str:
    return _NO_ROUTES_OF_SERVER if sight.kind == "http" else _NO_ROUTES


def _answers_nothing(sight: Sight) -> bool:
    # A hook, or a page of its own for what is missing, may answer where no route does.
    trials = [trial for tried in sight.routes for trial in tried.trials]
    return all(_is_missing(trial) and not trial.echoes for trial in trials)


def _is_no_route(tried: Tried, sight: Sight) -> bool:
    """Whether it is a text of the source that turned out to be no path of the application's."""
    if tried.route == NO_SUCH_PAGE:
        return True
    return (
        (tried.route.is_guess or not sight.framework)
        and bool(tried.trials)
        and all(trial.status == _NOT_FOUND for trial in tried.trials)
    )


def _missing_page(sight: Sight) -> list[tuple[Tried, Trial]]:
    asked = [(tried, trial) for tried in sight.routes for trial in tried.trials]
    return [(t, trial) for t, trial in asked if t.route == NO_SUCH_PAGE and _is_missing(trial)]


def _is_missing(trial: Trial) -> bool:
    return trial.status == _NOT_FOUND and not trial.error


def _flows(known: Sequence[Tried], missing: list[tuple[Tried, Trial]]) -> list[Flow]:
    lets_in = logins(tried.route for tried in known)
    fine = [(tried, trial) for tried in known for trial in _chosen(tried)]
    ways_in = without_those_in(fine, lets_in)
    logging_in = [each for each in fine if each[0].route in lets_in]
    first = _taken_first([each for each in ways_in if each in logging_in] or logging_in)
    entry = _entry([*ways_in, *fine, *_refused(known)], first[:1])
    fine = [each for each in fine if each in entry or each not in logging_in]
    fine, slow = without_slow(fine, entry)
    flows = [
        Flow(f"visit{number or ''}", _VISIT_WEIGHT, part)
        for number, part in enumerate(_visits(fine, entry))
    ]
    single = [each for each in fine if each[1].echoes and each not in entry] or fine
    single = [each for each in single if not lets_out(each[0].route.path)][:_MOST_SINGLE]
    for number, each in enumerate(single, 1):
        weight = round(max(_SINGLE_WEIGHT / len(single), 0.1), 2)
        flows.append(Flow(f"only{number}", weight, (*_entry_before(entry, each), each)))
    flows.extend(of_slow(slow, entry, tuple(flows), _VISIT_WEIGHT))
    if odd := _all_odd(known)[:_MOST_ODD]:
        # How a request fails depends on whether its user is known.
        odd = [*entry, *(each for each in odd if each not in entry)]
        flows.append(Flow("odd", _ODD_WEIGHT * (1 if fine else 5), tuple(odd)))
    if missing and flows:
        flows.append(Flow("missing", _ODD_WEIGHT, tuple(missing)))
    return list(enter_once(complete(flows, known), entry))


def _refused(known: Sequence[Tried]) -> Iterator[tuple[Tried, Trial]]:
    """Registering that was refused: an earlier look may have left behind who is known already."""
    for tried in filter(lambda each: registers(each.route), known):
        for trial in tried.trials[:1]:
            if _FIRST_ERROR <= trial.status < _SERVER_ERROR:
                yield tried, trial


def _entry(
    sent: list[tuple[Tried, Trial]], logging_in: list[tuple[Tried, Trial]]
) -> tuple[tuple[Tried, Trial], ...]:
    """What lets a user in; where the application has users register, they do so before.

    Which visit is a user's first is left to chance, so each begins with that: where one only logged
    in, a user's first login would fail, and only the later ones would not.
    """
    registering = [each for each in sent if registers(each[0].route)] if logging_in else []
    return (*_taken_first(registering)[:1], *logging_in)


def _taken_first(ways: Sequence[tuple[Tried, Trial]]) -> list[tuple[Tried, Trial]]:
    return sorted(ways, key=lambda way: not _is_done(way[0].route, way[1]))


def _entry_before(
    entry: tuple[tuple[Tried, Trial], ...], each: tuple[Tried, Trial]
) -> tuple[tuple[Tried, Trial], ...]:
    # A session lasts as long as its user, so that each user has one soon.
    return entry[: entry.index(each)] if each in entry else entry


def _visits(
    fine: list[tuple[Tried, Trial]], entry: tuple[tuple[Tried, Trial], ...]
) -> Iterator[tuple[tuple[Tried, Trial], ...]]:
    leaving = [each for each in fine if lets_out(each[0].route.path)]
    between = [each for each in fine if each not in entry and each not in leaving]
    # What is gone cannot be asked for any more.
    between.sort(key=lambda each: each[0].route.method == "DELETE")
    for start in range(0, max(len(between), 1), _LONGEST_VISIT):
        part = between[start : start + _LONGEST_VISIT]
        visit = (*entry, *part, *(leaving if start == 0 else ()))
        if visit:
            yield visit


def _chosen(tried: Tried) -> Iterator[Trial]:
    """The fullest way that is answered well, the one with the user alone, and the one with nothing.

    The last is what visitors send as well, who have nothing of a user's.
    """
    well = [trial for trial in tried.trials if trial.status and trial.status < _FIRST_ERROR]
    well = list(own_things(well))
    for variant in _VARIANTS:
        of_variant = [trial for trial in well if trial.variant == variant]
        done = [trial for trial in of_variant if _is_done(tried.route, trial)]
        yield from done[:1]
        others = [trial for trial in of_variant if trial not in done]
        if any(trial.is_good for trial in others) or (others and not done):
            yield max(others, key=lambda trial: (trial.is_good, trial.echoes))
    # Each such text may lead to an answer of its own.
    yield from (trial for trial in well if trial.variant == "word" and trial.is_good)
    # Where any text is taken, a canary tells more.
    if not any(trial.variant == "full" and trial.is_good for trial in well):
        yield from (trial for trial in well if trial.variant == "likely" and trial.is_good)


def _is_done(route: Route, trial: Trial) -> bool:
    """Whether a form was taken: who filled it in wrongly is shown it again, with status 200.

    Who was taken is sent on, but neither to the same page nor, unless to register, to the login.
    """
    is_sent_on = _REDIRECTION <= trial.status < _FIRST_ERROR and bool(trial.leads_to)
    to_itself = urlsplit(trial.leads_to).path == urlsplit(trial.step.path).path
    return not route.is_safe and is_sent_on and not to_itself and not _asks_login(route, trial)


def _all_odd(known: Sequence[Tried]) -> list[tuple[Tried, Trial]]:
    """The ways in which routes fail: one of every route, before the second of any."""
    ways = [(nth, tried, trial) for tried in known for nth, trial in enumerate(_odd(tried))]
    return [(tried, trial) for _, tried, trial in sorted(ways, key=lambda way: way[0])]


def _odd(tried: Tried) -> list[Trial]:
    """How the route fails, each kind once: what failing requests leave behind is seen by others.

    A request that lacks something fails early. One that is refused has been carried further, and
    more of it may be left; so the fullest of each kind is sent.
    """
    kinds: dict[tuple[int, str], Trial] = {}
    for trial in own_things(tried.trials):
        if trial.status >= _FIRST_ERROR:
            kinds.setdefault((trial.status, trial.error), trial)
    most_severe_first = sorted(kinds.values(), key=lambda trial: -trial.status)
    return most_severe_first[:_MOST_ODD_OF_ROUTE]


def _sent(known: Sequence[Tried]) -> str:
    sent = [tried for tried in known if tried.trials]
    unsafe = sum(tried.why == UNSAFE for tried in known)
    routes = f"{len(sent)} of {len(known)} route{'' if len(known) == 1 else 's'} could be sent"
    if not unsafe:
        return routes
    which = "1 that may change things was" if unsafe == 1 else f"{unsafe} that may change were"
    return f"{routes}; {which} left out"


def _notes(known: Sequence[Tried]) -> Iterator[str]:
    kept_out = [t.route.name for t in known if _keeps_out(t)]
    if kept_out:
        shown = ", ".join(kept_out[:3]) + (", ..." if len(kept_out) > 3 else "")  # noqa: PLR2004
        yield f"{shown} asked for a login: what comes behind it was not seen"
    lets_in = logins(tried.route for tried in known)
    entries = [t.route.name for t in known if t.route in lets_in and t.why == UNSAFE]
    if entries:
        yield (
            f"{entries[0]} was not sent, so no user had a session: --unsafe sends it, and "
            "`ctxsim init --unsafe` writes a scenario in which it can be given names and passwords"
        )


def _keeps_out(tried: Tried) -> bool:
    return bool(tried.trials) and all(_asks_login(tried.route, each) for each in tried.trials)


def _asks_login(route: Route, trial: Trial) -> bool:
    # Who has registered, or has left, is sent to the login as well.
    passes_on = registers(route) or lets_out(route.path)
    redirected = _REDIRECTION <= trial.status < _FIRST_ERROR and asks_in(trial.leads_to)
    return (redirected and not passes_on) or trial.status in (401, 403)


def _not_covered(known: Sequence[Tried]) -> Iterator[str]:
    for tried in known:
        if not tried.trials:
            yield f"{tried.route.name} was not sent: {tried.why}"
        elif not any(0 < trial.status < _FIRST_ERROR for trial in tried.trials):
            told = " or ".join(sorted({_answer(trial) for trial in tried.trials}))
            reason = next((trial.reason for trial in tried.trials if trial.reason), "")
            why = f": {reason}" if reason else ""
            yield f"{tried.route.name} answered {told}, however it was sent{why}"


def _stays(known: Sequence[Tried], flows: Sequence[Flow]) -> Iterator[str]:
    once = [tried for flow in flows for tried, trial in flow.trials if trial.step.once]
    for tried in known:
        if once and _was_well(tried) and ends_stay(tried.route):
            yield f"{tried.route.name}: users stay, since {once[-1].route.name} takes long"


def _was_well(tried: Tried) -> bool:
    """Whether it was answered in some way, and not sent away to log in."""
    return any(
        0 < trial.status < _FIRST_ERROR and not _asks_login(tried.route, trial)
        for trial in tried.trials
    )


def _answer(trial: Trial) -> str:
    return str(trial.status or f"nothing ({trial.error})")


def _lines(sight: Sight, frame: Frame, flows: list[Flow]) -> Iterator[str]:
    source = "its OpenAPI document" if frame.url else "its routes and its source"
    yield f"# A scenario for {_comment(frame.target)}, drafted from {source}."
    yield "# It runs as it is; what only you know makes it better: names and passwords that can"
    yield "# log in, `expect` for what an answer must hold, `mine` for texts that are a user's."
    yield "version: 1"
    yield f"name: {_text(frame.target)}"
    yield from _target(frame)
    yield "users:"
    once = (trial for f in flows for _, trial in f.trials if trial.step.once)
    # By their words, since a step with a document is no key.
    if lets_in := {repr(trial.step): trial.lasted_s for trial in once}:
        few = max(_FEWEST_USERS, min(_FEW_USERS, int(_ALL_IN_S / sum(lets_in.values()))))
        yield f"  count: {few:<15} # each is let in once, which takes long"
    yield "  visitor: true          # every flow is also sent without credentials"
    sent = list(_flow_lines(flows))
    used = [pair for pair in VARS if pair == VARS[0] or f"{{user.{pair[0]}}}" in "".join(sent)]
    yield f"  vars: {_mapping(used)}"
    yield from sent
    yield f"workers: {json.dumps(list(frame.workers or suited(sight)))}"
    yield f"load: {_load(frame)}"
    for key, values in (("shared", frame.shared), ("keeps", frame.keeps)):
        if values:
            yield f"{key}: {json.dumps(list(values))}"
    yield "expect: clean"


def _load(frame: Frame) -> str:
    if frame.rate is None:
        return f"{{requests: {frame.requests}}}"
    return f"{{rate: {_text(frame.rate)}, duration: {frame.duration_s:g}s}}"


def _target(frame: Frame) -> Iterator[str]:
    yield "target:"
    if frame.url:
        yield "  kind: http             # to have it started for each run, add  start: COMMAND"
        yield f"  url: {_text(frame.url)}"
        if frame.ca is not None:
            yield f"  ca: {_text(frame.ca)}"
        return
    yield f"  app: {_text(frame.app)}"
    yield f"  path: [{_text(frame.path)}]"
    if frame.python is not None:
        yield f"  python: {_text(frame.python)}"


def _flow_lines(flows: list[Flow]) -> Iterator[str]:
    if not flows:
        yield "# No route could be sent; this is where requests would stand."
        yield 'steps: [{get: "/?tag={canary}"}]'
        return
    yield "flows:"
    for flow in flows:
        yield f"  {flow.name}:"
        yield f"    weight: {flow.weight:g}"
        yield "    steps:"
        for tried, trial in flow.trials:
            yield from _step_lines(tried, trial)


def _step_lines(tried: Tried, trial: Trial) -> Iterator[str]:
    step, view = trial.step, tried.route.view
    by = f", answered by {_comment(view.function)}" if view is not None else ""
    yield f"      # {trial.status} when it was sent alone{by}"
    yield f"      - {step.method.lower()}: {_text(step.path)}"
    rule = tried.route.path.partition("?")[0]
    captures = {each.name: {each.kind: each.what} for each in step.captures}
    keys = (
        ("route", rule != step.path.partition("?")[0], rule),
        ("headers", bool(step.headers), dict(step.headers)),
        ("form", step.form is not None, dict(step.form or ())),
        ("json", step.has_json, step.json),
        ("body", step.body is not None, step.body),
        ("auth", step.auth is not None, step.auth),
        ("mine", bool(step.mine), step.mine),
        ("captures", bool(captures), captures),
    )
    if step.name:
        yield f"        as: {step.name}"
    if step.once:
        yield f"        once: true     # it takes {1000 * trial.lasted_s:.0f} ms"
    for key, is_said, value in keys:
        if is_said:
            yield f"        {key}: {json.dumps(value)}"
    if tried.route == NO_SUCH_PAGE:
        yield f"        expect: {{status: {json.dumps(_OF_NO_PAGE)}}}"


def _mapping(pairs: Iterable[tuple[str, str]]) -> str:
    return json.dumps(dict(pairs))


def _text(text: str) -> str:
    # JSON's texts are YAML's, but for what YAML does not print; those are escaped by default.
    return json.dumps(text)


def _comment(text: str) -> str:
    return text.encode("unicode_escape", "replace").decode("ascii")
