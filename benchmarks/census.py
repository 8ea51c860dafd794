"""How long the census of a large process takes, with and without something to tell."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from types import ModuleType

from measures import ROUNDS, Measure, at_most

from ctxsim.cell.history import Event
from ctxsim.cell.plan import Flow, Load, Plan, Step, Target, Users, Workers
from ctxsim.cell.visits import Traffic
from ctxsim.cell.witness.answers import Owner
from ctxsim.cell.witness.census import Census
from ctxsim.cell.witness.marks import Marks
from ctxsim.cell.witness.record import Record, count_as_application

OBJECTS = 1_000_000
KEPT = 100_000
_USERS = 1_000


class Entry:
    """An entry of a store: with its name and its tags three objects."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tags = [name]


class Lock:
    """Stands in for the record's lock: there is one thread."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def traffic_of(plan: Plan) -> tuple[Traffic, list[str]]:
    """Users who have sent all of their requests, and the canaries of those."""
    traffic = Traffic(plan, time.perf_counter)
    turns = itertools.islice(itertools.cycle(traffic.lanes), KEPT)
    return traffic, [traffic.next_of(lane).canary for lane in turns]


def census_s(plan: Plan, traffic: Traffic) -> tuple[float, list[int]]:
    """Seconds of the processor for one census, and of how many requests each finding tells."""
    record = Record(lambda _: None, Lock())
    told: list[Event] = []
    record.on_early = told.append
    owner = Owner(plan, traffic, Marks(plan, _USERS), lambda _: None)
    census = Census(plan, traffic, record, lambda _: None, owner)
    started = time.process_time()
    census.take(lambda _: None)
    took_s = time.process_time() - started
    assert all(event.place == "shop.ENTRIES[...]" for event in told), told
    return took_s, [count for _, count in record.counts()]


def measure() -> list[Measure]:
    """The median of several rounds over a million objects."""
    shop = ModuleType("shop")
    shop.__file__ = "/shop.py"
    count_as_application(shop)
    sys.modules["shop"] = shop
    entries = [Entry(f"name {i}") for i in range(OBJECTS // 3)]
    vars(shop)["ENTRIES"] = entries
    try:
        return _measures(entries)
    finally:
        del sys.modules["shop"]


def _measures(entries: list[Entry]) -> list[Measure]:
    step = Step("say", "GET", "/say?tag={canary}")
    plan = Plan(
        scenario="benchmark",
        run="0badcafe",
        process=1,
        seed=7,
        target=Target("shop:app"),
        workers=Workers.parse("sync"),
        flows=(Flow("visit", 1, (step,)),),
        users=Users(count=_USERS, visitor=False, vars=(("name", "user{n}"),)),
        load=Load(requests=KEPT),
    )
    traffic, canaries = traffic_of(plan)
    clean = [census_s(plan, traffic) for _ in range(ROUNDS)]
    for entry, canary in zip(entries[::3], canaries, strict=False):
        entry.name = canary
    leaking = [census_s(plan, traffic) for _ in range(ROUNDS)]
    assert [told for _, told in clean] == [[]] * ROUNDS
    assert [told for _, told in leaking] == [[KEPT]] * ROUNDS
    what = "seconds of the census of a million objects"
    return [
        _line(f"{what}, nothing kept", clean),
        _line(f"{what}, values of {KEPT:,} requests kept", leaking),
    ]


def _line(what: str, rounds: list[tuple[float, list[int]]]) -> Measure:
    took_s = statistics.median(each for each, _ in rounds)
    return at_most(what, 1, took_s, " s", f"median of {ROUNDS}")
