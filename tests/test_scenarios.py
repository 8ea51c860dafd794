"""Every file in scenarios/ ends as it says it does, run by the real command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctxsim.cell.plan import WORKER_VARIANTS
from ctxsim.runtime import storages
from ctxsim.scenario import Scenario

SCENARIOS = Path(__file__).parents[1] / "scenarios"
FILES = sorted(SCENARIOS.glob("*.yaml"), key=lambda path: path.name)
MODELS = {"sync", "threads", "greenlets", "tasks", "threads x greenlets"}

pytestmark = [pytest.mark.timeout(240), pytest.mark.long]


Results = Callable[[str], dict[str, Any]]


@pytest.fixture
def results(console: Any) -> Results:
    """Gives a file's result document."""

    def of(name: str) -> dict[str, Any]:
        # The same commands as the README's, so that both tests share one run.
        command = "matrix" if name == "matrix.yaml" else "run"
        ran = console.run(f"ctxsim {command} scenarios/{name}")
        document: dict[str, Any] = ran.document
        assert document, ran.stderr
        assert document["exit_code"] == ran.code
        return document

    return of


def names_of_cells(document: dict[str, Any]) -> dict[str, set[str]]:
    return {f"{c['storage']}/{c['workers']}": set(c["codes"]) for c in document["cells"]}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_scenario_ends_as_it_says(results: Results, file: Path) -> None:
    document = results(file.name)
    assert document["expect"]["unexpected"] == []
    assert document["expect"]["missing"] == []
    assert document["exit_code"] == 0, document["reasons"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_cell_of_a_scenario_runs_to_its_end_and_compares(
    results: Results, file: Path
) -> None:
    scenario = Scenario.load(file)
    for cell in results(file.name)["cells"]:
        assert cell["ending"] is None
        if scenario.schedule.kind == "os":
            assert cell["requests"] == scenario.amount.requests
        else:
            # At least two in each execution.
            assert cell["requests"] >= 2 * scenario.schedule.budget.executions
        # Where contexts are popped out of order, no request may get as far as an answer.
        assert cell["compared"] > 0 or "CTX103" in cell["codes"]


def test_the_quickstart_has_thousands_in_flight_and_is_clean(results: Results) -> None:
    [cell] = results("quickstart.yaml")["cells"]
    assert cell["requests"] == 20_000
    assert cell["in_flight_peak"] >= 4_000
    assert cell["verdict"] == "clean"


def test_the_matrix_covers_every_storage_and_every_workers_word() -> None:
    scenario = Scenario.load(SCENARIOS / "matrix.yaml")
    assert scenario.target.storage == storages
    words = {(each.model, each.variant) for each in scenario.workers}
    variants = {(model, each) for model, many in WORKER_VARIANTS.items() for each in many}
    assert words == {(model, None) for model in MODELS} | variants


def test_in_the_matrix_only_context_variables_and_greenlets_survive_unpatched_greenlets(
    results: Results,
) -> None:
    """Thread-locals mix requests there, the ident dict gives a value of a dead greenlet."""
    found = names_of_cells(results("matrix.yaml"))
    column = {name: found[f"{name}/greenlets:100:unpatched"] for name in storages}
    assert column["contextvar"] == column["greenlet"] == set()
    assert column["ident"] == {"CTX401"}
    assert "CTX202" in column["thread"]
    assert "CTX202" in column["shared"]


def test_in_the_matrix_copied_contexts_inherit_what_was_pushed_at_import(results: Results) -> None:
    found = names_of_cells(results("matrix.yaml"))
    words = ["threads:8:copied", "greenlets:100:copied", "tasks:50", "tasks:50:to_thread"]
    for word in words:
        assert found[f"contextvar/{word}"] == {"CTX102", "CTX202"}


def test_in_the_matrix_a_new_thread_starts_clean_unless_its_number_was_used_before(
    results: Results,
) -> None:
    found = names_of_cells(results("matrix.yaml"))
    kept = {name: found[f"{name}/threads:8:fresh"] for name in storages}
    assert kept["contextvar"] == kept["greenlet"] == kept["thread"] == set()
    assert kept["ident"] == {"CTX401"}


@pytest.mark.parametrize("name", ["shop.yaml", "shop-global-user.yaml"])
def test_the_shop_is_carried_by_every_worker_model(name: str) -> None:
    scenario = Scenario.load(SCENARIOS / name)
    words = {(each.model, each.variant) for each in scenario.workers}
    variants = {(model, each) for model, many in WORKER_VARIANTS.items() for each in many}
    assert words == {(model, None) for model in MODELS} | variants


def test_a_global_user_shows_only_where_requests_overlap(results: Results) -> None:
    found = names_of_cells(results("shop-global-user.yaml"))
    clean = {name for name, codes in found.items() if not codes}
    assert clean == {
        f"app/{word}" for word in ("sync", "tasks:50", "tasks:50:empty", "greenlets:50:unpatched")
    }


def test_a_visitor_is_taken_for_a_user_by_the_known_bad_application(results: Results) -> None:
    document = results("known-bad.yaml")
    assert document["findings"][0]["code"] == "CTX204"
    assert document["findings"][0]["story"]
