"""JSON is written as the standard library writes it, with one encoder for all answers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctxsim.runtime import json_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.uuids() | st.dates(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(value=JSON)
def test_json_answers_are_what_json_writes(value: Any) -> None:
    """Sorted keys, compact, one newline at the end."""
    written = json.dumps(value, sort_keys=True, separators=(",", ":"), default=json_text._other)
    assert json_text.answer(value) == f"{written}\n"


def test_json_says_what_it_cannot_write() -> None:
    """A value that holds itself, keys of several types, and what has no form in JSON."""
    endless: list[Any] = []
    endless.append({"again": endless})
    with pytest.raises(ValueError, match="Circular reference"):
        json_text.answer(endless)
    with pytest.raises(TypeError, match="not supported between"):
        json_text.answer({1: "a", "b": 2})
    with pytest.raises(TypeError, match="type object is not JSON serializable"):
        json_text.answer([object()])
    # What went wrong once leaves nothing behind that the next value would meet.
    assert json_text.answer([{"a": 1}]) == '[{"a":1}]\n'
