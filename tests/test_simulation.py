"""A scenario becomes one outcome: cells, findings by cause, a verdict, an exit code."""

from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from ctxsim.cells import Limits, process
from ctxsim.errors import TargetError
from ctxsim.jobs import Options, Origin
from ctxsim.report import junit
from ctxsim.report.text import render
from ctxsim.scenario import Scenario, cells
from ctxsim.simulation import simulate

REAL = process.PROGRAM
PRETEND = Path(__file__).parent / "cells" / "pretend.py"

WHO = {
    "type": ["object", "null"],
    "required": ["user", "request", "route"],
    "additionalProperties": False,
    "properties": {
        "user": {"type": "integer"},
        "request": {"type": "integer"},
        "route": {"type": "string"},
    },
}
TIMING = {
    "type": "object",
    "required": ["elapsed_s", "requests_per_s", "latency_s"],
    "properties": {
        "elapsed_s": {"type": "number"},
        "requests_per_s": {"type": ["number", "null"]},
        "latency_s": {"type": ["object", "null"], "required": ["p50", "p95", "p99", "max"]},
    },
}
DOCUMENT = {
    "type": "object",
    "required": [
        "format", "version", "scenario", "seed", "verdict", "exit_code", "cells", "findings",
        "not_covered", "environment", "timing",
    ],
    "properties": {
        "format": {"const": "ctxsim-result"},
        "version": {"const": 1},
        "scenario": {"type": "object", "required": ["name", "file", "sha256"]},
        "seed": {"type": "integer"},
        "verdict": {"enum": ["clean", "findings", "inconclusive", "error"]},
        "exit_code": {"enum": [0, 1, 3, 4, 5, 70, 130]},
        "cells": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [
                    "storage", "workers", "requests", "compared", "failed", "in_flight_peak",
                    "verdict", "findings", "timing", "ending",
                ],
                "properties": {"timing": TIMING},
            },
        },
        "findings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": [
                    "id", "code", "title", "count", "cells", "first_at_request", "victim",
                    "source", "where", "story", "replay", "confirmed",
                ],
                "properties": {
                    "id": {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{6}$"},
                    "code": {"type": "string", "pattern": r"^CTX\d{3}$"},
                    "count": {"type": "integer", "minimum": 1},
                    "victim": WHO,
                    "source": WHO,
                    "story": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                    "replay": {"type": "string", "pattern": "^ctxsim run "},
                    "confirmed": {"type": "null"},
                },
            },
        },
        "timing": TIMING,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def pretend(monkeypatch):
    monkeypatch.setattr(process, "PROGRAM", PRETEND)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


def scenario(app, more="", kind="wsgi", workers='[sync, "threads:8"]'):
    return Scenario.parse(
        "version: 1\nname: pretend\n"
        f"target: {{app: 'pretend:{app}', kind: {kind}}}\n"
        "steps: [{get: '/whoami?tag={canary}'}]\n"
        f"workers: {workers}\nseed: 7\n{more}"
    )


def outcome_of(app, more="", **keys):
    options = keys.pop("options", Options())
    return simulate(scenario(app, more, **keys), options=options)


def timeless(document):
    """A document without what depends on the clock or the machine."""
    told = {name: each for name, each in document.items() if name not in ("timing", "environment")}
    return {**told, "cells": [{**cell, "timing": None} for cell in document["cells"]]}


def codes(outcome):
    return [finding.code for finding in outcome.findings]


def test_a_clean_run_is_clean_and_exits_with_0():
    outcome = outcome_of("clean")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    assert [cell.name for cell in outcome.cells] == ["app/sync", "app/threads:8"]
    assert [cell.verdict for cell in outcome.cells] == ["clean", "clean"]
    assert outcome.cells[0].timing.latency_s.p50 == pytest.approx(0.0004, rel=0.01)
    assert outcome.cells[0].timing.requests_per_s == 200


def test_unexpected_findings_exit_with_1_and_stand_in_one_group_per_cause():
    outcome = outcome_of("leak")
    assert (outcome.verdict, outcome.exit_code) == ("findings", 1)
    body, header = outcome.findings
    assert (body.count, header.count) == (80, 6)
    assert body.cells == ("app/sync", "app/threads:8")
    assert body.first_at_request == 2
    assert outcome.cells[0].findings == (body.id, header.id)
    assert outcome.document.expect.unexpected == ("CTX201 in app/sync, app/threads:8",)


def test_the_id_of_a_finding_is_the_same_in_every_run_and_on_every_machine():
    assert [each.id for each in outcome_of("leak").findings] == ["KDKH50", "ZMQGWP"]


def test_the_command_that_repeats_a_finding_has_the_seed_and_the_workers():
    finding = outcome_of("leak_if_threads").findings[0]
    assert finding.replay == "ctxsim run '<text>' --seed 7 --workers threads:8"


def test_what_the_command_line_said_stands_in_the_command_that_repeats_the_run():
    options = Options(again=("--requests", "50"), workers=("sync", "threads:2 x greenlets:4"))
    assert outcome_of("clean", options=options).document.replay == (
        "ctxsim run '<text>' --seed 7 --requests 50 --workers sync "
        "--workers 'threads:2 x greenlets:4'"
    )


def test_expected_findings_exit_with_0_and_still_count_as_findings():
    outcome = outcome_of("leak", "expect: [CTX201]")
    assert (outcome.verdict, outcome.exit_code) == ("findings", 0)


def test_expected_findings_may_show_in_some_cells_only():
    assert outcome_of("leak_if_threads", "expect: [CTX201]").exit_code == 0


def test_an_expected_finding_that_does_not_show_exits_with_1():
    outcome = outcome_of("leak", "expect: [CTX201, CTX204]")
    assert outcome.exit_code == 1
    assert outcome.document.expect.missing == ("CTX204",)


def test_a_finding_beside_the_expected_ones_exits_with_1():
    outcome = outcome_of("leak", "expect: [CTX204]")
    assert outcome.exit_code == 1
    assert outcome.document.expect.unexpected == ("CTX201 in app/sync, app/threads:8",)


def test_a_mapping_expects_of_each_cell():
    expect = "expect: {'*/threads:8': [CTX201], '*': clean}"
    assert outcome_of("leak_if_threads", expect).exit_code == 0
    assert outcome_of("leak", expect).exit_code == 1
    clean = outcome_of("clean", expect)
    assert clean.exit_code == 1
    assert clean.document.expect.missing == ("CTX201 in app/threads:8",)


def test_a_pattern_that_names_no_cell_once_the_kind_is_known_cannot_hold():
    expect = "expect: {'contextvar/sync': [CTX201], '*': clean}"
    outcome = outcome_of("clean", expect, kind="auto")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 1)
    assert outcome.document.expect.unmatched == (
        "'contextvar/sync' names no cell; the cells are called app/sync, app/threads:8",
    )
    assert "cannot be expected: 'contextvar/sync' names no cell" in render(outcome.document)
    assert b"'contextvar/sync' names no cell" in junit.render([outcome.document])


@pytest.mark.parametrize("pattern", ["app/sync", "app/*", "*/sync", "*"])
def test_patterns_that_name_a_cell_hold_once_the_kind_is_known(pattern):
    expect = f"expect: {{'{pattern}': clean}}"
    assert outcome_of("clean", expect, kind="auto").exit_code == 0


def test_patterns_whose_cells_were_left_out_are_not_blamed():
    one = scenario("clean", "expect: {'contextvar/sync': clean}", kind="auto")
    assert simulate(one.with_options(workers="threads:8")).exit_code == 0
    whole = scenario("clean", "expect: {'contextvar/*': clean}", kind="auto")
    assert simulate(whole.with_options(workers="threads:8")).exit_code == 1


def test_nothing_is_said_of_patterns_before_the_kind_is_known():
    options = Options()
    options.halt.interrupt()
    expect = "expect: {'contextvar/sync': clean}"
    assert outcome_of("clean", expect, kind="auto", options=options).exit_code == 130


def test_a_run_that_compared_nothing_is_inconclusive():
    outcome = outcome_of("nothing_compared")
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert codes(outcome) == ["CTX901"]
    assert "nothing was compared" in outcome.document.reasons[0]


def little_compared(compared):
    one = scenario("little_compared", workers="[sync]")
    target = one.target.model_copy(update={"app": f"{compared}:little_compared"})
    return simulate(one.model_copy(update={"target": target}))


def test_a_run_that_compared_too_little_is_inconclusive():
    outcome = little_compared(2)
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert outcome.document.reasons == (
        "app/sync: only 2 of 430 users' requests could be compared; let a route give back "
        "{canary}, or name a text that belongs to a user with `mine`",
    )


def test_a_twentieth_of_the_users_requests_is_enough_to_compare():
    assert [little_compared(each).exit_code for each in (21, 22)] == [4, 0]


def test_findings_are_no_less_true_where_little_was_compared():
    outcome = outcome_of("little_compared_leak")
    assert (outcome.verdict, outcome.exit_code) == ("findings", 1)
    assert outcome.document.reasons == ()


def test_requests_that_failed_are_told_even_if_the_verdict_is_clean():
    outcome = outcome_of("some_failing")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    assert outcome.document.notes == (
        "124 of 500 requests failed in app/sync (500 x 124)",
        "124 of 500 requests failed in app/threads:8 (500 x 124)",
    )


def test_requests_that_failed_beside_findings_are_told_once():
    assert "60 of 100 requests failed in app/sync (500 x 60)" in (
        outcome_of("failing_leak").document.notes
    )
    assert outcome_of("failing").document.notes == ()


def test_a_run_whose_requests_mostly_failed_is_inconclusive():
    outcome = outcome_of("failing")
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert outcome.document.reasons[0] == "app/sync: 60 of 100 requests failed (500 x 60)"


def test_failing_requests_beside_expected_findings_are_what_the_findings_did():
    outcome = outcome_of("failing_leak", "expect: [CTX201]")
    assert (outcome.verdict, outcome.exit_code) == ("findings", 0)


def test_a_run_in_which_nothing_overlapped_says_so():
    assert outcome_of("never_overlapping").document.notes == (
        "threads:8 never had two requests in flight at once: none waited while it was answered, "
        "or there were too few",
    )


def test_a_run_with_too_few_users_for_its_workers_says_so():
    notes = outcome_of("few_users").document.notes
    assert notes == ("threads:8 could have 3 requests in flight at once; raise users.count",)


@pytest.mark.parametrize("app", ["leave", "flood", "300:memory"])
def test_a_cell_that_ended_early_makes_the_run_inconclusive(app):
    limits = Limits(memory_bytes=100 * 1024**2, flood_bytes=1024**2)
    place, _, word = app.rpartition(":")
    one = scenario(word, workers="[sync]")
    if place:
        target = one.target.model_copy(update={"app": app})
        one = one.model_copy(update={"target": target})
    outcome = simulate(one, options=Options(limits=limits))
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 4)
    assert outcome.cells[0].ending.kind in outcome.document.reasons[0]


def test_a_cell_that_hangs_is_inconclusive_and_the_others_run_on():
    options = Options(stall_s=0.1, limits=Limits(stall_grace_s=0.1))
    outcome = outcome_of("hang", options=options)
    assert outcome.exit_code == 4
    assert {cell.ending.kind for cell in outcome.cells} == {"hang"}


def test_findings_count_even_if_the_cell_crashed_afterwards():
    outcome = outcome_of("crash")
    assert (outcome.verdict, outcome.exit_code) == ("findings", 1)
    assert codes(outcome) == ["CTX201"]
    assert outcome.cells[0].ending.kind == "crash"


def test_expected_findings_of_a_cell_that_crashed_are_inconclusive():
    outcome = outcome_of("crash", "expect: [CTX201]")
    assert (outcome.verdict, outcome.exit_code) == ("findings", 4)


def test_a_missing_finding_of_a_cell_that_ended_early_is_inconclusive():
    assert outcome_of("leave", "expect: [CTX201]").exit_code == 4


def test_a_target_that_no_cell_can_import_is_an_error_in_the_cell_s_words():
    with pytest.raises(TargetError) as caught:
        outcome_of("import_fails")
    assert str(caught.value) == "no module named 'shopp'\n  did you mean 'shop'?"
    assert any("as the application gave it" in note for note in caught.value.__notes__)


def test_a_target_that_only_some_cells_can_import_is_an_error_with_the_rest_reported():
    outcome = outcome_of("import_fails_if_threads")
    assert (outcome.verdict, outcome.exit_code) == ("error", 3)
    assert [cell.verdict for cell in outcome.cells] == ["clean", "error"]


def test_a_fault_of_ctxsim_s_own_in_a_cell_exits_with_70():
    outcome = outcome_of("fault")
    assert (outcome.verdict, outcome.exit_code) == ("error", 70)
    assert "KeyError in visits.py" in outcome.document.reasons[0]


def test_broken_thresholds_without_findings_exit_with_5():
    outcome = outcome_of("clean", "thresholds: {p95: '< 0.1ms', checked: '>= 99%'}")
    assert (outcome.verdict, outcome.exit_code) == ("clean", 5)
    assert "threshold p95 < 0.1ms broken in app/sync: 0.4 ms" in outcome.document.reasons


def test_thresholds_that_hold_change_nothing():
    kept = "thresholds: {p95: '< 1s', checked: '>= 99%', failed: '<= 1%'}"
    assert outcome_of("clean", kept).exit_code == 0


def test_requests_that_fail_on_purpose_are_not_missed_in_the_checked_share():
    assert outcome_of("errors_uncompared", "thresholds: {checked: '>= 100%'}").exit_code == 0


def test_findings_come_before_broken_thresholds():
    assert outcome_of("leak", "thresholds: {p95: '< 0.1ms'}").exit_code == 1


def test_only_the_codes_that_the_scenario_checks_are_found():
    outcome = outcome_of("leak", "checks: [contexts]")
    assert outcome.exit_code == 0
    assert "CTX201" not in outcome.document.checks


def test_an_expectation_that_holds_alone_is_another_answer_under_load():
    assert codes(outcome_of("expectation")) == ["CTX208"]


def test_an_expectation_that_fails_alone_too_is_the_scenario_s_own_matter():
    one = scenario("expectation")
    target = one.target.model_copy(update={"app": "alone_too:expectation"})
    assert codes(simulate(one.model_copy(update={"target": target}))) == ["CTX209"]


def test_the_requests_that_are_carried_alone_are_no_cell_of_the_result():
    assert len(outcome_of("expectation").cells) == 2


def test_an_interrupted_run_reports_what_was_known_and_exits_with_130():
    options = Options()

    def interrupt(progress):
        if progress.state == "tally":
            options.halt.interrupt()

    one = scenario("obedient", workers="[sync]")
    outcome = simulate(one, options=options, progress=interrupt)
    assert (outcome.verdict, outcome.exit_code) == ("findings", 130)
    assert outcome.cells[0].ending.kind == "stopped"
    assert outcome.findings[0].count == 4


def test_an_interrupted_run_without_findings_is_inconclusive():
    options = Options()
    options.halt.interrupt()
    outcome = simulate(scenario("clean"), options=options)
    assert (outcome.verdict, outcome.exit_code) == ("inconclusive", 130)


def test_cells_that_never_began_are_called_as_those_that_did():
    """Where contexts are kept an import tells, of all cells of the application."""
    options = Options(jobs=1)

    def interrupt(progress):
        if progress.state == "tally":
            options.halt.interrupt()

    one = scenario("obedient", kind="auto")
    begun, never = simulate(one, options=options, progress=interrupt).cells
    assert begun.requests > never.requests == 0
    assert begun.storage == never.storage == "app"


def test_without_any_import_cells_are_called_by_their_workers():
    """Unless a look has told what the application is."""
    options = Options()
    options.halt.interrupt()
    reasons = outcome_of("clean", kind="auto", options=options).document.reasons
    told = "stopped: the run was ended before this cell was started"
    assert reasons[1] == f"sync, threads:8 ended early: {told}"
    looked_at = replace(options, origin=Origin(("ctxsim", "check"), kind="wsgi"))
    reasons = outcome_of("clean", kind="auto", options=looked_at).document.reasons
    assert reasons[1] == f"app/sync, app/threads:8 ended early: {told}"


def test_fail_fast_ends_all_cells_at_the_first_finding():
    outcome = outcome_of("obedient", options=Options(fail_fast=True, jobs=1))
    assert (outcome.verdict, outcome.exit_code) == ("findings", 1)
    assert [cell.ending.kind for cell in outcome.cells] == ["stopped", "stopped"]
    assert outcome.cells[1].requests == 0


def test_fail_fast_goes_on_after_findings_that_are_expected():
    outcome = outcome_of("leak", "expect: [CTX201]", options=Options(fail_fast=True))
    assert outcome.exit_code == 0


def test_a_drawn_seed_is_told_and_no_two_runs_have_the_same_digits():
    without = scenario("clean").model_copy(update={"seed": None})
    first, second = (simulate(without).document for _ in range(2))
    assert 0 <= first.seed < 1_000_000
    assert first.environment["run"] != second.environment["run"]


LEAKS = """
seen = []

def app(environ, start_response):
    seen.append(environ["QUERY_STRING"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join(seen[-2:]).encode()]
"""


def test_a_seed_that_is_given_repeats_the_document_word_for_word(monkeypatch, tmp_path):
    monkeypatch.setattr(process, "PROGRAM", REAL)
    (tmp_path / "leaks.py").write_text(LEAKS, encoding="utf-8")
    text = (
        "version: 1\ntarget: {app: 'leaks:app', kind: wsgi}\nsteps: [{get: '/?tag={canary}'}]\n"
        "workers: [sync]\nload: {requests: 60}\nseed: 7\n"
    )
    one = Scenario.parse(text, str(tmp_path / "leaks.ctxsim.yaml"))
    first, second = (simulate(one).to_json() for _ in range(2))
    assert "CTX201" in [finding["code"] for finding in first["findings"]]
    assert timeless(first) == timeless(second)


def test_cells_of_a_target_of_unknown_kind_are_named_after_the_import():
    names = [cell.name for cell in outcome_of("clean", kind="auto").cells]
    assert names == ["app/sync", "app/threads:8"]
    names = [cell.name for cell in outcome_of("runtime", kind="auto").cells]
    assert names == ["contextvar/sync", "contextvar/threads:8"]


def test_one_cell_alone_is_not_blamed_for_what_the_others_must_show():
    one = scenario("leak_if_threads", "expect: [CTX201]")
    sync, threads = cells(one)
    assert simulate(one, options=Options(only=sync)).exit_code == 0
    alone = simulate(one, options=Options(only=threads))
    assert [cell.name for cell in alone.cells] == ["app/threads:8"]


@pytest.mark.parametrize("app", ["clean", "leak", "crash", "nothing_compared", "fault"])
def test_the_document_is_what_is_promised(app):
    document = outcome_of(app).to_json()
    jsonschema.validate(document, DOCUMENT)


def test_what_depends_on_time_and_machine_stands_under_timing_and_environment():
    first, second = (outcome_of("leak").to_json() for _ in range(2))
    assert timeless(first) == timeless(second)


def test_an_outcome_is_a_value():
    outcome = outcome_of("clean")
    assert replace(outcome) == outcome
