"""What cells came to travels as JSON; what several processes carried adds up."""

import json
from dataclasses import replace

from ctxsim.cell.checks.verdict import judge
from ctxsim.cell.history import Ending, Event, History, Origin, Tally, Where, Who
from ctxsim.live.carried import cell_from_json, cell_to_json, merged
from ctxsim.live.orders import Order
from ctxsim.live.parts import Part, Run
from ctxsim.report.judged import JudgedCell
from ctxsim.scenario import Scenario

TEXT = "{version: 1, name: shop, target: {app: shop:app, kind: wsgi}, steps: [{get: /a}]}"


def event(place="body", request=3):
    victim, source = Who(1, request, "GET /a"), Who(2, 7, "GET /a")
    return Event("answer.foreign", place, victim, source, "request", "cx", at_request=request)


def cell(*events, requests=10, compared=10, **more):
    history = History(
        tally=Tally(requests=requests, compared=compared, latency_us={1000: requests})
    )
    for each in events:
        history.add(each)
        history.counts[each.cause] = 5
        history.origins[each.cause] = Origin("shop.LAST", (Where("shop.py", 3, "view"),))
    judged = JudgedCell("app", "threads:8", history, (), **more)
    return replace(judged, findings=tuple(judge(history)))


def test_a_cell_is_the_same_after_its_journey():
    sent = cell(event(), unconfirmed=("a",), expected=frozenset({"CTX201"}))
    sent.history.ending = Ending("crash", "SIGSEGV", ("a stack",))
    assert cell_from_json(json.loads(json.dumps(cell_to_json(sent)))) == sent


def test_cells_of_one_name_add_up_and_findings_of_one_cause_are_one():
    [both] = merged([cell(event()), cell(event(request=9), event("header X"), requests=30)])
    assert both.history.tally.requests == 40
    assert both.history.tally.latency_us == {1000: 40}
    assert sorted(each.count for each in both.findings) == [5, 10]


def test_that_one_process_compared_nothing_is_no_finding_where_another_did():
    [both] = merged([cell(compared=0), cell()])
    assert both.findings == ()
    [neither] = merged([cell(compared=0), cell(compared=0)])
    assert [each.code for each in neither.findings] == ["CTX901"]


def run_of(*cells, lost=""):
    run = Run(Scenario.parse(TEXT))
    for number, each in enumerate(cells):
        part = run.parts[str(number)] = Part(f"worker {number}", Order("shop.yaml"))
        part.take({"say": "cells", "cells": [cell_to_json(each)]})
        part.lost = lost
    return run


def test_a_lost_part_is_named_and_what_it_had_sent_counts():
    document = run_of(cell(event()), lost="it went missing").document()
    assert document.verdict == "findings"
    assert document.exit_code == 1
    assert [each.code for each in document.findings] == ["CTX201"]
    assert any("worker 0: it went missing" in reason for reason in document.reasons)


def test_a_run_of_which_all_parts_were_lost_says_what_was_tested_and_how_to_repeat_it():
    run = run_of(cell(), lost="it went missing")
    for part in run.parts.values():
        part.order = Order("shop.yaml", seed="7", workers="threads:4")
    document = run.document()
    assert (document.seed, document.environment["target"]) == (7, {"app": "shop:app"})
    assert document.environment["ctxsim"]
    assert document.replay.endswith("--seed 7 --workers threads:4")


def test_a_run_that_lost_a_part_is_not_clean():
    document = run_of(cell(), lost="it went missing").document()
    assert (document.verdict, document.exit_code) == ("inconclusive", 4)


def test_a_run_of_which_nothing_came_is_not_clean():
    run = Run(Scenario.parse(TEXT))
    assert run.document().exit_code == 4
    run = run_of(cell(requests=0, compared=0), lost="it went missing")
    assert run.document().exit_code == 4


def test_a_part_that_could_not_start_the_target_tells_why():
    run = Run(Scenario.parse(TEXT))
    part = run.parts["one"] = Part("one", Order("shop.yaml"))
    part.take({"say": "failed", "code": 3, "message": "no module named 'shop'"})
    assert run.is_over
    assert run.document().exit_code == 3
    assert run.document().error.message == "no module named 'shop'"


def test_no_run_is_over_before_all_its_parts_are():
    run = run_of(cell(), cell())
    assert not run.is_over
    run.parts["0"].take({"say": "gone"})
    assert not run.is_over
    run.parts["1"].take({"say": "gone"})
    assert run.is_over


def test_what_may_be_chance_is_no_finding_before_it_was_confirmed():
    broken = replace(event(), kind="expectation.broken", place="status")
    assert run_of(cell(broken)).cells[0].findings == ()
