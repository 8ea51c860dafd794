"""A search from one rare byte to the next finds what a search for the whole pattern finds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxsim.cell.rarity import Sought

PATTERNS = [b"x(?<=[cC]x)0[aA]", b"&#", rb"\\u00", b"wbr", b"x[\r\n]*a[\r\n]*b"]
PARTS = [b"cx0a", b"Cx0A", b"cx0", b"x", b"&#", b"&", b"\\u00", b"\\u", b"wbr", b"x\r\nab", b"xab"]
# Long stretches without any, so that no search is for the whole pattern from the first byte on.
DATA = st.lists(
    st.one_of(st.sampled_from(PARTS), st.binary(max_size=3), st.just(b" " * 5_000)), max_size=25
).map(b"".join)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(DATA)
def test_all_matches_are_found_in_their_order(pattern, data):
    """Wherever the first byte of the pattern is rare, and wherever it is not."""
    assert Sought(pattern).all_in(data) == re.findall(pattern, data)


@pytest.mark.parametrize("pattern", PATTERNS)
@given(DATA, st.integers(1, 4))
def test_places_are_counted_as_far_as_asked_for(pattern, data, times):
    """Over both ways of searching together."""
    assert Sought(pattern).is_in(data, times) == (len(re.findall(pattern, data)) >= times)


def test_a_byte_that_is_everywhere_is_not_stopped_at():
    """What is found beyond the places that are stopped at is found all the same."""
    data = b"x" * 10_000 + b"cx0a" + b"x" * 10_000
    sought = Sought(PATTERNS[0])
    assert sought.all_in(data) == [b"x0a"]
    assert sought.is_in(data)


def test_nothing_to_look_for_is_everywhere():
    """As an empty text is in every other."""
    assert Sought(b"").is_in(b"")
    assert Sought(b"").is_in(b"a" * 5_000)
