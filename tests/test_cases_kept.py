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
    return simulate(scenario, options=Options(compare_alone=False, cases=cases))


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
    # Another text of the scenario may allow it, or look for something else.
    other = replace(case, scenario={**case.scenario, "text": KEYS.replace("20", "19")})
    assert searched(short, other).findings == ()
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
