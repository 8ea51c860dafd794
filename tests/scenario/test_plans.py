"""Cells, plans and expectations: what a scenario becomes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from ctxsim import Scenario, TargetError
from ctxsim.cell.plan import Faults, Plan, Step, Workers
from ctxsim.scenario import Cell, alone_plan, cells, codes, expected, overall, plan, python

FULL = """
version: 1
name: shop
target:
  app: shop/wsgi.py:create_app()
  path: [src, ../lib]
  kind: runtime
  storage: [ident, thread]
  env: {LEVEL: 07}
users: {count: 5, visitor: false, parallel: 3, vars: {name: "user{n}", pin: 0123}}
flows:
  buy:
    weight: 3
    steps:
    - post: /login
      form: {name: "{user.name}", pin: 007, rate: 1.50}
      expect: {status: [200, 302], json: {ok: true}, unique: id}
      as: login
    - get: /cart?tag={canary}
      headers: {X-Count: 1}
      auth: [joe, 0815]
      mine: "{user.name}"
      route: /carts
  look:
    steps:
    - put: /a
      json: null
    - patch: /b
      body: "{login}"
faults: {error: 0.5 %}
workers: [sync, "threads:2 x greenlets:3"]
load: {duration: 1.5s}
checks: [contexts, CTX201]
shared: ["/wall", "shop.cache:PUBLIC"]
probes: ["shop.auth:current_name"]
keeps: ["shop.store", "shop.cache:PUBLIC"]
""".replace("{login}", "text")


def _plan(text: str = FULL, number: int = 0, **more: object) -> Plan:
    scenario = Scenario.parse(text)
    return plan(scenario, cells(scenario)[number], seed=9, run="0badcafe", process=2)


@pytest.mark.parametrize(
    ("checks", "looked_for"),
    [("all", True), ("[contexts, CTX402]", True), ("[retention]", True), ("[contexts]", False)],
)
def test_what_is_kept_is_looked_for_where_it_is_a_check(checks: str, looked_for: bool) -> None:
    text = FULL.replace("[contexts, CTX201]", checks)
    assert _plan(text).retention is looked_for


def test_a_plan_survives_the_way_to_the_cell() -> None:
    """A plan that travelled as JSON is equal to the one that was sent."""
    sent = _plan()
    assert Plan.from_json(json.loads(json.dumps(sent.to_json()))) == sent


def test_a_plan_holds_what_the_file_says() -> None:
    """Every key of the file arrives in the plan, in the plan's units."""
    made = _plan(number=3)
    assert Scenario.parse(FULL).target.env == {"LEVEL": "07"}
    assert (made.scenario, made.seed, made.run, made.process) == ("shop", 9, "0badcafe", 2)
    assert made.target.storage == "thread"
    assert (made.load.requests, made.load.duration_s) == (None, 1.5)
    assert made.users.parallel == 3
    assert made.flows[0].steps[0].expect.unique == "id"
    assert (made.probes, made.keeps) == (
        ("shop.auth:current_name",),
        ("shop.store", "shop.cache:PUBLIC"),
    )
    assert made.faults == Faults(error=0.005, abort=0.02, cancel=0.01)
    assert made.users.count == 5
    assert not made.users.visitor
    assert made.shared.routes == ("/wall",)
    assert made.shared.objects == ("shop.cache:PUBLIC",)
    assert [(flow.name, flow.weight) for flow in made.flows] == [("buy", 3.0), ("look", 1.0)]
    assert made.workers.in_flight == 6
    assert made.steps[0].expect.json == (("ok", True),)
    assert [step.route for step in made.steps[:2]] == ["POST /login", "GET /carts"]
    assert made.steps[1].path == "/cart?tag={canary}"


def test_numbers_that_become_texts_stay_as_they_were_written() -> None:
    """A PIN in a form keeps its leading zero, a price its last one."""
    made = _plan()
    assert made.steps[0].form == (("name", "{user.name}"), ("pin", "007"), ("rate", "1.50"))
    assert made.steps[1].headers == (("X-Count", "1"),)
    assert made.steps[1].auth == ("joe", "0815")
    assert made.users.vars == (("name", "user{n}"), ("pin", "0123"))


def test_a_json_body_of_null_is_a_body() -> None:
    """`json: null` sends null, which is not the same as sending nothing."""
    made = _plan()
    assert (made.steps[2].has_json, made.steps[2].json) == (True, None)
    assert not made.steps[3].has_json


def test_only_named_steps_have_names() -> None:
    """A step without `as` has no canary that others could mention, and no name."""
    assert [step.name for step in _plan().steps] == ["login", "", "", ""]


def test_relative_paths_count_from_the_scenarios_folder(tmp_path: Path) -> None:
    """`path` and an application given as a file become absolute."""
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "shop.yaml").write_text(FULL)
    scenario = Scenario.load(folder / "shop.yaml")
    target = plan(scenario, cells(scenario)[0], seed=1, run="0" * 8, process=0).target
    assert target.path == (str(folder / "src"), str(tmp_path / "lib"))
    assert target.app == f"{folder}/shop/wsgi.py:create_app()"


def test_the_scenarios_folder_is_the_default_path(tmp_path: Path) -> None:
    """Without `path`, the application is imported from beside the scenario."""
    (tmp_path / "shop.yaml").write_text(MINIMAL)
    scenario = Scenario.load(tmp_path / "shop.yaml")
    target = plan(scenario, cells(scenario)[0], seed=1, run="0" * 8, process=0).target
    assert target.path == (str(tmp_path),)
    assert target.app == "shop:app"


def test_a_rehearsal_is_one_user_alone() -> None:
    """Alone means sync and one user, for a few visits; all else, faults too, is as together."""
    scenario = Scenario.parse(FULL)
    cell = cells(scenario)[1]
    alone = alone_plan(scenario, cell, seed=9, run="0badcafe", process=2, user=3)
    together = _plan(number=1)
    assert (alone.workers.word, alone.only_user) == ("sync", 3)
    assert (alone.flows, alone.faults) == (together.flows, together.faults)
    assert alone.faults == Faults(error=0.005, abort=0.02, cancel=0.01)


@pytest.mark.parametrize(("steps", "requests"), [(1, 30), (6, 30), (7, 35), (60, 300), (61, 300)])
def test_a_rehearsal_has_several_visits_however_long_the_run(steps: int, requests: int) -> None:
    """Five times all steps, at least 30 and at most 300; a duration does not bind it."""
    text = MINIMAL.replace("[{get: /}]", f"[{', '.join(['{get: /}'] * steps)}]")
    scenario = Scenario.parse(f"{text}load: {{duration: 1m}}\n")
    cell = cells(scenario)[0]
    alone = alone_plan(scenario, cell, seed=9, run="0badcafe", process=2, user=0)
    assert (alone.load.requests, alone.load.duration_s) == (requests, None)


MINIMAL = "version: 1\ntarget: {app: shop:app}\nsteps: [{get: /}]\nworkers: [sync, 'tasks:4']\n"


def test_cells_are_storages_times_workers() -> None:
    """A runtime target has a cell for each storage and worker model."""
    names = [cell.name for cell in cells(Scenario.parse(FULL))]
    assert names == [
        "ident/sync",
        "ident/threads:2 x greenlets:3",
        "thread/sync",
        "thread/threads:2 x greenlets:3",
    ]


KINDS = {
    "runtime": ["contextvar/sync", "contextvar/tasks:4"],
    "wsgi": ["app/sync", "app/tasks:4"],
    "auto": ["auto/sync", "auto/tasks:4"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_target_says_whose_storage_it_is(kind: str) -> None:
    """A wsgi application keeps its contexts itself; of `auto` it is not known before the import."""
    scenario = Scenario.parse(MINIMAL.replace("shop:app", f"shop:app, kind: {kind}"))
    assert [cell.name for cell in cells(scenario)] == KINDS[kind]
    made = plan(scenario, cells(scenario)[0], seed=1, run="0" * 8, process=0)
    assert (made.target.kind, made.target.storage) == (kind, "contextvar")


def test_a_cell_can_be_renamed_once_its_kind_is_known() -> None:
    """The harness replaces `auto` when the cell has told what the application is."""
    assert Cell("auto", Workers.parse("sync")).renamed("app").name == "app/sync"


def test_checks_name_codes_and_groups() -> None:
    """A group stands for its codes, `all` for every code of this version."""
    assert codes(Scenario.parse(FULL)) == {"CTX101", "CTX102", "CTX103", "CTX104", "CTX201"}
    assert "CTX401" in codes(Scenario.parse(MINIMAL))


EXPECTATIONS = {
    "clean": set(),
    "[CTX201, CTX204]": {"CTX201", "CTX204"},
    "CTX201": {"CTX201"},
}


@pytest.mark.parametrize("written", EXPECTATIONS)
def test_an_expectation_can_be_of_all_cells_together(written: str) -> None:
    """`clean` and a list of codes speak of the run as a whole, not of each cell."""
    scenario = Scenario.parse(f"{MINIMAL}expect: {written}\n")
    assert overall(scenario) == EXPECTATIONS[written]
    assert expected(scenario, cells(scenario)[0]) is None


PRECEDENCE = """
expect:
  "*": [CTX101]
  "*/sync": [CTX102]
  "thread/*": [CTX103]
  "ident/sync": clean
"""


def test_the_most_exact_pattern_counts() -> None:
    """A cell's own name comes before its workers, these before its storage, these before `*`."""
    scenario = Scenario.parse(FULL + PRECEDENCE)
    found = {cell.name: expected(scenario, cell) for cell in cells(scenario)}
    assert overall(scenario) is None
    assert found == {
        "ident/sync": frozenset(),
        "ident/threads:2 x greenlets:3": {"CTX101"},
        "thread/sync": {"CTX102"},
        "thread/threads:2 x greenlets:3": {"CTX103"},
    }


def test_a_cell_that_no_pattern_matches_is_expected_to_be_clean() -> None:
    """What a mapping does not mention is clean, and patterns are read like workers' words."""
    scenario = Scenario.parse(FULL + "expect: {'*/threads:2  x greenlets:3': CTX201}\n")
    found = [expected(scenario, cell) for cell in cells(scenario)]
    assert found == [frozenset(), {"CTX201"}, frozenset(), {"CTX201"}]


def test_thresholds_hold_or_do_not() -> None:
    """Latencies are limited in seconds, shares from 0 to 1."""
    text = "thresholds: {p95: '< 250ms', max: <= 2 s, checked: '>= 99%', failed: '<= 1%'}\n"
    given = {each.metric: each for each in Scenario.parse(MINIMAL + text).thresholds.given}
    assert given["p95"].holds(0.249)
    assert not given["p95"].holds(0.25)
    assert given["max"].holds(2.0)
    assert given["checked"].holds(0.99)
    assert not given["checked"].holds(0.98)
    assert not given["failed"].holds(0.02)
    assert given["checked"].text == ">= 99%"


def test_the_interpreter_is_the_targets_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """target.python counts from the folder; else the active environment's, else ctxsim's own."""
    own = tmp_path / "python"
    own.symlink_to(sys.executable)
    active = tmp_path / "env" / "bin" / "python"
    active.parent.mkdir(parents=True)
    active.symlink_to(sys.executable)
    path = tmp_path / "shop.yaml"
    path.write_text(MINIMAL.replace("shop:app", "shop:app, python: ./python"))
    assert python(Scenario.load(path)) == str(own)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "env"))
    assert python(Scenario.parse(MINIMAL)) == str(active)
    assert python(Scenario.parse(FULL)) == sys.executable
    monkeypatch.delenv("VIRTUAL_ENV")
    assert python(Scenario.parse(MINIMAL)) == sys.executable


def test_an_interpreter_that_is_not_there_is_a_fault_of_the_target() -> None:
    """The message names the path, and where it was said."""
    scenario = Scenario.parse(MINIMAL).with_options(python="no/such/python")
    with pytest.raises(TargetError, match=r"no Python interpreter at .*no/such/python"):
        python(scenario)


def test_a_step_becomes_the_plans_step() -> None:
    """The smallest step is a method and a path."""
    made = _plan(MINIMAL)
    assert made.steps == (Step(name="", method="GET", path="/"),)


def test_faults_that_are_not_named_give_way_to_those_that_are() -> None:
    """All requests can be made to fail; what is left over goes to the usual mix."""
    assert _faults("{error: 100%}") == Faults(error=1.0)
    assert _faults("{error: 50%, abort: 50%}") == Faults(error=0.5, abort=0.5)
    assert _faults("{abort: 50%}") == Faults(error=0.02, abort=0.5, cancel=0.01)
    assert _faults("none") == Faults()


def _faults(text: str) -> Faults:
    return _plan(f"version: 1\ntarget: {{app: a:b}}\nsteps: [{{get: /}}]\nfaults: {text}\n").faults
