"""Lanes: no line is too wide, what is not shared is folded, and nothing that matters is."""

from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.searching.lanes import WIDTH, Row, Turn, told
from ctxsim.cell.widths import columns, cut

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=200)
ROWS = st.lists(
    st.builds(Row, st.sampled_from([">", "<", "W", "RW"]), TEXTS, st.just(0), st.booleans())
    | st.just(Row(":", "", 1)),
    max_size=30,
)


def texts(story, lanes):
    return [line[3 * lanes :] for line in story[lanes + 1 :]]


@given(st.lists(st.tuples(st.integers(0, 2), ROWS, st.booleans()), max_size=30), TEXTS)
def test_no_line_is_wider_than_a_report_has_room_for(turns, label):
    story = told([label] * 3, [Turn(lane, tuple(rows), ends) for lane, rows, ends in turns])
    assert all(columns(line) <= WIDTH for line in story)


@given(TEXTS, st.integers(3, 100))
def test_a_text_is_cut_only_where_it_is_too_wide(text, most):
    shown = cut(text, most)
    assert columns(shown) <= most
    assert shown == text or columns(text) > most


def test_lines_that_touch_nothing_shared_are_counted():
    row = Row(":", "", 1)
    turn = Turn(0, (row, row, Row("W", "f.py:3: x = 1"), row), is_last=True)
    assert texts(told(["one"], [turn]), 1) == ["... 2 lines", "f.py:3: x = 1", "... 1 line"]


def test_who_waits_has_a_bar_until_its_last_turn():
    turns = [
        Turn(0, (Row(">", "starts"),), is_last=False),
        Turn(1, (Row(">", "starts"),), is_last=True),
        Turn(0, (Row(">", "goes on"),), is_last=True),
    ]
    *_, first, second, third = told(["one", "other"], turns)
    assert (first, second, third) == (">     starts", "|  >  starts", ">     goes on")


def test_a_loop_is_told_by_its_first_and_last_rounds():
    rows = tuple(Row("W", f"f.py:{line}: x += 1") for line in range(100))
    shown = texts(told(["one"], [Turn(0, rows, is_last=True)]), 1)
    assert shown[5] == "f.py:5: x += 1"
    assert shown[6] == "... 88 lines"
    assert shown[7] == "f.py:94: x += 1"
