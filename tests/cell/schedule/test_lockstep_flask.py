"""Three requests at the same time through a Flask application whose own lines alone may switch."""

from __future__ import annotations

import importlib
import sys

import pytest
from races import greeted_wrong
from searching import Trial
from serving import get

from ctxsim.cell.schedule.lockstep import Lockstep
from ctxsim.cell.schedule.selection import Selection
from ctxsim.cell.schedule.standins import StandIns
from ctxsim.cell.schedule.tracing import tracing

USERS = "abc"


@pytest.fixture
def shop():
    """The application, imported when the stand-ins are there, and warm."""
    pytest.importorskip("flask", reason="Flask is missing: pip install '.[test]'")
    with StandIns():
        module = importlib.import_module("leaky_shop")
        get(module.app, "/g", "a")
        yield module
        del sys.modules["leaky_shop"]


def trial(shop, tracer, path):
    calls = [lambda user=user: get(shop.app, path, user) for user in USERS]
    return Trial(Lockstep(tracer), lambda: calls, greeted_wrong(USERS))


def test_a_leak_through_a_module_global_is_found_in_few_executions_and_replayed(shop):
    with tracing(Selection(frozenset({shop.__file__}))) as tracer:
        leaks = trial(shop, tracer, "/global")
        execution, number = leaks.first(50)
        assert number <= 10
        assert not execution.unseen
        replays = [leaks.replay(execution.schedule) for _ in range(100)]
    assert sum(shows for _, shows in replays) == 100
    assert {each.trails for each, _ in replays} == {execution.trails}
    assert {each.site.file for each in execution.points.preemptions} <= {shop.__file__}


def test_what_flask_keeps_in_g_is_never_anothers(shop):
    with tracing(Selection(frozenset({shop.__file__}))) as tracer:
        found = list(trial(shop, tracer, "/g").executions(200))
    assert len(found) == 200
    assert len({execution.schedule for execution, _ in found}) > 50
    assert not any(execution.stopped or execution.unseen for execution, _ in found)
    assert not any(shows for _, shows in found)
