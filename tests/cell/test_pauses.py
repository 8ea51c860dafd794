"""`ctxsim.pause` blocks the worker that carries a request; in a lesson there is no other."""

from dataclasses import replace

import pytest
from driving import live, plan_of

from ctxsim.cell.plan import Load

PATIENT = """
import ctxsim

def app(environ, start_response):
    ctxsim.pause({pause_s})
    start_response("200 OK", [])
    return [environ["QUERY_STRING"].encode()]
"""


@pytest.mark.parametrize("word", ["sync", "greenlets:4"])
def test_a_lesson_waits_for_no_pause_of_the_application_s(application, word):
    """So that it learns its answers, where its time would be over with the first."""
    target = application(PATIENT.format(pause_s=30))
    load = Load(requests=20, duration_s=20)
    plan = plan_of("GET /?{canary}", target=target, workers=word, load=load)
    plan = replace(plan, learning=True, one_by_one=True)
    lived = live(plan).finished()
    assert lived.tally.requests == 20
    assert lived.tally.elapsed_s < 20


def test_other_cells_wait(application):
    target = application(PATIENT.format(pause_s=0.1))
    lived = live(plan_of("GET /?{canary}", target=target, load=Load(requests=5))).finished()
    assert lived.tally.elapsed_s > 0.5
