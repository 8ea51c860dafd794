"""The tree of a YAML text: YAML 1.2's meanings, places, and bounds."""

from __future__ import annotations

import pytest

from ctxsim.scenario import nodes
from ctxsim.scenario.loading import values


def _read(text: str) -> object:
    root, problems = nodes.compose(text)
    assert root is not None
    assert problems == []
    return values(root, ())


MEANINGS = {
    "no": "no",
    "on": "on",
    "012": 12,
    "0o14": 12,
    "0xff": 255,
    "1:30": "1:30",
    "2001-01-01": "2001-01-01",
    "1_000": "1_000",
    "true": True,
    "~": None,
    "": None,
    "1.5": 1.5,
    "1e3": 1000.0,
    "-.inf": float("-inf"),
    "'012'": "012",
    "!!str 12": "12",
    "!!int 12": 12,
    "=": "=",
}


@pytest.mark.parametrize("written", MEANINGS)
def test_a_scalar_means_what_yaml_1_2_says(written: str) -> None:
    """Plain words of YAML 1.1 stay texts; quotes and tags count."""
    assert _read(f"a: {written}\n") == {"a": MEANINGS[written]}


def test_a_yaml_1_1_directive_changes_no_meaning() -> None:
    """Whatever version a file says it is in, `no` is a text."""
    assert _read("%YAML 1.1\n---\na: no\n") == {"a": "no"}


def test_anchors_aliases_and_merge_keys_are_written_out() -> None:
    """A merge key gives what the mapping does not say itself."""
    text = "a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\nc: {<<: [*x, {m: 4}]}\nd: *x\n"
    assert _read(text) == {
        "a": {"k": 1, "l": 2},
        "b": {"k": 3, "l": 2},
        "c": {"k": 1, "l": 2, "m": 4},
        "d": {"k": 1, "l": 2},
    }


def test_keys_and_values_know_their_places() -> None:
    """Lines and columns count from 1, and a caret is as wide as what it points at."""
    root, _ = nodes.compose("first: 1\nouter:\n  inner: 'abc'\n")
    assert isinstance(root, nodes.Mapping)
    outer = root.values["outer"]
    assert isinstance(outer, nodes.Mapping)
    key, value = outer.keys["inner"], outer.values["inner"].place
    assert (key.line, key.column, key.width) == (3, 3, 5)
    assert (value.line, value.column, value.width) == (3, 10, 5)


def _bomb() -> str:
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(["a0: &a0 x", *levels])


REFUSED = {
    "an alias bomb": (_bomb(), "with every alias written out"),
    "deep brackets": ("[" * 100_000, "nested more than 40 levels"),
    "deep aliases": (
        "a: &a " + "[" * 30 + "]" * 30 + "\nb: " + "[" * 20 + "*a" + "]" * 20,
        "nests more than 40 levels",
    ),
    "too many values": ("- a\n" * (nodes.MAX_NODES + 1), "more than 50,000 keys and values"),
    "an alias to itself": ("a: &a [*a]", "stands inside of what it refers to"),
    "an alias to nothing": ("a: *b", "an anchor '&b' that does not stand above"),
    "a Python tag": ("a: !!python/object/apply:os.system [ls]", "the tag '!!python/object"),
    "an application's tag": ("a: !env HOME", "the tag '!env' cannot stand here"),
    "a tag that does not fit": ("a: !!int x", "'x' is no int, as its tag says"),
    "a list that is tagged as a text": ("a: !!str [x]", "the tag '!!str' cannot stand here"),
    "half a character": ('a: "\\ud800"', "half of a surrogate pair"),
    "no character at all": ('a: "\\UFFFFFFFF"', "an escape or a character in it is not valid"),
    "a line break that nobody sees": ("a: b\u2028c", r"U\+2028 cannot stand in a scenario file"),
    "an endless number": (f"a: {'9' * 5000}", "a number of more than 300 digits"),
    "a tab": ("a:\n\tb: 1", "a tab cannot indent YAML"),
    "an open bracket": ("a: [1", "is not closed"),
    "an open quote": ("a: 'x", "a quoted text does not end"),
    "an unknown escape": ('a: "\\q"', "this escape is not known"),
    "a second colon": ("a: b: c", "a second ': ' in one line"),
    "a reserved sign": ("a: @x", "cannot begin with this character"),
    "a wrong indentation": ("a:\n  - b\n c: 1", "indented otherwise|does not belong|no YAML"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_no_scenario_needs_is_refused_with_a_reason(what: str) -> None:
    """Bombs, tags and broken YAML end as one problem, and none of them takes long."""
    text, message = REFUSED[what]
    with pytest.raises(nodes.UnreadableError, match=message) as caught:
        nodes.compose(text)
    assert caught.value.problem.line >= 1


def test_a_key_that_is_a_list_and_a_merge_of_a_text_are_problems() -> None:
    """Both leave a tree, so that the rest of the file is judged too."""
    root, problems = nodes.compose("? [a]\n: 1\nb: {<<: x}\n")
    assert {each.line for each in problems} == {1, 3}
    assert isinstance(root, nodes.Mapping)
