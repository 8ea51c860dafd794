"""Why routes fail is told beside the verdict: what was raised, and the application's line."""

import pytest

FLASK = """
import flask
app = flask.Flask(__name__)
@app.get("/fails")
def fails():
    return flask.request.args.get("q", "x") + 1
@app.get("/fine")
def fine():
    return flask.request.args.get("q", "x")
"""
STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
async def fails(request):
    return PlainTextResponse(request.query_params.get("q", "x") + 1)
async def fine(request):
    return PlainTextResponse(request.query_params.get("q", "x"))
app = Starlette(routes=[Route("/fails", fails), Route("/fine", fine)])
"""
WHY = 'TypeError: can only concatenate str (not "int") to str (checked.py:6)'


@pytest.mark.parametrize("text", [FLASK, STARLETTE])
def test_why_a_route_never_answers_well_is_told(checked, text):
    """Frameworks answer 500 and log the reason, or raise it once more."""
    told = checked(text, workers=None, requests=100).document.not_covered
    assert f"GET /fails answered 500, however it was sent: {WHY}" in told


def test_what_requests_raise_under_load_is_told_once(checked):
    """Of each kind of error the first."""
    notes = checked(STARLETTE, workers=["tasks:4"], requests=200).document.notes
    told = [each for each in notes if "raised" in each]
    assert told == [f"app/tasks:4: GET /fails raised {WHY}"]


def test_an_error_that_was_handled_is_no_reason(checked):
    """What was logged while another request ran says nothing of this one."""
    text = FLASK.replace('flask.request.args.get("q", "x") + 1', '"busy", 500')
    text = text.replace(
        "def fine():",
        'def fine():\n    app.logger.error("noted", exc_info=ValueError("no matter"))',
    )
    told = checked(text, requests=100).document.not_covered
    assert "GET /fails answered 500, however it was sent" in told
