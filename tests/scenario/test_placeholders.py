"""Which texts of a request are placeholders, where they may stand, and where one is wrong."""

from __future__ import annotations

import pytest

from ctxsim import Scenario, ScenarioError

HEAD = 'version: 1\ntarget: {app: a:b}\nusers: {vars: {name: "user{n}"}}\nsteps:\n'
FIRST = "- {get: /, as: one-1}\n"

FINE = {
    "get": "/x?a={canary}&b={user.canary}&c={user.name}&d={one-1.canary}",
    "headers": {"X": "{canary}"},
    "form": {"{user.name}": "{canary}"},
    "json": {"a": ["{canary}", {"b": "{user.name}"}]},
    "body": '{"a": 1, "b": {}, "c": {{ }, {canary} {{user.name}} {a b} {a.b.c}',
    "auth": ["{user.name}-{one-1.canary}", "{canary}"],
    "mine": ["{user.name}", "x{canary}", "{user.canary}"],
    "expect": {"contains": "{user.name}", "absent": ["{canary}"], "json": {"a": "{canary}"}},
}


@pytest.mark.parametrize("key", FINE)
def test_placeholders_may_stand_in_every_text_of_a_step(key: str) -> None:
    """Every text of a request takes placeholders, and braces of another shape stay as they are."""
    value = repr(FINE[key]) if not isinstance(FINE[key], str) else f"'{FINE[key]}'"
    step = f"- {{{key}: {value}}}" if key == "get" else f"- {{get: /, {key}: {value}}}"
    scenario = Scenario.parse(HEAD + FIRST + step + "\n")
    assert len(scenario.steps) == 2


@pytest.mark.parametrize("key", FINE)
def test_an_unknown_placeholder_is_found_wherever_it_stands(key: str) -> None:
    """A text of a placeholder's shape that is none is refused in every key."""
    wrong = str(FINE[key]).replace("canary", "canery").replace("user.name", "user.nome")
    value = wrong if not isinstance(FINE[key], str) else f"'{wrong}'"
    step = f"- {{{key}: {value}}}" if key == "get" else f"- {{get: /, {key}: {value}}}"
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(HEAD + FIRST + step + "\n")
    assert any("did you mean '{" in str(each.suggestion) for each in caught.value.problems)


def test_a_caret_stands_under_the_placeholder_in_a_block_of_lines() -> None:
    """In a text of several lines, the problem is at the placeholder's own line."""
    text = HEAD + "- post: /\n  body: |\n    first {canary}\n    then {foo} and {bar}\n"
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text)
    places = [(each.line, each.column, each.width) for each in caught.value.problems]
    assert places == [(8, 10, 5), (8, 20, 5)]


def test_a_step_has_nothing_but_its_canary() -> None:
    """`{STEP.other}` is told what there is."""
    with pytest.raises(ScenarioError, match=r"write \{one-1.canary\}"):
        Scenario.parse(HEAD + FIRST + "- {get: '/{one-1.id}'}\n")


def test_headers_names_are_no_place_for_placeholders() -> None:
    """A header's name is a token, in which no brace can stand."""
    with pytest.raises(ScenarioError, match="cannot be the name of a header"):
        Scenario.parse(HEAD + "- {get: /, headers: {'{canary}': x}}\n")
