"""The flows of a drafted scenario, each with the steps that give what its others are sent with."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ctxsim.cell.looking.attempts import NUMBER
from ctxsim.cell.plan import Step
from ctxsim.cell.sights import Trial, Tried
from ctxsim.cell.steps import OF_VISIT


@dataclass(frozen=True, slots=True)
class Flow:
    """One visit, as routes and the ways in which they are sent."""

    name: str
    weight: float
    trials: tuple[tuple[Tried, Trial], ...]


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
    sent = json.dumps([step.path, step.headers, step.form, step.json, step.auth])
    words = (each[1:-1] for each in OF_VISIT.findall(sent))
    return [each for each in dict.fromkeys(words) if not each.startswith("user.")]


def _without_idle(trial: Trial, needed: set[str]) -> Trial:
    step = trial.step
    captures = tuple(each for each in step.captures if f"{step.name}.{each.name}" in needed)
    is_named = captures or f"{step.name}.canary" in needed
    return replace(trial, step=replace(step, name=step.name if is_named else "", captures=captures))
