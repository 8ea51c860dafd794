"""`ctxsim show` and `ctxsim report`: what was kept, looked at again; nothing is run."""

import json
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from sample_documents import DOCUMENT, FINDING, documents
from test_emitted import CASE as EMITTED
from test_page import STORY

from ctxsim.cli import main, streams
from ctxsim.errors import ExitCode, UsageError
from ctxsim.report import junit, page
from ctxsim.report.cases import keep_case
from ctxsim.report.document import as_text, documents_of
from ctxsim.report.kept import LAST, keep
from ctxsim.report.lines import columns

CASE = replace(EMITTED, id="ABC123", story=("user 1 was switched out at shop.py:3",))
TOLD = replace(DOCUMENT, findings=(replace(FINDING, story=STORY),))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keep(LAST, as_text([TOLD], 1))
    return tmp_path


@pytest.mark.parametrize("name", ["7F3K2M", "7f3k2m"])
def test_a_finding_is_shown_with_its_lanes(capsys, name):
    assert main(["show", name]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert all(f"  {line}\n" in shown for line in STORY if len(line) < 70)
    assert FINDING.replay in " ".join(shown.split())


def test_a_case_is_shown_that_the_last_result_does_not_have(capsys):
    keep_case(CASE)
    assert main(["show", "ABC123"]) == ExitCode.OK
    assert CASE.story[0] in capsys.readouterr().out


def test_what_is_not_there_is_said(capsys):
    assert main(["show", "NOTHIN"]) == ExitCode.USAGE
    assert "there is no case 'NOTHIN'" in capsys.readouterr().err


@pytest.mark.parametrize("width", [40, 52, 80])
def test_lanes_go_on_beneath_their_text_in_a_narrow_terminal(capsys, monkeypatch, width):
    wide = "  |  W  shop.py:3: current = " + "日本語" * 12
    document = replace(TOLD, findings=(replace(FINDING, story=(*STORY, wide)),))
    keep(LAST, as_text([document], 1))
    monkeypatch.setattr("ctxsim.cli.showing.width_of", lambda _: width)
    monkeypatch.setattr("ctxsim.cli.showing.shows_unicode", lambda _: True)
    assert main(["show", "7F3K2M"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert max(map(columns, lines)) <= width
    at = next(number for number, line in enumerate(lines) if "|  W  shop.py:3:" in line)
    following = lines[at + 1]
    assert following.startswith(" " * len("    |  W  "))
    assert "日" in following or "本" in following


def test_a_terminal_is_as_wide_as_it_says_and_a_file_as_any(monkeypatch):
    class Terminal:
        def __init__(self, is_one):
            self.isatty = lambda: is_one

    for columns_there, width in ((20, 40), (60, 60), (200, 80)):
        monkeypatch.setenv("COLUMNS", str(columns_there))
        assert streams.width_of(Terminal(True)) == width
        assert streams.width_of(Terminal(False)) == 80
    assert streams.width_of(None) == 80


def test_the_page_is_opened_at_the_finding(capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    assert main(["show", "7F3K2M", "--web"]) == ExitCode.OK
    place = Path(".ctxsim/page.html").resolve()
    assert opened == [f"{place.as_uri()}#7F3K2M"]
    assert place.read_bytes() == page.render([TOLD])
    assert capsys.readouterr().out == f"{place}\n"


def test_a_page_needs_the_result(capsys, monkeypatch):
    monkeypatch.setattr(webbrowser, "open", lambda url: pytest.fail(f"opened {url}"))
    assert main(["show", "ABC123", "--web"]) == ExitCode.USAGE
    assert "the last result has no finding ABC123" in capsys.readouterr().err


def test_reports_are_what_the_run_would_have_written(capsys):
    for words in ([], [".ctxsim/last.json"]):
        assert main(["report", *words, "--html", "a.html", "--junit", "a.xml"]) == ExitCode.OK
        assert Path("a.html").read_bytes() == page.render([TOLD])
        assert Path("a.xml").read_bytes() == junit.render([TOLD])
    assert capsys.readouterr().out == ""


@settings(max_examples=30, deadline=None)
@given(documents, documents)
def test_a_result_is_read_as_it_was_written(one, other):
    for written in ([one], [one, other]):
        assert documents_of(as_text(written, 1), "it") == written


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "ctxsim-case"}', '{"format": "ctxsim-result"}']
)
def test_what_is_no_result_is_refused(text):
    with pytest.raises(UsageError, match=r"^it "):
        documents_of(text, "it")


def test_a_result_that_lacks_something_or_is_of_another_version_is_refused(capsys):
    whole = json.loads(as_text([TOLD], 1))
    for changed in ({**whole, "version": 2}, {k: v for k, v in whole.items() if k != "cells"}):
        Path("other.json").write_text(json.dumps(changed), encoding="utf-8")
        assert main(["report", "other.json", "--html", "a.html"]) == ExitCode.USAGE
    assert "other.json is not a whole result" in capsys.readouterr().err


def test_a_report_has_to_be_asked_for(capsys):
    assert main(["report"]) == ExitCode.USAGE
    assert "write --junit PATH or --html PATH" in capsys.readouterr().err
