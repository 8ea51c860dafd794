"""A route whose answers tell nobody from another is named, beside those that were compared."""

import pytest

APP = """
import flask
app = flask.Flask(__name__)
@app.get("/echo")
def echo(): return flask.request.args["q"]
@app.get("/about")
def about(): return "about us"
@app.get("/never")
def never(): flask.abort(404)
@app.get("/away")
def away(): return flask.redirect("/about")
@app.get("/empty")
def empty(): return "", 204
"""


@pytest.mark.parametrize("workers", ["sync", "threads:4", "greenlets:4", "tasks:4"])
def test_only_what_was_answered_and_held_nothing_is_named(checked, workers):
    outcome = checked(APP, workers=[workers], requests=300)
    notes = [each for each in outcome.document.notes if each.startswith("no answer of")]
    assert [each.partition(" held")[0] for each in notes] == ["no answer of GET /about"]
    assert outcome.exit_code == 0
