"""Whole runs of ASGI applications: which workers there are, and which are refused."""

from pathlib import Path

import pytest

from ctxsim.errors import ScenarioError, TargetError, UnsuitedError, UsageError
from ctxsim.jobs import Options
from ctxsim.scenario import Scenario, cells
from ctxsim.simulation import simulate

APP = """
import asyncio, sys

{at_import}

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({{"type": "lifespan.startup.{startup}", "message": "no database"}})
        await receive()
    await asyncio.sleep(0)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": scope["query_string"]}})
"""
SUITING = ["app/sync", "app/tasks:100"]


@pytest.fixture
def scenario(tmp_path: Path):
    """Write an application and a scenario of it; gives the scenario."""

    def write(*lines: str, kind: str = "auto", startup: str = "complete", at_import: str = ""):
        text = APP.format(startup=startup, at_import=at_import)
        (tmp_path / "shop.py").write_text(text, encoding="utf-8")
        file = tmp_path / "shop.yaml"
        head = f"version: 1\ntarget: {{app: shop:app, kind: {kind}}}\nload: {{requests: 60}}\n"
        file.write_text("\n".join([head + "steps: [{get: '/?t={canary}'}]", *lines]))
        return Scenario.load(file)

    return write


@pytest.mark.parametrize("kind", ["auto", "asgi"])
def test_of_the_usual_workers_those_that_suit_are_there(scenario, kind: str) -> None:
    """The others are neither shown nor counted, also where only the import tells the kind."""
    outcome = simulate(scenario(kind=kind))
    assert [f"{each.storage}/{each.workers}" for each in outcome.cells] == SUITING
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)
    assert outcome.document.environment["target"]["kind"] == "asgi"


def test_workers_that_nobody_named_may_fail_in_any_way(scenario) -> None:
    """An application for asyncio may not be importable where gevent has patched everything."""
    failing = "assert 'gevent.monkey' not in sys.modules, 'not with gevent'"
    outcome = simulate(scenario(at_import=failing))
    assert [f"{each.storage}/{each.workers}" for each in outcome.cells] == SUITING
    assert outcome.exit_code == 0


def test_an_expectation_of_a_cell_may_still_be_told(scenario) -> None:
    lines = ('expect: {"app/tasks:100": clean, "*": clean}',)
    assert simulate(scenario(*lines, kind="asgi")).exit_code == 0
    assert simulate(scenario(*lines)).exit_code == 0


def test_a_pattern_of_workers_that_do_not_suit_matches_no_cell(scenario) -> None:
    with pytest.raises(ScenarioError, match="matches no cell"):
        scenario('expect: {"app/threads:8": clean}', kind="asgi")


def test_named_workers_are_refused_when_the_kind_shows(scenario) -> None:
    named = scenario('workers: [sync, "threads:4", "tasks:4:to_thread"]')
    with pytest.raises(UnsuitedError) as caught:
        simulate(named)
    assert caught.value.exit_code == 2
    told = str(caught.value)
    assert told.startswith("threads:4, tasks:4:to_thread cannot carry shop:app: it is an ASGI")
    assert "write sync, tasks:N or tasks:N:empty" in told


def test_named_workers_are_refused_in_the_file_that_says_asgi(scenario) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario('workers: [sync, "threads:4", "tasks:4", "tasks:4:executor"]', kind="asgi")
    assert [problem.message for problem in caught.value.problems] == [
        f"'{word}' cannot carry an ASGI application, whose requests are tasks"
        for word in ("threads:4", "tasks:4:executor")
    ]


def test_workers_of_the_command_line_are_refused_for_a_file_that_says_asgi(scenario) -> None:
    with pytest.raises(UnsuitedError, match="threads:4 cannot carry"):
        cells(scenario(kind="asgi").with_options(workers=["threads:4"]))


def test_a_storage_is_refused_for_a_file_that_says_asgi(scenario) -> None:
    with pytest.raises(UsageError, match="a storage is for runtime targets"):
        scenario(kind="asgi").with_options(storage="thread")


def test_all_three_ways_of_tasks_run(scenario) -> None:
    outcome = simulate(scenario('workers: [sync, "tasks:4", "tasks:4:empty"]'))
    assert [each.in_flight_peak for each in outcome.cells] == [1, 4, 4]
    assert (outcome.verdict, outcome.exit_code) == ("clean", 0)


def test_a_cell_that_does_not_suit_cannot_be_run_alone(scenario) -> None:
    """As the items of a test run are; only sync and tasks can."""
    some = scenario()
    words = {cell.workers.word: cell for cell in cells(some)}
    with pytest.raises(UnsuitedError):
        simulate(some, options=Options(only=words["threads:8"]))
    assert simulate(some, options=Options(only=words["sync"])).exit_code == 0


@pytest.mark.parametrize("kind", ["auto", "asgi"])
def test_a_startup_that_fails_is_a_fault_of_the_target(scenario, kind: str) -> None:
    with pytest.raises(TargetError, match="shop:app could not start up: no database") as caught:
        simulate(scenario(kind=kind, startup="failed"))
    assert caught.value.exit_code == 3
