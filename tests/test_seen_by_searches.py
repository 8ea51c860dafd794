"""What a search saw for certain, and could not have at its will, keeps a check from being clean."""

import pytest

from ctxsim.cell.history import History
from ctxsim.jobs import Options
from ctxsim.report.judged import JudgedCell
from ctxsim.scenario import Scenario
from ctxsim.searches import Further, Searches
from ctxsim.simulation import simulate

SEEN = "what was seen once (answer.foreign: body) showed again in some replays"
LOST = "what was seen once (answer.foreign: body) did not show again"
# Only now and then does it give what it shares, by a chance that no schedule controls; and what it
# shares is another's for a moment that a load hardly ever meets.
NOW_AND_THEN = """
import os
import flask
app = flask.Flask(__name__)
last = {}
@app.get("/me")
def me():
    name = flask.request.args["name"]
    last["name"] = name
    return last["name"] if os.urandom(1)[0] < 128 else name
"""

# Each of its routes leaks, which is a cause of its own.
ROUTES = """
from urllib.parse import parse_qs
left = {}
def app(environ, start_response):
    name = parse_qs(environ["QUERY_STRING"])["name"][0]
    before = left.pop("name", "")
    left["name"] = name
    start_response("200 OK", [])
    return [f"{before} {name}".encode()]
"""


def test_how_many_causes_a_search_left_out_is_said(tmp_path):
    (tmp_path / "served.py").write_text(ROUTES, encoding="utf-8")
    steps = "".join(f"  - get: /r{number}?name={{canary}}\n" for number in range(14))
    path = tmp_path / "searched.yaml"
    path.write_text(
        f"version: 1\ntarget: {{app: 'served.py:app'}}\nsteps:\n{steps}workers: sync\n"
        "faults: none\nseed: 7\nschedule: {kind: random, budget: 300}\n",
        encoding="utf-8",
    )
    document = simulate(Scenario.load(path), options=Options(compare_alone=False)).document
    said = [each for each in document.notes if "left out after 12 others" in each]
    assert said, (document.notes, document.reasons)
    assert "more cause" in said[0]


def test_what_was_seen_for_certain_is_a_doubt_and_not_only_not_covered():
    history = History(doubts=[SEEN, LOST], seen=[SEEN])
    cell = JudgedCell("app", "threads:8", history, (), unconfirmed=(SEEN, LOST))
    further = Further(Searches(), (cell,))
    assert list(further.doubts) == [f"app/threads:8: {SEEN}"]
    assert list(further.not_covered) == [f"unlucky orders in app/threads:8: {LOST}"]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_shows_now_and_then_is_never_clean(checked, seed):
    """It is found by the load, or by a search that can show it again, or it is a doubt."""
    outcome = checked(NOW_AND_THEN, workers=["threads:4"], requests=40, seed=seed, budget_s=20.0)
    assert outcome.exit_code != 0, outcome.document
