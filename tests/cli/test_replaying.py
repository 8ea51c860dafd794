"""`ctxsim replay`: what it says of a case, and the exit codes; and case files that are none."""

import json
from dataclasses import replace

import pytest

from ctxsim.cli import main, replaying
from ctxsim.errors import ExitCode
from ctxsim.replaying import Replayed
from ctxsim.report.cases import CaseFile, keep_case, read_case

CASE = CaseFile(
    id="ABC123",
    code="CTX201",
    title="a response carried another request's value",
    scenario={"name": "shop", "file": "shop.yaml", "folder": "/shop", "text": "version: 1"},
    seed=7,
    run="00000000",
    process=1,
    workers="threads:4",
    python="python3",
    storage="app",
    search={"kind": "auto", "granularity": "line", "select": []},
    cause=("answer.foreign", "GET /", "body", "request"),
    selection=0,
    script={"variation": 0, "windows": [], "passed_over": []},
    story=("user 1, request 1 (GET /) starts, to its end",),
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def replays(monkeypatch):
    def give(times, of):
        told = Replayed(times, of, CASE.story if times else ())
        monkeypatch.setattr(replaying, "replay", lambda case, times, options: told)

    return give


@pytest.mark.parametrize(
    ("times", "code", "told"),
    [
        (20, ExitCode.FINDINGS, "shown by 20 of 20 replays"),
        (7, ExitCode.INCONCLUSIVE, "not all that happens is controlled"),
        (0, ExitCode.OK, "either it is fixed, or the lines that it needs have moved"),
    ],
)
def test_the_exit_code_tells_whether_it_shows(replays, capsys, times, code, told):
    keep_case(CASE)
    replays(times, 20)
    assert main(["replay", "ABC123"]) == code
    assert told in " ".join(capsys.readouterr().out.split())


def test_a_case_of_a_route_that_is_gone_is_not_mended(monkeypatch, capsys):
    keep_case(CASE)
    told = Replayed(0, 20, (), tells=False)
    monkeypatch.setattr(replaying, "replay", lambda case, times, options: told)
    assert main(["replay", "ABC123"]) == ExitCode.INCONCLUSIVE
    assert "that it does not show tells nothing" in " ".join(capsys.readouterr().out.split())


def test_it_says_by_what_it_showed_and_what_has_changed(monkeypatch, capsys):
    keep_case(CASE)
    told = Replayed(20, 20, CASE.story, "by the lines at which it switches", ("a.py is another",))
    monkeypatch.setattr(replaying, "replay", lambda case, times, options: told)
    assert main(["replay", "ABC123"]) == ExitCode.FINDINGS
    shown = capsys.readouterr().out
    assert "carried by the lines at which it switches" in shown
    assert "a.py is another" in shown


def test_a_case_is_the_same_after_its_way_through_its_file(folder):
    keep_case(CASE)
    assert read_case("ABC123") == CASE
    assert read_case(str(folder / ".ctxsim" / "cases" / "ABC123.json")) == CASE
    assert (folder / ".ctxsim" / ".gitignore").read_text() == "*\n"


def test_of_many_cases_the_newest_are_kept(folder):
    for number in range(105):
        keep_case(replace(CASE, id=f"{number:06}"))
    assert len(list((folder / ".ctxsim" / "cases").glob("*.json"))) == 100


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "there is no case 'case.json'"),
        ("no JSON", "cannot be read as a case"),
        ("[]", "is no case file of ctxsim"),
        (json.dumps({"format": "ctxsim-result"}), "is no case file of ctxsim"),
        (json.dumps({"format": "ctxsim-case", "version": 2}), "of version 2"),
        (
            json.dumps({"format": "ctxsim-case", "version": 1, "id": "A"}),
            "is not a whole case file",
        ),
    ],
)
def test_what_is_no_case_is_refused(folder, capsys, content, told):
    if content is not None:
        (folder / "case.json").write_text(content)
    assert main(["replay", "case.json"]) == ExitCode.USAGE
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_test_is_written_once_and_holds_no_path_of_this_machine(folder, replays, capsys):
    keep_case(CASE)
    replays(1, 1)
    assert main(["replay", "ABC123", "--emit-test", "test_it.py"]) == ExitCode.FINDINGS
    text = (folder / "test_it.py").read_text(encoding="utf-8")
    compile(text, "test_it.py", "exec")
    assert str(folder) not in text
    assert "def test_a_response_carried_another_request_s_value_abc123():" in text
    assert main(["replay", "ABC123", "--emit-test", "test_it.py"]) == ExitCode.USAGE
    assert "is there already" in capsys.readouterr().err
