"""What is carried alone after the load, to confirm what showed in it.

What is answered otherwise under load than alone may be the application's own past, such as an item
that is sold out, or chance, or its kind of worker: so after the load the same users' requests are
carried again by the same workers, one by one, and what shows there too is no matter of isolation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ctxsim.cell.checks import expectations
from ctxsim.cell.checks.alone import (
    at_elapsed_s,
    confirmed,
    differs,
    is_by_turns,
    requests_needed,
    unconfirmed,
    unexplained,
)
from ctxsim.cell.history import FAILED, Event, History, Tally, in_what
from ctxsim.cell.plan import Faults, Workers
from ctxsim.cell.population import user_count
from ctxsim.cells import CellOutcome, Job, Pace
from ctxsim.lessons import LONGEST_LESSON_S, MOST_USERS, Run, load_of, one_by_one
from ctxsim.scenario import Cell, Scenario, alone_plan

_SYNC = Workers.parse("sync")
_BROKEN = "expectation.broken"
# An error of the server's, and an answer without what is the user's own.
_FAILING = ("status 5", "its own value is missing")
_REFUSALS = ("401", "403", "302", "303", "307")
# To tell that nothing shows alone takes so many times the requests of the load, where it was rare.
_MANY_TIMES = 2

# Confirming: for longer than it took until the first difference, unless that would take too long.
_MARGIN = 1.5
_MOST_REQUESTS = 30_000
_LONGEST_S, _LONGEST_WAIT_S = 20.0, 10.0
# However late it is: a cell that starts must be able to tell something.
_LEAST_S, _LEAST_OTHER_S = 2.0, 1.0
# An application that tosses a coin when it is imported passes for another one half of the time. It
# answers all requests of a route otherwise then, which leaks seldom do: so more processes are asked
# where that is so, or nearly.
_OTHER_PROCESSES, _MOST_OTHER_PROCESSES = 6, 14
_NEARLY_ALL = 0.5

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A cell of which requests are to be carried alone, because of these events."""

    job: Job
    history: History
    events: tuple[Event, ...]

    @property
    def is_sync(self) -> bool:
        return self.job.cell.workers == _SYNC

    @property
    def places(self) -> frozenset[tuple[str, str]]:
        """Of each event the route, and in what of the answer it was."""
        return frozenset(_place(event) for event in self.events)

    def without(self, told: History) -> _Wanted:
        """The same without what is known to show alone."""
        shown = {_place(event) for event in told.events}
        return replace(self, events=tuple(e for e in self.events if _place(e) not in shown))


def _place(event: Event) -> tuple[str, str]:
    return event.victim.route, in_what(event.place)


@dataclass(frozen=True, slots=True)
class Alone:
    """What was carried alone after the load.

    `visits`: one user, in the flows in turn, by storage and user. `lone`: the same for longer, and
    without faults. `all_users`: all of them, one by one, by cell.
    """

    visits: dict[tuple[str, int], History] = field(default_factory=dict)
    lone: dict[tuple[str, int], History] = field(default_factory=dict)
    all_users: dict[Cell, History] = field(default_factory=dict)

    def beside(self, job: Job, history: History) -> History | None:
        """What to hold against a cell's history; None where nothing was, or could be, carried."""
        key = _broken_by(job, history)
        one = None if key is None else self.visits.get(key)
        lone = None if key is None else self.lone.get(key)
        every = self.all_users.get(job.cell)
        heard = [each for each in (one, lone, every) if each is not None]
        if not heard:
            return None
        of_one = [event for each in (one, lone) if each is not None for event in each.events]
        events = [*of_one, *(_differing(every) if every else ())]
        # Which differences could be confirmed follows from how far all users came.
        tally = every.tally if every else Tally()
        unsent = set.intersection(*(set(each.tally.unsent) for each in heard))
        tally = replace(tally, unsent=sorted(unsent))
        return History(events=events, tally=tally, lone=lone.tally if lone else Tally())

    def unconfirmed(self, job: Job, history: History) -> tuple[list[str], list[str]]:
        """What a cell answered otherwise, and could not be confirmed: to be doubted, to be noted.

        What came a few times may be drawn by lot, or come of what all have stored: that would show
        alone as well, after very many requests. No application fails by lot.
        """
        every = self.all_users.get(job.cell, History())
        left = list(unconfirmed(history, every))
        drawn = [event for event in left if _may_be_drawn(history, event)]
        return [_told(each) for each in left if each not in drawn], list(map(_told, drawn))

    def left_open(self, job: Job, history: History) -> Iterator[str]:
        """What a cell expected in vain, and nobody can tell whether it holds alone."""
        beside = self.beside(job, history)
        for event in () if beside is None else expectations.unconfirmed(history, beside):
            is_unsent = event.victim.route in beside.tally.unsent if beside else False
            why = "it was not reached alone" if is_unsent else "too seldom to rule chance out"
            yield f"{event.victim.route}: {event.place} does not hold, got {event.seen}; {why}"


def _may_be_drawn(history: History, event: Event) -> bool:
    if event.place.startswith(_FAILING) or _lets_a_visitor_in(event):
        return False
    return requests_needed(history, event) > _MANY_TIMES * history.tally.requests


def _lets_a_visitor_in(event: Event) -> bool:
    """Whether a visitor was given what visitors alone are refused, or sent away from."""
    is_given = event.victim.user == 0 and event.place.startswith("status 2")
    return is_given and event.expected.startswith(_REFUSALS)


def _told(event: Event) -> str:
    return (
        f"{event.victim.route} was answered otherwise than alone ({event.place}); too seldom, or "
        "too late, to rule chance out"
    )


def rehearse(
    scenario: Scenario,
    jobs: Sequence[Job],
    carried: Sequence[CellOutcome],
    run: Run,
    pace: Pace,
) -> Alone:
    """Carry alone what was answered otherwise than expected, or than alone.

    The numbers of its processes follow the highest of the jobs, and then as many as lessons have.
    """
    first = _after(jobs)
    visits = _visits(scenario, jobs, carried, first)
    lone = _lone(visits, jobs, carried, first + len(visits), pace)
    next_one = first + len(visits) + len(lone)
    now, later = _in_two_rounds(_wanted(jobs, carried))
    every = _all_users(now, next_one, pace)
    # Together, since all kinds are short.
    histories = iter(_histories(run([*visits.values(), *lone.values(), *every.values()])))
    of_visits = _known(zip(visits, histories, strict=False))
    of_lone = _known(zip(lone, histories, strict=False))
    all_users = _known(zip(every, histories, strict=False))
    told = {each.job.cell: _shown_in_sync(each, all_users) for each in later}
    left = [each.without(told[each.job.cell]) for each in later]
    more = _all_users(left, next_one + len(every), pace, least=0 if every else 1)
    of_more = _known(zip(more, _histories(run([*more.values()])), strict=True))
    for cell, shown in told.items():
        history = of_more.get(cell, History())
        all_users[cell] = replace(history, events=[*shown.events, *history.events])
    every_one = _with_other_processes(jobs, carried, all_users, run, pace)
    return Alone(of_visits, of_lone, every_one)


def _histories(outcomes: Sequence[CellOutcome]) -> list[History | None]:
    # One that ended early tells nothing of how requests are answered alone.
    return [each.history if each.history.ending is None else None for each in outcomes]


def _known(pairs: Iterable[tuple[K, History | None]]) -> dict[K, History]:
    return {key: history for key, history in pairs if history is not None}


def _wanted(jobs: Sequence[Job], carried: Sequence[CellOutcome]) -> list[_Wanted]:
    looks = (
        _Wanted(job, outcome.history, tuple(_worth_a_look(outcome.history)))
        for job, outcome in zip(jobs, carried, strict=True)
    )
    return [each for each in looks if each.events]


def _in_two_rounds(wanted: Sequence[_Wanted]) -> tuple[list[_Wanted], list[_Wanted]]:
    """Those to be carried alone at once, and those for which that may tell enough.

    Whose requests differed under `sync` as well, differed by no worker: where that shows alone, it
    is each user's own past, which is the same in all cells.
    """
    under_sync = {each.job.cell.storage: each.places for each in wanted if each.is_sync}
    later = [
        each
        for each in wanted
        if not each.is_sync and each.places <= under_sync.get(each.job.cell.storage, frozenset())
    ]
    return [each for each in wanted if each not in later], later


def _shown_in_sync(wanted: _Wanted, all_users: Mapping[Cell, History]) -> History:
    """What `sync` showed alone of the same storage."""
    storage = wanted.job.cell.storage
    of_sync = (h for c, h in all_users.items() if c.storage == storage and c.workers == _SYNC)
    return History(events=[event for history in of_sync for event in _differing(history)])


def _after(jobs: Sequence[Job]) -> int:
    """The number of the first process that confirms; those of lessons lie between."""
    return max(job.plan.process for job in jobs) + 4 * len(jobs) + 1


def last_process(jobs: Sequence[Job]) -> int:
    """The highest number that a process has which confirms what these jobs came to."""
    return _after(jobs) + (3 + _MOST_OTHER_PROCESSES) * len(jobs)


def _with_other_processes(
    jobs: Sequence[Job],
    carried: Sequence[CellOutcome],
    all_users: dict[Cell, History],
    run: Run,
    pace: Pace,
) -> dict[Cell, History]:
    """Add what a few more processes answer alone: at its start, each may have drawn its own lot."""
    # Each storage has its first broken expectation, twice, and each cell is carried once.
    first = _after(jobs) + 3 * len(jobs)
    left: dict[str, tuple[Job, int]] = {}
    for job, outcome in zip(jobs, carried, strict=True):
        alone = all_users.get(job.cell, History())
        events = list(confirmed(outcome.history, alone)) if job.cell in all_users else []
        if events:
            count = _other_processes(job, outcome.history, events, pace)
            _, most = left.get(job.cell.storage, (job, 0))
            left[job.cell.storage] = (job, max(count, most))
    each_s = max(_LEAST_OTHER_S, pace.each_s(sum(count for _, count in left.values())))
    each_s = min(LONGEST_LESSON_S, each_s)
    short = [
        _short(job, first + _MOST_OTHER_PROCESSES * i + nth, each_s)
        for i, (job, count) in enumerate(left.values())
        for nth in range(count)
    ]
    told: dict[str, list[Event]] = {}
    cut_short = set()
    for job, outcome in zip(short, run(short), strict=True):
        told.setdefault(job.cell.storage, []).extend(_differing(outcome.history))
        ending = outcome.history.ending
        if ending is not None and ending.kind == "stopped":
            cut_short.add(job.cell.storage)
    return {
        cell: replace(history, events=[*history.events, *told.get(cell.storage, ())])
        for cell, history in all_users.items()
        # Of fewer processes, each may have drawn the same lot: nothing was confirmed then.
        if cell.storage not in cut_short
    }


def _other_processes(job: Job, history: History, events: Sequence[Event], pace: Pace) -> int:
    """How many of them tell whether these events are of the process alone."""
    each = history.tally.requests / max(1, len(job.plan.steps))
    is_nearly_all = any(history.counts[event.cause] >= _NEARLY_ALL * each for event in events)
    is_time = pace.left_s >= _other_processes_s(pace, _MOST_OTHER_PROCESSES)
    return _MOST_OTHER_PROCESSES if is_nearly_all and is_time else _OTHER_PROCESSES


def _short(job: Job, process: int, longest_s: float) -> Job:
    clients = min(user_count(job.plan), MOST_USERS)
    load = load_of(job.plan, 2 * clients * len(job.plan.steps), longest_s)
    return replace(job, plan=replace(one_by_one(job.plan, process, clients), load=load))


def _broken_by(job: Job, history: History) -> tuple[str, int] | None:
    """Which requests to carry alone, to tell what the first broken expectation means."""
    users = (event.victim.user for event in history.events if event.kind == _BROKEN)
    user = next(users, None)
    return None if user is None else (job.cell.storage, user)


def _visits(
    scenario: Scenario, jobs: Sequence[Job], carried: Sequence[CellOutcome], first: int
) -> dict[tuple[str, int], Job]:
    wanted: dict[tuple[str, int], Job] = {}
    for job, outcome in zip(jobs, carried, strict=True):
        key = _broken_by(job, outcome.history)
        if key is not None and key not in wanted:
            process = first + len(wanted)
            seed, run, stall_s = job.plan.seed, job.plan.run, job.plan.stall_s
            plan = alone_plan(scenario, job.cell, seed=seed, run=run, process=process, user=key[1])
            wanted[key] = replace(job, plan=replace(plan, stall_s=stall_s))
    return wanted


def _lone(
    visits: Mapping[tuple[str, int], Job],
    jobs: Sequence[Job],
    carried: Sequence[CellOutcome],
    first: int,
    pace: Pace,
) -> dict[tuple[str, int], Job]:
    """One user for so long, and without faults, that chance and its own past show as under load."""
    longest_s = min(_LONGEST_S, max(_LEAST_S, pace.left_s - pace.start_s))
    found: dict[tuple[str, int], Job] = {}
    for key, visit in visits.items():
        broken = [
            (outcome.history, event)
            for job, outcome in zip(jobs, carried, strict=True)
            if _broken_by(job, outcome.history) == key
            for event in expectations.worth_a_look(outcome.history)
        ]
        enough = max((_long_enough(*each) for each in broken), default=0)
        load = load_of(visit.plan, enough, longest_s)
        first_s = max((at_elapsed_s(*each) for each in broken), default=0.0)
        plan = replace(
            visit.plan,
            process=first + len(found),
            faults=Faults(),
            load=replace(load, least_s=min(_LONGEST_WAIT_S, _MARGIN * first_s)),
            awaited=tuple(dict.fromkeys(_place(event) for _, event in broken)),
        )
        if broken:
            found[key] = replace(visit, plan=plan)
    return found


def _long_enough(history: History, event: Event) -> int:
    """How many requests of one user tell of a broken expectation: only errors come by chance."""
    if event.relation == FAILED and _is_confirmable(history, event):
        return requests_needed(history, event)
    return min(_MOST_REQUESTS, math.ceil(_MARGIN * event.at_request))


def _differing(history: History) -> Iterator[Event]:
    return (event for event in history.events if differs(event))


def _all_users(
    wanted: Sequence[_Wanted], first: int, pace: Pace, least: int = 1
) -> dict[Cell, Job]:
    """What is carried alone of these, `least` of them however little time is left."""
    wanted = [each for each in wanted if each.events]
    left_s = pace.left_s - _other_processes_s(pace)
    longest_s = min(_LONGEST_S, max(_LEAST_S, left_s - pace.start_s))
    again = {
        each.job.cell: _again(each, process, longest_s)
        for process, each in enumerate(wanted, first)
    }
    expected_s = {
        each.job.cell: pace.start_s + _needed_s(again[each.job.cell], each.history)
        for each in wanted
    }
    # What is found in one cell is found: where time is short, fewer are carried, but to their end.
    of_all_s = pace.at_once * left_s
    chosen: dict[Cell, Job] = {}
    # What `sync` shows is known of the others as well.
    for cell in sorted(again, key=lambda each: (each.workers != _SYNC, expected_s[each])):
        of_all_s -= expected_s[cell]
        if (of_all_s >= 0 and expected_s[cell] <= left_s) or len(chosen) < least:
            chosen[cell] = again[cell]
    return chosen


def _other_processes_s(pace: Pace, count: int = _OTHER_PROCESSES) -> float:
    """What the other processes take at least, for which time must be left."""
    return -(-count // pace.at_once) * (pace.start_s + _LEAST_OTHER_S)


def _needed_s(job: Job, history: History) -> float:
    """How long a cell needs to be carried alone, by how long its requests took under load."""
    tally, load = history.tally, job.plan.load
    # There are also latencies of requests that were never sent.
    known = max(1, sum(tally.latency_us.values()))
    mean_s = sum(us * n for us, n in tally.latency_us.items()) / known / 1e6
    return min(_LONGEST_S, max(load.least_s, mean_s * (load.requests or 0)))


def _worth_a_look(history: History) -> Iterator[Event]:
    """What can be confirmed, and what would be doubted if it did not show alone."""
    # What another finding explains needs no time: it is no finding of its own.
    for event in unexplained(history):
        if not is_by_turns(history, event) and (
            _is_confirmable(history, event) or not _may_be_drawn(history, event)
        ):
            yield event


def _is_confirmable(history: History, event: Event) -> bool:
    return requests_needed(history, event) <= _MOST_REQUESTS


def _requests(history: History, event: Event) -> int:
    """How many requests alone tell of an event.

    Alone, each user comes to what led to it after about as many as under load: what the user's own
    past explains shows there, however seldom it is.
    """
    if _is_confirmable(history, event):
        return requests_needed(history, event)
    return min(_MOST_REQUESTS, math.ceil(_MARGIN * history.tally.requests))


def _again(wanted: _Wanted, process: int, longest_s: float) -> Job:
    job, history, events = wanted.job, wanted.history, wanted.events
    first_s = max(at_elapsed_s(history, event) for event in events)
    load = load_of(job.plan, max(_requests(history, event) for event in events), longest_s)
    load = replace(load, least_s=min(_LONGEST_WAIT_S, _MARGIN * first_s))
    plan = one_by_one(job.plan, process, user_count(job.plan))
    awaited = tuple(dict.fromkeys(map(_place, events)))
    again = replace(plan, workers=job.plan.workers, load=load, awaited=awaited)
    return replace(job, plan=again)
