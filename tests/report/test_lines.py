"""Lines fit a terminal and cannot steer it, whatever text they are made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.report.lines import WIDTH, Page, columns, harmless, printable, wrapped

ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT, st.integers(0, 20), st.integers(0, 20))
def test_no_line_is_wider_than_80_columns(text, indent, hanging):
    lines = wrapped(printable(text), indent, hanging)
    assert max(map(columns, lines)) <= WIDTH


@given(ANY_TEXT)
def test_wrapping_loses_nothing_but_spaces(text):
    shown = printable(text)
    assert "".join(wrapped(shown, 2, 4)).replace(" ", "") == shown.replace(" ", "")


@given(ANY_TEXT)
def test_nothing_that_steers_a_terminal_is_shown(text):
    assert printable(text).isprintable()
    assert printable(text, unicode=False).isascii()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("two\nlines", "two\\nlines"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}txt", "\\u202etxt"),
        ("Zoë", "Zoë"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_is_no_character_is_written_as_an_escape(text, shown):
    assert printable(text) == shown


def test_characters_beyond_ascii_are_escaped_where_the_terminal_has_none():
    assert printable("Zoë", unicode=False) == "Zo\\xeb"


def test_wide_characters_count_as_two_columns_and_accents_as_none():
    assert columns("日本") == 4
    assert columns("e\N{COMBINING ACUTE ACCENT}") == 1


def test_lines_break_at_spaces_and_later_ones_hang():
    assert wrapped("one two three", 1, 2, width=8) == [" one two", "   three"]


def test_spaces_within_a_line_stay_since_they_align_columns():
    assert wrapped("a    b") == ["a    b"]


def test_only_a_page_with_color_has_escape_sequences():
    for color in (False, True):
        page = Page(color=color)
        page.add("found", tone="bad")
        assert ("\x1b[31mfound\x1b[0m" in page.text) is color


def test_a_command_that_takes_several_lines_can_be_pasted():
    page = Page()
    page.add_command("again:", f"ctxsim run {'a' * 40}.yaml --seed 5 --workers threads:8")
    assert page.text == (
        f"again: ctxsim run {'a' * 40}.yaml --seed 5 \\\n       --workers threads:8\n"
    )


def test_harmless_text_keeps_its_lines_and_nothing_that_steers_a_terminal():
    assert harmless("a\tb\x1b[2J\0\n  c\x9b\n") == "a       b\\x1b[2J\\x00\n  c\\x9b"
