"""No input whatever gives anything but a Scenario or a ScenarioError."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctxsim import Scenario, ScenarioError

VALID = """\
version: 1
name: shop
target: {app: shop.wsgi:create_app(), storage: [contextvar, thread]}
users: {count: 20, visitor: true, vars: {name: "user{n}"}}
steps:
- post: /login
  form: {name: "{user.name}"}
  expect: {status: [200, 302], json: {a: 1}}
  as: login
- get: /cart?tag={canary}
  headers: {X-Request-ID: "{login.canary}"}
  mine: "{user.name}"
  auth: [a, b]
faults: {error: 2%}
workers: [sync, "threads:8"]
load: {requests: 20}
checks: [contexts]
shared: ["/wall"]
expect: {"*/sync": clean, "*": [CTX201]}
thresholds: {p95: "< 250ms"}
seed: 42
"""
SPLICES = st.sampled_from(
    [*"{}[]:,-*&!|>'\"#%@`\t\n ?<", "\0", "\ufeff", "\x85", "\u2028", "\ud800", "é", "{x}", "- ",
     ": ", "null", "<<: ", "*a", "&a ", "9" * 400, "!!int ", "---\n", "...\n", "\r"]
)  # fmt: skip
KEYS = st.sampled_from(
    ["version", "target", "app", "users", "vars", "steps", "flows", "get", "json", "form", "as",
     "expect", "mine", "auth", "load", "duration", "workers", "faults", "error", "cells", "x", ""]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from(["sync", "/x", "{user.a}", "2%", "CTX201", "a:b", "clean", "all"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def _refusal(text: str) -> ScenarioError | None:
    try:
        Scenario.parse(text, "any.yaml")
    except ScenarioError as error:
        return error
    return None


def _check(text: str) -> None:
    refusal = _refusal(text)
    if refusal is None:
        return
    positions = [(each.line, each.column) for each in refusal.problems]
    assert positions
    assert positions == sorted(positions)
    for each in refusal.problems:
        assert each.width >= 1
        assert "pydantic" not in each.message
        if refusal.lines:
            assert 1 <= each.line <= len(refusal.lines)
            assert 1 <= each.column <= len(refusal.lines[each.line - 1]) + 1
    assert str(refusal).endswith("Nothing was run.")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
@example("\ud800")
@example("? ? ?")
@example("a: !<tag:yaml.org,2002:int> x")
def test_any_text(text: str) -> None:
    """Random text is refused in good order."""
    _check(text)


@settings(max_examples=250, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_structure(document: dict[str, Any]) -> None:
    """Structures of known words in the wrong places are refused in good order."""
    _check(json.dumps({"version": 1, "target": {"app": "a:b"}, **document}))


@settings(max_examples=250, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(VALID)), st.integers(0, 6), SPLICES | st.text(max_size=3)),
        min_size=1,
        max_size=3,
    )
)
def test_any_slip_of_the_keyboard(slips: list[tuple[int, int, str]]) -> None:
    """A right file with pieces cut out and put in is read, or refused in good order."""
    text = VALID
    for where, cut, splice in slips:
        text = text[:where] + splice + text[where + cut :]
    _check(text)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, VALID.count("\n")), st.integers(0, VALID.count("\n")))
def test_any_two_lines_that_change_places(first: int, second: int) -> None:
    """Lines in another order are read, or refused in good order."""
    lines = [*VALID.split("\n")]
    lines[first], lines[second] = lines[second], lines[first]
    _check("\n".join(lines))
