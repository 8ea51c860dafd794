"""Scenario files are tests: one item for each cell, and the story where one fails."""

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

APP = """
last = {}

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["QUERY_STRING"].encode()]

def leaky(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    before = last.get("query", "")
    last["query"] = environ["QUERY_STRING"]
    return [before.encode()]

def silent(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"nothing"]
"""
SCENARIO = """
version: 1
name: shop
target: {app: "shop:app", kind: wsgi}
steps: [{get: "/?tag={canary}"}]
workers: [sync, "threads:2"]
load: {requests: 40}
"""
EXPECTED = "expect: [CTX201, CTX204, CTX402]\n"


@pytest.fixture
def folder(pytester, monkeypatch):
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    # No other plugin that happens to be installed has a say.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(shop=APP)
    return pytester


def write(folder, text=SCENARIO):
    folder.makefile(".ctxsim.yaml", shop=text)


def run(folder, *words):
    return folder.runpytest_subprocess("-W", "error", "-p", "ctxsim.pytest_plugin", *words)


def test_each_cell_is_an_item_of_its_own(folder):
    write(folder)
    result = run(folder, "--collect-only", "-q")
    assert result.outlines[:2] == [
        "shop.ctxsim.yaml::app/sync",
        "shop.ctxsim.yaml::app/threads:2",
    ]


def test_clean_cells_pass(folder):
    write(folder)
    run(folder).assert_outcomes(passed=2)


def test_an_item_runs_its_own_cell_only(folder):
    write(folder, SCENARIO.replace("shop:app", "shop:leaky"))
    result = run(folder, "shop.ctxsim.yaml::app/sync")
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*threads:2*")


def test_a_failure_shows_the_story_and_how_to_run_it_again(folder):
    write(folder, SCENARIO.replace("shop:app", "shop:leaky"))
    result = run(folder, "--ctxsim-seed", "5")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*CTX201  a response carried another request's value*"])
    result.stdout.fnmatch_lines(["again: ctxsim run shop.ctxsim.yaml --seed 5*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_cell_that_compared_nothing_fails_and_says_that_it_is_inconclusive(folder):
    write(folder, SCENARIO.replace("shop:app", "shop:silent"))
    result = run(folder)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["inconclusive: *exit 4"])


def test_a_target_that_cannot_be_imported_fails_in_a_few_words(folder):
    write(folder, SCENARIO.replace("shop:app", "shopp:app"))
    result = run(folder)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["error: no module named 'shopp'*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_a_wrong_scenario_is_a_collection_error_without_a_traceback(folder):
    write(folder, SCENARIO + "stepps: []\n")
    result = run(folder)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*shop.ctxsim.yaml:*: error: *'stepps'*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_seed_and_number_of_requests_can_be_given(folder):
    write(folder, SCENARIO.replace("shop:app", "shop:leaky"))
    result = run(folder, "--ctxsim-seed", "77", "--ctxsim-requests", "10")
    result.stdout.fnmatch_lines(["*seed 77*", "10 requests, *"])


def test_known_findings_pass_where_the_scenario_expects_them(folder):
    write(folder, SCENARIO.replace("shop:app", "shop:leaky") + EXPECTED)
    run(folder).assert_outcomes(passed=2)


def test_other_yaml_files_are_left_alone(folder):
    folder.makefile(".yaml", other=SCENARIO)
    run(folder).assert_outcomes()


def test_the_plugin_imports_pytest_and_the_standard_library_alone():
    asked = "import ctxsim.pytest_plugin, sys; print(*sys.modules)"
    names = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in names if name.startswith("ctxsim")}
    assert ours == {"ctxsim", "ctxsim.pytest_plugin"}
    assert not {"gevent", "pydantic", "click", "rich", "hdrh"} & set(names)


def test_the_plugin_leaves_host_to_others(folder):
    folder.makeconftest(
        "def pytest_addoption(parser):\n    parser.addoption('--host', '-H', help='theirs')\n"
    )
    run(folder, "--host", "example").assert_outcomes()


def test_cells_that_do_not_suit_an_asgi_application_are_skipped(folder):
    """What it is shows only when it is imported; workers that the file names are an error."""
    folder.makepyfile(
        chat="""
        async def app(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": scope["query_string"]})
        """
    )
    named = SCENARIO.replace("shop:app", "chat:app").replace(", kind: wsgi", "")
    unnamed = "".join(line for line in named.splitlines(True) if "workers" not in line)
    write(folder, unnamed)
    run(folder).assert_outcomes(passed=2, skipped=2)
    write(folder, named)
    result = run(folder)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*threads:2 cannot carry chat:app*"])
