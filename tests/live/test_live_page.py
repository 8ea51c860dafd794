"""What the tabs and the page show."""

from test_carried import cell, event, run_of

from ctxsim.live import page
from ctxsim.live.board import TABLES, Board


def test_each_table_gets_flat_rows_with_names_of_their_own():
    rows = Board(run_of(cell(event(), event("header X")))).rows()
    for table, given in zip(TABLES, rows, strict=True):
        assert table["key"] == given["key"]
        names = [row["name"] for row in given["data"]]
        assert len(set(names)) == len(names) > 0
        for row in given["data"]:
            assert row.keys() == {column["key"] for column in table["structure"]}
            assert all(isinstance(value, str | int) for value in row.values())


def test_a_cell_is_not_called_clean_as_long_as_it_runs():
    assert Board(run_of(cell())).matrix()[0]["verdict"] == "nothing found so far"
    assert Board(run_of(cell(compared=0))).matrix()[0]["verdict"] == "nothing compared so far"
    assert Board(run_of(cell(event()))).matrix()[0]["verdict"] == "findings"


def test_the_page_tells_each_story_with_its_timeline():
    board = Board(run_of(cell(event())))
    board.look()
    shown = page.rendered(board, "")
    assert "CTX201" in shown
    assert "kept in shop.LAST" in shown
    assert "<svg" in shown
    assert "http-equiv" in shown


def test_the_page_escapes_what_the_application_said_and_loads_nothing():
    hostile = event(place="header <script>alert(1)</script>")
    shown = page.rendered(Board(run_of(cell(hostile))), "")
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "src=" not in shown


def test_what_is_over_is_shown_with_its_verdict_and_downloads():
    run = run_of(cell(event()), lost="it went missing")
    shown = page.rendered(Board(run), "/base")
    assert "exit code 1" in shown
    assert 'href="/base/ctxsim/junit.xml"' in shown
    assert "http-equiv" not in shown


def test_a_page_before_any_test_says_so():
    assert "No test was started yet" in page.rendered(None, "")
