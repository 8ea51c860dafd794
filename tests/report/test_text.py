"""The text tells what was run, what was found, how it compares, and how to run it again."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from sample_documents import CELL, DOCUMENT, FINDING, SYNC, documents

from ctxsim.cell.history import Ending
from ctxsim.report import text
from ctxsim.report.document import Expectation, Latency, Timing
from ctxsim.report.lines import WIDTH, columns

GOLDEN = """\
ctxsim 0.1.0  shop
target shop:app (flask 3.1.3)  seed 42

  workers    requests  compared  peak     p50     p95  result
  sync          1,000       990     1  400 us  900 us  clean
  threads:8     1,000       990     8  400 us  900 us  CTX201

CTX201  a response carried another request's value
  812 times, first at request 2; 7F3K2M
  in contextvar/threads:8
  user 1, request 2 (GET /whoami) was answered with a value of user 2, request 1
  seen in the body: bob
  at shop.py:17 in whoami

2,000 requests, 100 of them of visitors; of 1,980 the answer was compared with
the request's own values; 62 faults were part of the mix.
not expected: CTX201 in contextvar/threads:8

again: ctxsim run shop.ctxsim.yaml --seed 42
findings: 1 finding in 2 cells, 2.9 s, seed 42, exit 1
"""


def test_a_failing_run_reads_like_this():
    assert text.render(DOCUMENT) == GOLDEN


@given(documents)
@settings(deadline=None, max_examples=25)
def test_any_result_is_shown_in_lines_of_80_columns(document):
    for line in text.render(document).split("\n"):
        assert columns(line) <= WIDTH


@given(documents)
@settings(deadline=None, max_examples=25)
def test_any_result_can_be_shown_in_ascii(document):
    assert text.render(document, unicode=False).isascii()


def test_color_changes_no_word():
    colored = text.render(DOCUMENT, color=True)
    assert "\x1b[" in colored
    assert re.sub(r"\x1b\[\d*m", "", colored) == GOLDEN


def test_at_most_twenty_findings_are_shown():
    many = tuple(replace(FINDING, id=f"ID{number:04}") for number in range(23))
    shown = text.render(replace(DOCUMENT, findings=many))
    assert shown.count("CTX201  a response") == 20
    assert "3 more in .ctxsim/last.json" in shown


def test_where_no_file_is_kept_none_is_named():
    many = tuple(replace(FINDING, id=f"ID{number:04}") for number in range(23))
    shown = text.render(replace(DOCUMENT, findings=many), kept=None)
    assert "3 more\n" in shown


def test_several_storages_are_shown_one_after_the_other():
    document = replace(DOCUMENT, cells=(SYNC, replace(SYNC, storage="shared")))
    shown = text.render(document)
    assert shown.index("storage contextvar") < shown.index("storage shared")


def test_a_cell_that_ended_early_shows_its_kind_its_message_and_the_innermost_lines():
    frames = [f'  File "deep.py", line {n}, in f{n}' for n in range(30)]
    stack = "\n".join(["Thread 0x1 (most recent call first):", *frames])
    ending = Ending("hang", "no request ended for 30 s", (stack,), "a hint")
    shown = text.render(replace(DOCUMENT, cells=(replace(CELL, ending=ending),)))
    assert "CTX201, hang" in shown
    assert "contextvar/threads:8 ended early: hang: no request ended for 30 s" in shown
    assert "a hint" in shown
    assert "in f0" in shown
    assert "in f29" not in shown


@pytest.mark.parametrize(
    ("faults", "told"),
    [({}, "no faults were"), ({"error": 1}, "1 fault was"), ({"error": 2}, "2 faults were")],
)
def test_faults_are_counted_in_words_that_agree(faults, told):
    shown = text.render(replace(DOCUMENT, cells=(replace(CELL, faults=faults),)))
    assert f"{told} part of the mix." in " ".join(shown.split())


def test_reasons_stand_before_the_verdict():
    document = replace(DOCUMENT, reasons=("app/sync: nothing was compared",))
    assert "\napp/sync: nothing was compared\n" in text.render(document)


def test_an_early_end_that_was_told_is_not_told_again_as_a_reason():
    cell = replace(CELL, ending=Ending("crash", "SIGSEGV"))
    reason = "contextvar/threads:8 ended early: crash: SIGSEGV"
    shown = text.render(replace(DOCUMENT, cells=(cell,), reasons=(reason,)))
    assert shown.count(reason) == 1


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.000012, "12 us"), (0.0056, "5.6 ms"), (0.45, "450 ms"), (2.04, "2.0 s")],
)
def test_latencies_are_shown_in_the_unit_that_fits(seconds, shown):
    timing = Timing(1.0, 1.0, Latency(seconds, seconds, seconds, seconds))
    document = replace(DOCUMENT, cells=(replace(SYNC, timing=timing),))
    assert f"  {shown}  {shown}  clean\n" in text.render(document)


@pytest.mark.parametrize(
    ("expect", "line"),
    [
        (Expectation("CTX201"), "as expected: CTX201"),
        (Expectation("CTX201", (), ("CTX201",)), "expected, but did not show: CTX201"),
        (Expectation("clean", ("CTX204 in app/sync",)), "not expected: CTX204 in app/sync"),
    ],
)
def test_what_was_found_is_compared_to_what_is_expected(expect, line):
    assert line in text.render(replace(DOCUMENT, expect=expect)).splitlines()


def test_notes_are_told_and_called_so():
    assert "\nnote: too few users\n" in text.render(replace(DOCUMENT, notes=("too few users",)))


def test_a_long_result_stands_below_its_row():
    codes = tuple(f"CTX{number}" for number in range(201, 210))
    document = replace(DOCUMENT, cells=(replace(CELL, codes=codes),))
    assert f"\n      {' '.join(codes)}\n" in text.render(document)


def test_the_summary_tells_the_notes_of_failing_requests():
    note = "124 of 500 requests failed in app/sync (500 x 124)"
    assert f"note: {note}\n" in text.render(replace(DOCUMENT, notes=(note,)))
