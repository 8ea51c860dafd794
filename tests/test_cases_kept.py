"""What was found before is carried again by a later run that does not find it anew."""

import json
from dataclasses import replace

import pytest

from ctxsim.cli import main
from ctxsim.errors import ExitCode
from ctxsim.jobs import Options
from ctxsim.report.cases import keep_case, kept_cases
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

LEAKY = """
from flask import Flask, request
app = Flask(__name__)
current = {}

@app.get("/who")
def who():
    current["name"] = request.args["tag"]
    greeting = "hello"
    return greeting + current["name"]
"""
FIXED = LEAKY.replace("    current[", "    current = {}\n    current[")
KEYS = (
    "version: 1\n"
    "target: {app: 'served.py:app'}\n"
    "steps: [{get: '/who?tag={canary}'}]\n"
    "workers: ['threads:4']\n"
    "schedule: {kind: auto, budget: 20}\n"
    "checks: [crosstalk]\n"
    "seed: 7\n"
)


@pytest.fixture
def scenario(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "served.py").write_text(LEAKY)
    (tmp_path / "kept.yaml").write_text(KEYS)
    return Scenario.load(tmp_path / "kept.yaml")


def searched(scenario, *cases):
    return simulate(scenario, options=Options(confirms=False, compare_alone=False, cases=cases))


def told(outcome):
    document = outcome.to_json()
    for each in (document, *document["cells"]):
        for key in ("environment", "timing"):
            each.pop(key, None)
    return json.dumps(document)


def test_what_was_found_before_is_a_finding_of_a_later_run_until_it_is_mended(scenario, tmp_path):
    first = searched(scenario)
    [case] = first.cases
    assert told(searched(scenario, case)) == told(first)
    short = scenario.with_options(seed=9, budget="1")
    assert searched(short).findings == ()
    outcome = searched(short, case)
    [finding] = outcome.findings
    assert (outcome.exit_code, finding.id) == (ExitCode.FINDINGS, case.id)
    assert finding.replay == f"ctxsim replay {case.id}"
    assert "found in an earlier run, shown by 3 of 3 replays:" in finding.story
    # Another scenario may allow it, or look for something else; the schedule does neither.
    other = replace(case, scenario={**case.scenario, "text": KEYS.replace("seed: 7", "seed: 8")})
    assert searched(short, other).findings == ()
    other = replace(case, scenario={**case.scenario, "text": KEYS.replace("20", "19")})
    assert [each.id for each in searched(short, other).findings] == [case.id]
    (tmp_path / "served.py").write_text(FIXED)
    assert searched(short, case).findings == ()


def test_the_command_carries_what_is_kept_here_unless_it_is_told_not_to(scenario):
    [case] = searched(scenario).cases
    keep_case(case)
    assert kept_cases() == (case,)
    run = ["run", "kept.yaml", "-q", "--seed", "9", "--budget", "1"]
    assert main(run) == ExitCode.FINDINGS
    assert main([*run, "--no-cases"]) != ExitCode.FINDINGS


def test_what_was_found_before_is_carried_first_and_may_be_enough(scenario, tmp_path):
    [case] = searched(scenario).cases
    options = Options(compare_alone=False, cases=(case,), fail_fast=True)
    outcome = simulate(scenario, options=options)
    assert [finding.id for finding in outcome.findings] == [case.id]
    assert outcome.exit_code == ExitCode.FINDINGS
    [cell] = outcome.cells
    assert (cell.storage, cell.requests) == ("app", 0)
    # Where it was mended, the search is carried out after all.
    (tmp_path / "served.py").write_text(FIXED)
    outcome = simulate(scenario, options=options)
    assert (outcome.verdict, outcome.exit_code) == ("clean", ExitCode.OK)
    assert sum(cell.compared for cell in outcome.cells) > 20


def test_a_case_that_is_expected_ends_no_search(scenario, tmp_path):
    (tmp_path / "kept.yaml").write_text(KEYS + "expect: {'app/threads:4': [CTX201]}\n")
    known = Scenario.load(tmp_path / "kept.yaml")
    [case] = searched(known).cases
    options = Options(compare_alone=False, cases=(case,), fail_fast=True)
    outcome = simulate(known, options=options)
    assert outcome.exit_code == ExitCode.OK
    assert sum(cell.requests for cell in outcome.cells) > 0


def only_cases(scenario, *cases):
    return searched(scenario.with_options(schedule="replay"), *cases)


def test_a_schedule_of_replays_carries_kept_cases_and_nothing_else(scenario, tmp_path):
    [case] = searched(scenario).cases
    again = only_cases(scenario, case)
    [cell] = again.cells
    assert (cell.storage, cell.workers, cell.requests) == ("app", "threads:4", 2 * 20)
    assert [each.id for each in again.findings] == [case.id]
    assert again.exit_code == ExitCode.FINDINGS
    # Its file says so just as well, and may say it later than the search.
    (tmp_path / "kept.yaml").write_text(KEYS.replace("auto, budget: 20", "replay"))
    again = searched(Scenario.load(tmp_path / "kept.yaml"), case)
    assert [each.id for each in again.findings] == [case.id]
    elsewhere = replace(case, python="/gone", scenario={**case.scenario, "folder": "/gone"})
    assert [each.id for each in only_cases(scenario, elsewhere).findings] == [case.id]
    (tmp_path / "served.py").write_text(FIXED)
    again = only_cases(scenario, case)
    assert (again.verdict, again.exit_code) == ("clean", ExitCode.OK)
    assert f"{case.id} shows no more" in again.document.notes


def test_a_schedule_of_replays_calls_nothing_clean_that_it_did_not_carry(scenario, tmp_path):
    [case] = searched(scenario).cases
    [reason] = only_cases(scenario).document.reasons
    assert "no case of an earlier search is kept" in reason
    others = scenario.with_options(workers=["threads:4", "threads:2"])
    assert "threads:2: no case of an earlier search is kept" in (
        only_cases(others, case).document.not_covered
    )
    assert only_cases(scenario.with_options(workers="threads:2"), case).exit_code == (
        ExitCode.INCONCLUSIVE
    )
    # The route is gone, so that nothing was compared.
    (tmp_path / "served.py").write_text(FIXED.replace("/who", "/whom"))
    assert only_cases(scenario, case).exit_code == ExitCode.INCONCLUSIVE
    (tmp_path / "served.py").write_text("raise RuntimeError('no application')")
    outcome = only_cases(scenario, case)
    assert outcome.exit_code == ExitCode.INCONCLUSIVE
    assert "could not be carried again" in outcome.document.reasons[0]


def test_what_some_replays_show_alone_is_a_doubt(scenario, tmp_path):
    [case] = searched(scenario).cases
    # Each replay sends two requests.
    counted = """
    with open("sent", "ab") as sent:
        if sent.write(b"+") and sent.tell() % 4 in (1, 2):
            return request.args["tag"]
    """
    (tmp_path / "served.py").write_text(LEAKY.replace("    current[", f"{counted}current["))
    outcome = only_cases(scenario, case)
    assert (outcome.findings, outcome.exit_code) == ((), ExitCode.INCONCLUSIVE)
