"""What a view imports itself has switch points too, in searches, replays and on native threads."""

import pytest

from ctxsim.jobs import Options
from ctxsim.replaying import replay
from ctxsim.scenario import Scenario
from ctxsim.simulation import simulate

FLASK = """
from flask import Flask, request
app = Flask(__name__)

@app.get("/who")
def who():
    from answers import answer
    return answer(request.args["tag"])
"""
FASTAPI = """
from fastapi import FastAPI
app = FastAPI()

@app.get("/who")
def who(tag: str):
    import answers
    return answers.answer(tag)
"""
LEAKY = """
current = {}

def answer(tag):
    current["name"] = tag
    greeting = "hello "
    return greeting + current["name"]
"""
# It can be imported in a request alone.
IN_A_REQUEST = """
from flask import request
host = request.host

def answer(tag):
    return "hello " + tag
"""
STARTS_A_THREAD = """
import threading, time

def wait():
    while True:
        time.sleep(1)

threading.Thread(target=wait, daemon=True).start()

def answer(tag):
    return "hello " + tag
"""


@pytest.fixture
def searched(tmp_path):
    def search(source, answers, workers="threads:4", schedule="{kind: auto, budget: 120}"):
        (tmp_path / "served.py").write_text(source, encoding="utf-8")
        (tmp_path / "answers.py").write_text(answers, encoding="utf-8")
        path = tmp_path / "imports.yaml"
        path.write_text(
            'version: 1\ntarget: {app: "served.py:app"}\n'
            f'steps: [{{get: "/who?tag={{canary}}"}}]\nworkers: ["{workers}"]\n'
            f"schedule: {schedule}\nseed: 7\n",
            encoding="utf-8",
        )
        return simulate(Scenario.load(path), options=Options(compare_alone=False))

    return search


@pytest.mark.parametrize(("source", "workers"), [(FLASK, "threads:4"), (FASTAPI, "tasks:4")])
def test_an_unlucky_order_in_a_module_that_a_view_imports_is_found_and_replayed(
    searched, source, workers
):
    outcome = searched(source, LEAKY, workers)
    [finding] = outcome.findings
    assert finding.code == "CTX201"
    assert "answers.py:5" in " ".join(finding.story)
    [case] = outcome.cases
    assert replay(case, 20).times == 20


def test_a_module_that_a_view_imports_can_be_selected_by_name(searched):
    schedule = "{kind: auto, budget: 120, select: [answers]}"
    [finding] = searched(FLASK, LEAKY, schedule=schedule).findings
    assert finding.code == "CTX201"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [(IN_A_REQUEST, "RuntimeError"), (STARTS_A_THREAD, "it starts threads")],
    ids=["in_a_request", "starts_a_thread"],
)
def test_a_module_that_only_a_request_can_import_is_left_to_it_and_named(searched, answers, reason):
    outcome = searched(FLASK, answers)
    assert outcome.verdict == "clean"
    [note] = [each for each in outcome.document.notes if "answers" in each]
    assert reason in note
