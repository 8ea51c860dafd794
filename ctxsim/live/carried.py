"""What cells came to, as JSON between processes and machines; several of one name become one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ctxsim.cell.checks import Finding
from ctxsim.cell.history import Ending, Event, History, Origin, Tally
from ctxsim.cell.plan import rebuilt
from ctxsim.report.conclusion import Case, conclude
from ctxsim.report.document import Document, ScenarioFacts
from ctxsim.report.judged import JudgedCell
from ctxsim.scenario import Scenario, overall

_NOTHING_COMPARED = "CTX901"


@dataclass(frozen=True, slots=True)
class Last:
    """The last word of one harness: its cells, and what a conclusion needs besides them."""

    cells: tuple[JudgedCell, ...]
    seed: int
    again: str
    again_as_it_was: str
    checks: tuple[str, ...]
    unmatched: tuple[str, ...]
    notes: tuple[str, ...]
    not_covered: tuple[str, ...]
    interrupted: bool
    environment: Mapping[str, Any]
    elapsed_s: float

    @classmethod
    def of(cls, case: Case, cells: Sequence[JudgedCell]) -> Last:
        names = cls.__dataclass_fields__.keys() - {"cells"}
        return cls(tuple(cells), **{name: getattr(case, name) for name in names})

    def to_json(self) -> dict[str, Any]:
        plain = {**asdict(replace(self, cells=())), "environment": dict(self.environment)}
        return {**plain, "cells": [cell_to_json(cell) for cell in self.cells]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Last:
        texts = ("checks", "unmatched", "notes", "not_covered")
        lists = {name: tuple(document[name]) for name in texts}
        return cls(**{**document, **lists, "cells": tuple(map(cell_from_json, document["cells"]))})


def concluded(scenario: Scenario, lasts: Sequence[Last], doubts: Sequence[str]) -> Document:
    """The document of one run that several harnesses carried; there is at least one last word."""
    first = lasts[0]
    case = Case(
        scenario=ScenarioFacts(scenario.name, scenario.file, scenario.sha256),
        seed=first.seed,
        again=first.again,
        again_as_it_was=first.again_as_it_was,
        checks=first.checks,
        expected=overall(scenario),
        unmatched=_of_all(each.unmatched for each in lasts),
        thresholds=scenario.thresholds.given,
        interrupted=any(each.interrupted for each in lasts),
        notes=_of_all(each.notes for each in lasts),
        not_covered=_of_all(each.not_covered for each in lasts),
        doubts=tuple(doubts),
        environment=first.environment,
        elapsed_s=max(each.elapsed_s for each in lasts),
    )
    return conclude(case, merged([cell for each in lasts for cell in each.cells]))


def _of_all(texts: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for each in texts for text in each))


def merged(cells: Iterable[JudgedCell]) -> list[JudgedCell]:
    """Each cell once: what several processes carried under one name adds up."""
    by_name: dict[str, JudgedCell] = {}
    for cell in cells:
        known = by_name.get(cell.name)
        by_name[cell.name] = cell if known is None else _together(known, cell)
    return list(by_name.values())


def _together(one: JudgedCell, other: JudgedCell) -> JudgedCell:
    history = _history_of_both(one.history, other.history)
    found: dict[tuple[str, ...], Finding] = {}
    for each in (*one.findings, *other.findings):
        known = found.get(each.cause)
        found[each.cause] = (
            each if known is None else replace(known, count=known.count + each.count)
        )
    if history.tally.compared:
        found = {cause: each for cause, each in found.items() if each.code != _NOTHING_COMPARED}
    return replace(
        one,
        history=history,
        findings=tuple(found.values()),
        unconfirmed=_of_all((one.unconfirmed, other.unconfirmed)),
        seldom=_of_all((one.seldom, other.seldom)),
        ready=one.ready and other.ready,
        elapsed_s=max(one.elapsed_s, other.elapsed_s),
        hurried=one.hurried or other.hurried,
    )


def _history_of_both(one: History, other: History) -> History:
    both = History(
        counts=dict(Counter(one.counts) + Counter(other.counts)),
        tally=_tally_of_both(one.tally, other.tally),
        ending=one.ending or other.ending,
        origins={**other.origins, **one.origins},
        doubts=list(_of_all((one.doubts, other.doubts))),
        remarks=list(_of_all((one.remarks, other.remarks))),
    )
    for event in (*one.events, *other.events):
        both.add(event)
    return both


def _tally_of_both(one: Tally, other: Tally) -> Tally:
    def added(name: str) -> dict[Any, int]:
        return dict(Counter(getattr(one, name)) + Counter(getattr(other, name)))

    return Tally(
        requests=one.requests + other.requests,
        compared=one.compared + other.compared,
        failed=one.failed + other.failed,
        visitors=one.visitors + other.visitors,
        in_flight_peak=max(one.in_flight_peak, other.in_flight_peak),
        in_flight_most=max(one.in_flight_most, other.in_flight_most),
        elapsed_s=max(one.elapsed_s, other.elapsed_s),
        faults=added("faults"),
        failures=added("failures"),
        latency_us=added("latency_us"),
        unsent=[route for route in one.unsent if route in other.unsent],
        raised=list(_of_all((one.raised, other.raised))),
        untold=[route for route in one.untold if route in other.untold],
        unknown_names=list(_of_all((one.unknown_names, other.unknown_names))),
    )


def cell_to_json(cell: JudgedCell) -> dict[str, Any]:
    return {
        "storage": cell.storage,
        "workers": cell.workers,
        "history": _history_to_json(cell.history),
        "findings": [asdict(each) for each in cell.findings],
        "unconfirmed": list(cell.unconfirmed),
        "seldom": list(cell.seldom),
        "expected": sorted(cell.expected),
        "ready": cell.ready,
        "elapsed_s": cell.elapsed_s,
        "hurried": cell.hurried,
    }


def cell_from_json(document: Mapping[str, Any]) -> JudgedCell:
    return JudgedCell(
        **{
            **document,
            "history": _history_from_json(document["history"]),
            "findings": tuple(rebuilt(Finding, each) for each in document["findings"]),
            "unconfirmed": tuple(document["unconfirmed"]),
            "seldom": tuple(document["seldom"]),
            "expected": frozenset(document["expected"]),
        }
    )


def _history_to_json(history: History) -> dict[str, Any]:
    # Without cases: no schedule is searched for in a live load.
    return {
        "events": [asdict(each) for each in history.events],
        "counts": [[list(cause), count] for cause, count in history.counts.items()],
        "tally": history.tally.to_json(),
        "ending": None if history.ending is None else asdict(history.ending),
        "origins": [[list(cause), asdict(each)] for cause, each in history.origins.items()],
        "doubts": list(history.doubts),
        "remarks": list(history.remarks),
    }


def _history_from_json(document: Mapping[str, Any]) -> History:
    ending = document["ending"]
    return History(
        events=[Event.from_json(each) for each in document["events"]],
        counts={tuple(cause): count for cause, count in document["counts"]},
        tally=Tally.from_json(document["tally"]),
        ending=None if ending is None else rebuilt(Ending, ending),
        origins={tuple(cause): Origin.from_json(each) for cause, each in document["origins"]},
        doubts=list(document["doubts"]),
        remarks=list(document["remarks"]),
    )
