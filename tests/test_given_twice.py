"""Numbers that count alone and are given twice under load are told, with what to expect."""

import pytest

APP = """
import threading
import time
import flask
app = flask.Flask(__name__)
last, lock, things = 0, threading.Lock(), {}
def lost():
    global last
    number = last + 1
    time.sleep(0.001)
    last = number
    return number
def right():
    global last
    with lock:
        last += 1
        return last
def of_user():
    things[flask.request.args["who"]] = things.get(flask.request.args["who"], 0) + 1
    return things[flask.request.args["who"]]
def clock(): return time.time_ns() // 1000 % 10**8
@app.get("/number")
def number(): return {"number": NUMBER(), "for": flask.request.args["who"]}
"""


@pytest.mark.parametrize(
    ("number", "workers", "is_told"),
    [
        ("lost", "threads:4", True),
        ("lost", "greenlets:4", True),
        ("lost", "sync", False),
        ("right", "threads:4", False),
        ("of_user", "threads:4", False),
        ("clock", "threads:4", False),
    ],
)
def test_a_lost_update_of_a_counter_is_told(checked, number, workers, is_told):
    outcome = checked(APP.replace("NUMBER", number), workers=[workers], requests=300)
    told = [each for each in outcome.document.notes if "counts up" in each]
    assert [each.partition(",")[0] for each in told] == (
        [f"app/{workers}: GET /number counts up as number when it is alone"] if is_told else []
    )
