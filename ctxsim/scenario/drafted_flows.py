"""The flows of a drafted scenario, each with the steps that give what its others are sent with."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctxsim.cell.looking.attempts import NUMBER
from ctxsim.cell.looking.ways_in import ends_stay
from ctxsim.cell.plan import Step
from ctxsim.cell.sights import LONG_S, Route, Trial, Tried
from ctxsim.cell.steps import OF_VISIT

# Visits that each begin with a step as slow as this would hardly come to anything else.
_SLOW_S = 0.025
_FIRST_FAILURE = 400
# A route that takes long has visits of its own where it takes so many times as long as others do.
_TIMES_OTHERS = 10
_MOST_OF_SLOW = 2
# Of all visits, at least so many go to slow routes, or as many as take so many times as long as
# all the others: several must be under way at once.
_LEAST_SHARE, _TIMES_ALL = 0.03, 3


@dataclass(frozen=True, slots=True)
class Flow:
    """One visit, as routes and the ways in which they are sent."""

    name: str
    weight: float
    trials: tuple[tuple[Tried, Trial], ...]


Way = tuple[Tried, Trial]


def without_slow(ways: Sequence[Way], entry: Sequence[Way]) -> tuple[list[Way], list[list[Way]]]:
    """What is answered quickly, and what is not, by its routes: a report, or what asks others.

    A visit that waits for such a route as often as it asks for others does little else.
    """
    routes: dict[str, list[Way]] = {}
    for each in ways:
        if each not in entry:
            routes.setdefault(each[0].route.name, []).append(each)
    # The first request may be slow for what it loads; a single one tells nothing.
    least_s = {name: min(t.lasted_s for t in of[0][0].trials) for name, of in routes.items()}
    usual_s = statistics.median_low(least_s.values()) if least_s else 0.0
    slow = {
        name: of
        for name, of in routes.items()
        if least_s[name] >= max(LONG_S, _TIMES_OTHERS * usual_s) and len(of[0][0].trials) > 1
    }
    quick = [each for each in ways if each in entry or each[0].route.name not in slow]
    return quick, [of[:_MOST_OF_SLOW] for of in slow.values()]


def of_slow(
    slow: Sequence[list[Way]], entry: Sequence[Way], others: Sequence[Flow], most: float
) -> Iterator[Flow]:
    """Visits to slow routes, the more seldom the slower they are."""
    all_s = _TIMES_ALL * sum(f.weight * sum(t.lasted_s for _, t in f.trials) for f in others)
    least = _LEAST_SHARE * sum(each.weight for each in others) / max(len(slow), 1)
    for number, ways in enumerate(slow, 1):
        lasts_s = sum(trial.lasted_s for _, trial in ways)
        weight = min(max(all_s / (len(slow) * lasts_s), least), most)
        yield Flow(f"slow{number}", round(weight, 2) or 0.01, (*entry, *ways))


def own_things(trials: Sequence[Trial]) -> Sequence[Trial]:
    """Of a route that leads to what a user has made, the trials that ask for the user's own.

    Whoever asks for number 1, or 2, gets what somebody else has made; but for a page that was
    there before anything was made, which all may ask for. The page of a user's number is one for
    the first users alone: those after them get what others have made.
    """
    led = [each for each in trials if _asked_for(each) and each.is_good]
    if not led:
        return trials
    return [each for each in trials if _asked_for(each) or _was_there(each)]


def _was_there(trial: Trial) -> bool:
    return trial.is_good and trial.unmade and NUMBER not in _path(trial.step)


def _asked_for(trial: Trial) -> bool:
    return any(not each.startswith("{user.") for each in OF_VISIT.findall(_path(trial.step)))


def _path(step: Step) -> str:
    return step.path.partition("?")[0]


def complete(flows: Iterable[Flow], known: Iterable[Tried]) -> Iterator[Flow]:
    """The flows with the steps that give what they need before those; no other step has a name."""
    givers = {
        trial.step.name: (tried, trial)
        for tried in known
        for trial in tried.trials
        if trial.step.name
    }
    for flow in flows:
        taken: list[tuple[Tried, Trial]] = []
        for each in flow.trials:
            _add(each, givers, taken)
        needed = {word for _, trial in taken for word in _needs(trial.step)}
        yield replace(flow, trials=tuple((t, _without_idle(trial, needed)) for t, trial in taken))


def enter_once(flows: Iterable[Flow], entry: Sequence[tuple[Tried, Trial]]) -> Iterator[Flow]:
    """The flows with what lets users in sent once for each, if it takes long.

    Hashing a password takes long by design: visits that each begin with it leave time for little
    else. What is captured to be sent as a header lets users in as well. Who is let in once must
    not leave.
    """
    flows = list(flows)
    steps = [trial.step for flow in flows for _, trial in flow.trials]
    worn = {word.partition(".")[0] for step in steps for word in _words(list(step.headers))}
    lets_in = {tried.route.name for tried, _ in entry}
    slow = {
        tried.route.name
        for flow in flows
        for tried, trial in flow.trials
        if (tried.route.name in lets_in or trial.step.name in worn) and trial.lasted_s > _SLOW_S
    }
    for flow in flows:
        stays = [each for each in flow.trials if not (slow and ends_stay(each[0].route))]
        trials = tuple((tried, _sent_once(tried, trial, slow)) for tried, trial in stays)
        if not all(trial.step.once for _, trial in trials):
            yield replace(flow, trials=trials)


def _sent_once(tried: Tried, trial: Trial, slow: set[str]) -> Trial:
    # Who sends something else, or too little, is refused again and again.
    once = tried.route.name in slow and 0 < trial.status < _FIRST_FAILURE
    return replace(trial, step=replace(trial.step, once=once))


def _add(
    one: tuple[Tried, Trial],
    givers: dict[str, tuple[Tried, Trial]],
    taken: list[tuple[Tried, Trial]],
) -> None:
    for word in _needs(one[1].step):
        giver = givers[word.partition(".")[0]]
        if giver not in taken:
            _add(giver, givers, taken)
    # A step that gives something has a name, which no second one of the visit may have.
    if not (one[1].step.name and one in taken):
        taken.append(one)


def _needs(step: Step) -> list[str]:
    """What a step takes of earlier ones, as `STEP.NAME`."""
    return _words([step.path, step.headers, step.form, step.json, step.auth])


def _words(sent: list[Any]) -> list[str]:
    words = (each[1:-1] for each in OF_VISIT.findall(json.dumps(sent)))
    return [each for each in dict.fromkeys(words) if not each.startswith("user.")]


def without_those_in(
    ways: Sequence[tuple[Tried, Trial]], lets_in: Sequence[Route]
) -> list[tuple[Tried, Trial]]:
    """The ways that take nothing of what logging in gives: a user's first can be none of these."""
    gives = {
        trial.step.name
        for tried, _ in ways
        for trial in tried.trials
        if tried.route in lets_in and trial.step.name
    }
    return [
        (tried, trial)
        for tried, trial in ways
        if not any(word.partition(".")[0] in gives for word in _needs(trial.step))
    ]


def _without_idle(trial: Trial, needed: set[str]) -> Trial:
    step = trial.step
    captures = tuple(each for each in step.captures if f"{step.name}.{each.name}" in needed)
    is_named = captures or f"{step.name}.canary" in needed
    return replace(trial, step=replace(step, name=step.name if is_named else "", captures=captures))
