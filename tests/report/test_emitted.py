"""A case as a test: whatever stands in it, the file is Python, and gives the case back."""

import ast
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ctxsim.report.cases import CaseFile, parse_case
from ctxsim.report.emitted import as_test

LINES = st.lists(st.text("ab \\\"'{}\n\u0000\u20ac", max_size=12), max_size=4).map(tuple)
CASE = CaseFile(
    id="ABC123",
    code="CTX201",
    title="a response carried another request's value",
    scenario={"name": "shop", "file": "shop.yaml", "folder": "/srv/shop", "text": "version: 1"},
    seed=7,
    run="00000000",
    process=1,
    workers="threads:4",
    storage="app",
    python="/usr/bin/python3",
    search={"kind": "auto", "granularity": "line", "select": []},
    cause=("answer.foreign", "GET /", "body", "request"),
    selection=0,
    script={"variation": 0, "windows": [], "passed_over": []},
    story=(),
)


@given(LINES, st.text("ab\\\"'{}\n", max_size=20))
def test_the_file_is_python_and_holds_the_case(story, text):
    scenario = {**CASE.scenario, "text": text}
    case = replace(CASE, story=story, scenario=scenario)
    module = ast.parse(as_test(case, Path("/srv/tests/test_it.py")))
    values = {
        each.targets[0].id: each.value for each in module.body if isinstance(each, ast.Assign)
    }
    given_back = parse_case(ast.literal_eval(values["CASE"]))
    assert given_back == replace(case, scenario={**scenario, "folder": "."}, python="")
    assert "../shop" in ast.unparse(values["FOLDER"])


def test_a_story_is_folded_beneath_its_own_text_as_it_is_shown():
    long = "  ".join(
        ["user 4, request 3 (GET /receipt)", r"wrote C:\new\users", "at shop.py:31"] * 3
    )
    lane = "    |  R  shop.py:23: return " + "x" * 90
    text = as_test(replace(CASE, story=(f"  {long}", lane)), Path("/srv/tests/test_it.py"))
    told = ast.get_docstring(ast.parse(text), clean=False)
    assert max(map(len, told.splitlines())) <= 80
    lines = told.splitlines()
    assert "".join("".join(lines).split()).count(r"wroteC:\new\users") == 3
    [at] = [n for n, line in enumerate(lines) if line.startswith("    |  R")]
    assert lines[at + 1].strip("| ") == "x" * len(lines[at + 1].strip("| "))
    assert not lines[at + 1].startswith("x")
